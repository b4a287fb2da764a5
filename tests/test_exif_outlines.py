"""Outlines in COCO's format of photographs that their EXIF orientation turns."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from seglab.data.coco import Coco
from seglab.data.images import turned
from seglab.errors import SeglabError

WIDTH, HEIGHT = 8, 6


def write(path, found):
    path.write_text(json.dumps(found))


def turned_set(root, turn, drawn_on, size=(WIDTH, HEIGHT), contributor="", format="jpg"):
    """Photographs that EXIF turns, with things outlined on the stored pixels or on those that are shown.

    Gives the mask that is right: where the stored pixels are white.
    """
    width, height = size
    stored = np.zeros((height, width), np.uint8)
    stored[1:3, 1:5] = 255  # not in the middle, so that all turns differ
    exif = Image.Exif()
    exif[0x0112] = turn
    lies = turned(stored, turn) if drawn_on == "shown" else stored
    (top, left), (bottom, right) = np.argwhere(lies).min(0), np.argwhere(lies).max(0) + 1
    found = {
        "images": [],
        "annotations": [],
        "categories": [{"id": 1, "name": "cup"}],
        "info": {"contributor": contributor},
    }
    for number in range(3):
        name = f"{number}.{format}"
        root.mkdir(exist_ok=True)
        picture = Image.fromarray(stored).convert("RGB")
        picture.putpixel((0, 0), (number, 0, 0))
        picture.save(root / name, exif=exif, **({"quality": 100} if format == "jpg" else {}))
        found["images"].append({"id": number, "file_name": name, "width": lies.shape[1], "height": lies.shape[0]})
        outline = [int(value) for value in (left, top, right, top, right, bottom, left, bottom)]
        found["annotations"].append({"id": number, "image_id": number, "category_id": 1, "segmentation": [outline]})
    write(root / "annotations.json", found)
    return turned(stored, turn) > 0


@pytest.mark.parametrize("format", ["jpg", "png", "tif"])
@pytest.mark.parametrize("drawn_on", ["shown", "stored"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_outlines_end_where_the_picture_is_shown(tmp_path, turn, drawn_on, format):
    right = turned_set(tmp_path, turn, drawn_on, format=format)
    if turn in (2, 3, 4):
        with pytest.raises(SeglabError, match=rf"0\.{format}: a photograph that its EXIF .* set data\.drawn_on to"):
            Coco(root=tmp_path).open()
    told = drawn_on if turn in (2, 3, 4) else "unknown"
    sample = Coco(root=tmp_path, drawn_on=told).open().train[0]
    assert np.array_equal(sample.mask == 1, right) and np.array_equal(sample.instances == 1, right)
    assert ((sample.image[..., 1] > 128) == right).mean() > 0.9  # but for JPEG's blur, the mask lies on what is white


@pytest.mark.parametrize("turn", [5, 6, 7, 8])
def test_of_a_square_photograph_it_must_be_said_what_outlines_lie_on(tmp_path, turn):
    for drawn_on in ("shown", "stored"):
        right = turned_set(tmp_path, turn, drawn_on, size=(8, 8))
        with pytest.raises(SeglabError, match="nothing tells whether its outlines lie on"):
            Coco(root=tmp_path).open()
        assert np.array_equal(Coco(root=tmp_path, drawn_on=drawn_on).open().train[0].mask == 1, right)


def test_what_outlines_lie_on_is_a_part_of_the_key(tmp_path):
    turned_set(tmp_path, 3, "shown")
    shown, stored = (Coco(root=tmp_path, drawn_on=drawn_on).open() for drawn_on in ("shown", "stored"))
    assert shown.digests != stored.digests
    assert [key[:32] for key in shown.train.keys] == [key[:32] for key in stored.train.keys]


def test_a_turned_photograph_without_outlines_may_lie_in_any_way(tmp_path):
    turned_set(tmp_path, 3, "shown")
    found = json.loads((tmp_path / "annotations.json").read_text())
    found["annotations"] = []
    write(tmp_path / "annotations.json", found)
    assert Coco(root=tmp_path).open().train[0].mask.max() == 0


def test_label_studio_s_outlines_of_turned_photographs_are_refused(tmp_path):
    turned_set(tmp_path, 6, "shown", contributor="Label Studio")
    Coco(root=tmp_path).open()  # of the size that is shown
    turned_set(tmp_path, 6, "stored", contributor="Label Studio")
    with pytest.raises(SeglabError, match="Label Studio draws on the photograph as its EXIF orientation turns it"):
        Coco(root=tmp_path).open()
    Coco(root=tmp_path, drawn_on="stored").open()
