"""Pictures drawn for all pages together."""

import random
import threading

import pytest

from seglab.ui.pace import REST, Paced


class Clock:
    """Time that passes when it is told to."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


class Subject:
    """Something whose drawing takes two seconds and tells its version."""

    def __init__(self, clock):
        self.clock, self.version, self.drawn = clock, 0, 0

    def draw(self):
        self.clock.now += 2
        self.drawn += 1
        return f"picture of {self.version}"


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def paced(clock):
    return Paced(most=2, clock=clock)


def test_a_picture_that_has_not_changed_is_not_drawn_again(paced, clock):
    subject = Subject(clock)
    one = paced.get("key", 0, subject.draw)
    clock.now += 1000
    assert paced.get("key", 0, subject.draw) is one and subject.drawn == 1


def test_one_that_got_older_is_drawn_again_after_a_rest(paced, clock):
    subject = Subject(clock)
    paced.get("key", 0, subject.draw)
    subject.version = 1
    clock.now += 2 * REST - 0.1
    assert paced.get("key", 1, subject.draw) == ("picture of 0", 0)
    clock.now += 0.2
    assert paced.get("key", 1, subject.draw) == ("picture of 1", 1)


def test_drawing_takes_a_tenth_of_the_time_however_many_pictures_get_older(paced, clock):
    subjects = [Subject(clock), Subject(clock)]
    for n, subject in enumerate(subjects):
        paced.get(n, 0, subject.draw)
    chance = random.Random(0)
    before = sum(subject.drawn for subject in subjects)
    began = clock.now
    for version in range(1, 4000):
        clock.now += 0.1
        n = chance.randrange(2)  # pages ask at times of their own
        paced.get(n, version, subjects[n].draw)
    drawn = sum(subject.drawn for subject in subjects) - before
    assert drawn * 2 / (clock.now - began) == pytest.approx(1 / (1 + REST), rel=0.1)
    assert min(subject.drawn for subject in subjects) > 5


def test_a_new_one_is_drawn_at_once(paced, clock):
    for key in ("a", "b"):
        subject = Subject(clock)
        paced.get(key, 0, subject.draw)
        assert subject.drawn == 1


def test_the_least_recent_is_forgotten(paced, clock):
    subject = Subject(clock)
    for key in ("a", "b", "c", "a"):
        paced.get(key, 0, subject.draw)
    assert subject.drawn == 4
    paced.get("c", 0, subject.draw)
    assert subject.drawn == 4


def test_thirty_pages_have_one_picture_drawn():
    paced, gate, drawn = Paced(), threading.Event(), []

    def draw():
        gate.wait(10)
        drawn.append(1)
        return "picture"

    got = []
    threads = [threading.Thread(target=lambda: got.append(paced.get("key", 0, draw).picture)) for _ in range(30)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert got == ["picture"] * 30 and len(drawn) == 1


def test_who_has_an_older_picture_does_not_wait_for_one_that_is_being_drawn(monkeypatch):
    monkeypatch.setattr("seglab.ui.pace.REST", 0.0)
    paced, begun, gate = Paced(), threading.Event(), threading.Event()
    paced.get("key", 0, lambda: "old")

    def slow():
        begun.set()
        gate.wait(10)
        return "new"

    thread = threading.Thread(target=paced.get, args=("key", 1, slow))
    thread.start()
    begun.wait(10)
    assert paced.get("key", 1, lambda: "mine").picture == "old"
    gate.set()
    thread.join()
    assert paced.get("key", 1, lambda: "mine").picture == "new"


def test_a_drawing_that_fails_leaves_the_pen_free():
    paced = Paced()
    with pytest.raises(ValueError):
        paced.get("key", 0, lambda: int("no number"))
    assert paced.get("key", 0, lambda: "picture").picture == "picture"
