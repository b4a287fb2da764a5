"""DeepLab, from the first to V3+: scores at an eighth of the size, and features looked at by several atrous rates."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Annotated, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Dropout, Normed, ResNet, Width, scoring_head, vgg16
from seglab.architectures._encoders import Backbone, DecoderDropout, DecoderWidth, OutputStride, OverEncoder, network
from seglab.architectures._pretrained import Pretrained, imagenet_resnet, imagenet_vgg16
from seglab.data.base import Batch
from seglab.errors import SeglabError
from seglab.families import Architecture, Loss, Outputs, Term

RATES = {"large": (6, 12, 18, 24), "small": (2, 4, 8, 12)}  # the paper's ASPP-L and ASPP-S
SCALES = (1, 0.75, 0.5)


class DeepLabV1(Architecture):
    """VGG16 whose last poolings keep the resolution, and a 3x3 atrous (dilated) convolution with a large field of view.

    The paper's images are 321 pixels wide and their feature maps 41, of which its rate of 12 spans 25. On a small map,
    a rate beyond its side sees nothing but padding and acts as a 1x1 convolution: the default 4 spans 9 of the 17
    pixels of the map of a 128-pixel image. The paper downsamples the truth to the map's size for its loss; here the
    scores are upsampled to the truth's size. The paper uses dropout of 0.5 before the classifier, the small default
    none.

    Source: Chen et al. 2015, https://arxiv.org/abs/1412.7062, section 3 and table 2, DeepLab-LargeFOV; the averaging
    before the head as in the authors' release.
    """

    name = "deeplab_v1"
    year = 2015
    paper = {"width": 64, "rate": 12, "batch_norm": False, "dropout": 0.5}
    parameters = 20_505_429
    width: Width = 16
    rate: Annotated[
        int, Field(ge=1, le=24, description="dilation of the last 3x3 convolution, in pixels of its feature map")
    ] = 4
    batch_norm: Normed = True
    dropout: Dropout = 0.0
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        trunk = AtrousVGG16(in_channels, self.width, self.batch_norm, average=True)
        head = scoring_head(8 * self.width, 16 * self.width, num_classes, 3, self.dropout, self.rate)
        return Atrous(trunk, [head])

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net, Atrous)
            imagenet_vgg16(net.stages())


class DeepLabV2(Architecture):
    """Atrous (dilated) convolutions at four rates in parallel, which see near and far context at once.

    The scores of the four are added (atrous spatial pyramid pooling). With multi_scale the image is also processed at
    3/4 and 1/2 of its size; each pixel takes the highest score of a class, and each size also has a loss of its own.
    Large rates on small maps see nothing but padding and act as 1x1 convolutions: an image of 128 pixels has a map of
    17, which the small field of view spans as the large one spans the 41 of the paper's images.

    The paper's ResNet has its strides in other convolutions of the blocks than torchvision's, whose weights are used
    here; and its loss downsamples the truth to the map's size, where here the scores are upsampled to the truth's.

    Source: Chen et al. 2018, https://arxiv.org/abs/1606.00915, section 3, fig. 7 and tables 3 and 4; the VGG16 is its
    DeepLab-ASPP, of 37,877,652 parameters.
    """

    name = "deeplab_v2"
    year = 2016
    paper = {
        "encoder": "resnet101", "width": 64, "field_of_view": "large", "multi_scale": True, "batch_norm": False,
        "dropout": 0.5,
    }  # fmt: skip
    parameters = 44_048_532
    encoder: Annotated[
        Literal["resnet18", "resnet50", "resnet101", "vgg16"],
        Field(description="the network that extracts the features"),
    ] = "resnet18"
    width: Annotated[
        int, Field(ge=4, le=64, description="channels of the encoder's first stage; the published encoders have 64")
    ] = 16
    field_of_view: Annotated[
        Literal["large", "small"], Field(description="dilation rates: large is 6, 12, 18, 24 and small is 2, 4, 8, 12")
    ] = "small"
    multi_scale: Annotated[bool, Field(description="process each image at three sizes and take the highest scores")] = (
        False
    )
    batch_norm: Annotated[
        bool, Field(description="batch norm in vgg16, which learns little without it unless it is pretrained")
    ] = True
    dropout: Annotated[float, Field(ge=0, le=0.9, description="dropout rate between vgg16 and the classifier")] = 0.0
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        rates, scales = RATES[self.field_of_view], SCALES if self.multi_scale else (1,)
        if self.encoder == "vgg16":
            vgg = AtrousVGG16(in_channels, self.width, self.batch_norm)
            deep, wide = 8 * self.width, 16 * self.width
            heads = [scoring_head(deep, wide, num_classes, 3, self.dropout, rate) for rate in rates]
            return Atrous(vgg, heads, scales)
        trunk = ResNet(self.encoder, in_channels, self.width, dilations=(1, 1, 2, 4))
        branches = [nn.Conv2d(trunk.channels, num_classes, 3, padding=rate, dilation=rate) for rate in rates]
        return Atrous(trunk, branches, scales)

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "none":
            return
        assert isinstance(net, Atrous)
        if self.encoder == "vgg16":
            imagenet_vgg16(net.stages())
        else:
            assert isinstance(net.trunk, ResNet)
            imagenet_resnet(net.trunk.named(), self.encoder)

    def terms(self, outputs: Outputs, batch: Batch, loss: Loss, progress: float) -> dict[str, Term]:
        """The loss of the highest scores and of each scale's own, all with the same weight."""
        terms = loss.terms(outputs, batch, progress)
        for scale, logits in outputs.extras.items():
            own = loss.terms(Outputs(logits), batch, progress)
            terms |= {f"{name}, {scale}": term for name, term in own.items()}
        return terms

    def norms(self, batch: Batch, loss: Loss) -> dict[str, Tensor]:
        norms = loss.norms(batch)
        scales = SCALES if self.multi_scale else ()
        return norms | {f"{name}, scale {scale}": norm for scale in scales for name, norm in norms.items()}


