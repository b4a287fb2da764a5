"""Put a finished run on the Hugging Face Hub, without what is private.

Says first what leaves this machine and who will see it. What goes is what `seglab ship` takes away, with a card; on any
machine the run is then named hf:OWNER/NAME. Needs a login: `hf auth login`, or HF_TOKEN.
"""

from __future__ import annotations

import argparse
import sys

from seglab import runs, travel
from seglab.cli.ship import add_private


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("repository", metavar="OWNER/NAME", help="made where it is not there; another run is replaced")
    parser.add_argument("--private", action="store_true", help="make a repository that only its owner sees")
    parser.add_argument("--license", metavar="ID", help="such as mit, apache-2.0 or cc-by-4.0 (default: none)")
    parser.add_argument(
        "--dry-run", "--dry_run", action="store_true", help="only say what would leave and who would see it"
    )
    add_private(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    directory = runs.find(arguments.run)
    aim = travel.aimed(arguments.repository, arguments.private)
    private = arguments.with_names, arguments.with_pictures
    for each in (*travel.leaving(directory, *private), *travel.outlook(aim, arguments.license)):
        print(f"seglab: {each}", file=sys.stderr, flush=True)
    if not arguments.dry_run:
        print(travel.push(directory, aim, *private, arguments.license))
    return 0
