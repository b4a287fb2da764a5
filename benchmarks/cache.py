"""20,000 photographs of 512 px in a run that may take 4 GB: how soon its first batch comes, what memory it takes, and
how fast steps are whose images are in the file, against those whose images are in memory.

nice -n 10 python -m benchmarks.cache FOLDER [count, 20000]

FOLDER gets the photographs, 1.5 GB; the decoded ones take 20 GB where temporary files are. The limit of 4 GB is one of
the system on the memory that a process itself asks for (RLIMIT_DATA); what the system keeps of the file in memory is
not counted there, and is thrown out before each block of steps, so that all comes from the disk.
"""

import os
import resource
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks._ratio import report
from seglab import training
from seglab.config import RunConfig
from seglab.data.store import Written
from seglab.entry import validated
from seglab.loader import ahead, batches

SIDE, CLASSES, COUNT, LIMIT = 512, 8, 20_000, 4 * 2**30
BATCH, STEPS, BLOCKS = 4, 3, 9  # images of a batch, batches of a block, blocks of a measurement
FIRST = 5.0  # seconds until the first batch
COLORS = np.random.default_rng(1).integers(0, 256, (CLASSES, 3))
GRAIN = np.random.default_rng(2).normal(0, 9, (2 * SIDE, 2 * SIDE, 3)).astype(np.float32)


def main() -> None:
    folder, count = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else COUNT
    if sys.argv[3:] == ["opened"]:
        return opened(folder)
    if sys.argv[3:] == ["trained"]:
        return trained(folder)
    for n in range(count):
        if not (folder / f"masks/{n:05}.png").exists():
            write(folder, n)
    memory = {"SEGLAB_CACHE_GB": str(count / COUNT)}  # 1 GB of 20
    environment = os.environ | memory | {"SEGLAB_HOME": str(folder / "runs"), "OMP_NUM_THREADS": "1"}
    (folder / "runs").mkdir(exist_ok=True)
    for part in ("opened", "opened", "trained"):  # files are remembered from the first time on
        command = [sys.executable, "-m", "benchmarks.cache", str(folder), str(count), part]
        subprocess.run(command, env=environment, check=True)


def config(folder: Path) -> RunConfig:
    """A network of 0.1 million parameters with the usual augmentation."""
    return validated(
        RunConfig,
        {
            "data": {"name": "folder", "root": folder},
            "model": {"name": "unet", "width": 4},
            "techniques": ["flip", "color"],
            "image_size": SIDE,
            "batch_size": BATCH,
        },
    )


def opened(folder: Path) -> None:
    """From the data's folder to the first batch."""
    began, used = time.monotonic(), time.process_time()
    run = training.Run(config(folder))
    run.started()
    run.batch(0, run.order(0)[:BATCH])
    seconds, used = time.monotonic() - began, time.process_time() - used
    print(
        f"{len(run.train)} images to learn from: the first batch after {seconds:.1f} s, {used:.1f} s of the processor, "
        f"at most {FIRST:.0f} s: {'met' if seconds <= FIRST else 'not met'}; load {os.getloadavg()[0]:.1f}",
        flush=True,
    )


def trained(folder: Path) -> None:
    """An epoch that decodes, then blocks of steps with images from the file and from memory in turn."""
    resource.setrlimit(resource.RLIMIT_DATA, (LIMIT, LIMIT))
    run = training.Run(config(folder))
    began = time.monotonic()
    for _ in ahead(lambda places: run.batch(0, places), batches(run.order(0), BATCH)):
        pass
    for images in run.scored.values():
        images.decode()
    seconds, store = time.monotonic() - began, run.store
    assert store.file and not store.refused, "there is no file, or the disk is full"
    file = store.file.fileno()
    print(
        f"{store.count} images decoded and kept in {seconds:.0f} s: {store.in_memory / 2**30:.1f} GB in memory, "
        f"{store.end / 2**30:.1f} GB in the file",
        flush=True,
    )
    sides = {written: [n for n in run.order(1) if isinstance(run.train.kept[n].held, Written) is written]
             for written in (True, False)}  # fmt: skip
    chance = np.random.default_rng(0)

    def block(written: bool, steps: bool) -> None:
        places = chance.choice(sides[written], (STEPS, BATCH)).tolist()
        for batch in ahead(lambda each: run.batch(1, each), places):
            if steps:
                run.advance(batch)
        if written:
            os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)

    os.fsync(file)
    os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    for what, steps, mark in (("training steps", True, 0.9), ("loading alone", False, 0.0)):
        name = f"{what}, {SIDE} px, images from the file against images in memory"
        report(
            name, partial(block, True, steps), partial(block, False, steps), mark, at_least=True, calls=1, blocks=BLOCKS
        )
    lines = (line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    peak, own = (int(value.split()[0]) / 2**20 for name, value in lines if name in ("VmHWM", "RssAnon"))
    print(f"memory: {peak:.2f} GB at most, {own:.2f} GB of it its own at the end; load {os.getloadavg()[0]:.1f}")


def write(folder: Path, n: int) -> None:
    """A photograph of ellipses, each in its class's color, with soft shades and grain, and its mask."""
    rng, mask = np.random.default_rng(n), np.zeros((SIDE, SIDE), np.uint8)
    for label in rng.integers(1, CLASSES, 6).tolist():
        center, axes = rng.integers(0, SIDE, 2).tolist(), rng.integers(SIDE // 20, SIDE // 4, 2).tolist()
        cv2.ellipse(mask, center, axes, float(rng.integers(0, 180)), 0, 360, label, -1)
    soft = cv2.resize(rng.normal(0, 40, (24, 24, 3)).astype(np.float32), (SIDE, SIDE), interpolation=cv2.INTER_CUBIC)
    y, x = rng.integers(0, SIDE, 2)
    image = COLORS[mask] * 0.6 + 60 + soft + GRAIN[y : y + SIDE, x : x + SIDE]
    for kind, pixels, ending in (("images", image.clip(0, 255), "jpg"), ("masks", mask, "png")):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / kind / f"{n:05}.{ending}"), pixels.astype(np.uint8), [cv2.IMWRITE_JPEG_QUALITY, 85])


if __name__ == "__main__":
    main()
