"""What is said of a difference, and what is not."""

import numpy as np
import pytest

from seglab.comparison import verdicts
from seglab.comparison.verdicts import verdict
from tests.test_intervals import right

NAMES = ("plain", "new")


def side(mean, seeds=1, images=50, spread=0.0, seed=0, noise=0.05):
    """Images of which about so large a share of one class is right, the same images for every side; seeds apart."""
    common = np.random.default_rng(1).normal(0, 0.1, images)
    rng = np.random.default_rng(seed)
    shifts = spread * np.linspace(-1, 1, seeds) if seeds > 1 else [0]
    return [right(np.clip(mean + shift + common + rng.normal(0, noise, images), 0, 1)) for shift in shifts]


def said(found):
    return "; ".join(map(str, found.sentences))


def test_one_seed_that_can_be_told_apart_speaks_of_two_networks():
    for sign, word in ((1, "higher"), (-1, "lower")):
        found = verdict(NAMES, side(0.5), side(0.5 + sign * 0.1, seed=5))
        assert found.about == "networks" and found.apart and not found.equal and found.seeds == (1, 1)
        assert sign * found.difference > 0 and found.low < found.difference < found.high
        assert found.low > 0 or found.high < 0
        bounds = sorted(f"{abs(each):.3f}" for each in (found.low, found.high))
        assert said(found).startswith(
            f"on these 50 images new is {word} than plain by {abs(found.difference):.3f} "
            f"({bounds[0]} to {bounds[1]} with other images like these); this is about these two trained networks"
        )
        assert found.needed is None and found.agreeing is None and len(found.shape) == 41


def test_one_seed_that_cannot_be_told_apart_is_not_called_equal():
    found = verdict(NAMES, side(0.5, noise=0.2), side(0.5, seed=3, noise=0.2))
    assert found.apart is False and not found.equal and found.low < 0 < found.high
    assert f"cannot be told apart: the difference may lie anywhere from {found.low:+.3f} to {found.high:+.3f}; that "
    assert "that does not make them equal" in said(found) and "smaller than" not in said(found)


def test_what_is_within_a_hundredth_is_equal_for_practical_purposes():
    found = verdict(NAMES, side(0.5), side(0.5))
    assert found.equal and "whatever the difference is, it is smaller than 0.01" in said(found)


def test_few_images_give_a_rough_interval_and_fewer_none():
    found = verdict(NAMES, side(0.5, images=20), side(0.7, images=20, seed=5))
    assert found.apart and "20 images are few, so these bounds are rough" in said(found)
    found = verdict(NAMES, side(0.5, images=9), side(0.7, images=9, seed=5))
    assert (found.apart, found.low, found.high) == (None, None, None) and found.difference > 0.1
    assert said(found) == "9 images are too few to say how far this could vary"


def test_frames_of_a_video_count_as_the_blocks_that_they_are_drawn_in():
    found = verdict(NAMES, side(0.5, images=51), side(0.7, images=51, seed=5), block=17)
    assert found.apart and found.low < found.difference < found.high
    assert "51 frames of a video say little more than 3 images would, so these bounds are rough" in said(found)
    assert found.low + found.high == pytest.approx(2 * found.difference)  # Student's, around it
    plain = verdict(NAMES, side(0.5, images=51), side(0.7, images=51, seed=5))
    assert "few" not in said(plain) and "video" not in said(plain)
    found = verdict(NAMES, side(0.5, images=50), side(0.7, images=50, seed=5), block=17)
    assert found.apart is None and said(found).startswith(
        "50 frames of a video are too few to say how far this could vary: frames within 17 of each other are alike, "
        "and 51 are needed"
    )
    long = verdict(NAMES, side(0.5, images=170), side(0.7, images=170, seed=5), block=17)
    assert long.apart and "170 frames of a video say little more than 10 images" in said(long)
    over = verdict(NAMES, side(0.5, 2, 51), side(0.7, 2, 51, seed=5), True, block=17)
    assert over.apart is not None and "51 frames of a video" in said(over)


@pytest.mark.parametrize("paired", [True, False])
def test_several_seeds_speak_of_two_settings(paired):
    for sign, word in ((1, "higher"), (-1, "lower")):
        found = verdict(NAMES, side(0.5, 3, spread=0.01), side(0.5 + sign * 0.1, 3, spread=0.01, seed=5), paired)
        assert found.about == "settings" and found.apart and found.seeds == (3, 3)
        assert (found.agreeing, len(found.by_seed)) == ((3, 3) if paired else (None, 0))
        assert f"new is {word} than plain by {abs(found.difference):.3f}" in said(found)
        assert said(found).startswith("over 3 seeds and 50 images" if paired else "over 3 seeds of plain, 3 of new")
        assert ("it was so with 3 of 3 seeds" in said(found)) == paired


def test_where_seeds_differ_by_more_it_says_how_many_it_would_take():
    for sign, word in ((1, "higher"), (-1, "lower")):
        found = verdict(NAMES, side(0.5, 3, spread=0.05), side(0.5 + sign * 0.02, 3, spread=-0.05, seed=5), True)
        assert found.apart is False and found.needed > 3
        assert f"new was {word} than plain by" in said(found)
        assert f"takes about {found.needed} seeds of each" in said(found) and "more images" not in said(found)
        assert f"anything from {found.low:+.3f} to {found.high:+.3f} is possible" in said(found)


