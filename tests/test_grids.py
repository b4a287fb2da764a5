"""Many settings at once: against brute force, scikit-learn, closed testing and what was simulated."""

import itertools
import json
import math
import statistics

import numpy as np
import pytest
from PIL import Image
from scipy import stats
from sklearn.metrics import jaccard_score

from seglab import api, runs
from seglab.comparison import compare, intervals
from seglab.comparison.grids import COSTS, Grid, Setting, grid
from seglab.comparison.readings import Side
from tests.conftest import finish, tiny
from tests.test_intervals import miou_of, right

DATA = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}
TOLD_OF_NINE, TOLD_OF_EACH = 0.14, 0.025  # of nine equal settings, as comparison/grids.py and docs/comparing.md have it


def setting(name="one", score=0.5, options=None, **costs):
    scores = score if isinstance(score, tuple) else (score,)
    return Setting(Side(name, ()), options or {}, scores, dict.fromkeys(COSTS) | costs)


def settings(widths=(4, 6), lrs=(1e-3, 3e-3), seeds=(0, 1), **options):
    """A run of each."""
    return [
        finish(
            runs.create(
                tiny(
                    **{
                        "data": DATA,
                        "model": {"name": "unet", "width": width, "depth": 2},
                        "optimizer": {"name": "adamw", "lr": lr},
                        "seed": seed,
                        "epochs": 1,
                    }
                    | options
                )
            )
        )
        for width, lr, seed in itertools.product(widths, lrs, seeds)
    ]


def found(directories):
    return grid(compare(directories), directories)


# --- what can be told apart


def closed(tails, level):
    """Holm's rule by closed testing: told apart where every set of hypotheses with it in it is, by Bonferroni's."""
    every = [s for n in range(1, len(tails) + 1) for s in itertools.combinations(range(len(tails)), n)]
    rejected = {s: min(tails[n] for n in s) <= (1 - level) / len(s) for s in every}
    return [all(rejected[s] for s in every if n in s) for n in range(len(tails))]


def test_holm_s_rule_is_what_closed_testing_by_bonferroni_s_gives():
    rng = np.random.default_rng(0)
    for _ in range(300):
        tails = list(rng.beta(0.3, 4, rng.integers(1, 8)))
        assert intervals.holm(tails) == closed(tails, 0.95)
    assert intervals.holm([0.03, 0.02, 0.01, 0.9]) == [False, False, True, False]
    assert intervals.holm([]) == []


def test_of_images_the_tail_is_below_a_twentieth_where_the_interval_leaves_zero_out():
    rng, both = np.random.default_rng(1), set()
    for shift in np.linspace(-0.08, 0.08, 21):
        shares = np.clip(rng.normal(0.6, 0.1, 20), 0, 1)
        other = np.clip(shares + rng.normal(shift, 0.1, 20), 0, 1)
        draws = intervals.bootstrap(right(shares), right(other), draws=2000)
        low, high = draws.interval
        if min(abs(low), abs(high)) > 1e-3:  # from one draw to the next
            assert (draws.tail < 0.05) == (not low <= 0 <= high)
            both.add(draws.tail < 0.05)
    assert both == {True, False}
    same = intervals.bootstrap(right(shares), right(shares), draws=500)
    assert same.tail == pytest.approx(1)


def test_the_tail_goes_on_falling_where_no_draw_is_beyond_zero():
    rng, tails = np.random.default_rng(3), []
    shares, noise = rng.normal(0.5, 0.05, 10), rng.normal(0, 0.03, 10)
    for shift in (0.02, 0.04, 0.06, 0.1, 0.2, 0.4):
        draws = intervals.bootstrap(right(shares), right(shares + shift + noise))
        tails.append(draws.tail)
        if not (draws.miou <= 0).any():
            apart = miou_of((shares + shift + noise).mean()) - miou_of(shares.mean())
            assert draws.tail <= 1.1 * 2 * stats.t.sf(apart / draws.error, 9)
    assert all(after < before for before, after in itertools.pairwise(tails)) and tails[-1] < 1e-6
    assert intervals.bootstrap(right(np.full(10, 0.5)), right(np.full(10, 0.6))).tail == 0


