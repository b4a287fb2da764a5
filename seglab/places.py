"""Where runs live: those made here, and those that come with seglab."""

from __future__ import annotations

import os
from pathlib import Path

PACKAGE = Path(__file__).parent
CHECKPOINTS = next(  # in an installed package, and in a checkout
    filter(Path.is_dir, (PACKAGE / "checkpoints", PACKAGE.parent / "checkpoints")), PACKAGE / "checkpoints"
)


def home() -> Path:
    """Where new runs live: $SEGLAB_HOME, or runs/ in the current folder."""
    return Path(os.environ.get("SEGLAB_HOME") or "runs").resolve()
