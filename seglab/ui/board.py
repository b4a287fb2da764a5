"""What every page sees of the runs: rows and the points of curves, made once for all visitors.

A page asks every two seconds for what is new since it last asked, so that an answer is a few hundred bytes while a run
is under way, and nothing where nothing has happened.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any, get_args

from seglab import jobs, plans, runs
from seglab.download import last_shown
from seglab.entry import Entry
from seglab.errors import SeglabError
from seglab.events import Finished, Reason, Started, from_line
from seglab.jobs import zerogpu
from seglab.travel.commands import words
from seglab.ui.text import told
from seglab.ui.tracks import Track, short

REST = 0.5  # seconds between two looks at the runs, however many pages ask
MOST_ROWS = 400  # runs made here that a page is told of, the newest; those that it names come with them
MOST_RUNS = 60  # that one request may name
MOST_TRACKS = 200  # runs whose points are kept in memory
LENT = ("queued", "running", "stopped", "interrupted")  # states in which a run may want a GPU


# --- one run's row


@dataclass
class Row:
    """What a page's list says of a run: `told` is in every language, `texts` are sentences yet to be translated."""

    told: dict[str, Any]
    texts: list[SeglabError] = field(default_factory=list)
    version: int = 0
    written: dict[str, str] = field(default_factory=dict)  # as JSON, by language

    def json(self, lang: str) -> str:
        if lang not in self.written:
            texts = [told(each, lang) for each in self.texts]
            self.written[lang] = json.dumps({**self.told, "texts": texts}, ensure_ascii=False, separators=(",", ":"))
        return self.written[lang]


@lru_cache(maxsize=2000)
def described(directory: Path, changed: int) -> dict[str, Any]:
    """What a run's configuration says, as of the time it was written; raises SeglabError where it is damaged."""
    config = runs.config(directory)
    plain, dotted = words(config)
    options = {**plain, **dotted} if config.model.trains else {}
    apart = ("model", "data", "seed")  # told elsewhere, or of no interest
    said = [f"{name} {value}" for name, value in options.items() if "/" not in value and name not in apart]
    return {
        "model": config.model.title,
        "origin": None if config.model.trains else config.model.title,
        "data": config.data.name,
        "what": ", ".join(said)[:160],
        "epochs": config.epochs,
        "budget": config.budget_seconds,
        "loss": mark(config.loss),
        "set": mark(config.data),
        "pace": plans.pace_key(config.model_dump(mode="json")),
    }


def mark(entry: Entry) -> str:
    """Eight letters that are the same for the same entry with the same options."""
    return hashlib.sha256(entry.model_dump_json().encode()).hexdigest()[:8]


@lru_cache(maxsize=2000)
def refuse_damage(directory: Path, changed: int, size: int) -> None:
    """Raises SeglabError where a run's description is damaged, as of this version of it."""
    runs.description(directory)


@lru_cache(maxsize=2000)
def beginning(directory: Path, size: int) -> Started | None:
    """The first event of a run whose events have this size."""
    with open(directory / "events.jsonl", "rb") as file:
        event = from_line(file.readline())
    return event if isinstance(event, Started) else None


