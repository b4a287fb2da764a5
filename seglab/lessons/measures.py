"""What answers a question: a measure, whose outcome is computed from the runs that are compared.

The outcomes that a measure may have are known from the lesson's file alone, so that a file whose texts leave one out is
refused; which of them came is computed, from the runs that come with seglab or from those of this machine.
"""

from __future__ import annotations

import itertools
import math
import statistics
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, Protocol

import numpy as np
from pydantic import AfterValidator, Field

from seglab.comparison import agreement, definitions
from seglab.comparison.grids import Grid
from seglab.comparison.pairs import Pair
from seglab.entry import Options
from seglab.errors import SeglabError
from seglab.lessons import faults, scoring
from seglab.lessons.scoring import Difference as Found
from seglab.lessons.text import wrong

Key = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Score = Annotated[str, Field(pattern=scoring.ALLOWED)]
NONE = "none"  # the outcome where nothing can be told apart
OVERFITTED = 0.05  # of its lowest value: by so much a validation loss has risen at the end of an over-fitted run
MOST_PAIRS, FEWEST_PAIRS = 0.75, 4  # the share of pairs that a trend holds in, and of how many readings at least


def ascending(edges: tuple[float, ...]) -> tuple[float, ...]:
    if any(second <= first for first, second in itertools.pairwise(edges)):
        raise wrong("edges go up: each has to be larger than the one before it")
    return edges


Edges = Annotated[tuple[float, ...], Field(min_length=1, max_length=8), AfterValidator(ascending)]


class Bench(Protocol):
    """What a measure asks of a lesson's runs, by their settings' keys (`bench.py`)."""

    @property
    def figures(self) -> Mapping[str, Mapping[str, float]]:
        """Those of the lesson's claims."""

    def directories(self, key: str) -> Sequence[Path]: ...

    def suspect(self, key: str) -> faults.Suspect: ...

    def pair(self, a: str, b: str) -> Pair: ...

    def grid(self, keys: Sequence[str]) -> Grid: ...

    def matrices(self, key: str) -> Sequence[np.ndarray]: ...

    def values(self, key: str, by: str) -> Sequence[float]: ...

    def mean(self, key: str, by: str) -> float: ...

    def class_of(self, key: str, by: str) -> dict[str, str]: ...

    def ranked(self, keys: Sequence[str], by: str) -> Sequence[str]: ...

    def difference(self, a: str, b: str, by: str) -> Found: ...

    def contrast(self, pairs: Sequence[tuple[str, str]], by: str) -> Found: ...


@dataclass(frozen=True)
class Outcome:
    """What came of a measure: its `key` among the outcomes, the options that it makes `right`, or the `number` that it
    is. `values` fill the places of texts: numbers as they are shown, and the keys of settings after a `=`. `notes` are
    what a reader should know besides, such as that an interval crosses an edge."""

    key: str
    right: tuple[str, ...] = ()
    number: float | None = None
    values: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[SeglabError, ...] = ()


class Measure(Options):
    """What all measures have: the settings that they look at, their outcomes, and the one that came."""

    @property
    @abstractmethod
    def settings(self) -> tuple[str, ...]:
        """The settings that it looks at."""

    @property
    def outcomes(self) -> tuple[str, ...] | None:
        """Every outcome that there can be; None where they are known only with the data, such as the name of a
        class."""
        return None

    @abstractmethod
    def outcome(self, bench: Bench) -> Outcome:
        """What came of it. Raises SeglabError where runs are missing."""


class Between(Measure):
    """A measure of two settings, A and B."""

    a: Key
    b: Key

    @property
    def settings(self) -> tuple[str, ...]:
        return self.a, self.b


class Among(Measure):
    """A measure of several settings."""

    of: Annotated[tuple[Key, ...], Field(min_length=2, max_length=16)]

    @property
    def settings(self) -> tuple[str, ...]:
        return self.of


