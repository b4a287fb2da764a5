"""What a training run reports, one JSON line each."""

from __future__ import annotations

import math
import zlib
from collections.abc import Sequence
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter

from seglab.errors import SeglabError
from seglab.spelling import american

Reason = Literal["completed", "budget", "stopped", "diverged", "failed"]  # why a run ended
FOR_GOOD: tuple[Reason, ...] = ("completed", "budget", "diverged")  # after which nothing is left to resume
LONGEST = 1_000  # characters of a value in a sentence
FORM = b',"crc32":"00000000"}'  # of a checksum, the last member of a line
FIXED = tuple(place for place, byte in enumerate(FORM) if byte != ord("0"))  # what is the same in every checksum


class Sentence(BaseModel):
    """A sentence `template` with `values` to fill in, which may be sentences too, so that it can be translated."""

    model_config = ConfigDict(frozen=True)

    template: str
    values: dict[str, str | Sentence] = {}

    @classmethod
    def of(cls, error: SeglabError) -> Sentence:
        def value(given: Any) -> str | Sentence:
            return cls.of(given) if isinstance(given, SeglabError) else str(given)[:LONGEST]

        return cls(template=error.template, values={name: value(given) for name, given in error.values.items()})

    def error(self) -> SeglabError:
        values = {name: v.error() if isinstance(v, Sentence) else v for name, v in self.values.items()}
        return SeglabError(self.template, **values)


def spelled(values: Any) -> Any:
    """Terms by their names as they are spelled now: older runs have some in the other spelling."""
    for name in values if isinstance(values, dict) else ():
        if american(name) != name:
            return {american(name): value for name, value in values.items()}
    return values


Terms = Annotated[dict[str, float], BeforeValidator(spelled)]


class Event(BaseModel):
    """Something that happened at `step` optimizer steps, `seconds` of training time into the run."""

    model_config = ConfigDict(frozen=True)

    step: int
    seconds: float


class Started(Event):
    """The run begins, or goes on from step `resumed_at`: earlier events of later steps do not count any more.

    `dataset` has each split's digest; `loss` has numbers where the configuration has words such as median_frequency;
    `notes` are what a person should know of the data and the loss; `files` has the sha256 of files of the run that no
    other event announces, by name.
    """

    kind: Literal["started"] = "started"
    resumed_at: int | None = None
    parameters: int
    device: str
    threads: int
    processes: int = 1
    precision: str | None = None  # the network computes in float32, bfloat16 or float16; older runs have none
    steps_per_epoch: int
    total_steps: int
    images: dict[str, int]
    dataset: dict[str, str]
    loss: dict[str, Any] = {}  # older runs have none
    notes: list[Sentence] = []
    files: dict[str, str] = {}  # older runs have none
    versions: dict[str, str]


class Stepped(Event):
    """Training goes on; at most two a second. `seconds_left` is an estimate.

    `terms` are raw values: times `term_weights` they add up to `loss`.
    """

    kind: Literal["stepped"] = "stepped"
    epoch: float
    loss: float
    terms: Terms
    term_weights: Terms = {}  # older runs have none
    lr: float
    images_per_second: float
    seconds_left: float


class Score(BaseModel):
    """The model on one set of images: `iou` has null for classes in neither truth nor prediction; `terms` are raw. A
    network that was not trained here has no loss: NaN, null in JSON."""

    model_config = ConfigDict(frozen=True)

    loss: Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
    terms: Terms
    term_weights: Terms = {}
    miou: float | None
    iou: list[float | None]
    pixel_accuracy: float | None
    images: int


class Evaluated(Event):
    """The model was scored after `epoch` epochs on `train` (as many images as `val` has), `search` and `val`; one that
    was not trained here, on `val` alone.

    `best` says that its mIoU on `search` is the highest so far; its weights then have this sha256. An evaluation within
    an epoch, which only stopping brought about, is the best for want of another, until the next one is. `notes` are
    what went wrong on the way, as far as the run could go on.
    """

    kind: Literal["evaluated"] = "evaluated"
    epoch: float
    lr: float
    images_per_second: float
    scores: dict[str, Score]
    best: bool
    weights_sha256: str | None = None
    notes: list[Sentence] = []


def best_of(events: Sequence[Event]) -> Evaluated | None:
    """The evaluation with the best weights; None before the first."""
    return next((event for event in reversed(events) if isinstance(event, Evaluated) and event.best), None)


class Finished(Event):
    """The run ended, and `why` where that needs words; the summary is repeated here, so that many runs can be listed
    from their last lines."""

    kind: Literal["finished"] = "finished"
    reason: Reason
    why: Sentence | None = None
    epoch: float = 0.0
    parameters: int | None = None
    best_epoch: float | None = None
    search_miou: float | None = None
    val_miou: float | None = None

    @property
    def text(self) -> str:
        return str(self.why.error()) if self.why else ""


AnyEvent = Annotated[Started | Stepped | Evaluated | Finished, Field(discriminator="kind")]
_events: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def to_line(event: Event) -> str:
    """The event as one line of JSON, with its newline; the last member is a checksum of all before it."""
    members = event.model_dump_json().encode()[:-1]  # without the brace that closes them
    return (members + checksum(members)).decode() + "\n"


def from_line(line: str | bytes) -> AnyEvent:
    """The event of one line, which in older runs has no checksum; raises ValueError for one that is torn, damaged or
    foreign."""
    content = (line.encode() if isinstance(line, str) else line).rstrip(b"\n")
    members, end = content[: -len(FORM)], content[-len(FORM) :]
    if resembles(end):
        if end != checksum(members):
            raise ValueError("the checksum is not that of the line")
        content = members + b"}"
    return _events.validate_json(content)


def checksum(members: bytes) -> bytes:
    """The end of a line of these members."""
    return b',"crc32":"%08x"}' % zlib.crc32(members)


def resembles(end: bytes) -> bool:
    """Whether the end of a line is a checksum, or was one before some of its bytes were damaged: no event ends in more
    than a few of the bytes that each checksum has."""
    if end[:10] == FORM[:10] and end[-2:] == FORM[-2:]:  # as nearly always
        return len(end) == len(FORM)
    return len(end) == len(FORM) and sum(end[place] == FORM[place] for place in FIXED) > len(FIXED) // 2
