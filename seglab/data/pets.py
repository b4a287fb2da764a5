"""Oxford-IIIT Pet: cats and dogs, each cut out."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Annotated, ClassVar, Literal

import numpy as np
from pydantic import Field

from seglab.data.archives import Archive, Downloadable
from seglab.data.base import VOID, Data, Sample
from seglab.data.images import Span
from seglab.data.pairs import Pair, Root, read_ids, read_rows, splits_of
from seglab.errors import SeglabError
from seglab.torchvision_guard import torchvision

Border = Literal["class", "void", "pet"]
PET, BACKGROUND, BORDER = 1, 2, 3  # what the trimaps hold
IDS = {"class": {PET: 0, BACKGROUND: 1, BORDER: 2}, "void": {PET: 0, BACKGROUND: 1, BORDER: VOID}}
IDS["pet"] = {PET: 0, BACKGROUND: 1, BORDER: 0}
CLASSES = {"pet": (214, 112, 31), "background": (70, 104, 121), "border": (250, 220, 120)}
SPECIES = {"1": "cat", "2": "dog"}


class OxfordPet(Downloadable):
    """Oxford-IIIT Pet: cats and dogs of 37 breeds, to be separated from the background.

    Trained on the 3,680 images of annotations/trainval.txt and validated on the 3,669 of test.txt, as published. The
    trimaps have pet, background and the narrow border between them, which can be a class, void, or pet. The domain is
    cat or dog. Nothing is downloaded until `python -m seglab data --data oxford_pet --download` asks for it.

    Source: Parkhi, Vedaldi, Zisserman and Jawahar 2012, "Cats and dogs", https://www.robots.ox.ac.uk/~vgg/data/pets/
    """

    name = "oxford_pet"
    licence: ClassVar[str] = "CC BY-SA 4.0, https://creativecommons.org/licenses/by-sa/4.0/"
    size: ClassVar[str] = "0.8 GB"
    root: Annotated[
        Root | None, Field(description="folder with images and annotations; default: $SEGLAB_DATA/oxford_pet")
    ] = None
    border: Annotated[Border, Field(description="what the border between pet and background counts as")] = "class"

    def archives(self) -> list[Archive]:
        torchvision()
        from torchvision.datasets import OxfordIIITPet

        return [Archive(url, folder, md5) for (url, md5), folder in zip(
            OxfordIIITPet._RESOURCES, ("images", "annotations"), strict=True)]  # fmt: skip

    def open(self) -> Data:
        """Pairs and hashes the files; a mask's values are checked when it is loaded."""
        root = self.located()
        root = root / "oxford-iiit-pet" if (root / "oxford-iiit-pet").is_dir() else root
        kept = list(CLASSES)[: 3 if self.border == "class" else 2]
        listings = [_species(root, part) for part in ("trainval", "test")]
        species = {name: kind for listing in listings for name, kind in listing.items()}
        read = functools.partial(_read, species=species, ids=IDS[self.border])
        (train, val), span = splits_of([_pairs(root, names) for names in listings], root, read, self.border.encode())
        train, val = (replace(each, domain=species.get) for each in (train, val))
        return Data.halved(
            train=train,
            val=val,
            classes=tuple(kept),
            colors=tuple(CLASSES[name] for name in kept),
            found=(SeglabError("pairs: images/NAME.jpg and annotations/trimaps/NAME.png, as annotations lists them"),),
            span=span,
        )


def _species(root: Path, part: str) -> dict[str, str | None]:
    """The images of a list, each cat or dog."""
    rows = read_rows(root, f"annotations/{part}.txt")  # name, breed, species, breed within the species
    return {name: SPECIES.get(rest[1]) if len(rest) > 1 else None for name, *rest in rows}


def _pairs(root: Path, names: Iterable[str]) -> list[Pair]:
    trimaps = root / "annotations" / "trimaps"
    return [Pair(name, root / "images" / f"{name}.jpg", trimaps / f"{name}.png") for name in names]


def _read(pair: Pair, root: Path, span: Span | None, species: dict[str, str | None], ids: dict[int, int]) -> Sample:
    image, trimap, _ = read_ids(pair, root, span, (PET, BACKGROUND, BORDER), "1, 2, 3")
    lookup = np.full(256, VOID, np.uint8)
    lookup[list(ids)] = list(ids.values())
    return Sample(image, lookup[trimap], domain=species[pair.name], name=pair.name)
