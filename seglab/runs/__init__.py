"""A run is a directory: the only thing that training and comparing share."""

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
from seglab.runs.evidence import Evidence, epoch_text
from seglab.runs.finding import find
from seglab.runs.keeping import keep_finished
from seglab.runs.kept import is_kept
from seglab.runs.labels import Counts, Label, Owner, counted_under, counting, counts, label, owner_of, readable, rename
from seglab.runs.leftovers import Leftovers
from seglab.runs.recording import (
    ending,
    join,
    record,
    refuse_going_on,
    refuse_removal,
    refuse_resuming,
    remove,
    stop,
    work,
)
from seglab.runs.shipped import Shipped, shipped
from seglab.runs.shipping import emptied, files, folder_options, manifest, ship, without_folders
from seglab.runs.trained import (
    MOST_KEPT,
    learned,
    load,
    loaded,
    opened,
    opened_once,
    picture,
    settled,
    taught,
)
from seglab.runs.weights import weights, weights_version

__all__ = [
    "CHECKPOINTS", "MADE_NAME", "MAPS", "MOST_KEPT", "OWN_ON_HUB", "PLAN", "REQUIRED", "WEIGHTS", "Counts",
    "Evidence", "Label", "Leftovers", "Owner", "Shipped", "Status", "all_events", "append", "bring", "checked",
    "config", "counted_under", "counting", "counts", "create", "description", "emptied", "ending", "epoch_text",
    "events", "every", "files", "find", "folder_options", "home", "identified", "is_kept", "join", "keep_finished",
    "label", "last_word", "learned", "listed", "load", "loaded", "locked", "made_now", "manifest", "of_lesson",
    "open_hub", "opened", "opened_once", "owner_of", "picture", "readable", "record", "refuse_going_on",
    "refuse_no_room", "refuse_removal", "refuse_resuming", "refuse_unwritable", "refused", "remove", "rename",
    "replace", "settled", "ship", "shipped", "short_name", "size_of", "status", "stop", "taken", "taught", "uses",
    "weights", "weights_version", "without_folders", "work", "write", "writing",
]  # fmt: skip
