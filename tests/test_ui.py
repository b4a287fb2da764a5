"""What the page's handlers give, without a browser."""

import json
import re

import numpy as np
import pytest
from PIL import Image

from seglab import crf, draw, export, jobs, plans, runs
from seglab.comparison.scores import compare as compared
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Plan
from seglab.ui import compare, predict, train, views
from seglab.ui.form import Form
from tests.conftest import finish, tiny


class Request:
    query_params, headers = {}, {"accept-language": "en"}


class Pressed:
    def __init__(self, run, action):
        self.run, self.action = run, action


def done(name, **options):
    return finish(runs.create(tiny(**options), name))


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
    parts = looked(["long"], epoch=2)
    assert "Epoch 2" in parts[4] and parts[3].choices[1:] == [("1", 1), ("2", 2), ("3", 3)]
    assert "Epoch 3" in looked(["long"], epoch="../../etc")[4]


def test_without_the_crf_the_models_masks_are_shown_and_what_is_missing_is_told(monkeypatch):
    done("one")
    monkeypatch.setattr(crf, "missing", lambda: SeglabError(crf.ONE_COMMAND))
    legend, caption, *_, message = predict.painted(["one"], predict.Example(0), {}, "en")
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
        parts = predict.painted([name], predict.Example(0), {"name": "crf"}, "en")
        assert "There is no run" in parts[-1] and str(runs.CHECKPOINTS) not in parts[-1].replace(str(name), "")


def test_a_plan_is_picked_to_compare_and_not_to_predict():
    plan = validated(Plan, {"name": "seeds", "count": 2})
    title, steps = plans.laid_out(plan, [tiny(epochs=1)], "luck")
    for directory, _ in plans.members(plans.create(plan, title, steps)):
        list(runs.work(directory))
    compared, predicted = (
        [name for _, name in offered.choices] for offered in (compare.offered(None), predict.offered())
    )
    assert "luck.plan.json" in compared and {"luck 1", "luck 2"} <= set(compared) & set(predicted)
    assert "luck.plan.json" not in predicted


def test_no_two_of_many_runs_are_drawn_alike():
    for n in range(10):
        done(f"run {n}")
    stamped = views.stamp([runs.home() / f"run {n}" for n in range(10)])
    board, legend = views.scoreboard(stamped, "en"), views.curves(stamped, "en").picture
    for shown in (board, legend):
        assert len(set(re.findall(r'<i style="background:([^"]+)"', shown))) == 10
    strokes = [tuple(draw.stroke(place).values()) for place in range(24)]
    assert len(set(strokes)) == 24 and legend.count("stroke-dasharray") > views.curves(stamped[:8], "en").picture.count(
        "stroke-dasharray"
    )


def test_a_page_with_no_run_picked_says_whether_there_are_any():
    assert "No runs yet" in train.look([], None, {}, Request())[1]
    done("one")
    assert "Pick runs above" in train.look([], None, {}, Request())[1]


def test_each_list_of_classes_has_its_legend():
    done("one")
    legend = predict.painted(["unet", "one"], predict.Example(0), {"name": "crf"}, "en")[0]
    assert legend.count("sky") == 1


def test_masks_stay_when_the_data_has_gone(tmp_path):
    from seglab.data.masks import write_mask

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
    assert whole.count("sample-row") == 4 and left.count("sample-row") == 3 and ">Ground truth<" in left


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
    assert runs.status(directory).state == "stopped" and jobs.waiting() == []
    assert train.act(Pressed(directory.name, "resume"), Request()) == ""
    assert runs.status(directory).state == "queued" and jobs.waiting() == [directory]


def test_masks_can_be_seen_after_any_epoch():
    directory = done("one", epochs=3)
    assert views.epochs([directory]) == [1, 2, 3]
    latest, first = (views.samples([directory], epoch, "en") for epoch in (None, 1))
    assert "Epoch 3" in latest and "Epoch 1" in first and latest.count("<img") == first.count("<img")


