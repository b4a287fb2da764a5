"""Any photograph through a trained model, at the photograph's own size."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce
from operator import add

import numpy as np
import torch

from seglab import crf as dense
from seglab import metrics
from seglab.cache import Cache
from seglab.data.base import VOID, Sample, Split, photograph
from seglab.data.images import labels_at, resize_image, side_within
from seglab.errors import SeglabError
from seglab.families import Architecture, Outputs, Predict, Predictor
from seglab.loader import at_side, collated
from seglab.model import Segmenter, Trained, changed, resized

MOST_PIXELS = 2**23  # of an image that is labeled at its own size; a larger one is labeled smaller, then enlarged
MOST_PROBABILITIES = 2**27  # 512 MB


@dataclass(frozen=True)
class Prediction:
    """probabilities float32 (K, H, W) at the image's size; instances int32 (H, W), where the model finds any. Of a
    model that may label pixels void the probabilities are (K + 1, H, W): the last one is void's."""

    probabilities: np.ndarray
    num_classes: int
    instances: np.ndarray | None = None
    group: Callable[[np.ndarray], np.ndarray | None] | None = None  # labels -> instances

    def refined(self, probabilities: np.ndarray) -> Prediction:
        """The prediction with other probabilities, such as a CRF's; things are grouped anew by their labels."""
        changed = replace(self, probabilities=probabilities)
        return replace(changed, instances=self.group(changed.labels)) if self.group else changed

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W): the most probable class of each pixel, 255 where that is void."""
        return labels_in(self.probabilities, self.num_classes)


def labels_in(probabilities: np.ndarray, num_classes: int) -> np.ndarray:
    """uint8 (H, W): the most probable of so many classes, 255 where what is behind them is more probable."""
    labels = probabilities.argmax(0).astype(np.uint8)
    if len(probabilities) > num_classes:
        labels[labels == num_classes] = VOID
    return labels


def predict(
    trained: Trained, image: np.ndarray, predictors: Sequence[Predictor] = (), others: Sequence[Trained] = ()
) -> Prediction:
    """What the model sees in an image uint8 (H, W, 3); the predictors are applied in order, the first innermost.

    `others` vote with it: the mean of all probabilities is what the predictors work on (soft voting). Things are found
    by the first model alone. Raises SeglabError for models of other classes.
    """
    for other in others:
        can_vote(trained.name, trained.classes, other.name, other.classes)
    voters = [(adapted(each, predictors), each.config.image_size) for each in (trained, *others)]
    side = trained.config.image_size
    seen: list[Outputs] = []  # what the first model gives for the whole image

    def plain(view: np.ndarray, zoom: float = 1.0) -> np.ndarray:
        outputs = [forward(model, view, max(1, round(zoom * side))) for model, side in voters]
        if view is image and zoom == 1:
            seen.append(outputs[0])
        return mean([each.logits[0].softmax(0).cpu().numpy() for each in outputs])

    prediction = Prediction(reduce(wrapped, predictors, plain)(image), len(trained.classes))
    if type(trained.config.model).instances is Architecture.instances:
        return prediction
    group = partial(trained.config.model.instances, seen[0] if seen else forward(voters[0][0], image, side))
    return replace(prediction, instances=group(prediction.labels), group=group)


def mean(votes: Sequence[np.ndarray]) -> np.ndarray:
    """The mean of several models' probabilities; those that have no void give it none."""
    most = max(map(len, votes))
    alike = (np.pad(each, ((0, most - len(each)), (0, 0), (0, 0))) if len(each) < most else each for each in votes)
    return reduce(add, alike) / np.float32(len(votes))


def can_vote(first: str, classes: Sequence[str], other: str, others: Sequence[str]) -> None:
    """Raises SeglabError unless two models, each given by its name and its classes, have the same classes."""
    if others != classes:
        raise SeglabError(
            "the classes of {run} differ from those of {first}; only models of the same classes can vote together",
            run=other,
            first=first,
        )


