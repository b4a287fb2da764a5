"""The CRF's laboratory without a browser: an image step by step, what is known of a run, and the search."""

import json
from base64 import b64decode
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import crf, prediction, runs
from seglab.comparison import search
from seglab.comparison.agreement import ONLY_A, ONLY_B
from seglab.comparison.readings import Reading
from seglab.comparison.search import Search
from seglab.errors import SeglabError
from seglab.predictors import PUBLISHED, Crf
from seglab.ui import page as whole_page
from seglab.ui.parts import lab, refining
from tests.page import Event, Request, done, heard, latest

pytestmark = pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
DATA = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}
FEW = [Crf(), Crf(w1=5, theta_alpha=5)]


@pytest.fixture
def run(runs_home, monkeypatch):
    monkeypatch.setattr(search, "settings", lambda: FEW)
    monkeypatch.setattr(refining, "settings", lambda: FEW)
    return done("one", data=DATA)


@pytest.fixture
def client():
    return TestClient(Starlette(routes=whole_page.ROUTES))


def asked(run="one", image=0, number=1, **values):
    options = {"predictors": {"crf": dict(Crf()) | values}}
    return heard(refining.refine(latest(run=run, image=image, number=number, options=options), Request()))


def maps(answer):
    """uint8 (2 + n, H, W): the truth and the labels of every step."""
    pixels = np.asarray(Image.open(BytesIO(b64decode(answer["maps"].partition(",")[2]))))
    return pixels.reshape(-1, *answer["size"])


def scored(labels, truth):
    seen = truth != 255
    there = np.union1d(labels[seen], truth[seen])
    return jaccard_score(truth[seen], labels[seen], labels=there, average="macro", zero_division=0)


def test_an_image_is_answered_with_its_truth_and_every_step(run):
    answer = asked(image=3, number=7, w1=5, iterations=3)
    truth, before, *steps = maps(answer)
    sample = runs.opened(run).val[3]
    assert answer["number"] == 7 and (truth == sample.mask).all() and len(steps) == 3
    model = runs.load(run)
    assert (before == prediction.predict(model, sample.image).labels).all()
    for n, labels in enumerate(steps, 1):
        assert (labels == prediction.predict(model, sample.image, [Crf(w1=5, iterations=n)]).labels).all()
    assert answer["miou"] == pytest.approx([scored(each, truth) for each in (before, *steps)])
    assert len(answer["divergence"]) == 4 and answer["divergence"][1] < answer["divergence"][0]
    assert answer["text"] == "w1:5,iterations:3" and answer["side"] == "one|crf:w1:5,iterations:3"
    assert answer["name"] == "crf (w1 5, iterations 3)"


def test_a_large_image_is_looked_at_small(run, monkeypatch):
    monkeypatch.setattr(refining, "LONGEST", 32)
    refining.validation.cache_clear()
    answer = asked()
    refining.validation.cache_clear()
    assert max(answer["size"]) == 32 and len(maps(answer)) == 7


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"w1": 999}, "w1: 999 is too large"),
        ({"theta_beta": "wide"}, "theta_beta: 'wide' is not a number"),
        ({"iterations": 2.5}, "iterations: 2.5 is not a whole number"),
        ({"image": 12}, "One has no validation image 12"),
        ({"image": "3"}, "One has no validation image '3'"),
        ({"image": -1}, "One has no validation image -1"),
        ({"run": "two"}, "There is no run 'two'"),
        ({"run": "../one"}, "There is no run '../one'"),
    ],
)
def test_what_a_page_may_not_ask_is_told(run, given, words):
    answer = asked(**given)
    assert words in answer["error"] and "maps" not in answer and answer["number"] == 1


def test_nonsense_is_answered(run):
    for nonsense in ("", "3", "[]", "{", '{"options": 3, "run": [], "image": null}'):
        assert "error" in heard(refining.refine(nonsense, Request()))


def known(client, **query):
    answer = client.get("/seglab/lab/crf/run", params={"run": "one", **query})
    return answer.status_code, answer.json()


def test_what_is_known_of_a_run_grows_with_what_was_computed(run, client):
    status, found = known(client)
    evidence = runs.Evidence(run)
    assert status == 200 and found["images"] == evidence.names and found["done"] is None
    assert found["tried"] == [] and found["best"] is None
    assert found["tries"] == {"settings": 2, "images": 12, "begun": False}
    list(Reading(run, (Crf(w1=5),)).compute())
    for asked_for in ({}, {"crf": "w1:5.0"}, {"crf": "w1:7"}):  # the wanted one, or else another
        _, found = known(client, **asked_for)
        assert found["done"]["name"] == "crf (w1 5)"
    n, reading = 4, Reading(run, (Crf(w1=5),))
    truth, before, after = evidence.truth(n), evidence.labels(n), reading.labels(n)
    harmed, mended = (before == truth) & (after != truth), (before != truth) & (after == truth)
    assert found["done"]["counts"][n][ONLY_A] == harmed.sum() and found["done"]["counts"][n][ONLY_B] == mended.sum()


