"""What people call a run, and whose it is: short names, colors, owners, and the counts that they come from."""

import threading

import pytest

from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.runs import labels
from tests.conftest import tiny

ADA, BOB = runs.owner_of("a" * 32, "Ada"), runs.owner_of("b" * 32, "Bob")


def test_runs_are_numbered_and_their_colors_counted_for_each_owner():
    made = [jobs.submit([tiny(seed=n)], owner)[0] for n, owner in enumerate((ADA, BOB, ADA))]
    found = [runs.label(directory) for directory in made]
    assert [each.name for each in found] == ["unet #1", "unet #2", "unet #3"]
    assert [each.stroke for each in found] == [0, 0, 1] and found[1].owner == BOB


def test_a_name_that_a_person_gave_stays_as_it_is():
    assert runs.label(runs.create(tiny(), "my best")).name == "my best"


def test_a_run_is_renamed_and_its_color_and_owner_stay():
    (directory,) = jobs.submit([tiny()], ADA)
    before = runs.label(directory)
    runs.rename(directory, "  가나다 \u202e focal\n")
    after = runs.label(directory)
    assert after.name == "가나다 focal" and (after.stroke, after.owner) == (before.stroke, before.owner)


@pytest.mark.parametrize("name", ["", "   ", "\u200b"])
def test_an_empty_name_is_refused(name):
    (directory,) = jobs.submit([tiny()])
    with pytest.raises(SeglabError, match="1 to 40 characters"):
        runs.rename(directory, name)
    assert runs.label(directory).name == "unet #1"


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b'{"name": 3}', b"\xff\xfe", b'{"name": "x", "stroke": -1}'])
def test_a_damaged_label_is_no_obstacle(content):
    directory = runs.create(tiny(), "mine")
    (directory / labels.FILE).write_bytes(content)
    assert runs.label(directory).name == "mine"
    assert runs.rename(directory, "new").name == "new" == runs.label(directory).name


def test_a_token_cannot_be_told_from_what_is_written():
    assert "a" * 32 not in ADA.model_dump_json() and len(ADA.key) == 16


def test_lost_counts_are_taken_from_the_runs():
    jobs.submit([tiny(), tiny(seed=1)], ADA)
    (runs.home() / labels.COUNTS).unlink()
    (directory,) = jobs.submit([tiny(seed=2)], ADA)
    assert runs.label(directory).name == "unet #3" and runs.label(directory).stroke == 2
    assert jobs.waiting()[-1] == directory


def test_many_who_count_at_once_never_count_the_same():
    numbers = []

    def count():
        for _ in range(10):
            with runs.counting() as counts:
                numbers.append(counts.place())

    threads = [threading.Thread(target=count) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(numbers) == list(range(1, 81)) and runs.counts().queued == 80


def test_owners_that_had_their_turn_longest_ago_are_forgotten(monkeypatch):
    monkeypatch.setattr(labels, "MOST_OWNERS", 3)
    counts = runs.Counts()
    for n in range(6):
        counts.begin(f"{n}")
    assert sorted(counts.owners) == ["3", "4", "5"]
