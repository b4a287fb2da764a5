"""The run directory: it survives being killed anywhere, and a damaged one is never used in silence."""

import errno
import itertools
import json
import multiprocessing
import os
import re
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch

from seglab import evaluation, jobs, metrics, prediction, runs, training
from seglab.cache import Cache
from seglab.cli import main
from seglab.comparison.scores import compare
from seglab.data.masks import read_mask
from seglab.errors import SeglabError
from seglab.events import Evaluated, Finished, Started, Stepped
from seglab.model import bytes_of
from seglab.ui.tracks import short
from tests.conftest import announced, finish, tiny, writing
from tests.page import row

forked = multiprocessing.get_context("fork")


def finished(config=None, name=None):
    directory = finish(runs.create(config or tiny(), name))
    return directory, runs.events(directory)


def sha(directory):
    return [event.weights_sha256 for event in runs.events(directory) if isinstance(event, Evaluated)]


def last_state(directory):
    pointer = json.loads((directory / "last").read_bytes())
    return torch.load(directory / pointer["folder"] / "state.pt", weights_only=True)


def same(one, other):
    return all(torch.equal(value, other["model"][name]) for name, value in one["model"].items())


# --- what a finished run holds


def test_a_finished_run_holds_what_every_reader_needs():
    directory = runs.create(tiny())
    events = list(runs.work(directory))
    assert runs.status(directory).state == "completed" and isinstance(events[-1], Finished)
    assert runs.events(directory) == events
    assert runs.config(directory) == tiny()
    dataset = runs.description(directory)
    names = dataset["images"]["val"]
    assert (
        len(list((directory / "predictions").glob("*.png")))
        == len(list((directory / "truth").glob("*.png")))
        == len(names)
    )
    assert [path.name for path in sorted((directory / "samples").iterdir())] == ["epoch_001", "epoch_002"]
    assert len(list((directory / "samples" / "epoch_001").glob("*.png"))) == len(dataset["samples"])
    matrices = np.load(directory / "evaluation.npz")["val"]
    assert events[-1].val_miou == pytest.approx(metrics.miou(matrices.sum(0)))
    again = sum(
        metrics.confusion(
            read_mask(directory / "predictions" / name)[0], read_mask(directory / "truth" / name)[0], matrices.shape[-1]
        )
        for name in (f"{n:04}.png" for n in range(len(names)))
    )
    assert np.array_equal(again, matrices.sum(0))


def test_a_loaded_run_predicts_as_it_was_scored():
    directory, _ = finished()
    trained = runs.load(directory)
    data = trained.config.data.open()
    matrices = sum(prediction.confusions(trained, data.val, [[]]))[0]
    assert np.abs(matrices - np.load(directory / "evaluation.npz")["val"].sum(0)).sum() <= 8


def test_a_run_may_start_from_the_weights_of_another():
    first, _ = finished()
    directory = runs.create(tiny(init_from=str(first), epochs=1, optimizer={"name": "sgd", "lr": 1e-9}))
    list(runs.work(directory))
    before, after = runs.load(first).model.state_dict(), runs.load(directory).model.state_dict()
    name = "net.encoder.stages.0.0.weight"
    torch.testing.assert_close(before[name], after[name], atol=1e-6, rtol=0)


def test_a_shipped_run_is_half_as_large_and_predicts_almost_the_same(tmp_path):
    directory, events = finished(tiny(epochs=4, optimizer={"name": "adamw", "lr": 1e-2}))
    runs.ship(directory, tmp_path / "shipped")
    sizes = [(folder / "weights.safetensors").stat().st_size for folder in (directory, tmp_path / "shipped")]
    assert sizes[1] < 0.6 * sizes[0] and not list((tmp_path / "shipped").glob("last*"))
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        ours, theirs = (runs.load(folder).model(images).logits for folder in (directory, tmp_path / "shipped"))
    torch.testing.assert_close(theirs, ours, atol=0.05, rtol=0.05)
    assert runs.status(tmp_path / "shipped").finished == events[-1]
    with pytest.raises(SeglabError, match="already exists"):
        runs.ship(directory, tmp_path / "shipped")


