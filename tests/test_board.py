"""The board: what every page is told of the runs, once, and only what is new."""

import builtins
import json
import math
import os
import threading
import time

import pytest

from benchmarks._many import many
from seglab import jobs, plans, runs
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.events import Evaluated, Finished, Score, Sentence, Started, Stepped
from seglab.families import Plan
from seglab.runs import index
from seglab.ui import board, tracks
from seglab.ui.board import Board
from seglab.ui.tracks import Track, thinned
from tests.conftest import tiny
from tests.page import done


def started(step=0, resumed_at=None, total=100):
    return Started(
        step=step, seconds=0.0, resumed_at=resumed_at, parameters=5, device="cpu", threads=1, steps_per_epoch=10,
        total_steps=total, images={"train": 80}, dataset={}, versions={},
    )  # fmt: skip


def stepped(step, loss=1.0, left=50.0):
    return Stepped(
        step=step,
        seconds=step / 10,
        epoch=step / 10,
        loss=loss,
        terms={},
        lr=0.1,
        images_per_second=1,
        seconds_left=left,
    )


def evaluated(step, miou=0.5, best=True):
    score = Score(loss=1.0, terms={}, miou=miou, iou=[miou], pixel_accuracy=miou, images=4)
    scores = {part: score for part in ("train", "search", "val")}
    return Evaluated(
        step=step, seconds=step / 10, epoch=step / 10, lr=0.1, images_per_second=1, scores=scores, best=best
    )


def reports(directory, *events):
    for event in events:
        runs.append(directory, event)
    return directory


def under_way(name="going", *events, **options):
    """A run that has reported something and not its end."""
    return reports(runs.create(tiny(**options), name), started(), *events)


class Page:
    """A page that follows runs: what it knows of them is what the board told it."""

    def __init__(self, known: Board, *followed: str, lang: str = "en"):
        self.board, self.lang, self.version, self.rows, self.points = known, lang, "", {}, {}
        self.positions = dict.fromkeys(followed, "")

    def ask(self):
        text = self.board.news(self.version, list(self.positions.items()), self.lang)
        if text is None:
            return None
        news = json.loads(text)
        self.version = news["v"]
        if news.get("all"):
            self.rows.clear()
        self.rows |= {row["run"]: row for row in news["rows"]}
        for name in news.get("gone", ()):
            self.rows.pop(name, None)
        for name, added in news.get("points", {}).items():
            self.positions[name] = added["at"]
            known = {"steps": [], "evals": []} if added.get("new") else self.points[name]
            self.points[name] = {part: known[part] + added[part] for part in ("steps", "evals")}
        return news


@pytest.fixture
def page():
    return Page(Board())


# --- rows


def test_a_page_is_told_of_every_run_at_first_and_of_nothing_where_nothing_has_changed(page):
    done("one")
    news = page.ask()
    assert news["all"] and next(iter(page.rows)) == "one" and set(page.rows) == {each.name for each in runs.every()}
    assert page.ask() is None


def test_a_row_says_what_a_run_is_and_how_far_it_has_come(page):
    directory = done("one", budget_seconds=600)
    page.ask()
    row, last = page.rows["one"], runs.last_word(directory)
    assert (row["name"], row["model"], row["data"], row["state"]) == ("one", "unet", "streets", "completed")
    assert row["over"] and row["trained"] and row["kind"] == "own" and not row["foreign"] and row["place"] is None
    assert row["miou"] == float(f"{last.val_miou:.4g}") and row["epoch"] == 2 and row["done"] == 1
    assert row["images"] == 2 * 8 and row["budget"] == 600 and row["parameters"] == last.parameters
    assert "width 4" in row["what"].replace("model.", "") and "seed" not in row["what"]
    assert row["made"] == (directory / "config.json").stat().st_mtime_ns // 10**6
    shipped = page.rows["unet"]
    assert shipped["kind"] == "shipped" and shipped["stroke"] >= 5 and shipped["over"] and shipped["made"] == 0


def test_only_what_changed_is_told_again(page):
    done("one"), done("two", seed=1)
    page.ask()
    runs.rename(runs.find("two"), "best of all")
    news = page.ask()
    assert [row["run"] for row in news["rows"]] == ["two"] and page.rows["two"]["name"] == "best of all"
    assert "all" not in news and page.ask() is None


