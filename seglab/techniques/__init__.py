"""The techniques, one file per kind; importing this registers them all."""

from seglab.techniques import augmentation, averaging

__all__ = ["augmentation", "averaging"]