def test_weights_that_do_not_fit_are_refused_as_a_beginning():
    first, _ = finished(tiny(epochs=1))
    directory = runs.create(tiny(init_from=str(first), model={"name": "unet", "width": 8, "depth": 2}))
    with pytest.raises(SeglabError, match="do not fit this model and its 11 classes"):
        list(runs.work(directory))


def test_a_run_goes_on_without_the_one_it_began_from(tmp_path):
    first, _ = finished(tiny(epochs=1))
    directory = runs.create(tiny(init_from=str(first)))
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    list(stream)
    first.rename(tmp_path / "elsewhere")
    assert list(runs.work(directory, unstop=True))[-1].reason == "completed"


def test_a_run_whose_data_has_changed_is_not_resumed():
    directory = runs.create(tiny())
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    list(stream)
    config = json.loads((directory / "config.json").read_bytes())
    config["data"]["train_images"] += 4
    (directory / "config.json").write_text(json.dumps(config))
    announced(directory)
    with pytest.raises(SeglabError, match="its data has changed"):
        list(runs.work(directory, unstop=True))


# --- names and finding


def test_a_name_is_taken_once():
    runs.create(tiny(), "mine")
    with pytest.raises(SeglabError, match="'mine' already exists"):
        runs.create(tiny(), "mine")


