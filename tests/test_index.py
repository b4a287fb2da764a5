"""The index of a home: nothing but what its directories say, whatever happens to them and to it."""

import contextlib
import json
import os
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import time

import pytest

import seglab
from benchmarks._many import many
from benchmarks._outcome import forked
from seglab import jobs, runs
from seglab.cli import main
from seglab.errors import SeglabError
from seglab.events import Finished
from seglab.runs import index, listing
from tests.conftest import tiny
from tests.page import done

OPENED: list[str] | None = None  # while a test counts them


def watch(event, arguments):
    if OPENED is not None and event == "open":
        OPENED.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes | os.PathLike) else "")


sys.addaudithook(watch)  # which stays, and does nothing after these tests


@pytest.fixture
def opened(monkeypatch):
    """The files that are opened from now on."""
    monkeypatch.setattr(sys.modules[__name__], "OPENED", [])
    return OPENED


@pytest.fixture
def later(monkeypatch):
    """What lies in a home has lain there for long."""
    monkeypatch.setattr(index, "clock", lambda home, clock=index.clock: clock(home) + 10)


@pytest.fixture
def made(monkeypatch):
    """The names of the runs that the index has read from now on."""
    found, opened = [], listing.opened

    def counting():
        known = opened()
        make = known.make
        known.make = lambda directory: found.append(directory.name) or make(directory)
        return known

    monkeypatch.setattr(listing, "opened", counting)
    return found


def plain():
    """The list as it is without an index."""
    return [listing.of(directory) for directory in runs.every()]


def tick():
    """Waits until a change gives a file another date than one has now."""
    path = runs.home() / "date"
    path.touch()
    before = path.stat().st_mtime_ns
    while path.stat().st_mtime_ns == before:
        path.touch()


def the_file():
    return runs.home() / index.FILE


# --- what is read


def test_a_list_of_runs_that_stay_as_they_are_opens_none_of_their_files(runs_home, later, opened):
    many(runs_home, 40)
    first = listing.listing()
    assert first[:40] == plain()[:40] and {each["model"] for each in first[:40]} == {*many.__globals__["MODELS"]}
    opened.clear()
    assert listing.listing() == first
    assert [name for name in opened if f"{runs_home}/run" in name] == [] and len(opened) < 40


def test_only_runs_that_have_changed_are_read_again(later, made):
    done("one"), done("two", seed=1)
    assert listing.listing() == plain()
    made.clear()
    listing.listing()
    assert made == []
    tick()
    runs.rename(runs.find("two"), "best of all")
    assert {each["run"]: each["name"] for each in listing.listing()}["two"] == "best of all" and made == ["two"]


def test_what_has_just_changed_is_read_again_as_its_date_may_be_that_of_the_next_change(made):
    done("one")
    for _ in range(3):
        assert listing.listing() == plain()
    assert made == ["one"] * 3


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_clock_that_was_set_is_no_matter(monkeypatch, made, hours):
    monkeypatch.setattr(index, "clock", lambda home: time.time() + 3600 * hours)
    directory = done("one")
    assert listing.listing() == listing.listing() == plain() and made == ["one"]
    tick()
    runs.rename(directory, "new")
    assert listing.listing() == plain()


def test_the_clock_is_that_of_the_home(runs_home, tmp_path):
    runs_home.mkdir()
    (tmp_path / "now").touch()
    assert abs(index.clock(runs_home) - (tmp_path / "now").stat().st_mtime) < 1
    assert abs(index.clock(tmp_path / "nowhere") - time.time()) < 1


# --- whatever happens to the runs


def started(directory):
    event = runs.events(directory)[0]
    return event.model_copy(update={"resumed_at": event.step})


def renamed(directory, luck):
    runs.rename(directory, f"name {luck.random()}")


def resumed(directory, luck):
    with runs.locked(directory):
        runs.directory.announce(directory)
        assert listing.listing() == plain()  # it runs
        runs.append(directory, started(directory))
        assert listing.listing() == plain()


def ended(directory, luck):
    reason = luck.choice(["completed", "budget", "stopped", "diverged", "failed"])
    runs.append(directory, Finished(step=3, seconds=luck.random(), reason=reason, val_miou=luck.random()))


def queued(directory, luck):
    jobs.enqueue(directory)
    assert listing.listing() == plain()
    if luck.random() < 0.5:
        (directory / "queued").unlink()


def deleted(directory, luck):
    runs.remove(directory)


def copied(directory, luck):
    """As whoever puts an older copy in a run's place, with its dates."""
    copy = directory.with_name(".copy")
    shutil.copytree(directory, copy)
    renamed(directory, luck)
    listing.listing()
    shutil.rmtree(directory)
    copy.rename(directory)


