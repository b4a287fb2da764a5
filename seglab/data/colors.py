"""Color tables: which class each color of a mask means."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab.data.base import VOID
from seglab.data.images import file_text, printable
from seglab.data.masks import color_codes, colors_in
from seglab.data.pairs import few
from seglab.errors import SeglabError

TABLES = (
    "colors.txt",
    "labelmap.txt",
    "label_colors.txt",
    "class_dict.csv",
)  # the last three: CVAT's, CamVid's, Kaggle's
UNLABELLED = frozenset({"void", "unlabelled", "unlabeled", "ignore"})  # names whose pixels count for nothing
LINES = [
    re.compile(pattern)
    for pattern in (
        r"(?P<name>[^:]+):\s*(?P<r>\d+)\s*,\s*(?P<g>\d+)\s*,\s*(?P<b>\d+)\s*(:.*)?",  # CVAT: name:r,g,b:parts:actions
        r"(?P<name>[^,]+),\s*(?P<r>\d+)\s*,\s*(?P<g>\d+)\s*,\s*(?P<b>\d+)\s*",
        r"(?P<r>\d+)[\s,]+(?P<g>\d+)[\s,]+(?P<b>\d+)[\s,]+(?P<name>.+)",  # CamVid: r g b name
        r"(?P<name>.+?)\s+(?P<r>\d+)\s+(?P<g>\d+)\s+(?P<b>\d+)",
    )
]
LONGEST = 1000  # characters of a line; the last pattern's time grows with their square


@dataclass(frozen=True)
class Table:
    """What the colors of masks mean: `classes` with their `colors`, and the colors of what is void."""

    file: str
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    void: tuple[tuple[int, int, int], ...]

    @property
    def text(self) -> SeglabError:
        """How masks are read by it."""
        return SeglabError("the masks are read by their colors, which {file} names", file=self.file)

    @property
    def digest(self) -> bytes:
        """Equal for tables that give masks the same ids."""
        return hashlib.sha256(repr((self.colors, self.void)).encode()).digest()

    def ids(self, pixels: np.ndarray, file: str) -> np.ndarray:
        """The class ids uint8 (H, W) of a mask's colors uint8 (H, W, 3); raises SeglabError for unknown ones."""
        known = np.full(2**24, -1, np.int16)
        known[color_codes(np.array(self.colors + self.void, np.uint8))] = [
            *range(len(self.colors)),
            *[VOID] * len(self.void),
        ]
        ids = known[color_codes(pixels)]
        if (unknown := ids < 0).any():
            raise SeglabError(
                "{file}: {count} pixels have colors that are not in {table}: {colors}; name them there, or take "
                "{table} away where masks hold class ids",
                file=file,
                count=unknown.sum(),
                table=self.file,
                colors=few(colors_in(pixels[unknown])),
            )
        return ids.astype(np.uint8)


def read_table(root: Path) -> Table | None:
    """The first of the color tables that lies in a folder; raises SeglabError where it cannot be understood."""
    file = next((name for name in TABLES if os.path.isfile(root / name)), None)
    if file is None:
        return None
    text = file_text(root / file, file)
    if file == "class_dict.csv" and not re.search(r"\d+[^\d\n]+\d+[^\d\n]+\d+", text):
        return None  # a list of names alone
    rows: dict[tuple[int, int, int], str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.startswith("#") or re.fullmatch(r"name,\s*r,\s*g,\s*b\s*", line, re.IGNORECASE):
            continue
        matches = (pattern.fullmatch(line.strip()) for pattern in LINES if len(line) <= LONGEST)
        match = next(filter(None, matches), None)
        color = (int(match["r"]), int(match["g"]), int(match["b"])) if match else None
        if not match or not color or max(color) > 255:
            raise SeglabError(
                "{file}: line {number} is not a class with its color; allowed: name:r,g,b or name,r,g,b or r g b name, "
                "each part 0 to 255",
                file=file,
                number=number,
            )
        name = printable(match["name"].strip().rstrip(":, "))
        if color in rows:
            raise SeglabError(
                "{file}: line {number}: {name} and {other} have the same color",
                file=file,
                number=number,
                name=name,
                other=rows[color],
            )
        rows[color] = name
    classes = [(name, color) for color, name in rows.items() if name.lower() not in UNLABELLED]
    if len(classes) < 2:
        raise SeglabError(
            "{file}: names too few classes: {count}; at least 2 are needed", file=file, count=len(classes)
        )
    if len(classes) > VOID:
        raise SeglabError("class names: {count} were given; allowed: up to {most}", count=len(classes), most=VOID)
    return Table(
        file=file,
        classes=tuple(name for name, _ in classes),
        colors=tuple(color for _, color in classes),
        void=tuple(color for color, name in rows.items() if name.lower() in UNLABELLED),
    )