def test_a_run_that_could_not_be_made_leaves_its_name_free(monkeypatch):
    def full(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        writing(patch, full)
        with pytest.raises(SeglabError, match="the disk is full"):
            runs.create(tiny(), "mine")
    assert runs.config(runs.create(tiny(), "mine")) == tiny()


UNWRITABLE = {  # folders, and why they cannot be written to
    "no folder can be made": ("/sys/seglab", r"Operation not permitted|Permission denied"),
    "no file can be made": ("/sys", r"Operation not permitted|Permission denied|Read-only file system"),
    "deep": ("/sys/a/b/c", r"Operation not permitted|Permission denied"),
    "a file": ("{tmp}/file", "Not a directory"),
    "below a file": ("{tmp}/file/runs", "Not a directory"),
}


@pytest.fixture(params=UNWRITABLE.values(), ids=UNWRITABLE)
def unwritable(request, tmp_path, monkeypatch):
    """A home that nothing can be written to, for root either, and the sentence on it."""
    (tmp_path / "file").write_text("not a folder")
    place, reason = request.param
    place = place.format(tmp=tmp_path)
    monkeypatch.setenv("SEGLAB_HOME", place)
    return rf"runs cannot be written to {place} \((?:{reason})\); set SEGLAB_HOME to a folder that can be written to"


def test_a_home_that_cannot_be_written_to_is_told_with_the_way_out(unwritable):
    for action in (runs.refuse_unwritable, lambda: runs.create(tiny()), lambda: jobs.submit([tiny()])):
        with pytest.raises(SeglabError, match=unwritable):
            action()
    assert all(run.parent == runs.CHECKPOINTS for run in runs.every())


def test_every_command_that_writes_runs_says_at_the_start_that_it_cannot(unwritable, monkeypatch, capsys):
    reads = []
    monkeypatch.setattr(type(tiny().data), "open", lambda self: reads.append(self))
    for command in (["train"], ["plan", "seeds"], ["plan", "resume", "mine"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        told = capsys.readouterr().err
        assert ended.value.code == 2 and re.fullmatch(f"seglab: {unwritable}\n", told), told
    assert not reads


def test_checking_a_home_makes_nothing(runs_home):
    runs.refuse_unwritable()
    assert not runs_home.exists()
    runs_home.mkdir()
    runs.refuse_unwritable()
    assert not list(runs_home.iterdir())


def test_the_current_folder_is_what_cannot_be_written_to(monkeypatch):
    monkeypatch.delenv("SEGLAB_HOME")
    monkeypatch.chdir("/sys")
    with pytest.raises(SeglabError, match=r"runs cannot be written to /sys/runs .* set SEGLAB_HOME"):
        runs.create(tiny())


@pytest.mark.parametrize("number", [errno.EACCES, errno.EROFS])
def test_a_run_s_folder_that_cannot_be_written_to_is_named(number, monkeypatch, capsys):
    """Root may write to any folder, so the kernel's refusal is given here."""
    directory = runs.create(tiny(epochs=1), "mine")
    known = r"/mine cannot be written to \(.*\); change its permissions, or use another folder"

    def refused(path, *_):
        if Path(path).is_relative_to(directory):
            raise OSError(number, os.strerror(number), str(path))

    def opened(path, flags, *more, **named):
        if flags & (os.O_WRONLY | os.O_RDWR):
            refused(path)
        return real(path, flags, *more, **named)

    real = os.open
    monkeypatch.setattr(os, "open", opened)
    monkeypatch.setattr(runs.directory.tempfile, "TemporaryFile", lambda dir: refused(dir))
    monkeypatch.setattr(type(directory), "touch", refused)
    for action in (lambda: list(runs.work(directory)), lambda: runs.stop(directory), lambda: runs.remove(directory)):
        with pytest.raises(SeglabError, match=known):
            action()
    for command in (["resume", "mine"], ["rm", "mine", "--yes"]):
        with pytest.raises(SystemExit) as ended:
            main(command)
        assert ended.value.code == 2 and re.search(known, capsys.readouterr().err)


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_where_runs_are_put_in_the_queue(number, monkeypatch):
    def full(path, content):
        raise OSError(number, os.strerror(number))

    directory = runs.create(tiny())
    runs.stop(directory)
    writing(monkeypatch, full)
    for action in (lambda: jobs.submit([tiny()]), lambda: jobs.resubmit(directory)):
        with pytest.raises(SeglabError, match=r"the disk is full: nothing can be written to .*; free some space"):
            action()


def test_a_shipped_run_s_name_is_taken():
    with pytest.raises(SeglabError, match="'unet' already exists"):
        runs.create(tiny(), "unet")


@pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "x" * 81, "a\nb"])
def test_a_name_that_is_no_plain_folder_name_is_refused(name):
    with pytest.raises(SeglabError, match="not allowed"):
        runs.create(tiny(), name)


def test_an_unknown_run_is_named_with_those_that_are_known():
    runs.create(tiny(), "known")
    with pytest.raises(SeglabError, match=r"no run 'unknown'.*known"):
        runs.find("unknown")


@pytest.mark.parametrize("path", [".", "..", "../first", "samples/.."])
def test_a_run_is_found_from_within_and_keeps_its_name(path, monkeypatch):
    directory = runs.create(tiny(), "first")
    (directory / "samples").mkdir()
    monkeypatch.chdir(directory / "samples" if path == ".." else directory)
    found = runs.find(path)
    assert found.name == "first" and found.resolve() == directory


def test_a_thousand_runs_are_listed_by_the_ends_of_their_events(runs_home):
    directory, events = finished()
    long = b"?" * 100_000 + b"\n"  # before the rest: events that nobody looks at, a hundred megabytes in all
    (directory / "events.jsonl").write_bytes(long + (directory / "events.jsonl").read_bytes())
    for n in range(1000):
        copy = runs_home / f"copy-{n}"
        copy.mkdir()
        for name in ("config.json", "events.jsonl"):
            os.link(directory / name, copy / name)
    before = psutil.Process().io_counters().read_chars
    states = [runs.status(run) for run in runs.every()]
    assert psutil.Process().io_counters().read_chars - before < 12e6
    assert sum(state.finished == events[-1] for state in states) == 1001


# --- being killed


def killed(directory, after):
    """Works on the run in a process of its own that is killed with -9 after so many seconds."""
    child = forked.Process(target=lambda: list(runs.work(directory)))
    child.start()
    child.join(after)
    if child.is_alive():
        os.kill(child.pid, signal.SIGKILL)
    child.join()
    return child.exitcode


def test_a_run_killed_again_and_again_ends_with_the_same_weights():
    config = tiny(epochs=6, techniques=["ema"])
    whole, _ = finished(config)
    directory = runs.create(config)
    began = time.monotonic()
    list(runs.work(runs.create(config)))
    duration = time.monotonic() - began
    kills = [killed(directory, duration * share) for share in (0.2, 0.35, 0.5, 0.3)]
    assert -signal.SIGKILL in kills
    if not runs.status(directory).over:
        assert runs.status(directory).state in ("interrupted", "queued")
        list(runs.work(directory))
    assert sha(directory) == sha(whole) and same(last_state(directory), last_state(whole))
    assert not list(directory.glob(".*.*")) and runs.load(directory)


@pytest.mark.slow
def test_a_run_killed_at_any_write_can_be_resumed_to_the_same_weights(monkeypatch):
    config = tiny(epochs=2)
    whole, _ = finished(config)
    for fatal in range(1, 200):
        directory = runs.create(config)

        def die_at_the_nth(directory=directory, fatal=fatal):
            count = iter(range(1, 10_000))

            def dying(real):
                return lambda *given, **named: os._exit(9) if next(count) == fatal else real(*given, **named)

            for name in ("fsync", "replace"):
                setattr(os, name, dying(getattr(os, name)))
            list(runs.work(directory))

        child = forked.Process(target=die_at_the_nth)
        child.start()
        child.join()
        if child.exitcode == 0:
            break
        if (directory / "weights.safetensors").exists():
            runs.load(directory)  # whatever is there is whole
        if not runs.status(directory).over:  # the last write of all is the one that ends the run
            list(runs.work(directory))
        assert sha(directory) == sha(whole) and same(last_state(directory), last_state(whole)), fatal
    assert fatal > 20


def test_a_torn_last_line_is_ignored_and_then_cut_off():
    directory, events = finished(tiny(epochs=1))
    lines = (directory / "events.jsonl").read_bytes()
    (directory / "events.jsonl").write_bytes(lines + b'{"kind":"evalu')
    assert runs.events(directory) == events and runs.status(directory).state == "completed"
    runs.append(directory, events[-1])
    assert runs.events(directory) == [*events, events[-1]]


def test_events_beyond_the_place_a_run_resumed_from_do_not_count():
    directory, events = finished()
    start = events[0].model_copy(update={"resumed_at": 2, "step": 2})
    runs.append(directory, start)
    kept = runs.events(directory)
    assert kept[-1] == start and all(event.step <= 2 for event in kept)
    assert (
        not any(isinstance(event, Finished) for event in kept)
        and sum(isinstance(event, Started) for event in kept) == 2
    )


# --- being stopped


def swinging(**options):
    """A run whose mIoU goes up and down, with four steps an epoch, so that a stop often meets a higher one."""
    return tiny(batch_size=2, epochs=4, optimizer={"name": "adamw", "lr": 0.1}, seed=3, **options)


STEPS = [0]  # of the run at work, the latest last: what decides when it is stopped


def stopped(directory, step):
    """Works on the run until it has taken so many steps in all, as if it were stopped then."""
    *_, event = runs.work(directory, interrupted=lambda: STEPS[-1] >= step, unstop=True)
    assert event.reason == "stopped" and event.step == step
    return event


@pytest.fixture
def counted(monkeypatch):
    """Keeps STEPS up to date."""
    real = training.Run.advance

    def advance(run, batch):
        given = real(run, batch)
        STEPS.append(run.step)
        return given

    monkeypatch.setattr(training.Run, "advance", advance)


@pytest.mark.parametrize("techniques", [[], ["ema"]], ids=["plain", "ema"])
@pytest.mark.parametrize("stops", [[1], [6], [15], [4], [1, 2], [2, 7, 14], [9, 10, 11, 12]], ids=str)
def test_a_run_that_was_stopped_keeps_the_best_weights_of_one_that_was_not(stops, techniques, counted):
    config = swinging(techniques=techniques)
    whole, known = finished(config)
    directory = runs.create(config)
    for step in stops:
        stopped(directory, step)
        assert runs.load(directory)  # it predicts meanwhile
    *_, last = runs.work(directory, unstop=True)
    assert (last.best_epoch, last.search_miou, last.val_miou) == (
        known[-1].best_epoch,
        known[-1].search_miou,
        known[-1].val_miou,
    )
    for name in ("weights.safetensors", "evaluation.npz", "probabilities.npz", "predictions/0000.png"):
        assert (directory / name).read_bytes() == (whole / name).read_bytes(), name
    rows = compare([whole, directory]).rows
    assert (rows[0].best_epoch, rows[0].miou, rows[0].iou) == (rows[1].best_epoch, rows[1].miou, rows[1].iou)
    assert runs.status(directory).finished == last and row(directory)["miou"] == short(rows[0].miou)


@pytest.mark.parametrize(
    "stops, mious, best",  # each evaluation's mIoU; the best epoch so far after each stop, and at the end
    [
        ([2], [0.9, 0.5, 0.7, 0.4, 0.6], [0.5, 2]),  # it gives way to the first epoch, even a worse one
        ([2], [0.0, 0.0, 0.0, 0.0, 0.0], [0.5, 1]),
        ([1, 3], [0.9, 0.8, 0.5, 0.7, 0.4, 0.6], [0.25, 0.75, 2]),
        ([6], [0.5, 0.9, 0.7, 0.4, 0.6], [1, 2]),  # within a later epoch it changes nothing
        ([6, 7], [0.5, 0.9, 0.95, 0.4, 0.4, 0.6], [1, 1, 4]),
        ([4], [0.9, 0.5, 0.7, 0.4], [1, 1]),  # at an epoch's end it is the epoch's own
        ([15], [0.5, 0.4, 0.3, 0.9, 0.2], [1, 1]),
    ],
)
def test_only_whole_epochs_choose_the_best_weights(stops, mious, best, counted, monkeypatch):
    real, asked = evaluation.Evaluation.score, itertools.count()

    def score(self):  # of train, search and val at each evaluation
        return real(self).model_copy(update={"miou": mious[next(asked) // 3]})

    monkeypatch.setattr(evaluation.Evaluation, "score", score)
    directory = runs.create(swinging())
    for step, epoch in zip(stops, best, strict=False):
        last = stopped(directory, step)
        assert last.best_epoch == compare([directory]).rows[0].best_epoch == epoch
    *_, last = runs.work(directory, unstop=True)
    scored = compare([directory]).rows[0]
    assert last.best_epoch == scored.best_epoch == best[-1]
    assert last.val_miou == scored.miou and row(directory)["miou"] == short(scored.miou)
    assert last.val_miou == mious[int(best[-1]) - 1 + sum(step / 4 < best[-1] and step % 4 > 0 for step in stops)]


@pytest.mark.parametrize("fatal", [3, 4, 5, 8])
def test_a_run_killed_after_it_was_stopped_keeps_the_same_best_weights(fatal, counted):
    config = swinging()
    whole, _ = finished(config)
    directory = runs.create(config)
    stopped(directory, 2)

    def dies():
        for event in runs.work(directory, unstop=True):
            if event.step >= fatal and isinstance(event, Evaluated | Stepped):
                os._exit(9)

    child = forked.Process(target=dies)
    child.start()
    child.join()
    assert child.exitcode == 9
    list(runs.work(directory))
    assert (directory / "weights.safetensors").read_bytes() == (whole / "weights.safetensors").read_bytes()
    rows = compare([whole, directory]).rows
    assert (rows[0].best_epoch, rows[0].miou) == (rows[1].best_epoch, rows[1].miou)


# --- one worker


def test_a_run_has_one_worker_at_a_time():
    directory = runs.create(tiny())
    with runs.locked(directory):
        assert runs.status(directory).state == "running"
        with pytest.raises(SeglabError, match="busy"):
            list(runs.work(directory))
    assert runs.status(directory).state == "queued"


def test_a_run_that_is_over_cannot_be_resumed():
    directory, _ = finished(tiny(epochs=1))
    with pytest.raises(SeglabError, match=r"has ended \(completed\)"):
        list(runs.work(directory))


def test_stopping_a_waiting_run_ends_it_at_once():
    directory = runs.create(tiny())
    runs.stop(directory)
    assert runs.status(directory).state == "stopped"
    with pytest.raises(SeglabError, match="was stopped"):  # by a worker that had already picked it
        list(runs.work(directory))
    assert list(runs.work(directory, unstop=True))[-1].reason == "completed"


def test_stopping_a_run_at_work_ends_it_after_its_present_step():
    directory = runs.create(tiny(epochs=500))
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    events = list(stream)
    assert events[-1].reason == "stopped" and events[-1].step == 1 and runs.load(directory)


# --- damage


def damaged(directory, name, change):
    content = bytearray((directory / name).read_bytes())
    change(content)
    (directory / name).write_bytes(content)


def flip(content):
    content[len(content) // 2] ^= 1


def cut(content):
    del content[len(content) // 2 :]


@pytest.mark.parametrize("change", [flip, cut, bytearray.clear], ids=["one bit", "half", "all"])
def test_damaged_weights_are_refused(change):
    directory, _ = finished(tiny(epochs=1))
    damaged(directory, "weights.safetensors", change)
    with pytest.raises(SeglabError, match=r"weights of .* are damaged"):
        runs.load(directory)


@pytest.mark.parametrize("name", ["config.json", "dataset.json", "events.jsonl"])
def test_a_damaged_description_is_named(name):
    directory, _ = finished(tiny(epochs=1))
    damaged(directory, name, lambda content: content.__setitem__(0, ord("?")))
    with pytest.raises(SeglabError, match=name):
        runs.load(directory)


def test_weights_of_another_network_are_refused():
    directory, _ = finished(tiny(epochs=1))
    config = json.loads((directory / "config.json").read_bytes())
    config["model"]["width"] = 8
    (directory / "config.json").write_text(json.dumps(config))
    announced(directory)
    with pytest.raises(SeglabError, match="do not fit its model"):
        runs.load(directory)


def test_a_run_without_weights_says_so():
    with pytest.raises(SeglabError, match="has not started yet"):
        runs.load(runs.create(tiny()))


# --- models that are kept


@pytest.fixture
def kept(monkeypatch):
    """The models kept by a process that has loaded none yet."""
    cache = Cache(runs.MOST_KEPT, lambda trained: bytes_of(trained.model))
    monkeypatch.setattr(runs.trained, "KEPT_MODELS", cache)
    return cache


def test_a_model_is_loaded_once_until_its_weights_change(kept):
    directory, _ = finished(tiny(epochs=1), "one")
    first = runs.loaded("one")
    assert runs.loaded(directory) is first and first.directory == directory
    content = (directory / "weights.safetensors").read_bytes()
    runs.write(directory / "weights.safetensors", content)  # as a better epoch replaces them
    again = runs.loaded("one")
    assert again is not first and runs.loaded("one") is again
    damaged(directory, "weights.safetensors", flip)
    with pytest.raises(SeglabError, match=r"weights of .* are damaged"):
        runs.loaded("one")


def test_kept_models_are_bounded_by_their_bytes_and_the_least_recently_used_goes(kept):
    for name in ("one", "two", "three"):
        finished(tiny(epochs=1), name)
    one, two = runs.loaded("one"), runs.loaded("two")
    state = one.model.state_dict().values()
    expected = sum(value.numel() * value.element_size() for value in (*state, one.model.mean, one.model.std))
    assert bytes_of(one.model) == expected
    kept.most = 2 * expected
    runs.loaded("one")
    runs.loaded("three")
    assert runs.loaded("one") is one and runs.loaded("two") is not two
    kept.most = 1
    three = runs.loaded("three")
    assert runs.loaded("three") is three and len(kept.values) == 1  # one stays, however large it is


def test_many_threads_may_ask_for_a_model(kept):
    for name in ("one", "two"):
        finished(tiny(epochs=1), name)
    kept.most = 1
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(runs.loaded, ["one", "two"] * 10))
    assert [trained.name for trained in found] == ["one", "two"] * 10 and len(kept.values) == 1


# --- a full disk


@pytest.mark.parametrize("allowed", range(10))
def test_a_full_disk_ends_the_run_and_keeps_what_was_saved(allowed, monkeypatch):
    directory = runs.create(tiny(epochs=3))
    real, count = runs.write, iter(range(1000))

    def until_full(path, content):
        if next(count) >= allowed:
            raise OSError(errno.ENOSPC, "No space left on device")
        real(path, content)

    writing(monkeypatch, until_full)
    with pytest.raises(SeglabError, match="disk is full"):
        list(runs.work(directory))
    status = runs.status(directory)
    assert status.state == "failed" and "the disk is full" in status.finished.text
    if (directory / "weights.safetensors").exists():
        runs.load(directory)
    writing(monkeypatch, real)
    assert list(runs.work(directory))[-1].reason == "completed"
