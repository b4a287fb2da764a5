"""The sheet that a student takes away: what the page needs to make it that is the same for everybody."""

from __future__ import annotations

from typing import Any

import numpy as np

from seglab import draw, runs, travel
from seglab.comparison.pairs import Pair
from seglab.errors import SeglabError
from seglab.lessons import sheet
from seglab.lessons.bench import Bench
from seglab.lessons.model import Lesson, View
from seglab.ui import assets
from seglab.ui.parts import evidence, learn, masks
from seglab.ui.text import say
from seglab.ui.views import picture

STYLE = assets.HERE / "handout.css"


def handout(lesson: Lesson, lang: str) -> dict[str, Any]:
    """The styles of a lesson's sheet, digests of its evidence, its pictures, and the commands that make its runs."""
    bench = learn.bench_of(lesson)
    return bench.kept(("sheet", lang), lambda: made(bench, lang))


def made(bench: Bench, lang: str) -> dict[str, Any]:
    view = evidence.pixels(bench.lesson)
    return {
        "style": STYLE.read_text(encoding="utf-8"),
        "evidence": sheet.evidence(bench),
        "pictures": pictures(bench, view, lang) if view else [],
        "commands": commands(bench, view),
    }


def pictures(bench: Bench, view: View, lang: str) -> list[dict[str, str]]:
    """The lesson's scene: its photograph, the truth, and both sides; none where the runs, or their label maps, are not
    here."""
    assert view.a and view.b
    try:
        pair = bench.pair(view.a, view.b)
        n = min(evidence.scene(bench, lang), len(pair.names) - 1)
        colors = runs.description(bench.directories(view.a)[0])["colors"]
        maps = [draw.painted(each, colors) for each in pair.image(n)]
    except SeglabError:
        return []
    photo = photograph(pair, n)
    titles = [say("Ground truth", lang), *(bench.lesson.setting(key).title.of(lang) for key in (view.a, view.b))]
    found = [(say("Image", lang), photo)] if photo is not None else []
    return [{"title": title, "picture": picture(each)} for title, each in [*found, *zip(titles, maps, strict=True)]]


def photograph(pair: Pair, n: int) -> np.ndarray | None:
    """A validation image; None where its data is not here."""
    directory = pair.a.readings[0].directory
    return runs.opened_once(directory).val[n].image if masks.sees(directory) else None


def commands(bench: Bench, view: View | None) -> list[str]:
    """What makes all of the lesson's runs, and what trains those whose pictures are on the sheet."""
    keys = [key for key in (view.a, view.b) if key] if view else []
    try:
        configs = [runs.config(bench.directories(key)[0]) for key in keys]
    except SeglabError:
        configs = []
    trained = [travel.command(runs.emptied(config)) for config in configs]
    return list(dict.fromkeys([f"seglab lesson make {bench.lesson.called}", *trained]))
