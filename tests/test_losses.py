"""What every loss must do, and what each one computes."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy.ndimage import distance_transform_edt

from seglab import training
from seglab.config import configured
from seglab.data.base import Batch, Sample, Statistics
from seglab.data.streets import Streets
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.events import from_line, to_line
from seglab.families import Loss, Outputs
from seglab.loader import collated
from seglab.losses.distance import BorderWeighted, Boundary, closeness, regions, signed_distances
from seglab.losses.pixel import CrossEntropy, Focal
from seglab.losses.region import Dice, FocalTversky, GeneralizedDice, Jaccard, Lovasz, Tversky, lovasz
from seglab.losses.structure import MsSsim, ms_ssim
from seglab.losses.weights import class_weights
from seglab.torchvision_guard import torchvision
from tests.conftest import tiny

LOSSES = {name: entry() for name, entry in FAMILIES["losses"].entries.items() if name != "sum"}
LOSSES["sum"] = configured({"loss": "cross_entropy + 0.5*dice"}).loss
NESTED = {"name": "sum", "parts": [{"loss": "dice"}, {"loss": {"name": "sum", "parts": [{"loss": "dice"}] * 2}}]}
LOSSES["nested sum"] = validated(Loss, NESTED)
LOSSES["weighted cross_entropy"] = CrossEntropy(class_weights=(1, 0.2, 5, 2))
LOSSES["smoothed cross_entropy"] = CrossEntropy(label_smoothing=0.1)
LOSSES["weighted, smoothed cross_entropy"] = CrossEntropy(class_weights=(1, 0.2, 5, 2), label_smoothing=0.1)
LOSSES["weighted focal"] = Focal(class_weights=(1, 0.2, 5, 2), gamma=0.5)
LOSSES["weighted border_weighted"] = BorderWeighted(class_weights=(1, 0.2, 5, 2), sigma=2)
LOSSES["sum of many"] = configured({"loss": "dice + 0.1*boundary + border_weighted + unet_3_plus_hybrid + focal"}).loss
each = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))


def without(*words):
    """Parametrises over the losses whose name has none of the words."""
    chosen = {name: loss for name, loss in LOSSES.items() if not any(word in name for word in words)}
    return pytest.mark.parametrize("loss", chosen.values(), ids=list(chosen))


def example(void=0.2, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 12, 17, generator=generator).requires_grad_()
    masks = torch.randint(0, classes, (3, 12, 17), generator=generator)
    masks[torch.rand(masks.shape, generator=generator) < void] = 255
    return logits, masks


def batch_of(loss, masks):
    """A batch of these masks with the loss's targets, its images black."""
    samples = [Sample(np.zeros((*mask.shape, 3), np.uint8), mask) for mask in masks.byte().numpy()]
    return collated(samples, range(len(samples)), loss.targets)


@each
def test_an_all_void_batch_costs_nothing_and_pulls_nowhere(loss):
    logits, masks = example()
    value = loss(logits, torch.full_like(masks, 255))
    value.backward()
    assert value.item() == 0 and not logits.grad.any()


@each
def test_void_pixels_have_zero_gradient(loss):
    logits, masks = example()
    loss(logits, masks).backward()
    void = (masks == 255).unsqueeze(1).expand_as(logits)
    assert not logits.grad[void].any() and logits.grad[~void].any()


@each
def test_void_pixels_change_nothing(loss):
    logits, masks = example()
    other = torch.where((masks == 255).unsqueeze(1), torch.randn_like(logits) * 9, logits)
    torch.testing.assert_close(loss(other, masks), loss(logits, masks))


@each
def test_the_order_of_the_batch_does_not_matter(loss):
    logits, masks = example()
    order = torch.tensor([2, 0, 1])
    torch.testing.assert_close(loss(logits[order], masks[order]), loss(logits, masks))


@each
def test_the_loss_falls_when_logits_move_to_the_truth(loss):
    logits, masks = example()
    truth = F.one_hot(masks.clamp(max=3), 4).movedim(-1, 1).float()
    if getattr(loss, "label_smoothing", 0):
        logits, truth = torch.zeros_like(logits), truth * math.log(37) / 5  # 0.925 / 0.025, after five steps
    values = [loss(logits + step * truth, masks).item() for step in range(6)]
    least = 0.0
    if getattr(loss, "label_smoothing", 0) or "boundary" in loss.model_dump_json():
        least = loss(logits + (5 if "cross" in loss.name else 1e4) * truth, masks).item()
    assert values == sorted(values, reverse=True) and values[-1] - least < 0.5 * (values[0] - least)


@each
def test_the_terms_add_up_to_the_loss(loss):
    logits, masks = example()
    terms = loss.terms(Outputs(logits), batch_of(loss, masks), 1.0)
    torch.testing.assert_close(sum(term.weight * term.value for term in terms.values()), loss(logits, masks))


@each
def test_a_term_with_a_norm_adds_up_over_images(loss):
    logits, masks = example()
    masks[1, :, :9] = 255

    def times_norm(chosen):
        batch = batch_of(loss, masks[chosen])
        terms = loss.terms(Outputs(logits[chosen]), batch, 1.0)
        return {name: terms[name].value * norm for name, norm in loss.norms(batch).items()}

    whole, single = times_norm([0, 1, 2]), [times_norm([n]) for n in range(3)]
    for name, value in whole.items():
        torch.testing.assert_close(value, sum(each[name] for each in single))


