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
from seglab.lessons.bench import Bench, located, matches, name_of
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
    found = [
        Job(key, seed, lesson.config(key, seed))
        for key, seed in lesson.runs
        if key in wanted and (not seeds or seed in seeds)
    ]
    return sorted((each for each in found if located(lesson, each.key, each.seed) is None), key=lambda each: each.seed)


def make(lesson: Lesson, job: Job, threads: int = 1) -> Iterator[Event]:
    """Trains a run of a lesson in this process, from where it stands; one of the same configuration that another lesson
    has made is copied."""
    directory = runs.home() / places.MADE / name_of(lesson.name, job.key, job.seed)
    config = begun(job.config)
    if directory.exists() and not matches(directory, job.config):
        raise SeglabError(
            "{directory} is a run of other settings: the lesson has changed since; delete it to make it anew",
            directory=str(directory),
        )
    if not directory.exists():
        twin = alike(directory.parent, job.config)
        with runs.writing(directory.parent):
            directory.parent.mkdir(parents=True, exist_ok=True)
            if twin:
                temporary = directory.with_name(f".{directory.name}")
                shutil.rmtree(temporary, ignore_errors=True)
                shutil.copytree(twin, temporary)
                temporary.rename(directory)
                return
            directory.mkdir()
            runs.write(directory / "config.json", config.model_dump_json(indent=1).encode())
    yield from runs.work(directory, threads=threads)
    for snapshot in directory.glob("last*"):  # what only resuming needs
        snapshot.unlink() if snapshot.is_file() else shutil.rmtree(snapshot)


def begun(config: RunConfig) -> RunConfig:
    """The configuration with the whole path of the run that it begins with."""
    if config.init_from is None:
        return config
    return config.model_copy(update={"init_from": runs.find(config.init_from.name)})


def alike(folder: Path, wanted: RunConfig) -> Path | None:
    """A finished run of this configuration in a folder."""
    if wanted.init_from is not None:
        return None
    for path in sorted(folder.glob("*/config.json")):
        if matches(path.parent, wanted) and runs.status(path.parent).over:
            return path.parent
    return None


def readings(lesson: Lesson) -> list[Reading]:
    """The readings through predictors that a lesson needs and that have not been computed yet."""
    bench = Bench(lesson)
    found = [reading for key, each in lesson.settings.items() if each.through for reading in bench.side(key).readings]
    return [each for each in found if not each.ready]


def progress(lesson: Lesson, todo: list[Job], tell: Callable[[str], None], threads: int = 1) -> None:
    """Makes runs one after the other, and then the readings; tells of each."""
    for n, job in enumerate(todo, 1):
        name = name_of(lesson.name, job.key, job.seed)
        events = list(make(lesson, job, threads))
        told = f"{events[-1].seconds:.0f} s" if events else "as another lesson has it"
        tell(f"{n}/{len(todo)} {name}: {told}")
