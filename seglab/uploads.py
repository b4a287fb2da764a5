"""Zips of images and masks that visitors of the page send: taken in with suspicion, kept for a while, then swept.

The page knows an upload by a random reference and nothing else; its folder is called by the reference's hash, so that
who sees the folder's name somewhere cannot use the upload.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import logging
import math
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np

from seglab import locks, runs, zips
from seglab.ages import Ages
from seglab.data.classes import LISTS
from seglab.data.colors import TABLES
from seglab.data.folder import Folder, Report
from seglab.data.images import SUFFIXES, Header, decoded, header, printable, relative
from seglab.data.layout import Layout, arranged
from seglab.data.looks import Style
from seglab.data.masks import decoded_colors, decoded_mask, laid
from seglab.data.pairs import Pair, refuse_wrong
from seglab.errors import SeglabError
from seglab.families import Dataset

MOST_MEGAPIXELS = 512  # of 2**20 pixels, of all its pictures together: a few kilobytes may hold 16 of them
MOST_KEPT = 6 * 2**30  # bytes of all uploads together; kept without loss, a photograph is some five times its JPEG
KEEP_SECONDS = 24 * 3600  # after an upload was last used
SEEN_SECONDS = 3600  # for which a program has seen it unused, before it believes the clock of the machine on the rest
NAMES = "names.json"  # what the files of an upload are called in its zip, and how they were paired
PLACE = re.compile(r"(images|masks)/((train|val)/)?\d{4}\.\w+")  # of a picture in an upload
NUMBER = re.compile(r"\d{4}")  # what a sample of an upload is called
SAMPLES = re.compile(r"\d{4}( = \d{4})?")

AGES = Ages()

log = logging.getLogger(__name__)


def home() -> Path:
    """Where uploads live: beside the runs, out of the web server's reach."""
    return runs.home() / ".uploads"


def take(file: Path | str, options: Folder | None = None) -> str:
    """Unpacks a zip of images and masks, arranged in any way that `folder` reads, checks every file, and gives the
    reference to what is kept: the pixels of its pictures, what it says of classes, and the names of its files.
    `options` say how masks are read, where that is not by the files alone.

    Raises SeglabError for anything that is wrong, its `each` with every wrong file; nothing is kept then.
    """
    reference = secrets.token_hex(16)
    try:
        sweep()
        room = MOST_KEPT - sum(path.stat().st_size for path in home().rglob("*") if path.is_file())
        refuse_full(room)
        home().mkdir(parents=True, exist_ok=True)
        with locks.new_folder(home(), ".") as beside:
            named, layout = unpack(Path(file), beside)
            refuse_huge(beside)
            wrong = [problem for _, problem in layout.problems]
            if not layout.matches:
                refuse_wrong(Path("zip"), wrong)
            found = (options or Folder()).model_copy(update={"root": beside}).report()
            refuse_wrong(Path("zip"), wrong + [renamed(problem, named) for _, problem in found.rows])
            called = {new: named[old] for old, new in write_anew(found, room).items()}
            called |= {place: name for place, name in named.items() if "/" not in place}
            notes = [note for note in (layout.pattern, *layout.warnings) if note]
            known = {"files": called, "notes": [{"template": note.template, "values": note.values} for note in notes]}
            (beside / NAMES).write_text(json.dumps(known, indent=1), encoding="utf-8")
            os.replace(beside, folder_of(reference))
    except OSError as error:
        raise SeglabError("the zip cannot be unpacked: {reason}", reason=error.strerror or "?") from error
    return reference


def found(reference: object) -> Path:
    """The folder of an upload; raises SeglabError where there is none."""
    if not isinstance(reference, str) or not re.fullmatch("[0-9a-f]{32}", reference):
        raise SeglabError("these uploaded images are not known here; upload them again")
    folder = folder_of(reference)
    if not folder.is_dir():
        raise SeglabError("the uploaded images have been deleted; upload them again")
    os.utime(folder)
    return folder


