"""COCO's format: one JSON file for a set, with things outlined by polygons or run lengths."""

from __future__ import annotations

import functools
import hashlib
import json
import math
import os
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from seglab.data.base import Data, Sample, Split
from seglab.data.folder import MOST_CLASSES, distinct_colors
from seglab.data.images import printable, read_photo, relative
from seglab.data.pairs import Root, collected, held_out, is_here, located, refuse_wrong, sha
from seglab.errors import SeglabError
from seglab.families import Dataset

KNOWN = (  # where the two JSON files are usually called what
    ("train.json", "val.json"),
    ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
    ("annotations/train.json", "annotations/val.json"),
    ("annotations/instances_default.json", None),
    ("annotations.json", None),
    ("train_all.json", None),
    ("train.json", None),
)
BACKGROUND = "background"  # class 0, also where the file has such a category
FINEST = 16  # parts of a pixel's side that decide whether a polygon covers its center
MOST_PARTS = 2**26  # of them at a time


class Coco(Dataset):
    """Images with objects outlined in COCO's JSON format, such as a course's trash data or an export from CVAT.

    Class 0 is `background`, which covers everything without an outline; the others are the categories in the order of
    their ids. Outlines are polygons or run lengths, compressed or not; where they overlap, the smaller object is on
    top. A crowd has its class but is not an instance. Images are looked for in the root, beside the JSON file and in
    `images`.

    The two JSON files are train.json and val.json, or named as by COCO itself or CVAT; from a single one `val_fraction`
    of the images are used for validation, chosen by the sha256 of their names.

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

    @property
    def here(self) -> bool:
        return is_here(self.root, self.name)

    def open(self) -> Data:
        """Reads the JSON files and hashes the images; outlines are drawn when a sample is loaded."""
        root = located(self.root, self.name)
        train, val = self.files(root)
        paths = [path for path in (train, val) if path]
        parts = [_read_json(path, root) for path in paths]
        categories, *others = (_categories(part, _below(path, root)) for path, part in zip(paths, parts, strict=True))
        if any(other != categories for other in others):
            raise SeglabError(
                "{file}: its categories differ from those of {other}",
                file=_below(paths[-1], root),
                other=_below(train, root),
            )
        names = [name for _, name in categories if name.casefold() != BACKGROUND]
        labels = {repr(number): names.index(name) + 1 if name in names else 0 for number, name in categories}
        pictures = [_pictures(root, path, part, labels) for path, part in zip(paths, parts, strict=True)]
        if not val:
            chosen = held_out([picture.name for picture in pictures[0]], self.val_fraction)
            pictures = [
                [picture for picture in pictures[0] if (picture.name in chosen) == each] for each in (False, True)
            ]
        learned, validated = (_split(root, each) for each in pictures)
        return Data.halved(
            train=learned,
            val=validated,
            classes=(BACKGROUND, *names),
            colors=((0, 0, 0), *distinct_colors(len(names))),
        )

    def files(self, root: Path) -> tuple[Path, Path | None]:
        """The JSON files of training and validation, the latter if there is one."""
        if self.train_file:
            return root / self.train_file, root / self.val_file if self.val_file else None
        for train, usual in KNOWN:
            val = self.val_file or usual
            if (root / train).is_file() and (self.val_file or val is None or (root / val).is_file()):
                return root / train, root / val if val else None
        raise SeglabError(
            "{folder}: none of the usual JSON files was found ({names}); give --data.train_file",
            folder=printable(str(root)),
            names=", ".join(dict.fromkeys(name for pair in KNOWN for name in pair if name)),
        )


@dataclass(frozen=True)
class Thing:
    """What one annotation outlines: its class, whether it is a crowd, and its polygons or run lengths."""

    label: int
    crowd: bool
    outline: Any


@dataclass(frozen=True)
class Picture:
    """An image of the JSON file with what is outlined in it; `name` is its file's, fit to print."""

    name: str
    image: Path
    height: int
    width: int
    things: tuple[Thing, ...]


# --- the JSON file --------------------------------------------------------------------------------------------------


def _read_json(path: Path, root: Path) -> dict[str, list[dict[str, Any]]]:
    """The file's images, annotations and categories, each a list of objects."""
    file = _below(path, root)
    try:
        given = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SeglabError("{file} cannot be read: {reason}", file=file, reason=reason) from None
    parts: dict[str, list[dict[str, Any]]] = {}
    for part in ("images", "annotations", "categories"):
        found = given.get(part) if isinstance(given, dict) else None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise SeglabError("{file}: there is no list of {part}, so it is not in COCO's format", file=file, part=part)
        parts[part] = found
    return parts


def _below(path: Path, root: Path) -> str:
    return relative(path, root) if path.is_relative_to(root) else printable(path.name)


