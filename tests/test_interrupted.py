"""Runs whose process ends before it has said anything, and what killed processes leave behind."""

import os
import signal
import subprocess
import sys
import time

import pytest

from seglab import jobs, runs
from seglab.cli import main
from tests.conftest import tiny


class Killed(BaseException):
    """Ends a process that nothing catches, as a signal does."""


def state(directory):
    return runs.status(directory).state


def taken(directory):
    return (directory / "taken").exists()


def killed_before_its_first_event(directory, monkeypatch):
    """Works on the run until its images are opened, and not a step further."""

    def dying(*_):
        assert state(directory) == "running" and taken(directory)
        raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(type(runs.config(directory).data), "open", dying)
        list(runs.work(directory))


def test_a_run_that_died_before_its_first_event_is_interrupted_and_can_be_resumed(monkeypatch):
    (directory,) = jobs.submit([tiny(epochs=1)])
    killed_before_its_first_event(directory, monkeypatch)
    assert state(directory) == "interrupted" and jobs.waiting() == []
    jobs.resubmit(directory)
    assert state(directory) == "queued" and jobs.waiting() == [directory]
    assert list(runs.work(directory))[-1].reason == "completed" and not taken(directory)


def test_such_a_run_can_be_stopped_and_resumed_by_the_command(monkeypatch):
    directory = runs.create(tiny(epochs=1), "mine")
    killed_before_its_first_event(directory, monkeypatch)
    runs.stop(directory)
    assert state(directory) == "stopped"
    with pytest.raises(SystemExit) as ended:
        main(["resume", "mine"])
    assert ended.value.code in (0, None) and state(directory) == "completed"


def test_a_run_that_was_never_queued_stays_queued_and_one_at_work_is_running():
    directory = runs.create(tiny(epochs=1))
    assert state(directory) == "queued" and not taken(directory)
    stream = runs.work(directory)
    next(stream)
    assert state(directory) == "running" and not taken(directory)
    stream.close()
    assert state(directory) == "interrupted"


def test_a_run_that_failed_before_its_first_event_has_failed(tmp_path):
    directory = runs.create(tiny(data={"name": "camvid", "root": str(tmp_path / "gone")}))
    with pytest.raises(runs.recording.SeglabError, match="gone"):
        list(runs.work(directory))
    assert state(directory) == "failed" and not taken(directory)


def test_a_worker_killed_while_it_imports_torch_leaves_the_run_in_the_queue():
    (directory,) = jobs.submit([tiny(epochs=1)])
    child = subprocess.Popen([sys.executable, "-m", "seglab.jobs", str(directory), str(os.getpid())])
    time.sleep(0.4)  # of the seconds that this takes
    child.kill()
    assert child.wait() == -signal.SIGKILL and state(directory) == "queued" and jobs.waiting() == [directory]


@pytest.mark.slow
def test_a_child_killed_while_it_reads_its_images_leaves_an_interrupted_run(tmp_path):
    (directory,) = jobs.submit([tiny(epochs=1)])
    program = (
        "import os, sys, pathlib; from seglab import runs; from seglab.data.streets import Streets\n"
        "Streets.open = lambda self: os.kill(os.getpid(), 9)\n"
        "list(runs.work(pathlib.Path(sys.argv[1])))"
    )
    ended = subprocess.run([sys.executable, "-c", program, str(directory)], check=False, env=os.environ)
    assert ended.returncode == -signal.SIGKILL and state(directory) == "interrupted"
    jobs.resubmit(directory)
    assert list(runs.work(directory))[-1].reason == "completed"
