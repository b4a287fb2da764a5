"""What is wrong with a run, as its configuration and its report have it: the subject of a lesson in which it is looked
for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from seglab import runs
from seglab.lessons.scoring import shown

if TYPE_CHECKING:
    from seglab.lessons.measures import Bench

FAULTS = ("rate", "leak", "batches", "picked", "shifted")
FAR = 10  # times another learning rate than that of most


@dataclass(frozen=True)
class Fault:
    """A setting with something wrong, what it is, and the numbers that tell of it."""

    key: str
    kind: str
    values: Mapping[str, str] = field(default_factory=dict)


def found(bench: Bench, keys: Sequence[str]) -> list[Fault]:
    """Those of some settings, each of one run, that something is wrong with. Raises SeglabError where runs are
    missing."""
    rates = {key: runs.config(bench.directories(key)[0]).optimizer.lr for key in keys}
    usual = statistics.median_low(rates.values())
    faults = []
    for key in keys:
        setting, score = bench.lesson.setting(key), bench.values(key, "miou")[0]
        reported = bench.reported(key, "miou")[0]
        others = [bench.reported(each, "miou")[0] for each in keys if each != key]
        values = {"score": shown(reported), "other": shown(statistics.mean(others)), "here": shown(score)}
        shift = next((each for each in setting.through if each.name == "shift"), None)
        if setting.reported == "batches":
            faults.append(Fault(key, "batches", values | {"difference": f"{reported - score:+.3f}"}))
        elif setting.reported == "best":
            assert setting.of
            faults.append(Fault(key, "picked", values | over_seeds(bench.values(setting.of, "miou"))))
        elif shift:
            assert setting.of
            straight = shown(bench.values(setting.of, "miou")[0])
            pixels = max(abs(shift.right), abs(shift.down))
            faults.append(Fault(key, "shifted", values | {"there": straight, "count": f"{pixels}"}))
        elif leaks(bench, setting.of or key):
            faults.append(Fault(key, "leak", values | {"difference": f"{score - statistics.mean(others):+.3f}"}))
        elif max(rates[key] / usual, usual / rates[key]) >= FAR:
            rate = {"here": f"{usual:g}", "there": f"{rates[key]:g}", "ratio": f"{rates[key] / usual:.0f}"}
            faults.append(Fault(key, "rate", values | rate))
    return faults


def over_seeds(scores: Sequence[float]) -> dict[str, str]:
    """What the best of several seeds hides."""
    return {
        "count": f"{len(scores)}", "here": shown(statistics.mean(scores)), "low": shown(min(scores)),
        "high": shown(max(scores)), "spread": shown(statistics.stdev(scores) if len(scores) > 1 else 0.0),
    }  # fmt: skip


def leaks(bench: Bench, key: str) -> bool:
    """Whether a setting's runs begin with weights that were trained on the images that they are scored on: on another
    fold of the same images."""
    begun = bench.lesson.setting(key).begins_with
    if begun is None:
        return False
    fold, before = (bench.lesson.config(each, 0).fold for each in (key, begun))
    return fold is not None and before is not None and fold.of == before.of and fold.index != before.index
