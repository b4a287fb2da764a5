"""Runs side by side: their curves, their scores, and what differs between their configurations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.events import Evaluated, Event, Started, Stepped
from seglab.metrics import DEFINITION

Points = tuple[list[float], list[float]]  # epochs, values


@dataclass(frozen=True)
class Row:
    """One run's line on the scoreboard; mIoU and IoU are of the best weights on `val`."""

    run: str
    state: str
    parameters: int | None
    seconds: float
    images_per_second: float | None
    epochs: float
    best_epoch: float | None
    miou: float | None
    pixel_accuracy: float | None
    iou: dict[str, float | None]


@dataclass(frozen=True)
class Comparison:
    """Several runs: `labels` name each by its model and by what sets it apart, in the order of `rows` and curves."""

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    differences: dict[str, list[Any]]
    curves: dict[str, list[Points]]
    same_data: bool

    def as_json(self) -> dict[str, Any]:
        return {
            "runs": [{"label": label} | vars(row) for label, row in zip(self.labels, self.rows, strict=True)],
            "differences": {
                option: [str(value) if isinstance(value, Path) else value for value in values]
                for option, values in self.differences.items()
            },
            "curves": {metric: [list(zip(*points, strict=True)) for points in c] for metric, c in self.curves.items()},
            "same_data": self.same_data,
            "definition": DEFINITION,
        }


def compare(directories: Sequence[Path]) -> Comparison:
    """Reads the runs, finished or not, and sets them side by side."""
    configs = [runs.config(directory) for directory in directories]
    events = [runs.events(directory) for directory in directories]
    differences = differing([config.model_dump() for config in configs])
    evaluations = [[event for event in found if isinstance(event, Evaluated)] for found in events]
    starts = [next((event for event in found if isinstance(event, Started)), None) for found in events]
    return Comparison(
        labels=labelled([config.model.name for config in configs], differences, directories),
        rows=tuple(row(*each) for each in zip(directories, events, evaluations, starts, strict=True)),
        differences=differences,
        curves={
            "train_loss": [points(found, lambda e: e.scores["train"].loss) for found in evaluations],
            "val_loss": [points(found, lambda e: e.scores["val"].loss) for found in evaluations],
            "train_miou": [points(found, lambda e: e.scores["train"].miou) for found in evaluations],
            "val_miou": [points(found, lambda e: e.scores["val"].miou) for found in evaluations],
            "step_loss": [points([e for e in found if isinstance(e, Stepped)], lambda e: e.loss) for found in events],
            "lr": [
                points([e for e in found if isinstance(e, Stepped | Evaluated)], lambda e: e.lr) for found in events
            ],
        },
        same_data=len({start.dataset["val"] for start in starts if start}) <= 1,
    )


def points(evaluations: Sequence[Event], value: Any) -> Points:
    known = [(event.epoch, value(event)) for event in evaluations if value(event) is not None]
    return [epoch for epoch, _ in known], [number for _, number in known]


def row(directory: Path, events: list[Event], evaluations: list[Evaluated], start: Started | None) -> Row:
    best = next((event for event in reversed(evaluations) if event.best), None)
    val = best.scores["val"] if best else None
    classes = runs.description(directory)["classes"] if best else ()
    return Row(
        run=directory.name,
        state=runs.status(directory).state,
        parameters=start.parameters if start else None,
        seconds=events[-1].seconds if events else 0.0,
        images_per_second=evaluations[-1].images_per_second if evaluations else None,
        epochs=evaluations[-1].epoch if evaluations else 0.0,
        best_epoch=best.epoch if best else None,
        miou=val.miou if val else None,
        pixel_accuracy=val.pixel_accuracy if val else None,
        iou=dict(zip(classes, val.iou if val else (), strict=True)),
    )


def flat(value: Any, place: str = "") -> dict[str, Any]:
    """Nested dicts as {"loss.gamma": 2.0}; an entry's name stands at the entry's own place, lists by number or name."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= flat(inner, place if key == "name" else f"{place}.{key}" if place else key)
        return found
    if isinstance(value, list | tuple):
        names = [inner["name"] if isinstance(inner, dict) and "name" in inner else n for n, inner in enumerate(value)]
        found = {place: ", ".join(names)} if names and isinstance(names[0], str) else {}  # their order matters too
        for name, inner in zip(names, value, strict=True):
            found |= flat(inner, f"{place}.{name}")
        return found
    return {place: value}


def differing(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The options that differ, each with its value in every configuration; None where one has no such option.

    Where different entries are picked, an option that only some of them have is no difference of its own.
    """
    flats = [flat(config) for config in configs]
    options = list(dict.fromkeys(option for config in flats for option in config))
    table = {option: [config.get(option) for config in flats] for option in options}
    apart = {option: values for option, values in table.items() if any(value != values[0] for value in values)}

    def own(option: str) -> bool:
        return option.rpartition(".")[0] not in apart or all(option in config for config in flats)

    return {option: values for option, values in apart.items() if own(option)}


def labelled(models: Sequence[str], differences: dict[str, list[Any]], directories: Sequence[Path]) -> tuple[str, ...]:
    """A short unique name for each run: the one that a person gave it, or else its model, with what differs from other
    runs of that model."""
    labels = []
    for n, model in enumerate(models):
        if not runs.MADE_NAME.fullmatch(directories[n].name):
            labels.append(directories[n].name)
            continue
        twins = [k for k, other in enumerate(models) if other == model]
        apart = {o: v for o, v in differences.items() if o != "model" and len({repr(v[k]) for k in twins}) > 1}
        told = {option: v[n] for option, v in apart.items() if not isinstance(v[n], Path | None)}
        told = {option: v for option, v in told.items() if option.rpartition(".")[0] not in told}
        options = ", ".join(f"{option.rpartition('.')[2]} {value}" for option, value in list(told.items())[:3])
        labels.append(f"{model} ({options})" if options else model)
    short = [runs.short_name(directory) for directory in directories]
    labels = [name if labels.count(label) > 1 else label for label, name in zip(labels, short, strict=True)]
    return tuple(
        label if labels.count(label) == 1 else directory.name
        for label, directory in zip(labels, directories, strict=True)
    )
