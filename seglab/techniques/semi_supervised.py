"""Learning from images whose masks are not used, beside a few whose masks are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.data.base import UNLABELED, VOID, Batch, photograph
from seglab.errors import SeglabError
from seglab.families import DataHooks, Feed, Run, RunConfig, StepHooks, Technique, Term
from seglab.loader import collated, hidden_by, random
from seglab.losses.weights import per
from seglab.model import Segmenter, Trained, placed
from seglab.techniques.augmentation import Blur, Color
from seglab.techniques.mixing import boxes

Confidence = Annotated[
    float, Field(ge=0, le=1, description="minimum probability at which a class becomes a label; void below it")
]
Objective = Callable[[Batch], dict[str, Term]]


class FewMasks(Technique):
    """Uses the masks of a part of the training images, the same for every technique, and of the others the images.

    The others' masks are hidden from the whole run: from losses, weights of classes and all techniques. An epoch has as
    many images as before; where it `shows_others`, up to half of each batch are unlabeled, and labeled ones come as
    often as it takes to fill the rest.
    """

    changes_images = True
    comes_last = True
    labeled: Annotated[
        float, Field(gt=0, le=1, description="fraction of the training images whose masks are used, drawn by the seed")
    ] = 0.125

    @property
    def shows_others(self) -> bool:
        raise NotImplementedError

    def hidden(self, count: int, seed: int) -> frozenset[int]:
        labeled = max(1, round(self.labeled * count))
        return frozenset(random(seed, "labelled").permutation(count)[labeled:].tolist())

    def refuses(self, config: RunConfig) -> SeglabError | None:
        others = [each.name for each in config.techniques if isinstance(each, FewMasks) and each is not self]
        if others:
            return SeglabError("{other} learns without masks too; pick one of them", other=others[0])
        return super().refuses(config)


class SemiSupervised(FewMasks):
    """Gives the objective a term to which the unlabeled images contribute; with a weight of 0 none is shown."""

    weight: Annotated[
        float,
        Field(ge=0, le=100, description="weight of the loss without masks; 0: learn from the labeled images alone"),
    ] = 1.0

    @property
    def shows_others(self) -> bool:
        return self.weight > 0

    def refuses(self, config: RunConfig) -> SeglabError | None:
        if config.batch_size == 1:
            return SeglabError("a batch has labeled and unlabeled images; batch_size must be 2 or more")
        return super().refuses(config)


class WithoutMasks(DataHooks):
    """The labeled and the unlabeled images of one run."""

    def __init__(self, options: FewMasks, feed: Feed):
        self.options, self.feed, self.hidden = options, feed, feed.train.hidden
        if self.hidden and len(feed.data.classes) > UNLABELED:
            raise SeglabError(
                "{technique}: the data has {count} classes; allowed: {most} or fewer",
                technique=options.name,
                count=len(feed.data.classes),
                most=UNLABELED,
            )

    def on_order(self, epoch: int, order: list[int], rng: np.random.Generator) -> list[int]:
        """Labeled and unlabeled images in turn, each kind in the order that it came in; then labeled ones again."""
        unlabeled = [n for n in order if n in self.hidden] if self.options.shows_others else []
        # another technique may have drawn none that is labeled
        known = [n for n in order if n not in self.hidden] or sorted({*range(len(self.feed.train))} - self.hidden)
        count, labeled = min(len(unlabeled), len(order) // 2), list(known)
        while len(labeled) < len(order) - count:
            labeled += rng.permutation(known).tolist()
        # of n places, the unlabeled images take those at which k * count / n reaches the next whole number
        takes = [(k + 1) * count // len(order) > k * count // len(order) for k in range(len(order))]
        sources = {True: iter(unlabeled), False: iter(labeled)}
        return [next(sources[taken]) for taken in takes]

    def notes(self) -> list[SeglabError]:
        count = len(self.feed.train)
        return [
            SeglabError(
                "{technique} uses the masks of {labeled} of the {count} training images",
                technique=self.options.name,
                labeled=count - len(self.hidden),
                count=count,
            )
        ]


class Consistency(SemiSupervised):
    """Also learns from unlabeled images: a confident prediction has to stay the same when the image is changed.

    The weak view is the image as all other techniques leave it. Where the network gives a class a probability of at
    least `confidence`, that class is the target for the strong view, which has changed colors and may be blurred or get
    a box from another unlabeled image. The loss is cross-entropy divided by the number of all pixels of these images,
    including those without a confident prediction; padding and the areas that rotation uncovers are excluded.

    Source: Sohn et al. 2020, https://arxiv.org/abs/2001.07685, eq. 4; for pixels as in Yang et al. 2023,
    https://arxiv.org/abs/2208.09910, section 3.1, where the boxes are as in French et al. 2020,
    https://arxiv.org/abs/1906.01916.
    """

    name = "consistency"
    confidence: Annotated[
        float,
        Field(ge=0, le=1, description="minimum probability at which a class becomes the target for the strong view"),
    ] = 0.95
    color: Annotated[
        float, Field(ge=0, le=1, description="largest change in the strong view's colors; hues change half as much")
    ] = 0.5
    blur: Annotated[float, Field(ge=0, le=1, description="fraction of the strong views that are blurred")] = 0.5
    cutmix: Annotated[
        float, Field(ge=0, le=1, description="fraction of the strong views that get a box from another image")
    ] = 0.5

    def data_hooks(self, feed: Feed) -> DataHooks:
        return StrongViews(self, feed)

    def step_hooks(self, run: Run) -> StepHooks | None:
        return Consistent(self, run) if self.weight else None


class StrongViews(WithoutMasks):
    """The strong views of a run's unlabeled images."""

    def __init__(self, options: Consistency, feed: Feed):
        super().__init__(options, feed)
        size = options.color
        colors = Color(p=0.8, brightness=size, contrast=size, saturation=size, hue=size / 2)
        self.changes = [technique.data_hooks(feed) for technique in (colors, Blur(p=options.blur))]

    def on_batch(self, batch: Batch, rng: np.random.Generator) -> Batch:
        """Adds the strong views, without their boxes; the images of a batch may reach the objective in parts."""
        if not self.options.shows_others or "unlabeled" not in batch.targets:
            return batch
        strong = batch.images.clone()
        for n in batch.targets["unlabeled"].flatten(1).any(1).nonzero()[:, 0].tolist():
            image = (batch.images[n] * 255).round().byte().permute(1, 2, 0).numpy()
            sample = photograph(image)
            for change in self.changes:
                sample = change.on_sample(sample, rng)
            strong[n] = torch.from_numpy(sample.image).permute(2, 0, 1) / 255
        return replace(batch, targets=batch.targets | {"strong": strong})


