"""A page without a browser: what its visitors ask, what its scripts send, and what they hear."""

from __future__ import annotations

import json
import re
from typing import Any

from seglab import runs
from seglab.ui import form
from seglab.ui.board import Board
from tests.conftest import finish, tiny


class Request:
    """A visitor's request, as handlers and addresses get it."""

    session_hash = "session"

    def __init__(self, lang: str = "en"):
        self.query_params: dict[str, str] = {}
        self.headers = {"accept-language": lang}


class Event:
    """What a script sent with an event."""

    def __init__(self, data: Any = None, **given: Any):
        self._data = given if data is None else data


def latest(**given: Any) -> str:
    """What a script sent last, where only that counts."""
    return json.dumps(given)


ADA, BOB = ({"token": letter * 32, "nickname": name} for letter, name in (("a", "Ada"), ("b", "Bob")))


def done(name, **options):
    return finish(runs.create(tiny(**options), name))


def heard(answer: str) -> Any:
    """What a script hears."""
    return json.loads(answer)


# --- the form's own script, form.js


def number(text: str) -> float | int | None:
    """A text as JavaScript's Number has it, and JSON after it; an empty one is no number."""
    if text == "":
        return None
    return int(value) if (value := float(text)).is_integer() else value


def first(option) -> Any:
    """What the field of an option holds at first."""
    return number(option["shown"]) if option["kind"] in ("number", "slider") else option["value"]


def put(option, text: str) -> Any:
    """What the field of an option holds once an address has filled it."""
    if option["varies"] and "," in text:
        return {"vary": ", ".join(text.split(","))}
    if option["kind"] == "switch":
        return {"true": True, "false": False}[text]
    if option["kind"] == "choice":
        return next(each for each in option["choices"] if str(each).lower() == text.lower())
    return number(text) if option["kind"] in ("number", "slider") else text


def state(given: dict[str, str] | None = None, **more: Any) -> dict[str, Any]:
    """What form.js sends once an address has filled the form, such as {"model": "unet,segnet", "epochs": "3"}; `more`
    is sent in the place of what it would send."""
    pickers = {**form.pickers(), "plan": form.plan_picker()}
    picked = {field: list(picker.picked) for field, picker in pickers.items()}
    modes = {"loss": "sum"} if len(picked["loss"]) > 1 else {}
    options: dict[str, Any] = {"run": {"run": {each["name"]: first(each) for each in form.run_options().offered}}}
    for field, picker in pickers.items():
        options[field] = {
            name: {each["name"]: first(each) for each in part.offered} for name, part in picker.entries.items()
        }
    rate, typed, own = None, False, {each["name"]: each for each in form.run_options().offered}
    for key, text in (given or {}).items():
        field, *path = key.split(".")
        if key in pickers:
            picked[key] = [name for name in re.split("[ ,]", text) if name]
            modes[key] = "vary" if "," in text else "sum" if key == "loss" and " " in text else ""
        elif key == "lr" or (field == "optimizer" and path[-1] == "lr"):
            name = picked["optimizer"][0]
            rate, typed = put(form.rate_of(pickers["optimizer"].entries[name]), text), True
        elif path:
            entry, option = path
            (known,) = [each for each in pickers[field].entries[entry].offered if each["name"] == option]
            options[field][entry][option] = put(known, text)
        else:
            options["run"]["run"][key] = put(own[key], text)
    for name in options["optimizer"] if typed else ():
        options["optimizer"][name]["lr"] = rate
    sent = {
        "picked": picked,
        "options": options,
        "vary": [field for field, mode in modes.items() if mode == "vary"],
        "sum": modes.get("loss") == "sum",
        "plan": (picked["plan"] or [""])[0],
        "visitor": ADA,
    }
    return json.loads(json.dumps(sent | more))


SMALL = {  # a run of seconds, as an address has it
    "data": "streets",
    "data.streets.train_images": "8",
    "data.streets.val_images": "4",
    "data.streets.size": "64",
    "model.unet.width": "4",
    "model.unet.depth": "2",
    "image_size": "64",
    "batch_size": "4",
    "epochs": "1",
}


def asked(**given: str) -> form.Asked:
    """The runs that a form asks for which an address filled; dots in names are written as double underscores."""
    return form.asked(state({name.replace("__", "."): text for name, text in given.items()}))


def row(directory, lang: str = "en") -> dict[str, Any]:
    """What the list of runs says of a run."""
    news = json.loads(Board().news("", [], lang) or "{}")
    return next(each for each in news["rows"] if each["run"] == directory.name)
