"""What the page's handlers give, without a browser."""

import json
import re

import numpy as np
import pytest

from seglab import jobs, runs
from seglab.entry import SeglabError
from seglab.ui import compare, predict, train, views
from seglab.ui.form import Form
from tests.conftest import tiny


class Request:
    query_params, headers = {}, {"accept-language": "en"}


class Pressed:
    def __init__(self, run, action):
        self.run, self.action = run, action


def done(name, **options):
    directory = runs.create(tiny(**options), name)
    list(runs.work(directory))
    return directory


def looked(names, seen=None, epoch=train.LATEST):
    return train.look(names, epoch, seen or {}, Request())


def test_nothing_is_sent_again_that_has_not_changed():
    done("one")
    first = looked(["one"])
    second = looked(["one"], first[-1])
    assert "one" in first[1] and "<svg" in first[2] and "<img" in first[4]
    assert all(part == {"__type__": "update"} for part in second[:5])
    done("two")
    third = looked(["one", "two"], second[-1])
    assert "two" in third[1] and third[2].count("<svg") == 5


def test_masks_of_a_run_that_comes_later_to_an_epoch_appear():
    done("first", epochs=2)
    later = runs.create(tiny(epochs=2, seed=1), "later")
    seen = looked(["first", "later"])[-1]
    assert looked(["first", "later"], seen)[4] == {"__type__": "update"}
    stream = runs.work(later)
    while not (later / "samples" / "epoch_001").exists():
        next(stream)
    assert "later" not in seen["samples"] and "<img" in looked(["first", "later"], seen)[4]
    stream.close()


def test_the_masks_of_an_epoch_that_was_picked_stay_while_training_goes_on():
    done("long", epochs=3)
    parts = looked(["long"], epoch="epoch_002")
    assert "epoch 2" in parts[4] and [name for _, name in parts[3].choices][1:] == [
        "epoch_001",
        "epoch_002",
        "epoch_003",
    ]
    assert "epoch 3" in looked(["long"], epoch="../../etc")[4]


def test_without_the_crf_the_models_masks_are_shown_and_what_is_missing_is_told(monkeypatch):
    done("one")
    monkeypatch.setattr(predict.crf, "missing", lambda: predict.crf.MISSING)
    legend, caption, *_, message = predict.painted(["one"], 0, {}, "en")
    assert "building" in legend and "one" in caption and "pydensecrf2" in message


def test_a_damaged_run_is_told_and_the_others_go_on():
    done("good")
    torn = done("torn")
    (torn / "events.jsonl").write_bytes(b"?" + (torn / "events.jsonl").read_bytes())
    parts = looked(["good", "torn"])
    assert "events.jsonl is damaged" in parts[1] and "good" in parts[1]
    assert "<svg" in parts[2] and "torn" not in parts[2]  # a word that is no part of a random hexadecimal name


def test_names_that_a_page_made_up_do_nothing():
    done("real")
    assert "real" in looked(["real", "../../etc", None])[1]
    for run, action in (("nothing", "stop"), ("real", "delete"), ("../real", "stop"), (None, None)):
        assert "wrong" in train.act(Pressed(run, action), Request())
    assert runs.status(runs.find("real")).state == "completed"


def test_only_runs_on_offer_are_predicted_with(tmp_path):
    done("one").rename(tmp_path / "elsewhere")
    jobs.submit([tiny()])
    for name in (str(tmp_path / "elsewhere"), str(runs.CHECKPOINTS / "unet"), runs.every()[0].name, None, "../x"):
        parts = predict.painted([name], 0, {"name": "crf"}, "en")
        assert "there is no run" in parts[-1] and str(runs.CHECKPOINTS) not in parts[-1].replace(str(name), "")


def test_each_list_of_classes_has_its_legend():
    done("one")
    legend = predict.painted(["unet", "one"], 0, {"name": "crf"}, "en")[0]
    assert legend.count("sky") == 1


