"""The Train tab: what the form is told, and what it begins; without a browser."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from seglab import jobs, plans, runs, schedulers, uploads
from seglab.anatomy.numbers import anatomy
from seglab.config import RunConfig, configured
from seglab.data.folder import Folder
from seglab.errors import SeglabError
from seglab.ui import form, views
from seglab.ui.parts import train
from seglab.ui.visitors import Visitor
from tests.page import ADA, SMALL, Event, Request, heard, latest, state
from tests.test_uploads import GOOD, IMAGE, MASK, packed, png


def look(what, given=None, lang="en", **more):
    """What one of the form's foldable parts shows."""
    answer = heard(train.look(Event(state(given, what=what, **more)), Request(lang)))
    assert answer["kind"] == "html" and answer["what"] == what
    return answer["html"]


def foreseen(given=None, handler=train.foresee, **more):
    return heard(handler(latest(**state(given, **more)), Request()))


def begun(given=None, lang="en", **more):
    answer = heard(train.begin(Event(state(given, **more)), Request(lang)))
    assert answer.pop("kind") == "begun"
    return answer


# --- before anything begins


def test_the_form_is_told_how_many_runs_it_asks_for_and_the_command_that_makes_them():
    told = foreseen({"model": "unet,segnet", "epochs": "3"})
    assert told["count"] == 2 and told["command"].startswith("seglab plan sweep ") and "error" not in told
    assert told["seconds"] is None and told["timing"]  # nobody knows; it will be measured
    assert foreseen({"plan": "folds", "plan.folds.k": "4"})["count"] == 4
    assert not runs.home().exists()


def test_the_time_is_known_from_runs_of_the_same_kind():
    directory = runs.create(configured(form_config(SMALL)), "first")
    list(runs.work(directory))
    pace = runs.last_word(directory).seconds
    told = foreseen(SMALL | {"seed": "1,2,3"})
    assert told["count"] == 3 and told["seconds"] == pytest.approx(3 * pace, rel=0.2) and not told["timing"]


def form_config(given):
    return form.asked(state(given)).configs[0].model_dump()


def test_a_mistake_is_told_where_runs_are_foreseen_and_not_begun():
    for given, words in (
        ({"epochs": "0"}, "1 or more"),
        ({"image_size": "8"}, "image_size"),
        ({"model.unet.width": "1,2"}, "4 or more"),
        ({"scheduler": "poly", "scheduler.poly.warmup": "500"}, "warmup"),
    ):
        assert words in foreseen(given)["error"]
        refused = begun(given)
        assert refused["runs"] == [] and refused["messages"][0][0] == "wrong" and words in refused["messages"][0][1]
    assert not runs.home().exists()


def test_what_nobody_knows_of_the_time_is_measured_and_on_a_busy_server_left_open(monkeypatch):
    asked = []
    monkeypatch.setattr(plans, "timed_apart", lambda configs: asked.append(len(configs)) or [(1.0, 2.0)] * len(configs))
    told = foreseen(SMALL, train.measure)
    assert told["seconds"] > 0 and asked == [1] and not told["timing"]
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    jobs.submit([configured(form_config(SMALL))])
    busy = foreseen(SMALL | {"model.unet.width": "5"}, train.measure)
    assert busy["seconds"] is None and not busy["timing"] and asked == [1]
    assert not foreseen(SMALL | {"model.unet.width": "5"})["timing"]


@pytest.mark.slow
def test_the_time_is_measured_before_anything_is_made():
    told = foreseen(SMALL | {"plan": "seeds", "plan.seeds.count": "2"}, train.measure)
    assert told["count"] == 2 and told["seconds"] > 0 and not runs.home().exists()


def test_more_than_a_server_allows_is_told_before_it_begins(monkeypatch):
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    assert "more than this server allows" in foreseen({"image_size": "1024"})["error"]
    assert begun({"image_size": "1024"})["runs"] == []


# --- what begins


