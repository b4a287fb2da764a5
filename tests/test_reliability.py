"""The rows of benchmarks/reliability.py, each with a few trials; the script does as many as the rows are to have."""

import pytest

from benchmarks import _damage, _kills, _mishaps, reliability
from benchmarks._outcome import Outcome

FEW = {
    "F1": lambda: _kills.trainer_killed(4),
    "F2": lambda: _kills.server_killed(2, _kills.WORKER),
    "F3": lambda: _kills.server_ended(2, _kills.WORKER),
    "F5": lambda: _damage.files_damaged(10),
    "F6": lambda: _mishaps.odd_runs(6),
    "F7": lambda: _mishaps.crf_crashes(3),
    "F8": lambda: _kills.two_trainers(4),
    "F9": lambda: _mishaps.clock_set(3),
    "B2": lambda: _damage.files_fuzzed(10),
}


def test_every_row_is_tried_here():
    assert FEW.keys() == reliability.ROWS.keys()


@pytest.mark.slow
@pytest.mark.parametrize("row", FEW)
def test_a_row_holds(row, runs_home):
    runs_home.mkdir()
    outcome = FEW[row]()
    assert outcome.met and outcome.count >= 2, outcome.row()


def test_a_row_that_fails_once_is_missed_and_says_how():
    outcome = Outcome("what", "mark")
    assert not outcome.met  # without a trial nothing is shown
    outcome.add(True)
    assert outcome.met and outcome.row().endswith("| met |")
    outcome.add(False, "why")
    assert not outcome.met and "1/2 (why) | MISSED" in outcome.row()
