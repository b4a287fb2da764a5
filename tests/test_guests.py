"""Lessons that a visitor brings: what a link carries is opened with limits, and refused what is not theirs."""

import base64
import json
import tracemalloc
import zlib

import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from seglab import places, plans, runs
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.lessons import files, guests, live, making, other_data
from seglab.lessons.bench import Bench, located
from seglab.ui import routes
from seglab.ui.parts import guests as page
from tests.lessons import images, lesson, put, whole
from tests.page import Event, Request


def sealed(content: bytes) -> str:
    return base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")


def linked(**more) -> str:
    return sealed(json.dumps(whole(**more)).encode())


@pytest.fixture
def client():
    return TestClient(Starlette(routes=[Mount("/seglab", app=routes.ROUTER)]))


# --- packed and unpacked


@pytest.mark.parametrize("name", files.every())
def test_a_link_carries_a_lesson_whole(name):
    of = files.find(name)
    link = guests.packed(of)
    assert guests.unpacked(link) == of and len(link) < 0.6 * len(files.path(name).read_bytes())


def test_a_bomb_is_never_inflated_to_its_end():
    bomb = sealed(b" " * 20_000_000)
    assert len(bomb) < guests.MOST_PACKED
    tracemalloc.start()
    with pytest.raises(SeglabError, match="a lesson of 65537 bytes is too large; allowed: 65536"):
        guests.unpacked(bomb)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 1_000_000


def test_a_link_that_is_no_lesson_is_refused():
    link = linked()
    with pytest.raises(SeglabError, match=r"too long for a link; allowed: 32768"):
        guests.unpacked("A" * 40_000)
    for damaged in ("", "?", link[:-9], link[:-9] + "A" * 9, link + "!", "한글", link[40:], sealed(b"x")[:-3]):
        with pytest.raises(SeglabError, match="damaged"):
            guests.unpacked(damaged)
    deep = b'{"lesson":' + b"[" * 30_000 + b"]" * 30_000 + b"}"
    for content in (b"", b"x", b"[]", b'"x"', b"lesson: 1", b'{"lesson":1}', b"\xff", deep):
        with pytest.raises(SeglabError):
            guests.unpacked(sealed(content))


# --- what one may not


@pytest.mark.parametrize(
    ("option", "value", "told"),
    [
        ("data", "camvid", "a: a lesson from elsewhere cannot use the data camvid; allowed: streets"),
        ("data", "folder", "cannot use the data folder"),
        ("data.root", "/etc", "root"),
        ("data.streets.root", "/etc", "root"),
        ("init_from", "unet", "init_from cannot be set in a lesson"),
        ("techniques.semi_supervised.teacher", "/runs/unet", "teacher|techniques"),
        ("epochs", 10**9, "epochs"),
        ("image_size", 10**6, "image_size"),
        ("model", "../unet", "unet"),
        ("model.widht", 4, "widht"),
    ],
)
def test_a_setting_that_reads_what_is_not_everybodys_is_refused(option, value, told):
    settings = {"a": {"title": "a", "set": {option: value}}, "b": {"title": "b"}}
    with pytest.raises(SeglabError, match=told):
        guests.unpacked(linked(settings=settings))


def test_a_teacher_that_is_allowed_elsewhere_names_a_folder():
    with_teacher = [name for name, each in FAMILIES["techniques"].entries.items() if "teacher" in each.model_fields]
    assert with_teacher
    for name in with_teacher:
        given = {"techniques": name, f"techniques.{name}.teacher": "/runs/unet"}
        with pytest.raises(SeglabError, match="a: techniques names a folder"):
            guests.unpacked(linked(settings={"a": {"title": "a", "set": given}, "b": {"title": "b"}}))


def test_a_run_that_was_made_here_is_nobodys_lesson(runs_home):
    runs.create(lesson().config("a", 0), "secret")
    settings = {"a": {"title": "a", "run": "secret"}, "b": {"title": "b"}}
    with pytest.raises(SeglabError, match="a: secret does not come with seglab"):
        guests.unpacked(linked(settings=settings))
    guests.unpacked(linked(settings={"a": {"title": "a", "run": "unet"}, "b": {"title": "b"}}))


