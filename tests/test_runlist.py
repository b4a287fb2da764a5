"""What the buttons of the list of runs do, and what forged presses do not."""

import json
import re

import pytest

from benchmarks._many import many
from seglab import jobs, plans, runs
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.ui import board
from seglab.ui.parts import runlist
from seglab.ui.visitors import Visitor
from tests.conftest import finish, tiny
from tests.page import ADA, BOB, Event, Request, done, heard


def press(action, run, visitor=ADA, lang="en", **more):
    return heard(runlist.act(Event(action=action, run=run, visitor=visitor, **more), Request(lang)))


def refused(*given, **more):
    """Why a press was refused."""
    answer = press(*given, **more)
    assert list(answer) == ["error"], answer
    return answer["error"]


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.setenv("SEGLAB_SHARED", "1")


def planned(name="luck", owner=None, count=3):
    plan = validated(Plan, {"name": "seeds", "count": count})
    return plans.submit(plan, *plans.laid_out(plan, [tiny()], name), owner)


# --- stopping and resuming


def test_a_waiting_run_is_stopped_and_resumed():
    (directory,) = jobs.submit([tiny()])
    assert press("stop", directory.name) == {"said": ""}
    assert runs.status(directory).state == "stopped" and jobs.waiting() == []
    assert press("resume", directory.name) == {"said": ""}
    assert runs.status(directory).state == "queued" and jobs.waiting() == [directory]


def test_a_finished_run_is_not_stopped_and_not_resumed():
    directory = done("one")
    assert press("stop", "one") == {"said": ""} and not (directory / "stop").exists()
    assert "One cannot be resumed: it is completed" in refused("resume", "one")
    assert "Unet cannot be resumed: it is completed" in refused("resume", "unet")
    assert jobs.waiting() == []


def test_all_runs_of_a_plan_are_stopped_the_last_one_first(monkeypatch):
    members, order = planned(), []
    monkeypatch.setattr(jobs, "stop", lambda directory, whole=jobs.stop: order.append(directory) or whole(directory))
    assert press("stop_all", "luck") == {"said": ""}
    assert order == members[::-1] and {runs.status(each).state for each in members} == {"stopped"}


def test_the_runs_of_a_plan_that_are_left_are_stopped_where_one_was_deleted(shared):
    members = planned(owner=Visitor.of(ADA).owner)
    press("delete", members[1].name)
    assert press("stop_all", "luck") == {"said": ""} and jobs.waiting() == []
    assert not members[1].exists()


@pytest.mark.parametrize("name", ["nothing", "../luck", "luck.plan.json", "", "\x00", "x" * 9999, None, 3, {}])
def test_there_is_no_such_plan_to_stop(name):
    planned()
    assert "There is no plan" in refused("stop_all", name) and len(jobs.waiting()) == 3


# --- renaming


def test_a_run_is_renamed_on_one_line_without_hidden_marks():
    done("one")
    assert press("rename", "one", name=" my\u202e\nbest ") == {"said": ""}
    assert runs.label(runs.find("one")).name == "my best"


@pytest.mark.parametrize("name", ["", "  ", "\u200b", "\ud800"])
def test_a_name_without_a_letter_is_refused(name):
    done("one")
    assert "1 to 40 characters" in refused("rename", "one", name=name) and runs.label(runs.find("one")).name == "one"


def test_a_run_that_comes_with_seglab_keeps_its_name_and_is_not_deleted():
    assert "not made here" in refused("rename", "unet", name="mine")
    assert "comes with seglab and cannot be deleted" in refused("delete", "unet").lower()
    assert not (runs.CHECKPOINTS / "unet" / "label.json").exists() and runs.find("unet")


# --- deleting


def test_a_deleted_run_is_gone_and_leaves_the_queue():
    one, two = jobs.submit([tiny(seed=1), tiny(seed=2)])
    assert press("delete", one.name) == {"said": ""}
    assert not one.exists() and jobs.waiting() == [two]
    assert "There is no run" in refused("delete", one.name)


def test_a_run_under_way_is_not_deleted():
    directory = runs.create(tiny(), "going")
    with runs.locked(directory):
        assert "running and cannot be deleted; stop it first" in refused("delete", "going")
    assert directory.exists()


