"""Runs on a GPU that is lent for some seconds at a time: the adapter alone, and a Space with the platform's interface
emulated."""

import base64
import contextvars
import json
import os
import subprocess
import sys
import time
from urllib.request import Request, urlopen

import pytest

from seglab import comparison, jobs, runs
from seglab.events import Evaluated, Started
from seglab.jobs import zerogpu
from seglab.ui.parts import runlist
from tests.conftest import answered, free_port, tiny
from tests.page import Event, done, heard, row
from tests.page import Request as Visit

who = contextvars.ContextVar("who", default="nobody")


@pytest.fixture(autouse=True)
def short_loans(monkeypatch):
    """Loans that end after every third step or so, and nobody who lends from another test."""
    monkeypatch.setattr(zerogpu, "LOAN", 0.5)
    monkeypatch.setattr(zerogpu, "SPARE", 0.3)
    zerogpu.VISITORS.clear()
    zerogpu.OPENED.clear()


def made(**options):
    (directory,) = jobs.submit([tiny(**options)])
    return directory


def offered(directory, name="a visitor", session="page"):
    """Lends a run the allowance of a visitor of this name."""

    def offer():
        who.set(name)
        zerogpu.offer(directory, session)

    contextvars.copy_context().run(offer)


def worked(directory):
    """What the worker makes of the run: works on it once, by the adapter."""
    worker = jobs.Worker(jobs.ZeroGPU())
    worker.work(directory)
    return runs.status(directory)


def starts(directory):
    return [event for event in runs.all_events(directory) if isinstance(event, Started)]


def test_a_run_in_many_loans_is_one_run():
    directory = made(epochs=60)
    offered(directory)
    assert worked(directory).state == "completed"
    assert len(starts(directory)) > 1 and starts(directory)[0].resumed_at is None
    events = runs.events(directory)
    assert [event.epoch for event in events if isinstance(event, Evaluated) and event.epoch % 1 == 0] == list(
        range(1, 61)
    )
    (row,) = comparison.compare([directory]).rows
    assert row.epochs == 60 and row.state == "completed" and not zerogpu.OPENED


def test_a_loan_is_taken_in_the_context_of_the_visitor_who_lends(monkeypatch):
    seen, lent = [], zerogpu.lent

    def watched(name, seconds):
        seen.append((who.get(), seconds))
        yield from lent(name, seconds)

    monkeypatch.setattr(zerogpu, "lent", watched)
    directory = made()
    offered(directory, "Ann")
    assert worked(directory).over
    assert seen[0] == ("Ann", 0.5) and who.get() == "nobody"


def test_a_page_that_polls_keeps_lending_with_its_newest_request():
    directory = made()
    offered(directory, "old", "page")

    def poll(name, session):
        who.set(name)
        zerogpu.greet(session)

    contextvars.copy_context().run(poll, "new", "page")
    contextvars.copy_context().run(poll, "other", "another page")
    contextvars.copy_context().run(poll, "robot", None)
    assert zerogpu.visitor(directory).context[who] == "new"


def test_visitors_of_runs_that_are_over_are_forgotten_once_their_pages_are_closed(monkeypatch):
    stopped, waits, newest = jobs.submit([tiny(), tiny(), tiny()])
    offered(stopped)
    offered(waits)
    jobs.stop(stopped)
    monkeypatch.setattr(zerogpu, "CLOSED", 0.0)
    offered(newest)
    assert set(zerogpu.VISITORS) == {waits.name, newest.name}


def test_images_are_decoded_before_the_loan(monkeypatch):
    directory = made()
    offered(directory)
    seen, lent = [], zerogpu.lent

    def watched(name, seconds):
        images = zerogpu.OPENED[name]
        seen.extend(len(each.kept) == len(each) for each in (images.train, *images.scored.values()))
        yield from lent(name, seconds)

    monkeypatch.setattr(zerogpu, "lent", watched)
    assert worked(directory).over and seen and all(seen)


