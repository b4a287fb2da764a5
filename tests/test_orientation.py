"""Photographs that their EXIF orientation turns, and masks that were drawn on what is shown or on what is stored."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from seglab import uploads
from seglab.data.folder import Folder
from seglab.data.images import turned
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset
from tests.test_uploads import packed

WIDTH, HEIGHT = 40, 32  # of the stored photographs
NAMES = ("a", "b", "c", "d")  # two to learn from, two held out


def stored(n: int, square: bool = False) -> np.ndarray:
    """Where a thing is in a stored photograph: in a corner, so that all turns differ."""
    ids = np.zeros((HEIGHT, HEIGHT if square else WIDTH), np.uint8)
    ids[2 + n : 12 + n, 3:20] = 1
    return ids


def save(path, pixels, turn=1, format=None):
    path.parent.mkdir(parents=True, exist_ok=True)
    exif = Image.Exif()
    exif[0x0112] = turn
    Image.fromarray(pixels).save(path, format, **({"exif": exif} if turn > 1 else {}))


LAYOUTS = {  # where photographs and masks lie, and the ids of ground and thing
    "folder": ("images/{}.jpg", "masks/{}.png", (0, 1)),
    "zip": ("images/{}.jpg", "masks/{}.png", (0, 1)),
    "voc2012": ("JPEGImages/{}.jpg", "SegmentationClass/{}.png", (0, 1)),
    "oxford_pet": ("images/{}.jpg", "annotations/trimaps/{}.png", (2, 1)),
}


def write(source, root, turn, frame, mask_turn=1, square=False):
    photo, mask, ids = LAYOUTS[source]
    right = {}
    for n, name in enumerate(NAMES):
        thing = stored(n, square)
        save(root / photo.format(name), np.repeat(200 * thing[..., None], 3, 2), turn, "JPEG")
        lies = turned(thing, turn) if frame == "shown" else thing
        save(root / mask.format(name), np.array(ids, np.uint8)[lies], mask_turn)
        right[name] = turned(thing, turn)
    if source == "voc2012":
        lists = root / "ImageSets/Segmentation"
        lists.mkdir(parents=True)
        for part, names in (("train", "a\nb\n"), ("val", "c\nd\n")):
            (lists / f"{part}.txt").write_text(names)
    if source == "oxford_pet":
        (root / "annotations/trainval.txt").write_text("a 1 1 1\nb 1 2 1\n")
        (root / "annotations/test.txt").write_text("c 1 1 1\nd 1 2 1\n")
    return right


def opened(source, root, tmp_path):
    if source == "zip":
        files = {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*.*")}
        root = uploads.found(uploads.take(packed(tmp_path / "mine.zip", files)))
        for path in (root / "images").iterdir():
            assert "exif" not in Image.open(path).info  # what is kept is upright
        return Folder(root=root).open()
    return validated(Dataset, {"name": source, "root": root}).open()


def check(source, data, right):
    splits = (data.train, data.search, data.val)
    samples = [split[n] for split in splits for n in range(len(split))]
    things = {(sample.mask == (0 if source == "oxford_pet" else 1)).tobytes() for sample in samples}
    assert things == {(each == 1).tobytes() for each in right.values()}
    for sample in samples:
        thing = sample.mask == (0 if source == "oxford_pet" else 1)
        assert ((sample.image[..., 1] > 100) == thing).mean() > 0.97  # but for JPEG's blur


@pytest.mark.parametrize("frame", ["shown", "stored"])
@pytest.mark.parametrize("turn", range(1, 9))
@pytest.mark.parametrize("source", LAYOUTS)
def test_a_mask_lies_on_its_turned_photograph_or_the_pair_is_refused(source, turn, frame, tmp_path):
    right = write(source, tmp_path / "data", turn, frame)
    if turn in (2, 3, 4):  # the sizes are the same
        with pytest.raises(SeglabError) as refusal:
            opened(source, tmp_path / "data", tmp_path)
        assert all("EXIF" in str(each) and "a.png" in str(refusal.value) for each in refusal.value.each)
        assert len(refusal.value.each) == 4 and "save the photograph upright, without EXIF" in str(refusal.value)
        return
    check(source, opened(source, tmp_path / "data", tmp_path), right)


@pytest.mark.parametrize("turn", range(2, 9))
@pytest.mark.parametrize("source", LAYOUTS)
def test_a_mask_with_the_same_orientation_turns_with_its_photograph(source, turn, tmp_path):
    right = write(source, tmp_path / "data", turn, "stored", mask_turn=turn, square=turn % 2 == 0)
    check(source, opened(source, tmp_path / "data", tmp_path), right)


@pytest.mark.parametrize("source", LAYOUTS)
def test_a_mask_with_an_orientation_of_its_own_is_refused(source, tmp_path):
    write(source, tmp_path / "data", 1, "stored", mask_turn=3)
    with pytest.raises(SeglabError, match=r"a\.png: has the EXIF orientation 3, but .*a\.jpg has 1"):
        opened(source, tmp_path / "data", tmp_path)


@pytest.mark.parametrize("frame", ["shown", "stored"])
@pytest.mark.parametrize("turn", range(2, 9))
def test_a_folder_may_say_what_its_masks_were_drawn_on(turn, frame, tmp_path):
    right = write("folder", tmp_path, turn, frame, square=True)
    with pytest.raises(SeglabError, match=r"set data\.drawn_on to shown or stored"):
        Folder(root=tmp_path).open()
    check("folder", Folder(root=tmp_path, drawn_on=frame).open(), right)
