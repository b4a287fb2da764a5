"""The README's experiments: each command is right at full size, and trains when it is made small."""

import json
import math
import re
import shlex

import pytest
from PIL import Image

from seglab import cli, plans, runs
from seglab.architectures import deconvnet, deeplab, smp, unet
from seglab.architectures._pretrained import LITE0
from seglab.comparison import flat
from seglab.entry import FAMILIES, validated
from tests import test_datasets as written
from tests.test_readme import README

SECTION = re.search(r"\n## Experiments to repeat\n(.*?)\n## ", README, re.DOTALL).group(1)
GROUPS = {}  # the commands below each heading, in their order
for heading, text in re.findall(r"\n### (.*?)\n(.*?)(?=\n### |\Z)", SECTION, re.DOTALL):
    lines = "".join(re.findall(r"```sh\n(.*?)```", text, re.DOTALL)).replace("\\\n", " ").splitlines()
    GROUPS[heading] = [shlex.split(line, comments=True) for line in lines]

DATA = {"coco": written.coco, "kitti_road": written.kitti, "voc2012": written.voc}
SMALL = {  # what an option's values become, where the command names it
    "image_size": {"256": "32", "512": "64"},
    "batch_size": {"8": "2", "16": "2", "32": "4", "64": "4", "100": "4", "128": "4"},
    "epochs": dict.fromkeys(["10", "19", "20", "25", "30", "40", "100"], "1"),
    "scheduler.warmup": {"4": "0.5"},
    "data.train_images": {"40": "4", "800": "6"},
    "model.width": dict.fromkeys(["16", "32", "64", "256"], "4"),
    "model.pyramid_width": {"256": "4"},
    "model.width_of_32": {"4": "1"},
    "model.rates_for": {"256": "64", "513": "128"},
    "model.window": {"7": "2"},
    "model.rate": {"12": "2"},
    "model.encoder": {
        "resnet50": "mobilenet_v2_050",
        "resnet101": "mobilenet_v2_050",
        "xception65": "mobilenet_v2_050",
        "mobilenet_v2": "mobilenet_v2_050",
        "efficientnet-b7": "efficientnet-b0",
        "efficientnetv2_s": "lite0",
        "efficientnetv2_m": "efficientnet-b0",
        "efficientnetv2_l": "efficientnet-b1",
    },
    "techniques.accumulation.at_once": {"8": "2"},
    "techniques.elastic.rarer_than": {"0.01": "0.9"},
    "k": {"5": "2"},
    "count": {"5": "2"},
}
ENCODERS = {  # of the networks that take other encoders
    "smp": dict(zip(("vgg16", "densenet121", "resnet50", "resnext50_32x4d"), (
        "tu-test_efficientnet", "tu-mobilenetv2_050", "tu-test_resnet", "mobilenet_v2"), strict=True)),
    "deeplab_v2": {"resnet101": "resnet18"},
}  # fmt: skip
UNNAMED = {"image_size": "32", "batch_size": "4", "epochs": "1", "model.width": "4"}
STREETS = {"data.train_images": "4", "data.val_images": "2", "data.size": "64"}
SIZES = {*SMALL, *UNNAMED, *STREETS, "data.root", "fold.of"}  # what may be other than the README's


def made_small(arguments, root):
    """The command with sizes that train within a second, on data of the same format below `root`."""
    model, data = (named(arguments, option) for option in ("--model", "--data"))
    small = SMALL | {"model.encoder": ENCODERS.get(model, SMALL["model.encoder"])}
    if any("progressive_size" in each or "warmup" in each for each in arguments):  # which take more than an epoch
        small["epochs"] = dict.fromkeys(SMALL["epochs"], "2")
    found, rest, seen = [], iter(arguments), set()
    for token in rest:
        found.append(token)
        name = token.removeprefix("--")
        if name == "over":
            name, _, values = next(rest).partition("=")
            found.append(f"{name}={','.join(small.get(name, {}).get(value, value) for value in values.split(','))}")
        elif name in small:
            found.append(small[name][next(rest)])
        seen.add(name)
    if data:
        place = root / data
        extra = UNNAMED | {"data.root": str(place if place.exists() else DATA[data](place)["root"])}
    else:
        extra = UNNAMED | STREETS
    for name in extra.keys() - seen - ({"model.width"} if model == "panoptic_fpn" else set()):
        found += [f"--{name}", extra[name]]
    return [*found, "--device", "cpu", "--threads", "1"]


