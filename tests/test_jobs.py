"""The queue: runs go on in processes of their own, in order, and end when they are told to."""

import errno
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from seglab import jobs, runs
from seglab.errors import SeglabError
from tests.conftest import answered, finish, free_port, tiny


def wait_until(condition, seconds=240):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.05)


def state(directory):
    return runs.status(directory).state


@pytest.fixture
def worker(runs_home, monkeypatch):
    """A worker on this test's runs; what it left waiting or working is stopped at the end."""
    monkeypatch.setattr(jobs.worker, "TAKE_A_LOOK", 0.05)
    started = jobs.Worker()
    started.start()
    yield started
    for directory in runs.every():
        if directory.parent == runs.home():
            jobs.stop(directory)
    started.ended.set()
    started.join(30)


@pytest.mark.slow
def test_runs_are_worked_on_one_at_a_time_in_the_order_of_the_queue(worker):
    first, second = jobs.submit([tiny(epochs=3), tiny(epochs=1, seed=1)])
    wait_until(lambda: state(first) == "running")
    assert state(second) == "queued" and jobs.waiting() == [second]
    wait_until(lambda: state(second) == "completed")
    assert state(first) == "completed" and runs.load(first) and runs.load(second)
    ended = [(directory / "events.jsonl").stat().st_mtime for directory in (first, second)]
    assert ended[0] < ended[1]


@pytest.mark.slow
def test_a_run_at_work_stops_when_it_is_told_to_and_can_be_resumed(worker):
    (directory,) = jobs.submit([tiny(epochs=400)])
    wait_until(lambda: state(directory) == "running" and (directory / "events.jsonl").exists())
    jobs.stop(directory)
    wait_until(lambda: state(directory) == "stopped")
    step = runs.status(directory).finished.step
    jobs.resubmit(directory)
    wait_until(lambda: state(directory) == "running" and runs.events(directory)[-1].step > step)
    jobs.stop(directory)
    wait_until(lambda: state(directory) == "stopped")


def test_a_resumed_run_that_is_stopped_while_it_waits_stays_stopped(worker):
    worker.ended.set()
    worker.join(10)
    directory = runs.create(tiny(epochs=400))
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    list(stream)
    jobs.resubmit(directory)
    jobs.stop(directory)
    assert state(directory) == "stopped" and jobs.waiting() == []
    with pytest.raises(SeglabError, match="was stopped"):  # a child that had begun before sees it
        list(runs.work(directory))


def test_a_waiting_run_leaves_the_queue_when_it_is_stopped():
    first, second = jobs.submit([tiny(), tiny()])
    jobs.stop(first)
    assert jobs.waiting() == [second] and state(first) == "stopped" and state(second) == "queued"


@pytest.mark.slow
def test_a_child_that_dies_without_a_word_is_recorded_as_failed_and_the_queue_goes_on(worker):
    first, second = jobs.submit([tiny(epochs=400), tiny(epochs=1)])
    wait_until(lambda: state(first) == "running" and (first / "events.jsonl").exists())
    (child,) = [p for p in psutil.Process().children() if "seglab.jobs" in " ".join(p.cmdline())]
    assert child.nice() >= 10
    child.kill()
    wait_until(lambda: state(first) == "failed")
    assert runs.status(first).finished.text == "the run's process was ended by signal 9"
    wait_until(lambda: state(second) == "completed")


def test_a_mistake_found_in_the_child_is_told_by_the_run(worker, tmp_path):
    (directory,) = jobs.submit([tiny(data={"name": "camvid", "root": str(tmp_path / "gone")})])
    wait_until(lambda: state(directory) == "failed")
    assert "gone" in runs.status(directory).finished.text


@pytest.mark.slow
def test_a_run_that_cannot_be_started_waits_and_is_tried_again(worker, monkeypatch):
    monkeypatch.setattr(jobs.worker, "RETRY", 0.1)
    real, count = subprocess.Popen, iter(range(100))

    def short_of_memory(*given, **named):
        if next(count) < 2:
            raise OSError(12, "Cannot allocate memory")
        return real(*given, **named)

    monkeypatch.setattr(jobs.process.subprocess, "Popen", short_of_memory)
    (directory,) = jobs.submit([tiny(epochs=1)])
    wait_until(lambda: state(directory) == "completed")


def test_a_run_whose_end_cannot_be_recorded_stays_in_the_queue(monkeypatch):
    class Damaged:
        def work(self, directory):
            raise SeglabError("damaged")

    def full(*_):
        raise OSError(errno.ENOSPC, "")

    first, second = jobs.submit([tiny(), tiny()])
    with monkeypatch.context() as patch, pytest.raises(SeglabError, match="damaged"):
        patch.setattr(runs, "append", full)
        jobs.Worker(Damaged()).work(first)
    assert jobs.waiting() == [first, second]
    jobs.Worker(Damaged()).work(first)
    assert jobs.waiting() == [second] and runs.status(first).finished.text == "damaged"


@pytest.mark.slow
def test_the_queue_goes_on_after_any_trouble_with_its_folder(runs_home, monkeypatch):
    monkeypatch.setattr(jobs.worker, "RETRY", 0.1)
    runs_home.write_text("a file, not a folder")
    worker = jobs.Worker()
    worker.start()
    time.sleep(0.3)
    runs_home.unlink()
    (directory,) = jobs.submit([tiny(epochs=1)])
    (runs_home / "odd").mkdir()
    (runs_home / "odd" / "queued").write_bytes(bytes(8))  # as a power failure leaves it
    try:
        wait_until(lambda: state(directory) == "completed")
    finally:
        worker.ended.set()
    worker.join(10)


