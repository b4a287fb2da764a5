import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import psutil
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seglab import crf
from seglab.errors import SeglabError
from seglab.predictors import Crf

ROOT = Path(crf.__file__).parents[1]
needs_pydensecrf = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))


def options(**changes):
    values = {"w1": 4.0, "theta_alpha": 20.0, "theta_beta": 8.0, "w2": 3.0, "theta_gamma": 2.0, "iterations": 5}
    return SimpleNamespace(**{**values, **changes})


def example(classes=3, height=16, width=20, seed=0, noise=4):
    """Probabilities and an image of vertical bands, one colour a class, under noise."""
    rng = np.random.default_rng(seed)
    bands = np.broadcast_to(np.arange(width) * classes // width, (height, width))
    colours = rng.integers(40, 216, (classes, 3))
    image = np.clip(colours[bands] + rng.normal(0, noise, (height, width, 3)), 0, 255).astype(np.uint8)
    logits = rng.normal(size=(classes, height, width)) + (np.arange(classes)[:, None, None] == bands)
    probabilities = np.exp(logits) / np.exp(logits).sum(0)
    return probabilities.astype(np.float32), image


def slow_example(size=640):
    """Noise: with 20 iterations it takes pydensecrf many seconds."""
    rng = np.random.default_rng(0)
    probabilities = rng.random((8, size, size), dtype=np.float32)
    return probabilities / probabilities.sum(0), rng.integers(0, 256, (size, size, 3), dtype=np.uint8)


def exact_steps(probabilities, image, parameters):
    """The mean field over all pairs of pixels, with each kernel's matrix written out: the marginals before the first
    step and after each, and the divergence of each from the CRF's distribution, up to the same constant."""
    classes, height, width = probabilities.shape
    y, x = np.mgrid[:height, :width]
    positions = np.stack([x, y], -1).reshape(-1, 2).astype(float)
    colours = image.reshape(-1, 3).astype(float)

    def kernel(*features):
        distance = sum(((f[:, None] - f[None]) ** 2).sum(-1) for f in features)
        weights = np.exp(-distance / 2)
        scale = 1 / np.sqrt(weights.sum(1))
        return scale[:, None] * weights * scale[None]

    messages = parameters.w1 * kernel(positions / parameters.theta_alpha, colours / parameters.theta_beta)
    messages += parameters.w2 * kernel(positions / parameters.theta_gamma)
    log_p = np.log(np.clip(probabilities.astype(float), 1e-5, 1)).reshape(classes, -1).T
    q = np.exp(log_p) / np.exp(log_p).sum(1, keepdims=True)
    found = [q]
    for _ in range(parameters.iterations):
        q = np.exp(log_p + messages @ q)
        q /= q.sum(1, keepdims=True)
        found.append(q)
    divergences = [(q * (np.log(np.maximum(q, 1e-20)) - log_p)).sum() - 0.5 * (q * (messages @ q)).sum() for q in found]
    return [q.T.reshape(classes, height, width) for q in found], np.array(divergences) / (height * width)


def exact_marginals(probabilities, image, parameters):
    return exact_steps(probabilities, image, parameters)[0][-1]


# --- the values -----------------------------------------------------------------------------------------------------


@needs_pydensecrf
@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"iterations": 10, "theta_beta": 20},
        {"w1": 5, "theta_alpha": 50, "theta_beta": 10, "theta_gamma": 3, "iterations": 10},
        {"w1": 1, "theta_alpha": 5, "w2": 1, "theta_gamma": 1},
        {"w1": 0, "iterations": 8},
        {"w1": 1, "theta_alpha": 8, "theta_beta": 40, "w2": 0, "iterations": 6},
    ],
)
def test_marginals_agree_with_the_exact_mean_field(changes):
    for seed in range(2):
        probabilities, image = example(seed=seed)
        exact = exact_marginals(probabilities, image, options(**changes))
        ours = crf.refine_here(probabilities, image, options(**changes))
        assert (ours.argmax(0) == exact.argmax(0)).all()
        assert np.abs(ours - exact).max() <= 0.03


