"""The laboratory of the Compare tab: two sides of the shown runs, the verdict, and the pixels that they differ in."""

from __future__ import annotations

import gzip
import itertools
import logging
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seglab import runs, travel
from seglab.cache import Cache, Kept, once
from seglab.comparison import grids
from seglab.comparison.agreement import ORDERS
from seglab.comparison.pairs import Pair, defined, pair
from seglab.comparison.readings import Reading, Side
from seglab.errors import SeglabError
from seglab.metrics import iou, miou
from seglab.ui import form
from seglab.ui.board import BOARD
from seglab.ui.parts import counting
from seglab.ui.parts.masks import address, entries, sees
from seglab.ui.parts.scores import Stamp, compared, stamp
from seglab.ui.parts.sides import choices, key, keys, offered, ready, settings, sound, usual_key
from seglab.ui.text import told
from seglab.ui.wires import streamed

MOST_PIXELS = 4 * 2**20  # of label maps in one answer
MOST_ZIPPED, LEVEL = 2 * 2**20, 5  # bytes of such answers that are kept of two sides, and how hard they are zipped
log = logging.getLogger(__name__)
making = threading.Lock()  # one begins what many visitors ask for at once


@dataclass(frozen=True)
class Laboratory:
    """Two sides with what the page needs of them beyond their `Pair`; one thread at a time computes under `lock`, for
    all who ask for the same two, and no others wait."""

    pair: Pair
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)
    written: Kept = field(default_factory=Kept, compare=False)  # as text, for all visitors
    zipped: Cache[bytes] = field(default_factory=lambda: Cache(MOST_ZIPPED, len), compare=False)
    zipping: threading.Lock = field(default_factory=threading.Lock, compare=False)
    borders: counting.Counting = field(init=False, compare=False)

    @property
    def both(self) -> tuple[Reading, Reading]:
        return self.pair.partners[0]

    def __post_init__(self) -> None:
        object.__setattr__(self, "borders", counting.Counting(self.pair))

    @once
    def networks(self) -> Pair:
        """The first network of each side."""
        a, b = self.pair.a, self.pair.b
        return (
            self.pair if len(a.readings) == len(b.readings) == 1 else replace(self.pair, a=first_of(a), b=first_of(b))
        )

    @once
    def images(self) -> list[dict[str, Any]]:
        """Of each image: its name, what its data's source says of it, both sides' mIoU and the difference in each
        class's IoU, and its pixels by kind of agreement."""
        first, second = (each[0] for each in self.pair.matrices)
        agreement = self.pair.agreement
        slices = self.pair.attributes.get("domain") or [None] * len(first)
        rows = zip(self.pair.names, slices, first, second, agreement.counts, agreement.sizes, strict=True)
        return [
            {
                "name": name,
                "slice": value,
                "a": miou(a),
                "b": miou(b),
                "classes": np.round(iou(b) - iou(a), 4).tolist(),
                "counts": counts.tolist(),
                "size": size,
            }
            for name, value, a, b, counts, size in rows
        ]

    @once
    def pages(self) -> list[int]:
        """The first image of each answer with label maps."""
        starts, pixels = [0], 0
        for n, (height, width) in enumerate(self.pair.agreement.sizes):
            pixels += 3 * height * width
            if pixels > MOST_PIXELS and n > starts[-1]:
                starts.append(n)
                pixels = 3 * height * width
        return starts

    def page_of(self, image: int) -> int:
        return sum(first <= image for first in self.pages) - 1

    def maps(self, page: int) -> bytes:
        """Truth, A and B of each image of a page, one byte a pixel."""
        ends = [*self.pages[1:], len(self.pair.names)]
        if not 0 <= page < len(self.pages):
            raise SeglabError("there is no page {page} of label maps", page=page)
        places = range(self.pages[page], ends[page])
        return b"".join(each.tobytes() for place in places for each in self.pair.image(place))

    def zipped_maps(self, page: int) -> bytes:
        """The same as gzip, made once for all visitors."""
        with self.zipping:
            return self.zipped.get(page, lambda: gzip.compress(self.maps(page), LEVEL, mtime=0))

    @property
    def epochs(self) -> list[list[float]]:
        """The evaluations of each side after which label maps of a few images were kept; none of several folds."""
        return [[], []] if self.pair.folded else [each.epochs for each in self.both]

    def replay(self, counts: Sequence[int]) -> bytes:
        """The few images' label maps after so many of each side's evaluations, all of A's and then all of B's, one byte
        a pixel."""
        return b"".join(
            each.tobytes()
            for reading, epochs, count in zip(self.both, self.epochs, counts, strict=True)
            for epoch in epochs[:count]
            for each in reading.evidence.sampled(epoch)
        )


@lru_cache(maxsize=32)
def laboratory(a: Side, b: Side, leak: bool, stamped: tuple[Stamp, ...]) -> Laboratory:
    """The two sides, whose runs are as they were when stamped."""
    return Laboratory(pair(a, b, leak))


def asked(directories: Sequence[Path], first: str, second: str) -> Laboratory:
    """Two sides of those of the runs that are sound."""
    stamped = stamp(sound(directories))
    return chosen(stamped, offered(settings(stamped), first, second), first, second)