def test_a_run_goes_into_the_queue_and_is_its_visitors():
    told = begun(SMALL)
    (directory,) = jobs.waiting()
    assert told["runs"] == [directory.name] and told["messages"][0][0] == "right"
    label, config = runs.label(directory), runs.config(directory)
    assert label.owner == Visitor.of(ADA).owner and label.name == "unet #1"
    assert (config.model.width, config.epochs, config.data.train_images) == (4, 1, 8)


def test_what_varies_goes_into_the_queue_as_a_plan_named_by_what_sets_its_runs_apart():
    told = begun(SMALL | {"loss": "dice,focal"})
    names = [path.name for path in jobs.waiting()]
    assert told["runs"] == names and [runs.label(each).name for each in jobs.waiting()] == ["dice #1", "focal #2"]
    (plan,) = plans.every()
    assert [directory.name for directory, _ in plans.members(plan)] == names
    assert [runs.config(each).loss.name for each in jobs.waiting()] == ["dice", "focal"]


def test_the_runs_of_a_plan_go_into_the_queue_in_their_order():
    begun(SMALL | {"plan": "folds", "plan.folds.k": "3", "plan.folds.leak_by_mistake": "true"})
    first, second, third = map(runs.config, jobs.waiting())
    assert (first.fold.index, second.fold.index, third.fold.index) == (0, 1, 2) and first.model.width == 4
    assert second.needs == (jobs.waiting()[0],) and jobs.next_run() == jobs.waiting()[0]


def test_what_is_wrong_with_a_plan_s_data_is_told_before_its_runs_are_made():
    refused = begun(SMALL | {"plan": "folds", "plan.folds.k": "9"})
    assert refused["runs"] == [] and "too few for 9 folds" in refused["messages"][0][1] and not runs.home().exists()


def test_data_that_is_missing_is_told_at_once_and_not_by_a_run_that_fails(monkeypatch, tmp_path):
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path))
    (tmp_path / "camvid").mkdir()
    refused = begun({"data": "camvid"})
    assert refused["runs"] == [] and "camvid" in refused["messages"][0][1] and str(tmp_path) not in str(refused)
    assert not runs.home().exists()


def test_a_plan_can_be_made_of_uploaded_pictures(tmp_path):
    reference = uploads.take(packed(tmp_path / "mine.zip", GOOD))
    sent = state(SMALL | {"data": "folder", "plan": "seeds", "plan.seeds.count": "2"})
    sent["options"]["data"]["folder"]["upload"] = reference
    assert len(heard(train.begin(Event(sent), Request()))["runs"]) == 2
    assert [runs.config(directory).data.root for directory in jobs.waiting()] == [uploads.found(reference)] * 2


@pytest.mark.parametrize("nonsense", [None, [], "x", 3, {"picked": 3}, {"options": {"run": {"run": {"epochs": []}}}}])
def test_nonsense_is_told_and_never_an_exception(nonsense):
    for answer in (
        *(heard(handler(Event(nonsense), Request())) for handler in (train.look, train.begin)),
        heard(train.foresee(json.dumps(nonsense), Request())),
        heard(train.foresee(str(nonsense), Request())),  # no JSON
    ):
        assert answer["kind"] in ("foreseen", "html", "begun")
    for what in (None, 3, "erase", ["cards"], "__class__"):
        assert heard(train.look(Event(state(what=what)), Request()))["html"] == ""


# --- the networks' cards


def test_a_network_s_card_has_its_numbers_its_source_and_its_picture():
    card = look("cards", {"model.unet.width": "8", "image_size": "100"})
    assert "486,643" in card and "for an image of 128 × 128 pixels" in card and "204 pixels" in card
    assert re.search(r"\d\.\d ms", card) and 'href="https://arxiv.org/abs/1505.04597"' in card
    assert "<svg" in card and ">1/16<" in card and "Concatenation" in card and "addition" not in card
    card = look("cards", {"model": "deeplab_v3"})
    assert "The whole image" in card and "Global pooling" in card


