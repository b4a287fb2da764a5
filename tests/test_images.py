"""Photographs and masks from files of every kind, good and bad."""

from __future__ import annotations

import io
import os
import re
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile

from seglab.data import images, looks, pairs
from seglab.data.images import (
    fitted,
    printable,
    read_photo,
    resize_image,
    resize_labels,
)
from seglab.data.masks import read_mask, read_pair, write_mask
from seglab.errors import SeglabError

WIDTH, HEIGHT = 40, 30
RED, GREEN, BLUE, WHITE = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255)
IDS = np.arange(WIDTH * HEIGHT, dtype=np.uint8).reshape(HEIGHT, WIDTH) % 4
COLORS = ((10, 20, 30), (200, 0, 0), (0, 200, 0), (0, 0, 200))


def corners() -> Image.Image:
    """Red, green, blue and white quarters: top left, top right, bottom left, bottom right."""
    pixels = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    pixels[:15, :20], pixels[:15, 20:], pixels[15:, :20], pixels[15:, 20:] = RED, GREEN, BLUE, WHITE
    return Image.fromarray(pixels)


def encoded(image: Image.Image, format: str, **options) -> bytes:
    file = io.BytesIO()
    image.save(file, format, **options)
    return file.getvalue()


def turned(image: Image.Image, orientation: int, format: str = "PNG", **options) -> bytes:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return encoded(image, format, exif=exif, **options)


def palette_image(ids: np.ndarray = IDS, colors=COLORS) -> Image.Image:
    image = Image.fromarray(ids)
    image.putpalette([part for color in colors for part in color])
    return image


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, kind: int, rows: bytes) -> bytes:
    """A PNG from its parts: `kind` is the header's colour type, `rows` each a filter byte and packed pixels."""
    header = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


def tiff(tile: int) -> bytes:
    """An 8-bit gray TIFF of 64 x 64 pixels whose only tile has `tile` x `tile`."""
    data = zlib.compress(b"\x07" * tile * tile)
    longs = {256: 64, 257: 64, 258: 8, 259: 8, 262: 1, 277: 1, 322: tile, 323: tile, 324: 134, 325: len(data)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in longs.items())
    return b"II*\0" + struct.pack("<IH", 8, len(longs)) + entries + struct.pack("<I", 0) + data


