"""Runs of networks of others: beside one's own, counted over the same pixels and classes, on the page too."""

import json
import re
import shlex
import shutil

import numpy as np
import pytest

from seglab import adopting, api, cli, prediction, runs
from seglab.adopting.names import KNOWN
from seglab.comparison import cautions, compare, speed
from seglab.comparison.grids import grid
from seglab.comparison.pairs import pair_of
from seglab.comparison.readings import Reading
from seglab.config import RunConfig
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.metrics import miou
from seglab.predictors import Flips
from seglab.travel import take
from seglab.travel.commands import command
from seglab.ui.board import BOARD
from seglab.ui.parts import findings, lab, scores, travel, viewer
from tests.conftest import finish
from tests.page import Request, heard, latest


def own(**options):
    """A finished run that was trained here."""
    return finish(runs.create(RunConfig(**options)))


STREETS = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}


@pytest.fixture
def network_run(saved):
    adoption = adopting.prepared(str(saved("segformer")), STREETS, name="other")
    list(adoption.write())
    return adoption


def test_a_run_of_a_network_is_finished_and_loads_offline(network_run, saved):
    directory = network_run.directory
    assert runs.status(directory).state == "completed" and runs.find("other") == directory
    assert json.loads((directory / "config.json").read_text()) == network_run.config.model_dump(mode="json")
    trained = runs.load("other")
    sample = runs.opened(directory).val[3]
    (labels,) = prediction.labeled(trained, sample, [()])
    assert np.array_equal(labels, runs.Evidence(directory).labels(3))
    assert trained.unknown == (3, 6, 8, 9, 10)  # marking, fence, person, pole, sign
    said = "\n".join(str(note.error()) for note in runs.events(directory)[0].notes)
    assert "scored on 6 of 11 classes; it does not know marking, fence, person, pole, sign" in said
    assert re.search(r"no class of the data in \d+\.\d % of the pixels", said)
    assert command(runs.config(directory)).startswith("seglab adopt segformer --data streets")
    (directory / "weights.safetensors").write_bytes(b"\0" + (directory / "weights.safetensors").read_bytes()[1:])
    with pytest.raises(SeglabError, match="are damaged"):
        runs.load("other")


def test_its_score_counts_what_is_void_as_missed(network_run):
    evidence = runs.Evidence(network_run.directory)
    hits, union = np.zeros(11), np.zeros(11)
    for n in range(len(evidence.names)):
        truth, labels = evidence.truth(n), evidence.labels(n)
        counted = (truth != VOID) & ~np.isin(truth, evidence.unknown)
        for k in range(11):
            hits[k] += (counted & (truth == k) & (labels == k)).sum()
            union[k] += (counted & ((truth == k) | (labels == k))).sum()
    known = [k for k in range(11) if union[k]]
    assert (np.isin(evidence.labels(0), [*range(11), VOID])).all() and set(known).isdisjoint(evidence.unknown)
    assert runs.last_word(network_run.directory).val_miou == pytest.approx(np.mean(hits[known] / union[known]))


def test_both_sides_are_counted_over_the_same_pixels_and_classes(network_run):
    mine = own(data=STREETS, model={"name": "unet", "width": 4, "depth": 2}, image_size=64, epochs=1)
    directories = [network_run.directory, mine]
    comparison = compare(directories)
    assert comparison.left_out == ("marking", "fence", "person", "pole", "sign")
    assert any("marking, fence, person, pole, sign" in str(each) for each in cautions(comparison))
    pair = pair_of(comparison, directories)
    first, second = pair.matrices
    assert np.array_equal(first[0].sum(2), second[0].sum(2))  # the same pixels of each class
    assert pair.verdict.difference == pytest.approx(comparison.rows[1].miou - comparison.rows[0].miou)
    unknown = runs.Evidence(network_run.directory).unknown
    for truth, a, b in pair.images():
        assert not np.isin([truth, a, b], unknown).any()
    counts = pair.agreement.counts.sum(0)
    assert counts.sum() == first[0].sum()
    assert counts[0] + counts[1] == np.trace(first[0].sum(0))
    assert counts[0] + counts[2] == np.trace(second[0].sum(0))
    assert [sum(each.pixels) for each in pair.borders] == [first[0].sum()] * 2
    for each, matrix in zip(pair.borders, (first, second), strict=True):
        assert np.array_equal(each.bands.sum(0), matrix[0].sum(0))
    assert pair.definitions()[0]["absent_as_zero"] <= pair.definitions()[0]["absent_as_one"]
    assert "seed" not in str(pair.verdict.sentences[0]) and "was not trained here" in str(pair.verdict.sentences[1])


