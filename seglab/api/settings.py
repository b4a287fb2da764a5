"""Keywords to a configuration: what Python users write for a run's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from pydantic import BaseModel

from seglab.config import RunConfig, configured
from seglab.entry import Entry, refusal_of, shown, spelled
from seglab.errors import SeglabError


class Configured(Protocol):
    """What has a configuration, as a run."""

    @property
    def config(self) -> RunConfig: ...


Settings = RunConfig | Mapping[str, Any] | Configured | None


def configure(config: Settings = None, /, **options: Any) -> RunConfig:
    """The configuration of a run: the fields of `config`, or the defaults, with the options changed.

    An option is a field of a run (`model="unet"`, `loss="cross_entropy + 0.5*dice"`, `techniques="flip,color"`,
    `epochs=3`) or, with two underscores, an option of an entry in it (`model__width=8`, `loss__dice__smooth=1`).
    Entries may be names, text, dicts with a name, or objects. `preset="quick"` gives what is not given otherwise.
    Raises SeglabError for what is not known or not allowed.
    """
    given, dotted = parted(options)
    if config is not None and "preset" in given:
        raise SeglabError("give a configuration or preset={preset}, not both", preset=shown(given["preset"]))
    return configured(fields_of(config) | {field: listed(field, value) for field, value in given.items()}, dotted)


def fields_of(config: Settings) -> dict[str, Any]:
    """The fields of a configuration, or of a run that has one."""
    config = getattr(config, "config", config)
    if isinstance(config, BaseModel | Mapping):
        return dict(config)
    if config is None:
        return {}
    raise SeglabError(
        "{given} was given as the configuration; give options by their names, as in model='unet', or a RunConfig",
        given=shown(config),
    )


def parted(options: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The fields among the options, and by dots those of entries. Raises SeglabError for what is no field of a run."""
    fields: dict[str, Any] = {}
    dotted: dict[str, Any] = {}
    known = (*RunConfig.model_fields, "preset")
    for name, value in options.items():
        option = name.replace("__", ".")
        field = spelled(option.split(".")[0], known)
        if field not in known:
            near = RunConfig.elsewhere(name, options)
            raise refusal_of("option", name, known, name, near and near.replace(".", "__"), owner="seglab")
        if "." in option:
            dotted[option] = value
        else:
            fields[field] = value
    return fields, dotted


def listed(field: str, value: Any) -> Any:
    """One technique as a list of one."""
    one = isinstance(value, Entry | Mapping) or (isinstance(value, type) and issubclass(value, Entry))
    return [value] if field == "techniques" and one else value
