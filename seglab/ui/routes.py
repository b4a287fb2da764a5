"""What has an address of its own below `seglab/`: what is new of the runs, pictures, tables.

All of these are read and change nothing; what a person does goes through Gradio's events.
"""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router

from seglab import runs
from seglab.comparison.tables import ENCODING, curves_csv
from seglab.errors import SeglabError
from seglab.lessons.bench import Bench
from seglab.lessons.guests import GoneError
from seglab.ui import form
from seglab.ui.assets import FOREVER
from seglab.ui.board import BOARD, MOST_RUNS
from seglab.ui.guard import unknown
from seglab.ui.parts import (
    ahead,
    counting,
    evidence,
    findings,
    grid,
    guests,
    handout,
    lab,
    learn,
    live,
    masks,
    refining,
    runlist,
    scores,
    viewer,
)  # fmt: skip
from seglab.ui.parts.lab import Laboratory
from seglab.ui.parts.report import report
from seglab.ui.text import language, told

FILES = {"csv": "text/csv", "png": "image/png"}  # of curves
log = logging.getLogger(__name__)


# --- what is known of the runs


def watch(request: Request, lang: str) -> Response:
    """What is new: `v` is the version that the page has, each `r` a run that it follows, with its position."""
    followed = [each.rpartition("@")[::2] for each in request.query_params.getlist("r")[:MOST_RUNS]]
    news = BOARD.news(request.query_params.get("v", ""), followed, lang)
    return Response(status_code=204) if news is None else Response(news, media_type="application/json")


def found_runs(request: Request, lang: str) -> Response:
    """The runs that a page looks for."""
    return Response(runlist.found(request.query_params, lang), media_type="application/json")


def named(request: Request) -> list[Path]:
    """The directories of the runs that an address names, each once."""
    return BOARD.named(request.query_params.getlist("run"))


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


def laboratory(request: Request, lang: str) -> Response:
    """Two sides of the runs, or of the lesson, that an address names: `a` and `b`."""
    if bench := lesson_of(request):
        return data(evidence.sides(bench, *chosen(request), lang))
    return data(lab.overview(named(request), *chosen(request), lang))


def chosen(request: Request) -> tuple[str, str]:
    return request.query_params.get("a", ""), request.query_params.get("b", "")


def lesson_of(request: Request) -> Bench | None:
    """The lesson that an address names, with its runs."""
    name = request.query_params.get("lesson")
    return learn.bench_of(learn.lesson(name)) if name else None


def two(request: Request, lang: str) -> Laboratory:
    """The two sides that an address names: of runs, or of a lesson."""
    if bench := lesson_of(request):
        return evidence.laboratory(bench, *chosen(request), lang)
    return lab.asked(named(request), *chosen(request))


def label_maps(request: Request, lang: str) -> Response:
    """Truth and both sides' label maps of a page of images."""
    found, page = two(request, lang), request.path_params["page"]
    kind = "application/octet-stream"
    if "gzip" not in request.headers.get("accept-encoding", ""):
        return Response(found.maps(page), media_type=kind)
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return Response(found.zipped_maps(page), media_type=kind, headers=headers)


def replay(request: Request, lang: str) -> Response:
    """Both sides' label maps of a few images after so many evaluations of each."""
    counts = [int(request.query_params.get(f"epochs_{side}", 0)) for side in "ab"]
    content = two(request, lang).replay(counts)
    return Response(content, media_type="application/octet-stream")


def laboratory_view(request: Request, lang: str) -> Response:
    """Whether the difference between two sides is real, why there is one, or all of it as a file."""
    name, found = request.url.path.rpartition("/")[2], two(request, lang)
    lesson = "lesson" in request.query_params
    if name == "why" and not lesson:
        found.borders.begin(counting.STRIDE)
    content = report(found, lang) if name == "report" else findings.written(found, name, lang, lesson)
    kept = {"Content-Disposition": 'attachment; filename="seglab-report.html"'} if name == "report" else {}
    return Response(content, media_type="text/html", headers=kept)


def numbers(of: Callable[..., Any], request: Request, lang: str) -> Response:
    """What a view of pixels asks of two sides: counts of each image, regions, how they were made."""
    found = of(two(request, lang), **request.path_params)
    return Response(json.dumps(found), media_type="application/json")


def settings_grid(request: Request, lang: str) -> Response:
    """All settings of the runs that an address names, or of a lesson's group, in lines and columns by two options."""
    asked = request.query_params
    options = asked.get("down", ""), asked.get("right", "")
    if bench := lesson_of(request):
        found = evidence.table(bench, asked.get("group", ""), *options, lang)
    else:
        found = grid.html(named(request), *options, lang)
    return Response(found, media_type="text/html")


def lessons(request: Request, lang: str) -> Response:
    return data(learn.cards(lang))


def lesson(request: Request, lang: str) -> Response:
    """A lesson's steps; `teach` brings the notes for teachers."""
    found = learn.lesson(request.path_params["name"])
    ahead.begin(found, lang)
    return data(learn.outline(found, lang, "teach" in request.query_params))


