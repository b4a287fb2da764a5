"""All runs in a list: what the last event, the label and the configuration of each tell, and the choice among them."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from pydantic_core import from_json

from seglab.entry import shown
from seglab.errors import SeglabError
from seglab.runs import kept
from seglab.runs.directory import CHECKPOINTS, elsewhere, home, status
from seglab.runs.index import Index
from seglab.runs.labels import label

FORM = "1"  # of what `facts` gives; another one where that has changed
FILES = ("events.jsonl", "label.json")  # that it reads beside the configuration
STATES = ("queued", "running", "interrupted", "completed", "budget", "stopped", "diverged", "failed")
SORTS = ("made", "name", "state", "model", "data", "epochs", "seconds", "miou", "parameters")
UPWARD = ("name", "state", "model", "data")  # sorted from A to Z, the others from the highest down
SEARCHED = ("run", "name", "owner", "model", "data", "state", "what")  # where a text is looked for

Row = TypeVar("Row", bound=Mapping[str, Any])


def facts(directory: Path) -> tuple[dict[str, Any], bool]:
    """What is told of a run, and whether that stays as long as its directory does.

    Of its configuration only names are read, and nothing is checked: whoever opens the run is told what is wrong.
    """
    known, named = status(directory), label(directory)
    ended = known.finished
    config = read(directory / "config.json")
    return {
        "state": known.state,
        "epochs": ended and ended.epoch,
        "seconds": ended and ended.seconds,
        "best_epoch": ended and ended.best_epoch,
        "miou": ended and ended.val_miou,
        "parameters": ended and ended.parameters,
        "name": named.name,
        "owner": named.owner.nickname if named.owner else "",
        "model": name_in(config, "model"),
        "data": name_in(config, "data"),
    }, known.state != "running"


def read(path: Path) -> Any:
    """What is in a file of JSON; None where that cannot be told."""
    try:
        return from_json(path.read_bytes())
    except (OSError, ValueError):
        return None


def model_of(directory: Path) -> str:
    """The name of a run's model, which nobody has checked; empty where that cannot be told."""
    return name_in(read(directory / "config.json"), "model")


def name_in(config: Any, field: str) -> str:
    """The name of an entry in a configuration that nobody has checked."""
    found = config.get(field) if isinstance(config, dict) else None
    name = found.get("name") if isinstance(found, dict) else found
    return name if isinstance(name, str) else ""


def listing() -> list[dict[str, Any]]:
    """What is told of every run, in the order of `every`; the files of a new one are read only where something in its
    directory has changed."""
    index = opened().look()
    new = sorted((told(index, name) for name in index.names), key=lambda each: -each["made"])
    return new + [of(directory) for directory in elsewhere({each["run"] for each in new})]


def rows(directories: Iterable[Path]) -> list[dict[str, Any]]:
    """What is told of these runs."""
    index, places = opened(), list(directories)
    index.take(place.name for place in places if place.parent == index.home)
    here = {place for place in places if place.parent == index.home and place.name in index.values}
    return [told(index, place.name) if place in here else of(place) for place in places]


def opened() -> Index:
    return Index(home(), "list", FORM, FILES, facts)


def told(index: Index, name: str) -> dict[str, Any]:
    """What is told of a run of the home."""
    made, place = index.stamps[name][0] / 1e9, f"{index.home}{os.sep}{name}"
    return {"run": name, "directory": place, "shipped": False, "kept": False, "made": made, **index.values[name]}


def of(directory: Path) -> dict[str, Any]:
    """What is told of a run that may be anywhere, and may be gone."""
    path = directory / "config.json"
    return {
        "run": directory.name,
        "directory": str(directory),
        "shipped": directory.parent == CHECKPOINTS,
        "kept": kept.is_kept(directory),
        "made": path.stat().st_mtime_ns / 1e9 if path.exists() else None,
        **facts(directory)[0],
    }


def chosen(
    rows: Sequence[Row],
    text: str = "",
    sort: str = "made",
    states: Sequence[str] = STATES,
    **wanted: Sequence[str],
) -> list[Row]:
    """The rows that have every word of the text somewhere and, as `wanted`, one of these states, models and data sets,
    sorted; those without what they are sorted by come last. Raises SeglabError for what no row can have; `states` are
    those that one may be in."""
    refuse_unknown("sort", [sort], SORTS)
    for name, values in wanted.items():
        known = sorted({each[name] for each in rows} - {""}) if values else []
        refuse_unknown(name, values, [*dict.fromkeys([*states, *known])] if name == "state" else known)
    found = [each for each in rows if all(each[name] in values for name, values in wanted.items() if values)]
    for word in text.casefold().split():
        found = [each for each in found if any(word in str(each.get(name)).casefold() for name in SEARCHED)]
    if sort == "made":  # as they come
        return found
    scored = [each for each in found if each[sort] not in (None, "")]
    scored.sort(key=lambda each: each[sort].casefold() if sort in UPWARD else -each[sort])
    return scored + [each for each in found if each[sort] in (None, "")]


def refuse_unknown(option: str, given: Iterable[str], allowed: Sequence[str]) -> None:
    """Raises SeglabError for a value that is none of those allowed."""
    for value in given:
        if value not in allowed:
            raise SeglabError(
                "{option}: {given} is not allowed; allowed: {allowed}",
                option=option,
                given=shown(value),
                allowed=", ".join(allowed),
            )


def table(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each run: its name, its state, how long it trained, and its mIoU on val, of its best epoch."""
    wide = max((len(each["run"]) for each in rows), default=3) + 2
    lines = [f"{'run':<{wide}}{'state':<14}{'epochs':>8}{'seconds':>9}{'mIoU':>9}"]
    for each in rows:
        cells = [
            f"{'-' if each[name] is None else format(each[name], how):>{space}}"
            for name, how, space in (("epochs", "g", 8), ("seconds", ".0f", 9), ("miou", ".4f", 9))
        ]
        where = "  shipped" if each["shipped"] else "  kept" if each["kept"] else ""
        lines.append(f"{each['run']:<{wide}}{each['state']:<14}{''.join(cells)}{where}")
    return "\n".join(lines)
