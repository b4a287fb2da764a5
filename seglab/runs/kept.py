"""The finished runs in the folder or at the URL that SEGLAB_KEEP names, read only.

The store may be slow or not answer: only threads of their own look into it, and nothing here waits for them longer than
PATIENCE. A run there never changes, so that its marker is read once. Of a URL a run's few small files are copied to the
home when it is found, all others when they are asked for.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic_core import from_json

from seglab.errors import SeglabError
from seglab.events import Finished
from seglab.runs.stores import Bucket, Store, store_of

MARKER = "kept.json"  # written last: a folder without it, or with a torn one, was cut short
LOOK = 10.0  # seconds after which a program looks again
PATIENCE = 3.0  # seconds that a program waits for its first look
SILENCE = 5.0  # seconds without an answer after which the store is taken for gone
AT_FIRST = ("config.json", "dataset.json", "events.jsonl", "entries.py", "shipped.json")  # what lists and curves need
WHOLE = ".whole"  # in a copy of a run of a URL: all its files are there
MOST_FETCHED = 2 * 2**30  # bytes of such copies


def store() -> Store | None:
    """Where finished runs are kept, if anywhere: $SEGLAB_KEEP, unless that is where new runs live.

    Nothing is asked: that a link leads from a folder to the home, only `same` tells.
    """
    named = os.environ.get("SEGLAB_KEEP")
    found = store_of(named) if named else None
    return None if found is None or found.folder in homes() else found


def folder() -> Path | None:
    """Where kept runs are read on this machine, if anywhere."""
    found = store()
    return found.folder if found else None


def homes() -> tuple[Path, Path]:
    """Where new runs live, by the path that was given and by the one that its links lead to."""
    given = os.environ.get("SEGLAB_HOME") or "runs"
    return Path(os.path.abspath(given)), Path(given).resolve()


def same(one: Path, other: Path) -> bool:
    """Whether two paths lead to one folder; asks both."""
    try:
        return os.path.samefile(one, other)
    except OSError:
        return False


@dataclass(frozen=True)
class Kept:
    """A kept run: its folder, what it was called where it was made, when that was, and how it ended."""

    directory: Path
    run: str
    made: float
    finished: Finished


@dataclass
class Lookout:
    """What is known of one store, and the thread that looks into it, if one is about it."""

    store: Store
    known: dict[str, Kept] = field(default_factory=dict)  # by the folders' names
    thread: threading.Thread | None = None
    began: float = float("-inf")  # when the last look began,
    answered: float = float("-inf")  # when the folder last answered in it,
    looked: float = float("-inf")  # and when one last ended
    lock: threading.Lock = field(default_factory=threading.Lock)

    def runs(self) -> list[Kept]:
        """The runs as they were a moment ago; none where the folder does not answer."""
        with self.lock:
            if self.thread is None and time.monotonic() - self.looked > LOOK:
                self.began = self.answered = time.monotonic()
                self.thread = threading.Thread(target=self.look, name="kept", daemon=True)
                self.thread.start()
            thread, left = self.thread, self.began + PATIENCE - time.monotonic()
        if thread and self.looked < 0 < left:
            thread.join(left)
        silent = self.thread is not None and time.monotonic() - self.answered > SILENCE
        return [] if silent else sorted(self.known.copy().values(), key=lambda kept: -kept.made)

    def look(self) -> None:
        """Takes in what is new in the store, and what is gone."""
        try:
            there = self.store.names()
            self.answered = time.monotonic()
            for name in there:
                if name not in self.known:
                    self.store.begin(name, MARKER)
                    if kept := read(self.store.folder / name):
                        self.store.here(name, AT_FIRST)
                        self.known[name] = kept
                    self.answered = time.monotonic()
            for name in self.known.keys() - set(there):
                del self.known[name]
        except OSError:  # missing, or not to be read: who writes there tells it
            self.known.clear()
        finally:
            with self.lock:
                self.looked, self.thread = time.monotonic(), None


def read(directory: Path) -> Kept | None:
    """What the marker of a kept run says; None for anything else."""
    try:
        marker = from_json((directory / MARKER).read_bytes())
        finished = Finished.model_validate(marker["finished"])
        return Kept(directory, str(marker["run"]), float(marker["made"]), finished)
    except (OSError, ValueError, KeyError, TypeError):
        return None


LOOKOUTS: dict[Path, Lookout] = {}


def every() -> list[Kept]:
    """The runs that are kept whole, the newest first."""
    found = store()
    return LOOKOUTS.setdefault(found.folder, Lookout(found)).runs() if found else []


def is_kept(directory: Path) -> bool:
    """Whether a run is a kept one. Other folders than the home are asked where the path alone does not tell, as of a
    link: the run's own, and the one of all kept runs only if the run's has a marker."""
    place = folder()
    if place is None or directory.parent in homes():
        return False
    return directory.parent == place or ((directory / MARKER).is_file() and same(directory.parent, place))


def ending(directory: Path) -> Finished | None:
    """How a kept run ended, if it is known; nothing of the run is read."""
    place = folder()
    lookout = LOOKOUTS.get(place) if place and is_kept(directory) else None
    kept = lookout and lookout.known.get(directory.name)
    return kept.finished if kept else None


def fetch(directory: Path) -> None:
    """Has all files of a run here, where it is kept at a URL. Raises SeglabError where they do not come."""
    found = store()
    if not isinstance(found, Bucket) or directory.parent != found.folder:
        return
    if not (directory / WHOLE).exists():
        fetching = Fetching(found, directory)
        fetching.start()
        while fetching.is_alive() and time.monotonic() - fetching.answered < SILENCE:
            fetching.join(0.1)
        if fetching.problem or fetching.is_alive():
            raise SeglabError(
                "{run} is kept at {url} and does not come from there: {reason}",
                run=directory.name,
                url=found.name,
                reason=fetching.problem or "no answer",
            )
        make_room(directory)
    with contextlib.suppress(OSError):
        os.utime(directory / WHOLE)


class Fetching(threading.Thread):
    """Copies the files of a run to this machine; whoever waits can tell whether it gets anywhere."""

    def __init__(self, bucket: Bucket, directory: Path):
        super().__init__(name="fetching", daemon=True)
        self.bucket, self.directory = bucket, directory
        self.answered, self.problem = time.monotonic(), ""

    def run(self) -> None:
        try:
            for name in self.bucket.files(self.directory.name):
                self.answered = time.monotonic()
                self.bucket.here(self.directory.name, [name])
            (self.directory / WHOLE).touch()
        except OSError as error:
            self.problem = self.bucket.harmless(error)


def make_room(latest: Path) -> None:
    """Deletes what can be fetched again of the copies that were used longest ago, until there is room."""
    sizes = {
        whole.parent: (whole.stat().st_mtime, sum(path.stat().st_size for path in whole.parent.rglob("*.*")))
        for whole in latest.parent.glob(f"*/{WHOLE}")
    }
    total = sum(size for _, size in sizes.values())
    for directory in sorted(sizes, key=lambda each: sizes[each][0]):
        if total <= MOST_FETCHED or directory == latest:
            continue
        total -= sizes[directory][1]
        (directory / WHOLE).unlink(missing_ok=True)  # first: killed here, it is fetched again
        for path in directory.iterdir():
            if path.name not in (*AT_FIRST, MARKER):
                shutil.rmtree(path) if path.is_dir() else path.unlink()


def forget() -> None:
    """Has the folder looked into anew when it is next asked for."""
    LOOKOUTS.clear()
