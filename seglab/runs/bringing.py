"""Runs from elsewhere taken in: a zip that somebody sent, or a repository of the hub.

Nothing of it is believed or executed: `arrival` checks its files and writes them anew. What is taken in becomes a run
in one step, when it is whole.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import zipfile
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath

from seglab import hub, locks, zips
from seglab.data.images import printable
from seglab.errors import SeglabError
from seglab.events import best_of
from seglab.runs.arrival import MOST_BYTES, Arrival, written
from seglab.runs.directory import PLAN, checked, events, every, home, refuse_unwritable, refused, taken, write, writing
from seglab.runs.labels import FILE, LONGEST, Label, readable, stroke_of
from seglab.runs.shipment import SHIPPED, shipped
from seglab.runs.shipping import PICTURES, RECORDS

MOST_ENTRIES = 10_000
MOST_BROUGHT = 4 * 2**30  # of all runs that visitors of the page brought
NUMBERED = re.compile(r"(.*?) (\d+)")
# What a person opens beside a run that was taken away; seglab reads none of them
EXTRAS = ("README.md", "curves.png", "curves.csv", "scores.csv", "masks.png")
WEIGHTS, MAPS = "model.safetensors", "pictures.zip"  # what a repository has for weights.safetensors, and for pictures
RENAMED = {WEIGHTS: "weights.safetensors"}
REQUIRED = ("config.json", "dataset.json", "events.jsonl", WEIGHTS)
OWN_ON_HUB = frozenset({*REQUIRED, "evaluation.npz", SHIPPED, MAPS, *EXTRAS, ".gitattributes"})
LONGEST_TITLE = 60  # of a repository, in the name of a run


def bring(file: Path, name: str | None = None, most_bytes: int = MOST_BYTES) -> tuple[Path, list[SeglabError]]:
    """Takes in the run in a zip; gives its directory in the home, and what a person should know.

    Its name is the one given, or the one that it had, numbered where that is taken. Raises SeglabError for anything
    that is not as it should be; nothing is kept then.
    """
    if not file.is_file():
        raise SeglabError("{file}: there is no such file", file=str(file))
    wanted = checked(name) if name else None
    with arriving() as beside:
        with zips.opened(file, MOST_ENTRIES, most_bytes) as (archive, entries):
            found, title, others = chosen(entries)
            notes = written(Arrival(file.name, in_zip(archive, found)), beside)
        directory = settled(beside, wanted, title or file.stem)
    if others:
        notes.append(SeglabError("files in the zip that are not a run's and were left out: {count}", count=others))
    return directory, notes


def open_hub(
    named: str, token: hub.Token = False, most_bytes: int = MOST_BYTES, most_seconds: float | None = None
) -> tuple[Path, list[SeglabError]]:
    """Takes in the run at hf:OWNER/NAME or hf:OWNER/NAME@REVISION, each commit of it once; gives its directory in the
    home, and what a person should know of one that has just come.

    Raises SeglabError for what is no run and for anything that is not as it should be; nothing is kept then.
    """
    repository = hub.look_up(*hub.parsed(named), token=token)
    directory = home() / called(repository)
    if is_opened(directory, repository):
        return directory, []
    if missing := [name for name in REQUIRED if name not in repository.files]:
        raise SeglabError("{id} has no {file}: it is not a run that seglab pushed", id=repository.id, file=missing[0])
    with arriving() as beside, contextlib.ExitStack() as stack:
        names = repository.named(*RECORDS, SHIPPED, WEIGHTS, MAPS)
        fetched = hub.fetch(repository, names, beside / "fetched", most_bytes, token, most_seconds)
        files = {RENAMED.get(name, name): of_file(fetched / name) for name in names if name != MAPS}
        if MAPS in names:
            archive, entries = stack.enter_context(zips.opened(fetched / MAPS, MOST_ENTRIES, most_bytes))
            files |= in_zip(archive, {name: entry for name, entry in entries if PICTURES.fullmatch(name)})
        run = beside / "run"
        run.mkdir()
        notes = written(Arrival(named, files), run, is_at(repository))
        label = Label(
            name=readable(f"{repository.id[: LONGEST - 8]}@{repository.commit[:7]}"), stroke=stroke_of(directory)
        )
        write(run / FILE, label.model_dump_json().encode())
        try:
            os.rename(run, directory)
        except OSError:
            if not is_opened(directory, repository):  # another process may have opened it meanwhile
                raise refused(directory.name) from None
    return directory, [identified(directory), *notes]


def opened_before(named: str) -> Path | None:
    """The run that hf:OWNER/NAME[@REVISION] was when the hub was asked last; None where that is not here."""
    name, revision = hub.parsed(named)
    repository = hub.remembered(name, revision or "main", "model")
    directory = home() / called(repository) if repository else None
    return directory if repository and directory and is_opened(directory, repository) else None


def called(repository: hub.Repository) -> str:
    """The name in the home of a run that is at a commit of a repository; no other repository's is the same."""
    title = repository.id.replace("/", "+")  # which no name on the hub has
    if len(title) > LONGEST_TITLE:
        title = f"{title[: LONGEST_TITLE - 9]}+{hashlib.sha256(repository.id.encode()).hexdigest()[:8]}"
    return f"{title}+{repository.commit[:10]}"


