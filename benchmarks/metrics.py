"""The confusion matrix of 8 label maps of 360 x 480 with 11 classes against torch.bincount alone, and other packages.

python -m benchmarks.metrics
"""

import numpy as np
import torch

from benchmarks._ratio import ratio, report
from seglab import metrics
from seglab.torchvision_guard import torchvision

CLASSES = 11


def main() -> None:
    rng = np.random.default_rng(0)
    masks = rng.integers(0, CLASSES, (8, 45, 60)).astype(np.uint8).repeat(8, 1).repeat(8, 2)
    labels = np.where(rng.random(masks.shape) < 0.3, rng.integers(0, CLASSES, masks.shape), masks).astype(np.uint8)
    masks[:, :10] = 255
    truth, predicted = (torch.from_numpy(array.astype(np.int64)) for array in (masks, labels))
    valid = truth != 255
    pairs = truth[valid] * CLASSES + predicted[valid]  # the rival gets them ready-made

    def ours() -> np.ndarray:
        return metrics.confusion(labels, masks, CLASSES)

    def bincount() -> torch.Tensor:
        return torch.bincount(pairs, minlength=CLASSES**2)

    assert np.array_equal(ours().ravel(), bincount().numpy())
    report("confusion matrix, 8 x 11 x 360 x 480, against torch.bincount alone", ours, bincount, mark=1.2)

    torchvision()
    from segmentation_models_pytorch.metrics import get_stats
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    others = {
        "smp.get_stats": lambda: get_stats(predicted, truth, mode="multiclass", num_classes=CLASSES, ignore_index=255),
        "torchmetrics": lambda: multiclass_confusion_matrix(predicted, truth, CLASSES, ignore_index=255),
    }
    for name, other in others.items():
        median, low, high = ratio(ours, other)
        print(f"  against {name}: {median:.3f} times its time ({low:.3f} to {high:.3f})")


if __name__ == "__main__":
    main()
