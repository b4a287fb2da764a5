"""Sets in COCO's format as tools export them: the JSON files, their categories, and where the pictures are."""

from __future__ import annotations

import itertools
import json
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from seglab.data.base import VOID
from seglab.data.folder import MOST_CLASSES
from seglab.data.images import SUFFIXES, printable, relative
from seglab.data.pairs import few
from seglab.data.walking import PASSED_OVER
from seglab.errors import SeglabError

KNOWN = (  # what the JSON files of training and validation are usually called
    ("train.json", "val.json"),
    ("annotations/instances_train2017.json", "annotations/instances_val2017.json"),
    ("annotations/train.json", "annotations/val.json"),
)
SINGLE = ("annotations/instances_default.json", "annotations.json", "train_all.json", "train.json")
USUAL = {"annotations.json", "_annotations.coco.json", "result.json", "dataset.json", "coco.json", "train.json"}
ROLES = {
    "train": ("train", "training"),
    "val": ("val", "valid", "validation"),
    "test": ("test", "testing"),
}
OTHERS = ("captions", "image_info", "labels", "panoptic", "person_keypoints", "stuff")  # COCO's other tasks, by name
KEYS = ("images", "annotations", "categories")
DEEP = 2  # folders below the root in which JSON files are looked for
MOST_FILES = 50  # in a folder; where there are more, each belongs to one picture, as Labelme's
BACKGROUND = "background"  # class 0, also where the file has such a category
IGNORED = {"ignore", "void", "unlabeled", "unlabelled"}  # categories whose things count for nothing

Id = int | str


@dataclass(frozen=True)
class Export:
    """A JSON file: what it is called below the root, what made it, and its lists."""

    path: Path
    file: str
    tool: str
    images: list[dict[str, Any]]
    annotations: list[dict[str, Any]]
    categories: list[dict[str, Any]]


# --- which JSON files -----------------------------------------------------------------------------------------------


def chosen(root: Path, val_file: Path | None) -> tuple[Path, Path | None]:
    """The JSON files of training and validation below `root`, the latter if there is one; raises SeglabError where
    there are none, or several and no telling which."""
    for train, usual in KNOWN:
        val = val_file or usual
        if (root / train).is_file() and (val_file or (root / val).is_file()):
            return root / train, root / val
    found = list(_found(root))
    roles: dict[str, list[Path]] = {"": [], "train": [], "val": [], "test": []}
    for path in found:
        roles[_role(path, root)].append(path)
    if val_file:
        roles = {role: [path for path in paths if path != root / val_file] for role, paths in roles.items()}
        roles["val"] = [root / val_file]
    if len(roles["train"]) == len(roles["val"]) == 1:
        return roles["train"][0], roles["val"][0]
    single = [root / name for name in SINGLE if (root / name).is_file()]
    rest = roles[""] + roles["train"] + ([] if val_file else roles["val"])
    if single and (val_file or not roles["val"]):
        rest = single[:1]
    if len(rest) == 1:
        return rest[0], root / val_file if val_file else None
    if rest:
        raise SeglabError(
            "{folder}: which JSON file is meant is not known: {names}; give --data.train_file, and --data.val_file if "
            "there is one",
            folder=printable(str(root)),
            names=few([relative(path, root) for path in rest]),
        )
    raise SeglabError(
        "{folder}: no JSON file in COCO's format was found, here or up to {deep} folders deep; give --data.train_file",
        folder=printable(str(root)),
        deep=DEEP,
    )


def unusual(train: Path, val: Path | None, root: Path) -> list[SeglabError]:
    """A note of the files that were taken, where their names alone do not tell."""
    if val and (_role(train, root), _role(val, root)) != ("train", "val"):
        return [
            SeglabError(
                "JSON files: {train} for training and {val} for validation",
                train=below(train, root),
                val=below(val, root),
            )
        ]
    if val or train.name.lower() in USUAL or relative(train, root) in SINGLE or train.stem.startswith("instances_"):
        return []
    return [SeglabError("JSON file: {file}; some of its images are used for validation", file=below(train, root))]


def _found(root: Path) -> Iterator[Path]:
    """The JSON files in COCO's format, in the root and some folders deep."""
    kept = []
    for folder, folders, names in os.walk(root):
        deep = len(Path(folder).relative_to(root).parts)
        folders[:] = sorted(itertools.filterfalse(PASSED_OVER.search, folders)) if deep < DEEP else []
        names = sorted(name for name in names if name.lower().endswith(".json") and not PASSED_OVER.search(name))
        if len(names) > MOST_FILES:
            names = [name for name in names if name.lower() in USUAL]
        kept += [Path(folder, name) for name in names]
    kept = [path for path in kept if _hopeful(path)]
    instances = any(path.name.startswith("instances_") for path in kept)
    return (path for path in kept if not (instances and path.name.startswith(OTHERS)))


