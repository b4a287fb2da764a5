"""Compare runs side by side."""

from __future__ import annotations

import argparse
import json
import sys

from seglab import draw, plans
from seglab.api.comparing import board
from seglab.api.following import tell
from seglab.cli.options import figure
from seglab.comparison.scores import cautions, compare


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run, or a plan, which stands for its runs")
    parser.add_argument("--json", action="store_true", help="as JSON, with the curves")
    parser.add_argument("--png", type=figure, metavar="FILE", help="draw the curves")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    comparison = compare(plans.expanded(arguments.runs))
    if arguments.png:
        tell(draw.save(draw.curves(comparison), arguments.png, dpi=120))
    print(json.dumps(comparison.as_json(), indent=1, ensure_ascii=False) if arguments.json else board(comparison))
    for warning in () if arguments.json else cautions(comparison):
        print(f"seglab: {warning}", file=sys.stderr)
    return 0
