"""The parser of every command, and options with dots; it needs no entry, so that `seglab runs` starts fast."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Any, NoReturn

from seglab.errors import SeglabError
from seglab.spelling import american

COMPLETION = "--print-completion"


class Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        print(f"seglab: {message} (see {self.prog} --help)", file=sys.stderr)
        sys.exit(2)


class HelpOnEntries(argparse.Action):
    """Prints the help of a command or, where entries were named before, theirs."""

    def __init__(self, option_strings: Sequence[str], dest: str, **more: Any):
        super().__init__(option_strings, dest=argparse.SUPPRESS, default=argparse.SUPPRESS, nargs=0, help=more["help"])

    def __call__(self, parser: argparse.ArgumentParser, namespace: argparse.Namespace, *_: Any) -> None:
        if text := "dotted" in namespace and help_on_entries(namespace):
            print(text)
        else:
            parser.print_help()
        parser.exit()


def help_on_entries(namespace: argparse.Namespace) -> str:
    """The help of the entries named so far; empty where there are none."""
    from seglab.cli.options import OF_FAMILY, entries_named  # which import every entry
    from seglab.cli.show import entry_help

    named = [(field, entry) for field in OF_FAMILY for entry in entries_named(field, namespace)]
    return "\n\n".join(entry_help(entry, field, len(named) > 1) for field, entry in named)


def add_help(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("-h", "--help", action=HelpOnEntries, help="show this, or the options of the entries named")


def dotted(tokens: Sequence[str]) -> tuple[dict[str, str], list[str]]:
    """`--loss.gamma 3` and `--loss.gamma=3`, wherever they stand, as {"loss.gamma": "3"}; and the other words.

    Hyphens in an option's name count as underscores, and either spelling of it will do. A call for help comes last, so
    that it knows what was named.
    """
    options: dict[str, str] = {}
    others: list[str] = []
    rest = iter(tokens)
    for token in rest:
        if token == "--":
            others += [token, *rest]
            break
        name, equals, value = token.partition("=")
        if not token.startswith("--") or token.startswith(COMPLETION):
            others.append(token)
            continue
        name = american(name[2:].replace("-", "_"))
        if "." not in name:
            others.append(f"--{name}{equals}{value}")
            continue
        options[name] = value if equals else next(rest, "--")
        if options[name].startswith("--"):
            raise SeglabError("--{place} has no value", place=name)
    return options, sorted(others, key=lambda token: token in ("-h", "--help"))
