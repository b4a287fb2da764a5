"""The U-Net of residual units."""

from itertools import pairwise
from typing import Annotated

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Pointwise
from seglab.families import Architecture


class ResUNet(Architecture):
    """A U-Net of residual units that halves the resolution three times, by strides, and has fewer parameters.

    Norm and ReLU precede each convolution. Every unit has a 1x1 convolution as its shortcut, since each changes the
    number of channels. The paper does not say how it upsamples the maps; here each pixel is repeated.

    Source: Zhang et al. 2018, https://arxiv.org/abs/1711.10684, fig. 1 and 2 and table 1.
    """

    name = "res_unet"
    year = 2018
    paper = {"width": 64}
    parameters = 8_222_293
    width: Annotated[
        int, Field(ge=4, le=128, description="channels of the first unit; each further one doubles them")
    ] = 16

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return ResidualNet(in_channels, num_classes, self.width)


class ResidualNet(nn.Module):
    """Four residual units down, three up, and a 1x1 classifier."""

    def __init__(self, in_channels: int, num_classes: int, width: int):
        super().__init__()
        widths = [width << level for level in range(4)]
        first = ResidualUnit(in_channels, width, first=True)
        self.encoder = nn.ModuleList([first, *(ResidualUnit(a, b, stride=2) for a, b in pairwise(widths))])
        self.decoder = nn.ModuleList(ResidualUnit(a + b, b) for a, b in zip(widths[:0:-1], widths[-2::-1], strict=True))
        self.classifier = nn.Conv2d(width, num_classes, 1)

    def stages(self) -> list[nn.Module]:
        return list(self.encoder)

    def forward(self, images: Tensor) -> Tensor:
        x, skips = images, []
        for unit in self.encoder:
            x = unit(x)
            skips.append(x)
        for unit, skip in zip(self.decoder, skips[-2::-1], strict=True):
            x = unit(torch.cat([F.interpolate(x, scale_factor=2), skip], 1))
        return self.classifier(x)


class ResidualUnit(nn.Module):
    """Two 3x3 convolutions, each after batch norm and ReLU, added to a 1x1 convolution of what the unit is given.

    The first unit of a network convolves the image itself, with neither before it.
    """

    def __init__(self, in_channels: int, channels: int, stride: int = 1, first: bool = False):
        super().__init__()
        before = [] if first else [nn.BatchNorm2d(in_channels), nn.ReLU(True)]
        self.body = nn.Sequential(
            *before,
            nn.Conv2d(in_channels, channels, 3, stride, 1),
            nn.BatchNorm2d(channels),
            nn.ReLU(True),
            nn.Conv2d(channels, channels, 3, 1, 1),
        )
        self.shortcut = Pointwise(in_channels, channels, stride)

    def forward(self, x: Tensor) -> Tensor:
        return self.body(x) + self.shortcut(x)
