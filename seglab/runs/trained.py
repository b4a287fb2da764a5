"""A run's best model by the run's name, and its data."""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np

from seglab import prediction
from seglab.cache import Cache
from seglab.config import RunConfig
from seglab.data.base import Data
from seglab.errors import SeglabError
from seglab.model import SMALLEST, Trained, bytes_of
from seglab.runs import kept
from seglab.runs.best import best_model, weights, weights_version
from seglab.runs.directory import config, description
from seglab.runs.finding import find
from seglab.runs.hashes import located
from seglab.runs.shipment import shipped
from seglab.training import folded


def settled(config: RunConfig, to_be: Collection[Path] = ()) -> RunConfig:
    """The configuration with the whole paths of the runs that it needs, but for those that are yet to be made.

    Raises SeglabError for one that is missing or has no weights.
    """

    def whole(run: Path) -> Path:
        if run in to_be:
            return run
        weights(found := find(run).resolve())
        return found

    return config.needing(whole)


def load(run: str | Path, device: str = "cpu") -> Trained:
    """The run's best model; raises SeglabError when there is none yet or when it is damaged."""
    return best_model(find(run), device)


def opened(directory: Path) -> Data:
    """The run's data as it was trained and scored on.

    Raises SeglabError where it is not here. That is so for private data of a run that was shipped, since the folder
    that its source has by default is another one's; and for a run that was shipped and other images than its own.
    """
    settings, copied = config(directory), shipped(directory)
    if copied and copied.private and getattr(settings.data, "root", None) is None:
        raise SeglabError(
            "{run} came without its images: they are private and stayed where it was trained", run=directory.name
        )
    data = folded(settings.data.open(), settings)
    known = description(directory) if copied else {}
    if copied and (data.digests != known["digests"] or len(data.val) != len(known["images"]["val"])):
        raise SeglabError("the images here are not those that {run} was trained and scored on", run=directory.name)
    return data


MOST_OPEN = 16
OPENED: Cache[Data] = Cache(MOST_OPEN, lambda data: 1)


def opened_once(directory: Path) -> Data:
    """The same for whoever only looks: opened once for all runs of a process that were scored on the same images, with
    the same settings."""
    settings = config(directory)
    begun = located(directory, "dataset.json").exists()
    same = settings.data, settings.fold, shipped(directory), begun and description(directory)["digests"]
    return OPENED.get(repr(same), lambda: opened(directory))


def learned(run: str | Path) -> frozenset[str]:
    """What tells apart the images that a run's weights were trained on, by itself and by the runs that they come from;
    empty where the run has not begun, and for older runs, which did not keep it."""
    try:
        return taught(description(find(run)))
    except SeglabError:
        return frozenset()


def taught(known: dict) -> frozenset[str]:
    """`learned` of the run with this description."""
    return frozenset([*known.get("pictures", {}).get("train", ()), *known.get("learned", ())])


def picture(image: bytes) -> str:
    """What tells an image apart, as runs keep it: 32 hexadecimal digits."""
    return (image if len(image) == 16 else hashlib.sha256(image).digest()[:16]).hex()


MOST_KEPT = 256 * 2**20  # bytes of the models that `loaded` keeps
KEPT_MODELS: Cache[Trained] = Cache(MOST_KEPT, lambda trained: bytes_of(trained.model))


def loaded(run: str | Path) -> Trained:
    """The run's best model on the CPU, kept for the next time and read again once it has got better.

    It has predicted once, for a blank image: what torch prepares with a process's first convolutions, 25 ms or more, is
    no part of the time of the first photograph.
    """

    def ready() -> Trained:
        trained = load(directory)
        blank = np.zeros((2 * SMALLEST, 2 * SMALLEST, 3), np.uint8)
        prediction.forward(trained.model, blank, SMALLEST)
        return trained

    directory = find(run).resolve()
    kept.fetch(directory)
    return KEPT_MODELS.get((directory, weights_version(directory)), ready)
