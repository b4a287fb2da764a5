"""Take in a run that `seglab ship` made a zip of, with suspicion, and print its directory.

Nothing in the zip is executed: weights are safetensors, and everything else is checked and written anew.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from seglab import runs
from seglab.errors import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE.zip")
    parser.add_argument("--name", help="the run's name here (default: the one it had, numbered where it is taken)")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory, notes = runs.bring(arguments.file, arguments.name)
    tell(notes)
    print(directory)
    return 0
