"""Weights of classes: given as numbers, or by a rule that turns the training set's pixels into numbers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Literal

import numpy as np
import torch
from pydantic import Field, TypeAdapter, WrapValidator
from torch import Tensor

from seglab.data.base import VOID, Statistics
from seglab.errors import SeglabError
from seglab.families import Loss

LEAST, MOST = 0.1, 10.0  # of what a rule gives: on a small set the rarest class would drown all others

Rule = Literal["none", "inverse_sqrt", "median_frequency", "effective_number"]
Numbers = tuple[Annotated[float, Field(ge=0, le=1000)], ...]
_rule: TypeAdapter[Rule] = TypeAdapter(Rule)
_numbers: TypeAdapter[Numbers] = TypeAdapter(Numbers)


def class_weights(rule: str, statistics: Statistics) -> tuple[float, ...]:
    """The weight of each class by a rule, kept within LEAST and MOST; 0 for a class that no sample has.

    With n the pixels of a class: median_frequency is median(f) / f, where f is n by the labeled pixels of the images
    that have the class (Eigen & Fergus 2015, https://arxiv.org/abs/1411.4734, section on semantic labels). The others
    are scaled to a median of 1: inverse_sqrt is 1 / sqrt(n), effective_number (1 - b) / (1 - b^n) with b = (N - 1) / N
    (Cui et al. 2019, https://arxiv.org/abs/1901.05555, proposition 1); N, which the paper leaves to be chosen, is the
    mean number of pixels of a class.
    """
    present = statistics.pixels > 0
    pixels = statistics.pixels[present].astype(float)
    if not present.any():
        return (0.0,) * len(present)
    if rule == "median_frequency":
        frequency = pixels / statistics.pixels_around[present]
        found = np.median(frequency) / frequency
    else:
        few = -np.expm1(pixels * np.log1p(-1 / max(pixels.mean(), 2)))  # 1 - b^n
        found = 1 / (np.sqrt(pixels) if rule == "inverse_sqrt" else few)
        found /= np.median(found)
    weights = np.zeros(len(present))
    weights[present] = found.clip(LEAST, MOST)
    return tuple(weights.tolist())


def rule_or_numbers(value: Any, _: Callable) -> Any:
    """Checks either alone, so that what is wrong is told of the one that was meant."""
    if isinstance(value, str) and "," in value:  # as the command line and the page give numbers
        value = value.split(",")
    return (_numbers if isinstance(value, list | tuple) else _rule).validate_python(value)


class ClassWeighted(Loss):
    """A loss whose pixels count by the weight of their true class."""

    class_weights: Annotated[
        Rule | Numbers,
        WrapValidator(rule_or_numbers),
        Field(description="rule that gives rare classes more weight; or one number per class, separated by commas"),
    ] = "none"

    def resolved(self, statistics: Statistics) -> Loss:
        if self.class_weights == "none":
            return self
        if isinstance(self.class_weights, str):
            return self.model_copy(update={"class_weights": class_weights(self.class_weights, statistics)})
        if len(self.class_weights) != statistics.num_classes:
            raise SeglabError(
                "{loss}.class_weights: {given} numbers for {count} classes; give one for each class, in their order",
                loss=self.name,
                given=len(self.class_weights),
                count=statistics.num_classes,
            )
        return self

    def notes(self, classes: Sequence[str]) -> list[SeglabError]:
        if isinstance(self.class_weights, str):
            return []
        weights = ", ".join(f"{name} {weight:.3g}" for name, weight in zip(classes, self.class_weights, strict=True))
        return [SeglabError("{loss}, class weights: {weights}", loss=self.name, weights=weights)]

    def weights(self, device: torch.device) -> Tensor | None:
        """The weights float32 (K,), or None where all classes weigh the same."""
        if self.class_weights == "none":
            return None
        if isinstance(self.class_weights, str):
            raise TypeError(f"{self.name}: {self.class_weights} is no number yet; use the loss that resolved() gives")
        return torch.tensor(self.class_weights, device=device)

    def pixel_weights(self, masks: Tensor) -> Tensor:
        """float32 (B, H, W): the weight of each pixel's class, 0 for void."""
        valid, weights = masks != VOID, self.weights(masks.device)
        return valid.float() if weights is None else weights[masks.where(valid, 0)] * valid


def labeled(masks: Tensor) -> Tensor:
    """How many pixels are not void, as a float."""
    return (masks != VOID).sum().float()


def per(total: Tensor, norm: Tensor) -> Tensor:
    """total / norm, and zero with a graph where the norm is zero."""
    return total.where(norm > 0, total * 0) / norm.where(norm > 0, 1)
