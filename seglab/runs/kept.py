"""The finished runs in the folder that SEGLAB_KEEP names, read only.

The folder may be a mount that is slow or does not answer: only threads of their own look into it, and nothing here
waits for them longer than PATIENCE. A run there never changes, so that its marker is read once.
"""

from __future__ import annotations

import os
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from pydantic_core import from_json

from seglab.events import Finished

MARKER = "kept.json"  # written last: a folder without it, or with a torn one, was cut short
LOOK = 10.0  # seconds after which a program looks again
PATIENCE = 3.0  # seconds that a program waits for its first look
SILENCE = 5.0  # seconds without an answer after which the folder is taken for gone


def folder() -> Path | None:
    """Where finished runs are kept, if anywhere: $SEGLAB_KEEP, unless that is where new runs live.

    The folder is not asked: that a link leads from it to the home, only `same` tells.
    """
    named = os.environ.get("SEGLAB_KEEP")
    place = Path(os.path.abspath(os.path.expanduser(named))) if named else None
    return None if place in homes() else place


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
    """What is known of one folder, and the thread that looks into it, if one is about it."""

    folder: Path
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
        """Takes in what is new in the folder, and what is gone."""
        try:
            there = os.listdir(self.folder)
            self.answered = time.monotonic()
            for name in there:
                if name not in self.known:
                    if kept := read(self.folder / name):
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
    place = folder()
    return LOOKOUTS.setdefault(place, Lookout(place)).runs() if place else []


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


def forget() -> None:
    """Has the folder looked into anew when it is next asked for."""
    LOOKOUTS.clear()
