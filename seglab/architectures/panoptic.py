"""Panoptic-DeepLab: what each pixel is, where things have their centers, and which center each pixel belongs to."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import BeforeValidator, Field
from torch import Tensor, nn

from seglab.architectures._encoders import Backbone, DecoderDropout, digits, smp_name
from seglab.architectures._stages import stages
from seglab.architectures.deeplab import AtrousPyramid
from seglab.data.base import VOID, Batch, Sample, spread
from seglab.errors import SeglabError
from seglab.families import Loss, Outputs, Run, RunConfig, Term
from seglab.optimizers import SGD
from seglab.torchvision_guard import torchvision

if TYPE_CHECKING:
    from segmentation_models_pytorch.encoders._base import EncoderMixin

SIDE = 1024  # the longer side, in pixels, of the images that the paper's numbers below are meant for
SIGMA, LEAST_SIGMA = 8, 1.5  # pixels: how wide a center is in the heatmap's truth, and at least on small images
THRESHOLD, KERNEL, MOST = 0.1, 7, 200  # what is a center: how high it is, among how many pixels, and how many there are
STEEPEST = 6  # learning rate of sgd x weight of the centers x inputs of their last layer: 5.4 learns, 9 diverges
LOOKED_AT = 500  # training images that tell which classes are things


class PanopticDeepLab(AtrousPyramid):
    """Labels every pixel and separates instances: it predicts their centers and each pixel's offset to its own.

    Each of the two tasks has its own atrous pyramid and decoder on a shared encoder. The terms centre and offset are
    added to whatever loss is selected; the paper uses cross-entropy on the hardest pixels and gives small instances
    more weight. Offsets are measured in pixels of an image whose longer side is 1024, and centers are as wide as on
    such an image but no narrower than 1.5 pixels, so that the two weights mean the same at any size. Which classes are
    things is read from the training images: those with more than half of their pixels in an instance.

    The decoders' convolutions are the paper's, a separable 5x5 one after each skip. The release enlarges maps with
    their corners aligned, in the decoders and at the end, for images with sides of 32 k + 1; here the sides are
    multiples of 32, and no corners are aligned. The release also gives each instance the class that most of its pixels
    have, and removes small areas of other classes; here the classes stay as they are predicted.

    Source: Cheng et al. 2020, https://arxiv.org/abs/1911.10194, section 3 and figure 2; channels, rates and the third
    skip at output stride 32 as in the authors' PyTorch release, which aligns the corners of maps that it enlarges, as
    nothing does here.
    """

    name = "panoptic_deeplab"
    year = 2020
    paper = {"encoder": "resnet50", "output_stride": 32, "width": 256, "rates_for": 513, "dropout": 0.5}
    parameters = 55_309_384
    encoder: Annotated[
        Literal["tu-test_resnet", Backbone], Field(description="the network whose features both tasks share")
    ] = "tu-test_resnet"
    output_stride: Annotated[
        Literal[16, 32],
        BeforeValidator(digits),
        Field(description="how many times smaller than the image the encoder's last feature map is"),
    ] = 16
    width: Annotated[
        int, Field(ge=4, le=512, description="channels of the classes' decoder; the instances' has half as many")
    ] = 64
    dropout: DecoderDropout = 0.1
    center_weight: Annotated[
        float, Field(ge=0, le=10_000, description="weight of the center heatmap's loss, a mean squared error")
    ] = 200.0
    offset_weight: Annotated[
        float,
        Field(
            ge=0,
            le=10,
            description="weight of the offset loss, in pixels of an image whose longer side is 1024",
        ),
    ] = 0.01

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        torchvision()
        from segmentation_models_pytorch.encoders import get_encoder

        name, stride = smp_name(self.encoder), self.output_stride
        # timm's residual blocks would begin as identities, whose other weights get no gradient at the first step
        options = {"zero_init_last": False} if name == "tu-test_resnet" else {}
        encoder = get_encoder(name, in_channels=in_channels, weights=None, output_stride=stride, **options)
        return TwoTasks(encoder, in_channels, num_classes, stride, self.width, self.head, self.rates, self.dropout)

    @property
    def head(self) -> int:
        """Channels of the heads of centers and offsets: an eighth of the width."""
        return max(4, self.width // 8)

    def advice(self, config: RunConfig) -> list[SeglabError]:
        """The heatmap's loss is steep: the gradient of its head's last layer grows with its weight and its inputs."""
        steepness, optimizer = self.center_weight * (self.head + 1), config.optimizer
        if not isinstance(optimizer, SGD) or optimizer.clip or optimizer.lr * steepness <= STEEPEST:
            return []
        limit = STEEPEST / steepness
        digit = 10.0 ** math.floor(math.log10(limit))
        return [
            SeglabError(
                "{model} will probably diverge with sgd at a learning rate of {lr}, since its loss of the centers has "
                "the weight {weight}; use adamw, clip the gradients (optimizer.clip 1), or a rate of at most {most}",
                model=self.name,
                lr=f"{optimizer.lr:g}",
                weight=f"{self.center_weight:g}",
                most=f"{math.floor(limit / digit) * digit:g}",
            )
        ]

    def start(self, run: Run) -> None:
        """Tells the network which classes are things; raises SeglabError where the training images have none."""
        things = things_among([run.train[n] for n in spread(len(run.train), LOOKED_AT)], len(run.data.classes))
        if not things.any():
            raise SeglabError(
                "panoptic_deeplab learns from instance labels, and the training images of {data} have none; streets "
                "has them",
                data=run.config.data.name,
            )
        run.model.net.things.copy_(torch.from_numpy(things))

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        """The heatmap of centers, the offsets, and where each counts: (H, W, 1), (H, W, 2), (H, W, 1), (H, W, 1).

        Without instances nothing counts.
        """
        instances = np.zeros(sample.mask.shape, np.int32) if sample.instances is None else sample.instances
        labeled = (sample.mask != VOID) & (sample.instances is not None)
        centre, offset = center_maps(instances)
        return {
            "center": centre[..., None],
            "offset": offset,
            "center_weight": labeled[..., None].astype(np.float32),
            "offset_weight": (labeled & (instances > 0))[..., None].astype(np.float32),
        }

    def terms(self, outputs: Outputs, batch: Batch, loss: Loss, progress: float) -> dict[str, Term]:
        """The loss's own terms; the mean squared difference of the heatmap; the mean difference of the offsets."""
        truth = batch.targets
        centre = (outputs.extras["center"] - truth["center"]).square()
        offset = (outputs.extras["offset"] - truth["offset"]).abs() * SIDE
        return loss.terms(outputs, batch, progress) | {
            "center": Term(weighted_mean(centre, truth["center_weight"]), self.center_weight),
            "offset": Term(weighted_mean(offset, truth["offset_weight"]), self.offset_weight),
        }

    def norms(self, batch: Batch, loss: Loss) -> dict[str, Tensor]:
        return loss.norms(batch) | {name: batch.targets[f"{name}_weight"].sum() for name in ("center", "offset")}

    def instances(self, outputs: Outputs, labels: np.ndarray) -> np.ndarray:
        centre, offset = (outputs.extras[name][0].cpu().numpy() for name in ("center", "offset"))
        return grouped(centre[0], offset, outputs.extras["things"].cpu().numpy()[labels])