def test_every_network_that_varies_has_a_card_and_none_has_two(monkeypatch):
    monkeypatch.setattr(views, "milliseconds", lambda model, side: 1.0)
    before = anatomy.cache_info().misses
    assert look("cards", {"model.unet.width": "5", "epochs": "1,2", "seed": "1,2"}).count("<svg") == 1
    assert anatomy.cache_info().misses == before + 1  # not one for each run
    assert look("cards", {"model": "unet,segnet", "model.unet.width": "5,6"}).count("<svg") == 3
    assert anatomy.cache_info().misses == before + 3
    look("cards", {"model": "unet,segnet", "model.unet.width": "5,6"})
    assert anatomy.cache_info().misses == before + 3


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"model.unet.width": "1"}, "4 or more"),
        ({"model.unet.width": "8.5"}, "width"),
        ({"model": "smp", "model.smp.encoder": "resnet<b>"}, "resnet&lt;b&gt;"),
        ({"image_size": "5"}, "32 or more"),
    ],
)
def test_what_is_wrong_with_a_network_s_options_stands_in_the_place_of_its_card(given, words):
    card = look("cards", given)
    assert "wrong" in card and words in card and "<svg" not in card


def test_a_network_s_card_does_not_depend_on_data_being_here(monkeypatch):
    monkeypatch.setattr(type(configured({"data": "voc2012"}).data), "here", False)
    assert "<svg" in look("cards", {"data": "voc2012", "model.unet.width": "4"})
    assert "<svg" in look("schedule", {"data": "voc2012"})
    assert "not on this server" in look("inside", {"data": "voc2012"})


def test_a_large_network_is_timed_only_when_asked(monkeypatch):
    monkeypatch.setattr(views, "milliseconds", lambda model, side: 1234.5)
    large = {"model.unet.width": "128", "image_size": "128"}
    assert "Measure here" in look("cards", large)
    assert "1234.5 ms" in look("cards", large, timed=["unet"])
    assert "Measure here" in look("cards", large, timed=["segnet"]) and "Measure here" in look("cards", large, timed=3)
    assert "1234.5 ms" in look("cards", {"model.unet.width": "4"})
    assert "Too large" in look("cards", large | {"image_size": "1024"}, timed=["unet"])


# --- the schedule


def test_the_schedule_is_drawn_once_for_each_that_differs(monkeypatch):
    drawn = []
    whole = schedulers.curve
    monkeypatch.setattr(schedulers, "curve", lambda *given: drawn.append(given[1:]) or whole(*given))
    views.schedule_svg.cache_clear()
    constant = look("schedule")
    assert constant.count("<svg") == 1 and "Learning rate" in constant and drawn == [(1e-3, 100, 5)]
    changes = [
        {"scheduler": "step", "scheduler.step.step_size": "1"},
        {"scheduler": "step", "scheduler.step.step_size": "2"},
        {"lr": "0.5"},
        {"optimizer": "sgd", "lr": "0.01"},
        {"epochs": "9"},
        {"scheduler.constant.warmup": "2"},
    ]
    found = [look("schedule", given) for given in changes]
    assert len({constant, *found}) == 7 and all("<svg" in each for each in found)
    assert look("schedule", {"seed": "5"}) == constant and len(drawn) == 7


def test_the_drawn_schedule_has_the_epochs_below_and_the_rates_beside_it():
    picture = look("schedule", {"scheduler": "multi_step", "scheduler.multi_step.milestones": "2, 6"}, "ko")
    assert "학습률" in picture and "에폭" in picture and "rate" not in re.sub("<svg.*", "", picture, flags=re.DOTALL)
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
    assert {"0", "1", "2", "3", "4", "5", "0.001", "0.0002"} <= set(texts)


