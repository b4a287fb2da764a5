"""Anyone's own images and masks from a folder, and a report of what is in it and what is wrong."""

from __future__ import annotations

import colorsys
import functools
import hashlib
import os
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from seglab.data.base import VOID, Data, Sample, Split
from seglab.data.classes import LISTS, read_classes
from seglab.data.colors import TABLES, Table, read_table
from seglab.data.images import (
    file_bytes,
    printable,
    read_colors,
    read_mask,
    read_pair,
    read_photo,
    refuse_other_size,
    relative,
)
from seglab.data.layout import Layout, arranged
from seglab.data.pairs import Pair, Root, absences, alone, few, held_out, located, refuse_wrong
from seglab.data.walking import Row, walked
from seglab.errors import SeglabError
from seglab.families import Dataset

MOST_CLASSES = 255  # ids 0 to 254
LONGEST = 100  # characters of a class name
MANY_CLASSES = 64  # so many classes without a name are more likely shades of gray
CLEARLY = 24  # two colors closer than this, summed over RGB, look the same in an overlay


class Folder(Dataset):
    """Your own data: a folder with images and masks, paired by file name.

    The folders `images` and `masks` may also have other usual names (`JPEGImages`, `labels`, `annotations`, `gtFine`,
    ...), in any case, lie deeper, or be one folder; masks may be called `x.png`, `x_mask.png`, `x_L.png`, `x.jpg.png`,
    `mask_x.png` and the like. One pattern is taken for the whole set, and told. Class names are read from the usual
    lists, such as `classes.txt`, `_classes.csv` or nnU-Net's `dataset.json`, where ids beside names count.

    A mask holds class ids, as gray values or palette indices, with 255 = void; PNG is best, and JPEG is refused. If all
    masks together contain only 0 and 255, these are read as classes 0 and 1. Painted masks need a color table in the
    folder: `colors.txt` with lines `name:r,g,b` (or CVAT's labelmap.txt, CamVid's label_colors.txt, a class_dict.csv).
    Then every mask is read by its colors, and what the table calls void or unlabeled is void.

    Folders `train` and `val` (or `valid`), within these or around them, fix the split; `test` is left out. Without
    both, `val_fraction` of the pairs are used for validation, chosen by the sha256 of their names: always the same
    ones, and few change when files are added. That puts neighboring frames of a video on both sides, so videos need the
    folders.
    """

    name = "folder"
    root: Annotated[Root | None, Field(description="folder with images and masks; default: $SEGLAB_DATA/folder")] = None
    classes: Annotated[
        tuple[str, ...],
        Field(
            max_length=MOST_CLASSES,
            description="class names by id; default: those of a color table or of a list such as classes.txt, or class "
            "0, class 1",
        ),
    ] = ()
    val_fraction: Annotated[
        float,
        Field(ge=0.1, le=0.5, description="fraction of the pairs used for validation, where no folders split them"),
    ] = 0.2

    def open(self) -> Data:
        """Reads every file, so that nothing damaged turns up in the middle of a run; warnings become `notes`."""
        found = self.report()
        if found.rows:
            refuse_wrong(found.root, [problem for _, problem in found.rows])
        return Data.halved(
            train=_split(found.train, found.keys[: len(found.train)], found),
            val=_split(found.val, found.keys[len(found.train) :], found),
            classes=found.classes,
            colors=found.colors,
            notes=found.warnings,
        )

    def report(self) -> Report:
        """What is in the folder and what is wrong; raises SeglabError only if there is no folder."""
        return report(located(self.root, self.name), self.classes, self.val_fraction)


