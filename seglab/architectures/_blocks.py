"""Pieces that several networks are built from."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Annotated, TypeVar

import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

Net = TypeVar("Net", bound=nn.Module)


def convolutions(
    in_channels: int,
    channels: int,
    count: int = 2,
    norm: bool = True,
    bias: bool | None = None,
    padding: int = 1,
    dilation: int = 1,
    dropout: float = 0.0,
) -> nn.Sequential:
    """`count` times a 3x3 convolution, batch norm and ReLU, at one resolution; a bias stands in for a missing norm.

    `padding` counts in steps of the dilation; `dropout` is the share of values dropped after each ReLU.
    """
    layers: list[nn.Module] = []
    bias = not norm if bias is None else bias
    for _ in range(count):
        layers.append(nn.Conv2d(in_channels, channels, 3, 1, padding * dilation, dilation, bias=bias))
        layers += [nn.BatchNorm2d(channels), nn.ReLU(True)] if norm else [nn.ReLU(True)]
        layers += [nn.Dropout(dropout)] if dropout else []  # no layer at 0, so that the others keep their names
        in_channels = channels
    return nn.Sequential(*layers)


def he_initialized(module: Net, transposed: bool = False) -> Net:
    """The module, its convolutions drawn so that ReLUs without batch norm neither fade nor blow up what passes.

    With `transposed`, transposed convolutions too.

    Source: He et al. 2015, https://arxiv.org/abs/1502.01852, eq. 10.
    """
    for each in module.modules():
        if isinstance(each, nn.Conv2d) or (transposed and isinstance(each, nn.ConvTranspose2d)):
            nn.init.kaiming_normal_(each.weight, nonlinearity="relu")
            if each.bias is not None:
                nn.init.zeros_(each.bias)
    return module


class LoneNorm(nn.BatchNorm2d):
    """Batch norm that takes its running statistics where a channel has a single value, which has no variance: one
    image, pooled to a pixel."""

    def forward(self, x: Tensor) -> Tensor:
        if x.numel() > x.shape[1]:
            return super().forward(x)
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=self.eps)


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, strided by leaving pixels out before it.

    The backward pass of a strided one writes where it must not for fewer than 16 channels in channels_last, and crashes
    or is wrong: https://github.com/uxlfoundation/oneDNN/issues/6035
    """

    def __init__(self, in_channels: int, channels: int, step: int = 1, bias: bool = True):
        super().__init__(in_channels, channels, 1, bias=bias)
        self.step = step

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x[..., :: self.step, :: self.step] if self.step > 1 else x)


def upsampling(in_channels: int, channels: int) -> nn.ConvTranspose2d:
    """The U-Net's up-convolution: twice the height and width."""
    return nn.ConvTranspose2d(in_channels, channels, 2, stride=2)


class Encoder(nn.Module):
    """Stages with a 2x2 max-pooling between them; gives the features of every stage, shallow to deep."""

    def __init__(self, *stages: nn.Module):
        super().__init__()
        self.stages = nn.ModuleList(stages)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> list[Tensor]:
        features = []
        for number, stage in enumerate(self.stages):
            x = stage(self.pool(x) if number else x)
            features.append(x)
        return features


# --- VGG16 and what is built on it ------------------------------------------------------------------------------------

Width = Annotated[
    int, Field(ge=4, le=64, description="channels of the first stage; VGG16 has 64, the last has 8 times as many")
]
Normed = Annotated[
    bool,
    Field(
        description="batch norm in the encoder; the original VGG16 has none, and learns little without it "
        "unless it is pretrained"
    ),
]
Dropout = Annotated[float, Field(ge=0, le=0.9, description="dropout rate before the classifier")]


def vgg16(in_channels: int, width: int, norm: bool, dilation: int = 1) -> nn.ModuleList:
    """The five stages of VGG16's 13 convolutions, without the pooling after each; `dilation` is that of the last.

    Source: Simonyan and Zisserman 2015, https://arxiv.org/abs/1409.1556, table 1 D.
    """
    widths = [width, 2 * width, 4 * width, 8 * width, 8 * width]
    stages = nn.ModuleList()
    for before, after, count in zip([in_channels, *widths], widths, (2, 2, 3, 3, 3), strict=False):
        atrous = dilation if len(stages) == 4 else 1
        stages.append(convolutions(before, after, count, norm, bias=True, dilation=atrous))
    return stages if norm else he_initialized(stages)


