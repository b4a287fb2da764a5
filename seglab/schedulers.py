"""How the learning rate changes over a run: entries over torch.optim.lr_scheduler, and their warm-up."""

from __future__ import annotations

import math
from typing import Annotated, Any, ClassVar, Literal, cast

from pydantic import Field
from torch.optim import Optimizer, lr_scheduler

from seglab.events import Score
from seglab.families import Scheduler

Floor = Annotated[float, Field(ge=0, le=1, description="lower limit, as a fraction of the learning rate")]
Gamma = Annotated[float, Field(gt=0, le=1, description="factor of each reduction")]


class Constant(Scheduler):
    """Keeps the learning rate constant."""

    name = "constant"
    every = "epoch"

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.LambdaLR(optimizer, lambda epoch: 1.0)


class Step(Scheduler):
    """Multiplies the learning rate by a factor every few epochs.

    Source: torch.optim.lr_scheduler.StepLR; lr(epoch) = lr * gamma^floor(epoch / step_size).
    """

    name = "step"
    every = "epoch"
    step_size: Annotated[int, Field(ge=1, le=1000, description="epochs between two reductions")] = 4
    gamma: Gamma = 0.5

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.StepLR(optimizer, self.step_size, self.gamma)


class MultiStep(Scheduler):
    """Multiplies the learning rate by a factor after each of the given epochs.

    Source: torch.optim.lr_scheduler.MultiStepLR; lr(epoch) = lr * gamma^(number of milestones <= epoch).
    """

    name = "multi_step"
    every = "epoch"
    milestones: Annotated[
        tuple[Annotated[int, Field(ge=1, le=1000)], ...],
        Field(
            min_length=1,
            max_length=20,
            description="epochs after which the learning rate is reduced, separated by commas",
        ),
    ] = (3, 4)
    gamma: Gamma = 0.1

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.MultiStepLR(optimizer, self.milestones, self.gamma)


class Exponential(Scheduler):
    """Multiplies the learning rate by the same factor after every epoch.

    Source: torch.optim.lr_scheduler.ExponentialLR; lr(epoch) = lr * gamma^epoch.
    """

    name = "exponential"
    every = "epoch"
    gamma: Gamma = 0.9

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.ExponentialLR(optimizer, self.gamma)


class Cosine(Scheduler):
    """Lowers the learning rate along half a cosine: slowly at first, fastest in the middle, slowly at the end.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, eq. 5; without restarts;
    lr(step) = lr * (floor + (1 - floor) * (1 + cos(pi * step / total)) / 2).
    """

    name = "cosine"
    every = "step"
    floor: Floor = 0.0

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.LambdaLR(optimizer, lambda step: half_cosine(step / total, self.floor))


class CosineRestarts(Scheduler):
    """Lowers the learning rate along half a cosine, restarts from the full rate, and repeats this more slowly.

    Source: Loshchilov and Hutter 2017, https://arxiv.org/abs/1608.03983, eq. 5; `cycle` is T_0, `cycle_mult` T_mult.
    """

    name = "cosine_restarts"
    every = "step"
    cycle: Annotated[int, Field(ge=1, le=1000, description="length of the first cycle, in epochs")] = 2
    cycle_mult: Annotated[
        int, Field(ge=1, le=10, description="how many times longer each cycle is than the one before")
    ] = 2
    floor: Floor = 0.0

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        def factor(step: int) -> float:
            length = self.cycle * steps_per_epoch
            if self.cycle_mult == 1:
                step %= length
            while step >= length:
                step, length = step - length, length * self.cycle_mult
            return half_cosine(step / length, self.floor)

        return lr_scheduler.LambdaLR(optimizer, factor)


def half_cosine(share: float, floor: float) -> float:
    """From 1 to the floor as the share goes from 0 to 1. Torch's cosines have one floor in numbers for all parameter
    groups, which would change the ratio of their rates."""
    return floor + (1 - floor) * (1 + math.cos(math.pi * share)) / 2


class Poly(Scheduler):
    """Lowers the learning rate to zero along a power of the remaining steps, as in the DeepLab papers.

    Source: Chen et al. 2017, https://arxiv.org/abs/1606.00915, section 4.1.1; lr(step) = lr * (1 - step / total)^power.
    """

    name = "poly"
    every = "step"
    power: Annotated[
        float, Field(gt=0, le=5, description="exponent; 1 is a straight line, and lower values fall later")
    ] = 0.9

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.PolynomialLR(optimizer, total, self.power)


