"""What notebooks show: tables, curves and pictures, as HTML that suits light and dark pages."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np

from seglab import draw

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seglab.comparison import Comparison

CELL = "padding:2px 10px 2px 0;text-align:{};vertical-align:top"


def text(value: Any) -> str:
    """A value as people read it: scores with four digits, `-` for none."""
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.0f}"
    return "-" if value is None else f"{value:,}" if type(value) is int else str(value)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = (), labels: Sequence[str] = ()) -> str:
    """Rows of values; numbers to the right. `labels` are HTML before the rows."""

    def cell(value: Any, tag: str = "td", side: str | None = None) -> str:
        side = side or ("right" if isinstance(value, int | float) or value is None else "left")
        return f'<{tag} style="{CELL.format(side)}">{escape(text(value))}</{tag}>'

    rows = list(rows)
    sides = [
        "right" if any(isinstance(v, int | float) for v in column) else "left" for column in zip(*rows, strict=True)
    ]
    lines = []
    if head:
        padded = ["left"] * (len(head) - len(sides)) + sides
        lines.append("".join(cell(title, "th", side) for title, side in zip(head, padded, strict=True)))
    for place, row in enumerate(rows):
        label = f'<td style="{CELL.format("left")}">{labels[place]}</td>' if labels else ""
        lines.append(label + "".join(cell(value, side=side) for value, side in zip(row, sides, strict=True)))
    return '<table style="width:auto;margin:4px 0">' + "".join(f"<tr>{line}</tr>" for line in lines) + "</table>"


def title(words: str, note: str = "") -> str:
    more = f' <span style="opacity:.7">{escape(note)}</span>' if note else ""
    return f'<p style="margin:4px 0"><b>{escape(words)}</b>{more}</p>'


def notes(told: Iterable[Any]) -> str:
    return "".join(f'<p style="margin:4px 0">⚠ {escape(str(note))}</p>' for note in told)


def swatch(color: Sequence[int], dash: str = "-") -> str:
    """A square of a color."""
    style = "solid" if dash == "-" else "dashed" if dash == "--" else "dotted"
    css = "display:inline-block;width:16px;height:0;vertical-align:middle;margin-right:6px;border-top:4px"
    return f'<span style="{css} {style} {color if isinstance(color, str) else hexadecimal(color)}"></span>'


def hexadecimal(color: Sequence[int]) -> str:
    return "#" + "".join(f"{part:02x}" for part in color)


def legend(classes: Sequence[str], colors: Sequence[Sequence[int]]) -> str:
    """The classes with their colors."""
    box = "display:inline-block;width:12px;height:12px;margin-right:4px;vertical-align:-1px;border:1px solid #8888"
    word = "white-space:nowrap;margin-right:12px"
    chips = [
        f'<span style="{word}"><span style="{box};background:{hexadecimal(color)}"></span>{escape(name)}</span> '
        for name, color in zip(classes, colors, strict=True)
    ]
    return f'<p style="margin:4px 0;line-height:1.7">{"".join(chips)}</p>'


def image(pixels: np.ndarray, longest: int = 320) -> str:
    """An image uint8 (H, W, 3) as an <img>, shrunk to `longest` pixels."""
    from PIL import Image

    shown = Image.fromarray(pixels)
    shown.thumbnail((longest, longest))
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=85)
    return img("webp", buffer.getvalue(), shown.width)


def img(kind: str, content: bytes, width: int | None = None) -> str:
    size = f' width="{width}"' if width else ""
    return f'<img src="data:image/{kind};base64,{base64.b64encode(content).decode()}"{size} style="max-width:100%">'


def gallery(rows: Sequence[tuple[str, Sequence[np.ndarray]]], longest: int = 200) -> str:
    """Rows of images uint8 (H, W, 3), with a title before each."""
    lines = []
    for words, images in rows:
        cells = "".join(f'<td style="padding:2px">{image(pixels, longest)}</td>' for pixels in images)
        head = f'<th style="{CELL.format("left")}">{escape(words)}</th>'
        lines.append(f"<tr>{head}{cells}</tr>")
    return f'<table style="width:auto;margin:4px 0">{"".join(lines)}</table>'


def figure(drawn: Figure, width: int = 900) -> str:
    """A figure on white, whatever the page's color."""
    buffer = io.BytesIO()
    draw.save(drawn, buffer, format="png", dpi=100, facecolor="white")
    return img("png", buffer.getvalue(), width)


def curves(comparison: Comparison) -> str:
    """The curves of runs, where any has been evaluated."""
    return figure(draw.curves(comparison)) if any(map(any, comparison.curves["lr"])) else ""
