"""What comes of each kind of measure, on runs whose confusion matrices are written by hand.

Where all images of a run are alike, other images could change nothing, so that an interval over seeds is Student's own,
which scipy has too.
"""

import itertools
import json
import math
import shutil

import numpy as np
import pytest
from scipy import stats

from seglab import cli, runs
from seglab.comparison.readings import Reading
from seglab.errors import SeglabError
from seglab.lessons import files
from seglab.lessons.bench import Bench
from seglab.lessons.measures import NONE, placed
from seglab.metrics import confusion
from seglab.predictors import Crf, Shift
from tests.lessons import IMAGES, bench, images, lesson, measure, miou, put, whole

LOW, MIDDLE, HIGH = (50, 51, 53), (60, 62, 63), (80, 81, 83)  # three seeds each, apart from each other


def scores(hits):
    return [miou(each) for each in hits]


def paired_interval(first, second):
    found = stats.ttest_1samp(np.subtract(scores(second), scores(first)), 0).confidence_interval()
    return found.low, found.high


def shown(value):
    return f"{abs(value):.3f}"


# --- best


def test_best_is_the_highest_where_it_can_be_told_from_the_second():
    of = bench({"a": MIDDLE, "b": HIGH, "c": LOW})
    found = measure(kind="best", of=["a", "b", "c"]).outcome(of)
    low, high = paired_interval(MIDDLE, HIGH)
    assert (found.key, found.right) == ("b", ("b",))
    assert found.values == {
        "best": "=b", "second": "=a", "worst": "=c", "score": shown(np.mean(scores(HIGH))), "seeds": "3",
        "difference": shown(np.mean(scores(HIGH)) - np.mean(scores(MIDDLE))), "low": shown(low), "high": shown(high),
        "images": f"{IMAGES}",
    }  # fmt: skip


@pytest.mark.parametrize("second", [(81, 83, 80), HIGH])
def test_two_that_cannot_be_told_apart_have_no_best(second):
    found = measure(kind="best", of=["a", "b", "c"]).outcome(bench({"a": HIGH, "b": second, "c": LOW}))
    assert (found.key, found.right, found.values["worst"]) == (NONE, (NONE,), "=c")
    assert found.values["low"][0] in "-+" and found.values["high"][0] == "+"


def test_of_a_loss_and_of_costs_less_is_best():
    of = lesson("abc")
    for key, losses in {"a": (3, 3.1, 3.2), "b": (1, 1.1, 1.2), "c": (2, 2.1, 2.2)}.items():
        for seed, loss in enumerate(losses):
            put(of, key, seed, images(50), losses=[(1, loss)], parameters=10**6)
    found = measure(kind="best", of=["a", "b", "c"], by="val_loss").outcome(Bench(of))
    assert (found.key, found.values["second"], found.values["worst"]) == ("b", "=c", "=a")
    assert (found.values["difference"], found.values["score"]) == ("1.000", "1.100") and "images" not in found.values
    found = measure(kind="best", of=["a", "b"], by="parameters").outcome(Bench(of))
    assert (found.key, found.values["score"]) == (NONE, "1,000,000")


# --- difference and size


@pytest.mark.parametrize(
    ("first", "second", "key"), [(LOW, HIGH, "higher"), (HIGH, LOW, "lower"), (HIGH, (81, 83, 80), NONE)]
)
def test_a_difference_over_seeds_has_students_interval(first, second, key):
    of = bench({"a": first, "b": second})
    found, number = measure(kind="difference", a="a", b="b").outcome(of), of.difference("a", "b", "miou")
    assert found.key == key and found.right == (key,)
    assert (number.low, number.high) == pytest.approx(paired_interval(first, second))
    assert found.number == number.size == pytest.approx(np.mean(scores(second)) - np.mean(scores(first)))
    assert found.values["a"] == "=a" and found.values["b"] == "=b" and found.values["seeds"] == "3"


def test_seeds_that_are_others_are_compared_as_two_samples():
    of = bench({"a": LOW, "b": (*HIGH, 85)}, seeds={"a": [0, 1, 2], "b": [3, 4, 5, 6]})
    number = of.difference("a", "b", "miou")
    welch = stats.ttest_ind(scores((*HIGH, 85)), scores(LOW), equal_var=False).confidence_interval()
    assert (number.low, number.high) == pytest.approx((welch.low, welch.high))
    assert number.by_seed == () and number.seeds == 3


