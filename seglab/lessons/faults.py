"""What is wrong with a run, as its configuration and its report have it: the subject of a lesson in which it is looked
for."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from seglab.lessons.scoring import shown

FAULTS = ("rate", "leak", "batches", "picked", "shifted")
FAR = 10  # times another learning rate than that of most


@dataclass(frozen=True)
class Suspect:
    """A setting of one run, with all that could be wrong: its learning `rate`, its `score` and what is `reported`;
    whether the report is the mean over `batches`, or the best of several `seeds`, whose scores these are; by how many
    pixels its masks are moved, and what it would score without that; whether it `leaks`, since it began with weights
    that had seen the images that it is scored on."""

    key: str
    rate: float
    score: float
    reported: float
    batches: bool = False
    seeds: tuple[float, ...] = ()
    pixels: int = 0
    straight: float = 0.0
    leaks: bool = False


@dataclass(frozen=True)
class Fault:
    """A setting with something wrong, what it is, and the numbers that tell of it."""

    key: str
    kind: str
    values: Mapping[str, str]


def found(suspects: Sequence[Suspect]) -> list[Fault]:
    """Those that something is wrong with."""
    usual = statistics.median_low(each.rate for each in suspects)
    faults = []
    for each in suspects:
        other = statistics.mean(one.reported for one in suspects if one is not each)
        values = {
            "score": shown(each.reported), "other": shown(other), "here": shown(each.score),
            "difference": f"{each.reported - other:+.3f}",
        }  # fmt: skip
        if each.batches:
            faults.append(Fault(each.key, "batches", values | {"difference": f"{each.reported - each.score:+.3f}"}))
        elif len(each.seeds) > 1:  # of one there was nothing to pick
            faults.append(Fault(each.key, "picked", values | over_seeds(each.seeds)))
        elif each.pixels:
            faults.append(
                Fault(each.key, "shifted", values | {"there": shown(each.straight), "count": f"{each.pixels}"})
            )
        elif each.leaks:
            faults.append(Fault(each.key, "leak", values))
        elif max(each.rate / usual, usual / each.rate) >= FAR:
            rates = {"here": f"{usual:g}", "there": f"{each.rate:g}", "ratio": f"{each.rate / usual:.0f}"}
            faults.append(Fault(each.key, "rate", values | rates))
    return faults


def over_seeds(scores: Sequence[float]) -> dict[str, str]:
    """What the best of several seeds hides."""
    return {
        "count": f"{len(scores)}", "here": shown(statistics.mean(scores)), "low": shown(min(scores)),
        "high": shown(max(scores)), "spread": shown(statistics.stdev(scores)),
    }  # fmt: skip
