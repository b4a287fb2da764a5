"""Real runs on streets and CamVid, side by side in one table: networks, losses and so on.

python -m benchmarks.table networks|losses|schedulers|techniques|precision [--seeds 0,1,2] [--processes 2]
    [--camvid DIR]

Runs of one table differ in the option that the row names, and in nothing else. They stay in $SEGLAB_HOME as table-*,
where the page compares them; those already there are not made again. CamVid is left out where it is not found.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import chain
from multiprocessing import get_context
from pathlib import Path
from statistics import mean, median
from time import perf_counter
from typing import Any

from seglab import runs
from seglab.anatomy.numbers import anatomy, milliseconds
from seglab.comparison.scores import Row, compare
from seglab.config import RunConfig, varied
from seglab.data.base import label_counts
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Architecture
from seglab.training import Run

COMMON = {
    "batch_size": 8,
    "epochs": 4,
    "optimizer": {"name": "adamw", "lr": 2e-3, "precision": "full"},  # the same on every processor
    "scheduler": {"name": "step", "step_size": 3, "gamma": 0.2},  # smaller steps in the last epoch
    "techniques": [{"name": "flip"}],
}
NETWORK = COMMON | {"image_size": 128}
# Begun with weights of ImageNet, so that few and small images are enough to find rare classes.
FEW = COMMON | {"image_size": 96, "model": {"name": "panoptic_fpn", "encoder": "lite0", "pretrained": "imagenet"}}
LOSSES = (
    "loss=cross_entropy",
    "loss=cross_entropy loss.label_smoothing=0.1",
    "loss=cross_entropy loss.class_weights=inverse_sqrt",
    "loss=cross_entropy loss.class_weights=median_frequency",
    "loss=cross_entropy loss.class_weights=effective_number",
    "loss=focal",
    "loss=dice",
    "loss=generalized_dice",
    "loss=jaccard",
    "loss=tversky",
    "loss=focal_tversky",
    "loss=lovasz",
    "loss=ms_ssim",
    "loss=cross_entropy+dice",
    "loss=dice+boundary",
    "loss=border_weighted",
    "loss=unet_3_plus_hybrid",
)
SCHEDULERS = (
    "scheduler=constant",
    "scheduler=constant scheduler.warmup=1",
    "scheduler=step scheduler.step_size=3 scheduler.gamma=0.2",
    "scheduler=multi_step scheduler.milestones=2,3 scheduler.gamma=0.3",
    "scheduler=exponential scheduler.gamma=0.5",
    "scheduler=cosine",
    "scheduler=cosine scheduler.warmup=1",
    "scheduler=cosine_restarts scheduler.cycle=2 scheduler.cycle_mult=1",
    "scheduler=poly",
    "scheduler=one_cycle",
    "scheduler=plateau scheduler.patience=0 scheduler.factor=0.3",
)
TECHNIQUES = (
    "techniques=",
    "techniques=flip",
    "techniques=crop",
    "techniques=rotate",
    "techniques=elastic",
    "techniques=color",
    "techniques=invert",
    "techniques=contrast",
    "techniques=sharpness",
    "techniques=blur",
    "techniques=noise",
    "techniques=cutmix",
    "techniques=flip+crop+color",
    "techniques=class_balanced",
    "techniques=mixstyle",
    "techniques=progressive_size",
    "techniques=ema",
    "techniques=freeze",
    "techniques=accumulation techniques.accumulation.at_once=4",
)
# Six times as long, so that there is something to learn by heart.
LONGER = (
    "epochs=24 scheduler=cosine techniques=",
    "epochs=24 scheduler=cosine techniques=flip",
    "epochs=24 scheduler=cosine techniques=crop",
    "epochs=24 scheduler=cosine techniques=color",
    "epochs=24 scheduler=cosine techniques=flip+crop+color",
)
UNSEEN_WEATHER = (
    "data.left_out=fog techniques=",
    "data.left_out=fog techniques=color",
    "data.left_out=fog techniques=mixstyle",
)
AN_EIGHTH_OF_THE_MASKS = (
    "techniques=consistency techniques.consistency.weight=0",
    "techniques=consistency",
    "techniques=cps",
)
BEGUN = "model.encoder=lite0 model.pretrained=imagenet"
PRECISION = tuple(
    tuple(f"model={model} optimizer.precision={precision}" for precision in ("full", "mixed"))
    for model in ("unet", f"panoptic_fpn {BEGUN}")
)


@dataclass(frozen=True)
class Subject:
    """What a table is about: settings that all its runs share, and groups of those in which they differ."""

    base: dict[str, Any]
    groups: tuple[tuple[str, ...], ...]
    rarest: bool = False  # the IoU of the rarest class is told, too
    gain: bool = False  # what each setting adds to the first of its group, with the same seed


BY_YEAR = sorted(FAMILIES["architectures"].entries.values(), key=lambda entry: (entry.year, entry.name))
SUBJECTS = {
    "networks": Subject(NETWORK, (tuple(f"model={entry.name}" for entry in BY_YEAR),)),
    "losses": Subject(FEW, (LOSSES,), rarest=True),
    "schedulers": Subject(FEW, (SCHEDULERS,), gain=True),
    "techniques": Subject(FEW, (TECHNIQUES, LONGER, UNSEEN_WEATHER, AN_EIGHTH_OF_THE_MASKS), gain=True),
    "precision": Subject(NETWORK, PRECISION, gain=True),
}


def sources(side: int, camvid: Path | None) -> list[dict[str, Any]]:
    """Streets with as many images as CamVid has, so that an epoch has as many steps; and CamVid, where it is found."""
    data = [{"name": "streets", "train_images": 367, "val_images": 101, "size": side}]
    found = {"name": "camvid"} | ({"root": camvid} if camvid else {})
    try:
        validated(RunConfig, {"data": found}).data.open()
    except SeglabError as error:
        print(f"without CamVid: {error}", file=sys.stderr)
        return data
    return [*data, found]


def configured(base: dict[str, Any], data: dict[str, Any], setting: str, seed: int) -> RunConfig | None:
    """The run's configuration; None where the setting is of other data."""
    options = dict(each.split("=", 1) for each in setting.split())
    if any(option.startswith("data.") for option in options) and data["name"] != "streets":
        return None
    return varied(validated(RunConfig, base | {"data": data, "seed": seed}), options)


