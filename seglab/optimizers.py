"""How gradients change the weights: entries over torch.optim."""

from typing import Annotated, Any

import torch
from pydantic import Field
from torch import nn

from seglab.entry import Optimizer

LearningRate = Annotated[float, Field(gt=0, le=10, description="learning rate at the start")]
WeightDecay = Annotated[float, Field(ge=0, le=1, description="how strongly weights are pulled to zero")]


EncoderRate = Annotated[
    float | None,
    Field(gt=0, le=10, description="learning rate of the encoder; pretrained weights want it lower; empty: lr"),
]


class Stepping(Optimizer):
    """What the optimizers share."""

    lr: LearningRate
    encoder_lr: EncoderRate = None

    def groups(self, module: nn.Module) -> list[dict[str, Any]]:
        """The module's parameters; the encoder's in a group of their own where it has its own learning rate."""
        if self.encoder_lr is None:
            return [{"params": list(module.parameters())}]
        encoder = [parameter for stage in module.net.stages() for parameter in stage.parameters()]
        owned = {id(parameter) for parameter in encoder}
        rest = [parameter for parameter in module.parameters() if id(parameter) not in owned]
        return [{"params": rest}, {"params": encoder, "lr": self.encoder_lr}]


class Adam(Stepping):
    """Steps scaled for each weight by its recent gradients; weight decay enters the gradient.

    Source: Kingma and Ba 2015, https://arxiv.org/abs/1412.6980, algorithm 1.
    """

    name = "adam"
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 0.0

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.Adam(self.groups(module), self.lr, weight_decay=self.weight_decay)


class AdamW(Stepping):
    """Adam with weight decay kept apart from the gradient.

    Source: Loshchilov and Hutter 2019, https://arxiv.org/abs/1711.05101, algorithm 2.
    """

    name = "adamw"
    lr: LearningRate = 1e-3
    weight_decay: WeightDecay = 1e-2

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.AdamW(self.groups(module), self.lr, weight_decay=self.weight_decay)


class SGD(Stepping):
    """Plain gradient steps with momentum: slower to start, few choices made for you.

    Source: Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html, eq. 1-2.
    """

    name = "sgd"
    lr: LearningRate = 1e-2
    momentum: Annotated[float, Field(ge=0, lt=1, description="share of the last step that is kept")] = 0.9
    weight_decay: WeightDecay = 0.0

    def build(self, module: nn.Module) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.groups(module), self.lr, momentum=self.momentum, weight_decay=self.weight_decay)
