"""A run as an object, and how runs are made, found and listed."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from seglab import adopting, comparison, jobs, runs, travel
from seglab.api import html
from seglab.api.following import bar, device_for, follow, processes_for, show, threads_for
from seglab.api.predicting import Prediction, chain, predicted
from seglab.api.samples import Samples
from seglab.api.scoring import Scores, opened, score
from seglab.api.settings import Settings, configure
from seglab.config import RunConfig
from seglab.entry import shown
from seglab.errors import SeglabError, tell
from seglab.events import Evaluated, Started, best_of
from seglab.model import Logits
from seglab.runs import listing

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from seglab.export import OnnxFile

POLL = 0.5  # seconds between two looks at a run that another process works on


class Run:
    """A run: its directory, and what can be done with it. Two are equal when their directories are.

    Nothing is kept here: every property reads the run as it is now, since another process may be working on it.
    """

    def __init__(self, directory: Path):
        self.directory = directory.resolve()

    # --- what it is

    @property
    def name(self) -> str:
        return self.directory.name

    @property
    def state(self) -> str:
        """`queued`, `running`, `interrupted`, `completed`, `budget`, `stopped`, `diverged` or `failed`."""
        return runs.status(self.directory).state

    @property
    def config(self) -> RunConfig:
        return runs.config(self.directory)

    @property
    def classes(self) -> tuple[str, ...]:
        return tuple(runs.description(self.directory)["classes"])

    @property
    def notes(self) -> list[str]:
        """What a person should know of the run: of its data, its loss and its techniques, and why it ended."""
        known = runs.events(self.directory)
        told = [str(note.error()) for event in known[:1] if isinstance(event, Started) for note in event.notes]
        ended = runs.status(self.directory).finished
        return told + ([ended.text] if ended and ended.text else [])

    @property
    def history(self) -> list[dict[str, Any]]:
        """A dict for each evaluation: epoch, step, seconds, lr, best, and loss and miou on train, search and val.

        `pandas.DataFrame(run.history)` is a table of it.
        """
        return [
            {"epoch": e.epoch, "step": e.step, "seconds": e.seconds, "lr": e.lr}
            | {f"{part}_{name}": getattr(s, name) for part, s in e.scores.items() for name in ("loss", "miou")}
            | {"best": e.best}
            for e in runs.events(self.directory)
            if isinstance(e, Evaluated)
        ]

    @property
    def scores(self) -> Scores:
        """The scores of the best weights on `val`. Raises SeglabError before the first evaluation."""
        best = best_of(runs.events(self.directory))
        if best is None:
            raise SeglabError("{run} has not been evaluated so far", run=self.name)
        val = best.scores["val"]
        return Scores(val.miou, dict(zip(self.classes, val.iou, strict=True)), val.pixel_accuracy, val.images)

    @cached_property
    def net(self) -> nn.Module:
        """The network with the best weights, on the CPU, as a plain torch module of your own to use and change.

        It takes images float (B, 3, H, W) in [0, 1], RGB, of any size, and gives logits float32 (B, K, H, W); it
        normalizes and pads by itself. `predict` keeps to the run's own weights.
        """
        return Logits(runs.load(self.directory).model)

    # --- what it can do

    def predict(
        self, image: Any, *, crf: Any = False, predictors: Any = (), vote: Iterable[str | Path | Run] = ()
    ) -> Prediction:
        """What the best weights see in an image: a file, a PIL image or an array uint8 (H, W, 3).

        `crf` is True or the CRF's options, such as {"w1": 5}; `predictors` come before it ("flips,scales", dicts or
        objects); the runs in `vote` vote with this one.
        """
        return predicted([self.directory, *(load(run).directory for run in vote)], image, predictors, crf)

    def evaluate(
        self,
        split: str = "val",
        *,
        data: Any = None,
        crf: Any = False,
        predictors: Any = (),
        vote: Iterable[str | Path | Run] = (),
        progress: bool = True,
    ) -> Scores:
        """Scores the best weights on a split (`train`, `search` or `val`) of the run's data, or of other data.

        `data` is "camvid", {"name": "folder", "root": "..."} or an object, of the same classes. With a CRF, `.crf` has
        the scores after it. `predictors`, `crf` and `vote` are as in `predict`.
        """
        trained = runs.load(self.directory)
        others = [runs.load(load(other).directory) for other in vote]
        found = opened(trained, data)
        return score(trained, found, split, chain(predictors, crf), others, progress, own=data is None)

    def resume(
        self, *, device: str = "auto", threads: int | None = None, processes: int = 1, progress: bool = True
    ) -> Run:
        """Goes on with a run that was stopped, failed or interrupted, or begins one that is queued; until its end."""
        runs.refuse_unwritable(self.directory)
        count, several = threads_for(threads, self.directory), processes_for(processes)
        follow(self.directory, device_for(device), count, True, progress, several)
        return self

    def submit(self) -> Run:
        """Puts a stopped, failed or interrupted run back into the queue."""
        jobs.resubmit(self.directory)
        look_after_queue()
        return self

    def stop(self) -> None:
        """Ends a run that another process works on after its present step; a queued one leaves the queue."""
        jobs.stop(self.directory)

    def wait(self, *, progress: bool = True) -> Run:
        """Waits for the end of a run that another process works on; an interrupt ends the waiting, not the run."""
        seen, waiting = 0, True
        with bar(self.name, progress) as shown:
            while waiting:
                waiting = self.state in ("queued", "running")
                known = runs.events(self.directory)
                for event in known[seen:]:
                    show(shown, event)
                seen = len(known)
                if waiting:
                    time.sleep(POLL)
        return self

    def delete(self) -> None:
        """Deletes the run and all that was kept of it, for good."""
        runs.remove(self.directory)

    def ship(self, target: str | Path, *, names: bool = False, pictures: bool = False) -> Path:
        """Writes a finished run to a new folder, or to a new zip where `target` ends in .zip, its weights in float16.

        `names` and `pictures` of private data stay here unless they are asked for. `seglab.bring` takes the zip in.
        """
        target = Path(target)
        tell(travel.take(self.directory, target, names, pictures))
        return target

    def push(
        self,
        repository: str,
        *,
        private: bool = False,
        license: str | None = None,
        names: bool = False,
        pictures: bool = False,
    ) -> str:
        """Puts a finished run on the Hugging Face Hub, at "owner/name", and gives what it is called there.

        `private` makes a repository that only its owner sees. `names` and `pictures` are as in `ship`.
        `seglab.load("hf:owner/name")` opens it on any machine. Needs a login: `hf auth login`, or HF_TOKEN.
        """
        aim = travel.aimed(repository, private)
        tell([*travel.leaving(self.directory, names, pictures), *travel.outlook(aim, license)])
        return travel.push(self.directory, aim, names, pictures, license)

    def export(self, file: str | Path, *, size: tuple[int, int] | None = None) -> OnnxFile:
        """Writes the best model as an ONNX file for images of one (height, width), and how far onnxruntime agrees.

        Without a size it is that of the run's images in training.
        """
        from seglab.export import export

        made = export(self.directory, Path(file), size)
        tell([made.note] if made.note else [])
        return made

    def track(self, to: str, out: str | Path | None = None) -> list[Path]:
        """Hands on what the run has reported, and gives the files that were written.

        `track("csv", "tables")` and `track("tensorboard", "logs")` write into a folder; `track("trackio")` or
        `track("trackio", "my project")` into Trackio's own store.
        """
        from seglab import tracking

        if to not in tracking.SINKS:
            known = ", ".join(tracking.SINKS)
            raise SeglabError("track to {to} is not known; known: {known}", to=shown(to), known=known)
        if to == "trackio":
            tracking.to_trackio([self.directory], str(out or tracking.PROJECT))
            return []
        if out is None:
            raise SeglabError("track needs a folder to write into, as in track({to}, 'logs')", to=shown(to))
        runs.refuse_unwritable(Path(out))
        return (tracking.to_csv if to == "csv" else tracking.to_tensorboard)([self.directory], Path(out))

    # --- what it looks like

    def curves(self) -> Figure:
        """Loss, mIoU and learning rate over epochs, as a matplotlib figure."""
        from seglab import draw

        return draw.curves(comparison.compare([self.directory]))

    def samples(self, epoch: float | None = None) -> Samples:
        """A few validation images with their truth and the run's masks, by its latest evaluation or after an epoch."""
        return Samples([self.directory], epoch)

    def __repr__(self) -> str:
        return f"<seglab run {self.name}: {', '.join(summary(self.directory))}>"

    def _repr_html_(self) -> str:
        found = comparison.compare([self.directory])
        row = found.rows[0]
        parts = [html.title(self.name, ", ".join(summary(self.directory)))]
        if row.iou:
            words = f"mIoU {html.text(row.miou)}, pixel accuracy {html.text(row.pixel_accuracy)} on val"
            best = "" if row.best_epoch is None else f"after epoch {row.best_epoch:g}, the best on search; "
            parts.append(html.title(words, f"{best}IoU by class:"))
            colors = runs.description(self.directory)["colors"]
            parts.append(html.legend([f"{name} {html.text(value)}" for name, value in row.iou.items()], colors))
        return "".join([*parts, html.curves(found), html.notes(self.notes)])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Run) and other.directory == self.directory

    def __hash__(self) -> int:
        return hash(self.directory)


