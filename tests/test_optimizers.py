"""What every optimizer must do, and that each one is torch's own."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.entry import FAMILIES, Optimizer, SeglabError, validated

OPTIMIZERS = FAMILIES["optimizers"].entries


@dataclass(frozen=True)
class Case:
    """What is known of one optimizer.

    `default` and `set_up` are torch's optimizers that the entry stands for, the second with `options`, which are all
    unlike the defaults. `decayed`: weights 2 and -8 after one and two steps with no gradient, at a learning rate of 0.1
    and weight decay 0.5 with momentum, if there is any, of 0.5; worked by hand. `bad`: values that each option refuses.
    """

    default: Callable[[Any], torch.optim.Optimizer]
    options: dict[str, float]
    set_up: Callable[[Any], torch.optim.Optimizer]
    decayed: tuple[tuple[float, float], tuple[float, float]]
    bad: dict[str, tuple[Any, ...]]


LR = (0, -0.1, 10.1, float("nan"), float("inf"), "fast", None, True)
WEIGHT_DECAY = (-0.01, 1.01, float("nan"), "some")
CASES = {
    "adam": Case(
        default=lambda weights: torch.optim.Adam(weights, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0),
        options={"lr": 0.03, "encoder_lr": 0.01, "weight_decay": 0.2},
        set_up=lambda weights: torch.optim.Adam(weights, lr=0.03, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.2),
        # The first step is 0.1 for any weight. Then the gradient was 1 and is 0.95:
        # m = (0.9 x 1 + 0.95) / 1.9 = 0.973684, v = (0.999 x 1 + 0.95^2) / 1.999 = 0.951226, m / sqrt(v) = 0.998335
        decayed=((1.9, -7.9), (1.8001665, -7.9 + 0.0999652)),
        bad={"lr": LR, "encoder_lr": LR[:5], "weight_decay": WEIGHT_DECAY},
    ),
    "adamw": Case(
        default=lambda weights: torch.optim.AdamW(weights, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01),
        options={"lr": 0.03, "encoder_lr": 0.01, "weight_decay": 0.2},
        set_up=lambda weights: torch.optim.AdamW(weights, lr=0.03, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.2),
        decayed=((1.9, -7.6), (1.805, -7.22)),  # 0.95 of what they were, twice
        bad={"lr": LR, "encoder_lr": LR[:5], "weight_decay": WEIGHT_DECAY},
    ),
    "sgd": Case(
        default=lambda weights: torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=0),
        options={"lr": 0.03, "encoder_lr": 0.01, "momentum": 0.6, "weight_decay": 0.2},
        set_up=lambda weights: torch.optim.SGD(weights, lr=0.03, momentum=0.6, weight_decay=0.2),
        # The steps are -0.05 of the weight, then that of the new weight and half the step before.
        decayed=((1.9, -7.6), (1.755, -7.02)),
        bad={"lr": LR, "encoder_lr": LR[:5], "momentum": (-0.1, 1, 1.5, float("nan")), "weight_decay": WEIGHT_DECAY},
    ),
}

each = pytest.mark.parametrize("name", OPTIMIZERS)


class Network(nn.Sequential):
    """As an optimizer sees a model: its `net` tells which parts are the encoder's stages."""

    def __init__(self):
        super().__init__(nn.Linear(5, 7), nn.BatchNorm1d(7), nn.Tanh(), nn.Sequential(nn.Linear(7, 3, bias=False)))

    @property
    def net(self) -> nn.Module:
        return self

    def stages(self) -> list[nn.Module]:
        return [self[0], self[1]]

    def groups(self) -> list[dict[str, Any]]:
        """The encoder with the learning rate of the cases' options, and the rest."""
        return [
            {"params": self[3].parameters()},
            {"params": [*self[0].parameters(), *self[1].parameters()], "lr": 0.01},
        ]


def network() -> Network:
    torch.manual_seed(0)
    return Network()


def stepped(module: nn.Module, optimizer: torch.optim.Optimizer, steps: range) -> dict[str, torch.Tensor]:
    """The network's weights after these steps, each on a batch of its own."""
    for step in steps:
        generator = torch.Generator().manual_seed(step)
        inputs, truth = torch.randn(8, 5, generator=generator), torch.randn(8, 3, generator=generator)
        optimizer.zero_grad()
        (module(inputs) - truth).square().mean().backward()
        optimizer.step()
    return {name: value.clone() for name, value in module.state_dict().items()}


