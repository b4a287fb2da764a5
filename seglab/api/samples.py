"""The few validation images that runs keep masks of, labeled by each of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from seglab import comparison, draw, runs
from seglab.api import html
from seglab.errors import SeglabError


class Samples:
    """The same few validation images labeled by every run, below the images and their truth; runs that came without
    masks are left out."""

    def __init__(self, directories: Sequence[Path], epoch: float | None = None):
        self.rows: list[tuple[str, list[np.ndarray]]] = []  # a title, and images uint8 (H, W, 3)
        self.legends: list[str] = []
        seen: set[str] = set()
        left_out: list[SeglabError] = []
        for directory, label in zip(directories, comparison.compare(directories).labels, strict=True):
            evidence, dataset = runs.Evidence(directory), runs.description(directory)
            reached = evidence.latest(epoch)
            if reached is None and evidence.stayed:
                left_out.append(evidence.missing("samples"))
                continue
            if reached is None:
                raise SeglabError("{run} has not been evaluated so far", run=directory.name)
            if dataset["digests"]["val"] not in seen:
                seen.add(dataset["digests"]["val"])
                self.rows += originals(directory, dataset)
            masks = evidence.sampled(reached)
            self.rows.append((label, [draw.painted(mask, dataset["colors"]) for mask in masks]))
            self.legends.append(html.legend(dataset["classes"], dataset["colors"]))
        if not self.rows:
            raise left_out[0]

    def __repr__(self) -> str:
        return f"<seglab samples: {len(self.rows[0][1])} images; {', '.join(title for title, _ in self.rows)}>"

    def _repr_html_(self) -> str:
        return html.gallery(self.rows) + "".join(dict.fromkeys(self.legends))


def originals(directory: Path, dataset: dict[str, Any]) -> list[tuple[str, list[np.ndarray]]]:
    """The sample images, unless the data has gone, and their truth."""
    evidence = runs.Evidence(directory)
    truth = [draw.painted(evidence.truth(n), dataset["colors"]) for n in evidence.samples]
    try:
        data = runs.opened(directory)
        return [("image", [data.val[n].image for n in evidence.samples]), ("truth", truth)]
    except SeglabError:
        return [("truth", truth)]