@pytest.mark.parametrize("by", ["miou", "iou:pole", "pixel_accuracy"])
def test_one_network_against_another_is_told_by_its_images(by):
    first, second = (50, 52, 55, 58, 51, 60), (56, 57, 58, 60, 58, 63)
    of = bench({"a": [first], "b": [second]})
    number = of.difference("a", "b", by)
    rng = np.random.default_rng(9)
    assert number.seeds == 1 and number.images == IMAGES and number.low < number.size < number.high
    score = (lambda right: right / 100) if by == "pixel_accuracy" else (lambda right: right / (200 - right))
    assert number.size == pytest.approx(score(np.mean(second)) - score(np.mean(first)))
    same = rng.integers(0, IMAGES, (4000, IMAGES))
    draws = [score(np.resize(each, IMAGES)[same].mean(1)) for each in (first, second)]
    wide = stats.t.ppf(0.975, IMAGES - 1) * math.sqrt(IMAGES / (IMAGES - 1)) * np.std(draws[1] - draws[0])
    assert number.high - number.low == pytest.approx(2 * wide, rel=0.08)


@pytest.mark.parametrize("by", ["miou", "iou:pole"])
def test_one_seed_against_several_tells_nothing_of_luck(by):
    of = bench({"a": [60], "b": (20, 90, 95)})  # the first of b is lower, all together are higher
    found = measure(kind="difference", a="a", b="b", by=by).outcome(of)
    assert found.key == NONE and found.number == pytest.approx(np.mean(scores((20, 90, 95))) - miou(60))
    assert not {"low", "high"} & found.values.keys() and found.values["seeds"] == "1"
    assert measure(kind="best", of=["a", "b"], by=by).outcome(of).key == NONE


@pytest.mark.parametrize("by", ["miou", "iou:pole"])
def test_few_images_give_no_interval(by):
    of = lesson("abcd")
    for key, seed in itertools.product("abcd", range(3)):
        put(of, key, seed, images(90 if key == "b" else 40 + seed, count=9))
    found = measure(kind="difference", a="a", b="b", by=by).outcome(Bench(of))
    assert found.key == NONE and "low" not in found.values
    assert measure(kind="effects", table=[["a", "b"], ["c", "d"]], by=by).outcome(Bench(of)).key == NONE


def test_one_image_of_a_kind_is_told_and_divides_by_nothing():
    of = lesson("ab", seeds=[0])
    val = of.config("a", 0).data.open().val
    weathers = [val.domain(name) for name in val.names]
    rare = min(set(weathers), key=weathers.count)
    for key, hits in {"a": 50, "b": 90}.items():
        put(of, key, 0, images(hits, count=len(val)), names=val.names)
    found = measure(kind="difference", a="a", b="b", by=f"miou:{rare}").outcome(Bench(of))
    assert found.key == NONE and found.number == pytest.approx(miou(90) - miou(50))
    assert found.values["images"] == f"{weathers.count(rare)}"
    with pytest.raises(SeglabError, match="there is no image of 'snow'"):
        measure(kind="difference", a="a", b="b", by="miou:snow").outcome(Bench(of))


def test_settings_that_were_scored_on_other_images_are_not_compared():
    of = lesson("ab", seeds=[0])
    put(of, "a", 0, images(50))
    put(of, "b", 0, images(90), digest="others")
    for by in ("miou", "iou:pole", "pixel_accuracy"):
        with pytest.raises(SeglabError, match="scored on different images"):
            Bench(of).difference("a", "b", by)
        with pytest.raises(SeglabError, match="scored on different images"):
            Bench(of).contrast([("a", "b")], by)


def test_a_class_that_is_nowhere_has_no_score():
    nowhere = np.zeros((IMAGES, 3, 3), np.int64)
    nowhere[:, :2, :2] = images(60)
    of = bench({"a": [nowhere], "b": [nowhere]})
    with pytest.raises(SeglabError, match="l-a-0 has no iou:sign"):
        measure(kind="difference", a="a", b="b", by="iou:sign").outcome(of)
    with pytest.raises(SeglabError, match="there is no class 'moon'; there are: road, pole, sign"):
        measure(kind="difference", a="a", b="b", by="iou:moon").outcome(of)
    with pytest.raises(SeglabError, match="l-a-0 has no miou"):
        measure(kind="size", a="a", b="a", edges=[0]).outcome(bench({"a": [np.zeros((IMAGES, 2, 2), np.int64)]}))


def test_a_size_is_in_a_range_and_tells_where_its_interval_is_in_another():
    of = bench({"a": LOW, "b": HIGH})
    size, (low, high) = of.difference("a", "b", "miou").size, paired_interval(LOW, HIGH)
    for edges, key, notes in (
        ([0.1, 0.2], "2", 0),
        ([high + 0.1], "0", 0),
        ([-1, 0, 1], "2", 0),
        ([size], "1", 1),  # an edge belongs to the range above it
        ([(size + high) / 2], "0", 1),
        ([low - 0.1, high + 0.1], "1", 0),
    ):
        found = measure(kind="size", a="a", b="b", edges=edges).outcome(of)
        assert (found.key, len(found.notes)) == (key, notes)
        assert found.number == size and found.values["low"] == shown(low)
    assert f"from {low:+.3f} to {high:+.3f}" in str(
        measure(kind="size", a="a", b="b", edges=[size]).outcome(of).notes[0]
    )
    assert [placed(value, (0, 1)) for value in (-0.1, 0, 0.9, 1, 7)] == ["0", "1", "1", "2", "2"]


