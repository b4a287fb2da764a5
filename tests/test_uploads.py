"""Zips that visitors send: what is taken in, and the many that are not."""

from __future__ import annotations

import io
import os
import stat
import struct
import time
import zipfile
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFile
from PIL.PngImagePlugin import PngInfo

from seglab import locks, runs, uploads, zips
from seglab.ages import Ages
from seglab.data.folder import Folder
from seglab.data.images import read_photo
from seglab.data.masks import decoded_colors, read_mask
from seglab.errors import SeglabError
from tests.conftest import tiny


def png(pixels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    return file.getvalue()


IMAGE = png(np.arange(8 * 8 * 3, dtype=np.uint8).reshape(8, 8, 3))
MASK = png(np.arange(64, dtype=np.uint8).reshape(8, 8) % 3)
GOOD = {f"{kind}/{name}.png": IMAGE if kind == "images" else MASK for kind in ("images", "masks") for name in "abcd"}


PARTS = ("train/<b>.png", "val/하나\u202e.png")


def packed(path: Path, files: dict[str, bytes], **options) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, **options) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def kept() -> list[Path]:
    return [path for path in uploads.home().rglob("*") if path.is_file()] if uploads.home().exists() else []


def refused(path: Path) -> str:
    """Why a zip is refused; nothing of it is left."""
    before = kept()
    with pytest.raises(SeglabError) as caught:
        uploads.take(path)
    assert kept() == before
    return "; ".join(map(str, caught.value.each or [caught.value]))


def test_a_good_zip_becomes_a_folder_behind_a_reference_that_says_nothing(tmp_path):
    reference = uploads.take(packed(tmp_path / "mine.zip", GOOD))
    root = uploads.found(reference)
    data = Folder(root=root).open()
    assert (len(data.train), len(data.classes)) == (3, 3) and np.array_equal(
        data.train[0].mask.ravel()[:4], [0, 1, 2, 0]
    )
    assert (
        reference not in str(root)
        and root.parent == uploads.home()
        and uploads.take(tmp_path / "mine.zip") != reference
    )
    assert sorted(path.relative_to(root).as_posix() for path in kept() if root in path.parents)[:2] == [
        "images/0001.png",
        "images/0002.png",
    ]
    assert stat.S_IMODE(root.stat().st_mode) == 0o700


def test_of_a_photograph_its_pixels_are_kept_and_nothing_else_of_it(tmp_path):
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), np.uint8))
    exif = Image.Exif()
    exif[0x0112], exif[0x013B] = 6, "SECRET artist"  # turned by a quarter
    exif.get_ifd(0x8825)[29] = "SECRET day"  # GPS
    sent = {}
    for form, options in {
        "jpg": {"exif": exif, "comment": b"SECRET comment", "xmp": b"<x>SECRET xmp</x>", "quality": 80},
        "webp": {"exif": exif, "xmp": b"SECRET xmp"},
        "tiff": {"exif": exif},
        "png": {"exif": exif, "pnginfo": PngInfo()},
        "gif": {"comment": b"SECRET comment"},
    }.items():
        if "pnginfo" in options:
            options["pnginfo"].add_text("Author", "SECRET author")
        file = io.BytesIO()
        noise.save(file, "JPEG" if form == "jpg" else form, **options)
        sent[f"images/{form}.{form}"] = file.getvalue() + b"SECRET rest"
        assert file.getvalue().count(b"SECRET") >= len(options.keys() - {"quality"})
    masks = {f"masks/{name.split('.')[1]}.png": png(np.eye(60, 40, dtype=np.uint8)) for name in sent}
    masks["masks/gif.png"] = png(np.eye(40, 60, dtype=np.uint8))
    root = uploads.found(uploads.take(packed(tmp_path / "mine.zip", sent | masks)))
    photos = [read_photo(sent[name]) for name in sorted(sent)]
    assert {photo.shape for photo in photos} == {(60, 40, 3), (40, 60, 3)}
    for path, photo in zip(sorted((root / "images").iterdir()), photos, strict=True):
        assert np.array_equal(read_photo(path), photo)
        with Image.open(path) as image:
            assert (image.format, image.mode, image.info, dict(image.getexif())) == ("PNG", "RGB", {}, {})
    assert len(kept()) == 11 and not any(b"SECRET" in path.read_bytes() for path in kept())


