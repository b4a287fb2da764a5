"""The complete description of a run; importing this registers every family's entries."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from seglab import architectures, losses, optimizers, predictors, schedulers, techniques
from seglab.data import camvid, coco, folder, kitti, pets, streets, voc
from seglab.entry import Architecture, Dataset, Loss, Optimizer, Options, Scheduler, Technique

__all__ = ["Fold", "RunConfig", "architectures", "camvid", "coco", "folder", "kitti", "losses", "pets", "predictors"]
__all__ += ["streets", "techniques", "voc"]


class Fold(Options):
    """One of several equal parts of the training images, held out and validated on instead of the usual."""

    index: Annotated[int, Field(ge=0, description="which part is held out, counted from 0")] = 0
    of: Annotated[int, Field(ge=2, le=20, description="how many parts there are")] = 5


class RunConfig(Options):
    """Everything that decides what a run learns; two runs are the same setting when only their seeds differ."""

    data: Annotated[Dataset, Field(description="where images and masks come from")] = streets.Streets()
    model: Annotated[Architecture, Field(description="the network")] = architectures.unet.UNet()
    loss: Annotated[Loss, Field(description="what training makes small")] = Loss.parse("cross_entropy + dice")
    scheduler: Annotated[Scheduler, Field(description="how the learning rate changes")] = schedulers.Constant()
    optimizer: Annotated[Optimizer, Field(description="how gradients change the weights")] = optimizers.AdamW()
    techniques: Annotated[tuple[Technique, ...], Field(max_length=20, description="what else is done in training")] = ()
    image_size: Annotated[
        int, Field(ge=32, le=1024, description="longer side of the images in training, in pixels")
    ] = 128
    batch_size: Annotated[int, Field(ge=1, le=128, description="images for each step of the optimizer")] = 8
    epochs: Annotated[int, Field(ge=1, le=1000, description="how often every training image is seen")] = 5
    budget_seconds: Annotated[
        float | None, Field(gt=0, le=604_800, description="training ends after this many seconds, if given")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**31, description="decides every random choice of the run")] = 0
    init_from: Annotated[Path | None, Field(description="folder of a run whose weights this one starts from")] = None
    fold: Annotated[Fold | None, Field(description="cross-validation: the part of the training images held out")] = None

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        names = [technique.name for technique in self.techniques]
        for technique in self.techniques:
            if names.count(technique.name) > 1:
                raise PydanticCustomError("twice", "", {"name": technique.name})
            if reason := technique.refuses(self):
                raise PydanticCustomError("refused", "", {"name": technique.name, "reason": reason})
        if self.fold and self.fold.index >= self.fold.of:
            raise PydanticCustomError("fold", "", {"index": self.fold.index, "most": self.fold.of - 1})
        if self.scheduler.warmup >= self.epochs:
            raise PydanticCustomError("warmup", "", {"warmup": f"{self.scheduler.warmup:g}", "epochs": self.epochs})
        return self
