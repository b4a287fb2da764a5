"""Working on a run while somebody looks on: a progress bar, and an interrupt that ends the run in good order."""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from seglab import jobs, runs
from seglab.crf import RANGE
from seglab.entry import REASONS
from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, Started, Stepped

MOST_PROCESSES = 64  # on one run


def follow(
    directory: Path, device: str, threads: int, unstop: bool = False, progress: bool = True, processes: int = 1
) -> Event | None:
    """Works on a run to its end and gives its last event; Ctrl-C, SIGTERM or a notebook's interrupt stop it in good
    order, a second one at once. Several processes share the threads."""
    event: Event | None = None
    with interruptible() as interrupted, torch_as_it_was(), bar(directory.name, progress) as shown:
        if processes > 1:
            own = max(1, threads // processes)
            working = jobs.several.work(directory, processes, device, own, interrupted, unstop)
        else:
            working = runs.work(directory, device, threads, interrupted, unstop)
        for event in working:
            show(shown, event)
    return event


def show(shown: Any, event: Event) -> None:
    """What an event says, on the bar."""
    if isinstance(event, Started):
        shown.reset(event.total_steps)
        threads = f", {event.threads} thread{'s' * (event.threads > 1)}" if event.device == "cpu" else ""
        each = f" in each of {event.processes} processes" if event.processes > 1 else ""
        shown.write(f"seglab: computing in {event.precision} on {event.device}{threads}{each}", file=sys.stderr)
        for note in event.notes:
            shown.write(f"seglab: note: {note.error()}", file=sys.stderr)
    shown.update(event.step - shown.n)
    if isinstance(event, Evaluated):
        val = event.scores["val"]
        shown.set_postfix(loss=f"{val.loss:.3f}", mIoU="-" if val.miou is None else f"{val.miou:.3f}")
        for note in event.notes:
            shown.write(f"seglab: note: {note.error()}", file=sys.stderr)
    elif isinstance(event, Stepped) and event.epoch < 1:
        shown.set_postfix(loss=f"{event.loss:.3f}")


def bar(title: str, progress: bool = True) -> Any:
    """A progress bar of steps: a notebook's own where it has one; none where nobody sees it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without ipywidgets, a bar of text will do
        from tqdm.auto import tqdm
    disabled = not progress or (None if not in_notebook() else False)
    return tqdm(unit="step", desc=title, dynamic_ncols=True, disable=disabled)


def in_notebook() -> bool:
    """Whether this is a kernel, whose output is no terminal and still is looked at."""
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return shell is not None and "IPKernelApp" in shell.config


@contextlib.contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Gives what says whether an interrupt was asked for; another one raises KeyboardInterrupt.

    In a thread that is not the main one, which gets no signals, nobody can ask.
    """
    asked: list[int] = []

    def ask(number: int, frame: Any) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def torch_as_it_was() -> Iterator[None]:
    """Gives torch's random numbers and threads back as they were, which a run sets for itself."""
    import torch

    state, threads = torch.get_rng_state(), torch.get_num_threads()
    try:
        yield
    finally:
        torch.set_rng_state(state)
        torch.set_num_threads(threads)


def device_for(name: str) -> str:
    """What to compute on, for `auto`, `cpu` or `cuda`; raises SeglabError for what is not here."""
    if name not in ("auto", "cpu", "cuda"):
        raise SeglabError(REASONS["literal_error"], thing="device", value=repr(name), expected="auto, cpu, cuda")
    found = "cpu" if name == "cpu" else jobs.device()
    if name == "cuda" and found != "cuda":
        raise SeglabError("device: 'cuda' is not available here; allowed: auto, cpu")
    return found


def processes_for(given: int) -> int:
    """How many processes work on a run together; raises SeglabError for what is no such number."""
    if not isinstance(given, int) or isinstance(given, bool) or not 1 <= given <= MOST_PROCESSES:
        raise SeglabError(RANGE, thing="processes", value=repr(given), lowest=1, highest=MOST_PROCESSES)
    return given


def threads_for(given: int | None, directory: Path | None = None) -> int:
    """How many threads a run gets where nobody says: as many as it had, since others would round otherwise."""
    known = runs.events(directory) if directory and given is None else []
    started = next((event for event in reversed(known) if isinstance(event, Started)), None)
    found = given if given is not None else started.threads * started.processes if started else jobs.threads()
    if not isinstance(found, int) or not 1 <= found <= 1024:
        raise SeglabError(RANGE, thing="threads", value=repr(found), lowest=1, highest=1024)
    return found
