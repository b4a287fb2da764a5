"""Schedulers against their closed forms, and the curve of a whole run."""

import io
import math
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import pytest
import torch

from seglab import training
from seglab.config import RunConfig
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.events import Evaluated, Score, Stepped
from seglab.families import Scheduler
from seglab.schedulers import (
    Constant,
    Cosine,
    CosineRestarts,
    Exponential,
    MultiStep,
    OneCycle,
    Plateau,
    Poly,
    Schedule,
    Step,
    curve,
)
from tests.conftest import tiny

ENTRIES = FAMILIES["schedulers"].entries
EPOCHS, STEPS = 12, 3
ALL = EPOCHS * STEPS
RATES = (0.3, 0.004)  # of two parameter groups
WARMUPS = {0.0: 0, 1.5: 5, 4.6: 14}  # epochs of warm-up, and its whole steps
# The score after each epoch. With patience 1 the rate is cut after epochs 4 (0.9 and 0.8 are no better than 0.8), 7 and
# 9. After a warm-up of 14 steps, epoch 5 is the first to count.
LOSSES = (1.0, 0.8, 0.9, 0.8, 0.7, 0.71, 0.72, 0.73, 0.74, 0.75, 0.6, 0.6)
CUTS = {0: (4, 7, 9), 5: (4, 7, 9), 14: (7, 9)}


def half_cosine(share, low=0.0):
    return low + (1 - low) * math.cos(math.pi * share / 2) ** 2


def restarts(step, *cycles):
    """Cosines one after the other, each as many steps long as given."""
    for length in cycles:
        if step < length:
            return step / length
        step -= length


def one_cycle(step, total, peak, start, end):
    """From `start` to 1 at step `peak`, and to `end` at the last step."""
    if step <= peak:
        return 1 - (1 - start) * half_cosine(step / peak)
    return half_cosine((step - peak) / (total - 1 - peak), end)


def plateau(step, total):
    step, warmup = step + ALL - total, ALL - total
    return 0.5 ** sum(step >= cut * STEPS for cut in CUTS[warmup])


