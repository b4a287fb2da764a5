"""The files of a run from elsewhere, checked and written anew: with suspicion.

Only the files that a run has are looked at, each is read within bounds, and what becomes of it is written anew: the
configuration, what is known of the images, events, masks and arrays. The names and sizes of all tensors in the
weights are compared with the network's, which may not need much more memory than they have; nothing is ever executed.
"""

from __future__ import annotations

import io
import json
import math
import struct
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError
from torch.utils._python_dispatch import TorchDispatchMode

from seglab import zips
from seglab.config import RunConfig
from seglab.data.base import PARTS, VOID
from seglab.data.hub import Hub
from seglab.data.images import header, printable
from seglab.data.masks import read_mask, write_mask
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.events import Event, Started, best_of, to_line
from seglab.model import Segmenter
from seglab.runs.best import best_model
from seglab.runs.directory import write
from seglab.runs.evidence import packed
from seglab.runs.foreign import described, told
from seglab.runs.hashes import allowed, hashes_in, hashes_of_shipped, sha256
from seglab.runs.shipment import SHIPPED, Shipped
from seglab.runs.shipping import emptied, folder_options, refuse_adopted, without_folders

MOST_BYTES = 4 * 2**30  # of a run that is not a visitor's
LARGEST = {
    "config.json": 2**20, SHIPPED: 2**16, "dataset.json": 64 * 2**20, "events.jsonl": 64 * 2**20,
    "weights.safetensors": MOST_BYTES,
}  # fmt: skip
MOST_MEGAPIXELS = 1024  # of 2**20 pixels, of all maps together
KINDS = {"F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16, "I64": torch.int64, "BOOL": torch.bool}
MOST_HEADER = 16 * 2**20
SLACK = 64 * 2**20  # bytes that building any network may take for a while


@dataclass(frozen=True)
class Arrival:
    """The files of a run from elsewhere by their paths below it: how many bytes each has, and what reads them. `of` is
    what it came as."""

    of: str
    files: dict[str, tuple[int, Callable[[], Iterable[bytes]]]]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def content(self, name: str) -> bytes:
        if name not in self.files:
            raise SeglabError("{run} has no {file}: it is not a run that seglab shipped", run=self.of, file=name)
        size, read = self.files[name]
        if size > (most := LARGEST.get(name, zips.MOST_BYTES)):
            raise SeglabError("{file}: larger than {most} MB", file=name, most=most // 2**20)
        return b"".join(read())


def written(arrival: Arrival, target: Path, hub: str | None = None) -> list[SeglabError]:
    """Checks every file and writes it below `target`; gives what a person should know. `hub` is where it is on the
    hub."""
    settings, emptied = configuration(arrival.content("config.json"))
    refuse_adopted(settings, arrival.of)
    known = described(arrival.content("dataset.json"), "dataset.json")
    events = told(arrival.content("events.jsonl"), known, "events.jsonl")
    refuse_unannounced(arrival, events)
    anew = {
        "config.json": settings.model_dump_json(indent=1).encode(),
        "dataset.json": json.dumps(known, indent=1, ensure_ascii=False).encode(),
    }
    hashes = hashes_of_shipped(*anew.values())
    events = [event.model_copy(update={"files": hashes}) if isinstance(event, Started) else event for event in events]
    for name, content in (anew | {"events.jsonl": "".join(map(to_line, events)).encode()}).items():
        write(target / name, content)
    content = arrival.content("weights.safetensors")
    best = best_of(events)
    if best is None or best.weights_sha256 != sha256(content):
        raise SeglabError("the weights of {run} are damaged: their sha256 is not the one recorded", run=arrival.of)
    refuse_unfit(content, settings, len(known["classes"]), arrival.of)
    write(target / "weights.safetensors", content)
    pictures = write_maps(arrival, known, target)
    write_arrays(arrival, known, target)
    what = manifest(arrival)
    # Of a data set of the hub nobody knows before it is here, and until then it is looked for on the hub alone
    private = settings.data.private and (what.private or not isinstance(settings.data, Hub))
    what = what.model_copy(update={"brought": True, "hub": hub, "pictures": pictures, "private": private})
    write(target / SHIPPED, what.model_dump_json(indent=1, exclude_none=True).encode())
    refuse_unloadable(target)
    notes = []
    if emptied:
        notes.append(SeglabError("folders in its configuration were emptied: they are another machine's"))
    if not pictures:
        notes.append(SeglabError("it came without masks and predictions: its curves and scores can be compared"))
    return notes


def refuse_unannounced(arrival: Arrival, events: Sequence[Event]) -> None:
    """Raises SeglabError for a configuration or a description that is not what the run's events announce;
    those of older runs announce none."""
    known = hashes_in(events)
    for name in ("config.json", "dataset.json"):
        if not allowed(known, name, arrival.content(name)):
            raise SeglabError(
                "{file} is damaged or was changed after the run started: its sha256 is not the one recorded", file=name
            )


def configuration(content: bytes) -> tuple[RunConfig, bool]:
    """The configuration, every folder in it emptied before it is looked at, and whether there was one; raises
    SeglabError, which names an entry that is not known here."""
    try:
        given = json.loads(content)
        bare = without_folders(given, folder_options())
        return emptied(validated(RunConfig, bare)), bare != given
    except (ValueError, RecursionError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file="config.json", reason=error) from None
    except SeglabError as error:
        raise SeglabError(
            "the run cannot be used here: {reason}; if that is an entry of somebody's own, it has to be installed "
            "first",
            reason=error,
        ) from None


def manifest(arrival: Arrival) -> Shipped:
    """What it says of what was left out; of an older one, which says nothing, what is safe."""
    if SHIPPED not in arrival:
        return Shipped()
    try:
        return validated(Shipped, json.loads(arrival.content(SHIPPED)))
    except (ValueError, RecursionError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=SHIPPED, reason=error) from None


def refuse_unloadable(directory: Path) -> None:
    """Raises SeglabError for a run whose best model cannot be had."""
    try:
        best_model(directory)
    except SafetensorError as error:  # for what only its own reader refuses
        raise SeglabError("{file} cannot be read: {reason}", file="weights.safetensors", reason=error) from None


def refuse_unfit(content: bytes, settings: RunConfig, num_classes: int, of: str) -> None:
    """Raises SeglabError for weights that are not exactly those of the configuration's network.

    A network that needs far more memory than the weights is given up while it is built, before it has that.
    """
    tensors = layout(content)
    bytes_of = sum(4 * math.prod(shape) for shape, _ in tensors.values())
    try:
        with Allowance(2 * bytes_of + SLACK):
            expected = Segmenter(settings.model, num_classes, settings.image_size).state_dict()
    except Exception as error:  # of a library, for options that only it knows
        raise SeglabError.of(error) from None
    odd = sorted(tensors.keys() ^ expected.keys())
    odd += sorted(name for name in tensors.keys() & expected.keys() if not alike(expected[name], *tensors[name]))
    if odd:
        raise SeglabError(
            "the weights of {run} do not fit its model: {names}",
            run=of,
            names=printable(", ".join(odd[:3]))[:300],
        )


class Allowance(TorchDispatchMode):
    """Lets so many bytes of new tensors be made; raises SeglabError at the one that is too much, which has no memory
    yet, since nothing has been written to it."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.left = most

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor) and not any(isinstance(each, torch.Tensor) for each in args):
            self.left -= made.nbytes
            if self.left < 0:
                raise SeglabError("the network of its configuration is larger than its weights")
        return made


def alike(expected: torch.Tensor, shape: tuple[int, ...], kind: torch.dtype) -> bool:
    """Whether a tensor can take another one's place: its shape is the same, and its kind, but for how many bits."""
    same = kind == expected.dtype or (kind.is_floating_point and expected.is_floating_point())
    return same and shape == tuple(expected.shape)


def layout(content: bytes) -> dict[str, tuple[tuple[int, ...], torch.dtype]]:
    """The shapes and kinds of the tensors in a safetensors file, by name; raises SeglabError for one in which bytes are
    missing, shared or left over, or of a kind that no weights have."""
    wrong = SeglabError("{file}: is not a safetensors file of weights", file="weights.safetensors")
    try:
        (length,) = struct.unpack("<Q", content[:8])
        if not 2 <= length <= min(MOST_HEADER, len(content) - 8):
            raise wrong
        listed = json.loads(content[8 : 8 + length])
        listed.pop("__metadata__", None)
        spans, found = [], {}
        for name, tensor in listed.items():
            shape, (start, end) = tuple(map(int, tensor["shape"])), tensor["data_offsets"]
            if min(shape, default=0) < 0 or end - start != math.prod(shape) * KINDS[tensor["dtype"]].itemsize:
                raise wrong
            found[name] = shape, KINDS[tensor["dtype"]]
            spans.append((start, end))
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError, struct.error):
        raise wrong from None
    ends = [0, *(end for _, end in sorted(spans))]
    if [start for start, _ in sorted(spans)] != ends[:-1] or ends[-1] != len(content) - 8 - length:
        raise wrong
    return found


def write_maps(arrival: Arrival, known: dict[str, Any], target: Path) -> bool:
    """Writes the label maps anew, of every kind all or none; gives whether there are predictions."""
    count = len(known["images"]["val"])
    folders = sorted({name.rpartition("/")[0] for name in arrival.files if name.endswith(".png")})
    room = MOST_MEGAPIXELS * 2**20
    shapes: dict[str, list[tuple[int, ...]]] = {}
    for folder in folders:
        places = range(len(known["samples"]) if folder.startswith("samples/") else count)
        names = [f"{folder}/{place:04}.png" for place in places]
        present = sum(name.startswith(f"{folder}/") for name in arrival.files)
        if missing := [name for name in names if name not in arrival] or ([folder] if present != len(names) else []):
            raise SeglabError("{file}: its maps are not complete: {missing}", file=folder, missing=missing[0])
        shapes[folder] = write_folder(arrival, names, known, target / folder, room)
        room -= sum(map(math.prod, shapes[folder]))
    for folder, own in shapes.items():
        whole = shapes.get("truth", own)
        if own != (
            [whole[n] for n in known["samples"]] if folder.startswith("samples/") and whole is not own else whole
        ):
            raise SeglabError("{file}: its maps have other sizes than the truth", file=folder)
    return {"predictions", "truth"} <= shapes.keys()


def write_folder(
    arrival: Arrival, names: Sequence[str], known: dict[str, Any], target: Path, room: int
) -> list[tuple[int, ...]]:
    """Writes maps of one folder anew and gives their shapes; raises SeglabError for one that is no label map of so many
    classes, and for more than `room` pixels, which would take minutes to decode."""
    target.mkdir(parents=True)
    shapes, most = [], len(known["classes"])
    for name in names:
        content = arrival.content(name)
        room -= math.prod(header(content, name).shape[:2])
        if room < 0:
            raise SeglabError(
                "the maps of {run} have more than {most} megapixels in total", run=arrival.of, most=MOST_MEGAPIXELS
            )
        labels = read_mask(content, name)[0]
        if ((labels >= most) & (labels != VOID)).any():
            raise SeglabError("{file}: has classes that the run does not have", file=name)
        write_mask(target / PurePosixPath(name).name, labels, [tuple(color) for color in known["colors"]])
        shapes.append(labels.shape)
    return shapes


def write_arrays(arrival: Arrival, known: dict[str, Any], target: Path) -> None:
    """Writes the confusion matrices and the probabilities anew, as far as they are there."""
    num_classes, images = len(known["classes"]), known["images"]
    if (file := "evaluation.npz") in arrival:
        counts = {"train": None, "search": len(images["search"]), "val": len(images["val"])}
        found = arrays(arrival.content(file), file, PARTS, np.dtype(np.int64))
        for name, array in found.items():
            wanted = (counts[name] or len(array), num_classes, num_classes) if array.ndim == 3 else None
            if array.shape != wanted or array.min(initial=0) < 0 or array.max(initial=0) > 2**40:
                raise SeglabError("{file}: has no confusion matrix for each image: {name}", file=file, name=name)
        write(target / file, packed(**found))
    if (file := "probabilities.npz") in arrival:
        found = arrays(arrival.content(file), file, [str(n) for n in known["samples"]], np.dtype(np.float16))
        for name, array in found.items():
            if array.ndim != 3 or len(array) != num_classes or not np.isfinite(array).all():
                raise SeglabError("{file}: has no probabilities of each class: {name}", file=file, name=name)
        write(target / file, packed(**found))


def arrays(content: bytes, file: str, allowed: Sequence[str], kind: np.dtype) -> dict[str, np.ndarray]:
    """The arrays of an npz, each of one of these names and of this kind; raises SeglabError, before anything is made
    that is larger than the file."""
    found = {}
    with zips.opened(io.BytesIO(content), len(allowed) + 1) as (archive, entries):
        for name, entry in entries:
            stream = io.BytesIO(b"".join(zips.chunks(archive, entry, f"{file}: {name}")))
            title = name.removesuffix(".npy")
            try:
                plain = np.lib.format.read_magic(stream) == (1, 0) and title in allowed and name != title
                shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream)
            except Exception:  # its header is text that numpy evaluates as Python's literals, and fails in many ways
                plain = False
            rest = stream.read()
            if not plain or fortran or dtype != kind or len(shape) > 4 or math.prod(shape) * kind.itemsize != len(rest):
                raise SeglabError("{file}: holds what no run has: {name}", file=file, name=printable(name)[:100])
            found[title] = np.frombuffer(rest, kind).reshape(shape)
    return found
