"""Decoded images in memory and in a file: the same runs, and nothing that stays behind."""

import errno
import os
import signal
import subprocess
import sys
import tempfile
from collections import namedtuple

import numpy as np
import pytest

from benchmarks._outcome import weights
from seglab import machine, runs, training
from seglab.data import store
from seglab.data.store import Store, Written
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started
from tests.conftest import ROOT, tiny

CONFIG = {"techniques": ["flip", "class_balanced"], "model": {"name": "panoptic_deeplab", "width": 8}}


@pytest.fixture(autouse=True)
def disk(tmp_path, monkeypatch):
    """A disk of its own, and how much room it has; a file grows by a few pictures at a time."""
    (tmp_path / "disk").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "disk"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.setattr(store, "STEP", 100_000)
    usage = namedtuple("usage", "free")

    def free(size):
        monkeypatch.setattr(store.shutil, "disk_usage", lambda folder: usage(store.SPARE + size))

    free(2**40)
    return free


def worked(monkeypatch, gigabytes=None):
    """The sha256 of what a run learned, its scores, and its events."""
    if gigabytes is not None:
        monkeypatch.setenv(store.VARIABLE, str(gigabytes))
    directory = runs.create(tiny(**CONFIG))
    events = list(runs.work(directory))
    return weights(directory), [event.scores for event in events if isinstance(event, Evaluated)], events


def where(gigabytes, monkeypatch):
    """Whether each image of a run is in the file."""
    monkeypatch.setenv(store.VARIABLE, str(gigabytes))
    images = training.Images(tiny(**CONFIG))
    images.decode()
    parts = (images.train, *images.scored.values())
    return [isinstance(each.held, Written) for part in parts for each in part.kept.values()]


HALF = 0.00012


def test_where_images_are_kept_changes_no_result(disk, monkeypatch):
    expected = worked(monkeypatch)[:2]
    assert not any(where(1, monkeypatch)) and all(where(0, monkeypatch)) and {*where(HALF, monkeypatch)} == {0, 1}
    assert worked(monkeypatch, 0)[:2] == worked(monkeypatch, HALF)[:2] == expected
    monkeypatch.setattr(store, "AT_ONCE", False)  # as on Windows
    assert worked(monkeypatch, 0)[:2] == expected


def test_a_full_disk_is_told_and_the_run_goes_on_with_the_same_results(disk, monkeypatch):
    expected = worked(monkeypatch)[:2]
    disk(50_000)
    *found, events = worked(monkeypatch, 0)
    assert tuple(found) == expected
    (evaluated, *_) = (event for event in events if isinstance(event, Evaluated))
    assert "the disk has no more room for decoded images" in str(evaluated.notes[0].error())
    (started,) = (event for event in events if isinstance(event, Started))
    assert "the disk has 0.0 GB for decoded images" in " ".join(str(note.error()) for note in started.notes)


