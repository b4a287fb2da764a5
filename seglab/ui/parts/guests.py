"""Lessons from elsewhere on the page, and what all lessons may lack: a file that was dropped, a link, a lesson as a file,
and the runs that have not been made yet."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
import yaml

from seglab import jobs, plans
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.lessons import files, guests, live, making, other_data
from seglab.lessons.model import Lesson
from seglab.ui.parts import runlist, train
from seglab.ui.text import language
from seglab.ui.visitors import Visitor
from seglab.ui.wires import fenced, sent

LONG = 15 * 60  # seconds of all runs together, from which on the page asks before it starts them


def lesson(name: str, own: str = "") -> Lesson:
    """A lesson by its name, which may say on which other data it is; `own`: as the visitor sent it along."""
    of, _, data = name.partition(".")
    found = guests.guest(guests.unpacked(own)) if own else files.find(of)
    if data and data not in offered():
        raise SeglabError(
            "the data {data} is not on this server; there is: {known}",
            data=repr(data[:40]),
            known=", ".join(offered()),
        )
    return other_data.on(found, data) if data else found


def offered() -> list[str]:
    """The data that everybody may use here."""
    known = FAMILIES["datasets"].entries
    return [name for name, entry in known.items() if name != "folder" and entry().here]  # type: ignore[attr-defined]


def opened(content: bytes, file: str) -> dict[str, Any]:
    """A file that was dropped on the page, as a link carries it. Raises SeglabError, with the line, for what is wrong
    in it."""
    return {"own": guests.packed(guests.checked(files.parsed(content, file[:80] or "lesson.yaml")))}


def as_file(name: str, own: str) -> tuple[str, bytes]:
    """A lesson as a file, with the name of it: that of seglab or of the school as it is, any other one written anew."""
    if not own:
        path = files.path(name.partition(".")[0])
        return path.name, path.read_bytes()
    found = guests.unpacked(own)
    data = found.model_dump(mode="json", exclude_unset=True, context={"short": True})
    text = yaml.safe_dump(data, sort_keys=False, allow_unicode=True, width=120)
    return f"{found.name}{files.ENDING}", text.encode()


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
    found = lesson(str(given.get("lesson")), str(given.get("own") or ""))
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