def quarters(photo: np.ndarray) -> list[tuple[int, ...]]:
    """The colours in the middle of the four quarters, as in `corners`."""
    height, width = photo.shape[:2]
    places = [(height // 4, width // 4), (height // 4, width * 3 // 4), (height * 3 // 4, width // 4)]
    return [tuple(photo[place].tolist()) for place in (*places, (height * 3 // 4, width * 3 // 4))]


def noise(shape: tuple[int, ...], most: int = 256, dtype: type = np.uint8) -> np.ndarray:
    return np.random.default_rng(0).integers(0, most, shape).astype(dtype)


def gif_movie() -> bytes:
    frames = [corners().quantize(8), Image.new("P", (WIDTH, HEIGHT))]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:], duration=50)


def apng() -> bytes:
    return encoded(corners(), "PNG", save_all=True, append_images=[Image.new("RGB", (WIDTH, HEIGHT))])


SIXTEEN = (np.arange(WIDTH * HEIGHT, dtype=np.uint32).reshape(HEIGHT, WIDTH) * 54).astype(np.uint16)
FOUR = [RED, GREEN, BLUE, WHITE]

# what a file's four quarters look like when it holds `corners`, exactly or within the loss of its format
PHOTOS = {
    "rgb png": (lambda: encoded(corners(), "PNG"), 0),
    "16-bit rgb png": (lambda: png16_rgb(), 0),
    "rgba png": (lambda: encoded(corners().convert("RGBA"), "PNG"), 0),
    "palette png": (lambda: encoded(corners().quantize(8), "PNG"), 0),
    "animated png": (apng, 0),
    "jpeg": (lambda: encoded(corners(), "JPEG", quality=95), 12),
    "progressive jpeg": (lambda: encoded(corners(), "JPEG", quality=95, progressive=True), 12),
    "cmyk jpeg": (lambda: encoded(corners().convert("CMYK"), "JPEG", quality=95), 12),
    "mpo": (lambda: encoded(corners(), "MPO", save_all=True, append_images=[corners()], quality=95), 12),
    "lossless webp": (lambda: encoded(corners(), "WEBP", lossless=True), 0),
    "lossy webp": (lambda: encoded(corners(), "WEBP", quality=95), 25),
    "animated webp": (
        lambda: encoded(corners(), "WEBP", lossless=True, save_all=True, append_images=[Image.new("RGB", (40, 30))]),
        0,
    ),
    "bmp": (lambda: encoded(corners(), "BMP"), 0),
    "palette bmp": (lambda: encoded(corners().quantize(8), "BMP"), 0),
    "gif": (lambda: encoded(corners().quantize(8), "GIF"), 0),
    "animated gif": (gif_movie, 0),
    "tiff": (lambda: encoded(corners(), "TIFF"), 0),
    "lzw tiff": (lambda: encoded(corners(), "TIFF", compression="tiff_lzw"), 0),
    "cmyk tiff": (lambda: encoded(corners().convert("CMYK"), "TIFF"), 0),
    "ycbcr tiff": (lambda: encoded(corners().convert("YCbCr"), "TIFF", compression="tiff_lzw"), 2),
}


def png16_rgb() -> bytes:
    wide = np.asarray(corners()).astype(">u2") * 257
    return png(WIDTH, HEIGHT, 16, 2, b"".join(b"\0" + row.tobytes() for row in wide))


@pytest.mark.parametrize("kind", PHOTOS)
def test_a_photograph_of_any_kind_shows_its_colours(kind, tmp_path):
    make, loss = PHOTOS[kind]
    path = tmp_path / "photo"
    path.write_bytes(make())
    photo = read_photo(path)
    assert photo.shape == (HEIGHT, WIDTH, 3) and photo.dtype == np.uint8
    assert photo.flags.c_contiguous and photo.flags.writeable
    assert np.abs(np.array(quarters(photo)) - FOUR).max() <= loss
    assert np.array_equal(photo, read_photo(path.read_bytes()))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_photograph_is_turned_upright(orientation, format):
    # EXIF 2.3, tag 0x0112: where the 0th row and column of the stored picture are seen; r g b w by hand
    seen = ["rgbw", "grwb", "wbgr", "bwrg", "rbgw", "brwg", "wgbr", "gwrb"][orientation - 1]
    options = {"JPEG": {"quality": 95}, "WEBP": {"lossless": True}}.get(format, {})
    photo = read_photo(turned(corners(), orientation, format, **options))
    assert photo.shape == ((HEIGHT, WIDTH, 3) if orientation < 5 else (WIDTH, HEIGHT, 3))
    named = [dict(zip("rgbw", FOUR, strict=True))[letter] for letter in seen]
    assert np.abs(np.array(quarters(photo)) - named).max() <= (12 if format == "JPEG" else 0)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("format", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_header_tells_the_turn_by_which_other_arrays_follow_a_photograph(orientation, format):
    data = turned(corners(), orientation, format)
    found = images.header(data)
    assert found.turn == orientation and found.shape == read_photo(data).shape[:2]
    stored = np.array(corners())
    shown = read_photo(turned(corners(), orientation, "PNG"))
    assert np.array_equal(images.turned(stored, orientation), shown)
    assert np.array_equal(images.turned(stored[..., 0], orientation), shown[..., 0])


@pytest.mark.parametrize("mode", ["L", "LA", "P", "1", "I;16", "RGBA"])
def test_a_photograph_of_any_mode_is_turned(mode):
    image = Image.fromarray(SIXTEEN) if mode == "I;16" else corners().convert(mode)
    assert np.array_equal(read_photo(turned(image, 6)), np.rot90(read_photo(encoded(image, "PNG")), -1))


def test_garbled_exif_leaves_a_photograph_as_stored():
    for exif in (b"Exif\0\0garbled", b"Exif\0\0II*\0\xff\xff\xff\xff", b"\0"):
        photo = read_photo(encoded(corners(), "JPEG", quality=95, exif=exif))
        assert np.abs(np.array(quarters(photo)) - FOUR).max() <= 12


def test_sixteen_bits_are_scaled_and_not_clipped():
    whole = np.repeat((SIXTEEN / 257).round().astype(np.uint8)[..., None], 3, axis=2)  # its span is 0 to 65535
    assert len(np.unique(whole)) > 200
    big_endian = png(WIDTH, HEIGHT, 16, 0, b"".join(b"\0" + row.astype(">u2").tobytes() for row in SIXTEEN))
    for content in (*(encoded(Image.fromarray(SIXTEEN), format) for format in ("PNG", "TIFF")), big_endian):
        assert np.array_equal(read_photo(content, span=(0, 65535)), whole)
        assert len(np.unique(read_photo(content))) > 250  # by its own span


def test_transparency_shows_white_and_not_the_colour_under_it():
    rgba = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    rgba[..., :3] = 200, 100, 0
    rgba[:, 20:, 3] = 255
    for format, options in (("PNG", {}), ("WEBP", {"lossless": True, "exact": True}), ("TIFF", {})):
        photo = read_photo(encoded(Image.fromarray(rgba), format, **options))
        assert (photo[:, :20] == 255).all() and (photo[:, 20:] == (200, 100, 0)).all()
    rgba[..., 3] = 51  # a fifth: 255 - (255 - c) / 5
    assert read_photo(encoded(Image.fromarray(rgba), "PNG"))[0, 0].tolist() == [244, 224, 204]


def test_a_palette_s_transparent_colour_shows_white():
    for format in ("PNG", "GIF"):
        photo = read_photo(encoded(palette_image(), format, transparency=1))
        expected = np.array([COLORS[0], WHITE, *COLORS[2:]], np.uint8)[IDS]
        assert np.array_equal(photo, expected)
    photo = read_photo(encoded(palette_image(), "PNG", transparency=bytes([255, 0, 255, 51])))
    assert np.array_equal(np.unique(photo[IDS == 3], axis=0), [[204, 204, 244]])


def test_a_transparent_colour_of_an_rgb_or_gray_file_shows_white():
    assert quarters(read_photo(encoded(corners(), "PNG", transparency=RED))) == [WHITE, GREEN, BLUE, WHITE]
    gray = Image.fromarray(IDS * 50)
    assert np.array_equal(read_photo(encoded(gray, "PNG", transparency=50))[..., 0], np.where(IDS == 1, 255, IDS * 50))


def test_gray_with_alpha_is_composited_on_white():
    pair = np.dstack([np.full((HEIGHT, WIDTH), 90, np.uint8), np.where(IDS == 0, 0, 255).astype(np.uint8)])
    assert np.array_equal(read_photo(encoded(Image.fromarray(pair, "LA"), "PNG"))[..., 2], np.where(IDS == 0, 255, 90))


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP", "GIF"])
def test_one_bit_and_gray_photographs_become_rgb(format):
    assert np.array_equal(
        read_photo(encoded(Image.fromarray(IDS > 1), format)), np.repeat(((IDS > 1) * 255)[..., None], 3, axis=2)
    )
    assert np.array_equal(
        read_photo(encoded(Image.fromarray(IDS * 40), format)), np.repeat((IDS * 40)[..., None], 3, axis=2)
    )


def test_a_large_photograph_is_copied_whole():
    pixels = noise((700, 901, 3))
    assert np.array_equal(read_photo(encoded(Image.fromarray(pixels), "PNG", compress_level=1)), pixels)


def heic() -> bytes:
    return b"\0\0\0\x18ftypheic" + bytes(64)


REFUSED = {
    "empty file": (lambda: b"", "empty"),
    "text": (lambda: b"Dear diary, this is no picture.", "not an image; allowed: PNG, JPEG, WEBP, BMP, TIFF, GIF"),
    "heic": (heic, "not an image"),
    "eps": (lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 99 99\n", "not an image"),
    "ppm": (lambda: encoded(corners(), "PPM"), "not an image"),
    "ico": (lambda: encoded(corners(), "ICO", sizes=[(16, 16)]), "not an image"),
    "zip": (lambda: b"PK\x03\x04" + bytes(40), "not an image"),
    "truncated jpeg": (lambda: encoded(Image.fromarray(noise((64, 64, 3))), "JPEG")[:-1500], "damaged"),
    "truncated png": (lambda: encoded(Image.fromarray(noise((64, 64))), "PNG")[:-1500], "damaged"),
    "truncated webp": (lambda: encoded(Image.fromarray(noise((64, 64, 3))), "WEBP")[:-300], "damaged"),
    "truncated bmp": (lambda: encoded(Image.fromarray(IDS), "BMP")[:-500], "damaged"),
    "truncated tiff": (lambda: encoded(corners(), "TIFF", compression="tiff_lzw")[:-40], "damaged"),
    "truncated gif": (lambda: encoded(Image.fromarray(noise((64, 64))), "GIF")[:-900], "damaged"),
    "header of a png": (lambda: b"\x89PNG\r\n\x1a\n", "damaged"),
    "png with a wrong checksum": (lambda: encoded(corners(), "PNG").replace(b"IHDR\0\0\0", b"IHDR\0\0\1"), "damaged"),
    "float tiff": (lambda: encoded(Image.fromarray(noise((30, 40)).astype(np.float32) / 7), "TIFF"), "floating-point"),
    "32-bit tiff": (lambda: encoded(Image.fromarray(noise((30, 40), 999, np.int32)), "TIFF"), "32-bit"),
    "long": (lambda: encoded(Image.new("1", (30001, 16)), "PNG"), "30001 x 16 pixels; allowed: sides up to 30000"),
    "huge": (lambda: png(9000, 9000, 1, 0, b""), "9000 x 9000 pixels; .* 64 megapixels"),
    "warning bomb": (lambda: png(12000, 12000, 1, 0, b""), "12000 x 12000"),
    "error bomb": (lambda: png(60000, 60000, 1, 0, b""), "60000 x 60000"),
    "jpeg bomb": (lambda: jpeg_sized(65500, 65500), "65500 x 65500"),
    "gif bomb": (
        lambda: b"GIF89a" + struct.pack("<HH", 65535, 65535) + encoded(corners(), "GIF")[10:],
        "65535 x 65535",
    ),
    "webp bomb": (lambda: webp_sized(16384, 16384), "16384 x 16384|damaged"),
    "tiff of huge tiles": (lambda: tiff(9008), "9008 x 9008"),
}


def jpeg_sized(width: int, height: int) -> bytes:
    data = encoded(corners(), "JPEG")
    return data.replace(struct.pack(">HH", HEIGHT, WIDTH), struct.pack(">HH", height, width), 1)


def webp_sized(width: int, height: int) -> bytes:
    data = bytearray(
        encoded(corners().convert("RGBA"), "WEBP", save_all=True, append_images=[Image.new("RGBA", (40, 30))])
    )
    data[24:30] = (width - 1).to_bytes(3, "little") + (height - 1).to_bytes(3, "little")
    return bytes(data)


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("read", [read_photo, read_mask])
def test_what_is_no_usable_picture_is_refused_by_name_and_reason(kind, read, tmp_path):
    make, reason = REFUSED[kind]
    if read is read_mask and kind in ("float tiff", "32-bit tiff", "truncated jpeg"):
        reason = "fractions|JPEG|range from"  # these are refused as masks for another reason
    path = tmp_path / "holiday.png"
    path.write_bytes(make())
    with pytest.raises(SeglabError, match=reason) as refusal:
        read(path)
    assert str(path) in str(refusal.value)
    with pytest.raises(SeglabError, match=r"^folder/x\.png: "):
        read(path, "folder/x.png")


def test_32_bit_masks_of_small_numbers_are_read():
    assert np.array_equal(read_mask(encoded(Image.fromarray(IDS.astype(np.int32)), "TIFF"))[0], IDS)


def test_a_tiff_of_ordinary_tiles_is_read():
    assert (read_photo(tiff(64)) == 7).all() and (read_photo(tiff(256)) == 7).all()


def test_a_decompression_bomb_is_refused_and_never_decoded(monkeypatch, tmp_path):
    path = tmp_path / "bomb.png"
    path.write_bytes(encoded(Image.new("1", (12000, 12000)), "PNG"))
    assert path.stat().st_size < 50_000
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    for read in (read_photo, read_mask):
        with warnings.catch_warnings(), pytest.raises(SeglabError, match="12000 x 12000"):
            warnings.simplefilter("error")
            read(path)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="ru_maxrss has another unit elsewhere")
def test_decompression_bombs_take_little_memory(tmp_path):
    bombs = {"png": encoded(Image.new("1", (12000, 12000)), "PNG"), "webp": webp_sized(16000, 16000)}
    for name, content in (bombs | {"tile": tiff(12000)}).items():
        (tmp_path / name).write_bytes(content)
    code = (
        "import resource, sys; from seglab.data.images import read_photo; from seglab.entry import SeglabError\n"
        "peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        f"try: read_photo({os.fspath(Path(__file__).parent / 'nothing')!r})\n"
        "except SeglabError: before = peak()\n"
        "for path in sys.argv[1:]:\n"
        "    try: read_photo(path)\n"
        "    except SeglabError: print(peak() - before)"
    )
    paths = [tmp_path / name for name in ("png", "webp", "tile")]
    run = subprocess.run(
        [sys.executable, "-c", code, *paths], capture_output=True, text=True, cwd=Path(__file__).parents[1]
    )
    grown = [int(line) for line in run.stdout.split()]  # the peak after each of them
    assert len(grown) == 3 and max(grown) < 50 * 1024, run.stderr


def test_a_file_of_too_many_bytes_is_refused_without_reading_them(monkeypatch, tmp_path):
    monkeypatch.setattr(images, "MOST_BYTES", 2**20)
    path = tmp_path / "big.png"
    with open(path, "wb") as file:
        file.truncate(2**40)
    with pytest.raises(SeglabError, match=r"big\.png: larger than 1 MB"):
        read_photo(path)


@pytest.mark.parametrize("name", ["missing.png", ".", "nul\0.png", "x" * 300, "pipe", "{curly}", "a\nb", "\udcff.png"])
def test_a_path_that_is_no_file_is_refused(name, tmp_path):
    if name == "pipe":
        os.mkfifo(tmp_path / name)
    for read in (read_photo, read_mask):
        with pytest.raises(SeglabError, match="there is no such file") as refusal:
            read(tmp_path / name)
        assert "\n" not in str(refusal.value)
        str(refusal.value).encode()


def test_an_unreadable_file_is_refused(monkeypatch, tmp_path):
    path = tmp_path / "a.png"
    path.write_bytes(encoded(corners(), "PNG"))

    def denied(*args):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("builtins.open", denied)
    with pytest.raises(SeglabError, match=r"a\.png: cannot be read \(Permission denied\)"):
        read_photo(path)


def test_names_are_made_fit_to_print():
    assert printable("été 猫.png") == "été 猫.png"
    assert printable("a\nb\x1b[2J\udcff\u202e") == "a\\nb\\x1b[2J\\udcff\\u202e"


MASKS = {
    "palette png": lambda: encoded(palette_image(), "PNG"),
    "palette png of 2 bits": lambda: encoded(palette_image(), "PNG", bits=2),
    "palette gif": lambda: encoded(palette_image(), "GIF"),
    "palette bmp": lambda: encoded(palette_image(), "BMP"),
    "palette tiff": lambda: encoded(palette_image(), "TIFF"),
    "gray png": lambda: encoded(Image.fromarray(IDS), "PNG"),
    "gray bmp": lambda: encoded(Image.fromarray(IDS), "BMP"),
    "gray tiff": lambda: encoded(Image.fromarray(IDS), "TIFF"),
    "lzw tiff": lambda: encoded(Image.fromarray(IDS), "TIFF", compression="tiff_lzw"),
    "16-bit png": lambda: encoded(Image.fromarray(IDS.astype(np.uint16)), "PNG"),
    "three equal channels": lambda: encoded(Image.fromarray(np.dstack([IDS] * 3)), "PNG"),
    "and opaque alpha": lambda: encoded(Image.fromarray(np.dstack([IDS] * 3 + [np.full_like(IDS, 255)])), "PNG"),
    "gray and opaque alpha": lambda: encoded(Image.fromarray(np.dstack([IDS, np.full_like(IDS, 255)])), "PNG"),
    "16-bit rgb png": lambda: png(
        WIDTH, HEIGHT, 16, 2, b"".join(b"\0" + row.tobytes() for row in np.dstack([IDS] * 3).astype(">u2"))
    ),
    "lossless webp": lambda: encoded(Image.fromarray(IDS), "WEBP", lossless=True),
    "whole floats": lambda: encoded(Image.fromarray(IDS.astype(np.float32)), "TIFF"),
    "16-bit tiff": lambda: encoded(Image.fromarray(IDS.astype(np.uint16)), "TIFF"),
}


@pytest.mark.parametrize("kind", MASKS)
def test_a_mask_of_any_kind_gives_its_ids(kind, tmp_path):
    (tmp_path / "mask").write_bytes(MASKS[kind]())
    ids, palette = read_mask(tmp_path / "mask")
    assert ids.dtype == np.uint8 and np.array_equal(ids, IDS)
    assert (palette is None) != kind.startswith("palette")
    assert palette is None or palette[:4].tolist() == [list(color) for color in COLORS]


@pytest.mark.parametrize("format", ["PNG", "TIFF", "BMP"])
def test_a_one_bit_mask_gives_0_and_1_and_a_gray_one_its_0_and_255(format):
    assert np.array_equal(read_mask(encoded(Image.fromarray(IDS > 1), format))[0], IDS > 1)
    gray = np.where(IDS > 1, 255, 0).astype(np.uint8)
    assert np.array_equal(read_mask(encoded(Image.fromarray(gray), format))[0], gray)


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_mask_is_turned_by_its_own_orientation_as_a_photograph_is(orientation, format):
    shades = turned(Image.fromarray(IDS), orientation, format)
    assert np.array_equal(read_mask(shades)[0], read_photo(shades)[..., 0])


BAD_MASKS = {
    "jpeg": (lambda: encoded(Image.fromarray(IDS), "JPEG"), "stored as JPEG"),
    "mpo": (lambda: encoded(corners(), "MPO", save_all=True, append_images=[corners()]), "stored as JPEG"),
    "tiff of jpegs": (lambda: encoded(Image.fromarray(IDS), "TIFF", compression="jpeg"), "stored as JPEG"),
    "rgb": (lambda: encoded(corners(), "PNG"), r"painted in 4 colors \(.*\(255, 0, 0\).*colors\.txt"),
    "rgba": (lambda: encoded(corners().convert("RGBA"), "PNG"), r"painted in 4 colors .*name:r,g,b"),
    "transparent": (lambda: encoded(Image.fromarray(np.dstack([IDS, IDS])), "PNG"), r"transparent \(LA\)"),
    "cmyk": (lambda: encoded(corners().convert("CMYK"), "TIFF"), "pixels are CMYK"),
    "lossy webp": (lambda: encoded(Image.fromarray(IDS), "WEBP"), "stored as WEBP"),
    "fractions": (lambda: encoded(Image.fromarray(IDS.astype(np.float32) / 2), "TIFF"), "fractions"),
    "pages": (
        lambda: encoded(
            Image.fromarray(IDS), "TIFF", save_all=True, append_images=[Image.fromarray(IDS), Image.fromarray(IDS)]
        ),
        "3 pages or frames",
    ),
    "animated gif": (gif_movie, "2 pages or frames"),
    "animated png": (apng, "2 pages or frames"),
    "large ids": (
        lambda: encoded(Image.fromarray(SIXTEEN), "PNG"),
        "values range from 0 to 64746; class ids range from 0",
    ),
    "negative": (lambda: encoded(Image.fromarray(IDS.astype(np.int32) - 1), "TIFF"), "values range from -1 to 2"),
    "two-bit gray": (lambda: png(16, 16, 2, 0, (b"\0" + bytes([0b00011011] * 4)) * 16), "ids or shades"),
    "four-bit gray": (lambda: png(16, 16, 4, 0, (b"\0" + bytes([0x12] * 8)) * 16), "ids or shades"),
    "min is white": (lambda: encoded(Image.fromarray(IDS), "TIFF", tiffinfo={262: 0}), "ids or shades"),
}


@pytest.mark.parametrize("kind", BAD_MASKS)
def test_what_cannot_be_class_ids_is_refused_as_a_mask(kind):
    make, reason = BAD_MASKS[kind]
    with pytest.raises(SeglabError, match=reason) as refusal:
        read_mask(make(), "masks/a.png")
    assert str(refusal.value).startswith("masks/a.png: ")


def test_written_masks_come_back(tmp_path):
    labels = noise((33, 47))
    write_mask(tmp_path / "mask.png", labels, [(i, 255 - i, 7) for i in range(255)])
    ids, palette = read_mask(tmp_path / "mask.png")
    assert np.array_equal(ids, labels)
    assert palette[254].tolist() == [254, 1, 7] and palette[255].tolist() == [0, 0, 0]
    write_mask(tmp_path / "mask.png", IDS, COLORS)
    with Image.open(tmp_path / "mask.png") as image:
        assert image.mode == "P" and image.convert("RGB").getpixel((2, 0)) == COLORS[2]
    assert os.listdir(tmp_path) == ["mask.png"]


def test_a_mask_is_written_whole_or_not_at_all(monkeypatch, tmp_path):
    write_mask(tmp_path / "mask.png", IDS, COLORS)

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_mask(tmp_path / "mask.png", IDS + 1, COLORS)
    assert os.listdir(tmp_path) == ["mask.png"]
    assert np.array_equal(read_mask(tmp_path / "mask.png")[0], IDS)


def test_labels_of_another_type_are_not_written(tmp_path):
    with pytest.raises(TypeError, match="int64"):
        write_mask(tmp_path / "mask.png", IDS.astype(np.int64), COLORS)


def paired(tmp_path: Path, photo: bytes, mask: bytes, drawn_on: str = "unknown") -> np.ndarray:
    """The mask of a pair of files as it lies on the photograph."""
    image, path = tmp_path / "a.image", tmp_path / "a.mask"
    image.write_bytes(photo)
    path.write_bytes(mask)
    style = looks.Style(drawn_on=drawn_on)
    shown, ids = looks.read(pairs.Pair("a", image, path), tmp_path, style, None)
    if drawn_on == "unknown":
        assert np.array_equal(read_pair(image, path, tmp_path)[1], ids)
    assert shown.shape[:2] == ids.shape
    return ids


@pytest.mark.parametrize("square", [False, True])
@pytest.mark.parametrize("orientation", range(2, 9))
def test_a_mask_ends_in_the_frame_of_its_turned_photograph_or_is_refused(orientation, square, tmp_path):
    ids = IDS[:, :HEIGHT] if square else IDS
    ids = np.where(np.arange(ids.size).reshape(ids.shape) < 99, 3, ids).astype(np.uint8)  # its turns all differ
    photo = turned(Image.fromarray(ids * 80), orientation)
    upright = read_photo(photo)[..., 0] // 80
    stored, shown = encoded(Image.fromarray(ids), "PNG"), encoded(Image.fromarray(upright), "PNG")
    assert np.array_equal(paired(tmp_path, photo, turned(Image.fromarray(ids), orientation)), upright)
    assert np.array_equal(paired(tmp_path, photo, shown, "shown"), upright)
    assert np.array_equal(paired(tmp_path, photo, stored, "stored"), upright)
    if orientation > 4 and not square:  # the sizes tell
        for mask in (stored, shown):
            assert np.array_equal(paired(tmp_path, photo, mask), upright)
    else:
        for mask in (stored, shown):
            with pytest.raises(
                SeglabError, match=rf"a\.mask: a\.image is turned .* \({orientation}\).* upright, without"
            ):
                paired(tmp_path, photo, mask)
    with pytest.raises(SeglabError, match=r"a\.mask: has the EXIF orientation \d, but a\.image has 1"):
        paired(tmp_path, encoded(Image.fromarray(ids), "PNG"), turned(Image.fromarray(ids), orientation))
    with pytest.raises(SeglabError, match=r"a\.mask: \d+ x 20 pixels, but a\.image has \d+ x \d+; the two"):
        paired(tmp_path, photo, encoded(Image.fromarray(ids[:20]), "PNG"))


@pytest.mark.parametrize(
    ("size", "side", "expected"),
    [((30, 40), 20, (15, 20)), ((40, 30), 80, (80, 60)), ((17, 8192), 64, (1, 64)), ((16, 8192), 64, (1, 64))],
)
def test_the_longer_side_is_given_and_the_aspect_kept(size, side, expected):
    assert fitted(*size, side) == expected
    assert resize_image(noise((*size, 3)), side).shape == (*expected, 3)
    assert resize_labels(noise(size), side).shape == expected


def test_pictures_of_the_right_size_stay_as_they_are():
    image, labels = noise((30, 40, 3)), noise((30, 40))
    assert resize_image(image, 40) is image and resize_labels(labels, 40) is labels


def test_shrinking_averages_and_enlarging_interpolates():
    image = np.zeros((32, 32, 3), np.uint8)
    image[:, ::2] = 200
    assert (resize_image(image, 16) == 100).all()
    enlarged = resize_image(image[:, :2], 64)[0, :, 0]
    assert enlarged.tolist() == [200, 150, 50, 0]  # centres at -1/4, 1/4, 3/4 and 5/4 of the old pixels


def test_nearest_by_hand():
    labels = np.arange(6, dtype=np.uint8)[None].repeat(6, axis=0)
    assert resize_labels(labels, 2)[0].tolist() == [1, 4]  # centres 1.5 and 4.5
    assert resize_labels(labels, 3)[0].tolist() == [1, 3, 5]  # 1, 3 and 5, the border between two: the right one
    assert resize_labels(labels, 12)[0].tolist() == [0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5]


def test_labels_are_sampled_where_opencv_samples_images_exactly():
    import cv2

    labels = noise((37, 53))
    for height, width in ((7, 10), (232, 333), (18, 26)):
        expected = cv2.resize(labels, (width, height), interpolation=cv2.INTER_NEAREST_EXACT)
        assert np.array_equal(resize_labels(labels, width), expected)


@settings(max_examples=300, deadline=None, database=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(1, 150))
def test_nearest_never_invents_labels_and_moves_masks_and_instances_alike(height, width, side):
    places = np.arange(height * width, dtype=np.int32).reshape(height, width) + 2**24  # beyond what float32 can hold
    taken = resize_labels(places, side)
    assert taken.dtype == np.int32 and taken.shape == fitted(height, width, side)
    assert np.isin(taken, places).all()
    labels = noise((height, width))
    assert np.array_equal(resize_labels(labels, side), labels.ravel()[taken - 2**24])


SEEDS = [make() for make, _ in PHOTOS.values()] + [make() for make in MASKS.values()] + [turned(corners(), 6, "TIFF")]
STARTS = [seed[:16] for seed in SEEDS]


def reads_or_refuses(data: bytes) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # Pillow remarks on odd metadata; that harms nobody
        for read in (read_photo, read_mask):
            try:
                value = read(data)
            except SeglabError as error:
                assert re.match("image: .+", str(error))
                continue
            pixels = value if read is read_photo else value[0]
            assert pixels.dtype == np.uint8 and pixels.ndim == (3 if read is read_photo else 2)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sampled_from([b"", *STARTS]), st.binary(max_size=400))
def test_random_bytes_give_a_picture_or_a_reason(start, data):
    reads_or_refuses(start + data)


@settings(max_examples=300, deadline=None, database=None)
@given(
    st.sampled_from(SEEDS), st.lists(st.tuples(st.floats(0, 1), st.integers(0, 255)), min_size=1, max_size=8), st.data()
)
def test_damaged_files_give_a_picture_or_a_reason(seed, changes, data):
    damaged = bytearray(seed)
    for place, value in changes:  # squared: most damage to the header, where it does most
        damaged[int(place**2 * (len(damaged) - 1))] = value
    reads_or_refuses(
        bytes(damaged[: data.draw(st.integers(0, len(damaged)))]) if changes[0][1] % 3 == 0 else bytes(damaged)
    )


def test_importing_the_decoders_loads_no_library_for_pictures():
    code = (
        "import sys, seglab.data.camvid, seglab.data.folder; "
        "print(sorted({'cv2', 'torch', 'PIL', 'albumentations'} & set(sys.modules)))"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=Path(__file__).parents[1])
    assert run.stdout.strip() == "[]", run.stderr


# --- unusual TIFFs


def raw_tiff(
    pixels: np.ndarray,
    photometric: int,
    extra: int | None = None,
    planes: int = 1,
    form: int = 1,
    cut: int = 0,
    **more: int,
) -> bytes:
    """An uncompressed TIFF of one strip, or one a plane, written by hand: pixels (H, W) or (H, W, bands)."""
    height, width, *rest = pixels.shape
    bands, bits = (rest or [1])[0], 8 * pixels.dtype.itemsize
    stored = np.moveaxis(pixels, -1, 0) if planes == 2 else pixels
    data = stored.astype(pixels.dtype.newbyteorder("<")).tobytes()
    strips = bands if planes == 2 else 1
    tags: dict[int, tuple[int, list[int]]] = {
        254: (4, [0]),
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits] * bands),
        259: (3, [1]),
        262: (3, [photometric]),
        273: (4, [0] * strips),
        277: (3, [bands]),
        278: (4, [height]),
        279: (4, [len(data) // strips] * strips),
        284: (3, [planes]),
        339: (3, [form] * bands),
    }
    if extra is not None:
        tags[338] = (3, [extra] * (bands - 3))
    tags |= {int(tag.removeprefix("tag")): (4, [value]) for tag, value in more.items()}
    start = 8 + 2 + 12 * len(tags) + 4
    behind = b""
    for tag, (kind, values) in tags.items():
        if len(values) * (2 if kind == 3 else 4) > 4 and tag != 273:
            behind += struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
    places = len(behind) + (4 * strips if strips > 1 else 0)
    tags[273] = (4, [start + places + n * (len(data) // strips) for n in range(strips)])
    entries, behind = b"", b""
    for tag, (kind, values) in sorted(tags.items()):
        packed = struct.pack(f"<{len(values)}{'H' if kind == 3 else 'I'}", *values)
        if len(packed) > 4:
            entries += struct.pack("<HHII", tag, kind, len(values), start + len(behind))
            behind += packed
        else:
            entries += struct.pack("<HHI", tag, kind, len(values)) + packed.ljust(4, b"\0")
    whole = b"II*\0" + struct.pack("<IH", 8, len(tags)) + entries + struct.pack("<I", 0) + behind + data
    return whole[: len(whole) - cut]


RGB8 = noise((HEIGHT, WIDTH, 3))
FOUR8 = noise((HEIGHT, WIDTH, 4))
RGB12 = noise((HEIGHT, WIDTH, 3), 4096, np.uint16)
FOUR12 = np.dstack([RGB12, np.full((HEIGHT, WIDTH), 65535, np.uint16)])


def test_a_fourth_band_is_transparency_only_where_the_file_says_so():
    near = FOUR8.copy()
    near[..., 3] = np.arange(WIDTH)  # such as infrared: dark, not transparent
    for content in (
        raw_tiff(near, 2),
        raw_tiff(near, 2, extra=0),
        raw_tiff(np.dstack([near, near[..., 3]]), 2, extra=0),
    ):
        assert np.array_equal(read_photo(content), near[..., :3])
        assert images.header(content).fourth
    clear = read_photo(raw_tiff(near, 2, extra=2))
    assert (clear[:, 0] == 255).all() and not np.array_equal(clear, near[..., :3])
    deep = np.dstack([RGB12, np.tile(np.arange(WIDTH, dtype=np.uint16), (HEIGHT, 1))])
    assert np.array_equal(read_photo(raw_tiff(deep, 2), span=(0, 4095)), read_photo(raw_tiff(RGB12, 2), span=(0, 4095)))


@pytest.mark.parametrize(
    ("kind", "content"),
    [
        ("tiff", raw_tiff(RGB12, 2)),
        ("opaque tiff", raw_tiff(FOUR12, 2, extra=2)),
        ("png", png(WIDTH, HEIGHT, 16, 2, b"".join(b"\0" + row.astype(">u2").tobytes() for row in RGB12))),
        ("opaque png", png(WIDTH, HEIGHT, 16, 6, b"".join(b"\0" + row.astype(">u2").tobytes() for row in FOUR12))),
    ],
)
def test_colors_with_more_than_8_bits_keep_them(kind, content):
    assert images.header(content).deep
    expected = (RGB12 * (255 / 4095)).round()
    assert np.abs(read_photo(content, span=(0, 4095)) - expected).max() <= 1
    pixels, _ = images.decoded(content)
    assert pixels.dtype == np.uint16 and np.array_equal(pixels, RGB12)


def test_gray_of_more_than_8_bits_may_have_0_as_white():
    shades = np.arange(HEIGHT * WIDTH, dtype=np.uint16).reshape(HEIGHT, WIDTH) * 40
    upright = read_photo(raw_tiff(shades, 1), span=(0, 65535))
    assert np.array_equal(read_photo(raw_tiff(65535 - shades, 0), span=(0, 65535)), upright)


def test_a_few_dead_pixels_do_not_darken_a_deep_photograph():
    shades = 1000 + np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 256
    dead = shades.copy()
    dead[0, :3] = 65535, 0, 65535
    assert images.span_of(dead) == images.span_of(shades) == (1000, 1255)
    flat = np.full((8, 8), 700, np.uint16)
    assert images.span_of(flat) == (700, 700) and (images.shown(flat) == 0).all()
    assert images.joined([None, (5, 9), (2, 7)]) == (2, 9) and images.joined([None]) is None


def test_planes_are_read_and_layouts_that_are_not_read_are_told_from_damaged_files():
    assert np.array_equal(read_photo(raw_tiff(RGB8, 2, planes=2)), RGB8)
    five = noise((HEIGHT, WIDTH, 5))
    for content, reason in (
        (raw_tiff(five, 1), "TIFF with 5 bands of 8 bits, packed as raw, in a layout that is not read"),
        (raw_tiff(FOUR8, 1), "TIFF with 4 bands of 8 bits"),
        (raw_tiff(FOUR8[..., :2], 1), "TIFF with 2 bands of 8 bits"),
        (raw_tiff(RGB8[..., 0].astype(np.float64), 1, form=3), "TIFF with 1 bands of 64 bits"),
        (raw_tiff(RGB12, 2, planes=2), "colors have 16 bits and are laid out in a way that is not read"),
        (raw_tiff(FOUR12, 2, planes=2), "TIFF with 4 bands of 16 bits|laid out in a way that is not read"),
        (raw_tiff(FOUR12, 1, planes=2), "TIFF with 4 bands of 16 bits"),
        (raw_tiff(FOUR12[..., :2], 1, planes=2), "TIFF with 2 bands of 16 bits"),
        (raw_tiff(five, 1, cut=99), "damaged"),
        (raw_tiff(RGB8, 2, cut=99), "damaged"),
    ):
        with pytest.raises(SeglabError, match=reason):
            read_photo(content, "x.tif")


def test_a_photograph_of_several_pages_is_refused_and_thumbnails_do_not_count(tmp_path):
    stack = encoded(corners(), "TIFF", save_all=True, append_images=[corners(), corners()])
    with pytest.raises(SeglabError, match=r"x\.tif: contains 3 pages or frames; save one image a file"):
        read_photo(stack, "x.tif")
    path = tmp_path / "thumb.tif"
    small = Image.new("RGB", (10, 8))
    small.encoderinfo = {"tiffinfo": {254: 1}}
    corners().save(path, save_all=True, append_images=[small])
    content = path.read_bytes()
    if Image.open(path).n_frames == 2:
        with Image.open(path) as image:
            image.seek(1)
            marked = image.tag_v2.get(254, 0) & 1
        assert not marked or np.array_equal(read_photo(content), read_photo(encoded(corners(), "TIFF")))


def test_a_large_jpeg_is_decoded_at_a_fraction_where_that_is_enough(monkeypatch):
    monkeypatch.setattr(images, "REDUCED", 1000)
    gray = Image.linear_gradient("L").resize((640, 480)).convert("RGB")
    content = encoded(gray, "JPEG", quality=95)
    assert read_photo(content).shape == (480, 640, 3) and read_photo(content, enough=100).shape == (120, 160, 3)
    assert read_photo(turned(gray, 6, "JPEG"), enough=100).shape == (160, 120, 3)
    assert read_photo(content, enough=500).shape == (480, 640, 3)
    assert (
        np.abs(
            resize_image(read_photo(content, enough=80), 80).astype(int) - resize_image(read_photo(content), 80)
        ).max()
        < 8
    )