def test_of_ten_images_and_nine_settings_a_large_difference_is_told_apart_from_the_best():
    """By draws alone no tail would be below what Holm's rule asks of the smallest of eight."""
    rng = np.random.default_rng(4)
    shares = rng.normal(0.7, 0.05, 10)
    tails = [
        intervals.bootstrap(right(shares), right(shares - far + rng.normal(0, 0.03, 10))).tail
        for far in (0.01, 0.01, 0.01, 0.01, 0.3, 0.3, 0.3, 0.3)
    ]
    assert intervals.holm(tails) == [False] * 4 + [True] * 4


@pytest.mark.parametrize(("images", "most"), [(10, 0.075), (30, 0.065)])
def test_of_eight_settings_that_are_equal_to_a_ninth_holm_s_rule_tells_few_apart(images, most):
    """Also of few images, where no draw may be beyond 0 by luck: in about one of twenty tries it tells one or more."""
    rng, some, tries = np.random.default_rng(images), 0, 400
    for n in range(tries):
        common = rng.normal(0.6, 0.08, images)
        sides = [right(np.clip(common + rng.normal(0, 0.04, images), 0, 1)) for _ in range(9)]
        some += any(
            intervals.holm([intervals.bootstrap(sides[0], each, draws=2000, seed=n).tail for each in sides[1:]])
        )
    assert some / tries < most


def test_over_seeds_the_tail_is_that_of_student_s_distribution():
    rng = np.random.default_rng(2)
    for shift in (0, 0.02, 0.1):
        sides = [[right(np.clip(rng.normal(0.6 + far, 0.1, 20), 0, 1)) for _ in range(3)] for far in (0, shift)]
        over = intervals.over_seeds(*sides, paired=True, draws=500)
        assert over.tail == pytest.approx(2 * stats.t.sf(abs(over.difference / over.error), over.freedom))
        assert (over.tail < 0.05) == (not over.low <= 0 <= over.high)
    assert intervals.over_seeds(sides[0], sides[0], paired=True, draws=100).tail == 1


def test_the_largest_of_equal_draws_is_expected_as_far_up_as_tables_have_it():
    """For two and three in closed form, for more against draws and the table that statistics books have."""
    assert intervals.expected_largest(1) == pytest.approx(0, abs=1e-9)
    assert intervals.expected_largest(2) == pytest.approx(1 / math.sqrt(math.pi))
    assert intervals.expected_largest(3) == pytest.approx(1.5 / math.sqrt(math.pi))
    drawn = np.random.default_rng(0).normal(size=(200_000, 9))
    for count, expected in ((4, 1.03), (9, 1.485)):
        assert intervals.expected_largest(count) == pytest.approx(expected, abs=0.005)
        assert intervals.expected_largest(count) == pytest.approx(drawn[:, :count].max(1).mean(), abs=0.01)


def test_of_equal_settings_one_is_told_apart_from_the_best_as_often_as_is_said():
    rng, some, each = np.random.default_rng(0), 0, 0
    for scores in rng.normal(size=(2000, 9)):
        others = [n for n in range(9) if n != scores.argmax()]
        told = intervals.holm([2 * stats.norm.sf((scores.max() - scores[n]) / math.sqrt(2)) for n in others])
        some += any(told)
        each += any(t and n == 0 for n, t in zip(others, told, strict=True))
    assert some / 2000 == pytest.approx(TOLD_OF_NINE, abs=0.02)
    assert each / 2000 == pytest.approx(TOLD_OF_EACH, abs=0.01)


def stored(directory, folder):
    return np.concatenate([np.asarray(Image.open(file)).ravel() for file in sorted((directory / folder).glob("*.png"))])


def test_each_setting_s_numbers_are_those_of_its_files():
    directories = settings()
    of = found(directories)
    assert len(of.settings) == 4 and of.luck is None and not of.notes
    by_name = {each.side.readings[0].directory.name: each for each in of.settings}
    for n in range(0, 8, 2):
        each = by_name[directories[n].name]
        scores = [
            jaccard_score(stored(d, "truth"), stored(d, "predictions"), average="macro") for d in directories[n : n + 2]
        ]
        assert each.scores == pytest.approx(scores, abs=1e-6)
        assert each.mean == pytest.approx(np.mean(scores)) and each.deviation == pytest.approx(np.std(scores, ddof=1))
        seconds = [runs.status(d).finished.seconds for d in directories[n : n + 2]]
        assert each.costs["seconds"] == pytest.approx(statistics.mean(seconds))
    best = max(of.settings, key=lambda each: each.mean)
    assert of.settings[of.best] is best and of.against[of.best] is None and of.told == 3
    tails = []
    for each, against in zip(of.settings, of.against, strict=True):
        if each is best:
            continue
        sides = [[r.confusions() for r in s.side.readings] for s in (best, each)]
        over = intervals.over_seeds(*sides, paired=True)
        assert against.about == "settings" and against.difference == pytest.approx(each.mean - best.mean)
        assert (against.low, against.high) == (over.low, over.high)
        tails.append(over.tail)
    tied = [against.tied for against in of.against if against]
    assert tied == [not told for told in closed(tails, 0.95)]


