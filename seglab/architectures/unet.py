"""The U-Net and the two networks it is compared with: without skips, and with a VGG16 encoder."""

from collections.abc import Sequence
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Encoder, convolutions, he_initialized, upsampling
from seglab.architectures._blocks import Width as VGG16Width
from seglab.architectures._pretrained import Pretrained, imagenet_vgg16
from seglab.families import Architecture

Width = Annotated[int, Field(ge=4, le=128, description="channels of the first stage; each further stage doubles them")]
Depth = Annotated[int, Field(ge=2, le=5, description="number of times the encoder halves the resolution")]
Skip = Literal["concat", "add", "none"]


class EncoderDecoder(Architecture):
    """Downsamples the image to a small map and upsamples it again, without skip connections: thin objects get lost.

    Source: the U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) with its skip connections removed.
    """

    name = "encoder_decoder"
    year = 2015
    paper = {"width": 64, "depth": 4}
    parameters = 27_905_493
    width: Width = 16
    depth: Depth = 4

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return symmetric(in_channels, num_classes, self.width, self.depth, "none")


class UNet(Architecture):
    """An encoder and a decoder joined by skip connections at every resolution, which preserve edges.

    The padded variant has batch norm and keeps the image's size, as is usual today. The original variant is the
    paper's: convolutions with a bias and no norm that shrink the map, dropout on the two deepest stages, and skip
    connections cropped to the decoder's size. It sees more than the image, which is mirrored at its borders, so that
    all of the image is labeled. The unpadded variant is between the two: the paper's convolutions with batch norm and
    without dropout. Adding the skip connections instead of concatenating them leaves the decoder as large as without
    any.

    Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, fig. 1 and 2; the place of the dropout as in the
    authors' release.
    """

    name = "unet"
    year = 2015
    paper = {"width": 64, "depth": 4, "variant": "original"}
    parameters = 31_033_045
    width: Width = 16
    depth: Depth = 4
    variant: Annotated[
        Literal["padded", "unpadded", "original"],
        Field(
            description="padded convolutions with batch norm; unpadded ones on a mirrored border; or the 2015 "
            "original, without batch norm"
        ),
    ] = "padded"
    skip: Annotated[Skip, Field(description="how the encoder's features are passed to the decoder")] = "concat"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        if self.variant == "original":
            return OverlapTile(original(in_channels, num_classes, self.width, self.depth, self.skip), self.depth)
        if self.variant == "unpadded":
            net = symmetric(in_channels, num_classes, self.width, self.depth, self.skip, padding=0)
            return OverlapTile(net, self.depth)
        return symmetric(in_channels, num_classes, self.width, self.depth, self.skip)


class UNetVGG16(Architecture):
    """A U-Net with VGG16 as its encoder; the skip connection at full resolution is kept.

    The unet decoder is the U-Net's, with two convolutions between VGG16's last pooling and the decoder; the ternaus
    decoder is TernausNet-16's, with one convolution and one 4x4 transposed convolution per stage.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1 D, as the encoder of a U-Net, as in
    Iglovikov and Shvets 2018, https://arxiv.org/abs/1801.05746, whose figure shows VGG11; VGG16 is in their release.
    """

    name = "unet_vgg16"
    year = 2018
    paper = {"width": 64, "batch_norm": False, "decoder": "ternaus"}
    parameters = 32_202_997
    width: VGG16Width = 16
    batch_norm: Annotated[bool, Field(description="batch norm after every 3x3 convolution")] = True
    decoder: Annotated[Literal["unet", "ternaus"], Field(description="the U-Net's decoder, or TernausNet's")] = "unet"
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        widths = [self.width * factor for factor in (1, 2, 4, 8, 8)]
        counts = [2, 2, 3, 3, 3]
        if self.decoder == "unet":  # a sixth stage is the bottom, on VGG16's pool5
            widths, counts = [*widths, widths[-1]], [*counts, 2]
        stages = [
            convolutions(before, after, count, self.batch_norm)
            for before, after, count in zip([in_channels, *widths[:-1]], widths, counts, strict=True)
        ]
        if self.decoder == "unet":
            net: nn.Module = SkipNet(Encoder(*stages), widths, num_classes, norm=self.batch_norm)
        else:
            net = TernausNet(Encoder(*stages), widths, num_classes, norm=self.batch_norm)
        return net if self.batch_norm else he_initialized(net, transposed=True)

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net, SkipNet | TernausNet)
            imagenet_vgg16(net.stages()[:5])


class SkipNet(nn.Module):
    """An encoder, a decoder that doubles the resolution stage by stage, and a 1x1 classifier.

    `widths` are the channels of the encoder's stages, shallow to deep. Each decoder stage sees the encoder's features
    of its resolution too, concatenated or added as `skip` says, and cut where convolutions without padding have left
    the decoder a smaller map.
    """

    def __init__(
        self,
        encoder: Encoder,
        widths: list[int],
        num_classes: int,
        skip: Skip = "concat",
        norm: bool = True,
        padding: int = 1,
    ):
        super().__init__()
        self.encoder, self.skip = encoder, skip
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(upsampling(deep, shallow))
            seen = 2 * shallow if skip == "concat" else shallow
            self.decoder.append(convolutions(seen, shallow, norm=norm, padding=padding))
        self.classifier = nn.Conv2d(widths[0], num_classes, 1)

    def stages(self) -> list[nn.Module]:
        return list(self.encoder.stages)

    def forward(self, images: Tensor) -> Tensor:
        *shallow, x = self.encoder(images)
        for up, decode, features in zip(self.up, self.decoder, reversed(shallow), strict=True):
            x = up(x)
            if self.skip == "concat":
                x = torch.cat([centre(features, x.shape[-2:]), x], 1)
            elif self.skip == "add":
                x = x + centre(features, x.shape[-2:])
            x = decode(x)
        return self.classifier(x)


