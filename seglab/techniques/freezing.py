"""Parts of a network that do not learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from pydantic import Field
from torch import nn

from seglab.data.base import Batch
from seglab.errors import SeglabError
from seglab.families import Run, StepHooks, Technique, Term, stages_of


class Freeze(Technique):
    """Freezes the encoder's first stages, for some epochs or for the whole run, so that what they learned is not lost.

    Frozen stages do not learn and work as in evaluation: batch norm keeps its statistics, and dropout is off. They are
    unfrozen all at once after `until` epochs, or one by one from the deepest, whose features are the least general, to
    the one nearest the input: the first after `until` epochs or, where that is empty, after `thaw_every`.

    Source: Yosinski et al. 2014, https://arxiv.org/abs/1411.1792, section 4; one by one: Howard and Ruder 2018,
    https://arxiv.org/abs/1801.06146, section 3.3.
    """

    name = "freeze"
    stages: Annotated[
        int, Field(ge=1, le=8, description="number of stages that are frozen, counted from the input")
    ] = 1
    until: Annotated[
        int | None, Field(ge=1, le=1000, description="number of epochs for which they stay frozen; empty: to the end")
    ] = None
    thaw_every: Annotated[
        int | None,
        Field(
            ge=1,
            le=1000,
            description="epochs after which one more stage is unfrozen, the deepest first, from until on; empty: all "
            "at once",
        ),
    ] = None

    def frozen(self, epoch: int) -> int:
        """How many stages are frozen in an epoch, counted from 0."""
        start = self.thaw_every if self.until is None else self.until
        if start is None or epoch < start:
            return self.stages
        return 0 if self.thaw_every is None else max(0, self.stages - 1 - (epoch - start) // self.thaw_every)

    def step_hooks(self, run: Run) -> StepHooks:
        return Freezing(first_stages(run, self.stages, "freeze.stages"), self.frozen)


def first_stages(run: Run, count: int, option: str) -> list[nn.Module]:
    """The first stages of the network's encoder, counted from the image; `option` is what asks for so many."""
    stages = list(stages_of(run.model.net, option))
    if len(stages) == 1:  # every encoder has several
        raise SeglabError(
            "{option}: the stages of this encoder of {model} cannot be determined; choose another encoder",
            option=option,
            model=run.config.model.name,
        )
    if count > len(stages):
        raise SeglabError(
            "{option}: {stages} is too many; the encoder of {model} has {count} stages",
            option=option,
            stages=count,
            model=run.config.model.name,
            count=len(stages),
        )
    return stages[:count]


class Freezing(StepHooks):
    """The stages of one run, of which so many as `frozen` gives for an epoch are frozen in it."""

    def __init__(self, stages: list[nn.Module], frozen: Callable[[int], int]):
        self.stages, self.frozen, self.now = stages, frozen, 0

    def on_epoch(self, epoch: int) -> None:
        self.now = self.frozen(epoch)
        for number, stage in enumerate(self.stages):
            stage.requires_grad_(number >= self.now)

    def objective(self, batch: Batch, inner: Callable[[Batch], dict[str, Term]]) -> dict[str, Term]:
        for stage in self.stages[: self.now]:
            stage.eval()
        return inner(batch)