def test_the_losses_of_pixels_have_norms_and_a_sum_has_its_parts():
    _, masks = example()
    found = {name: set(loss.norms(batch_of(loss, masks))) for name, loss in LOSSES.items()}
    expected = {name: {name} for name in ("cross_entropy", "focal", "boundary", "border_weighted")}
    expected |= {"weighted " + name: {name} for name in ("cross_entropy", "focal", "border_weighted")}
    expected |= {name: {"cross_entropy"} for name in ("smoothed cross_entropy", "weighted, smoothed cross_entropy")}
    expected |= {"sum": {"cross_entropy"}, "sum of many": {"boundary", "border_weighted", "focal", "focal 2"}}
    expected |= {"unet_3_plus_hybrid": {"focal"}}
    assert found == {name: expected.get(name, set()) for name in LOSSES}


@each
@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16], ids=str)
def test_half_precision_logits_are_summed_in_full_precision(loss, kind):
    logits, masks = example()
    logits = logits.detach().to(kind)
    value = loss(logits, masks)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.float(), masks))


@each
@pytest.mark.parametrize("kind", [torch.float32, torch.float16, torch.bfloat16], ids=str)
def test_extreme_logits_have_a_finite_loss_and_gradient(loss, kind):
    logits, masks = example()
    for size in (1e4, 0):
        logits = (size * logits.detach().sign()).to(kind).requires_grad_()
        value = loss(logits, masks)
        value.backward()
        assert value.isfinite() and logits.grad.isfinite().all()


@each
def test_perfect_logits_have_a_finite_gradient(loss):
    _, masks = example()
    logits = (1e4 * F.one_hot(masks.clamp(max=3), 4).movedim(-1, 1).float()).requires_grad_()
    loss(logits, masks).backward()
    assert logits.grad.isfinite().all()


@without("weighted ", "weighted, ")
@pytest.mark.parametrize(("classes", "images", "side"), [(2, 3, 64), (21, 2, 64), (4, 1, 64), (3, 2, 9), (21, 1, 33)])
def test_any_number_of_classes_and_images_of_any_size_can_be_learned_from(loss, classes, images, side):
    generator = torch.Generator().manual_seed(classes)
    logits = torch.randn(images, classes, side, side, generator=generator).requires_grad_()
    masks = torch.randint(0, classes, (images, side, side), generator=generator)
    value = loss(logits, masks)
    value.backward()
    assert value.isfinite() and logits.grad.isfinite().all()
    with torch.no_grad():
        assert loss(logits - 1e-2 * logits.grad / logits.grad.abs().max(), masks) < value


@without("ms_ssim", "unet_3_plus_hybrid", "many")  # the size decides their windows
def test_padding_a_batch_with_void_changes_nothing(loss):
    logits, masks = example()
    more = F.pad(logits, (0, 6, 0, 3), value=5.0), F.pad(masks, (0, 6, 0, 3), value=255)
    torch.testing.assert_close(loss(*more), loss(logits, masks))


@each
def test_an_image_that_is_all_void_changes_nothing(loss):
    logits, masks = example()
    more = torch.cat([logits, 9 * logits[:1]]), torch.cat([masks, torch.full_like(masks[:1], 255)])
    torch.testing.assert_close(loss(*more), loss(logits, masks))


@each
def test_images_of_several_sizes_have_their_targets_padded_with_zeros(loss):
    _, masks = example(classes=3)
    masks[1] = masks[1].clamp(max=1)  # the highest class is only in some
    samples = [Sample(np.zeros((*mask.shape, 3), np.uint8), mask) for mask in masks.byte().numpy()]
    samples[1] = Sample(samples[1].image[:7, :9], samples[1].mask[:7, :9])
    alone = loss.targets(samples[1])
    for name, target in collated(samples, range(3), loss.targets).targets.items():
        assert target.shape[-2:] == masks.shape[-2:] and target.dtype == torch.float32
        channels = alone[name].shape[2]
        assert np.array_equal(target[1, :channels, :7, :9].movedim(0, 2), alone[name])
        assert not target[1, :, 7:].any() and not target[1, :, :, 9:].any() and not target[1, channels:].any()


@without("weighted ", "weighted, ")
def test_a_run_trains_with_the_loss(loss):
    run = training.Run(tiny(loss=loss.model_dump(), optimizer={"name": "sgd", "lr": 0.05}, epochs=2))
    batch = run.batch(0, [0, 1, 2, 3])
    first = {name: value.clone() for name, value in run.model.state_dict().items()}
    with torch.no_grad():
        terms = run.terms(run.model.train()(batch.images), batch)
        before = sum(term.weight * term.value for term in terms.values())
        run.model.load_state_dict(first)
    for _ in range(3):
        run.advance(batch)
    run.step = 0  # where the loss changes over a run, both are at its start
    with torch.no_grad():
        terms = run.terms(run.model.train()(batch.images), batch)
    assert sum(term.weight * term.value for term in terms.values()) < before
    run.step = 3
    scores = run.evaluate().scores
    assert all(math.isfinite(score.loss) and set(score.terms) == set(terms) for score in scores.values())


