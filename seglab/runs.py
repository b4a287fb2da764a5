"""A run is a directory: creating, recording, following and loading it."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import io
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import safetensors.torch
import torch

from seglab import train as training
from seglab.config import RunConfig
from seglab.data.images import write_mask
from seglab.entry import SeglabError, validated
from seglab.events import Evaluated, Event, Finished, Sentence, Started, from_line, to_line
from seglab.model import Segmenter

CHECKPOINTS = Path(__file__).parent.parent / "checkpoints"
PLAN = ".plan.json"  # the end of the name of a plan's file, which stands beside the plan's runs
NAME = re.compile(r"[\w][\w .+-]{0,79}")
MADE_NAME = re.compile(r"(\w+)-\d{8}-(\d\d)(\d\d)(\d\d)-[0-9a-f]{6}(?: (\d+))?")  # a number within a plan


# --- directories


def home() -> Path:
    """Where new runs live: $SEGLAB_HOME, or runs/ in the current folder."""
    return Path(os.environ.get("SEGLAB_HOME") or "runs").resolve()


def create(config: RunConfig, name: str | None = None) -> Path:
    """Makes the directory of a new run, which is queued until something works on it."""
    name = f"{config.model.name}-{made_now()}" if name is None else checked(name)
    content = config.model_dump_json(indent=1).encode()
    directory = home() / name
    try:
        if taken(name):
            raise FileExistsError
        home().mkdir(parents=True, exist_ok=True)
        directory.mkdir()
    except FileExistsError:
        if home().exists() and not home().is_dir():
            raise SeglabError("{folder} is not a folder; runs cannot be kept there", folder=str(home())) from None
        raise refused(name) from None
    try:
        write(directory / "config.json", content)
    except OSError:
        shutil.rmtree(directory, ignore_errors=True)  # the name is free again
        raise
    return directory


def made_now() -> str:
    """The end of a name that seglab makes: the time, and what tells two of the same second apart."""
    return f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(3)}"


def taken(name: str) -> bool:
    """Whether a run, a shipped one or a plan has this name, which stands for it wherever a run is named."""
    return any(path.exists() for path in (home() / name, CHECKPOINTS / name, home() / f"{name}{PLAN}"))


def refused(name: str) -> SeglabError:
    """What is told of a name that is taken."""
    return SeglabError("a plan or a run named {name} already exists; give another name", name=repr(name))


def checked(name: str) -> str:
    """The name, if a run or a plan may have it."""
    if not NAME.fullmatch(name):
        raise SeglabError(
            "name: {name} is not allowed; allowed: letters, digits, spaces and . _ + - (80 at most)", name=repr(name)
        )
    return name


def short_name(directory: Path) -> str:
    """`unet 14:03:21` for a name that seglab made, `seeds 14:03:21 · 2` for a plan's, a person's own name as it is."""
    made = MADE_NAME.fullmatch(directory.name)
    if not made:
        return directory.name
    *parts, number = made.groups()
    return "{} {}:{}:{}".format(*parts) + (f" · {number}" if number else "")


def find(run: str | Path) -> Path:
    """The directory of a run given by its path, or by its name among the new runs and the shipped ones."""
    for directory in (Path(run), home() / run, CHECKPOINTS / run):
        if (directory / "config.json").is_file():
            return directory
    raise SeglabError("there is no run {run}; known runs: {known}", run=repr(str(run)), known=listed(every()))


def settled(config: RunConfig, to_be: Collection[Path] = ()) -> RunConfig:
    """The configuration with the whole paths of the runs that it needs, but for those that are yet to be made.

    Raises SeglabError for one that is missing or has no weights.
    """

    def whole(run: Path) -> Path:
        if run in to_be:
            return run
        weights(found := find(run).resolve())
        return found

    return config.needing(whole)


def listed(directories: Iterable[Path], most: int = 8) -> str:
    names = [directory.name for directory in directories]
    return ", ".join(names[:most]) + (", …" if len(names) > most else "") if names else "-"


def every() -> list[Path]:
    """All runs, newest first, then the shipped ones."""
    new = [path.parent for path in home().glob("*/config.json")] if home().is_dir() else []
    new.sort(key=lambda directory: (directory / "config.json").stat().st_mtime_ns, reverse=True)
    return new + sorted(path.parent for path in CHECKPOINTS.glob("*/config.json"))


def config(directory: Path) -> RunConfig:
    """The run's configuration; raises SeglabError when it is damaged."""
    try:
        text = (directory / "config.json").read_bytes()
        return validated(RunConfig, json.loads(text))
    except (OSError, ValueError) as error:
        raise SeglabError(
            "{file} cannot be read: {reason}", file=f"{directory.name}/config.json", reason=error
        ) from None


