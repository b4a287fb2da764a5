"""What the numbers in masks mean: decided for each file, and checked across all of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from seglab.data.base import VOID
from seglab.data.pairs import few
from seglab.errors import SeglabError

Values = Literal["auto", "ids", "threshold", "shades"]
MIDDLE = 128  # from here on a value is class 1, where masks are split in two
MANY = 64  # so many classes without a name are more likely shades of gray
STEP = 20  # values so far apart or farther are shades, or of masks that mean something else, not ids
NEAR = 32  # how far from 0 and 255 the noise of two colors reaches
BLURRED = 8  # values on edges alone, and more than there are others, come from blurring
FEWEST = 3  # values that stand nowhere but on edges; fewer may be narrow things

IDS = np.arange(256, dtype=np.uint8)
BINARY = np.where(IDS == VOID, 1, IDS).astype(np.uint8)
HALVES = (IDS >= MIDDLE).astype(np.uint8)


@dataclass
class Reading:
    """How masks are read: for each a table of 256 ids, uint8, by stored value; the values that they have; what a person
    should know, and what keeps the masks from being read, with the place of the mask that it names."""

    tables: list[np.ndarray]
    stored: list[int]
    notes: list[SeglabError] = field(default_factory=list)
    wrong: list[tuple[int, SeglabError]] = field(default_factory=list)

    def read(self, counts: np.ndarray) -> np.ndarray:
        """int64 (N, 256): pixels by id, from those by stored value."""
        found = np.zeros_like(counts)
        for row, table, given in zip(found, self.tables, counts, strict=True):
            np.add.at(row, table, given)
        return found

    @property
    def text(self) -> SeglabError:
        """What the masks have, and what it is read as."""
        values = few(self.stored)
        if self.tables and (self.tables[0][:2] == (VOID, 0)).all():
            return SeglabError(
                "the masks contain the values {values}: 0 is void, and class ids are one less than the others",
                values=values,
            )
        if self.plain:
            return SeglabError("the masks contain the values {values}, read as class ids", values=values)
        if any(table is HALVES for table in self.tables):
            return SeglabError(
                "the masks contain the values {values}: those from {middle} on are read as class 1, the others as "
                "class 0",
                values=values,
                middle=MIDDLE,
            )
        if self.tables[0][VOID] == 1:
            return SeglabError("the masks contain the values {values}, read as the classes 0 and 1", values=values)
        return SeglabError(
            "the masks contain the values {values}, read as the classes 0 to {largest}",
            values=values,
            largest=len(self.stored) - 1,
        )

    @property
    def plain(self) -> bool:
        """Whether all stored numbers are ids."""
        return all(((table == IDS) | (table == VOID)).all() for table in self.tables)

    def with_void(self, void: Sequence[int], stored: list[int]) -> Reading:
        """The reading of the masks with the values `stored`, of which some more are void."""
        tables = []
        for each in self.tables:
            table = each.copy()
            table[list(void)] = VOID
            tables.append(table)
        return Reading(tables, stored, self.notes, self.wrong)

    def reduced(self) -> Reading:
        """The reading in which 0 is void and every other id is one less."""
        # of uint8, 0 - 1 is 255
        return replace(self, tables=[np.where(table == VOID, table, table - np.uint8(1)) for table in self.tables])

    def key(self, place: int) -> bytes:
        """What distinguishes this reading of a mask from that of ids."""
        table = self.tables[place]
        return b"" if table is IDS else b"binary" if table is BINARY else table.tobytes()


def reading(values: Values, counts: np.ndarray, inner: np.ndarray, files: Sequence[str], num_classes: int) -> Reading:
    """How to read masks with `counts` (N, 256) pixels of each stored value, of which those `inner` (N, 256) are also
    within areas, not on edges alone; `num_classes` is 0 where no names are given."""
    shown = counts > 0
    known = np.flatnonzero(counts.sum(0)).tolist()
    plain = Reading([IDS] * len(files), known)
    if values == "threshold":
        found = Reading([IDS if not row[2:].any() else HALVES for row in shown], known)
        return _without_object(found, shown, inner, files)
    if values == "shades":
        table = IDS.copy()
        table[known] = range(len(known))
        return Reading([table] * len(files), known)
    if values == "ids" or not known:
        return plain
    ids = np.flatnonzero(shown[:, :VOID].any(0))
    unnamed = num_classes <= 2 or int(ids.max(initial=0)) >= num_classes
    if unnamed and (why := _unlikely(ids, counts, inner, files, num_classes)):
        plain.wrong.append(why)
        return plain
    return _void_or_object(plain, shown, files, num_classes)


def _without_object(found: Reading, shown: np.ndarray, inner: np.ndarray, files: Sequence[str]) -> Reading:
    """The reading by the threshold with what is to be known of masks in which nothing reaches it: refused where none
    does, or where one has an area of some other shade."""
    faint = shown[:, 2:MIDDLE].any(1) & ~shown[:, MIDDLE:].any(1)
    odd = faint & inner[:, NEAR:MIDDLE].any(1) if shown[:, MIDDLE:].any() else faint
    largest = [int(np.flatnonzero(row).max(initial=0)) for row in shown]
    if odd.any():
        place = int(np.argmax(odd))
        problem = SeglabError(
            "{file}: has values up to {largest}, so that nothing is class 1, which begins at {middle} with data.values "
            "threshold ({count} such masks); set data.values to shades or ids, or correct the mask",
            file=files[place],
            largest=largest[place],
            middle=MIDDLE,
            count=int(odd.sum()),
        )
        found.wrong.append((place, problem))
    elif faint.any():
        place = int(np.argmax(faint))
        found.notes.append(
            SeglabError(
                "masks without class 1, since all their values are below {middle}, but not 0 alone: {count}, such as "
                "{file} with values up to {largest}",
                middle=MIDDLE,
                count=int(faint.sum()),
                file=files[place],
                largest=largest[place],
            )
        )
    return found


def _unlikely(
    ids: np.ndarray, counts: np.ndarray, inner: np.ndarray, files: Sequence[str], num_classes: int
) -> tuple[int, SeglabError] | None:
    """Why the numbers `ids` cannot be class ids, where that is so, and the place of a mask that shows it."""
    shown = counts > 0
    both = np.flatnonzero(shown.any(0))
    largest = int(ids.max(initial=0))
    if len(ids) > 1 and (_even(both) or _even(ids)):
        place = int(np.argmax(shown[:, both[1]]))
        told = {"file": files[place], "values": few(both.tolist()), "largest": len(both) - 1}
        if both[-1] < MIDDLE:
            return place, SeglabError(
                "{file}: the masks contain only the values {values}, shades at equal distances, not class ids; "
                "set data.values to shades for the classes 0 to {largest}, or to ids to read them as they are",
                **told,
            )
        return place, SeglabError(
            "{file}: the masks contain only the values {values}, shades at equal distances, not class ids; "
            "set data.values to shades for the classes 0 to {largest}, to threshold for two classes, or to ids to read "
            "them as they are, with 255 as void",
            **told,
        )
    edges = [each for each in ids.tolist() if not inner[:, each].any()]
    blurred = len(edges) >= BLURRED and 2 * len(edges) > len(ids)
    gaps = np.diff(ids, prepend=0)
    if largest < MANY and not blurred and gaps.max(initial=0) < STEP:
        return None
    if len(ids) >= 0.9 * (largest + 1) and len(edges) <= len(ids) // 4:
        return None  # a long list of classes, each with areas of its own
    pixels = counts.sum(0)
    ends = pixels[:NEAR].sum(), pixels[-NEAR:].sum()
    noise = min(ends) > 0 and sum(ends) >= pixels.sum() / 2
    if noise and (len(edges) >= FEWEST or not shown[:, NEAR:-NEAR].any()):
        between = shown[:, 1:VOID].sum(1)
        place = int(between.argmax())
        return place, SeglabError(
            "{file}: contains {count} values between 0 and 255, such as {values}, most of them on edges alone: a mask "
            "of two colors with soft edges or with the noise of JPEG ({masks} such masks); set data.values to "
            "threshold to read values from {middle} on as class 1, the others as class 0",
            file=files[place],
            count=int(between[place]),
            values=few(
                [each for each in edges if shown[place, each]][:4] or np.flatnonzero(shown[place])[1:5].tolist()
            ),
            masks=int((between > 0).sum()),
            middle=MIDDLE,
        )
    if num_classes > 2:
        return None  # those without a name are told
    place = int(np.argmax(shown[:, ids[gaps.argmax()]]))
    return place, SeglabError(
        "{file}: the masks contain {count} values up to {largest}: shades of gray rather than class ids; name the "
        "classes in classes.txt, with their ids (a line such as 30: road), or set data.values to shades for the "
        "classes 0 to {most}, or to ids to read them as they are",
        file=files[place],
        count=len(both),
        largest=largest,
        most=len(both) - 1,
    )


def _even(values: np.ndarray) -> bool:
    """Whether values from 0 on stand at equal, wide distances, but for rounding."""
    steps = np.diff(values)
    return bool(values[0] == 0 and steps.min() >= STEP and np.ptp(steps) <= 2)


def _void_or_object(found: Reading, shown: np.ndarray, files: Sequence[str], num_classes: int) -> Reading:
    """The reading with 255 as void or, in masks of 0 and 255 alone, as the object: shown (N, 256) is which values each
    mask has."""
    labeled = shown[:, 1:VOID].any(1)
    bare = shown[:, VOID] & ~labeled  # of 0 and 255 alone, or 255 alone
    if not bare.any():
        return found
    two = num_classes in (0, 2) and not shown[:, 2:VOID].any()
    if two and not labeled.any() and shown[:, 0].any():
        found.tables = [BINARY] * len(files)
        found.notes.append(
            SeglabError("the masks contain only 0 and 255; these are read as classes 0 and 1, not as void")
        )
        return found
    if not labeled.any():
        return found
    void = labeled & shown[:, VOID]
    if bare.sum() > void.sum():  # few say that 255 is void, or none
        odd, usual = (labeled, bare) if bare.sum() > labeled.sum() else (bare, labeled)
        place, other = int(np.argmax(odd)), int(np.argmax(usual))
        told = {
            "file": files[place],
            "values": few(np.flatnonzero(shown[place]).tolist()),
            "count": int(usual.sum()),
            "others": few(np.flatnonzero(shown[usual].any(0)).tolist()),
            "other": files[other],
        }
        if two:
            problem = SeglabError(
                "{file}: contains {values}, but {count} masks contain {others}, such as {other}: whether 255 is an "
                "object or void in masks of 0 and 255 is not known; correct the odd ones, or set data.values to ids to "
                "read 255 as void everywhere, or to threshold for two classes",
                **told,
            )
        else:
            problem = SeglabError(
                "{file}: contains {values}, but {count} masks contain {others}, such as {other}: whether 255 is an "
                "object or void in masks of 0 and 255 is not known; correct the odd ones, or set data.values to ids to "
                "read 255 as void everywhere",
                **told,
            )
        found.wrong.append((place, problem))
    else:
        found.notes.append(
            SeglabError(
                "masks that contain only 0 and 255: {count}, such as {file}; as others have class ids, 255 is read as "
                "void there",
                count=int(bare.sum()),
                file=files[int(np.argmax(bare))],
            )
        )
    return found
