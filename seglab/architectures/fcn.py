"""Fully convolutional networks on VGG16."""

from typing import Annotated, Literal

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Dropout, Normed, Width, scoring_head, vgg16
from seglab.architectures._pretrained import Pretrained, imagenet_vgg16
from seglab.families import Architecture
from seglab.model import resized

CHANNELS = {8: 4, 16: 8}  # of the pooled maps that the finer networks look at, in widths of the first stage


class FCN(Architecture):
    """A classifier made fully convolutional: it scores coarse feature maps and adds the scores of finer ones.

    FCN-32s scores only the last map of VGG16, FCN-16s adds the scores of the map twice as fine, and FCN-8s also those
    of the next finer one. Scores are upsampled bilinearly. The paper does that by deconvolutions that are initialized
    as bilinear and, in the authors' release, stay fixed; what never learns is not counted as a parameter here (with
    them, FCN-8s has 134,489,759). The release also pads images by 100 pixels; here the head's first layer pads its map.
    The paper uses dropout of 0.5 before the classifier, the small default none.

    Source: Long et al. 2015, https://arxiv.org/abs/1411.4038, section 4, fig. 3; Shelhamer et al. 2017,
    https://arxiv.org/abs/1605.06211.
    """

    name = "fcn"
    year = 2015
    paper = {"width": 64, "stride": "8", "window": "7", "batch_norm": False, "dropout": 0.5}
    parameters = 134_362_751
    width: Width = 12
    stride: Annotated[
        Literal["32", "16", "8"], Field(description="how many times smaller than the image the finest score map is")
    ] = "8"
    window: Annotated[
        Literal["1", "3", "5", "7"],
        Field(description="kernel of fc6 as a convolution, at 1/32 of the image; the paper has 7"),
    ] = "3"
    batch_norm: Normed = True
    dropout: Dropout = 0.0
    pretrained: Pretrained = "none"

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        head = scoring_head(8 * self.width, 64 * self.width, num_classes, int(self.window), self.dropout)
        finer = [nn.Conv2d(CHANNELS[n] * self.width, num_classes, 1) for n in (16, 8) if n >= int(self.stride)]
        return Scored(vgg16(in_channels, self.width, self.batch_norm), head, nn.ModuleList(finer))

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net, Scored)
            imagenet_vgg16(net.stages())


class Scored(nn.Module):
    """Five stages with a 2x2 max-pooling after each, a head that scores the last map, and `finer` classifiers whose
    scores of the maps before it are added, the last first."""

    def __init__(self, encoder: nn.ModuleList, head: nn.Module, finer: nn.ModuleList):
        super().__init__()
        self.encoder, self.head, self.finer = encoder, head, finer

    def stages(self) -> list[nn.Module]:
        return list(self.encoder)

    def forward(self, x: Tensor) -> Tensor:
        maps = []
        for stage in self.encoder:
            x = F.max_pool2d(stage(x), 2, ceil_mode=True)
            maps.append(x)
        scores = self.head(x)
        for score, features in zip(self.finer, maps[-2::-1], strict=False):
            scores = resized(scores, features.shape[-2:]) + score(features)
        return scores
