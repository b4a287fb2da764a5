"""Pictures: label maps over photographs, and curves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from seglab.data.base import VOID

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seglab.anatomy import Anatomy
    from seglab.compare import Comparison
    from seglab.structure import Link

Colors = Sequence[tuple[int, int, int]]

# The runs' line colors, by place: Okabe and Ito's set, told apart by color-blind readers too, without its yellow
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
DASHES = ("-", "--", ":")
CURVES = {  # what is drawn of a comparison, with its title
    "train_loss": "Training loss",
    "val_loss": "Validation loss",
    "lr": "Learning rate",
    "train_miou": "Training mIoU",
    "val_miou": "Validation mIoU",
}


def painted(labels: np.ndarray, colors: Colors) -> np.ndarray:
    """uint8 (H, W, 3): each class in its color, void black; labels are uint8 (H, W)."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    return table[labels]


def overlay(image: np.ndarray, labels: np.ndarray, colors: Colors, strength: float = 0.55) -> np.ndarray:
    """uint8 (H, W, 3): the labels' colors over the image, its own light still visible; void stays as it is."""
    mixed = (image * (1 - strength) + painted(labels, colors) * strength).round().astype(np.uint8)
    return np.where((labels == VOID)[..., None], image, mixed)


def outlined(picture: np.ndarray, instances: np.ndarray, strength: float = 0.25) -> np.ndarray:
    """uint8 (H, W, 3): a picture whose things, int32 (H, W) with 0 = none, have white outlines and differ in shade."""
    from scipy.ndimage import maximum_filter, minimum_filter

    # from -strength, towards black, to strength, towards white; the golden ratio keeps successive numbers apart
    shades = strength * (2 * (np.arange(instances.max() + 1, dtype=np.float32) * np.float32(0.618034) % 1) - 1)
    things, drawn = instances > 0, picture.copy()
    shade = shades[instances[things]][:, None]
    drawn[things] = (picture[things] * (1 - np.abs(shade)) + 255 * np.maximum(shade, 0)).round()
    width = 2 * max(1, round(max(instances.shape) / 500)) + 1
    drawn[things & (maximum_filter(instances, width) != minimum_filter(instances, width))] = 255
    return drawn


def glowing(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3): values (H, W) from 0 to 1 as red, yellow and white light over the image, dim and gray."""
    dim = np.repeat(image.mean(2, keepdims=True) * 0.4, 3, 2)
    light = 255 * np.clip(3 * values[..., None] - np.arange(3), 0, 1)
    return np.maximum(dim, light).round().astype(np.uint8)


def contact_sheet(pairs: Sequence[tuple[np.ndarray, np.ndarray]], columns: int = 4, gap: int = 4) -> np.ndarray:
    """uint8 (H, W, 3): pairs of pictures side by side, in rows, the first one's size for all."""
    height, width = pairs[0][0].shape[:2]
    rows = -(-len(pairs) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (2 * width + gap) - gap, 3), 255, np.uint8)
    for n, pair in enumerate(pairs):
        top, left = n // columns * (height + gap), n % columns * (2 * width + gap)
        both = np.hstack(pair)[:height, : 2 * width]
        sheet[top : top + both.shape[0], left : left + both.shape[1]] = both
    return sheet


