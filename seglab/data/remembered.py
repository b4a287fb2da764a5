"""What reading a file gave, remembered in the home of runs for as long as the file stays as it is."""

from __future__ import annotations

import contextlib
import hashlib
import os
import sqlite3
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pydantic_core import from_json, to_json

from seglab.cache import SETTLED
from seglab.places import home

FILE = ".files.sqlite"
MOST = 200_000  # files or pairs that are remembered: about 100 MB
PATIENCE = 1.0  # seconds to wait for another process that writes
DAY = 24 * 3600
TABLE = "CREATE TABLE IF NOT EXISTS files (key BLOB PRIMARY KEY, used INTEGER, value BLOB) WITHOUT ROWID"

Stamp = tuple[int, int, int, int] | None


def stamp_of(path: Path) -> Stamp:
    """What changes whenever a file does: its size, when it was written, when anything of it was changed, which nobody
    can set, and its number; None for one that is not there."""
    try:
        found = path.stat()
    except (OSError, ValueError):
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


class Remembered:
    """What reading files gave before, as `what` names it, which changes when it is read in another way.

    A file that was changed just now is not remembered: the next change might give it the same date. What was not used
    for longest is forgotten. Where nothing can be written, or what was is damaged, files are read again.
    """

    def __init__(self, what: str):
        self.what = what
        self.known: dict[bytes, Any] = {}
        self.new: dict[bytes, Any] = {}

    def key(self, paths: Sequence[Path], stamps: Sequence[Stamp]) -> bytes | None:
        """What stands for files as they are now; None where one is not there or has changed just now."""
        latest = (time.time() - SETTLED) * 1e9
        if any(stamp is None or max(stamp[1:3]) > latest for stamp in stamps):
            return None
        place = repr((self.what, [os.fspath(path) for path in paths], stamps))
        return hashlib.blake2b(place.encode(errors="surrogateescape"), digest_size=16).digest()

    def load(self, keys: Sequence[bytes | None]) -> None:
        """Recalls what is remembered of these."""
        today = int(time.time()) // DAY

        def find(base: sqlite3.Connection) -> None:
            old = []
            for key in filter(None, keys):
                for used, value in base.execute("SELECT used, value FROM files WHERE key = ?", [key]):
                    self.known[key] = from_json(value)
                    old += [(today, key)] if used != today else []
            base.executemany("UPDATE files SET used = ? WHERE key = ?", old)

        ask(find)

    def get(self, key: bytes | None) -> Any:
        """What is remembered under a key; None for nothing."""
        return self.known.get(key) if key else None

    def put(self, key: bytes | None, value: Any) -> None:
        """Remembers a value, which JSON has, once it is saved."""
        if key:
            self.new[key] = value

    def save(self) -> None:
        """Remembers what was read since."""
        today = int(time.time()) // DAY

        def write(base: sqlite3.Connection) -> None:
            rows = ((key, today, to_json(value)) for key, value in self.new.items())
            base.executemany("INSERT OR REPLACE INTO files VALUES (?, ?, ?)", rows)
            (count,) = base.execute("SELECT count(*) FROM files").fetchone()
            oldest = "SELECT key FROM files ORDER BY used LIMIT max(0, ?)"
            base.execute(f"DELETE FROM files WHERE key IN ({oldest})", [count - MOST])

        if self.new:
            ask(write)


def ask(what: Callable[[sqlite3.Connection], None]) -> None:
    """Does this with what is remembered, as far as that can be: what is damaged begins anew."""
    path = home() / FILE
    if not path.parent.is_dir():
        return
    try:
        with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as base, base:
            base.execute(TABLE)
            what(base)
    except sqlite3.OperationalError:  # another process writes, or nothing can be written
        return
    except (sqlite3.DatabaseError, ValueError):
        with contextlib.suppress(OSError):
            path.unlink()
