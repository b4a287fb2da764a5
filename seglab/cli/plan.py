"""Plan several runs of one configuration, or preview them."""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_origin

from seglab import jobs, plans, runs
from seglab.api.following import device_for, interruptible
from seglab.cli.options import OPTIONS, add_device, add_run
from seglab.cli.parsing import add_help
from seglab.cli.show import duration, follow, waiting
from seglab.cli.train import configuration
from seglab.config import RunConfig
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError, tell
from seglab.events import FOR_GOOD


def arguments(parser: argparse.ArgumentParser) -> None:
    """A command for each kind of plan, and one to go on."""
    kinds = parser.add_subparsers(dest="kind", required=True, metavar="PLAN")

    def command(name: str, help: str, epilog: str = "") -> argparse.ArgumentParser:
        made = kinds.add_parser(name, help=help, description=help, epilog=epilog, allow_abbrev=False, add_help=False)
        add_help(made)
        return made

    for name, entry in FAMILIES["plans"].entries.items():
        made = command(name, entry.summary(), OPTIONS)
        made.set_defaults(fields=entry.model_fields | RunConfig.model_fields)
        for option, field in entry.model_fields.items():
            switch, several = field.annotation is bool, get_origin(field.annotation) is tuple
            how: dict[str, Any] = {"action": "append"} if several else {}
            how = {"action": "store_const", "const": True} if switch else how
            default = (" ".join(field.default) or "none") if several else field.default
            made.add_argument(f"--{option}", help=f"{field.description} (default: {default})", **how)
        made.add_argument("--name", help="the plan's name; its runs are called NAME 1, NAME 2 and so on")
        made.add_argument(
            "--dry-run",
            "--dry_run",
            action="store_true",
            help="only show the runs and an estimate of how long they take",
        )
        add_run(made)
        add_device(made)
        add_on(made)
    going_on = command("resume", "continue a plan's runs that are not finished")
    going_on.set_defaults(action=resume)
    going_on.add_argument("plan", metavar="PLAN", help="the plan's name, or its file")
    add_device(going_on)
    add_on(going_on)


def add_on(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--on",
        metavar="CLUSTER",
        help="have other machines work on the runs, several at once: ray (a cluster begun here), ray:HOST:PORT, "
        "ray:auto, slurm or slurm:PARTITION; with a comma, each run's share: ray,cpus=2,gpus=1",
    )


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    kind = FAMILIES["plans"].entries[arguments.kind]
    given = {option: value for option in kind.model_fields if (value := getattr(arguments, option)) is not None}
    made = validated(kind, given)
    if not arguments.dry_run:
        runs.refuse_unwritable()
    refuse_unknown(arguments.on)
    device = device_for(arguments.device)
    title, steps = plans.laid_out(made, [configuration(arguments, options)], arguments.name)
    with waiting("reading the data"):
        steps = plans.settled(steps)
    with waiting("timing a few steps of each kind of run"):
        estimate = plans.estimate(
            [step.config for step in steps],
            lambda configs: [plans.timed(config, device, arguments.threads) for config in configs],
        )
    print(foreseen(steps, estimate), file=sys.stdout if arguments.dry_run else sys.stderr)
    tell({str(note): note for step in steps for note in step.config.model.advice(step.config)}.values())
    if arguments.dry_run:
        return 0
    path = plans.create(made, title, steps)
    print(path, flush=True)
    return work_through(path, device, arguments.threads, arguments.on)


def refuse_unknown(on: str | None) -> None:
    """Raises SeglabError where runs cannot be worked on there."""
    if on:
        jobs.on(on)


def foreseen(steps: Sequence[plans.Step], estimate: plans.Estimate) -> str:
    """A plan's runs before they begin, one a line, and how long they may take."""
    numbers = {step.directory: n for n, step in enumerate(steps, 1)}
    wide = max(len(step.label) for step in steps)
    lines = []
    for step, seconds in zip(steps, estimate.seconds, strict=True):
        after = "".join(f"  after run {numbers[run]}" for run in step.config.needs if run in numbers)
        lines.append(f"{numbers[step.directory]:>3}  {step.label:<{wide}}  about {duration(seconds):>9}{after}")
    how = "a few steps of each kind of run, just now" if estimate.timed else "finished runs with the same settings"
    return "\n".join([*lines, f"{len(steps)} runs, about {duration(sum(estimate.seconds))} together, judging by {how}"])


def resume(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    runs.refuse_unwritable()
    refuse_unknown(arguments.on)
    return work_through(plans.find(arguments.plan), device_for(arguments.device), arguments.threads, arguments.on)


def work_through(path: Path, device: str, threads: int, on: str | None = None) -> int:
    """Works on a plan's runs, here or elsewhere; one that fails does not keep those from going on that do not need
    it."""
    members, title = plans.members(path), shlex.quote(path.name.removesuffix(runs.PLAN))
    again = f"python -m seglab plan resume {title}" + (f" --on {shlex.quote(on)}" if on else "")
    if on:
        with interruptible() as interrupted:
            jobs.deal(on, [directory for directory, _ in members], interrupted)
    else:
        one_by_one(members, device, threads)
    states = [(label, runs.status(directory).state) for directory, label in members]
    if any(state == "stopped" for _, state in states):
        print(f"seglab: to go on with the plan: {again}", file=sys.stderr)
        return 0
    left = [label for label, state in states if state not in ("completed", "budget")]
    if left:
        print(f"seglab: not finished: {'; '.join(left)}", file=sys.stderr)
        print(f"seglab: to try again: {again}", file=sys.stderr)
        return 1
    print(f"seglab: to compare: python -m seglab compare {title}", file=sys.stderr)
    return 0


def one_by_one(members: Sequence[tuple[Path, str]], device: str, threads: int) -> None:
    """Works on these runs in this process, until all are over or one is stopped."""
    for number, (directory, label) in enumerate(members, 1):
        if runs.status(directory).state in FOR_GOOD:
            continue
        print(f"seglab: run {number} of {len(members)}: {label}", file=sys.stderr)
        try:
            unfinished = jobs.awaited(directory)
        except SeglabError as why:
            print(f"seglab: {why}", file=sys.stderr)
            jobs.fail(directory, why)
            continue
        if unfinished:
            print(f"seglab: {unfinished[0].name} has to be finished first", file=sys.stderr)
            continue
        try:
            follow(directory, device, threads, unstop=True)
        except SeglabError as error:
            print(f"seglab: {error}", file=sys.stderr)
        except Exception as error:  # the run has recorded it; the others may do better
            print(f"seglab: {type(error).__name__}: {error}", file=sys.stderr)
        if runs.status(directory).state == "stopped":
            return
