"""Whether a difference can be told from luck, as numbers and in words that claim no more than was measured."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from seglab.comparison import intervals
from seglab.errors import SeglabError
from seglab.metrics import miou

FEWEST, FEW = 10, 30  # images: fewer give no interval; fewer than these, a rough one
FEWEST_BLOCKS = 3  # of frames of a video, which are long enough to be nearly independent
PRACTICAL = 0.01  # of mIoU: a difference that is smaller hardly matters
BLOCK = 17  # neighboring frames of a video, or more, that are drawn together: docs/comparing.md says why so many


@dataclass(frozen=True)
class Verdict:
    """What can be said of the difference in mIoU between two sides, B minus A.

    `about`: two trained networks, two settings (over seeds), or one network seen through two chains of predictors.
    `apart`: whether the interval from `low` to `high` leaves 0 out; all three None where there is no verdict.
    `equal`: whether the whole interval is within `PRACTICAL` of 0. `agreeing` of the `by_seed` differences have the
    sign of `difference`. `needed`: seeds of each side it takes to see a difference of this size, None where no number
    does; `variances` are what it follows from (`intervals.Variances`).
    `shape`: places and heights of the distribution of what other images, or other seeds and images, could give;
    `tail`, how much of both its tails is further from 0 than what was measured, for comparisons of many sides.
    `sentences` say it, in order.
    """

    about: str
    images: int
    sentences: tuple[SeglabError, ...]
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    apart: bool | None = None
    equal: bool = False
    seeds: tuple[int, int] = (1, 1)
    by_seed: tuple[float, ...] = ()
    agreeing: int | None = None
    needed: int | None = None
    variances: intervals.Variances | None = None
    shape: tuple[tuple[float, float], ...] = ()
    tail: float | None = None

    def as_json(self) -> dict[str, Any]:
        """All that a person is shown, so without the tails."""
        found = asdict(self) | {"sentences": [str(each) for each in self.sentences]}
        del found["tail"]
        return found


def too_few(images: int, block: int) -> bool:
    """Whether so many images say nothing of how far a difference could vary."""
    return intervals.units(images, block) < (FEWEST if block == 1 else FEWEST_BLOCKS)


def without(about: str, images: int, difference: float | None, *sentences: SeglabError) -> Verdict:
    """None can be given, for these reasons."""
    return Verdict(about, images, sentences, difference)


def verdict(
    names: tuple[str, str],
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    paired: bool = False,
    block: int = 1,
    same_network: bool = False,
    untouched: bool = True,
    fixed: tuple[bool, bool] = (False, False),
) -> Verdict:
    """The verdict on two sides of these names, A and B.

    first, second: for each seed, int64 (N, K, K), the confusion matrix of each image, the same images in all; `paired`:
    the seeds are the same, in the same order. `block`: images drawn together. `same_network`: the sides differ in what
    was done with the probabilities alone, so that training's luck plays no part; `untouched`: on one side nothing was.
    `fixed`: which sides are networks that were not trained here: no seed of theirs is another draw, so that such a side
    is paired with each seed of the other.
    """
    images = len(first[0])
    if any(fixed) and len(first) != len(second):
        first, second = (list(side) * (max(len(first), len(second)) // len(side)) for side in (first, second))
        paired = True
    if min(len(first), len(second)) > 1:
        about = "settings"
    else:  # one seed against several: the first of each
        about, first, second = "predictors" if same_network else "networks", first[:1], second[:1]
    scores = [float(np.mean([miou(each.sum(0)) for each in side])) for side in (first, second)]
    difference = scores[1] - scores[0]
    if not math.isfinite(difference):
        return without(about, images, None, SeglabError("nothing is labeled in these images: there is no verdict"))
    if too_few(images, block):
        few = SeglabError("{count} images are too few to say how far this could vary", count=images)
        blocks = SeglabError(
            "{count} frames of a video are too few to say how far this could vary: frames within {block} of each other "
            "are alike, and {least} are needed",
            count=images,
            block=block,
            least=FEWEST_BLOCKS * block,
        )
        return without(about, images, difference, few if block == 1 else blocks)
    if about == "settings":
        return of_settings(names, first, second, paired, block, any(fixed))
    draws = intervals.bootstrap(first[0], second[0], block)
    many = draws.units >= FEWEST
    low, high = draws.interval if many else draws.around(difference)
    said = of_images(names, difference, low, high, images)
    luck = luck_of_training(names, same_network, untouched, fixed)
    sentences = (said, luck, *rough(draws.units, images, low, high))
    shape = intervals.density(draws.miou) if many else intervals.bell(difference, draws.error, draws.units - 1)
    apart = not low <= 0 <= high
    tail = draws.tail if many else draws.tail_around(difference)
    return Verdict(
        about, images, sentences, difference, low, high, apart, equal(low, high), shape=tuple(shape), tail=tail
    )


def of_settings(
    names: tuple[str, str],
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    paired: bool,
    block: int,
    fixed: bool,
) -> Verdict:
    """The verdict over several seeds of each side, or of the one that is not `fixed`."""
    found = intervals.over_seeds(first, second, paired, block)
    images, seeds = len(first[0]), (len(first), len(second))
    apart = not found.low <= 0 <= found.high
    agreeing = sum(each * found.difference > 0 for each in found.by_seed) if paired else None
    needed = found.variances.needed(found.difference)
    low, high = ends(found.low, found.high)
    values: dict[str, Any] = {
        "a": names[0], "b": names[1], "difference": size(found.difference), "low": low, "high": high,
        "count": images, "seeds": seeds[0], "others": seeds[1], "agreeing": agreeing,
    }  # fmt: skip
    if apart and paired:
        higher, lower = (
            SeglabError(
                "over {seeds} seeds and {count} images {b} is higher than {a} by {difference} ({low} to {high}); it "
                "was so with {agreeing} of {seeds} seeds",
                **values,
            ),
            SeglabError(
                "over {seeds} seeds and {count} images {b} is lower than {a} by {difference} ({low} to {high}); it "
                "was so with {agreeing} of {seeds} seeds",
                **values,
            ),
        )
    elif apart:
        higher, lower = (
            SeglabError(
                "over {seeds} seeds of {a}, {others} of {b} and {count} images {b} is higher than {a} by {difference} "
                "({low} to {high})",
                **values,
            ),
            SeglabError(
                "over {seeds} seeds of {a}, {others} of {b} and {count} images {b} is lower than {a} by {difference} "
                "({low} to {high})",
                **values,
            ),
        )
    else:
        higher, lower = (
            SeglabError(
                "{b} was higher than {a} by {difference} on average, but that can be luck: anything from {low} to "
                "{high} is possible",
                **values,
            ),
            SeglabError(
                "{b} was lower than {a} by {difference} on average, but that can be luck: anything from {low} to "
                "{high} is possible",
                **values,
            ),
        )
    said = higher if found.difference > 0 else lower
    shape = tuple(intervals.bell(found.difference, found.error, found.freedom))
    more = () if apart or not found.difference else takes(needed, min(seeds), fixed)
    sentences = (said, *more, *rough(intervals.units(images, block), images, found.low, found.high))
    return Verdict(
        "settings", images, sentences, found.difference, found.low, found.high, apart, equal(found.low, found.high),
        seeds, found.by_seed, agreeing, needed, found.variances, shape, found.tail,
    )  # fmt: skip


def takes(needed: int | None, there: int, fixed: bool) -> tuple[SeglabError, ...]:
    """What it would take to see the difference that was measured; nothing where so many seeds are there, since those
    have not shown it. `fixed`: one side has no seeds."""
    if needed is None:
        return (SeglabError("no number of seeds would show a difference of this size: it takes more images"),)
    if needed <= there:
        return ()
    if fixed:
        return (SeglabError("to see a difference of this size takes about {needed} seeds", needed=needed),)
    return (SeglabError("to see a difference of this size takes about {needed} seeds of each", needed=needed),)


def of_images(names: tuple[str, str], difference: float, low: float, high: float, images: int) -> SeglabError:
    """What is said of two networks, or of one that is predicted in two ways, with one seed."""
    ends_of = dict(zip(("low", "high"), ends(low, high), strict=True))
    values = {"a": names[0], "b": names[1], "difference": size(difference), "count": images} | ends_of
    if low <= 0 <= high:
        return SeglabError(
            "with {count} images {a} and {b} cannot be told apart: the difference may lie anywhere from {low} to "
            "{high}; that does not make them equal",
            **values,
        )
    if difference > 0:
        return SeglabError(
            "on these {count} images {b} is higher than {a} by {difference} ({low} to {high} with other images like "
            "these)",
            **values,
        )
    return SeglabError(
        "on these {count} images {b} is lower than {a} by {difference} ({low} to {high} with other images like these)",
        **values,
    )


def luck_of_training(
    names: tuple[str, str], same_network: bool, untouched: bool, fixed: tuple[bool, bool]
) -> SeglabError:
    """What other seeds could change."""
    if same_network and untouched:
        return SeglabError("it is the same network before and after, so the luck of training plays no part")
    if same_network:
        return SeglabError("it is the same network, predicted in two ways, so the luck of training plays no part")
    if all(fixed):
        return SeglabError("both are networks that were not trained here: this is about these two as they are")
    if any(fixed):
        return SeglabError(
            "{fixed} was not trained here and stays as it is; {run} trained again with another seed may come out "
            "otherwise, and one run cannot tell",
            fixed=names[fixed.index(True)],
            run=names[fixed.index(False)],
        )
    return SeglabError(
        "this is about these two trained networks: trained again with another seed it may come out otherwise, and one "
        "run of each cannot tell"
    )


def rough(units: int, images: int, low: float, high: float) -> tuple[SeglabError, ...]:
    """What is added where there are few images, and where a difference is too small to matter."""
    found = []
    if units < images and units < FEW:
        found.append(
            SeglabError(
                "{count} frames of a video say little more than {units} images would, so these bounds are rough",
                count=images,
                units=units,
            )
        )
    elif units < FEW:
        found.append(SeglabError("{count} images are few, so these bounds are rough", count=images))
    if equal(low, high):
        found.append(
            SeglabError("whatever the difference is, it is smaller than {practical}", practical=f"{PRACTICAL:g}")
        )
    return tuple(found)


def equal(low: float, high: float) -> bool:
    return low > -PRACTICAL and high < PRACTICAL


def size(difference: float) -> str:
    return f"{abs(difference):.3f}"


def ends(low: float, high: float) -> tuple[str, str]:
    """The interval as it stands behind "higher by" or "lower by"; with signs where it has both."""
    if low > 0 or high < 0:
        return size(min(low, high, key=abs)), size(max(low, high, key=abs))
    return f"{low:+.3f}", f"{high:+.3f}"