def summary(directory: Path) -> list[str]:
    """A run in words, from the end of its events alone."""
    status = runs.status(directory)
    words = ["shipped" if directory.parent == runs.CHECKPOINTS else status.state]
    words += ["resume() goes on"] if status.state in ("stopped", "interrupted") else []
    if ended := status.finished:
        words += [f"{ended.epoch:g} epochs", f"{ended.seconds:.0f} s"]
        words += [] if ended.val_miou is None else [f"mIoU {ended.val_miou:.4f}"]
    return words


class Runs(list[Run]):
    """Runs in a list, which notebooks and terminals show as a table."""

    def rows(self) -> list[dict[str, Any]]:
        """What lists tell of each run: run, directory, name, owner, shipped, kept, made (when), state, model, data,
        epochs, seconds, best_epoch, miou and parameters."""
        return listing.rows([run.directory for run in self])

    def __repr__(self) -> str:
        return listing.table(self.rows()) if self else "no runs"

    def _repr_html_(self) -> str:
        rows = [
            [
                each["run"],
                "shipped" if each["shipped"] else each["state"],
                *(None if each[name] is None else f"{each[name]:g}" for name in ("epochs", "best_epoch")),
                each["seconds"] and round(each["seconds"]),
                each["miou"],
            ]
            for each in self.rows()
        ]
        return html.table(rows, ["run", "state", "epochs", "best epoch", "seconds", "mIoU"])


