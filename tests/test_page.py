"""The page as a whole: its parts have their scripts, and what it asks of its server is nobody else's to call."""

import re
from pathlib import Path

import pytest

from seglab.ui import build, page, routes
from seglab.ui.parts.runlist import HEARD, MOUNT

SCRIPT = (Path(page.__file__).parent / "js" / "page.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def blocks():
    return build()


def names(text, template):
    """What a template was filled with, wherever it stands in a text."""
    return set(re.findall(re.escape(template.format(part="PART")).replace("PART", r"([\w-]+)"), text))


def test_every_part_has_a_script_that_fills_it(blocks):
    mounted = {name for each in blocks.blocks.values() for name in names(str(getattr(each, "js_on_load", "")), MOUNT)}
    known = re.search(r"const PARTS = {([^}]+)}", SCRIPT)[1].replace(" ", "").split(",")
    assert mounted == set(known) and "runs" in mounted


def test_every_answer_has_a_script_that_hears_it(blocks):
    heard = {name for each in blocks.fns.values() for name in names(str(each.js or ""), HEARD)}
    listening = {"begun", "greeting", "form", "runs", "viewer", "scores"}
    assert heard and heard <= listening
    for name in listening - {"begun", "greeting"}:  # these give a function that hears
        script = routes.assets()[f"{name}.js"].decode()
        assert re.search(rf"export function {name}\(element, trigger\) {{(.|\n)*?\n  return ", script), name
    assert all(re.search(rf"^  {name}\(", SCRIPT, re.MULTILINE) for name in ("begun", "greeting"))


def test_nothing_of_the_page_is_offered_as_an_interface_to_programs(blocks):
    assert len(blocks.fns) > 10
    assert {each.api_visibility for each in blocks.fns.values()} == {"private"}


def test_a_page_that_opens_trains_and_reads_nothing(monkeypatch):
    from seglab import anatomy, runs

    def never(*_):
        raise AssertionError("a page that is built has no business here")

    for module, name in ((anatomy, "anatomy"), (runs, "every"), (runs, "load")):
        monkeypatch.setattr(module, name, never)
    assert build().blocks
