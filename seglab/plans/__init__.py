"""What needs several runs: the kinds of plans, their files beside their runs, and how long they will take."""

from seglab.plans.files import (
    Step,
    create,
    every,
    expanded,
    find,
    is_plan,
    laid_out,
    located,
    members,
    remove,
    settled,
    spread_out,
    submit,
)
from seglab.plans.kinds import Folds, NoisyStudent, Seeds, Sweep
from seglab.plans.timing import Estimate, estimate, pace_key, timed, timed_apart

__all__ = [
    "Estimate", "Folds", "NoisyStudent", "Seeds", "Step", "Sweep", "create", "estimate", "every", "expanded", "find",
    "is_plan", "laid_out", "located", "members", "pace_key", "remove", "settled", "spread_out", "submit", "timed",
    "timed_apart",
]  # fmt: skip