class Best(Among):
    """Which setting scores best, if it can be told apart from the second."""

    kind: Literal["best"]
    by: Score = "miou"

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*self.of, NONE)

    def outcome(self, bench: Bench) -> Outcome:
        ranked = bench.ranked(self.of, self.by)
        best, second = ranked[:2]
        found = bench.difference(second, best, self.by)
        values = found.values | {"best": f"={best}", "second": f"={second}", "worst": f"={ranked[-1]}"}
        key = best if found.apart else NONE
        values |= {"score": scoring.shown(bench.mean(best, self.by), self.by)} | bench.class_of(best, self.by)
        return Outcome(key, (key,), values=values)


class Difference(Between):
    """Whether B scores higher than A, lower, or cannot be told apart from it."""

    kind: Literal["difference"]
    by: Score = "miou"

    @property
    def outcomes(self) -> tuple[str, ...]:
        return "higher", "lower", NONE

    def outcome(self, bench: Bench) -> Outcome:
        found = bench.difference(self.a, self.b, self.by)
        key = found.direction
        return Outcome(key, (key,), found.size, found.values | named(self.a, self.b))


class Size(Between):
    """By how much B scores higher than A: which of the ranges between `edges`, `0` below the first of them."""

    kind: Literal["size"]
    by: Score = "miou"
    edges: Edges

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ranges(self.edges)

    def outcome(self, bench: Bench) -> Outcome:
        found = bench.difference(self.a, self.b, self.by)
        key = placed(found.size, self.edges)
        return Outcome(key, (key,), found.size, found.values | named(self.a, self.b), crossing(found, self.edges))


class Class(Between):
    """Which class gains most from A to B, or loses most; none where no class can be told apart."""

    kind: Literal["class"]
    which: Literal["gained", "lost"]

    def outcome(self, bench: Bench) -> Outcome:
        sign = 1 if self.which == "gained" else -1
        classes = sorted(
            (each for each in bench.pair(self.a, self.b).per_class if each.together and each.apart),
            key=lambda each: -sign * (each.b - each.a),
        )
        if not classes or sign * (classes[0].b - classes[0].a) <= 0:
            return Outcome(NONE, (NONE,), values=named(self.a, self.b))
        first = classes[0]
        assert first.together
        low, high = sorted(abs(end) for end in first.together)
        near = [each for each in classes[1:] if low <= sign * (each.b - each.a)]
        values = {
            "class": first.name, "share": f"{100 * first.share:.1f}", "from": f"{first.a:.2f}", "to": f"{first.b:.2f}",
            "difference": f"{abs(first.b - first.a):.2f}", "low": f"{low:.2f}", "high": f"{high:.2f}",
        }  # fmt: skip
        notes = (
            [SeglabError("almost as much: {classes}", classes=", ".join(each.name for each in near))] if near else []
        )
        return Outcome(first.name, (first.name,), values=values | named(self.a, self.b), notes=tuple(notes))


class Effects(Measure):
    """Of four settings in two rows and two columns: whether it matters which row, which column, both or none."""

    kind: Literal["effects"]
    table: tuple[tuple[Key, Key], tuple[Key, Key]]
    by: Score = "miou"

    @property
    def settings(self) -> tuple[str, ...]:
        return (*self.table[0], *self.table[1])

    @property
    def outcomes(self) -> tuple[str, ...]:
        return "rows", "columns", "both", NONE

    def outcome(self, bench: Bench) -> Outcome:
        (first, second), (third, fourth) = self.table
        rows = bench.contrast(((first, third), (second, fourth)), self.by)
        columns = bench.contrast(((first, second), (third, fourth)), self.by)
        together = bench.contrast(((second, fourth), (third, first)), self.by)  # what one does with the other
        key = {(True, True): "both", (True, False): "rows", (False, True): "columns"}.get(
            (bool(rows.apart), bool(columns.apart)), NONE
        )
        of = {"rows": rows, "columns": columns}
        larger, smaller = sorted(of, key=lambda each: -abs(of[each].size))
        notes = []
        if rows.low is not None and columns.low is not None:
            notes.append(
                SeglabError(
                    "from the first row to the second: {rows} ({low} to {high}); from the first column to the second: "
                    "{columns} ({left} to {right})",
                    rows=f"{rows.size:+.3f}", low=f"{rows.low:+.3f}", high=f"{rows.high:+.3f}",
                    columns=f"{columns.size:+.3f}", left=f"{columns.low:+.3f}", right=f"{columns.high:+.3f}",
                )
            )  # fmt: skip
        if together.apart:
            notes.append(SeglabError("the one depends on the other: what a column does differs between the rows"))
        values = of[larger].values
        if of[smaller].size:
            values["ratio"] = f"{abs(of[larger].size / of[smaller].size):.1f}"
        return Outcome(key, (key,), values=values, notes=tuple(notes))


