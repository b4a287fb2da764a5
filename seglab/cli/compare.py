"""Compare runs side by side."""

from __future__ import annotations

import argparse
import json
import sys

from seglab import draw, plans
from seglab.cli.options import figure
from seglab.cli.show import score, tell
from seglab.comparison.scores import Comparison, Group, cautions, compare


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


def board(comparison: Comparison) -> str:
    """A line for each run, for each group of runs, the table of a sweep over two options, and what differs."""
    wide = max(map(len, comparison.labels)) + 2
    lines = []
    for label, row in zip(comparison.labels, comparison.rows, strict=True):
        size = "-" if row.parameters is None else f"{row.parameters:,}"
        lines.append(
            f"{label:<{wide}}{row.state:<12}mIoU {score(row.miou):<8}{size:>12} parameters{row.seconds:>8.0f} s"
        )
    lines += [f"{group.label}{' with a leak' * group.leak}: {spread_of(group)}" for group in comparison.groups]
    lines += [table_of(comparison)] if comparison.grid else []
    lines += [f"  {option}: {' | '.join(map(str, values))}" for option, values in comparison.differences.items()]
    return "\n".join(lines)


def spread_of(group: Group) -> str:
    """A group's mean mIoU over its runs, and how far they spread."""
    if group.mean is None:
        return "mean mIoU - (n = 0)"
    spread = "" if group.deviation is None else f" ± {group.deviation:.4f}"
    return f"mean mIoU {group.mean:.4f}{spread} (standard deviation, n = {group.count})"


def table_of(comparison: Comparison) -> str:
    """The mIoU of a sweep over two options, the one downwards and the other to the right."""
    grid = comparison.grid
    assert grid
    scores = [[*map(score, row)] for row in grid.scores(comparison.rows)]
    lines = [[f"{grid.down} \\ {grid.right}", *map(str, grid.columns)]]
    lines += [[str(value), *row] for value, row in zip(grid.lines, scores, strict=True)]
    wide = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join("  ".join(f"{cell:>{w}}" for cell, w in zip(line, wide, strict=True)) for line in lines)