def stroke(place: int) -> dict[str, str]:
    """How the line of the run at that place looks: where the colors are used up they begin again, dashed."""
    return {"color": LINES[place % len(LINES)], "linestyle": DASHES[place // len(LINES) % len(DASHES)]}


def curve(axes: Axes, comparison: Comparison, metric: str) -> None:
    """One metric of all runs over epochs; behind the train loss, the loss of single training steps."""
    if metric == "train_loss":
        for place, (epochs, values) in enumerate(comparison.curves["step_loss"]):
            axes.plot(epochs, values, **stroke(place), linewidth=0.8, alpha=0.35)
    for place, (epochs, values) in enumerate(comparison.curves[metric]):
        if metric == "lr":  # often the same for several runs: the first ones are drawn wider, so that all show
            behind = len(comparison.curves["lr"]) - 1 - place
            axes.step(epochs, values, where="pre", **stroke(place), linewidth=1.8 + 1.5 * min(behind, 3))
        else:
            axes.plot(epochs, values, **stroke(place), linewidth=1.8, marker="o", markersize=3.5)
    reached = max((max(epochs, default=0) for epochs, _ in comparison.curves["lr"]), default=0)
    framed(axes, max(1, reached))
    if metric == "lr":
        axes.yaxis.set_major_formatter("{x:.3g}")


def framed(axes: Axes, epochs: float) -> None:
    """What all curves have around them: epochs from 0, values from 0 or below, and little ink."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlim(0, epochs * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.tick_params(labelsize=8, length=3)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    low, high = 1.05 * axes.dataLim.intervaly
    axes.set_ylim(min(low, 0), high if 0 < high < np.inf else None)


def curve_svg(comparison: Comparison, metric: str) -> str:
    """One metric as an SVG picture whose texts are numbers alone, so that the page's own words can stand around it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.8, 2.5), layout="constrained")
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    curve(axes, comparison, metric)
    return svg(figure)


def schedule_svg(rates: Sequence[float], epochs: int) -> str:
    """The learning rate of a run's steps, as an SVG picture like those of `curve_svg`."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.8, 1.9), layout="constrained")
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    at = np.linspace(0, epochs, len(rates) + 1)
    axes.step(at, [*rates, rates[-1]], where="post", color=LINES[0], linewidth=1.8)
    framed(axes, epochs)
    axes.yaxis.set_major_formatter("{x:.3g}")
    return svg(figure)


def svg(figure: Figure) -> str:
    """A figure as SVG, with nothing behind it."""
    import matplotlib

    matplotlib.rcParams["svg.fonttype"] = "none"  # texts stay texts, in the page's font
    figure.patch.set_alpha(0)
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    return buffer.getvalue().partition("<svg")[1] + buffer.getvalue().partition("<svg")[2]


def curves(comparison: Comparison) -> Figure:
    """Train and validation, loss and mIoU, then the learning rate and the legend, in one figure."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    grid = figure.subplots(2, 3).ravel()
    for axes, (metric, title) in zip(grid, CURVES.items(), strict=False):
        curve(axes, comparison, metric)
        axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
        axes.set_xlabel("epoch", fontsize=9)
    grid[-1].axis("off")
    lines = [Line2D([], [], **stroke(n), linewidth=2.5) for n in range(len(comparison.labels))]
    grid[-1].legend(lines, comparison.labels, loc="center left", frameon=False, fontsize=10)
    return figure


# --- a network's structure

BLOCKS = {"image": "#E5E7EB", "encoder": "#A9CBEA", "decoder": "#F6CF9C", "output": "#A6DCC3"}  # fills, by kind
LINKS = {  # color and dashes, by kind
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
        start, end = x0 + self.wide(link.source) / 2, x1 - self.wide(link.target) / 2
        bend = min(0.5 * (end - start), 0.45)
        return [(start, y0), (start + bend, y0), (end - bend, y1), (end, y1)]

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
        look = {"color": color, "linestyle": dashes, "linewidth": 1.1, "joinstyle": "miter", "zorder": 1}
        axes.add_patch(FancyArrowPatch(path=curve, arrowstyle=head, mutation_scale=1, **look))
    for place, block in enumerate(sketch.blocks):
        (x, y), width, height = sketch.at[place], sketch.wide(place), sketch.tall(place)
        look = {"facecolor": BLOCKS[block.kind], "edgecolor": "#374151", "linewidth": 0.7, "zorder": 2}
        corner, round_ = (x - width / 2, y - height / 2), "round,pad=0,rounding_size=0.03"
        axes.add_patch(FancyBboxPatch(corner, width, height, boxstyle=round_, **look))
        inside, below = sketch.texts(place)
        size = min(7, 7 * (width - 0.04) / (0.062 * len(inside)))  # a digit of size 7 takes 0.062 inches
        axes.text(x, y, inside, fontsize=size, ha="center", va="center_baseline", zorder=3, color="#111827")
        behind = {"facecolor": ground[block.level], "linewidth": 0, "pad": 0.4}  # so that no line runs through it
        under = {"fontsize": 6, "ha": "center", "va": "top", "zorder": 3, "color": "#4B5563"}
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