# --- class


def of_classes(*right, absent=0):
    """int64 (N, K, K): of 100 pixels of each class so many are right, the rest are taken for the first class, whose own
    are all right; then classes that are nowhere."""
    count = len(right) + 1
    found = np.zeros((IMAGES, count + absent, count + absent), np.int64)
    found[:, 0, 0] = 100
    for n, each in enumerate(right, 1):
        found[:, n, n], found[:, n, 0] = each, 100 - each
    for place in range(count):
        found[place::count, place, place] += 3  # images are not all alike
    return found


def test_the_class_that_gains_most_and_the_one_that_loses_most():
    of = bench({"a": [of_classes(10, 50, absent=1)] * 2, "b": [of_classes(80, 40, absent=1)] * 2})
    gained = measure(kind="class", a="a", b="b", which="gained").outcome(of)
    lost = measure(kind="class", a="a", b="b", which="lost").outcome(of)
    assert (gained.key, gained.right, lost.key) == ("pole", ("pole",), "sign")
    assert gained.values | {"low": "", "high": ""} == {
        "class": "pole", "share": "33.3", "from": "0.11", "to": "0.80", "difference": "0.69",
        "low": "", "high": "", "a": "=a", "b": "=b",
    }  # fmt: skip
    assert (lost.values["from"], lost.values["to"]) == (f"{51 / 101:.2f}", f"{41 / 101:.2f}") and not lost.notes


def test_no_class_gains_where_all_lose_or_none_can_be_told_apart():
    of = bench({"a": [of_classes(80, 80)] * 2, "b": [of_classes(10, 10)] * 2})
    assert measure(kind="class", a="a", b="b", which="gained").outcome(of).key == NONE
    assert measure(kind="class", a="a", b="a", which="lost").outcome(of).key == NONE


def test_a_class_that_gains_almost_as_much_is_told():
    rng = np.random.default_rng(0)
    first, second = of_classes(10, 10), of_classes(60, 60)
    for n, each in enumerate(rng.integers(-20, 20, (IMAGES, 2))):
        for place, change in enumerate(each, 1):
            second[n, place, place] += change
            second[n, place, 0] -= change
    found = measure(kind="class", a="a", b="b", which="gained").outcome(bench({"a": [first] * 2, "b": [second] * 2}))
    assert str(found.notes[0]) == f"almost as much: {({'pole', 'sign'} - {found.key}).pop()}"


# --- effects


def table(rows, columns, together=0, noise=(0, 1, 2)):
    """Pixels right of a, b / c, d, with what a row, a column and both together add."""
    return {
        key: [50 + row * rows + column * columns + row * column * together + each for each in noise]
        for key, (row, column) in zip("abcd", itertools.product((0, 1), (0, 1)), strict=True)
    }


EFFECTS = {"kind": "effects", "table": [["a", "b"], ["c", "d"]]}


@pytest.mark.parametrize(
    ("rows", "columns", "key"), [(20, 0, "rows"), (0, 20, "columns"), (20, 10, "both"), (0, 0, NONE)]
)
def test_effects_are_of_rows_of_columns_of_both_or_of_none(rows, columns, key):
    of = bench(table(rows, columns))
    found = measure(**EFFECTS).outcome(of)
    assert found.key == key
    mean = {name: np.mean(scores(each)) for name, each in table(rows, columns).items()}
    of_rows = (mean["c"] - mean["a"] + mean["d"] - mean["b"]) / 2
    of_columns = (mean["b"] - mean["a"] + mean["d"] - mean["c"]) / 2
    assert f"second: {of_rows:+.3f} (" in str(found.notes[0]) and f"second: {of_columns:+.3f} (" in str(found.notes[0])
    if key == "both":
        assert found.values["ratio"] == f"{of_rows / of_columns:.1f}" and found.values["difference"] == shown(of_rows)


def test_what_two_changes_do_together_is_told():
    apart = measure(**EFFECTS).outcome(bench(table(5, 5, 30)))
    assert apart.key == "both" and "depends on the other" in str(apart.notes[1])
    alone = measure(**EFFECTS).outcome(bench({"a": (50, 58), "b": (56, 52), "c": (57, 63), "d": (66, 60)}))
    assert len(alone.notes) == 1


def test_effects_of_one_seed_are_none_and_have_no_interval():
    found = measure(**EFFECTS).outcome(bench(table(20, 10, noise=(0,))))
    assert (found.key, found.notes) == (NONE, ()) and "low" not in found.values


