"""A finished run made fit to leave this machine: what only resuming needs stays here, and so does what is private."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from pathlib import Path
from typing import Any

import safetensors.torch

from seglab.config import RunConfig
from seglab.entry import FAMILIES, Options, along, kinds_in, validated
from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, Finished, Sentence, Started
from seglab.runs.best import weights
from seglab.runs.directory import append, config, description, events, home, status, write
from seglab.runs.hashes import hashes_of_shipped, sha256
from seglab.runs.shipment import SHIPPED, Shipped, shipped

RECORDS = ("config.json", "dataset.json", "events.jsonl", "weights.safetensors", "evaluation.npz")
PICTURES = re.compile(r"probabilities\.npz|(predictions|truth)/\d{4,}\.png|samples/epoch_\d+(\.\d+)?/\d{4,}\.png")
KNOWN = ("classes", "colors", "digests", "images", "samples", "pictures", "learned", "span")  # in dataset.json
# What values in sentences on private data may be: words of the configuration and the classes, or plain numbers
WORDED = ("classes", "decoder", "encoder", "loss", "model", "option", "technique", "techniques", "terms", "weights")
COUNTED = (
    "all", "at_once", "batch_size", "code", "count", "high", "labeled", "low", "lr", "middle", "most", "rates", "share",
    "side", "signal", "step", "stride", "train", "val", "weight",
)  # fmt: skip
NUMBERS = re.compile(r"[\d.,:%×x–+\-e ]*|nan|inf")
ABSOLUTE = re.compile(r"(?<![\w/.…])(~[\w.-]*/|/|[A-Za-z]:[\\/]|\\\\)[^\s/\\]|file:/")
WITHHELD = "…"


def ship(directory: Path, target: Path, names: bool = False, pictures: bool = False) -> Shipped:
    """Copies a finished run to a new directory with its weights in float16, and without what only resuming needs; gives
    what left with it.

    No folder of this machine goes along. Of private data (`Dataset.private`) neither do the names of images, which
    become numbers, nor pictures, unless they are asked for.
    """
    if not status(directory).over:
        raise SeglabError("{run} is not finished yet", run=directory.name)
    settings, what = config(directory), manifest(directory, names, pictures)
    refuse_adopted(settings, directory.name)
    bare = emptied(settings)
    try:
        target.mkdir(parents=True)
    except FileExistsError:
        raise SeglabError("{target} already exists", target=str(target)) from None
    try:
        fill(target, directory, bare, what)
    except BaseException:
        shutil.rmtree(target, ignore_errors=True)
        raise
    return what


def refuse_adopted(settings: RunConfig, run: str) -> None:
    """Raises SeglabError for a network of others, whose license says who may hand it on."""
    if not settings.model.trains:
        raise SeglabError(
            "the weights of {run} are those of {source} and do not leave this machine by seglab; whoever wants them "
            "takes them from there: seglab adopt",
            run=run,
            source=settings.model.title,
        )


def fill(target: Path, directory: Path, bare: RunConfig, what: Shipped) -> None:
    """Writes what leaves of a run to a new directory, with the configuration `bare` of folders."""
    known = description(directory)
    state = {name: value.half() if value.is_floating_point() else value for name, value in weights(directory).items()}
    content = safetensors.torch.save(state, {"format": "pt"})  # by which the hub counts parameters
    sha = sha256(content)
    numbered = public(known, what.names)
    written = {
        "config.json": bare.model_dump_json(indent=1).encode(),
        "dataset.json": json.dumps(numbered, indent=1, ensure_ascii=False).encode(),
    }
    for name, text in written.items():
        write(target / name, text)
    write(target / SHIPPED, what.model_dump_json(indent=1, exclude_none=True).encode())
    write(target / "weights.safetensors", content)
    for event in leaving(directory, bare, what.names, hashes_of_shipped(*written.values())):
        if isinstance(event, Evaluated) and event.best:
            event = event.model_copy(update={"weights_sha256": sha})
        append(target, event)
    for name in files(directory):
        if name == "evaluation.npz" or (what.pictures and PICTURES.fullmatch(name)):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(directory / name, target / name)


def public(known: dict, names: bool, keys: Collection[str] = KNOWN) -> dict:
    """What may leave of a run's description, with the names of images or without."""
    found = {key: value for key, value in known.items() if key in keys}
    return found if names else found | {"images": numbers(known["images"])}


def leaving(directory: Path, bare: RunConfig, names: bool, hashes: dict[str, str]) -> Iterator[Event]:
    """A run's events as they may leave, with the configuration `bare` of folders: with the hashes of the files that
    leave with them, and without what is private."""
    settings = config(directory)
    placed = placeless(settings)
    harmless = placed if names else impersonal(bare, description(directory), placed)
    options = folder_options(*kinds_in(settings))
    for event in events(directory):
        if isinstance(event, Started):
            event = event.model_copy(update={"loss": without_folders(event.loss, options), "files": hashes})
        yield without(event, harmless)


