"""Zips that strangers send: nothing in them is believed, neither names nor sizes."""

from __future__ import annotations

import contextlib
import re
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath
from typing import IO

from seglab.data.images import printable
from seglab.data.walking import PASSED_OVER
from seglab.errors import SeglabError

MOST_ENTRIES = 2000
MOST_BYTES = 300 * 2**20  # of one zip, unpacked
MOST_RATIO = 200  # to which an entry may grow that has more than GROWN bytes then
GROWN = 64 * 2**20  # an uncompressed mask of one or two classes grows a thousandfold, but not beyond its pixels
MOST_DEPTH = 12  # folders within folders
CHUNK = 1 << 18
ENTRY = b"PK\1\2"  # what each entry of a zip's list begins with
DAMAGED = (zipfile.BadZipFile, zipfile.LargeZipFile, zlib.error, EOFError, RuntimeError, ValueError, IndexError)
Entries = list[tuple[str, zipfile.ZipInfo]]


@contextlib.contextmanager
def opened(
    file: Path | IO[bytes], most_entries: int = MOST_ENTRIES, most_bytes: int = MOST_BYTES
) -> Iterator[tuple[zipfile.ZipFile, Entries]]:
    """The zip and its files with their names, litter left out; raises SeglabError for what no honest zip has, and for
    whatever is found damaged while it is open."""
    try:
        count = counted(file)  # before Python makes an object of each
        if count > most_entries:
            raise SeglabError("the zip has {count} entries; allowed: {most}", count=count, most=most_entries)
        with zipfile.ZipFile(file) as archive:
            entries = accepted([entry for entry in archive.infolist() if not entry.is_dir()], most_bytes)
            refuse_twice([name for name, _ in entries])
            yield archive, entries
    except (*DAMAGED, NotImplementedError) as error:
        raise SeglabError("the zip is damaged or packed in an unusual way; pack it again") from error


def counted(file: Path | IO[bytes]) -> int:
    """How many entries a zip has at most, as its bytes tell."""
    with open(file, "rb") if isinstance(file, Path) else contextlib.nullcontext(file) as source:
        count, end = 0, b""
        while chunk := source.read(1 << 24):
            count += (end + chunk).count(ENTRY)
            end = chunk[-len(ENTRY) + 1 :]
        source.seek(0)
    return count


def accepted(files: Sequence[zipfile.ZipInfo], most_bytes: int = MOST_BYTES) -> Entries:
    """The files with their names, litter left out; raises SeglabError for too large ones, and such as no honest zip
    has."""
    total = sum(entry.file_size for entry in files)
    if total > most_bytes:
        raise SeglabError(
            "the zip has {size} MB when unpacked; allowed: {most} MB",
            size=-(-total // 2**20),
            most=most_bytes // 2**20,
        )
    end = 0
    named = [(name_of(entry), entry) for entry in files]
    for name, entry in sorted(named, key=lambda each: each[1].header_offset):
        name = printable(name)[:200]
        if entry.header_offset < end:
            raise SeglabError("{file}: overlaps another entry of the zip", file=name)
        end = entry.header_offset + 30 + entry.compress_size  # a header has at least 30 bytes
        if entry.flag_bits & 1:
            raise SeglabError("{file}: is encrypted; pack the zip without a password", file=name)
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise SeglabError("{file}: is packed in an unusual way; use the usual deflate", file=name)
        kind = stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG):
            raise SeglabError("{file}: is a link or a device, not a file", file=name)
        if entry.file_size > max(GROWN, MOST_RATIO * entry.compress_size):
            raise SeglabError(
                "{file}: grows more than {most} times when unpacked, to {size} MB; save it as PNG",
                file=name,
                most=MOST_RATIO,
                size=entry.file_size // 2**20,
            )
    return [(name, entry) for name, entry in named if not PASSED_OVER.search(name)]


def name_of(entry: zipfile.ZipInfo) -> str:
    """An entry's name with / between its parts, composed (NFC); raises SeglabError for one that leads elsewhere.

    Names without the mark for UTF-8 are often UTF-8 all the same, or the Korean of Windows.
    """
    name = entry.orig_filename
    if not entry.flag_bits & 0x800:
        for encoding in ("utf-8", "cp949"):
            try:
                name = name.encode("cp437").decode(encoding)
                break
            except UnicodeError:
                continue
    name = unicodedata.normalize("NFC", name.replace("\\", "/"))
    parts = name.split("/")
    if name.startswith("/") or ".." in parts or re.match("[A-Za-z]:", name):
        raise SeglabError("{file}: points outside the zip's folder", file=printable(name)[:200])
    if len(parts) > MOST_DEPTH:
        raise SeglabError("{file}: is more than {most} folders deep", file=printable(name)[:200], most=MOST_DEPTH - 1)
    if not name.strip() or any(unicodedata.category(character) in ("Cc", "Cs") for character in name):
        raise SeglabError("{file}: its name has characters that are not allowed", file=printable(name)[:200])
    return "/".join(part for part in parts if part not in ("", "."))


def refuse_twice(names: Sequence[str]) -> None:
    """Raises SeglabError for names that some file systems take for the same, or for a file and its folder."""
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            raise SeglabError("{file}: is in the zip twice", file=printable(name)[:200])
        seen.add(name.casefold())
    for name in names:
        for folder in PurePosixPath(name.casefold()).parents:
            if str(folder) in seen:
                raise SeglabError("{file}: is in the zip twice", file=printable(str(folder))[:200])


def chunks(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str) -> Iterator[bytes]:
    """What one entry holds; raises SeglabError where that is more than it says."""
    read = 0
    with archive.open(entry) as source:
        while chunk := source.read(CHUNK):
            read += len(chunk)
            if read > entry.file_size:
                raise SeglabError("{file}: contains more than the zip says", file=printable(name)[:200])
            yield chunk


def write(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, name: str) -> None:
    """Unpacks one entry, and stops where it has more than it says."""
    target.parent.mkdir(parents=True, exist_ok=True)
    with open(target, "xb") as file:
        file.writelines(chunks(archive, entry, name))
