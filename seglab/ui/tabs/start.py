"""The Start tab: what segmentation is and what this page is for, in one picture."""

from __future__ import annotations

from seglab.ui.wires import part


def build() -> None:
    """Builds the tab in the Blocks at hand; its content is in the page's own document, before Gradio's."""
    part("start")
