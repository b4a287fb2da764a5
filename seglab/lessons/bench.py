"""The runs that answer a lesson's questions: those that come with seglab, a school's own, and those made here."""

from __future__ import annotations

import statistics
import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seglab import places, runs
from seglab.comparison import intervals
from seglab.comparison.grids import Grid, grid
from seglab.comparison.pairs import Pair, pair
from seglab.comparison.readings import Reading, Side
from seglab.comparison.scores import compare
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.lessons import scoring
from seglab.lessons.model import Lesson
from seglab.lessons.scoring import Difference


@dataclass
class Bench:
    """A lesson with the runs that answer it. What is not asked for is not computed; what is, once.

    `more`: runs of other seeds by their settings' keys, such as those that a class has trained, which count as well.
    """

    lesson: Lesson
    more: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    _known: dict[object, Any] = field(default_factory=dict, repr=False)
    _lock: threading.RLock = field(default_factory=threading.RLock, repr=False)

    @property
    def figures(self) -> dict[str, dict[str, float]]:
        """Those of each claim, as scores."""
        return {
            name: {key: figure / 100 if claim.percent else figure for key, figure in claim.figures.items()}
            for name, claim in self.lesson.claims.items()
        }

    def directories(self, key: str) -> list[Path]:
        """The runs of a setting, by seed. Raises SeglabError where one of them has not been made."""
        return self.kept(("directories", key), lambda: [*self.found(key), *self.more.get(key, ())])

    def found(self, key: str) -> list[Path]:
        setting = self.lesson.setting(key)
        if setting.run:
            return [runs.find(setting.run)]
        if setting.of:
            seeds = self.lesson.seeds(key)
            return [each for each in self.directories(setting.of) if not seeds or runs.config(each).seed in seeds]
        found = [located(self.lesson, key, seed) for seed in self.lesson.seeds(key)]
        missing = [seed for seed, each in zip(self.lesson.seeds(key), found, strict=True) if each is None]
        if missing:
            raise SeglabError(
                "the runs of {setting} with seed {seeds} have not been made yet; make them with: {command}",
                setting=key,
                seeds=", ".join(map(str, missing)),
                command=f"seglab lesson make {self.lesson.name}",
            )
        return [each for each in found if each is not None]

    def side(self, key: str, title: str = "") -> Side:
        """A setting as one side of a comparison."""
        chain = self.lesson.setting(key).through
        readings = tuple(Reading(each, chain) for each in self.directories(key))
        return Side(title or key, readings)

    def pair(self, a: str, b: str) -> Pair:
        """Two settings with all that is known of their difference."""
        return self.kept(("pair", a, b), lambda: pair(self.side(a), self.side(b)))

    def grid(self, keys: Sequence[str]) -> Grid:
        """Three settings or more."""
        return self.kept(("grid", *keys), lambda: self.gridded(keys))

    def gridded(self, keys: Sequence[str]) -> Grid:
        directories = [each for key in keys for each in self.directories(key)]
        found = grid(compare(directories), directories)
        if found is None or len(found.settings) != len(keys):
            raise SeglabError("these settings cannot be compared as a grid: {settings}", settings=", ".join(keys))
        return found

    def matrices(self, key: str) -> list[np.ndarray]:
        """For each seed, int64 (N, K, K)."""
        return self.kept(("matrices", key), lambda: [each.confusions() for each in self.side(key).readings])

    def classes(self, key: str) -> list[str]:
        return runs.description(self.directories(key)[0])["classes"]

    def values(self, key: str, by: str) -> list[float]:
        """The score of each of a setting's runs. Raises SeglabError for a score that they do not have."""
        return self.kept(("values", key, by), lambda: self.scored(key, by))

    def scored(self, key: str, by: str) -> list[float]:
        if not scoring.of_masks(by):
            return [scoring.of_run(each, by) for each in self.measured(key, by)]
        return [scoring.score(each, by, self.classes(key), self.domain(key)) for each in self.matrices(key)]

    def measured(self, key: str, by: str) -> list[Path]:
        """Those of a setting's runs that can have a score: label maps may be there of some of them alone."""
        directories = self.directories(key)
        return [each for each in directories if by != "near_border" or not runs.Evidence(each).stayed]

    def domain(self, key: str) -> scoring.Domain:
        """Which of a setting's images are of a kind, as their data's source has it."""
        images = runs.opened_once(self.directories(key)[0]).val
        names = [] if images.domain is None else [images.domain(name) for name in images.names]
        return lambda value: [n for n, each in enumerate(names) if each == value]

    def mean(self, key: str, by: str) -> float:
        return statistics.mean(self.values(key, by))

    def class_of(self, key: str, by: str) -> dict[str, str]:
        """The class that a score is of, with its share of the labeled pixels in percent; nothing of other scores."""
        if not by.startswith("iou:"):
            return {}
        classes, whole = self.classes(key), self.matrices(key)[0].sum(0)
        _, place = scoring.reduced(self.matrices(key)[0], by, classes, self.domain(key))
        assert place is not None
        return {"class": classes[place], "share": f"{100 * whole[place].sum() / max(1, whole.sum()):.1f}"}

    def ranked(self, keys: Iterable[str], by: str) -> list[str]:
        """Settings, the best first."""
        sign = 1 if by in scoring.LESS else -1
        return sorted(keys, key=lambda key: sign * self.mean(key, by))

    def paired(self, *keys: str) -> bool:
        """Whether settings have the same seeds."""
        seeds = [[runs.config(each).seed for each in self.directories(key)] for key in keys]
        return all(each == seeds[0] for each in seeds)

    def difference(self, a: str, b: str, by: str) -> Difference:
        """How much higher B scores than A. In mIoU it is the very verdict of the laboratory, except of the folds of a
        cross-validation: those of two settings with one and the same fold are compared seed by seed."""
        return self.kept(("difference", a, b, by), lambda: self.compared(a, b, by))

    def compared(self, a: str, b: str, by: str) -> Difference:
        paired = self.paired(a, b)
        if not scoring.of_masks(by):
            return scoring.over_runs(self.values(a, by), self.values(b, by), paired, by)
        if by == "miou" and not self.side(a).folded:
            found = self.pair(a, b).verdict
            if found.difference is None:
                raise SeglabError("nothing is labeled in these images: there is no verdict")
            return Difference(
                found.difference, found.low, found.high, min(found.seeds), found.images, by, found.by_seed
            )
        reduced = [
            [scoring.reduced(each, by, self.classes(key), self.domain(key)) for each in self.matrices(key)]
            for key in (a, b)
        ]
        column = reduced[0][0][1]
        first, second = ([matrices for matrices, _ in side] for side in reduced)
        return scoring.between(first, second, column, paired, by)

    def contrast(self, pairs: Sequence[tuple[str, str]], by: str) -> Difference:
        """The mean of how much higher each pair's second setting scores than its first, over seeds, and over images
        where the score is one of masks."""
        keys = [key for two in pairs for key in two]
        scores = {key: self.values(key, by) for key in keys}
        count = min(map(len, scores.values()))
        size = statistics.mean(self.mean(b, by) - self.mean(a, by) for a, b in pairs)
        if count < 2:
            return Difference(size, None, None, count, None, by)
        by_seed: tuple[float, ...] = ()
        if self.paired(*keys):
            by_seed = tuple(statistics.mean(scores[b][n] - scores[a][n] for a, b in pairs) for n in range(count))
            variances = [(statistics.variance(by_seed) / count, count - 1)]
        else:
            each = [scores[key] for key in keys]
            variances = [(statistics.variance(one) / len(one) / len(pairs) ** 2, len(one) - 1) for one in each]
        images = None
        if scoring.of_masks(by):
            images = len(self.matrices(keys[0])[0])
            variances.append((self.of_images(pairs, by), images - 1))
        low, high = scoring.around(size, variances)
        return Difference(size, low, high, count, images, by, by_seed)

    def of_images(self, pairs: Sequence[tuple[str, str]], by: str) -> float:
        """What other images could change in such a mean: the variance over the same draws for all settings."""
        draws = []
        for a, b in pairs:
            sides = []
            for key in (a, b):
                found = [scoring.reduced(each, by, self.classes(key), self.domain(key)) for each in self.matrices(key)]
                sides.append(np.sum([matrices for matrices, _ in found], 0))
                column = found[0][1]
            draws.append(intervals.bootstrap(sides[0], sides[1], column=column).miou)
        return float(np.nanvar(np.mean(draws, 0), ddof=1))

    def kept(self, key: object, make: Callable[[], Any]) -> Any:
        """What was made under a key before, or is made now; of many who ask at once, one makes it."""
        with self._lock:
            if key not in self._known:
                self._known[key] = make()
            return self._known[key]


