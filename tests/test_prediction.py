"""Several models side by side, and their vote: each is asked once, and what it gave is kept."""

import time
from dataclasses import replace

import numpy as np
import pytest
import torch

from seglab import crf, metrics, prediction
from seglab.architectures.panoptic import PanopticDeepLab
from seglab.errors import SeglabError
from seglab.model import Segmenter, Trained
from seglab.prediction import Session, side_by_side
from seglab.predictors import Crf, Flips, Scales, Windows
from tests.conftest import tiny

NEEDS_CRF = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
CHAINS = {
    "none": [],
    "flips": [Flips()],
    "scales": [Scales()],
    "windows": [Windows()],
    "all three": [Flips(), Scales(), Windows()],
}
chains = pytest.mark.parametrize("chain", CHAINS.values(), ids=CHAINS)
IMAGE = np.random.default_rng(0).integers(0, 256, (48, 64, 3), dtype=np.uint8)


def models(count, tmp_path, **options):
    """Networks of different random weights, whose probabilities differ from pixel to pixel."""
    config = tiny(**options)
    found = []
    for n in range(count):
        torch.manual_seed(n)
        model = Segmenter(config.model, 4, config.image_size).eval()
        found.append(Trained(tmp_path / f"model {n}", config, tuple("abcd"), ((0, 0, 0),) * 4, model))
    return found


@pytest.fixture
def three(tmp_path):
    return models(3, tmp_path)


def passes(found):
    """Counts how often the networks of some models run, from now on."""
    count = []
    for trained in found:
        trained.model.net.register_forward_hook(lambda *_: count.append(1))
    return count


def offered(found):
    """The models as a session takes them."""
    return {trained.name: lambda trained=trained: trained for trained in found}


@pytest.mark.parametrize(("count", "vote"), [(1, False), (1, True), (2, True), (3, False), (3, True)])
def test_every_model_runs_once_also_for_a_vote(count, vote, three):
    ran = passes(three[:count])
    found = side_by_side(three[:count], IMAGE, vote=vote)
    assert len(ran) == count
    names = [(trained.name,) for trained in three[:count]]
    assert [each.names for each in found] == names + ([tuple(sum(names, ()))] if vote and count > 1 else [])


def test_each_model_is_shown_as_it_predicts_alone(three):
    for trained, found in zip(three, side_by_side(three, IMAGE, [Flips()]), strict=True):
        expected = prediction.predict(trained, IMAGE, [Flips()])
        np.testing.assert_array_equal(found.before.probabilities, expected.probabilities)
        assert (found.classes, found.colors) == (trained.classes, trained.colors)
        assert found.after is found.crf_milliseconds is found.crf_error is None


@chains
def test_a_vote_is_the_prediction_of_the_models_together(chain, three):
    first, *others = three
    expected = prediction.predict(first, IMAGE, chain, others)
    vote = side_by_side(three, IMAGE, chain, vote=True)[-1].before
    np.testing.assert_allclose(vote.probabilities, expected.probabilities, atol=1e-6)
    assert vote.probabilities.dtype == np.float32 and np.array_equal(vote.labels, expected.labels)
    assert not np.array_equal(vote.labels, prediction.predict(first, IMAGE, chain).labels)


@NEEDS_CRF
def test_a_vote_through_a_predictor_that_is_not_linear_asks_the_models_together(three):
    chain, (first, *others) = [Flips(), Crf()], three
    expected = prediction.predict(first, IMAGE, chain, others)
    ran = passes(three)
    *alone, vote = side_by_side(three, IMAGE, chain, vote=True)
    assert len(ran) == 12  # flips look twice, alone and together
    np.testing.assert_allclose(vote.before.probabilities, expected.probabilities, atol=1e-6)
    mean = np.mean([each.before.probabilities for each in alone], 0)
    assert not np.allclose(vote.before.probabilities, mean, atol=1e-3)


def test_the_things_of_a_vote_are_the_first_model_s_by_the_labels_of_the_vote(tmp_path, monkeypatch):
    def told(self, outputs, labels):
        return (4 * outputs.logits[0].argmax(0).numpy() + labels).astype(np.int32)

    monkeypatch.setattr(PanopticDeepLab, "instances", told)
    pair = models(2, tmp_path, model={"name": "panoptic_deeplab", "encoder": "mobilenet_v2_035", "width": 16})
    first = prediction.predict(pair[0], IMAGE)
    ran = passes(pair)
    vote = side_by_side(pair, IMAGE, vote=True)[-1].before
    assert len(ran) == 2 and not np.array_equal(vote.labels, first.labels)
    assert np.array_equal(vote.instances, 4 * first.labels.astype(np.int32) + vote.labels)
    assert np.array_equal(vote.instances, prediction.predict(pair[0], IMAGE, (), pair[1:]).instances)


