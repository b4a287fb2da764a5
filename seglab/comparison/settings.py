"""What differs between the configurations of several runs."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from seglab.config import RunConfig


def flat(value: Any, place: str = "") -> dict[str, Any]:
    """Nested dicts as {"loss.gamma": 2.0}; an entry's name stands at the entry's own place, lists by number or name."""
    if isinstance(value, dict):
        found: dict[str, Any] = {}
        for key, inner in value.items():
            found |= flat(inner, place if key == "name" else f"{place}.{key}" if place else key)
        return found
    if isinstance(value, list | tuple):
        names = [inner["name"] if isinstance(inner, dict) and "name" in inner else n for n, inner in enumerate(value)]
        named = bool(names) and isinstance(names[0], str)
        found = {place: ", ".join(map(str, names))} if named else {}  # their order matters too
        for name, inner in zip(names, value, strict=True):
            found |= flat(inner, f"{place}.{name}")
        return found
    return {place: value}


def chosen(config: RunConfig) -> dict[str, Any]:
    """What a person chose of a run, as data: all of it, or, of a network that was not trained here, where it comes from
    and the size of the images that it is shown."""
    if config.model.trains:
        return config.model_dump()
    return {"model": {"name": config.model.title}, "image_size": config.image_size}


def differing(configs: Sequence[dict[str, Any]]) -> dict[str, list[Any]]:
    """The options that differ, each with its value in every configuration; None where one has no such option.

    Where different entries are picked, an option that only some of them have is no difference of its own; nor is a
    field that some configurations lack altogether.
    """
    flats = [flat(config) for config in configs]
    options = list(dict.fromkeys(option for config in flats for option in config))
    table = {option: [config.get(option) for config in flats] for option in options}

    def among(option: str, these: Sequence[Any]) -> list[Any]:
        return [each for each, config in zip(these, configs, strict=True) if option.partition(".")[0] in config]

    def differs(option: str) -> bool:
        return any(one != other for one, other in pairwise(among(option, table[option])))

    apart = {option: values for option, values in table.items() if differs(option)}

    def own(option: str) -> bool:
        return option.rpartition(".")[0] not in apart or all(option in config for config in among(option, flats))

    return {option: values for option, values in apart.items() if own(option)}


def short(option: str) -> str:
    """`lr` for optimizer.lr, `fold` for fold.index."""
    return option.removesuffix(".index").rpartition(".")[2]
