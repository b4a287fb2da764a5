"""The Learn tab: what the page gets of lessons, and what it does not get before a question is answered."""

import json
import threading

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import places
from seglab.lessons import files, telling
from seglab.ui import page
from seglab.ui.parts import learn
from seglab.ui.tabs import start
from tests.lessons import images, lesson, put, whole

OPTIONS = [{"key": key, "text": f"option {key}", "why": f"why {key}"} for key in ("a", "b", "none")]
ASK = {
    "kind": "ask",
    "id": "best",
    "when": "before",
    "text": {"en": "Which is best?", "ko": "무엇이 가장 좋을까요?"},
    "measure": {"kind": "best", "of": ["a", "b"]},
    "options": OPTIONS,
    "tell": {"otherwise": "{best} by {difference}"},
    "notes": "for teachers",
}
CLAIM = {
    "where": "page 1",
    "quote": "90 and 80",
    "measured": "mIoU",
    "figures": {"a": 90, "b": 80},
    "percent": True,
    "pairs": [["b", "a"]],
    "differs": [{"reason": "one_run"}],
}
STEPS = [ASK, {"kind": "compare_with_source", "claims": ["c"]}]


@pytest.fixture
def client():
    return TestClient(Starlette(routes=page.ROUTES))


@pytest.fixture
def school(monkeypatch, tmp_path):
    """A folder with a lesson of a school's own."""
    folder = tmp_path / "school"
    folder.mkdir()
    monkeypatch.setenv("SEGLAB_LESSONS", str(folder))
    given = whole("ab", steps=STEPS, claims={"c": CLAIM}, title={"en": "Ours", "ko": "우리 수업"})
    (folder / "l.yaml").write_text(json.dumps(given))
    return folder


@pytest.fixture
def trained(school):
    """The same, with its runs: a is right more often than b."""
    of = lesson("ab", steps=STEPS, claims={"c": CLAIM})
    for key, hits in (("a", (80, 81, 83)), ("b", (50, 51, 53))):
        for seed, right in enumerate(hits):
            put(of, key, seed, images(right))


def get(client, address, lang="en"):
    return client.get(f"/seglab/{address}", headers={"accept-language": lang})


@pytest.mark.parametrize(
    ("lang", "title", "first"), [("en", "Ours", ASK["text"]["en"]), ("ko", "우리 수업", ASK["text"]["ko"])]
)
def test_the_list_has_every_lesson_in_the_visitor_s_language(client, school, lang, title, first):
    cards = get(client, "lessons", lang).json()
    assert [each["name"] for each in cards] == [*(path.stem for path in sorted(places.LESSONS.glob("*.yaml"))), "l"]
    own = cards[-1]
    assert (own["title"], own["first"], own["questions"], own["runs"]) == (title, first, 1, 6)


def test_a_lesson_whose_file_is_refused_says_why_and_leaves_the_others(client, school):
    (school / "broken.yaml").write_text("lesson: 1\nname: broken\nsteps: 3\n")
    cards = {each["name"]: each for each in get(client, "lessons", "ko").json()}
    assert "broken.yaml" in cards["broken"]["error"] and cards["l"]["title"] == "우리 수업"
    assert get(client, "lesson/broken", "ko").json()["error"] == cards["broken"]["error"]


def test_a_page_that_opens_a_lesson_is_not_told_what_came_out(client, trained):
    text = get(client, "lesson/l").text
    assert "Which is best?" in text and "option a" in text
    for hidden in ("why a", "{best}", 'measure"', "for teachers"):
        assert hidden not in text
    assert "for teachers" in get(client, "lesson/l?teach").text


def test_what_came_out_is_told_with_every_option_s_reason(client, trained):
    found = get(client, "lesson/l/answer/best").json()
    assert (found["outcome"], found["right"]) == ("a", ["a"])
    assert found["tell"].startswith("title of a by 0.") and found["why"]["none"] == "why none"


def test_a_document_s_percents_are_told_as_such_beside_what_was_measured(client, trained):
    (claim,) = get(client, "lesson/l/step/1").json()["claims"]
    assert claim["percent"] and [each["there"] for each in claim["figures"]] == [90, 80]
    (pair,) = claim["pairs"]
    assert (pair["low"], pair["high"], pair["state"]) == ("title of b", "title of a", "found")
    assert 0 < pair["ends"][0] < pair["size"] < pair["ends"][1] < 1


@pytest.mark.parametrize(("lang", "words"), [("en", "There is no lesson 'x'"), ("ko", "'x' 수업이 없습니다")])
def test_a_lesson_that_is_not_there_is_told_of_in_the_visitor_s_language(client, lang, words):
    answer = get(client, "lesson/x", lang)
    assert answer.status_code == 404 and words in answer.json()["error"]


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_the_start_tab_leads_to_every_shipped_lesson(lang):
    html = start.html(lang)
    for name, path in files.every().items():
        known = files.load(path)
        first = next(iter(known.asks.values()))
        card = html.partition(f'href="#learn?lesson={name}"')[2].partition("</a>")[0]
        assert known.title.of(lang) in card and first.text.of(lang).replace("'", "&#39;") in card


def test_the_list_of_lessons_reads_no_run(monkeypatch):
    monkeypatch.setattr(learn, "Bench", lambda *_: pytest.fail("a list has no business with runs"))
    assert len(learn.cards("en")) == len(files.every())


def test_what_a_lesson_shows_is_computed_as_soon_as_it_is_opened(client, trained, monkeypatch):
    monkeypatch.setattr(learn, "_benches", {})
    get(client, "lesson/l")
    for thread in threading.enumerate():
        if thread.name.startswith("ahead l "):
            thread.join()
    monkeypatch.setattr(telling, "result", None)
    monkeypatch.setattr(telling, "tested", None)
    assert get(client, "lesson/l/answer/best").json()["outcome"] == "a"
    assert len(get(client, "lesson/l/step/1").json()["claims"]) == 1


def test_a_lesson_whose_runs_are_missing_is_not_computed_before_it_is_asked_for(client, school, monkeypatch):
    monkeypatch.setattr(learn, "_benches", {})
    get(client, "lesson/l")
    assert not [each for each in threading.enumerate() if each.name.startswith("ahead l ")]
    assert get(client, "lesson/l/answer/best").status_code == 404
