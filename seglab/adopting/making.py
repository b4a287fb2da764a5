"""A network of others made into a finished run: its weights, and what it makes of the data's validation images."""

from __future__ import annotations

import json
import math
import platform
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.torch
import torch

from seglab import __version__, locks, metrics, prediction, runs
from seglab.adopting.mapping import Brought, brought
from seglab.adopting.sources import Network, network
from seglab.architectures._foreign import Foreign
from seglab.architectures.adopted import Adopted
from seglab.config import RunConfig
from seglab.data.base import PARTS, Data, spread
from seglab.data.masks import write_mask
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.evaluation import Evaluation
from seglab.events import Evaluated, Event, Finished, Sentence, Started
from seglab.families import Dataset
from seglab.model import Segmenter, Trained, placed
from seglab.runs.bringing import settled
from seglab.runs.evidence import packed
from seglab.runs.hashes import sha256
from seglab.training import SAMPLES

PACKAGES = {
    "transformers": ("torch", "transformers"),
    "smp": ("torch", "segmentation_models_pytorch"),
    "torchvision": ("torch", "torchvision"),
    "onnx": ("onnxruntime",),
}
USUAL_SIDE = 512  # pixels of the longer side at most, where the network does not say what it suits
SHORTEST = 32  # pixels, as RunConfig has it


@dataclass
class Adoption:
    """A network of others about to become a run on some data: `write` makes its `directory`."""

    network: Network
    data: Data
    classes: Brought
    config: RunConfig
    name: str | None = None
    directory: Path | None = None
    void: float = 0.0  # the share of pixels that it labeled so

    @cached_property
    def trained(self) -> Trained:
        """The network, ready to predict; it has done so once, so that its maps are known to be those of its classes."""
        model = Segmenter(self.config.model, len(self.data.classes), self.config.image_size)
        assert isinstance(model.net, Foreign)
        model.net.net.load_state_dict(self.network.weights)
        placed(model, "cpu").eval()
        unknown = self.entry.unknown(len(self.data.classes))
        found = Trained(Path(self.network.origin), self.config, self.data.classes, self.data.colors, model,
                        self.data.span, unknown)  # fmt: skip
        try:
            prediction.predict(found, np.zeros((64, 96, 3), np.uint8))
        except Exception as error:  # of a library's network, for what only it knows
            raise SeglabError(
                "{source} cannot label an image: {reason}", source=self.network.origin, reason=SeglabError.of(error)
            ) from None
        return found

    @property
    def entry(self) -> Adopted:
        assert isinstance(self.config.model, Adopted)
        return self.config.model

    def notes(self) -> list[SeglabError]:
        """What a person should know of the run that was written."""
        found = []
        if self.network.license:
            found.append(
                SeglabError(
                    "license of the weights of {source}: {license}",
                    source=self.network.origin,
                    license=self.network.license,
                )
            )
        if self.classes.unknown:
            found.append(
                SeglabError(
                    "scored on {count} of {all} classes; it does not know {unknown}",
                    count=len(self.data.classes) - len(self.classes.unknown),
                    all=len(self.data.classes),
                    unknown=", ".join(self.classes.unknown),
                )
            )
        if self.void:
            share = f"{100 * self.void:.1f} %"
            found.append(
                SeglabError("no class of the data in {share} of the pixels: they count as missed", share=share)
            )
        return found

    def write(self) -> Iterator[tuple[int, int]]:
        """Labels the validation images and writes the run; yields how many of how many are done. Nothing is kept where
        it ends early."""
        wanted = runs.checked(self.name) if self.name else None
        if wanted and runs.taken(wanted):
            raise runs.refused(wanted)
        arriving = runs.home() / ".arriving"
        runs.refuse_unwritable()
        with runs.writing(runs.home()):
            arriving.mkdir(parents=True, exist_ok=True, mode=0o700)
            locks.sweep(arriving)
            with locks.new_folder(arriving) as beside:
                yield from self.filled(beside)
                self.directory = settled(beside, wanted, title(self.network.origin))

    def filled(self, beside: Path) -> Iterator[tuple[int, int]]:
        """Writes the whole run to a folder."""
        state = self.trained.model.state_dict()
        weights = safetensors.torch.save({name: value.clone().contiguous() for name, value in state.items()})
        described = self.described()
        runs.write(beside / "config.json", self.config.model_dump_json(indent=1).encode())
        runs.write(beside / "dataset.json", described)
        runs.write(beside / "weights.safetensors", weights)
        samples, matrices, seconds = spread(len(self.data.val), SAMPLES), [], 0.0
        for folder in ("truth", "predictions", "samples/epoch_000"):
            (beside / folder).mkdir(parents=True)
        for n in range(len(self.data.val)):
            sample = self.data.val[n]
            began = time.monotonic()
            (labels,) = prediction.labeled(self.trained, sample, [()])
            seconds += time.monotonic() - began
            matrices.append(metrics.confusion(labels, sample.mask, len(self.data.classes), self.trained.unknown))
            write_mask(beside / f"truth/{n:04}.png", sample.mask, self.data.colors)
            write_mask(beside / f"predictions/{n:04}.png", labels, self.data.colors)
            if n in samples:
                write_mask(beside / f"samples/epoch_000/{samples.index(n):04}.png", labels, self.data.colors)
            yield n + 1, len(self.data.val)
        found = np.stack(matrices)
        self.void = metrics.void_share(found)
        runs.write(beside / "evaluation.npz", packed(val=found))
        for event in self.events(found, sha256(weights), sha256(described), seconds, beside):
            runs.append(beside, event)

    def described(self) -> bytes:
        """What dataset.json says."""
        parts = {part: getattr(self.data, part) for part in PARTS}
        content = {
            "classes": self.data.classes,
            "colors": self.data.colors,
            "digests": self.data.digests,
            "images": {part: split.names for part, split in parts.items()},
            "samples": spread(len(self.data.val), SAMPLES),
            "pictures": {part: [] if part == "train" else list(map(runs.picture, split.images))
                         for part, split in parts.items()},
            "learned": [],
            "span": self.data.span,
            "unknown": self.trained.unknown,
        }  # fmt: skip
        return json.dumps(content, indent=1, ensure_ascii=False).encode()

    def events(
        self, matrices: np.ndarray, weights: str, described: str, seconds: float, beside: Path
    ) -> Iterator[Event]:
        """What a run says that has ended as soon as it began."""
        score = Evaluation(matrices).score().model_copy(update={"loss": math.nan})
        yield Started(
            step=0,
            seconds=0.0,
            parameters=self.network.parameters,
            device="cpu",
            threads=torch.get_num_threads(),
            precision="float32",
            steps_per_epoch=1,
            total_steps=1,
            images={part: len(getattr(self.data, part)) for part in PARTS},
            dataset=self.data.digests,
            notes=[Sentence.of(note) for note in (*self.data.warnings, *self.notes())],
            files={"config.json": sha256((beside / "config.json").read_bytes()), "dataset.json": described},
            versions=versions(self.network.kind),
        )
        yield Evaluated(
            step=0,
            seconds=seconds,
            epoch=0.0,
            lr=0.0,
            images_per_second=len(matrices) / seconds,
            scores={"val": score},
            best=True,
            weights_sha256=weights,
        )
        yield Finished(
            step=0, seconds=seconds, reason="completed", parameters=self.network.parameters, val_miou=score.miou
        )


