"""Which training images an epoch shows."""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from seglab.data.base import label_counts
from seglab.families import DataHooks, Feed, Technique
from seglab.loader import random

By = Literal["rarest", "mean", "pixels"]
How = Literal["both", "oversample", "undersample"]


class ClassBalanced(Technique):
    """Shows images with rare classes more often and the others less often; an epoch stays as long as it was.

    An image is drawn in proportion to 1/f of the classes it shows, f being a class's fraction of all training pixels.

    With `oversample` or `undersample` alone, images come in passes; an epoch keeps its length, wherever it cuts a pass.
    Let an image's 1/f be r times the average. Oversampling shows it max(1, r) times in a pass: every image comes, and a
    pass lasts up to two epochs. Undersampling shows it min(1, r) times: no image comes twice, a pass is shorter than an
    epoch, and each pass leaves out other images. Fractions are probabilities of being shown once more. Images without
    any labeled pixel count as average there.

    Source: Gupta et al. 2019, https://arxiv.org/abs/1908.03195 (repeat factor sampling, by an image's rarest class);
    there f is the share of images that show a class, which in scenes is much the same for all, and an image comes
    max(1, sqrt(t/f)) times with a t set by hand.
    """

    name = "class_balanced"
    changes_images = True
    p: Annotated[
        float,
        Field(
            ge=0,
            le=1,
            description="fraction of an epoch's images that is drawn by class; the others come in their usual order",
        ),
    ] = 1.0
    by: Annotated[
        By,
        Field(
            description="weight of an image, where classes have frequency f: 1/f of its rarest class, or its "
            "mean over classes or pixels"
        ),
    ] = "mean"
    how: Annotated[
        How,
        Field(
            description="oversample images with rare classes, undersample images with frequent ones, or both at once"
        ),
    ] = "both"

    def data_hooks(self, feed: Feed) -> DataHooks:
        counts = label_counts(feed.train, len(feed.data.classes))
        if self.how == "both":
            return Balancing(self.p, chances(counts, self.by))
        return InPasses(self.p, repeats(counts, self.by, self.how), feed.config.seed)


class Balancing(DataHooks):
    """Draws a share `p` of an epoch's images with these chances, in place of those that would have come."""

    def __init__(self, p: float, chances: np.ndarray):
        self.p, self.chances = p, chances

    def on_order(self, epoch: int, order: list[int], rng: np.random.Generator) -> list[int]:
        drawn = rng.choice(len(self.chances), len(order), p=self.chances)
        return np.where(rng.random(len(order)) < self.p, drawn, order).tolist()


class InPasses(DataHooks):
    """Goes through the images in passes that show each so many times, in place of a share `p` of an epoch's images."""

    def __init__(self, p: float, repeats: np.ndarray, seed: int):
        self.p, self.repeats, self.seed = p, repeats, seed

    def on_order(self, epoch: int, order: list[int], rng: np.random.Generator) -> list[int]:
        start, end = epoch * len(order), (epoch + 1) * len(order)
        passes: list[np.ndarray] = []
        count = 0
        while count < end:
            passes.append(self.shown(len(passes)))
            count += len(passes[-1])
        come = np.concatenate(passes)[start:end]
        return np.where(rng.random(len(order)) < self.p, come, order).tolist()

    def shown(self, number: int) -> np.ndarray:
        """The images of a pass, in its order."""
        rng = random(self.seed, "class_balanced", "pass", number)
        times = np.floor(self.repeats + rng.random(len(self.repeats))).astype(int)
        return rng.permutation(np.repeat(np.arange(len(times)), times))


def repeats(counts: np.ndarray, by: By, how: How) -> np.ndarray:
    """float64 (N,): how many times a pass shows each image, given its pixels of each class (N, K).

    Over all images, the numbers of the two ways add up to 2 N.
    """
    weights, labeled = rarities(counts, by), counts.any(1)
    average = weights[labeled].mean() if labeled.any() else 1.0
    times = np.where(labeled, weights / average, 1.0)
    return np.maximum(times, 1) if how == "oversample" else np.minimum(times, 1)


def chances(counts: np.ndarray, by: By) -> np.ndarray:
    """float64 (N,), adding up to 1: how often each image is drawn, given its pixels of each class (N, K)."""
    weights = rarities(counts, by)
    return weights / weights.sum()


def rarities(counts: np.ndarray, by: By) -> np.ndarray:
    """float64 (N,): 1/f of the classes of each image, given how many pixels (N, K) of each class it has.

    An image without any labeled pixel counts as one of a class that has all pixels.
    """
    pixels = counts.sum(0)
    rarity = np.where(pixels > 0, pixels.sum() / np.maximum(pixels, 1), 0.0)
    if by == "rarest":
        weights = np.where(counts > 0, rarity, 0).max(1)
    else:
        shown = counts if by == "pixels" else counts > 0
        weights = shown @ rarity / np.maximum(shown.sum(1), 1)
    return np.maximum(weights, 1.0)
