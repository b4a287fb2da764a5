"""Runs that visitors of a lesson begin: whose seed is next, what they are given, and what the dots come to."""

from __future__ import annotations

import json
import statistics
from concurrent.futures import ThreadPoolExecutor

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.lessons import live, other_data
from seglab.ui import page as whole_page
from seglab.ui.board import BOARD
from seglab.ui.parts import guests, learn
from seglab.ui.parts.live import run
from seglab.ui.visitors import Visitor
from tests.conftest import finish
from tests.lessons import images, lesson, miou, put, whole
from tests.page import ADA, BOB, Event, Request, heard

QUICK = ["a", "b"]
CAROL = {"token": "c" * 32}


@pytest.fixture
def of(tmp_path, monkeypatch):
    """A lesson of a school's own with three seeds of two settings, of which b is better."""
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "l.yaml").write_text(json.dumps(whole(quick=QUICK)))
    monkeypatch.setenv("SEGLAB_LESSONS", str(tmp_path / "own"))
    monkeypatch.setattr(learn, "_benches", {})
    return lesson(quick=QUICK)


@pytest.fixture
def client():
    return TestClient(Starlette(routes=whole_page.ROUTES))


def made(of):
    """Its own runs: with every seed b has 10 pixels of each class more right than a."""
    for key, hits in (("a", 60), ("b", 70)):
        for seed in of.seeds(key):
            put(of, key, seed, images(hits + seed))


def seen(client, code="", lang="en"):
    answer = client.get(f"/seglab/lesson/l/live/g?class={code}", headers={"accept-language": lang})
    return answer.json()


def pressed(code="", visitor=ADA, lang="en", group="g"):
    sent = {"lesson": "l", "group": group, "class": code, "visitor": visitor}
    return heard(run(Event(sent), Request(lang)))


def names(*keys_and_seeds):
    return [f"l-{each}" for each in keys_and_seeds]


def test_a_press_begins_the_quick_settings_with_a_seed_that_nobody_has(of):
    directories, new = live.start(of, "g")
    assert new and [each.name for each in directories] == names("a-3", "b-3")
    assert [runs.config(each) for each in directories] == [of.config("a", 3), of.config("b", 3)]
    assert jobs.waiting() == directories


def test_whoever_presses_while_such_runs_are_under_way_is_given_those(of):
    first, _ = live.start(of, "g")
    assert live.start(of, "g") == (first, False)
    for key in QUICK:
        (runs.home() / f"l-{key}-3" / "queued").unlink()
        put(of, key, 3, images(50), name=f"l-{key}-3")
    assert live.start(of, "g")[0][0].name == "l-a-4"


def test_of_thirty_who_press_at_once_one_begins(of):
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: live.start(of, "g"), range(30)))
    assert sum(new for _, new in answers) == 1
    assert {each.name for directories, _ in answers for each in directories} == set(names("a-3", "b-3"))


def test_of_a_class_each_press_begins_the_next_seed_until_thirty_wait(of):
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: live.start(of, "g", "K7QF"), range(30)))
    assert {directories[0].name for directories, _ in answers} == set(names(*(f"a-{n}-K7QF" for n in range(3, 33))))
    with pytest.raises(SeglabError, match="30 pairs of this class are waiting"):
        live.start(of, "g", "K7QF")
    assert live.start(of, "g", "OTHER")[0][0].name == "l-a-33-OTHER"
    assert live.start(of, "g")[0][0].name == "l-a-34"


@pytest.mark.parametrize("code", ["k7qf", "K7", "K7QF-1", "../K7QF", "K" * 9])
def test_what_is_no_code_is_refused(of, code, client):
    with pytest.raises(SeglabError, match="is not a code"):
        live.start(of, "g", code)
    assert "is not a code" in seen(client, code)["error"]


def test_a_group_without_quick_settings_is_refused(of):
    with pytest.raises(SeglabError, match="there is no group 'x'; there are: g"):
        live.start(of, "x")


def test_what_an_older_lesson_of_this_name_left_is_in_nobody_s_way(of):
    older = lesson({"a": {"title": "a", "set": {"epochs": 9}}, "b": {"title": "b"}}, quick=QUICK)
    live.start(older, "g")
    assert live.found(of, "g") == []
    assert live.start(of, "g")[0][0].name == "l-a-4"


