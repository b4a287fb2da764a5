"""What stands between the network and the page."""

import os
import subprocess
import sys
import time

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
    for name, age, size in (("old", 4000, 10), ("a/b/new", 10, 10), ("big-1", 300, 600), ("big-2", 200, 600)):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        os.utime(path, (time.time() - age,) * 2)
    monkeypatch.setattr(guard, "MOST_BYTES", 1000)
    assert guard.Broom(tmp_path).sweep() == 2
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["big-2", "new"]


@pytest.mark.slow
def test_the_page_and_its_modules_load_without_the_heavy_packages():
    heavy = ["segmentation_models_pytorch", "timm", "torchvision", "albumentations", "cv2", "matplotlib", "pydensecrf"]
    code = f"import sys, app; print([name for name in {heavy} if name in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
