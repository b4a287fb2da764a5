"""The queue: which runs wait, and which is next; files in the runs' directories, and nothing else."""

from __future__ import annotations

import contextlib
import heapq
import os
import shutil
import time
from collections import deque
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TypeVar

from seglab import runs
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.jobs.limits import limited, limits, refuse_full_disk
from seglab.runs import Counts, Owner
from seglab.runs.index import FEW, Watch, listed

T = TypeVar("T")

MOST_WAITING = 500  # runs of all people together, so that a home stays quick to look through


def submit(
    configs: Sequence[RunConfig],
    owner: Owner | None = None,
    names: Sequence[str | None] = (),
    together: bool = False,
) -> list[Path]:
    """Creates a run for each configuration and puts them in the queue, in this order: all of them or none.

    `names` are those that a person gave; the others are called by their models, with a number. `together`: nobody
    else's run begins between them.
    """
    allowed = [limited(config) for config in configs]
    for name in names:
        if name is not None:
            runs.checked(name)
    with admitting(len(allowed), owner) as counts, contextlib.ExitStack() as undo:
        made = []
        for config, name in zip_longest(allowed, names):
            label = counts.label(name or config.model.name, owner, numbered=not name)
            made.append(runs.create(config, name, label))
            undo.callback(shutil.rmtree, made[-1], ignore_errors=True)
        enqueue(*made, counts=counts, together=together)
        undo.pop_all()
    return made


@contextlib.contextmanager
def admitting(new: int, owner: Owner | None = None) -> Iterator[Counts]:
    """Holds the home's counts while so many new runs are made and put in the queue; raises SeglabError where they do
    not fit, before anything is made."""
    refuse_full_disk()
    with runs.counting() as counts:
        refuse_too_many(new, owner)
        yield counts


def refuse_too_many(new: int, owner: Owner | None = None) -> None:
    """Raises SeglabError if so many new runs do not fit into the queue, or into their owner's part of it."""
    there = [directory for directory, _ in marked()]
    if len(there) + new > MOST_WAITING:
        raise SeglabError(
            "the queue is full: {waiting} runs are waiting and {new} more do not fit; allowed: {most}",
            waiting=len(there),
            new=new,
            most=MOST_WAITING,
        )
    most = limits().waiting
    own = sum(key_of(directory) == runs.counted_under(owner) for directory in there)
    if most is not None and own + new > most:
        raise SeglabError(
            "{waiting} of your runs are waiting and {new} more do not fit; allowed on this server: {most}",
            waiting=own,
            new=new,
            most=most,
        )


def key_of(directory: Path) -> str:
    """What a run's owner's runs are counted under."""
    return runs.counted_under(runs.label(directory).owner)


@dataclass(frozen=True, order=True)
class Mark:
    """A run's place in the queue, which runs that stay together share, and the time, in seconds since 1970, before
    which it does not begin. It was set `after` seconds before: a clock that was put back since keeps no run waiting for
    longer."""

    place: int
    begins: float = 0.0
    after: float = 0.0

    @classmethod
    def read(cls, text: str) -> Mark:
        """Raises ValueError for what is no mark."""
        place, *later = text.split()
        return cls(int(place), *map(float, later))

    def __str__(self) -> str:
        return f"{self.place} {self.begins:.3f} {self.after:g}" if self.after else f"{self.place}"

    @property
    def due(self) -> bool:
        return not 0 < self.begins - time.time() <= self.after


def enqueue(*directories: Path, after: float = 0.0, counts: Counts | None = None, together: bool = False) -> None:
    """Puts runs at the end of the queue, in this order, to begin in so many seconds or later: all of them, or none
    where something cannot be written. `counts` are the home's, where they are held; those that stay together have one
    place."""
    with contextlib.ExitStack() as held:
        counts = held.enter_context(runs.counting()) if counts is None else counts
        held.enter_context(runs.writing(runs.home()))
        begins = time.time() + after if after else 0.0
        with contextlib.ExitStack() as undo:
            for n, directory in enumerate(directories):
                undo.callback((directory / "queued.next").unlink, missing_ok=True)
                place = counts.queued if together and n else counts.place()
                runs.write(directory / "queued.next", str(Mark(place, begins, after)).encode())
            counts.keep(runs.home())  # the last of what a full disk refuses
            for directory in directories:
                if not (directory / "queued").exists():
                    undo.callback((directory / "queued").unlink, missing_ok=True)
                runs.replace(directory / "queued.next", directory / "queued")
            os.utime(runs.home())  # for those who look for markers once the home has changed
            undo.pop_all()


def resubmit(directory: Path) -> None:
    """Puts a stopped, failed or interrupted run back in the queue, to go on where it was."""
    runs.refuse_resuming(directory)
    state = runs.status(directory).state
    if state not in ("stopped", "failed", "interrupted"):
        raise SeglabError("{run} cannot be resumed: it is {state}", run=directory.name, state=state)
    with admitting(1, runs.label(directory).owner) as counts, runs.writing(directory):
        (directory / "stop").unlink(missing_ok=True)
        enqueue(directory, counts=counts)