def test_a_run_that_another_waiting_one_needs_is_not_deleted_until_that_is_over():
    done("teacher")
    (pupil,) = jobs.submit([tiny(init_from=str(runs.find("teacher")))])
    assert refused("delete", "teacher").lower() == f"teacher cannot be deleted: {pupil.name} needs it"
    jobs.stop(pupil)
    assert press("delete", "teacher") == {"said": ""} and not (runs.home() / "teacher").exists()


def test_a_damaged_run_can_be_deleted():
    directory = done("torn")
    (directory / "config.json").write_text("{")
    assert press("delete", "torn") == {"said": ""} and not directory.exists()


def test_a_plan_goes_with_its_last_run_and_not_before():
    members, others = planned(), planned("other", count=2)
    plans.located("torn").write_text("{")  # whoever can mend it may
    for directory in members[:2]:
        press("delete", directory.name)
        assert plans.located("luck").exists()
    press("delete", members[2].name)
    assert not plans.located("luck").exists()
    assert plans.located("other").exists() and plans.located("torn").exists() and jobs.waiting() == others
    planned()  # the name is free again


# --- whose runs they are


@pytest.mark.parametrize("action", ["stop", "resume", "rename", "delete", "stop_all", "cpu", "wait"])
def test_nobody_changes_another_s_run_on_a_shared_server(shared, action, monkeypatch):
    members = planned(owner=Visitor.of(ADA).owner)
    name = "luck" if action == "stop_all" else members[0].name
    for visitor in (BOB, None, {"nickname": "Ada"}):
        assert "somebody else's" in refused(action, name, visitor=visitor, name="stolen")
    assert len(jobs.waiting()) == 3 and runs.label(members[0]).name.startswith("seed 0")
    monkeypatch.setenv("SEGLAB_TEACHER_KEY", "key")
    assert "error" not in press("stop_all", "luck", visitor=BOB | {"key": "key"}) and jobs.waiting() == []


# --- what no page sends


@pytest.mark.parametrize(
    ("run", "action"),
    [("nothing", "stop"), ("../real", "stop"), ("real/", "delete"), (None, "stop"), (["real"], "delete")],
)
def test_names_that_a_page_made_up_do_nothing(run, action):
    done("real")
    assert "There is no run" in refused(action, run) and runs.status(runs.find("real")).state == "completed"


@pytest.mark.parametrize("action", ["erase", "", None, 3, ["delete"], {"delete": 1}, "__class__", "x" * 999])
def test_there_is_no_such_action(action):
    done("real")
    told = refused(action, "real")
    assert "There is no action" in told and "delete" in told and len(told) < 200 and runs.find("real")


NONSENSE = [None, 3, True, [], {}, "x", [["y"]], {"a": {}}, "\ud800"]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("field", ["run", "action", "visitor", "name"])
def test_nonsense_in_any_field_is_told_and_never_an_exception(field, nonsense):
    done("real")
    for action in runlist.ACTIONS:
        if action in ("delete", "cpu", "wait"):
            continue
        data = {"run": "real", "action": action, "visitor": ADA, "name": "new"} | {field: nonsense}
        answer = heard(runlist.act(Event(data), Request()))
        assert list(answer) in (["said"], ["error"])
    assert heard(runlist.act(Event(nonsense), Request()))["error"]
    assert heard(runlist.greet(Event(visitor=nonsense), Request()))["teacher"] is False


def test_a_refusal_is_in_the_visitor_s_language():
    assert refused("stop", "nothing", lang="ko") == "'nothing' 실행을 찾을 수 없습니다."


# --- what a page is told when it opens


def test_a_page_is_told_who_its_visitor_is_and_what_is_allowed_here(monkeypatch):
    greet = lambda: heard(runlist.greet(Event(visitor=ADA), Request()))  # noqa: E731
    own = greet()
    assert own["key"] == Visitor.of(ADA).owner.key and not own["shared"] and own["problem"] == ""
    assert set(own["limits"].values()) == {None}
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    monkeypatch.setenv("SEGLAB_LIMITS", "minutes=3")
    assert greet()["shared"] and greet()["limits"]["minutes"] == 3 and greet()["limits"]["waiting"] == 8


