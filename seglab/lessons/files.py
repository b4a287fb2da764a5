"""Lessons as files: found by name, read with suspicion, and refused with the line that is wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError
from pydantic_core import from_json

from seglab import places
from seglab.entry import explain, refusal_of, shown
from seglab.errors import SeglabError
from seglab.lessons.model import Lesson, texts
from seglab.lessons.text import MISTAKE

ENDING = ".yaml"
MOST_BYTES = 64 * 1024
DEEPEST = 24  # levels of lists and objects
Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # of libyaml, which is ten times as fast


def every() -> dict[str, Path]:
    """The lessons that there are, by name: those of seglab, then those of $SEGLAB_LESSONS, of which none can take the
    place of one of seglab's."""
    found: dict[str, Path] = {}
    for folder in places.lessons()[:-1]:
        for path in sorted(folder.glob(f"*{ENDING}")):
            found.setdefault(path.stem, path)
    return found


def clashing() -> list[Path]:
    """The files of $SEGLAB_LESSONS that are called like a lesson of seglab's, which is found in their place."""
    known = every()
    return [path for folder in places.lessons()[1:-1] for path in sorted(folder.glob(f"*{ENDING}"))
            if known[path.stem] != path]  # fmt: skip


def clash(path: Path) -> SeglabError:
    return SeglabError(
        "{file} of $SEGLAB_LESSONS is not shown: seglab has a lesson of that name; give it another", file=path.name
    )


def find(name: str) -> Lesson:
    """A lesson by its name; raises SeglabError where there is none, and where its file is refused."""
    return load(path(name))


def path(name: str) -> Path:
    """Its file."""
    known = every()
    if name not in known:
        raise refusal_of("lesson", name, known, thing="lesson")
    return known[name]


def load(path: Path) -> Lesson:
    """The lesson in a file; raises SeglabError, with the line, for what is wrong in it."""
    try:
        stat = path.stat()
        return loaded(path, stat.st_mtime_ns, stat.st_size)
    except OSError as error:
        raise SeglabError("{file} cannot be read: {reason}", file=path.name, reason=error.strerror) from None


@lru_cache(maxsize=64)
def loaded(path: Path, changed: int, size: int) -> Lesson:
    """The same as it is since the file has changed."""
    refuse_large(size)
    lesson = parsed(path.read_bytes(), path.name)
    if lesson.name != path.stem:
        raise SeglabError(
            "{file}: the lesson's name is {name}; it has to be the file's", file=path.name, name=lesson.name
        )
    return lesson


def refuse_large(size: int) -> None:
    if size > MOST_BYTES:
        raise SeglabError("a lesson of {size} bytes is too large; allowed: {most}", size=size, most=MOST_BYTES)


def parsed(content: bytes, file: str) -> Lesson:
    """A lesson as YAML, or as JSON, which is YAML too."""
    refuse_large(len(content))
    try:
        text = content.decode()
        node = noded(text, file)
        data = yaml.load(text, Loader=Loader)  # the safe loader, by its other name
    except UnicodeDecodeError:
        raise SeglabError("{file} is not text in UTF-8", file=file) from None
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        reason = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise at(file, mark.line + 1 if mark else 1, SeglabError("{reason}", reason=reason)) from None
    except ValueError as error:  # what looks like a date or a number, and is none
        raise SeglabError("{file} cannot be read: {reason}", file=file, reason=error) from None
    except RecursionError:
        raise SeglabError("{file} is nested too deeply; allowed: {most} levels", file=file, most=DEEPEST) from None
    return made(data, file, node)


def packed(content: bytes) -> Lesson:
    """A lesson as JSON, which a link carries."""
    refuse_large(len(content))
    try:
        data = from_json(content)
    except ValueError as error:
        raise SeglabError("{file} cannot be read: {reason}", file="JSON", reason=error) from None
    return made(data, "JSON", None)


def made(data: Any, file: str, node: yaml.Node | None) -> Lesson:
    try:
        return Lesson.model_validate(data)
    except ValidationError as error:
        found = error.errors()[0]
        context = found.get("ctx", {})
        told = str(context.get("place", "")).split(".") if found["type"] == MISTAKE else []
        path = places_in(data, (*found["loc"], *told))
        raise at(file, line_of(node, path, context.get("key")), explained(error, found, path)) from None


def places_in(data: Any, path: Iterable[int | str]) -> tuple[int | str, ...]:
    """The path in what a file holds, without the kinds of steps and measures that pydantic adds to it."""
    found: list[int | str] = []
    for part in path:
        if isinstance(data, list) and str(part).isdecimal() and int(part) < len(data):
            data, part = data[int(part)], int(part)
        elif isinstance(data, dict) and part in data:
            data = data[part]
        else:
            continue
        found.append(part)
    return tuple(found)


