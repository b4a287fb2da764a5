"""The Compare tab: finished runs side by side."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from seglab import runs
from seglab.entry import SeglabError
from seglab.ui import views
from seglab.ui.text import language, told

DIFFERENT = "These runs were scored on different images: their scores cannot be compared."
LEAKING = "Some runs build on weights trained on the images they are validated on: their scores are too high."
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}


def build(tab: gr.Tab) -> None:
    """Builds the tab in the Blocks at hand."""
    picked = views.run_picker("Runs and shipped checkpoints", "compare-runs")
    message = gr.HTML(apply_default_css=False, elem_id="compare-message")
    curves = gr.HTML(apply_default_css=False, elem_id="compare-curves")
    scores = gr.HTML(apply_default_css=False, elem_id="compare-scores")
    picked.change(show, picked, [message, curves, scores], **QUIET)
    tab.select(offered, None, picked, **QUIET)  # runs may have begun since the page was opened
    gr.on([gr.context.Context.root_block.load], first, None, picked, **QUIET)


def trained() -> list[Path]:
    """The runs that have been scored at least once, newest first, then the shipped ones."""
    return [directory for directory in runs.every() if (directory / "weights.safetensors").exists()]


def offered() -> Any:
    """The dropdown's runs as they are now; what the visitor has picked meanwhile stays picked."""
    return gr.Dropdown(choices=views.named(trained()))


def first() -> Any:
    """A new page shows the shipped runs."""
    known = trained()
    shipped = [directory.name for directory in known if directory.parent == runs.CHECKPOINTS]
    return gr.Dropdown(choices=views.named(known), value=shipped or [directory.name for directory in known[:3]])


def show(names: list[str] | None, request: gr.Request) -> list[str]:
    lang = language(request)
    if not names:
        return [views.render("hint.html", lang, text="Pick two or more runs."), "", ""]
    try:
        known = {directory.name: directory for directory in trained()}
        stamped = views.stamp([known[name] for name in names if name in known])
        comparison = views.compared(stamped)
        leaking = any(row.leak for row in comparison.rows)
        texts = [*([] if comparison.comparable else [DIFFERENT]), *([LEAKING] if leaking else [])]
        warnings = "".join(views.render("hint.html", lang, text=text, kind="warning") for text in texts)
        return [warnings, views.curves(stamped, lang), views.scoreboard(stamped, lang)]
    except SeglabError as error:
        return [views.render("message.html", lang, text=told(error, lang), kind="wrong"), "", ""]