class Refused(Exception):
    """As gr.Error has it."""

    def __init__(self):
        super().__init__("refused")
        self.title = "ZeroGPU quota exceeded"
        self.message = "You have exceeded your <b>free</b> quota (60s requested vs. 12s left). Try again in 3:12:00. "


def refusing(monkeypatch, after=0):
    """Has the platform refuse after so many loans."""
    lent, given = zerogpu.lent, []

    def limited(name, seconds):
        if len(given) >= after:
            raise Refused
        given.append(name)
        yield from lent(name, seconds)

    monkeypatch.setattr(zerogpu, "lent", limited)
    return given


WHY = (
    "no GPU was lent: ZeroGPU quota exceeded: You have exceeded your free quota (60s requested vs. 12s left). "
    "Try again in 3:12:00."
)


@pytest.mark.parametrize("loans", [0, 1])
def test_a_run_that_is_refused_waits_with_the_platforms_words_and_asks_again(loans, monkeypatch):
    given = refusing(monkeypatch, loans)
    directory = made(epochs=60)
    offered(directory)
    assert worked(directory).state == "queued" and len(given) == loans
    assert runs.last_word(directory).text == WHY
    assert jobs.next_run() is None and jobs.waiting() == [directory]  # not before five minutes are over
    before = len(runs.all_events(directory))
    assert worked(directory).state == "queued"
    assert len(runs.all_events(directory)) == before  # the same reason is recorded once
    monkeypatch.undo()


def test_a_run_that_was_refused_goes_on_where_it_was_once_a_gpu_is_lent(monkeypatch):
    directory = made(epochs=60)
    offered(directory)
    with monkeypatch.context() as refused:
        refusing(refused, 1)
        worked(directory)
    reached = runs.events(directory)[-1].step
    assert worked(directory).state == "completed"
    assert reached > 0 and reached in [each.resumed_at for each in starts(directory)]


def test_a_run_that_is_told_so_goes_on_on_the_cpu(monkeypatch):
    given = refusing(monkeypatch, 1)
    directory = made(epochs=60)
    offered(directory)
    zerogpu.choose(directory, "cpu")
    assert worked(directory).state == "completed" and len(given) == 1 and not zerogpu.VISITORS


def test_a_waiting_run_leaves_for_the_cpu_at_once(monkeypatch):
    refusing(monkeypatch)
    directory = made()
    offered(directory)
    worked(directory)
    assert jobs.next_run() is None
    zerogpu.leave(directory)
    assert jobs.next_run() == directory and zerogpu.chosen(directory) == "cpu"
    zerogpu.stay(directory)
    assert zerogpu.chosen(directory) == "wait"


def test_a_stopped_run_leaves_for_the_cpu_too(monkeypatch):
    directory = made()
    jobs.stop(directory)
    zerogpu.leave(directory)
    assert jobs.next_run() == directory and not (directory / "stop").exists()


def test_a_run_whose_page_is_closed_finishes_its_loan_and_waits(monkeypatch):
    monkeypatch.setattr(zerogpu, "CLOSED", 0.4)
    directory = made(epochs=60)
    offered(directory)
    assert worked(directory).state == "queued"
    assert starts(directory) and "closed" in runs.last_word(directory).text


def test_a_run_that_nobody_lends_for_waits_or_takes_the_cpu():
    waits, goes = made(), made()
    zerogpu.choose(goes, "cpu")
    assert worked(waits).state == "queued" and not starts(waits)
    assert worked(goes).state == "completed"


def test_stopping_ends_a_run_within_its_loan(monkeypatch):
    monkeypatch.setattr(zerogpu, "LOAN", 60.0)
    directory = made(epochs=500)
    offered(directory)
    lent = zerogpu.lent

    def watched(name, seconds):
        for step in lent(name, seconds):
            if step >= 4:
                jobs.stop(directory)
            yield step

    monkeypatch.setattr(zerogpu, "lent", watched)
    state = worked(directory)
    assert state.state == "stopped" and state.finished.best_epoch is not None and not (directory / "queued").exists()
    jobs.resubmit(directory)
    assert jobs.next_run() == directory


