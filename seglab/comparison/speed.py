"""How long networks take for an image, measured here and now, so that those of others can be set beside one's own."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seglab import prediction, runs
from seglab.cache import Cache
from seglab.errors import SeglabError

TRIES = 3  # of which the quickest counts: whatever else the machine does only adds
TIMES: Cache[float] = Cache(1000, lambda time: 1)


def milliseconds(directories: Sequence[Path]) -> list[float | None]:
    """For each run, the processor's time that its best model takes for one image, as `prediction.Result` has it: the
    first validation image of the first of them whose data is here. None for one that has no weights, and for all where
    no data is here."""
    image = next((found for each in directories if (found := first_image(each)) is not None), None)
    if image is None:
        return [None for _ in directories]
    return [time_of(each, image) for each in directories]


def first_image(directory: Path) -> np.ndarray | None:
    try:
        return runs.opened_once(directory).val[0].image
    except SeglabError:
        return None


def time_of(directory: Path, image: np.ndarray) -> float | None:
    if not runs.weights_version(directory):
        return None

    def measured() -> float:
        trained = runs.loaded(directory)
        small = prediction.bounded(image, len(trained.classes))
        return min(prediction.one(trained, small).milliseconds for _ in range(TRIES))

    try:
        return TIMES.get((directory.resolve(), runs.weights_version(directory), image.shape), measured)
    except SeglabError:
        return None
