"""Keeps finished runs where SEGLAB_KEEP says, for as long as the program goes on: also those that could not be kept
when they ended."""

from __future__ import annotations

import logging
import threading

from seglab import runs

EVERY = 60.0  # seconds

log = logging.getLogger(__name__)


class Keeper(threading.Thread):
    """Looks for finished runs that are not kept yet, and keeps them."""

    def __init__(self, every: float = EVERY) -> None:
        super().__init__(name="keeper", daemon=True)
        self.every, self.ended = every, threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                runs.keep_finished(self.ended.is_set)
            except Exception:  # as for a run that is deleted meanwhile
                log.exception("finished runs could not be kept; it is tried again")
            self.ended.wait(self.every)
