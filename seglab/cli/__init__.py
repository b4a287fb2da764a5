"""The command line: one file a command, its arguments together with its action.

A command's file has `arguments(parser)`, which adds them, and `run(arguments, options)`, which gives the exit status;
its docstring's first line is its help. `options` are the dotted ones, such as --model.width 16.
"""

from __future__ import annotations

import argparse
import ast
import importlib
import io
import os
import sys
from collections.abc import Collection, Sequence
from pathlib import Path

import shtab

from seglab import __version__, plugins
from seglab.cli.parsing import COMPLETION, Parser, add_help, dotted
from seglab.entry import FAMILIES
from seglab.errors import SeglabError

COMMANDS = (
    "app", "train", "resume", "plan", "evaluate", "predict", "compare", "export", "track", "runs", "rm", "ship",
    "push", "bring", "adopt", "data", "list", "describe", "lesson",
)  # fmt: skip


def main(argv: Sequence[str] | None = None) -> None:
    """Runs one command. Exit status: 0 done, 1 failed, 2 a person's mistake, told in one line."""
    if isinstance(sys.stdout, io.TextIOWrapper):  # a name that a terminal of few letters lacks ends no command
        sys.stdout.reconfigure(errors="backslashreplace")
    try:
        options, plain = dotted(sys.argv[1:] if argv is None else argv)
        completing = any(word.startswith(COMPLETION) for word in plain)
        named = next((word for word in plain if not word.startswith("-")), "")
        top = parser(COMMANDS if completing else [named])
        for problem in plugins.PROBLEMS:
            print(f"seglab: warning: {problem}", file=sys.stderr)
        if completing:
            complete(top)
        if not plain:
            top.print_help()
            sys.exit(0)
        arguments, rest = top.parse_known_args(plain)
        if rest or (options and "dotted" not in arguments):
            from seglab.cli.options import suggestion

            given = rest[0] if rest else f"--{next(iter(options))}"
            raise suggestion(given, arguments)
        sys.exit(arguments.action(arguments, options))
    except SeglabError as error:
        print(f"seglab: {error}", file=sys.stderr)
        sys.exit(2)
    except BrokenPipeError:
        sys.exit(0)
    except KeyboardInterrupt:
        sys.exit(130)
    except Exception as error:
        print(f"seglab: {type(error).__name__}: {error}", file=sys.stderr)
        if os.environ.get("SEGLAB_DEBUG"):
            raise
        sys.exit(1)


def parser(whole: Collection[str] = COMMANDS) -> Parser:
    """The parser of all commands; of those that are not in `whole` it knows the first line of their help alone, which
    needs none of what they import."""
    top = Parser(prog="seglab", description="Compare semantic-segmentation models.", allow_abbrev=False)
    top.add_argument("--version", action="version", version=f"seglab {__version__}")
    shtab.add_argument_to(top, COMPLETION, help="print the shell's completion script, to be put where the shell looks")
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name in COMMANDS:
        help, _, epilog = described(name).partition("\n\n")
        help = help[0].lower() + help[1:].rstrip(".")
        made = commands.add_parser(name, help=help, description=help, epilog=epilog, allow_abbrev=False, add_help=False)
        if name in whole:
            module = importlib.import_module(f"seglab.cli.{name}")
            add_help(made)
            made.set_defaults(action=module.run)
            module.arguments(made)
    return top


def described(name: str) -> str:
    """The docstring of a command's file."""
    return ast.get_docstring(ast.parse(Path(__file__).with_name(f"{name}.py").read_text(encoding="utf-8"))) or ""


def complete(parser: argparse.ArgumentParser) -> None:
    """Gives the options that take an entry, here and in all commands, the names to choose from."""
    from seglab.cli.options import OF_FAMILY

    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for each in action.choices.values():
                complete(each)
        elif action.dest in OF_FAMILY and action.choices is None:
            action.choices = [*FAMILIES[OF_FAMILY[action.dest]].entries]  # `list` is a command here
