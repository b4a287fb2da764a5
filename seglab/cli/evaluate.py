"""Score a run's best model."""

from __future__ import annotations

import argparse
import json
import sys

from seglab import runs
from seglab.api.scoring import opened, score
from seglab.cli.options import add_predictors, pipeline
from seglab.cli.show import waiting


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--split", default="val", choices=["train", "search", "val"], help="(default: val)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_predictors(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    predictors = pipeline(arguments, options)
    trained, others = runs.load(arguments.run), [runs.load(run) for run in arguments.others]
    with waiting("reading the data"):
        data = opened(trained)
    found = score(trained, data, arguments.split, predictors, others)
    for warning in found.warnings:
        print(f"seglab: warning: {warning}", file=sys.stderr)
    print(json.dumps(found.as_json(), indent=1, ensure_ascii=False) if arguments.json else found)
    return 0