def test_the_terms_of_losses_with_several_are_shown_apart_raw_and_weighted():
    one = done("one", loss="cross_entropy")
    assert "Loss terms" not in views.scoreboard(views.stamp([one]), "en")
    sum_ = done("sum", loss="cross_entropy + 3*boundary")
    board = views.scoreboard(views.stamp([one, sum_]), "en")
    assert board.count("<svg") == 4 and board.index("cross_entropy</code> <small>Training") < board.index("boundary<")
    (row,) = compared([sum_]).rows
    scores = [event for event in runs.events(sum_) if event.kind == "evaluated" and event.best][-1].scores["val"]
    assert {name: value for name, (value, _) in row.terms.items()} == scores.terms
    assert sum(value * weight for value, weight in row.terms.values()) == pytest.approx(scores.loss, rel=1e-5)
    value, weight = row.terms["boundary"]
    assert weight == 3 and f"{value:.3g} × 3 = {3 * value:.3g}" in board
    found = compared([one, sum_])
    assert found.curves["val boundary"][0] == ([], []) and found.curves["val boundary"][1][0] == [1, 2]


def test_the_scoreboard_shows_only_what_differs():
    runs_ = [done("one"), done("two", seed=3)]
    board = views.scoreboard(views.stamp(runs_), "en")
    section = board[board.index("Settings that differ") :]
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


def sent(form, field="run", entry="run", **options):
    """What the page sends of a form as it opens, but for an entry's options and, by their field, what is picked."""
    picked = {name: options.pop(name, choice.picker.value) for name, choice in form.choices.items()}
    return [*picked.values(), {field: {entry: options}}]


def test_the_form_as_it_opens_is_the_default_configuration(form):
    from seglab.config import RunConfig

    assert form.configs(sent(form)) == [RunConfig()]


def test_every_option_of_every_entry_that_is_no_path_has_a_field(form):
    from seglab.entry import FAMILIES

    html = "".join(form.html("en"))
    for field, choice in form.choices.items():
        family = FAMILIES[{"data": "datasets", "techniques": "techniques"}.get(field, plural(field))]
        for name, options in choice.entries.items():
            schema = family.entries[name].model_json_schema()["properties"]
            first = {option: json.dumps(kind.get("anyOf", [kind])[0]) for option, kind in schema.items()}
            words = r'path|"items": {("\$ref|"type": "string")'
            plain = {option for option, kind in first.items() if not re.search(words, kind)}
            assert {each["name"] for each in options.offered} - {"weight"} == plain - {"weight"}, name
            assert all(f'id="{name}-{option}"' in html for option in plain), name
    assert set(form.model.entries) == set(FAMILIES["architectures"].entries)
    assert set(form.techniques.entries) == set(FAMILIES["techniques"].entries)
    places = re.findall(r'id="([^"]+)"', html)
    assert len(places) == len(set(places))


def plural(field):
    return {"model": "architectures", "loss": "losses"}.get(field, field + "s")


def test_the_form_gives_one_configuration_for_each_model(form):
    models = ["unet", "encoder_decoder"]
    given = sent(form, "model", "encoder_decoder", width=8, model=models, loss=["dice"], techniques=["flip", "ema"])
    given[-1]["run"] = {"run": {"epochs": 3}}
    one, two = form.configs(given)
    assert (one.model.name, two.model.name, two.model.width) == ("unet", "encoder_decoder", 8)
    assert one.loss.name == "dice" and [each.name for each in one.techniques] == ["flip", "ema"] and one.epochs == 3
    assert one.model_copy(update={"model": two.model}) == two


def test_weighted_losses_are_summed(form):
    (config,) = form.configs(sent(form, "loss", "dice", weight=0.5, smooth=2.0))
    assert [(part.loss.name, part.weight) for part in config.loss.parts] == [("cross_entropy", 1), ("dice", 0.5)]
    assert config.loss.parts[1].loss.smooth == 2


def test_a_page_sets_no_option_that_it_does_not_offer(form):
    given = sent(form, "data", "camvid", root="/etc", data="camvid")
    given[-1]["run"] = {"run": {"init_from": "/etc", "fold": {"number": 0, "of": 2}}}
    (config,) = form.configs(given)
    assert config.data.root is None and config.init_from is None and config.fold is None
    for nonsense in (None, [], "x", {"run": []}, {"run": {"run": 3}, "model": "unet"}):
        assert len(form.configs([*given[:-1], nonsense])) == 1


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
        form.configs(sent(form, **{field: value}))
    for word in words:
        assert word in str(caught.value)


def test_a_form_without_a_model_or_with_an_unknown_one_is_refused(form):
    for picked, word in (([], "at least one model"), (["unte"], "did you mean 'unet'")):
        with pytest.raises(SeglabError, match=word):
            form.configs(sent(form, model=picked))
    with pytest.raises(SeglabError, match="at least one loss"):
        form.configs(sent(form, loss=[]))
    with pytest.raises(SeglabError, match="no 'magic' among the losses"):
        form.configs(sent(form, loss=["magic"]))