def test_what_was_interrupted_goes_on_with_the_next_press(of, client):
    made(of)
    directories, _ = live.start(of, "g")
    assert seen(client)["busy"]
    events = put(of, "a", 3, images(50), name="l-a-3") / "events.jsonl"
    events.write_text("".join(events.read_text().splitlines(True)[:-1]))
    (directories[0] / "queued").unlink()
    assert live.found(of, "g")[0].state == "interrupted" and not seen(client)["busy"]
    assert live.start(of, "g") == (directories, False)
    assert set(jobs.waiting()) == set(directories)


def test_what_a_setting_begins_with_is_trained_before_it():
    settings = {
        "late": {"title": "late", "begins_with": "early", "set": {"epochs": 1}},
        "early": {"title": "early", "set": {"epochs": 1}},
        "other": {"title": "other", "set": {"epochs": 2}},
    }
    of = lesson(settings, quick=["late", "other"])
    directories, _ = live.start(of, "g", "K7QF")
    assert [each.name for each in directories] == names("early-3-K7QF", "late-3-K7QF", "other-3-K7QF")
    assert runs.config(directories[1]).init_from == directories[0]
    assert jobs.next_run() == directories[0]
    (directories[0] / "queued").unlink()
    finish(directories[0])
    assert jobs.next_run() == directories[1]
    (directories[1] / "queued").unlink()
    finish(directories[1])
    assert [each.state for each in live.found(of, "g")] == ["completed", "completed", "queued"]


def test_a_pair_is_trained_without_another_between_so_that_a_seed_counts_soon(of):
    for sent in (ADA, BOB):
        live.start(of, "g", "K7QF", Visitor.of(sent).owner)
    (third,) = jobs.submit([of.config("a", 9)], Visitor.of(CAROL).owner)
    begun = []
    while (directory := jobs.next_run()) is not None:
        jobs.queue.begin(directory)
        (directory / "queued").unlink()
        begun.append(directory.name)
    assert begun == [*names("a-3-K7QF", "b-3-K7QF", "a-4-K7QF", "b-4-K7QF"), third.name]


def test_runs_that_stay_together_are_one_turn_of_their_owner_s(of):
    live.start(of, "g", "K7QF", Visitor.of(ADA).owner)
    live.start(of, "g", "K7QF", Visitor.of(ADA).owner)
    live.start(of, "g", "K7QF", Visitor.of(BOB).owner)
    told = [each.name.removesuffix("-K7QF") for each in jobs.waiting()]
    assert told == names("a-3", "b-3", "a-5", "b-5", "a-4", "b-4")


# --- what the page is told


def test_dots_of_seeds_trained_here_stand_beside_the_lesson_s_and_change_the_difference(of, client):
    made(of)
    before = seen(client)
    assert before["settings"] == {"a": "title of a", "b": "title of b"} and before["count"] == 2
    assert before["dots"]["a"] == [{"seed": n, "score": miou(60 + n), "live": False} for n in range(3)]
    assert before["seeds"] == before["against"] == 0 and before["before"]["seeds"] == before["after"]["seeds"] == 3
    for key, hits in (("a", 80), ("b", 70)):
        put(of, key, 3, images(hits), name=f"l-{key}-3-K7QF")
    found = seen(client, "K7QF")
    assert found["dots"]["b"][3] == {"seed": 3, "score": miou(70), "live": True}
    assert (found["seeds"], found["against"]) == (1, 1)
    assert found["before"] == before["before"] and found["after"]["seeds"] == 4
    pairs = [(miou(60 + n), miou(70 + n)) for n in range(3)] + [(miou(80), miou(70))]
    assert found["after"]["size"] == pytest.approx(statistics.mean(b - a for a, b in pairs))
    assert found["runs"] == names("a-3-K7QF", "b-3-K7QF") and found["like"] == {"a": "l-a-0", "b": "l-b-0"}
    assert seen(client, "OTHER")["seeds"] == 0
    assert seen(client)["seeds"] == 1 and seen(client)["runs"] == []  # its dots are everybody's, its queue is not


def test_a_seed_counts_once_it_was_trained_with_both_settings(of, client):
    made(of)
    put(of, "a", 3, images(50), name="l-a-3")
    put(of, "b", 3, images(50), name="l-b-3", reason="stopped")
    put(of, "b", 4, images(50), name="l-b-4")
    found = seen(client)
    assert found["seeds"] == 0 and len(found["dots"]["a"]) == 3 and not found["busy"]
    assert found["runs"] == names("a-3", "b-3", "b-4")


