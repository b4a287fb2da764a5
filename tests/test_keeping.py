"""Finished runs kept in the folder that SEGLAB_KEEP names: whole, once, and never at the cost of the run."""

from __future__ import annotations

import builtins
import errno
import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from seglab import jobs, runs
from seglab.cli import main
from seglab.comparison import compare
from seglab.errors import SeglabError
from seglab.runs import keeping, kept
from seglab.ui.board import Board
from seglab.ui.parts.runlist import trained
from tests.conftest import finish, tiny


@pytest.fixture(autouse=True)
def keep(tmp_path, monkeypatch) -> Path:
    """A folder to keep runs in; what was known of another test's is forgotten."""
    place = tmp_path / "bucket"
    place.mkdir()
    monkeypatch.setenv("SEGLAB_KEEP", str(place))
    monkeypatch.setattr(kept, "LOOK", 0.0)
    kept.forget()
    keeping.told.clear()
    return place


@pytest.fixture
def mount(monkeypatch):
    """Every call that a mount in append-only mode refuses, made on the folder, fails; gives those that were made."""
    refused: list[str] = []
    opened: set[str] = set()
    whole_open, whole_replace = builtins.open, os.replace

    def guarded(file, mode="r", *rest, **named):
        name = str(file)
        if "/bucket/" in name and set(mode) & set("wax+"):
            if set(mode) & set("wa+") or name in opened:
                refused.append(f"open {mode} {name}")
                raise PermissionError(errno.EPERM, "append only", name)
            opened.add(name)
        return whole_open(file, mode, *rest, **named)

    def replaced(source, target, **named):
        if "/bucket/" in str(target):
            refused.append(f"rename {target}")
            raise PermissionError(errno.EPERM, "no rename", str(target))
        return whole_replace(source, target, **named)

    monkeypatch.setattr(builtins, "open", guarded)
    monkeypatch.setattr(os, "replace", replaced)
    return refused


def done(name="first", **options) -> Path:
    directory = finish(runs.create(tiny(epochs=1, **options), name))
    runs.keep_finished()
    return directory


def gone(*directories: Path) -> None:
    """The home is lost, as a Space's is at each restart."""
    for directory in directories:
        shutil.rmtree(directory)


def test_a_run_is_kept_when_it_ends_and_is_read_where_it_is_kept(keep, mount):
    directory = runs.create(tiny(epochs=1), "first")
    events = list(runs.work(directory))
    copy = keep / "first"
    assert mount == [] and (copy / "kept.json").is_file() and not list(copy.glob("last*"))
    for name in runs.files(directory):
        assert (copy / name).read_bytes() == (directory / name).read_bytes()
    assert runs.every()[0] == directory and copy not in runs.every()  # once is enough
    gone(directory)
    assert runs.every()[0] == copy and runs.find("first") == copy
    assert runs.status(copy) == runs.Status("completed", events[-1])
    assert trained()[0] == copy and Board().found("first") == copy
    assert compare([copy]).rows[0].miou == events[-1].val_miou
    assert runs.load("first").config == runs.config(copy) and len(runs.Evidence(copy).sampled(1)) == 2


def test_kept_runs_are_told_from_others_in_the_list(keep, capsys):
    gone(done())
    with pytest.raises(SystemExit):
        main(["runs"])
    first = capsys.readouterr().out.splitlines()[1].split()
    assert (first[0], first[1], first[-1]) == ("first", "completed", "kept")


def test_a_run_is_kept_once(keep, mount):
    directory = done()
    before = {path: path.stat().st_mtime_ns for path in keep.rglob("*")}
    runs.keep_finished()
    assert {path: path.stat().st_mtime_ns for path in keep.rglob("*")} == before
    shutil.rmtree(keep / "first")  # whoever deletes it there does not want it there
    runs.keep_finished()
    assert list(keep.iterdir()) == [] and runs.find("first") == directory


@pytest.mark.parametrize("reason", ["stopped", "failed"])
def test_a_run_that_may_go_on_is_not_kept(reason, keep):
    directory = finish(runs.create(tiny(epochs=1), "first"))
    runs.append(directory, runs.events(directory)[-1].model_copy(update={"reason": reason}))
    runs.keep_finished()
    assert list(keep.iterdir()) == []


def test_whole_runs_are_kept_with_their_names_and_folders(keep, tmp_path):
    directory = done(init_from=str(done("other")))
    assert runs.config(keep / "first") == runs.config(directory) and runs.config(directory).init_from