@pytest.mark.parametrize("pairs", [[("a", "c"), ("b", "d")], [("b", "d"), ("c", "a")], [("a", "b"), ("b", "c")]])
def test_a_contrast_has_the_variance_of_its_own_mean(pairs):
    rng = np.random.default_rng(1)
    hits = {key: rng.integers(40, 90, 4) for key in "abcd"}
    weights = {key: sum((b == key) - (a == key) for a, b in pairs) / len(pairs) for key in "abcd"}
    used = [key for key in "abcd" if any(key in two for two in pairs)]
    same = bench({key: hits[key].tolist() for key in "abcd"})
    found = same.contrast(pairs, "miou")
    by_seed = np.sum([weights[key] * np.array(scores(hits[key])) for key in "abcd"], 0)
    expected = stats.ttest_1samp(by_seed, 0).confidence_interval()
    assert found.by_seed == pytest.approx(by_seed) and found.size == pytest.approx(by_seed.mean())
    assert (found.low, found.high) == pytest.approx((expected.low, expected.high))
    others = {key: range(4 * n, 4 * n + 4) for n, key in enumerate("abcd")}
    shutil.rmtree(runs.home())
    found = bench({key: hits[key].tolist() for key in "abcd"}, seeds=others).contrast(pairs, "miou")
    variances = [weights[key] ** 2 * np.var(scores(hits[key]), ddof=1) / 4 for key in used]
    freedom = sum(variances) ** 2 / sum(each**2 / 3 for each in variances if each)
    half = stats.t.ppf(0.975, freedom) * math.sqrt(sum(variances))
    assert (found.low, found.high) == pytest.approx((by_seed.mean() - half, by_seed.mean() + half))


def test_a_contrast_varies_with_its_images_too():
    rng = np.random.default_rng(2)
    hits = {key: rng.integers(30, 95, IMAGES) for key in "abcd"}
    of = bench({key: [tuple(each)] * 2 for key, each in hits.items()})  # seeds that are alike
    found = of.contrast([("a", "c"), ("b", "d")], "miou")
    places_of = rng.integers(0, IMAGES, (20_000, IMAGES))
    draws = {key: (right := each[places_of].mean(1)) / (200 - right) for key, each in hits.items()}
    mean = (draws["c"] - draws["a"] + draws["d"] - draws["b"]) / 2
    half = stats.t.ppf(0.975, IMAGES - 1) * mean.std() * math.sqrt(IMAGES / (IMAGES - 1))
    assert found.images == IMAGES and (found.high - found.low) / 2 == pytest.approx(half, rel=0.05)


# --- noise, lead


CLAIM = {"c": {"where": "w", "quote": "q", "measured": "m", "figures": {"a": 0.7597, "b": 0.7612}}}
NOISE = {"kind": "noise", "claim": "c", "figures": ["a", "b"], "of": "a"}


@pytest.mark.parametrize(("hits", "key"), [((50, 60, 70), "0"), ((700, 701, 702), "1"), ((7000, 7001, 7002), "2")])
def test_a_documents_difference_is_so_many_spreads_of_seeds(hits, key):
    of = lesson("ab", claims=CLAIM)
    found = []
    for seed, each in enumerate(hits):
        right = np.full(IMAGES, each)
        scale = 100 if each < 100 else 1000 if each < 1000 else 10_000
        matrices = np.stack([[[n, scale - n], [scale - n, n]] for n in right])
        put(of, "a", seed, matrices)
        found.append(each / (2 * scale - each))
    outcome = measure(**NOISE).outcome(Bench(of))
    spread = np.std(found, ddof=1)
    assert outcome.key == key and outcome.number == pytest.approx(0.0015 / spread)
    assert outcome.values == {
        "there": "0.0015", "spread": f"{spread:.4f}", "ratio": f"{0.0015 / spread:.2f}", "low": f"{min(found):.4f}",
        "high": f"{max(found):.4f}", "count": f"{max(2, round(2 * (2.8 * spread / 0.0015) ** 2))}", "seeds": "3",
        "of": "=a",
    }  # fmt: skip


def test_noise_needs_seeds_that_differ():
    with pytest.raises(SeglabError, match="a has one seed"):
        measure(**NOISE).outcome(bench({"a": [50], "b": [50]}, claims=CLAIM))
    with pytest.raises(SeglabError, match="a scores the same with every seed"):
        measure(**NOISE).outcome(bench({"a": [50, 50], "b": [50, 50]}, claims=CLAIM))


