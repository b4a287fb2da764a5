"""The page: its head, its tabs, and how it is served."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import Any

import gradio as gr
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware

from seglab import draw, jobs, plugins, runs
from seglab.jobs import zerogpu
from seglab.ui import guard, routes, text, views
from seglab.ui.parts import runlist, travel
from seglab.ui.tabs import compare, predict, start, train
from seglab.ui.wires import part

HEAD = """<script>window.seglab = {{early: [], lines: {lines}, mount(...each) {{ this.early.push(each); }}}};</script>
<link rel="stylesheet" href="{base}style.css"><script type="module" src="{base}page.js"></script>"""
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def build() -> gr.Blocks:
    """The page with its tabs, and the list of runs that they share."""
    with gr.Blocks(title="seglab", analytics_enabled=False, delete_cache=None) as page:
        part("header", value=views.render("header.html", "en", languages=text.languages()))
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(text.label("Start", context="tab"), id="start", elem_id="tab-start"):
                start.build()
            with gr.Tab(text.label("Train"), id="train", elem_id="tab-train"):
                train.build()
            with gr.Tab(text.label("Predict"), id="predict", elem_id="tab-predict"):
                predict.build()
            with gr.Tab(text.label("Compare"), id="compare", elem_id="tab-compare"):
                compare.build()
        listed = runlist.build()
        part("curves")
        part("masks")
        travel.build(listed)
    return page


def head() -> str:
    """The scripts and styles, at addresses that browsers keep for good."""
    return HEAD.format(lines=list(draw.LINES), base=f"{routes.BASE}/assets/{routes.version()}/")


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
    host = options.get("server_name") or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]
    if host not in LOOPBACK:
        os.environ.setdefault("SEGLAB_SHARED", "1")
    jobs.limits()  # a mistake in SEGLAB_LIMITS is told now
    guard.refuse_bombs()
    guard.Broom(guard.private_folder()).start()
    jobs.Worker(jobs.ZeroGPU() if zerogpu.LENDS else None).start()
    jobs.Keeper().start()
    page = build()
    page.queue(max_size=64, default_concurrency_limit=1, api_open=False)
    hosts = guard.allowed_hosts(host)
    middleware = [Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5), Middleware(guard.Guard, hosts=hosts)]
    settings: dict[str, Any] = {
        "i18n": text.browser_texts(),
        "theme": gr.themes.Soft(primary_hue="indigo", font=["ui-sans-serif", "system-ui", "NanumGothic", "sans-serif"]),
        "head": head(),
        "max_file_size": "30mb",
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "ssr_mode": False,
        "share": False,
        "allowed_paths": [],
        "blocked_paths": [str(runs.home()), os.environ.get("SEGLAB_DATA") or str(runs.home())],
        "state_session_capacity": 100,  # of pages; nothing of theirs is kept here
        "max_threads": 16,
        "strict_cors": True,
        "footer_links": [],
        "prevent_thread_lock": True,
        "app_kwargs": {"middleware": middleware, "routes": list(routes.ROUTES)},
    }
    page.launch(**settings | options)
    return page
