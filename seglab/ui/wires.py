"""How Python and the page's scripts hear each other: parts that a script fills, what it sends, what it is answered."""

from __future__ import annotations

import functools
import json
import logging
from collections.abc import Callable
from typing import Any

import gradio as gr

from seglab.errors import SeglabError
from seglab.ui.text import language, told

Handler = Callable[..., str]
log = logging.getLogger(__name__)

MOUNT = "seglab.mount({part!r}, element, trigger)"
HEARD = "answer => seglab.heard({part!r}, answer)"


def part(name: str, **options: Any) -> gr.HTML:
    """A part of the page that a script fills; `seglab.mount` gets its element and how it sends what is done there."""
    return gr.HTML(apply_default_css=False, elem_id=name, js_on_load=MOUNT.format(part=name), **options)


def ear(name: str) -> gr.Textbox:
    """Where an answer arrives that a script is to hear: as text, of which nothing is ever taken for HTML."""
    return gr.Textbox(visible="hidden", elem_id=f"{name}-answer", label=name)


def heard(event: Any, name: str, answer: gr.Textbox) -> Any:
    """Has the script of a part hear an event's answer."""
    return event.then(None, answer, None, js=HEARD.format(part=name), api_visibility="private")


def fenced(handler: Handler) -> Handler:
    """Answers whatever goes wrong in a handler with a sentence, as JSON {"failed": ...}, which the page shows: what a
    page sends may be anything, and a handler that raised would leave it waiting."""

    @functools.wraps(handler)
    def answered(*given: Any) -> str:
        try:
            return handler(*given)
        except Exception as error:
            lang = language(next((each for each in given if isinstance(each, gr.Request)), None))
            if not isinstance(error, SeglabError):
                log.exception("%s failed", handler.__name__)
            return json.dumps({"failed": told(SeglabError.of(error), lang)})

    return answered


def sent(event: gr.EventData) -> dict[str, Any]:
    """What a script sent; a page may send anything."""
    data = getattr(event, "_data", None)
    return data if isinstance(data, dict) else {}