def test_what_nobody_knows_of_a_schedule_is_told_and_so_is_a_mistake():
    page = look("schedule", {"scheduler": "plateau"})
    assert "<svg" not in page and "not known before training" in page
    assert ["time limit" in look("schedule", {"budget_seconds": text}) for text in ("60", "")] == [True, False]
    for given, words in (
        ({"scheduler": "step", "scheduler.step.step_size": "0"}, "step_size: 0 is too small"),
        ({"scheduler": "multi_step", "scheduler.multi_step.milestones": "3, soon"}, "soon"),
        (
            {"scheduler": "multi_step", "scheduler.multi_step.milestones": " , "},
            "milestones: 0 given; allowed: 1 or mo",
        ),
        (
            {"scheduler": "poly", "scheduler.poly.warmup": "5"},
            "scheduler.warmup: 5 epochs are as long as the whole run",
        ),
        ({"lr": ""}, "lr: "),
        ({"epochs": "0"}, "epochs: 0 is too small"),
    ):
        assert words.lower() in look("schedule", given).lower(), given


# --- the preview


def test_a_preview_builds_no_network(monkeypatch):
    monkeypatch.setattr("seglab.architectures.unet.UNet.build", None)
    small = {"data": "streets", "data.streets.train_images": "8", "data.streets.val_images": "4"}
    small |= {"data.streets.size": "64"}
    shown = look("preview", small | {"techniques": "flip cutmix"})
    assert shown.count("<img") == 12 and "building" in shown and ">Before<" in shown
    stressed = look("preview", small | {"loss": "border_weighted", "techniques": ""})
    assert stressed.count("<img") == 18 and ">Emphasized by the loss<" in stressed
    for techniques, words in (("ema", "No technique that changes images"), ("", "these do: flip")):
        assert words in look("preview", small | {"techniques": techniques})
    alone = small | {"batch_size": "1", "techniques": "cutmix"}
    assert "batch_size must be 2 or more" in look("preview", alone)
    assert "batch_size)가 2 이상" in look("preview", alone, "ko")


# --- what is in the data


def test_what_is_in_the_data_is_shown(monkeypatch):
    asked = []
    whole = views.survey
    monkeypatch.setattr(views, "survey", lambda data, most, **rest: asked.append(len(data.train)) or whole(data, most))
    small = {"data": "streets", "data.streets.train_images": "5", "data.streets.val_images": "4"}
    small |= {"data.streets.size": "64"}
    shown = look("inside", small)
    assert asked == [5] and shown.count("<img") == 5
    assert "5 for training (train), 2 for model selection (search)" in shown
    assert "64 × 48" in shown and shown.count('class="bar"') == 11 and "Based on" not in shown
    assert "train_images: 1 is too small" in look("inside", small | {"data.streets.train_images": "1"})
    assert asked == [5]


def test_the_shares_on_the_page_are_those_of_the_masks(tmp_path):
    for part, count in (("train", 3), ("val", 2)):
        for name in map(str, range(count)):
            for kind in ("images", "masks"):
                (tmp_path / kind / part).mkdir(parents=True, exist_ok=True)
            labels = np.zeros((8, 10), np.uint8)
            labels[:2], labels[7] = 1, 255 if part == "train" else 0
            Image.fromarray(labels).save(tmp_path / "masks" / part / f"{name}.png")
            Image.new("RGB", (10, 8), (1, int(name), count)).save(tmp_path / "images" / part / f"{name}.png")
    (tmp_path / "classes.txt").write_text("sky\n<b>cat</b>\nghost\n")
    page = views.inside(Folder(root=tmp_path), "en")
    assert re.findall(r'class="n">([^<]*)</td>', page) == [
        *("71.4%", "75.0%", "75.0%"),  # 50 of 70 pixels, and 60 of 80
        *("28.6%", "25.0%", "25.0%"),
        *("–", "–", "–"),
    ]
    assert "<b>cat" not in page and "&lt;b&gt;cat" in page and "7.5%" in page  # void: 30 of 400
    assert "No training mask shows ghost" in page
    for name in ("0", "2"):
        (tmp_path / "masks" / "train" / f"{name}.png").write_bytes(b"")
    with pytest.raises(SeglabError) as caught:
        views.inside(Folder(root=tmp_path), "ko")
    page = views.wrong(caught.value, "ko")
    assert page.count('class="message wrong"') == 2 and "<table" not in page and "masks/train/2.png" in page


