"""Settings of the CRF tried on the search images: what is told of them, kept, and gone on with."""

import json
import shutil

import numpy as np
import pytest
from sklearn.metrics import confusion_matrix, jaccard_score

from seglab import cli, crf, prediction, runs
from seglab.cli import options
from seglab.comparison import search
from seglab.comparison.readings import chained
from seglab.comparison.search import Search
from seglab.data.base import Split
from seglab.errors import SeglabError
from seglab.predictors import PUBLISHED, Crf
from tests.page import done

pytestmark = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
DATA = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}
FEW = [Crf(), Crf(w1=0, theta_gamma=2), Crf(w1=5, theta_alpha=5)]


@pytest.fixture
def run(runs_home, monkeypatch):
    monkeypatch.setattr(search, "settings", lambda: FEW)
    return done("one", data=DATA)


def labels(run, setting):
    """Truth and labels of all search images, each pixel one number."""
    trained, images = runs.load(run), runs.opened(run).search
    found = [prediction.predict(trained, each.image, [setting] if setting else []).labels for each in images]
    truth = np.concatenate([each.mask.ravel() for each in images])
    return truth[truth != 255], np.concatenate([each.ravel() for each in found])[truth != 255]


def test_every_setting_is_scored_by_the_summed_matrix_of_the_search_images(run):
    tried = Search(run)
    assert tried.tried() == [] and tried.best() is None
    shares = list(tried.compute())
    assert shares == [(n + 1, 12 * 4) for n in range(12 * 4)]
    found = {each.crf: each.miou for each in tried.tried()}
    assert found.keys() == {None, *FEW}
    for setting, miou in found.items():
        truth, guessed = labels(run, setting)
        there = np.union1d(truth, guessed)
        assert miou == pytest.approx(jaccard_score(truth, guessed, labels=there, average="macro", zero_division=0))
    scores = [each.miou for each in tried.tried()]
    assert scores == sorted(scores, reverse=True)
    assert found[tried.best()] == max(miou for setting, miou in found.items() if setting)
    _, matrices = tried.kept()
    assert (matrices[1] == confusion_matrix(*labels(run, FEW[0]), labels=range(len(matrices[1])))).all()


def test_it_goes_on_where_it_was_stopped_and_is_not_computed_twice(run, monkeypatch):
    tried, asked = Search(run), []
    predict = prediction.predict
    monkeypatch.setattr(prediction, "predict", lambda *given: asked.append(1) or predict(*given))
    for done_, _ in tried.compute():
        if done_ == 5 * 4 + 2:  # in the middle of the sixth image
            break
    assert tried.kept()[0] == 5 and tried.tried() == []
    list(tried.compute())
    assert len(asked) == 12 + 1  # the sixth twice
    first = tried.tried()
    assert list(tried.compute()) == [] and len(asked) == 13
    tried.file.unlink()
    list(tried.compute())
    assert tried.tried() == first
    tried.file.write_bytes(b"damaged")
    assert tried.tried() == [] and tried.kept() == (0, None)


def test_the_images_that_report_are_not_looked_at(run, monkeypatch):
    val, item = runs.opened(run).val, Split.__getitem__
    names = set(val.names)
    seen = []

    def watched(split, n):
        seen.append(split.names[n])
        return item(split, n)

    monkeypatch.setattr(Split, "__getitem__", watched)
    list(Search(run).compute())
    assert len(seen) == 12 and not names & set(seen)


def test_other_weights_and_other_settings_are_tried_anew(run, monkeypatch):
    list(Search(run).compute())
    same, other = done("two", data=DATA), done("three", data=DATA, seed=5)
    assert Search(same).tried() == Search(run).tried() and Search(other).tried() == []
    monkeypatch.setattr(search, "settings", lambda: FEW[:2])
    assert Search(run).tried() == []


def trained_on(run, monkeypatch):
    """Lets a run get other weights, as one does that is still training, once an image has been labeled."""
    other, predict = done("other", data=DATA, seed=5), prediction.predict

    def later(*given):
        monkeypatch.setattr(prediction, "predict", predict)
        shutil.copytree(other, run, dirs_exist_ok=True)
        return predict(*given)

    monkeypatch.setattr(prediction, "predict", later)


def test_weights_that_come_meanwhile_do_not_take_away_what_was_tried(run, monkeypatch):
    list(Search(run).compute())
    before, tried = Search(run), Search(run)
    expected = before.tried()
    tried.file.unlink()
    trained_on(run, monkeypatch)
    list(tried.compute())
    assert tried.tried() == expected and tried.best()
    assert Search(run).file != tried.file and Search(run).tried() == []  # those of now have not been tried


def test_the_command_finds_what_it_tried_with_the_weights_that_a_training_run_had(run, monkeypatch, capsys):
    trained_on(run, monkeypatch)
    predictor = options.searched("one")
    assert isinstance(predictor, Crf) and "best of 3 on 12 search images" in capsys.readouterr().err
    monkeypatch.setattr(Search, "compute", lambda search: iter(()))
    with pytest.raises(SeglabError, match="what was tried for one is not there any more"):
        options.searched("one")


def test_the_settings_are_the_usual_ones_a_grid_and_what_was_published():
    found = search.settings()
    assert found[0] == Crf() and len(set(found)) == len(found)
    assert {each.crf for each in PUBLISHED} <= set(found) and len(found) >= 36


def test_the_command_line_predicts_and_compares_with_the_best(run, tmp_path, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["compare", "one", "--crf-search", "--json"])
    assert not ended.value.code
    best = Search(run).best()
    found = json.loads(capsys.readouterr().out)["pair"]
    told = chained([best])
    assert [each["name"] for each in found["sides"]] == ["one", f"one + {told}"]
    with pytest.raises(SystemExit) as ended:
        cli.main(["evaluate", "one", "--crf-search", "--json"])
    captured = capsys.readouterr()
    assert not ended.value.code and f"--predictors {best.name}" in captured.err
    scored = json.loads(captured.out)["miou"]
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "one", "--json", *captured.err.strip().split(": ")[-1].split()])
    assert json.loads(capsys.readouterr().out)["miou"] == scored
    done("two", data=DATA)
    for words in (["compare", "one", "two"], ["evaluate", "one", "--crf"], ["evaluate", "one", "--predictors", "crf"]):
        with pytest.raises(SystemExit) as ended:
            cli.main([*words, "--crf-search"])
        assert ended.value.code == 2 and "--crf-search" in capsys.readouterr().err
