"""The one definition of every score, against independent packages."""

import math

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix, jaccard_score

from seglab import metrics
from seglab.errors import SeglabError
from seglab.torchvision_guard import torchvision


def example(classes=5, void=0.2, seed=0):
    rng = np.random.default_rng(seed)
    masks = rng.integers(0, classes, (3, 20, 31)).astype(np.uint8)
    labels = np.where(rng.random(masks.shape) < 0.4, rng.integers(0, classes, masks.shape), masks).astype(np.uint8)
    masks[rng.random(masks.shape) < void] = 255
    return labels, masks


def test_the_confusion_matrix_is_sklearns():
    labels, masks = example()
    valid = masks != 255
    theirs = confusion_matrix(masks[valid], labels[valid], labels=range(5))
    ours = metrics.confusion(labels, masks, 5)
    assert ours.dtype == np.int64 and np.array_equal(ours, theirs)


def test_matrices_of_images_add_up_to_the_matrix_of_the_set():
    labels, masks = example()
    assert np.array_equal(
        sum(metrics.confusion(a, b, 5) for a, b in zip(labels, masks, strict=True)), metrics.confusion(labels, masks, 5)
    )


def test_miou_is_sklearns_and_torchmetrics_over_present_classes():
    torchvision()
    from torchmetrics.classification import MulticlassJaccardIndex

    labels, masks = example(classes=3)
    valid = masks != 255
    ours = metrics.miou(metrics.confusion(labels, masks, 5))  # classes 3 and 4 occur nowhere
    assert ours == pytest.approx(jaccard_score(masks[valid], labels[valid], average="macro"))
    theirs = MulticlassJaccardIndex(5, ignore_index=255)(
        torch.from_numpy(labels).long(), torch.from_numpy(masks).long()
    )
    assert ours == pytest.approx(theirs.item(), abs=1e-6)


def test_scores_worked_by_hand():
    matrix = np.array([[3, 1, 0], [0, 2, 0], [0, 0, 0]])
    assert metrics.iou(matrix)[:2] == pytest.approx([3 / 4, 2 / 3]) and math.isnan(metrics.iou(matrix)[2])
    assert metrics.miou(matrix) == pytest.approx((3 / 4 + 2 / 3) / 2)
    assert metrics.pixel_accuracy(matrix) == pytest.approx(5 / 6)


def test_a_class_predicted_where_it_is_not_counts_as_zero():
    matrix = np.array([[3, 1], [0, 0]])
    assert metrics.iou(matrix)[1] == 0 and metrics.miou(matrix) == pytest.approx(3 / 8)


def test_an_all_void_image_has_no_score():
    matrix = metrics.confusion(np.zeros((4, 4), np.uint8), np.full((4, 4), 255, np.uint8), 3)
    assert not matrix.any() and math.isnan(metrics.miou(matrix)) and math.isnan(metrics.pixel_accuracy(matrix))


@pytest.mark.parametrize("classes", [2, 64, 255])
def test_every_number_of_classes_is_counted_exactly(classes):
    labels, masks = example(classes)
    matrix = metrics.confusion(labels, masks, classes)
    assert matrix.sum() == (masks != 255).sum() and np.trace(matrix) == (labels == masks).sum()


@pytest.mark.parametrize("which", ["truth", "prediction"])
def test_a_label_out_of_range_is_refused(which):
    labels, masks = example()
    (masks if which == "truth" else labels)[0, 0, 0] = 7
    masks[0, 0, 1] = 0
    with pytest.raises(SeglabError, match="a label is 7; allowed: 0 to 4"):
        metrics.confusion(labels, masks, 5)


def test_more_pixels_than_float32_counts_are_counted_exactly():
    masks = np.zeros((4200, 4100), np.uint8)  # 2**24 is 16,777,216
    masks[0, :5] = 1
    assert metrics.confusion(np.zeros_like(masks), masks, 2).tolist() == [[4200 * 4100 - 5, 0], [5, 0]]


def test_what_is_labeled_void_is_a_miss_of_its_class_and_nobodys_false_alarm():
    masks = np.array([[0, 0, 0, 1, 1, 2, 255, 255]], np.uint8)
    labels = np.array([[0, 255, 1, 1, 255, 255, 255, 0]], np.uint8)
    matrix = metrics.confusion(labels, masks, 3, ())
    assert matrix.tolist() == [[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 0, 1]]
    assert metrics.iou(matrix).tolist() == [1 / 3, 1 / 3, 0]
    assert metrics.void_share(matrix) == 3 / 6 and metrics.pixel_accuracy(matrix) == 2 / 6
    said = np.where(labels == 255, 1, labels).astype(np.uint8)  # another class in its place
    assert metrics.iou(metrics.confusion(said, masks, 3))[[0, 2]].tolist() == [1 / 3, 0]


def test_classes_that_are_left_out_are_in_neither_truth_nor_prediction():
    labels, masks = example()
    found = metrics.confusion(labels, masks, 5, [1, 3])
    assert np.array_equal(found, metrics.without(metrics.confusion(labels, masks, 5), [1, 3]))
    for k in range(5):
        truth, said = (masks == k), (labels == k) & np.isin(masks, [0, 2, 4])
        if k in (1, 3):
            assert math.isnan(metrics.iou(found)[k])
        else:
            assert metrics.iou(found)[k] == pytest.approx((truth & said).sum() / (truth | said).sum())
    again = metrics.without(found, [0])
    assert np.array_equal(again, metrics.without(metrics.confusion(labels, masks, 5), [0, 1, 3]))


@pytest.mark.parametrize("label", [3, 254])
def test_a_label_that_is_no_class_is_refused_beside_void_too(label):
    with pytest.raises(SeglabError, match=f"a label is {label}"):
        metrics.confusion(np.array([[255, label]], np.uint8), np.zeros((1, 2), np.uint8), 3, ())
