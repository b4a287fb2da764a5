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
from seglab.events import Finished, Reason, Sentence, Started, from_line
from seglab.families import RunConfig
from seglab.jobs import zerogpu
from seglab.runs.directory import elsewhere
from seglab.runs.index import Stamp, stamp
from seglab.travel.commands import words
from seglab.ui.looks import FILES, Looks
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
    pace: tuple[str, float] | None = None  # seconds for an epoch of a run of its kind
    version: int = 0
    written: dict[str, str] = field(default_factory=dict)  # as JSON, by language

    def json(self, lang: str) -> str:
        if lang not in self.written:
            texts = [told(each, lang) for each in self.texts]
            self.written[lang] = json.dumps({**self.told, "texts": texts}, ensure_ascii=False, separators=(",", ":"))
        return self.written[lang]

    def kept(self) -> dict[str, Any]:
        """What the row can be made of again."""
        return {
            "told": self.told,
            "texts": [Sentence.of(text).model_dump() for text in self.texts],
            "pace": self.pace,
        }

    @classmethod
    def of(cls, kept: dict[str, Any], **now: Any) -> Row:
        """The row that was kept so, with what is to be told of it now."""
        texts = [Sentence.model_validate(text).error() for text in kept["texts"]]
        return cls(kept["told"] | now if now else kept["told"], texts, kept["pace"])

    def says(self, other: Row) -> bool:
        """Whether it tells the same as another one."""
        return (self.told, list(map(str, self.texts))) == (other.told, list(map(str, other.texts)))


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
        "pace": pace_of(config),
    }


def pace_of(config: RunConfig) -> str:
    """What is the same for runs whose epochs take as long as each other's."""
    return hashlib.sha256(plans.pace_key(config.model_dump(mode="json")).encode()).hexdigest()[:16]


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


@dataclass(frozen=True)
class Far:
    """A run that is not the home's: where it is, as of which stamp, and what its row is made of."""

    directory: Path
    seen: Stamp | None
    kept: dict[str, Any]


