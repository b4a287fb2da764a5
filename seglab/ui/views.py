"""What the page shows of runs, as HTML; everything a person could have named is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
from markupsafe import Markup

from seglab import anatomy, draw, jobs, runs, schedulers, uploads
from seglab.anatomy import picture as network_picture
from seglab.config import RunConfig
from seglab.data.base import PARTS, spread
from seglab.data.pairs import collected
from seglab.data.survey import survey
from seglab.errors import SeglabError
from seglab.families import Architecture, Dataset, Scheduler
from seglab.preview import preview as previewed
from seglab.ui.text import render, told


def refusal(error: SeglabError, lang: str) -> str:
    """What the page shows of an error."""
    return render("message.html", lang, text=told(error, lang), kind="wrong")


def unwritable() -> SeglabError | None:
    """Why nothing can be trained here, where that is so."""
    try:
        runs.refuse_unwritable()
    except SeglabError as error:
        return SeglabError("nothing can be trained here or brought back, only looked at: {reason}", reason=error)
    return None


def named(directories: Iterable[Path]) -> list[tuple[str, str]]:
    """Runs as choices: what is shown of each, and its whole name."""
    return [(runs.short_name(directory), directory.name) for directory in directories]


PREVIEWED = 6  # training images


def preview(config: RunConfig, lang: str) -> str:
    """Training images with their masks over them, each beside what the techniques make of it, and beside what the loss
    stresses in that."""
    with uploads.renaming(uploads.names(config.data)):
        data, found = previewed(config, PREVIEWED)
    rows = []
    for before, after, stressed in found:
        light = [] if stressed is None else [draw.glowing(after.image, stressed)]
        masked = [draw.overlay(sample.image, sample.mask, data.colors, 0.4) for sample in (before, after)]
        rows.append([picture(each) for each in (*masked, *light)])
    classes = Markup(legend(data.classes, data.colors, lang))
    return render("preview.html", lang, rows=rows, legend=classes)


SURVEYED, SHOWN = 100, 6  # images that are looked at, and of those laid under their masks
MOST_PROBLEMS = 20


def wrong(error: SeglabError, lang: str, **known: bool) -> str:
    """What is wrong with a data source, file by file where that is known; `known`: whether it is the visitor's `own`
    upload, or one that was `refused`."""
    problems = [told(each, lang) for each in error.each or (error,)]
    return render("data.html", lang, wrong=problems, most=MOST_PROBLEMS, **known)


def inside(dataset: Dataset, lang: str, own: bool = False, side: int | None = None) -> str:
    """How many images a data source has, their sizes, each class's share, and a few with their masks; `own`: it is the
    visitor's upload, whose files have the names here that they have in the zip; `side`: the longer side that images
    have in training."""
    named = uploads.names(dataset)
    titles = {Path(place).stem: name for place, name in named.items() if place.startswith("images/")}
    with uploads.renaming(named):
        data = dataset.open()
    seen = survey(data, SURVEYED, side=side)
    zipped = uploads.notes(dataset)  # how the zip's own files were paired, and what was left out
    samples, _ = collected(lambda place: data.train[place], spread(len(data.train), SHOWN))
    return render(
        "data.html",
        lang,
        seen=seen,
        counts={part: len(getattr(data, part)) for part in PARTS},
        rows=list(
            zip(data.classes, map(hexadecimal, data.colors), zip(*seen.shares.values(), strict=True), strict=True)
        ),
        largest=max(*seen.shares["train"], 1e-9),
        found=[
            *(told(note, lang) for note in zipped[:1]),
            *(told(uploads.renamed(how, named), lang) for how in data.found[bool(zipped) :]),
        ],
        warnings=[
            *(told(note, lang) for note in zipped[1:]),
            *(told(uploads.renamed(warning, named), lang) for warning in (*seen.warnings, *seen.lost)),
        ],
        wrong=[told(uploads.renamed(error, named), lang) for error in seen.wrong],
        most=MOST_PROBLEMS,
        own=own,
        pictures=[
            (titles.get(sample.name, sample.name), picture(draw.overlay(sample.image, sample.mask, data.colors, 0.4)))
            for sample in samples
        ],
    )


LONGEST, SMALL = 480, 320  # pixels of a picture's longer side, where it has an address and where it stands in a text


def picture(image: np.ndarray) -> str:
    """An image uint8 (H, W, 3) as a data URI."""
    return uri("webp", webp(image, longest=SMALL, quality=88))


def webp(image: np.ndarray, exact: bool = False, longest: int = LONGEST, quality: int = 80) -> bytes:
    """An image uint8 (H, W, 3) as WebP, made smaller where it is large; `exact`: no color is made up."""
    from PIL import Image

    shown = Image.fromarray(image)
    shown.thumbnail((longest, longest), Image.Resampling.NEAREST if exact else Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", lossless=exact, quality=quality, method=4)
    return buffer.getvalue()


def uri(kind: str, content: bytes) -> str:
    """A picture's file as an address that holds it."""
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"


def legend(classes: Sequence[str], colors: Sequence[Sequence[int]], lang: str) -> str:
    """The classes with their colors."""
    return render("legend.html", lang, entries=list(zip(map(hexadecimal, colors), classes, strict=True)))


def hexadecimal(color: Sequence[int]) -> str:
    """A color as CSS wants it."""
    return "#" + "".join(f"{part:02x}" for part in color)


# --- the learning rate before training

DRAWN_STEPS = 500  # of a run, or one an epoch; how many it will have depends on data that may take long to read


def schedule(config: RunConfig, lang: str) -> str:
    """The learning rate as it will be over the run, or why nobody knows."""
    picture = schedule_svg(config.scheduler, config.optimizer.lr, config.epochs)
    return render("schedule.html", lang, svg=picture, budget=config.budget_seconds)


@lru_cache(maxsize=64)
def schedule_svg(scheduler: Scheduler, lr: float, epochs: int) -> Markup | None:
    """The picture, whatever the language."""
    rates = schedulers.curve(scheduler, lr, -(-DRAWN_STEPS // epochs), epochs)
    return Markup(draw.schedule_svg(rates, epochs)) if rates else None


# --- what a network is made of

QUICK = {"multiply_adds": 1e9, "parameters": 2e7}  # networks below these are timed, in under a second, without asking
SLOW = {"multiply_adds": 3e11, "parameters": 3e8}  # and those above these not at all: the page has to live beside them


def card(model: Architecture, side: int, lang: str, timed: bool = False) -> str:
    """A network's numbers, its source and its picture; its time too if it is short or asked for."""
    found = anatomy.anatomy(model, side=side)
    short, allowed = (all(getattr(found, name) < most for name, most in limit.items()) for limit in (QUICK, SLOW))
    return render(
        "model.html",
        lang,
        model=model,
        a=found,
        ms=milliseconds(model, side) if allowed and (timed or short) else None,
        allowed=allowed,
        threads=jobs.threads(),
        whole=anatomy.WHOLE,
        svg=structure_svg(model, side),
        kinds=network_picture.legend(found),
        notes=[told(note, lang) for note in model.suited(side).notes()],
    )


@lru_cache(maxsize=64)
def structure_svg(model: Architecture, side: int) -> Markup:
    """The picture, whatever the language."""
    return Markup(network_picture.structure_svg(anatomy.anatomy(model, side=side)))


@lru_cache(maxsize=256)
def milliseconds(model: Architecture, side: int) -> float:
    return anatomy.milliseconds(model, side, jobs.threads())
