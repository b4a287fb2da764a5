"""A reading is a run seen through a chain of predictors; a side is a setting with its readings, one for each seed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab import runs
from seglab.comparison.scores import Comparison
from seglab.config import RunConfig
from seglab.runs import Evidence


@dataclass(frozen=True)
class Reading:
    """What a run's best weights make of its validation images."""

    directory: Path

    @property
    def config(self) -> RunConfig:
        return runs.config(self.directory)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.directory)

    def confusions(self) -> np.ndarray:
        """int64 (N, K, K): the confusion matrix of each validation image."""
        return self.evidence.confusions()

    def labels(self, index: int) -> np.ndarray:
        """uint8 (H, W): what is predicted for a validation image."""
        return self.evidence.labels(index)


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a setting by its name, and its readings, which differ in the seed or the fold alone."""

    name: str
    readings: tuple[Reading, ...]

    @property
    def seeds(self) -> list[int]:
        return [each.config.seed for each in self.readings]

    @property
    def folded(self) -> bool:
        """Whether its readings are of the folds of a cross-validation."""
        return any(each.config.fold for each in self.readings)


def sides(comparison: Comparison, directories: Sequence[Path]) -> list[Side]:
    """The settings of compared runs, in their order, each with its runs by seed; two runs that differ in nothing but
    the seed are two sides."""
    groups = {group.places[0]: (group.label, group.places) for group in comparison.groups}
    if len(groups) == 1 and len(directories) == 2 and not any(runs.config(each).fold for each in directories):
        groups = {}
    together = {place for _, places in groups.values() for place in places}
    found = []
    for first, directory in enumerate(directories):
        if first in groups:
            label, places = groups[first]
            readings = sorted((Reading(directories[place]) for place in places), key=lambda each: each.config.seed)
            found.append(Side(label, tuple(readings)))
        elif first not in together:
            found.append(Side(comparison.labels[first], (Reading(directory),)))
    return found
