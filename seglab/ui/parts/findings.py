"""What the laboratory finds of two sides: whether their difference could be luck, and what makes it, as HTML."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from seglab import runs
from seglab.comparison import borders
from seglab.comparison.pairs import ClassDifference, Pair
from seglab.comparison.verdicts import PRACTICAL, Verdict
from seglab.errors import SeglabError
from seglab.ui import form
from seglab.ui.parts import counting
from seglab.ui.parts.lab import Laboratory
from seglab.ui.parts.masks import entries
from seglab.ui.text import render, say, told

MORE = 2  # seeds that a press trains
BATCH = 8  # images, of which the mean is taken by one of the other definitions


def real(lab: Laboratory, lang: str, more: bool = True) -> str:
    """Whether the difference could be luck, and what it is by other definitions, as HTML; with `more`, how seeds are
    added."""
    pair = lab.pair
    with lab.lock:
        whole, networks = pair.verdict, lab.networks.verdict
    settings = whole if whole.about == "settings" or pair.folded else None
    ways = {
        "set": (say("one matrix over all images", lang), say("seglab, everywhere", lang)),
        "images": (say("the mean over images", lang), say("many leaderboards", lang)),
        "present": (say("the mean over images, of the classes in their truth", lang), ""),
        "batches": (say("the mean over batches of {count}", lang, count=BATCH), say("some code of courses", lang)),
        "absent_as_one": (say("the mean over images, a class that is nowhere as 1", lang), say("smp's default", lang)),
        "absent_as_zero": (say("the mean over images, a class that is nowhere as 0", lang), ""),
    }
    first, second = pair.definitions(BATCH)
    return render(
        "lab_real.html",
        lang,
        networks=spoken(networks, lang),
        settings=settings and spoken(settings, lang),
        seeds=(pair.b if pair.a.fixed else pair.a).seeds,
        fixed=[side.name for side in (pair.a, pair.b) if side.fixed],
        power=settings and power(settings, lang, pair.a.fixed or pair.b.fixed),
        more=more_seeds(pair) if more else [],
        definitions=[(name, first[way], second[way], who) for way, (name, who) in ways.items()],
    )


def more_seeds(pair: Pair) -> list[tuple[str, str, int]]:
    """For each side its name, where the form is filled in for two seeds more, and about how many minutes they take:
    first those that only the other side has, so that both can be compared seed by seed."""
    found: dict[Path, tuple[str, str, int]] = {}
    for side, other in ((pair.a, pair.b), (pair.b, pair.a)):
        if side.fixed:  # there are no more of it
            continue
        own = set(side.seeds)
        wanted = itertools.chain(
            () if other.fixed else sorted(set(other.seeds) - own),
            (n for n in itertools.count() if n not in own | set(other.seeds)),
        )
        directory = side.readings[0].directory
        seconds = MORE * max((event.seconds for event in runs.events(directory)), default=0)
        settings = form.settings(runs.config(directory)) | {"seed": ",".join(map(str, itertools.islice(wanted, MORE)))}
        found.setdefault(directory, (side.name, f"#train?{urlencode(settings)}", math.ceil(seconds / 60)))
    return list(found.values())


def power(verdict: Verdict, lang: str, fixed: bool = False) -> str:
    """What it would take to see a difference that just matters; nothing where so many seeds are there, or there is no
    verdict. `fixed`: one side has no seeds."""
    if verdict.variances is None:
        return ""
    count, size = verdict.variances.needed(PRACTICAL), f"{PRACTICAL:g}"
    if count is None:
        return say("No number of seeds would show a difference of {size}: it takes more images.", lang, size=size)
    if count <= min(verdict.seeds):
        return ""
    if fixed:
        return say(
            "To see a difference of {size} takes about {count} seeds, with seeds that differ as these do.",
            lang,
            size=size,
            count=count,
        )
    return say(
        "To see a difference of {size} takes about {count} seeds of each, with seeds that differ as these do.",
        lang,
        size=size,
        count=count,
    )


def spoken(verdict: Verdict, lang: str) -> dict[str, Any]:
    return {"sentences": [told(each, lang) for each in verdict.sentences], "by_seed": verdict.by_seed}


def why(lab: Laboratory, lang: str, waits: bool = True) -> str:
    """The classes, borders, mistakes and images that make the difference, as HTML; what happens at borders where it has
    been counted, or a place for it where whoever reads this `waits`."""
    pair = lab.pair
    with lab.lock:
        found, slices = pair.per_class, pair.slices
    colors = [color for color, _ in entries(runs.description(lab.both[0].directory))]
    known = [n for n in range(len(pair.classes)) if n not in (pair.left_out or ())]
    return render(
        "lab_why.html",
        lang,
        classes=placed(found, pair.classes),
        cancelled=np.isnan([each.carried for each in found]).all() and any(abs(each.b - each.a) > 0 for each in found),
        colors=colors,
        names=pair.classes,
        known=known,
        void=pair.left_out is not None,
        borders=Markup(at_borders(lab, lang)) if lab.borders.found else "",
        waits=waits,
        confusion=zip(known, confused(*pair.summed, known), strict=True),
        slices=slices,
    )


def counted(lab: Laboratory) -> tuple[borders.Borders, ...]:
    """What both sides do at borders; raises SeglabError where that has not been counted yet."""
    if lab.borders.found is None:
        raise SeglabError("the borders of these images have not been looked at yet")
    return lab.borders.found


def at_borders(lab: Laboratory, lang: str) -> str:
    """How wrong both sides are near borders and far from them, as HTML."""
    one, other = counted(lab)
    bins: list[tuple[str, int, int | str]] = [
        (f"{low}–{high}" if high - low > 1 else f"{low}", low, high) for low, high in itertools.pairwise(borders.BINS)
    ]
    return render(
        "lab_borders.html",
        lang,
        bins=[*bins, (f"{borders.BINS[-1]}+", borders.BINS[-1], "")],
        shares=one.pixels / max(1, one.pixels.sum()),
        wrong=[(side, each.wrong / np.maximum(1, each.pixels)) for side, each in zip("AB", (one, other), strict=True)],
        measures=measured(one, other, lang),
    )


def some_borders(lab: Laboratory, lang: str) -> str:
    """The same, counted now; how far it is where that takes long, for a page that asks again."""
    lab.borders.begin(counting.PATIENCE, patient=True)
    if lab.borders.found is None:
        return render("lab_counting.html", lang, share=lab.borders.done / len(lab.pair.names))
    return at_borders(lab, lang)


def in_bin(lab: Laboratory, number: int) -> list[int]:
    """For each image, how many more pixels one side has wrong than the other at a distance from borders."""
    both = counted(lab)
    if not 0 <= number < len(borders.BINS):
        raise SeglabError("there is nothing at distance {number}", number=number)
    first, second = (np.array(each.by_image)[:, number] for each in both)
    return np.abs(second - first).tolist()


def in_cell(lab: Laboratory, truth: int, label: int) -> list[int]:
    """For each image, the pixels of a cell of the confusion matrix that only one side has."""
    classes = len(lab.pair.classes)
    for each, most in ((truth, classes), (label, classes + (lab.pair.left_out is not None))):
        if not 0 <= each < most:
            raise SeglabError("there is no class {number}", number=each)
    with lab.lock:
        return lab.pair.only_one(truth, label)


def regions(lab: Laboratory) -> list[dict[str, Any]]:
    """The regions of suspicious truth, the largest first."""
    with lab.lock:
        return [asdict(each) for each in lab.pair.regions]


def placed(found: Sequence[ClassDifference], names: Sequence[str]) -> list[tuple[ClassDifference, int, Any]]:
    """The classes with their places among all, and where their intervals lie on a line 200 wide."""
    ends = [value for each in found for value in each.together or ()]
    low, high = min([*ends, 0.0]), max([*ends, 0.0])

    def x(value: float) -> float:
        return round(6 + 188 * (value - low) / ((high - low) or 1), 1)

    return [
        (
            each,
            names.index(each.name),
            each.together
            and each.alone
            and {
                "zero": x(0),
                "together": [x(value) for value in each.together],
                "alone": [x(value) for value in each.alone],
                "middle": x(each.b - each.a),
            },
        )
        for each in found
    ]


def measured(one: borders.Borders, other: borders.Borders, lang: str) -> list[tuple[str, float, float, str]]:
    """Each measure of borders with its value for both sides, and how it is written."""

    def mean(values: np.ndarray) -> float:
        return float(np.nanmean(values)) if np.isfinite(values).any() else float("nan")

    rows = [
        (say("mIoU within 2 pixels of a border (trimap)", lang), one.trimap(2), other.trimap(2), "%.3f"),
        (say("Boundary IoU, mean over classes", lang), mean(one.boundary_iou), mean(other.boundary_iou), "%.3f"),
        (say("Boundary F1, mean over classes", lang), mean(one.boundary_f1), mean(other.boundary_f1), "%.3f"),
    ]
    kinds = {
        "boundary": say("Wrong pixels at the boundary of what is right", lang),
        "extent": say("Wrong pixels of a region that reaches too far, or not far enough", lang),
        "segment": say("Wrong pixels of a region that is missed or made up", lang),
    }
    for n, kind in enumerate(borders.ERRORS):
        first, second = (float(100 * each.errors[n] / max(1, each.errors.sum())) for each in (one, other))
        rows.append((kinds[kind], first, second, "%.1f %%"))
    return rows


def confused(first: np.ndarray, second: np.ndarray, known: Sequence[int]) -> list[list[dict[str, Any]]]:
    """For each true class that is `known` and each label, with void as the last where there is a column for it, by how
    many percent of the class more often B gives the label than A."""
    a, b = (100 * each.sum(0) / np.maximum(1, each.sum((0, 2)))[:, None] for each in (first, second))
    apart = b - a
    labels = [*known, *range(len(apart), apart.shape[1])]
    most = max(1e-9, float(np.abs(apart).max()))
    hits = np.equal.outer(*map(np.arange, apart.shape))
    good = hits == (apart > 0)  # more hits, or fewer mistakes
    return [
        [
            {
                "label": label,
                "text": f"{apart[truth, label]:+.1f}" if abs(apart[truth, label]) >= 0.05 else "0",
                "tint": round(abs(float(apart[truth, label])) / most, 3),
                "sign": "better" if good[truth, label] else "worse",
            }
            for label in labels
        ]
        for truth in known
    ]


def written(lab: Laboratory, name: str, lang: str, lesson: bool = False) -> str:
    """One of the views that come as HTML, made once for all visitors; with what happens at borders once that has been
    counted."""
    write = (IN_LESSON if lesson else VIEWS).get(name, VIEWS[name])
    counted = lab.borders.found is not None
    if name == "borders" and not counted:
        return write(lab, lang)
    return lab.written.get((name, lesson, lang, counted), lambda: write(lab, lang))


def real_in_lesson(lab: Laboratory, lang: str) -> str:
    """The same in a lesson, which has a button of its own for more seeds, and may hide what its runs are."""
    return real(lab, lang, more=False)


VIEWS = {"real": real, "why": why, "borders": at_borders}
IN_LESSON = {"real": real_in_lesson, "borders": some_borders}  # those that are others in a lesson
