"""The one definition of every score: confusion matrices at the images' stored size, added up over the whole set."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np

from seglab.data.base import VOID
from seglab.data.images import labels_at
from seglab.errors import SeglabError

DEFINITION = (
    "mIoU: one confusion matrix over the whole set, at the images' stored size; IoU = TP / (TP + FP + FN) per class, "
    "averaged over the classes that occur in truth or prediction; void pixels are left out"
)

MOST_COUNTED = 2**20  # pixels at a time, of which histograms are exact and memory is small


def confusion(
    labels: np.ndarray, masks: np.ndarray, num_classes: int, unknown: Collection[int] | None = None
) -> np.ndarray:
    """int64 (K, K): how many pixels of class [truth] were labeled [prediction].

    labels and masks are uint8 of one shape, masks with 255 = void. Of a model that may label pixels void, and does not
    know some of the classes, perhaps none, `unknown` are those, and the matrix is as `without` gives it, (K, K + 1).
    Raises SeglabError for other labels above K - 1.
    """
    import cv2

    if unknown is not None:
        void = labels == VOID
        labeled = confusion(np.where(void, 0, labels), np.where(void, VOID, masks), num_classes)
        missed = np.bincount(masks[void], minlength=num_classes)[:num_classes]
        return without(np.concatenate([labeled, missed[:, None]], 1), unknown)

    # One pass: the pair as one number, then OpenCV's histogram, the fastest of those measured in benchmarks/metrics.py.
    # It counts in float32, exact up to 2^24 pixels.
    counts = np.zeros((256, num_classes), np.int64)
    truth, given = masks.reshape(-1), labels.reshape(-1)
    for start in range(0, len(truth), MOST_COUNTED):
        pairs = truth[start : start + MOST_COUNTED].astype(np.uint16)
        pairs *= num_classes
        pairs += given[start : start + MOST_COUNTED]
        found = cv2.calcHist([pairs[None]], [0], None, [256 * num_classes], [0, 256 * num_classes])
        counts += found.astype(np.int64).reshape(256, num_classes)
    if counts[num_classes:VOID].any() or labels.max(initial=0) >= num_classes:
        raise SeglabError(
            "a label is {label}; allowed: 0 to {most}, and 255 for void",
            label=int(max(masks[masks != VOID].max(initial=0), labels.max(initial=0))),
            most=num_classes - 1,
        )
    return counts[:num_classes]


def without(matrix: np.ndarray, unknown: Collection[int]) -> np.ndarray:
    """int64 (..., K, K + 1): a matrix (..., K, K) or (..., K, K + 1) whose last column is what was labeled void: a miss
    of its true class, and no other's false alarm.

    Pixels of the `unknown` classes count no more, and being labeled as one of them is being labeled void, so that they
    are in neither truth nor prediction.
    """
    num_classes, gone = matrix.shape[-2], list(unknown)
    found = np.zeros((*matrix.shape[:-1], num_classes + 1), matrix.dtype)
    found[..., : matrix.shape[-1]] = matrix
    found[..., num_classes] += matrix[..., gone].sum(-1)
    found[..., gone] = 0
    found[..., gone, :] = 0
    return found


def iou(matrix: np.ndarray) -> np.ndarray:
    """float64 (K,): intersection over union of each class; NaN for a class in neither truth nor prediction."""
    hit = np.diagonal(matrix, axis1=-2, axis2=-1).astype(float)
    union = matrix.sum(-1) + matrix.sum(-2)[..., : hit.shape[-1]] - hit
    return np.divide(hit, union, out=np.full_like(hit, np.nan), where=union > 0)


def miou(matrix: np.ndarray) -> float:
    """The mean of `iou` over the classes it is defined for; NaN where there is none."""
    values = iou(matrix)
    return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")


def picture_miou(
    labels: np.ndarray, mask: np.ndarray, num_classes: int, unknown: Collection[int] | None = None
) -> float:
    """The mIoU of one picture: labels uint8 (H, W), predicted for it at any size, against its mask as it is stored;
    `unknown` as in `confusion`."""
    return miou(confusion(labels_at(labels, *mask.shape), mask, num_classes, unknown))


def void_share(matrix: np.ndarray) -> float:
    """The share of labeled pixels that were labeled void, of a matrix with a column for them; NaN without any."""
    return float(matrix[..., -1].sum() / matrix.sum()) if matrix.sum() else float("nan")


def pixel_accuracy(matrix: np.ndarray) -> float:
    """The share of labeled pixels that are right; NaN without labeled pixels."""
    total = matrix.sum()
    return float(np.trace(matrix) / total) if total else float("nan")