def test_a_disk_that_fills_up_while_the_file_is_written_is_no_end(disk, monkeypatch):
    expected, write, count = worked(monkeypatch)[:2], os.pwrite, []

    def filling(file, content, start):
        count.append(file)
        if len(count) > 12:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(file, content[: len(content) // 2 + 1], start)  # as the system may, in parts

    monkeypatch.setattr(os, "pwrite", filling)
    *found, events = worked(monkeypatch, 0)
    assert tuple(found) == expected and len(count) > 12
    assert any(event.notes for event in events if isinstance(event, Evaluated))


def test_a_folder_that_cannot_be_written_to_is_as_a_full_disk(disk, monkeypatch):
    monkeypatch.setenv("TMPDIR", "/nowhere/at/all")
    monkeypatch.setattr(store, "folder", lambda: "/nowhere/at/all")
    assert Store(0).keep([np.zeros(3)]) is None


def test_arrays_come_back_as_they_were_and_can_be_written_to(disk):
    kept = [np.arange(24, dtype=np.uint8).reshape(2, 4, 3), np.eye(4, dtype=np.int32)[:, ::2], np.zeros((0, 3))]
    for most in (0, 10_000):
        shelf = Store(most)
        held = [shelf.keep(kept) for _ in range(3)]
        assert all(isinstance(each, Written) == (most == 0) for each in held)
        for each in map(shelf.arrays, held):
            for found, expected in zip(each, kept, strict=True):
                assert found.dtype == expected.dtype and np.array_equal(found, expected)
            assert most or each[0].flags.writeable


def test_those_that_come_first_are_in_memory(disk):
    shelf = Store(most=100)
    held = [shelf.keep([np.full(40, n, np.uint8)]) for n in range(5)]
    assert [isinstance(each, Written) for each in held] == [False, False, True, True, True]
    assert [shelf.arrays(each)[0][0] for each in held] == [0, 1, 2, 3, 4] and shelf.end == 120


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no process is forked here")
def test_a_forked_process_reads_the_file_and_writes_nothing_to_it(disk):
    shelf = Store(0)
    held = [shelf.keep([np.full(1000, n, np.uint8)]) for n in range(3)]
    if not (child := os.fork()):
        refused = shelf.keep([np.full(1000, 9, np.uint8)]) is None
        same = all((shelf.arrays(each)[0] == n).all() for n, each in enumerate(held))
        os._exit(0 if refused and same else 1)
    assert os.waitpid(child, 0)[1] == 0
    assert shelf.keep([np.full(1000, 3, np.uint8)]).start == 3000


RUN = """
import sys, time
from seglab import training
from tests.conftest import tiny
images = training.Images(tiny())
images.decode()
print(images.store.end, flush=True)
time.sleep(600)
"""


def test_a_killed_process_leaves_no_file(disk, tmp_path):
    environment = os.environ | {"PYTHONPATH": str(ROOT), store.VARIABLE: "0"}
    child = subprocess.Popen([sys.executable, "-c", RUN], env=environment, stdout=subprocess.PIPE)
    try:
        assert int(child.stdout.readline()) > 100_000
    finally:
        child.send_signal(signal.SIGKILL) if hasattr(signal, "SIGKILL") else child.kill()
        child.wait()
        child.stdout.close()
    assert list((tmp_path / "disk").iterdir()) == []


def test_the_file_goes_with_the_run_that_it_is_of(disk, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, "0")
    images = training.Images(tiny())
    images.decode()
    file = images.store.file.fileno()
    assert os.fstat(file).st_size == images.store.end > 100_000
    del images
    with pytest.raises(OSError):
        os.fstat(file)


def test_the_memory_for_images_is_a_quarter_of_what_there_is_or_what_is_asked_for(monkeypatch):
    monkeypatch.setattr(machine, "memory", lambda: 2**32)
    assert store.room() == 2**30
    monkeypatch.setenv(store.VARIABLE, "0.5")
    assert store.room() == 2**29


@pytest.mark.parametrize("given", ["much", "-1", "nan", "inf", "2 GB"])
def test_a_size_that_is_none_is_refused(given, monkeypatch):
    monkeypatch.setenv(store.VARIABLE, given)
    with pytest.raises(SeglabError, match=f"SEGLAB_CACHE_GB: {given} is no size"):
        training.Images(tiny())


def test_what_images_will_take_is_told_by_the_first_of_them(disk):
    shelf = Store(2**30)
    shelf.count, shelf.size = 10, 10 * 2**20
    assert shelf.notes(1024) == []  # they fit into memory
    (note,) = shelf.notes(20_480)
    assert (note.values["size"], note.values["memory"]) == ("20.0", "1.0")
    disk(2**32)
    _, note = shelf.notes(20_480)
    assert (note.values["size"], note.values["free"]) == ("19.0", "4.0")


def test_a_large_set_begins_before_all_of_it_is_decoded(monkeypatch):
    monkeypatch.setattr("seglab.loader.LOOKED", 3)
    run = training.Run(tiny())
    run.started()
    assert sorted(run.train.kept) == [0, 2, 5] and len(run.train) == 8