def prepared(
    source: str,
    data: Any,
    classes: Any = None,
    names: Any = None,
    image_size: int | None = None,
    name: str | None = None,
    mean: Any = None,
    std: Any = None,
) -> Adoption:
    """A network of others and the data that it is to label, with what becomes of its classes; nothing is computed yet.

    `source`, `names`, `mean` and `std` are as for `network`, `classes` is a table as for `brought`. Raises SeglabError.
    """
    opened = validated(Dataset, data)
    images = opened.open()
    found = network(source, names, mean, std)
    mapped = brought(found.classes, images.classes, classes)
    height, width = images.val[0].image.shape[:2]
    side = image_size or found.longer(height, width) or min(USUAL_SIDE, max(height, width))
    entry = validated(
        Adopted,
        {
            "kind": found.kind,
            "origin": found.origin,
            "revision": found.revision,
            "license": found.license,
            "settings": json.dumps(found.settings),
            "classes": found.classes,
            "table": mapped.table,
            "by_table": mapped.as_table() if classes is not None else "",
            "pixel_mean": found.mean,
            "pixel_std": found.std,
            "flipped": found.flipped,
            "size": found.size,
        },
    )
    config = validated(RunConfig, {"data": opened, "model": entry, "image_size": max(SHORTEST, side)})
    return Adoption(found, images, mapped, config, name)


def title(origin: str) -> str:
    """What a run is called that nobody has named: the last part of where its network comes from."""
    last = re.split(r"[/\\:]", origin.rstrip("/\\"))[-1]
    return last.partition("@")[0].removesuffix(".onnx")


def versions(kind: str) -> dict[str, str]:
    found = {"seglab": __version__, "python": platform.python_version()}
    for package in PACKAGES[kind]:
        try:
            found[package] = version(package)
        except PackageNotFoundError:  # a build of another name
            continue
    return found