class Board:
    """The rows of all runs, looked at no more often than every REST seconds, by one visitor's request for all."""

    def __init__(self) -> None:
        self.boot = secrets.token_hex(4)  # versions of another program's are none of ours
        self.version = 0
        self.rows: dict[str, Row] = {}
        self.places: dict[str, Path] = {}
        self.gone: OrderedDict[str, int] = OrderedDict()
        self.tracks: OrderedDict[Path, Track] = OrderedDict()
        self.paces: dict[str, float] = {}  # seconds for an epoch, of finished runs of this kind
        self.known: dict[str, tuple] = {}  # what a row was made of
        self.lock, self.following, self.looked = threading.Lock(), threading.Lock(), float("-inf")

    def look(self) -> None:
        """Has the rows as they are now, or were a moment ago; while one visitor has them made, the others do not
        wait."""
        if time.monotonic() - self.looked < REST:
            return
        if self.lock.acquire(blocking=not self.rows):
            try:
                if time.monotonic() - self.looked >= REST:
                    self.take_in()
                    self.looked = time.monotonic()
            finally:
                self.lock.release()

    def take_in(self) -> None:
        waiting = {directory: n for n, directory in enumerate(jobs.waiting(), 1)}
        members = plan_members()
        found: dict[str, Path] = {}
        for directory in runs.every():
            found.setdefault(directory.name, directory)
        new = {}
        for name, directory in found.items():
            try:
                new[name] = self.row(directory, waiting.get(directory), members.get(name))
            except Exception as error:  # a damaged run is told in its own row, and in no other
                new[name] = broken(directory, error)
        self.foresee(new, waiting)
        version = self.version
        for name, row in new.items():
            old = self.rows.get(name)
            if old and (old is row or (old.told, list(map(str, old.texts))) == (row.told, list(map(str, row.texts)))):
                new[name] = old
                continue
            version += 1
            row.version = version
        for name in self.rows.keys() - new.keys():
            version += 1
            self.gone[name] = version
            self.known.pop(name, None)
        while len(self.gone) > MOST_ROWS:
            self.gone.popitem(last=False)
        self.places, self.rows = found, new
        self.version = version  # last: whoever reads it first reads rows that are at least as new

    def row(self, directory: Path, place: int | None, plan: tuple[str, str] | None) -> Row:
        """A run's row; one that has ended and was not touched since is the one that was."""
        events = directory / "events.jsonl"
        size = runs.size_of(events)
        status = runs.status(directory) if place is None else runs.Status("queued")
        state = status.state
        if state == "running" and (directory / "stop").exists():
            state = "stopping"
        label = runs.label(directory)
        changed = (directory / "config.json").stat().st_mtime_ns
        made_of = (size, state, place, plan, label, changed, (directory / "weights.safetensors").exists())
        old = self.rows.get(directory.name)
        if old and self.known.get(directory.name) == made_of and state not in ("queued", "running"):
            return old
        self.known[directory.name] = made_of
        config = described(directory, changed)
        if (dataset := directory / "dataset.json").exists():
            refuse_damage(directory, dataset.stat().st_mtime_ns, runs.size_of(dataset))
        over = state in get_args(Reason)
        own = directory.parent == runs.home()
        foreign = runs.shipped(directory) or runs.is_kept(directory)
        row = Row(
            {
                **called(directory, label),
                "kind": "own" if own else "shipped" if directory.parent == runs.CHECKPOINTS else "kept",
                "foreign": bool(foreign),
                "state": state,
                "over": over,
                "place": place,
                "starts": None,
                "plan": plan,
                **{
                    name: config[name]
                    for name in ("model", "origin", "data", "what", "epochs", "budget", "loss", "set")
                },
                "trained": made_of[-1] or runs.is_kept(directory),
            }
        )
        if status.finished and size:
            self.add_end(row, status.finished, beginning(directory, size), config)
        else:
            self.add_progress(row, self.track(directory).read(), directory, state)
        if zerogpu.LENDS and state in LENT and own and not foreign:
            row.told["unlent"] = zerogpu.chosen(directory)
        return row

    def add_end(self, row: Row, finished: Finished, started: Started | None, config: dict[str, Any]) -> None:
        total = started.total_steps if started else 0
        row.told |= {
            "step": finished.step,
            "done": progress(finished.step, finished.seconds, total, row.told["budget"]),
            "epoch": short(finished.epoch or (finished.step / started.steps_per_epoch if started else 0.0)),
            "seconds": short(finished.seconds),
            "left": None,
            "miou": short(finished.val_miou),
            "best": short(finished.best_epoch),
            "parameters": finished.parameters,
            "images": seen(started, finished.step),
        }
        row.texts = reasons(finished, started)
        if row.told["origin"]:  # it has seen no images and has no epochs
            row.told |= {"done": 1.0, "images": None}
        if finished.epoch >= 1 and row.told["kind"] == "own" and not row.told["foreign"]:
            self.paces[config["pace"]] = finished.seconds / finished.epoch

    def add_progress(self, row: Row, track: Track, directory: Path, state: str) -> None:
        started, stepped = track.started, track.stepped
        last = max((each for each in (stepped, track.best, track.finished) if each), key=lambda e: e.step, default=None)
        step, seconds = (last.step, last.seconds) if last else (0, 0.0)
        row.told |= {
            "step": step,
            "done": progress(step, seconds, started.total_steps if started else 0, row.told["budget"]),
            "epoch": short(step / started.steps_per_epoch if started else 0.0),
            "seconds": short(seconds),
            "left": round(stepped.seconds_left) if stepped and state == "running" else None,
            "phase": phase(track, state),
            "miou": short(track.best.scores["val"].miou) if track.best else None,
            "best": short(track.best.epoch) if track.best else None,
            "parameters": started.parameters if started else None,
            "images": seen(started, step),
        }
        row.texts = [track.problem] if track.problem else []
        row.texts += [note.error() for note in track.notes]
        row.texts += reasons(track.finished, started)  # an end says why it waits again, as for a GPU
        if row.told["place"] == 1 and (trouble := jobs.trouble()):
            row.texts.append(SeglabError("No run can begin for now; it is tried again: {reason}", reason=trouble))
        if started is None and state == "running" and (fetched := last_shown(directory / "log.txt")):
            row.texts.append(
                SeglabError("Downloading weights from {host}: {percent}%", host=fetched[0], percent=fetched[1])
            )

    def foresee(self, rows: dict[str, Row], waiting: dict[Path, int]) -> None:
        """When each waiting run may begin, in seconds from now, rounded so that it does not change all the time."""
        ahead: float | None = sum(
            row.told.get("left") or 0.0 for row in rows.values() if row.told["state"] in ("running", "stopping")
        )
        ahead = None if os.environ.get("SEGLAB_ON") else ahead  # several at once, and nobody knows how many
        for directory in waiting:
            row = rows.get(directory.name)
            if row is None:  # deleted just now, or no run
                continue
            row.told["starts"] = None if ahead is None else rounded(ahead)
            lasts = 0.0 if row.told["state"] == "damaged" else self.lasts(directory)  # which fails at once
            ahead = None if ahead is None or lasts is None else ahead + lasts

    def lasts(self, directory: Path) -> float | None:
        """How long a waiting run may take; None where nobody knows."""
        try:
            config = described(directory, (directory / "config.json").stat().st_mtime_ns)
        except (SeglabError, OSError):  # damaged or deleted just now
            return 0.0
        pace = self.paces.get(config["pace"])
        known = [each for each in (pace and pace * config["epochs"], config["budget"]) if each]
        return min(known) if known else None

    def track(self, directory: Path) -> Track:
        with self.following:
            track = self.tracks.setdefault(directory, Track(directory))
            self.tracks.move_to_end(directory)
            while len(self.tracks) > MOST_TRACKS:
                self.tracks.popitem(last=False)
        return track

    def found(self, name: str) -> Path:
        """The directory of a run on the board, or of a lesson, which is on none; a name that only the page made up is
        refused, paths above all."""
        self.look()
        directory = self.places.get(name) or runs.of_lesson(name)
        if directory is None:
            raise SeglabError("there is no run {run}", run=repr(str(name)[:80]))
        return directory

    def named(self, names: Iterable[str]) -> list[Path]:
        """The directories of the first runs that a page names, each once."""
        return [self.found(name) for name in dict.fromkeys(islice(names, MOST_RUNS))]

    def news(self, since: str, followed: Iterable[tuple[str, str]], lang: str) -> str | None:
        """As JSON, what is new since a version, and the points of the runs that a page follows after the position of
        each; None where nothing is."""
        self.look()
        boot, _, number = since.partition(".")
        version = int(number) if boot == self.boot and number.isdecimal() else -1
        now, positions = self.version, dict(followed)
        rows, places = self.rows, self.places
        listed = rows if len(rows) <= MOST_ROWS else newest(rows, positions)
        changed = [row.json(lang) for name, row in listed.items() if row.version > version]
        gone = [name for name, when in list(self.gone.items()) if when > version and name not in rows]
        points: dict[str, Any] = {}
        for name, position in positions.items():
            directory = places.get(name)
            if directory and directory.exists():
                added = self.track(directory).read().since(position)
                points |= {} if added is None else {name: added}
        if not (changed or points or (gone and version >= 0)) and version == now:
            return None
        parts = [f'"v":"{self.boot}.{now}"', f'"rows":[{",".join(changed)}]']
        parts += [f'"gone":{json.dumps(gone)}'] if gone and version >= 0 else []
        parts += ['"all":true'] if version < 0 else []
        parts += [f'"points":{json.dumps(points, separators=(",", ":"))}'] if points else []
        return "{" + ",".join(parts) + "}"


