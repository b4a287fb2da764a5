"""What commands print: entries, progress, times."""

from __future__ import annotations

import contextlib
import shlex
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seglab import machine
from seglab.api import following
from seglab.config import configured
from seglab.entry import Entry
from seglab.events import Finished
from seglab.families import Preset
from seglab.schema import allowed, default, listed
from seglab.travel.commands import command


def entry_help(entry: type[Entry], field: str, several: bool = False) -> str:
    """An entry with its options as they are written for a field; with its name in them where several are named."""
    prefix = f"--{field}.{entry.name}" if several or field in ("techniques", "predictors") else f"--{field}"
    lines = [f"{entry.name}: {entry.summary()}", *([f"  {entry.source()}"] if entry.source() else [])]
    for name, schema in listed(entry)["options"].items():
        bounds = f" ({allowed(schema)})" if allowed(schema) else ""
        lines.append(f"  {prefix}.{name:<18} {schema.get('description', '')}{bounds} [{default(schema)}]")
    lines += [f"  {line}" for line in recipe(entry)]
    return "\n".join(lines)


def recipe(entry: type[Entry]) -> list[str]:
    """The command that a preset stands for; nothing for any other entry."""
    return [command(configured({"preset": entry.name}))] if issubclass(entry, Preset) else []


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def score(value: float | None) -> str:
    """A mIoU or another score, which may be 0; `-` for one that is not known."""
    return "-" if value is None else f"{value:.4f}"


def follow(directory: Path, device: str, threads: int, unstop: bool = False, processes: int = 1) -> int:
    """Works on a run with a progress bar; Ctrl-C and SIGTERM end it in good order."""
    event = following.follow(directory, device, threads, unstop, processes=processes)
    if not isinstance(event, Finished):
        return 0
    if event.reason in ("diverged", "failed"):
        print(f"seglab: {event.reason}: {event.text}", file=sys.stderr)
        return 1
    best = (
        ""
        if event.best_epoch is None
        else f", best validation mIoU {score(event.val_miou)} after epoch {event.best_epoch:g}"
    )
    print(f"seglab: {event.reason} after {event.seconds:.0f} s{best}", file=sys.stderr)
    if event.reason == "stopped":
        more = "" if threads == machine.cores() else f" --threads {threads}"  # others would round otherwise
        print(f"seglab: to go on: python -m seglab resume {shlex.quote(directory.name)}{more}", file=sys.stderr)
    return 0


def bar(things: Any, total: int, unit: str) -> Iterator[Any]:
    from tqdm import tqdm

    return iter(tqdm(things, total=total, unit=unit, delay=2, dynamic_ncols=True, disable=None))


def counting(steps: Iterable[tuple[int, int]], what: str) -> None:
    """Goes through something that tells how much of how much is done, and shows that."""
    from tqdm import tqdm

    with tqdm(desc=what, delay=2, leave=False, disable=None) as bar:
        for bar.n, bar.total in steps:
            bar.refresh()


@contextlib.contextmanager
def waiting(what: str) -> Iterator[None]:
    """Shows the time that something takes whose end is not known, from two seconds on."""
    from tqdm import tqdm

    over = threading.Event()

    def tick() -> None:
        with tqdm(desc=what, bar_format="{desc}: {elapsed}", delay=2, leave=False, disable=None) as clock:
            while not over.wait(0.5):
                clock.update()

    thread = threading.Thread(target=tick, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
