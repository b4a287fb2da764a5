"""A reading is a run seen through a chain of predictors; a side is a setting with its readings, one for each seed."""

from __future__ import annotations

import hashlib
import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from seglab import prediction, runs
from seglab.cache import once
from seglab.comparison.scores import Comparison
from seglab.config import RunConfig
from seglab.entry import shown, validated
from seglab.errors import SeglabError
from seglab.events import Evaluated, best_of
from seglab.families import Predictor
from seglab.metrics import confusion
from seglab.model import Trained
from seglab.places import lessons
from seglab.predictors import Crf
from seglab.runs import Evidence
from seglab.runs.evidence import packed

FOLDER = ".readings"  # in the home of runs
SHIPPED = "readings"  # in the folder of lessons: those that come with seglab, which nothing makes room for
MOST_KEPT = 200  # of them; those that were made longest ago are deleted
MOST_LASTING = 1000  # of those that each run's weights have one of: searches, and readings through the usual CRF
LASTING = "-lasting"  # how their names end
MOST_WRITTEN = 300  # characters of a chain


@dataclass(frozen=True)
class Reading:
    """What a run's best weights make of its validation images: as the run stored it, or through a chain of predictors,
    which is computed once, by `compute`, and kept."""

    directory: Path
    predictors: tuple[Predictor, ...] = ()

    @once
    def config(self) -> RunConfig:
        return runs.config(self.directory)

    @property
    def fixed(self) -> bool:
        """Whether its network was taken as it is and not trained here, so that there are no other seeds of it."""
        return not self.config.model.trains

    @property
    def evidence(self) -> Evidence:
        """What the run itself stored."""
        return Evidence(self.directory)

    @once
    def unknown(self) -> tuple[int, ...] | None:
        """The classes that its network does not know, where it may label pixels void; None of any other."""
        return self.evidence.unknown

    @property
    def file(self) -> Path:
        """Where it is kept: by the weights, the images and the chain, whatever the run is called."""
        made_by = json.dumps([each.model_dump(mode="json") for each in self.predictors])
        return file_of(self.directory, "val", made_by, lasting=self.predictors == (Crf(),))

    @property
    def epochs(self) -> list[float]:
        """The evaluations after which label maps of a few images were kept; only of what the run itself stored."""
        return [] if self.predictors else self.evidence.epochs()

    @property
    def ready(self) -> bool:
        """Whether it is there."""
        return not self.predictors or self.file.is_file()

    def confusions(self) -> np.ndarray:
        """int64 (N, K, K): the confusion matrix of each validation image; (N, K, K + 1) where pixels may be labeled
        void."""
        return self.kept("val") if self.predictors else self.evidence.confusions()

    def labels(self, index: int) -> np.ndarray:
        """uint8 (H, W): what is predicted for a validation image."""
        return self.kept(f"{index}") if self.predictors else self.evidence.labels(index)

    def kept(self, name: str) -> np.ndarray:
        try:
            with np.load(self.file, allow_pickle=False) as arrays:
                return arrays[name]
        except FileNotFoundError:
            raise SeglabError(
                "{run} has not been read through {chain} yet", run=self.directory.name, chain=chained(self.predictors)
            ) from None
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            if self.file.parent == runs.home() / FOLDER:
                self.file.unlink(missing_ok=True)  # it can be computed again
            raise SeglabError("{file} cannot be read: {reason}", file=self.file.name, reason=error) from None

    def compute(self) -> Iterator[tuple[int, int]]:
        """Computes it and keeps it, unless it is there; yields how many images of how many are done. Raises SeglabError
        where the images are not here."""
        if self.ready:
            return
        target, trained = loaded_with(self.directory, lambda: self.file)
        images = runs.opened(self.directory).val
        arrays: dict[str, np.ndarray] = {}
        matrices = []
        for n in range(len(images)):
            sample = images[n]
            (found,) = prediction.labeled(trained, sample, [self.predictors])
            arrays[f"{n}"] = found
            matrices.append(confusion(found, sample.mask, len(trained.classes), trained.unknown))
            yield n + 1, len(images)
        keep(target, **arrays, val=np.stack(matrices), chain=np.array(written(self.predictors)))


def loaded_with(directory: Path, file: Callable[[], Path]) -> tuple[Path, Trained]:
    """The file that is called by a run's best weights, with these very weights: a better epoch may come in between."""
    target, trained = file(), runs.load(directory)
    while target != file():
        target, trained = file(), runs.load(directory)
    return target, trained


def file_of(directory: Path, split: str, made_by: str, lasting: bool) -> Path:
    """Where what is made of a run's images is kept: by its weights and the images, and by what makes it; `lasting`,
    what any number of others does not make room for."""
    best = best_of([event for event in runs.events(directory) if isinstance(event, Evaluated)])
    if best is None:
        raise SeglabError("{run} has no weights yet: it has not been evaluated so far", run=directory.name)
    made_of = json.dumps([best.weights_sha256, runs.description(directory)["digests"][split]])
    of, by = (hashlib.sha256(text.encode()).hexdigest()[:20] for text in (made_of, made_by))
    name = f"{of}-{by}{LASTING * lasting}.npz"
    shipped = (folder / SHIPPED / name for folder in lessons())
    return next(filter(Path.is_file, shipped), runs.home() / FOLDER / name)


def keep(file: Path, **arrays: np.ndarray) -> None:
    """Writes such a file; those that were made longest ago make room."""
    with runs.writing(file.parent):
        file.parent.mkdir(parents=True, exist_ok=True)
        runs.write(file, packed(**arrays))
    sweep(file.parent)


