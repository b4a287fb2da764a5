"""What needs several runs: sweeps, seeds and folds, laid out, kept in a file beside their runs, and timed beforehand.

A plan's file is named like the plan and ends in `.plan.json`: it holds the plan and the names of its runs, and is
written once, when all of them are there. What happens to the runs stands in their own directories, and which of them
needs another one in their configurations (`RunConfig.needs`); so nothing has to be kept up to date, and a plan goes on
after any interruption.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import math
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any

import torch
from pydantic import Field

from seglab import jobs, runs
from seglab import train as training
from seglab.config import RunConfig, picked, settings
from seglab.entry import Entry, Options, Plan, SeglabError, validated
from seglab.evaluate import evaluate
from seglab.loader import Cached, batches
from seglab.techniques.semi_supervised import Confidence, PseudoLabels

MOST_RUNS = 100


# --- the plans


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
            max_length=2,
            description="an option and its values, such as model.width=8,16; with a second one, all pairs are run",
        ),
    ] = ("optimizer.lr=1e-3,3e-3",)

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        axes = [
            [(option, value.strip()) for value in values.split(";" if ";" in values else ",")]
            for option, values in (parted("over", "model.width=8,16", each) for each in self.over)
        ]
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
    labelled: Annotated[
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
        apart = dict(parted("student", "model.width=32", each) for each in self.student)
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
        added = PseudoLabels(labelled=self.labelled, confidence=self.confidence, teacher=teacher)
        return changed(config, techniques=[*config.techniques, added])


def parted(thing: str, example: str, given: str) -> tuple[str, str]:
    """`model.width=8` as the option and its value."""
    option, equals, value = given.strip().removeprefix("--").partition("=")
    if not option or not equals:
        raise SeglabError(
            "{thing}: {given} is not an option with its value, such as {example}",
            thing=thing,
            given=repr(given),
            example=example,
        )
    return option.strip(), value.strip()


def changed(config: RunConfig, **fields: Any) -> RunConfig:
    return validated(RunConfig, config.model_dump() | fields)


def varied(config: RunConfig, values: dict[str, str]) -> RunConfig:
    """The configuration with options set as on the command line: {"loss": "dice", "model.width": "8"}."""
    whole = {place: value for place, value in values.items() if "." not in place}
    inside = {place: value for place, value in values.items() if "." in place}
    given = config.model_dump() | {field: exchanged(config, field, value) for field, value in whole.items()}
    return validated(RunConfig, settings(given, inside))


def exchanged(config: RunConfig, field: str, value: str) -> Any:
    """What `value` says a field is to be; entries keep options that were set, where the new one has them too."""
    old = getattr(config, field, None)
    if field == "techniques":
        known = {technique.name: technique.model_dump() for technique in old}
        return [known.get(new["name"], new) for new in picked(value.replace("+", ","), field)]
    if not isinstance(old, Entry):
        return value
    new = validated(RunConfig.model_fields[field].annotation, value)
    kept = {name: given for name, given in old if name in unset(new) and name not in unset(old)}
    return new.model_dump() | kept


def unset(entry: Entry) -> set[str]:
    """The entry's options that are at their defaults."""
    return {name for name, option in type(entry).model_fields.items() if getattr(entry, name) == option.default}


# --- a plan's file and its runs


class Member(Options):
    """One of a plan's runs."""

    run: str
    label: str


class Record(Options):
    """What a plan's file holds."""

    plan: Plan
    runs: tuple[Member, ...]


@dataclass(frozen=True)
class Step:
    """A run to be: its directory, what sets it apart from the others, its configuration."""

    directory: Path
    label: str
    config: RunConfig


def laid_out(plan: Plan, configs: Sequence[RunConfig], name: str | None = None) -> tuple[str, list[Step]]:
    """The plan's name and its runs, made for each of the configurations; nothing is written.

    Raises SeglabError for a name that is taken and for configurations that the plan cannot vary.
    """
    title = f"{plan.name}-{runs.made_now()}" if name is None else runs.checked(name)
    if runs.taken(title):
        raise runs.refused(title)
    steps: list[Step] = []
    for config in configs:

        def place(n: int, first: int = len(steps) + 1) -> Path:
            return runs.home() / f"{title} {first + n}"

        for n, (label, each) in enumerate(plan.steps(config, place)):
            label = f"{config.model.name}, {label}" if len(configs) > 1 else label
            runs.checked(place(n).name)
            steps.append(Step(place(n), label, each))
        refuse_too_many(len(steps))
    for first, second in itertools.combinations(steps, 2):
        if first.config == second.config:
            raise SeglabError(
                "{first} and {second} are the same run; each has to differ from the others",
                first=first.label,
                second=second.label,
            )
    return title, steps


