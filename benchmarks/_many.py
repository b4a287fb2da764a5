"""A home with many finished runs, each with a configuration, a name and a report of its own."""

from __future__ import annotations

import os
import random
from pathlib import Path

from seglab import runs
from seglab.config import configured
from seglab.events import Evaluated, Event, Finished, Started, Stepped, from_line, to_line
from seglab.runs.hashes import sha256
from seglab.runs.labels import COUNTS, FILE, Counts, Label, Owner, next_stroke

MODELS, DATA, OWNERS = ("unet", "segnet", "encoder_decoder", "fcn"), (400, 800), 30
BEGAN = 1_700_000_000  # seconds since 1970: when the first of them was made, each of the others a minute later


def many(home: Path, count: int, steps: int = 1) -> list[Path]:
    """Makes so many runs, as trained for ten epochs each, and gives the newest first; what they have in common is
    linked, and of their steps every so-many-eth is in their reports."""
    source = runs.find("unet")
    events = [from_line(line) for line in (source / "events.jsonl").read_bytes().splitlines()]
    reported = [event for n, event in enumerate(events) if not isinstance(event, Stepped) or n % steps == 0]
    lines = [to_line(event) if isinstance(event, Stepped) else event for event in reported]
    luck = random.Random(0)
    home.mkdir(parents=True, exist_ok=True)
    (home / COUNTS).write_text(Counts(made=count).model_dump_json())
    return [made(home / f"run {n:05}", n, source, lines, luck) for n in range(count)][::-1]


def made(directory: Path, n: int, source: Path, lines: list[str | Event], luck: random.Random) -> Path:
    directory.mkdir()
    model = MODELS[n % len(MODELS)]
    data = {"name": "streets", "train_images": DATA[n // 4 % len(DATA)]}
    optimizer = {"name": "adamw", "lr": round(luck.uniform(1e-4, 1e-2), 4)}
    config = configured({"model": model, "data": data, "optimizer": optimizer, "epochs": 10})
    content = config.model_dump_json(indent=1).encode()
    owner = Owner(key=f"{n % OWNERS:016x}", nickname=f"student {n % OWNERS}")
    label = Label(name=f"{model} #{n + 1}", stroke=next_stroke(n), owner=owner)
    (directory / FILE).write_bytes(label.model_dump_json().encode())
    (directory / "config.json").write_bytes(content)
    os.utime(directory / "config.json", (BEGAN + 60 * n,) * 2)
    files = {"config.json": sha256(content), "dataset.json": sha256((source / "dataset.json").read_bytes())}
    faded, lost = luck.uniform(0.3, 1), n % 20 == 0
    report = [line if isinstance(line, str) else to_line(told(line, files, faded, lost)) for line in lines]
    (directory / "events.jsonl").write_text("".join(report))
    for name in ("dataset.json", "weights.safetensors", "evaluation.npz"):
        os.link(source / name, directory / name)
    (directory / ".lock").touch()  # which a run that was worked on has
    return directory


def told(event: Event, files: dict[str, str], faded: float, lost: bool) -> Event:
    """An event as another run would have it, whose mIoU are so many times as high; one that is `lost` was stopped."""
    if isinstance(event, Started):
        return event.model_copy(update={"files": files})
    if isinstance(event, Evaluated):
        scores = {name: each.model_copy(update={"miou": each.miou * faded}) for name, each in event.scores.items()}
        return event.model_copy(update={"scores": scores})
    assert isinstance(event, Finished)
    update = {"val_miou": event.val_miou * faded, "search_miou": event.search_miou * faded}
    return event.model_copy(update=update | ({"reason": "stopped"} if lost else {}))
