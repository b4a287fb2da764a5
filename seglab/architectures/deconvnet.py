"""DeconvNet: VGG16 with its fully connected layers, and the whole of it backwards."""

from typing import Annotated

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import LoneNorm, Mirrored, Width, mirrored_stages, vgg16
from seglab.architectures._pretrained import Pretrained, imagenet_vgg16
from seglab.families import Architecture

DECODER = ((8, 8, 8), (8, 8, 4), (4, 4, 2), (2, 1), (1, 1))  # as SegNet's, in widths of the encoder's first stage


class DeconvNet(Architecture):
    """VGG16 down to its fully connected layers, and a mirrored decoder of unpooling and deconvolution at each step.

    Draws the coarse shape of an object first and its details on the way up. The paper's window is the whole map of a
    224-pixel image, 7x7, which takes 205 of its 252 million weights; the small default suits images of about 128
    pixels. A map smaller than the window is padded. The paper trains in two stages and combines the predictions for
    many object proposals; here the network sees whole images.

    Source: Noh et al. 2015, https://arxiv.org/abs/1505.04366, section 3, fig. 2; batch norm and ReLU after every
    convolution and deconvolution, as in the authors' release.
    """

    name = "deconvnet"
    year = 2015
    paper = {"width": 64, "window": 7}
    parameters = 251_805_653
    width: Width = 8
    window: Annotated[
        int,
        Field(
            ge=1,
            le=7,
            description="kernel of fc6 as a convolution, at 1/32 of the image; the paper has 7",
        ),
    ] = 3
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        decoder = mirrored_stages(self.width, DECODER, lambda a, b: activated(nn.ConvTranspose2d(a, b, 3, padding=1)))
        middle = FullyConnected(8 * self.width, 64 * self.width, self.window)
        encoder = vgg16(in_channels, self.width, norm=True)
        return Mirrored(encoder, middle, decoder, nn.Conv2d(self.width, num_classes, 1))

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net, Mirrored)
            imagenet_vgg16(net.stages())


class FullyConnected(nn.Module):
    """VGG16's two fully connected layers as convolutions over a window, and a deconvolution back to the map's size."""

    def __init__(self, channels: int, width: int, window: int):
        super().__init__()
        self.window = window
        self.layers = nn.Sequential(
            activated(nn.Conv2d(channels, width, window)),
            activated(nn.Conv2d(width, width, 1)),
            activated(nn.ConvTranspose2d(width, channels, window)),
        )

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        missing = [max(0, self.window - side) for side in (width, height)]
        return self.layers(F.pad(x, (0, missing[0], 0, missing[1])))[..., :height, :width]


def activated(convolution: nn.Conv2d | nn.ConvTranspose2d) -> nn.Sequential:
    """The convolution, batch norm and ReLU."""
    return nn.Sequential(convolution, LoneNorm(convolution.out_channels), nn.ReLU(True))
