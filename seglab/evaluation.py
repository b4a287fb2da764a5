"""A model scored on a set of images, at their stored size."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np
import torch
from torch import Tensor

from seglab import metrics
from seglab.data.base import Batch, Packed, Sample
from seglab.data.images import side_within
from seglab.events import Score
from seglab.families import Outputs, Term
from seglab.group import ALONE, Group
from seglab.loader import Cached, ahead, collated, truth_at
from seglab.model import Segmenter, changed, resized

BATCH = 8  # images; the same for every run, since Dice depends on which images come together
MOST_PIXELS = 2**22  # of a batch at stored size: with 11 classes their logits are 185 MB
MOST_LOGITS = 2**25  # of a larger image's loss: 128 MB
STRIP = 2**21  # logits of a larger image at a time that only give labels: 8 MB


@dataclass
class Evaluation:
    """confusions int64 (N, K, K) of every image, in order; where asked for, labels uint8 (H, W) of every image and
    probabilities float32 (K, H, W) of some; loss and raw terms, averaged over images, and the terms' weights.

    Of images with more than MOST_PIXELS, the probabilities are smaller.
    """

    confusions: np.ndarray
    labels: list[Packed] = field(default_factory=list)
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


@dataclass
class Piece:
    """What one batch adds to an evaluation: its places, their confusions int64 (n, K, K), labels and probabilities,
    and the terms' values by name, each with its weight."""

    places: list[int]
    confusions: np.ndarray
    terms: dict[str, tuple[float, float]]
    labels: list[Packed]
    probabilities: dict[int, np.ndarray]


@torch.no_grad()
def evaluate(
    model: Segmenter,
    samples: Cached,
    terms: Callable[[Outputs, Batch], dict[str, Term]],
    keep: Collection[int] | None = None,
    targets: Callable[[Sample], dict[str, np.ndarray]] = lambda _: {},
    group: Group = ALONE,
) -> Evaluation:
    """Scores the model on samples whose masks are at stored size; with `keep`, gives the labels of all images and the
    probabilities of those at the places in it.

    The logits are resized to the masks, never the masks to the logits. The loss is computed there too, on batches of
    images of one size; of images with more than MOST_PIXELS, whose logits would fill the memory, it is computed at a
    smaller size, and the labels strip by strip. The processes of a group take the batches in turn, and each has the
    whole result.
    """
    model.eval()

    def made(places: list[int]) -> Batch:
        return collated([bounded(sample, model.num_classes) for sample in samples.several(places)], places, targets)

    own = same_size(samples)[group.rank :: group.size]
    pieces = group.gathered([piece(batch, model, samples, terms, keep) for batch in ahead(made, own)])
    result = Evaluation(np.concatenate([each.confusions for each in pieces]))
    for each in pieces:
        share = len(each.places) / len(samples)
        for name, (value, weight) in each.terms.items():
            result.terms[name] = result.terms.get(name, 0.0) + value * share
            result.term_weights[name] = weight
            result.loss += weight * (value * share)
        result.labels += each.labels
        result.probabilities |= each.probabilities
    return result


def piece(
    batch: Batch,
    model: Segmenter,
    samples: Cached,
    terms: Callable[[Outputs, Batch], dict[str, Term]],
    keep: Collection[int] | None,
) -> Piece:
    """What the model makes of a batch of samples of one size."""
    places = batch.index.tolist()
    batch = batch.to(model.mean.device)
    size = batch.masks.shape[-2:]
    raw = model(batch.images)
    outputs = changed(raw, partial(resized, size=size))
    found = {name: (float(term.value), float(term.weight)) for name, term in terms(outputs, batch).items()}
    if samples.shape(places[0]) == tuple(size):
        whole = list(batch.masks.to(torch.uint8).cpu().numpy())
        labels = list(outputs.logits.max(1).indices.to(torch.uint8).cpu().numpy())
    else:
        whole = [samples[index].mask for index in places]
        labels = [labels_of(logits, mask.shape) for logits, mask in zip(raw.logits, whole, strict=True)]
    return Piece(
        places,
        np.stack([metrics.confusion(*each, model.num_classes) for each in zip(labels, whole, strict=True)]),
        found,
        [] if keep is None else [Packed.of(each) for each in labels],
        {index: outputs.logits[n].softmax(0).cpu().numpy() for n, index in enumerate(places) if index in (keep or ())},
    )


def bounded(sample: Sample, num_classes: int) -> Sample:
    """The sample, its truth shrunk where it has more than MOST_PIXELS, so that the logits fit into memory."""
    height, width = sample.mask.shape
    if height * width <= MOST_PIXELS:
        return sample
    return truth_at(sample, side_within(height, width, min(MOST_PIXELS, MOST_LOGITS // num_classes)))


def labels_of(logits: Tensor, size: Sequence[int]) -> np.ndarray:
    """uint8 (H, W): the most probable classes at a large size of logits (K, h, w), interpolated as `resized` does, but
    a strip of rows at a time."""
    height, width = size
    count = max(1, STRIP // (len(logits) * width))
    labels = np.empty((height, width), np.uint8)
    for top in range(0, height, count):
        rows = torch.arange(top, min(top + count, height), device=logits.device)
        places = ((rows + 0.5) * logits.shape[1] / height - 0.5).clamp(min=0)
        above = places.long()
        share = (places - above)[:, None]
        below = (above + 1).clamp(max=logits.shape[1] - 1)
        strip = logits[:, above] * (1 - share) + logits[:, below] * share
        strip = resized(strip[None], (len(rows), width))[0]
        labels[top : top + len(rows)] = strip.max(0).indices.to(torch.uint8).cpu().numpy()
    return labels


def same_size(samples: Cached) -> list[list[int]]:
    """Places in order, cut into batches of neighbours whose stored sizes are the same: at most BATCH, and at most
    MOST_PIXELS together, or one."""
    samples.decode()
    places: list[list[int]] = []
    for n in range(len(samples)):
        shape = samples.shape(n)
        most = min(BATCH, MOST_PIXELS // (shape[0] * shape[1]))
        if places and len(places[-1]) < most and samples.shape(places[-1][0]) == shape:
            places[-1].append(n)
        else:
            places.append([n])
    return places
