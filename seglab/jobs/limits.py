"""What one person's runs may take on a server that several share. On a machine of one's own nothing is limited.

SEGLAB_LIMITS holds what is to differ from the values below, such as `waiting=4 minutes=10`; `none` takes one away.
"""

from __future__ import annotations

import os
import shutil
from typing import Annotated

from pydantic import Field

from seglab import runs
from seglab.config import RunConfig
from seglab.entry import Options, validated
from seglab.errors import SeglabError
from seglab.places import shared

GIGABYTE = 1024**3
FREE = 1.0  # gigabytes of the disk that no new run may count on


class Limits(Options):
    """What is limited, and by how much; None is not."""

    waiting: Annotated[int | None, Field(ge=1, description="runs of one person that wait")] = None
    minutes: Annotated[float | None, Field(gt=0, description="training time of a run")] = None
    image_size: Annotated[int | None, Field(ge=32, description="longer side of images in training, in pixels")] = None
    batch_size: Annotated[int | None, Field(ge=1, description="images in a batch")] = None
    memory: Annotated[float | None, Field(gt=0, description="memory of a run's process, in gigabytes")] = None
    disk: Annotated[float | None, Field(gt=0, description="largest file of a run, in gigabytes")] = None


SHARED = Limits(waiting=8, minutes=30, image_size=640, batch_size=64, memory=8, disk=0.5)


def limits() -> Limits:
    """What is limited here; raises SeglabError for words in SEGLAB_LIMITS that say nothing."""
    given: dict[str, str | None] = {}
    for word in os.environ.get("SEGLAB_LIMITS", "").replace(",", " ").split():
        name, equals, value = word.partition("=")
        if not equals:
            raise SeglabError("SEGLAB_LIMITS: {word} is not a limit, such as minutes=10", word=repr(word))
        given[name] = None if value == "none" else value
    found: Limits = validated(Limits, {**(dict(SHARED) if shared() else {}), **given})
    return found


def limited(config: RunConfig) -> RunConfig:
    """The configuration as it may run here: one without a time limit gets the server's. Raises SeglabError for one that
    asks for more than is allowed."""
    most = limits()
    seconds = None if most.minutes is None else 60 * most.minutes
    if config.budget_seconds is None:
        config = config.model_copy(update={"budget_seconds": seconds})
    allowed = {"image_size": most.image_size, "batch_size": most.batch_size, "budget_seconds": seconds}
    for option, highest in allowed.items():
        value = getattr(config, option)
        if highest is not None and value > highest:
            raise SeglabError(
                "{option}: {value} is more than this server allows one run; at most {most}",
                option=option,
                value=f"{value:g}",
                most=f"{highest:g}",
            )
    return config


def refuse_full_disk() -> None:
    """Raises SeglabError where a shared server's disk has no room for another run."""
    if not shared():
        return
    with runs.writing(runs.home()):
        runs.home().mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(runs.home()).free / GIGABYTE
    if free < FREE:
        raise SeglabError(
            "the disk of this server is full: {free} GB are left, and a new run needs {needed}; delete runs",
            free=f"{free:.1f}",
            needed=f"{FREE:g}",
        )


def bind() -> None:
    """Holds this process, in which one run is worked on, to the memory and the sizes of files that are allowed."""
    try:
        import resource
    except ImportError:  # Windows
        return
    most = limits()
    for kind, gigabytes in ((resource.RLIMIT_DATA, most.memory), (resource.RLIMIT_FSIZE, most.disk)):
        if gigabytes is not None:
            hard = resource.getrlimit(kind)[1]
            wanted = int(gigabytes * GIGABYTE)
            resource.setrlimit(kind, (wanted if hard == resource.RLIM_INFINITY else min(wanted, hard), hard))
    if most.memory is not None or most.disk is not None:
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
