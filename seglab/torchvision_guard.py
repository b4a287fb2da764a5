"""torchvision, also beside a torch whose build it does not match."""

from __future__ import annotations

import sys
from types import ModuleType


def torchvision() -> ModuleType:
    """Imports torchvision; call it before the first import of timm, segmentation_models_pytorch or torchvision.

    A torchvision made for CUDA cannot load its compiled operators beside a CPU-only torch, and then fails to import
    only because two of them are not declared. When, and only when, that happens they are declared here, so that
    everything else in torchvision works; calling one of the two still raises.
    """
    try:
        import torchvision
    except RuntimeError as error:
        if "torchvision::nms" not in str(error):
            raise
        import torch

        for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
            del sys.modules[name]
        declared = torch.library.Library("torchvision", "FRAGMENT")
        for operator in ("nms", "qnms"):
            declared.define(f"{operator}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        import torchvision

        torchvision._seglab_declared = declared  # the declarations live as long as this object
    return torchvision
