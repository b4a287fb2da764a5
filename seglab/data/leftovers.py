"""What is told of files that have no partner, have too many, or are not read: a few by name, more by their number."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any

from seglab.data.classes import LISTS
from seglab.data.colors import TABLES
from seglab.data.images import SUFFIXES, printable
from seglab.data.naming import common_start
from seglab.data.placing import File, Placed
from seglab.data.walking import Row
from seglab.errors import SeglabError

FEW = 5  # files that are named one by one


def shown(each: Placed) -> str:
    return printable(each.file.path)


def _few(files: Sequence[Placed]) -> dict[str, Any]:
    """How many there are, and the first."""
    return {"count": len(files), "first": shown(files[0]) if files else ""}


def others(side: Sequence[Placed], files: Sequence[File]) -> list[SeglabError]:
    """A warning of files in the folders of images, or in those of masks, that are no pictures and no lists of classes,
    and of folders that are called like a picture."""
    tops = {each.file.folders[: each.at + 1] for each in side if each.at is not None}
    depths = {len(top) for top in tops}
    odd = []
    for file in files:
        if not file.picture and any(file.folders[:depth] in tops for depth in depths):
            called = file.last.lower() or os.path.splitext(file.folders[-1])[1].lower()
            if called not in (*LISTS, *TABLES) if file.last else called in SUFFIXES:
                odd.append(file.path.rstrip("/"))
    if not odd:
        return []
    warning = SeglabError(
        "{folder}: entries that are not image files and were left out: {count}, such as {first}",
        folder=printable("/".join(common_start([PurePosixPath(path).parent.parts for path in odd]))),
        count=len(odd),
        first=printable(odd[0]),
    )
    return [warning]


def left_out(
    test: Sequence[Placed], beside: Sequence[Placed], nested: Sequence[Placed], rest: Sequence[Placed]
) -> list[SeglabError]:
    """Warnings of pictures that are not read, by why they are not."""
    told = []
    if test:
        told.append(SeglabError("image files of a test set that were left out: {count}, such as {first}", **_few(test)))
    if beside:
        warning = SeglabError(
            "image files that are in neither train nor val and were left out: {count}, such as {first}", **_few(beside)
        )
        told.append(warning)
    if nested:
        warning = SeglabError(
            "image files in folders within those of the others that were left out: {count}, such as {first}",
            **_few(nested),
        )
        told.append(warning)
    if rest:
        warning = SeglabError(
            "image files in folders of neither images nor masks that were left out: {count}, such as {first}",
            **_few(rest),
        )
        told.append(warning)
    return told


def variants(masks: Sequence[Placed]) -> list[SeglabError]:
    """A warning of masks beside the ones that are read, such as colored ones."""
    if not masks:
        return []
    text = "masks that were left out, since their images have others: {count}, such as {first}"
    return [SeglabError(text, **_few(masks))]


def twins(pairs: Sequence[tuple[str, str]]) -> list[Row]:
    """The problem of files that have the name of another."""
    if len(pairs) <= FEW:
        return [
            (file, SeglabError("{file}: {other} has the same name", file=file, other=other)) for file, other in pairs
        ]
    file, other = pairs[0]
    error = SeglabError(
        "{file}: {other} has the same name; there are {count} such files, and one of each name is to be kept",
        file=file,
        other=other,
        count=len(pairs),
    )
    return [(file, error)]


def strangers(image: Placed, mask: Placed) -> list[Row]:
    """The problem of a set in which no mask belongs to an image, such as these two."""
    error = SeglabError(
        "no mask has the name of its image: {image} and {mask}, for example; give both the same name, or end each "
        "mask's name with _mask",
        image=shown(image),
        mask=shown(mask),
    )
    return [(shown(mask), error)]


def alone(images: Sequence[Placed], expected: Callable[[Placed], str]) -> list[Row]:
    """The problem of images without a mask, which would be where `expected` says."""
    if len(images) <= FEW:
        return [
            (
                shown(each),
                SeglabError(
                    "{file}: its mask is missing: {missing}", file=shown(each), missing=printable(expected(each))
                ),
            )
            for each in images
        ]
    error = SeglabError(
        "images without a mask: {count}, such as {first}, whose mask would be {missing}",
        **_few(images),
        missing=printable(expected(images[0])),
    )
    return [(shown(images[0]), error)]


def orphans(masks: Sequence[Placed]) -> list[Row]:
    """The problem of masks without an image."""
    if len(masks) <= FEW:
        return [(shown(each), SeglabError("{file}: no image has this name", file=shown(each))) for each in masks]
    error = SeglabError("masks without an image of their name: {count}, such as {first}", **_few(masks))
    return [(shown(masks[0]), error)]
