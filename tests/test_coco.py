"""COCO's format: classes, instances and splits, and what is wrong in files."""

from __future__ import annotations

import hashlib
import json
import re

import numpy as np
import pytest
from PIL import Image

from seglab.data.coco import Coco
from seglab.errors import SeglabError

WIDTH, HEIGHT = 8, 6
SQUARE = [[2, 1, 5, 1, 5, 4, 2, 4]]  # columns 2 to 4 of rows 1 to 3
RUNS = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT, HEIGHT * (WIDTH - 1)]}  # column 0


def write(root, name, annotations, count=3, categories=((7, "cup"), (3, "bag")), prefix=""):
    """A JSON file of `count` images, their pictures, and annotations of the first of them."""
    root.mkdir(parents=True, exist_ok=True)
    images = []
    for number in range(count):
        file = f"{prefix}{name}_{number}.png"
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (WIDTH, HEIGHT), (number, 0, len(name))).save(root / file)
        images.append({"id": number, "file_name": file, "height": HEIGHT, "width": WIDTH})
    annotations = [{"id": place, "image_id": 0, "category_id": 7} | each for place, each in enumerate(annotations)]
    content = {"images": images, "annotations": annotations}
    content["categories"] = [{"id": number, "name": word} for number, word in categories]
    (root / f"{name}.json").write_text(json.dumps(content))


def opened(root, *annotations, **options):
    write(root, "train", annotations, **options)
    write(root, "val", [], **options)
    return Coco(root=root).open()


def test_classes_follow_the_ids_after_background_and_smaller_things_lie_on_top(tmp_path):
    small = {"segmentation": [[3, 2, 4, 2, 4, 3, 3, 3]], "category_id": 3}
    data = opened(tmp_path, small, {"segmentation": SQUARE})
    assert data.classes == ("background", "bag", "cup") and data.train.names[0] == "train_0.png"
    sample = data.train[0]
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[1:4, 2:5] = 2
    expected[2, 3] = 1
    assert np.array_equal(sample.mask, expected)
    assert np.array_equal(sample.instances, np.where(expected == 2, 1, np.where(expected == 1, 2, 0)))
    assert sample.instances.dtype == np.int32 and data.train[1].mask.max() == 0


def test_a_crowd_has_its_class_and_is_no_thing(tmp_path):
    sample = opened(tmp_path, {"segmentation": RUNS, "iscrowd": 1}, {"segmentation": SQUARE}).train[0]
    assert (sample.mask[:, 0] == 2).all() and (sample.instances[:, 0] == 0).all()
    assert set(sample.instances.ravel()) == {0, 1} and sample.mask[:, 1].max() == 0


def test_one_file_is_split_by_names_and_images_are_found_where_they_lie(tmp_path):
    write(tmp_path, "annotations", [{"segmentation": SQUARE}], count=10, prefix="batch_1/")
    data = Coco(root=tmp_path).open()
    assert (len(data.train), len(data.search), len(data.val)) == (8, 1, 1)
    (tmp_path / "images").mkdir()
    (tmp_path / "batch_1").rename(tmp_path / "images" / "batch_1")
    assert Coco(root=tmp_path).open().digests == data.digests
    (tmp_path / "annotations.json").rename(tmp_path / "mine.json")
    assert Coco(root=tmp_path, train_file="mine.json").open().digests == data.digests
    data = Coco(root=tmp_path).open()  # the only one in COCO's format
    assert "JSON file: mine.json; some of its images are used for validation" in map(str, data.notes)
    (tmp_path / "mine.json").write_text("{}")
    with pytest.raises(SeglabError, match=r"no JSON file in COCO's format was found.*--data\.train_file"):
        Coco(root=tmp_path).open()


BAD = [  # what makes an annotation bad, and the reason that is given
    ({"image_id": 9}, "annotation 1 refers to an unknown image: 9"),
    ({"image_id": None}, "annotation 1 refers to an unknown image: None"),
    ({"category_id": 4}, "annotation 1 refers to an unknown category: 4"),
    ({"category_id": [4]}, r"annotation 1 refers to an unknown category: \[4\]"),
    ({"segmentation": [], "bbox": [1, 1, 2, 2]}, "annotation 1 has a box, but no outline"),
    ({"segmentation": None}, "annotation 1 has no valid outline"),
    ({"segmentation": [[1, 1, 2, 2]]}, "annotation 1 has no valid outline"),
    ({"segmentation": [[1, 1, 2, 2, 3]]}, "annotation 1 has no valid outline"),
    ({"segmentation": [[1, 1, 2, 2, 3, float("nan")]]}, "annotation 1 has no valid outline"),
    (
        {"segmentation": [[0.1, 0.1, 0.4, 0.1, 0.4, 0.4]]},
        "annotation 1 has an outline whose numbers are all from 0 to 1",
    ),
    ({"segmentation": {"size": [HEIGHT, WIDTH], "counts": [1, 2]}}, "annotation 1 has no valid outline"),
    ({"segmentation": {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]}}, "annotation 1 has no valid outline"),
]


