"""Lessons and their runs without any training: small files, and numbers that are worked by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from pydantic import TypeAdapter

from seglab import places, runs
from seglab.events import Evaluated, Finished, Score, Started, to_line
from seglab.lessons import files
from seglab.lessons.bench import Bench, name_of
from seglab.lessons.measures import AnyMeasure
from seglab.lessons.model import Lesson

PIXELS = 100  # of each class in an image
IMAGES = 12


def whole(settings: Mapping[str, Any] | Sequence[str] = "ab", **more: Any) -> dict[str, Any]:
    """What a lesson's file holds: settings that differ in their epochs, or as given; one step, or those given."""
    if not isinstance(settings, Mapping):
        settings = {key: {"title": f"title of {key}", "set": {"epochs": n + 1}} for n, key in enumerate(settings)}
    base = {
        "data": "streets", "data.train_images": 8, "data.val_images": 8, "data.size": 64, "image_size": 64,
        "model": "unet", "model.width": 4, "model.depth": 2, "batch_size": 4, "epochs": 1,
    }  # fmt: skip
    group = {"title": "group", "base": base, "settings": dict(settings), "seeds": more.pop("seeds", [0, 1, 2])}
    group |= {"quick": more.pop("quick", []), "maps": more.pop("maps", [0])}
    start = {"lesson": 1, "name": "l", "title": "title", "goal": "goal", "source": "source"}
    return start | {"groups": {"g": group}, "steps": [{"kind": "read", "text": "text"}]} | more


def lesson(settings: Mapping[str, Any] | Sequence[str] = "ab", **more: Any) -> Lesson:
    return files.packed(json.dumps(whole(settings, **more)).encode())


def at_step(name: str, title: str) -> str:
    """The first step of such a title, as an address has it."""
    titles = [step.title and step.title.en for step in files.find(name).steps]
    return f"lesson={name}&step={titles.index(title) + 1}"


def measure(**given: Any) -> Any:
    return TypeAdapter(AnyMeasure).validate_python(given)


def images(*hits: int, count: int = IMAGES) -> np.ndarray:
    """int64 (N, 2, 2): of each image's 100 pixels of either class so many are right, over and over until there are
    enough images. The IoU of both classes is right / (200 - right), and so is mIoU."""
    right = np.resize(hits, count)
    return np.stack([[[each, PIXELS - each], [PIXELS - each, each]] for each in right]).astype(np.int64)


def miou(*hits: int) -> float:
    """What such images score together, where their number is a multiple of these."""
    right = sum(hits) / len(hits)
    return right / (2 * PIXELS - right)


def put(
    of: Lesson,
    key: str,
    seed: int,
    matrices: np.ndarray,
    losses: Sequence[tuple[float, float]] = ((1.0, 1.0),),
    train_miou: float = 0.5,
    parameters: int = 10,
    classes: Sequence[str] = (),
    maps: tuple[Sequence[np.ndarray], Sequence[np.ndarray]] | None = None,
    digest: str = "images",
    names: Sequence[str] = (),
    reason: Any = "completed",
    name: str = "",
) -> Path:
    """A finished run of a lesson, as training leaves it: the confusion matrix of each validation image; the losses of
    train and val after each epoch; label maps as truth and predictions. `name`: that of one that was started from the
    page."""
    directory = runs.home() / (name or f"{places.MADE}/{name_of(of.name, key, seed)}")
    directory.mkdir(parents=True, exist_ok=True)
    (directory / "config.json").write_text(of.config(key, seed).model_dump_json())
    count, kinds = matrices.shape[:2]
    classes = list(classes or ("road", "pole", "sign", "sky")[:kinds])
    names = list(names or (f"{n}" for n in range(count)))
    description: dict[str, Any] = {
        "classes": classes, "colors": [[n, n, n] for n in range(kinds)], "samples": [0],
        "digests": {"train": "t", "search": "s", "val": digest}, "images": {"train": [], "search": [], "val": names},
    }  # fmt: skip
    (directory / "dataset.json").write_text(json.dumps(description))
    np.savez(directory / "evaluation.npz", val=matrices)
    total = matrices.sum(0)
    with np.errstate(invalid="ignore"):
        iou = np.diagonal(total) / (total.sum(0) + total.sum(1) - np.diagonal(total))
    mean = float(np.nanmean(iou)) if np.isfinite(iou).any() else None
    told = [None if np.isnan(each) else float(each) for each in iou]
    started = Started(
        step=0, seconds=0, parameters=parameters, device="cpu", threads=1, steps_per_epoch=1, total_steps=len(losses),
        images={}, dataset=description["digests"], versions={},
    )  # fmt: skip
    events: list[Any] = [started]
    for n, (train, val) in enumerate(losses, 1):
        pairs = {"train": (train, train_miou), "val": (val, mean), "search": (val, mean)}
        scores = {
            part: Score(loss=loss, terms={}, miou=score, iou=told, pixel_accuracy=0.5, images=count)
            for part, (loss, score) in pairs.items()
        }
        sha = hashlib.sha256(f"{key} {seed}".encode()).hexdigest()
        events.append(
            Evaluated(step=n, seconds=n, epoch=n, lr=0.1, images_per_second=9, scores=scores, best=n == len(losses),
                      weights_sha256=sha)
        )  # fmt: skip
    events.append(Finished(step=len(losses), seconds=len(losses), reason=reason, val_miou=mean, search_miou=mean))
    (directory / "events.jsonl").write_text("".join(map(to_line, events)))
    for name, of_kind in zip(("truth", "predictions"), maps or (), strict=False):
        (directory / name).mkdir(exist_ok=True)
        for n, each in enumerate(of_kind):
            Image.fromarray(each).save(directory / name / f"{n:04}.png")
    return directory


def bench(scores: Mapping[str, Sequence[Any]], seeds: Mapping[str, Sequence[int]] | None = None, **more: Any) -> Bench:
    """A lesson with its runs: for each setting and seed how many pixels are right, in every image or in each."""
    settings: dict[str, Any] = {
        key: {"title": key, "set": {"epochs": n + 1}, "seeds": list((seeds or {}).get(key, range(len(each))))}
        for n, (key, each) in enumerate(scores.items())
    }
    of = lesson(settings, **more)
    for key, each in scores.items():
        for seed, hits in zip(of.seeds(key), each, strict=True):
            put(of, key, seed, hits if isinstance(hits, np.ndarray) else images(*np.atleast_1d(hits)))
    return Bench(of)
