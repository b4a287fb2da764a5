"""What a person can pick: typed entries in families, found by name, and the error a person can cause."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_serializer, model_validator
from pydantic_core import PydanticCustomError, core_schema

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    import torch
    from torch import Tensor, nn

    from seglab.config import RunConfig
    from seglab.data.base import Batch, Data, Sample
    from seglab.events import Score
    from seglab.losses.weights import Statistics
    from seglab.model import Segmenter
    from seglab.train import Run

Predict = Callable[..., "np.ndarray"]  # (image uint8 (H, W, 3), zoom = 1.0) -> probabilities float32 (K, H, W)


class SeglabError(Exception):
    """A mistake a person can mend. `template` is the sentence without its `values`, so that it can be translated; one
    that stands for several has them in `each`."""

    each: Sequence[SeglabError] = ()

    def __init__(self, template: str, **values: Any):
        super().__init__(template.format(**values))
        self.template, self.values = template, values

    def __reduce__(self) -> Any:
        return partial(type(self), self.template, **self.values), (), {"each": self.each}


class Options(BaseModel):
    """A frozen group of typed options that refuses unknown ones and says which were meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_options(cls, value: Any) -> Any:
        for option, given in value.items() if isinstance(value, Mapping) else ():
            if option not in cls.model_fields:
                raise refusal("option", option, cls.model_fields, owner=getattr(cls, "name", cls.__name__))
            if (
                isinstance(given, bool) and cls.model_fields[option].annotation is not bool
            ):  # pydantic would read 0 or 1
                raise PydanticCustomError("switch", "", {"option": option, "given": given})
        return value


class Entry(Options):
    """One thing a person can pick: its class is the option schema, the help text, the config and the code.

    `class Loss(Entry, family="losses")` opens a family; a subclass with a `name` of its own is an entry of it, any
    other is an abstract step. A field annotated with a family's base takes any of its entries: an instance, a name, or
    `{"name": ..., **options}`.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    entries: ClassVar[dict[str, type[Entry]]]

    def __init_subclass__(cls, family: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if family:
            cls.family, cls.entries = family, {}
            FAMILIES[family] = cls
        if "name" in cls.__dict__:
            taken = cls.entries.setdefault(cls.name, cls)
            if taken.__qualname__ != cls.__qualname__:
                raise TypeError(f"{cls.family} has two entries named {cls.name}: {taken} and {cls}")

    @classmethod
    def is_family(cls) -> bool:
        """Whether the class is a family's base, which stands for any of its entries."""
        return cls.__mro__[2] is Options

    @classmethod
    def summary(cls) -> str:
        """What the entry is, in one sentence: the first line of its docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    @classmethod
    def source(cls) -> str:
        """Where the entry comes from: the docstring's `Source:` paragraph on one line, or an empty string."""
        _, found, rest = (cls.__doc__ or "").partition("Source:")
        return " ".join(rest.split("\n\n")[0].split()) if found else ""

    @classmethod
    def reference(cls) -> str:
        """The first reference of the source, without what is said of it."""
        return re.split(r"[;:] ", cls.source())[0].rstrip(".")

    @classmethod
    def parse(cls, value: Any) -> Entry:
        """Turns an instance, a name or `{"name": ..., **options}` into an entry of this family."""
        if isinstance(value, cls) and "name" in type(value).__dict__:
            return value
        if isinstance(value, str):
            value = {"name": value}
        name = value.get("name") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            raise PydanticCustomError("no_name", "", {"family": cls.family, "allowed": ", ".join(cls.entries)})
        if name not in cls.entries:
            raise refusal("entry", name, cls.entries, family=cls.family)
        return cls.entries[name].model_validate(value)

    @model_validator(mode="before")
    @classmethod
    def _own_name(cls, value: Any) -> Any:
        if "name" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} is abstract: pick one of its entries")
        if isinstance(value, Mapping) and "name" in value:
            if value["name"] != cls.name:
                raise PydanticCustomError("other_entry", "", {"allowed": cls.name, "given": shown(value["name"])})
            value = {option: given for option, given in value.items() if option != "name"}
        return value

    @model_serializer(mode="wrap")
    def _with_name(self, handler: Any) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        if not cls.is_family():
            return handler(source)
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(lambda entry: entry.model_dump())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        if not cls.is_family():
            return handler(schema)
        return {"type": "object", "family": cls.family}