@pytest.mark.parametrize(("change", "reason"), BAD)
def test_a_bad_annotation_is_left_out_and_told_or_refused_where_that_is_asked(tmp_path, change, reason):
    good = {"segmentation": SQUARE}
    data = opened(tmp_path, good, good | change)
    note = next(str(note) for note in data.notes if "left out" in str(note))
    assert re.search(rf"^annotations left out: 1; the first: train\.json: {reason}.*set data\.strict", note)
    assert (data.train[0].mask > 0).sum() == 9 and data.train[0].instances.max() == 1
    with pytest.raises(SeglabError, match=rf"files with problems: 1; the first: train\.json: {reason}"):
        Coco(root=tmp_path, strict=True).open()


def test_a_file_of_boxes_alone_is_refused(tmp_path):
    box = {"segmentation": [], "bbox": [1, 1, 2, 2]}
    with pytest.raises(SeglabError, match=r"train\.json: none of its annotations has an outline.*: 2; .*boxes alone"):
        opened(tmp_path, box, box)


def test_everything_that_is_wrong_is_named_one_by_one(tmp_path):
    wrong = [{"image_id": 9}, {"category_id": [4]}, {"segmentation": 3}, {"segmentation": SQUARE}]
    opened(tmp_path, *({"segmentation": SQUARE} | each for each in wrong))
    with pytest.raises(SeglabError) as caught:
        Coco(root=tmp_path, strict=True).open()
    reasons = [str(each) for each in caught.value.each]
    assert [reason.split(": ", 1)[1].split(" has ")[0] for reason in reasons] == [
        "annotation 0 refers to an unknown image: 9",
        "annotation 1 refers to an unknown category: [4]",
        "annotation 2",
    ]
    write(tmp_path, "train", [])
    (tmp_path / "train_1.png").unlink()
    (tmp_path / "train_2.png").unlink()
    with pytest.raises(SeglabError, match=r"the first: train_1\.png: there is no such file") as caught:
        Coco(root=tmp_path).open()
    assert len(caught.value.each) == 2


def test_a_category_called_background_is_class_0(tmp_path):
    over = {"segmentation": [[3, 2, 4, 2, 4, 3, 3, 3]], "category_id": 1}
    categories = ((1, "Background"), (7, "cup"))
    write(tmp_path, "val", [], categories=categories)
    write(tmp_path, "train", [{"segmentation": SQUARE}, over], categories=categories)
    data = Coco(root=tmp_path).open()
    assert data.classes == ("background", "cup")
    sample = data.train[0]
    assert sample.mask.sum() == (sample.instances > 0).sum() == 8 and sample.mask[2, 3] == sample.instances[2, 3] == 0


def test_two_images_with_one_id_are_refused(tmp_path):
    write(tmp_path, "val", [])
    write(tmp_path, "train", [{"segmentation": SQUARE}])
    content = json.loads((tmp_path / "train.json").read_text())
    content["images"][1]["id"] = 0  # the outlines would be drawn into both
    (tmp_path / "train.json").write_text(json.dumps(content))
    with pytest.raises(SeglabError, match=r"train\.json: two images have the id 0"):
        Coco(root=tmp_path).open()


def test_pictures_in_both_files_are_warned_of(tmp_path):
    data = opened(tmp_path, {"segmentation": SQUARE})
    assert [str(note) for note in data.warnings] == [
        "images without any outline: 5 of 6, such as train_1.png; they are background throughout"
    ]
    (tmp_path / "val_2.png").write_bytes((tmp_path / "train_0.png").read_bytes())
    note = Coco(root=tmp_path).open().warnings[-1]
    assert "both training and validation: 1, such as train_0.png = val_2.png" in str(note)


def test_a_validation_file_may_be_given_alone(tmp_path):
    write(tmp_path, "train", [])
    write(tmp_path, "mine", [], count=5)
    data = Coco(root=tmp_path, val_file="mine.json").open()
    assert data.search.names + data.val.names == tuple(f"mine_{number}.png" for number in range(5))
    with pytest.raises(SeglabError, match=r"^gone\.json cannot be read: No such file or directory$"):
        Coco(root=tmp_path, val_file="gone.json").open()


def test_the_classes_of_two_files_are_matched_by_name(tmp_path):
    write(
        tmp_path, "val", [{"segmentation": SQUARE, "category_id": 3}], categories=((7, "bag"), (3, "cup"), (9, "can"))
    )
    write(tmp_path, "train", [{"segmentation": SQUARE, "category_id": 7}])
    data = Coco(root=tmp_path).open()
    assert data.classes == ("background", "bag", "cup", "can")
    assert data.train[0].mask.max() == data.search[0].mask.max() == 2


