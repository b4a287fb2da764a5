"""Losses forward and backward at 8 x 11 x 256 x 256 with void, beside segmentation_models_pytorch's that gives the same
value; and the milliseconds that an image's distance and border maps take in the loader.

python -m benchmarks.losses
"""

from collections.abc import Callable
from dataclasses import replace
from statistics import median
from time import perf_counter

import torch
from torch import Tensor

from benchmarks._ratio import report
from seglab.data.base import VOID, Sample
from seglab.data.streets import Streets
from seglab.families import Loss
from seglab.loader import at_side
from seglab.losses.distance import BorderWeighted, Boundary
from seglab.losses.pixel import Focal
from seglab.losses.region import Dice, Jaccard, Tversky
from seglab.torchvision_guard import torchvision

BATCH, CLASSES, SIDE, MARK = 8, 11, 256, 1.05


def example() -> tuple[Tensor, Tensor]:
    """Logits as a network gives them, and masks of blocks, of which a tenth is void."""
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(BATCH, CLASSES, SIDE, SIDE, generator=generator)
    blocks = torch.randint(0, CLASSES, (BATCH, SIDE // 16, SIDE // 16), generator=generator)
    masks = blocks.repeat_interleave(16, 1).repeat_interleave(16, 2)
    masks[:, : SIDE // 10] = VOID
    return logits, masks


def rivals() -> dict[Loss, Callable[[Tensor, Tensor], Tensor]]:
    """Each loss with the one that computes the same."""
    torchvision()
    from segmentation_models_pytorch import losses as smp
    from segmentation_models_pytorch.losses._functional import softmax_focal_loss_with_logits

    def focal(logits: Tensor, masks: Tensor) -> Tensor:  # it knows no void
        valid = masks != VOID
        costs = softmax_focal_loss_with_logits(logits, masks.where(valid, 0), gamma=2, reduction="none")
        return (costs * valid).sum() / valid.sum()

    return {
        Dice(smooth=0): smp.DiceLoss("multiclass", ignore_index=VOID),
        Jaccard(smooth=0): smp.JaccardLoss("multiclass", ignore_index=VOID),
        Tversky(smooth=0): smp.TverskyLoss("multiclass", alpha=0.3, beta=0.7, ignore_index=VOID),
        Focal(gamma=2): focal,
    }


def step(loss: Callable[[Tensor, Tensor], Tensor], logits: Tensor, masks: Tensor) -> Tensor:
    """The gradient of a loss."""
    logits.grad = None
    loss(logits, masks).backward()
    return logits.grad


def milliseconds(loss: Loss, samples: list[Sample]) -> float:
    """The median time of a loss's maps of one sample."""
    taken = []
    for sample in [*samples, *samples]:
        start = perf_counter()
        loss.targets(sample)
        taken.append(perf_counter() - start)
    return 1000 * median(taken[len(samples) :])


def main() -> None:
    torch.set_num_threads(1)
    logits, masks = example()
    layouts = {"": torch.contiguous_format, ", channels last": torch.channels_last}
    for loss, rival in rivals().items():
        for layout, form in layouts.items():
            made = logits.clone(memory_format=form).requires_grad_()
            torch.testing.assert_close(step(loss, made, masks), step(rival, made, masks), rtol=1e-3, atol=1e-9)
            report(
                f"{loss.name}, forward and backward, {BATCH} x {CLASSES} x {SIDE} x {SIDE}{layout}, against smp",
                lambda loss=loss, made=made: step(loss, made, masks),
                lambda rival=rival, made=made: step(rival, made, masks),
                MARK,
            )
    scenes = Streets(train_images=16, size=SIDE).open().train
    for side in (128, 256):
        samples = [at_side(scenes[n], side) for n in range(len(scenes))]
        bare = [replace(sample, instances=None) for sample in samples]
        print(f"maps of one street at {side} px: boundary {milliseconds(Boundary(), samples):.1f} ms")
        print(f"  border_weighted with things {milliseconds(BorderWeighted(), samples):.1f} ms")
        print(f"  border_weighted with connected regions {milliseconds(BorderWeighted(), bare):.1f} ms")


if __name__ == "__main__":
    main()
