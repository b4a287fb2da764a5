"""Masks from files: the numbers and colors that they hold, and how they lie on their photographs."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from seglab.data.images import (
    Header,
    Span,
    content,
    decoded,
    deep_pixels,
    is_deep,
    opened,
    orientation,
    raw_mode,
    relative,
    shown,
    turned,
    upright,
)
from seglab.data.tiffs import refuse_pages
from seglab.errors import SeglabError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

DrawnOn = Literal["unknown", "shown", "stored"]
VIVID = 64  # between the channels of a pixel: a color, and no gray
SPARSE = 0.002  # the part of the pixels that may be so
COLORS_SHOWN = 6  # of a painted mask, in a message


@dataclass(frozen=True)
class Mask:
    """A decoded mask: its stored values uint8 (H, W), or colors (H, W, 3), turned by its EXIF orientation, and that;
    its palette uint8 (n, 3), where it has one."""

    values: np.ndarray
    palette: np.ndarray | None
    turn: int


def read_mask(source: Path | str | bytes, name: str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """A mask's class ids, uint8 (H, W), and its palette, uint8 (n, 3), or None where it has none."""
    mask = decoded_mask(source, name)
    return mask.values, mask.palette


def decoded_mask(source: Path | str | bytes, name: str | None = None, lossy: bool = False) -> Mask:
    """A mask's stored numbers, never converted: palette indices, gray values, or 0 and 1 of a one-bit file.

    Three equal channels are one gray; 0 and 65535 of 16 bits are 0 and 255. With `lossy`, a JPEG is read too, as gray.
    """
    name, data = content(source, name)
    with opened(data, name) as image:
        refuse_pages(image, name, animations=True)
        stored, deep, turn = raw_mode(image), is_deep(image), orientation(data, image)
        if not lossy:
            _refuse_lossy(data, image, name)
        _refuse_shades(stored, name)
        if image.mode in ("P", "L", "1", "I", "F") or image.mode.startswith("I;16"):
            ids = np.array(image)
        else:
            ids = _gray(data, image, name, lossy, deep)
        palette = image.getpalette() if image.mode == "P" else None
        ids = upright(ids, image, turn)
    colors = None if palette is None else np.array(palette, np.uint8).reshape(-1, 3)
    return Mask(_small(ids, name), colors, turn)


def decoded_colors(source: Path | str | bytes, name: str | None = None) -> Mask:
    """A mask's colors uint8 (H, W, 3) as they are stored, for masks that are painted; raises SeglabError for others.

    A palette gives its colors, gray values are grays.
    """
    name, data = content(source, name)
    with opened(data, name) as image:
        refuse_pages(image, name, animations=True)
        deep, turn = is_deep(image), orientation(data, image)
        _refuse_lossy(data, image, name)
        if _clear(image) or image.mode not in ("RGB", "RGBA", "P", "PA", "L", "LA", "1") or deep:
            raise SeglabError(
                "{file}: its pixels are not plain colors ({mode}); allowed: RGB, palette or gray with 8 bits, and "
                "nothing transparent",
                file=name,
                mode=image.mode,
            )
        return Mask(upright(np.array(image.convert("RGB")), image, turn), None, turn)


def read_pair(image: Path, mask: Path, root: Path, span: Span | None = None) -> tuple[np.ndarray, np.ndarray]:
    """A photograph uint8 (H, W, 3) and its mask uint8 (H, W); errors call the files by their paths below `root`."""
    photo, found = decoded(image, relative(image, root))
    return shown(photo, span), mask_on(found, mask, image, root)


def mask_on(photo: Header, mask: Path, image: Path, root: Path) -> np.ndarray:
    """The numbers uint8 (H, W) of a mask's file as they lie on its photograph, of which the header is known."""
    file = relative(mask, root)
    stored = decoded_mask(mask, file)
    return laid(stored.values, stored.turn, photo, file, relative(image, root))


def laid(
    labels: np.ndarray, turn: int, photo: Header, file: str, image: str, drawn_on: DrawnOn = "unknown"
) -> np.ndarray:
    """Labels (H, W, ...) from a file whose own EXIF orientation has turned them, as they lie on the photograph when it
    is shown; raises SeglabError as `turn_of` does."""
    return turned(labels, turn_of(labels.shape[:2], turn, photo, file, image, drawn_on))


def turn_of(
    shape: tuple[int, ...], turn: int, photo: Header, file: str, image: str, drawn_on: DrawnOn = "unknown"
) -> int:
    """The EXIF orientation by which labels of (height, width), which that of their own file has turned, have to be
    turned to lie on the photograph when it is shown.

    Where only the photograph has an orientation, the sizes tell whether its mask was drawn on the picture as shown or
    as stored, unless both have the same size; then `drawn_on` does. Raises SeglabError where it is not known, and for
    sizes that differ.
    """
    fits, fits_turned = tuple(shape) == photo.shape, turned_shape(shape, photo.turn) == photo.shape
    if turn not in (1, photo.turn):
        raise SeglabError(
            "{file}: has the EXIF orientation {turn}, but {image} has {other}; save both upright, without EXIF",
            file=file,
            turn=turn,
            image=image,
            other=photo.turn,
        )
    if turn != photo.turn and fits and fits_turned and drawn_on == "unknown":
        raise SeglabError(
            "{file}: {image} is turned by its EXIF orientation ({turn}), and nothing tells whether the mask was drawn "
            "on the picture as shown or as stored; save the photograph upright, without EXIF, or, in a folder and in "
            "COCO data, set data.drawn_on to shown or stored",
            file=file,
            image=image,
            turn=photo.turn,
        )
    as_stored = turn != photo.turn and fits_turned and not (fits and drawn_on == "shown")
    if not (fits_turned if as_stored else fits):
        raise SeglabError(
            "{file}: {width} x {height} pixels, but {image} has {image_width} x {image_height}; the two must be equal",
            file=file,
            image=image,
            width=shape[1],
            height=shape[0],
            image_width=photo.shape[1],
            image_height=photo.shape[0],
        )
    return photo.turn if as_stored else 1


