"""Losses that compare the structure of neighborhoods."""

from functools import reduce
from operator import mul

import torch
import torch.nn.functional as F
from torch import Tensor

from seglab.data.base import VOID
from seglab.families import Loss

WINDOW, SIGMA = 11, 1.5  # pixels
C1, C2 = 0.01**2, 0.03**2  # for values from 0 to 1
WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)  # of the scales, from fine to coarse
LEAST = 1e-4  # a similarity below this counts as this: a negative one has no power


class MsSsim(Loss):
    """Compares the structure of prediction and ground truth at scales from fine to coarse, as if they were two images.

    1 - MS-SSIM of the probabilities and the truth of each class, averaged over the images that have the class, then
    over classes. There are up to five scales, as many as keep the window within the smallest one: three at 64 pixels,
    four at 128, five from 176 on; their weights are scaled to the sum of all five's. A window counts by its labeled
    fraction.

    Where prediction and truth are opposed, the similarity is cut off and has no gradient, so this loss needs another
    one beside it.

    Source: Wang et al. 2003, https://doi.org/10.1109/ACSSC.2003.1292216, eq. 7.
    """

    name = "ms_ssim"

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        probabilities = logits.float().softmax(1)
        valid = (masks != VOID).unsqueeze(1)
        kinds = torch.arange(logits.shape[1], device=masks.device).view(1, -1, 1, 1)
        truth = masks.unsqueeze(1) == kinds
        image, kind = truth.flatten(2).any(2).nonzero(as_tuple=True)
        if not len(image):
            return (probabilities * 0).sum()
        scores = ms_ssim((probabilities * valid)[image, kind], truth[image, kind].float(), valid[image, 0].float())
        sums = scores.new_zeros(logits.shape[1]).index_add(0, kind, 1 - scores)
        counts = kind.bincount(minlength=logits.shape[1])
        return (sums / counts.clamp(min=1)).sum() / (counts > 0).sum()


def ms_ssim(one: Tensor, other: Tensor, valid: Tensor) -> Tensor:
    """(N,): the similarity of maps (N, H, W) with values from 0 to 1; valid is 1 where they count, else 0."""
    side = min(one.shape[-2:])
    window = min(WINDOW, side - 1 + side % 2)  # odd
    scales = max(n for n in range(1, len(WEIGHTS) + 1) if n == 1 or side >> n - 1 >= window)
    factors = []
    for scale, weight in enumerate(WEIGHTS[:scales]):
        if scale:
            one, other, valid = (F.avg_pool2d(maps, 2) for maps in (one, other, valid))
        light, contrast = similarity(one, other, valid, window)
        score = contrast if scale < scales - 1 else light
        factors.append(score.clamp(min=LEAST) ** (weight * sum(WEIGHTS) / sum(WEIGHTS[:scales])))
    return reduce(mul, factors)


def similarity(one: Tensor, other: Tensor, valid: Tensor, window: int) -> tuple[Tensor, Tensor]:
    """SSIM (N,) of maps (N, H, W), and its factor without the means, which compares contrast and structure alone."""
    rows, columns = (averages(length, window, one.device) for length in one.shape[-2:])
    several = (one, other, one * one, other * other, one * other, valid)
    a, b, aa, bb, ab, share = (rows @ maps @ columns.T for maps in several)
    a2, b2, product = a * a, b * b, a * b
    contrast = share * (2 * (ab - product) + C2) / (aa - a2 + bb - b2 + C2)
    light = (2 * product + C1) / (a2 + b2 + C1)
    total = share.sum((1, 2)).clamp(min=1e-6)
    return (light * contrast).sum((1, 2)) / total, contrast.sum((1, 2)) / total


def averages(length: int, window: int, device: torch.device) -> Tensor:
    """(length - window + 1, length): the matrix that averages a line in Gaussian windows.

    A product of matrices takes a third of the time of a convolution of single channels, forward and backward.
    """
    steps = torch.arange(length, device=device)
    places = steps - steps[: length - window + 1, None]  # of each pixel in each window
    inside = (places >= 0) & (places < window)
    weights = torch.exp(-((places - window // 2) ** 2) / (2 * SIGMA**2)) * inside
    return weights / weights.sum(1, keepdim=True)
