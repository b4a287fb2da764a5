"""The floors of the house: imports go one way, typing imports included."""

import ast
import importlib
import sys
from pathlib import Path

import pytest

import seglab

ROOT = Path(seglab.__file__).parent
FLOORS = [  # from the ground up; a file may import its own floor and those below
    ["errors", "ages", "cache", "machine", "depthwise", "spelling", "places", "locks", "group"],
    ["events", "entry", "data.base"],
    ["families", "plugins", "source", "schema"],
    [
        "data",
        "model",
        "metrics",
        "loader",
        "crf",
        "download",
        "hub",
        "zips",
        "torchvision_guard",
        "architectures",
        "losses",
        "techniques",
        "schedulers",
        "optimizers",
        "predictors",
        "presets",
    ],
    ["config"],
    ["evaluation", "training", "prediction"],
    ["runs"],
    ["jobs", "plans", "comparison", "preview", "anatomy", "draw", "uploads", "export", "tracking"],
    ["travel", "adopting"],
    ["api", "lessons"],
    ["cli", "ui", "__main__"],
]


def name_of(path):
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts) or "seglab"


FILES = {name_of(path): path for path in ROOT.rglob("*.py")}


def imported(path):
    """The files of seglab that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == "seglab":
            inner = node.module.removeprefix("seglab").lstrip(".")
            for alias in node.names:
                whole = f"{inner}.{alias.name}".lstrip(".")
                found.add(whole if whole in FILES else inner or "seglab")
        elif isinstance(node, ast.Import):
            found |= {alias.name.removeprefix("seglab.") for alias in node.names if alias.name.startswith("seglab.")}
    return found - {"seglab"}


IMPORTS = {name: imported(path) for name, path in FILES.items()}


def floor(name):
    """The floor of a file: that of the longest name that it is or lies in."""
    found = [n for n, names in enumerate(FLOORS) if name in names]
    return found[0] if found else floor(name.rpartition(".")[0]) if name else pytest.fail("a file has no floor")


def test_every_import_is_of_a_file():
    assert all(names <= FILES.keys() for names in IMPORTS.values())


@pytest.mark.parametrize("name", sorted(FILES.keys() - {"seglab"}))
def test_a_file_imports_no_higher_floor(name):
    assert {other for other in IMPORTS[name] if floor(other) > floor(name)} == set()


def test_no_files_import_each_other_in_a_loop():
    left = dict(IMPORTS)
    while free := {name for name, names in left.items() if names.isdisjoint(left)}:
        left = {name: names for name, names in left.items() if name not in free}
    assert sorted(left) == []


def test_the_core_knows_no_page():
    users = {name for name, path in FILES.items() if "import gradio" in path.read_text()}
    assert users and all(name.split(".")[0] == "ui" for name in users)


def test_what_is_offered_at_first_use_is_what_types_are_told_of():
    for package in ("seglab", "seglab.runs"):
        module = importlib.import_module(package)
        known = ast.parse(Path(module.__file__).read_text())
        told = [
            (node.module.removeprefix("seglab.runs."), alias.name)
            for block in known.body
            if isinstance(block, ast.If) and ast.unparse(block.test) == "TYPE_CHECKING"
            for node in block.body
            for alias in node.names
        ]
        assert sorted(told) == sorted((file, name) for file, names in module.OFFERED.items() for name in names)
        assert all(getattr(module, name) is not None for name in module.HOMES)
        assert not {f"{package}.{name}" for name in module.HOMES} & sys.modules.keys(), "a file would hide what it has"