def test_a_network_is_compared_with_each_seed_of_the_other_side(network_run):
    options = {"data": STREETS, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "epochs": 1}
    directories = [network_run.directory, *(own(**options, seed=seed) for seed in range(3))]
    comparison = compare(directories)
    found = pair_of(comparison, directories).verdict
    assert found.about == "settings" and len(found.by_seed) == 3
    scores = [row.miou for row in comparison.rows]
    assert found.by_seed == pytest.approx([score - scores[0] for score in scores[1:]])
    assert found.variances.of(10_000)[0] < found.variances.of(3)[0]


def test_it_does_not_leave_this_machine_nor_come_from_another(network_run, tmp_path, monkeypatch):
    with pytest.raises(SeglabError, match="the weights of other are those of segformer"):
        take(network_run.directory, tmp_path / "other.zip")
    monkeypatch.setattr("seglab.runs.shipping.refuse_adopted", lambda *_: None)  # of another program, say
    runs.ship(network_run.directory, tmp_path / "other")
    shutil.make_archive(str(tmp_path / "other"), "zip", tmp_path, "other")
    with pytest.raises(SeglabError, match=r"the weights of other\.zip are those of segformer and do not leave"):
        runs.bring(tmp_path / "other.zip")


def test_a_run_may_learn_from_its_labels(network_run):
    technique = {"name": "pseudo_labels", "teacher": str(network_run.directory), "labeled": 0.5, "confidence": 0.0}
    config = {"data": STREETS, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "epochs": 1}
    assert runs.status(own(**config, techniques=[technique])).state == "completed"


MINE = {"data": STREETS, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "epochs": 1}


def test_it_is_read_through_predictors_like_any_run(network_run):
    reading = Reading(network_run.directory, (Flips(),))
    list(reading.compute())
    plain = Reading(network_run.directory).confusions()
    assert reading.confusions().shape == plain.shape == (12, 11, 12)
    assert np.array_equal(reading.confusions().sum((0, 2)), plain.sum((0, 2)))
    scored = api.load("other").evaluate(predictors="flips", progress=False)
    assert scored.miou == pytest.approx(miou(reading.confusions().sum(0)))
    voted = prediction.predict(runs.load("other"), np.zeros((64, 64, 3), np.uint8), others=[runs.load("other")])
    assert voted.probabilities.shape == (12, 64, 64) and np.allclose(voted.probabilities.sum(0), 1, atol=1e-5)


def test_the_scoreboard_and_the_grid_have_parameters_and_no_training_of_it(network_run):
    directories = [network_run.directory, own(**MINE), own(**MINE | {"model": "encoder_decoder"})]
    comparison = compare(directories)
    first = comparison.rows[0]
    assert (first.seconds, first.images_per_second, first.best_epoch) == (None, None, None)
    assert first.parameters == network_run.network.parameters and first.void > 0
    assert {option: values[0] for option, values in comparison.differences.items()} == {"model": "segformer"}
    assert all(not points[0][0] for points in comparison.curves.values())
    found = grid(comparison, directories)
    assert found.trained == [1, 2] and found.settings[0].costs["seconds"] is None
    assert any("scored without classes" in str(note) for note in found.notes)
    for place, against in enumerate(found.against):
        if against and against.difference is not None:
            assert against.difference == pytest.approx(found.settings[place].mean - found.settings[found.best].mean)
    html = scores.html(directories, "en")
    assert "adopted" in html and "Prediction (ms per image)" in html
    assert all(time > 0 for time in speed.milliseconds(directories))


