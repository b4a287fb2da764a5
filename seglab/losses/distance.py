"""Losses that know how far each pixel is from a border; the loader makes their maps."""

from __future__ import annotations

import math
from typing import Annotated

import numpy as np
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor

from seglab.data.base import VOID, Batch, Sample
from seglab.families import Loss, Outputs, Term
from seglab.loader import collated
from seglab.losses.weights import ClassWeighted, labeled, per


class Mapped(Loss):
    """A loss that compares with the maps that its `targets` makes of each sample."""

    def value(self, logits: Tensor, masks: Tensor, targets: dict[str, Tensor]) -> Tensor:
        """The loss; targets (B, C, H, W) by name."""
        raise NotImplementedError

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        """Makes the maps, of masks alone; in training they come with the batch."""
        samples = [Sample(np.zeros((*mask.shape, 3), np.uint8), mask) for mask in masks.byte().cpu().numpy()]
        return self.value(logits, masks, collated(samples, range(len(masks)), self.targets).to(logits.device).targets)

    def terms(self, outputs: Outputs, batch: Batch, progress: float) -> dict[str, Term]:
        return {self.name: Term(self.value(outputs.logits, batch.masks, batch.targets))}

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        return {self.name: labeled(batch.masks)}


class Boundary(Mapped):
    """Penalizes each wrong pixel by its distance to the true border of its class; use it together with a region loss.

    The mean of p times the signed distance to the class, in pixels, over labeled pixels and all classes: positive
    outside the class, 0 at its outermost pixels, negative inside, so the loss can be negative. A class that is absent
    from an image, or fills it, has no border and counts 0 there. Void is not a border.

    The loss is weighted by alpha, which increases linearly over the run, as the paper recommends.

    Source: Kervadec et al. 2019, https://arxiv.org/abs/1812.07032, section 2, eq. 5.
    """

    name = "boundary"
    alpha_start: Annotated[float, Field(ge=0, le=10, description="weight of this loss at the start of training")] = 0.01
    alpha_end: Annotated[float, Field(ge=0, le=10, description="weight of this loss at the end of training")] = 1.0

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        return {"distance": signed_distances(sample.mask)}

    def value(self, logits: Tensor, masks: Tensor, targets: dict[str, Tensor]) -> Tensor:
        distances = targets["distance"]  # of the classes up to the highest in the batch; all others have none
        probabilities = logits.float().softmax(1)[:, : distances.shape[1]]
        total = (probabilities * (distances * (masks != VOID).unsqueeze(1))).sum()
        return per(total, labeled(masks)) / logits.shape[1]

    def terms(self, outputs: Outputs, batch: Batch, progress: float) -> dict[str, Term]:
        alpha = self.alpha_start + (self.alpha_end - self.alpha_start) * progress
        return {name: Term(term.value, alpha) for name, term in super().terms(outputs, batch, progress).items()}


class BorderWeighted(Mapped, ClassWeighted):
    """Cross-entropy that gives narrow gaps between objects the most weight, so that they are kept apart.

    A pixel weighs w(its class) + w0 exp(-(d1 + d2)^2 / (2 sigma^2)), where d1 and d2 are its distances to the nearest
    and the second nearest instance; as in the paper, pixels of instances lack the second term. Where the data has no
    instances, the connected regions of each class take their place, and as they fill the image all pixels have the
    second term, which emphasizes every border. The weighted sum is divided by the number of labeled pixels.

    Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, eq. 2.
    """

    name = "border_weighted"
    w0: Annotated[float, Field(ge=0, le=100, description="weight added to a pixel between two touching objects")] = 10.0
    sigma: Annotated[float, Field(ge=0.5, le=50, description="width of the weighted borders, in pixels")] = 5.0

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        if sample.instances is None:
            border = closeness(regions(sample.mask), self.sigma)
        else:
            border = closeness(sample.instances, self.sigma) * (sample.instances == 0)
        return {self.weight_map: border[..., None]}

    @property
    def weight_map(self) -> str:
        return f"border {self.sigma:g}"

    def value(self, logits: Tensor, masks: Tensor, targets: dict[str, Tensor]) -> Tensor:
        costs = F.cross_entropy(logits.float(), masks, ignore_index=VOID, reduction="none")
        weights = self.pixel_weights(masks) + self.w0 * targets[self.weight_map][:, 0]
        return per((costs * weights).sum(), labeled(masks))


def signed_distances(mask: np.ndarray) -> np.ndarray:
    """float32 (H, W, C): how far each pixel is outside each class, C - 1 being the highest in the mask; inside, 1 minus
    how far it is from the nearest pixel of another class."""
    kinds, void = np.unique(mask[mask != VOID]), mask == VOID
    maps = np.zeros((int(kinds.max(initial=0)) + 1, *mask.shape), np.float32)
    for kind in kinds if len(kinds) > 1 else ():
        own = mask == kind
        maps[kind] = np.where(own, 1 - distances(own | void), distances(~own))
    return np.moveaxis(maps, 0, 2)


def distances(where: np.ndarray) -> np.ndarray:
    """float32 (H, W): how far each pixel is from the nearest one that is False in where, bool (H, W)."""
    import cv2

    found = cv2.distanceTransform(where.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)
    # OpenCV's last bit depends on where the array lies in memory; squares of distances are whole numbers
    return np.sqrt(np.rint(found * found))


def regions(mask: np.ndarray) -> np.ndarray:
    """int32 (H, W): the connected regions of each class, numbered from 1; 0 for void."""
    import cv2

    found, count = np.zeros(mask.shape, np.int32), 0
    for kind in np.unique(mask[mask != VOID]):
        own = mask == kind
        parts, numbers = cv2.connectedComponents(own.view(np.uint8))
        found[own] = numbers[own] + count
        count += parts - 1
    return found


def closeness(things: np.ndarray, sigma: float) -> np.ndarray:
    """float32 (H, W): exp(-(d1 + d2)^2 / (2 sigma^2)), d1 and d2 the distances to the two nearest of the things, int32
    (H, W) with 0 = none; 0 where it would be less than 1e-5.

    Each thing's distances are only computed as far around it as they matter.
    """
    from scipy.ndimage import find_objects

    reach = math.ceil(5 * sigma)
    first, second = (np.full(things.shape, np.inf, np.float32) for _ in range(2))
    numbers = np.unique(things, return_inverse=True)[1].reshape(things.shape) + (things.min() > 0)
    for number, (rows, columns) in enumerate(find_objects(numbers), 1):
        window = tuple(slice(max(0, part.start - reach), part.stop + reach) for part in (rows, columns))
        distance, nearest = distances(numbers[window] != number), first[window]
        second[window] = np.minimum(second[window], np.maximum(nearest, distance))
        first[window] = np.minimum(nearest, distance)
    return np.exp(-((first + second) ** 2) / (2 * sigma**2))
