"""Score a run's best model."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from seglab import metrics, prediction, runs
from seglab.cli.options import add_predictors, pipeline
from seglab.cli.show import bar, score, waiting
from seglab.data.base import Data, Split
from seglab.errors import SeglabError
from seglab.evaluation import number
from seglab.model import Trained


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--split", default="val", choices=["train", "search", "val"], help="(default: val)")
    parser.add_argument("--json", action="store_true", help="as JSON")
    add_predictors(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    predictors = pipeline(arguments, options)
    trained, others = runs.load(arguments.run), [runs.load(run) for run in arguments.others]
    with waiting("reading the data"):
        data = runs.opened(trained.directory)
    if data.classes != trained.classes:
        raise SeglabError("the classes of {run} no longer match those of its data", run=trained.name)
    split = getattr(data, arguments.split)
    for warning in warnings(trained, data, split if arguments.split != "train" else None):
        print(f"seglab: warning: {warning}", file=sys.stderr)
    rest = [predictor for predictor in predictors if predictor.name != "crf"]
    pipelines = [rest, predictors] if len(rest) < len(predictors) else [predictors]
    matrices = sum(bar(prediction.confusions(trained, split, pipelines, others), len(split), "image"))

    def result(matrix: np.ndarray) -> dict[str, Any]:
        iou = dict(zip(trained.classes, map(number, metrics.iou(matrix)), strict=True))
        return {
            "miou": number(metrics.miou(matrix)),
            "iou": iou,
            "pixel_accuracy": number(metrics.pixel_accuracy(matrix)),
        }

    found = result(matrices[0]) | {"images": len(split), "definition": metrics.DEFINITION}
    if len(matrices) == 2:
        found["crf"] = result(matrices[1])
    print(json.dumps(found, indent=1, ensure_ascii=False) if arguments.json else scored(found))
    return 0


def warnings(trained: Trained, data: Data, held: Split | None) -> list[SeglabError]:
    """What the source warns of, other values of deep photographs than in training, and the images of `held` that the
    model was trained on."""
    known = runs.learned(trained.directory)
    learned = [image for image in held.images if runs.picture(image) in known] if held else []
    found = list(data.warnings)
    if data.span and data.span != trained.span:
        found.append(
            SeglabError(
                "the values from {now} of the photographs are shown as black to white, but {run} was trained with "
                "others ({then}): the scores are not its own",
                now="–".join(map(str, data.span)),
                then="–".join(map(str, trained.span or "?")),
                run=trained.name,
            )
        )
    if held and learned:
        found.append(
            SeglabError(
                "{count} of the {all} images were learned from by {run}, or by runs that its weights come from: the "
                "scores are too high",
                count=len(learned),
                all=len(held),
                run=trained.name,
            )
        )
    return found


def scored(found: dict[str, Any]) -> str:
    """The result of `evaluate` as a small table, with a second column after the CRF."""
    columns = [found, *([found["crf"]] if "crf" in found else [])]

    def line(name: str, values: Sequence[float | None]) -> str:
        return f"{name:<18}" + "".join(f"{score(value):>10}" for value in values)

    lines = [f"{'':<18}" + "".join(f"{title:>10}" for title in ("plain", "crf")[: len(columns)])]
    lines += [line(name, [column[name] for column in columns]) for name in ("miou", "pixel_accuracy")]
    lines += [line(f"  {name}", [column["iou"][name] for column in columns]) for name in found["iou"]]
    return "\n".join([*lines, f"{found['images']} images. {found['definition']}"])
