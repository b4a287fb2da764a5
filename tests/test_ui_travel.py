"""Taking runs away and bringing them back on the page, without a browser."""

import shutil
import zipfile
from pathlib import Path

import pytest

from seglab import jobs, runs, travel
from seglab.ui import compare, guard, predict, train, views
from seglab.ui import travel as part
from tests.conftest import finish, tiny
from tests.test_travel import holding, own, places, private  # noqa: F401  # own is a fixture
from tests.test_ui import Pressed, Request


@pytest.fixture(autouse=True)
def served(tmp_path, monkeypatch) -> Path:
    """Where the page puts files for visitors."""
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    return tmp_path / "served"


def done(name, **options):
    return finish(runs.create(tiny(**options), name))


def test_a_row_s_button_picks_its_run_and_says_what_leaves():
    done("one")
    row = train.look(["one"], train.LATEST, {}, Request())[1]
    assert 'data-action="take"' in row and "brought from elsewhere" not in row
    opened, picked = part.chosen(Pressed("one", "take"))
    assert opened.open and picked.value == "one" and ("one", "one") in picked.choices
    assert part.chosen(Pressed("one", "stop")) == [{"__type__": "update"}] * 2
    assert part.chosen(Pressed("../one", "take"))[1].value is None
    assert train.act(Pressed("one", "take"), Request()) == ""
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
    broom = guard.Broom(served)
    assert broom.sweep() == 0
    guard_keep, guard.KEEP_SECONDS = guard.KEEP_SECONDS, -1
    try:
        assert broom.sweep() >= 1 and not [path for path in served.rglob("*") if path.is_file()]
    finally:
        guard.KEEP_SECONDS = guard_keep


@pytest.mark.parametrize("name", ["../../etc", "/etc", "nothing", "waiting", "a" * 500])
def test_a_run_that_is_not_on_offer_is_not_given_out(name, served):
    runs.create(tiny(), "waiting")
    message, button = part.packed(name, True, True, Request())
    assert "there is no run" in message.lower() and not button.visible and not served.exists()


def test_a_run_comes_back_and_is_shown_where_runs_are_shown(tmp_path):
    directory = done("first")
    travel.take(directory, tmp_path / "first.zip")
    said, shown = part.arrived(str(tmp_path / "first.zip"), ["first"], Request())
    assert "first 2 is here now" in said and shown.value == ["first", "first 2"]
    parts = train.look(["first 2"], train.LATEST, {}, Request())
    assert "brought from elsewhere" in parts[1] and "<svg" in parts[2] and "<img" in parts[4]
    assert runs.find("first 2") in compare.trained() and predict.found("first 2")
    assert "first 2" in compare.show(["first", "first 2"], Request())[2]


def test_what_is_no_run_is_refused_on_the_page(tmp_path):
    (tmp_path / "no.zip").write_bytes(b"hello")
    said, shown = part.arrived(str(tmp_path / "no.zip"), [], Request())
    assert "damaged" in said and shown == {"__type__": "update"}


def test_runs_from_elsewhere_have_a_largest_size_together(tmp_path, monkeypatch):
    travel.take(done("first"), tmp_path / "first.zip")
    monkeypatch.setattr(travel.bringing, "MOST_BROUGHT", 2.1 * (tmp_path / "first.zip").stat().st_size)
    assert "is here now" in part.arrived(str(tmp_path / "first.zip"), [], Request())[0]
    assert "no room for more runs" in part.arrived(str(tmp_path / "first.zip"), [], Request())[0]


def test_a_brought_run_without_pictures_is_told_of_on_every_tab_and_not_resumed(own, tmp_path, monkeypatch):  # noqa: F811
    travel.take(private(own), tmp_path / "mine.zip")
    shutil.rmtree(runs.home())
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    shutil.copytree(own, tmp_path / "data" / "folder")  # the owner's, which no visitor's configuration may open
    said, _ = part.arrived(str(tmp_path / "mine.zip"), [], Request())
    assert "without masks and predictions" in said
    brought = runs.find("mine")
    stopped = runs.events(brought)[-1].model_copy(update={"reason": "stopped"})
    lines = (brought / "events.jsonl").read_text().splitlines()[:-1]
    (brought / "events.jsonl").write_text("\n".join([*lines, stopped.model_dump_json()]) + "\n")
    parts = train.look(["mine"], train.LATEST, {}, Request())
    assert 'data-action="resume"' not in parts[1] and "<svg" in parts[2] and "came without masks" in parts[4]
    assert "cannot be trained further" in train.act(Pressed("mine", "resume"), Request()) and jobs.waiting() == []
    assert "data is not available here" in predict.examples(["mine"], Request()) and "<img" not in parts[4]
    assert "<table" in compare.show(["mine", "unet"], Request())[2]
    assert views.readable(brought)
    assert [each.visible for each in part.questions("mine")] == [False, False, True]
