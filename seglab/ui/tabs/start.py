"""The Start tab: what segmentation is and what this page is for, in one picture."""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from seglab.places import CHECKPOINTS
from seglab.ui import assets
from seglab.ui.guard import unknown
from seglab.ui.text import language, render
from seglab.ui.wires import part

FOLDER = assets.HERE / "start"  # made by parts/tour.py


def build() -> None:
    """Builds the tab in the Blocks at hand; its content is in the page's own document, before Gradio's."""
    part("start")


def html(lang: str) -> str:
    """The tab in a language; nothing where the runs that it shows are not all there."""
    known = shown()
    there = all((CHECKPOINTS / model["run"] / "config.json").is_file() for model in known["models"])
    return render("start.html", lang, **known, pictures=pictures) if there else ""


@lru_cache
def shown() -> dict[str, Any]:
    """What the tab shows of what comes with seglab: the `models`, the `count` of streets, the `classes`, `lessons`."""
    return json.loads((FOLDER / "known.json").read_text(encoding="utf-8"))


def pictures(name: str) -> list[str]:
    """The addresses of a picture of each street: its `image`, its `truth`, or what a run made of it."""
    return [assets.address(f"start/{name}-{n}.webp") for n in range(shown()["count"])]


def content(request: Request) -> Response:
    """The tab, at an address."""
    return unknown(request) or Response(html(language(request)), media_type="text/html")
