"""Runs that are worked on by other machines: which, and the process of its own that deals the runs out to them.

That process is apart from the page's because it may end at any time: where the head of a Ray cluster is lost, Ray ends
every process that is connected to it.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import math
import os
import re
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from seglab.entry import Options, validated
from seglab.errors import SeglabError
from seglab.jobs.process import ROOT, environment
from seglab.jobs.worker import RETRY, Worker

VARIABLE = "SEGLAB_ON"
PACKAGES = {"ray": "ray", "slurm": "submitit"}  # what each engine needs, an extra of the same name as the engine
ADDRESS = re.compile(r"(|auto|[\w.-]+:\d+|\[[\da-fA-F:]+\]:\d+)")  # of a Ray cluster
LOOK = 0.2  # seconds between two looks at whether somebody interrupts
TOLD = 2  # the status of the process that deals out where it has said what is wrong

log = logging.getLogger(__name__)


class On(Options):
    """Where runs are worked on, and each one's share of a machine."""

    engine: Literal["ray", "slurm"]
    address: str = ""
    cpus: Annotated[float, Field(gt=0, le=1024, description="processors of each run")] = 1
    gpus: Annotated[float, Field(ge=0, le=64, description="GPUs of each run")] = 0

    @property
    def threads(self) -> int:
        """How many threads a run gets."""
        return max(1, math.floor(self.cpus))


def on(text: str) -> On:
    """What a text such as `ray:10.0.0.1:6379 cpus=2` says. Raises SeglabError for one that says nothing, and where a
    package is missing."""
    first, *words = text.replace(",", " ").split() or [""]
    engine, _, address = first.partition(":")
    given: dict[str, str] = {"engine": engine, "address": address}
    for word in words:
        name, equals, value = word.partition("=")
        if not equals or name not in ("cpus", "gpus"):
            raise SeglabError("on: {word} is not known here; allowed: cpus=N, gpus=N", word=repr(word))
        given[name] = value
    if engine not in PACKAGES:
        raise SeglabError(
            "on: {engine} is not known; allowed: ray, ray:ADDRESS, slurm, slurm:PARTITION", engine=repr(engine)
        )
    if engine == "ray" and not ADDRESS.fullmatch(address):
        raise SeglabError(
            "on: {address} is no address of a Ray cluster; allowed: HOST:PORT of its head, or auto for the one that "
            "this machine belongs to",
            address=repr(address),
        )
    if importlib.util.find_spec(PACKAGES[engine]) is None:
        raise SeglabError(
            'on: {engine} needs the package {package}: pip install "seglab[{engine}]"',
            engine=engine,
            package=PACKAGES[engine],
        )
    found: On = validated(On, given)
    if found.gpus > 1 and found.gpus % 1:
        raise SeglabError(
            "gpus: {value} is not allowed; allowed: a part of one, or whole ones", value=f"{found.gpus:g}"
        )
    return found


def chosen() -> On | None:
    """Where the queue is worked on, by SEGLAB_ON; None for this machine. Raises SeglabError for what it cannot be."""
    text = os.environ.get(VARIABLE, "").strip()
    return on(text) if text else None


def command(text: str, directories: Sequence[Path] = ()) -> list[str]:
    """What deals out the runs of the queue, or these alone, until it ends or this process does."""
    return [sys.executable, "-m", "seglab.jobs.dispatcher", str(os.getpid()), text, *map(str, directories)]


def surroundings() -> dict[str, str]:
    """What that process is to know: all that this one does, secrets of the cluster's among it. Its runs are not bound
    to cores: of several on a machine each would take the first ones."""
    found = os.environ | environment() | {"RAY_USAGE_STATS_ENABLED": "0"}
    return {name: value for name, value in found.items() if name != "OMP_PROC_BIND"}


def deal(text: str, directories: Sequence[Path], interrupted: Callable[[], bool] = lambda: False) -> bool:
    """Has these runs worked on elsewhere, several at once, and tells on the terminal how it goes; an interrupt ends
    them in good order. Gives whether that went on to the end, and was not lost with the cluster."""
    child = subprocess.Popen(
        command(text, directories), stdin=subprocess.DEVNULL, env=surroundings(), cwd=ROOT, start_new_session=True
    )
    told = False
    try:
        while child.poll() is None:
            if interrupted() and not told:
                child.terminate()
                told = True
            with contextlib.suppress(subprocess.TimeoutExpired):
                child.wait(LOOK)
    finally:
        child.kill()
        child.wait()
    if child.returncode not in (0, TOLD):
        print("seglab: the cluster was lost, and its runs are interrupted", file=sys.stderr)
    return child.returncode == 0


class Elsewhere(threading.Thread):
    """Has the queue worked on elsewhere, until the program ends: the process that deals it out is begun again when it
    ends, as where the head of the cluster is lost."""

    def __init__(self, text: str) -> None:
        super().__init__(name="elsewhere", daemon=True)
        self.text, self.ended = text, threading.Event()
        self.child: subprocess.Popen | None = None

    def end(self) -> None:
        """Ends the process and this thread."""
        self.ended.set()
        while self.is_alive():  # another one may begin just now
            if self.child:
                self.child.kill()
            self.join(LOOK)

    def run(self) -> None:
        while not self.ended.is_set():
            try:
                self.child = subprocess.Popen(
                    command(self.text), stdin=subprocess.DEVNULL, env=surroundings(), cwd=ROOT
                )
                how = f"status {self.child.wait()}"
            except OSError as error:  # short of memory or files
                how = str(error)
            if not self.ended.wait(RETRY):
                log.warning("the process that deals out the queue ended with %s; it is begun again", how)


def queue_worker() -> threading.Thread:
    """What works through the queue, where SEGLAB_ON says or on this machine; it is yet to be started."""
    return Elsewhere(os.environ[VARIABLE]) if chosen() else Worker()
