"""A network's structure drawn: its blocks as boxes by resolution, its links as arrows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from seglab.draw import svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seglab.anatomy.numbers import Anatomy
    from seglab.anatomy.structure import Link


BLOCKS = {"image": "#E5E7EB", "encoder": "#A9CBEA", "decoder": "#F6CF9C", "output": "#A6DCC3"}  # fills, by kind

Dashes = Literal["-"] | tuple[float, Sequence[float]]
LINKS: dict[str, tuple[str, Dashes]] = {  # color and dashes, by kind
    "next": ("#9CA3AF", "-"),
    "stride": ("#D55E00", "-"),
    "pool": ("#D55E00", "-"),
    "global": ("#8B1E3F", "-"),
    "up": ("#009E73", "-"),
    "unpool": ("#009E73", "-"),
    "indices": ("#4B5563", (0, (3, 2))),
    "concat": ("#0072B2", "-"),
    "add": ("#A44A86", "-"),
    "combine": ("#6D4BC3", "-"),
}


MEANINGS = {  # for pictures with words of their own
    "encoder": "encoder",
    "decoder": "decoder",
    "output": "Class scores (logits)",
    "next": "Next layers",
    "pool": "Pooling or stride",
    "global": "Global pooling",
    "up": "enlarged",
    "indices": "Max-pooling indices",
    "concat": "Concatenation",
    "add": "Addition",
    "combine": "Other combination, such as a product",
}


SAME = {"stride": "pool", "unpool": "up"}  # kinds that look and are explained alike


def legend(anatomy: Anatomy) -> list[tuple[str, str, bool | None]]:
    """What the network's picture shows: each kind of block and link, its color, and of a link whether it is dashed."""
    kinds = {block.kind for block in anatomy.blocks} | {SAME.get(link.kind, link.kind) for link in anatomy.links}
    blocks = [(kind, BLOCKS[kind], None) for kind in MEANINGS if kind in kinds and kind in BLOCKS]
    return blocks + [(kind, LINKS[kind][0], LINKS[kind][1] != "-") for kind in MEANINGS if kind in kinds - set(BLOCKS)]