def test_masks_keep_their_ids_and_palettes(tmp_path):
    ids = np.arange(64, dtype=np.uint8).reshape(8, 8) % 3
    void = np.where(ids == 2, np.uint8(255), ids)
    masks = {"grey": Image.fromarray(ids), "void": Image.fromarray(void), "one": Image.fromarray(ids > 1)}
    masks["wide"] = Image.fromarray(ids.astype(np.uint16))
    for name, (mask, palette) in {
        "short": (ids, [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
        "long": (void, np.arange(3 * 256).reshape(256, 3) % 251),
    }.items():
        masks[name] = Image.fromarray(mask)
        masks[name].putpalette(np.array(palette, np.uint8).tobytes())
    sent = {}
    for name, mask in masks.items():
        file = io.BytesIO()
        mask.save(file, "TIFF" if name == "wide" else "PNG")
        sent |= {f"images/{name}.png": IMAGE, f"masks/{name}.{'tif' if name == 'wide' else 'png'}": file.getvalue()}
    root = uploads.found(uploads.take(packed(tmp_path / "mine.zip", sent)))
    for path, name in zip(sorted((root / "masks").iterdir()), sorted(masks), strict=True):
        before, after = (
            read_mask(next(sent[each] for each in sent if each.startswith(f"masks/{name}."))),
            read_mask(path),
        )
        assert np.array_equal(before[0], after[0]) and path.suffix == ".png", name
        assert (before[1] is None) == (after[1] is None) == (name not in ("short", "long")), name
        assert before[1] is None or np.array_equal(before[1], after[1]), name


def test_ids_beyond_a_mask_s_palette_are_kept(tmp_path):
    mask = Image.fromarray(np.where(np.eye(8) > 0, 255, 1).astype(np.uint8))
    mask.putpalette(bytes(768))
    mask.save(tmp_path / "whole.png")
    content = (tmp_path / "whole.png").read_bytes()
    start = content.find(b"PLTE") - 4
    entries = b"PLTE" + bytes([9, 8, 7, 50, 60, 70])  # two colours are left of the palette's 256
    entries = struct.pack(">I", 6) + entries + struct.pack(">I", zlib.crc32(entries))
    short = content[:start] + entries + content[start + 12 + 768 :]
    assert (len(read_mask(short)[1]), read_mask(short)[0].max()) == (2, 255)
    ids, palette = read_mask(uploads.png(*read_mask(short)))
    assert np.array_equal(ids, read_mask(short)[0]) and np.array_equal(palette[:2], read_mask(short)[1])


def test_painted_masks_keep_their_colours(tmp_path):
    painted = np.array([[200, 10, 10], [10, 200, 10]], np.uint8)[np.arange(64).reshape(8, 8) % 2]
    files = GOOD | {name: png(painted) for name in GOOD if name.startswith("masks/")}
    files["colors.txt"] = b"red:200,10,10\ngreen:10,200,10\n"
    root = uploads.found(uploads.take(packed(tmp_path / "mine.zip", files)))
    assert all(np.array_equal(decoded_colors(path).values, painted) for path in (root / "masks").iterdir())
    data = Folder(root=root).open()
    assert data.classes == ("red", "green") and data.train[0].mask.ravel()[:4].tolist() == [0, 1, 0, 1]


def test_the_names_of_a_zip_are_kept_fit_to_print(tmp_path):
    names = {"data/images/train/a.png": IMAGE, "data/masks/train/a.png": MASK, "data/classes.txt": b"x\ny\nz\n"}
    names |= {
        f"data/{kind}/{part}": content for kind, content in (("images", IMAGE), ("masks", MASK)) for part in PARTS
    }
    dataset = Folder(root=uploads.found(uploads.take(packed(tmp_path / "mine.zip", names))))
    found = uploads.names(dataset)
    assert (dataset.root / "names.json").read_text().isascii() and len(found) == 7
    assert found["images/train/0002.png"] == "data/images/train/a.png" and found["classes.txt"] == "data/classes.txt"
    assert found["masks/val/0003.png"] == "data/masks/val/하나\\u202e.png"
    assert not uploads.names(Folder(root=tmp_path)) and not uploads.names(Folder())


def test_folders_around_everything_and_the_litter_of_other_systems_are_looked_through(tmp_path):
    files = {f"Mein Ordner/Daten/{name}": content for name, content in GOOD.items()}
    files["Mein Ordner/Daten/classes.txt"] = b"eins\nzwei\ndrei\n"
    litter = {"__MACOSX/Mein Ordner/._a.png": b"x", "Mein Ordner/.DS_Store": b"x", "Mein Ordner/Daten/Thumbs.db": b"x"}
    litter |= {"Mein Ordner/readme.txt": b"x", "readme.txt": b"x"}
    litter |= {"Mein Ordner/": b"", "Mein Ordner/Daten/images/notes.txt": b"x"}
    root = uploads.found(uploads.take(packed(tmp_path / "mine.zip", files | litter)))
    assert Folder(root=root).open().classes == ("eins", "zwei", "drei")
    assert sorted(path.name for path in root.iterdir()) == ["classes.txt", "images", "masks", "names.json"]


def test_the_split_and_windows_own_separators_are_kept(tmp_path):
    names = [
        *((f"Images\\train\\{n}.jpg", f"Masks\\train\\{n}.png") for n in "abc"),
        ("Images\\val\\a.PNG", "Masks\\val\\a.png"),
    ]
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image, mask in names:
            for name, content in ((image, IMAGE), (mask, MASK)):
                entry = zipfile.ZipInfo("x" * len(name))
                entry.filename = entry.orig_filename = name
                archive.writestr(entry, content)
    data = Folder(root=uploads.found(uploads.take(path))).open()
    assert (len(data.train), len(data.val)) == (3, 1)


@pytest.mark.parametrize("encoding", ["utf-8", "cp949"])
def test_korean_names_without_the_mark_for_utf_8_are_understood(tmp_path, encoding):
    files = GOOD | {"images/\ud558\ub298.png": IMAGE}
    path = packed(tmp_path / "mine.zip", files)
    content = path.read_bytes()
    raw = "\ud558\ub298".encode()
    other = "\ud558\ub298".encode(encoding).ljust(len(raw), b"_")
    content = content.replace(raw, other)
    for sign, place in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):  # the marks of the entries, in both of their headers
        start = -1
        while (start := content.find(sign, start + 1)) >= 0:
            flags = struct.unpack_from("<H", content, start + place)[0] & ~0x800
            content = content[: start + place] + struct.pack("<H", flags) + content[start + place + 2 :]
    path.write_bytes(content)
    assert "images/\ud558\ub298" in refused(path)
    start = content.rfind(b"PK\1\2") + 8  # the mark of encryption
    path.write_bytes(content[:start] + b"\1" + content[start + 1 :])
    assert "images/\ud558\ub298" in refused(path)


def test_what_is_wrong_is_told_with_the_names_in_the_zip(tmp_path):
    files = {f"data/{name}": content for name, content in GOOD.items()}
    files["data/masks/b.png"], files["data/images/c.png"] = IMAGE, b"no image"
    del files["data/masks/d.png"]
    reasons = refused(packed(tmp_path / "mine.zip", files))
    assert "data/masks/b.png: is painted in" in reasons and "data/images/c.png: not an image" in reasons
    assert "data/images/d.png: its mask is missing: data/masks/d.png" in reasons
    assert str(uploads.home()) not in reasons and "0001" not in reasons


NAMES = {
    "../a.png": "points outside",
    "images/../../a.png": "points outside",
    "/etc/passwd": "points outside",
    "\\\\server\\a.png": "points outside",
    "C:\\a.png": "points outside",
    "images\\..\\a.png": "points outside",
    "/".join("a" * 40): "is more than 11 folders deep",
    "images/a\x1b.png": "characters",
    "images/A.PNG": "twice",
    "IMAGES/a.png": "twice",
    "images/a.png/b.png": "twice",
}


@pytest.mark.parametrize("name", NAMES)
def test_a_name_that_could_do_harm_is_refused(tmp_path, name):
    path = tmp_path / "mine.zip"
    packed(path, GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("x")
        entry.filename = entry.orig_filename = name
        archive.writestr(entry, IMAGE)
    assert NAMES[name] in refused(path)
    assert not (tmp_path / "a.png").exists()


def test_a_name_with_a_nul_in_it_is_refused(tmp_path):
    path = packed(tmp_path / "mine.zip", GOOD | {"images/zXz.png": IMAGE})
    path.write_bytes(path.read_bytes().replace(b"zXz", b"z\0z"))
    assert "characters" in refused(path)


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(tmp_path, kind):
    path = packed(tmp_path / "mine.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("images/link.png")
        entry.create_system, entry.external_attr = 3, (kind | 0o777) << 16
        archive.writestr(entry, "/etc/passwd")
    assert "images/link.png: is a link or a device" in refused(path)


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *given: pytest.fail("it was unpacked"))
    assert "grows more than 200 times" in refused(packed(tmp_path / "a.zip", GOOD | {"images/z.png": bytes(10**8)}))
    many = {f"images/{n}.png": os.urandom(1000) + bytes(170_000) for n in range(2000 - len(GOOD))}
    assert "allowed: 300 MB" in refused(packed(tmp_path / "b.zip", GOOD | many))
    assert "2001 entries; allowed: 2000" in refused(
        packed(tmp_path / "c.zip", {f"images/{n}.png": b"" for n in range(2001)})
    )


UNCOMPRESSED = {
    "tiff": ("TIFF", "tif", np.uint8, {}),
    "tiff of 16 bits": ("TIFF", "tif", np.uint16, {}),
    "bmp": ("BMP", "bmp", np.uint8, {}),
    "png": ("PNG", "png", np.uint8, {"compress_level": 0}),
}


@pytest.mark.parametrize("shown", [0, 1])
@pytest.mark.parametrize("packing", [zipfile.ZIP_DEFLATED, zipfile.ZIP_STORED])
@pytest.mark.parametrize("kind", UNCOMPRESSED)
def test_uncompressed_masks_are_taken_however_much_they_shrink_in_a_zip(tmp_path, kind, packing, shown):
    form, ending, numbers, options = UNCOMPRESSED[kind]
    ids = np.zeros((700, 900), numbers)
    ids[300:320, 400:440] = shown
    mask, image = io.BytesIO(), io.BytesIO()
    Image.fromarray(ids).save(mask, form, **options)
    Image.new("RGB", (900, 700), (90, 60, 30)).save(image, "JPEG")
    files = {f"images/{n}.jpg": image.getvalue() for n in range(4)}
    files |= {f"masks/{n}.{ending}": mask.getvalue() for n in range(3)}
    files["masks/3.png"], files["classes.txt"] = png(np.eye(700, 900, dtype=np.uint8)), b"ground\nthing\n"
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w", packing) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        sizes = [entry.file_size / entry.compress_size for entry in archive.infolist()]
    assert max(sizes) > zips.MOST_RATIO or packing == zipfile.ZIP_STORED
    data = Folder(root=uploads.found(uploads.take(path))).open()
    sums = {sample.name: int(sample.mask.sum()) for part in (data.train, data.search, data.val) for sample in part}
    assert sorted(sums.values()) == sorted([700, *[800 * shown] * 3])


def test_painted_masks_of_24_bits_a_pixel_are_taken(tmp_path):
    painted = np.zeros((900, 900, 3), np.uint8)
    painted[10:400] = 200, 10, 10
    file = io.BytesIO()
    Image.fromarray(painted).save(file, "BMP")
    files = {f"images/{n}.png": png(painted + np.uint8(n)) for n in range(3)}
    files |= {f"masks/{n}.bmp": file.getvalue() for n in range(3)} | {"colors.txt": b"a:0,0,0\nb:200,10,10\n"}
    data = Folder(root=uploads.found(uploads.take(packed(tmp_path / "mine.zip", files)))).open()
    assert data.classes == ("a", "b") and data.train[0].mask.sum() == 390 * 900


def test_many_small_uncompressed_masks_are_taken(tmp_path):
    file = io.BytesIO()
    Image.fromarray(np.pad(np.ones((20, 20), np.uint8), 100)).save(file, "TIFF")
    image = png(np.zeros((220, 220, 3), np.uint8))
    files = {f"{kind}/{n}.{end}": content for n in range(60) for kind, end, content in (
        ("images", "png", image), ("masks", "tif", file.getvalue()))}  # fmt: skip
    assert uploads.take(packed(tmp_path / "mine.zip", files))


def test_what_was_left_out_of_a_zip_is_told_and_how_its_files_were_paired(tmp_path):
    files = {f"images/{name}.png": IMAGE for name in "abcd"} | {f"labels/{name}_mask.png": MASK for name in "abcd"}
    files |= {"labels/a_color.png": IMAGE, "test/images/z.png": IMAGE}
    dataset = Folder(root=uploads.found(uploads.take(packed(tmp_path / "mine.zip", files))))
    pattern, *left_out = map(str, uploads.notes(dataset))
    assert pattern == "paired by name: images/NAME.png + labels/NAME_mask.png"
    assert "such as test/images/z.png" in left_out[0] and "such as labels/a_color.png" in left_out[1]
    assert uploads.notes(Folder(root=tmp_path)) == []


def test_more_entries_than_allowed_are_refused_before_python_reads_them(tmp_path, monkeypatch):
    entry = struct.pack("<4s6H3L5H2L", b"PK\1\2", 20, 20, 0, 0, 0, 0, 0, 0, 0, 1, *[0] * 6) + b"a"
    content = entry * 500_000  # 22 MB
    end = struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, 0xFFFF, 0xFFFF, len(content), 0, 0)
    (tmp_path / "mine.zip").write_bytes(content + end)
    monkeypatch.setattr(zipfile, "ZipFile", lambda *given, **named: pytest.fail("Python read them"))
    assert "500000 entries; allowed: 2000" in refused(tmp_path / "mine.zip")


def test_pictures_that_are_huge_together_are_refused_before_they_are_decoded(tmp_path, monkeypatch):
    huge = png(np.zeros((4096, 4096), np.uint8))
    assert len(huge) < 20_000
    path = tmp_path / "mine.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for n in range(20):
            archive.writestr(f"images/{n}.png", huge)
            archive.writestr(f"masks/{n}.png", huge)
    monkeypatch.setattr(ImageFile.ImageFile, "load", lambda image: pytest.fail("it was decoded"))
    assert "640 megapixels in total; allowed: 512" in refused(path)


@pytest.mark.parametrize("names", [("images/more/e.png", "masks/more/e.png"), ("images/train/e.png",)])
def test_pictures_that_nothing_would_read_are_named(tmp_path, names):
    assert "is in a folder that is not read" in refused(
        packed(tmp_path / "mine.zip", GOOD | dict.fromkeys(names, IMAGE))
    )
    test = {f"{kind}/test/z.png": IMAGE for kind in ("images", "masks")}
    assert uploads.take(packed(tmp_path / "mine.zip", GOOD | test))


def test_entries_that_lie_over_each_other_are_refused(tmp_path):
    path = packed(tmp_path / "mine.zip", GOOD)
    with zipfile.ZipFile(path, "a") as archive:
        twin = archive.getinfo("images/a.png")
        other = zipfile.ZipInfo("images/e.png")
        for name in ("header_offset", "compress_size", "file_size", "CRC", "compress_type"):
            setattr(other, name, getattr(twin, name))
        archive.filelist.append(other)
        archive.NameToInfo[other.filename] = other
        archive._didModify = True
    assert "overlaps another entry" in refused(path)


@pytest.mark.parametrize("place", [22, 24])  # of the sizes in the entry's central header: packed, unpacked
def test_sizes_that_are_not_true_are_refused(tmp_path, place):
    path = packed(tmp_path / "mine.zip", GOOD)
    content = path.read_bytes()
    start = content.find(b"PK\x01\x02") + (20 if place == 22 else 24)
    path.write_bytes(content[:start] + struct.pack("<I", 10) + content[start + 4 :])
    assert refused(path)


def test_encrypted_and_unusually_packed_zips_are_refused(tmp_path):
    path = packed(tmp_path / "mine.zip", GOOD)
    content = path.read_bytes()
    start = content.find(b"PK\x01\x02") + 8
    path.write_bytes(content[:start] + b"\x01" + content[start + 1 :])
    assert "encrypted" in refused(path)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("images/a.png", IMAGE)
    assert "unusual" in refused(path)


def test_names_that_python_cannot_read_are_refused(tmp_path):
    path = packed(tmp_path / "mine.zip", GOOD | {"images/\ud558.png": IMAGE})
    path.write_bytes(path.read_bytes().replace("\ud558".encode(), b"\xff\xfe\xfd"))  # marked as UTF-8
    assert "damaged" in refused(path)
    content = bytearray(packed(path, GOOD).read_bytes())
    start = content.find(b"PK\1\2") + 28  # of the length of the first name
    content[start : start + 2] = b"\0\0"
    path.write_bytes(content)
    assert "damaged" in refused(path)


def test_what_is_no_zip_is_refused(tmp_path):
    for content in (b"", b"hello", packed(tmp_path / "x.zip", GOOD).read_bytes()[:-40], IMAGE):
        (tmp_path / "mine.zip").write_bytes(content)
        assert "damaged" in refused(tmp_path / "mine.zip")
    assert "there is no such folder" in refused(packed(tmp_path / "mine.zip", {"a.txt": b"x"}))
    assert "there is no such folder" in refused(packed(tmp_path / "mine.zip", {}))


@settings(max_examples=150, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 5000), st.binary(min_size=1, max_size=8))
def test_a_zip_with_any_bytes_changed_is_taken_or_refused_with_a_reason(tmp_path, place, change):
    content = bytearray(packed(tmp_path / "good.zip", GOOD).read_bytes())
    place %= len(content)
    content[place : place + len(change)] = change
    (tmp_path / "mine.zip").write_bytes(content)
    try:
        root = uploads.found(uploads.take(tmp_path / "mine.zip"))
    except SeglabError:
        return
    assert Folder(root=root).open().train[0].mask.shape == (8, 8)
    assert {path.suffix for path in kept()} == {".png", ".json"}


