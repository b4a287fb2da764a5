"""The sides that shown runs offer to be compared, and what a page calls each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from seglab import crf, runs
from seglab.comparison.readings import Side, chains, read, sides, written
from seglab.entry import shown
from seglab.errors import SeglabError
from seglab.predictors import Crf
from seglab.ui.parts.scores import Stamp, compared, damage

MOST_APPLIED = 8  # settings of the CRF that are offered of each side


def keys(side: Side) -> list[str]:
    """What a page may call a side: one of its runs, with what it is seen through."""
    through = [written(side.readings[0].predictors)] if side.readings[0].predictors else []
    return ["|".join([each.directory.name, *through]) for each in side.readings]


def key(side: Side) -> str:
    """What it calls the side itself: by the first of them."""
    return keys(side)[0]


def settings(stamped: tuple[Stamp, ...]) -> list[Side]:
    """The sides that there are: the settings of the shown runs that have been scored, and each through the CRF, as
    usual and with what it has been read through before."""
    directories = [Path(directory) for directory, *_ in stamped]
    if not directories:
        return []
    comparison = replace(compared(stamped), labels=tuple(runs.label(each).name for each in directories))
    plain = sides(comparison, directories)
    if crf.missing():
        return plain
    before = [side.through([each]) for side in plain for each in applied(side)[:MOST_APPLIED]]
    return [*plain, *(side.through([Crf()]) for side in plain), *before]


def applied(side: Side) -> list[Crf]:
    """The unusual settings of the CRF that a side's first run has been read through, the latest first."""
    found = [chain[0] for chain in chains(side.readings[0].directory) if len(chain) == 1]
    return [each for each in found if isinstance(each, Crf) and each != Crf()]


def offered(there: Sequence[Side], *wanted: str) -> list[Side]:
    """The sides that there are, with those that a page wants besides: a run through the CRF with any setting. Raises
    SeglabError for a setting that is not allowed."""
    found = list(there)
    for name in map(usual_key, wanted):
        run, _, through = name.partition("|")
        plain = next((side for side in found if run in keys(side)), None)
        if plain is None or not through or any(name in keys(side) for side in found):
            continue
        found.append(plain.through([setting_of(through)]))
    return found


def usual_key(name: str) -> str:
    """What a page calls a side, as `keys` does: the same setting may be written in several ways."""
    run, found, through = name.partition("|")
    return f"{run}|{written([setting_of(through)])}" if found else name


def setting_of(text: str) -> Crf:
    """The CRF with a setting as it stands in an address; raises SeglabError for another predictor, too."""
    chain = read(text)
    if len(chain) != 1 or not isinstance(chain[0], Crf):
        raise SeglabError("predictors: {value} is not allowed; allowed: crf with its options", value=shown(text))
    return chain[0]


def sound(directories: Sequence[Path]) -> list[Path]:
    """The runs without those that are damaged, which the scoreboard tells of."""
    return [directory for directory in directories if damage(directory) is None]


def choices(found: Sequence[Side]) -> list[dict[str, Any]]:
    return [{"run": key(side), "name": side.name, "seeds": len(side.readings)} for side in found]


def ready(side: Side) -> bool:
    return all(each.ready for each in side.readings)