class Sketch:
    """Where a network's blocks stand: to the right with every link, down with every halving; lengths in inches."""

    LEFT, CROWD = 0.5, 3  # for the rows' names; so many blocks at one place are drawn smaller

    def __init__(self, anatomy: Anatomy):
        self.blocks, self.links = anatomy.blocks, anatomy.links
        columns = max(block.depth for block in self.blocks) + 1
        self.column = min(0.66, max(0.5, 6.6 / columns))
        self.width = self.LEFT + columns * self.column + 0.05
        self.cells: dict[tuple[int, int | None], list[int]] = {}
        for place, block in enumerate(self.blocks):
            self.cells.setdefault((block.depth, block.level), []).append(place)
        self.rows: dict[int | None, tuple[float, float]] = {}  # top and bottom of each level's row
        top = 0.0
        for level in sorted({block.level for block in self.blocks}, key=lambda level: 99 if level is None else level):
            tallest = max(sum(map(self.pitch, places)) for (_, at), places in self.cells.items() if at == level)
            bottom = top + tallest + 0.14 + max((self.rise(link) for link in self.arcs(level)), default=0)
            self.rows[level] = top, bottom
            top = bottom
        self.height = top
        self.at: dict[int, tuple[float, float]] = {}
        for depth, level in sorted(self.cells, key=lambda cell: cell[0]):
            self.stack(depth, level)

    def stack(self, depth: int, level: int | None) -> None:
        """Places the blocks of one column and row above each other, in the order of what leads to them."""
        places = self.cells[depth, level]
        above: dict[int, list[float]] = {place: [] for place in places}
        for link in self.links:
            if link.target in above and link.source in self.at:
                above[link.target].append(self.at[link.source][1])
        places.sort(key=lambda place: sum(above[place]) / max(1, len(above[place])))
        y = (self.rows[level][1] - 0.05) - (self.room(level) + sum(map(self.pitch, places))) / 2
        for place in places:
            self.at[place] = self.LEFT + (depth + 0.5) * self.column, y + self.tall(place) / 2
            y += self.pitch(place)

    def room(self, level: int | None) -> float:
        """The height of a row without what its arcs take."""
        return max(sum(map(self.pitch, places)) for (_, at), places in self.cells.items() if at == level)

    def crowded(self, place: int) -> bool:
        block = self.blocks[place]
        return len(self.cells[block.depth, block.level]) >= self.CROWD

    def tall(self, place: int) -> float:
        level = self.blocks[place].level
        return 0.2 if self.crowded(place) else 0.36 * 0.93 ** (7 if level is None else level)

    def pitch(self, place: int) -> float:
        return self.tall(place) + (0.07 if self.crowded(place) else 0.2)

    def wide(self, place: int) -> float:
        share = min(1.0, np.log2(self.blocks[place].channels) / 11)
        return self.column * (0.66 if self.crowded(place) else 0.34 + 0.34 * share)

    def arcs(self, level: int | None) -> list[Link]:
        """The links in a row that pass over something, or that are drawn so."""
        return [link for link in self.links if self.blocks[link.source].level == level and self.over(link)]

    def over(self, link: Link) -> bool:
        source, target = self.blocks[link.source], self.blocks[link.target]
        if source.level != target.level or target.depth - source.depth < 2:
            return False
        between = range(source.depth + 1, target.depth)
        return link.kind == "indices" or any((depth, source.level) in self.cells for depth in between)

    def rise(self, link: Link) -> float:
        return 0.12 + 0.02 * (self.blocks[link.target].depth - self.blocks[link.source].depth)

    def way(self, link: Link) -> list[tuple[float, float]]:
        """The four points of the link's curve."""
        (x0, y0), (x1, y1) = self.at[link.source], self.at[link.target]
        if self.over(link):
            start = x0 + self.wide(link.source) / 4, y0 - self.tall(link.source) / 2
            end = x1 - self.wide(link.target) / 4, y1 - self.tall(link.target) / 2
            peak = min(start[1], end[1]) - self.rise(link) * 4 / 3
            return [start, (start[0] + 0.15, peak), (end[0] - 0.15, peak), end]
        left, right = x0 + self.wide(link.source) / 2, x1 - self.wide(link.target) / 2
        bend = min(0.5 * (right - left), 0.45)
        return [(left, y0), (left + bend, y0), (right - bend, y1), (right, y1)]

    def name(self, level: int | None) -> str:
        """A row's: its maps' share of the image's side, or their size where they were pooled from all of it."""
        if level is None:
            sizes = sorted({block.size for block in self.blocks if block.level is None})
            return f"{sizes[0]}×{sizes[0]}" if len(sizes) == 1 else f"{sizes[0]}–{sizes[-1]}"
        return "1" if level == 0 else f"1/{2**level}" if level > 0 else str(2**-level)

    def texts(self, place: int) -> tuple[str, str]:
        """What stands in a block, its channels, and below it: how many convolutions it has, and their dilation."""
        block = self.blocks[place]
        ends = dict.fromkeys((block.rates[0], block.rates[-1])) if block.rates else ()
        rates = "r" + "–".join(map(str, ends)) if ends else ""
        if self.crowded(place):
            return f"{block.channels} {rates}".strip(), ""
        return str(block.channels), " ".join([*([f"×{block.layers}"] if block.layers > 1 else []), rates]).strip()


