"""The page: one file for each tab, no machine learning."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

# Gradio reads these when it is imported: no calls home, and no statistics over all past events after each new one.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("GRADIO_ANALYTICS_CACHE_FREQUENCY", "1000000")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr
from starlette.middleware import Middleware

from seglab import jobs, plugins, runs
from seglab.jobs import zerogpu
from seglab.ui import compare, guard, predict, text, train, views

HERE = Path(__file__).parent


def build() -> gr.Blocks:
    """The page with its three tabs."""
    with gr.Blocks(title="seglab", analytics_enabled=False, delete_cache=None) as page:
        gr.HTML(views.render("header.html", "en", languages=text.languages()), elem_id="header")
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(text.label("Train"), id="train", elem_id="tab-train"):
                train.build()
            with gr.Tab(text.label("Predict"), id="predict", elem_id="tab-predict") as tab:
                predict.build(tab)
            with gr.Tab(text.label("Compare"), id="compare", elem_id="tab-compare") as tab:
                compare.build(tab)
    return page


def launch(**options: Any) -> gr.Blocks:
    """Serves the page and works through the queue for as long as the program runs; `options` go to Gradio's launch.

    Where runs cannot be written it says so, here and on the page: those that are there can still be looked at.
    """
    if problem := views.unwritable():
        print(f"seglab: warning: {problem}", file=sys.stderr)
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs it there ends it
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that uploads are deleted then too
    for problem in plugins.PROBLEMS:
        print(f"seglab: warning: {problem}", file=sys.stderr)
    guard.refuse_bombs()
    guard.Broom(guard.private_folder()).start()
    jobs.Worker(jobs.ZeroGPU() if zerogpu.LENDS else None).start()
    jobs.Keeper().start()
    page = build()
    page.queue(max_size=64, default_concurrency_limit=1, api_open=False)
    settings: dict[str, Any] = {
        "i18n": text.browser_texts(),
        "theme": gr.themes.Soft(primary_hue="indigo", font=["ui-sans-serif", "system-ui", "NanumGothic", "sans-serif"]),
        "head": f"<script>{(HERE / 'form.js').read_text(encoding='utf-8')}</script>",
        "css_paths": [HERE / "style.css"],
        "max_file_size": "30mb",
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "ssr_mode": False,
        "share": False,
        "allowed_paths": [],
        "blocked_paths": [str(runs.home()), os.environ.get("SEGLAB_DATA") or str(runs.home())],
        "state_session_capacity": 500,
        "max_threads": 16,
        "strict_cors": True,
        "footer_links": [],
        "prevent_thread_lock": True,
        "app_kwargs": {"middleware": [Middleware(guard.Guard)]},
    }
    page.launch(**settings | options)
    return page