def test_a_copy_that_was_cut_short_is_not_taken_for_whole_and_is_made_again(keep):
    directory = finish(runs.create(tiny(epochs=1), "first"))
    (keep / "first").mkdir()  # what a killed program leaves: everything but the marker, or a part of that
    for name in runs.files(directory):
        (keep / "first" / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(directory / name, keep / "first" / name)
    (keep / "torn").mkdir()
    (keep / "torn" / "kept.json").write_text('{"run": "torn", "made": 1.0, "fini')
    runs.keep_finished()
    (again,) = [path for path in keep.iterdir() if path.name not in ("first", "torn")]
    gone(directory)
    assert [path for path in runs.every() if runs.is_kept(path)] == [again]
    assert runs.find("first") == again and runs.load("first").name == again.name


def test_the_disk_that_fills_up_leaves_no_torn_copy_and_is_told_once(keep, monkeypatch, caplog):
    directory = finish(runs.create(tiny(epochs=1), "first"))
    full = []

    def sync(file):
        full.append(file)
        if len(full) % 5 == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with monkeypatch.context() as patch:
        patch.setattr(keeping.os, "fsync", sync)
        runs.keep_finished()
        runs.keep_finished()
    assert list(keep.iterdir()) == []
    (told,) = caplog.messages
    assert "SEGLAB_KEEP" in told and "No space left" in told and "it is tried again" in told
    runs.keep_finished()
    assert (keep / "first" / "kept.json").exists() and runs.find("first") == directory


@pytest.mark.parametrize("error", [errno.EINVAL, errno.ENOSYS])
def test_a_mount_that_cannot_sync_is_taken(error, keep, monkeypatch):
    directory = finish(runs.create(tiny(epochs=1), "first"))
    whole = os.fsync

    def sync(file):
        if "/bucket/" in os.readlink(f"/proc/self/fd/{file}"):
            raise OSError(error, "")
        whole(file)

    monkeypatch.setattr(keeping.os, "fsync", sync)
    runs.keep_finished()
    assert (keep / "first" / "kept.json").exists() and (directory / ".kept").exists()


def test_a_folder_that_is_missing_costs_no_run_and_is_not_made(keep, caplog):
    keep.rmdir()
    directory = runs.create(tiny(epochs=1), "first")
    assert list(runs.work(directory))[-1].reason == "completed"
    assert not keep.exists() and "No such file" in caplog.messages[0]
    assert runs.every()[0] == directory and not [path for path in runs.every() if runs.is_kept(path)]
    keep.mkdir()  # it is mounted at last
    runs.keep_finished()
    assert (keep / "first" / "kept.json").exists()


def test_a_folder_that_cannot_be_written_to_costs_no_run(keep, monkeypatch, caplog):
    whole = os.mkdir

    def refuse(path, *rest):
        if "bucket" in str(path):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS))
        whole(path, *rest)

    directory = runs.create(tiny(epochs=1), "first")
    monkeypatch.setattr(os, "mkdir", refuse)
    assert list(runs.work(directory))[-1].reason == "completed" and "Read-only" in caplog.messages[0]


@pytest.mark.parametrize("home", ["runs", "bucket/../runs", "linked"])
@pytest.mark.parametrize("place", ["runs", "bucket/../runs", "linked"])
def test_the_home_is_no_place_to_keep_its_own_runs(home, place, monkeypatch, caplog, tmp_path):
    (tmp_path / "linked").symlink_to("runs")
    (tmp_path / "runs").mkdir()
    monkeypatch.setenv("SEGLAB_HOME", str(tmp_path / home))
    monkeypatch.setenv("SEGLAB_KEEP", f"{tmp_path}/{place}")
    directory = done()
    runs.keep_finished()
    assert [path.name for path in (tmp_path / "runs").iterdir() if path.name[0] != "."] == ["first"]
    (told,) = caplog.messages
    assert "the same folder" in told and not runs.is_kept(directory)


# --- a mount that does not answer


@pytest.fixture
def dead(monkeypatch):
    """What is asked of the folder is never answered, until the test is over."""
    over, whole_listdir, whole_isdir = threading.Event(), os.listdir, os.path.isdir

    def stuck(whole):
        def asked(path, *rest):
            if "bucket" in str(path):
                over.wait(30)
            return whole(path, *rest)

        return asked

    monkeypatch.setattr(kept.os, "listdir", stuck(whole_listdir))
    monkeypatch.setattr(keeping.os.path, "isdir", stuck(whole_isdir))
    yield
    over.set()


def test_a_dead_mount_does_not_hold_up_a_run_and_is_told(dead, monkeypatch, caplog):
    monkeypatch.setattr(keeping, "STALLED", 0.2)
    directory = runs.create(tiny(epochs=1), "first")
    assert list(runs.work(directory))[-1].reason == "completed"
    assert "does not answer" in caplog.messages[0] and len(caplog.messages) == 1


