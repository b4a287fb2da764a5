"""The format of lessons: what is refused and where, what is never a crash, and the lessons that come with seglab."""

import json
import os
import random
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import yaml

from seglab import places, runs
from seglab.comparison.readings import Reading
from seglab.errors import SeglabError
from seglab.lessons import files, telling
from seglab.lessons.bench import Bench
from seglab.lessons.measures import FromSource
from seglab.lessons.model import OTHERWISE, Ask
from seglab.lessons.text import LANGUAGES
from seglab.lessons.text import places as places_in
from tests.figures import FIGURES
from tests.lessons import bench, images, lesson, put, whole

SHIPPED = sorted(places.LESSONS.glob("*.yaml"))
BEST = """
  - kind: ask
    id: first
    when: before
    text: which
    measure: {kind: best, of: [a, b]}
    options:
      - {key: a, text: a}
      - {key: b, text: b}
      - {key: none, text: none}
    tell:
      a: "{difference} above {second}"
      otherwise: another
"""
HEAD = """lesson: 1
name: l
title: title
goal: goal
source: source
groups:
  g:
    title: group
    base: {data: streets, model: unet}
    settings:
      a: {title: a, set: {epochs: 1}}
      b: {title: b, set: {epochs: 2}}
claims:
  c: {where: w, quote: q, measured: m, figures: {a: 0.5, b: 0.6}, pairs: [[a, b]]}
steps:"""
WHOLE = f"""{HEAD}{BEST}  - {{kind: discuss, text: talk, again: first}}
  - {{kind: show, view: {{view: where, a: a, b: b}}, after: [first]}}
  - {{kind: compare_with_source, claims: [c]}}
"""


def read(text, file="l.yaml"):
    return files.parsed(text if isinstance(text, bytes) else text.encode(), file)


def refusal(text):
    with pytest.raises(SeglabError) as refused:
        read(text)
    return str(refused.value)


def test_a_lesson_is_the_same_as_yaml_as_json_and_from_its_file(tmp_path):
    found = read(WHOLE)
    assert [step.kind for step in found.steps] == ["ask", "discuss", "show", "compare_with_source"]
    assert found.steps[0].tell["a"].of("ko") == "{difference} above {second}"  # a bare string is both languages
    assert files.packed(json.dumps(yaml.safe_load(WHOLE)).encode()) == found
    assert read(json.dumps(yaml.safe_load(WHOLE))) == found  # JSON is YAML
    (tmp_path / "l.yaml").write_text(WHOLE)
    assert files.load(tmp_path / "l.yaml") == found and files.content_hash(found) == files.content_hash(read(WHOLE))
    assert files.content_hash(read(WHOLE.replace("text: talk", "text: Talk"))) != files.content_hash(found)
    assert files.untranslated(found) == [] and files.typed(found) == []