def _categories(parts: dict[str, list], file: str) -> list[tuple[Any, str]]:
    """Each category's id and name in the order of the ids; raises SeglabError for ids and names that repeat."""
    try:
        found = sorted((each["id"], printable(str(each["name"]))) for each in parts["categories"])
    except (KeyError, TypeError) as error:
        raise SeglabError("{file}: a category has no id or no name", file=file) from error
    for place, what in ((0, "id"), (1, "name")):
        values = Counter(str(category[place]) for category in found)
        if values and values.most_common(1)[0][1] > 1:
            raise SeglabError(
                "{file}: two categories have the {what} {value}",
                file=file,
                what=what,
                value=values.most_common(1)[0][0],
            )
    count = sum(name.casefold() != BACKGROUND for _, name in found)
    if not 1 <= count < MOST_CLASSES:
        raise SeglabError(
            "{file}: {count} categories; allowed: 1 to {most}", file=file, count=count, most=MOST_CLASSES - 1
        )
    return found


def _pictures(root: Path, path: Path, parts: dict[str, list], labels: dict[str, int]) -> list[Picture]:
    """The images with their annotations; raises SeglabError that has everything that is wrong in the file."""
    file = _below(path, root)
    wrong: list[SeglabError] = []
    sizes, outlined = {}, defaultdict(list)
    for image in parts["images"]:
        size = image.get("height"), image.get("width")
        if not isinstance(image.get("file_name"), str) or not all(type(side) is int and side > 0 for side in size):
            wrong.append(
                SeglabError("{file}: image {id} has no file_name, height or width", file=file, id=repr(image.get("id")))
            )
        number = repr(image.get("id"))
        if number in sizes:
            wrong.append(SeglabError("{file}: two images have the id {id}", file=file, id=number))
        sizes[number] = size
    for given in parts["annotations"]:
        image, number = repr(given.get("image_id")), repr(given.get("id"))
        label, outline = labels.get(repr(given.get("category_id"))), given.get("segmentation")
        if image not in sizes:
            wrong.append(
                SeglabError(
                    "{file}: annotation {id} refers to an unknown image: {image}", file=file, id=number, image=image
                )
            )
        elif label is None:
            category = repr(given.get("category_id"))
            wrong.append(
                SeglabError(
                    "{file}: annotation {id} refers to an unknown category: {category}",
                    file=file,
                    id=number,
                    category=category,
                )
            )
        elif not _sound(outline, *sizes[image]):
            wrong.append(
                SeglabError(
                    "{file}: annotation {id} has no valid outline; allowed: polygons of three or more points, or run "
                    "lengths that cover the image",
                    file=file,
                    id=number,
                )
            )
        else:
            outlined[image].append(Thing(label, bool(given.get("iscrowd")), outline))
    refuse_wrong(root, wrong)
    pictures = []
    for image in parts["images"]:
        found = _image(root, path, image["file_name"])
        if found is None:
            wrong.append(SeglabError("{file}: there is no such file", file=printable(image["file_name"])))
            continue
        name, things = printable(image["file_name"]), tuple(outlined[repr(image.get("id"))])
        pictures.append(Picture(name, found, image["height"], image["width"], things))
    refuse_wrong(root, wrong)
    for name, count in Counter(picture.name for picture in pictures).items():
        if count > 1:
            raise SeglabError("{file}: {name} is listed twice", file=file, name=name)
    return pictures


def _image(root: Path, path: Path, name: str) -> Path | None:
    """The image called `name` in a JSON file, if it is there and inside of the root."""
    below = PurePosixPath(name.replace("\\", "/"))
    if below.is_absolute() or ".." in below.parts:
        return None
    part = path.stem.removeprefix("instances_")
    places = (root, path.parent, root / "images", root / part, root / "images" / part)
    return next((place / below for place in places if os.path.isfile(place / below)), None)


def _sound(outline: Any, height: int, width: int) -> bool:
    """Whether an outline can be drawn into an image of this size."""
    if isinstance(outline, dict):
        try:
            counts = run_lengths(outline["counts"])
        except (KeyError, TypeError, IndexError, ValueError):
            return False
        return outline.get("size") == [height, width] and min(counts) >= 0 and sum(counts) == height * width
    return (
        isinstance(outline, list)
        and len(outline) > 0
        and all(isinstance(polygon, list) and len(polygon) >= 6 and len(polygon) % 2 == 0 for polygon in outline)
        and all(type(value) in (int, float) and abs(value) < 1e6 for polygon in outline for value in polygon)
    )


# --- outlines -------------------------------------------------------------------------------------------------------


