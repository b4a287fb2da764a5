"""Every network in one table: its size, its cost, and its mIoU after the same number of steps on streets and CamVid.

python -m benchmarks.table [--epochs 4] [--seeds 0,1] [--threads 2] [--camvid DIR]

The runs stay in $SEGLAB_HOME as table-*, where the page compares them; those already there are not made again. CamVid
is left out where it is not found.
"""

import argparse
import sys
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from seglab import runs
from seglab.anatomy import anatomy, milliseconds
from seglab.compare import Row, compare
from seglab.config import RunConfig
from seglab.entry import FAMILIES, Architecture, SeglabError, validated
from seglab.train import Run

SIDE = 128
# As many images as CamVid has to train with, so that an epoch has as many steps.
STREETS = {"name": "streets", "train_images": 367, "val_images": 101, "size": SIDE}
COMMON = {
    "image_size": SIDE,
    "batch_size": 8,
    "optimizer": {"name": "adamw", "lr": 2e-3},
    "techniques": [{"name": "flip"}],
}
COLUMNS = ("network", "year", "parameters", "multiply-adds", "ms per image", "s per 100 steps", "streets", "CamVid")


def trained(model: str, data: dict[str, Any], seed: int, options: argparse.Namespace) -> Row | None:
    """The run's scores; it is trained now unless it has been before. None where the network cannot learn the data."""
    directory = runs.home() / f"table-{model}-{data['name']}-{seed}"
    if not (directory.exists() and runs.status(directory).state == "completed"):
        if not directory.exists():
            given = COMMON | {"model": {"name": model}, "data": data, "seed": seed, "epochs": options.epochs}
            scheduler = {"name": "step", "step_size": max(1, options.epochs - 1), "gamma": 0.2}  # for the last epoch
            runs.create(validated(RunConfig, given | {"scheduler": scheduler}), directory.name)
        try:
            list(runs.work(directory, threads=options.threads))
        except SeglabError as error:
            print(f"{directory.name}: {error}", file=sys.stderr, flush=True)
            return None
    (row,) = compare([directory]).rows
    print(f"{directory.name}: {row.miou:.3f} in {row.seconds:.0f} s", file=sys.stderr, flush=True)
    return row


def step_seconds(model: Architecture, threads: int) -> float:
    """How long one training step on streets takes now, all of them timed on the same machine in the same minutes."""
    run = Run(validated(RunConfig, COMMON | {"model": model, "data": STREETS | {"train_images": 8}}), threads=threads)
    batch = run.batch(0, list(range(8)))
    seconds = []
    for _ in range(7):
        began = perf_counter()
        run.advance(batch)
        seconds.append(perf_counter() - began)
    return median(seconds[2:])


def shown(scores: list[float]) -> str:
    """The mean, and the lowest and highest where there are several."""
    apart = f" ({min(scores):.3f} to {max(scores):.3f})" if len(scores) > 1 else ""
    return f"{mean(scores):.3f}{apart}" if scores else "-"


def line(name: str, data: list[dict[str, Any]], options: argparse.Namespace) -> str:
    model = FAMILIES["architectures"].entries[name]()
    found = anatomy(model, side=SIDE)
    made = [[trained(name, each, seed, options) for seed in options.seeds] for each in data]
    streets, *camvid = [[row for row in rows if row] for rows in made]
    cells = [
        f"`{name}`",
        str(model.year),
        f"{found.parameters:,}",
        f"{found.multiply_adds / 1e6:,.0f} M",
        f"{milliseconds(model, SIDE, options.threads):.1f}",
        f"{100 * step_seconds(model, options.threads):.0f}",
        *(shown([row.miou for row in rows]) for rows in (streets, *(camvid or [[]]))),
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--epochs", type=int, default=4)
    parser.add_argument("--seeds", type=lambda text: [int(each) for each in text.split(",")], default=[0, 1])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--camvid", type=Path, help="CamVid's folder, where $SEGLAB_DATA does not say it")
    parser.add_argument("--models", type=lambda text: text.split(","), help="these alone")
    options = parser.parse_args()
    data = [STREETS, {"name": "camvid"} | ({"root": options.camvid} if options.camvid else {})]
    try:
        validated(RunConfig, {"data": data[1]}).data.open()
    except SeglabError as error:
        print(f"without CamVid: {error}", file=sys.stderr)
        data.pop()
    entries = FAMILIES["architectures"].entries.values()
    names = options.models or [entry.name for entry in sorted(entries, key=lambda entry: (entry.year, entry.name))]
    lines = [line(name, data, options) for name in names]
    print(f"| {' | '.join(COLUMNS)} |", "| --- |" + " ---: |" * (len(COLUMNS) - 1), *lines, sep="\n")


if __name__ == "__main__":
    main()
