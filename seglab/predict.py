"""Any photograph through a trained model, at the photograph's own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial, reduce

import numpy as np
import torch

from seglab import metrics
from seglab.data.base import Sample, Split
from seglab.entry import Outputs, Predictor
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


def predict(trained: Trained, image: np.ndarray, predictors: Sequence[Predictor] = ()) -> Prediction:
    """What the model sees in an image uint8 (H, W, 3); the predictors are applied in order, the first innermost."""

    model = trained.model.around(reduce(lambda net, predictor: predictor.adapted(net), predictors, trained.model.net))
    seen: list[Outputs] = []

    def plain(view: np.ndarray) -> np.ndarray:
        seen.append(forward(model, view, trained.config.image_size))
        return seen[-1].logits[0].softmax(0).cpu().numpy()

    def wrap(inner: Callable[[np.ndarray], np.ndarray], outer: Predictor) -> Callable[[np.ndarray], np.ndarray]:
        return lambda view: outer(view, inner)

    prediction = Prediction(reduce(wrap, predictors, plain)(image))
    whole = seen[0]  # whatever else a predictor looks at, it looks at the image first
    group = partial(trained.config.model.instances, whole)
    instances = group(prediction.labels)
    return prediction if instances is None else replace(prediction, instances=instances, group=group)


@torch.no_grad()
def forward(model: Segmenter, image: np.ndarray, side: int) -> Outputs:
    """What the model gives for an image uint8 (H, W, 3): shrunk to the size of its training, then brought back."""
    batch = collated([at_side(Sample(image, np.zeros(image.shape[:2], np.uint8)), side)], [0])
    outputs = model(batch.images.to(model.mean.device))
    return changed(outputs, lambda maps: resized(maps, image.shape[:2]))


def confusions(trained: Trained, split: Split, pipelines: Sequence[Sequence[Predictor]]) -> Iterator[np.ndarray]:
    """For each image of the split, int64 (P, K, K): the confusion matrix of what each pipeline of predictors gives."""
    for n in range(len(split)):
        sample = split[n]
        labels = [predict(trained, sample.image, predictors).labels for predictors in pipelines]
        yield np.stack([metrics.confusion(each, sample.mask, len(trained.classes)) for each in labels])
