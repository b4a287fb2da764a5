"""A lesson's runs that are trained while it is given: the quick settings of a group, each time with a new seed.

They are ordinary runs of this machine, called by the lesson, the setting and the seed, so that one configuration is one
run for everybody; those of a class have its code at the end of their names.
"""

from __future__ import annotations

import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from seglab import jobs, runs
from seglab.errors import SeglabError
from seglab.lessons import making
from seglab.lessons.bench import Bench, Shelf, matches, name_of
from seglab.lessons.making import Job
from seglab.lessons.model import Group, Lesson
from seglab.lessons.scoring import Difference
from seglab.runs import Owner

CODE = re.compile(r"[A-Z0-9]{4,8}")
MOST_AT_ONCE = 12  # of the runs that a lesson lacks
MOST_WAITING = 30  # presses of one class whose runs have not ended
UNDER_WAY = ("queued", "running", "interrupted")
starting = threading.Lock()  # two presses at once do not get the same seed


@dataclass(frozen=True)
class Live:
    """A run of a lesson that was started from the page: its setting, its seed, whose class it is of, and its state."""

    key: str
    seed: int
    code: str
    directory: Path
    state: str

    @property
    def under_way(self) -> bool:
        return self.state in UNDER_WAY


def checked(code: str) -> str:
    """A class's code, or none."""
    if code and not CODE.fullmatch(code):
        raise SeglabError(
            "class: {code} is not a code; allowed: 4 to 8 capital letters and digits", code=repr(code[:40])
        )
    return code


def quick(lesson: Lesson, group: str) -> Group:
    """The group of that name, if it has quick settings."""
    if group not in lesson.groups or not lesson.groups[group].quick:
        known = ", ".join(name for name, each in lesson.groups.items() if each.quick)
        raise SeglabError("there is no group {group}; there are: {known}", group=repr(group[:40]), known=known)
    return lesson.groups[group]


def found(lesson: Lesson, group: str) -> list[Live]:
    """The runs of a group's quick settings that were started here, by seed; those of other settings, which an older
    lesson of this name had, are left out."""
    live = []
    for key in quick(lesson, group).quick:
        pattern = re.compile(rf"{re.escape(name_of(lesson.name, key, 0)[:-1])}(\d+)(?:-({CODE.pattern}))?")
        for path in runs.home().glob(f"{lesson.name}-{key}-*/config.json"):
            named = pattern.fullmatch(path.parent.name)
            if not named or int(named[1]) in lesson.seeds(key):
                continue  # one of the lesson's own runs, which was missing
            if matches(path.parent, lesson.config(key, int(named[1]))):
                state = runs.status(path.parent).state
                live.append(Live(key, int(named[1]), named[2] or "", path.parent, state))
    return sorted(live, key=lambda each: (each.seed, each.key))


def start(lesson: Lesson, group: str, code: str = "", owner: Owner | None = None) -> list[Path]:
    """Puts a group's quick settings into the queue with a seed that nobody has used yet, and gives their runs.

    Without a class, whoever presses while such runs are under way is given those. Raises SeglabError where they do not
    fit into the queue.
    """
    code, of = checked(code), quick(lesson, group)
    with starting:
        live = found(lesson, group)
        busy = [each for each in live if each.under_way and each.code == code]
        if not code and busy:
            return [each.directory for each in busy]
        if len({each.seed for each in busy}) >= MOST_WAITING:
            raise SeglabError("{count} of this class's runs are waiting; wait until some have ended", count=len(busy))
        seed = next_seed(lesson, of, live)
        ending = f"-{code}" if code else ""
        names = [name_of(lesson.name, key, seed) + ending for key in of.quick]
        return jobs.submit([lesson.config(key, seed) for key in of.quick], owner, names)


def lacking(lesson: Lesson) -> list[Job]:
    """The runs that a lesson needs and that are neither here nor under way, as far as the queue can make them: those
    that begin with another run's weights are made by the command line alone."""
    shelf = Shelf()
    return [
        job
        for job in making.jobs(lesson)
        if job.config.init_from is None
        and not any(runs.status(each).state in UNDER_WAY for each in shelf.of(job.config))
    ]


def make(lesson: Lesson, todo: Sequence[Job], owner: Owner | None = None) -> list[Path]:
    """Puts runs that a lesson lacks into the queue, and gives them. Raises SeglabError where they do not fit."""
    names = [name_of(lesson.name, job.key, job.seed) for job in todo]
    free = [None if (runs.home() / name).exists() else name for name in names]  # one that ended before its end
    return jobs.submit([job.config for job in todo], owner, free)


def next_seed(lesson: Lesson, group: Group, live: Sequence[Live]) -> int:
    """One that neither the lesson's own runs nor those that were started have."""
    used = {seed for key in group.quick for seed in lesson.seeds(key)} | {each.seed for each in live}
    return max(used, default=-1) + 1


def with_live(lesson: Lesson, live: Sequence[Live], code: str = "") -> Bench:
    """The lesson with those of its own runs and of the live ones that have been trained to their end, where all of the
    quick settings with a seed have."""
    ended = [each for each in live if each.state == "completed" and (not code or each.code == code)]
    whole = Counter(each.seed for each in ended)
    keys = len({each.key for each in live})
    more: dict[str, tuple[Path, ...]] = {}
    for each in ended:
        if whole[each.seed] == keys:
            more[each.key] = (*more.get(each.key, ()), each.directory)
    return Bench(lesson, more)


def against(difference: Difference, count: int) -> int:
    """Of the last so many seeds, how many alone would have shown the opposite of all together."""
    last = difference.by_seed[len(difference.by_seed) - count :]
    return sum(each * difference.size < 0 for each in last)
