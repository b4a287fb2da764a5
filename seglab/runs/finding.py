"""A run by its name, wherever it is."""

from __future__ import annotations

from pathlib import Path

from seglab import hub
from seglab.errors import SeglabError, tell
from seglab.places import CHECKPOINTS, home, lessons
from seglab.runs import kept
from seglab.runs.bringing import open_hub, opened_before
from seglab.runs.directory import every, listed


def find(run: str | Path, fetch: bool = True) -> Path:
    """The directory of a run given by its path, or by its name among the new runs, the shipped ones, those of lessons,
    which are in no list, and those that are kept, which are looked for last; or as hf:OWNER/NAME[@REVISION], which is
    taken in from the hub unless it is here; without `fetch` the hub is not asked."""
    if (named := Path(run).as_posix()).startswith(hub.PREFIX):
        if fetch:
            directory, notes = open_hub(named, hub.login())
            tell(notes)
            return directory
        if before := opened_before(named):
            return before
    for directory in (Path(run), home() / run, CHECKPOINTS / run, *(folder / run for folder in lessons())):
        if (directory / "config.json").is_file():
            return directory if directory.name not in ("", "..") else directory.resolve()  # which name no run
    for known in sorted(kept.every(), key=lambda known: known.directory.name != str(run)):  # names in lists come first
        if str(run) in (known.run, known.directory.name):
            return known.directory
    raise SeglabError("there is no run {run}; known runs: {known}", run=repr(str(run)), known=listed(every()))
