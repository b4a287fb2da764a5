"""Work on a Slurm cluster by submitit: each run is a job, which works on it in the home, a folder of all nodes."""

from __future__ import annotations

import math
import os
import shutil
import time
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.errors import SeglabError
from seglab.jobs.elsewhere import On
from seglab.jobs.limits import bind
from seglab.jobs.process import device
from seglab.jobs.worker import Unready

LOOK, MINUTES, MOST_WAITING = 0.5, 24 * 60, 16  # seconds between looks at a job; minutes of one; jobs that wait
KIND = "slurm"  # of submitit's executors


class Slurm:
    """The adapter for a Slurm cluster."""

    def __init__(self, on: On):
        self.on, self.waiting = on, set[Path]()
        os.environ |= {name: str(on.threads) for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS")}  # jobs get all of it

    def connect(self) -> None:
        if KIND == "slurm" and not shutil.which("sbatch"):
            raise Unready("this machine has no sbatch: runs go to Slurm only from where jobs are submitted")

    def room(self) -> int:
        return MOST_WAITING - len(self.waiting)

    def work(self, directory: Path, unstop: bool = False) -> SeglabError | None:
        import submitit

        executor: Any = submitit.AutoExecutor(folder=directory.parent / ".slurm", cluster=KIND)
        how = {"slurm_partition": self.on.address} if self.on.address else {}
        gpus, begun = math.ceil(self.on.gpus), False
        executor.update_parameters(cpus_per_task=self.on.threads, gpus_per_node=gpus, timeout_min=MINUTES, **how)
        try:
            job = executor.submit(worked, directory, self.on.threads, gpus > 0, unstop)
        except RuntimeError as error:  # by what sbatch says, as of a partition that is not there
            raise Unready("Slurm takes no job: {reason}", reason=" ".join(str(error).split())[:300]) from None
        while not job.done():
            if begun := begun or runs.status(directory).state == "running":
                self.waiting.discard(directory)
            elif (directory / "stop").exists() or not (directory / "config.json").exists():
                job.cancel()  # stopped or deleted while it waited
                return None
            time.sleep(LOOK)
        return job.exception() and SeglabError(
            "its Slurm job ended early; its log is {file}", file=str(job.paths.stderr)
        )


def worked(directory: Path, threads: int, gpu: bool, unstop: bool) -> None:
    """What a job does."""
    os.environ["SEGLAB_HOME"] = str(directory.parent)
    bind()
    for _ in runs.work(directory, device() if gpu else "cpu", threads, unstop=unstop):
        pass
