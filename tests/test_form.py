"""The form: what can be picked and set on the page, and the runs that it asks for."""

import json
import re
import shlex

import pytest

from seglab import cli, plans, uploads
from seglab.cli.parsing import dotted
from seglab.cli.train import configuration
from seglab.config import RunConfig, configured
from seglab.data.hub import Hub
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.ui import form
from tests.conftest import tiny
from tests.page import asked, state

FAMILY = {"model": "architectures", "loss": "losses", "data": "datasets", "techniques": "techniques"}


def changed(**options):
    return configured(options)


# --- what is offered


def test_every_option_of_every_entry_that_is_no_path_has_a_field():
    html = form.html("en")
    for field, picker in form.pickers().items():
        family = FAMILIES[FAMILY.get(field, f"{field}s")]
        assert set(picker.entries) == set(family.entries) - {"sum"}
        for name, options in picker.entries.items():
            schema = family.entries[name].model_json_schema()["properties"]
            kinds = {option: json.dumps(kind.get("anyOf", [kind])[0]) for option, kind in schema.items()}
            words = r'path|"items": {("\$ref|"type": "string")'
            plain = {option for option, kind in kinds.items() if not re.search(words, kind)}
            if name == "hub":  # what its data sets are called, of which none is here
                plain -= Hub().choices.keys()
            assert {each["name"] for each in options.offered} - {"weight"} == plain - {"weight"}, name
            shown = plain - ({"lr"} if field == "optimizer" else set())  # the rate stands above, for all of them
            assert all(f'id="{name}-{option}"' in html for option in shown), name
    assert 'id="form-lr"' in html
    places = re.findall(r' id="([^"]+)"', html)
    assert len(places) == len(set(places))


def test_options_of_the_run_that_hold_paths_or_belong_to_plans_are_not_offered():
    offered = {each["name"] for each in form.run_options().offered}
    assert offered == set(RunConfig.model_fields) - {*form.FIELDS, "init_from", "fold"}


def test_models_stand_in_the_order_in_which_they_were_published():
    years = [FAMILIES["architectures"].entries[name].year or 0 for name in form.pickers()["model"].entries]
    assert years == sorted(years) and years[-1] > 2015


def test_the_form_is_in_the_visitors_language():
    english, korean = form.html("en"), form.html("ko")
    assert "Learning rate" in english and "학습률" in korean and 'lang="ko"' in korean
    assert len(re.findall("data-option=", english)) == len(re.findall("data-option=", korean))


def test_what_a_plug_in_s_entry_says_is_escaped(monkeypatch):
    from seglab.families import Loss

    kinds = FAMILIES["losses"].entries
    made = type(
        "Foreign", (Loss,), {"__module__": "elsewhere", "name": "foreign", "__doc__": "<img src=1 onerror=alert(1)>"}
    )
    monkeypatch.setitem(kinds, "foreign", made)
    for cached in (form.pickers, form.html):
        cached.cache_clear()
    shown = form.html("en")
    for cached in (form.pickers, form.html):
        cached.cache_clear()
    assert "<img src=1" not in shown and "&lt;img src=1" in shown


# --- one run


def test_the_form_as_it_opens_is_the_default_configuration():
    found = asked()
    assert found.configs == (RunConfig(),) and found.single and found.labels == ("",) and found.over == ()
    assert form.asked({}) == form.asked(None) == form.asked([]) == found


def test_losses_are_added_up_with_their_weights():
    (config,) = form.asked(
        state({"loss": "cross_entropy dice", "loss.dice.weight": "0.5", "loss.dice.smooth": "2"})
    ).configs
    assert [(part.loss.name, part.weight) for part in config.loss.parts] == [("cross_entropy", 1), ("dice", 0.5)]
    assert config.loss.parts[1].loss.smooth == 2
    (alone,) = form.asked(state({"loss": "dice", "loss.dice.weight": "0.5"})).configs
    assert [(part.loss.name, part.weight) for part in alone.loss.parts] == [("dice", 0.5)]


def test_techniques_are_of_one_run_unless_they_vary():
    (config,) = asked(techniques="flip ema").configs
    assert [each.name for each in config.techniques] == ["flip", "ema"]
    (none,) = asked(techniques="").configs
    assert none.techniques == ()


def test_the_rate_is_of_the_optimizer_that_is_picked():
    (config,) = asked(optimizer="sgd", lr="0.05").configs
    assert (config.optimizer.name, config.optimizer.lr) == ("sgd", 0.05)


