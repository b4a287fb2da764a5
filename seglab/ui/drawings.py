"""Makes drawings.json: how large each shipped network is, and a small drawing of it, for the list to pick from.

python -m seglab.ui.drawings
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from seglab import anatomy
from seglab.entry import FAMILIES
from seglab.ui.strings import shipped

SIDE = 128  # of the image that the networks are looked at with
FILE = Path(__file__).parent / "drawings.json"


def drawing(name: str) -> dict[str, Any]:
    """A network's number of parameters, and its outline: a bar for each block, as high as its feature map is large."""
    model = FAMILIES["architectures"].entries[name]()
    found = anatomy.anatomy(model, side=SIDE)
    return {"parameters": found.parameters, "svg": outline(found)}


def outline(found: anatomy.Anatomy, width: float = 84, height: float = 30) -> str:
    """The blocks from the image to the output, skip connections as lines above them, as SVG."""
    blocks = [block for block in found.blocks if block.kind != "image"]
    columns = sorted({block.depth for block in blocks})
    step = width / len(columns)
    parts = []
    for block in blocks:
        high = max(3.0, (height - 4) * block.size / found.side)
        left, top = columns.index(block.depth) * step, height - high
        parts.append(
            f'<rect class="{block.kind}" x="{left + 0.5:.1f}" y="{top:.1f}" width="{max(1.5, step - 1):.1f}" '
            f'height="{high:.1f}" rx="1"/>'
        )
    for link in found.links:
        source, target = found.blocks[link.source], found.blocks[link.target]
        if source.kind == "image" or target.depth - source.depth < 2 or link.kind not in ("concat", "add", "indices"):
            continue
        x = [(columns.index(each.depth) + 0.5) * step for each in (source, target)]
        y = [height - max(3.0, (height - 4) * each.size / found.side) for each in (source, target)]
        parts.append(f'<path d="M{x[0]:.1f} {y[0]:.1f}Q{sum(x) / 2:.1f} {min(y) - 3:.1f} {x[1]:.1f} {y[1]:.1f}"/>')
    return f'<svg viewBox="0 -2 {width:g} {height + 2:g}" aria-hidden="true">{"".join(parts)}</svg>'


def main() -> None:
    names = [entry.name for entry in shipped(FAMILIES["architectures"].entries.values())]
    made = {name: drawing(name) for name in sorted(names)}
    FILE.write_text(json.dumps(made, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