@needs_pydensecrf
@pytest.mark.parametrize(
    ("flat", "changes", "low", "high"),  # of the largest difference to the exact mean field, at the page's defaults
    [
        (False, {}, 0, 0.3),
        (True, {}, 0, 0.15),
        (False, {"theta_beta": 2.0}, 0.3, 1),  # far below the noise: hardly any pixels are alike
        (True, {"theta_gamma": 0.5}, 0.3, 1),
        (True, {"w1": 20.0}, 0.3, 1),
    ],
)
def test_the_lattice_departs_from_the_exact_mean_field_where_the_docstring_says(flat, changes, low, high):
    parameters = options(**Crf().model_dump(exclude={"name"}) | changes)
    differences = []
    for seed in range(3):
        probabilities, image = example(height=40, width=40, seed=seed, noise=6)
        image = np.full_like(image, 120) if flat else image
        exact = exact_marginals(probabilities, image, parameters)
        differences.append(np.abs(crf.refine_here(probabilities, image, parameters) - exact).max())
    assert low <= max(differences) <= high, differences


@needs_pydensecrf
def test_no_iterations_give_the_clipped_input_normalised():
    probabilities = np.array([[[0.0, 0.5]], [[1.0, 0.25]], [[0.0, 0.25]]], dtype=np.float32)
    refined = crf.refine_here(probabilities, np.zeros((1, 2, 3), np.uint8), options(iterations=0))
    by_hand = [[[1e-5 / 1.00002, 0.5]], [[1 / 1.00002, 0.25]], [[1e-5 / 1.00002, 0.25]]]
    np.testing.assert_allclose(refined, by_hand, rtol=1e-5)


@needs_pydensecrf
def test_one_class_comes_back_as_it_is():
    probabilities, image = np.full((1, 4, 5), 0.3, np.float32), np.zeros((4, 5, 3), np.uint8)
    np.testing.assert_array_equal(crf.refine(probabilities, image, options()), probabilities)
    np.testing.assert_array_equal(crf.refine_here(probabilities, image, options()), probabilities)


@needs_pydensecrf
def test_a_noisy_picture_of_two_regions_gets_more_pixels_right():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:80, :100]
    truth = ((y - 40) ** 2 + (x - 50) ** 2 < 25**2).astype(int)
    image = np.clip(np.where(truth, 180, 70)[..., None] + rng.normal(0, 6, (80, 100, 3)), 0, 255).astype(np.uint8)
    foreground = 1 / (1 + np.exp(-(2 * truth - 1 + rng.normal(0, 1.5, truth.shape))))
    probabilities = np.stack([1 - foreground, foreground])
    before = (probabilities.argmax(0) == truth).mean()
    after = (crf.refine(probabilities, image, Crf()).argmax(0) == truth).mean()
    assert before < 0.8
    assert after > 0.98


@needs_pydensecrf
@pytest.mark.parametrize("shape", [(700, 1100), (1, 5000), (3000, 2)])
def test_a_picture_above_the_limit_is_refined_small_and_enlarged(shape):
    second = np.indices(shape)[np.argmax(shape)] >= max(shape) // 2
    image = np.where(second[..., None], 200, 50).astype(np.uint8).repeat(3, -1)
    noisy = np.where(second, 0.6, 0.4) + np.random.default_rng(0).normal(0, 0.1, shape)
    probabilities = np.stack([1 - noisy, noisy]).clip(0, 1).astype(np.float32)
    refined = crf.refine(probabilities, image, options())
    assert refined.shape == probabilities.shape
    np.testing.assert_allclose(refined.sum(0), 1, atol=1e-5)
    assert ((refined[1] > 0.5) == second).mean() > 0.98 > ((probabilities[1] > 0.5) == second).mean()


@needs_pydensecrf
def test_widths_shrink_with_a_picture_above_the_limit(monkeypatch):
    seen = {}
    monkeypatch.setattr(crf, "_marginals", lambda p, i, **options: seen.update(options, size=p.shape) or p)
    probabilities, image = np.full((2, 2048, 512), 0.5, np.float32), np.zeros((2048, 512, 3), np.uint8)
    crf.refine_here(probabilities, image, options(theta_alpha=20, theta_gamma=0.75))
    assert seen["size"] == (2, 1024, 256)
    assert (seen["theta_alpha"], seen["theta_gamma"], seen["theta_beta"]) == (10, 0.5, 8)