@pytest.mark.parametrize("name", ["x" * 300 + ".png", "/etc/hostname", "../outside.png", "..\\outside.png", "nul\0"])
def test_an_image_outside_of_the_folder_is_not_taken(tmp_path, name):
    root = tmp_path / "data"
    write(root, "train", [])
    write(root, "val", [])
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "outside.png")
    content = json.loads((root / "train.json").read_text())
    content["images"][0]["file_name"] = name
    (root / "train.json").write_text(json.dumps(content))
    with pytest.raises(SeglabError, match="there is no such file"):
        Coco(root=root).open()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ("{", "train.json cannot be read"),
        ("[]", "there is no list of images"),
        ('{"images": [3]}', "there is no list of images"),
        ('{"images": [], "annotations": [], "categories": [{"id": 1}]}', "no id or no name"),
        (
            '{"images": [], "annotations": [], "categories": [{"id": [1], "name": "a"}, {"id": [1], "name": "b"}]}',
            "a category has no id or no name",
        ),
        (
            '{"images": [], "annotations": [], "categories": [{"id": 1, "name": "a"}, {"id": "1", "name": "b"}]}',
            "two categories have the id 1",
        ),
        ("[" * 100_000, "train.json cannot be read: maximum recursion"),
    ],
)
def test_a_file_in_another_format_is_refused(tmp_path, content, reason):
    write(tmp_path, "val", [])
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(SeglabError, match=reason):
        Coco(root=tmp_path).open()


@pytest.mark.parametrize("count", [0, 255])
def test_there_are_as_many_categories_as_a_mask_can_hold(tmp_path, count):
    with pytest.raises(SeglabError, match=rf"^train\.json: {count} categories; allowed: 1 to 254$"):
        opened(tmp_path, categories=[(number, f"c{number}") for number in range(count)])


def test_two_categories_with_one_name_are_refused_where_both_are_used(tmp_path):
    both = [{"segmentation": SQUARE, "category_id": number} for number in (1, 2)]
    categories = ((1, "cup"), (2, "cup"), (3, "bag"))
    assert opened(tmp_path, both[1], categories=categories).classes == ("background", "cup", "bag")
    with pytest.raises(SeglabError, match=r"train\.json: two categories .* have the name cup, with the ids 1, 2; give"):
        opened(tmp_path, *both, categories=categories)


def test_a_picture_of_another_size_is_named(tmp_path):
    data = opened(tmp_path)
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(tmp_path / "train_0.png")
    wrong = r"train_0\.png: 9 x 6 pixels, but the JSON file says 8 x 6$"
    with pytest.raises(SeglabError, match=wrong):
        data.train[0]
    with pytest.raises(SeglabError, match=wrong):
        Coco(root=tmp_path).open()
    Image.new("RGB", (HEIGHT, WIDTH)).save(tmp_path / "train_0.png")
    with pytest.raises(SeglabError, match=r"6 x 8 .* says 8 x 6: width and height look exchanged") as caught:
        Coco(root=tmp_path).open()
    assert "EXIF" not in str(caught.value)


def test_a_size_that_is_not_told_is_the_picture_s(tmp_path):
    write(tmp_path, "val", [])
    write(tmp_path, "train", [{"segmentation": SQUARE}, {"segmentation": RUNS}])
    content = json.loads((tmp_path / "train.json").read_text())
    for image, height in zip(content["images"], (None, 0, ""), strict=True):
        image["height"] = height
    del content["images"][0]["width"]
    (tmp_path / "train.json").write_text(json.dumps(content))
    assert (Coco(root=tmp_path).open().train[0].mask > 0).sum() == 9 + HEIGHT
    for side in (-6, 6.5, "six", [6], True, 10**400):
        content["images"][0]["height"] = side
        (tmp_path / "train.json").write_text(json.dumps(content))
        with pytest.raises(SeglabError, match=r"train\.json: image 0 has the width None and the height"):
            Coco(root=tmp_path).open()


@pytest.mark.parametrize("given", [1, 1.0, True, "1", "true"])
@pytest.mark.parametrize("other", [0, None, False, "0", "", "false"])
def test_a_crowd_may_be_told_in_many_ways(tmp_path, given, other):
    crowd = {"segmentation": RUNS, "iscrowd": given}
    sample = opened(tmp_path, crowd, {"segmentation": SQUARE, "iscrowd": other}).train[0]
    assert not sample.instances[:, 0].any() and sample.instances[1:4, 2:5].all()


def test_the_key_of_a_sample_begins_with_the_sha256_of_its_image(tmp_path):
    data = opened(tmp_path, {"segmentation": SQUARE})
    for name, key in zip(data.train.names, data.train.keys, strict=True):
        assert key[:32] == hashlib.sha256((tmp_path / name).read_bytes()).digest() and len(key) == 64
    # what a run from before pycocotools recorded is another
    before = hashlib.sha256(json.dumps([(2, False, SQUARE)]).encode()).digest()
    assert data.train.keys[0][32:] != before
