"""What outlines cover: run lengths against masks worked by hand, polygons against pycocotools."""

from __future__ import annotations

import contextlib
import io
import tracemalloc

import numpy as np
import pytest
from pycocotools.coco import COCO

from seglab.data.outlines import LONGEST, Thing, covered, labeled, run_lengths, sound

WIDTH, HEIGHT = 8, 6
SQUARE = [[2, 1, 5, 1, 5, 4, 2, 4]]  # columns 2 to 4 of rows 1 to 3


def whole(segmentation, height=HEIGHT, width=WIDTH):
    """The mask int (height, width) of a `segmentation`."""
    top, left, found = covered(sound(segmentation, height, width), height, width)
    mask = np.zeros((height, width), int)
    mask[top : top + found.shape[0], left : left + found.shape[1]] = found
    return mask


def theirs(segmentation, height, width):
    """The mask that pycocotools gives an annotation."""
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "images": [{"id": 1, "height": height, "width": width}],
            "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "segmentation": segmentation}],
            "categories": [{"id": 1, "name": "cup"}],
        }
        coco.createIndex()
    return coco.annToMask(coco.anns[1])


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


def blob(rng, height, width):
    """A polygon around a random place: any number of corners, of any size, whole numbers or not, partly outside."""
    corners = int(rng.integers(3, 12))
    middle = rng.uniform(-0.2, 1.2, 2) * (width, height)
    size = rng.choice([0.3, 1, 3, width / 2, 2 * width])
    angles = np.sort(rng.uniform(0, 2 * np.pi, corners)) if rng.random() < 0.7 else rng.uniform(0, 2 * np.pi, corners)
    points = middle + size * rng.uniform(0.3, 1, (corners, 1)) * np.stack([np.cos(angles), np.sin(angles)], 1)
    points = rng.choice([points, points.round(), points.round(1), points.round(2)])
    return points.ravel().tolist()


@pytest.mark.parametrize("seed", range(40))
def test_polygons_are_drawn_as_pycocotools_does(seed):
    rng = np.random.default_rng(seed)
    for _ in range(10):
        height, width = (int(side) for side in rng.integers(1, 50, 2))
        polygons = [blob(rng, height, width) for _ in range(int(rng.integers(1, 5)))]
        assert np.array_equal(whole(polygons, height, width), theirs(polygons, height, width)), polygons


def test_a_polygon_covers_pixels_whole():
    expected = np.zeros((HEIGHT, WIDTH), int)
    expected[1:4, 2:5] = 1
    assert np.array_equal(whole(SQUARE), expected)
    assert whole([[20, 20, 30, 20, 30, 30]]).sum() == 0
    outside = whole([[-3, -3, 1, -3, 1, 1, -3, 1]])
    assert outside.sum() == outside[0, 0] == 1
    assert np.array_equal(whole([*SQUARE, *SQUARE]), expected)


@pytest.mark.parametrize(
    "given",
    [
        SQUARE[0],
        [[str(value) for value in SQUARE[0]]],
        [[float(value) for value in SQUARE[0]]],
        [*SQUARE, [1, 1, 2, 2], [0, 0], []],  # a line and a point have no inside
        {"size": [6.0, "8"], "counts": [13, 3, 3, 3, 3, 3, 20]},
        {"size": [6, 8], "counts": ["13", 3.0, 3, 3, 3, 3, 20]},
    ],
)
def test_numbers_may_be_text_and_one_polygon_need_not_be_in_a_list(given):
    assert np.array_equal(whole(given), whole(SQUARE))


@pytest.mark.parametrize(
    "given",
    [
        None,
        3,
        "polygon",
        [],
        [[]],
        [[1, 1, 2, 2]],
        [[1, 1, 2, 2, 3]],
        [[1, 1, 2, 2, 3, "three"]],
        [[1, 1, 2, 2, 3, None]],
        [[1, 1, 2, 2, 3, True]],
        [[1, 1, 2, 2, 3, "nan"]],
        [[1, 1, 2, 2, 3, float("nan")]],
        [[1, 1, 2, 2, 3, float("inf")]],
        [[1, 1, 2, 2, 3, 10**400]],
        [[1, 1, 2, 2, 1e6, 3]],
        [[[1, 1], [2, 2], [3, 1]]],
        [SQUARE[0], 3],
        [[-9e5, -9e5, 9e5, -9e5, 9e5, 9e5, -9e5, 9e5]],
        [[0, 0, 9e5, 1, 0, 2, 9e5, 3]],
        {},
        {"size": [6, 8]},
        {"size": [6, 8], "counts": []},
        {"size": [6, 8], "counts": [1, 2]},
        {"size": [6, 8], "counts": [1.5, 46.5]},
        {"size": [6, 8], "counts": [-1, 49]},
        {"size": [6, 8], "counts": [10**400]},
        {"size": [6, 8], "counts": {"a": 1}},
        {"size": [6, 8], "counts": "Z"},
        {"size": [6, 8], "counts": "é"},
        {"size": [6, 8], "counts": ""},
        {"size": [6, 8], "counts": "o" * 100_000},
        {"size": [8, 6], "counts": [48]},
        {"size": 48, "counts": [48]},
        {"size": None, "counts": [48]},
    ],
    ids=lambda given: str(given)[:40],
)
def test_what_cannot_be_drawn_never_reaches_pycocotools(given):
    with pytest.raises((ValueError, TypeError, KeyError, OverflowError)):
        sound(given, HEIGHT, WIDTH)


def test_far_corners_are_right_and_need_little_memory():
    far = 1e5  # around it are 8e5 pixels, well below the most
    assert 8 * far < LONGEST and (whole([[-far, -far, far, -far, far, far, -far, far]]) == 1).all()
    tracemalloc.start()
    _, _, found = covered([[0, 0, 6000, 0, 6000, 4000, 0, 4000]], 4000, 6000)
    assert found.all() and tracemalloc.get_traced_memory()[1] < 200 * 2**20
    one = [4000 * 2000 + 7, 2, 3998, 2, 4000 * 1999 - 9]  # two columns, two rows
    del found
    before = tracemalloc.get_traced_memory()[0]
    drawn = [covered(one, 4000, 4000) for _ in range(10)]
    assert tracemalloc.get_traced_memory()[0] - before < 10_000
    tracemalloc.stop()
    assert [part.tolist() if n == 2 else part for n, part in enumerate(drawn[0])] == [7, 2000, [[True] * 2] * 2]
    assert whole({"size": [3, 4], "counts": [12]}, 3, 4).sum() == 0
    assert whole({"size": [3, 4], "counts": [0, 12]}, 3, 4).sum() == 12


def test_void_and_background_are_no_instances():
    things = [Thing(255, False, [[0, 0, 4, 0, 4, 4, 0, 4]]), Thing(0, False, [[0, 0, 2, 0, 2, 2, 0, 2]])]
    mask, instances = labeled(things, HEIGHT, WIDTH)
    assert (mask[:2, :2] == 0).all() and (mask[:4, :4] == 255).sum() == 12 and not instances.any()
