"""Entries from elsewhere: from a notebook or a script, from a file, from an installed package."""

import contextlib
import hashlib
import importlib
import linecache
import math
import os
import shutil
import subprocess
import sys
import types
import zipfile
from pathlib import Path

import pytest

import seglab
from seglab import jobs, plugins, runs, source, travel
from seglab.cli.list import markdown
from seglab.config import configured
from seglab.entry import FAMILIES, along, validated
from seglab.errors import SeglabError
from seglab.families import Architecture, Loss
from seglab.runs import own
from seglab.ui import views
from tests.conftest import tiny

CELLS = [
    """
import math
import torch.nn.functional as F
from seglab.data.base import VOID
from torch import Tensor
half = 0.5
weights = [1.0, 2.0]
def counted(masks):
    return (masks != VOID).sum().clamp(min=1)
""",
    """
from seglab.families import Architecture, Loss
class Mine(Loss):
    \"\"\"Half the cross-entropy.\"\"\"

    name = "mine"
    power: int = 2

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        value = F.cross_entropy(logits, masks, ignore_index=VOID, reduction="sum") / counted(masks)
        return value * half * sum(weights) / math.sqrt(9)
raise SystemExit("what else the cell does is left out")
""",
]
PLUGIN = '''
"""A loss."""
from seglab.families import Architecture, Loss


class Other(Loss):
    """The mean of all logits, squared."""

    name = "other"
    size: float = {size}

    def __call__(self, logits, masks):
        return self.size * logits.mean() ** 2
'''


@pytest.fixture
def notebook(monkeypatch):
    """Runs cells as a notebook does: in `__main__`, their source in linecache alone."""
    module = types.ModuleType("__main__")
    monkeypatch.setitem(sys.modules, "__main__", module)
    before = {base: dict(base.entries) for base in FAMILIES.values()}

    def run(*cells):
        for cell in cells:
            file = f"/tmp/ipykernel_1/{abs(hash(cell))}.py"
            linecache.cache[file] = len(cell), None, cell.splitlines(keepends=True), file
            with contextlib.suppress(SystemExit):
                exec(compile(cell, file, "exec"), vars(module))
        return vars(module)

    yield run
    for base, entries in before.items():
        base.entries.clear()
        base.entries.update(entries)


def forgotten(name):
    del FAMILIES["losses"].entries[name]


# --- of a notebook


def test_a_notebook_s_loss_is_kept_with_all_that_it_uses_and_nothing_else(notebook):
    notebook(*CELLS)
    directory = runs.create(tiny(epochs=1, loss={"name": "mine", "power": 3}))
    text = (directory / "entries.py").read_text()
    assert "import torch.nn.functional as F" in text and "VOID = 255" in text and "def counted" in text
    assert "SystemExit" not in text and text.index("def counted") < text.index("class Mine")


def test_a_run_with_a_notebook_s_loss_is_worked_on_and_read_where_nobody_knows_it(notebook):
    notebook(*CELLS)
    directory = runs.create(tiny(epochs=1, loss="mine"))
    forgotten("mine")
    events = list(runs.work(directory))
    assert math.isfinite(events[-1].val_miou) and runs.config(directory).loss.name == "mine"
    assert "mine" not in FAMILIES["losses"].entries
    config = runs.config(directory)
    again = runs.create(configured(dict(config), {"loss.power": 4}))  # from its own source
    assert runs.config(again).loss.power == 4
    assert (again / "entries.py").read_bytes() == (directory / "entries.py").read_bytes()


def test_the_queue_s_process_knows_a_notebook_s_loss(notebook):
    notebook(*CELLS)
    directory = runs.create(tiny(epochs=1, loss="mine"))
    assert jobs.Process().work(directory) is None
    assert runs.status(directory).state == "completed"


def test_each_run_keeps_the_loss_that_it_was_made_with(notebook):
    notebook(*CELLS)
    first = runs.create(tiny(loss="mine"))
    notebook(CELLS[1].replace("power: int = 2", "power: int = 5"))
    second = runs.create(tiny(loss="mine"))
    assert [runs.config(run).loss.power for run in (first, second)] == [2, 5]
    assert type(runs.config(first).loss) is not type(runs.config(second).loss)


