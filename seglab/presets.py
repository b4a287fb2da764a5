"""Whole recipes to begin with: plain configurations, found by the experiments of docs/results/recipes.md."""

from typing import Any

from seglab.families import Preset

LIGHT = {"name": "panoptic_fpn", "encoder": "lite0", "pretrained": "imagenet"}
# Rare classes count in both: a weight of each class by how often it is seen, and an overlap that knows no frequency.
RARE = {
    "name": "sum",
    "parts": [{"loss": {"name": "cross_entropy", "class_weights": "inverse_sqrt"}}, {"loss": "dice"}],
}
RECIPE: dict[str, Any] = {
    "model": LIGHT,
    "loss": RARE,
    "optimizer": {"name": "adamw", "lr": 3e-3, "encoder_lr": 1e-3},  # what ImageNet has taught changes less
    "scheduler": {"name": "one_cycle"},
    "batch_size": 4,
}
VARIED = ({"name": "flip"}, {"name": "crop"}, {"name": "color"}, {"name": "ema"})


class Quick(Preset):
    """A first look: small images, and a minute or two on two cores."""

    name = "quick"
    settings = RECIPE | {"image_size": 160, "epochs": 6, "budget_seconds": 120.0, "techniques": ({"name": "flip"},)}


class TenMinutes(Preset):
    """The most that ten minutes on two cores give, for some hundreds of images of 320 pixels."""

    name = "ten_minutes"
    settings = RECIPE | {
        "image_size": 320,
        "epochs": 17,
        "budget_seconds": 570.0,
        "techniques": VARIED,
    }


class Best(Preset):
    """The same for longer, on larger images: more than an hour on two cores, for the best scores."""

    name = "best"
    settings = RECIPE | {
        "image_size": 400,
        "epochs": 90,
        "techniques": VARIED,
    }
