"""What stands between the network and the page."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from seglab.ui import broom, guard
from seglab.ui.tabs import start


async def page(request):
    return HTMLResponse("<html><head><title>x</title></head><body class='x'><p>page</p></body></html>")


async def take(request):
    return PlainTextResponse(str(len(await request.body())))


@pytest.fixture
def client():
    routes = [Route("/", page), Route("/{path:path}", take, methods=["GET", "POST"])]
    return TestClient(guard.Guard(Starlette(routes=routes), first=start.html), raise_server_exceptions=False)


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


# --- by which name, and from whose page


HOSTS = frozenset({"localhost", "lab.example.org"})


@pytest.fixture
def strict():
    """A server that may be asked for by two names."""
    routes = [Route("/", page), Route("/{path:path}", take, methods=["GET", "POST", "PUT", "DELETE"])]
    return TestClient(guard.Guard(Starlette(routes=routes), hosts=HOSTS), raise_server_exceptions=False)


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost:7860", 200),
        ("LOCALHOST", 200),
        ("lab.example.org", 200),
        ("127.0.0.1:7860", 200),  # a number is no name that another site could have
        ("192.168.0.7", 200),
        ("[::1]:7860", 200),
        ("evil.example.com", 403),
        ("evil.example.com:7860", 403),
        ("lab.example.org.evil.com", 403),
        ("localhost@evil.com", 403),
        ("127.0.0.1.evil.com", 403),
        ("[::1", 403),
        ("", 403),
    ],
)
def test_the_server_answers_by_its_own_names_and_by_numbers_alone(strict, host, status):
    for method in ("GET", "POST"):
        answer = strict.request(method, "/x", headers={"host": host})
        assert answer.status_code == status
        assert status == 200 or "is not a name of this server; SEGLAB_HOSTS names those that are" in answer.text


def test_where_no_names_are_given_any_will_do(client):
    assert client.get("/x", headers={"host": "anything.example"}).status_code == 200


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),  # no browser
        ({"origin": "http://localhost:7860"}, 200),
        ({"origin": "https://lab.example.org"}, 200),  # behind a proxy, which the server is known by
        ({"sec-fetch-site": "same-origin", "origin": "http://localhost:7860"}, 200),
        ({"sec-fetch-site": "same-site"}, 200),
        ({"sec-fetch-site": "none"}, 200),
        ({"sec-fetch-site": "cross-site"}, 403),
        ({"sec-fetch-site": "cross-site", "origin": "http://localhost:7860"}, 403),
        ({"origin": "null"}, 403),  # a sandboxed frame, or a file
        ({"origin": "http://evil.example.com"}, 403),
        ({"origin": "http://localhost.evil.com"}, 403),
        ({"origin": "http://["}, 403),
        ({"origin": "evil"}, 403),
    ],
)
def test_what_could_change_something_does_not_come_from_another_site_s_page(strict, headers, status):
    headers = {"host": "localhost:7860"} | headers
    for method in ("POST", "PUT", "DELETE"):
        assert strict.request(method, "/x", headers=headers).status_code == status
    assert strict.get("/x", headers=headers).status_code == 200  # what is only looked at may be linked


def test_another_site_s_page_on_a_number_is_another_site(strict):
    headers = {"host": "localhost:7860", "origin": "http://192.168.0.66:8000"}
    assert strict.post("/x", headers=headers).status_code == 403


def test_every_answer_says_what_browsers_are_to_allow(strict):
    for path in ("/", "/x"):
        headers = strict.get(path, headers={"host": "localhost"}).headers
        assert headers["x-content-type-options"] == "nosniff" and headers["referrer-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "frame-ancestors 'self' https://huggingface.co https://*.hf.space" in policy
        assert "object-src 'none'" in policy and "base-uri 'self'" in policy


def test_the_servers_names_are_this_machines_the_spaces_and_those_that_are_given(monkeypatch):
    monkeypatch.setattr(guard.socket, "gethostname", lambda: "Desk")
    monkeypatch.setenv("SPACE_HOST", "ann-seglab.hf.space")
    monkeypatch.setenv("SEGLAB_HOSTS", "lab.example.org, Second.example.org:8080")
    assert guard.allowed_hosts("10.0.0.5") == {
        "localhost", "10.0.0.5", "desk", "desk.local", "ann-seglab.hf.space", "lab.example.org", "second.example.org"
    }  # fmt: skip
    monkeypatch.delenv("SPACE_HOST")
    monkeypatch.delenv("SEGLAB_HOSTS")
    assert guard.allowed_hosts("127.0.0.1") == {"localhost", "127.0.0.1", "desk", "desk.local"}


# --- the first picture


@pytest.mark.parametrize("lang, words", [("en", "Ground truth"), ("ko", "정답")])
def test_the_first_picture_stands_in_the_document_before_any_script_has_come(client, lang, words):
    text = client.get(f"/?lang={lang}").text
    body = text[text.index("<body") :]
    assert body.index('<div id="first-screen">') < body.index("<p>page</p>") and words in body
    assert re.search(r'<img src="seglab/assets/[^"]+" [^>]*fetchpriority="high"', body)
    assert "#start" in body  # another tab's address hides it


def test_where_the_page_asks_for_a_password_it_shows_nothing_before():
    app = Starlette(routes=[Route("/", page)])
    app.auth, app.cookie_id, app.tokens = [("ada", "secret")], "7", {"token": "ada"}
    app.add_middleware(guard.Guard, head="<i>", first=start.html)
    client = TestClient(app)
    assert "<i>" not in client.get("/").text and "first-screen" not in client.get("/").text
    client.cookies.set("access-token-7", "token")
    assert "<i>" in client.get("/").text and "first-screen" in client.get("/").text


def test_a_page_that_is_not_there_has_no_first_picture():
    async def gone(request):
        return HTMLResponse("<html><head></head><body>gone</body></html>", 503)

    client = TestClient(guard.Guard(Starlette(routes=[Route("/", gone)]), first=start.html))
    answer = client.get("/")
    assert answer.status_code == 503 and "first-screen" not in answer.text
    assert int(answer.headers["content-length"]) == len(answer.content)


# --- what Gradio leaves


def test_the_broom_sweeps_what_is_old_and_what_is_too_much(tmp_path, monkeypatch):
    sweeper, now = broom.Broom(tmp_path), [0.0]
    sweeper.ages.clock = lambda: now[0]
    for name, seen, size in (("old", 0, 10), ("big-1", 3700, 600), ("big-2", 3800, 600), ("a/b/new", 3990, 10)):
        now[0] = seen
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * size)
        assert sweeper.sweep() == (1 if name == "big-1" else 0)  # the old one, after half an hour
    monkeypatch.setattr(broom, "MOST_BYTES", 1000)
    now[0] = 4000
    assert sweeper.sweep() == 1
    assert sorted(p.name for p in tmp_path.rglob("*") if p.is_file()) == ["big-2", "new"]


@pytest.mark.parametrize("day", [-86400, 86400])
def test_a_clock_that_is_set_to_another_day_sweeps_no_file_and_keeps_none(day, tmp_path, monkeypatch):
    sweeper, now = broom.Broom(tmp_path), [0.0]
    sweeper.ages.clock = lambda: now[0]
    real = time.time
    monkeypatch.setattr(time, "time", lambda: real() + day)
    for name, made in (("fresh", real()), ("from another day", real() + day)):
        (tmp_path / name).write_bytes(b"x")
        os.utime(tmp_path / name, (made, made))
    assert sweeper.sweep() == 0
    now[0] = broom.KEEP_SECONDS - 1
    assert sweeper.sweep() == 0
    now[0] = broom.KEEP_SECONDS + 1
    assert sweeper.sweep() == 2 and not list(tmp_path.iterdir())


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