def refuse_too_many(count: int) -> None:
    if count > MOST_RUNS:
        raise SeglabError("a plan of {count} runs is too large; allowed: {most}", count=count, most=MOST_RUNS)


def settled(steps: Sequence[Step]) -> list[Step]:
    """The steps with the whole paths of other runs that they need.

    Raises SeglabError where such a run is missing, and where images that the runs learn from are missing or too few.
    """
    opened, own = {}, {step.directory for step in steps}
    for config in (step.config for step in steps):
        if config.data not in opened:
            opened[config.data] = config.data.open()
        training.folded(opened[config.data], config)
    return [replace(step, config=runs.settled(step.config, own)) for step in steps]


def create(plan: Plan, title: str, steps: Sequence[Step], queued: bool = False) -> Path:
    """Makes the runs' directories and then the plan's file; puts the runs in the queue, in their order, if asked to.

    Where something is in the way, nothing is left.
    """
    with contextlib.ExitStack() as undo:
        for step in steps:
            undo.callback(shutil.rmtree, runs.create(step.config, step.directory.name), ignore_errors=True)
        members = tuple(Member(run=step.directory.name, label=step.label) for step in steps)
        runs.write(located(title), Record(plan=plan, runs=members).model_dump_json(indent=1).encode())
        undo.callback(located(title).unlink)
        if queued:
            jobs.enqueue(*(step.directory for step in steps))
        undo.pop_all()
    return located(title)


def submit(plan: Plan, title: str, steps: Sequence[Step]) -> list[Path]:
    """Makes the plan and puts its runs in the queue, in their order."""
    jobs.refuse_too_many(len(steps))
    create(plan, title, steps, queued=True)
    return [step.directory for step in steps]


def located(title: str) -> Path:
    return runs.home() / f"{title}{runs.PLAN}"


def find(plan: str) -> Path:
    """The file of a plan given by its name or its path."""
    for path in (located(plan), Path(plan)):
        if path.name.endswith(runs.PLAN) and path.is_file():
            return path
    known = runs.listed([path.with_name(path.name.removesuffix(runs.PLAN)) for path in every()])
    raise SeglabError("there is no plan {plan}; known plans: {known}", plan=repr(plan), known=known)


def every() -> list[Path]:
    """The files of all plans, newest first."""
    return sorted(runs.home().glob(f"*{runs.PLAN}"), key=lambda path: path.stat().st_mtime_ns, reverse=True)


def members(path: Path) -> list[tuple[Path, str]]:
    """The plan's runs in their order, each with what sets it apart."""
    try:
        record = validated(Record, json.loads(path.read_bytes()))
    except (OSError, ValueError, SeglabError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=path.name, reason=error) from None
    return [(path.parent / member.run, member.label) for member in record.runs]


def expanded(names: Sequence[str]) -> list[Path]:
    """The runs of these names; a plan's name stands for its runs."""
    found: list[Path] = []
    for name in names:
        if located(name).is_file() or name.endswith(runs.PLAN):
            found += [runs.find(directory) for directory, _ in members(find(name))]
        else:
            found.append(runs.find(name))
    return list(dict.fromkeys(found))


# --- how long it will take

TIMED_STEPS, TIMED_SECONDS = 3, 5.0  # of the optimizer: whichever is over first, after one that is not counted
TIMED_IMAGES = 2  # that are scored
PATIENCE = 90.0  # seconds that a process may take to time a few steps
NO_PACE = {"seed", "init_from", "epochs", "budget_seconds", "scheduler"}  # an epoch takes as long whatever these are
Pace = tuple[float, float]  # seconds that a run spends once, and for each epoch


@dataclass(frozen=True)
class Estimate:
    """How long each run may take; `timed`: some were estimated by a few steps, others perhaps by finished runs."""

    seconds: tuple[float, ...]
    timed: bool


