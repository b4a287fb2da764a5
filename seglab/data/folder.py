"""Anyone's own images and masks from a folder, and a report of what is in it and what is wrong."""

from __future__ import annotations

import colorsys
import functools
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import Field

from seglab import machine
from seglab.data.base import VOID, Data, Sample, Split, leaked, reused, shared
from seglab.data.classes import LISTS, List, read_classes
from seglab.data.colors import TABLES, Table, read_table
from seglab.data.encodings import MANY, Reading, Values, reading
from seglab.data.images import Span, joined, printable, relative
from seglab.data.layout import Layout, arranged
from seglab.data.looks import Look, Style, looked, read
from seglab.data.masks import DrawnOn
from seglab.data.pairs import Pair, Root, absences, few, held_out, is_here, located, refuse_wrong, spanned
from seglab.data.walking import Row, walked
from seglab.errors import SeglabError
from seglab.families import Dataset

MOST_CLASSES = 255  # ids 0 to 254
LONGEST = 100  # characters of a class name
_UNNAMED: tuple[tuple[str, ...], list[SeglabError], list[int]] = ((), [], [])  # where no list of classes is read
CLEARLY = 24  # two colors closer than this, summed over RGB, look the same in an overlay


class Folder(Dataset):
    """Your own data: a folder with images and masks, paired by file name.

    The folders `images` and `masks` may also have other usual names (`JPEGImages`, `labels`, `annotations`, `gtFine`,
    ...), in any case, lie deeper, or be one folder; masks may be called `x.png`, `x_mask.png`, `x_L.png`, `x.jpg.png`,
    `mask_x.png` and the like. One pattern is taken for the whole set, and told. Class names are read from the usual
    lists, such as `classes.txt`, `_classes.csv` or nnU-Net's `dataset.json`, where ids beside names count.

    A mask holds class ids, as gray values or palette indices, with 255 = void; PNG is best. If all masks together
    contain only 0 and 255, these are read as classes 0 and 1. Masks whose values may mean several things (soft edges,
    JPEG, shades, some of 0 and 255 among others) are refused by name until `values` says what they mean. Painted masks
    need a color table in the folder: `colors.txt` with lines `name:r,g,b` (or CVAT's labelmap.txt, CamVid's
    label_colors.txt, a class_dict.csv). Then every mask is read by its colors, and what the table calls void or
    unlabeled is void.

    A photograph that EXIF turns and its mask end in the same frame; where nothing tells how the mask lies, `drawn_on`
    has to. Values of 10 to 16 bits are scaled by the darkest and brightest of the whole set.

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
    values: Annotated[
        Values,
        Field(
            description="what the values in masks mean: ids (255 is void), threshold (class 1 from 128 on; JPEG is "
            "read too), shades (the classes in order), or auto, which tells by the files"
        ),
    ] = "auto"
    drawn_on: Annotated[
        DrawnOn,
        Field(
            description="what masks of photographs with an EXIF rotation lie on, where sizes do not tell: the picture "
            "as shown or as stored"
        ),
    ] = "unknown"

    @property
    def here(self) -> bool:
        return is_here(self.root, self.name)

    def open(self) -> Data:
        """Reads every file, so that nothing damaged turns up in the middle of a run; warnings become `notes`."""
        found = self.report()
        if found.rows:
            refuse_wrong(found.root, [problem for _, problem in found.rows])
        return Data.halved(
            train=found.splits[0],
            val=found.splits[1],
            classes=found.classes,
            colors=found.colors,
            notes=found.notes,
            found=found.how,
            span=found.span,
        )

    def report(self) -> Report:
        """What is in the folder and what is wrong; raises SeglabError only if there is no folder."""
        return report(located(self.root, self.name), self.classes, self.val_fraction, self.values, self.drawn_on)


@dataclass(frozen=True)
class Report:
    """What a folder holds and what is wrong with it; it can be trained on when `rows` is empty.

    `rows`: a file's path below the root, and its problem. `notes`: what a person should know and may want.
    `shares`: each class's part of the labeled pixels, 0 to 1; `images`: how many masks show it; `void`: the part of
    all pixels that is void. `sizes`: (width, height) and how many images have it, the most frequent first.
    `absent_train`, `absent_val`: classes that no mask there shows. `how`: how files were found and are read.
    `duplicates`: groups of files with the same picture. Of the training pairs, then of the validation pairs: `tables`,
    the ids of a mask's 256 values; `keys`, what both files hold; `pixels`, what tells the photographs apart. `style`:
    how they were read; `span`: the values of deep photographs that are shown as black and white. Files that could not
    be read count for nothing but rows.
    """

    root: Path
    rows: tuple[Row, ...]
    notes: tuple[SeglabError, ...]
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
    how: tuple[SeglabError, ...]
    duplicates: tuple[tuple[str, ...], ...]
    tables: tuple[np.ndarray, ...]
    keys: tuple[bytes, ...]
    pixels: tuple[bytes, ...]
    style: Style
    span: Span | None

    @property
    def splits(self) -> tuple[Split, Split]:
        """The pairs for training and those for validation, as samples."""
        count = len(self.train)
        return _split(self.train, slice(count), self), _split(self.val, slice(count, None), self)

    @property
    def warnings(self) -> tuple[SeglabError, ...]:
        """The notes, and what the two parts have in common."""
        train, val = self.splits
        lone = val.names if len(val) == 1 else ()
        return (*self.notes, *leaked(shared(train, [val])), *reused(lone))

    def text(self, most: int = 50) -> str:
        """The report as plain lines, with at most so many of the problems."""
        pairs = len(self.train) + len(self.val)
        sizes = [f"{width} x {height} ({count} images)" for (width, height), count in self.sizes[:5]]
        lines = [
            f"folder: {printable(str(self.root))}",
            f"pairs: {pairs}, of which {len(self.train)} for training and {len(self.val)} for validation",
            *map(str, self.how),
            "sizes: " + ", ".join(sizes) + ", …" * (len(self.sizes) > 5),
            f"void: {self.void:.1%} of all pixels",
        ]
        wide = max(map(len, self.classes), default=0)
        for index, (name, share, images) in enumerate(zip(self.classes, self.shares, self.images, strict=True)):
            lines.append(f"{index:>4} {name:<{wide}} {share:>6.1%} of labeled pixels, in {images} masks")
        lines += [f"warning: {warning}" for warning in self.warnings]
        lines += [f"wrong: {problem}" for _, problem in self.rows[:most]]
        lines.append(f"problems: {len(self.rows)}" + f", the first {most} shown" * (len(self.rows) > most))
        return "\n".join(lines)


@machine.unswept()
def report(
    root: Path,
    classes: Sequence[str] = (),
    val_fraction: float = 0.2,
    values: Values = "auto",
    drawn_on: DrawnOn = "unknown",
    reduced: bool = False,
    told: Sequence[SeglabError] = (),
) -> Report:
    """Reads every image and mask below `root` and tells what is there; whatever is wrong goes into `rows`.

    `reduced`: 0 in masks is void, and 1 is the first class. `told` is how the files came there. The others as in
    Folder. Files that are as they were when they were read are not read again.
    """
    train, val, rows, warnings, layout = _listing(root, val_fraction)
    table, (names, named, void) = None, _UNNAMED
    try:
        table = next(filter(None, (read_table((root / place).parent) for place in layout.beside(TABLES))), None)
        names, named, void = _class_names(root, tuple(classes) or (table.classes if table else ()), layout)
    except SeglabError as error:
        rows = [*rows, (error.values.get("file", "classes.txt"), error)]
    style = Style(table, values in ("threshold", "shades"), values == "threshold", drawn_on)
    looks = looked(root, train + val, style)
    stored = np.stack([look.counts for look in looks]) if looks else np.zeros((0, 256), np.int64)
    if reduced and (table or values not in ("auto", "ids")):
        raise SeglabError("data.reduce_labels needs masks with class ids, and data.values auto or ids")
    how, problems = _meaning(root, looks, stored, "ids" if table or reduced else values, len(names), void)
    how = how.reduced() if reduced else how
    rows += [*(row for look in looks for row in look.rows), *problems]
    if not table and values != "ids":
        rows += _palette_problems(root, looks)
    counts = how.read(stored)
    if not names:
        largest = int(max(np.flatnonzero(counts[:, :VOID].any(axis=0)), default=-1))
        names = tuple(f"class {index}" for index in range(largest + 1))
        if len(names) > MANY and not how.wrong:
            warnings.append(SeglabError("ids go up to {largest}; are these shades of gray, not ids?", largest=largest))
    if not how.wrong:
        rows += _label_problems(root, looks, counts, len(names))
    duplicates, copy_warnings = _copies(root, looks)
    span = joined(look.span for look in looks)
    facts, absence_warnings = _facts(counts, names, len(train))
    return Report(
        root=root,
        rows=tuple(sorted(rows, key=lambda row: row[0])),
        notes=(*warnings, *how.notes, *_depths(root, looks, span), *copy_warnings, *absence_warnings),
        train=train,
        val=val,
        classes=names,
        colors=_colors(table, looks if how.plain else (), len(names)),
        sizes=tuple(Counter(look.header.shape[::-1] for look in looks if look.header).most_common()),
        how=(*told, *filter(None, [layout.pattern]), *named, table.text if table else how.text),
        duplicates=duplicates,
        tables=tuple(how.tables),
        keys=tuple(
            look.image_sha + look.mask_sha + how.key(place) + (table.digest if table else b"") + spanned(span)
            for place, look in enumerate(looks)
        ),
        pixels=tuple(look.pixels for look in looks),
        style=style,
        span=span,
        **facts,
    )


def _meaning(
    root: Path, looks: Sequence[Look], stored: np.ndarray, values: Values, num_classes: int, void: list[int]
) -> tuple[Reading, list[Row]]:
    """How the masks with `stored` (n, 256) pixels by value, of which some are `void`, are to be read, and what keeps
    them from it."""
    files = [relative(look.pair.mask, root) for look in looks]
    inner = np.stack([look.inner for look in looks]) if looks else stored > 0
    if values == "shades" and void:
        how = reading(values, stored, inner, files, num_classes)
        how.tables = [np.where(np.isin(table, void), VOID, table).astype(np.uint8) for table in how.tables]
    elif values in ("auto", "ids") and stored[:, void].any():
        ids = stored.copy()
        ids[:, void] = 0  # of which nothing is to be told
        how = reading(values, ids, inner, files, num_classes).with_void(void, np.flatnonzero(stored.any(0)).tolist())
    else:
        how = reading(values, stored, inner, files, num_classes)
    return how, [(files[place], problem) for place, problem in how.wrong]


# Told apart by color-blind readers too: any two, and black, are 10 or more apart (CIEDE2000) as they are and as people
# without red or green cones see them (Machado et al. 2009, https://doi.org/10.1109/TVCG.2009.113)
SAFE = (
    (0, 180, 144), (216, 180, 0), (180, 108, 252), (144, 108, 0), (0, 0, 144), (252, 252, 216), (72, 108, 108),
    (216, 216, 252), (108, 36, 0), (144, 36, 216), (252, 252, 108), (144, 36, 72), (144, 144, 180), (180, 144, 72),
    (108, 216, 144), (36, 72, 108), (72, 36, 36), (0, 144, 108), (180, 180, 252), (72, 108, 144), (144, 180, 180),
)  # fmt: skip


def distinct_colors(count: int) -> tuple[tuple[int, int, int], ...]:
    """RGB colors, far apart; beyond those of SAFE, hues a golden angle from each other, of changing strength and
    light."""
    colors = list(SAFE[:count])
    for index in range(count - len(colors)):
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


def _class_names(
    root: Path, classes: tuple[str, ...], layout: Layout
) -> tuple[tuple[str, ...], list[SeglabError], list[int]]:
    """The names given, else those in a list of classes, else none, what tells of that list, and the ids that are void
    by it; raises SeglabError for empty, repeated and too many."""
    found = List(classes) if classes else read_classes(root, layout.beside(LISTS))
    names = tuple(printable(name.strip()) for name in found.names)
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
    file = printable(found.file)
    told = [SeglabError("class names are read from {file}", file=file)] if file else []
    if found.void:
        told.append(SeglabError("ids that are void by {file}: {ids}", file=file, ids=few(found.void)))
    return names, told, list(found.void)


# --- what is in them ------------------------------------------------------------------------------------------------


def _label_problems(root: Path, looks: Sequence[Look], counts: np.ndarray, num_classes: int) -> list[Row]:
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
        "{file}: contains {values}; the {count} classes have the ids 0 to {largest}, and 255 is void; name every id in "
        "classes.txt, or write ids beside the names (30: road), or set data.values to shades to number the values in "
        "their order",
        file=file,
        values=few(beyond),
        count=num_classes,
        largest=num_classes - 1,
    )


def _colors(table: Table | None, looks: Sequence[Look], num_classes: int) -> tuple[tuple[int, int, int], ...]:
    """The table's colors, or the palette's where the masks have one whose colors can be told apart, else made-up
    ones."""
    if table and len(table.colors) == num_classes:
        return table.colors
    longest = max((look.palette for look in looks if look.palette is not None), key=len, default=np.zeros((0, 3)))
    colors = longest[:num_classes].astype(int)
    apart = np.abs(colors[:, None] - colors).sum(axis=-1) + CLEARLY * np.eye(len(colors), dtype=int)
    if len(colors) < num_classes or (apart < CLEARLY).any():
        return distinct_colors(num_classes)
    return tuple((red, green, blue) for red, green, blue in colors.tolist())


def _palette_problems(root: Path, looks: Sequence[Look]) -> list[Row]:
    """Masks whose palettes give an id another color than most masks do: made for each picture alone, as paint programs
    do, their ids mean nothing from file to file."""
    votes: dict[int, Counter[tuple[int, ...]]] = {}
    painted = [(look, palette) for look in looks if (palette := look.palette) is not None]
    colors = [
        {index: tuple(palette[index].tolist()) for index in np.flatnonzero(look.counts[: len(palette)]).tolist()}
        for look, palette in painted
    ]
    for each in colors:
        for index, color in each.items():
            votes.setdefault(index, Counter())[color] += 1
    usual = {index: counter.most_common(1)[0][0] for index, counter in votes.items()}
    rows = []
    for (look, _), each in zip(painted, colors, strict=True):
        odd = next((index for index, color in each.items() if color != usual[index]), None)
        if odd is not None:
            file = relative(look.pair.mask, root)
            problem = SeglabError(
                "{file}: its palette gives the id {index} the color {color}, in other masks it is {other}; name the "
                "colors in a file colors.txt in the folder, a line name:r,g,b for each, or set data.values to ids "
                "to read the ids whatever their colors",
                file=file,
                index=odd,
                color=str(each[odd]),
                other=str(usual[odd]),
            )
            rows.append((file, problem))
    return rows


def _copies(root: Path, looks: Sequence[Look]) -> tuple[tuple[tuple[str, ...], ...], list[SeglabError]]:
    """Groups of image files that show the same picture, and a warning of them."""
    groups: dict[bytes, list[Path]] = {}
    for look in looks:
        if look.pixels:
            groups.setdefault(look.pixels, []).append(look.pair.image)
    several = tuple(tuple(relative(each, root) for each in group) for group in groups.values() if len(group) > 1)
    if not several:
        return (), []
    warning = SeglabError(
        "images that occur more than once: {count}, such as {first}", count=len(several), first=few(several[0])
    )
    return several, [warning]


def _depths(root: Path, looks: Sequence[Look], span: Span | None) -> list[SeglabError]:
    """What a person should know of photographs with more than 8 bits, or with a fourth band."""
    notes = []
    if span:
        deep = [look for look in looks if look.span]
        notes.append(
            SeglabError(
                "photographs with more than 8 bits: {count} of {all}; their values from {low} to {high} are shown as "
                "black to white, in training and in prediction",
                count=len(deep),
                all=len(looks),
                low=span[0],
                high=span[1],
            )
        )
    if fourth := [look for look in looks if look.header and look.header.fourth]:
        notes.append(
            SeglabError(
                "photographs with a fourth band that is not marked as transparency and was left out: {count}, such as "
                "{first}",
                count=len(fourth),
                first=relative(fourth[0].pair.image, root),
            )
        )
    return notes


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


def _split(pairs: tuple[Pair, ...], places: slice, found: Report) -> Split:
    load = functools.partial(
        _load,
        pairs={pair.name: (pair, table) for pair, table in zip(pairs, found.tables[places], strict=True)},
        root=found.root,
        num_classes=len(found.classes),
        style=found.style,
        span=found.span,
    )
    return Split(tuple(pair.name for pair in pairs), found.keys[places], load, found.pixels[places])


def _load(
    name: str,
    pairs: dict[str, tuple[Pair, np.ndarray]],
    root: Path,
    num_classes: int,
    style: Style,
    span: Span | None,
) -> Sample:
    pair, table = pairs[name]
    image, values = read(pair, root, style, span)
    ids = table[values]
    if ((ids >= num_classes) & (ids != VOID)).any():  # the file has changed since it was opened
        raise _beyond(np.unique(ids), num_classes, relative(pair.mask, root))
    return Sample(image, ids, name=name)
