"""Work on a Ray cluster: each run in an actor with its own share of processors and GPUs, which takes the run along and
streams back its events with their files."""

from __future__ import annotations

import importlib
import logging
import math
import os
import secrets
import socket
from pathlib import Path
from typing import Any

from seglab import machine, plugins, runs
from seglab.data.store import VARIABLE
from seglab.errors import SeglabError
from seglab.events import Finished
from seglab.jobs import node
from seglab.jobs.elsewhere import On
from seglab.jobs.limits import limits
from seglab.jobs.process import environment
from seglab.jobs.worker import Unready
from seglab.runs.snapshots import snapshots

LOOK = 0.25  # seconds between two looks at whether a run is to stop
AHEAD = 4  # events that a run may be ahead of what is recorded here
LOSSES = 3  # of a run's processes, one after the other, without a new snapshot between them, after which it fails
PATIENCE = 3.0  # seconds for an answer of the cluster's address
CUT_OFF = 3  # the status of this process where its own node is lost: whoever began it begins it again

log = logging.getLogger(__name__)


class Lost(Exception):
    """The process that worked on a run is gone, alone or with its node."""


def engine() -> Any:
    return importlib.import_module("ray")


class Ray:
    """The adapter for a Ray cluster."""

    def __init__(self, on: On):
        self.on = on
        self.waiting: set[Path] = set()
        self.edition = node.edition()

    def connect(self) -> None:
        """Joins the cluster, or starts one on this machine; raises Unready where it does not answer."""
        if not os.environ.keys() & {"RAY_AUTH_MODE", "RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"} and not self.on.address:
            os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}  # of this cluster alone
        ray = engine()
        if ray.is_initialized():
            return
        own = {} if self.on.address else {"num_cpus": machine.cores(), "include_dashboard": False}
        try:
            if ":" in self.on.address:  # Ray itself would be at it for a minute
                host, port = self.on.address.rsplit(":", 1)
                socket.create_connection((host.strip("[]"), int(port)), PATIENCE).close()
            ray.init(self.on.address or "local", log_to_driver=False, logging_level=logging.CRITICAL, **own)
        except Exception as error:  # of many kinds
            reason = brief(error)
            if not self.on.address:
                raise Unready("no Ray cluster could be started on this machine: {reason}", reason=reason) from None
            raise Unready(
                "the Ray cluster at {address} cannot be joined: {reason}", address=self.on.address, reason=reason
            ) from None
        ray.cloudpickle.register_pickle_by_value(node)

    def room(self) -> int:
        """How many more runs may ask for a place on a node: as many as there is room for, and one that waits. Raises
        Unready where no node is large enough."""
        share = {"CPU": self.on.cpus, "GPU": self.on.gpus}
        nodes = [each["Resources"] for each in engine().nodes() if each["Alive"]]
        if not any(all(each.get(kind, 0) >= least for kind, least in share.items()) for each in nodes):
            raise Unready(
                "no node of the Ray cluster has cpus={cpus} and gpus={gpus}, the share of a run",
                cpus=f"{self.on.cpus:g}",
                gpus=f"{self.on.gpus:g}",
            )
        free = engine().available_resources()
        places = min(math.floor(free.get(kind, 0) / each) for kind, each in share.items() if each)
        return max(1, places) - len(self.waiting)

    def work(self, directory: Path, unstop: bool = False) -> SeglabError | None:
        """Works on the run to its end, on whatever node has room for it. Gives why, where the run could not end
        itself."""
        hand = self.hired(directory)
        if hand is None:
            return None
        try:
            with runs.begun(directory, unstop):
                self.finish(directory, hand)
        except Exception as error:  # of this run alone: the others go on
            return SeglabError.of(error)
        finally:
            engine().kill(hand)
        runs.keep_finished()
        return None

    def finish(self, directory: Path, hand: Any) -> None:
        """Has the run worked on; where that is lost, it goes on elsewhere from the last snapshot that came back."""
        losses, step = 0, newest(directory)
        while hand is not None:
            try:
                return self.follow(directory, hand)
            except Lost as error:
                reason = str(error)
            finally:
                engine().kill(hand)
            losses, step = losses + 1 if newest(directory) == step else 1, newest(directory)
            note(directory, f"the process that worked on it was lost, and it goes on from step {step}: {reason}")
            if losses == LOSSES:
                raise SeglabError(
                    "the process that worked on it was lost {count} times without getting further: {reason}",
                    count=losses,
                    reason=reason,
                )
            hand = self.hired(directory)
        runs.append(directory, runs.ending(directory, "stopped"))  # while it waited for another place

    def hired(self, directory: Path) -> Any:
        """An actor that has begun on a node; None where the run was stopped or deleted while it waited for one. Raises
        Unready where none can work on it."""
        ray, reason = engine(), ""
        share = {"num_cpus": self.on.cpus, "num_gpus": self.on.gpus}
        self.waiting.add(directory)
        try:
            for _ in range(LOSSES):
                hand = (
                    ray.remote(node.Node)
                    .options(**share, max_concurrency=2, max_restarts=0)
                    .remote(settings(self.on.threads), otherwise())
                )
                answer = hand.edition.remote()
                while not ray.wait([answer], timeout=LOOK)[0]:
                    if (directory / "stop").exists() or not (directory / "config.json").exists():
                        ray.kill(hand)
                        return None
                try:
                    self.refuse_other(*ray.get(answer))
                    return hand
                except ray.exceptions.RayError as error:
                    reason = brief(error)
                    self.refuse_cut_off()
                except Unready:
                    ray.kill(hand)
                    raise
        finally:
            self.waiting.discard(directory)
        raise Unready("no process could be started on the Ray cluster: {reason}", reason=reason)

    def follow(self, directory: Path, hand: Any) -> None:
        """Records what comes from the actor until the run has ended; raises Lost where nothing more comes."""
        ray, told, event = engine(), False, None
        ahead = {"num_returns": "streaming", "_generator_backpressure_num_objects": AHEAD}
        stream = hand.work.options(**ahead).remote(runs.packed(directory), self.on.gpus > 0, self.on.threads)
        while True:
            if not told and (directory / "stop").exists():
                hand.stop.remote()
                told = True
            try:
                if ray.wait([stream], timeout=LOOK, fetch_local=False)[0]:
                    line, files = ray.get(next(stream))
                    event = runs.take_in(directory, line, files)
            except StopIteration:
                return
            except ray.exceptions.RayTaskError as error:
                raise SeglabError.of(error.cause) from None
            except ray.exceptions.RayError as error:
                self.refuse_cut_off()
                if isinstance(event, Finished):  # it was lost on its way out
                    return
                raise Lost(brief(error)) from None

    def refuse_other(self, name: str, edition: str) -> None:
        """Raises Unready where a node has no seglab, or another one."""
        if not edition:
            raise Unready("seglab is not installed on {node}", node=name)
        if edition != self.edition:
            raise Unready(
                "{node} has seglab {other}, and here it is {own}; install the same everywhere",
                node=name,
                other=edition,
                own=self.edition,
            )

    def refuse_cut_off(self) -> None:
        """Ends this process where its own node is lost, by which it is in the cluster: all runs are interrupted."""
        own = engine().get_runtime_context().get_node_id()
        if not any(each["NodeID"] == own and each["Alive"] for each in engine().nodes()):
            log.warning("this machine is no longer in the Ray cluster; the runs are interrupted")
            os._exit(CUT_OFF)