def turned_shape(shape: tuple[int, ...], turn: int) -> tuple[int, ...]:
    """The (height, width) after a turn by an EXIF orientation."""
    return shape[::-1] if turn > 4 else shape


def write_mask(path: Path, labels: np.ndarray, colors: Sequence[tuple[int, int, int]]) -> None:
    """Writes labels uint8 (H, W) as a palette PNG that shows the classes' colors, void black.

    The file appears whole or not at all: it is written beside its place and then renamed.
    """
    from PIL import Image

    if labels.dtype != np.uint8:
        raise TypeError(f"labels are {labels.dtype}, not uint8")
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(colors)] = colors
    image = Image.fromarray(np.ascontiguousarray(labels))
    image.putpalette(palette.tobytes())
    path = Path(path)
    beside = path.with_name(f".{os.getpid()}-{threading.get_ident()}.tmp")
    try:
        image.save(beside, "PNG")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def colors_in(pixels: np.ndarray) -> list[tuple[int, int, int]]:
    """The colors of pixels uint8 (..., 3), the most frequent first."""
    codes, counts = np.unique(color_codes(pixels), return_counts=True)
    return [(code >> 16, code >> 8 & 255, code & 255) for code in codes[np.argsort(-counts, kind="stable")].tolist()]


def color_codes(pixels: np.ndarray) -> np.ndarray:
    """Colors uint8 (..., 3) as one number each."""
    red, green, blue = np.moveaxis(pixels, -1, 0)
    return red.astype(np.int32) << 16 | green.astype(np.int32) << 8 | blue


def _small(ids: np.ndarray, name: str) -> np.ndarray:
    """Numbers of any type as uint8; raises SeglabError for those that are no class ids."""
    if ids.dtype in (np.uint8, np.bool_):
        return ids.astype(np.uint8, copy=False)
    if ids.dtype.kind == "f" and not np.array_equal(ids, np.rint(ids)):
        raise SeglabError(
            "{file}: its values are fractions; class ids are whole numbers from 0 to 254, and 255 is void", file=name
        )
    if ids.min() < 0 or ids.max() > 255:
        if ids.dtype.kind != "f" and ids.max() == 65535 and np.isin(ids, (0, 65535)).all():
            return (ids > 0).astype(np.uint8) * 255
        raise SeglabError(
            "{file}: its values range from {least} to {most}; class ids range from 0 to 254, and 255 is void",
            file=name,
            least=int(ids.min()),
            most=int(ids.max()),
        )
    return ids.astype(np.uint8)


def _gray(data: bytes, image: ImageFile, name: str, lossy: bool, deep: bool) -> np.ndarray:
    """The one channel of an image whose colors are all gray and opaque; raises SeglabError for others."""
    if lossy and not _clear(image) and not _colored(image):
        return np.array(image.convert("L"))
    if image.mode not in ("RGB", "RGBA", "LA", "PA"):
        raise SeglabError(
            "{file}: its pixels are {mode}; allowed: class ids as gray values, or a palette", file=name, mode=image.mode
        )
    if _clear(image):
        raise SeglabError(
            "{file}: parts of it are transparent ({mode}), so their classes are not known; allowed: class ids as gray "
            "values, or a palette, without alpha",
            file=name,
            mode=image.mode,
        )
    colors = deep_pixels(data, image, name) if deep else np.array(image.convert("RGB"))
    if colors.ndim == 2:
        return colors
    if (colors == colors[..., :1]).all():
        return colors[..., 0]
    found = colors_in((colors >> 8 if colors.dtype == np.uint16 else colors).astype(np.uint8))
    raise SeglabError(
        "{file}: is painted in {count} colors ({colors}), whose classes are not known; name them in a file colors.txt "
        "in the folder, a line name:r,g,b for each",
        file=name,
        count=len(found),
        colors="; ".join(map(str, found[:COLORS_SHOWN])) + "; …" * (len(found) > COLORS_SHOWN),
    )


def _colored(image: ImageFile) -> bool:
    """Whether an image shows more color than what JPEG makes of black and white."""
    colors = np.asarray(image.convert("RGB"))
    return float((colors.max(-1) - colors.min(-1) > VIVID).mean()) > SPARSE


def _clear(image: ImageFile) -> bool:
    """Whether parts of an image are transparent."""
    return image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255


def _refuse_lossy(data: bytes, image: ImageFile, name: str) -> None:
    packed = "WEBP" if image.format == "WEBP" and b"VP8L" not in data else str(image.info.get("compression"))
    if image.format in ("JPEG", "MPO") or packed in ("jpeg", "tiff_jpeg", "webp", "WEBP"):
        raise SeglabError(
            "{file}: stored as {format}, which changes pixel values and so invents classes; export the mask again as "
            "PNG (converting this file would keep what was changed), or set data.values to threshold where it has two "
            "colors",
            file=name,
            format="WEBP" if "webp" in packed.lower() else "JPEG",
        )


def _refuse_shades(stored: str, name: str) -> None:
    """Raises SeglabError for gray values that Pillow would not give as they are stored."""
    if stored.startswith("L;") and stored != "L;R":
        # Pillow would turn the ids 0 1 2 3 of a two-bit gray file into 0 85 170 255, and reverse a min-is-white TIFF
        raise SeglabError(
            "{file}: gray values with 2 or 4 bits, or with 0 as white; whether they are ids or shades is not known; "
            "save the mask with 8 bits",
            file=name,
        )
