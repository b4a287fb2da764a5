"""What a training run reports, one JSON line each."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter

from seglab.entry import SeglabError


class Event(BaseModel):
    """Something that happened at `step` optimizer steps, `seconds` of training time into the run."""

    model_config = ConfigDict(frozen=True)

    step: int
    seconds: float


class Started(Event):
    """The run begins, or goes on from step `resumed_at`: earlier events of later steps do not count any more."""

    kind: Literal["started"] = "started"
    resumed_at: int | None = None
    parameters: int
    device: str
    threads: int
    steps_per_epoch: int
    total_steps: int
    images: dict[str, int]
    dataset: str
    versions: dict[str, str]


class Stepped(Event):
    """Training goes on; at most two a second. `terms` are the loss's raw values, `seconds_left` is an estimate."""

    kind: Literal["stepped"] = "stepped"
    epoch: float
    loss: float
    terms: dict[str, float]
    lr: float
    images_per_second: float
    seconds_left: float


class Score(BaseModel):
    """The model on one set of images: `iou` has null for classes in neither truth nor prediction."""

    model_config = ConfigDict(frozen=True)

    loss: float
    terms: dict[str, float]
    miou: float | None
    iou: list[float | None]
    pixel_accuracy: float | None
    images: int


class Evaluated(Event):
    """The model was scored after `epoch` epochs on `train` (as many images as `val` has), `search` and `val`.

    `best` says that its mIoU on `search` is the highest so far; its weights then have this sha256.
    """

    kind: Literal["evaluated"] = "evaluated"
    epoch: float
    lr: float
    images_per_second: float
    scores: dict[str, Score]
    best: bool
    weights_sha256: str | None = None


class Finished(Event):
    """The run ended; the summary is repeated here, so that many runs can be listed from their last lines.

    Why it did, where that needs words, is a sentence `template` with `values` to fill in, so that it can be translated.
    """

    kind: Literal["finished"] = "finished"
    reason: Literal["completed", "budget", "stopped", "diverged", "failed"]
    template: str = ""
    values: dict[str, str] = {}
    epoch: float = 0.0
    parameters: int | None = None
    best_epoch: float | None = None
    search_miou: float | None = None
    val_miou: float | None = None

    @property
    def text(self) -> str:
        return self.template.format(**self.values)


LONGEST = 1_000  # characters of a value in a sentence


def in_words(why: SeglabError | None) -> dict[str, Any]:
    """The fields of a Finished that say why."""
    if why is None:
        return {}
    return {"template": why.template, "values": {name: str(value)[:LONGEST] for name, value in why.values.items()}}


AnyEvent = Annotated[Started | Stepped | Evaluated | Finished, Field(discriminator="kind")]
_events: TypeAdapter[AnyEvent] = TypeAdapter(AnyEvent)


def to_line(event: Event) -> str:
    """The event as one line of JSON, with its newline."""
    return event.model_dump_json() + "\n"


def from_line(line: str | bytes) -> AnyEvent:
    """The event of one line; raises ValueError for a torn or foreign one."""
    return _events.validate_json(line)
