"""The laboratory's grid: all shown settings at once, their masks of the same image, and quality against cost."""

from __future__ import annotations

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.comparison.grids import COSTS, FEWEST, Grid, Layout, grid
from seglab.comparison.settings import short
from seglab.errors import SeglabError
from seglab.ui.parts.masks import address, sees
from seglab.ui.parts.scores import Stamp, compared, stamp
from seglab.ui.parts.sides import key, sound
from seglab.ui.text import render, say, told

WIDTH, HEIGHT = 640, 300  # of the drawing of cost against quality
LEFT, RIGHT, TOP, BOTTOM = 50, 30, 16, 30  # its margins
making = threading.Lock()  # one begins what many visitors ask for at once


@dataclass(frozen=True)
class Made:
    """A grid; one thread at a time computes under `lock`."""

    grid: Grid
    lock: threading.Lock = field(default_factory=threading.Lock, compare=False)


@lru_cache(maxsize=32)
def made(stamped: tuple[Stamp, ...], names: tuple[str, ...]) -> Made:
    """The grid of runs of these names as they were when stamped. Raises SeglabError where they are too few."""
    directories = [Path(directory) for directory, *_ in stamped]
    found = grid(replace(compared(stamped), labels=names), directories) if directories else None
    if found is None:
        raise SeglabError("a grid has {count} settings or more that have been scored: show more runs", count=FEWEST)
    return Made(found)


def html(directories: Sequence[Path], down: str, right: str, lang: str) -> str:
    """The settings of those of the runs that are sound, in lines and columns by two options, as HTML."""
    found = sound(directories)
    with making:
        of = made(stamp(found), tuple(runs.label(each).name for each in found))
    with of.lock:
        return written(of.grid, of.grid.layout(down, right), lang)


def written(grid: Grid, layout: Layout, lang: str, keys: Sequence[str] | None = None) -> str:
    """A grid as HTML; `keys`: what the page calls the settings of a lesson, whose titles stand in their cells."""
    settings, against = grid.settings, grid.against
    ranked = sorted(range(len(settings)), key=lambda place: -settings[place].mean)
    return render(
        "lab_grid.html",
        lang,
        grid=grid,
        layout=layout,
        items=items(grid, layout, ranked, keys),
        keys=keys,
        ranked=ranked,
        against=against,
        notes=[told(each, lang) for each in grid.notes],
        tied=any(each and each.tied for each in against),
        pictures=pictures(grid),
        costs=[(cost, named, drawn(grid, cost, ranked)) for cost, named in cost_names(lang).items()],
        frontier_names=lambda places: ", ".join(f"{ranked.index(n) + 1} {settings[n].side.name}" for n in places),
    )


def cost_names(lang: str) -> dict[str, str]:
    names = (say("Parameters", lang), say("Training time (s)", lang), say("Training time for each image (ms)", lang))
    return dict(zip(COSTS, names, strict=True))


def items(grid: Grid, layout: Layout, ranked: Sequence[int], keys: Sequence[str] | None) -> list[dict[str, Any]]:
    """What the page shows of each setting: its rank, what it opens as sides A and B, its mask of an image."""
    sides = keys or [key(each.side) for each in grid.settings]
    best = ranked[0] if grid.best is None else grid.best
    second = next(place for place in ranked if place != best)
    found = []
    for place, setting in enumerate(grid.settings):
        first = setting.side.readings[0].directory
        within = [f"{short(option)} {setting.options[option]}" for option in layout.within]
        crowded = any(place in cell and len(cell) > 1 for line in layout.cells for cell in line)
        found.append(
            {
                "rank": ranked.index(place) + 1,
                "name": setting.side.name,
                "told": setting.side.name if keys else ", ".join(within) or (setting.side.name if crowded else ""),
                "a": sides[best],
                "b": sides[second if place == best else place],
                "mask": masked(first) if place in grid.compared else "",
            }
        )
    return found


