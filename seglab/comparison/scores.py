"""Runs side by side: their curves, their scores, and the groups that differ in nothing but seed or fold."""

from __future__ import annotations

import itertools
import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from seglab import metrics, runs
from seglab.comparison.labels import labeled, roles, told_apart
from seglab.comparison.settings import chosen, differing
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.evaluation import number
from seglab.events import Evaluated, Event, Started, Stepped, best_of
from seglab.metrics import DEFINITION

Points = tuple[list[float], list[float]]  # epochs, values


@dataclass(frozen=True)
class Row:
    """One run's line on the scoreboard; mIoU, IoU and the terms of the loss are of the best weights on `val`.

    `terms`: each term's raw value, and its weight, which is None in older runs. `leak`: it, or a run whose weights it
    builds on, was trained on images it is validated on. `reused`: images that choose its best epoch are reported too.
    `fixed`: its network comes from `origin` and was not trained here, so that there are no seconds of it; `void`: the
    share of pixels that it took for none of the classes, as far as it may.
    """

    run: str
    state: str
    parameters: int | None
    seconds: float | None
    images_per_second: float | None
    epochs: float
    best_epoch: float | None
    miou: float | None
    pixel_accuracy: float | None
    iou: dict[str, float | None]
    terms: dict[str, tuple[float, float | None]]
    precision: str | None = None
    leak: bool = False
    reused: bool = False
    origin: str | None = None
    void: float | None = None

    @property
    def fixed(self) -> bool:
        return self.origin is not None


@dataclass(frozen=True)
class Group:
    """Runs that differ in nothing but seed or fold: the mean of the `count` known mIoU, and their sample standard
    deviation, which one alone has not; `places` are those in the comparison. `leak`: some of them leak."""

    label: str
    places: tuple[int, ...]
    count: int
    mean: float | None
    deviation: float | None
    leak: bool


@dataclass(frozen=True)
class Comparison:
    """Several runs: `labels` name each by its model and by what sets it apart, in the order of `rows` and curves.

    `terms`: those of the runs' losses, where any has several; their raw values are the curves "train TERM", "val TERM".
    `same_data`: all were scored on the same images. `comparable`: all were, or all groups on the same sets of images,
    as those of a cross-validation are. `left_out`: classes that a network from elsewhere does not know: all runs are
    scored without them, as `metrics.without` says.
    """

    labels: tuple[str, ...]
    rows: tuple[Row, ...]
    differences: dict[str, list[Any]]
    curves: dict[str, list[Points]]
    terms: tuple[str, ...]
    same_data: bool
    comparable: bool
    groups: tuple[Group, ...]
    left_out: tuple[str, ...] = ()

    def as_json(self) -> dict[str, Any]:
        return {
            "runs": [{"label": label} | vars(row) for label, row in zip(self.labels, self.rows, strict=True)],
            "differences": {
                option: [str(value) if isinstance(value, Path) else value for value in values]
                for option, values in self.differences.items()
            },
            "curves": {metric: [list(zip(*points, strict=True)) for points in c] for metric, c in self.curves.items()},
            "terms": self.terms,
            "same_data": self.same_data,
            "comparable": self.comparable,
            "groups": [vars(group) for group in self.groups],
            "left_out": self.left_out,
            "definition": DEFINITION,
        }


def compare(directories: Sequence[Path]) -> Comparison:
    """Reads the runs, finished or not, and sets them side by side."""
    configs = [runs.config(directory) for directory in directories]
    differences = differing([chosen(config) for config in configs])
    reports = [report(runs.events(directory)) for directory in directories]
    rows = tuple(row(*each) for each in zip(directories, configs, reports, strict=True))
    rows, left_out = alike_scored(rows, directories)
    reports = [  # networks that were not trained here have no curves
        each if config.model.trains else replace(each, evaluations=[], step_loss=([], []), lr=([], []))
        for each, config in zip(reports, configs, strict=True)
    ]
    evaluations, starts = [each.evaluations for each in reports], [each.start for each in reports]
    alike = repeated(configs, directories)
    terms = terms_of(evaluations)
    scored = [{start.dataset["val"] for n in places if (start := starts[n])} for places in alike]
    return Comparison(
        labels=labeled(
            [config.model.name for config in configs], differences, directories, roles(configs, directories)
        ),
        rows=rows,
        differences=differences,
        curves={
            "train_loss": [points(found, lambda e: e.scores["train"].loss) for found in evaluations],
            "val_loss": [points(found, lambda e: e.scores["val"].loss) for found in evaluations],
            "train_miou": [points(found, lambda e: e.scores["train"].miou) for found in evaluations],
            "val_miou": [points(found, lambda e: e.scores["val"].miou) for found in evaluations],
            "step_loss": [each.step_loss for each in reports],
            "lr": [each.lr for each in reports],
        }
        | {
            f"{part} {term}": [points(found, partial(term_on, part, term)) for found in evaluations]
            for term in terms
            for part in ("train", "val")
        },
        terms=terms,
        same_data=len(set().union(*scored)) <= 1,
        comparable=len({frozenset(digests) for digests in scored if digests}) <= 1,
        groups=grouped(configs, [places for places in alike if len(places) > 1], rows),
        left_out=left_out,
    )