# --- step by step -----------------------------------------------------------------------------------------------------


@needs_pydensecrf
@pytest.mark.parametrize("shape", [(16, 20), (700, 1100)])
def test_every_step_is_what_so_many_iterations_give(shape):
    probabilities, image = example(height=shape[0], width=shape[1])
    found = crf.steps(probabilities, image, options(iterations=4))
    assert found.labels.dtype == np.uint8 and found.labels.shape == (5, *shape) and len(found.divergence) == 5
    assert (found.labels[0] == probabilities.argmax(0)).all()
    for n in range(1, 5):
        refined = crf.refine(probabilities, image, options(iterations=n))
        assert (found.labels[n] == refined.argmax(0)).all()


@needs_pydensecrf
@pytest.mark.parametrize("changes", [{}, {"w1": 0}, {"w2": 0, "theta_beta": 20}, {"w1": 0, "w2": 0}])
def test_the_divergence_is_that_of_all_pairs_of_pixels(changes):
    for seed in range(3):
        probabilities, image = example(seed=seed)
        found = crf.steps(probabilities, image, options(**changes))
        _, exact = exact_steps(probabilities, image, options(**changes))
        np.testing.assert_allclose(found.divergence, exact, atol=0.03)
        if changes.get("w1", 1) or changes.get("w2", 1):
            assert (np.diff(found.divergence[:3]) < 0).all()


@needs_pydensecrf
@pytest.mark.parametrize("changes", [{}, {"iterations": 1}, {"w1": 20, "w2": 20}, {"w1": 100, "w2": 100}])
def test_the_divergence_is_the_same_where_pydensecrf_is_asked_for_it_at_every_step(changes):
    for seed in range(2):
        probabilities, image = example(classes=5, height=40, width=50, seed=seed)
        labels, found = crf._stepped(probabilities, image, options(**changes))
        same, every = crf._stepped(probabilities, image, options(**changes), each=True)
        np.testing.assert_allclose(found, every, rtol=1e-4, atol=1e-4)
        assert (labels == same).all()


@needs_pydensecrf
def test_without_kernels_the_divergence_is_that_from_the_probabilities():
    probabilities, image = example()
    found = crf.steps(probabilities, image, options(w1=0, w2=0))
    np.testing.assert_allclose(found.divergence, 0, atol=1e-4)  # they sum to 1, so the constant is 0


@needs_pydensecrf
def test_one_class_has_steps_that_change_nothing():
    found = crf.steps(np.full((1, 4, 5), 0.3, np.float32), np.zeros((4, 5, 3), np.uint8), options(iterations=2))
    assert found.labels.shape == (3, 4, 5) and not found.labels.any() and found.divergence == (0, 0, 0)


# --- the guard ------------------------------------------------------------------------------------------------------


@needs_pydensecrf
def test_read_only_strided_and_wider_arrays_are_accepted():
    probabilities, image = example()
    expected = crf.refine(probabilities, image, options())
    frozen = image.copy()
    frozen.setflags(write=False)
    fortran = np.asfortranarray(probabilities)
    mirrored = np.ascontiguousarray(image[:, ::-1])[:, ::-1]
    read_only = np.frombuffer(probabilities.tobytes(), np.float32).reshape(probabilities.shape)
    for p, i in [(probabilities.astype(np.float64), frozen), (fortran, mirrored), (read_only, image)]:
        np.testing.assert_array_equal(crf.refine(p, i, options()), expected)
    halves = crf.refine(probabilities.astype(np.float16), image, options())
    np.testing.assert_allclose(halves, expected, atol=0.02)


GOOD_IMAGE = np.zeros((4, 5, 3), np.uint8)
GOOD = np.full((2, 4, 5), 0.5, np.float32)


