"""A queue that many share: it goes round its owners, each has a part of it, and a server limits what a run may take."""

import threading

import pytest

from seglab import jobs, plans, runs
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.jobs import queue
from seglab.jobs.limits import Limits
from tests.conftest import tiny

OWNERS = [runs.owner_of(f"{n:032x}", f"student {n}") for n in range(30)]


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.setenv("SEGLAB_SHARED", "1")


def whose(directories):
    return [runs.label(directory).owner.nickname for directory in directories]


def test_everybodys_first_run_comes_before_anybodys_second():
    jobs.submit([tiny(seed=n) for n in range(3)], OWNERS[0])
    jobs.submit([tiny(seed=9)], OWNERS[1])
    jobs.submit([tiny(seed=n) for n in (7, 8)], OWNERS[2])
    assert whose(jobs.waiting()) == [f"student {n}" for n in (0, 1, 2, 0, 2, 0)]


def test_who_had_a_turn_waits_for_those_who_had_none():
    first, *_ = jobs.submit([tiny(seed=n) for n in range(4)], OWNERS[0])
    assert jobs.next_run() == first
    jobs.begin(first)
    (first / "queued").unlink()
    jobs.submit([tiny(seed=9)], OWNERS[1])
    assert whose(jobs.waiting()) == ["student 1", "student 0", "student 0", "student 0"]
    second = jobs.waiting()[0]
    jobs.begin(second)
    (second / "queued").unlink()
    jobs.submit([tiny(seed=10)], OWNERS[2])
    assert whose(jobs.waiting()) == ["student 2", "student 0", "student 0", "student 0"]


def test_runs_of_one_person_keep_their_order_whatever_the_clock_says(monkeypatch):
    made = []
    for seconds in (5e9, 1e9, 3e9):
        monkeypatch.setattr(queue.time, "time", lambda seconds=seconds: seconds)
        monkeypatch.setattr(queue.time, "time_ns", lambda seconds=seconds: int(seconds * 1e9))
        made += jobs.submit([tiny(seed=len(made))])
    assert jobs.waiting() == made


def test_a_run_that_waits_for_a_time_does_not_wait_longer_when_the_clock_is_put_back(monkeypatch):
    (directory,) = jobs.submit([tiny()])
    jobs.enqueue(directory, after=300)
    assert jobs.next_run() is None
    now = queue.time.time()
    monkeypatch.setattr(queue.time, "time", lambda: now - 86_400)
    assert jobs.next_run() == directory
    monkeypatch.setattr(queue.time, "time", lambda: now + 301)
    assert jobs.next_run() == directory


def test_fifty_presses_at_once_fill_ones_own_part_and_nobody_elses(shared):
    taken, refused = [], []

    def press(owner, seed):
        try:
            taken.extend(jobs.submit([tiny(seed=seed)], owner))
        except SeglabError as error:
            refused.append(str(error))

    presses = [(OWNERS[0], n) for n in range(50)] + [(owner, 100 + n) for n, owner in enumerate(OWNERS[1:])]
    threads = [threading.Thread(target=press, args=each) for each in presses]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    names = whose(taken)
    assert names.count("student 0") == 8 and len(refused) == 42 and len(set(names)) == 30
    assert set(refused) == {"8 of your runs are waiting and 1 more do not fit; allowed on this server: 8"}
    assert sorted(whose(jobs.waiting())[:30]) == sorted(each.nickname for each in OWNERS)


def test_a_run_that_is_resumed_takes_a_place_too(shared):
    stopped, *_ = jobs.submit([tiny(seed=n) for n in range(8)], OWNERS[0])
    jobs.stop(stopped)
    jobs.submit([tiny(seed=9)], OWNERS[0])
    with pytest.raises(SeglabError, match="8 of your runs are waiting and 1 more do not fit"):
        jobs.resubmit(stopped)
    assert runs.status(stopped).state == "stopped" and len(jobs.waiting()) == 8
    jobs.stop(jobs.waiting()[0])
    jobs.resubmit(stopped)
    assert jobs.waiting()[-1] == stopped


def test_a_plan_counts_its_runs(shared):
    plan = validated(Plan, {"name": "seeds", "count": 9})
    with pytest.raises(SeglabError, match="0 of your runs are waiting and 9 more do not fit"):
        plans.submit(plan, *plans.laid_out(plan, [tiny()]), OWNERS[0])
    assert runs.every() == [] or all(each.parent == runs.CHECKPOINTS for each in runs.every())
    assert plans.every() == []


def test_ones_own_machine_has_no_such_limit():
    assert len(jobs.submit([tiny(seed=n) for n in range(40)])) == 40


@pytest.mark.parametrize(
    ("options", "option"),
    [
        ({"image_size": 1024}, "image_size"),
        ({"batch_size": 128}, "batch_size"),
        ({"budget_seconds": 1e5}, "budget_seconds"),
    ],
)
def test_more_than_a_server_allows_is_refused_by_name(shared, options, option):
    with pytest.raises(SeglabError, match=f"{option}: .* is more than this server allows"):
        jobs.submit([tiny(**options)])


def test_a_run_without_a_time_limit_gets_the_servers(shared, monkeypatch):
    monkeypatch.setenv("SEGLAB_LIMITS", "minutes=2 waiting=none")
    (directory,) = jobs.submit([tiny()])
    assert runs.config(directory).budget_seconds == 120
    assert jobs.limits() == Limits(minutes=2, image_size=640, batch_size=64, memory=8, disk=0.5)


@pytest.mark.parametrize("text", ["minutes", "minuts=3", "minutes=-1", "waiting=0", "memory=much"])
def test_limits_that_say_nothing_are_refused(monkeypatch, text):
    monkeypatch.setenv("SEGLAB_LIMITS", text)
    with pytest.raises(SeglabError):
        jobs.limits()


def test_a_full_disk_of_a_shared_server_takes_no_new_run(shared, monkeypatch):
    usage = type("Usage", (), {"free": 1 << 20})
    monkeypatch.setattr(jobs.limits.__globals__["shutil"], "disk_usage", lambda _: usage)
    with pytest.raises(SeglabError, match="the disk of this server is full"):
        jobs.submit([tiny()])
