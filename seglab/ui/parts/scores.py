"""What is known of several runs side by side: the settings that differ, the scoreboard, IoU by class, loss terms."""

from __future__ import annotations

import io
import itertools
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from markupsafe import Markup

from seglab import draw, export, runs
from seglab.comparison import cautions, speed
from seglab.comparison.scores import Comparison, compare
from seglab.errors import SeglabError
from seglab.metrics import DEFINITION
from seglab.ui import views
from seglab.ui.text import render, told

BACKGROUNDS = {  # by the dashes of a line
    "-": "{}",
    "--": "repeating-linear-gradient(90deg, {} 0 5px, var(--page) 5px 7px)",
    ":": "repeating-linear-gradient(90deg, {} 0 2px, var(--page) 2px 4px)",
}
Stamp = tuple[str, int, str]  # a run's directory, the size of its events, its state


def stamp(directories: Sequence[Path]) -> tuple[Stamp, ...]:
    """What changes whenever one of the runs has something new to show."""
    return tuple(
        (str(directory), runs.size_of(directory / "events.jsonl"), runs.status(directory).state)
        for directory in directories
    )


@lru_cache(maxsize=64)
def compared(stamped: tuple[Stamp, ...]) -> Comparison:
    """The comparison of the runs as they were when stamped; shared by every visitor."""
    return compare([Path(directory) for directory, *_ in stamped])


@lru_cache(maxsize=128)
def term_svg(stamped: tuple[Stamp, ...], metric: str, strokes: tuple[int, ...]) -> Markup:
    """The curves of one term of the loss, whatever the language."""
    return Markup(draw.curve_svg(compared(stamped), metric, strokes))


def html(directories: Sequence[Path], lang: str) -> str:
    """Everything below the curves; what is wrong with a damaged run is told, and the others go on."""
    labels = [runs.label(directory) for directory in directories]
    try:
        return written(stamp(directories), tuple((each.name, each.stroke) for each in labels), lang)
    except SeglabError:
        problems = {directory: error for directory in directories if (error := damage(directory))}
        if not problems:
            raise
    sound = [directory for directory in directories if directory not in problems]
    told = "".join(views.refusal(error, lang) for error in problems.values())
    return told + (html(sound, lang) if sound else "")


def damage(directory: Path) -> SeglabError | None:
    """Why a run cannot be compared with others."""
    try:
        runs.config(directory), runs.events(directory)
    except SeglabError as error:
        return error
    return None


@lru_cache(maxsize=64)
def written(stamped: tuple[Stamp, ...], labels: tuple[tuple[str, int], ...], lang: str) -> str:
    comparison = replace(compared(stamped), labels=tuple(name for name, _ in labels))
    strokes = tuple(stroke for _, stroke in labels)
    by_classes = itertools.groupby(
        sorted(range(len(comparison.rows)), key=lambda n: tuple(comparison.rows[n].iou)),
        key=lambda n: tuple(comparison.rows[n].iou),
    )
    return render(
        "scores.html",
        lang,
        c=comparison,
        chips=[(background(stroke), name) for name, stroke in labels],
        cautions=[told(caution, lang) for caution in cautions(comparison)],
        sets=[(classes, sorted(places)) for classes, places in by_classes if classes],
        best=max((r.miou for r in comparison.rows if r.miou is not None and comparison.same_data), default=None),
        definition=DEFINITION,
        terms=[
            (term, *(term_svg(stamped, f"{part} {term}", strokes) for part in ("train", "val")))
            for term in comparison.terms
        ],
        onnx=export.available(),
        times=speed.milliseconds([Path(directory) for directory, *_ in stamped])
        if any(row.fixed for row in comparison.rows)
        else [],
    )


def background(place: int) -> str:
    """The CSS of a background like a run's line."""
    stroke = draw.stroke(place)
    return BACKGROUNDS[stroke["linestyle"]].format(stroke["color"].replace("#000000", "currentColor"))  # as in `svg`


def png(directories: Sequence[Path]) -> bytes:
    """The curves as the command line draws them, with the runs' own names and colors."""
    labels = [runs.label(directory) for directory in directories]
    comparison = replace(compared(stamp(directories)), labels=tuple(each.name for each in labels))
    buffer = io.BytesIO()
    draw.save(draw.curves(comparison, [each.stroke for each in labels]), buffer, format="png", dpi=120)
    return buffer.getvalue()