def test_a_run_that_was_deleted_is_gone_and_one_of_its_name_comes_back(page):
    done("one")
    late = Page(page.board)
    page.ask()
    runs.remove(runs.find("one"))
    assert page.ask()["gone"] == ["one"] and page.ask() is None
    late.ask()
    assert "one" not in late.rows
    done("one", seed=1)
    assert [row["run"] for row in page.ask()["rows"]] == ["one"] and page.ask() is None


def test_a_version_of_another_program_or_none_at_all_is_told_everything(page):
    done("one")
    page.ask()
    boot = page.board.boot
    for version in ("", "x", f"{boot}.", "00000000.999", f"{boot}.-1", f"{boot}.\u0663x"):
        other = Page(page.board)
        other.version = version
        assert other.ask()["all"] and other.rows == page.rows and other.version == page.version
    assert Board().boot != boot


def test_a_damaged_run_is_told_in_its_own_row_and_in_no_other(page):
    done("good")
    page.ask()
    torn, lost = done("torn", seed=1), done("lost", seed=2)
    (torn / "events.jsonl").write_bytes(b"?" + (torn / "events.jsonl").read_bytes())
    (lost / "config.json").write_text("{")
    page.ask()
    for name in ("torn", "lost"):
        row = page.rows[name]
        assert row["state"] == "damaged" and row["over"] and not row["trained"] and len(row["texts"]) == 1
        assert any(words in row["texts"][0] for words in ("cannot be read", "is damaged"))
        assert str(runs.home()) not in row["texts"][0]
    assert page.rows["good"]["state"] == "completed" and page.rows["good"]["texts"] == []
    assert page.ask() is None  # it is told once


def test_a_line_that_is_damaged_while_a_run_goes_on_is_told_and_nothing_after_it_counts(page):
    directory = under_way("going", stepped(5))
    with open(directory / "events.jsonl", "a") as file:
        file.write("{not json}\n")
    reports(directory, stepped(6))
    page.positions["going"] = ""
    page.ask()
    assert page.rows["going"]["texts"] == ["going/events.jsonl is damaged: a line of it cannot be read"]
    assert [step[0] for step in page.points["going"]["steps"]] == [5]


def test_names_are_json_whatever_a_person_called_a_run(page):
    name = 'x"<img src=1 onerror=alert(1)>\\'
    runs.rename(done("one"), name)
    page.ask()
    assert page.rows["one"]["name"] == name


def test_rows_are_in_the_visitors_language(page):
    directory = done("one")
    events = runs.events(directory)
    why = Sentence.of(SeglabError("there is no run {run}", run="1-x"))
    (directory / "events.jsonl").unlink()
    reports(directory, *events[:-1], events[-1].model_copy(update={"reason": "failed", "why": why}))
    korean = Page(page.board, lang="ko")
    page.ask(), korean.ask()
    assert page.rows["one"]["texts"] == ["There is no run 1-x"]
    assert korean.rows["one"]["texts"] == ["1-x 실행을 찾을 수 없습니다."]


def test_a_run_that_is_asked_to_stop_is_stopping(page):
    directory = under_way("going", stepped(5))
    with runs.locked(directory):
        (directory / "stop").touch()
        page.ask()
        assert page.rows["going"]["state"] == "stopping" and not page.rows["going"]["over"]
    page.ask()
    assert page.rows["going"]["state"] == "interrupted"


def test_a_run_under_way_says_what_it_is_at(page):
    directory = runs.create(tiny(), "going")
    with runs.locked(directory):
        page.ask()
        assert (page.rows["going"]["state"], page.rows["going"]["phase"]) == ("running", "prepares")
        for events, phase in (
            ([started(), stepped(4)], "trains"),
            ([stepped(10)], "scores"),  # the epoch's last step, and not scored yet
            ([evaluated(10)], "trains"),
            ([stepped(11)], "trains"),
        ):
            reports(directory, *events)
            page.ask()
            assert page.rows["going"]["phase"] == phase
        row = page.rows["going"]
        assert (row["step"], row["done"], row["epoch"], row["left"], row["miou"]) == (11, 0.11, 1.1, 50, 0.5)
        assert row["images"] == 88  # 80 an epoch


def test_a_run_with_a_time_limit_is_as_far_as_its_time_or_its_epochs(page):
    directory = under_way("going", stepped(50), budget_seconds=8)
    with runs.locked(directory):
        page.ask()
        assert page.rows["going"]["done"] == round(5 / 8, 3)  # 5 of 8 s; 50 of 100 steps


