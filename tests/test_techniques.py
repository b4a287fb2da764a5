"""What every technique must do, and what each one changes."""

import copy
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest
import torch
from PIL import Image, ImageEnhance, ImageFilter

from seglab import training
from seglab.config import RunConfig
from seglab.data.base import VOID, Sample, label_counts
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Technique
from seglab.loader import Cached, batches, collated, random
from seglab.preview import preview
from seglab.techniques.augmentation import (
    Augmentation,
    Blur,
    Contrast,
    Crop,
    Elastic,
    Flip,
    Invert,
    Noise,
    Rotate,
    Sharpness,
)
from seglab.techniques.mixing import CutMix, box, mixed
from seglab.techniques.sampling import InPasses, chances, repeats
from tests.conftest import tiny

TECHNIQUES = FAMILIES["techniques"].entries
AUGMENTATIONS = {name: entry for name, entry in TECHNIQUES.items() if issubclass(entry, Augmentation)}
COLORS = {"color", "contrast", "invert", "sharpness", "blur", "noise"}  # those that move nothing
CHANCES = [name for name, entry in TECHNIQUES.items() if "p" in entry.model_fields]


def all_of(name):
    """The technique with everything it may change changed."""
    return {"name": name} | ({"p": 1.0} if name in CHANCES else {})