def test_a_prediction_is_painted_before_and_after_the_crf_with_its_score():
    done("one", epochs=4, optimizer={"name": "adamw", "lr": 1e-2})
    legend, caption, *_ = painted = predict.painted(["one"], predict.Example(0), {}, "en")
    assert "building" in legend and re.search(r"0\.\d+ → 0\.\d+", caption)
    slider = painted[1 + predict.PLACES]
    before, after = slider.value if hasattr(slider, "value") else slider["value"]
    assert before != after and painted[-1] == ""


def test_predictors_and_the_soft_vote_are_shown_too():
    done("one")
    done("two", seed=3)
    _, *captions = predict.painted(["one", "two"], predict.Example(0), {}, "en", voting=True)[: 1 + predict.PLACES]
    assert [("one" in captions[0]), ("two" in captions[1]), ("Soft voting" in captions[2])] == [True] * 3
    assert captions[3:] == ["", ""]
    plain = predict.painted(
        ["one"], predict.Example(0), {}, "en", voting=True
    )  # one model alone has nobody to vote with
    assert plain[2] == ""
    slider = 1 + predict.PLACES
    mirrored = predict.painted(["one"], predict.Example(0), {}, "en", [{"name": "flips"}])
    assert mirrored[slider].value != plain[slider].value
    wrong = predict.painted(["one"], predict.Example(0), {}, "en", [{"name": "depth"}])
    assert "deep_supervision" in wrong[-1] and all(part == {"__type__": "update"} for part in wrong[:-1])


def test_the_page_asks_each_model_once_and_a_moved_slider_none(monkeypatch):
    from seglab import prediction

    for seed, name in enumerate(("one", "two", "three")):
        done(name, seed=seed, epochs=1)
    asked, plain = [], prediction.forward
    for name in ("one", "two", "three"):
        runs.loaded(name)  # which runs it once
    monkeypatch.setattr(prediction, "forward", lambda model, *rest: asked.append(model) or plain(model, *rest))

    def captions(names, **options):
        return predict.painted(names, predict.Example(0), options, "en", voting=True)[1 : 1 + predict.PLACES]

    first = captions(["one", "two", "three"])
    assert len(asked) == len(set(map(id, asked))) == 3 and "Soft voting" in first[3]
    moved = captions(["one", "two", "three"], w1=20.0)
    times = [re.findall(r"Model (\d+) ms", caption) for caption in (*first, *moved)]
    assert len(asked) == 3 and times[:4] == times[5:9] and all(times[:4])
    assert "Soft voting" in captions(["three", "one"])[2] and len(asked) == 3  # another vote, of what is known


def test_a_mistake_on_the_predict_tab_leaves_what_was_there():
    done("one")
    for names, options in ((["gone"], {}), (["one"], {"theta_beta": 0}), (["one"], {"iterations": float("nan")})):
        parts = predict.painted(names, predict.Example(0), options, "en")
        assert "wrong" in parts[-1] and all(part == {"__type__": "update"} for part in parts[:-1])


@pytest.mark.parametrize(
    ("field", "value", "words"), [("epochs", 2.5, "whole number"), ("batch_size", None, "no value")]
)
def test_a_number_that_the_form_shows_is_never_replaced_silently(form, field, value, words):
    with pytest.raises(SeglabError, match=f"{field}: .*{words}"):
        form.configs(sent(form, **{field: value}))


def test_a_network_s_card_has_its_numbers_its_source_and_its_picture():
    card = train.described({"name": "unet", "width": 8}, 100, "en", False)
    assert "486,643" in card and "for an image of 128 × 128 pixels" in card and "204 pixels" in card
    assert re.search(r"\d\.\d ms", card) and 'href="https://arxiv.org/abs/1505.04597"' in card
    assert "<svg" in card and ">1/16<" in card and "Concatenation" in card and "addition" not in card
    card = train.described({"name": "deeplab_v3"}, 100, "en", False)
    assert "The whole image" in card and "Global pooling" in card


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
    assert "Too large" in train.described(large, 1024, "en", True)  # seconds, and gigabytes that the page needs


