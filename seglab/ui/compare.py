"""The Compare tab: finished runs side by side."""

from __future__ import annotations

import contextlib
import itertools
import os
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import export, plans, runs
from seglab.comparison import cautions
from seglab.errors import SeglabError
from seglab.ui import views
from seglab.ui.text import language, say, told

TELL_ROW = """element.addEventListener('click', event => {
  const button = event.target.closest('button.act');
  if (!button) return;
  element.querySelectorAll('button.act').forEach(each => each.disabled = true);
  trigger('click', {run: button.dataset.run});
});"""
FREE_ROWS = """() => {
  document.querySelectorAll('#compare-scores button.act').forEach(each => each.disabled = false);
  document.querySelector('#exported').scrollIntoView({block: 'nearest'});
}"""


def build(tab: gr.Tab) -> None:
    """Builds the tab in the Blocks at hand."""
    picked = views.run_picker("Runs and shipped checkpoints", "compare-runs")
    message = gr.HTML(apply_default_css=False, elem_id="compare-message")
    curves = gr.HTML(apply_default_css=False, elem_id="compare-curves")
    exported = gr.HTML(apply_default_css=False, elem_id="exported")
    file = gr.DownloadButton(visible=False, variant="primary", size="sm", elem_id="onnx-file")
    scores = gr.HTML(apply_default_css=False, elem_id="compare-scores", js_on_load=TELL_ROW)
    picked.change(show, picked, [message, curves, scores], **views.QUIET)
    scores.click(
        onnx,
        None,
        [exported, file],
        show_progress="hidden",
        api_visibility="private",
        concurrency_id="onnx",
        concurrency_limit=1,
    ).then(None, None, None, js=FREE_ROWS)
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
        choices=choices(known, language(request)),
        value=shipped or [directory.name for directory in known[:3]],
        multiselect=True,
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
        return [warnings, views.curves(stamped, lang).picture, views.scoreboard(stamped, lang)]
    except SeglabError as error:
        return [views.refusal(error, lang), "", ""]


# --- a run's model as a file

FILES: dict[tuple[Path, tuple[int, ...]], export.OnnxFile] = {}  # by the run and the version of its weights


def onnx(event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
    """Makes the ONNX file of the run of a pressed button; gives what is told of it, and the button that has it."""
    lang = language(request)
    try:
        directory = next((directory for directory in trained() if directory.name == event.run), None)
        if directory is None:
            raise SeglabError("there is no run {run}", run=repr(str(event.run)))
        name = f"{directory.name}.onnx"
        text = say("Making {file} and comparing it with the model …", lang, file=name)
        yield [views.render("message.html", lang, text=text, kind="note"), gr.DownloadButton(visible=False)]
        made = onnx_file(directory, name)
        text = say(
            "{file} takes images {width} pixels wide and {height} high. On a test image it gives the same class as the "
            "model for {equal} of {pixels} pixels.",
            lang,
            file=name,
            height=made.size[0],
            width=made.size[1],
            equal=f"{made.equal:,}",
            pixels=f"{made.pixels:,}",
        )
        messages = [(text, "right"), *([(told(made.note, lang), "note")] if made.note else [])]
        size = f"{made.file.stat().st_size / 1e6:.1f}"
        yield [
            "".join(views.render("message.html", lang, text=text, kind=kind) for text, kind in messages),
            gr.DownloadButton(
                say("Download {file} ({size} MB)", lang, file=name, size=size), str(made.file), visible=True
            ),
        ]
    except SeglabError as error:
        yield [views.refusal(error, lang), gr.DownloadButton(visible=False)]


def onnx_file(directory: Path, name: str) -> export.OnnxFile:
    """The run's file, made by a process of its own, or again the one that was made for somebody before."""
    key = directory, runs.weights_version(directory)
    if key not in FILES or not FILES[key].file.exists():  # the broom has it after half an hour
        folder = tempfile.mkdtemp(dir=os.environ.get("GRADIO_TEMP_DIR"))
        FILES[key] = export.exported_apart(directory.resolve(), Path(folder) / name)
    return FILES[key]
