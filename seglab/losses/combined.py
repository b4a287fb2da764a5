"""Weighted sums of losses."""

from typing import Annotated, Any

from pydantic import Field
from torch import Tensor

from seglab.entry import Loss, Options, Outputs, Term


class Part(Options):
    """One loss of a sum, with its weight."""

    weight: Annotated[float, Field(gt=0, le=1000, description="factor of this loss in the sum")] = 1.0
    loss: Loss


class Sum(Loss):
    """Adds several losses with weights, and records each by name."""

    name = "sum"
    parts: Annotated[tuple[Part, ...], Field(min_length=1, max_length=8, description="the losses and their weights")]

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        return sum(part.weight * part.loss(logits, masks) for part in self.parts)

    def terms(self, outputs: Outputs, batch: Any, progress: float) -> dict[str, Term]:
        terms: dict[str, Term] = {}
        for part in self.parts:
            for name, term in part.loss.terms(outputs, batch, progress).items():
                names = (name, *(f"{name} {number}" for number in range(2, len(terms) + 3)))  # "dice", "dice 2", ...
                free = next(candidate for candidate in names if candidate not in terms)
                terms[free] = Term(term.value, part.weight * term.weight)
        return terms