# What is changed in the whole, the line that is told, and what is told of it
WRONG = [
    ("\n      otherwise: another", "", 16, "tell has no text for the outcome b, and none for otherwise"),
    ("{key: b, text: b}", "{key: c, text: b}", 23, "c is no outcome of the measure; outcomes: a, b, none"),
    ("      - {key: none, text: none}\n", "", 16, "there is no option for the outcome none"),
    ("      otherwise: another", "      otherwise: another\n      d: x", 28, "d is no outcome"),
    ("{key: b, text: b}", "{key: a, text: b}", 16, "two options have the same key"),
    ("{second}", "{sceond}", 26, "sceond in braces is not known"),
    ("{second}", "{second:>9999999999}", 26, "second:>9999999999 in braces is not known"),
    ("{second}", "{second!r}", 26, "second!r in braces is not known"),
    ("{second}", "{second.__class__}", 26, "in braces is not known"),
    ("{second}", "{", 26, "a brace of its own is written twice"),
    ("of: [a, b]}", "of: [a, b, z]}\n    other: true", 20, "there is no setting z; there are: a, b"),
    ("a: a, b: b}, after", "a: a, b: z}, after", 29, "there is no setting z"),
    ("figures: {a: 0.5, b", "figures: {z: 0.5, b", 14, "there is no setting z"),
    ("pairs: [[a, b]]", "pairs: [[a, z]]", 14, "there is no setting z"),
    ("a: {title: a, set: {epochs: 1}}", "a: {title: a, begins_with: z}", 11, "there is no setting z"),
    ("a: {title: a, set: {epochs: 1}}", "a: {title: a, begins_with: a}", 11, "a begins with itself"),
    ("a: {title: a, set: {epochs: 1}}", "a: {title: a, of: b}", 11, "of goes with through, reported or seeds"),
    ("a: {title: a, set: {epochs: 1}}", "a: {title: a, of: a, through: [crf]}", 11, "no runs of its own"),
    ("a: {title: a, set: {epochs: 1}}", "a: {title: a, of: b, seeds: [0, 7]}", 11, "no run of its own with the seed 7"),
    ("set: {epochs: 1}", "set: {seed: 1}", 11, "seed cannot be set in a lesson; use seeds"),
    ("model: unet}", "init_from: unet}", 9, "init_from cannot be set in a lesson; use begins_with"),
    ("claims: [c]", "claims: [d]", 30, "there is no claim d; there are: c"),
    ("again: first", "again: second", 28, "there is no question second before it"),
    ("after: [first]", "after: [last]", 29, "there is no question last before it"),
    ("{kind: discuss, text: talk, again: first}", "{kind: run, group: h}", 28, "there is no group h; there are: g"),
    ("{kind: discuss, text: talk, again: first}", "{kind: run, group: g}", 28, "the group g has no quick settings"),
    ("kind: discuss", "kind: tell, of: first}\n  - {kind: discuss", 29, "what came of first is told before the second"),
    ("kind: discuss", "kind: dicsuss", 28, "steps.1: 'dicsuss' is not allowed; allowed: read, ask"),
    ("{kind: discuss, ", "{", 28, "steps.1: no value was given for kind"),
    ("kind: best", "kind: bset", 20, "steps.0.measure: 'bset' is not allowed; allowed: best"),
    ("{kind: best, of: [a, b]}", "{kind: source, claim: d, right: a}", 20, "there is no claim d"),
    ("{kind: best, of: [a, b]}", "{kind: size, a: a, b: b, edges: [1, 1]}", 20, "edges go up"),
    ("of: [a, b]}", "of: [a, b], by: moiu}", 20, "steps.0.measure.by: 'moiu' is not allowed"),
    ("text: talk", "txet: talk", 28, "has no option 'txet'; did you mean 'text'"),
    ("when: before", "when: during", 18, "steps.0.when: 'during' is not allowed; allowed: 'before', 'after'"),
    ("title: title", "title: [title]", 3, "title"),
    ("title: title", "title: ''", 3, "title: a text is empty"),
    ("goal: goal", "goal: {}", 4, "goal: a text is empty"),
    ("goal: goal\n", "", 1, "goal: no value was given"),
    ("lesson: 1", "lesson: 2", 1, "lesson: 2 is not allowed; allowed: 1"),
    ("goal: goal", "goal: goal\ngoal: goal", 5, "'goal' stands twice"),
    ("set: {epochs: 2}", "set: {epochs: 2, epochs: 3}", 12, "'epochs' stands twice"),
    ("goal: goal", "? [goal]\n: goal", 4, "a key is no text"),
    ("goal: goal", "goal: &x goal", 4, "anchors, aliases and tags are not allowed"),
    ("title: title\n", "title: title\nminutes: *x\n", 4, "anchors, aliases and tags are not allowed"),
    ("goal: goal", "goal: !!python/object:os.system {}", 4, "anchors, aliases and tags are not allowed"),
    ("goal: goal", "goal: !include /etc/passwd", 4, "anchors, aliases and tags are not allowed"),
    ("goal: goal", "goal: [", 6, ""),
    ("goal: goal", "goal: \"\0\"", 1, "control characters are not allowed"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "line", "told"), WRONG, ids=[f"{each[2]} {each[3][:40]}" for each in WRONG])
def test_a_mistake_is_told_with_its_line(old, new, line, told):
    assert WHOLE.count(old) >= 1
    found = refusal(WHOLE.replace(old, new, 1))
    assert found.startswith(f"l.yaml, line {line}: ") and told in found