@dataclass(frozen=True)
class Report:
    """What a comparison needs of a run's events, which are hundreds of times as many."""

    start: Started | None
    evaluations: list[Evaluated]
    seconds: float
    step_loss: Points
    lr: Points


def report(events: Sequence[Event]) -> Report:
    return Report(
        start=next((event for event in events if isinstance(event, Started)), None),
        evaluations=[event for event in events if isinstance(event, Evaluated)],
        seconds=events[-1].seconds if events else 0.0,
        step_loss=points([event for event in events if isinstance(event, Stepped)], lambda e: e.loss),
        lr=points([event for event in events if isinstance(event, Stepped | Evaluated)], lambda e: e.lr),
    )


def cautions(comparison: Comparison) -> list[SeglabError]:
    """Why the scores may not be what they seem."""
    found = []
    if not comparison.comparable:
        found.append(SeglabError("these runs were scored on different images: their scores cannot be compared"))
    labeled = list(zip(comparison.labels, comparison.rows, strict=True))
    if leaking := [label for label, row in labeled if row.leak]:
        found.append(
            SeglabError(
                "{runs}: images that they are validated on were trained on, by themselves or by runs whose weights "
                "they build on; their scores are too high",
                runs=", ".join(leaking),
            )
        )
    if reusing := [label for label, row in labeled if row.reused]:
        found.append(
            SeglabError(
                "{runs}: images that choose the best epoch are reported too; their scores are too high",
                runs=", ".join(reusing),
            )
        )
    if comparison.left_out:
        found.append(without(comparison.left_out))
    for label, row in labeled:
        if row.void:
            found.append(
                SeglabError(
                    "{run} takes {share} of the pixels for none of these classes; they count as missed",
                    run=label,
                    share=f"{100 * row.void:.1f} %",
                )
            )
    if len({row.precision for row in comparison.rows if row.precision and not row.fixed}) > 1:
        told = [f"{label}: {row.precision}" for label, row in labeled if row.precision and not row.fixed]
        found.append(
            SeglabError(
                "these runs computed in different precision ({runs}): their times cannot be compared",
                runs="; ".join(told),
            )
        )
    return found


def without(classes: Sequence[str]) -> SeglabError:
    """What is told of classes that are left out."""
    return SeglabError(
        "scored without classes that not every network knows: {classes}; their pixels count no more, and being taken "
        "for one of them is a miss",
        classes=", ".join(classes),
    )


def terms_of(evaluations: Sequence[Sequence[Evaluated]]) -> tuple[str, ...]:
    """The terms of all runs' losses, none where each has but one."""
    found = [list(events[-1].scores["val"].terms) for events in evaluations if events]
    return tuple(dict.fromkeys(itertools.chain(*found))) if any(len(names) > 1 for names in found) else ()


def term_on(part: str, term: str, event: Evaluated) -> float | None:
    return event.scores[part].terms.get(term)


def ordered(values: Sequence[Any]) -> list[Any]:
    """Each value once: numbers by size, others as they come."""
    once = list(dict.fromkeys(values))
    return sorted(once) if all(isinstance(value, int | float) for value in once) else once


def points(evaluations: Sequence[Stepped | Evaluated], value: Any) -> Points:
    known = [(event.epoch, number) for event in evaluations if (number := value(event)) is not None]
    return [epoch for epoch, _ in known], [number for _, number in known]


def row(directory: Path, config: RunConfig, report: Report) -> Row:
    evaluations, start = report.evaluations, report.start
    best = best_of(evaluations)
    val = best.scores["val"] if best else None
    begun = best or (directory / "dataset.json").exists()
    known = runs.description(directory) if begun else {}
    classes = known["classes"] if best else ()
    return Row(
        run=directory.name,
        state=runs.status(directory).state,
        parameters=start.parameters if start else None,
        precision=start.precision if start else None,
        seconds=report.seconds if config.model.trains else None,
        images_per_second=evaluations[-1].images_per_second if evaluations and config.model.trains else None,
        epochs=evaluations[-1].epoch if evaluations else 0.0,
        best_epoch=best.epoch if best and config.model.trains else None,
        miou=val.miou if val else None,
        pixel_accuracy=val.pixel_accuracy if val else None,
        iou=dict(zip(classes, val.iou if val else (), strict=True)),
        terms={name: (value, val.term_weights.get(name)) for name, value in val.terms.items()} if val else {},
        leak=leak(known, directory, config),
        reused=config.model.trains and reused(known),
        origin=None if config.model.trains else config.model.title,
    )


