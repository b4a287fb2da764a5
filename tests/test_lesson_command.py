"""`seglab lesson`: lessons listed, checked, shown, made and shipped from the command line."""

import json
import re
import shutil
import subprocess
import sys

import pytest
import yaml

from seglab import cli, places, plans, runs
from seglab.lessons import files, making
from seglab.lessons.bench import located
from seglab.lessons.text import LANGUAGES
from tests.lessons import images, lesson, measure, put, whole

ASKS = [
    {"kind": "ask", "id": "which", "when": "before", "minutes": 3, "text": {"en": "Which?", "ko": "어느 것?"},
     "measure": {"kind": "difference", "a": "a", "b": "b"},
     "options": [{"key": key, "text": key, "why": f"why {key}"} for key in ("higher", "lower", "none")],
     "tell": {"otherwise": {"en": "by {difference}, not 0.12", "ko": "{difference}만큼"}}},
    {"kind": "ask", "id": "over", "when": "after", "answer": "several", "minutes": 60,
     "text": "Over?", "measure": {"kind": "shape", "of": ["a", "b"], "shape": "rises_after_lowest"},
     "options": [{"key": key, "text": key} for key in ("a", "b", "none")],
     "tell": {"otherwise": {"en": "only English"}}},
    {"kind": "ask", "id": "own", "when": "after", "answer": "text", "text": "Your own words?"},
    {"kind": "compare_with_source", "claims": ["c"]},
]  # fmt: skip
CLAIM = {
    "where": "table 1", "quote": "0.9 and 0.8", "measured": "mean IoU", "figures": {"a": 0.9, "b": 0.8},
    "pairs": [["a", "b"]], "differs": [{"reason": "one_run"}],
}  # fmt: skip


def command(capsys, *words, status=0):
    with pytest.raises(SystemExit) as ended:
        cli.main(["lesson", *map(str, words)])
    told = capsys.readouterr()
    assert (ended.value.code or 0) == status, told.err
    return told.err if status else told.out


@pytest.fixture
def file(tmp_path, monkeypatch):
    """A lesson in a school's own folder."""
    folder = tmp_path / "school"
    folder.mkdir()
    monkeypatch.setenv("SEGLAB_LESSONS", str(folder))
    (folder / "l.yaml").write_text(
        yaml.safe_dump(whole(steps=ASKS, claims={"c": CLAIM}, seeds=[0, 1]), sort_keys=False)
    )
    return folder / "l.yaml"


def test_lessons_are_listed_and_one_that_is_wrong_is_told(capsys, file):
    (file.parent / "m.yaml").write_text("lesson: 1\n")
    with pytest.raises(SystemExit) as ended:
        cli.main(["lesson", "list"])
    told = capsys.readouterr()
    assert not ended.value.code and "m            m.yaml, line 1: name: no value was given" in told.err
    lines = {line.split()[0]: line for line in told.out.splitlines()}
    assert {"a", "l"} <= lines.keys()
    assert re.split(r"\s{2,}", lines["l"]) == ["l", "45 min", "3 questions", "4 runs", "title"]


@pytest.mark.parametrize("by_name", [True, False])
def test_a_check_says_what_is_wrong_what_it_takes_and_how_questions_come_out(capsys, file, by_name, monkeypatch):
    of, name = files.load(file), "l" if by_name else file
    monkeypatch.setattr(plans, "estimate", lambda configs: None)
    out = command(capsys, "check", name)
    assert "without a translation:\n    steps.1.tell.otherwise: ko\n" in out
    assert "numbers typed into what is told:\n    steps.0.tell.otherwise: 0.12\n" in out
    assert (
        "l: 4 steps, 3 questions, 4 runs" in out and "the steps take 63 minutes together, and the lesson has 45" in out
    )
    assert "4 runs are not made yet: seglab lesson make l" in out
    assert "which: the runs of a with seed 0, 1 have not been made yet" in out
    for key, hits in {"a": (50, 52), "b": (80, 82)}.items():
        for seed in (0, 1):
            put(of, key, seed, images(hits[seed]))
    out = command(capsys, "check", name)
    assert (
        "which: higher  (difference 0.3" in out and "over: none  (count 0, of 2)\n" in out and "not made yet" not in out
    )
    assert out.endswith("0 of 2 questions cannot be told apart\n")  # that none is over-fitted is a finding
    put(of, "b", 1, images(20))
    assert command(capsys, "check", name).endswith("1 of 2 questions cannot be told apart\n")


def test_a_lesson_is_shown_in_either_language_with_what_came(capsys, file):
    of = files.load(file)
    before = command(capsys, "show", "l", "--lang", "ko")
    assert "어느 것?" in before and "higher" in before and "0.9 and 0.8" in before
    for key, hits in {"a": (50, 52), "b": (80, 82)}.items():
        for seed in (0, 1):
            put(of, key, seed, images(hits[seed]))
    out = command(capsys, "show", "l")
    size = re.search(r"-> higher: by (0\.\d{3}), not 0\.12", out)
    assert size and "lower: why lower" in out and "title of a: 0.9 there, 0.342 ± 0.0" in out
    assert (
        f"title of a < title of b: found (+{size[1]})" in out
        and "found again: 1" in out
        and "One run of each there" in out
    )
    assert f"-> higher: {size[1]}만큼" in command(capsys, "show", "l", "--lang", "ko")