def structure(axes: Axes, sketch: Sketch) -> None:
    """The network's blocks and the links between them."""
    from matplotlib.patches import FancyArrowPatch, FancyBboxPatch, Rectangle
    from matplotlib.path import Path as Curve

    ground = {level: ("#F3F5F8", "#FFFFFF")[n % 2] for n, level in enumerate(sketch.rows)}
    for level, (top, bottom) in sketch.rows.items():
        axes.add_patch(Rectangle((0, top), sketch.width, bottom - top, color=ground[level], zorder=0, linewidth=0))
        middle = bottom - 0.05 - sketch.room(level) / 2 - 0.08
        axes.text(0.08, middle, sketch.name(level), fontsize=7.5, color="#6B7280", va="center")
    for link in sketch.links:
        color, dashes = LINKS[link.kind]
        curve = Curve(sketch.way(link), [Curve.MOVETO, Curve.CURVE4, Curve.CURVE4, Curve.CURVE4])
        head = "-|>,head_length=2.6,head_width=1.5"
        look: dict[str, Any] = {
            "color": color,
            "linestyle": dashes,
            "linewidth": 1.1,
            "joinstyle": "miter",
            "zorder": 1,
        }
        axes.add_patch(FancyArrowPatch(path=curve, arrowstyle=head, mutation_scale=1, **look))
    for place, block in enumerate(sketch.blocks):
        (x, y), width, height = sketch.at[place], sketch.wide(place), sketch.tall(place)
        look = {"facecolor": BLOCKS[block.kind], "edgecolor": "#374151", "linewidth": 0.7, "zorder": 2}
        corner, round_ = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.03"
        axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=round_, **look))
        inside, below = sketch.texts(place)
        size = min(7, 7 * (width - 0.04) / (0.062 * len(inside)))  # a digit of size 7 takes 0.062 inches
        axes.text(x, y, inside, fontsize=size, ha="center", va="center_baseline", zorder=3, color="#111827")
        behind: dict[str, Any] = {
            "facecolor": ground[block.level],
            "linewidth": 0,
            "pad": 0.4,
        }  # so that no line runs through it
        under: dict[str, Any] = {"fontsize": 6, "ha": "center", "va": "top", "zorder": 3, "color": "#4B5563"}
        if below:
            axes.text(x, y + height / 2 + 0.025, below, bbox=behind, **under)
    axes.set_xlim(0, sketch.width)
    axes.set_ylim(sketch.height, 0)
    axes.axis("off")


def structure_figure(anatomy: Anatomy, title: str | None = None) -> Figure:
    """The network's picture; with a title, also a legend in words."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    sketch = Sketch(anatomy)
    above, below = (0, 0) if title is None else (0.36, 0.6)
    width, height = max(sketch.width, 0 if title is None else 6.6), sketch.height + above + below
    figure = Figure(figsize=(width, height))
    axes = figure.add_axes((0, below / height, sketch.width / width, sketch.height / height))
    structure(axes, sketch)
    if title is not None:
        figure.text(0.08 / width, 1 - 0.18 / height, title, fontsize=10, fontweight="bold", va="center")
        handles: list[Any] = []
        for kind, color, dashed in legend(anatomy):
            if dashed is None:
                handles.append(Patch(facecolor=color, edgecolor="#374151", linewidth=0.7, label=MEANINGS[kind]))
            else:
                dashes = LINKS[kind][1]
                handles.append(Line2D([], [], color=color, linestyle=dashes, linewidth=1.5, label=MEANINGS[kind]))
        style = {"frameon": False, "fontsize": 7.5, "columnspacing": 1.4, "handlelength": 1.8, "borderpad": 0.2}
        figure.legend(handles=handles, loc="lower left", ncols=-(-len(handles) // 2), **style)
        note = "numbers: channels, × convolutions, r dilation"
        figure.text(1 - 0.08 / width, 1 - 0.18 / height, note, fontsize=7.5, color="#4B5563", ha="right", va="center")
    return figure


def structure_svg(anatomy: Anatomy) -> str:
    """The network's picture as SVG whose texts are numbers alone, so that the page's own words can stand around it."""
    return svg(structure_figure(anatomy))
