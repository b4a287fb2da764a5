"""A run is a directory: where it is, what it is called, what it has reported, how it is getting on."""

from __future__ import annotations

import contextlib
import errno
import json
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pydantic_core import from_json

from seglab import locks
from seglab.cache import Files
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.events import Event, Finished, Started, from_line, to_line
from seglab.places import CHECKPOINTS, home, lessons
from seglab.runs import kept, own
from seglab.runs.hashes import content_of

if TYPE_CHECKING:
    from seglab.config import RunConfig

LOCK = ".lock"  # the file in a run's directory that whoever works on it holds


TAKEN = "taken"  # the file that whoever begins to work on a run leaves there until the run's first event


PLAN = ".plan.json"  # the end of the name of a plan's file, which stands beside the plan's runs


NAME = re.compile(r"[\w][\w .+-]{0,79}")


DESCRIBED = {"classes": list, "colors": list, "digests": dict, "images": dict, "samples": list}  # in dataset.json
MADE_NAME = re.compile(r"(\w+)-\d{8}-(\d\d)(\d\d)(\d\d)-[0-9a-f]{6}(?: (\d+))?")  # a number within a plan


def refuse_unwritable(folder: Path | None = None) -> None:
    """Raises SeglabError where nothing can be written to the home of runs, or to the folder given, which may be yet to
    be made."""
    folder = home() if folder is None else folder
    with writing(folder):
        there = folder
        while not there.exists():
            there = there.parent
        with tempfile.TemporaryFile(dir=there):
            pass


@contextlib.contextmanager
def writing(folder: Path) -> Iterator[None]:
    """Turns the OSError of what is written to the home of runs, or to a run, into a SeglabError that says what to
    do."""
    try:
        yield
    except OSError as error:
        kind = errno.ENOTDIR if isinstance(error, FileExistsError) else error.errno  # a file in a folder's place
        told = {"folder": str(folder), "reason": os.strerror(kind) if kind else str(error)}
        if kind in (errno.ENOSPC, errno.EDQUOT):
            raise SeglabError(
                "the disk is full: nothing can be written to {folder} ({reason}); free some space, or set SEGLAB_HOME "
                "to a folder on another disk",
                **told,
            ) from None
        if folder == home():
            raise SeglabError(
                "runs cannot be written to {folder} ({reason}); set SEGLAB_HOME to a folder that can be written to",
                **told,
            ) from None
        raise SeglabError(
            "{folder} cannot be written to ({reason}); change its permissions, or use another folder", **told
        ) from None


def made_now() -> str:
    """The end of a name that seglab makes: the time, and what tells two of the same second apart."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def taken(name: str) -> bool:
    """Whether a run, a shipped one or a plan has this name, which stands for it wherever a run is named."""
    return any(path.exists() for path in (home() / name, CHECKPOINTS / name, home() / f"{name}{PLAN}"))


def refused(name: str) -> SeglabError:
    """What is told of a name that is taken."""
    return SeglabError("a plan or a run named {name} already exists; give another name", name=repr(name))


def checked(name: str) -> str:
    """The name, if a run or a plan may have it."""
    if not (isinstance(name, str) and NAME.fullmatch(name)):
        raise SeglabError(
            "name: {name} is not allowed; allowed: letters, digits, spaces and . _ + - (80 at most)", name=repr(name)
        )
    if name.endswith(PLAN):
        raise SeglabError("name: {name} is not allowed; only a plan's file ends in {end}", name=repr(name), end=PLAN)
    return name


def short_name(directory: Path) -> str:
    """`unet 14:03:21` for a name that seglab made, `seeds 14:03:21 · 2` for a plan's, a person's own name as it is."""
    made = MADE_NAME.fullmatch(directory.name)
    if not made:
        return directory.name
    *parts, number = made.groups()
    return "{} {}:{}:{}".format(*parts) + (f" · {number}" if number else "")


def of_lesson(name: str) -> Path | None:
    """The directory of a lesson's run of this name; None where there is none."""
    if not NAME.fullmatch(name):
        return None
    found = (folder / name for folder in lessons())
    return next((directory for directory in found if (directory / "config.json").is_file()), None)


