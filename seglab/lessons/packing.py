"""Evidence packs: what a lesson needs of its runs, small enough to come with seglab.

A pack is a run without weights: its configuration, a thinned record of its training, the confusion matrix of each
validation image and, of some seeds, the label maps. What runs have in common stands once in the folder's `shared`:
descriptions of the data by their sha256, true masks by the digest of the images. Photographs are not in it: streets are
drawn again from their names.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from seglab import runs
from seglab.comparison.readings import SHIPPED as READINGS
from seglab.comparison.readings import Reading
from seglab.errors import SeglabError
from seglab.events import Event, Stepped, to_line
from seglab.lessons.bench import Bench, name_of
from seglab.lessons.model import Lesson
from seglab.runs import shipping
from seglab.runs.evidence import MAPS, packed, packed_maps, spread
from seglab.runs.hashes import SHARED, hashes_of_shipped, sha256

KNOWN = tuple(key for key in shipping.KNOWN if key not in ("pictures", "learned"))  # in dataset.json
MOST_STEPS = 60  # of a run's reports on single steps, evenly spread
MOST_EPOCHS = 20  # of which label maps of a few images are kept
MOST_BYTES = 2**20  # of a file


def ship(lesson: Lesson, target: Path) -> list[Path]:
    """Writes the packs of all of a lesson's runs, and its readings, below a folder; gives what was written. Raises
    SeglabError where runs are missing, before anything is written."""
    bench = Bench(lesson)
    groups = {key: group for group in lesson.groups.values() for key in group.settings}
    settings = {key: each for key, each in lesson.settings.items() if lesson.has_runs(key)}
    made = [(key, directory) for key, each in settings.items() if each.trained for directory in bench.found(key)]
    readings = [reading for key, each in settings.items() if each.through for reading in bench.side(key).readings]
    if missing := [each.directory.name for each in readings if not each.ready]:
        raise SeglabError("{runs}: not read through the predictors yet; make the lesson first", runs=", ".join(missing))
    written = []
    for key, directory in made:
        seed = runs.config(directory).seed
        written += pack(directory, target, name_of(lesson.name, key, seed), seed in groups[key].maps)
    for reading in readings:
        written.append(shipped_reading(reading, target))
    return written


def refuse_large(files: Mapping[Path, bytes]) -> None:
    """Raises SeglabError for a file that is too large to come with seglab."""
    for file, content in files.items():
        if len(content) > MOST_BYTES:
            raise SeglabError(
                "{file} has {size} bytes; allowed: {most}", file=file.name, size=len(content), most=MOST_BYTES
            )


def pack(directory: Path, target: Path, name: str, maps: bool) -> list[Path]:
    """Writes a run's pack below a folder, in the place of an older one. A pack that is there itself stays."""
    folder = target / name
    if folder.resolve() == directory.resolve():
        return []
    settings, known = runs.config(directory), runs.description(directory)
    what = shipping.manifest(directory, names=False, pictures=False)  # of private data none
    maps = maps and what.pictures and not runs.Evidence(directory).stayed
    bare = shipping.emptied(settings)
    if settings.init_from is not None:
        bare = bare.model_copy(update={"init_from": Path(settings.init_from.name)})
    told = shipping.public(known, what.names, KNOWN)
    texts = {
        "config.json": bare.model_dump_json(indent=1).encode(),
        "dataset.json": json.dumps(told, ensure_ascii=False).encode(),
    }
    shared = target / SHARED
    files = {shared / f"{sha256(texts['dataset.json'])}.json": texts["dataset.json"]}
    inside = {
        "config.json": texts["config.json"],
        "shipped.json": what.model_copy(update={"pictures": maps}).model_dump_json(indent=1).encode(),
        "events.jsonl": thinned(shipping.leaving(directory, bare, what.names, hashes_of_shipped(*texts.values()))),
        "evaluation.npz": packed(val=smallest(runs.Evidence(directory).confusions())),
    }
    if maps:
        evidence = runs.Evidence(directory)
        count = range(len(evidence.names))
        inside[MAPS] = packed_maps(evidence, MOST_EPOCHS)
        truth = shared / f"{known['digests']['val']}.npz"
        files[truth] = packed(**{f"{n}": evidence.truth(n) for n in count})
    refuse_large(files | {folder / each: content for each, content in inside.items()})
    temporary = target / f".{name}"
    shutil.rmtree(temporary, ignore_errors=True)
    for place in (shared, temporary):
        place.mkdir(parents=True, exist_ok=True)
    for each, content in inside.items():
        runs.write(temporary / each, content)
    for path, content in files.items():
        runs.write(path, content)
    runs.replace(temporary, folder)
    return [*files, *(folder / file for file in inside)]


def thinned(events: Iterable[Event]) -> bytes:
    """A run's events without most of its steps."""
    found = list(events)
    kept = set(spread([n for n, each in enumerate(found) if isinstance(each, Stepped)], MOST_STEPS))
    lines = (to_line(event) for n, event in enumerate(found) if n in kept or not isinstance(event, Stepped))
    return "".join(lines).encode()


def smallest(matrices: np.ndarray) -> np.ndarray:
    """The same numbers in as few bytes as hold them."""
    return matrices.astype(np.min_scalar_type(int(matrices.max(initial=0))))


def shipped_reading(reading: Reading, target: Path) -> Path:
    """Copies a reading to a folder's readings; of private data without its label maps."""
    file = target / READINGS / reading.file.name
    if reading.file.resolve() != file.resolve():
        with np.load(reading.file, allow_pickle=False) as arrays:
            names = ("val", "chain") if reading.config.data.private else tuple(arrays)
            found = {name: smallest(arrays[name]) if name == "val" else arrays[name] for name in names}
        content = packed(**found)
        refuse_large({file: content})
        file.parent.mkdir(parents=True, exist_ok=True)
        runs.write(file, content)
    return file
