"""What runs have reported, handed on to the tools that others keep their experiments in: CSV, TensorBoard, Trackio.

Everything is read from the runs' directories, also of a run that is still going. Handing a run on again replaces what
was handed on before. The names of all measures are those of `comparison.tables.measures`.
"""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from seglab import __version__, draw, runs
from seglab.comparison.scores import compare
from seglab.comparison.settings import flat
from seglab.comparison.tables import ENCODING, curves_csv, measures, scores_csv
from seglab.config import RunConfig
from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, best_of

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

COMPARISON = "comparison"  # the table of scores, among those of the runs
SUFFIX = ".seglab"  # of TensorBoard's files that come from here
SINKS = ("csv", "tensorboard", "trackio")
PROJECT = "seglab"


@dataclass(frozen=True)
class Log:
    """A run's directory, its configuration, and the events that still count."""

    directory: Path
    config: RunConfig
    events: Sequence[Event]

    @property
    def name(self) -> str:
        return self.directory.name

    @cached_property
    def classes(self) -> Sequence[str]:
        scored = any(isinstance(event, Evaluated) for event in self.events)
        return runs.description(self.directory)["classes"] if scored else ()

    def measured(self, event: Event) -> dict[str, float]:
        """The numbers of an event that are known, with the epoch and the seconds of training."""
        known = {name: value for name, value in measures(event, self.classes).items() if value is not None}
        return known and {"epoch": getattr(event, "epoch", 0.0), "seconds": event.seconds} | known

    @property
    def options(self) -> dict[str, str | int | float]:
        """The configuration with dotted names, without what is left empty."""
        given = flat(self.config.model_dump(mode="json")).items()
        return {
            name: value if isinstance(value, int | float) else str(value) for name, value in given if value is not None
        }


def logs(directories: Sequence[Path], taken: Collection[str] = ()) -> list[Log]:
    """The runs, read before anything is written; raises SeglabError for a damaged one, and for two of one name."""
    names = [name.casefold() for name in taken]
    for directory in directories:
        if directory.name.casefold() in names:
            raise SeglabError(
                "{run}: a file or folder called {name} is already among those to be written; give runs of one name to "
                "separate commands, with an --out each",
                run=str(directory),
                name=directory.name,
            )
        names.append(directory.name.casefold())
    return [Log(directory, runs.config(directory), runs.events(directory)) for directory in directories]


def refuse_unequipped(package: str) -> None:
    """Raises SeglabError unless the package is installed."""
    if not find_spec(package):
        raise SeglabError("{package} is not installed here: pip install {package}", package=package)


# --- CSV


def to_csv(directories: Sequence[Path], out: Path) -> list[Path]:
    """Writes a table for each run, and one of their scores, into the folder `out`; gives the files."""
    logs(directories, [COMPARISON])
    tables = {directory.name: curves_csv(directory) for directory in directories}
    tables[COMPARISON] = scores_csv(compare(directories))
    with runs.writing(out):
        out.mkdir(parents=True, exist_ok=True)
        for name, text in tables.items():
            runs.write(out / f"{name}.csv", text.encode(ENCODING))
    return [out / f"{name}.csv" for name in tables]


# --- TensorBoard


def to_tensorboard(directories: Sequence[Path], out: Path) -> list[Path]:
    """Writes each run into a folder of its own below `out`, as TensorBoard reads them; gives the folders.

    There are all scalars, the label maps of the few validation images after every epoch, and the configuration, as text
    and as hyperparameters with the best weights' scores. The time of a point is that of the run.
    """
    refuse_unequipped("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    for run in logs(directories):
        folder = out / run.name
        with runs.writing(out):
            before = [*folder.glob(f"events.out.tfevents.*{SUFFIX}")]
            with SummaryWriter(str(folder), filename_suffix=SUFFIX) as writer:
                write_scalars(run, writer)
                write_samples(run, writer)
                write_settings(run, writer)
            for path in before:
                path.unlink()
    return [out / directory.name for directory in directories]


def began(run: Log) -> float:
    """When the run was made, in seconds since 1970."""
    return (run.directory / "config.json").stat().st_mtime


def write_scalars(run: Log, writer: SummaryWriter) -> None:
    for event in run.events:
        for name, value in run.measured(event).items():
            writer.add_scalar(name, value, event.step, began(run) + event.seconds)


def write_samples(run: Log, writer: SummaryWriter) -> None:
    """The label maps in their classes' colors: each image's truth at step 0, and what was predicted by epoch; those
    that are missing are left out."""
    evaluations = {runs.epoch_text(event.epoch): event for event in run.events if isinstance(event, Evaluated)}
    if not evaluations:
        return
    evidence, colors = runs.Evidence(run.directory), runs.description(run.directory)["colors"]
    pictures: list[tuple[int, float, str, np.ndarray]] = []
    with contextlib.suppress(SeglabError):
        pictures += [(0, began(run), f"samples/{n} truth", evidence.truth(i)) for n, i in enumerate(evidence.samples)]
    for epoch in evidence.epochs():
        with contextlib.suppress(SeglabError, KeyError):  # an epoch that is being written, or that does not count
            event = evaluations[runs.epoch_text(epoch)]
            at = began(run) + event.seconds
            pictures += [(event.step, at, f"samples/{n}", map) for n, map in enumerate(evidence.sampled(epoch))]
    for step, at, name, labels in pictures:
        writer.add_image(name, draw.painted(labels, colors), step, at, dataformats="HWC")


def write_settings(run: Log, writer: SummaryWriter) -> None:
    """The configuration, and the best weights' scores, which belong to no step but the last one."""
    from torch.utils.tensorboard.summary import hparams

    text = json.dumps(run.config.model_dump(mode="json"), indent=1, ensure_ascii=False)
    writer.add_text("config", f"```json\n{text}\n```", 0, began(run))
    best, last = best_of(run.events), run.events[-1] if run.events else None
    scores = {} if best is None else {f"best/{split}/miou": score.miou for split, score in best.scores.items()}
    known = {name: value for name, value in scores.items() if value is not None}
    known |= {"best/epoch": best.epoch} if best else {}
    for name, value in known.items():
        assert last
        writer.add_scalar(name, value, last.step, began(run) + last.seconds)
    for summary in hparams(run.options, known):
        writer._get_file_writer().add_summary(summary)  # SummaryWriter.add_hparams would make a run of its own


# --- Trackio


def to_trackio(directories: Sequence[Path], project: str = PROJECT) -> None:
    """Logs each run with its configuration into Trackio's local store; one that was logged before is replaced."""
    refuse_unequipped("trackio")
    import trackio

    for run in logs(directories):
        with contextlib.suppress(ValueError):  # there is no such project yet
            for other in trackio.Api().runs(project):
                if other.name == run.name and "seglab" in (other.config or {}):
                    other.delete()
        with contextlib.redirect_stdout(io.StringIO()):  # nothing can be switched off of what it prints
            try:
                config = {"seglab": __version__} | run.options
                trackio.init(project, run.name, config=config, embed=False, auto_log_gpu=False, auto_log_cpu=False)
            except ValueError as reason:
                raise SeglabError(
                    "--project {name} is not allowed: {reason}", name=repr(project), reason=reason
                ) from None
            for event in run.events:
                if known := run.measured(event):
                    trackio.log(known, step=event.step)
            trackio.finish()
