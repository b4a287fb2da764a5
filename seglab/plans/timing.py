"""How long the runs of a plan will take, judged by finished runs or by a few steps."""

from __future__ import annotations

import itertools
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, overload

import torch
from pydantic_core import from_json

from seglab import jobs, runs, training
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.evaluation import evaluate
from seglab.loader import Cached, batches

TIMED_STEPS, TIMED_SECONDS = 3, 5.0  # of the optimizer: whichever is over first, after one that is not counted


TIMED_IMAGES = 2  # that are scored


PATIENCE = 90.0  # seconds that a process may take to time a few steps


NO_PACE = {"seed", "init_from", "epochs", "budget_seconds", "scheduler"}  # an epoch takes as long whatever these are


Pace = tuple[float, float]  # seconds that a run spends once, and for each epoch


@dataclass(frozen=True)
class Estimate:
    """How long each run may take; `timed`: some were estimated by a few steps, others perhaps by finished runs."""

    seconds: tuple[float, ...]
    timed: bool


@overload
def estimate(configs: Sequence[RunConfig], measure: Callable[[list[RunConfig]], list[Pace]]) -> Estimate: ...


@overload
def estimate(configs: Sequence[RunConfig], measure: None = None) -> Estimate | None: ...


def estimate(
    configs: Sequence[RunConfig], measure: Callable[[list[RunConfig]], list[Pace]] | None = None
) -> Estimate | None:
    """The seconds of each run: as in the latest finished run here whose epochs are alike, or else as `measure` gives
    them for one run of each kind; None where that is needed and there is none."""
    keys = [pace_key(config.model_dump(mode="json")) for config in configs]
    known = finished_paces(set(keys))
    kinds = {key: config for key, config in zip(keys, configs, strict=True) if key not in known}
    paces: list[Pace] = []
    if kinds:
        if measure is None:
            return None
        paces = measure(list(kinds.values()))
    known |= dict(zip(kinds, paces, strict=True))
    seconds = []
    for key, config in zip(keys, configs, strict=True):
        once, epoch = known[key]
        seconds.append(min(once + config.epochs * epoch, config.budget_seconds or math.inf))
    return Estimate(tuple(seconds), timed=bool(kinds))


def pace_key(config: dict[str, Any]) -> str:
    """What decides how long an epoch takes; `config` as in config.json."""
    kept = {name: value for name, value in config.items() if name not in NO_PACE}
    kept["fold"] = kept["fold"] and kept["fold"]["of"]
    kept["optimizer"] = kept["optimizer"]["precision"]
    kept["techniques"] = [each | {"teacher": bool(each.get("teacher"))} for each in kept["techniques"]]
    return json.dumps(kept, sort_keys=True)


def finished_paces(wanted: set[str]) -> dict[str, Pace]:
    """The paces of the latest finished runs with these keys; what they spent once is spread over their epochs."""
    found: dict[str, Pace] = {}
    for directory in runs.every():
        if directory.parent != runs.home() or runs.shipped(directory):  # made on another machine
            continue
        try:
            key = pace_key(from_json((directory / "config.json").read_bytes()))
        except (OSError, ValueError, TypeError, KeyError, AttributeError):  # damaged, or of an older version
            continue
        ended = runs.status(directory).finished if key in wanted - found.keys() else None
        if ended and ended.epoch >= 1:
            found[key] = 0.0, ended.seconds / ended.epoch
    return found


def timed(config: RunConfig, device: str, threads: int) -> Pace:
    """A run's pace, from reading some images, taking a few steps with random weights, and scoring two images."""
    with torch.random.fork_rng():
        free = config.needing(lambda _: None)  # of runs that may not be there yet
        run = training.Run(free, device, threads, fresh=False)
        for hooks in run.step_hooks.values():
            hooks.on_epoch(0)
        places = batches(run.order(0), config.batch_size)[: 1 + TIMED_STEPS]
        began, read = time.monotonic(), 0
        for n in itertools.chain(*places):
            run.train[n % len(run.train)]  # kept from then on
            read += 1
            if time.monotonic() - began > TIMED_SECONDS:
                break
        scored = sum(map(len, run.scored.values()))
        once = (time.monotonic() - began) / read * (len(run.train) + scored)
        run.advance(run.batch(0, places[0]))  # the first prepares the convolutions for this size
        began, steps = time.monotonic(), 0
        for batch in places[1:] or places:
            run.advance(run.batch(0, batch))
            steps += 1
            if time.monotonic() - began > TIMED_SECONDS:
                break
        step = (time.monotonic() - began) / steps
        few = Cached(run.data.val.take(range(min(TIMED_IMAGES, len(run.data.val)))), config.image_size, keep_truth=True)
        list(few)  # reading them is no part of scoring
        began = time.monotonic()
        with run.autocast:
            evaluate(run.evaluated_model(), few, run.terms, None, run.targets)
        image = (time.monotonic() - began) / len(few)
    labeled = len(run.train.hidden) if any(technique.needs for technique in config.techniques) else 0  # by a teacher
    return once + labeled * image, run.steps_per_epoch * step + scored * image


def timed_apart(configs: Sequence[RunConfig]) -> list[Pace]:
    """`timed` for each run, in a process of its own, as the queue would work on it."""
    command = [sys.executable, "-m", "seglab.plans", str(os.getpid())]
    given = json.dumps([config.model_dump(mode="json") for config in configs])
    apart: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PATIENCE, "cwd": jobs.ROOT}
    try:
        ended = subprocess.run(command, input=given, env=jobs.environment(), **apart)
    except subprocess.TimeoutExpired:
        raise SeglabError("the time cannot be estimated in {seconds} s", seconds=f"{PATIENCE:g}") from None
    except OSError as error:  # short of memory
        raise SeglabError("the time cannot be estimated: {reason}", reason=error.strerror) from None
    if ended.returncode:
        reason = (ended.stderr.strip().splitlines() or [f"{ended.returncode}"])[-1]
        raise SeglabError("the time cannot be estimated: {reason}", reason=reason)
    return [(once, epoch) for once, epoch in from_json(ended.stdout)]
