"""What a run keeps of its predictions, read back: label maps, confusion matrices, probabilities."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TypeVar

import numpy as np

from seglab.data.masks import read_mask
from seglab.errors import SeglabError
from seglab.runs import kept
from seglab.runs.directory import description
from seglab.runs.hashes import SHARED
from seglab.runs.shipment import shipped

MAPS = "maps.npz"  # of a run whose label maps are in one file: that of a lesson
Value = TypeVar("Value")
# What numpy raises for a file of arrays that is damaged
DAMAGED = (OSError, ValueError, KeyError, EOFError, RuntimeError, MemoryError, zipfile.BadZipFile, zlib.error)
EPOCH = re.compile(r"epoch_(\d+(?:\.\d+)?)")


@dataclass(frozen=True)
class Evidence:
    """A run's predictions for its validation images by its best weights, and for a few of them after every evaluation.

    Nothing is read until it is asked for. Raises SeglabError for what is missing or damaged.
    """

    directory: Path

    def __post_init__(self) -> None:
        kept.fetch(self.directory)

    @property
    def names(self) -> list[str]:
        """The names of the validation images, in the order in which everything else has them."""
        return description(self.directory)["images"]["val"]

    @property
    def samples(self) -> list[int]:
        """The indices of the few validation images."""
        return description(self.directory)["samples"]

    @property
    def unknown(self) -> tuple[int, ...] | None:
        """The classes that the run's model does not know, where it may label pixels void; None of any other."""
        return unknown_of(description(self.directory))

    @property
    def stayed(self) -> bool:
        """Whether the pictures are where the run was trained: it came without them."""
        known = shipped(self.directory)
        return known is not None and not known.pictures

    def labels(self, index: int) -> np.ndarray:
        """uint8 (H, W): what the best weights predict for a validation image, 255 = void."""
        return self.map("predictions", index)

    def truth(self, index: int) -> np.ndarray:
        """uint8 (H, W): the mask of a validation image, 255 = void."""
        if self.is_packed:
            return self.shared_truth(index)
        return self.map("truth", index)

    def confusions(self, split: str = "val") -> np.ndarray:
        """int64 (N, K, K): the confusion matrix of each image of `train`, `search` or `val`, by the best weights;
        (N, K, K + 1) of a model that may label pixels void.

        Those of `train` are of as many training images as `val` has.
        """
        return self.array("evaluation.npz", split).astype(np.int64)

    def probabilities(self, index: int) -> np.ndarray:
        """float32 (K, H, W): what the best weights give one of the few validation images."""
        return self.array("probabilities.npz", str(index)).astype(np.float32)

    def epochs(self) -> list[float]:
        """The evaluations after which the few images' label maps were kept, in epochs."""
        if self.is_packed:
            return self.maps["epochs"].tolist()
        found = (EPOCH.fullmatch(path.name) for path in (self.directory / "samples").glob("epoch_*"))
        return sorted(float(match[1]) for match in found if match)

    def latest(self, epoch: float | None = None) -> float | None:
        """The last of these evaluations, or the last that is not after so many epochs; None before the first."""
        return max((each for each in self.epochs() if epoch is None or each <= epoch), default=None)

    def sampled(self, epoch: float) -> list[np.ndarray]:
        """uint8 (H, W) each: what was predicted for the few images after so many epochs."""
        if self.is_packed:
            if epoch not in self.epochs():
                raise self.missing(f"samples/epoch_{epoch_text(epoch)}")
            count = len(self.samples)
            first = self.epochs().index(epoch) * count
            return [self.packed("samples", first + place) for place in range(count)]
        folder = f"samples/epoch_{epoch_text(epoch)}"
        return [self.map(folder, place) for place in range(len(self.samples))]

    @property
    def is_packed(self) -> bool:
        """Whether its label maps are in one file."""
        return (self.directory / MAPS).is_file()

    @property
    def maps(self) -> dict[str, np.ndarray]:
        """What that file holds (`packed_maps`)."""
        path = self.directory / MAPS
        try:
            return maps_of(path, path.stat().st_mtime_ns)
        except DAMAGED as error:
            raise SeglabError(
                "{file} cannot be read: {reason}", file=f"{self.directory.name}/{MAPS}", reason=error
            ) from None

    def packed(self, name: str, index: int) -> np.ndarray:
        """One of the label maps that stand one after the other in that file."""
        sizes = self.maps[f"{name}_sizes"].astype(int)
        if not 0 <= index < len(sizes):
            raise self.missing(f"{name}/{index:04}")
        ends = np.cumsum(sizes.prod(1))
        return self.maps[name][ends[index] - sizes[index].prod() : ends[index]].reshape(sizes[index])

    def shared_truth(self, index: int) -> np.ndarray:
        """The mask of a validation image, which several runs have in common."""
        file = self.directory.parent / SHARED / f"{description(self.directory)['digests']['val']}.npz"
        try:
            return arrays_of(file, file.stat().st_mtime_ns)[f"{index}"]
        except DAMAGED:
            raise self.missing(f"{SHARED}/{file.name}") from None

    def map(self, folder: str, index: int) -> np.ndarray:
        if self.is_packed:
            if folder == "truth":
                return self.shared_truth(index)
            if folder != "predictions":
                epoch = EPOCH.fullmatch(folder.rpartition("/")[2])
                if epoch is None:
                    raise self.missing(folder)
                found = self.sampled(float(epoch[1]))
                if not 0 <= index < len(found):
                    raise self.missing(f"{folder}/{index:04}")
                return found[index]
            return self.packed(folder, index)
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
        except DAMAGED as error:
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


