"""Processes that are killed, told to end, or two where there may be one."""

import os
import random
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

from benchmarks._outcome import Outcome, forked, leftovers, small, weights
from benchmarks._page import ROOT
from seglab import jobs, runs
from seglab.errors import SeglabError

PAGE = [sys.executable, "app.py"]
WORKER = [  # the same queue without a page, which is there sooner
    sys.executable,
    "-c",
    "import signal, sys, time; from seglab import jobs; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); "
    "jobs.Worker().start(); time.sleep(600)",
]
PATIENCE = 120.0  # seconds for a server to begin a run
ORPHAN, END = 5.0, 10.0  # seconds in which the child, and a server that is told to end, have to be gone


def trainer_killed(count: int) -> Outcome:
    """A trainer killed with -9 at random times, some of them before its first event; then resumed to its end."""
    outcome = Outcome("kill -9 of the trainer at random times", "resumes to the weights of an uninterrupted run")
    chance, config = random.Random(0), small(epochs=6, techniques=["ema"])
    list(runs.work(runs.create(config)))  # what a process does once, it has done now
    whole, began = runs.create(config), time.monotonic()
    list(runs.work(whole))
    seconds = time.monotonic() - began
    while outcome.count < count:
        directory, kills = runs.create(config), 0
        while kills < min(5, count - outcome.count) and not runs.status(directory).over:
            kills += killed_after(directory, chance.uniform(0, seconds)) == -signal.SIGKILL
        state = runs.status(directory).state
        if not runs.status(directory).over:
            list(runs.work(directory))
        same = weights(directory) == weights(whole) and scores(directory) == scores(whole)
        sound = state in ("interrupted", "completed") and not leftovers(directory) and bool(runs.load(directory))
        for _ in range(kills):
            outcome.add(same and sound, f"{state}: {leftovers(directory) or 'other weights or scores'}")
    return outcome


def killed_after(directory: Path, seconds: float) -> int | None:
    """Works on a run in a process of its own for so long; gives how it ended."""
    child = forked.Process(target=lambda: list(runs.work(directory)))
    child.start()
    child.join(seconds)
    if child.is_alive() and child.pid:
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode


def scores(directory: Path) -> list[tuple[float, object]]:
    """Every mIoU of a run, which a resumed one has to have, too."""
    return [(event.step, event.scores["val"].miou) for event in runs.events(directory) if event.kind == "evaluated"]


def server_killed(count: int, command: list[str] = PAGE) -> Outcome:
    """The server killed with -9 while it trains."""
    outcome = Outcome(
        "kill -9 of the server during training", f"no ghost running, queue intact, child gone in {ORPHAN:g} s"
    )
    return served(outcome, count, command, signal.SIGKILL, ORPHAN)


def server_ended(count: int, command: list[str] = PAGE) -> Outcome:
    """The server told to end by SIGTERM while it trains."""
    outcome = Outcome("SIGTERM of the server during training", f"exit in {END:g} s, child gone, resumable")
    return served(outcome, count, command, signal.SIGTERM, END)


def served(outcome: Outcome, count: int, command: list[str], number: int, allowed: float) -> Outcome:
    """Starts the server, ends it by this signal once a run goes on, and looks at what is left; so many times."""
    data = {"name": "streets", "train_images": 64, "val_images": 4, "size": 64}
    jobs.submit([small(epochs=1000, data=data, seed=seed) for seed in (0, 1)])
    slowest = 0.0
    for _ in range(count):
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        environment = os.environ | {"GRADIO_SERVER_PORT": str(port), "GRADIO_ANALYTICS_ENABLED": "False"}
        server = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            running = waited(lambda: next((run for run in runs.every() if at_work(run)), None), PATIENCE)
            children = psutil.Process(server.pid).children(recursive=True)
        finally:
            began = time.monotonic()
            server.send_signal(number)
        server.wait(60)
        gone = ended(children)
        seconds = time.monotonic() - began
        slowest = max(slowest, seconds)
        states = sorted(runs.status(run).state for run in runs.every() if run.parent == runs.home())
        sound = states == ["interrupted", "queued"] and len(jobs.waiting()) == 1 and bool(children) and gone
        outcome.add(sound and seconds <= allowed and runs.load(running) is not None, f"{states} after {seconds:.1f} s")
        jobs.resubmit(running)
    outcome.measured = f"all gone in {slowest:.2f} s at most"
    return outcome


def ended(children: list[psutil.Process]) -> bool:
    """Waits until all of these processes are gone; gives whether they are."""
    return bool(waited(lambda: not any(child.is_running() for child in children), 60))


def at_work(run: Path) -> bool:
    """Whether a run has been evaluated in the process that works on it now."""
    if run.parent != runs.home() or runs.status(run).state != "running":
        return False
    kinds = [event.kind for event in runs.events(run)]
    return kinds.count("evaluated") > 0 and kinds[-1] != "started"


def waited(condition: Callable[[], object], seconds: float):
    """What the condition gives, once that is something; raises TimeoutError."""
    until = time.monotonic() + seconds
    while not (found := condition()):
        if time.monotonic() > until:
            raise TimeoutError
        time.sleep(0.02)
    return found


def two_trainers(count: int) -> Outcome:
    """Two trainers that begin the same run at the same moment."""
    outcome = Outcome("two trainers in one directory at the same moment", "exactly one wins, the other is told why")
    for seed in range(count):
        directory, begin, end = runs.create(small(seed=seed)), forked.Barrier(2), forked.Barrier(2)

        def trying(directory: Path = directory, begin=begin, end=end) -> None:
            begin.wait(60)
            try:
                stream = runs.work(directory)
                next(stream)
                code = 0
            except SeglabError as error:
                code = 3 if "busy" in str(error) else 4
            end.wait(60)
            os._exit(code)

        both = [forked.Process(target=trying) for _ in range(2)]
        for each in both:
            each.start()
        for each in both:
            each.join()
        codes = sorted(each.exitcode or 0 for each in both)
        outcome.add(codes == [0, 3] and runs.status(directory).state == "interrupted", str(codes))
    return outcome
