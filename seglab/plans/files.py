"""A plan's runs, laid out and kept in a file beside them.

A plan's file is named like the plan and ends in `.plan.json`: it holds the plan and the names of its runs, and is
written once, when all of them are there. What happens to the runs stands in their own directories, and which of them
needs another one in their configurations (`RunConfig.needs`); so nothing has to be kept up to date, and a plan goes on
after any interruption.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic_core import from_json

from seglab import jobs, runs, training
from seglab.config import RunConfig
from seglab.entry import Options, validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.plans.kinds import refuse_too_many
from seglab.runs import Counts, Owner


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


def laid_out(
    plan: Plan, configs: Sequence[RunConfig], name: str | None = None, labels: Sequence[str] = ()
) -> tuple[str, list[Step]]:
    """The plan's name and its runs, made for each of the configurations, which `labels` name; nothing is written.

    Raises SeglabError for a name that is taken and for configurations that the plan cannot vary.
    """
    title = titled(plan, name)
    steps: list[Step] = []
    for number, config in enumerate(configs):
        whose = (labels[number] if labels else "") or config.model.name

        def place(n: int, first: int = len(steps) + 1) -> Path:
            return runs.home() / f"{title} {first + n}"

        for n, (label, each) in enumerate(plan.steps(config, place)):
            label = f"{whose}, {label}" if len(configs) > 1 else label
            steps.append(Step(place(n), label, each))
    return title, sound(steps)


def spread_out(
    plan: Plan, configs: Sequence[RunConfig], labels: Sequence[str], name: str | None = None
) -> tuple[str, list[Step]]:
    """A plan's name and its runs where they are known already, each with its label; raises SeglabError as above."""
    title = titled(plan, name)
    known = enumerate(zip(configs, labels, strict=True), 1)
    return title, sound([Step(runs.home() / f"{title} {n}", label, config) for n, (config, label) in known])


def titled(plan: Plan, name: str | None) -> str:
    """The name of a plan to be."""
    title = f"{plan.name}-{runs.made_now()}" if name is None else runs.checked(name)
    if runs.taken(title):
        raise runs.refused(title)
    return title


def sound(steps: list[Step]) -> list[Step]:
    """The steps, if there may be so many and each is another run."""
    refuse_too_many(len(steps))
    for step in steps:
        runs.checked(step.directory.name)
    for first, second in itertools.combinations(steps, 2):
        if first.config == second.config:
            raise SeglabError(
                "{first} and {second} are the same run; each has to differ from the others",
                first=first.label,
                second=second.label,
            )
    return steps


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


def create(plan: Plan, title: str, steps: Sequence[Step]) -> Path:
    """Makes the runs' directories and then the plan's file. Where something is in the way, nothing is left."""
    with runs.counting() as counts:
        return made(plan, title, steps, counts)


def submit(plan: Plan, title: str, steps: Sequence[Step], owner: Owner | None = None) -> list[Path]:
    """Makes the plan and puts its runs in the queue, in their order: all of them or none."""
    allowed = [replace(step, config=jobs.limited(step.config)) for step in steps]
    with jobs.admitting(len(allowed), owner) as counts:
        made(plan, title, allowed, counts, owner, queued=True)
    return [step.directory for step in allowed]


def made(
    plan: Plan, title: str, steps: Sequence[Step], counts: Counts, owner: Owner | None = None, queued: bool = False
) -> Path:
    """The plan's file, once its runs are there and, if asked to, in the queue."""
    with contextlib.ExitStack() as undo:
        for step in steps:
            label = counts.label(step.label, owner)
            undo.callback(shutil.rmtree, runs.create(step.config, step.directory.name, label), ignore_errors=True)
        members = tuple(Member(run=step.directory.name, label=step.label) for step in steps)
        with runs.writing(runs.home()):
            runs.write(located(title), Record(plan=plan, runs=members).model_dump_json(indent=1).encode())
        undo.callback(located(title).unlink)
        if queued:
            jobs.enqueue(*(step.directory for step in steps), counts=counts)
        with runs.writing(runs.home()):
            counts.keep(runs.home())
        undo.pop_all()
    return located(title)


def located(title: str) -> Path:
    return runs.home() / f"{title}{runs.PLAN}"


def find(plan: str) -> Path:
    """The file of a plan given by its name or its path."""
    for path in (located(plan), Path(plan)):
        if path.name.endswith(runs.PLAN) and path.is_file():
            return path
    known = runs.listed([path.with_name(path.name.removesuffix(runs.PLAN)) for path in every()])
    raise SeglabError("there is no plan {plan}; known plans: {known}", plan=repr(plan), known=known)


def is_plan(name: str) -> bool:
    """Whether a name stands for a plan, and with it for the plan's runs."""
    return located(name).is_file() or name.endswith(runs.PLAN)


def every() -> list[Path]:
    """The files of all plans, newest first."""
    files = filter(Path.is_file, runs.home().glob(f"*{runs.PLAN}"))
    return sorted(files, key=lambda path: path.stat().st_mtime_ns, reverse=True)


def members(path: Path) -> list[tuple[Path, str]]:
    """The plan's runs in their order, each with what sets it apart."""
    try:
        record = validated(Record, from_json(path.read_bytes()))
    except (OSError, ValueError, SeglabError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=path.name, reason=error) from None
    return [(path.parent / member.run, member.label) for member in record.runs]


def remove(directory: Path) -> None:
    """Deletes a run for good, and with the last run of a plan the plan's file."""
    runs.remove(directory)
    for path in every():
        with contextlib.suppress(SeglabError):  # a damaged one stays for whoever can mend it
            known = [member for member, _ in members(path)]
            if directory in known and not any((member / "config.json").exists() for member in known):
                with runs.writing(runs.home()):
                    path.unlink(missing_ok=True)


def expanded(names: Sequence[str], fetch: bool = True) -> list[Path]:
    """The runs of these names; a plan's name stands for its runs. `fetch` as in `runs.find`."""
    found: list[Path] = []
    for name in names:
        if is_plan(name):
            found += [runs.find(directory) for directory, _ in members(find(name))]
        else:
            found.append(runs.find(name, fetch))
    return list(dict.fromkeys(found))
