"""Finished runs copied to the folder that SEGLAB_KEEP names, whole and once.

The folder may be a mounted bucket: every file is created and written once, in order, and none is opened again, renamed
or locked. A copy is whole when its marker is there, which is written last.
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from pathlib import Path

from seglab.errors import SeglabError
from seglab.events import FOR_GOOD, Finished
from seglab.runs import kept, own
from seglab.runs.directory import home, last_word, locked, size_of, write
from seglab.runs.shipping import files

RECORD = ".kept"  # in a run: where its copy is
STALLED = 20.0  # seconds without a byte written after which a folder is given up for now
CHUNK = 1 << 20
UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # what mounts say that cannot sync a file

log = logging.getLogger(__name__)
told: set[str] = set()  # what was in the way, which is told once


def keep_finished(interrupted: Callable[[], bool] = lambda: False) -> None:
    """Copies the runs of the home that ended for good, have weights and are not kept yet; what is in the way is told
    once in the log and tried again at the next call. Returns when it is done, the folder stalls or it is interrupted.
    """
    place = kept.folder()
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
                folder=str(place),
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

    def __init__(self, place: Path) -> None:
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
                folder=str(self.place),
                reason=os.strerror(error.errno) if error.errno else str(error),
            )

    def keep(self, directory: Path, finished: Finished) -> None:
        """Copies one run, and writes into it where the copy is; of what was begun and is not whole nothing is left."""
        if self.ended.is_set():
            return
        if not os.path.isdir(self.place):  # a mount that is not there must not be made
            raise FileNotFoundError(errno.ENOENT, "")
        if kept.same(self.place, home()):  # a copy there would be the next one to be copied
            self.problem = misplaced()
            return
        target = self.place / directory.name
        try:
            os.mkdir(target)
        except FileExistsError:  # another run of this name, or a copy that a killed program left
            target = self.place / f"{directory.name}-{secrets.token_hex(3)}"
            os.mkdir(target)
        try:
            self.copy(directory, target, finished)
        except BaseException:
            shutil.rmtree(target, ignore_errors=True)
            raise
        if self.ended.is_set() and not (target / kept.MARKER).exists():
            shutil.rmtree(target, ignore_errors=True)
        else:
            write(directory / RECORD, str(target).encode())

    def copy(self, directory: Path, target: Path, finished: Finished) -> None:
        """Writes every file of a run once, and the marker last."""
        names = files(directory) + [own.FILE] * (directory / own.FILE).is_file()  # which only this home runs
        for name in names:
            os.makedirs((target / name).parent, exist_ok=True)
            with open(directory / name, "rb") as source, open(target / name, "xb") as file:
                while chunk := source.read(CHUNK):
                    if self.ended.is_set():
                        return
                    file.write(chunk)
                    self.moved = time.monotonic()
                synced(file.fileno())
        made = (directory / "config.json").stat().st_mtime
        marker = {
            "run": directory.name,
            "made": made,
            "files": len(names),
            "finished": finished.model_dump(mode="json"),
        }
        with open(target / kept.MARKER, "xb") as file:
            file.write(json.dumps(marker, indent=1, ensure_ascii=False).encode())
            synced(file.fileno())
        self.moved = time.monotonic()


def synced(file: int) -> None:
    """Waits until the file's bytes are where they belong, on mounts that can tell; `with` still has to close it."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise


def to_be_kept(place: Path) -> list[tuple[Path, Finished]]:
    """The runs of the home that ended for good, have weights and have no copy below `place`, the oldest first."""
    found = []
    for config in sorted(home().glob("*/config.json"), key=lambda path: path.stat().st_mtime_ns):
        directory = config.parent
        with contextlib.suppress(OSError, ValueError):
            if size_of(directory / RECORD) and Path((directory / RECORD).read_text(encoding="utf-8")).parent == place:
                continue
            finished = last_word(directory)
            if finished and finished.reason in FOR_GOOD and (directory / "weights.safetensors").exists():
                found.append((directory, finished))
    return found
