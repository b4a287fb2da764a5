"""What every predictor must do, and what each one changes."""

import numpy as np
import pytest
import torch

from seglab import crf, runs
from seglab import predict as prediction
from seglab.entry import FAMILIES, Predictor, SeglabError, validated
from seglab.model import Segmenter
from seglab.predictors import Crf, Flips
from tests.conftest import tiny

PREDICTORS = {name: entry() for name, entry in FAMILIES["predictors"].entries.items()}
PREDICTORS["vertical flips"] = Flips(vertical=True)
NEEDS_CRF = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
CASES = [pytest.param(one, id=name, marks=NEEDS_CRF if name == "crf" else ()) for name, one in PREDICTORS.items()]
each = pytest.mark.parametrize("predictor", CASES)
IMAGE = np.random.default_rng(0).integers(0, 256, (6, 9, 3), dtype=np.uint8)


def by_colour(image):
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


def by_place(image):
    """Four classes, whose probabilities depend on the pixel's brightness, on its left neighbour's, and on the row."""
    grey = image.mean(-1, dtype=np.float32) / 64
    rows = np.linspace(0, 2, len(grey), dtype=np.float32)[:, None] + np.zeros_like(grey)
    odds = np.exp([grey, 4 - grey, np.roll(grey, 1, axis=1), rows])
    probabilities = (odds / odds.sum(0)).astype(np.float32)
    probabilities.flags.writeable = False
    return probabilities


def certain(image):
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
    return runs.Trained(tmp_path, config, tuple("abcd"), ((0, 0, 0),) * 4, model.eval())


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
    predictor(image, lambda view: given.append((view, by_place(view))) or given[-1][1])
    assert given and np.array_equal(image, noise(24, 31))
    assert all(np.array_equal(probabilities, by_place(view)) for view, probabilities in given)


@each
def test_the_same_image_gives_the_same_probabilities_again(predictor):
    assert np.array_equal(predictor(noise(24, 31), by_place), predictor(noise(24, 31), by_place))


@each
def test_what_is_certain_everywhere_keeps_its_labels(predictor):
    blocks = np.kron(noise(4, 5), np.ones((8, 8, 1), np.uint8))
    assert np.array_equal(predictor(blocks, certain).argmax(0), certain(blocks).argmax(0))


@each
def test_the_first_predictor_is_the_innermost(predictor, trained):
    image = noise(64, 64)
    inside = predictor(image, lambda view: shifted(view, by_place))
    outside = shifted(image, lambda view: predictor(view, by_place))
    changes_only_the_network = type(predictor).__call__ is Predictor.__call__
    assert changes_only_the_network or not np.allclose(inside, outside, atol=1e-3)
    for pipeline, expected in [([shifted, predictor], inside), ([predictor, shifted], outside)]:
        found = prediction.predict(trained, image, pipeline).probabilities
        np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize("first", CASES)
@pytest.mark.parametrize("second", CASES)
def test_two_in_a_row_are_the_second_around_the_first(first, second, trained):
    image = noise(64, 64)
    found = prediction.predict(trained, image, [first, second])
    expected = second(image, lambda view: first(view, by_place))
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


def test_flips_give_float32_in_c_order():
    result = Flips()(IMAGE, lambda image: by_colour(image).astype(np.float64))
    assert result.dtype == np.float32 and result.flags.c_contiguous


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
