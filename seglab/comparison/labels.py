"""A short name for each of several runs: what sets it apart from the others."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.comparison.settings import short
from seglab.config import RunConfig


def roles(configs: Sequence[RunConfig], directories: Sequence[Path]) -> list[str]:
    """`teacher` or `student` for each run that teaches, or is taught by, another one of these; or an empty text.

    Where students teach too, they are numbered.
    """
    places = {directory.resolve(): place for place, directory in enumerate(directories)}
    teachers = [
        next((places[run] for technique in config.techniques for run in technique.needs if run in places), None)
        for config in configs
    ]
    rounds = []
    for teacher in teachers:
        rounds.append(0)
        while teacher is not None and rounds[-1] < len(configs):
            teacher = teachers[teacher]
            rounds[-1] += 1
    found = []
    for place, number in enumerate(rounds):
        student = f"student {number}" if max(rounds) > 1 else "student"
        found.append(student if number else "teacher" if place in teachers else "")
    return found


def labeled(
    models: Sequence[str], differences: dict[str, list[Any]], directories: Sequence[Path], roles: Sequence[str]
) -> tuple[str, ...]:
    """A short unique name for each run: the one that a person gave it, or else its model, with what differs from other
    runs of that model; and whether it teaches or is taught."""
    apart = told_apart(models, differences, roles)
    made = [runs.MADE_NAME.fullmatch(directory.name) for directory in directories]
    named = [f"{path.name} ({role})" if role else path.name for path, role in zip(directories, roles, strict=True)]
    labels = [label if by_us else name for label, by_us, name in zip(apart, made, named, strict=True)]
    short = [runs.short_name(directory) for directory in directories]
    labels = [name if labels.count(label) > 1 else label for label, name in zip(labels, short, strict=True)]
    return tuple(
        label if labels.count(label) == 1 else directory.name
        for label, directory in zip(labels, directories, strict=True)
    )


def told_apart(
    models: Sequence[str], differences: dict[str, list[Any]], roles: Sequence[str] | None = None
) -> list[str]:
    """Each run's model, with its role and up to three options in which it differs from other runs of that model."""
    labels = []
    for n, model in enumerate(models):
        twins = [k for k, other in enumerate(models) if other == model]
        apart = {o: v for o, v in differences.items() if o != "model" and len({repr(v[k]) for k in twins}) > 1}
        told = {option: v[n] for option, v in apart.items() if not isinstance(v[n], Path | None)}
        told = {option: v for option, v in told.items() if option.rpartition(".")[0] not in told}
        options = [f"{short(option)} {value}" for option, value in list(told.items())[:3]]
        said = ", ".join(([roles[n]] if roles and roles[n] else []) + options)
        labels.append(f"{model} ({said})" if said else model)
    return labels