def estimate(
    configs: Sequence[RunConfig], measure: Callable[[list[RunConfig]], list[Pace]] | None = None
) -> Estimate | None:
    """The seconds of each run: as in the latest finished run here whose epochs are alike, or else as `measure` gives
    them for one run of each kind; None where that is needed and there is none."""
    keys = [pace_key(config.model_dump(mode="json")) for config in configs]
    known = finished_paces(set(keys))
    kinds = {key: config for key, config in zip(keys, configs, strict=True) if key not in known}
    if kinds and measure is None:
        return None
    known |= dict(zip(kinds, measure(list(kinds.values())) if kinds else [], strict=True))
    seconds = []
    for key, config in zip(keys, configs, strict=True):
        once, epoch = known[key]
        seconds.append(min(once + config.epochs * epoch, config.budget_seconds or math.inf))
    return Estimate(tuple(seconds), timed=bool(kinds))


def pace_key(config: dict[str, Any]) -> str:
    """What decides how long an epoch takes; `config` as in config.json."""
    kept = {name: value for name, value in config.items() if name not in NO_PACE}
    kept["fold"] = kept["fold"] and kept["fold"]["of"]
    kept["optimizer"] = kept["optimizer"]["precision"]
    kept["techniques"] = [each | {"teacher": bool(each.get("teacher"))} for each in kept["techniques"]]
    return json.dumps(kept, sort_keys=True)


def finished_paces(wanted: set[str]) -> dict[str, Pace]:
    """The paces of the latest finished runs with these keys; what they spent once is spread over their epochs."""
    found: dict[str, Pace] = {}
    for directory in runs.every():
        if directory.parent == runs.CHECKPOINTS:  # made on another machine
            continue
        try:
            key = pace_key(json.loads((directory / "config.json").read_bytes()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # damaged, or of an older version
            continue
        ended = runs.status(directory).finished if key in wanted - found.keys() else None
        if ended and ended.epoch >= 1:
            found[key] = 0.0, ended.seconds / ended.epoch
    return found


def timed(config: RunConfig, device: str, threads: int) -> Pace:
    """A run's pace, from reading some images, taking a few steps with random weights, and scoring two images."""
    with torch.random.fork_rng():
        free = config.needing(lambda _: None)  # of runs that may not be there yet
        run = training.Run(free, device, threads, fresh=False)
        for hooks in run.hooks.values():
            hooks.on_epoch(0)
        places = batches(run.order(0), config.batch_size)[: 1 + TIMED_STEPS]
        began, read = time.monotonic(), 0
        for n in itertools.chain(*places):
            run.train[n % len(run.train)]  # kept from then on
            read += 1
            if time.monotonic() - began > TIMED_SECONDS:
                break
        scored = sum(map(len, run.scored.values()))
        once = (time.monotonic() - began) / read * (len(run.train) + scored)
        run.advance(run.batch(0, places[0]))  # the first prepares the convolutions for this size
        began, steps = time.monotonic(), 0
        for batch in places[1:] or places:
            run.advance(run.batch(0, batch))
            steps += 1
            if time.monotonic() - began > TIMED_SECONDS:
                break
        step = (time.monotonic() - began) / steps
        few = Cached(run.data.val.take(range(min(TIMED_IMAGES, len(run.data.val)))), config.image_size, keep_truth=True)
        list(few)  # reading them is no part of scoring
        began = time.monotonic()
        with run.autocast:
            evaluate(run.evaluated_model(), few, run.terms, None, run.targets)
        image = (time.monotonic() - began) / len(few)
    labelled = len(run.train.hidden) if any(technique.needs for technique in config.techniques) else 0  # by a teacher
    return once + labelled * image, run.steps_per_epoch * step + scored * image


def timed_apart(configs: Sequence[RunConfig]) -> list[Pace]:
    """`timed` for each run, in a process of its own, as the queue would work on it."""
    command = [sys.executable, "-m", "seglab.plans", str(os.getpid())]
    given = json.dumps([config.model_dump(mode="json") for config in configs])
    apart: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PATIENCE, "cwd": jobs.SEGLAB}
    try:
        ended = subprocess.run(command, input=given, env=jobs.environment(), **apart)
    except subprocess.TimeoutExpired:
        raise SeglabError("the time cannot be estimated in {seconds} s", seconds=f"{PATIENCE:g}") from None
    except OSError as error:  # short of memory
        raise SeglabError("the time cannot be estimated: {reason}", reason=error.strerror) from None
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [f"{ended.returncode}"])[-1]
        raise SeglabError("the time cannot be estimated: {reason}", reason=reason)
    return [(once, epoch) for once, epoch in json.loads(ended.stdout)]


if __name__ == "__main__":
    jobs.subordinate(int(sys.argv[1]))
    configs = [validated(RunConfig, config) for config in json.load(sys.stdin)]
    print(json.dumps([timed(config, jobs.device(), jobs.threads()) for config in configs]))