class Noise(Measure):
    """How large a document's difference is beside the spread of seeds here: which range of the quotient."""

    kind: Literal["noise"]
    claim: Key
    figures: tuple[Key, Key]
    of: Key
    by: Score = "miou"
    edges: Edges = (0.33, 3)

    @property
    def settings(self) -> tuple[str, ...]:
        return (self.of,)

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ranges(self.edges)

    def outcome(self, bench: Bench) -> Outcome:
        first, second = (bench.figures[self.claim][key] for key in self.figures)
        values = bench.values(self.of, self.by)
        if len(values) < 2:
            raise SeglabError("{name} has one seed: how much seeds differ is not known", name=self.of)
        spread, apart = statistics.stdev(values), abs(second - first)
        if not spread:
            raise SeglabError("{name} scores the same with every seed", name=self.of)
        key = placed(apart / spread, self.edges)
        needed = max(2, round(2 * (2.8 * spread / apart) ** 2)) if apart else 0
        told = {
            "there": f"{apart:.4f}", "spread": f"{spread:.4f}", "ratio": f"{apart / spread:.2f}",
            "low": f"{min(values):.4f}", "high": f"{max(values):.4f}",
            "count": f"{needed}", "seeds": f"{len(values)}", "of": f"={self.of}",
        }  # fmt: skip
        return Outcome(key, (key,), apart / spread, told)


class Remains(Measure):
    """What is left of a gain when its cause is taken out: the quotient of two differences."""

    kind: Literal["remains"]
    gain: tuple[Key, Key]
    kept: tuple[Key, Key]
    by: Score = "miou"
    edges: Edges

    @property
    def settings(self) -> tuple[str, ...]:
        return (*self.gain, *self.kept)

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*ranges(self.edges), NONE)

    def outcome(self, bench: Bench) -> Outcome:
        gain, kept = (bench.difference(*pair, self.by) for pair in (self.gain, self.kept))
        values = gain.values | {"here": f"{kept.size:+.3f}", "there": f"{gain.size:+.3f}"}
        if not gain.apart or (gain.size > 0) == (self.by in scoring.LESS):
            return Outcome(NONE, (NONE,), values=values)
        ratio = kept.size / gain.size
        key = placed(ratio, self.edges)
        return Outcome(key, (key,), ratio, values | {"ratio": f"{ratio:.2f}", "share": f"{100 * ratio:.0f}"})


class Trend(Measure):
    """Whether a difference gets smaller or larger with a score: `of` are settings before and after. It is a trend where
    at least three of four pairs of readings go that way (Kendall 1938)."""

    kind: Literal["trend"]
    of: Annotated[tuple[tuple[Key, Key], ...], Field(min_length=FEWEST_PAIRS, max_length=32)]
    x: Score = "miou"
    y: Score = "miou"

    @property
    def settings(self) -> tuple[str, ...]:
        return tuple(itertools.chain(*self.of))

    @property
    def outcomes(self) -> tuple[str, ...]:
        return "falls", "rises", NONE

    def points(self, bench: Bench) -> list[tuple[float, float]]:
        """Each reading's score before, and what it gains."""
        return [
            (bench.mean(before, self.x), bench.mean(after, self.y) - bench.mean(before, self.y))
            for before, after in self.of
        ]

    def outcome(self, bench: Bench) -> Outcome:
        found = self.points(bench)
        signs = [(second[0] - first[0]) * (second[1] - first[1]) for first, second in itertools.combinations(found, 2)]
        rises, falls, count = sum(each > 0 for each in signs), sum(each < 0 for each in signs), len(signs)
        key = "falls" if falls >= MOST_PAIRS * count else "rises" if rises >= MOST_PAIRS * count else NONE
        gains = [gain for _, gain in found]
        values = {
            "count": f"{max(rises, falls)}", "of": f"{count}", "times": f"{sum(gain > 0 for gain in gains)}",
            "seeds": f"{len(found)}", "low": f"{min(gains):+.3f}", "high": f"{max(gains):+.3f}",
        }  # fmt: skip
        return Outcome(key, (key,), values=values)


