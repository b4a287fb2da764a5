"""What reading files gave is remembered for as long as they stay as they are, and no longer."""

import os
import sqlite3

import numpy as np
import pytest
from PIL import Image

from seglab.data import looks, pairs, remembered
from seglab.data.camvid import Camvid
from seglab.data.folder import Folder

FILES = ("images/a.png", "masks/a.png", "images/b.png", "masks/b.png", "images/c.png", "masks/c.png")


@pytest.fixture
def root(tmp_path, runs_home, monkeypatch):
    """Three pairs that were written long ago, and a home."""
    runs_home.mkdir()
    rng = np.random.default_rng(0)
    for name in FILES:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        values = rng.integers(0, 2, (8, 8)) if name.startswith("masks") else rng.integers(0, 256, (8, 8, 3))
        Image.fromarray(values.astype(np.uint8)).save(tmp_path / name)
    monkeypatch.setattr(remembered, "SETTLED", -60.0)
    return tmp_path


def opened(root):
    """The data as a new process opens it."""
    looks._looks.cache_clear()
    return Folder(root=root).open()


@pytest.fixture
def read(monkeypatch):
    """The masks of pairs that are read, as they are."""
    names, look = [], looks._look
    monkeypatch.setattr(looks, "_look", lambda root, pair, style: names.append(pair.name) or look(root, pair, style))
    return names


def test_pairs_that_stay_as_they_are_are_read_once(root, read):
    first = opened(root)
    again = opened(root)
    assert (
        sorted(read) == ["a", "b", "c"]
        and again.digests == first.digests
        and list(map(str, again.found)) == list(map(str, first.found))
    )
    for one, other in ((first.train[0], again.train[0]), (first.val[0], again.val[0])):
        assert np.array_equal(one.image, other.image) and np.array_equal(one.mask, other.mask)


def test_a_look_is_recalled_as_it_was(root):
    palette = Image.fromarray(np.eye(8, dtype=np.uint8))
    palette.putpalette([9, 8, 7, 200, 100, 0])
    palette.save(root / "masks/b.png")
    Image.fromarray(np.arange(64, dtype=np.uint16).reshape(8, 8) * 900).save(root / "images/c.png")
    first = Folder(root=root).report()
    looks._looks.cache_clear()
    again = Folder(root=root).report()
    assert again.text() == first.text() and again.colors == first.colors and again.span == first.span
    assert first.span and again.keys == first.keys and again.pixels == first.pixels


@pytest.mark.parametrize("kept", ["size", "size and time", "size, time and name"])
def test_a_file_that_changes_is_read_again(root, read, kept):
    opened(root)
    read.clear()
    path, was = root / "masks/b.png", (root / "masks/b.png").stat()
    content = path.read_bytes()
    Image.fromarray(1 - np.array(Image.open(path))).save(root / "other.png")
    changed = (root / "other.png").read_bytes().ljust(len(content), b"\0")
    (root / "other.png").unlink()
    if kept == "size, time and name":
        path.unlink()
    path.write_bytes(changed)
    if kept != "size":
        os.utime(path, ns=(was.st_atime_ns, was.st_mtime_ns))
    opened(root)
    assert read == ["b"]


def test_what_changed_just_now_is_not_remembered(root, read, monkeypatch):
    monkeypatch.setattr(remembered, "SETTLED", 60.0)
    opened(root)
    opened(root)
    assert len(read) == 6


def test_other_options_read_in_another_way(root, read):
    opened(root)
    looks._looks.cache_clear()
    Folder(root=root, values="threshold").open()
    assert len(read) == 6


def test_what_is_wrong_is_told_each_time(root, read):
    (root / "masks/b.png").write_bytes(b"no picture")
    for _ in range(2):
        looks._looks.cache_clear()
        assert [file for file, _ in Folder(root=root).report().rows] == ["masks/b.png"]
    assert sorted(read) == ["a", "b", "b", "c"]


def test_without_a_home_nothing_is_written(root, read, runs_home):
    runs_home.rmdir()
    opened(root)
    assert not runs_home.exists()


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_what_is_damaged_begins_anew(root, read, runs_home, content):
    (runs_home / remembered.FILE).write_bytes(content)
    for _ in range(3):
        opened(root)
    assert 3 <= len(read) <= 6 and (runs_home / remembered.FILE).read_bytes()[:6] == b"SQLite"


def test_a_file_that_another_process_writes_to_is_done_without(root, read, runs_home, monkeypatch):
    opened(root)
    monkeypatch.setattr(remembered, "PATIENCE", 0.0)
    other = sqlite3.connect(runs_home / remembered.FILE, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    opened(root)
    other.close()
    assert len(read) == 6


def test_what_was_not_used_for_longest_is_forgotten(root, read, runs_home, monkeypatch):
    monkeypatch.setattr(remembered, "MOST", 2)
    monkeypatch.setattr(remembered.time, "time", lambda: 4e9)  # of the next century, when all this is old
    opened(root)
    assert count(runs_home) == 2


def test_pairs_of_public_data_sets_are_read_once_too(root, monkeypatch):
    for part in ("train", "val"):
        for place, kind in ((part, "images"), (f"{part}annot", "masks")):
            (root / place).mkdir()
            for name in "abc":
                os.link(root / kind / f"{name}.png", root / place / f"{name}.png")
    names, seen = [], pairs.seen
    monkeypatch.setattr(pairs, "seen", lambda path, root, photo: names.append(path.name) or seen(path, root, photo))
    assert Camvid(root=root).open().digests == Camvid(root=root).open().digests and len(names) == 12


def count(home):
    with sqlite3.connect(home / remembered.FILE) as base:
        return base.execute("SELECT count(*) FROM files").fetchone()[0]