@pytest.mark.parametrize(
    "reference", [None, "", "../..", "a" * 31, "A" * 32, "/etc", 7, ["a" * 32], {"a": 1}, "a" * 32]
)
def test_a_reference_that_a_page_made_up_leads_nowhere(tmp_path, reference):
    uploads.take(packed(tmp_path / "mine.zip", GOOD))
    with pytest.raises(SeglabError, match="upload them again"):
        uploads.found(reference)
    with pytest.raises(SeglabError, match="upload them again"):
        uploads.found(next(uploads.home().iterdir()).name)  # the folder's name is no reference


def test_an_upload_is_swept_a_day_after_its_last_use_unless_a_run_needs_it(tmp_path, monkeypatch):
    old, used, needed = (uploads.take(packed(tmp_path / "mine.zip", GOOD)) for _ in range(3))
    runs.create(tiny(data={"name": "folder", "root": str(uploads.found(needed))}))
    for reference in (old, used, needed):
        os.utime(uploads.folder_of(reference), (time.time() - uploads.KEEP_SECONDS - 60,) * 2)
    uploads.found(used)
    now = [0.0]
    monkeypatch.setattr(uploads, "AGES", Ages(lambda: now[0]))
    assert uploads.sweep() == 0  # this program has only just seen them
    now[0] = uploads.SEEN_SECONDS + 1
    assert uploads.sweep() == 1
    assert uploads.found(used) and uploads.found(needed)
    with pytest.raises(SeglabError, match="have been deleted"):
        uploads.found(old)


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_clock_that_is_set_to_another_day_takes_no_upload_and_keeps_none(day, tmp_path, monkeypatch):
    reference, now, real = uploads.take(packed(tmp_path / "mine.zip", GOOD)), [0.0], time.time
    monkeypatch.setattr(uploads, "AGES", Ages(lambda: now[0]))
    monkeypatch.setattr(time, "time", lambda: real() + day)
    assert uploads.sweep() == 0 and uploads.found(reference)
    os.utime(uploads.folder_of(reference), (real() + 10 * abs(day),) * 2)  # used, as a wrong clock had it
    for now[0], swept in ((1, 0), (uploads.KEEP_SECONDS, 0), (uploads.KEEP_SECONDS + 2, 1)):
        assert uploads.sweep() == swept