def test_of_one_seed_each_networks_are_compared_and_luck_is_told():
    of = found([runs.find(name) for name in ("encoder_decoder", "unet", "unet_vgg16")])
    assert of.best == 1 and [against and against.tied for against in of.against] == [False, None, False]
    assert {against.about for against in of.against if against} == {"networks"}
    assert of.luck == pytest.approx(1.5 / math.sqrt(math.pi))
    assert of.frontier("parameters") == [0, 1] and of.layout().columns == ("encoder_decoder", "unet", "unet_vgg16")


def test_one_seed_against_several_is_the_difference_of_the_means_and_not_told_apart(runs_home):
    """The first seeds alone may have another order than the means beside which they would stand."""
    directories = [*settings(lrs=(1e-3,)), *settings(widths=(8, 10), lrs=(1e-3,), seeds=(0,))]
    of = found(directories)
    counts = [len(each.scores) for each in of.settings]
    assert counts == [2, 2, 1, 1]
    best, alone = of.settings[of.best], [each.side.name for each in of.settings[2:]]
    for each, against in zip(of.settings, of.against, strict=True):
        if each is best:
            continue
        assert against.difference == pytest.approx(each.mean - best.mean, abs=1e-9) and against.difference <= 0
        uneven = len(each.scores) != len(best.scores)
        assert (against.low is None, against.tied is None) == (uneven, uneven)
    assert of.told == sum(len(each.scores) == len(best.scores) for each in of.settings) - 1
    note = (
        f"there is only one seed of {', '.join(alone)}, and of others several: what is between them cannot be told "
        "from luck"
    )
    assert list(map(str, of.notes)) == [note]
    written = json.loads(json.dumps(of.as_json()))
    uneven = [n for n, each in enumerate(of.settings) if len(each.scores) != len(best.scores)]
    assert {written["settings"][n]["against"]["reason"] for n in uneven} == {note} and written["notes"] == [note]
    text = str(api.compare(*(each.name for each in directories)))
    assert note in text and text.count(" ?") == len(uneven) and "? not known" in text


def test_settings_of_other_images_or_with_a_leak_are_named_and_left_out(monkeypatch):
    directories = [
        *settings(lrs=(1e-3,), seeds=(0,)),
        *settings(widths=(8,), lrs=(1e-3,), seeds=(0,)),
        *settings(widths=(4,), lrs=(1e-3,), seeds=(0,), data=DATA | {"val_images": 22}),
    ]
    of = found(directories)
    assert of.compared == [0, 1, 2] and of.settings[3].left_out == "images"
    assert [str(note) for note in of.notes][:1] == [
        f"left out, scored on other images than most: {of.settings[3].side.name}"
    ]
    assert of.against[3] is None and of.best != 3 and 3 not in of.frontier("seconds") and of.luck
    from seglab.comparison import scores

    real = scores.leak
    monkeypatch.setattr(scores, "leak", lambda known, path, config: path == directories[0] or real(known, path, config))
    of = found(directories)
    assert of.compared == [1, 2] and of.settings[0].left_out == "leak"
    told = json.loads(json.dumps(of.as_json()))
    assert told["settings"][0]["left_out"] == "leak" and of.settings[0].side.name in told["notes"][1]


def test_of_few_images_or_folds_nothing_is_told_and_why():
    directories = settings(widths=(4, 6, 8), lrs=(1e-3,), seeds=(0,), data=DATA | {"val_images": 8})
    of = found(directories)
    assert of.told == 0 and all(against.tied is None for against in of.against if against)
    assert list(map(str, of.notes)) == ["4 images are too few to say how far this could vary"]
    directories = [
        finish(runs.create(tiny(model={"name": "unet", "width": width, "depth": 2}, fold={"index": n, "of": 2})))
        for width in (4, 5, 6)
        for n in (0, 1)
    ]
    of = found(directories)
    assert len(of.settings) == 3 and of.told == 0 and "folds" in str(of.notes[0])


