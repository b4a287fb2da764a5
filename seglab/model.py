"""A network made ready to use: images in, logits of the same size out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from seglab import depthwise
from seglab.families import Architecture, Outputs, RunConfig

Net = TypeVar("Net", bound=nn.Module)

MULTIPLE, SMALLEST = 32, 64  # pixels: what five halvings need, and what batch norm needs at the bottom


class Segmenter(nn.Module):
    """Normalizes and pads images for a network, and brings what it gives back to the images' size.

    `side` is the longer side, in pixels, of the images that the network is to suit; it takes others, too.
    """

    net: nn.Module
    mean: Tensor
    std: Tensor

    def __init__(self, architecture: Architecture, num_classes: int, side: int | None = None):
        super().__init__()
        self.num_classes = num_classes
        self.net = (architecture.suited(side) if side else architecture).build(num_classes)
        self.register_buffer("mean", torch.tensor(architecture.mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(architecture.std).view(1, 3, 1, 1), persistent=False)

    def forward(self, images: Tensor) -> Outputs:
        """Images float (B, 3, H, W) in [0, 1] -> logits float32 (B, K, H, W)."""
        height, width = images.shape[-2:]
        padding = [max(SMALLEST, -(-side // MULTIPLE) * MULTIPLE) - side for side in (width, height)]
        x = (images - self.mean) / self.std
        if any(padding):
            x = F.pad(x, (0, padding[0], 0, padding[1]), mode="replicate")
        with depthwise.quick():
            outputs = self.net(x.contiguous(memory_format=torch.channels_last))
        outputs = Outputs(outputs) if isinstance(outputs, Tensor) else outputs
        return changed(outputs, lambda maps: resized(maps.float(), x.shape[-2:])[..., :height, :width])

    def around(self, net: nn.Module) -> Segmenter:
        """The same with another network."""
        other = copy(self)
        other._modules = self._modules | {"net": net}
        return other


class Logits(nn.Module):
    """A Segmenter that gives nothing but its logits, a tensor, as other code for torch expects it."""

    def __init__(self, segmenter: Segmenter):
        super().__init__()
        self.segmenter = segmenter

    def forward(self, images: Tensor) -> Tensor:
        """Images float (B, 3, H, W) in [0, 1], RGB, of any size -> logits float32 (B, K, H, W)."""
        return self.segmenter(images).logits


@dataclass(frozen=True)
class Trained:
    """A run's best model, ready to predict, with what its classes are called and drawn in, and the span of values that
    it saw as black to white, where its photographs have more than 8 bits. Of a model that may label pixels void,
    `unknown` are the classes that it does not know, perhaps none."""

    directory: Path
    config: RunConfig
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    model: Segmenter
    span: tuple[int, int] | None = None
    unknown: tuple[int, ...] | None = None

    @property
    def name(self) -> str:
        return self.directory.name


def changed(outputs: Outputs, change: Callable[[Tensor], Tensor]) -> Outputs:
    """The outputs with their logits and every other map (B, C, H, W) changed."""
    extras = {name: change(value) if value.dim() == 4 else value for name, value in outputs.extras.items()}
    return Outputs(change(outputs.logits), extras)


def resized(maps: Tensor, size: Sequence[int]) -> Tensor:
    """Maps (B, K, h, w) at another size, bilinearly; the same tensor when it has that size."""
    return maps if tuple(maps.shape[-2:]) == tuple(size) else F.interpolate(maps, size, mode="bilinear")


def bytes_of(model: nn.Module) -> int:
    """The bytes of the model's parameters and buffers."""
    return sum(value.nbytes for value in (*model.parameters(), *model.buffers()))


def placed(model: Net, device: str | torch.device) -> Net:
    """The model on a device, its weights laid out as its images are: channels last."""
    return model.to(device, memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's own has it


def parameters(model: nn.Module) -> int:
    """How many trainable numbers the model has."""
    return sum(parameter.numel() for parameter in model.parameters())