class AtrousPyramid(OverEncoder):
    """What the DeepLabs from the third on share: features looked at by several atrous rates, which suit the images."""

    output_stride: int
    rates_for: Annotated[
        int | None,
        Field(
            ge=64,
            le=2048,
            description="image side, in pixels, that the atrous rates are scaled to; empty: the run's own; the paper's "
            "6, 12 and 18 suit 513 pixels, and see mostly padding on small images",
        ),
    ] = None

    def suited(self, side: int) -> Architecture:
        return self if self.rates_for else self.model_copy(update={"rates_for": min(2048, max(64, side))})

    @property
    def rates(self) -> tuple[int, int, int]:
        """Those that suit images of `rates_for` pixels, 128 where nobody has said how many."""
        return atrous_rates(self.rates_for or 128, self.output_stride)

    def notes(self) -> list[SeglabError]:
        return [
            SeglabError(
                "atrous rates: {rates}, for images of {side} pixels at output stride {stride}; the paper's 6, 12 and "
                "18 are for 513 pixels at 16, and would see mostly padding on smaller feature maps",
                rates=", ".join(map(str, self.rates)),
                side=self.rates_for,
                stride=self.output_stride,
            )
        ]


class OverAtrousPyramid(AtrousPyramid):
    """What DeepLabV3 and its successor share, in smp's class `decoder`."""

    decoder: ClassVar[str]
    encoder: Annotated[Backbone, Field(description="the network that extracts the features")] = "mobilenet_v2_050"
    output_stride: OutputStride
    width: DecoderWidth = 32
    dropout: DecoderDropout = 0.1

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return network(
            self.decoder,
            self.encoder,
            num_classes,
            in_channels,
            encoder_output_stride=self.output_stride,
            decoder_channels=self.width,
            decoder_atrous_rates=self.rates,
            decoder_aspp_dropout=self.dropout,
            upsampling=1,
        )


class DeepLabV3(OverAtrousPyramid):
    """Sees the encoder's features at several atrous rates and as a global average, so that object size matters less.

    As in smp and torchvision, there is a 3x3 convolution after the pyramid that the paper lacks, and the last blocks do
    not vary their rates (no multi-grid); unlike in torchvision, a dilated stage's first block is dilated like the
    others. The logits have the encoder's last resolution.

    Source: Chen et al. 2017, https://arxiv.org/abs/1706.05587, figure 5.
    """

    name = "deeplab_v3"
    year = 2017
    paper = {"encoder": "resnet101", "output_stride": 16, "width": 256, "rates_for": 513}
    parameters = 58_630_997
    decoder = "DeepLabV3"
    output_stride: OutputStride = 8


