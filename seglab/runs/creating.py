"""A new run: its directory, with its configuration and its label."""

from __future__ import annotations

import shutil
from pathlib import Path

from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.runs import own
from seglab.runs.directory import checked, home, made_now, refused, taken, write, writing
from seglab.runs.labels import FILE, Label, counting


def create(config: RunConfig, name: str | None = None, label: Label | None = None) -> Path:
    """Makes the directory of a new run, which is queued until something works on it; its short name is its own one, or
    its model's with a number."""
    if not config.model.trains:
        raise SeglabError("{network} is a network of others, which is not trained here", network=config.model.title)
    directory = home() / (f"{config.model.name}-{made_now()}" if name is None else checked(name))
    if taken(directory.name):
        raise refused(directory.name)
    content, entries = config.model_dump_json(indent=1).encode(), own.source_for(config)
    if label is None:
        with counting() as counts:
            label = counts.label(name or config.model.name, numbered=name is None)
    with writing(home()):
        home().mkdir(parents=True, exist_ok=True)
        try:
            directory.mkdir()
        except FileExistsError:
            raise refused(directory.name) from None
        try:
            if entries:
                own.trust(home(), entries)
                write(directory / own.FILE, entries)
            write(directory / FILE, label.model_dump_json().encode())
            write(directory / "config.json", content)
        except OSError:
            shutil.rmtree(directory, ignore_errors=True)  # the name is free again
            raise
    return directory
