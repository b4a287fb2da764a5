"""PASCAL VOC 2012: photographs of everyday things, the data that papers report."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, ClassVar

import numpy as np
from pydantic import Field

from seglab.data.archives import Archive, Downloadable
from seglab.data.base import VOID, Data, Sample
from seglab.data.images import Span
from seglab.data.masks import mask_on
from seglab.data.pairs import Pair, Root, read_ids, read_rows, splits_of
from seglab.errors import SeglabError
from seglab.torchvision_guard import torchvision

CLASSES = {
    "background": (0, 0, 0),
    "aeroplane": (128, 0, 0),
    "bicycle": (0, 128, 0),
    "bird": (128, 128, 0),
    "boat": (0, 0, 128),
    "bottle": (128, 0, 128),
    "bus": (0, 128, 128),
    "car": (128, 128, 128),
    "cat": (64, 0, 0),
    "chair": (192, 0, 0),
    "cow": (64, 128, 0),
    "dining table": (192, 128, 0),
    "dog": (64, 0, 128),
    "horse": (192, 0, 128),
    "motorbike": (64, 128, 128),
    "person": (192, 128, 128),
    "potted plant": (0, 64, 0),
    "sheep": (128, 64, 0),
    "sofa": (0, 192, 0),
    "train": (128, 192, 0),
    "tv monitor": (0, 64, 128),
}


class Voc2012(Downloadable):
    """PASCAL VOC 2012: photographs of everyday objects, 20 classes and background, in the usual split.

    1,464 training and 1,449 validation images of ImageSets/Segmentation; the borders around objects are void.
    SegmentationObject, where it is present, gives the instances. Nothing is downloaded until `python -m seglab data
    --data voc2012 --download` asks for it.

    Source: Everingham et al. 2010, "The PASCAL visual object classes (VOC) challenge",
    http://host.robots.ox.ac.uk/pascal/VOC/voc2012/
    """

    name = "voc2012"
    licence: ClassVar[str] = "the photographs are Flickr's, under its terms of use; for research"
    size: ClassVar[str] = "2 GB"
    root: Annotated[
        Root | None,
        Field(description="folder with JPEGImages, SegmentationClass and ImageSets; default: $SEGLAB_DATA/voc2012"),
    ] = None

    def archives(self) -> list[Archive]:
        torchvision()
        from torchvision.datasets.voc import DATASET_YEAR_DICT

        known = DATASET_YEAR_DICT["2012"]
        return [Archive(known["url"], Path(known["base_dir"]).as_posix(), known["md5"])]

    def open(self) -> Data:
        """Pairs and hashes the files; a mask's values are checked when it is loaded."""
        root = self.located()
        root = next((place for place in (root / "VOCdevkit" / "VOC2012", root / "VOC2012") if place.is_dir()), root)
        (train, val), span = splits_of([_pairs(root, part) for part in ("train", "val")], root, _read)
        how = SeglabError(
            "pairs: JPEGImages/NAME.jpg and SegmentationClass/NAME.png, as ImageSets/Segmentation lists them; "
            "masks hold class ids"
        )
        return Data.halved(
            train=train,
            val=val,
            classes=tuple(CLASSES),
            colors=tuple(CLASSES.values()),
            found=(how,),
            span=span,
        )


def _pairs(root: Path, part: str) -> list[Pair]:
    pairs = []
    for name, *_ in read_rows(root, f"ImageSets/Segmentation/{part}.txt"):
        objects = root / "SegmentationObject" / f"{name}.png"
        image, mask = root / "JPEGImages" / f"{name}.jpg", root / "SegmentationClass" / f"{name}.png"
        pairs.append(Pair(name, image, mask, objects if os.path.isfile(objects) else None))
    return pairs


def _read(pair: Pair, root: Path, span: Span | None) -> Sample:
    image, ids, found = read_ids(pair, root, span, (*range(len(CLASSES)), VOID), "0–20, 255")
    if pair.objects is None:
        return Sample(image, ids, name=pair.name)
    numbers = mask_on(found, pair.objects, pair.image, root)
    return Sample(image, ids, np.where(numbers == VOID, 0, numbers).astype(np.int32), name=pair.name)
