"""What settings are compared by in lessons: each score again by hand or with another package."""

import math

import numpy as np
import pytest
from scipy import integrate, stats
from sklearn.metrics import jaccard_score

from seglab import runs
from seglab.anatomy.numbers import anatomy
from seglab.errors import SeglabError
from seglab.lessons import scoring
from seglab.lessons.bench import Bench
from seglab.metrics import confusion
from tests.lessons import images, lesson, measure, miou, put

CURVE = [(3.0, 2.0), (2.0, 1.0), (1.5, 1.4), (1.0, 1.2)]  # the losses of train and val


@pytest.fixture
def one(runs_home):
    of = lesson("a", seeds=[0])
    put(of, "a", 0, images(40, 80), losses=CURVE, train_miou=0.75, parameters=4321)
    return Bench(of)


@pytest.mark.parametrize(
    ("by", "value"),
    [
        ("miou", miou(40, 80)),
        ("iou:pole", 60 / 140),
        ("iou:rarest", 60 / 140),
        ("pixel_accuracy", 0.6),
        ("gap", 0.75 - miou(40, 80)),
        ("val_loss", 1.2),
        ("jumps", (0.4 + 0.2) / 2),  # after the first two epochs
        ("seconds", 4),
        ("parameters", 4321),
    ],
)
def test_each_score_is_what_it_says(one, by, value):
    assert one.values("a", by) == pytest.approx([value])


def test_multiply_adds_are_those_of_the_network_at_its_images_size(one):
    config = one.lesson.config("a", 0)
    assert one.values("a", "multiply_adds") == [anatomy(config.model, 2, 64).multiply_adds]


def test_the_rarest_class_is_the_one_with_the_fewest_pixels_of_those_that_are_there():
    matrices = np.zeros((2, 4, 4), np.int64)
    matrices[:, 0, 0], matrices[:, 1, 1], matrices[:, 2, 0], matrices[:, 2, 2] = 50, 20, 2, 3
    found, column = scoring.reduced(matrices, "iou:rarest", ["a", "b", "c", "d"], lambda _: [])
    assert column == 2 and found is matrices


def test_the_score_of_one_weather_is_that_of_its_images_alone():
    of = lesson("a", seeds=[0])
    val = of.config("a", 0).data.open().val
    weathers = [val.domain(name) for name in val.names]
    hits = [90 if weather == weathers[0] else 20 for weather in weathers]
    put(of, "a", 0, images(*hits, count=len(hits)), names=val.names)
    assert Bench(of).values("a", f"miou:{weathers[0]}") == pytest.approx([miou(90)])


def test_scores_of_masks_alone_need_no_images(monkeypatch, one):
    monkeypatch.setattr(runs, "opened_once", lambda directory: pytest.fail("the images were opened"))
    for by in ("miou", "pixel_accuracy", "iou:pole"):
        Bench(one.lesson).values("a", by)


def labels(rng, truth, share):
    return np.where(rng.random(truth.shape) < share, 1 - truth, truth).astype(np.uint8)


def test_near_a_border_are_the_pixels_within_two_of_it():
    rng = np.random.default_rng(0)
    truth = np.zeros((24, 24), np.uint8)
    truth[:, 12:] = 1
    predicted = labels(rng, truth, 0.3)
    of = lesson("a", seeds=[0])
    put(of, "a", 0, confusion(predicted, truth, 2)[None], maps=([truth], [predicted]))
    near = (slice(None), slice(10, 14))  # two columns to each side
    expected = jaccard_score(truth[near].ravel(), predicted[near].ravel(), average="macro")
    assert Bench(of).values("a", "near_border") == pytest.approx([expected])


def test_near_borders_those_seeds_are_compared_whose_label_maps_are_there():
    rng = np.random.default_rng(1)
    truth = np.zeros((24, 24), np.uint8)
    truth[:, 12:] = 1
    of = lesson("ab")
    for key, share in (("a", 0.4), ("b", 0.1)):
        for seed in range(3):
            predicted = labels(rng, truth, share)
            directory = put(of, key, seed, confusion(predicted, truth, 2)[None], maps=([truth], [predicted]))
            if seed > (1 if key == "b" else 0):
                (directory / "shipped.json").write_text('{"names": true, "pictures": false, "private": false}')
    bench = Bench(of)
    assert [len(bench.values(key, "near_border")) for key in "ab"] == [1, 2]
    found = bench.difference("a", "b", "near_border")
    assert (found.seeds, found.low, found.direction) == (1, None, "none") and found.size > 0.2
    for seed in range(3):
        directory = bench.directories("a")[seed]
        (directory / "shipped.json").write_text('{"names": true, "pictures": false, "private": false}')
    with pytest.raises(SeglabError, match="l-a-0 came without its pictures"):
        Bench(of).values("a", "near_border")


