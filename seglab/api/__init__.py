"""What `import seglab` offers: runs trained, loaded, compared and asked, in a notebook or a script."""

from seglab.api.comparing import Comparison, Predictions, compare, predict
from seglab.api.describing import (
    Collection,
    Entries,
    Network,
    Preview,
    dataset,
    describe,
    entries,
    learning_rates,
)
from seglab.api.planning import Plan, list_plans, load_plan, plan
from seglab.api.predicting import Prediction
from seglab.api.runs import Run, Runs, adopt, bring, list_runs, load, submit, train
from seglab.api.samples import Samples
from seglab.api.scoring import Scores
from seglab.api.settings import configure

__all__ = [
    "Collection", "Comparison", "Entries", "Network", "Plan", "Prediction", "Predictions", "Preview", "Run", "Runs",
    "Samples", "Scores", "adopt", "bring", "compare", "configure", "dataset", "describe", "entries", "learning_rates",
    "list_plans", "list_runs", "load", "load_plan", "plan", "predict", "submit", "train",
]  # fmt: skip
