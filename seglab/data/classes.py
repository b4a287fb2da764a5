"""Names of classes from the lists that other tools write: one name a line, ids beside names, CSV, JSON."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from seglab.data.base import VOID
from seglab.data.colors import UNLABELLED
from seglab.data.images import SUFFIXES, file_text, printable
from seglab.errors import SeglabError

PLAIN = "classes.txt"  # seglab's own: never passed over
LISTS = (
    PLAIN, "class_names.txt", "classnames.txt", "labels.txt", "label_names.txt", "codes.txt", "names.txt", "obj.names",
    "classes.names", "_classes.csv", "classes.csv", "labels.csv", "class_dict.csv", "dataset.json", "classes.json",
    "class_names.json", "labels.json", "id2label.json", "label_map.json", "labelmap.json",
)  # fmt: skip
MOST = 255  # ids 0 to 254
LONGEST = 100  # characters of a name
NUMBERED = (  # id and name, name and id; by a mark or by a space
    re.compile(r"(?P<id>\d{1,3})\s*[:=,;\t]\s*(?P<name>.+)"),
    re.compile(r"(?P<name>.+?)\s*[:=,;\t]\s*(?P<id>\d{1,3})"),
    re.compile(r"(?P<id>\d{1,3})\s+(?P<name>.+)"),
    re.compile(r"(?P<name>.+?)\s+(?P<id>\d{1,3})"),
)
HOLDERS = ("labels", "classes", "class_names", "id2label", "label2id", "names", "categories")  # keys of JSON files
NAME_KEYS, ID_KEYS = ("name", "label", "class", "title"), ("id", "index", "value", "class_id")
HEADINGS = (*NAME_KEYS, *ID_KEYS, "names", "classes", "pixel value", "class name", "label name")
IGNORED = UNLABELLED | {"__ignore__"}

Ids = dict[int, str]


class List(NamedTuple):
    """What a list of classes says: their names by id, the ids below 255 that it calls void, and its path below the
    root; all empty where there is no list."""

    names: tuple[str, ...] = ()
    void: tuple[int, ...] = ()
    file: str = ""


def read_classes(root: Path, places: Sequence[str]) -> List:
    """The first of the lists that is one.

    `places` are paths below `root`, the best first. What is no list of classes is passed over, unless it is called
    classes.txt. Raises SeglabError for a classes.txt that cannot be read, and for two lists of one name that differ.
    """
    for place in places:
        called = place.rpartition("/")[2].lower()
        found = _list(root, place)
        if found is None:
            continue
        for other in places:
            if other != place and other.rpartition("/")[2].lower() == called and _differs(_list(root, other), found):
                raise SeglabError(
                    "{file}: has other classes than {other}; keep one of them",
                    file=printable(other),
                    other=printable(place),
                )
        return found
    return List()


def _differs(one: List | None, other: List) -> bool:
    return one is None or one[:2] != other[:2]


def _list(root: Path, place: str) -> List | None:
    """What a file says of classes; None where it is no list, or empty."""
    plain = place.rpartition("/")[2].lower() == PLAIN
    try:
        text = file_text(root / place, printable(place))
    except SeglabError:
        if plain:
            raise
        return None
    if plain:
        lines = text.rstrip().splitlines()
        ids = numbered([line for line in lines if line.strip()])
        if ids is None:
            return List(tuple(line.strip() for line in lines), (), place) if lines else None
        return List(filled(ids), void_of(ids), place)
    try:
        ids = parsed(text, place.rpartition(".")[2].lower())
    except (ValueError, TypeError, RecursionError, csv.Error):
        return None
    names = filled(ids or {})
    return List(names, void_of(ids or {}), place) if names and _likely(names) else None


def _likely(names: Sequence[str]) -> bool:
    """Whether these are names of classes, and not those of files, say."""
    sound = all(0 < len(name) <= LONGEST and not name.lower().endswith(tuple(SUFFIXES)) for name in names)
    return sound and len(set(names)) == len(names) <= MOST


def parsed(text: str, ending: str) -> Ids | None:
    """The names in a file's text by their ids; None where it is no list of classes. Raises ValueError and TypeError."""
    if ending == "json":
        ids = _of_json(json.loads(text))
    elif ending == "csv":
        rows = [[cell.strip() for cell in row] for row in csv.reader(text.splitlines(), skipinitialspace=True)]
        ids = _of_rows([row for row in rows if any(row)])
    else:
        lines = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        ids = numbered(lines) or dict(enumerate(line for line in lines if line.lower() != "__ignore__"))
    return ids or None