class Consistent(StepHooks):
    """What one run learns from the strong views of its unlabeled images."""

    mixes_images = True

    def __init__(self, options: Consistency, run: Run):
        self.options, self.run = options, run

    def objective(self, batch: Batch, inner: Objective) -> dict[str, Term]:
        terms, weak = with_logits(self.run.model, batch, inner)
        return terms | {"consistency": Term(self.difference(batch, weak), self.options.weight)}

    def difference(self, batch: Batch, weak: Tensor) -> Tensor:
        """How far what the network sees in the strong views is from what it is sure to see in the weak ones."""
        there = unlabeled(batch)
        places = there.flatten(1).any(1).nonzero()[:, 0]
        if not self.run.anywhere(len(places) > 0):
            return (weak * 0).sum()
        if not len(places):
            places = places.new_zeros(1)  # an image without a pixel to learn from
        there = there[places]
        images = batch.targets.get("strong", batch.images)[places]  # none where progressive_size spares the batch
        before = [images, pseudo_labels(weak[places], there, self.options.confidence), there]
        after = [values.clone() for values in before]
        rng = np.random.default_rng(int(torch.randint(2**31, ())))  # which depends on the step alone
        for n, other, part in boxes([there.shape[1:]] * len(there), self.options.cutmix, 1.0, rng):
            for old, new in zip(before, after, strict=True):
                new[n, ..., part[0], part[1]] = old[other, ..., part[0], part[1]]
        images, masks, there = after
        with self.run.autocast:
            strong = self.run.model(images).logits
        return mean_cost(strong, masks, there)


