"""CamVid at 128 px with flip, colour and rotation, after the first epoch: seglab's loader against decoding and resizing
every image on every epoch with OpenCV, with the same augmentation.

SEGLAB_DATA=FOLDER python -m benchmarks.loading
"""

import os
from pathlib import Path

import cv2
import numpy as np

from benchmarks._ratio import report
from seglab import training
from seglab.config import RunConfig
from seglab.data.base import Sample
from seglab.entry import validated
from seglab.loader import ahead, batches, collated, random

TECHNIQUES = ["flip", "color", "rotate"]


def main() -> None:
    config = validated(RunConfig, {"data": "camvid", "techniques": TECHNIQUES, "model": {"name": "unet", "width": 4}})
    run = training.Run(config, threads=2)
    places = batches(range(64), 8)
    for n in range(64):
        run.train[n]  # the first epoch decodes; this compares the others

    def ours() -> None:
        for _ in ahead(lambda place: run.batch(1, place), places):
            pass

    names = run.data.train.names
    folder = Path(os.environ["SEGLAB_DATA"]) / "camvid"

    def decoded(n: int) -> Sample:
        image = cv2.cvtColor(cv2.imread(str(folder / "train" / f"{names[n]}.jpg")), cv2.COLOR_BGR2RGB)
        mask = cv2.imread(str(folder / "trainannot" / f"{names[n]}.png"), cv2.IMREAD_UNCHANGED)
        mask[mask == 11] = 255
        image = cv2.resize(image, (128, 96), interpolation=cv2.INTER_AREA)
        return Sample(image, cv2.resize(mask, (128, 96), interpolation=cv2.INTER_NEAREST))

    def rival(place: list[int]):
        samples = [decoded(n) for n in place]
        for name, hooks in run.data_hooks.items():
            samples = [hooks.on_sample(sample, random(0, 1, n, name)) for n, sample in zip(place, samples, strict=True)]
        return collated(samples, place)

    def every_epoch() -> None:
        for _ in ahead(rival, places):
            pass

    assert np.array_equal(run.batch(1, places[0]).images.shape, rival(places[0]).images.shape)
    report("CamVid loader, 128 px, flip + colour + rotation", ours, every_epoch, mark=3.0, at_least=True)


if __name__ == "__main__":
    main()