def newest(directory: Path) -> int:
    """The step of the run's last snapshot, 0 before the first."""
    return max(snapshots(directory), default=0)


def note(directory: Path, what: str) -> None:
    """Writes to the log of a run what happened to it here."""
    with open(directory / runs.LOG, "a", encoding="utf-8") as file:
        file.write(f"seglab: {what}\n")


def brief(error: Exception) -> str:
    """The beginning of what Ray says of an error, in one line."""
    code = getattr(error, "errno", None)
    return os.strerror(code) if code else " ".join(str(error).split())[:300] or type(error).__name__


def settings(threads: int) -> dict[str, str]:
    """What the environment of a run has on every node."""
    most = limits()
    bounds = {name: getattr(most, name) for name in ("memory", "disk")}
    return {
        "OMP_NUM_THREADS": str(threads),
        "MKL_NUM_THREADS": str(threads),
        "SEGLAB_LIMITS": " ".join(f"{name}={value or 'none'}" for name, value in bounds.items()),
        plugins.VARIABLE: plugins.environment().get(plugins.VARIABLE, ""),
    }


def otherwise() -> dict[str, str]:
    """What it has on nodes that do not say otherwise."""
    return {name: value for name, value in environment().items() if name in ("SEGLAB_DATA", VARIABLE)}