def title(setting: str) -> str:
    """A setting's values, without the names of their options: what the setting is called in names of runs."""
    return "-".join(re.findall(r"(?<==)\S+", setting)).replace(",", "+") or "none"  # a run's name has no commas


def told(setting: str) -> str:
    """A setting as its row shows it: entries by their names, options with theirs."""
    parts = [part.partition("=") for part in setting.split()]
    words = [
        f"{option.split('.')[-1]}={value}" if "." in option or value.isdigit() else value or "none"
        for option, _, value in parts
    ]
    return f"`{' '.join(words)}`"


def trained(name: str, config: RunConfig, threads: int) -> Row | None:
    """The run's scores; it is trained now unless it has been before. None where the network cannot learn the data."""
    directory = runs.home() / name
    try:
        if not directory.exists():
            runs.create(config, name)
        elif runs.config(directory) != config:
            raise SeglabError("it is there with other settings; move it away")
        if runs.status(directory).state != "completed":
            list(runs.work(directory, threads=threads))
    except SeglabError as error:
        print(f"{name}: {error}", file=sys.stderr, flush=True)
        return None
    (row,) = compare([directory]).rows
    print(f"{name}: {row.miou:.3f} in {row.seconds:.0f} s", file=sys.stderr, flush=True)
    return row


def shown(values: Iterable[float], sign: str = "") -> str:
    """The mean, and the lowest and highest where there are several."""
    values = list(values)
    if not values:
        return "-"
    apart = f" ({min(values):{sign}.3f} to {max(values):{sign}.3f})" if len(values) > 1 else ""
    return f"{mean(values):{sign}.3f}{apart}"


