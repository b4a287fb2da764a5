"""The options of an entry, or of the run itself, as the page offers them, and as it reads them back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seglab.entry import Entry
from seglab.losses.combined import Part
from seglab.ui.titles import option_title

FEW = 4  # texts of a list for which the page has a line each


def option(name: str, schema: Mapping[str, Any], value: Any, sliders: bool = False) -> dict[str, Any] | None:
    """What the page needs to know of one option, or None where it offers none (paths, long lists of words)."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind, found = kinds[0], {"name": name, "info": schema.get("description", ""), "value": value, "varies": True}
    found["title"] = option_title(name)
    if "enum" in kind:
        return found | {"kind": "choice", "choices": kind["enum"]}
    if kind.get("type") == "boolean":
        return found | {"kind": "switch"}
    if "examples" in schema:  # a word out of more than a list could show
        return found | {"kind": "word", "choices": schema["examples"]}
    if kind.get("type") in ("integer", "number"):
        return found | number(kind, value, sliders)
    if kind.get("items", {}).get("type") in ("integer", "number"):
        return found | {"kind": "numbers", "value": ", ".join(map(str, value)), "varies": False}
    if kind.get("items", {}).get("type") == "string" and kind.get("maxItems", FEW + 1) <= FEW:
        return found | {"kind": "lines", "value": "\n".join(value), "rows": kind["maxItems"], "varies": False}
    return None


def number(kind: Mapping[str, Any], value: float | None, sliders: bool) -> dict[str, Any]:
    """A box to type in; where sliders are wanted and both ends are known, a slider beside it."""
    whole, low, high = kind["type"] == "integer", kind.get("minimum"), kind.get("maximum")
    between = low is not None and high is not None
    span = high - low if low is not None and high is not None else 0
    return {
        "kind": "slider" if sliders and between else "number",
        "whole": whole,
        "low": low,
        "high": high,
        "step": 1 if whole else 0.01 if span <= 2 else 0.1 if span <= 20 else 0.5,
        "shown": "" if value is None else f"{value:.12g}",
        "limits": f"{low:g}–{high:g}" if between else "",
    }


@dataclass(frozen=True)
class Options:
    """The options of one entry, or of the run itself, which has no summary: those that the page offers."""

    field: str
    name: str
    offered: tuple[dict[str, Any], ...]
    summary: str = ""
    source: str = ""
    year: int | None = None

    def read(self, typed: Any) -> dict[str, Any]:
        """The offered options as typed, at their first value where the page has sent none; nothing else it has sent."""
        for key in (self.field, self.name):
            typed = typed.get(key) if isinstance(typed, dict) else None
        typed = typed if isinstance(typed, dict) else {}
        return {each["name"]: held(each, typed.get(each["name"], each["value"])) for each in self.offered}


def held(option: Mapping[str, Any], typed: Any) -> Any:
    """What is typed into an option's field, as its class takes it."""
    separator = {"numbers": ",", "lines": "\n"}.get(option["kind"])
    if separator is None or not isinstance(typed, str):
        return typed
    return [part.strip() for part in typed.split(separator) if part.strip()]


def shown_as(option: Mapping[str, Any], value: Any) -> str:
    """An option's value as its field on the page holds it."""
    if isinstance(value, tuple | list):
        return ("\n" if option["kind"] == "lines" else ", ").join(map(str, value))
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else f"{value:.12g}" if isinstance(value, int | float) else str(value)


def of_entry(
    field: str,
    entry: type[Entry],
    values: Mapping[str, Any] | None = None,
    weighted: bool = False,
    sliders: bool = False,
) -> Options:
    """An entry's options, at these values or their own defaults; with a weight before them where entries are summed."""
    schemas = {"weight": Part.model_json_schema()["properties"]["weight"]} if weighted else {}
    schemas |= entry.model_json_schema()["properties"]
    return Options(
        field,
        entry.name,
        offered(schemas, values or {}, sliders),
        entry.summary(),
        entry.reference(),
        getattr(entry, "year", None),
    )


def offered(schemas: Mapping[str, Any], values: Mapping[str, Any], sliders: bool = False) -> tuple[dict[str, Any], ...]:
    made = (option(name, kind, values.get(name, kind.get("default")), sliders) for name, kind in schemas.items())
    return tuple(each for each in made if each is not None)
