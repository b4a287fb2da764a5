"""The part of the page, under every tab, by which runs leave this machine and come back."""

from __future__ import annotations

import json
import os
import secrets
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import runs, travel, zips
from seglab.architectures.adopted import Adopted
from seglab.errors import SeglabError
from seglab.runs import listing
from seglab.ui import views
from seglab.ui.parts.runlist import trained
from seglab.ui.text import language, render, say, told
from seglab.ui.wires import sent


def hint(request: gr.Request) -> str:
    """What may be brought."""
    return render(
        "hint.html",
        language(request),
        text="Takes a zip of up to 30 MB that was made here or by seglab ship. Nothing in it is executed.",
    )


def finished() -> list[Path]:
    """The runs that can be taken away: those that are over, without networks of others, whose weights stay."""
    over = [directory for directory in trained() if runs.status(directory).over]
    return [directory for directory in over if listing.model_of(directory) != Adopted.name]


def offered(name: str | None) -> Any:
    """The finished runs as they are now; the first is picked where none was."""
    known = finished()
    return gr.Dropdown(choices=views.named(known), value=name or (known[0].name if known else None))


def chosen(event: gr.EventData) -> list[Any]:
    """Opens the part with the run of a pressed button picked; other buttons have other uses."""
    if sent(event).get("action") != "take":
        return [gr.skip(), gr.skip()]
    known = finished()
    name = next((directory.name for directory in known if directory.name == sent(event).get("run")), None)
    return [gr.Accordion(open=True), gr.Dropdown(choices=views.named(known), value=name)]


def found(name: Any) -> Path:
    """The directory of a run on offer; a name that only the page made up is refused, paths above all."""
    directory = next((directory for directory in finished() if directory.name == name), None)
    if directory is None:
        raise SeglabError("there is no run {run}", run=repr(name))
    return directory


def questions(name: str | None) -> list[Any]:
    """Asks for names and pictures where they would stay otherwise, each time anew; shows the button where there is
    something to take."""
    try:
        directory = found(name)
        most = runs.manifest(directory, True, True)
    except SeglabError:
        return [gr.Checkbox(visible=False, value=False)] * 2 + [gr.Button(visible=bool(name))]
    return [
        gr.Checkbox(visible=most.private and most.names, value=False),
        gr.Checkbox(visible=most.private and most.pictures, value=False),
        gr.Button(visible=True),
    ]


def told_of(name: str | None, names: bool, pictures: bool, request: gr.Request) -> list[Any]:
    """What would leave this machine; a zip that was made before was of something else."""
    lang = language(request)
    if not name:
        return ["", gr.DownloadButton(visible=False)]
    try:
        texts = [told(each, lang) for each in travel.leaving(found(name), bool(names), bool(pictures))]
    except SeglabError as error:
        return [views.refusal(error, lang), gr.DownloadButton(visible=False)]
    return [render("leaving.html", lang, texts=texts), gr.DownloadButton(visible=False)]


def packed(name: str | None, names: bool, pictures: bool, request: gr.Request) -> list[Any]:
    """Makes the zip, among the files that are swept after half an hour, and the button that fetches it."""
    lang = language(request)
    folder = Path(os.environ.get("GRADIO_TEMP_DIR") or tempfile.gettempdir()) / secrets.token_hex(16)
    try:
        directory = found(name)
        with runs.writing(folder):
            folder.mkdir(mode=0o700, parents=True)
            travel.take(directory, folder / f"{directory.name}.zip", bool(names), bool(pictures))
    except SeglabError as error:
        return [views.refusal(error, lang), gr.DownloadButton(visible=False)]
    file = folder / f"{directory.name}.zip"
    text = say("Download {file} ({size} MB)", lang, file=file.name, size=f"{file.stat().st_size / 2**20:.1f}")
    return [gr.skip(), gr.DownloadButton(text, value=str(file), visible=True)]


def arrived(file: str, request: gr.Request) -> list[Any]:
    """Takes in the run of a zip; gives what is told of it, and its name for the list of runs."""
    lang = language(request)
    try:
        runs.refuse_no_room(2 * Path(file).stat().st_size)
        directory, notes = runs.bring(Path(file), most_bytes=zips.MOST_BYTES)
    except SeglabError as error:
        return [views.refusal(error, lang), ""]
    text = say("{run} is here now, also in Predict and Compare.", lang, run=directory.name)
    return [messages(text, notes, lang), json.dumps({"runs": [directory.name]})]


def messages(text: str, notes: Sequence[SeglabError], lang: str) -> str:
    """What has been done, and what a person should know of it."""
    said = [(text, "right"), *((told(note, lang), "note") for note in notes)]
    return "".join(render("message.html", lang, text=each, kind=kind) for each, kind in said)