def test_models_of_other_classes_are_shown_and_cannot_vote(three):
    three[1] = replace(three[1], classes=("a", "b", "c", "x"))
    assert len(side_by_side(three, IMAGE)) == 3
    with pytest.raises(SeglabError, match="only models of the same classes can vote together"):
        side_by_side(three, IMAGE, vote=True)
    shown = []
    with pytest.raises(SeglabError, match="model 1"):
        shown.extend(Session().side_by_side(offered(three), IMAGE, vote=True))
    assert len(shown) == 3


def test_times_are_those_of_the_runs_and_a_vote_takes_as_long_as_its_voters(three):
    *alone, vote = side_by_side(three, IMAGE, vote=True)
    assert all(each.milliseconds > 0 for each in alone)
    assert vote.milliseconds > sum(each.milliseconds for each in alone)


def test_waiting_for_other_threads_is_no_part_of_a_model_s_time(three, monkeypatch):
    plain = prediction.forward
    monkeypatch.setattr(prediction, "forward", lambda *given: time.sleep(0.3) or plain(*given))
    assert all(each.milliseconds < 300 for each in side_by_side(three[:1], IMAGE))


@NEEDS_CRF
def test_another_crf_asks_no_model_and_keeps_the_times(three):
    session = Session()

    def asked(**given):
        return list(session.side_by_side(offered(three), IMAGE, vote=True, **given))

    first = asked(crf=Crf())
    ran = passes(three)
    moved, without = asked(crf=Crf(w1=12, theta_beta=40)), asked()
    assert ran == []
    for before, after, plain in zip(first, moved, without, strict=True):
        assert before.before is after.before is plain.before and plain.after is None
        assert before.milliseconds == after.milliseconds == plain.milliseconds
        assert after.crf_milliseconds > 0
        assert not np.array_equal(before.after.probabilities, after.after.probabilities)
        expected = crf.refine_here(before.before.probabilities, IMAGE, Crf())
        np.testing.assert_array_equal(before.after.probabilities, expected)


def test_another_image_another_predictor_and_another_model_are_asked_anew(three):
    session, ran = Session(), passes(three)
    for image, predictors, count in (
        (IMAGE, [], 1),
        (IMAGE.copy(), [], 1),  # the same image
        (IMAGE.reshape(64, 48, 3), [], 2),  # the same bytes
        (IMAGE, [Flips()], 4),
        (IMAGE, [Flips(vertical=True)], 8),
    ):
        list(session.side_by_side(offered(three[:1]), image, predictors))
        assert len(ran) == count
    list(session.side_by_side(offered(three), IMAGE, vote=True))  # the first is known
    assert len(ran) == 10


def test_a_known_model_is_not_loaded(three):
    session = Session()
    given = offered(three)
    first = list(session.side_by_side(given, IMAGE, vote=True))
    again = list(session.side_by_side(dict.fromkeys(given), IMAGE, vote=True))  # None cannot be called
    assert [each.before for each in first] == [each.before for each in again]


def test_what_is_kept_is_bounded(three):
    size = 4 * IMAGE.shape[0] * IMAGE.shape[1] * 4  # float32 of four classes
    session, ran = Session(2 * size), passes(three)
    for trained in (*three, three[2], three[0]):
        list(session.side_by_side(offered([trained]), IMAGE))
    assert len(ran) == 4 and len(session.kept.values) == 2


def test_a_crf_that_fails_keeps_the_masks_and_says_why(three, monkeypatch):
    monkeypatch.setattr(crf, "missing", lambda: SeglabError(crf.ONE_COMMAND))
    found = side_by_side(three, IMAGE, crf=Crf(), vote=True)
    assert len(found) == 4
    for each in found:
        assert each.after is None and "pydensecrf2" in str(each.crf_error) and each.crf_milliseconds >= 0
        assert each.before.labels.shape == IMAGE.shape[:2] and each.milliseconds > 0


@NEEDS_CRF
def test_the_crf_of_each_has_its_deadline(three):
    found = side_by_side(three[:2], IMAGE, crf=Crf(), deadline=1e-6)
    assert all("stopped after 1e-06 s" in str(each.crf_error) for each in found)


def test_the_score_of_a_picture_is_at_the_size_of_its_truth():
    truth = np.array([[0, 0, 1, 1], [0, 0, 255, 255]], np.uint8)
    assert metrics.picture_miou(np.array([[0, 1]], np.uint8), truth, 3) == 1
    assert metrics.picture_miou(np.array([[0, 0]], np.uint8), truth, 3) == pytest.approx((4 / 6 + 0) / 2)
