"""Losses that score the overlap of regions.

One convention for all: sums run over the labelled pixels of the whole batch, one score per class, averaged over the
classes present in the batch's truth.
"""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from seglab.data.base import VOID
from seglab.entry import Loss


class Dice(Loss):
    """Scores how well each class's region overlaps the truth, so a rare class counts as much as a frequent one.

    Source: Milletari et al. 2016, https://arxiv.org/abs/1606.04797, section 3, with plain instead of squared sums:
    1 - (2 sum(p g) + s) / (sum(p) + sum(g) + s).
    """

    name = "dice"
    smooth: Annotated[
        float, Field(ge=0, le=100, description="added above and below the fraction; softens the score of tiny regions")
    ] = 1.0

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        overlap, predicted, truth = class_sums(logits, masks)
        scores = (2 * overlap + self.smooth) / (predicted + truth + self.smooth).clamp(min=1e-7)
        return mean_over_present(1 - scores, truth)


def class_sums(logits: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each class (K,): sum(p g), sum(p) and sum(g) over the labelled pixels of the batch; p is the softmax."""
    num_classes = logits.shape[1]
    probabilities = logits.float().softmax(1)
    valid = (masks != VOID).unsqueeze(1)
    one_hot = torch.zeros_like(probabilities).scatter_(1, masks.unsqueeze(1).clamp(max=num_classes - 1), 1.0) * valid
    flat = probabilities.movedim(1, 0).reshape(num_classes, -1), one_hot.movedim(1, 0).reshape(num_classes, -1)
    overlap = (flat[0] * flat[1]).sum(1)
    predicted = (probabilities * valid).sum((0, 2, 3))
    return overlap, predicted, flat[1].sum(1)


def mean_over_present(values: Tensor, truth: Tensor) -> Tensor:
    """The mean of values (K,) over the classes whose sum of truth (K,) is not zero; zero, with a graph, without any."""
    present = truth > 0
    return (values * present).sum() / present.sum().clamp(min=1)
