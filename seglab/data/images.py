"""Photographs and masks from files: one decoder for each, so that the two can never disagree about a picture.

A file that cannot be used raises a SeglabError that names it, by `name` where one is given and by its path otherwise.
No other error of Pillow's gets out.
"""

from __future__ import annotations

import functools
import importlib
import io
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglab.errors import SeglabError

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageFile import ImageFile

FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "GIF")  # Pillow knows 43; the others are seldom photographs
SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif", ".jfif", ".jpe"})
MOST_BYTES = 128 * 2**20
MOST_MEGAPIXELS = 16  # of 2**20 pixels, so that a "16 megapixel" camera's 4624 x 3468 fits
MOST_SIDE = 30_000  # OpenCV counts pixels along a side in 15 bits
BAND = 2**15  # pixels turned into an array at a time; keeps to the caches: 1.6 times as fast for a 960 x 720 JPEG


def read_photo(source: Path | str | bytes, name: str | None = None, most: int = MOST_MEGAPIXELS) -> np.ndarray:
    """A photograph as people see it: uint8 (H, W, 3), writable, turned upright, composited on white.

    Gray, palette, one-bit, 16-bit (its upper 8 bits) and CMYK become RGB; of an animation, the first frame. `most` is
    how many megapixels are allowed.
    """
    name = name or _called(source)
    with _opened(source, name, most) as image:
        if image.mode in ("F", "I"):
            raise SeglabError(
                "{file}: its pixels are floating-point or 32-bit numbers, which have no fixed white; "
                "save it with 8 or 16 bits a channel",
                file=name,
            )
        image.load()
        upright = _upright(image)
        width, height = upright.size
        photo = np.empty((height, width, 3), np.uint8)
        rows = max(1, BAND // width)
        for top in range(0, height, rows):
            photo[top : top + rows] = _rgb(upright.crop((0, top, width, min(top + rows, height))))
        return photo


def size_of(source: Path | str | bytes, name: str | None = None) -> tuple[int, int]:
    """The (width, height) that an image's header tells."""
    with _opened(source, name or _called(source)) as image:
        return image.size


def read_mask(source: Path | str | bytes, name: str | None = None) -> tuple[np.ndarray, np.ndarray | None]:
    """A mask's class ids, uint8 (H, W), and its palette, uint8 (n, 3), or None where it has none.

    Ids are the stored numbers, never converted: palette indices, gray values, or 0 and 1 of a one-bit file.
    """
    name = name or _called(source)
    with _opened(source, name) as image:
        _refuse_unless_ids(image, name)
        ids = np.array(image)
        colors = image.getpalette() if image.mode == "P" else None
    if ids.dtype not in (np.uint8, np.bool_) and (ids.min() < 0 or ids.max() > 255):
        raise SeglabError(
            "{file}: its values range from {least} to {most}; class ids range from 0 to 254, and 255 is void",
            file=name,
            least=int(ids.min()),
            most=int(ids.max()),
        )
    return ids.astype(np.uint8, copy=False), None if colors is None else np.array(colors, np.uint8).reshape(-1, 3)


def read_colors(source: Path | str | bytes, name: str | None = None) -> np.ndarray:
    """A mask's colors uint8 (H, W, 3) as they are stored, for masks that are painted; raises SeglabError for others.

    A palette gives its colors, gray values are grays.
    """
    name = name or _called(source)
    with _opened(source, name) as image:
        _refuse_jpeg(image, name)
        clear = image.has_transparency_data and np.asarray(image.convert("RGBA").getchannel("A")).min() < 255
        if clear or image.mode not in ("RGB", "RGBA", "P", "PA", "L", "LA", "1"):
            raise SeglabError(
                "{file}: its pixels are not plain colors ({mode}); allowed: RGB, palette or gray with 8 bits, and "
                "nothing transparent",
                file=name,
                mode=image.mode,
            )
        return np.array(image.convert("RGB"))


def read_pair(image: Path, mask: Path, root: Path) -> tuple[np.ndarray, np.ndarray]:
    """A photograph uint8 (H, W, 3) and its mask uint8 (H, W); errors call the files by their paths below `root`."""
    photo = read_photo(image, relative(image, root))
    ids, _ = read_mask(mask, relative(mask, root))
    refuse_other_size(photo, ids, image, mask, root)
    return photo, ids


def refuse_other_size(photo: np.ndarray, ids: np.ndarray, image: Path, mask: Path, root: Path) -> None:
    """Raises SeglabError when a mask does not have its photograph's size, and says so if a turned photograph is why."""
    if photo.shape[:2] == ids.shape:
        return
    found = {
        "file": relative(mask, root),
        "image": relative(image, root),
        "width": ids.shape[1],
        "height": ids.shape[0],
        "image_width": photo.shape[1],
        "image_height": photo.shape[0],
    }
    if size_of(image, found["image"]) == ids.shape[::-1]:
        raise SeglabError(
            "{file}: {width} x {height} pixels, but {image} is rotated by its EXIF orientation to {image_width} x "
            "{image_height}; rotate the mask too, or save the photograph without EXIF",
            **found,
        )
    raise SeglabError(
        "{file}: {width} x {height} pixels, but {image} has {image_width} x {image_height}; the two must be equal",
        **found,
    )


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
        raise SeglabError("{file}: not UTF-8 text", file=name) from error


def relative(path: Path, root: Path) -> str:
    """The path below `root`, with / between its parts and fit to print whatever bytes the name holds."""
    return printable(path.relative_to(root).as_posix())


def printable(name: str) -> str:
    """The name with everything a screen cannot show (control characters, bytes that are no text) written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in name)


def _called(source: Path | str | bytes) -> str:
    return "image" if isinstance(source, bytes) else printable(str(source))


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return printable(" ".join(text.split()))[:200]


@contextmanager
def _opened(source: Path | str | bytes, name: str, most: int = MOST_MEGAPIXELS) -> Iterator[ImageFile]:
    """The file as a Pillow image of allowed size with only its header read; whatever fails inside is a SeglabError."""
    data = source if isinstance(source, bytes) else file_bytes(Path(source), name)
    if not data:
        raise SeglabError("{file}: the file is empty", file=name)
    factories = [factory for factory, accepts in _readers() if accepts is None or accepts(data[:16])]
    if not factories:
        raise SeglabError("{file}: not an image; allowed: {formats}", file=name, formats=", ".join(FORMATS))
    try:
        with factories[0](io.BytesIO(data), "") as image:
            _refuse_unless_sized(image, name, most)
            yield image
    except SeglabError:
        raise
    except Exception as error:  # Pillow raises nearly anything over a damaged file
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


def _upright(image: Image) -> Image:
    """The loaded image as its EXIF orientation wants it shown."""
    from PIL.Image import Transpose as T

    try:
        orientation = image.getexif().get(0x0112, 1)
    except Exception:  # a photograph whose EXIF is garbled is still a photograph
        return image
    turns = (T.FLIP_LEFT_RIGHT, T.ROTATE_180, T.FLIP_TOP_BOTTOM, T.TRANSPOSE, T.ROTATE_270, T.TRANSVERSE, T.ROTATE_90)
    return image.transpose(turns[orientation - 2]) if orientation in range(2, 9) else image


def _rgb(image: Image) -> np.ndarray:
    """Pixels uint8 (H, W, 3) of an image in any mode but F and I."""
    from PIL import Image

    if image.mode.startswith("I;16"):  # Pillow would clip instead of scale
        return (np.asarray(image) >> 8).astype(np.uint8)[..., None]
    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, "white")
        below.alpha_composite(image.convert("RGBA"))
        image = below
    return np.asarray(image if image.mode == "RGB" else image.convert("RGB"))


def _refuse_jpeg(image: Image, name: str) -> None:
    if image.format in ("JPEG", "MPO") or image.info.get("compression") in ("jpeg", "tiff_jpeg", "webp"):
        raise SeglabError(
            "{file}: stored as JPEG, which changes pixel values and so invents classes; save the mask as PNG", file=name
        )


def _refuse_unless_ids(image: ImageFile, name: str) -> None:
    """Raises SeglabError unless the image's numbers can be class ids."""
    stored = image.tile[0][3] if image.tile else ""
    stored = stored[0] if isinstance(stored, tuple) else stored
    _refuse_jpeg(image, name)
    if image.mode not in ("P", "L", "1", "I") and not image.mode.startswith("I;16"):
        raise SeglabError(
            "{file}: its pixels are colors or have transparency ({mode}), so their classes are not known; allowed: "
            "class ids as gray values, or a palette, without alpha",
            file=name,
            mode=image.mode,
        )
    if isinstance(stored, str) and stored.startswith("L;") and stored != "L;R":
        # Pillow would turn the ids 0 1 2 3 of a two-bit gray file into 0 85 170 255, and reverse a min-is-white TIFF
        raise SeglabError(
            "{file}: gray values with 2 or 4 bits, or with 0 as white; whether they are ids or shades is not known; "
            "save the mask with 8 bits",
            file=name,
        )
