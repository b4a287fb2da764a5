"""A run that is worked on on another machine: what it takes along, and what comes back with each of its events.

What comes back is written by the same steps as on the machine that trains, each file before the event that announces
it: whoever reads the run here sees what they would see there, and killed at any moment it can be resumed.
"""

from __future__ import annotations

import contextlib
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, Started, from_line, to_line
from seglab.places import home
from seglab.runs import kept, own
from seglab.runs.directory import append, config, last_word, write
from seglab.runs.evidence import epoch_text
from seglab.runs.finding import find
from seglab.runs.hashes import located
from seglab.runs.recording import announce_best, announce_start, appearing
from seglab.runs.shipment import SHIPPED
from seglab.runs.snapshots import DIGEST, STATE, folder_of, keep, snapshots

LOG = "log.txt"
OF_RUN = ("config.json", own.FILE, "dataset.json", "events.jsonl", "last")
OF_NEEDED = ("config.json", own.FILE, "dataset.json", "events.jsonl", "weights.safetensors", SHIPPED)

Files = dict[str, bytes]  # by their paths


@dataclass
class Luggage:
    """What a run takes along: files by their paths below a home of its own, where folders of its configuration are
    there, and the entries that it may run."""

    run: str
    files: Files = field(default_factory=dict)
    places: dict[str, str] = field(default_factory=dict)
    entries: list[bytes] = field(default_factory=list)

    def add(self, directory: Path, place: str, names: Iterable[str]) -> None:
        """Packs those of these files of a run that are there."""
        for name in names:
            with contextlib.suppress(FileNotFoundError):
                self.files[f"{place}/{name}"] = located(directory, name).read_bytes()
        if entries := own.written_here(directory, home()):
            self.entries.append(entries)


def packed(directory: Path) -> Luggage:
    """What a run needs elsewhere: itself as it stands, the runs that it needs, and images that lie below the home of
    runs, as those that visitors of the page send."""
    settings, luggage = config(directory), Luggage(directory.name)
    states = [f"{folder.name}/{name}" for folder in snapshots(directory).values() for name in (STATE, DIGEST)]
    luggage.add(directory, directory.name, [*OF_RUN, *states])
    for n, run in enumerate(settings.needs):
        with contextlib.suppress(SeglabError):  # deleted, and perhaps not needed any more: the run itself will say
            needed = find(run)
            kept.fetch(needed)
            luggage.places[str(run)] = place = f".needed/{n}/{needed.name}"
            luggage.add(needed, place, OF_NEEDED)
    root = getattr(settings.data, "root", None)
    if root is not None and root.is_relative_to(home()):
        luggage.places[str(root)] = root.relative_to(home()).as_posix()
        for path in root.rglob("*"):
            if path.is_file():
                luggage.files[path.relative_to(home()).as_posix()] = path.read_bytes()
    return luggage


def unpacked(luggage: Luggage, place: Path) -> tuple[Path, Callable[[Path], Path]]:
    """The run's directory in its home on this machine, and what tells where folders of its configuration are here."""
    for name, content in luggage.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)
    for entries in luggage.entries:
        own.trust(place, entries)

    def here(folder: Path) -> Path:
        return place / luggage.places[str(folder)] if str(folder) in luggage.places else folder

    return place / luggage.run, here


def relayed(stream: Iterable[Event], directory: Path) -> Iterator[tuple[str, Files]]:
    """The lines of a run's events, each with the files that it announces; a mistake comes as the event that records it,
    and is raised where none does."""
    try:
        for event in stream:
            yield to_line(event), dict(announced_by(event, directory))
    except Exception:
        ended = last_word(directory)
        if ended is None or ended.reason != "failed":
            raise
        yield to_line(ended), {LOG: traceback.format_exc().encode()}


def announced_by(event: Event, directory: Path) -> Iterator[tuple[str, bytes]]:
    """The files that belong to an event which has just been recorded, by their paths in the run."""
    names: list[str] = []
    if isinstance(event, Started):
        names = ["dataset.json"] + ["truth"] * (event.resumed_at is None)
    elif isinstance(event, Evaluated):
        names = [f"samples/epoch_{epoch_text(event.epoch)}", f"{folder_of(directory, event.step).name}/{STATE}"]
        if event.best:
            names += ["predictions", "evaluation.npz", "probabilities.npz", "weights.safetensors"]
    for name in names:
        path = directory / name
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            yield file.relative_to(directory).as_posix(), file.read_bytes()


def take_in(directory: Path, line: str, files: Mapping[str, bytes]) -> Event:
    """Records an event of a run that is worked on elsewhere, in the order in which the run recorded it there."""
    event = from_line(line)
    if LOG in files:
        with open(directory / LOG, "ab") as log:
            log.write(files[LOG])
    folders: dict[str, Files] = {}
    for name, content in files.items():
        folders.setdefault(str(Path(name).parent), {})[Path(name).name] = content
    for name, maps in folders.items():
        if name in ("truth", "predictions") or name.startswith("samples/"):
            (directory / name).parent.mkdir(exist_ok=True)
            with appearing(directory / name) as folder:
                for file, content in maps.items():
                    (folder / file).write_bytes(content)
    for name in ("evaluation.npz", "probabilities.npz"):
        if name in files:
            write(directory / name, files[name])
    if isinstance(event, Started):
        announce_start(event, directory, files["dataset.json"])
    elif isinstance(event, Evaluated) and event.best:
        announce_best(event, directory, files["weights.safetensors"])
    else:
        append(directory, event)
    if isinstance(event, Evaluated):
        keep(directory, event.step, files[f"{folder_of(directory, event.step).name}/{STATE}"])
    return event
