"""A thousand finished runs listed with their states, against a plain read of as many configurations.

python -m benchmarks.listing
"""

import json
import os
import tempfile
from pathlib import Path
from time import perf_counter

from benchmarks._ratio import report
from seglab import runs
from seglab.config import RunConfig

RUNS, MARK = 1000, 4.0


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


def listed() -> list[runs.Status]:
    return [runs.status(directory) for directory in runs.every()]


def plain(home: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in home.glob("*/config.json")]


if __name__ == "__main__":
    main()