class Shape(Among):
    """In which settings the validation loss ends more than 5 % above its lowest value while that of training still
    falls, with most seeds: over-fitting."""

    kind: Literal["shape"]
    of: Annotated[tuple[Key, ...], Field(min_length=1, max_length=16)]
    shape: Literal["rises_after_lowest"]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return "all", "some", NONE

    def outcome(self, bench: Bench) -> Outcome:
        seen = {key: [scoring.overfitted(each, OVERFITTED) for each in bench.directories(key)] for key in self.of}
        right = tuple(key for key, each in seen.items() if sum(each) > len(each) / 2)
        key = NONE if not right else "all" if len(right) == len(self.of) else "some"
        told = [
            SeglabError("{name}: with {count} of {seeds} seeds", name=f"={key}", count=sum(each), seeds=len(each))
            for key, each in seen.items()
        ]
        values = {"count": f"{len(right)}", "of": f"{len(self.of)}"}
        return Outcome(key, right or (NONE,), values=values, notes=tuple(told))


class Definition(Measure):
    """By how much a score changes when it is counted by another definition of mIoU; with `minus`, by how much what B
    has more than A does."""

    kind: Literal["definition"]
    of: Key
    minus: Key | None = None
    against: Literal[definitions.DEFINITIONS]  # type: ignore[valid-type]  # a tuple of texts
    batch: Annotated[int, Field(ge=1, le=1024)] = 8
    versus: Literal[definitions.DEFINITIONS] = "set"  # type: ignore[valid-type]
    versus_batch: Annotated[int, Field(ge=1, le=1024)] = 8
    edges: Edges

    @property
    def settings(self) -> tuple[str, ...]:
        return (self.of,) if self.minus is None else (self.of, self.minus)

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ranges(self.edges)

    def counted(self, bench: Bench, name: str, batch: int) -> float:
        """The score of the first seed by a definition, or the difference between two."""
        found = [definitions.definitions(bench.matrices(key)[0], batch)[name] for key in self.settings]
        if not all(map(math.isfinite, found)):
            raise SeglabError("nothing is labeled in these images: there is no verdict")
        return found[0] - (found[1] if self.minus else 0)

    def outcome(self, bench: Bench) -> Outcome:
        there = self.counted(bench, self.against, self.batch)
        here = self.counted(bench, self.versus, self.versus_batch)
        key = placed(there - here, self.edges)
        values = {"here": f"{here:.3f}", "there": f"{there:.3f}", "difference": f"{there - here:+.3f}"}
        return Outcome(key, (key,), there - here, values | {"of": f"={self.of}"})


class Share(Between):
    """How many of a hundred labeled pixels are of a kind: right in A alone, in B alone, or wrong in both."""

    kind: Literal["share"]
    of: Literal["only_a", "only_b", "alike", "differently"]
    tolerance: Annotated[float, Field(gt=0, le=50)] = 1.0

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ("number",)

    def outcome(self, bench: Bench) -> Outcome:
        pixels = bench.pair(self.a, self.b).agreement.counts.sum(0)
        shares = dict(zip(agreement.KINDS, (100 * pixels / max(1, pixels.sum())).tolist(), strict=True))
        share, other = shares[self.of], shares["only_a" if self.of == "only_b" else "only_b"]
        values = {"share": f"{share:.1f}", "other": f"{other:.1f}"} | named(self.a, self.b)
        return Outcome("number", number=share, values=values)


class Tied(Among):
    """Which settings cannot be told apart from the best one, looking at all of them (Holm 1979)."""

    kind: Literal["tied"]
    of: Annotated[tuple[Key, ...], Field(min_length=3, max_length=16)]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return "all", "some", NONE

    def outcome(self, bench: Bench) -> Outcome:
        grid = bench.grid(self.of)
        assert grid.best is not None
        tied = [key for key, each in zip(self.of, grid.against, strict=True) if each is None or each.tied is not False]
        best = self.of[grid.best]
        key = "all" if len(tied) == len(self.of) else NONE if len(tied) == 1 else "some"
        values = {"best": f"={best}", "count": f"{len(tied)}", "of": f"{len(self.of)}"}
        return Outcome(key, tuple(tied), values=values | {"score": f"{bench.mean(best, 'miou'):.3f}"})