def is_at(repository: hub.Repository) -> str:
    return f"{repository.id}@{repository.commit}"


def is_opened(directory: Path, repository: hub.Repository) -> bool:
    """Whether this is the run of the repository's commit."""
    known = shipped(directory)
    return known is not None and known.hub == is_at(repository) and (directory / "config.json").is_file()


def identified(directory: Path) -> SeglabError:
    """What tells which run of the hub this is, whatever its repository becomes."""
    known, best = shipped(directory), best_of(events(directory))
    name, _, commit = ((known and known.hub) or "").partition("@")
    return SeglabError(
        "{run} is {id} at commit {commit}; the SHA-256 of its weights is {sha}",
        run=directory.name,
        id=name,
        commit=commit,
        sha=best and best.weights_sha256,
    )


@contextlib.contextmanager
def arriving() -> Iterator[Path]:
    """A new folder of the home that lists do not show, for what is yet to be checked; what killed programs left there
    is deleted."""
    folder = home() / ".arriving"
    refuse_unwritable()
    with writing(home()):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        locks.sweep(folder)
        with locks.new_folder(folder) as beside:
            yield beside


def in_zip(
    archive: zipfile.ZipFile, entries: dict[str, zipfile.ZipInfo]
) -> dict[str, tuple[int, Callable[[], Iterable[bytes]]]]:
    """Files of an open zip as an Arrival has them."""
    return {name: (entry.file_size, partial(zips.chunks, archive, entry, name)) for name, entry in entries.items()}


def of_file(path: Path) -> tuple[int, Callable[[], Iterable[bytes]]]:
    """A file as an Arrival has it."""
    return path.stat().st_size, lambda: [path.read_bytes()]


def refuse_no_room(size: int) -> None:
    """Raises SeglabError where so many bytes more are too many for all runs that were brought here."""
    have = 0
    for directory in every():
        if directory.parent == home() and (known := shipped(directory)) and known.brought:
            have += sum(path.stat().st_size for path in directory.rglob("*") if path.is_file())
    if have + size > MOST_BROUGHT:
        raise SeglabError("there is no room for more runs from elsewhere; delete some of those that were brought here")


def chosen(entries: zips.Entries) -> tuple[dict[str, zipfile.ZipInfo], str, int]:
    """The files of the one run in a zip by their paths below it, the name of its folder, and how many files are not of
    it."""
    tops = [PurePosixPath(name).parent for name, _ in entries if PurePosixPath(name).name == "config.json"]
    if len(tops) != 1:
        raise SeglabError("the zip holds {count} runs; allowed: one, as seglab ship makes it", count=len(tops))
    found, others = {}, 0
    for name, entry in entries:
        path = PurePosixPath(name)
        inside = path.relative_to(tops[0]).as_posix() if path.is_relative_to(tops[0]) else ""
        if inside in RECORDS or inside == SHIPPED or PICTURES.fullmatch(inside):
            found[inside] = entry
        else:
            others += inside not in EXTRAS
    return found, tops[0].name, others


def settled(beside: Path, wanted: str | None, title: str) -> Path:
    """Moves the run to a free name: its configuration last, which makes it one."""
    title = re.sub(r"[^\w .+-]", " ", printable(title)).strip(" .+-")[:70] or "run"
    title = re.sub(f"{re.escape(PLAN)}$", " plan", title)  # that is what files of plans are called
    number = NUMBERED.fullmatch(title)
    title, first = (number[1], int(number[2])) if number else (title, 1)
    for n in range(first, first + 10_000):
        name = wanted or (title if n == 1 else f"{title} {n}")
        directory = home() / name
        if taken(name):
            if wanted:
                raise refused(wanted)
            continue
        try:
            directory.mkdir()
        except FileExistsError:
            continue
        for path in sorted(beside.iterdir(), key=lambda path: path.name == "config.json"):
            path.rename(directory / path.name)
        return directory
    raise refused(title)