def folder_of(reference: str) -> Path:
    return home() / hashlib.sha256(reference.encode()).hexdigest()[:32]


def names(dataset: Dataset) -> dict[str, str]:
    """What the files of an upload are called in its zip, by their places in its folder; of other data, nothing."""
    return _kept(dataset).get("files", {})


def notes(dataset: Dataset) -> list[SeglabError]:
    """How the files of an upload were paired, and which were left out; of other data, nothing."""
    return [SeglabError(note["template"], **note["values"]) for note in _kept(dataset).get("notes", [])]


def _kept(dataset: Dataset) -> dict:
    """What is known of an upload's zip; of other data, nothing."""
    root = getattr(dataset, "root", None)
    if root is None or root.parent != home() or not (root / NAMES).is_file():
        return {}
    return json.loads((root / NAMES).read_text(encoding="utf-8"))


@contextlib.contextmanager
def renaming(named: dict[str, str]) -> Iterator[None]:
    """Errors raised in it call files as `named` does."""
    try:
        yield
    except SeglabError as error:
        raise renamed(error, named) from None


def renamed(error: SeglabError, named: dict[str, str]) -> SeglabError:
    """The error with the names that files have in the zip, those within lists too."""

    titles = {Path(place).stem: name for place, name in named.items() if place.startswith("images/")}

    def called(value: object) -> object:
        if isinstance(value, SeglabError):
            return renamed(value, named)
        if isinstance(value, str) and SAMPLES.fullmatch(value):
            return NUMBER.sub(lambda number: titles.get(number[0], number[0]), value)
        if isinstance(value, str):
            return named.get(value) or PLACE.sub(lambda place: named.get(place[0], place[0]), value)
        return value

    found = SeglabError(error.template, **{name: called(value) for name, value in error.values.items()})
    found.each = tuple(renamed(each, named) for each in error.each)
    return found


def sweep() -> int:
    """Deletes uploads that were not used for a day, unless a run that goes on needs them, and what killed programs left
    of others; gives how many.

    How old one is that was there before this program, the machine's clock says; it may have been set since, so that the
    upload stays for an hour more.
    """
    left = locks.sweep(home(), ".")
    ages = AGES.look(path for path in home().glob("*") if path.suffix != ".lock")
    old = [path for path, seen in ages.items() if seen > KEEP_SECONDS or (seen > SEEN_SECONDS and unused(path))]
    if not old:
        return left
    needed = set()
    for directory in runs.every():
        try:
            if not runs.status(directory).over:
                needed.add(getattr(runs.config(directory).data, "root", None))
        except SeglabError:  # a damaged run needs nothing
            continue
    for path in old:
        if path not in needed:
            shutil.rmtree(path, ignore_errors=True)
            log.info("upload %s swept", path.name)
    return left + sum(not path.exists() for path in old)


def unused(path: Path) -> bool:
    """Whether an upload was not used for a day, by the machine's clock."""
    with contextlib.suppress(FileNotFoundError):
        return time.time() - path.stat().st_mtime > KEEP_SECONDS
    return False


# --- the zip ----------------------------------------------------------------------------------------------------------


def unpack(file: Path, target: Path) -> tuple[dict[str, str], Layout]:
    """Writes the zip's images and masks under numbers of their own below `target`; gives their names in the zip, and
    how they were arranged there.

    Nothing is believed: neither names nor sizes, and no entry is written where the zip wants it.
    """
    named: dict[str, str] = {}
    with zips.opened(file) as (archive, entries):
        layout = arranged([name for name, _ in entries])
        chosen = placed(layout)
        for name, entry in entries:
            if name in chosen:
                named[chosen[name]] = printable(name)
                zips.write(archive, entry, target / chosen[name], name)
    return named, layout


