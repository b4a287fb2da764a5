"""Errors near the borders between classes: by distance, within a band, and how well contours are met."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from seglab.data.base import VOID
from seglab.metrics import confusion, miou

BINS = (0, 1, 2, 4, 8)  # pixels from a border; the last one is open
ERRORS = ("boundary", "extent", "segment")
BAND = 0.02  # of the diagonal: the width of Boundary IoU's band, at least 1 pixel
ERROR_BAND = 0.01  # of the diagonal: how far from what both have a wrong pixel is one of the boundary
FAR = 19  # pixels, beyond which a dilation takes longer than a distance transform
TOLERANCE = 0.0075  # of the diagonal: how far a contour may be off for Boundary F1, at least 1 pixel


def distances(truth: np.ndarray) -> np.ndarray:
    """float32 (H, W): for each pixel the Euclidean distance to the nearest one that has a neighbor (left, right, above
    or below) of another class; infinite where an image has no border. Void is no class: it makes no border."""
    import cv2

    at = np.zeros(truth.shape, bool)
    for one, other in ((np.s_[:, :-1], np.s_[:, 1:]), (np.s_[:-1], np.s_[1:])):
        apart = (truth[one] != truth[other]) & (truth[one] != VOID) & (truth[other] != VOID)
        at[one] |= apart
        at[other] |= apart
    if not at.any():
        return np.full(truth.shape, np.inf, np.float32)
    return cv2.distanceTransform((~at).astype(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def binned(truth: np.ndarray) -> np.ndarray:
    """uint8 (H, W): in which of `BINS` the distance of each pixel is."""
    away = distances(truth)
    place = np.zeros(truth.shape, np.uint8)
    for low in BINS[1:]:
        place += away >= low
    return place


def contour(mask: np.ndarray, width: int) -> np.ndarray:
    """bool (H, W): the pixels of a mask within so many steps (also diagonal ones) of its outside, to which the image's
    border belongs (Cheng et al. 2021, https://arxiv.org/abs/2103.16562)."""
    import cv2

    padded = np.pad(mask.astype(np.uint8), 1)
    inner = cv2.erode(padded, np.ones((3, 3), np.uint8), iterations=width)
    return mask & ~inner[1:-1, 1:-1].astype(bool)


def steps(shape: tuple[int, ...], share: float) -> int:
    """A share of an image's diagonal in whole pixels, at least 1."""
    return max(1, round(share * math.hypot(*shape)))


def near(mask: np.ndarray, distance: int) -> np.ndarray:
    """bool (H, W): the pixels no further than that from one of the mask's."""
    import cv2

    if distance > FAR and mask.any():  # a distance transform takes as long for any distance, and is as exact
        away = cv2.distanceTransform((~mask).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
        return away < distance + 1e-3
    reach = np.arange(-distance, distance + 1)
    disk = (reach[:, None] ** 2 + reach**2 <= distance**2).astype(np.uint8)
    return cv2.dilate(mask.view(np.uint8), disk).view(bool)


@dataclass(frozen=True)
class Borders:
    """Where one reading is wrong, over all images.

    `bands` int64 (len(BINS), K, K or K + 1): confusion matrices by distance. `boundary` int64 (2, K): intersection and
    union of the bands of Boundary IoU. `contours` float64 (2, K): Boundary F1 summed over images, and how many of them
    have the class. `errors` int64 (3,): wrong pixels of each kind in `ERRORS`; a pixel is one of what its class lacks
    and one of what another has too much. `by_image`: for each image, int64 (len(BINS),) wrong pixels by distance.
    """

    bands: np.ndarray
    boundary: np.ndarray
    contours: np.ndarray
    errors: np.ndarray
    by_image: list[np.ndarray] = field(default_factory=list)

    @property
    def pixels(self) -> np.ndarray:
        """int64 (len(BINS),): labeled pixels by their distance to a border."""
        return self.bands.sum((1, 2))

    @property
    def wrong(self) -> np.ndarray:
        """int64 (len(BINS),): those of them that are wrong."""
        return self.pixels - np.trace(self.bands, axis1=1, axis2=2)

    def trimap(self, bins: int) -> float:
        """The mIoU of the pixels in the first so many of `BINS`; NaN where there are none."""
        return miou(self.bands[:bins].sum(0))

    @property
    def boundary_iou(self) -> np.ndarray:
        """float64 (K,): Boundary IoU of each class over all images; NaN for one that is in none."""
        both, either = self.boundary
        return np.divide(both, either, out=np.full(len(both), np.nan), where=either > 0)

    @property
    def boundary_f1(self) -> np.ndarray:
        """float64 (K,): the mean Boundary F1 of each class over the images whose truth has it; NaN where none does
        (Csurka et al. 2013, What is a good evaluation measure for semantic segmentation?)."""
        total, count = self.contours
        return np.divide(total, count, out=np.full(len(total), np.nan), where=count > 0)

    @classmethod
    def none(cls, k: int, void: bool = False) -> Borders:
        """Of no image yet, with so many classes; pixels may be labeled `void`."""
        bands, boundary = np.zeros((len(BINS), k, k + void), np.int64), np.zeros((2, k), np.int64)
        return cls(bands, boundary, np.zeros((2, k)), np.zeros(len(ERRORS), np.int64))


def borders(
    images: Iterable[Sequence[np.ndarray]], num_classes: int, unknown: Collection[int] | None = None
) -> Iterator[tuple[Borders, ...]]:
    """What readings of images do at borders, after each image; the arrays are the same and grow. Each image is given as
    truth and one label map or several, uint8 (H, W); `unknown` as in `metrics.confusion`."""
    found: tuple[Borders, ...] = ()
    for truth, *readings in images:
        found = found or tuple(Borders.none(num_classes, unknown is not None) for _ in readings)
        place = binned(truth)
        bins = [np.where(place == n, truth, VOID).astype(np.uint8) for n in range(len(BINS))]
        for each, labels in zip(found, readings, strict=True):
            bands = np.stack([confusion(labels, kept, num_classes, unknown) for kept in bins])
            each.bands[:] += bands
            each.by_image.append(bands.sum((1, 2)) - np.trace(bands, axis1=1, axis2=2))
            for k in range(num_classes):
                add_class(each, truth, labels, k)
        yield found


def add_class(found: Borders, truth: np.ndarray, labels: np.ndarray, k: int) -> None:
    """Adds one class of an image to all but the bands."""
    band, tolerance, close = (steps(truth.shape, share) for share in (BAND, TOLERANCE, ERROR_BAND))
    labeled = truth != VOID
    was, said = truth == k, (labels == k) & labeled
    if (box := boxed(was | said)) is None:
        return
    was, said = was[box], said[box]
    found.boundary[:, k] += overlap(was, said, labeled[box], band)
    if was.any():
        found.contours[:, k] += met(was, said, tolerance), 1
    found.errors[:] += kinds_of_error(was, said, close)


def boxed(mask: np.ndarray) -> tuple[slice, slice] | None:
    """The rows and columns that a mask reaches, outside which nothing changes what follows; None for an empty one."""
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return np.s_[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1] if len(rows) else None


def overlap(truth: np.ndarray, found: np.ndarray, labeled: np.ndarray, width: int) -> tuple[int, int]:
    """Intersection and union in pixels of the bands along the contours of two masks; void is left out of both."""
    one, other = contour(truth, width) & labeled, contour(found, width) & labeled
    return int((one & other).sum()), int((one | other).sum())


def met(truth: np.ndarray, found: np.ndarray, tolerance: int) -> float:
    """Boundary F1 of two masks: of their contours, one pixel wide, how much is near the other's."""
    one, other = contour(truth, 1), contour(found, 1)
    if not other.any():
        return 0.0
    recall = (one & near(other, tolerance)).sum() / one.sum()
    precision = (other & near(one, tolerance)).sum() / other.sum()
    return float(2 * precision * recall / (precision + recall)) if precision + recall else 0.0


def kinds_of_error(truth: np.ndarray, found: np.ndarray, distance: int) -> np.ndarray:
    """int64 (3,): how many pixels that only one of two masks of a class has are of each kind in `ERRORS`: near a pixel
    that both have; else in a connected part of the mask that has such pixels, which reaches too far or not far enough;
    else in a part that the other mask does not meet at all. After Bernhard et al. 2024, What's outside the
    intersection? (WACV), with distances from the intersection."""
    import cv2

    both = truth & found
    close, inside = near(both, distance).ravel(), np.flatnonzero(both)
    total = np.zeros(len(ERRORS), np.int64)
    for mask in (truth, found):
        wrong = np.flatnonzero(mask & ~both)
        if not len(wrong):
            continue
        count, numbers = cv2.connectedComponents(mask.view(np.uint8))
        touched = np.zeros(count, bool)
        touched[numbers.ravel()[inside]] = True
        at, meets = close[wrong], touched[numbers.ravel()[wrong]]
        total += [at.sum(), (~at & meets).sum(), (~at & ~meets).sum()]
    return total
