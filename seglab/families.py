"""The eight families: what each kind of entry gives, what it may use of a run, and the configuration that they make up.

Entries are registered by `seglab.config`, which finds their files; `RunConfig` needs that for its defaults.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Protocol, runtime_checkable

from pydantic import Field, model_validator

from seglab.entry import Entry, Options, mistake
from seglab.errors import SeglabError
from seglab.spelling import OTHER_WORDS

if TYPE_CHECKING:
    import numpy as np
    import torch
    from torch import Tensor, nn

    from seglab.data.base import Batch, Data, Sample, Statistics
    from seglab.events import Score

IMAGENET = ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))  # mean and deviation, as pretrained encoders expect
Predict = Callable[..., "np.ndarray"]  # (image uint8 (H, W, 3), zoom = 1.0) -> probabilities float32 (K, H, W)


# --- what the families pass to each other


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


@runtime_checkable
class Staged(Protocol):
    """A network that says which modules are its encoder's stages, from shallow to deep."""

    def stages(self) -> Sequence[nn.Module]: ...


def stages_of(network: Any, option: str) -> Sequence[nn.Module]:
    """The stages of a network's encoder; raises SeglabError where it does not say, for the option that asks."""
    if not isinstance(network, Staged):
        raise SeglabError("{option}: this network does not say what its encoder is; give it a method stages, which "
                          "lists the encoder's stages", option=option)  # fmt: skip
    return network.stages()


# --- what a technique, an architecture or a loss may use of a run


class Samples(Protocol):
    """The training samples at their training size (loader.Cached); those at the indices in `hidden` have no masks."""

    @property
    def hidden(self) -> frozenset[int]: ...

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Sample: ...

    def domain(self, index: int) -> str | None: ...

    def relabel(self, index: int, labels: np.ndarray) -> None: ...


class Feed(Protocol):
    """What there is before the network: the data as a run sees them (loader.Feed)."""

    config: RunConfig
    data: Data
    load: Callable[[Path], Any] | None  # folder of a run -> its best model, a model.Trained

    @property
    def train(self) -> Samples: ...

    def order(self, epoch: int) -> list[int]: ...

    def batch(self, epoch: int, places: list[int]) -> Batch: ...


class Run(Feed, Protocol):
    """What there is while a run trains (training.Run)."""

    model: Any  # a model.Segmenter
    loss: Loss
    device: torch.device
    fresh: bool  # whether the run begins, and is not one that goes on
    step_hooks: dict[str, StepHooks]

    @property
    def autocast(self) -> AbstractContextManager: ...

    def terms(self, outputs: Outputs, batch: Batch) -> dict[str, Term]: ...

    def norms(self, batch: Batch) -> dict[str, Tensor]: ...

    def apart(self) -> tuple[list[str], list[str]]: ...

    def anywhere(self, here: bool) -> bool:
        """Whether this is so in any of the processes that work on the run; each of them has to ask. All of them have
        to go through the network equally often."""
        ...

    def seed_torch(self, *place: int | str) -> None: ...


class Hooks:
    """What a technique keeps while a run trains."""

    def notes(self) -> list[SeglabError]:
        """What a person should know of the technique at work in this run."""
        return []

    def state_dict(self) -> dict[str, Any]:
        """What a resumed run needs; a technique keeps it in one of its hooks, not in both."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        pass


class DataHooks(Hooks):
    """What a technique may change of the data; a Feed asks. Every hook does nothing until a technique overrides it."""

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

    @property
    def combines(self) -> bool:
        """Whether it changes the images of a batch together, so that a part of one cannot be made alone."""
        kind = type(self)
        return kind.on_samples is not DataHooks.on_samples or kind.on_batch is not DataHooks.on_batch


class StepHooks(Hooks):
    """What a technique may change of a step of training; the loop asks. Every hook does nothing until overridden.

    One that `mixes_images` lets the images of a batch meet in its objective, so that parts are not as the whole.
    """

    mixes_images: ClassVar[bool] = False

    def parts(self, batch: Batch) -> list[Batch]:
        """The batch in the parts that go through the network one after another, before one step of the optimizer."""
        return [batch]

    def objective(self, batch: Batch, inner: Callable[[Batch], dict[str, Term]]) -> dict[str, Term]:
        """Wraps the loss of one step; `inner` computes the terms without this technique."""
        return inner(batch)

    def norms(self, batch: Batch, inner: dict[str, Tensor]) -> dict[str, Tensor]:
        """The `Loss.norms` of the objective's terms; `inner` are those without this technique."""
        return inner

    def networks(self) -> list[nn.Module]:
        """Networks that learn beside the run's own, made when a run begins."""
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


# --- the families


