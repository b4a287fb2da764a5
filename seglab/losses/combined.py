"""Weighted sums of losses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import reduce
from operator import add
from typing import Annotated, TypeVar

import numpy as np
from pydantic import Field
from torch import Tensor

from seglab.data.base import Batch, Sample, Statistics
from seglab.entry import Options
from seglab.errors import SeglabError
from seglab.families import Loss, Outputs, Term
from seglab.losses.pixel import Focal
from seglab.losses.region import Jaccard
from seglab.losses.structure import MsSsim

T = TypeVar("T")


class Part(Options):
    """One loss of a sum, with its weight."""

    weight: Annotated[float, Field(gt=0, le=1000, description="weight of this loss in the sum")] = 1.0
    loss: Loss


class Sum(Loss):
    """A weighted sum of several losses, each recorded by name."""

    name = "sum"
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=8, description="the losses and their weights")]

    @property
    def weight_map(self) -> str | None:
        return next((name for part in self.parts if (name := part.loss.weight_map)), None)

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        return reduce(add, (part.weight * part.loss(logits, masks) for part in self.parts))

    def terms(self, outputs: Outputs, batch: Batch, progress: float) -> dict[str, Term]:
        def weighted(part: Part) -> dict[str, Term]:
            terms = part.loss.terms(outputs, batch, progress)
            return {name: Term(term.value, part.weight * term.weight) for name, term in terms.items()}

        return joined(map(weighted, self.parts))

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        return joined(part.loss.norms(batch) for part in self.parts)

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        return {name: target for part in self.parts for name, target in part.loss.targets(sample).items()}

    def resolved(self, statistics: Statistics) -> Loss:
        parts = [part.model_copy(update={"loss": part.loss.resolved(statistics)}) for part in self.parts]
        return self.model_copy(update={"parts": tuple(parts)})

    def notes(self, classes: Sequence[str]) -> list[SeglabError]:
        return [note for part in self.parts for note in part.loss.notes(classes)]


def joined(groups: Iterable[dict[str, T]]) -> dict[str, T]:
    """All values by name; what comes twice by the same name is numbered: "dice", "dice 2"."""
    found: dict[str, T] = {}
    for group in groups:
        for name, value in group.items():
            names = (name, *(f"{name} {number}" for number in range(2, len(found) + 3)))
            found[next(candidate for candidate in names if candidate not in found)] = value
    return found


class UNet3PlusHybrid(Loss):
    """The loss of U-Net 3+, for pixels, structure and regions at once: focal, MS-SSIM and IoU, each recorded by name.

    Source: Huang et al. 2020, https://arxiv.org/abs/2004.08790, section 2.2: their sum, without weights.
    """

    name = "unet_3_plus_hybrid"
    gamma: Annotated[float, Field(ge=0, le=5, description="focusing strength of the focal loss")] = 2.0

    @property
    def sum(self) -> Sum:
        return Sum(parts=tuple(Part(loss=loss) for loss in (Focal(gamma=self.gamma), MsSsim(), Jaccard())))

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        return self.sum(logits, masks)

    def terms(self, outputs: Outputs, batch: Batch, progress: float) -> dict[str, Term]:
        return self.sum.terms(outputs, batch, progress)

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        return self.sum.norms(batch)
