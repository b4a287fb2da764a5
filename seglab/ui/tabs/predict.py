"""The Predict tab: one picture, several models, before and after the CRF."""

from __future__ import annotations

from typing import Any

import gradio as gr

from seglab.ui.text import label
from seglab.ui.wires import ear, heard, later, latest, part

APART: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
PREDICTING: dict[str, Any] = {"concurrency_id": "predict", "concurrency_limit": 2}


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    seen = part("viewer")
    upload = gr.UploadButton(label("Upload a photo"), file_types=["image"], elem_id="predict-upload", size="sm")
    answer, accepted = ear("viewer"), ear("viewer-upload")
    painting = APART | PREDICTING
    predict, accept = later("viewer.predict", "data", "request"), later("viewer.accept", "path", "request")
    heard(latest(seen, "click", predict, answer, **painting), "viewer", answer)
    heard(upload.upload(accept, upload, accepted, **APART | {"concurrency_limit": 2}), "viewer", accepted)
