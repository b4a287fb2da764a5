"""TIFFs: which of their pages and layouts are read."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from seglab.errors import SeglabError

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

ORIENTATION, SUBFILE, BITS, PHOTOMETRIC, SAMPLES, PLANES, EXTRA = 274, 254, 258, 262, 277, 284, 338  # tags of a TIFF
PACKINGS = ("raw", "tiff_lzw", "tiff_adobe_deflate", "tiff_deflate", "packbits", "jpeg", "tiff_jpeg")  # usual in a TIFF
MOST_PAGES = 100  # of a TIFF that are counted


def refuse_unusual(data: bytes, name: str, headed: bool) -> None:
    """Raises SeglabError for a TIFF that has what a sound one needs but is laid out or packed in a way that Pillow does
    not know; `headed` says whether it got beyond the header."""
    from PIL.TiffImagePlugin import COMPRESSION_INFO, ImageFileDirectory_v2

    if data[:4] not in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
        return
    try:
        file = io.BytesIO(data)
        tags = ImageFileDirectory_v2(file.read(16 if b"+" in data[2:4] else 8))
        file.seek(tags.next)
        tags.load(file)
        size, bands, bits = (tags[256], tags[257]), tags.get(SAMPLES, 1), max(tags.get(BITS, (1,)))
        packing = COMPRESSION_INFO.get(tags.get(259, 1), str(tags.get(259)))
        ends = [
            start + size
            for start, size in zip(tags.get(273, tags.get(324)), tags.get(279, tags.get(325)), strict=False)
        ]
    except Exception:  # damaged indeed
        return
    planar = tags.get(PLANES) == 2 and bits > 8  # known to Pillow by its header alone
    if min(size) > 0 and max(ends) <= len(data) and (not headed or planar or packing not in PACKINGS):
        raise SeglabError(
            "{file}: a TIFF with {bands} bands of {bits} bits, packed as {packing}, in a layout that is not read; save "
            "it as RGB or gray with 8 or 16 bits, interleaved",
            file=name,
            bands=bands,
            bits=bits,
            packing=packing,
        )


def refuse_pages(image: ImageFile, name: str, animations: bool = False) -> None:
    """Raises SeglabError for a TIFF of several pages, such as the layers of a microscope, and for animations too if
    asked; smaller copies of a page count for nothing."""
    count = 1
    if image.format == "TIFF":
        stack = re.match(r"ImageJ=.*?\bimages=(\d+)", str(image.tag_v2.get(270, "")), re.DOTALL)  # type: ignore[attr-defined]
        count = int(stack[1]) if stack else 0
        for page in range(0 if stack else MOST_PAGES):
            try:
                image.seek(page)
            except EOFError:
                break
            count += not image.tag_v2.get(SUBFILE, 0) & 5  # type: ignore[attr-defined]  # a thumbnail, or a page's own mask
        image.seek(0)
    elif animations and image.format not in ("JPEG", "MPO"):
        count = getattr(image, "n_frames", 1)
    if count > 1:
        raise SeglabError("{file}: contains {count} pages or frames; save one image a file", file=name, count=count)
