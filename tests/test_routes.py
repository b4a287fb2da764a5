"""What has an address: answered with a sentence whatever goes wrong, and sent again only where it changed."""

import io
import json
import re

import gradio as gr
import pytest
from PIL import Image
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import runs
from seglab.ui import assets, routes
from seglab.ui import page as whole_page
from tests.conftest import tiny
from tests.page import done


@pytest.fixture
def client():
    return TestClient(Starlette(routes=whole_page.ROUTES))


def get(client, address, lang="en", **headers):
    return client.get(f"/seglab/{address}", headers={"accept-language": lang} | headers)


# --- the page's own files


def test_scripts_and_styles_are_kept_for_good_under_an_address_that_changes_with_them(client):
    addresses = re.findall(r'(?:href|src)="([^"]+)"', whole_page.head())
    scripts = {name for name in assets.assets() if name.endswith(".js")}
    assert {address.split("/", 3)[3] for address in addresses} == {"style.css", "learn.css", *scripts}
    for address in addresses:
        answer = client.get(f"/{address}")
        assert answer.status_code == 200 and answer.content
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert re.fullmatch("[0-9a-f]{12}", assets.version())


def test_every_script_that_a_script_imports_is_served_as_one(client):
    base = f"assets/{assets.version()}/"
    scripts = [name for name in assets.assets() if name.endswith(".js")]
    assert {"page.js", "form.js", "vendor/uplot/uPlot.esm.js"} <= set(scripts)
    for name in scripts:
        answer = get(client, base + name)
        assert answer.headers["content-type"].startswith("text/javascript")
        for imported in re.findall(r"^import .*? from '\./([^']+)'", answer.text, re.MULTILINE):
            assert imported in assets.assets(), (name, imported)


def test_another_version_s_files_are_not_here(client, monkeypatch):
    assert get(client, "assets/000000000000/page.js").status_code == 404
    before = assets.version()
    monkeypatch.setitem(assets.assets(), "page.js", b"// changed")
    assets.version.cache_clear()
    assert assets.version() != before
    monkeypatch.undo()
    assets.version.cache_clear()
    assert assets.version() == before


@pytest.mark.parametrize(
    "name", ["../routes.py", "..%2froutes.py", "%2e%2e/routes.py", "languages/ko.po", "drawings.json", "", "js/page.js"]
)
def test_only_the_page_s_own_files_are_served(client, name):
    assert get(client, f"assets/{assets.version()}/{name}").status_code == 404


def test_scripts_get_their_texts_in_every_language(client):
    english, korean = (get(client, f"assets/{assets.version()}/texts.{lang}.json").json() for lang in ("en", "ko"))
    assert english.keys() == korean.keys() and english["Start"] == "Start" and korean["Start"] == "학습 시작"
    assert all(english[text] == text for text in english)


# --- what changes


def test_news_of_the_runs_comes_once(client):
    done("one")
    answer = get(client, "watch", v="")
    news = answer.json()
    assert news["rows"][0]["run"] == "one" and "points" not in news
    silent = client.get("/seglab/watch", params={"v": news["v"]})
    assert silent.status_code == 204 and silent.content == b""
    followed = client.get("/seglab/watch", params={"v": news["v"], "r": ["one@", "unet@0.0.0", "../x@", "nothing"]})
    points = followed.json()["points"]
    assert set(points) == {"one", "unet"} and points["one"]["new"] and followed.json()["rows"] == []
    again = client.get("/seglab/watch", params={"v": news["v"], "r": f"one@{points['one']['at']}"})
    assert again.status_code == 204


def test_a_run_whose_name_has_an_at_sign_is_followed(client):
    directory = runs.home() / "a@b"
    done("one").rename(directory)
    answer = client.get("/seglab/watch", params={"r": "a@b@"}).json()
    assert answer["points"]["a@b"]["evals"]


def test_what_has_not_changed_is_not_sent_again(client):
    done("one")
    for address in (
        "scores?run=one",
        "masks?run=one",
        "form",
        "viewer",
        "settings?run=one",
        "examples?run=one",
    ):
        answer = get(client, address)
        assert answer.status_code == 200 and answer.headers["cache-control"] == "no-cache", address
        mark = answer.headers["etag"]
        for given in (mark, f"W/{mark}"):
            again = get(client, address, **{"if-none-match": given})
            assert again.status_code == 304 and again.content == b""
        assert get(client, address, **{"if-none-match": '"other"'}).content == answer.content
    before = get(client, "scores?run=one")
    runs.rename(runs.find("one"), "renamed")
    after = get(client, "scores?run=one", **{"if-none-match": before.headers["etag"]})
    assert after.status_code == 200 and "renamed" in after.text


@pytest.mark.parametrize("lang, words", [("en", "There is no run"), ("ko", "실행을 찾을 수 없습니다")])
@pytest.mark.parametrize(
    "address",
    ["scores?run=x", "masks?run=x", "curves.csv?run=x", "curves.png?run=x", "settings?run=x", "examples?run=x",
     "lab/grid?run=x", "examples", "picture/x/image/0.webp"],
)  # fmt: skip
def test_an_unknown_run_is_told_of_in_the_visitor_s_language(client, address, lang, words):
    answer = get(client, address, lang)
    assert answer.status_code == 404 and words in answer.json()["error"]


