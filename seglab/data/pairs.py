"""What data sources of image and mask files share: where they lie, what they hold, and telling what is wrong."""

from __future__ import annotations

import functools
import hashlib
import os
import unicodedata
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import numpy as np
from pydantic import AfterValidator

from seglab import machine
from seglab.data.base import Sample, Split
from seglab.data.images import (
    SUFFIXES,
    Header,
    Span,
    decoded,
    file_bytes,
    file_text,
    header,
    joined,
    printable,
    relative,
    shown,
    span_of,
)
from seglab.data.masks import mask_on, turn_of
from seglab.data.remembered import Remembered, stamp_of
from seglab.errors import SeglabError


def _absolute(path: Path) -> Path:
    """The path from whatever folder it is looked at later; raises ValueError for a name that is not text."""
    str(path).encode()
    return Path(os.path.abspath(os.path.expanduser(path)))


Root = Annotated[Path, AfterValidator(_absolute)]


@dataclass(frozen=True)
class Pair:
    """An image and its mask, and what tells things apart, where anything does; `name` is what their file names share,
    fit to print."""

    name: str
    image: Path
    mask: Path
    objects: Path | None = None


def is_here(root: Path | None, name: str) -> bool:
    """Whether there is a folder of the dataset called `name`: its root option, or else its place below $SEGLAB_DATA."""
    home = os.environ.get("SEGLAB_DATA")
    place = root or (Path(home) / name if home else None)
    return place is not None and os.path.isdir(place)


def located(root: Path | None, name: str, command: str = "") -> Path:
    """The folder of the dataset called `name`: its root option, or else its place below $SEGLAB_DATA.

    `command` is what fetches the dataset, where anything does.
    """
    place = root or place_of(name, command)
    if not os.path.isdir(place):
        if command:
            raise SeglabError(
                "{folder}: there is no such folder; {command} downloads {name}; or give its folder with --data.root, "
                "or set SEGLAB_DATA to the folder that holds {name}",
                folder=printable(str(place)),
                command=command,
                name=name,
            )
        raise SeglabError(
            "{folder}: there is no such folder; give that of {name} with --data.root, or set SEGLAB_DATA to the folder "
            "that holds {name}",
            folder=printable(str(place)),
            name=name,
        )
    return place


def place_of(name: str, command: str = "") -> Path:
    """The dataset's folder below $SEGLAB_DATA; raises SeglabError where that is not set."""
    home = os.environ.get("SEGLAB_DATA")
    if not home and command:
        raise SeglabError(
            "no folder was given for {name}; give --data.root, or set SEGLAB_DATA to the folder that holds {name}; "
            "{command} downloads it there",
            name=name,
            command=command,
        )
    if not home:
        raise SeglabError(
            "no folder was given for {name}; give --data.root, or set SEGLAB_DATA to the folder that holds {name}",
            name=name,
        )
    return Path(home) / name


def unique(folder: Path, root: Path) -> dict[str, Path]:
    """A folder's image files by name without ending, sorted; raises SeglabError for two with one name.

    Names are fit to print, and composed (NFC), since a Mac takes them apart. Hidden files are passed over.
    """
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES or os.path.isdir(path):
            continue
        first = files.setdefault(printable(unicodedata.normalize("NFC", path.stem)), path)
        if first != path:
            raise SeglabError(
                "{file}: {other} has the same name", file=relative(path, root), other=relative(first, root)
            )
    return files


def held_out(names: Sequence[str], fraction: float) -> set[str]:
    """The names that are for validation: always the same ones, and few change when names are added."""
    shuffled = sorted(names, key=lambda name: hashlib.sha256(name.encode()).digest())
    return set(shuffled[: min(max(0, len(names) - 2), max(1, round(fraction * len(names))))])


def read_rows(root: Path, place: str) -> list[list[str]]:
    """The words of each line of a list of images; comments and empty lines are passed over."""
    if not os.path.isfile(root / place):
        raise SeglabError(
            "{folder}: {file} is missing, which lists the images", folder=printable(str(root)), file=place
        )
    lines = file_text(root / place, place).splitlines()
    return [line.split() for line in lines if line.strip() and not line.startswith("#")]


def refuse_wrong(root: Path, wrong: Sequence[SeglabError]) -> None:
    """Raises one SeglabError if anything is wrong; its `each` has them all."""
    if wrong:
        error = SeglabError(
            "{folder}: files with problems: {count}; the first: {first}",
            folder=printable(str(root)),
            count=len({error.values.get("file", str(error)) for error in wrong}),
            first=wrong[0],
        )
        error.each = tuple(wrong)
        raise error


