"""CamVid from tiny files in its layout, and from the real ones where there are any."""

from __future__ import annotations

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from seglab.data.base import VOID
from seglab.data.camvid import CLASSES, Camvid
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset

WIDTH, HEIGHT = 40, 32


def write(root, part, name, ids=None, ending=".png", image_ending=".jpg"):
    """A pair whose image is grey of brightness `len(name)`; ids default to rows of all 12 values."""
    (root / part).mkdir(parents=True, exist_ok=True)
    (root / f"{part}annot").mkdir(exist_ok=True)
    ids = np.repeat(np.arange(HEIGHT) % 12, WIDTH).reshape(HEIGHT, WIDTH) if ids is None else ids
    Image.new("RGB", (WIDTH, HEIGHT), (len(name),) * 3).save(root / part / f"{name}{image_ending}")
    Image.fromarray(ids.astype(np.uint8)).save(root / f"{part}annot" / f"{name}{ending}")


@pytest.fixture
def tiny(tmp_path):
    root = tmp_path / "data" / "camvid"
    for name in ("b", "a", "c"):
        write(root, "train", name)
    for name in ("v4", "v1", "v3", "v2", "v5"):
        write(root, "val", name)
    write(root, "test", "t")
    return root


def test_the_pairs_are_found_and_validation_is_halved(tiny):
    data = Camvid(root=tiny).open()
    assert data.train.names == ("a", "b", "c")
    assert data.search.names == ("v1", "v2") and data.val.names == ("v3", "v4", "v5")
    assert data.classes == tuple(CLASSES) and len(data.classes) == 11 and data.classes[8] == "Car"
    assert data.colors[3] == (128, 64, 128) and len(set(data.colors)) == 11
    assert data.notes == ()


def test_the_unlabelled_class_becomes_void_and_the_others_stay(tiny):
    sample = Camvid(root=tiny).open().train[0]
    assert sample.name == "a" and sample.instances is None
    assert sample.image.shape == (HEIGHT, WIDTH, 3) and sample.image.flags.writeable
    assert sample.mask.dtype == np.uint8
    assert sample.mask[:12, 0].tolist() == [*range(11), VOID]


def test_png_images_are_accepted_too(tiny):
    write(tiny, "train", "frame.1", image_ending=".PNG")
    assert Camvid(root=tiny).open().train.load("frame.1").image[0, 0].tolist() == [7, 7, 7]


def test_the_folder_comes_from_seglab_data_unless_it_is_given(tiny, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", str(tiny.parent))
    assert len(Camvid().open().train) == 3
    assert len(validated(Dataset, {"name": "camvid", "root": str(tiny)}).open().val) == 3


def test_a_missing_folder_is_named_with_the_way_to_set_it(tiny, monkeypatch):
    with pytest.raises(SeglabError, match=r"nowhere: there is no such folder.*--data\.root.*SEGLAB_DATA"):
        Camvid(root=tiny / "nowhere").open()
    monkeypatch.setenv("SEGLAB_DATA", str(tiny))
    with pytest.raises(SeglabError, match=r"camvid.camvid: there is no such folder"):
        Camvid().open()
    monkeypatch.delenv("SEGLAB_DATA")
    with pytest.raises(SeglabError, match=r"no folder was given for camvid; give --data\.root, or set SEGLAB_DATA"):
        Camvid().open()
    shutil.rmtree(tiny / "valannot")
    with pytest.raises(SeglabError, match=r"camvid: there is no folder valannot"):
        Camvid(root=tiny).open()


@pytest.mark.parametrize("root", ["", "~nobody-here/camvid", "nul\0", "x" * 5000, "a\nb"])
def test_a_strange_folder_is_refused(root):
    with pytest.raises(SeglabError):
        Camvid(root=root).open()


def test_a_missing_partner_is_named(tiny):
    (tiny / "valannot" / "v3.png").unlink()
    with pytest.raises(SeglabError, match=r"^val/v3\.jpg: its partner valannot/v3\.png is missing$"):
        Camvid(root=tiny).open()
    (tiny / "val" / "v3.jpg").unlink()
    (tiny / "train" / "b.jpg").unlink()
    with pytest.raises(SeglabError, match=r"^trainannot/b\.png: its partner train/b\.jpg is missing$"):
        Camvid(root=tiny).open()


def test_two_images_of_one_name_are_refused(tiny):
    Image.new("RGB", (WIDTH, HEIGHT)).save(tiny / "train" / "a.png")
    with pytest.raises(SeglabError, match=r"train/a\.png: train/a\.jpg has the same name"):
        Camvid(root=tiny).open()


def test_too_few_images_are_refused(tmp_path):
    write(tmp_path, "train", "a")
    write(tmp_path, "val", "b")
    with pytest.raises(SeglabError, match="1 training and 1 validation"):
        Camvid(root=tmp_path).open()


def test_a_value_that_is_no_class_is_refused_with_file_and_values(tiny):
    write(tiny, "train", "a", ids=np.where(np.eye(HEIGHT, WIDTH) > 0, 30, 12))
    with pytest.raises(SeglabError, match=r"^trainannot/a\.png: contains 12, 30; CamVid's ids are 0 to 10"):
        Camvid(root=tiny).open().train.load("a")


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (
            lambda root: Image.new("L", (20, 20)).save(root / "trainannot" / "a.png"),
            r"trainannot/a\.png: 20 x 20 pixels",
        ),
        (
            lambda root: Image.new("RGB", (40, 32), "red").save(root / "trainannot" / "a.png"),
            r"trainannot/a\.png: .*colors",
        ),
        (lambda root: (root / "train" / "a.jpg").write_bytes(b"\xff\xd8\xff garbage"), r"train/a\.jpg: .*damaged"),
        (lambda root: (root / "train" / "a.jpg").unlink(), r"train/a\.jpg: there is no such file"),
    ],
)
def test_an_error_in_loading_names_the_file(tiny, spoil, reason):
    data = Camvid(root=tiny).open()
    spoil(tiny)
    with pytest.raises(SeglabError, match=f"^{reason}"):
        data.train.load("a")


def test_the_digest_follows_content_names_and_split_and_not_the_place(tiny, tmp_path):
    def digest_of(root):
        return tuple(Camvid(root=root).open().digests.values())

    before = digest_of(tiny)
    shutil.copytree(tiny, tmp_path / "copy")
    assert digest_of(tmp_path / "copy") == before
    write(tmp_path / "copy", "test", "another")
    assert digest_of(tmp_path / "copy") == before
    for folder, ending in (("train", ".jpg"), ("trainannot", ".png")):
        os.rename(tiny / folder / f"c{ending}", tiny / folder / f"d{ending}")
    write(tmp_path / "copy", "train", "a", ids=np.zeros((HEIGHT, WIDTH)))
    assert len({before, digest_of(tiny), digest_of(tmp_path / "copy")}) == 3


def test_the_real_files_are_all_there_and_as_published(camvid):
    data = Camvid(root=camvid).open()
    assert (len(data.train), len(data.search), len(data.val)) == (367, 50, 51)
    assert data.search.names[-1] < data.val.names[0]
    pixels = np.zeros(256, np.int64)
    for index in range(0, 367, 8):
        sample = data.train[index]
        assert sample.image.shape[:2] == sample.mask.shape
        pixels += np.bincount(sample.mask.ravel(), minlength=256)
    assert pixels[11:VOID].sum() == 0 and (pixels[:11] > 0).all()
    assert 0.01 < pixels[VOID] / pixels.sum() < 0.1
    assert np.argmax(pixels[:11]) == list(CLASSES).index("Road")
