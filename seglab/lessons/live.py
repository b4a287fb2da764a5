"""A lesson's runs that are trained while it is given: the quick settings of a group, each time with a new seed.

They are ordinary runs of this machine, called by the lesson, the setting and the seed, so that one configuration is one
run for everybody; those of a class have its code at the end of their names.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from seglab import jobs, runs
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.lessons import making
from seglab.lessons.bench import Bench, Shelf, matches, name_of
from seglab.lessons.making import Job
from seglab.lessons.model import Group, Lesson
from seglab.lessons.scoring import Difference
from seglab.runs import Owner

CODE = re.compile(r"[A-Z0-9]{4,8}")
NAMED = re.compile(rf"([^-]+-[^-]+)-(\d{{1,10}})(?:-({CODE.pattern}))?")
MOST_AT_ONCE = 12  # of the runs that a lesson lacks
MOST_WAITING = 30  # presses of one class whose runs have not ended
UNDER_WAY = ("queued", "running", "stopping", "interrupted")
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


def needed(lesson: Lesson, group: str) -> list[str]:
    """A group's quick settings, each after the one that it begins with, if any."""
    found: list[str] = []
    for key in reversed(quick(lesson, group).quick):
        chain: str | None = key
        while chain is not None:
            found = [chain, *(each for each in found if each != chain)]
            chain = lesson.setting(chain).begins_with
    return found


def called(lesson: Lesson, key: str, seed: int, code: str) -> str:
    """What a run is called that is started from the page."""
    return name_of(lesson.name, key, seed) + (f"-{code}" if code else "")


def configured(lesson: Lesson, key: str, seed: int, code: str) -> RunConfig:
    """Its configuration: it begins with a run of this machine too, whose weights are here."""
    config, begun = lesson.config(key, seed), lesson.setting(key).begins_with
    if begun is None:
        return config
    return config.model_copy(update={"init_from": runs.home() / called(lesson, begun, seed, code)})


def named(lesson: Lesson, keys: Iterable[str], directories: Iterable[Path]) -> Iterator[tuple[str, int, str, Path]]:
    """The runs that are called as those of some settings are: setting, seed, class and directory."""
    known = {f"{lesson.name}-{key}": key for key in keys}
    for directory in directories:
        match = NAMED.fullmatch(directory.name)
        if match and match[1] in known:
            yield known[match[1]], int(match[2]), match[3] or "", directory


def here(lesson: Lesson) -> list[Path]:
    return [path.parent for path in runs.home().glob(f"{lesson.name}-*/config.json")]


def found(lesson: Lesson, group: str, states: Mapping[Path, str] | None = None) -> list[Live]:
    """The runs of a group that were started here, by seed; those of other settings, which an older lesson of this name
    had, are left out. `states`: those of this machine's runs, where they are known already."""
    keys, live = needed(lesson, group), []
    for key, seed, code, directory in named(lesson, keys, here(lesson) if states is None else states):
        if seed in lesson.seeds(key):
            continue  # one of the lesson's own runs, which was missing
        if matches(directory, configured(lesson, key, seed, code)):
            state = runs.status(directory).state if states is None else states[directory]
            live.append(Live(key, seed, code, directory, state))
    return sorted(live, key=lambda each: (each.seed, keys.index(each.key)))


def start(lesson: Lesson, group: str, code: str = "", owner: Owner | None = None) -> tuple[list[Path], bool]:
    """Puts a group's quick settings, and what they begin with, into the queue with a seed that nobody has used yet;
    gives their runs, and whether they are new.

    A seed's runs are trained one after the other, whoever else waits, so that it counts soon. Without a class, whoever
    presses while such runs are under way is given those. What was interrupted, as by the end
    of the program, goes on. Raises SeglabError where they do not fit into the queue.
    """
    code, keys = checked(code), needed(lesson, group)
    with starting:
        busy = [each for each in found(lesson, group) if each.under_way and each.code == code]
        for each in busy:
            if each.state == "interrupted":
                jobs.resubmit(each.directory)
        if not code and busy:
            return [each.directory for each in busy], False
        count = len({each.seed for each in busy})
        if count >= MOST_WAITING:
            raise SeglabError(
                "{count} pairs of this class are waiting, which is as many as may; wait until one has ended",
                count=count,
            )
        seed = next_seed(lesson, keys)
        configs = [configured(lesson, key, seed, code) for key in keys]
        names = [called(lesson, key, seed, code) for key in keys]
        return jobs.submit(configs, owner, names, together=True), True


def next_seed(lesson: Lesson, keys: Sequence[str]) -> int:
    """One that neither the lesson's own runs have nor those here that are called so, whatever they are."""
    own = {seed for key in keys for seed in lesson.seeds(key)}
    return max(own | {seed for _, seed, _, _ in named(lesson, keys, here(lesson))}, default=-1) + 1


# --- the lesson's own runs


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


# --- what they do to the difference


def whole(keys: Sequence[str], live: Iterable[Live], code: str = "") -> dict[str, tuple[Path, ...]]:
    """Of the runs of some settings, of a class where it has a code, by setting: those with a seed that has been trained
    to its end with all of them."""
    ended = {
        (each.key, each.seed): each.directory
        for each in live
        if each.state == "completed" and (not code or each.code == code)
    }
    seeds = [seed for seed in sorted({seed for _, seed in ended}) if all((key, seed) in ended for key in keys)]
    return {key: tuple(ended[key, seed] for seed in seeds) for key in keys if seeds}


@dataclass(frozen=True)
class Effect:
    """What more seeds do to a difference: as it was `before`, as it is with them; `seeds` is their number, of which
    `against` alone show the opposite of all together."""

    before: Difference
    after: Difference
    seeds: int
    against: int


def effect(own: Bench, more: Bench, keys: Sequence[str], by: str = "miou") -> Effect:
    """What the runs that `more` has beside a lesson's own do to the difference between two settings. Raises SeglabError
    where runs of the lesson are missing, or were scored on other images."""
    a, b = keys
    before, after = own.difference(a, b, by), more.difference(a, b, by)
    count = len(more.more.get(a, ()))
    last = [more.values(key, by)[-count:] if count else [] for key in keys]
    against = sum((second - first) * after.size < 0 for first, second in zip(*last, strict=True))
    return Effect(before, after, count, against)
