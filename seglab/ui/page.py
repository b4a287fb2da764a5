"""The page: its head, its tabs, and how it is served.

It is served before torch is imported, which takes longer than all the rest: nothing that is imported up here needs it.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.routing import Mount, Route

from seglab import draw, places
from seglab.ui import assets, guard, text
from seglab.ui.tabs import compare, learn, predict, start, train
from seglab.ui.wires import IMPORTED, LATER, QUIET, ear, heard, imported, later, part

HEAD = """<script>window.seglab = {{
  early: [],
  lines: {lines},
  mount(...each) {{ this.early.push(each); }},
  dark() {{  // whether the page is to be: as its address says, as the visitor chose, or as all else on their machine
    const asked = new URLSearchParams(location.search).get("__theme");
    let kept = null;
    try {{ kept = localStorage.getItem("seglab-dark"); }} catch {{ /* this browser keeps nothing */ }}
    return asked ? asked === "dark" : kept ? kept === "true" : matchMedia("(prefers-color-scheme: dark)").matches;
  }},
}};
{{  // a link to a lesson, ?lesson=a&class=K7QF, is the tab with it: #learn?lesson=a&class=K7QF
  const given = new URLSearchParams(location.search), own = new URLSearchParams();
  for (const name of ["lesson", "step", "present", "teach", "class"])
    if (given.has("lesson") && given.get(name) !== null) own.set(name, given.get(name) || "1");
  for (const name of own.keys()) given.delete(name);
  const query = given.size ? "?" + given : "";
  if (own.size) history.replaceState(null, "", `${{location.pathname}}${{query}}#learn?${{own}}`);
}}</script>
{styles}<script type="module" src="{base}page.js"></script>
{modules}"""
STYLES = '<link rel="stylesheet" href="{base}style.css"><link rel="stylesheet" href="{base}learn.css">'
LOOPBACK = ("127.0.0.1", "localhost", "::1")


def build() -> gr.Blocks:
    """The page with its tabs, and the list of runs that they share."""
    with gr.Blocks(title="seglab", analytics_enabled=False, delete_cache=None) as page:
        part("header", value=text.render("header.html", "en", languages=text.languages()))
        with gr.Tabs(elem_id="tabs"):
            with gr.Tab(text.label("Start", context="tab"), id="start", elem_id="tab-start"):
                start.build()
            with gr.Tab(text.label("Learn"), id="learn", elem_id="tab-learn"):
                learn.build()
            with gr.Tab(text.label("Train"), id="train", elem_id="tab-train"):
                train.build()
            with gr.Tab(text.label("Predict"), id="predict", elem_id="tab-predict"):
                predict.build()
            with gr.Tab(text.label("Compare"), id="compare", elem_id="tab-compare"):
                compare.build()
        listed = runlist()  # outside the tabs, among which its script moves it
        part("curves")
        part("masks")
        train.travel(page, listed)
    return page


def runlist() -> gr.HTML:
    """The list of runs that every tab shares."""
    listed, answer, greeted = part("runs"), ear("runs"), ear("greeting")
    act, greet = (later(f"runlist.{name}", "event", "request") for name in ("act", "greet"))
    heard(listed.click(act, None, answer, trigger_mode="multiple", **QUIET), "runs", answer)
    heard(listed.submit(greet, None, greeted, **QUIET), "greeting", greeted)
    return listed


def head() -> str:
    """The scripts and styles, at addresses that browsers keep for good."""
    base = assets.address("")
    scripts = [assets.address(name) for name in sorted(assets.assets()) if name.endswith(".js") and name != "page.js"]
    modules = "".join(f'<link rel="modulepreload" href="{script}" fetchpriority="low">' for script in scripts)
    return HEAD.format(lines=list(draw.LINES), base=base, styles=STYLES.format(base=base), modules=modules)


async def addresses(scope: Any, receive: Any, send: Any) -> None:
    """What has an address and comes with torch, as an ASGI app."""
    if "routes" not in IMPORTED:
        await run_in_threadpool(imported, "routes")
    await IMPORTED["routes"].ROUTER(scope, receive, send)


ROUTES = [
    Route(f"/{assets.BASE}/assets/{{version}}/{{name:path}}", assets.asset),
    Route(f"/{assets.BASE}/start", start.content),
    Mount(f"/{assets.BASE}", addresses),
]


def launch(**options: Any) -> gr.Blocks:
    """Serves the page and works through the queue for as long as the program runs; `options` go to Gradio's launch.

    Where runs cannot be written it says so, here and on the page: those that are there can still be looked at.
    """
    host = options.get("server_name") or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]
    if host not in LOOPBACK:
        os.environ.setdefault("SEGLAB_SHARED", "1")
    os.environ.setdefault("SEGLAB_HUB", "0")  # whatever visitors name: nothing is asked of the hub unless that is said
    # A mistake in the limits is to be told before anything is served, and ZeroGPU wants to see functions by then.
    early = bool(os.environ.get("SEGLAB_LIMITS") or os.environ.get("SPACES_ZERO_GPU"))
    guard.refuse_bombs()
    folder = guard.private_folder()
    if early:
        begin(folder)
    page = build()
    page.queue(max_size=64, default_concurrency_limit=1, api_open=False)
    page.launch(**settings(host) | options)
    if not early:
        begin(folder)
    with contextlib.suppress(ValueError):  # not in the main thread: whoever runs it there ends it
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that uploads are deleted then too
    return page


def settings(host: str) -> dict[str, Any]:
    """What Gradio's launch is given."""
    middleware = [
        Middleware(GZipMiddleware, minimum_size=1000, compresslevel=5),
        Middleware(guard.Guard, hosts=guard.allowed_hosts(host), head=head(), first=start.html),
    ]
    home = str(places.home())
    return {
        "i18n": text.browser_texts(),
        "theme": gr.themes.Soft(primary_hue="indigo", font=["ui-sans-serif", "system-ui", "NanumGothic", "sans-serif"]),
        "head": STYLES.format(base=assets.address("")),  # once more, after Gradio's own, which they change
        "max_file_size": "30mb",
        "show_error": False,
        "run_history": False,
        "enable_monitoring": False,
        "mcp_server": False,
        "ssr_mode": False,
        "share": False,
        "allowed_paths": [],
        "blocked_paths": [home, os.environ.get("SEGLAB_DATA") or home],
        "state_session_capacity": 100,  # of pages; nothing of theirs is kept here
        "max_threads": 16,
        "strict_cors": True,
        "footer_links": [],
        "prevent_thread_lock": True,
        "app_kwargs": {"middleware": middleware, "routes": ROUTES},
    }


def begin(folder: Path) -> None:
    """Brings in what comes with torch and begins to work through the queue; tells of what cannot be used. Raises
    SeglabError for a mistake in SEGLAB_LIMITS or SEGLAB_ON."""
    for module in ("routes", *sorted(LATER)):
        imported(module)
    from seglab import jobs, plugins
    from seglab.jobs import zerogpu
    from seglab.ui import broom, views

    for problem in (*filter(None, [views.unwritable()]), *plugins.PROBLEMS):
        print(f"seglab: warning: {problem}", file=sys.stderr)
    jobs.limits(), jobs.chosen()
    broom.Broom(folder).start()
    (jobs.Worker(jobs.ZeroGPU()) if zerogpu.LENDS else jobs.queue_worker()).start()
    jobs.Keeper().start()
