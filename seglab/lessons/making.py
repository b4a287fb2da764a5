"""Making the runs of a lesson: each once, resumed where it was cut short, and not at all where it is here already."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from seglab import places, runs
from seglab.comparison.readings import Reading
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.events import Event
from seglab.lessons.bench import Bench, Shelf, located, matches, name_of
from seglab.lessons.model import Lesson


@dataclass(frozen=True)
class Job:
    """A run to be made: its setting, its seed and its configuration."""

    key: str
    seed: int
    config: RunConfig


def jobs(lesson: Lesson, groups: Collection[str] = (), seeds: Collection[int] = ()) -> list[Job]:
    """The runs that a lesson needs and that are not here yet, those of the first seed first; of some groups or seeds
    alone. Raises SeglabError for an option of one that is unknown or not allowed."""
    for group in groups:
        if group not in lesson.groups:
            known = ", ".join(lesson.groups)
            raise SeglabError("there is no group {group}; there are: {known}", group=repr(group), known=known)
    wanted = {key for name in groups or lesson.groups for key in lesson.groups[name].settings}
    needed: set[tuple[str, int]] = set()
    shelf = Shelf()
    for key, seed in reversed(lesson.runs):  # what others begin with stands before them
        missing = key in wanted and (not seeds or seed in seeds) and located(lesson, key, seed, shelf) is None
        if missing or (key, seed) in needed:
            needed.add((key, seed))
            begun = lesson.setting(key).begins_with
            if begun and not weighted(lesson, begun, seed):
                needed.add((begun, seed))
    found = [Job(key, seed, lesson.config(key, seed)) for key, seed in lesson.runs if (key, seed) in needed]
    return sorted(found, key=lambda each: each.seed)


def weighted(lesson: Lesson, key: str, seed: int) -> bool:
    """Whether the run of a setting and a seed was trained here, so that another one can begin with its weights: one
    that came with seglab has none."""
    directory = made_at(lesson, key, seed)
    return matches(directory, lesson.config(key, seed)) and runs.status(directory).state == "completed"


def made_at(lesson: Lesson, key: str, seed: int) -> Path:
    """Where the run of a setting and a seed is made."""
    return runs.home() / places.MADE / name_of(lesson.name, key, seed)


def make(lesson: Lesson, job: Job, threads: int = 1) -> Iterator[Event]:
    """Trains a run of a lesson in this process, from where it stands; one of the same configuration that another lesson
    has made is copied."""
    directory = made_at(lesson, job.key, job.seed)
    if directory.exists() and not matches(directory, job.config):
        raise SeglabError(
            "{directory} is a run of other settings: the lesson has changed since; delete it to make it anew",
            directory=str(directory),
        )
    if not directory.exists():
        twin = alike(directory.parent, job.config)
        begin(directory, twin, begun(lesson, job))
        if twin:
            return
    yield from runs.work(directory, threads=threads)
    for snapshot in directory.glob("last*") if runs.status(directory).state == "completed" else ():
        snapshot.unlink() if snapshot.is_file() else shutil.rmtree(snapshot)


def begin(directory: Path, twin: Path | None, config: RunConfig) -> None:
    """Makes a run's directory, whole or not at all: a copy of its twin, or with its configuration alone."""
    temporary = directory.with_name(f".{directory.name}")
    with runs.writing(directory.parent):
        shutil.rmtree(temporary, ignore_errors=True)
        if twin:
            shutil.copytree(twin, temporary)
        else:
            temporary.mkdir(parents=True)
            runs.write(temporary / "config.json", config.model_dump_json(indent=1).encode())
        temporary.rename(directory)


def begun(lesson: Lesson, job: Job) -> RunConfig:
    """The configuration with the whole path of the run that it begins with."""
    begins = lesson.setting(job.key).begins_with
    if begins is None:
        return job.config
    return job.config.model_copy(update={"init_from": made_at(lesson, begins, job.seed)})


def alike(folder: Path, wanted: RunConfig) -> Path | None:
    """A finished run of this configuration in a folder."""
    if wanted.init_from is not None:
        return None
    for path in sorted(folder.glob("[!.]*/config.json")):
        if matches(path.parent, wanted) and runs.status(path.parent).state == "completed":
            return path.parent
    return None


def readings(lesson: Lesson) -> list[Reading]:
    """The readings through predictors that a lesson needs and that have not been computed yet."""
    bench = Bench(lesson)
    keys = [key for key, each in lesson.settings.items() if each.through and lesson.has_runs(key)]
    found = [reading for key in keys for reading in bench.side(key).readings]
    return [each for each in found if not each.ready]


def progress(lesson: Lesson, todo: list[Job], tell: Callable[[str], None], threads: int = 1) -> None:
    """Makes runs one after the other; tells of each."""
    for n, job in enumerate(todo, 1):
        name = name_of(lesson.name, job.key, job.seed)
        events = list(make(lesson, job, threads))
        told = f"{events[-1].seconds:.0f} s" if events else "as another lesson has it"
        tell(f"{n}/{len(todo)} {name}: {told}")