class OneCycle(Scheduler):
    """Raises the learning rate to its maximum in the first part of the run, then lowers it to almost zero.

    It has no warm-up before its own rise.

    Source: Smith and Topin 2019, https://arxiv.org/abs/1708.07120; torch.optim.lr_scheduler.OneCycleLR, both parts
    along half a cosine: from lr / div_factor to lr, and on to lr / (div_factor * final_div_factor). Momentum stays.
    """

    name = "one_cycle"
    every = "step"
    warmup: ClassVar[float] = 0.0  # type: ignore[misc]  # so pydantic drops the option
    warmup_start: ClassVar[float] = 0.0  # type: ignore[misc]
    pct_start: Annotated[
        float, Field(gt=0, lt=1, description="fraction of the run in which the learning rate rises")
    ] = 0.3
    div_factor: Annotated[
        float, Field(ge=1, le=1e5, description="maximum learning rate divided by the initial one")
    ] = 25.0
    final_div_factor: Annotated[
        float, Field(ge=1, le=1e5, description="initial learning rate divided by the final one")
    ] = 1e4

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        exact = self.pct_start * total == 1  # a rise of one step, by whose length less one torch would divide
        return lr_scheduler.OneCycleLR(
            optimizer,
            [group["lr"] for group in optimizer.param_groups],
            total,
            pct_start=self.pct_start * (1 + 1e-9) if exact else self.pct_start,
            cycle_momentum=False,
            div_factor=self.div_factor,
            final_div_factor=self.final_div_factor,
        )


class Plateau(Scheduler):
    """Reduces the learning rate when the validation score has not improved for some epochs.

    The score is that of the `search` images, which also select the best weights, so that `val` stays unseen.

    Source: torch.optim.lr_scheduler.ReduceLROnPlateau; the cut comes with bad evaluation number patience + 1 in a row.
    """

    name = "plateau"
    every = "evaluation"
    watch: Annotated[Literal["loss", "miou"], Field(description="validation score that has to improve")] = "loss"
    factor: Annotated[float, Field(gt=0, lt=1, description="factor of each reduction")] = 0.1
    patience: Annotated[int, Field(ge=0, le=1000, description="epochs without improvement that are tolerated")] = 2
    threshold: Annotated[float, Field(ge=0, le=1, description="an improvement has to be larger than this")] = 1e-4
    floor: Floor = 0.0

    def build(self, optimizer: Optimizer, total: int, steps_per_epoch: int) -> lr_scheduler.LRScheduler:
        return lr_scheduler.ReduceLROnPlateau(
            optimizer,
            mode="min" if self.watch == "loss" else "max",
            factor=self.factor,
            patience=self.patience,
            threshold=self.threshold,
            threshold_mode="abs",  # a relative one is upside down for losses below zero
            min_lr=[self.floor * group["lr"] for group in optimizer.param_groups],
            eps=0,  # or a group with a small rate would be left out of a cut, and the ratio of the rates would change
        )

    def watched(self, score: Score) -> float:
        return (score.loss if self.watch == "loss" else score.miou) or 0.0


class Schedule:
    """The learning rates of a run at work: the warm-up, then what the scheduler makes of the steps that are left.

    The warm-up belongs to no time of the torch scheduler: its steps, epochs and evaluations are counted from where the
    warm-up ends. Every parameter group keeps its ratio to the others.
    """

    def __init__(self, scheduler: Scheduler, optimizer: Optimizer, steps_per_epoch: int, epochs: int):
        self.scheduler, self.optimizer, self.steps_per_epoch = scheduler, optimizer, steps_per_epoch
        self.warmup = math.ceil(round(scheduler.warmup * steps_per_epoch, 6))  # in whole steps; 0.1 * 30 is above 3
        total = max(1, steps_per_epoch * epochs - self.warmup)
        self.after = scheduler.build(optimizer, total, steps_per_epoch)
        self.rates = [group["lr"] for group in optimizer.param_groups]  # with which it begins
        self.done = 0
        if self.warmup:
            self.warm()

    def warm(self) -> None:
        """Sets the rates of the warm-up; at its end, those with which the torch scheduler begins."""
        start = self.scheduler.warmup_start
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * (1 - (1 - start) * (1 - self.done / self.warmup))

    def step(self) -> None:
        """Follows each step of the optimizer."""
        self.done += 1
        own, every = self.done - self.warmup, self.scheduler.every
        if own <= 0:
            self.warm()
        elif every == "step" or (every == "epoch" and own % self.steps_per_epoch == 0):
            self.after.step()

    def evaluated(self, score: Score) -> None:
        """Follows each evaluation at the end of an epoch."""
        if self.scheduler.every == "evaluation" and self.done > self.warmup:
            cast(lr_scheduler.ReduceLROnPlateau, self.after).step(self.scheduler.watched(score))

    def state_dict(self) -> dict[str, Any]:
        return {"done": self.done, "after": self.after.state_dict()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.done = state["done"]
        self.after.load_state_dict(state["after"])


class Idle(Optimizer):
    """An optimizer of nothing. It is not made as torch's are, which import torch's compiler: that takes seconds."""

    def __init__(self, lr: float):
        self.param_groups = [{"params": [], "lr": lr}]

    def step(self, closure: Any = None) -> Any:
        pass


def curve(scheduler: Scheduler, lr: float, steps_per_epoch: int, epochs: int) -> list[float] | None:
    """The learning rate of every step of a run, or None where it depends on how the run goes."""
    if scheduler.every == "evaluation":
        return None
    optimizer = Idle(lr)
    schedule = Schedule(scheduler, optimizer, steps_per_epoch, epochs)
    optimizer.step()  # torch warns of schedulers that are ahead of their optimizer
    rates = []
    for _ in range(steps_per_epoch * epochs):
        rates.append(optimizer.param_groups[0]["lr"])
        schedule.step()
    return rates
