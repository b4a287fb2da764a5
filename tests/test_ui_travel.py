"""Taking runs away and bringing them back on the page, without a browser."""

import json
import shutil
import zipfile
from pathlib import Path

import pytest

from seglab import jobs, runs, travel
from seglab.ui import broom
from seglab.ui.parts import masks, runlist, scores, viewer
from seglab.ui.parts import travel as part
from tests.conftest import tiny
from tests.page import ADA, Event, Request, done, heard, latest, row
from tests.test_travel import holding, own, places, private  # noqa: F401  # own is a fixture


@pytest.fixture(autouse=True)
def served(tmp_path, monkeypatch) -> Path:
    """Where the page puts files for visitors."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    return tmp_path / "served"


def test_a_row_s_button_picks_its_run_and_says_what_leaves():
    done("one")
    assert not row(runs.find("one"))["foreign"]
    opened, picked = part.chosen(Event(run="one", action="take"))
    assert opened.open and picked.value == "one" and ("one", "one") in picked.choices
    assert part.chosen(Event(run="one", action="stop")) == [{"__type__": "update"}] * 2
    for name in ("../one", None, 3, ["one"], {}):
        assert part.chosen(Event(run=name, action="take"))[1].value is None
    assert heard(runlist.act(Event(run="one", action="take", visitor=ADA), Request())) == {"said": ""}
    text, file = part.told_of("one", False, False, Request())
    assert "the 11 class names" in text and "The data is public" in text and not file.visible


def test_only_of_private_data_is_it_asked_what_may_leave(own):  # noqa: F811
    private(own)
    done("public")
    assert [each.visible for each in part.questions("mine")] == [True, True, True]
    assert [each.visible for each in part.questions("public")] == [False, False, True]
    assert [each.visible for each in part.questions(None)] == [False, False, False]
    assert "numbers instead of names" in part.told_of("mine", False, False, Request())[0]
    said = part.told_of("mine", True, True, Request())[0]
    assert "the names of its 8 images leave" in said and "probabilities of private images leave" in said


def test_a_zip_is_made_among_the_files_that_are_swept(own, served, tmp_path):  # noqa: F811
    private(own)
    _, button = part.packed("mine", False, False, Request())
    file = Path(button.value["path"] if isinstance(button.value, dict) else button.value)
    assert served in file.parents and button.visible and "MB" in button.label
    with zipfile.ZipFile(file) as archive:
        archive.extractall(tmp_path / "out")
    assert holding(tmp_path / "out", "patient_07", *places(tmp_path, own)) == set()
    sweeper = broom.Broom(served)
    assert sweeper.sweep() == 0
    keep, broom.KEEP_SECONDS = broom.KEEP_SECONDS, -1
    try:
        assert sweeper.sweep() >= 1 and not [path for path in served.rglob("*") if path.is_file()]
    finally:
        broom.KEEP_SECONDS = keep


@pytest.mark.parametrize("name", ["../../etc", "/etc", "nothing", "waiting", "a" * 500])
def test_a_run_that_is_not_on_offer_is_not_given_out(name, served):
    runs.create(tiny(), "waiting")
    message, button = part.packed(name, True, True, Request())
    assert "there is no run" in message.lower() and not button.visible and not served.exists()


def arrived(file, lang="en"):
    """What is said of a zip, and which runs the page is to show."""
    said, shown = part.arrived(str(file), Request(lang))
    return said, json.loads(shown)["runs"] if shown else None


def test_a_run_comes_back_and_is_shown_where_runs_are_shown(tmp_path):
    directory = done("first")
    travel.take(directory, tmp_path / "first.zip")
    said, shown = arrived(tmp_path / "first.zip")
    assert "first 2 is here now" in said and shown == ["first 2"]
    brought = runs.find("first 2")
    told = row(brought)
    assert told["foreign"] and told["kind"] == "own" and told["over"] and told["trained"]
    assert told["miou"] == row(directory)["miou"]
    assert [[run["run"] for run in each["runs"]] for each in masks.strip([directory, brought], "en")["sets"]] == [
        ["first", "first 2"]
    ]
    assert brought in runlist.trained() and ">first 2<" in scores.html([directory, brought], "en")
    assert heard(viewer.predict(latest(runs=["first 2"]), Request()))["results"]


def test_what_is_no_run_is_refused_on_the_page(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"hello")
    said, shown = arrived(tmp_path / "no.zip")
    assert "damaged" in said and shown is None


def test_runs_from_elsewhere_have_a_largest_size_together(tmp_path, monkeypatch):
    travel.take(done("first"), tmp_path / "first.zip")
    monkeypatch.setattr(runs.bringing, "MOST_BROUGHT", 2.1 * (tmp_path / "first.zip").stat().st_size)
    assert "is here now" in arrived(tmp_path / "first.zip")[0]
    assert "no room for more runs" in arrived(tmp_path / "first.zip")[0]


def test_a_brought_run_without_pictures_is_told_of_on_every_tab_and_not_resumed(own, tmp_path, monkeypatch):  # noqa: F811
    travel.take(private(own), tmp_path / "mine.zip")
    shutil.rmtree(runs.home())
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    shutil.copytree(own, tmp_path / "data" / "folder")  # the owner's, which no visitor's configuration may open
    said, _ = arrived(tmp_path / "mine.zip")
    assert "without masks and predictions" in said
    brought = runs.find("mine")
    stopped = runs.events(brought)[-1].model_copy(update={"reason": "stopped"})
    lines = (brought / "events.jsonl").read_text().splitlines()[:-1]
    (brought / "events.jsonl").write_text("\n".join([*lines, stopped.model_dump_json()]) + "\n")
    told = row(brought)
    assert told["state"] == "stopped" and told["foreign"]  # which has no button to resume
    refused = heard(runlist.act(Event(action="resume", run="mine"), Request()))
    assert "cannot be trained further" in refused["error"] and jobs.waiting() == []
    (found,) = masks.strip([brought], "en")["sets"]
    assert found["images"] == found["truth"] == [] and found["runs"][0]["note"] == "came without masks"
    assert viewer.examples(brought) == []
    wrong = heard(viewer.predict(latest(runs=["mine"]), Request()))
    assert wrong["results"] == [] and "came without its images" in wrong["error"]
    assert "<table" in scores.html([brought, runs.find("unet")], "en")
    assert [each.visible for each in part.questions("mine")] == [False, False, True]
