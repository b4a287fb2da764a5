"""The Compare tab: finished runs side by side."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import plans, runs
from seglab.comparison import cautions
from seglab.errors import SeglabError
from seglab.ui import views
from seglab.ui.text import language, say, told


def build(tab: gr.Tab) -> None:
    """Builds the tab in the Blocks at hand."""
    picked = views.run_picker("Runs and shipped checkpoints", "compare-runs")
    message = gr.HTML(apply_default_css=False, elem_id="compare-message")
    curves = gr.HTML(apply_default_css=False, elem_id="compare-curves")
    scores = gr.HTML(apply_default_css=False, elem_id="compare-scores")
    picked.change(show, picked, [message, curves, scores], **views.QUIET)
    tab.select(offered, None, picked, **views.QUIET)  # runs may have begun since the page was opened
    views.opening(first, None, picked)


def trained() -> list[Path]:
    """The runs that have been scored at least once, newest first, then the kept ones, of which all have, then those
    that come with seglab."""
    return [each for each in runs.every() if runs.is_kept(each) or (each / "weights.safetensors").exists()]


def whole() -> dict[str, list[Path]]:
    """The runs of each plan that have been scored, by the name of its file; plans without any are left out."""
    found = {}
    for path in plans.every():
        with contextlib.suppress(SeglabError):  # damaged
            directories = [directory for directory, _ in plans.members(path)]
            found[path.name] = [each for each in directories if (each / "weights.safetensors").exists()]
    return {name: directories for name, directories in found.items() if directories}


def choices(known: Sequence[Path], lang: str) -> list[tuple[str, str]]:
    """Every plan, which stands for its runs, then every run."""
    found = []
    for name, directories in whole().items():
        plan = runs.short_name(Path(name.removesuffix(runs.PLAN)))
        found.append((say("{plan}: {count} runs", lang, plan=plan, count=len(directories)), name))
    return found + views.named(known)


def offered(request: gr.Request) -> Any:
    """The dropdown's plans and runs as they are now; what the visitor has picked meanwhile stays picked."""
    return gr.Dropdown(choices=choices(trained(), language(request)))


def first(request: gr.Request) -> Any:
    """A new page shows the shipped runs."""
    known = trained()
    shipped = [directory.name for directory in known if directory.parent == runs.CHECKPOINTS]
    return gr.Dropdown(
        choices=choices(known, language(request)), value=shipped or [directory.name for directory in known[:3]]
    )


def show(names: list[str] | None, request: gr.Request) -> list[str]:
    lang = language(request)
    if not names:
        return [views.render("hint.html", lang, text="Pick two or more runs."), "", ""]
    try:
        known = whole() | {directory.name: [directory] for directory in trained()}
        picked = itertools.chain.from_iterable(known.get(name, ()) for name in names)
        stamped = views.stamp(list(dict.fromkeys(picked)))
        comparison = views.compared(stamped)
        texts = [told(caution, lang) for caution in cautions(comparison)]
        warnings = "".join(views.render("hint.html", lang, text=text, kind="warning") for text in texts)
        return [warnings, views.curves(stamped, lang), views.scoreboard(stamped, lang)]
    except SeglabError as error:
        return [views.refusal(error, lang), "", ""]