def adapted(trained: Trained, predictors: Sequence[Predictor]) -> Segmenter:
    return trained.model.around(reduce(lambda net, predictor: predictor.adapted(net), predictors, trained.model.net))


def wrapped(inner: Predict, outer: Predictor) -> Predict:
    """The inner prediction changed by a predictor; what it enlarges, inner ones enlarge further."""
    return lambda view, zoom=1.0: outer(view, lambda part, more=1.0: inner(part, zoom * more))


@torch.no_grad()
def forward(model: Segmenter, image: np.ndarray, side: int) -> Outputs:
    """What the model gives for an image uint8 (H, W, 3): shrunk to the size of its training, then brought back."""
    batch = collated([at_side(photograph(image), side)], [0])
    outputs = model(batch.images.to(model.mean.device))
    return changed(outputs, lambda maps: resized(maps, image.shape[:2]))


def confusions(
    trained: Trained, split: Split, pipelines: Sequence[Sequence[Predictor]], others: Sequence[Trained] = ()
) -> Iterator[np.ndarray]:
    """For each image of the split, int64 (P, K, K): the confusion matrix of what each pipeline of predictors gives;
    (P, K, K + 1) where pixels may be labeled void.

    The labels of a larger image than `bounded` allows are enlarged to the size of its mask.
    """
    unknown = unknown_to(each.unknown for each in (trained, *others))
    for n in range(len(split)):
        sample = split[n]
        found = labeled(trained, sample, pipelines, others)
        yield np.stack([metrics.confusion(each, sample.mask, len(trained.classes), unknown) for each in found])


def unknown_to(voters: Iterable[Collection[int] | None]) -> tuple[int, ...] | None:
    """The classes that none of several models knows, given by what each does not know; None where none may label pixels
    void."""
    known = list(voters)
    if all(each is None for each in known):
        return None
    return tuple(sorted(frozenset.intersection(*(frozenset(each or ()) for each in known))))


def labeled(
    trained: Trained, sample: Sample, pipelines: Sequence[Sequence[Predictor]], others: Sequence[Trained] = ()
) -> list[np.ndarray]:
    """uint8 (H, W) at the size of the sample's mask, for each pipeline of predictors: what it gives."""
    image = bounded(sample.image, len(trained.classes))
    found = (predict(trained, image, predictors, others).labels for predictors in pipelines)
    return [labels_at(each, *sample.mask.shape) for each in found]


