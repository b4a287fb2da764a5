"""What stands between the network and the page."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from seglab.ui import guard


async def page(request):
    return HTMLResponse("<html><head><title>x</title></head></html>")


async def take(request):
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def client():
    routes = [Route("/", page), Route("/{path:path}", take, methods=["GET", "POST"])]
    return TestClient(guard.Guard(Starlette(routes=routes)), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("path", "size", "status"),
    [
        ("/gradio_api/queue/join", 1000, 200),
        ("/gradio_api/queue/join", guard.OTHER + 1, 413),
        ("/gradio_api/upload", guard.OTHER + 1, 200),
        ("/gradio_api/upload", guard.UPLOAD + 1, 413),
    ],
)
def test_a_body_has_a_largest_size(client, path, size, status):
    assert client.post(path, content=b"x" * size).status_code == status


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(client):
    def chunks():
        for _ in range(40):
            yield b"x" * 2**16

    assert client.post("/gradio_api/queue/join", content=chunks()).status_code >= 400


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=https://example.org/x",
        "/file=http://127.0.0.1/x",
        "/gradio_api/file/http://127.0.0.1/x",
        "/gradio_api/deep_link",
        "/proxy=x",
    ],
)
def test_the_open_proxies_are_shut(client, path):
    assert client.get(path).status_code == 404


def test_a_length_that_is_no_number_is_refused(client):
    assert client.post("/gradio_api/upload", headers={"content-length": "-5"}).status_code == 413


def test_the_language_script_stands_first_in_the_page(client):
    answer = client.get("/?lang=ko")
    assert answer.text.index("navigator") < answer.text.index("<title>")
    assert '["en", "ko"].find(' in answer.text  # the languages of the page, from which it takes its own
    assert int(answer.headers["content-length"]) == len(answer.content)


def test_the_broom_sweeps_what_is_old_and_what_is_too_much(tmp_path, monkeypatch):
    broom, now = guard.Broom(tmp_path), [0.0]
    broom.ages.clock = lambda: now[0]
    for name, seen, size in (("old", 0, 10), ("big-1", 3700, 600), ("big-2", 3800, 600), ("a/b/new", 3990, 10)):
        now[0] = seen
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        assert broom.sweep() == (1 if name == "big-1" else 0)  # the old one, after half an hour
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    now[0] = 4000
    assert broom.sweep() == 1
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["big-2", "new"]


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_clock_that_is_set_to_another_day_sweeps_no_file_and_keeps_none(day, tmp_path, monkeypatch):
    broom, now = guard.Broom(tmp_path), [0.0]
    broom.ages.clock = lambda: now[0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + day)
    for name, made in (("fresh", real()), ("from another day", real() + day)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (made, made))
    assert broom.sweep() == 0
    now[0] = guard.KEEP_SECONDS - 1
    assert broom.sweep() == 0
    now[0] = guard.KEEP_SECONDS + 1
    assert broom.sweep() == 2 and not list(tmp_path.iterdir())


def test_the_folders_of_killed_pages_are_deleted_at_the_next_start_and_no_others(tmp_path):
    """With the photographs in them; a page that is still served keeps its own."""
    program = (
        "import os, sys; from seglab.ui import guard; folder = guard.private_folder()\n"
        "(folder / 'photo.jpg').write_bytes(b'x'); print(folder, flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"TMPDIR": str(tmp_path)}

    def started():
        page = subprocess.Popen(
            [sys.executable, "-c", program], env=environment, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        return page, Path(page.stdout.readline().strip())

    (tmp_path / "seglab-page-older").mkdir()  # of a version without locks
    (tmp_path / "other").mkdir()
    (killed, left), (served, own) = started(), started()
    assert left.parent == own.parent == tmp_path and not (tmp_path / "seglab-page-older").exists()
    killed.kill()
    killed.wait()
    assert (left / "photo.jpg").exists()
    third, last = started()
    assert not left.exists() and (own / "photo.jpg").exists() and (last / "photo.jpg").exists()
    for page in (served, third):
        page.communicate("", timeout=60)
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith("seglab-page")] == []
    assert (tmp_path / "other").exists()


@pytest.mark.slow
def test_the_page_and_its_modules_load_without_the_heavy_packages():
    heavy = ["segmentation_models_pytorch", "timm", "torchvision", "albumentations", "cv2", "matplotlib", "pydensecrf"]
    code = f"import sys, app; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
