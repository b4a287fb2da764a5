"""Works through the queue, one run at a time on one machine, until the program ends."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from pathlib import Path
from typing import Protocol

from seglab import locks, runs
from seglab.errors import SeglabError
from seglab.events import Sentence
from seglab.jobs.process import Process
from seglab.jobs.queue import begin, fail, next_run

TAKE_A_LOOK = 0.5  # seconds between two looks at the queue
RETRY = 10.0  # seconds before a run that could not be started is tried again

TROUBLE = ".trouble"  # in the home of runs: why the queue could not be worked on a moment ago

log = logging.getLogger(__name__)


class Unready(SeglabError):
    """Why no run can begin for now; those that wait go on waiting."""


class Adapter(Protocol):
    """Where runs are worked on. Every adapter runs exactly `runs.work(directory)`, somewhere."""

    def work(self, directory: Path) -> SeglabError | None:
        """Works on the run to its end, or waits until that is reached. Gives why, where the run could not end itself.

        Raises OSError or Unready where it cannot begin for now, as for lack of memory.
        """
        ...


class Worker(threading.Thread):
    """Works through the queue by an adapter, one run after the other, until the program ends.

    Of several programs with the same home only one works; the others' runs wait in the same queue.
    """

    def __init__(self, adapter: Adapter | None = None) -> None:
        super().__init__(name="jobs", daemon=True)
        self.adapter: Adapter = adapter or Process()
        self.home, self.ended = runs.home(), threading.Event()
        self.told = ""  # what was in the way, which is told once

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.home.mkdir(parents=True, exist_ok=True)
                with locks.held(self.home / ".jobs.lock", seconds=-1, poll=TAKE_A_LOOK):  # while another program works
                    self.look_on()
            except (OSError, SeglabError) as error:  # short of memory, files or disk, or no cluster: the runs wait
                if str(error) != self.told:
                    self.told = str(error)
                    log.warning("the queue in %s cannot be worked on; it will be tried again: %s", self.home, error)
                with contextlib.suppress(OSError):
                    runs.write(self.home / TROUBLE, Sentence.of(SeglabError.of(error)).model_dump_json().encode())
                self.ended.wait(RETRY)

    def look_on(self) -> None:
        """Works on one waiting run after the other."""
        while not self.ended.is_set():
            directory = next_run(self.home)
            if directory:
                self.work(directory)
            else:
                self.ended.wait(TAKE_A_LOOK)

    def work(self, directory: Path) -> None:
        """Has the run worked on to its end; one that died without a word is recorded as failed."""
        marker = directory / "queued"
        try:
            taken = marker.read_text(encoding="ascii")
        except FileNotFoundError:  # stopped just now
            return
        begin(directory)
        try:
            why = self.adapter.work(directory)
        except Unready:
            raise
        except SeglabError as error:  # as of damaged events: the runs behind it do not wait for that
            fail(directory, error)
            if not runs.status(directory).over:  # it cannot even be recorded, as on a full disk: all wait
                raise
            return
        with contextlib.suppress(FileNotFoundError):  # the run took it away, unless it never began
            if marker.read_text(encoding="ascii") == taken:
                marker.unlink()
        if why and not runs.status(directory).over:
            fail(directory, why)


def trouble() -> SeglabError | None:
    """Why the queue of the home is not worked on now, where whoever works on it has said so a moment ago."""
    path = runs.home() / TROUBLE
    with contextlib.suppress(OSError, ValueError):
        if abs(time.time() - path.stat().st_mtime) < 3 * RETRY:
            return Sentence.model_validate_json(path.read_bytes()).error()
    return None
