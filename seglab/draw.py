"""Pictures: label maps over photographs, and curves."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Iterator, Sequence
from functools import lru_cache
from typing import IO, TYPE_CHECKING, Any

import numpy as np

from seglab.data.base import VOID
from seglab.data.images import resize_image
from seglab.errors import SeglabError

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from seglab.comparison.scores import Comparison


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


CELL = 512  # pixels, the longest side of a picture on a sheet of many
# Fonts with the letters that matplotlib's own font lacks; what these lack is looked for in all others
FONTS = (
    "NanumGothic", "Noto Sans CJK KR", "Noto Sans KR", "Malgun Gothic", "Apple SD Gothic Neo", "AppleGothic",
    "UnDotum", "Noto Sans CJK JP", "Noto Sans JP", "Yu Gothic", "Hiragino Sans", "Noto Sans CJK SC", "Noto Sans SC",
    "Microsoft YaHei", "PingFang SC", "WenQuanYi Zen Hei", "Droid Sans Fallback",
)  # fmt: skip


def painted(labels: np.ndarray, colors: Colors) -> np.ndarray:
    """uint8 (H, W, 3): each class in its color, void black; labels are uint8 (H, W)."""
    table = np.zeros((256, 3), np.uint8)
    table[: len(colors)] = colors
    return table[labels]


def overlay(image: np.ndarray, labels: np.ndarray, colors: Colors, strength: float = 0.55) -> np.ndarray:
    """uint8 (H, W, 3): the labels' colors over the image, its own light still visible; void stays as it is."""
    mixed = (image * (1 - strength) + painted(labels, colors) * strength).round().astype(np.uint8)
    return np.where((labels == VOID)[..., None], image, mixed)


def edges(instances: np.ndarray) -> np.ndarray:
    """bool (H, W): the outlines of things, int32 (H, W) with 0 = none, a few pixels wide in a large picture."""
    from scipy.ndimage import maximum_filter, minimum_filter

    width = 2 * max(1, round(max(instances.shape) / 500)) + 1
    return (instances > 0) & (maximum_filter(instances, width) != minimum_filter(instances, width))


def outlined(picture: np.ndarray, instances: np.ndarray, strength: float = 0.25) -> np.ndarray:
    """uint8 (H, W, 3): a picture whose things, int32 (H, W) with 0 = none, have white outlines and differ in shade."""
    # from -strength, towards black, to strength, towards white; the golden ratio keeps successive numbers apart
    shades = strength * (2 * (np.arange(instances.max() + 1, dtype=np.float32) * np.float32(0.618034) % 1) - 1)
    things, drawn = instances > 0, picture.copy()
    shade = shades[instances[things]][:, None]
    drawn[things] = (picture[things] * (1 - np.abs(shade)) + 255 * np.maximum(shade, 0)).round()
    drawn[edges(instances)] = 255
    return drawn


def glowing(image: np.ndarray, values: np.ndarray) -> np.ndarray:
    """uint8 (H, W, 3): values (H, W) from 0 to 1 as red, yellow and white light over the image, dim and gray."""
    dim = np.repeat(image.mean(2, keepdims=True) * 0.4, 3, 2)
    light = 255 * np.clip(3 * values[..., None] - np.arange(3), 0, 1)
    return np.maximum(dim, light).round().astype(np.uint8)


