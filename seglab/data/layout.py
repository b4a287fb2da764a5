"""Which files are images, which are their masks, and which belong together: told from paths alone.

A folder on disk and the entries of a zip are arranged by the same function, `arranged`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

from seglab.data import leftovers
from seglab.data.images import SUFFIXES, printable
from seglab.data.naming import Rule, best_rule, core, meaning, pairing_words
from seglab.data.placing import (
    File,
    Placed,
    by_words,
    placed,
    shape,
    shared_folders,
    taken_apart,
    together,
)
from seglab.data.walking import PASSED_OVER, Row
from seglab.errors import SeglabError


def _last(path: str) -> str:
    return path.rpartition("/")[2].lower()


class Match(NamedTuple):
    """An image and its mask, by their paths, and the name they have in runs."""

    name: str
    image: str
    mask: str


@dataclass(frozen=True)
class Layout:
    """What the paths of files tell of a set of images and masks, sorted by name.

    `train` and `val` where folders fix the split, `whole` where they do not. `pattern`: how pairs were found, in words.
    `warnings`: what was left out, and why. `unread`: pictures in folders of images or masks that are not read.
    `files`: other files in the folders that the pairs lie in or below, where lists of classes may be.
    """

    train: tuple[Match, ...] = ()
    val: tuple[Match, ...] = ()
    whole: tuple[Match, ...] = ()
    pattern: SeglabError | None = None
    problems: tuple[Row, ...] = ()
    warnings: tuple[SeglabError, ...] = ()
    unread: tuple[str, ...] = ()
    files: tuple[str, ...] = ()

    @property
    def matches(self) -> tuple[Match, ...]:
        return self.train + self.val + self.whole

    def beside(self, names: Sequence[str]) -> list[str]:
        """The files with one of these names (in lower case): by the outermost first, then by their order in `names`."""
        found = [(path.count("/"), names.index(name), path) for path in self.files if (name := _last(path)) in names]
        return [path for _, _, path in sorted(found)]


def arranged(paths: Iterable[str]) -> Layout:
    """Pairs images with their masks by the paths of all files, with / between the parts; folders end with /.

    - Folders say what is in them, at any depth and in any case: images, img, JPEGImages, leftImg8bit ...; masks,
      labels, annotations, gtFine, SegmentationClass ...; train, val or valid, test; or both, such as train_masks and
      trainannot. The other folders are a part of the names. Without a folder of images, pictures elsewhere are images;
      without one of masks, images and masks may lie together, such as x.jpg and x_mask.png.
    - File names are paired by one rule for the whole set: the first that pairs the most. See naming.py.
    - Where both train and val exist they fix the split, and test is left out.

    Never pairs by guess: a mask too many or too few is a problem.
    """
    files = [taken_apart(path) for path in sorted(paths) if not PASSED_OVER.search(path)]
    pictures = [file for file in files if file.picture]
    base = shared_folders([file.folders for file in pictures])
    images, masks, rest = by_words([file for file in files if file.picture or not file.last], base)
    draft = _Draft(files, images, masks, rest)
    if not any(each.file.picture for each in images) or not any(each.file.picture for each in masks):
        everything = [placed(file, base, None) for file in pictures]
        if mixed := together([each for each in everything if each.split != "test"]):
            (images, masks, rest), rule = mixed
            test = [each for each in everything if each.split == "test"]
            draft = _Draft(files, images + test, masks, rest, rule)
    return draft.layout()


class _Draft:
    """A layout as it is made: problems and warnings are added on the way."""

    def __init__(
        self,
        files: Sequence[File],
        images: list[Placed],
        masks: list[Placed],
        rest: list[Placed],
        rule: Rule | None = None,
    ):
        self.files, self.rest, self.rule = files, rest, rule
        self.sides = {"image": images, "mask": masks}
        self.problems: list[Row] = []
        self.warnings: list[SeglabError] = []
        self.unread: list[str] = []
        self.pairs: list[tuple[Placed, Placed]] = []
        self.twins: list[tuple[str, str]] = []
        self.undivided = False  # whether masks of all parts lie together
        self.flat = False  # whether images and masks lie in folders of other names

    def layout(self) -> Layout:
        parts = self.parts()
        self.warnings += [note for side in self.sides.values() for note in leftovers.others(side, self.files)]
        for side, files in self.sides.items():
            self.sides[side] = [each for each in files if each.file.picture]
        self.leave_out(parts)
        self.refuse_twins()
        self.pair()
        self.problems += leftovers.twins(self.twins)
        made: dict[str | None, list[Match]] = {"train": [], "val": [], None: []}
        common = shared_folders([image.folders for image, _ in self.pairs])
        for image, mask in self.pairs:
            name = "/".join((*image.folders[common:], image.file.stem))
            made[image.split].append(Match(name, image.file.path, mask.file.path))
        return Layout(
            train=tuple(sorted(made["train"])),
            val=tuple(sorted(made["val"])),
            whole=tuple(sorted(made[None])),
            pattern=self.pattern(),
            problems=tuple(self.problems),
            warnings=tuple(self.warnings),
            unread=tuple(self.unread),
            files=self.lists(),
        )

    def parts(self) -> set[str | None]:
        """The parts of the split that are read: train and val, or the only one there is, or those outside of both.

        Where pairs lie outside, folders called like train and val are others, unless they have just these names.
        """
        found = {each.split for each in self.sides["image"]} & {"train", "val"}
        exact = any({"train", "val"} & set(each.file.folders) for each in self.sides["image"])
        sides = self.sides.values()
        outside = all(any(each.file.picture and not each.split and not each.folders for each in side) for side in sides)
        if len(found) == 2 and (exact or not outside):
            return found
        return {None} if outside else found or {None}

    # --- what is left out

    def leave_out(self, parts: set[str | None]) -> None:
        """Takes out pictures that are not read, and says why; `parts` are those that images are split into."""
        test = self.take(lambda each: each.split == "test")
        if not any(each.split in parts for each in self.sides["mask"]):  # only images are in folders of their parts
            self.undivided = True
            self.sides["mask"] = [each._replace(split=next(iter(parts))) for each in self.sides["mask"]]
        beside = self.take(lambda each: each.split not in parts)
        if len(parts) == 1:  # no split
            for side, files in self.sides.items():
                self.sides[side] = [each._replace(split=None) for each in files]
        nested = []
        if all(any(not each.folders for each in side) for side in self.sides.values()):
            nested = self.take(lambda each: bool(each.folders))
        rest = [each for each in self.rest if each.file.picture and all(self.sides.values())]
        self.warnings += leftovers.left_out(test, beside, nested, rest)
        self.unread = [each.file.path for each in beside + nested]

    def take(self, which: Callable[[Placed], bool]) -> list[Placed]:
        """Takes the files out for which `which` is true."""
        taken = [each for side in self.sides.values() for each in side if which(each)]
        for side, files in self.sides.items():
            self.sides[side] = [each for each in files if not which(each)]
        return taken

    # --- what belongs together

    def refuse_twins(self) -> None:
        """Keeps the first of the images that differ in nothing but their endings."""
        seen: dict[object, Placed] = {}
        for each in self.sides["image"]:
            first = seen.setdefault((each.split, each.folders, each.file.stem), each)
            if first is not each:
                self.refuse_twin(each, first)
        self.sides["image"] = list(seen.values())

    def refuse_twin(self, each: Placed, first: Placed) -> None:
        self.twins.append((leftovers.shown(each), leftovers.shown(first)))

    def pair(self) -> None:
        """Pairs images and masks by the best rule, and tells of those that are left."""
        images, masks = self.sides["image"], self.sides["mask"]
        if not images or not masks:
            self.refuse_missing_folder()
        self.rule = rule = self.rule or self.best()
        by_key: dict[object, list[Placed]] = {}
        for each in sorted(masks, key=lambda each: each.rank):
            by_key.setdefault(self.key(each, "mask", rule), []).append(each)
        alone = []
        used: dict[object, Placed] = {}
        spare = [each for each in masks if self.key(each, "mask", rule) is None]
        for image in images:
            key = self.key(image, "image", rule)
            found = by_key.get(key) if key is not None else None
            if not found:
                alone.append(image)
            elif key in used:  # two images whose names differ in case alone
                self.refuse_twin(image, used[key])
            else:
                used[key] = image
                self.pairs.append((image, found[0]))
                for other in found[1:]:
                    if other.rank == found[0].rank:
                        self.refuse_twin(other, found[0])
                    else:
                        spare.append(other)
        spare += [each for key, found in by_key.items() if key is not None and key not in used for each in found]
        self.leave_variants(spare, alone, rule)

    def best(self) -> Rule:
        """The rule that pairs the most: within equal folders, else, where none are, by the files' own names."""

        def found() -> Rule:
            sides = (
                [(self.place(each), each.file.stem, each.file.ending) for each in self.sides[side]]
                for side in self.sides
            )
            return best_rule(*sides)

        rule = found()
        if not self.common(rule):
            self.flat = True
            flat = found()
            names = {(*self.place(each), each.file.stem) for each in self.sides["image"]}
            if len(names) == len(self.sides["image"]) <= 2 * self.common(flat):
                return flat
            self.flat = False
        return rule

    def common(self, rule: Rule) -> int:
        """How many images a rule pairs with masks."""
        images, masks = ({self.key(each, side, rule) for each in self.sides[side]} for side in self.sides)
        return len((images & masks) - {None})

    def place(self, each: Placed) -> tuple[str | None, tuple[str, ...]]:
        """What an image and its mask have in common besides a name."""
        return None if self.undivided else each.split, () if self.flat else each.folders

    def key(self, each: Placed, side: str, rule: Rule) -> object:
        """What an image and its mask have in common; None for a name that the rule does not fit."""
        found = rule.core(each.file.stem, each.file.ending, side)
        if found is None:
            return None
        split, folders = self.place(each)
        words = (*folders, found)
        return split, tuple(word.casefold() for word in words) if rule.fold else words

    def leave_variants(self, spare: Sequence[Placed], alone: Sequence[Placed], rule: Rule) -> None:
        """Tells of masks beside the one that an image has, such as colored ones, of images without a mask, and of masks
        without an image."""
        known: dict[object, set[str]] = {}
        for image, _ in self.pairs:
            names = known.setdefault(self.place(image), set())
            names.update(filter(None, (image.file.stem, core(image.file.stem, *rule.image))))

        def variant(each: Placed) -> bool:
            return not known.get(self.place(each), set()).isdisjoint(pairing_words(each.file.stem, "variant"))

        signs = [variant(each) for each in spare]
        beside = [each for each, sign in zip(spare, signs, strict=True) if sign]
        orphans = [each for each, sign in zip(spare, signs, strict=True) if not sign]
        self.warnings += leftovers.variants(beside)
        if not self.pairs and alone and orphans:
            self.problems += leftovers.strangers(alone[0], orphans[0])
        elif not any(place in ("images", "masks") for place, _ in self.problems):  # a whole folder is missing
            self.problems += leftovers.alone(alone, self.expected) + leftovers.orphans(orphans)

    def expected(self, image: Placed) -> str:
        """Where the mask of an image would be."""
        assert self.rule is not None
        parent = PurePosixPath(image.file.path).parent
        folder = next((PurePosixPath(mask.file.path).parent for other, mask in self.pairs
                       if PurePosixPath(other.file.path).parent == parent), None)  # fmt: skip
        if folder is None:
            masks = [each for each in self.sides["mask"] if each.at is not None]
            word = masks[0].file.folders[masks[0].at or 0] if masks else "masks"
            parts = list(parent.parts)
            if image.at is not None:
                parts[image.at] = word
            folder = PurePosixPath(*parts)
        name = self.rule.core(image.file.stem, image.file.ending, "image") or image.file.stem
        prefix, suffix = self.rule.mask
        return (folder / f"{prefix}{name}{suffix}.png").as_posix()

    def refuse_missing_folder(self) -> None:
        """Tells which folder there is not, where no folder is one of images, or none is one of masks."""
        kinds = {meaning(folder).kind for file in self.files for folder in file.folders}
        missing = "images" if "image" not in kinds else "masks" if "mask" not in kinds else None
        if missing == "images" and self.sides["image"] and "mask" not in kinds:
            missing = "masks"
        pictures = [file.path for file in self.files if file.picture]
        if not kinds & {"image", "mask"} and pictures:
            error = SeglabError(
                "no folder of images and none of masks was found, but {count} image files, such as {first}; put them "
                "into folders images and masks, or end the names of masks with _mask",
                count=len(pictures),
                first=printable(pictures[0]),
            )
            self.problems.append(("images", error))
        elif missing:
            error = SeglabError("{folder}: there is no such folder, or it cannot be read", folder=missing)
            self.problems.append((missing, error))
        elif strange := [
            (kind, inside)
            for kind in ("image", "mask")
            if (inside := self.within(kind)) and not any(file.picture for file in inside)
        ]:
            kind, inside = strange[0]
            error = SeglabError(
                "{file}: not a format of pictures that is read, and nothing else is in its folder; allowed: {formats}",
                file=printable(inside[0].path),
                formats=", ".join(sorted(SUFFIXES)),
            )
            self.problems.append((f"{kind}s", error))

    def within(self, kind: str) -> list[File]:
        """The files in folders of images, or in those of masks."""
        folders = ((file, file.folders) for file in self.files if file.last)
        return [file for file, each in folders if any(meaning(folder).kind == kind for folder in each)]

    # --- in words

    def pattern(self) -> SeglabError | None:
        """How pairs were found."""
        if not self.pairs or self.rule is None:
            return None
        sides = [[pair[n].file for pair in self.pairs] for n in (0, 1)]
        image, mask = (
            shape(files, *affix) for files, affix in zip(sides, (self.rule.image, self.rule.mask), strict=True)
        )
        if self.rule.whole:
            endings = Counter(file.suffix for file in sides[0])
            mask = mask.replace("NAME", "NAME" + (next(iter(endings)) if len(endings) == 1 else ".*"), 1)
        if self.rule.fold:
            return SeglabError("paired by name: {image} + {mask}, in upper or lower case", image=image, mask=mask)
        return SeglabError("paired by name: {image} + {mask}", image=image, mask=mask)

    def lists(self) -> tuple[str, ...]:
        """Files that are no pictures in the folders that lead to the pairs, and in those beside them."""
        places: set[tuple[str, ...]] = {("",)}
        for pair in self.pairs:
            for each in pair:
                folders = each.file.folders
                places.update(("", *folders[:n]) for n in range(len(folders) + 1))
        return tuple(
            file.path for file in self.files if file.last and not file.picture and ("", *file.folders) in places
        )