class Lead(Among):
    """By how many standard deviations between seeds the best of several settings lies above their mean; `there` is what
    the best of so many equal ones would, on average."""

    kind: Literal["lead"]
    of: Annotated[tuple[Key, ...], Field(min_length=3, max_length=16)]
    by: Score = "miou"
    edges: Edges

    @property
    def outcomes(self) -> tuple[str, ...]:
        return ranges(self.edges)

    def outcome(self, bench: Bench) -> Outcome:
        scores = [bench.values(key, self.by) for key in self.of]
        ratio, spread, expected = scoring.lead(scores, self.by in scoring.LESS)
        best = bench.ranked(self.of, self.by)[0]
        values = {
            "ratio": f"{ratio:.2f}", "there": f"{expected:.2f}", "spread": f"{spread:.3f}", "count": f"{len(self.of)}",
            "best": f"={best}", "difference": f"{ratio * spread:.3f}", "here": f"{expected * spread:.3f}",
        }  # fmt: skip
        key = placed(ratio, self.edges)
        return Outcome(key, (key,), ratio, values)


class Spoiled(Among):
    """Which one of several runs something is wrong with, or what it is, as its configuration and its report have it:
    nothing where all are sound (`faults.py`)."""

    kind: Literal["spoiled"]
    which: Literal["run", "fault"]

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (*(self.of if self.which == "run" else faults.FAULTS), NONE)

    def outcome(self, bench: Bench) -> Outcome:
        found = faults.found([bench.suspect(key) for key in self.of])
        if not found:
            return Outcome(NONE, (NONE,))
        if len(found) > 1:
            raise SeglabError(
                "something is wrong with more than one: {runs}", runs=", ".join(each.key for each in found)
            )
        (fault,) = found
        key = fault.key if self.which == "run" else fault.kind
        return Outcome(key, (key,), values={**fault.values, "a": f"={fault.key}"})


class FromSource(Measure):
    """What a document's own figures say, whatever was measured here: the answer is fixed."""

    kind: Literal["source"]
    claim: Key
    right: Key

    @property
    def settings(self) -> tuple[str, ...]:
        return ()

    @property
    def outcomes(self) -> tuple[str, ...]:
        return (self.right,)

    def outcome(self, bench: Bench) -> Outcome:
        return Outcome(self.right, (self.right,))


AnyMeasure = Annotated[
    Best | Difference | Size | Class | Effects | Noise | Remains | Trend | Shape | Definition | Share | Tied | Lead
    | Spoiled | FromSource,
    Field(discriminator="kind"),
]  # fmt: skip


def named(a: str, b: str) -> dict[str, str]:
    return {"a": f"={a}", "b": f"={b}"}


def ranges(edges: Sequence[float]) -> tuple[str, ...]:
    """The ranges between edges, by their numbers."""
    return tuple(map(str, range(len(edges) + 1)))


def placed(value: float, edges: Sequence[float]) -> str:
    """The number of the range that a value is in; an edge belongs to the range above it."""
    return str(sum(value >= edge for edge in edges))


def crossing(found: Found, edges: Sequence[float]) -> tuple[SeglabError, ...]:
    """What is told where an interval does not fit into one range."""
    if found.low is None or found.high is None or placed(found.low, edges) == placed(found.high, edges):
        return ()
    return (
        SeglabError(
            "with other runs and images like these it may be another of the ranges: anything from {low} to {high} is "
            "possible",
            low=f"{found.low:+.3f}",
            high=f"{found.high:+.3f}",
        ),
    )


def number_right(measure: Any, given: float, outcome: Outcome) -> bool:
    """Whether a number that was guessed is near enough."""
    tolerance = getattr(measure, "tolerance", 0.0)
    return outcome.number is not None and abs(given - outcome.number) <= tolerance
