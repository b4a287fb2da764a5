"""What is known of a run that was shipped: what left with it, and what stayed where it was trained."""

from __future__ import annotations

from pathlib import Path

from pydantic_core import from_json

from seglab.entry import Options, validated
from seglab.errors import SeglabError

SHIPPED = "shipped.json"


class Shipped(Options):
    """What of a shipped run left with it: the names of its images, and pictures of them, which are masks, predictions
    and probabilities; whether its data is private; whether it was brought here from elsewhere; and from where on the
    hub, as OWNER/NAME@COMMIT, if it came from there."""

    names: bool = False
    pictures: bool = False
    private: bool = True
    brought: bool = False
    hub: str | None = None


def shipped(directory: Path) -> Shipped | None:
    """What left with a run that was shipped; None for one that lies where it was trained, or comes with seglab."""
    try:
        return validated(Shipped, from_json((directory / SHIPPED).read_bytes()))
    except (OSError, ValueError, SeglabError):
        return None