def write(path: Path, content: bytes) -> None:
    """Writes a file so that it is there whole or not at all, even if the power fails; the old one stays until then."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


# --- events


def events(directory: Path) -> list[Event]:
    """What the run has reported and still counts: events that a resumed run repeated are left out."""
    found: list[Event] = []
    for event in all_events(directory):
        if isinstance(event, Started):
            found = [known for known in found if known.step <= event.step and not isinstance(known, Finished)]
        found.append(event)
    return found


def all_events(directory: Path) -> list[Event]:
    """Every whole line of events.jsonl; a torn last line is ignored."""
    try:
        *lines, _torn = (directory / "events.jsonl").read_bytes().split(b"\n")
    except FileNotFoundError:
        return []
    found = []
    for number, line in enumerate(lines, 1):
        try:
            found.append(from_line(line))
        except ValueError:
            file = f"{directory.name}/events.jsonl"
            raise SeglabError("{file} is damaged: line {line} cannot be read", file=file, line=number) from None
    return found


def append(directory: Path, event: Event) -> None:
    """Adds an event for good; what a killed process left of a line is cut off first."""
    with open(directory / "events.jsonl", "ab+") as file:
        size = file.seek(0, os.SEEK_END)
        file.seek(max(0, size - 1))
        if size and file.read(1) != b"\n":
            file.seek(0)
            file.truncate(file.read().rfind(b"\n") + 1)
        file.write(to_line(event).encode())
        file.flush()
        os.fsync(file.fileno())


@dataclass(frozen=True)
class Status:
    """Where a run stands: queued, running, interrupted, or how it finished."""

    state: str
    finished: Finished | None = None

    @property
    def over(self) -> bool:
        return self.finished is not None


def status(directory: Path) -> Status:
    """Derived from its place in the queue, the lock and the last event; reads only the end of the events."""
    if (directory / "queued").exists():
        return Status("queued")
    if is_locked(directory):
        return Status("running")
    try:
        ended = last_word(directory)
    except ValueError:  # a damaged file; reading its events tells more
        return Status("failed")
    if ended:
        return Status(ended.reason, ended)
    return Status("interrupted" if size_of(directory / "events.jsonl") else "queued")


def last_word(directory: Path) -> Finished | None:
    """How the run ended; None for one that has not, or that has begun again."""
    try:
        with open(directory / "events.jsonl", "rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 8192))
            lines = file.read().split(b"\n")
    except FileNotFoundError:
        return None
    return from_line(lines[-2]) if len(lines) > 1 and b'"kind":"finished"' in lines[-2] else None


def size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


# --- one worker for each run


@contextlib.contextmanager
def locked(directory: Path) -> Iterator[None]:
    """Holds the run for this process; the kernel lets go of it however the process ends."""
    with open(directory / ".lock", "a") as file:
        for attempt in range(20):  # `is_locked` holds it too, for microseconds
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if attempt == 19:
                    raise SeglabError("{run} is busy: another process is working on it", run=directory.name) from None
                time.sleep(0.01)
        yield


def is_locked(directory: Path) -> bool:
    try:
        with open(directory / ".lock") as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except FileNotFoundError:
        return False


def stop(directory: Path) -> None:
    """Asks a run to end after its present step; one that nobody works on ends at once."""
    state = status(directory)
    if state.over:
        return
    (directory / "stop").touch()
    if state.state != "running":
        with contextlib.suppress(SeglabError), locked(directory):  # if it began meanwhile it sees the file
            (directory / "queued").unlink(missing_ok=True)
            append(directory, ending(directory, "stopped"))


def work(
    directory: Path,
    device: str = "cpu",
    threads: int = 1,
    interrupted: Callable[[], bool] = lambda: False,
    unstop: bool = False,
) -> Iterator[Event]:
    """Trains the run in this process, from where it stands to its end; yields each event once it is recorded.

    With `unstop`, a run that was stopped goes on. Raises SeglabError when the run is over, busy, or asked to stop; a
    mistake on the way is recorded, then raised.
    """
    with locked(directory):
        ended = last_word(directory)
        if ended and ended.reason in ("completed", "budget", "diverged"):
            raise SeglabError(
                "{run} has ended ({reason}); there is nothing to resume", run=directory.name, reason=ended.reason
            )
        stopping = directory / "stop"
        if unstop:
            stopping.unlink(missing_ok=True)
        if stopping.exists():
            raise SeglabError("{run} was stopped; resume it to continue", run=directory.name)
        (directory / "queued").unlink(missing_ok=True)
        for place in (directory, directory / "samples"):  # what a killed process was writing
            for leftover in place.glob(".*.????????"):
                shutil.rmtree(leftover) if leftover.is_dir() else leftover.unlink()
        try:
            settings = config(directory)
            fresh = not (directory / "last").exists()
            weights = load(settings.init_from).model.state_dict() if settings.init_from and fresh else None
            run = training.Run(
                settings,
                device,
                threads,
                weights,
                fresh,
                should_stop=lambda: interrupted() or stopping.exists(),
                load=partial(load, device=device),
            )
            restore(run, directory)
            yield from record(training.train(run), directory, run)
        except Exception as error:
            why = error
            if isinstance(error, OSError) and error.errno == errno.ENOSPC:
                why = SeglabError("the disk is full: {run} ended; what it had saved is kept", run=directory.name)
            elif not isinstance(error, SeglabError):
                why = SeglabError("{kind}: {reason}", kind=type(error).__name__, reason=error)
            with contextlib.suppress(OSError):
                append(directory, ending(directory, "failed", why))
            if isinstance(error, OSError):
                raise why from None
            raise


def ending(directory: Path, reason: str, why: SeglabError | None = None) -> Finished:
    """The end of a run whose own process did not say it."""
    known = events(directory)
    step, seconds = (known[-1].step, known[-1].seconds) if known else (0, 0.0)
    return Finished(step=step, seconds=seconds, reason=reason, why=why and Sentence.of(why))


# --- recording


def record(stream: Iterable[Event], directory: Path, run: training.Run) -> Iterator[Event]:
    """Writes what the events announce, then the event itself, then passes it on."""
    for event in stream:
        if isinstance(event, Started):
            write(directory / "dataset.json", described(run))
            if not (directory / "truth").exists():
                write_maps(directory / "truth", (sample.mask for sample in run.scored["val"]), run)
        if isinstance(event, Evaluated):
            record_samples(directory, run)
            if event.best:
                event = record_best(event, directory, run)
            else:
                append(directory, event)
            snapshot(run, directory)
        else:
            append(directory, event)
        yield event


def described(run: training.Run) -> bytes:
    data = run.data
    names = {"train": data.train.names, "search": data.search.names, "val": data.val.names}
    content = {
        "classes": data.classes,
        "colors": data.colors,
        "digests": data.digests,
        "images": names,
        "samples": run.samples,
    }
    return json.dumps(content, indent=1, ensure_ascii=False).encode()


def write_maps(directory: Path, maps: Iterable[np.ndarray], run: training.Run) -> None:
    """Label maps as 0000.png, 0001.png, ...; the folder appears when all are written."""
    temporary = directory.with_name(f".{directory.name}.{secrets.token_hex(4)}")
    temporary.mkdir(parents=True)
    try:
        for n, labels in enumerate(maps):
            write_mask(temporary / f"{n:04}.png", labels, run.data.colors)
        shutil.rmtree(directory, ignore_errors=True)
        temporary.rename(directory)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def record_samples(directory: Path, run: training.Run) -> None:
    labels = run.evaluations["val"].labels
    epoch = f"{run.epoch:03.0f}" if run.epoch == int(run.epoch) else f"{run.epoch:06.2f}"
    (directory / "samples").mkdir(exist_ok=True)
    write_maps(directory / "samples" / f"epoch_{epoch}", [labels[n] for n in run.samples], run)


def record_best(event: Evaluated, directory: Path, run: training.Run) -> Evaluated:
    """Keeps the best weights and what they predict; gives the event with the sha256 of the weights.

    The event is written before the weights take their place: killed in between, the older file is an announced one.
    """
    evaluation = run.evaluations["val"]
    write_maps(directory / "predictions", evaluation.labels, run)
    write(directory / "evaluation.npz", packed(**{name: e.confusions for name, e in run.evaluations.items()}))
    kept = {str(n): values.astype(np.float16) for n, values in evaluation.probabilities.items()}
    write(directory / "probabilities.npz", packed(**kept))
    state = {name: value.contiguous().cpu() for name, value in run.evaluated_model().state_dict().items()}
    content = safetensors.torch.save(state)
    event = event.model_copy(update={"weights_sha256": hashlib.sha256(content).hexdigest()})
    write(directory / "weights.next", content)
    append(directory, event)
    os.replace(directory / "weights.next", directory / "weights.safetensors")
    return event


def packed(**arrays: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def snapshot(run: training.Run, directory: Path) -> None:
    """Keeps what resuming needs; `last` points to it once it is whole, then the one before goes."""
    buffer = io.BytesIO()
    torch.save(run.state_dict(), buffer)
    name = f"last-{run.step:06}"
    (directory / name).mkdir(exist_ok=True)
    write(directory / name / "state.pt", buffer.getvalue())
    pointer = {"folder": name, "sha256": hashlib.sha256(buffer.getvalue()).hexdigest()}
    write(directory / "last", json.dumps(pointer).encode())
    for older in directory.glob("last-*"):
        if older.name != name:
            shutil.rmtree(older)


def restore(run: training.Run, directory: Path) -> None:
    """Takes the run to where its last snapshot was; a run without one starts at the beginning."""
    if not (directory / "last").exists():
        return
    if description(directory)["digests"] != run.data.digests:
        raise SeglabError("{run} cannot be resumed: its data has changed since it started", run=directory.name)
    try:
        pointer = json.loads((directory / "last").read_bytes())
        content = (directory / pointer["folder"] / "state.pt").read_bytes()
    except (OSError, ValueError, KeyError) as error:
        raise SeglabError("{run} cannot be resumed: {reason}", run=directory.name, reason=error) from None
    if hashlib.sha256(content).hexdigest() != pointer["sha256"]:
        raise SeglabError("{run} cannot be resumed: its last state is damaged (sha256 differs)", run=directory.name)
    run.load_state_dict(torch.load(io.BytesIO(content), map_location=run.device, weights_only=True))


# --- loading


@dataclass(frozen=True)
class Trained:
    """A run's best model, ready to predict, with what its classes are called and drawn in."""

    directory: Path
    config: RunConfig
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    model: Segmenter

    @property
    def name(self) -> str:
        return self.directory.name


