"""What every predictor must do, and what each one changes."""

import dataclasses

import numpy as np
import pytest
import torch

from seglab import crf, prediction
from seglab.data.base import photograph
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Predictor
from seglab.model import Segmenter, Trained
from seglab.predictors import PUBLISHED, Crf, Flips, Scales, Shift, Windows, bell
from tests.conftest import tiny

PREDICTORS = {name: entry() for name, entry in FAMILIES["predictors"].entries.items()}
PREDICTORS["vertical flips"] = Flips(vertical=True)
NEEDS_CRF = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
CASES = [pytest.param(one, id=name, marks=NEEDS_CRF if name == "crf" else ()) for name, one in PREDICTORS.items()]
each = pytest.mark.parametrize("predictor", CASES)
where_it_looks = pytest.mark.parametrize("predictor", [one for one in CASES if one.id != "shift"])  # which only moves
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def test_published_settings_of_the_crf_are_as_they_were_given():
    found = {each.name: dict(each.crf) for each in PUBLISHED}
    names = "w2", "theta_gamma", "w1", "theta_alpha", "theta_beta", "iterations"
    assert found["pydensecrf"] == dict(zip(names, (3, 3, 10, 80, 13, 5), strict=True))
    assert found["DeepLab v1, VGG-16"] == dict(zip(names, (3, 3, 5, 50, 10, 10), strict=True))
    assert found["DeepLab v2, ResNet-101"] == dict(zip(names, (3, 1, 4, 67, 3, 10), strict=True))
    assert len(found) == 6 and all("http" in each.source for each in PUBLISHED)


def by_colour(image, zoom=1.0):
    """Turns with the image: each pixel's probabilities depend on its colour alone."""
    colours = image.transpose(2, 0, 1).astype(np.float32) + 1
    return colours / colours.sum(0)


def by_column(image):
    """Does not turn with the image: class 1 grows from 0 at the left border to 1 at the right."""
    right = np.broadcast_to(np.linspace(0, 1, image.shape[1], dtype=np.float32), image.shape[:2])
    return np.stack([1 - right, right])


def by_row(image):
    return by_column(image.transpose(1, 0, 2)).transpose(0, 2, 1)


def noise(height, width, seed=0):
    """An image that cannot be written to, as Pillow's arrays cannot."""
    image = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
    image.flags.writeable = False
    return image


def by_place(image, zoom=1.0):
    """Four classes, whose probabilities depend on the pixel's brightness, on its left neighbour's, and on the row."""
    grey = image.mean(-1, dtype=np.float32) / 64
    rows = np.linspace(0, 2, len(grey), dtype=np.float32)[:, None] + np.zeros_like(grey)
    odds = np.exp([grey, 4 - grey, np.roll(grey, 1, axis=1), rows])
    probabilities = (odds / odds.sum(0)).astype(np.float32)
    probabilities.flags.writeable = False
    return probabilities


