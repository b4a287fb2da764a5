"""Who looks at the page: a nickname, and a token that only their browser knows, which makes their runs theirs.

On one's own machine everybody may do everything. On a server that several people use, a run is stopped, renamed or
deleted by whoever began it, or with the teacher's key, which SEGLAB_TEACHER_KEY holds.
"""

from __future__ import annotations

import hmac
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.runs import Owner

TOKEN = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Visitor:
    """`owner` is None where the browser sent no token: such a visitor's runs are everybody's."""

    owner: Owner | None = None
    teacher: bool = False

    @classmethod
    def of(cls, sent: Any) -> Visitor:
        """Who the page says its visitor is: {"token": ..., "nickname": ..., "key": ...}; nothing of it is trusted."""
        sent = sent if isinstance(sent, dict) else {}
        token, nickname, key = (
            value if isinstance(value := sent.get(name), str) else "" for name in ("token", "nickname", "key")
        )
        owner = runs.owner_of(token, nickname) if TOKEN.fullmatch(token) else None
        wanted = os.environ.get("SEGLAB_TEACHER_KEY", "")
        return cls(
            owner,
            bool(wanted) and hmac.compare_digest(*(each.encode(errors="surrogatepass") for each in (key, wanted))),
        )

    def may_change(self, directory: Path) -> bool:
        """Whether they may stop, rename or delete a run."""
        if self.teacher or not jobs.shared():
            return True
        known = runs.label(directory).owner
        return known is not None and self.owner is not None and known.key == self.owner.key

    def refuse_others(self, directory: Path) -> None:
        """Raises SeglabError for a run that is somebody else's."""
        if not self.may_change(directory):
            raise SeglabError(
                "{run} is somebody else's: whoever began it, or the teacher, can do this",
                run=runs.label(directory).name,
            )