def spoiled(value):
    probabilities = GOOD.copy()
    probabilities[1, 2, 3] = value
    return probabilities


@pytest.mark.parametrize(
    "call",
    [
        crf.refine_here,
        *(pytest.param(call, marks=needs_pydensecrf) for call in (crf.refine, crf.steps)),
    ],
)
@pytest.mark.parametrize(
    ("probabilities", "image", "changes", "words"),
    [
        (GOOD, GOOD_IMAGE, {"w1": -0.1}, "w1: -0.1 is not allowed; allowed: 0 to 100"),
        (GOOD, GOOD_IMAGE, {"w2": 101}, "w2: 101 is not allowed; allowed: 0 to 100"),
        (GOOD, GOOD_IMAGE, {"theta_alpha": 0}, "theta_alpha: 0 is not allowed; allowed: 0.5 to 500"),
        (GOOD, GOOD_IMAGE, {"theta_alpha": 1e-30}, "theta_alpha: 1e-30 is not allowed"),
        (GOOD, GOOD_IMAGE, {"theta_beta": float("nan")}, "theta_beta: nan is not allowed; allowed: 0.5 to 255"),
        (GOOD, GOOD_IMAGE, {"theta_beta": 256}, "theta_beta: 256 is not allowed; allowed: 0.5 to 255"),
        (GOOD, GOOD_IMAGE, {"theta_gamma": float("inf")}, "theta_gamma: inf is not allowed; allowed: 0.5 to 500"),
        (GOOD, GOOD_IMAGE, {"theta_gamma": "2"}, "theta_gamma: '2' is not allowed"),
        (GOOD, GOOD_IMAGE, {"w1": True}, "w1: True is not allowed"),
        (GOOD, GOOD_IMAGE, {"w1": np.bool_(True)}, "w1: np.True_ is not allowed"),
        (GOOD, GOOD_IMAGE, {"w2": [3.0]}, "w2: [3.0] is not allowed"),
        (GOOD, GOOD_IMAGE, {"iterations": 21}, "iterations: 21 is not allowed; allowed: 0 to 20"),
        (GOOD, GOOD_IMAGE, {"iterations": -1}, "iterations: -1 is not allowed; allowed: 0 to 20"),
        (GOOD, GOOD_IMAGE, {"iterations": 2.5}, "iterations: 2.5 is not a whole number"),
        (GOOD, GOOD_IMAGE, {"iterations": float("inf")}, "iterations: inf is not allowed"),
        (GOOD, GOOD_IMAGE, {"iterations": True}, "iterations: True is not allowed"),
        (GOOD, GOOD_IMAGE.astype(np.float32), {}, "image: float32 (4, 5, 3) was given; allowed: uint8"),
        (GOOD, GOOD_IMAGE[..., 0], {}, "image: uint8 (4, 5) was given; allowed: uint8 (height, width, 3)"),
        (GOOD, np.zeros((4, 5, 4), np.uint8), {}, "image: uint8 (4, 5, 4) was given"),
        (GOOD[:, :0], GOOD_IMAGE[:0], {}, "image: uint8 (0, 5, 3) was given"),
        (GOOD, GOOD_IMAGE.tolist(), {}, "image: list was given"),
        (GOOD.tolist(), GOOD_IMAGE, {}, "probabilities: list was given; allowed: floating point"),
        (GOOD[0], GOOD_IMAGE, {}, "probabilities: float32 (4, 5) was given"),
        (GOOD.astype(np.int64), GOOD_IMAGE, {}, "probabilities: int64 (2, 4, 5) was given"),
        (GOOD.astype(complex), GOOD_IMAGE, {}, "probabilities: complex128 (2, 4, 5) was given"),
        (GOOD[:, :3], GOOD_IMAGE, {}, "probabilities are 5 x 3 pixels and the image is 5 x 4 pixels"),
        (GOOD.transpose(0, 2, 1), GOOD_IMAGE, {}, "probabilities are 4 x 5 pixels and the image is 5 x 4 pixels"),
        (GOOD[:0], GOOD_IMAGE, {}, "classes: 0 is not allowed; allowed: 1 to 64"),
        (np.full((65, 4, 5), 1 / 65), GOOD_IMAGE, {}, "classes: 65 is not allowed; allowed: 1 to 64"),
        (spoiled(np.nan), GOOD_IMAGE, {}, "probabilities: nan is not allowed; allowed: 0 to 1"),
        (spoiled(-np.inf), GOOD_IMAGE, {}, "probabilities: -inf is not allowed; allowed: 0 to 1"),
        (spoiled(1.01), GOOD_IMAGE, {}, "probabilities: 1.0"),
        (spoiled(-0.01), GOOD_IMAGE, {}, "probabilities: -0.0"),
        (np.full((2, 4, 5), 1e300), GOOD_IMAGE, {}, "probabilities: inf is not allowed; allowed: 0 to 1"),
    ],
)
def test_what_is_not_allowed_is_named_and_refused(call, probabilities, image, changes, words):
    with pytest.raises(SeglabError) as error:
        call(probabilities, image, options(**changes))
    assert words in str(error.value)


