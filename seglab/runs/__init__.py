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
from seglab.runs.evidence import Evidence, epoch_text, unknown_of
from seglab.runs.finding import find
from seglab.runs.keeping import keep_finished
from seglab.runs.kept import is_kept
from seglab.runs.labels import Counts, Label, Owner, counted_under, counting, counts, label, owner_of, readable, rename
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
from seglab.runs.shipped import Shipped, shipped
from seglab.runs.shipping import emptied, files, folder_options, manifest, refuse_adopted, ship, without_folders
from seglab.runs.stores import is_url
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
    "CHECKPOINTS", "LOG", "MADE_NAME", "MAPS", "MOST_KEPT", "OWN_ON_HUB", "PLAN", "REQUIRED", "WEIGHTS", "Counts",
    "Evidence", "Label", "Leftovers", "Luggage", "Owner", "Shipped", "Status", "all_events", "append", "begun",
    "bring", "checked", "config", "counted_under", "counting", "counts", "create", "description", "emptied", "ending",
    "epoch_text", "events", "every", "files", "find", "folder_options", "home", "identified", "is_kept", "is_url",
    "join", "keep_finished", "label", "last_word", "learned", "listed", "load", "loaded", "locked", "made_now",
    "manifest", "of_lesson", "open_hub", "opened", "opened_once", "owner_of", "packed", "picture", "readable",
    "record", "refuse_adopted", "refuse_going_on", "refuse_no_room", "refuse_removal", "refuse_resuming",
    "refuse_unwritable", "refused", "relayed", "relocated", "remove", "rename", "replace", "settled", "ship",
    "shipped", "short_name", "size_of", "status", "stop", "take_in", "taken", "taught", "unknown_of",
    "unpacked", "uses", "weights", "weights_version", "without_folders", "work", "write", "writing",
]  # fmt: skip
