import numpy as np
import pytest

from seglab import crf
from seglab.entry import Predictor, SeglabError, validated
from seglab.predictors import Crf, Flips

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


@pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
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