def test_a_damaged_file_costs_its_own_setting_its_comparison_and_no_other():
    directories = settings(widths=(4, 6, 8), lrs=(1e-3,), seeds=(0,))
    best = found(directories).best
    broken = next(n for n in range(3) if n != best)
    (directories[broken] / "evaluation.npz").write_bytes(b"damaged")
    of = found(directories)
    assert [n for n, each in enumerate(of.against) if each and each.reason] == [broken] and of.told == 1
    assert "evaluation.npz" in str(of.notes[0])


def test_a_run_that_was_not_trained_to_its_end_is_named():
    directories = settings(widths=(4, 6, 8), lrs=(1e-3,), seeds=(0,))
    going = runs.create(tiny(data=DATA, epochs=9, model={"name": "segnet", "width": 4}), "going")
    stream = runs.work(going)
    while not (going / "evaluation.npz").exists():
        next(stream)
    stream.close()
    assert "going was not trained to its end: it has done" in " ".join(map(str, found([*directories, going]).notes))


# --- cost


def test_the_frontier_is_what_no_other_beats():
    rng = np.random.default_rng(3)
    for _ in range(100):
        count = int(rng.integers(1, 12))
        points = [(float(rng.integers(1, 6)), float(rng.integers(1, 6)) / 10) for _ in range(count)]  # with ties
        of = Grid(tuple(setting(f"{n}", score, parameters=cost) for n, (cost, score) in enumerate(points)))
        expected = {
            n
            for n, (cost, score) in enumerate(points)
            if not any(c <= cost and s >= score and (c < cost or s > score) for c, s in points)
        }
        frontier = of.frontier("parameters")
        assert set(frontier) == expected and len(frontier) == len(expected)
        assert [points[n][0] for n in frontier] == sorted(points[n][0] for n in frontier)
    assert Grid((setting(), setting())).frontier("seconds") == []


# --- lines and columns


def laid(*options):
    return Grid(tuple(setting(f"{n}", options=each) for n, each in enumerate(options)))


def test_two_options_are_lines_and_columns_and_one_is_a_line():
    of = laid(*({"model": model, "lr": lr} for model in ("unet", "fcn") for lr in (0.3, 0.1)))
    layout = of.layout()
    assert (layout.down, layout.right, layout.within) == ("model", "lr", ())
    assert layout.lines == ("unet", "fcn") and layout.columns == (0.1, 0.3)  # numbers by size
    assert layout.cells == (((1,), (0,)), ((3,), (2,)))
    layout = laid({"lr": 3}, {"lr": 1}, {"lr": 2}).layout()
    assert (layout.down, layout.right) == (None, "lr") and layout.cells == (((1,), (2,), (0,)),)
    layout = laid({}, {}, {}).layout()
    assert layout.cells == (((0, 1, 2),),)


def test_of_more_options_two_are_picked_and_settings_that_share_a_cell_are_all_listed():
    every = [{"a": a, "b": b, "c": c} for a in (1, 2) for b in (1, 2) for c in (1, 2, 3)]
    of = laid(*every)
    layout = of.layout()
    assert {layout.down, layout.right} == {"a", "c"} and layout.within == ("b",)  # two in a cell, and not three
    for down, across in itertools.permutations("abc", 2):
        layout = of.layout(down, across)
        assert (layout.down, layout.right) == (down, across)
        for line, row in zip(layout.lines, layout.cells, strict=True):
            for column, places in zip(layout.columns, row, strict=True):
                assert {n for n, each in enumerate(every) if (each[down], each[across]) == (line, column)} == set(
                    places
                )
        assert sorted(n for row in layout.cells for cell in row for n in cell) == list(range(12))
    assert of.layout("c").down == "c" and of.layout(right="b").right == "b"
    for nonsense in (("x", "y"), ("a", "a"), ("", None)):
        layout = of.layout(*nonsense)
        assert layout.down != layout.right and {layout.down, layout.right} <= set("abc")


def test_what_begins_from_a_run_is_no_option_of_folds_and_two_settings_are_no_grid():
    assert found(settings(lrs=(1e-3,), seeds=(0,))) is None
    directories = settings(seeds=(0,))
    started = finish(
        runs.create(tiny(data=DATA, epochs=1, init_from=directories[0], optimizer={"name": "adamw", "lr": 1e-3}))
    )
    of = found([*directories, started])
    assert set(of.options) == {"init_from", "optimizer.lr", "model.width"}
    values = {each.options["init_from"] for each in of.settings}
    assert values == {None, directories[0].name}
