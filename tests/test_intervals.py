"""How far differences could vary: against scipy, brute force, and what was simulated."""

import math
import statistics

import numpy as np
import pytest
from scipy import stats

from seglab import runs
from seglab.comparison import intervals, verdicts
from seglab.metrics import iou, miou
from seglab.runs import Evidence

# How often intervals of 95 % hold the truth, as docs/comparing.md has it: by images, and by seeds of each side
HELD, HELD_OVER_SEEDS = {10: 0.93, 20: 0.935, 30: 0.945, 50: 0.945}, {2: 0.88, 3: 0.935, 5: 0.945}
HELD_IN_VIDEO = {1: 0.39, 2: 0.51, 3: 0.58, 5: 0.67, 10: 0.83, 17: 0.92}  # by the length of the blocks
TRIES = 1000


@pytest.fixture(scope="module")
def shipped():
    """int64 (50, 11, 11) each: the confusion matrices of two shipped runs."""
    return tuple(Evidence(runs.find(name)).confusions() for name in ("unet", "unet_vgg16"))


def test_the_draws_are_those_of_whole_matrices_and_the_same_for_both_sides(shipped):
    first, second = shipped
    found = intervals.bootstrap(first, second, draws=40, seed=3)
    picked = np.random.default_rng(3).integers(0, 50, (40, 50))
    for n, places in enumerate(picked):
        a, b = first[places].sum(0), second[places].sum(0)
        assert found.miou[n] == pytest.approx(miou(b) - miou(a), abs=1e-12)
        np.testing.assert_allclose(found.iou[n], iou(b) - iou(a), atol=1e-12)


def test_a_class_that_a_draw_lacks_is_left_out_of_both_sides_and_counted():
    rare = np.zeros((12, 3, 3), np.int64)
    rare[:, 0, 0] = rare[:, 1, 1] = 10
    rare[0, 2, 2] = 5
    worse = rare.copy()
    worse[:, 0, 1] = 3
    found = intervals.bootstrap(rare, worse, draws=2000)
    assert found.left_out[:2].tolist() == [0, 0]
    assert found.left_out[2] == pytest.approx((11 / 12) ** 12, abs=0.03)
    without = np.isnan(found.iou[:, 2])
    np.testing.assert_allclose(found.miou[without], found.iou[without][:, :2].mean(1))
    assert np.isfinite(found.miou).all()


def test_neighbors_in_a_block_are_drawn_together(shipped):
    first, second = (each[:47] for each in shipped)
    found = intervals.bootstrap(first, second, block=10, draws=500)
    parts = [range(0, 11), range(11, 23), range(23, 35), range(35, 47)]  # about equally long, none shorter than 10
    blocks = [np.stack([each[part].sum(0) for part in parts]) for each in (first, second)]
    plain = intervals.bootstrap(*blocks, draws=500)
    assert found.units == 4
    np.testing.assert_allclose(found.miou, plain.miou)


def test_student_s_interval_is_that_of_the_blocks_means():
    """Of sides that differ in one class of images of one size, where a set's IoU is the mean over its blocks."""
    shares = np.repeat([0.5, 0.53, 0.61], 17)
    first, second = right(np.full(51, 0.5)), right(shares)
    for each in (first, second):
        each[:, 1, 1] = 0
        each[:, 1, 0] = 0  # the other class is never there, and is the label of what is wrong: its IoU is 0
    found = intervals.bootstrap(first, second, 17)
    theirs = stats.ttest_1samp([0.0, 0.03, 0.11], 0).confidence_interval(0.95)
    middle = miou(second.sum(0)) - miou(first.sum(0))
    assert found.units == 3 and middle == pytest.approx((0.03 + 0.11) / 3 / 2)
    assert found.around(middle) == pytest.approx((theirs.low / 2, theirs.high / 2), rel=0.02)


def test_without_expansion_the_interval_is_scipy_s(monkeypatch):
    """On a statistic that both can draw: a mean of paired differences."""
    rng = np.random.default_rng(0)
    values = rng.normal(0.3, 1, 40)
    theirs = stats.bootstrap((values,), np.mean, n_resamples=20_000, method="percentile", rng=rng).confidence_interval
    draws = values[rng.integers(0, 40, (20_000, 40))].mean(1)
    monkeypatch.setattr(intervals, "widened", lambda units, level: 1.0)
    ours = intervals.expanded(draws, 40)
    np.testing.assert_allclose(ours, [theirs.low, theirs.high], atol=0.02)


@pytest.mark.parametrize("units", [5, 10, 30, 1000])
def test_percentiles_lie_further_out_the_fewer_units_there_are(units):
    draws = np.linspace(0, 1, 100_001)
    low, high = intervals.expanded(draws, units)
    tail = stats.norm.cdf(stats.t.ppf(0.025, units - 1) * math.sqrt(units / (units - 1)))
    assert low == pytest.approx(tail, abs=1e-4) and high == pytest.approx(1 - tail, abs=1e-4)


