"""What dataset.json and events.jsonl of a run from elsewhere may hold."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from seglab.data.base import PARTS
from seglab.data.folder import MOST_CLASSES
from seglab.data.images import printable
from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, Finished, Sentence, Started, from_line

MOST_IMAGES = 100_000  # of one part
MOST_EVENTS, LONGEST_LINE = 200_000, 2**18
MOST_DEPTH = 4  # of sentences in sentences
LARGEST = 1e12  # no number of a run is larger
FIELD = re.compile(r"{([^\W\d]\w*)}")  # a name: by a number `format` would look for a place
RESERVED = {"self", "template", "text", "lang", "context"}  # names that sentences are told by

Byte = Annotated[int, Field(ge=0, le=255)]
Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Hash = Annotated[str, StringConstraints(pattern="^[0-9a-f]{32}$")]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
Names = Annotated[list[Name], Field(max_length=MOST_IMAGES)]
Hashes = Annotated[list[Hash], Field(max_length=MOST_IMAGES)]
Value = TypeVar("Value")


class Parts(BaseModel, Generic[Value]):
    """Something of each part of the data."""

    model_config = ConfigDict(extra="forbid", strict=True)
    train: Value
    search: Value
    val: Value


class Images(Parts[Names]):
    search: Annotated[Names, Field(min_length=1)]
    val: Annotated[Names, Field(min_length=1)]


class Description(BaseModel):
    """dataset.json; older runs lack `pictures`, `learned` and `span`."""

    model_config = ConfigDict(extra="forbid", strict=True)
    classes: Annotated[list[Name], Field(min_length=2, max_length=MOST_CLASSES)]
    colors: list[Annotated[list[Byte], Field(min_length=3, max_length=3)]]
    digests: Parts[Digest]
    images: Images
    samples: Annotated[list[Annotated[int, Field(ge=0)]], Field(max_length=100)]
    pictures: Parts[Hashes] | None = None
    learned: Annotated[list[Hash], Field(max_length=10 * MOST_IMAGES)] | None = None
    span: Annotated[list[Annotated[int, Field(ge=0, le=65535)]], Field(min_length=2, max_length=2)] | None = None


def described(content: bytes, file: str) -> dict[str, Any]:
    """What a foreign dataset.json says, as far as it fits together; raises SeglabError."""
    try:
        found = Description.model_validate_json(content)
    except (ValidationError, RecursionError) as error:
        raise SeglabError("{file}: is not a run's ({reason})", file=file, reason=reason(error)) from None
    given = found.model_dump(exclude_unset=True)
    known = {key: value for key, value in given.items() if value is not None or key == "span"}
    known["classes"] = [printable(name) for name in found.classes]
    known["images"] = {part: [printable(name) for name in names] for part, names in known["images"].items()}
    counts = {part: len(known["images"][part]) for part in PARTS}
    sound = (
        len(found.colors) == len(found.classes) == len(set(known["classes"]))
        and all(place < counts["val"] for place in found.samples)
        and len(set(found.samples)) == len(found.samples)
        and (found.pictures is None or {part: len(known["pictures"][part]) for part in PARTS} == counts)
        and (found.span is None or found.span[0] < found.span[1])
    )
    if not sound:
        raise SeglabError("{file}: what it says does not fit together", file=file)
    return known


def reason(error: Exception) -> str:
    """The first thing that is wrong, and where."""
    if not isinstance(error, ValidationError):
        return type(error).__name__
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, first["loc"]))[:100], first["msg"][:200])))


def told(content: bytes, known: dict[str, Any], file: str) -> list[Event]:
    """The events of a foreign run, each fit to be read by everything that reads events, and a Finished last; raises
    SeglabError."""
    *lines, torn = content.split(b"\n")
    if torn or len(lines) > MOST_EVENTS or any(len(line) > LONGEST_LINE for line in lines):
        raise SeglabError("{file}: has more or longer lines than a run, or a torn one", file=file)
    found: list[Event] = []
    for number, line in enumerate(lines, 1):
        try:
            event = from_line(line)
            sound = fits(event, known)
        except (ValueError, RecursionError, OverflowError):
            sound = False
        if not sound:
            raise SeglabError("{file} is damaged: line {line} cannot be read", file=file, line=number)
        found.append(event)
    kinds = [type(event) for event in found]
    if not kinds or kinds[0] is not Started or kinds[-1] is not Finished:
        raise SeglabError("{file}: the run in it has not been finished", file=file)
    return found


def fits(event: Event, known: dict[str, Any]) -> bool:
    """Whether an event says nothing that its readers cannot take."""
    if not all(abs(number) < LARGEST for number in numbers(event.model_dump())) or event.step < 0:
        return False
    if isinstance(event, Started):
        whole = event.steps_per_epoch > 0 and event.total_steps > 0 and event.parameters >= 0
        return whole and set(event.dataset) == set(PARTS) and all(map(sayable, event.notes))
    if isinstance(event, Evaluated):
        scores = event.scores.values()
        return (
            set(event.scores) == set(PARTS)
            and all(map(sayable, event.notes))
            and all(
                len(score.iou) == len(known["classes"]) and within(score.miou, score.pixel_accuracy, *score.iou)
                for score in scores
            )
        )
    if isinstance(event, Finished):
        return within(event.search_miou, event.val_miou) and (event.why is None or sayable(event.why))
    return True


def within(*shares: float | None) -> bool:
    return all(share is None or 0 <= share <= 1 for share in shares)


def numbers(value: Any) -> Iterator[float]:
    """Every number in what an event holds; one that is none becomes infinite."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        yield value if value == value else float("inf")
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else ():
        yield from numbers(inner)


def sayable(sentence: Sentence, depth: int = 0) -> bool:
    """Whether a sentence can be told: its fields are names of its values, and nothing else is looked up or laid out."""
    fields = FIELD.findall(sentence.template)
    plain = not set("{}") & set(FIELD.sub("", sentence.template))
    named = set(fields) <= set(sentence.values) and RESERVED.isdisjoint(sentence.values)
    inner = [value for value in sentence.values.values() if isinstance(value, Sentence)]
    return depth < MOST_DEPTH and plain and named and all(sayable(each, depth + 1) for each in inner)
