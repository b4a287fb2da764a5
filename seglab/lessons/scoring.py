"""What runs are compared by in lessons: scores of their masks, of their curves and of their cost, and how far a
difference could vary."""

from __future__ import annotations

import itertools
import json
import math
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np

from seglab import runs
from seglab.comparison import intervals, verdicts
from seglab.comparison.borders import BINS, borders
from seglab.comparison.readings import Reading
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started, best_of

ALLOWED = (
    r"^(miou|pixel_accuracy|gap|val_loss|jumps|near_border|seconds|parameters|multiply_adds|(iou|miou):[\w -]{1,40})$"
)
LESS = ("gap", "val_loss", "jumps", "seconds", "parameters", "multiply_adds")  # of which less is better
WHOLE = ("seconds", "parameters", "multiply_adds")  # which have no decimals
RAREST = "rarest"  # class, by its pixels in the truth
NEAR_BORDER = "near_border"  # of which label maps are needed
NEAR = 2  # pixels from a border
SETTLED = 2  # epochs, after which steps of the validation loss are jumps


@dataclass(frozen=True)
class Difference:
    """B minus A: its `size`, and the interval from `low` to `high` where there is one; `apart` says that it leaves 0
    out. `by_seed` are the differences of single seeds, where both sides have the same."""

    size: float
    low: float | None
    high: float | None
    seeds: int
    images: int | None
    by: str
    by_seed: tuple[float, ...] = ()

    @property
    def apart(self) -> bool:
        return self.low is not None and self.high is not None and not self.low <= 0 <= self.high

    @property
    def direction(self) -> str:
        return "none" if not self.apart else "higher" if self.size > 0 else "lower"

    @property
    def values(self) -> dict[str, str]:
        """What it fills in texts; the ends of the interval have signs where one of them is below 0."""
        found = {"difference": shown(abs(self.size), self.by), "seeds": f"{self.seeds}"}
        if self.images is not None:
            found["images"] = f"{self.images}"
        if self.low is not None and self.high is not None:
            ends = (self.low, self.high)
            if self.apart:
                low, high = sorted(map(abs, ends))
                found |= {"low": shown(low, self.by), "high": shown(high, self.by)}
            else:
                found |= {name: signed(end, self.by) for name, end in zip(("low", "high"), ends, strict=True)}
        return found


def shown(value: float, by: str = "miou") -> str:
    """A score as it is shown."""
    return f"{value:,.0f}" if by in WHOLE else f"{value:.3f}"


def signed(value: float, by: str) -> str:
    return ("+" if value >= 0 else "-") + shown(abs(value), by)


# --- scores of masks, from the confusion matrix of each image


def of_masks(by: str) -> bool:
    """Whether a score is one of the masks, so that other images could change it."""
    return by in ("miou", "pixel_accuracy") or ":" in by


Domain = Callable[[str], Sequence[int]]  # the places of the images with a value, such as fog


def reduced(matrices: np.ndarray, by: str, classes: Sequence[str], domain: Domain) -> tuple[np.ndarray, int | None]:
    """Confusion matrices int64 (N, K, K) so that `by` is their mIoU, or the IoU of the class that comes with them.
    Raises SeglabError for a class, or images of a kind, that there are none of."""
    kind, _, name = by.partition(":")
    if by == "pixel_accuracy":  # the IoU of what is right, where nothing else is taken for it
        right = np.trace(matrices, axis1=1, axis2=2)
        found = np.zeros((len(matrices), 2, 2), np.int64)
        found[:, 0, 0], found[:, 0, 1] = right, matrices.sum((1, 2)) - right
        return found, 0
    if kind == "iou":
        return matrices, place_of(name, matrices, classes)
    if name:
        places = domain(name)
        if not len(places):
            raise SeglabError("there is no image of {name} among those that the runs are scored on", name=repr(name))
        return matrices[np.asarray(places)], None
    return matrices, None


def place_of(name: str, matrices: np.ndarray, classes: Sequence[str]) -> int:
    """The place of a class; `rarest` is the one with the fewest pixels in the truth."""
    if name == RAREST:
        pixels = matrices.sum((0, 2)).astype(float)
        return int(np.where(pixels > 0, pixels, np.inf).argmin())
    if name not in classes:
        raise SeglabError("there is no class {name}; there are: {known}", name=repr(name), known=", ".join(classes))
    return list(classes).index(name)


def between(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], column: int | None, paired: bool, block: int, by: str
) -> Difference:
    """How much higher the second side scores: over several seeds of each, or between two networks. There is no interval
    where there are few images, nor of one seed against several. `block`: so many neighbors or more are drawn
    together."""
    images, seeds = len(first[0]), min(len(first), len(second))
    one, other = ([intervals.score_of(each, column) for each in side] for side in (first, second))
    size = statistics.mean(other) - statistics.mean(one)
    if verdicts.too_few(images, block) or seeds == 1 < max(len(first), len(second)):
        return Difference(size, None, None, seeds, images, by)
    if seeds > 1:
        found = intervals.over_seeds(first, second, paired, block, column=column)
        return Difference(found.difference, found.low, found.high, seeds, images, by, found.by_seed)
    draws = intervals.bootstrap(first[0], second[0], block, column=column)
    low, high = draws.interval if draws.units >= verdicts.FEWEST else draws.around(size)
    return Difference(size, low, high, 1, images, by)


