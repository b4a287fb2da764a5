"""The networks, one file per family; importing this registers them all."""

from seglab.architectures import deconvnet, deeplab, fcn, nested, panoptic, residual, segnet, smp, unet

__all__ = ["deconvnet", "deeplab", "fcn", "nested", "panoptic", "residual", "segnet", "smp", "unet"]