@needs_pydensecrf
def test_a_telephone_s_photograph_is_refined_at_its_own_size():
    height, width = 2000, 2400
    probabilities = np.full((11, height, width), 0.02, np.float32)
    probabilities[0, :, :1200], probabilities[1, :, 1200:] = 0.82, 0.82
    image = np.zeros((height, width, 3), np.uint8)
    image[:, 1200:] = 255
    marginals = crf.refine(probabilities, image, options())
    assert marginals.shape == probabilities.shape
    assert (marginals.argmax(0) == (np.arange(width) >= 1200)).mean() > 0.99


@needs_pydensecrf
def test_rounding_outside_zero_to_one_is_clipped():
    spoilt, clean = spoiled(1.0005), spoiled(1.0)
    np.testing.assert_array_equal(
        crf.refine_here(spoilt, GOOD_IMAGE, options()), crf.refine_here(clean, GOOD_IMAGE, options())
    )


def mostly(usual, odd):
    """One draw in ten or so from what a careless caller might give."""
    return st.integers(0, 9).flatmap(lambda draw: odd if draw == 9 else usual)


def around(usual, lowest, highest):
    odd = [lowest, highest, lowest - 1, highest + 1, 0, -0.0, 1e-30, 1e-5, np.nan, np.inf, -np.inf, 10**400, True]
    odd += [2.0, 2.5, None, "3", [3], np.float32(lowest), np.int64(highest), np.array(2.0)]
    return mostly(usual, st.sampled_from(odd))


PARAMETERS = st.builds(
    options,
    **{thing: around(st.floats(*bounds), *bounds) for thing, bounds in crf.BOUNDS.items()},
    iterations=around(st.integers(0, 20), 0, 20),
)


@st.composite
def pictures(draw):
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    classes = draw(mostly(st.integers(2, 8), st.sampled_from([0, 1, 64, 65])))
    height, width = (draw(mostly(st.integers(1, 14), st.just(0))) for _ in range(2))
    p = rng.random((classes, height, width)) ** draw(st.sampled_from([1, 30]))
    p = p / np.maximum(p.sum(0), 1e-9)
    if p.size and draw(mostly(st.just(False), st.just(True))):
        p.flat[rng.integers(p.size)] = draw(st.sampled_from([np.nan, np.inf, -np.inf, -1, 2, 1.0005, 1e-40, 1e300]))
    odd = st.sampled_from([np.float16, np.longdouble, np.int32])
    with np.errstate(all="ignore"):
        p = p.astype(draw(mostly(st.sampled_from([np.float32, np.float64]), odd)))
    channels = draw(mostly(st.just(3), st.sampled_from([1, 4])))
    image = (rng.random((height, width, channels)) * draw(st.sampled_from([0, 255]))).astype(np.uint8)
    odd = st.sampled_from([image.astype(np.float32), image[:-1], image[..., 0], image.tolist()])
    image = draw(mostly(st.sampled_from([image, image[::-1]]), odd))
    return draw(st.sampled_from([p, p[:, ::-1]])), image


