"""The Learn tab: lessons, which its script draws from what the server knows of them."""

from __future__ import annotations

from seglab.ui.wires import QUIET, ear, heard, later, part


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    lessons, answer = part("learn"), ear("learn")
    started = lessons.click(later("learn.run", "event", "request"), None, answer, trigger_mode="multiple", **QUIET)
    heard(started, "learn", answer)
    made = lessons.submit(later("guests.make", "event", "request"), None, answer, trigger_mode="multiple", **QUIET)
    heard(made, "learn", answer)