def test_the_shipped_pair_is_as_the_documentation_says(shipped):
    found = intervals.bootstrap(*shipped)
    first, second = (each.sum(0) for each in shipped)
    low, high = found.interval
    assert -0.042 < low < -0.038 and -0.028 < high < -0.025
    together = found.together(iou(second) - iou(first))
    alone = found.alone
    names = runs.description(runs.find("unet"))["classes"]
    told = {name for name, each in zip(names, together, strict=True) if not each[0] <= 0 <= each[1]}
    by_itself = {name for name, each in zip(names, alone, strict=True) if not each[0] <= 0 <= each[1]}
    assert told == {"fence", "person", "pole"} and by_itself == told | {"road", "pavement"}


def test_the_band_of_all_classes_holds_them_at_once_as_often_as_it_says():
    """Independent normal draws: the largest of K deviations, whose quantile is known."""
    draws = np.random.default_rng(0).normal(0, 1, (20_000, 6)) * [1, 2, 3, 4, 5, 6]
    found = intervals.Bootstrap(10_000, draws.mean(1), draws).together(np.zeros(6))
    z = stats.norm.ppf((1 + 0.95 ** (1 / 6)) / 2)
    np.testing.assert_allclose([high for _, high in found], z * np.arange(1, 7), rtol=0.02)


def test_a_class_that_hardly_any_draw_has_gets_no_interval():
    draws = np.full((100, 2), np.nan)
    draws[:, 0] = np.arange(100)
    draws[:40, 1] = 1
    found = intervals.Bootstrap(20, draws[:, 0], draws)
    assert found.alone[1] is None and found.together(np.zeros(2))[1] is None and found.alone[0] is not None


def seeded(scores, images=20):
    """For each score one class of two that is right in that share of the pixels of every image; the other always is."""
    found = []
    for score in scores:
        matrices = np.zeros((images, 2, 2), np.int64)
        matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1] = round(1000 * score), 1000 - round(1000 * score), 1000
        found.append(matrices)
    return found