class CPS(SemiSupervised):
    """Two networks with different initial weights teach each other with the labels that they predict for all pixels.

    The second network has the same architecture and its own random weights, with the pretrained ones that the
    options ask for, even where init_from gives the weights of the first; a run saves, scores and shows only the first.
    Both learn from the masks there are. They teach each other by cross-entropy over all pixels of labeled and unlabeled
    images alike, except void, padding and the areas that rotation uncovers. Techniques that change a network, such as
    freeze, mixstyle or ema, change the first.

    Source: Chen et al. 2021, https://arxiv.org/abs/2106.01226, section 3; the weight there is 1.5 for VOC and 6 for
    Cityscapes.
    """

    name = "cps"

    def data_hooks(self, feed: Feed) -> DataHooks:
        return WithoutMasks(self, feed)

    def step_hooks(self, run: Run) -> StepHooks | None:
        return Pair(self, run) if self.weight else None


class Pair(StepHooks):
    """A run's network with a second one."""

    term = "cross pseudo supervision"

    def __init__(self, options: CPS, run: Run):
        self.options, self.run = options, run
        run.seed_torch("weights", "second")
        self.second = Segmenter(run.config.model, len(run.data.classes), run.config.image_size)
        if run.fresh:
            run.config.model.pretrain(self.second.net)
        placed(self.second, run.device)

    def networks(self) -> list[nn.Module]:
        return [self.second]

    def objective(self, batch: Batch, inner: Objective) -> dict[str, Term]:
        terms, first = with_logits(self.run.model, batch, inner)
        with self.run.autocast:
            outputs = self.second(batch.images)
        terms |= {f"{name}, second": term for name, term in self.run.terms(outputs, batch).items()}
        there, second = covered(batch), outputs.logits
        value = mean_cost(first, pseudo_labels(second, there), there)
        value = value + mean_cost(second, pseudo_labels(first, there), there)
        return terms | {self.term: Term(value, self.options.weight)}

    def norms(self, batch: Batch, inner: dict[str, Tensor]) -> dict[str, Tensor]:
        second = {f"{name}, second": norm for name, norm in inner.items()}
        return inner | second | {self.term: covered(batch).sum().float()}

    def state_dict(self) -> dict[str, Any]:
        return self.second.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.second.load_state_dict(state)


class PseudoLabels(FewMasks):
    """Learns from the labels that a finished run, the teacher, predicts for the images whose masks are not used.

    When a run begins, the teacher labels each of these images as it is stored, at this run's size; where no class has a
    probability of at least `confidence`, the label is void. From then on these labels are used like masks: techniques
    change them with their images, and the loss counts them the same. What depends on class frequencies, such as
    class_weights and class_balanced, uses the masks alone, and so do instances. Without a teacher, a run learns from
    the labeled images alone, which is how a teacher is trained.

    Source: Xie et al. 2020, https://arxiv.org/abs/1911.04252, algorithm 1; with hard labels; there, images are left
    out whose label has a probability of 0.3 or less (section 3.1).
    """

    name = "pseudo_labels"
    teacher: Annotated[
        Path | None, Field(description="folder of the run that labels the other images; empty: they are not used")
    ] = None
    confidence: Confidence = 0.5

    @property
    def needs(self) -> tuple[Path, ...]:
        return (self.teacher,) if self.teacher else ()

    @property
    def shows_others(self) -> bool:
        return self.teacher is not None

    def needing(self, other: Callable[[Path], Path | None]) -> Technique:
        return self.model_copy(update={"teacher": self.teacher and other(self.teacher)})

    def data_hooks(self, feed: Feed) -> DataHooks:
        return Taught(self, feed)


