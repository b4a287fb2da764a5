"""Sheets of a class: read with suspicion, and what is right computed from the runs that are here."""

import csv
import io
import json

import pytest
import yaml

from seglab import cli
from seglab.errors import SeglabError
from seglab.lessons import sheet
from tests.lessons import whole
from tests.sheets import HITS, STEPS, answered, page, taught

HOSTILE = "</script><script>alert(1)</script>"


@pytest.fixture
def bench(runs_home):
    return taught()


def summed(bench, *given):
    """The class whose sheets hold what is given."""
    found = [sheet.parsed(page(answered(bench, n) | each), f"{n}.html") for n, each in enumerate(given)]
    return sheet.summed(bench, [(f"{n}.html", each) for n, each in enumerate(found)])


def one(bench, name, **answer):
    """How a class of one answered a question."""
    found = summed(bench, {"answers": {name: answer}})
    return next(each for each in found.questions if each.ask.id == name)


# --- what is refused


def test_a_sheet_that_a_page_wrote_is_read_whole(bench):
    found = sheet.parsed(page(answered(bench, name=HOSTILE, keep="한 문장")), "x.html")
    assert (found.name, found.keep, found.lesson, found.minutes) == (HOSTILE, "한 문장", "l", 6)
    assert found.answers["over"].first == ("a",) and found.answers["which"].sure == "guess"


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\x00\xff\xfe" * 99, b"<html><script>alert(1)</script>", sheet.OPENED.encode(),
        page(""), page("[]"), page("{"), page("NaN"), page("[" * 90_000), page('{"sheet": 1}'), page("9" * 90_000),
    ],
    ids=["empty", "bytes", "script", "open", "nothing", "list", "torn", "nan", "deep", "little", "long"],
)  # fmt: skip
def test_what_is_no_sheet_is_told(content):
    with pytest.raises(SeglabError, match=r"^x\.html holds no sheet of a lesson"):
        sheet.parsed(content, "x.html")


def test_a_huge_file_is_refused_before_it_is_read_whole(tmp_path):
    with (tmp_path / "x.html").open("wb") as file:
        file.truncate(10**12)  # a hole: nothing on the disk
    with pytest.raises(SeglabError, match=r"x\.html is too large for a sheet; allowed: 1000000 bytes"):
        sheet.read(tmp_path / "x.html")
    with pytest.raises(SeglabError, match=r"y\.html cannot be read"):
        sheet.read(tmp_path / "y.html")


@pytest.mark.parametrize(
    "more",
    [
        {"sheet": 2}, {"lesson": "../a"}, {"lesson": "a.b.c"}, {"lesson": 3}, {"hash": "x"}, {"number": 7},
        {"name": "x" * 81}, {"name": None},
        {"name": ["a"]}, {"keep": "x" * 2001}, {"times": ["now"]}, {"times": [-1]}, {"times": [1] * 41},
        {"right": ["which"]},
        {"answers": []}, {"answers": {f"q{n}": {} for n in range(13)}}, {"answers": {"which": 3}},
        {"answers": {"which": {"first": True}}}, {"answers": {"which": {"first": {"a": 1}}}},
        {"answers": {"which": {"first": ["a"] * 13}}}, {"answers": {"which": {"sure": "very"}}},
        {"answers": {"which": {"first": 1e999}}}, {"answers": {"which": {"first": 10**400}}},
        {"answers": {"which": {"right": 1}}}, {"evidence": {"a": "new"}},
    ],
)  # fmt: skip
def test_a_sheet_with_anything_else_in_it_is_refused(bench, more):
    with pytest.raises(SeglabError, match=r"^x\.html holds no sheet of a lesson: "):
        sheet.parsed(page(json.dumps(answered(bench) | more)), "x.html")


# --- what is right


@pytest.mark.parametrize(
    ("name", "given", "right"),
    [
        ("which", "higher", 1), ("which", "lower", 0), ("which", "none", 0),
        ("over", ["a"], 1), ("over", ["a", "b"], 0), ("over", ["none"], 0), ("over", [], 0),
        ("pixels", 20, 1), ("pixels", 21.9, 1), ("pixels", 22.1, 0), ("pixels", 17.9, 0),
    ],
)  # fmt: skip
def test_an_answer_is_right_where_the_runs_say_so(bench, name, given, right):
    found = one(bench, name, first=given)
    assert (found.answered, found.right_first) == (1, right)


