"""How Python and the page's scripts hear each other: parts that a script fills, what it sends, what it is answered.

A page is built without its handlers, which come with torch: they are imported once it is served.
"""

from __future__ import annotations

import functools
import json
import logging
import threading
from collections.abc import Callable, Iterator
from importlib import import_module
from inspect import Parameter, Signature
from types import ModuleType
from typing import Any

import gradio as gr
from pydantic_core import from_json

from seglab.errors import SeglabError
from seglab.ui.text import language, told

Handler = Callable[..., Any]
log = logging.getLogger(__name__)

MOUNT = "seglab.mount({part!r}, element, trigger)"
QUIET: dict[str, Any] = {"queue": False, "show_progress": "hidden", "api_visibility": "private"}  # of an event
KINDS: dict[str, Any] = {  # by which Gradio knows what a handler is given
    "event": gr.EventData,
    "request": gr.Request,
    "profile": gr.OAuthProfile | None,
    "token": gr.OAuthToken | None,
}
LATER: set[str] = set()  # the modules of `parts` that have handlers of this page
IMPORTED: dict[str, ModuleType] = {}  # of those and others that come with torch, the ones that are there
importing = threading.RLock()
HEARD = "answer => seglab.heard({part!r}, answer)"
LATEST = "() => seglab.latest({part!r}, {kind!r})"


def part(name: str, **options: Any) -> gr.HTML:
    """A part of the page that a script fills; `seglab.mount` gets its element and how it sends what is done there."""
    return gr.HTML(apply_default_css=False, elem_id=name, js_on_load=MOUNT.format(part=name), **options)


def ear(name: str) -> gr.Textbox:
    """Where an answer arrives that a script is to hear, or what it sends waits: as text, of which nothing is ever taken
    for HTML."""
    return gr.Textbox(visible="hidden", elem_id=f"{name}-answer", label=name)


def heard(event: Any, name: str, answer: gr.Textbox) -> Any:
    """Has the script of a part hear an event's answer."""
    return event.then(None, answer, None, js=HEARD.format(part=name), api_visibility="private")


def latest(part: gr.HTML, kind: str, handler: Callable[..., Any], answer: gr.Textbox, **options: Any) -> Any:
    """Has a handler answer what a part sent last by events of one kind: of those that come while another is answered,
    only the last is asked. (Gradio's "always_last" alone would ask the first of all once more, since it keeps the data
    of the event that began; here they are read as the handler is called.)"""
    carrier, js = ear(f"{part.elem_id}-{kind}"), LATEST.format(part=part.elem_id, kind=kind)
    return getattr(part, kind)(handler, carrier, answer, js=js, trigger_mode="always_last", **options)


def later(place: str, *names: str, stream: bool = False) -> Callable[..., Any]:
    """The handler `module.function` among the page's parts, imported when it is first needed; `names` are those of its
    parameters, and `stream` says that it gives one answer after the other."""
    module, _, name = place.partition(".")
    LATER.add(f"parts.{module}")

    def handler(*given: Any) -> Any:
        return getattr(imported(f"parts.{module}"), name)(*given)

    def streaming(*given: Any) -> Any:
        yield from handler(*given)

    found: Any = streaming if stream else handler
    found.__name__, found.__qualname__ = name, place
    found.__signature__ = Signature([Parameter(each, Parameter.POSITIONAL_OR_KEYWORD) for each in names])
    found.__annotations__ = {each: KINDS[each] for each in names if each in KINDS}
    return found


def imported(module: str) -> ModuleType:
    """A module of the page that comes with torch; one thread at a time, or one might see half of it."""
    if module not in IMPORTED:
        with importing:
            IMPORTED[module] = import_module(f"seglab.ui.{module}")
    return IMPORTED[module]


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


def streamed(ends: str, about: Callable[[dict[str, Any]], dict[str, Any]] = lambda data: {}) -> Callable[..., Handler]:
    """Has a handler, which is given what the page sent, answer its dicts one after the other as JSON, and at last that
    it `ends`, with the sentence of whatever went wrong; with each what it is `about`, by which the page knows it."""

    def fence(handler: Callable[[dict[str, Any]], Iterator[dict[str, Any]]]) -> Handler:
        def answered(event: gr.EventData, request: gr.Request) -> Iterator[str]:
            data = sent(event)
            last = {"kind": ends} | about(data)
            try:
                for each in handler(data):
                    yield json.dumps(about(data) | each)
            except Exception as error:
                if not isinstance(error, SeglabError):
                    log.exception("%s failed", handler.__name__)
                last["error"] = told(SeglabError.of(error), language(request))
            yield json.dumps(last)

        answered.__name__, answered.__doc__ = handler.__name__, handler.__doc__  # its parameters are its own
        return answered

    return fence


def sent(given: gr.EventData | str | None) -> dict[str, Any]:
    """What a script sent, with an event or as JSON; a page may send anything."""
    try:
        data = from_json(given) if isinstance(given, str) else getattr(given, "_data", None)
    except ValueError:
        data = None
    return data if isinstance(data, dict) else {}
