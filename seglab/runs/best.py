"""A run's best weights, checked, and the model that has them."""

from __future__ import annotations

import hashlib
from pathlib import Path

import safetensors.torch
import torch

from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.model import Segmenter, Trained, placed
from seglab.runs import kept
from seglab.runs.directory import all_events, config, description
from seglab.runs.evidence import unknown_of


def best_model(directory: Path, device: str = "cpu") -> Trained:
    """The run's best model; raises SeglabError when there is none yet or when it is damaged."""
    settings, dataset = config(directory), description(directory)
    state = weights(directory)
    model = Segmenter(settings.model, len(dataset["classes"]), settings.image_size)
    expected = model.state_dict()
    odd = [name for name in expected.keys() | state.keys() if name not in expected or name not in state]
    odd += [name for name in expected.keys() & state.keys() if expected[name].shape != state[name].shape]
    if odd:
        raise SeglabError(
            "the weights of {run} do not fit its model: {names}", run=directory.name, names=", ".join(odd[:3])
        )
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise SeglabError("the weights of {run} are damaged: some are not finite", run=directory.name)
    model.load_state_dict(state)
    placed(model, device).eval()
    colors = tuple(tuple(color) for color in dataset["colors"])
    span = dataset.get("span")  # older runs have none
    return Trained(
        directory, settings, tuple(dataset["classes"]), colors, model, span and (span[0], span[1]), unknown_of(dataset)
    )


def weights_version(directory: Path) -> tuple[int, ...]:
    """What tells the files of a run's weights apart that followed each other; nothing is read."""
    try:
        status = (directory / "weights.safetensors").stat()
    except FileNotFoundError:
        return ()
    return status.st_ino, status.st_mtime_ns, status.st_size


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """The best weights, checked against the sha256 that an event announced."""
    kept.fetch(directory)
    try:
        content = (directory / "weights.safetensors").read_bytes()
    except FileNotFoundError:
        raise SeglabError("{run} has no weights yet: it has not been evaluated so far", run=directory.name) from None
    announced = {event.weights_sha256 for event in all_events(directory) if isinstance(event, Evaluated)}
    if hashlib.sha256(content).hexdigest() not in announced:
        raise SeglabError("the weights of {run} are damaged: their sha256 is not the one recorded", run=directory.name)
    return safetensors.torch.load(content)