def refuse_huge(folder: Path) -> None:
    """Raises SeglabError where the pictures would take minutes to decode; what is no picture is told later."""
    total = 0
    for path in folder.rglob("*.*"):
        if path.suffix in SUFFIXES:
            with contextlib.suppress(SeglabError):
                total += math.prod(header(path).shape)
    if total > MOST_MEGAPIXELS * 2**20:
        raise SeglabError(
            "the images of the zip have {size} megapixels in total; allowed: {most}",
            size=total // 2**20,
            most=MOST_MEGAPIXELS,
        )


def placed(layout: Layout) -> dict[str, str]:
    """Where the entries go that are needed, by name: a number for each image, the same for its mask, and lists of
    classes beside them; raises SeglabError for pictures that nothing would read."""
    if layout.unread:
        raise SeglabError(
            "{file}: is in a folder that is not read; put images in images and masks, or all of them in their "
            "folders train and val",
            file=printable(layout.unread[0])[:200],
        )
    chosen = {}
    parts = (("train/", layout.train), ("val/", layout.val), ("", layout.whole))
    for number, (part, match) in enumerate(((part, match) for part, matches in parts for match in matches), 1):
        for kind, name in (("images", match.image), ("masks", match.mask)):
            chosen[name] = f"{kind}/{part}{number:04}{PurePosixPath(name).suffix.lower()}"
    lists = {PurePosixPath(name).name.lower(): name for name in reversed(layout.beside((*TABLES, *LISTS)))}
    return chosen | {name: place for place, name in lists.items()}


# --- what is kept -----------------------------------------------------------------------------------------------------


def write_anew(found: Report, room: int) -> dict[str, str]:
    """Writes every picture as a PNG of its pixels alone, in place of what was sent, so that nothing else is kept: not
    where a photograph was taken, nor by whom. Gives the new places by the old ones.

    Raises SeglabError where they take more than `room` bytes.
    """
    places = {}
    for pair, table in zip(found.train + found.val, found.tables, strict=True):
        photo, header = decoded(pair.image)
        contents = {pair.image: png(photo), pair.mask: png_of_mask(pair, found.style, table, header)}
        for old, content in contents.items():
            new = old.with_suffix(".png")
            old.unlink()
            new.write_bytes(content)
            room -= len(content)
            refuse_full(room)
            places[relative(old, found.root)] = relative(new, found.root)
    return places


def png_of_mask(pair: Pair, style: Style, table: np.ndarray, photo: Header) -> bytes:
    """A mask as it lies on its photograph: its colors where a table says what they mean, else its numbers and palette;
    ids where the numbers are shades."""
    mask = decoded_colors(pair.mask) if style.table else decoded_mask(pair.mask, lossy=style.lossy)
    values = laid(mask.values, mask.turn, photo, pair.mask.name, pair.image.name, style.drawn_on)
    if style.table or not style.shades:
        return png(values, mask.palette)
    return png(table[values])


def png(pixels: np.ndarray, palette: np.ndarray | None = None) -> bytes:
    """Pixels uint8 or uint16, (H, W) or (H, W, 3), as a PNG; those of a palette with it."""
    from PIL import Image

    if pixels.dtype == np.uint16:  # Pillow writes no colors of so many bits
        import cv2

        return cv2.imencode(".png", pixels if pixels.ndim == 2 else pixels[..., ::-1])[1].tobytes()
    image, file = Image.fromarray(pixels), io.BytesIO()
    if palette is not None and len(palette):
        missing = int(pixels.max()) + 1 - len(palette)  # Pillow stores as few bits as the palette needs
        image.putpalette(np.pad(palette, ((0, max(0, missing)), (0, 0)), "edge").tobytes())
    image.save(file, "PNG", compress_level=1)  # a third of the default's time, and hardly larger
    return file.getvalue()


def refuse_full(room: int) -> None:
    """Raises SeglabError where so many bytes are left for uploads."""
    if room < 0:
        raise SeglabError("there is no room for more uploads at the moment; try again tomorrow")
