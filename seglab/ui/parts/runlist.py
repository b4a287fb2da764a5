"""The list of runs that every tab shares, drawn in the browser from what `board` tells; here is what its buttons do."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import jobs, plans, runs
from seglab.errors import SeglabError
from seglab.jobs import zerogpu
from seglab.runs import listing
from seglab.ui import views
from seglab.ui.board import BOARD
from seglab.ui.text import language, say, told
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent

LONGEST = 200  # characters of what is looked for
STATES = (*listing.STATES, "stopping", "damaged")  # of the rows of a page
FIRST, MOST = 50, 1000  # runs that are found: so many at first, and at most


@fenced
def greet(event: gr.EventData, request: gr.Request) -> str:
    """Tells a page who its visitor is here, and what is allowed; it asks when it opens and once a minute."""
    if zerogpu.LENDS:
        zerogpu.greet(request.session_hash)
    visitor = Visitor.of(sent(event).get("visitor"))
    problem = views.unwritable()
    return json.dumps(
        {
            "key": visitor.owner.key if visitor.owner else "",
            "teacher": visitor.teacher,
            "shared": jobs.shared(),
            "limits": jobs.limits().model_dump(),
            "problem": told(problem, language(request)) if problem else "",
        }
    )


@fenced
def act(event: gr.EventData, request: gr.Request) -> str:
    """Does what a button of the list says; gives a message for a person, as JSON."""
    lang, data = language(request), sent(event)
    try:
        visitor = Visitor.of(data.get("visitor"))
        action = ACTIONS.get(str(data.get("action")))
        if action is None:
            raise SeglabError(
                "there is no action {action}; there are: {known}",
                action=repr(str(data.get("action"))[:40]),
                known=", ".join(ACTIONS),
            )
        message = action(str(data.get("run")), visitor, data, request)
    except SeglabError as error:
        return json.dumps({"error": told(error, lang)})
    BOARD.hurry()  # whoever did something sees it at once
    return json.dumps({"said": told(message, lang) if message else ""})


def found(asked: Mapping[str, str], lang: str) -> str:
    """As JSON, the runs that a page looks for among all of them: how many there are, and the first of them.

    `text`, `state` and `sort` choose as `listing.chosen` does; `whose` is mine (with a visitor's `key`, where several
    share the server), everyone or shipped; `trained`: only those that were scored at least once.
    """
    BOARD.look()
    rows, key = BOARD.rows, asked.get("key", "")
    kinds: dict[str, Callable[[dict[str, Any]], bool]] = {
        "mine": lambda each: each["kind"] == "own" and (not jobs.shared() or (key != "" and each["key"] == key)),
        "everyone": lambda each: each["kind"] != "shipped",
        "shipped": lambda each: each["kind"] != "own",
    }
    whose = asked.get("whose", "everyone")
    listing.refuse_unknown("whose", [whose], [*kinds])
    told = [row.told for row in rows.values() if kinds[whose](row.told)]
    if asked.get("trained"):
        told = [each for each in told if each["trained"]]
    wanted = {"state": [asked["state"]]} if asked.get("state") else {}
    chosen = listing.chosen(told, asked.get("text", "")[:LONGEST], asked.get("sort") or "made", STATES, **wanted)
    number = asked.get("first", "")
    first = min(int(number[:6]), MOST) if number.isdecimal() else FIRST
    written = ",".join(rows[each["run"]].json(lang) for each in chosen[:first])
    return f'{{"count":{len(chosen)},"rows":[{written}]}}'


Action = Callable[[str, Visitor, dict[str, Any], gr.Request], SeglabError | None]


def own(name: str, visitor: Visitor) -> Path:
    """The directory of a run made here that the visitor may change."""
    directory = BOARD.found(name)
    visitor.refuse_others(directory)
    return directory


def stop(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    jobs.stop(own(name, visitor))


def stop_all(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    """Ends the runs of a plan: those that wait first, so that none of them begins meanwhile."""
    file = next((path for path in plans.every() if path.name == f"{name}{runs.PLAN}"), None)
    if file is None:
        raise SeglabError("there is no plan {plan}", plan=repr(name[:80]))
    members = [directory for directory, _ in plans.members(file) if (directory / "config.json").exists()]
    for directory in members:
        visitor.refuse_others(directory)
    for directory in reversed(members):
        if not runs.status(directory).over:
            jobs.stop(directory)


def resume(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    directory = own(name, visitor)
    lend([directory], request)
    jobs.resubmit(directory)


def rename(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    directory = own(name, visitor)
    if directory.parent != runs.home():
        raise SeglabError("{run} was not made here and keeps its name", run=directory.name)
    runs.rename(directory, str(data.get("name", "")))


def delete(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    BOARD.hurry()
    directory, rows, places = own(name, visitor), BOARD.rows, BOARD.places
    going = [places[other] for other, row in list(rows.items()) if row.told["kind"] == "own" and not row.told["over"]]
    if users := [each for each in going if runs.uses(each, directory) and not runs.status(each).over]:
        raise SeglabError(
            "{run} cannot be deleted: {users} needs it", run=runs.label(directory).name, users=runs.listed(users)
        )
    runs.refuse_removal(directory)
    with runs.writing(directory):
        (directory / "queued").unlink(missing_ok=True)  # first, so that it does not begin meanwhile
    plans.remove(directory)


def leave(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    zerogpu.leave(own(name, visitor))


def stay(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    zerogpu.stay(own(name, visitor))


def take(name: str, visitor: Visitor, data: dict[str, Any], request: gr.Request) -> None:
    """Nothing here: the part by which runs leave this machine opens."""


ACTIONS: dict[str, Action] = {
    "stop": stop,
    "stop_all": stop_all,
    "resume": resume,
    "rename": rename,
    "delete": delete,
    "take": take,
    "cpu": leave,
    "wait": stay,
}


def trained() -> list[Path]:
    """The runs that have been scored at least once, newest first, then the kept ones, of which all have, then those
    that come with seglab."""
    return [each for each in runs.every() if runs.is_kept(each) or (each / "weights.safetensors").exists()]


def lend(directories: list[Path], request: gr.Request) -> list[Path]:
    """The runs, to which the visitor whose request this is lends their GPU time, where it is lent."""
    for directory in directories if zerogpu.LENDS else ():
        zerogpu.offer(directory, request.session_hash)
    return directories


def begun(submitted: Callable[[], list[Path]], lang: str) -> dict[str, Any]:
    """What the page hears once runs are in the queue: their names and messages; or why they are not."""
    try:
        directories = submitted()
    except OSError as problem:
        error = SeglabError("{kind}: {reason}", kind=type(problem).__name__, reason=problem.strerror)
        return {"runs": [], "messages": [["wrong", told(error, lang)]]}
    except SeglabError as error:
        return {"runs": [], "messages": [["wrong", told(error, lang)]]}
    BOARD.hurry()
    text = say(
        "Runs added to the queue: {count}. They continue when you close this page.", lang, count=len(directories)
    )
    configs = [runs.config(directory) for directory in directories]
    advice = dict.fromkeys(told(note, lang) for config in configs for note in config.model.advice(config))
    return {
        "runs": [directory.name for directory in directories],
        "messages": [["right", text], *(["note", note] for note in advice)],
    }
