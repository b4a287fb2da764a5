"""Parts of a network that do not learn."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from pydantic import Field
from torch import nn

from seglab.data.base import Batch
from seglab.entry import Hooks, SeglabError, Technique, Term

if TYPE_CHECKING:
    from seglab.train import Run


class Freeze(Technique):
    """Keeps the encoder's first stages as they are, for a while or for good, so that what they know is not lost.

    Frozen stages do not learn, and work as in evaluation: batch norm keeps its statistics, dropout drops nothing.

    Source: Yosinski et al. 2014, https://arxiv.org/abs/1411.1792, section 4.
    """

    name = "freeze"
    stages: Annotated[int, Field(ge=1, le=8, description="how many stages are frozen, counted from the image")] = 1
    until: Annotated[
        int | None, Field(ge=1, le=1000, description="number of epochs for which they stay frozen; empty: to the end")
    ] = None

    def start(self, run: Run) -> Hooks:
        stages = run.model.net.stages()
        if self.stages > len(stages):
            raise SeglabError(
                "freeze.stages: {stages} is too many; the encoder of {model} has {count} stages",
                stages=self.stages,
                model=run.config.model.name,
                count=len(stages),
            )
        return Freezing(stages[: self.stages], self.until)


class Freezing(Hooks):
    """The stages of one run that are frozen until an epoch."""

    def __init__(self, stages: list[nn.Module], until: int | None):
        self.stages, self.until, self.frozen = stages, until, False

    def on_epoch(self, epoch: int) -> None:
        self.frozen = self.until is None or epoch < self.until
        for stage in self.stages:
            stage.requires_grad_(not self.frozen)

    def objective(self, batch: Batch, inner: Callable[[Batch], dict[str, Term]]) -> dict[str, Term]:
        if self.frozen:
            for stage in self.stages:
                stage.eval()
        return inner(batch)
