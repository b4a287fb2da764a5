"""What a test of reliability came to, and the small run that it is made on."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from multiprocessing import get_context
from pathlib import Path

from seglab import runs
from seglab.config import RunConfig, configured

forked = get_context("fork")


@dataclass
class Outcome:
    """How many of so many trials went as they should, what was measured, and what went wrong."""

    what: str
    mark: str
    count: int = 0
    passed: int = 0
    measured: str = ""
    wrong: list[str] = field(default_factory=list)

    def add(self, passed: bool, wrong: str = "") -> None:
        self.count, self.passed = self.count + 1, self.passed + bool(passed)
        if not passed:
            self.wrong.append(wrong)

    @property
    def met(self) -> bool:
        return self.count > 0 and self.passed == self.count

    def row(self) -> str:
        told = f"{self.passed}/{self.count}{f', {self.measured}' if self.measured else ''}"
        first = f" ({'; '.join(self.wrong[:3])})" if self.wrong else ""
        return f"| {self.what}; mark: {self.mark} | {self.count} | {told}{first} | {'met' if self.met else 'MISSED'} |"


def small(**options: object) -> RunConfig:
    """A run of a second or so."""
    defaults = {
        "data": {"name": "streets", "train_images": 8, "val_images": 4, "size": 64},
        "model": {"name": "unet", "width": 4, "depth": 2},
        "image_size": 64,
        "batch_size": 4,
        "epochs": 4,
    }
    return configured(defaults | options)


def weights(directory: Path) -> str:
    """The sha256 of a run's best weights; empty where it has none."""
    path = directory / "weights.safetensors"
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else ""


def leftovers(directory: Path) -> list[str]:
    """Files of a run that were to be there for a moment only."""
    found = [*directory.rglob(".*.????????"), *(directory / name for name in ("weights.next", "taken"))]
    return [path.name for path in found if path.exists()]


def apart(action: Callable[[], object]) -> int:
    """The exit code of a process of its own that does something: 0, or 3 where it was refused."""

    def acting() -> None:
        try:
            action()
        except runs.directory.SeglabError:
            os._exit(3)

    child = forked.Process(target=acting)
    child.start()
    child.join()
    assert child.exitcode is not None
    return child.exitcode
