"""A score of 0 is a number wherever scores are read, and only one that is not known is a dash."""

import io
import json
import re
from contextlib import redirect_stderr

import pytest

from seglab import runs
from seglab.cli import main
from seglab.cli.show import follow
from seglab.comparison.scores import compare
from seglab.events import Evaluated, Finished
from seglab.ui.parts import scores, viewer
from tests.conftest import finish, tiny
from tests.page import Request, heard, latest, row


def scored(name, miou, **options):
    """A finished run whose every mIoU, IoU and accuracy is this one, and whose losses and times are 0."""
    directory = finish(runs.create(tiny(epochs=1, **options), name))
    events = []
    for event in runs.events(directory):
        change = {"seconds": 0.0}
        if isinstance(event, Evaluated):
            same = {"miou": miou, "pixel_accuracy": miou, "loss": 0.0}
            same["iou"] = [miou] * len(event.scores["val"].iou)
            same["terms"] = dict.fromkeys(event.scores["val"].terms, 0.0)
            scores = {part: score.model_copy(update=same) for part, score in event.scores.items()}
            change |= {"scores": scores, "images_per_second": 0.0}
        if isinstance(event, Finished):
            change |= {"search_miou": 0.0, "val_miou": miou}
        events.append(event.model_copy(update=change))
    (directory / "events.jsonl").unlink()
    for event in events:
        runs.append(directory, event)
    return directory


@pytest.mark.parametrize("miou, text", [(0.0, "0.0000"), (None, "-"), (0.25, "0.2500")])
def test_the_command_line_tells_a_score_of_zero(miou, text, monkeypatch, capsys):
    directory = scored("mine", miou)
    known = runs.events(directory)
    monkeypatch.setattr(runs, "work", lambda *_, **__: iter(known))
    with redirect_stderr(io.StringIO()) as told:
        assert follow(directory, "cpu", 1) == 0
    assert f"completed after 0 s, best validation mIoU {text} after epoch 1\n" in told.getvalue()
    for command in (["compare", "mine"], ["runs"]):
        with pytest.raises(SystemExit):
            main(command)
        line = next(line for line in capsys.readouterr().out.splitlines() if line.startswith(("mine", "unet  ")))
        assert re.search(rf"(?<![\d.]){re.escape(text)}(?![\d.])", line), line
    with pytest.raises(SystemExit):
        main(["compare", "mine", "--json"])
    assert json.loads(capsys.readouterr().out)["runs"][0]["miou"] == miou


def test_a_run_that_was_never_evaluated_has_no_best_epoch_to_tell_of(monkeypatch):
    directory = scored("mine", 0.0)
    ended = Finished(step=1, seconds=2.0, reason="budget")
    monkeypatch.setattr(runs, "work", lambda *_, **__: iter([ended]))
    with redirect_stderr(io.StringIO()) as told:
        follow(directory, "cpu", 1)
    assert told.getvalue().endswith("seglab: budget after 2 s\n")


@pytest.mark.parametrize("miou, three, two", [(0.0, "0.000", "0.00"), (None, "–", "–")])
def test_the_page_tells_a_score_of_zero(miou, three, two):
    directories = [scored(f"run {seed}", miou, seed=seed) for seed in (0, 1)]
    assert [row(directory)["miou"] for directory in directories] == [miou, miou]
    board = scores.html(directories, "en")
    rows = re.findall(r'<tr><th scope="row"><span.*?</tr>', board, re.S)
    first = re.findall(r'<td class="n">(?:<b>)?([^<]*)', rows[0])
    assert first[:2] == [three, three] and first[3:] == ["0", "0.0", "1"]  # seconds, images per second, best epoch
    assert f">{two}</td>" in board and ("Mean over seeds" in board)
    mean = re.search(r'<td class="n">2</td><td class="n">(.*?)</td>', board)
    assert miou is None or mean[1] == three
    assert f"{0.0:.3g} × 1 = 0" in board  # the loss's terms


def test_the_best_of_several_zeros_is_marked_and_spreads_by_zero():
    board = scores.html([scored("a", 0.0), scored("b", 0.0, seed=1)], "en")
    assert board.count("<b>0.000</b>") == 2
    group = compare([runs.find("a"), runs.find("b")]).groups[0]
    assert (group.count, group.mean, group.deviation) == (2, 0.0, 0.0)


@pytest.mark.parametrize("miou", [0.0, None])
def test_an_image_s_score_of_zero_is_sent_as_a_number(miou, monkeypatch):
    scored("mine", 0.5)
    monkeypatch.setattr(viewer, "picture_miou", lambda *_: miou)
    (result,) = heard(viewer.predict(latest(runs=["mine"]), Request()))["results"]
    assert result["scores"] == [miou, miou]


def test_a_run_ended_by_another_process_tells_its_best_so_far():
    directory = scored("mine", 0.0)
    known = runs.events(directory)
    ended = runs.ending(directory, "failed")
    assert ended == known[-1].model_copy(update={"reason": "failed", "step": ended.step})
