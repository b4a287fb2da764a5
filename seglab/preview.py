"""Training images as the techniques of a run make them, before there is a network."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from seglab import runs
from seglab.config import RunConfig
from seglab.data.base import Data, Sample, spread
from seglab.errors import SeglabError
from seglab.families import Technique
from seglab.loader import Feed, batches, separated
from seglab.training import folded

MOST_IMAGES = 500  # of those that a technique may look at beforehand, to know how rare a class is
MOST_IN_BATCH = 8  # as many as a run's default


def preview(config: RunConfig, count: int) -> tuple[Data, list[tuple[Sample, Sample, np.ndarray | None]]]:
    """The data, and the first `count` training samples of the first epoch, each before and after the techniques, and
    how much the loss then stresses each pixel: float32 (H, W) from 0 to 1, or None if for no place.

    They are what training gets, save that at most 500 training images are looked at, and 8 at a time. Raises
    SeglabError where there is nothing to be seen: no technique changes images, and the loss stresses no place in them.
    """
    techniques = [technique for technique in config.techniques if technique.changes_images]
    weight_map = config.loss.weight_map
    if not techniques and not weight_map:
        known = [
            name for name, entry in Technique.entries.items() if issubclass(entry, Technique) and entry.changes_images
        ]
        raise SeglabError("no technique that changes images is selected; these do: {names}", names=", ".join(known))
    data = folded(config.data.open(), config)
    data = replace(data, train=data.train.take(spread(len(data.train), MOST_IMAGES)))
    feed = Feed(config, data, forget=True, load=runs.load)
    feed.start(techniques)
    found: list[tuple[Sample, Sample, np.ndarray | None]] = []
    for places in batches(feed.order(0), min(config.batch_size, MOST_IN_BATCH)):
        batch = feed.batch(0, places)
        before = (feed.shown(feed.train[n]) for n in batch.index.tolist())
        weights = batch.targets[weight_map][:, 0].numpy() if weight_map else [None] * len(places)
        found += zip(before, separated(batch), weights, strict=True)
        if len(found) >= count:
            break
    return data, found[:count]