@pytest.mark.parametrize("by", ["gap", "val_loss", "jumps", "seconds"])
def test_scores_of_curves_are_compared_over_seeds_alone(by):
    rng = np.random.default_rng(2)
    of, losses = lesson("ab"), rng.uniform(1, 2, (2, 3, 4, 2))
    for n, key in enumerate("ab"):
        for seed in range(3):
            curve = losses[n, seed][: 3 + seed % 2].tolist()
            put(of, key, seed, images(50 + 9 * n), losses=curve, train_miou=float(rng.uniform(0, 1)))
    bench = Bench(of)
    found, (a, b) = bench.difference("a", "b", by), (np.array(bench.values(key, by)) for key in "ab")
    assert found.by_seed == pytest.approx(b - a) and found.images is None
    if by == "seconds":
        assert (found.low, found.high, found.apart) == (0, 0, False)
        return
    expected = stats.ttest_1samp(b - a, 0).confidence_interval()
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))


def test_a_run_without_a_score_is_told():
    of = lesson("a", seeds=[0])
    put(of, "a", 0, images(50), losses=[(1, 1)])
    with pytest.raises(SeglabError, match="l-a-0 has no jumps"):
        Bench(of).values("a", "jumps")
    with pytest.raises(SeglabError, match="l-a-0 has no val_loss"):
        put(of, "a", 0, images(50), losses=[])
        Bench(of).values("a", "val_loss")


def test_only_scores_that_there_are_are_allowed():
    for by in ("miou", "iou:rarest", "miou:fog", "iou:traffic light", "jumps"):
        assert measure(kind="difference", a="a", b="b", by=by).by == by
    for by in ("accuracy", "iou", "miou:", "miou\n", "seconds:fog", "iou:{x}"):
        with pytest.raises(ValueError, match="pattern"):
            measure(kind="difference", a="a", b="b", by=by)


def test_a_number_is_shown_without_decimals_where_it_counts_something():
    assert [scoring.shown(1234567.8, by) for by in ("parameters", "miou")] == ["1,234,568", "1234567.800"]
    assert scoring.signed(-0.0104, "miou") == "-0.010" and scoring.signed(12.4, "seconds") == "+12"
    found = scoring.Difference(0.1, -0.02, 0.22, 3, 50, "miou")
    assert found.values == {
        "difference": "0.100", "seeds": "3", "images": "50", "low": "-0.020", "high": "+0.220",
    } and found.direction == "none"  # fmt: skip
    lower = scoring.Difference(-0.1, -0.15, -0.05, 3, None, "miou")
    assert lower.direction == "lower" and (lower.values["low"], lower.values["high"]) == ("0.050", "0.150")


def test_the_best_of_equal_settings_leads_by_what_order_statistics_say():
    rng = np.random.default_rng(3)
    ratios = []
    for _ in range(300):
        ratio, _, expected = scoring.lead(rng.normal(0.5, 0.02, (4, 60)).tolist())
        ratios.append(ratio)
    by_integral = integrate.quad(lambda x: 4 * x * stats.norm.pdf(x) * stats.norm.cdf(x) ** 3, -9, 9)[0]
    assert expected == pytest.approx(by_integral, abs=1e-6)
    assert np.mean(ratios) == pytest.approx(expected, rel=0.02) and math.isfinite(max(ratios))


@pytest.mark.parametrize(
    ("losses", "over"),
    [
        ([(2, 2), (1, 1), (0.5, 1.06)], True),
        ([(2, 2), (1, 1), (0.5, 1.04)], False),  # within 5 %
        ([(2, 2), (1, 1), (1.1, 1.5)], False),  # training rose, too
        ([(2, 1), (1, 0.9), (0.5, 0.8)], False),
        ([], False),
    ],
)
def test_a_run_is_over_fitted_where_validation_turns_and_training_goes_on(losses, over):
    directory = put(lesson("a"), "a", 0, images(50), losses=losses)
    assert scoring.overfitted(directory, 0.05) is over
