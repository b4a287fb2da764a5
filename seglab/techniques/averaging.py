"""Averages of weights over training."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from seglab.families import Run, StepHooks, Technique


class EMA(Technique):
    """Evaluates and saves a moving average of the weights, which is steadier than the weights themselves.

    Source: Polyak and Juditsky 1992, https://doi.org/10.1137/0330046; exponential form as in Tarvainen and Valpola
    2017, https://arxiv.org/abs/1703.01780, eq. 1.
    """

    name = "ema"
    decay: Annotated[float, Field(ge=0.5, lt=1, description="fraction of the old average kept at each step")] = 0.98

    def step_hooks(self, run: Run) -> StepHooks:
        return Averaging(run.model, self.decay)


class Averaging(StepHooks):
    """The average of one run's weights and batch-norm statistics."""

    def __init__(self, model: nn.Module, decay: float):
        self.model = model
        self.average = AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)

    def on_step(self) -> None:
        self.average.update_parameters(self.model)

    def on_eval(self, model: nn.Module) -> nn.Module:
        return self.average.module

    def state_dict(self) -> dict[str, Any]:
        return self.average.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.average.load_state_dict(state)
