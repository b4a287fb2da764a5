"""Work in processes of this machine, which go on when every page is closed and yield the processor to it."""

from __future__ import annotations

import contextlib
import ctypes
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

from seglab import machine, plugins, runs
from seglab.errors import SeglabError

ROOT = Path(__file__).parents[2]  # a process that begins here finds seglab even where it is not installed
SECRET = re.compile("TOKEN|SECRET|PASSWORD|API_?KEY", re.IGNORECASE)  # in the names of variables


def threads() -> int:
    """How many threads a run gets."""
    return machine.cores()


def environment() -> dict[str, str]:
    """What processes of this one are to know: how many threads they get and where things are, but no secrets, and
    not that GPUs are lent here: to them none is."""
    found = os.environ | {name: str(threads()) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}
    if machine.whole():  # each of torch's threads keeps a core: beside others that come and go they wait less
        found["OMP_PROC_BIND"] = "true"
    found = {name: value for name, value in found.items() if not SECRET.search(name) and name != "SPACES_ZERO_GPU"}
    found["SEGLAB_HOME"] = str(runs.home())  # as they begin in ROOT, `runs` would be another folder
    if runs.is_url(found.get("SEGLAB_KEEP", "")):  # whose password they are not told: the page keeps their runs
        del found["SEGLAB_KEEP"]
    for name in {"SEGLAB_DATA", "SEGLAB_KEEP"} & found.keys():
        found[name] = os.path.abspath(os.path.expanduser(found[name].removeprefix("file://")))
    return found | plugins.environment()


def ends_with(parent: int) -> None:
    """Gives this process no longer a life than its parent's."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
        if os.getppid() != parent:
            sys.exit()


def subordinate(parent: int) -> None:
    """Gives this process less right to the processor than the page has, and no longer a life than its parent's."""
    ends_with(parent)
    if sys.platform == "linux":
        with contextlib.suppress(OSError):  # short of memory, the kernel ends this process, not the page
            Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    if hasattr(os, "nice"):  # Windows has its priorities where processes are started
        os.nice(10)


def device() -> str:
    """What runs in the queue compute on."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


class Process:
    """The adapter for this machine: each run in a child process of its own."""

    def work(self, directory: Path) -> SeglabError | None:
        """Works on the run to its end. Gives why its process died, where it did not end in good order."""
        with open(directory / "log.txt", "ab") as log:
            child = subprocess.Popen(
                [sys.executable, "-m", "seglab.jobs", str(directory), str(os.getpid())],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment() | {"SEGLAB_HOME": str(directory.parent)},  # of the worker, whatever is set since
                cwd=ROOT,
                start_new_session=True,
                creationflags=getattr(subprocess, "BELOW_NORMAL_PRIORITY_CLASS", 0),  # of Windows
            )
            code = child.wait()
        if code < 0:
            return SeglabError("the run's process was ended by signal {signal}", signal=-code)
        return SeglabError("the run's process ended with status {code}", code=code) if code else None
