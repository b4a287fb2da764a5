"""The first picture: one street, and what the models that come with seglab make of it."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from seglab import runs
from seglab.ui import assets
from seglab.ui.parts import tour
from seglab.ui.tabs import start


def test_the_shipped_models_stand_in_the_order_of_their_scores():
    models = start.shown()["models"]
    scores = [model["miou"] for model in models]
    assert scores == sorted(scores) and len(models) == len(list(runs.CHECKPOINTS.glob("*/config.json")))
    for model in models:
        ended = runs.last_word(runs.CHECKPOINTS / model["run"])
        assert (model["miou"], model["parameters"]) == (ended.val_miou, ended.parameters)


def test_what_is_kept_is_what_the_runs_have():
    known, files = tour.found()
    assert known == start.shown()
    kept = {path.name for path in start.FOLDER.iterdir()}
    assert kept == {*files, "known.json"} and len(files) == known["count"] * (2 + len(known["models"])) > 0
    for name, content in files.items():
        made, found = (np.asarray(Image.open(file)) for file in (io.BytesIO(content), start.FOLDER / name))
        if name.startswith("image-"):  # kept with loss, as this machine's library does it
            assert np.abs(made.astype(int) - found).mean() < 4
        else:
            np.testing.assert_array_equal(made, found)


def test_every_picture_that_the_tab_shows_is_there():
    addresses = re.findall(r'data-pictures="([^"]+)"', start.html("en"))
    assert len(addresses) == 2 + len(start.shown()["models"])
    for address in " ".join(addresses).split():
        assert assets.assets()[address.removeprefix(assets.address(""))]


@pytest.mark.parametrize("lang, words", [("en", "Ground truth"), ("ko", "정답")])
def test_it_is_told_in_the_visitors_language_with_ways_on(lang, words):
    html = start.html(lang)
    names = ",".join(model["run"] for model in start.shown()["models"])
    assert words in html and f'href="#compare?runs={names}"' in html and 'href="#train"' in html
    assert html.count("<img") == 2 + len(start.shown()["models"])


def test_nothing_is_shown_where_a_checkpoint_is_missing(monkeypatch, tmp_path):
    (tmp_path / "unet").mkdir()
    (tmp_path / "unet" / "config.json").touch()
    monkeypatch.setattr(start, "CHECKPOINTS", tmp_path)
    assert start.html("en") == ""