def unknown_of(known: dict) -> tuple[int, ...] | None:
    """`Evidence.unknown` of the run with this description."""
    return None if known.get("unknown") is None else tuple(known["unknown"])


@lru_cache(maxsize=32)
def arrays_of(path: Path, changed: int) -> dict[str, np.ndarray]:
    """The arrays of a file, as it is since it has changed."""
    with np.load(path, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays}


@lru_cache(maxsize=32)
def maps_of(path: Path, changed: int) -> dict[str, np.ndarray]:
    """The same of label maps (`packed_maps`); raises ValueError or KeyError where they are not whole."""
    found = arrays_of(path, changed)
    for name in ("predictions", "samples"):
        sizes = found[f"{name}_sizes"]
        if sizes.shape != (len(sizes), 2) or found[name].shape != (sizes.astype(int).prod(1).sum(),):
            raise ValueError(f"{name} are not as large as they are said to be")
    if found["epochs"].ndim != 1:
        raise ValueError("epochs are not in a row")
    return found


def packed_maps(evidence: Evidence, most: int) -> bytes:
    """A run's label maps in one file: uint8 `predictions` of every validation image, one after the other, and `samples`
    of the few after each of `epochs`, at most so many and evenly spread, with the height and width of each in
    `predictions_sizes` and `samples_sizes`."""
    epochs = spread(evidence.epochs(), most)
    kinds = {
        "predictions": [evidence.labels(n) for n in range(len(evidence.names))],
        "samples": [each for epoch in epochs for each in evidence.sampled(epoch)],
    }
    arrays: dict[str, np.ndarray] = {"epochs": np.array(epochs)}
    for name, maps in kinds.items():
        arrays[name] = np.concatenate([each.ravel() for each in maps]) if maps else np.zeros(0, np.uint8)
        arrays[f"{name}_sizes"] = np.array([each.shape for each in maps], np.uint16).reshape(-1, 2)
    return packed(**arrays)


def packed(**arrays: np.ndarray) -> bytes:
    """Arrays as the content of a file."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)  # type: ignore[arg-type]  # none is named as its one option
    return buffer.getvalue()


def spread(values: Sequence[Value], most: int) -> list[Value]:
    """At most so many of the values, evenly spread, the first and the last among them."""
    if len(values) <= most:
        return list(values)
    return [values[round(n * (len(values) - 1) / (most - 1))] for n in range(most)]


def epoch_text(epoch: float) -> str:
    """How an evaluation's folder is named after `epoch_`: 003, or 002.50 for one within an epoch."""
    return f"{epoch:03.0f}" if epoch == int(epoch) else f"{epoch:06.2f}"
