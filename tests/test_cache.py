"""Values that are made once and kept in what they are of."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from seglab import runs
from seglab.cache import Files, Kept, once
from seglab.comparison import intervals, pairs
from seglab.ui.parts import lab

PATIENCE = 30  # seconds, for a test that would wait forever


def test_it_is_made_when_it_is_asked_for_and_only_then():
    made = []

    class Kept:
        @once
        def value(self) -> int:
            """A number."""
            made.append(self)
            return len(made)

    first, second = Kept(), Kept()
    assert made == [] and Kept.value.__doc__ == "A number."
    assert (first.value, second.value, first.value, second.value) == (1, 2, 1, 2) and made == [first, second]


def test_one_thread_does_not_wait_for_another_that_makes_the_same_of_something_else(monkeypatch):
    """Before Python 3.12, functools.cached_property holds one lock for all instances of a class."""
    both = threading.Barrier(2, timeout=PATIENCE)
    monkeypatch.setattr(pairs, "agreement", lambda *given: both.wait())  # each waits until the other is in it, too
    side = pairs.Side("unet", (pairs.Reading(runs.find("unet")),))
    sides = [pairs.Pair(side, side) for _ in range(2)]
    with ThreadPoolExecutor(2) as pool:
        assert sorted(pool.map(lambda pair: pair.agreement, sides)) == [0, 1]


def test_what_visitors_share_is_kept_so():
    for kind, names in (
        (pairs.Pair, ("verdict", "bootstrap", "per_class", "agreement", "borders", "slices")),
        (intervals.Bootstrap, ("alone",)),
        (lab.Laboratory, ("images", "pages")),
    ):
        assert all(isinstance(getattr(kind, name), once) for name in names)


def test_what_is_kept_is_made_once_and_of_others_nobody_waits():
    kept, made, begun, over = Kept(), [], threading.Event(), threading.Event()

    def slow() -> str:
        made.append("slow")
        begun.set()
        over.wait(PATIENCE)
        return "slow"

    with ThreadPoolExecutor(3) as pool:
        first = pool.submit(kept.get, "slow", slow)
        assert begun.wait(PATIENCE)
        second = pool.submit(kept.get, "slow", slow)
        assert pool.submit(kept.get, "other", lambda: "other").result(PATIENCE) == "other"
        over.set()
        assert (first.result(PATIENCE), second.result(PATIENCE)) == ("slow", "slow") and made == ["slow"]


def test_what_goes_wrong_is_not_kept():
    kept = Kept()
    with pytest.raises(ZeroDivisionError):
        kept.get("quotient", lambda: 1 // 0)
    assert kept.get("quotient", lambda: 2) == 2


def test_a_file_is_read_again_once_it_has_changed(tmp_path):
    path, read = tmp_path / "file", []
    files = Files(lambda each: read.append(each) or each.read_text(), 100)

    def written(text: str, at: float) -> None:
        path.write_text(text)
        os.utime(path, (at, at))

    written("one", 1000)
    assert (files.get(path), files.get(path), len(read)) == ("one", "one", 1)
    written("two", 1001)
    assert (files.get(path), files.get(path), len(read)) == ("two", "two", 2)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        files.get(path)


def test_a_file_that_was_changed_just_now_is_read_each_time(tmp_path):
    """Two changes within a tick of the clock leave it the same date."""
    path, files = tmp_path / "file", Files(Path.read_text, 100)
    path.write_text("one")
    date = path.stat().st_mtime_ns
    assert files.get(path) == "one"
    path.write_text("two")
    os.utime(path, ns=(date, date))
    assert files.get(path) == "two"
