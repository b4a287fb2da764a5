"""Errors near borders: against scipy's distances, loops, and what papers define."""

import math

import numpy as np
import pytest
from scipy import ndimage

from seglab.comparison import borders
from seglab.data.base import VOID
from seglab.metrics import confusion, miou


def blobs(seed, shape=(40, 52), classes=4, void=True):
    """Smooth regions, and the same with some mistakes."""
    rng = np.random.default_rng(seed)
    fields = ndimage.gaussian_filter(rng.normal(size=(classes, *shape)), (0, 4, 4))
    truth = fields.argmax(0).astype(np.uint8)
    labels = (fields + ndimage.gaussian_filter(rng.normal(size=fields.shape), (0, 2, 2)) * 0.25).argmax(0)
    if void:
        truth[:5, 10:20] = VOID
    return truth, labels.astype(np.uint8)


def all_of(images, classes):
    """What one reading of all images does."""
    *_, (found,) = borders.borders(images, classes)
    return found


def at_borders(truth):
    """By a loop: the pixels with a neighbor of another class."""
    height, width = truth.shape
    found = np.zeros(truth.shape, bool)
    for y in range(height):
        for x in range(width):
            for dy, dx in ((0, 1), (1, 0), (0, -1), (-1, 0)):
                if 0 <= y + dy < height and 0 <= x + dx < width:
                    here, there = truth[y, x], truth[y + dy, x + dx]
                    found[y, x] |= here != there and VOID not in (here, there)
    return found


@pytest.mark.parametrize("seed", range(3))
def test_distances_are_scipy_s_to_the_pixels_that_a_loop_finds(seed):
    truth, _ = blobs(seed)
    expected = ndimage.distance_transform_edt(~at_borders(truth))
    np.testing.assert_allclose(borders.distances(truth), expected, atol=1e-4)
    assert np.isinf(borders.distances(np.zeros((5, 5), np.uint8))).all()
    half = np.zeros((5, 5), np.uint8)
    half[:, 3:] = VOID
    assert np.isinf(borders.distances(half)).all()  # void makes no border


def test_bands_add_up_to_all_pixels_and_trimaps_are_their_first_ones():
    images = [blobs(seed) for seed in range(4)]
    found = all_of(images, 4)
    whole = sum(confusion(labels, truth, 4) for truth, labels in images)
    assert np.array_equal(found.bands.sum(0), whole)
    assert found.pixels.sum() == whole.sum() and found.wrong.sum() == whole.sum() - np.trace(whole)
    for bins in range(1, len(borders.BINS) + 1):
        limit = [*borders.BINS[1:], np.inf][bins - 1]
        matrix = sum(
            confusion(labels, np.where(borders.distances(truth) < limit, truth, VOID).astype(np.uint8), 4)
            for truth, labels in images
        )
        assert found.trimap(bins) == pytest.approx(miou(matrix))
    assert found.wrong[0] / found.pixels[0] > found.wrong[-1] / found.pixels[-1]


def boundary(mask, width):
    """The published definition: the mask without its erosion, beyond the image being outside."""
    return mask & ~ndimage.binary_erosion(mask, np.ones((3, 3)), width, border_value=0)


def test_boundary_iou_is_the_papers_over_all_images():
    images = [blobs(seed) for seed in range(4)]
    width = max(1, round(0.02 * math.hypot(40, 52)))
    both, either = np.zeros(4), np.zeros(4)
    for truth, labels in images:
        labeled = truth != VOID
        for each in range(4):
            one, other = boundary(truth == each, width), boundary((labels == each) & labeled, width)
            both[each] += (one & other & labeled).sum()
            either[each] += ((one | other) & labeled).sum()
    np.testing.assert_allclose(all_of(images, 4).boundary_iou, both / either)
    box, moved = np.zeros((2, 30, 40), bool)
    box[5:17, 6:20] = True
    moved[5:17, 7:21] = True
    one, other = (borders.contour(mask, 1) for mask in (box, moved))
    assert (one & other).sum() / (one | other).sum() == pytest.approx(0.371, abs=1e-3)
    one, other = (borders.contour(mask, 2) for mask in (box, moved))
    assert (one & other).sum() / (one | other).sum() == pytest.approx(0.630, abs=1e-3)


def test_boundary_f1_is_by_distance_between_contours_and_a_mean_over_images():
    images = [blobs(seed, void=False) for seed in range(4)]
    tolerance, scores = max(1, round(0.0075 * math.hypot(40, 52))), [[] for _ in range(5)]
    for truth, labels in images:
        for each in range(5):
            one, other = boundary(truth == each, 1), boundary(labels == each, 1)
            if not one.any():
                continue
            recall = (ndimage.distance_transform_edt(~other)[one] <= tolerance).mean() if other.any() else 0
            precision = (ndimage.distance_transform_edt(~one)[other] <= tolerance).mean() if other.any() else 0
            total = precision + recall
            scores[each].append(2 * precision * recall / total if total else 0)
    found = all_of(images, 5).boundary_f1
    np.testing.assert_allclose(found[:4], [np.mean(each) for each in scores[:4]])
    assert np.isnan(found[4])  # no image has it


def test_every_wrong_pixel_is_an_error_of_one_kind_twice():
    """Once as what its class lacks, once as what another has too much."""
    images = [blobs(seed) for seed in range(4)]
    found = all_of(images, 4)
    assert found.errors.sum() == 2 * found.wrong.sum()


def test_two_readings_at_once_are_as_each_alone_and_grow_image_by_image():
    first, second = ([blobs(seed + shift) for seed in range(3)] for shift in (0, 5))
    both = [(truth, one, other) for (truth, one), (_, other) in zip(first, second, strict=True)]
    counts = [found[0].pixels.sum() for found in borders.borders(both, 4)]
    assert counts == [n * counts[0] for n in (1, 2, 3)]
    *_, found = borders.borders(both, 4)
    for n, each in enumerate(found):
        alone = all_of([(images[0], images[n + 1]) for images in both], 4)
        for name in ("bands", "boundary", "contours", "errors"):
            assert np.array_equal(getattr(each, name), getattr(alone, name))


def test_the_three_kinds_of_error():
    truth, labels = np.zeros((2, 100, 100), bool)
    truth[10:30, 10:30] = labels[10:30, 10:30] = True
    labels[10:30, 30:32] = True  # too far by two pixels: one is near
    truth[60:64, 60:64] = True  # missed altogether
    labels[80:85, 80:85] = True  # made up
    labels[20, 32:50] = True  # a long arm, which is connected
    near, far, apart = borders.kinds_of_error(truth, labels, 1)
    assert near == 20 and far == 20 + 18 and apart == 16 + 25
    assert borders.kinds_of_error(truth, truth, 1).tolist() == [0, 0, 0]


def test_the_near_are_those_within_a_distance():
    mask = np.random.default_rng(0).random((90, 90)) < 0.001
    for distance in (1, 2, 5, borders.FAR, borders.FAR + 1):
        expected = ndimage.distance_transform_edt(~mask) <= distance
        assert np.array_equal(borders.near(mask, distance), expected)
        assert not borders.near(np.zeros((5, 5), bool), distance).any()
    assert expected.any() and not expected.all()