# --- where a run is


def name_of(lesson: str, key: str, seed: int) -> str:
    """What the run of a lesson's setting is called."""
    return f"{lesson}-{key}-{seed}"


def located(lesson: Lesson, key: str, seed: int) -> Path | None:
    """The finished run of a setting and a seed; None where there is none, or one of another configuration."""
    wanted = lesson.config(key, seed)
    for folder in places.lessons():
        directory = folder / name_of(lesson.name, key, seed)
        if matches(directory, wanted) and runs.status(directory).state == "completed":
            return directory
    return None


def matches(directory: Path, wanted: RunConfig) -> bool:
    """Whether a run is there and of this configuration; the run that it begins with may be elsewhere by now."""
    try:
        stat = (directory / "config.json").stat()
        found = configured(directory, stat.st_mtime_ns)
    except (OSError, SeglabError):
        return False
    return found == anywhere(wanted)


@lru_cache(maxsize=4096)
def configured(directory: Path, changed: int) -> RunConfig:
    """A run's configuration as it is since its file has changed."""
    return anywhere(runs.config(directory))


def anywhere(config: RunConfig) -> RunConfig:
    """The configuration, with no more than the name of the run that it begins with, wherever that is, and without the
    limit of time that a server sets, which a run that is complete has not reached."""
    begun = config.init_from
    return config.model_copy(update={"init_from": begun and Path(begun.name), "budget_seconds": None})
