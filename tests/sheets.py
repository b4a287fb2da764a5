"""A lesson with an answer of each kind, and the sheets of a class that took it."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from seglab.lessons import files, sheet
from seglab.lessons.bench import Bench
from tests.lessons import IMAGES, PIXELS, images, put, whole

HITS = {"a": (50, 52), "b": (80, 82)}  # right pixels of each class, by seed
OPTIONS = [{"key": key, "text": key} for key in ("higher", "lower", "none")]
STEPS = [
    {"kind": "ask", "id": "which", "when": "before", "sure": True, "text": {"en": "Which?", "ko": "어느 것?"},
     "measure": {"kind": "difference", "a": "a", "b": "b"}, "options": OPTIONS, "tell": {"otherwise": "{difference}"}},
    {"kind": "ask", "id": "over", "when": "after", "answer": "several", "text": "Over?",
     "measure": {"kind": "shape", "of": ["a", "b"], "shape": "rises_after_lowest"},
     "options": [{"key": key, "text": key} for key in ("a", "b", "none")], "tell": {"otherwise": "so"}},
    {"kind": "ask", "id": "pixels", "when": "after", "answer": "number", "text": "How many?",
     "measure": {"kind": "share", "a": "a", "b": "b", "of": "only_a", "tolerance": 2}, "tell": {"number": "{share}"}},
    {"kind": "ask", "id": "own", "when": "after", "answer": "text", "text": "Your own words?"},
    {"kind": "sheet", "keep": "One sentence?"},
]  # fmt: skip
TURNED = [(1.0, 1.0), (0.5, 0.6), (0.2, 0.9)]  # losses of a run that is over-fitted


def maps(right: int, last: bool) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Truth and prediction of each image: of either class's pixels the first so many are right, or the last."""
    truth = np.repeat([0, 1], PIXELS).astype(np.uint8)
    place = np.tile(np.arange(PIXELS), 2)
    wrong = place < PIXELS - right if last else place >= right
    return [truth.reshape(10, -1)] * IMAGES, [np.where(wrong, 1 - truth, truth).reshape(10, -1)] * IMAGES


def taught(hits: Mapping[str, Sequence[int]] = HITS) -> Bench:
    """The lesson with its runs. As they are, b scores higher than a, a alone is over-fitted, and in 20 of 100 pixels a
    alone is right."""
    of = files.packed(json.dumps(whole(steps=STEPS, seeds=[0, 1])).encode())
    for key, each in hits.items():
        for seed, right in enumerate(each):
            losses = TURNED if key == "a" else [(1.0, 1.0)]
            put(of, key, seed, images(right), losses=losses, maps=maps(right, last=key == "b"))
    return Bench(of)


def answered(bench: Bench, number: int = 1, **more: Any) -> dict[str, Any]:
    """What a sheet of the lesson holds, as the page writes it."""
    made = {
        "sheet": 1, "lesson": bench.lesson.name, "hash": files.content_hash(bench.lesson),
        "number": f"{number:032x}", "evidence": sheet.evidence(bench), "name": "Ada", "keep": "", "times": [0, 90, 330],
        "answers": {
            "which": {"first": "lower", "sure": "guess", "again": "higher", "note": ""},
            "over": {"first": ["a"], "again": None, "sure": None, "note": ""},
        },
    }  # fmt: skip
    return made | more


def page(data: Any) -> bytes:
    """A sheet's file."""
    text = data if isinstance(data, str) else json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
    return f"<!doctype html><html><body><h1>Ada</h1>{sheet.OPENED}{text}{sheet.CLOSED}</body></html>".encode()