# --- what is learned --------------------------------------------------------------------------------------------------


def center_maps(instances: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The heatmap (H, W) of instances int32 (H, W), and each pixel's way (H, W, 2), down and right, to its center.

    A center is the mean place of an instance's pixels. The heatmap is the maximum of their Gaussians, each cut off at 3
    sigma; ways are shares of the longer side, 0 where there is no instance.
    """
    side = max(instances.shape)
    sigma = max(LEAST_SIGMA, SIGMA * side / SIDE)
    heatmap = np.zeros(instances.shape, np.float32)
    offset = np.zeros((*instances.shape, 2), np.float32)
    places = np.argwhere(instances)
    _, which, counts = np.unique(instances[instances != 0], return_inverse=True, return_counts=True)
    centres = np.stack([np.bincount(which, axis) for axis in places.T], 1) / counts[:, None]
    offset[tuple(places.T)] = (centres[which] - places) / side
    for centre in centres:
        low = np.maximum(np.ceil(centre - 3 * sigma).astype(int), 0)
        high = np.floor(centre + 3 * sigma).astype(int) + 1
        window = heatmap[low[0] : high[0], low[1] : high[1]]
        rows, columns = np.ogrid[: window.shape[0], : window.shape[1]]
        square = (rows + low[0] - centre[0]) ** 2 + (columns + low[1] - centre[1]) ** 2
        gaussian = np.exp(-square / (2 * sigma**2)) * (square <= 9 * sigma**2)
        np.maximum(window, gaussian, out=window, casting="same_kind")
    return heatmap, offset


def things_among(samples: list[Sample], num_classes: int) -> np.ndarray:
    """bool (K,): the classes of whose pixels more than half belong to an instance."""
    pixels, within = np.zeros(256, np.int64), np.zeros(256, np.int64)
    for sample in samples:
        pixels += np.bincount(sample.mask.ravel(), minlength=256)
        if sample.instances is not None:
            within += np.bincount(sample.mask[sample.instances > 0], minlength=256)
    return (2 * within > pixels)[:num_classes]


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """The mean of values (B, C, H, W) by weights (B, 1, H, W); zero, with a graph, where nothing counts."""
    return (values * weights).sum() / (values.shape[1] * weights.sum()).clamp(min=1)


# --- what is found ----------------------------------------------------------------------------------------------------


def grouped(heatmap: np.ndarray, offset: np.ndarray, things: np.ndarray) -> np.ndarray:
    """int32 (H, W): the pixels of things (bool) numbered by the center nearest to where their offset (2, H, W) points.

    The higher the heatmap (H, W) at a center, the smaller its number; those of 1 on have pixels.
    """
    from scipy.spatial import cKDTree

    found = np.zeros(heatmap.shape, np.int32)
    centres, places = peaks(heatmap), np.argwhere(things)
    if len(centres) and len(places):
        aims = places + offset[:, things].T * max(heatmap.shape)
        _, nearest = cKDTree(centres).query(aims)
        found[things] = np.unique(nearest, return_inverse=True)[1] + 1
    return found


def peaks(heatmap: np.ndarray) -> np.ndarray:
    """The centers (N, 2) in a heatmap (H, W), the highest first: above the threshold, and nothing near is higher.

    Where neighbors are equally high their middle is taken.
    """
    from scipy import ndimage

    size = 2 * max(1, round((KERNEL * max(heatmap.shape) / SIDE - 1) / 2)) + 1
    highest = (heatmap > THRESHOLD) & (heatmap == ndimage.maximum_filter(heatmap, size, mode="nearest"))
    places = np.argwhere(highest)
    which = ndimage.label(highest, np.ones((3, 3)))[0][highest] - 1
    centres = np.stack([np.bincount(which, axis) for axis in places.T], 1) / np.bincount(which)[:, None]
    first = np.unique(which, return_index=True)[1]
    order = np.argsort(-heatmap[highest][first], kind="stable")
    return centres[order[:MOST]]


# --- the network ------------------------------------------------------------------------------------------------------


class TwoTasks(nn.Module):
    """An encoder and, on its features, a decoder for the classes and one for the instances: maps at a quarter of the
    image's size.

    `things` says which classes are told apart; it is saved with the weights.
    """

    def __init__(
        self,
        encoder: EncoderMixin,
        in_channels: int,
        num_classes: int,
        output_stride: int,
        width: int,
        head: int,
        rates: tuple[int, ...],
        dropout: float,
    ):
        super().__init__()
        self.encoder = encoder
        self.parts = stages(encoder, in_channels)
        self.levels = {16: [3, 2], 32: [4, 3, 2]}[output_stride]  # of the skips: at 1 / 2^level of the size, deep first
        channels = [encoder.out_channels[level] for level in (-1, *self.levels)]
        few = [width >> 5 - level for level in self.levels]  # half of the width at level 4, a quarter at 3, ...
        half = max(4, width // 2)
        self.semantic = Decoder(channels, width, width, few, rates, dropout)
        self.instance = Decoder(channels, width, half, [count // 2 for count in few], rates, dropout)
        self.classifier = nn.Sequential(*separable(width, width), nn.Conv2d(width, num_classes, 1))
        self.centre = nn.Sequential(*separable(half, head), nn.Conv2d(head, 1, 1))
        self.offset = nn.Sequential(*separable(half, head), nn.Conv2d(head, 2, 1))
        for regression in (self.centre[-1], self.offset[-1]):  # what they give begins near 0, as most of the truth is
            assert isinstance(regression, nn.Conv2d) and regression.bias is not None
            nn.init.normal_(regression.weight, std=0.001)
            nn.init.zeros_(regression.bias)
        self.register_buffer("things", torch.zeros(num_classes, dtype=torch.bool))

    def stages(self) -> list[nn.Module]:
        return list(self.parts)

    def forward(self, images: Tensor) -> Outputs:
        features = self.encoder(images)
        skips = [features[level] for level in self.levels]
        instance = self.instance(features[-1], skips)
        extras = {"center": self.centre(instance), "offset": self.offset(instance), "things": self.things}
        return Outputs(self.classifier(self.semantic(features[-1], skips)), extras)


class Decoder(nn.Module):
    """An atrous pyramid on the deepest features; then, skip by skip, enlarged, joined with it and mixed.

    `channels` are those of the features, deep to shallow; a 1x1 convolution makes `projected`, or 4, of the skips'.
    """

    def __init__(
        self,
        channels: list[int],
        pyramid: int,
        width: int,
        projected: list[int],
        rates: tuple[int, ...],
        dropout: float,
    ):
        super().__init__()
        self.pyramid = Pyramid(channels[0], pyramid, rates, dropout)
        self.project, self.mix = nn.ModuleList(), nn.ModuleList()
        before = pyramid
        for skip, few in zip(channels[1:], projected, strict=True):
            few = max(4, few)
            self.project.append(normed(skip, few, 1))
            self.mix.append(separable(before + few, width))
            before = width

    def forward(self, deep: Tensor, skips: list[Tensor]) -> Tensor:
        x = self.pyramid(deep)
        for project, mix, skip in zip(self.project, self.mix, skips, strict=True):
            x = F.interpolate(x, skip.shape[-2:], mode="bilinear")
            x = mix(torch.cat([x, project(skip)], 1))
        return x


class Pyramid(nn.Module):
    """Atrous spatial pyramid pooling: a 1x1 convolution, 3x3 ones at several rates and the whole image's mean.

    The mean has no batch norm, as in the authors' release: it could not learn from the one pixel of a single image.
    """

    def __init__(self, in_channels: int, width: int, rates: tuple[int, ...], dropout: float):
        super().__init__()
        branches = [normed(in_channels, width, 1), *(normed(in_channels, width, 3, rate) for rate in rates)]
        self.branches = nn.ModuleList(branches)
        self.whole = nn.Sequential(nn.Conv2d(in_channels, width, 1, bias=False), nn.ReLU(True))
        self.project = nn.Sequential(*normed(width * (len(branches) + 1), width, 1), nn.Dropout(dropout))

    def forward(self, x: Tensor) -> Tensor:
        whole = self.whole(x.mean((2, 3), keepdim=True)).expand(-1, -1, *x.shape[-2:])
        return self.project(torch.cat([*(branch(x) for branch in self.branches), whole], 1))


def normed(in_channels: int, channels: int, side: int, dilation: int = 1, groups: int = 1) -> nn.Sequential:
    """A convolution that keeps the size, batch norm and ReLU."""
    padding = dilation * (side // 2)
    convolution = nn.Conv2d(in_channels, channels, side, 1, padding, dilation, groups, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(channels), nn.ReLU(True))


def separable(in_channels: int, channels: int) -> nn.Sequential:
    """A 5x5 convolution of each channel by itself, then a 1x1 convolution; each with batch norm and ReLU."""
    return nn.Sequential(*normed(in_channels, in_channels, 5, groups=in_channels), *normed(in_channels, channels, 1))
