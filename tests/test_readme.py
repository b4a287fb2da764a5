"""The README says what is so."""

import re
import shlex
from pathlib import Path

import pytest
import torch
import yaml

from seglab import cli, runs
from seglab.config import configured
from seglab.entry import FAMILIES, validated
from seglab.families import Loss
from tests.test_losses import example

ROOT = Path(__file__).parent.parent
README = (ROOT / "README.md").read_text()


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def test_the_tables_are_those_that_the_command_makes(capsys):
    with pytest.raises(SystemExit):
        cli.main(["list", "--markdown"])
    stated = re.search(r"<!-- entries -->\n(.*?)<!-- /entries -->", README, re.DOTALL).group(1)
    assert stated.strip() == capsys.readouterr().out.strip()


def test_the_snippet_adds_a_loss():
    (code,) = blocks("python")
    try:
        exec(compile(code, "README.md", "exec"), {})
        robust = validated(Loss, {"name": "robust", "q": 1e-4})
        logits, masks = example()
        cross_entropy = validated(Loss, "cross_entropy")(logits, masks)
        torch.testing.assert_close(robust(logits, masks), cross_entropy, rtol=1e-2, atol=0)
        assert validated(Loss, "robust")(logits, masks) < cross_entropy
        assert validated(Loss, "robust")(logits, torch.full_like(masks, 255)).item() == 0
        assert configured({"loss": "dice + 0.5*robust"}).loss.parts[1].loss.q == 0.7
    finally:
        FAMILIES["losses"].entries.pop("robust", None)


@pytest.mark.parametrize("name", ["first", "pretrained"])
def test_the_commands_of_the_readme_train(capsys, camvid, name):
    lines = "".join(blocks("sh")).replace("\\\n", " ").splitlines()
    line = next(line for line in lines if "seglab train" in line and f"--name {name}" in line)
    arguments = shlex.split(line, comments=True)[3:]
    arguments[arguments.index("DIR")] = str(camvid)
    for option, value in (("--epochs", "1"), ("--image_size", "32"), ("--model.width", "4")):
        arguments[arguments.index(option) + 1] = value
    with pytest.raises(SystemExit) as ended:
        cli.main([*arguments, "--budget_seconds", "3", "--device", "cpu", "--threads", "1"])
    captured = capsys.readouterr()
    assert ended.value.code == 0, captured.err
    assert runs.status(runs.find(name)).over


def test_the_plans_of_the_readme_run_and_are_compared(capsys):
    block = next(block for block in blocks("sh") if "seglab plan" in block)
    small = "--data.train_images 8 --data.val_images 2 --data.size 64 --model.width 4 --image_size 32 --threads 1"
    for line in block.splitlines():
        arguments = shlex.split(line.replace("=8,16", "=4,5").replace("--epochs 3", "--epochs 1"), comments=True)[3:]
        with pytest.raises(SystemExit) as ended:
            cli.main([*arguments, *(small.split() if arguments[0] == "plan" else [])])
        captured = capsys.readouterr()
        assert ended.value.code == 0, captured.err
    assert "(standard deviation, n = 5)" in captured.out
    assert len(list(runs.home().glob("*/config.json"))) == 4 + 3 + 5


def test_the_front_matter_names_the_installed_gradio():
    front = yaml.safe_load(README.split("---")[1])
    pins = dict(line.split("==") for line in (ROOT / "requirements.txt").read_text().splitlines() if "==" in line)
    assert front["sdk_version"] == pins["gradio"] and (ROOT / front["app_file"]).exists()


def test_every_picture_and_file_it_shows_is_there():
    for path in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README):
        assert (ROOT / path).stat().st_size < 2_000_000


def test_no_file_is_larger_than_a_space_takes():
    for path in (ROOT / "checkpoints").rglob("*"):
        assert not path.is_file() or path.stat().st_size < 10_000_000, path