@pytest.mark.parametrize("name", files.every())
@pytest.mark.parametrize("lang", LANGUAGES)
def test_each_lesson_that_comes_with_seglab_is_shown_to_its_end(capsys, name, lang):
    found = files.find(name)
    out = command(capsys, "show", name, "--lang", lang)
    last = found.steps[-1]
    assert f"{len(found.steps)}. {last.title.of(lang)}" in out
    own = [each.text.of(lang) for claim in found.claims.values() for each in claim.differs if each.reason == "own"]
    assert [text for text in own if f"- {text[:1].upper()}{text[1:]}" not in out and f"- {text}" not in out] == []


def test_a_lesson_is_made_and_shipped(capsys, file, tmp_path, monkeypatch):
    of = files.load(file)
    out = command(capsys, "make", "l", "--seeds", "0")
    assert out.startswith("2 runs to make, of 4\n1/2 l-a-0: ") and "2/2 l-b-0: " in out
    assert "the runs of a with seed 1 have not been made yet" in command(capsys, "ship", "l", status=2)
    assert sorted(path.name for path in file.parent.iterdir()) == ["l.yaml"]
    assert "2 runs to make, of 4\n" in command(capsys, "make", "l", "--only", "g")
    assert command(capsys, "make", "l") == "0 runs to make, of 4\n" and making.jobs(of) == []
    out = command(capsys, "ship", "l")
    packs = ["l-a-0", "l-a-1", "l-b-0", "l-b-1", "shared"]
    assert sorted(path.name for path in file.parent.iterdir() if path.is_dir()) == packs
    count, size = re.match(r"(\d+) files, ([\d.]+) MB, in ", out).groups()
    written = [path for path in file.parent.rglob("*") if path.is_file() and path != file]
    assert int(count) == len(written)
    assert float(size) == pytest.approx(sum(path.stat().st_size for path in written) / 1e6, abs=0.06)
    before = command(capsys, "check", "l")
    shutil.rmtree(runs.home())
    assert located(of, "b", 1) == file.parent / "l-b-1" and command(capsys, "check", "l") == before
    command(capsys, "ship", "l", "--to", tmp_path / "others")
    assert (tmp_path / "others" / "l-b-1" / "evaluation.npz").exists()
    monkeypatch.delenv("SEGLAB_LESSONS")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.copy(file, elsewhere)
    assert "there is no lesson 'l'" in command(capsys, "check", "l", status=2)
    shutil.copytree(file.parent, runs.home() / places.MADE)
    command(capsys, "ship", elsewhere / "l.yaml")
    assert (elsewhere / "l-a-0" / "config.json").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["check", "nope"], "there is no lesson 'nope'; there are: "),
        (["show", "lo"], "there is no lesson 'lo'"),
        (["make", "nope.yaml"], "nope.yaml cannot be read: No such file or directory"),
        (["ship", "nope"], "there is no lesson 'nope'"),
        (["show", "l", "--lang", "fr"], "--lang: invalid choice: 'fr'"),
        (["make", "l", "--only", "h"], "there is no group 'h'; there are: g"),
        (["make", "l", "--seeds", "x"], "--seeds: invalid int value: 'x'"),
        (["sing"], "'sing'"),
        ([], "WHAT"),
        (["check"], "LESSON"),
        (["check", "l", "--x"], "--x"),
        (["check", "wrong.yaml"], "wrong.yaml, line 1: name: no value was given"),
    ],
)
def test_a_persons_mistake_is_told_in_one_line(capsys, file, words, told, monkeypatch):
    monkeypatch.chdir(file.parent)
    (file.parent / "wrong.yaml").write_text("lesson: 1\n")
    err = command(capsys, *words, status=2)
    assert err.startswith("seglab: ") and err.count("\n") == 1 and told in err


def test_a_lesson_whose_options_are_unknown_is_told(capsys, file):
    data = whole({"a": {"title": "a", "set": {"model.widht": 4}}})
    file.write_text(json.dumps(data))
    for what in ("check", "make", "ship"):
        err = command(capsys, what, "l", status=2)
        assert "widht" in err and err.count("\n") == 1


def test_the_command_does_not_wait_for_the_page():
    script = "import sys; from seglab import cli; cli.parser(); sys.exit('gradio' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


def test_a_measure_of_a_lesson_is_the_one_that_the_command_prints(capsys, file):
    assert measure(**ASKS[0]["measure"]) == files.load(file).asks["which"].measure
    assert lesson("ab", seeds=[0, 1]).runs == files.load(file).runs
