"""Other definitions of mIoU: against scikit-learn, torchmetrics and loops."""

import numpy as np
import pytest
import torch
from sklearn.metrics import jaccard_score

from seglab.comparison.definitions import DEFINITIONS, definitions
from seglab.metrics import confusion
from seglab.torchvision_guard import torchvision

SHAPE, CLASSES = (12, 14), 4


@pytest.fixture(scope="module")
def images():
    """Truths and labels, uint8 (9, H, W); some images lack classes, one has nothing but the first two."""
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, (9, *SHAPE)).astype(np.uint8)
    labels = np.where(rng.random(truth.shape) < 0.7, truth, rng.integers(0, 4, truth.shape)).astype(np.uint8)
    truth[4] = labels[4] = 0
    labels[4, :3] = 1
    return truth, labels


@pytest.fixture(scope="module")
def found(images):
    matrices = np.stack([confusion(labels, truth, CLASSES) for truth, labels in zip(*images, strict=True)])
    return definitions(matrices, 4)


def by_image(images, **options):
    return np.mean([
        jaccard_score(truth.ravel(), labels.ravel(), average="macro", **options)
        for truth, labels in zip(*images, strict=True)
    ])  # fmt: skip


def test_every_definition_is_there(found):
    assert tuple(found) == DEFINITIONS and len({round(value, 6) for value in found.values()}) == len(DEFINITIONS)


def test_one_matrix_over_the_set_is_scikit_learn_s_over_all_pixels(images, found):
    truth, labels = (each.ravel() for each in images)
    assert found["set"] == pytest.approx(jaccard_score(truth, labels, average="macro"))


def test_the_mean_over_images_is_scikit_learn_s_of_each(images, found):
    assert found["images"] == pytest.approx(by_image(images))
    assert found["absent_as_zero"] == pytest.approx(by_image(images, labels=range(CLASSES), zero_division=0))
    assert found["absent_as_one"] == pytest.approx(by_image(images, labels=range(CLASSES), zero_division=1))


def test_the_mean_over_batches_is_that_of_each_batch_alone(images, found):
    batches = [slice(0, 4), slice(4, 8), slice(8, 9)]
    scores = [jaccard_score(*(each[batch].ravel() for each in images), average="macro") for batch in batches]
    assert found["batches"] == pytest.approx(np.mean(scores))


def test_the_mean_over_classes_in_the_truth(images, found):
    scores = []
    for truth, labels in zip(*images, strict=True):
        here = np.unique(truth)
        scores.append(jaccard_score(truth.ravel(), labels.ravel(), labels=here, average="macro"))
    assert found["present"] == pytest.approx(np.mean(scores))


def test_torchmetrics_mean_iou_is_another_one_again(images, found):
    """It takes the mean over pairs of image and class at once, so that images with few classes count for less."""
    torchvision()
    from torchmetrics.segmentation import MeanIoU

    metric = MeanIoU(CLASSES, input_format="index")
    metric.update(*(torch.from_numpy(each.astype(np.int64)) for each in reversed(images)))
    truth, labels = images
    pairs = []
    for t, p in zip(truth, labels, strict=True):
        pairs += [((t == k) & (p == k)).sum() / ((t == k) | (p == k)).sum() for k in np.union1d(t, p)]
    assert float(metric.compute()) == pytest.approx(np.mean(pairs), abs=1e-6)
    assert found["images"] != pytest.approx(float(metric.compute()), abs=1e-4)


def test_where_nothing_is_labeled_nothing_is_defined():
    found = definitions(np.zeros((3, 4, 4), np.int64))
    assert np.isnan([found["set"], found["images"], found["present"], found["batches"]]).all()


def test_where_nothing_is_labeled_only_those_that_count_absent_classes_have_a_value():
    blank = definitions(np.zeros((3, CLASSES, CLASSES), np.int64))
    assert (blank.pop("absent_as_one"), blank.pop("absent_as_zero")) == (1, 0)
    assert np.isnan(list(blank.values())).all()
