"""How the learning rate changes over a run: entries over torch.optim.lr_scheduler."""

from __future__ import annotations

from typing import Annotated

import torch
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


def curve(scheduler: Scheduler, lr: float, epochs: int, steps_per_epoch: int) -> list[float]:
    """The learning rate of each step of a run, computed by running the scheduler with no model."""
    optimizer = torch.optim.SGD([torch.zeros((), requires_grad=True)], lr)
    schedule = scheduler.build(optimizer, epochs * steps_per_epoch if scheduler.every == "step" else epochs)
    rates = []
    for step in range(1, epochs * steps_per_epoch + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler.every == "step" or step % steps_per_epoch == 0:
            schedule.step()
    return rates