def chains(directory: Path) -> list[tuple[Predictor, ...]]:
    """Those that a run's images have been read through, the latest first; none where it has no weights yet."""
    try:
        one = Reading(directory).file
    except SeglabError:
        return []
    files = latest_first(one.parent.glob(f"{one.name.partition('-')[0]}-*.npz"))
    return [each for each in (chain_in(*file) for file in files) if each]


def latest_first(files: Iterable[Path]) -> list[tuple[Path, int]]:
    """Those of the files that are still there, each with when it was changed: another process may delete some."""
    found = []
    for file in files:
        with suppress(FileNotFoundError):
            found.append((file, file.stat().st_mtime_ns))
    return sorted(found, key=lambda each: -each[1])


@lru_cache(maxsize=4 * MOST_KEPT)
def chain_in(file: Path, changed: int) -> tuple[Predictor, ...]:
    """The chain of a reading's file, as it is since it has changed; none of one that is damaged or of another kind."""
    try:
        with np.load(file, allow_pickle=False) as arrays:
            return read(str(arrays["chain"]))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, SeglabError):
        return ()


def written(predictors: Sequence[Predictor]) -> str:
    """A chain of predictors as a text that `read` takes: their names, each with the options that are not the usual
    ones, such as flips|crf:w1:5,theta_beta:3."""
    parts = []
    for each in predictors:
        told = ",".join(f"{name}:{value}" for name, value in unusual(each).items())
        parts.append(f"{each.name}:{told}" if told else each.name)
    return "|".join(parts)


def number(value: Any) -> str:
    """An option's value as a person writes it, 5 and not 5.0; what it is read from is the same number."""
    return repr(value).removesuffix(".0") if isinstance(value, float) else str(value)


def read(text: str) -> tuple[Predictor, ...]:
    """The chain that `written` wrote; raises SeglabError for another text."""
    if len(text) > MOST_WRITTEN:
        raise SeglabError(
            "predictors: {value} has {count} characters; allowed: {most}",
            value=shown(text), count=len(text), most=MOST_WRITTEN,
        )  # fmt: skip
    found = []
    for part in text.split("|"):
        name, _, options = part.partition(":")
        values = dict(each.partition(":")[::2] for each in options.split(",") if each)
        found.append(validated(Predictor, values | {"name": name}))
    return tuple(found)


def sweep(folder: Path) -> None:
    """Deletes what was made longest ago, where there is much."""
    files = [file for file, _ in latest_first(folder.glob("*.npz"))]
    lasting = [file for file in files if file.stem.endswith(LASTING)]
    others = [file for file in files if not file.stem.endswith(LASTING)]
    for file in (*lasting[MOST_LASTING:], *others[MOST_KEPT:]):
        file.unlink(missing_ok=True)


def chained(predictors: Sequence[Predictor]) -> str:
    """A chain of predictors in short: their names, with the options that are not the usual ones."""
    told = []
    for each in predictors:
        options = short(each)
        told.append(f"{each.name} ({options})" if options else each.name)
    return " + ".join(told)


def short(predictor: Predictor) -> str:
    """A predictor's options that are not the usual ones, such as w1 5, theta_beta 3."""
    return ", ".join(f"{name} {value}" for name, value in unusual(predictor).items())


def unusual(predictor: Predictor) -> dict[str, str]:
    """The same by their names, as a person writes them."""
    options = predictor.model_dump(mode="json", exclude_defaults=True)
    return {name: number(value) for name, value in options.items() if name != "name"}


@dataclass(frozen=True)
class Side:
    """One side of a comparison: a setting by its name, and its readings, which differ in the seed or the fold alone."""

    name: str
    readings: tuple[Reading, ...]

    @property
    def seeds(self) -> list[int]:
        return [each.config.seed for each in self.readings]

    @property
    def fixed(self) -> bool:
        """Whether it is a network that was not trained here."""
        return any(each.fixed for each in self.readings)

    @property
    def folded(self) -> bool:
        """Whether its readings are of several folds of a cross-validation; those of one fold are runs like others."""
        return len({each.config.fold.index for each in self.readings if each.config.fold}) > 1

    def through(self, predictors: Sequence[Predictor]) -> Side:
        """The same through a chain of predictors."""
        if not predictors:
            return self
        readings = tuple(Reading(each.directory, tuple(predictors)) for each in self.readings)
        return Side(f"{self.name} + {chained(predictors)}", readings)


def unknown_of(these: Sequence[Side]) -> tuple[int, ...] | None:
    """The classes that a reading of these sides does not know; None where none may label pixels void."""
    found = [each.unknown for side in these for each in side.readings]
    if all(unknown is None for unknown in found):
        return None
    return tuple(sorted({place for unknown in found for place in unknown or ()}))


def sides(comparison: Comparison, directories: Sequence[Path]) -> list[Side]:
    """The settings of those of compared runs that have been scored, in their order, each with its runs by fold and
    seed, a seed once: the same run twice is no second draw. Two runs that differ in nothing but the seed are two
    sides."""
    groups = {group.places[0]: (group.label, group.places) for group in comparison.groups}
    if len(groups) == 1 and len(directories) == 2 and not any(runs.config(each).fold for each in directories):
        groups = {}
    together = {place for _, places in groups.values() for place in places}
    found = []
    for first in range(len(directories)):
        if first in together and first not in groups:
            continue
        label, places = groups.get(first, (comparison.labels[first], (first,)))
        readings: dict[tuple[int, int], Reading] = {}
        for place in places:
            reading = Reading(directories[place])
            config = reading.config
            if comparison.rows[place].miou is not None:
                readings.setdefault((config.fold.index if config.fold else 0, config.seed), reading)
        if readings:
            found.append(Side(label, tuple(readings[key] for key in sorted(readings))))
    return found
