"""The Learn tab: lessons step by step, and what came of their questions, computed from the runs that there are."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import plans, runs
from seglab.comparison.pairs import defined
from seglab.entry import Options
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started
from seglab.lessons import files, live, telling
from seglab.lessons.bench import Bench
from seglab.lessons.measures import Trend
from seglab.lessons.model import Ask, CompareWithSource, Lesson, Show, View
from seglab.lessons.text import Text
from seglab.ui.parts import guests, lab, runlist
from seglab.ui.parts.lab import Laboratory
from seglab.ui.parts.scores import stamp
from seglab.ui.text import language, told
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent

HIDDEN = ("measure", "tell", "notes")  # of a step, until it is asked for
MOST_BENCHES = 64
SCORES = ("val_loss", "train_loss", "val_miou", "train_miou", "lr")  # that have curves
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


# --- runs while it is given


@fenced
def run(event: gr.EventData, request: gr.Request) -> str:
    """Starts a group's quick settings with a new seed, or gives those that are under way."""
    given, lang = sent(event), language(request)
    found = lesson(str(given.get("lesson")))
    visitor = Visitor.of(given.get("visitor"))
    group, code = str(given.get("group")), str(given.get("class") or "")

    def submitted() -> list[Path]:
        return runlist.lend(live.start(found, group, code, visitor.owner), request)

    return json.dumps({"kind": "started", "group": group} | runlist.begun(submitted, lang))


def under_way(found: Lesson, group: str, code: str) -> dict[str, Any]:
    """The runs of a group that were started here, how far each is, and what they do to the difference between the
    group's quick settings."""
    there = live.found(found, group)
    code = live.checked(code)
    keys = live.quick(found, group).quick
    answer: dict[str, Any] = {"runs": [told_of(each) for each in there if not code or each.code == code], "keys": keys}
    bench = live.with_live(found, there, code)
    try:
        if len(keys) == 2:
            more = len(bench.more.get(keys[0], ()))
            difference = bench.difference(keys[0], keys[1], "miou")
            answer["difference"] = vars(difference) | {"more": more, "against": live.against(difference, more)}
        answer["dots"] = {
            key: [
                {"seed": runs.config(each).seed, "score": value, "live": each in bench.more.get(key, ())}
                for each, value in zip(bench.directories(key), bench.values(key, "miou"), strict=True)
            ]
            for key in keys
        }
    except SeglabError:  # the lesson's own runs are not all there
        pass
    return defined(answer)


def told_of(each: live.Live) -> dict[str, Any]:
    ended = runs.status(each.directory).finished
    epochs = [event.epoch for event in runs.events(each.directory) if isinstance(event, Evaluated)]
    return {
        "run": each.directory.name,
        "key": each.key,
        "seed": each.seed,
        "state": each.state,
        "epoch": epochs[-1] if epochs else 0,
        "epochs": runs.config(each.directory).epochs,
        "miou": ended.val_miou if ended else None,
    }


def estimate(found: Lesson, group: str) -> float | None:
    """How many seconds a group's quick settings take together, where runs that are here tell."""
    keys = live.quick(found, group).quick
    known = plans.estimate([found.config(key, 0) for key in keys])
    return sum(known.seconds) if known else None


# --- what came of it


def bench_of(lesson: Lesson) -> Bench:
    """The lesson with its runs, shared by every visitor; made anew each time while some of them are missing."""
    key = files.content_hash(lesson)
    with making:
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


def step(lesson: Lesson, number: int, lang: str) -> dict[str, Any]:
    """What a step shows: the data of its view, or a document's figures beside those measured here."""
    if not 0 <= number < len(lesson.steps):
        raise SeglabError("there is no step {number} in {lesson}", number=number, lesson=lesson.name)
    found, bench = lesson.steps[number], bench_of(lesson)
    if isinstance(found, CompareWithSource):
        return bench.kept(("claims", number, lang), lambda: claims(bench, found, lang))
    if not isinstance(found, Show):
        raise SeglabError("step {number} of {lesson} shows nothing", number=number, lesson=lesson.name)
    make = VIEWS.get(found.view.view)
    return {"view": found.view.view} | (
        bench.kept(("view", number, lang), lambda: defined(make(bench, found.view, lang))) if make else {}
    )


