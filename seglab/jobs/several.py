"""One run worked on by several processes of this machine, which torchrun's launcher starts and watches.

`python -m seglab.jobs.several PARENT DIRECTORY PROCESSES DEVICE THREADS [--unstop]` is the launcher; it starts itself
again as each of them.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from seglab import plugins, runs
from seglab.errors import SeglabError
from seglab.events import FOR_GOOD, Event
from seglab.group import LOST
from seglab.jobs.process import ends_with

LOOK = 0.1  # seconds between two looks at what a run has reported
PATIENCE = 10.0  # seconds that the processes have to end when they are told to


def work(
    directory: Path,
    processes: int,
    device: str = "cpu",
    threads: int = 1,
    interrupted: Callable[[], bool] = lambda: False,
    unstop: bool = False,
) -> Iterator[Event]:
    """`runs.work` by several processes, each with so many threads and on a CUDA device with a GPU of its own.

    The first of them records the run; its events are yielded as they appear. Where one is lost the others end, too:
    the run is interrupted. Raises SeglabError then, as for what `runs.work` refuses, and for more processes than GPUs.
    """
    refuse(directory, processes, device)
    _, told = runs.events_after(directory)
    arguments = [str(os.getpid()), str(directory.resolve()), str(processes), device, str(threads)]
    with tempfile.TemporaryFile() as log:
        child = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, *arguments, *["--unstop"] * unstop],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env={name: value for name, value in os.environ.items() if name != "OMP_PROC_BIND"}
            | {"OMP_NUM_THREADS": str(threads), "SEGLAB_HOME": str(runs.home())}
            | plugins.environment(),
            start_new_session=True,  # Ctrl-C is for this process, which ends the run in good order
        )
        try:
            ended = False
            while not ended:
                ended = child.poll() is not None
                known, told = runs.events_after(directory, told)
                yield from known
                if interrupted() and not ended:
                    runs.stop(directory)
                time.sleep(0 if ended else LOOK)
        finally:
            end(child)
        state = runs.status(directory).state
        if child.returncode and state not in FOR_GOOD and not (interrupted() and state == "stopped"):
            log.seek(0)
            raise problem(directory, log.read())


def refuse(directory: Path, processes: int, device: str) -> None:
    """Raises SeglabError for a run that is not to be worked on, and for more processes than GPUs."""
    import torch

    runs.refuse_going_on(directory)
    with runs.locked(directory):
        pass
    if device == "cuda" and processes > torch.cuda.device_count():
        raise SeglabError(
            "processes: {processes} is more than the {count} GPUs that are here; each needs one of its own",
            processes=processes,
            count=torch.cuda.device_count(),
        )


def end(child: subprocess.Popen) -> None:
    """Has the launcher end, which ends the processes that it started."""
    if child.poll() is None:
        child.terminate()
        try:
            child.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            child.wait()


def problem(directory: Path, log: bytes) -> SeglabError:
    """Why the processes ended otherwise than the run."""
    ended = runs.status(directory).finished
    if ended and ended.why:
        return ended.why.error()
    words = [line for line in log.decode(errors="replace").splitlines() if line.startswith("seglab: ")]
    return SeglabError(
        "{run} was interrupted: one of its processes ended ({reason}); to go on: seglab resume {run}",
        run=directory.name,
        reason=words[0].removeprefix("seglab: ") if words else "without a word",
    )


def launch(arguments: list[str]) -> None:
    """Starts the processes and watches them, until all have ended or one is lost."""
    from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.launcher.api import LaunchConfig, elastic_launch

    parent, *rest = arguments
    ends_with(int(parent))
    settings = LaunchConfig(
        min_nodes=1,
        max_nodes=1,
        nproc_per_node=int(rest[1]),
        rdzv_backend="c10d",
        rdzv_endpoint="localhost:0",
        local_addr="localhost",  # by the machine's name, which not all know of themselves, they would wait for minutes
        monitor_interval=LOOK,
        max_restarts=0,
        logs_specs=DefaultLogsSpecs(os.devnull),  # it would leave a folder behind
    )
    try:
        elastic_launch(settings, sys.executable)("-m", __spec__.name, str(os.getpid()), *rest)
    except ChildFailedError as error:
        codes = {rank: failure.exitcode for rank, failure in error.failures.items()}
        rank = next((rank for rank, code in codes.items() if code != LOST), min(codes))
        raise SystemExit(f"seglab: process {rank + 1} ended with status {codes[rank]}") from None


def take_part(arguments: list[str]) -> None:
    """Works on the run as one of the processes."""
    import torch

    from seglab.group import Several

    parent, directory, _, device, threads, *unstop = arguments
    ends_with(int(parent))
    if device == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    group = Several("cpu:gloo,cuda:nccl" if device == "cuda" else "gloo")
    try:
        if group.rank == 0:
            for _ in runs.work(Path(directory), device, int(threads), unstop=bool(unstop), group=group):
                pass
        else:
            runs.join(Path(directory), device, int(threads), group)
    except SeglabError as error:
        raise SystemExit(f"seglab: {error}") from None
    group.first(None)  # nobody leaves before all is recorded
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(0)  # a thread of gloo's or torch's that is still there may abort a process that takes itself apart


if __name__ == "__main__":
    (take_part if "LOCAL_RANK" in os.environ else launch)(sys.argv[1:])
