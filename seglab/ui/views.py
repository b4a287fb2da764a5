"""What the page shows of runs, as HTML; everything a person could have named is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, get_args

import gradio as gr
import jinja2
import numpy as np
from markupsafe import Markup

from seglab import anatomy, draw, export, jobs, plans, runs, schedulers, uploads
from seglab.anatomy import picture as network_picture
from seglab.comparison.scores import Comparison, compare
from seglab.config import RunConfig
from seglab.data.base import PARTS, spread
from seglab.data.pairs import collected
from seglab.data.survey import survey
from seglab.download import last_shown
from seglab.errors import SeglabError
from seglab.events import Finished, Reason, Started, Stepped, best_of
from seglab.families import Architecture, Dataset, Scheduler
from seglab.jobs import zerogpu
from seglab.metrics import DEFINITION
from seglab.preview import preview as previewed
from seglab.ui.pace import Drawn, Paced
from seglab.ui.text import label, say, sentence, state_text, told

QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}  # of an event
LENT = ("queued", "running", "stopped", "interrupted")  # states in which a run may want a GPU
BACKGROUNDS = {  # by the dashes of a line
    "-": "{}",
    "--": "repeating-linear-gradient(90deg, {} 0 5px, #fff 5px 7px)",
    ":": "repeating-linear-gradient(90deg, {} 0 2px, #fff 2px 4px)",
}
Stamp = tuple[str, int, str]  # a run's directory, the size of its events, its state

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters["sentence"] = sentence


def render(template: str, lang: str, **values: Any) -> str:
    """A template in a language; `t` translates inside it, and `state` says what state a run is in."""
    translating = {"t": partial(say, lang=lang), "state": partial(state_text, lang=lang), "lang": lang}
    return _templates.get_template(template).render(translating | values)


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


def run_picker(title: str, place: str, most: int | None = None) -> gr.Dropdown:
    """A dropdown for several runs. Runs come and go while a page is open, and Gradio's own copy of the choices can lag
    behind the page's: any name passes, and the handlers look it up."""
    return gr.Dropdown(
        [],
        multiselect=True,
        max_choices=most,
        label=label(title),
        elem_id=place,
        allow_custom_value=True,
        interactive=True,
    )


def opening(handler: Callable[..., Any], inputs: Any, outputs: Any) -> Any:
    """The event of a visitor's opening the page of the Blocks at hand, or opening it again."""
    page = gr.context.Context.root_block
    assert page  # handlers are told of while the Blocks are built
    return gr.on([page.load], handler, inputs, outputs, **QUIET)


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


@lru_cache(maxsize=320)
def svg(stamped: tuple[Stamp, ...], metric: str) -> Markup:
    """One picture, whatever the language."""
    return Markup(draw.curve_svg(compared(stamped), metric))


CURVES: Paced[str] = Paced()


def curves(stamped: tuple[Stamp, ...], lang: str) -> Drawn[str]:
    """The five pictures of a comparison, the runs overlaid, with one legend; while a run goes on perhaps those of a
    moment ago, shared by every visitor. Once a state has changed they are as new as can be."""
    states = tuple((directory, state) for directory, _, state in stamped)
    return CURVES.get((states, lang), stamped, lambda: drawn_curves(stamped, lang))


def drawn_curves(stamped: tuple[Stamp, ...], lang: str) -> str:
    comparison = compared(stamped)
    panels = [(title, svg(stamped, metric)) for metric, title in draw.CURVES.items()]
    return render(
        "curves.html", lang, panels=panels, runs=chips(comparison), empty=not any(map(any, comparison.curves["lr"]))
    )


def chips(comparison: Comparison) -> list[tuple[str, str]]:
    """The CSS of a background like each run's line, and the run's name."""
    strokes = [draw.stroke(place) for place in range(len(comparison.labels))]
    backgrounds = [BACKGROUNDS[each["linestyle"]].format(each["color"]) for each in strokes]
    return list(zip(backgrounds, comparison.labels, strict=True))


def table(directories: Sequence[Path], lang: str, others: bool = False) -> str:
    """The runs with their state, progress, score and what can be done: stop or resume; `others`: whether there are
    runs besides, which could be picked."""
    waiting = jobs.waiting()
    stamps = stamp(directories)
    sound = tuple(stamped for stamped in stamps if progress(stamped)["readable"])
    titles = dict(zip((Path(directory) for directory, *_ in sound), compared(sound).labels, strict=True))
    rows = []
    for stamped in stamps:
        directory = Path(stamped[0])
        place = waiting.index(directory) + 1 if directory in waiting else None
        known = progress(stamped)
        texts = [told(error, lang) for error in known["said"]]
        if not known["begun"] and stamped[2] == "running" and (fetched := last_shown(directory / "log.txt")):
            texts.append(say("Downloading weights from {host}: {percent}%", lang, host=fetched[0], percent=fetched[1]))
        stopping = stamped[2] == "running" and (directory / "stop").exists()
        state = "stopping" if stopping else stamped[2]
        title = titles.get(directory, known["model"])
        note = known["model"] if title == directory.name else directory.name
        told_of = {"run": directory.name, "title": title, "note": note, "state": state, "place": place, "texts": texts}
        foreign = runs.shipped(directory)
        told_of |= {"foreign": foreign, "over": stamped[2] in get_args(Reason)}
        told_of["unlent"] = zerogpu.chosen(directory) if zerogpu.LENDS and state in LENT and not foreign else None
        rows.append(known | told_of)
    return render("jobs.html", lang, rows=rows, others=others, loan=f"{zerogpu.LOAN:g}")