FAMILIES: dict[str, type[Entry]] = {}


def refusal(what: str, given: Any, known: Any, **context: str) -> PydanticCustomError:
    """The error for a word that is not among the known ones; names the closest where one is close."""
    near = difflib.get_close_matches(given, list(known), n=1) if isinstance(given, str) else []
    context |= {"given": shown(given), "near": repr(near[0]) if near else "", "allowed": ", ".join(known) or "-"}
    return PydanticCustomError(f"unknown_{what}_near" if near else f"unknown_{what}", "", context)


def shown(value: Any, most: int = 60) -> str:
    """The value as a person gave it, cut to `most` characters."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


# pydantic's error types, and those above, in seglab's words; {thing} is the dotted option, {value} what was given
REASONS = {
    "greater_than_equal": "{thing}: {value} is too small; allowed: {ge} or more",
    "greater_than": "{thing}: {value} is too small; allowed: more than {gt}",
    "less_than_equal": "{thing}: {value} is too large; allowed: {le} or less",
    "less_than": "{thing}: {value} is too large; allowed: less than {lt}",
    "literal_error": "{thing}: {value} is not allowed; allowed: {expected}",
    "too_short": "{thing}: {actual_length} given; allowed: {min_length} or more",
    "too_long": "{thing}: {actual_length} given; allowed: {max_length} or fewer",
    "int": "{thing}: {value} is not a whole number",
    "float": "{thing}: {value} is not a number",
    "finite": "{thing}: {value} is not a finite number",
    "bool": "{thing}: {value} is not true or false",
    "missing": "{thing}: no value was given",
    "unknown_option": "{thing}: {owner} has no option {given}; its options: {allowed}",
    "unknown_option_near": "{thing}: {owner} has no option {given}; did you mean {near}? Its options: {allowed}",
    "unknown_entry": "{thing}: there is no {given} among the {family}; allowed: {allowed}",
    "unknown_entry_near": "{thing}: there is no {given} among the {family}; did you mean {near}? Allowed: {allowed}",
    "unknown_encoder": "{thing}: there is no encoder {given}; examples: {examples}",
    "unknown_encoder_near": "{thing}: there is no encoder {given}; did you mean {near}?",
    "unpretrained": "{thing}: the encoder {encoder} has no ImageNet weights; pick another one, or pretrained none",
    "no_name": "{thing}: {value} names none of the {family}; give a name, or an object with a name; allowed: {allowed}",
    "other_entry": "{thing}: {given} was given, but only {allowed} is allowed here",
    "switch": "{thing}: {option} cannot be {given}; it is not a yes-or-no option",
    "twice": "techniques: {name} is given twice; give it once",
    "refused": "techniques: {name} cannot be used here: {reason}",
    "fold": "fold.index: {index} is too large; allowed: 0 to {most}",
    "warmup": "scheduler.warmup: {warmup} epochs are as long as the whole run or longer; allowed: less than {epochs}",
    "other": "{thing}: {value} is not allowed ({reason})",
}


def refusal_of(what: str, given: Any, known: Any, thing: str, **context: str) -> SeglabError:
    """`refusal` for what is looked up outside pydantic."""
    error = refusal(what, given, known, **context)
    return SeglabError(REASONS[error.type], thing=thing, **error.context)


def explain(error: ValidationError, thing: str) -> SeglabError:
    """The first thing that pydantic found wrong, as a sentence that names the option, the value and what is allowed."""
    found = error.errors()[0]
    kind = "missing" if found["input"] is None and found["type"] not in REASONS else found["type"]
    template = REASONS.get(kind) or REASONS.get(kind.split("_")[0]) or REASONS["other"]
    thing = ".".join(str(part) for part in found["loc"]) or thing
    values = {"thing": thing, "value": shown(found["input"]), "reason": found["msg"]} | found.get("ctx", {})
    if "expected" in values:
        values["expected"] = values["expected"].replace(" or ", ", ")
    return SeglabError(template, **values)


def validated(kind: type[Options], value: Any) -> Any:
    """The value as `kind` (an entry, a family's base, a group of options); raises SeglabError for what does not fit."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise explain(error, getattr(kind, "name", getattr(kind, "family", kind.__name__))) from None


# --- what the families pass to each other ---------------------------------------------------------------------------


@dataclass
class Outputs:
    """What a network gives for a batch: logits (B, K, H, W), and what else it computed, by name."""

    logits: Tensor
    extras: dict[str, Tensor] = field(default_factory=dict)


@dataclass
class Term:
    """One term of the objective: its raw value (a scalar with a graph) and the weight it enters the total with."""

    value: Tensor
    weight: float = 1.0


class Hooks:
    """What a technique may change while a run trains; every hook does nothing until a technique overrides it.

    One that `mixes_images` lets the images of a batch meet in its objective, so that parts are not as the whole.
    """

    mixes_images: ClassVar[bool] = False

    def on_order(self, epoch: int, order: list[int], rng: np.random.Generator) -> list[int]:
        """Changes which training samples an epoch shows, and when; gives as many as it gets, some perhaps repeated."""
        return order

    def side(self, epoch: int, side: int) -> int:
        """The longer side of an epoch's training images, in pixels, where it is `side` without this technique."""
        return side

    def strength(self, epoch: int) -> float:
        """The share of samples and of batches, between 0 and 1, that the techniques get to change in an epoch."""
        return 1.0

    def on_sample(self, sample: Sample, rng: np.random.Generator) -> Sample:
        """Changes one training sample, but not its arrays, which are kept for other epochs.

        `rng` depends on seed, epoch, sample and technique alone.
        """
        return sample

    def on_samples(self, samples: list[Sample], rng: np.random.Generator) -> list[Sample]:
        """Changes the training samples of one batch together, after each alone; not their arrays either."""
        return samples

    def on_batch(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Changes one training batch, made of its samples and of what the objective needs of them."""
        return batch

    def parts(self, batch: Batch) -> list[Batch]:
        """The batch in the parts that go through the network one after another, before one step of the optimizer."""
        return [batch]

    def objective(self, batch: Batch, inner: Callable[[Batch], dict[str, Term]]) -> dict[str, Term]:
        """Wraps the loss of one step; `inner` computes the terms without this technique."""
        return inner(batch)

    def norms(self, batch: Batch, inner: dict[str, Tensor]) -> dict[str, Tensor]:
        """The `Loss.norms` of the objective's terms; `inner` are those without this technique."""
        return inner

    def networks(self) -> list[Segmenter]:
        """Networks that learn beside the run's own, made when a run begins."""
        return []

    def notes(self) -> list[SeglabError]:
        """What a person should know of the technique at work in this run."""
        return []

    def on_grads(self) -> None:
        """Sees the gradients, before the optimizer does."""

    def on_step(self) -> None:
        """Follows each step of the optimizer."""

    def on_epoch(self, epoch: int) -> None:
        """Precedes each epoch, counted from 0, and the first step after a resume."""

    def on_eval(self, model: nn.Module) -> nn.Module:
        """Gives the model to evaluate, save and predict with."""
        return model

    def state_dict(self) -> dict[str, Any]:
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


# --- the families ---------------------------------------------------------------------------------------------------


class Architecture(Entry, family="architectures"):
    """A network that maps images to class logits.

    `paper` gives the published setting, `parameters` its size with 21 classes, `year` when it was published; `mean` and
    `std` are what the colours of its images, in [0, 1], are normalised with.
    """

    paper: ClassVar[dict[str, Any]]
    parameters: ClassVar[int]
    year: ClassVar[int]
    mean: ClassVar[tuple[float, float, float]] = (0.485, 0.456, 0.406)  # ImageNet's, as pretrained encoders expect
    std: ClassVar[tuple[float, float, float]] = (0.229, 0.224, 0.225)

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        """The network, its weights random: (B, in_channels, H, W) with H and W multiples of 32 -> logits (B,
        num_classes, h, w) or Outputs.

        Its `stages()` lists the encoder's stages from shallow to deep.
        """
        raise NotImplementedError

    def suited(self, side: int) -> Architecture:
        """The same with options that were left open set for images whose longer side has so many pixels."""
        return self

    def notes(self) -> list[SeglabError]:
        """What a person should see of the suited network, such as its atrous rates and why they are what they are."""
        return []

    def pretrain(self, net: nn.Module) -> None:
        """Gives the network the pretrained weights that the options ask for; raises SeglabError if it cannot."""

    def start(self, run: Run) -> None:
        """Lets a new run's network know its data; raises SeglabError for data that it cannot learn from."""

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        """What else the objective needs of a sample, by name: float32 (H, W, C), zeros where a batch is padded."""
        return {}

    def terms(self, outputs: Outputs, batch: Batch, loss: Loss, progress: float) -> dict[str, Term]:
        """The objective's terms by name; a network with side outputs weighs them here."""
        return loss.terms(outputs, batch, progress)

    def norms(self, batch: Batch, loss: Loss) -> dict[str, Tensor]:
        """The `Loss.norms` of the objective's terms."""
        return loss.norms(batch)

    def instances(self, outputs: Outputs, labels: np.ndarray) -> np.ndarray | None:
        """int32 (H, W): the things in an image, numbered from 1; None from a network that finds none.

        outputs are of a batch of this one image, at its size; labels uint8 (H, W) are what was predicted for it.
        """
        return None


class Loss(Entry, family="losses"):
    """A function that training minimizes; `cross_entropy + 0.5*dice` stands for a weighted sum."""

    @property
    def stressed(self) -> str | None:
        """The name of that target, from 0 to 1, by which the loss stresses pixels for where they lie; None: none."""
        return None

    @classmethod
    def parse(cls, value: Any) -> Entry:
        if isinstance(value, str) and not {"+", "*"}.isdisjoint(value):
            factors = [part.rpartition("*") for part in re.split(r"(?<!\d[eE])\+", value)]  # not 1e+2
            parts = [{"weight": weight if star else 1, "loss": name.strip()} for weight, star, name in factors]
            value = {"name": "sum", "parts": parts}
        return super().parse(value)

    def __call__(self, logits: Tensor, masks: Tensor) -> Tensor:
        """The scalar loss of logits (B, K, H, W) against masks (B, H, W) of class ids, 255 = void.

        Void pixels enter no sum; with no other pixel the value is zero and still has a graph.
        """
        raise NotImplementedError

    def terms(self, outputs: Outputs, batch: Batch, progress: float) -> dict[str, Term]:
        """The loss as named terms; `progress` runs from 0 to 1 over the run."""
        return {self.name: Term(self(outputs.logits, batch.masks))}

    def norms(self, batch: Batch) -> dict[str, Tensor]:
        """What terms that add up over images are divided by: value times norm of a batch is the sum over its images.

        Other terms are left out.
        """
        return {}

    def targets(self, sample: Sample) -> dict[str, np.ndarray]:
        """What the loss needs of a sample besides its mask, by name: float32 (H, W, C).

        Where a batch is padded they are zero, and so are the last channels of samples that have fewer than others.
        """
        return {}

    def resolved(self, statistics: Statistics) -> Loss:
        """The loss with numbers in place of what it takes from the training set; raises SeglabError if they misfit."""
        return self

    def notes(self, classes: Sequence[str]) -> list[SeglabError]:
        """What a person should see of the resolved loss, such as the weight of each class."""
        return []


class Scheduler(Entry, family="schedulers"):
    """How the learning rate changes over a run.

    With a warm-up, the rate first rises evenly, step by step; the schedule begins when that ends, as if the run began
    there, and has the steps that are left.
    """

    every: ClassVar[Literal["step", "epoch", "evaluation"]]  # when the rate may change, after the warm-up
    warmup: Annotated[
        float, Field(ge=0, le=1000, description="epochs of linear warm-up before the schedule; 0: none")
    ] = 0.0
    warmup_start: Annotated[float, Field(ge=0, le=1, description="starting rate as a fraction of the full rate")] = 0.1

    def build(
        self, optimizer: torch.optim.Optimizer, total: int, steps_per_epoch: int
    ) -> torch.optim.lr_scheduler.LRScheduler:
        """The torch scheduler, without the warm-up; `total` steps of the optimizer are its time."""
        raise NotImplementedError

    def watched(self, score: Score) -> float:
        """The number that decides after an evaluation, where that is when the rate may change."""
        raise NotImplementedError


LearningRate = Annotated[float, Field(gt=0, le=10, description="base learning rate, which the schedule changes")]
WeightDecay = Annotated[float, Field(ge=0, le=1, description="how strongly the weights are pulled toward zero")]


class Optimizer(Entry, family="optimizers"):
    """How gradients update the weights."""

    lr: LearningRate
    encoder_lr: Annotated[
        float | None,
        Field(gt=0, le=10, description="learning rate of the encoder; pretrained weights need a lower one; empty: lr"),
    ] = None
    weight_decay: WeightDecay
    decay_norms: Annotated[bool, Field(description="apply weight decay to norm layers and biases too")] = True
    clip: Annotated[
        float, Field(ge=0, le=1000, description="largest norm of all gradients; longer ones are scaled down; 0: any")
    ] = 0.0
    precision: Annotated[
        Literal["auto", "full", "mixed"],
        Field(description="full: 32 bits; mixed: 16 bits where it does no harm; auto: mixed on a GPU"),
    ] = "auto"

    def build(self, *modules: nn.Module) -> torch.optim.Optimizer:
        """The torch optimizer of one network or several; its first parameter group has the rate `lr`."""
        raise NotImplementedError


class Technique(Entry, family="techniques"):
    """Something that changes data or training over time, through a few hooks.

    One that `changes_images` looks at no more than a Feed when it starts, so that it can be previewed.
    """

    changes_images: ClassVar[bool] = False
    comes_last: ClassVar[bool] = False  # whether its hooks follow those of all others, however they are listed

    @property
    def needs(self) -> tuple[Path, ...]:
        """The folders of the runs that have to be finished before a run with this technique can begin."""
        return ()

    def hidden(self, count: int, seed: int) -> frozenset[int]:
        """The places of those among `count` training images whose masks and instances a run must not see."""
        return frozenset()

    def refuses(self, config: RunConfig) -> SeglabError | None:
        """Why the technique cannot work with this configuration, or None."""
        return None

    def start(self, run: Run) -> Hooks:
        """The technique's hooks for one run, before its optimizer exists."""
        raise NotImplementedError


class Predictor(Entry, family="predictors"):
    """Something that changes only how a trained network predicts."""

    def adapted(self, net: nn.Module) -> nn.Module:
        """The network to predict with; raises SeglabError for one that cannot be changed so."""
        return net

    def __call__(self, image: np.ndarray, predict: Predict) -> np.ndarray:
        """Probabilities float32 (K, H, W) for an image uint8 (H, W, 3), by means of `predict`, which gives the same.

        `predict` takes the number of times larger than in training that the network sees the image, if it is not 1.
        """
        return predict(image)


class Plan(Entry, family="plans"):
    """What needs several runs: one configuration becomes several."""

    def steps(self, config: RunConfig, place: Callable[[int], Path]) -> list[tuple[str, RunConfig]]:
        """The runs in the order they are worked on: for each, what sets it apart, and its configuration.

        `place(n)` is the folder that the n-th of them will have, for those that need it. Raises SeglabError for a
        configuration that the plan cannot vary.
        """
        raise NotImplementedError


class Dataset(Entry, family="datasets"):
    """Where images and masks come from."""

    def open(self) -> Data:
        """Finds the images; raises SeglabError when they are not there or not as they should be."""
        raise NotImplementedError