def collected(task: Callable, things: Sequence) -> tuple[list, list[SeglabError]]:
    """What `task` gives for each thing, in order, and what it refused."""

    def attempt(thing: object) -> object:
        try:
            return task(thing)
        except SeglabError as error:
            return alone(error)

    # Hashing and decoding release the interpreter's lock.
    with machine.pool(min(4, machine.cores()), "decoder") as pool:
        results = list(pool.map(attempt, things))
    wrong = [result for result in results if isinstance(result, SeglabError)]
    return [result for result in results if not isinstance(result, SeglabError)], wrong


def alone(error: SeglabError) -> SeglabError:
    """The error without the frames it came through, which would keep files in memory."""
    error.__cause__ = error.__context__ = None
    return error.with_traceback(None)


SEEN = 1  # to be counted up where files are looked at in another way, or otherwise remembered
Reader = Callable[[Pair, Path, Span | None], Sample]


@dataclass(frozen=True)
class Seen:
    """What opening a file of a pair gave: its sha256, its header, and the span of its values where it is deep."""

    sha: bytes
    header: Header
    span: Span | None


def seen(path: Path, root: Path, photo: bool) -> Seen:
    """What the header of an image file tells; a deep photograph is decoded for its span."""
    name = relative(path, root)
    data = file_bytes(path, name)
    found = header(data, name)
    span = span_of(decoded(data, name)[0]) if photo and found.deep else None
    return Seen(hashlib.sha256(data).digest(), found, span)


def splits_of(
    parts: Sequence[Sequence[Pair]], root: Path, read: Reader, salt: bytes = b""
) -> tuple[list[Split], Span | None]:
    """Each part's pairs as samples that `read` makes, and the span of their photographs; raises SeglabError that has
    every file that is missing, is no image, or does not lie on its photograph.

    `salt` stands for what else decides what a sample holds.
    """

    pairs = [pair for part in parts for pair in part]
    files = [list(filter(None, (pair.image, pair.mask, pair.objects))) for pair in pairs]
    before = Remembered(f"seen {SEEN}")
    keys = [before.key(each, [stamp_of(path) for path in each]) for each in files]
    before.load(keys)

    def look(place: int) -> tuple[bytes, Span | None]:
        if told := before.get(keys[place]):
            return bytes.fromhex(told[0]), told[1] and tuple(told[1])
        photo, *masks = files[place]
        image = seen(photo, root, photo=True)
        sha = image.sha
        for path in masks:
            mask = seen(path, root, photo=False)
            turn_of(mask.header.shape, mask.header.turn, image.header, relative(path, root), relative(photo, root))
            sha += mask.sha
        before.put(keys[place], [sha.hex(), image.span])
        return sha, image.span

    looks, wrong = collected(look, range(len(pairs)))
    before.save()
    refuse_wrong(root, wrong)
    span = joined(span for _, span in looks)
    splits, rest = [], iter(key + salt + spanned(span) for key, _ in looks)
    for part in parts:
        by_name = {pair.name: pair for pair in part}
        load = functools.partial(_load, pairs=by_name, root=root, read=read, span=span)
        splits.append(Split(tuple(pair.name for pair in part), tuple(next(rest) for _ in part), load))
    return splits, span


def spanned(span: Span | None) -> bytes:
    """What a key says of the span."""
    return repr(span).encode() if span else b""


def _load(name: str, pairs: dict[str, Pair], root: Path, read: Reader, span: Span | None) -> Sample:
    return read(pairs[name], root, span)


def read_ids(
    pair: Pair, root: Path, span: Span | None, known: Iterable[int], allowed: str
) -> tuple[np.ndarray, np.ndarray, Header]:
    """A pair's image uint8 (H, W, 3), its stored numbers uint8 (H, W), and the image's header; raises SeglabError for
    others than `known`.

    `allowed` says which there are, in no language.
    """
    photo, found = decoded(pair.image, relative(pair.image, root))
    ids = mask_on(found, pair.mask, pair.image, root)
    if beyond := sorted(set(np.flatnonzero(np.bincount(ids.ravel())).tolist()) - set(known)):
        raise SeglabError(
            "{file}: contains {values}; allowed: {allowed}",
            file=relative(pair.mask, root),
            values=few(beyond),
            allowed=allowed,
        )
    return shown(photo, span), ids, found


def absences(train: Sequence[str], val: Sequence[str]) -> list[SeglabError]:
    """Warnings of the classes that no training mask shows, and of those that no validation mask shows."""
    found = []
    if train:
        found.append(SeglabError("no training mask shows {classes}", classes=few(train)))
    if val:
        found.append(
            SeglabError("no validation mask shows {classes}; the mean IoU leaves out absent classes", classes=few(val))
        )
    return found


def few(things: Sequence[object]) -> str:
    """The first ten things as a list in words."""
    return ", ".join(str(thing) for thing in things[:10]) + ", …" * (len(things) > 10)
