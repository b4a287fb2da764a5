"""Write a run's best model as an ONNX file, checked with onnxruntime."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from seglab.cli.options import drawing
from seglab.cli.show import waiting
from seglab.errors import SeglabError, tell


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--out", type=onnx_file, required=True, metavar="FILE", help="such as model.onnx")
    parser.add_argument(
        "--size",
        type=size,
        metavar="HxW",
        help="height and width of the images that it takes, such as 96x128 (default: as the run's are in training)",
    )


def onnx_file(text: str) -> Path:
    return drawing(text, (".onnx",))


def size(text: str) -> tuple[int, int]:
    from seglab.export import sized

    found = re.fullmatch(r"(\d{1,5})[x×X](\d{1,5})", text)
    try:
        return sized(tuple(map(int, found.groups())) if found else text)
    except SeglabError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    from seglab.export import export

    with waiting("exporting"):
        made = export(arguments.run, arguments.out, arguments.size)
    tell([made.note] if made.note else [])
    height, width = made.size
    print(
        f"{made.file}: {made.file.stat().st_size / 1e6:.1f} MB, images of {height} x {width} pixels\n"
        f"checked with onnxruntime on {made.image}: the class is equal for {made.equal:,} of {made.pixels:,} pixels, "
        f"logits differ by up to {made.difference:.1e}"
    )
    return 0
