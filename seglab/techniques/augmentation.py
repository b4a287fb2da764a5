"""Random changes of training samples, by albumentations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import Field

from seglab.data.base import VOID, Sample, label_counts
from seglab.errors import SeglabError
from seglab.families import DataHooks, Feed, Technique


class Augmentation(Technique):
    """Changes a share of the training samples at random, image, mask and instances alike."""

    changes_images = True
    p: Annotated[float, Field(ge=0, le=1, description="probability that a sample is changed")] = 0.5

    def transform(self, height: int, width: int) -> Any:
        """The albumentations transform for samples of this size; it fills what it uncovers in masks with void."""
        raise NotImplementedError

    def data_hooks(self, feed: Feed) -> DataHooks:
        return Augmenting(self.p, self.transform)


class Augmenting(DataHooks):
    """Applies an albumentations transform to a share `p` of the samples, drawn anew for each; with `classes`, only of
    those that show one of them."""

    def __init__(self, p: float, transform: Callable[[int, int], Any], classes: np.ndarray | None = None):
        self.p, self.transform, self.classes = p, lru_cache(maxsize=64)(transform), classes

    def on_sample(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if rng.random() >= self.p or (self.classes is not None and not np.isin(sample.mask, self.classes).any()):
            return sample
        transform = self.transform(*sample.mask.shape)
        transform.set_random_state(rng, Random(int(rng.integers(2**63))))
        if sample.instances is None:
            changed = transform(image=sample.image, mask=sample.mask)
            return replace(sample, image=changed["image"], mask=changed["mask"])
        # Both masks are filled with 255, which could be an instance's id: negated ids can't be mistaken for it.
        ids = -sample.instances.astype(np.float32)
        changed = transform(image=sample.image, masks=[sample.mask.astype(np.float32), ids])
        mask, ids = changed["masks"]
        instances = -np.minimum(ids, 0).astype(np.int32)
        return replace(sample, image=changed["image"], mask=mask.astype(np.uint8), instances=instances)


class Flip(Augmentation):
    """Mirrors the image left to right.

    Source: albumentations.HorizontalFlip.
    """

    name = "flip"

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.HorizontalFlip(p=1)


class Rotate(Augmentation):
    """Rotates the image by a small angle; the corners become void, or are filled by reflection.

    An object and its mirror image in a corner count as one instance.

    Source: albumentations.Rotate.
    """

    name = "rotate"
    degrees: Annotated[float, Field(ge=0, le=180, description="largest angle in either direction")] = 10.0
    fill: Annotated[
        Literal["void", "reflect"], Field(description="what fills the corners: void, or a reflection of the image")
    ] = "void"

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A
        import cv2

        border = {"void": cv2.BORDER_CONSTANT, "reflect": cv2.BORDER_REFLECT_101}[self.fill]
        return A.Rotate(limit=(-self.degrees, self.degrees), border_mode=border, fill=0, fill_mask=VOID, p=1)


class Crop(Augmentation):
    """Crops a part of the image and enlarges it, so that objects appear at other sizes.

    Source: Szegedy et al. 2015, https://arxiv.org/abs/1409.4842, section 6; albumentations.RandomResizedCrop.
    """

    name = "crop"
    smallest: Annotated[float, Field(gt=0, le=1, description="smallest fraction of the image's area that is kept")] = (
        0.4
    )

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A
        import cv2

        aspect = width / height
        return A.RandomResizedCrop(
            size=(height, width),
            scale=(self.smallest, 1.0),
            ratio=(aspect * 0.9, aspect / 0.9),
            mask_interpolation=cv2.INTER_NEAREST_EXACT,  # INTER_NEAREST shifts the mask by up to half a pixel
            p=1,
        )


class Color(Augmentation):
    """Changes brightness, contrast, saturation and hue.

    Source: albumentations.ColorJitter.
    """

    name = "color"
    brightness: Annotated[float, Field(ge=0, le=1, description="largest change in brightness")] = 0.2
    contrast: Annotated[float, Field(ge=0, le=1, description="largest change in contrast")] = 0.2
    saturation: Annotated[float, Field(ge=0, le=1, description="largest change in saturation")] = 0.2
    hue: Annotated[
        float, Field(ge=0, le=0.5, description="largest change in hue, as a fraction of the color circle")
    ] = 0.02
    p: Annotated[float, Field(ge=0, le=1, description="probability that a sample is changed")] = 0.8

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.ColorJitter(
            brightness=(1 - self.brightness, 1 + self.brightness),
            contrast=(1 - self.contrast, 1 + self.contrast),
            saturation=(1 - self.saturation, 1 + self.saturation),
            hue=(-self.hue, self.hue),
            p=1,
        )


class Contrast(Augmentation):
    """Raises or lowers the contrast around the image's mean.

    Source: albumentations.ColorJitter; its contrast alone.
    """

    name = "contrast"
    contrast: Annotated[float, Field(ge=0, le=1, description="largest change in contrast")] = 0.4

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        same = (1.0, 1.0)
        contrast = (1 - self.contrast, 1 + self.contrast)
        return A.ColorJitter(brightness=same, contrast=contrast, saturation=same, hue=(0.0, 0.0), p=1)


class Invert(Augmentation):
    """Turns the image into its negative: dark becomes light, and each color its opposite.

    Source: albumentations.InvertImg.
    """

    name = "invert"

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.InvertImg(p=1)


class Sharpness(Augmentation):
    """Sharpens edges and grain, as in an over-sharpened photograph; brightness stays the same.

    Source: albumentations.Sharpen; with the kernel's sum kept at 1.
    """

    name = "sharpness"
    amount: Annotated[
        float, Field(ge=0, le=1, description="largest fraction of the edges that is added; 0.125 is Pillow's filter")
    ] = 0.25

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.Sharpen(alpha=(0.0, self.amount), lightness=(1.0, 1.0), method="kernel", p=1)


class Blur(Augmentation):
    """Blurs the image, as a lens out of focus does; the mask stays sharp.

    Source: albumentations.GaussianBlur.
    """

    name = "blur"
    sigma: Annotated[
        float,
        Field(ge=0.1, le=10, description="largest standard deviation of the blur, in pixels of the training image"),
    ] = 1.0

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.GaussianBlur(sigma_limit=(0.1, self.sigma), blur_limit=0, p=1)


class Noise(Augmentation):
    """Adds noise to each pixel and color channel, as a camera sensor does in the dark.

    Source: albumentations.GaussNoise.
    """

    name = "noise"
    std: Annotated[
        float, Field(ge=0, le=0.5, description="largest standard deviation of the noise, as a fraction of white")
    ] = 0.08

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.GaussNoise(std_range=(0.0, self.std), p=1)


class Elastic(Augmentation):
    """Deforms the image like rubber, smoothly and by a few pixels; it can be limited to images with rare classes.

    With `rarer_than` it deforms only images that show a rare class, so that the little there is of it appears in more
    shapes.

    Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, section 3.1: random displacements on a 3 x 3
    grid, with a standard deviation of 10 pixels in an image 572 wide, interpolated bicubically.
    """

    name = "elastic"
    displacement: Annotated[
        float,
        Field(ge=0, le=0.1, description="standard deviation of the displacements, as a fraction of the longer side"),
    ] = 0.0175
    grid: Annotated[int, Field(ge=2, le=10, description="grid cells per side; more cells deform smaller parts")] = 3
    rarer_than: Annotated[
        float | None,
        Field(
            gt=0,
            le=1,
            description="deform only images that show a class with less than this fraction of the pixels; empty: all",
        ),
    ] = None

    def transform(self, height: int, width: int) -> Any:
        from seglab.techniques._elastic import CoarseElastic

        return CoarseElastic(std=self.displacement * max(height, width), grid=self.grid)

    def data_hooks(self, feed: Feed) -> DataHooks:
        return Augmenting(self.p, self.transform, None if self.rarer_than is None else self.rare(feed))

    def rare(self, feed: Feed) -> np.ndarray:
        """The classes of the training images that have less than `rarer_than` of their pixels."""
        pixels = label_counts(feed.train, len(feed.data.classes)).sum(0)
        shares = pixels / max(1, pixels.sum())
        rare = np.flatnonzero((pixels > 0) & (shares < self.rarer_than))
        if not len(rare):
            least = int(np.where(pixels > 0, shares, 2).argmin())
            raise SeglabError(
                "elastic.rarer_than: no class has less than {share} of the training pixels; the rarest, {rarest}, has "
                "{least}",
                share=self.rarer_than,
                rarest=feed.data.classes[least],
                least=f"{shares[least]:.4f}",
            )
        return rare
