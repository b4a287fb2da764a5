"""seglab: a laboratory for comparing semantic-segmentation models.

    import seglab

    run = seglab.train(model="unet", loss="focal", epochs=3)
    run.predict("photo.jpg", crf=True)
    seglab.compare(run, "unet")

Nothing heavy is loaded before one of these is used.
"""

from __future__ import annotations

import importlib
import os
import sys
import warnings
from typing import TYPE_CHECKING, Any

from seglab import machine

__version__ = "0.1.0"

# Threads of OpenMP that wait for each other spin a thousand times and then sleep. Beside a busy process spinning for as
# long as by default doubles the time of a training step or worse; without any, each of a network's many small
# operations waits for a thread to wake up. torch reads this when it is loaded.
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": os.environ.get("GOMP_SPINCOUNT", "1000")}
if machine.cores() < (os.cpu_count() or 1):  # in a container torch would take the host's cores
    os.environ.setdefault("OMP_NUM_THREADS", str(machine.cores()))
os.environ.setdefault("NO_ALBUMENTATIONS_UPDATE", "1")  # albumentations asks the network for its version otherwise

OFFERED = {  # by the module that has it
    "seglab.api": (
        "Collection", "Comparison", "Entries", "Network", "Plan", "Prediction", "Predictions", "Preview", "Run", "Runs",
        "Samples", "Scores", "adopt", "bring", "compare", "configure", "dataset", "describe", "entries",
        "learning_rates", "list_plans", "list_runs", "load", "load_plan", "plan", "predict", "submit", "train",
    ),
    "seglab.config": ("RunConfig",),
    "seglab.errors": ("SeglabError",),
    "seglab.families": ("Architecture", "Dataset", "Loss", "Optimizer", "Predictor", "Scheduler", "Technique"),
}  # fmt: skip
HOMES = {name: module for module, names in OFFERED.items() for name in names}

if TYPE_CHECKING:
    from seglab.api import (
        Collection,
        Comparison,
        Entries,
        Network,
        Plan,
        Prediction,
        Predictions,
        Preview,
        Run,
        Runs,
        Samples,
        Scores,
        adopt,
        bring,
        compare,
        configure,
        dataset,
        describe,
        entries,
        learning_rates,
        list_plans,
        list_runs,
        load,
        load_plan,
        plan,
        predict,
        submit,
        train,
    )  # fmt: skip
    from seglab.config import RunConfig
    from seglab.errors import SeglabError
    from seglab.families import Architecture, Dataset, Loss, Optimizer, Predictor, Scheduler, Technique

__all__ = [
    "Architecture", "Collection", "Comparison", "Dataset", "Entries", "Loss", "Network", "Optimizer", "Plan",
    "Prediction", "Predictions", "Predictor", "Preview", "Run", "RunConfig", "Runs", "Samples", "Scheduler", "Scores",
    "SeglabError", "Technique", "adopt", "bring", "compare", "configure", "dataset", "describe", "entries",
    "learning_rates", "list_plans", "list_runs", "load", "load_plan", "plan", "predict", "submit", "train",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'seglab' has no attribute {name!r}")
    first = "seglab.config" not in sys.modules
    found = getattr(importlib.import_module(HOMES[name]), name)
    for problem in sys.modules["seglab.plugins"].PROBLEMS if first and "seglab.plugins" in sys.modules else ():
        warnings.warn(str(problem), stacklevel=2)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
