"""What happens only at prediction: mirror images, sizes, windows, another depth, a misalignment, and refinement by a
dense CRF."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Literal, Protocol, runtime_checkable

import numpy as np
from pydantic import Field

from seglab import crf
from seglab.errors import SeglabError
from seglab.families import Predict, Predictor

if TYPE_CHECKING:
    from torch import nn


class Crf(Predictor):
    """A dense CRF, in pydensecrf's approximation, which aligns the borders of the prediction with the image's edges.

    Mean-field marginals of E(x) = sum_i -log P(x_i) + sum_{i<j} [x_i != x_j] (w1 exp(-|p_i - p_j|^2 / 2 theta_alpha^2 -
    |I_i - I_j|^2 / 2 theta_beta^2) + w2 exp(-|p_i - p_j|^2 / 2 theta_gamma^2)), with positions p in pixels of the image
    and colors I in gray levels; each kernel is normalized symmetrically.

    The defaults were chosen from 32 settings on the `search` halves of streets and CamVid, with four trained U-Nets.

    pydensecrf adds the kernels up on a permutohedral lattice, which is not exact. Measured against sums over all pairs
    of pixels, for noisy probabilities of 3 classes on 8 crops of streets and on 4 flat images of 40 x 40 pixels: with
    the defaults 0.2 % of the pixels get another label, and a marginal differs by 0.16 at most. It is further off where
    hardly any pixels are alike to the kernel (on streets, theta_beta 2: 0.9 % and 0.8; theta_gamma 0.5: 2.4 % and 0.9)
    and where a large weight meets many that are (w1 20: 2.6 % and 1.0 on streets, 4 % and 0.9 on flat images).

    Source: Krähenbühl and Koltun 2011, https://arxiv.org/abs/1210.5644, eq. 1 and 3; pydensecrf adds the kernels up on
    a permutohedral lattice, which is furthest from the exact mean field for narrow kernels, and for large weights on
    flat images.
    """

    name = "crf"
    w1: Annotated[
        float,
        Field(
            ge=0, le=20, description="weight of the appearance kernel; pydensecrf's bilateral compat, inexact above 5"
        ),
    ] = 3.0
    theta_alpha: Annotated[
        float,
        Field(
            ge=1,
            le=160,
            description="distance over which similarly colored pixels interact, in pixels; pydensecrf's bilateral sxy",
        ),
    ] = 10.0
    theta_beta: Annotated[
        float,
        Field(
            ge=1,
            le=60,
            description="color difference that counts as similar, in gray levels; pydensecrf's bilateral srgb, inexact "
            "below 5",
        ),
    ] = 8.0
    w2: Annotated[
        float, Field(ge=0, le=20, description="weight of the smoothness kernel; pydensecrf's Gaussian compat")
    ] = 3.0
    theta_gamma: Annotated[
        float,
        Field(
            ge=0.5,
            le=20,
            description="distance over which neighboring pixels interact, in pixels; pydensecrf's Gaussian sxy, "
            "inexact below 1",
        ),
    ] = 1.0
    iterations: Annotated[
        int, Field(ge=0, le=20, description="mean-field iterations, 0 for none; pydensecrf's inference(n)")
    ] = 5

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        return crf.refine(predict(image), image, self)


@dataclass(frozen=True)
class Published:
    """Values of the dense CRF as somebody gave them, with the year of the paper they belong to, where there is one."""

    name: str
    year: int | None
    source: str
    crf: Crf


DEEPLAB_1 = "Chen et al. 2015, https://arxiv.org/abs/1412.7062; values of the authors' script SetupEnv.m"
DEEPLAB_2 = "Chen et al. 2016, https://arxiv.org/abs/1606.00915; values of the released model, as "


def published(name: str, year: int | None, source: str, *values: float, iterations: int = 10) -> Published:
    """w2 and theta_gamma, then w1, theta_alpha and theta_beta, the order in which DeepLab's scripts have them."""
    names = "w2", "theta_gamma", "w1", "theta_alpha", "theta_beta"
    return Published(name, year, source, Crf(iterations=iterations, **dict(zip(names, values, strict=True))))


# All six values of each have a counterpart here, in the same units, and are as they were given: widths in pixels of
# images about 500 pixels long, so that on smaller ones the same widths reach further than they did there. pydensecrf
# adds up kernels as narrow in color as 3 gray levels inexactly (see `Crf`).
PUBLISHED = (
    published(
        "pydensecrf", None, "its README's example, https://github.com/lucasb-eyer/pydensecrf", 3, 3, 10, 80, 13,
        iterations=5,
    ),
    published("DeepLab v1, VGG-16", 2015, DEEPLAB_1, 3, 3, 5, 50, 10),
    published("DeepLab v1, several scales", 2015, DEEPLAB_1, 3, 3, 3, 95, 3),
    published("DeepLab v1, COCO", 2015, DEEPLAB_1, 3, 3, 5, 67, 3),
    published("DeepLab v2, VGG-16", 2016, DEEPLAB_2 + "two repositories of others quote them", 2, 2, 4, 65, 3),
    published(
        "DeepLab v2, ResNet-101", 2016, DEEPLAB_2 + "in https://github.com/kazuto1011/deeplab-pytorch", 3, 1, 4, 67, 3
    ),
)  # fmt: skip


