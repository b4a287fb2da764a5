"""Any photograph through a trained model, at the photograph's own size."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import reduce

import numpy as np
import torch

from seglab import metrics
from seglab.data.base import Sample, Split
from seglab.entry import Predictor
from seglab.loader import at_side, collated
from seglab.model import resized
from seglab.runs import Trained


@dataclass(frozen=True)
class Prediction:
    """probabilities float32 (K, H, W) at the image's size; instances int32 (H, W), where the model finds any."""

    probabilities: np.ndarray
    instances: np.ndarray | None = None

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W): the most probable class of each pixel."""
        return self.probabilities.argmax(0).astype(np.uint8)


def predict(trained: Trained, image: np.ndarray, predictors: Sequence[Predictor] = ()) -> Prediction:
    """What the model sees in an image uint8 (H, W, 3); the predictors are applied in order, the first innermost."""

    def wrap(inner: Callable[[np.ndarray], np.ndarray], outer: Predictor) -> Callable[[np.ndarray], np.ndarray]:
        return lambda view: outer(view, inner)

    return Prediction(reduce(wrap, predictors, lambda view: plain(trained, view))(image))


@torch.no_grad()
def plain(trained: Trained, image: np.ndarray) -> np.ndarray:
    """The model's own probabilities, float32 (K, H, W): shrunk to the size of its training, then brought back."""
    sample = Sample(image, np.zeros(image.shape[:2], np.uint8))
    batch = collated([at_side(sample, trained.config.image_size)], [0])
    device = next(trained.model.parameters()).device
    logits = trained.model(batch.images.to(device)).logits
    return resized(logits, image.shape[:2])[0].softmax(0).cpu().numpy()


def confusions(trained: Trained, split: Split, pipelines: Sequence[Sequence[Predictor]]) -> Iterator[np.ndarray]:
    """For each image of the split, int64 (P, K, K): the confusion matrix of what each pipeline of predictors gives."""
    for n in range(len(split)):
        sample = split[n]
        labels = [predict(trained, sample.image, predictors).labels for predictors in pipelines]
        yield np.stack([metrics.confusion(each, sample.mask, len(trained.classes)) for each in labels])