def chosen(stamped: tuple[Stamp, ...], found: Sequence[Side], first: str, second: str) -> Laboratory:
    """Two of the sides that were found, each given by one of its runs; those that are not given or not there are the
    first that are left. Raises SeglabError where there are no two, and where they cannot be compared."""
    by_run = {name: side for side in found for name in keys(side)}
    a, b = (by_run.get(usual_key(name)) for name in (first, second))
    plain = [side for side in found if not side.readings[0].predictors]
    a = a or next((side for side in plain if side is not b), None)
    b = b if b is not a and b else next((side for side in [*plain, *found] if side is not a), None)
    if a is None or b is None:
        raise SeglabError("a comparison has two sides: show two runs or more that have been scored")
    of_both = {str(each.directory) for side in (a, b) for each in side.readings}
    leaking = {row.run for row in compared(stamped).rows if row.leak}
    leak = any(Path(directory).name in leaking for directory in of_both)
    with making:
        return laboratory(a, b, leak, tuple(each for each in stamped if each[0] in of_both))


def overview(directories: Sequence[Path], first: str, second: str, lang: str) -> dict[str, Any]:
    """What the laboratory shows of two sides before label maps come: all that can be said in numbers and words."""
    answer: dict[str, Any] = {"sides": []}
    try:
        stamped = stamp(sound(directories))
        there = settings(stamped)
        answer["sides"] = choices(there)  # also where what is wanted is refused
        found = offered(there, first, second)
        answer["sides"] = choices(found)
        answer["grid"] = sum(not side.readings[0].predictors for side in found) >= grids.FEWEST
        if len(found) < 2:
            return answer
        lab = chosen(stamped, found, first, second)
        answer |= {"a": key(lab.pair.a), "b": key(lab.pair.b)}
        if missing := [side for side in (lab.pair.a, lab.pair.b) if not ready(side)]:
            name, count = missing[0].name, len(lab.pair.names)
            return answer | {"missing": {"run": key(missing[0]), "name": name, "images": count}}
        with lab.lock:
            return answer | defined(seen(lab, lang))
    except Exception as error:  # of one pair: others can be chosen
        if not isinstance(error, SeglabError):
            log.exception("two sides could not be compared")
        return answer | {"error": told(SeglabError.of(error), lang)}


def directories_of(data: dict[str, Any]) -> list[Path]:
    """Those of the runs that a page shows, which may send anything."""
    names = data.get("runs")
    return BOARD.named(map(str, names if isinstance(names, list) else []))


@streamed("computed", lambda data: {"side": str(data.get("side"))})
def compute(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Computes a side that is not there yet, of runs that a page shows; tells how far it is."""
    wanted = usual_key(str(data.get("side")))
    found = offered(settings(stamp(sound(directories_of(data)))), wanted)
    readings = next((side.readings for side in found if wanted in keys(side)), ())
    for n, reading in enumerate(readings):
        for done, of in itertools.chain([(0, 1)], reading.compute()):  # first that it waits for others no more
            yield {"kind": "computing", "share": (n + done / of) / len(readings)}


def two_of(data: dict[str, Any]) -> list[str]:
    return [str(data.get(name, "")) for name in ("a", "b")]


@streamed("counted", lambda data: {"of": two_of(data)})
def count_borders(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Counts what two sides that a page shows do at borders; tells how far it is."""
    for share in asked(directories_of(data), *two_of(data)).borders.run():
        yield {"kind": "counting", "share": share}


def judged(lab: Laboratory, lang: str) -> dict[str, Any]:
    """What can be said of the difference, in numbers and sentences."""
    verdict = lab.pair.verdict
    return verdict.as_json() | {"sentences": [told(each, lang) for each in verdict.sentences]}


def seen(lab: Laboratory, lang: str) -> dict[str, Any]:
    known, both = runs.description(lab.both[0].directory), lab.both
    here = None if lab.pair.folded else next((each.directory for each in both if sees(each.directory)), None)
    digest = str(known["digests"]["val"])[:12]
    return {
        "runs": [key(side) for side in (lab.pair.a, lab.pair.b)],
        "verdict": judged(lab, lang),
        "classes": entries(known),
        "images": lab.images,
        "orders": {order: lab.pair.agreement.order(order) for order in ORDERS},
        "totals": lab.pair.agreement.counts.sum(0).tolist(),
        "pages": lab.pages,
        "photos": "" if here is None else address(here, "photo", 0).replace("/0.webp", "/"),
        "version": digest,
        "made_of": [list(runs.weights_version(each.directory)) for each in both],
        "samples": [] if lab.pair.folded else both[0].evidence.samples,
        "epochs": lab.epochs,
    }


def recipes(lab: Laboratory) -> list[dict[str, Any]]:
    """How both sides were made."""
    return [recipe(side) for side in (lab.pair.a, lab.pair.b)]


def recipe(side: Side) -> dict[str, Any]:
    """How a side was made: its runs, the settings of the first for the form, and each one's command."""
    directories = [each.directory for each in side.readings]
    configs = [runs.config(directory) for directory in directories]
    return {
        "name": side.name,
        "runs": [directory.name for directory in directories],
        "settings": form.settings(configs[0]),
        "predictors": [each.model_dump(mode="json") for each in side.readings[0].predictors],
        "commands": [travel.command(runs.emptied(config)) for config in configs],
    }


def first_of(side: Side) -> Side:
    return replace(side, readings=side.readings[:1])