def certain(image, zoom=1.0):
    """Each pixel surely has the class that its red says, of four."""
    return np.eye(4, dtype=np.float32)[image[..., 0] // 64].transpose(2, 0, 1)


class Shifted:
    """Something that a predictor can stand inside or outside of, with another result."""

    def adapted(self, net):
        return net

    def __call__(self, image, predict):
        return predict(np.roll(image, 3, axis=1))


shifted = Shifted()


class ByPlace(torch.nn.Module):
    """`by_place` as a network, the same at each of its depths."""

    depths = (1, 2, 3, 4)

    def at_depth(self, depth):
        return self

    def ensemble(self):
        return self

    def forward(self, images):
        image = (images[0].permute(1, 2, 0) * 255).round().to(torch.uint8).numpy()
        return torch.from_numpy(np.log(by_place(image)))[None]


@pytest.fixture
def trained(tmp_path):
    config = tiny(image_size=64, model={"name": "unet", "width": 4, "depth": 2})
    model = Segmenter(config.model, 4)
    model.net, model.mean, model.std = ByPlace(), torch.zeros(1), torch.ones(1)
    return Trained(tmp_path, config, tuple("abcd"), ((0, 0, 0),) * 4, model.eval())


def network(trained):
    """What the trained network gives for a view, larger or smaller than in its training."""

    def seen(view, zoom=1.0):
        side = round(zoom * trained.config.image_size)
        return prediction.forward(trained.model, view, side).logits[0].softmax(0).numpy()

    return seen


def test_the_network_sees_the_image_at_the_size_of_its_training(trained):
    np.testing.assert_allclose(network(trained)(noise(64, 64)), by_place(noise(64, 64)), atol=1e-4)


@each
@pytest.mark.parametrize("size", [(37, 53), (53, 37), (16, 16), (1, 9), (5, 1100)], ids=str)
def test_probabilities_stay_probabilities_at_the_size_of_the_image(predictor, size):
    image = noise(*size)
    found = predictor(image, by_place)
    assert found.dtype == np.float32 and found.shape == (4, *size) and isinstance(found, np.ndarray)
    assert found.min() >= 0
    np.testing.assert_allclose(found.sum(0), 1, atol=1e-4)


@each
def test_the_image_and_what_the_network_gave_are_not_changed(predictor):
    image, given = noise(24, 31), []
    predictor(image, lambda view, zoom=1.0: given.append((view, by_place(view))) or given[-1][1])
    assert given and np.array_equal(image, noise(24, 31))
    assert all(np.array_equal(probabilities, by_place(view)) for view, probabilities in given)


@each
def test_the_same_image_gives_the_same_probabilities_again(predictor):
    assert np.array_equal(predictor(noise(24, 31), by_place), predictor(noise(24, 31), by_place))


@each
def test_a_predictor_is_linear_if_the_mean_of_two_networks_becomes_the_mean_of_both(predictor):
    def other(view, zoom=1.0):
        return by_place(255 - view)

    def both(view, zoom=1.0):
        return (by_place(view) + other(view)) / 2

    image = noise(24, 31)
    mean = (predictor(image, by_place) + predictor(image, other)) / 2
    assert np.allclose(predictor(image, both), mean, atol=1e-6) == predictor.linear


@where_it_looks
def test_what_is_certain_everywhere_keeps_its_labels(predictor):
    blocks = np.kron(noise(4, 5), np.ones((8, 8, 1), np.uint8))
    assert np.array_equal(predictor(blocks, certain).argmax(0), certain(blocks).argmax(0))


@pytest.mark.parametrize(("right", "down"), [(2, 0), (0, 3), (-4, -1), (0, 0), (40, -40)])
def test_a_shift_moves_what_was_predicted_and_repeats_the_border(right, down):
    image = noise(8, 12)
    found, straight = Shift(right=right, down=down)(image, by_place), by_place(image)
    for row in range(8):
        for column in range(12):
            there = straight[:, min(max(row - down, 0), 7), min(max(column - right, 0), 11)]
            assert np.array_equal(found[:, row, column], there)


@where_it_looks
def test_the_first_predictor_is_the_innermost(predictor, trained):
    image = noise(64, 64)
    seen = network(trained)
    inside = predictor(image, lambda view, zoom=1.0: shifted(view, lambda part: seen(part, zoom)))
    outside = shifted(image, lambda view: predictor(view, seen))
    changes_only_the_network = type(predictor).__call__ is Predictor.__call__ or isinstance(predictor, Scales)
    assert changes_only_the_network or not np.allclose(inside, outside, atol=1e-3)
    for pipeline, expected in [([shifted, predictor], inside), ([predictor, shifted], outside)]:
        found = prediction.predict(trained, image, pipeline).probabilities
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("first", CASES)
@pytest.mark.parametrize("second", CASES)
def test_two_in_a_row_are_the_second_around_the_first(first, second, trained):
    image = noise(64, 64)
    found = prediction.predict(trained, image, [first, second])
    seen = network(trained)
    expected = second(image, lambda view, zoom=1.0: first(view, lambda part, more=1.0: seen(part, zoom * more)))
    np.testing.assert_allclose(found.probabilities, expected, atol=1e-4)
    assert found.labels.dtype == np.uint8 and np.array_equal(found.labels, found.probabilities.argmax(0))
    np.testing.assert_allclose(found.probabilities.sum(0), 1, atol=1e-4)


@pytest.mark.parametrize("vertical", [False, True])
def test_flips_change_nothing_for_a_network_that_turns_with_the_image(vertical):
    np.testing.assert_array_equal(Flips(vertical=vertical)(IMAGE, by_colour), by_colour(IMAGE))


@pytest.mark.parametrize("vertical", [False, True])
def test_flips_average_left_with_right(vertical):
    np.testing.assert_allclose(Flips(vertical=vertical)(IMAGE, by_column), 0.5, atol=1e-6)


def test_only_vertical_flips_average_top_with_bottom():
    np.testing.assert_array_equal(Flips()(IMAGE, by_row), by_row(IMAGE))
    np.testing.assert_allclose(Flips(vertical=True)(IMAGE, by_row), 0.5, atol=1e-6)


@pytest.mark.parametrize(("vertical", "views"), [(False, 2), (True, 4)])
def test_flips_show_the_network_each_view_once_in_c_order(vertical, views):
    seen = []
    Flips(vertical=vertical)(IMAGE, lambda image: seen.append(image) or by_colour(image))
    assert len({image.tobytes() for image in seen}) == len(seen) == views
    assert all(image.flags.c_contiguous and image.dtype == np.uint8 for image in seen)
    assert any(image is IMAGE for image in seen)  # whose outputs group instances, with no further pass


def test_flips_give_float32_in_c_order():
    result = Flips()(IMAGE, lambda image: by_colour(image).astype(np.float64))
    assert result.dtype == np.float32 and result.flags.c_contiguous


def test_scales_average_what_each_size_gives():
    asked = []

    def seen(image, zoom):
        asked.append(zoom)
        return np.full((2, *image.shape[:2]), zoom, np.float32)

    found = Scales(smallest_scale=0.5, largest_scale=2, scales=4)(IMAGE, seen)
    assert asked == [0.5, 1.0, 1.5, 2.0]
    np.testing.assert_allclose(found, 1.25)


def test_a_network_sees_each_scale_at_its_size(trained, monkeypatch):
    sides = []
    plain = prediction.forward
    monkeypatch.setattr(prediction, "forward", lambda model, view, side: sides.append(side) or plain(model, view, side))
    prediction.predict(trained, noise(64, 64), [Scales(smallest_scale=0.5, largest_scale=2, scales=2)])
    assert sides == [32, 128]


def test_windows_change_nothing_for_a_network_that_looks_at_single_pixels():
    for windows, overlap in ((2, 0.5), (3, 0.0), (5, 0.75)):
        found = Windows(windows=windows, overlap=overlap)(noise(40, 61), by_colour)
        np.testing.assert_allclose(found, by_colour(noise(40, 61)), atol=1e-5)


@pytest.mark.parametrize(
    ("windows", "overlap", "starts"), [(2, 0.5, [0, 20]), (3, 0.0, [0, 20, 40]), (2, 0.0, [0, 30])]
)
def test_windows_are_square_and_cover_the_longer_side_evenly(windows, overlap, starts):
    places = np.zeros((20, 60, 3), np.uint8)
    places[..., 0] = np.arange(60)
    seen = []
    Windows(windows=windows, overlap=overlap)(places, lambda view: seen.append(view) or by_colour(view))
    assert [int(view[0, 0, 0]) for view in seen] == starts
    assert {view.shape[1] for view in seen} == {60 - starts[-1]} and all(len(view) == 20 for view in seen)


def test_windows_are_monais_sliding_window():
    from monai.data.utils import compute_importance_map
    from monai.inferers import sliding_window_inference

    image = noise(48, 64)  # where windows of 32 pixels overlap by half, both place them alike
    weights = compute_importance_map((32,), mode="gaussian", sigma_scale=0.125)
    np.testing.assert_allclose(bell(32), weights, rtol=1e-5)

    def network(views):
        return torch.stack([torch.tensor(by_place(view.permute(1, 2, 0).byte().numpy())) for view in views])

    expected = sliding_window_inference(
        torch.from_numpy(image.transpose(2, 0, 1).astype(np.float32))[None],
        (32, 32),
        2,
        network,
        overlap=0.5,
        roi_weight_map=torch.outer(weights, weights),  # MONAI's own is cut off below as a product, not each factor
    )
    np.testing.assert_allclose(Windows(windows=3, overlap=0.5)(image, by_place), expected[0], atol=1e-6)


def test_in_the_middle_of_a_window_its_own_word_counts_most():
    image, calls = noise(30, 60), iter(range(9))

    def numbered(view):
        probability = np.full(view.shape[:2], next(calls), np.float32)
        return np.stack([probability, 1 - probability])

    found = Windows(windows=2, overlap=0.5)(image, numbered)[0]
    assert found[:, :20].max() == 0 and found[:, 40:].min() == 1  # seen by one window only
    across = found[15, 20:40]
    assert (np.diff(across) > 0).all() and across[0] < 0.05 and across[-1] > 0.95
    np.testing.assert_allclose(across + across[::-1], 1, atol=1e-5)


def test_models_vote_by_the_mean_of_their_probabilities(trained):
    other = dataclasses.replace(trained, model=trained.model.around(torch.nn.Conv2d(3, 4, 1)))
    image = noise(64, 64)
    alone = [prediction.predict(each, image).probabilities for each in (trained, other)]
    assert not np.allclose(*alone, atol=0.05)
    np.testing.assert_allclose(
        prediction.predict(trained, image, (), [other]).probabilities, np.mean(alone, 0), atol=1e-5
    )


def test_models_of_other_classes_cannot_vote_together(trained):
    other = dataclasses.replace(trained, classes=("a", "b", "c", "x"))
    with pytest.raises(SeglabError, match="only models of the same classes can vote together"):
        prediction.predict(trained, noise(64, 64), (), [other])


@NEEDS_CRF
def test_the_crf_refines_what_the_network_predicts_with_its_own_options():
    predictor = Crf(w1=10, theta_alpha=40, theta_beta=20, w2=1, theta_gamma=3, iterations=7)
    expected = crf.refine_here(by_colour(IMAGE), IMAGE, predictor)
    np.testing.assert_array_equal(predictor(IMAGE, by_colour), expected)
    for option in crf.BOUNDS:
        other = predictor.model_copy(update={option: getattr(predictor, option) / 2})
        assert not np.array_equal(other(IMAGE, by_colour), expected), option


def test_every_position_of_a_slider_is_allowed_by_the_crf():
    allowed = {**crf.BOUNDS, "iterations": (0, crf.MOST_ITERATIONS)}
    assert set(Crf.model_fields) == set(allowed)
    for option, field in Crf.model_fields.items():
        limits = {type(limit).__name__: getattr(limit, type(limit).__name__.lower()) for limit in field.metadata}
        assert allowed[option][0] <= limits["Ge"] < limits["Le"] <= allowed[option][1], option


@pytest.mark.parametrize("bad", [{"theta_alpha": 0}, {"w1": float("nan")}, {"iterations": 2.5}, {"sxy": 3}])
def test_options_outside_a_slider_are_refused(bad):
    with pytest.raises(SeglabError, match=next(iter(bad))):
        validated(Predictor, {"name": "crf", **bad})


def test_a_photograph_is_a_sample_without_a_truth():
    sample = photograph(noise(5, 9), "mine.jpg")
    assert sample.name == "mine.jpg" and np.array_equal(sample.image, noise(5, 9))
    assert sample.mask.shape == (5, 9) and sample.mask.dtype == np.uint8 and not sample.mask.any()
    assert sample.instances is None and sample.domain is None