def test_cards_are_made_when_they_are_opened_and_kept(monkeypatch):
    import gradio as gr

    from seglab.anatomy.numbers import anatomy

    monkeypatch.setattr(views, "milliseconds", lambda model, side: 1.0)
    before = anatomy.cache_info().misses
    with gr.Blocks() as page:
        monkeypatch.setattr(train, "Form", lambda: form)
        form = Form()
        train.build()
    assert anatomy.cache_info().misses == before  # a page that opens costs nothing
    handlers = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert handlers["change"](Request(), None, *sent(form)) == [gr.skip(), gr.skip()]  # closed: nothing is made
    assert anatomy.cache_info().misses == before
    timed, cards = handlers["expand"](Request(), None, *sent(form, "model", "unet", width=5))
    assert timed == [] and cards.count("<svg") == 1 and anatomy.cache_info().misses == before + 1
    wider = sent(form, "model", "unet", width=6, model=["unet", "segnet"])
    assert handlers["change"](Request(), timed, *wider)[1].count("<svg") == 2
    handlers["change"](Request(), timed, *wider)
    assert anatomy.cache_info().misses == before + 3
    pressed = type("Pressed", (), {"model": "segnet"})()
    assert handlers["measure"](pressed, Request(), timed, *wider)[0] == ["segnet"]


def test_a_preview_is_made_when_its_button_is_pressed_and_builds_no_network(monkeypatch):
    import gradio as gr

    monkeypatch.setattr("seglab.architectures.unet.UNet.build", None)
    with gr.Blocks() as page:
        monkeypatch.setattr(train, "Form", lambda: form)
        form = Form()
        train.preview(form)
    (pressed,) = [each.fn for each in page.fns.values() if each.fn]
    small = {"train_images": 8, "val_images": 4, "size": 64}
    shown = pressed(Request(), *sent(form, "data", "streets", techniques=["flip", "cutmix"], **small))
    assert shown.count("<img") == 12 and "building" in shown and ">Before<" in shown
    stressed = pressed(Request(), *sent(form, "data", "streets", loss=["border_weighted"], techniques=[], **small))
    assert stressed.count("<img") == 18 and ">Emphasized by the loss<" in stressed
    for techniques, words in ((["ema"], "No technique that changes images"), ([], "these do: flip"), (["x"], "no 'x'")):
        assert words.replace("'", "&#39;") in pressed(Request(), *sent(form, techniques=techniques))
    alone = sent(form, "run", "run", batch_size=1, techniques=["cutmix"])
    assert "batch_size must be 2 or more" in pressed(Request(), *alone)
    korean = Request()
    korean.query_params = {"lang": "ko"}
    assert "batch_size)가 2 이상" in pressed(korean, *alone)


def test_the_schedule_is_drawn_when_its_part_of_the_form_is_opened_and_when_it_changes(monkeypatch):
    import gradio as gr

    from seglab import schedulers

    drawn = []
    whole = schedulers.curve
    monkeypatch.setattr(schedulers, "curve", lambda *given: drawn.append(given[1:]) or whole(*given))
    views.schedule_svg.cache_clear()
    with gr.Blocks() as page:
        form = Form()
        train.schedule(form)
    handlers = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    assert handlers["alter"](Request(), False, *sent(form)) == gr.skip() and drawn == []
    opened, constant = handlers["unfold"](Request(), False, *sent(form))
    assert opened and constant.count("<svg") == 1 and "Learning rate" in constant and drawn == [(1e-3, 100, 5)]
    changes = [
        sent(form, "scheduler", "step", step_size=1, scheduler="step"),
        sent(form, "scheduler", "step", step_size=2, scheduler="step"),
        sent(form, "optimizer", "adamw", lr=0.5),
        sent(form, optimizer="sgd"),
        sent(form, epochs=9),
        sent(form, "scheduler", "constant", warmup=2),
    ]
    found = [handlers["alter"](Request(), True, *given) for given in changes]
    assert len({constant, *found}) == 7 and all("<svg" in each for each in found)
    assert handlers["alter"](Request(), True, *sent(form, seed=5)) == constant and len(drawn) == 7


def test_the_drawn_schedule_has_the_epochs_below_and_the_rates_beside_it(form):
    schedule = form.schedule(sent(form, "scheduler", "multi_step", milestones="2, 6", scheduler="multi_step"))
    assert schedule.scheduler.milestones == (2, 6)
    picture = views.schedule(schedule, "ko")
    assert "학습률" in picture and "에폭" in picture and "rate" not in re.sub("<svg.*", "", picture, flags=re.DOTALL)
    texts = re.findall(r"<text[^>]*>([^<]+)</text>", picture)
    assert {"0", "1", "2", "3", "4", "5", "0.001", "0.0002"} <= set(texts)


