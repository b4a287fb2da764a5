"""A full disk, met at each write of a command: it is told, nothing is left half made, and the next attempt works."""

import errno
import os
import resource
from pathlib import Path

import pytest

from seglab import jobs, plans, runs
from seglab.errors import SeglabError
from seglab.plans import Seeds
from tests.conftest import tiny, writing

FULL = r"the disk is full: nothing can be written to .*; free some space"


class Disk:
    """A disk that is full from its nth write, or only at that one; a write is a file, a folder or a rename."""

    def __init__(self, patch: pytest.MonkeyPatch, allowed: int, only: bool = False) -> None:
        self.allowed, self.only, self.count = allowed, only, 0
        self.real = runs.write, Path.mkdir, os.replace
        writing(patch, self.meeting(runs.write))
        patch.setattr(Path, "mkdir", self.meeting(Path.mkdir))
        patch.setattr(os, "replace", self.meeting(os.replace))

    def meeting(self, real):
        def met(path, *given, **named):
            if real is Path.mkdir and path.exists():
                return real(path, *given, **named)
            self.count += 1
            if self.count == self.allowed + 1 or (self.count > self.allowed and not self.only):
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
            return real(path, *given, **named)

        return met


def plan():
    title, steps = plans.laid_out(Seeds(count=3), [tiny()], "mine")
    return plans.submit(Seeds(count=3), title, steps)


SUBMISSIONS = {"runs": lambda: jobs.submit([tiny(), tiny(seed=1)]), "plan": plan}


def there(home: Path) -> list[str]:
    """What is visible in a home: runs, and plans."""
    return [path.name for path in home.iterdir() if not path.name.startswith(".")] if home.exists() else []


@pytest.mark.parametrize("only", [False, True], ids=["from then on", "for a moment"])
@pytest.mark.parametrize("kind", SUBMISSIONS)
def test_a_submission_that_meets_a_full_disk_makes_no_run_and_the_next_one_works(kind, only, runs_home, monkeypatch):
    submit = SUBMISSIONS[kind]
    runs_home.mkdir()
    for allowed in range(100):
        with monkeypatch.context() as patch:
            disk = Disk(patch, allowed, only)
            try:
                made = submit()
                break
            except SeglabError as error:
                assert "the disk is full" in str(error)
        assert there(runs_home) == [] and jobs.waiting() == [] and disk.count >= allowed
        assert not list(runs_home.glob("*/queued*")) and not list(runs_home.glob(".*.json.*"))
    assert allowed >= 20 and jobs.waiting() == made  # as many places had to be tried
    assert all(runs.status(directory).state == "queued" for directory in made)
    assert runs.counts().queued >= len(made)


def test_runs_put_back_into_the_queue_are_all_in_it_or_none(runs_home, monkeypatch):
    made = [runs.create(tiny(seed=seed)) for seed in range(3)]
    for allowed in range(100):
        with monkeypatch.context() as patch:
            Disk(patch, allowed)
            try:
                jobs.enqueue(*made)
                break
            except SeglabError as error:
                assert "the disk is full" in str(error)
        assert jobs.waiting() == [] and not list(runs_home.glob("*/queued*"))
    assert allowed >= 10 and jobs.waiting() == made


def test_a_name_that_cannot_be_written_stays_as_it_was(monkeypatch):
    directory = runs.create(tiny(), "mine")
    before = runs.label(directory)
    for allowed in range(2):
        with monkeypatch.context() as patch:
            Disk(patch, allowed)
            if allowed:  # the file is written, its rename is refused
                writing(patch, runs.write)
            with pytest.raises(SeglabError, match=FULL.replace("nothing", ".*")):
                runs.rename(directory, "other")
        assert runs.label(directory) == before and not list(directory.glob(".label*"))
    assert runs.rename(directory, "other").name == "other"


def test_what_cannot_be_counted_is_told_and_counted_the_next_time(monkeypatch):
    with runs.counting() as counts:
        counts.label("one")
    with monkeypatch.context() as patch:
        Disk(patch, 0)
        with pytest.raises(SeglabError, match=FULL), runs.counting() as counts:
            counts.label("two")
    assert runs.counts().made == 1
    with runs.counting() as counts:
        assert counts.label("two").name == "two #2"


def test_a_waiting_run_whose_stop_cannot_be_recorded_waits_on(monkeypatch):
    (directory,) = jobs.submit([tiny()])

    def full(*_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch, pytest.raises(SeglabError, match="the disk is full"):
        patch.setattr(runs.recording, "append", full)
        jobs.stop(directory)
    assert jobs.waiting() == [directory] and not (directory / "stop").exists()
    jobs.stop(directory)
    assert runs.status(directory).state == "stopped" and jobs.waiting() == []


def test_a_run_whose_resumption_cannot_be_recorded_stays_stopped(monkeypatch):
    (directory,) = jobs.submit([tiny()])
    jobs.stop(directory)
    for allowed in range(4):
        with monkeypatch.context() as patch:
            Disk(patch, allowed)
            with pytest.raises(SeglabError, match="the disk is full"):
                jobs.resubmit(directory)
        assert runs.status(directory).state == "stopped" and jobs.waiting() == []
    jobs.resubmit(directory)
    assert jobs.waiting() == [directory]


def test_an_event_for_which_there_is_no_room_leaves_nothing_behind(runs_home):
    """The kernel writes what fits: a limit on the size of files is such a disk."""
    directory = runs.create(tiny())
    runs.append(directory, runs.ending(directory, "stopped"))
    before = (directory / "events.jsonl").read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 20, limits[1]))
    try:
        with pytest.raises(OSError):
            runs.append(directory, runs.ending(directory, "stopped"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert (directory / "events.jsonl").read_bytes() == before


def test_a_hash_that_a_full_disk_cut_short_hides_no_later_one(runs_home):
    runs_home.mkdir()
    (runs_home / ".entries").write_text("0123")
    runs.own.trust(runs_home, b"x = 1\n")
    assert runs.hashes.sha256(b"x = 1\n") in runs.own.trusted(runs_home)
