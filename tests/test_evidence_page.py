"""What the views of a lesson are drawn from: the numbers of its runs, and the laboratory's own answers."""

import json
import re

import numpy as np
import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import places, runs
from seglab.comparison import compare
from seglab.comparison.pairs import pair_of
from seglab.errors import SeglabError
from seglab.events import Evaluated, Stepped
from seglab.lessons import files
from seglab.lessons.bench import Bench
from seglab.lessons.model import Show, View
from seglab.ui import page
from seglab.ui.parts import counting, evidence, lab
from tests.test_lab import table


@pytest.fixture
def client():
    return TestClient(Starlette(routes=page.ROUTES))


def get(client, address, lang="en"):
    return client.get(f"/seglab/{address}", headers={"accept-language": lang})


def step(client, name, view, nth=0, lang="en"):
    """What the nth step of a lesson with a view shows."""
    steps = enumerate(files.find(name).steps)
    numbers = [n for n, each in steps if isinstance(each, Show) and each.view.view == view]
    answer = get(client, f"lesson/{name}/step/{numbers[nth]}", lang)
    assert answer.status_code == 200, answer.text
    return json.loads(answer.text, parse_constant=pytest.fail)  # no NaN


def shipped(name):
    return places.LESSONS / name


# --- numbers


def test_each_run_is_a_dot_by_the_score_of_the_view(client):
    found = step(client, "b", "overview")
    assert found["by"] == "iou:rarest"
    for each in found["settings"]:
        assert [dot["seed"] for dot in each["dots"]] == [0, 1, 2]
        for dot in each["dots"]:
            matrix = runs.Evidence(shipped(f"b-{each['key']}-{dot['seed']}")).confusions().sum(0)
            rarest = matrix.sum(1).argmin()
            union = matrix[rarest].sum() + matrix[:, rarest].sum() - matrix[rarest, rarest]
            assert dot["score"] == pytest.approx(matrix[rarest, rarest] / union)
            known = runs.description(shipped(f"b-{each['key']}-{dot['seed']}"))
            assert each["class"] == known["classes"][rarest]


def test_curves_have_the_points_of_every_seed_and_single_steps_where_rates_are_drawn(client):
    rates, scores = step(client, "b", "curves"), step(client, "b", "curves", 1)
    assert (rates["x"], rates["scores"]) == ("steps", ["lr", "val_miou"])
    for found in (rates, scores):
        for each in found["settings"]:
            for seed, points in enumerate(each["seeds"]):
                events = runs.events(shipped(f"b-{each['key']}-{seed}"))
                evaluated = [event for event in events if isinstance(event, Evaluated)]
                assert [[point[0], point[6]] for point in points["evals"]] == [
                    [event.step, pytest.approx(event.scores["val"].miou, abs=1e-4)] for event in evaluated
                ]
                stepped = [event.step for event in events if isinstance(event, Stepped)]
                assert [point[0] for point in points["steps"]] == (stepped if found is rates else [])


def test_a_score_without_curves_is_refused():
    lesson = files.find("a")
    view = View(view="curves", of=("case1",), scores=("speed",))
    with pytest.raises(SeglabError, match="scores: speed is not allowed; allowed: val_loss"):
        evidence.curves(Bench(lesson), view, "en")


def test_folds_say_how_many_of_their_images_weights_have_seen_before(client):
    found = {each["key"]: each for each in step(client, "b", "folds")["settings"]}
    assert {key: (each["fold"], each["of"]) for key, each in found.items()} == {
        "honest0": (0, 3), "honest1": (1, 3), "honest2": (2, 3),
        "leaking1": (1, 3), "leaking2": (2, 3), "long2": (2, 3),
    }  # fmt: skip
    for key, ancestors in (("honest2", []), ("leaking1", ["honest0"]), ("leaking2", ["leaking1", "honest0"])):
        images = runs.description(shipped(f"b-{key}-0"))["images"]
        before = [runs.description(shipped(f"b-{each}-0"))["images"]["train"] for each in ancestors]
        seen = set(images["val"]).intersection(*[set().union(*before)])
        assert (found[key]["seen"], found[key]["images"]) == (len(seen), len(images["val"]))
        assert bool(seen) is bool(ancestors)
    assert found["leaking2"]["begins"] == "fold 2, weights carried on" and found["honest0"]["begins"] is None
    assert len(found["long2"]["dots"]) == 5


def test_the_scatter_has_what_each_model_gains_by_its_score_before(client):
    points = {each["title"]: each for each in step(client, "e", "scatter")["points"]}
    assert len(points) == 8
    bench = Bench(files.find("e"))
    before, after = (np.mean(bench.values(key, "miou")) for key in ("deeplab1", "deeplab1_crf"))
    found = points["DeepLab v1"]
    assert found["x"] == pytest.approx(before) and found["y"] == pytest.approx(after - before)


# --- two sides


