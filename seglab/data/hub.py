"""Data sets of the Hugging Face Hub, with images and masks in parquet files: fetched once, then a folder."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import yaml
from pydantic import AfterValidator, Field

from seglab import hub
from seglab.data.archives import locked
from seglab.data.folder import Folder, Report, report
from seglab.data.images import printable
from seglab.data.naming import meaning
from seglab.data.pairs import Root, few, place_of
from seglab.data.parquet import ending_of, pairs, pyarrow
from seglab.errors import SeglabError
from seglab.places import shared

ORIGIN, UNFINISHED = ".origin.json", ".unfinished.json"  # in the folder: where it is from, and what is there so far
CONVERTED = "refs/convert/parquet"  # the branch with what the hub itself has made of other files
CLASSES, CARD = "id2label.json", "README.md"
MOST_TEXT = 2**20  # bytes of either
MOST_ROWS = 200_000
SPARE = 2**30  # bytes that are left on the disk
KINDS = ("images", "masks")
SHARD = re.compile(r"(?P<name>.+?)(-\d{5}-of-\d{5}.*)?")  # train-00000-of-00003-0123456789abcdef


def _plain(name: str) -> str:
    """A name of a repository, or none; raises ValueError for others."""
    if name:
        try:
            hub.refuse_odd(name)
        except SeglabError as error:
            raise ValueError(str(error)) from None
    return name


def _offered(name: str) -> Any:
    """The page offers a choice where data sets are here that were downloaded with one."""

    def add(schema: dict[str, Any]) -> None:
        if found := sorted({each.choices[name] for each in all_here()} - {schema.get("default", "")}):
            schema["examples"] = found

    return Field(max_length=100, pattern=r"^([\w][\w ./+-]*)?$", json_schema_extra=add)


def all_here() -> list[Origin]:
    """The data sets that are below $SEGLAB_DATA, as far as all who use this server may see them."""
    home = os.environ.get("SEGLAB_DATA")
    found = [origin_of(path.parent) for path in sorted(Path(home).glob(f"hub/*/{ORIGIN}"))] if home else []
    return [each for each in found if each]


def origin_of(folder: Path) -> Origin | None:
    """Where a folder's files come from; None for another folder, and for what not all who use this server may see."""
    try:
        known = Origin(**json.loads((folder / ORIGIN).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None
    return None if known.private and shared() else known


class Hub(Folder):
    """A data set of the Hugging Face Hub, with columns of images and of masks in parquet files.

    Nothing is fetched until `python -m seglab data --data hub --data.id OWNER/NAME --download` asks for it, and no
    program of the data set is run. Images and masks are written as files to a folder, and read from there as those of
    `folder` are. Class names come from the data set's `id2label.json`, or from `classes`.

    Columns and splits are found by their names: `train` and one called validation, val or the like. Without the latter,
    `val_fraction` of the training pairs are used for validation; `test` is left out.

    Source: https://huggingface.co/docs/hub/datasets
    """

    name = "hub"
    root: Annotated[
        Root | None, Field(description="folder that it is written to; default: one below $SEGLAB_DATA/hub")
    ] = None
    id: Annotated[
        str, _offered("id"), AfterValidator(_plain), Field(description="the data set on the hub: OWNER/NAME")
    ] = ""
    revision: Annotated[str, _offered("revision"), Field(description="branch, tag or commit; default: main")] = ""
    subset: Annotated[
        str, _offered("subset"), Field(description="which of its configurations, where it has several")
    ] = ""
    image: Annotated[str, _offered("image"), Field(description="column of the images; default: found by its name")] = ""
    mask: Annotated[str, _offered("mask"), Field(description="column of the masks; default: found by its name")] = ""
    train: Annotated[str, _offered("train"), Field(description="split to learn from")] = "train"
    validation: Annotated[
        str,
        _offered("validation"),
        Field(description="split for validation; default: the one that is called so, or a part of train"),
    ] = ""
    reduce_labels: Annotated[bool, Field(description="0 in masks is void and 1 the first class, as in ADE20K")] = False

    @property
    def choices(self) -> dict[str, str]:
        """What decides which files there are."""
        names = ("id", "revision", "subset", "image", "mask", "train", "validation")
        return {name: getattr(self, name) for name in names}

    @property
    def folder(self) -> Path:
        """Where its files are; raises SeglabError without a data set or a place for it."""
        if not self.id:
            raise SeglabError("hub: no data set was given; --data.id OWNER/NAME names one")
        if self.root:
            return self.root
        given = [value for name, value in self.choices.items() if value != type(self).model_fields[name].default]
        return place_of(self.name, self.command) / "--".join(value.replace("/", "--") for value in given)

    @property
    def command(self) -> str:
        """What fetches it."""
        return f"`python -m seglab data --data hub --data.id {self.id} --download`"

    @property
    def origin(self) -> Origin | None:
        """Where the files that are here come from; None where they are not, or are not to be seen by all who use this
        server."""
        try:
            known = origin_of(self.folder)
        except SeglabError:
            return None
        return known if known and known.choices == self.choices else None

    @property
    def here(self) -> bool:
        return self.origin is not None

    @classmethod
    def any_here(cls) -> bool:
        return bool(all_here())

    @property
    def private(self) -> bool:  # type: ignore[override]
        """Whether it is not known to be public."""
        return self.origin is None or self.origin.private

    def report(self) -> Report:
        folder, origin = self.folder, self.origin
        if origin is None:
            raise SeglabError(
                "{id} is not here: {command} downloads it to {folder}",
                id=self.id,
                command=self.command,
                folder=printable(str(folder)),
            )
        told = SeglabError(
            "{id} of the hub, commit {commit}; license: {license}",
            id=self.id,
            commit=origin.commit[:12],
            license=origin.license or "?",
        )
        reading = self.classes, self.val_fraction, self.values, self.drawn_on
        return report(folder, *reading, reduced=self.reduce_labels, told=[told])

    def download(self) -> Path:
        """Fetches the parquet files one after the other and writes what they hold as files; one that was broken off
        goes on. How much it is and its license are told on stderr first."""
        folder = self.folder
        if self.origin:
            return folder
        others = os.path.isdir(folder) and any(not path.name.startswith(".") for path in folder.iterdir())
        if others and not os.path.isfile(folder / UNFINISHED):
            raise SeglabError(
                "{folder} holds other files; give another folder with --data.root, or delete it",
                folder=printable(str(folder)),
            )
        pyarrow()
        found, splits = located(self.id, self.revision, self.subset)
        val = validation(splits, self.validation)
        parts = {"train" if val else "": chosen(splits, self.train), "val": val}
        sizes = {name: found.files[name].size for part in parts.values() for name in part}
        refuse_full(folder, sum(sizes.values()) + max(sizes.values()))
        size = f"{sum(sizes.values()) / 1e9:.1f} GB"
        print(f"seglab: {self.id}: {size} from {hub.endpoint()} to {printable(str(folder))}", file=sys.stderr)
        license = of_card(found)
        print(f"seglab: license: {license or 'not told'}", file=sys.stderr, flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        with locked(folder):
            if self.origin:  # another process has fetched it meanwhile
                return folder
            rows = Rows(folder, Origin(self.choices, found.commit, found.private or found.gated, license))
            for part, shards in parts.items():
                for name in shards:
                    rows.take(found, name, part, self.image, self.mask)
            if CLASSES in found.files:
                hub.fetch(found, [CLASSES], folder, MOST_TEXT, hub.login())
            rows.finish()
        return folder


@dataclass(frozen=True)
class Origin:
    """Where a folder's files come from; `private` is what not everybody gets, such as a gated data set."""

    choices: dict[str, str]
    commit: str
    private: bool
    license: str


# --- which files


def located(name: str, revision: str, subset: str) -> tuple[hub.Repository, dict[str, list[str]]]:
    """The data set on the hub, and its parquet files by split; of one without them, what the hub has made of it."""
    for tried in [revision] if revision else ["main", CONVERTED]:
        try:
            found = hub.look_up(name, tried, "dataset", hub.login())
        except SeglabError as error:  # main may be there without the other
            if tried != CONVERTED or isinstance(error, hub.UnreachableError):
                raise
            break
        if files := found.named("*.parquet"):
            return found, splits_of(name, files, subset)
    raise SeglabError("{id} has no parquet files; only data sets that have them can be read", id=name)


def splits_of(name: str, files: Sequence[str], subset: str) -> dict[str, list[str]]:
    """Parquet files by split, of one subset: data/train-00000-of-00003.parquet, SUBSET/train/0000.parquet ..."""
    subsets: dict[str, dict[str, list[str]]] = {}
    for file in files:
        *folders, last = file.removesuffix(".parquet").split("/")
        if last.isdigit() and folders:
            last = folders.pop()
        match = SHARD.fullmatch(last)
        split = match["name"].removeprefix("partial-") if match else last
        subsets.setdefault("/".join(folders), {}).setdefault(split, []).append(file)
    if subset in subsets:
        return subsets[subset]
    if not subset and len(subsets) == 1:
        return next(iter(subsets.values()))
    usual = [each for each in ("default", "data", "") if each in subsets]
    if not subset and usual:
        return subsets[usual[0]]
    raise SeglabError(
        "{id} has several subsets; name one with --data.subset; allowed: {names}", id=name, names=few(sorted(subsets))
    )


def chosen(splits: dict[str, list[str]], name: str) -> list[str]:
    if name not in splits:
        raise SeglabError("there is no split {name}; allowed: {names}", name=name, names=few(sorted(splits)))
    return splits[name]


def validation(splits: dict[str, list[str]], name: str) -> list[str]:
    """The files of the split for validation, named or found; none where there is none."""
    if name:
        return chosen(splits, name)
    found = [each for each in splits if meaning(each).split == "val"]
    return splits[found[0]] if found else []


def of_card(found: hub.Repository) -> str:
    """The license that the data set's card tells."""
    if CARD not in found.files or found.files[CARD].size > MOST_TEXT:
        return ""
    text = (hub.fetch(found, [CARD], None, MOST_TEXT, hub.login()) / CARD).read_text(encoding="utf-8", errors="replace")
    try:
        head = yaml.safe_load(text.split("---")[1]) if text.startswith("---") else {}
    except (yaml.YAMLError, IndexError):
        return ""
    told = head.get("license") if isinstance(head, dict) else None
    given = told if isinstance(told, list) else [told]
    return printable(", ".join(each for each in given if isinstance(each, str)))[:100]


# --- what is in them


class Rows:
    """The images and masks of parquet files, written to a folder as they come, a row at a time."""

    def __init__(self, folder: Path, origin: Origin):
        self.folder, self.origin = folder, origin
        self.done: dict[str, int] = {}  # how many rows each file has that has been taken
        try:
            known = json.loads((folder / UNFINISHED).read_text(encoding="utf-8"))
            self.done = known["done"] if known["origin"] == asdict(origin) else {}
        except (OSError, ValueError, KeyError, TypeError):
            pass
        if not self.done:  # of another commit, say
            for kind in KINDS:
                shutil.rmtree(folder / kind, ignore_errors=True)
            self.say(UNFINISHED, {"origin": asdict(origin), "done": {}})

    def take(self, found: hub.Repository, name: str, part: str, image: str, mask: str) -> None:
        """Fetches a file, writes what it holds, and deletes it; nothing where that has been done."""
        if name in self.done:
            return
        beside = self.folder / ".parquet"
        try:
            path = hub.fetch(found, [name], beside, found.files[name].size, hub.login()) / name
            self.done[name] = self.write(path, name, part, sum(self.done.values()), image, mask)
            self.say(UNFINISHED, {"origin": asdict(self.origin), "done": self.done})
        except OSError as error:
            raise SeglabError(
                "{folder}: {reason}; the same command continues where it stopped",
                folder=printable(str(self.folder)),
                reason=error.strerror or str(error),
            ) from None
        shutil.rmtree(beside)

    def write(self, path: Path, name: str, part: str, first: int, image: str, mask: str) -> int:
        """Writes the rows of a file, which follow so many others; gives how many it has."""
        for kind in KINDS:
            (self.folder / kind / part).mkdir(parents=True, exist_ok=True)
        row = first
        for pair in pairs(path, name, image, mask):
            if row == MOST_ROWS:
                raise SeglabError("{id} has more than {most} images", id=self.origin.choices["id"], most=MOST_ROWS)
            for kind, content in zip(KINDS, pair, strict=True):
                ending = ending_of(content, f"{name}, row {row - first}, {kind}")
                (self.folder / kind / part / f"{row:06}.{ending}").write_bytes(content)
            row += 1
        return row - first

    def finish(self) -> None:
        self.say(ORIGIN, asdict(self.origin))
        (self.folder / UNFINISHED).unlink(missing_ok=True)

    def say(self, name: str, what: dict[str, Any]) -> None:
        beside = self.folder / f"{name}.new"
        beside.write_text(json.dumps(what), encoding="utf-8")
        os.replace(beside, self.folder / name)


def refuse_full(folder: Path, size: int) -> None:
    """Raises SeglabError where the disk has no room for so many bytes."""
    there = next(path for path in (folder, *folder.parents) if path.is_dir())
    free = shutil.disk_usage(there).free - SPARE
    if size > free:
        raise SeglabError(
            "{folder}: the disk has {free} GB for the data set, which needs {size} GB",
            folder=printable(str(folder)),
            free=f"{max(0, free) / 1e9:.1f}",
            size=f"{size / 1e9:.1f}",
        )