def equal(one, other):
    return one.keys() == other.keys() and all(torch.equal(value, other[name]) for name, value in one.items())


def test_every_optimizer_has_a_case_here():
    assert set(CASES) == set(OPTIMIZERS)


@each
def test_an_optimizer_takes_the_very_steps_of_torchs_own(name):
    case = CASES[name]
    for options, torchs in [({}, case.default), (case.options, case.set_up)]:
        ours, theirs = network(), network()
        optimizer = validated(Optimizer, {"name": name, **options}).build(ours)
        groups = theirs.groups() if options else theirs.parameters()
        assert equal(stepped(ours, optimizer, range(6)), stepped(theirs, torchs(groups), range(6)))
        assert not equal(ours.state_dict(), network().state_dict())


@each
def test_every_option_has_values_here_that_differ_from_its_default(name):
    entry, case = OPTIMIZERS[name], CASES[name]
    assert set(case.options) == set(case.bad) == set(entry.model_fields)
    assert all(getattr(entry(), option) != value for option, value in case.options.items())
    assert entry().encoder_lr is None


@each
def test_a_convex_function_falls_with_the_first_step_and_to_its_minimum_with_many(name):
    torch.manual_seed(0)
    target, curvature = torch.randn(6), torch.linspace(0.5, 2, 6)
    for entry, steps, most in [(OPTIMIZERS[name](), 1, 1.0), (OPTIMIZERS[name](lr=0.05, weight_decay=0), 300, 1e-3)]:
        module = nn.Linear(6, 1, bias=False)
        optimizer = entry.build(module)
        values = []
        for _ in range(steps + 1):
            value = (curvature * (module.weight[0] - target) ** 2).sum()
            values.append(value.item())
            optimizer.zero_grad()
            value.backward()
            optimizer.step()
        assert values[-1] < most * values[0]


@each
def test_weight_decay_pulls_weights_to_zero_as_worked_by_hand(name):
    entry = OPTIMIZERS[name]
    options = {"lr": 0.1, "weight_decay": 0.5} | ({"momentum": 0.5} if "momentum" in entry.model_fields else {})
    module = nn.Linear(2, 1, bias=False)
    module.weight.data = torch.tensor([[2.0, -8.0]])
    optimizer = entry(**options).build(module)
    for expected in CASES[name].decayed:
        module.weight.grad = torch.zeros(1, 2)
        optimizer.step()
        assert module.weight[0].tolist() == pytest.approx(expected, rel=1e-5)


@each
def test_without_weight_decay_and_gradient_weights_stay(name):
    module = network()
    optimizer = OPTIMIZERS[name](weight_decay=0).build(module)
    for weight in module.parameters():
        weight.grad = torch.zeros_like(weight)
    optimizer.step()
    assert equal(module.state_dict(), network().state_dict())


@each
def test_the_learning_rate_is_that_of_its_groups_which_hold_each_weight_once(name):
    module = network()
    groups = OPTIMIZERS[name](lr=0.0625).build(module).param_groups
    assert {group["lr"] for group in groups} == {0.0625}
    held = [id(weight) for group in groups for weight in group["params"]]
    assert sorted(held) == sorted(id(weight) for weight in module.parameters())


@each
def test_a_value_out_of_range_is_refused_and_its_option_named(name):
    for option, values in CASES[name].bad.items():
        for value in values:
            with pytest.raises(SeglabError, match=option):
                validated(Optimizer, {"name": name, option: value})


@each
def test_an_option_that_is_not_there_is_refused_and_named(name):
    with pytest.raises(SeglabError, match=r"'weigth_decay'; did you mean 'weight_decay'"):
        validated(Optimizer, {"name": name, "weigth_decay": 0.1})


@each
@pytest.mark.parametrize("stopped_at", [1, 4])
def test_a_resumed_optimizer_ends_with_the_same_weights(name, stopped_at):
    entry = OPTIMIZERS[name](**CASES[name].options)
    module = network()
    whole = stepped(module, entry.build(module), range(8))

    first = network()
    optimizer = entry.build(first)
    saved = io.BytesIO()
    torch.save([stepped(first, optimizer, range(stopped_at)), optimizer.state_dict()], saved)
    saved.seek(0)
    weights, state = torch.load(saved, weights_only=True)

    second = network()
    second.load_state_dict(weights)
    resumed = entry.build(second)
    resumed.load_state_dict(state)
    assert equal(stepped(second, resumed, range(stopped_at, 8)), whole)
