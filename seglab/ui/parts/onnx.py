"""A run's model as an ONNX file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import export, runs
from seglab.errors import SeglabError
from seglab.ui import views
from seglab.ui.board import BOARD
from seglab.ui.text import language, render, say, told
from seglab.ui.wires import sent

FILES: dict[tuple[Path, tuple[int, ...]], export.OnnxFile] = {}  # by the run and the version of its weights


def onnx(event: gr.EventData, request: gr.Request) -> Iterator[list[Any]]:
    """Makes the ONNX file of the run of a pressed button; gives what is told of it, the button that has it, and that it
    is over."""
    lang = language(request)
    try:
        directory = BOARD.found(str(sent(event).get("run")))
        name = f"{directory.name}.onnx"
        text = say("Making {file} and comparing it with the model …", lang, file=name)
        yield [render("message.html", lang, text=text, kind="note"), gr.DownloadButton(visible=False), ""]
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
            "".join(render("message.html", lang, text=text, kind=kind) for text, kind in messages),
            gr.DownloadButton(
                say("Download {file} ({size} MB)", lang, file=name, size=size), str(made.file), visible=True
            ),
            "true",
        ]
    except SeglabError as error:
        yield [views.refusal(error, lang), gr.DownloadButton(visible=False), "true"]


def onnx_file(directory: Path, name: str) -> export.OnnxFile:
    """The run's file, made by a process of its own, or again the one that was made for somebody before."""
    key = directory, runs.weights_version(directory)
    if key not in FILES or not FILES[key].file.exists():  # the broom has it after half an hour
        folder = tempfile.mkdtemp(dir=os.environ.get("GRADIO_TEMP_DIR"))
        FILES[key] = export.exported_apart(directory.resolve(), Path(folder) / name)
    return FILES[key]
