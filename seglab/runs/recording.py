"""Working on a run: training recorded as it goes, stopped, and resumed."""

from __future__ import annotations

import contextlib
import errno
import json
import secrets
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from pydantic_core import from_json

from seglab import training
from seglab.config import RunConfig
from seglab.data.base import PARTS
from seglab.data.masks import write_mask
from seglab.errors import SeglabError
from seglab.events import FOR_GOOD, Evaluated, Event, Finished, Reason, Sentence, Started, best_of
from seglab.group import ALONE, Group
from seglab.places import LESSONS
from seglab.runs.directory import (
    CHECKPOINTS,
    TAKEN,
    announce,
    append,
    config,
    events,
    is_locked,
    last_word,
    locked,
    replace,
    size_of,
    status,
    write,
    writing,
)
from seglab.runs.evidence import epoch_text, packed
from seglab.runs.hashes import announced, sha256
from seglab.runs.keeping import keep_finished
from seglab.runs.kept import is_kept
from seglab.runs.shipment import shipped
from seglab.runs.snapshots import restore, snapshot
from seglab.runs.trained import learned, load, picture


def stop(directory: Path) -> None:
    """Asks a run to end after its present step; one that nobody works on ends at once."""
    state = status(directory)
    if state.over:
        return
    with writing(directory):
        asked = (directory / "stop").exists()
        (directory / "stop").touch()
        if state.state != "running":
            try:
                with contextlib.suppress(SeglabError), locked(directory):  # if it began meanwhile it sees the file
                    append(directory, ending(directory, "stopped"))
                    (directory / "queued").unlink(missing_ok=True)
            except OSError:
                if not asked:  # it waits on, as if nothing had been asked
                    (directory / "stop").unlink(missing_ok=True)
                raise


def work(
    directory: Path,
    device: str = "cpu",
    threads: int = 1,
    interrupted: Callable[[], bool] = lambda: False,
    unstop: bool = False,
    images: training.Images | None = None,
    group: Group = ALONE,
    here: Callable[[Path], Path] = lambda path: path,
) -> Iterator[Event]:
    """Trains the run in this process, from where it stands to its end; yields each event once it is recorded.

    With `unstop`, a run that was stopped goes on. `images` are the run's, where they are open. This process is the
    first of `group`; the others `join` it. `here` tells where the folders in its configuration are on this machine.
    Raises SeglabError when the run is over, busy, or asked to stop; a mistake on the way is recorded, then raised.
    """
    with begun(directory, unstop):
        settings = relocated(config(directory), here)
        fresh = not (directory / "last").exists()
        weights = load(settings.init_from).model.state_dict() if settings.init_from and fresh else None
        stopping = directory / "stop"
        run = training.Run(
            settings,
            device,
            threads,
            weights,
            fresh,
            should_stop=lambda: interrupted() or stopping.exists(),
            load=partial(load, device=device),
            images=images,
            group=group,
        )
        notes = restore(run, directory)
        run.agree()
        yield from record(training.train(run), directory, run, notes)
    keep_finished(interrupted)


@contextlib.contextmanager
def begun(directory: Path, unstop: bool = False) -> Iterator[None]:
    """Holds a run, taken out of the queue, for whoever works on it. Raises SeglabError when the run is over, busy, or
    asked to stop; a mistake on the way is recorded, then raised."""
    refuse_resuming(directory)  # before a lock is written to a kept copy
    with locked(directory):
        refuse_going_on(directory)
        stopping = directory / "stop"
        with writing(directory):
            announce(directory)
            if unstop:
                stopping.unlink(missing_ok=True)
            if stopping.exists():
                raise SeglabError("{run} was stopped; resume it to continue", run=directory.name)
            if not size_of(directory / "events.jsonl"):
                (directory / TAKEN).touch()  # before it leaves the queue: killed from here on, it is interrupted
            (directory / "queued").unlink(missing_ok=True)
            for place in (directory, directory / "samples", *directory.glob("last-*")):  # what a killed process left
                for leftover in place.glob(".*.????????"):
                    shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
            (directory / "weights.next").unlink(missing_ok=True)  # announced; the run comes to it again
        try:
            yield
        except Exception as error:
            why = reason_of(error, directory)
            with contextlib.suppress(OSError):
                append(directory, ending(directory, "failed", why))
                (directory / TAKEN).unlink(missing_ok=True)
            if isinstance(error, OSError) or short_of_memory(error):
                raise why from None
            raise