def test_what_nobody_knows_of_a_schedule_is_told_and_so_is_a_mistake(form):
    page = views.schedule(form.schedule(sent(form, scheduler="plateau")), "en")
    assert "<svg" not in page and "not known before training" in page
    known = [views.schedule(form.schedule(sent(form, budget_seconds=budget)), "en") for budget in (60, None)]
    assert ["time limit" in each for each in known] == [True, False]
    for field, entry, options, words in (
        ("scheduler", "step", {"step_size": 0}, "step_size: 0 is too small"),
        ("scheduler", "multi_step", {"milestones": "3, soon"}, "soon"),
        ("scheduler", "multi_step", {"milestones": " , "}, "milestones: 0 given; allowed: 1 or more"),
        ("scheduler", "poly", {"warmup": 5}, "scheduler.warmup: 5 epochs are as long as the whole run"),
        ("optimizer", "adamw", {"lr": None}, "lr: "),
        ("run", "run", {"epochs": 0}, "epochs: 0 is too small"),
    ):
        picked = {field: entry} if field != "run" else {}
        with pytest.raises(SeglabError, match=words):
            form.schedule(sent(form, field, entry, **options, **picked))


def test_what_is_in_the_data_is_looked_at_when_its_part_is_opened_and_when_the_data_changes(monkeypatch):
    import gradio as gr

    asked = []
    whole = views.survey
    monkeypatch.setattr(views, "survey", lambda data, most, **rest: asked.append(len(data.train)) or whole(data, most))
    with gr.Blocks() as page:
        form = Form()
        train.inside(form)
    handlers = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    small = {"train_images": 5, "val_images": 4, "size": 64}
    given = sent(form, "data", "streets", **small)
    assert handlers["exchange"](Request(), False, *given) == gr.skip() and asked == []
    opened, shown = handlers["reveal"](Request(), False, *given)
    assert (
        opened
        and asked == [5]
        and shown.count("<img") == 5
        and "5 for training (train), 2 for model selection (search)" in shown
    )
    assert "64 × 48" in shown and shown.count('class="bar"') == 11 and "Based on" not in shown
    assert handlers["exchange"](Request(), True, *sent(form, "data", "streets", **small | {"train_images": 6}))
    assert asked == [5, 6]
    too_few = handlers["exchange"](Request(), True, *sent(form, "data", "streets", train_images=1))
    assert "train_images: 1 is too small" in too_few and asked == [5, 6]


def test_the_shares_on_the_page_are_those_of_the_masks(tmp_path):
    from seglab.data.folder import Folder

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


def test_an_upload_is_this_page_s_folder_and_no_path_comes_from_the_page(form, tmp_path):
    from seglab import uploads
    from tests.test_uploads import GOOD, packed

    reference = uploads.take(packed(tmp_path / "mine.zip", GOOD))
    given = sent(form, "data", "folder", upload=reference, root="/etc", data="folder")
    assert form.configs(given)[0].data.root == form.dataset(given).root == uploads.found(reference)
    given = sent(form, "model", "folder", upload=reference, root="/etc", data="folder")
    for read in (form.configs, form.dataset):
        with pytest.raises(SeglabError, match="upload a zip of them"):
            read(given)
    assert "wrong" not in train.look_inside(form, given, "en")  # it is no mistake
    assert form.configs(sent(form, "data", "folder", upload=reference))[0].data.name == "streets"
    for made_up in ("../..", str(uploads.found(reference)), uploads.found(reference).name, ["x"], 3):
        with pytest.raises(SeglabError, match="upload them again"):
            form.configs(sent(form, "data", "folder", upload=made_up, data="folder"))
    given = sent(form, "data", "folder", upload=reference, data="folder")
    page = train.look_inside(form, given, "en")
    assert reference not in page and str(uploads.home()) not in page and "the data source folder is your zip" in page
    assert "your zip" not in train.look_inside(form, sent(form, "data", "folder", upload=reference), "en")  # streets


def test_the_files_of_an_upload_are_called_as_in_the_zip(tmp_path):
    from seglab import uploads
    from seglab.config import RunConfig
    from seglab.data.folder import Folder
    from tests.test_uploads import GOOD, MASK, packed, png

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
    for look in (lambda: views.inside(Folder(**two), "en"), lambda: views.preview(config, "en")):
        with pytest.raises(SeglabError) as caught:
            look()
        assert "mine/masks/train/a.png: contains 2" in views.wrong(caught.value, "en")
        assert "mine/masks/train/a.png: contains 2" in views.refusal(caught.value, "en")


