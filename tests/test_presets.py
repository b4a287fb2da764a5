"""Presets: each is a plain configuration, wherever it is asked for."""

import shlex

import pytest

import seglab
from seglab import cli
from seglab.cli.train import configuration
from seglab.config import RunConfig, configured
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Preset

PRESETS = FAMILIES["presets"].entries


def typed(words):
    """The configuration that `seglab train` makes of its words."""
    options, plain = cli.dotted(["train", *words])
    arguments = cli.parser().parse_args(plain)
    return configuration(arguments, options)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_configuration_for_any_data_and_any_seed(name):
    config = configured({"preset": name})
    assert not {"data", "seed", "init_from", "fold"} & PRESETS[name].settings.keys()
    assert RunConfig.model_validate_json(config.model_dump_json()) == config
    changed = configured({"preset": name, "data": {"name": "streets", "val_images": 2}, "seed": 7, "epochs": 3})
    assert (changed.data.val_images, changed.seed, changed.epochs) == (2, 7, 3)
    assert changed.model == config.model


@pytest.mark.parametrize("name", PRESETS)
def test_the_command_that_is_shown_for_a_preset_makes_the_same(name, capsys):
    for words in (["list", "presets"], ["list", "presets", "--markdown"], ["train", "--preset", name, "--help"]):
        with pytest.raises(SystemExit):
            cli.main(words)
        out = capsys.readouterr().out
        shown = [line.strip() for line in out.splitlines() if line.strip().startswith("seglab train")]
        made = [typed(shlex.split(line)[2:]) for line in shown]
        assert typed(["--preset", name]) == configured({"preset": name})
        assert configured({"preset": name}) in made
        assert PRESETS[name].summary() in out


def test_other_options_override_a_preset():
    words = "--preset quick --epochs 2 --model.pyramid_width 32 --loss.dice.smooth 0 --seed 5"
    config = typed(shlex.split(words))
    quick = configured({"preset": "quick"})
    assert (config.epochs, config.model.pyramid_width, config.loss.parts[1].loss.smooth, config.seed) == (2, 32, 0, 5)
    assert config.model.encoder == quick.model.encoder and config.scheduler == quick.scheduler
    assert typed(["--preset", "quick", "--model", "unet"]).model == RunConfig().model


def test_a_file_may_begin_with_a_preset(tmp_path):
    (tmp_path / "mine.yaml").write_text("preset: quick\nepochs: 2\n")
    assert typed(["--config", str(tmp_path / "mine.yaml")]) == configured({"preset": "quick", "epochs": 2})


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--preset", "quik"], ["'quik'", "did you mean 'quick'", "ten_minutes"]),
        (["--preset", "quick", "--config", "config.json"], ["--config", "not allowed with", "--preset"]),
        (["--preset.epochs", "3"], ["preset"]),
    ],
    ids=str,
)
def test_a_mistake_with_presets_is_told_in_one_line(words, said, capsys):
    with pytest.raises(SystemExit) as ended:
        cli.main(["train", *words])
    err = capsys.readouterr().err
    assert ended.value.code == 2 and all(word in err for word in said) and len(err.splitlines()) == 1


def test_python_takes_presets():
    assert seglab.configure(preset="quick", epochs=1) == configured({"preset": "quick", "epochs": 1})
    assert seglab.configure(preset="quick", model__pyramid_width=32).model.pyramid_width == 32
    assert list(seglab.entries("presets")) == list(PRESETS)
    with pytest.raises(SeglabError, match="not both"):
        seglab.configure(seglab.configure(), preset="quick")
    with pytest.raises(SeglabError, match="did you mean 'best'"):
        seglab.configure(preset="bets")


def test_an_own_preset_is_one_like_the_others(monkeypatch):
    monkeypatch.setattr(Preset, "entries", dict(PRESETS))

    class Mine(Preset):
        """My own recipe."""

        name = "mine"
        settings = {"model": "unet", "epochs": 2}

    assert configured({"preset": "mine"}) == RunConfig(epochs=2)
    assert validated(Preset, "mine") == Mine()