def test_as_many_seeds_as_are_there_are_not_said_to_be_needed():
    """Of 2 seeds against 10 the first side's variance stands nearly alone, with one degree of freedom."""
    first, second = (
        [right(np.full(20, share)) for share in shares]
        for shares in ((0.49, 0.51), 0.58 + 0.01 * np.sqrt(0.9) * np.tile([-1, 1], 5))
    )
    found = verdict(NAMES, first, second)
    assert found.apart is False and found.needed == 2 and "that can be luck" in said(found)
    assert "takes" not in said(found)


def test_where_the_images_are_too_few_for_any_number_of_seeds_it_says_so():
    rng = np.random.default_rng(0)
    parts = [np.random.default_rng(n).normal(0, 0.2, 20) for n in (1, 2)]  # an image's own, the same for each seed
    first, second = ([right(np.clip(0.5 + part + rng.normal(0, 0.01), 0, 1)) for _ in range(3)] for part in parts)
    found = verdict(NAMES, first, second, True)
    assert found.apart is False and found.needed is None and found.difference
    assert "no number of seeds would show a difference of this size: it takes more images" in said(found)
    assert "seeds of each" not in said(found)


def test_one_seed_against_several_compares_the_first_of_each():
    first, second = side(0.5, 3, spread=0.05), side(0.6, seed=5)
    found = verdict(NAMES, first, second)
    alone = verdict(NAMES, first[:1], second)
    assert found.as_json() == alone.as_json() and found.about == "networks"


def test_the_same_network_before_and_after_has_no_luck_of_training():
    found = verdict(NAMES, side(0.5), side(0.55), same_network=True)
    assert found.about == "predictors" and "so the luck of training plays no part" in said(found)
    assert "another seed" not in said(found)


def test_no_verdict_speaks_of_significance_or_proof():
    import inspect

    text = inspect.getsource(verdicts).lower()
    assert not any(word in text for word in ("significan", "prove", "p-value", "probability that"))


def test_one_matrix_that_is_changed_changes_the_verdict_and_its_words():
    first, second = side(0.5), side(0.6, seed=5)
    before = verdict(NAMES, first, second)
    second[0][3, 0] = [0, 10_000]
    after = verdict(NAMES, first, second)
    assert after.difference != before.difference and said(after) != said(before)


def test_a_verdict_goes_into_json():
    import json

    found = json.loads(json.dumps(verdict(NAMES, side(0.5, 2, spread=0.01), side(0.6, 2, spread=0.01), True).as_json()))
    assert found["about"] == "settings" and found["sentences"][0].startswith("over 2 seeds")
    assert found["by_seed"] and found["agreeing"] == 2


def test_two_sides_that_came_out_the_same_are_not_apart():
    first = side(0.5, 2)
    found = verdict(NAMES, first, [each.copy() for each in first], paired=True)
    assert (found.low, found.difference, found.high) == (0, 0, 0) and found.apart is False and found.agreeing == 0
    assert "nan" not in said(found) and "takes" not in said(found)


def test_where_nothing_is_labeled_there_is_no_verdict():
    blank = [np.zeros((20, 2, 2), np.int64)]
    found = verdict(NAMES, blank, blank)
    assert found.apart is None and "nothing is labeled" in said(found) and found.difference is None


def test_a_class_that_only_one_side_makes_up_is_in_its_interval_as_it_is_in_its_score():
    rng = np.random.default_rng(0)
    first = np.zeros((30, 3, 3), np.int64)
    first[:, 0, 0], first[:, 1, 1] = rng.integers(80, 120, 30), rng.integers(80, 120, 30)
    second = first.copy()
    second[:, 0, 2] = 5
    found = verdict(NAMES, [first], [second])
    assert found.low <= found.difference <= found.high and found.difference < -0.2 and not found.equal


def test_a_network_that_was_not_trained_here_has_no_luck_of_training():
    found = verdict(NAMES, side(0.5), side(0.6, seed=5), fixed=(True, False))
    assert found.sentences[1].template.startswith("{fixed} was not trained here and stays as it is; {run} trained")
    assert found.sentences[1].values == {"fixed": "plain", "run": "new"}
    both = verdict(NAMES, side(0.5), side(0.6, seed=5), fixed=(True, True))
    assert "seed" not in said(both) and "both are networks that were not trained here" in said(both)
    assert (found.difference, found.low, found.high) == (both.difference, both.low, both.high)


def test_a_fixed_network_is_paired_with_each_seed_of_the_other_side():
    one, several = side(0.5), side(0.6, seeds=4, spread=0.02, seed=5)
    found = verdict(NAMES, one, several, fixed=(True, False))
    assert found.about == "settings" and found.seeds == (4, 4) and len(found.by_seed) == 4
    repeated = verdict(NAMES, one * 4, several, paired=True)
    assert (found.low, found.high, found.by_seed) == (repeated.low, repeated.high, repeated.by_seed)
    turned = verdict(NAMES, several, one, fixed=(False, True))
    assert turned.difference == pytest.approx(-found.difference) and turned.about == "settings"
    unsure = verdict(NAMES, one, side(0.505, seeds=3, spread=0.05, seed=5, noise=0.2), fixed=(True, False))
    assert "seeds of each" not in said(unsure)
