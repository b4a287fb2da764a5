"""Entries that a notebook or a script defines, written down as a module: their own source and that of what they use.

A class in a notebook's cell is in no file that another process could import. Its source is kept instead, with what it
uses by name: modules and what comes from them as imports, other functions and classes of the notebook as their source,
numbers and texts as they are. So a cell need not hold its imports, and what else it does is left out.
"""

from __future__ import annotations
import __future__

import ast
import builtins
import hashlib
import linecache
import symtable
import sys
from collections.abc import Iterator, Sequence
from functools import lru_cache
from inspect import unwrap
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

from seglab.entry import APART, Entry
from seglab.errors import SeglabError

PREFIX = "seglab_entries_"  # of the names of modules made of such source
HEADER = "# Written by seglab: entries that were defined in a notebook or a script, with what they use."


def is_local(thing: Any) -> bool:
    """Whether something is defined where no other process finds it."""
    module = getattr(thing, "__module__", None) or ""
    return isinstance(thing, type | FunctionType) and (module == "__main__" or module.startswith(PREFIX))


def written(kinds: Sequence[type[Entry]]) -> str:
    """The source of a module that defines these classes. Raises SeglabError for one that cannot be written down."""
    module = Module()
    for kind in dict.fromkeys(kinds):
        module.define(kind, kind.name)
    text = module.text()
    made(text)  # whether it stands alone is found out now, and not by a run
    return text


