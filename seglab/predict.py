"""Any photograph through a trained model, at the photograph's own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
import torch

from seglab import metrics
from seglab.data.base import Sample, Split
from seglab.entry import Architecture, Outputs, Predict, Predictor, SeglabError
from seglab.loader import at_side, collated
from seglab.model import Segmenter, changed, resized
from seglab.runs import Trained


@dataclass(frozen=True)
class Prediction:
    """probabilities float32 (K, H, W) at the image's size; instances int32 (H, W), where the model finds any."""

    probabilities: np.ndarray
    instances: np.ndarray | None = None
    group: Callable[[np.ndarray], np.ndarray | None] | None = None  # labels -> instances

    def refined(self, probabilities: np.ndarray) -> Prediction:
        """The prediction with other probabilities, such as a CRF's; things are grouped anew by their labels."""
        changed = replace(self, probabilities=probabilities)
        return replace(changed, instances=self.group(changed.labels)) if self.group else changed

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W): the most probable class of each pixel."""
        return self.probabilities.argmax(0).astype(np.uint8)


def predict(
    trained: Trained, image: np.ndarray, predictors: Sequence[Predictor] = (), others: Sequence[Trained] = ()
) -> Prediction:
    """What the model sees in an image uint8 (H, W, 3); the predictors are applied in order, the first innermost.

    `others` vote with it: the mean of all probabilities is what the predictors work on (soft voting). Things are found
    by the first model alone. Raises SeglabError for models of other classes.
    """
    for other in others:
        if other.classes != trained.classes:
            raise SeglabError(
                "the classes of {run} differ from those of {first}; only models of the same classes can vote together",
                run=other.name,
                first=trained.name,
            )
    voters = [(adapted(each, predictors), each.config.image_size) for each in (trained, *others)]
    side = trained.config.image_size
    seen: list[Outputs] = []  # what the first model gives for the whole image

    def plain(view: np.ndarray, zoom: float = 1.0) -> np.ndarray:
        outputs = [forward(model, view, max(1, round(zoom * side))) for model, side in voters]
        if view is image and zoom == 1:
            seen.append(outputs[0])
        return sum(each.logits[0].softmax(0) for each in outputs).div(len(outputs)).cpu().numpy()

    prediction = Prediction(reduce(wrapped, predictors, plain)(image))
    if type(trained.config.model).instances is Architecture.instances:
        return prediction
    group = partial(trained.config.model.instances, seen[0] if seen else forward(voters[0][0], image, side))
    return replace(prediction, instances=group(prediction.labels), group=group)


def adapted(trained: Trained, predictors: Sequence[Predictor]) -> Segmenter:
    return trained.model.around(reduce(lambda net, predictor: predictor.adapted(net), predictors, trained.model.net))


def wrapped(inner: Predict, outer: Predictor) -> Predict:
    """The inner prediction changed by a predictor; what it enlarges, inner ones enlarge further."""
    return lambda view, zoom=1.0: outer(view, lambda part, more=1.0: inner(part, zoom * more))


@torch.no_grad()
def forward(model: Segmenter, image: np.ndarray, side: int) -> Outputs:
    """What the model gives for an image uint8 (H, W, 3): shrunk to the size of its training, then brought back."""
    batch = collated([at_side(Sample(image, np.zeros(image.shape[:2], np.uint8)), side)], [0])
    outputs = model(batch.images.to(model.mean.device))
    return changed(outputs, lambda maps: resized(maps, image.shape[:2]))


def confusions(
    trained: Trained, split: Split, pipelines: Sequence[Sequence[Predictor]], others: Sequence[Trained] = ()
) -> Iterator[np.ndarray]:
    """For each image of the split, int64 (P, K, K): the confusion matrix of what each pipeline of predictors gives."""
    for n in range(len(split)):
        sample = split[n]
        labels = [predict(trained, sample.image, predictors, others).labels for predictors in pipelines]
        yield np.stack([metrics.confusion(each, sample.mask, len(trained.classes)) for each in labels])