# --- who makes them


def test_many_pages_have_the_runs_looked_at_once(monkeypatch):
    monkeypatch.setattr(board, "REST", 1e9)
    done("one")
    known, looks = Board(), []
    monkeypatch.setattr(known, "take_in", lambda whole=known.take_in: looks.append(1) or whole())
    for _ in range(20):
        assert Page(known).ask()["rows"]
    assert len(looks) == 1


def test_while_one_page_has_the_rows_made_the_others_are_answered_with_those_that_were(page, monkeypatch):
    done("one")
    page.ask()
    done("two", seed=1)
    inside, go_on, whole = threading.Event(), threading.Event(), page.board.take_in
    monkeypatch.setattr(page.board, "take_in", lambda: inside.set() or (go_on.wait(30) and whole()))
    slow = Page(page.board)
    slow.version = page.version
    thread = threading.Thread(target=slow.ask)
    thread.start()
    assert inside.wait(30) and page.ask() is None  # it does not wait
    go_on.set()
    thread.join(30)
    assert "two" in slow.rows and [row["run"] for row in page.ask()["rows"]] == ["two"]


def test_a_page_that_asks_while_rows_are_put_up_misses_none(page):
    done("one"), done("two", seed=1)
    page.ask()
    meanwhile = Page(page.board)
    meanwhile.ask()

    class Gone(type(page.board.gone)):
        def __setitem__(self, *given):
            super().__setitem__(*given)
            meanwhile.ask()  # as another thread may, in the midst of it

    page.board.gone = Gone(page.board.gone)
    runs.rename(runs.find("two"), "other")
    runs.remove(runs.find("one"))
    page.ask()
    meanwhile.ask()
    assert meanwhile.rows == page.rows and meanwhile.rows["two"]["name"] == "other"


def test_a_place_in_the_queue_without_a_run_hinders_nobody(page):
    done("one")
    (runs.home() / "half").mkdir()
    (runs.home() / "half" / "queued").write_text("1")
    assert "one" in page.ask()["rows"][0]["run"]


def test_of_very_many_runs_a_page_is_told_of_the_newest_and_of_those_that_it_follows(page, monkeypatch):
    monkeypatch.setattr(board, "MOST_ROWS", 3)
    for n in range(6):
        runs.stop(runs.create(tiny(seed=n), f"run {n}"))
    page.ask()
    own = [name for name in page.rows if name.startswith("run")]
    assert own == [each.name for each in runs.every() if each.parent == runs.home()][:3]
    (last,) = [each.name for each in runs.every() if each.parent == runs.home()][5:]
    following = Page(page.board, last)
    following.ask()
    assert last in following.rows and "unet" in page.rows


# --- the queue


def test_the_first_that_waits_says_why_the_queue_does_not_go_on(page, monkeypatch):
    jobs.submit([tiny(seed=n) for n in range(2)])
    texts = []
    for trouble in (SeglabError("the cluster is away"), None):
        monkeypatch.setattr(jobs, "trouble", lambda trouble=trouble: trouble)
        page.board.hurry()
        page.ask()
        waiting = sorted((row for row in page.rows.values() if row["place"]), key=lambda row: row["place"])
        texts.append([row["texts"] for row in waiting])
    assert texts == [[["No run can begin for now; it is tried again: the cluster is away"], []], [[], []]]


def test_waiting_runs_have_a_place_and_a_start_where_the_pace_is_known(page):
    seconds = runs.last_word(done("first", epochs=2)).seconds
    one, two = jobs.submit([tiny(epochs=2, seed=n) for n in (1, 2)])
    page.ask()
    rows = [page.rows[each.name] for each in (one, two)]
    assert [(row["state"], row["place"]) for row in rows] == [("queued", 1), ("queued", 2)]
    assert [row["starts"] for row in rows] == [0, board.rounded(seconds)]  # nothing is before the first
    assert page.rows["first"]["place"] is page.rows["first"]["starts"] is None


def test_a_waiting_run_waits_for_what_is_left_of_the_one_under_way(page):
    going = under_way("going", stepped(5, left=47.0))
    (waits,) = jobs.submit([tiny(seed=3)])
    with runs.locked(going):
        page.ask()
        assert page.rows["going"]["left"] == 47 and page.rows[waits.name]["starts"] == 50  # in tens of seconds


