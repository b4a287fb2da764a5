"""List the runs, the newest first, then the kept ones and those that come with seglab."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from seglab import runs


def arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--json", action="store_true", help="as JSON")


def run(arguments: argparse.Namespace, options: dict[str, str]) -> int:
    found = [known(directory) for directory in runs.every()]
    print(json.dumps(found, indent=1, ensure_ascii=False) if arguments.json else table(found))
    return 0


def known(directory: Path) -> dict[str, Any]:
    """What the last event of a run tells; nothing else is read, so that a thousand runs are listed in a second."""
    status = runs.status(directory)
    ended = status.finished
    return {
        "run": directory.name,
        "shipped": directory.parent == runs.CHECKPOINTS,
        "kept": runs.is_kept(directory),
        "state": status.state,
        "epochs": ended and ended.epoch,
        "seconds": ended and ended.seconds,
        "best_epoch": ended and ended.best_epoch,
        "miou": ended and ended.val_miou,
    }


def table(found: list[dict[str, Any]]) -> str:
    """A line for each run: its name, its state, how long it trained, and its mIoU on val, of its best epoch."""
    wide = max(len(each["run"]) for each in found) + 2
    lines = [f"{'run':<{wide}}{'state':<14}{'epochs':>8}{'seconds':>9}{'mIoU':>9}"]
    for each in found:
        cells = [
            f"{'-' if each[name] is None else format(each[name], how):>{space}}"
            for name, how, space in (("epochs", "g", 8), ("seconds", ".0f", 9), ("miou", ".4f", 9))
        ]
        where = "  shipped" if each["shipped"] else "  kept" if each["kept"] else ""
        lines.append(f"{each['run']:<{wide}}{each['state']:<14}{''.join(cells)}{where}")
    return "\n".join(lines)
