"""The Compare tab: runs side by side, and a model as a file."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seglab.ui.tabs.predict import APART, PREDICTING
from seglab.ui.wires import HEARD, ear, heard, later, latest, part

RUNS = '<div class="runs-slot" data-tab="compare"></div>'
READING: dict[str, Any] = {"concurrency_id": "readings", "concurrency_limit": 1}
SEARCHING: dict[str, Any] = {"concurrency_id": "searches", "concurrency_limit": 1}  # of minutes each
SLOTS = "".join(f'<div class="{name}-slot" data-tab="compare"></div>' for name in ("curves", "masks"))


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    gr.HTML(RUNS, apply_default_css=False, elem_classes="slots")
    laboratory, computed = part("lab"), ear("lab")
    computing = laboratory.click(
        later("lab.compute", "event", "request", stream=True),
        None,
        computed,
        trigger_mode="multiple",  # one that has just ended may still count as being at work
        **APART | READING,
    )
    counting = laboratory.select(
        later("lab.count_borders", "event", "request", stream=True),
        None,
        computed,
        show_progress="hidden",
        api_visibility="private",
        trigger_mode="multiple",  # two others can be chosen meanwhile
        concurrency_id="borders",
        concurrency_limit=4,
    )
    heard(computing, "lab", computed)
    heard(counting, "lab", computed)
    computed.change(None, computed, None, js=HEARD.format(part="lab"), api_visibility="private")  # how far it is
    refining(laboratory)
    gr.HTML(SLOTS, apply_default_css=False, elem_classes="slots")
    exported = gr.HTML(apply_default_css=False, elem_id="exported")
    file = gr.DownloadButton(visible=False, variant="primary", size="sm", elem_id="onnx-file")
    scores, over = part("scores"), ear("scores")
    made = scores.click(
        later("onnx.onnx", "event", "request", stream=True),
        None,
        [exported, file, over],
        show_progress="hidden",
        api_visibility="private",
        concurrency_id="onnx",
        concurrency_limit=1,
    )
    heard(made, "scores", over)


def refining(laboratory: gr.HTML) -> None:
    """The CRF's laboratory: an image with the setting that was chosen last, and the search for one."""
    refined, found = ear("lab-refined"), ear("lab-found")
    refine = later("refining.refine", "data", "request")
    heard(latest(laboratory, "change", refine, refined, **APART | PREDICTING), "lab", refined)
    searching = laboratory.submit(
        later("refining.search", "event", "request", stream=True), None, found, **APART | SEARCHING
    )
    heard(searching, "lab", found)
    found.change(None, found, None, js=HEARD.format(part="lab"), api_visibility="private")
