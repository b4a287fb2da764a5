"""The page: a view of runs, without machine learning of its own."""

from __future__ import annotations

import os

# Gradio reads these when it is imported: no calls home, and no statistics over all past events after each new one.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

from seglab.ui.page import build, launch

__all__ = ["build", "launch"]
