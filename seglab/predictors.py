"""What happens only at prediction: mirror images, another depth, and refinement by a dense CRF."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from seglab import crf
from seglab.entry import Predictor, SeglabError

if TYPE_CHECKING:
    from torch import nn


class Crf(Predictor):
    """A dense CRF, which moves the borders of the prediction to the borders in the image.

    Mean-field marginals of E(x) = sum_i -log P(x_i) + sum_{i<j} [x_i != x_j] (w1 exp(-|p_i - p_j|^2 / 2 theta_alpha^2
    - |I_i - I_j|^2 / 2 theta_beta^2) + w2 exp(-|p_i - p_j|^2 / 2 theta_gamma^2)), with positions p in pixels of the
    image and colours I in grey levels; each kernel is normalised symmetrically.

    The defaults were chosen on the `search` halves of streets and CamVid, among 32 settings, with four trained U-Nets.

    Source: Krähenbühl and Koltun 2011, https://arxiv.org/abs/1210.5644, eq. 1 and 3.
    """

    name = "crf"
    w1: Annotated[
        float, Field(ge=0, le=20, description="weight of the appearance kernel; pydensecrf's bilateral compat")
    ] = 3.0
    theta_alpha: Annotated[
        float, Field(ge=1, le=160, description="how far similar colours bind, in pixels; pydensecrf's bilateral sxy")
    ] = 10.0
    theta_beta: Annotated[
        float, Field(ge=1, le=60, description="how similar colours are, in grey levels; pydensecrf's bilateral srgb")
    ] = 8.0
    w2: Annotated[
        float, Field(ge=0, le=20, description="weight of the smoothness kernel; pydensecrf's Gaussian compat")
    ] = 3.0
    theta_gamma: Annotated[
        float, Field(ge=0.5, le=20, description="how far neighbours bind, in pixels; pydensecrf's Gaussian sxy")
    ] = 1.0
    iterations: Annotated[
        int, Field(ge=0, le=20, description="steps of the mean field, 0 for none; pydensecrf's inference(n)")
    ] = 5

    def __call__(self, image: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        return crf.refine(predict(image), image, self)


class Flips(Predictor):
    """The mean of the predictions for the image and for its mirror image, mirrored back."""

    name = "flips"
    vertical: Annotated[
        bool, Field(description="also turn both upside down, for pictures that have no up, such as those from above")
    ] = False

    def __call__(self, image: np.ndarray, predict: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        views = [np.s_[:, :], np.s_[:, ::-1]]
        if self.vertical:
            views += [np.s_[::-1, :], np.s_[::-1, ::-1]]
        total = sum(predict(np.ascontiguousarray(image[view]))[(..., *view)] for view in views)
        return np.ascontiguousarray(total / len(views), dtype=np.float32)


class Depth(Predictor):
    """Cuts a trained U-Net++ to one of its depths, which is faster the shallower it is, or averages all of them.

    A cut network gives exactly what the whole one's classifier at that depth gives. The average is that of the
    probabilities.

    Source: Zhou et al. 2018, https://arxiv.org/abs/1807.10165, section 3.2: the fast mode and the accurate mode.
    """

    name = "depth"
    depth: Annotated[
        Literal["1", "2", "3", "4", "average"],
        Field(description="how often the part that is kept halves the resolution, or the average of all depths"),
    ] = "average"

    def adapted(self, net: nn.Module) -> nn.Module:
        depths = getattr(net, "depths", ())
        if len(depths) < 2:
            raise SeglabError(
                "depth: {depth} asks for a classifier at each depth, which this model does not have; allowed: a "
                "unet_plus_plus that was trained with deep_supervision",
                depth=self.depth,
            )
        return net.ensemble() if self.depth == "average" else net.at_depth(int(self.depth))