@pytest.mark.parametrize("name", ["../../etc/passwd", "/etc", "..", ".", "", "one/", "%2e%2e", "\u0000", "x" * 9000])
def test_no_path_is_taken_for_a_run(client, name):
    done("one")
    for kind in ("scores", "masks", "settings", "examples"):
        answer = client.get(f"/seglab/{kind}", params={"run": name})
        assert answer.status_code == 404 and len(answer.text) < 400
    assert client.get("/seglab/picture/..%2F..%2Fetc/image/0.webp").status_code == 404


def test_what_nobody_foresaw_is_told_in_a_sentence_and_is_no_error_of_the_server(client, monkeypatch):
    done("one")

    def fails(*_):
        raise ZeroDivisionError("by <b>nothing</b>")

    monkeypatch.setattr(routes.scores, "html", fails)
    answer = get(client, "scores?run=one")
    assert answer.status_code == 422 and "by <b>nothing</b>" in answer.json()["error"]
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    "address",
    ["picture/one/../0.webp", "picture/one/nonsense/0.webp", "picture/one/image/99.webp", "picture/one/image/-1.webp",
     "picture/one/mask/0.webp?epoch=nan", "picture/one/mask/0.webp?epoch=x", "picture/one/mask/0.webp?epoch=0",
     "settings?preset=nothing", "curves.exe?run=one", "curves.?run=one", "nothing"],
)  # fmt: skip
def test_what_is_not_there_is_not_found(client, address):
    done("one")
    assert get(client, address).status_code == 404


# --- pictures and files


def test_pictures_are_small_and_kept_by_the_visitors_own_browser_alone(client):
    done("one")
    for address in ("image/0.webp", "truth/0.webp", "prediction/1.webp", "mask/0.webp?epoch=1", "example/0.webp"):
        answer = get(client, f"picture/one/{address}")
        assert answer.headers["content-type"] == "image/webp"
        assert answer.headers["cache-control"] == "private, max-age=31536000, immutable"
        with Image.open(io.BytesIO(answer.content)) as image:
            assert max(image.size) <= 480 and image.size[0] > image.size[1]  # of 64 x 48 pixels


def test_curves_are_files_of_a_kind_that_their_address_names(client):
    done("one"), done("two", seed=1)
    table = get(client, "curves.csv?run=one&run=two&run=one")
    assert table.headers["content-disposition"] == 'attachment; filename="curves.csv"'
    lines = table.content.decode("utf-8-sig").splitlines()
    assert sum("one" in line for line in lines) == sum("two" in line for line in lines) > 1
    picture = get(client, "curves.png?run=one")
    with Image.open(io.BytesIO(picture.content)) as image:
        assert image.format == "PNG"


def test_a_form_is_filled_like_another_run_or_by_a_preset(client):
    done("one")
    filled = get(client, "settings?run=one").json()
    assert filled["model.unet.width"] == "4" and filled["image_size"] == "64"
    assert "data" not in get(client, "settings?preset=quick").json()


def test_examples_are_addresses_of_small_pictures(client):
    done("one")
    addresses = get(client, "examples?run=one").json()
    assert len(addresses) == 2 and all(client.get(f"/{each}").status_code == 200 for each in addresses)
    runs.create(tiny(), "waiting")
    assert get(client, "examples?run=waiting").status_code == 404


# --- names and passwords


def test_where_the_page_asks_for_a_password_nothing_is_told_without_it():
    done("one")
    with gr.Blocks() as blocks:
        gr.HTML("x")
    blocks.auth, blocks.auth_message, blocks.max_file_size = [("ada", "secret")], None, None
    app = gr.routes.App.create_app(blocks, app_kwargs={"routes": whole_page.ROUTES})
    client = TestClient(app)
    paths = {"/seglab/start": "GET"} | {
        f"/seglab{each.path}": "POST" if "POST" in each.methods else "GET" for each in routes.ROUTER.routes
    }
    assert len(paths) > 8 and set(paths.values()) == {"GET", "POST"}
    named = {"run": "one", "kind": "image", "name": "a", "question": "best", "group": "cases"}
    for path, method in paths.items():
        address = re.sub("{(index|page|truth|label|number)(:int)?}", "0", path).format(**named)
        assert client.request(method, address, params={"run": "one"}).status_code == 401, address
    assert client.get(f"/seglab/assets/{assets.version()}/page.js").status_code == 200  # the page to log in has it
    assert client.post("/login", data={"username": "ada", "password": "wrong"}).status_code == 400
    assert client.get("/seglab/watch").status_code == 401
    assert client.post("/login", data={"username": "ada", "password": "secret"}).status_code == 200
    assert json.loads(client.get("/seglab/watch").text)["rows"][0]["run"] == "one"