def explained(error: ValidationError, found: Any, path: tuple[int | str, ...]) -> SeglabError:
    """What is wrong, and where."""
    if found["type"] == MISTAKE:
        values = dict(found["ctx"])
        reason = SeglabError(values.pop("template"), **values)
        if "place" in values:
            return reason
    elif found["type"] == "union_tag_invalid":
        context = found["ctx"]
        reason = SeglabError(
            "{value} is not allowed; allowed: {expected}", value=shown(context["tag"]),
            expected=context["expected_tags"].replace("'", ""),
        )  # fmt: skip
    elif found["type"] == "union_tag_not_found":
        reason = SeglabError("no value was given for {option}", option="kind")
    else:
        reason = explain(error, "lesson")
        if "thing" not in reason.values:
            return reason
        missing = found["loc"][-1:] if found["type"] == "missing" else ()
        thing = ".".join(map(str, (*path, *missing))) or "lesson"
        return SeglabError(reason.template, **reason.values | {"thing": thing})
    place = ".".join(map(str, path))
    return SeglabError("{place}: {reason}", place=place, reason=reason) if place else reason


def at(file: str, line: int | None, reason: SeglabError) -> SeglabError:
    if line is None:
        return SeglabError("{file}: {reason}", file=file, reason=reason)
    return SeglabError("{file}, line {line}: {reason}", file=file, line=line, reason=reason)


# --- YAML, with the lines of what is in it


def noded(text: str, file: str) -> yaml.Node | None:
    """The file as nodes, which know their lines. Raises SeglabError for anchors and aliases, with which a few bytes can
    stand for gigabytes, and for a key that stands twice."""
    for token in yaml.scan(text, Loader=Loader):
        if isinstance(token, yaml.AnchorToken | yaml.AliasToken | yaml.TagToken):
            line = token.start_mark.line + 1
            raise at(file, line, SeglabError("anchors, aliases and tags are not allowed in a lesson"))
    node = yaml.compose(text, Loader=Loader)
    if node is not None:
        refuse_doubled(node, file, 0)
    return node


def refuse_doubled(node: yaml.Node, file: str, depth: int) -> None:
    if depth > DEEPEST:
        raise RecursionError
    seen: set[str] = set()
    for key, inner in pairs(node):
        if key is not None:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise at(file, line, SeglabError("a key is no text"))
            if key.value in seen:
                raise at(file, line, SeglabError("{key} stands twice", key=shown(key.value)))
            seen.add(key.value)
        refuse_doubled(inner, file, depth + 1)


def pairs(node: yaml.Node) -> Iterator[tuple[yaml.Node | None, yaml.Node]]:
    """What is in a node, with its key where it has one."""
    if isinstance(node, yaml.MappingNode):
        yield from node.value
    elif isinstance(node, yaml.SequenceNode):
        yield from ((None, inner) for inner in node.value)


def line_of(node: yaml.Node | None, path: tuple[int | str, ...], word: object = None) -> int | None:
    """The line of what a path leads to; of a word in it, where it is there."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    for part in path:
        inside = {n if key is None else key.value: (key, inner) for n, (key, inner) in enumerate(pairs(node))}
        key, node = inside.get(part, (None, node))
        line = (key or node).start_mark.line + 1
    return next((each.start_mark.line + 1 for each in scalars(node) if each.value == word), line)


def scalars(node: yaml.Node) -> Iterator[yaml.ScalarNode]:
    """All that is written in a node, keys and values, in order."""
    if isinstance(node, yaml.ScalarNode):
        yield node
    for key, inner in pairs(node):
        yield from scalars(key) if key is not None else ()
        yield from scalars(inner)


# --- what is known of a file without any run


def content_hash(lesson: Lesson) -> str:
    """16 hexadecimal digits that change with anything in a lesson."""
    text = json.dumps(lesson.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def untranslated(lesson: Lesson) -> list[str]:
    """Where texts have no translation."""
    return [f"{place}: {', '.join(text.missing)}" for place, text in texts(lesson) if text.missing]


def typed(lesson: Lesson) -> list[str]:
    """Numbers that are typed into what is told of a question, which a run may contradict."""
    return [
        f"{place}: {number}"
        for n, step in enumerate(lesson.steps)
        for place, text in texts(getattr(step, "tell", {}), f"steps.{n}.tell")
        for number in text.typed
    ]
