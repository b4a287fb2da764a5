"""How people know a run: its short name, its color, and whose it is; a file in its directory, beside what it computes.

Names and colors are given from what the home of runs has counted, so that a run's never changes with its company.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import unicodedata
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from seglab import locks
from seglab.errors import SeglabError
from seglab.runs.directory import CHECKPOINTS, home, short_name, write, writing

FILE = "label.json"
COUNTS, LOCK = ".counts.json", ".counts.lock"
LONGEST = 40  # characters of a name, and of a nickname
MOST_OWNERS = 2000  # that are remembered; those who had their turn longest ago are forgotten
COLORS, OWN = 8, 5  # of draw.LINES; the first of them are people's, the others those of the runs that come with seglab
PATIENCE = 30.0  # seconds that a step under the lock may take, on a slow disk
# control and direction marks, and halves of characters, which no file can hold
HIDDEN = re.compile(r"[\x00-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2060-\u206f\ufeff\ud800-\udfff]")


class Owner(BaseModel):
    """Whose a run is: a nickname, and what tells two of the same nickname apart, which no one can act with."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    key: Annotated[str, Field(pattern="^[0-9a-f]{16}$")]
    nickname: Annotated[str, Field(max_length=LONGEST)] = ""


class Label(BaseModel):
    """`stroke` is the place of the run's line among the colors and dashes of `draw.stroke`."""

    model_config = ConfigDict(frozen=True)

    name: Annotated[str, Field(min_length=1, max_length=LONGEST)]
    stroke: Annotated[int, Field(ge=0)] = 0
    owner: Owner | None = None


def counted_under(owner: Owner | None) -> str:
    """What an owner's runs are counted under; runs without one are one person's."""
    return owner.key if owner else ""


def owner_of(token: str, nickname: str = "") -> Owner:
    """Who holds a token, which only their browser knows."""
    return Owner(key=hashlib.sha256(token.encode()).hexdigest()[:16], nickname=readable(nickname))


def readable(text: str) -> str:
    """What a person typed, on one line, without marks that cannot be seen, and not too long."""
    return " ".join(HIDDEN.sub(" ", unicodedata.normalize("NFC", text)).split())[:LONGEST].strip()


def label(directory: Path) -> Label:
    """A run's label. One that has none, as those that come with seglab and those of older versions, or a damaged one,
    goes by its directory's name."""
    path = directory / FILE
    try:
        stat = path.stat()
        return written(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, ValueError):
        return Label(name=short_name(directory)[:LONGEST], stroke=stroke_of(directory))


@lru_cache(maxsize=4096)
def written(path: Path, changed: int, size: int) -> Label:
    """What a label's file holds; raises ValueError where it is damaged."""
    return Label.model_validate_json(path.read_bytes())


@lru_cache(maxsize=4096)
def stroke_of(directory: Path) -> int:
    """A color for a run that was given none: of those that come with seglab in their order, of others by their name."""
    if directory.parent == CHECKPOINTS:
        names = sorted(path.parent.name for path in CHECKPOINTS.glob("*/config.json"))
        return OWN + names.index(directory.name) % (COLORS - OWN)
    return next_stroke(int(hashlib.sha256(directory.name.encode()).hexdigest(), 16) % (3 * OWN))


def next_stroke(count: int) -> int:
    """The place of the stroke of an owner's next run: where the colors are used up they begin again, dashed."""
    return count % OWN + COLORS * (count // OWN)


def rename(directory: Path, name: str) -> Label:
    """Gives a run another short name; its directory stays."""
    cleaned = readable(name)
    if not cleaned:
        raise SeglabError("name: {name} is not allowed; allowed: 1 to {most} characters", name=repr(name), most=LONGEST)
    new = label(directory).model_copy(update={"name": cleaned})
    with writing(directory):
        write(directory / FILE, new.model_dump_json().encode())
    return new


class Counts(BaseModel):
    """What a home of runs has counted: `made` runs, `queued` places in the queue, `turns` in it that began; and for
    each owner by their key, how many runs they have and at which turn they last had theirs."""

    made: int = 0
    queued: int = 0
    turns: int = 0
    owners: dict[str, tuple[int, int]] = {}
    _written: str = PrivateAttr("")  # what the home has of them

    def keep(self, folder: Path) -> None:
        """Writes them where they have changed, so that what is numbered by them can be shown."""
        if (now := self.model_dump_json()) != self._written:
            write(folder / COUNTS, now.encode())
            self._written = now

    def label(self, name: str, owner: Owner | None = None, numbered: bool = True) -> Label:
        """The label of one more run; its color is the next of its owner's."""
        self.made += 1
        key = counted_under(owner)
        had, turn = self.owners.get(key, (0, 0))
        self.owners[key] = had + 1, turn
        end = f" #{self.made}" if numbered else ""
        return Label(name=readable(name)[: LONGEST - len(end)].strip() + end, stroke=next_stroke(had), owner=owner)

    def place(self) -> int:
        """The next place at the end of the queue."""
        self.queued += 1
        return self.queued

    def begin(self, key: str) -> None:
        """Notes that a run of this owner's begins."""
        self.turns += 1
        self.owners[key] = self.owners.get(key, (0, 0))[0], self.turns
        while len(self.owners) > MOST_OWNERS:
            del self.owners[min(self.owners, key=lambda each: self.owners[each][1])]

    def turn(self, key: str) -> int:
        """When a run of this owner's last began; 0 for never."""
        return self.owners.get(key, (0, 0))[1]


def counts(folder: Path | None = None) -> Counts:
    """What a home has counted; where that is lost or damaged, what the runs in it tell."""
    folder = home() if folder is None else folder
    try:
        return Counts.model_validate_json((folder / COUNTS).read_bytes())
    except (OSError, ValueError):
        return recounted(folder)


def recounted(folder: Path) -> Counts:
    """What the runs in a home tell of what it has counted."""
    found = Counts()
    for path in folder.glob(f"*/{FILE}"):
        found.made += 1
        key = counted_under(label(path.parent).owner)
        found.owners[key] = found.owners.get(key, (0, 0))[0] + 1, 0
    for path in folder.glob("*/queued"):
        with contextlib.suppress(OSError, ValueError):
            found.queued = max(found.queued, int(path.read_text(encoding="ascii").split()[0]))
    return found


@contextlib.contextmanager
def counting(folder: Path | None = None) -> Iterator[Counts]:
    """Holds a home's counts for this process, so that what is checked and what is done are one step; writes them where
    the step changed them, also where it failed."""
    folder = home() if folder is None else folder
    with writing(folder), contextlib.ExitStack() as stack:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            stack.enter_context(locks.held(folder / LOCK, seconds=PATIENCE))
        except TimeoutError:
            raise SeglabError("the runs in {folder} are busy: another program holds them", folder=str(folder)) from None
        found = counts(folder)
        found._written = found.model_dump_json()
        try:
            yield found
        finally:
            found.keep(folder)