@dataclass(frozen=True)
class Report:
    """What a folder holds and what is wrong with it; it can be trained on when `rows` is empty.

    `rows`: a file's path below the root, and its problem. `warnings`: what a person should know and may want.
    `shares`: each class's part of the labeled pixels, 0 to 1; `images`: how many masks show it; `void`: the part of
    all pixels that is void. `sizes`: (width, height) and how many images have it, the most frequent first.
    `absent_train`, `absent_val`: classes that no mask there shows. `duplicates`: groups of files with the same picture.
    `binary`: masks of 0 and 255 are read as 0 and 1. `table`: what the masks' colors mean. `keys`: what the files
    of the training pairs, then those of the validation pairs hold. `pattern`: how the names of images and masks are
    alike, None without pairs. `listed`: the file below the root that names the classes, if one does. Files that could
    not be read count for nothing but rows.
    """

    root: Path
    rows: tuple[Row, ...]
    warnings: tuple[SeglabError, ...]
    train: tuple[Pair, ...]
    val: tuple[Pair, ...]
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    shares: tuple[float, ...]
    images: tuple[int, ...]
    void: float
    sizes: tuple[tuple[tuple[int, int], int], ...]
    absent_train: tuple[str, ...]
    absent_val: tuple[str, ...]
    duplicates: tuple[tuple[str, ...], ...]
    binary: bool
    keys: tuple[bytes, ...]
    table: Table | None
    pattern: SeglabError | None = None
    listed: str = ""

    def text(self, most: int = 50) -> str:
        """The report as plain lines, with at most so many of the problems."""
        pairs = len(self.train) + len(self.val)
        sizes = [f"{width} x {height} ({count} images)" for (width, height), count in self.sizes[:5]]
        lines = [
            f"folder: {printable(str(self.root))}",
            f"pairs: {pairs}, of which {len(self.train)} for training and {len(self.val)} for validation",
            *([str(self.pattern)] if self.pattern else []),
            "sizes: " + ", ".join(sizes) + ", …" * (len(self.sizes) > 5),
            f"void: {self.void:.1%} of all pixels",
        ]
        lines += [f"class names: those in {self.listed}"] if self.listed else []
        wide = max(map(len, self.classes), default=0)
        for index, (name, share, images) in enumerate(zip(self.classes, self.shares, self.images, strict=True)):
            lines.append(f"{index:>4} {name:<{wide}} {share:>6.1%} of labeled pixels, in {images} masks")
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"wrong: {problem}" for _, problem in self.rows[:most]]
        lines.append(f"problems: {len(self.rows)}" + f", the first {most} shown" * (len(self.rows) > most))
        return "\n".join(lines)


def report(root: Path, classes: Sequence[str] = (), val_fraction: float = 0.2) -> Report:
    """Reads every image and mask below `root` and tells what is there; whatever is wrong goes into `rows`.

    `classes` and `val_fraction` as in Folder. Asked again in the same process, it does not read files again whose size
    and time are unchanged.
    """
    root = Path(root)
    train, val, rows, warnings, layout = _listing(root, val_fraction)
    table, listed = None, ""
    try:
        table = next(filter(None, (read_table((root / place).parent) for place in layout.beside(TABLES))), None)
        names, listed = _class_names(root, tuple(classes) or (table.classes if table else ()), layout)
    except SeglabError as error:
        rows, names = [*rows, (error.values.get("file", "classes.txt"), error)], ()
    looks = _looks(root, tuple((pair, _stamp(pair.image), _stamp(pair.mask)) for pair in train + val), table)
    rows += [row for look in looks for row in look.rows]

    counts = np.stack([look.counts for look in looks]) if looks else np.zeros((0, 256), np.int64)
    binary = not table and np.flatnonzero(counts.any(axis=0)).tolist() == [0, VOID] and len(names) in (0, 2)
    if binary:
        counts[:, 1], counts[:, VOID] = counts[:, VOID].copy(), 0
        warnings.append(SeglabError("the masks contain only 0 and 255; these are read as classes 0 and 1, not as void"))
    if not names:
        largest = int(max(np.flatnonzero(counts[:, :VOID].any(axis=0)), default=-1))
        names = tuple(f"class {index}" for index in range(largest + 1))
        if len(names) > MANY_CLASSES:
            warnings.append(SeglabError("ids go up to {largest}; are these shades of gray, not ids?", largest=largest))
    rows += _label_problems(root, looks, counts, len(names))
    palette_warnings: list[SeglabError] = []
    if table and len(table.colors) == len(names):
        colors = table.colors
    else:
        colors, palette_warnings = (distinct_colors(2), []) if binary else _colors(root, looks, counts, len(names))
    duplicates, copy_warnings = _copies(root, looks, len(train))
    facts, absence_warnings = _facts(counts, names, len(train))
    return Report(
        root=root,
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        warnings=(*warnings, *palette_warnings, *copy_warnings, *absence_warnings),
        train=train,
        val=val,
        classes=names,
        colors=colors,
        sizes=tuple(Counter(look.size for look in looks if look.size).most_common()),
        duplicates=duplicates,
        binary=binary,
        keys=tuple(
            look.image_sha + look.mask_sha + b"binary" * binary + (table.digest if table else b"") for look in looks
        ),
        table=table,
        pattern=layout.pattern,
        listed=printable(listed),
        **facts,
    )


