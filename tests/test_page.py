"""The page as a whole: its parts have their scripts, and what it asks of its server is nobody else's to call."""

import inspect
import os
import re
import subprocess
import sys
import typing
import urllib.error
import urllib.request
from pathlib import Path

import gradio as gr
import pytest

from seglab import jobs
from seglab.ui import assets, broom, build, guard, page, wires
from seglab.ui.wires import HEARD, MOUNT
from tests.conftest import free_port
from tests.page import done

SCRIPT = (Path(page.__file__).parent / "js" / "page.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def blocks():
    """The page with all that it can have."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HUB", "1")
        return build()


def names(text, template):
    """What a template was filled with, wherever it stands in a text."""
    return set(re.findall(re.escape(template.format(part="PART")).replace("PART", r"([\w-]+)"), text))


def test_no_reading_waits_for_a_search(blocks):
    slots = {each.fn.__qualname__: each.concurrency_id for each in blocks.fns.values() if each.fn}
    search = slots.pop("refining.search")
    assert slots["lab.compute"] == "readings" and search not in slots.values()


def test_every_part_has_a_script_that_fills_it(blocks):
    mounted = {name for each in blocks.blocks.values() for name in names(str(getattr(each, "js_on_load", "")), MOUNT)}
    known = re.findall(r"\w+", re.search(r"const PARTS = {([^}]+)}", SCRIPT)[1])
    assert mounted == set(known) and "runs" in mounted


def test_every_answer_has_a_script_that_hears_it(blocks):
    heard = {name for each in blocks.fns.values() for name in names(str(each.js or ""), HEARD)}
    listening = {"begun", "greeting", "learn", "form", "runs", "viewer", "scores", "lab"}
    assert heard and heard <= listening
    for name in listening - {"begun", "greeting"}:  # these give a function that hears
        script = assets.assets()[f"{name}.js"].decode()
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


def test_the_page_is_built_and_set_up_without_torch():
    program = "import sys; from seglab.ui import page; page.build(); page.settings('x'); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.split()[-1] == "False"


def test_a_handler_that_is_imported_later_takes_what_it_says(blocks):
    """As many values as the page sends, and those that Gradio adds where it expects them."""
    places = set()
    for each in blocks.fns.values():
        if each.fn is None or each.fn.__module__ != wires.__name__:
            continue
        module, name = each.fn.__qualname__.split(".")
        places.add(module)
        handler = getattr(wires.imported(f"parts.{module}"), name)
        names = list(inspect.signature(handler).parameters)
        assert list(inspect.signature(each.fn).parameters) == names, each.fn.__qualname__
        hints = typing.get_type_hints(handler)
        assert typing.get_type_hints(each.fn) == {key: kind for key, kind in hints.items() if key in wires.KINDS}
        assert inspect.isgeneratorfunction(handler) == inspect.isgeneratorfunction(each.fn)
        assert len(each.inputs) == len([key for key in names if key not in wires.KINDS])
    assert {f"parts.{each}" for each in places} == wires.LATER


# --- how it is served


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """Nothing but the page begins when it is served, and nothing of this process is another afterwards."""
    for kind in (jobs.Worker, jobs.Keeper, broom.Broom):
        monkeypatch.setattr(kind, "start", lambda self: None)
    monkeypatch.setattr(guard, "refuse_bombs", lambda: None)
    monkeypatch.setattr(guard, "private_folder", lambda: tmp_path)
    monkeypatch.setattr(page.signal, "signal", lambda *_: None)
    monkeypatch.setenv("SEGLAB_HUB", "0")
    for name in ("SEGLAB_SHARED", "SEGLAB_TEACHER_KEY", "SPACE_ID", "GRADIO_SERVER_NAME"):
        monkeypatch.delenv(name, raising=False)


def answer(address, **headers):
    """An answer's status, headers and text."""
    request = urllib.request.Request(address, headers={name.replace("_", "-"): text for name, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=30) as found:
            return found.status, found.headers, found.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        return error.code, error.headers, error.read().decode()


@pytest.mark.slow
def test_the_page_is_served_with_its_guard_and_its_addresses(alone):
    done("one")
    port = free_port()
    blocks = page.launch(server_port=port, quiet=True)
    base = f"http://127.0.0.1:{port}"
    try:
        status, headers, text = answer(f"{base}/?lang=ko")
        assert status == 200 and "frame-ancestors" in headers["content-security-policy"]
        assert '<div id="first-screen">' in text and f"seglab/assets/{assets.version()}/page.js" in text
        assert answer(f"{base}/", Host="evil.example.com")[0] == 403
        assert '"run":"one"' in answer(f"{base}/seglab/watch")[2]
        assert answer(f"{base}/seglab/assets/{assets.version()}/page.js", Accept_Encoding="gzip")[1]["content-encoding"]
        assert answer(f"{base}/gradio_api/file=/etc/passwd")[0] in (403, 404)
        assert not jobs.shared()
    finally:
        blocks.close()


@pytest.mark.parametrize(
    ("host", "shared"), [(None, False), ("127.0.0.1", False), ("localhost", False), ("0.0.0.0", True), ("lab", True)]
)
def test_a_page_that_other_machines_reach_is_shared(alone, monkeypatch, host, shared):
    served = []
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **settings: served.append(settings))
    monkeypatch.setenv("SEGLAB_SHARED", "")
    monkeypatch.delenv("SEGLAB_SHARED")
    page.launch(**({"server_name": host} if host else {}))
    assert jobs.shared() == shared and served[0].get("server_name") == host
    assert os.environ.pop("SEGLAB_SHARED", None) == ("1" if shared else None)


def test_a_mistake_in_the_limits_is_told_before_anything_is_served(alone, monkeypatch):
    from seglab.errors import SeglabError

    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **settings: pytest.fail("it is served"))
    monkeypatch.setenv("SEGLAB_LIMITS", "minuts=3")
    with pytest.raises(SeglabError, match="minuts"):
        page.launch()


def test_a_home_that_cannot_be_written_to_is_told_and_the_page_is_served(alone, monkeypatch, capsys):
    monkeypatch.setattr(gr.Blocks, "launch", lambda self, **settings: None)
    monkeypatch.setenv("SEGLAB_HOME", "/sys/seglab")
    assert page.launch().blocks
    assert "seglab: warning: nothing can be trained here or brought back" in capsys.readouterr().err
