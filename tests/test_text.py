"""Every string that a person can meet on the page exists in English and Korean."""

import ast
import re
from pathlib import Path

import pytest

import seglab
from seglab import draw, metrics
from seglab.config import Fold, RunConfig
from seglab.entry import FAMILIES, REASONS
from seglab.errors import SeglabError
from seglab.losses.combined import Part
from seglab.ui import build, compare, form, text
from seglab.ui.korean import KOREAN

SOURCES = sorted(Path(seglab.__file__).parent.rglob("*.py"))
TEMPLATES = sorted((Path(seglab.__file__).parent / "ui" / "templates").glob("*.html"))
STATES = ("queued", "running", "stopping", "interrupted", "completed", "budget", "stopped", "diverged", "failed")


def literal_first_arguments(tree, names):
    """The texts that calls such as label("...") or SeglabError("...") are given, also by a constant's name."""
    constants = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and node.args:
            called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", None)
            if called in names:
                first = node.args[0]
                for part in (first.body, first.orelse) if isinstance(first, ast.IfExp) else (first,):
                    part = constants.get(part.id) if isinstance(part, ast.Name) else part
                    if isinstance(part, ast.Constant):
                        yield part.value


def needed():
    """Every English text, with where it is said."""
    found = {}
    for path in SOURCES:
        tree = ast.parse(path.read_text())
        errors = set(literal_first_arguments(tree, {"SeglabError"}))
        said = set(literal_first_arguments(tree, {"label", "say", "run_picker"})) if path.parent.name == "ui" else set()
        for value in errors | said:
            found[value] = path.name
        for node in ast.walk(tree):  # render(..., text="...") of a hint
            if isinstance(node, ast.keyword) and node.arg == "text" and isinstance(node.value, ast.Constant):
                found[node.value.value] = path.name
    for path in TEMPLATES:
        for value in re.findall(r"""\bt\(\s*"([^"]+)\"""", path.read_text()):
            found[value] = path.name
    found |= {reason: "entry.py" for reason in REASONS.values()}
    found |= {title: "draw.py" for title in draw.CURVES.values()} | {state: "states" for state in STATES}
    found[metrics.DEFINITION] = "metrics.py"
    found |= {text: "compare.py" for text in (compare.DIFFERENT, compare.LEAKING)}
    for model in (RunConfig, Fold, Part):
        found |= {field.description: model.__name__ for field in model.model_fields.values() if field.description}
    found |= {name.replace("_", " "): "RunConfig" for name in RunConfig.model_fields} | {"weight": "sum"}
    found |= {plural: "form.py" for plural in form.PLURALS.values()}
    for family in FAMILIES.values():
        for entry in family.entries.values():
            found[entry.summary()] = entry.name
            for name, option in entry.model_fields.items():
                found |= {option.description: f"{entry.name}.{name}", name.replace("_", " "): f"{entry.name}.{name}"}
    return found


NEEDED = needed()


@pytest.mark.parametrize("english", NEEDED, ids=lambda english: f"{NEEDED[english]}: {english[:50]}")
def test_a_string_has_its_korean(english):
    korean = KOREAN.get(english)
    assert korean, f"no Korean for {english!r} ({NEEDED[english]})"
    assert re.search("[가-힣]", korean) or not re.search("[a-z]{4}", re.sub(r"{\w+}", "", english))
    assert sorted(re.findall(r"{\w+}", korean)) == sorted(re.findall(r"{\w+}", english))


def test_no_translation_is_left_over():
    assert sorted(set(KOREAN) - set(NEEDED)) == []


def test_the_browser_is_given_no_words_for_the_name_of_an_entry():
    build()
    names = {name for family in FAMILIES.values() for name in family.entries}
    given = text.catalogue().translations
    assert given["en"].keys() == given["ko"].keys() >= {"Start", "Soft voting", "latest"}
    assert names.isdisjoint(given["ko"]) and names & set(KOREAN)


def test_labels_hold_no_braces_which_the_browser_could_not_read():
    for path in SOURCES:
        if path.parent.name == "ui":
            for value in literal_first_arguments(ast.parse(path.read_text()), {"label"}):
                assert "{" not in value and "}" not in value
    for family in FAMILIES.values():
        for entry in family.entries.values():
            for value in (entry.summary(), *(field.description for field in entry.model_fields.values())):
                assert "{" not in value and "}" not in value


def test_an_error_is_told_in_the_language_of_the_page():
    error = SeglabError(REASONS["greater_than_equal"], thing="model.width", value="1", ge=4)
    assert "4 or more" in text.told(error, "en")
    korean = text.told(error, "ko")
    assert re.search("[가-힣]", korean) and "model.width" in korean and "4" in korean and "{" not in korean


def test_no_page_tells_where_the_machine_keeps_its_files(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", f"{tmp_path}/data/")
    for data in ("camvid", "voc2012", "folder", "coco", "kitti_road"):
        with pytest.raises(SeglabError) as caught:
            FAMILIES["datasets"].entries[data]().open()
        assert str(tmp_path) in str(caught.value)  # on the command line
        for lang in text.LANGUAGES:
            assert text.told(caught.value, lang).startswith(f"$SEGLAB_DATA/{data}: ")
    template = "{file} cannot be read: {reason}"
    reason = FileNotFoundError(2, "No such file", f"{tmp_path}/runs/a/weights")  # SEGLAB_HOME is tmp_path / "runs"
    told = text.told(SeglabError(template, file=f"{tmp_path}/data-2/x", reason=reason), "en")
    assert told == "…/x cannot be read: [Errno 2] No such file: '$SEGLAB_HOME/a/weights'"
    monkeypatch.setenv("SEGLAB_DATA", "/")
    assert text.told(SeglabError(template, file="a/b", reason="3/4"), "en") == "a/b cannot be read: 3/4"


class Request:
    def __init__(self, query, accept):
        self.query_params, self.headers = query, {"accept-language": accept}


@pytest.mark.parametrize(
    ("query", "accept", "expected"),
    [
        ({}, "ko-KR,ko;q=0.9,en;q=0.8", "ko"),
        ({}, "en-US,ko;q=0.9", "en"),
        ({}, "fr", "en"),
        ({"lang": "en"}, "ko-KR", "en"),
        ({"lang": "ko"}, "en-US", "ko"),
        ({"lang": "<b>"}, "ko", "en"),
        ({}, "", "en"),
    ],
)
def test_the_language_is_the_visitors_choice_or_the_browsers(query, accept, expected):
    assert text.language(Request(query, accept)) == expected