class Architecture(Entry, family="architectures"):
    """A network that maps images to class logits.

    `paper` gives the published setting, `parameters` its size with 21 classes, `year` when it was published; `mean` and
    `std` are what the colours of its images, in [0, 1], are normalised with.
    """

    paper: ClassVar[dict[str, Any]] = {}
    parameters: ClassVar[int | None] = None  # of one's own network, which nobody has published
    year: ClassVar[int | None] = None
    trains: ClassVar[bool] = True  # whether a run can train it; a network of others is taken as it is

    @property
    def title(self) -> str:
        """What tells it apart from other networks in a word: its name, or where a network of others comes from."""
        return self.name

    @property
    def mean(self) -> tuple[float, float, float]:
        return IMAGENET[0]

    @property
    def std(self) -> tuple[float, float, float]:
        return IMAGENET[1]

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        """The network, its weights random: (B, in_channels, H, W) with H and W multiples of 32 -> logits (B,
        num_classes, h, w) or Outputs. One that does not train may give a channel more: void, what is none of them.

        Its `stages()` lists the encoder's stages from shallow to deep; one without it can do all but what asks for
        these: freezing, and a learning rate of the encoder's own.
        """
        raise NotImplementedError

    def suited(self, side: int) -> Architecture:
        """The same with options that were left open set for images whose longer side has so many pixels."""
        return self

    def notes(self) -> list[SeglabError]:
        """What a person should see of the suited network, such as its atrous rates and why they are what they are."""
        return []

    def advice(self, config: RunConfig) -> list[SeglabError]:
        """What a person should know before a run with this configuration begins, such as that it will not learn."""
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
    """A function that training minimizes."""

    @property
    def weight_map(self) -> str | None:
        """The name of the target, from 0 to 1, that weighs pixels by where they lie; None: the loss has none."""
        return None

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
        Field(description="full: 32 bits; mixed: 16 bits where it does no harm; auto: mixed where that is fast"),
    ] = "auto"

    def build(self, *modules: nn.Module) -> torch.optim.Optimizer:
        """The torch optimizer of one network or several; its first parameter group has the rate `lr`."""
        raise NotImplementedError


class Technique(Entry, family="techniques"):
    """Something that changes data or training over time, through a few hooks.

    What it changes of the data, it changes by hooks that a Feed is enough for, so that it can be previewed.
    """

    changes_images: ClassVar[bool] = False  # whether a preview shows what it does
    comes_last: ClassVar[bool] = False  # whether its hooks follow those of all others, however they are listed

    @property
    def needs(self) -> tuple[Path, ...]:
        """The folders of the runs that have to be finished before a run with this technique can begin."""
        return ()

    def needing(self, other: Callable[[Path], Path | None]) -> Technique:
        """The technique with another run in the place of each that it needs, or with none."""
        return self

    def hidden(self, count: int, seed: int) -> frozenset[int]:
        """The indices of those among `count` training images whose masks and instances a run must not see."""
        return frozenset()

    def refuses(self, config: RunConfig) -> SeglabError | None:
        """Why the technique cannot work with this configuration, or None."""
        return None

    def data_hooks(self, feed: Feed) -> DataHooks | None:
        """What it changes of one run's data; None for one that changes none."""
        return None

    def step_hooks(self, run: Run) -> StepHooks | None:
        """What it changes of one run's steps, before the run's optimizer exists; None for one that changes none."""
        return None


class Predictor(Entry, family="predictors"):
    """Something that changes only how a trained network predicts."""

    # Whether what it makes of the mean of several models' probabilities is the mean of what it makes of each; a vote of
    # models that have been asked one by one then needs no further pass.
    linear: ClassVar[bool] = False

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


class Preset(Entry, family="presets"):
    """A recipe to begin with: fields of a run, whose data and seed it leaves open."""

    settings: ClassVar[Mapping[str, Any]]  # as they may be written for `config.configured`


class Dataset(Entry, family="datasets"):
    """Where images and masks come from."""

    private: ClassVar[bool] = True  # whether pictures and their names stay on this machine unless somebody says so
    sequence: ClassVar[bool] = False  # whether neighboring images are frames of a video, which are alike

    @property
    def here(self) -> bool:
        """Whether its files are on this machine, as far as their folder tells; True for what needs none."""
        return True

    @classmethod
    def any_here(cls) -> bool:
        """Whether the page may offer it: its files are on this machine, or those of some choices of its options."""
        return cls().here

    def download(self) -> Path:
        """Fetches it, where it has a public address, and gives its folder; an interrupted download continues."""
        raise SeglabError("{name} cannot be downloaded from a public address", name=self.name)

    def open(self) -> Data:
        """Finds the images; raises SeglabError when they are not there or not as they should be."""
        raise NotImplementedError


# --- the configuration


class Fold(Options):
    """One of several equal parts of the training images, held out and validated on instead of the usual."""

    index: Annotated[int, Field(ge=0, description="index of the fold that is held out, counted from 0")] = 0
    of: Annotated[int, Field(ge=2, le=20, description="number of folds")] = 5


@dataclass(frozen=True)
class Default:
    """The entry that a field of RunConfig has by default; looked up when a configuration is made."""

    family: type[Entry]
    data: Mapping[str, Any]

    def __call__(self) -> Any:
        return self.family.parse(self.data)


def default(family: type[Entry], name: str, **options: Any) -> Any:
    """The entry of this name as a field's default."""
    return Field(default_factory=Default(family, {"name": name, **options}))


