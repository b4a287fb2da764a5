"""What has an address of its own: what is new of the runs, pictures, tables, and the page's own scripts.

All of these are read and change nothing; what a person does goes through Gradio's events.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from seglab import runs
from seglab.comparison.tables import ENCODING, curves_csv
from seglab.errors import SeglabError
from seglab.ui import form, strings
from seglab.ui.board import BOARD
from seglab.ui.parts import masks, scores, tour, viewer
from seglab.ui.text import language, languages, told, translation

HERE = Path(__file__).parent
BASE = "seglab"  # of all addresses below
TYPES = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
FILES = {"csv": "text/csv", "png": "image/png"}  # of curves
FOREVER = "public, max-age=31536000, immutable"
MOST_RUNS = 60  # that one address may name

log = logging.getLogger(__name__)


# --- the page's own files, under an address that changes with any of them


@lru_cache
def assets() -> dict[str, bytes]:
    """The scripts and styles by name, and the texts that scripts say, by language."""
    files = [*(HERE / "js").glob("*.js"), HERE / "style.css", *(HERE / "vendor").rglob("*.*")]
    found = {path.relative_to(HERE).as_posix().removeprefix("js/"): path.read_bytes() for path in files}
    said = {each.text for each in strings.of_scripts()}
    for code in languages():
        texts = {text: translation(text, code) or text for text in sorted(said)}
        found[f"texts.{code}.json"] = json.dumps(texts, ensure_ascii=False).encode()
    return found


@lru_cache
def version() -> str:
    """Twelve letters that are others as soon as one of the files is."""
    content = b"".join(name.encode() + content for name, content in sorted(assets().items()))
    return hashlib.sha256(content).hexdigest()[:12]


def asset(request: Request) -> Response:
    name = request.path_params["name"]
    content = assets().get(name) if request.path_params["version"] == version() else None
    if content is None:
        return Response("not here", 404)
    return Response(content, media_type=TYPES.get(Path(name).suffix), headers={"Cache-Control": FOREVER})


# --- what is known of the runs


def watch(request: Request, lang: str) -> Response:
    """What is new: `v` is the version that the page has, each `r` a run that it follows, with its position."""
    followed = [each.rpartition("@")[::2] for each in request.query_params.getlist("r")[:MOST_RUNS]]
    news = BOARD.news(request.query_params.get("v", ""), followed, lang)
    return Response(status_code=204) if news is None else Response(news, media_type="application/json")


def named(request: Request) -> list[Path]:
    """The directories of the runs that an address names, each once."""
    return [BOARD.found(name) for name in dict.fromkeys(request.query_params.getlist("run")[:MOST_RUNS])]


def scoreboard(request: Request, lang: str) -> Response:
    return Response(scores.html(named(request), lang), media_type="text/html")


def strip(request: Request, lang: str) -> Response:
    return Response(json.dumps(masks.strip(named(request), lang)), media_type="application/json")


def picture(request: Request, lang: str) -> Response:
    """A picture of a run: one of its sample images, its truth, or what was predicted after so many epochs."""
    kind, index = request.path_params["kind"], request.path_params["index"]
    directory = BOARD.found(request.path_params["run"])
    if kind == "example":
        content = viewer.thumbnail(directory, index)
    else:
        content = masks.picture(directory, kind, index, request.query_params.get("epoch"))
    kept = FOREVER.replace("public", "private")  # by the visitor's own browser: a proxy asks nobody for a password
    return Response(content, media_type="image/webp", headers={"Cache-Control": kept})


def first(request: Request, lang: str) -> Response:
    return Response(tour.html(lang), media_type="text/html")


def blank(request: Request, lang: str) -> Response:
    return Response(form.html(lang), media_type="text/html")


def controls(request: Request, lang: str) -> Response:
    return Response(viewer.html(lang), media_type="text/html")


def examples(request: Request, lang: str) -> Response:
    found = viewer.examples(BOARD.found(request.query_params.get("run", "")))
    return Response(json.dumps(found), media_type="application/json")


def settings(request: Request, lang: str) -> Response:
    """What the form is filled with by a preset, or to begin a run like another one."""
    if name := request.query_params.get("preset"):
        found = form.preset(name)
    else:
        found = form.settings(runs.config(BOARD.found(request.query_params.get("run", ""))))
    return Response(json.dumps(found), media_type="application/json")


def curves(request: Request, lang: str) -> Response:
    """The curves of the runs as a file: CSV, or a picture as the command line draws it."""
    directories = named(request)
    if request.url.path.endswith(".csv"):
        content, kind = curves_csv(*directories).encode(ENCODING), "csv"
    else:
        content, kind = scores.png(directories), "png"
    disposition = f'attachment; filename="curves.{kind}"'
    return Response(content, media_type=FILES[kind], headers={"Content-Disposition": disposition})


def fenced(answer: Callable[[Request, str], Response]) -> Callable[[Request], Response]:
    """Answers a mistake with its sentence, whatever went wrong, and what did not change since with nothing."""

    def answered(request: Request) -> Response:
        lang = language(request)
        if refused := unknown(request):
            return refused
        try:
            response = answer(request, lang)
        except SeglabError as error:
            return wrong(told(error, lang), 404)
        except Exception as error:
            log.exception("%s could not be answered", request.url.path)
            return wrong(told(SeglabError.of(error), lang), 422)
        if response.status_code == 200 and "Cache-Control" not in response.headers:
            mark = f'"{hashlib.sha256(bytes(response.body)).hexdigest()[:16]}"'
            if request.headers.get("if-none-match", "").removeprefix("W/") == mark:
                return Response(status_code=304)
            response.headers["ETag"] = mark
            response.headers["Cache-Control"] = "no-cache"
        return response

    return answered


def wrong(sentence: str, status: int) -> Response:
    return Response(json.dumps({"error": sentence}, ensure_ascii=False), status, media_type="application/json")


def unknown(request: Request) -> Response | None:
    """Where the page asks for a name and a password, nobody without them sees anything here either."""
    app: Any = request.app
    if getattr(app, "auth", None) is None:
        return None
    token = request.cookies.get(f"access-token-{app.cookie_id}")
    unsafe = request.cookies.get(f"access-token-unsecure-{app.cookie_id}")
    known = app.tokens.get(token) or app.tokens.get(unsafe)
    return None if known else Response("Not authenticated", 401)


ROUTES = [
    Route(f"/{BASE}/assets/{{version}}/{{name:path}}", asset),
    Route(f"/{BASE}/watch", fenced(watch)),
    Route(f"/{BASE}/start", fenced(first)),
    Route(f"/{BASE}/form", fenced(blank)),
    Route(f"/{BASE}/viewer", fenced(controls)),
    Route(f"/{BASE}/examples", fenced(examples)),
    Route(f"/{BASE}/settings", fenced(settings)),
    Route(f"/{BASE}/scores", fenced(scoreboard)),
    Route(f"/{BASE}/masks", fenced(strip)),
    Route(f"/{BASE}/picture/{{run}}/{{kind}}/{{index:int}}.webp", fenced(picture)),
    *(Route(f"/{BASE}/curves.{kind}", fenced(curves)) for kind in FILES),
]
