"""Where runs live: those made here, and those that come with seglab."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKPOINTS = next(  # in an installed package, and in a checkout
    filter(Path.is_dir, (PACKAGE / "checkpoints", PACKAGE.parent / "checkpoints")), PACKAGE / "checkpoints"
)


LESSONS = CHECKPOINTS / "lessons"  # those that come with seglab, with the runs that answer their questions
MADE = ".lessons"  # in the home of runs: the runs of lessons that were trained here


def lessons() -> list[Path]:
    """Where lessons and their runs are: those of seglab, those of $SEGLAB_LESSONS, and the runs that were made here."""
    own = os.environ.get("SEGLAB_LESSONS")
    return [LESSONS, *([Path(own).resolve()] if own else []), home() / MADE]


def home() -> Path:
    """Where new runs live: $SEGLAB_HOME, or runs/ in the current folder."""
    return Path(os.environ.get("SEGLAB_HOME") or "runs").resolve()


def shared() -> bool:
    """Whether several people use this server: a Space, one that other machines reach, or one with a teacher."""
    return any(os.environ.get(name) for name in ("SEGLAB_SHARED", "SEGLAB_TEACHER_KEY", "SPACE_ID"))
