"""A broom for the files that pages leave."""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from pathlib import Path

from seglab import uploads
from seglab.ages import Ages
from seglab.runs import Leftovers

KEEP_SECONDS, MOST_BYTES = 1800, 2**30  # of the files that Gradio made for pages

log = logging.getLogger(__name__)


class Broom(threading.Thread):
    """Sweeps the files that Gradio leaves: those older than half an hour, then the oldest beyond a gigabyte; uploads
    that nobody uses any more; and what killed processes left among the runs.

    How old a file is, is told by how long the broom has seen it, so that a clock which is set sweeps none of them.
    """

    def __init__(self, folder: Path, every: float = 60.0):
        super().__init__(name="broom", daemon=True)
        self.folder, self.every = folder, every
        self.ages, self.leftovers = Ages(), Leftovers()

    def run(self) -> None:
        while True:
            for what, sweep in (("files", self.sweep), ("uploads", uploads.sweep), ("runs", self.leftovers.sweep)):
                try:
                    if count := sweep():
                        log.info("%s: %d swept", what, count)
                except Exception:
                    log.exception("the sweep of %s failed; it will be tried again", what)
            time.sleep(self.every)

    def sweep(self) -> int:
        """Deletes what is too old or too much; gives the number of deleted files."""
        files = []
        for path, age in self.ages.look(filter(Path.is_file, self.folder.rglob("*"))).items():
            with contextlib.suppress(FileNotFoundError):
                found = path.stat()
                files.append((-age, found.st_mtime_ns, found.st_size, path))
        swept, total = 0, sum(size for _, _, size, _ in files)
        for seen, _, size, path in sorted(files):
            if -seen > KEEP_SECONDS or total > MOST_BYTES:
                path.unlink(missing_ok=True)
                total -= size
                swept += 1
                if path.parent != self.folder and not any(path.parent.iterdir()):
                    path.parent.rmdir()
        return swept
