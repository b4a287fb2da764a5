"""Training that grows from small and easy to large and hard."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field
from torch.nn.modules.dropout import _DropoutNd as Dropout

from seglab.errors import SeglabError
from seglab.families import DataHooks, Feed, Run, RunConfig, StepHooks, Technique
from seglab.model import MULTIPLE, SMALLEST


class ProgressiveSize(Technique):
    """Trains on small images with little augmentation and dropout first, and increases all three during training.

    Size and strength grow from their start to their full value in equal steps, as many as there are sizes. Sides below
    the full one are multiples of 32 pixels and at least 64, as images are padded to that in any case. Where the paper
    makes each augmentation stronger, here it is applied more often: the other techniques change a growing fraction of
    what they would change.

    Source: Tan and Le 2021, https://arxiv.org/abs/2104.00298, algorithm 1 and table 6.
    """

    name = "progressive_size"
    changes_images = True
    sizes: Annotated[int, Field(ge=2, le=10, description="number of image sizes, the full one included")] = 4
    start_size: Annotated[
        float, Field(gt=0, le=1, description="image size at the start, as a fraction of the full size")
    ] = 0.5
    start_strength: Annotated[
        float,
        Field(ge=0, le=1, description="augmentation and dropout at the start, as a fraction of their full strength"),
    ] = 0.3

    def refuses(self, config: RunConfig) -> SeglabError | None:
        if config.epochs < 2:
            return SeglabError("the size grows between epochs; epochs must be 2 or more")
        return super().refuses(config)

    def grown(self, epoch: int, epochs: int, start: float) -> float:
        """What has grown from `start` to 1 in an epoch of so many, in the steps of the sizes."""
        sizes = min(self.sizes, epochs)
        return start + (1 - start) * (epoch * sizes // epochs) / (sizes - 1)

    def data_hooks(self, feed: Feed) -> DataHooks:
        return Growing(self, feed.config.epochs)

    def step_hooks(self, run: Run) -> StepHooks:
        return GrowingDropout(self, run)


class Growing(DataHooks):
    """The size and the strength in each epoch of one run."""

    def __init__(self, options: ProgressiveSize, epochs: int):
        self.options, self.epochs = options, epochs

    def side(self, epoch: int, side: int) -> int:
        grown = round(side * self.options.grown(epoch, self.epochs, self.options.start_size) / MULTIPLE) * MULTIPLE
        return min(side, max(SMALLEST, grown)) if self.options.grown(epoch, self.epochs, 0) < 1 else side

    def strength(self, epoch: int) -> float:
        return self.options.grown(epoch, self.epochs, self.options.start_strength)


class GrowingDropout(StepHooks):
    """The dropout of a run's network in each epoch."""

    def __init__(self, options: ProgressiveSize, run: Run):
        self.options, self.run = options, run
        self.dropout: list[tuple[Dropout, float]] | None = None  # every such layer with its whole share

    def on_epoch(self, epoch: int) -> None:
        if self.dropout is None:
            modules = self.run.model.net.modules()
            self.dropout = [(module, module.p) for module in modules if isinstance(module, Dropout)]
        for module, whole in self.dropout:
            module.p = whole * self.options.grown(epoch, self.run.config.epochs, self.options.start_strength)