def test_a_lesson_of_too_many_runs_is_refused_before_they_are_counted_out():
    with pytest.raises(SeglabError, match="a lesson of 130 runs is too large; allowed: 128"):
        guests.unpacked(linked(settings=[f"s{n}" for n in range(13)], seeds=list(range(10))))
    chain = {f"s{n}": {"title": "t", "begins_with": f"s{n + 1}"} if n < 23 else {"title": "t"} for n in range(24)}
    chain = {key: each | {"seeds": []} for key, each in chain.items()} | {"s0": chain["s0"] | {"seeds": list(range(9))}}
    with pytest.raises(SeglabError, match="runs is too large"):
        guests.unpacked(linked(settings=chain))


# --- kept for a while, by what they hold


def test_a_guest_is_called_by_what_it_holds_and_goes_when_others_come(monkeypatch):
    first, other = guests.keep(lesson()), guests.keep(lesson(goal="other"))
    assert first.name != other.name and guests.find(first.name) is first is guests.keep(lesson())
    assert guests.NAMED.fullmatch(first.name) and first.name.startswith("l_") and first.called == "l.yaml"
    monkeypatch.setattr(guests, "MOST_KEPT", 2)
    guests.keep(lesson(goal="third"))
    assert guests.find(first.name) is first  # it was asked for last
    with pytest.raises(guests.GoneError):
        guests.find(other.name)


def test_evidence_is_found_by_configuration_whatever_the_lesson_is_called(runs_home):
    of = guests.keep(files.find("a"))
    bench = Bench(of)
    assert bench.directories("case2") == Bench(files.find("a")).directories("case2")
    best = of.asks["best"].measure
    assert best.outcome(bench) == best.outcome(Bench(files.find("a")))
    mine = guests.keep(lesson(seeds=[0]))
    assert located(mine, "a", 0) is None
    made = put(lesson(name="other", seeds=[0]), "a", 0, images(50))
    assert located(mine, "a", 0) == made and [job.key for job in making.jobs(mine)] == ["b"]


def test_a_run_that_begins_with_another_is_found_where_that_one_is(runs_home):
    settings = {"a": {"title": "a"}, "b": {"title": "b", "begins_with": "a", "set": {"epochs": 2}}}
    first, mine = lesson(settings, seeds=[0]), guests.keep(lesson(settings, seeds=[0], goal="mine"))
    put(first, "b", 0, images(50))
    assert located(mine, "b", 0) is None  # what it began with is not known here
    put(first, "a", 0, images(50))
    assert located(mine, "b", 0) == runs_home / places.MADE / "l-b-0"


# --- the page


def test_a_file_that_is_dropped_tells_its_mistake_with_the_line_in_either_language(client):
    text = yaml.safe_dump(whole(), sort_keys=False).replace("model.width: 4", "model.width: 4\n      seed: 3")
    line = 1 + [each.strip() for each in text.splitlines()].index("seed: 3")
    for lang, told in (("en", "seed cannot be set in a lesson; use seeds"), ("ko", "seed")):
        answer = client.post("/seglab/brought", params={"file": "my <b>.yaml", "lang": lang}, content=text.encode())
        error = answer.json()["error"]
        assert told in error and f"{line}" in error and "y <b>.yaml" in error
    assert any("가" <= letter <= "힣" for letter in error)


@pytest.mark.parametrize(
    "content",
    [b"a: &x [1]\nb: *x", b"!!python/object/apply:os.system ['id']", b"{" * 5000, b"[" * 5000, b"\xff\xfe", b"",
     b"- " * 4000, b"lesson: 1\nlesson: 1", b"x" * 70_000, b'{"lesson": 1, "name": "../a"}'],
)  # fmt: skip
def test_a_file_that_is_no_lesson_is_told_in_a_sentence(client, content):
    answer = client.post("/seglab/brought", params={"file": "l.yaml"}, content=content)
    assert answer.json()["error"] and len(answer.text) < 600


