"""A run of the page's queue while thirty pages look at it, against the same run alone, in one process.

python -m benchmarks.classroom
"""

import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.request import Request, urlopen

import numpy as np

from benchmarks._page import served
from seglab import jobs, runs
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.events import Stepped

PAGES, EVERY = 30, 2.0  # pages, and seconds between two looks of one
BLOCKS, SECONDS = 9, 12.0
MARK = 0.85  # of the run's lone speed
SLOWEST = 0.3  # seconds that an answer may take at the 95th percentile


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": 64, "val_images": 2}
        config = validated(RunConfig, {"loss": "cross_entropy", "data": data, "epochs": 1000})
        (directory,) = jobs.submit([config])
        with served([sys.executable, "app.py"], home) as (address, _):
            while not any(isinstance(event, Stepped) for event in runs.events(directory)):
                time.sleep(0.5)
            ratios, waits = measured(address, directory)
            jobs.stop(directory)
            while not runs.status(directory).over:
                time.sleep(0.1)
    draws = np.median(np.random.default_rng(0).choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    wait = float(np.percentile(waits, 95))
    print(
        f"a run while {PAGES} pages look at it: {np.median(ratios):.3f} times its lone speed [{low:.3f}, {high:.3f}], "
        f"at least {MARK}: {'met' if high >= MARK else 'MISSED'}"
    )
    print(
        f"an answer to one of them: median {np.median(waits) * 1000:.0f} ms, 95th percentile of {len(waits)} "
        f"{wait * 1000:.0f} ms, at most {SLOWEST * 1000:.0f} ms: {'met' if wait <= SLOWEST else 'MISSED'}"
    )


def measured(address: str, directory: Path) -> tuple[list[float], list[float]]:
    """The run's speed with the pages over its speed without them, block by block, and the answers' seconds."""
    ratios: list[float] = []
    waits: list[float] = []
    for block in range(BLOCKS):
        speeds = {}
        for looked_at in (True, False) if block % 2 else (False, True):
            with pages(address, directory.name, waits) if looked_at else nobody():
                before, began = step(directory), time.monotonic()
                time.sleep(SECONDS)
                speeds[looked_at] = (step(directory) - before) / (time.monotonic() - began)
        ratios.append(speeds[True] / speeds[False])
    return ratios, waits


def step(directory: Path) -> float:
    """The step that the run is at now, between two reports too."""
    *_, last = (event for event in runs.events(directory) if isinstance(event, Stepped))
    return last.step


@contextmanager
def nobody() -> Iterator[None]:
    yield


@contextmanager
def pages(address: str, run: str, waits: list[float]) -> Iterator[None]:
    """Thirty pages that look at the run every two seconds, as the page's timer does."""
    config = json.loads(urlopen(f"{address}config").read())
    timer = next(each["id"] for each in config["components"] if each["type"] == "timer")
    look = next(each for each in config["dependencies"] if [timer, "tick"] in each["targets"])
    over = threading.Event()

    def page(number: int) -> None:
        body = {"data": [[run], "latest", None], "fn_index": look["id"], "session_hash": f"page{number}"}
        request = Request(
            f"{address}gradio_api/run/predict", json.dumps(body).encode(), {"Content-Type": "application/json"}
        )
        over.wait(EVERY * number / PAGES)
        while not over.is_set():
            began = time.monotonic()
            urlopen(request).read()
            waits.append(time.monotonic() - began)
            over.wait(EVERY - (time.monotonic() - began))

    threads = [threading.Thread(target=page, args=(number,)) for number in range(PAGES)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        over.set()
        for thread in threads:
            thread.join()


if __name__ == "__main__":
    main()