@pytest.mark.parametrize(
    "loss",
    [
        "boundary + dice",
        {"name": "border_weighted", "class_weights": "inverse_sqrt"},
        {"name": "cross_entropy", "class_weights": "median_frequency"},
    ],
    ids=["targets", "targets and statistics", "statistics"],
)
def test_a_run_with_targets_or_statistics_stops_and_goes_on_to_the_same_weights(loss):
    config = tiny(loss=loss, techniques=["flip"])
    whole = training.Run(config)
    list(training.train(whole))
    first = training.Run(config)
    first.should_stop = lambda: first.step == 3
    list(training.train(first))
    second = training.Run(config)
    second.load_state_dict(first.state_dict())
    events = list(training.train(second))
    assert events[0].resumed_at == 3 and events[0].loss == first.started().loss and second.loss == first.loss
    for name, value in whole.model.state_dict().items():
        assert torch.equal(value, second.model.state_dict()[name])


# --- what each one computes


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
@pytest.mark.parametrize("weights", ["none", (1, 0.2, 5, 0), (0.001, 0.002, 0.001, 0.001)], ids=str)
def test_cross_entropy_is_torchs(weights, smoothing):
    logits, masks = example()
    theirs = F.cross_entropy(
        logits,
        masks,
        None if weights == "none" else torch.tensor(weights),
        ignore_index=255,
        label_smoothing=smoothing,
    )
    loss = CrossEntropy(class_weights=weights, label_smoothing=smoothing)
    torch.testing.assert_close(loss(logits, masks), theirs)


def test_smoothing_does_not_make_pixels_count_whose_classes_all_weigh_nothing():
    logits, masks = example()
    loss = CrossEntropy(class_weights=(0, 1, 1, 1), label_smoothing=0.1)
    value = loss(logits, torch.zeros_like(masks))
    value.backward()
    assert value.item() == 0 and not logits.grad.any()


def test_smoothed_labels_are_learned_as_such():
    # by 0.1 with four classes: 0.925 for the true one, 0.025 for the others
    logits = torch.tensor([0.925, 0.025, 0.025, 0.025]).log().view(1, 4, 1, 1).requires_grad_()
    CrossEntropy(label_smoothing=0.1)(logits, torch.tensor([[[0]]])).backward()
    torch.testing.assert_close(logits.grad, torch.zeros(1, 4, 1, 1), atol=1e-7, rtol=0)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_is_smps_softmax_form_on_the_labelled_pixels(gamma):
    torchvision()
    from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits

    logits, masks = example()
    valid = masks != 255
    theirs = softmax_focal_loss_with_logits(logits.movedim(1, -1)[valid], masks[valid], gamma=gamma)
    torch.testing.assert_close(Focal(gamma=gamma)(logits, masks), theirs)


def monais(name, factor=1, **options):
    def theirs(logits, masks):
        from monai import losses

        return factor * getattr(losses, name)(to_onehot_y=True, **options)(logits, masks[:, None])

    return theirs


def kornias(name, factor=1, **options):
    def theirs(logits, masks):
        losses = pytest.importorskip("kornia.losses", reason="kornia needs a Python of 3.11 or newer")
        return factor * getattr(losses, name)(logits, masks, **options)

    return theirs


def smoothed(smooth):
    return {"softmax": True, "batch": True, "smooth_nr": smooth, "smooth_dr": smooth}


def focal_tversky(logits, masks):
    costs = monais("TverskyLoss", alpha=0.3, beta=0.7, reduction="none", **smoothed(3))(logits, masks)
    return (costs**0.75).mean()


SAME = {  # of one image where kornia averages over the images
    "dice, MONAI": (3, Dice(smooth=3), monais("DiceLoss", **smoothed(3))),
    "dice, kornia": (1, Dice(smooth=0), kornias("dice_loss", average="macro")),
    "cross_entropy and dice, MONAI": (3, LOSSES["sum"], monais("DiceCELoss", lambda_dice=0.5, **smoothed(1))),
    "jaccard, MONAI": (3, Jaccard(smooth=3), monais("DiceLoss", jaccard=True, **smoothed(6))),
    "tversky, MONAI": (3, Tversky(smooth=3), monais("TverskyLoss", alpha=0.3, beta=0.7, **smoothed(3))),
    "tversky, kornia": (1, Tversky(smooth=0), kornias("tversky_loss", alpha=0.3, beta=0.7)),
    "focal_tversky, MONAI": (3, FocalTversky(smooth=3), focal_tversky),
    "generalized_dice, MONAI": (3, GeneralizedDice(), monais("GeneralizedDiceLoss", **smoothed(0))),
    "lovasz, kornia": (1, Lovasz(), kornias("lovasz_softmax_loss")),
    "focal, MONAI": (3, Focal(gamma=1.5), monais("FocalLoss", 4, use_softmax=True, gamma=1.5)),
    "focal, kornia": (3, Focal(gamma=1.5), kornias("focal_loss", 4, alpha=None, gamma=1.5, reduction="mean")),
    "boundary, MONAI": (3, Boundary(), monais("BoundaryLoss", softmax=True)),
}