def coded(height=96, width=128, instances=True):
    """A sample whose colours encode its labels and instances, so that it shows when the three come apart."""
    rng = np.random.default_rng(0)
    mask = np.kron(rng.integers(0, 8, (height // 16, width // 16)), np.ones((16, 16))).astype(np.uint8)
    ids = np.kron(rng.integers(0, 300, (height // 16, width // 16)), np.ones((16, 16))).astype(np.int32)
    image = np.stack([mask * 30, (ids % 16 * 15).astype(np.uint8), (ids // 16 * 12).astype(np.uint8)], -1)
    return Sample(image, mask, ids if instances else None)


MOVING = [(name, {}) for name in AUGMENTATIONS if name not in COLORS]  # the code is in the colours
MOVING += [("rotate", {"fill": "reflect", "degrees": 45}), ("elastic", {"displacement": 0.05, "grid": 5})]


@pytest.mark.parametrize(("name", "options"), MOVING)
@pytest.mark.parametrize("instances", [True, False])
def test_image_mask_and_instances_stay_aligned(name, options, instances):
    hooks = AUGMENTATIONS[name](p=1.0, **options).data_hooks(None)
    for seed in range(20):
        before = coded(instances=instances)
        after = hooks.on_sample(before, random(seed))
        assert after.image.dtype == np.uint8 and after.mask.dtype == np.uint8
        assert after.image.shape[:2] == after.mask.shape == before.mask.shape
        assert set(np.unique(after.mask)) <= set(np.unique(before.mask)) | {255}
        seen, codes = after.mask != VOID, after.image.astype(int)
        whole = seen & np.isin(packed(after.image), packed(before.image))
        assert whole[seen].mean() > 0.7  # all others are blends, at the blocks' borders
        assert (codes[..., 0] == after.mask * 30.0)[whole].mean() > 0.99
        if instances:
            assert after.instances.dtype == np.int32
            assert set(np.unique(after.instances)) <= set(np.unique(before.instances)) | {0}
            decoded = codes[..., 1] // 15 + 16 * (codes[..., 2] // 12)
            assert (decoded == after.instances)[whole].mean() > 0.99
            assert not after.instances[~seen].any()


def packed(image):
    """A number for each colour."""
    return image.astype(int) @ (1 << 16, 1 << 8, 1)


@pytest.mark.parametrize(("name", "options"), MOVING)
def test_borders_in_the_image_are_those_of_mask_and_instances_within_a_part_of_a_pixel(name, options):
    hooks, before = AUGMENTATIONS[name](p=1.0, **options).data_hooks(None), coded()
    odd = np.stack([before.mask % 2, before.instances % 2, before.mask % 2], -1)
    before = replace(before, image=(255 * odd).astype(np.uint8))
    for seed in range(20):
        after = hooks.on_sample(before, random(seed))
        seen, light = after.mask != VOID, after.image > 127  # where two blend, the larger share decides
        assert (light[..., 0] == after.mask % 2)[seen].mean() > 0.99
        assert (light[..., 1] == after.instances % 2)[seen].mean() > 0.99


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_is_the_same_for_the_same_seed_and_another_for_another(name):
    hooks = AUGMENTATIONS[name](p=0.5 if name in ("flip", "invert") else 1.0).data_hooks(None)
    rng = np.random.default_rng(0)
    sample = Sample(rng.integers(0, 255, (32, 48, 3), np.uint8), rng.integers(0, 5, (32, 48)).astype(np.uint8))
    first, again = (hooks.on_sample(sample, random(1)) for _ in range(2))
    assert np.array_equal(first.image, again.image) and np.array_equal(first.mask, again.mask)
    others = [hooks.on_sample(sample, random(seed)).image for seed in range(12)]
    assert any(not np.array_equal(first.image, other) for other in others)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_an_augmentation_with_probability_zero_changes_nothing(name):
    hooks = AUGMENTATIONS[name](p=0.0).data_hooks(None)
    before = coded()
    after = hooks.on_sample(before, random(3))
    for part in ("image", "mask", "instances"):
        assert np.array_equal(getattr(before, part), getattr(after, part))


def test_flip_mirrors_left_and_right():
    before = coded()
    after = Flip(p=1).data_hooks(None).on_sample(before, random(0))
    assert np.array_equal(after.image, before.image[:, ::-1]) and np.array_equal(
        after.instances, before.instances[:, ::-1]
    )


def test_rotate_fills_the_corners_with_void():
    after = Rotate(p=1, degrees=45).data_hooks(None).on_sample(coded(64, 64), random(5))
    assert (after.mask[0, 0], after.mask[-1, -1]) == (255, 255) and after.instances[0, 0] == 0


def test_rotate_can_fill_the_corners_from_the_picture():
    before = coded(64, 64)
    for seed in range(5):
        after = Rotate(p=1, degrees=45, fill="reflect").data_hooks(None).on_sample(before, random(seed))
        assert not (after.mask == VOID).any() and after.image[0].any(axis=-1).mean() > 0.5


def test_crop_enlarges():
    after = Crop(p=1, smallest=0.2).data_hooks(None).on_sample(coded(64, 64), random(2))
    changes = (np.diff(after.mask.astype(int), axis=1) != 0).sum()
    assert 0 < changes < (np.diff(coded(64, 64).mask.astype(int), axis=1) != 0).sum()


@pytest.mark.parametrize("name", sorted(COLORS))
def test_what_changes_colors_moves_nothing(name):
    before = coded()
    after = AUGMENTATIONS[name](p=1).data_hooks(None).on_sample(before, random(0))
    assert np.array_equal(after.mask, before.mask) and np.array_equal(after.instances, before.instances)
    assert not np.array_equal(after.image, before.image)


def smooth(height=48, width=64):
    """A picture with soft edges, well inside black and white, so that nothing is cut off."""
    rows, columns = np.mgrid[:height, :width]
    waves = [np.sin(rows / 5 + k) * np.cos(columns / (4 + k)) for k in range(3)]
    image = (127 + 40 * np.stack(waves, -1)).astype(np.uint8)
    return Sample(image, np.zeros((height, width), np.uint8))


def nearest(after, candidates):
    """The candidate that a changed image is, up to rounding."""
    distances = [np.abs(after.astype(int) - np.asarray(image).astype(int)).max() for image in candidates]
    assert min(distances) <= 1
    return int(np.argmin(distances))


def drawn(technique, before, seeds=6):
    hooks = technique.data_hooks(None)
    return [hooks.on_sample(before, random(seed)).image for seed in range(seeds)]


def test_contrast_is_that_of_pillow_within_its_limits():
    before, factors = smooth(), np.arange(0.6, 1.4001, 0.005)
    candidates = [ImageEnhance.Contrast(Image.fromarray(before.image)).enhance(factor) for factor in factors]
    found = [factors[nearest(after, candidates)] for after in drawn(Contrast(p=1, contrast=0.4), before)]
    assert min(found) < 0.9 and max(found) > 1.1


def test_a_negative_is_what_is_left_to_white():
    before = coded()
    assert np.array_equal(Invert(p=1).data_hooks(None).on_sample(before, random(0)).image, 255 - before.image)


def test_sharpness_of_an_eighth_is_pillow_s_filter():
    # 3 x 3 kernel: 1 + 8 a in the middle, -a around; Pillow's SHARPEN has 2 and -1/8
    before, shares = smooth(), np.arange(0, 0.2501, 0.0025)
    candidates = []
    for share in shares:
        kernel = [-share] * 4 + [1 + 8 * share] + [-share] * 4
        candidates.append(Image.fromarray(before.image).filter(ImageFilter.Kernel((3, 3), kernel, scale=1)))
    inside = np.s_[1:-1, 1:-1]
    images = [np.asarray(candidate)[inside] for candidate in candidates]
    found = [shares[nearest(after[inside], images)] for after in drawn(Sharpness(p=1, amount=0.25), before)]
    assert len(set(found)) > 3 and max(found) > 0.1
    assert np.array_equal(np.asarray(Image.fromarray(before.image).filter(ImageFilter.SHARPEN))[inside], images[50])


def test_blur_spreads_a_point_by_at_most_its_sigma():
    image = np.zeros((65, 65, 3), np.uint8)
    image[32, 32] = 255
    before = Sample(image, np.zeros((65, 65), np.uint8))
    spreads = []
    for after in drawn(Blur(p=1, sigma=3), before, 20):
        share = after[..., 0] / max(1, after[..., 0].astype(int).sum())
        spreads.append(np.sqrt((share.sum(0) * (np.arange(65) - 32) ** 2).sum()))
    assert max(spreads) < 3.1 and max(spreads) > 1.5 and min(spreads) < 1


def test_noise_has_at_most_its_deviation_and_no_mean():
    before = Sample(np.full((64, 64, 3), 128, np.uint8), np.zeros((64, 64), np.uint8))
    noise = [after.astype(float) - 128 for after in drawn(Noise(p=1, std=0.1), before, 20)]
    deviations = [each.std() for each in noise]
    assert 15 < max(deviations) < 26 and min(deviations) < 8  # 0.1 of 255 at most
    assert max(abs(each.mean()) for each in noise) < 1.5
    assert abs(np.corrcoef(noise[0][..., 0].ravel(), noise[0][..., 1].ravel())[0, 1]) < 0.1


def gradient(height, width):
    """A sample whose instances tell each pixel's row and column."""
    places = (np.arange(height)[:, None] * 1000 + np.arange(width)).astype(np.int32)
    return Sample(np.zeros((height, width, 3), np.uint8), np.zeros((height, width), np.uint8), places)


def test_elastic_displaces_the_cells_of_its_grid_by_its_deviation():
    """Bicubic interpolation keeps the values at the middles of the cells, which a grid of 3 has at 1/6, 1/2 and 5/6."""
    before, moves = gradient(90, 150), []
    hooks = Elastic(p=1, displacement=0.02).data_hooks(None)
    for seed in range(200):
        after = hooks.on_sample(before, random(seed))
        for row in (45,):
            for column in (25, 75, 125):
                place = after.instances[row, column]
                moves.append((place // 1000 - row, place % 1000 - column))
    moves = np.array(moves)
    assert np.abs(moves.mean(0)).max() < 0.5
    assert np.allclose(moves.std(0), 0.02 * 150, rtol=0.1)
    assert abs(np.corrcoef(moves.T)[0, 1]) < 0.15  # both directions are drawn for themselves


def test_elastic_bends_a_picture_without_tearing_it():
    after = Elastic(p=1).data_hooks(None).on_sample(gradient(96, 128), random(3))
    rows, columns = after.instances // 1000, after.instances % 1000
    seen = (after.mask != VOID)[:, 1:] & (after.mask != VOID)[:, :-1]
    assert (np.diff(columns, axis=1)[seen] >= 0).all() and np.diff(columns, axis=1)[seen].max() <= 3
    assert np.abs(np.diff(rows, axis=1))[seen].max() <= 1


def rare_data(tmp_path):
    """Eight pictures; a class that fills a hundredth of two of them, and one that none shows."""
    for folder in ("images", "masks"):
        (tmp_path / folder / "train").mkdir(parents=True)
        (tmp_path / folder / "val").mkdir()
    for part in ("train", "val"):
        for n in range(8):
            mask = np.zeros((64, 64), np.uint8)
            mask[32:] = 1
            if n in (2, 5):
                mask[:6, :7] = 2
            mask[:, -1] = 255
            Image.fromarray(mask).save(tmp_path / "masks" / part / f"{n}.png")
            Image.fromarray(np.repeat(mask[..., None] * 60, 3, 2)).save(tmp_path / "images" / part / f"{n}.png")
    (tmp_path / "classes.txt").write_text("one\ntwo\nrare\nabsent\n")
    return {"name": "folder", "root": str(tmp_path)}


def test_elastic_can_be_aimed_at_the_images_that_show_a_rare_class(tmp_path):
    data = rare_data(tmp_path)
    run = training.Run(tiny(data=data, techniques=[{"name": "elastic", "p": 1, "rarer_than": 0.05}]))
    batch, plain = run.batch(0, list(range(8))), training.Run(tiny(data=data)).batch(0, list(range(8)))
    changed = [n for n in range(8) if not torch.equal(batch.masks[n], plain.masks[n])]
    assert changed == [2, 5]
    with pytest.raises(SeglabError, match=r"no class has less than 0.001 .* the rarest, rare, has 0.0026"):
        training.Run(tiny(data=data, techniques=[{"name": "elastic", "rarer_than": 0.001}]))


def test_pixels_are_counted_by_class_and_void_is_not(tmp_path):
    data = validated(RunConfig, {"data": rare_data(tmp_path)}).data.open()
    counts = label_counts(Cached(data.train, 64), 4)
    assert counts.tolist()[0] == [32 * 63, 32 * 63, 0, 0] and counts.tolist()[2] == [32 * 63 - 42, 32 * 63, 42, 0]


def test_cutmix_cuts_masks_and_instances_with_the_images():
    rng = np.random.default_rng(0)
    samples = []
    for n in range(4):
        mask = rng.integers(0, 8, (40, 56)).astype(np.uint8)
        image = np.stack([mask * 30, np.full_like(mask, n * 60), mask * 0], -1)
        samples.append(Sample(image, mask, instances=mask.astype(np.int32)))
    kept = [sample.image.copy() for sample in samples]
    pasted = []
    for seed in range(20):
        for n, after in enumerate(CutMix(p=1).data_hooks(None).on_samples(samples, random(seed))):
            assert np.array_equal(after.image[..., 0], after.mask * 30)
            source = after.image[..., 1] // 60
            (rows, columns) = np.where(source != n)
            assert len(np.unique(source)) <= 2
            things = after.mask.astype(np.int32)
            if len(rows):  # one box: all pixels between its ends, and all from one place of the partner
                part = source[rows.min() : rows.max() + 1, columns.min() : columns.max() + 1]
                assert (part == part[0, 0]).all()
                assert np.array_equal(after.mask[source != n], samples[part[0, 0]].mask[source != n])
                things[(source != n) & (things > 0)] += 7  # the numbers of the image's own things are taken
            assert np.array_equal(after.instances, things)
            pasted.append(len(rows) / source.size)
    assert all(np.array_equal(sample.image, image) for sample, image in zip(samples, kept, strict=True))
    assert 0.1 < np.mean(pasted) < 0.5 and np.std(pasted) > 0.1


def test_cutmix_pastes_void_as_void_and_leaves_a_single_image_alone():
    void = Sample(np.zeros((32, 32, 3), np.uint8), np.full((32, 32), VOID, np.uint8))
    small = Sample(np.full((20, 24, 3), 255, np.uint8), np.ones((20, 24), np.uint8), np.ones((20, 24), np.int32))
    hooks = CutMix(p=1).data_hooks(None)
    mixed = 0
    for seed in range(10):
        for before, after in zip((void, small), hooks.on_samples([void, small], random(seed)), strict=True):
            assert after.mask.shape == after.image.shape[:2] == before.mask.shape
            assert np.array_equal(after.mask == VOID, (after.image == 0).all(-1))
            mixed += len(np.unique(after.mask)) > 1
            assert after.instances is None or after is before  # those of a part alone would be half the truth
        assert hooks.on_samples([small], random(seed)) == [small]
    assert mixed > 5


def test_the_maps_that_a_loss_compares_with_are_those_of_the_mixed_masks():
    run = training.Run(tiny(techniques=[{"name": "cutmix", "p": 1}], loss="dice+boundary"))
    plain = training.Run(tiny(loss="dice+boundary")).batch(0, [0, 1, 2, 3])
    batch = run.batch(0, [0, 1, 2, 3])
    assert not torch.equal(batch.masks, plain.masks)
    mixed = [Sample(run.train[n].image, mask.numpy().astype(np.uint8)) for n, mask in enumerate(batch.masks)]
    assert torch.equal(batch.targets["distance"], collated(mixed, range(4), run.targets).targets["distance"])


def test_a_box_has_its_share_of_the_area_unless_it_is_cut_off():
    boxes = [box((40, 80), 0.25, random(seed)) for seed in range(200)]
    sizes = [(rows.stop - rows.start, columns.stop - columns.start) for rows, columns in boxes]
    assert max(sizes) == (20, 40) and all(height <= 20 and width <= 40 for height, width in sizes)
    assert all(rows.start >= 0 and rows.stop <= 40 and columns.stop <= 80 for rows, columns in boxes)
    assert box((40, 80), 0.0, random(0))[0].start == box((40, 80), 0.0, random(0))[0].stop


def test_mixstyle_mixes_means_and_deviations_by_one_share_and_keeps_the_rest():
    torch.manual_seed(0)
    x = torch.randn(5, 3, 8, 9, dtype=torch.float64) * (0.5 + torch.rand(5, 3, 1, 1)) + torch.randn(5, 3, 1, 1)
    x.requires_grad_()
    others = torch.tensor([1, 2, 3, 4, 0])
    y = mixed(x, others, 0.5)
    (mean, std), (new_mean, new_std) = ((v.mean((2, 3)).detach(), v.std((2, 3)).detach()) for v in (x, y))
    share = (new_mean - mean[others]) / (mean - mean[others])  # one number for each image
    torch.testing.assert_close(share, share[:, :1].expand(-1, 3))
    assert ((share > -1e-9) & (share < 1 + 1e-9)).all() and share[:, 0].std() > 0.1
    torch.testing.assert_close(new_std, share * std + (1 - share) * std[others], rtol=1e-4, atol=1e-4)
    shape = (x - mean[..., None, None]) / std[..., None, None]
    torch.testing.assert_close((y - new_mean[..., None, None]) / new_std[..., None, None], shape, rtol=1e-4, atol=1e-4)
    (gradient,) = torch.autograd.grad(y.sum(), x)  # the statistics are constants
    torch.testing.assert_close(gradient, (new_std / std)[..., None, None].expand_as(x), rtol=1e-4, atol=1e-4)
    torch.manual_seed(1)
    maps = mixed(x, others, 0.5)
    torch.manual_seed(1)
    torch.testing.assert_close(mixed(x.flatten(2).mT, others, 0.5), maps.flatten(2).mT)  # as tokens


def features(run, batch, training=True):
    """What the encoder's stages give within a training step and outside one."""
    seen = []
    stages = run.model.net.stages()

    def inner(batch):
        handles = [stage.register_forward_hook(lambda _, __, y: seen.append(y.detach())) for stage in stages]
        torch.manual_seed(0)
        run.model.train(training)
        run.model(batch.images)
        for handle in handles:
            handle.remove()
        return {}

    run.step_hooks["mixstyle"].objective(batch, inner)
    inside, seen[:] = list(seen), []
    inner(batch)
    return inside, seen


MODELS = [{"name": "unet", "width": 4, "depth": 3}, {"name": "deeplab_v2", "width": 4, "multi_scale": True}]
MODELS += [{"name": "smp", "encoder": "resnet18", "decoder": "unet", "width": 4}, {"name": "eff_unet", "width": 4}]
MODELS += [{"name": "smp", "encoder": "tu-test_vit", "decoder": "dpt", "width": 4}]


@torch.no_grad()
@pytest.mark.parametrize("model", MODELS, ids=lambda model: model.get("encoder", model["name"]))
def test_mixstyle_changes_the_picked_stages_in_a_training_step_and_at_no_other_time(model):
    options = {"name": "mixstyle", "p": 1, "alpha": 1, "first": 2, "last": 2}
    run = training.Run(tiny(model=model, techniques=[options]))
    for module in run.model.modules():
        if hasattr(module, "momentum"):
            module.momentum = 0.0  # running statistics are not what is looked at
    inside, outside = features(run, run.batch(0, [0, 1, 2, 3]))
    count = len(run.model.net.stages())
    for n in range(len(outside)):
        assert torch.equal(inside[n], outside[n]) == (n % count < 1)
    assert all(not stage._forward_hooks for stage in run.model.net.stages())


def test_mixstyle_mixes_with_other_domains_where_there_are_any():
    run = training.Run(tiny(techniques=["mixstyle"]))
    domains = [run.train[n].domain for n in range(8)]
    assert len(set(domains)) == 4
    hooks = run.step_hooks["mixstyle"]
    for seed in range(20):
        torch.manual_seed(seed)
        partners = hooks.others(run.batch(0, list(range(8))))
        assert all(domains[n] != domains[partner] for n, partner in enumerate(partners.tolist()))
        alike = [n for n in range(8) if domains[n] == domains[0]]
        assert hooks.others(run.batch(0, alike)).tolist() == [1, 0]
    anyone = training.Run(tiny(techniques=[{"name": "mixstyle", "across_domains": False}])).step_hooks["mixstyle"]
    found = {(n, m) for _ in range(200) for n, m in enumerate(anyone.others(run.batch(0, list(range(4)))).tolist())}
    assert found == {(n, m) for n in range(4) for m in range(4) if n != m}


def test_images_are_drawn_by_their_classes():
    """Pixels 6 : 3 : 1 of 10, so 1/f is 5/3, 10/3 and 10; worked by hand."""
    counts = np.array([[4, 0, 0], [2, 2, 0], [0, 1, 1], [0, 0, 0]])
    for by, weights in [
        ("rarest", [5 / 3, 10 / 3, 10, 1]),
        ("mean", [5 / 3, 5 / 2, 20 / 3, 1]),
        ("pixels", [5 / 3, 5 / 2, 20 / 3, 1]),
    ]:
        np.testing.assert_allclose(chances(counts, by), np.array(weights) / sum(weights))
    # pixels 4 : 1 of 5, so 1/f is 5/4 and 5; the first image's pixels have (3 x 5/4 + 5) / 4 on average
    np.testing.assert_allclose(chances(np.array([[3, 1], [1, 0]]), "pixels"), [8.75 / 13.75, 5 / 13.75])
    np.testing.assert_allclose(chances(np.zeros((2, 3), int), "mean"), [0.5, 0.5])


def test_class_balanced_shows_the_rare_images_more_often(tmp_path):
    data = rare_data(tmp_path)
    run = training.Run(tiny(data=data, techniques=[{"name": "class_balanced", "by": "rarest"}]))
    shown = np.bincount([place % 8 for epoch in range(200) for place in run.order(epoch)], minlength=8) / 1600
    rarity = np.array([8 * 64 * 63 / (8 * 32 * 63 - 84 if n not in (2, 5) else 84) for n in range(8)])
    rarity[[0, 1, 3, 4, 6, 7]] = 64 / 32 / (1 - 84 / (8 * 32 * 63))
    np.testing.assert_allclose(shown, rarity / rarity.sum(), atol=0.03)
    half = training.Run(tiny(data=data, techniques=[{"name": "class_balanced", "by": "rarest", "p": 0.5}]))
    often = np.bincount([place % 8 for epoch in range(200) for place in half.order(epoch)], minlength=8) / 1600
    np.testing.assert_allclose(often, (rarity / rarity.sum() + 1 / 8) / 2, atol=0.03)


def test_a_pass_repeats_the_rare_images_or_leaves_out_the_others():
    """1/f is 5/3, 10/3 and 10 as above; the average of the three labeled images is 5, or (5/3 + 5/2 + 20/3) / 3 =
    65/18."""
    counts = np.array([[4, 0, 0], [2, 2, 0], [0, 1, 1], [0, 0, 0]])
    for by, times in (
        ("rarest", [1 / 3, 2 / 3, 2, 1]),
        ("mean", [6 / 13, 9 / 13, 24 / 13, 1]),
    ):
        np.testing.assert_allclose(repeats(counts, by, "oversample"), np.maximum(times, 1))
        np.testing.assert_allclose(repeats(counts, by, "undersample"), np.minimum(times, 1))
    for how in ("oversample", "undersample"):
        assert repeats(np.array([[3, 3], [3, 3]]), "mean", how).tolist() == [1, 1]  # nothing is rare
        assert repeats(np.zeros((2, 3), int), "mean", how).tolist() == [1, 1]


def in_order(hooks, epochs, count):
    return [n for epoch in range(epochs) for n in hooks.on_order(epoch, list(range(count)), np.random.default_rng(0))]


def test_passes_go_on_from_one_epoch_to_the_next():
    order = in_order(InPasses(1.0, np.array([1.0, 1.0, 3.0, 1.0]), 0), 6, 4)  # 24 places: four passes of six
    passes = [order[start : start + 6] for start in range(0, 24, 6)]
    assert all(sorted(each) == [0, 1, 2, 2, 2, 3] for each in passes) and len(set(map(tuple, passes))) > 1
    order = in_order(InPasses(1.0, np.array([1.5, 1.0]), 0), 500, 2)  # a pass has 2 or 3 images, 2.5 on average
    assert np.mean(np.array(order) == 0) == pytest.approx(1.5 / 2.5, abs=0.03)
    order = in_order(InPasses(1.0, np.array([0.0, 1.0, 1.0, 0.0]), 0), 3, 4)  # two images that are never left out
    assert all(sorted(order[start : start + 2]) == [1, 2] for start in range(0, 12, 2))
    left_out = InPasses(1.0, np.array([0.25, 0.25, 1.0, 1.0]), 0)
    passes = [left_out.shown(number).tolist() for number in range(400)]
    assert all({2, 3} <= set(each) and len(each) == len(set(each)) for each in passes)
    assert sum(0 in each for each in passes) / 400 == pytest.approx(0.25, abs=0.07)
    assert len({frozenset(each) for each in passes}) == 4


@pytest.mark.parametrize(("how", "share"), [("oversample", 0.568), ("undersample", 0.942)])
def test_class_balanced_can_only_repeat_or_only_leave_out(tmp_path, how, share):
    """Six images show two classes by halves, and two a third one, too, with 42 pixels each in place of the first's.

    Of 32256 pixels the classes have 16128 less 84, 16128, and 84. An ordinary image's 1/f of its rarest class is
    32256/16044 = 2.0105 and that of the other two 384, so the average is 97.51. Oversampled, these come 384/97.51 =
    3.938 times: 7.876 of 13.876 places, 0.568. Undersampled, the ordinary ones come 2.0105/97.51 = 0.0206 times: the
    two others have 2 of 2.1237 places, 0.942.
    """
    technique = {"name": "class_balanced", "by": "rarest", "how": how}
    run = training.Run(tiny(data=rare_data(tmp_path), techniques=[technique]))
    plain = training.Run(tiny(data=rare_data(tmp_path / "b")))
    orders = [run.order(epoch) for epoch in range(200)]
    assert {len(order) for order in orders} == {8} and all(len(set(order)) == 8 for order in orders)
    assert (run.steps_per_epoch, run.total_steps) == (plain.steps_per_epoch, plain.total_steps)
    assert orders[7] == run.order(7)  # whichever were asked for before
    passes = [run.data_hooks["class_balanced"].shown(number).tolist() for number in range(50)]
    if how == "oversample":
        assert all({*each} == {*range(8)} and 13 <= len(each) <= 14 for each in passes)
    else:
        assert all({2, 5} <= {*each} and len({*each}) == len(each) <= 4 for each in passes)
    rare = np.mean([place % 8 in (2, 5) for order in orders for place in order])
    assert rare == pytest.approx(share, abs=0.02)
    half = training.Run(tiny(data=rare_data(tmp_path / "c"), techniques=[technique | {"p": 0.5}]))
    rare = np.mean([place % 8 in (2, 5) for epoch in range(200) for place in half.order(epoch)])
    assert rare == pytest.approx((share + 1 / 4) / 2, abs=0.04)


@pytest.mark.parametrize("others", [[], ["consistency"], ["cps"], ["pseudo_labels"]], ids=str)
@pytest.mark.parametrize("how", ["both", "oversample", "undersample"])
def test_a_run_with_balanced_classes_goes_on_in_the_middle_of_an_epoch(how, others):
    techniques = [{"name": "class_balanced", "how": how}, *others]
    config = tiny(techniques=techniques, fold={"of": 4}, batch_size=2)
    whole = training.Run(config)
    list(training.train(whole))
    first = training.Run(config)
    assert (first.steps_per_epoch, len(first.order(1))) == (3, 6)  # of the 8 images, 2 are for validation
    first.should_stop = lambda: first.step == 4
    list(training.train(first))
    second = training.Run(config, fresh=False)
    second.load_state_dict(first.state_dict())
    assert second.step == 4
    list(training.train(second))
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name]), name


def test_an_image_that_an_epoch_shows_again_is_changed_anew():
    run = training.Run(tiny(techniques=["class_balanced", {"name": "crop", "p": 1}]))
    run.data_hooks["class_balanced"].chances = np.eye(8)[3]  # always the same image
    order = run.order(0)
    assert order == [3 + 8 * copy for copy in range(8)]
    batch = run.batch(0, order)
    assert batch.index.tolist() == [3] * 8
    assert len({image.numpy().tobytes() for image in batch.images}) == 8
    assert torch.equal(run.batch(0, order[:1]).images[0], training.Run(run.config).batch(0, [3]).images[0])


@pytest.mark.parametrize("name", TECHNIQUES)
def test_an_epoch_has_as_many_steps_with_a_technique_as_without(name):
    run = training.Run(tiny(techniques=[name], batch_size=3))
    for epoch in range(2):
        order = run.order(epoch)
        assert len(order) == len(set(order)) == 8 and len(batches(order, 3)) == run.steps_per_epoch


def growing(epochs, side, **options):
    config = tiny(epochs=epochs, image_size=side, techniques=[{"name": "progressive_size", **options}])
    return training.Run(config)


def test_the_size_grows_in_multiples_of_32_and_the_strength_in_equal_steps():
    run = growing(8, 200, start_size=0.3, start_strength=0.4)
    hooks = run.data_hooks["progressive_size"]
    # 200 times 0.3, 0.533, 0.767 and 1 is 60, 106.7, 153.3 and 200
    assert [hooks.side(epoch, 200) for epoch in range(8)] == [64, 64, 96, 96, 160, 160, 200, 200]
    assert [hooks.strength(epoch) for epoch in range(0, 8, 2)] == pytest.approx([0.4, 0.6, 0.8, 1.0])
    assert [max(run.batch(epoch, [0, 1]).images.shape[-2:]) for epoch in (0, 2, 4, 6)] == [64, 96, 160, 200]
    hooks = growing(2, 80).data_hooks["progressive_size"]
    assert [hooks.side(epoch, 80) for epoch in range(2)] == [64, 80] and hooks.strength(1) == 1


def test_other_techniques_and_dropout_grow_with_the_size():
    growth = {"name": "progressive_size", "sizes": 2, "start_size": 1, "start_strength": 0.25}
    config = tiny(
        data={"name": "streets", "train_images": 120, "val_images": 4, "size": 64},
        techniques=[{"name": "rotate", "p": 1, "degrees": 45}, growth],
        model={"name": "deeplab_v1", "width": 4, "dropout": 0.4},
    )
    run = training.Run(config)
    plain = training.Run(config.model_copy(update={"techniques": ()}))
    for epoch, share in ((0, 0.25), (1, 1.0)):
        batch, before = (each.batch(epoch, list(range(120))) for each in (run, plain))
        turned = np.mean([not torch.equal(*pair) for pair in zip(batch.images, before.images, strict=True)])
        assert turned == pytest.approx(share, abs=0.1)
        run.step_hooks["progressive_size"].on_epoch(epoch)
        dropout = [module.p for module in run.model.modules() if isinstance(module, torch.nn.Dropout)]
        assert dropout and dropout == pytest.approx([0.4 * share] * len(dropout))


@pytest.mark.parametrize("name", CHANCES)
def test_nothing_happens_at_probability_zero(name):
    run, plain = (training.Run(tiny(techniques=each)) for each in ([{"name": name, "p": 0}], []))
    for epoch in range(2):
        assert run.order(epoch) == plain.order(epoch)
        batch, other = (each.batch(epoch, [3, 1, 4, 6]) for each in (run, plain))
        assert torch.equal(batch.images, other.images) and torch.equal(batch.masks, other.masks)
    assert run.advance(batch) == plain.advance(other)
    for name, value in plain.model.state_dict().items():
        assert torch.equal(value, run.model.state_dict()[name])


@pytest.mark.parametrize("name", TECHNIQUES)
def test_batches_depend_on_seed_epoch_and_place_and_not_on_what_came_before(name):
    one, two = (training.Run(tiny(techniques=[all_of(name)])) for _ in range(2))
    places = [one.order(epoch) for epoch in range(2)]
    forwards = [one.batch(epoch, places[epoch][at : at + 4]) for epoch in range(2) for at in (0, 4)]
    backwards = [two.batch(epoch, two.order(epoch)[at : at + 4]) for epoch in (1, 0) for at in (4, 0)][::-1]
    for batch, other in zip(forwards, backwards, strict=True):
        assert torch.equal(batch.images, other.images) and torch.equal(batch.masks, other.masks)
        assert torch.equal(batch.index, other.index)


@pytest.mark.parametrize("name", TECHNIQUES)
def test_stored_samples_and_validation_images_are_never_changed(name):
    run, plain = (training.Run(tiny(techniques=each)) for each in ([all_of(name)], []))
    for _ in training.train(run):
        pass
    for found, expected in [(run.train, plain.train), *((run.scored[part], plain.scored[part]) for part in run.scored)]:
        for n in range(len(expected)):
            for part in ("image",) if n in found.hidden else ("image", "mask", "instances"):
                assert np.array_equal(getattr(found[n], part), getattr(expected[n], part))


@pytest.mark.parametrize("name", [name for name, entry in TECHNIQUES.items() if entry.changes_images])
def test_masks_hold_classes_and_void_alone_also_when_sizes_differ(name):
    run = training.Run(tiny(techniques=[all_of(name)], model={"name": "panoptic_deeplab", "width": 8}))
    cut = [
        replace(s, image=s.image[:40], mask=s.mask[:40], instances=s.instances[:40])
        for s in map(run.train.__getitem__, (0, 1))
    ]
    for n in (0, 1):
        del run.train.kept[n]
        run.train.keep(n, cut[n])
    batch = run.batch(0, [0, 1, 2, 3])
    assert set(batch.masks.unique().tolist()) <= {*range(len(run.data.classes)), VOID}
    assert all(target.shape[-2:] == batch.masks.shape[-2:] for target in batch.targets.values())
    height = batch.masks.shape[1] * 40 // 48
    assert (batch.masks[0, height + 1 :] == VOID).all()
    assert np.isfinite(run.advance(batch)[0])


@pytest.mark.parametrize("name", [name for name, entry in TECHNIQUES.items() if entry.changes_images])
def test_a_preview_shows_what_training_gets(name):
    config = tiny(techniques=[all_of(name), {"name": "ema"}], loss="dice+border_weighted")
    data, found = preview(config, 4)
    run = training.Run(config)
    batch = run.batch(0, run.order(0)[:4])
    assert len(found) == 4 and data.classes == run.data.classes
    for n, (before, after, stressed) in enumerate(found):
        assert np.array_equal(before.image, run.train[int(batch.index[n])].image)
        assert np.array_equal(after.image, (batch.images[n] * 255).round().byte().permute(1, 2, 0).numpy())
        assert np.array_equal(after.mask, batch.masks[n].numpy())
        assert np.array_equal(stressed, batch.targets["border 5"][n, 0].numpy())
    assert 0.5 < max(stressed.max() for _, _, stressed in found) <= 1


def test_a_preview_builds_no_network_and_needs_something_to_show(monkeypatch):
    monkeypatch.setattr("seglab.architectures.unet.UNet.build", None)
    ((_, _, stressed), *others) = preview(tiny(techniques=["flip"]), 3)[1]
    assert len(others) == 2 and stressed is None
    with pytest.raises(SeglabError, match="no technique that changes images is selected; these do: flip"):
        preview(tiny(techniques=["ema", "mixstyle"]), 3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"techniques": ["cutmix"], "batch_size": 1}, "cutmix cannot be used here: it mixes the images of a batch"),
        ({"techniques": ["mixstyle"], "batch_size": 1}, "mixstyle cannot be used here: it mixes the images of a batch"),
        ({"techniques": [{"name": "mixstyle", "first": 3}]}, "first is 3 and last is 2"),
        ({"techniques": ["progressive_size"], "epochs": 1}, "epochs must be 2 or more"),
    ],
)
def test_a_technique_that_a_configuration_rules_out_is_refused_with_its_reason(options, words):
    from seglab.ui.text import told

    with pytest.raises(SeglabError, match=words) as caught:
        tiny(**options)
    reason = caught.value.values["reason"]
    assert isinstance(reason, SeglabError) and told(reason, "ko") in told(caught.value, "ko")
    assert told(reason, "ko") != str(reason)


def test_more_mixed_stages_than_there_are_is_refused():
    with pytest.raises(SeglabError, match=r"mixstyle.last: 5 is too many; the encoder of unet has 3 stages"):
        training.Run(tiny(techniques=[{"name": "mixstyle", "last": 5}]))


def test_ema_keeps_the_exponential_average_of_the_weights():
    run = training.Run(tiny(techniques=[{"name": "ema", "decay": 0.9}], optimizer={"name": "sgd", "lr": 0.1}))
    hooks = run.step_hooks["ema"]
    name, expected = "net.classifier.weight", None
    for n in range(5):
        run.advance(run.batch(0, [n, n + 1]))
        weights = run.model.state_dict()[name].clone()
        expected = weights if expected is None else 0.9 * expected + 0.1 * weights
    torch.testing.assert_close(hooks.on_eval(run.model).state_dict()[name], expected)
    assert run.evaluated_model() is not run.model


def allowed(*names):
    try:
        tiny(techniques=names)
    except SeglabError:
        return False
    return True


def together():
    """Every technique, in as few runs as can be: each with all that may stand beside those before them."""
    left = sorted(TECHNIQUES)
    while left:
        names = [left[0]]
        for name in sorted(TECHNIQUES, key=lambda name: (name not in left, name)):
            if name not in names and allowed(*names, name):
                names.append(name)
        yield names
        left = [name for name in left if name not in names]


TOGETHER = list(together())
# Those that do more than change samples are resumed alone, too, where no other can hide what they forget.
ALONE = [[name] for name, entry in TECHNIQUES.items() if entry.step_hooks is not Technique.step_hooks]


def test_each_two_techniques_that_may_stand_together_do_in_a_run_that_is_resumed():
    pairs = {pair for pair in combinations(sorted(TECHNIQUES), 2) if allowed(*pair)}
    assert pairs == {pair for names in TOGETHER for pair in combinations(sorted(names), 2)}


@pytest.mark.parametrize("names", [*TOGETHER, *ALONE], ids=lambda names: f"{names[0]} and {len(names) - 1}")
def test_a_run_stopped_within_an_epoch_or_after_one_goes_on_to_the_same_weights(names):
    config = tiny(techniques=names, image_size=96 if "progressive_size" in names else 64)
    whole = training.Run(config)
    list(training.train(whole))
    for stop_at in (whole.steps_per_epoch, whole.steps_per_epoch + 1):
        first = training.Run(config)
        first.should_stop = lambda run=first, step=stop_at: run.step == step
        list(training.train(first))
        second = training.Run(config, fresh=False)
        second.load_state_dict(first.state_dict())
        assert second.step == stop_at < second.total_steps
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
    resumed.step_hooks["freeze"].on_epoch(1)
    assert all(parameter.requires_grad for parameter in resumed.model.parameters())


@torch.no_grad()
def test_frozen_stages_drop_nothing_while_the_others_do():
    run = training.Run(tiny(model=DROPPING, techniques=[{"name": "freeze", "stages": 4}]))
    run.step_hooks["freeze"].on_epoch(0)
    batch, seen = run.batch(0, [0, 1, 2, 3]), []

    def inner(batch):
        modules = run.model.net.modules()
        for module in (each for each in modules if isinstance(each, torch.nn.BatchNorm2d)):
            module.eval()  # whose statistics would change the features too
        seen.append([run.model.net.encoder(batch.images)[1:] for _ in range(2)])
        return {}

    run.model.train()
    run.step_hooks["freeze"].objective(batch, inner)
    first, second = seen[0]
    assert [torch.equal(one, other) for one, other in zip(first, second, strict=True)] == [True] * 4 + [False]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"stages": 3}, [3] * 7),
        ({"stages": 3, "until": 2}, [3, 3, 0, 0, 0, 0, 0]),
        ({"stages": 3, "thaw_every": 1}, [3, 2, 1, 0, 0, 0, 0]),
        ({"stages": 2, "thaw_every": 3}, [2, 2, 2, 1, 1, 1, 0]),
        ({"stages": 3, "until": 1, "thaw_every": 2}, [3, 2, 2, 1, 1, 0, 0]),
    ],
    ids=str,
)
def test_stages_thaw_one_by_one_from_the_deepest(options, expected):
    run = training.Run(tiny(model={"name": "unet", "width": 4, "depth": 3}, techniques=[{"name": "freeze"} | options]))
    before, frozen = states(run), []
    places = run.order(0)[:4]
    for epoch in range(7):
        run.step_hooks["freeze"].on_epoch(epoch)
        earlier = states(run)
        run.advance(run.batch(epoch, places))
        stay = unchanged(earlier, states(run))
        assert stay == sorted(stay, reverse=True) and not stay[-1]  # the frozen ones are those nearest to the image
        frozen.append(sum(stay))
    assert frozen == expected
    assert unchanged(before, states(run))[: expected[-1]] == [True] * expected[-1]


def test_a_resumed_run_has_as_many_stages_frozen_as_one_that_goes_on():
    config = tiny(epochs=4, techniques=[{"name": "freeze", "stages": 2, "thaw_every": 1}])
    whole = training.Run(config)
    list(training.train(whole))
    first = training.Run(config)
    first.should_stop = lambda: first.step == 3  # within the second epoch, in which one is frozen
    list(training.train(first))
    second = training.Run(config, fresh=False)
    second.load_state_dict(first.state_dict())
    list(training.train(second))
    assert all(unchanged(states(whole), states(second)))


def test_more_frozen_stages_than_there_are_is_refused():
    with pytest.raises(SeglabError, match=r"freeze.stages: 4 is too many; the encoder of unet has 3 stages"):
        training.Run(tiny(techniques=[{"name": "freeze", "stages": 4}]))
