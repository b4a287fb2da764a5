"""Label photographs with a run's best model."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglab import runs
from seglab.cli.options import add_predictors, output_folder, pipeline
from seglab.cli.show import bar
from seglab.errors import SeglabError

if TYPE_CHECKING:
    from seglab.families import Predictor
    from seglab.model import Trained

MOST_MEGAPIXELS = 128  # of a photograph that is labeled


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument(
        "images",
        nargs="+",
        type=Path,
        metavar="IMAGE",
        help="a photograph, or a folder of them; folders within it are not looked into",
    )
    parser.add_argument(
        "--out",
        type=output_folder,
        required=True,
        metavar="DIR",
        help="folder for the label maps, overlays and instance maps",
    )
    add_predictors(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    predictors = pipeline(arguments, options)
    directory, *other = [runs.find(each) for each in (arguments.run, *arguments.others)]
    photographs, problems = found(arguments.images)
    refuse_overwriting(photographs, arguments.out)
    if photographs:
        trained, others = runs.load(directory), [runs.load(run) for run in other]
        label = partial(labeled, trained=trained, others=others, predictors=predictors, out=arguments.out)
        refuse_unfit(trained, others, predictors)
        arguments.out.mkdir(parents=True, exist_ok=True)
    for path in bar(photographs, len(photographs), "image"):
        try:
            print(label(path), flush=True)
        except (SeglabError, OSError) as error:  # the others may be sound
            named = str(path) in str(error)
            problems.append(error if named else SeglabError("{file}: {reason}", file=str(path), reason=error))
    for problem in problems:
        print(f"seglab: {problem}", file=sys.stderr)
    return 2 if problems else 0


def found(paths: Sequence[Path]) -> tuple[list[Path], list[Exception]]:
    """The photographs at these paths, a folder's in the order of their names; and what is wrong with the others."""
    from seglab.data.images import SUFFIXES

    photographs: list[Path] = []
    problems: list[Exception] = []
    for path in paths:
        if path.is_dir():
            inside = [each for each in sorted(path.iterdir()) if each.is_file() and not each.name.startswith(".")]
            images = [each for each in inside if each.suffix.lower() in SUFFIXES]
            photographs += images
            if not images:
                problems.append(
                    SeglabError(
                        "{folder}: there are no images in it; allowed: {endings}; folders within it are not looked "
                        "into",
                        folder=str(path),
                        endings=", ".join(sorted(SUFFIXES)),
                    )
                )
        elif path.exists():
            photographs.append(path)
        elif set("*?[") & set(str(path)):
            problems.append(SeglabError("{pattern}: no file matches this pattern", pattern=str(path)))
        else:
            problems.append(SeglabError("{file}: there is no such file", file=str(path)))
    return photographs, problems


def refuse_overwriting(photographs: Sequence[Path], out: Path) -> None:
    """Raises SeglabError where a result would take the place of a photograph, or of another one's result."""
    made: dict[Path, Path | None] = {path.resolve(): None for path in photographs}
    for path in photographs:
        for target in targets(out, path):
            if (other := made.get(target.resolve(), path)) is None:
                raise SeglabError(
                    "{file} would overwrite {target}; give another --out", file=str(path), target=str(target)
                )
            if target.resolve() in made:
                raise SeglabError(
                    "{file} would overwrite {target}, which is made of {other}; rename one, or give them to separate "
                    "commands with an --out each",
                    file=str(path),
                    target=str(target),
                    other=str(other),
                )
            made[target.resolve()] = path


def refuse_unfit(trained: Trained, others: Sequence[Trained], predictors: Sequence[Predictor]) -> None:
    """Raises SeglabError for models that cannot vote together or that a predictor cannot change."""
    from seglab import prediction

    for other in others:
        prediction.can_vote(trained.name, trained.classes, other.name, other.classes)
    for each in (trained, *others):
        prediction.adapted(each, predictors)


def labeled(
    path: Path, trained: Trained, others: Sequence[Trained], predictors: Sequence[Predictor], out: Path
) -> Path:
    """Writes what is predicted for a photograph; gives the file of its label map."""
    from PIL import Image

    from seglab import draw, prediction
    from seglab.data.images import labels_at, read_photo
    from seglab.data.masks import write_mask

    image = read_photo(path, str(path), MOST_MEGAPIXELS, trained.span)
    height, width = image.shape[:2]
    small = prediction.bounded(image, len(trained.classes))
    made = prediction.predict(trained, small, predictors, others)
    labels = labels_at(made.labels, height, width)
    map_file, overlay_file, instances_file = targets(out, path)
    write_mask(map_file, labels, trained.colors)
    overlay = draw.overlay(image, labels, trained.colors)
    if made.instances is not None:
        instances = labels_at(made.instances, height, width)
        overlay = draw.outlined(overlay, instances)
        Image.fromarray(instances.astype(np.uint16)).save(instances_file)
    Image.fromarray(overlay).save(overlay_file)
    return map_file


def targets(out: Path, image: Path) -> tuple[Path, Path, Path]:
    """The label map and the overlay of an image, and where a model finds any, its things' numbers with 16 bits."""
    stem = image.stem
    return out / f"{stem}.png", out / f"{stem}_overlay.png", out / f"{stem}_instances.png"
