"""What only Unix has is used where it is there, and not missed elsewhere."""

import contextlib
import json
import os
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image

from seglab import crf, runs
from tests.conftest import lacking
from tests.documents import ROOT
from tests.test_cli import SMALL

DRIVER = """
import json, sys
from pathlib import Path
import numpy, torch, filelock, fcntl_is_missing
from seglab import cli, jobs, runs
for command in json.loads(sys.argv[1]):
    try:
        cli.main(command)
    except SystemExit as ended:
        assert ended.code == 0, (command, ended.code)
directory = runs.create(runs.config(runs.find("first")), "in the queue")
assert jobs.Process().work(directory) is None and runs.status(directory).state == "completed"
"""
MISSING = """
import importlib, os
for name in ("fcntl", "resource", "pwd"):
    try:
        importlib.import_module(name)
    except ImportError:
        continue
    raise AssertionError(name)
assert not hasattr(os, "nice")
"""


@pytest.mark.slow
@pytest.mark.skipif(crf.missing() is not None, reason=str(crf.missing()))
def test_the_command_line_works_without_what_only_unix_has(tmp_path, runs_home):
    environment = lacking(tmp_path / "lacking")
    (tmp_path / "lacking" / "fcntl_is_missing.py").write_text(MISSING)
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (48, 64, 3), np.uint8)).save(tmp_path / "photo.png")
    commands = [
        ["list", "losses"],
        ["train", *SMALL, "--name", "first"],
        ["train", *SMALL, "--name", "처음"],
        ["runs"],
        ["compare", "first", "처음", "unet"],
        ["predict", "first", "photo.png", "--crf", "--out", "masks"],
        ["rm", "처음", "--yes"],
    ]
    program = [sys.executable, "-W", "ignore", "-c", DRIVER, json.dumps(commands)]
    ended = subprocess.run(program, cwd=tmp_path, env=environment, capture_output=True, text=True, encoding="cp1252")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "Traceback" not in ended.stderr and "generalized_dice" in ended.stdout
    assert "\\ucc98\\uc74c" in ended.stdout  # the name, in a terminal without its letters
    assert {path.name for path in (tmp_path / "masks").iterdir()} >= {"photo.png"}
    assert [run.name for run in runs.every()][:2] == ["in the queue", "first"]


@pytest.mark.parametrize("platform, tries", [("win32", 3), ("linux", 1)])
def test_windows_is_asked_again_while_somebody_reads_what_is_replaced(platform, tries, tmp_path, monkeypatch):
    (tmp_path / "new").write_bytes(b"new")
    (tmp_path / "old").write_bytes(b"old")
    asked, real = [], os.replace

    def reading(source, target):
        asked.append(target)
        if len(asked) < 3:
            raise PermissionError(13, "The process cannot access the file because it is being used by another process")
        real(source, target)

    monkeypatch.setattr(os, "replace", reading)
    monkeypatch.setattr(sys, "platform", platform)
    with contextlib.nullcontext() if platform == "win32" else pytest.raises(PermissionError):
        runs.replace(tmp_path / "new", tmp_path / "old")
    assert len(asked) == tries and (tmp_path / "old").read_bytes() == (b"new" if tries == 3 else b"old")


def test_files_are_read_and_written_in_an_encoding_that_is_named():
    """Without one, it is the system's: not UTF-8 on Windows."""
    for path in sorted((ROOT / "seglab").rglob("*.py")):
        calls = re.findall(r"\.(?:read|write)_text\((?:[^()]|\([^()]*\))*\)", path.read_text(encoding="utf-8"))
        assert [call for call in calls if "encoding=" not in call] == [], path