class DeepLabV3Plus(OverAtrousPyramid):
    """DeepLabV3 with a small decoder that adds the encoder's fine features, for sharper edges.

    The published encoder is timm's Xception-65, which has the paper's changes: more layers, and strides in place of
    pooling. The rest is smp's. Where the paper and the authors' TensorFlow release mix what the pyramid gives and the
    fine features by two 3x3 convolutions, it has one before the two are joined and one after. All are separable; in the
    paper and the release the part for each channel by itself has a batch norm and ReLU of its own, here it has none.

    The pyramid's features are enlarged with their corners aligned, as in the release, whose images have sides of
    16 k + 1; there that shifts nothing. Here the sides are multiples of 32: toward the right and the bottom the
    features come to lie up to 12 pixels of the image beyond the fine ones that they are joined with. The logits are
    enlarged without aligned corners, where the release has them aligned, too.

    Source: Chen et al. 2018, https://arxiv.org/abs/1802.02611, figure 2; the decoder is smp's, with one separable 3x3
    convolution before the fine features are joined and one after, where the paper has two after.
    """

    name = "deeplab_v3_plus"
    year = 2018
    paper = {"encoder": "xception65", "output_stride": 16, "width": 256, "rates_for": 513}
    parameters = 41_042_005
    decoder = "DeepLabV3Plus"
    output_stride: OutputStride = 16


class AtrousVGG16(nn.Module):
    """VGG16 with 3x3 poolings, of which the last two keep the size; the last stage has holes instead.

    `average` smooths what comes out, as the first DeepLab does.
    """

    def __init__(self, in_channels: int, width: int, norm: bool, average: bool = False):
        super().__init__()
        self.stages, self.average = vgg16(in_channels, width, norm, dilation=2), average

    def forward(self, x: Tensor) -> Tensor:
        for number, stage in enumerate(self.stages):
            x = F.max_pool2d(stage(x), 3, 2 if number < 3 else 1, padding=1, ceil_mode=True)
        return F.avg_pool2d(x, 3, 1, padding=1) if self.average else x


class Atrous(nn.Module):
    """A trunk at an eighth of the resolution and branches whose scores are added; with several scales, pixel-wise the
    maximum of the scores at each, which are extras.

    The image gets one more row and column, so that its sides are 32 k + 1, as the paper's. The map's pixels then lie on
    the image's 0, 8, 16, ... up to both ends, at every scale, and aligning the corners enlarges them without a shift.
    """

    def __init__(self, trunk: AtrousVGG16 | ResNet, branches: Sequence[nn.Module], scales: Sequence[float] = (1,)):
        super().__init__()
        self.trunk, self.branches, self.scales = trunk, nn.ModuleList(branches), scales

    def stages(self) -> list[nn.Module]:
        return list(self.trunk.stages)

    def forward(self, images: Tensor) -> Tensor | Outputs:
        height, width = images.shape[-2:]
        images = F.pad(images, (0, 1, 0, 1), mode="replicate")

        def enlarged(scores: Tensor) -> Tensor:
            return aligned(scores, (height + 1, width + 1))[..., :height, :width]

        if len(self.scales) == 1:
            return enlarged(self.scores(images))
        maps = [
            self.scores(aligned(images, (round(height * scale) + 1, round(width * scale) + 1))) for scale in self.scales
        ]
        maps = [aligned(scores, maps[0].shape[-2:]) for scores in maps]
        extras = {f"scale {scale}": enlarged(scores) for scale, scores in zip(self.scales, maps, strict=True)}
        return Outputs(enlarged(reduce(torch.maximum, maps)), extras)

    def scores(self, images: Tensor) -> Tensor:
        """(B, C, 32 k + 1, 32 l + 1) -> (B, K, 4 k + 1, 4 l + 1)."""
        features = self.trunk(images)
        return reduce(add, (branch(features) for branch in self.branches))


def aligned(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps at another size, bilinearly; the middles of the corner pixels stay where they are."""
    if tuple(maps.shape[-2:]) == tuple(size):
        return maps
    return F.interpolate(maps, size, mode="bilinear", align_corners=True)


def atrous_rates(side: int, output_stride: int) -> tuple[int, int, int]:
    """The paper's rates of 6, 12 and 18, made for images of 513 pixels at stride 16, as images of `side` need them."""
    suited = [round(rate * side * 16 / (513 * output_stride)) for rate in (6, 12, 18)]
    first = max(1, suited[0])
    second = max(first + 1, suited[1])
    return first, second, max(second + 1, suited[2])
