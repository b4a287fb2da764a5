"""Deals out runs to other machines, several at once, in a process of its own: `python -m seglab.jobs.dispatcher PARENT
ON [RUN...]`, those of the queue or these alone."""

from __future__ import annotations

import contextlib
import logging
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from seglab import runs
from seglab.errors import SeglabError
from seglab.events import FOR_GOOD
from seglab.jobs import elsewhere
from seglab.jobs.elsewhere import On
from seglab.jobs.process import ends_with
from seglab.jobs.queue import awaited, fail, next_run
from seglab.jobs.worker import TAKE_A_LOOK, Unready, Worker


class Cluster(Protocol):
    """An adapter that works on several runs at once; `waiting` are those that it was given and that have no place on a
    machine yet."""

    waiting: set[Path]

    def connect(self) -> None:
        """Has it ready to take runs; raises Unready where it cannot be."""
        ...

    def room(self) -> int:
        """How many more runs it takes now."""
        ...

    def work(self, directory: Path, unstop: bool = False) -> SeglabError | None:
        """Works on the run to its end; with `unstop`, one that was stopped goes on. Gives why, where the run could not
        end itself; raises Unready where it cannot begin for now."""
        ...


class Dispatcher(Worker):
    """Works through the queue, as many runs at once as the adapter has room for."""

    def __init__(self, adapter: Cluster) -> None:
        super().__init__(adapter)
        self.cluster = adapter
        self.dealt: dict[Path, threading.Thread] = {}
        self.trouble: list[Exception] = []  # of runs that were dealt out

    def look_on(self) -> None:
        while not self.over():
            self.cluster.connect()
            self.dealt = {directory: thread for directory, thread in self.dealt.items() if thread.is_alive()}
            if self.trouble:
                raise self.trouble.pop(0)
            directory = self.next() if self.cluster.room() > 0 else None
            if directory:
                self.cluster.waiting.add(directory)
                self.dealt[directory] = threading.Thread(target=self.deal, args=(directory,), daemon=True)
                self.dealt[directory].start()
            else:
                self.ended.wait(TAKE_A_LOOK)

    def over(self) -> bool:
        """Whether no run is to be dealt out any more."""
        return self.ended.is_set()

    def next(self) -> Path | None:
        """The run to be dealt out now, if there is one."""
        return next_run(self.home, self.dealt)

    def deal(self, directory: Path) -> None:
        """Has one run worked on, in a thread of its own."""
        try:
            self.work(directory)
        except Exception as error:
            self.trouble.append(error)
        finally:
            self.cluster.waiting.discard(directory)


class Chosen(Dispatcher):
    """Works through these runs and no others, and tells on the terminal how it goes; a run that fails does not keep
    those from going on that do not need it."""

    def __init__(self, adapter: Cluster, directories: Sequence[Path]) -> None:
        super().__init__(adapter)
        self.left = [directory for directory in directories if runs.status(directory).state not in FOR_GOOD]
        self.numbers = {directory: f"run {n} of {len(directories)}" for n, directory in enumerate(directories, 1)}
        self.stopping = False  # all runs are to end in good order, and none is to begin

    def run(self) -> None:
        while not self.over():
            try:
                self.look_on()
            except Unready as error:  # as where nodes were lost: those at work may find another place
                if not any(thread.is_alive() for thread in self.dealt.values()):
                    raise
                self.say(error)

    def over(self) -> bool:
        if self.stopping:
            self.left.clear()
            for directory in [directory for directory, thread in self.dealt.items() if thread.is_alive()]:
                with contextlib.suppress(OSError, SeglabError):  # deleted by hand, or the disk is full
                    (directory / "stop").touch()  # which one that goes on has no other sign of
                    runs.stop(directory)
        return not self.left and not self.dealt

    def next(self) -> Path | None:
        for directory in list(self.left):
            try:
                if any(run in self.left or run in self.dealt for run in runs.config(directory).needs):
                    continue
                unfinished = awaited(directory)
            except SeglabError as why:
                self.tell(directory, str(why))
                fail(directory, why)
                self.left.remove(directory)
                continue
            self.left.remove(directory)
            if not unfinished:
                return directory
            self.tell(directory, f"{unfinished[0].name} has to be finished first")
        return None

    def work(self, directory: Path) -> None:
        self.tell(directory, runs.label(directory).name)
        (directory / "stop").unlink(missing_ok=True)
        try:
            why = self.cluster.work(directory, unstop=True)
        except Unready as error:
            self.tell(directory, str(error))
            return
        if why and not runs.status(directory).over:
            fail(directory, why)
        ended = runs.status(directory)
        self.tell(
            directory, ended.state + (f": {ended.finished.text}" if ended.finished and ended.finished.text else "")
        )

    def tell(self, directory: Path, what: str) -> None:
        print(f"seglab: {self.numbers[directory]}: {what}", file=sys.stderr, flush=True)

    def say(self, why: Unready) -> None:
        """Tells once what is in the way, and waits a moment."""
        if str(why) != self.told:
            self.told = str(why)
            print(f"seglab: {why}", file=sys.stderr, flush=True)
        self.ended.wait(TAKE_A_LOOK)

    def stop(self) -> None:
        """Has all runs end in good order."""
        self.stopping = True


def adapter(on: On) -> Cluster:
    """What works on runs there."""
    from seglab.jobs.ray import Ray
    from seglab.jobs.slurm import Slurm

    return Slurm(on) if on.engine == "slurm" else Ray(on)


def main(parent: str, text: str, *names: str) -> int:
    ends_with(int(parent))
    logging.basicConfig(format="%(message)s", level=logging.WARNING)
    there = adapter(elsewhere.on(text))
    if not names:
        Dispatcher(there).run()
        return 0
    chosen = Chosen(there, [Path(name) for name in names])
    signal.signal(signal.SIGTERM, lambda *_: chosen.stop())
    try:
        chosen.run()
    except SeglabError as error:
        print(f"seglab: {error}", file=sys.stderr)
        return elsewhere.TOLD
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
