"""The complete description of a run; importing this registers every family's entries."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from seglab import architectures, losses, optimizers, predictors, schedulers, techniques
from seglab.data import camvid, coco, folder, kitti, pets, streets, voc
from seglab.entry import (
    FAMILIES,
    Architecture,
    Dataset,
    Entry,
    Loss,
    Optimizer,
    Options,
    Scheduler,
    SeglabError,
    Technique,
    refusal_of,
    shown,
    validated,
)

__all__ = ["Fold", "RunConfig", "architectures", "camvid", "coco", "folder", "kitti", "losses", "pets", "predictors"]
__all__ += ["streets", "techniques", "voc"]


class Fold(Options):
    """One of several equal parts of the training images, held out and validated on instead of the usual."""

    index: Annotated[int, Field(ge=0, description="index of the fold that is held out, counted from 0")] = 0
    of: Annotated[int, Field(ge=2, le=20, description="number of folds")] = 5


class RunConfig(Options):
    """Everything that decides what a run learns; two runs are the same setting when only their seeds differ."""

    data: Annotated[Dataset, Field(description="source of the images and masks")] = streets.Streets()
    model: Annotated[Architecture, Field(description="network architecture to train")] = architectures.unet.UNet()
    loss: Annotated[Loss, Field(description="function that training minimizes")] = Loss.parse("cross_entropy + dice")
    scheduler: Annotated[Scheduler, Field(description="how the learning rate changes")] = schedulers.Constant()
    optimizer: Annotated[Optimizer, Field(description="how gradients update the weights")] = optimizers.AdamW()
    techniques: Annotated[tuple[Technique, ...], Field(max_length=20, description="augmentation, EMA and so on")] = ()
    image_size: Annotated[
        int, Field(ge=32, le=1024, description="longer side of the images in training, in pixels")
    ] = 128
    batch_size: Annotated[int, Field(ge=1, le=128, description="images per optimizer step")] = 8
    epochs: Annotated[int, Field(ge=1, le=1000, description="number of passes over the training images")] = 5
    budget_seconds: Annotated[
        float | None, Field(gt=0, le=604_800, description="training stops after this many seconds; empty: no limit")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**31, description="determines every random choice of the run")] = 0
    init_from: Annotated[Path | None, Field(description="folder of a run whose weights initialize this one")] = None
    fold: Annotated[Fold | None, Field(description="cross-validation: the held-out fold of the training images")] = None

    @property
    def needs(self) -> tuple[Path, ...]:
        """The folders of the runs that have to be finished before this one can begin."""
        begin = (self.init_from,) if self.init_from else ()
        return begin + tuple(run for technique in self.techniques for run in technique.needs)

    def needing(self, other: Callable[[Path], Path | None]) -> RunConfig:
        """The configuration with another run in the place of each that it needs, or with none."""
        techniques = tuple(
            each.model_copy(update={"teacher": other(each.teacher)}) if each.needs else each for each in self.techniques
        )
        return self.model_copy(update={"init_from": self.init_from and other(self.init_from), "techniques": techniques})

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


# --- options as text, from the command line or a plan


def settings(given: dict[str, Any], options: dict[str, str]) -> dict[str, Any]:
    """What was given for a run's fields, with the dotted options set inside."""
    if not isinstance(given, dict):
        raise SeglabError("the configuration is {given}; it must be an object with options", given=shown(given))
    config: dict[str, Any] = dict(given)
    for place, value in options.items():
        field, *path = place.split(".")
        if field not in RunConfig.model_fields:
            raise refusal_of("option", field, RunConfig.model_fields, thing=place, owner="seglab")
        kind = RunConfig.model_fields[field].annotation
        if field == "techniques":
            config[field] = assigned(picked(config.get(field) or "", "techniques"), path, value, place)
        elif isinstance(kind, type) and issubclass(kind, Entry):
            default = RunConfig.model_fields[field].default
            entry = validated(kind, config[field]).model_dump() if config.get(field) else default.model_dump()
            parts = [part["loss"] for part in entry.get("parts", ())]
            if len(path) > 1:  # with the entry's name before the option
                assigned(parts or [entry], path, value, place)
            else:
                assigned([entry], [entry["name"], *path], value, place)
            config[field] = entry
        else:
            inner = config.get(field) or {}
            if field != "fold" or not isinstance(inner, dict):
                raise SeglabError(
                    "--{place} is not an option: {field} has no options of its own", place=place, field=field
                )
            config[field] = {**inner, path[-1]: value}
    return config


def picked(names: Any, family: str) -> list[dict[str, Any]]:
    """`flip,color` as a list of entries to be filled with options; checked, so that a near miss is named."""
    base = FAMILIES[family]
    names = [name.strip() for name in names.split(",") if name.strip()] if isinstance(names, str) else names
    return [validated(base, name).model_dump() for name in names]


def assigned(entries: list[dict[str, Any]], path: Sequence[str], value: str, place: str) -> list[dict[str, Any]]:
    """Sets `color.p` in the entry named color; text with commas becomes a list where the option is one."""
    name, *option = path
    entry = next((entry for entry in entries if entry["name"] == name), None)
    if entry is None or len(option) != 1:
        raise SeglabError(
            "{place} is not an option here; entries that can take one: {names}",
            place=f"--{place}",
            names=", ".join(entry["name"] for entry in entries) or "-",
        )
    entry[option[0]] = value.split(",") if isinstance(entry.get(option[0]), list | tuple) else value
    return entries