def manifest(directory: Path, names: bool, pictures: bool) -> Shipped:
    """What leaves with a run when names and pictures of private data are asked for, or not; public data's always do,
    and what did not come with a run cannot leave with it."""
    private, earlier = config(directory).data.private, shipped(directory)
    return Shipped(
        names=not private or (names and (earlier is None or earlier.names)),
        pictures=not private or (pictures and (earlier is None or earlier.pictures)),
        private=private,
        brought=bool(earlier and earlier.brought),
    )


def files(directory: Path) -> list[str]:
    """The files of a run, without what only resuming needs and what others have put there: paths below it, sorted."""
    found = [name for name in (*RECORDS, SHIPPED) if (directory / name).is_file()]
    inside = [path.relative_to(directory).as_posix() for path in directory.rglob("*.*") if path.is_file()]
    return sorted({*found, *(name for name in inside if PICTURES.fullmatch(name))})


# --- the configuration and the images' names


def folder_options(*own: type[Options]) -> frozenset[str]:
    """The names of all options of seglab's entries that hold paths, those of a run, and those of others."""
    kinds: list[type[Options]] = [
        RunConfig,
        *own,
        *(entry for family in FAMILIES.values() for entry in family.entries.values()),
    ]
    return frozenset(
        name for kind in kinds for name, field in kind.model_fields.items() if "Path" in str(field.annotation)
    )


def without_folders(value: Any, options: Collection[str]) -> Any:
    """A configuration's data with no path in it: neither in these options, nor any other absolute one."""
    if isinstance(value, dict):
        return {name: None if name in options else without_folders(inner, options) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [without_folders(inner, options) for inner in value]
    return None if isinstance(value, Path) or (isinstance(value, str) and ABSOLUTE.match(value)) else value


def emptied(settings: RunConfig) -> RunConfig:
    """The configuration with every path empty: data.root, init_from, teachers, and what entries of one's own have."""
    try:
        with along(tuple(kinds_in(settings))):  # entries of the run's own, too
            return validated(RunConfig, without_folders(settings.model_dump(), folder_options()))
    except SeglabError as error:
        raise SeglabError("the run cannot leave this machine without its folders: {reason}", reason=error) from None


def numbers(images: dict[str, list[str]]) -> dict[str, list[str]]:
    """The images numbered over all parts, the same image everywhere with the same number."""
    known: dict[str, str] = {}
    for name in (name for names in images.values() for name in names):
        known.setdefault(name, f"{len(known):04}")
    return {part: [known[name] for name in names] for part, names in images.items()}


# --- what is told in sentences

Harmless = Callable[[str, str], bool]  # whether a sentence may have this value under this name


def without(event: Event, harmless: Harmless) -> Event:
    """The event with values in its sentences withheld that are not harmless."""
    if isinstance(event, Started | Evaluated):
        return event.model_copy(update={"notes": [withheld(note, harmless) for note in event.notes]})
    if isinstance(event, Finished) and event.why:
        return event.model_copy(update={"why": withheld(event.why, harmless)})
    return event


def withheld(sentence: Sentence, harmless: Harmless) -> Sentence:
    if not harmless("", sentence.template):
        return Sentence(template=WITHHELD)
    values: dict[str, str | Sentence] = {}
    for name, value in sentence.values.items():
        if isinstance(value, Sentence):
            values[name] = withheld(value, harmless)
        else:
            values[name] = value if harmless(name, value) else WITHHELD
    return Sentence(template=sentence.template, values=values)


def placeless(settings: RunConfig) -> Harmless:
    """Only texts without any folder of this machine are harmless."""
    folders = list(filter(lambda folder: len(folder) > 3, {*map(str, here()), *map(str, paths(settings.model_dump()))}))
    return lambda _, text: not ABSOLUTE.search(text) and not any(folder in text for folder in folders)


def here() -> Iterator[Path]:
    """The folders of this machine that texts may have in them."""
    yield from (home(), Path.cwd(), Path(tempfile.gettempdir()), Path(__file__).parents[2])
    with contextlib.suppress(RuntimeError):
        yield Path.home()
    yield from (Path(os.environ[name]) for name in ("SEGLAB_DATA", "SEGLAB_HOME", "SEGLAB_KEEP") if name in os.environ)


def paths(value: Any) -> Iterator[Path]:
    """Every path in a configuration's data."""
    if isinstance(value, Path):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from paths(inner)


def impersonal(bare: RunConfig, known: dict, placeless: Harmless) -> Harmless:
    """Only what the configuration, the classes and plain numbers can say is harmless: no name of a file is among it."""
    words = set(re.findall(r"\w+", json.dumps([bare.model_dump(mode="json"), known["classes"]], ensure_ascii=False)))
    named = {name for names in known["images"].values() for name in names if len(name) > 2}

    def harmless(name: str, text: str) -> bool:
        if not name:  # a sentence without its values
            return placeless(name, text) and not any(image in text for image in named)
        if name in COUNTED and NUMBERS.fullmatch(text):
            return True
        return name in WORDED and all(word in words or NUMBERS.fullmatch(word) for word in re.findall(r"[\w.]+", text))

    return harmless
