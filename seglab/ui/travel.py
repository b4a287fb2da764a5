"""The part of the Train tab by which runs leave this machine and come back."""

from __future__ import annotations

import os
import secrets
import tempfile
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import runs, travel, zips
from seglab.errors import SeglabError
from seglab.ui import compare, views
from seglab.ui.text import label, language, say, told

APART: dict[str, Any] = {"api_visibility": "private", "concurrency_id": "travel", "concurrency_limit": 1}


class Travel:
    """What is picked to be taken away, and what comes back; `brought` is the event of a run's coming."""

    def __init__(self) -> None:
        title = label("Take a run away, bring one back")
        with gr.Accordion(title, open=False, elem_id="travel") as self.part, gr.Row(equal_height=False):
            with gr.Column(min_width=260):
                self.run = gr.Dropdown(
                    [],
                    value=None,
                    label=label("Finished run"),
                    elem_id="travel-run",
                    allow_custom_value=True,  # Gradio's own copy of the choices can lag behind the page's
                )
                self.names = gr.Checkbox(label=label("With the names of images"), visible=False, elem_id="travel-names")
                self.pictures = gr.Checkbox(
                    label=label("With masks and predictions"), visible=False, elem_id="travel-pictures"
                )
                self.leaving = gr.HTML(apply_default_css=False, elem_id="travel-leaving")
                self.make = gr.Button(label("Make a zip"), elem_id="travel-make", visible=False, size="md")
                self.file = gr.DownloadButton(visible=False, variant="primary", elem_id="travel-file", size="md")
            with gr.Column(min_width=260):
                self.hint = gr.HTML(apply_default_css=False, elem_id="travel-hint")
                self.upload = gr.UploadButton(
                    label("Bring a run back"), file_types=[".zip"], elem_id="travel-upload", size="md"
                )
                self.said = gr.HTML(apply_default_css=False, elem_id="travel-said")

    def wire(self, table: gr.HTML, shown: gr.Dropdown) -> Any:
        """Connects the part with the table of runs, in which a button picks one, and with the runs shown; gives the
        event of a run's having come."""
        picked, made = [self.run, self.names, self.pictures], [self.leaving, self.file]
        asked = [self.names, self.pictures, self.make]
        views.opening(hint, None, self.hint)
        self.part.expand(offered, self.run, self.run, **views.QUIET)
        table.click(chosen, None, [self.part, self.run], **views.QUIET)
        self.run.change(questions, self.run, asked, **views.QUIET).then(told_of, picked, made, **views.QUIET)
        gr.on([self.names.input, self.pictures.input], told_of, picked, made, **views.QUIET)
        self.make.click(packed, picked, made, show_progress="minimal", **APART)
        return self.upload.upload(arrived, [self.upload, shown], [self.said, shown], show_progress="minimal", **APART)


def hint(request: gr.Request) -> str:
    """What may be brought."""
    return views.render(
        "hint.html",
        language(request),
        text="Takes a zip of up to 30 MB that was made here or by seglab ship. Nothing in it is executed.",
    )


def finished() -> list[Path]:
    """The runs that can be taken away."""
    return [directory for directory in compare.trained() if runs.status(directory).over]


def offered(name: str | None) -> Any:
    """The finished runs as they are now; the first is picked where none was."""
    known = finished()
    return gr.Dropdown(choices=views.named(known), value=name or (known[0].name if known else None))


def chosen(event: gr.EventData) -> list[Any]:
    """Opens the part with the run of a pressed button picked; other buttons have other uses."""
    if event.action != "take":
        return [gr.skip(), gr.skip()]
    known = finished()
    name = next((directory.name for directory in known if directory.name == event.run), None)
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
    return [views.render("leaving.html", lang, texts=texts), gr.DownloadButton(visible=False)]


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


def arrived(file: str, names: list[str] | None, request: gr.Request) -> list[Any]:
    """Takes in the run of a zip and shows it beside those that are shown; or says why not."""
    lang = language(request)
    try:
        travel.refuse_no_room(2 * Path(file).stat().st_size)
        directory, notes = travel.bring(Path(file), most_bytes=zips.MOST_BYTES)
    except SeglabError as error:
        return [views.refusal(error, lang), gr.skip()]
    text = say("{run} is here now, also in Predict and Compare.", lang, run=directory.name)
    messages = [(text, "right"), *((told(note, lang), "note") for note in notes)]
    said = "".join(views.render("message.html", lang, text=each, kind=kind) for each, kind in messages)
    own = [each for each in runs.every() if each.parent == runs.home()]
    return [said, gr.Dropdown(choices=views.named(own), value=[*(names or []), directory.name])]
