"""How people call images and masks: words for folders, and the endings and beginnings of file names."""

from __future__ import annotations

import functools
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple, TypeVar

# --- folders


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.lower().split())


IMAGES = _words(
    "image images img imgs im photo photos picture pictures pic pics jpegimages leftimgbit rgb input inputs frame "
    "frames original originals raw 이미지 사진 원본 원천데이터"
)
MASKS = _words(
    "mask masks label labels labelids annotation annotations annot annots anno annos ann anns lab gt gts gtfine "
    "gtcoarse truth groundtruth groundtruths segmentation segmentations seg segs segmentationclass segmentationmask "
    "segmentationmasks semantic manual target targets 마스크 라벨 레이블 라벨링데이터 정답"
)
OTHERS = _words(  # what is no image, and holds no classes
    "object objects instance instances instanceids depth overlay overlays vis viz visualization visualizations preview "
    "previews polygons boxes bboxes keypoints 인스턴스 미리보기"
)
SPLITS = {
    "train": "train", "training": "train", "학습": "train", "훈련": "train",
    "val": "val", "valid": "val", "validation": "val", "검증": "val",
    "test": "test", "testing": "test", "시험": "test", "테스트": "test",
    "trainval": "all", "trainvaltest": "all", "tr": "train", "ts": "test",
}  # fmt: skip
ENTIRE = SPLITS.keys() - {"tr", "ts"}  # what a folder may be called; nnU-Net has imagesTr, labelsTr, imagesTs
COLORED = {"color", "colors", "colored", "colour", "coloured", "rgb", "human"}
FILLERS = ("", "set", "data", "dataset", "split")
WORD = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[^\W\dA-Za-z_]+")


class Meaning(NamedTuple):
    """What a folder's name says: `kind` is image, mask or other; `split` is train, val, test or all (of the three).
    `plain` where it says nothing else."""

    kind: str | None = None
    split: str | None = None
    plain: bool = True


@functools.lru_cache(maxsize=1 << 14)
def meaning(folder: str) -> Meaning:
    """What a folder's name says, in whatever case: masks, train, val_labels, trainannot, masks_color ..."""
    name = re.sub(r"[\W\d_]+", "", folder).casefold()
    for split in ("", *sorted(SPLITS, key=len, reverse=True)):
        for rest in (name.removeprefix(split), name.removesuffix(split)):
            if split and len(rest) == len(name):
                continue
            kind = _kind([rest])
            if kind or (split in ENTIRE and rest in FILLERS):
                return Meaning(kind, SPLITS.get(split))
    words = [word.casefold() for word in WORD.findall(folder)]
    kind = _kind(words)
    part = next((SPLITS[word] for word in words if word in SPLITS), None) if kind else None
    return Meaning(kind, part, False)


def for_people(folder: str) -> bool:
    """Whether a folder's name says that its masks are painted, as Supervisely's masks_human beside masks_machine."""
    return not COLORED.isdisjoint(word.casefold() for word in WORD.findall(folder))


def _kind(words: Sequence[str]) -> str | None:
    for kind, known in (("other", OTHERS), ("mask", MASKS), ("image", IMAGES)):
        if any(word in known for word in words):
            return kind
    return None


# --- file names

Affix = tuple[str, str]  # a beginning and an ending

ENDINGS = _words(
    "gtFine_labelTrainIds gtFine_labelIds gtCoarse_labelTrainIds gtCoarse_labelIds labelTrainIds labelIds train_id "
    "manual1 1stHO class_ids ids bin_mask mask_bin binary_mask seg_mask mask_seg segmentation_mask mask masks matte "
    "ground_truth groundtruth gt label_ground_truth labels label lbl segmentation segmentations seg annotations "
    "annotation annot anno target truth L"
)
PAINTED = _words("gtFine_color gtCoarse_color color_mask mask_color label_color rgb_mask color colors colored colour")
BESIDE = _words(  # of no use as masks, or of less than the one that an image has
    "gtFine_instanceIds gtFine_instanceTrainIds gtCoarse_instanceIds instanceIds instanceTrainIds instance instances "
    "overlay label_viz viz vis preview blend polygons depth edge edges manual2 2ndHO"
)
BEGINNINGS = _words("mask masks label labels gt seg segmentation annotation groundtruth target")
OF_IMAGES = _words("leftImg8bit image img im rgb sat photo original input raw training test 0000")
ALONE = _words("img image photo rgb input original"), _words("label mask gt seg segmentation target")
MARKS = ("_", "-", " ", ".")  # between a word and the rest


def _affixes(endings: Sequence[str], beginnings: Sequence[str]) -> tuple[Affix, ...]:
    ends = [("", mark + word) for word in endings for mark in MARKS]
    return tuple(ends + [(word + mark, "") for word in beginnings for mark in MARKS])


MASK_AFFIXES = (*_affixes(ENDINGS, BEGINNINGS), *_affixes(PAINTED, ("color",)))  # the best first
IMAGE_AFFIXES = (("", ""), *_affixes(OF_IMAGES, ("img", "image", "im", "rgb", "photo", "sat", "frame", "input")))
VARIANTS = (("", ""), *MASK_AFFIXES, *_affixes(BESIDE, ("instance", "overlay")))
KNOWN = {"image": IMAGE_AFFIXES, "mask": MASK_AFFIXES, "variant": VARIANTS}
RANKS = {side: {affix: rank for rank, affix in enumerate(known)} for side, known in KNOWN.items()}
LENGTHS = {
    side: tuple(sorted({len(affix[which]) for affix in known if affix[which]}) for which in (0, 1))
    for side, known in KNOWN.items()
}