@pytest.mark.parametrize("by", ["miou", "val_loss"])
def test_the_best_of_several_leads_by_so_many_spreads(by):
    hits = {"a": (50, 54), "b": (60, 56), "c": (52, 58)}
    of = lesson("abc", seeds=[0, 1])
    for key, each in hits.items():
        for seed, right in enumerate(each):
            put(of, key, seed, images(right), losses=[(1, 1 - miou(right))])
    found = np.array([scores(each) for each in hits.values()])
    ratio = (found.max(0) - found.mean(0)).mean() / math.sqrt(found.var(1, ddof=1).mean())
    outcome = measure(kind="lead", of=["a", "b", "c"], by=by, edges=[0.5, 5]).outcome(Bench(of))
    assert outcome.number == pytest.approx(ratio) and outcome.key == "1"
    assert outcome.values["there"] == "0.85"  # of three from one normal distribution: 3 / (2 sqrt(pi))
    assert outcome.values["best"] == "=b" and outcome.values["ratio"] == f"{ratio:.2f}"
    for edges, key in (([ratio + 1], "0"), ([0.1, 0.2], "2")):
        assert measure(kind="lead", of=["a", "b", "c"], by=by, edges=edges).outcome(Bench(of)).key == key


def test_a_lead_needs_seeds_that_differ():
    with pytest.raises(SeglabError, match="a setting has one seed"):
        measure(kind="lead", of=["a", "b", "c"], edges=[1]).outcome(bench({"a": [5], "b": [6, 7], "c": [7, 8]}))
    shutil.rmtree(runs.home())
    with pytest.raises(SeglabError, match="score the same with every seed"):
        measure(kind="lead", of=["a", "b", "c"], edges=[1]).outcome(bench({key: [5, 5] for key in "abc"}))


# --- remains, trend, shape


REMAINS = {"kind": "remains", "gain": ["a", "b"], "kept": ["a", "c"], "edges": [0, 0.25, 0.75]}


@pytest.mark.parametrize(("kept", "key"), [(40, "0"), (51, "1"), (65, "2"), (79, "3")])
def test_what_remains_of_a_gain_is_a_part_of_it(kept, key):
    hits = {"a": LOW, "b": HIGH, "c": tuple(kept + n for n in (0, 1, 3))}
    found = measure(**REMAINS).outcome(bench(hits))
    mean = {name: np.mean(scores(each)) for name, each in hits.items()}
    ratio = (mean["c"] - mean["a"]) / (mean["b"] - mean["a"])
    assert found.key == key and found.number == pytest.approx(ratio)
    assert found.values["ratio"] == f"{ratio:.2f}" and found.values["share"] == f"{100 * ratio:.0f}"
    assert found.values["here"] == f"{mean['c'] - mean['a']:+.3f}"


@pytest.mark.parametrize("gained", [LOW, (50, 53, 51), (30, 31, 33)])
def test_of_no_gain_nothing_remains(gained):
    assert measure(**REMAINS).outcome(bench({"a": LOW, "b": gained, "c": HIGH})).key == NONE


def test_a_loss_that_falls_is_a_gain():
    of = lesson("abc")
    for key, losses in {"a": (3, 3.1, 3.2), "b": (1, 1.2, 1.1), "c": (2, 2.1, 2.2)}.items():
        for seed, loss in enumerate(losses):
            put(of, key, seed, images(50), losses=[(1, loss)])
    found = measure(**REMAINS, by="val_loss").outcome(Bench(of))
    assert found.key == "2" and found.number == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("after", "key", "count"),
    [
        ((70, 71, 72, 73), "falls", 6),
        ((45, 60, 75, 90), "rises", 6),
        ((50, 45, 75, 62), NONE, 4),  # four of six pairs go that way
        ((40, 50, 60, 70), NONE, 0),  # the same gain each time
    ],
)
def test_a_trend_holds_in_three_of_four_pairs(after, key, count):
    before = (40, 50, 60, 70)
    hits = {f"a{n}": [each] for n, each in enumerate(before)} | {f"b{n}": [each] for n, each in enumerate(after)}
    if count == 0:
        after = before
    of = [[f"a{n}", f"b{n}"] for n in range(4)]
    found = measure(kind="trend", of=of).outcome(bench(hits))
    gains = [miou(b) - miou(a) for a, b in zip(before, after, strict=True)]
    assert (found.key, found.values["count"], found.values["of"]) == (key, f"{count}", "6")
    assert found.values["low"] == f"{min(gains):+.3f}" and found.values["high"] == f"{max(gains):+.3f}"
    assert found.values["times"] == f"{sum(each > 0 for each in gains)}"
    tau = stats.kendalltau(scores(before), gains).statistic if count else 0
    assert {"falls": tau <= -0.5, "rises": tau >= 0.5, NONE: abs(tau) < 0.5}[key]


TURNING = [(3, 3), (2, 2), (1, 2.11)]  # 5.5 % above the lowest, while training still falls
STEADY = [(3, 3), (2, 2), (1, 2.09)]
STUCK = [(3, 3), (2, 2), (2, 2.5)]  # training falls no more


