"""Values that are made once and kept in what they are of."""

import threading
from concurrent.futures import ThreadPoolExecutor

from seglab import runs
from seglab.cache import once
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
    monkeypatch.setattr(
        pairs, "agreement", lambda images, count: both.wait()
    )  # each waits until the other is in it, too
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
