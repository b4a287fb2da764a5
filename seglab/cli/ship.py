"""Take a finished run away: as a zip or a folder, without what is private.

No folder of this machine leaves it. Of private data, which is all but seglab's own and the public sets, neither do
names of images nor pictures unless they are asked for. `seglab bring` takes such a zip in.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from seglab import runs, travel


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "--out", type=Path, required=True, metavar="PATH", help="the folder or, with .zip, the zip to make"
    )
    add_private(parser)


def add_private(parser: argparse.ArgumentParser) -> None:
    """Adds the options by which what is private leaves all the same."""
    parser.add_argument("--with-names", "--with_names", action="store_true", help="keep the names of private images")
    parser.add_argument(
        "--with-pictures",
        "--with_pictures",
        action="store_true",
        help="keep masks, predictions and probabilities of private images",
    )


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory = runs.find(arguments.run)
    for each in travel.take(directory, arguments.out, arguments.with_names, arguments.with_pictures):
        print(f"seglab: {each}", file=sys.stderr)
    print(arguments.out)
    return 0
