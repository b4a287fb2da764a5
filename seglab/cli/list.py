"""Show what can be picked."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable

from seglab.cli.show import recipe
from seglab.entry import FAMILIES, Entry
from seglab.families import Architecture
from seglab.schema import allowed, default, listed


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("family", nargs="?", choices=list(FAMILIES), metavar="FAMILY", help=", ".join(FAMILIES))
    forms = parser.add_mutually_exclusive_group()
    forms.add_argument("--json", action="store_true", help="as JSON, with every option's schema")
    forms.add_argument("--markdown", action="store_true", help="as the reference of the documentation")
    forms.add_argument(
        "--strings", action="store_true", help="every text of the page, as a gettext template to begin a language with"
    )


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    families = [arguments.family] if arguments.family else list(FAMILIES)
    if arguments.strings:
        from seglab.ui.strings import template

        print(template())
    elif arguments.json:
        found = {family: [listed(entry) for entry in FAMILIES[family].entries.values()] for family in families}
        print(json.dumps(found, indent=1))
    else:
        write = markdown if arguments.markdown else plain
        print("\n\n".join(write(family, FAMILIES[family].entries.values()) for family in families))
    return 0


def plain(family: str, entries: Iterable[type[Entry]]) -> str:
    lines = [family]
    for entry in entries:
        lines.append(f"  {entry.name:<20}{entry.summary()}")
        lines += [f"  {'':<20}{entry.source()}"] if entry.source() else []
        for name, schema in listed(entry)["options"].items():
            bounds = f" ({allowed(schema)})" if allowed(schema) else ""
            lines.append(f"    .{name:<15} {schema.get('description', '')}{bounds} [{default(schema)}]")
        lines += [f"    {line}" for line in recipe(entry)]
    return "\n".join(lines)


def markdown(family: str, entries: Iterable[type[Entry]]) -> str:
    """A short table of a family's entries, then each with its source and its options."""
    entries = list(entries)
    lines = ["| name | what it is |", "| --- | --- |"]
    lines += [f"| [`{entry.name}`](#{entry.name}) | {cell(entry.summary())} |" for entry in entries]
    return "\n".join([*lines, *(section(entry) for entry in entries)])


def section(entry: type[Entry]) -> str:
    """One entry in Markdown."""
    lines = ["", f"## {entry.name}", "", entry.summary()]
    if issubclass(entry, Architecture) and entry.year:
        lines += ["", f"Published in {entry.year}; {entry.parameters:,} parameters in the paper's setting, 21 classes."]
    if entry.source():
        lines += ["", f"Source: {linked(entry.source())}"]
    rows = []
    for name, schema in listed(entry)["options"].items():
        cells = (f"`{name}`", cell(schema.get("description", "")), cell(allowed(schema)) or "-", cell(default(schema)))
        rows.append(f"| {' | '.join(cells)} |")
    for line in recipe(entry):
        lines += ["", "```text", line, "```"]
    if rows:
        lines += ["", "| option | what it is | allowed | default |", "| --- | --- | --- | --- |", *rows]
    return "\n".join(lines)


def cell(text: str) -> str:
    return text.replace("|", "\\|")


def linked(text: str) -> str:
    """The text with its addresses as links, and what Markdown would take for its own marks as it is."""
    return re.sub(r"https?://[^\s,;)]+[^\s,;:.)]", r"<\g<0>>", text.replace("*", "\\*").replace("_", "\\_"))
