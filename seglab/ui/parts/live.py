"""A lesson's runs that visitors train while it is given: begun by a press, and what they do to a difference."""

from __future__ import annotations

import json
import statistics
import threading
from collections import OrderedDict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import runs
from seglab.comparison.pairs import defined
from seglab.errors import SeglabError
from seglab.lessons import live
from seglab.lessons.bench import Bench
from seglab.lessons.model import Lesson
from seglab.ui.board import BOARD, pace_of
from seglab.ui.parts import learn, runlist
from seglab.ui.text import language, say, told
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent

SECONDS = "seconds"
MOST_ANSWERS = 256  # that are kept: of groups, classes and languages
Known = tuple[Lesson, tuple, dict[str, Any]]
looking = threading.Lock()
_answers: OrderedDict[tuple[str, str, str, str], Known] = OrderedDict()


@fenced
def run(event: gr.EventData, request: gr.Request) -> str:
    """Starts a group's quick settings with a new seed, or gives those that are under way."""
    given, lang = sent(event), language(request)
    found = learn.lesson(str(given.get("lesson")))
    visitor = Visitor.of(given.get("visitor"))
    group, code = str(given.get("group")), str(given.get("class") or "")
    news: list[bool] = []

    def submitted() -> list[Path]:
        directories, new = live.start(found, group, code, visitor.owner)
        news.append(new)
        return runlist.lend(directories, request)

    answer = runlist.begun(submitted, lang)
    if news == [False]:
        text = say("Already under way: somebody has begun these runs. They will appear here.", lang)
        answer["messages"] = [["note", text]]
    return json.dumps({"kind": "started", "lesson": found.name, "group": group} | answer)


def under_way(lesson: Lesson, group: str, code: str, lang: str) -> dict[str, Any]:
    """The runs of a group that were started here, of a class where it has a code, and what they do to the difference
    between its quick settings: computed once for every visitor, until one of the runs is in another state."""
    code = live.checked(code)
    states = states_of(lesson)
    key, stamp = (lesson.name, group, code, lang), tuple(states.items())
    with looking:
        if (known := _answers.get(key)) and known[0] == lesson and known[1] == stamp:
            return known[2]
        answer = defined(found(lesson, group, code, states, lang))
        if "problem" in answer:  # which may be mended without any run that is known here
            return answer
        _answers[key] = lesson, stamp, answer
        _answers.move_to_end(key)
        while len(_answers) > MOST_ANSWERS:
            _answers.popitem(last=False)
        return answer


def states_of(lesson: Lesson) -> dict[Path, str]:
    """The runs of this machine that may be of a lesson, as the page's board has them, with their states."""
    BOARD.look()
    rows, places = BOARD.rows, BOARD.places
    return {
        places[name]: row.told["state"]
        for name, row in rows.items()
        if name.startswith(f"{lesson.name}-") and row.told["kind"] == "own" and name in places
    }


def found(lesson: Lesson, group: str, code: str, states: dict[Path, str], lang: str) -> dict[str, Any]:
    there, keys = live.found(lesson, group, states), live.quick(lesson, group).quick
    own, mine = learn.bench_of(lesson), [each.state for each in there if each.under_way and each.code == code]
    more = Bench(lesson, live.whole(keys, there, code))
    answer: dict[str, Any] = {
        "settings": {key: lesson.setting(key).title.of(lang) for key in keys},
        "runs": [each.directory.name for each in there if each.code == code],
        "busy": bool(mine) and "interrupted" not in mine,  # with those the next press goes on
        "count": len(live.needed(lesson, group)),
        "seconds": estimate(lesson, group),
        "all": len(lesson.runs),
    }
    try:
        answer |= {"dots": {key: dots(more, key) for key in keys}, **effect(own, more, keys)}
        answer["like"] = {key: own.directories(key)[0].name for key in keys}  # runs whose settings the form can take
        answer["recorded"] = sum(statistics.mean(own.values(key, SECONDS)) for key in live.needed(lesson, group))
        answer["spent"] = sum(sum(own.values(key, SECONDS)) for key, each in lesson.settings.items() if each.trained)
    except SeglabError as error:  # runs of the lesson are missing, or were scored on other images
        answer["problem"] = told(error, lang)
        answer["dots"] = {key: [dot(each, scored(each), True) for each in more.more.get(key, ())] for key in keys}
    return answer


def dots(bench: Bench, key: str) -> list[dict[str, Any]]:
    """The score of each of a setting's runs, those of the lesson and those that were trained here."""
    added, values = bench.more.get(key, ()), bench.values(key, "miou")
    return [dot(each, value, each in added) for each, value in zip(bench.directories(key), values, strict=True)]


def dot(directory: Path, score: float | None, added: bool) -> dict[str, Any]:
    return {"seed": runs.config(directory).seed, "score": score, "live": added}


def scored(directory: Path) -> float | None:
    """What a run that has ended reported."""
    ended = runs.status(directory).finished
    return ended.val_miou if ended else None


def effect(own: Bench, more: Bench, keys: Sequence[str]) -> dict[str, Any]:
    """The difference between two settings, without the runs that were trained here and with them; nothing of more
    settings."""
    if len(keys) != 2:
        return {}
    effect = live.effect(own, more, keys)
    return {
        "before": vars(effect.before),
        "after": vars(effect.after) | {"apart": effect.after.apart},
        "seeds": effect.seeds,
        "against": effect.against,
    }


def estimate(lesson: Lesson, group: str) -> float | None:
    """How many seconds a group's quick settings take together, where finished runs of this machine tell."""
    seconds = 0.0
    for key in live.needed(lesson, group):
        config = lesson.config(key, 0)
        pace = BOARD.paces.get(pace_of(config))
        if pace is None:
            return None
        seconds += pace * config.epochs
    return seconds
