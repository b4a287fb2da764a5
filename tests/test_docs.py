"""The documentation says what is so: each command is right at full size, and does its work when it is made small."""

from __future__ import annotations

import importlib.util
import json
import math
import re
import shlex
import shutil
from pathlib import Path

import pytest
import yaml
from PIL import Image

from benchmarks import table
from seglab import cli, export, plans, runs
from seglab.architectures import _encoders, deconvnet, deeplab, unet
from seglab.architectures._pretrained import LITE0
from seglab.cli import train
from seglab.cli.parsing import dotted
from seglab.config import RunConfig
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from tests import test_datasets as written
from tests.conftest import tiny
from tests.documents import PAGES, ROOT, arguments, blocks, commands, named, sections

DATA = {
    "camvid": written.camvid,
    "coco": written.coco,
    "folder": written.folder,
    "hub": written.hub,
    "kitti_road": written.kitti,
    "oxford_pet": written.pets,
    "voc2012": written.voc,
}
NOT_RUN = {"app": "it ends when it is ended", "--on": "it needs a cluster"}  # parsed alone
PACKAGES = {
    "export": export.PACKAGES,
    "adopt": export.PACKAGES,
    "tensorboard": ("tensorboard",),
    "trackio": ("trackio",),
}  # of words in commands
SMALL = {  # what a number becomes that a command names
    "image_size": lambda value: max(32, value // 8),
    "batch_size": lambda value: 2 if value <= 16 else 4,
    "epochs": lambda value: 1,
    "scheduler.warmup": lambda value: min(value, 0.5),
    "data.train_images": lambda value: 4 if value <= 100 else 6,
    "data.size": lambda value: 64,
    "model.width": lambda value: 4,
    "model.pyramid_width": lambda value: 4,
    "model.width_of_32": lambda value: 1,
    "model.rates_for": lambda value: value // 4,
    "model.window": lambda value: 2,
    "model.rate": lambda value: 2,
    "techniques.accumulation.at_once": lambda value: 2,
    "techniques.elastic.rarer_than": lambda value: 0.9,
    "k": lambda value: 2,
    "count": lambda value: 2,
}
LIGHT = {  # encoders that are built within a second, for others
    "resnet50": "mobilenet_v2_050",
    "resnet101": "mobilenet_v2_050",
    "xception65": "mobilenet_v2_050",
    "mobilenet_v2": "mobilenet_v2_050",
    "efficientnet-b7": "efficientnet-b0",
    "efficientnetv2_s": "lite0",
    "efficientnetv2_m": "efficientnet-b0",
    "efficientnetv2_l": "efficientnet-b1",
}
ENCODERS = {  # of the networks that take other encoders
    "smp": dict(zip(("vgg16", "densenet121", "resnet50", "resnext50_32x4d"), (
        "tu-test_efficientnet", "tu-mobilenetv2_050", "tu-test_resnet", "mobilenet_v2"), strict=True)),
    "deeplab_v2": {"resnet101": "resnet18"},
}  # fmt: skip
UNNAMED = {"image_size": "32", "batch_size": "4", "epochs": "1", "model.width": "4"}
STREETS = {"data.train_images": "4", "data.val_images": "2", "data.size": "64"}
SIZES = {*SMALL, *UNNAMED, *STREETS, "model.encoder", "data.root", "fold.of"}  # what may be other than the page's


def asks(command):
    """Whether it ends as soon as it is parsed."""
    return "--help" in command or command[0].startswith("--")


def fetches(command):
    """Whether it asks a network."""
    return "--download" in command or (command[0] == "adopt" and not command[1].endswith(".onnx"))


def lacks(command):
    """Whether it needs packages that are not installed."""
    needed = {name for word in command for name in PACKAGES.get(word, ())}
    return not all(importlib.util.find_spec(name) for name in needed)


def trains(command):
    if asks(command):
        return False
    return command[0] == "train" or (command[0] == "plan" and command[1] != "resume")


GROUPS = {  # the commands below each heading, in their order
    f"{page}: {heading}": found
    for page, text in PAGES.items()
    for heading, section in sections(text).items()
    if (found := commands(section))
}
RUN = [
    pytest.param(name, marks=[pytest.mark.slow] if any(map(trains, found)) else [], id=name)
    for name, found in GROUPS.items()
]


def small(name, values, encoders):
    """The values of an option, made small; different ones stay different."""
    if name == "model.encoder":
        return [encoders.get(value, value) for value in values]
    if name not in SMALL:
        return values
    found = []
    for value in values:
        number = SMALL[name](float(value) if "." in value else int(value))
        while str(number) in found:
            number += 1
        found.append(str(number))
    return found


def made_small(command, root):
    """The command with sizes that train within a second, on data of the same format below `root`."""
    encoders = ENCODERS.get(named(command, "--model"), LIGHT)
    rest, found, seen = iter(command), [], set()
    for token in rest:
        found.append(token)
        name = token.removeprefix("--")
        if name == "over":
            name, _, values = next(rest).partition("=")
            found.append(f"{name}={','.join(small(name, values.split(','), encoders))}")
        elif token.startswith("--") and (name in SMALL or name == "model.encoder"):
            found += small(name, [next(rest)], encoders)
        seen.add(name)
    data = named(command, "--data")
    extra = {} if data in DATA else dict(STREETS)
    if data in DATA and "DIR" not in command:
        extra["data.root"] = written_data(data, root)
    if trains(command):
        extra |= UNNAMED
        if "width" not in type(configurations(command)[0].model).model_fields:
            del extra["model.width"]
        if any("progressive_size" in each or "warmup" in each for each in command):  # which take more than an epoch
            extra["epochs"] = "2"
            found = without(found, "--epochs")
            seen.discard("epochs")
        found += ["--device", "cpu", "--threads", "1"]
    return [*found, *(word for name in extra if name not in seen for word in (f"--{name}", extra[name]))]


def without(command, option):
    """The command without an option and its value."""
    if option not in command:
        return command
    at = command.index(option)
    return [*command[:at], *command[at + 2 :]]


def written_data(name, root):
    """A folder with a little data of that source."""
    folder = root / name
    return str(folder if folder.exists() else DATA[name](folder)["root"])


def parsed(command):
    """A command as argparse reads it, and its dotted options; nothing is left over."""
    options, plain = dotted(command)
    found, rest = cli.parser().parse_known_args(plain)
    assert not rest
    return found, options


def configurations(command):
    """What a command of `train` or `plan` would run."""
    found, options = parsed(command)
    config = train.configuration(found, options)
    if found.command == "train":
        return [config]
    kind = FAMILIES["plans"].entries[found.kind]
    given = {name: value for name in kind.model_fields if (value := getattr(found, name)) is not None}
    return [step.config for step in plans.laid_out(validated(kind, given), [config])[1]]


def options_of(value, option=""):
    """A configuration's options as {"loss.gamma": 2.0}; the entries of a list by their names."""
    if isinstance(value, dict):
        parts = {(option if key == "name" else f"{option}.{key}".lstrip(".")): part for key, part in value.items()}
    elif isinstance(value, list) and all(isinstance(part, dict) for part in value):
        parts = {f"{option}.{part.get('name', n)}": part for n, part in enumerate(value)}
    else:
        return {option: value}
    return {name: each for key, part in parts.items() for name, each in
            ({key: part} if key == option else options_of(part, key)).items()}  # fmt: skip


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder to work in that has the folders, photographs and runs which a command takes to be there."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))

    def prepared(command, finished=None):
        for word in command:
            if "/" in word and Path(word).suffix:
                Path(word).parent.mkdir(parents=True, exist_ok=True)
            if command[0] == "lesson" and word.endswith(".yaml"):
                Path(word).write_text(blocks(PAGES["docs/own-lessons.md"], "yaml")[0])
        if asks(command):
            return
        found, _ = parsed(command)
        for photo in getattr(found, "images", ()):
            if not photo.exists():
                Image.new("RGB", (96, 64), (90, 120, 40)).save(photo)
        listed = getattr(found, "runs", None) or [getattr(found, "run", None)]
        others = getattr(found, "others", ())
        for name in [*listed, *others]:
            if not name or not finished or known(name):
                continue
            if found.command == "resume":  # one that is queued, for there is nothing to resume in a finished one
                runs.create(tiny(epochs=1), name)
            else:  # runs that vote have the same classes
                shutil.copytree(runs.find(listed[0]) if name in others else finished, runs.home() / name)

    return prepared


def known(name):
    try:
        return plans.expanded([name])
    except SeglabError:
        return []


@pytest.fixture(scope="session")
def finished(tmp_path_factory):
    """A finished run of seconds, for the commands that only read one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(tmp_path_factory.mktemp("finished")))
        directory = runs.create(tiny(epochs=1), "any")
        list(runs.work(directory))
    return directory


@pytest.fixture
def offline(monkeypatch):
    """Pretrained weights that would be fetched are left out; gives the encoders that they were wanted for."""
    wanted, real = [], _encoders.imagenet_encoder
    monkeypatch.setattr(
        _encoders, "imagenet_encoder", lambda net, name: real(net, name) if name == LITE0 else wanted.append(name)
    )
    for module, name in ((deconvnet, "imagenet_vgg16"), (deeplab, "imagenet_vgg16"), (unet, "imagenet_vgg16")):
        monkeypatch.setattr(module, name, lambda stages: wanted.append("vgg16"))
    monkeypatch.setattr(deeplab, "imagenet_resnet", lambda module, name: wanted.append(name))
    return wanted


def test_every_line_that_begins_a_command_is_among_the_commands():
    found = sum(map(len, GROUPS.values()))
    assert found == sum(
        len(re.findall(r"^(?:[A-Z_]+=\S+ )?(?:python -m seglab|seglab) ", text, re.MULTILINE))
        for text in PAGES.values()
    )


@pytest.mark.parametrize("page", PAGES)
def test_every_command_of_a_page_is_configured_at_full_size(page, desk):
    for command in commands(PAGES[page]):
        if asks(command):
            continue
        desk(command)
        found, _ = parsed(command)
        if trains(command):
            configurations(command)
        elif found.command == "data":
            validated(RunConfig, {"data": found.data})
    for line in re.findall(r"`(python -m seglab [^`]+)`", re.sub(r"```.*?```", "", PAGES[page], flags=re.DOTALL)):
        parsed(arguments(shlex.split(line)))


@pytest.mark.parametrize("group", RUN)
def test_every_command_does_its_work_when_it_is_made_small(
    group, tmp_path, capsys, offline, desk, finished, hub, monkeypatch
):
    hub.tokens["hf_of_owner"] = "OWNER"
    monkeypatch.setenv("HF_TOKEN", "hf_of_owner")
    for command in GROUPS[group]:
        if any(option in command for option in NOT_RUN) or fetches(command) or lacks(command):
            continue
        desk(command, finished)
        makes = trains(command)
        given = made_small(command, tmp_path) if makes or command[0] == "data" else command
        given = [written_data(named(command, "--data"), tmp_path) if word == "DIR" else word for word in given]
        with pytest.raises(SystemExit) as ended:
            cli.main(given)
        captured = capsys.readouterr()
        assert ended.value.code == 0, (command, captured.err)
        if not makes or "--dry-run" in command:
            assert (captured.out + captured.err).strip() or command[0] in ("ship", "rm"), command
            assert "nan" not in re.findall(r"\w+", captured.out), command
        else:
            trained_what_the_page_says(command, offline)


def trained_what_the_page_says(command, offline):
    """The runs of a command are completed, and differ in nothing but sizes from what it makes at full size."""
    full, name = configurations_again(command), named(command, "--name")
    made = [runs.find(name)] if command[0] == "train" else [run for run, _ in plans.members(plans.find(name))]
    assert len(made) == (2 if command[1] in ("folds", "seeds") else len(full))
    carried = {"init_from", "techniques.pseudo_labels.teacher"} if command[0] == "plan" else set()  # other runs
    for directory, config in zip(made, full, strict=False):
        status = runs.status(directory)
        assert status.state == "completed" and math.isfinite(status.finished.val_miou), (command, directory)
        run = options_of(json.loads((directory / "config.json").read_text()))
        whole = options_of(config.model_dump(mode="json"))
        assert {option for option in {*run, *whole} if run.get(option) != whole.get(option)} <= SIZES | carried
        if run.get("model.pretrained") == "imagenet":
            encoder = _encoders.smp_name(run.get("model.encoder", "vgg16"))
            assert encoder == LITE0 or encoder in offline


def configurations_again(command):
    """What a command would run, once its runs are there: under another name."""
    name = command.index("--name") + 1
    return configurations([*command[:name], "another", *command[name + 1 :]])


@pytest.mark.parametrize("page", PAGES)
def test_every_benchmark_that_a_page_names_is_there(page):
    for module, subject in re.findall(r"python -m benchmarks\.(\w+)(?: (\w+))?", PAGES[page]):
        assert (ROOT / "benchmarks" / f"{module}.py").is_file()
        assert module != "table" or subject in table.SUBJECTS


@pytest.mark.parametrize("page", PAGES)
def test_every_file_that_a_page_links_or_shows_is_there(page):
    for address in re.findall(r"\]\(([^)]+)\)", PAGES[page]):
        path = (ROOT / page).parent / address.partition("#")[0]
        generated = path.parent == ROOT / "docs" / "reference" and path.stem in FAMILIES
        generated |= path == ROOT / "docs" / "notebook.md" and path.with_suffix(".ipynb").is_file()
        assert re.match(r"https?://|#", address) or path.is_file() or generated, address


@pytest.mark.parametrize("page", PAGES)
def test_lines_are_no_longer_than_120_except_in_tables(page):
    assert [line for line in PAGES[page].splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_pictures_are_webp_or_drawings_and_small():
    for path in (ROOT / "docs").rglob("*"):
        assert path.is_dir() or path.stat().st_size < 1_000_000, path
        assert path.suffix not in (".png", ".jpg", ".jpeg", ".gif"), path


def test_the_layout_names_what_is_there():
    layout = sections(PAGES["docs/architecture.md"])["The layout, in reading order"]
    for name in re.findall(r"^\| `([^`]+)`", layout, re.MULTILINE):
        assert (ROOT / "seglab" / name).exists(), name


def test_the_reference_has_a_page_for_every_family_with_all_its_entries():
    pytest.importorskip("mkdocs", reason="mkdocs is not installed: pip install -e .[docs]")
    spec = importlib.util.spec_from_file_location("hooks", ROOT / "docs" / "hooks.py")
    hooks = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(hooks)
    assert hooks.families() == list(FAMILIES)
    for family, known in FAMILIES.items():
        assert all(f"`{name}`" in hooks.page(family) for name in known.entries)
        assert f"]({family}.md)" in PAGES["docs/reference/index.md"]


def test_pre_commit_has_the_ruff_that_everything_else_has():
    hook = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"][0]
    assert f'"ruff=={hook["rev"].lstrip("v")}"' in (ROOT / "pyproject.toml").read_text()
