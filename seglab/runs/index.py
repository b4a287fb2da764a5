"""What is made of the directories of a home, kept for as long as each stays as it is: in memory, and in an SQLite file
of the home, so that a list of 10,000 runs opens none of their files.

The file is never the truth. All of it comes from the directories and is made anew from them where it is missing,
damaged, of another version, or cannot be written; it may be deleted at any time.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

FILE = Path(".index") / "runs.sqlite"  # in a folder of its own, whose changes are none of the home's
VERSION = 2  # of the table below
FEW = 100  # folders of a home that are looked through each time, whether it has changed or not
SETTLED = 2.0  # seconds after a change from which on the next one is sure to give another date
BUSY = 0.2  # seconds that a process waits for another one that writes the file
LOCKED = "locked"  # in the error that says nothing against the file
COLUMNS = "kind TEXT, name BLOB, form TEXT, stamp TEXT, value BLOB, crc INTEGER, PRIMARY KEY (kind, name)"

Stamp = tuple[int, ...]
Make = Callable[[Path], tuple[Any, bool]]


def stamp(directory: str, files: Iterable[str] = ()) -> Stamp | None:
    """What is another one after each change of a run's directory, of its configuration, or of one of these files in it:
    their dates, when the run was made first, and the sizes of the files. None for what is no run.

    Of a directory also the date that nobody can set is in it: one that was put in another's place has another.
    """
    try:
        config = os.stat(f"{directory}/config.json")
        folder = os.stat(directory)
    except OSError:
        return None
    found = [config.st_mtime_ns, config.st_size, folder.st_mtime_ns, folder.st_ctime_ns]
    for name in files:
        try:
            file = os.stat(f"{directory}/{name}")
        except OSError:
            found += 0, -1
        else:
            found += file.st_mtime_ns, file.st_size
    return tuple(found)


def is_settled(found: Stamp, now: float) -> bool:
    """Whether no change could leave the stamp as it is from now on, by the clock of its dates."""
    return all(abs(now - each / 1e9) > SETTLED for each in found)  # a size is as far from it as any old date


class Index:
    """Values made of the directories in a home, by their names; each is made again once its directory has changed.

    `make` gives a directory's value, of which JSON can be made, and whether it stays as long as the directory and those
    `files` in it: of a run under way it does not. Values of another `form` are made anew.
    """

    def __init__(self, home: Path, kind: str, form: str, files: Sequence[str], make: Make) -> None:
        self.home, self.kind, self.form, self.files, self.make = home, kind, form, files, make
        self.path = home / FILE
        self.values: dict[str, Any] = {}
        self.stamps: dict[str, Stamp] = {}  # of the values, as of the last look
        self.resting: dict[str, Stamp] = {}  # of those that are made again only if it changes
        self.awake: set[str] = set()  # and of the others
        self.unsaved: set[str] = set()  # of these the file has what they were, or nothing
        self.names: list[str] = []  # in the order of the home
        self.load()

    def look(self) -> Index:
        """Has the values of all directories as they are now."""
        names = listed(self.home)
        self.take(names)
        for name in self.values.keys() - set(names):
            self.forget(name)
        self.names = [name for name in names if name in self.values]
        self.save()
        return self

    def take(self, names: Iterable[str]) -> set[str]:
        """Has the values of these directories as they are now; gives the names of those that were made anew, or that
        are gone."""
        changed, fresh = set(), {}
        for name in names:
            directory = f"{self.home}{os.sep}{name}"
            found = stamp(directory, self.files)
            if found is None:
                if name in self.values:
                    self.forget(name)
                    changed.add(name)
                continue
            if found == self.resting.get(name):
                continue
            at = time.monotonic()
            self.values[name], stays = self.make(Path(directory))
            self.stamps[name] = found
            self.resting.pop(name, None)
            self.awake.add(name)
            changed.add(name)
            if stays:
                fresh[name] = at
        if fresh:
            ahead = clock(self.home) - time.monotonic()
            for name, at in fresh.items():
                if is_settled(self.stamps[name], at + ahead):
                    self.resting[name] = self.stamps[name]
                    self.unsaved.add(name)
                    self.awake.discard(name)
        return changed

    def forget(self, name: str) -> None:
        for known in (self.values, self.stamps, self.resting):
            known.pop(name, None)
        self.awake.discard(name)
        self.unsaved.add(name)

    def load(self) -> None:
        """Takes in what the file has, as far as it is whole; the next look tells what of it still holds."""
        if not self.path.exists():
            return
        with excused(self.path), database(self.path) as file:
            for row in file.execute("SELECT * FROM made"):  # by a key damaged rows may go unseen, and others with them
                kind, name, form, found, value, crc = row
                if crc != checksum(*row[:-1]):
                    raise sqlite3.DatabaseError("a row is damaged")
                if (kind, form) == (self.kind, self.form):
                    name = os.fsdecode(name)
                    self.values[name] = json.loads(value)
                    self.stamps[name] = self.resting[name] = tuple(map(int, found.split()))

    def save(self) -> None:
        """Writes what is new to the file, where that can be written."""
        if not self.unsaved:
            return
        gone = [(os.fsencode(name),) for name in self.unsaved - self.values.keys()]
        rows = [self.row(name) for name in self.unsaved & self.resting.keys()]
        with excused(self.path), database(self.path) as file:
            file.execute("BEGIN IMMEDIATE")
            file.execute("DELETE FROM made WHERE kind = ? AND form <> ?", (self.kind, self.form))
            file.executemany("DELETE FROM made WHERE name = ?", gone)
            file.executemany("INSERT OR REPLACE INTO made VALUES (?, ?, ?, ?, ?, ?)", rows)
            file.execute("COMMIT")
            self.unsaved.clear()

    def row(self, name: str) -> tuple[Any, ...]:
        found, value = " ".join(map(str, self.resting[name])), json.dumps(self.values[name], separators=(",", ":"))
        row = self.kind, os.fsencode(name), self.form, found, value.encode()
        return *row, checksum(*row)


def checksum(*row: Any) -> int:
    """What tells a row of which some bytes were damaged."""
    return zlib.crc32(repr(row).encode())


def listed(home: Path) -> list[str]:
    """The names of the folders in a home."""
    try:
        with os.scandir(home) as found:
            return [entry.name for entry in found if entry.is_dir()]
    except OSError:
        return []


class Watch:
    """Tells whether a folder has other things in it than when it was last asked, or may have: of two changes at once
    it sees but one, so that it tells each of them twice, the second time once the next change has another date."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.seen, self.until = (0, 0), float("inf")

    def changed(self) -> bool:
        try:
            found = os.stat(self.folder)
            now, at = (found.st_mtime_ns, found.st_ctime_ns), time.monotonic()
        except OSError:
            now, at = (-1, -1), time.monotonic()
        if now != self.seen:
            self.seen, self.until = now, at + SETTLED
            return True
        if at > self.until:
            self.until = float("inf")
            return True
        return False


