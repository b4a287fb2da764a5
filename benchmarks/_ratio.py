"""Two functions timed against each other in one run, so that a busy machine slows both."""

from collections.abc import Callable
from time import perf_counter
from typing import Any

import numpy as np


def ratio(
    ours: Callable, rival: Callable, blocks: int = 15, calls: int = 3, own_clock: bool = False
) -> tuple[float, float, float]:
    """The median over pairs of blocks of ours' time over rival's, and its bootstrap 95 % interval (low, high).

    The two take turns in going first, and each is called once beforehand. With `own_clock` they give the seconds that
    count themselves.
    """
    ours(), rival()
    ratios = []
    for block in range(blocks):
        seconds = {}
        for function in (ours, rival) if block % 2 else (rival, ours):
            start = perf_counter()
            given = [function() for _ in range(calls)]
            seconds[function] = sum(given) if own_clock else perf_counter() - start
        ratios.append(seconds[ours] / seconds[rival])
    draws = np.random.default_rng(0).choice(ratios, (2000, blocks))
    return float(np.median(ratios)), *map(float, np.percentile(np.median(draws, axis=1), [2.5, 97.5]))


def report(name: str, ours: Callable, rival: Callable, mark: float, at_least: bool = False, **how: Any) -> bool:
    """Prints one line, and gives whether the interval reaches the mark.

    The mark is the most times the rival's time that ours may take or, with `at_least`, the least times its speed; `how`
    goes to `ratio`.
    """
    median, low, high = ratio(rival, ours, **how) if at_least else ratio(ours, rival, **how)
    met = high >= mark if at_least else low <= mark
    what, bound = ("speed", "at least") if at_least else ("time", "at most")
    verdict = "met" if met else "MISSED"
    print(f"{name}: {median:.3f} times the {what} [{low:.3f}, {high:.3f}], {bound} {mark:.2f}: {verdict}", flush=True)
    return met