def test_what_a_killed_program_was_unpacking_is_deleted_and_what_another_unpacks_is_not(tmp_path):
    uploads.home().mkdir(parents=True)
    (uploads.home() / ".0123456789abcdef").mkdir()
    with locks.new_folder(uploads.home(), ".") as unpacking:
        assert uploads.sweep() == 1 and unpacking.exists()
        reference = uploads.take(packed(tmp_path / "mine.zip", GOOD))
        assert unpacking.exists()
    assert sorted(uploads.home().iterdir()) == [uploads.folder_of(reference)]


def test_uploads_together_have_a_largest_size(tmp_path, monkeypatch):
    uploads.take(packed(tmp_path / "mine.zip", GOOD))
    monkeypatch.setattr(uploads, "MOST_KEPT", 100)
    assert "no room" in refused(tmp_path / "mine.zip")


def test_what_pictures_take_without_loss_counts_too(tmp_path, monkeypatch):
    noise = io.BytesIO()
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), np.uint8)).save(noise, "JPEG", quality=5)
    mask = png(np.eye(96, dtype=np.uint8))
    files = {f"{kind}/{n}.{'jpg' if kind == 'images' else 'png'}": noise.getvalue() if kind == "images" else mask
             for kind in ("images", "masks") for n in range(4)}  # fmt: skip
    path = packed(tmp_path / "mine.zip", files)
    size = sum(file.stat().st_size for file in uploads.found(uploads.take(path)).rglob("*.png"))
    assert size > 2 * path.stat().st_size
    monkeypatch.setattr(uploads, "MOST_KEPT", sum(file.stat().st_size for file in kept()) + path.stat().st_size)
    assert "no room" in refused(path)
