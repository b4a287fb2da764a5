"""How far a difference of mIoU could vary: with other images like these, and with other seeds.

Pixels are not independent and images nearly are, so images are drawn, never pixels, and the same draw is for both
sides (Efron and Tibshirani 1993, An Introduction to the Bootstrap; for segmentation, El Jurdi, Varoquaux and Colliot
2023, https://arxiv.org/abs/2307.10926). An interval from images alone is about two trained networks; one about two
settings needs several seeds (Bouthillier et al. 2021, https://arxiv.org/abs/2103.03098).
"""

from __future__ import annotations

import bisect
import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import special

from seglab.cache import once
from seglab.metrics import iou, miou

DRAWS = 10_000
VARIANCE_DRAWS = 1000  # are enough for what is no end of an interval
LEVEL = 0.95
MOST_WEIGHTS = 2**22  # at a time: 32 MB
MOST_CANCELLED = 10  # times the difference in mIoU: classes that differ by more in all carry no shares of it
Scores = tuple[np.ndarray, np.ndarray]
POWER = 0.8  # in how many of all cases a difference is to be found


@dataclass(frozen=True)
class Bootstrap:
    """Draws of images with replacement: `miou` float64 (B,) and `iou` (B, K), second side minus first. mIoU is each
    side's own, over the classes that are in its truth or prediction in a draw, or the IoU of the one class that was
    asked for; a class's difference is NaN where a draw leaves it undefined on either side. `units` were drawn: images,
    or blocks of them."""

    units: int
    miou: np.ndarray
    iou: np.ndarray
    level: float = LEVEL

    @property
    def error(self) -> float:
        """The standard error of the difference in mIoU; draws of few units alone have it too small."""
        return float(np.nanstd(self.miou, ddof=1)) * math.sqrt(self.units / (self.units - 1))

    def around(self, difference: float) -> tuple[float, float]:
        """Student's interval around the difference that was measured, for units that are so few that their draws do
        not reach far enough."""
        half = float(special.stdtrit(self.units - 1, (1 + self.level) / 2)) * self.error
        return difference - half, difference + half

    def tail_around(self, difference: float) -> float:
        """How much of Student's distribution around 0 lies further out than the difference, as `around` has it."""
        return student_tail(difference, self.error, self.units - 1)

    @property
    def interval(self) -> tuple[float, float]:
        return expanded(self.miou, self.units, self.level)

    @property
    def tail(self) -> float:
        """The share of draws beyond 0, of both tails, by the distribution that `interval` has: below 1 - `level` where
        the interval leaves 0 out. Draws cannot tell what is rarer than one of them: where none is beyond 0, the tail
        goes on as Student's distribution around their mean does."""
        draws = self.miou[np.isfinite(self.miou)]
        beyond = min(int((draws <= 0).sum()), int((draws >= 0).sum()))
        reach = -special.ndtri(min(0.5, (beyond + 1) / (len(draws) + 1)))
        tail = float(2 * special.stdtr(self.units - 1, -reach / math.sqrt(self.units / (self.units - 1))))
        return tail if beyond else min(tail, self.tail_around(float(draws.mean())))

    @property
    def left_out(self) -> np.ndarray:
        """float64 (K,): the share of draws in which a class was undefined."""
        return np.isnan(self.iou).mean(0)

    @once
    def alone(self) -> list[tuple[float, float] | None]:
        """For each class, the interval of its difference, as if it were the only one that is looked at; None for a
        class that hardly any draw has."""
        return [expanded(draws, self.units, self.level) if known(draws) else None for draws in self.iou.T]

    def together(self, differences: np.ndarray) -> list[tuple[float, float] | None]:
        """For each class, an interval wide enough that all of them hold at once: by the largest standardized deviation
        over the same draws (max-t), around the classes' differences, float64 (K,)."""
        errors = np.array([np.nanstd(draws, ddof=1) if known(draws) else np.nan for draws in self.iou.T])
        used = (errors > 0) & np.isfinite(differences)
        if not used.any():
            return [None] * len(errors)
        deviations = np.abs(self.iou[:, used] - differences[used]) / errors[used]
        reach = np.nanquantile(np.nanmax(deviations, 1), self.level) * errors * widened(self.units, self.level)
        return [
            (float(middle - half), float(middle + half)) if use else None
            for middle, half, use in zip(differences, reach, used, strict=True)
        ]


