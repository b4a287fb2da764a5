"""SegNet, which remembers where its max-poolings found their maxima."""

from torch import nn

from seglab.architectures._blocks import Mirrored, Width, convolutions, mirrored_stages, vgg16
from seglab.architectures._pretrained import Pretrained, imagenet_vgg16
from seglab.families import Architecture

# what each stage of the decoder comes down to, in widths of the encoder's first stage; each ends where the pooling
# above it has as many channels
DECODER = ((8, 8, 8), (8, 8, 4), (4, 4, 2), (2, 1), (1,))


class SegNet(Architecture):
    """A VGG16 encoder and a mirrored decoder, which puts values back to the positions that max pooling took them from.

    The max-pooling indices cost little memory and keep edges where they were; no features are copied from the encoder.

    Source: Badrinarayanan et al. 2017, https://arxiv.org/abs/1511.00561, section 3, fig. 2; the channels and the 3x3
    classifier as in the authors' release.
    """

    name = "segnet"
    year = 2015
    paper = {"width": 64}
    parameters = 29_455_125
    width: Width = 16
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        decoder = mirrored_stages(self.width, DECODER, lambda a, b: convolutions(a, b, count=1, bias=True))
        encoder = vgg16(in_channels, self.width, norm=True)
        return Mirrored(encoder, nn.Identity(), decoder, nn.Conv2d(self.width, num_classes, 3, padding=1))

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net, Mirrored)
            imagenet_vgg16(net.stages())