def test_nobody_knows_when_a_run_begins_behind_one_of_unknown_pace(page):
    one, two = jobs.submit([tiny(seed=1), tiny(seed=2)])
    page.ask()
    assert [page.rows[each.name]["starts"] for each in (one, two)] == [0, None]
    limited, last = jobs.submit([tiny(seed=3, budget_seconds=120), tiny(seed=4)])
    for each in (one, two):
        jobs.stop(each)
    page.ask()
    assert [page.rows[each.name]["starts"] for each in (limited, last)] == [0, 120]


def test_a_waiting_run_that_is_damaged_takes_no_time_and_hinders_no_other():
    known = Board()
    page = Page(known)
    one, two = jobs.submit([tiny(seed=1), tiny(seed=2)])
    (one / "config.json").write_text("{")
    page.ask()
    assert page.rows[one.name]["state"] == "damaged" and page.rows[two.name]["starts"] == 0


def test_a_run_that_begins_with_another_s_weights_has_a_row(page):
    directory = runs.create(tiny(init_from=str(done("first"))), "second")
    page.ask()
    assert page.rows["second"]["state"] == "queued" and str(directory.parent) not in json.dumps(page.rows["second"])


def test_a_run_that_waits_again_says_why_until_it_goes_on(page):
    why = Sentence.of(SeglabError("there is no run {run}", run="1-x"))
    directory = under_way("going", stepped(1), Finished(step=1, seconds=0.1, reason="failed", why=why))
    jobs.enqueue(directory)
    page.ask()
    assert page.rows["going"]["state"] == "queued" and page.rows["going"]["texts"] == ["There is no run 1-x"]
    reports(directory, started(step=1, resumed_at=1))
    page.ask()
    assert page.rows["going"]["texts"] == []


@pytest.mark.parametrize(("seconds", "shown"), [(0, 0), (4, 0), (47, 50), (89, 90), (91, 120), (3599, 3600)])
def test_a_start_is_told_in_tens_of_seconds_or_in_minutes(seconds, shown):
    assert board.rounded(seconds) == shown


def test_the_runs_of_a_plan_say_which_it_is_and_a_damaged_plan_hinders_nobody(page):
    plan = validated(Plan, {"name": "seeds", "count": 2})
    plans.create(plan, *plans.laid_out(plan, [tiny()], "luck"))
    plans.located("torn").write_text("{")
    page.ask()
    assert [page.rows[f"luck {n}"]["plan"] for n in (1, 2)] == [["luck", "luck"]] * 2
    assert [page.rows[f"luck {n}"]["name"].partition(" #")[0] for n in (1, 2)] == ["seed 0", "seed 1"]


# --- points


def test_points_come_from_where_a_page_stands(page):
    directory = under_way("going", stepped(1, 3.0), stepped(2, 2.0))
    page.positions["going"] = ""
    assert page.ask()["points"]["going"]["new"]
    reports(directory, stepped(3, 1.0), evaluated(3, 0.25))
    added = page.ask()["points"]["going"]
    assert added["steps"] == [[3, 0.3, 0.3, 1.0, 0.1]] and "new" not in added
    assert added["evals"] == [[3, 0.3, 0.3, 1.0, 1.0, 0.25, 0.25, 0.1, 1]]
    assert page.points["going"]["steps"] == [[n, n / 10, n / 10, 4.0 - n, 0.1] for n in (1, 2, 3)]
    assert page.ask() is None


@pytest.mark.parametrize("position", ["", "x", "0.9.9", "0.1.9", "5.1.0", "0.-3.0", "1.1", "\u0663.1.0"])
def test_a_page_of_another_position_is_told_all_points_anew(position):
    track = Track(under_way("going", stepped(1), stepped(2), evaluated(2))).read()
    found = track.since(position)
    assert found["new"] and len(found["steps"]) == 2 and len(found["evals"]) == 1 and found["at"] == "0.2.1"


def test_a_run_whose_evaluations_came_before_any_step_is_told_anew_with_its_steps():
    directory = under_way("going", evaluated(0))
    track = Track(directory).read()
    reports(directory, stepped(1))
    found = track.read().since("0.0.1")
    assert found["new"] and len(found["steps"]) == len(found["evals"]) == 1


