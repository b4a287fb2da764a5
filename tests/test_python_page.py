"""The page on the Python interface and the notebook say what is so."""

import re
import sys

import pytest

import seglab
from seglab.api import following
from tests.documents import PAGES, ROOT, blocks

PAGE = PAGES["docs/python.md"]


def test_every_name_of_seglab_that_the_page_uses_is_offered():
    names = set(re.findall(r"\bseglab\.(\w+)", PAGE))
    assert names <= set(seglab.__all__) and {name for name in seglab.__all__ if name.islower()} <= names


@pytest.mark.parametrize(
    ("word", "kind"), [("run", seglab.Run), ("plan", seglab.Plan), ("comparison", seglab.Comparison)]
)
def test_every_attribute_that_the_page_names_is_there(word, kind):
    names = set(re.findall(rf"`?\b{word}\.(\w+)", PAGE))
    assert names and all(hasattr(kind, name) for name in names)


def test_the_options_that_the_page_writes_are_right():
    (code,) = [code for code in blocks(PAGE, "python") if "model__width=16" in code]
    made = []

    class Stub:
        @staticmethod
        def train(*, name, device, threads, **options):
            made.append(seglab.configure(**options))
            assert following.device_for("cpu") == "cpu" and name == "first" and (device, threads) == ("auto", 2)

    exec(compile(code, "docs/python.md", "exec"), {"seglab": Stub})
    (config,) = made
    assert (config.model.width, config.loss.parts[1].loss.smooth, config.optimizer.lr) == (16, 1, 2e-3)
    assert [technique.name for technique in config.techniques] == ["flip", "color"]


def test_the_mistake_that_the_page_shows_is_told_so():
    (shown,) = blocks(PAGE, "text")
    with pytest.raises(seglab.SeglabError) as caught:
        seglab.train(lr=0.1)
    assert f"SeglabError: {caught.value}".startswith(shown.strip().removesuffix("..."))


@pytest.mark.slow
def test_the_notebook_runs_and_shows_what_it_is_stored_with(monkeypatch):
    nbformat = pytest.importorskip("nbformat", reason="the extra dev has nbclient")
    pytest.importorskip("nbclient")
    pytest.importorskip("ipykernel")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))  # which running the notebook sets
    monkeypatch.syspath_prepend(ROOT / "docs")
    monkeypatch.delitem(sys.modules, "notebook", raising=False)
    from notebook import NOTEBOOK, executed

    def outputs(notebook):
        return [
            [sorted(output.get("data", ["text"])) for output in cell.outputs]
            for cell in notebook.cells
            if cell.cell_type == "code"
        ]

    found = executed()
    assert outputs(found) == outputs(nbformat.read(NOTEBOOK, as_version=4))
    (own,) = [cell for cell in found.cells if "notebook_robust" not in cell.source and "own.wait()" in cell.source]
    assert own.outputs[0]["data"]["text/plain"] == "(Robust(q=0.5), 'completed')"


@pytest.mark.parametrize(
    ("name", "title"), [("seglab", "seglab"), ("fastai", "fastai"), ("lightning", "Lightning and smp")]
)
def test_the_page_counts_the_lines_of_the_three_programs(name, title):
    text = (ROOT / "benchmarks" / "three_ways" / f"with_{name}.py").read_text()
    code = text.split('"""', 2)[2]
    lines = [line for line in code.splitlines() if line.strip() and not line.strip().startswith("#")]
    assert f"| {title} | {len(lines)} |" in PAGE


def test_the_program_with_seglab_trains_what_it_says(monkeypatch, camvid):
    code = (ROOT / "benchmarks" / "three_ways" / "with_seglab.py").read_text()
    made = []
    monkeypatch.setattr(seglab, "train", lambda **options: made.append(seglab.configure(**options)), raising=False)
    with pytest.raises(AttributeError):  # there is no run to ask for its scores
        exec(compile(code, "with_seglab.py", "exec"), {})
    assert made[0].model.build(11).decoder is not None and made[0].data.name == "camvid"
    assert sum(parameter.numel() for parameter in made[0].model.build(11).parameters()) == 14_329_659  # smp.Unet's
