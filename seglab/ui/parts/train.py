"""What the Train tab's form asks for: runs, how long they take, what is in their data, previews, a zip taken in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import jobs, plans, uploads
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset
from seglab.ui import form, views
from seglab.ui.parts import runlist
from seglab.ui.text import language, render, told
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent


@fenced
def begin(event: gr.EventData, request: gr.Request) -> str:
    """Puts the runs that the form asks for into the queue."""
    data, lang = sent(event), language(request)
    visitor = Visitor.of(data.get("visitor"))

    def submitted() -> list[Path]:
        asked = form.asked(data)
        if asked.single:
            asked.configs[0].data.open()  # data that is missing is told now, not by a run that fails
            return runlist.lend(jobs.submit(asked.configs, visitor.owner), request)
        plan, title, steps = asked.laid_out()
        return runlist.lend(plans.submit(plan, title, plans.settled(steps), visitor.owner), request)

    return json.dumps({"kind": "begun"} | runlist.begun(submitted, lang))


@fenced
def foresee(data: str, request: gr.Request) -> str:
    """How many runs the form asks for, the command that makes them, and how long they take where that is known."""
    return foreseen(sent(data), language(request), None)


@fenced
def measure(data: str, request: gr.Request) -> str:
    """The same; what is not known of the time is measured, by a few steps of each kind of run."""
    return foreseen(sent(data), language(request), plans.timed_apart)


def foreseen(data: dict[str, Any], lang: str, how: Callable[..., Any] | None) -> str:
    answer = {"kind": "foreseen", "number": data.get("number")}  # by which the page knows of which settings
    try:
        asked = form.asked(data)
        configs = [jobs.limited(config) for config in asked.configs]
        if asked.plan:
            configs = [step.config for step in asked.laid_out()[2]]
        estimate = None if how and busy() else plans.estimate(configs, how)
    except SeglabError as error:
        return json.dumps(answer | {"error": told(error, lang)})
    return json.dumps(
        answer
        | {
            "count": len(configs),
            "seconds": sum(estimate.seconds) if estimate else None,
            "command": asked.command(),
            "timing": estimate is None and how is None and not busy(),
        }
    )


def busy() -> bool:
    """Whether the machine has runs to work on, beside which nothing is measured on a server that several share."""
    return jobs.shared() and bool(jobs.waiting())


@fenced
def look(event: gr.EventData, request: gr.Request) -> str:
    """What the form's foldable parts show: the networks' cards, what is in the data, the schedule, the preview."""
    data, lang = sent(event), language(request)
    what = str(data.get("what"))
    try:
        html = LOOKS[what](data, lang) if what in LOOKS else ""
    except SeglabError as error:
        html = views.refusal(error, lang)
    return json.dumps({"kind": "html", "what": what, "number": data.get("number"), "html": html})


def cards(data: dict[str, Any], lang: str) -> str:
    """Each picked network's numbers, source and picture."""
    timed = data.get("timed")
    shown = []
    for config in form.described(data).configs:
        try:
            short = validated(RunConfig, {"model": config.model, "image_size": config.image_size})
            wanted = isinstance(timed, list) and config.model.name in timed
            shown.append(views.card(short.model, short.image_size, lang, wanted))
        except SeglabError as error:
            shown.append(views.refusal(error, lang))
    return "".join(dict.fromkeys(shown))


def inside(data: dict[str, Any], lang: str) -> str:
    """What is in the picked data, or what is wrong."""
    typed = data.get("options")
    try:
        dataset = form.dataset(data)
        own = dataset.name == "folder" and bool(form.uploaded(typed))
        return views.inside(dataset, lang, own, side(typed))
    except SeglabError as error:
        if error.template == form.UPLOAD_FIRST:  # the button is right above
            return render("hint.html", lang, text=form.UPLOAD_FIRST)
        return views.wrong(error, lang, own=bool(form.uploaded(typed)))


def side(typed: Any) -> int | None:
    """The longer side of images in training, where it is one."""
    value = form.run_options().read(typed).get("image_size")
    return value if isinstance(value, int) and value > 0 else None


def schedule(data: dict[str, Any], lang: str) -> str:
    """The learning rate as it will be over the run."""
    return views.schedule(form.described(data).configs[0], lang)


def preview(data: dict[str, Any], lang: str) -> str:
    """Training images before and after the picked techniques."""
    return views.preview(form.asked(data).configs[0], lang)


LOOKS = {"cards": cards, "inside": inside, "schedule": schedule, "preview": preview}


@fenced
def accept(file: str, data: str, request: gr.Request) -> str:
    """Takes a visitor's zip; gives its reference and what is in it, or what is wrong with it."""
    lang = language(request)
    options = form.pickers()["data"].entries["folder"].read(sent(data).get("options"))
    try:
        reference = uploads.take(file, validated(Dataset, {"name": "folder"} | options))
    except SeglabError as error:
        wrong = views.wrong(error, lang, refused=True)
        return json.dumps({"kind": "uploaded", "reference": "", "html": wrong})
    taken = {"picked": {"data": ["folder"]}, "options": {"data": {"folder": options | {"upload": reference}}}}
    return json.dumps({"kind": "uploaded", "reference": reference, "html": inside(taken, lang)})
