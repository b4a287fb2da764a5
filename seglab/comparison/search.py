"""Settings of the dense CRF, tried on a run's `search` images: they choose, and `val`, which is not looked at, reports.

Choosing by `val` would make its score the best of many draws, which says too much of new images.
"""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab import crf, prediction, runs
from seglab.comparison.readings import file_of, keep, loaded_with
from seglab.data.base import Sample, spread
from seglab.data.images import labels_at
from seglab.entry import validated
from seglab.metrics import confusion, miou
from seglab.model import Trained
from seglab.predictors import PUBLISHED, Crf

# The appearance kernel's weight and widths, which matter most; the smoothness kernel stays at its own (DeepLab fixed it
# in the same way, https://arxiv.org/abs/1606.00915, section 4.1).
GRID: dict[str, tuple[float, ...]] = {
    "w1": (1.0, 3.0, 5.0),
    "theta_alpha": (5.0, 10.0, 20.0, 40.0),
    "theta_beta": (4.0, 8.0, 16.0),
}
MOST_IMAGES = 50  # evenly spread over those of `search`


def settings() -> list[Crf]:
    """What is tried: the usual values, a grid around them, and what others published."""
    grid = [validated(Crf, dict(zip(GRID, values, strict=True))) for values in itertools.product(*GRID.values())]
    return list(dict.fromkeys([Crf(), *grid, *(each.crf for each in PUBLISHED)]))


@dataclass(frozen=True)
class Tried:
    """A setting, or None for the run without the CRF, and its mIoU on the `search` images."""

    crf: Crf | None
    miou: float


class Search:
    """A run's CRF settings, each scored on the same `search` images. Computed once for each state of its weights, by
    `compute`, and kept beside the readings, image by image, so that it goes on where it was stopped.

    `file` is that of the weights with which it was made, or computed: those of a run that is still training change.
    Raises SeglabError for a run that has none yet."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.file = self.of_now()

    def of_now(self) -> Path:
        """The file of the weights that the run has now."""
        tried = [each.model_dump(mode="json") for each in settings()]
        return file_of(self.directory, "search", json.dumps(["search", MOST_IMAGES, tried]), lasting=True)

    @property
    def images(self) -> int:
        """How many are looked at."""
        return min(MOST_IMAGES, len(runs.description(self.directory)["images"]["search"]))

    def kept(self) -> tuple[int, np.ndarray | None]:
        """How many images are done, and int64 (1 + settings, K, K), their summed confusion matrices: those of the run
        without the CRF first."""
        try:
            with np.load(self.file, allow_pickle=False) as arrays:
                return int(arrays["done"]), arrays["matrices"]
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):  # not there, or to be made again
            return 0, None

    def tried(self) -> list[Tried]:
        """The settings, the best first, among equals the earlier one; none before all images are done."""
        done, matrices = self.kept()
        if matrices is None or done < self.images:
            return []
        found = [Tried(each, miou(matrix)) for each, matrix in zip([None, *settings()], matrices, strict=True)]
        return sorted(found, key=lambda each: -each.miou if np.isfinite(each.miou) else 1)

    def best(self) -> Crf | None:
        """The best of the settings; None before all images are done."""
        return next((each.crf for each in self.tried() if each.crf), None)

    def compute(self) -> Iterator[tuple[int, int]]:
        """Tries what has not been tried; yields how many labelings of how many are done. Raises SeglabError where the
        images or pydensecrf are not here."""
        if self.tried():
            return
        if reason := crf.missing():
            raise reason
        self.file, trained = loaded_with(self.directory, self.of_now)
        images = runs.opened(self.directory).search
        places, chosen = spread(len(images), MOST_IMAGES), settings()
        done, matrices = self.kept()
        if matrices is None:
            columns = len(trained.classes) + (trained.unknown is not None)
            done, matrices = 0, np.zeros((1 + len(chosen), len(trained.classes), columns), np.int64)
        for n in range(done, len(places)):
            for place, matrix in enumerate(labelings(trained, images[places[n]], chosen)):
                matrices[place] += matrix
                yield n * len(matrices) + place + 1, len(places) * len(matrices)
            keep(self.file, done=np.array(n + 1), matrices=matrices)


def labelings(trained: Trained, sample: Sample, chosen: list[Crf]) -> Iterator[np.ndarray]:
    """int64 (K, K), or (K, K + 1) with void: an image's confusion matrix without the CRF, then with each setting; the
    network is asked once."""
    image = prediction.bounded(sample.image, len(trained.classes))
    before = prediction.predict(trained, image)
    for setting in (None, *chosen):
        found = before.refined(crf.refine(before.probabilities, image, setting)) if setting else before
        labels = labels_at(found.labels, *sample.mask.shape)
        yield confusion(labels, sample.mask, len(trained.classes), trained.unknown)
