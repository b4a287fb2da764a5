"""Open a data source and report its contents and problems."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglab.cli.options import drawing, refuse_others
from seglab.cli.show import bar, waiting
from seglab.config import RunConfig, configured
from seglab.data.base import Data, Sample, spread
from seglab.errors import SeglabError

if TYPE_CHECKING:
    from seglab.data.survey import Survey

MOST_PROBLEMS = 50  # of a data source that are printed
SHOWN = 16  # images on a sheet


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(dotted=True)
    parser.add_argument("--data", required=True, help="the data source, such as folder; options: --data.root DIR")
    parser.add_argument(
        "--download", action="store_true", help="download it first: voc2012, oxford_pet, camvid, or hub with "
        "--data.id; an interrupted download continues")  # fmt: skip
    parser.add_argument("--sheet", type=drawing, metavar="FILE", help="draw 16 validation images with their masks; "
        "with --techniques, 16 training images, each followed by its augmented version")  # fmt: skip
    parser.add_argument(
        "--border",
        type=drawing,
        metavar="FILE",
        help="draw them with the borders that the loss border_weighted emphasizes",
    )
    parser.add_argument("--loss", help="the loss whose borders are drawn (default: border_weighted); options: "
        "--loss.sigma 2")  # fmt: skip
    parser.add_argument("--techniques", help="what to draw on the sheet, such as crop,cutmix; options: "
        "--techniques.crop.p 1")  # fmt: skip
    parser.add_argument("--image_size", default=128, help="their longer side in training (default: 128)")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    config = configuration(arguments, options)
    if arguments.download:
        download(config)
    found = reported(config)
    if found is None:
        return 2
    if arguments.sheet:
        save(arguments.sheet, sheet(config, found))
    if arguments.border:
        save(arguments.border, borders(config, found))
    return 0


def configuration(arguments: argparse.Namespace, options: dict[str, str]) -> RunConfig:
    """What is to be opened and drawn; raises SeglabError for options that would have no effect."""
    refuse_others(options, "--data.OPTION, --loss.OPTION, --techniques.NAME.OPTION", "data", "loss", "techniques")
    if not arguments.border and (arguments.loss or any(option.startswith("loss.") for option in options)):
        raise SeglabError("--loss needs --border FILE, to which the borders it emphasizes are drawn")
    given = {"data": arguments.data, "techniques": arguments.techniques or "", "image_size": arguments.image_size}
    if arguments.border:
        given["loss"] = arguments.loss or "border_weighted"
    config = configured(given, options)
    if config.techniques and not arguments.sheet:
        raise SeglabError("--techniques needs --sheet FILE, to which they are drawn")
    if arguments.border and not config.loss.weight_map:
        raise SeglabError("--border: the loss {loss} emphasizes no borders; border_weighted does", loss=arguments.loss)
    return config


def download(config: RunConfig) -> None:
    print(f"seglab: it is in {config.data.download()}", file=sys.stderr)


def reported(config: RunConfig) -> Data | None:
    """Prints what the source holds and what is wrong with it; gives its data, or None where some of it is wrong."""
    from seglab.data import folder, survey
    from seglab.loader import Cached

    if isinstance(config.data, folder.Folder):
        with waiting("reading the data"):
            report = config.data.report()
        print(report.text())
        if report.rows:
            return None
    try:
        with waiting("reading the data"):
            found = config.data.open()
    except SeglabError as error:
        for problem in error.each[:MOST_PROBLEMS]:
            print(f"wrong: {problem}")
        raise
    print(f"{len(found.train)} training, {len(found.search)} search and {len(found.val)} validation images")
    print(f"{len(found.classes)} classes: {', '.join(found.classes)}")
    if isinstance(config.data, folder.Folder):
        with waiting("shrinking the masks"):
            lost = Cached(found.train, config.image_size, forget=True, looked=len(found.train)).lost(found.classes)
        print("".join(f"warning: {warning}\n" for warning in lost), end="")
        return found
    print("".join(f"{how}\n" for how in found.found), end="")
    seen = survey.survey(found, each=lambda places, count: bar(places, count, "image"), side=config.image_size)
    print(surveyed(found.classes, seen))
    return None if seen.wrong else found


def sheet(config: RunConfig, data: Data) -> list[tuple[Sample, np.ndarray]]:
    """Validation images with their masks; with techniques, training images before and after them."""
    from seglab import draw
    from seglab.preview import preview

    shown = [data.val[n] for n in spread(len(data.val), SHOWN)]
    if config.techniques:
        shown = [sample for before, after, _ in preview(config, SHOWN)[1] for sample in (before, after)]
    return [(sample, draw.painted(sample.mask, data.colors)) for sample in shown]


def borders(config: RunConfig, data: Data) -> list[tuple[Sample, np.ndarray]]:
    """Validation images as training sees them, with the borders that the loss weighs more."""
    from seglab import draw
    from seglab.loader import at_side

    loss = config.loss
    assert loss.weight_map  # only such a loss has borders to show
    shown = [at_side(data.val[n], config.image_size) for n in spread(len(data.val), SHOWN)]
    return [(each, draw.glowing(each.image, loss.targets(each)[loss.weight_map][..., 0])) for each in shown]


def save(file: Path, pairs: Sequence[tuple[Sample, np.ndarray]]) -> None:
    from PIL import Image

    from seglab import draw

    Image.fromarray(draw.contact_sheet([(sample.image, picture) for sample, picture in pairs])).save(file)


def surveyed(classes: Sequence[str], seen: Survey) -> str:
    """Sizes, class shares, warnings and wrong files, one thing a line."""
    sizes = [f"{width} x {height} ({count} images)" for (width, height), count in seen.sizes[:5]]
    lines = ["sizes: " + ", ".join(sizes) + ", …" * (len(seen.sizes) > 5), f"void: {seen.void:.1%} of all pixels"]
    wide = max(map(len, classes))
    lines.append(f"{'labeled pixels':>{wide + 5}}{''.join(f'{part:>9}' for part in seen.shares)}    masks that show it")
    for index, (name, images) in enumerate(zip(classes, seen.images, strict=True)):
        shares = "".join(f"{shares[index]:>9.1%}" for shares in seen.shares.values())
        lines.append(f"{index:>4} {name:<{wide}}{shares} {images:>8}")
    lines += [f"warning: {warning}" for warning in (*seen.warnings, *seen.lost)]
    lines += [f"wrong: {problem}" for problem in seen.wrong[:MOST_PROBLEMS]]
    return "\n".join([*lines, f"problems: {len(seen.wrong)}"])
