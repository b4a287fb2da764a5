"""A run is a directory: the only thing that training and comparing share."""

from seglab.runs.directory import (
    CHECKPOINTS,
    MADE_NAME,
    PLAN,
    Status,
    all_events,
    append,
    checked,
    config,
    create,
    description,
    events,
    every,
    find,
    home,
    last_word,
    listed,
    locked,
    made_now,
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
from seglab.runs.evidence import Evidence
from seglab.runs.recording import ending, record, refuse_removal, remove, stop, work
from seglab.runs.trained import (
    MOST_KEPT,
    learned,
    load,
    loaded,
    picture,
    settled,
    ship,
    taught,
    weights,
    weights_version,
)

__all__ = [
    "CHECKPOINTS", "MADE_NAME", "MOST_KEPT", "PLAN", "Evidence", "Status", "all_events", "append", "checked",
    "config", "create", "description", "ending", "events", "every", "find", "home", "last_word", "learned", "listed",
    "load", "loaded", "locked", "made_now", "picture", "record", "refuse_removal", "refuse_unwritable", "refused",
    "remove", "replace", "settled", "ship", "short_name", "size_of", "status", "stop", "taken", "taught", "uses",
    "weights", "weights_version", "work", "write", "writing",
]  # fmt: skip