def _hopeful(path: Path) -> bool:
    """Whether the names of COCO's three lists are in a file, which is faster than reading it."""
    try:
        content = path.read_bytes()
    except OSError:
        return False
    return all(f'"{key}"'.encode() in content for key in KEYS)


def _role(path: Path, root: Path) -> str:
    """What the last word in a path below the root that says so makes of a file: train, val, test or nothing."""
    words = re.findall("[a-z]+", below(path, root).lower())
    return next((role for word in reversed(words) for role, each in ROLES.items() if word in each), "")


def below(path: Path, root: Path) -> str:
    """A path below the root as it is printed, or else its last part."""
    return relative(path, root) if path.is_relative_to(root) else printable(path.name)


def read_export(path: Path, root: Path) -> Export:
    """What is in a JSON file; raises SeglabError for one that is not in COCO's format."""
    file = below(path, root)
    try:
        given = json.loads(path.read_bytes().decode("utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        reason = getattr(error, "strerror", None) or error
        raise SeglabError("{file} cannot be read: {reason}", file=file, reason=reason) from None
    lists = []
    for part in KEYS:
        found = given.get(part) if isinstance(given, dict) else None
        if not isinstance(found, list) or not all(isinstance(each, dict) for each in found):
            raise SeglabError("{file}: there is no list of {part}, so it is not in COCO's format", file=file, part=part)
        lists.append(found)
    info = given.get("info")
    return Export(path, file, str(info.get("contributor")) if isinstance(info, dict) else "", *lists)


def identity(value: Any) -> Id | None:
    """An id, in whatever way it is written: 3, 3.0 and "3" are the same; None for what is none."""
    if isinstance(value, str):
        plain = re.fullmatch(r"(0|-?[1-9][0-9]{0,17})(\.0+)?", value.strip())
        return int(plain[1]) if plain else value.strip() or None
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else None


# --- categories -----------------------------------------------------------------------------------------------------


def merged(exports: Sequence[Export]) -> tuple[list[str], list[dict[Id, int]], list[SeglabError]]:
    """The names of the classes after background, in the order of the first file's ids and then of the second's new
    ones; for each file, the label of each id; and what a person should know of that."""
    listed = [_listed(export) for export in exports]
    used = [{identity(each.get("category_id")) for each in export.annotations} for export in exports]
    named = {name for part, ids in zip(listed, used, strict=True) for number, name, _ in part if number in ids}
    kept = [_counted(*each, named) for each in zip(exports, listed, used, strict=True)]
    every = list(dict.fromkeys(name for part in kept for name in part.values()))
    ignored = [name for name in every if _plain(name) in IGNORED]
    names = [name for name in every if _plain(name) != BACKGROUND and name not in ignored]
    if not 1 <= len(names) < MOST_CLASSES:
        raise SeglabError(
            "{file}: {count} categories; allowed: 1 to {most}",
            file=exports[0].file,
            count=len(names),
            most=MOST_CLASSES - 1,
        )
    label = {name: place for place, name in enumerate(names, 1)} | dict.fromkeys(ignored, VOID)
    notes = []
    if void := [name for name in ignored if name in named]:
        notes = [SeglabError("things of the category {name} are void and count for nothing", name=few(void))]
    return names, [{number: label.get(name, 0) for number, name in part.items()} for part in kept], notes


def _plain(name: str) -> str:
    return name.casefold().strip("_ ")


def _listed(export: Export) -> list[tuple[Id, str, Any]]:
    """Each category's id, name and super-category in the order of the ids, numbers before text."""
    found = []
    for each in export.categories:
        number, name = identity(each.get("id")), each.get("name")
        if number is None or not isinstance(name, str | int | float) or not str(name).strip():
            raise SeglabError("{file}: a category has no id or no name", file=export.file)
        above = each.get("supercategory")
        found.append((number, printable(str(name)), printable(above) if isinstance(above, str) else None))
    for number, count in Counter(number for number, _, _ in found).items():
        if count > 1:
            raise SeglabError("{file}: two categories have the id {id}", file=export.file, id=number)
    return sorted(found, key=lambda each: (isinstance(each[0], str), each[0]))


def _counted(export: Export, listed: list[tuple[Id, str, Any]], used: set[Id | None], named: set[str]) -> dict[Id, str]:
    """The categories of a file that count, id to name; `used` are the ids that its annotations have, `named` the names
    of those that any file's have.

    A root that is only there to be others' super-category, as Roboflow writes it, does not count, nor does an unused
    category that is called like a used one.
    """
    names = Counter(name for number, name, _ in listed if number in used)
    if twice := [name for name, count in names.items() if count > 1]:
        raise SeglabError(
            "{file}: two categories that annotations refer to have the name {name}, with the ids {ids}; give one of "
            "them another name, or give their annotations the same category_id",
            file=export.file,
            name=twice[0],
            ids=few([number for number, name, _ in listed if name == twice[0]]),
        )
    kept: dict[Id, str] = {}
    for number, name, _ in listed:
        root = name not in named and any(above == name for other, _, above in listed if other != number)
        if number in used or not (root or name in names or name in kept.values()):
            kept[number] = name
    return kept


# --- pictures -------------------------------------------------------------------------------------------------------


class Pictures:
    """The picture files below a root, which are found by what a JSON file calls them, and never anywhere else."""

    def __init__(self, root: Path):
        self.root = root

    def find(self, export: Export, image: dict[str, Any]) -> tuple[Path, str, bool]:
        """The file of an image of a JSON file; what it is called, as there or by its place below the root; and whether
        it was only found by the last part of its name. Raises SeglabError where there is none, or two."""
        given = [name for name in (image.get("file_name"), image.get("path")) if isinstance(name, str) and name.strip()]
        spelled = [parts for name in given for parts in _spellings(name)]
        for parts in spelled:
            if ".." not in parts and not parts[0].endswith((":", "/")):
                for place in self._places(export):
                    if os.path.isfile(place.joinpath(*parts)):
                        name = given[0] if parts == spelled[0] else "/".join(parts)
                        return place.joinpath(*parts), printable(name), False
        alike = [found for parts in spelled if (found := self._alike(parts))]
        for found in sorted(alike, key=len)[:1]:
            if len(found) == 1:
                return found[0], relative(found[0], self.root), True
            raise SeglabError(
                "{file}: there is no such file, and its last part is the name of several: {names}; write into {json} "
                "which is meant",
                file=printable(given[0]),
                names=few([relative(path, self.root) for path in found]),
                json=export.file,
            )
        raise SeglabError(
            "{file}: there is no such file; it was looked for in the folder, in images, beside {json}, and by the last "
            "part of its name in all folders below",
            file=printable(given[0]),
            json=export.file,
        )

    def _places(self, export: Export) -> list[Path]:
        """The folders in which pictures usually are."""
        beside, part = export.path.parent, export.path.stem.removeprefix("instances_")
        around = (self.root, beside, self.root / "images", self.root / part, self.root / "images" / part)
        above = (beside / "images", beside.parent, beside.parent / "images", beside.parent / "images" / part)
        inside = [place for place in (*around, *above) if Path(os.path.normpath(place)).is_relative_to(self.root)]
        return list(dict.fromkeys(inside))

    def _alike(self, parts: tuple[str, ...]) -> list[Path]:
        """The files that have the last part of a name: in the same letter case if there are any, and of several the one
        whose folders have the names of those before."""
        last = unicodedata.normalize("NFC", parts[-1])
        found = self._files.get(last.casefold(), [])
        found = [path for path in found if unicodedata.normalize("NFC", path.name) == last] or found
        closest = [path for path in found if path.parts[-2] == parts[-2]] if len(parts) > 1 else []
        return closest if len(closest) == 1 else found

    @cached_property
    def _files(self) -> dict[str, list[Path]]:
        """All picture files below the root by the last part of their names, in no letter case."""
        found: dict[str, list[Path]] = {}
        for folder, folders, names in os.walk(self.root):
            folders[:] = sorted(itertools.filterfalse(PASSED_OVER.search, folders))
            for name in sorted(names):
                if os.path.splitext(name)[1].lower() in SUFFIXES and not PASSED_OVER.search(name):
                    found.setdefault(unicodedata.normalize("NFC", name).casefold(), []).append(Path(folder, name))
        return found


def _spellings(name: str) -> Iterator[tuple[str, ...]]:
    """The parts of a name as it is written, of the path in an address, and without %20 and its like."""
    path = name.split("?d=")[-1] if "?d=" in name else name.split("?")[0] if "://" in name else name
    for each in dict.fromkeys((name, path, unquote(path))):
        parts = each.replace("\\", "/").split("/")
        parts = ["/"] * each.startswith(("/", "\\")) + [part for part in parts if part not in ("", ".")]
        if parts and parts[-1] not in ("/", ".."):
            yield tuple(parts)