def test_a_variant_without_any_method_is_found_by_its_name(notebook):
    notebook("from seglab.losses.region import Dice\nclass Smooth(Dice):\n    'Smoother.'\n    name = 'smooth'\n    "
             "smooth: float = 7.0\n")  # fmt: skip
    directory = runs.create(tiny(loss="smooth"))
    forgotten("smooth")
    assert runs.config(directory).loss.smooth == 7


@pytest.mark.parametrize(
    ("cell", "words"),
    [
        ("import numpy\ntable = numpy.ones(3)\n" + CELLS[1].replace("half", "table"), ["mine uses table", "ndarray"]),
        (CELLS[1].replace("half", "nothing"), ["mine uses nothing", "not defined"]),
        ("def make():\n" + "".join(f"    {line}\n" for line in CELLS[1].splitlines()[1:-1]) + "make()\n",
         ["source of Mine", "top level"]),
    ],
)  # fmt: skip
def test_what_cannot_be_kept_is_told_before_there_is_a_run(notebook, cell, words):
    notebook(CELLS[0], cell)
    with pytest.raises(SeglabError) as caught:
        runs.create(tiny(loss="mine"), "kept")
    assert all(word in str(caught.value) for word in words) and not (runs.home() / "kept").exists()


def test_source_that_does_not_work_alone_is_told(notebook):
    with pytest.raises(SeglabError, match="NameError: name 'nobody'"):
        source.made("value = nobody\n")


def test_a_module_beside_the_script_is_found_by_other_processes(notebook, tmp_path, monkeypatch):
    (tmp_path / "beside.py").write_text("def double(value):\n    return 2 * value\n")
    monkeypatch.syspath_prepend(tmp_path)
    notebook(CELLS[0] + "from beside import double\n", CELLS[1].replace("return value", "return double(value)"))
    text = (runs.create(tiny(loss="mine")) / "entries.py").read_text()
    assert f"sys.path.append({str(tmp_path)!r})" in text and "from beside import double" in text
    assert text.count("sys.path.append") == 1


def test_entries_that_come_with_a_run_from_elsewhere_are_never_run(notebook, tmp_path, capsys):
    notebook(*CELLS)
    directory = runs.create(tiny(loss="mine"))
    forgotten("mine")
    evil = (directory / "entries.py").read_text() + f"\nopen({str(tmp_path / 'done')!r}, 'w')\n"
    (directory / "entries.py").write_text(evil)
    with pytest.raises(SeglabError, match=r"come from elsewhere and are not run.*SEGLAB_PLUGINS"):
        runs.config(directory)
    assert not (tmp_path / "done").exists()
    brought = shutil.copytree(directory, tmp_path / "brought" / "run")
    (tmp_path / "brought" / own.WRITTEN).write_text(hashlib.sha256(evil.encode()).hexdigest())  # of no home of ours
    with pytest.raises(SeglabError, match="come from elsewhere"):
        runs.config(brought)
    (runs.create(tiny(), "plain") / "entries.py").write_text(evil)
    runs.config(runs.home() / "plain")  # it needs none of them
    assert not (tmp_path / "done").exists()


def test_a_shipped_run_takes_no_source_along(notebook, tmp_path):
    notebook(*CELLS)
    directory = runs.create(tiny(epochs=1, loss="mine"))
    list(runs.work(directory))
    runs.ship(directory, tmp_path / "shipped")
    assert (tmp_path / "shipped" / "config.json").exists() and not (tmp_path / "shipped" / "entries.py").exists()


def test_a_run_with_a_notebook_s_loss_is_taken_away_where_nobody_knows_it(notebook, tmp_path):
    notebook(*CELLS)
    directory = runs.create(tiny(epochs=1, loss="mine"), "mine")
    list(runs.work(directory))
    forgotten("mine")
    travel.take(directory, tmp_path / "mine.zip")
    assert "mine/curves.csv" in zipfile.ZipFile(tmp_path / "mine.zip").namelist()


