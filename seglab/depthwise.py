"""The gradients of depthwise convolutions in bfloat16, on a processor.

There torch computes some of them by a plain loop, which takes up to a hundred times as long as the convolution itself:
that of the weights where the kernel is larger than 3 x 3, and that of the input where the convolution is strided. Here
a larger kernel's is put together from parts of 3 x 3, and a strided one's is computed in float32; both are quick.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.nn.modules.utils import _pair
from torch.overrides import TorchFunctionMode

PART = 3  # side of the largest kernel whose gradient is quick


def quick() -> AbstractContextManager:
    """`Quick` where it matters: it looks at every call of torch, which takes an eighth of a small network's scoring."""
    return Quick() if torch.is_grad_enabled() and torch.is_autocast_enabled("cpu") else nullcontext()


class Quick(TorchFunctionMode):
    """Within it, `torch.conv2d` has quick gradients for the depthwise convolutions described above."""

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return (conv2d if function is torch.conv2d else function)(*args, **(kwargs or {}))


def conv2d(
    input: Tensor,
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Tensor:
    """`torch.conv2d`, in whose place it is called."""
    kernel, stride, dilation = tuple(weight.shape[2:]), _pair(stride), _pair(dilation)
    if (
        groups > 1
        and groups == len(weight) == input.shape[1]
        and (max(kernel) > PART or max(stride) > 1)
        and max(dilation) == 1
        and input.ndim == 4
        and not isinstance(padding, str)
        and input.device.type == "cpu"
        and torch.is_autocast_enabled("cpu")
        and torch.get_autocast_dtype("cpu") == torch.bfloat16
    ):
        given = [None if each is None else each.bfloat16() for each in (input, weight, bias)]
        return Depthwise.apply(*given, stride, _pair(padding))
    return torch.conv2d(input, weight, bias, stride, padding, dilation, groups)


class Depthwise(torch.autograd.Function):
    """A convolution of each channel of (B, C, H, W) with its own kernel, from weights (C, 1, h, w) in bfloat16."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, stride: Any, padding: Any) -> Tensor:
        x = x.contiguous(memory_format=torch.channels_last)
        ctx.save_for_backward(x, weight)
        ctx.stride, ctx.padding = stride, padding
        return torch.conv2d(x, weight, bias, stride, padding, 1, len(weight))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        x, weight = ctx.saved_tensors
        grad = grad.contiguous(memory_format=torch.channels_last)
        of_input, of_weight, of_bias, *_ = ctx.needs_input_grad
        return (
            input_gradient(grad, x, weight, ctx.stride, ctx.padding) if of_input else None,
            weight_gradient(grad, x, weight, ctx.stride, ctx.padding) if of_weight else None,
            grad.sum((0, 2, 3)) if of_bias else None,
            None,
            None,
        )


def input_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
    given = (grad, x, weight) if max(stride) == 1 else (grad.float(), x.float(), weight.float())
    return gradient(*given, stride, padding, (True, False))[0].to(x.dtype)


def weight_gradient(grad: Tensor, x: Tensor, weight: Tensor, stride: Any, padding: Any) -> Tensor:
    """A kernel's gradient at an offset is that of any smaller kernel there, for the image moved by as much."""
    sides = weight.shape[2:]
    if max(sides) <= PART:
        return gradient(grad, x, weight, stride, padding, (False, True))[1]
    extents = [(length - 1) * step for length, step in zip(grad.shape[2:], stride, strict=True)]  # less a kernel's side
    covered = [-(-side // PART) * PART for side in sides]
    (height, width), (top, left) = (map(sum, zip(extents, covered, strict=True))), padding
    x = F.pad(x, (left, width - x.shape[3] - left, top, height - x.shape[2] - top))
    part = weight.new_empty(len(weight), 1, PART, PART)

    def at(y: int, x_: int) -> Tensor:
        seen = x[:, :, y : y + extents[0] + PART, x_ : x_ + extents[1] + PART]
        seen = seen.contiguous(memory_format=torch.channels_last)
        return gradient(grad, seen, part, stride, (0, 0), (False, True))[1]

    rows = [torch.cat([at(y, x_) for x_ in range(0, covered[1], PART)], 3) for y in range(0, covered[0], PART)]
    return torch.cat(rows, 2)[:, :, : sides[0], : sides[1]]


def gradient(
    grad: Tensor, x: Tensor, weight: Tensor, stride: Any, padding: Any, wanted: tuple[bool, bool]
) -> tuple[Tensor, Tensor]:
    """torch's own gradients of input and weights, those that are wanted."""
    mask = [*wanted, False]
    given = (list(stride), list(padding), [1, 1], False, [0, 0], len(weight), mask)
    return torch.ops.aten.convolution_backward(grad, x, weight, None, *given)[:2]