@pytest.mark.parametrize(
    ("name", "given"),
    [
        ("which", None), ("which", "other"), ("which", 3), ("which", ["higher"]), ("over", "a"), ("over", ["a", "x"]),
        ("pixels", "20"), ("pixels", ["a"]), ("own", "  "), ("own", 3),
    ],
)  # fmt: skip
def test_an_answer_that_the_question_does_not_have_is_none(bench, name, given):
    found = one(bench, name, first=given)
    assert (found.answered, found.right_first, +found.first, found.texts) == (0, 0, {}, [])


def test_other_runs_make_another_answer_right_and_are_told(bench):
    before = summed(bench, {}).questions[0]
    assert (before.right_first, before.right_again) == (0, 1)
    old = answered(bench)
    turned = taught({"a": HITS["b"], "b": HITS["a"]})
    found = sheet.summed(turned, [("x.html", sheet.parsed(page(old), "x.html"))])
    assert (found.questions[0].right_first, found.questions[0].right_again) == (1, 0)
    assert found.students[0].other_runs == ("a", "b")
    assert str(found.students[0].notes[0]) == "x.html was made with other runs of a, b"


def test_evidence_is_the_same_for_the_same_runs_and_another_for_another_curve(bench):
    known = sheet.evidence(bench)
    assert known.keys() == {"a", "b"} and known == sheet.evidence(taught())
    assert sheet.evidence(taught(HITS | {"b": (80, 81)}))["a"] == known["a"] != known["b"]
    (bench.directories("b")[0] / "evaluation.npz").unlink()
    assert sheet.evidence(type(bench)(bench.lesson)).keys() == {"a"}


def test_a_question_whose_runs_are_missing_has_votes_and_a_reason(bench):
    (bench.directories("b")[0] / "events.jsonl").unlink()
    found = summed(type(bench)(bench.lesson), {}).questions[0]
    assert found.first == {"lower": 1} and "have not been made yet" in str(found.missing)
    assert (found.answered, found.right_first) == (1, 0)


# --- a class


def test_a_class_is_counted_by_question_vote_and_sureness(bench):
    votes = [("lower", "guess", "higher"), ("lower", "sure", "lower"), ("higher", "sure", None), (None, None, "higher")]
    given = [{"first": first, "sure": sure, "again": again} for first, sure, again in votes]
    found = summed(bench, *({"answers": {"which": each, "pixels": {"first": n}}} for n, each in enumerate(given)))
    which, over, pixels, _ = found.questions
    assert which.first == {"lower": 2, "higher": 1} and which.again == {"higher": 2, "lower": 1}
    assert which.sure == {("lower", "guess"): 1, ("lower", "sure"): 1, ("higher", "sure"): 1}
    assert (which.answered, which.right_first, which.voted_again, which.right_again) == (3, 1, 3, 2)
    assert over.answered == 0 and pixels.numbers == [0, 1, 2, 3]


def test_the_same_sheet_in_two_names_counts_once_and_is_told(bench):
    copy = {"number": f"{0:032x}", "name": "Bob"}
    found = summed(bench, {}, copy, {"name": ""})
    assert [each.twin for each in found.students] == [None, "0.html", None] and len(found.counted) == 2
    assert found.questions[0].first == {"lower": 2}
    assert [str(note) for note in found.students[1].notes] == ["1.html is the same sheet as 0.html: it counts once"]
    assert [each.name for each in found.students] == ["Ada", "Bob", "2.html"]


def test_another_version_of_the_lesson_is_told_and_counts_as_far_as_it_fits(bench):
    found = summed(bench, {"hash": "0" * 16, "answers": {"which": {"first": "higher"}, "gone": {"first": "x"}}})
    assert [str(note) for note in found.students[0].notes] == ["0.html was made with another version of this lesson"]
    assert found.questions[0].right_first == 1 and [each.answered for each in found.questions] == [1, 0, 0, 0]


def test_open_notes_are_listed_with_whose_they_are(bench):
    found = summed(
        bench,
        {"answers": {"own": {"first": " because "}, "which": {"first": "lower", "note": "VGG"}}, "keep": "edges"},
        {"name": "", "keep": "  "},
    )
    assert [each.texts for each in found.questions] == [[("Ada", "VGG")], [], [], [("Ada", "because")]]
    assert found.kept == [("Ada", "edges")]