def test_a_home_keeps_once_that_it_wrote_a_run_s_source(notebook):
    notebook(*CELLS)
    for power in (3, 4):
        directory = runs.create(tiny(loss={"name": "mine", "power": power}))
    assert len((runs.home() / own.WRITTEN).read_text().splitlines()) == 1
    notebook(CELLS[1].replace("power: int = 2", "power: int = 5"))
    runs.create(tiny(loss="mine"))
    assert len((runs.home() / own.WRITTEN).read_text().splitlines()) == 2 and runs.config(directory).loss.power == 4


def test_runs_without_entries_of_their_own_keep_no_source():
    assert not (runs.create(tiny()) / "entries.py").exists() and not (runs.home() / own.WRITTEN).exists()


def test_a_cell_that_is_run_again_replaces_its_entry(notebook):
    notebook(*CELLS)
    notebook(CELLS[1].replace("power: int = 2", "power: int = 5"))
    assert validated(Loss, "mine").power == 5


def test_entries_known_along_are_known_to_nobody_else():
    kinds = source.made(PLUGIN.format(size=2))
    with along(kinds):
        assert validated(Loss, "other").size == 2
        assert validated(Loss, "dice").name == "dice"
    with pytest.raises(SeglabError, match="there is no 'other'"):
        validated(Loss, "other")


# --- of files, modules and packages


def command(*words, cwd, **variables):
    """The command line in a process of its own, in another folder."""
    environment = os.environ | {"PYTHONPATH": str(Path(runs.__file__).parents[2])} | variables
    command = [sys.executable, "-m", "seglab", *words]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, env=environment, check=False)


def test_a_file_and_an_installed_package_are_found_and_a_broken_one_is_told(tmp_path):
    (tmp_path / "mine.py").write_text(PLUGIN.format(size=2))
    (tmp_path / "broken.py").write_text(PLUGIN.replace("other", "half").format(size=2) + "\nimport nothing_there\n")
    site = tmp_path / "site"
    (site / "theirs-1.0.dist-info").mkdir(parents=True)
    (site / "theirs-1.0.dist-info" / "METADATA").write_text("Name: theirs\nVersion: 1.0\n")
    (site / "theirs-1.0.dist-info" / "entry_points.txt").write_text("[seglab.entries]\nall = theirs\n")
    (site / "theirs.py").write_text(PLUGIN.replace("other", "theirs").format(size=3))
    path = os.pathsep.join([str(site), str(Path(runs.__file__).parents[2])])
    ended = command("list", "losses", cwd=tmp_path, SEGLAB_PLUGINS="mine.py,broken.py", PYTHONPATH=path)
    assert ended.returncode == 0
    assert "  other " in ended.stdout and "  theirs " in ended.stdout and "  half " not in ended.stdout
    (line,) = ended.stderr.splitlines()
    assert "broken.py cannot be used: ModuleNotFoundError: No module named 'nothing_there'" in line


