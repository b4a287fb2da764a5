"""What killed processes leave in a home of runs: files half written and directories half made, or half deleted."""

from __future__ import annotations

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

from seglab.ages import Ages
from seglab.runs.directory import home, is_locked

STALE = 60.0  # seconds without a change after which nobody writes to it any more: to write one file takes far less
TEMPORARY = re.compile(r"\..+\.[0-9a-f]{8}")  # what `write` calls a file until it is whole
OWN = re.compile(  # what a run's directory may hold; any other file is a person's
    r"label\.json|entries\.py|config\.json|dataset\.json|events\.jsonl|weights\.(safetensors|next)|last(-\d+)?|samples"
    r"|predictions|truth|evaluation\.npz|probabilities\.npz|shipped\.json|log\.txt|queued(\.next)?|stop|taken|unlent"
    rf"|\.lock|\.kept|{TEMPORARY.pattern}"
)


class Leftovers:
    """Deletes what nobody has touched between two looks a minute or more apart, by this process's own time."""

    def __init__(self) -> None:
        self.ages = Ages()

    def sweep(self) -> int:
        """Deletes what is left over in the home, as far as it can be deleted; gives how many files and directories."""
        swept = 0
        for path, age in self.ages.look(found(home())).items():
            if age < STALE:
                continue
            with contextlib.suppress(OSError):
                shutil.rmtree(path) if path.is_dir() else path.unlink()
                swept += 1
        return swept


def found(folder: Path) -> Iterator[Path]:
    """What may be left over in a home: of what somebody is writing now it cannot be told yet."""
    if not folder.is_dir():
        return
    for path in folder.iterdir():
        if path.is_symlink():
            continue
        if path.is_file():
            if TEMPORARY.fullmatch(path.name):
                yield path
        elif not path.name.startswith("."):
            yield from found_in(path)


def found_in(directory: Path) -> Iterator[Path]:
    """The same of one directory: all of it where it is a run's without a configuration, which makes it a run."""
    try:
        names = [path.name for path in directory.iterdir()]
    except OSError:
        return
    if is_locked(directory):
        return
    if "config.json" not in names:
        if all(map(OWN.fullmatch, names)):
            yield directory
        return
    yield from (directory / name for name in names if name == "queued.next" or TEMPORARY.fullmatch(name))
