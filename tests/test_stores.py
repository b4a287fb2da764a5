"""Finished runs kept at a URL, such as an object store's: found by name, read from copies that are fetched when asked
for."""

import shutil
import threading

import pytest
from fsspec.implementations.memory import MemoryFileSystem
from fsspec.registry import known_implementations

from benchmarks._outcome import weights
from seglab import jobs, runs
from seglab.comparison import compare
from seglab.errors import SeglabError
from seglab.runs import keeping, kept, stores
from tests.conftest import finish, tiny


@pytest.fixture
def name(tmp_path):
    """What this test's store is called; runs that other tests finished are not kept in it."""
    return f"memory://{tmp_path.name}/runs"


@pytest.fixture(autouse=True)
def bucket(name, monkeypatch):
    """A store in memory; gives what was written to it, in order."""
    written: list[str] = []
    whole = MemoryFileSystem._open

    def opened(self, path, mode="rb", **how):
        if "w" in mode:
            assert not self.exists(path), "nothing is written twice"
            written.append(path)
        return whole(self, path, mode, **how)

    monkeypatch.setattr(MemoryFileSystem, "_open", opened)
    monkeypatch.setattr(kept, "LOOK", 0.0)
    monkeypatch.setenv("SEGLAB_KEEP", name.replace("//", "//user:word@"))
    kept.forget(), keeping.told.clear(), emptied()
    yield written
    kept.forget(), emptied()


def emptied():
    MemoryFileSystem.store.clear()
    MemoryFileSystem.pseudo_dirs[:] = [""]


@pytest.fixture
def first(bucket):
    """A run that is kept, and gone from the home; gives its directory as it was and the one that it is found at."""
    directory = finish_and_keep()
    before = directory.rename(directory.parent.parent / "before")
    return before, next(run for run in runs.every() if runs.is_kept(run))


def finish_and_keep(name="first", **options):
    directory = finish(runs.create(tiny(epochs=1, **options), name))
    runs.keep_finished()
    return directory


def test_a_run_is_kept_at_a_url_once_and_its_marker_last(name, bucket, first):
    before, _ = first
    assert bucket[-1].endswith("/runs/first/kept.json") and len(bucket) == len(runs.files(before)) + 1
    shutil.copytree(before, runs.home() / "first")
    runs.keep_finished()
    assert len(bucket) == len(runs.files(before)) + 1
    assert (before / ".kept").read_text() == f"{name}/first"


def test_lists_and_curves_need_few_files_and_all_others_come_when_they_are_asked_for(first):
    before, copy = first
    assert runs.find("first") == copy and runs.status(copy).state == "completed"
    assert compare([copy]).rows[0].miou == runs.status(before).finished.val_miou
    assert not (copy / "weights.safetensors").exists()
    assert runs.load("first").name == "first" and weights(copy) == weights(before)
    assert all((copy / name).read_bytes() == (before / name).read_bytes() for name in runs.files(before))
    assert len(runs.Evidence(copy).sampled(1)) == 2


def test_a_run_that_is_kept_at_a_url_is_read_only_and_can_be_begun_with(first):
    _, copy = first
    for act in (runs.remove, jobs.resubmit):
        with pytest.raises(SeglabError, match=r"SEGLAB_KEEP|is a copy"):
            act(copy)
    config = runs.settled(tiny(epochs=1, init_from="first"))
    assert config.init_from == copy and runs.status(finish(runs.create(config))).state == "completed"


def test_a_run_takes_the_weights_that_it_begins_with_along_to_another_machine(first):
    before, copy = first
    directory = runs.create(tiny(epochs=1, init_from=str(copy)))
    files = runs.packed(directory).files
    assert files[".needed/0/first/weights.safetensors"] == (before / "weights.safetensors").read_bytes()


def test_what_was_begun_and_is_not_whole_counts_for_nothing(first, bucket):
    before, _ = first
    kept.forget()
    del MemoryFileSystem.store[bucket[-1]]
    assert not [run for run in runs.every() if runs.is_kept(run)]
    (before / ".kept").unlink()
    shutil.copytree(before, runs.home() / "first")
    runs.keep_finished()
    shutil.rmtree(runs.home() / "first")
    kept.forget()
    (again,) = [run for run in runs.every() if runs.is_kept(run)]
    assert again.name.startswith("first-") and runs.find("first") == again


def test_another_run_of_the_same_name_is_not_mixed_up_with_the_one_before(first):
    _, copy = first
    runs.load(copy)
    before = weights(copy)
    kept.forget()
    emptied()  # somebody deletes it there, and another one is kept
    shutil.rmtree(finish_and_keep(seed=5))
    kept.forget()
    assert runs.find("first") == copy and runs.load("first") and weights(copy) != before


def test_copies_that_were_used_longest_ago_make_room_and_come_again(first, monkeypatch):
    _, copy = first
    runs.load(copy)
    shutil.rmtree(finish_and_keep("other", seed=5))
    kept.forget()
    monkeypatch.setattr(kept, "MOST_FETCHED", 1)
    runs.load("other")
    assert (runs.find("other") / "weights.safetensors").exists() and not (copy / "weights.safetensors").exists()
    assert compare([copy]).rows[0].miou is not None and runs.load("first")


def test_a_store_that_does_not_answer_holds_nobody_up(name, first, monkeypatch, caplog):
    _, copy = first
    over = threading.Event()
    monkeypatch.setattr(kept, "PATIENCE", 0.1)
    monkeypatch.setattr(kept, "SILENCE", 0.1)
    monkeypatch.setattr(keeping, "STALLED", 0.2)
    monkeypatch.setattr(MemoryFileSystem, "find", lambda *_, **__: over.wait(30) and [])
    with pytest.raises(SeglabError, match=f"first is kept at {name} and does not come from there: no answer"):
        runs.load(copy)
    monkeypatch.setattr(MemoryFileSystem, "exists", lambda *_, **__: over.wait(30))
    assert list(runs.work(runs.create(tiny(epochs=1))))[-1].reason == "completed"
    assert f"{name}, which SEGLAB_KEEP names, does not answer" in caplog.messages[0]
    over.set()


def test_no_password_is_told(name, monkeypatch, caplog):
    def refused(self, path, **how):
        raise RuntimeError("403 for user with word")

    monkeypatch.setattr(MemoryFileSystem, "makedirs", refused)
    finish(runs.create(tiny(epochs=1)))
    runs.keep_finished()
    (told,) = caplog.messages
    assert name in told and "403 for … with …" in told
    assert "SEGLAB_KEEP" not in jobs.environment()  # a run's process is not told either: the page keeps its runs


def test_a_url_whose_package_is_missing_says_what_to_install(monkeypatch, caplog):
    known = {"class": "storefs.Store", "err": "Install storefs"}
    monkeypatch.setitem(known_implementations, "store", known)
    monkeypatch.setenv("SEGLAB_KEEP", "store://bucket/runs")
    finish(runs.create(tiny(epochs=1)))
    runs.keep_finished()
    assert "store://bucket/runs" in caplog.text and "pip install storefs" in caplog.text


def test_the_url_of_a_folder_is_that_folder(tmp_path, monkeypatch):
    found = stores.store_of(f"file://{tmp_path}")
    assert isinstance(found, stores.Folder) and found.folder == tmp_path
    monkeypatch.setenv("SEGLAB_KEEP", f"file://{tmp_path}")
    assert jobs.environment()["SEGLAB_KEEP"] == str(tmp_path)
