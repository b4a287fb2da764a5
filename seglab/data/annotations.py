"""The annotations of a set in COCO's format: what they outline, on which picture, and which cannot be used."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from seglab.data.exports import Export, Id, Pictures, identity
from seglab.data.images import Header, Span, relative
from seglab.data.outlines import Polygons, Runs, Thing, sound, whole
from seglab.data.pairs import alone, collected, refuse_wrong, seen
from seglab.errors import SeglabError

Size = tuple[int | None, int | None]  # height and width, as far as a JSON file tells them
Frame = tuple[int, int, int]  # height and width of what outlines lie on, and the EXIF orientation that turns it


@dataclass(frozen=True)
class Picture:
    """An image of a JSON file with the things in it; `name` is its file's, fit to print.

    The things are outlined on a picture of this height and width, to be turned as an EXIF orientation says. `sha` is
    the file's, `span` that of its values, where it is deep.
    """

    name: str
    image: Path
    sha: bytes
    height: int
    width: int
    turn: int
    things: tuple[Thing, ...]
    span: Span | None


@dataclass
class Reading:
    """How the images and annotations of JSON files become pictures, and what was noticed on the way."""

    files: Pictures
    drawn_on: str
    strict: bool
    elsewhere: list[str] = field(default_factory=list)  # images that were found by the last part of their names
    bad: list[SeglabError] = field(default_factory=list)  # annotations that were left out

    def pictures(self, export: Export, labels: dict[Id, int]) -> list[Picture]:
        """The images of a file with their annotations; raises SeglabError that has everything that is wrong with the
        images, or with the annotations where they are not to be left out."""
        root = self.files.root
        sizes = _sizes(export, root)
        found = self._found(export)
        heads, wrong = collected(lambda each: seen(each[0], root, photo=True), found)
        refuse_wrong(root, wrong)
        named = {identity(each.get("image_id")) for each in export.annotations}
        frames: dict[Id, Frame] = {}
        for (number, size), (path, _), head in zip(sizes.items(), found, heads, strict=True):
            try:
                frames[number] = self._frame(export, relative(path, root), size, head.header, number in named)
            except SeglabError as error:
                wrong.append(alone(error))
        refuse_wrong(root, wrong)
        things = self._things(export, labels, frames)
        return [
            Picture(name, path, head.sha, *frames[number], tuple(things[number]), head.span)
            for number, (path, name), head in zip(sizes, found, heads, strict=True)
        ]

    def notes(self, pictures: Sequence[Sequence[Picture]]) -> list[SeglabError]:
        """What a person should know of how the files were read."""
        notes = []
        if self.elsewhere:
            notes.append(
                SeglabError(
                    "images found by the last part of their names, in other folders than the JSON file says: {count}, "
                    "such as {first}",
                    count=len(self.elsewhere),
                    first=self.elsewhere[0],
                )
            )
        if self.bad:
            notes.append(
                SeglabError(
                    "annotations left out: {count}; the first: {first}; set data.strict to refuse them",
                    count=len(self.bad),
                    first=self.bad[0],
                )
            )
        every = [picture for part in pictures for picture in part]
        bare = [picture.name for picture in every if not picture.things]
        if 2 * len(bare) > len(every):
            notes.append(
                SeglabError(
                    "images without any outline: {count} of {all}, such as {first}; they are background throughout",
                    count=len(bare),
                    all=len(every),
                    first=bare[0],
                )
            )
        return notes

    def _found(self, export: Export) -> list[tuple[Path, str]]:
        """The file and the name of each image; raises SeglabError that has every image that is not there."""
        found, wrong = [], []
        for image in export.images:
            try:
                path, name, elsewhere = self.files.find(export, image)
            except SeglabError as error:
                wrong.append(alone(error))
                continue
            found.append((path, name))
            if elsewhere:
                self.elsewhere.append(name)
        refuse_wrong(self.files.root, wrong)
        for part in (0, 1):
            for each, count in Counter(pair[part] for pair in found).items():
                if count > 1:
                    name = next(pair[1] for pair in found if pair[part] == each)
                    raise SeglabError("{file}: {name} is listed twice", file=export.file, name=name)
        return found

    def _frame(self, export: Export, file: str, size: Size, head: Header, outlined: bool) -> Frame:
        """The height and width of what the outlines lie on, and the turn that it needs; raises SeglabError where the
        JSON file tells another size, or none that tells."""
        shown = head.shape
        stored = shown[::-1] if head.turn > 4 else shown
        fits = {"shown": _fits(size, shown), "stored": _fits(size, stored)}
        if not any(fits.values()):
            raise another_size(file, shown, size)
        if head.turn == 1 or not outlined:
            return (*shown, 1)
        if (
            export.tool.casefold() == "label studio"
            and head.turn > 4
            and not fits["shown"]
            and self.drawn_on != "stored"
        ):
            raise SeglabError(
                "{file}: Label Studio draws on the photograph as its EXIF orientation turns it, but writes the size of "
                "the stored one, which distorts the outlines; save it upright without EXIF, import and export it again",
                file=file,
            )
        drawn_on = self.drawn_on if all(fits.values()) else "shown" if fits["shown"] else "stored"
        if drawn_on == "unknown":
            raise SeglabError(
                "{file}: a photograph that its EXIF orientation turns, and nothing tells whether its outlines lie on "
                "the picture as shown or as stored; save it upright without EXIF, or set data.drawn_on to shown or "
                "stored",
                file=file,
            )
        return (*shown, 1) if drawn_on == "shown" else (*stored, head.turn)

    def _things(self, export: Export, labels: dict[Id, int], frames: dict[Id, Frame]) -> dict[Id, list[Thing]]:
        """What the annotations of each image outline; bad ones are noted, or refused where they are too many."""
        things: dict[Id, list[Thing]] = defaultdict(list)
        bad = []
        for annotation in export.annotations:
            try:
                number, thing = _thing(export.file, annotation, labels, frames)
            except SeglabError as error:
                bad.append(alone(error))
            else:
                things[number].append(thing)
        if self.strict:
            refuse_wrong(self.files.root, bad)
        if bad and not things:
            raise SeglabError(
                "{file}: none of its annotations has an outline that can be drawn: {count}; the first: {first}; export "
                "polygons or masks, since boxes alone do not say which pixels are meant",
                file=export.file,
                count=len(bad),
                first=bad[0],
            )
        self.bad += bad
        return things


def _sizes(export: Export, root: Path) -> dict[Id, Size]:
    """The (height, width) of each image by its id, with None for what is not told; raises SeglabError that has all that
    is wrong."""
    sizes: dict[Id, Size] = {}
    wrong = []
    for image in export.images:
        number = identity(image.get("id"))
        names = [image.get(key) for key in ("file_name", "path")]
        if number is None or not any(isinstance(name, str) and name.strip() for name in names):
            wrong.append(
                SeglabError("{file}: image {id} has no id or no file_name", file=export.file, id=repr(image.get("id")))
            )
        elif number in sizes:
            wrong.append(SeglabError("{file}: two images have the id {id}", file=export.file, id=number))
        else:
            try:
                sizes[number] = _side(image.get("height")), _side(image.get("width"))
            except (ValueError, OverflowError):
                wrong.append(
                    SeglabError(
                        "{file}: image {id} has the width {width} and the height {height}; allowed: whole numbers, or "
                        "none",
                        file=export.file,
                        id=number,
                        width=repr(image.get("width")),
                        height=repr(image.get("height")),
                    )
                )
    refuse_wrong(root, wrong)
    return sizes


def _side(value: Any) -> int | None:
    """A width or a height, or None where it is not told; raises ValueError for anything else."""
    found = 0 if value is None or value == "" else whole(value)
    if found < 0:
        raise ValueError("negative")
    return found or None


def _fits(size: Size, shape: tuple[int, int]) -> bool:
    """Whether a size that a JSON file tells, as far as it does, is this one."""
    return all(told in (None, side) for told, side in zip(size, shape, strict=True))


def another_size(file: str, shape: tuple[int, int], size: Size) -> SeglabError:
    """What to say of a picture of this (height, width) for which the JSON file tells another size."""
    sizes = {"width": shape[1], "height": shape[0], "json_width": size[1], "json_height": size[0]}
    if size == shape[::-1]:
        return SeglabError(
            "{file}: {width} x {height} pixels, but the JSON file says {json_width} x {json_height}: width and height "
            "look exchanged there; if the outlines lie right on the picture, exchange the two in the JSON file, else "
            "export it again",
            file=file,
            **sizes,
        )
    return SeglabError(
        "{file}: {width} x {height} pixels, but the JSON file says {json_width} x {json_height}", file=file, **sizes
    )


def _thing(file: str, annotation: dict[str, Any], labels: dict[Id, int], frames: dict[Id, Frame]) -> tuple[Id, Thing]:
    """The image that an annotation refers to, and what it outlines there; raises SeglabError for a bad one."""
    image, category = identity(annotation.get("image_id")), identity(annotation.get("category_id"))
    outline = annotation.get("segmentation")
    told = {"file": file, "id": repr(annotation.get("id"))}
    if image is None or image not in frames:
        unknown = repr(annotation.get("image_id"))
        raise SeglabError("{file}: annotation {id} refers to an unknown image: {image}", image=unknown, **told)
    if category is None or category not in labels:
        unknown = repr(annotation.get("category_id"))
        raise SeglabError("{file}: annotation {id} refers to an unknown category: {category}", category=unknown, **told)
    if not outline and annotation.get("bbox"):
        raise SeglabError("{file}: annotation {id} has a box, but no outline", **told)
    height, width, _ = frames[image]
    try:
        outline = sound(outline, height, width)
    except (ValueError, TypeError, KeyError, OverflowError):
        raise SeglabError(
            "{file}: annotation {id} has no valid outline; allowed: polygons of three or more points, or run lengths "
            "that cover the image",
            **told,
        ) from None
    if _fractions(outline) and max(height, width) > 2:
        raise SeglabError(
            "{file}: annotation {id} has an outline whose numbers are all from 0 to 1, parts of the width and height "
            "rather than pixels; export it again in pixels",
            **told,
        )
    crowd = str(annotation.get("iscrowd")).strip().casefold() in ("1", "1.0", "true", "yes")
    return image, Thing(labels[category], crowd, outline)


def _fractions(outline: Polygons | Runs) -> bool:
    """Whether the polygons of a sound outline lie in the first pixel, where nothing is outlined by hand."""
    return isinstance(outline, list) and all(
        isinstance(each, list) and 0 <= min(each) <= max(each) <= 1 for each in outline
    )