def test_a_setting_stands_for_one_in_the_whole_lesson_and_a_question_too():
    twice = WHOLE.replace("claims:", "  h: {title: h, settings: {c: {title: c},\n    b: {title: b}}}\nclaims:", 1)
    assert refusal(twice).startswith("l.yaml, line 14: two settings are called b")
    again = WHOLE + BEST.lstrip("\n")
    assert refusal(again).startswith("l.yaml, line 32: steps.4: two questions are called first")
    many = HEAD + "".join(BEST.replace("first", f"q{n}") for n in range(13))
    assert "13 questions are too many; allowed: 12" in refusal(many)


def asking(measure, keys):
    options = [{"key": key, "text": key} for key in keys]
    step = {"kind": "ask", "id": "q", "when": "before", "text": "?", "options": options, "measure": measure}
    return files.packed(json.dumps(whole(["a", "none"], steps=[step | {"tell": {"otherwise": "x"}}])).encode())


def test_a_setting_cannot_be_called_as_an_outcome_that_it_could_be_taken_for():
    told = "a setting that is called none cannot be told from the outcome of that name"
    for kind in (
        {"kind": "best", "of": ["a", "none"]},
        {"kind": "shape", "of": ["none"], "shape": "rises_after_lowest"},
    ):
        with pytest.raises(SeglabError, match=told):
            asking(kind, ["a", "none"])
    assert asking({"kind": "difference", "a": "a", "b": "none"}, ["higher", "lower", "none"])


def test_what_is_too_large_too_deep_or_no_text_is_told():
    assert "too large; allowed: 65536" in refusal(b"#" * 65537)
    assert refusal(WHOLE.encode("utf-16")) == "l.yaml is not text in UTF-8"
    deep = "goal: " + "[" * 25 + "]" * 25
    assert "nested too deeply; allowed: 24 levels" in refusal(WHOLE.replace("goal: goal", deep))
    for opening in (b"[", b"{a: ", b"- ", b"? "):
        assert "l.yaml" in refusal(opening * 10_000)
        with pytest.raises(SeglabError, match="JSON"):
            files.packed(opening * 10_000)
    for odd in ("2024-99-99", "0b_", "9" * 5000):  # which YAML takes for a date or a number
        assert "l.yaml cannot be read" in refusal(f"lesson: {odd}")