@pytest.mark.parametrize(
    ("a", "b", "key", "right"),
    [
        ([TURNING] * 3, [TURNING, TURNING, STEADY], "all", ("a", "b")),
        ([TURNING, STEADY, STUCK], [TURNING, TURNING, STUCK], "some", ("b",)),
        ([TURNING, STEADY, STUCK], [STUCK] * 3, NONE, (NONE,)),
    ],
)
def test_over_fitting_is_a_shape_of_two_curves_with_most_seeds(a, b, key, right):
    of = lesson("ab")
    for name, curves in (("a", a), ("b", b)):
        for seed, losses in enumerate(curves):
            put(of, name, seed, images(50), losses=losses)
    found = measure(kind="shape", of=["a", "b"], shape="rises_after_lowest").outcome(Bench(of))
    assert (found.key, found.right) == (key, right)
    assert found.values == {"count": f"{0 if right == (NONE,) else len(right)}", "of": "2"}
    assert f"=a: with {a.count(TURNING)} of 3 seeds" in str(found.notes[0])


# --- definition, share, tied, source


def test_a_definition_changes_a_score_by_so_much():
    first, second = images(40, 90), images(50, 60)
    of = bench({"a": [first], "b": [second]})
    by_image = {key: np.mean(scores(each)) for key, each in {"a": (40, 90), "b": (50, 60)}.items()}
    by_set = {"a": miou(40, 90), "b": miou(50, 60)}
    one = measure(kind="definition", of="a", against="images", edges=[-0.5, 0, 0.5]).outcome(of)
    assert one.number == pytest.approx(by_image["a"] - by_set["a"]) and one.number > 0 and one.key == "2"
    assert one.values == {
        "here": f"{by_set['a']:.3f}", "there": f"{by_image['a']:.3f}", "difference": f"{one.number:+.3f}", "of": "=a",
    }  # fmt: skip
    two = measure(kind="definition", of="b", minus="a", against="images", edges=[-0.5, 0]).outcome(of)
    assert two.number == pytest.approx((by_image["b"] - by_image["a"]) - (by_set["b"] - by_set["a"]))
    assert two.key == "1" and two.number < 0
    batches = {"against": "batches", "batch": 1, "versus": "batches", "versus_batch": IMAGES}
    assert measure(kind="definition", of="a", edges=[0], **batches).outcome(of).number == pytest.approx(one.number)
    assert measure(kind="definition", of="a", against="set", edges=[1]).outcome(of).key == "0"


def test_a_share_of_pixels_is_counted_in_the_label_maps():
    of = lesson("ab", seeds=[0])
    truth = np.zeros((4, 5), np.uint8)
    truth[:, 2:] = 1
    truth[3] = 255  # 15 labeled pixels
    first, second = truth % 255, truth % 255  # which say something where nothing is labeled, too
    first[0, :2] = second[0, :2] = 1  # both wrong alike
    second[1, 0], first[2, 4] = 1, 0  # one wrong each
    second[2, 0] = 1
    first[0, 3], second[0, 3] = 0, 2  # both wrong, each in its own way
    for key, labels in (("a", first), ("b", second)):
        put(of, key, 0, np.stack([confusion(labels, truth, 3)]), maps=([truth], [labels]))
    for kind, pixels in (("only_a", 2), ("only_b", 1), ("alike", 2), ("differently", 1)):
        found = measure(kind="share", a="a", b="b", of=kind).outcome(Bench(of))
        assert (found.key, found.right) == ("number", ()) and found.number == pytest.approx(100 * pixels / 15)
        other = 2 if kind == "only_b" else 1
        assert (found.values["share"], found.values["other"]) == (
            f"{100 * pixels / 15:.1f}",
            f"{100 * other / 15:.1f}",
        )


@pytest.mark.parametrize(
    ("hits", "key", "tied"),
    [
        ({"a": HIGH, "b": LOW, "c": MIDDLE}, NONE, ("a",)),
        ({"a": (80, 84, 82), "b": LOW, "c": (84, 80, 81)}, "some", ("a", "c")),
        ({"a": (80, 84, 82), "b": (82, 81, 83), "c": (84, 80, 81)}, "all", ("a", "b", "c")),
    ],
)
def test_settings_that_cannot_be_told_from_the_best_are_tied_with_it(hits, key, tied):
    found = measure(kind="tied", of=["a", "b", "c"]).outcome(bench(hits))
    assert (found.key, found.right) == (key, tied)
    best = max(hits, key=lambda each: np.mean(scores(hits[each])))
    assert found.values == {
        "best": f"={best}", "count": f"{len(tied)}", "of": "3", "score": shown(np.mean(scores(hits[best]))),
    }  # fmt: skip


def test_where_nothing_can_be_said_settings_are_tied_and_others_are_refused():
    of = lesson("abc")
    for key, seed in itertools.product("abc", range(3)):
        put(of, key, seed, images(90 if key == "a" else 40, count=9))
    assert measure(kind="tied", of=["a", "b", "c"]).outcome(Bench(of)).right == ("a", "b", "c")
    put(of, "c", 2, images(40, count=9), digest="others")
    with pytest.raises(SeglabError, match="cannot be compared as a grid"):
        measure(kind="tied", of=["a", "b", "c"]).outcome(Bench(of))