def test_masks_stay_when_the_data_has_gone(tmp_path):
    from seglab.data.images import write_mask

    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for n in range(8):
        labels = (np.arange(64 * 64).reshape(64, 64) // (5 + n) % 2).astype(np.uint8)
        write_mask(tmp_path / "data" / "masks" / f"{n}.png", labels, [(0, 0, 0), (255, 0, 0)])
        write_mask(tmp_path / "data" / "images" / f"{n}.png", labels, [(0, 0, 0), (255, 0, 0)])
    both = [done(name, data={"name": "folder", "root": str(tmp_path / "data")}) for name in ("one", "two")]
    whole = views.samples(both, None, "en")
    views.originals.cache_clear()
    (tmp_path / "data").rename(tmp_path / "gone")
    left = views.samples(both, None, "en")
    assert whole.count("sample-row") == 4 and left.count("sample-row") == 3 and ">truth<" in left


@pytest.mark.parametrize(
    ("folder", "words"),
    [
        ("epoch_003", "3"),
        ("epoch_010", "10"),
        ("epoch_000.30", "0.3"),
        ("epoch_1000", "1000"),
        ("epoch_012.50", "12.5"),
    ],
)
def test_epochs_are_read_as_numbers(folder, words):
    assert views.epoch_of(folder) == words


def test_the_thousandth_epoch_is_later_than_the_one_before():
    assert sorted(["epoch_1000", "epoch_999", "epoch_999.50"], key=views.epoch_number)[-1] == "epoch_1000"


def test_what_a_person_named_is_escaped():
    directory = runs.home() / "x<img src=1 onerror=alert(1)>"
    directory.mkdir(parents=True)
    (directory / "config.json").write_text(tiny().model_dump_json())
    shown = "".join(str(part) for part in looked([directory.name])[1:3])
    assert "<img src=1" not in shown and "&lt;img" in shown
    assert "<script>" not in views.legend(["<script>"], [(1, 2, 3)], "en")


def test_stopping_and_resuming_from_the_page():
    (directory,) = jobs.submit([tiny()])
    assert train.act(Pressed(directory.name, "stop"), Request()) == ""
    assert runs.status(directory).state == "stopped" and jobs.queue() == []
    assert train.act(Pressed(directory.name, "resume"), Request()) == ""
    assert runs.status(directory).state == "queued" and jobs.queue() == [directory]


def test_masks_can_be_seen_after_any_epoch():
    directory = done("one", epochs=3)
    assert views.epochs([directory]) == ["epoch_001", "epoch_002", "epoch_003"]
    latest, first = (views.samples([directory], epoch, "en") for epoch in (None, "epoch_001"))
    assert "epoch 3" in latest and "epoch 1" in first and latest.count("<img") == first.count("<img")


def test_the_scoreboard_shows_only_what_differs():
    runs_ = [done("one"), done("two", seed=3)]
    board = views.scoreboard(views.stamp(runs_), "en")
    section = board[board.index("What differs") :]
    assert re.findall(r"<code>(\w+)</code>", section) == ["seed"]
    assert '<td class="n"><b>' in board and "cannot be compared" not in compare.show(["one", "two"], Request())[0]
    done("three", data={"name": "streets", "train_images": 8, "val_images": 6, "size": 64})
    warning, _, board = compare.show(["one", "two", "three"], Request())
    assert "cannot be compared" in warning and '<td class="n"><b>' not in board


def test_compare_offers_runs_that_have_weights():
    done("one")
    runs.create(tiny(), "waiting")
    names = [directory.name for directory in compare.trained()]
    assert "one" in names and "waiting" not in names
    _, curves, scores = compare.show(["one", "waiting", "../one"], Request())
    assert "<svg" in curves and "one" in scores and "waiting" not in scores
    assert "Pick" in compare.show([], Request())[0]


@pytest.fixture(scope="module")
def form():
    import gradio as gr

    with gr.Blocks():
        return Form()


def filled(form, **changes):
    values = {control: control.value for control in form.inputs()}
    return values | changes


def test_the_form_as_it_opens_is_the_default_configuration(form):
    from seglab.config import RunConfig

    assert form.configs(filled(form)) == [RunConfig()]


def test_every_option_of_every_entry_that_is_no_path_has_a_control(form):
    from seglab.entry import FAMILIES

    for choice in (form.models, form.data, form.loss, form.scheduler, form.optimizer, form.techniques):
        for name, controls in choice.entries.items():
            schema = controls.entry.model_json_schema()["properties"]
            plain = {option for option, kind in schema.items() if not re.search("path|array", json.dumps(kind))}
            assert set(controls.controls) == plain, name
    assert set(form.models.entries) == set(FAMILIES["architectures"].entries)
    assert set(form.techniques.entries) == set(FAMILIES["techniques"].entries)


def test_the_form_gives_one_configuration_for_each_model(form):
    width = form.models.entries["encoder_decoder"].controls["width"]
    values = filled(form) | {form.models.picker: ["unet", "encoder_decoder"], width: 8}
    values |= {form.loss.picker: ["dice"], form.techniques.picker: ["flip", "ema"], form.scalars["epochs"]: 3}
    one, two = form.configs(values)
    assert (one.model.name, two.model.name, two.model.width) == ("unet", "encoder_decoder", 8)
    assert one.loss.name == "dice" and [each.name for each in one.techniques] == ["flip", "ema"] and one.epochs == 3
    assert one.model_copy(update={"model": two.model}) == two


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, ["epochs", "1 or more"]),
        ("epochs", float("nan"), ["epochs"]),
        ("epochs", "many", ["epochs", "many"]),
        ("image_size", True, ["image_size"]),
        ("budget_seconds", -3, ["budget_seconds", "more than 0"]),
        ("seed", [1], ["seed"]),
    ],
)
def test_a_value_that_no_run_allows_is_refused(form, field, value, words):
    with pytest.raises(SeglabError) as caught:
        form.configs(filled(form) | {form.scalars[field]: value})
    for word in words:
        assert word in str(caught.value)


