"""Networks whose skip connections are networks too: U-Net++ between neighboring scales, U-Net 3+ between all."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import reduce
from operator import add
from typing import Annotated, Literal

import torch
import torch.nn.functional as F
from pydantic import Field
from torch import Tensor, nn

from seglab.architectures._blocks import Encoder, convolutions, he_initialized, upsampling
from seglab.data.base import VOID, Batch
from seglab.families import Architecture, Loss, Outputs, Term

LEVELS = 5  # of the encoder, in both papers
UNLIKELY = math.log(1e-6)  # the logit of a class that an image is said not to have

Width = Annotated[int, Field(ge=4, le=64, description="channels of the first level; each further level doubles them")]


class UNetPlusPlus(Architecture):
    """U-Nets of four depths in one, joined by dense skip connections; once trained, it can be pruned to any of them.

    With deep supervision the objective is the mean over the four depths, and the predictor `depth` prunes the network
    or averages the predictions of its depths. The authors' code has dropout of 0.5 after each convolution, and no batch
    norm.

    Source: Zhou et al. 2018, https://arxiv.org/abs/1807.10165, fig. 1 and section 3; cutting also in Zhou et al. 2020,
    https://arxiv.org/abs/1912.05074.
    """

    name = "unet_plus_plus"
    year = 2018
    paper = {"width": 32, "batch_norm": False, "deep_supervision": True, "dropout": 0.5}
    parameters = 9_044_916
    width: Width = 8
    batch_norm: Annotated[bool, Field(description="batch norm after every 3x3 convolution; the paper has none")] = True
    deep_supervision: Annotated[
        bool, Field(description="train one classifier per depth; otherwise a single one at the deepest")
    ] = True
    dropout: Annotated[float, Field(ge=0, le=0.9, description="dropout rate after each convolution")] = 0.0

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        widths = [self.width << level for level in range(LEVELS)]

        def node(seen: int, channels: int) -> nn.Module:
            return convolutions(seen, channels, norm=self.batch_norm, dropout=self.dropout)

        places = [(i, j) for j in range(1, LEVELS) for i in range(LEVELS - j)]
        depths = range(1, LEVELS) if self.deep_supervision else [LEVELS - 1]
        net = NestedNet(
            [node(seen, channels) for seen, channels in zip([in_channels, *widths[:-1]], widths, strict=True)],
            {f"{i}_{j}": upsampling(widths[i + 1], widths[i]) for i, j in places},
            {f"{i}_{j}": node((j + 1) * widths[i], widths[i]) for i, j in places},
            {str(depth): nn.Conv2d(widths[0], num_classes, 1) for depth in depths},
        )
        return net if self.batch_norm else he_initialized(net, transposed=True)

    def terms(self, outputs: Outputs, batch: Batch, loss: Loss, progress: float) -> dict[str, Term]:
        heads = [maps for name, maps in outputs.extras.items() if name.startswith("depth_")]
        return averaged(loss, heads or [outputs.logits], batch, progress)


class UNet3Plus(Architecture):
    """Each decoder stage combines the features of all scales, and the network also predicts which classes are present.

    The presence of each class is learned from the classes among an image's labeled pixels. In evaluation, classes
    predicted to be absent (below 0.5) are removed from the probabilities; in training they stay. The paper has one
    organ, and its module two outputs, background and organ; guidance by object does the same, with one output for the
    first class and one for all others. The objective is the mean over the side outputs.

    Source: Huang et al. 2020, https://arxiv.org/abs/2004.08790, fig. 1 to 3 and section 2.
    """

    name = "unet_3_plus"
    year = 2020
    paper = {"width": 64, "deep_supervision": True, "guidance": "object"}
    parameters = 27_406_507
    width: Width = 8
    deep_supervision: Annotated[
        bool, Field(description="train a classifier on every decoder stage and on the deepest stage")
    ] = True
    guidance: Annotated[
        Literal["none", "classes", "object"],
        Field(
            description="predict from the whole image which classes, or whether any object, it has, and suppress the "
            "rest"
        ),
    ] = "classes"
    presence_weight: Annotated[
        float, Field(ge=0, le=10, description="weight of the loss for predicting which classes an image has")
    ] = 1.0

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        heads = LEVELS if self.deep_supervision else 1
        kinds = {"none": 0, "classes": num_classes, "object": 2}[self.guidance]
        return FullScaleNet(in_channels, num_classes, self.width, heads, kinds)

    def terms(self, outputs: Outputs, batch: Batch, loss: Loss, progress: float) -> dict[str, Term]:
        sides = [maps for name, maps in outputs.extras.items() if name.startswith("side_")]
        terms = averaged(loss, [outputs.logits, *sides], batch, progress)
        if "presence" in outputs.extras:
            present = present_classes(batch.masks, outputs.logits.shape[1])
            if self.guidance == "object":
                present = torch.stack([present[:, 0], present[:, 1:].any(1)], 1)
            value = presence_loss(outputs.extras["presence"], present)
            terms["presence"] = Term(value, self.presence_weight)
        return terms

    def norms(self, batch: Batch, loss: Loss) -> dict[str, Tensor]:
        if self.guidance == "none":
            return loss.norms(batch)
        return loss.norms(batch) | {"presence": (batch.masks != VOID).flatten(1).any(1).sum().float()}


def averaged(loss: Loss, heads: Sequence[Tensor], batch: Batch, progress: float) -> dict[str, Term]:
    """The terms of a loss, each the mean of what it is for the logits (B, K, H, W) of several classifiers."""
    each = [loss.terms(Outputs(logits), batch, progress) for logits in heads]
    return {
        name: Term(reduce(add, (terms[name].value for terms in each)) / len(each), term.weight)
        for name, term in each[0].items()
    }


# --- U-Net++ ----------------------------------------------------------------------------------------------------------


class NestedNet(nn.Module):
    """A grid of nodes X(i, j), with i halvings of the resolution; the X(i, 0) are the stages of an encoder.

    X(i, j) sees all nodes before it in its row, and X(i + 1, j - 1) at twice its resolution. `up` and `nodes` are named
    "i_j"; `heads` are classifiers on X(0, depth), named by their depth, the last of which gives the logits.
    """

    def __init__(
        self,
        stages: Sequence[nn.Module],
        up: Mapping[str, nn.Module],
        nodes: Mapping[str, nn.Module],
        heads: Mapping[str, nn.Module],
    ):
        super().__init__()
        self.encoder = Encoder(*stages)
        self.up, self.nodes, self.heads = nn.ModuleDict(up), nn.ModuleDict(nodes), nn.ModuleDict(heads)

    def stages(self) -> list[nn.Module]:
        return list(self.encoder.stages)

    @property
    def depths(self) -> list[int]:
        """The depths at which there is a classifier."""
        return [int(depth) for depth in self.heads]

    def forward(self, images: Tensor) -> Tensor | Outputs:
        rows = [[features] for features in self.encoder(images)]
        for j in range(1, len(rows)):
            for i in range(len(rows) - j):
                place = f"{i}_{j}"
                above = self.up[place](rows[i + 1][j - 1])
                rows[i].append(self.nodes[place](torch.cat([*rows[i], above], 1)))
        extras = {f"depth_{depth}": head(rows[0][int(depth)]) for depth, head in self.heads.items()}
        logits = extras[f"depth_{self.depths[-1]}"]
        return Outputs(logits, extras) if len(extras) > 1 else logits

    def at_depth(self, depth: int) -> NestedNet:
        """The same layers without those that the classifier at this depth does not need: X(i, j) with i + j <= depth.

        Its logits are exactly those of the whole network at this depth.
        """
        kept = [place for place in self.nodes if sum(map(int, place.split("_"))) <= depth]
        cut = NestedNet(
            self.stages()[: depth + 1],
            {place: self.up[place] for place in kept},
            {place: self.nodes[place] for place in kept},
            {str(depth): self.heads[str(depth)]},
        )
        cut.training = self.training
        return cut

    def ensemble(self) -> nn.Module:
        """The same network, whose logits are the mean over its depths."""
        return DepthsAverage(self).train(self.training)


class DepthsAverage(nn.Module):
    """Logits that are the log of the mean of the probabilities at each depth of a network."""

    def __init__(self, net: NestedNet):
        super().__init__()
        self.net = net

    def forward(self, images: Tensor) -> Tensor:
        depths = torch.stack(list(self.net(images).extras.values()))
        return depths.float().log_softmax(2).logsumexp(0) - math.log(len(depths))


# --- U-Net 3+ ---------------------------------------------------------------------------------------------------------


class FullScaleNet(nn.Module):
    """A U-Net of five levels, in which each decoder stage sees all shallower encoder and all deeper decoder features.

    `width` are the channels of the first level, and those that each of the five sources is brought to. There are
    `heads` 3x3 classifiers: on the finest decoder stage, whose maps are the logits, then on coarser ones, and on the
    bottom. `kinds` are the things whose presence is told: none, each class, or 2: the first class, and all others.
    """

    def __init__(self, in_channels: int, num_classes: int, width: int, heads: int, kinds: int):
        super().__init__()
        widths = [width << level for level in range(LEVELS)]
        fused = LEVELS * width
        stages = [convolutions(a, b, bias=True) for a, b in zip([in_channels, *widths], widths, strict=False)]
        self.encoder = Encoder(*stages)
        self.skips, self.fusions = nn.ModuleList(), nn.ModuleList()  # by level, from the finest
        for level in range(LEVELS - 1):
            sources = [*widths[: level + 1], *[fused] * (LEVELS - 2 - level), widths[-1]]
            self.skips.append(nn.ModuleList(convolutions(source, width, 1, bias=True) for source in sources))
            self.fusions.append(convolutions(fused, fused, 1, bias=True))
        decoded = [*[fused] * (LEVELS - 1), widths[-1]]
        self.heads = nn.ModuleList(nn.Conv2d(channels, num_classes, 3, padding=1) for channels in decoded[:heads])
        self.presence = nn.Sequential(nn.Dropout(0.5), nn.Conv2d(widths[-1], kinds, 1)) if kinds else None

    def stages(self) -> list[nn.Module]:
        return list(self.encoder.stages)

    def forward(self, images: Tensor) -> Outputs:
        maps = self.encoder(images)  # shallow to deep; decoder features take the encoder's place from the deep end
        bottom = maps[-1]
        decoded = [bottom]
        for level in reversed(range(LEVELS - 1)):
            size = maps[level].shape[-2:]
            finer = [F.max_pool2d(maps[source], 2 ** (level - source)) for source in range(level)]
            coarser = [F.interpolate(source, size, mode="bilinear") for source in decoded]
            sources = [*finer, maps[level], *coarser]
            skips = self.skips[level]
            assert isinstance(skips, nn.ModuleList)
            seen = [skip(source) for skip, source in zip(skips, sources, strict=True)]
            decoded.insert(0, self.fusions[level](torch.cat(seen, 1)))
        sides = [head(features) for head, features in zip(self.heads, decoded, strict=False)]
        extras = {}
        if self.presence is not None:
            extras["presence"] = self.presence(bottom).amax((2, 3))
            if not self.training:
                sides = [gated(side, extras["presence"] > 0) for side in sides]
        extras |= {f"side_{number}": side for number, side in enumerate(sides[1:], 2)}
        return Outputs(sides[0], extras)


def gated(logits: Tensor, present: Tensor) -> Tensor:
    """The log of the probabilities (B, K, H, W), renormalized over the classes that are present, bool (B, K).

    `present` may also be (B, 2): the first class, and all others. Where nothing is, every class counts as present. No
    probability is below 1e-6: the loss of an absent class stays finite, and a mean over neighboring pixels, which
    resizing takes, never prefers an absent class to the classes of those pixels, however sure the network is of them.
    """
    num_classes = logits.shape[1]
    if present.shape[1] < num_classes:
        present = torch.cat([present[:, :1], present[:, 1:].expand(-1, num_classes - 1)], 1)
    kept = present | ~present.any(1, keepdim=True)
    return logits.float().masked_fill(~kept[..., None, None], -math.inf).log_softmax(1).clamp(min=UNLIKELY)


def present_classes(masks: Tensor, num_classes: int) -> Tensor:
    """bool (B, K): which classes are among each image's labeled pixels."""
    found = torch.zeros(len(masks), 256, dtype=torch.bool, device=masks.device)
    return found.scatter_(1, masks.flatten(1), True)[:, :num_classes]


def presence_loss(presence: Tensor, present: Tensor) -> Tensor:
    """The binary cross-entropy of logits (B, N) against bool (B, N), averaged over the images that have any label."""
    labeled = present.any(1)
    each = F.binary_cross_entropy_with_logits(presence.float(), present.float(), reduction="none").mean(1)
    return (each * labeled).sum() / labeled.sum().clamp(min=1)
