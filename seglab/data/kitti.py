"""KITTI road: where a car may drive."""

from __future__ import annotations

import re
from itertools import groupby
from pathlib import Path
from typing import Annotated, ClassVar

from pydantic import Field

from seglab.data.base import Data, Sample
from seglab.data.colors import Table
from seglab.data.images import Span, decoded, printable, relative, shown
from seglab.data.masks import decoded_colors, laid
from seglab.data.pairs import Pair, Root, is_here, located, refuse_wrong, splits_of, unique
from seglab.errors import SeglabError
from seglab.families import Dataset

CLASSES = {"not road": (255, 0, 0), "road": (255, 0, 255)}
COLORS = Table("KITTI road", tuple(CLASSES), tuple(CLASSES.values()), void=((0, 0, 0),))
FRAME = re.compile(r"(?P<category>[a-z]+)_(?P<number>\d+)")


class KittiRoad(Dataset):
    """KITTI road: photographs from a car in Karlsruhe, road versus everything else.

    The files are those of data_road.zip: photographs `training/image_2/um_000000.png` and masks
    `training/gt_image_2/um_road_000000.png`, in which magenta is road, red is not, and black is void; the masks of
    lanes are not used. There are no public masks for validation: the last part of each of the three categories is held
    out, since neighboring frames of a drive are alike. The license is CC BY-NC-SA 3.0, and KITTI asks for an e-mail
    address, so seglab does not download it.

    Source: Fritsch, Kuehnl and Geiger 2013, "A new performance measure and evaluation benchmark for road detection
    algorithms", https://www.cvlibs.net/datasets/kitti/eval_road.php
    """

    name = "kitti_road"
    private: ClassVar[bool] = False
    root: Annotated[
        Root | None,
        Field(description="folder with training/image_2 and gt_image_2; default: $SEGLAB_DATA/kitti_road"),
    ] = None
    val_fraction: Annotated[
        float,
        Field(ge=0.1, le=0.5, description="fraction of each category held out for validation: its last frames"),
    ] = 0.2

    @property
    def here(self) -> bool:
        return is_here(self.root, self.name)

    def open(self) -> Data:
        """Pairs and hashes the files; a mask's colors are checked when it is loaded."""
        root = located(self.root, self.name)
        train: list[Pair] = []  # and two halves of validation, each with every category
        first: list[Pair] = []
        second: list[Pair] = []
        for _, group in groupby(_paired(root), key=_category):
            pairs = list(group)
            start = len(pairs) - max(1, round(self.val_fraction * len(pairs)))
            middle = (start + len(pairs)) // 2
            train += pairs[:start]
            first += pairs[start:middle]
            second += pairs[middle:]
        if len(train) < 2 or not first or not second:
            raise SeglabError(
                "{folder}: too few frames: {count}; each category needs about ten",
                folder=printable(str(root)),
                count=len(train) + len(first) + len(second),
            )
        (learned, chosen_by, reported), span = splits_of([train, first, second], root, _read)
        how = SeglabError("pairs: image_2/um_000000 and gt_image_2/um_road_000000; masks are read by their colors")
        return Data(tuple(CLASSES), tuple(CLASSES.values()), learned, chosen_by, reported, found=(how,), span=span)


def _category(pair: Pair) -> str:
    return pair.name.split("_")[0]


def _paired(root: Path) -> list[Pair]:
    """All frames by category and number; raises SeglabError that has every photograph whose mask is missing."""
    base = root / "training" if (root / "training").is_dir() else root
    found = []
    for place in ("image_2", "gt_image_2"):
        try:
            found.append(unique(base / place, root))
        except (OSError, ValueError) as error:
            raise SeglabError(
                "{folder}: there is no folder {place}, or it cannot be read; KITTI road has training/image_2 and "
                "training/gt_image_2",
                folder=printable(str(root)),
                place=place,
            ) from error
    images, masks = found
    pairs, wrong = [], []
    for name, image in images.items():
        match = FRAME.fullmatch(name)
        mask = masks.get(f"{match['category']}_road_{match['number']}") if match else None
        if mask:
            pairs.append(Pair(name, image, mask))
            continue
        file = relative(image, root)
        if match:
            missing = f"gt_image_2/{match['category']}_road_{match['number']}.png"
            wrong.append(SeglabError("{file}: its mask is missing: {missing}", file=file, missing=missing))
        else:
            wrong.append(SeglabError("{file}: KITTI's frames have names such as um_000000.png", file=file))
    refuse_wrong(root, wrong)
    return pairs


def _read(pair: Pair, root: Path, span: Span | None) -> Sample:
    file, photo = relative(pair.mask, root), relative(pair.image, root)
    pixels, found = decoded(pair.image, photo)
    mask = decoded_colors(pair.mask, file)
    colors = laid(mask.values, mask.turn, found, file, photo)
    return Sample(shown(pixels, span), COLORS.ids(colors, file), name=pair.name)