# The share of the rate in each step, counted from the end of the warm-up, of the steps that are left then.
CLOSED: dict[Scheduler, Callable[[int, int], float]] = {
    Constant(): lambda step, total: 1.0,
    Step(step_size=4, gamma=0.5): lambda step, total: 0.5 ** (step // 12),
    Step(step_size=1, gamma=0.9): lambda step, total: 0.9 ** (step // 3),
    MultiStep(milestones=(2, 3, 9), gamma=0.3): lambda step, total: 0.3 ** ((step >= 6) + (step >= 9) + (step >= 27)),
    MultiStep(milestones=(40, 5)): lambda step, total: 0.1 if step >= 15 else 1.0,
    Exponential(gamma=0.8): lambda step, total: 0.8 ** (step // 3),
    Cosine(): lambda step, total: half_cosine(step / total),
    Cosine(floor=0.2): lambda step, total: half_cosine(step / total, 0.2),
    CosineRestarts(cycle=1, cycle_mult=3): lambda step, total: half_cosine(restarts(step, 3, 9, 27)),
    CosineRestarts(cycle=2, cycle_mult=1, floor=0.1): lambda step, total: half_cosine(step % 6 / 6, 0.1),
    CosineRestarts(cycle=50): lambda step, total: half_cosine(step / 150),
    Poly(): lambda step, total: (1 - step / total) ** 0.9,
    Poly(power=2): lambda step, total: (1 - step / total) ** 2,
    OneCycle(): lambda step, total: one_cycle(step, total, 0.3 * total - 1, 1 / 25, 1 / 25e4),
    OneCycle(pct_start=0.5, div_factor=4, final_div_factor=2): lambda step, total: one_cycle(step, total, 17, 1/4, 1/8),
    Plateau(factor=0.5, patience=1): plateau,
    Plateau(factor=0.5, patience=1, floor=0.25): lambda step, total: max(0.25, plateau(step, total)),
    Plateau(factor=0.5, patience=1, watch="miou"): plateau,
}  # fmt: skip


def warmed(scheduler: Scheduler, start: float = 0.25):
    """The scheduler with every warm-up that it can have."""
    for warmup in WARMUPS if "warmup" in type(scheduler).model_fields else [0.0]:
        yield validated(
            Scheduler, scheduler.model_dump() | ({"warmup": warmup, "warmup_start": start} if warmup else {})
        )


CASES = [(w, closed) for each, closed in CLOSED.items() for w in warmed(each)]
cases = pytest.mark.parametrize(("scheduler", "closed"), CASES, ids=[repr(scheduler) for scheduler, _ in CASES])
each = pytest.mark.parametrize("name", ENTRIES)


def score(epoch: int) -> Score:
    """What the validation gives after an epoch; as the loss falls by one number, the mIoU rises by it."""
    loss = LOSSES[epoch - 1]
    return Score(loss=loss, terms={}, term_weights={}, miou=1 - loss, iou=[], pixel_accuracy=None, images=1)


@dataclass
class Course:
    """A run without a network: the rates of both parameter groups in every step."""

    scheduler: Scheduler
    rates: list[tuple[float, ...]] = field(default_factory=list)

    def __post_init__(self):
        groups = [{"params": [torch.zeros(())], "lr": rate} for rate in RATES]
        self.optimizer = torch.optim.SGD(groups)
        self.schedule = Schedule(self.scheduler, self.optimizer, STEPS, EPOCHS)

    def to(self, step: int) -> "Course":
        while self.schedule.done < step:
            self.rates.append(tuple(group["lr"] for group in self.optimizer.param_groups))
            self.optimizer.step()
            self.schedule.step()
            if self.schedule.done % STEPS == 0:
                self.schedule.evaluated(score(self.schedule.done // STEPS))
        return self

    def resumed(self) -> "Course":
        """Another process's, from what this one has saved."""
        saved = io.BytesIO()
        torch.save([self.optimizer.state_dict(), self.schedule.state_dict()], saved)
        saved.seek(0)
        optimizer, schedule = torch.load(saved, weights_only=True)
        other = Course(self.scheduler, list(self.rates))
        other.optimizer.load_state_dict(optimizer)
        other.schedule.load_state_dict(schedule)
        return other


def test_every_scheduler_has_a_closed_form_here():
    assert {scheduler.name for scheduler in CLOSED} == set(ENTRIES)


@cases
def test_the_curve_is_its_closed_form_for_every_group_of_parameters(scheduler, closed):
    warmup = WARMUPS[scheduler.warmup]
    expected = [0.25 + 0.75 * step / warmup for step in range(warmup)]
    expected += [closed(step, ALL - warmup) for step in range(ALL - warmup)]
    found = Course(scheduler).to(ALL).rates
    for group, rate in enumerate(RATES):
        assert [rates[group] for rates in found] == pytest.approx([rate * each for each in expected], abs=1e-9, rel=0)
    if scheduler.every != "evaluation":
        assert curve(scheduler, RATES[0], STEPS, EPOCHS) == [rates[0] for rates in found]


@cases
def test_a_run_resumed_after_any_step_has_the_same_curve(scheduler, closed):
    whole = Course(scheduler).to(ALL).rates
    for step in range(1, ALL):
        assert Course(scheduler).to(step).resumed().to(ALL).rates == whole


@pytest.mark.parametrize(
    ("scheduler", "torchs"),
    [
        (Cosine(), lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 40)),
        (
            CosineRestarts(cycle=1, cycle_mult=3),
            lambda o: torch.optim.lr_scheduler.CosineAnnealingWarmRestarts(o, 4, 3),
        ),
        (OneCycle(), lambda o: torch.optim.lr_scheduler.OneCycleLR(o, 0.5, 40, cycle_momentum=False)),
        (
            Poly(warmup=1, warmup_start=0.1),
            lambda o: torch.optim.lr_scheduler.SequentialLR(
                o,
                [
                    torch.optim.lr_scheduler.LinearLR(o, 0.1, total_iters=4),
                    torch.optim.lr_scheduler.PolynomialLR(o, 36, 0.9),
                ],
                milestones=[4],
            ),
        ),
    ],
    ids=["cosine", "cosine_restarts", "one_cycle", "poly after a warm-up"],
)
def test_a_curve_is_that_of_torch_s_own_scheduler(scheduler, torchs):
    optimizer = torch.optim.SGD([torch.zeros(())], 0.5)
    schedule, expected = torchs(optimizer), []
    for _ in range(40):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert curve(scheduler, 0.5, 4, 10) == pytest.approx(expected, abs=1e-9, rel=0)


def test_a_warm_up_rises_evenly_to_the_full_rate_and_the_schedule_begins_there():
    assert curve(Constant(warmup=1), 1.0, 4, 2) == pytest.approx([0.1, 0.325, 0.55, 0.775, 1, 1, 1, 1])
    # of the ten steps that are left, the golden numbers of poly with power 0.9
    golden = [1, 0.90953, 0.81805, 0.72542, 0.63145, 0.53589, 0.43838, 0.33838, 0.23492, 0.12589]
    found = curve(Poly(warmup=2.5, warmup_start=0), 1.0, 2, 7)
    assert found[:6] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8, 1]) and len(found) == 14
    assert curve(Poly(warmup=2, warmup_start=0), 1.0, 2, 7)[4:] == pytest.approx(golden, abs=1e-5)
    cut = curve(Step(step_size=1, warmup=0.5, warmup_start=1), 1.0, 4, 3)  # epochs are counted from the warm-up's end
    assert cut == pytest.approx([1] * 6 + [0.5] * 4 + [0.25] * 2)


def test_a_warm_up_lasts_whole_steps_and_at_least_one():
    found = {warmup: curve(Constant(warmup=warmup, warmup_start=0), 1.0, 30, 2) for warmup in (0, 0.001, 0.1, 0.11)}
    assert [sum(rate < 1 for rate in rates) for rates in found.values()] == [0, 1, 3, 4]


@each
def test_a_warm_up_as_long_as_the_run_is_refused(name):
    if name == "one_cycle":  # which rises by itself
        with pytest.raises(SeglabError, match="one_cycle has no option 'warmup'"):
            validated(Scheduler, {"name": name, "warmup": 1})
        return
    for warmup in (3, 5.5):
        with pytest.raises(SeglabError, match=rf"scheduler\.warmup: {warmup}.* less than 3"):
            tiny(epochs=3, scheduler={"name": name, "warmup": warmup})
    assert tiny(epochs=3, scheduler={"name": name, "warmup": 2.9}).scheduler.warmup == 2.9


def test_one_cycle_rises_from_a_25th_to_the_top_and_falls_to_almost_nothing():
    found = curve(OneCycle(), 1.0, 1, 10)
    assert found[:3] == pytest.approx([0.04, 0.52, 1]) and found[-1] == pytest.approx(4e-6)
    assert all(before > after for before, after in pairwise(found[2:]))


@pytest.mark.parametrize("steps", [1, 2, 3, 5, 10])
@pytest.mark.parametrize("share", [0.1, 0.2, 0.5, 0.9])
def test_one_cycle_has_a_curve_however_short_its_rise(steps, share):
    found = curve(OneCycle(pct_start=share), 1.0, 1, steps)
    assert len(found) == steps and all(0 < rate <= 1 + 1e-9 for rate in found)


def test_restarts_are_exact_after_many_cycles():
    # a logarithm to base 3 of 243 is a little less than 5
    found = curve(CosineRestarts(cycle=1, cycle_mult=3), 1.0, 1, 400)
    assert [step for step, rate in enumerate(found) if rate == 1] == [0, 1, 4, 13, 40, 121, 364]


def test_a_small_rate_takes_part_in_every_cut_of_a_plateau():
    optimizer = torch.optim.SGD([{"params": [torch.zeros(())], "lr": rate} for rate in (1e-3, 1e-9)])
    schedule = Schedule(Plateau(patience=0, threshold=1), optimizer, 1, 4)
    for epoch in (1, 2, 3):
        schedule.step()
        schedule.evaluated(score(epoch))
    assert [group["lr"] for group in optimizer.param_groups] == pytest.approx([1e-5, 1e-11])


def test_a_loss_below_zero_is_better_only_when_it_is_lower():
    optimizer = torch.optim.SGD([torch.zeros(())], 1.0)
    schedule = Schedule(Plateau(patience=0, factor=0.5, threshold=0.01), optimizer, 1, 4)
    rates = []
    for loss in (-1.0, -0.995, -1.2, -1.205):
        schedule.step()
        schedule.evaluated(score(1).model_copy(update={"loss": loss}))
        rates.append(optimizer.param_groups[0]["lr"])
    assert rates == [1, 0.5, 0.5, 0.25]


def test_the_curve_of_a_plateau_is_not_known():
    assert curve(Plateau(), 1.0, 3, 4) is None and curve(Plateau(warmup=1), 1.0, 3, 4) is None


def test_a_curve_does_not_import_torch_s_compiler_which_takes_seconds():
    code = (
        "import sys; from seglab.schedulers import *; curve(Cosine(), 1.0, 2, 3); print('torch._dynamo' in sys.modules)"
    )
    ended = subprocess.run([sys.executable, "-W", "error::UserWarning", "-c", code], capture_output=True, text=True)
    assert (ended.stdout, ended.stderr) == ("False\n", "")


SHARE = (-0.01, 1.01, float("nan"), "some", None)
FACTOR = (0, 1.01, float("nan"), "some")
WARMUP = {"warmup": (-1, 1001, float("nan"), float("inf"), "long", None, True), "warmup_start": SHARE}
BAD: dict[str, dict[str, tuple[Any, ...]]] = {  # values that each option refuses
    "constant": WARMUP,
    "step": WARMUP | {"step_size": (0, 1001, 1.5, True), "gamma": FACTOR},
    "multi_step": WARMUP | {"milestones": ([], [0], [1001], [2.5], ["soon"], 3, [1] * 21), "gamma": FACTOR},
    "exponential": WARMUP | {"gamma": FACTOR},
    "cosine": WARMUP | {"floor": SHARE},
    "cosine_restarts": WARMUP | {"cycle": (0, 1001, 0.5), "cycle_mult": (0, 11, 1.5), "floor": SHARE},
    "poly": WARMUP | {"power": (0, 5.1, "half")},
    "one_cycle": {
        "pct_start": (0, 1, float("nan")),
        "div_factor": (0.9, 1e7),
        "final_div_factor": (0.9, 1e7, float("inf")),
    },
    "plateau": WARMUP
    | {
        "watch": ("lr", "val_loss", None),
        "factor": (0, 1),
        "patience": (-1, 1001, 0.5),
        "threshold": SHARE,
        "floor": SHARE,
    },
}


@each
def test_a_value_out_of_range_is_refused_and_its_option_named(name):
    assert set(BAD[name]) == set(ENTRIES[name].model_fields)
    for option, values in BAD[name].items():
        for value in values:
            with pytest.raises(SeglabError, match=option):
                validated(Scheduler, {"name": name, option: value})


# --- in a run


def rates(events):
    """The reported learning rates, by step."""
    return {event.step: event.lr for event in events if isinstance(event, Evaluated | Stepped)}


@each
def test_a_run_follows_the_curve_and_one_that_was_stopped_goes_on_with_it(name, monkeypatch):
    monkeypatch.setattr(training, "REPORT_SECONDS", 0)
    options = {"threshold": 1, "patience": 0} if name == "plateau" else {}  # no loss falls by one
    options |= {"warmup": 0.5} if name != "one_cycle" else {}
    config = tiny(
        epochs=4, scheduler={"name": name} | options, optimizer={"name": "sgd", "lr": 0.01, "encoder_lr": 1e-3}
    )
    whole = training.Run(config)
    found = rates(training.train(whole))
    expected = curve(config.scheduler, 0.01, whole.steps_per_epoch, 4)
    # half an epoch is one step; the first evaluation has nothing before it, the others bring a cut each
    expected = expected or [0.001, 0.01, 0.01, 0.01, 0.001, 0.001, 0.0001, 0.0001]
    assert found == pytest.approx(dict(enumerate(expected, 1)), abs=1e-12)

    for stop_at in (4, 5):  # after an epoch, and in the midst of one
        first = training.Run(config)
        first.should_stop = lambda first=first, stop_at=stop_at: first.step == stop_at
        assert rates(training.train(first)) == {step: found[step] for step in range(1, stop_at + 1)}
        second = training.Run(config)
        second.load_state_dict(first.state_dict())
        assert rates(training.train(second)) == {step: found[step] for step in range(stop_at + 1, 9)}
        ended = zip(whole.model.parameters(), second.model.parameters(), strict=True)
        assert all(torch.equal(one, other) for one, other in ended)


def test_a_plateau_goes_by_the_images_that_choose_and_not_by_those_that_are_reported():
    config = tiny(epochs=3, scheduler={"name": "plateau", "watch": "miou"})
    run, seen = training.Run(config), []
    step = run.scheduler.after.step
    run.scheduler.after.step = lambda number: (seen.append(number), step(number))
    evaluated = [event for event in training.train(run) if isinstance(event, Evaluated)]
    assert seen == [event.scores["search"].miou for event in evaluated]
    assert seen != [event.scores["val"].miou for event in evaluated]


def test_a_time_budget_cuts_the_curve_and_never_rescales_it(monkeypatch):
    monkeypatch.setattr(training, "REPORT_SECONDS", 0)
    config = tiny(epochs=500, budget_seconds=0.2, scheduler={"name": "poly", "warmup": 1})
    run = training.Run(config)
    found = rates(training.train(run))
    assert 0 < run.step < run.total_steps
    whole = curve(config.scheduler, config.optimizer.lr, run.steps_per_epoch, 500)
    assert found == pytest.approx(dict(enumerate(whole[: run.step], 1)), abs=1e-12)


def test_the_default_configuration_has_no_warm_up():
    assert RunConfig().scheduler.warmup == 0
