"""One spelling of names, the American one; the other is accepted wherever a name is given."""

from __future__ import annotations

from functools import lru_cache

OTHERS = {
    "centre": "center",
    "colour": "color",
    "generalised": "generalized",
    "grey": "gray",
    "labelled": "labeled",
    "neighbour": "neighbor",
    "normalis": "normaliz",
}


OTHER_WORDS = {  # what elsewhere is called otherwise; for "did you mean" alone
    "arch": "model",
    "architecture": "model",
    "augmentation": "techniques",
    "augmentations": "techniques",
    "criterion": "loss",
    "dataset": "data",
    "encoder_name": "encoder",
    "eta_min": "floor",
    "learning_rate": "lr",
    "loss_fn": "loss",
    "network": "model",
    "optim": "optimizer",
    "transforms": "techniques",
}


@lru_cache(maxsize=4096)
def american(name: str) -> str:
    """The name of an entry or an option as seglab spells it: `center_weight` for `centre_weight`."""
    for other, ours in OTHERS.items():
        name = name.replace(other, ours)
    return name
