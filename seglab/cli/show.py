"""What commands print: entries, progress, times."""

from __future__ import annotations

import contextlib
import shlex
import signal
import sys
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from seglab import machine, runs
from seglab.entry import Entry
from seglab.errors import SeglabError


def listed(entry: type[Entry]) -> dict[str, Any]:
    """An entry as data: its name, summary, source, and its options' schemas."""
    schema = entry.model_json_schema().get("properties", {})
    return {"name": entry.name, "summary": entry.summary(), "source": entry.source(), "options": schema}


def allowed(schema: dict[str, Any]) -> str:
    """What an option may be: `0 to 1`, `padded, valid`, `true, false`; empty where anything of its type may."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    words = [str(word) for kind in kinds for word in kind.get("enum", ())]
    if words:
        return ", ".join(words)
    kind = kinds[0] if kinds else {}
    if kind.get("type") == "boolean":
        return "true, false"
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    high = kind.get("maximum", kind.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in kind else ""
    below = "below " if "exclusiveMaximum" in kind else ""
    if low is not None and high is not None:
        return f"{above}{low:g} to {below}{high:g}"
    return ""


def default(schema: dict[str, Any]) -> str:
    """An option's default as text; `empty` for none, and for one that has to be given."""
    value = schema.get("default")
    if isinstance(value, list):
        return ",".join(map(str, value)) or "empty"
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value)


def entry_help(entry: type[Entry], field: str, several: bool = False) -> str:
    """An entry with its options as they are written for a field; with its name in them where several are named."""
    prefix = f"--{field}.{entry.name}" if several or field in ("techniques", "predictors") else f"--{field}"
    lines = [f"{entry.name}: {entry.summary()}", *([f"  {entry.source()}"] if entry.source() else [])]
    for name, schema in listed(entry)["options"].items():
        bounds = f" ({allowed(schema)})" if allowed(schema) else ""
        lines.append(f"  {prefix}.{name:<18} {schema.get('description', '')}{bounds} [{default(schema)}]")
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """`45 s`, `12 min` or `3.5 h`."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"


def score(value: float | None) -> str:
    """A mIoU or another score, which may be 0; `-` for one that is not known."""
    return "-" if value is None else f"{value:.4f}"


def tell(notes: Iterable[SeglabError]) -> None:
    """Prints what a person should know beside a command's output."""
    for note in notes:
        print(f"seglab: note: {note}", file=sys.stderr)


def follow(directory: Path, device: str, threads: int, unstop: bool = False) -> int:
    """Works on a run with a progress bar; Ctrl-C and SIGTERM end it in good order."""
    from tqdm import tqdm

    from seglab.events import Evaluated, Finished, Started

    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, frame: asked.append(number))
    with tqdm(unit="step", desc=directory.name, dynamic_ncols=True, disable=None) as bar:
        for event in runs.work(directory, device, threads, lambda: bool(asked), unstop):
            if isinstance(event, Started):
                bar.reset(event.total_steps)
                with_threads = f", {event.threads} thread{'s' * (event.threads > 1)}" if event.device == "cpu" else ""
                bar.write(f"seglab: computing in {event.precision} on {event.device}{with_threads}", file=sys.stderr)
                for note in event.notes:
                    bar.write(f"seglab: note: {note.error()}", file=sys.stderr)
            bar.update(event.step - bar.n)
            if isinstance(event, Evaluated):
                val = event.scores["val"]
                bar.set_postfix(loss=f"{val.loss:.3f}", mIoU="-" if val.miou is None else f"{val.miou:.3f}")
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