def from_text(field: Any, value: Any) -> Any:
    """What was given for a field, as data where it is text that stands for several entries: `cross_entropy + 0.5*dice`
    as a weighted sum, `flip,color` as a list of names."""
    if field == "techniques" and isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    if field != "loss" or not isinstance(value, str) or {"+", "*"}.isdisjoint(value):
        return value
    parts = [part.rpartition("*") for part in re.split(r"(?<!\d[eE])\+", value)]  # not 1e+2
    return {
        "name": "sum",
        "parts": [{"weight": weight if star else 1, "loss": name.strip()} for weight, star, name in parts],
    }


def kinds_named(family: type[Entry], value: Any) -> Iterator[type[Entry]]:
    """The entries that a value names, as far as they are known; those of a sum in its place."""
    if isinstance(value, list | tuple):
        for each in value:
            yield from kinds_named(family, each)
        return
    value = value.model_dump() if isinstance(value, Entry) else value
    if isinstance(value, Mapping):
        if parts := value.get("parts"):
            yield from kinds_named(family, [part.get("loss") for part in parts if isinstance(part, Mapping)])
            return
        value = value.get("name")
    if isinstance(value, str) and (kind := family.known().get(value)):
        yield kind


class RunConfig(Options):
    """Everything that decides what a run learns; two runs are the same setting when only their seeds differ."""

    data: Annotated[Dataset, Field(description="source of the images and masks")] = default(Dataset, "streets")
    model: Annotated[Architecture, Field(description="network architecture to train")] = default(Architecture, "unet")
    loss: Annotated[Loss, Field(description="function that training minimizes")] = default(
        Loss, "sum", parts=[{"loss": "cross_entropy"}, {"loss": "dice"}]
    )
    scheduler: Annotated[Scheduler, Field(description="how the learning rate changes")] = default(Scheduler, "constant")
    optimizer: Annotated[Optimizer, Field(description="how gradients update the weights")] = default(Optimizer, "adamw")
    techniques: Annotated[tuple[Technique, ...], Field(max_length=20, description="augmentation, EMA and so on")] = ()
    image_size: Annotated[
        int, Field(ge=32, le=1024, description="longer side of the images in training, in pixels")
    ] = 128
    batch_size: Annotated[int, Field(ge=1, le=128, description="images per optimizer step")] = 8
    epochs: Annotated[int, Field(ge=1, le=1000, description="number of passes over the training images")] = 5
    budget_seconds: Annotated[
        float | None, Field(gt=0, le=604_800, description="training stops after this many seconds; empty: no limit")
    ] = None
    seed: Annotated[int, Field(ge=0, lt=2**31, description="determines every random choice of the run")] = 0
    init_from: Annotated[Path | None, Field(description="folder of a run whose weights initialize this one")] = None
    fold: Annotated[Fold | None, Field(description="cross-validation: the held-out fold of the training images")] = None

    @property
    def needs(self) -> tuple[Path, ...]:
        """The folders of the runs that have to be finished before this one can begin."""
        begin = (self.init_from,) if self.init_from else ()
        return begin + tuple(run for technique in self.techniques for run in technique.needs)

    def needing(self, other: Callable[[Path], Path | None]) -> RunConfig:
        """The configuration with another run in the place of each that it needs, or with none."""
        techniques = tuple(technique.needing(other) for technique in self.techniques)
        return self.model_copy(update={"init_from": self.init_from and other(self.init_from), "techniques": techniques})

    @classmethod
    def elsewhere(cls, option: str, given: Mapping[str, Any]) -> str | None:
        option = OTHER_WORDS.get(option, option)
        for name, info in cls.model_fields.items():
            family = Technique if name == "techniques" else getattr(info.default_factory, "family", None)
            if family is None or option in cls.model_fields:
                continue
            value = from_text(name, given.get(name))
            kinds = list(kinds_named(family, info.get_default(call_default_factory=True) if value is None else value))
            for kind in kinds:
                if option in kind.model_fields:
                    several = len(kinds) > 1 or name == "techniques"
                    return f"{name}.{kind.name}.{option}" if several else f"{name}.{option}"
        return None

    @model_validator(mode="before")
    @classmethod
    def _text(cls, value: Any) -> Any:
        return {field: from_text(field, each) for field, each in value.items()} if isinstance(value, Mapping) else value

    @model_validator(mode="after")
    def _fits_together(self) -> RunConfig:
        names = [technique.name for technique in self.techniques]
        for technique in self.techniques:
            if names.count(technique.name) > 1:
                raise mistake("twice", name=technique.name)
            if reason := technique.refuses(self):
                raise mistake("refused", name=technique.name, reason=reason)
        if self.fold and self.fold.index >= self.fold.of:
            raise mistake("fold", index=self.fold.index, most=self.fold.of - 1)
        if self.scheduler.warmup >= self.epochs:
            raise mistake("warmup", warmup=f"{self.scheduler.warmup:g}", epochs=self.epochs)
        return self
