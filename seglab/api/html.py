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

CELL = "padding:2px 12px 2px 0;text-align:{};vertical-align:top"
TABLE = '<div style="overflow-x:auto"><table style="width:auto;margin:4px 0">{}</table></div>'


def text(value: Any) -> str:
    """A value as people read it: scores with four digits, `-` for none."""
    if isinstance(value, float):
        return f"{value:.4f}" if abs(value) < 10 else f"{value:,.0f}"
    return "-" if value is None else f"{value:,}" if type(value) is int else str(value)


def table(rows: Iterable[Sequence[Any]], head: Sequence[str] = (), chips: Sequence[str] = ()) -> str:
    """Rows of values, numbers to the right; `chips` are HTML before the last titles of the head."""
    rows = list(rows)
    columns = list(zip(*rows, strict=True)) or [()] * len(head)
    sides = ["right" if any(isinstance(value, int | float) for value in column) else "left" for column in columns]

    def line(values: Sequence[Any], tag: str, before: Sequence[str]) -> str:
        return "".join(
            f'<{tag} style="{CELL.format(side)}">{chip}{escape(text(value))}</{tag}>'
            for side, chip, value in zip(sides, before, values, strict=True)
        )

    plain = [""] * len(sides)
    lines = [line(head, "th", plain[len(chips) :] + list(chips))] if head else []
    return TABLE.format("".join(f"<tr>{each}</tr>" for each in [*lines, *(line(row, "td", plain) for row in rows)]))


def title(words: str, note: str = "") -> str:
    more = f' <span style="opacity:.7">{escape(note)}</span>' if note else ""
    return f'<p style="margin:4px 0"><b>{escape(words)}</b>{more}</p>'


def notes(told: Iterable[Any]) -> str:
    return "".join(f'<p style="margin:4px 0">⚠ {escape(str(note))}</p>' for note in told)


def stroke(color: str, linestyle: str) -> str:
    """A short line like a run's in the curves."""
    style = {"-": "solid", "--": "dashed"}.get(linestyle, "dotted")
    css = f"display:inline-block;width:16px;vertical-align:middle;margin-right:6px;border-top:4px {style} {color}"
    return f'<span style="{css}"></span>'


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
    """An image uint8 (H, W, 3) as an <img> whose longer side has so many pixels, or twice its own if that is less."""
    from PIL import Image

    shown = Image.fromarray(pixels)
    shown.thumbnail((longest, longest))
    buffer = io.BytesIO()
    shown.save(buffer, "WEBP", quality=85)
    times = min(2.0, longest / max(shown.size))
    return img("webp", buffer.getvalue(), round(times * shown.width))


def img(kind: str, content: bytes, width: int) -> str:
    data = base64.b64encode(content).decode()
    return f'<img src="data:image/{kind};base64,{data}" width="{width}" style="max-width:100%">'


def gallery(rows: Sequence[tuple[str, Sequence[np.ndarray]]], longest: int = 200, head: Sequence[str] = ()) -> str:
    """Rows of images uint8 (H, W, 3), each with a title before it, and titles above the columns."""
    title = '<th style="{}">{}</th>'.format
    lines = []
    if head:
        cells = (title("text-align:left;padding:0 2px", escape(words)) for words in head)
        lines.append(f"{title('', '')}{''.join(cells)}")
    for words, images in rows:
        cells = (f'<td style="padding:2px">{image(pixels, longest)}</td>' for pixels in images)
        lines.append(f"{title(CELL.format('left'), escape(words))}{''.join(cells)}")
    return TABLE.format("".join(f"<tr>{line}</tr>" for line in lines))


def figure(drawn: Figure, width: int = 900) -> str:
    """A figure on white, whatever the page's color."""
    buffer = io.BytesIO()
    draw.save(drawn, buffer, format="png", dpi=100, facecolor="white")
    return img("png", buffer.getvalue(), width)


def curves(comparison: Comparison) -> str:
    """The curves of runs, where any has been evaluated."""
    return figure(draw.curves(comparison)) if any(map(any, comparison.curves["lr"])) else ""
