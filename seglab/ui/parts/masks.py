"""Masks of the same few validation images, as every run labeled them after each epoch: their addresses and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from seglab import draw, runs
from seglab.errors import SeglabError
from seglab.runs import Evidence
from seglab.ui.text import say
from seglab.ui.views import hexadecimal, webp

KINDS = ("image", "truth", "prediction", "mask")  # of a sample image, the last one after so many epochs
WHOLE = ("photo", "true", "labels")  # of any validation image: itself, its truth, what the best weights make of it


def strip(directories: Sequence[Path], lang: str) -> dict[str, Any]:
    """For each set of validation images: their addresses, those of their truth, the classes with their colors, and the
    runs that were scored on them, with the epochs after which masks were kept."""
    sets: dict[str, dict[str, Any]] = {}
    for directory in directories:
        try:
            known, evidence = runs.description(directory), Evidence(directory)
            reached, classes = evidence.epochs(), entries(known)
            digest, count = str(known["digests"]["val"])[:12], range(len(evidence.samples))
        except (SeglabError, OSError, KeyError, TypeError):  # not begun, or damaged: the others are shown
            continue
        if not reached and not evidence.stayed:
            continue
        found = sets.setdefault(digest, {"classes": classes, "runs": [], "images": [], "truth": []})
        if not found["truth"] and not evidence.stayed:
            found["images"] = [address(directory, "image", n, v=digest) for n in count] if sees(directory) else []
            found["truth"] = [address(directory, "truth", n, v=digest) for n in count]
        size = (directory / "events.jsonl").stat().st_size if (directory / "events.jsonl").exists() else 0
        found["runs"].append(
            {
                "run": directory.name,
                "epochs": reached,
                "base": address(directory, "mask", 0).replace("/0.webp", "/"),
                "v": size,
                "note": say("came without masks", lang) if evidence.stayed else "",
            }
        )
    return {"sets": list(sets.values())}


def address(directory: Path, kind: str, index: int, **query: Any) -> str:
    """Where a picture is, below the page's own address."""
    asked = "&".join(f"{name}={quote(str(value))}" for name, value in query.items())
    return f"seglab/picture/{quote(directory.name)}/{kind}/{index}.webp" + (f"?{asked}" if asked else "")


def entries(known: dict[str, Any]) -> list[list[str]]:
    """The classes' colors and names."""
    return [[hexadecimal(color), name] for color, name in zip(known["colors"], known["classes"], strict=True)]


@lru_cache(maxsize=256)
def sees(directory: Path) -> bool:
    """Whether the images of a run's data are on this machine."""
    try:
        return bool(runs.opened_once(directory).val)
    except SeglabError:
        return False


def picture(directory: Path, kind: str, index: int, epoch: str | None = None) -> bytes:
    """One of the pictures, as WebP."""
    if kind in WHOLE:
        return whole(directory, str(runs.description(directory)["digests"]["val"]), kind, index)
    if kind not in KINDS:
        known = ", ".join([*KINDS, *WHOLE])
        raise SeglabError("there is no picture {kind}; there are: {known}", kind=repr(kind), known=known)
    evidence = Evidence(directory)
    if not 0 <= index < len(evidence.samples):
        raise SeglabError("{run} has no sample image {index}", run=directory.name, index=index)
    if kind != "mask":
        version = str(runs.description(directory)["digests"]["val"])
        if kind == "prediction":
            version += repr(runs.weights_version(directory))
        return original(directory, version, kind, index)
    try:
        wanted = evidence.latest(None if epoch is None else float(epoch))
    except ValueError:
        wanted = None
    if wanted is None:
        raise SeglabError("{run} has no masks after epoch {epoch}", run=directory.name, epoch=repr(epoch))
    labels = evidence.map(f"samples/epoch_{runs.epoch_text(wanted)}", index)
    return webp(draw.painted(labels, runs.description(directory)["colors"]), exact=True)


def whole(directory: Path, version: str, kind: str, index: int) -> bytes:
    """A picture of a validation image, as it is for this `version` of the data."""
    evidence = Evidence(directory)
    if not 0 <= index < len(evidence.names):
        raise SeglabError("{run} has no validation image {index}", run=directory.name, index=index)
    if kind == "photo":
        return photo(directory, version, index)
    labels = evidence.truth(index) if kind == "true" else evidence.labels(index)
    return webp(draw.painted(labels, runs.description(directory)["colors"]), exact=True)


@lru_cache(maxsize=256)
def photo(directory: Path, version: str, index: int) -> bytes:
    """A validation image, as it is for this `version` of the data."""
    return webp(runs.opened_once(directory).val[index].image)


@lru_cache(maxsize=128)
def original(directory: Path, version: str, kind: str, index: int) -> bytes:
    """A sample image, its truth or what the best weights make of it, as they are for this `version`."""
    evidence, known = Evidence(directory), runs.description(directory)
    if kind != "image":
        labels = evidence.truth if kind == "truth" else evidence.labels
        return webp(draw.painted(labels(evidence.samples[index]), known["colors"]), exact=True)
    return webp(runs.opened_once(directory).val[evidence.samples[index]].image)
