"""The Train tab: the form, what it says of models, data and schedules, the start of runs, and how runs travel."""

from __future__ import annotations

import os
from importlib.util import find_spec
from typing import Any

import gradio as gr
from gradio.utils import get_space

from seglab import hub
from seglab.places import shared
from seglab.ui.text import label
from seglab.ui.wires import QUIET, ear, heard, later, latest, part

SLOTS = "".join(f'<div class="{name}-slot" data-tab="train"></div>' for name in ("runs", "curves", "masks"))
# What the form shows of models and data where there is room for it
SIDE = "".join(f'<div class="side {name}"></div>' for name in ("cards", "surveyed", "previewed"))
# What asks the hub: one visitor's at a time, so that nobody fills this machine's memory or its line
ASKING: dict[str, Any] = {
    "show_progress": "minimal",
    "api_visibility": "private",
    "concurrency_id": "hub",
    "concurrency_limit": 1,
}
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
            if hub.on_page() and (has_logins() or not shared()):
                put_on_hub(page, [run, names, pictures])
        with gr.Column(min_width=260):
            hint = gr.HTML(apply_default_css=False, elem_id="travel-hint")
            upload = gr.UploadButton(label("Bring a run back"), file_types=[".zip"], elem_id="travel-upload", size="md")
            said = gr.HTML(apply_default_css=False, elem_id="travel-said")
            if hub.on_page():
                open_from_hub()
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


def has_logins() -> bool:
    """Whether visitors can log in with their account of the hub: on a Space whose front matter says `hf_oauth`."""
    packages = all(find_spec(name) for name in ("authlib", "itsdangerous"))
    return bool(packages and get_space() and os.environ.get("OAUTH_CLIENT_ID"))


def put_on_hub(page: gr.Blocks, picked: list[Any]) -> None:
    """Builds what puts the picked run on the hub."""
    if has_logins():
        account = gr.HTML(apply_default_css=False, elem_id="hub-account")
        gr.LoginButton(visible=False)  # without one, Gradio has no addresses to log in at
        gr.on([page.load], later("hub.account", "profile", "request"), None, account, **QUIET)
    repository = gr.Textbox(label=label("Where on the Hugging Face Hub"), placeholder="OWNER/NAME", elem_id="hub-to")
    private = gr.Checkbox(True, label=label("Only I can see it there"), elem_id="hub-private")
    put = gr.Button(label("Put it on the hub"), elem_id="hub-put", size="md")
    said = gr.HTML(apply_default_css=False, elem_id="hub-put-said")
    handler = later("hub.put", "name", "names", "pictures", "repository", "private", "token", "request")
    gr.on([put.click, repository.submit], handler, [*picked, repository, private], said, **ASKING)


def open_from_hub() -> None:
    """Builds what opens a run of the hub."""
    named = gr.Textbox(label=label("A run on the Hugging Face Hub"), placeholder="hf:OWNER/NAME", elem_id="hub-from")
    fetch = gr.Button(label("Open it"), elem_id="hub-open", size="md")
    said, came = gr.HTML(apply_default_css=False, elem_id="hub-said"), ear("hub-came")
    handler = later("hub.opened", "named", "request")
    heard(gr.on([fetch.click, named.submit], handler, named, [said, came], **ASKING), "begun", came)