def claims(bench: Bench, found: CompareWithSource, lang: str) -> dict[str, Any]:
    """What a document reports, and how that came out here."""
    lesson = bench.lesson

    def title(key: str) -> str:
        return lesson.setting(key).title.of(lang)

    claims = []
    for name in found.claims:
        claim = lesson.claims[name]
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


def overview(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """The score of each run of some settings, by seed."""
    found = []
    for key in view.of:
        values = bench.values(key, view.by)
        seeds = [runs.config(each).seed for each in bench.directories(key)]
        dots = [{"seed": seed, "score": value} for seed, value in zip(seeds, values, strict=True)]
        found.append({"key": key, "title": bench.lesson.setting(key).title.of(lang), "dots": dots})
    return {"settings": found, "by": view.by}


def curves(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """The curves of some settings, one of each seed, over epochs, steps and seconds."""
    found = []
    for key in view.of:
        seeds = []
        for directory in bench.directories(key):
            events = runs.events(directory)
            evaluated = [event for event in events if isinstance(event, Evaluated)]
            seeds.append(
                {
                    "epochs": [event.epoch for event in evaluated],
                    "steps": [event.step for event in evaluated],
                    "seconds": [round(event.seconds, 1) for event in evaluated],
                    "scores": {name: [curve_value(event, name) for event in evaluated] for name in view.scores},
                    "per_epoch": next((e.steps_per_epoch for e in events if isinstance(e, Started)), None),
                }
            )
        found.append({"key": key, "title": bench.lesson.setting(key).title.of(lang), "seeds": seeds})
    return {"settings": found, "scores": list(view.scores), "x": view.x}


def curve_value(event: Evaluated, name: str) -> float | None:
    """A point of a curve; raises SeglabError for a score that has none."""
    if name not in SCORES:
        raise SeglabError("scores: {given} is not allowed; allowed: {allowed}", given=name, allowed=", ".join(SCORES))
    if name == "lr":
        return event.lr
    part, _, kind = name.partition("_")
    value = getattr(event.scores[part], kind)
    return None if value is None else round(value, 5)


def scatter(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """What several readings gain, by their score before."""
    assert isinstance(view.measure, Trend)
    points = view.measure.points(bench)
    titles = [bench.lesson.setting(before).title.of(lang) for before, _ in view.measure.of]
    return {"points": [{"title": title, "x": x, "y": y} for title, (x, y) in zip(titles, points, strict=True)]}


def both(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """Two sides in the laboratory, with the scene that goes through the whole lesson."""
    assert view.a and view.b
    found = laboratory(bench.lesson, view.a, view.b, lang)
    known = lab.seen(found, lang)
    known |= {"names": {side: bench.lesson.setting(key).title.of(lang) for side, key in (("a", view.a), ("b", view.b))}}
    return known | {"scene": scene(bench) if view.image == "lesson" else min(view.image, len(found.pair.names) - 1)}


def scene(bench: Bench) -> int:
    """The image that goes through the lesson: the one that its file names, or in which the sides of its first view of
    pixels differ most."""
    lesson = bench.lesson
    views = [step.view for step in lesson.steps if isinstance(step, Show) and step.view.view == "where"]
    if lesson.picture != "differs_most" or not views:
        return 0 if lesson.picture == "differs_most" else lesson.picture
    first = views[0]
    assert first.a and first.b
    return bench.pair(first.a, first.b).agreement.order("difference")[0]


VIEWS: dict[str, Callable[[Bench, View, str], dict[str, Any]]] = {
    "overview": overview,
    "curves": curves,
    "scatter": scatter,
    "where": both,
}


def laboratory(lesson: Lesson, a: str, b: str, lang: str) -> Laboratory:
    """Two settings of a lesson as sides of the laboratory. Raises SeglabError where they cannot be compared."""
    bench = bench_of(lesson)
    two = [bench.side(key, lesson.setting(key).title.of(lang)) for key in (a, b)]
    directories = list(dict.fromkeys(each.directory for side in two for each in side.readings))
    with lab.making:
        return lab.laboratory(two[0], two[1], False, stamp(directories))
