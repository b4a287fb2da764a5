"""A training step of seglab, in a process like those of its queue, against a bare PyTorch loop in a process of its own:
the same network, batches, loss and optimizer, two threads. The bare loop is as people write it: full precision, the
memory layout and the waiting threads that torch has by default. Alone, and beside one busy process.

python -m benchmarks.training
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import cycle
from typing import Any

from benchmarks._page import ROOT
from benchmarks._ratio import report

STEPS, THREADS = 4, 2  # steps in each call
NATIVE, ELSEWHERE, BUSY = 0.65, 1.05, 0.5  # the most times the bare loop's time


def main() -> None:
    from seglab.machine import native_bfloat16

    name = "training step (unet 16, 8 x 128 px)"
    with loop("bare", "full") as bare:
        with loop("ours", "auto") as ours:
            report(f"{name}, precision auto", ours, bare, NATIVE if native_bfloat16() else ELSEWHERE, calls=1)
            with busy():
                report(f"{name}, precision auto, beside one busy process", ours, bare, BUSY, calls=1)
        with loop("ours", "full") as ours:
            report(f"{name}, precision full", ours, bare, ELSEWHERE, calls=1)


@contextmanager
def loop(kind: str, precision: str) -> Iterator[Callable[[], None]]:
    """A process that takes STEPS steps each time it is called."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("OMP_", "GOMP_"))}
    if kind == "ours":
        from seglab import jobs

        own |= jobs.environment()
    command = [sys.executable, "-m", "benchmarks.training", kind, precision]
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, env=own, cwd=ROOT, **pipes) as child:
        assert child.stdin and child.stdout

        def call() -> None:
            print(file=child.stdin, flush=True)
            if not child.stdout.readline():
                raise RuntimeError(f"the {kind} loop has ended")

        try:
            yield call
        finally:
            child.stdin.close()


@contextmanager
def busy() -> Iterator[None]:
    """Something else that computes without a pause."""
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
        try:
            yield
        finally:
            other.kill()


def work(kind: str, precision: str) -> None:
    """Takes STEPS steps for each line of standard input, and answers."""
    step = ours(precision) if kind == "ours" else bare()
    for _ in range(3):
        step()
    for _ in sys.stdin:
        for _ in range(STEPS):
            step()
        print(flush=True)


def ours(precision: str) -> Callable[[], object]:
    from seglab.loader import ahead

    run, places = described(precision)
    endless = [place for place, _ in zip(cycle(places), range(100_000), strict=False)]
    batches = ahead(lambda place: run.batch(0, place), endless)
    return lambda: run.advance(next(batches))


def bare() -> Callable[[], object]:
    import torch  # before seglab, which settles how its threads wait
    import torch.nn.functional as F

    run, places = described("full")
    net = run.config.model.build(len(run.data.classes)).train()
    optimizer = torch.optim.AdamW(net.parameters(), run.config.optimizer.lr)
    kept = [run.batch(0, place) for place in places]
    ready = cycle([((each.images - run.model.mean) / run.model.std, each.masks) for each in kept])

    def step() -> None:
        images, masks = next(ready)
        loss = F.cross_entropy(net(images.contiguous()), masks, ignore_index=255)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def described(precision: str) -> tuple[Any, list[list[int]]]:
    """A run, and the places of its batches."""
    from seglab import training
    from seglab.config import RunConfig
    from seglab.entry import validated

    data = {"name": "streets", "train_images": 64, "val_images": 2}
    optimizer = {"name": "adamw", "precision": precision}
    config = validated(RunConfig, {"loss": "cross_entropy", "optimizer": optimizer, "data": data})
    return training.Run(config, threads=THREADS), [list(range(start, start + 8)) for start in range(0, 64, 8)]


if __name__ == "__main__":
    work(*sys.argv[1:]) if sys.argv[1:] else main()