def load(run: str | Path, device: str = "cpu") -> Trained:
    """The run's best model; raises SeglabError when there is none yet or when it is damaged."""
    directory = find(run)
    settings, dataset = config(directory), description(directory)
    state = weights(directory)
    model = Segmenter(settings.model, len(dataset["classes"]), settings.image_size)
    expected = model.state_dict()
    odd = [name for name in expected.keys() | state.keys() if name not in expected or name not in state]
    odd += [name for name in expected.keys() & state.keys() if expected[name].shape != state[name].shape]
    if odd:
        raise SeglabError(
            "the weights of {run} do not fit its model: {names}", run=directory.name, names=", ".join(odd[:3])
        )
    if not all(bool(torch.isfinite(value).all()) for value in state.values()):
        raise SeglabError("the weights of {run} are damaged: some are not finite", run=directory.name)
    model.load_state_dict(state)
    model.to(device, memory_format=torch.channels_last).eval()
    colors = tuple(tuple(color) for color in dataset["colors"])
    return Trained(directory, settings, tuple(dataset["classes"]), colors, model)


def description(directory: Path) -> dict:
    """dataset.json: classes, colors, each split's digest and images, samples (places in val)."""
    try:
        return json.loads((directory / "dataset.json").read_bytes())
    except FileNotFoundError:
        raise SeglabError("{run} has not started yet", run=directory.name) from None
    except ValueError as error:
        raise SeglabError(
            "{file} cannot be read: {reason}", file=f"{directory.name}/dataset.json", reason=error
        ) from None