def test_over_seeds_both_variances_are_added_up():
    first, second = seeded([0.50, 0.55, 0.60, 0.52]), seeded([0.60, 0.63, 0.71, 0.64])
    scores = [[miou(each.sum(0)) for each in side] for side in (first, second)]
    paired = intervals.over_seeds(first, second, True)  # all images are alike: they add nothing
    apart = [b - a for a, b in zip(*scores, strict=True)]
    theirs = stats.ttest_rel(scores[1], scores[0]).confidence_interval(0.95)
    assert paired.by_seed == pytest.approx(apart) and paired.difference == pytest.approx(statistics.mean(apart))
    assert (paired.low, paired.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    unpaired = intervals.over_seeds(first, second, False)
    welch = stats.ttest_ind(scores[1], scores[0], equal_var=False)
    bounds = welch.confidence_interval(0.95)
    assert unpaired.by_seed == () and unpaired.freedom == pytest.approx(welch.df)
    assert (unpaired.low, unpaired.high) == pytest.approx((bounds.low, bounds.high), abs=1e-9)
    mixed = [each.copy() for each in second]
    for each in mixed:
        each[::2, 0] = [300, 700]
    wider = intervals.over_seeds(first, mixed, True)
    images = intervals.bootstrap(np.sum(first, 0), np.sum(mixed, 0)).error
    spread = statistics.variance(wider.by_seed) / 4
    assert images > 0 and wider.error == pytest.approx(math.sqrt(spread + images**2))
    assert wider.freedom == pytest.approx((spread + images**2) ** 2 / (spread**2 / 3 + images**4 / 19))


def found_in(by, difference, seeds, tries=10_000):
    """How often the rule of `over_seeds` tells a difference from 0, of seeds and images that vary as it is given."""
    rng = np.random.default_rng(0)
    own = [rng.normal(0, math.sqrt(each), (tries, seeds)) for each in by.seeds]
    of_images = by.images + by.both / seeds
    means = difference + sum(each.mean(1) for each in own) + rng.normal(0, math.sqrt(of_images), tries)
    parts = [(each.var(1, ddof=1) / seeds, seeds - 1) for each in own]
    parts.append((of_images * rng.chisquare(by.units - 1, tries) / (by.units - 1), by.units - 1))
    total = sum(part for part, _ in parts)
    freedom = total**2 / sum(part**2 / free for part, free in parts)
    return np.mean(np.abs(means) > stats.t.ppf(0.975, freedom) * np.sqrt(total))


@pytest.mark.parametrize("seeds", [(0.02**2,), (0.004**2,), (0.02**2, 0.01**2), (0.003**2, 0.003**2)])
@pytest.mark.parametrize(("both", "images", "units"), [(0, 0, 50), (0, 0.003**2, 30), (0.002**2, 0.002**2, 10)])
def test_with_so_many_seeds_a_difference_is_found_in_four_of_five_tries(seeds, both, images, units):
    by = intervals.Variances(seeds, both, images, units)
    for difference in (0.01, 0.03):
        count = by.needed(difference)
        assert found_in(by, difference, count) > 0.76
        if count > 2:
            assert found_in(by, difference, count - 1) < 0.82


def test_two_seeds_that_differ_are_hardly_enough_by_student_s_distribution():
    """Normal quantiles would have it that two are."""
    by = intervals.Variances((0.005**2,), 0, 0, 50)
    assert found_in(by, 0.01, 2) < 0.2 and by.needed(0.01) == 5
    assert intervals.Variances((0.005**2,), 0, 0, 50).needed(1) == 2


def test_the_rule_itself_finds_a_difference_as_often_with_so_many_seeds(monkeypatch):
    """Sides made of their seeds' parts and their images': what varies is known, and the rule measures it anew."""
    monkeypatch.setattr(intervals, "VARIANCE_DRAWS", 50)
    slope, rng, images = (miou_of(0.61) - miou_of(0.59)) / 0.02, np.random.default_rng(0), 20
    by = intervals.Variances((2 * (slope * 0.01) ** 2,), 0, (slope * 0.02) ** 2 / images, images)
    goal, tries, told = miou_of(0.62) - miou_of(0.60), 250, 0
    count = by.needed(goal)
    for _ in range(tries):
        sides = [
            [right(far + part + rng.normal(0, 0.01)) for _ in range(count)]
            for far, part in ((0.60, np.zeros(images)), (0.62, rng.normal(0, 0.02, images)))
        ]
        over = intervals.over_seeds(*sides, paired=True, draws=200)
        told += over.low > 0
    assert count > 2 and told / tries == pytest.approx(found_in(by, goal, count), abs=0.07)


def test_where_images_leave_too_much_no_number_of_seeds_will_do():
    assert intervals.Variances((0.02**2,), 0, 0.004**2, 50).needed(0.01) is None  # 2.86 times 0.004 is more than 0.01
    assert intervals.Variances((0.0,), 0, 0.0, 50).needed(0) is None
    assert intervals.Variances((0.0,), 0, 0.0, 50).needed(0.01) == 2


@pytest.mark.parametrize("paired", [True, False])
def test_what_images_leave_is_told_from_what_more_seeds_would_take_away(paired):
    """Scores of an image made of the setting's part, which stays, of the seed's, and of both: all are known."""
    rng, images, seeds = np.random.default_rng(0), 400, 6
    stays = [rng.normal(0, 0.06, images) for _ in range(2)]
    first, second = (
        [right(np.clip(0.6 + part + rng.normal(0, 0.01) + rng.normal(0, 0.08, images), 0, 1)) for _ in range(seeds)]
        for part in stays
    )
    slope = (miou_of(0.61) - miou_of(0.59)) / 0.02
    found = intervals.over_seeds(first, second, paired)
    by = found.variances
    assert by.images == pytest.approx(slope**2 * np.var(stays[1] - stays[0]) / images, rel=0.15)
    scores = [[miou(each.sum(0)) for each in side] for side in (first, second)]
    apart = statistics.variance(b - a for a, b in zip(*scores, strict=True))
    own = slope**2 * 2 * 0.08**2 / images
    of_seeds = apart if paired else sum(map(statistics.variance, scores))
    assert sum(by.seeds) == pytest.approx(of_seeds) and by.units == images
    assert by.both + of_seeds == pytest.approx(of_seeds + own, rel=0.15)
    assert by.of(seeds) == pytest.approx((found.error**2, found.freedom), rel=0.02)


def test_what_each_class_carries_adds_up_to_the_whole(shipped):
    first, second = (each.sum(0) for each in shipped)
    found = intervals.carried(first, second)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found * (miou(second) - miou(first)), (iou(second) - iou(first)) / 11)
    assert np.isnan(intervals.carried(first, first)).all()


def test_where_classes_nearly_cancel_out_none_carries_a_share():
    def matrix(*hits):
        return np.diag(hits) + np.diag([1000 - each for each in hits[:-1]], 1)

    first = matrix(500, 500, 1000)
    for hits in ((600, 395, 1000), (600, 480, 1000), (400, 505, 1000)):
        second = matrix(*hits)
        apart = iou(second) - iou(first)
        cancelled = np.abs(apart).sum() > 10 * abs(apart.sum())
        found = intervals.carried(first, second)
        assert np.isnan(found).all() if cancelled else found.sum() == pytest.approx(1)
        assert cancelled == (hits == (600, 395, 1000)), apart


