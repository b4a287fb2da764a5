"""The grid on the page, without a browser: its numbers are those of the comparison, its pictures those of the files."""

import html
import io
import re
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import draw, runs
from seglab.comparison import compare, grids, pairs
from seglab.ui import page as whole_page
from seglab.ui.parts import grid
from tests.conftest import tiny
from tests.page import done
from tests.test_grids import settings
from tests.test_lab import address, opened, table

NAMES = ("encoder_decoder", "unet", "unet_vgg16")


@pytest.fixture
def client():
    grid.made.cache_clear()
    return TestClient(Starlette(routes=whole_page.ROUTES))


def shown(client, names=NAMES, **query):
    answer = client.get(address("lab/grid", names, **query))
    assert answer.status_code == 200, answer.text
    return answer.text


def test_each_cell_has_its_score_its_spread_and_its_mark(client):
    directories = settings()
    names = [directory.name for directory in directories]
    text, of = shown(client, names), grids.grid(compare(directories), directories)
    assert "Rows" not in text  # two options: nothing to pick
    rows = table(text, "Settings by their options")
    layout = of.layout()
    assert rows[0][1:] == [f"{value:g}" for value in layout.columns]
    for line, row in zip(layout.cells, rows[1:], strict=True):
        for (place,), cell in zip(line, row[1:], strict=True):
            each, against = of.settings[place], of.against[place]
            mark = "★, the best" if place == of.best else "~, not told apart" if against.tied else ""
            score = f"mIoU {each.mean:.3f} ± {each.deviation:.3f} {mark}".strip()
            assert " ".join(cell.split()).startswith(f"{each.side.name}: {score}")
            assert cell.endswith(f"{each.costs['seconds']:.0f} s")
    assert text.count('class="setting best"') == 1
    assert text.count('class="setting tied"') == sum(bool(against and against.tied) for against in of.against)
    ranked = table(text, "All settings")[1:]
    for row, place in zip(ranked, sorted(range(4), key=lambda n: -of.settings[n].mean), strict=True):
        if against := of.against[place]:
            assert row[4] == f"{against.difference:+.3f}{against.low:+.3f} to {against.high:+.3f}"
        assert row[5] == f"{of.settings[place].costs['parameters']:,.0f}"
    assert "expected" not in text  # several seeds: no word of luck


def test_of_one_seed_against_several_the_difference_of_the_means_stands_alone(client):
    directories = [*settings(lrs=(1e-3,)), *settings(widths=(8,), lrs=(1e-3,), seeds=(0,))]
    text = shown(client, [directory.name for directory in directories])
    of = grids.grid(compare(directories), directories)
    rows = table(text, "All settings")[1:]
    unknown = [n for n, each in enumerate(of.against) if each and each.tied is None]
    assert unknown and text.count("not known whether it can be told apart") > len(unknown)
    for row, place in zip(rows, sorted(range(3), key=lambda n: -of.settings[n].mean), strict=True):
        if place in unknown:
            assert row[4] == f"{of.settings[place].mean - of.settings[of.best].mean:+.3f}"
    assert f"only one seed of {runs.label(directories[-1]).name}, and of others several" in html.unescape(text)


def test_a_cell_opens_the_best_and_itself_as_two_sides(client):
    text = shown(client)
    pressed = re.findall(r'data-a="([^"]*)" data-b="([^"]*)"[^>]*class="setting', text)
    assert pressed == [("unet", "encoder_decoder"), ("unet", "unet_vgg16"), ("unet", "unet_vgg16")]  # or the second
    assert "of 3 equal settings, the best is expected 0.85 standard deviations" in text
    assert "운만으로도" in shown(client, lang="ko")


def test_the_frontier_is_told_in_words_and_drawn_for_each_cost(client):
    text = shown(client)
    of = grids.grid(compare([runs.find(name) for name in NAMES]), [runs.find(name) for name in NAMES])
    for cost in grids.COSTS:
        figure = text[text.index(f'data-of="{cost}"') :]
        figure = figure[: figure.index("</figure>")]
        names = [NAMES[place] for place in of.frontier(cost)]
        words = html.unescape(figure[figure.index("On the frontier") :])
        assert [each for each in re.findall(r"\d (\w+)", words)] == names
        points = re.findall(r'class="point( frontier)?" style="left:([\d.]+)%;top:([\d.]+)%;', figure)
        assert len(points) == 3 and sum(bool(each[0]) for each in points) == len(names)
        places = sorted(range(3), key=lambda n: -of.settings[n].mean)
        across = [float(each[1]) for each in points]
        dearest = sorted(range(3), key=lambda n: of.settings[places[n]].costs[cost])
        assert [across[n] for n in dearest] == sorted(across)
        assert [float(each[2]) for each in points] == sorted(float(each[2]) for each in points)  # the best is on top


