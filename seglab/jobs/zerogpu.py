"""Work on a GPU that is lent for some seconds at a time, from the allowance of the visitor who asked for the run.

A Space on ZeroGPU has no GPU of its own. A function decorated with `spaces.GPU` gets one for as long as it runs, in a
process that is forked from the page's; whose allowance that takes is told by the request in whose context it is called.
A run is worked on in as many such loans as it needs: each goes on where the last one ended, as after any other stop.
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextvars import Context, copy_context
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from seglab import runs, training
from seglab.errors import SeglabError
from seglab.events import Stepped
from seglab.jobs.process import Process, device, threads
from seglab.jobs.queue import enqueue, resubmit

LENDS = os.environ.get("SPACES_ZERO_GPU", "").lower() in ("1", "t", "true")  # whether this is such a Space
if LENDS:
    from spaces import GPU  # before anything asks for CUDA; the platform ends a program that decorates nothing
else:

    def GPU(duration: Callable[..., float]) -> Callable[[Callable], Callable]:
        """What `spaces.GPU` is elsewhere: the function stays as it is."""
        return lambda function: function


LOAN = 40.0  # seconds asked for at a time; the platform counts half as much again
SPARE = 10.0  # of these, for the last evaluation and saving
CLOSED = 90.0  # seconds without a word after which a page counts as closed; a hidden one speaks once a minute
RETRY = 300.0  # seconds until a run asks again, whose request was refused

Then = Literal["wait", "cpu"]  # what a run does when no GPU is lent


@GPU(duration=lambda directory, seconds: seconds)
def lent(directory: str, seconds: float) -> Iterator[int]:
    """Works on a run for so many seconds at most, and ends in good order; gives the steps that it comes to.

    What it takes and gives is plain, since it passes between processes.
    """
    ends = time.monotonic() + seconds - SPARE
    for event in runs.work(
        Path(directory), device(), threads(), lambda: time.monotonic() >= ends, images=OPENED.get(directory)
    ):
        yield event.step


@dataclass
class Visitor:
    """Who lends a run their allowance: the context of the latest request of their page, and when it came."""

    session: str | None
    context: Context
    heard: float


VISITORS: dict[str, Visitor] = {}  # by the name of the run
OPENED: dict[str, training.Images] = {}  # of the run under way, by its folder: forked processes find them decoded
LOCK = threading.Lock()


def offer(directory: Path, session: str | None) -> None:
    """Lends a run the allowance of whoever's request this is, from now on."""
    with LOCK:
        for name in [name for name, found in VISITORS.items() if not (is_open(found) or goes_on(name))]:
            del VISITORS[name]
        VISITORS[directory.name] = Visitor(session, copy_context(), time.monotonic())


def greet(session: str | None) -> None:
    """Notes that a page is still open: the runs that its visitor lends their allowance use its newest request."""
    with LOCK:
        for name, visitor in VISITORS.items():
            if session is not None and visitor.session == session:
                VISITORS[name] = Visitor(session, copy_context(), time.monotonic())


def visitor(directory: Path) -> Visitor | None:
    """Who lends the run their allowance, if their page is open."""
    with LOCK:
        found = VISITORS.get(directory.name)
    return found if found and is_open(found) else None


def is_open(visitor: Visitor) -> bool:
    """Whether the visitor's page is still open, as far as it has spoken."""
    return time.monotonic() - visitor.heard < CLOSED


def goes_on(name: str) -> bool:
    """Whether a run of this name waits for loans or has one, so that a page which opens again may lend it more."""
    directory = runs.home() / name
    return (directory / "queued").exists() or str(directory) in OPENED


def forget(directory: Path) -> None:
    """Has nobody lend the run their allowance any more."""
    with LOCK:
        VISITORS.pop(directory.name, None)


def choose(directory: Path, then: Then) -> None:
    """Settles what the run does when no GPU is lent."""
    with runs.writing(directory):
        runs.write(directory / "unlent", then.encode())


def chosen(directory: Path) -> Then:
    """What the run does when no GPU is lent; it waits unless it was told otherwise."""
    with contextlib.suppress(OSError):
        return "cpu" if (directory / "unlent").read_text(encoding="ascii") == "cpu" else "wait"
    return "wait"


def leave(directory: Path) -> None:
    """Has a run go on on the CPU when no GPU is lent; one that waits or has ended goes on now."""
    choose(directory, "cpu")
    if (directory / "queued").exists():
        enqueue(directory)
    elif runs.status(directory).state != "running":
        resubmit(directory)


def stay(directory: Path) -> None:
    """Has a run wait when no GPU is lent."""
    choose(directory, "wait")


class ZeroGPU:
    """The adapter for a Space on ZeroGPU: each run in loans; without one it waits, or goes on on the CPU."""

    def __init__(self) -> None:
        self.processor = Process()

    def work(self, directory: Path) -> SeglabError | None:
        """Works on the run to its end, or until no GPU is lent; then it is back in the queue."""
        try:
            while True:
                why = self.borrow(directory)
                if (directory / "stop").exists() or (why is None and ended(directory)):
                    forget(directory)
                    return None
                if why is None:
                    enqueue(directory)  # between two loans it waits for the next
                elif chosen(directory) == "cpu":
                    forget(directory)
                    return self.processor.work(directory)
                else:
                    wait(directory, why)
                    return None
        finally:
            OPENED.clear()

    def borrow(self, directory: Path) -> SeglabError | None:
        """Works on the run in one loan; gives why there was none."""
        found = visitor(directory)
        if found is None:
            return SeglabError("the page whose visitor lends this run a GPU is closed")
        name = str(directory)
        with contextlib.suppress(SeglabError):  # what is wrong with the data, the run itself will say
            if name not in OPENED:
                images = training.Images(runs.config(directory))
                images.decode()
                OPENED[name] = images
        before = len(runs.all_events(directory))
        try:
            found.context.copy().run(lambda: [None for _ in lent(name, seconds(directory))])
        except Exception as error:
            if len(runs.all_events(directory)) > before and runs.status(directory).over:
                return None  # it began, and said itself what went wrong
            return SeglabError("no GPU was lent: {reason}", reason=sentence(error))
        return None


def ended(directory: Path) -> bool:
    """Whether a run that was worked on has ended; not where only its loan has, which stops it."""
    known = runs.status(directory).finished
    return known is None or known.reason != "stopped"


def wait(directory: Path, why: SeglabError) -> None:
    """Puts a run to which no GPU was lent back into the queue, to ask again later, and records the reason once."""
    known = None
    with contextlib.suppress(ValueError):  # a damaged file
        known = runs.last_word(directory)
    if known is None or known.text != str(why):
        with contextlib.suppress(SeglabError), runs.locked(directory):
            runs.append(directory, runs.ending(directory, "stopped", why))
    enqueue(directory, after=RETRY)


def seconds(directory: Path) -> float:
    """The length of the run's next loan: shorter where less is left to do, as far as the run knows."""
    left = next((event.seconds_left for event in reversed(runs.events(directory)) if isinstance(event, Stepped)), LOAN)
    return min(LOAN, 2 * SPARE + left)


def sentence(error: Exception) -> str:
    """What the platform says of a request it refused, in its own words; it says some of them in HTML."""
    title, message = getattr(error, "title", ""), getattr(error, "message", None) or str(error) or type(error).__name__
    plain = html.unescape(re.sub(r"<[^>]*>", " ", f"{title}: {message}" if title else message))
    return " ".join(plain.split())
