"""The command that makes the same run again."""

from __future__ import annotations

import shlex
from typing import Any

from seglab.adopting.names import KNOWN
from seglab.architectures.adopted import Adopted
from seglab.config import RunConfig, configured, text_of
from seglab.entry import Entry, Options
from seglab.errors import SeglabError
from seglab.losses.combined import Sum

CONFIG = "config.json"


def command(config: RunConfig) -> str:
    """The `seglab train` command of a configuration, its options as they are typed; where they cannot be, as for two
    losses of one name, the one that reads config.json. Of a network of others, the `seglab adopt` command."""
    plain, dotted = words(config)
    if isinstance(config.model, Adopted):
        return adopting(config, config.model, plain, dotted)
    try:
        same = configured(plain, dotted) == config
    except SeglabError:
        same = False
    given = {**plain, **dotted} if same else {"config": CONFIG}
    return shlex.join(["seglab", "train", *(word for name, value in given.items() for word in (f"--{name}", value))])


def adopting(config: RunConfig, model: Adopted, plain: dict[str, str], dotted: dict[str, str]) -> str:
    """The command that makes a run of a network of others; it has the revision, where that is a commit, and all that a
    person may have had to say of a network that does not say it."""
    commit = f"@{model.revision}" if model.origin.startswith("hf:") and model.revision else ""
    given = {"data": plain.get("data", "streets"), "image-size": str(config.image_size)}
    given |= {name: value for name, value in dotted.items() if name.startswith("data.")}
    given |= {"classes": model.by_table} if model.by_table else {}
    known = [name for name, names in KNOWN.items() if names == model.classes]
    given |= {"names": known[0]} if known else {}
    given |= {"mean": typed(model.pixel_mean), "std": typed(model.pixel_std)}
    options = (word for name, value in given.items() for word in (f"--{name}", value))
    return shlex.join(["seglab", "adopt", f"{model.origin}{commit}", *options])


def words(config: RunConfig) -> tuple[dict[str, str], dict[str, str]]:
    """What is typed for the fields that are not at their defaults, and for the options of their entries."""
    default = RunConfig()
    plain: dict[str, str] = {}
    dotted: dict[str, str] = {}
    for field in RunConfig.model_fields:
        value = getattr(config, field)
        if value == getattr(default, field):
            continue
        if isinstance(value, Options) and not isinstance(value, Entry):  # the fold
            dotted |= {f"{field}.{name}": typed(each) for name, each in value}
            continue
        plain[field] = text_of(value)
        parts = [part.loss for part in value.parts] if isinstance(value, Sum) else []
        for entry in value if isinstance(value, tuple) else parts or [value]:
            if isinstance(entry, Entry):
                inner = f"{field}.{entry.name}" if parts or isinstance(value, tuple) else field
                dotted |= {f"{inner}.{name}": typed(each) for name, each in changed(entry)}
    return plain, dotted


def changed(entry: Entry) -> list[tuple[str, Any]]:
    """The options of an entry that are not at their defaults."""
    fields = type(entry).model_fields.items()
    return [(name, getattr(entry, name)) for name, field in fields if getattr(entry, name) != field.default]


def typed(value: Any) -> str:
    """A value as it is typed on the command line."""
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(map(typed, value)) if isinstance(value, tuple | list) else text_of(value)
