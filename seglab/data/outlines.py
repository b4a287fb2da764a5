"""Outlines in COCO's format, polygons or run lengths: whether they can be drawn, and what they cover.

Polygons are drawn by pycocotools, as they were for published scores. It takes whatever it is given for sound, so only
what was checked here reaches it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seglab.data.base import VOID
from seglab.data.images import turned

FARTHEST = 1e6  # pixels; a coordinate beyond it is a mistake
LONGEST = 2**21  # pixels around all parts of a thing; pycocotools needs 80 bytes for each
SHIFT = 60  # bits that one run length may have

Polygons = list[list[float]]
Runs = str | list[int]


@dataclass(frozen=True)
class Thing:
    """What one annotation outlines: its class, whether it is a crowd, and its polygons or run lengths."""

    label: int
    crowd: bool
    outline: Polygons | Runs


def whole(value: Any) -> int:
    """A whole number, which may be text or have a decimal point; raises ValueError for anything else."""
    found = number(value)
    if not float(found).is_integer():
        raise ValueError("not a whole number")
    return int(found)


def number(value: Any) -> int | float:
    """A number, which may be text; raises ValueError for anything else."""
    if type(value) in (int, float):
        return value
    if not isinstance(value, str):
        raise ValueError("not a number")
    return float(value)


def sound(outline: Any, height: int, width: int) -> Polygons | Runs:
    """A `segmentation` as it can be drawn into an image of this size; raises ValueError, TypeError, KeyError or
    OverflowError where it cannot.

    Parts of two points or one, which some tools leave behind, cover nothing and are passed over if there are others.
    """
    if isinstance(outline, dict):
        counts = outline["counts"]
        counts = counts if isinstance(counts, str) else [whole(count) for count in counts]
        runs = run_lengths(counts)
        if [whole(side) for side in outline["size"]] != [height, width] or min(runs) < 0:
            raise ValueError("run lengths of another image")
        if sum(runs) != height * width:
            raise ValueError("run lengths that do not cover the image")
        return counts
    if not isinstance(outline, list) or not outline:
        raise ValueError("no outline")
    polygons = [_polygon(each) for each in (outline if isinstance(outline[0], list) else [outline])]
    polygons = [each for each in polygons if len(each) >= 6]
    if not polygons or _longer(polygons, LONGEST):
        raise ValueError("no polygon, or an endless one")
    return polygons


def _polygon(given: Any) -> list[float]:
    """The numbers of a polygon, x before y."""
    if not isinstance(given, list) or len(given) % 2:
        raise ValueError("not pairs of numbers")
    found = given if all(type(value) in (int, float) for value in given) else [number(value) for value in given]
    if not all(abs(value) < FARTHEST for value in found):  # nor is NaN
        raise ValueError("too far away")
    return found


def _longer(polygons: Polygons, most: int) -> bool:
    """Whether the way around all polygons is longer than this many pixels."""
    if sum(len(each) * max(map(abs, each)) for each in polygons) <= most:
        return False
    corners = [np.array(each, np.float64).reshape(-1, 2) for each in polygons]
    return sum(np.abs(each - np.roll(each, 1, axis=0)).max(1).sum() for each in corners) > most


def run_lengths(counts: Runs) -> list[int]:
    """Run lengths, of nothing and of the thing in turn; text is COCO's compressed form.

    There each number is written in groups of five bits, the lowest first, as characters from `0` on; a sixth bit says
    that more follow, the fifth of the last group is the sign; from the fourth number on, it is the difference to the
    one two places before.
    """
    if not isinstance(counts, str):
        if not counts:
            raise ValueError("no run lengths")
        return counts
    found: list[int] = []
    value = shift = 0
    for character in counts:
        bits = ord(character) - 48
        if not 0 <= bits < 64 or shift > SHIFT:
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


def covered(outline: Polygons | Runs, height: int, width: int) -> tuple[int, int, np.ndarray]:
    """The part of an image that a sound outline covers: the top, the left and bool (h, w) from there on."""
    runs = outline if isinstance(outline, str) or not isinstance(outline[0], list) else _drawn(outline, height, width)
    counts = np.array(run_lengths(runs))
    ends = np.cumsum(counts)
    things = np.flatnonzero(counts[1::2]) * 2 + 1
    if not len(things):
        return 0, 0, np.zeros((0, 0), bool)
    left, right = (ends - counts)[things[0]] // height, (ends[things[-1]] - 1) // height + 1
    within = np.diff(np.clip(ends, left * height, right * height), prepend=left * height)  # runs of these columns
    columns = np.repeat(np.arange(len(counts)) % 2 == 1, within).reshape(right - left, height).T
    rows = np.flatnonzero(columns.any(1))
    return int(rows[0]), int(left), columns[rows[0] : rows[-1] + 1].copy()  # so that the rest is let go of


def _drawn(polygons: Polygons, height: int, width: int) -> str:
    """The run lengths of what polygons cover together."""
    from pycocotools import mask

    return mask.merge(mask.frPyObjects(polygons, height, width))["counts"].decode()


def labeled(things: Sequence[Thing], height: int, width: int, turn: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """An image's classes uint8 (H, W) and its things int32 (H, W), numbered from 1; smaller things lie on top.

    `height` and `width` are those of what they are outlined on, which is then turned as an EXIF orientation says.
    """
    mask = np.zeros((height, width), np.uint8)
    instances = np.zeros((height, width), np.int32)
    drawn = [(thing, *covered(thing.outline, height, width)) for thing in things]
    drawn.sort(key=lambda each: -int(each[3].sum()))
    for place, (thing, top, left, found) in enumerate(drawn, 1):
        part = slice(top, top + found.shape[0]), slice(left, left + found.shape[1])
        mask[part][found] = thing.label
        instances[part][found] = place if thing.label not in (0, VOID) and not thing.crowd else 0
    return turned(mask, turn), turned(instances, turn)
