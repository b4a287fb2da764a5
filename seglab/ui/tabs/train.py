"""The Train tab: the form, what it says of models, data and schedules, the start of runs, and how runs travel."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seglab.ui.text import label
from seglab.ui.wires import QUIET, ear, heard, later, latest, part

SLOTS = "".join(f'<div class="{name}-slot" data-tab="train"></div>' for name in ("runs", "curves", "masks"))
# What the form shows of models and data where there is room for it
SIDE = "".join(f'<div class="side {name}"></div>' for name in ("cards", "surveyed", "previewed"))
APART: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    with gr.Row(equal_height=False, elem_id="train-columns"):
        with gr.Column(scale=2, min_width=340, elem_id="train-form"):
            filled = part("form")
            upload = gr.UploadButton(
                label("Upload a zip of images and masks"), file_types=[".zip"], size="sm", elem_id="zip"
            )
        with gr.Column(scale=5, min_width=480):
            gr.HTML(SIDE, apply_default_css=False, elem_classes="slots")
            gr.HTML(SLOTS, apply_default_css=False, elem_classes="slots")
    for event, name, options in (
        (filled.submit, "begin", QUIET),
        (filled.select, "look", APART | {"concurrency_id": "look", "concurrency_limit": 2, "trigger_mode": "multiple"}),
    ):
        answer = ear(f"form-{name}")
        heard(event(later(f"train.{name}", "event", "request"), None, answer, **options), "form", answer)
    for kind, name, options in (
        ("input", "foresee", QUIET),
        ("edit", "measure", APART | {"concurrency_id": "plan", "concurrency_limit": 1}),
    ):
        answer = ear(f"form-{name}")
        heard(latest(filled, kind, later(f"train.{name}", "data", "request"), answer, **options), "form", answer)
    answer, carrier = ear("form-upload"), ear("form-carrier")
    js = "file => [file, JSON.stringify(seglab.state())]"
    sending = APART | {"js": js, "concurrency_id": "look", "trigger_mode": "once"}
    accept = later("train.accept", "file", "data", "request")
    heard(upload.upload(accept, [upload, carrier], answer, **sending), "form", answer)


def travel(page: gr.Blocks, listed: gr.HTML) -> None:
    """Builds the part by which runs leave this machine and come back; the list of runs picks one to take."""
    title = label("Take a run away, bring one back")
    with gr.Accordion(title, open=False, elem_id="travel") as part, gr.Row(equal_height=False):
        with gr.Column(min_width=260):
            run = gr.Dropdown(
                [],
                value=None,
                label=label("Finished run"),
                elem_id="travel-run",
                allow_custom_value=True,  # Gradio's own copy of the choices can lag behind the page's
            )
            names = gr.Checkbox(label=label("With the names of images"), visible=False, elem_id="travel-names")
            pictures = gr.Checkbox(label=label("With masks and predictions"), visible=False, elem_id="travel-pictures")
            leaving = gr.HTML(apply_default_css=False, elem_id="travel-leaving")
            make = gr.Button(label("Make a zip"), elem_id="travel-make", visible=False, size="md")
            file = gr.DownloadButton(visible=False, variant="primary", elem_id="travel-file", size="md")
        with gr.Column(min_width=260):
            hint = gr.HTML(apply_default_css=False, elem_id="travel-hint")
            upload = gr.UploadButton(label("Bring a run back"), file_types=[".zip"], elem_id="travel-upload", size="md")
            said = gr.HTML(apply_default_css=False, elem_id="travel-said")
    picked, made = [run, names, pictures], [leaving, file]
    told_of = later("travel.told_of", "name", "names", "pictures", "request"), picked, made
    gr.on([page.load], later("travel.hint", "request"), None, hint, **QUIET)
    part.expand(later("travel.offered", "name"), run, run, **QUIET)
    listed.click(later("travel.chosen", "event"), None, [part, run], **QUIET)
    questions = run.change(later("travel.questions", "name"), run, [names, pictures, make], **QUIET)
    questions.then(*told_of, **QUIET)
    gr.on([names.input, pictures.input], *told_of, **QUIET)
    minimal = QUIET | {"queue": True, "show_progress": "minimal", "concurrency_id": "travel", "concurrency_limit": 1}
    make.click(later("travel.packed", "name", "names", "pictures", "request"), picked, made, **minimal)
    came = ear("came")
    heard(upload.upload(later("travel.arrived", "file", "request"), upload, [said, came], **minimal), "begun", came)
