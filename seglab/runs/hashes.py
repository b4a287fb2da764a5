"""The sha256 of a run's configuration and of its description, as the run's events announce them.

Whoever has the images of a run that came without its folders writes their own one into its configuration; so what a
shipped run announces is the configuration without `data.root`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path

from pydantic_core import from_json

from seglab.errors import SeglabError
from seglab.events import Event, Started, from_line

ROOTLESS = "config.json without data.root"  # what the hash of a shipped run's configuration is announced for

SHARED = "shared"  # the folder beside runs with what several of them have in common

Hashes = Mapping[str, frozenset[str]]  # each sha256 that is announced for a file, by its name


def sha256(content: bytes) -> str:
    """64 hexadecimal digits."""
    return hashlib.sha256(content).hexdigest()


def content_of(directory: Path, name: str) -> bytes:
    """What a file of a run holds; raises SeglabError where no `Started` announces that, and OSError where it cannot be
    read. A run that has not started, or that an older version started, announces nothing."""
    content = located(directory, name).read_bytes()
    if not is_announced(directory, name, content):
        raise SeglabError(
            "{file} is damaged or was changed after the run started: its sha256 is not the one recorded",
            file=f"{directory.name}/{name}",
        )
    return content


def located(directory: Path, name: str) -> Path:
    """Where a file of a run is: in its directory, or in what several runs of a folder share, by the sha256 that is
    announced."""
    path = directory / name
    if not path.exists():
        for digest in announced(directory).get(name, ()):
            shared = directory.parent / SHARED / f"{digest}{path.suffix}"
            if shared.exists():
                return shared
    return path


def is_announced(directory: Path, name: str, content: bytes) -> bool:
    """Whether a file of a run may hold this: no event announces the file, or one announces this content."""
    return allowed(announced(directory), name, content)


def allowed(known: Hashes, name: str, content: bytes) -> bool:
    """Whether a file may hold this where these hashes are announced."""
    if name == "config.json" and name not in known and ROOTLESS in known:
        try:
            return sha256(rootless(content)) in known[ROOTLESS]
        except (ValueError, TypeError, KeyError, RecursionError):
            return False
    return name not in known or sha256(content) in known[name]


def rootless(content: bytes) -> bytes:
    """A configuration without `data.root`; raises ValueError, TypeError or KeyError for what is none."""
    config = from_json(content)
    return json.dumps({**config, "data": {**config["data"], "root": None}}, sort_keys=True).encode()


def hashes_of_shipped(config: bytes, description: bytes) -> dict[str, str]:
    """What a shipped run announces of its configuration and its description."""
    return {ROOTLESS: sha256(rootless(config)), "dataset.json": sha256(description)}


def hashes_in(events: Iterable[Event]) -> Hashes:
    """What events announce."""
    found: dict[str, frozenset[str]] = {}
    for event in events:
        if isinstance(event, Started):
            for name, digest in event.files.items():
                found[name] = found.get(name, frozenset()) | {digest}
    return found


def announced(directory: Path) -> Hashes:
    """What the run's events announce; raises SeglabError where such an event is damaged."""
    path = directory / "events.jsonl"
    try:
        found = path.stat()
    except FileNotFoundError:
        return {}
    return announced_in(path, found.st_ino, found.st_mtime_ns, found.st_size)


@lru_cache(maxsize=4096)
def announced_in(path: Path, inode: int, changed: int, size: int) -> Hashes:
    """What `announced` gives for a file of events as of this change of it."""
    content = path.read_bytes()
    found: list[Event] = []
    at = -1
    while (at := content.find(b'"kind":"started"', at + 1)) >= 0:  # the others, which are many, are not parsed for this
        begin, end = content.rfind(b"\n", 0, at) + 1, content.find(b"\n", at)
        if end < 0:  # torn
            break
        try:
            found.append(from_line(content[begin:end]))
        except ValueError:
            file, line = f"{path.parent.name}/{path.name}", content.count(b"\n", 0, at) + 1
            raise SeglabError("{file} is damaged: line {line} cannot be read", file=file, line=line) from None
        at = end
    return hashes_in(found)
