"""Compare runs side by side; with --crf or --predictors, one run before and after them, or two after them."""

from __future__ import annotations

import argparse
import json
import sys

from seglab import draw, plans
from seglab.api.comparing import board, difference, times_of
from seglab.cli.options import add_chain, figure, page, pipeline
from seglab.cli.show import counting
from seglab.comparison.grids import grid
from seglab.comparison.pairs import Pair, pair_of
from seglab.comparison.scores import cautions, compare
from seglab.errors import SeglabError, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run, or a plan, which stands for its runs")
    parser.add_argument(
        "--json",
        action="store_true",
        help="as JSON, with the curves, and every number of the difference of two sides, or of the grid of more",
    )
    add_chain(parser)
    parser.add_argument("--png", type=figure, metavar="FILE", help="draw the curves")
    parser.add_argument("--html", type=page, metavar="FILE", help="write a report of two sides, to be opened anywhere")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    predictors = pipeline(arguments, options)
    directories = plans.expanded(arguments.runs)
    comparison = compare(directories)
    pair, settings = pair_of(comparison, directories, predictors), grid(comparison, directories)
    if predictors and not pair:
        raise SeglabError("--crf and --predictors are for one side, before and after them, or for two, both after them")
    if pair:
        computed(pair)
    if arguments.png:
        tell(draw.save(draw.curves(comparison), arguments.png, dpi=120))
    if arguments.html:
        arguments.html.write_text(report_of(pair), encoding="utf-8")
    if arguments.json:
        beyond = {"pair": pair and pair.as_json(), "grid": settings and settings.as_json()}
        print(json.dumps(comparison.as_json() | beyond, indent=1, ensure_ascii=False))
        return 0
    print(board(comparison, settings, times_of(comparison, directories)))
    lines, wrong = difference(pair) if pair else ([], [])
    print("".join(f"{line}\n" for line in lines), end="")
    for warning in [*wrong, *cautions(comparison)]:
        print(f"seglab: {warning}", file=sys.stderr)
    return 0


def report_of(pair: Pair | None) -> str:
    """Two sides as one file."""
    from seglab.ui.parts.lab import Laboratory  # imports the page
    from seglab.ui.parts.report import report
    from seglab.ui.text import ENGLISH

    if pair is None:
        raise SeglabError("--html is for two sides that were scored on the same images")
    lab = Laboratory(pair)
    for _ in lab.borders.run():
        pass  # a page would not wait for so long
    return report(lab, ENGLISH)


def computed(pair: Pair) -> None:
    """Computes what predictors make of the sides, where that is not kept; shows how far it is."""
    for side in (pair.a, pair.b):
        for reading in side.readings:
            counting(reading.compute(), side.name)
