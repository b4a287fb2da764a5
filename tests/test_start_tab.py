"""The first picture: one street, and what the models that come with seglab make of it."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from seglab import runs
from seglab.metrics import picture_miou
from seglab.ui.parts import masks, tour


@pytest.fixture(autouse=True)
def anew():
    tour.shown.cache_clear()
    yield
    tour.shown.cache_clear()


def test_the_shipped_models_stand_in_the_order_of_their_scores():
    models = tour.shown()["models"]
    scores = [model["miou"] for model in models]
    assert scores == sorted(scores) and len(models) == len(list(runs.CHECKPOINTS.glob("*/config.json")))
    for model in models:
        ended = runs.last_word(runs.CHECKPOINTS / model["run"])
        assert (model["miou"], model["parameters"]) == (ended.val_miou, ended.parameters)


def test_every_picture_is_there_and_has_the_score_that_is_kept_of_it():
    known = tour.shown()
    first, evidence = known["models"][0], runs.Evidence(runs.CHECKPOINTS / known["models"][0]["run"])
    assert len(known["images"]) == len(known["truth"]) == len(first["pictures"]) == len(evidence.samples)
    for address in (*known["images"], *known["truth"], *first["pictures"]):
        run, kind, index = re.match(r"seglab/picture/([\w-]+)/(\w+)/(\d+)\.webp\?v=\w+$", address).groups()
        with Image.open(io.BytesIO(masks.picture(runs.find(run), kind, int(index)))) as image:
            assert image.size[0] <= 480
    place = evidence.samples[0]
    wanted = picture_miou(evidence.labels(place), evidence.truth(place), len(known["classes"]))
    assert first["scores"][0] == pytest.approx(wanted) and 0 < np.mean(first["scores"]) < 1


@pytest.mark.parametrize("lang, words", [("en", "Ground truth"), ("ko", "정답")])
def test_it_is_told_in_the_visitors_language_with_ways_on(lang, words):
    html = tour.html(lang)
    names = ",".join(model["run"] for model in tour.shown()["models"])
    assert words in html and f'href="#compare?runs={names}"' in html and 'href="#train"' in html
    assert html.count("<img") == 2 + len(tour.shown()["models"])


def test_a_damaged_or_missing_checkpoint_leaves_the_others(monkeypatch, tmp_path):
    import shutil

    shutil.copytree(runs.CHECKPOINTS / "unet", tmp_path / "checkpoints" / "unet")
    shutil.copytree(runs.CHECKPOINTS / "encoder_decoder", tmp_path / "checkpoints" / "torn")
    (tmp_path / "checkpoints" / "torn" / "events.jsonl").write_text("?\n")
    for module in (runs, runs.directory):
        monkeypatch.setattr(module, "CHECKPOINTS", tmp_path / "checkpoints")
    assert [model["run"] for model in tour.shown()["models"]] == ["unet"]
    shutil.rmtree(tmp_path / "checkpoints")
    tour.shown.cache_clear()
    assert tour.shown() == {} and tour.html("en") == ""
