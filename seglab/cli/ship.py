"""Copy a finished run with its weights in float16, to share it."""

from __future__ import annotations

import argparse
from pathlib import Path

from seglab import runs
from seglab.errors import SeglabError


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="the folder to create")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory = runs.find(arguments.run)
    if not runs.status(directory).over:
        raise SeglabError("{run} is not finished yet", run=directory.name)
    runs.refuse_unwritable(arguments.out)
    runs.ship(directory, arguments.out)
    return 0
