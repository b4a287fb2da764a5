# ruff: noqa: F401 (what is imported for types is offered)
"""A run is a directory: the only thing that training and comparing share.

What is offered here is imported when it is first used: a list of runs needs no networks.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

OFFERED = {  # by the file that has it
    "best": ("weights", "weights_version"),
    "bringing": ("MAPS", "OWN_ON_HUB", "REQUIRED", "WEIGHTS", "bring", "identified", "open_hub", "refuse_no_room"),
    "creating": ("create",),
    "directory": (
        "CHECKPOINTS", "MADE_NAME", "PLAN", "Status", "all_events", "append", "checked", "config", "description",
        "events", "events_after", "every", "home", "last_word", "listed", "locked", "made_now", "of_lesson",
        "refuse_unwritable", "refused", "replace", "short_name", "size_of", "status", "taken", "uses", "write",
        "writing",
    ),
    "evidence": ("Evidence", "epoch_text", "unknown_of"),
    "finding": ("find",),
    "keeping": ("keep_finished",),
    "kept": ("is_kept",),
    "labels": (
        "Counts", "Label", "Owner", "counted_under", "counting", "counts", "label", "owner_of", "readable", "rename",
    ),
    "leftovers": ("Leftovers",),
    "recording": (
        "begun", "ending", "join", "record", "refuse_going_on", "refuse_removal", "refuse_resuming", "relocated",
        "remove", "stop", "work",
    ),
    "relaying": ("LOG", "Luggage", "packed", "relayed", "take_in", "unpacked"),
    "shipment": ("Shipped", "shipped"),
    "shipping": ("emptied", "files", "folder_options", "manifest", "refuse_adopted", "ship", "without_folders"),
    "stores": ("is_url",),
    "trained": ("MOST_KEPT", "learned", "load", "loaded", "opened", "opened_once", "picture", "settled", "taught"),
}  # fmt: skip
HOMES = {name: file for file, names in OFFERED.items() for name in names}

if TYPE_CHECKING:  # the same names, for whoever reads types
    from seglab.runs.best import weights, weights_version
    from seglab.runs.bringing import MAPS, OWN_ON_HUB, REQUIRED, WEIGHTS, bring, identified, open_hub, refuse_no_room
    from seglab.runs.creating import create
    from seglab.runs.directory import (
        CHECKPOINTS,
        MADE_NAME,
        PLAN,
        Status,
        all_events,
        append,
        checked,
        config,
        description,
        events,
        events_after,
        every,
        home,
        last_word,
        listed,
        locked,
        made_now,
        of_lesson,
        refuse_unwritable,
        refused,
        replace,
        short_name,
        size_of,
        status,
        taken,
        uses,
        write,
        writing,
    )
    from seglab.runs.evidence import Evidence, epoch_text, unknown_of
    from seglab.runs.finding import find
    from seglab.runs.keeping import keep_finished
    from seglab.runs.kept import is_kept
    from seglab.runs.labels import (
        Counts,
        Label,
        Owner,
        counted_under,
        counting,
        counts,
        label,
        owner_of,
        readable,
        rename,
    )
    from seglab.runs.leftovers import Leftovers
    from seglab.runs.recording import (
        begun,
        ending,
        join,
        record,
        refuse_going_on,
        refuse_removal,
        refuse_resuming,
        relocated,
        remove,
        stop,
        work,
    )
    from seglab.runs.relaying import LOG, Luggage, packed, relayed, take_in, unpacked
    from seglab.runs.shipment import Shipped, shipped
    from seglab.runs.shipping import emptied, files, folder_options, manifest, refuse_adopted, ship, without_folders
    from seglab.runs.stores import is_url
    from seglab.runs.trained import MOST_KEPT, learned, load, loaded, opened, opened_once, picture, settled, taught

__all__ = [*HOMES]


def __getattr__(name: str) -> Any:
    if name not in HOMES:
        raise AttributeError(f"module 'seglab.runs' has no attribute {name!r}")
    found = globals()[name] = getattr(importlib.import_module(f"seglab.runs.{HOMES[name]}"), name)
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *HOMES])
