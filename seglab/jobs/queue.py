"""The queue: which runs wait, and which is next; files in the runs' directories, and nothing else."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path

from seglab import runs
from seglab.config import RunConfig
from seglab.errors import SeglabError

MOST_WAITING = 30


def submit(configs: list[RunConfig]) -> list[Path]:
    """Creates a run for each configuration and puts them in the queue, in this order."""
    refuse_too_many(len(configs))
    directories = [runs.create(config) for config in configs]
    enqueue(*directories)
    return directories


def refuse_too_many(new: int) -> None:
    """Raises SeglabError if so many new runs do not fit into the queue."""
    count = len(waiting())
    if count + new > MOST_WAITING:
        raise SeglabError(
            "the queue is full: {waiting} runs are waiting and {new} more do not fit; allowed: {most}",
            waiting=count,
            new=new,
            most=MOST_WAITING,
        )


def enqueue(*directories: Path, after: float = 0.0) -> None:
    """Puts runs at the end of the queue, in this order, to begin in so many seconds or later: all of them, or none
    where the disk is full."""
    with runs.writing(runs.home()):
        for directory in directories:
            runs.write(directory / "queued.next", str(time.time_ns() + int(after * 1e9)).encode())
        for directory in directories:
            runs.replace(directory / "queued.next", directory / "queued")


def resubmit(directory: Path) -> None:
    """Puts a stopped, failed or interrupted run back in the queue, to go on where it was."""
    runs.refuse_resuming(directory)
    state = runs.status(directory).state
    if state not in ("stopped", "failed", "interrupted"):
        raise SeglabError("{run} cannot be resumed: it is {state}", run=directory.name, state=state)
    with runs.writing(directory):
        (directory / "stop").unlink(missing_ok=True)
    enqueue(directory)


def waiting(home: Path | None = None) -> list[Path]:
    """The runs that wait, the next one first."""
    return [directory for _, directory in marked(home)]


def marked(home: Path | None = None) -> list[tuple[int, Path]]:
    """The runs that wait, the next one first, and when each may begin, in nanoseconds since 1970."""
    found = []
    for path in (home or runs.home()).glob("*/queued"):
        with contextlib.suppress(FileNotFoundError, ValueError):  # it has just begun, or is no marker of ours
            found.append((int(path.read_text(encoding="ascii")), path.parent))
    return sorted(found)


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


def next_run(home: Path | None = None) -> Path | None:
    """The first waiting run that waits for no other run.

    One whose need cannot be met any more ends as failed. A needed run that nobody works on, as one that was interrupted
    by the end of the program, comes back into the queue.
    """
    for begins, directory in marked(home):
        if begins > time.time_ns():
            break  # and so do those behind it
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


def fail(directory: Path, why: SeglabError) -> None:
    """Records that a run failed, which nobody works on."""
    with contextlib.suppress(SeglabError, OSError), runs.locked(directory):
        runs.append(directory, runs.ending(directory, "failed", why))
        (directory / "queued").unlink(missing_ok=True)


def stop(directory: Path) -> None:
    """Ends a run: a waiting one leaves the queue, one under way ends after its present step."""
    runs.stop(directory)
    (directory / "queued").unlink(missing_ok=True)
