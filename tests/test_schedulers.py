"""Schedulers against their closed forms."""

import pytest
import torch

from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.entry import FAMILIES
from seglab.schedulers import Constant, Step

EPOCHS, STEPS = 12, 3
CLOSED = {
    Constant(): lambda epoch: 1.0,
    Step(step_size=4, gamma=0.5): lambda epoch: 0.5 ** (epoch // 4),
    Step(step_size=1, gamma=0.9): lambda epoch: 0.9**epoch,
}


def curve(scheduler, lr):
    """The learning rate of each step of a run."""
    optimizer = torch.optim.SGD([torch.zeros((), requires_grad=True)], lr)
    schedule = scheduler.build(optimizer, EPOCHS * STEPS if scheduler.every == "step" else EPOCHS)
    rates = []
    for step in range(1, EPOCHS * STEPS + 1):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        if scheduler.every == "step" or step % STEPS == 0:
            schedule.step()
    return rates


@pytest.mark.parametrize("scheduler", CLOSED, ids=repr)
def test_the_curve_is_its_closed_form(scheduler):
    expected = [0.3 * CLOSED[scheduler](step // STEPS) for step in range(EPOCHS * STEPS)]
    assert curve(scheduler, 0.3) == pytest.approx(expected, abs=1e-9)


def test_every_scheduler_has_a_closed_form_here():
    assert {scheduler.name for scheduler in CLOSED} == set(FAMILIES["schedulers"].entries)


@pytest.mark.parametrize("scheduler", CLOSED, ids=repr)
@pytest.mark.parametrize("resumed_at", range(1, EPOCHS))
def test_a_resumed_schedule_goes_on_as_before(scheduler, resumed_at):
    def start():
        optimizer = torch.optim.SGD([torch.zeros((), requires_grad=True)], 0.3)
        return optimizer, scheduler.build(optimizer, EPOCHS)

    def advance(optimizer, schedule, epochs):
        rates = []
        for _ in range(epochs):
            rates.append(optimizer.param_groups[0]["lr"])
            optimizer.step()
            schedule.step()
        return rates

    whole = advance(*start(), EPOCHS)
    optimizer, schedule = start()
    first = advance(optimizer, schedule, resumed_at)
    again, resumed = start()
    again.load_state_dict(optimizer.state_dict())
    resumed.load_state_dict(schedule.state_dict())
    assert first + advance(again, resumed, EPOCHS - resumed_at) == pytest.approx(whole, abs=1e-12)
