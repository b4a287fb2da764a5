"""Which training images an epoch shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from pydantic import Field

from seglab.data.base import label_counts
from seglab.entry import Hooks, Technique

if TYPE_CHECKING:
    from seglab.loader import Feed

By = Literal["rarest", "mean", "pixels"]


class ClassBalanced(Technique):
    """Shows images with rare classes more often and the others less, while an epoch stays as long as it is.

    An image is drawn in proportion to 1/f of the classes it shows, f being a class's share of all training pixels.

    Source: Gupta et al. 2019, https://arxiv.org/abs/1908.03195 (repeat factor sampling, which takes an image's rarest
    class); there f is the share of images that show a class, which in scenes is much the same for all.
    """

    name = "class_balanced"
    changes_images = True
    p: Annotated[
        float,
        Field(ge=0, le=1, description="share of an epoch's images drawn by their classes; the others as they come"),
    ] = 1.0
    by: Annotated[
        By, Field(description="1/f of the rarest class in an image, the mean over its classes, or over its pixels")
    ] = "mean"

    def start(self, run: Feed) -> Hooks:
        return Balancing(self.p, chances(label_counts(run.train, len(run.data.classes)), self.by))


class Balancing(Hooks):
    """Draws a share `p` of an epoch's images with these chances, in place of those that would have come."""

    def __init__(self, p: float, chances: np.ndarray):
        self.p, self.chances = p, chances

    def on_order(self, order: list[int], rng: np.random.Generator) -> list[int]:
        drawn = rng.choice(len(self.chances), len(order), p=self.chances)
        return np.where(rng.random(len(order)) < self.p, drawn, order).tolist()


def chances(counts: np.ndarray, by: By) -> np.ndarray:
    """float64 (N,), adding up to 1: how often each image is drawn, given how many pixels (N, K) of each class it has.

    An image without any labelled pixel counts as one of a class that has all pixels.
    """
    pixels = counts.sum(0)
    rarity = np.where(pixels > 0, pixels.sum() / np.maximum(pixels, 1), 0.0)
    if by == "rarest":
        weights = np.where(counts > 0, rarity, 0).max(1)
    else:
        shown = counts if by == "pixels" else counts > 0
        weights = shown @ rarity / np.maximum(shown.sum(1), 1)
    weights = np.maximum(weights, 1.0)
    return weights / weights.sum()
