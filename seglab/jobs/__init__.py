"""Runs that go on when every page is closed: a queue, a worker, and an adapter, which says where a run is worked on."""

from seglab.jobs import several
from seglab.jobs.elsewhere import Elsewhere, On, chosen, deal, on, queue_worker
from seglab.jobs.keeper import Keeper
from seglab.jobs.limits import Limits, bind, limited, limits
from seglab.jobs.process import ROOT, Process, device, environment, subordinate, threads
from seglab.jobs.queue import admitting, awaited, begin, enqueue, fail, next_run, resubmit, stop, submit, waiting
from seglab.jobs.worker import Adapter, Unready, Worker, trouble
from seglab.jobs.zerogpu import ZeroGPU
from seglab.places import shared

__all__ = [
    "ROOT", "Adapter", "Elsewhere", "Keeper", "Limits", "On", "Process", "Unready", "Worker", "ZeroGPU", "admitting",
    "awaited", "begin", "bind", "chosen", "deal", "device", "enqueue", "environment", "fail", "limited", "limits",
    "next_run", "on", "queue_worker", "resubmit", "several", "shared", "stop", "submit", "subordinate", "threads",
    "trouble", "waiting",
]  # fmt: skip
