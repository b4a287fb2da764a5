"""Arrays that are made once and read often: in memory as far as there is room for them, in a file beyond."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import tempfile
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO

import numpy as np

from seglab import machine
from seglab.errors import SeglabError

VARIABLE = "SEGLAB_CACHE_GB"
SHARE = 4  # of the memory that is ours, one part is for decoded images
SPARE = 2**30  # bytes of the disk that are left to others: the run's own files have to fit, too
STEP = 2**28  # bytes that are written until the disk is looked at again
AT_ONCE = hasattr(os, "preadv")  # reading from a place in one call, which Windows does not know


def room() -> int:
    """The bytes of decoded images that a run keeps in memory: $SEGLAB_CACHE_GB, or a quarter of the memory."""
    given = os.environ.get(VARIABLE, "").strip()
    if not given:
        return machine.memory() // SHARE
    try:
        size = float(given)
    except ValueError:
        size = math.nan
    if not 0 <= size < math.inf:
        raise SeglabError(
            "{variable}: {value} is no size; give the GB of decoded images that a run keeps in memory, such as 2",
            variable=VARIABLE,
            value=given,
        )
    return int(size * 2**30)


def folder() -> str:
    """Where the file is: $TMPDIR, or the folder for large temporary files, since /tmp is often in memory itself."""
    large = "/var/tmp"  # of the Filesystem Hierarchy Standard
    own = any(os.environ.get(name) for name in ("TMPDIR", "TEMP", "TMP"))
    return tempfile.gettempdir() if own or not os.access(large, os.W_OK | os.X_OK) else large


@dataclass(frozen=True)
class Written:
    """Arrays that are in the file of a store, one after the other from byte `start` on."""

    start: int
    forms: tuple[tuple[tuple[int, ...], np.dtype], ...]  # the shape and the type of each


Held = Sequence[np.ndarray] | Written


class Store:
    """At most `most` bytes of arrays in memory, those that came first, and the others in a file.

    The file has no name and goes with the process, however that ends. It is read, not mapped into memory: a disk that
    fills up gives an error then, not the end of the process; a picture comes in one request; and what the system keeps
    of it in memory, it can take back. Where the disk has no more room, nothing more is kept.
    """

    def __init__(self, most: int):
        self.most = most
        self.count, self.size, self.in_memory, self.refused = 0, 0, 0, 0  # of what was to be kept; bytes; bytes; times
        self.file: IO[bytes] | None = None
        self.end, self.checked = 0, 0  # of the file, and up to where the disk had room for it
        self.owner, self.lock = os.getpid(), threading.Lock()

    def keep(self, arrays: Sequence[np.ndarray]) -> Held | None:
        """The arrays, or where they are in the file; None where they could not be kept."""
        size = sum(array.nbytes for array in arrays)
        with self.lock:
            self.count, self.size = self.count + 1, self.size + size
            if self.in_memory + size <= self.most:
                self.in_memory += size
                return arrays
            start = self.end
            if self.refused or not self.fits(size):
                self.refused += 1
                return None
            self.end += size
        try:
            self.write([buffer(np.ascontiguousarray(array)) for array in arrays], start)
        except OSError:  # the disk has filled up meanwhile, or is broken
            self.refused += 1
            return None
        return Written(start, tuple((array.shape, array.dtype) for array in arrays))

    def arrays(self, held: Held) -> Sequence[np.ndarray]:
        """What was kept; what was in the file is a copy."""
        if not isinstance(held, Written):
            return held
        arrays = [np.empty(*form) for form in held.forms]
        self.read([buffer(array) for array in arrays], held.start)
        return arrays

    def fits(self, size: int) -> bool:
        """Whether the file can grow by so many bytes. A process that was forked from the file's own only reads it: two
        would write to the same places."""
        if os.getpid() != self.owner:
            return False
        try:
            self.file = self.file or tempfile.TemporaryFile(dir=folder(), buffering=0)  # noqa: SIM115
            if self.end + size > self.checked:
                step = max(size, STEP)
                if on_disk() < step:
                    return False
                self.checked = self.end + step
        except OSError:
            return False
        return True

    def write(self, buffers: Sequence[memoryview], start: int) -> None:
        assert self.file
        for content in buffers:
            while content:
                if AT_ONCE:
                    done = os.pwrite(self.file.fileno(), content, start)
                else:
                    with self.lock:
                        self.file.seek(start)
                        done = self.file.write(content)
                content, start = content[done:], start + done

    def read(self, buffers: Sequence[memoryview], start: int) -> None:
        """Fills the buffers with what is in the file from `start` on."""
        assert self.file
        for content in buffers:
            while content:
                if AT_ONCE:  # processes that were forked from this one share the file's place with it
                    done = os.preadv(self.file.fileno(), [content], start)
                else:
                    with self.lock:
                        self.file.seek(start)
                        done = self.file.readinto(content)  # type: ignore[attr-defined]
                if not done:
                    raise OSError("the file of decoded images is shorter than it was")
                content, start = content[done:], start + done

    def notes(self, count: int) -> list[SeglabError]:
        """What a person should know before so many samples are kept, as far as those until now tell."""
        expected = self.size / max(1, self.count) * count
        if expected <= self.most:
            return []
        told = [
            SeglabError(
                "the decoded images take about {size} GB; {memory} GB are kept in memory and the others in a temporary "
                "file, which is deleted when the run ends; {variable} sets how many GB of memory they may take",
                size=gigabytes(expected),
                memory=gigabytes(self.most),
                variable=VARIABLE,
            )
        ]
        with contextlib.suppress(OSError):
            if (free := max(0, on_disk() + self.end)) < expected - self.most:
                told.append(
                    SeglabError(
                        "{folder}: the disk has {free} GB for decoded images and they need {size} GB; those that do "
                        "not fit are decoded again in every epoch, which takes longer; TMPDIR names another folder",
                        folder=folder(),
                        free=gigabytes(free),
                        size=gigabytes(expected - self.most),
                    )
                )
        return told

    def problems(self) -> list[SeglabError]:
        """What went wrong until now."""
        if not self.refused:
            return []
        return [
            SeglabError(
                "{folder}: the disk has no more room for decoded images; those that do not fit are decoded again in "
                "every epoch, which takes longer",
                folder=folder(),
            )
        ]


def on_disk() -> int:
    """The bytes that the disk still has for the file."""
    return shutil.disk_usage(folder()).free - SPARE


def buffer(array: np.ndarray) -> memoryview:
    """The bytes of a contiguous array."""
    return memoryview(array.reshape(-1).view(np.uint8).data)


def gigabytes(size: float) -> str:
    return f"{size / 2**30:.1f}"
