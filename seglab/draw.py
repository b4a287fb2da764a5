"""Pictures: label maps over photographs, and curves."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from seglab.data.base import VOID

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seglab.compare import Comparison
    from seglab.data.base import Sample

Colors = Sequence[tuple[int, int, int]]

# The runs' line colours, by place: Okabe and Ito's set, told apart by colour-blind readers too, without its yellow
LINES = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#56B4E9", "#E69F00", "#000000", "#7F7F7F")
CURVES = {  # what is drawn of a comparison, with its title
    "train_loss": "train loss",
    "val_loss": "validation loss",
    "lr": "learning rate",
    "train_miou": "train mIoU",
    "val_miou": "validation mIoU",
}


def painted(labels: np.ndarray, colors: Colors) -> np.ndarray:
    """uint8 (H, W, 3): each class in its colour, void black; labels are uint8 (H, W)."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    return table[labels]


def overlay(image: np.ndarray, labels: np.ndarray, colors: Colors, strength: float = 0.55) -> np.ndarray:
    """uint8 (H, W, 3): the labels' colours over the image, its own light still visible; void stays as it is."""
    mixed = (image * (1 - strength) + painted(labels, colors) * strength).round().astype(np.uint8)
    return np.where((labels == VOID)[..., None], image, mixed)


def contact_sheet(samples: Sequence[Sample], colors: Colors, columns: int = 4, gap: int = 4) -> np.ndarray:
    """uint8 (H, W, 3): each image with its mask beside it, in rows, the first one's size for all."""
    height, width = samples[0].mask.shape
    rows = -(-len(samples) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (2 * width + gap) - gap, 3), 255, np.uint8)
    for n, sample in enumerate(samples):
        top, left = n // columns * (height + gap), n % columns * (2 * width + gap)
        pair = np.hstack([sample.image, painted(sample.mask, colors)])[:height, : 2 * width]
        sheet[top : top + pair.shape[0], left : left + pair.shape[1]] = pair
    return sheet


def curve(axes: Axes, comparison: Comparison, metric: str) -> None:
    """One metric of all runs over epochs; behind the train loss, the loss of single training steps."""
    from matplotlib.ticker import MaxNLocator

    if metric == "train_loss":
        for place, (epochs, values) in enumerate(comparison.curves["step_loss"]):
            axes.plot(epochs, values, color=LINES[place % len(LINES)], linewidth=0.8, alpha=0.35)
    for place, (epochs, values) in enumerate(comparison.curves[metric]):
        color = LINES[place % len(LINES)]
        if metric == "lr":  # often the same for several runs: the first ones are drawn wider, so that all show
            behind = len(comparison.curves["lr"]) - 1 - place
            axes.step(epochs, values, where="pre", color=color, linewidth=1.8 + 1.5 * min(behind, 3))
        else:
            axes.plot(epochs, values, color=color, linewidth=1.8, marker="o", markersize=3.5)
    reached = max((max(epochs, default=0) for epochs, _ in comparison.curves["lr"]), default=0)
    axes.set_xlim(0, max(1, reached) * 1.02)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axes.tick_params(labelsize=8, length=3)
    axes.grid(alpha=0.25)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if metric == "lr":
        axes.yaxis.set_major_formatter("{x:.3g}")
    axes.set_ylim(bottom=0)


def curve_svg(comparison: Comparison, metric: str) -> str:
    """One metric as an SVG picture whose texts are numbers alone, so that the page's own words can stand around it."""
    import matplotlib
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.fonttype"] = "none"  # texts stay texts, in the page's font
    figure = Figure(figsize=(3.8, 2.5), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    curve(axes, comparison, metric)
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
    lines = [Line2D([], [], color=LINES[n % len(LINES)], linewidth=2.5) for n in range(len(comparison.labels))]
    grid[-1].legend(lines, comparison.labels, loc="center left", frameon=False, fontsize=10)
    return figure