class Flips(Predictor):
    """Averages the predictions for the image and for its mirror image, mirrored back.

    Source: Krizhevsky et al. 2012, https://doi.org/10.1145/3065386, section 4.1; there crops are mirrored, too.
    """

    name = "flips"
    linear = True
    vertical: Annotated[
        bool,
        Field(description="also flip both vertically, for images without an up direction, such as aerial photographs"),
    ] = False

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        turns: list[tuple[slice, slice]] = [np.s_[:, ::-1]]
        if self.vertical:
            turns += [np.s_[::-1, :], np.s_[::-1, ::-1]]
        turned = sum(predict(np.ascontiguousarray(image[turn]))[..., turn[0], turn[1]] for turn in turns)
        return np.ascontiguousarray((predict(image) + turned) / (1 + len(turns)), dtype=np.float32)


class Scales(Predictor):
    """Averages the predictions for the image at several sizes, so that near and far objects are seen at a good size.

    Source: Chen et al. 2017, https://arxiv.org/abs/1706.05587, section 4.1: scales 0.5 to 1.75 at inference.
    """

    name = "scales"
    linear = True
    smallest_scale: Annotated[
        float, Field(ge=0.25, le=1, description="smallest size, as a multiple of the training size")
    ] = 0.75
    largest_scale: Annotated[
        float, Field(ge=1, le=3, description="largest size, as a multiple of the training size")
    ] = 1.5
    scales: Annotated[int, Field(ge=2, le=8, description="number of sizes, evenly spaced")] = 3

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        zooms = np.linspace(self.smallest_scale, self.largest_scale, self.scales)
        return np.asarray(sum(predict(image, float(zoom)) for zoom in zooms) / self.scales, dtype=np.float32)


class Windows(Predictor):
    """Slides a window over a large image, so that the network sees each part enlarged, and blends the predictions.

    The windows are square and weighted more in the middle than at the borders; each is seen at the training size.

    Source: Isensee et al. 2021, https://doi.org/10.1038/s41592-020-01008-z; inference with Gaussian weights.
    """

    name = "windows"
    linear = True
    windows: Annotated[int, Field(ge=2, le=8, description="number of windows along the image's longer side")] = 2
    overlap: Annotated[
        float, Field(ge=0, le=0.75, description="fraction of a window that overlaps with the next one")
    ] = 0.5

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        height, width = image.shape[:2]
        side = math.ceil(max(height, width) / (1 + (self.windows - 1) * (1 - self.overlap)))
        total, weights = None, np.zeros((height, width), np.float32)
        for top in self.starts(height, side):
            for left in self.starts(width, side):
                rows, columns = slice(top, top + side), slice(left, left + side)
                found = predict(np.ascontiguousarray(image[rows, columns]))
                weight = np.multiply.outer(*(bell(length) for length in found.shape[1:]))
                if total is None:
                    total = np.zeros((len(found), height, width), np.float32)
                total[:, rows, columns] += found * weight
                weights[rows, columns] += weight
        assert total is not None  # there is a window
        return total / weights

    def starts(self, length: int, side: int) -> list[int]:
        """Where windows of that side begin on a length, evenly spread, at least as many as the overlap asks for."""
        if length <= side:
            return [0]
        count = 1 + math.ceil((length - side) / max(1, side * (1 - self.overlap)))
        return np.linspace(0, length - side, count).round().astype(int).tolist()


def bell(length: int) -> np.ndarray:
    """Weights float32 (length,) of a window's pixels: a Gaussian with a standard deviation of an eighth of it."""
    places = (np.arange(length) - (length - 1) / 2) / max(1, length / 8)
    return np.exp(-0.5 * places**2).clip(1e-3).astype(np.float32)


class Shift(Predictor):
    """Moves every prediction by some pixels, as where masks do not lie on their images: what a misalignment costs.

    What would come from outside the image is the nearest of its border.

    Source: Cheng et al. 2021, https://arxiv.org/abs/2103.16562: scores of masks with errors that were made on purpose,
    shifts among them.
    """

    name = "shift"
    linear = True
    right: Annotated[int, Field(ge=-64, le=64, description="pixels of the image to the right; to the left below 0")] = 2
    down: Annotated[int, Field(ge=-64, le=64, description="pixels of the image downward; upward below 0")] = 0

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        found = predict(image)
        rows, columns = (
            np.clip(np.arange(length) - by, 0, length - 1)
            for length, by in zip(found.shape[1:], (self.down, self.right), strict=True)
        )
        return np.ascontiguousarray(found[:, rows[:, None], columns])


@runtime_checkable
class Nested(Protocol):
    """A network that can be cut to several depths (nested.NestedNet)."""

    @property
    def depths(self) -> list[int]: ...

    def at_depth(self, depth: int) -> nn.Module: ...

    def ensemble(self) -> nn.Module: ...


class Depth(Predictor):
    """Prunes a trained U-Net++ to one of its depths, the faster the shallower, or averages all of them.

    A pruned network gives exactly what the classifier at that depth gives in the whole one. The average is that of the
    probabilities.

    Source: Zhou et al. 2018, https://arxiv.org/abs/1807.10165, section 3.2: the fast mode and the accurate mode.
    """

    name = "depth"
    linear = True  # it changes each model's network, and nothing of what is predicted with it
    depth: Annotated[
        Literal["1", "2", "3", "4", "average"],
        Field(description="number of times the remaining part halves the resolution, or the average of all depths"),
    ] = "average"

    def adapted(self, net: nn.Module) -> nn.Module:
        if not isinstance(net, Nested) or len(net.depths) < 2:
            raise SeglabError(
                "depth: {depth} needs a classifier at each depth, which this model does not have; allowed: a "
                "unet_plus_plus that was trained with deep_supervision",
                depth=self.depth,
            )
        return net.ensemble() if self.depth == "average" else net.at_depth(int(self.depth))
