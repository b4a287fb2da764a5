"""The small drawings in the list of networks are those of the networks."""

import json
import re

import pytest

from seglab.entry import FAMILIES
from seglab.ui import drawings, form
from seglab.ui.strings import shipped

KEPT = json.loads(drawings.FILE.read_text(encoding="utf-8"))
NETWORKS = sorted(entry.name for entry in shipped(FAMILIES["architectures"].entries.values()))


def test_every_network_that_comes_with_seglab_has_a_drawing():
    assert sorted(KEPT) == NETWORKS and len(NETWORKS) > 10


@pytest.mark.parametrize("name", NETWORKS)
def test_the_kept_drawing_is_the_network_s(name):
    made = drawings.drawing(name)
    assert made["parameters"] == KEPT[name]["parameters"] and made["svg"] == KEPT[name]["svg"]
    assert re.fullmatch(
        r'<svg viewBox="[^"<>]+" aria-hidden="true">(<(rect|path)( [\w-]+="[^"<>]*")+/>)+</svg>', made["svg"]
    )


def test_the_list_of_networks_shows_them():
    html = form.html("en")
    for name in NETWORKS:
        assert KEPT[name]["svg"] in html
    assert f"{KEPT['unet']['parameters'] / 1e6:.1f} M parameters" in html


def test_a_network_that_is_not_drawn_is_listed_all_the_same(monkeypatch):
    monkeypatch.setattr(form, "drawings", dict)
    form.html.cache_clear()
    html = form.html("en")
    form.html.cache_clear()
    assert 'value="unet"' in html and 'class="drawing"' not in html