def test_a_run_in_the_queue_knows_a_plug_in_of_a_relative_path(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(PLUGIN.format(size=2))
    home = str(runs.home())
    words = ["train", "--loss", "other", "--epochs", "1", "--name", "first", "--threads", "1", "--model.width", "4"]
    words += ["--data.train_images", "4", "--data.val_images", "2", "--data.size", "64", "--image_size", "32"]
    ended = command(*words, cwd=tmp_path, SEGLAB_PLUGINS="mine.py", SEGLAB_HOME=home)
    assert ended.returncode == 0, ended.stderr
    directory = runs.home() / "first"
    with pytest.raises(SeglabError, match="there is no 'other' among the losses"):
        runs.config(directory)
    (directory / "events.jsonl").unlink()
    for place in directory.glob("last*"):
        place.unlink() if place.is_file() else None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGLAB_PLUGINS", "mine.py")
    assert jobs.Process().work(directory) is None, (directory / "log.txt").read_text()
    assert runs.status(directory).state == "completed"


@pytest.fixture
def attempted(monkeypatch):
    """What is told of a plug-in's file; nothing of it stays."""
    monkeypatch.setattr(plugins, "PROBLEMS", [])
    before = {base: dict(base.entries) for base in FAMILIES.values()}

    def attempt(path):
        plugins.attempt(path.name, lambda: plugins.module_at(path))
        sys.modules.pop(path.stem, None)
        return [str(problem) for problem in plugins.PROBLEMS]

    yield attempt
    for base, entries in before.items():
        base.entries.clear()
        base.entries.update(entries)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("import sys\nsys.exit(3)\n", "SystemExit: 3"),
        ("class\n", "SyntaxError"),
        (PLUGIN.replace("other", "dice").format(size=1), "two entries named dice"),
        (PLUGIN.replace(" = {size}", ""), "losses.other: the option size has no default"),
        (PLUGIN.replace('    """The mean of all logits, squared."""\n', "").format(size=1), "other has no docstring"),
        (None, "there is no such file"),
    ],
)  # fmt: skip
def test_a_broken_plug_in_is_told_in_a_sentence_and_leaves_nothing(attempted, tmp_path, content, words):
    path, before = tmp_path / "a_plug_in.py", dict(FAMILIES["losses"].entries)
    if content:
        path.write_text(content)
    (problem,) = attempted(path)
    assert problem.startswith("the plug-in a_plug_in.py cannot be used") and words in problem and "\n" not in problem
    assert FAMILIES["losses"].entries == before


def test_a_plug_in_has_its_own_name_unless_another_module_has_it(attempted, tmp_path):
    for name, module in (("a_plug_in", "a_plug_in"), ("json", "seglab_plugin_json")):
        (tmp_path / f"{name}.py").write_text(PLUGIN.replace("other", f"of_{name}").format(size=1))
        assert plugins.module_at(tmp_path / f"{name}.py").__name__ == module
    assert sys.modules["json"].__name__ == "json" and "loads" in dir(sys.modules["json"])


@pytest.mark.parametrize("link", [False, True])
@pytest.mark.parametrize("imported", ["before", "after"])
def test_a_plug_in_that_import_finds_too_is_one_module(attempted, tmp_path, monkeypatch, link, imported):
    beside, name = tmp_path / "beside", f"beside_{imported}_{link}"
    beside.mkdir()
    (tmp_path / "link").symlink_to(beside)
    (beside / f"{name}.py").write_text(PLUGIN.replace("other", name).format(size=1))
    monkeypatch.syspath_prepend(tmp_path / "link" if link else beside)
    first = importlib.import_module(name) if imported == "before" else plugins.module_at(beside / f"{name}.py")
    assert plugins.module_at(beside / f"{name}.py") is first is importlib.import_module(name)
    del sys.modules[name]


# --- a network of one's own


NETWORK = """
from torch import nn
from seglab.families import Architecture
class Tiny(Architecture):
    'One convolution.'

    name = 'tiny_net'
    width: int = 3

    def build(self, num_classes, in_channels=3):
        return nn.Sequential(nn.Conv2d(in_channels, self.width, 3, padding=1), nn.ReLU(), nn.Conv2d(self.width,
                                                                                                   num_classes, 1))
"""


def test_a_network_without_stages_or_a_paper_is_trained_described_and_shown(notebook):
    notebook(NETWORK)
    directory = runs.create(tiny(epochs=1, model="tiny_net"))
    list(runs.work(directory))
    assert runs.load(directory).model.net[0].out_channels == 3
    found = seglab.describe("tiny_net", width=5)
    assert found.anatomy.receptive_field == 3 and "parameters" in repr(found) and "published" not in repr(found)
    assert "<table" in found._repr_html_()
    assert "tiny_net" in markdown("architectures", [FAMILIES["architectures"].entries["tiny_net"]])
    assert "Published" not in views.card(validated(Architecture, "tiny_net"), 64, "en")


@pytest.mark.parametrize("options", [{"optimizer": {"name": "adamw", "encoder_lr": 1e-4}}, {"techniques": ["freeze"]}])
def test_what_asks_for_stages_says_that_a_network_has_none(notebook, options):
    notebook(NETWORK)
    with pytest.raises(SeglabError, match="does not say what its encoder is"):
        list(runs.work(runs.create(tiny(model="tiny_net", **options))))