def named(arguments, option):
    """What a command gives for an option, if anything."""
    return arguments[arguments.index(option) + 1] if option in arguments else None


def configurations(arguments):
    """What a command of `train` or `plan` would run."""
    dotted, plain = cli.dotted(arguments)
    parsed, rest = cli.parser().parse_known_args(plain)
    assert not rest
    config = cli.configured(parsed, dotted)
    if parsed.command == "train":
        return [config]
    kind = FAMILIES["plans"].entries[parsed.kind]
    given = {name: value for name in kind.model_fields if (value := getattr(parsed, name)) is not None}
    return [step.config for step in plans.laid_out(validated(kind, given), [config])[1]]


@pytest.fixture
def offline(monkeypatch):
    """Pretrained weights that would be fetched are left out; gives the encoders that they were wanted for."""
    wanted, real = [], smp.imagenet_encoder
    monkeypatch.setattr(
        smp, "imagenet_encoder", lambda net, name: real(net, name) if name == LITE0 else wanted.append(name)
    )
    for module, name in ((deconvnet, "imagenet_vgg16"), (deeplab, "imagenet_vgg16"), (unet, "imagenet_vgg16")):
        monkeypatch.setattr(module, name, lambda stages: wanted.append("vgg16"))
    monkeypatch.setattr(deeplab, "imagenet_resnet", lambda module, name: wanted.append(name))
    return wanted


def test_every_command_is_below_a_heading():
    commands = [command for group in GROUPS.values() for command in group]
    assert len(GROUPS) == SECTION.count("\n### ") and all(GROUPS.values())
    assert len(commands) == SECTION.count("python -m seglab ") - SECTION.count("`python -m seglab ")


@pytest.mark.slow
@pytest.mark.parametrize("group", GROUPS)
def test_every_experiment_trains_when_it_is_made_small(group, tmp_path, monkeypatch, capsys, offline):
    monkeypatch.chdir(tmp_path)
    Image.new("RGB", (96, 64), (90, 120, 40)).save("large.jpg")
    for command in GROUPS[group]:
        arguments = command[3:]
        assert command[:3] == ["python", "-m", "seglab"]
        trains = arguments[0] in ("train", "plan")
        full = configurations(arguments) if trains else []
        with pytest.raises(SystemExit) as ended:
            cli.main(made_small(arguments, tmp_path) if trains else arguments)
        captured = capsys.readouterr()
        assert ended.value.code == 0, (command, captured.err)
        if not trains:
            assert captured.out.strip() and "nan" not in captured.out, command
            continue
        name = named(arguments, "--name")
        made = [runs.find(name)] if arguments[0] == "train" else [run for run, _ in plans.members(plans.find(name))]
        assert len(made) == (2 if arguments[1] in ("folds", "seeds") else len(full))
        carried = {"init_from", "techniques.pseudo_labels.teacher"} if arguments[0] == "plan" else set()  # other runs
        for directory, config in zip(made, full, strict=False):
            status = runs.status(directory)
            assert status.state == "completed" and math.isfinite(status.finished.val_miou), (command, directory)
            run, whole = flat(json.loads((directory / "config.json").read_text())), flat(config.model_dump(mode="json"))
            assert {option for option in {*run, *whole} if run.get(option) != whole.get(option)} <= SIZES | carried
            if run.get("model.pretrained") == "imagenet":
                encoder = smp.smp_name(run.get("model.encoder", "vgg16"))
                assert encoder == LITE0 or encoder in offline
