"""Where finished runs are kept: a folder, or what a URL names of an object store, by fsspec.

Both are only added to: a run's files are each written once, in order, and nothing is opened again, renamed or locked.
Any of it may be slow or never answer: only threads that nobody has to wait for ask for it.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import posixpath
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from seglab.places import home

UNKNOWN = (errno.EINVAL, errno.ENOSYS, errno.ENOTSUP)  # what mounts say that cannot sync a file
URL = re.compile(r"[A-Za-z][\w+.-]+://")  # of two letters at least: C:/ is a drive
FETCHED = ".fetched"  # the folder of the home with what was fetched from elsewhere


class Store(Protocol):
    """`name` is what it is called in words, without passwords; `folder` is where its runs are read on this machine.
    All else raises OSError."""

    name: str
    folder: Path

    def names(self) -> list[str]:
        """What there is in it: runs by the names of their folders, and perhaps other things."""
        ...

    def begin(self, run: str, marker: str) -> None:
        """Has a run's marker on this machine, and no files of any other run that had its name before."""
        ...

    def here(self, run: str, files: Iterable[str]) -> None:
        """Has these files of a run on this machine, in its folder; those that it does not have are passed over."""
        ...

    def files(self, run: str) -> list[str]:
        """The paths of all files of a run."""
        ...

    def refuse_missing(self) -> None:
        """Raises FileNotFoundError where nothing may be written, as to a folder that is not mounted."""
        ...

    def make(self, run: str) -> None:
        """Begins a run; raises FileExistsError where there is one of this name."""
        ...

    def write(self, place: str, chunks: Iterable[bytes]) -> None:
        """Writes a file of a run that has been begun."""
        ...

    def delete(self, run: str) -> None:
        """Deletes what was begun of a run, as far as it can be deleted."""
        ...

    def record(self, run: str) -> str:
        """What says in a run where its copy is."""
        ...

    def holds(self, record: str) -> bool:
        """Whether that is here."""
        ...

    def harmless(self, error: Exception) -> str:
        """What an error says, without passwords."""
        ...


class Folder:
    """A folder, which may be a mounted bucket."""

    def __init__(self, folder: Path):
        self.folder, self.name = folder, str(folder)

    def names(self) -> list[str]:
        return os.listdir(self.folder)

    def begin(self, run: str, marker: str) -> None:
        """It is."""

    def here(self, run: str, files: Iterable[str]) -> None:
        """They are."""

    def files(self, run: str) -> list[str]:
        return []

    def refuse_missing(self) -> None:
        if not os.path.isdir(self.folder):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))

    def make(self, run: str) -> None:
        os.mkdir(self.folder / run)

    def write(self, place: str, chunks: Iterable[bytes]) -> None:
        os.makedirs((self.folder / place).parent, exist_ok=True)
        with open(self.folder / place, "xb") as file:
            for chunk in chunks:
                file.write(chunk)
            synced(file.fileno())

    def delete(self, run: str) -> None:
        shutil.rmtree(self.folder / run, ignore_errors=True)

    def record(self, run: str) -> str:
        return str(self.folder / run)

    def holds(self, record: str) -> bool:
        return Path(record).parent == self.folder

    def harmless(self, error: Exception) -> str:
        code = getattr(error, "errno", None)
        return os.strerror(code) if code else str(error)


class Bucket:
    """What a URL names, such as s3://bucket/runs; its runs are read from copies in the home."""

    def __init__(self, url: str):
        self.url = url.rstrip("/")
        parts = urlsplit(self.url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"
        self.secrets = [part for part in (parts.query, parts.password, parts.username) if part]
        self.folder = home() / FETCHED / hashlib.sha256(self.name.encode()).hexdigest()[:8]

    @contextlib.contextmanager
    def asked(self) -> Iterator[tuple[Any, str]]:
        """The file system and the path in it; all its errors become those of a file system."""
        from fsspec.core import url_to_fs
        from fsspec.registry import known_implementations

        try:
            system, root = url_to_fs(self.url)
            system.invalidate_cache()
            yield system, root.rstrip("/")
        except OSError:
            raise
        except ImportError:
            package = known_implementations[urlsplit(self.url).scheme]["class"].partition(".")[0]
            raise OSError(f"it needs the package {package}: pip install {package}") from None
        except Exception as error:  # of many kinds, one for each store
            raise OSError(self.harmless(error)) from None

    def names(self) -> list[str]:
        with self.asked() as (system, root):
            try:
                return [posixpath.basename(path.rstrip("/")) for path in system.ls(root, detail=False)]
            except FileNotFoundError:  # without a run in it, a prefix is not there
                return []

    def begin(self, run: str, marker: str) -> None:
        content, target = self.content(f"{run}/{marker}"), self.folder / run / marker
        if target.exists() and target.read_bytes() != content:
            shutil.rmtree(target.parent)
        self.here(run, [marker])

    def here(self, run: str, files: Iterable[str]) -> None:
        for name in files:
            target = self.folder / run / name
            if target.exists() or (content := self.content(f"{run}/{name}")) is None:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            beside = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
            beside.write_bytes(content)
            os.replace(beside, target)

    def content(self, place: str) -> bytes | None:
        """What a file there holds; None where it is missing."""
        with self.asked() as (system, root), contextlib.suppress(FileNotFoundError):
            return system.cat_file(f"{root}/{place}")
        return None

    def files(self, run: str) -> list[str]:
        with self.asked() as (system, root):
            return [path.rpartition(f"{root}/{run}/")[2] for path in system.find(f"{root}/{run}")]

    def refuse_missing(self) -> None:
        """There is nothing to be mounted."""

    def make(self, run: str) -> None:
        with self.asked() as (system, root):
            if system.exists(f"{root}/{run}"):
                raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST))

    def write(self, place: str, chunks: Iterable[bytes]) -> None:
        with self.asked() as (system, root):
            system.makedirs(posixpath.dirname(f"{root}/{place}"), exist_ok=True)
            with system.open(f"{root}/{place}", "wb") as file:
                for chunk in chunks:
                    file.write(chunk)

    def delete(self, run: str) -> None:
        with contextlib.suppress(OSError), self.asked() as (system, root):
            system.rm(f"{root}/{run}", recursive=True)

    def record(self, run: str) -> str:
        return f"{self.name}/{run}"

    def holds(self, record: str) -> bool:
        return record.rpartition("/")[0] == self.name

    def harmless(self, error: Exception) -> str:
        text = " ".join(str(error).split()) or type(error).__name__
        for secret in self.secrets:
            text = text.replace(secret, "…")
        return text


def synced(file: int) -> None:
    """Waits until the file's bytes are where they belong, on mounts that can tell; `with` still has to close it."""
    try:
        os.fsync(file)
    except OSError as error:
        if error.errno not in UNKNOWN:
            raise


def store_of(named: str) -> Store:
    """The store of this name: a folder's path, or a URL; file:///a/folder is a folder, too."""
    if is_url(named):
        return Bucket(named)
    return Folder(Path(os.path.abspath(os.path.expanduser(named.removeprefix("file://")))))


def is_url(named: str) -> bool:
    """Whether this is the name of a store that is no folder."""
    return bool(URL.match(named)) and not named.startswith("file://")
