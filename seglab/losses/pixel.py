"""Losses that score each pixel by itself."""

from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from seglab.data.base import VOID, Batch
from seglab.losses.weights import ClassWeighted, labeled, per


class CrossEntropy(ClassWeighted):
    """The negative log-probability of every pixel's true class, so frequent classes weigh most.

    With class weights, sum(w -log p) is divided by sum(w), so that they shift the balance and not the size of the loss.
    Label smoothing by e replaces the target 1 by 1 - e + e / K, and 0 by e / K.

    Source: Long et al. 2015, https://arxiv.org/abs/1411.4038, section 4: the mean of -log p(truth) over
    labeled pixels. Smoothing: Szegedy et al. 2016, https://arxiv.org/abs/1512.00567, section 7.
    """

    name = "cross_entropy"
    label_smoothing: Annotated[
        float, Field(ge=0, le=0.5, description="fraction of the target probability that is spread over all classes")
    ] = 0.0

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        total = F.cross_entropy(
            logits.float(),
            masks,
            self.weights(logits.device),
            ignore_index=VOID,
            reduction="sum",
            label_smoothing=self.label_smoothing,
        )
        return per(total, self.norm(masks))

    def norm(self, masks: Tensor) -> Tensor:
        return labeled(masks) if self.class_weights == "none" else self.pixel_weights(masks).sum()

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        return {self.name: self.norm(batch.masks)}


class Focal(ClassWeighted):
    """Cross-entropy that down-weights well-classified pixels, so that training focuses on the hard ones.

    p is the softmax probability, and alpha, the weight of each class, is `class_weights`: the loss is the mean of alpha
    (1 - p)^gamma -log p over labeled pixels. Weights change the size of this loss, as in the paper.

    Source: Lin et al. 2017, https://arxiv.org/abs/1708.02002, eq. 5.
    """

    name = "focal"
    gamma: Annotated[float, Field(ge=0, le=5, description="focusing strength; 0 is plain cross-entropy")] = 2.0

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        costs = F.cross_entropy(logits.float(), masks, ignore_index=VOID, reduction="none")
        wrong = -torch.expm1(-costs)  # 1 - p, exact near 0, where a power below 1 has no finite slope
        costs = costs * wrong.clamp(min=1e-7) ** self.gamma
        if self.class_weights != "none":
            costs = costs * self.pixel_weights(masks)
        return per(costs.sum(), labeled(masks))

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        return {self.name: labeled(batch.masks)}
