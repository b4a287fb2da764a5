"""COCO's format: one JSON file for a set, with things outlined by polygons or run lengths."""

from __future__ import annotations

import functools
import hashlib
import json
from pathlib import Path
from typing import Annotated

from pydantic import Field

from seglab.data.annotations import Picture, Reading, another_size
from seglab.data.base import Data, Sample, Split
from seglab.data.exports import BACKGROUND, Pictures, chosen, merged, read_export, unusual
from seglab.data.folder import distinct_colors
from seglab.data.images import Span, joined, read_photo, relative
from seglab.data.masks import DrawnOn
from seglab.data.outlines import labeled
from seglab.data.pairs import Root, held_out, is_here, located, spanned
from seglab.errors import SeglabError
from seglab.families import Dataset

DRAWN = b"pycocotools"  # what draws outlines, and so a part of what a sample holds


class Coco(Dataset):
    """Images with objects outlined in COCO's JSON format: course data, or exports from annotation tools such as CVAT.

    Class 0 is `background`, which covers everything without an outline; the others are the categories in the order of
    their ids, of the training file first. A category that is only others' super-category does not count; one called
    `ignore`, `void` or `unlabeled` is void. Outlines are polygons, drawn by pycocotools, or run lengths, compressed or
    not; where they overlap, the smaller object is on top. A crowd has its class but is not an instance.

    The JSON files are `train.json` and `val.json`, or those in COCO's format up to two folders deep, whose paths tell
    training from validation (`train/_annotations.coco.json` and `valid/_annotations.coco.json`, `result.json`,
    `annotations/instances_Train.json`); a test file is passed over. From a single one `val_fraction` of the images are
    used for validation, chosen by the sha256 of their names. Images are looked for in the root, in `images` and beside
    the JSON file, and if their folders are not here, by the last part of their names.

    Exports of Roboflow, Label Studio, CVAT, COCO-Annotator and the converters of Labelme's files are read as they come.

    Source: Lin et al. 2014, https://arxiv.org/abs/1405.0312; format: https://cocodataset.org/#format-data
    """

    name = "coco"
    root: Annotated[
        Root | None, Field(description="folder with images and the JSON files; default: $SEGLAB_DATA/coco")
    ] = None
    train_file: Annotated[
        Path | None,
        Field(description="JSON file of the training images, inside the folder, if its name is not a usual one"),
    ] = None
    val_file: Annotated[
        Path | None, Field(description="JSON file of the validation images, inside the folder, if there is one")
    ] = None
    val_fraction: Annotated[
        float,
        Field(ge=0.1, le=0.5, description="fraction of the images used for validation, where one file has them all"),
    ] = 0.2
    drawn_on: Annotated[
        DrawnOn,
        Field(
            description="what outlines lie on where a photograph's EXIF turn does not tell: the picture as shown "
            "(turned) or as stored"
        ),
    ] = "unknown"
    strict: Annotated[
        bool, Field(description="refuse a file with any bad annotation instead of leaving bad ones out")
    ] = False

    @property
    def here(self) -> bool:
        return is_here(self.root, self.name)

    def open(self) -> Data:
        """Reads the JSON files and hashes the images; outlines are drawn when a sample is loaded."""
        root = located(self.root, self.name)
        train, val = self.files(root)
        exports = [read_export(path, root) for path in (train, val) if path]
        names, labels, notes = merged(exports)
        if not self.train_file:
            notes = unusual(train, val, root) + notes
        reading = Reading(Pictures(root), self.drawn_on, self.strict)
        pictures = [reading.pictures(*each) for each in zip(exports, labels, strict=True)]
        if not val:
            held = held_out([picture.name for picture in pictures[0]], self.val_fraction)
            pictures = [
                [picture for picture in pictures[0] if (picture.name in held) == each] for each in (False, True)
            ]
        span = joined(picture.span for part in pictures for picture in part)
        learned, validated = (_split(root, each, span) for each in pictures)
        return Data.halved(
            train=learned,
            val=validated,
            notes=(*notes, *reading.notes(pictures)),
            classes=(BACKGROUND, *names),
            colors=((0, 0, 0), *distinct_colors(len(names))),
            found=(
                SeglabError(
                    "the masks are drawn from the outlines in {files}", files=", ".join(e.file for e in exports)
                ),
            ),
            span=span,
        )

    def files(self, root: Path) -> tuple[Path, Path | None]:
        """The JSON files of training and validation, the latter if there is one."""
        if self.train_file:
            return root / self.train_file, root / self.val_file if self.val_file else None
        return chosen(root, self.val_file)


# --- samples --------------------------------------------------------------------------------------------------------


def _split(root: Path, pictures: list[Picture], span: Span | None) -> Split:
    def key(picture: Picture) -> bytes:
        things = [(thing.label, thing.crowd, thing.outline) for thing in picture.things]
        drawn = DRAWN + json.dumps([picture.turn, things]).encode() + spanned(span)
        return picture.sha + hashlib.sha256(drawn).digest()

    by_name = {picture.name: picture for picture in pictures}
    load = functools.partial(_load, pictures=by_name, root=root, span=span)
    return Split(tuple(by_name), tuple(map(key, pictures)), load)


def _load(name: str, pictures: dict[str, Picture], root: Path, span: Span | None) -> Sample:
    picture = pictures[name]
    file = relative(picture.image, root)
    image = read_photo(picture.image, file, span=span)
    mask, instances = labeled(picture.things, picture.height, picture.width, picture.turn)
    if image.shape[:2] != mask.shape:
        raise another_size(file, (image.shape[0], image.shape[1]), (mask.shape[0], mask.shape[1]))
    return Sample(image, mask, instances, name=name)
