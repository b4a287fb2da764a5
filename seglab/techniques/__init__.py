"""The techniques, one file per kind; importing this registers them all."""

from seglab.techniques import augmentation, averaging, freezing, growth, mixing, sampling

__all__ = ["augmentation", "averaging", "freezing", "growth", "mixing", "sampling"]
