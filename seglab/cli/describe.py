"""Describe a network: its parameters, cost, receptive field and structure."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import Any

from seglab import draw
from seglab.anatomy.numbers import anatomy, milliseconds
from seglab.anatomy.picture import structure_figure
from seglab.cli.options import add_threads, figure, refuse_others
from seglab.config import configured
from seglab.errors import tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.set_defaults(dotted=True)
    parser.add_argument("model", metavar="MODEL", help="the network, such as unet; options: --model.width 8")
    parser.add_argument("--image_size", default=128, help="side of the image it is measured with (default: 128)")
    parser.add_argument("--json", action="store_true", help="as JSON, with the blocks and links of the structure")
    parser.add_argument("--png", type=figure, metavar="FILE", help="draw the structure")
    add_threads(parser)


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    refuse_others(options, "--model.OPTION", "model")
    config = configured({"model": arguments.model, "image_size": arguments.image_size}, options)
    model, side = config.model, config.image_size
    found = anatomy(model, side=side)
    known = {
        "name": model.name,
        "summary": model.summary(),
        "source": model.source(),
        "year": model.year,
        "options": {name: getattr(model, name) for name in type(model).model_fields},
        "paper": {"options": model.paper, "parameters": model.parameters},
        "milliseconds": round(milliseconds(model, side, arguments.threads), 2),
        "threads": arguments.threads,
        "notes": [str(note) for note in model.suited(side).notes()],
        **asdict(found),
    }
    print(json.dumps(known, indent=1, ensure_ascii=False) if arguments.json else described(known))
    if arguments.png:
        tell(draw.save(structure_figure(found, model.name), arguments.png, dpi=150))
    return 0


def described(known: dict[str, Any]) -> str:
    """What `describe` found, one thing a line."""
    reach, paper = known["receptive_field"], known["paper"]
    published = ", ".join(f"{name} {value}" for name, value in paper["options"].items()) or "the default options"
    published = f"; {paper['parameters']:,} with 21 and {published}" if paper["parameters"] else ""
    threads = f"{known['threads']} thread{'s' if known['threads'] > 1 else ''}"
    lines = {
        "year": known["year"],
        "source": known["source"],
        "parameters": f"{known['parameters']:,} with 11 classes{published}",
        "multiply-adds": f"{known['multiply_adds']:,} for an image of {known['side']} x {known['side']}",
        "output stride": known["output_stride"],
        "receptive field": f"{reach} pixels" if reach else known["why"],
        "time": f"{known['milliseconds']:g} ms for this image, with {threads}",
    }
    told = [*((name, line) for name, line in lines.items() if line), *(("note", note) for note in known["notes"])]
    return "\n".join([known["name"], f"  {known['summary']}", *(f"  {name:<18}{line}" for name, line in told)])