# --- scores of curves and of cost, one of each run


def of_run(reading: Reading, by: str) -> float:
    """A run's score of this kind; raises SeglabError for a run that has none."""
    found = near_border(reading) if by == NEAR_BORDER else SCORES[by](reading.directory)
    return there(found, reading, by)


def there(value: float | None, reading: Reading, by: str) -> float:
    """The score; raises SeglabError for none, as of a class that is in neither truth nor prediction."""
    if value is None or not math.isfinite(value):
        raise SeglabError("{run} has no {score}", run=reading.directory.name, score=by)
    return value


def evaluations(directory: Path) -> list[Evaluated]:
    return [event for event in runs.events(directory) if isinstance(event, Evaluated)]


def gap(directory: Path) -> float | None:
    """By how much the mIoU on training images is above that on validation images, by the best weights."""
    best = best_of(evaluations(directory))
    train, val = (best.scores[part].miou if best else None for part in ("train", "val"))
    return None if train is None or val is None else train - val


def val_loss(directory: Path) -> float | None:
    """The validation loss at the end."""
    found = evaluations(directory)
    return found[-1].scores["val"].loss if found else None


def jumps(directory: Path) -> float | None:
    """The mean step of the validation loss from one epoch to the next, up or down, after the first two."""
    losses = [event.scores["val"].loss for event in evaluations(directory)][SETTLED - 1 :]
    return statistics.mean(abs(b - a) for a, b in itertools.pairwise(losses)) if len(losses) > 1 else None


def parameters(directory: Path) -> float | None:
    found = next((event for event in runs.events(directory) if isinstance(event, Started)), None)
    return found.parameters if found else None


def seconds(directory: Path) -> float | None:
    found = runs.events(directory)
    return found[-1].seconds if found else None


def multiply_adds(directory: Path) -> float:
    """Of one square image as large as those of its training."""
    config = runs.config(directory)
    side, classes = config.image_size, len(runs.description(directory)["classes"])
    return counted(json.dumps(config.model.model_dump(mode="json"), sort_keys=True), directory, side, classes)


@lru_cache(maxsize=256)
def counted(model: str, directory: Path, side: int, classes: int) -> float:
    """The multiply-adds of a network; the directory is one of the runs that have it."""
    from seglab.anatomy.numbers import anatomy

    return float(anatomy(runs.config(directory).model, classes, side).multiply_adds)


def near_border(reading: Reading) -> float:
    """The mIoU of the pixels within two of a border."""
    count = len(reading.evidence.names)
    known = len(runs.description(reading.directory)["classes"])
    images = ((reading.evidence.truth(n), *[reading.labels(n)] * 2) for n in range(count))
    *_, (found, _) = borders(images, known)
    return found.trimap(BINS.index(NEAR))


SCORES: dict[str, Callable[[Path], float | None]] = {
    "gap": gap,
    "val_loss": val_loss,
    "jumps": jumps,
    "seconds": seconds,
    "parameters": parameters,
    "multiply_adds": multiply_adds,
}


def overfitted(directory: Path, share: float) -> bool:
    """Whether the validation loss ends by more than a share above its lowest value, while that on training images is
    lower at the end than it was then."""
    found = evaluations(directory)
    if not found:
        return False
    lowest = min(found, key=lambda event: event.scores["val"].loss)
    val, train = (found[-1].scores[part].loss for part in ("val", "train"))
    return val > (1 + share) * lowest.scores["val"].loss and train < lowest.scores["train"].loss


# --- seeds alone


def over_runs(first: Sequence[float], second: Sequence[float], paired: bool, by: str) -> Difference:
    """How much higher the second side's runs score: Student's interval over seeds, where there are two or more."""
    size = statistics.mean(second) - statistics.mean(first)
    count = min(len(first), len(second))
    by_seed = tuple(b - a for a, b in zip(first, second, strict=True)) if paired else ()
    if count < 2:
        return Difference(size, None, None, count, None, by, by_seed)
    parts = [by_seed] if paired else [first, second]
    variances = [(statistics.variance(part) / len(part), len(part) - 1) for part in parts]
    low, high = intervals.around(size, variances)
    return Difference(size, low, high, count, None, by, by_seed)


def lead(scores: Sequence[Sequence[float]], less: bool = False) -> tuple[float, float, float]:
    """By how many standard deviations between seeds the best of several settings lies above their mean, where one run
    of each is looked at, on average over seeds; that standard deviation; and what it would be of as many equal ones.

    scores: for each setting, those of two seeds or more. `less`: the lowest is the best, and it is how far below.
    """
    count = min(map(len, scores))
    if count < 2:
        raise SeglabError("a setting has one seed: how much seeds differ is not known")
    spread = math.sqrt(statistics.mean(statistics.variance(each) for each in scores))
    if not spread:
        raise SeglabError("all settings score the same with every seed")
    single = [[-each[n] if less else each[n] for each in scores] for n in range(count)]
    above = statistics.mean(max(each) - statistics.mean(each) for each in single)
    return above / spread, spread, intervals.expected_largest(len(scores))
