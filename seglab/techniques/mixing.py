"""Techniques that mix the images of a batch: their pixels, or the statistics of their features."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Annotated, Any

import numpy as np
import torch
from pydantic import Field
from torch import Tensor, nn

from seglab.data.base import Batch, Sample
from seglab.errors import SeglabError
from seglab.families import DataHooks, Feed, Run, RunConfig, StepHooks, Technique, Term
from seglab.techniques.freezing import first_stages

Box = tuple[slice, slice]  # rows and columns


class Mixing(Technique):
    """What needs other images in the batch."""

    def refuses(self, config: RunConfig) -> SeglabError | None:
        if config.batch_size == 1:
            return SeglabError("it mixes the images of a batch; batch_size must be 2 or more")
        return super().refuses(config)


class CutMix(Mixing):
    """Pastes a box from another image of the batch, with its mask, so that objects appear in other contexts.

    Every image that is changed gets a box of its own, at any position, with a fraction 1 - l of the area minus what
    lies outside the image, and l from Beta(alpha, alpha).

    Source: Yun et al. 2019, https://arxiv.org/abs/1905.04899, eq. 1 and 2; masks are cut as the images are.
    """

    name = "cutmix"
    changes_images = True
    p: Annotated[float, Field(ge=0, le=1, description="probability that a sample is changed")] = 0.5
    alpha: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="distribution of the box area; 1: uniform; less: mostly tiny or huge; "
            "more: about half the image",
        ),
    ] = 1.0

    def data_hooks(self, feed: Feed) -> DataHooks:
        return Pasting(self.p, self.alpha)


class Pasting(DataHooks):
    """CutMix of samples: what the objective needs of them is made afterwards, and so belongs to the mixed masks."""

    def __init__(self, p: float, alpha: float):
        self.p, self.alpha = p, alpha

    def on_samples(self, samples: list[Sample], rng: np.random.Generator) -> list[Sample]:
        changed = list(samples)
        for n, other, part in boxes([sample.mask.shape for sample in samples], self.p, self.alpha, rng):
            changed[n] = pasted(samples[n], samples[other], part)
        return changed


def pasted(sample: Sample, other: Sample, part: Box) -> Sample:
    """The sample with a part of another, void as void; its things are known only where both samples' are."""
    image, mask, instances = sample.image.copy(), sample.mask.copy(), None
    image[part], mask[part] = other.image[part], other.mask[part]
    if sample.instances is not None and other.instances is not None:
        instances, new = sample.instances.copy(), other.instances[part]
        instances[part] = np.where(new > 0, new + instances.max(), 0)
    return replace(sample, image=image, mask=mask, instances=instances)


def boxes(
    sizes: Sequence[tuple[int, ...]], p: float, alpha: float, rng: np.random.Generator
) -> Iterator[tuple[int, int, Box]]:
    """Which of some images, (height, width) each, get a box, each of which other image, and where in both."""
    count = len(sizes)
    if count < 2:
        return
    shift = int(rng.integers(1, count))
    for n in np.flatnonzero(rng.random(count) < p).tolist():
        other = (n + shift) % count
        yield n, other, box(np.minimum(sizes[n], sizes[other]).tolist(), 1 - rng.beta(alpha, alpha), rng)


def box(size: Sequence[int], share: float, rng: np.random.Generator) -> Box:
    """Rows and columns of a box anywhere, with this share of the area and the shape of the whole, cut at its edges."""

    def part(side: int) -> slice:
        middle, half = rng.integers(side), side * share**0.5 / 2
        return slice(max(0, round(middle - half)), min(side, round(middle + half)))

    height, width = size
    return part(height), part(width)


