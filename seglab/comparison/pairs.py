"""Two sides, A and B, and everything that is a difference between them."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from seglab import runs
from seglab.cache import once
from seglab.comparison import borders, intervals, verdicts
from seglab.comparison.agreement import KINDS, ORDERS, Agreement, Region, agreement, largest_regions
from seglab.comparison.definitions import definitions
from seglab.comparison.readings import Reading, Side, sides, unknown_of
from seglab.comparison.scores import Comparison
from seglab.comparison.verdicts import Verdict
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.families import Predictor
from seglab.metrics import iou, miou, without

FEWEST_OF_SLICE = 2  # images


@dataclass(frozen=True)
class ClassDifference:
    """One class on both sides, its IoU of all seeds' summed matrices. `share`: of the labeled pixels. `alone` is the
    interval of the difference as if no other class were looked at; `together` is wide enough for all of them at once.
    `carried`: its share of the difference in mIoU, NaN where there is none (`intervals.carried`)."""

    name: str
    share: float
    a: float
    b: float
    alone: tuple[float, float] | None
    together: tuple[float, float] | None
    carried: float

    @property
    def apart(self) -> bool:
        """Whether the class can be told apart when all are looked at."""
        return self.together is not None and not self.together[0] <= 0 <= self.together[1]


@dataclass(frozen=True)
class Slice:
    """The images that have something in common: the value of an attribute of the data, or a class in their truth."""

    kind: str
    value: str
    images: tuple[int, ...]
    a: float
    b: float
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Pair:
    """Two sides that were scored on the same images; made by `pair`, which raises SeglabError for others. What is not
    asked for is not computed. Label maps are those of each side's first reading; of a cross-validation, those of all
    folds, whose images are put together.

    Where a side may label pixels void, `left_out` are the classes, perhaps none, that a side does not know: both are
    counted without them, as `metrics.without` says, so that both are about the same pixels and classes."""

    a: Side
    b: Side
    leak: bool = False
    left_out: tuple[int, ...] | None = None

    @property
    def folded(self) -> bool:
        return self.a.folded or self.b.folded

    @property
    def partners(self) -> list[tuple[Reading, Reading]]:
        """The readings whose label maps are looked at."""
        found = list(zip(self.a.readings, self.b.readings, strict=False))
        return found if self.folded else found[:1]

    @once
    def classes(self) -> list[str]:
        return runs.description(self.a.readings[0].directory)["classes"]

    @once
    def names(self) -> list[str]:
        """The validation images."""
        return [name for each, _ in self.partners for name in each.evidence.names]

    @once
    def matrices(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """For each side and seed, int64 (N, K, K), or (N, K, K + 1) where pixels may be labeled void."""
        first, second = ([each.confusions() for each in side.readings] for side in (self.a, self.b))
        if self.left_out is not None:
            first, second = ([without(each, self.left_out) for each in side] for side in (first, second))
        return ([np.concatenate(first)], [np.concatenate(second)]) if self.folded else (first, second)

    @property
    def summed(self) -> tuple[np.ndarray, np.ndarray]:
        """int64 (N, K, K) of each side, all its seeds added up."""
        first, second = (np.sum(each, 0) for each in self.matrices)
        return first, second

    @property
    def paired(self) -> bool:
        return self.a.seeds == self.b.seeds

    @property
    def block(self) -> int:
        """Within how many neighbors images are alike."""
        return verdicts.BLOCK if self.a.readings[0].config.data.sequence else 1

    @once
    def verdict(self) -> Verdict:
        """Whether the difference can be told from luck, and whose training has not reached its end."""
        found = self.judged()
        directories = dict.fromkeys(each.directory for side in (self.a, self.b) for each in side.readings)
        more = [*self.leaving_out(), *itertools.chain(*map(unfinished, directories))]
        return replace(found, sentences=(*found.sentences, *more))

    def leaving_out(self) -> list[SeglabError]:
        """What is told of classes that one side does not know."""
        if not self.left_out:
            return []
        unknown = ", ".join(self.classes[n] for n in self.left_out)
        return [SeglabError("both are counted without {classes}, which not both know", classes=unknown)]

    def judged(self) -> Verdict:
        count = len(self.names)
        if self.leak:
            told = SeglabError("one side was trained on images that it is scored on: there is no verdict")
            return verdicts.without("networks", count, None, told)
        if self.folded:
            told = SeglabError("the folds of a cross-validation share training images: there is no verdict from them")
            return verdicts.without("settings", count, None, told)
        same = [each.directory for each in self.a.readings] == [each.directory for each in self.b.readings]
        untouched = any(not side.readings[0].predictors for side in (self.a, self.b))
        names, fixed = (self.a.name, self.b.name), (self.a.fixed, self.b.fixed)
        return verdicts.verdict(names, *self.matrices, self.paired, self.block, same, untouched, fixed)

    @once
    def bootstrap(self) -> intervals.Bootstrap:
        """Draws of images for the classes, over all seeds' summed matrices."""
        return intervals.bootstrap(*self.summed, self.block)

    @once
    def per_class(self) -> list[ClassDifference]:
        """The classes, those that carry most of the difference first."""
        first, second = (each.sum(0) for each in self.summed)
        a, b, share = iou(first), iou(second), first.sum(1) / max(1, first.sum())
        enough = self.verdict.apart is not None and self.bootstrap.units >= verdicts.FEWEST
        none: list[Any] = [None] * len(a)
        alone, together = (self.bootstrap.alone, self.bootstrap.together(b - a)) if enough else (none, none)
        carried = intervals.carried(first, second)
        found = [
            ClassDifference(name, float(share[n]), float(a[n]), float(b[n]), alone[n], together[n], float(carried[n]))
            for n, name in enumerate(self.classes)
            if n not in (self.left_out or ())
        ]
        return sorted(found, key=lambda each: -abs(each.b - each.a) if np.isfinite(each.b - each.a) else 1)

    @once
    def places(self) -> list[tuple[Reading, Reading, int]]:
        """For each validation image, the readings that labeled it and its place among theirs."""
        return [(first, second, n) for first, second in self.partners for n in range(len(first.evidence.names))]

    def image(self, place: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """A validation image's truth and the label maps of both first readings, uint8 (H, W), 255 = void."""
        first, second, n = self.places[place]
        maps = first.evidence.truth(n), first.labels(n), second.labels(n)
        if not self.left_out:
            return maps
        known = np.arange(VOID + 1, dtype=np.uint8)
        known[list(self.left_out)] = VOID
        return known[maps[0]], known[maps[1]], known[maps[2]]

    def images(self) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
        """All of them."""
        return map(self.image, range(len(self.names)))

    @once
    def agreement(self) -> Agreement:
        return agreement(self.images(), len(self.classes), self.left_out)

    def only_one(self, truth: int, label: int) -> list[int]:
        """For each image, the pixels of a true class that one side takes for a class and the other does not."""
        first, second = (each[0][:, truth, label] for each in self.matrices)
        return (first + second - 2 * self.agreement.same[:, truth, label]).tolist()

    @once
    def regions(self) -> list[Region]:
        """The largest regions that both get wrong alike, which may be mistakes of the truth."""
        return largest_regions(self.images())

    def at_borders(self) -> Iterator[tuple[borders.Borders, ...]]:
        """What both do at borders, after each image."""
        return borders.borders(self.images(), len(self.classes), self.left_out)

    @once
    def borders(self) -> tuple[borders.Borders, borders.Borders]:
        *_, (first, second) = self.at_borders()
        return first, second

    def definitions(self, batch: int = 8) -> tuple[dict[str, float], dict[str, float]]:
        """The mIoU of each side's first reading by other definitions."""
        gone = list(self.left_out or ())
        known = [np.delete(np.delete(each[0], gone, 1), gone, 2) for each in self.matrices]
        first, second = (definitions(each, batch) for each in known)
        return first, second

    @once
    def attributes(self) -> dict[str, list[str | None]]:
        """What the source of the data says of each image, such as its weather; nothing where it is not here."""
        found: list[str | None] = []
        try:
            for each, _ in self.partners:
                images = runs.opened_once(each.directory).val
                if images.domain is None:
                    return {}
                found += map(images.domain, images.names)
        except SeglabError:
            return {}
        return {"domain": found}

    @once
    def slices(self) -> list[Slice]:
        """The images with each value of an attribute, and with each class in their truth."""
        first, second = self.summed
        groups = [
            (kind, value, [n for n, each in enumerate(values) if each == value])
            for kind, values in self.attributes.items()
            for value in sorted({each for each in values if each is not None})
        ]
        there = first.sum(2) > 0
        groups += [("class", name, list(np.flatnonzero(there[:, k]))) for k, name in enumerate(self.classes)]
        found = []
        for kind, value, places in groups:
            if FEWEST_OF_SLICE <= len(places) < len(self.names):
                a, b = (miou(each[places].sum(0)) for each in (first, second))
                enough = len(places) >= verdicts.FEWEST and self.block == 1 and self.verdict.apart is not None
                interval = intervals.bootstrap(first[places], second[places]).interval if enough else None
                found.append(Slice(kind, value, tuple(map(int, places)), a, b, interval))
        return found

    def as_json(self) -> dict[str, Any]:
        """Every number of the laboratory's views; None for what is not defined."""
        found = {
            "sides": [
                {"name": side.name, "runs": [each.directory.name for each in side.readings]}
                for side in (self.a, self.b)
            ],
            "left_out": None if self.left_out is None else [self.classes[n] for n in self.left_out],
            "verdict": self.verdict.as_json(),
            "per_class": [asdict(each) | {"apart": each.apart} for each in self.per_class],
            "bootstrap": {"draws": intervals.DRAWS, "units": self.bootstrap.units, "level": intervals.LEVEL},
            "agreement": there(self.agreement_json),
            "borders": there(self.borders_json),
            "definitions": self.definitions(),
            "slices": [asdict(each) for each in self.slices],
        }
        return defined(found)

    def agreement_json(self) -> dict[str, Any]:
        return {
            "kinds": KINDS,
            "counts": self.agreement.counts.tolist(),
            "shares": self.agreement.shares.tolist(),
            "orders": {order: self.agreement.order(order) for order in ORDERS},
            "regions": [asdict(each) for each in self.regions],
        }

    def borders_json(self) -> dict[str, Any]:
        sides = [
            {
                "pixels": each.pixels.tolist(),
                "wrong": each.wrong.tolist(),
                "trimap": [each.trimap(n + 1) for n in range(len(borders.BINS))],
                "boundary_iou": each.boundary_iou.tolist(),
                "boundary_f1": each.boundary_f1.tolist(),
                "errors": dict(zip(borders.ERRORS, each.errors.tolist(), strict=True)),
            }
            for each in self.borders
        ]
        return {"bins": borders.BINS, "sides": sides}


def unfinished(directory: Path) -> list[SeglabError]:
    """What is told of a run that has not reached the end of its training; a budget of seconds is one."""
    state = runs.status(directory).state
    if state in ("completed", "budget"):
        return []
    done = max((event.epoch for event in runs.events(directory) if isinstance(event, Evaluated)), default=0.0)
    values = {
        "run": runs.label(directory).name,
        "done": f"{round(done, 2):g}",
        "epochs": runs.config(directory).epochs,
    }
    if state == "running":
        return [SeglabError("{run} is still training: it has done {done} of its {epochs} epochs", **values)]
    return [SeglabError("{run} was not trained to its end: it has done {done} of its {epochs} epochs", **values)]


def there(numbers: Callable[[], dict[str, Any]]) -> dict[str, Any] | None:
    """What needs the label maps; None where a run came without its pictures, or they are damaged."""
    try:
        return numbers()
    except SeglabError:
        return None


def defined(value: Any) -> Any:
    """The value for JSON, which has no NaN."""
    if isinstance(value, dict):
        return {key: defined(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [defined(each) for each in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def pair_of(comparison: Comparison, directories: Sequence[Path], predictors: Sequence[Predictor] = ()) -> Pair | None:
    """The pair that compared runs make up, through a chain of predictors; with predictors, one side alone is a pair of
    before and after. None unless there are two sides that have been scored on the same images."""
    found = [side.through(predictors) for side in sides(comparison, directories)]
    if predictors and len(found) == 1:
        found = [*sides(comparison, directories), *found]
    if len(found) != 2 or not comparison.comparable:
        return None
    a, b = found
    return pair(a, b, any(row.leak for row in comparison.rows))


def pair(a: Side, b: Side, leak: bool = False, others: Sequence[Side] = ()) -> Pair:
    """The two sides against each other; `leak`: one of them was trained on images that it is scored on; `others` are
    sides whose unknown classes are left out, too. Raises SeglabError where they were scored on different images, by
    different classes, or not at all."""
    scored = [[scored_on(each) for each in side.readings] for side in (a, b)]
    if (scored[0] != scored[1]) if a.folded or b.folded else (len(set(scored[0] + scored[1])) > 1):
        raise SeglabError("these runs were scored on different images: their scores cannot be compared")
    return Pair(a, b, leak, unknown_of([a, b, *others]))


def scored_on(reading: Reading) -> tuple[str, tuple[str, ...]]:
    """What tells the images and the classes apart that a run is scored by."""
    known = runs.description(reading.directory)
    return known["digests"]["val"], tuple(known["classes"])