def exchanged(directory, luck):
    other = luck.choice([each for each in runs.every() if each.parent == runs.home()])
    directory.rename(directory.with_name(".aside"))
    if other != directory:
        other.rename(directory)
    directory.with_name(".aside").rename(other)


def damaged(directory, luck):
    """In the file's own place, which leaves the directory as it is."""
    path = directory / luck.choice(["events.jsonl", "config.json", "label.json"])
    content = bytearray(path.read_bytes())
    place = luck.randrange(len(content) + 1)
    if luck.random() < 0.5:
        del content[place:]
    elif place < len(content):
        content[place] ^= 1 << luck.randrange(8)
    with open(path, "r+b") as file:
        file.truncate()
        file.write(content)


def begun(directory, luck):
    done(f"run {luck.random()}", seed=luck.randrange(3))


def lost(directory, luck):
    (directory / luck.choice(["events.jsonl", "label.json", "weights.safetensors"])).unlink(missing_ok=True)


def undated(directory, luck):
    day = 86400 * luck.uniform(-900, 900)
    os.utime(directory / "config.json", (time.time() + day,) * 2)


DEEDS = [renamed, resumed, ended, queued, deleted, copied, exchanged, damaged, begun, lost, undated]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_to_runs_they_are_listed_as_they_are(later, seed):
    luck = random.Random(seed)
    for n in range(4):
        done(f"run {n}", seed=n % 3)
    for _ in range(60):
        here = [each for each in runs.every() if each.parent == runs.home()]
        deed = luck.choice(DEEDS) if len(here) > 2 else begun
        tick()
        with contextlib.suppress(SeglabError, OSError, IndexError):  # as of what was damaged before
            deed(luck.choice(here) if here else None, luck)
        assert listing.listing() == plain(), deed.__name__


def test_a_run_that_goes_on_is_listed_as_running_before_it_reports(later, monkeypatch):
    directory = runs.create(tiny(), "one")
    runs.stop(directory)
    assert {each["run"]: each["state"] for each in listing.listing()}["one"] == "stopped"
    tick()
    seen = []

    def begun(*given, **how):
        seen.extend(each["state"] for each in listing.listing() if each["run"] == "one")
        raise KeyboardInterrupt

    monkeypatch.setattr(runs.recording.training, "Run", begun)
    with pytest.raises(KeyboardInterrupt):
        next(runs.work(directory, unstop=True))
    assert seen == ["running"] and listing.listing() == plain()


# --- whatever happens to the index


def spoiled(path, luck):
    content = bytearray(path.read_bytes())
    for _ in range(luck.choice([1, 4, 64])):
        content[luck.randrange(len(content))] = luck.randrange(256)
    path.write_bytes(content)


def test_a_damaged_index_changes_no_list_and_is_made_anew(runs_home, later, made):
    many(runs_home, 30)
    whole, luck = listing.listing(), random.Random(0)
    for _ in range(200):
        spoiled(the_file(), luck)
        assert listing.listing() == whole
        listing.listing()  # what was deleted is there again
        made.clear()
        assert listing.listing() == whole and made == []


def test_a_header_that_says_read_only_stays_no_longer_than_one_list(later, made):
    done("one")
    whole = listing.listing()
    content = bytearray(the_file().read_bytes())
    content[18] = 3  # the version of the format from which on SQLite writes nothing
    the_file().write_bytes(content)
    done("two", seed=1)
    assert listing.listing() == plain() != whole
    listing.listing()
    made.clear()
    assert listing.listing() == plain() and made == []


@pytest.mark.parametrize("content", [b"", b"x", b"SQLite format 3\0", b"SQLite format 3\0" + b"\0" * 5000])
def test_a_file_that_is_no_index_is_made_anew(content, later, made):
    done("one")
    whole = listing.listing()
    the_file().write_bytes(content)
    assert listing.listing() == whole
    listing.listing()
    made.clear()
    assert listing.listing() == whole and made == []


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE made SET form = 'of another version'",
        "PRAGMA user_version = 999",
        "DROP TABLE made",
        "ALTER TABLE made DROP COLUMN crc",
        "UPDATE made SET value = '{}'",
        "UPDATE made SET value = NULL, stamp = 7",
        "UPDATE made SET name = 'other' || rowid",
    ],
)
def test_an_index_of_another_version_is_made_anew(change, later, made):
    done("one"), done("two", seed=1)
    whole = listing.listing()
    with contextlib.closing(sqlite3.connect(the_file())) as file, file:
        file.execute(change)
    assert listing.listing() == whole
    listing.listing()
    made.clear()
    assert listing.listing() == whole and made == []