class MixStyle(Mixing):
    """Mixes the styles of images, the means and deviations of shallow features, so that training relies less on style.

    Where skip connections pass a stage's features to the decoder, they pass the mixed ones. The paper mixes after the
    second and third stage of a ResNet, as stages are counted here.

    Source: Zhou et al. 2021, https://arxiv.org/abs/2104.02008: (x - m) / s (l s + (1 - l) s') + l m + (1 - l) m', with
    m and s the mean and deviation of each channel of an image, m' and s' another's, and l from Beta(alpha, alpha).
    """

    name = "mixstyle"
    p: Annotated[
        float, Field(ge=0, le=1, description="probability that a stage's features are mixed, drawn at every step")
    ] = 0.5
    alpha: Annotated[
        float,
        Field(
            gt=0,
            le=10,
            description="parameter of Beta(alpha, alpha), the mixing ratio; small values nearly keep "
            "one of the two styles",
        ),
    ] = 0.1
    first: Annotated[int, Field(ge=1, le=8, description="first stage that is mixed, counted from the input")] = 1
    last: Annotated[
        int, Field(ge=1, le=8, description="last stage that is mixed; the paper recommends shallow ones")
    ] = 2
    across_domains: Annotated[
        bool,
        Field(description="mix only with images of another domain, where the data has domains"),
    ] = True

    def refuses(self, config: RunConfig) -> SeglabError | None:
        if self.first > self.last:
            return SeglabError(
                "first is {first} and last is {last}; first cannot be larger than last",
                first=self.first,
                last=self.last,
            )
        return super().refuses(config)

    def step_hooks(self, run: Run) -> StepHooks:
        return Styling(self, first_stages(run, self.last, "mixstyle.last")[self.first - 1 :], run)


class Styling(StepHooks):
    """MixStyle in some stages of a run's network, while it computes the loss of a training step and never else."""

    mixes_images = True

    def __init__(self, options: MixStyle, stages: list[nn.Module], run: Run):
        self.options, self.stages, self.run = options, stages, run

    def objective(self, batch: Batch, inner: Callable[[Batch], dict[str, Term]]) -> dict[str, Term]:
        if len(batch.images) < 2 or not self.options.p:
            return inner(batch)
        others = self.others(batch)

        def mix(stage: nn.Module, inputs: Any, features: Tensor) -> Tensor:
            # another technique may send other images through the network within this step
            if len(features) != len(others) or torch.rand(()) >= self.options.p:
                return features
            return mixed(features, others, self.options.alpha)

        with ExitStack() as hooked:
            for stage in self.stages:
                hooked.callback(stage.register_forward_hook(mix).remove)
            return inner(batch)

    def others(self, batch: Batch) -> Tensor:
        """The place in the batch of each image's partner, drawn from the other domains where it can be."""
        allowed = 1 - torch.eye(len(batch.index))
        if self.options.across_domains:
            domains = [self.run.train.domain(n) for n in batch.index.tolist()]
            apart = torch.tensor([[float(one != other) for other in domains] for one in domains])
            allowed = torch.where(apart.any(1, keepdim=True), apart, allowed)
        return torch.multinomial(allowed, 1)[:, 0]


def mixed(features: Tensor, others: Tensor, alpha: float) -> Tensor:
    """Features (B, C, H, W), or a transformer's tokens (B, N, C), whose channels have a mean and deviation between
    their own and those of others' images. Tokens that stand for no place (class, registers) count and change, too."""
    exact = features.to(torch.promote_types(features.dtype, torch.float32))  # they may come in half precision
    places = (2, 3) if features.dim() == 4 else (1,)
    mean = exact.mean(places, keepdim=True).detach()
    std = (exact.var(places, keepdim=True) + 1e-6).sqrt().detach()
    share = torch.distributions.Beta(alpha, alpha).sample((len(features), *[1] * (features.dim() - 1))).to(exact)
    other_mean, other_std = (values[others.to(features.device)] for values in (mean, std))
    mixed = (exact - mean) / std * (share * std + (1 - share) * other_std) + share * mean + (1 - share) * other_mean
    return mixed.to(features.dtype)
