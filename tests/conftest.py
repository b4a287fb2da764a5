import hashlib
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")
os.environ.setdefault("HF_HUB_OFFLINE", "1")

import pytest
import torch

from benchmarks._outcome import small
from seglab import machine, runs
from seglab.config import RunConfig
from seglab.events import Started, from_line, to_line
from tests.fake_hub import FakeHub

LACKING = """
import os, sys
for name in ("fcntl", "resource", "pwd", "grp", "termios"):
    sys.modules[name] = None
for name in ("nice", "fork", "forkpty", "setsid", "killpg", "getpgid", "getloadavg", "sched_getaffinity"):
    vars(os).pop(name, None)
"""
ROOT = Path(__file__).parents[1]
KEPT: list[Path] = []  # where this session keeps one finished run of each configuration


@pytest.fixture(autouse=True)
def runs_home(tmp_path, monkeypatch):
    """Every test has a place of its own for runs."""
    monkeypatch.setenv("SEGLAB_HOME", str(tmp_path / "runs"))
    return tmp_path / "runs"


@pytest.fixture(autouse=True)
def restless_board(monkeypatch):
    """The page's board of runs looks at them whenever it is asked, and not only every half second."""
    if board := sys.modules.get("seglab.ui.board"):
        monkeypatch.setattr(board, "REST", 0.0)


@pytest.fixture(autouse=True)
def native_bfloat16(monkeypatch):
    """Every test sees the same processor: one that is no faster with 16 bits."""
    monkeypatch.setattr(machine, "native_bfloat16", lambda: False)


@contextmanager
def asked(patch: pytest.MonkeyPatch, folder: Path) -> Iterator[FakeHub]:
    """A hub that this process and those that it begins ask; nobody is logged in, logins would be in the folder."""
    from huggingface_hub import constants

    for name in ("HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "SEGLAB_HUB"):
        patch.delenv(name, raising=False)
    with FakeHub() as hub:
        environment = {"HF_HUB_OFFLINE": "0", "HF_HUB_DISABLE_XET": "1", "HF_HOME": folder, "HF_ENDPOINT": hub.address}
        for name, value in environment.items():
            patch.setenv(name, str(value))
        address = hub.address + "/{repo_id}/resolve/{revision}/{filename}"
        for name, value in {  # these are read from the environment at import
            "HF_HUB_OFFLINE": False,
            "HF_HUB_DISABLE_XET": True,
            "HF_TOKEN_PATH": str(folder / "token"),
            "ENDPOINT": hub.address,
            "HUGGINGFACE_CO_URL_TEMPLATE": address,
        }.items():
            patch.setattr(constants, name, value)
        yield hub


@pytest.fixture
def hub(tmp_path, monkeypatch) -> Iterator[FakeHub]:
    """A hub of this test."""
    with asked(monkeypatch, tmp_path / "hf") as hub:
        yield hub


@pytest.fixture(scope="session", autouse=True)
def kept_runs(tmp_path_factory):
    KEPT.append(tmp_path_factory.mktemp("kept"))
    yield
    KEPT.clear()


@pytest.fixture(scope="session")
def saved(tmp_path_factory) -> Callable[[str], Path]:
    """The folder of a small model of transformers of a kind, made once a session."""
    made: dict[str, Path] = {}

    def of(kind: str) -> Path:
        if kind not in made:
            from tests.networks import save  # transformers takes seconds to load

            made[kind] = save(kind, tmp_path_factory.mktemp("models") / kind)
        return made[kind]

    return of


@pytest.fixture
def double(monkeypatch):
    """Networks and losses compute with 64 bits, so that what differs by more than 1e-12 is no matter of rounding."""
    monkeypatch.setattr(torch.Tensor, "float", torch.Tensor.double)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


@pytest.fixture
def camvid() -> Path:
    """The folder of the real CamVid, where there is one."""
    root = Path(os.environ.get("SEGLAB_DATA", "")) / "camvid"
    if not os.environ.get("SEGLAB_DATA") or not root.is_dir():
        pytest.skip("SEGLAB_DATA does not name a folder with camvid in it")
    return root


def free_port() -> int:
    """A port of this machine that nothing is served on."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def answered(port: int, alive: Callable[[], bool], log: Path | None = None) -> str:
    """What a page says, once it is there; fails with what its program wrote where that has ended."""
    for _ in range(600):
        try:
            return urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=20).read().decode()
        except OSError:
            assert alive(), log and log.read_text()
            time.sleep(0.1)
    raise AssertionError("the page did not answer")


class Server(NamedTuple):
    address: str
    home: Path
    app: subprocess.Popen


@contextmanager
def serving(home: Path, **settings: str) -> Iterator[Server]:
    """A page whose runs live in a folder; what its program writes comes to log.txt beside that."""
    port, log = free_port(), home.parent / "log.txt"
    environment = os.environ | {"SEGLAB_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    with open(log, "wb") as file:
        app = subprocess.Popen(
            [sys.executable, "app.py"], cwd=ROOT, env=environment | settings, stdout=file, stderr=file
        )
    try:
        answered(port, lambda: app.poll() is None, log)
        yield Server(f"http://127.0.0.1:{port}/", home, app)
    finally:
        app.terminate()
        app.wait(20)


def tiny(**options) -> RunConfig:
    """A run of seconds: eight small streets, a small net, two epochs."""
    return small(**{"epochs": 2, **options})


def writing(patch: pytest.MonkeyPatch, write: Callable[[Path, bytes], None]) -> None:
    """Every file of a run is written by `write`."""
    parts = ("arrival", "bringing", "creating", "directory", "keeping", "labels", "recording", "shipping", "snapshots")
    for module in (runs, *(getattr(runs, name) for name in parts)):
        patch.setattr(module, "write", write)


def finish(directory: Path) -> Path:
    """Completes a run that has not begun: trained once a session for each configuration, then copied.

    A test that changes how runs are trained, or looks at the training itself, works on its run by `runs.work`.
    """
    config = (directory / "config.json").read_bytes()
    kept = KEPT[0] / hashlib.sha256(config).hexdigest()
    if kept.exists():
        shutil.copytree(kept, directory, copy_function=shutil.copyfile, dirs_exist_ok=True)
        return directory
    list(runs.work(directory))
    if not runs.config(directory).needs:  # another run, of this test alone
        shutil.copytree(directory, kept, ignore=shutil.ignore_patterns("label.json"))  # each run has its own
    return directory


def announced(directory: Path) -> Path:
    """A run with files that a test changed, as if it had been made with them."""
    path = directory / "events.jsonl"
    path.write_bytes(marked(path.read_bytes(), lambda event: event.model_copy(update={"files": {}})))
    return directory


def marked(lines: bytes, change: Callable[[Started], Started] = lambda event: event) -> bytes:
    """Lines of events that a test changed, with checksums that fit them, and their `Started` changed."""
    found = []
    for line in lines.splitlines():
        event = from_line(re.sub(rb',"crc32":"\w+"}$', b"}", line))
        found.append(to_line(change(event) if isinstance(event, Started) else event))
    return "".join(found).encode()


def lacking(folder: Path) -> dict[str, str]:
    """The environment of a process that, as its children, lacks what only Unix has, and prints as Windows does."""
    folder.mkdir(exist_ok=True)
    (folder / "sitecustomize.py").write_text(LACKING)
    return os.environ | {"PYTHONPATH": f"{folder}{os.pathsep}{Path(__file__).parents[1]}", "PYTHONIOENCODING": "cp1252"}