def test_two_sides_are_told_apart_as_the_command_does_and_look_at_the_same_scene_throughout(client):
    where, why = step(client, "a", "where"), step(client, "a", "why")
    directories = [shipped(f"a-case{n}-{seed}") for n in (1, 2) for seed in range(5)]
    expected = pair_of(compare(directories), directories)
    assert expected is not None
    for key in ("difference", "low", "high", "by_seed"):
        assert where["verdict"][key] == pytest.approx(expected.as_json()["verdict"][key])
    assert where["names"] == {"a": "plain encoder-decoder", "b": "U-Net"}
    assert where["scene"] == why["scene"] == expected.agreement.order("difference")[0]
    korean = step(client, "a", "where", lang="ko")
    assert (
        korean["names"]["a"] == "스킵 없는 인코더-디코더" and korean["names"]["a"] in korean["verdict"]["sentences"][0]
    )


def test_pixels_of_a_lesson_are_those_of_its_settings_first_runs(client):
    found = get(client, "lab?lesson=b&a=ce&b=dice").json()
    assert (found["a"], found["b"]) == ("ce", "dice")
    content = get(client, "lab/maps/0?lesson=b&a=ce&b=dice").content
    first, second = (runs.Evidence(shipped(f"b-{key}-0")) for key in ("ce", "dice"))
    expected = b"".join(each.tobytes() for each in (first.truth(0), first.labels(0), second.labels(0)))
    assert content.startswith(expected)


def test_settings_whose_masks_stayed_behind_are_judged_all_the_same(client):
    found = get(client, "lab?lesson=b&a=many_learning&b=few_learning").json()
    assert found["verdict"]["apart"] and "images" not in found
    assert found["missing"].startswith("The masks of these settings do not come with seglab")
    assert "마스크" in get(client, "lab?lesson=b&a=many_learning&b=few_learning", "ko").json()["missing"]


def test_borders_are_counted_for_who_asks_and_not_before_the_rest_is_shown(client, monkeypatch):
    lab.laboratory.cache_clear()
    query = "lesson=d&a=alone&b=usual"
    text = get(client, f"lab/why?{query}").text
    assert "data-borders" in text
    assert re.findall(r'data-part="(\w+)"', text) == ["classes", "borders", "confusion", "slices"]
    monkeypatch.setattr(counting, "PATIENCE", 0)
    assert "data-borders" in get(client, f"lab/borders?{query}").text  # how far it is
    monkeypatch.setattr(counting, "PATIENCE", 600)  # a busy machine may take its time
    assert "Boundary IoU" in get(client, f"lab/borders?{query}").text
    assert "data-borders" not in get(client, f"lab/why?{query}").text


def test_the_crf_is_shown_of_a_run_at_the_scene_in_which_it_does_most(client):
    found = step(client, "e", "crf")
    bench = Bench(files.find("e"))
    scene = bench.pair("ready_unet", "ready_unet_crf").agreement.order("difference")[0]
    assert found == {"view": "crf", "run": "unet", "title": "U-Net, longer trained", "scene": scene}
    assert get(client, f"lab/crf/run?run={found['run']}").json()["done"]


@pytest.mark.parametrize(
    "address, words",
    [("lab?lesson=a&a=case1&b=nothing", "nothing"), ("lab/real?lesson=nothing&a=x&b=y", "nothing"),
     ("lab/grid?lesson=b&group=nothing", "there is no group 'nothing' in b")],
)  # fmt: skip
def test_what_a_lesson_does_not_have_is_told(client, address, words):
    answer = get(client, address)
    assert answer.status_code == 404 and words.lower() in answer.json()["error"].lower()


# --- many settings


def test_a_group_is_laid_out_by_its_table_and_what_is_in_none_stands_below(client):
    lesson = files.find("e")
    text, bench = get(client, "lab/grid?lesson=e&group=halved").text, Bench(lesson)
    cells = [row[1:] for row in table(text, "Settings by their options")]
    for keys, row in zip((*lesson.groups["halved"].table, ("full",)), cells, strict=True):
        assert len(row) == 2
        for key, cell in zip(keys, row, strict=False):
            assert cell.endswith(lesson.setting(key).title.of("en"))
            assert f"mIoU {np.mean(bench.values(key, 'miou')):.3f} ±" in " ".join(cell.replace("mIoU:", "").split())
    assert cells[-1][1] == "–"
    assert set(re.findall(r'data-b="(\w+)"', text)) <= set(lesson.groups["halved"].settings)
    korean = get(client, "lab/grid?lesson=e&group=halved", "ko").text
    assert lesson.setting("half").title.of("ko") in korean and "full" in korean


def test_what_is_kept_of_a_table_does_not_grow_with_what_is_asked(client, monkeypatch):
    first = get(client, "lab/grid?lesson=b&group=transfer").text
    assert "<table" in first
    monkeypatch.setattr(evidence.grid, "written", lambda *given: pytest.fail("written once more, and kept"))
    for n in range(3):
        assert get(client, f"lab/grid?lesson=b&group=transfer&down=x{n}&right=y{n}").text == first
