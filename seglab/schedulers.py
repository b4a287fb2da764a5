"""How the learning rate changes over a run: entries over torch.optim.lr_scheduler."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch.optim import Optimizer, lr_scheduler

from seglab.entry import Scheduler


class Constant(Scheduler):
    """Keeps the learning rate as it is."""

    name = "constant"
    every = "epoch"

    def build(self, optimizer: Optimizer, total: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0)


class Step(Scheduler):
    """Multiplies the learning rate by a factor every few epochs.

    Source: torch.optim.lr_scheduler.StepLR; lr(epoch) = lr * gamma^floor(epoch / step_size).
    """

    name = "step"
    every = "epoch"
    step_size: Annotated[int, Field(ge=1, le=1000, description="epochs between two cuts")] = 4
    gamma: Annotated[float, Field(gt=0, le=1, description="factor of each cut")] = 0.5

    def build(self, optimizer: Optimizer, total: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.StepLR(optimizer, self.step_size, self.gamma)
