"""What a run keeps of its predictions, read back."""

import numpy as np
import pytest

from seglab import metrics, runs
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.events import Evaluated
from tests.conftest import tiny


@pytest.fixture
def done():
    directory = runs.create(tiny(epochs=2), "done")
    list(runs.work(directory))
    return directory


@pytest.mark.parametrize("run", ["done", "unet"])
def test_label_maps_matrices_and_scores_tell_the_same(done, run):
    evidence = runs.Evidence(runs.find(run))
    classes = len(runs.description(evidence.directory)["classes"])
    matrices = evidence.confusions()
    assert len(matrices) == len(evidence.names) and matrices.dtype == np.int64
    for index, matrix in enumerate(matrices):
        labels, truth = evidence.labels(index), evidence.truth(index)
        assert np.array_equal(metrics.confusion(labels, truth, classes), matrix)
        assert matrix.sum() == (truth != VOID).sum()
    best = [event for event in runs.events(evidence.directory) if isinstance(event, Evaluated) and event.best][-1]
    for split, score in best.scores.items():
        found = evidence.confusions(split)
        assert len(found) == score.images and metrics.miou(found.sum(0)) == pytest.approx(score.miou, abs=1e-12)


def test_probabilities_are_those_of_the_label_maps(done):
    evidence = runs.Evidence(done)
    for index in evidence.samples:
        probabilities = evidence.probabilities(index)
        assert probabilities.dtype == np.float32 and np.allclose(probabilities.sum(0), 1, atol=5e-3)
        chosen = np.take_along_axis(probabilities, evidence.labels(index)[None].astype(np.int64), 0)[0]
        assert np.all(chosen >= probabilities.max(0) - 1e-3)  # half precision can turn what is nearly a tie


def test_samples_of_every_evaluation_are_found_as_numbers(done):
    evidence = runs.Evidence(done)
    assert evidence.epochs() == [1, 2]
    for name in ("epoch_012.50", "epoch_1000", "epoch_999", "notes"):
        (done / "samples" / name).mkdir()
    assert evidence.epochs() == [1, 2, 12.5, 999, 1000]
    shapes = [(each.shape, each.dtype) for each in evidence.sampled(2)]
    assert shapes == [(evidence.truth(n).shape, np.uint8) for n in evidence.samples]


def test_what_is_missing_or_damaged_is_named(done):
    evidence = runs.Evidence(done)
    with pytest.raises(SeglabError, match=r"done has no predictions/9999\.png"):
        evidence.labels(9999)
    with pytest.raises(SeglabError, match=r"done has no evaluation\.npz: tset"):
        evidence.confusions("tset")
    with pytest.raises(SeglabError, match=r"done has no samples/epoch_003/0000\.png"):
        evidence.sampled(3)
    (done / "evaluation.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(SeglabError, match=r"done/evaluation\.npz cannot be read"):
        evidence.confusions()
    (done / "probabilities.npz").unlink()
    with pytest.raises(SeglabError, match=r"done has no probabilities\.npz: 0"):
        evidence.probabilities(0)
    with pytest.raises(SeglabError, match="has not started yet"):
        _ = runs.Evidence(runs.create(tiny())).names
