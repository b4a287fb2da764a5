"""Which of a home's runs are looked at anew: those under way each time, the others where something has changed, and a
few of them in turn, so that a look at 10,000 runs takes no longer than one at a hundred."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from itertools import chain, islice
from pathlib import Path

from seglab import __version__, plugins
from seglab.runs.index import FEW, Index, Make, Watch, listed

FORM = "2"  # of the rows; another one where they have changed
FILES = ("events.jsonl", "label.json", "dataset.json")  # that a row is made of, beside the configuration
TURN = 40  # runs whose files are looked at in turn: somebody may have changed one in its place
NEW = 200  # rows made in one look of runs that were not known: whoever asks for the first ones does not wait for all


class Looks:
    """What `make` makes of the runs of a home, and their names, the newest first."""

    def __init__(self, home: Path, make: Make) -> None:
        form = " ".join([FORM, __version__, *plugins.environment().values()])
        self.index, self.watch = Index(home, "page", form, FILES, make), Watch(home)
        self.here: list[str] = []  # the names of the directories
        self.made: dict[str, int] = {}  # when each run was, the newest first
        self.unknown: list[str] = []  # runs that nothing was made of so far, the newest first
        self.turn = self.around()
        self.scanned = False  # whether the last look was at all directories

    def look(self, waiting: Iterable[str], hurried: bool) -> tuple[set[str], bool]:
        """Has everything as it is now. Gives the names of the runs that are not as they were, and whether their order
        is another one; `hurried`: somebody changed one just now."""
        index, first = self.index, not self.made
        suspects = {*waiting, *index.awake, *islice(self.turn, TURN), *(index.values if first else ())}
        self.scanned = self.watch.changed() or hurried or len(self.here) <= FEW
        if self.scanned:
            self.here = listed(index.home)
            suspects |= index.values.keys() - set(self.here)
            suspects.update(() if first else filter(self.has_changed, self.here))
            self.unknown = self.dated(name for name in self.here if name not in index.values)
        suspects.update(self.unknown[:NEW])
        del self.unknown[:NEW]
        changed = index.take(suspects)
        index.save()
        changed |= index.values.keys() if first else set()
        moved = any(self.made.get(name, -1) != self.date_of(name) for name in changed)
        if moved:
            dates = {name: self.date_of(name) for name in chain(self.here, index.values) if name in index.values}
            self.made = dict(sorted(dates.items(), key=lambda each: -each[1]))
        return changed, moved

    def around(self) -> Iterator[str]:
        """The directories one after the other, again and again."""
        while True:
            yield from tuple(self.here) or ("",)

    def has_changed(self, name: str) -> bool:
        """Whether a known run's directory has other dates than when it was looked at."""
        known = self.index.stamps.get(name)
        try:
            found = os.stat(f"{self.index.home}{os.sep}{name}")
        except OSError:
            return True
        return known is not None and known[2:4] != (found.st_mtime_ns, found.st_ctime_ns)

    def date_of(self, name: str) -> int:
        return self.index.stamps.get(name, (-1,))[0]

    def dated(self, names: Iterable[str]) -> list[str]:
        """Those that are runs, the newest first."""
        found = []
        for name in names:
            with contextlib.suppress(OSError):
                found.append((-os.stat(f"{self.index.home}{os.sep}{name}/config.json").st_mtime_ns, name))
        return [name for _, name in sorted(found)]
