"""Lessons from elsewhere on the page, as a file that was dropped or as a link; a lesson as a file; and what any lesson
may lack: runs that have not been made yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import yaml

from seglab import jobs, places, plans
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.lessons import files, guests, live, making, other_data
from seglab.lessons.model import Lesson
from seglab.ui.parts import runlist, train
from seglab.ui.text import language
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent

DEFAULT = "streets"  # the data of a group that names none
LONG = 15 * 60  # seconds of all runs together, from which on the page asks before it starts them


def lesson(name: str) -> Lesson:
    """A lesson by its name, which may say on which other data it is."""
    data = name.partition(".")[2]
    if data and data not in offered():
        raise SeglabError(
            "the data {data} is not on this server; there is: {known}",
            data=repr(data[:40]),
            known=", ".join(offered()),
        )
    return other_data.find(name)


def origin(name: str) -> str:
    """Who a lesson is from: seglab, a school, whose folder it is in, or a guest."""
    of = name.partition(".")[0]
    if guests.NAMED.fullmatch(of):
        return "guest"
    return "seglab" if files.path(of).parent == places.LESSONS else "school"


def data(found: Lesson) -> dict[str, Any]:
    """The data of a lesson: its `own`, the `other` that it is on, if any, and what is `offered` here."""
    of, _, other = found.name.partition(".")
    own = {str(group.base.get("data", DEFAULT)) for group in other_data.find(of).groups.values()}
    return {"own": ", ".join(sorted(own)), "other": other, "offered": offered()}


def offered() -> list[str]:
    """The data that everybody may use here."""
    known = FAMILIES["datasets"].entries
    return [name for name, entry in known.items() if name != "folder" and entry().here]  # type: ignore[attr-defined]


def of_file(content: bytes, file: str) -> dict[str, str]:
    """A file that was dropped on the page: its lesson's name here, and the lesson as a link carries it. Raises
    SeglabError, with the line, for what is wrong in it."""
    found = guests.checked(files.parsed(content, file[:80] or "lesson.yaml"))
    return {"name": guests.keep(found).name, "own": guests.packed(found)}


def of_link(content: bytes) -> dict[str, str]:
    """The same of what a link carries."""
    own = content.decode("ascii", "replace")
    return {"name": guests.keep(guests.unpacked(own)).name, "own": own}


def as_file(name: str) -> tuple[str, bytes]:
    """A lesson as a file, with the name of it: one of seglab's or of a school's as it is, one from elsewhere written
    anew."""
    of = name.partition(".")[0]
    if not guests.NAMED.fullmatch(of):
        path = files.path(of)
        return path.name, path.read_bytes()
    found = guests.find(of)
    data = guests.short(found) | {"name": found.called.removesuffix(files.ENDING)}
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
    return found.called, text.encode()


def lacking(found: Lesson) -> dict[str, Any]:
    """The runs that a lesson needs and that are not here, how many of them can be made at once and in what time, and
    the command that makes them all."""
    todo = making.jobs(found)
    waiting = live.lacking(found)[: live.MOST_AT_ONCE] if todo else []
    known = plans.estimate([jobs.limited(job.config) for job in waiting]) if waiting else None
    return {
        "runs": len(todo),
        "now": len(waiting),
        "seconds": sum(known.seconds) if known else None,
        "command": f"python -m seglab lesson make {found.called}",
    }


@fenced
def make(event: gr.EventData, request: gr.Request) -> str:
    """Puts runs that a lesson lacks into the queue, a dozen at a time. Where they take long together, or nobody knows
    how long, only once the visitor is `sure`."""
    given, lang = sent(event), language(request)
    found = lesson(str(given.get("lesson")))
    visitor = Visitor.of(given.get("visitor"))
    with live.starting:
        todo = live.lacking(found)[: live.MOST_AT_ONCE]
        if given.get("sure") is not True:
            how = None if train.busy() else plans.timed_apart
            known = plans.estimate([jobs.limited(job.config) for job in todo], how) if todo else None
            seconds = sum(known.seconds) if known else None
            if todo and (seconds is None or seconds > LONG):
                return json.dumps({"kind": "asked", "count": len(todo), "seconds": seconds})

        def submitted() -> list[Path]:
            return runlist.lend(live.make(found, todo, visitor.owner), request)

        return json.dumps({"kind": "made"} | runlist.begun(submitted, lang))
