"""The laboratory's answers, without a browser: numbers and label maps are those of the files."""

import json
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image
from sklearn.metrics import jaccard_score
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import runs
from seglab.comparison import compare
from seglab.comparison.pairs import pair_of
from seglab.ui import page as whole_page
from seglab.ui.parts import lab
from tests.conftest import finish, tiny
from tests.page import done

NAMES = ("unet", "unet_vgg16")


@pytest.fixture
def client():
    lab.laboratory.cache_clear()
    return TestClient(Starlette(routes=whole_page.ROUTES))


def address(place, names, **query):
    asked = [f"run={quote(name)}" for name in names] + [f"{key}={quote(value)}" for key, value in query.items()]
    return f"/seglab/{place}?{'&'.join(asked)}"


def opened(client, *names, **query):
    answer = client.get(address("lab", names, **query))
    assert answer.status_code == 200
    return json.loads(answer.text, parse_constant=pytest.fail)  # no NaN


def stored(name, folder):
    return [np.asarray(Image.open(file)) for file in sorted((runs.find(name) / folder).glob("*.png"))]


def test_two_shipped_runs_are_opened_with_all_that_can_be_said_in_numbers(client):
    found = opened(client, *NAMES)
    directories = [runs.find(name) for name in NAMES]
    pair = pair_of(compare(directories), directories)
    assert [found["a"], found["b"]] == found["runs"] == list(NAMES)
    assert found["verdict"]["difference"] == pair.verdict.difference
    assert found["verdict"]["sentences"][0].startswith("On these 50 images unet_vgg16 is lower than unet by 0.033")
    assert [image["counts"] for image in found["images"]] == pair.agreement.counts.tolist()
    assert found["images"][13]["slice"] == "rain" and found["orders"]["difference"][0] == 13
    truth, labels = stored("unet", "truth")[13], stored("unet", "predictions")[13]
    assert found["images"][13]["size"] == list(truth.shape)
    assert found["images"][13]["a"] == pytest.approx(jaccard_score(truth.ravel(), labels.ravel(), average="macro"))
    assert [name for _, name in found["classes"]] == pair.classes
    assert "val_0063" in found["images"][13]["name"] and found["photos"].endswith("/photo/")


def test_label_maps_come_as_bytes_in_the_order_of_the_images(client):
    found = opened(client, *NAMES)
    assert found["pages"] == [0]
    content = client.get(address("lab/maps/0", NAMES)).content
    expected = zip(stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES), strict=True)
    assert content == b"".join(each.tobytes() for image in expected for each in image)
    assert client.get(address("lab/maps/1", NAMES)).status_code == 404
    replayed = client.get(address("lab/replay", NAMES)).content
    maps = [
        np.asarray(Image.open(file))
        for name, epochs in zip(NAMES, found["epochs"], strict=True)
        for epoch in epochs
        for file in sorted((runs.find(name) / "samples" / f"epoch_{runs.epoch_text(epoch)}").glob("*.png"))
    ]
    assert replayed == b"".join(each.tobytes() for each in maps) and len(found["samples"]) == 4


def test_large_sets_come_a_page_at_a_time(client, monkeypatch):
    monkeypatch.setattr(lab, "MOST_PIXELS", 3 * 7 * 96 * 128)
    found = opened(client, *NAMES)
    assert found["pages"] == list(range(0, 50, 7))
    last = client.get(address("lab/maps/7", NAMES)).content
    assert (
        last
        == b"".join(
            each.tobytes()
            for image in zip(stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES), strict=True)
            for each in image
        )[-len(last) :]
        and len(last) == 3 * 96 * 128
    )
    monkeypatch.setattr(lab, "MOST_PIXELS", 10)
    lab.laboratory.cache_clear()
    assert opened(client, *NAMES)["pages"] == list(range(50))


def test_any_two_of_the_shown_runs_are_sides(client):
    names = ("encoder_decoder", *NAMES)
    found = opened(client, *names)
    assert [side["run"] for side in found["sides"]] == list(names)
    assert (found["a"], found["b"]) == ("encoder_decoder", "unet")
    assert {side: opened(client, *names, a="unet_vgg16")[side] for side in "ab"} == {
        "a": "unet_vgg16", "b": "encoder_decoder",
    }  # fmt: skip
    turned = opened(client, *names, a="unet_vgg16", b="unet")
    assert (turned["a"], turned["b"]) == ("unet_vgg16", "unet") and turned["verdict"]["difference"] > 0
    for a, b in (("nowhere", "unet"), ("unet", "unet"), ("../x", "")):
        found = opened(client, *names, a=a, b=b)
        assert found["a"] != found["b"] and "error" not in found


def test_seeds_of_a_setting_are_one_side_and_go_by_their_own_names(runs_home, client):
    for seed in (0, 1):
        for width in (4, 6):
            model = {"name": "unet", "width": width, "depth": 2}
            directory = finish(runs.create(tiny(model=model, seed=seed), f"wide {width} {seed}"))
            assert directory.name == f"wide {width} {seed}"
    names = [f"wide {width} {seed}" for seed in (0, 1) for width in (4, 6)]
    found = opened(client, *names)
    assert [side["seeds"] for side in found["sides"]] == [2, 2] and found["verdict"]["about"] == "settings"
    found = opened(client, "wide 4 0", "wide 6 1")
    assert [side["name"] for side in found["sides"]] == ["wide 4 0", "wide 6 1"]


def test_runs_that_cannot_be_compared_say_why_and_too_few_say_nothing(runs_home, client):
    done("other", data={"name": "streets", "val_images": 5})
    found = opened(client, "unet", "other")
    assert "scored on different images" in found["error"] and "verdict" not in found
    assert opened(client, "unet") == {"sides": [{"run": "unet", "name": "unet", "seeds": 1}]}
    assert opened(client) == {"sides": []}
    runs.create(tiny(), "begun")
    assert [side["run"] for side in opened(client, "unet", "begun")["sides"]] == ["unet"]
    assert client.get(address("lab", ["nowhere", "unet"])).status_code == 404
    assert client.get(address("lab/maps/0", ["unet"])).status_code == 404
    one, other = done("one", seed=1), done("two", seed=2)
    (other / "evaluation.npz").write_bytes(b"damaged")
    assert "evaluation.npz" in opened(client, one.name, other.name)["error"]


def test_validation_images_are_pictures_with_an_address(client):
    found = opened(client, *NAMES)
    answer = client.get("/" + found["photos"] + "13.webp?v=" + found["version"])
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"
    assert client.get("/" + found["photos"] + "50.webp").status_code == 404


def test_thirty_visitors_on_one_pair_cost_one_computation(client, monkeypatch):
    made, real = [], lab.Laboratory
    monkeypatch.setattr(lab, "Laboratory", lambda pair: made.append(pair) or real(pair))
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: opened(client, *NAMES), range(30)))
    assert len(made) == 1 and all(answer == answers[0] for answer in answers)
