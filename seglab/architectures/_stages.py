"""The stages of encoders that others built: which of their modules run between two features."""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from typing import Any

import torch
from torch import Tensor, nn


class Stage(nn.ModuleList):
    """What an encoder runs between two of its features; a forward hook sees the second, so that it can change it."""

    def register_forward_hook(self, hook: Any, **options: Any) -> Any:
        return self[-1].register_forward_hook(hook, **options)


def stages(encoder: nn.Module, in_channels: int) -> list[Stage]:
    """The encoder's modules, parted where a feature is finished, shallow to deep.

    Encoders are built in too many ways to know where their stages end, so one image is sent through: a stage ends with
    the module that gives a feature, as a map or as a transformer's tokens. A module whose inner ones all ran in one
    stage belongs to it as a whole, with what it does besides (skipping itself at random), unless it never ran itself
    and only holds them; what never ran belongs to the last. Where some feature is given by no module, the whole encoder
    is one stage.
    """
    calls: list[tuple[nn.Module, Tensor | None]] = []

    def note(module: nn.Module, inputs: tuple[Any, ...], output: Any) -> None:
        passed_on = any(output is given for given in inputs)
        calls.append((module, output if isinstance(output, Tensor) and not passed_on else None))

    handles = [module.register_forward_hook(note) for module in encoder.modules()]
    encoder.eval()
    image = torch.linspace(0, 1, in_channels * 64 * 64).view(1, in_channels, 64, 64)  # of zeros, all maps are equal
    with torch.no_grad():
        features = encoder(image)
    encoder.train()
    for handle in handles:
        handle.remove()

    makers = []
    for feature in features[0] if isinstance(features, tuple) else features:
        if feature is image or not feature.numel():  # which some encoders give where others have features
            continue
        outputs = list(enumerate(output for _, output in calls))
        makers.append(
            [time for time, output in outputs if output is feature]
            or [time for time, output in outputs if output is not None and holds(output, feature)]
        )
    if not all(makers):
        return [Stage([encoder])]
    ends = sorted(times[-1] for times in makers)
    ran: defaultdict[nn.Module, set[int]] = defaultdict(set)
    last: defaultdict[nn.Module, int] = defaultdict(lambda: -1)
    for time, (module, _) in enumerate(calls):
        ran[module].add(min(bisect_left(ends, time), len(ends) - 1))
        last[module] = time
    found: list[list[nn.Module]] = [[] for _ in ends]

    def part(module: nn.Module) -> None:
        numbers = {number for inner in module.modules() for number in ran[inner]} or {len(ends) - 1}
        children = list(module.children())
        if children and (len(numbers) > 1 or module not in last):
            if own := list(module.parameters(recurse=False)):  # such as position embeddings
                found[min(numbers)].append(nn.ParameterList(own))
            for child in children:
                part(child)
        elif len(numbers) == 1 or list(module.parameters()):  # an activation without weights that all share is no one's
            found[min(numbers)].append(module)

    part(encoder)
    for modules in found:
        modules.sort(key=lambda module: max(last[inner] for inner in module.modules()))
    return [Stage(modules) for modules in found if any(list(module.parameters()) for module in modules)]


def holds(output: Tensor, feature: Tensor) -> bool:
    """Whether a map (B, C, H, W) is a copy of another, or made of tokens (B, N, C) that may have others before them."""
    tokens = feature.flatten(2).transpose(1, 2)
    if output.dim() == 3 and len(output) == len(tokens) and output.shape[1] > tokens.shape[1]:
        output = output[:, -tokens.shape[1] :]
    return any(output.shape == form.shape and torch.equal(output, form) for form in (feature, tokens))