def test_a_run_that_is_stopped_between_two_loans_does_not_come_back(monkeypatch):
    directory = made(epochs=60)
    offered(directory)
    lent, given = zerogpu.lent, []

    def watched(name, seconds):
        if given:
            jobs.stop(directory)  # while its images are decoded, or the loan is asked for
        given.append(name)
        yield from lent(name, seconds)

    monkeypatch.setattr(zerogpu, "lent", watched)
    assert worked(directory).state == "stopped" and len(given) == 2
    assert jobs.waiting() == [] and not zerogpu.VISITORS and not zerogpu.OPENED


def test_a_run_that_fails_says_why_and_asks_for_no_further_loan(monkeypatch):
    directory = made(data={"name": "folder", "root": "/nowhere"})
    offered(directory)
    state = worked(directory)
    assert state.state == "failed" and "/nowhere" in state.finished.text and len(zerogpu.OPENED) == 0


@pytest.mark.parametrize("line", ["{broken", '{"kind":"finished", broken'])
@pytest.mark.parametrize("lends", [True, False])
def test_a_damaged_run_fails_and_those_behind_it_go_on(line, lends):
    first, second = jobs.submit([tiny(), tiny()])
    (first / "events.jsonl").write_text(f"{line}\n")
    if lends:
        offered(first)
        assert worked(first).state == "failed" and "events.jsonl is damaged: line 1" in runs.last_word(first).text
        assert jobs.waiting() == [second]
    else:
        assert worked(first).state == "queued" and "closed" in runs.last_word(first).text
    assert jobs.next_run() == second


def test_less_is_asked_for_where_less_is_left():
    directory = made()
    assert zerogpu.seconds(directory) == zerogpu.LOAN
    list(runs.work(directory))
    assert zerogpu.seconds(directory) < zerogpu.LOAN + 2 * zerogpu.SPARE


def test_elsewhere_nothing_is_lent_and_the_function_is_as_it_was():
    code = "from seglab import ui; from seglab.jobs import zerogpu as z; print(z.LENDS, z.lent.__closure__)"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.split() == ["False", "None"]


def test_processes_on_the_cpu_do_not_know_that_gpus_are_lent(monkeypatch):
    monkeypatch.setenv("SPACES_ZERO_GPU", "true")
    assert "SPACES_ZERO_GPU" not in jobs.environment()


@pytest.mark.parametrize("then", ["wait", "cpu"])
def test_the_page_is_told_what_happens_without_a_gpu_and_chooses_the_other_way(then, monkeypatch):
    directory = made()
    assert "unlent" not in row(directory)
    monkeypatch.setattr(zerogpu, "LENDS", True)
    zerogpu.choose(directory, then)
    assert row(directory)["unlent"] == then
    other = {"wait": "cpu", "cpu": "wait"}[then]
    answer = heard(runlist.act(Event(action=other, run=directory.name), Visit()))
    assert answer == {"said": ""} and row(directory)["unlent"] == other
    jobs.stop(done("finished"))
    assert "unlent" not in row(runs.find("finished")) and "unlent" not in row(runs.find("unet"))


# --- the whole Space


@pytest.fixture(scope="module")
def space(tmp_path_factory):
    """A page on an emulated ZeroGPU Space: its address, the folder of its runs, and the files that say what the device
    interface was asked and how many loans it has left."""
    folder = tmp_path_factory.mktemp("space")
    report, left, home, log = (folder / name for name in ("report", "report.left", "runs", "log.txt"))
    report.touch()
    left.write_text("0")
    port = free_port()
    settings = {"SEGLAB_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1", "HOME": str(folder)}
    command = [sys.executable, "-m", "tests.zerogpu_space", str(report), "6", "2", "1"]
    with open(log, "wb") as file:
        app = subprocess.Popen(command, env=os.environ | settings, stdout=file, stderr=file, start_new_session=True)
    address = f"http://127.0.0.1:{port}/"
    answered(port, lambda: app.poll() is None, log)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(home))
        yield Space(address, home, report, left)
    os.killpg(app.pid, 9)  # its forked workers too
    app.wait(20)


