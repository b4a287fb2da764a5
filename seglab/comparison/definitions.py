"""The same masks by other people's definitions of mIoU, from each image's confusion matrix alone."""

from __future__ import annotations

import numpy as np

from seglab.metrics import iou, miou

DEFINITIONS = ("set", "images", "present", "batches", "absent_as_one", "absent_as_zero")


def definitions(matrices: np.ndarray, batch: int = 8) -> dict[str, float]:
    """mIoU by each of `DEFINITIONS`, of confusion matrices int64 (N, K, K).

    set: one matrix over all images, which is seglab's own. images: the mean over images of each one's mIoU, over the
    classes in its truth or prediction; present: over those in its truth. batches: the mean over so many images at a
    time, in the order in which they are stored. absent_as_one, absent_as_zero: the mean over images, with 1 or 0 for
    a class that is in neither truth nor prediction. Where no image has a labeled pixel, these two are 1 and 0, since
    every class is absent, and the others NaN; an image without one counts for these two as any other.
    """
    scores = iou(matrices)
    absent = np.isnan(scores)
    untrue = matrices.sum(2) == 0
    batches = np.add.reduceat(matrices, np.arange(0, len(matrices), batch), axis=0)
    return {
        "set": miou(matrices.sum(0)),
        "images": mean_of_means(scores),
        "present": mean_of_means(np.where(untrue, np.nan, scores)),
        "batches": mean_of_means(iou(batches)),
        "absent_as_one": float(np.where(absent, 1, scores).mean()),
        "absent_as_zero": float(np.where(absent, 0, scores).mean()),
    }


def mean_of_means(scores: np.ndarray) -> float:
    """The mean over rows of each row's mean; values that are NaN, and rows of nothing else, are left out."""
    there = np.isfinite(scores)
    rows = there.any(1)
    if not rows.any():
        return float("nan")
    return float((np.where(there, scores, 0).sum(1)[rows] / there.sum(1)[rows]).mean())
