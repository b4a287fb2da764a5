"""Training steps in bfloat16 of networks that have depthwise convolutions, against the same with torch's own gradients.

python -m benchmarks.depthwise
"""

from contextlib import nullcontext
from unittest import mock

from benchmarks._ratio import report
from seglab import depthwise, training
from seglab.config import RunConfig
from seglab.entry import validated

NETWORKS = {  # each with the most times torch's time that it may take, where the processor computes bfloat16
    "eff_unet": ({"name": "eff_unet"}, 0.8),
    "panoptic_fpn over lite0": ({"name": "panoptic_fpn", "encoder": "lite0"}, 0.7),
    "panoptic_deeplab": ({"name": "panoptic_deeplab"}, 1.0),
    "deeplab_v3_plus": ({"name": "deeplab_v3_plus"}, 1.0),
    "mobile_unet": ({"name": "mobile_unet"}, 1.0),
}
SIDE, BATCH, THREADS = 256, 4, 2


def main() -> None:
    data = {"name": "streets", "train_images": BATCH, "val_images": 2}
    for name, (model, mark) in NETWORKS.items():
        settings = {"model": model, "data": data, "image_size": SIDE, "batch_size": BATCH}
        run = training.Run(
            validated(RunConfig, settings | {"optimizer": {"name": "adamw", "precision": "mixed"}}), threads=THREADS
        )
        batch = run.batch(0, list(range(BATCH)))

        def ours(run=run, batch=batch) -> None:
            run.advance(batch)

        def torchs(ours=ours) -> None:
            with mock.patch.object(depthwise, "Quick", nullcontext):
                ours()

        report(f"training step of {name}, {BATCH} x {SIDE} px, bfloat16", ours, torchs, mark, blocks=9, calls=1)


if __name__ == "__main__":
    main()
