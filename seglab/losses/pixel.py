"""Losses that score each pixel by itself."""

import torch.nn.functional as F
from torch import Tensor

from seglab.data.base import VOID
from seglab.entry import Loss


class CrossEntropy(Loss):
    """Scores every pixel by the probability of its true class, so frequent classes weigh most.

    Source: Long et al. 2015, https://arxiv.org/abs/1411.4038, section 4: the mean of -log p(truth) over
    labelled pixels.
    """

    name = "cross_entropy"

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        total = F.cross_entropy(logits.float(), masks, ignore_index=VOID, reduction="sum")
        return total / (masks != VOID).sum().clamp(min=1)
