"""Many settings at once: which can be told apart from the best, which are worth their cost, and how they are laid out.

Each setting is compared with the best one as two sides are (`pairs`), and as all of them are looked at, by Holm's rule.
The best is chosen by the same scores, which Holm's rule knows nothing of: of nine equal settings, one or another is
told apart in 14 of 100 cases, and each of them in 2 or 3 (`tests/test_grids.py`).
"""

from __future__ import annotations

import itertools
import statistics
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.cache import once
from seglab.comparison import intervals
from seglab.comparison.pairs import pair, scored_on, unfinished
from seglab.comparison.readings import Side, sides, unknown_of
from seglab.comparison.scores import Comparison, Row, ordered, without
from seglab.comparison.settings import chosen, differing
from seglab.errors import SeglabError

FEWEST = 3  # settings: two are sides
COSTS = ("parameters", "seconds", "milliseconds")  # of training, and of it for each image; less is better


@dataclass(frozen=True)
class Setting:
    """A side with what is shown of it: `scores`, the mIoU of each of its runs, with their mean and sample standard
    deviation, which one alone has not; `options`, its values where settings differ; `costs`, each the mean over its
    runs. `left_out`: why it cannot be compared with the others, `images` or `leak`."""

    side: Side
    options: dict[str, Any]
    scores: tuple[float, ...]
    costs: dict[str, float | None]
    left_out: str | None = None

    @property
    def mean(self) -> float:
        return statistics.mean(self.scores)

    @property
    def deviation(self) -> float | None:
        return statistics.stdev(self.scores) if len(self.scores) > 1 else None


@dataclass(frozen=True)
class Against:
    """A setting against the best one: the difference in mIoU, this one minus the best, with its interval as if no other
    setting were looked at, `about` settings or networks as in a `Verdict`; of one seed against several it has none.
    `tied`: looking at all, it cannot be told apart from the best; None where nothing can be said, for a `reason`."""

    about: str
    difference: float | None = None
    low: float | None = None
    high: float | None = None
    tied: bool | None = None
    reason: SeglabError | None = None