@pytest.mark.parametrize("lang, words", [("en", "have not been made yet"), ("ko", "seglab lesson make l")])
def test_runs_of_the_lesson_that_are_missing_are_told_and_live_dots_stand_alone(of, client, lang, words):
    put(of, "a", 0, images(60))
    for key in QUICK:
        put(of, key, 3, images(80), name=f"l-{key}-3")
    found = seen(client, lang=lang)
    assert words in found["problem"] and "after" not in found
    assert found["dots"] == {key: [{"seed": 3, "score": pytest.approx(miou(80)), "live": True}] for key in QUICK}
    made(of)
    assert "problem" not in seen(client, lang=lang)


def test_how_long_it_takes_is_told_by_runs_here_or_else_by_the_lesson_s_own(of, client, monkeypatch):
    monkeypatch.setattr(BOARD, "paces", {})
    for key in QUICK:  # a second for each of two epochs
        for seed in of.seeds(key):
            put(of, key, seed, images(60), losses=[(1, 1), (1, 1)])
    found = seen(client)
    assert found["seconds"] is None and found["recorded"] == 4.0 and found["spent"] == 12.0 and found["all"] == 6
    for n, key in enumerate(QUICK, 1):
        events = put(of, key, 3, images(60), name=f"l-{key}-3") / "events.jsonl"
        lines = events.read_text().splitlines(True)
        ended = json.loads(lines[-1]) | {"epoch": float(n), "seconds": 10.0 * n}
        events.write_text("".join(lines[:-1]) + json.dumps(ended) + "\n")
    assert seen(client)["seconds"] == pytest.approx(10.0 * 1 + 10.0 * 2)


def test_thirty_who_ask_have_the_numbers_computed_once(of, client, monkeypatch):
    made(of)
    looked = []
    found = live.found
    monkeypatch.setattr(live, "found", lambda *given: looked.append(given) or found(*given))
    for _ in range(30):
        seen(client, "K7QF")
    assert len(looked) == 1
    put(of, "a", 3, images(50), name="l-a-3")
    seen(client, "K7QF")
    assert len(looked) == 2


def test_the_numbers_of_a_lesson_on_other_data_are_computed_once_too(of, client, monkeypatch):
    on = other_data.on(of, "camvid")
    made(on)
    monkeypatch.setattr(guests, "offered", lambda: ["camvid"])
    looked = []
    found = live.found
    monkeypatch.setattr(live, "found", lambda *given: looked.append(given) or found(*given))
    for _ in range(30):
        assert client.get("/seglab/lesson/l.camvid/live/g").json()["count"] == 2
    assert len(looked) == 1


# --- the button


def test_the_button_says_whether_the_runs_are_new(of):
    first = pressed()
    assert (first["kind"], first["lesson"], first["group"]) == ("started", "l", "g")
    assert first["runs"] == names("a-3", "b-3") and first["messages"][0][0] == "right"
    assert runs.label(runs.find("l-a-3")).owner.nickname == "Ada"
    second = pressed(visitor=BOB, lang="ko")
    assert second["runs"] == first["runs"]
    assert [kind for kind, _ in second["messages"]] == ["note"] and "이미 진행 중입니다" in second["messages"][0][1]
    assert pressed("K7QF")["runs"] == names("a-4-K7QF", "b-4-K7QF")
    assert BOARD.named(["l-a-4-K7QF"])


@pytest.mark.parametrize("lang, words", [("en", "The queue is full"), ("ko", "대기열이 가득 찼습니다")])
def test_a_full_queue_is_told_in_the_visitor_s_language(of, lang, words, monkeypatch):
    monkeypatch.setattr("seglab.jobs.queue.MOST_WAITING", 1)
    answer = pressed(lang=lang)
    ((kind, text),) = answer["messages"]
    assert answer["runs"] == [] and kind == "wrong" and words in text


def test_what_is_no_lesson_or_no_group_is_told(of):
    assert "there is no lesson" in heard(run(Event(lesson="zz", group="g"), Request()))["failed"].lower()
    assert "there is no group 'zz'" in pressed(group="zz")["messages"][0][1].lower()


def test_quick_settings_can_be_trained():
    with pytest.raises(SeglabError, match="a has no runs of its own to train"):
        lesson({"a": {"title": "a", "run": "unet"}}, quick=["a"])
