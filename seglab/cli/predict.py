"""Label photographs with a run's best model."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from seglab import runs
from seglab.cli.options import add_predictors, output_folder, pipeline
from seglab.cli.show import bar
from seglab.errors import SeglabError

MOST_MEGAPIXELS = 128  # of a photograph that is labeled
PREDICTED = 2**23  # pixels; a larger photograph is labeled at this size, its label map enlarged again


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("images", nargs="+", type=Path, metavar="IMAGE")
    parser.add_argument(
        "--out",
        type=output_folder,
        required=True,
        metavar="DIR",
        help="folder for the label maps, overlays and instance maps",
    )
    add_predictors(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from PIL import Image

    from seglab import draw, prediction
    from seglab.data.images import labels_at, read_photo, resize_image
    from seglab.data.masks import write_mask

    predictors = pipeline(arguments, options)
    trained, others = runs.load(arguments.run), [runs.load(run) for run in arguments.others]
    made: set[Path] = {path.resolve() for path in arguments.images}  # a photograph is never overwritten
    for path in arguments.images:
        for target in targets(arguments.out, path):
            if target.resolve() in made:
                raise SeglabError(
                    "{file} would overwrite {target}; give another --out", file=str(path), target=str(target)
                )
            made.add(target.resolve())
    arguments.out.mkdir(parents=True, exist_ok=True)
    for path in bar(arguments.images, len(arguments.images), "image"):
        image = read_photo(path, most=MOST_MEGAPIXELS, span=trained.span)
        height, width = image.shape[:2]
        small = resize_image(
            image, min(max(height, width), int(max(height, width) * (PREDICTED / (height * width)) ** 0.5))
        )
        found = prediction.predict(trained, small, predictors, others)
        labels = labels_at(found.labels, height, width)
        map_file, overlay_file, instances_file = targets(arguments.out, path)
        write_mask(map_file, labels, trained.colors)
        overlay = draw.overlay(image, labels, trained.colors)
        if found.instances is not None:
            instances = labels_at(found.instances, height, width)
            overlay = draw.outlined(overlay, instances)
            Image.fromarray(instances.astype(np.uint16)).save(instances_file)
        Image.fromarray(overlay).save(overlay_file)
        print(map_file)
    return 0


def targets(out: Path, image: Path) -> tuple[Path, Path, Path]:
    """The label map and the overlay of an image, and where a model finds any, its things' numbers with 16 bits."""
    stem = image.stem
    return out / f"{stem}.png", out / f"{stem}_overlay.png", out / f"{stem}_instances.png"
