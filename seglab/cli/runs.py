"""List the runs, the newest first, then the kept ones and those that come with seglab."""

from __future__ import annotations

import argparse
import json

from seglab import runs
from seglab.api.runs import known, table


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    found = [known(directory) for directory in runs.every()]
    print(json.dumps(found, indent=1, ensure_ascii=False) if arguments.json else table(found))
    return 0
