"""A run that is worked on on another machine: what it takes along, and what comes back, killed at any moment too."""

import hashlib
import os
import pickle
import shutil

import pytest

from benchmarks._outcome import leftovers, weights
from seglab import runs, uploads
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started
from seglab.runs import own
from tests.conftest import finish, tiny
from tests.test_datasets import folder
from tests.test_interrupted import Killed


@pytest.fixture
def there(tmp_path, monkeypatch):
    """Another machine: works on a run in a home of its own and gives what comes from it."""

    def relayed(luggage):
        home = tmp_path / "there"
        with monkeypatch.context() as patch:
            patch.setenv("SEGLAB_HOME", str(home))
            directory, here = runs.unpacked(pickle.loads(pickle.dumps(luggage)), home)
            messages = list(runs.relayed(runs.work(directory, here=here), directory))
        shutil.rmtree(home)
        return messages

    return relayed


def worked_on(directory, there):
    """Has a run worked on elsewhere, to its end."""
    with runs.begun(directory):
        return [runs.take_in(directory, line, files) for line, files in there(runs.packed(directory))]


def files(directory):
    """The sha256 of each file of a run that does not depend on how long anything took."""
    found = (path for path in directory.rglob("*") if path.is_file() and "last" not in str(path.relative_to(directory)))
    timed = ("events.jsonl", "label.json")
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in found
        if path.name not in timed
    }


def test_a_run_comes_back_as_it_would_be_here(there):
    local, directory = finish(runs.create(tiny(epochs=3))), runs.create(tiny(epochs=3))
    events = worked_on(directory, there)
    assert files(directory) == files(local) and runs.events(directory) == events
    assert {path.name for path in directory.iterdir()} == {path.name for path in local.iterdir()}


def test_a_run_that_is_killed_here_at_any_write_resumes_to_the_same_weights(there, monkeypatch):
    whole = finish(runs.create(tiny(epochs=2)))
    messages = there(runs.packed(runs.create(tiny(epochs=2))))
    real, left = os.replace, 0

    def dying(source, target, **how):
        nonlocal left
        left -= 1
        if left == 0:
            raise Killed
        real(source, target, **how)

    monkeypatch.setattr(os, "replace", dying)
    for n in range(1, 100):
        left = 0
        directory, left = runs.create(tiny(epochs=2)), n
        try:
            with runs.begun(directory):
                for line, content in messages:
                    runs.take_in(directory, line, content)
            break
        except Killed:
            assert runs.status(directory).state == "interrupted"
        if (directory / "weights.safetensors").exists():
            assert runs.load(directory)
        if n % 4 == 1:
            list(runs.work(directory))
            assert weights(directory) == weights(whole) and not leftovers(directory)
    assert n > 15 and runs.status(directory).state == "completed"


def test_a_run_goes_on_elsewhere_from_where_it_stands(there):
    whole, directory = finish(runs.create(tiny(epochs=3))), runs.create(tiny(epochs=3))
    stream = runs.work(directory)
    next(event for event in stream if isinstance(event, Evaluated))
    stream.close()
    events = worked_on(directory, there)
    assert isinstance(events[0], Started) and events[0].resumed_at == 2
    assert weights(directory) == weights(whole) and not leftovers(directory)


def test_what_a_run_needs_travels_with_it(there, tmp_path):
    teacher = finish(runs.create(tiny(epochs=1), "teacher"))
    data = folder(runs.home() / ".uploads" / "ab", names=("one", "two", "three"))
    settings = tiny(epochs=1, init_from=str(teacher))
    directory = runs.create(settings)
    worked_on(directory, there)
    assert runs.status(directory).state == "completed" and runs.config(directory).init_from == teacher
    local = runs.create(settings)
    list(runs.work(local))
    assert weights(local) == weights(directory)
    sent = runs.create(tiny(epochs=1, data={"name": "folder", **data}))
    luggage = runs.packed(sent)
    shutil.move(data["root"], tmp_path / "away")  # the other machine has what it was sent, and nothing else
    with runs.begun(sent):
        for line, content in there(luggage):
            runs.take_in(sent, line, content)
    assert runs.status(sent).state == "completed" and uploads.home() in runs.config(sent).data.root.parents


def test_entries_of_a_run_s_own_are_run_elsewhere_only_where_this_home_wrote_them(there):
    directory = runs.create(tiny(epochs=1))
    (directory / own.FILE).write_text("# of somebody")
    assert runs.packed(directory).entries == []
    own.trust(runs.home(), (directory / own.FILE).read_bytes())
    assert runs.packed(directory).entries == [(directory / own.FILE).read_bytes()]


def test_a_mistake_elsewhere_is_the_run_s_end_and_its_log(there, monkeypatch):
    directory = runs.create(tiny(epochs=2))
    monkeypatch.setattr(runs.recording.training.Run, "evaluate", lambda self, *_: 1 / 0)
    events = worked_on(directory, there)
    assert events[-1].text == "ZeroDivisionError: division by zero" == runs.status(directory).finished.text
    assert "Traceback" in (directory / "log.txt").read_text()


def test_a_full_disk_here_ends_the_run_and_says_so(there, monkeypatch):
    directory = runs.create(tiny(epochs=2))
    messages = there(runs.packed(directory))
    with pytest.raises(SeglabError, match="the disk is full"), runs.begun(directory):
        for n, (line, content) in enumerate(messages):
            if n == 2:
                raise OSError(28, "No space left on device")
            runs.take_in(directory, line, content)
    assert runs.status(directory).state == "failed"
