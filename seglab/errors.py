"""The error that a person can cause, and can mend."""

from __future__ import annotations

import sys
import sysconfig
import traceback
from collections.abc import Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any


class SeglabError(Exception):
    """A mistake a person can mend. `template` is the sentence without its `values`, so that it can be translated; one
    that stands for several has them in `each`."""

    each: Sequence[SeglabError] = ()

    def __init__(self, template: str, **values: Any):
        super().__init__(template.format(**values))
        self.template, self.values = template, values

    @classmethod
    def of(cls, error: Exception) -> SeglabError:
        """The error itself, or a sentence for one that nobody expected."""
        if isinstance(error, SeglabError):
            return error
        return cls("{kind}: {reason}", kind=type(error).__name__, reason=error)

    def _render_traceback_(self) -> list[str]:
        """What a notebook shows of it: the reader's own lines that led to it, and the sentence."""
        inner = (str(Path(__file__).parent), *(sysconfig.get_path(name) for name in ("stdlib", "platlib", "purelib")))
        frames = [each for each in traceback.extract_tb(self.__traceback__) if not each.filename.startswith(inner)]
        return [*traceback.format_list(frames), f"SeglabError: {self}"]

    def __reduce__(self) -> Any:
        return partial(type(self), self.template, **self.values), (), {"each": self.each}


def tell(notes: Iterable[SeglabError]) -> None:
    """Prints what a person should know beside a command's output."""
    for note in notes:
        print(f"seglab: note: {note}", file=sys.stderr)