class Board:
    """The rows of all runs, looked at no more often than every REST seconds, by one visitor's request for all."""

    def __init__(self) -> None:
        self.boot = secrets.token_hex(4)  # versions of another program's are none of ours
        self.version = 0
        self.rows: dict[str, Row] = {}
        self.places: dict[str, Path] = {}
        self.rank: dict[str, int] = {}  # of the rows, the newest run first
        self.gone: OrderedDict[str, int] = OrderedDict()
        self.tracks: OrderedDict[Path, Track] = OrderedDict()
        self.paces: dict[str, float] = {}  # seconds for an epoch, of finished runs of this kind
        self.looks: Looks | None = None  # at the runs of the home
        self.far: dict[str, Far] = {}  # the others
        self.waiting: dict[str, int] = {}  # their places in the queue
        self.members: dict[str, tuple[str, str]] = {}  # of plans
        self.recent: list[tuple[int, str]] = []  # the latest versions, and whose rows they are, the latest last
        self.hurried = False  # somebody has changed a run just now
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
            except BaseException:
                self.looks = None  # what it had seen is not on the board: all is looked at again
                raise
            finally:
                self.lock.release()

    def hurry(self) -> None:
        """Has the next look see what somebody has just done."""
        self.looked, self.hurried = float("-inf"), True

    def take_in(self) -> None:
        if self.looks is None or self.looks.index.home != runs.home():
            self.looks = Looks(runs.home(), self.made)
        waiting = {directory: n for n, directory in enumerate(jobs.waiting(), 1)}
        hurried, self.hurried = self.hurried, False
        changed, moved = self.looks.look((each.name for each in waiting), hurried)
        members = plan_members() if self.looks.scanned else self.members
        changed |= {each.name for each in waiting} | self.waiting.keys()
        changed |= {name for name, _ in members.items() ^ self.members.items()}
        far = self.elsewhere()
        changed |= {name for name in far.keys() | self.far.keys() if far.get(name) != self.far.get(name)}
        moved |= far.keys() != self.far.keys()
        self.waiting, self.members, self.far = {each.name: n for each, n in waiting.items()}, members, far
        known, made = self.looks.index.values, self.looks.made
        new = {name: self.row_of(name) for name in changed if name in known or name in far}
        for name in sorted(new, key=lambda name: made.get(name, 0)):  # of two paces the newer run's counts
            if pace := new[name].pace:
                self.paces[pace[0]] = pace[1]
        self.foresee(new, waiting)
        self.put_up(new, moved)

    def made(self, directory: Path) -> tuple[dict[str, Any], bool]:
        """What a run's row is made of, and whether that stays as long as its directory does."""
        try:
            row = self.row(directory)
        except Exception as error:  # a damaged run is told in its own row, and in no other
            return broken(directory, error).kept(), False
        return row.kept(), row.told["state"] not in ("queued", "running", "stopping")

    def elsewhere(self) -> dict[str, Far]:
        """The runs that are not the home's; one that is kept elsewhere never changes."""
        found: dict[str, Far] = {}
        for directory in elsewhere(self.looks.made if self.looks else ()):
            seen = stamp(str(directory), FILES) if directory.parent == runs.CHECKPOINTS else None
            old = self.far.get(directory.name)
            same = old and (old.directory, old.seen) == (directory, seen)
            found.setdefault(directory.name, old if old and same else Far(directory, seen, self.made(directory)[0]))
        return found

    def row_of(self, name: str) -> Row:
        """A run's row as it is now."""
        now = {key: of[name] for key, of in (("place", self.waiting), ("plan", self.members)) if name in of}
        values = self.looks.index.values if self.looks else {}
        row = Row.of(values[name] if name in values else self.far[name].kept, **now)
        if row.told["place"] == 1 and (trouble := jobs.trouble()):
            row.texts.append(SeglabError("No run can begin for now; it is tried again: {reason}", reason=trouble))
        return row

    def put_up(self, new: dict[str, Row], moved: bool) -> None:
        """Has the rows as pages are told of them, each with the version in which it last changed."""
        version, rows, gone = self.version, self.rows, set()
        if moved and self.looks:
            places = {name: self.looks.index.home / name for name in self.looks.made}
            self.places = places | {name: each.directory for name, each in self.far.items() if name not in places}
            rows = {name: new[name] if name in new else self.rows[name] for name in self.places}
            self.rank = {name: n for n, name in enumerate(rows)}
            gone = self.rows.keys() - rows.keys()
        recent = list(self.recent)
        for name, row in new.items():
            old = self.rows.get(name)
            if old and old.says(row):
                rows[name] = old
                continue
            version += 1
            row.version = version
            rows[name] = row
            recent.append((version, name))
        for name in gone:
            version += 1
            self.gone[name] = version
        while len(self.gone) > MOST_ROWS:
            self.gone.popitem(last=False)
        self.rows, self.recent = rows, recent[-MOST_ROWS:]
        self.version = version  # last: whoever reads it first reads rows that are at least as new

    def row(self, directory: Path) -> Row:
        """A run's row, without what depends on others. Raises an error where the run is damaged."""
        size = runs.size_of(directory / "events.jsonl")
        status, label = runs.status(directory), runs.label(directory)
        state = status.state
        if state == "running" and (directory / "stop").exists():
            state = "stopping"
        changed = (directory / "config.json").stat().st_mtime_ns
        config = described(directory, changed)
        if (dataset := directory / "dataset.json").exists():
            refuse_damage(directory, dataset.stat().st_mtime_ns, runs.size_of(dataset))
        over = state in get_args(Reason)
        own = is_own(directory)
        foreign = runs.shipped(directory) or runs.is_kept(directory)
        row = Row(
            {
                **called(directory, label),
                "kind": "own" if own else "shipped" if directory.parent == runs.CHECKPOINTS else "kept",
                "foreign": bool(foreign),
                "state": state,
                "over": over,
                "place": None,
                "starts": None,
                "plan": None,
                **{
                    name: config[name]
                    for name in ("model", "origin", "data", "what", "epochs", "budget", "loss", "set")
                },
                "trained": (directory / "weights.safetensors").exists() or runs.is_kept(directory),
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
            row.pace = config["pace"], finished.seconds / finished.epoch

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

    def is_told(self, name: str, row: Row) -> bool:
        """Whether a page is told of a run that it does not name: only of the newest, where there are very many."""
        return row.told["kind"] != "own" or not row.told["over"] or self.rank.get(name, 0) < MOST_ROWS

    @property
    def untold(self) -> int:
        """How many runs of the home are too many for a page."""
        known = len(self.looks.made) + len(self.looks.unknown) if self.looks else 0
        return max(0, known - MOST_ROWS)

    def news(self, since: str, followed: Iterable[tuple[str, str]], lang: str) -> str | None:
        """As JSON, what is new since a version, and the points of the runs that a page follows after the position of
        each; None where nothing is."""
        self.look()
        boot, _, number = since.partition(".")
        version = int(number) if boot == self.boot and number.isdecimal() else -1
        now, positions = self.version, dict(followed)
        rows, places, recent = self.rows, self.places, self.recent
        names: Iterable[str] = rows
        if recent and version >= recent[0][0]:  # all that has changed since is among the latest
            latest = {name for when, name in recent if when > version and name in rows}
            rank = self.rank  # which may be of later rows by now
            names = sorted(latest, key=lambda name: rank.get(name, 0))
        listed = {name: rows[name] for name in names if rows[name].version > version}
        changed = [row.json(lang) for name, row in listed.items() if name in positions or self.is_told(name, row)]
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
        parts += [f'"more":{self.untold}'] if self.untold else []
        parts += [f'"points":{json.dumps(points, separators=(",", ":"))}'] if points else []
        return "{" + ",".join(parts) + "}"


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
    kind = "own" if is_own(directory) else "kept"
    return Row(
        {
            **called(directory, runs.label(directory)), "kind": kind, "foreign": True,
            "state": "damaged", "over": True, "model": "-", "origin": None, "data": "",
            "what": "", "loss": "", "set": "", "epochs": 0,
            "trained": False, "step": 0, "done": 0.0, "epoch": 0.0, "seconds": 0.0, **nothing,
        },
        [why],
    )  # fmt: skip


def is_own(directory: Path) -> bool:
    return directory.parent == runs.home()


def made_at(directory: Path) -> int:
    try:
        return (directory / "config.json").stat().st_mtime_ns // 10**6
    except OSError:  # deleted just now
        return 0


def called(directory: Path, label: runs.Label) -> dict[str, Any]:
    """What a run is called, whose it is, and when one of the home was made, in milliseconds since 1970."""
    owner = label.owner
    return {
        "run": directory.name,
        "made": made_at(directory) if is_own(directory) else 0,
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