LINEUP = {"kind": "spoiled", "of": ["one", "two", "three"]}


def spoiled(odd, **trained):
    """A bench of a lineup of three: two sound runs, and one that is shown otherwise or has options of its own. All have
    so many right pixels in every image, of sound runs by seed."""
    settings = {
        "sound": {"title": "sound", "set": {}, "seeds": [0, 1, 2, 3]},
        "one": {"title": "1", "of": "sound", "seeds": [0]},
        "two": {"title": "2", "of": "sound", "seeds": [1]},
        "three": {"title": "3", **odd},
    }
    base = {"optimizer": "adamw", "optimizer.lr": 1e-3, "fold.of": 3, "fold.index": 2}
    extra = {key: {"title": key, "seeds": [0], **each} for key, each in trained.items()}
    whole_lesson = whole(settings | extra)
    whole_lesson["groups"]["g"]["base"] |= base
    of = files.packed(json.dumps(whole_lesson).encode())
    for seed, hits in enumerate((60, 62, 64, 80)):
        put(of, "sound", seed, images(hits, hits + 20))
    for key in extra:
        put(of, key, 0, images(90))
    return Bench(of)


@pytest.mark.parametrize(
    ("odd", "trained", "fault", "values"),
    [
        ({"of": "sound", "seeds": [2]}, {}, NONE, {}),
        (
            {"of": "sound", "reported": "best"},
            {},
            "picked",
            {"count": "4", "score": shown(miou(80, 100)), "low": shown(miou(60, 80))},
        ),
        (
            {"of": "fast", "seeds": [0]},
            {"fast": {"set": {"optimizer.lr": 3e-2}}},
            "rate",
            {"here": "0.001", "there": "0.03", "ratio": "30"},
        ),
        ({"of": "alone", "reported": "best"}, {"alone": {}}, NONE, {}),
        ({"of": "near", "seeds": [0]}, {"near": {"set": {"optimizer.lr": 3e-3}}}, NONE, {}),
        (
            {"of": "carried", "seeds": [0]},
            {"first": {"set": {"fold.index": 0}}, "carried": {"begins_with": "first"}},
            "leak",
            {"score": shown(miou(90)), "other": shown((miou(60, 80) + miou(62, 82)) / 2)},
        ),
        (
            {"of": "carried", "seeds": [0]},
            {"first": {"set": {"epochs": 3}}, "carried": {"begins_with": "first"}},  # of the same fold
            NONE,
            {},
        ),
    ],
    ids=["sound", "best seed", "rate", "best of one", "near rate", "leak", "same fold"],
)
def test_what_is_wrong_is_read_off_the_runs(odd, trained, fault, values):
    of = spoiled(odd, **trained)
    what = measure(**LINEUP, which="fault").outcome(of)
    which = measure(**LINEUP, which="run").outcome(of)
    assert (what.key, which.key) == (fault, NONE if fault == NONE else "three")
    assert values.items() <= what.values.items() and what.values == which.values


def test_a_score_over_batches_is_another_than_that_of_the_masks():
    of = spoiled({"of": "sound", "seeds": [2], "reported": "batches"})
    put(of.lesson, "sound", 2, images(*[50] * 8, *[90] * 4))
    by_batch, by_set = (miou(50) + miou(90)) / 2, miou(*[50] * 8, *[90] * 4)
    assert of.reported("three", "miou") == [pytest.approx(by_batch)] and of.values("three", "miou") == [by_set]
    found = measure(**LINEUP, which="fault").outcome(of)
    assert found.key == "batches" and found.values["difference"] == f"{by_batch - by_set:+.3f}"
    assert (found.values["score"], found.values["here"]) == (shown(by_batch), shown(by_set))


def test_moved_masks_are_told_with_what_they_would_score():
    of = spoiled({"of": "sound", "seeds": [3], "through": [{"name": "shift", "right": -3, "down": 1}]})
    reading = Reading(of.directories("sound")[3], (Shift(right=-3, down=1),))
    reading.file.parent.mkdir(parents=True)
    np.savez(reading.file, val=images(40), chain=np.array("shift (right -3, down 1)"))
    found = measure(**LINEUP, which="fault").outcome(of)
    assert found.key == "shifted" and found.values["count"] == "3"
    assert (found.values["there"], found.values["here"]) == (shown(miou(80, 100)), shown(miou(40)))


def test_two_that_are_wrong_have_no_outcome():
    of = spoiled({"of": "fast", "seeds": [0]}, fast={"set": {"optimizer.lr": 3e-2}})
    lineup = {"kind": "spoiled", "of": ["one", "three", "fast", "two", "sound"], "which": "run"}
    with pytest.raises(SeglabError, match="something is wrong with more than one: three, fast"):
        measure(**lineup).outcome(of)