def test_a_page_sets_no_option_that_it_does_not_offer():
    sent = state({"data": "camvid"})
    sent["options"]["data"]["camvid"] = {"root": "/etc"}
    sent["options"]["run"]["run"] |= {"init_from": "/etc", "fold": {"number": 0, "of": 2}, "model": "segnet"}
    (config,) = form.described(sent).configs
    assert config.data.root is None and config.init_from is None and config.fold is None
    assert config.model.name == RunConfig().model.name


# --- several runs


def test_every_picked_entry_makes_a_run_named_by_what_sets_it_apart():
    found = asked(model="unet,segnet", loss="dice,focal")
    assert [(each.model.name, each.loss.name) for each in found.configs] == [
        ("unet", "dice"), ("unet", "focal"), ("segnet", "dice"), ("segnet", "focal")
    ]  # fmt: skip
    assert found.labels == ("unet, dice", "unet, focal", "segnet, dice", "segnet, focal")
    assert found.over == ("model=unet,segnet", "loss=dice,focal")


def test_an_option_varies_with_its_values():
    found = asked(epochs="3,5", model__unet__width="8,16")
    assert [(each.epochs, each.model.width) for each in found.configs] == [(3, 8), (3, 16), (5, 8), (5, 16)]
    assert found.labels == ("epochs 3, width 8", "epochs 3, width 16", "epochs 5, width 8", "epochs 5, width 16")
    assert found.over == ("epochs=3,5", "model.width=8,16")


def test_an_option_varies_only_where_its_entry_is_picked():
    found = asked(model="unet,segnet", model__unet__width="8,16")
    assert [(each.model.name, getattr(each.model, "width", None)) for each in found.configs][:2] == [
        ("unet", 8), ("unet", 16)
    ]  # fmt: skip
    assert found.labels == ("unet, width 8", "unet, width 16", "segnet")  # segnet is one run, not two
    assert asked(model="segnet", model__unet__width="8,16").single


def test_the_rate_varies_for_the_picked_optimizer():
    found = asked(lr="0.1,0.01", optimizer="sgd")
    assert [each.optimizer.lr for each in found.configs] == [0.1, 0.01]
    assert found.labels == ("lr 0.1", "lr 0.01") and found.over == ("optimizer.lr=0.1,0.01",)


def test_techniques_vary_from_none_to_each():
    found = asked(techniques="flip,color")
    assert [[part.name for part in each.techniques] for each in found.configs] == [[], ["flip"], ["color"]]
    assert found.labels == ("none", "flip", "color") and found.over == ("techniques=,flip,color",)
    assert [len(each.techniques) for each in asked(techniques="flip,").configs] == [0, 1]


def test_the_same_run_is_not_made_twice():
    assert len(asked(epochs="3,3,5").configs) == 2
    assert len(asked(epochs="3,3.0,5").configs) == 2  # the same number, written in two ways
    sent = state()
    sent["picked"]["model"] = ["unet", "unet"]
    assert form.asked(sent).single


def test_more_runs_than_a_plan_may_have_are_refused_before_any_is_made():
    seeds = ",".join(map(str, range(101)))
    with pytest.raises(SeglabError, match="a plan of 101 runs is too large; allowed: 100"):
        asked(seed=seeds)
    with pytest.raises(SeglabError, match="a plan of 404 runs is too large"):
        asked(seed=seeds, epochs="1,2,3,4")


def test_a_plan_is_made_for_each_of_the_runs():
    found = asked(model="unet,segnet", plan="seeds", plan__seeds__count="2")
    plan, title, steps = found.laid_out()
    assert plan == validated(plans.Seeds, {"name": "seeds", "count": 2}) and title.startswith("seeds-")
    assert [step.label for step in steps] == ["unet, seed 0", "unet, seed 1", "segnet, seed 0", "segnet, seed 1"]
    assert [(step.config.model.name, step.config.seed) for step in steps] == [
        ("unet", 0), ("unet", 1), ("segnet", 0), ("segnet", 1)
    ]  # fmt: skip


def test_what_varies_is_a_plan_of_its_own():
    plan, title, steps = asked(seed="1,2,3").laid_out()
    assert title.startswith("sweep-") and plan.over == ("seed=1,2,3",)
    assert [step.label for step in steps] == ["seed 1", "seed 2", "seed 3"]
    assert [step.directory.name for step in steps] == [f"{title} {n}" for n in (1, 2, 3)]


