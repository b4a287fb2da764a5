"""What the page needs to make a lesson's sheet: the same for everybody, and nothing of what anybody answered."""

import base64
import io

import pytest
from PIL import Image

from seglab import runs
from seglab.config import configured
from seglab.lessons import files, other_data, sheet
from seglab.lessons.bench import Bench
from seglab.ui import assets
from seglab.ui.parts import evidence, handout, learn
from tests.sheets import taught


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    monkeypatch.setattr(learn, "_benches", {})


@pytest.mark.parametrize("name", ["a", "e"])
def test_a_sheet_has_the_scene_of_its_lesson_in_four_pictures(name):
    lesson = files.find(name)
    found = handout.handout(lesson, "ko")
    view = evidence.pixels(lesson)
    titles = [lesson.setting(key).title.ko for key in (view.a, view.b)]
    assert [each["title"] for each in found["pictures"]] == ["이미지", "정답", *titles]
    shown = []
    for each in found["pictures"]:
        kind, content = each["picture"].split(",", 1)
        assert kind == "data:image/webp;base64" and len(content) < 20_000
        shown.append(Image.open(io.BytesIO(base64.b64decode(content))).convert("RGB"))
    assert len({each.size for each in shown}) == 1 and len({each.tobytes() for each in shown}) == 4


@pytest.mark.parametrize("name", ["a", "e"])
def test_the_commands_of_a_sheet_make_the_runs_that_it_shows(name):
    bench = Bench(files.find(name))
    view = evidence.pixels(bench.lesson)
    made, *trained = handout.commands(bench, view)
    assert made == f"seglab lesson make {name}"
    wanted = [runs.config(bench.directories(key)[0]) for key in (view.a, view.b)]
    found = []
    for command in trained:
        words = command.split()[2:]
        given = {option.removeprefix("--"): value for option, value in zip(words[::2], words[1::2], strict=True)}
        plain, dotted = ({k: v for k, v in given.items() if ("." in k) is inner} for inner in (False, True))
        found.append(configured(plain, dotted))
    assert found == wanted[: len(found)] and all(each in found for each in wanted)


def test_a_scene_beyond_the_last_image_is_the_last(monkeypatch):
    lesson = files.find("a")
    shown = []
    monkeypatch.setattr(handout, "photograph", lambda pair, n: shown.append(n))
    for picture in (9999, len(Bench(lesson).matrices("case1")[0]) - 1):
        handout.handout(lesson.model_copy(update={"picture": picture}), "en")
    assert len(shown) == 2 and shown[0] == shown[1]


def test_evidence_is_told_and_no_outcome(runs_home):
    bench = taught()
    found = handout.handout(bench.lesson, "en")
    assert found.keys() == {"style", "evidence", "pictures", "commands"}
    assert found["evidence"] == sheet.evidence(bench) and found["pictures"] == []
    on = other_data.on(bench.lesson, "camvid")
    assert handout.handout(on, "en")["commands"] == ["seglab lesson make l --data camvid"]
    assert found["style"] == handout.STYLE.read_text() and "url(" not in found["style"]


def test_a_lesson_whose_runs_are_missing_has_a_sheet_all_the_same(runs_home):
    bench = taught()
    for key in "ab":
        (bench.directories(key)[0] / "events.jsonl").unlink()
    found = handout.handout(bench.lesson, "en")
    assert (found["evidence"], found["pictures"], found["commands"]) == ({}, [], ["seglab lesson make l"])


def test_page_and_core_know_a_sheet_by_the_same_mark():
    script = assets.assets()["handed.js"].decode()
    assert f"'{sheet.OPENED}'" in script and f'"{sheet.CLOSED}"' in script
    assert f"MOST_BYTES = {sheet.MOST_BYTES:_}" in script
