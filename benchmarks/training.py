"""A training step of seglab against a bare PyTorch loop: the same network, batches, loss and optimizer.

python -m benchmarks.training
"""

from itertools import cycle

import torch
import torch.nn.functional as F

from benchmarks._ratio import report
from seglab import training
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.loader import ahead

STEPS = 4  # in each call


def main() -> None:
    config = validated(
        RunConfig, {"loss": "cross_entropy", "data": {"name": "streets", "train_images": 64, "val_images": 2}}
    )
    run = training.Run(config, threads=2)
    places = [list(range(start, start + 8)) for start in range(0, 64, 8)]
    batches = ahead(
        lambda place: run.batch(0, place), [place for place, _ in zip(cycle(places), range(100_000), strict=False)]
    )

    def ours() -> None:
        for _ in range(STEPS):
            run.advance(next(batches))

    net = config.model.build(len(run.data.classes)).to(memory_format=torch.channels_last).train()
    optimizer = config.optimizer.build(net)
    kept = [run.batch(0, place) for place in places]
    ready = cycle([(run.model.mean, (batch.images - run.model.mean) / run.model.std, batch.masks) for batch in kept])

    def bare() -> None:
        for _ in range(STEPS):
            _, images, masks = next(ready)
            loss = F.cross_entropy(net(images.contiguous(memory_format=torch.channels_last)), masks, ignore_index=255)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss.item()

    report("training step (unet 16, 8 x 128 px)", ours, bare, mark=1.05)


if __name__ == "__main__":
    main()