def contact_sheet(pairs: Sequence[tuple[np.ndarray, np.ndarray]], columns: int = 4, gap: int = 4) -> np.ndarray:
    """uint8 (H, W, 3): pairs of pictures side by side, in rows, each at most CELL pixels wide and high."""
    small = [[resize_image(each, min(CELL, max(each.shape[:2]))) for each in pair] for pair in pairs]
    height, width = (max(each.shape[axis] for pair in small for each in pair) for axis in (0, 1))
    rows = -(-len(pairs) // columns)
    sheet = np.full((rows * (height + gap) - gap, columns * (2 * width + gap) - gap, 3), 255, np.uint8)
    for n, pair in enumerate(small):
        top, left = n // columns * (height + gap), n % columns * (2 * width + gap)
        for start, picture in zip((left, left + width), pair, strict=True):
            sheet[top : top + picture.shape[0], start : start + picture.shape[1]] = picture
    return sheet


def stroke(place: int) -> dict[str, Any]:
    """How the line of the run at that place looks: where the colors are used up they begin again, dashed."""
    return {"color": LINES[place % len(LINES)], "linestyle": DASHES[place // len(LINES) % len(DASHES)]}


def curve(axes: Axes, comparison: Comparison, metric: str, places: Sequence[int] | None = None) -> None:
    """One metric of all runs over epochs; behind the train loss, the loss of single training steps. `places` are those
    of the runs' strokes, where they are not simply counted."""
    strokes = [stroke(place) for place in places or range(len(comparison.rows))]
    if metric == "train_loss":
        for line, (epochs, values) in zip(strokes, comparison.curves["step_loss"], strict=True):
            axes.plot(epochs, values, **line, linewidth=0.8, alpha=0.35)
    for place, (line, (epochs, values)) in enumerate(zip(strokes, comparison.curves[metric], strict=True)):
        if metric == "lr":  # often the same for several runs: the first ones are drawn wider, so that all show
            behind = len(comparison.curves["lr"]) - 1 - place
            axes.step(epochs, values, where="pre", **line, linewidth=1.8 + 1.5 * min(behind, 3))
        else:
            axes.plot(epochs, values, **line, linewidth=1.8, marker="o", markersize=3.5)
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


def curve_svg(comparison: Comparison, metric: str, places: Sequence[int] | None = None) -> str:
    """One metric as an SVG picture whose texts are numbers alone, so that the page's own words can stand around it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(3.8, 2.5), layout="constrained")
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    curve(axes, comparison, metric, places)
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
    """A figure as SVG, with nothing behind it, and what is black as dark or light as the text around it."""
    import matplotlib

    matplotlib.rcParams["svg.fonttype"] = "none"  # texts stay texts, in the page's font
    figure.patch.set_alpha(0)
    buffer = io.StringIO()
    save(figure, buffer, format="svg", metadata={"Date": None, "Creator": None})
    _, begun, content = buffer.getvalue().replace("#000000", "currentColor").partition("<svg")
    small = re.sub(r"\s*\n\s*", " ", content)
    return begun + re.sub(
        r"<[^>]+>", lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", tag[0]), small
    )  # texts stay as they are


def curves(comparison: Comparison, places: Sequence[int] | None = None) -> Figure:
    """Train and validation, loss and mIoU, then the learning rate and the legend, in one figure; `places` are those of
    the runs' strokes, where they are not simply counted."""
    from matplotlib.figure import Figure
    from matplotlib.lines import Line2D

    figure = Figure(figsize=(12, 6.4), layout="constrained")
    grid = figure.subplots(2, 3).ravel()
    for axes, (metric, title) in zip(grid, CURVES.items(), strict=False):
        curve(axes, comparison, metric, places)
        axes.set_title(title, fontsize=11, loc="left", fontweight="bold")
        axes.set_xlabel("epoch", fontsize=9)
    grid[-1].axis("off")
    strokes = [stroke(place) for place in places or range(len(comparison.rows))]
    lines = [Line2D([], [], **line, linewidth=2.5) for line in strokes]
    legend = grid[-1].legend(lines, comparison.labels, loc="center left", frameon=False, fontsize=10)
    for text in legend.get_texts():
        text.set_parse_math(False)  # a dollar in a name is a dollar
    return figure


# --- letters


def save(figure: Figure, file: Path | IO, **options: Any) -> list[SeglabError]:
    """Writes a figure whose texts may be in any script; `options` go to matplotlib's savefig.

    Gives what a person should know: which letters no installed font has, and what to install.
    """
    missing = spelled_out(figure)
    if not missing:
        figure.savefig(file, **options)
        return []
    with warnings.catch_warnings():  # matplotlib has one for each of the letters
        warnings.filterwarnings("ignore", r"Glyph .* missing from", UserWarning)
        figure.savefig(file, **options)
    return [
        SeglabError(
            "no installed font has the letters {letters}; they are drawn as boxes. Install one that has them, such as "
            "Debian's fonts-nanum (Korean) or fonts-noto-cjk (Korean, Japanese, Chinese)",
            letters="".join(sorted(missing)),
        )
    ]


def spelled_out(figure: Figure) -> set[str]:
    """Gives texts with letters that their font lacks further fonts, which have them; gives the letters that none has.

    Nothing is looked for as long as matplotlib's own font has all of them.
    """
    from matplotlib.text import Text

    texts = [text for text in figure.findobj(Text) if isinstance(text, Text) and not text.get_text().isascii()]
    if not texts:
        return set()
    from matplotlib.font_manager import FontProperties, findfont

    own = FontProperties()
    missing = {letter for text in texts for letter in text.get_text()} - letters(findfont(own)) - {"\n"}
    more = []
    for name, path in fonts() if missing else ():
        if known := missing & letters(path):
            more.append(name)
            missing -= known
        if not missing:
            break
    for text in texts if more else ():
        text.set_fontfamily([*own.get_family(), *more])
    return missing


@lru_cache(maxsize=4)
def letters(font: str) -> frozenset[str]:
    """The letters of a font's file; none where matplotlib cannot read it."""
    from matplotlib.ft2font import FT2Font

    try:
        return frozenset(map(chr, FT2Font(font).get_charmap()))
    except (OSError, RuntimeError):
        return frozenset()


def fonts() -> Iterator[tuple[str, str]]:
    """The upright installed fonts, by name and file: those of FONTS first."""
    from matplotlib import font_manager

    manager = font_manager.fontManager
    for path in set(font_manager.findSystemFonts()) - {font.fname for font in manager.ttflist}:
        try:
            manager.addfont(path)  # installed since matplotlib made its list, which it keeps for good
        except (OSError, RuntimeError):
            continue
    upright = {font.name: font.fname for font in manager.ttflist if font.style == "normal" and font.weight == 400}
    order = {name: place for place, name in enumerate(FONTS)}
    for name in sorted(upright, key=lambda name: (order.get(name, len(FONTS)), name)):
        if not name.startswith("Last Resort"):  # it has a box for every letter
            yield name, upright[name]
