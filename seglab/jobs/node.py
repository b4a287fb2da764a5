"""What works on a run on a node of a Ray cluster. It travels there by value: what it needs of seglab is imported once
it is known that the node has the same."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import os
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seglab.runs import Luggage


def edition() -> str:
    """Which seglab this is: its version and a digest of its sources, but for the page's; empty where there is none."""
    found = importlib.util.find_spec("seglab")
    if found is None or not found.origin:
        return ""
    folder, digest = Path(found.origin).parent, hashlib.sha256()
    for path in sorted(folder.rglob("*.py")):
        if path.relative_to(folder).parts[0] not in ("ui", "cli"):
            digest.update(path.read_bytes())
    from seglab import __version__

    return f"{__version__} ({digest.hexdigest()[:8]})"


class Node:
    """The actor that works on one run. `settings` go into the environment before torch is loaded; of those in
    `otherwise` the node's own come first."""

    def __init__(self, settings: Mapping[str, str], otherwise: Mapping[str, str]) -> None:
        os.environ.update(dict(otherwise) | dict(os.environ) | dict(settings))
        os.environ.pop("SEGLAB_KEEP", None)  # runs are kept from where they come back to
        self.stopped = threading.Event()

    def edition(self) -> tuple[str, str]:
        """What this machine is called, and which seglab it has."""
        return socket.gethostname(), edition()

    def stop(self) -> None:
        """Has the run end after its present step."""
        self.stopped.set()

    def work(self, luggage: Luggage, gpu: bool, threads: int) -> Iterator[tuple[str, dict[str, bytes]]]:
        """Works on a run in a home of its own; gives each event with the files that it announces."""
        from seglab import jobs, locks, machine, runs
        from seglab.data import store

        memory = machine.memory() * share(*resources())  # of which others here, too, keep images in a part
        jobs.bind()
        os.environ.setdefault(store.VARIABLE, f"{min(memory, machine.memory()) / store.SHARE / 2**30:.4f}")
        beside = Path(tempfile.gettempdir()) / f"seglab-{os.getuid()}"
        beside.mkdir(mode=0o700, exist_ok=True)
        refuse_others(beside)
        locks.sweep(beside)  # what processes that were killed have left
        with locks.new_folder(beside) as home:
            os.environ["SEGLAB_HOME"] = str(home)
            directory, here = runs.unpacked(luggage, home)
            refuse_missing(directory, here)
            device = jobs.device() if gpu else "cpu"
            yield from runs.relayed(runs.work(directory, device, threads, self.stopped.is_set, here=here), directory)


def resources() -> tuple[Mapping[str, float], Mapping[str, float]]:
    """What this actor has of its node, processors and GPUs among it, and what the node has."""
    ray: Any = importlib.import_module("ray")
    here = ray.get_runtime_context()
    node = next(each["Resources"] for each in ray.nodes() if each["NodeID"] == here.get_node_id())
    return here.get_assigned_resources(), node


def share(own: Mapping[str, float], node: Mapping[str, float]) -> float:
    """The part of the node that is one of its runs', where all have as much of it: the largest of its parts."""
    return min(1.0, max(own.get(kind, 0) / node[kind] for kind in ("CPU", "GPU") if node.get(kind)))


def refuse_others(folder: Path) -> None:
    """Raises SeglabError where a folder for one's own files is another user's."""
    from seglab.errors import SeglabError

    if folder.lstat().st_uid != os.getuid():
        raise SeglabError(
            "{folder} on {node} belongs to somebody else; name another folder by TMPDIR there",
            folder=str(folder),
            node=socket.gethostname(),
        )


def refuse_missing(directory: Path, here: Callable[[Path], Path]) -> None:
    """Raises SeglabError where the node lacks a plug-in or the run's images."""
    from seglab import plugins, runs
    from seglab.errors import SeglabError

    try:
        settings = runs.config(directory)
    except SeglabError:
        for problem in plugins.PROBLEMS:
            raise SeglabError("on {node}: {problem}", node=socket.gethostname(), problem=problem) from None
        raise
    data = runs.relocated(settings, here).data
    if not data.here:
        raise SeglabError(
            "the images of {data} are not on {node}: {folder} is missing there; share that folder, or put a copy in "
            "the same place on every node",
            data=data.name,
            node=socket.gethostname(),
            folder=str(getattr(data, "root", None) or Path(os.environ.get("SEGLAB_DATA", "$SEGLAB_DATA")) / data.name),
        )
