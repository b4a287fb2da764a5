"""The memory in which photographs of 12 megapixels train and validate, against what their truth alone takes.

python -m benchmarks.megapixels [pairs, 100]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

WIDTH, HEIGHT = 4000, 3000
MARK = 2048  # MB


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        for n in range(count):
            write(root, n, "val" if n >= count // 2 else "train")
        options = ["--image_size", "64", "--epochs", "1", "--batch_size", "4", "--model", "unet", "--model.width", "4"]
        command = [sys.executable, "-m", "seglab", "train", "--data", "folder", "--data.root", folder, *options]
        environment = os.environ | {"SEGLAB_HOME": str(root / "runs"), "OMP_NUM_THREADS": "1"}
        run = subprocess.Popen([*command, "--threads", "1"], env=environment, stderr=subprocess.DEVNULL)
        _, status, used = os.wait4(run.pid, 0)
    peak = used.ru_maxrss // 1024
    truth = (count + count // 2) * WIDTH * HEIGHT // 2**20  # masks that are scored, and the labels of val
    print(
        f"{count} pairs of {WIDTH} x {HEIGHT}: {peak} MB at most, {peak / truth:.2f} times the {truth} MB of truth and "
        f"labels, at most {MARK} MB: {'met' if not status and peak <= MARK else 'not met'}"
    )
    sys.exit(bool(status) or peak > MARK)


def write(root: Path, n: int, part: str) -> None:
    """A photograph of a bright box on dark ground, and its mask."""
    rng = np.random.default_rng(n)
    ids = np.zeros((60, 80), np.uint8)
    top, left = rng.integers(0, 40), rng.integers(0, 50)
    ids[top : top + 20, left : left + 26] = 1
    image = rng.integers(40, 80, (60, 80, 3)).astype(np.uint8) + 120 * ids[..., None]
    for kind, pixels, ending in (("images", image, "jpg"), ("masks", ids, "png")):
        path = root / kind / part / f"{n}.{ending}"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).resize((WIDTH, HEIGHT), Image.Resampling.NEAREST).save(path)


if __name__ == "__main__":
    main()