def waiting(home: Path | None = None) -> list[Path]:
    """The runs that wait, the next one first. The queue goes round their owners: next is whose last run began longest
    ago, so that everybody's first run comes before anybody's second; those that stay together count as one."""
    rows: dict[str, deque[list[Path]]] = {}
    place = 0
    for directory, mark in marked(home):
        row = rows.setdefault(key_of(directory), deque())
        if row and mark.place == place:
            row[-1].append(directory)
        else:
            row.append([directory])
        place = mark.place
    counts = runs.counts(home) if len(rows) > 1 else Counts()
    return [directory for several in in_turn(rows, counts) for directory in several]


def in_turn(rows: Mapping[str, deque[T]], counts: Counts) -> Iterator[T]:
    """What waits in each owner's row, by their key, in the order in which it is to begin; the rows are used up. Of two
    owners whose last turn was as long ago, who came first is next."""
    order = [(counts.turn(key), n, row) for n, (key, row) in enumerate(rows.items())]
    heapq.heapify(order)
    turn = counts.turns
    while order:
        _, n, row = order[0]
        yield row.popleft()
        turn += 1
        if row:
            heapq.heapreplace(order, (turn, n, row))
        else:
            heapq.heappop(order)


def marked(home: Path | None = None) -> list[tuple[Path, Mark]]:
    """The runs that wait and their marks, in the order in which they came."""
    found = []
    for path in markers(home or runs.home()):
        with contextlib.suppress(OSError, ValueError):  # it has just begun, or is no marker of ours
            found.append((Mark.read(path.read_text(encoding="ascii")), path.parent))
    return [(directory, mark) for mark, directory in sorted(found)]


@dataclass
class Seen:
    """Where the markers of a home were when all its directories were last looked through."""

    watch: Watch
    paths: tuple[Path, ...] = ()
    few: bool = True  # so few directories that they are looked through each time


SEEN: dict[Path, Seen] = {}


def markers(home: Path) -> tuple[Path, ...]:
    """The files `queued` of a home, some of which may be gone: its directories are looked through once the home has
    changed, as it does with each `enqueue`."""
    seen = SEEN.setdefault(home, Seen(Watch(home)))
    if seen.watch.changed() or seen.few:
        names = listed(home)
        there = [name for name in names if os.path.exists(f"{home}{os.sep}{name}{os.sep}queued")]
        seen.paths, seen.few = tuple(home / name / "queued" for name in there), len(names) <= FEW
    return seen.paths


def awaited(directory: Path) -> list[Path]:
    """The runs that a run needs and that are not over yet; raises SeglabError if one ended without being finished."""
    found, config, begun = [], runs.config(directory), (directory / "last").exists()
    for needed in config.needs:
        if begun and needed == config.init_from:  # it goes on from weights of its own
            continue
        status = runs.status(runs.find(needed))
        if status.state in ("failed", "diverged", "stopped"):
            why = status.finished and status.finished.why
            told = {"run": needed.name, "state": status.state}
            if why:
                raise SeglabError("it needs {run}, which ended as {state}: {why}", **told, why=why.error())
            raise SeglabError("it needs {run}, which ended as {state}", **told)
        if not status.over:
            found.append(needed)
    return found


def next_run(home: Path | None = None, besides: Container[Path] = ()) -> Path | None:
    """The first waiting run that waits for no other run, and is not one of those that have been dealt out.

    One whose need cannot be met any more ends as failed. A needed run that nobody works on, as one that was interrupted
    by the end of the program, comes back into the queue.
    """
    marks = dict(marked(home))
    for directory in waiting(home):
        if directory not in marks or not marks[directory].due or directory in besides:
            continue
        try:
            needed = awaited(directory)
        except SeglabError as why:
            fail(directory, why)
            continue
        if not needed:
            return directory
        for run in needed:
            if runs.status(run).state != "running" and not (run / "queued").exists():
                (run / "stop").unlink(missing_ok=True)
                enqueue(run)
    return None


def begin(directory: Path) -> None:
    """Notes that its owner has their turn now; of runs that stay together, with the last."""
    marks = dict(marked(directory.parent))
    mark = marks.pop(directory, None)
    if mark and any(mark.place == each.place for each in marks.values()):
        return
    with runs.counting(directory.parent) as counts:
        counts.begin(key_of(directory))


def fail(directory: Path, why: SeglabError) -> None:
    """Records that a run failed, which nobody works on."""
    with contextlib.suppress(SeglabError, OSError), runs.locked(directory):
        runs.append(directory, runs.ending(directory, "failed", why))
        (directory / "queued").unlink(missing_ok=True)


def stop(directory: Path) -> None:
    """Ends a run: a waiting one leaves the queue, one under way ends after its present step."""
    runs.stop(directory)
    with runs.writing(directory):
        (directory / "queued").unlink(missing_ok=True)
