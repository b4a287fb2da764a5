"""The preset `ten_minutes` against what people write with segmentation_models.pytorch: smp.Unet over the same weights
of EfficientNet-Lite0, Dice, Adam at 1e-3, flips. Equal time by the clock, two threads that wait alike, in turns.

python -m benchmarks.recipe [--data camvid,streets] [--seeds 0,1,2] [--side 256] [--camvid DIR]

Both see the same images and are scored at stored size. Each takes the epoch that is best on one half of the validation
images, and reports the other half. The rival has ten minutes from its start to its last score.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from itertools import product
from statistics import mean
from time import monotonic
from typing import Any

import seglab  # settles how the threads of both arms wait, before torch is loaded
from benchmarks._page import ROOT

SECONDS, THREADS, BATCH = 600.0, 2, 8
SIDES = {"camvid": 256, "streets": 128}  # longer side of the rival's images
MARKS = {"camvid": 0.05, "streets": 0.0}  # the least that ours is above the rival, in validation mIoU


def main() -> None:
    parser = argparse.ArgumentParser(description="Ten minutes of seglab against ten minutes of smp.")
    parser.add_argument("--data", default="camvid,streets", help="which of these (default: both)")
    parser.add_argument("--seeds", default="0,1,2", help="separated by commas (default: %(default)s)")
    parser.add_argument("--side", type=int, help=f"longer side of the rival's images (default: {SIDES})")
    parser.add_argument("--camvid", help="CamVid's folder, where $SEGLAB_DATA does not say it")
    options = parser.parse_args()
    gains: dict[str, list[float]] = {}
    for name, (turn, seed) in product(options.data.split(","), enumerate(map(int, options.seeds.split(",")))):
        data = {"name": name} | ({"root": options.camvid} if name == "camvid" and options.camvid else {})
        given = {"data": data, "seed": seed}
        rival = given | {"side": options.side or SIDES[name]}
        arms = [("ours", given), ("smp", rival)]
        scores = {arm: worked(arm, asked) for arm, asked in (arms if turn % 2 else reversed(arms))}
        gains.setdefault(name, []).append(scores["ours"] - scores["smp"])
    for name, found in gains.items():
        verdict = "met" if mean(found) >= MARKS[name] else "MISSED"
        each = ", ".join(f"{gain:+.3f}" for gain in found)
        print(f"{name}: {mean(found):+.3f} validation mIoU ({each}), at least {MARKS[name]:+.2f}: {verdict}")


def worked(arm: str, options: dict[str, Any]) -> float:
    """The validation mIoU of one arm, in a process of its own."""
    began = monotonic()
    command = [sys.executable, "-m", "benchmarks.recipe", arm, json.dumps(options)]
    env = os.environ | {"OMP_NUM_THREADS": str(THREADS)}
    out = subprocess.run(command, stdout=subprocess.PIPE, check=True, env=env, cwd=ROOT, text=True).stdout
    found = json.loads(out.splitlines()[-1])
    place = f"{options['data']['name']}, seed {options['seed']}, {arm}"
    print(f"{place}: {found['val']:.3f} after epoch {found['epoch']}, {monotonic() - began:.0f} s", flush=True)
    return found["val"]


def ours(data: dict[str, Any], seed: int) -> dict[str, float]:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        run = seglab.train(preset="ten_minutes", data=data, seed=seed, threads=THREADS, progress=False)
        best = [row for row in run.history if row["best"]][-1]
        return {"val": best["val_miou"], "epoch": best["epoch"]}


def smp(data: dict[str, Any], seed: int, side: int) -> dict[str, float]:
    """A loop over a DataLoader, which ends with the last epoch that there is time for."""
    until = monotonic() + SECONDS
    import torch
    from torch.utils.data import DataLoader

    from seglab import dataset
    from seglab.architectures._pretrained import LITE0, imagenet_encoder
    from seglab.data.base import VOID
    from seglab.torchvision_guard import torchvision

    torchvision()
    import segmentation_models_pytorch as library

    torch.manual_seed(seed)
    found = dataset(data)
    net = library.Unet(LITE0, encoder_weights=None, classes=len(found.classes))
    imagenet_encoder(net.encoder, LITE0)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3)
    criterion = library.losses.DiceLoss("multiclass", ignore_index=VOID)
    train, search, val = (samples(part, side) for part in (found.train, found.search, found.val))
    batches = DataLoader([each[:2] for each in train], BATCH, shuffle=True, drop_last=True)
    best = {"search": -1.0, "val": -1.0, "epoch": 0}
    epoch, longest = 0, 0.0
    while monotonic() + longest < until:
        epoch, began = epoch + 1, monotonic()
        net.train()
        for images, masks in batches:
            if torch.rand(()) < 0.5:
                images, masks = images.flip(-1), masks.flip(-1)
            loss = criterion(net(images), masks)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        if (score := scored(net, search)) > best["search"]:
            best = {"search": score, "val": scored(net, val), "epoch": epoch}
        longest = max(longest, monotonic() - began)
    return best


def samples(split: Any, side: int) -> list[Any]:
    """Each image as the network takes it, both sides multiples of 32, its mask at that size, and the stored mask."""
    import cv2
    import torch

    made = []
    for each in split:
        longer = max(each.mask.shape)
        height, width = (max(32, round(length * side / longer / 32) * 32) for length in each.mask.shape)
        image = cv2.resize(each.image, (width, height), interpolation=cv2.INTER_AREA)
        mask = cv2.resize(each.mask, (width, height), interpolation=cv2.INTER_NEAREST)
        pixels = (torch.from_numpy(image).permute(2, 0, 1) / 255 - 0.5) / 0.5  # as these weights want them
        made.append((pixels, torch.from_numpy(mask).long(), each.mask))
    return made


def scored(net: Any, split: list[Any]) -> float:
    """The mIoU of labels at stored size."""
    import torch
    import torch.nn.functional as F

    from seglab import metrics

    net.eval()
    matrix: Any = 0
    with torch.inference_mode():
        for image, _, truth in split:
            logits = F.interpolate(net(image[None]), truth.shape, mode="bilinear", align_corners=False)
            matrix = matrix + metrics.confusion(logits.argmax(1)[0].byte().numpy(), truth, logits.shape[1])
    return metrics.miou(matrix)


if __name__ == "__main__":
    ARMS = {"ours": ours, "smp": smp}
    if sys.argv[1:] and sys.argv[1] in ARMS:
        print(json.dumps(ARMS[sys.argv[1]](**json.loads(sys.argv[2]))))
    else:
        main()