def relocated(config: RunConfig, here: Callable[[Path], Path]) -> RunConfig:
    """The configuration with its folders where they are on this machine."""
    config = config.needing(here)
    root = getattr(config.data, "root", None)
    data = config.data if root is None else config.data.model_copy(update={"root": here(root)})
    return config.model_copy(update={"data": data})


def join(directory: Path, device: str, threads: int, group: Group) -> None:
    """Trains the run that the first process of the group works on and records, until it ends."""
    run = training.Run(config(directory), device, threads, fresh=False, load=partial(load, device=device), group=group)
    run.agree()
    for _ in training.train(run):
        pass


def reason_of(error: Exception, directory: Path) -> SeglabError:
    """Why a run ended, in words."""
    if isinstance(error, OSError) and error.errno == errno.ENOSPC:
        return SeglabError("the disk is full: {run} ended; what it had saved is kept", run=directory.name)
    if short_of_memory(error):
        return SeglabError(
            "there is not enough memory: {run} ended; try a smaller batch size, image size or model",
            run=directory.name,
        )
    return SeglabError.of(error)


def short_of_memory(error: Exception) -> bool:
    """Whether memory could not be had, of the processor or of a GPU; of the former torch tells only in words."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    )


def refuse_resuming(directory: Path) -> None:
    """Raises SeglabError for a run that was shipped or is a kept copy: what resuming needs is not with it."""
    if is_kept(directory) or shipped(directory):
        raise SeglabError(
            "{run} is a copy that cannot be trained further; begin a new run with its weights: init_from",
            run=directory.name,
        )


def refuse_going_on(directory: Path) -> None:
    """Raises SeglabError for a run that has come to its end, or cannot be resumed."""
    refuse_resuming(directory)
    ended = last_word(directory)
    if ended and ended.reason in FOR_GOOD:
        raise SeglabError(
            "{run} has ended ({reason}); there is nothing to resume", run=directory.name, reason=ended.reason
        )


def remove(directory: Path) -> None:
    """Deletes a run for good. Raises SeglabError for a shipped one and for one that is being worked on."""
    refuse_removal(directory)
    with locked(directory), writing(directory):
        (directory / "config.json").unlink()  # from here on it is no run any more
    with writing(directory):
        shutil.rmtree(directory)  # not before: Windows deletes no file that is open, as the lock's is


def refuse_removal(directory: Path) -> None:
    """Raises SeglabError for a run that cannot be deleted."""
    if directory.resolve().parent in (CHECKPOINTS.resolve(), LESSONS.resolve()):
        raise SeglabError("{run} comes with seglab and cannot be deleted", run=directory.name)
    if is_kept(directory) or is_kept(directory.resolve()):
        raise SeglabError(
            "{run} is in the folder that SEGLAB_KEEP names, which seglab only adds to; delete it there",
            run=directory.name,
        )
    if is_locked(directory):
        raise SeglabError("{run} is running and cannot be deleted; stop it first", run=directory.name)


def ending(directory: Path, reason: Reason, why: SeglabError | None = None) -> Finished:
    """The end of a run whose own process did not say it."""
    try:
        known = events(directory)
    except SeglabError:  # damaged: whoever asks for them is told
        known = []
    step, seconds = (known[-1].step, known[-1].seconds) if known else (0, 0.0)
    started, best = next((event for event in known if isinstance(event, Started)), None), best_of(known)
    return Finished(
        step=step,
        seconds=seconds,
        reason=reason,
        why=None if why is None else Sentence.of(why),
        epoch=step / started.steps_per_epoch if started else 0.0,
        parameters=started.parameters if started else None,
        best_epoch=best.epoch if best else None,
        search_miou=best.scores["search"].miou if best else None,
        val_miou=best.scores["val"].miou if best else None,
    )


def record(
    stream: Iterable[Event], directory: Path, run: training.Run, notes: Sequence[SeglabError] = ()
) -> Iterator[Event]:
    """Writes what the events announce, then the event itself, then passes it on; `notes` come with the first."""
    for event in stream:
        if isinstance(event, Started):
            if not (directory / "truth").exists():
                write_maps(directory / "truth", (sample.mask for sample in run.scored["val"]), run)
            event = record_start(event, directory, run, notes)
        elif isinstance(event, Evaluated):
            record_samples(directory, run)
            if event.best:
                event = record_best(event, directory, run)
            else:
                append(directory, event)
            snapshot(run, directory)
        else:
            append(directory, event)
        yield event


def record_start(event: Started, directory: Path, run: training.Run, notes: Sequence[SeglabError] = ()) -> Started:
    """Writes the description of the data and the event that announces it; gives the event, with the run's hashes."""
    content = described(run)
    told = [*event.notes, *map(Sentence.of, [*notes, *inherited(from_json(content))])]
    files = {"config.json": sha256((directory / "config.json").read_bytes()), "dataset.json": sha256(content)}
    event = event.model_copy(update={"notes": told, "files": files})
    announce_start(event, directory, content)
    return event


