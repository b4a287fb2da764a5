"""The techniques, one file per kind; importing this registers them all."""

from seglab.techniques import (
    accumulation,
    augmentation,
    averaging,
    freezing,
    growth,
    mixing,
    sampling,
    semi_supervised,
)

__all__ = [
    "accumulation",
    "augmentation",
    "averaging",
    "freezing",
    "growth",
    "mixing",
    "sampling",
    "semi_supervised",
]
