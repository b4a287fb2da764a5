"""Runs as tables: read back by Python's csv and by pandas, and held against the runs' own events."""

import csv
import io

import pandas
import pytest

from seglab import runs
from seglab.comparison import compare
from seglab.comparison.tables import ENCODING, cell, curves_csv, scores_csv
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started, Stepped
from tests.conftest import finish, tiny


def read(text):
    return list(csv.DictReader(io.StringIO(text)))


def events(directory, kind):
    return [event for event in runs.events(directory) if isinstance(event, kind)]


def test_every_event_is_a_line_with_its_own_numbers():
    unet = runs.find("unet")
    lines, told = read(curves_csv(unet)), runs.events(unet)
    assert [line["event"] for line in lines] == [event.kind for event in told]
    assert [int(line["step"]) for line in lines] == [event.step for event in told]
    assert [float(line["seconds"]) for line in lines] == [event.seconds for event in told]
    assert {line["run"] for line in lines} == {"unet"}
    stepped = [line for line in lines if line["event"] == "stepped"]
    assert [float(line["step/loss"]) for line in stepped] == [event.loss for event in events(unet, Stepped)]
    assert [float(line["lr"]) for line in stepped] == [event.lr for event in events(unet, Stepped)]
    assert [float(line["step/loss/dice"]) for line in stepped] == [e.terms["dice"] for e in events(unet, Stepped)]
    assert all(line["val/miou"] == "" for line in stepped)


@pytest.mark.parametrize("split", ["train", "search", "val"])
def test_every_evaluation_has_each_splits_scores_and_iou_by_class(split):
    unet = runs.find("unet")
    lines = [line for line in read(curves_csv(unet)) if line["event"] == "evaluated"]
    told, classes = events(unet, Evaluated), runs.description(unet)["classes"]
    assert [float(line[f"{split}/miou"]) for line in lines] == [event.scores[split].miou for event in told]
    assert [float(line[f"{split}/loss/dice"]) for line in lines] == [e.scores[split].terms["dice"] for e in told]
    for n, name in enumerate(classes):
        known = [event.scores[split].iou[n] for event in told]
        assert [float(line[f"{split}/iou/{name}"]) for line in lines] == known
    assert [line["best"] for line in lines] == [str(int(event.best)) for event in told]


def test_the_only_term_of_a_loss_has_no_column_of_its_own():
    directory = finish(runs.create(tiny(loss="cross_entropy"), "one"))
    assert len(events(directory, Stepped)[0].terms) == 1
    (columns,) = csv.reader([curves_csv(directory).splitlines()[0]])
    assert "step/loss" in columns and not any("/loss/" in name or "weight" in name for name in columns)


def test_the_weights_of_several_terms_are_told():
    directory = finish(runs.create(tiny(loss="cross_entropy + 0.5*dice"), "two"))
    line = next(line for line in read(curves_csv(directory)) if line["event"] == "stepped")
    total = sum(float(line[f"step/loss/{n}"]) * float(line[f"step/weight/{n}"]) for n in ("cross_entropy", "dice"))
    assert total == pytest.approx(float(line["step/loss"]), rel=1e-6)
    assert float(line["step/weight/dice"]) == 0.5


def test_several_runs_make_one_table_for_pandas():
    names = ["encoder_decoder", "unet"]
    table = pandas.read_csv(io.StringIO(curves_csv(*map(runs.find, names))))
    scored = table[table["event"] == "evaluated"]
    last = {name: scored[scored["run"] == name].iloc[-1]["val/iou/pole"] for name in names}
    for name in names:
        (*_, event) = events(runs.find(name), Evaluated)
        assert last[name] == event.scores["val"].iou[runs.description(runs.find(name))["classes"].index("pole")]
    assert list(dict.fromkeys(table["run"])) == names


def test_a_run_that_has_not_begun_has_no_line():
    assert read(curves_csv(runs.create(tiny(), "waiting"))) == []


def test_a_running_runs_table_holds_what_it_has_reported():
    directory = runs.create(tiny(), "going")
    work = runs.work(directory)
    assert isinstance(next(work), Started) and isinstance(next(work), Stepped)
    assert [line["event"] for line in read(curves_csv(directory))] == ["started", "stepped"]
    work.close()


def test_a_damaged_run_is_named():
    directory = runs.create(tiny(), "broken")
    (directory / "events.jsonl").write_text("{}\n")
    with pytest.raises(SeglabError, match=r"broken/events\.jsonl is damaged"):
        curves_csv(directory)


def test_the_scoreboards_table_says_what_the_comparison_says():
    first = finish(runs.create(tiny(loss="cross_entropy"), "first"))
    second = finish(runs.create(tiny(epochs=1, loss="dice"), "second"))
    compared = compare([first, second])
    lines = read(scores_csv(compared))
    assert [line["run"] for line in lines] == ["first", "second"]
    assert [float(line["val/miou"]) for line in lines] == [row.miou for row in compared.rows]
    assert [float(line["epochs"]) for line in lines] == [2, 1]
    assert [line["config/epochs"] for line in lines] == ["2", "1"]
    assert [line["config/loss"] for line in lines] == ["cross_entropy", "dice"]
    known = compared.rows[0].iou["road"]
    assert lines[0]["val/iou/road"] == ("" if known is None else str(known))


def test_a_file_with_names_in_korean_is_marked_as_utf8(tmp_path):
    text = curves_csv(runs.find("unet")).replace("val/iou/sky", "val/iou/하늘")
    (tmp_path / "curves.csv").write_text(text, encoding=ENCODING)
    assert (tmp_path / "curves.csv").read_bytes().startswith(b"\xef\xbb\xbfrun,")
    assert {"run", "val/iou/하늘"} < {*pandas.read_csv(tmp_path / "curves.csv").columns}  # pandas drops the mark itself


@pytest.mark.parametrize("text", ["=1+1", "+1", "-a", "@a", "\t=1"])
def test_no_text_is_run_as_a_formula(text):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize("value", [-1.5, 0, None, "unet", "val/iou/=a"])
def test_numbers_and_other_texts_stand_as_they_are(value):
    assert cell(value) == value
