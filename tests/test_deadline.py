"""The simulated queue is the one of queueing theory, and goes round its learners as the real one does."""

import math

import numpy as np
import pytest

from benchmarks.deadline import rising, simulated


@pytest.mark.parametrize(("slots", "load"), [(1, 0.5), (4, 0.8)])
def test_waits_are_those_of_erlang(slots, load):
    """Erlang 1917: of M/M/c, a wait is C(c, a) / (c - a) of a service's mean, with a = load x c."""
    draw, count = np.random.default_rng(0), 60_000
    arrivals = np.cumsum(draw.exponential(1 / (load * slots), count))
    lasting = iter(draw.exponential(1, count))
    waits = simulated(arrivals, slots, lambda: next(lasting), most_waiting=10**9, fair=False).waits
    a = load * slots
    last = a**slots / math.factorial(slots) / (1 - load)
    busy = last / (sum(a**n / math.factorial(n) for n in range(slots)) + last)
    assert np.mean(waits) == pytest.approx(busy / (slots - a), rel=0.1)


def test_a_full_queue_refuses_and_who_comes_back_may_still_be_served():
    night = simulated([0.0, 1.0, 2.0, 3.0], 1, lambda: 500.0, most_waiting=1)
    assert night.refused == 3 and night.given_up == 0  # the third and the fourth, who comes back once more
    assert sorted(night.ends) == [500.0, 1000.0, 1500.0, 2000.0]


def test_everybodys_first_run_comes_before_anybodys_second():
    night = simulated([0.0, 1.0, 2.0], 1, lambda: 1000.0, count=2)
    assert [place for _, place in sorted(zip(night.ends, night.places, strict=True))] == [0, 0, 0, 1, 1, 1]


def test_learners_come_ever_faster_until_the_deadline():
    came = rising(20_000, 7, 12, np.random.default_rng(0))
    end = 7 * 24 * 3600
    assert came[0] >= 0 and came[-1] <= end
    assert np.mean(came > end - 12 * 3600) == pytest.approx(1 - math.exp(-1), abs=0.02)
