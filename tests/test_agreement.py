"""Where two readings agree: against loops over pixels, and what is suspicious about the truth."""

import numpy as np
import pytest
from scipy import ndimage

from seglab.comparison import agreement
from seglab.comparison.agreement import ALIKE, BOTH, DIFFERENTLY, ONLY_A, ONLY_B
from seglab.data.base import VOID


def drawn(seed, shape=(23, 31), classes=4):
    rng = np.random.default_rng(seed)
    truth, first, second = rng.integers(0, classes, (3, *shape)).astype(np.uint8)
    truth[rng.random(shape) < 0.1] = VOID
    return truth, first, second


def kind(t, a, b):
    if t == VOID:
        return VOID
    if a == t:
        return BOTH if b == t else ONLY_A
    if b == t:
        return ONLY_B
    return ALIKE if a == b else DIFFERENTLY


@pytest.mark.parametrize("seed", range(3))
def test_every_pixel_is_of_the_kind_that_a_loop_gives(seed):
    truth, first, second = drawn(seed)
    found = agreement.kinds(truth, first, second)
    expected = [kind(*pixel) for pixel in zip(truth.ravel(), first.ravel(), second.ravel(), strict=True)]
    assert found.dtype == np.uint8 and found.ravel().tolist() == expected
    counts = agreement.counted(found)
    assert counts.tolist() == [expected.count(n) for n in range(5)] and counts.sum() == (truth != VOID).sum()


def test_shares_are_of_labeled_pixels_and_images_come_in_the_order_that_is_asked_for():
    images = [drawn(seed) for seed in range(6)]
    images.append((np.full((4, 4), VOID, np.uint8), *np.zeros((2, 4, 4), np.uint8)))
    found = agreement.agreement(images, 4)
    for n, (truth, first, second) in enumerate(images):
        for k in range(4):
            for label in range(4):
                both = (truth == k) & (first == label) & (second == label)
                assert found.same[n, k, label] == both.sum()
    shares = np.array([found.counts[n] / found.counts[n].sum() for n in range(6)])
    np.testing.assert_allclose(found.shares[:6], shares)
    assert found.shares[6].tolist() == [0] * 5
    keys = {
        "difference": [row[ONLY_A] + row[ONLY_B] for row in found.shares],
        "a_wins": [row[ONLY_A] - row[ONLY_B] for row in found.shares],
        "b_wins": [row[ONLY_B] - row[ONLY_A] for row in found.shares],
        "suspicious": [row[ALIKE] for row in found.shares],
    }
    for order, key in keys.items():
        assert found.order(order) == sorted(range(7), key=lambda n, key=key: (-key[n], n))
    assert found.order("stored") == list(range(7)) and set(agreement.ORDERS) == {*keys, "stored"}


def test_suspicious_truth_is_where_all_say_the_same_and_it_does_not():
    truth, first, second = drawn(5)
    third = np.where(np.arange(31) % 3 == 0, first, second).astype(np.uint8)
    found = agreement.suspicious(truth, [first, second, third])
    expected = (first == second) & (second == third) & (first != truth) & (truth != VOID)
    assert np.array_equal(found, expected) and found.any()
    assert np.array_equal(agreement.suspicious(truth, [first, second]), agreement.kinds(truth, first, second) == ALIKE)


def test_regions_are_the_connected_parts_the_largest_first():
    truth = np.zeros((20, 20), np.uint8)
    said = truth.copy()
    said[2:5, 3:9] = 2
    truth[2:5, 3:9] = 1
    truth[4, 3] = 0
    said[15, 15] = said[16, 16] = said[17, 15] = 3
    found = agreement.regions(7, truth, [said, said], least=3)
    assert [(each.image, each.pixels, each.box, each.truth, each.said) for each in found] == [
        (7, 18, (3, 2, 6, 3), 1, 2), (7, 3, (15, 15, 2, 3), 0, 3),
    ]  # fmt: skip
    assert len(agreement.regions(7, truth, [said, said])) == 1  # the other has fewer than four pixels
    truth, first, second = drawn(8, classes=2)
    numbers, count = ndimage.label(agreement.suspicious(truth, [first, second]), np.ones((3, 3)))
    sizes = sorted(ndimage.sum_labels(np.ones_like(numbers), numbers, range(1, count + 1)), reverse=True)
    assert [each.pixels for each in agreement.regions(0, truth, [first, second], 1)] == [int(size) for size in sizes]
