"""How gradients update the weights: entries over torch.optim, in the form that updates all weights in one call."""

from itertools import chain
from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from seglab.families import LearningRate, Optimizer, WeightDecay, stages_of


def groups(options: Optimizer, *modules: nn.Module) -> list[dict[str, Any]]:
    """The modules' parameters by what sets them apart: the encoder's learning rate, and no weight decay.

    Those without decay have one dimension or none: the biases, and the weights of norm layers.
    """
    encoder: set[int] = set()
    if options.encoder_lr is not None:
        for module in modules:
            stages = stages_of(module.net, "optimizer.encoder_lr")
            encoder |= {id(parameter) for stage in stages for parameter in stage.parameters()}
    found: dict[tuple[bool, bool], list[nn.Parameter]] = {(False, False): []}  # first even if empty: its rate is `lr`
    for parameter in chain.from_iterable(module.parameters() for module in modules):
        spared = parameter.ndim <= 1 and not options.decay_norms
        found.setdefault((id(parameter) in encoder, spared), []).append(parameter)
    return [
        {"params": parameters}
        | ({"lr": options.encoder_lr} if in_encoder else {})
        | ({"weight_decay": 0.0} if spared else {})
        for (in_encoder, spared), parameters in found.items()
    ]


class Adam(Optimizer):
    """Scales the step of each weight by its recent gradients; weight decay is added to the gradient.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1.
    """

    name = "adam"
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.0

    def build(self, *modules: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(groups(self, *modules), self.lr, weight_decay=self.weight_decay, fused=True)


class AdamW(Optimizer):
    """Adam with decoupled weight decay, which is kept apart from the gradient.

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101, algorithm 2.
    """

    name = "adamw"
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 1e-2

    def build(self, *modules: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(groups(self, *modules), self.lr, weight_decay=self.weight_decay, fused=True)


class SGD(Optimizer):
    """Plain stochastic gradient descent with momentum: slower to start, and few choices are made for you.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, eq. 1-2.
    """

    name = "sgd"
    lr: LearningRate = 1e-2
    momentum: Annotated[float, Field(ge=0, lt=1, description="fraction of the last step that is kept")] = 0.9
    weight_decay: WeightDecay = 0.0

    def build(self, *modules: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            groups(self, *modules), self.lr, momentum=self.momentum, weight_decay=self.weight_decay, fused=True
        )
