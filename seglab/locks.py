"""Locks on files, which the system lets go of however the process that holds one ends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

PATIENCE = 0.2  # seconds in which whoever only looks at a lock has let go of it again


@contextlib.contextmanager
def held(path: Path, seconds: float = PATIENCE, poll: float = 0.01) -> Iterator[None]:
    """Holds a lock for this process, against others and against itself; a file that is not there is made.

    Raises TimeoutError when another holds it for so many `seconds` (-1: waits for as long as that takes), and OSError
    where the file cannot be written.
    """
    path.parent.stat()  # filelock would make a folder that has just been deleted
    # not bound to a thread: a generator that holds it may be closed by another one
    with FileLock(path, thread_local=False).acquire(timeout=seconds, poll_interval=poll):
        yield


def is_held(path: Path) -> bool:
    """Whether a process holds the lock, this one included; makes no file, and needs no right to write."""
    if fcntl:  # shared, which filelock has not: those who look are not in each other's way, at a tenth of the time
        try:
            with open(path, "rb") as file:
                fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
        except BlockingIOError:
            return True
        except FileNotFoundError:
            return False
    if not path.exists():
        return False
    try:
        with held(path):
            return False
    except Timeout:
        return True