def test_a_dead_mount_hides_its_runs_and_holds_nobody_up(keep, monkeypatch):
    gone(done())
    assert [path.name for path in runs.every() if runs.is_kept(path)] == ["first"]
    monkeypatch.setattr(kept, "PATIENCE", 0.1)
    monkeypatch.setattr(kept, "SILENCE", 0.1)
    over = threading.Event()
    monkeypatch.setattr(kept.os, "listdir", lambda path: over.wait(30) and [])
    assert [path.name for path in runs.every() if runs.is_kept(path)] == ["first"]  # it has just been asked
    over.wait(0.2)
    assert not [path for path in runs.every() if runs.is_kept(path)]
    with pytest.raises(SeglabError, match="there is no run 'first'"):
        runs.find("first")
    assert len([thread for thread in threading.enumerate() if thread.name == "kept"]) == 1
    over.set()


def test_whoever_interrupts_need_not_wait_for_a_slow_mount(keep, dead):
    finish(runs.create(tiny(epochs=1), "first"))
    runs.keep_finished(lambda: True)
    assert not (keep / "first").exists()


# --- kept runs are read only


def test_kept_runs_are_neither_resumed_nor_deleted_nor_written_to(keep, capsys):
    directory = done()
    gone(directory)
    copy, before = keep / "first", sorted(keep.rglob("*"))
    for act in (runs.remove, jobs.resubmit, lambda run: list(runs.work(run)), jobs.stop):
        if act is jobs.stop:
            act(copy)  # it is over: nothing to do
            continue
        with pytest.raises(SeglabError, match=r"SEGLAB_KEEP|is a copy"):
            act(copy)
    with pytest.raises(SystemExit) as ended:
        main(["rm", "first", "--yes"])
    assert ended.value.code == 2 and "delete it there" in capsys.readouterr().err
    runs.load("first"), compare([copy])
    assert sorted(keep.rglob("*")) == before


def test_kept_runs_are_told_by_whatever_path_leads_to_them(keep, tmp_path, monkeypatch):
    link, linked = tmp_path / "link", runs.home() / "linked"
    link.symlink_to(keep)
    monkeypatch.setenv("SEGLAB_KEEP", str(link))
    gone(done())
    linked.symlink_to(keep / "first")
    assert runs.find("first") == link / "first" and runs.is_kept(keep / "first")
    assert runs.status(keep / "first") == runs.status(link / "first")
    before = sorted(keep.rglob("*"))
    for path in (link / "first", keep / "first", linked):
        with pytest.raises(SeglabError, match="delete it there"):
            runs.remove(path)
    with pytest.raises(SeglabError, match="is a copy"):
        runs.refuse_resuming(keep / "first")
    assert sorted(keep.rglob("*")) == before


def test_the_run_at_home_is_meant_where_a_kept_one_has_its_name(keep, tmp_path):
    gone(done())
    other = finish(runs.create(tiny(epochs=1, seed=5), "first"))
    assert runs.find("first") == other and keep / "first" not in runs.every()
    runs.keep_finished()
    assert len(list(keep.iterdir())) == 2 and json.loads((keep / "first" / "kept.json").read_bytes())["run"] == "first"


def test_each_of_two_kept_runs_of_one_name_is_found_by_the_name_in_lists(keep):
    for seed in (0, 5):
        gone(done(seed=seed))
    newer, older = (path for path in runs.every() if runs.is_kept(path))
    assert older == keep / "first" and [runs.find(path.name) for path in (newer, older)] == [newer, older]
    shutil.rmtree(older)
    kept.forget()
    assert runs.find("first") == newer  # which was called so


def test_the_page_keeps_what_could_not_be_kept_when_it_ended(keep):
    finish(runs.create(tiny(epochs=1), "first"))
    keeper = jobs.Keeper(every=0.01)
    keeper.start()
    for _ in range(500):
        if (keep / "first" / "kept.json").exists():
            break
        keeper.ended.wait(0.02)
    keeper.ended.set()
    keeper.join(10)
    assert (keep / "first" / "kept.json").exists() and not keeper.is_alive()


def test_two_programs_do_not_keep_a_run_twice(keep):
    finish(runs.create(tiny(epochs=1), "first"))
    threads = [threading.Thread(target=runs.keep_finished) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [path.name for path in keep.iterdir()] == ["first"]


def test_a_thousand_kept_runs_are_listed_by_their_markers_alone(keep, monkeypatch):
    gone(done())
    for n in range(1000):
        (keep / f"copy {n}").mkdir()
        shutil.copy(keep / "first" / "kept.json", keep / f"copy {n}" / "kept.json")
    read = []
    whole = kept.read
    monkeypatch.setattr(kept, "read", lambda path: read.append(path) or whole(path))
    assert sum(runs.status(run).state == "completed" for run in runs.every()) == 1001 + 3
    runs.every()
    assert len(read) == 1001  # once each


def test_a_run_of_the_queue_is_kept_by_its_own_process(keep, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGLAB_KEEP", "bucket")  # from the folder in which the page was begun
    directory = runs.create(tiny(epochs=1), "first")
    assert jobs.Process().work(directory) is None
    assert (keep / "first" / "kept.json").exists() and kept.read(keep / "first").finished == runs.events(directory)[-1]
