"""Photographs from files: one decoder for all, so that training and prediction can never disagree about a picture.

A file that cannot be used raises a SeglabError that names it, by `name` where one is given and by its path otherwise.
No other error of Pillow's gets out.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglab.data.tiffs import BITS, EXTRA, ORIENTATION, PHOTOMETRIC, PLANES, SAMPLES, refuse_pages, refuse_unusual
from seglab.errors import SeglabError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")  # Pillow knows 43; the others are seldom photographs
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif", ".jpe"})
MOST_BYTES = 256 * 2**20
MOST_MEGAPIXELS = 64  # of 2**20 pixels: those of a telephone, 8160 x 6144, fit
MOST_SIDE = 30_000  # OpenCV counts pixels along a side in 15 bits
BAND = 2**15  # pixels turned into an array at a time; keeps to the caches: 1.6 times as fast for a 960 x 720 JPEG
REDUCED = 2**24  # pixels; a larger JPEG is decoded at a fraction of its size where that is enough


Span = tuple[int, int]  # the stored values that are shown as 0 and 255


@dataclass(frozen=True)
class Header:
    """What the header of a file tells: its (height, width) as it is shown; its EXIF orientation, 1 to 8; whether its
    values have more than 8 bits; and whether it has a fourth band that nothing says is transparency."""

    shape: tuple[int, int]
    turn: int
    deep: bool
    fourth: bool


def header(source: Path | str | bytes, name: str | None = None) -> Header:
    """The header of an image file; its pixels are not decoded."""
    name, data = content(source, name)
    with opened(data, name) as image:
        return _header(data, image)


def read_photo(
    source: Path | str | bytes,
    name: str | None = None,
    most: int = MOST_MEGAPIXELS,
    span: Span | None = None,
    enough: int = 0,
) -> np.ndarray:
    """A photograph as people see it: uint8 (H, W, 3), writable, turned upright, composited on white.

    Gray, palette, one-bit and CMYK become RGB; of an animation, the first frame. Of values with 10 to 16 bits those of
    the `span` are shown, or those that the picture itself has. `most` is how many megapixels are allowed. A large JPEG
    may be given smaller, with `enough` pixels or more on its longer side, if that is not 0.
    """
    return shown(decoded(source, name, most, enough)[0], span)


def decoded(
    source: Path | str | bytes, name: str | None = None, most: int = MOST_MEGAPIXELS, enough: int = 0
) -> tuple[np.ndarray, Header]:
    """A photograph's upright pixels, uint8 (H, W, 3), or where it is deep uint16 (H, W) or (H, W, 3) as stored, and
    what its header tells."""
    name, data = content(source, name)
    with opened(data, name, most) as image:
        refuse_whiteless(image, name)
        refuse_pages(image, name)
        found = _header(data, image)
        if found.deep:
            return upright(deep_pixels(data, image, name), image, found.turn), found
        if enough and image.width * image.height > REDUCED:
            scale = enough / max(image.size)
            image.draft(None, (round(image.width * scale), round(image.height * scale)))
        image.load()
        picture = _transposed(image.convert("RGB") if found.fourth else image, image, found.turn)
        width, height = picture.size
        photo = np.empty((height, width, 3), np.uint8)
        rows = max(1, BAND // width)
        for top in range(0, height, rows):
            photo[top : top + rows] = _rgb(picture.crop((0, top, width, min(top + rows, height))))
        return photo, found


def refuse_whiteless(image: Image, name: str) -> None:
    if image.mode in ("F", "I"):
        raise SeglabError(
            "{file}: its pixels are floating-point, signed or 32-bit numbers, which have no fixed white; "
            "save it with 8 or 16 bits a channel",
            file=name,
        )


def of_pil(image: Image, name: str, span: Span | None = None) -> np.ndarray:
    """A PIL image as `read_photo` reads it from its file; of colors with 16 bits PIL itself keeps only 8."""
    from PIL import ImageOps

    refuse_whiteless(image, name)
    image = ImageOps.exif_transpose(image)
    if image.mode.startswith("I;16"):
        return shown(np.asarray(image).astype(np.uint16), span)
    return np.array(_rgb(image))


def shown(pixels: np.ndarray, span: Span | None = None) -> np.ndarray:
    """Pixels as uint8 (H, W, 3): deep ones, uint16 (H, W) or (H, W, 3), so that the span goes from black to white."""
    if pixels.dtype == np.uint8:
        return pixels
    low, high = span or span_of(pixels)
    values = (np.arange(2**16) - low) * 255 / max(1, high - low)
    pixels = values.round().clip(0, 255).astype(np.uint8)[pixels]
    return pixels if pixels.ndim == 3 else np.repeat(pixels[..., None], 3, axis=2)


def span_of(pixels: np.ndarray) -> Span:
    """The darkest and the brightest value of deep pixels but for a thousandth at either end, such as dead ones."""
    below = np.bincount(pixels.ravel(), minlength=2**16).cumsum()
    few = pixels.size // 1000
    return int(np.searchsorted(below, few, "right")), int(np.searchsorted(below, pixels.size - few))


def joined(spans: Iterable[Span | None]) -> Span | None:
    """The span of a whole set from those of its pictures; None where none is deep."""
    known = [span for span in spans if span]
    return (min(low for low, _ in known), max(high for _, high in known)) if known else None


def turned(array: np.ndarray, turn: int) -> np.ndarray:
    """An array (H, W, ...) of stored pixels as an EXIF orientation wants them shown; itself for 1."""
    if turn > 4:
        array = array.swapaxes(0, 1)
    rows = slice(None, None, -1 if turn in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if turn in (2, 3, 6, 7) else 1)
    return array if turn == 1 else np.ascontiguousarray(array[rows, columns])


def resize_image(image: np.ndarray, side: int) -> np.ndarray:
    """The image uint8 (H, W, 3) with `side` pixels on its longer side, the aspect kept; itself if that is its size."""
    import cv2

    before = image.shape[0], image.shape[1]
    height, width = fitted(*before, side)
    if (height, width) == before:
        return image
    shrinks = side < max(before)
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_labels(labels: np.ndarray, side: int) -> np.ndarray:
    """Masks or instances (H, W) of any integer type as `resize_image` does, each pixel from the nearest: no new labels.

    Samples at pixel centers, as `resize_image` does; OpenCV's INTER_NEAREST would shift by up to half a pixel.
    """
    return labels_at(labels, *fitted(labels.shape[0], labels.shape[1], side))


def labels_at(labels: np.ndarray, height: int, width: int) -> np.ndarray:
    """Labels (H, W) at another size, each pixel from the nearest; themselves if that is their size."""
    if (height, width) == labels.shape:
        return labels
    rows = (2 * np.arange(height) + 1) * labels.shape[0] // (2 * height)
    columns = (2 * np.arange(width) + 1) * labels.shape[1] // (2 * width)
    return labels.take(rows, axis=0).take(columns, axis=1)


def fitted(height: int, width: int, side: int) -> tuple[int, int]:
    """The height and width that put `side` pixels on the longer side; at least 1 each."""
    scale = side / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def side_within(height: int, width: int, most: int) -> int:
    """The longer side at which a picture of this height and width has `most` pixels."""
    return int(max(height, width) * (most / (height * width)) ** 0.5)


def file_bytes(path: Path, name: str) -> bytes:
    """What is in the file; raises SeglabError if it is missing, unreadable, empty or larger than MOST_BYTES."""
    if not os.path.isfile(path):  # opening a pipe would wait for ever; path.is_file() raises for some names
        raise SeglabError("{file}: there is no such file", file=name)
    try:
        with open(path, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError) as error:
        raise SeglabError("{file}: cannot be read ({reason})", file=name, reason=_reason(error)) from error
    if len(data) > MOST_BYTES:
        raise SeglabError("{file}: larger than {most} MB", file=name, most=MOST_BYTES // 2**20)
    return data


def file_text(path: Path, name: str) -> str:
    """What is in the file, as text; raises SeglabError as `file_bytes` does, and for what is not UTF-8."""
    try:
        return file_bytes(path, name).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise SeglabError("{file}: not UTF-8 text; save it as UTF-8", file=name) from error


def relative(path: Path, root: Path) -> str:
    """The path below `root`, with / between its parts and fit to print whatever bytes the name holds."""
    return printable(path.relative_to(root).as_posix())


def printable(name: str) -> str:
    """The name with everything a screen cannot show (control characters, bytes that are no text) written as escapes."""
    return (
        name
        if name.isprintable()
        else "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)
    )


def content(source: Path | str | bytes, name: str | None) -> tuple[str, bytes]:
    """What a file is called, by its path where no name is given, and what is in it; raises what `file_bytes` does."""
    if isinstance(source, bytes):
        return name or "image", source
    name = name or printable(str(source))
    return name, file_bytes(Path(source), name)


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(text.split()))[:200]


@contextmanager
def opened(data: bytes, name: str, most: int = MOST_MEGAPIXELS) -> Iterator[ImageFile]:
    """A file's content as a Pillow image of allowed size with only its header read; whatever fails inside is a
    SeglabError."""
    if not data:
        raise SeglabError("{file}: the file is empty", file=name)
    factories = [factory for factory, accepts in _readers() if accepts is None or accepts(data[:16])]
    if not factories:
        raise SeglabError("{file}: not an image; allowed: {formats}", file=name, formats=", ".join(FORMATS))
    headed = False
    try:
        with factories[0](io.BytesIO(data), "") as image:
            _refuse_unless_sized(image, name, most)
            headed = True
            yield image
    except SeglabError:
        raise
    except Exception as error:  # Pillow raises nearly anything over a damaged file
        refuse_unusual(data, name, headed)
        raise SeglabError("{file}: the image is damaged ({reason})", file=name, reason=_reason(error)) from error


@functools.cache
def _readers() -> list[tuple[Callable[..., ImageFile], Callable[[bytes], bool | str] | None]]:
    """For each of FORMATS, what reads its header, and what knows its first bytes.

    Called directly because `Image.open` would warn of decompression bombs before the size can be asked for, and a
    warning cannot be caught without touching the other threads' filters.
    """
    from PIL import Image

    for plugin in ("Png", "Jpeg", "WebP", "Bmp", "Tiff", "Gif"):
        importlib.import_module(f"PIL.{plugin}ImagePlugin")
    return [Image.OPEN[name] for name in FORMATS]


def _refuse_unless_sized(image: Image, name: str, most: int) -> None:
    width, height = image.size
    tags = getattr(image, "tag_v2", {})
    if tags.get(322, 0) * tags.get(323, 0) > width * height:  # a TIFF's tiles are decoded whole, and may be far larger
        width, height = max(width, tags[322]), max(height, tags[323])
    pixels = width * height
    if pixels < 1 or max(width, height) > MOST_SIDE or pixels > most * 2**20:
        raise SeglabError(
            "{file}: {width} x {height} pixels; allowed: sides up to {most}, and {megapixels} megapixels",
            file=name,
            width=width,
            height=height,
            most=MOST_SIDE,
            megapixels=most,
        )


def _header(data: bytes, image: ImageFile) -> Header:
    tags = getattr(image, "tag_v2", {})
    fourth = image.format == "TIFF" and (
        (image.mode == "RGBA" and EXTRA not in tags) or (image.mode == "RGB" and tags.get(SAMPLES, 3) > 3)
    )
    turn, (width, height) = orientation(data, image), image.size
    lying = turn > 4 and image.format != "TIFF"
    return Header((width, height) if lying else (height, width), turn, is_deep(image), fourth)


def is_deep(image: ImageFile) -> bool:
    """Whether the values of an image that is not decoded yet have 9 to 16 bits."""
    bits = max(getattr(image, "tag_v2", {}).get(BITS, (8,)))
    return (
        image.mode.startswith("I;16") or ";16" in raw_mode(image) or (8 < bits <= 16 and image.mode not in ("F", "I"))
    )


def raw_mode(image: ImageFile) -> str:
    """How the decoder is told that pixels are stored, such as RGB;16B."""
    stored = image.tile[0][3] if image.tile else ""
    return str(stored[0] if isinstance(stored, tuple) else stored)


def orientation(data: bytes, image: ImageFile) -> int:
    """The EXIF orientation of an image, 1 to 8; 1 where there is none, or a garbled one. Pillow and OpenCV turn a TIFF
    by it when they decode it, and nothing else; Pillow then forgets it."""
    if image.format == "PNG" and not any(mark in data for mark in (b"eXIf", b"xmp", b"Raw profile type")):
        return 1  # Pillow would decode it all to look behind its pixels
    try:
        turn = image.getexif().get(ORIENTATION, 1)
    except Exception:  # a photograph whose EXIF is garbled is still a photograph
        return 1
    return turn if turn in range(1, 9) else 1


def deep_pixels(data: bytes, image: ImageFile, name: str) -> np.ndarray:
    """The stored values of a file with more than 8 bits: uint16 (H, W), or (H, W, 3) for colors.

    Pillow keeps all bits of gray alone, and OpenCV those of colors that lie side by side. What is transparent becomes
    the picture's brightest value.
    """
    import cv2

    tags = getattr(image, "tag_v2", {})
    if image.mode.startswith("I;16"):
        pixels = np.asarray(image).astype(np.uint16)
        white = 2 ** max(tags.get(BITS, (16,))) - 1
        return white - pixels if tags.get(PHOTOMETRIC) == 0 else pixels
    image.load()  # what is damaged is told here
    found = None if tags.get(PLANES) == 2 else cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if found is None or found.dtype != np.uint16 or found.shape[:2] != (image.height, image.width):
        raise SeglabError(
            "{file}: its colors have 16 bits and are laid out in a way that is not read; save it interleaved, without "
            "tiles, or with 8 bits",
            file=name,
        )
    if found.ndim == 2:
        return found
    colors = found[..., 2::-1]
    if found.shape[2] == 4 and image.mode in ("RGBA", "LA") and (EXTRA in tags or image.format != "TIFF"):
        alpha = found[..., 3:].astype(np.float32) / 65535
        if (alpha < 1).any():
            colors = (colors * alpha + colors.max() * (1 - alpha)).astype(np.uint16)
    return np.ascontiguousarray(colors)


def upright(pixels: np.ndarray, image: ImageFile, turn: int) -> np.ndarray:
    """The decoded pixels (H, W, ...) of an image with an EXIF orientation as it wants them shown."""
    return pixels if image.format == "TIFF" else turned(pixels, turn)


def _transposed(picture: Image, image: ImageFile, turn: int) -> Image:
    """A loaded picture of an image file as its EXIF orientation wants it shown."""
    from PIL.Image import Transpose as T

    turns = (T.FLIP_LEFT_RIGHT, T.ROTATE_180, T.FLIP_TOP_BOTTOM, T.TRANSPOSE, T.ROTATE_270, T.TRANSVERSE, T.ROTATE_90)
    return picture if turn == 1 or image.format == "TIFF" else picture.transpose(turns[turn - 2])


def _rgb(image: Image) -> np.ndarray:
    """Pixels uint8 (H, W, 3) of an image with 8 bits or fewer."""
    from PIL import Image

    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, "white")
        below.alpha_composite(image.convert("RGBA"))
        image = below
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))
