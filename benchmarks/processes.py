"""The speed of one run in two processes with a thread each, beside that of one process with two threads.

python -m benchmarks.processes
"""

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks._ratio import report
from seglab import jobs, runs
from seglab.config import configured
from seglab.events import Event, Stepped

SETTING = {"loss": "cross_entropy", "batch_size": 16, "epochs": 2, "optimizer": {"name": "adamw", "precision": "full"}}
MARK = 0.8  # of the speed


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        report(
            "training in two processes with one thread each (unet, 16 x 128 px)",
            lambda: pace(jobs.several.work(run(), 2)),
            lambda: pace(runs.work(run(), threads=2)),
            MARK,
            at_least=True,
            blocks=5,
            calls=1,
            own_clock=True,
        )


def run() -> Path:
    return runs.create(configured(SETTING))


def pace(events: Iterator[Event]) -> float:
    """The seconds for an image, loading included, evaluation not, as the run itself tells at its end."""
    images = [event.images_per_second for event in events if isinstance(event, Stepped)]
    return 1 / images[-1]


if __name__ == "__main__":
    main()