def test_a_setting_that_is_refused_is_told_apart_from_a_run_that_cannot_be_refined(run, client, monkeypatch):
    status, found = known(client, crf="w1:5.0,theta_beta:3")
    assert status == 200 and found["refused"] is None and found["text"] == "w1:5,theta_beta:3"
    assert found["values"] == dict(Crf(w1=5, theta_beta=3))
    for given, words in (("w1:999", "too large"), ("w9:1", "no option 'w9'"), ("|flips", "allowed: crf with its")):
        status, found = known(client, crf=given)
        assert status == 200 and words in found["refused"] and found["text"] == "" and found["values"] == dict(Crf())
    monkeypatch.setattr(crf, "missing", lambda: SeglabError("pydensecrf2 is not here"))
    for given in ("w1:5", "w1:999"):
        assert known(client, crf=given) == (404, {"error": "pydensecrf2 is not here"})


def test_what_was_applied_to_all_images_is_compared_once_for_all_views(run, client, monkeypatch):
    list(Reading(run, (Crf(w1=5),)).compute())
    begun, real = [], lab.pair
    monkeypatch.setattr(lab, "pair", lambda *given: begun.append(given) or real(*given))
    assert known(client, crf="w1:5")[1]["done"]["name"] == "crf (w1 5)"
    assert "verdict" in lab.overview([run], "one", "one|crf:w1:5", "en") and len(begun) == 1


def test_settings_are_searched_for_told_and_offered(run, client):
    told = [json.loads(each) for each in refining.search(Event(run="one"), Request())]
    shares = [each["share"] for each in told[:-1]]
    assert [each["kind"] for each in told] == ["searching"] * len(shares) + ["searched"]
    assert shares == sorted(shares) and shares[0] == 0 and shares[-1] == pytest.approx(1)
    best = Search(run).best()
    _, found = known(client)
    assert found["best"]["values"] == dict(best) and len(found["tried"]) == 3
    rows = {row["name"]: row for row in found["tried"]}
    evidence = runs.Evidence(run)
    labels = np.stack([evidence.labels(n) for n in range(len(evidence.names))])
    truth = np.stack([evidence.truth(n) for n in range(len(evidence.names))])
    assert rows[None]["val"] == pytest.approx(scored(labels, truth)) and rows[None]["values"] is None
    reading = Reading(run, (best,))
    after = np.stack([reading.labels(n) for n in range(len(evidence.names))])
    assert rows[found["best"]["name"]]["val"] == pytest.approx(scored(after, truth))
    assert rows["crf (w1 5, theta_alpha 5)"]["short"] == "w1 5, theta_alpha 5" and rows[None]["short"] is None
    assert rows["crf"]["usual"] and rows["crf"]["val"] is not None
    again = [json.loads(each) for each in refining.search(Event(run="one"), Request())]
    assert again[-1] == {"kind": "searched"} and len(again) == 3  # nothing is tried again
    for nonsense in (3, {}, {"run": ["one"]}):
        (only,) = [json.loads(each) for each in refining.search(Event(nonsense), Request())]
        assert only["kind"] == "searched" and "There is no run" in only["error"]


def test_a_side_may_have_any_setting_and_is_offered_once_it_is_there(run):
    found = lab.overview([run], "one", "one|crf:w1:5.0", "en")
    assert found["missing"] == {"run": "one|crf:w1:5", "name": "one + crf (w1 5)", "images": 12 * 1}
    assert [side["run"] for side in found["sides"]] == ["one", "one|crf", "one|crf:w1:5"]
    assert len(lab.overview([run], "one", "", "en")["sides"]) == 2
    told = [json.loads(each) for each in lab.compute(Event(side="one|crf:w1:5.00", runs=["one"]), Request())]
    assert told[-1] == {"kind": "computed", "side": "one|crf:w1:5.00"} and Reading(run, (Crf(w1=5),)).ready
    found = lab.overview([run], "one", "one|crf:w1:5", "en")
    assert found["b"] == "one|crf:w1:5" and found["verdict"]["about"] == "predictors"
    assert [side["name"] for side in lab.overview([run], "", "", "en")["sides"]][-1] == "one + crf (w1 5)"


@pytest.mark.parametrize(
    ("side", "words"),
    [
        ("one|crf:w1:999", "w1: '999' is too large"),
        ("one|crf:w9:1", "crf has no option 'w9'"),
        ("one|flips", "'flips' is not allowed; allowed: crf with its options"),
        ("one|crf|crf", "allowed: crf with its options"),
        ("one|" + "crf" * 200, "allowed: 300"),
    ],
)
def test_a_side_with_a_setting_that_is_not_allowed_is_refused(run, side, words):
    found = lab.overview([run], "one", side, "en")
    assert words in found["error"] and [each["run"] for each in found["sides"]] == ["one", "one|crf"]
    (told,) = [json.loads(each) for each in lab.compute(Event(side=side, runs=["one"]), Request())]
    assert words in told["error"]


def test_the_controls_name_every_setting_with_its_source(client):
    html = client.get("/seglab/lab/crf?lang=en").text
    assert all(each.name in html for each in PUBLISHED) and html.count("data-values") == 1 + len(PUBLISHED)
    assert html.count('type="range"') == 6 and "https://arxiv.org/abs/1412.7062" in html
    assert "시작할 설정" in client.get("/seglab/lab/crf?lang=ko").text
