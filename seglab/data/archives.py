"""Data sources that can be downloaded, when somebody asks for it on the command line and never otherwise."""

from __future__ import annotations

import contextlib
import http.client
import os
import shutil
import sys
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

from seglab import locks
from seglab.data.images import printable
from seglab.data.pairs import Root, is_here, located, place_of
from seglab.download import download
from seglab.errors import SeglabError
from seglab.families import Dataset

BROKEN = (OSError, http.client.HTTPException, tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError)


@dataclass(frozen=True)
class Archive:
    """A file to fetch and unpack; `folder` is what it unpacks to, below the data's root, and `md5` may not be known."""

    url: str
    folder: str
    md5: str = ""

    @property
    def file(self) -> str:
        return Path(urlsplit(self.url).path).name


class Downloadable(Dataset):
    """A data source with a public place; `licence` says what its makers allow, `size` how much is fetched."""

    private: ClassVar[bool] = False
    licence: ClassVar[str]
    size: ClassVar[str]
    root: Root | None = None

    @property
    def here(self) -> bool:
        return is_here(self.root, self.name)

    def archives(self) -> list[Archive]:
        """What has to be fetched."""
        raise NotImplementedError

    def located(self) -> Path:
        """The folder with the data; raises SeglabError that names the command that fetches it."""
        return located(self.root, self.name, f"`python -m seglab data --data {self.name} --download`")

    def download(self) -> Path:
        """Fetches and unpacks what is not there yet and gives its folder; one that was broken off goes on.

        The license is told on stderr first. Raises SeglabError within seconds where nothing answers, and at once where
        another process is at it.
        """
        root = self.root or place_of(self.name)
        missing = [archive for archive in self.archives() if not os.path.isdir(root / archive.folder)]
        if not missing:
            return root
        host = urlsplit(missing[0].url).netloc
        place = printable(str(root))
        print(f"seglab: {self.name}: {self.size} from {host} to {place}", file=sys.stderr)
        print(f"seglab: licence: {self.licence}", file=sys.stderr, flush=True)
        for archive in missing:
            try:
                root.mkdir(parents=True, exist_ok=True)
                with locked(root):
                    unpack(fetched(archive, root), root, archive.folder)
            except BROKEN as error:
                raise SeglabError(
                    "{file} could not be fetched from {host} ({reason}); the same command continues where it stopped, "
                    "or unpack {url} into {folder} yourself",
                    file=archive.file,
                    host=urlsplit(archive.url).netloc,
                    reason=str(getattr(error, "reason", "") or error) or type(error).__name__,
                    url=archive.url,
                    folder=place,
                ) from None
        return root


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Holds a folder against other downloads; the system lets go of it however the process ends."""
    lock = root / ".lock"
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(locks.held(lock, seconds=0))
        except TimeoutError:
            raise SeglabError(
                "{folder}: another process is downloading into it; wait until it has finished",
                folder=printable(str(root)),
            ) from None
        try:
            yield
        finally:
            with contextlib.suppress(OSError):  # on Windows it goes by itself, once nobody holds it
                lock.unlink()


def fetched(archive: Archive, root: Path) -> Path:
    """The archive's file, whole and checked; what an earlier attempt left is gone on with."""
    path = root / f"{archive.file}.partial"
    digest = download(archive.url, path, "md5")
    if archive.md5 and digest != archive.md5:
        path.unlink()
        raise OSError(f"its MD5 is {digest} instead of {archive.md5}")
    return path


def unpack(path: Path, root: Path, folder: str) -> None:
    """Puts the archive's `folder` below the root, whole or not at all, and deletes the archive."""
    beside = root / ".unpacking"
    shutil.rmtree(beside, ignore_errors=True)  # of an attempt that was killed
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as archive:
                archive.extractall(beside)
        else:
            with tarfile.open(path) as archive:
                archive.extractall(beside, filter="data")
        found = next((place for place in (beside / folder, *beside.glob(f"*/{folder}")) if place.is_dir()), None)
        if found is None:
            path.unlink()
            raise OSError(f"it holds no folder {folder}")
        (root / folder).parent.mkdir(parents=True, exist_ok=True)
        os.replace(found, root / folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    path.unlink()