def planned(steps: Sequence[plans.Step], estimate: plans.Estimate | None, lang: str) -> str:
    """The runs that a plan would make, how long they may take, and the buttons that time and begin them."""
    numbers = {step.directory: n for n, step in enumerate(steps, 1)}
    rows = [
        {
            "label": step.label,
            "after": [numbers[run] for run in step.config.needs if run in numbers],
            "seconds": estimate.seconds[n] if estimate else None,
        }
        for n, step in enumerate(steps)
    ]
    return render("plan.html", lang, rows=rows, estimate=estimate)


def readable(directory: Path) -> bool:
    """Whether the run's files are sound; `table` tells why not."""
    return progress(*stamp([directory]))["readable"]


@lru_cache(maxsize=256)
def progress(stamped: Stamp) -> dict[str, Any]:
    """How far a run is and what is left, as of its stamp."""
    directory = Path(stamped[0])
    try:
        events, config = runs.events(directory), runs.config(directory)
        if (directory / "dataset.json").exists():
            runs.description(directory)
    except SeglabError as error:
        nothing = {"model": "-", "begun": False, "done": 0.0, "epoch": 0.0, "epochs": 0, "miou": None, "left": None}
        return nothing | {"readable": False, "said": [error]}
    best = best_of(events)
    stepped = next((event for event in reversed(events) if isinstance(event, Stepped)), None)
    started = next((event for event in events if isinstance(event, Started)), None)
    done = events[-1].step / started.total_steps if started else 0.0
    why = events[-1].why if events and isinstance(events[-1], Finished) else None
    said = [*([why] if why else []), *(started.notes if started else [])]
    return {
        "readable": True,
        "model": config.model.name,
        "said": [sentence.error() for sentence in said],
        "begun": started is not None,
        "done": done,
        "epoch": done * config.epochs,
        "epochs": config.epochs,
        "miou": best.scores["val"].miou if best else None,
        "left": stepped.seconds_left if stepped else None,
    }


def epochs(directories: Sequence[Path]) -> list[float]:
    """The evaluations that the runs kept sample masks of, in epochs, in order."""
    return sorted({epoch for directory in directories for epoch in runs.Evidence(directory).epochs()})


def samples(directories: Sequence[Path], epoch: float | None, lang: str) -> str:
    """The same validation images labeled by every run after an epoch, below the images and their truth.

    A run that has not come so far shows its latest evaluation before it.
    """
    rows: list[dict[str, Any]] = []
    known: set[str] = set()
    legends: dict[str, None] = {}
    for directory, name in zip(directories, compared(stamp(directories)).labels, strict=True):
        try:
            evidence = runs.Evidence(directory)
            reached = evidence.latest(epoch)
            dataset = runs.description(directory)
            if reached is None:
                if evidence.stayed:
                    rows.append({"title": name, "note": say("came without masks", lang), "pictures": []})
                continue
            digest = dataset["digests"]["val"]
            if digest not in known:
                rows += originals(str(directory), digest, lang)
                known.add(digest)
            masks = evidence.sampled(reached)
        except (SeglabError, OSError):  # a run that is being written shows again later
            continue
        pictures = [picture(draw.painted(mask, dataset["colors"])) for mask in masks]
        legends[legend(dataset["classes"], dataset["colors"], lang)] = None
        rows.append({"title": name, "note": say("Epoch {epoch}", lang, epoch=f"{reached:g}"), "pictures": pictures})
    return render("samples.html", lang, rows=rows, legends=[Markup(each) for each in legends])


@lru_cache(maxsize=32)
def originals(directory: str, digest: str, lang: str) -> list[dict[str, Any]]:
    """The rows above the runs': the sample images, unless the data has gone, and their truth."""
    config, dataset = runs.config(Path(directory)), runs.description(Path(directory))
    try:
        data = runs.opened(Path(directory))
        images = [picture(data.val[n].image) for n in dataset["samples"]]
    except SeglabError:
        images = []
    evidence = runs.Evidence(Path(directory))
    masks = [picture(draw.painted(evidence.truth(n), dataset["colors"])) for n in evidence.samples]
    rows = [{"title": say("Image", lang), "note": config.data.name, "pictures": images}] if images else []
    return [*rows, {"title": say("Ground truth", lang), "note": "", "pictures": masks}]


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


def picture(image: np.ndarray, longest: int = 320) -> str:
    """An image uint8 (H, W, 3) as a data URI."""
    from PIL import Image

    shown = Image.fromarray(image)
    shown.thumbnail((longest, longest))
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=88, method=2)
    return "data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode()


def legend(classes: Sequence[str], colors: Sequence[Sequence[int]], lang: str) -> str:
    """The classes with their colors."""
    return render("legend.html", lang, entries=list(zip(map(hexadecimal, colors), classes, strict=True)))


def hexadecimal(color: Sequence[int]) -> str:
    """A color as CSS wants it."""
    return "#" + "".join(f"{part:02x}" for part in color)


def scoreboard(stamped: tuple[Stamp, ...], lang: str) -> str:
    """Parameters, time and mIoU of each run, IoU by class, and the options that differ."""
    comparison = compared(stamped)
    classes = list(dict.fromkeys(name for row in comparison.rows for name in row.iou))
    best = max((row.miou for row in comparison.rows if row.miou is not None and comparison.same_data), default=None)
    crossed = [miou for line in comparison.grid.scores(comparison.rows) for miou in line] if comparison.grid else []
    known = [miou for miou in crossed if miou is not None]
    return render(
        "scores.html",
        lang,
        c=comparison,
        chips=chips(comparison),
        classes=classes,
        best=best,
        low=min(known, default=0),
        high=max(known, default=0),
        definition=DEFINITION,
        terms=[(term, *(svg(stamped, f"{part} {term}") for part in ("train", "val"))) for term in comparison.terms],
        onnx=export.available(),
    )


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
