"""A thousand finished runs listed with their states, against a plain read of as many configurations; as many that are
kept elsewhere, by a program that has just begun; ten thousand, by the index of their home; and 200 compared.

python -m benchmarks.listing [--parts plain kept index compare]

The marks of the last two are for the time of the processor, which other programs change little.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

from benchmarks._many import many
from benchmarks._ratio import report
from seglab import runs
from seglab.api.comparing import board
from seglab.comparison.grids import grid
from seglab.comparison.scores import compare
from seglab.config import RunConfig
from seglab.runs import listing
from seglab.ui.board import Board
from seglab.ui.parts import runlist

RUNS, MARK = 1000, 4.0
MANY, LIST_MARK, POLL_MARK = 10_000, 1.0, 0.02  # seconds
COMPARED, COMPARE_MARK = 200, 3.0
PICTURES = shutil.ignore_patterns("*.png", "*.npz")  # which no list looks at


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    for part in parser.parse_args().parts:
        PARTS[part]()
    print(f"load {os.getloadavg()[0]:.1f}")


def by_states() -> None:
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


def kept_elsewhere() -> None:
    source = runs.find("unet")
    with tempfile.TemporaryDirectory() as home, tempfile.TemporaryDirectory() as bucket:
        os.environ |= {"SEGLAB_HOME": home, "SEGLAB_KEEP": bucket}
        for n in range(RUNS):
            shutil.copytree(source, runs.create(RunConfig(), f"copy {n}"), dirs_exist_ok=True, ignore=PICTURES)
        runs.keep_finished()
        shutil.rmtree(home)
        began = perf_counter()
        assert len(listed()) == RUNS + 3
        print(f"{RUNS} kept runs listed in {perf_counter() - began:.2f} s")
        del os.environ["SEGLAB_KEEP"]


def by_index() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        many(Path(home), MANY, steps=10)
        timed(f"{MANY} runs listed for the first time", listing.listing)
        timed("the same again", listing.listing, LIST_MARK)
        timed("the same, the best of one model", best, LIST_MARK)
        words = ["runs", "student", "--model", "unet", "--sort", "miou"]
        timed("the same by the command, start and end included", lambda: command(*words), LIST_MARK)
        timed("all of them looked at for the page for the first time", complete)
        page = Board()
        timed("the page opened by another program", lambda: page.news("", [], "en"), 2 * LIST_MARK)
        while page.looks is None or page.looks.scanned:  # once more after a change
            page.take_in()
        timed("a look while nothing happens", page.take_in, POLL_MARK)
        runlist.BOARD.news("", [], "en")
        asked = {"text": "unet student 5", "sort": "miou"}
        timed("a search on the page", lambda: runlist.found(asked, "en"), LIST_MARK)


def best() -> list[dict[str, Any]]:
    return listing.chosen(listing.listing(), "student", "miou", model=["unet"])


def complete() -> None:
    page = Board()
    page.take_in()
    while page.looks and page.looks.unknown:
        page.take_in()


def compared() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        directories = many(Path(home), COMPARED)

        def scoreboard() -> str:
            comparison = compare(directories)
            return board(comparison, grid(comparison, directories))

        timed(f"{COMPARED} runs of 407 events each compared, with scoreboard and grid", scoreboard, COMPARE_MARK)
        words = ["compare", *(directory.name for directory in directories)]
        timed("the same by the command, start and end included", lambda: command(*words))


def timed(what: str, action: Callable[[], object], mark: float | None = None) -> None:
    """Prints how long it takes, by the clock and of the processor."""
    clock, processor = perf_counter(), used()
    action()
    clock, processor = perf_counter() - clock, used() - processor
    verdict = f", at most {mark} s: {'met' if processor <= mark else 'MISSED'}" if mark else ""
    print(f"{what}: {processor:.3f} s of the processor, {clock:.3f} s by the clock{verdict}", flush=True)


def used() -> float:
    """The seconds of the processor that this program and those it has waited for have used."""
    return process_time() + sum(resource.getrusage(resource.RUSAGE_CHILDREN)[:2])


def command(*words: str) -> None:
    subprocess.run([sys.executable, "-m", "seglab", *words], check=True, stdout=subprocess.DEVNULL)


def listed() -> list[runs.Status]:
    return [runs.status(directory) for directory in runs.every()]


def plain(home: Path) -> list[dict]:
    return [json.loads(path.read_bytes()) for path in home.glob("*/config.json")]


PARTS = {"plain": by_states, "kept": kept_elsewhere, "index": by_index, "compare": compared}

if __name__ == "__main__":
    main()
