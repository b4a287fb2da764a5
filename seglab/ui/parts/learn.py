"""The Learn tab: lessons step by step, and what came of their questions, computed from the runs that there are."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from functools import partial
from typing import Any

from seglab.comparison.pairs import defined
from seglab.entry import Options
from seglab.errors import SeglabError
from seglab.lessons import files, telling
from seglab.lessons.bench import Bench
from seglab.lessons.model import Ask, CompareWithSource, Inspect, Lesson, Show
from seglab.lessons.text import Text
from seglab.ui.parts import evidence, guests
from seglab.ui.text import told

HIDDEN = ("measure", "tell", "notes")  # of a step, until it is asked for
MOST_BENCHES = 64
making = threading.Lock()
_benches: dict[str, Bench] = {}  # whose runs are all there, by what the lesson holds


def lesson(name: str) -> Lesson:
    """A lesson by its name."""
    return guests.lesson(name)


def cards(lang: str) -> list[dict[str, Any]]:
    """The lessons that there are, for a list; one whose file is refused, or whose name is taken, says why."""
    found: list[dict[str, Any]] = [
        {"name": path.stem, "error": told(files.clash(path), lang)} for path in files.clashing()
    ]
    for name, path in files.every().items():
        try:
            lesson = files.load(path)
        except SeglabError as error:
            found.append({"name": name, "error": told(error, lang)})
            continue
        first = next((step for step in lesson.steps if isinstance(step, Ask)), None)
        found.append(
            {
                "name": name,
                "title": lesson.title.of(lang),
                "goal": lesson.goal.of(lang),
                "minutes": lesson.minutes,
                "source": lesson.source.of(lang),
                "questions": len(lesson.asks),
                "runs": len(lesson.runs),
                "first": first.text.of(lang) if first else "",
            }
        )
    return found


def outline(lesson: Lesson, lang: str, teaching: bool) -> dict[str, Any]:
    """A lesson's steps, without what its questions came to; `teaching`: with the notes for teachers."""
    hidden = tuple(name for name in HIDDEN if not (teaching and name == "notes"))
    steps = [shown(step, lang, hidden) for step in lesson.steps]
    for each, step in zip(steps, lesson.steps, strict=True):
        if isinstance(step, Ask):
            each["measured"] = step.measure is not None
            each["tolerance"] = getattr(step.measure, "tolerance", None)
            for option in each["options"]:
                option.pop("why", None)
    return {
        "name": lesson.name,
        "origin": guests.origin(lesson.name),
        "data": guests.data(lesson),
        "hash": files.content_hash(lesson),
        "title": lesson.title.of(lang),
        "goal": lesson.goal.of(lang),
        "source": lesson.source.of(lang),
        "minutes": lesson.minutes,
        "steps": steps,
        "settings": {key: setting.title.of(lang) for key, setting in lesson.settings.items()},
        "groups": {
            key: {"title": group.title.of(lang), "quick": group.quick, "table": group.table}
            for key, group in lesson.groups.items()
        },
    }


def shown(value: Any, lang: str, hidden: tuple[str, ...] = ()) -> Any:
    """A part of a lesson as data, every text in a language."""
    if isinstance(value, Text):
        return value.of(lang)
    if isinstance(value, Options):
        return {
            name: shown(getattr(value, name), lang, hidden) for name in type(value).model_fields if name not in hidden
        }
    if isinstance(value, dict):
        return {name: shown(each, lang, hidden) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [shown(each, lang, hidden) for each in value]
    return value


# --- what came of it


def whole(lesson: Lesson) -> Bench | None:
    """The lesson with its runs where none of them is missing."""
    bench = bench_of(lesson)
    return bench if any(each is bench for each in _benches.values()) else None


def bench_of(lesson: Lesson) -> Bench:
    """The lesson with its runs, shared by every visitor; made anew each time while some of them are missing."""
    with making:
        for bench in _benches.values():
            if bench.lesson is lesson:  # which takes less than to look at what it holds
                return bench
        key = files.content_hash(lesson)
        if key in _benches:
            return _benches[key]
        bench = Bench(lesson)
        try:
            for name in filter(lesson.has_runs, lesson.settings):
                bench.directories(name)
        except SeglabError:
            return bench
        while len(_benches) >= MOST_BENCHES:
            del _benches[next(iter(_benches))]
        _benches[key] = bench
        return bench


def answer(lesson: Lesson, name: str, lang: str) -> dict[str, Any]:
    """What a question came to; raises SeglabError for one that there is not, or whose runs are missing."""
    ask = lesson.asks.get(name)
    if ask is None or ask.measure is None:
        raise SeglabError("there is no question {name} with an answer in {lesson}", name=repr(name), lesson=lesson.name)
    bench = bench_of(lesson)
    found = bench.kept(("answer", name, lang), lambda: telling.result(bench, ask, lang))
    return found | {"notes": [told(note, lang) for note in found["notes"]]}


def step(lesson: Lesson, number: int, lang: str, asked: Mapping[str, str]) -> dict[str, Any]:
    """What a step shows: the data of its view, or of the one that is `asked` for, or a document's figures beside those
    measured here."""
    if not 0 <= number < len(lesson.steps):
        raise SeglabError("there is no step {number} in {lesson}", number=number, lesson=lesson.name)
    found, bench = lesson.steps[number], bench_of(lesson)
    if isinstance(found, CompareWithSource):
        return bench.kept(("claims", number, lang), lambda: claims(bench, found, lang))
    if isinstance(found, Inspect):
        view = found.view(*(asked.get(name, "") for name in ("view", "a", "b")))
    elif isinstance(found, Show):
        view = found.view
    else:
        raise SeglabError("step {number} of {lesson} shows nothing", number=number, lesson=lesson.name)
    make = evidence.VIEWS.get(view.view)
    key = ("view", view.model_dump_json(), lang)
    return {"view": view.view} | (bench.kept(key, lambda: defined(make(bench, view, lang))) if make else {})


def claims(bench: Bench, found: CompareWithSource, lang: str) -> dict[str, Any]:
    """What a document reports, and how that came out here."""
    title = partial(evidence.title, bench, lang=lang)
    claims = []
    for name in found.claims:
        claim = bench.lesson.claims[name]
        tested = telling.tested(bench, claim)
        figures = telling.figures(bench, claim)
        claims.append(
            {
                "where": claim.where.of(lang),
                "quote": claim.quote.of(lang),
                "measured": claim.measured.of(lang),
                "percent": claim.percent,
                "figures": [vars(each) | {"title": title(each.key)} for each in figures],
                "pairs": [
                    {
                        "low": title(each.low),
                        "high": title(each.high),
                        "state": each.state,
                        "size": each.difference.size,
                        "ends": [each.difference.low, each.difference.high],
                        "images": each.difference.images,
                        "seeds": each.difference.seeds,
                    }
                    for each in tested
                ],
                "summary": told(telling.summed(tested), lang) if tested else "",
                "reasons": [told(telling.why(bench, each, lang), lang) for each in claim.differs],
            }
        )
    return {"claims": claims}