@pytest.mark.parametrize(
    "typed",
    [
        {"init_from": {"vary": "/etc, /tmp"}},
        {"fold": {"vary": "1, 2"}},
    ],
)
def test_a_page_can_name_no_path_in_what_varies_either(typed):
    sent = state()
    sent["options"]["run"]["run"] |= typed
    assert form.asked(sent).single


@pytest.mark.parametrize(
    ("student", "words"),
    [("init_from=/etc", "init_from: /etc is a path"), ("data.root=/etc", "data.root cannot change")],
)
def test_a_student_names_no_path_either(student, words):
    found = form.asked(state({"plan": "noisy_student", "plan.noisy_student.student": student}))
    with pytest.raises(SeglabError, match=words):
        found.laid_out()


def test_a_plan_may_name_its_own_runs():
    _, _, (teacher, pupil) = asked(plan="noisy_student", plan__noisy_student__student="epochs=3").laid_out()
    assert pupil.config.epochs == 3 and pupil.config.techniques[-1].teacher == teacher.directory


@pytest.mark.parametrize(
    "over",
    [
        "init_from=/etc,/tmp",
        "data=streets,folder\ndata.root=/etc,/home",
        "techniques=pseudo_labels\ntechniques.pseudo_labels.teacher=/etc,/home",
    ],
)
def test_a_sweep_that_a_page_made_up_is_the_one_that_the_form_has(over):
    sent = state(plan="sweep")
    sent["options"]["plan"]["sweep"] = {"over": over}
    _, _, steps = form.asked(sent).laid_out()
    assert [step.config.optimizer.lr for step in steps] == [1e-3, 3e-3]
    assert all(step.config == changed(optimizer={"name": "adamw", "lr": step.config.optimizer.lr}) for step in steps)


# --- what is refused


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        ("epochs", 0, ["epochs", "1 or more"]),
        ("epochs", float("nan"), ["epochs"]),
        ("epochs", "many", ["epochs", "many"]),
        ("epochs", 2.5, ["epochs", "whole number"]),
        ("image_size", True, ["image_size"]),
        ("batch_size", None, ["batch_size", "no value"]),
        ("budget_seconds", -3, ["budget_seconds", "more than 0"]),
        ("seed", [1], ["seed"]),
        ("epochs", {"vary": "1, x"}, ["epochs", "x"]),
        ("epochs", {"vary": " , "}, ["epochs", "nothing to vary"]),
        ("epochs", {}, ["epochs", "nothing to vary"]),
    ],
)
def test_a_value_that_no_run_allows_is_refused_and_never_replaced_silently(field, value, words):
    sent = state()
    sent["options"]["run"]["run"][field] = value
    with pytest.raises(SeglabError) as caught:
        form.asked(sent)
    for word in words:
        assert word in str(caught.value)


@pytest.mark.parametrize(
    ("picked", "words"),
    [
        ({"model": []}, "pick at least one model"),
        ({"model": ["unte"]}, "did you mean 'unet'"),
        ({"loss": []}, "pick at least one for loss function"),
        ({"loss": ["magic"]}, "no 'magic' among the losses"),
        ({"loss": ["sum"]}, "loss.parts"),
        ({"model": [None]}, "no 'None' among the"),
        ({"model": [["unet"]]}, "among the"),
        ({"model": {"unet": 1}}, "among the"),
        ({"techniques": [3]}, "among the techniques"),
        ({"data": ["../../etc"]}, "among the"),
    ],
)
def test_what_is_picked_that_is_not_there_is_refused(picked, words):
    sent = state()
    sent["picked"] |= picked
    with pytest.raises(SeglabError, match=words):
        form.asked(sent)


NONSENSE = [None, [], "x", 3, True, {"a": {"b": 1}}, [[1]], "\ud800"]


@pytest.mark.parametrize("nonsense", NONSENSE)
@pytest.mark.parametrize("where", ["picked", "options", "vary", "sum", "plan", "visitor"])
def test_nonsense_in_any_part_is_left_out_or_told_and_never_an_exception(where, nonsense):
    sent = state(**{where: nonsense})
    try:
        assert form.asked(sent).configs
    except SeglabError as error:
        assert str(error)


