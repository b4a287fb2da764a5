"""The rules that every entry lives by."""

import pickle
import subprocess
import sys

import pytest

import seglab.plans  # noqa: F401 - the plans are entries too
from seglab.config import RunConfig, configured
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.events import from_line
from seglab.families import Architecture, Loss, Technique
from seglab.losses.combined import Sum
from seglab.losses.region import Dice
from tests.conftest import tiny

ENTRIES = [entry for family in FAMILIES.values() for entry in family.entries.values()]


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.family}-{entry.name}")
def test_an_entry_explains_itself_and_its_options(entry):
    assert entry.summary().endswith(".") and 10 < len(entry.summary()) < 160
    for name, option in entry.model_fields.items():
        assert option.description, f"{entry.name}.{name} has no description"


@pytest.mark.parametrize("entry", ENTRIES, ids=lambda entry: f"{entry.family}-{entry.name}")
def test_an_entry_survives_its_own_json(entry):
    options = {"parts": [{"loss": "dice"}]} if entry is Sum else {}
    made = entry(**options)
    assert type(made).model_validate_json(made.model_dump_json()) == made
    assert validated(FAMILIES[entry.family], made.model_dump()) == made


def test_a_name_an_object_and_an_instance_mean_the_same():
    assert validated(Loss, "dice") == validated(Loss, {"name": "dice"}) == validated(Loss, Dice()) == Dice()


def test_an_expression_is_a_weighted_sum():
    found = configured({"loss": "cross_entropy + 0.5*dice"}).loss
    assert [(part.weight, part.loss.name) for part in found.parts] == [(1, "cross_entropy"), (0.5, "dice")]
    found = configured({"loss": "1e+1*dice+1E-3*boundary + focal"}).loss
    assert [(part.weight, part.loss.name) for part in found.parts] == [(10, "dice"), (1e-3, "boundary"), (1, "focal")]


@pytest.mark.parametrize(
    ("family", "value", "words"),
    [
        (Architecture, "unt", ["'unt'", "did you mean 'unet'", "encoder_decoder"]),
        (Architecture, {"name": "unet", "widht": 8}, ["'widht'", "did you mean 'width'", "depth"]),
        (Architecture, {"name": "unet", "width": 1}, ["width", "1", "4 or more"]),
        (Architecture, {"name": "unet", "width": 1000}, ["width", "1000", "128 or less"]),
        (Architecture, {"name": "unet", "width": "wide"}, ["width", "'wide'", "whole number"]),
        (Architecture, {"name": "unet", "width": 8.5}, ["width", "8.5", "whole number"]),
        (Architecture, {"name": 3}, ["none of the architectures", "unet"]),
        (Architecture, 3, ["none of the architectures", "unet"]),
        (Architecture, None, ["none of the architectures", "unet"]),
        (Loss, {"name": "dice", "smooth": float("nan")}, ["smooth", "finite"]),
        (RunConfig, {"loss": "cross_entropy + dcie"}, ["'dcie'", "did you mean 'dice'"]),
        (RunConfig, {"loss": "x*dice"}, ["parts.0.weight", "'x'", "not a number"]),
        (Loss, "", ["''", "allowed"]),
        (Loss, {"name": "sum", "parts": []}, ["parts", "0 given", "1 or more"]),
        (
            Loss,
            {"name": "sum", "parts": [{"loss": {"name": "dice", "smoth": 1}}]},
            ["parts.0.loss", "'smoth'", "smooth"],
        ),
        (Loss, {"name": "sum", "parts": [{"loss": "dice", "wieght": 1}]}, ["parts.0", "'wieght'", "'weight'"]),
        (Technique, {"name": "flip", 3: 4}, ["flip", "3"]),
        (RunConfig, {"modle": "unet"}, ["'modle'", "'model'"]),
        (RunConfig, {"model": {"name": "unet", "width": 2}}, ["model.width", "2", "4 or more"]),
        (RunConfig, {"techniques": ["flip", "flip"]}, ["flip", "twice"]),
        (RunConfig, {"techniques": ["flip", {"name": "color", "hue": 2}]}, ["techniques.1.hue", "0.5"]),
        (RunConfig, {"fold": {"index": 5, "of": 5}}, ["fold.index", "5", "0 to 4"]),
        (RunConfig, {"seed": True}, ["seed"]),
    ],
)
def test_a_mistake_is_named_with_its_value_and_what_is_allowed(family, value, words):
    with pytest.raises(SeglabError) as caught:
        configured(value) if family is RunConfig else validated(family, value)
    for word in words:
        assert word in str(caught.value)
    assert "\n" not in str(caught.value)


