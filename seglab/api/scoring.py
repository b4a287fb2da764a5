"""A run's best model scored anew: other predictors, another split, other data."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from seglab import metrics, prediction, runs
from seglab.api import html
from seglab.data.base import PARTS, Data, Split
from seglab.entry import REASONS, validated
from seglab.errors import SeglabError
from seglab.evaluation import number
from seglab.families import Dataset, Predictor
from seglab.model import Trained


@dataclass(frozen=True)
class Scores:
    """mIoU, IoU by class (None for one in neither truth nor prediction) and pixel accuracy, over so many images; after
    the CRF too, where one was asked for."""

    miou: float | None
    iou: dict[str, float | None]
    pixel_accuracy: float | None
    images: int
    crf: Scores | None = None
    warnings: tuple[SeglabError, ...] = field(default=(), compare=False)

    @property
    def columns(self) -> dict[str, Scores]:
        return {"plain": self} | ({"crf": self.crf} if self.crf else {})

    def rows(self) -> list[list[Any]]:
        """Names with their scores, before and after the CRF."""
        columns = self.columns.values()
        head = [[name, *(getattr(each, name) for each in columns)] for name in ("miou", "pixel_accuracy")]
        return head + [[f"  {name}", *(each.iou[name] for each in columns)] for name in self.iou]

    def as_json(self) -> dict[str, Any]:
        """The scores with how they are defined, and those after the CRF below `crf`."""
        after = {"crf": self.crf.numbers()} if self.crf else {}
        return self.numbers() | {"images": self.images, "definition": metrics.DEFINITION} | after

    def numbers(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("miou", "iou", "pixel_accuracy")}

    def __str__(self) -> str:
        def line(name: str, values: Sequence[Any]) -> str:
            return f"{name:<18}" + "".join(f"{html.text(value):>10}" for value in values)

        titles = f"{'':<18}" + "".join(f"{title:>10}" for title in self.columns)
        lines = [titles, *(line(name, values) for name, *values in self.rows())]
        return "\n".join([*lines, f"{self.images} images. {metrics.DEFINITION}"])

    def __repr__(self) -> str:
        after = f", {html.text(self.crf.miou)} after the CRF" if self.crf else ""
        return f"<seglab scores: mIoU {html.text(self.miou)}{after}, {self.images} images>"

    def _repr_html_(self) -> str:
        under = html.title("", f"{self.images} images. {metrics.DEFINITION}")
        return html.table(self.rows(), ["", *self.columns]) + under + html.notes(self.warnings)


def opened(trained: Trained, data: Any = None) -> Data:
    """The run's own data, or other data. Raises SeglabError where its classes are others than the run's."""
    if data is None:
        found = runs.opened(trained.directory)
        if found.classes != trained.classes:
            raise SeglabError("the classes of {run} no longer match those of its data", run=trained.name)
        return found
    source = validated(Dataset, data)
    found = source.open()
    if found.classes != trained.classes:
        raise SeglabError(
            "{data} has the classes {given}, but {run} learned {own}; they have to be the same, in the same order",
            data=source.name,
            given=", ".join(found.classes),
            run=trained.name,
            own=", ".join(trained.classes),
        )
    return found


def score(
    trained: Trained,
    data: Data,
    split: str,
    predictors: Sequence[Predictor],
    others: Sequence[Trained] = (),
    progress: bool = True,
    own: bool = True,
) -> Scores:
    """The model's scores on a split, and after the CRF where that is among the predictors; `own`: it is the run's own
    data, whose training images are meant to be known."""
    if split not in PARTS:
        raise SeglabError(REASONS["literal_error"], thing="split", value=repr(split), expected=", ".join(PARTS))
    images: Split = getattr(data, split)
    rest = [predictor for predictor in predictors if predictor.name != "crf"]
    pipelines = [rest, predictors] if len(rest) < len(predictors) else [predictors]
    matrices = sum(seen(prediction.confusions(trained, images, pipelines, others), len(images), progress))
    told = tuple(warnings(trained, data, None if own and split == "train" else images))
    plain, *refined = (of_matrix(trained.classes, matrix, len(images)) for matrix in matrices)
    return Scores(plain.miou, plain.iou, plain.pixel_accuracy, len(images), next(iter(refined), None), told)


def of_matrix(classes: Sequence[str], matrix: np.ndarray, images: int) -> Scores:
    iou = dict(zip(classes, map(number, metrics.iou(matrix)), strict=True))
    return Scores(number(metrics.miou(matrix)), iou, number(metrics.pixel_accuracy(matrix)), images)


def seen(things: Iterator[Any], total: int, progress: bool) -> Any:
    """The things, with a bar where they take more than two seconds."""
    from tqdm import tqdm

    return tqdm(things, total=total, unit="image", delay=2, dynamic_ncols=True, disable=None if progress else True)


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