def test_a_bomb_of_aliases_is_refused_before_it_is_opened():
    lines = ["a0: &a0 [x, x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30))]
    assert refusal("\n".join(lines)).startswith("l.yaml, line 1: anchors")


def test_no_input_is_anything_but_a_lesson_or_refused():
    rng = random.Random(0)
    texts = [path.read_bytes() for path in SHIPPED] + [WHOLE.encode()]
    pieces = [
        b"[",
        b"{",
        b"}",
        b": ",
        b"- ",
        b"\n",
        b"&a ",
        b"*a",
        b"!!",
        b"<<",
        b"\xff",
        b"\0",
        b"? ",
        b"'",
        b"%",
        b"|",
        b"9",
        b"~",
    ]
    refused = 0
    for trial in range(300):
        content = bytearray(rng.choice(texts) if trial % 3 else rng.randbytes(rng.randrange(200)))
        for _ in range(rng.randrange(1, 4)):
            start = rng.randrange(len(content) + 1)
            content[start : start + rng.randrange(3)] = rng.choice([*pieces, rng.randbytes(2)])
        for reader in (read, files.packed):
            try:
                reader(bytes(content))
            except SeglabError as error:
                refused += 1
                assert str(error)
    assert refused > 300


def test_data_of_any_shape_is_a_lesson_or_refused():
    rng = random.Random(1)
    odd = [None, True, 0, -1, 1e400, "x", "a", [], {}, [[]], {"kind": "best"}, {"a": {"b": None}}, "=", "{", 10**30]

    def changed(value):
        if rng.random() < 0.03:
            return rng.choice(odd)
        if isinstance(value, dict):
            found = {name: changed(each) for name, each in value.items() if rng.random() > 0.01}
            return found | (
                {rng.choice(["kind", "of", "through", "x"]): rng.choice(odd)} if rng.random() < 0.02 else {}
            )
        return [changed(each) for each in value] if isinstance(value, list) else value

    refused = 0
    for path in SHIPPED:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
        for _ in range(60):
            try:
                files.packed(json.dumps(changed(data)).encode())
            except SeglabError as error:
                refused += 1
                assert str(error)
    assert refused > 30 * len(SHIPPED)


def test_a_lesson_of_a_school_is_found_and_takes_no_name_of_seglabs(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_LESSONS", str(tmp_path))
    (tmp_path / "l.yaml").write_text(WHOLE)
    (tmp_path / "a.yaml").write_text(WHOLE)
    assert files.every()["l"] == tmp_path / "l.yaml" and files.every()["a"] == places.LESSONS / "a.yaml"
    assert files.find("l").goal.en == "goal"
    with pytest.raises(SeglabError, match="there is no lesson 'm'"):
        files.find("m")
    with pytest.raises(SeglabError, match=r"the lesson's name is l; it has to be the file's"):
        files.load(tmp_path / "a.yaml")
    changed = WHOLE.replace("goal: goal", "goal: Goal")
    (tmp_path / "l.yaml").write_text(changed)
    os.utime(tmp_path / "l.yaml", ns=(1, 1))
    assert files.find("l").goal.en == "Goal"
    with pytest.raises(SeglabError, match=r"m.yaml cannot be read: No such file"):
        files.load(tmp_path / "m.yaml")


def test_a_settings_configuration_is_the_groups_base_with_its_own():
    of = lesson({"a": {"title": "a", "set": {"model": "segnet", "optimizer.lr": 2e-5}}, "b": {"title": "b"}})
    a, b = of.config("a", 3), of.config("b", 0)
    assert (a.model.name, a.seed, a.optimizer.lr, a.image_size) == ("segnet", 3, 2e-5, 64)  # without unet's width
    assert (b.model.name, b.model.width, b.seed) == ("unet", 4, 0)
    with pytest.raises(SeglabError, match="widht"):
        lesson({"a": {"title": "a", "set": {"model.widht": 4}}}).config("a", 0)


def test_a_run_that_others_begin_with_comes_before_them():
    settings = {
        "c": {"title": "c", "begins_with": "b", "seeds": [1]},
        "b": {"title": "b", "begins_with": "a", "seeds": [0]},
        "a": {"title": "a", "seeds": [0]},
        "d": {"title": "d", "of": "a", "through": ["flips"]},
        "e": {"title": "e", "run": "unet"},
    }
    of = lesson(settings)
    assert of.runs == [("a", 1), ("b", 1), ("c", 1), ("a", 0), ("b", 0)]
    assert of.config("c", 1).init_from == Path("l-b-1") and of.seeds("d") == (0,) and of.seeds("e") == ()


def test_only_what_fits_is_told_and_what_was_not_measured_is_a_dash():
    options = [{"key": key, "text": key, "why": "{best} or {count}"} for key in ("a", "b", "none")]
    ask = {
        "kind": "ask", "id": "q", "when": "before", "text": "?", "options": options,
        "measure": {"kind": "best", "of": ["a", "b"]}, "tell": {"b": "{best}: {difference}", "otherwise": "{{other}}"},
    }  # fmt: skip
    of = bench({"a": (50, 51), "b": (80, 81)}, steps=[ask])
    found = telling.result(of, of.lesson.asks["q"], "ko")
    size = of.difference("a", "b", "miou").size
    assert (found["tell"], found["right"], found["why"]["a"]) == (f"b: {size:.3f}", ["b"], "b or –")
    of = bench({"a": (80, 81), "b": (50, 51)}, steps=[ask])
    assert telling.result(of, of.lesson.asks["q"], "en")["tell"] == "{other}"


CLAIM = {
    "where": "w", "quote": "q", "measured": "m", "figures": {"a": 0.9, "b": 0.8},
    "pairs": [["a", "b"], ["b", "a"], ["a", "c"]],
    "differs": [{"reason": "other_miou", "of": "a", "definition": "images"}, {"reason": "data", "there": "photos"}],
}  # fmt: skip


def test_a_documents_pairs_are_found_again_turned_or_open():
    of = bench({"a": (50, 51, 53), "b": (80, 81, 83), "c": (51, 53, 50)}, claims={"c": CLAIM})
    claim = of.lesson.claims["c"]
    assert [each.state for each in telling.tested(of, claim)] == [telling.FOUND, telling.TURNED, telling.OPEN]
    assert str(telling.summed(telling.tested(of, claim))).endswith("found again: 1, the other way round: 1, open: 1")
    first, *_, last = telling.figures(of, claim)
    assert (first.key, first.there, first.seeds, last.key, last.there) == ("a", 0.9, 3, "c", None)
    assert first.deviation == pytest.approx(np.std([50 / 150, 51 / 149, 53 / 147], ddof=1))
    reasons = [str(telling.why(of, each, "en")) for each in claim.differs]
    assert "counted that way a has 0.345 here instead of 0.345" in reasons[0]
    assert reasons[1] == "other images: photos there, drawn streets here"


# --- those that come with seglab


def numbers(text):
    return {float(each) for each in re.findall(r"(?<![\w.])\d+\.\d+", text)}


@pytest.fixture(params=SHIPPED, ids=lambda path: path.stem)
def shipped(request):
    return files.load(request.param)


def test_there_are_lessons():
    assert SHIPPED and {path.stem for path in SHIPPED} <= FIGURES.keys()


def test_every_text_is_in_every_language(shipped):
    assert files.untranslated(shipped) == [] and files.typed(shipped) == []
    for place, text in files.texts(shipped):
        assert {*places_in(text.en)} == {*places_in(text.ko)}, place
        if re.search(r"\b(the|is|of|with)\b", text.en):
            assert re.search("[가-힣]", text.ko), place


def test_every_outcome_has_words_and_every_setting_can_be_trained(shipped):
    for ask in shipped.asks.values():
        if ask.measure and ask.measure.outcomes:
            assert all(key in ask.tell or OTHERWISE in ask.tell for key in ask.measure.outcomes)
    for key, seed in shipped.runs:
        assert shipped.config(key, seed).seed == seed
    assert sum(step.minutes for step in shipped.steps) <= shipped.minutes
    questions = [step for step in shipped.steps if isinstance(step, Ask)]
    assert any(step.when == "before" for step in questions) and any(step.when == "after" for step in questions)


def test_every_figure_of_a_document_is_the_documents(shipped):
    known = set().union(*map(numbers, FIGURES[shipped.name]))
    percents = {each / 100 for each in known}
    for claim in shipped.claims.values():
        for figure in claim.figures.values():
            assert any(figure == pytest.approx(each, abs=1e-9) for each in known | percents), figure
        for language in LANGUAGES:
            assert numbers(claim.quote.of(language)) <= known


def test_the_figures_are_those_of_the_documents_that_are_at_hand():
    original = Path(os.environ.get("SEGLAB_DATA") or "/nowhere").parent / "SOURCES.md"
    if not original.exists():
        pytest.skip("the documents' own list is not here")
    known = numbers(original.read_text(encoding="utf-8"))
    assert all(numbers(sentence) <= known for each in FIGURES.values() for sentence in each)


def written(of, seed=0):
    """A lesson with runs that are made up: what each setting scores is drawn at random."""
    rng = np.random.default_rng(seed)
    classes = ["road", "pole", "sign", "sky"]
    for key, each in of.settings.items():
        for number in of.seeds(key) if each.trained else ():
            right = rng.integers(30, 90)
            matrices = np.zeros((IMAGES, 4, 4), np.int64)
            labels = []
            truth = np.repeat(np.arange(4, dtype=np.uint8), 100).reshape(20, 20)
            for n in range(IMAGES):
                wrong = rng.random((20, 20)) * 100 > right + rng.integers(-8, 8)
                labels.append(np.where(wrong, (truth + 1) % 4, truth).astype(np.uint8))
                np.add.at(matrices[n], (truth.ravel(), labels[-1].ravel()), 1)
            losses = [(float(a), float(b)) for a, b in rng.uniform(1, 2, (5, 2))]
            put(of, key, number, matrices, losses, classes=classes, maps=([truth] * IMAGES, labels))
    for key, each in of.settings.items():
        for reading in Bench(of).side(key).readings if each.of else ():
            base = Reading(reading.directory)
            reading.file.parent.mkdir(parents=True, exist_ok=True)
            matrices = base.confusions()
            moved = np.minimum(matrices, rng.integers(0, 3)) * (1 - np.eye(matrices.shape[1], dtype=np.int64))
            matrices = matrices - moved + np.stack([np.diag(each.sum(1)) for each in moved])
            maps = {f"{n}": base.labels(n) for n in range(len(matrices))}
            np.savez(reading.file, val=matrices, chain=np.array("x"), **maps)
    return Bench(of)


IMAGES = 20


@pytest.mark.parametrize("seed", [0, 1])
def test_whatever_comes_out_is_told_with_numbers_in_every_place(shipped, seed, monkeypatch):
    """On made-up runs, so that a lesson can be surprised: no text waits for the outcome that its author saw."""
    monkeypatch.setattr(places, "LESSONS", Path("nowhere"))
    of = written(shipped, seed)
    keys = set()
    for name, ask in shipped.asks.items():
        if ask.measure is None:
            continue
        for language in LANGUAGES:
            found = telling.result(of, ask, language)
            keys.add((name, found["outcome"]))
            assert found["tell"] and "–" not in found["tell"] and "{" not in found["tell"], (name, found)
            assert found["outcome"] in (ask.measure.outcomes or (found["outcome"],))
            assert found["number"] is not None or found["right"] or ask.other
    for claim in shipped.claims.values():
        assert len(telling.tested(of, claim)) == len(claim.pairs)
        assert all(str(telling.why(of, each, "ko")) for each in claim.differs)


def copied(of, folder):
    """A lesson's shipped runs, in a folder where they can be changed."""
    for key, seed in of.runs:
        source = places.LESSONS / f"{of.name}-{key}-{seed}"
        if source.is_dir():
            shutil.copytree(source, folder / source.name)
    shutil.copytree(places.LESSONS / "shared", folder / "shared")


def spoil(directories):
    """Every pixel that was right is now taken for the next class."""
    for directory in directories:
        with np.load(directory / "evaluation.npz") as stored:
            matrices = stored["val"].astype(np.int64)
        np.savez(directory / "evaluation.npz", val=np.roll(matrices, 1, 2))


def test_a_shipped_score_that_is_changed_turns_what_is_told(runs_home, monkeypatch):
    of = files.find("a")
    copied(of, runs_home / places.MADE)
    monkeypatch.setattr(places, "LESSONS", Path("nowhere"))

    def told(name):
        return telling.result(Bench(of), of.asks[name], "en")

    before = {name: told(name) for name in ("best", "better", "gained")}
    spoil(Bench(of).directories("case3"))
    after = told("better")
    assert after["right"] == ["higher"] != before["better"]["right"] and after["tell"] != before["better"]["tell"]
    for key in ("case2", "case4"):
        spoil(Bench(of).directories(key))
    after = told("best")
    assert after["right"] == ["case1"] != before["best"]["right"] and after["tell"].startswith(
        "**plain encoder-decoder"
    )
    assert told("gained")["outcome"] != before["gained"]["outcome"]


def test_only_questions_on_a_documents_own_figures_have_fixed_answers(shipped):
    fixed = [ask for ask in shipped.asks.values() if isinstance(ask.measure, FromSource)]
    assert len(fixed) <= 2 < len(shipped.asks)


def test_a_run_of_a_lesson_is_found_by_its_name_and_is_in_no_list(runs_home):
    of = lesson("ab", seeds=[0])
    directory = put(of, "a", 0, images(50))
    assert runs.find("l-a-0") == directory == runs.of_lesson("l-a-0") and directory not in runs.every()
    assert runs.of_lesson("l-b-0") is None and runs.of_lesson("../l-a-0") is None