def bounded(image: np.ndarray, num_classes: int) -> np.ndarray:
    """The image uint8 (H, W, 3), shrunk where the probabilities of all its pixels would fill the memory."""
    height, width = image.shape[:2]
    most = min(MOST_PIXELS, MOST_PROBABILITIES // num_classes)
    return image if height * width <= most else resize_image(image, side_within(height, width, most))


# --- side by side


@dataclass(frozen=True)
class Result:
    """What one model, or the vote of several, gives for an image, before the dense CRF and after it.

    `milliseconds` are those of the one run that gave `before`, with all its predictors: shrinking the image, the
    network, and what is done with its probabilities. It is the processor's time of the thread that asked: waiting for
    others, as on a busy page, is no part of it (with two threads at work beside it, a U-Net's 12 ms are 12 to 14 so,
    and 38 to 116 by the clock). A vote's are those of all its voters and of their mean. A model's first run for a size
    includes preparing the convolutions for that size: 8 ms more, or 26 %, is the median over 42 sizes of a U-Net.
    """

    names: tuple[str, ...]  # the models', several for a vote
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    before: Prediction
    milliseconds: float
    unknown: tuple[int, ...] | None = None  # as of a Trained
    after: Prediction | None = None  # None without a CRF, and where it failed
    crf_milliseconds: float | None = None  # of the CRF alone, by the clock: it runs in a process of its own
    crf_error: SeglabError | None = None  # why it failed

    def refined(self, image: np.ndarray, crf: dense.Kernels, deadline: float = 20.0) -> Result:
        """The same with the CRF, which may take `deadline` seconds; no model is asked."""
        began, after, error = time.perf_counter(), None, None
        try:
            after = self.before.refined(dense.refine(self.before.probabilities, image, crf, deadline))
        except SeglabError as why:
            error = why
        return replace(self, after=after, crf_milliseconds=(time.perf_counter() - began) * 1e3, crf_error=error)


class Session:
    """Asks models for images and keeps what they gave, at most `most` bytes of it: what was asked before, such as by a
    slider of the CRF or by a vote, costs no forward pass."""

    def __init__(self, most: int = 128 * 2**20):
        self.kept: Cache[Result] = Cache(most, lambda result: result.before.probabilities.nbytes)

    def side_by_side(
        self,
        models: Mapping[Hashable, Callable[[], Trained]],
        image: np.ndarray,
        predictors: Sequence[Predictor] = (),
        crf: dense.Kernels | None = None,
        vote: bool = False,
        deadline: float = 20.0,
    ) -> Iterator[Result]:
        """Like `side_by_side`, of models that are loaded only to be asked: the key of each stands for its weights.

        A result comes when it is there: those of the first models are good where a later one raises SeglabError.
        """
        seen = hashlib.sha256(image.tobytes()).digest(), image.shape, tuple(predictors)

        def asked(key: Hashable, make: Callable[[], Result]) -> Result:
            result = self.kept.get((key, *seen), make)
            return result.refined(image, crf, deadline) if crf else result

        alone = []
        for key, load in models.items():
            alone.append(asked(key, lambda load=load: one(load(), image, predictors)))  # type: ignore[misc]  # a default
            yield alone[-1]
        if vote and len(models) > 1:
            loads = models.values()
            yield asked(tuple(models), lambda: voted(alone, (load() for load in loads), image, predictors))


def side_by_side(
    models: Sequence[Trained],
    image: np.ndarray,
    predictors: Sequence[Predictor] = (),
    crf: dense.Kernels | None = None,
    vote: bool = False,
    deadline: float = 20.0,
) -> list[Result]:
    """What each model gives for an image uint8 (H, W, 3) and, with `vote` and several models, their soft vote at last.

    The predictors are applied in order, the first innermost, then the CRF, within `deadline` seconds for each. Every
    model is asked once, also for the vote, unless a predictor is not linear. Raises SeglabError for predictors that
    cannot change a model, and for a vote of models of different classes.
    """
    given: dict[Hashable, Callable[[], Trained]] = {
        n: partial(lambda each: each, each) for n, each in enumerate(models)
    }
    return list(Session().side_by_side(given, image, predictors, crf, vote, deadline))


def one(trained: Trained, image: np.ndarray, predictors: Sequence[Predictor] = ()) -> Result:
    """What a model gives for an image uint8 (H, W, 3), in one run, with the time that it took."""
    began = time.thread_time()
    found = predict(trained, image, predictors)
    return Result((trained.name,), trained.classes, trained.colors, found, since(began), trained.unknown)


def voted(
    alone: Sequence[Result], models: Iterable[Trained], image: np.ndarray, predictors: Sequence[Predictor] = ()
) -> Result:
    """The soft vote of models that were asked alone: the mean of what they gave where every predictor is linear, which
    is what `predict` gives for them together (2e-7 apart); they are asked again where one is not."""
    first, *others = alone
    for other in others:
        can_vote(first.names[0], first.classes, other.names[0], other.classes)
    began, spent = time.thread_time(), 0.0
    if all(predictor.linear for predictor in predictors):
        spent = sum(each.milliseconds for each in alone)
        found = first.before.refined(mean([each.before.probabilities for each in alone]))
    else:
        trained, *rest = models
        began = time.thread_time()  # loading is not predicting
        found = predict(trained, image, predictors, rest)
    names = tuple(each.names[0] for each in alone)
    spent += since(began)
    return Result(names, first.classes, first.colors, found, spent, unknown_to(each.unknown for each in alone))


def since(began: float) -> float:
    """The milliseconds of this thread since a reading of `time.thread_time`."""
    return (time.thread_time() - began) * 1e3