def listed(directories: Iterable[Path], most: int = 8) -> str:
    names = [directory.name for directory in directories]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "-"


def every() -> list[Path]:
    """All runs, newest first, then those that are kept and are not here as well, then the shipped ones."""
    new = [path.parent for path in home().glob("*/config.json")] if home().is_dir() else []
    new.sort(key=lambda directory: (directory / "config.json").stat().st_mtime_ns, reverse=True)
    return new + elsewhere({directory.name for directory in new})


def elsewhere(names: Collection[str]) -> list[Path]:
    """The runs that are kept and that the home has none of these names of, then the shipped ones."""
    far = [known.directory for known in kept.every() if known.run not in names]
    return far + sorted(path.parent for path in CHECKPOINTS.glob("*/config.json"))


def config(directory: Path) -> RunConfig:
    """The run's configuration; raises SeglabError when it is damaged, or not what the run was started with."""
    from seglab.config import RunConfig  # which imports every network: what lists runs does without

    try:
        text = content_of(directory, "config.json")
        with own.entries_of(directory, home()):
            return validated(RunConfig, from_json(text))
    except SeglabError:
        if own.is_foreign(directory, home()):
            raise SeglabError(
                "{run} has entries of its own, in {file}, which come from elsewhere and are not run; if you trust that "
                "file, name it in SEGLAB_PLUGINS",
                run=directory.name,
                file=str(directory / own.FILE),
            ) from None
        raise
    except (OSError, ValueError) as error:
        raise SeglabError(
            "{file} cannot be read: {reason}", file=f"{directory.name}/config.json", reason=error
        ) from None


def uses(directory: Path, other: Path) -> bool:
    """Whether a run needs another one, as its teacher or for the weights that it begins with."""
    with contextlib.suppress(SeglabError, OSError):
        content, name = (directory / "config.json").read_bytes(), other.resolve().name
        if all(json.dumps(name, ensure_ascii=ascii)[1:-1].encode() not in content for ascii in (False, True)):
            return False  # as nearly all, which need not be understood
        return other.resolve() in [run.resolve() for run in config(directory).needs]
    return False


