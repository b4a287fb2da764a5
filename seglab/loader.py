"""Samples to batches: decoded once, changed by techniques, one batch ahead of the training step."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import torch
import torch.nn.functional as F

from seglab import machine
from seglab.data.base import UNLABELED, VOID, Batch, Data, Packed, Sample, Split, spread
from seglab.data.images import resize_image, resize_labels
from seglab.data.store import Held, Store, room
from seglab.data.survey import labels_in, lost
from seglab.errors import SeglabError
from seglab.families import DataHooks, RunConfig, Technique
from seglab.model import Trained

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from pathlib import Path

LOOKED = 128  # training masks that a run looks at before it begins: they are decoded then

T = TypeVar("T")


def random(*place: int | str) -> np.random.Generator:
    """A generator that depends on the place in a run alone: its seed first, then epoch, sample and purpose."""
    key = blake2b(repr(place).encode(), digest_size=16).digest()
    return np.random.Generator(np.random.Philox(key=int.from_bytes(key, "big")))


@dataclass(frozen=True)
class Kept:
    """A decoded sample whose arrays a store holds: the image, the mask and perhaps the instances, which are packed
    where `forms` tell their shapes and types."""

    held: Held
    forms: tuple[tuple[tuple[int, ...], np.dtype], ...]
    domain: str | None
    name: str


class Cached:
    """A split at a training size, each sample decoded and resized when first asked for and then kept in a store.

    With `keep_truth` only the images are resized, not their masks and instances, which are kept compressed; with
    `forget` no sample is kept. The masks of those at the places in `hidden` are UNLABELED everywhere, and they have no
    instances, until they are labeled anew. `looked` is how many masks `lost` looks at, if not LOOKED.
    """

    def __init__(
        self,
        split: Split,
        side: int,
        keep_truth: bool = False,
        forget: bool = False,
        hidden: frozenset[int] = frozenset(),
        store: Store | None = None,
        looked: int | None = None,
    ):
        self.split, self.side, self.keep_truth, self.hidden = split, side, keep_truth, hidden
        self.store = store or Store(0 if forget else room())
        self.forget = forget
        self.kept: dict[int, Kept] = {}
        self.shapes: dict[int, tuple[int, ...]] = {}  # of the masks of those that were decoded
        self.domains: dict[int, str | None] = {}
        self.looked = frozenset(spread(len(split), LOOKED if looked is None else looked))
        self.shown: dict[int, tuple[np.ndarray, np.ndarray]] = {}  # which labels a mask has, before and after
        self.labels: dict[int, Packed] = {}

    def __len__(self) -> int:
        return len(self.split)

    def __iter__(self) -> Iterator[Sample]:
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> Sample:
        sample = self.read(self.kept[index]) if index in self.kept else self.decoded(index)
        if index in self.labels:
            return replace(sample, mask=self.labels[index].labels(), instances=None)
        return sample

    def several(self, places: Sequence[int]) -> list[Sample]:
        """The samples at these places; several threads decode those that are not kept."""
        missing = {n for n in places if n not in self.kept}
        if len(missing) < 2:
            return [self[n] for n in places]
        with decoders() as pool:
            found = dict(zip(missing, pool.map(self.__getitem__, missing), strict=True))
        return [found[n] if n in found else self[n] for n in places]

    def decode(self, places: Iterable[int] | None = None) -> None:
        """Decodes those samples, or all, that were not decoded before."""
        missing = [n for n in (range(len(self)) if places is None else places) if n not in self.shapes]

        def decode(index: int) -> None:  # without giving it: the pool would hold all of them
            self.decoded(index)

        if missing:
            with decoders() as pool:
                list(pool.map(decode, missing))

    def decoded(self, index: int) -> Sample:
        """The sample from its source; kept from then on."""
        whole = self.split[index]
        sample = replace(whole, image=resize_image(whole.image, self.side))
        if not self.keep_truth:
            sample = truth_at(sample, self.side)
        if index in self.looked:
            self.shown[index] = labels_in(whole.mask), labels_in(sample.mask)
        if index in self.hidden:
            instances = None if sample.instances is None else np.zeros_like(sample.instances)
            sample = replace(sample, mask=np.full_like(sample.mask, UNLABELED), instances=instances)
        self.shapes[index], self.domains[index] = sample.mask.shape, sample.domain
        if not self.forget and index not in self.kept:
            self.keep(index, sample)
        return sample

    def keep(self, index: int, sample: Sample) -> None:
        truth = [sample.mask, *([] if sample.instances is None else [sample.instances])]
        forms = tuple((each.shape, each.dtype) for each in truth) if self.keep_truth else ()
        if forms:
            truth = [Packed.of(each).content for each in truth]
        if held := self.store.keep([sample.image, *truth]):
            self.kept[index] = Kept(held, forms, sample.domain, sample.name)

    def read(self, kept: Kept) -> Sample:
        image, *truth = self.store.arrays(kept.held)
        if kept.forms:
            truth = [Packed(content, *form).labels() for content, form in zip(truth, kept.forms, strict=True)]
        return Sample(image, truth[0], truth[1] if truth[1:] else None, kept.domain, kept.name)

    def shape(self, index: int) -> tuple[int, ...]:
        """The (height, width) of a mask."""
        self.decode([index])
        return self.shapes[index]

    def domain(self, index: int) -> str | None:
        self.decode([index])
        return self.domains[index]

    def lost(self, classes: Sequence[str]) -> list[SeglabError]:
        """A warning of the classes that most of the masks that show them lose when they are shrunk, as far as those
        tell that are looked at, evenly spread."""
        self.decode(n for n in sorted(self.looked) if n not in self.shown)
        before, after = np.zeros((2, VOID + 1), np.int64)
        for stored, small in self.shown.values():
            before += stored
            after += small
        return lost(before, after, classes, self.side)

    def relabel(self, index: int, labels: np.ndarray) -> None:
        """Gives a hidden sample these labels, uint8 (H, W) at its training size; which things they are nobody knows."""
        self.labels[index] = Packed.of(labels)


def decoders() -> ThreadPoolExecutor:
    """Threads that decode: that releases the interpreter's lock."""
    return machine.pool(min(4, machine.cores()), "decoder")


