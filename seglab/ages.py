"""How long files have been as they are, by the time that this process has seen pass: a clock that is set to another day
makes no file older or younger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path


class Ages:
    """The ages of files and folders in seconds: since this process first saw each of them as it is now.

    `clock` gives seconds that only go forward.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.clock = clock
        self.seen: dict[Path, tuple[tuple[int, ...], float]] = {}

    def look(self, paths: Iterable[Path]) -> dict[Path, float]:
        """The ages of these that are there; those that were looked at before and are not among them are forgotten."""
        now, before = self.clock(), self.seen
        self.seen = {}
        for path in paths:
            try:
                found = path.lstat()
            except OSError:  # just deleted
                continue
            version = found.st_ino, found.st_mtime_ns, found.st_size
            known = before.get(path)
            self.seen[path] = known if known and known[0] == version else (version, now)
        return {path: now - since for path, (_, since) in self.seen.items()}
