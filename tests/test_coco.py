"""COCO's format: outlines against masks worked by hand and pycocotools 2.0.11, and what is wrong in files."""

from __future__ import annotations

import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from seglab.data.coco import Coco, covered, run_lengths
from seglab.errors import SeglabError

WIDTH, HEIGHT = 8, 6
SQUARE = [[2, 1, 5, 1, 5, 4, 2, 4]]  # columns 2 to 4 of rows 1 to 3


def whole(outline, height=HEIGHT, width=WIDTH):
    top, left, found = covered(outline, height, width)
    mask = np.zeros((height, width), int)
    mask[top : top + found.shape[0], left : left + found.shape[1]] = found
    return mask


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


def test_run_lengths_go_down_the_columns_and_begin_with_nothing():
    mask = whole({"size": [3, 4], "counts": [1, 2, 4, 1, 4]}, 3, 4)
    assert mask.tolist() == [[0, 0, 0, 0], [1, 0, 1, 0], [1, 0, 0, 0]]


def test_compressed_run_lengths_are_differences_in_groups_of_five_bits():
    assert run_lengths("5220003") == [5, 2, 2, 2, 2, 2, 5]  # from the fourth on, the difference to two before
    assert run_lengths("Z1") == [32 + 10]  # 0b101010 is 42: more follow, low bits 10; 0b000001 is 1
    assert run_lengths("0000N") == [0, 0, 0, 0, -2]  # 0b011110: the fifth bit is the sign
    # pycocotools' encoding of columns 20 and 21 in rows 10 to 109, and column 70 from row 50, of 120 x 100 pixels
    mask = whole({"size": [120, 100], "counts": "Z[2T3d00Xe5ROlfM"}, 120, 100)
    expected = np.zeros((120, 100), int)
    expected[10:110, 20:22] = expected[50:, 70] = 1
    assert np.array_equal(mask, expected)