def run_lengths(counts: list[int] | str) -> list[int]:
    """Run lengths, of nothing and of the thing in turn; text is COCO's compressed form.

    There each number is written in groups of five bits, the lowest first, as characters from `0` on; a sixth bit says
    that more follow, the fifth of the last group is the sign; from the fourth number on, it is the difference to the
    one two places before.
    """
    if not isinstance(counts, str):
        if not counts or any(type(count) is not int for count in counts):
            raise ValueError("run lengths are whole numbers")
        return counts
    found: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64:
            raise ValueError("no character of run lengths")
        value |= (bits & 31) << shift
        shift += 5
        if bits & 32:
            continue
        if bits & 16:
            value -= 1 << shift
        found.append(value + found[-2] if len(found) > 2 else value)
        value = shift = 0
    if shift or not found:
        raise ValueError("run lengths end too soon")
    return found


def covered(outline: Any, height: int, width: int) -> tuple[int, int, np.ndarray]:
    """The part of an image that an outline covers: the top, the left and bool (h, w) from there on."""
    if isinstance(outline, dict):
        counts = run_lengths(outline["counts"])
        whole = np.repeat(np.arange(len(counts)) % 2 == 1, counts).reshape(width, height).T
        rows, columns = (np.flatnonzero(whole.any(axis)) for axis in (1, 0))
        if not len(rows):
            return 0, 0, whole[:0, :0]
        (top, bottom), (left, right) = rows[[0, -1]], columns[[0, -1]]
        return top, left, whole[top : bottom + 1, left : right + 1].copy()  # so that the whole is let go of
    points = [np.array(polygon, np.float64).reshape(-1, 2) for polygon in outline]
    low = np.floor(np.min([each.min(0) for each in points], axis=0)).clip(0, (width, height)).astype(int)
    high = np.ceil(np.max([each.max(0) for each in points], axis=0)).clip(0, (width, height)).astype(int)
    (left, top), (wide, high) = low, np.maximum(high - low, 0)
    found = np.zeros((high, wide), bool)
    for polygon in points:
        found |= inside(polygon - low, high, wide)
    return top, left, found


def inside(polygon: np.ndarray, height: int, width: int) -> np.ndarray:
    """bool (height, width): the pixels whose centers lie in a polygon of points (n, 2), x before y.

    OpenCV also fills every pixel that the outline touches, which would enlarge things by half a pixel all round. So it
    fills finer parts of pixels, of which those at the centers are kept.
    """
    import cv2

    finest = math.isqrt(MOST_PARTS // max(1, height * width)) // 2 * 2
    parts = max(2, min(FINEST, finest))
    fine = np.zeros((height * parts, width * parts), np.uint8)
    if fine.size:
        cv2.fillPoly(fine, [np.floor(polygon * parts - 0.5).astype(np.int32)], 1)
    return fine[parts // 2 :: parts, parts // 2 :: parts] > 0


# --- samples --------------------------------------------------------------------------------------------------------


def _split(root: Path, pictures: list[Picture]) -> Split:
    def key(picture: Picture) -> bytes:
        things = json.dumps([(thing.label, thing.crowd, thing.outline) for thing in picture.things])
        return sha(picture.image, root) + hashlib.sha256(things.encode()).digest()

    keys, wrong = collected(key, pictures)
    refuse_wrong(root, wrong)
    by_name = {picture.name: picture for picture in pictures}
    return Split(tuple(by_name), tuple(keys), functools.partial(_load, pictures=by_name, root=root))


def _load(name: str, pictures: dict[str, Picture], root: Path) -> Sample:
    picture = pictures[name]
    file = relative(picture.image, root)
    image = read_photo(picture.image, file)
    if image.shape[:2] != (picture.height, picture.width):
        raise SeglabError(
            "{file}: {width} x {height} pixels, but the JSON file says {json_width} x {json_height}; a photograph that "
            "its EXIF orientation rotates must be saved upright",
            file=file,
            width=image.shape[1],
            height=image.shape[0],
            json_width=picture.width,
            json_height=picture.height,
        )
    mask, instances = labeled(picture)
    return Sample(image, mask, instances, name=name)


def labeled(picture: Picture) -> tuple[np.ndarray, np.ndarray]:
    """An image's classes uint8 (H, W) and its things int32 (H, W), numbered from 1; smaller things lie on top."""
    mask = np.zeros((picture.height, picture.width), np.uint8)
    instances = np.zeros((picture.height, picture.width), np.int32)
    drawn = [(thing, *covered(thing.outline, picture.height, picture.width)) for thing in picture.things]
    drawn.sort(key=lambda each: -int(each[3].sum()))
    for number, (thing, top, left, found) in enumerate(drawn, 1):
        place = slice(top, top + found.shape[0]), slice(left, left + found.shape[1])
        mask[place][found] = thing.label
        instances[place][found] = number if thing.label and not thing.crowd else 0
    return mask, instances
