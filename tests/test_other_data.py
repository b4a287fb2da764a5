"""The same lesson on other data: the questions stay, and every answer is computed from runs on that data."""

import numpy as np
import pytest
import yaml
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.testclient import TestClient

from seglab import places, runs
from seglab.errors import SeglabError
from seglab.lessons import files, guests, other_data, telling
from seglab.lessons.bench import Bench
from seglab.ui import routes
from tests.lessons import images, lesson, put, whole
from tests.test_camvid import write
from tests.test_lesson_command import ASKS, CLAIM, command

SETTINGS = {
    "a": {"title": "title of a"},
    "b": {"title": "title of b", "set": {"epochs": 2}},
    "few": {"title": "few", "set": {"data.train_images": 4}},
    "after": {"title": "after", "begins_with": "few"},
    "ready": {"title": "ready", "run": "unet"},
    "refined": {"title": "refined", "of": "ready", "through": ["flips"]},
}
POLE = {
    "kind": "ask", "id": "pole", "when": "before", "text": "Pole?",
    "measure": {"kind": "difference", "a": "a", "b": "b", "by": "iou:pole"},
    "options": [{"key": key, "text": key} for key in ("higher", "lower", "none")],
    "tell": {"otherwise": "{difference} of {class}"},
}  # fmt: skip


@pytest.fixture
def camvid(tmp_path, monkeypatch):
    """A tiny CamVid, as a server may have it."""
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    half = np.repeat([0, 3], 16)[:, None].repeat(40, 1)
    for part, names in {"train": "abcd", "val": "efghij"}.items():
        for name in names:
            write(tmp_path / "data" / "camvid", part, name, half)


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A lesson in a school's own folder."""
    monkeypatch.setenv("SEGLAB_LESSONS", str(tmp_path / "school"))
    (tmp_path / "school").mkdir()
    data = whole(SETTINGS, steps=[*ASKS, POLE], claims={"c": CLAIM}, seeds=[0])
    (tmp_path / "school" / "l.yaml").write_text(yaml.safe_dump(data, sort_keys=False))
    return tmp_path / "school" / "l.yaml"


def test_options_that_other_data_has_not_are_left_out_and_settings_about_them_have_no_runs():
    of = lesson(SETTINGS, seeds=[0, 1], quick=["a", "few"])
    on = other_data.on(of, "camvid")
    assert (on.name, on.called) == ("l.camvid", "l --data camvid")
    assert on.config("b", 1) == of.config("b", 1).model_copy(update={"data": {"name": "camvid"}})
    assert on.runs == [("a", 0), ("a", 1), ("b", 0), ("b", 1)] and on.groups["g"].quick == ("a",)
    for key, told in (
        ("few", "few is about data.train_images, which the lesson's own data alone has"),
        ("after", "after has runs on the lesson's own data alone"),
        ("ready", "ready has runs on the lesson's own data alone"),
        ("refined", "ready has runs on the lesson's own data alone"),
    ):
        with pytest.raises(SeglabError, match=told):
            Bench(on).directories(key)
    with pytest.raises(SeglabError, match="camvit"):
        other_data.on(of, "camvit")
    assert files.content_hash(on) != files.content_hash(of)


@pytest.mark.parametrize("name", files.every())
def test_every_lesson_of_seglabs_can_be_put_on_other_data(name):
    of = files.find(name)
    on = other_data.find(f"{name}.camvid")
    assert on.asks == of.asks and {on.config(key, seed).data.name for key, seed in on.runs} == {"camvid"}
    assert 0 < len(on.runs) <= len(of.runs)
    assert not {each.reason for claim in on.claims.values() for each in claim.differs} & {"size", "steps"}


def test_a_lesson_is_checked_made_and_answered_on_other_data(capsys, camvid, file, runs_home):
    out = command(capsys, "check", "l", "--data", "camvid")
    assert "2 runs are not made yet: seglab lesson make l --data camvid" in out
    assert command(capsys, "make", "l", "--data", "camvid").startswith("2 runs to make, of 2\n1/2 l.camvid-a-0: ")
    assert sorted(path.name for path in (runs_home / places.MADE).iterdir()) == ["l.camvid-a-0", "l.camvid-b-0"]
    on = other_data.find("l.camvid")
    assert runs.config(Bench(on).directories("a")[0]).data.name == "camvid"
    out = command(capsys, "check", "l", "--data", "camvid")
    assert "not made yet" not in out and "which: " in out
    assert "pole: there is no class 'pole'; there are: Sky, Building, Pole, Road" in out
    shown = command(capsys, "show", "l", "--data", "camvid")
    assert "statements that could be tested here: 1" in shown.lower()
    assert "the runs of a with seed 0 have not been made yet" in command(capsys, "check", "l")  # on its own data


def test_claims_are_found_again_there_or_not(runs_home):
    of = lesson(SETTINGS, claims={"c": CLAIM | {"pairs": [["a", "b"]]}}, steps=[POLE], seeds=[0, 1])
    on = other_data.on(of, "kitti_road")
    for which, hits in ((of, {"a": (50, 52), "b": (80, 82)}), (on, {"a": (80, 82), "b": (50, 52)})):
        for key, each in hits.items():
            for seed in (0, 1):
                put(which, key, seed, images(each[seed]), classes=("pole", "road"))
    states = [telling.tested(Bench(each), each.claims["c"])[0].state for each in (of, on)]
    assert states == [telling.FOUND, telling.TURNED]
    outcomes = [each.asks["pole"].measure.outcome(Bench(each)).key for each in (of, on)]
    assert outcomes == ["higher", "lower"]


def test_the_page_offers_what_the_server_has(camvid, file):
    client = TestClient(Starlette(routes=[Mount("/seglab", app=routes.ROUTER)]))
    known = client.get("/seglab/lesson/l").json()
    assert known["data"] == {"own": "streets", "other": "", "offered": ["camvid", "streets"]}
    assert known["origin"] == "school"
    known = client.get("/seglab/lesson/l.camvid").json()
    assert known["name"] == "l.camvid" and known["data"]["other"] == "camvid"
    lacking = client.get("/seglab/lesson/l.camvid/lacking").json()
    assert (lacking["runs"], lacking["now"]) == (2, 2)
    assert lacking["command"] == "python -m seglab lesson make l --data camvid"
    answer = client.get("/seglab/lesson/l.camvid/answer/which")
    assert "make them with: seglab lesson make l --data camvid" in answer.json()["error"]
    for name, told in (("l.folder", "'folder' is not on this server; there is: camvid, streets"), ("l.x", "'x'")):
        assert told in client.get(f"/seglab/lesson/{name}").json()["error"]
    mine = guests.keep(guests.unpacked(guests.packed(files.find("l"))))
    assert client.get(f"/seglab/lesson/{mine.name}.camvid").json()["data"]["other"] == "camvid"


def test_a_school_s_lesson_that_is_called_like_seglab_s_is_told(file, capsys):
    (file.parent / "a.yaml").write_text(file.read_text().replace("name: l", "name: a"))
    client = TestClient(Starlette(routes=[Mount("/seglab", app=routes.ROUTER)]))
    cards = client.get("/seglab/lessons").json()
    assert [each["name"] for each in cards if "error" in each] == ["a"] and "l" in [each["name"] for each in cards]
    assert "a.yaml of $SEGLAB_LESSONS is not shown" in next(each["error"] for each in cards if "error" in each)
    assert client.get("/seglab/lesson/a").json()["origin"] == "seglab"
    command(capsys, "list")
