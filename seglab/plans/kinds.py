"""What needs several runs: seeds, folds, sweeps, and students taught by a teacher."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field

from seglab.config import RunConfig, alternatives, assignment, varied
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.techniques.semi_supervised import Confidence, PseudoLabels

MOST_RUNS = 100


class Seeds(Plan):
    """The same run with several seeds, so that a difference between models can be told from chance."""

    name = "seeds"
    count: Annotated[int, Field(ge=2, le=20, description="number of runs; each has the next seed")] = 3

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        seeds = range(config.seed, config.seed + self.count)
        return [(f"seed {seed}", changed(config, seed=seed)) for seed in seeds]


class Folds(Plan):
    """K-fold cross-validation: every training image is held out once, and scored by a run that has never seen it.

    Each run begins from scratch and is validated on a part of its own; the mean over all parts is the result.

    Source: Stone 1974, "Cross-validatory choice and assessment of statistical predictions",
    https://doi.org/10.1111/j.2517-6161.1974.tb00994.x
    """

    name = "folds"
    k: Annotated[int, Field(ge=2, le=20, description="number of folds of equal size, and of runs")] = 5
    leak_by_mistake: Annotated[
        bool,
        Field(
            description="a deliberate mistake, to see its effect: weights are carried over from fold to fold, so later "
            "folds are validated on images they were trained on, and score too high"
        ),
    ] = False

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        if config.fold:
            raise SeglabError("fold: {index} is given; leave it out, since folds set it", index=config.fold.index)
        found = []
        for index in range(self.k):
            begin = {"init_from": place(index - 1)} if self.leak_by_mistake and index else {}
            found.append((f"fold.index {index}", changed(config, fold={"index": index, "of": self.k}, **begin)))
        return found


class Sweep(Plan):
    """A run for every value of an option, or for all pairs of values of two options, with everything else the same.

    Options are named as on the command line, and values are checked as there. Of an entry that takes another's place,
    options that were set stay where both have them. Several techniques are one value with + between; none is an empty
    one: `techniques=,flip,flip+color` makes three runs. Values that hold commas have semicolons between.
    """

    name = "sweep"
    over: Annotated[
        tuple[Annotated[str, Field(max_length=500)], ...],
        Field(
            min_length=1,
            max_length=6,
            description="an option and its values, such as model.width=8,16; with a second one, all pairs are run",
        ),
    ] = ("optimizer.lr=1e-3,3e-3",)

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        axes = [alternatives("over", "model.width=8,16", each) for each in self.over]
        refuse_too_many(math.prod(map(len, axes)))
        return [
            (", ".join(f"{option} {value or '-'}" for option, value in pairs), varied(config, dict(pairs)))
            for pairs in itertools.product(*axes)
        ]


class NoisyStudent(Plan):
    """A teacher learns from a few masks, then a student from these and from the teacher's labels for all other images.

    Both see the same masks; what noise there is comes from the run's techniques and dropout. Students may differ from
    the teacher, as by a wider network or by more noise. Of several students each is taught by the one before it.

    Source: Xie et al. 2020, https://arxiv.org/abs/1911.04252, algorithm 1; there students are as large as their
    teacher or larger, and there are three rounds.
    """

    name = "noisy_student"
    labeled: Annotated[
        float, Field(gt=0, lt=1, description="fraction of the training images whose masks are used, drawn by the seed")
    ] = 0.125
    confidence: Confidence = 0.5
    rounds: Annotated[int, Field(ge=1, le=5, description="number of students, each taught by the one before")] = 1
    student: Annotated[
        tuple[Annotated[str, Field(max_length=500)], ...],
        Field(
            max_length=4,
            description="how students differ from the teacher, such as model.width=32 or techniques=flip+color; empty: "
            "only in the labels",
        ),
    ] = ()

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        apart = dict(assignment("student", "model.width=32", each) for each in self.student)
        for option in apart:
            if option.partition(".")[0] in ("data", "seed", "fold"):
                raise SeglabError("student: {option} cannot change; both have to see the same data", option=option)
        student, own = varied(config, apart), [f"{option} {value or '-'}" for option, value in apart.items()]
        found = [("teacher", self.with_labels(config, None))]
        for n in range(self.rounds):
            label = f"student {n + 1}" if self.rounds > 1 else "student"
            found.append((", ".join([label, *own]), self.with_labels(student, place(n))))
        return found

    def with_labels(self, config: RunConfig, teacher: Path | None) -> RunConfig:
        """The configuration, for few masks and the labels of a teacher, if there is one."""
        if any(technique.name == PseudoLabels.name for technique in config.techniques):
            raise SeglabError(
                "techniques: {name} is given; leave it out, since the plan sets it", name=PseudoLabels.name
            )
        added = PseudoLabels(labeled=self.labeled, confidence=self.confidence, teacher=teacher)
        return changed(config, techniques=[*config.techniques, added])


def changed(config: RunConfig, **fields: Any) -> RunConfig:
    return validated(RunConfig, dict(config) | fields)


def refuse_too_many(count: int) -> None:
    if count > MOST_RUNS:
        raise SeglabError("a plan of {count} runs is too large; allowed: {most}", count=count, most=MOST_RUNS)
