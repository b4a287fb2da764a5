"""Delete runs, after asking."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seglab import plans, runs
from seglab.errors import SeglabError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run, or a plan, which goes with its runs")
    parser.add_argument("--yes", action="store_true", help="do not ask")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directories = plans.expanded(arguments.runs, fetch=False)
    files = [plans.find(name) for name in arguments.runs if plans.is_plan(name)]
    for directory in directories:
        runs.refuse_removal(directory)
        runs.refuse_unwritable(directory)
    if not arguments.yes and not agreed(directories):
        print("seglab: nothing was deleted", file=sys.stderr)
        return 1
    for directory in directories:
        plans.remove(directory)
    with runs.writing(runs.home()):
        for file in files:
            file.unlink(missing_ok=True)  # it went with its last run
    return 0


def agreed(directories: list[Path]) -> bool:
    """Whether whoever is asked says yes to deleting these runs and all that was kept of them."""
    if not sys.stdin.isatty():
        raise SeglabError("rm asks before it deletes, and nobody can answer here; give --yes")
    for directory in directories:
        users = [other.name for other in runs.every() if other not in directories and runs.uses(other, directory)]
        print(f"{directory}" + (f"  (needed by {', '.join(users)})" if users else ""))
    try:
        return input(f"Delete {len(directories)} run(s) for good? [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
