"""Runs of the hub on the page: opened within limits, and put there in the visitor's own name."""

import json
import time
import types

import gradio as gr
import pytest

from seglab import hub as hubs
from seglab import runs
from seglab.ui import build
from seglab.ui.parts import hub as part
from tests.conftest import finish, tiny
from tests.fake_hub import TOKEN
from tests.page import Request, done, row
from tests.test_pushing import elsewhere, files_at, first, mina, pushed  # noqa: F401  # fixtures

JIWOO = gr.OAuthToken("hf_of_jiwoo", "contribute-repos", int(time.time()) + 60)


@pytest.fixture
def several(monkeypatch):
    """Several people use this server, whose owner is logged in."""
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    monkeypatch.setenv("HF_TOKEN", TOKEN)


def named(blocks: gr.Blocks) -> set[str]:
    return {each.elem_id for each in blocks.blocks.values() if str(getattr(each, "elem_id", "")).startswith("hub-")}


def test_the_page_asks_the_hub_only_where_that_is_said(monkeypatch):
    monkeypatch.setenv("SEGLAB_HUB", "0")
    assert named(build()) == set()
    monkeypatch.setenv("SEGLAB_HUB", "1")
    assert {"hub-open", "hub-put"} <= named(build())
    monkeypatch.setenv("SEGLAB_SHARED", "1")  # without logins, in nobody's name
    assert "hub-open" in named(build()) and "hub-put" not in named(build())


def test_the_program_that_serves_the_page_asks_nothing_unless_that_is_said(monkeypatch):
    from seglab.ui import page

    monkeypatch.setenv("SEGLAB_HUB", "1")  # so that it is afterwards as it was before
    monkeypatch.delenv("SEGLAB_HUB")
    monkeypatch.setattr(page, "build", lambda: pytest.skip("not served") if hubs.on_page() else stop())
    with pytest.raises(StopIteration):
        page.launch()
    with pytest.raises(hubs.SeglabError, match="SEGLAB_HUB=1"):
        runs.find("hf:mina/net")


def stop():
    raise StopIteration


@pytest.mark.parametrize("typed", ["mina/net", " hf:mina/net ", "ADDRESS/mina/net"])
def test_a_run_is_opened_by_what_a_visitor_types_or_pastes(pushed, elsewhere, hub, typed):  # noqa: F811
    said, shown = part.opened(typed.replace("ADDRESS", hub.address), Request())
    (name,) = json.loads(shown)["runs"]
    told = row(runs.find(name))
    assert told["foreign"] and told["over"] and told["name"] == f"mina/net@{name[-10:-3]}"
    assert "is here now" in said and "the SHA-256 of its weights is" in said
    assert "the SHA-256 of its weights is" in part.opened(typed.replace("ADDRESS", hub.address), Request())[0]


def test_a_visitor_s_run_is_small_and_quick_and_public(pushed, elsewhere, hub, several, monkeypatch):  # noqa: F811
    hub.repositories["model", "mina/net"].private = True
    said, shown = part.opened("mina/net", Request("ko"))
    assert "비공개" in said and shown == "" and set(hub.authorized) <= {None, f"Bearer {TOKEN}"}
    assert hub.authorized[-1] is None  # the server's own login is no visitor's
    hub.repositories["model", "mina/net"].private = False
    hub.repositories["model", "mina/net"].sizes["model.safetensors"] = 301 * 2**20
    assert "allowed: 300 MB" in part.opened("mina/net", Request())[0]
    hub.repositories["model", "mina/net"].sizes.clear()
    monkeypatch.setattr(part, "MOST_SECONDS", 0)
    assert "comes too slowly" in part.opened("mina/net", Request())[0]
    monkeypatch.setattr(runs.bringing, "MOST_BROUGHT", 2**20)
    assert "no room for more runs" in part.opened("mina/net", Request())[0]


def test_what_a_visitor_types_is_never_markup(hub):
    said, shown = part.opened("<img src=x onerror=alert(1)>", Request())
    assert "<img" not in said and "OWNER/NAME" in said and shown == "" and hub.asked == []


def test_a_run_is_put_there_with_the_visitor_s_own_login(hub, several):
    hub.tokens[JIWOO.token] = "jiwoo"
    done("first")
    assert "Log in first" in part.put("first", False, False, "jiwoo/net", True, None, Request())
    assert hub.asked == []
    said = part.put("first", False, False, " hf:jiwoo/net ", True, JIWOO, Request())
    assert "any seglab opens it as hf:jiwoo/net" in said and "It is private: only jiwoo" in said
    assert set(hub.authorized) == {f"Bearer {JIWOO.token}"} and hub.repositories["model", "jiwoo/net"].private
    assert "refuses mina/net: 403" in part.put("first", False, False, "mina/net", False, JIWOO, Request())
    said = part.put("../first", False, False, "jiwoo/net", True, JIWOO, Request())
    assert "there is no run" in said.lower() and len(hub.repositories["model", "jiwoo/net"].messages) == 1


def test_on_one_s_own_machine_one_s_own_login_does(mina):  # noqa: F811
    finish(runs.create(tiny(epochs=1), "first"))
    said = part.put("first", False, False, "mina/net", False, None, Request())
    assert "Everybody sees it" in said and "no license" in said and "README.md" in files_at(mina)


def test_who_is_logged_in_is_said():
    assert "/login/huggingface" in part.account(None, Request())
    said = part.account(types.SimpleNamespace(username="<b>jiwoo"), Request("ko"))
    assert "&lt;b&gt;jiwoo" in said and "/logout" in said and "로그아웃" in said