def test_every_address_of_a_lesson_answers_for_one_that_was_brought(client):
    mine = files.find("a").model_copy(update={"goal": files.find("b").goal})
    text = yaml.safe_dump(guests.short(mine), allow_unicode=True)
    found = client.post("/seglab/brought", params={"file": "a.yaml"}, content=text.encode()).json()
    again = client.post("/seglab/brought", content=found["own"]).json()
    assert again == found
    name = found["name"]
    outline = client.get(f"/seglab/lesson/{name}").json()
    assert outline["origin"] == "guest" and outline["name"] == name and len(outline["steps"]) == len(mine.steps)
    own = client.get("/seglab/lesson/a").json()
    assert own["origin"] == "seglab" and own["goal"] != outline["goal"]
    for address in ("answer/best", "answer/gained", "step/4", "live/cases"):
        theirs = client.get(f"/seglab/lesson/a/{address}")
        assert client.get(f"/seglab/lesson/{name}/{address}").json() == theirs.json() and theirs.status_code == 200
    two = {"a": "case1", "b": "case2"}
    for address in ("lab/maps/0", "lab/real", "lab/why", "lab/regions"):
        theirs = client.get(f"/seglab/{address}", params=two | {"lesson": "a"})
        mine_too = client.get(f"/seglab/{address}", params=two | {"lesson": name})
        assert mine_too.status_code == theirs.status_code == 200 and mine_too.content == theirs.content
    file = client.get(f"/seglab/lesson/{name}/file")
    assert file.headers["content-disposition"] == 'attachment; filename="a.yaml"'
    assert guests.keep(files.parsed(file.content, "a.yaml")).name == name  # the same, back again
    shipped = client.get("/seglab/lesson/a/file")
    assert shipped.content == files.path("a").read_bytes()


def test_a_lesson_that_is_gone_has_to_be_sent_again(client, monkeypatch):
    name = client.post("/seglab/brought", content=linked()).json()["name"]
    monkeypatch.setattr(guests, "_kept", type(guests._kept)())
    for address in (f"lesson/{name}", f"lesson/{name}/answer/x", f"lab/real?lesson={name}&a=a&b=b"):
        assert client.get(f"/seglab/{address}").status_code == 410
    assert client.post("/seglab/brought", content=linked()).json()["name"] == name
    assert client.get(f"/seglab/lesson/{name}").status_code == 200


def test_a_step_says_which_runs_are_missing_and_how_to_make_them(client):
    ask = {
        "kind": "ask", "id": "q", "when": "before", "text": "<script>alert(1)</script>",
        "measure": {"kind": "difference", "a": "a", "b": "b"}, "tell": {"otherwise": "{difference}"},
        "options": [{"key": key, "text": key} for key in ("higher", "lower", "none")],
    }  # fmt: skip
    name = client.post("/seglab/brought", content=linked(steps=[ask])).json()["name"]
    answer = client.get(f"/seglab/lesson/{name}/answer/q")
    assert answer.status_code == 404
    assert "make them with: seglab lesson make l.yaml" in answer.json()["error"]
    lacking = client.get(f"/seglab/lesson/{name}/lacking").json()
    assert (lacking["runs"], lacking["now"]) == (6, 6)
    assert lacking["command"] == "python -m seglab lesson make l.yaml"


# --- the runs that it lacks


def asked(name, **more):
    return json.loads(page.make(Event(lesson=name, **more), Request()))


def test_at_most_a_dozen_runs_are_started_and_only_once_the_visitor_is_sure(runs_home, monkeypatch):
    of = guests.keep(lesson([f"s{n}" for n in range(13)], seeds=[0]))
    monkeypatch.setattr(plans, "estimate", lambda configs, how=None: plans.Estimate((100.0,) * len(configs), False))
    told = asked(of.name)
    assert told == {"kind": "asked", "count": 12, "seconds": 1200.0} and not list(runs_home.glob("l_*"))
    told = asked(of.name, sure=True)
    assert told["kind"] == "made" and told["runs"] == [f"{of.name}-s{n}-0" for n in range(12)]
    assert runs.config(runs_home / told["runs"][3]) == of.config("s3", 0)
    told = asked(of.name)  # those under way are not made again, and one is quick
    assert told["runs"] == [f"{of.name}-s12-0"] and live.lacking(of) == []
    assert asked(of.name)["runs"] == []


def test_nobody_knows_how_long_so_the_page_asks(runs_home, monkeypatch):
    of = guests.keep(lesson(seeds=[0]))
    monkeypatch.setattr(plans, "estimate", lambda configs, how=None: None)
    assert asked(of.name) == {"kind": "asked", "count": 2, "seconds": None}
    assert "not here any more" in asked("l_0123456789abcdef")["failed"]
    assert other_data.find(of.name) is of