def alike_scored(rows: Sequence[Row], directories: Sequence[Path]) -> tuple[tuple[Row, ...], tuple[str, ...]]:
    """The rows, and the classes that are left out: where a network does not know some classes of the data, all runs on
    them are scored anew without these, so that their scores are about the same pixels and classes."""
    known = {n: runs.description(directories[n]) for n, each in enumerate(rows) if each.iou}
    sets = {n: (tuple(each["classes"]), each["digests"]["val"]) for n, each in known.items()}
    found, left_out = list(rows), dict[str, None]()
    for one in set(sets.values()):
        places = [n for n, each in sets.items() if each == one]
        unknown = [n for n in (runs.unknown_of(known[place]) for place in places) if n is not None]
        if not unknown:
            continue
        gone = sorted(set().union(*unknown))
        left_out |= dict.fromkeys(one[0][place] for place in gone)
        for n in places:
            found[n] = scored_without(rows[n], directories[n], one[0], gone, runs.unknown_of(known[n]) is not None)
    return tuple(found), tuple(left_out)


def scored_without(row: Row, directory: Path, classes: Sequence[str], gone: Sequence[int], void: bool) -> Row:
    """The row with the scores of its stored confusion matrices, some classes left out; with none where it has none."""
    try:
        whole = runs.Evidence(directory).confusions().sum(0)
        matrix = metrics.without(whole, gone)
    except SeglabError:
        return replace(row, miou=None, pixel_accuracy=None, iou=dict.fromkeys(row.iou))
    return replace(
        row,
        miou=number(metrics.miou(matrix)),
        pixel_accuracy=number(metrics.pixel_accuracy(matrix)),
        iou=dict(zip(classes, map(number, metrics.iou(matrix)), strict=True)),
        void=number(metrics.void_share(np.delete(whole, gone, 0))) if void else None,
    )


def leak(known: dict, directory: Path, config: RunConfig) -> bool:
    """Whether the run, of which this is known, or one whose weights it builds on, was trained on images it is validated
    on."""
    if not known:  # it has not begun
        return False
    held = known.get("pictures")
    learned = frozenset().union(runs.taught(known), *map(runs.learned, config.needs))
    if held and not learned.isdisjoint([*held["search"], *held["val"]]):
        return True
    for other in config.needs:  # older runs have nothing but names
        try:
            trained, scored = runs.description(runs.find(other))["images"], known["images"]
            same_source = runs.config(runs.find(other)).data == config.data
        except SeglabError:  # it has not begun, or is gone
            continue
        if same_source and not set(trained["train"]).isdisjoint([*scored["search"], *scored["val"]]):
            return True
    return False


def reused(known: dict) -> bool:
    """Whether images choose the best epoch of the run of which this is known, and are reported too."""
    held = known.get("pictures") or known.get("images")
    return held is not None and not set(held["search"]).isdisjoint(held["val"])


def repeated(configs: Sequence[RunConfig], directories: Sequence[Path]) -> list[list[int]]:
    """The places of the runs, those together that differ in nothing but the seed or the fold.

    Folds that carry weights on from one to the next belong together too, and not to those that begin from scratch.
    """
    places = {directory.resolve(): place for place, directory in enumerate(directories)}

    def origin(place: int) -> int:
        for _ in configs:
            before = configs[place].init_from
            if configs[place].fold and before is not None and before in places:
                place = places[before]
        return place

    origins = [origin(place) for place in range(len(configs))]
    found: dict[str, list[int]] = {}
    for place, config in enumerate(configs):
        setting = config.model_dump(mode="json") | {"seed": None, "fold": config.fold and config.fold.of}
        if origins.count(origins[place]) > 1:
            setting["init_from"] = f"{origins[place]}"
        found.setdefault(json.dumps(setting, sort_keys=True), []).append(place)
    return list(found.values())


def grouped(configs: Sequence[RunConfig], groups: Sequence[list[int]], rows: Sequence[Row]) -> tuple[Group, ...]:
    firsts = [configs[places[0]] for places in groups]
    settings = [config.model_copy(update={"seed": 0, "fold": None, "init_from": None}) for config in firsts]
    labels = told_apart([config.model.name for config in firsts], differing([chosen(each) for each in settings]))
    found = []
    for label, places in zip(labels, groups, strict=True):
        # the same training twice, as of a run that was brought back, is one
        known = {
            (configs[place].seed, configs[place].fold, miou): miou
            for place in places
            if (miou := rows[place].miou) is not None
        }
        scores = [*known.values()]
        mean = statistics.mean(scores) if scores else None
        deviation = statistics.stdev(scores) if len(scores) > 1 else None
        leaking = any(rows[place].leak for place in places)
        found.append(Group(label, tuple(places), len(scores), mean, deviation, leaking))
    return tuple(found)
