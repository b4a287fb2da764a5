"""A thousand finished runs listed with their states, against a plain read of as many configurations; and as many that
are kept elsewhere, by a program that has just begun.

python -m benchmarks.listing
"""

import json
import os
import shutil
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks._ratio import report
from seglab import runs
from seglab.config import RunConfig

RUNS, MARK = 1000, 4.0
PICTURES = shutil.ignore_patterns("*.png", "*.npz")  # which no list looks at


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        source = runs.find("unet")
        for n in range(RUNS):
            directory = runs.create(RunConfig(), f"copy {n}")
            os.link(source / "events.jsonl", directory / "events.jsonl")
            (directory / ".lock").touch()  # which a run that was worked on has
        began = perf_counter()
        listed()
        print(f"{RUNS} runs listed in {perf_counter() - began:.2f} s")
        report(f"{RUNS} runs with their states", listed, lambda: plain(Path(home)), mark=MARK, blocks=9, calls=1)
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as bucket:
        os.environ |= {"SEGLAB_HOME": home, "SEGLAB_KEEP": bucket}
        for n in range(RUNS):
            shutil.copytree(source, runs.create(RunConfig(), f"copy {n}"), dirs_exist_ok=True, ignore=PICTURES)
        runs.keep_finished()
        shutil.rmtree(home)
        began = perf_counter()
        assert len(listed()) == RUNS + 3
        print(f"{RUNS} kept runs listed in {perf_counter() - began:.2f} s")


def listed() -> list[runs.Status]:
    return [runs.status(directory) for directory in runs.every()]


def plain(home: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in home.glob("*/config.json")]


if __name__ == "__main__":
    main()