def neither_dies_nor_lies(picture, parameters):
    before = crf._child.process and crf._child.process.pid
    try:
        refined = crf.refine(*picture, parameters)
    except SeglabError as error:
        assert "crashed" not in str(error) and "failed" not in str(error)
    else:
        assert refined.dtype == np.float32 and refined.shape == picture[0].shape
        assert np.isfinite(refined).all()
        if len(refined) > 1:
            np.testing.assert_allclose(refined.sum(0), 1, atol=1e-4)
    assert before is None or crf._child.process.pid == before


@needs_pydensecrf
@settings(max_examples=200, deadline=None, database=None)
@given(picture=pictures(), parameters=PARAMETERS)
def test_no_input_kills_the_process(picture, parameters):
    neither_dies_nor_lies(picture, parameters)


@needs_pydensecrf
@pytest.mark.slow
@settings(max_examples=2000, deadline=None, database=None)
@given(picture=pictures(), parameters=PARAMETERS)
def test_two_thousand_inputs_do_not_kill_the_process(picture, parameters):
    neither_dies_nor_lies(picture, parameters)


# --- the child process ----------------------------------------------------------------------------------------------


@needs_pydensecrf
@pytest.mark.parametrize(("classes", "height", "width"), [(2, 1, 1), (3, 16, 20), (11, 120, 160), (64, 30, 20)])
def test_the_child_gives_the_same_bits(classes, height, width):
    probabilities, image = example(classes, height, width)
    refined = crf.refine(probabilities, image, Crf())
    np.testing.assert_array_equal(refined, crf.refine_here(probabilities, image, Crf()))
    assert refined.dtype == np.float32 and refined.flags.c_contiguous and refined.flags.writeable


@needs_pydensecrf
def test_the_child_is_killed_at_the_deadline_and_the_next_call_works():
    process = crf._child.process
    with pytest.raises(SeglabError, match=r"stopped after 0\.8 s"):  # one that ended by itself would have answered
        crf.refine(*slow_example(), options(iterations=20), deadline=0.8)
    with pytest.raises(SeglabError, match=r"stopped after 0\.8 s"):
        crf.steps(*slow_example(), options(iterations=20), deadline=0.8)
    assert crf._child.process is None and (process is None or process.returncode is not None)

    probabilities, image = example()
    np.testing.assert_array_equal(
        crf.refine(probabilities, image, options()), crf.refine_here(probabilities, image, options())
    )


def idle_process(seconds):
    code = f"import time; time.sleep({seconds})"
    return subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)


@needs_pydensecrf
def test_a_child_that_never_takes_the_job_is_killed_at_the_deadline(monkeypatch):
    crf._child.stop()
    started = []
    monkeypatch.setattr(crf, "_started", lambda: started.append(idle_process(3600)) or started[-1])  # not for an hour
    with pytest.raises(SeglabError, match=r"stopped after 0\.5 s"):
        crf.refine(*slow_example(200), options(), deadline=0.5)
    assert [process.returncode for process in started] == [-signal.SIGKILL]


@needs_pydensecrf
def test_a_child_that_dies_twice_is_an_error(monkeypatch):
    crf._child.stop()
    starts = []
    monkeypatch.setattr(crf, "_started", lambda: starts.append(1) or idle_process(0))
    with pytest.raises(SeglabError, match="crashed on this image, twice"):
        crf.refine(*example(), options())
    assert len(starts) == 2


@needs_pydensecrf
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_killed_between_calls_is_replaced(how):
    probabilities, image = example()
    expected = crf.refine(probabilities, image, options())
    pid = crf._child.process.pid
    os.kill(pid, how)
    np.testing.assert_array_equal(crf.refine(probabilities, image, options()), expected)
    assert crf._child.process.pid != pid


@needs_pydensecrf
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSEGV])
def test_a_child_killed_during_a_call_is_replaced_and_the_call_answers(how):
    crf.refine(*example(), options())
    pid = crf._child.process.pid
    threading.Timer(0.2, os.kill, (pid, how)).start()
    refined = crf.refine(*slow_example(256), options())
    assert np.isfinite(refined).all()
    assert crf._child.process.pid != pid