def test_where_no_index_can_be_written_the_list_is_the_same(runs_home, monkeypatch, later):
    done("one")
    (runs_home / index.FILE.parent).write_text("in its place")
    assert listing.listing() == listing.listing() == plain()
    monkeypatch.setenv("SEGLAB_HOME", str(runs_home / "nowhere"))
    assert listing.listing() == plain() and not (runs_home / "nowhere").exists()


def test_nobody_waits_long_for_another_who_writes_the_index(later, made):
    done("one")
    listing.listing()
    done("two", seed=1)
    with contextlib.closing(sqlite3.connect(the_file(), isolation_level=None)) as file:
        file.execute("BEGIN EXCLUSIVE")
        assert listing.listing() == plain()
    assert listing.listing() == plain() and the_file().exists()


def test_an_index_that_is_killed_while_it_writes_is_whole(runs_home, later, made):
    many(runs_home, 60)
    whole = listing.listing()

    def write_on():
        while True:
            known = listing.opened()
            known.unsaved |= known.values.keys()  # as if all were new
            known.look()

    for n in range(12):
        child = forked.Process(target=write_on)
        child.start()
        child.join(0.02 * n)
        os.kill(child.pid, signal.SIGKILL)
        child.join()
        assert listing.listing() == whole
    made.clear()
    assert listing.listing() == whole and made == []


# --- which of them


def names(*given, **wanted):
    return [each["run"] for each in listing.chosen(listing.listing(), *given, **wanted) if not each["shipped"]]


def test_runs_are_chosen_by_words_states_models_and_data(runs_home):
    many(runs_home, 24)
    assert names("segnet 5 STUDENT") == names("student 5", model=["segnet"]) == ["run 00005"]
    assert names(state=["stopped"]) == ["run 00020", "run 00000"] and names(state=["failed"]) == []
    assert len(names(model=["unet", "fcn"])) == 12 and len(names(data=["streets"])) == 24
    assert names("nobody") == []


def test_runs_are_sorted_and_those_without_a_value_come_last(runs_home):
    many(runs_home, 12)
    done("late"), runs.create(tiny(), "a waiting one")
    assert names()[:3] == ["a waiting one", "late", "run 00011"]
    by_miou = listing.chosen(listing.listing(), sort="miou")
    scores = [each["miou"] for each in by_miou]
    assert by_miou[-1]["run"] == "a waiting one" and scores[:-1] == sorted(scores[:-1], reverse=True)
    assert names(sort="name")[0] == "a waiting one" and names(sort="model")[0].startswith("run")


@pytest.mark.parametrize(
    ("wanted", "told"),
    [
        ({"state": "done"}, "state: 'done' is not allowed; allowed: queued, running"),
        ({"model": "unett"}, "model: 'unett' is not allowed; allowed: encoder_decoder, unet, unet_vgg16"),
        ({"data": ["camvid", "streets"]}, "data: 'camvid' is not allowed; allowed: streets"),
        ({"sort": "age"}, "sort: 'age' is not allowed; allowed: made, name"),
    ],
)
def test_what_no_run_can_have_is_refused_with_what_is_allowed(wanted, told):
    with pytest.raises(SeglabError, match=re.escape(told)):
        seglab.list_runs(**wanted)


def test_python_and_the_command_line_list_the_same_runs(runs_home, capsys):
    many(runs_home, 12)
    found = seglab.list_runs("unet", state="completed", sort="miou", limit=3)
    assert len(found) == 3 and found[0].name == "unet"
    for asked in (["unet", "--state", "completed", "--sort", "miou", "--limit", "3"],):
        with pytest.raises(SystemExit):
            main(["runs", *asked])
        out, err = capsys.readouterr()
        assert out == f"{found!r}\n" and re.fullmatch(r"seglab: \d more\n", err)
        with pytest.raises(SystemExit):
            main(["runs", *asked, "--json"])
        assert json.loads(capsys.readouterr().out) == found.rows()
    assert f"{seglab.list_runs('nothing')!r}" == "no runs"


@pytest.mark.parametrize("words", [["runs"], ["runs", "u", "--sort", "miou"], ["runs", "--help"], ["--help"]])
def test_what_needs_no_network_starts_without_torch(runs_home, words):
    script = f"""
import sys
from seglab.cli import main
try:
    main({words!r})
finally:
    print([name for name in ("torch", "numpy", "gradio", "huggingface_hub") if name in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", script], check=False, capture_output=True, text=True)
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "[]"), done.stderr