class TernausNet(nn.Module):
    """VGG16's five stages, and blocks of a 3x3 convolution and a 4x4 transposed one, each with a ReLU.

    `widths` are the channels of the encoder's stages, shallow to deep. The first block sees the pooled last stage, each
    other one the block before it and the encoder's features of its resolution.
    """

    def __init__(self, encoder: Encoder, widths: list[int], num_classes: int, norm: bool):
        super().__init__()
        self.encoder, self.blocks = encoder, nn.ModuleList()
        unit, before = widths[0] // 2, 0
        deep = [widths[-1], *widths[:0:-1]]
        for seen, inner, outer in zip(deep, (16, 16, 16, 8, 4), (8, 8, 8, 2, 1), strict=True):
            grow = nn.ConvTranspose2d(inner * unit, outer * unit, 4, stride=2, padding=1)
            self.blocks.append(nn.Sequential(*convolutions(seen + before, inner * unit, 1, norm), grow, nn.ReLU(True)))
            before = outer * unit
        self.last = convolutions(widths[0] + before, unit, 1, norm)
        self.classifier = nn.Conv2d(unit, num_classes, 1)

    def stages(self) -> list[nn.Module]:
        return list(self.encoder.stages)

    def forward(self, images: Tensor) -> Tensor:
        features = self.encoder(images)
        x = self.encoder.pool(features[-1])
        for block, skip in zip(self.blocks, reversed(features), strict=True):
            x = torch.cat([block(x), skip], 1)
        return self.classifier(self.last(x))


class OverlapTile(nn.Module):
    """A network of convolutions without padding, which labels a whole image: what it sees around it is mirrored.

    `depth` is how often it halves the resolution; what it gives is smaller than what it is given.
    """

    def __init__(self, net: SkipNet, depth: int):
        super().__init__()
        self.net, self.scale = net, 2**depth

    def stages(self) -> list[nn.Module]:
        return self.net.stages()

    def forward(self, images: Tensor) -> Tensor:
        margins = [self.margin(side) for side in images.shape[-2:]]
        return centre(self.net(mirrored(images, *margins)), images.shape[-2:])

    def margin(self, side: int) -> int:
        """How many pixels the network needs before and behind `side` of them, an even number, to label these at least.

        With s = 2^depth, s n + 8 s - 4 pixels become n at the bottom, from which come s n - 4 s + 4.
        """
        bottom = -(-(side + 4 * self.scale - 4) // self.scale)
        return (self.scale * bottom + 8 * self.scale - 4 - side) // 2


def mirrored(images: Tensor, vertical: int, horizontal: int) -> Tensor:
    """Images (B, C, H, W) with so many more pixels at each border: mirrored, and where an image is too small for that,
    with its farthest pixels repeated."""
    wanted = (horizontal, horizontal, vertical, vertical)
    most = [side - 1 for side in (images.shape[-1], images.shape[-1], images.shape[-2], images.shape[-2])]
    mirror = [min(want, can) for want, can in zip(wanted, most, strict=True)]
    images = F.pad(images, mirror, mode="reflect")
    rest = [want - done for want, done in zip(wanted, mirror, strict=True)]
    return F.pad(images, rest, mode="replicate") if any(rest) else images


def centre(maps: Tensor, size: Sequence[int]) -> Tensor:
    """The middle of maps (B, C, H, W), `size` = (h, w) of it."""
    top, left = ((have - want) // 2 for have, want in zip(maps.shape[-2:], size, strict=True))
    return maps[..., top : top + size[0], left : left + size[1]]


def symmetric(in_channels: int, num_classes: int, width: int, depth: int, skip: Skip, padding: int = 1) -> SkipNet:
    """A SkipNet of `depth` + 1 stages, two convolutions each, the channels doubling from `width`."""
    widths = [width << stage for stage in range(depth + 1)]
    pairs = zip([in_channels, *widths], widths, strict=False)
    stages = [convolutions(before, after, padding=padding) for before, after in pairs]
    return SkipNet(Encoder(*stages), widths, num_classes, skip, padding=padding)


def original(in_channels: int, num_classes: int, width: int, depth: int, skip: Skip) -> SkipNet:
    """The same of convolutions without padding or norm, with dropout on the two deepest stages."""
    widths = [width << stage for stage in range(depth + 1)]
    pairs = zip([in_channels, *widths], widths, strict=False)
    stages = [convolutions(before, after, norm=False, padding=0) for before, after in pairs]
    for stage in stages[-2:]:
        stage.append(nn.Dropout(0.5))
    net = SkipNet(Encoder(*stages), widths, num_classes, skip, norm=False, padding=0)
    return he_initialized(net, transposed=True)
