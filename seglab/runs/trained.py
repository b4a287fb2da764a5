"""A run's best model: loaded, and shipped to others."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Collection
from pathlib import Path

import safetensors.torch
import torch

from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.model import Segmenter, Trained
from seglab.runs.directory import all_events, append, config, description, events, find, write


def settled(config: RunConfig, to_be: Collection[Path] = ()) -> RunConfig:
    """The configuration with the whole paths of the runs that it needs, but for those that are yet to be made.

    Raises SeglabError for one that is missing or has no weights.
    """

    def whole(run: Path) -> Path:
        if run in to_be:
            return run
        weights(found := find(run).resolve())
        return found

    return config.needing(whole)


def load(run: str | Path, device: str = "cpu") -> Trained:
    """The run's best model; raises SeglabError when there is none yet or when it is damaged."""
    directory = find(run)
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
    model.to(device, memory_format=torch.channels_last).eval()
    colors = tuple(tuple(color) for color in dataset["colors"])
    return Trained(directory, settings, tuple(dataset["classes"]), colors, model)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """The best weights, checked against the sha256 that an event announced."""
    try:
        content = (directory / "weights.safetensors").read_bytes()
    except FileNotFoundError:
        raise SeglabError("{run} has no weights yet: it was not evaluated so far", run=directory.name) from None
    announced = {event.weights_sha256 for event in all_events(directory) if isinstance(event, Evaluated)}
    if hashlib.sha256(content).hexdigest() not in announced:
        raise SeglabError("the weights of {run} are damaged: their sha256 is not the one recorded", run=directory.name)
    return safetensors.torch.load(content)


def ship(directory: Path, target: Path) -> None:
    """Copies a finished run to a new directory with its weights in float16, and without what only resuming needs."""
    state = {name: value.half() if value.is_floating_point() else value for name, value in weights(directory).items()}
    content = safetensors.torch.save(state)
    ignored = shutil.ignore_patterns("last*", "log.txt", ".*", "stop", "queued*", "weights.*", "events.jsonl")
    try:
        shutil.copytree(directory, target, ignore=ignored)
    except FileExistsError:
        raise SeglabError("{target} is there already", target=str(target)) from None
    write(target / "weights.safetensors", content)
    sha = hashlib.sha256(content).hexdigest()
    for event in events(directory):
        if isinstance(event, Evaluated) and event.best:
            event = event.model_copy(update={"weights_sha256": sha})
        append(target, event)