@pytest.mark.parametrize("lang, words", [("en", "Nothing can be trained here"), ("ko", "보기만 할 수 있습니다")])
def test_a_page_that_is_opened_says_where_nothing_can_be_trained(monkeypatch, lang, words):
    monkeypatch.setenv("SEGLAB_HOME", "/sys/seglab")
    told = heard(runlist.greet(Event(), Request(lang)))["problem"]
    assert words in told and "/sys/seglab" not in told


def test_only_runs_that_were_scored_are_trained():
    done("one")
    runs.create(tiny(), "waiting")
    names = [directory.name for directory in runlist.trained()]
    assert names[0] == "one" and "waiting" not in names and "unet" in names


def test_what_was_begun_is_told_with_advice_for_its_models():
    said = runlist.begun(lambda: jobs.submit([tiny(), tiny(seed=1)]), "en")
    assert said["runs"] == [each.name for each in jobs.waiting()]
    assert said["messages"] == [["right", "Runs added to the queue: 2. They continue when you close this page."]]

    def full():
        raise OSError(28, "No space left on device", "/srv/secret")

    assert runlist.begun(full, "en") == {"runs": [], "messages": [["wrong", "OSError: No space left on device"]]}


def test_a_run_is_deleted_for_good_on_the_command_line_and_its_plan_with_the_last(capsys):
    from seglab.cli import main

    members = planned(count=2)
    for n, directory in enumerate(members):
        with pytest.raises(SystemExit) as ended:
            main(["rm", directory.name, "--yes"])
        assert ended.value.code == 0 and plans.located("luck").exists() == (n == 0)
    finish(runs.create(tiny(), "luck"))  # the name is free


# --- what a page looks for


def looked_for(lang="en", **asked):
    found = json.loads(runlist.found(asked, lang))
    return found["count"], [row["run"] for row in found["rows"]]


@pytest.fixture
def twenty(runs_home):
    return [each.name for each in many(runs_home, 20)]


def test_runs_are_found_among_all_however_few_a_page_is_told_of(twenty, monkeypatch):
    monkeypatch.setattr(board, "MOST_ROWS", 2)
    assert looked_for(whose="mine") == (20, twenty)
    assert looked_for(whose="mine", first="3") == (20, twenty[:3])
    assert looked_for(text="segnet 13", whose="mine") == (1, ["run 00013"])
    assert looked_for(state="stopped", whose="mine") == (1, ["run 00000"])
    assert looked_for(state="stopping", whose="mine") == looked_for(state="damaged", whose="mine") == (0, [])
    assert looked_for(text="train_images 400", whose="mine")[0] == 0  # the default is not told in a line


def test_what_is_found_is_sorted(twenty):
    count, names = looked_for(sort="miou", whose="everyone")
    scores = [runs.last_word(runs.home() / name).val_miou for name in names]
    assert count == 20 and scores == sorted(scores, reverse=True)


def test_whose_runs_are_found_and_which_of_them_were_scored(twenty, shared):
    ada = Visitor.of(ADA).owner
    jobs.submit([tiny()], owner=ada)
    assert looked_for(whose="mine", key=ada.key)[0] == 1 and looked_for(whose="mine")[0] == 0
    assert looked_for(whose="mine", key=ada.key, trained="1")[0] == 0
    assert looked_for(whose="everyone")[0] == 21 and "unet" in looked_for(whose="shipped")[1]


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"sort": "age"}, "sort: 'age' is not allowed; allowed: made, name"),
        ({"state": "done"}, "state: 'done' is not allowed; allowed: queued, running"),
        ({"whose": "theirs"}, "whose: 'theirs' is not allowed; allowed: mine, everyone, shipped"),
    ],
)
def test_what_a_page_cannot_look_for_is_refused(asked, told):
    with pytest.raises(SeglabError, match=re.escape(told)):
        runlist.found(asked, "en")


@pytest.mark.parametrize("first", ["", "-1", "x", "9" * 5000])
def test_a_number_of_runs_that_is_none_is_the_usual_one(twenty, first):
    assert len(looked_for(first=first, whose="mine")[1]) == 20
