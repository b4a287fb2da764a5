"""The tables of several runs side by side."""

import io
import re

import pytest
from PIL import Image

from seglab import draw, export, plans, runs
from seglab.comparison.scores import compare
from seglab.entry import validated
from seglab.families import Plan
from seglab.ui.parts import scores
from tests.conftest import announced, finish, tiny
from tests.page import done


def table(board, title):
    """What stands below a heading."""
    return board[board.index(f"<h3>{title}</h3>") :].split("</table>")[0]


def test_the_tables_show_what_people_call_the_runs_in_their_colors():
    one, two = done("one"), done("two", seed=3)
    runs.rename(two, "<b>best</b>")
    board = scores.html([one, two], "en")
    assert "<b>best" not in board and board.count("&lt;b&gt;best&lt;/b&gt;") == 4  # in each table
    strokes = [runs.label(each).stroke for each in (one, two)]
    assert len(set(strokes)) == 2
    for stroke in strokes:
        assert board.count(f'<i style="background:{scores.background(stroke)}"') == 4


def test_no_two_of_many_runs_are_drawn_alike():
    assert len({scores.background(stroke) for stroke in range(24)}) == 24
    assert len({tuple(draw.stroke(stroke).values()) for stroke in range(24)}) == 24


def test_only_settings_that_differ_are_shown():
    board = scores.html([done("one"), done("two", seed=3)], "en")
    assert re.findall(r"<code>(\w+)</code>", table(board, "Settings that differ")) == ["seed"]
    assert "same configuration" in scores.html([done("one again"), runs.find("one again")], "en")


def test_the_best_is_marked_only_among_runs_of_the_same_images():
    one, two = done("one"), done("two", seed=3)
    board = scores.html([one, two], "en")
    assert '<td class="n"><b>' in board and "cannot be compared" not in board
    other = done("three", data={"name": "streets", "train_images": 8, "val_images": 6, "size": 64})
    warned = scores.html([one, two, other], "en")
    assert "cannot be compared" in warned and '<td class="n"><b>' not in warned


def test_each_list_of_classes_has_its_table_of_ious():
    unet, vgg = runs.CHECKPOINTS / "unet", done("one")
    assert scores.html([vgg, done("two", seed=1)], "en").count("<h3>IoU by class</h3>") == 1
    content = (vgg / "dataset.json").read_text()
    (vgg / "dataset.json").write_text(content.replace('"sky"', '"heaven"'))
    announced(vgg)
    board = scores.html([unet, vgg, runs.find("two")], "en")
    first, second = [part.split("</table>")[0] for part in board.split("<h3>IoU by class</h3>")[1:]]
    by_class = {"heaven" in each: re.findall(r"</i>([^<]+)</span>", each) for each in (first, second)}
    assert by_class == {True: ["one"], False: ["unet", "two"]}


def test_a_run_without_a_score_is_among_the_others_with_dashes():
    waiting = runs.create(tiny(), "waiting")
    board = scores.html([done("one"), waiting], "en")
    (row,) = re.findall(r"<tr><th[^>]*>(?:(?!</tr>).)*waiting.*?</tr>", table(board, "Scoreboard"), re.DOTALL)
    assert row.count(">–<") == 5 and ">waiting<" in row.replace(
        "</span>", "<"
    )  # mIoU, accuracy, parameters, rate, epoch


def test_the_terms_of_losses_with_several_are_shown_apart_raw_and_weighted():
    one = done("one", loss="cross_entropy")
    assert "Loss terms" not in scores.html([one], "en")
    both = done("sum", loss="cross_entropy + 3*boundary")
    board = scores.html([one, both], "en")
    titles = re.findall(r"<figcaption><code>(\w+)</code> <small>(\w+)", board)
    assert board.count("<svg") == 4
    assert titles == [(term, part) for term in ("cross_entropy", "boundary") for part in ("Training", "Validation")]
    (row,) = compare([both]).rows
    best = [event for event in runs.events(both) if event.kind == "evaluated" and event.best][-1].scores["val"]
    assert {name: value for name, (value, _) in row.terms.items()} == best.terms
    assert sum(value * weight for value, weight in row.terms.values()) == pytest.approx(best.loss, rel=1e-5)
    value, weight = row.terms["boundary"]
    assert weight == 3 and f"{value:.3g} × 3 = {3 * value:.3g}" in board
    found = compare([one, both])
    assert found.curves["val boundary"][0] == ([], []) and found.curves["val boundary"][1][0] == [1, 2]


def planned(options, name):
    plan = validated(Plan, options)
    path = plans.create(plan, *plans.laid_out(plan, [tiny(epochs=1)], name))
    return [finish(directory) for directory, _ in plans.members(path)]


def test_means_over_seeds_are_shown_beside_the_scores_and_leaks_are_told():
    seeds = planned({"name": "seeds", "count": 2}, "seeds")
    assert "Mean over seeds or folds" in scores.html(seeds, "en")
    folds = planned({"name": "folds", "k": 2, "leak_by_mistake": True}, "folds")
    assert "too high" in scores.html(folds, "en")


def test_a_damaged_run_is_told_and_the_others_go_on():
    one, torn = done("one"), done("torn", seed=1)
    lines = (torn / "events.jsonl").read_bytes().splitlines(keepends=True)
    (torn / "events.jsonl").write_bytes(b"".join([*lines[:2], b"?\n", *lines[2:]]))
    board = scores.html([one, torn], "en")
    assert "torn/events.jsonl is damaged: line 3 cannot be read" in board
    assert ">one</span>" in board and ">torn</span>" not in board
    alone = scores.html([torn], "ko")
    assert "torn/events.jsonl" in alone and "<table" not in alone


def test_there_is_a_button_for_each_run_that_is_over_where_files_can_be_made(monkeypatch):
    over, going = done("over"), runs.create(tiny(seed=5), "going")
    stream = runs.work(going)
    while not (going / "weights.safetensors").exists():
        next(stream)
    for available, pressable in ((True, ["over"]), (False, [])):
        monkeypatch.setattr(export, "available", lambda available=available: available)
        scores.written.cache_clear()
        board = scores.html([over, going], "en")
        assert re.findall(r'<button class="act" data-run="(\w+)"', board) == pressable
        assert ("Export" in board) == available
    scores.written.cache_clear()
    stream.close()


def test_what_is_shown_changes_with_the_runs_and_their_names_and_is_kept_otherwise(monkeypatch):
    directory, made = done("one"), []
    monkeypatch.setattr(scores, "compare", lambda given: made.append(given) or compare(given))
    scores.compared.cache_clear()
    first = scores.html([directory], "en")
    assert scores.html([directory], "en") is first and len(made) == 1
    runs.rename(directory, "another")
    assert "another" in scores.html([directory], "en") and len(made) == 1  # nothing is read again for a name
    scores.html([directory], "ko")
    assert len(made) == 1


def test_the_picture_has_the_runs_own_names(monkeypatch):
    one, two = done("one"), done("two", seed=1)
    runs.rename(two, "mine")
    seen, whole = [], draw.curves
    monkeypatch.setattr(draw, "curves", lambda *given: seen.append(given) or whole(*given))
    with Image.open(io.BytesIO(scores.png([one, two]))) as image:
        assert image.format == "PNG"
    ((comparison, strokes),) = seen
    assert comparison.labels == ("one", "mine") and strokes == [runs.label(each).stroke for each in (one, two)]
