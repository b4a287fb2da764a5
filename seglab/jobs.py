"""The queue: runs in processes of their own, one at a time on one machine, that go on when every page is closed."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import logging
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

from seglab import runs
from seglab.config import RunConfig
from seglab.entry import SeglabError

MOST_WAITING = 30
TAKE_A_LOOK = 0.5  # seconds between two looks at the queue
RETRY = 10.0  # seconds before a run that could not be started is tried again
SEGLAB = Path(__file__).parents[1]  # a process that begins here finds seglab even where it is not installed

log = logging.getLogger(__name__)


def submit(configs: list[RunConfig]) -> list[Path]:
    """Creates a run for each configuration and puts them in the queue, in this order."""
    refuse_too_many(len(configs))
    directories = [runs.create(config) for config in configs]
    enqueue(*directories)
    return directories


def refuse_too_many(new: int) -> None:
    """Raises SeglabError if so many new runs do not fit into the queue."""
    waiting = len(queue())
    if waiting + new > MOST_WAITING:
        raise SeglabError(
            "the queue is full: {waiting} runs are waiting and {new} more do not fit; allowed: {most}",
            waiting=waiting,
            new=new,
            most=MOST_WAITING,
        )


def enqueue(*directories: Path) -> None:
    """Puts runs at the end of the queue, in this order: all of them, or none where the disk is full."""
    for directory in directories:
        runs.write(directory / "queued.next", str(time.time_ns()).encode())
    for directory in directories:
        os.replace(directory / "queued.next", directory / "queued")


def resubmit(directory: Path) -> None:
    """Puts a stopped, failed or interrupted run back in the queue, to go on where it was."""
    state = runs.status(directory).state
    if state not in ("stopped", "failed", "interrupted"):
        raise SeglabError("{run} cannot be resumed: it is {state}", run=directory.name, state=state)
    (directory / "stop").unlink(missing_ok=True)
    enqueue(directory)


def queue(home: Path | None = None) -> list[Path]:
    """The runs that wait, the next one first."""
    waiting = []
    for path in (home or runs.home()).glob("*/queued"):
        with contextlib.suppress(FileNotFoundError, ValueError):  # it has just begun, or is no marker of ours
            waiting.append((int(path.read_text()), path.parent))
    return [directory for _, directory in sorted(waiting)]


def awaited(directory: Path) -> list[Path]:
    """The runs that a run needs and that are not over yet; raises SeglabError if one ended without being finished."""
    found, config, begun = [], runs.config(directory), (directory / "last").exists()
    for needed in config.needs:
        if begun and needed == config.init_from:  # it goes on from weights of its own
            continue
        status = runs.status(runs.find(needed))
        if status.state in ("failed", "diverged", "stopped"):
            why = status.finished and status.finished.why
            told = {"run": needed.name, "state": status.state}
            if why:
                raise SeglabError("it needs {run}, which ended as {state}: {why}", **told, why=why.error())
            raise SeglabError("it needs {run}, which ended as {state}", **told)
        if not status.over:
            found.append(needed)
    return found


def next_run(home: Path | None = None) -> Path | None:
    """The first waiting run that waits for no other run.

    One whose need cannot be met any more ends as failed. A needed run that nobody works on, as one that was interrupted
    by the end of the program, comes back into the queue.
    """
    for directory in queue(home):
        try:
            needed = awaited(directory)
        except SeglabError as why:
            fail(directory, why)
            continue
        if not needed:
            return directory
        for run in needed:
            if runs.status(run).state != "running" and not (run / "queued").exists():
                (run / "stop").unlink(missing_ok=True)
                enqueue(run)
    return None


def fail(directory: Path, why: SeglabError) -> None:
    """Records that a run failed, which nobody works on."""
    with contextlib.suppress(SeglabError, OSError), runs.locked(directory):
        runs.append(directory, runs.ending(directory, "failed", why))
        (directory / "queued").unlink(missing_ok=True)


def stop(directory: Path) -> None:
    """Ends a run: a waiting one leaves the queue, one under way ends after its present step."""
    runs.stop(directory)
    (directory / "queued").unlink(missing_ok=True)


def threads() -> int:
    """How many threads a run gets: one core is left for the page, which would not answer otherwise."""
    return max(1, (os.cpu_count() or 1) - 1)


def environment() -> dict[str, str]:
    """What processes of this one are to know: how many threads they get and where things are, but no secrets."""
    found = os.environ | {name: str(threads()) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    found = {name: value for name, value in found.items() if "TOKEN" not in name}
    if "SEGLAB_DATA" in found:
        found["SEGLAB_DATA"] = os.path.abspath(found["SEGLAB_DATA"])
    return found


class Worker(threading.Thread):
    """Works through the queue, each run in a child process, until the program ends.

    Of several programs with the same home only one works; the others' runs wait in the same queue.
    """

    def __init__(self) -> None:
        super().__init__(name="jobs", daemon=True)
        self.home, self.ended = runs.home(), threading.Event()

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.home.mkdir(parents=True, exist_ok=True)
                with open(self.home / ".jobs.lock", "a") as lock:
                    fcntl.flock(lock, fcntl.LOCK_EX)  # waits for as long as another program works
                    self.look_on()
            except OSError:  # short of memory, files or disk: the runs wait
                log.exception("the queue in %s cannot be worked on; it will be tried again", self.home)
                self.ended.wait(RETRY)

    def look_on(self) -> None:
        """Works on one waiting run after the other."""
        while not self.ended.is_set():
            directory = next_run(self.home)
            if directory:
                self.work(directory)
            else:
                self.ended.wait(TAKE_A_LOOK)

    def work(self, directory: Path) -> None:
        """Runs the child to its end; one that died without a word is recorded as failed."""
        marker = directory / "queued"
        try:
            taken = marker.read_text()
        except FileNotFoundError:  # stopped just now
            return
        with open(directory / "log.txt", "ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "seglab.jobs", str(directory), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment() | {"SEGLAB_HOME": str(self.home)},
                cwd=SEGLAB,
                start_new_session=True,
            )
            code = child.wait()
        with contextlib.suppress(FileNotFoundError):  # the run took it away, unless it never began
            if marker.read_text() == taken:
                marker.unlink()
        if code != 0 and not runs.status(directory).over:
            why = SeglabError("the run's process ended with status {code}", code=code)
            if code < 0:
                why = SeglabError("the run's process was ended by signal {signal}", signal=-code)
            fail(directory, why)


def subordinate(parent: int) -> None:
    """Gives this process less right to the processor than the page has, and no longer a life than its parent's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            sys.exit()
        with contextlib.suppress(OSError):  # short of memory, the kernel ends this process, not the page
            Path("/proc/self/oom_score_adj").write_text("1000")
    os.nice(10)


def device() -> str:
    """What runs in the queue compute on."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def child(directory: Path, parent: int) -> None:
    """Works on one run."""
    subordinate(parent)
    for _ in runs.work(directory, device(), threads()):
        pass


if __name__ == "__main__":
    child(Path(sys.argv[1]), int(sys.argv[2]))
