"""What every technique must do, and what each one changes."""

import copy

import numpy as np
import pytest
import torch

from seglab import train as training
from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.data.base import Sample
from seglab.entry import FAMILIES, SeglabError
from seglab.loader import random
from seglab.techniques.augmentation import Augmentation, Color, Crop, Flip, Rotate
from tests.conftest import tiny

TECHNIQUES = FAMILIES["techniques"].entries
AUGMENTATIONS = {name: entry for name, entry in TECHNIQUES.items() if issubclass(entry, Augmentation)}


def coded(height=96, width=128, instances=True):
    """A sample whose colours encode its labels and instances, so that it shows when the three come apart."""
    rng = np.random.default_rng(0)
    mask = np.kron(rng.integers(0, 8, (height // 16, width // 16)), np.ones((16, 16))).astype(np.uint8)
    ids = np.kron(rng.integers(0, 300, (height // 16, width // 16)), np.ones((16, 16))).astype(np.int32)
    image = np.stack([mask * 30, (ids % 16 * 15).astype(np.uint8), (ids // 16 * 12).astype(np.uint8)], -1)
    return Sample(image, mask, ids if instances else None)


@pytest.mark.parametrize("name", [name for name in AUGMENTATIONS if name != "color"])  # the code is in the colours
@pytest.mark.parametrize("instances", [True, False])
def test_image_mask_and_instances_stay_aligned(name, instances):
    hooks = AUGMENTATIONS[name](p=1.0).start(None)
    for seed in range(20):
        before = coded(instances=instances)
        after = hooks.on_sample(before, random(seed))
        assert after.image.dtype == np.uint8 and after.mask.dtype == np.uint8
        assert after.image.shape[:2] == after.mask.shape == before.mask.shape
        assert set(np.unique(after.mask)) <= set(np.unique(before.mask)) | {255}
        seen = after.mask != 255
        right = np.abs(after.image[..., 0].astype(int) - after.mask * 30.0) < 15
        assert right[seen].mean() > 0.9  # pixels at the blocks' borders are blends
        if instances:
            assert after.instances.dtype == np.int32
            assert set(np.unique(after.instances)) <= set(np.unique(before.instances)) | {0}
            decoded = np.round(after.image[..., 1] / 15) + 16 * np.round(after.image[..., 2] / 12)
            assert (decoded == after.instances)[seen].mean() > 0.85
            assert not after.instances[~seen].any()


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_is_the_same_for_the_same_seed_and_another_for_another(name):
    hooks = AUGMENTATIONS[name](p=1.0 if name != "flip" else 0.5).start(None)
    rng = np.random.default_rng(0)
    sample = Sample(rng.integers(0, 255, (32, 48, 3), np.uint8), rng.integers(0, 5, (32, 48)).astype(np.uint8))
    first, again = (hooks.on_sample(sample, random(1)) for _ in range(2))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.mask, again.mask)
    others = [hooks.on_sample(sample, random(seed)).image for seed in range(12)]
    assert any(not np.array_equal(first.image, other) for other in others)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_with_probability_zero_changes_nothing(name):
    hooks = AUGMENTATIONS[name](p=0.0).start(None)
    before = coded()
    after = hooks.on_sample(before, random(3))
    for part in ("image", "mask", "instances"):
        assert np.array_equal(getattr(before, part), getattr(after, part))


def test_flip_mirrors_left_and_right():
    before = coded()
    after = Flip(p=1).start(None).on_sample(before, random(0))
    assert np.array_equal(after.image, before.image[:, ::-1]) and np.array_equal(
        after.instances, before.instances[:, ::-1]
    )


def test_rotate_fills_the_corners_with_void():
    after = Rotate(p=1, degrees=45).start(None).on_sample(coded(64, 64), random(5))
    assert (after.mask[0, 0], after.mask[-1, -1]) == (255, 255) and after.instances[0, 0] == 0


def test_crop_enlarges():
    after = Crop(p=1, smallest=0.2).start(None).on_sample(coded(64, 64), random(2))
    changes = (np.diff(after.mask.astype(int), axis=1) != 0).sum()
    assert 0 < changes < (np.diff(coded(64, 64).mask.astype(int), axis=1) != 0).sum()


def test_color_moves_nothing():
    before = coded()
    after = Color(p=1).start(None).on_sample(before, random(0))
    assert np.array_equal(after.mask, before.mask) and np.array_equal(after.instances, before.instances)
    assert not np.array_equal(after.image, before.image)


def test_ema_keeps_the_exponential_average_of_the_weights():
    run = training.Run(tiny(techniques=[{"name": "ema", "decay": 0.9}], optimizer={"name": "sgd", "lr": 0.1}))
    hooks = run.hooks["ema"]
    name, expected = "net.classifier.weight", None
    for n in range(5):
        run.advance(run.batch(0, [n, n + 1]))
        weights = run.model.state_dict()[name].clone()
        expected = weights if expected is None else 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(hooks.on_eval(run.model).state_dict()[name], expected)
    assert run.evaluated_model() is not run.model


@pytest.mark.parametrize("names", [[name] for name in TECHNIQUES] + [["flip", "ema"], ["crop", "color"]], ids="+".join)
def test_a_run_resumed_with_the_technique_ends_with_the_same_weights(names):
    config = tiny(techniques=names)
    whole = training.Run(config)
    list(training.train(whole))

    first = training.Run(config)
    for _ in training.train(first):
        if first.step >= first.steps_per_epoch and first.evaluations:
            break
    second = training.Run(config)
    second.load_state_dict(first.state_dict())
    list(training.train(second))
    assert second.step == whole.step
    for name, value in whole.evaluated_model().state_dict().items():
        assert torch.equal(value, second.evaluated_model().state_dict()[name]), name


DROPPING = {"name": "eff_unet", "encoder": "lite0", "width": 4, "drop_path": 0.5}


def states(run):
    """The weights and statistics of each stage of the encoder, and of the rest."""
    stages = run.model.net.stages()
    encoder = {id(value) for stage in stages for value in stage.state_dict(keep_vars=True).values()}
    rest = {n: v.clone() for n, v in run.model.state_dict(keep_vars=True).items() if id(v) not in encoder}
    return [*(copy.deepcopy(stage.state_dict()) for stage in stages), rest]


def unchanged(before, after):
    return [all(torch.equal(old[name], new[name]) for name in old) for old, new in zip(before, after, strict=True)]


@pytest.mark.parametrize("model", [{"name": "unet", "width": 4, "depth": 3}, DROPPING], ids=["unet", "eff_unet"])
@pytest.mark.parametrize("frozen", [1, 3])
def test_frozen_stages_keep_weights_and_statistics_while_all_others_learn(model, frozen):
    run = training.Run(tiny(model=model, techniques=[{"name": "freeze", "stages": frozen}]))
    before, events = states(run), 0
    for _ in training.train(run):
        events += 1
    assert events >= 4 and run.step == run.total_steps
    assert unchanged(before, states(run)) == [number < frozen for number in range(len(before))]


def test_stages_thaw_after_their_epochs_also_in_a_resumed_run():
    config = tiny(techniques=[{"name": "freeze", "stages": 2, "until": 1}])
    run = training.Run(config)
    before, frozen = states(run), []
    for event in training.train(run):
        if event.kind == "evaluated":
            frozen.append(unchanged(before, states(run))[:2])
    assert frozen == [[True, True], [False, False]]
    resumed = training.Run(config)
    resumed.load_state_dict(run.state_dict())
    resumed.hooks["freeze"].on_epoch(1)
    assert all(parameter.requires_grad for parameter in resumed.model.parameters())


@torch.no_grad()
def test_frozen_stages_drop_nothing_while_the_others_do():
    run = training.Run(tiny(model=DROPPING, techniques=[{"name": "freeze", "stages": 4}]))
    run.hooks["freeze"].on_epoch(0)
    batch, seen = run.batch(0, [0, 1, 2, 3]), []

    def inner(batch):
        modules = run.model.net.modules()
        for module in (each for each in modules if isinstance(each, torch.nn.BatchNorm2d)):
            module.eval()  # whose statistics would change the features too
        seen.append([run.model.net.encoder(batch.images)[1:] for _ in range(2)])
        return {}

    run.model.train()
    run.hooks["freeze"].objective(batch, inner)
    first, second = seen[0]
    assert [torch.equal(one, other) for one, other in zip(first, second, strict=True)] == [True] * 4 + [False]


def test_more_frozen_stages_than_there_are_is_refused():
    with pytest.raises(SeglabError, match=r"freeze.stages: 4 is too many; the encoder of unet has 3 stages"):
        training.Run(tiny(techniques=[{"name": "freeze", "stages": 4}]))
