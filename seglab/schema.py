"""The options of an entry as data and in words."""

from __future__ import annotations

from typing import Any

from seglab.entry import Entry


def listed(entry: type[Entry]) -> dict[str, Any]:
    """An entry as data: its name, summary, source, and its options' schemas."""
    schema = entry.model_json_schema().get("properties", {})
    return {"name": entry.name, "summary": entry.summary(), "source": entry.source(), "options": schema}


def allowed(schema: dict[str, Any]) -> str:
    """What an option may be: `0 to 1`, `padded, valid`, `true, false`; empty where anything of its type may."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    words = [str(word) for kind in kinds for word in kind.get("enum", ())]
    if words:
        return ", ".join(words)
    kind = kinds[0] if kinds else {}
    if kind.get("type") == "boolean":
        return "true, false"
    low = kind.get("minimum", kind.get("exclusiveMinimum"))
    high = kind.get("maximum", kind.get("exclusiveMaximum"))
    above = "above " if "exclusiveMinimum" in kind else ""
    below = "below " if "exclusiveMaximum" in kind else ""
    if low is not None and high is not None:
        return f"{above}{low:g} to {below}{high:g}"
    return ""


def default(schema: dict[str, Any]) -> str:
    """An option's default as text; `empty` for none, and for one that has to be given."""
    value = schema.get("default")
    if isinstance(value, list):
        return ",".join(map(str, value)) or "empty"
    return "empty" if value is None else str(value).lower() if isinstance(value, bool) else str(value)