# --- uploads


def test_an_upload_is_shown_as_the_visitors_zip_without_its_place(tmp_path):
    reference = uploads.take(packed(tmp_path / "mine.zip", GOOD))
    sent = state({"data": "folder"}, what="inside")
    sent["options"]["data"]["folder"]["upload"] = reference
    page = heard(train.look(Event(sent), Request()))["html"]
    assert reference not in page and str(uploads.home()) not in page and "the data source folder is your zip" in page
    sent["picked"]["data"] = ["streets"]
    assert "your zip" not in heard(train.look(Event(sent), Request()))["html"]
    nothing = look("inside", {"data": "folder"})
    assert "upload a zip of them" in nothing and "wrong" not in nothing  # it is no mistake


def test_the_files_of_an_upload_are_called_as_in_the_zip(tmp_path):
    files = {f"mine/{name.replace('/', '/train/')}": content for name, content in GOOD.items()}  # four equal images
    files["mine/images/train/a.png"] = png(np.zeros((8, 8, 3), np.uint8))
    files |= {"mine/images/val/<b>.png": GOOD["images/b.png"], "mine/masks/val/<b>.png": MASK}
    dataset = Folder(root=uploads.found(uploads.take(packed(tmp_path / "mine.zip", files))))
    page = views.inside(dataset, "en")
    assert "Paired by name: mine/images/…/NAME.png + mine/masks/…/NAME.png" in page
    copies = "mine/images/train/b.png, mine/images/train/c.png, mine/images/train/d.png, mine/images/val/&lt;b&gt;.png"
    assert f"occur more than once: 1, such as {copies}" in page
    assert "validation: 1, such as mine/images/train/b.png = mine/images/val/&lt;b&gt;.png" in page
    assert page.count('title="mine/images/train/') == 4 and 'title="mine/images/train/c.png"' in page
    assert "<b>" not in page and not re.search(r'(title="|/train/|/val/)0', page)
    two = {"root": dataset.root, "classes": ("x", "y")}
    config = RunConfig(data={"name": "folder", **two}, techniques=["flip"])
    for shown in (lambda: views.inside(Folder(**two), "en"), lambda: views.preview(config, "en")):
        with pytest.raises(SeglabError) as caught:
            shown()
        assert "mine/masks/train/a.png: contains 2" in views.wrong(caught.value, "en")
        assert "mine/masks/train/a.png: contains 2" in views.refusal(caught.value, "en")


def test_a_zip_that_is_refused_leaves_the_upload_before_it(tmp_path):
    good, bad = packed(tmp_path / "good.zip", GOOD), packed(tmp_path / "bad.zip", GOOD | {"images/z.png": IMAGE})
    taken = heard(train.accept(str(good), latest(**state()), Request()))
    assert taken["kind"] == "uploaded" and taken["html"].count('class="bar"') == 3
    assert uploads.found(taken["reference"]).is_dir()
    refused = heard(train.accept(str(bad), latest(**state()), Request()))
    assert refused["reference"] == "" and "was not accepted" in refused["html"]  # and the page keeps what it has
    assert "images/z.png: its mask is missing" in refused["html"] and str(tmp_path) not in refused["html"]


@pytest.mark.parametrize("sent", [None, "x", [], {"options": 3}, {"options": {"data": {"folder": {"classes": {}}}}}])
def test_a_zip_is_taken_or_refused_whatever_the_page_sends_beside_it(tmp_path, sent):
    answer = heard(train.accept(str(packed(tmp_path / "good.zip", GOOD)), json.dumps(sent), Request()))
    assert answer["kind"] == "uploaded" and answer["html"]
