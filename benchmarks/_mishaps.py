"""Runs of odd numbers, a CRF that crashes, and a clock that is set."""

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from unittest import mock

import numpy as np

from benchmarks._outcome import Outcome, small, weights
from seglab import crf, jobs, runs, training
from seglab.data.base import Batch
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.predictors import Crf

MEMORY = "memory=0.6 disk=none minutes=none"  # gigabytes: torch is loaded within them, and the network has no room
SILENT, SOON = 12.0, 3.0  # seconds in which a CRF has to tell that it failed, and the next one to be done
DAY = 86_400

Kind = Callable[[], tuple[Path, tuple[str, ...]]]  # a run that was worked on, and how it may have ended


def odd_runs(count: int) -> Outcome:
    """Too little memory, steps that are too large, a pixel that is no number, masks of void alone, one image, and a
    last batch of one image for every architecture in turn."""
    outcome = Outcome("odd numbers in a run", "each ends with a name and finite weights or none; the server is up")
    kinds: list[Kind] = [too_large, steep, no_number, all_void, one_image]
    kinds += [partial(remainder, name) for name in islice(cycle(FAMILIES["architectures"].entries), count)]
    ends: dict[str, int] = {}
    for kind in kinds[:count]:
        name = getattr(kind, "__name__", str(getattr(kind, "args", "")))
        try:
            directory, allowed = kind()
            status = runs.status(directory)
            named = status.state == "completed" or (status.finished is not None and bool(status.finished.text))
            finite = not weights(directory) or bool(runs.load(directory))  # which refuses others
            outcome.add(status.state in allowed and named and finite, f"{name}: {status.state}")
            ends[status.state] = ends.get(status.state, 0) + 1
        except Exception as error:
            outcome.add(False, f"{name}: {type(error).__name__}: {error}")
    outcome.measured = ", ".join(f"{number} {state}" for state, number in ends.items())
    return outcome


def worked(allowed: tuple[str, ...], **options: object) -> tuple[Path, tuple[str, ...]]:
    directory = runs.create(small(**{"epochs": 2} | options))
    with suppress(SeglabError):
        list(runs.work(directory))
    return directory, allowed


def too_large() -> tuple[Path, tuple[str, ...]]:
    """A network that needs more memory than its process may have."""
    (directory,) = jobs.submit([small(model={"name": "unet", "width": 128, "depth": 5}, image_size=640, batch_size=16)])
    with mock.patch.dict(os.environ, {"SEGLAB_LIMITS": MEMORY}):
        jobs.Worker().work(directory)
    return directory, ("failed",)


def steep() -> tuple[Path, tuple[str, ...]]:
    """A learning rate of 1e6 is refused; the largest one may only end in what is named."""
    with suppress(SeglabError):
        small(optimizer={"name": "sgd", "lr": 1e6})
        raise AssertionError("a learning rate of 1e6 is allowed")
    return worked(("completed", "diverged"), optimizer={"name": "sgd", "lr": 10}, epochs=4)


def no_number() -> tuple[Path, tuple[str, ...]]:
    with batches_with(lambda batch: batch.images[0, 0, 0, :1].fill_(float("nan"))):
        return worked(("diverged",))


def all_void() -> tuple[Path, tuple[str, ...]]:
    with batches_with(lambda batch: batch.masks.fill_(255)):
        return worked(("completed",))


def one_image() -> tuple[Path, tuple[str, ...]]:
    """One image to learn from, and two to be scored on."""
    from PIL import Image

    root, chance = runs.home() / ".one", np.random.default_rng(0)
    for place in ("train/0", "val/1", "val/2"):
        for kind, shape, most in (("images", (64, 64, 3), 256), ("masks", (64, 64), 3)):
            file = root / kind / f"{place}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(chance.integers(0, most, shape, np.uint8)).save(file)
    return worked(("completed", "failed"), data={"name": "folder", "root": str(root)})


def remainder(name: str) -> tuple[Path, tuple[str, ...]]:
    """Five images in batches of four: one is left for the last batch."""
    data = {"name": "streets", "train_images": 5, "val_images": 2, "size": 64}
    return worked(("completed", "failed"), epochs=1, model=name, data=data)


@contextmanager
def batches_with(change: Callable[[Batch], object]) -> Iterator[None]:
    """Every batch of training is changed."""
    real = training.Run.batch

    def batch(self: training.Run, epoch: int, places: list[int]) -> Batch:
        found = real(self, epoch, places)
        change(found)
        return found

    with mock.patch.object(training.Run, "batch", batch):
        yield


# --- the CRF


def crf_crashes(count: int) -> Outcome:
    """The CRF's process killed by SIGSEGV again and again, or stopped, in turn."""
    outcome = Outcome(
        "SIGSEGV or a hang of the CRF's process", f"a clear error in {SILENT:g} s, the next CRF in {SOON:g} s"
    )
    probabilities = np.full((3, 64, 64), 1 / 3, np.float32)
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
    refine = partial(crf.refine, probabilities, image, Crf())
    refine()
    slowest = [0.0, 0.0]
    for n in range(count):
        number, told = ((signal.SIGSEGV, "crashed"), (signal.SIGSTOP, "was stopped after"))[n % 2]
        began, error = time.monotonic(), ""
        with struck(number):
            try:
                refine(deadline=8.0)
            except SeglabError as found:
                error = str(found)
        failed = time.monotonic() - began
        began = time.monotonic()
        sound = np.isfinite(refine()).all()
        next_one = time.monotonic() - began
        slowest = [max(slowest[0], failed), max(slowest[1], next_one)]
        well = told in error and failed <= SILENT and sound and next_one <= SOON
        outcome.add(bool(well), f"{number}: {error!r} after {failed:.1f} s, next {next_one:.1f} s")
    outcome.measured = f"told in {slowest[0]:.1f} s at most, the next in {slowest[1]:.1f} s"
    return outcome


@contextmanager
def struck(number: int) -> Iterator[None]:
    """Every process of the CRF gets this signal as soon as it is there."""
    over = threading.Event()

    def striking() -> None:
        while not over.wait(0.01):
            process = crf._child.process
            if process is not None and process.poll() is None:
                with suppress(ProcessLookupError):
                    os.kill(process.pid, number)

    thread = threading.Thread(target=striking)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


# --- the clock


def clock_set(count: int) -> Outcome:
    """The clock that Python reads is set a day forward or back while a run goes on, and while others wait."""
    outcome = Outcome("the clock is set by a day, forward or back, during a run", "same weights, budget and order")
    config, real = small(budget_seconds=600.0), time.time
    list(runs.work(whole := runs.create(config)))
    for n in range(count):
        shift = DAY if n % 2 else -DAY
        directory = runs.create(config)
        first = jobs.submit([small()])
        try:
            for place, _ in enumerate(runs.work(directory)):
                if place == 2:
                    time.time = lambda shift=shift: real() + shift
            second = jobs.submit([small()])
            delayed = runs.create(small())
            jobs.enqueue(delayed, after=30.0)
            order, chosen = jobs.waiting(), jobs.next_run()
        finally:
            time.time = real
        status, last = runs.status(directory), runs.events(directory)[-1]
        same = weights(directory) == weights(whole) and status.state == "completed" and 0 < last.seconds < 600
        in_order = order[-3:] == [*first, *second, delayed] and chosen == order[0]
        outcome.add(same and in_order, f"{status.state} after {last.seconds:.0f} s, order {in_order}")
    return outcome
