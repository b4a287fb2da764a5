"""What the folders of files say of them: images or masks, training or validation."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Callable, Sequence
from typing import NamedTuple

from seglab.data.images import SUFFIXES, printable
from seglab.data.naming import Rule, common_start, for_people, meaning, only_words, pairing_words


class File(NamedTuple):
    """A path in parts, fit to print and composed (NFC), since a Mac takes names apart. A folder has no `last`.

    `last` is `stem` and `ending`; `suffix` is the ending in lower case.
    """

    path: str
    folders: tuple[str, ...]
    last: str
    stem: str
    ending: str
    suffix: str
    picture: bool


class Placed(NamedTuple):
    """A file with what its folders say: its part of the split, the folders that say nothing, and which of its folders
    made it an image or a mask."""

    file: File
    split: str | None
    folders: tuple[str, ...]
    at: int | None

    @property
    def rank(self) -> int:
        """0 for masks in a folder called so; 1 for `masks_png`, say; 2 for `masks_color`, which is for people."""
        folder = "" if self.at is None else self.file.folders[self.at]
        return 2 if for_people(folder) else 0 if meaning(folder).plain else 1


Sides = tuple[list[Placed], list[Placed], list[Placed]]  # images, masks, and the rest


def taken_apart(path: str) -> File:
    *folders, last = printable(unicodedata.normalize("NFC", path)).split("/")
    stem, ending = os.path.splitext(last)
    suffix = ending.lower()
    return File(path, tuple(folders), last, stem, ending, suffix, suffix in SUFFIXES)


def placed(file: File, base: int, at: int | None) -> Placed:
    """What a file's folders say after the first `base`, which all have in common; `at` made it an image or a mask."""
    split, folders = None, []
    for n, folder in enumerate(file.folders[base:], base):
        known = meaning(folder)
        if known.split and split is None and (n == at or known.plain):
            split = known.split
        elif n != at:
            folders.append(folder)
    return Placed(file, None if split == "all" else split, tuple(folders), at)


def by_words(files: Sequence[File], base: int) -> Sides:
    """Images, masks, and the rest, by the outermost word that a folder's name has, else by the innermost."""
    found: dict[str, list[Placed]] = {}
    for which in (0, -1):
        tried: dict[str, list[Placed]] = {"image": [], "mask": [], "other": []}
        for file in files:
            said = [n for n in range(base, len(file.folders)) if meaning(file.folders[n]).kind]
            at = said[which] if said else None
            kind = "other" if at is None else meaning(file.folders[at]).kind or "other"
            tried[kind].append(placed(file, base, at))
        found = found or tried
        if tried["image"] and tried["mask"]:
            found = tried
            break
    images, masks, rest = found["image"], found["mask"], found["other"]
    if images and masks:
        return _nearest(images, masks, rest)
    if masks:  # pictures beside them are images
        places = {(each.split, each.folders) for each in masks}
        free = [each for each in rest if each.at is None and each.file.picture]
        beside = {each for each in free if each.split == "test" or each[1:3] in places}
        if len(places) == 1 and free and not beside and len({each[1:3] for each in free}) == 1:  # one folder for each
            images = [each._replace(folders=masks[0].folders) for each in free]
            return images, masks, [each for each in rest if each.at is not None]
        return [each for each in rest if each in beside], masks, [each for each in rest if each not in beside]
    return images, masks, rest


def _nearest(images: list[Placed], masks: list[Placed], rest: list[Placed]) -> Sides:
    """The images and masks in the outermost folders of both, since a copy in a folder beside them is none of the set;
    and of those, only the ones in folders that are called images and masks, where there are both."""

    def keep(condition: Callable[[Placed, str], bool]) -> None:
        nonlocal images, masks
        kept = (
            [each for each in images if condition(each, "images")],
            [each for each in masks if condition(each, "masks")],
        )
        if all(any(each.file.picture for each in side) for side in kept):
            rest.extend(each for each in images if not condition(each, "images"))
            rest.extend(each for each in masks if not condition(each, "masks"))
            images, masks = kept

    depths = {each.at for each in images if each.file.picture} & {each.at for each in masks if each.file.picture}
    if depths:
        outermost = min(depth for depth in depths if depth is not None)
        keep(lambda each, name: each.at == outermost)
    keep(lambda each, name: each.at is not None and each.file.folders[each.at].lower() == name)
    return images, masks, rest


def together(files: Sequence[Placed]) -> tuple[Sides, Rule | None] | None:
    """Images, masks and the rest of files that lie together, and the rule if it is known; None where nothing tells."""
    known: dict[object, set[str]] = {}
    for each in files:
        cores = known.setdefault((each.split, each.folders), set())
        cores.update(pairing_words(each.file.stem, "image"))

    def marked(each: Placed) -> bool:
        others = known[each.split, each.folders]
        return any(found != each.file.stem and found in others for found in pairing_words(each.file.stem, "mask"))

    signs = [marked(each) for each in files]
    if any(signs):
        masks = [each for each, sign in zip(files, signs, strict=True) if sign]
        places = {each[1:3] for each in masks}
        left = [each for each, sign in zip(files, signs, strict=True) if not sign]
        masked = {(*each[1:3], found) for each in masks for found in pairing_words(each.file.stem, "mask")}
        beside = {each for each in left if (*each[1:3], each.file.stem) not in masked and _variant(each, known)}
        masks += [each for each in left if each in beside]  # such as a second person's, which nothing pairs
        left = [each for each in left if each not in beside]
        rest = [each for each in left if each[1:3] not in places]
        return ([each for each in left if each[1:3] in places], masks, rest), None
    jpegs = [each for each in files if each.file.suffix.startswith(".j")]  # which no mask is
    others = [each for each in files if not each.file.suffix.startswith(".j")]
    names = {(each.split, each.folders, each.file.stem) for each in jpegs}
    if others and all((each.split, each.folders, each.file.stem) in names for each in others):
        return (jpegs, others, []), Rule()
    for image, mask in only_words():
        images, masks = ([each for each in files if each.file.stem.lower() == word] for word in (image, mask))
        if images and masks:
            rest = [each for each in files if each.file.stem.lower() not in (image, mask)]
            return (images, masks, rest), Rule(image=(image, ""), mask=(mask, ""), empty=True)
    return None


def _variant(each: Placed, known: dict[object, set[str]]) -> bool:
    """Whether a file is called like a picture for people, or another mask, of an image among the `known`."""
    words = pairing_words(each.file.stem, "variant")
    return any(word != each.file.stem and word in known[each.split, each.folders] for word in words)


def shape(files: Sequence[File], prefix: str, suffix: str) -> str:
    """What the paths of files have in common, NAME in place of what differs."""
    folders = sorted({file.folders for file in files})
    first = shared_folders(folders)
    rest = [each[first:] for each in folders]
    last = shared_folders([each[::-1] for each in rest])
    middle = ["…"] if any(len(each) > last for each in rest) else []
    parents = [*folders[0][:first], *middle, *(rest[0][len(rest[0]) - last :] if last else ())]
    stem, endings = files[0].stem, sorted({file.suffix for file in files})
    before, after = stem[: len(prefix)], stem[len(stem) - len(suffix) :]
    whole = before if len(stem) == len(prefix) + len(suffix) else f"{before}NAME{after}"
    return printable("/".join([*parents, whole + (endings[0] if len(endings) == 1 else ".*")]))


def shared_folders(folders: Sequence[tuple[str, ...]]) -> int:
    """How many of their first folders all have in common."""
    return len(common_start(folders)) if folders else 0