class Taught(WithoutMasks):
    """The labels that one run's teacher gave, which stand in the run's training samples."""

    options: PseudoLabels

    def __init__(self, options: PseudoLabels, feed: Feed):
        super().__init__(options, feed)
        self.told: list[SeglabError] = []
        self.teacher = ""  # sha256 of its weights
        if options.teacher and self.hidden:
            assert feed.load  # a technique that needs a run is given the means to load it
            self.ask(feed.load(options.teacher))

    def ask(self, teacher: Trained) -> None:
        feed, who = self.feed, {"technique": self.options.name, "run": teacher.name}
        if teacher.classes != feed.data.classes:
            raise SeglabError("{technique}: the classes of {run} differ from those of the data", **who)
        weights = [value.cpu().numpy().tobytes() for value in teacher.model.state_dict().values()]
        self.teacher = sha256(b"".join(weights)).hexdigest()
        shares = []
        for n in sorted(self.hidden):
            labels = labelled_by(teacher.model, feed.train[n].image, self.options.confidence)
            labels[labels == len(teacher.classes)] = VOID  # what a network of others takes for no class
            feed.train.relabel(n, labels)
            shares.append((labels != VOID).mean())
        share = f"{np.mean(shares):.0%}"
        self.told.append(SeglabError("{technique}: {run} labels {share} of the other images", share=share, **who))
        same_data = (teacher.config.data, teacher.config.fold) == (feed.config.data, feed.config.fold)
        if teacher.config.model.trains and not (
            same_data and self.hidden <= hidden_by(teacher.config, len(feed.train))
        ):
            self.told.append(SeglabError("{technique}: {run} was trained with other masks than this run uses", **who))

    def notes(self) -> list[SeglabError]:
        return [*super().notes(), *self.told]

    def state_dict(self) -> dict[str, Any]:
        return {"teacher": self.teacher}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        if state["teacher"] != self.teacher:
            assert self.options.teacher  # or neither run had one
            raise SeglabError(
                "{technique}: the weights of {run} are not those that this run started with",
                technique=self.options.name,
                run=self.options.teacher.name,
            )


@torch.no_grad()
def labelled_by(model: Segmenter, image: np.ndarray, threshold: float) -> np.ndarray:
    """uint8 (H, W): the likeliest class of each pixel of an image uint8 (H, W, 3); void where its probability is below
    the threshold."""
    batch = collated([photograph(image)], [0]).to(model.mean.device)
    logits = model(batch.images).logits
    return pseudo_labels(logits, batch.masks == 0, threshold)[0].to(torch.uint8).cpu().numpy()


def with_logits(model: Segmenter, batch: Batch, inner: Objective) -> tuple[dict[str, Term], Tensor]:
    """The terms of the objective, and the logits that the model gave for the batch on the way."""
    seen: list[Tensor] = []
    handle = model.register_forward_hook(lambda module, inputs, outputs: seen.append(outputs.logits))
    try:
        return inner(batch), seen[0]
    finally:
        handle.remove()


def unlabeled(batch: Batch) -> Tensor:
    """bool (B, H, W): the pixels of unlabeled images, without what is padded or was uncovered."""
    return batch.targets["unlabeled"][:, 0] > 0 if "unlabeled" in batch.targets else torch.zeros_like(batch.masks) > 0


def covered(batch: Batch) -> Tensor:
    """bool (B, H, W): the pixels that have a label or are without one because it is hidden."""
    return (batch.masks != VOID) | unlabeled(batch)


def pseudo_labels(logits: Tensor, there: Tensor, threshold: float = 0.0) -> Tensor:
    """int64 (B, H, W): the likeliest class of each pixel that is there (bool) and whose class has at least this
    probability; void elsewhere."""
    probabilities, labels = logits.detach().softmax(1).max(1)
    return labels.where(there & (probabilities >= threshold), VOID)


def mean_cost(logits: Tensor, labels: Tensor, there: Tensor) -> Tensor:
    """The cross-entropy of all pixels that have a label, divided by the number of those that are there."""
    return per(F.cross_entropy(logits, labels, ignore_index=VOID, reduction="sum"), there.sum().float())