class Module:
    """What has been written so far."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.imports: list[str] = []
        self.folders: list[str] = []  # of modules that are found by where this process looks alone
        self.parts: list[str] = []  # constants and definitions, each below what it uses
        self.postponed = False  # annotations

    def text(self) -> str:
        future = ["from __future__ import annotations"] if self.postponed else []
        paths = ["import sys", *(f"sys.path.append({folder!r})" for folder in self.folders)] if self.folders else []
        head = "\n".join([HEADER, *future, *paths, *sorted(self.imports)])
        return "\n\n\n".join([head, *self.parts]) + "\n"

    def define(self, thing: Any, entry: str) -> None:
        """Writes a class or a function, below everything that it uses."""
        if thing.__name__ in self.known:
            return
        self.known.add(thing.__name__)
        text = source_of(thing, entry)
        self.postponed |= any(code.co_flags & __future__.annotations.compiler_flag for code in codes_of(thing))
        space = vars(sys.modules[thing.__module__])
        for name in names_used(text):
            if name not in self.known and (name in space or not hasattr(builtins, name)):
                self.use(name, space, entry)
        self.parts.append(text)

    def use(self, name: str, space: dict[str, Any], entry: str) -> None:
        """Writes what stands for a name."""
        if name not in space:
            raise SeglabError("{entry} uses {name}, which is not defined", entry=entry, name=name)
        value = space[name]
        if is_local(value) and value.__name__ == name:
            self.define(value, entry)
            return
        self.known.add(name)
        if line := import_of(name, value):
            self.imports.append(line)
            self.find(line.split()[1])
        elif is_plain(value):
            self.parts.append(f"{name} = {value!r}")
        else:
            raise SeglabError(
                "{entry} uses {name}, which cannot be written down for other processes ({kind}); make it inside the "
                "class, or put the class into a file and name that in SEGLAB_PLUGINS",
                entry=entry,
                name=name,
                kind=type(value).__name__,
            )

    def find(self, module: str) -> None:
        """Keeps where a module is that lies outside the installed packages, as one beside the notebook."""
        package = module.partition(".")[0]
        file = getattr(sys.modules.get(package), "__file__", None)
        if not file or package == "seglab":
            return
        place = Path(file).resolve()
        folder = place.parents[1] if place.name == "__init__.py" else place.parent
        installed = any(map(folder.is_relative_to, (sys.prefix, sys.base_prefix)))
        if not installed and folder.name not in ("site-packages", "dist-packages") and str(folder) not in self.folders:
            self.folders.append(str(folder))


def import_of(name: str, value: Any) -> str | None:
    """The statement that gives this name to something that lies in a module; None if it lies in none."""
    if isinstance(value, ModuleType):
        return f"import {value.__name__}" + f" as {name}" * (name != value.__name__)
    if is_plain(value) or is_local(value):
        return None
    home, own = getattr(value, "__module__", None), getattr(value, "__qualname__", None)
    modules = [sys.modules.get(home)] if isinstance(home, str) else []
    modules += sorted(sys.modules.values(), key=lambda module: len(getattr(module, "__name__", "")))
    for module in modules:
        if not isinstance(module, ModuleType) or module.__name__ == "__main__" or module.__name__.startswith(PREFIX):
            continue
        for title in (own, name):
            if isinstance(title, str) and title.isidentifier() and vars(module).get(title) is value:
                return f"from {module.__name__} import {title}" + f" as {name}" * (name != title)
    return None


def is_plain(value: Any) -> bool:
    """Whether its own text stands for the value, as that of numbers, texts and lists of them does."""
    try:
        return bool(ast.literal_eval(repr(value)) == value)
    except Exception:  # as many as there are things
        return False


def codes_of(thing: Any) -> Iterator[CodeType]:
    """The code of a function, or of the methods that a class defines."""
    for value in vars(thing).values() if isinstance(thing, type) else [thing]:
        value = getattr(value, "fget", None) or getattr(value, "__func__", None) or getattr(value, "wrapped", value)
        function = unwrap(value) if callable(value) else None
        if isinstance(function, FunctionType) and function.__module__ == thing.__module__:  # not pydantic's
            yield function.__code__


def source_of(thing: Any, entry: str) -> str:
    """The lines that define a class or a function."""
    lines = [code.co_firstlineno for code in codes_of(thing)]
    for file in files_of(thing):
        text = "".join(linecache.getlines(file))
        try:
            body = ast.parse(text).body
        except SyntaxError:
            continue
        for node in reversed(body):
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name == thing.__name__:
                first = min([node.lineno, *(each.lineno for each in node.decorator_list)])
                if not lines or any(first <= line <= (node.end_lineno or first) for line in lines):
                    return "\n".join(text.splitlines()[first - 1 : node.end_lineno])
    raise SeglabError(
        "{entry}: the source of {name} cannot be found, which other processes need; define it at the top level of a "
        "notebook's cell, or in a file that SEGLAB_PLUGINS names",
        entry=entry,
        name=thing.__name__,
    )


def files_of(thing: Any) -> list[str]:
    """Where the source may be: what the code says; for a class without any, the script and the latest cells first."""
    if files := [code.co_filename for code in codes_of(thing)]:
        return list(dict.fromkeys(files))
    script = getattr(sys.modules[thing.__module__], "__file__", None)
    cells = [file for file in reversed(list(linecache.cache)) if "ipykernel_" in file or file.startswith("<")]
    return ([script] if script else []) + cells


def names_used(text: str) -> list[str]:
    """The names that a definition takes from the module around it."""
    found: dict[str, None] = {}
    tables = [symtable.symtable(text, "<entry>", "exec")]
    for outermost in tables[:1]:
        for symbol in outermost.get_symbols():
            if symbol.is_referenced() and not symbol.is_assigned():
                found[symbol.get_name()] = None
    while tables:
        table = tables.pop()
        tables += table.get_children()
        for symbol in table.get_symbols() if table.get_type() != "module" else ():
            if symbol.is_global() and symbol.is_referenced():
                found[symbol.get_name()] = None
    return [name for name in found if not name.startswith("__")]


@lru_cache(maxsize=64)
def made(text: str) -> tuple[type[Entry], ...]:
    """The entries that such a module defines, which no family gets to know."""
    digest = hashlib.sha256(text.encode()).hexdigest()[:16]
    name, file = f"{PREFIX}{digest}", f"<entries {digest}>"
    linecache.cache[file] = len(text), None, text.splitlines(keepends=True), file  # for tracebacks, and for `written`
    module = sys.modules[name] = ModuleType(name)
    token = APART.set(True)
    try:
        exec(compile(text, file, "exec", dont_inherit=True), vars(module))
    except Exception as error:
        del sys.modules[name]
        raise SeglabError(
            "entries that are defined in a notebook or a script do not work by themselves: {reason}; put them into a "
            "file and name that in SEGLAB_PLUGINS",
            reason=f"{type(error).__name__}: {error}",
        ) from None
    finally:
        APART.reset(token)
    kinds = [value for value in vars(module).values() if isinstance(value, type) and issubclass(value, Entry)]
    return tuple(kind for kind in kinds if kind.__module__ == name and "name" in kind.__dict__)