@needs_pydensecrf
def test_an_error_in_the_child_reaches_the_caller(monkeypatch):
    # The guard is switched off on this side only, so that the child's refuses.
    monkeypatch.setattr(crf, "_checked", lambda p, i, o: (p, i, vars(o)))
    with pytest.raises(SeglabError, match="probabilities: nan is not allowed") as error:
        crf.refine(spoiled(np.nan), GOOD_IMAGE, options())
    assert error.value.template == crf.RANGE and error.value.values["thing"] == "probabilities"
    with pytest.raises(SeglabError, match="the dense CRF failed: AttributeError"):
        crf.refine(GOOD, GOOD_IMAGE, SimpleNamespace(w1=1))


@needs_pydensecrf
def test_threads_get_their_own_answers():
    pictures = [example(seed=seed, height=40, width=50) for seed in range(6)]
    answers = [None] * len(pictures)

    def ask(index):
        answers[index] = crf.refine(*pictures[index], options())

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(len(pictures))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for picture, answer in zip(pictures, answers, strict=True):
        np.testing.assert_array_equal(answer, crf.refine_here(*picture, options()))


@needs_pydensecrf
def test_a_call_waits_for_its_turn_as_long_as_its_deadline():
    with crf._child.turn, pytest.raises(SeglabError, match=r"busy for 0\.2 s"):
        crf.refine(*example(), options(), deadline=0.2)


def run_script(code):
    start = "import os, signal, sys; import numpy as np; from seglab import crf; from seglab.predictors import Crf\n"
    start += "p, i = np.full((2, 30, 40), 0.5, np.float32), np.zeros((30, 40, 3), np.uint8)\n"
    return subprocess.run([sys.executable, "-c", start + code], cwd=ROOT, capture_output=True, text=True, timeout=60)


def gone(pid, within=60.0):
    ends = time.monotonic() + within
    while time.monotonic() < ends:
        if not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.05)
    return False


@needs_pydensecrf
@pytest.mark.parametrize("end", ["", "os.kill(os.getpid(), signal.SIGKILL)", "os._exit(0)"])
def test_the_child_ends_with_its_parent(end):
    done = run_script(f"crf.refine(p, i, Crf()); print(crf._child.process.pid, flush=True)\n{end}")
    assert gone(int(done.stdout))


@needs_pydensecrf
@pytest.mark.skipif(not hasattr(os, "fork"), reason="fork is not on this system")
def test_a_forked_copy_gets_a_child_of_its_own():
    done = run_script(
        "crf.refine(p, i, Crf()); first = crf._child.process.pid\n"
        "copy = os.fork()\n"
        "if copy == 0:\n"
        "    crf.refine(p, i, Crf()); same = crf._child.process.pid == first; crf._child.stop(); os._exit(same)\n"
        "status = os.waitpid(copy, 0)[1]\n"
        "crf.refine(p, i, Crf()); print(status, crf._child.process.pid == first)"
    )
    assert done.stdout.split() == ["0", "True"], done.stderr


def test_importing_the_module_loads_nothing_heavy():
    done = run_script("print([m for m in ('torch', 'cv2', 'gradio', 'pydensecrf') if m in sys.modules])")
    assert done.stdout.strip() == "[]", done.stderr


# --- without pydensecrf ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "python, commands",
    [
        ((3, 12), "builds: pip install pydensecrf2"),
        ((3, 13), "pip install Cython~=3.0 setuptools wheel, and then pip install --no-build-isolation pydensecrf2"),
    ],
)
def test_without_pydensecrf_the_error_says_what_to_install(python, commands, monkeypatch):
    monkeypatch.setitem(sys.modules, "pydensecrf", None)
    monkeypatch.setitem(sys.modules, "pydensecrf.densecrf", None)
    monkeypatch.setattr(sys, "version_info", python)
    for call in (crf.refine, crf.refine_here, crf.steps):
        with pytest.raises(SeglabError, match=f"needs pydensecrf2.* {commands}$"):
            call(*example(), options())