def numbered(lines: Sequence[str]) -> Ids | None:
    """Names by the ids beside them; None unless every line has one, and they differ, as the names do.

    Ids that follow a space begin with 0 or 1: "7 eleven" is a name. A first line of headings, id,name say, is passed
    over.
    """
    titles = [part.strip().lower() for part in re.split("[,;\t]", lines[0])] if lines else []
    if len(titles) > 1 and all(title in HEADINGS for title in titles):
        lines = lines[1:]
    for n, pattern in enumerate(NUMBERED):
        found = [pattern.fullmatch(line.strip()) for line in lines]
        pairs = [(int(match["id"]), match["name"].strip()) for match in found if match]
        if not pairs or len(pairs) < len(lines) or (n >= 2 and min(pairs)[0] > 1):
            continue
        if len({id for id, _ in pairs}) == len({name for _, name in pairs}) == len(lines) and max(pairs)[0] <= VOID:
            return dict(pairs)
    return None


def filled(ids: Ids) -> tuple[str, ...]:
    """Names from id 0 on, gaps as "class N", without void: what is 255, or called so and comes last."""
    known = {id: printable(name) for id, name in ids.items() if id != VOID}
    while known and known[max(known)].strip().lower() in IGNORED:
        del known[max(known)]
    return tuple(known.get(id, f"class {id}") for id in range(max(known, default=-1) + 1))


def void_of(ids: Ids) -> tuple[int, ...]:
    """The ids that `filled` leaves out since they are called void, but for 255."""
    return tuple(sorted(id for id in ids if len(filled(ids)) <= id < VOID))


def _of_rows(rows: Sequence[Sequence[str]]) -> Ids | None:
    """A table's column of names, by its column of ids where it has one."""
    header: list[str] = []
    if rows and not any(cell.isdecimal() for cell in rows[0]):
        words = [re.sub(r"[^a-z]+", " ", cell.lower()).strip() for cell in rows[0]]
        if any(word in HEADINGS for word in words):
            header, rows = words, rows[1:]
    if not rows or len({len(row) for row in rows}) != 1:
        return None
    columns = list(zip(*rows, strict=True))
    numbers = [n for n, column in enumerate(columns) if all(cell.isdecimal() for cell in column)]
    texts = [n for n in range(len(columns)) if n not in numbers]
    if not texts or (len(texts) > 1 and not header):
        return None
    text = next((n for n in texts if header and "name" in header[n]), texts[0])
    named = [n for n in numbers if header and ("id" in header[n].split() or header[n] in (*ID_KEYS, "pixel value"))]
    chosen = named or (numbers if len(numbers) < 3 else [])  # three numbers are a color
    names = columns[text]
    if not chosen:
        return dict(enumerate(names))
    ids = [int(cell) for cell in columns[chosen[0]]]
    return dict(zip(ids, names, strict=True)) if len(set(ids)) == len(ids) and max(ids) <= VOID else None


def _of_json(value: object) -> Ids | None:
    """Names by id in what tools write as JSON: a list of names or of objects, id to name, name to id, or one of these
    under a usual key."""
    if isinstance(value, dict) and not {"images", "annotations"} & value.keys():
        if holder := next((key for key in HOLDERS if isinstance(value.get(key), dict | list)), None):
            return _of_json(value[holder])
        if value and all(isinstance(each, str) for each in value.values()) and all(key.isdecimal() for key in value):
            return _checked((int(key), name) for key, name in value.items())
        if value and all(_is_id(each) for each in value.values()):
            return _checked((int(id), name) for name, id in value.items())
    if isinstance(value, list) and value and all(isinstance(each, str) for each in value):
        return dict(enumerate(value))
    if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
        name, id = (next((key for key in known if key in value[0]), "") for known in (NAME_KEYS, ID_KEYS))
        if all(_is_id(each.get(id)) and isinstance(each.get(name), str) for each in value):
            return _checked((int(each[id]), each[name]) for each in value)
    return None


def _is_id(value: object) -> bool:
    return not isinstance(value, bool) and (isinstance(value, int) or (isinstance(value, str) and value.isdecimal()))


def _checked(pairs: Iterable[tuple[int, str]]) -> Ids | None:
    listed = list(pairs)
    ids = {id: name.strip() for id, name in listed if id >= 0}
    return ids if len(ids) == len([id for id, _ in listed if id >= 0]) and max(ids, default=0) <= VOID else None
