"""Locks on files, which the system lets go of however the process that holds one ends."""

from __future__ import annotations

import contextlib
import secrets
import shutil
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


@contextlib.contextmanager
def new_folder(parent: Path, prefix: str = "") -> Iterator[Path]:
    """A new folder of this process alone, which is deleted at the end; while the process lives, it holds a lock beside
    the folder, so that `sweep` tells what killed processes left."""
    folder = parent / f"{prefix}{secrets.token_hex(8)}"
    try:
        with held(lock_of(folder)):  # before the folder is there: it is at no time without its lock
            folder.mkdir(mode=0o700)
            try:
                yield folder
            finally:
                shutil.rmtree(folder, ignore_errors=True)
    finally:
        lock_of(folder).unlink(missing_ok=True)


def lock_of(folder: Path) -> Path:
    """The file that whoever made a folder by `new_folder` holds."""
    return folder.with_name(f"{folder.name}.lock")


def sweep(parent: Path, prefix: str = "") -> int:
    """Deletes the folders of this prefix whose processes have ended, as far as they can be deleted; gives how many."""
    swept = 0
    for folder in list(parent.glob(f"{prefix}*")):
        with contextlib.suppress(OSError):  # another user's, or another process sweeps it
            if folder.is_dir() and not folder.is_symlink() and not is_held(lock_of(folder)):
                shutil.rmtree(folder)
                lock_of(folder).unlink(missing_ok=True)
                swept += 1
    return swept