@pytest.mark.parametrize("nonsense", NONSENSE)
def test_nonsense_in_any_field_is_left_out_or_told_and_never_an_exception(nonsense):
    refused = 0
    for field in (*form.FIELDS, "plan"):
        for part in ("picked", "options"):
            sent = state()
            sent[part][field] = nonsense
            try:
                assert form.asked(sent).configs
            except SeglabError:
                refused += 1
    for name in form.run_options().offered:
        sent = state()
        sent["options"]["run"]["run"][name["name"]] = nonsense
        try:
            assert form.asked(sent).configs
        except SeglabError:
            refused += 1
    assert refused or nonsense in ({}, [])


def test_data_that_is_not_on_this_server_is_refused_and_its_network_known_all_the_same(monkeypatch):
    monkeypatch.setattr(type(configured({"data": "voc2012"}).data), "here", False)
    with pytest.raises(SeglabError, match="voc2012: this data is not on this server"):
        asked(data="voc2012")
    assert form.described(state({"data": "voc2012"})).configs[0].model == RunConfig().model


# --- the command that does the same


def parsed(line):
    """The configurations that a command line makes."""
    words = shlex.split(line)
    assert words[0] == "seglab"
    options, plain = dotted(words[1:])
    found, rest = cli.parser().parse_known_args(plain)
    assert not rest
    config = configuration(found, options)
    if found.command == "train":
        return [config]
    kind = FAMILIES["plans"].entries[found.kind]
    given = {name: value for name in kind.model_fields if (value := getattr(found, name)) is not None}
    return [step.config for step in plans.laid_out(validated(kind, given), [config])[1]]


@pytest.mark.parametrize(
    ("given", "lines"),
    [
        ({}, 1),
        ({"model": "segnet", "epochs": "3", "seed": "5", "techniques": "flip color"}, 1),
        ({"loss": "cross_entropy focal", "loss.focal.gamma": "3", "loss.focal.weight": "0.5"}, 1),
        ({"loss": "focal", "loss.focal.gamma": "3"}, 1),
        ({"scheduler": "multi_step", "scheduler.multi_step.milestones": "2, 4"}, 1),
        ({"optimizer": "sgd", "lr": "0.05", "budget_seconds": "60"}, 1),
        ({"model": "unet,segnet"}, 1),
        ({"epochs": "3,5", "lr": "0.1,0.01"}, 1),
        ({"model.unet.width": "8,16"}, 1),
        ({"loss": "focal", "loss.focal.gamma": "1,2"}, 1),
        ({"loss": "dice,focal"}, 1),
        ({"techniques": "flip,color"}, 1),
        ({"techniques": "flip color", "techniques.flip.p": "0.25"}, 1),
        ({"model": "unet,segnet", "model.unet.width": "8,16"}, 3),  # segnet has one run: no grid
        ({"plan": "seeds", "plan.seeds.count": "4", "epochs": "2"}, 1),
        ({"plan": "folds", "plan.folds.k": "3"}, 1),
    ],
)
def test_the_command_makes_the_same_runs(given, lines):
    found = form.asked(state(given))
    command = found.command()
    assert len(command.splitlines()) == lines
    made = [config for line in command.splitlines() for config in parsed(line)]
    wanted = [step.config for step in found.laid_out()[2]] if found.plan else list(found.configs)
    assert made == wanted


def test_a_plan_of_several_runs_is_given_as_the_command_of_each():
    found = asked(model="unet,segnet", plan="seeds")
    assert [line.split()[:2] for line in found.command().splitlines()] == [["seglab", "train"]] * 2


# --- a configuration as the form has it