def announce_start(event: Started, directory: Path, content: bytes) -> None:
    """Writes a description of the data and the event that announces it.

    A description that was announced before goes only once the new one is announced, too: killed in between, the run
    has one that is.
    """
    path = directory / "dataset.json"
    known = path.read_bytes() if path.exists() else b""
    later = sha256(known) in announced(directory).get(path.name, ())
    if not later:
        write(path, content)
    append(directory, event)
    if later and known != content:
        write(path, content)
    (directory / TAKEN).unlink(missing_ok=True)


def described(run: training.Run) -> bytes:
    data = run.data
    names = {"train": data.train.names, "search": data.search.names, "val": data.val.names}
    content = {
        "classes": data.classes,
        "colors": data.colors,
        "digests": data.digests,
        "images": names,
        "samples": run.samples,
        "pictures": {part: list(map(picture, getattr(data, part).images)) for part in PARTS},
        "learned": sorted(frozenset().union(*map(learned, run.config.needs))),
        "span": data.span,
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def inherited(known: dict) -> list[SeglabError]:
    """A warning where the run of this description is validated on images that it, or runs that its weights come from,
    learned from."""
    held = {*known["pictures"]["search"], *known["pictures"]["val"]}
    if not (count := len(held.intersection(known["learned"]))):
        return []
    return [
        SeglabError(
            "{count} of the {all} validation images were learned from by the runs whose weights this run starts from: "
            "its scores are too high",
            count=count,
            all=len(held),
        )
    ]


def write_maps(directory: Path, maps: Iterable[np.ndarray], run: training.Run) -> None:
    """Label maps as 0000.png, 0001.png, ...; the folder appears when all are written."""
    with appearing(directory) as folder:
        for n, labels in enumerate(maps):
            write_mask(folder / f"{n:04}.png", labels, run.data.colors)


@contextlib.contextmanager
def appearing(directory: Path) -> Iterator[Path]:
    """A folder to fill, which takes this place when that is done."""
    temporary = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        yield temporary
        replace(temporary, directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def record_samples(directory: Path, run: training.Run) -> None:
    labels = run.evaluations["val"].labels
    (directory / "samples").mkdir(exist_ok=True)
    write_maps(directory / "samples" / f"epoch_{epoch_text(run.epoch)}", [labels[n].labels() for n in run.samples], run)


def record_best(event: Evaluated, directory: Path, run: training.Run) -> Evaluated:
    """Keeps the best weights and what they predict; gives the event with the sha256 of the weights."""
    evaluation = run.evaluations["val"]
    write_maps(directory / "predictions", (each.labels() for each in evaluation.labels), run)
    write(directory / "evaluation.npz", packed(**{name: e.confusions for name, e in run.evaluations.items()}))
    kept = {str(n): values.astype(np.float16) for n, values in evaluation.probabilities.items()}
    write(directory / "probabilities.npz", packed(**kept))
    state = {name: value.contiguous().cpu() for name, value in run.evaluated_model().state_dict().items()}
    content = safetensors.torch.save(state)
    event = event.model_copy(update={"weights_sha256": sha256(content)})
    announce_best(event, directory, content)
    return event


def announce_best(event: Evaluated, directory: Path, content: bytes) -> None:
    """Writes the best weights and the event that announces them, before they take their place: killed in between, the
    older file is an announced one."""
    write(directory / "weights.next", content)
    append(directory, event)
    replace(directory / "weights.next", directory / "weights.safetensors")
