"""What every optimizer must do, and that each one is torch's own."""

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from torch import nn

from seglab import machine, training
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Optimizer, StepHooks
from tests.conftest import tiny

OPTIMIZERS = FAMILIES["optimizers"].entries


@dataclass(frozen=True)
class Case:
    """What is known of one optimizer.

    `default` and `set_up` are torch's optimizers that the entry stands for, the second with `options`, which are all
    unlike the defaults. `decayed`: weights 2 and -8 after one and two steps with no gradient, at a learning rate of 0.1
    and weight decay 0.5 with momentum, if there is any, of 0.5; worked by hand. `bad`: values that each option refuses.
    """

    default: Callable[[Any], torch.optim.Optimizer]
    options: dict[str, Any]
    set_up: Callable[[Any], torch.optim.Optimizer]
    decayed: tuple[tuple[float, float], tuple[float, float]]
    bad: dict[str, tuple[Any, ...]]


# What the loop does, and what decides which weights decay, with its own tests below.
SHARED = {"decay_norms": False, "clip": 0.5, "precision": "mixed"}
BAD_SHARED = {
    "decay_norms": ("perhaps", 2),
    "clip": (-0.1, 1001, float("nan"), float("inf"), True, None),
    "precision": ("half", 16, None),
}
LR = (0, -0.1, 10.1, float("nan"), float("inf"), "fast", None, True)
WEIGHT_DECAY = (-0.01, 1.01, float("nan"), "some")
CASES = {
    "adam": Case(
        default=lambda weights: torch.optim.Adam(
            weights, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0, fused=True
        ),
        options={"lr": 0.03, "encoder_lr": 0.01, "weight_decay": 0.2} | SHARED,
        set_up=lambda weights: torch.optim.Adam(
            weights, lr=0.03, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.2, fused=True
        ),
        # The first step is 0.1 for any weight. Then the gradient was 1 and is 0.95:
        # m = (0.9 x 1 + 0.95) / 1.9 = 0.973684, v = (0.999 x 1 + 0.95^2) / 1.999 = 0.951226, m / sqrt(v) = 0.998335
        decayed=((1.9, -7.9), (1.8001665, -7.9 + 0.0999652)),
        bad={"lr": LR, "encoder_lr": LR[:5], "weight_decay": WEIGHT_DECAY} | BAD_SHARED,
    ),
    "adamw": Case(
        default=lambda weights: torch.optim.AdamW(
            weights, lr=0.001, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01, fused=True
        ),
        options={"lr": 0.03, "encoder_lr": 0.01, "weight_decay": 0.2} | SHARED,
        set_up=lambda weights: torch.optim.AdamW(
            weights, lr=0.03, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.2, fused=True
        ),
        decayed=((1.9, -7.6), (1.805, -7.22)),  # 0.95 of what they were, twice
        bad={"lr": LR, "encoder_lr": LR[:5], "weight_decay": WEIGHT_DECAY} | BAD_SHARED,
    ),
    "sgd": Case(
        default=lambda weights: torch.optim.SGD(weights, lr=0.01, momentum=0.9, weight_decay=0, fused=True),
        options={"lr": 0.03, "encoder_lr": 0.01, "momentum": 0.6, "weight_decay": 0.2} | SHARED,
        set_up=lambda weights: torch.optim.SGD(weights, lr=0.03, momentum=0.6, weight_decay=0.2, fused=True),
        # The steps are -0.05 of the weight, then that of the new weight and half the step before.
        decayed=((1.9, -7.6), (1.755, -7.02)),
        bad={"lr": LR, "encoder_lr": LR[:5], "momentum": (-0.1, 1, 1.5, float("nan")), "weight_decay": WEIGHT_DECAY}
        | BAD_SHARED,
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

    def spared(self) -> list[nn.Parameter]:
        """The parameters that weight decay spares where it is told to: the biases and the norm's weights."""
        return [self[0].bias, self[1].weight, self[1].bias]

    def apart(self) -> list[dict[str, Any]]:
        """As the cases' options have them: the encoder with a learning rate of its own, the spared without decay."""
        encoder = {"lr": 0.01}
        return [
            {"params": self[3].parameters()},
            {"params": [self[0].weight]} | encoder,
            {"params": self.spared(), "weight_decay": 0} | encoder,
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
        groups = theirs.apart() if options else theirs.parameters()
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
    for entry, steps, most in [
        (OPTIMIZERS[name](), 1, 1.0),
        (OPTIMIZERS[name](lr=0.05, weight_decay=0), 300, 1e-3),
    ]:
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
def test_weight_decay_spares_biases_and_norms_where_it_is_told_to(name):
    spare = {"decay_norms": False}
    for options, decayed in ({}, True), (spare, False), (spare | {"encoder_lr": 0.05}, False):
        module = network()
        with torch.no_grad():
            for parameter in module.parameters():
                parameter.fill_(1)
        optimizer = OPTIMIZERS[name](lr=0.1, weight_decay=0.5, **options).build(module)
        for parameter in module.parameters():
            parameter.grad = torch.zeros_like(parameter)
        optimizer.step()
        assert all((parameter < 1).all() for parameter in (module[0].weight, module[3][0].weight))
        assert all(bool((parameter < 1).all()) is decayed for parameter in module.spared())


@each
def test_the_first_group_has_the_main_learning_rate_whatever_else_there_is(name):
    class Encoder(Network):
        def stages(self) -> list[nn.Module]:
            return list(self)

    options = OPTIMIZERS[name](lr=0.5, encoder_lr=0.25, decay_norms=False)
    for module, rates in (network(), [0.5, 0.25, 0.25]), (Encoder(), [0.5, 0.25, 0.25]):
        groups = options.build(module).param_groups
        assert groups[0]["lr"] == 0.5 and sorted(group["lr"] for group in groups) == sorted(rates)
        held = [id(weight) for group in groups for weight in group["params"]]
        assert sorted(held) == sorted(id(weight) for weight in module.parameters())
    run = training.Run(tiny(optimizer={"name": name, "lr": 0.5, "encoder_lr": 0.25, "decay_norms": False}))
    run.advance(run.batch(0, [0, 1, 2, 3]))
    assert run.lr == 0.5 and len(run.optimizer.param_groups) == 4


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


# --- in a run: how far one step of plain descent goes is the norm of the gradient

DESCENT = {"name": "sgd", "lr": 1.0, "momentum": 0, "encoder_lr": 1.0}


class Tenfold(StepHooks):
    """A technique that makes the gradients ten times as long."""

    def __init__(self, model: nn.Module):
        self.model = model

    def on_grads(self) -> None:
        for parameter in self.model.parameters():
            parameter.grad *= 10


def moved(scale: float = 1.0, tenfold: bool = False, **options: Any) -> torch.Tensor:
    """By how much one step of a run moves its weights, all in a row."""
    run = training.Run(tiny(optimizer=DESCENT | options))
    if tenfold:
        run.step_hooks["tenfold"] = Tenfold(run.model)
    run.scaler = torch.amp.GradScaler("cpu", init_scale=scale, enabled=scale != 1)
    before = row(run.model)
    run.advance(run.batch(0, [0, 1, 2, 3]))
    return row(run.model) - before


def row(module: nn.Module) -> torch.Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in module.parameters()])


def test_the_clip_bounds_the_norm_of_the_gradients_and_keeps_their_direction():
    free = moved()
    norm = float(free.norm())
    assert norm > 0.1
    for clip, options in (norm / 2, {}), (norm / 50, {}), (norm / 2, {"scale": 1024.0}), (norm / 2, {"tenfold": True}):
        torch.testing.assert_close(moved(clip=clip, **options), free * clip / norm, rtol=1e-3, atol=1e-6)
    assert torch.equal(moved(clip=0), free) and torch.equal(moved(clip=norm * 2), free)
    torch.testing.assert_close(moved(scale=1024.0), free)  # and the scale alone changes nothing


@pytest.mark.parametrize(
    ("precision", "native", "dtype"),
    [
        ("auto", False, torch.float32),
        ("auto", True, torch.bfloat16),
        ("full", True, torch.float32),
        ("mixed", False, torch.bfloat16),
    ],
)
def test_the_network_computes_in_the_precision_that_is_asked_for(precision, native, dtype, monkeypatch):
    monkeypatch.setattr(machine, "native_bfloat16", lambda: native)
    run, kinds = training.Run(tiny(optimizer={"name": "adamw", "precision": precision})), set()
    layer = next(module for module in run.model.modules() if isinstance(module, nn.Conv2d))
    layer.register_forward_hook(lambda module, inputs, output: kinds.add(output.dtype))
    loss, _, _ = run.advance(run.batch(0, [0, 1, 2, 3]))
    assert run.started().precision == str(dtype).removeprefix("torch.")
    exact = training.Run(tiny(optimizer={"name": "adamw", "precision": "full"}))
    assert loss == pytest.approx(exact.advance(exact.batch(0, [0, 1, 2, 3]))[0], rel=0.02)
    assert run.evaluate().scores["val"].loss > 0
    assert kinds == {dtype} and {parameter.dtype for parameter in run.model.parameters()} == {torch.float32}
    with run.autocast:
        assert run.model(torch.rand(1, 3, 64, 64)).logits.dtype == torch.float32


@each
def test_a_run_with_every_option_goes_on_to_the_same_weights(name):
    config = tiny(optimizer={"name": name} | CASES[name].options)
    whole = training.Run(config)
    list(training.train(whole))
    first = training.Run(config)
    first.should_stop = lambda: first.step == 3
    list(training.train(first))
    second = training.Run(config)
    second.load_state_dict(first.state_dict())
    list(training.train(second))
    assert whole.step == second.step == 4 and first.step == 3
    assert equal(whole.model.state_dict(), second.model.state_dict())
    assert not equal(whole.model.state_dict(), first.model.state_dict())
