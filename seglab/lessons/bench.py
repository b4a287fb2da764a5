"""The runs that answer a lesson's questions: those that come with seglab, a school's own, and those made here."""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np

from seglab import places, runs
from seglab.cache import Kept
from seglab.comparison import intervals, verdicts
from seglab.comparison.definitions import definitions
from seglab.comparison.grids import Grid, grid
from seglab.comparison.pairs import Pair, pair, scored_on
from seglab.comparison.readings import Reading, Side
from seglab.comparison.scores import compare
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.lessons import scoring
from seglab.lessons.faults import Suspect
from seglab.lessons.model import Lesson, Setting
from seglab.lessons.scoring import Difference
from seglab.predictors import Shift
from seglab.runs.evidence import MAPS


@dataclass
class Bench:
    """A lesson with the runs that answer it. What is not asked for is not computed; what is, once.

    `more`: runs of other seeds by their settings' keys, such as those that a class has trained, which count as well.
    """

    lesson: Lesson
    more: dict[str, tuple[Path, ...]] = field(default_factory=dict)
    _kept: Kept = field(default_factory=Kept, repr=False)

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
            chosen = [each for each in self.directories(setting.of) if not seeds or runs.config(each).seed in seeds]
            if setting.reported == "best":
                scores = dict(zip(self.directories(setting.of), self.values(setting.of, "miou"), strict=True))
                chosen = [max(chosen, key=lambda each: scores[each])]
            return chosen
        if not self.lesson.seeds(key):
            raise without_runs(key, setting)
        shelf = Shelf()
        found = [located(self.lesson, key, seed, shelf) for seed in self.lesson.seeds(key)]
        missing = [seed for seed, each in zip(self.lesson.seeds(key), found, strict=True) if each is None]
        if missing:
            raise SeglabError(
                "the runs of {setting} with seed {seeds} have not been made yet; make them with: {command}",
                setting=key,
                seeds=", ".join(map(str, missing)),
                command=f"seglab lesson make {self.lesson.called}",
            )
        return [each for each in found if each is not None]

    def side(self, key: str, title: str = "") -> Side:
        """A setting as one side of a comparison."""
        return Side(title or key, self.kept(("readings", key), lambda: self.readings(key)))

    def readings(self, key: str) -> tuple[Reading, ...]:
        chain = self.lesson.setting(key).through
        return tuple(Reading(each, chain) for each in self.directories(key))

    def pair(self, a: str, b: str) -> Pair:
        """Two settings with all that is known of their difference."""
        return self.kept(("pair", a, b), lambda: pair(self.side(a), self.side(b)))

    def grid(self, keys: Sequence[str]) -> Grid:
        """Three settings or more."""
        return self.kept(("grid", *keys), lambda: self.gridded(keys))

    def gridded(self, keys: Sequence[str]) -> Grid:
        directories = [each for key in keys for each in self.directories(key)]
        found = grid(compare(directories), directories)
        if found is None or len(found.settings) != len(keys) or any(each.left_out for each in found.settings):
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

    def reported(self, key: str, by: str) -> list[float]:
        """Those scores as somebody reports them, which is not always how they are (`Setting.reported`)."""
        if by == "miou" and self.lesson.setting(key).reported == "batches":
            return [definitions(each)["batches"] for each in self.matrices(key)]
        return self.values(key, by)

    def suspect(self, key: str) -> Suspect:
        """A setting of one run, with all that could be wrong with it."""
        setting, (directory, *_) = self.lesson.setting(key), self.directories(key)
        shift = next((each for each in setting.through if isinstance(each, Shift)), None)
        source = setting.of or key
        place = self.directories(source).index(directory)
        return Suspect(
            key,
            rate=runs.config(directory).optimizer.lr,
            score=self.values(key, "miou")[0],
            reported=self.reported(key, "miou")[0],
            batches=setting.reported == "batches",
            seeds=tuple(self.values(source, "miou")) if setting.reported == "best" else (),
            pixels=max(abs(shift.right), abs(shift.down)) if shift else 0,
            straight=self.values(source, "miou")[place],
            leaks=self.leaks(source),
        )

    def leaks(self, key: str) -> bool:
        """Whether a setting's runs begin with weights that were trained on the images that they are scored on: those of
        another fold."""
        begun = self.lesson.setting(key).begins_with
        if begun is None:
            return False
        fold, before = (self.lesson.config(each, 0).fold for each in (key, begun))
        return fold is not None and before is not None and fold.of == before.of and fold.index != before.index

    def scored(self, key: str, by: str) -> list[float]:
        readings = self.measured(key, by)
        if not scoring.of_masks(by):
            return [scoring.of_run(each, by) for each in readings]
        matrices, column = self.reduced(key, by)
        scores = (intervals.score_of(each, column) for each in matrices)
        return [scoring.there(score, each, by) for score, each in zip(scores, readings, strict=True)]

    def measured(self, key: str, by: str) -> list[Reading]:
        """Those of a setting's readings that can have a score: label maps may be there of some of them alone."""
        readings = self.side(key).readings
        found = [each for each in readings if by != scoring.NEAR_BORDER or not each.evidence.stayed]
        if not found:
            raise readings[0].evidence.missing(MAPS)
        return found

    def reduced(self, key: str, by: str) -> tuple[list[np.ndarray], int | None]:
        """For each seed, matrices of which a score of masks is the mIoU, or the IoU of the class that comes with them
        (`scoring.reduced`)."""
        domain = partial(self.domain, key)
        found = [scoring.reduced(each, by, self.classes(key), domain) for each in self.matrices(key)]
        return [matrices for matrices, _ in found], found[0][1]

    def domain(self, key: str, value: str) -> list[int]:
        """The places of a setting's images that are of a kind, as their data's source has it."""
        images = runs.opened_once(self.directories(key)[0]).val
        names = [] if images.domain is None else [images.domain(name) for name in images.names]
        return [n for n, each in enumerate(names) if each == value]

    def mean(self, key: str, by: str) -> float:
        return statistics.mean(self.values(key, by))

    def class_of(self, key: str, by: str) -> dict[str, str]:
        """The class that a score is of, with its share of the labeled pixels in percent; nothing of other scores."""
        if not by.startswith("iou:"):
            return {}
        classes, whole = self.classes(key), self.matrices(key)[0].sum(0)
        _, place = self.reduced(key, by)
        assert place is not None
        return {"class": classes[place], "share": f"{100 * whole[place].sum() / max(1, whole.sum()):.1f}"}

    def ranked(self, keys: Iterable[str], by: str) -> list[str]:
        """Settings, the best first."""
        sign = 1 if by in scoring.LESS else -1
        return sorted(keys, key=lambda key: sign * self.mean(key, by))

    def paired(self, by: str, *keys: str) -> bool:
        """Whether settings have a score of the same seeds."""
        seeds = [[each.config.seed for each in self.measured(key, by)] for key in keys]
        return all(each == seeds[0] for each in seeds)

    def refuse_other_images(self, *keys: str) -> None:
        """Raises SeglabError for settings that were scored on different images, or by different classes."""
        if len({scored_on(each) for key in keys for each in self.side(key).readings}) > 1:
            raise SeglabError("these runs were scored on different images: their scores cannot be compared")

    def difference(self, a: str, b: str, by: str) -> Difference:
        """How much higher B scores than A. In mIoU it is the very verdict of the laboratory, except of one seed against
        several, of which there is no interval."""
        return self.kept(("difference", a, b, by), lambda: self.compared(a, b, by))

    def compared(self, a: str, b: str, by: str) -> Difference:
        first, second, paired = self.values(a, by), self.values(b, by), self.paired(by, a, b)
        if not scoring.of_masks(by):
            return scoring.over_runs(first, second, paired, by)
        self.refuse_other_images(a, b)
        alike = min(len(first), len(second)) > 1 or len(first) == len(second)
        if by == "miou" and alike:
            found = self.pair(a, b).verdict
            assert found.difference is not None  # since both have a score
            return Difference(
                found.difference, found.low, found.high, min(found.seeds), found.images, by, found.by_seed
            )
        (one, column), (other, _) = self.reduced(a, by), self.reduced(b, by)
        return scoring.between(one, other, column, paired, self.pair(a, b).block, by)

    def contrast(self, pairs: Sequence[tuple[str, str]], by: str) -> Difference:
        """The mean of how much higher each pair's second setting scores than its first, over seeds, and over images
        where the score is one of masks."""
        weights = dict.fromkeys(itertools.chain(*pairs), 0.0)
        for a, b in pairs:
            weights[a] -= 1 / len(pairs)
            weights[b] += 1 / len(pairs)
        scores = {key: self.values(key, by) for key in weights}
        count = min(map(len, scores.values()))
        size = sum(weight * self.mean(key, by) for key, weight in weights.items())
        images = None
        variances: list[tuple[float, float]] = []
        if scoring.of_masks(by):
            self.refuse_other_images(*weights)
            images = len(self.reduced(pairs[0][0], by)[0][0])
            if verdicts.too_few(images, self.pair(*pairs[0]).block):
                return Difference(size, None, None, count, images, by)
            variances.append(self.of_images(pairs, by))
        if count < 2:
            return Difference(size, None, None, count, images, by)
        by_seed: tuple[float, ...] = ()
        if self.paired(by, *weights):
            by_seed = tuple(sum(weights[key] * scores[key][n] for key in weights) for n in range(count))
            variances.append((statistics.variance(by_seed) / count, count - 1))
        else:
            for key, each in scores.items():
                variances.append((weights[key] ** 2 * statistics.variance(each) / len(each), len(each) - 1))
        low, high = intervals.around(size, variances)
        return Difference(size, low, high, count, images, by, by_seed)

    def of_images(self, pairs: Sequence[tuple[str, str]], by: str) -> tuple[float, float]:
        """What other images could change in such a mean: the variance over draws, the same for all settings, and its
        degrees of freedom."""
        draws = []
        for a, b in pairs:
            (first, column), (second, _) = self.reduced(a, by), self.reduced(b, by)
            block = self.pair(a, b).block
            draws.append(intervals.bootstrap(np.sum(first, 0), np.sum(second, 0), block, column=column))
        mean = replace(draws[0], miou=np.mean([each.miou for each in draws], 0))
        return mean.error**2, mean.units - 1

    def kept(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """What was made under a key before, or is made now; of many who ask at once, one makes it."""
        return self._kept.get(key, make)


# --- where a run is


def name_of(lesson: str, key: str, seed: int) -> str:
    """What the run of a lesson's setting is called."""
    return f"{lesson}-{key}-{seed}"


def located(lesson: Lesson, key: str, seed: int, shelf: Shelf | None = None) -> Path | None:
    """The finished run of a setting and a seed: the lesson's own, or any other of its configuration; None where there
    is none. `shelf`: the runs that are here, where many are looked for."""
    wanted = lesson.config(key, seed)
    for folder in places.lessons():
        directory = folder / name_of(lesson.name, key, seed)
        if matches(directory, wanted) and runs.status(directory).state == "completed":
            return directory
    shelf = shelf or Shelf()
    if begun := lesson.setting(key).begins_with:
        first = located(lesson, begun, seed, shelf)
        wanted = wanted.model_copy(update={"init_from": first and Path(first.name)})
    return shelf.finished(wanted)


class Shelf:
    """The runs that are here by their configurations, those of lessons first; read when it is first asked for."""

    @cached_property
    def runs(self) -> dict[str, list[Path]]:
        found: dict[str, list[Path]] = {}
        for folder in (*places.lessons(), runs.home()):
            for path in sorted(folder.glob("[!.]*/config.json")):
                with contextlib.suppress(OSError, SeglabError):
                    found.setdefault(written(path.parent, path.stat().st_mtime_ns), []).append(path.parent)
        return found

    def of(self, config: RunConfig) -> list[Path]:
        """The runs of a configuration, in whatever state."""
        return self.runs.get(anywhere(config).model_dump_json(), [])

    def finished(self, config: RunConfig) -> Path | None:
        return next((each for each in self.of(config) if runs.status(each).state == "completed"), None)


@lru_cache(maxsize=4096)
def written(directory: Path, changed: int) -> str:
    """A run's configuration as text, as it is since its file has changed."""
    return configured(directory, changed).model_dump_json()


def without_runs(key: str, setting: Setting) -> SeglabError:
    """Why a setting has no runs on other data."""
    if options := [option for option in setting.set if option.partition(".")[0] == "data"]:
        return SeglabError(
            "{setting} is about {options}, which the lesson's own data alone has: it has no runs on other data",
            setting=key,
            options=", ".join(options),
        )
    return SeglabError("{setting} has runs on the lesson's own data alone", setting=key)


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
