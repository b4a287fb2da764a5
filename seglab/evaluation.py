"""A model scored on a set of images, at their stored size."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch

from seglab import metrics
from seglab.data.base import Batch, Sample
from seglab.events import Score
from seglab.families import Outputs, Term
from seglab.loader import Cached, ahead, collated
from seglab.model import Segmenter, changed, resized

BATCH = 8  # images; the same for every run, since Dice depends on which images come together
MOST_PIXELS = 2**22  # of a batch at stored size: with 11 classes their logits are 185 MB


@dataclass
class Evaluation:
    """confusions int64 (N, K, K) of every image, in order; where asked for, labels uint8 (H, W) of every image and
    probabilities float32 (K, H, W) of some; loss and raw terms, averaged over images, and the terms' weights."""

    confusions: np.ndarray
    labels: list[np.ndarray] = field(default_factory=list)
    probabilities: dict[int, np.ndarray] = field(default_factory=dict)
    loss: float = 0.0
    terms: dict[str, float] = field(default_factory=dict)
    term_weights: dict[str, float] = field(default_factory=dict)

    def score(self) -> Score:
        matrix = self.confusions.sum(0)
        return Score(
            loss=self.loss,
            terms=self.terms,
            term_weights=self.term_weights,
            miou=number(metrics.miou(matrix)),
            iou=[number(value) for value in metrics.iou(matrix)],
            pixel_accuracy=number(metrics.pixel_accuracy(matrix)),
            images=len(self.confusions),
        )


def number(value: float) -> float | None:
    """The value, or None for one that is not a number."""
    return None if math.isnan(value) else float(value)


@torch.no_grad()
def evaluate(
    model: Segmenter,
    samples: Cached,
    terms: Callable[[Outputs, Batch], dict[str, Term]],
    keep: Collection[int] | None = None,
    targets: Callable[[Sample], dict[str, np.ndarray]] = lambda _: {},
) -> Evaluation:
    """Scores the model on samples whose masks are at stored size; with `keep`, gives the labels of all images and the
    probabilities of those at the places in it.

    The logits are resized to the masks, never the masks to the logits. The loss is computed there too, on batches of
    images of one size.
    """
    model.eval()
    device = model.mean.device
    result = Evaluation(np.zeros((len(samples), model.num_classes, model.num_classes), np.int64))

    def made(places: list[int]) -> Batch:
        return collated([samples[n] for n in places], places, targets)

    for batch in ahead(made, same_size(samples)):
        batch = batch.to(device)
        size = batch.masks.shape[-2:]
        outputs = changed(model(batch.images), partial(resized, size=size))
        share = len(batch.index) / len(samples)
        for name, term in terms(outputs, batch).items():
            value = float(term.value) * share
            result.terms[name] = result.terms.get(name, 0.0) + value
            result.term_weights[name] = float(term.weight)
            result.loss += term.weight * value
        labels = outputs.logits.argmax(1).to(torch.uint8).cpu().numpy()
        masks = batch.masks.to(torch.uint8).cpu().numpy()
        for n, index in enumerate(batch.index.tolist()):
            result.confusions[index] = metrics.confusion(labels[n], masks[n], model.num_classes)
            if index in (keep or ()):
                result.probabilities[index] = outputs.logits[n].softmax(0).cpu().numpy()
        if keep is not None:
            result.labels += list(labels)
    return result


def same_size(samples: Cached) -> list[list[int]]:
    """Places in order, cut into batches of neighbours whose stored sizes are the same: at most BATCH, and at most
    MOST_PIXELS together, or one."""
    places: list[list[int]] = []
    for n in range(len(samples)):
        shape = samples[n].mask.shape
        most = min(BATCH, MOST_PIXELS // (shape[0] * shape[1]))
        if places and len(places[-1]) < most and samples[places[-1][0]].mask.shape == shape:
            places[-1].append(n)
        else:
            places.append([n])
    return places