def core(stem: str, prefix: str, suffix: str) -> str | None:
    """The name between a beginning and an ending, whatever their case; None where it has not both, or nothing else."""
    if not prefix and not suffix:  # most of the calls
        return stem or None
    inner = stem[len(prefix) : len(stem) - len(suffix)]
    if not inner or len(inner) + len(prefix) + len(suffix) != len(stem):
        return None
    fits = stem[: len(prefix)].lower() == prefix.lower() and stem[len(stem) - len(suffix) :].lower() == suffix.lower()
    return inner if fits else None


def affixes_of(stem: str, side: str) -> list[Affix]:
    """The known beginnings and endings that a name has, the best first; `side`: image, mask, or variant of a mask."""
    low, (begins, ends) = stem.lower(), LENGTHS[side]
    tried = [("", ""), *(("", low[-n:]) for n in ends), *((low[:n], "") for n in begins)]
    found = [affix for affix in tried if affix in RANKS[side] and core(stem, *affix) is not None]
    return sorted(found, key=RANKS[side].__getitem__)


def pairing_words(stem: str, side: str) -> list[str]:
    """What the name may have in common with its partner's."""
    return [core(stem, *affix) or "" for affix in affixes_of(stem, side)]


def only_words() -> Iterator[tuple[str, str]]:
    """Names of an image and its mask in a folder of their own, such as img and label."""
    return ((image, mask) for image in ALONE[0] for mask in ALONE[1])


@dataclass(frozen=True)
class Rule:
    """How the names of images and masks are alike: without these beginnings and endings they are the same.

    `whole`: the mask is called like the image's whole file, with its ending. `fold`: in upper or lower case.
    `empty`: the names are nothing but the beginnings.
    """

    image: Affix = ("", "")
    mask: Affix = ("", "")
    whole: bool = False
    fold: bool = False
    empty: bool = False

    def core(self, stem: str, ending: str, side: str) -> str | None:
        """What the name of an image or a mask has in common with its partner's, or None."""
        name = stem + ending if self.whole and side == "image" else stem
        affix = self.image if side == "image" else self.mask
        if self.empty:
            return "" if name.lower() == "".join(affix) else None
        return core(name, *affix)


Named = tuple[object, str, str]  # what else must be the same, a file's name, and its ending


def best_rule(images: Sequence[Named], masks: Sequence[Named]) -> Rule:
    """The first of the rules that pairs the most; what the names have in common, where no rule pairs most of them and
    that pairs them one to one."""
    best, most = Rule(), -1
    for rule in _rules(images, masks):
        score = _score(rule, images, masks)
        if score > most:
            best, most = rule, score
        if most == len(images):
            break
    if 2 * most <= min(len(images), len(masks)) and (found := _inferred(images, masks)):
        return found
    stem = next((stem for _, stem, ending in masks if best.core(stem, ending, "mask")), None)
    if stem is None:
        return best
    prefix, suffix = best.mask
    return replace(best, mask=(stem[: len(prefix)], stem[len(stem) - len(suffix) :]))  # as it is written here


def _rules(images: Sequence[Named], masks: Sequence[Named]) -> Iterator[Rule]:
    """Every rule that may fit, the most usual first."""
    yield from (Rule(), Rule(fold=True), Rule(whole=True), Rule(whole=True, fold=True))
    least = min(len(images), len(masks)) / 4  # what few files have pairs no set, and a zip may have them all
    of_masks, of_images = _present(masks, "mask", least), _present(images, "image", least)
    for fold in (False, True):
        for mask in of_masks:
            for image in of_images:
                yield Rule(image, mask, fold=fold)
            yield Rule(mask=mask, whole=True, fold=fold)
        for image in of_images[1:]:
            yield Rule(image, fold=fold)


def _present(files: Sequence[Named], side: str, least: float) -> list[Affix]:
    """The known beginnings and endings that so many of the files have at least."""
    found = Counter(affix for _, stem, _ in files for affix in affixes_of(stem, side))
    return sorted((affix for affix, count in found.items() if count >= least), key=RANKS[side].__getitem__)


def _keys(rule: Rule, files: Sequence[Named], side: str) -> list[object]:
    found = [(place, rule.core(stem, ending, side)) for place, stem, ending in files]
    if rule.fold:
        return [repr((place, word)).casefold() for place, word in found if word is not None]
    return [(place, word) for place, word in found if word is not None]


def _score(rule: Rule, images: Sequence[Named], masks: Sequence[Named]) -> int:
    known = set(_keys(rule, masks, "mask"))
    return sum(key in known for key in _keys(rule, images, "image"))


def _inferred(images: Sequence[Named], masks: Sequence[Named]) -> Rule | None:
    """The rule by what all images' names have in common, and all masks'; None unless it pairs them one to one."""
    if len(images) != len(masks) or len(images) < 2:
        return None
    rule = Rule(_common(images), _common(masks))
    keys = _keys(rule, images, "image")
    alike = set(keys) == set(_keys(rule, masks, "mask")) and len(set(keys)) == len(images)
    return rule if alike else None


def _common(files: Sequence[Named]) -> Affix:
    """The beginning and the ending that all names have, neither of them ending within a number."""
    stems = sorted({stem for _, stem, _ in files})
    prefix = re.sub(r"\d+$", "", common_start(stems))
    rest = [stem[len(prefix) :][::-1] for stem in stems]
    return prefix, re.sub(r"^\d+", "", common_start(rest)[::-1])


Text = TypeVar("Text", str, tuple[str, ...])


def common_start(things: Sequence[Text]) -> Text:
    """What all of them begin with."""
    first, last = min(things), max(things)
    differ = (n for n, (one, other) in enumerate(zip(first, last, strict=False)) if one != other)
    return first[: next(differ, len(first))]
