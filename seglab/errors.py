"""The error that a person can cause, and can mend."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any


class SeglabError(Exception):
    """A mistake a person can mend. `template` is the sentence without its `values`, so that it can be translated; one
    that stands for several has them in `each`."""

    each: Sequence[SeglabError] = ()

    def __init__(self, template: str, **values: Any):
        super().__init__(template.format(**values))
        self.template, self.values = template, values

    def __reduce__(self) -> Any:
        return partial(type(self), self.template, **self.values), (), {"each": self.each}
