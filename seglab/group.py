"""The processes that work on one run together, each on its share of every batch; usually it is one alone.

What they exchange goes through torch.distributed. A process that is lost ends the others at the next exchange, as if
they had been killed: the run is interrupted, not failed.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn

from seglab.errors import SeglabError

LOST = 3  # the exit status of a process that lost another one

T = TypeVar("T")


class Group:
    """Several processes on one run. The first, of rank 0, records it and decides when it ends."""

    rank, size = 0, 1

    def share(self, count: int) -> range:
        """Which of `count` places in a batch are this process's."""
        return range(count * self.rank // self.size, count * (self.rank + 1) // self.size)

    def first(self, value: T) -> T:
        """The value that the first process has."""
        return value

    def gathered(self, values: list[T]) -> list[T]:
        """The values of all processes: each has the next ones of a list in turn, the first process the first."""
        return values

    def sum(self, values: Tensor) -> Tensor:
        """The sum over all processes."""
        return values

    def highest(self, values: Tensor) -> Tensor:
        """The highest over all processes."""
        return values

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        """Gives every process the sum of all processes' gradients; a parameter that none has one of keeps none."""

    def synchronize(self, network: nn.Module) -> None:
        """Has the network's batch norm see the whole batch; raises SeglabError for a kind that cannot."""


ALONE = Group()


class Several(Group):
    """The processes that torchrun's launcher started, this one among them."""

    def __init__(self, backend: str) -> None:
        dist.init_process_group(backend)
        self.rank, self.size = dist.get_rank(), dist.get_world_size()

    def first(self, value: T) -> T:
        box = [value]
        with exchange():
            dist.broadcast_object_list(box, 0, device=torch.device("cpu"))
        return box[0]

    def gathered(self, values: list[T]) -> list[T]:
        boxes: list[Any] = [None] * self.size
        with exchange():
            dist.all_gather_object(boxes, values)
        return [box[n] for n in range(len(boxes[0])) for box in boxes if n < len(box)]

    def sum(self, values: Tensor) -> Tensor:
        return reduced(values, dist.ReduceOp.SUM)

    def highest(self, values: Tensor) -> Tensor:
        return reduced(values, dist.ReduceOp.MAX)

    def sum_gradients(self, parameters: Iterable[nn.Parameter]) -> None:
        learning = [each for each in parameters if each.requires_grad]
        own = [torch.zeros_like(each) if each.grad is None else each.grad for each in learning]
        there = own[0].new_tensor([float(each.grad is not None) for each in learning])
        *whole, there = self.sum(torch.cat([each.flatten() for each in [*own, there]])).split(
            [each.numel() for each in [*own, there]]
        )
        for each, blank, values, known in zip(learning, own, whole, there.tolist(), strict=True):
            if known:
                each.grad = torch.empty_like(blank).copy_(values.view_as(each))

    def synchronize(self, network: nn.Module) -> None:
        for name, module in network.named_modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                if not isinstance(module, nn.BatchNorm2d):
                    raise SeglabError(
                        "{layer} is a {kind}, which cannot be shared by processes; allowed: BatchNorm2d",
                        layer=name,
                        kind=type(module).__name__,
                    )
                module.__class__ = synchronized(type(module), self)  # type: ignore[arg-type]  # a class has a hash


@contextlib.contextmanager
def exchange() -> Iterator[None]:
    """Ends this process where another one does not answer any more."""
    try:
        yield
    except RuntimeError:  # gloo's own, and torch's, whose errors are such; the launcher tells of the other one
        raise SystemExit(LOST) from None


def reduced(values: Tensor, how: dist.ReduceOp.RedOpType) -> Tensor:
    with exchange():
        dist.all_reduce(values, how)
    return values


class Summed(torch.autograd.Function):
    """The sum over all processes, with the gradient of what each of them makes of it."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, group: Group) -> Tensor:
        ctx.group = group
        return group.sum(values.clone())

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return ctx.group.sum(gradient.clone()), None


@cache  # two layers of a kind are of one class
def synchronized(kind: type[nn.BatchNorm2d], group: Group) -> type[nn.BatchNorm2d]:
    """The same batch norm with mean and variance of the images of all processes.

    torch.nn.SyncBatchNorm, which does this, takes tensors of GPUs alone. The moments are put together as by Chan et
    al. 1983, https://doi.org/10.1080/00031305.1983.10483115, eq. 2.1.
    """

    class Synchronized(kind):  # type: ignore[misc, valid-type]
        def forward(self, input: Tensor) -> Tensor:
            if not self.training:
                return super().forward(input)
            x = input.float()
            variance, mean = torch.var_mean(x, (0, 2, 3), correction=0)
            count = mean.new_tensor([x.numel() / len(mean)])
            own = torch.cat([count, mean, variance * count])
            rows = [own if n == group.rank else torch.zeros_like(own) for n in range(group.size)]
            counts, means, squares = Summed.apply(torch.stack(rows), group).split([1, len(mean), len(mean)], 1)
            total = counts.sum()
            mean = (counts * means).sum(0) / total
            variance = (squares + counts * (means - mean).square()).sum(0) / total
            if self.track_running_stats:
                self.num_batches_tracked += 1
                momentum = self.momentum or 1 / float(self.num_batches_tracked)
                with torch.no_grad():
                    self.running_mean.lerp_(mean, momentum)
                    self.running_var.lerp_(variance * total / (total - 1), momentum)
            scale = (variance + self.eps).rsqrt()
            if self.affine:
                scale = scale * self.weight
            shift = -mean * scale + self.bias if self.affine else -mean * scale
            output = (x * scale[:, None, None] + shift[:, None, None]).to(input.dtype)
            for name in ("drop", "act"):  # timm's batch norm has them
                output = getattr(self, name, nn.Identity())(output)
            return output

    Synchronized.__name__ = kind.__name__
    return Synchronized