def test_a_form_without_a_model_or_with_an_unknown_one_is_refused(form):
    for picked, word in (([], "at least one model"), (["unte"], "did you mean 'unet'")):
        with pytest.raises(SeglabError, match=word):
            form.configs(filled(form) | {form.models.picker: picked})
    with pytest.raises(SeglabError, match="at least one loss"):
        form.configs(filled(form) | {form.loss.picker: []})
    with pytest.raises(SeglabError, match="no 'magic' among the losses"):
        form.configs(filled(form) | {form.loss.picker: ["magic"]})


def test_a_prediction_is_painted_before_and_after_the_crf_with_its_score():
    done("one", epochs=4, optimizer={"name": "adamw", "lr": 1e-2})
    legend, caption, *_ = painted = predict.painted(["one"], 0, {}, "en")
    assert "building" in legend and re.search(r"0\.\d+ → 0\.\d+", caption)
    slider = painted[1 + predict.MODELS]
    before, after = slider.value if hasattr(slider, "value") else slider["value"]
    assert before != after and painted[-1] == ""


def test_a_mistake_on_the_predict_tab_leaves_what_was_there():
    done("one")
    for names, options in ((["gone"], {}), (["one"], {"theta_beta": 0}), (["one"], {"iterations": float("nan")})):
        parts = predict.painted(names, 0, options, "en")
        assert "wrong" in parts[-1] and all(part == {"__type__": "update"} for part in parts[:-1])


def test_what_is_typed_beside_a_slider_counts_as_what_the_slider_then_shows(form):
    slider = form.models.entries["unet"].controls["width"]
    assert [slider.preprocess(value) for value in (0, 8, 500)] == [slider.minimum, 8, slider.maximum]


@pytest.mark.parametrize(
    ("field", "value", "words"), [("epochs", 2.5, "whole number"), ("batch_size", None, "no value")]
)
def test_a_number_that_the_form_shows_is_never_replaced_silently(form, field, value, words):
    values = {control: control.value for control in form.inputs()} | {form.scalars[field]: value}
    values[form.scalars[field]] = form.scalars[field].preprocess(value)
    with pytest.raises(SeglabError, match=f"{field}: .*{words}"):
        form.configs(values)


def test_a_network_s_card_has_its_numbers_its_source_and_its_picture():
    card = train.described({"name": "unet", "width": 8}, 100, "en", False)
    assert "486,643" in card and "for an image of 128 × 128 pixels" in card and "204 pixels" in card
    assert re.search(r"\d\.\d ms", card) and 'href="https://arxiv.org/abs/1505.04597"' in card
    assert "<svg" in card and ">1/16<" in card and "joined by concatenation" in card and "addition" not in card
    card = train.described({"name": "deeplab_v3"}, 100, "en", False)
    assert "the whole image" in card and "pooled from the whole map" in card


def test_what_is_wrong_with_a_network_s_options_stands_in_its_card():
    for model, side, words in (
        ({"name": "unet", "width": 1}, 128, "4 or more"),
        ({"name": "unet", "width": 8.5}, 128, "width"),
        ({"name": "smp", "encoder": "resnet<b>"}, 128, "resnet&lt;b&gt;"),
        ({"name": "unet"}, 5, "32 or more"),
    ):
        card = train.described(model, side, "en", False)
        assert "wrong" in card and words in card and "<svg" not in card


def test_a_large_network_is_timed_only_when_asked(monkeypatch):
    monkeypatch.setattr(views, "milliseconds", lambda model, side: 1234.5)
    large = {"name": "unet", "width": 128}
    assert "Measure here" in train.described(large, 128, "en", False)
    assert "1234.5 ms" in train.described(large, 128, "en", True)
    assert "1234.5 ms" in train.described({"name": "unet", "width": 4}, 128, "en", False)
    assert "too large" in train.described(large, 1024, "en", True)  # seconds, and gigabytes that the page needs


def test_cards_are_made_when_they_are_opened_and_kept(monkeypatch):
    import gradio as gr

    from seglab.anatomy import anatomy

    monkeypatch.setattr(views, "milliseconds", lambda model, side: 1.0)
    before = anatomy.cache_info().misses
    with gr.Blocks() as page:
        monkeypatch.setattr(train, "Form", lambda: form)
        form = Form()
        train.build()
    assert anatomy.cache_info().misses == before  # a page that opens costs nothing
    handlers = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    unet, values = form.models.entries["unet"], filled(form)
    (opened,) = (each for each in page.blocks.values() if isinstance(each, gr.State) and each.value == [])
    values |= {opened: [], unet.controls["width"]: 5}

    class Opened:
        target = unet.about

    names, *cards = handlers["expand"](values, Opened(), Request())
    shown = [name for name, card in zip(form.models.entries, cards, strict=True) if isinstance(card, str)]
    assert names == shown == ["unet"] and anatomy.cache_info().misses == before + 1
    nothing = handlers["change"](values, Request())
    assert not [card for card in nothing if isinstance(card, str)]
    values |= {opened: ["unet"], unet.controls["width"]: 6}
    assert "<svg" in handlers["change"](values, Request())[list(form.models.entries).index("unet")]
    handlers["change"](values, Request())
    assert anatomy.cache_info().misses == before + 2
    assert handlers["collapse"](["unet", "fcn"], Opened()) == ["fcn"]
