"""Random changes of training samples, by albumentations."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
from pydantic import Field

from seglab.data.base import VOID, Sample
from seglab.entry import Hooks, Technique

if TYPE_CHECKING:
    from seglab.train import Run


class Augmentation(Technique):
    """Changes a share of the training samples at random, image, mask and instances alike."""

    p: Annotated[float, Field(ge=0, le=1, description="share of the samples that are changed")] = 0.5

    def transform(self, height: int, width: int) -> Any:
        """The albumentations transform for samples of this size; it fills what it uncovers in masks with void."""
        raise NotImplementedError

    def start(self, run: Run) -> Hooks:
        return Augmenting(self.p, self.transform)


class Augmenting(Hooks):
    """Applies an albumentations transform to a share `p` of the samples, drawn anew for each."""

    def __init__(self, p: float, transform: Callable[[int, int], Any]):
        self.p, self.transform = p, lru_cache(maxsize=64)(transform)

    def on_sample(self, sample: Sample, rng: np.random.Generator) -> Sample:
        if rng.random() >= self.p:
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
    """Mirrors the picture left to right.

    Source: albumentations.HorizontalFlip.
    """

    name = "flip"

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.HorizontalFlip(p=1)


class Rotate(Augmentation):
    """Turns the picture by a small angle; the corners become void.

    Source: albumentations.Rotate.
    """

    name = "rotate"
    degrees: Annotated[float, Field(ge=0, le=180, description="largest angle, to either side")] = 10.0

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.Rotate(limit=(-self.degrees, self.degrees), fill=0, fill_mask=VOID, p=1)


class Crop(Augmentation):
    """Cuts out a part and enlarges it, so that things appear at other sizes.

    Source: Szegedy et al. 2015, https://arxiv.org/abs/1409.4842, section 6; albumentations.RandomResizedCrop.
    """

    name = "crop"
    smallest: Annotated[float, Field(gt=0, le=1, description="smallest share of the picture's area that is kept")] = 0.4

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        aspect = width / height
        ratio = (aspect * 0.9, aspect / 0.9)
        return A.RandomResizedCrop(size=(height, width), scale=(self.smallest, 1.0), ratio=ratio, p=1)


class Color(Augmentation):
    """Changes brightness, contrast, saturation and hue.

    Source: albumentations.ColorJitter.
    """

    name = "color"
    brightness: Annotated[float, Field(ge=0, le=1, description="largest change of brightness")] = 0.2
    contrast: Annotated[float, Field(ge=0, le=1, description="largest change of contrast")] = 0.2
    saturation: Annotated[float, Field(ge=0, le=1, description="largest change of saturation")] = 0.2
    hue: Annotated[float, Field(ge=0, le=0.5, description="largest change of hue, as a share of the colour circle")] = (
        0.02
    )
    p: Annotated[float, Field(ge=0, le=1, description="share of the samples that are changed")] = 0.8

    def transform(self, height: int, width: int) -> Any:
        import albumentations as A

        return A.ColorJitter(
            brightness=(1 - self.brightness, 1 + self.brightness),
            contrast=(1 - self.contrast, 1 + self.contrast),
            saturation=(1 - self.saturation, 1 + self.saturation),
            hue=(-self.hue, self.hue),
            p=1,
        )