def lesson_answer(request: Request, lang: str) -> Response:
    return data(learn.answer(learn.lesson(request.path_params["name"]), request.path_params["question"], lang))


def lesson_step(request: Request, lang: str) -> Response:
    found, number = learn.lesson(request.path_params["name"]), request.path_params["number"]
    return data(learn.step(found, number, lang, request.query_params))


def lesson_sheet(request: Request, lang: str) -> Response:
    """What a lesson's sheet is made of that is the same for everybody."""
    return data(handout.handout(learn.lesson(request.path_params["name"]), lang))


def lesson_live(request: Request, lang: str) -> Response:
    """The runs of a lesson's group that were started here, of a class where it has a code."""
    found, group = learn.lesson(request.path_params["name"]), request.path_params["group"]
    return data(live.under_way(found, group, request.query_params.get("class", ""), lang))


def lesson_lacking(request: Request, lang: str) -> Response:
    """The runs that a lesson needs and that are not here."""
    return data(guests.lacking(learn.lesson(request.path_params["name"])))


def lesson_file(request: Request, lang: str) -> Response:
    """A lesson as a file, to keep and to change."""
    name, content = guests.as_file(request.path_params["name"])
    disposition = f'attachment; filename="{name}"'
    return Response(content, media_type="application/yaml", headers={"Content-Disposition": disposition})


def lesson_brought(request: Request, lang: str) -> Response:
    """A lesson that a visitor brings: as a `file` of that name, or as a link carries it. What is wrong with it is an
    answer like any other."""
    file, content = request.query_params.get("file"), request.state.body
    try:
        return data(guests.of_link(content) if file is None else guests.of_file(content, file))
    except SeglabError as error:
        return data({"error": told(error, lang)})


def data(found: Any) -> Response:
    return Response(json.dumps(found, ensure_ascii=False), media_type="application/json")


def refining_controls(request: Request, lang: str) -> Response:
    return Response(refining.html(lang), media_type="text/html")


def refining_run(request: Request, lang: str) -> Response:
    """What is known of a run's images and the CRF, for one setting, as an address has it."""
    directory = BOARD.found(request.query_params.get("run", ""))
    return data(refining.overview(directory, request.query_params.get("crf", ""), lang))


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
            return wrong(told(error, lang), 410 if isinstance(error, GoneError) else 404)
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


def posted(answer: Callable[[Request, str], Response]) -> Callable[[Request], Any]:
    """The same for what comes with a body."""
    plain = fenced(answer)

    async def answered(request: Request) -> Response:
        request.state.body = await request.body()  # of a megabyte at most: `guard` sees to that
        return await run_in_threadpool(plain, request)

    return answered


def wrong(sentence: str, status: int) -> Response:
    """Why there is no answer; not kept by the browser, for which what is gone would be so for good."""
    content = json.dumps({"error": sentence}, ensure_ascii=False)
    return Response(content, status, {"Cache-Control": "no-store"}, media_type="application/json")


ROUTER = Router(
    [
        Route("/watch", fenced(watch)),
        Route("/runs", fenced(found_runs)),
        Route("/form", fenced(blank)),
        Route("/viewer", fenced(controls)),
        Route("/examples", fenced(examples)),
        Route("/settings", fenced(settings)),
        Route("/scores", fenced(scoreboard)),
        Route("/masks", fenced(strip)),
        Route("/lab", fenced(laboratory)),
        Route("/lab/maps/{page:int}", fenced(label_maps)),
        Route("/lab/replay", fenced(replay)),
        Route("/lab/cell/{truth:int}/{label:int}", fenced(partial(numbers, findings.in_cell))),
        Route("/lab/bin/{number:int}", fenced(partial(numbers, findings.in_bin))),
        Route("/lab/regions", fenced(partial(numbers, findings.regions))),
        Route("/lab/recipes", fenced(partial(numbers, lab.recipes))),
        Route("/lab/crf", fenced(refining_controls)),
        Route("/lab/crf/run", fenced(refining_run)),
        *(Route(f"/lab/{view}", fenced(laboratory_view)) for view in (*findings.VIEWS, "report")),
        Route("/lab/grid", fenced(settings_grid)),
        Route("/lessons", fenced(lessons)),
        Route("/lesson/{name}", fenced(lesson)),
        Route("/lesson/{name}/answer/{question}", fenced(lesson_answer)),
        Route("/lesson/{name}/step/{number:int}", fenced(lesson_step)),
        Route("/lesson/{name}/sheet", fenced(lesson_sheet)),
        Route("/lesson/{name}/live/{group}", fenced(lesson_live)),
        Route("/lesson/{name}/lacking", fenced(lesson_lacking)),
        Route("/lesson/{name}/file", fenced(lesson_file)),
        Route("/brought", posted(lesson_brought), methods=["POST"]),
        Route("/picture/{run}/{kind}/{index:int}.webp", fenced(picture)),
        *(Route(f"/curves.{kind}", fenced(curves)) for kind in FILES),
    ]
)
