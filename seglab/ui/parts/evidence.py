"""What a lesson's views are drawn from: the laboratory's own, of settings in the place of runs that are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

from seglab import runs
from seglab.comparison.grids import Layout
from seglab.comparison.pairs import defined
from seglab.errors import SeglabError
from seglab.lessons.bench import Bench
from seglab.lessons.measures import Trend
from seglab.lessons.model import Group, Lesson, Show, View
from seglab.ui.parts import grid, lab
from seglab.ui.parts.lab import Laboratory
from seglab.ui.parts.scores import stamp
from seglab.ui.text import told
from seglab.ui.tracks import Track

SCORES = ("val_loss", "train_loss", "val_miou", "train_miou", "lr")  # that have curves


def title(bench: Bench, key: str, lang: str) -> str:
    return bench.lesson.setting(key).title.of(lang)


def dots(bench: Bench, key: str, by: str) -> list[dict[str, Any]]:
    """The score of each of a setting's runs, with its seed."""
    values = zip(bench.directories(key), bench.reported(key, by), strict=True)
    return [{"seed": runs.config(directory).seed, "score": score} for directory, score in values]


def overview(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """The score of each run of some settings, by seed."""
    found = [
        {"key": key, "title": title(bench, key, lang), "dots": dots(bench, key, view.by)} | bench.class_of(key, view.by)
        for key in view.of
    ]
    return {"settings": found, "by": view.by}


def curves(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """The curves of some settings, of each seed the points that a page gets of its own runs."""
    if unknown := [name for name in view.scores if name not in SCORES]:
        raise SeglabError(
            "scores: {given} is not allowed; allowed: {allowed}", given=unknown[0], allowed=", ".join(SCORES)
        )
    found = []
    for key in view.of:
        seeds = []
        for directory in bench.directories(key):
            track = Track(directory).read()
            if track.problem:
                raise track.problem
            points = track.since("") or {}
            seeds.append({"steps": points["steps"] if "lr" in view.scores else [], "evals": points["evals"]})
        found.append({"key": key, "title": title(bench, key, lang), "seeds": seeds})
    return {"settings": found, "scores": list(view.scores), "x": view.x}


def scatter(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """What several readings gain, by their score before."""
    assert isinstance(view.measure, Trend)
    points = zip(view.measure.of, view.measure.points(bench), strict=True)
    found = [{"title": title(bench, before, lang), "x": x, "y": y} for (before, _), (x, y) in points]
    return {"points": found, "x": view.measure.x, "y": view.measure.y}


def both(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """Two sides in the laboratory, with the scene that goes through the whole lesson."""
    assert view.a and view.b
    known = sides(bench, view.a, view.b, lang)
    return known if "missing" in known else known | {"scene": pictured(bench, view, len(known["images"]), lang)}


def sides(bench: Bench, a: str, b: str, lang: str) -> dict[str, Any]:
    """All that the laboratory knows of two settings before it is asked for pixels; why there are none where the label
    maps of one of them stayed behind."""
    found = laboratory(bench, a, b, lang)
    known: dict[str, Any] = {"a": a, "b": b, "names": {"a": title(bench, a, lang), "b": title(bench, b, lang)}}
    with found.lock:
        if any(reading.evidence.stayed for reading in found.both):
            missing = SeglabError("the masks of these settings do not come with seglab, only their scores")
            return known | defined({"verdict": lab.judged(found, lang)}) | {"missing": told(missing, lang)}
        return known | defined(lab.seen(found, lang))


def crf(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """A setting's first run, whose images go through the CRF as they are looked at."""
    assert view.a
    directory = bench.directories(view.a)[0]
    images = len(runs.description(directory)["images"]["val"])
    return {"run": directory.name, "title": title(bench, view.a, lang), "scene": pictured(bench, view, images, lang)}


def pictured(bench: Bench, view: View, images: int, lang: str) -> int:
    """The image that a view is opened at, of so many."""
    return min(scene(bench, lang, view) if view.image == "lesson" else view.image, images - 1)


def scene(bench: Bench, lang: str, looked: View | None = None) -> int:
    """The image that goes through the lesson: the one that its file names, or in which the sides of its first view of
    pixels differ most; of a lesson without one, those of the view that is looked at."""
    view = pixels(bench.lesson) or looked
    if bench.lesson.picture != "differs_most":
        return bench.lesson.picture
    if view is None or view.b is None:
        return 0
    assert view.a
    return laboratory(bench, view.a, view.b, lang).pair.agreement.order("difference")[0]


def pixels(lesson: Lesson) -> View | None:
    """The first view of where two sides differ, or else the first of two sides."""
    views = [step.view for step in lesson.steps if isinstance(step, Show) and step.view.a and step.view.b]
    return min(views, key=lambda view: view.view != "where", default=None)


def folds(bench: Bench, view: View, lang: str) -> dict[str, Any]:
    """What each setting of a cross-validation is scored on: its fold, the setting whose weights it begins with, how
    many of its validation images these weights have learned from, and its scores."""
    assert view.group
    found = []
    for key in bench.lesson.groups[view.group].settings:
        directory = bench.directories(key)[0]
        fold = runs.config(directory).fold
        if fold is None:
            raise SeglabError("{name} is not the fold of a cross-validation", name=key)
        held = set(runs.description(directory)["images"]["val"])
        seen: set[str] = set()
        begun = list(begins(bench, key))
        for other in begun:
            seen |= held.intersection(runs.description(bench.directories(other)[0])["images"]["train"])
        found.append(
            {
                "key": key,
                "title": title(bench, key, lang),
                "fold": fold.index,
                "of": fold.of,
                "begins": title(bench, begun[0], lang) if begun else None,
                "seen": len(seen),
                "images": len(held),
                "dots": dots(bench, key, view.by),
            }
        )
    return {"settings": found, "by": view.by}


def begins(bench: Bench, key: str) -> Iterator[str]:
    """The settings whose weights a setting begins with, the nearest first."""
    while begun := bench.lesson.setting(key).begins_with:
        yield begun
        key = begun


VIEWS: dict[str, Callable[[Bench, View, str], dict[str, Any]]] = {
    "overview": overview,
    "curves": curves,
    "scatter": scatter,
    "where": both,
    "real": both,
    "why": both,
    "crf": crf,
    "folds": folds,
}  # the grid is written as HTML


def laboratory(bench: Bench, a: str, b: str, lang: str) -> Laboratory:
    """Two settings of a lesson as sides of the laboratory. Raises SeglabError where they cannot be compared."""
    two = [bench.side(key, title(bench, key, lang)) for key in (a, b)]
    directories = list(dict.fromkeys(each.directory for side in two for each in side.readings))
    with lab.making:
        return lab.laboratory(two[0], two[1], False, stamp(directories))


def table(bench: Bench, name: str, down: str, right: str, lang: str) -> str:
    """A group's settings as the laboratory's grid, as HTML: laid out by the group's table where it has one, else by two
    options."""
    group = bench.lesson.groups.get(name)
    if group is None:
        raise SeglabError("there is no group {name} in {lesson}", name=repr(name), lesson=bench.lesson.name)
    keys = list(group.settings)
    found = bench.grid(keys)
    down, right = (option if option in found.options else "" for option in (down, right))  # so what is kept has an end

    def made() -> str:
        titled = tuple(
            replace(each, side=replace(each.side, name=title(bench, key, lang)))
            for key, each in zip(keys, found.settings, strict=True)
        )
        layout = laid_out(group) if group.table else found.layout(down, right)
        return grid.written(replace(found, settings=titled), layout, lang, keys)

    return bench.kept(("table", name, down, right, lang), made)


def laid_out(group: Group) -> Layout:
    """Lines and columns as a group has them; settings that are in none of them stand below."""
    keys, width = list(group.settings), len(group.table[0])
    rest = [key for key in keys if not any(key in row for row in group.table)]
    more = [rest[n : n + width] for n in range(0, len(rest), width)]
    cells = [[(keys.index(key),) for key in row] for row in (*group.table, *more)]
    whole = tuple(tuple([*row, *[()] * (width - len(row))]) for row in cells)
    return Layout(None, None, ("",) * len(whole), ("",) * width, whole, ())