def at_side(sample: Sample, side: int) -> Sample:
    """The sample with `side` pixels on its longer side."""
    return replace(truth_at(sample, side), image=resize_image(sample.image, side))


def truth_at(sample: Sample, side: int) -> Sample:
    """The sample with `side` pixels on the longer side of its mask and its instances; its image stays."""
    instances = None if sample.instances is None else resize_labels(sample.instances, side)
    return replace(sample, mask=resize_labels(sample.mask, side), instances=instances)


def hidden_by(config: RunConfig, count: int) -> frozenset[int]:
    """The places of those among `count` training images whose masks a run with this configuration does not see."""
    return frozenset().union(*(technique.hidden(count, config.seed) for technique in config.techniques))


def in_order(techniques: Iterable[Technique]) -> list[Technique]:
    """The techniques in the order in which their hooks work."""
    return sorted(techniques, key=lambda technique: technique.comes_last)


def learned_from(config: RunConfig, data: Data, forget: bool = False, store: Store | None = None) -> Cached:
    """The training samples as a run with this configuration sees them."""
    hidden = hidden_by(config, len(data.train))
    return Cached(data.train, config.image_size, forget=forget, hidden=hidden, store=store)


class Feed:
    """What a run learns from: its training samples in each epoch's order, and in batches as its techniques make them.

    What it gives depends on the seed, the epoch and the places asked for alone. A place is that of a sample among the n
    of `train`; where an epoch shows a sample again, its second place is n further on, its third another n.

    `load` gives the best model of a run that this one needs, by its folder; `train` are the training samples, where
    some are decoded already.
    """

    def __init__(
        self,
        config: RunConfig,
        data: Data,
        forget: bool = False,
        load: Callable[[Path], Trained] | None = None,
        train: Cached | None = None,
    ):
        self.config, self.data, self.load = config, data, load
        self.train = train or learned_from(config, data, forget)
        self.data_hooks: dict[str, DataHooks] = {}

    def start(self, techniques: Iterable[Technique]) -> None:
        """Lets techniques change the data from here on."""
        found = {technique.name: technique.data_hooks(self) for technique in in_order(techniques)}
        self.data_hooks = {name: hooks for name, hooks in found.items() if hooks}

    def order(self, epoch: int) -> list[int]:
        """The places of an epoch's samples, as many as there are samples."""
        order = random(self.config.seed, epoch, "order").permutation(len(self.train)).tolist()
        for name, hooks in self.data_hooks.items():
            order = hooks.on_order(epoch, order, random(self.config.seed, epoch, name, "order"))
        shown: Counter[int] = Counter()
        places = []
        for n in order:
            places.append(n + len(self.train) * shown[n])
            shown[n] += 1
        return places

    def batch(self, epoch: int, places: list[int]) -> Batch:
        """The samples at these places as the techniques make them in this epoch.

        Where some are hidden, the target "unlabeled" is 1 where their images are, and their masks are void.
        """
        side, strength = self.config.image_size, 1.0
        for hooks in self.data_hooks.values():
            side, strength = hooks.side(epoch, side), strength * hooks.strength(epoch)

        def spared(*place: int | str) -> bool:
            return strength < 1 and random(self.config.seed, epoch, *place, "strength").random() >= strength

        index = [place % len(self.train) for place in places]
        samples = self.train.several(index)
        if side != self.config.image_size:
            samples = [at_side(sample, side) for sample in samples]
        for name, hooks in self.data_hooks.items():
            samples = [
                sample if spared(place, name) else hooks.on_sample(sample, random(self.config.seed, epoch, place, name))
                for sample, place in zip(samples, places, strict=True)
            ]
        for name, hooks in self.data_hooks.items():
            if not spared(places[0], name, "batch"):
                samples = hooks.on_samples(samples, random(self.config.seed, epoch, places[0], name, "batch"))
        batch = collated([self.shown(sample) for sample in samples], index, self.targets)
        if self.train.hidden:
            unlabeled = stacked([sample.mask == UNLABELED for sample in samples], False)
            batch.targets["unlabeled"] = torch.from_numpy(unlabeled).unsqueeze(1).float()
        for name, hooks in self.data_hooks.items():
            if not spared(places[0], name, "batch"):
                batch = hooks.on_batch(batch, random(self.config.seed, epoch, places[0], name, "batch"))
        return batch

    def shown(self, sample: Sample) -> Sample:
        """The sample as losses may see it: void where its label is hidden."""
        if not self.train.hidden:
            return sample
        return replace(sample, mask=np.where(sample.mask == UNLABELED, np.uint8(VOID), sample.mask))

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        """What the objective needs of a sample besides its mask."""
        return self.config.model.targets(sample) | self.config.loss.targets(sample)


