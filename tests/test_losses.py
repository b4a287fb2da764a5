"""What every loss must do, and what each one computes."""

import pytest
import torch
import torch.nn.functional as F

from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.data.base import Batch
from seglab.entry import FAMILIES, Loss, Outputs, validated
from seglab.losses.pixel import CrossEntropy
from seglab.losses.region import Dice
from seglab.vision import torchvision

LOSSES = {name: entry() for name, entry in FAMILIES["losses"].entries.items() if name != "sum"}
LOSSES["sum"] = validated(Loss, "cross_entropy + 0.5*dice")
NESTED = {"name": "sum", "parts": [{"loss": "dice"}, {"loss": {"name": "sum", "parts": [{"loss": "dice"}] * 2}}]}
LOSSES["nested sum"] = validated(Loss, NESTED)
each = pytest.mark.parametrize("loss", LOSSES.values(), ids=list(LOSSES))


def example(void=0.2, classes=4, seed=0):
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(3, classes, 12, 17, generator=generator).requires_grad_()
    masks = torch.randint(0, classes, (3, 12, 17), generator=generator)
    masks[torch.rand(masks.shape, generator=generator) < void] = 255
    return logits, masks


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
    values = [loss(logits + step * truth, masks).item() for step in range(6)]
    assert values == sorted(values, reverse=True) and values[-1] < 0.5 * values[0]


@each
def test_the_terms_add_up_to_the_loss(loss):
    logits, masks = example()
    terms = loss.terms(Outputs(logits), Batch(torch.zeros(3, 3, 12, 17), masks, torch.arange(3)), 0.0)
    torch.testing.assert_close(sum(term.weight * term.value for term in terms.values()), loss(logits, masks))


@each
def test_half_precision_logits_are_summed_in_full_precision(loss):
    logits, masks = example()
    value = loss(logits.detach().half(), masks)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, loss(logits.detach(), masks), rtol=2e-3, atol=2e-3)


def test_cross_entropy_is_torchs():
    logits, masks = example()
    torch.testing.assert_close(CrossEntropy()(logits, masks), F.cross_entropy(logits, masks, ignore_index=255))


@pytest.mark.parametrize("smooth", [0.0, 1.0, 7.0])
def test_dice_is_smps_when_every_class_is_present(smooth):
    torchvision()
    from segmentation_models_pytorch.losses import DiceLoss

    logits, masks = example()
    theirs = DiceLoss(
        "multiclass", smooth=smooth / 2, ignore_index=255
    )  # its smooth enters twice, see (2I + S) / (P + G + S)
    torch.testing.assert_close(Dice(smooth=smooth)(logits, masks), theirs(logits, masks), rtol=1e-5, atol=1e-5)


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