CONFIGS = [
    RunConfig(),
    tiny(),
    tiny(loss="cross_entropy + 0.5*dice", techniques=["flip", "ema"], seed=7, budget_seconds=90),
    tiny(loss="2*focal", optimizer={"name": "sgd", "lr": 0.3, "momentum": 0.8}),
    tiny(scheduler={"name": "multi_step", "milestones": [1, 2]}, epochs=3),
    tiny(techniques=[{"name": "flip", "p": 0.25}], optimizer={"name": "adamw", "lr": 3e-5}),
    *(configured({"model": name}) for name in ("segnet", "deeplab_v3", "smp")),
    *(configured({"preset": name}) for name in FAMILIES["presets"].entries),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_form_that_is_filled_with_a_run_s_settings_asks_for_the_same_run(config):
    assert form.described(state(form.settings(config))).configs == (config,)


@pytest.mark.parametrize("family", ["architectures", "losses", "techniques", "schedulers", "optimizers"])
def test_the_settings_of_every_entry_are_those_of_the_form(family):
    field = {"architectures": "model", "losses": "loss", "schedulers": "scheduler", "optimizers": "optimizer"}
    for name in FAMILIES[family].entries:
        if name == "sum":
            continue
        try:
            config = configured({field.get(family, family): [name] if family == "techniques" else name})
        except SeglabError:  # it needs other options, such as a run or several epochs
            continue
        if form_lacks(config):
            continue
        assert form.described(state(form.settings(config))).configs == (config,), name


def form_lacks(config):
    """Whether a configuration has paths, which no form holds."""
    return any("path" in str(type(value)).lower() for entry in config.techniques for _, value in entry)


def test_settings_hold_what_is_picked_and_what_is_not_as_at_first():
    picked = {"data": "streets", "loss": "cross_entropy dice", "optimizer": "adamw", "scheduler": "constant"}
    assert form.settings(RunConfig()) == picked | {"model": "unet", "techniques": ""}
    given = {"model": {"name": "segnet"}, "seed": 3, "budget_seconds": 90.5, "loss": "focal", "techniques": ["flip"]}
    assert form.settings(configured(given)) == picked | {
        "model": "segnet", "loss": "focal", "seed": "3", "budget_seconds": "90.5", "techniques": "flip"
    }  # fmt: skip


def test_settings_name_no_folder_of_this_server():
    found = form.settings(configured({"data": {"name": "camvid", "root": "/srv/secret"}}))
    assert found["data"] == "camvid" and not any("secret" in text for text in found.values())


def test_a_preset_leaves_the_data_and_the_seed_as_they_are():
    for name in FAMILIES["presets"].entries:
        found = form.preset(name)
        assert not any(key.partition(".")[0] in ("data", "seed") for key in found)
        (config,) = form.described(state(found)).configs
        assert config == configured({"preset": name}).model_copy(update={"data": config.data, "seed": config.seed})
    with pytest.raises(SeglabError, match="presets"):
        form.preset("fast")


# --- the visitor's own data


@pytest.fixture
def reference(tmp_path):
    from tests.test_uploads import GOOD, packed

    return uploads.take(packed(tmp_path / "mine.zip", GOOD))


def with_upload(given, upload, **typed):
    sent = state(given)
    sent["options"]["data"]["folder"] |= {"upload": upload, **typed}
    return sent


def test_an_upload_is_this_page_s_folder_and_no_path_comes_from_the_page(reference):
    given = with_upload({"data": "folder"}, reference, root="/etc")
    assert form.asked(given).configs[0].data.root == form.dataset(given).root == uploads.found(reference)
    given = state({"data": "folder"})
    given["options"]["data"]["folder"]["root"] = "/etc"
    given["options"]["model"]["folder"] = {"upload": reference, "root": "/etc"}
    for read in (form.asked, form.dataset):
        with pytest.raises(SeglabError, match="upload a zip of them"):
            read(given)
    assert form.asked(with_upload({}, reference)).configs[0].data == RunConfig().data  # it is not picked


def test_an_upload_that_a_page_made_up_is_refused(reference):
    for made_up in ("../..", str(uploads.found(reference)), uploads.found(reference).name, ["x"], 3):
        with pytest.raises(SeglabError, match="upload them again"):
            form.asked(with_upload({"data": "folder"}, made_up))


def test_the_command_of_a_run_on_an_upload_does_not_tell_where_the_server_keeps_it(reference):
    for given in ({"data": "folder"}, {"data": "folder", "epochs": "2,3"}, {"data": "folder", "plan": "seeds"}):
        command = form.asked(with_upload(given, reference)).command()
        assert "--data.root /your/folder" in command and command.count("/") == 2 * command.count("/your/folder")


def test_a_run_on_an_upload_is_laid_out_and_none_on_another_folder(reference, monkeypatch):
    found = form.asked(with_upload({"data": "folder", "seed": "1,2"}, reference))
    _, _, steps = found.laid_out()
    assert [step.config.data.root for step in steps] == [uploads.found(reference)] * 2
    config = found.configs[0].model_copy(update={"init_from": uploads.home()})
    with pytest.raises(SeglabError, match="is a path, and the page accepts no paths"):
        form.Asked((config, found.configs[1]), ("a", "b"), ("seed=1,2",)).laid_out()