def test_a_folder_that_the_queue_cannot_be_kept_in_is_told_of_once(runs_home, monkeypatch, caplog):
    monkeypatch.setattr(jobs.worker, "RETRY", 0.01)
    runs_home.write_text("a file, not a folder")
    worker, tries = jobs.Worker(), iter(range(3))
    monkeypatch.setattr(worker.ended, "wait", lambda _: next(tries, None) is None and worker.ended.set())
    worker.run()
    (told,) = caplog.records
    assert str(runs_home) in told.getMessage() and told.exc_info is None


def test_the_app_says_once_that_runs_cannot_be_written_and_serves_its_page(tmp_path):
    port = free_port()
    settings = {"SEGLAB_HOME": "/sys/seglab", "GRADIO_SERVER_PORT": str(port)}
    with open(tmp_path / "said", "wb") as said:
        app = subprocess.Popen(
            [sys.executable, str(jobs.ROOT / "app.py")], env=os.environ | settings, stdout=said, stderr=said
        )
    try:
        page = answered(port, lambda: app.poll() is None, tmp_path / "said")
        assert "seglab" in page
        wait_until(lambda: b"nothing can be trained" in (tmp_path / "said").read_bytes())
    finally:
        app.terminate()
        app.wait(20)
    told = (tmp_path / "said").read_text()
    assert told.count("nothing can be trained here") == 1 and "Traceback" not in told
    assert "runs cannot be written to /sys/seglab (" in told


@pytest.mark.slow
def test_runs_are_worked_on_wherever_the_program_was_started(tmp_path, runs_home):
    (directory,) = jobs.submit([tiny(epochs=1)])
    program = "import sys, time; sys.path.insert(0, sys.argv[1]); from seglab import jobs; jobs.Worker().run()"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    parent = subprocess.Popen(
        [sys.executable, "-c", program, str(Path(jobs.__file__).parents[1])],
        cwd=tmp_path,
        env=environment | {"SEGLAB_HOME": os.path.relpath(runs_home, tmp_path)},
    )
    try:
        wait_until(lambda: state(directory) == "completed")
    finally:
        parent.kill()
        parent.wait()


def test_other_processes_find_the_home_and_are_told_no_secrets(tmp_path, monkeypatch):
    secrets = ("HF_TOKEN", "hf_token", "HF_API_KEY", "OPENAI_APIKEY", "AWS_SECRET_ACCESS_KEY", "DB_PASSWORD")
    for name in secrets:
        monkeypatch.setenv(name, "secret")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SEGLAB_HOME")
    assert jobs.environment()["SEGLAB_HOME"] == str(tmp_path / "runs")
    monkeypatch.setenv("SEGLAB_HOME", "relative")
    assert jobs.environment()["SEGLAB_HOME"] == str(tmp_path / "relative")
    assert "secret" not in jobs.environment().values()


def test_a_full_queue_takes_no_more_and_says_so(monkeypatch):
    monkeypatch.setattr(jobs.queue, "MOST_WAITING", 30)
    jobs.submit([tiny()] * jobs.queue.MOST_WAITING)
    with pytest.raises(SeglabError, match="queue is full: 30 runs are waiting"):
        jobs.submit([tiny()])
    assert len(jobs.waiting()) == jobs.queue.MOST_WAITING == len(list(runs.home().glob("*/config.json")))


def test_a_completed_run_cannot_be_put_back_in_the_queue():
    directory = finish(runs.create(tiny(epochs=1)))
    with pytest.raises(SeglabError, match="it is completed"):
        jobs.resubmit(directory)


@pytest.mark.slow
def test_no_run_outlives_the_program_that_started_it(runs_home):
    (directory,) = jobs.submit([tiny(epochs=400)])
    program = "import time; from seglab import jobs; jobs.Worker().start(); time.sleep(600)"
    parent = subprocess.Popen([sys.executable, "-c", program], env=os.environ | {"SEGLAB_HOME": str(runs_home)})
    wait_until(lambda: state(directory) == "running" and (directory / "events.jsonl").exists())
    (child,) = psutil.Process(parent.pid).children()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    wait_until(lambda: not child.is_running() and state(directory) == "interrupted")


@pytest.mark.slow
def test_a_second_program_leaves_the_queue_to_the_first_until_that_ends(worker, monkeypatch):
    (first,) = jobs.submit([tiny(epochs=400)])
    wait_until(lambda: state(first) == "running" and (first / "events.jsonl").exists())
    other, taken = jobs.Worker(), []
    work = other.work
    monkeypatch.setattr(other, "work", lambda directory: taken.append(directory) or work(directory))
    (second,) = jobs.submit([tiny(epochs=1)])
    other.start()
    try:
        time.sleep(20 * jobs.worker.TAKE_A_LOOK)  # alone, it would have taken the second run at its first look
        assert other.is_alive() and not taken
        assert (state(first), state(second)) == ("running", "queued") and jobs.waiting() == [second]
        worker.ended.set()
        jobs.stop(first)
        wait_until(lambda: state(second) == "completed")
        assert taken == [second] and state(first) == "stopped"
    finally:
        other.ended.set()
    other.join(60)
    assert not other.is_alive()
