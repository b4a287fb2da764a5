"""The entries of a run's own: defined in a notebook or a script, kept as source in the run's directory, `entries.py`.

Such a file is run only if this home wrote it: the home keeps the sha256 of each in `.entries`. A run that comes from
elsewhere may bring a file of that name; it is never run, and who trusts it names it in SEGLAB_PLUGINS.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from seglab import source
from seglab.entry import along, kinds_in

if TYPE_CHECKING:
    from seglab.config import RunConfig

FILE, WRITTEN = "entries.py", ".entries"


def source_for(config: RunConfig) -> bytes | None:
    """The source of the configuration's own entries, None if it has none. Raises SeglabError where it is not found."""
    kinds = [kind for kind in kinds_in(config) if source.is_local(kind)]
    return source.written(kinds).encode() if kinds else None


def trust(home: Path, content: bytes) -> None:
    """Keeps that this home wrote such a file."""
    digest = hashlib.sha256(content).hexdigest()
    if digest not in trusted(home):
        with open(home / WRITTEN, "a+b") as file:
            file.seek(0)
            cut = not file.read().endswith(b"\n")  # by a full disk
            file.write(b"\n" * (cut and file.tell() > 0) + f"{digest}\n".encode())


def trusted(home: Path) -> list[str]:
    """The sha256 of each such file that this home wrote."""
    try:
        return (home / WRITTEN).read_text(encoding="ascii").split()
    except FileNotFoundError:
        return []


@contextlib.contextmanager
def entries_of(directory: Path, home: Path) -> Iterator[None]:
    """The run's own entries are known by their names meanwhile, if this home wrote them."""
    content = written_here(directory, home)
    with along(source.made(content.decode()) if content else ()):
        yield


def is_foreign(directory: Path, home: Path) -> bool:
    """Whether the run has a file of entries that this home did not write."""
    return (directory / FILE).exists() and written_here(directory, home) is None


def written_here(directory: Path, home: Path) -> bytes | None:
    """The run's `entries.py`, if there is one and this home wrote it."""
    try:
        content = (directory / FILE).read_bytes()
    except FileNotFoundError:
        return None
    return content if hashlib.sha256(content).hexdigest() in trusted(home) else None