def step_seconds(model: Architecture, data: dict[str, Any], threads: int) -> float:
    """How long one training step takes now, all networks timed on the same machine in the same minutes."""
    config = NETWORK | {"model": model, "data": data | {"train_images": NETWORK["batch_size"]}}
    run = Run(validated(RunConfig, config), threads=threads)
    batch = run.batch(0, list(range(run.config.batch_size)))
    seconds = []
    for _ in range(7):
        began = perf_counter()
        run.advance(batch)
        seconds.append(perf_counter() - began)
    return median(seconds[2:])


def costs(entry: type[Architecture], data: dict[str, Any], threads: int) -> list[str]:
    """The network's cells that have nothing to do with its scores."""
    found = anatomy(entry(), side=NETWORK["image_size"])
    return [
        str(entry.year),
        f"{found.parameters:,}",
        f"{found.multiply_adds / 1e6:,.0f} M",
        f"{milliseconds(entry(), NETWORK['image_size'], threads):.1f}",
        f"{100 * step_seconds(entry(), data, threads):.0f}",
    ]


def rarest(data: dict[str, Any]) -> str:
    """The class with the fewest pixels in the training images."""
    opened = validated(RunConfig, {"data": data}).data.open()
    pixels = label_counts(opened.train, len(opened.classes)).sum(0)
    return min(zip(pixels, opened.classes, strict=True))[1]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("subject", choices=SUBJECTS)
    parser.add_argument("--seeds", type=lambda text: [int(each) for each in text.split(",")], default=[0, 1, 2])
    parser.add_argument("--processes", type=int, default=1, help="runs at a time, which share the cores")
    parser.add_argument("--camvid", type=Path, help="CamVid's folder, where $SEGLAB_DATA does not say it")
    options = parser.parse_args()
    subject, cores = SUBJECTS[options.subject], os.cpu_count() or 1
    data = sources(subject.base["image_size"], options.camvid)
    with ProcessPoolExecutor(options.processes, get_context("spawn")) as pool:
        begun = {
            (source["name"], setting, seed): pool.submit(
                trained,
                f"table-{options.subject}-{title(setting)}-{source['name']}-{seed}",
                config,
                max(1, cores // options.processes),
            )
            for seed in options.seeds
            for source in data
            for setting in chain(*subject.groups)
            if (config := configured(subject.base, source, setting, seed))
        }
    rows = {run: row for run, future in begun.items() if (row := future.result())}

    def scores(source: str, setting: str, score: Callable[[Row], float]) -> dict[int, float]:
        """By seed."""
        return {seed: score(rows[source, setting, seed]) for seed in options.seeds if (source, setting, seed) in rows}

    head, lines = ["setting"], {each: [told(each)] for each in chain(*subject.groups)}
    if options.subject == "networks":
        head = ["network", "year", "parameters", "multiply-adds", "ms per image", "s per 100 steps"]
        for entry in BY_YEAR:
            lines[f"model={entry.name}"] += costs(entry, data[0], cores)
    for source in data:
        name = source["name"]
        rare = rarest(source) if subject.rarest else ""
        head += [name, *([f"{name}: {rare}"] if subject.rarest else []), *([f"{name}: added"] if subject.gain else [])]
        for first, *others in subject.groups:
            for setting in (first, *others):
                mious = scores(name, setting, lambda row: row.miou)
                lines[setting].append(shown(mious.values()))
                if subject.rarest:
                    lines[setting].append(shown(scores(name, setting, lambda row, rare=rare: row.iou[rare]).values()))
                if subject.gain:
                    before = scores(name, first, lambda row: row.miou)
                    added = [mious[seed] - before[seed] for seed in mious if seed in before]
                    lines[setting].append("-" if setting == first else shown(added, "+"))
    rule = ["---"] + ["---:"] * (len(head) - 1)
    print(*(f"| {' | '.join(cells)} |" for cells in (head, rule, *lines.values())), sep="\n")


if __name__ == "__main__":
    main()
