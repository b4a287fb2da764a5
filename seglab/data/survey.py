"""What the images of opened data show: their sizes, each class's share, and which files are wrong."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass

import numpy as np

from seglab.data.base import PARTS, VOID, Data, spread
from seglab.data.pairs import absences, alone
from seglab.errors import SeglabError


@dataclass(frozen=True)
class Survey:
    """What looking at images gave; those that are wrong count for nothing but `wrong`.

    `shares`: by split, each class's part of the labeled pixels, 0 to 1. `images`: by class, how many masks show it.
    `void`: the part of all pixels that is void. `sizes`: (width, height) and how many images have it, the most frequent
    first. `looked`: how many images of `total` were looked at.
    """

    shares: dict[str, tuple[float, ...]]
    images: tuple[int, ...]
    void: float
    sizes: tuple[tuple[tuple[int, int], int], ...]
    looked: int
    total: int
    wrong: tuple[SeglabError, ...]
    warnings: tuple[SeglabError, ...]


def survey(
    data: Data, most: int | None = None, each: Callable[[list, int], Iterable] = lambda places, _: places
) -> Survey:
    """Looks at every image, or at about `most`, evenly spread; `each` sees the places go by, and how many they are."""
    splits = {part: getattr(data, part) for part in PARTS}
    total = sum(map(len, splits.values()))
    places = []
    for part, split in splits.items():
        share = len(split) if most is None else max(1, most * len(split) // total)
        places += [(part, place) for place in spread(len(split), share)]
    counts = {part: np.zeros(VOID + 1, np.int64) for part in splits}
    images, sizes = np.zeros(VOID + 1, np.int64), Counter[tuple[int, int]]()
    wrong: list[SeglabError] = []
    for part, place in each(places, len(places)):
        try:
            sample = splits[part][place]
        except SeglabError as error:
            wrong.append(alone(error))
            continue
        found = np.bincount(sample.mask.ravel(), minlength=VOID + 1)
        counts[part] += found
        images += found > 0
        sizes[sample.mask.shape[1], sample.mask.shape[0]] += 1
    pixels = sum(counts.values(), np.zeros(VOID + 1, np.int64))
    known = slice(len(data.classes))
    return Survey(
        shares={part: tuple((each[known] / max(1, each[known].sum())).tolist()) for part, each in counts.items()},
        images=tuple(images[known].tolist()),
        void=float(pixels[VOID] / max(1, pixels.sum())),
        sizes=tuple(sizes.most_common()),
        looked=len(places),
        total=total,
        wrong=tuple(wrong),
        warnings=_warnings(data, counts, len(places) == total and not wrong),
    )


def _warnings(data: Data, counts: dict[str, np.ndarray], whole: bool) -> tuple[SeglabError, ...]:
    """The data's own warnings, and which classes are absent where every image was looked at."""
    found = list(data.warnings)
    if whole:
        seen = (counts["train"] > 0, counts["search"] + counts["val"] > 0)
        found += absences(*([name for n, name in enumerate(data.classes) if not shown[n]] for shown in seen))
    return tuple({str(warning): warning for warning in found}.values())  # a folder's notes have these already
