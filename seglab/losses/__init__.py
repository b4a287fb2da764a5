"""The losses, one file per kind; importing this registers them all."""

from seglab.losses import combined, pixel, region

__all__ = ["combined", "pixel", "region"]
