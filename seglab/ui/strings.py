"""Every text that the page can say, read from the package's sources, templates and entries: what a translator needs."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import polib
from jinja2 import Environment, nodes
from pydantic import BaseModel

import seglab
import seglab.plans  # whose kinds are entries, too
from seglab import draw, metrics
from seglab.config import Fold, RunConfig
from seglab.entry import FAMILIES, REASONS, Entry
from seglab.losses.combined import Part
from seglab.places import PACKAGE
from seglab.ui.assets import texts
from seglab.ui.text import STATES
from seglab.ui.titles import HINTS, OPTION, PRESETS, option_title

ERRORS = ("SeglabError", "GoneError", "MissingError", "UnreachableError", "Unready", "wrong")  # calls that are first
TRANSLATING = ("label", "say")  # given such a text, the latter in the page's own files


class String(NamedTuple):
    """An English text, its context if it has one, and where it is said: a file, or `losses.dice.smooth`."""

    text: str
    context: str | None
    place: str


def strings() -> dict[tuple[str, str | None], list[str]]:
    """Every text with its context, and all the places that say it."""
    found: dict[tuple[str, str | None], list[str]] = {}
    for each in (*of_sources(), *of_templates(), *of_scripts(), *of_tables(), *of_options(), *of_entries()):
        places = found.setdefault((each.text, each.context), [])
        if each.place not in places:
            places.append(each.place)
    return found


def template() -> str:
    """The texts as a gettext template (.pot), from which a new language's `languages/XX.po` is begun."""
    file = polib.POFile(wrapwidth=110)
    file.metadata = {
        "Project-Id-Version": f"seglab {seglab.__version__}",
        "Language": "",
        "X-Language-Name": "",
        "MIME-Version": "1.0",
        "Content-Type": "text/plain; charset=UTF-8",
        "Content-Transfer-Encoding": "8bit",
    }
    for (text, context), places in strings().items():
        flags = ["python-brace-format"] if placeholders(text) else []
        occurrences = [(place, "") for place in places]
        file.append(polib.POEntry(msgid=text, msgctxt=context, occurrences=occurrences, flags=flags))
    return str(file)


def placeholders(text: str) -> list[str]:
    """The names in braces that values take the place of, sorted."""
    return sorted(re.findall(r"{\w+}", text))


def of_sources() -> Iterator[String]:
    """Errors anywhere in the package, and in the page's own files what is given to `label` and `say` and to templates
    as their `text`."""
    for path in sorted(PACKAGE.rglob("*.py")):
        place, tree = path.relative_to(PACKAGE).as_posix(), ast.parse(path.read_text(encoding="utf-8"))
        page = place.startswith("ui/")
        for text, context in calls(tree, (*ERRORS, *TRANSLATING) if page else ERRORS):
            yield String(text, context, place)
        for node in ast.walk(tree):
            given = text_of(node.value) if isinstance(node, ast.keyword) and node.arg == "text" else None
            if page and given is not None:
                yield String(given, None, place)


def text_of(node: ast.AST | None) -> str | None:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def calls(tree: ast.AST, names: Sequence[str]) -> Iterator[tuple[str, str | None]]:
    """The texts that calls such as label("...") or SeglabError("...") are given, also by a constant's name, and their
    contexts."""
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and text_of(node.value) is not None
        for target in node.targets
        if isinstance(target, ast.Name)
    }

    def literal(node: ast.AST | None) -> str | None:
        return text_of(constants.get(node.id) if isinstance(node, ast.Name) else node)

    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
        if name not in names or not node.args:
            continue
        context = next((literal(each.value) for each in node.keywords if each.arg == "context"), None)
        first = node.args[0]
        for part in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
            if text := literal(part):
                yield text, context


def of_templates() -> Iterator[String]:
    """What the templates translate with `t("...")`."""
    for path in sorted((PACKAGE / "ui").rglob("*.html")):
        for call in Environment().parse(path.read_text(encoding="utf-8")).find_all(nodes.Call):
            if isinstance(call.node, nodes.Name) and call.node.name == "t" and isinstance(call.args[0], nodes.Const):
                context = next((each.value.as_const() for each in call.kwargs if each.key == "context"), None)
                yield String(call.args[0].value, context, path.relative_to(PACKAGE).as_posix())


def of_scripts() -> Iterator[String]:
    """What the page's scripts translate."""
    return (String(text, None, path.relative_to(PACKAGE).as_posix()) for text, path in texts())


def of_tables() -> Iterator[String]:
    """What is translated where it is shown, and said elsewhere: in tables, and in the core, which knows no page."""
    yield from (String(text, None, "reasons") for text in REASONS.values())
    yield from (String(text, None, "states") for text in STATES.values())
    yield from (String(text, None, "families") for text in FAMILIES)
    yield from (String(text, None, "presets") for text in PRESETS.values())
    yield from (String(text, None, "curves") for text in draw.CURVES.values())
    yield String(metrics.DEFINITION, None, "scores")


def of_options() -> Iterator[String]:
    """The names and descriptions of a run's own options, and of the weight of each loss in a sum."""
    yield from (String(text, None, f"run.{name}") for name, text in HINTS.items())
    yield from described(RunConfig, "run")
    yield from (each for each in described(Fold, "run.fold") if each.context is None)  # the page has no fold
    yield from described(Part, "losses.sum")


def of_entries() -> Iterator[String]:
    """What seglab's own entries are, with the names and descriptions of their options."""
    for family, base in FAMILIES.items():
        for entry in shipped(base.entries.values()):
            yield String(entry.summary(), None, f"{family}.{entry.name}")
            yield from described(entry, f"{family}.{entry.name}")


def shipped(entries: Iterable[type[Entry]]) -> list[type[Entry]]:
    """Those of the entries that belong to the package, not to a plug-in."""
    return [entry for entry in entries if entry.__module__.partition(".")[0] == seglab.__name__]


def described(model: type[BaseModel], place: str) -> Iterator[String]:
    """The titles and descriptions of a model's fields."""
    for name, option in model.model_fields.items():
        yield String(option_title(name), OPTION, f"{place}.{name}")
        if option.description:
            yield String(option.description, None, f"{place}.{name}")
