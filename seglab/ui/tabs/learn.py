"""The Learn tab: lessons, which its script draws from what the server knows of them."""

from __future__ import annotations

from seglab.ui.tabs.predict import APART, PREDICTING
from seglab.ui.wires import QUIET, ear, heard, later, latest, part


def build() -> None:
    """Builds the tab in the Blocks at hand."""
    lessons, answer = part("learn"), ear("learn")
    started = lessons.click(later("live.run", "event", "request"), None, answer, trigger_mode="multiple", **QUIET)
    heard(started, "learn", answer)
    refined = ear("learn-refined")
    refine = later("refining.refine", "data", "request")
    heard(latest(lessons, "change", refine, refined, **APART | PREDICTING), "learn", refined)
    made = lessons.submit(later("guests.make", "event", "request"), None, answer, trigger_mode="multiple", **QUIET)
    heard(made, "learn", answer)
