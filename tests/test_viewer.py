"""What the Predict tab is sent: pictures, label maps and scores, which its script paints."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from seglab import crf, prediction, runs
from seglab.data.images import labels_at, resize_image
from seglab.metrics import picture_miou
from seglab.ui.parts import viewer
from tests.conftest import announced, tiny
from tests.page import Request, done, heard, latest


@pytest.fixture(autouse=True)
def quick_crf(monkeypatch):
    """The CRF is tested elsewhere: here it makes every pixel the first class, and notes what it was asked for."""
    asked = []

    def refine(probabilities, image, kernels, deadline):
        asked.append((probabilities.shape, image.shape, kernels, deadline))
        changed = np.zeros_like(probabilities)
        changed[0] = 1
        return changed

    monkeypatch.setattr(crf, "refine", refine)
    monkeypatch.setattr(viewer, "SESSION", prediction.Session())
    viewer.PHOTOS.clear()
    return asked


def predicted(*names, lang="en", **more):
    return heard(viewer.predict(latest(**{"number": 7, "runs": list(names)} | more), Request(lang)))


def pixels(address):
    """A picture that was sent, as numbers."""
    kind, _, content = address.partition(";base64,")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        assert kind == f"data:image/{image.format.lower()}"
        return np.array(image)


def photographed(tmp_path, size=(600, 400), name="street.jpg"):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (*size[::-1], 3), np.uint8)).save(tmp_path / name)
    return heard(viewer.accept(str(tmp_path / name), Request()))["photo"]


# --- label maps


def test_a_model_s_labels_come_as_gray_pictures_of_the_picture_s_size_before_and_after_the_crf():
    directory = done("one", epochs=4, optimizer={"name": "adamw", "lr": 1e-2})
    answer = predicted("one")
    assert (answer["kind"], answer["number"], answer["error"]) == ("predicted", 7, "")
    (result,) = answer["results"]
    before, after = map(pixels, result["maps"])
    assert before.dtype == np.uint8 and before.shape == (48, 64) and not after.any()
    data = runs.opened(directory)
    sample = data.val[runs.description(directory)["samples"][0]]
    model = runs.load(directory)
    assert np.array_equal(before, prediction.predict(model, sample.image).labels) and len(np.unique(before)) > 1
    assert np.array_equal(pixels(answer["truth"]), sample.mask)
    assert result["scores"] == [
        pytest.approx(picture_miou(labels, sample.mask, len(data.classes))) for labels in (before, after)
    ]
    assert result["scores"][0] > result["scores"][1]
    assert [name for _, name in result["classes"]] == list(data.classes) == answer["classes"]
    assert result["classes"][0][0] == "#{:02x}{:02x}{:02x}".format(*data.colors[0])
    assert result["edges"] == result["things"] == [] and result["run"] == "one" and result["ms"] >= 0


def test_results_are_named_as_people_call_the_runs_and_the_vote_comes_last():
    done("one"), done("two", seed=3)
    runs.rename(runs.find("two"), "b<b>")
    answer = predicted("one", "two", vote=True, lang="ko")
    assert [(each["run"], each["name"]) for each in answer["results"]] == [
        ("one", "one"), ("two", "b<b>"), ("", "소프트 보팅")
    ]  # fmt: skip
    assert len(predicted("one", vote=True)["results"]) == 1  # one alone has nobody to vote with


def test_only_the_first_four_models_are_asked():
    names = [done(f"run {n}", seed=n, epochs=1).name for n in range(6)]
    assert [each["run"] for each in predicted(*names)["results"]] == names[:4]
    assert predicted()["results"] == []


def test_the_truth_is_shown_of_the_classes_in_which_a_model_was_trained_alone():
    data = {"name": "streets", "train_images": 8, "val_images": 4, "size": 64}
    done("one", data=data)
    directory = done("two", seed=1)
    content = (directory / "dataset.json").read_text()
    (directory / "dataset.json").write_text(content.replace('"sky"', '"heaven"'))
    announced(directory)
    answer = predicted("one", "two")
    first, second = answer["results"]
    assert first["scores"] and second["scores"] is None
    assert ["heaven" in [name for _, name in each["classes"]] for each in (first, second)] == [False, True]


# --- what a page has, it does not get again


def test_a_page_gets_the_picture_and_its_truth_only_where_it_has_another():
    done("one"), done("two", seed=1)
    first = predicted("one")
    assert pixels(first["image"]).shape == (48, 64, 3) and (first["height"], first["width"]) == (48, 64)
    again = predicted("one", key=first["key"])
    assert "image" not in again and "truth" not in again and again["key"] == first["key"]
    assert again["results"][0]["maps"] == first["results"][0]["maps"]
    other = predicted("one", key=first["key"], picture={"example": 1})
    assert "image" in other and "truth" in other and other["key"] != first["key"]


def test_a_preview_is_smaller_and_another_picture(tmp_path):
    done("one")
    photo = photographed(tmp_path)
    whole, preview = (predicted("one", picture={"photo": photo}, quick=quick) for quick in (False, True))
    assert (whole["width"], whole["height"]) == (480, 320) and (preview["width"], preview["height"]) == (224, 149)
    assert pixels(preview["results"][0]["maps"][0]).shape == (149, 224) and whole["key"] != preview["key"]
    assert whole["truth"] is preview["truth"] is None and whole["results"][0]["scores"] is None


def test_a_large_example_s_truth_and_score_are_of_its_stored_size():
    data = {"name": "streets", "train_images": 8, "val_images": 4, "size": 640}
    directory = done("one", data=data, epochs=1)
    answer = predicted("one")
    assert (answer["width"], answer["height"]) == (480, 360)
    sample = runs.opened(directory).val[runs.description(directory)["samples"][0]]
    assert sample.mask.shape == (480, 640)
    assert np.array_equal(pixels(answer["truth"]), labels_at(sample.mask, 360, 480))
    labels = prediction.predict(runs.load(directory), resize_image(sample.image, 480)).labels
    assert answer["results"][0]["scores"][0] == pytest.approx(picture_miou(labels, sample.mask, 11))


def test_each_model_is_asked_once_and_a_moved_slider_none(monkeypatch, quick_crf):
    for seed, name in enumerate(("one", "two", "three")):
        done(name, seed=seed, epochs=1)
        runs.loaded(name)  # which runs it once
    asked, plain = [], prediction.forward
    monkeypatch.setattr(prediction, "forward", lambda model, *rest: asked.append(model) or plain(model, *rest))
    first = predicted("one", "two", "three", vote=True)
    assert len(asked) == len(set(map(id, asked))) == 3 and len(first["results"]) == 4 == len(quick_crf)
    moved = predicted("one", "two", "three", vote=True, options={"predictors": {"crf": {"w1": 20.0}}})
    assert len(asked) == 3 and [each["ms"] for each in moved["results"]] == [each["ms"] for each in first["results"]]
    assert quick_crf[-1][2].w1 == 20 != quick_crf[0][2].w1 and quick_crf[-1][3] == viewer.DEADLINE
    assert len(predicted("three", "one", vote=True)["results"]) == 3 and len(asked) == 3


def test_steps_before_the_crf_change_the_prediction():
    done("one", epochs=4, optimizer={"name": "adamw", "lr": 1e-2})
    plain, mirrored = predicted("one"), predicted("one", steps=["flips"])
    assert plain["results"][0]["maps"][0] != mirrored["results"][0]["maps"][0]
    wrong = predicted("one", steps=["depth"])
    assert "deep_supervision" in wrong["error"] and wrong["results"] == []


# --- mistakes


def test_why_the_crf_cannot_be_had_is_told_beside_the_models_own_masks(monkeypatch):
    from seglab.errors import SeglabError

    def fails(*_):
        raise SeglabError(crf.ONE_COMMAND)

    monkeypatch.setattr(crf, "refine", fails)
    done("one")
    answer = predicted("one")
    (result,) = answer["results"]
    assert "pydensecrf2" in answer["error"] and result["maps"][0] == result["maps"][1]
    assert result["scores"][0] == result["scores"][1]


def test_the_models_before_one_that_cannot_be_asked_are_shown():
    done("one")
    runs.create(tiny(), "waiting")
    answer = predicted("one", "waiting")
    assert [each["run"] for each in answer["results"]] == ["one"] and "has not started yet" in answer["error"]


@pytest.mark.parametrize("name", ["../x", "/etc", "", None, 3, ["one"], {"a": 1}, "\x00"])
def test_only_runs_on_the_board_are_predicted_with(name):
    done("one")
    answer = predicted(name)
    assert "There is no run" in answer["error"] and answer["results"] == []
    assert str(runs.CHECKPOINTS) not in answer["error"]


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"options": {"predictors": {"crf": {"theta_beta": 0}}}}, "theta_beta"),
        ({"options": {"predictors": {"crf": {"iterations": "nan"}}}}, "iterations"),
        ({"steps": ["magic"]}, "magic"),
        ({"picture": {"photo": "0" * 24}}, "not on the server any more; upload it again"),
        ({"picture": {"photo": "../../etc/passwd"}}, "not on the server any more"),
    ],
)
def test_a_mistake_is_told_and_gives_no_result(more, words):
    done("one")
    answer = predicted("one", **more)
    assert words in answer["error"] and answer["results"] == [] and "image" not in answer


NONSENSE = [None, 3, True, [], {}, "x", [["y"]], {"example": "x"}, {"photo": 3}, {"example": -1}]


@pytest.mark.parametrize("field", ["runs", "picture", "quick", "key", "steps", "options", "vote", "number", "visitor"])
def test_nonsense_in_any_field_is_told_and_never_an_exception(field):
    done("one")
    for nonsense in NONSENSE:
        answer = heard(viewer.predict(latest(**{"runs": ["one"], "number": 1} | {field: nonsense}), Request()))
        assert answer["kind"] == "predicted" and (answer["results"] or answer["error"] or field == "runs")


# --- photographs


def test_a_photograph_is_remembered_under_a_name_that_nobody_guesses(tmp_path):
    done("one")
    one, two = photographed(tmp_path), photographed(tmp_path, name="other.png")
    assert one != two and len(one) == 24 and str(tmp_path) not in one
    (tmp_path / "street.jpg").unlink()  # as the broom does
    assert "upload it again" in predicted("one", picture={"photo": one})["error"]


def test_what_is_no_photograph_is_refused_without_its_place(tmp_path):
    (tmp_path / "no.jpg").write_bytes(b"hello")
    answer = heard(viewer.accept(str(tmp_path / "no.jpg"), Request()))
    assert "no.jpg" in answer["error"] and str(tmp_path) not in answer["error"] and "photo" not in answer


def test_the_photographs_of_longest_ago_are_forgotten(tmp_path, monkeypatch):
    monkeypatch.setattr(viewer, "MOST_PHOTOS", 2)
    names = [photographed(tmp_path, (8, 8), f"{n}.png") for n in range(3)]
    assert list(viewer.PHOTOS) == names[1:]


# --- examples and controls


def test_examples_are_those_of_the_first_model_and_none_where_its_data_has_gone(tmp_path, monkeypatch):
    directory = done("one")
    assert len(viewer.examples(directory)) == 2
    with Image.open(io.BytesIO(viewer.thumbnail(directory, 0))) as image:
        assert max(image.size) <= 120
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path))
    gone = runs.create(tiny(data="camvid"), "gone")
    assert viewer.examples(gone) == []


@pytest.mark.parametrize("lang, words", [("en", "Soft voting"), ("ko", "소프트 보팅")])
def test_the_controls_have_every_predictor_and_the_crf_s_sliders(lang, words):
    html = viewer.html(lang)
    assert words in html and html.count('name="step"') == len(viewer.steps())
    assert "crf" not in viewer.steps() and html.count('type="range"') > 4
    assert {each["name"] for each in viewer.crf().offered} <= {
        name.partition('"')[0] for name in html.split('data-option="')[1:]
    }
