"""The networks, one file per family; importing this registers them all."""

from seglab.architectures import unet

__all__ = ["unet"]
