"""Pieces that several networks are built from."""

from torch import Tensor, nn


def convolutions(in_channels: int, channels: int, count: int = 2) -> nn.Sequential:
    """`count` times a 3x3 convolution, batch norm and ReLU, at one resolution."""
    layers: list[nn.Module] = []
    for _ in range(count):
        layers += [nn.Conv2d(in_channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels), nn.ReLU(True)]
        in_channels = channels
    return nn.Sequential(*layers)


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
