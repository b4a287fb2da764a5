"""What the visitors of a lesson are going to ask for, computed while the first of them reads its first step."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Iterator
from functools import partial

from seglab.errors import SeglabError
from seglab.lessons.bench import Bench
from seglab.lessons.model import Ask, CompareWithSource, Inspect, Lesson, Run, Sheet, Show, View
from seglab.ui.parts import evidence, findings, guests, handout, learn, live, masks, refining

log = logging.getLogger(__name__)
starting, computing = threading.Lock(), threading.Lock()
_begun: dict[str, Bench] = {}  # by lesson and language, what was computed for last


def begin(lesson: Lesson, lang: str) -> None:
    """Begins to compute what a lesson's steps show, one lesson at a time, unless that was done before. One of a guest,
    of whom there may be many, waits until it is asked for, as does one whose runs are missing."""
    if guests.origin(lesson.name) == "guest" or not (bench := learn.whole(lesson)):
        return
    key = f"{lesson.name} {lang}"
    with starting:
        if _begun.get(key) is bench:
            return
        _begun[key] = bench
    threading.Thread(target=compute, args=(bench, lang), name=f"ahead {key}", daemon=True).start()


def compute(bench: Bench, lang: str) -> None:
    with computing:
        for make in steps(bench, lang):
            try:
                with contextlib.suppress(SeglabError):  # told to whoever asks
                    make()
            except Exception:
                log.exception("%s could not be computed ahead", bench.lesson.name)


def steps(bench: Bench, lang: str) -> Iterator[Callable[[], object]]:
    """What each step of a lesson shows, in their order."""
    lesson = bench.lesson
    for n, step in enumerate(lesson.steps):
        if isinstance(step, Ask) and step.measure:
            yield partial(learn.answer, lesson, step.id, lang)
        elif isinstance(step, Show | Inspect | CompareWithSource):
            yield partial(learn.step, lesson, n, lang, {})
        elif isinstance(step, Run):
            yield partial(live.under_way, lesson, step.group, "", lang)
        elif isinstance(step, Sheet):
            yield partial(handout.handout, lesson, lang)
        if isinstance(step, Show):
            yield partial(looked, bench, step.view, lang)


def looked(bench: Bench, view: View, lang: str) -> None:
    """What a view asks for besides what the step has."""
    if view.view == "grid" and view.group:
        evidence.table(bench, view.group, "", "", lang)
    if view.view == "crf" and view.a:
        refining.overview(bench.directories(view.a)[0], "", lang)
    if view.view not in ("where", "real", "why"):
        return
    assert view.a and view.b
    lab = evidence.laboratory(bench, view.a, view.b, lang)
    if view.view == "where":
        scene = evidence.pictured(bench, view, len(lab.pair.names), lang)
        lab.zipped_maps(lab.page_of(scene))
        if masks.sees(lab.both[0].directory):
            masks.picture(lab.both[0].directory, "photo", scene)
    elif view.view == "why":
        findings.some_borders(lab, lang)
        findings.written(lab, "why", lang, lesson=True)
    else:
        findings.written(lab, "real", lang, lesson=True)
