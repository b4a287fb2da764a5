"""What data sources give: samples, the three splits they come in, and batches."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Protocol

import numpy as np

from seglab import machine
from seglab.errors import SeglabError

if TYPE_CHECKING:
    import torch
    from torch import Tensor

VOID = 255  # the label of pixels that count for nothing
UNLABELED = 254  # of pixels whose label a run must not see, until they are in a batch; void there
PARTS = ("train", "search", "val")  # the splits, by name


@dataclass(frozen=True)
class Sample:
    """One image with its truth: image uint8 (H, W, 3), mask uint8 (H, W) of class ids with 255 = void,
    instances int32 (H, W) with 0 = none."""

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray | None = None
    domain: str | None = None
    name: str = ""


def photograph(image: np.ndarray, name: str = "") -> Sample:
    """An image uint8 (H, W, 3) whose truth is not known, as a sample: its mask is blank, all of it the first class."""
    return Sample(image, np.zeros(image.shape[:2], np.uint8), name=name)


@dataclass(frozen=True)
class Split:
    """Named samples that are loaded when asked for; `keys` say what each holds, equal for equal images and masks.

    `images` tell the photographs apart, whatever they are called: the first 32 bytes of their keys, where a source does
    not say better. `domain` says by its name what a sample's is, where a source has domains.
    """

    names: tuple[str, ...]
    keys: tuple[bytes, ...]
    load: Callable[[str], Sample]
    images: tuple[bytes, ...] = ()
    domain: Callable[[str], str | None] | None = None

    def __post_init__(self) -> None:
        if not self.images:
            object.__setattr__(self, "images", tuple(key[:32] for key in self.keys))

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: int) -> Sample:
        return self.load(self.names[index])

    def take(self, indices: Sequence[int]) -> Split:
        """The samples at these places, in this order."""
        return replace(
            self,
            names=tuple(self.names[i] for i in indices),
            keys=tuple(self.keys[i] for i in indices),
            images=tuple(self.images[i] for i in indices),
        )

    @property
    def digest(self) -> str:
        """sha256 in hexadecimal; two splits with the same digest hold the same images and masks, in the same order."""
        sha = hashlib.sha256()
        for part in (*(name.encode() for name in self.names), *self.keys):
            sha.update(len(part).to_bytes(8, "big") + part)
        return sha.hexdigest()


@dataclass(frozen=True)
class Data:
    """An opened data source.

    `train` is learned from, `search` chooses (the best epoch, CRF parameters), `val` is reported. `colors` are RGB;
    `found` says how the source's files were found and read, `notes` are what it warns of, `warnings` those and what the
    splits have in common. `span` are the stored values that are shown as black and white, where photographs have more
    than 8 bits.
    """

    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    train: Split
    search: Split
    val: Split
    notes: tuple[SeglabError, ...] = ()
    found: tuple[SeglabError, ...] = ()
    span: tuple[int, int] | None = None

    @property
    def warnings(self) -> tuple[SeglabError, ...]:
        """What a person should know before training."""
        held = shared(self.train, [self.search, self.val])
        return (*self.notes, *leaked(held), *reused(shared(self.search, [self.val])))

    @property
    def digests(self) -> dict[str, str]:
        """Each split's digest, by name."""
        return {"train": self.train.digest, "search": self.search.digest, "val": self.val.digest}

    @classmethod
    def halved(cls, *, val: Split, train: Split, **rest) -> Data:
        """Splits validation in two: the first half searches, the second reports.

        The halves are contiguous, so that neighboring frames of a video stay together; a single image serves as both.
        """
        if len(train) < 2 or len(val) < 1:
            raise SeglabError(
                "{train} training and {val} validation images were found; at least 2 and 1 are needed",
                train=len(train),
                val=len(val),
            )
        middle = max(1, len(val) // 2)
        return cls(
            train=train, search=val.take(range(middle)), val=val.take(range(middle % len(val), len(val))), **rest
        )


def shared(first: Split, others: Sequence[Split]) -> list[str]:
    """The images of the others that are in the first too, by what they show: what each is called there and here."""
    known = dict(zip(reversed(first.images), reversed(first.names), strict=True))  # of equal ones the first
    each = {image: name for split in others for image, name in zip(split.images, split.names, strict=True)}
    return [
        name if name == known[image] else f"{known[image]} = {name}" for image, name in each.items() if image in known
    ]


def leaked(names: Sequence[str]) -> list[SeglabError]:
    """A warning of images that are learned from and validated on."""
    if not names:
        return []
    return [
        SeglabError(
            "images in both training and validation: {count}, such as {first}; scores will be too high",
            count=len(names),
            first=names[0],
        )
    ]


def reused(names: Sequence[str]) -> list[SeglabError]:
    """A warning of images that choose the best epoch and are reported."""
    if not names:
        return []
    return [
        SeglabError(
            "validation images that choose the best epoch and are reported too: {count}, such as {first}; the reported "
            "score is too high",
            count=len(names),
            first=names[0],
        )
    ]


@dataclass(frozen=True)
class Packed:
    """Labels (H, W) of an integer type, compressed: a mask of a large photograph takes a hundredth of its size.
    `content` is uint8 (N,)."""

    content: np.ndarray
    shape: tuple[int, ...]
    dtype: np.dtype

    @classmethod
    def of(cls, labels: np.ndarray) -> Packed:
        content = zlib.compress(np.ascontiguousarray(labels).data, 1)
        return cls(np.frombuffer(content, np.uint8), labels.shape, labels.dtype)

    def labels(self) -> np.ndarray:
        """The labels, read-only."""
        return np.frombuffer(zlib.decompress(self.content.data), self.dtype).reshape(self.shape)


class Indexed(Protocol):
    """Samples that one asks for by their places."""

    def __len__(self) -> int: ...

    def __getitem__(self, index: int, /) -> Sample: ...


def label_counts(samples: Indexed, num_classes: int) -> np.ndarray:
    """int64 (N, K): how many pixels of each class every sample has."""

    def counted(n: int) -> np.ndarray:
        return np.bincount(samples[n].mask.ravel(), minlength=VOID + 1)[:num_classes]

    with machine.pool(min(4, machine.cores()), "decoder") as pool:
        return np.stack(list(pool.map(counted, range(len(samples)))))


class Statistics:
    """How often each class occurs in some samples, counted when it is first asked for."""

    def __init__(self, samples: Indexed, num_classes: int):
        self.samples, self.num_classes = samples, num_classes

    @cached_property
    def counts(self) -> np.ndarray:
        """int64 (N, K): the pixels of each class in each sample."""
        return label_counts(self.samples, self.num_classes)

    @property
    def pixels(self) -> np.ndarray:
        """int64 (K,): the pixels of each class."""
        return self.counts.sum(0)

    @property
    def pixels_around(self) -> np.ndarray:
        """int64 (K,): the labeled pixels of the samples that have the class."""
        return ((self.counts > 0) * self.counts.sum(1, keepdims=True)).sum(0)


def spread(count: int, most: int) -> list[int]:
    """At most `most` places of `count`, evenly spread."""
    shown = min(count, most)
    return [n * count // shown for n in range(shown)]


@dataclass
class Batch:
    """images float32 (B, 3, H, W) in [0, 1]; masks int64 (B, H, W), 255 = void; targets: what else the loss needs, by
    name; index: the samples' places in their split."""

    images: Tensor
    masks: Tensor
    index: Tensor
    targets: dict[str, Tensor] = field(default_factory=dict)

    def take(self, places: Sequence[int] | Tensor) -> Batch:
        """The samples at these places of the batch, in this order."""
        targets = {name: target[places] for name, target in self.targets.items()}
        return Batch(self.images[places], self.masks[places], self.index[places], targets)

    def to(self, device: torch.device) -> Batch:
        """The batch on a device; from pinned memory the copy does not wait."""

        def moved(tensor: Tensor) -> Tensor:
            return tensor.to(device, non_blocking=True)

        targets = {name: moved(target) for name, target in self.targets.items()}
        return Batch(moved(self.images), moved(self.masks), moved(self.index), targets)