def newest(rows: dict[str, Row], followed: dict[str, str]) -> dict[str, Row]:
    """The rows that a page is told of where there are too many: runs.every gives the newest first."""
    made = 0
    found = {}
    for name, row in rows.items():
        made += row.told["kind"] == "own"
        if row.told["kind"] != "own" or made <= MOST_ROWS or name in followed or not row.told["over"]:
            found[name] = row
    return found


def broken(directory: Path, error: Exception) -> Row:
    """The row of a run whose files cannot be read."""
    why = (
        error
        if isinstance(error, SeglabError)
        else SeglabError(
            "{run} cannot be read: {reason}", run=directory.name, reason=f"{type(error).__name__}: {error}"
        )
    )
    nothing = dict.fromkeys(("place", "starts", "plan", "left", "miou", "best", "parameters", "images", "budget"))
    kind = "own" if directory.parent == runs.home() else "kept"
    return Row(
        {
            **called(directory, runs.label(directory)), "kind": kind, "foreign": True,
            "state": "damaged", "over": True, "model": "-", "origin": None, "data": "",
            "what": "", "loss": "", "set": "", "epochs": 0,
            "trained": False, "step": 0, "done": 0.0, "epoch": 0.0, "seconds": 0.0, **nothing,
        },
        [why],
    )  # fmt: skip


