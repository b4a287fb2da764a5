"""Finished runs copied to the folder or the URL that SEGLAB_KEEP names, whole and once.

A copy is whole when its marker is there, which is written last.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from seglab.errors import SeglabError
from seglab.events import FOR_GOOD, Finished
from seglab.runs import kept, own
from seglab.runs.directory import home, last_word, locked, size_of, write
from seglab.runs.shipping import files
from seglab.runs.stores import Store

RECORD = ".kept"  # in a run: where its copy is
STALLED = 20.0  # seconds without a byte written after which a store is given up for now
CHUNK = 1 << 20

log = logging.getLogger(__name__)
told: set[str] = set()  # what was in the way, which is told once


def keep_finished(interrupted: Callable[[], bool] = lambda: False) -> None:
    """Copies the runs of the home that ended for good, have weights and are not kept yet; what is in the way is told
    once in the log and tried again at the next call. Returns when it is done, the store stalls or it is interrupted.
    """
    place = kept.store()
    if place is None and os.environ.get("SEGLAB_KEEP"):
        tell(misplaced())
    if place is None or not home().is_dir():
        return
    copying = Copying(place)
    copying.start()
    while copying.is_alive() and not copying.stalled() and not interrupted():
        copying.join(0.05)
    copying.ended.set()
    if copying.problem:
        tell(copying.problem)
    elif copying.is_alive() and copying.begun and copying.stalled():
        tell(
            SeglabError(
                "{folder}, which SEGLAB_KEEP names, does not answer: finished runs are not kept for now; it is tried "
                "again",
                folder=place.name,
            )
        )


def misplaced() -> SeglabError:
    return SeglabError("SEGLAB_KEEP names the same folder as SEGLAB_HOME; name another one to keep runs in")


def tell(problem: SeglabError) -> None:
    """Logs what is in the way, once."""
    if str(problem) not in told:
        told.add(str(problem))
        log.warning("seglab: %s", problem)


class Copying(threading.Thread):
    """Copies all that is to be kept; whoever waits for it can tell whether it gets anywhere."""

    def __init__(self, place: Store) -> None:
        super().__init__(name="keeping", daemon=True)
        self.place, self.ended = place, threading.Event()
        self.problem: SeglabError | None = None
        self.begun, self.moved = False, time.monotonic()

    def stalled(self) -> bool:
        return time.monotonic() - self.moved > STALLED

    def run(self) -> None:
        turn = home() / ".keeping"
        try:
            turn.mkdir(exist_ok=True)
            while not self.ended.is_set() and not self.begun:
                with contextlib.suppress(SeglabError), locked(turn):  # or another program is at it, with the same runs
                    self.begun = True
                    for directory, finished in to_be_kept(self.place):
                        self.keep(directory, finished)
                self.ended.wait(0 if self.begun else 0.2)
        except OSError as error:
            self.problem = SeglabError(
                "{folder}, which SEGLAB_KEEP names, cannot be written to ({reason}): finished runs are not kept for "
                "now; it is tried again",
                folder=self.place.name,
                reason=self.place.harmless(error),
            )

    def keep(self, directory: Path, finished: Finished) -> None:
        """Copies one run, and writes into it where the copy is; of what was begun and is not whole nothing is left."""
        if self.ended.is_set():
            return
        self.place.refuse_missing()
        if kept.same(self.place.folder, home()):  # a copy there would be the next one to be copied
            self.problem = misplaced()
            return
        name = directory.name
        try:
            self.place.make(name)
        except FileExistsError:  # another run of this name, or a copy that a killed program left
            name = f"{directory.name}-{secrets.token_hex(3)}"
            self.place.make(name)
        try:
            whole = self.copy(directory, name, finished)
        except BaseException:
            self.place.delete(name)
            raise
        if whole:
            write(directory / RECORD, self.place.record(name).encode())
        else:
            self.place.delete(name)

    def copy(self, directory: Path, name: str, finished: Finished) -> bool:
        """Writes every file of a run once, and the marker last; gives whether it got as far as that."""
        copied = files(directory) + [own.FILE] * (directory / own.FILE).is_file()  # which only this home runs
        for each in copied:
            self.place.write(f"{name}/{each}", self.read(directory / each))
            if self.ended.is_set():
                return False
        marker = {
            "run": directory.name,
            "made": (directory / "config.json").stat().st_mtime,
            "files": len(copied),
            "finished": finished.model_dump(mode="json"),
        }
        self.place.write(f"{name}/{kept.MARKER}", [json.dumps(marker, indent=1, ensure_ascii=False).encode()])
        self.moved = time.monotonic()
        return True

    def read(self, path: Path) -> Iterator[bytes]:
        """What a file holds, piece by piece, for as long as somebody waits for it."""
        with open(path, "rb") as source:
            while (chunk := source.read(CHUNK)) and not self.ended.is_set():
                yield chunk
                self.moved = time.monotonic()


def to_be_kept(place: Store) -> list[tuple[Path, Finished]]:
    """The runs of the home that ended for good, have weights and have no copy in the store, the oldest first."""
    found = []
    for config in sorted(home().glob("*/config.json"), key=lambda path: path.stat().st_mtime_ns):
        directory = config.parent
        with contextlib.suppress(OSError, ValueError):
            if size_of(directory / RECORD) and place.holds((directory / RECORD).read_text(encoding="utf-8")):
                continue
            finished = last_word(directory)
            if finished and finished.reason in FOR_GOOD and (directory / "weights.safetensors").exists():
                found.append((directory, finished))
    return found
