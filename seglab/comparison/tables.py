"""Runs as tables for spreadsheets and other programs: what they reported event by event, and their scores."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.comparison.scores import Comparison
from seglab.evaluation import number
from seglab.events import Evaluated, Event, Finished, Started, Stepped

ENCODING = "utf-8-sig"  # of a file: without the mark, Excel takes UTF-8 for the machine's old code page
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # a text that begins so is run as a formula when a table is opened


def measures(event: Event, classes: Sequence[str]) -> dict[str, float | None]:
    """An event's numbers by the names that they have everywhere: `step/loss`, `val/miou`, `val/iou/sky`, `lr`; None for
    one that is not known. Terms of the loss are raw, and told where there are several: `step/loss/dice`, and the
    weights of a step's, `step/weight/dice`."""
    if not isinstance(event, Stepped | Evaluated):
        return {}
    found: dict[str, float | None] = {"lr": event.lr, "images_per_second": event.images_per_second}
    if isinstance(event, Stepped):
        found |= {"step/loss": event.loss} | terms("step", event.terms)
        weights = event.term_weights if len(event.terms) > 1 else {}
        return found | {f"step/weight/{name}": value for name, value in weights.items()}
    for split, score in event.scores.items():
        found |= {f"{split}/loss": number(score.loss), f"{split}/miou": score.miou}
        found[f"{split}/pixel_accuracy"] = score.pixel_accuracy
    for split, score in event.scores.items():
        found |= terms(split, score.terms)
        found |= {f"{split}/iou/{name}": value for name, value in zip(classes, score.iou, strict=True)}
    return found


def terms(part: str, values: Mapping[str, float]) -> dict[str, float]:
    """The terms of a loss that has several."""
    return {f"{part}/loss/{name}": value for name, value in values.items()} if len(values) > 1 else {}


def curves_csv(*directories: Path) -> str:
    """The curves of one run or of several as CSV: a line for each event that still counts, a column for each measure.

    A measure that an event has not is an empty cell; a run that has not begun has no line. To be written with ENCODING.
    Raises SeglabError for a damaged run.
    """
    lines = [line for directory in directories for line in lines_of(directory)]
    by_kind = sorted(lines, key=lambda line: line["event"] == "evaluated")  # what steps measure comes first
    names = dict.fromkeys(name for line in by_kind for name in line)
    return table([*names], lines)


def lines_of(directory: Path) -> list[dict[str, Any]]:
    """Each event of a run by the names of its columns."""
    events = runs.events(directory)
    scored = any(isinstance(event, Evaluated) for event in events)
    classes = runs.description(directory)["classes"] if scored else ()
    per_epoch = next((event.steps_per_epoch for event in events if isinstance(event, Started)), 1)
    return [
        {
            "run": directory.name,
            "event": event.kind,  # type: ignore[attr-defined]  # every event that is written has one
            "step": event.step,
            "epoch": getattr(event, "epoch", event.step / per_epoch),
            "seconds": event.seconds,
            "reason": event.reason if isinstance(event, Finished) else None,
            "best": int(event.best) if isinstance(event, Evaluated) else None,
        }
        | measures(event, classes)
        for event in events
    ]


def scores_csv(comparison: Comparison) -> str:
    """A comparison's scoreboard as CSV: a line for each run with its scores on `val` by its best weights, and with the
    options in which the runs differ."""
    lines = []
    for place, (label, row) in enumerate(zip(comparison.labels, comparison.rows, strict=True)):
        lines.append(
            {
                "run": row.run,
                "label": label,
                "state": row.state,
                **{f"config/{option}": values[place] for option, values in comparison.differences.items()},
                "parameters": row.parameters,
                "seconds": row.seconds,
                "images_per_second": row.images_per_second,
                "epochs": row.epochs,
                "best_epoch": row.best_epoch,
                "val/miou": row.miou,
                "val/pixel_accuracy": row.pixel_accuracy,
                **{f"val/iou/{name}": value for name, value in row.iou.items()},
                **terms("val", {name: value for name, (value, _) in row.terms.items()}),
                "leak": int(row.leak),
                "reused": int(row.reused),
            }
        )
    return table([*dict.fromkeys(name for line in lines for name in line)], lines)


def table(columns: Sequence[str], lines: Iterable[Mapping[str, Any]]) -> str:
    """Lines as CSV, None and what is missing empty."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(map(cell, columns))
    writer.writerows([cell(line.get(column)) for column in columns] for line in lines)
    return text.getvalue()


def cell(value: Any) -> Any:
    """A value as it stands in a table: a text that would be taken for a formula gets an apostrophe before it."""
    if value is None or isinstance(value, int | float):
        return value
    return f"'{value}" if str(value).startswith(FORMULA) else str(value)