def test_a_torn_last_line_waits_until_it_is_whole():
    directory = under_way("going", stepped(1))
    line = (directory / "events.jsonl").read_bytes().splitlines(keepends=True)[-1]
    with open(directory / "events.jsonl", "ab") as file:
        file.write(line[:20])
    track = Track(directory).read()
    assert len(track.steps) == 1 and track.problem is None
    with open(directory / "events.jsonl", "ab") as file:
        file.write(line[20:])
    assert len(track.read().steps) == 2


def test_a_resumed_run_takes_back_what_it_repeats_and_begins_a_new_life(page):
    directory = under_way("going", stepped(5), evaluated(10, 0.4), stepped(15), evaluated(20, 0.7), stepped(25))
    page.positions["going"] = ""
    page.ask()
    assert page.positions["going"] == "0.3.2" and page.rows["going"]["miou"] == 0.7
    reports(directory, started(step=12, resumed_at=12), stepped(13))
    added = page.ask()["points"]["going"]
    assert added["new"] and added["at"] == "1.2.1"
    assert [step[0] for step in page.points["going"]["steps"]] == [5, 13]
    assert page.rows["going"]["miou"] == 0.4  # of the epoch before, whose weights it has again
    assert page.rows["going"]["step"] == 13


def test_a_run_that_is_resumed_where_it_was_goes_on_in_the_same_life(page):
    directory = under_way("going", stepped(5))
    page.positions["going"] = ""
    page.ask()
    reports(directory, started(step=5, resumed_at=5), stepped(6))
    added = page.ask()["points"]["going"]
    assert "new" not in added and added["at"] == "0.2.0"


def test_a_run_of_the_same_name_that_begins_anew_is_another_life():
    directory = under_way("going", stepped(1), stepped(2), stepped(3))
    track = Track(directory).read()
    (directory / "events.jsonl").unlink()
    reports(directory, started(), stepped(1))
    assert track.read().since("0.3.0")["at"] == "1.1.0"


def test_points_of_a_run_that_is_not_there_are_none(page):
    page.positions |= {"../../etc": "", "nothing": ""}
    assert "points" not in page.ask()


def test_thinned_points_keep_the_mean_loss_and_the_last_place():
    points = [[n, n / 2, n / 4, float(n), 0.1] for n in range(1, 11)]
    assert thinned(points, 10) == points
    few = thinned(points, 3)  # ten in three: 3, 3 and 4
    assert [each[0] for each in few] == [3, 6, 10] and [each[3] for each in few] == [2.0, 5.0, 8.5]
    assert few[0][1:3] == [1.5, 0.75]
    many = [[n, 0.0, 0.0, 1.0 + n % 2, 0.1] for n in range(1000)]
    thin = thinned(many, 400)
    assert len(thin) == 400 and sum(each[3] for each in thin) / 400 == pytest.approx(1.5, abs=0.01)


def test_a_loss_that_is_no_number_is_none_and_leaves_the_mean_of_the_others():
    assert tracks.short(math.nan) is tracks.short(math.inf) is tracks.short(None) is None
    assert tracks.short(0.123456) == 0.1235
    points = [[n, 0.0, 0.0, loss, 0.1] for n, loss in enumerate([1.0, None, 3.0, None])]
    assert [each[3] for each in thinned(points, 2)] == [1.0, 3.0] and thinned(points, 1)[0][3] == 2.0


def test_a_diverged_run_has_its_points_and_no_score(page):
    under_way("going", stepped(1, 2.0), Finished(step=2, seconds=0.2, reason="diverged"))
    page.positions["going"] = ""
    page.ask()
    assert [step[3] for step in page.points["going"]["steps"]] == [2.0]
    assert page.rows["going"]["state"] == "diverged" and page.rows["going"]["miou"] is None


# --- how much is sent


def test_a_page_is_sent_less_than_two_kilobytes_a_poll_while_a_run_goes_on(page):
    for n in range(30):
        runs.stop(runs.create(tiny(seed=n), f"old {n}"))
    directory = under_way("going", *(stepped(n) for n in range(1, 200)))
    with runs.locked(directory):
        page.positions["going"] = ""
        page.ask()
        sizes = []
        for n in range(200, 240, 4):  # two steps a second are reported
            reports(directory, *(stepped(n + k) for k in range(4)))
            sizes.append(len(page.board.news(page.version, list(page.positions.items()), "en")))
            page.ask()
        assert max(sizes) < 2000 and page.ask() is None


