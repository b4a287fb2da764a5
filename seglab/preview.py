"""Training images as the techniques of a run make them, before there is a network."""

from __future__ import annotations

from dataclasses import replace

from seglab.config import RunConfig
from seglab.data.base import Data, Sample, spread
from seglab.entry import FAMILIES, SeglabError
from seglab.loader import Feed, batches, separated
from seglab.train import folded

MOST_IMAGES = 500  # of those that a technique may look at beforehand, to know how rare a class is
MOST_IN_BATCH = 8  # as many as a run's default


def preview(config: RunConfig, count: int) -> tuple[Data, list[tuple[Sample, Sample]]]:
    """The data, and the first `count` training samples of the first epoch, each before and after the techniques.

    They are what training gets, save that at most 500 training images are looked at, and 8 at a time. Raises
    SeglabError when no technique changes images.
    """
    techniques = [technique for technique in config.techniques if technique.changes_images]
    if not techniques:
        known = [name for name, entry in FAMILIES["techniques"].entries.items() if entry.changes_images]
        raise SeglabError("no technique that changes images is picked; these do: {names}", names=", ".join(known))
    data = folded(config.data.open(), config)
    data = replace(data, train=data.train.take(spread(len(data.train), MOST_IMAGES)))
    feed = Feed(config, data, forget=True)
    feed.hooks = feed.hooks_of(techniques)
    pairs: list[tuple[Sample, Sample]] = []
    for places in batches(feed.order(0), min(config.batch_size, MOST_IN_BATCH)):
        batch = feed.batch(0, places)
        before = (feed.shown(feed.train[n]) for n in batch.index.tolist())
        pairs += zip(before, separated(batch), strict=True)
        if len(pairs) >= count:
            break
    return data, pairs[:count]
