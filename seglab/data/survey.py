"""What the images of opened data show: their sizes, each class's share, and which files are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from seglab.data.base import PARTS, VOID, Data, spread
from seglab.data.images import resize_labels
from seglab.data.pairs import absences, alone, few
from seglab.errors import SeglabError


@dataclass(frozen=True)
class Survey:
    """What looking at images gave; those that are wrong count for nothing but `wrong`.

    `shares`: by split, each class's part of the labeled pixels, 0 to 1. `images`: by class, how many masks show it.
    `void`: the part of all pixels that is void. `lost`: a warning of classes that training at a smaller size does not
    see. `sizes`: (width, height) and how many images have it, the most frequent first. `looked`: how many images of
    `total` were looked at. An image that both searches and is reported is one, but for the shares.
    """

    shares: dict[str, tuple[float, ...]]
    images: tuple[int, ...]
    void: float
    lost: tuple[SeglabError, ...]
    sizes: tuple[tuple[tuple[int, int], int], ...]
    looked: int
    total: int
    wrong: tuple[SeglabError, ...]
    warnings: tuple[SeglabError, ...]


def survey(
    data: Data,
    most: int | None = None,
    each: Callable[[list, int], Iterable] = lambda places, _: places,
    side: int | None = None,
) -> Survey:
    """Looks at every image, or at about `most`, evenly spread; `each` sees the places go by, and how many they are.
    `side` is the longer side that images have in training."""
    splits = {part: getattr(data, part) for part in PARTS}
    total = len({image for split in splits.values() for image in split.images})
    places = []
    for part, split in splits.items():
        share = len(split) if most is None else max(1, most * len(split) // total)
        places += [(part, place) for place in spread(len(split), share)]
    counts = {part: np.zeros(VOID + 1, np.int64) for part in splits}
    images, sizes = np.zeros(VOID + 1, np.int64), Counter[tuple[int, int]]()
    wrong: list[SeglabError] = []
    before, after = np.zeros(VOID + 1, np.int64), np.zeros(VOID + 1, np.int64)
    looked: set[bytes] = set()
    for part, place in each(places, len(places)):
        try:
            sample = splits[part][place]
        except SeglabError as error:
            wrong.append(alone(error))
            continue
        found = np.bincount(sample.mask.ravel(), minlength=VOID + 1)
        counts[part] += found
        if side and part == "train":
            before += found > 0
            after += labels_in(resize_labels(sample.mask, side))
        if (image := splits[part].images[place]) not in looked:
            looked.add(image)
            images += found > 0
            sizes[sample.mask.shape[1], sample.mask.shape[0]] += 1
    pixels = sum(counts.values(), np.zeros(VOID + 1, np.int64))
    known = slice(len(data.classes))
    return Survey(
        shares={part: tuple((each[known] / max(1, each[known].sum())).tolist()) for part, each in counts.items()},
        images=tuple(images[known].tolist()),
        void=float(pixels[VOID] / max(1, pixels.sum())),
        sizes=tuple(sizes.most_common()),
        lost=tuple(lost(before, after, data.classes, side) if side else ()),
        looked=len(looked),
        total=total,
        wrong=tuple(wrong),
        warnings=_warnings(data, counts, len(looked) == total and not wrong),
    )


def _warnings(data: Data, counts: dict[str, np.ndarray], whole: bool) -> tuple[SeglabError, ...]:
    """The data's own warnings, and which classes are absent where every image was looked at."""
    found = list(data.warnings)
    if whole:
        seen = (counts["train"] > 0, counts["search"] + counts["val"] > 0)
        found += absences(*([name for n, name in enumerate(data.classes) if not shown[n]] for shown in seen))
    return tuple({str(warning): warning for warning in found}.values())  # a folder's notes have these already


def labels_in(mask: np.ndarray) -> np.ndarray:
    """bool (256,): the labels of a mask uint8 (H, W)."""
    return np.bincount(mask.ravel(), minlength=VOID + 1) > 0


def lost(before: np.ndarray, after: np.ndarray, classes: Sequence[str], side: int) -> list[SeglabError]:
    """A warning of the classes that half of the masks that show them, or more, lose at a training size; `before` and
    `after` (256,) are how many masks show each label."""
    gone = [
        f"{name} ({shown - left}/{shown})"
        for name, shown, left in zip(classes, before.tolist(), after.tolist(), strict=False)
        if shown and 2 * left <= shown
    ]
    if not gone:
        return []
    return [
        SeglabError(
            "classes that shrinking to image_size {side} wipes out of training masks: {classes}; a larger image_size "
            "keeps them",
            side=side,
            classes=few(gone),
        )
    ]