def bootstrap(
    first: np.ndarray,
    second: np.ndarray,
    block: int = 1,
    draws: int = DRAWS,
    seed: int = 0,
    level: float = LEVEL,
    column: int | None = None,
) -> Bootstrap:
    """Draws images, the same for both sides, and gives the differences of what their summed matrices score.

    first, second: int64 (N, K, K), each image's confusion matrix. `block`: so many neighbors or more are drawn
    together, as frames of a video, which are alike, have to be (Carlstein 1986; Künsch 1989). With `column` the IoU of
    that class takes the place of mIoU. Raises ValueError for sides of different images.
    """
    if first.shape != second.shape:
        raise ValueError(f"{first.shape} and {second.shape} are not matrices of the same images")
    starts = np.arange(units(len(first), block)) * len(first) // units(len(first), block)
    sides = [np.add.reduceat(summed(each), starts, axis=0) for each in (first, second)]
    mious, ious = [], []
    for several in scored_draws(sides, draws, seed):
        means = [mean if column is None else iou[:, column] for iou, mean in several]
        mious.append(means[1] - means[0])
        ious.append(several[1][0] - several[0][0])
    return Bootstrap(len(starts), np.concatenate(mious), np.concatenate(ious), level)


def units(images: int, block: int) -> int:
    """What is drawn of so many images: blocks of about the same length, none shorter than `block` unless it is the only
    one."""
    return max(1, images // block)


def chunks(draws: int, units: int) -> list[int]:
    """So many draws in parts whose weights take little memory."""
    most = max(1, MOST_WEIGHTS // units)
    return [min(most, draws - start) for start in range(0, draws, most)]


def summed(matrices: np.ndarray) -> np.ndarray:
    """float64 (N, 3, K): hits, pixels of the truth and pixels of the prediction by class, which are all that IoU needs
    of a confusion matrix."""
    hits = np.diagonal(matrices, axis1=1, axis2=2)
    return np.stack([hits, matrices.sum(2), matrices.sum(1)[:, : hits.shape[1]]], 1).astype(float)


def scored_draws(sides: Sequence[np.ndarray], draws: int, seed: int) -> Iterator[list[Scores]]:
    """What the sides score in the same draws, in parts that take little memory."""
    counts = chunks(draws, len(sides[0]))
    if len(counts) == 1:
        yield [kept_scores(side.tobytes(), side.shape, draws, seed) for side in sides]
        return
    rng = np.random.default_rng(seed)
    for count in counts:
        weights = drawn(len(sides[0]), count, rng)
        yield [scores(weights, side) for side in sides]


@lru_cache(maxsize=2)
def kept_scores(side: bytes, shape: tuple[int, ...], draws: int, seed: int) -> Scores:
    """The same of one side, float64 of this shape; kept, as one is often compared with many others."""
    return scores(first_drawn(shape[0], draws, seed), np.frombuffer(side).reshape(shape))


@lru_cache(maxsize=1)
def first_drawn(units: int, draws: int, seed: int) -> np.ndarray:
    return drawn(units, draws, np.random.default_rng(seed))


def scores(weights: np.ndarray, side: np.ndarray) -> Scores:
    """IoU (B, K) and mIoU (B,) of each draw."""
    iou = scored(np.tensordot(weights, side, 1))
    with np.errstate(invalid="ignore", divide="ignore"):
        return iou, np.nansum(iou, 1) / np.isfinite(iou).sum(1)


def drawn(units: int, draws: int, rng: np.random.Generator) -> np.ndarray:
    """float64 (draws, units): how often each unit is in each draw of as many."""
    picked = rng.integers(0, units, (draws, units))
    picked += np.arange(draws)[:, None] * units
    return np.bincount(picked.ravel(), minlength=draws * units).reshape(draws, units).astype(float)


def scored(sums: np.ndarray) -> np.ndarray:
    """float64 (B, K): the IoU of sums (B, 3, K); NaN for a class in neither truth nor prediction."""
    hits, union = sums[:, 0], sums[:, 1] + sums[:, 2] - sums[:, 0]
    return np.divide(hits, union, out=np.full(hits.shape, np.nan), where=union > 0)


def known(draws: np.ndarray) -> bool:
    """Whether enough draws have a value for an interval."""
    return bool(np.isfinite(draws).mean() > 0.5)


def widened(units: int, level: float) -> float:
    """By how much few units make an interval wider than the normal distribution has it."""
    tail = (1 + level) / 2
    return float(special.stdtrit(units - 1, tail) * math.sqrt(units / (units - 1)) / special.ndtri(tail))


def expanded(draws: np.ndarray, units: int, level: float = LEVEL) -> tuple[float, float]:
    """The interval between two percentiles of the draws, chosen further out the fewer units there are (Hesterberg
    2015, https://arxiv.org/abs/1411.5279, section 5.3); draws without a value are left out."""
    tail = float(special.ndtr(-special.ndtri((1 + level) / 2) * widened(units, level)))
    low, high = np.nanquantile(draws, [tail, 1 - tail])
    return float(low), float(high)


@dataclass(frozen=True)
class Variances:
    """What makes a difference over several seeds vary. `seeds`: what one seed adds, of both sides together where they
    have the same seeds, otherwise of each; `both`: what these images do to one seed's difference and not to another's;
    `images`: what they leave however many seeds there are; `units` of them are drawn."""

    seeds: tuple[float, ...]
    both: float
    images: float
    units: int

    def of(self, count: int) -> tuple[float, float]:
        """The variance of a difference over so many seeds of each side, and its degrees of freedom."""
        parts = [(each / count, count - 1) for each in self.seeds]
        return added([*parts, (self.images + self.both / count, self.units - 1)])

    def needed(self, difference: float) -> int | None:
        """How many seeds of each side it takes to tell a difference of this size from 0 in about four of five tries, 2
        or more; None where no number does, since the images' part alone is too large: that takes more images."""

        def room(variance: float, freedom: float) -> bool:
            reach = special.stdtrit(freedom, (1 + LEVEL) / 2) + special.stdtrit(freedom, POWER)
            return not variance or bool(reach**2 * variance < difference**2)

        if not difference or not room(self.images, self.units - 1):
            return None
        most = 2
        while not room(*self.of(most)):
            most *= 2
        return 2 + bisect.bisect_left(range(2, most), True, key=lambda count: room(*self.of(count)))


def added(parts: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """The sum of variances that have so many degrees of freedom each, and its own (Satterthwaite 1946)."""
    total = sum(variance for variance, _ in parts)
    parted = sum(variance**2 / free for variance, free in parts)
    return total, total**2 / parted if parted else math.inf


def around(difference: float, variances: Sequence[tuple[float, float]], level: float = LEVEL) -> tuple[float, float]:
    """Student's interval around a difference that varies by the sum of these variances, each with its degrees of
    freedom."""
    total, freedom = added(variances)
    half = float(special.stdtrit(freedom, (1 + level) / 2)) * math.sqrt(total) if total else 0.0
    return difference - half, difference + half


@dataclass(frozen=True)
class Seeds:
    """A difference over several seeds: its mean, standard error, degrees of freedom and interval; `by_seed`, each
    seed's own where both sides have the same seeds; `variances`, what it varies by."""

    difference: float
    error: float
    freedom: float
    low: float
    high: float
    by_seed: tuple[float, ...]
    variances: Variances

    @property
    def tail(self) -> float:
        """How much of Student's distribution around 0 lies further out than the difference."""
        return student_tail(self.difference, self.error, self.freedom)


def over_seeds(
    first: Sequence[np.ndarray],
    second: Sequence[np.ndarray],
    paired: bool,
    block: int = 1,
    draws: int = DRAWS,
    level: float = LEVEL,
    column: int | None = None,
) -> Seeds:
    """How far the mean difference could vary with other seeds and other images: both variances, added up.

    first, second: for each seed, int64 (N, K, K) of the same images, two or more seeds on each side; `paired`: the
    seeds of both are the same, in the same order; with `column` the IoU of that class is compared. The degrees of
    freedom are Satterthwaite's (1946), and what seeds and images do together counts twice, so that the interval is a
    little too wide rather than too narrow.
    """
    scores = [[score_of(matrices, column) for matrices in side] for side in (first, second)]
    images = bootstrap(np.sum(list(first), 0), np.sum(list(second), 0), block, draws, level=level, column=column)
    by_seed = tuple(b - a for a, b in zip(*scores, strict=True)) if paired else ()
    parts = [by_seed] if paired else scores
    variances = [(statistics.variance(part) / len(part), len(part) - 1) for part in parts]
    variances.append((images.error**2, images.units - 1))
    total, freedom = added(variances)
    difference = statistics.mean(scores[1]) - statistics.mean(scores[0])
    low, high = around(difference, variances, level)
    left = min(remaining(first, second, block, column), images.error**2)
    both = (images.error**2 - left) * statistics.harmonic_mean([len(first), len(second)])  # of a seed and the images
    by = Variances(tuple(map(statistics.variance, parts)), both, left, images.units)
    return Seeds(difference, math.sqrt(total), freedom, low, high, by_seed, by)


def score_of(matrices: np.ndarray, column: int | None) -> float:
    """The mIoU of confusion matrices int64 (N, K, K) together, or the IoU of one class."""
    whole = matrices.sum(0)
    return miou(whole) if column is None else float(iou(whole)[column])


def remaining(
    first: Sequence[np.ndarray], second: Sequence[np.ndarray], block: int = 1, column: int | None = None
) -> float:
    """The variance that images leave in the difference however many seeds there are: the covariance of two seeds'
    differences over the same draws of images, the mean over all twos of seeds."""
    draws = [bootstrap(a, b, block, VARIANCE_DRAWS, column=column).miou for a, b in zip(first, second, strict=False)]
    together = np.stack(draws)[:, np.isfinite(draws).all(0)]
    covariance = float(np.cov(together)[~np.eye(len(draws), dtype=bool)].mean())
    drawn_from = units(len(first[0]), block)
    return max(0.0, covariance * drawn_from / (drawn_from - 1))


def student_tail(difference: float, error: float, freedom: float) -> float:
    """How much of Student's distribution of this standard error is further from 0 than a difference, on both sides."""
    if not error:
        return 0.0 if difference else 1.0
    return float(2 * special.stdtr(freedom, -abs(difference) / error))


def holm(tails: Sequence[float], level: float = LEVEL) -> list[bool]:
    """Which of several differences can be told from 0 when all are looked at, by both tails of each (Holm 1979, A
    Simple Sequentially Rejective Multiple Test Procedure): the smallest has to be below (1 - level) / count, the next
    one below (1 - level) / (count - 1), and so on up to the first that is not."""
    told = [False] * len(tails)
    for left, place in zip(range(len(tails), 0, -1), sorted(range(len(tails)), key=tails.__getitem__), strict=True):
        if tails[place] > (1 - level) / left:
            break
        told[place] = True
    return told


def expected_largest(count: int) -> float:
    """By how many standard deviations the largest of so many draws from one normal distribution lies above its mean,
    on average: the integral of x times the density of the largest."""
    places = np.linspace(-10, 10, 20_001)
    density = count * np.exp(-(places**2) / 2) / math.sqrt(2 * math.pi) * special.ndtr(places) ** (count - 1)
    return float(np.trapezoid(places * density, places))


def carried(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """float64 (K,): the share of the difference in mIoU that each class carries, second side minus first, of confusion
    matrices int64 (K, K); together 1. Exact where both sides have the same classes, since mIoU is their mean; classes
    that one side lacks are NaN. All are where the classes' differences nearly cancel out, or there are none: shares of
    so small a rest, thousands of percent of both signs, would say nothing of any class."""
    apart = iou(second) - iou(first)
    total = np.nansum(apart)
    cancelled = np.nansum(np.abs(apart)) > MOST_CANCELLED * abs(total) or not total
    return np.full_like(apart, np.nan) if cancelled else apart / total


def bell(middle: float, error: float, freedom: float, bins: int = 41) -> list[tuple[float, float]]:
    """The same shape of Student's distribution around a difference, three standard errors to each side."""
    places = np.linspace(-3, 3, bins)
    heights = np.exp(-(places**2) / 2) if math.isinf(freedom) else (1 + places**2 / freedom) ** (-(freedom + 1) / 2)
    return [(float(middle + error * x), float(height)) for x, height in zip(places, heights, strict=True)]


def density(draws: np.ndarray, bins: int = 41) -> list[tuple[float, float]]:
    """What draws the shape of a distribution: for places from its smallest to its largest value, how many draws are
    near, the most as 1."""
    values = draws[np.isfinite(draws)]
    counts, edges = np.histogram(values, bins)
    middles = (edges[:-1] + edges[1:]) / 2
    return [(float(place), float(count / max(1, counts.max()))) for place, count in zip(middles, counts, strict=True)]