def test_an_entry_refuses_another_entrys_name():
    with pytest.raises(SeglabError, match="only dice is allowed here"):
        validated(Dice, {"name": "cross_entropy"})


def test_a_family_is_no_value_of_itself():
    for value in (Loss.model_construct(), Architecture.model_construct(), Loss):
        with pytest.raises(SeglabError):
            validated(Loss, value)
    with pytest.raises(ValueError):
        Loss()


def test_an_entry_cannot_be_changed():
    with pytest.raises(ValueError, match="frozen"):
        Dice().smooth = 3


def test_two_entries_cannot_share_a_name():
    with pytest.raises(TypeError, match="two entries named dice"):

        class Other(Loss):
            """Another."""

            name = "dice"


def test_a_run_s_json_gives_the_same_run():
    config = tiny(
        techniques=["flip", {"name": "ema", "decay": 0.9}], loss="2*dice + cross_entropy", fold={"index": 1, "of": 3}
    )
    assert RunConfig.model_validate_json(config.model_dump_json()) == config


def test_heavy_packages_load_only_where_something_is_built():
    heavy = (
        "['segmentation_models_pytorch', 'timm', 'torchvision', 'albumentations', 'cv2', 'matplotlib', 'pydensecrf']"
    )
    code = f"import sys, seglab.config, seglab.cli; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_an_error_reaches_another_process_with_all_it_stands_for():
    error = SeglabError("{file}: wrong", file="a")
    error.each = (SeglabError("{file}: missing", file="b"),)
    (inner,) = pickle.loads(pickle.dumps(error)).each
    assert str(inner) == "b: missing" and inner.values == {"file": "b"}


def test_the_other_spelling_of_a_name_is_accepted_and_american_kept():
    found = configured(
        {
            "model": {"name": "panoptic_deeplab", "centre_weight": 10},
            "loss": "dice + generalised_dice",
            "batch_size": 4,
        },
        {"model.centre_weight": "20"},
    )
    assert found.model.center_weight == 20 and found.loss.parts[1].loss.name == "generalized_dice"
    older = {"techniques": [{"name": "consistency", "labelled": 0.5}], "loss": {"name": "generalised_dice"}}
    found = configured(older)
    assert found.techniques[0].labeled == 0.5 and found.loss.name == "generalized_dice"
    assert "labelled" not in found.model_dump_json() and "generalised" not in found.model_dump_json()
    found = configured({"techniques": "colour,flip"}, {"techniques.colour.p": "0.3"})
    assert [(each.name, each.p) for each in found.techniques] == [("color", 0.3), ("flip", 0.5)]
    with pytest.raises(SeglabError, match="no option 'centre_wait'"):
        configured({"model": {"name": "panoptic_deeplab", "centre_wait": 1}})


def test_terms_of_older_runs_have_the_names_of_newer_ones():
    line = (
        b'{"kind":"stepped","step":1,"seconds":1,"epoch":1,"loss":1,"terms":{"dice":1,"centre":2},'
        b'"term_weights":{"dice":1,"centre":200},"lr":1,"images_per_second":1,"seconds_left":1}'
    )
    event = from_line(line)
    assert event.terms == {"dice": 1, "center": 2} and event.term_weights == {"dice": 1, "center": 200}