# --- how they are made and found


def train(
    config: Settings = None,
    /,
    *,
    name: str | None = None,
    device: str = "auto",
    threads: int | None = None,
    processes: int = 1,
    progress: bool = True,
    **options: Any,
) -> Run:
    """Trains a new run to its end, and gives it; the options are those of `configure`.

    That is done in this process, or in several that share the threads, each on its part of every batch.

    An interrupt (a notebook's stop, Ctrl-C) ends it in good order: the run comes back as it is, and `run.resume()` goes
    on. Raises SeglabError for options, data or a name that cannot be.
    """
    settings = prepared(configure(config, **options))
    computing, count, several = device_for(device), threads_for(threads), processes_for(processes)
    run = Run(runs.create(settings, name))
    follow(run.directory, computing, count, progress=progress, processes=several)
    return run


def submit(config: Settings = None, /, *, name: str | None = None, **options: Any) -> Run:
    """Puts a new run into the queue and gives it at once; the options are those of `configure`.

    The page works on it where one is open in the same home, and else this program, in a process beside it that ends
    with it. `run.wait()` waits for it.
    """
    settings = prepared(configure(config, **options))
    (directory,) = jobs.submit([settings], names=[name])
    look_after_queue()
    return Run(directory)


def prepared(config: RunConfig) -> RunConfig:
    """The configuration with the whole paths of what it needs, once its data has been found."""
    runs.refuse_unwritable()
    config = runs.settled(config)
    config.data.open()
    return config


def bring(file: str | Path, *, name: str | None = None) -> Run:
    """Takes in the run in a zip that `run.ship` or the page wrote; nothing in it is executed.

    Its name is the one given, or the one that it had, numbered where that is taken. Raises SeglabError for a zip that
    is not as it should be.
    """
    directory, notes = runs.bring(Path(file), name)
    tell(notes)
    return Run(directory)


def adopt(
    source: str | Path,
    data: Any,
    *,
    classes: Any = None,
    names: Any = None,
    image_size: int | None = None,
    name: str | None = None,
    mean: Any = None,
    std: Any = None,
    progress: bool = True,
) -> Run:
    """A run of a network of others, which labels the validation images of some data and is compared like any run.

    `source` is OWNER/NAME[@REVISION] of the Hugging Face hub, "torchvision:NAME", an ONNX file, or a folder with
    config.json and model.safetensors; `data` is "camvid", {"name": "folder", "root": "..."} or an object. Its classes
    are brought to the data's by name, or by the table `classes`: {"pavement": ["sidewalk", "path"], ...}. `names` are
    those of its classes, `mean` and `std` those of its colors from 0 to 1, where it does not say. What became of its
    classes is in the run's `notes` and `config.model.table`.
    """
    adoption = adopting.prepared(str(source), data, classes, names, image_size, name, mean, std)
    with bar(adoption.network.origin, progress) as shown:
        for shown.n, shown.total in adoption.write():
            shown.refresh()
    tell(adoption.notes())
    assert adoption.directory
    return Run(adoption.directory)


def load(run: str | Path | Run) -> Run:
    """A run by its name, among the new ones and those that come with seglab, by its path, or from the Hugging Face Hub
    as "hf:owner/name" or "hf:owner/name@revision"."""
    return run if isinstance(run, Run) else Run(runs.find(run))


def list_runs(
    text: str = "",
    *,
    state: str | Sequence[str] = (),
    model: str | Sequence[str] = (),
    data: str | Sequence[str] = (),
    sort: str = "made",
    limit: int | None = None,
) -> Runs:
    """All runs, the newest first, then those that come with seglab; or some of them.

    Each word of `text` is looked for in names, owners, models, data sets and states. `state`, `model` and `data` are
    one or several that are wanted. `sort` is "made", "miou", "epochs", "seconds" or "parameters", the highest first, or
    "name", "state", "model" or "data". Raises SeglabError for what no run has.
    """
    wanted = {
        name: [given] if isinstance(given, str) else list(given)
        for name, given in (("state", state), ("model", model), ("data", data))
    }
    found = listing.chosen(listing.listing(), text, sort, **wanted)
    return Runs(Run(Path(each["directory"])) for each in found[:limit])


WORKERS: dict[Path, threading.Thread] = {}


def look_after_queue() -> None:
    """Has the queue worked on by this program, for as long as no other one does."""
    home = runs.home()
    if home not in WORKERS or not WORKERS[home].is_alive():
        WORKERS[home] = jobs.queue_worker()
        WORKERS[home].start()
        jobs.Keeper().start()  # the runs' processes keep none at a URL
