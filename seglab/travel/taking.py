"""A finished run taken away: shipped, with what a person opens beside it, as a folder or a zip."""

from __future__ import annotations

import os
import secrets
import shutil
import tempfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from seglab import draw, runs
from seglab.comparison import compare, curves_csv, scores_csv
from seglab.comparison.scores import Row
from seglab.comparison.tables import ENCODING
from seglab.data.base import spread
from seglab.entry import along, kinds_in
from seglab.errors import SeglabError
from seglab.metrics import DEFINITION
from seglab.travel.commands import CONFIG, command

README, CURVES, CURVES_CSV, SCORES_CSV, MASKS = "README.md", "curves.png", "curves.csv", "scores.csv", "masks.png"
LOOKED_AT = {CURVES: "Loss, mIoU and learning rate over the epochs", MASKS: "Masks: the truth beside the prediction"}
USE = (
    "```sh\nseglab bring FILE.zip\nseglab predict RUN photo.jpg --out masks\n```\n\n"
    "FILE.zip is the whole of this as a zip, RUN what `seglab bring` calls it."
)
MOST_MASKS = 8  # on one sheet
STORED = (".png", ".npz", ".safetensors")  # nothing is left to be pressed out of these


def take(directory: Path, target: Path, names: bool = False, pictures: bool = False) -> list[SeglabError]:
    """Writes a finished run to a new folder, or to a new zip where `target` ends in .zip, with curves, scores and masks
    to look at and the command that makes it again; gives what left, in sentences.

    `names` and `pictures`: whether those of private data go along. Raises SeglabError for a target that is there or
    cannot be written.
    """
    if target.exists():
        raise SeglabError("{target} already exists", target=str(target))
    runs.refuse_unwritable(target.parent)
    with runs.writing(target.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        if target.suffix.lower() != ".zip":
            return filled(directory, target, names, pictures)
        with tempfile.TemporaryDirectory(dir=target.parent, prefix=".seglab-") as beside:
            said = filled(directory, Path(beside) / directory.name, names, pictures)
            packed = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            try:
                folder = Path(beside) / directory.name
                inside = [path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()]
                pack(folder, sorted(inside), packed, f"{directory.name}/")
                os.replace(packed, target)
            finally:
                packed.unlink(missing_ok=True)
    return said


def filled(directory: Path, target: Path, names: bool, pictures: bool) -> list[SeglabError]:
    """Ships the run to a new folder and adds what a person opens."""
    what = runs.ship(directory, target, names, pictures)
    try:
        with along(tuple(kinds_in(runs.config(directory)))):  # the run's own entries stay, and are needed to read it
            row = show(target, what)
            (target / README).write_text(readme(directory, target, what, row, USE), encoding="utf-8")
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return leaving(directory, names, pictures)


def show(target: Path, what: runs.Shipped) -> Row:
    """Adds what a person looks at to a shipped run; gives its scores."""
    comparison = compare([target])
    draw.save(draw.curves(comparison), target / CURVES, dpi=120)
    (target / CURVES_CSV).write_text(curves_csv(target), encoding=ENCODING)
    (target / SCORES_CSV).write_text(scores_csv(comparison), encoding=ENCODING)
    sheet = masks(target) if what.pictures else None
    if sheet is not None:
        from PIL import Image

        Image.fromarray(sheet).save(target / MASKS)
    return comparison.rows[0]


def pack(folder: Path, names: Sequence[str], target: Path, top: str = "") -> None:
    """Zips files of a folder by their paths below it and `top`; no date, owner or right of a file goes along."""
    with zipfile.ZipFile(target, "x") as archive:
        for name in names:
            entry = zipfile.ZipInfo(f"{top}{name}")
            entry.compress_type = zipfile.ZIP_STORED if name.endswith(STORED) else zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            with open(folder / name, "rb") as source, archive.open(entry, "w") as file:
                shutil.copyfileobj(source, file)


def masks(directory: Path) -> np.ndarray | None:
    """uint8 (H, W, 3): the truth of some images beside what the best weights predict, in colors; None where a run has
    none of them."""
    evidence, colors = runs.Evidence(directory), runs.description(directory)["colors"]
    try:
        places = spread(len(evidence.names), MOST_MASKS)
        pairs = [(evidence.truth(place), evidence.labels(place)) for place in places]
    except SeglabError:  # of an older run
        return None
    return draw.contact_sheet([(draw.painted(a, colors), draw.painted(b, colors)) for a, b in pairs], columns=2)


# --- in words


def leaving(directory: Path, names: bool = False, pictures: bool = False) -> list[SeglabError]:
    """What leaves this machine with a run, and what stays, in sentences."""
    settings, known = runs.config(directory), runs.description(directory)
    what = runs.manifest(directory, names, pictures)
    found = [
        SeglabError(
            "these leave this machine: the configuration, scores and curves, the {count} class names, and the weights",
            count=len(known["classes"]),
        )
    ]
    if known.get("pictures"):  # older runs have none
        found.append(
            SeglabError(
                "so do hashes of the images, which show nothing of them: whoever has the same image can tell that it "
                "was used, so that images in both training and validation are found elsewhere, too"
            )
        )
    if settings != runs.emptied(settings):
        found.append(SeglabError("no folders leave it: data.root, init_from and teachers are left empty"))
    if not what.private:
        return [*found, SeglabError("the data is public: names of images, masks and predictions go along")]
    count = len(set().union(*known["images"].values()))
    if what.names:
        found.append(
            SeglabError("the data is private; the names of its {count} images leave this machine", count=count)
        )
    else:
        found.append(SeglabError("the data is private: its {count} images have numbers instead of names", count=count))
    if what.pictures:
        found.append(SeglabError("masks, predictions and probabilities of private images leave this machine"))
    else:
        found.append(SeglabError("masks, predictions and probabilities of its images stay here"))
    return found


def readme(directory: Path, target: Path, what: runs.Shipped, row: Row, use: str) -> str:
    """What the run is, what it scored, how it is made again and used, and what is in the folder, as Markdown."""
    settings = runs.config(target)
    scores = [("mIoU", row.miou), ("pixel accuracy", row.pixel_accuracy), *row.iou.items()]
    table = "\n".join(f"| {cell(name)} | {'-' if value is None else f'{value:.4f}'} |" for name, value in scores)
    inside = {
        "config.json": "the configuration",
        "dataset.json": "classes and colors, and what tells the images apart",
        "weights.safetensors": "the best weights, 16 bits",
        runs.WEIGHTS: "the best weights, 16 bits",
        "events.jsonl": "what the run reported",
        "evaluation.npz": "a confusion matrix for each image",
        CURVES: "the curves",
        CURVES_CSV: "the same as a table",
        SCORES_CSV: "the scores as a table",
        MASKS: "the truth of some images beside what is predicted for them",
        "predictions": "the predicted masks, in the classes' colors",
        "truth": "the masks they are scored with",
        "samples": "masks of a few images after each epoch",
        runs.MAPS: "the predicted masks, those they are scored with, and masks of a few images after each epoch",
    }
    listed = "\n".join(f"- `{name}`: {text}" for name, text in inside.items() if (target / name).exists())
    again = command(settings)
    left_out = [
        *(["The names of its images, which have numbers."] if not what.names else []),
        *(["Masks, predictions and probabilities of its images."] if not what.pictures else []),
        *(
            ["All folders: give your own with `--data.root`, and other runs with their options."]
            if runs.config(directory) != settings
            else []
        ),
    ]
    pictures = [f"![{text}]({name})" for name, text in LOOKED_AT.items() if (target / name).exists()]
    parts = [
        f"# {cell(directory.name)}",
        f"A semantic-segmentation run of seglab: the network {settings.model.name} on the data {settings.data.name}, "
        f"{row.epochs:g} epochs, {row.seconds:.0f} s, {row.parameters or 0:,} parameters; best epoch "
        f"{'-' if row.best_epoch is None else f'{row.best_epoch:g}'}.",
        f"## Scores\n\n{DEFINITION}. Of the validation images `val`, by the best weights:\n\n"
        f"| | |\n| --- | ---: |\n{table}",
        *pictures,
        f"## The same run again\n\n```sh\n{again}\n```"
        + (f"\n\n`{CONFIG}` is the file beside this one." if f"--config {CONFIG}" in again else ""),
        f"## Use it\n\n{use}",
        f"## Files\n\n{listed}",
    ]
    if left_out:
        parts.append("## Left out\n\n" + "\n".join(f"- {each}" for each in left_out))
    return "\n\n".join(parts) + "\n"


def cell(text: str) -> str:
    """A text that a person chose, as it may stand in Markdown."""
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in text)