def called(directory: Path, label: runs.Label) -> dict[str, Any]:
    """What a run is called, and whose it is."""
    owner = label.owner
    return {
        "run": directory.name,
        "name": label.name,
        "stroke": label.stroke,
        "owner": owner.nickname if owner else "",
        "key": owner.key if owner else "",
    }


def reasons(finished: Finished | None, started: Started | None) -> list[SeglabError]:
    """Why a run ended, and what a person should know of it."""
    said = [*([finished.why] if finished and finished.why else []), *(started.notes if started else [])]
    return [each.error() for each in said]


def progress(step: int, seconds: float, total: int, budget: float | None) -> float:
    """From 0 to 1, how much of its epochs or of its time limit a run has used, whichever is more."""
    parts = [step / total if total else 0.0, seconds / budget if budget else 0.0]
    return round(min(1.0, max(parts)), 3)


def seen(started: Started | None, step: int) -> int | None:
    """About how many training images a run has seen, each as often as it was seen."""
    if started is None or not started.steps_per_epoch:
        return None
    return round(step / started.steps_per_epoch * started.images.get("train", 0))


def phase(track: Track, state: str) -> str | None:
    """What a run under way is at: it prepares, trains or is scored."""
    if state != "running":
        return None
    if track.started is None:
        return "prepares"
    scored = track.evaluations[-1][0] if track.evaluations else 0
    due = track.stepped and track.stepped.step % track.started.steps_per_epoch == 0 and track.stepped.step > scored
    return "scores" if due else "trains"


def rounded(seconds: float) -> int:
    return round(seconds / 10) * 10 if seconds < 90 else round(seconds / 60) * 60


@lru_cache(maxsize=256)
def members_of(path: Path, changed: int) -> tuple[str, ...]:
    """The names of a plan's runs, as of the time its file was written."""
    return tuple(directory.name for directory, _ in plans.members(path))


def plan_members() -> dict[str, tuple[str, str]]:
    """For each run of a plan, the plan's name and its short name; damaged plans are left out."""
    found: dict[str, tuple[str, str]] = {}
    for path in plans.every():
        title = path.name.removesuffix(runs.PLAN)
        try:
            names = members_of(path, path.stat().st_mtime_ns)
        except (SeglabError, OSError):
            continue
        found |= dict.fromkeys(names, (title, runs.short_name(Path(title))))
    return found


BOARD = Board()