def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """RGB colors, neighbors far apart: hues a golden angle from each other, of changing strength and light."""
    colors = []
    for index in range(count):
        hue, strength, light = index * 0.618034 % 1, (0.75, 1.0, 0.5)[index % 3], (0.95, 0.6, 0.8)[index // 3 % 3]
        red, green, blue = colorsys.hsv_to_rgb(hue, strength, light)
        colors.append((round(255 * red), round(255 * green), round(255 * blue)))
    return tuple(colors)


# --- which files there are ------------------------------------------------------------------------------------------


def _listing(
    root: Path, val_fraction: float
) -> tuple[tuple[Pair, ...], tuple[Pair, ...], list[Row], list[SeglabError], Layout]:
    """The training and the validation pairs as far as file names tell, problems, warnings, and the layout."""
    try:
        paths, rows = walked(root)
    except ValueError:
        error = SeglabError("{folder}: there is no such folder, or it cannot be read", folder="images")
        paths, rows = [], [("images", error)]
    except SeglabError as error:
        paths, rows = [], [("images", error)]
    layout = arranged(paths) if paths or not rows else Layout()
    rows += layout.problems
    if layout.whole:
        chosen = held_out([match.name for match in layout.whole], val_fraction)
        train = [match for match in layout.whole if match.name not in chosen]
        val = [match for match in layout.whole if match.name in chosen]
    else:
        train, val = list(layout.train), list(layout.val)
    if not rows and (len(train) < 2 or len(val) < 1):
        problem = SeglabError(
            "{train} training and {val} validation pairs were found; at least 2 and 1 are needed",
            train=len(train),
            val=len(val),
        )
        rows.append(("images", problem))
    pairs = [tuple(Pair(name, root / image, root / mask) for name, image, mask in part) for part in (train, val)]
    return pairs[0], pairs[1], rows, list(layout.warnings), layout


def _class_names(root: Path, classes: tuple[str, ...], layout: Layout) -> tuple[tuple[str, ...], str]:
    """The names given, else those in a list of classes, else none, and that list; raises SeglabError for empty,
    repeated and too many."""
    file = ""
    if not classes:
        classes, file = read_classes(root, layout.beside(LISTS))
    names = tuple(printable(name.strip()) for name in classes)
    if "" in names:
        raise SeglabError("class names: the name of class {index} is empty", index=names.index(""))
    if longest := next((name for name in names if len(name) > LONGEST), ""):
        raise SeglabError(
            "class names: {name} is too long; allowed: up to {most} characters", name=f"{longest[:20]}…", most=LONGEST
        )
    if len(set(names)) < len(names):
        raise SeglabError("class names: {name} is listed twice", name=Counter(names).most_common(1)[0][0])
    if len(names) > MOST_CLASSES:
        raise SeglabError("class names: {count} were given; allowed: up to {most}", count=len(names), most=MOST_CLASSES)
    return names, file


# --- what is in them ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Look:
    """What reading a pair gave: its problems, the photograph's (width, height), pixels by stored value (256,)."""

    pair: Pair
    rows: tuple[Row, ...]
    size: tuple[int, int] | None
    counts: np.ndarray
    palette: np.ndarray | None
    image_sha: bytes
    mask_sha: bytes


def _stamp(path: Path) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_size, status.st_mtime_ns


@functools.lru_cache(maxsize=2)
def _looks(root: Path, stamped: tuple[tuple[Pair, Any, Any], ...], table: Table | None) -> tuple[_Look, ...]:
    """A look at every pair; the stamps let the cache notice changed files."""
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:  # decoding and hashing release the interpreter's lock
        return tuple(pool.map(lambda entry: _look(root, entry[0], table), stamped))


def _look(root: Path, pair: Pair, table: Table | None) -> _Look:
    from PIL import Image

    image, mask = relative(pair.image, root), relative(pair.mask, root)
    rows: list[Row] = []
    photo = palette = None
    image_sha = mask_sha = b""
    counts = np.zeros(256, np.int64)
    try:
        data = file_bytes(pair.image, image)
        image_sha = hashlib.sha256(data).digest()
        photo = read_photo(data, image)
    except SeglabError as error:
        rows.append((image, alone(error)))
    try:
        data = file_bytes(pair.mask, mask)
        mask_sha = hashlib.sha256(data).digest()
        ids, palette = (table.ids(read_colors(data, mask), mask), None) if table else read_mask(data, mask)
        counts = np.array(Image.fromarray(ids).histogram(), np.int64)  # a fifth of bincount's time
        if photo is not None:
            refuse_other_size(photo, ids, pair.image, pair.mask, root)
    except SeglabError as error:
        rows.append((mask, alone(error)))
    size = None if photo is None else (photo.shape[1], photo.shape[0])
    return _Look(pair, tuple(rows), size, counts, palette, image_sha, mask_sha)


def _label_problems(root: Path, looks: Sequence[_Look], counts: np.ndarray, num_classes: int) -> list[Row]:
    """Masks with values that no class has; `counts` (n, 256) are the looks' pixels by id."""
    if counts.any() and num_classes < 2:
        problem = SeglabError(
            "the masks and class names give too few classes: {count}; at least 2 are needed", count=num_classes
        )
        return [("masks", problem)]
    rows = []
    for index in np.flatnonzero(counts[:, num_classes:VOID].any(axis=1)).tolist():
        file = relative(looks[index].pair.mask, root)
        rows.append((file, _beyond(np.flatnonzero(counts[index]), num_classes, file)))
    return rows


def _beyond(values: np.ndarray, num_classes: int, file: str) -> SeglabError:
    beyond = [int(value) for value in values if value >= num_classes and value != VOID]
    return SeglabError(
        "{file}: contains {values}; the {count} classes have the ids 0 to {largest}, and 255 is void",
        file=file,
        values=few(beyond),
        count=num_classes,
        largest=num_classes - 1,
    )


def _colors(
    root: Path, looks: Sequence[_Look], counts: np.ndarray, num_classes: int
) -> tuple[tuple[tuple[int, int, int], ...], list[SeglabError]]:
    """The palette's colors where the masks share one whose colors can be told apart, else made-up ones; warnings."""
    palettes = [look.palette for look in looks if look.palette is not None]
    longest = max(palettes, key=len, default=np.zeros((0, 3), np.uint8))
    for look, count in zip(looks, counts, strict=True):
        if look.palette is None:
            continue
        shown = np.flatnonzero(count[: min(num_classes, len(look.palette))])
        if not np.array_equal(look.palette[shown], longest[shown]):
            # palettes made for each picture alone (by a paint program) give ids that mean nothing from file to file
            file = relative(look.pair.mask, root)
            warning = SeglabError("{file}: its palette differs from that of other masks; only ids count", file=file)
            return distinct_colors(num_classes), [warning]
    colors = longest[:num_classes].astype(int)
    apart = np.abs(colors[:, None] - colors).sum(axis=-1) + CLEARLY * np.eye(len(colors), dtype=int)
    if len(colors) < num_classes or (apart < CLEARLY).any():
        return distinct_colors(num_classes), []
    return tuple((red, green, blue) for red, green, blue in colors.tolist()), []


def _copies(root: Path, looks: Sequence[_Look], trained: int) -> tuple[tuple[tuple[str, ...], ...], list[SeglabError]]:
    """Groups of image files with the same content, and warnings; the first `trained` looks are for training."""
    groups: dict[bytes, list[int]] = {}
    for index, look in enumerate(looks):
        if look.image_sha:
            groups.setdefault(look.image_sha, []).append(index)
    several = [group for group in groups.values() if len(group) > 1]
    duplicates = tuple(tuple(relative(looks[index].pair.image, root) for index in group) for group in several)
    leaks = [files for group, files in zip(several, duplicates, strict=True) if group[0] < trained <= group[-1]]
    warnings = []
    if duplicates:
        warnings.append(
            SeglabError(
                "images that occur more than once: {count}, such as {first}",
                count=len(duplicates),
                first=few(duplicates[0]),
            )
        )
    if leaks:
        warnings.append(
            SeglabError(
                "images in both training and validation: {count}, such as {first}; scores will be too high",
                count=len(leaks),
                first=few(leaks[0]),
            )
        )
    return duplicates, warnings


def _facts(counts: np.ndarray, names: tuple[str, ...], trained: int) -> tuple[dict[str, Any], list[SeglabError]]:
    """The Report's figures about classes, by field, and warnings of classes that are absent."""
    shown = counts[:, : len(names)] > 0
    pixels = counts[:, : len(names)].sum(axis=0)
    absent_train = tuple(name for name, seen in zip(names, shown[:trained].sum(axis=0), strict=True) if not seen)
    absent_val = tuple(name for name, seen in zip(names, shown[trained:].sum(axis=0), strict=True) if not seen)
    facts = {
        "shares": tuple((pixels / max(1, pixels.sum())).tolist()),
        "images": tuple(shown.sum(axis=0).tolist()),
        "void": float(counts[:, VOID].sum() / max(1, counts.sum())),
        "absent_train": absent_train,
        "absent_val": absent_val,
    }
    return facts, absences(absent_train, absent_val)


# --- samples --------------------------------------------------------------------------------------------------------


def _split(pairs: tuple[Pair, ...], keys: tuple[bytes, ...], found: Report) -> Split:
    load = functools.partial(
        _load,
        pairs={pair.name: pair for pair in pairs},
        root=found.root,
        num_classes=len(found.classes),
        binary=found.binary,
        table=found.table,
    )
    return Split(tuple(pair.name for pair in pairs), keys, load)


def _load(name: str, pairs: dict[str, Pair], root: Path, num_classes: int, binary: bool, table: Table | None) -> Sample:
    pair = pairs[name]
    if table:
        mask = relative(pair.mask, root)
        image, ids = read_photo(pair.image, relative(pair.image, root)), table.ids(read_colors(pair.mask, mask), mask)
        refuse_other_size(image, ids, pair.image, pair.mask, root)
    else:
        image, ids = read_pair(pair.image, pair.mask, root)
    if binary:
        ids[ids == VOID] = 1
    if ((ids >= num_classes) & (ids != VOID)).any():  # the file has changed since it was opened
        raise _beyond(np.unique(ids), num_classes, relative(pair.mask, root))
    return Sample(image, ids, name=name)
