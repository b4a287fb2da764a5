"""Where two predictions agree with the truth and with each other, pixel by pixel, and which images show it most."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seglab.data.base import VOID
from seglab.metrics import confusion

# What a labeled pixel is: right in both, in the first alone, in the second alone; or wrong in both, which say the same
# or not: two different things, or nothing.
KINDS = ("both", "only_a", "only_b", "alike", "differently")
BOTH, ONLY_A, ONLY_B, ALIKE, DIFFERENTLY = range(5)
# By 1 where the first is right, + 2 where the second is, + 4 where they say the same, + 8 where the truth is void
_KIND = np.full(16, VOID, np.uint8)
_KIND[[0, 1, 2, 4, 7]] = DIFFERENTLY, ONLY_A, ONLY_B, ALIKE, BOTH
MOST_REGIONS = 50
ORDERS = ("difference", "a_wins", "b_wins", "suspicious", "stored")


def kinds(truth: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """uint8 (H, W): the place in `KINDS` of every pixel, 255 where the truth is void; all three uint8 (H, W)."""
    code = (first == truth).view(np.uint8)
    code += (second == truth).view(np.uint8) << 1
    code += ((first == second) & (first != VOID)).view(np.uint8) << 2
    code += (truth == VOID).view(np.uint8) << 3
    return _KIND[code]


def counted(found: np.ndarray) -> np.ndarray:
    """int64 (5,): how many pixels are of each of `KINDS`."""
    return np.bincount(found.ravel(), minlength=VOID + 1)[: len(KINDS)]


def suspicious(truth: np.ndarray, readings: Sequence[np.ndarray]) -> np.ndarray:
    """bool (H, W): where all readings say the same and the truth something else: perhaps a mistake in the truth."""
    first, *others = readings
    return (
        (first != truth) & (truth != VOID) & (first != VOID) & np.logical_and.reduce([first == each for each in others])
    )


@dataclass(frozen=True)
class Region:
    """A connected region of suspicious truth: `box` is x, y, width, height in pixels; `truth` and `said` are the class
    ids of most of it."""

    image: int
    pixels: int
    box: tuple[int, int, int, int]
    truth: int
    said: int


def regions(image: int, truth: np.ndarray, readings: Sequence[np.ndarray], least: int = 4) -> list[Region]:
    """The connected regions (by edges and corners) of suspicious truth in one image of so many pixels or more, the
    largest first."""
    import cv2

    count, numbers, stats, _ = cv2.connectedComponentsWithStats(suspicious(truth, readings).astype(np.uint8))
    found = []
    for n in range(1, count):
        x, y, width, height, pixels = (int(value) for value in stats[n])
        if pixels >= least:
            inside = numbers[y : y + height, x : x + width] == n
            was, said = (
                int(np.bincount(each[y : y + height, x : x + width][inside]).argmax()) for each in (truth, readings[0])
            )
            found.append(Region(image, pixels, (x, y, width, height), was, said))
    return sorted(found, key=lambda region: (-region.pixels, region.box))


@dataclass(frozen=True)
class Agreement:
    """How two readings of the same images agree: `counts` int64 (N, 5), the pixels of each of `KINDS` by image; their
    `sizes` as height and width; and `same` int64 (N, K, K) or, with void, (N, K, K + 1), the pixels of which both say
    the same, by truth and label."""

    counts: np.ndarray
    sizes: tuple[tuple[int, int], ...]
    same: np.ndarray

    @property
    def shares(self) -> np.ndarray:
        """float64 (N, 5): of each image's labeled pixels; 0 where none is labeled."""
        total = self.counts.sum(1, keepdims=True)
        return np.divide(self.counts, total, out=np.zeros(self.counts.shape), where=total > 0)

    def order(self, by: str) -> list[int]:
        """The images in one of `ORDERS`: by the share of pixels that only one of both has right, by how many more the
        first or the second has right, by suspicious truth, or as they are stored."""
        shares = self.shares
        key = {
            "difference": shares[:, ONLY_A] + shares[:, ONLY_B],
            "a_wins": shares[:, ONLY_A] - shares[:, ONLY_B],
            "b_wins": shares[:, ONLY_B] - shares[:, ONLY_A],
            "suspicious": shares[:, ALIKE],
            "stored": np.zeros(len(shares)),
        }[by]
        return [int(place) for place in np.argsort(-key, kind="stable")]


def agreement(
    images: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]],
    num_classes: int,
    unknown: Collection[int] | None = None,
) -> Agreement:
    """How two readings agree over images, each given as truth, first and second label map, uint8 (H, W); `unknown` as
    in `metrics.confusion`."""
    counts, sizes, same = [], [], []
    for truth, first, second in images:
        counts.append(counted(kinds(truth, first, second)))
        sizes.append(truth.shape)
        same.append(confusion(first, np.where(first == second, truth, np.uint8(VOID)), num_classes, unknown))
    return Agreement(np.array(counts), tuple(sizes), np.array(same))


def largest_regions(images: Iterable[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> list[Region]:
    """The largest regions of all images that both readings get wrong alike."""
    found = [
        region
        for n, (truth, first, second) in enumerate(images)
        for region in regions(n, truth, [first, second])[:MOST_REGIONS]
    ]
    return sorted(found, key=lambda region: -region.pixels)[:MOST_REGIONS]