def weights(directory: Path) -> dict[str, torch.Tensor]:
    """The best weights, checked against the sha256 that an event announced."""
    try:
        content = (directory / "weights.safetensors").read_bytes()
    except FileNotFoundError:
        raise SeglabError("{run} has no weights yet: it has not been evaluated so far", run=directory.name) from None
    announced = {event.weights_sha256 for event in all_events(directory) if isinstance(event, Evaluated)}
    if hashlib.sha256(content).hexdigest() not in announced:
        raise SeglabError("the weights of {run} are damaged: their sha256 is not the one recorded", run=directory.name)
    return safetensors.torch.load(content)


def ship(directory: Path, target: Path) -> None:
    """Copies a finished run to a new directory with its weights in float16, and without what only resuming needs."""
    state = {name: value.half() if value.is_floating_point() else value for name, value in weights(directory).items()}
    content = safetensors.torch.save(state)
    ignored = shutil.ignore_patterns("last*", "log.txt", ".*", "stop", "queued*", "weights.*", "events.jsonl")
    try:
        shutil.copytree(directory, target, ignore=ignored)
    except FileExistsError:
        raise SeglabError("{target} already exists", target=str(target)) from None
    write(target / "weights.safetensors", content)
    sha = hashlib.sha256(content).hexdigest()
    for event in events(directory):
        if isinstance(event, Evaluated) and event.best:
            event = event.model_copy(update={"weights_sha256": sha})
        append(target, event)
