"""What resuming a run needs: its last two states, of which the older one is there in case the newer one is damaged."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
from pathlib import Path

import torch
from pydantic_core import from_json

from seglab import training
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.runs.directory import description, events, write
from seglab.runs.hashes import sha256

STATE, DIGEST = "state.pt", "state.sha256"  # in the folder of a snapshot


def snapshot(run: training.Run, directory: Path) -> None:
    """Keeps what resuming needs."""
    keep(directory, run.step, training.pickled(run.state_dict()))


def keep(directory: Path, step: int, content: bytes) -> None:
    """Keeps a run's state; `last` points to it once it is whole. Of the others the one before it stays."""
    folder = folder_of(directory, step)
    folder.mkdir(exist_ok=True)
    write(folder / STATE, content)
    write(folder / DIGEST, f"{sha256(content)}  {STATE}\n".encode())  # as sha256sum writes and checks it
    point_to(folder, sha256(content))
    before = max((known for known in snapshots(directory) if known < step), default=None)
    for known, other in snapshots(directory).items():
        if known not in (step, before):  # a later one is of what was taken back when the run was resumed
            shutil.rmtree(other)


def folder_of(directory: Path, step: int) -> Path:
    return directory / f"last-{step:06}"


def point_to(folder: Path, digest: str) -> None:
    """Names the snapshot that a run goes on from."""
    write(folder.parent / "last", json.dumps({"folder": folder.name, "sha256": digest}).encode())


def restore(run: training.Run, directory: Path) -> list[SeglabError]:
    """Takes the run to its last snapshot that is whole; a run without any starts at the beginning. Gives what a person
    should know of that, and raises SeglabError where no snapshot is whole.

    Each snapshot follows an evaluation; one whose evaluation is not among the events does not count.
    """
    if not (directory / "last").exists():
        return []
    known = description(directory)
    if known["digests"] != run.data.digests or tuple(known["classes"]) != run.data.classes:
        raise SeglabError("{run} cannot be resumed: its data has changed since it started", run=directory.name)
    scored = {event.step for event in events(directory) if isinstance(event, Evaluated)}
    damaged: list[int] = []
    for step, folder in sorted(snapshots(directory).items(), reverse=True):
        digests = digests_of(folder)
        if step not in scored or not digests:  # or it was never finished
            continue
        with contextlib.suppress(OSError):
            content = (folder / STATE).read_bytes()
            if (digest := sha256(content)) in digests:
                point_to(folder, digest)  # killed before that, the pointer was still at an older one
                run.load_state_dict(torch.load(io.BytesIO(content), map_location=run.device, weights_only=True))
                return [
                    SeglabError(
                        "the state that was saved at step {step} is damaged: the run went on from step {before}",
                        step=each,
                        before=step,
                    )
                    for each in damaged
                ]
        damaged.append(step)
    raise SeglabError(
        "{run} cannot be resumed: its saved states are damaged or missing, or its events end before them",
        run=directory.name,
    )


def snapshots(directory: Path) -> dict[int, Path]:
    """The folders of all snapshots by their steps."""
    found = ((path.name.removeprefix("last-"), path) for path in directory.glob("last-*"))
    return {int(step): path for step, path in found if step.isdecimal()}


def digests_of(folder: Path) -> set[str]:
    """Each sha256 that is kept for a snapshot's state: beside it, which older runs lack, and in the pointer to it."""
    found = set()
    with contextlib.suppress(OSError, ValueError, IndexError):
        found.add((folder / DIGEST).read_text(encoding="ascii").split()[0])
    with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
        pointer = from_json((folder.parent / "last").read_bytes())
        if pointer["folder"] == folder.name:
            found.add(str(pointer["sha256"]))
    return found
