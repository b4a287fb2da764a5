"""Steps of the optimizer on more images than fit through the network at once."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch.nn.modules.batchnorm import _BatchNorm as BatchNorm

from seglab.data.base import Batch
from seglab.errors import SeglabError
from seglab.families import Run, RunConfig, StepHooks, Technique
from seglab.loader import batches


class Accumulation(Technique):
    """Accumulates gradients over the parts of a batch to save memory; exact for pixel losses without batch norm.

    Everything else counts whole batches: steps, schedules, averages, clipping. For pixel losses the step is that of the
    whole batch, since each part is weighted by its fraction of the labeled pixels, or of their weights. Region losses
    do not add up over images: each is the mean over the parts. Batch norm sees one part at a time, and dropout draws a
    new mask for each. The notes of a run say which of its terms are not exact.
    """

    name = "accumulation"
    at_once: Annotated[
        int, Field(ge=1, le=127, description="images that go through the network at once; fewer than batch_size")
    ] = 2

    def refuses(self, config: RunConfig) -> SeglabError | None:
        if self.at_once >= config.batch_size:
            return SeglabError(
                "at_once is {at_once} and batch_size {batch_size}; at_once must be less than batch_size",
                at_once=self.at_once,
                batch_size=config.batch_size,
            )
        return super().refuses(config)

    def step_hooks(self, run: Run) -> StepHooks:
        return Accumulating(self.at_once, run)


class Accumulating(StepHooks):
    """Cuts the batches of one run; a last part of one image joins the one before it."""

    def __init__(self, at_once: int, run: Run):
        self.at_once, self.run = at_once, run

    def parts(self, batch: Batch) -> list[Batch]:
        return [batch.take(places) for places in batches(range(len(batch.index)), self.at_once)]

    def notes(self) -> list[SeglabError]:
        run = self.run
        terms, mixing = run.apart()
        told = []
        if terms:
            told.append(
                SeglabError(
                    "accumulation: {terms} cannot be summed over images; the mean over the parts is used instead",
                    terms=", ".join(terms),
                )
            )
        if any(isinstance(module, BatchNorm) for module in run.model.modules()):
            told.append(
                SeglabError(
                    "accumulation: batch norm sees {at_once} images at a time, not {batch_size}",
                    at_once=self.at_once,
                    batch_size=run.config.batch_size,
                )
            )
        if mixing:
            told.append(
                SeglabError(
                    "accumulation: {techniques} can only combine images of the same part",
                    techniques=", ".join(mixing),
                )
            )
        return told
