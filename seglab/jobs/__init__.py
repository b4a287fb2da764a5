"""Runs that go on when every page is closed: a queue, a worker, and an adapter, which says where a run is worked on."""

from seglab.jobs.keeper import Keeper
from seglab.jobs.process import ROOT, Process, device, environment, subordinate, threads
from seglab.jobs.queue import awaited, enqueue, fail, next_run, refuse_too_many, resubmit, stop, submit, waiting
from seglab.jobs.worker import Adapter, Worker
from seglab.jobs.zerogpu import ZeroGPU

__all__ = [
    "ROOT", "Adapter", "Keeper", "Process", "Worker", "ZeroGPU", "awaited", "device", "enqueue", "environment", "fail",
    "next_run", "refuse_too_many", "resubmit", "stop", "submit", "subordinate", "threads", "waiting",
]  # fmt: skip