def test_a_table_has_a_line_for_each_sheet_and_no_formula(bench):
    answers = {"pixels": {"first": -3}, "own": {"first": "=1+1"}, "over": {"first": ["a", "b"]}}
    found = summed(bench, {"name": "@SUM(A1)", "keep": '+"\n'}, {"answers": answers, "name": "-x"})
    first, second = csv.DictReader(io.StringIO(sheet.csv(found)))
    assert list(first)[:6] == ["file", "name", "minutes", "same_as", "other_version", "other_runs"]
    assert (first["name"], first["keep"], second["name"]) == ("'@SUM(A1)", "'+\"", "'-x")
    assert [first[f"which{each}"] for each in ("", "/right", "/sure", "/again", "/again_right")] == [
        "lower", "0", "guess", "higher", "1",
    ]  # fmt: skip
    assert (second["own"], second["pixels"], second["pixels/right"]) == ("'=1+1", "-3", "0")
    assert (second["over"], second["over/right"], second["which"], second["which/right"]) == ("a b", "0", "", "")


# --- the command


@pytest.fixture
def handed_in(bench, tmp_path, monkeypatch):
    """A school's lesson, and a folder with what its class handed in."""
    (tmp_path / "school").mkdir()
    monkeypatch.setenv("SEGLAB_LESSONS", str(tmp_path / "school"))
    (tmp_path / "school" / "l.yaml").write_text(yaml.safe_dump(whole(steps=STEPS, seeds=[0, 1])))
    monkeypatch.chdir(tmp_path)
    (tmp_path / "1.html").write_bytes(page(answered(bench, name="Ada \x1b[31m", keep="edges\x07")))
    (tmp_path / "2.html").write_bytes(page(answered(bench, 2, name="Bob")))
    (tmp_path / "there.html").write_bytes(page(answered(bench, 4, lesson="l.camvid", name="Eve")))
    (tmp_path / "x\x1b[31m.html").write_bytes(b"nothing")
    (tmp_path / "other.html").write_bytes(page(answered(bench, 3, lesson="nothing")))
    (tmp_path / "cat.png").write_bytes(b"\x89PNG")
    return tmp_path


def command(capsys, *words):
    with pytest.raises(SystemExit) as ended:
        cli.main(["lesson", "sheet", *map(str, words)])
    return ended.value.code or 0, *capsys.readouterr()


def test_the_command_counts_what_is_a_sheet_and_tells_what_is_not(capsys, handed_in):
    status, out, err = command(capsys, "1.html", "cat.png", "2.html", "other.html", "--csv", "class.csv")
    assert status == 0 and out.startswith("title: 2\n") and "\x1b" not in out and "\x07" not in out
    assert "cat.png holds no sheet of a lesson" in err and "there is no lesson 'nothing'" in err.lower()
    assert "\nAda  [31m  -+     +" in out and "\n  *   0 ->  2  higher\n" in out
    assert "\n      2 ->  0  lower  (Guess 2, fairly 0, sure 0)\n" in out
    assert "Right at first: 0 of 2\n" in out and "Right after talking: 2 of 2\n" in out and "edges" in out
    lines = list(csv.DictReader((handed_in / "class.csv").open(encoding="utf-8-sig")))
    assert [each["file"] for each in lines] == ["1.html", "2.html"]


def test_the_command_speaks_the_language_that_is_asked_for(capsys, handed_in):
    _, out, err = command(capsys, "1.html", "cat.png", "--lang", "ko")
    assert "어느 것?" in out and "cat.png" in err and "holds no sheet" not in err and "at first" not in out


def test_a_sheet_of_a_lesson_on_other_data_is_read_as_such(capsys, handed_in):
    status, out, err = command(capsys, "there.html", "x\x1b[31m.html", "--csv", "class.csv")
    assert status == 0 and "make them with: seglab lesson make l --data camvid" in out.lower()
    assert "X [31m.html holds no sheet" in err and "\x1b" not in err
    (line,) = csv.DictReader((handed_in / "class.csv").open(encoding="utf-8-sig"))
    assert (line["name"], line["which"], line["which/right"]) == ("Eve", "lower", "")


def test_the_command_refuses_where_nothing_is_a_sheet_and_a_table_of_two_lessons(capsys, handed_in):
    assert command(capsys, "cat.png")[0] == 2
    (handed_in / "school" / "m.yaml").write_text(yaml.safe_dump(whole(steps=STEPS, seeds=[0, 1], name="m")))
    (handed_in / "3.html").write_bytes((handed_in / "2.html").read_bytes().replace(b'"lesson": "l"', b'"lesson": "m"'))
    assert "sheets of several lessons: l, m" in command(capsys, "1.html", "3.html", "--csv", "x.csv")[2]
    assert command(capsys, "1.html", "--csv", "x.txt")[0] == 2
