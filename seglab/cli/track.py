"""Hand on what runs have reported: as CSV, to TensorBoard, or to Trackio."""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from seglab import plans
from seglab.cli.options import output_folder
from seglab.comparison import cautions, compare, curves_csv
from seglab.errors import SeglabError, tell

STANDARD = Path("-")


def arguments(parser: argparse.ArgumentParser) -> None:
    from seglab.tracking import PROJECT, SINKS

    parser.add_argument("runs", nargs="+", metavar="RUN", help="a run, or a plan, which stands for its runs")
    parser.add_argument("--to", required=True, choices=SINKS, help="what to write")
    parser.add_argument(
        "--out",
        type=folder,
        metavar="DIR",
        help="the folder to write into; for csv, `-` prints one table of all runs (default for csv: -)",
    )
    parser.add_argument("--project", metavar="NAME", help=f"Trackio's project (default: {PROJECT})")


def folder(text: str) -> Path:
    return STANDARD if text == "-" else output_folder(text)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from seglab import tracking

    refuse_unfit(arguments)
    directories = plans.expanded(arguments.runs)
    if arguments.to == "csv" and arguments.out in (None, STANDARD):
        sys.stdout.write(curves_csv(*directories))
        return 0
    if arguments.to == "trackio":
        project = arguments.project or tracking.PROJECT
        tracking.to_trackio(directories, project)
        print(*(directory.name for directory in directories), sep="\n")
        print(f"to look at them: trackio show --project {shlex.quote(project)}")
        return 0
    if arguments.to == "tensorboard":
        written = tracking.to_tensorboard(directories, arguments.out)
        print(*written, f"to look at them: tensorboard --logdir {shlex.quote(str(arguments.out))}", sep="\n")
        return 0
    print(*tracking.to_csv(directories, arguments.out), sep="\n")
    tell(cautions(compare(directories)))
    return 0


def refuse_unfit(arguments: argparse.Namespace) -> None:
    """Raises SeglabError for options that do not go together."""
    if arguments.to == "tensorboard" and arguments.out in (None, STANDARD):
        raise SeglabError("--to tensorboard needs a folder to write into: --out DIR")
    if arguments.to == "trackio" and arguments.out is not None:
        raise SeglabError("--out is for csv and tensorboard; Trackio keeps its own store, which TRACKIO_DIR names")
    if arguments.to != "trackio" and arguments.project is not None:
        raise SeglabError("--project is for trackio alone")