def write(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all, even if the power fails; the old one stays until then."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def replace(source: Path, target: Path) -> None:
    """Gives a file or a folder its name, in the place of what had it.

    Windows refuses that, and to delete, while somebody reads what is there: it is tried for a second.
    """
    for attempt in range(100):
        try:
            if target.is_dir():
                shutil.rmtree(target)
            return os.replace(source, target)
        except PermissionError:
            if sys.platform != "win32" or attempt == 99:
                raise
            time.sleep(0.01)


def events(directory: Path) -> list[Event]:
    """What the run has reported and still counts: events that a resumed run repeated are left out."""
    found: list[Event] = []
    for event in all_events(directory):
        if isinstance(event, Started):
            found = [known for known in found if known.step <= event.step and not isinstance(known, Finished)]
        found.append(event)
    return found


def all_events(directory: Path) -> list[Event]:
    """Every whole line of events.jsonl; a torn last line is ignored."""
    try:
        return list(READ.get(directory / "events.jsonl"))
    except FileNotFoundError:
        return []


def events_after(directory: Path, place: int = 0) -> tuple[list[Event], int]:
    """The whole lines of events.jsonl from this place in it on, and the place after them, where the next will be."""
    try:
        with open(directory / "events.jsonl", "rb") as file:
            file.seek(place)
            lines = file.read()
    except FileNotFoundError:
        return [], place
    *whole, torn = lines.split(b"\n")
    try:
        return list(map(from_line, whole)), place + len(lines) - len(torn)
    except ValueError:
        name = f"{directory.name}/events.jsonl"
        raise SeglabError("{file} is damaged: a line of it cannot be read", file=name) from None


def events_in(path: Path) -> tuple[Event, ...]:
    *lines, _torn = path.read_bytes().split(b"\n")
    found: list[Event] = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(from_line(line))
        except ValueError:
            file = f"{path.parent.name}/{path.name}"
            raise SeglabError("{file} is damaged: line {line} cannot be read", file=file, line=number) from None
    return tuple(found)


READ = Files(events_in, 4 * 2**20)


def append(directory: Path, event: Event) -> None:
    """Adds an event for good, or nothing of it where the disk is full; what a killed process left of a line is cut off
    first."""
    with open(directory / "events.jsonl", "ab+", buffering=0) as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if size and file.read(1) != b"\n":
            file.seek(0)
            size = file.readall().rfind(b"\n") + 1
            file.truncate(size)
        line = to_line(event).encode()
        try:
            while line:
                line = line[file.write(line) :]
            os.fsync(file.fileno())
        except OSError:
            file.truncate(size)
            raise


@dataclass(frozen=True)
class Status:
    """Where a run stands: queued, running, interrupted, or how it finished."""

    state: str
    finished: Finished | None = None

    @property
    def over(self) -> bool:
        return self.finished is not None


def status(directory: Path) -> Status:
    """Derived from its place in the queue, the lock and the last event; reads only the end of the events, and of a kept
    run nothing. A run without events is queued, unless its worker died on the way to the first one."""
    if known := kept.ending(directory):
        return Status(known.reason, known)
    if (directory / "queued").exists():
        return Status("queued")
    if is_locked(directory):
        return Status("running")
    try:
        ended = last_word(directory)
    except ValueError:  # a damaged file; reading its events tells more
        return Status("failed")
    if ended:
        return Status(ended.reason, ended)
    begun = size_of(directory / "events.jsonl") or (directory / TAKEN).exists()
    return Status("interrupted" if begun else "queued")


def last_word(directory: Path) -> Finished | None:
    """How the run ended; None for one that has not, or that has begun again. Raises ValueError where the last line is
    damaged."""
    try:
        with open(directory / "events.jsonl", "rb") as file:
            size = file.seek(0, os.SEEK_END)
            for length in (8192, size):
                file.seek(max(0, size - length))
                lines = file.read().split(b"\n")
                if len(lines) > 2:  # the first may be the end of one
                    break
    except FileNotFoundError:
        return None
    event = from_line(lines[-2]) if len(lines) > 1 else None
    return event if isinstance(event, Finished) else None


def announce(directory: Path) -> None:
    """Changes the dates of a run's directory and of its home, for those who list runs: of a run that goes on nothing
    else in its directory may have changed so far."""
    os.utime(directory)
    with contextlib.suppress(OSError):  # a run that lies elsewhere
        os.utime(directory.parent)


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the run for this process; the system lets go of it however the process ends."""
    with contextlib.ExitStack() as stack:
        with writing(directory):
            try:
                stack.enter_context(locks.held(directory / LOCK))
            except TimeoutError:
                raise SeglabError("{run} is busy: another process is working on it", run=directory.name) from None
        yield


def is_locked(directory: Path) -> bool:
    return locks.is_held(directory / LOCK)


def description(directory: Path) -> dict:
    """dataset.json: classes, colors, each split's digest and images, samples (places in val). Raises SeglabError where
    it is damaged, or not what the run wrote."""
    file = f"{directory.name}/dataset.json"
    try:
        known = from_json(content_of(directory, "dataset.json"))
    except FileNotFoundError:
        raise SeglabError("{run} has not started yet", run=directory.name) from None
    except ValueError as error:
        raise SeglabError("{file} cannot be read: {reason}", file=file, reason=error) from None
    for key, kind in DESCRIBED.items():  # older runs announce no hash of it
        if not isinstance(known, dict) or not isinstance(known.get(key), kind):
            raise SeglabError("{file} is damaged: {key} is missing or not as a run writes it", file=file, key=key)
    return known