@pytest.mark.parametrize(("images", "loss", "theirs"), SAME.values(), ids=list(SAME))
def test_a_loss_and_its_gradient_are_those_of_another_library(images, loss, theirs, double):
    """Without void, and with each class in every image, about which they differ (see seglab.losses)."""
    torchvision()
    logits, masks = example(void=0)
    logits, masks = logits[:images].detach().requires_grad_(), masks[:images]
    assert all(len(mask.unique()) == 4 for mask in masks)
    (ours, slope), (expected, expected_slope) = (
        (value.detach(), *torch.autograd.grad(value, logits)) for value in (loss(logits, masks), theirs(logits, masks))
    )
    torch.testing.assert_close(ours, expected, rtol=1e-6, atol=0)
    torch.testing.assert_close(slope, expected_slope, rtol=1e-6, atol=1e-6 * slope.abs().max().item())


def test_focal_worked_by_hand():
    # truth 0 with p = 0.75, and truth 1 with p = 0.5, beside a void pixel
    logits = torch.tensor([[[[3.0, 1.0, 7.0]], [[1.0, 1.0, 1.0]]]]).log()
    masks = torch.tensor([[[0, 1, 255]]])
    costs = 0.25**2 * -math.log(0.75), 0.5**2 * -math.log(0.5)
    assert Focal()(logits, masks).item() == pytest.approx(sum(costs) / 2)
    weighted = Focal(class_weights=(0.5, 3))
    assert weighted(logits, masks).item() == pytest.approx((0.5 * costs[0] + 3 * costs[1]) / 2)


def test_focal_with_a_small_gamma_keeps_its_gradient_where_a_pixel_is_all_but_right():
    logits = torch.tensor([[[[0.0]], [[-8.0]]]]).requires_grad_()
    Focal(gamma=0.5)(logits, torch.tensor([[[0]]])).backward()
    p = 1 / (1 + math.exp(-8))
    slope = -(0.5 * (1 - p) ** -0.5 * math.log(p) * -1 + (1 - p) ** 0.5 / p) * p * (1 - p)
    assert logits.grad[0, 0].item() == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("smooth", [0.0, 1.0, 7.0])