def scoring_head(
    channels: int, wide: int, num_classes: int, window: int, dropout: float, dilation: int = 1
) -> nn.Sequential:
    """VGG16's fully connected layers as convolutions that keep the map's size, `wide` channels each, and a classifier.

    The first looks at `window` x `window` pixels, an odd number, `dilation` apart.
    """
    first = nn.Conv2d(channels, wide, window, padding=window // 2 * dilation, dilation=dilation)
    layers = nn.Sequential(
        first, nn.ReLU(True), nn.Dropout(dropout), nn.Conv2d(wide, wide, 1), nn.ReLU(True), nn.Dropout(dropout)
    )
    return nn.Sequential(*he_initialized(layers), nn.Conv2d(wide, num_classes, 1))


def mirrored_stages(
    width: int, factors: Sequence[Sequence[int]], layer: Callable[[int, int], nn.Module]
) -> nn.ModuleList:
    """The decoder's stages on VGG16's last: `layer` of channels in and out to each of the factors of the width."""
    stages, before = nn.ModuleList(), 8
    for stage in factors:
        stages.append(nn.Sequential(*(layer(a * width, b * width) for a, b in pairwise([before, *stage]))))
        before = stage[-1]
    return stages


class Mirrored(nn.Module):
    """An encoder whose poolings remember where each maximum was, and a decoder that puts values back to those places.

    Each stage of the encoder is followed by a 2x2 max-pooling, each stage of the decoder comes after its inverse; the
    last stage of the decoder meets the first pooling. `middle` keeps the size and the channels of what it is given.
    """

    def __init__(self, encoder: nn.ModuleList, middle: nn.Module, decoder: nn.ModuleList, classifier: nn.Module):
        super().__init__()
        self.encoder, self.middle, self.decoder, self.classifier = encoder, middle, decoder, classifier

    def stages(self) -> list[nn.Module]:
        return list(self.encoder)

    def forward(self, x: Tensor) -> Tensor:
        poolings = []
        for stage in self.encoder:
            x = stage(x)
            size = x.shape[-2:]  # an odd one is not twice the pooled one
            x, places = F.max_pool2d(x, 2, ceil_mode=True, return_indices=True)
            poolings.append((places, size))
        x = self.middle(x)
        for stage, (places, size) in zip(self.decoder, reversed(poolings), strict=True):
            x = stage(F.max_unpool2d(x, places, (2, 2), output_size=size))
        return self.classifier(x)


# --- ResNet -----------------------------------------------------------------------------------------------------------


class BasicBlock(nn.Module):
    """Two 3x3 convolutions and a shortcut around them."""

    expansion = 1

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 3, stride, dilation, dilation, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, 1, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.downsample = shortcut(in_channels, width, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        inner = self.bn2(self.conv2(inner))
        return F.relu(inner + (self.downsample(x) if self.downsample else x), inplace=True)


class Bottleneck(nn.Module):
    """A 1x1 convolution to a quarter of the channels, a 3x3 and a 1x1 back, and a shortcut around them.

    The 3x3 takes the stride, as in torchvision, whose weights are learned so; the paper's first 1x1 does.
    """

    expansion = 4

    def __init__(self, in_channels: int, width: int, stride: int = 1, dilation: int = 1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_channels, width, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, dilation, dilation, bias=False)
        self.bn2 = nn.BatchNorm2d(width)
        self.conv3 = nn.Conv2d(width, 4 * width, 1, bias=False)
        self.bn3 = nn.BatchNorm2d(4 * width)
        self.downsample = shortcut(in_channels, 4 * width, stride)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu(self.bn1(self.conv1(x)), inplace=True)
        inner = F.relu(self.bn2(self.conv2(inner)), inplace=True)
        inner = self.bn3(self.conv3(inner))
        return F.relu(inner + (self.downsample(x) if self.downsample else x), inplace=True)


def shortcut(in_channels: int, channels: int, stride: int) -> nn.Module | None:
    """What a shortcut needs where the block changes the size or the channels."""
    if stride == 1 and in_channels == channels:
        return None
    return nn.Sequential(Pointwise(in_channels, channels, stride, bias=False), nn.BatchNorm2d(channels))


RESNETS: dict[str, tuple[type[BasicBlock | Bottleneck], tuple[int, int, int, int]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
}


class ResNet(nn.Module):
    """A ResNet's stem and four layers, without its classifier: (B, C, H, W) -> the last layer's features.

    A layer with a dilation above 1 keeps the size of what it is given; of the others, all but the first halve it. The
    stem's pooling rounds up, so that an image with a side of 32 k + 1 ends as 4 k + 1 where two layers are dilated.

    Source: He et al. 2016, https://arxiv.org/abs/1512.03385, table 1.
    """

    def __init__(self, name: str, in_channels: int, width: int, dilations: tuple[int, int, int, int] = (1, 1, 1, 1)):
        super().__init__()
        block, depths = RESNETS[name]
        stem = nn.Conv2d(in_channels, width, 7, 2, 3, bias=False), nn.BatchNorm2d(width), nn.ReLU(True)
        self.stages = nn.ModuleList([nn.Sequential(*stem)])
        channels = width
        for number, (depth, dilation) in enumerate(zip(depths, dilations, strict=True)):
            blocks = []
            for place in range(depth):
                halves = place == 0 and number > 0 and dilation == 1
                blocks.append(block(channels, width << number, 2 if halves else 1, dilation))
                channels = (width << number) * block.expansion
            self.stages.append(nn.Sequential(*blocks))
        self.channels = channels

    def forward(self, x: Tensor) -> Tensor:
        stem, *layers = self.stages
        x = F.max_pool2d(stem(x), 3, 2, 1, ceil_mode=True)
        for layer in layers:
            x = layer(x)
        return x

    def named(self) -> nn.ModuleDict:
        """The same modules under the names that torchvision gives them."""
        stem, *layers = self.stages
        assert isinstance(stem, nn.Sequential)
        named = {f"layer{number}": layer for number, layer in enumerate(layers, 1)}
        return nn.ModuleDict({"conv1": stem[0], "bn1": stem[1], **named})
