"""Losses that score the overlap of each class's region with the truth."""

from functools import reduce
from operator import add
from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor

from seglab.data.base import VOID
from seglab.families import Loss

Smooth = Annotated[
    float, Field(ge=0, le=100, description="added to numerator and denominator; softens the score of tiny regions")
]
TINY = 1e-7  # below this a fraction's denominator, or what is raised to a power, counts as this


class Region(Loss):
    """A loss of each class's overlap and sizes in the whole batch, averaged over the classes in the batch's truth."""

    def costs(self, overlap: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
        """For each class (K,), from sum(p g), sum(p) and sum(g) over the batch."""
        raise NotImplementedError

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        overlap, predicted, truth = class_sums(logits.float().softmax(1), masks)
        present = truth > 0
        return (self.costs(overlap, predicted, truth) * present).sum() / present.sum().clamp(min=1)


class Dice(Region):
    """Measures how well each class's region overlaps the ground truth, so rare classes count as much as frequent ones.

    Source: Milletari et al. 2016, https://arxiv.org/abs/1606.04797, section 3; with plain instead of squared sums:
    1 - (2 sum(p g) + s) / (sum(p) + sum(g) + s).
    """

    name = "dice"
    smooth: Smooth = 1.0

    def costs(self, overlap: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
        return 1 - (2 * overlap + self.smooth) / (predicted + truth + self.smooth).clamp(min=TINY)


class Jaccard(Region):
    """A soft IoU of each class, the quantity that mIoU measures; stricter than Dice on poor overlaps.

    Source: Rahman & Wang 2016, https://doi.org/10.1007/978-3-319-50835-1_22, section 3:
    1 - (sum(p g) + s) / (sum(p) + sum(g) - sum(p g) + s).
    """

    name = "jaccard"
    smooth: Smooth = 1.0

    def costs(self, overlap: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
        return 1 - (overlap + self.smooth) / (predicted + truth - overlap + self.smooth).clamp(min=TINY)


class Tversky(Region):
    """Overlap with separate weights for false positives and false negatives: more on the latter finds small objects.

    With both weights at 0.5 it is Dice; with both at 1 it is Jaccard.

    Source: Salehi et al. 2017, https://arxiv.org/abs/1706.05721, section 2:
    1 - (TP + s) / (TP + alpha FP + beta FN + s).
    """

    name = "tversky"
    alpha: Annotated[
        float, Field(ge=0, le=1, description="weight of false positives: pixels wrongly given the class")
    ] = 0.3
    beta: Annotated[
        float, Field(ge=0, le=1, description="weight of false negatives: pixels of the class that were missed")
    ] = 0.7
    smooth: Smooth = 1.0

    def costs(self, overlap: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
        wrong = self.alpha * (predicted - overlap) + self.beta * (truth - overlap)
        return 1 - (overlap + self.smooth) / (overlap + wrong + self.smooth).clamp(min=TINY)


class FocalTversky(Tversky):
    """Tversky loss of each class raised to a power, which shifts the focus between poorly and well segmented classes.

    The exponent applies to each class. An exponent below 1, as in the paper, keeps pushing on classes that are nearly
    right.

    Source: Abraham & Khan 2018, https://arxiv.org/abs/1810.07842, section 2; there the power is 1 / gamma with gamma
    4/3.
    """

    name = "focal_tversky"
    gamma: Annotated[
        float,
        Field(
            ge=0.25,
            le=4,
            description="exponent of each class's loss; above 1, training focuses on poorly segmented classes",
        ),
    ] = 0.75

    def costs(self, overlap: Tensor, predicted: Tensor, truth: Tensor) -> Tensor:
        return super().costs(overlap, predicted, truth).clamp(min=TINY) ** self.gamma


class GeneralizedDice(Loss):
    """One Dice score over all classes, each divided by its squared size, so that small classes are not drowned out.

    Classes that are absent from the batch's truth, whose weight would be infinite, are left out.

    Source: Sudre et al. 2017, https://arxiv.org/abs/1707.03237, section 2.1: 1 - 2 sum(w I) / sum(w (P + G)) with
    w = 1 / G^2, where I = sum(p g), P = sum(p) and G = sum(g) of a class.
    """

    name = "generalized_dice"

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        overlap, predicted, truth = class_sums(logits.float().softmax(1), masks)
        present = truth > 0
        weights = present / truth.clamp(min=1)  # times the smallest size, below, so that the squares stay within float
        weights = (weights / weights.max().clamp(min=TINY)).square()
        apart, size = predicted + truth - 2 * overlap, predicted + truth
        return (weights * apart).sum() / (weights * size).sum().clamp(min=TINY)


class Lovasz(Loss):
    """A continuous extension of the IoU itself: the worst pixels count by how much IoU they cost.

    This is the softmax form; the errors of a class are sorted over the whole batch.

    Source: Berman et al. 2018, https://arxiv.org/abs/1705.08790, section 3.2, classes present.
    """

    name = "lovasz"

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        probabilities = logits.float().softmax(1)
        valid = masks != VOID
        kinds = masks[valid].unique().tolist()
        costs = [
            lovasz(((masks == kind).float() - probabilities[:, kind]).abs() * valid, masks == kind) for kind in kinds
        ]
        return reduce(add, costs) / len(costs) if costs else (probabilities * 0).sum()


def lovasz(errors: Tensor, truth: Tensor) -> Tensor:
    """The Lovász extension of the Jaccard loss of one class, which truth (bool) has somewhere, at its pixels' errors.

    Each error counts by what the loss grows when its pixel, after all larger errors, becomes wrong; errors of 0 add
    nothing.
    """
    errors, order = errors.flatten().sort(descending=True)
    hits = truth.flatten()[order]
    found = hits.cumsum(0)
    total = found[-1]
    union = total + torch.arange(1, len(hits) + 1, device=hits.device) - found
    growth = torch.where(hits, 1 / union, (total - found) / (union * (union - 1).clamp(min=1)))
    return errors @ growth.to(errors.dtype)


def class_sums(probabilities: Tensor, masks: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """For each class (K,): sum(p g), sum(p) and sum(g) over the labeled pixels of the batch."""
    batch, num_classes = probabilities.shape[:2]
    valid = (masks != VOID).flatten(1).float()
    kinds = masks.clamp(max=num_classes - 1)
    flat = probabilities.flatten(2)
    predicted = torch.einsum("bkn,bn->k", flat, valid)
    own = flat.gather(1, kinds.view(batch, 1, -1))[:, 0] * valid
    overlap = predicted.new_zeros(num_classes).index_add(0, kinds.flatten(), own.flatten())
    truth = torch.bincount(kinds.flatten(), valid.flatten(), num_classes)
    return overlap, predicted, truth
