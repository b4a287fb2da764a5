"""The Dockerfile: its steps, one by one, where there is no Docker; built and run where there is."""

import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import venv

import pytest

from tests.conftest import answered, free_port
from tests.documents import ROOT

# User 1000, who may read what this environment has in root's folders, but write nowhere else than in the volume
READS = ["--inh-caps", "+dac_read_search", "--ambient-caps", "+dac_read_search"]
AS_USER = ["setpriv", "--reuid", "1000", "--regid", "1000", "--clear-groups", *READS]


def steps():
    """(instruction, rest) of each step, in order; continued lines are joined and comments left out."""
    lines = re.sub(r"\\\n\s*", "", (ROOT / "Dockerfile").read_text()).splitlines()
    return [tuple(line.split(maxsplit=1)) for line in lines if line.strip() and not line.startswith("#")]


def given(instruction):
    return [rest for name, rest in steps() if name == instruction]


def docker():
    return shutil.which("docker") and subprocess.run(["docker", "info"], capture_output=True).returncode == 0


def test_the_versions_of_torch_are_the_spaces():
    pins = re.findall(r"^(torch|torchvision|pydensecrf2)==([\w.]+)", (ROOT / "requirements.txt").read_text(), re.M)
    text = (ROOT / "Dockerfile").read_text()
    assert len(pins) == 3 and all(f"{name}=={version}" in text for name, version in pins)


def test_the_page_is_served_as_user_1000_with_runs_in_a_volume():
    assert given("USER") == ["1000"] and given("VOLUME") == ["/runs"] and given("EXPOSE") == ["7860"]
    assert given("ENV") == ["SEGLAB_HOME=/runs"]
    assert any("useradd --uid 1000" in run and "--owner 1000 /runs" in run for run in given("RUN"))


def test_what_is_copied_is_not_left_out_and_what_is_left_out_is_not_needed():
    left_out = (ROOT / ".dockerignore").read_text().split()
    assert not {"seglab", "checkpoints", "setup.py", "pyproject.toml", "PACKAGE.md", "LICENSE"} & set(left_out)
    assert given("COPY") == [". .", "requirements.txt /seglab/requirements.txt", "--from=build /wheels /wheels"]


@pytest.mark.slow
@pytest.mark.skipif(docker() or os.geteuid() != 0, reason="Docker itself builds it, or only root becomes user 1000")
def test_its_steps_run_one_by_one(tmp_path):
    """Packages of the system and of torch are at hand; seglab's wheel is built and installed by the steps' own words,
    and the command serves the page as user 1000, with nothing writable but the volume."""
    wheels, home, place = tmp_path / "wheels", tmp_path / "runs", tmp_path / "venv"
    left_out = (ROOT / ".dockerignore").read_text().split()  # at the top, but for what begins with **
    shutil.copytree(ROOT, tmp_path / "seglab", ignore=lambda folder, names: left_out if folder == str(ROOT) else ())
    (build,) = (run for run in given("RUN") if "pip wheel" in run)  # but for pydensecrf2, which is built already
    words = (
        build.removesuffix(" pydensecrf2==1.1").replace("/wheels", str(wheels)).split()[1:]
    )  # which is built already
    pip = [sys.executable, "-m", "pip"]
    subprocess.run([*pip, *words, "--no-build-isolation"], cwd=tmp_path / "seglab", check=True, capture_output=True)
    venv.create(place, symlinks=True)
    (install,) = (run for run in given("RUN") if "/wheels/*.whl" in run)
    assert install.split()[-1] == "/wheels/*.whl"
    subprocess.run(
        [*pip, "--python", place / "bin/python", "install", "--no-deps", "--no-index", *wheels.glob("*.whl")],
        check=True,
        capture_output=True,
    )
    (site,) = place.glob("lib/python3.*/site-packages")
    (site / "required.pth").write_text("\n".join({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))
    home.mkdir()
    os.chown(home, 1000, 1000)
    (command,) = map(json.loads, given("CMD"))
    port = free_port()
    command = [str(place / "bin" / command[0]), *command[1:-1], str(port)]
    environment = {"PATH": os.environ["PATH"], "SEGLAB_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = tmp_path / "log.txt"
    with open(log, "wb") as file:
        page = subprocess.Popen([*AS_USER, *command], cwd="/", env=environment, stdout=file, stderr=file)
    try:
        assert "seglab" in answered(port, lambda: page.poll() is None, log)
    finally:
        page.terminate()
        page.wait(30)
    assert "Traceback" not in log.read_text(), log.read_text()


@pytest.mark.slow
@pytest.mark.skipif(not docker(), reason="there is no Docker here")
def test_docker_builds_and_serves_the_page():
    subprocess.run(["docker", "build", "-q", "-t", "seglab-test", "."], cwd=ROOT, check=True, timeout=1800)
    port = free_port()
    run = ["docker", "run", "--rm", "-d", "-p", f"{port}:7860", "seglab-test"]
    name = subprocess.run(run, check=True, capture_output=True, text=True).stdout.strip()
    try:
        inspect = ["docker", "inspect", "-f", "{{.State.Running}}", name]
        alive = lambda: "true" in subprocess.run(inspect, capture_output=True, text=True).stdout  # noqa: E731
        assert "seglab" in answered(port, alive)
        who = ["docker", "exec", name, "id", "-u"]
        assert subprocess.run(who, capture_output=True, text=True).stdout.strip() == "1000"
    finally:
        subprocess.run(["docker", "kill", name], capture_output=True)