def test_what_a_document_says_is_no_matter_of_runs():
    of = Bench(lesson("ab", claims=CLAIM))  # none of which is there
    found = measure(kind="source", claim="c", right="nothing").outcome(of)
    assert (found.key, found.right) == ("nothing", ("nothing",))


# --- all of them


ALL = [
    {"kind": "best", "of": ["a", "b", "c"]},
    {"kind": "best", "of": ["a", "b"], "by": "iou:rarest"},
    {"kind": "difference", "a": "a", "b": "b"},
    {"kind": "difference", "a": "a", "b": "b", "by": "jumps"},
    {"kind": "size", "a": "a", "b": "b", "edges": [-0.05, 0, 0.05]},
    EFFECTS,
    EFFECTS | {"by": "pixel_accuracy"},
    NOISE,
    REMAINS,
    {"kind": "trend", "of": [["a", "b"], ["b", "c"], ["c", "d"], ["d", "a"]]},
    {"kind": "shape", "of": ["a", "b"], "shape": "rises_after_lowest"},
    {"kind": "definition", "of": "a", "minus": "b", "against": "present", "edges": [0]},
    {"kind": "tied", "of": ["a", "b", "c"]},
    {"kind": "lead", "of": ["a", "b", "c"], "edges": [0.5, 1]},
    {"kind": "spoiled", "of": ["a", "b", "c"], "which": "run"},
    {"kind": "spoiled", "of": ["a", "b", "c"], "which": "fault"},
    {"kind": "source", "claim": "c", "right": "nothing"},
]


@pytest.mark.parametrize("given", ALL, ids=lambda given: given["kind"])
def test_whatever_the_runs_are_an_outcome_is_one_that_the_file_knows(given):
    one, of = measure(**given), lesson("abcd", claims=CLAIM)
    assert one.outcomes is not None and set(one.settings) <= set("abcd")
    for trial in range(6):
        rng = np.random.default_rng(trial)
        for key, seed in itertools.product("abcd", range(3)):
            middle = rng.integers(20, 80) if trial % 2 else 50
            put(
                of, key, seed, images(*(middle + rng.integers(-15, 15, IMAGES))),
                losses=[(float(rng.uniform(1, 2)), float(rng.uniform(1, 2))) for _ in range(4)],
            )  # fmt: skip
        found = one.outcome(Bench(of))
        assert found.key in one.outcomes and found.right and set(found.right) <= {*one.outcomes, *one.settings}
        assert all(isinstance(each, str) for each in found.values.values())
        assert found.number is None or math.isfinite(found.number)


def test_runs_that_are_not_there_or_not_whole_are_told():
    of = lesson("ab")
    for seed in range(3):
        put(of, "a", seed, images(50))
    put(of, "b", 0, images(50))
    put(of, "b", 1, images(50), reason="failed")
    with pytest.raises(SeglabError, match=r"b with seed 1, 2 have not been made yet.*seglab lesson make l"):
        measure(kind="difference", a="a", b="b").outcome(Bench(of))


def test_the_numbers_are_those_of_the_comparison(capsys):
    rng = np.random.default_rng(3)
    of = bench({key: [tuple(rng.integers(40 + n, 80 + n, IMAGES)) for _ in range(3)] for n, key in enumerate("ab")})
    paths = [str(each) for key in "ab" for each in of.directories(key)]
    with pytest.raises(SystemExit):
        cli.main(["compare", *paths, "--json"])
    verdict = json.loads(capsys.readouterr().out)["pair"]["verdict"]
    found = of.difference("a", "b", "miou")
    assert [found.size, found.low, found.high] == [verdict[name] for name in ("difference", "low", "high")]
    assert list(found.by_seed) == verdict["by_seed"]
    for column in ("pixel_accuracy", "iou:road"):  # of two classes that are alike, another way to the same numbers
        assert np.sign(of.difference("a", "b", column).size) == np.sign(found.size)
    assert of.difference("a", "b", "iou:road").low == pytest.approx(found.low)


def test_a_setting_that_is_seen_through_predictors_is_read_through_them():
    settings = {"a": {"title": "a", "set": {}}, "b": {"title": "b", "of": "a", "through": ["crf"]}}
    of = lesson(settings, seeds=[0])
    directory = put(of, "a", 0, images(50))
    with pytest.raises(SeglabError, match="l-a-0 has not been read through crf yet"):
        Bench(of).difference("a", "b", "miou")
    reading = Reading(directory, (Crf(),))
    reading.file.parent.mkdir(parents=True)
    np.savez(reading.file, val=images(70), chain=np.array("crf"))
    assert Bench(of).difference("a", "b", "miou").size == pytest.approx(miou(70) - miou(50))
