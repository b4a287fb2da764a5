"""What a run keeps of its predictions, read back: label maps, confusion matrices, probabilities."""

from __future__ import annotations

import re
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from seglab.data.masks import read_mask
from seglab.errors import SeglabError
from seglab.runs.directory import description
from seglab.runs.shipped import shipped

EPOCH = re.compile(r"epoch_(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Evidence:
    """A run's predictions for its validation images by its best weights, and for a few of them after every evaluation.

    Nothing is read until it is asked for. Raises SeglabError for what is missing or damaged.
    """

    directory: Path

    @property
    def names(self) -> list[str]:
        """The names of the validation images, in the order in which everything else has them."""
        return description(self.directory)["images"]["val"]

    @property
    def samples(self) -> list[int]:
        """The indices of the few validation images."""
        return description(self.directory)["samples"]

    @property
    def stayed(self) -> bool:
        """Whether the pictures are where the run was trained: it came without them."""
        known = shipped(self.directory)
        return known is not None and not known.pictures

    def labels(self, index: int) -> np.ndarray:
        """uint8 (H, W): what the best weights predict for a validation image."""
        return self.map("predictions", index)

    def truth(self, index: int) -> np.ndarray:
        """uint8 (H, W): the mask of a validation image, 255 = void."""
        return self.map("truth", index)

    def confusions(self, split: str = "val") -> np.ndarray:
        """int64 (N, K, K): the confusion matrix of each image of `train`, `search` or `val`, by the best weights.

        Those of `train` are of as many training images as `val` has.
        """
        return self.array("evaluation.npz", split)

    def probabilities(self, index: int) -> np.ndarray:
        """float32 (K, H, W): what the best weights give one of the few validation images."""
        return self.array("probabilities.npz", str(index)).astype(np.float32)

    def epochs(self) -> list[float]:
        """The evaluations after which the few images' label maps were kept, in epochs."""
        found = (EPOCH.fullmatch(path.name) for path in (self.directory / "samples").glob("epoch_*"))
        return sorted(float(match[1]) for match in found if match)

    def latest(self, epoch: float | None = None) -> float | None:
        """The last of these evaluations, or the last that is not after so many epochs; None before the first."""
        return max((each for each in self.epochs() if epoch is None or each <= epoch), default=None)

    def sampled(self, epoch: float) -> list[np.ndarray]:
        """uint8 (H, W) each: what was predicted for the few images after so many epochs."""
        folder = f"samples/epoch_{epoch_text(epoch)}"
        return [self.map(folder, place) for place in range(len(self.samples))]

    def map(self, folder: str, index: int) -> np.ndarray:
        file = self.directory / folder / f"{index:04}.png"
        if not file.is_file():
            raise self.missing(f"{folder}/{file.name}")
        return read_mask(file)[0]

    def array(self, file: str, name: str) -> np.ndarray:
        try:
            with np.load(self.directory / file, allow_pickle=False) as arrays:
                return arrays[name]
        except (FileNotFoundError, KeyError):
            raise self.missing(f"{file}: {name}") from None
        except (OSError, ValueError, EOFError, zipfile.BadZipFile) as error:
            where = f"{self.directory.name}/{file}"
            raise SeglabError("{file} cannot be read: {reason}", file=where, reason=error) from None

    def missing(self, file: str) -> SeglabError:
        """What is told of a file that is not there."""
        if self.stayed:
            return SeglabError(
                "{run} came without its pictures: {file} stayed where it was trained",
                run=self.directory.name,
                file=file,
            )
        return SeglabError("{run} has no {file}", run=self.directory.name, file=file)


def epoch_text(epoch: float) -> str:
    """How an evaluation's folder is named after `epoch_`: 003, or 002.50 for one within an epoch."""
    return f"{epoch:03.0f}" if epoch == int(epoch) else f"{epoch:06.2f}"
