"""The same with segmentation_models.pytorch and Lightning."""

import os
from pathlib import Path

import lightning as L
import matplotlib.pyplot as plt
import numpy as np
import segmentation_models_pytorch as smp
import torch
import torch.nn.functional as F
from lightning.pytorch.callbacks import ModelCheckpoint
from lightning.pytorch.loggers import CSVLogger
from PIL import Image
from torch.utils.data import DataLoader, Dataset

ROOT = Path(os.environ["SEGLAB_DATA"]) / "camvid"
CLASSES = ["sky", "building", "pole", "road", "pavement", "tree", "sign", "fence", "car", "pedestrian", "bicyclist"]
VOID = 11
COLORS = np.array([(128, 128, 128), (128, 0, 0), (192, 192, 128), (128, 64, 128), (60, 40, 222), (128, 128, 0),
                   (192, 128, 128), (64, 64, 128), (64, 0, 128), (64, 64, 0), (0, 128, 192)], np.uint8)  # fmt: skip
MEAN, STD = (torch.tensor(values).view(3, 1, 1) for values in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))


def image_of(file, size):
    pixels = np.asarray(Image.open(file).convert("RGB").resize(size, Image.BILINEAR))
    return (torch.from_numpy(pixels.copy()).permute(2, 0, 1) / 255 - MEAN) / STD


class CamVid(Dataset):
    def __init__(self, part):
        self.part, self.files = part, sorted((ROOT / part).iterdir())

    def __len__(self):
        return len(self.files)

    def __getitem__(self, index):
        file = self.files[index]
        mask = Image.open(ROOT / f"{self.part}annot" / f"{file.stem}.png")
        image = image_of(file, (128, 96))
        mask = torch.from_numpy(np.asarray(mask.resize((128, 96), Image.NEAREST)).astype(np.int64))
        if self.part == "train" and torch.rand(()) < 0.5:
            image, mask = image.flip(-1), mask.flip(-1)
        return image, mask


class Model(L.LightningModule):
    def __init__(self):
        super().__init__()
        self.net = smp.Unet("resnet18", encoder_weights=None, classes=len(CLASSES))
        self.register_buffer("matrix", torch.zeros(len(CLASSES), len(CLASSES), dtype=torch.long), persistent=False)

    def training_step(self, batch, _):
        loss = F.cross_entropy(self.net(batch[0]), batch[1], ignore_index=VOID)
        self.log("train_loss", loss, on_epoch=True, on_step=False)
        return loss

    def on_validation_epoch_start(self):
        self.matrix.zero_()

    def validation_step(self, batch, _):
        logits = self.net(batch[0])
        self.log("val_loss", F.cross_entropy(logits, batch[1], ignore_index=VOID))
        known = batch[1] != VOID
        places = batch[1][known] * len(CLASSES) + logits.argmax(1)[known]
        self.matrix += torch.bincount(places, minlength=len(CLASSES) ** 2).view(len(CLASSES), -1)

    def iou(self):
        hits = self.matrix.diag().double()
        return hits / (self.matrix.sum(0) + self.matrix.sum(1) - hits)

    def on_validation_epoch_end(self):
        self.log("val_miou", self.iou().nanmean().float())

    def configure_optimizers(self):
        return torch.optim.AdamW(self.parameters(), lr=1e-3)


L.seed_everything(0)
train = DataLoader(CamVid("train"), batch_size=8, shuffle=True, drop_last=True)
val = DataLoader(CamVid("val"), batch_size=8)
model, best, logger = Model(), ModelCheckpoint(monitor="val_miou", mode="max"), CSVLogger(".")
trainer = L.Trainer(max_epochs=2, accelerator="cpu", callbacks=best, logger=logger, num_sanity_val_steps=0)
trainer.fit(model, train, val)
model = Model.load_from_checkpoint(best.best_model_path)
trainer.validate(model, val)
print(dict(zip(CLASSES, model.iou().tolist(), strict=True)))

rows = np.genfromtxt(f"{logger.log_dir}/metrics.csv", delimiter=",", names=True)
for name in ("train_loss", "val_loss", "val_miou"):
    known = ~np.isnan(rows[name])
    plt.plot(rows["epoch"][known], rows[name][known], label=name)
plt.legend()
plt.savefig("curves.png")

file = sorted((ROOT / "val").iterdir())[0]
photo = Image.open(file).convert("RGB")
model.eval()
with torch.no_grad():
    logits = model.net(image_of(file, (128, 96))[None])
labels = F.interpolate(logits, photo.size[::-1], mode="bilinear")[0].argmax(0).numpy()
Image.fromarray((np.asarray(photo) * 0.45 + COLORS[labels] * 0.55).astype(np.uint8)).save("overlay.png")
