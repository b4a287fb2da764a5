"""Images a second of each technique that changes images, on one core, with masks: at 128 px and at CamVid's 240 x 320.

Beside it, the time against the same transform of albumentations alone, which goes on with one generator. What is over 1
is what seglab adds: a generator for each sample, made from its place in the run.

python -m benchmarks.augmentation
"""

from functools import partial
from time import perf_counter

import cv2
import numpy as np

from benchmarks._ratio import ratio
from seglab.config import RunConfig
from seglab.data.base import Sample
from seglab.data.streets import Streets
from seglab.entry import FAMILIES, validated
from seglab.loader import at_side, random
from seglab.techniques.augmentation import Augmentation

IMAGES = 32
SIZES = {"128 x 96": 128, "320 x 240": 320}


def speed(function) -> float:
    """Images a second, the best of five rounds."""
    function()
    taken = []
    for _ in range(5):
        began = perf_counter()
        function()
        taken.append(perf_counter() - began)
    return IMAGES / min(taken)


def through_hooks(samples: list[Sample], name: str, hooks) -> None:
    for n, sample in enumerate(samples):
        hooks.on_sample(sample, random(0, 0, n, name))


def bare(samples: list[Sample], transform) -> None:
    for sample in samples:
        transform(image=sample.image, mask=sample.mask)


def main() -> None:
    cv2.setNumThreads(1)
    config = validated(RunConfig, {"data": Streets(train_images=IMAGES, size=320), "epochs": 4})
    train = config.data.open().train
    for title, side in SIZES.items():
        samples = [at_side(train[n], side) for n in range(IMAGES)]
        samples = [Sample(sample.image, sample.mask) for sample in samples]  # as CamVid's, without instances
        for name, entry in FAMILIES["techniques"].entries.items():
            if issubclass(entry, Augmentation):
                ours = partial(through_hooks, samples, name, entry(p=1).data_hooks(None))
                transform = entry(p=1).transform(*samples[0].mask.shape)
                transform.set_random_seed(0)
                median, low, high = ratio(ours, partial(bare, samples, transform), blocks=15, calls=2)
                beside = f"{median:5.2f} times albumentations' time [{low:.2f}, {high:.2f}]"
            elif name == "cutmix":
                hooks = entry(p=1).data_hooks(None)
                ours, beside = partial(hooks.on_samples, samples, np.random.default_rng(0)), f"in a batch of {IMAGES}"
            else:
                continue
            print(f"{title:<10} {name:<17}{speed(ours):8.0f} images a second  {beside}", flush=True)
        smaller = partial(lambda samples, side: [at_side(sample, side) for sample in samples], samples, side // 2)
        print(f"{title:<10} {'progressive_size':<17}{speed(smaller):8.0f} images a second  halved", flush=True)


if __name__ == "__main__":
    main()
