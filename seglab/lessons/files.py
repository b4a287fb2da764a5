"""Lessons as files: found by name, read with suspicion, and refused with the line that is wrong."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
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


def find(name: str) -> Lesson:
    """A lesson by its name; raises SeglabError where there is none, and where its file is refused."""
    known = every()
    if name not in known:
        raise refusal_of("lesson", name, known, thing="lesson")
    return load(known[name])


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
        told = explained(error, found)
        raise at(file, line_of(node, found["loc"]), told) from None


def explained(error: ValidationError, found: Any) -> SeglabError:
    """What is wrong, and where: the path to it, without the kinds of steps and measures that pydantic adds."""
    if found["type"] == MISTAKE:
        values = dict(found["ctx"])
        reason = SeglabError(values.pop("template"), **values)
    elif found["type"] == "union_tag_invalid":
        context = found["ctx"]
        reason = SeglabError(
            "{value} is not allowed; allowed: {expected}", value=shown(context["tag"]),
            expected=context["expected_tags"].replace("'", ""),
        )  # fmt: skip
    elif found["type"] == "union_tag_not_found":
        reason = SeglabError("no value was given for {option}", option="kind")
    else:
        return explain(error, "lesson")
    place = ".".join(map(str, found["loc"]))
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
            if key.value in seen:
                raise at(file, key.start_mark.line + 1, SeglabError("{key} stands twice", key=shown(key.value)))
            seen.add(key.value)
        refuse_doubled(inner, file, depth + 1)


def pairs(node: yaml.Node) -> Iterator[tuple[yaml.Node | None, yaml.Node]]:
    """What is in a node, with its key where it has one."""
    if isinstance(node, yaml.MappingNode):
        yield from node.value
    elif isinstance(node, yaml.SequenceNode):
        yield from ((None, inner) for inner in node.value)


def line_of(node: yaml.Node | None, path: tuple[int | str, ...]) -> int | None:
    """The line of what pydantic names by a path, or of what it is in."""
    if node is None:
        return None
    line = node.start_mark.line + 1
    for part in path:
        inside = list(pairs(node))
        found: tuple[yaml.Node | None, yaml.Node] | None
        if isinstance(part, int) and isinstance(node, yaml.SequenceNode):
            found = inside[part] if part < len(inside) else None
        else:
            found = next((each for each in inside if each[0] is not None and each[0].value == str(part)), None)
        if found is not None:  # else the kind of a step or a measure, which is no place
            key, node = found
            line = (key or node).start_mark.line + 1
    return line


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
