"""Whose a run is, and who may change it."""

import pytest

from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.ui.visitors import Visitor
from tests.conftest import tiny
from tests.page import ADA, BOB


@pytest.fixture
def shared(monkeypatch):
    monkeypatch.setenv("SEGLAB_SHARED", "1")


@pytest.fixture
def adas():
    (directory,) = jobs.submit([tiny()], Visitor.of(ADA).owner)
    return directory


def test_a_visitor_is_known_by_a_hash_of_their_token_and_by_their_nickname():
    visitor = Visitor.of(ADA | {"nickname": "  Ada\u202e  Lovelace " + "x" * 99})
    assert visitor.owner.nickname.startswith("Ada Lovelace x") and len(visitor.owner.nickname) <= 40
    assert visitor.owner.key == Visitor.of(ADA).owner.key != Visitor.of(BOB).owner.key
    assert ADA["token"] not in repr(visitor) and not visitor.teacher


@pytest.mark.parametrize(
    "sent",
    [None, [], "x", 3, {}, {"token": None}, {"token": 3}, {"token": "a" * 31}, {"token": "A" * 32}, {"token": "a" * 33},
     {"token": "a" * 32 + "\n"}, {"token": ["a" * 32]}],
)  # fmt: skip
def test_without_a_token_of_a_browsers_making_nobody_is_known(sent):
    assert Visitor.of(sent) == Visitor(None, False)


@pytest.mark.parametrize("text", ["\ud800", "\udcff" * 50, "\x00", None, 3, []])
def test_what_no_file_can_hold_is_no_part_of_a_nickname(text):
    visitor = Visitor.of(ADA | {"nickname": text, "key": text})
    assert visitor.owner.nickname == "" and not visitor.teacher
    (directory,) = jobs.submit([tiny()], visitor.owner)
    assert runs.label(directory).owner == visitor.owner


def test_on_ones_own_machine_everybody_may_change_everything(adas):
    for sent in (ADA, BOB, None):
        Visitor.of(sent).refuse_others(adas)
        assert Visitor.of(sent).may_change(runs.CHECKPOINTS / "unet")


def test_on_a_shared_server_a_run_is_its_owners_alone(shared, adas):
    Visitor.of(ADA).refuse_others(adas)
    Visitor.of(ADA | {"nickname": "another"}).refuse_others(adas)
    for sent in (BOB, None, {"token": Visitor.of(ADA).owner.key * 2}, BOB | {"nickname": "Ada"}):
        with pytest.raises(SeglabError, match="unet #1 is somebody else's"):
            Visitor.of(sent).refuse_others(adas)
    nobodys = runs.create(tiny(), "nobodys")
    assert not Visitor.of(None).may_change(nobodys) and not Visitor.of(ADA).may_change(nobodys)
    assert not Visitor.of(ADA).may_change(runs.CHECKPOINTS / "unet")


@pytest.mark.parametrize(
    ("wanted", "given", "teacher"),
    [
        ("open sesame", "open sesame", True),
        ("열려라", "열려라", True),
        ("open sesame", "open sesam", False),
        ("open sesame", "", False),
        ("open sesame", None, False),
        ("open sesame", "\ud800", False),
        ("", "", False),  # no key is set: nobody is the teacher
        ("", "x", False),
    ],
)
def test_whoever_has_the_teachers_key_may_change_everything(adas, monkeypatch, wanted, given, teacher):
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    monkeypatch.setenv("SEGLAB_TEACHER_KEY", wanted)
    visitor = Visitor.of(BOB | {"key": given})
    assert visitor.teacher == visitor.may_change(adas) == teacher


def test_a_server_with_a_teacher_is_shared(adas, monkeypatch):
    monkeypatch.setenv("SEGLAB_TEACHER_KEY", "key")
    assert jobs.shared() and not Visitor.of(BOB).may_change(adas)
