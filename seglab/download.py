"""Files from the network: answers that come in seconds or not at all, a progress bar, and no second beginning."""

from __future__ import annotations

import hashlib
import queue
import re
import threading
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ANSWER_SECONDS = 4  # for a name to resolve, a connection, its encryption and the first bytes, together
STALL_SECONDS = 20  # in which a download must give something
CHUNK = 1 << 18


def download(url: str, path: Path, algorithm: str = "sha256") -> str:
    """Writes what an address gives to a file, with a progress bar on stderr; gives the whole file's digest.

    A file that is there is taken for the beginning; a server that cannot go on from there gives everything again.
    """
    from tqdm import tqdm

    digest = hashlib.new(algorithm, usedforsecurity=False)
    have = path.stat().st_size if path.exists() else 0
    answer = opened(url, have)
    if answer.status != 206:
        have = 0
    with answer, path.open("ab" if have else "wb+") as file:
        left = int(answer.headers["Content-Length"] or 0)
        total = have + left if left else None
        with tqdm(
            desc=urlsplit(url).netloc, total=total, initial=have, unit="B", unit_scale=True, unit_divisor=1024
        ) as bar:
            while chunk := answer.read(CHUNK):
                file.write(chunk)
                bar.update(len(chunk))
            if total and bar.n != total:
                raise OSError(f"the connection ended after {bar.n} of {total} bytes")
    with path.open("rb") as file:
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def last_shown(log: Path) -> tuple[str, int] | None:
    """The address's host and the percentage of a download whose progress bar is the last thing in a log; else None."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - 1000))
            shown = re.split(r"[\r\n]", file.read().decode(errors="replace").rstrip())[-1]
    except OSError:
        return None
    found = re.match(r"(\S+): +(\d+)%\|", shown)
    return (found[1], int(found[2])) if found else None


def opened(url: str, start: int = 0) -> Any:
    """The answer to a request for what follows the first `start` bytes; raises OSError when none comes in time,
    however its waiting looks.

    A thread asks, because the look-up of a name heeds no timeout and each address of a host waits for one of its own.
    """
    answers: queue.Queue[Any] = queue.Queue()

    def ask() -> None:
        try:
            wanted = {"Range": f"bytes={start}-"} if start else {}
            request = urllib.request.Request(url, headers={"User-Agent": "seglab"} | wanted)
            answers.put(urllib.request.urlopen(request, timeout=STALL_SECONDS))
        except Exception as error:
            answers.put(error)

    threading.Thread(target=ask, daemon=True).start()
    try:
        answer = answers.get(timeout=ANSWER_SECONDS)
    except queue.Empty:
        raise TimeoutError(f"no answer within {ANSWER_SECONDS} seconds") from None
    if isinstance(answer, urllib.error.HTTPError):
        if start and answer.code == 416:  # nothing follows: the file is whole, or not that of the address
            return opened(url)
        raise OSError(f"HTTP {answer.code}")
    if isinstance(answer, Exception):
        raise answer
    return answer