def test_a_zip_that_is_refused_leaves_the_upload_before_it(tmp_path):
    import gradio as gr

    from tests.test_uploads import GOOD, IMAGE, packed

    with gr.Blocks() as page:
        form = Form()
        train.inside(form)
    handlers = {each.fn.__name__: each.fn for each in page.fns.values() if each.fn}
    good, bad = packed(tmp_path / "good.zip", GOOD), packed(tmp_path / "bad.zip", GOOD | {"images/z.png": IMAGE})
    shown, opened, known, reference = handlers["accept"](Request(), str(good), *sent(form))
    assert opened and shown.count('class="bar"') == 3 and f'name="upload" value="{reference}"' in known
    assert handlers["recall"](reference) == known  # when the page is opened again
    for gone in (None, "../..", "a" * 32, train.FORGOTTEN):
        assert handlers["recall"](gone) == ""
    given = sent(form, "data", "folder", upload=reference)
    assert handlers["adopt"](*given) == "folder" and handlers["adopt"](*sent(form)) == gr.skip()
    wrong, *rest = handlers["accept"](Request(), str(bad), *given)
    assert "images/z.png: its mask is missing" in wrong and "was not accepted" in wrong and str(tmp_path) not in wrong
    assert rest == [gr.skip()] * 3


# --- a run's model as a file


def test_the_scoreboard_has_a_button_for_each_run_that_is_over_where_files_can_be_made(monkeypatch):
    over, going = done("over"), runs.create(tiny(), "going")
    stream = runs.work(going)
    while not (going / "weights.safetensors").exists():
        next(stream)
    for available, pressable in ((True, ["over"]), (False, [])):
        monkeypatch.setattr(export, "available", lambda available=available: available)
        board = views.scoreboard(views.stamp([over, going]), "en")
        assert re.findall(r'<button class="act" data-run="(\w+)"', board) == pressable
        assert ("Export" in board) == available
    stream.close()


def test_a_pressed_button_gives_the_file_once_made_to_everybody(monkeypatch, tmp_path):
    directory, asked = done("mine"), []

    def apart(run, out):
        asked.append(run)
        out.write_bytes(bytes(2_345_678))
        return export.OnnxFile(out, (48, 64), "val_0002", 3072, 3071, 1e-6)

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(export, "exported_apart", apart)
    (waiting, hidden), (message, button) = compare.onnx(Pressed("mine", None), Request())
    assert "Making mine.onnx" in waiting and hidden.visible is False
    assert "64 pixels wide and 48 high" in message and "3,071 of 3,072 pixels" in message
    assert button.visible and button.label == "Download mine.onnx (2.3 MB)"
    *_, (_, second) = compare.onnx(Pressed("mine", None), Request())
    assert second.value == button.value and asked == [directory]
    compare.FILES[directory, runs.weights_version(directory)].file.unlink()  # as the broom does
    *_, (_, third) = compare.onnx(Pressed("mine", None), Request())
    assert third.visible and len(asked) == 2


@pytest.mark.parametrize("name", ["../mine", "waiting", None])
def test_no_file_is_made_of_what_only_the_page_made_up(name):
    done("mine"), runs.create(tiny(), "waiting")
    ((message, button),) = compare.onnx(Pressed(name, None), Request())
    assert "There is no run" in message and button.visible is False


def test_why_a_file_cannot_be_made_is_told_in_korean(monkeypatch, tmp_path):
    class Korean(Request):
        headers = {"accept-language": "ko"}

    done("mine")

    def apart(run, out):
        raise SeglabError("the ONNX file of {run} was not ready in {seconds} s", run=run.name, seconds="180")

    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    monkeypatch.setattr(export, "exported_apart", apart)
    *_, (message, button) = compare.onnx(Pressed("mine", None), Korean())
    assert "mine의 ONNX 파일을 180초 안에 만들지 못했습니다." in message and button.visible is False


def test_a_page_that_is_opened_says_where_nothing_can_be_trained(monkeypatch):
    assert train.attach(Request())[1] == ""
    monkeypatch.setenv("SEGLAB_HOME", "/sys/seglab")
    for lang, words in (("en", "Nothing can be trained here"), ("ko", "보기만 할 수 있습니다")):
        request = Request()
        request.query_params = {"lang": lang}
        assert words in train.attach(request)[1] and "/sys/seglab" not in train.attach(request)[1]