class Space:
    def __init__(self, address, home, report, left):
        self.address, self.home, self.report, self.left = address, home, report, left
        self.config = json.loads(urlopen(f"{address}config").read())
        payload = base64.urlsafe_b64encode(json.dumps({"user": "ann"}).encode()).decode().rstrip("=")
        self.token = f"head.{payload}.tail"

    def asked(self, path="/schedule"):
        return [each for line in self.report.read_text().splitlines() if (each := json.loads(line))["path"] == path]

    def call(self, kind, event, data, session="page", **event_data):
        """What a component's event gives, called as the page does, by a visitor with a token."""
        component = next(each["id"] for each in self.config["components"] if kind(each))
        each = next(each for each in self.config["dependencies"] if [component, event] in each["targets"])
        body = {"data": data, "fn_index": each["id"], "session_hash": session, "event_data": event_data or None}
        headers = {"Content-Type": "application/json", "X-IP-Token": self.token}
        request = Request(f"{self.address}gradio_api/run/predict", json.dumps(body).encode(), headers)
        return json.loads(urlopen(request).read())["data"]

    def rows(self):
        with urlopen(f"{self.address}seglab/watch") as answer:
            return {each["run"]: each for each in json.load(answer)["rows"]}

    @staticmethod
    def runs(component):
        return component["props"].get("elem_id") == "runs"

    def press(self, directory, action):
        self.until(lambda: directory.name in self.rows())
        (answer,) = self.call(self.runs, "click", [], run=directory.name, action=action)
        assert json.loads(answer) == {"said": ""}

    def until(self, true, seconds=150):
        ends = time.monotonic() + seconds
        while not true():
            assert time.monotonic() < ends, (self.report.read_text(), (self.report.parent / "log.txt").read_text())
            self.call(self.runs, "submit", [])  # as the page does once a minute
            time.sleep(0.3)


@pytest.fixture
def stopped(space, monkeypatch):
    """Makes a run in the Space's home that somebody stopped before it began."""
    monkeypatch.setenv("SEGLAB_HOME", str(space.home))

    def stopped(**options):
        directory = runs.create(tiny(**options))
        jobs.stop(directory)
        return directory

    return stopped


def test_the_space_reports_that_it_wants_gpus(space):
    assert len(space.asked("/startup-report")) == 1


def test_a_run_of_the_page_takes_loans_from_its_visitor(space, stopped):
    space.left.write_text("9")
    before = len(space.asked())
    directory = stopped(epochs=900, budget_seconds=4)
    space.press(directory, "resume")
    space.until(lambda: runs.status(directory).over)
    assert runs.status(directory).state == "budget"
    asked = space.asked()[before:]
    assert len(asked) > 1 and {each["token"] for each in asked} == {space.token}
    assert len(starts(directory)) == len(asked) and len(space.asked("/release")) >= len(asked)
    epochs = [event.epoch for event in runs.events(directory) if isinstance(event, Evaluated)]
    assert epochs == sorted(set(epochs)) and runs.load(directory)


def test_a_run_that_is_refused_waits_and_goes_on_as_its_visitor_chooses(space, stopped):
    space.left.write_text("1")
    directory = stopped(epochs=900, budget_seconds=4)
    space.press(directory, "resume")
    space.until(lambda: (word := runs.last_word(directory)) and "quota exceeded" in word.text)
    assert len(starts(directory)) == 1 and runs.load(directory)
    assert any("quota exceeded" in text for text in space.rows()[directory.name]["texts"])
    space.press(directory, "cpu")
    space.until(lambda: runs.status(directory).over)
    assert runs.status(directory).state == "budget" and len(starts(directory)) == 2


def test_the_pages_stop_ends_a_loan(space, stopped):
    space.left.write_text("9")
    directory = stopped(epochs=900)
    space.press(directory, "resume")
    space.until(lambda: len(runs.all_events(directory)) > 3)
    space.press(directory, "stop")
    space.until(lambda: runs.status(directory).over)
    assert runs.status(directory).state == "stopped" and runs.load(directory)