def clock(home: Path) -> float:
    """The time by the clock that dates the home's files, which on a network is another machine's; by this machine's
    where the home cannot be written to."""
    path = home / FILE
    try:
        path.parent.mkdir(exist_ok=True)
        path.touch()
        return path.stat().st_mtime
    except OSError:
        return time.time()


@contextlib.contextmanager
def database(path: Path) -> Iterator[sqlite3.Connection]:
    """The file, for a moment; made where there is none. Nothing is synced: after a loss of power, too, a row that is
    not whole has another checksum, and one that is old another stamp."""
    path.parent.mkdir(exist_ok=True)
    with contextlib.closing(sqlite3.connect(path, timeout=BUSY, isolation_level=None)) as file:
        file.execute("PRAGMA synchronous = OFF")
        if file.execute("PRAGMA user_version").fetchone() != (VERSION,):
            file.execute("BEGIN IMMEDIATE")
            file.execute("DROP TABLE IF EXISTS made")
            file.execute(f"CREATE TABLE made ({COLUMNS})")
            file.execute(f"PRAGMA user_version = {VERSION}")
            file.execute("COMMIT")
        yield file


@contextlib.contextmanager
def excused(path: Path) -> Iterator[None]:
    """Whatever is wrong with the file ends what is done with it, and nothing else; a damaged one is deleted."""
    try:
        yield
    except (sqlite3.Error, ValueError) as error:  # names of tables and columns may be no text any more
        if LOCKED not in str(error):  # a damaged file may also pass for a full disk, or for one that is read-only
            with contextlib.suppress(OSError):
                path.unlink()
    except OSError:  # there can be no folder
        pass
