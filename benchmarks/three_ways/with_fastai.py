"""The same with fastai."""

import os
from pathlib import Path

import numpy as np
import torch
from fastai.vision.all import (
    CrossEntropyLossFlat,
    DataBlock,
    FlipItem,
    FuncSplitter,
    ImageBlock,
    MaskBlock,
    Metric,
    PILImage,
    Resize,
    ResizeMethod,
    SaveModelCallback,
    get_image_files,
    resnet18,
    set_seed,
    unet_learner,
)  # fmt: skip
from PIL import Image

ROOT = Path(os.environ["SEGLAB_DATA"]) / "camvid"
CLASSES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
VOID = 11
COLORS = np.array([(128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
                   (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)], np.uint8)  # fmt: skip


class MeanIoU(Metric):
    """fastai's JaccardCoeffMulti counts void as a class; this leaves it out."""

    name = "miou"

    def reset(self):
        self.matrix = torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.long)

    def accumulate(self, learn):
        labels, truth = learn.pred[:, :VOID].argmax(1).cpu(), learn.y.cpu().long()
        known = truth != VOID
        places = truth[known] * len(CLASSES) + labels[known]
        self.matrix += torch.bincount(places, minlength=len(CLASSES) ** 2).view(len(CLASSES), -1)

    def iou(self):
        hits = self.matrix.diag().double()
        return hits / (self.matrix.sum(0) + self.matrix.sum(1) - hits)  # NaN for a class that is nowhere

    @property
    def value(self):
        return float(self.iou().nanmean())


set_seed(0)
block = DataBlock(
    blocks=(ImageBlock, MaskBlock(codes=[*CLASSES, "void"])),
    get_items=lambda root: get_image_files(root, folders=["train", "val"]),
    get_y=lambda path: ROOT / f"{path.parent.name}annot" / f"{path.stem}.png",
    splitter=FuncSplitter(lambda path: path.parent.name == "val"),
    item_tfms=[Resize((96, 128), ResizeMethod.Squish), FlipItem()],
)
loaders = block.dataloaders(ROOT, bs=8, num_workers=0)
metric = MeanIoU()
learn = unet_learner(
    loaders,
    resnet18,
    pretrained=False,
    loss_func=CrossEntropyLossFlat(axis=1, ignore_index=VOID),
    metrics=metric,
    cbs=SaveModelCallback(monitor="miou"),
    path=".",
)
learn.fit(2, 1e-3)
learn.remove_cb(SaveModelCallback)  # which fails in validate
learn.validate()
print(f"mIoU {metric.value:.4f}", dict(zip(CLASSES, metric.iou().tolist(), strict=True)))
learn.recorder.plot_loss()
import matplotlib.pyplot as plt  # noqa: E402

plt.savefig("curves.png")
file = sorted((ROOT / "val").iterdir())[0]
photo = PILImage.create(file)
labels, *_ = learn.predict(photo)
labels = Image.fromarray(np.asarray(labels).astype(np.uint8)).resize(photo.size, Image.NEAREST)
painted = COLORS[np.minimum(np.asarray(labels), VOID - 1)]
Image.fromarray((np.asarray(photo) * 0.45 + painted * 0.55).astype(np.uint8)).save("overlay.png")
