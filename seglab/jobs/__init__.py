"""Runs that go on when every page is closed: a queue, a worker, and an adapter, which says where a run is worked on."""

from seglab.jobs.keeper import Keeper
from seglab.jobs.limits import Limits, bind, limited, limits
from seglab.jobs.process import ROOT, Process, device, environment, subordinate, threads
from seglab.jobs.queue import admitting, awaited, begin, enqueue, fail, next_run, resubmit, stop, submit, waiting
from seglab.jobs.worker import Adapter, Worker
from seglab.jobs.zerogpu import ZeroGPU
from seglab.places import shared

__all__ = [
    "ROOT", "Adapter", "Keeper", "Limits", "Process", "Worker", "ZeroGPU", "admitting", "awaited", "begin", "bind",
    "device", "enqueue", "environment", "fail", "limited", "limits", "next_run", "resubmit", "shared", "stop",
    "submit", "subordinate", "threads", "waiting",
]  # fmt: skip