def test_dice_is_smps_when_every_class_is_present(smooth):
    torchvision()
    from segmentation_models_pytorch.losses import DiceLoss

    logits, masks = example()
    theirs = DiceLoss(
        "multiclass", smooth=smooth / 2, ignore_index=255
    )  # its smooth enters twice, see (2I + S) / (P + G + S)
    torch.testing.assert_close(Dice(smooth=smooth)(logits, masks), theirs(logits, masks), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("smooth", [0.0, 3.0])
def test_jaccard_and_tversky_are_smps_when_every_class_is_present(smooth):
    torchvision()
    from segmentation_models_pytorch import losses as smp

    logits, masks = example()
    options = {"smooth": smooth, "ignore_index": 255}
    torch.testing.assert_close(
        Jaccard(smooth=smooth)(logits, masks), smp.JaccardLoss("multiclass", **options)(logits, masks)
    )
    theirs = smp.TverskyLoss("multiclass", alpha=0.2, beta=0.9, **options)
    torch.testing.assert_close(Tversky(alpha=0.2, beta=0.9, smooth=smooth)(logits, masks), theirs(logits, masks))


def test_lovasz_is_smps():
    torchvision()
    from segmentation_models_pytorch.losses import LovaszLoss

    logits, masks = example()
    masks[masks == 3] = 2  # one class is absent
    theirs = LovaszLoss("multiclass", per_image=False, ignore_index=255)(logits, masks)
    torch.testing.assert_close(Lovasz()(logits, masks), theirs)


def test_the_lovasz_extension_is_the_jaccard_loss_where_errors_are_0_or_1():
    truth = torch.tensor([True, True, True, False, False])
    wrong = torch.tensor([0.0, 0.0, 1.0, 1.0, 0.0])  # one missed, one false: 2 of 4 in the union
    assert lovasz(wrong, truth).item() == pytest.approx(1 - 2 / 4)
    # 0.5 (false) costs 1 - 3/4 = 1/4; then 0.2 (missed) costs 3/4 - 2/4
    assert lovasz(torch.tensor([0.2, 0, 0, 0.5, 0]), truth).item() == pytest.approx(0.5 / 4 + 0.2 / 4)


def test_the_regions_worked_by_hand():
    # p = (.75, .25) with truth 0 and (.5, .5) with truth 1, so that for class 0 I = .75, P = 1.25, G = 1 and for class
    # 1 I = .5, P = .75, G = 1
    logits = torch.tensor([[[[3.0, 1.0]], [[1.0, 1.0]]]]).log()
    masks = torch.tensor([[[0, 1]]])
    expected = {
        Jaccard(smooth=0): [1 - 0.75 / 1.5, 1 - 0.5 / 1.25],
        Tversky(smooth=0): [1 - 0.75 / (0.75 + 0.3 * 0.5 + 0.7 * 0.25), 1 - 0.5 / (0.5 + 0.3 * 0.25 + 0.7 * 0.5)],
        FocalTversky(smooth=0, alpha=0.5, beta=0.5, gamma=0.75): [(1 - 1.5 / 2.25) ** 0.75, (1 - 1 / 1.75) ** 0.75],
        GeneralizedDice(): [1 - 2 * 1.25 / 4],
    }
    for loss, costs in expected.items():
        assert loss(logits, masks).item() == pytest.approx(sum(costs) / len(costs)), loss.name


def test_generalised_dice_weighs_by_the_squared_size_of_a_class():
    # p = .5 everywhere, three pixels of class 0 and one of class 1: I = (1.5, .5), P = (2, 2), w = (1/9, 1)
    logits, masks = torch.zeros(1, 2, 1, 4), torch.tensor([[[0, 0, 0, 1]]])
    expected = 1 - 2 * (1.5 / 9 + 0.5) / (5 / 9 + 3)
    assert GeneralizedDice()(logits, masks).item() == pytest.approx(expected)


def test_dice_worked_by_hand():
    # two pixels, two classes: p = (.75, .25) with truth 0 and (.5, .5) with truth 1
    logits = torch.tensor([[[[3.0, 1.0]], [[1.0, 1.0]]]]).log()
    masks = torch.tensor([[[0, 1]]])
    first, second = 1 - 2 * 0.75 / (1.25 + 1), 1 - 2 * 0.5 / (0.75 + 1)
    torch.testing.assert_close(Dice(smooth=0)(logits, masks), torch.tensor((first + second) / 2))


def test_dice_leaves_absent_classes_out():
    logits, masks = example(void=0)
    masks[masks == 3] = 2
    probabilities = logits.softmax(1)
    scores = []
    for c in range(3):
        p, g = probabilities[:, c], (masks == c).float()
        scores.append(1 - (2 * (p * g).sum() + 1) / (p.sum() + g.sum() + 1))
    torch.testing.assert_close(Dice(smooth=1)(logits, masks), torch.stack(scores).mean())


def test_the_same_loss_twice_is_logged_apart():
    loss = validated(
        Loss, {"name": "sum", "parts": [{"loss": "dice"}, {"loss": {"name": "dice", "smooth": 9}, "weight": 2}]}
    )
    logits, masks = example()
    terms = loss.terms(Outputs(logits), Batch(logits, masks, torch.arange(3)), 0.0)
    assert {name: term.weight for name, term in terms.items()} == {"dice": 1, "dice 2": 2}


# --- structure


def waves(height, width):
    """A disc, and a mild pattern."""
    rows, columns = torch.arange(float(height)).view(-1, 1), torch.arange(float(width)).view(1, -1)
    disc = (rows - 0.45 * height) ** 2 + (columns - 0.5 * width) ** 2 < (0.28 * height) ** 2
    return disc.float()[None], (0.5 + 0.5 * torch.sin(rows / 9) * torch.cos(columns / 13))[None]


def of_scales(one, other, scales, window):
    """What pytorch_msssim has for five scales, put together of its parts for fewer; their weights keep their sum."""
    from pytorch_msssim.ssim import _ssim

    result, weights = 1.0, (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)[:scales]
    for scale, weight in enumerate(weights):
        whole, contrast = _ssim(one[:, None], other[:, None], 1.0, window)
        score = whole if scale == scales - 1 else contrast
        result = result * score.relu()[:, 0] ** (weight * 1.0001 / sum(weights))
        one, other = (F.avg_pool2d(maps, 2) for maps in (one, other))
    return result


SCALES = [(14, 17, 1), (32, 40, 2), (64, 64, 3), (64, 96, 3), (96, 96, 4), (128, 128, 4), (176, 192, 5), (192, 192, 5)]


@pytest.mark.parametrize("share", [0.3, 0.7, 0.9])
@pytest.mark.parametrize(("height", "width", "scales"), SCALES)
def test_ms_ssim_is_pytorch_msssims(height, width, scales, share, double):
    import pytorch_msssim

    disc, pattern = (maps.double() for maps in waves(height, width))
    mixed = (share * disc + (1 - share) * pattern).requires_grad_()
    window = torch.exp(-(torch.arange(-5, 6).double() ** 2) / 4.5).view(1, 1, 1, -1)  # its own has 32 bits
    window /= window.sum()
    ours, theirs = ms_ssim(mixed, disc, torch.ones_like(disc)), of_scales(mixed, disc, scales, window)
    torch.testing.assert_close(ours, theirs, rtol=1e-8, atol=0)
    slope, their_slope = (torch.autograd.grad(value.sum(), mixed)[0] for value in (ours, theirs))
    torch.testing.assert_close(slope, their_slope, rtol=1e-8, atol=1e-8 * slope.abs().max().item())
    if scales == 5:
        known = pytorch_msssim.ms_ssim(mixed[None], disc[None], data_range=1.0, win=window)
        torch.testing.assert_close(ours[0], known, rtol=1e-8, atol=0)
    elif scales == 1:
        known = pytorch_msssim.ssim(mixed[None], disc[None], data_range=1.0, win=window)
        torch.testing.assert_close(ours[0], known**1.0001, rtol=1e-8, atol=0)


@pytest.mark.parametrize("side", [64, 128, 176])
def test_ms_ssim_has_no_slope_where_prediction_and_truth_are_opposed(side):
    masks = torch.randint(0, 2, (1, side, side), generator=torch.Generator().manual_seed(0))
    truth = 2 * F.one_hot(masks, 2).movedim(-1, 1).float()

    def slope(loss, logits):
        (found,) = torch.autograd.grad(loss(logits.requires_grad_(), masks), logits)
        return found

    against, towards = -truth, truth
    assert not slope(MsSsim(), against.clone()).any() and slope(MsSsim(), towards.clone()).any()
    assert MsSsim()(against, masks).item() > 0.999
    found = slope(validated(Loss, "unet_3_plus_hybrid"), against.clone())
    assert ((found * truth).sum(1) < 0).all()  # with the others beside it every pixel is drawn to the truth


@pytest.mark.parametrize(("side", "scales"), [(9, 1), (21, 1), (22, 2), (64, 3), (128, 4), (176, 5), (400, 5)])
def test_ms_ssim_has_as_many_scales_as_the_size_allows(side, scales, monkeypatch):
    sizes = []
    original = ms_ssim.__globals__["similarity"]

    def watched(one, *rest):
        sizes.append(one.shape[-1])
        return original(one, *rest)

    monkeypatch.setitem(ms_ssim.__globals__, "similarity", watched)
    maps = torch.rand(1, side, side, generator=torch.Generator().manual_seed(0))
    assert ms_ssim(maps, maps, torch.ones_like(maps)).item() == pytest.approx(1)
    assert sizes == [side >> n for n in range(scales)]


def test_one_scale_is_ssim_over_windows_by_their_labelled_share():
    generator = torch.Generator().manual_seed(0)
    one, other = torch.rand(2, 1, 14, 17, generator=generator)
    valid = torch.ones(1, 14, 17)
    valid[:, 3:9, 12:] = 0
    line = np.exp(-(np.arange(-5, 6) ** 2) / 4.5)
    window = np.outer(line, line) / line.sum() ** 2
    a, b, v = (maps[0].double().numpy() for maps in (one * valid, other * valid, valid))
    scores, shares = [], []
    for row in range(4):
        for column in range(7):
            x, y, w = (maps[row : row + 11, column : column + 11] for maps in (a, b, v))
            mx, my = (window * x).sum(), (window * y).sum()
            vx, vy, c = ((window * part).sum() for part in ((x - mx) ** 2, (y - my) ** 2, (x - mx) * (y - my)))
            light = (2 * mx * my + 1e-4) / (mx**2 + my**2 + 1e-4)
            scores.append(light * (2 * c + 9e-4) / (vx + vy + 9e-4))
            shares.append((window * w).sum())
    expected = np.average(scores, weights=shares) ** 1.0001  # the sum of the five weights
    assert ms_ssim(one * valid, other * valid, valid).item() == pytest.approx(expected, rel=1e-4)


def test_ms_ssim_averages_the_images_of_a_class_and_then_the_classes():
    _, masks = example(void=0, classes=3)
    logits = torch.randn(3, 3, 12, 17, generator=torch.Generator().manual_seed(1))
    masks[0], masks[1] = masks[0].clamp(max=1), 0
    probabilities, ones = logits.softmax(1), torch.ones(1, 12, 17)
    costs = {0: [], 1: [], 2: []}
    for n in range(3):
        for kind in masks[n].unique().tolist():
            score = ms_ssim(probabilities[n, kind][None], (masks[n] == kind).float()[None], ones)
            costs[kind].append(1 - score.item())
    assert [len(each) for each in costs.values()] == [3, 2, 1]
    assert MsSsim()(logits, masks).item() == pytest.approx(np.mean([np.mean(each) for each in costs.values()]))


def test_the_hybrid_is_focal_and_ms_ssim_and_iou_each_by_name():
    logits, masks = example()
    hybrid = validated(Loss, {"name": "unet_3_plus_hybrid", "gamma": 1})
    terms = hybrid.terms(Outputs(logits), batch_of(hybrid, masks), 0.0)
    expected = {"focal": Focal(gamma=1), "ms_ssim": MsSsim(), "jaccard": Jaccard()}
    assert list(terms) == list(expected) and all(term.weight == 1 for term in terms.values())
    for name, loss in expected.items():
        torch.testing.assert_close(terms[name].value, loss(logits, masks))


# --- distances


def test_signed_distances_worked_by_hand():
    mask = np.array([[0, 0, 0, 2, 2, 255]], np.uint8)
    maps = signed_distances(mask)
    assert maps.shape == (1, 6, 3) and not maps[..., 1].any()  # class 1 is nowhere
    assert maps[0, :, 0].tolist() == [-2, -1, 0, 1, 2, 3]
    assert maps[0, :5, 2].tolist() == [3, 2, 1, 0, -1]  # void is no border
    assert not signed_distances(np.array([[1, 1, 255]], np.uint8)).any()


def test_signed_distances_are_scipys():
    generator = np.random.default_rng(0)
    mask = np.kron(generator.integers(0, 4, (6, 5)), np.ones((7, 9))).astype(np.uint8)
    for kind in range(4):
        own = mask == kind
        expected = distance_transform_edt(~own) - (distance_transform_edt(own) - 1) * own
        np.testing.assert_allclose(signed_distances(mask)[..., kind], expected, atol=1e-5)


def test_distances_do_not_depend_on_where_an_array_lies_in_memory():
    mask = np.random.default_rng(0).integers(0, 40, (48, 64)).clip(0, 1).astype(np.uint8)
    room = np.zeros(mask.size + 64, np.uint8)
    for start in range(64):
        placed = room[start : start + mask.size].reshape(mask.shape)
        placed[:] = mask
        assert np.array_equal(signed_distances(placed), signed_distances(mask))
        assert np.array_equal(closeness(regions(placed), 5), closeness(regions(mask), 5))


def test_boundary_worked_by_hand():
    # distances of class 0: 0 and 1, of class 1: 1 and 0; p of the true class .75 and .5; a mean over 2 pixels x 2
    logits = torch.tensor([[[[3.0, 1.0]], [[1.0, 1.0]]]]).log()
    loss, masks = Boundary(), torch.tensor([[[0, 1]]])
    assert loss(logits, masks).item() == pytest.approx((0.75 * 0 + 0.5 * 1 + 0.25 * 1 + 0.5 * 0) / 4)
    weights = [loss.terms(Outputs(logits), batch_of(loss, masks), progress)["boundary"].weight for progress in (0, 0.5)]
    assert weights == pytest.approx([0.01, 0.505])


def test_boundary_charges_a_far_mistake_more_than_a_near_one():
    masks = (torch.arange(40).expand(1, 40, 40) < 20).long()
    truth = 1e4 * F.one_hot(masks, 2).movedim(-1, 1).float()
    values = []
    for column in (20, 25, 39):
        logits = truth.clone()
        logits[:, :, :, column] = logits[:, :, :, column].flip(1)
        values.append(Boundary()(logits, masks).item())
    least = Boundary()(truth, masks).item()
    assert least < values[0] < values[1] < values[2]


def brute_closeness(things, sigma):
    """exp(-(d1 + d2)^2 / (2 sigma^2)) from the distances to all things at once."""
    each = [distance_transform_edt(things != number) for number in np.unique(things) if number]
    first, second = np.sort(each, 0)[:2]
    return np.exp(-((first + second) ** 2) / (2 * sigma**2))


def test_the_border_map_worked_by_hand():
    # two things with a gap of three pixels, as image: distances 1 + 3, 2 + 2, 3 + 1 in the gap
    things = np.array([[1, 1, 0, 0, 0, 7, 7, 0]], np.int32)
    sample = Sample(np.zeros((1, 8, 3), np.uint8), (things > 0).astype(np.uint8), things)
    gap, behind = math.exp(-16 / 50), math.exp(-((1 + 6) ** 2) / 50)
    (border,) = BorderWeighted().targets(sample).values()
    np.testing.assert_allclose(border[0, :, 0], [0, 0, gap, gap, gap, 0, 0, behind], rtol=1e-5)
    alone = Sample(sample.image, sample.mask, np.where(things == 7, 0, things))
    assert not BorderWeighted().targets(alone)["border 5"].any()  # there is no second thing


@pytest.mark.parametrize("sigma", [1.0, 5.0])
def test_the_border_map_is_that_of_all_distances(sigma):
    scene = Streets(train_images=4, size=96).open().train[1]
    things = np.where(scene.instances > 0, scene.instances * 1000 + 24, 0).astype(np.int32)
    assert len(np.unique(things)) > 3
    np.testing.assert_allclose(closeness(things, sigma), brute_closeness(things, sigma), atol=1e-5)
    found = regions(scene.mask)
    np.testing.assert_allclose(closeness(found, sigma), brute_closeness(found, sigma), atol=1e-5)


def test_regions_are_the_connected_parts_of_each_class():
    mask = np.array([[0, 0, 1, 0], [1, 1, 255, 255], [1, 1, 255, 2]], np.uint8)
    assert regions(mask).tolist() == [[1, 1, 3, 2], [3, 3, 0, 0], [3, 3, 0, 4]]


def test_border_weighted_worked_by_hand():
    # truth 0, 1 and void; -log p = log 4/3 and log 2; regions 1 pixel apart: exp(-1/2) with sigma 1
    logits = torch.tensor([[[[3.0, 1.0, 9.0]], [[1.0, 1.0, 1.0]]]]).log()
    masks, near = torch.tensor([[[0, 1, 255]]]), math.exp(-0.5)
    plain = BorderWeighted(w0=4, sigma=1)(logits, masks).item()
    assert plain == pytest.approx((1 + 4 * near) * (math.log(4 / 3) + math.log(2)) / 2)
    weighted = BorderWeighted(w0=4, sigma=1, class_weights=(0.5, 3))(logits, masks).item()
    assert weighted == pytest.approx(((0.5 + 4 * near) * math.log(4 / 3) + (3 + 4 * near) * math.log(2)) / 2)
    assert BorderWeighted(w0=0)(logits, masks).item() == pytest.approx(CrossEntropy()(logits, masks).item())


def test_in_a_run_things_make_the_borders_and_each_sigma_has_its_own_map():
    parts = [{"loss": {"name": "border_weighted", "sigma": sigma}} for sigma in (2, 6)]
    run = training.Run(tiny(loss={"name": "sum", "parts": parts}))
    batch = run.batch(0, [0, 1])
    assert set(batch.targets) == {"border 2", "border 6"}
    for n in range(2):
        for sigma in (2, 6):
            expected = brute_closeness(run.train[n].instances, sigma) * (run.train[n].instances == 0)
            np.testing.assert_allclose(batch.targets[f"border {sigma}"][n, 0], expected, atol=1e-5)
    assert set(run.terms(Outputs(torch.zeros(2, 11, 48, 64)), batch)) == {"border_weighted", "border_weighted 2"}


# --- weights of classes


def samples(*masks):
    return [Sample(np.zeros((1, len(mask), 3), np.uint8), np.array([mask], np.uint8)) for mask in masks]


def test_statistics_count_pixels_and_those_around_a_class():
    found = Statistics(samples([0, 0, 0, 1], [0, 0, 255, 255], [2, 2, 2, 255]), 4)
    assert found.pixels.tolist() == [5, 1, 3, 0]
    assert found.pixels_around.tolist() == [6, 4, 3, 0]


def test_the_rules_worked_by_hand():
    # n = (4, 1, 16, 0); class 2 has an image of its own
    found = Statistics(samples([0, 0, 0, 0, 1], [2] * 16 + [255]), 4)
    # f = (4/5, 1/5, 1), whose median is 4/5
    assert class_weights("median_frequency", found) == pytest.approx((1, 4, 0.8, 0))
    assert class_weights("inverse_sqrt", found) == pytest.approx((1, 2, 0.5, 0))
    # N = 7, b = 6/7: 1 / (1 - b^n)
    raw = [1 / (1 - (6 / 7) ** n) for n in (4, 1, 16)]
    expected = [each / raw[0] for each in raw]
    assert class_weights("effective_number", found) == pytest.approx((*expected, 0))


@pytest.mark.parametrize("rule", ["inverse_sqrt", "median_frequency", "effective_number"])
def test_no_weight_is_infinite_or_drowns_the_others(rule):
    found = Statistics(samples([0] * 100_000 + [1], [2] * 3000 + [0] * 97_001), 4)
    weights = class_weights(rule, found)
    assert weights[3] == 0 and all(0.1 <= weight <= 10 for weight in weights[:3])
    assert weights[1] > weights[2] > weights[0]
    assert class_weights(rule, Statistics(samples([255]), 2)) == (0, 0)
    assert class_weights(rule, Statistics(samples([0, 1]), 2)) == pytest.approx((1, 1))


def test_a_rule_becomes_numbers_when_a_run_begins_and_all_are_told():
    loss = {"name": "sum", "parts": [{"loss": "dice"}, {"loss": {"name": "focal", "class_weights": "inverse_sqrt"}}]}
    run = training.Run(tiny(loss=loss))
    started, names = from_line(to_line(next(iter(training.train(run))))), run.data.classes
    counts = Statistics(run.train, len(names))
    expected = class_weights("inverse_sqrt", counts)
    assert started.loss["parts"][1]["loss"]["class_weights"] == pytest.approx(expected)
    assert validated(Loss, started.loss) == run.loss and run.config.loss.parts[1].loss.class_weights == "inverse_sqrt"
    (note,) = (str(note.error()) for note in started.notes)
    assert note.startswith("focal, class weights: ")
    assert all(f"{name} {weight:.3g}" in note for name, weight in zip(names, expected, strict=True))


def test_nothing_is_counted_for_a_loss_without_a_rule():
    run = training.Run(tiny(loss="focal"))
    assert not run.train.kept and run.started().notes == []


def test_weights_can_be_given_as_numbers_one_for_each_class():
    assert validated(Loss, {"name": "focal", "class_weights": "1, 0.5,2"}).class_weights == (1, 0.5, 2)
    weights = ",".join("1" * 11)
    run = training.Run(tiny(loss={"name": "cross_entropy", "class_weights": weights}))
    batch = run.batch(0, [0, 1])
    outputs = Outputs(torch.randn(2, 11, 48, 64))
    torch.testing.assert_close(
        run.terms(outputs, batch)["cross_entropy"].value, CrossEntropy()(outputs.logits, batch.masks)
    )
    with pytest.raises(SeglabError, match=r"cross_entropy.class_weights: 2 numbers for 11 classes"):
        training.Run(tiny(loss={"name": "cross_entropy", "class_weights": [1, 2]}))


@pytest.mark.parametrize(
    ("weights", "words"),
    [
        ("median", ["class_weights", "'median'", "median_frequency"]),
        ("1,x", ["class_weights.1", "'x'", "not a number"]),
        ([1, -2], ["class_weights.1", "-2", "or more"]),
        (3, ["class_weights", "3", "inverse_sqrt"]),
        ([1, float("inf")], ["class_weights.1", "inf"]),
    ],
)
def test_weights_that_cannot_be_are_refused_with_what_can(weights, words):
    with pytest.raises(SeglabError) as error:
        validated(Loss, {"name": "focal", "class_weights": weights})
    assert all(word in str(error.value) for word in words)


def test_a_rule_that_is_no_number_yet_is_never_taken_for_equal_weights():
    logits, masks = example()
    for name in ("cross_entropy", "focal", "border_weighted"):
        with pytest.raises(TypeError, match="median_frequency"):
            validated(Loss, {"name": name, "class_weights": "median_frequency"})(logits, masks)


def test_the_loss_is_summed_in_full_precision_in_evaluation_too():
    run = training.Run(tiny(loss="dice + cross_entropy"))
    batch, logits = run.batch(0, [0, 1, 2]), 3 * torch.randn(3, 11, 48, 64)
    expected = run.terms(Outputs(logits), batch)
    with torch.autocast("cpu", torch.bfloat16):
        found = run.terms(Outputs(logits), batch)
    assert all(torch.equal(found[name].value, term.value) for name, term in expected.items())