def test_a_polygon_covers_the_pixels_whose_centres_lie_inside():
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[1:4, 2:5] = 1
    assert np.array_equal(whole(SQUARE), expected)
    # where its sides pass through centres, those above and on the left belong to it
    assert np.array_equal(whole([[2.5, 1.5, 5.5, 1.5, 5.5, 4.5, 2.5, 4.5]]), expected)
    triangle = whole([[0, 0, 4, 0, 0, 4]])  # the centres with x + y < 4
    assert [row[:4] for row in triangle.tolist()[:4]] == [[1, 1, 1, 0], [1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]
    outside = whole([[-3, -3, 1, -3, 1, 1, -3, 1]])
    assert outside.sum() == outside[0, 0] == 1
    assert whole([[20, 20, 30, 20, 30, 30]]).sum() == 0


def test_polygons_of_one_thing_are_joined():
    two = whole([[0, 0, 2, 0, 2, 2, 0, 2], [1, 1, 3, 1, 3, 3, 1, 3]])
    assert two.sum() == 4 + 4 - 1 and two[1, 1] == 1
    assert np.array_equal(whole([*SQUARE, *SQUARE]), whole(SQUARE))


def test_a_polygon_is_as_large_as_pycocotools_draws_it():
    star = [31.2, 4.7, 38.9, 24.1, 59.3, 25.6, 43.5, 38.4, 48.8, 58.2, 31.4, 47.1, 14.3, 58.6, 19.2, 38.3, 3.1, 25.9]
    assert abs(whole([[*star, 23.6, 24.3]], 64, 64).sum() - 1104) <= 0.01 * 1104  # cv2.fillPoly alone: 1254


def test_very_large_outlines_need_little_memory_and_are_right():
    tracemalloc.start()
    _, _, found = covered([[0, 0, 6000, 0, 6000, 4000, 0, 4000]], 4000, 6000)
    assert found.all() and tracemalloc.get_traced_memory()[1] < 200 * 2**20
    one = {"size": [4000, 4000], "counts": [4000 * 2000 + 7, 2, 3998, 2, 4000 * 1999 - 9]}  # two columns, two rows
    before = tracemalloc.get_traced_memory()[0]
    drawn = [covered(one, 4000, 4000) for _ in range(10)]
    assert tracemalloc.get_traced_memory()[0] - before < 10_000
    tracemalloc.stop()
    assert [part.tolist() if n == 2 else part for n, part in enumerate(drawn[0])] == [7, 2000, [[True] * 2] * 2]
    assert whole({"size": [3, 4], "counts": [12]}, 3, 4).sum() == 0


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
    runs = {"size": [HEIGHT, WIDTH], "counts": [0, HEIGHT, HEIGHT * (WIDTH - 1)]}
    sample = opened(tmp_path, {"segmentation": runs, "iscrowd": 1}, {"segmentation": SQUARE}).train[0]
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
    with pytest.raises(SeglabError, match=r"none of the usual JSON files was found.*--data\.train_file"):
        Coco(root=tmp_path).open()


@pytest.mark.parametrize(
    "outline",
    [
        None,
        [],
        [[1, 1, 2, 2]],
        [[1, 1, 2, 2, 3]],
        [1, 1, 2, 2, 3, 3],
        [[1, 1, 2, 2, 3, "3"]],
        [[1, 1, 2, 2, 3, float("nan")]],
        {"size": [HEIGHT, WIDTH], "counts": [1, 2]},
        {"size": [WIDTH, HEIGHT], "counts": [HEIGHT * WIDTH]},
        {"size": [HEIGHT, WIDTH], "counts": [-1, HEIGHT * WIDTH + 1]},
        {"size": [HEIGHT, WIDTH], "counts": "Z"},
        {"size": [HEIGHT, WIDTH], "counts": "é"},
        {"size": [HEIGHT, WIDTH], "counts": []},
        {"size": [HEIGHT, WIDTH]},
    ],
)
def test_an_outline_that_cannot_be_drawn_is_named(tmp_path, outline):
    with pytest.raises(
        SeglabError, match=r"files with problems: 1; the first: train\.json: annotation 1 has no valid outline"
    ):
        opened(tmp_path, {"segmentation": SQUARE}, {"segmentation": outline})


def test_everything_that_is_wrong_is_named_one_by_one(tmp_path):
    wrong = [{"image_id": 9}, {"category_id": [4]}, {"segmentation": 3}, {"segmentation": SQUARE}]
    with pytest.raises(SeglabError) as caught:
        opened(tmp_path, *({"segmentation": SQUARE} | each for each in wrong))
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
    assert len(opened(tmp_path, {"segmentation": SQUARE}).warnings) == 0
    (tmp_path / "val_2.png").write_bytes((tmp_path / "train_0.png").read_bytes())
    (note,) = Coco(root=tmp_path).open().warnings
    assert "both training and validation: 1, such as train_0.png = val_2.png" in str(note)


def test_a_validation_file_may_be_given_alone(tmp_path):
    write(tmp_path, "train", [])
    write(tmp_path, "mine", [], count=5)
    data = Coco(root=tmp_path, val_file="mine.json").open()
    assert data.search.names + data.val.names == tuple(f"mine_{number}.png" for number in range(5))
    with pytest.raises(SeglabError, match=r"^gone\.json cannot be read: No such file or directory$"):
        Coco(root=tmp_path, val_file="gone.json").open()


def test_two_files_with_different_categories_are_refused(tmp_path):
    write(tmp_path, "val", [], categories=((7, "bag"), (3, "cup")))
    write(tmp_path, "train", [])
    with pytest.raises(SeglabError, match=r"val\.json: its categories differ from those of train\.json"):
        Coco(root=tmp_path).open()


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
            "two categories have the id .1.",
        ),
        ("[" * 100_000, "train.json cannot be read: maximum recursion"),
        ('{"images": [], "annotations": [], "categories": []}', "0 categories; allowed: 1 to 254"),
    ],
)
def test_a_file_in_another_format_is_refused(tmp_path, content, reason):
    write(tmp_path, "val", [])
    (tmp_path / "train.json").write_text(content)
    with pytest.raises(SeglabError, match=reason):
        Coco(root=tmp_path).open()


def test_categories_that_repeat_are_refused(tmp_path):
    with pytest.raises(SeglabError, match="two categories have the name cup"):
        opened(tmp_path, categories=((1, "cup"), (2, "cup")))


def test_a_picture_of_another_size_is_named_when_it_is_loaded(tmp_path):
    data = opened(tmp_path)
    Image.new("RGB", (WIDTH + 1, HEIGHT)).save(tmp_path / "train_0.png")
    with pytest.raises(SeglabError, match=r"train_0\.png: 9 x 6 pixels, but the JSON file says 8 x 6"):
        data.train[0]
