"""Runs opened from the hub and put there, on a page that may ask it: with the visitor's own login, never a server's."""

from __future__ import annotations

import json

import gradio as gr

from seglab import hub, runs, travel
from seglab.errors import SeglabError
from seglab.places import shared
from seglab.ui import views
from seglab.ui.parts.travel import found, messages
from seglab.ui.text import language, render, say

MOST_SECONDS = 300  # in which a visitor's run has to be here: others wait


def account(profile: gr.OAuthProfile | None, request: gr.Request) -> str:
    """Who the visitor is on the hub, or the way to tell."""
    return render("account.html", language(request), user=profile.username if profile else None)


def opened(named: str, request: gr.Request) -> list[str]:
    """Takes in the run of a repository; gives what is told of it, and its name for the list of runs."""
    lang = language(request)
    try:
        runs.refuse_no_room(hub.MOST_BYTES)
        directory, notes = runs.open_hub(whole(named), hub.login(), hub.MOST_BYTES, MOST_SECONDS)
    except SeglabError as error:
        return [views.refusal(error, lang), ""]
    text = say("{run} is here now, also in Predict and Compare.", lang, run=runs.label(directory).name)
    return [messages(text, notes or [runs.identified(directory)], lang), json.dumps({"runs": [directory.name]})]


def whole(named: str) -> str:
    """What a visitor typed or pasted, as runs of the hub are named."""
    name = named.strip().removeprefix(f"{hub.endpoint()}/").removeprefix(hub.PREFIX)
    return f"{hub.PREFIX}{name}"


def put(
    name: str | None,
    names: bool,
    pictures: bool,
    repository: str,
    private: bool,
    token: gr.OAuthToken | None,
    request: gr.Request,
) -> str:
    """Puts a finished run on the hub; gives what is told of it."""
    lang = language(request)
    try:
        if token is None and shared():
            raise SeglabError("log in first: the run is put on the hub in your name")
        directory = found(name)
        aim = travel.aimed(repository.strip().removeprefix(hub.PREFIX), bool(private), token.token if token else None)
        travel.push(directory, aim, bool(names), bool(pictures))
    except SeglabError as error:
        return views.refusal(error, lang)
    text = say("The run is on the hub now; any seglab opens it as {name}.", lang, name=f"{hub.PREFIX}{aim.id}")
    return messages(text, travel.outlook(aim), lang)
