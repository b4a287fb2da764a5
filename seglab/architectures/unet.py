"""The U-Net and the two networks it is compared with: without skips, and with a VGG16 encoder."""

from typing import Annotated

import torch
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Encoder, convolutions, upsampling
from seglab.entry import Architecture

Width = Annotated[int, Field(ge=4, le=128, description="channels of the first stage; each further stage doubles them")]
Depth = Annotated[int, Field(ge=2, le=5, description="how often the encoder halves the resolution")]


class EncoderDecoder(Architecture):
    """Squeezes the image to a small map and grows it back, with no skip connections: thin things get lost.

    Source: the U-Net (Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597) with its skip connections removed.
    """

    name = "encoder_decoder"
    paper = {"width": 64, "depth": 4}
    parameters = 27_905_493
    width: Width = 16
    depth: Depth = 4

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return symmetric(in_channels, num_classes, self.width, self.depth, skips=False)


class UNet(Architecture):
    """An encoder and a decoder joined by skip connections at every resolution, so that edges survive.

    Source: Ronneberger et al. 2015, https://arxiv.org/abs/1505.04597, fig. 1; padded convolutions and batch norm, as is
    usual today.
    """

    name = "unet"
    paper = {"width": 64, "depth": 4}
    parameters = 31_038_933
    width: Width = 16
    depth: Depth = 4

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return symmetric(in_channels, num_classes, self.width, self.depth, skips=True)


class UNetVGG16(Architecture):
    """A U-Net whose encoder is VGG16 with batch norm; the skip at full resolution is kept.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1 D, as the encoder of a U-Net, as in
    Iglovikov and Shvets 2018, https://arxiv.org/abs/1801.05746.
    """

    name = "unet_vgg16"
    paper = {"width": 64}
    parameters = 38_711_765
    width: Annotated[
        int, Field(ge=4, le=64, description="channels of the first stage; VGG16 has 64, the last has 8 times as many")
    ] = 16

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        widths = [self.width * factor for factor in (1, 2, 4, 8, 8, 8)]
        stages, channels = [], in_channels
        for width, count in zip(
            widths, (2, 2, 3, 3, 3, 2), strict=True
        ):  # the last one is the bottom, on VGG16's pool5
            stages.append(convolutions(channels, width, count))
            channels = width
        return SkipNet(Encoder(*stages), widths, num_classes, skips=True)


class SkipNet(nn.Module):
    """An encoder, a decoder that doubles the resolution stage by stage, and a 1x1 classifier.

    `widths` are the channels of the encoder's stages, shallow to deep. With `skips`, each decoder stage also sees the
    encoder's features of its resolution, by concatenation.
    """

    def __init__(self, encoder: Encoder, widths: list[int], num_classes: int, skips: bool):
        super().__init__()
        self.encoder, self.skips = encoder, skips
        self.up, self.decoder = nn.ModuleList(), nn.ModuleList()
        for deep, shallow in zip(widths[:0:-1], widths[-2::-1], strict=True):
            self.up.append(upsampling(deep, shallow))
            self.decoder.append(convolutions(2 * shallow if skips else shallow, shallow))
        self.classifier = nn.Conv2d(widths[0], num_classes, 1)

    def stages(self) -> list[nn.Module]:
        return list(self.encoder.stages)

    def forward(self, images: Tensor) -> Tensor:
        *shallow, x = self.encoder(images)
        for up, decode, skip in zip(self.up, self.decoder, reversed(shallow), strict=True):
            x = up(x)
            x = decode(torch.cat([skip, x], 1) if self.skips else x)
        return self.classifier(x)


def symmetric(in_channels: int, num_classes: int, width: int, depth: int, skips: bool) -> SkipNet:
    """A SkipNet of `depth` + 1 stages, two convolutions each, the channels doubling from `width`."""
    widths = [width << stage for stage in range(depth + 1)]
    stages = [convolutions(before, after) for before, after in zip([in_channels, *widths], widths, strict=False)]
    return SkipNet(Encoder(*stages), widths, num_classes, skips)