def test_old_tracks_are_forgotten_and_read_again(monkeypatch):
    monkeypatch.setattr(board, "MOST_TRACKS", 2)
    known = Board()
    names = [under_way(f"run {n}", stepped(n + 1), seed=n).name for n in range(5)]
    page = Page(known, *names)
    page.ask()
    assert len(known.tracks) == 2
    assert [page.points[name]["steps"][0][0] for name in names] == [1, 2, 3, 4, 5]


def test_only_a_run_on_the_board_is_found():
    known = Board()
    directory = done("one")
    assert known.found("one") == directory and known.found("unet") == runs.CHECKPOINTS / "unet"
    for name in (str(directory), "../runs/one", "", "nothing", "one/"):
        with pytest.raises(SeglabError, match="there is no run"):
            known.found(name)


def test_time_is_asked_of_a_clock_that_nobody_sets(monkeypatch, page):
    done("one")
    page.ask()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    runs.rename(runs.find("one"), "new")
    page.ask()
    assert page.rows["one"]["name"] == "new"


# --- many runs


def counted(monkeypatch, action):
    """How often the system is asked for files and folders meanwhile."""
    found = []

    def counting(whole):
        return lambda *given, **how: found.append(1) or whole(*given, **how)

    with monkeypatch.context() as patch:
        for name in ("stat", "lstat", "scandir", "listdir", "open"):
            patch.setattr(os, name, counting(getattr(os, name)))
        patch.setattr(builtins, "open", counting(open))
        action()
    return len(found)


def test_a_poll_costs_no_more_beside_many_runs_that_are_over(monkeypatch, runs_home):
    monkeypatch.setattr(index, "clock", lambda home, clock=index.clock: clock(home) + 10)
    monkeypatch.setattr(index, "SETTLED", 0.0)
    costs = []
    for count in (150, 450):
        many(runs_home / f"{count}", count)
        monkeypatch.setenv("SEGLAB_HOME", str(runs_home / f"{count}"))
        page = Page(Board())
        going = under_way("going", stepped(1))
        with runs.locked(going):
            page.positions["going"] = ""
            for _ in range(8):
                page.ask()
            assert len(page.board.rows) == count + 4 and page.rows["going"]["state"] == "running"
            costs.append(counted(monkeypatch, page.ask))
    assert costs[0] == costs[1] < 400


def test_a_page_that_is_opened_anew_reads_no_run_that_is_over(monkeypatch, runs_home):
    monkeypatch.setattr(index, "clock", lambda home, clock=index.clock: clock(home) + 10)
    many(runs_home, 60)
    before, read = Page(Board()), []
    before.ask()
    whole = board.described
    monkeypatch.setattr(board, "described", lambda *given: read.append(given[0].parent) or whole(*given))
    anew = Page(Board())
    anew.ask()
    assert list(anew.rows.items()) == list(before.rows.items())
    assert set(read) == {runs.CHECKPOINTS}


def test_of_many_new_runs_the_newest_come_first_and_the_others_with_later_looks(runs_home):
    names = [each.name for each in many(runs_home, 230)]
    page = Page(Board())
    page.ask()
    assert [name for name in page.rows if name.startswith("run")] == names[:200]
    assert page.board.found(names[0]) == runs_home / names[0]
    page.ask(), page.ask()
    assert [name for name in page.board.rows if name.startswith("run")] == names


def test_a_page_is_told_how_many_runs_it_is_not_told_of(page, monkeypatch, runs_home):
    monkeypatch.setattr(board, "MOST_ROWS", 3)
    many(runs_home, 5)
    assert page.ask()["more"] == 2


def test_a_run_that_is_deleted_while_it_is_looked_at_keeps_nobody_from_the_others():
    known, directory = Board(), runs.create(tiny(), "gone")
    (directory / "config.json").unlink()
    kept, _ = known.made(directory)
    assert kept["told"]["state"] == "damaged"


def test_a_page_may_ask_while_the_order_of_the_rows_changes():
    directory = done("one")
    page = Page(known := Board(), directory.name)
    page.ask()
    runs.rename(directory, "other")
    known.hurry(), known.look()
    known.rank = {}  # of rows that are put up just now, without a run that was deleted
    known.looked = float("inf")
    page.ask()
    assert page.rows["one"]["name"] == "other"