def test_the_page_marks_it_and_says_what_is_left_out(network_run):
    mine = own(**MINE)
    BOARD.look()
    row = BOARD.rows["other"].told
    assert (row["origin"], row["model"], row["state"], row["what"]) == ("segformer", "segformer", "completed", "")
    assert mine in travel.finished() and network_run.directory not in travel.finished()
    answer = heard(viewer.predict(latest(number=1, runs=["other", mine.name]), Request("en")))
    other, unet = answer["results"]
    assert other["without"] == unet["without"] == ["marking", "fence", "person", "pole", "sign"]
    assert other["void"][0] > 0 and unet["void"] is None
    both = lab.asked([network_run.directory, mine], "other", mine.name)
    why = findings.why(both, "en")
    assert "no class" in why and not re.search(r'scope="row">.{0,80}marking', why)
    assert "was not trained here: there are no other seeds of it" in findings.real(both, "en")
    classes = len(both.pair.classes)
    cells = [(truth == 1) & ((a == VOID) ^ (b == VOID)) for truth, a, b in both.pair.images()]
    assert findings.in_cell(both, 1, classes) == [int(each.sum()) for each in cells] and any(map(np.any, cells))
    with pytest.raises(SeglabError, match=f"there is no class {classes + 1}"):
        findings.in_cell(both, 1, classes + 1)


def test_the_command_shows_what_becomes_of_classes_before_it_computes(saved, tmp_path, capsys):
    given = ["adopt", str(saved("segformer")), "--data", "streets", "--data.val_images", "4", "--data.size", "64"]
    with pytest.raises(SystemExit) as ended:
        cli.main([*given, "--dry-run"])
    out = capsys.readouterr().out
    assert ended.value.code == 0 and not list(runs.home().glob("*"))
    assert re.search(r"pavement +sidewalk \(another name\)", out) and "void (1 of its 7 classes): cabinet" in out
    table = re.search(r'--classes "(.*)"', out)[1]
    with pytest.raises(SystemExit) as ended:
        cli.main([*given, "--name", "by_table", "--classes", table])
    assert ended.value.code == 0 and capsys.readouterr().out.strip().endswith("by_table")
    assert "--classes" in command(runs.config(runs.find("by_table")))
    with pytest.raises(SystemExit) as ended:
        cli.main([*given, "--name", "by_table"])
    assert ended.value.code == 2 and "already exists" in capsys.readouterr().err


def test_the_command_in_a_report_makes_the_same_run(saved, monkeypatch):
    monkeypatch.chdir(saved("segformer").parent)
    given = {"mean": "0.1,0.2,0.3", "std": "0.5,0.5,1", "image_size": RunConfig().image_size}
    names = ("road", "sidewalk", "building", "sky", "tree", "car, van", "cabinet")
    adoption = adopting.prepared("segformer", STREETS, {"car": "car, van", "road": "road"}, names, **given)
    monkeypatch.setitem(KNOWN, "seven", names)
    words = shlex.split(command(adoption.config))
    with pytest.raises(SystemExit, match="0"):
        cli.main([*words[1:], "--name", "again"])
    assert runs.config(runs.find("again")) == adoption.config


def test_python_adopts_too(saved):
    run = api.adopt(saved("segformer"), STREETS, name="other", classes={"road": ["road", "sidewalk"]}, progress=False)
    assert run.state == "completed" and run.scores.miou is not None
    assert run.config.model.table == (2, 2, VOID, VOID, VOID, VOID, VOID)
    assert "other" in repr(api.compare(run, "unet")) and run.predict(np.zeros((64, 64, 3), np.uint8)).labels.shape
