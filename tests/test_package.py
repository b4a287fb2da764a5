"""The package: what is built has everything, and works where there is no checkout."""

import email
import importlib
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import time
import venv

import numpy as np
import pytest
from packaging.requirements import Requirement
from packaging.version import Version
from PIL import Image

from seglab import crf, jobs, runs
from tests.conftest import answered, free_port, tiny
from tests.documents import ROOT
from tests.test_cli import SMALL

tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")  # which comes with pytest
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
TREES = ("seglab", "checkpoints", "tests", "docs", "benchmarks", ".ci", ".github")
BESIDE = {path.name for path in ROOT.iterdir() if path.is_file()} - {".git"}  # which is a file in a worktree


def requirements(lines):
    """What is required, by name; comments and empty lines are none."""
    found = [Requirement(line.partition("#")[0]) for line in lines if line.partition("#")[0].strip()]
    return {each.name: each for each in found}


def files(tree):
    return {path.relative_to(ROOT).as_posix() for path in (ROOT / tree).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts}  # fmt: skip


def test_the_spaces_pins_are_within_the_packages_ranges():
    pins = requirements((ROOT / "requirements.txt").read_text().splitlines())
    ranges = requirements(PROJECT["dependencies"])
    assert list(pins) == list(ranges)
    for name, pin in pins.items():
        assert str(pin.marker) == str(ranges[name].marker)
        versions = [Version(each.version) for each in pin.specifier if each.operator in ("==", ">=", "<=")]
        assert versions and all(version in ranges[name].specifier for version in versions), name
        assert {each.operator for each in ranges[name].specifier} == {">=", "<"}, name


def test_pydensecrf_comes_by_itself_only_where_it_builds():
    comes = requirements(PROJECT["dependencies"])["pydensecrf2"].marker
    asked = requirements(PROJECT["optional-dependencies"]["crf"])["pydensecrf2"].marker
    for python, system, alone, extra in (
        ("3.10", "linux", True, True),
        ("3.12", "linux", True, True),
        ("3.12", "win32", False, True),
        ("3.13", "linux", False, False),
        ("3.14", "darwin", False, False),
    ):
        there = {"python_version": python, "sys_platform": system}
        assert (comes.evaluate(there), asked.evaluate(there)) == (alone, extra), (python, system)


def built(kind, source, folder):
    """What the build back end makes of a tree, without a word on what it will not take any more."""
    code = f"import sys; from setuptools import build_meta; build_meta.build_{kind}(sys.argv[1])"
    done = subprocess.run([sys.executable, "-c", code, folder], cwd=source, capture_output=True, text=True)
    assert done.returncode == 0 and "deprecat" not in done.stderr.lower(), done.stderr
    (made,) = folder.glob({"sdist": "*.tar.gz", "wheel": "*.whl"}[kind])
    return made


@pytest.fixture(scope="module")
def sdist(tmp_path_factory):
    """The source distribution, unpacked; it is built from a copy, for building leaves files behind."""
    folder = tmp_path_factory.mktemp("sdist")
    for name in TREES:
        shutil.copytree(ROOT / name, folder / "copy" / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in BESIDE:
        shutil.copy(ROOT / name, folder / "copy")
    packed = built("sdist", folder / "copy", folder)
    with tarfile.open(packed) as archive:
        archive.extractall(folder, filter="data")
    return folder / packed.name.removesuffix(".tar.gz")


@pytest.fixture(scope="module")
def site(sdist):
    """A new environment's site-packages: seglab from the wheel, which is built from the source distribution, and what
    it requires from this environment."""
    place = sdist.parent / "venv"
    venv.create(place, symlinks=True)
    wheel = built("wheel", sdist, sdist.parent)
    pip = [sys.executable, "-m", "pip", "--python", place / "bin/python", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*pip, wheel], check=True)
    (site,) = place.glob("lib/python3.*/site-packages")
    (site / "required.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    return site


@pytest.fixture
def seglab(site, tmp_path, runs_home):
    """Runs a command of the installed seglab, or a line of Python, in a folder that has no checkout."""
    scripts = site.parents[2] / "bin"
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment |= {"SEGLAB_HOME": str(runs_home), "OMP_NUM_THREADS": "1"}

    def run(*arguments, program="seglab", started=False):
        given = {"cwd": tmp_path, "env": environment, "text": True}
        if started:
            return subprocess.Popen([scripts / program, *arguments], **given)
        done = subprocess.run([scripts / program, *arguments], **given, capture_output=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def test_the_source_distribution_has_all_of_the_repository(sdist):
    there = BESIDE.union(*map(files, TREES))
    assert {name for name in there if not (sdist / name).is_file()} == set()


def test_the_wheel_has_the_package_with_the_shipped_runs_and_nothing_else(site):
    inside = {path.relative_to(site).as_posix() for path in (site / "seglab").rglob("*") if path.is_file()}
    inside = {name for name in inside if "__pycache__" not in name}
    assert inside == files("seglab") | {f"seglab/{name}" for name in files("checkpoints")}
    assert {path.name for path in site.iterdir()} == {"seglab", "seglab-0.1.0.dist-info", "required.pth"}


def test_what_the_wheel_says_of_itself(site):
    said = email.message_from_string((site / "seglab-0.1.0.dist-info/METADATA").read_text(encoding="utf-8"))
    assert (said["License-Expression"], said["License-File"]) == ("Apache-2.0", "LICENSE")
    assert said["Requires-Python"] == ">=3.10"
    assert set(said.get_all("Provides-Extra")) == set(PROJECT["optional-dependencies"])
    text = said.get_payload()
    assert text.startswith("# seglab\n") and not re.search(r"\]\((?!https?://)", text)  # what is beside it is not there


@pytest.mark.slow
def test_the_installed_seglab_lists_compares_and_predicts(seglab, site, tmp_path):
    where = "import seglab, seglab.runs as runs; print(seglab.__file__, runs.CHECKPOINTS)"
    assert seglab("-c", where, program="python").split() == [
        str(site / "seglab/__init__.py"),
        str(site / "seglab/checkpoints"),
    ]
    assert re.search(r"\bfocal\b", seglab("list", "losses"))
    assert seglab("--version") == f"seglab {PROJECT['version']}\n"
    compared = seglab("compare", "unet", "encoder_decoder")
    assert "mIoU 0.6708" in compared and "mIoU 0.4134" in compared
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 128, 3), np.uint8)).save(tmp_path / "photo.png")
    seglab("predict", "unet", "photo.png", "--out", "masks", *(["--crf"] if crf.missing() is None else []))
    assert Image.open(tmp_path / "masks/photo.png").size == (128, 96)


@pytest.mark.slow
def test_the_installed_seglab_trains_and_serves_a_page_that_works_through_the_queue(seglab, runs_home):
    seglab("train", *SMALL, "--name", "first")
    assert runs.status(runs.find("first")).state == "completed"
    (waiting,) = jobs.submit([tiny(epochs=1)])
    port = free_port()
    page = seglab("app", "--port", str(port), "--home", str(runs_home), started=True)
    try:
        assert "seglab" in answered(port, lambda: page.poll() is None)
        until = time.monotonic() + 120
        while not runs.status(waiting).over:
            assert page.poll() is None and time.monotonic() < until
            time.sleep(0.1)
        assert runs.status(waiting).state == "completed"
    finally:
        page.terminate()
        page.wait(20)
