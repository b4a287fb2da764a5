"""Entries from elsewhere: files and modules that SEGLAB_PLUGINS names, and installed packages with entry points."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from collections.abc import Callable
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any

from seglab.entry import FAMILIES, Entry
from seglab.errors import SeglabError

GROUP, VARIABLE = "seglab.entries", "SEGLAB_PLUGINS"
PROBLEMS: list[SeglabError] = []  # one for each plug-in that could not be used


def load() -> None:
    """Imports every plug-in, so that its entries are registered; one that is broken is told in PROBLEMS."""
    for point in entry_points(group=GROUP):
        attempt(f"{point.dist.name if point.dist else GROUP} ({point.value})", point.load)
    for name in named():
        attempt(name, lambda name=name: module_at(Path(name)) if is_file(name) else importlib.import_module(name))  # type: ignore[misc]


def named() -> list[str]:
    """The files and modules in SEGLAB_PLUGINS."""
    return [name.strip() for name in os.environ.get(VARIABLE, "").split(",") if name.strip()]


def is_file(name: str) -> bool:
    return name.endswith(".py") or os.sep in name


def environment() -> dict[str, str]:
    """What another process of this machine, begun in another folder, needs to find the same plug-ins."""
    names = [os.path.abspath(os.path.expanduser(name)) if is_file(name) else name for name in named()]
    return {VARIABLE: ",".join(names), "PYTHONPATH": os.pathsep.join(map(os.path.abspath, sys.path))} if names else {}


def attempt(plugin: str, action: Callable[[], Any]) -> None:
    """Does what registers a plug-in's entries; nothing is left of one that fails."""
    before = {base: dict(base.entries) for base in FAMILIES.values()}
    try:
        action()
        for base, entries in before.items():
            for name in base.entries.keys() - entries.keys():
                refuse_unfit(base.entries[name])
    except (Exception, SystemExit) as error:
        for base, entries in before.items():
            base.entries.clear()
            base.entries.update(entries)
        reason = str(error) if isinstance(error, SeglabError) else f"{type(error).__name__}: {error}"
        PROBLEMS.append(SeglabError("the plug-in {plugin} cannot be used: {reason}", plugin=plugin, reason=reason))


def refuse_unfit(entry: type[Entry]) -> None:
    """Raises SeglabError for an entry that help and the form could not show."""
    missing = [name for name, field in entry.model_fields.items() if field.is_required()]
    if missing:
        raise SeglabError(
            "{family}.{entry}: the option {option} has no default; give it one",
            family=entry.family,
            entry=entry.name,
            option=missing[0],
        )
    if not entry.summary():
        raise SeglabError("{family}.{entry} has no docstring; its first line is what people see", family=entry.family,
                          entry=entry.name)  # fmt: skip
    entry.model_json_schema()


def is_of(file: str | None, path: Path) -> bool:
    """Whether a module's file is the one at the path."""
    return file is not None and Path(file).resolve() == path


def module_at(path: Path) -> ModuleType:
    """Imports a file by its own name, as `import` would from beside it, unless another module has that name."""
    path = path.expanduser().resolve()
    if not path.is_file():
        raise SeglabError("{file}: there is no such file", file=str(path))
    known = sys.modules.get(path.stem)
    if known is not None and is_of(getattr(known, "__file__", None), path):
        return known
    taken = known is not None or path.stem in sys.stdlib_module_names
    if not taken and (found := importlib.util.find_spec(path.stem)):
        taken = not is_of(found.origin, path)  # a file beside the notebook is what `import` finds there too
    name = f"seglab_plugin_{path.stem}" if taken else path.stem
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader  # it ends in .py or is refused by its loader
    module = sys.modules[name] = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
