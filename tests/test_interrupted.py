"""Runs whose process ends before it has said anything, and what killed processes leave behind."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from seglab import jobs, runs
from seglab.cli import main
from seglab.errors import SeglabError
from tests.conftest import finish, tiny


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
    with pytest.raises(SeglabError, match="gone"):
        list(runs.work(directory))
    assert state(directory) == "failed" and not taken(directory)


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate 9 bytes."),
    ],
)
def test_a_run_that_has_not_enough_memory_says_so_and_what_to_try(error, monkeypatch):
    directory = runs.create(tiny(epochs=1))

    def refused(*_):
        raise error

    with monkeypatch.context() as patch, pytest.raises(SeglabError, match="there is not enough memory"):
        patch.setattr(runs.recording.training.Run, "advance", refused)
        list(runs.work(directory))
    assert "try a smaller batch size" in runs.status(directory).finished.text
    assert list(runs.work(directory))[-1].reason == "completed"


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


# --- what killed processes leave behind


@pytest.fixture
def leftovers():
    """The sweep of the home, and the time that its program has seen pass."""
    swept, now = runs.Leftovers(), [0.0]
    swept.ages.clock = lambda: now[0]
    return swept, now


def test_what_killed_processes_left_among_the_runs_is_swept_and_nothing_else(leftovers, runs_home):
    swept, now = leftovers
    whole = finish(runs.create(tiny(epochs=1), "whole"))
    before = {path for path in runs_home.rglob("*") if path.is_file()}
    for name in (
        ".counts.json.0123abcd",
        ".mine.plan.json.0123abcd",
        "whole/queued.next",
        "whole/.label.json.0123abcd",
        "whole/.predictions.0123abcd/0000.png",
        "half made/label.json",
        "half made/.config.json.0123abcd",
        "half deleted/events.jsonl",
        "half deleted/truth/0000.png",
    ):
        (runs_home / name).parent.mkdir(parents=True, exist_ok=True)
        (runs_home / name).write_bytes(b"x")
    (runs_home / "empty").mkdir()
    for name in ("mine/notes.txt", "README.md", ".uploads/x/names.json"):
        (runs_home / name).parent.mkdir(parents=True, exist_ok=True)
        (runs_home / name).write_bytes(b"x")
        before.add(runs_home / name)
    assert swept.sweep() == 0  # somebody may be writing them just now
    now[0] = runs.leftovers.STALE + 1
    assert swept.sweep() == 8
    assert {path for path in runs_home.rglob("*") if path.is_file()} == before
    assert not any((runs_home / name).exists() for name in ("empty", "half made", "half deleted"))
    assert runs.load(whole) and runs.create(tiny(), "half made")


def test_what_is_still_written_is_not_swept(leftovers, runs_home):
    swept, now = leftovers
    directory = runs.create(tiny(epochs=1), "mine")
    (runs_home / "new").mkdir()
    (runs_home / ".counts.json.0123abcd").write_bytes(b"x")
    (directory / ".weights.next.0123abcd").write_bytes(b"x")
    assert swept.sweep() == 0
    now[0] = runs.leftovers.STALE + 1
    (runs_home / "new" / "label.json").write_bytes(b"x")
    (runs_home / ".counts.json.0123abcd").write_bytes(b"xx")
    with runs.locked(directory):
        assert swept.sweep() == 0
    now[0] *= 2
    assert swept.sweep() == 2 and (directory / ".weights.next.0123abcd").exists()  # seen anew: it was at work
    now[0] *= 2
    assert swept.sweep() == 1 and runs.config(directory)


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_clock_that_is_set_to_another_day_does_not_change_what_is_swept(day, leftovers, runs_home):
    swept, now = leftovers
    runs_home.mkdir()
    (runs_home / ".counts.json.0123abcd").write_bytes(b"x")
    os.utime(runs_home / ".counts.json.0123abcd", (time.time() + day,) * 2)
    for now[0], count in ((0, 0), (runs.leftovers.STALE - 1, 0), (runs.leftovers.STALE, 1)):
        assert swept.sweep() == count
