"""What two sides do at borders, counted for all visitors who wait for it, in none of their requests."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

from seglab.comparison.borders import Borders
from seglab.comparison.pairs import Pair
from seglab.errors import SeglabError

STRIDE = 0.5  # seconds that a visitor's thread goes through images before it tells how far it is
PATIENCE = 5.0  # and of one that cannot tell it


class Counting:
    """What both sides of a pair do at borders, which takes up to seconds an image: counted a few images at a time, by
    one thread at a time, for all who ask for the same two. `found` is that of all images."""

    def __init__(self, pair: Pair):
        self.pair, self.lock = pair, threading.Lock()
        self.found: tuple[Borders, ...] | None = None
        self.steps: Iterator[tuple[Borders, ...]] | None = None
        self.done = 0

    def begin(self, seconds: float, patient: bool = False) -> None:
        """Goes through images for so long, all of them where they are small, unless another is at it: who is patient
        waits for that one, in the same time. Whoever waits for the end is told what goes wrong."""
        ends = time.monotonic() + seconds
        if self.lock.acquire(timeout=seconds if patient else 0):
            try:
                with contextlib.suppress(SeglabError):
                    self.go_on(ends)
            finally:
                self.lock.release()

    def run(self) -> Iterator[float]:
        """Goes on from where others have come to; yields how far it is, 1 at the end."""
        while self.found is None:
            with self.lock:
                self.go_on(time.monotonic() + STRIDE)
            yield self.done / len(self.pair.names)

    def go_on(self, ends: float) -> None:
        try:
            while self.found is None and time.monotonic() < ends:
                self.steps = self.steps or self.pair.at_borders()
                so_far = next(self.steps)
                self.done += 1
                self.found = so_far if self.done == len(self.pair.names) else None
        except BaseException:  # whoever asks next is told the same, or finds it mended
            self.steps, self.done = None, 0
            raise