def test_of_three_options_two_are_picked_and_all_settings_are_listed(client):
    directories = settings(seeds=(0,), widths=(4, 6))
    names = [directory.name for directory in directories]
    names += [each.name for each in settings(seeds=(0,), lrs=(1e-3,), batch_size=2)]
    text = shown(client, names, down="batch_size", right="model.width")
    rows = table(text, "Settings by their options")
    assert rows[0][1:] == ["4", "6"] and [row[0] for row in rows[1:]] == ["2", "4"]
    assert rows[2][1].count("lr 0.00") == 2 and rows[1][1].count("lr 0.001") == 1
    assert re.findall(r"<option selected>([^<]*)<", text) == ["batch_size", "model.width"]
    assert shown(client, names, down="<x>", right="../")  # what is not there is chosen


def test_it_is_offered_for_three_settings_and_more_whatever_two_sides_are(client):
    done("other", data={"name": "streets", "val_images": 5})
    found = opened(client, "unet", "other", "unet_vgg16")
    assert found["grid"] and "error" in found  # the first two were scored on different images
    text = shown(client, ["unet", "other", "unet_vgg16"])
    assert "Left out, scored on other images than most: other" in html.unescape(text)
    assert text.count('class="mask"') == 2 and "×" in text
    assert not opened(client, "unet", "unet_vgg16")["grid"]
    answer = client.get(address("lab/grid", ["unet", "other"]))
    assert answer.status_code == 404 and "3 settings" in answer.json()["error"]
    assert client.get(address("lab/grid", [])).status_code == 404
    (runs.create(tiny(), "broken") / "config.json").write_bytes(b"{")
    assert shown(client, [*NAMES, "broken"])


def test_masks_are_those_of_the_files_for_every_validation_image(client):
    text = shown(client)
    names = re.search(r'data-names="([^"]*)"', text)[1]
    assert html.unescape(names).count("val_") == 50
    pictures = [html.unescape(each) for each in re.findall(r'data-picture="([^"]*)"', text)]
    assert len(pictures) == 5  # photograph, truth, and one for each
    colors = runs.description(runs.find("unet"))["colors"]
    folders = [("unet", "truth"), *((name, "predictions") for name in NAMES)]
    for picture, (name, folder) in zip(pictures[1:], folders, strict=True):
        answer = client.get("/" + picture.replace("{n}", "17"))
        with Image.open(io.BytesIO(answer.content)) as image:
            labels = np.asarray(Image.open(runs.find(name) / folder / "0017.png"))
            np.testing.assert_array_equal(np.asarray(image.convert("RGB")), draw.painted(labels, colors))
        assert client.get("/" + picture.replace("{n}", "50")).status_code == 404
    assert client.get("/" + pictures[0].replace("{n}", "17")).status_code == 200


def test_thirty_visitors_cost_one_comparison(client, monkeypatch):
    counted, real = [], pairs.verdicts.verdict
    monkeypatch.setattr(pairs.verdicts, "verdict", lambda *given: counted.append(1) or real(*given))
    with ThreadPoolExecutor(30) as pool:
        answers = set(pool.map(lambda _: shown(client), range(30)))
    assert len(answers) == 1 and len(counted) == 2  # two settings against the best


def test_ticks_are_round_and_few():
    for low, high in ((1.7e6, 2.2e6), (3, 4000), (0.2, 0.9), (44.9, 50.4)):
        ticks = grid.logarithmic(low, high)
        assert all(low <= tick <= high for tick in ticks) and 2 <= len(ticks) <= 7
        assert all(float(f"{tick:.2g}") == pytest.approx(tick) for tick in ticks)
    assert grid.linear(0.093, 0.247) == [0.1, 0.15, 0.2]
    assert [grid.compact(value) for value in (950, 1e3, 1.5e6, 0.25)] == ["950", "1k", "1.5M", "0.25"]