def masked(directory: Path) -> str:
    """Where the masks of a run's validation images are, `{n}` for the number of an image; empty where they stayed
    behind."""
    evidence = runs.Evidence(directory)
    if evidence.stayed:
        return ""
    version = "-".join(map(str, runs.weights_version(directory)))
    return address(directory, "labels", 0, v=version).replace("/0.webp", "/{n}.webp")


def pictures(grid: Grid) -> dict[str, Any] | None:
    """The validation images that the compared settings have in common, where one of them has its masks here."""
    here = [grid.settings[place].side.readings[0].directory for place in grid.compared]
    there = next((each for each in here if not runs.Evidence(each).stayed), None)
    if there is None:
        return None
    digest = str(runs.description(there)["digests"]["val"])[:12]
    photo = next((each for each in here if sees(each)), None)
    return {
        "names": runs.Evidence(there).names,
        "truth": address(there, "true", 0, v=digest).replace("/0.webp", "/{n}.webp"),
        "photo": photo and address(photo, "photo", 0, v=digest).replace("/0.webp", "/{n}.webp"),
    }


# --- cost against quality


def drawn(grid: Grid, cost: str, ranked: Sequence[int]) -> dict[str, Any] | None:
    """Where everything of the drawing lies: points and their seeds, the frontier, ticks; x is logarithmic. None where
    no setting has a cost."""
    known = {place: value for place in grid.compared if (value := grid.settings[place].costs[cost])}
    if not known:
        return None
    scores = [score for place in known for score in grid.settings[place].scores]
    low, high = padded(math.log10(min(known.values())), math.log10(max(known.values())), 0.05)
    bottom, top = padded(min(scores), max(scores), 0.01)

    def x(value: float) -> float:
        return round(LEFT + (WIDTH - LEFT - RIGHT) * (math.log10(value) - low) / (high - low), 1)

    def y(value: float) -> float:
        return round(HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (value - bottom) / (top - bottom), 1)

    frontier = [place for place in grid.frontier(cost) if place in known]
    return {
        "points": [
            {
                "place": place,
                "x": x(known[place]),
                "y": y(grid.settings[place].mean),
                "seeds": [y(score) for score in grid.settings[place].scores] if grid.settings[place].deviation else [],
                "frontier": place in frontier,
            }
            for place in ranked
            if place in known
        ],
        "frontier": frontier,
        "line": " ".join(f"{x(known[place])},{y(grid.settings[place].mean)}" for place in frontier),
        "across": [(x(value), compact(value)) for value in logarithmic(10**low, 10**high)],
        "up": [(y(value), f"{value:g}") for value in linear(bottom, top)],
    }


def padded(low: float, high: float, least: float) -> tuple[float, float]:
    """A range with room at both ends, and no narrower than it takes to be read."""
    room = max(0.08 * (high - low), least)
    return low - room, high + room


def logarithmic(low: float, high: float) -> list[float]:
    """Round numbers for the ticks of a logarithmic axis, seven at most; evenly apart where it is short."""
    if high < 5 * low:
        return linear(low, high)
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    for digits in ((1, 2, 5), (1, 3), (1,)):
        found = [digit * 10**n for n in range(first, last + 1) for digit in digits if low <= digit * 10**n <= high]
        if len(found) <= 7:
            break
    return found


def linear(low: float, high: float) -> list[float]:
    """Round numbers for the ticks of an axis, four or so."""
    rough = (high - low) / 4
    unit = 10 ** math.floor(math.log10(rough))
    step = next(unit * digit for digit in (1, 2, 5, 10) if unit * digit >= rough)
    return [round(n * step, 6) for n in range(math.ceil(low / step), math.floor(high / step) + 1)]


def compact(value: float) -> str:
    """A number in a few characters: 1.2M for 1,200,000."""
    for size, letter in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if value >= size * 0.9995:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"
