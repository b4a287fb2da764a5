"""One new file is enough: the README's loss, dropped into a copy of the package, is found with no other edit."""

import os
import shutil
import subprocess
import sys

import pytest

from tests.documents import PAGES, ROOT, blocks

pytestmark = pytest.mark.slow
TOLD = """
import contextlib, io, sys
from docs.hooks import page
from seglab import cli
from seglab.ui import form
for lang in ("en", "ko"):
    html = form.html(lang).lower()
    assert 'data-entry="robust"' in html and 'id="robust-q"' in html
    assert "gives up on pixels" in html and "how soon it gives up" in html
assert "## robust" in page("losses") and "| `q` |" in page("losses")
"""


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """A copy of the tree with the README's snippet as a file of its own."""
    root = tmp_path_factory.mktemp("copy")
    for name in ("seglab", "tests", "docs", "benchmarks", "checkpoints", "pyproject.toml", "README.md", "mkdocs.yml"):
        source = ROOT / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, root / name)
    code = next(code for code in blocks(PAGES["README.md"], "python") if "class Robust" in code)
    (root / "seglab/losses/robust.py").write_text(code)
    return root


def run(copy, *arguments):
    environment = os.environ | {"PYTHONPATH": str(copy), "SEGLAB_HOME": str(copy / "runs")}
    ended = subprocess.run([sys.executable, *arguments], cwd=copy, env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout


def test_it_is_listed(copy):
    assert "robust" in run(copy, "-m", "seglab", "list", "losses")
    assert "--loss.q" in run(copy, "-m", "seglab", "train", "--loss", "robust", "--help")


def test_it_is_offered_on_the_page_and_documented(copy):
    run(copy, "-c", TOLD)


def test_it_passes_the_contract_tests(copy):
    chosen = ["tests/test_losses.py", "tests/test_entry.py", "tests/test_text.py", "tests/test_layout.py"]
    left = "robust or not losses and not every_text_has_its_translation"  # a missing one is shown in English
    out = run(copy, "-m", "pytest", "-q", "-p", "no:cacheprovider", *chosen, "-k", left)
    assert "passed" in out and "failed" not in out