def batches(order: Sequence[int], batch_size: int) -> list[list[int]]:
    """The order cut into batches; never one of a single sample, which batch norm could not learn from.

    A last batch of one joins the one before it.
    """
    chunks = [list(order[start : start + batch_size]) for start in range(0, len(order), batch_size)]
    if len(chunks) > 1 and len(chunks[-1]) == 1 and batch_size > 1:
        lone = chunks.pop()
        chunks[-1] += lone
    return chunks


def collated(
    samples: Sequence[Sample], index: Sequence[int], targets: Callable[[Sample], dict[str, np.ndarray]] = lambda _: {}
) -> Batch:
    """Samples as one batch, with their targets; smaller ones are padded at the right and below, masks with void."""
    made = [targets(sample) for sample in samples]
    images = stacked([sample.image for sample in samples], 0)
    masks = stacked([sample.mask for sample in samples], VOID)
    return Batch(
        images=torch.from_numpy(images).permute(0, 3, 1, 2).float().div_(255),
        masks=torch.from_numpy(masks).long(),
        index=torch.tensor(index),
        targets={
            name: torch.from_numpy(stacked([each[name] for each in made], 0)).permute(0, 3, 1, 2) for name in made[0]
        },
    )


def padded(batch: Batch, height: int, width: int) -> Batch:
    """The batch at a size that is at least its own: padded as smaller samples are."""
    below, right = height - batch.masks.shape[1], width - batch.masks.shape[2]
    if not (below or right):
        return batch
    return Batch(
        images=F.pad(batch.images, (0, right, 0, below)),
        masks=F.pad(batch.masks, (0, right, 0, below), value=VOID),
        index=batch.index,
        targets={name: F.pad(target, (0, right, 0, below)) for name, target in batch.targets.items()},
    )


def separated(batch: Batch) -> list[Sample]:
    """The images and masks of a batch, each as a sample of the batch's size."""
    images = batch.images.mul(255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
    masks = batch.masks.to(torch.uint8).numpy()
    return [Sample(image, mask) for image, mask in zip(images, masks, strict=True)]


def stacked(arrays: Sequence[np.ndarray], fill: int) -> np.ndarray:
    """Arrays (H, W, ...) as one (B, H, W, ...), each axis as long as the longest."""
    lengths = [max(sizes) for sizes in zip(*(array.shape for array in arrays), strict=True)]
    whole = np.full((len(arrays), *lengths), fill, arrays[0].dtype)
    for n, array in enumerate(arrays):
        corner: tuple[int | slice, ...] = (n, *map(slice, array.shape))
        whole[corner] = array
    return whole


def ahead(make: Callable[[T], Batch], places: Sequence[T]) -> Generator[Batch]:
    """`make` of each place in turn, one batch ahead of the consumer, in a thread."""
    with machine.pool(1, "loader") as pool:
        rest = iter(places)
        waiting = [pool.submit(make, place) for place in islice(rest, 2)]
        while waiting:
            batch = waiting.pop(0).result()
            waiting += [pool.submit(make, place) for place in islice(rest, 1)]
            yield batch
