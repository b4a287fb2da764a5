"""Pairs of a photograph and a mask read whole: what each holds, and what is wrong with it."""

from __future__ import annotations

import functools
import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab import machine
from seglab.data.colors import Table
from seglab.data.images import Header, Span, decoded, file_bytes, relative, shown, span_of
from seglab.data.masks import DrawnOn, decoded_colors, decoded_mask, laid
from seglab.data.pairs import Pair, alone
from seglab.data.remembered import Remembered, Stamp, stamp_of
from seglab.data.walking import Row
from seglab.errors import SeglabError

FORM = 1  # to be counted up where pairs are read in another way, or otherwise remembered


@dataclass(frozen=True)
class Style:
    """How a folder's pairs are read: the table of their colors, whether the numbers in masks are shades, of which JPEG
    may change some (`lossy`), and what masks of turned photographs were drawn on."""

    table: Table | None = None
    shades: bool = False
    lossy: bool = False
    drawn_on: DrawnOn = "unknown"


@dataclass(frozen=True)
class Look:
    """What reading a pair gave: its problems, the photograph's header, pixels by stored value (256,) and which values
    are within areas, not on edges alone; the palette; the sha256 of both files; what tells the photograph's pixels
    apart from others; and the span of its values where it is deep."""

    pair: Pair
    rows: tuple[Row, ...]
    header: Header | None
    counts: np.ndarray
    inner: np.ndarray
    palette: np.ndarray | None
    image_sha: bytes
    mask_sha: bytes
    pixels: bytes
    span: Span | None


def looked(root: Path, pairs: tuple[Pair, ...], style: Style) -> tuple[Look, ...]:
    """A look at every pair; files that are as they were are not read again."""
    return _looks(root, tuple((pair, stamp_of(pair.image), stamp_of(pair.mask)) for pair in pairs), style)


def read(pair: Pair, root: Path, style: Style, span: Span | None) -> tuple[np.ndarray, np.ndarray]:
    """A pair's photograph uint8 (H, W, 3) and what its mask stores, or means by the table, uint8 (H, W)."""
    image = relative(pair.image, root)
    photo, header = decoded(pair.image, image)
    values, turn, _ = _stored(file_bytes(pair.mask, relative(pair.mask, root)), pair, root, style)
    return shown(photo, span), laid(values, turn, header, relative(pair.mask, root), image, style.drawn_on)


@functools.lru_cache(maxsize=2)
def _looks(root: Path, stamped: tuple[tuple[Pair, Stamp, Stamp], ...], style: Style) -> tuple[Look, ...]:
    """The stamps let the cache notice changed files."""
    before = Remembered(f"{FORM} {style}")
    keys = [before.key((pair.image, pair.mask), stamps) for pair, *stamps in stamped]
    before.load(keys)

    def look(place: int) -> None:
        found[place] = look = _look(root, stamped[place][0], style)
        if not look.rows:
            before.put(keys[place], _told(look))

    found = {n: _recalled(stamped[n][0], told) for n, key in enumerate(keys) if (told := before.get(key))}
    # Decoding and hashing release the interpreter's lock.
    with machine.pool(min(4, machine.cores()), "decoder") as pool:
        list(pool.map(look, [n for n in range(len(stamped)) if n not in found]))
    before.save()
    return tuple(found[n] for n in range(len(stamped)))


def _told(look: Look) -> list:
    """A look without problems, to be remembered."""
    values = np.flatnonzero(look.counts).tolist()
    return [
        list(vars(look.header).values()),
        [values, look.counts[values].tolist(), np.flatnonzero(look.inner).tolist()],
        None if look.palette is None else look.palette.tolist(),
        [look.image_sha.hex(), look.mask_sha.hex(), look.pixels.hex()],
        look.span,
    ]


def _recalled(pair: Pair, told: list) -> Look:
    (shape, *rest), (values, pixels, within), palette, (image_sha, mask_sha, photo), span = told
    counts, inner = np.zeros(256, np.int64), np.zeros(256, bool)
    counts[values], inner[within] = pixels, True
    return Look(
        pair,
        (),
        Header(tuple(shape), *rest),
        counts,
        inner,
        None if palette is None else np.array(palette, np.uint8),
        bytes.fromhex(image_sha),
        bytes.fromhex(mask_sha),
        bytes.fromhex(photo),
        span and tuple(span),
    )


def _look(root: Path, pair: Pair, style: Style) -> Look:
    from PIL import Image

    image, mask = relative(pair.image, root), relative(pair.mask, root)
    rows: list[Row] = []
    header = palette = span = None
    image_sha = mask_sha = pixels = b""
    counts, inner = np.zeros(256, np.int64), np.zeros(256, bool)
    try:
        data = file_bytes(pair.image, image)
        image_sha = hashlib.sha256(data).digest()
        photo, header = decoded(data, image)
        digest = hashlib.blake2b(repr(photo.shape).encode(), digest_size=16)
        digest.update(photo.data)
        pixels = digest.digest()
        span = None if photo.dtype == np.uint8 else span_of(photo)
    except SeglabError as error:
        rows.append((image, alone(error)))
    try:
        data = file_bytes(pair.mask, mask)
        mask_sha = hashlib.sha256(data).digest()
        values, turn, palette = _stored(data, pair, root, style)
        counts = np.array(Image.fromarray(values).histogram(), np.int64)  # a fifth of bincount's time
        inner = within(values) if np.count_nonzero(counts) > 2 else counts > 0
        if header is not None:
            laid(values, turn, header, mask, image, style.drawn_on)
    except SeglabError as error:
        rows.append((mask, alone(error)))
    return Look(pair, tuple(rows), header, counts, inner, palette, image_sha, mask_sha, pixels, span)


def _stored(data: bytes, pair: Pair, root: Path, style: Style) -> tuple[np.ndarray, int, np.ndarray | None]:
    """What a mask stores, or means by the table, uint8 (H, W); its EXIF orientation; and its palette."""
    file = relative(pair.mask, root)
    if style.table:
        painted = decoded_colors(data, file)
        return style.table.ids(painted.values, file), painted.turn, None
    mask = decoded_mask(data, file, style.lossy)
    return mask.values, mask.turn, mask.palette


def within(values: np.ndarray) -> np.ndarray:
    """bool (256,): the values uint8 (H, W) that have a pixel all of whose four neighbors have the same value."""
    middle = values[1:-1, 1:-1]
    same = middle == values[:-2, 1:-1]
    for neighbor in (values[2:, 1:-1], values[1:-1, :-2], values[1:-1, 2:]):
        same &= middle == neighbor
    return np.bincount(middle[same], minlength=256) > 0