def test_the_shapes_that_are_drawn():
    draws = np.random.default_rng(0).normal(2, 1, 10_000)
    places, heights = zip(*intervals.density(draws), strict=True)
    assert max(heights) == 1 and abs(places[int(np.argmax(heights))] - 2) < 0.5 and len(places) == 41
    for place, height in intervals.bell(1.0, 0.5, 4):
        assert height == pytest.approx(stats.t.pdf((place - 1) / 0.5, 4) / stats.t.pdf(0, 4))


def test_sides_of_different_images_are_refused(shipped):
    with pytest.raises(ValueError, match="not matrices of the same images"):
        intervals.bootstrap(shipped[0], shipped[1][:9])


@pytest.mark.slow
@pytest.mark.parametrize("images", HELD)
def test_intervals_hold_as_often_as_the_documentation_says(shipped, images):
    """The shipped pair's matrices as the population: draws of so many images, each with its interval."""
    truth = miou(shipped[1].sum(0)) - miou(shipped[0].sum(0))
    rng, held = np.random.default_rng(images), 0
    for n in range(TRIES):
        places = rng.integers(0, 50, images)
        low, high = intervals.bootstrap(*(each[places] for each in shipped), draws=1000, seed=n).interval
        held += low <= truth <= high
    assert held / TRIES == pytest.approx(HELD[images], abs=0.02)


def video(rng, frames):
    """Shares of right pixels of neighboring frames, as CamVid's differ: 0.89 of the variance is that of a process whose
    neighbors correlate by 0.88, the rest each frame's own (`python -m benchmarks.neighbors`)."""
    slow = [rng.normal()]
    for _ in range(frames - 1):
        slow.append(0.88 * slow[-1] + rng.normal(0, math.sqrt(1 - 0.88**2)))
    return 0.02 * (math.sqrt(0.89) * np.array(slow) + math.sqrt(0.11) * rng.normal(size=frames))


def test_the_process_that_stands_for_a_video_has_its_correlations():
    values = video(np.random.default_rng(0), 200_000)
    found = [np.corrcoef(values[:-lag], values[lag:])[0, 1] for lag in (1, 5, 10)]
    assert found == pytest.approx([0.78, 0.47, 0.25], abs=0.02)


@pytest.mark.slow
@pytest.mark.parametrize("block", HELD_IN_VIDEO)
def test_intervals_of_a_video_hold_the_more_often_the_longer_its_blocks(block):
    rng, held, frames = np.random.default_rng(block), 0, 51
    first, goal = right(np.full(frames, 0.6)), miou_of(0.62) - miou_of(0.6)
    for n in range(TRIES):
        second = right(0.62 + video(rng, frames))
        draws = intervals.bootstrap(first, second, block, draws=500, seed=n)
        measured = miou(second.sum(0)) - miou(first.sum(0))
        low, high = draws.interval if draws.units >= verdicts.FEWEST else draws.around(measured)
        held += low <= goal <= high
    assert held / TRIES == pytest.approx(HELD_IN_VIDEO[block], abs=0.03)


@pytest.mark.slow
@pytest.mark.parametrize("seeds", HELD_OVER_SEEDS)
def test_intervals_over_seeds_hold_where_those_from_images_alone_do_not(seeds):
    """Scores made of a seed's part, an image's part and their own: the truth is 0.02."""
    rng = np.random.default_rng(seeds)
    held, alone, images = 0, 0, 30
    goal = miou_of(0.62) - miou_of(0.6)
    for _ in range(TRIES):
        common = rng.normal(0, 0.08, images)
        sides = [
            [0.6 + shift + common + rng.normal(0, 0.02) + rng.normal(0, 0.03, images) for _ in range(seeds)]
            for shift in (0, 0.02)
        ]
        first, second = ([right(np.clip(scores, 0, 1)) for scores in side] for side in sides)
        found = intervals.over_seeds(first, second, True, draws=300)
        low, high = intervals.bootstrap(np.sum(first, 0), np.sum(second, 0), draws=300).interval
        held += found.low <= goal <= found.high
        alone += low <= goal <= high
    assert held / TRIES == pytest.approx(HELD_OVER_SEEDS[seeds], abs=0.02)
    assert alone / TRIES == pytest.approx(0.41, abs=0.03)


def right(shares):
    """int64 (N, 2, 2): images of which so large a share of one class is right."""
    matrices = np.zeros((len(shares), 2, 2), np.int64)
    hits = np.round(10_000 * shares).astype(np.int64)
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1] = hits, 10_000 - hits, 10_000
    return matrices


def miou_of(share):
    return miou(right(np.array([share])).sum(0))