@dataclass(frozen=True)
class Layout:
    """Settings in lines and columns by the values of two options, of one, or of none: `cells[i][j]` are the places of
    those settings that have lines[i] and columns[j]. Other options, `within`, are told in the cells."""

    down: str | None
    right: str | None
    lines: tuple[Any, ...]
    columns: tuple[Any, ...]
    cells: tuple[tuple[tuple[int, ...], ...], ...]
    within: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Three settings or more, in the order of their runs; made by `grid`. What is not asked for is not computed."""

    settings: tuple[Setting, ...]

    @once
    def compared(self) -> list[int]:
        """The places of the settings that can be compared."""
        return [place for place, each in enumerate(self.settings) if each.left_out is None]

    @property
    def trained(self) -> list[int]:
        """The places of those of them that were trained here, so that their seeds are draws."""
        return [place for place in self.compared if not self.settings[place].side.fixed]

    @once
    def best(self) -> int | None:
        """The place of the one with the highest mean."""
        return max(self.compared, key=lambda place: self.settings[place].mean, default=None)

    @once
    def against(self) -> list[Against | None]:
        """Each setting against the best; None for the best itself and those that are left out."""
        others = [place for place in self.compared if place != self.best]
        found: dict[int, Against] = {}
        tails: dict[int, float] = {}
        for place in others:
            found[place], tail = self.difference(place)
            if tail is not None:
                tails[place] = tail
        for place, apart in zip(tails, intervals.holm([*tails.values()]), strict=True):
            found[place] = replace(found[place], tied=not apart)
        return [found.get(place) for place in range(len(self.settings))]

    def difference(self, place: int) -> tuple[Against, float | None]:
        """A setting against the best, and how much of the distribution of the difference is beyond 0."""
        assert self.best is not None
        best, other = self.settings[self.best], self.settings[place]
        try:
            verdict = pair(best.side, other.side, others=[self.settings[n].side for n in self.compared]).verdict
        except SeglabError as error:  # what it stored cannot be read
            return Against("networks", reason=error), None
        reason = verdict.sentences[0] if verdict.apart is None else None
        trained = [each for each in (best, other) if not each.side.fixed]
        if len({len(each.scores) > 1 for each in trained}) > 1:  # two of their networks say little of the means
            return Against(verdict.about, other.mean - best.mean, reason=reason or self.of_one_seed), None
        return Against(verdict.about, verdict.difference, verdict.low, verdict.high, None, reason), verdict.tail

    @property
    def of_one_seed(self) -> SeglabError:
        """Why settings of one seed cannot be told apart from those of several."""
        of_one = (each for n in self.compared if len((each := self.settings[n]).scores) == 1 and not each.side.fixed)
        alone = ", ".join(each.side.name for each in of_one)
        return SeglabError(
            "there is only one seed of {names}, and of others several: what is between them cannot be told from luck",
            names=alone,
        )

    @once
    def notes(self) -> list[SeglabError]:
        """Which settings are left out and why, why nothing can be said of others, and which have not been trained to
        their end; each once."""
        out = {
            why: ", ".join(each.side.name for each in self.settings if each.left_out == why)
            for why in ("images", "leak")
        }
        told = []
        if names := out["images"]:
            told.append(SeglabError("left out, scored on other images than most: {names}", names=names))
        if names := out["leak"]:
            told.append(SeglabError("left out, trained on images that they are scored on: {names}", names=names))
        if unknown := unknown_of([self.settings[place].side for place in self.compared]):
            classes = runs.description(self.settings[self.compared[0]].side.readings[0].directory)["classes"]
            told.append(without([classes[place] for place in unknown]))
        told += [each.reason for each in self.against if each and each.reason]
        for each in self.settings:
            for reading in each.side.readings:
                told += unfinished(reading.directory)
        return list({str(each): each for each in told}.values())

    @property
    def told(self) -> int:
        """How many were looked at at once: those of which it is known whether they are tied."""
        return sum(each is not None and each.tied is not None for each in self.against)

    @property
    def luck(self) -> float | None:
        """With one seed of each: by how many standard deviations between seeds the best of so many equal settings would
        lie above their mean; None where there are several."""
        alone = all(len(self.settings[place].scores) == 1 for place in self.trained)
        return intervals.expected_largest(len(self.trained)) if alone and len(self.trained) > 1 else None

    def frontier(self, cost: str) -> list[int]:
        """The places of the settings that no other one beats in both, from the cheapest to the dearest: none costs as
        little and scores higher, or costs less and scores as high."""
        known = [
            (value, -self.settings[place].mean, place)
            for place in self.compared
            if (value := self.settings[place].costs[cost]) is not None
        ]
        found: list[tuple[float, float, int]] = []
        for each in sorted(known):
            if not found or each[1] < found[-1][1] or each[:2] == found[-1][:2]:
                found.append(each)
        return [place for _, _, place in found]

    @property
    def options(self) -> list[str]:
        """Those in which settings differ."""
        return list(self.settings[0].options)

    def layout(self, down: str | None = None, right: str | None = None) -> Layout:
        """Lines and columns by two of the options; those that are not given, or not there, are chosen so that as few
        settings as can be share a cell."""
        options = self.options
        if len(options) < 2:
            return self.laid_out(None, options[0] if options else None)
        pairs = [
            two
            for two in itertools.permutations(options, 2)
            if (down not in options or two[0] == down) and (right not in options or two[1] == right)
        ]  # none where both are the same

        def most(two: tuple[str, str]) -> int:
            return max(Counter(tuple(repr(each.options[one]) for one in two) for each in self.settings).values())

        return self.laid_out(*min(pairs or itertools.permutations(options, 2), key=most))

    def laid_out(self, down: str | None, right: str | None) -> Layout:
        def value(place: int, option: str | None) -> Any:
            return self.settings[place].options[option] if option else None

        places = range(len(self.settings))
        lines, columns = (ordered([value(place, option) for place in places]) for option in (down, right))
        cells = tuple(
            tuple(
                tuple(place for place in places if value(place, down) == line and value(place, right) == column)
                for column in columns
            )
            for line in lines
        )
        within = tuple(option for option in self.options if option not in (down, right))
        return Layout(down, right, tuple(lines), tuple(columns), cells, within)

    def as_json(self) -> dict[str, Any]:
        """Every number that is shown."""
        settings = [
            {
                "name": each.side.name,
                "runs": [reading.directory.name for reading in each.side.readings],
                "options": each.options,
                "scores": each.scores,
                "mean": each.mean,
                "deviation": each.deviation,
                "costs": each.costs,
                "left_out": each.left_out,
                "against": against and vars(against) | {"reason": against.reason and str(against.reason)},
            }
            for each, against in zip(self.settings, self.against, strict=True)
        ]
        return {
            "settings": settings,
            "best": self.best,
            "luck": self.luck,
            "notes": list(map(str, self.notes)),
            "frontiers": {cost: self.frontier(cost) for cost in COSTS},
            "layout": vars(self.layout()),
        }


def grid(comparison: Comparison, directories: Sequence[Path]) -> Grid | None:
    """The settings of compared runs that have been scored; None of fewer than three."""
    found = sides(comparison, directories)
    if len(found) < FEWEST:
        return None
    rows = dict(zip(directories, comparison.rows, strict=True))
    configs = []
    for side in found:
        config = side.readings[0].config
        begun = None if side.folded else config.init_from  # from fold to fold
        configs.append(chosen(config.model_copy(update={"seed": 0, "fold": None, "init_from": begun})))
    options = {
        option: [value.name if isinstance(value, Path) else value for value in values]
        for option, values in differing(configs).items()
    }
    scored = [frozenset(map(scored_on, side.readings)) for side in found]
    usual = Counter(each for each, side in zip(scored, found, strict=True) if len(each) == 1 or side.folded)
    images = usual.most_common(1)[0][0] if usual else None
    settings = []
    for n, (side, on) in enumerate(zip(found, scored, strict=True)):
        of_side = [rows[reading.directory] for reading in side.readings]
        scores = tuple(row.miou for row in of_side if row.miou is not None)
        values = {option: values[n] for option, values in options.items()}
        left_out = "images" if on != images else "leak" if any(row.leak for row in of_side) else None
        settings.append(Setting(side, values, scores, costs(of_side), left_out))
    return Grid(tuple(settings))


def costs(rows: Sequence[Row]) -> dict[str, float | None]:
    """Each of `COSTS`, as the mean over runs."""

    def mean(values: Sequence[float | None]) -> float | None:
        known = [value for value in values if value is not None]
        return statistics.mean(known) if known else None

    return {
        "parameters": mean([row.parameters for row in rows]),
        "seconds": mean([row.seconds for row in rows]),
        "milliseconds": mean([1000 / row.images_per_second if row.images_per_second else None for row in rows]),
    }
