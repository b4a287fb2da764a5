"""Pictures of what goes on, drawn for all pages together and no more often than the machine can bear."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, NamedTuple, TypeVar

Shown = TypeVar("Shown")
REST = 9.0  # times as long as a picture took to draw nothing that only got older is drawn again


class Drawn(NamedTuple, Generic[Shown]):
    """A picture, and which version of its subject it shows."""

    picture: Shown
    version: Hashable


class Paced(Generic[Shown]):
    """Draws one picture at a time. One that is not there yet is waited for. One that only got older, since its run
    goes on, is drawn again when drawing has rested for REST times as long as it took; until then, and while another
    visitor has it drawn, all get the one that is there.
    """

    def __init__(self, most: int = 64, clock: Callable[[], float] = time.monotonic):
        self.most, self.clock = most, clock
        self.kept: OrderedDict[Hashable, Drawn[Shown]] = OrderedDict()
        self.drawing = threading.Lock()
        self.resting = float("-inf")  # when what got older may be drawn again

    def get(self, key: Hashable, version: Hashable, draw: Callable[[], Shown]) -> Drawn[Shown]:
        """The picture kept under a key, as new as can be had."""
        found = self.kept.get(key)
        if found and (found.version == version or self.clock() < self.resting):
            return found
        if not self.drawing.acquire(blocking=found is None):
            assert found
            return found
        try:
            found = self.kept.get(key)  # others may have had it drawn meanwhile
            if found and (found.version == version or self.clock() < self.resting):
                return found
            began = self.clock()
            found = self.kept[key] = Drawn(draw(), version)
            self.resting = self.clock() + REST * (self.clock() - began)
            self.kept.move_to_end(key)
            while len(self.kept) > self.most:
                self.kept.popitem(last=False)
            return found
        finally:
            self.drawing.release()
