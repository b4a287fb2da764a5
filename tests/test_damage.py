"""Damage to the files of a run: it is found, told by the file and the line, and no run goes on with it in silence."""

import json
import shutil
from pathlib import Path

import pytest

from seglab import runs, tracking, travel
from seglab.comparison.scores import compare
from seglab.errors import SeglabError
from seglab.events import Evaluated, Finished, Started, from_line, to_line
from seglab.runs import hashes
from seglab.ui.board import Track
from tests.conftest import announced, finish, marked, tiny
from tests.page import row


def finished(**options) -> Path:
    return finish(runs.create(tiny(**{"epochs": 1} | options)))


def interrupted(**options) -> Path:
    """A run as it is when its process was killed after its last epoch but one."""
    directory = finished(**{"epochs": 3} | options)
    lines = (directory / "events.jsonl").read_bytes().splitlines(keepends=True)
    (directory / "events.jsonl").write_bytes(b"".join(lines[:-1]))
    return directory


def changed(file: Path, change) -> None:
    """Changes a file of JSON, which stays one that can be read."""
    content = json.loads(file.read_bytes())
    change(content)
    file.write_text(json.dumps(content))


def longer(config):
    config["epochs"] = 7


def renamed(description):
    description["classes"][0] = "heaven"


CHANGES = [("config.json", longer), ("dataset.json", renamed)]


# --- the configuration and the description


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_a_file_that_is_not_what_the_run_was_started_with_is_named_by_all_who_read_it(name, change):
    directory, whole = interrupted(), finished()
    changed(directory / name, change)
    told = rf"{directory.name}/{name} is damaged or was changed after the run started"
    for reader in (
        runs.load,
        lambda run: list(runs.work(run)),
        lambda run: compare([whole, run]),
        lambda run: tracking.to_csv([run], runs.home() / "tables"),
    ):
        with pytest.raises(SeglabError, match=told):
            reader(directory)


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_older_runs_announce_nothing_and_are_read_as_they_are(name, change):
    directory = announced(finished())
    changed(directory / name, change)
    if name == "config.json":
        assert runs.config(directory).epochs == 7
    assert runs.load(directory).classes == tuple(runs.description(directory)["classes"])


@pytest.mark.parametrize("content", ["[]", "null", "3", "{}", "[" * 100_000, '{"classes": 3}', "\xff"])
def test_older_runs_whose_description_is_none_are_damaged_and_harm_no_other(content):
    directory = announced(finished())
    file = directory / "dataset.json"
    file.write_bytes(content.encode("latin-1"))
    with pytest.raises(SeglabError, match=f"^{directory.name}/dataset.json (is damaged: classes|cannot be read)"):
        runs.description(directory)
    sound = runs.description(runs.find("unet"))
    file.write_text(json.dumps(sound | {"colors": "red"}), encoding="utf-8")
    with pytest.raises(SeglabError, match="colors is missing or not as"):
        runs.description(directory)
    told = row(directory)
    assert told["state"] == "damaged" and "colors is missing" in told["texts"][0]


def test_a_configuration_nested_too_deep_is_told_as_damaged():
    directory = announced(finished())
    content = (directory / "config.json").read_text(encoding="utf-8")
    deep = content.replace('"epochs":', '"x": ' + "[" * 50_000 + "]" * 50_000 + ', "epochs":')
    (directory / "config.json").write_text(deep, encoding="utf-8")
    with pytest.raises(SeglabError, match=f"^{directory.name}/config.json cannot be read: recursion"):
        runs.config(directory)
    assert row(directory)["state"] == "damaged"


def test_a_run_that_is_resumed_announces_its_files_again():
    directory = interrupted()
    (directory / "last").unlink()
    list(runs.work(directory))
    starts = [event for event in runs.all_events(directory) if isinstance(event, Started)]
    assert len(starts) == 2 and starts[0].files == starts[1].files
    assert starts[0].files.keys() == {"config.json", "dataset.json"}


@pytest.mark.parametrize("died", ["before", "after"])
@pytest.mark.parametrize("older", [False, True])
def test_a_run_killed_while_it_announces_other_data_is_still_read(older, died, monkeypatch):
    """Before its first snapshot a run begins again, also with data that has changed."""
    directory = interrupted()
    if older:
        announced(directory)
    (directory / "last").unlink()
    real = runs.recording.described
    monkeypatch.setattr(runs.recording, "described", lambda run: real(run) + b" ")

    class Killed(BaseException):
        pass

    def dying(name):
        whole = getattr(runs.recording, name)

        def until(target, *given):
            if died == "after" or (name == "write" and target.name != "dataset.json"):
                whole(target, *given)
            if name == "append" or target.name == "dataset.json":
                raise Killed

        return until

    with monkeypatch.context() as patch:
        for name in ("append", "write"):
            patch.setattr(runs.recording, name, dying(name))
        with pytest.raises(Killed):
            list(runs.work(directory))
    assert runs.description(directory)["classes"] and runs.load(directory)
    assert list(runs.work(directory))[-1].reason == "completed"
    assert (directory / "dataset.json").read_bytes().endswith(b" ") and runs.load(directory)


def test_what_is_shipped_and_brought_announces_its_own_files(tmp_path):
    directory = finished()
    travel.take(directory, tmp_path / "away.zip", names=True, pictures=True)
    brought, _ = runs.bring(tmp_path / "away.zip", "brought")
    runs.ship(directory, tmp_path / "shipped")
    for run in (brought, tmp_path / "shipped"):
        assert runs.load(run) and runs.config(run) == runs.config(directory)
        changed(run / "config.json", longer)
        with pytest.raises(SeglabError, match=f"{run.name}/config.json is damaged"):
            runs.config(run)


def test_the_folder_of_a_shipped_runs_images_may_be_written_into_its_configuration(tmp_path):
    runs.ship(finished(), tmp_path / "shipped")
    changed(tmp_path / "shipped" / "config.json", lambda config: config["data"].update(root="/mine"))
    content = (tmp_path / "shipped" / "config.json").read_bytes()
    assert hashes.is_announced(tmp_path / "shipped", "config.json", content)
    assert not hashes.is_announced(tmp_path / "shipped", "config.json", content[:-1])
    assert not hashes.is_announced(tmp_path / "shipped", "config.json", content.replace(b"/mine", b'", "size": "9'))


@pytest.mark.parametrize(("name", "change"), CHANGES)
def test_a_zip_with_another_file_than_its_run_announces_is_refused(name, change, tmp_path):
    directory = finished()
    runs.ship(directory, tmp_path / "run")
    changed(tmp_path / "run" / name, change)
    shutil.make_archive(str(tmp_path / "run"), "zip", tmp_path, "run")
    with pytest.raises(SeglabError, match=f"^{name} is damaged or was changed"):
        runs.bring(tmp_path / "run.zip")
    assert [path for path in runs.every() if path.parent == runs.home()] == [directory]


def test_what_events_announce_is_read_once_for_each_change_of_them(monkeypatch):
    directory, read = finished(), []
    monkeypatch.setattr(hashes, "from_line", lambda line: read.append(line) or from_line(line))
    for _ in range(3):
        runs.config(directory), runs.description(directory)
    assert len(read) == 1
    runs.append(directory, runs.events(directory)[-1])
    runs.config(directory)
    assert len(read) == 2


# --- events


def test_every_flipped_bit_of_a_line_is_found():
    events = runs.events(finished())
    kinds = {type(event): event for event in events}
    assert kinds.keys() >= {Started, Evaluated, Finished}
    for event in kinds.values():
        line = to_line(event).encode().rstrip(b"\n")
        assert from_line(line) == from_line(line.decode()) == event and json.loads(line)["kind"] == event.kind
        for place in range(len(line)):
            for bit in range(8):
                flipped = bytearray(line)
                flipped[place] ^= 1 << bit
                with pytest.raises(ValueError):
                    from_line(bytes(flipped))


def test_lines_of_older_runs_have_no_checksum_and_are_read():
    for file in sorted(runs.CHECKPOINTS.glob("*/events.jsonl")):
        lines = file.read_bytes().splitlines()
        assert not any(b"crc32" in line for line in lines)
        assert [from_line(line) for line in lines] == runs.all_events(file.parent)


def test_a_number_that_is_changed_to_another_one_is_told_by_its_line():
    directory = finished()
    lines = (directory / "events.jsonl").read_bytes().splitlines(keepends=True)
    number = next(n for n, line in enumerate(lines, 1) if b'"evaluated"' in line)
    lines[number - 1] = lines[number - 1].replace(b'"epoch":1.0', b'"epoch":2.0')
    (directory / "events.jsonl").write_bytes(b"".join(lines))
    told = rf"{directory.name}/events.jsonl is damaged: line {number} cannot be read"
    for reader in (runs.events, runs.load, lambda run: compare([run])):
        with pytest.raises(SeglabError, match=told):
            reader(directory)
    assert "events.jsonl is damaged" in str(Track(directory).read().problem)
    (directory / "events.jsonl").write_bytes(marked(b"".join(lines)))  # written so, it would have been believed
    assert runs.events(directory) and Track(directory).read().problem is None


def test_a_last_word_that_is_damaged_is_no_end():
    directory = finished()
    content = (directory / "events.jsonl").read_bytes()
    for old, new in ((b'"completed"', b'"budget"'), (b'"kind":"finished"', b'"kind":"finishee"')):
        (directory / "events.jsonl").write_bytes(content.replace(old, new))
        assert runs.status(directory).state == "failed" and not runs.status(directory).over
        with pytest.raises(ValueError):
            runs.last_word(directory)


def test_a_last_word_may_be_long():
    directory = finished()
    end = runs.ending(directory, "failed", SeglabError("{a}{b}{c}", **dict.fromkeys("abc", "원" * 1000)))
    runs.append(directory, end)
    assert len(to_line(end).encode()) > 8192 and runs.last_word(directory) == end


# --- snapshots


def states(directory: Path) -> list[Path]:
    """The states of a run, the newest first."""
    return sorted(directory.glob("last-*/state.pt"), reverse=True)


def flip(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content)


def weights(directory: Path) -> bytes:
    return (directory / "weights.safetensors").read_bytes()


def notes(directory: Path) -> list[str]:
    """What the last beginning of a run told."""
    starts = [event for event in runs.all_events(directory) if isinstance(event, Started)]
    return [str(note.error()) for note in starts[-1].notes]


def test_the_last_two_snapshots_are_kept_each_with_its_sha256():
    directory = finished(epochs=4)
    assert [state.parent.name for state in states(directory)] == ["last-000008", "last-000006"]
    for state in states(directory):
        assert (state.parent / "state.sha256").read_text() == f"{hashes.sha256(state.read_bytes())}  state.pt\n"


@pytest.mark.parametrize(
    "damage", [flip, Path.unlink, lambda file: file.write_bytes(b"")], ids=["bit", "gone", "empty"]
)
def test_a_damaged_snapshot_gives_way_to_the_one_before_and_the_run_says_so(damage):
    whole, directory = finished(epochs=4), interrupted(epochs=4)
    damage(states(directory)[0])
    events = list(runs.work(directory))
    assert events[0].resumed_at == 6 and events[-1].reason == "completed"
    assert "the state that was saved at step 8 is damaged: the run went on from step 6" in notes(directory)
    assert weights(directory) == weights(whole) and states(directory)[0].read_bytes()
    assert runs.load(directory) and compare([whole, directory]).rows[0].miou == compare([whole, directory]).rows[1].miou


def test_a_whole_snapshot_is_resumed_from_without_a_note():
    directory = interrupted(epochs=4)
    assert next(runs.work(directory)).resumed_at == 8 and not any("damaged" in note for note in notes(directory))


def test_a_run_without_any_whole_snapshot_is_not_resumed():
    directory = interrupted(epochs=4)
    for state in states(directory):
        flip(state)
    with pytest.raises(SeglabError, match="cannot be resumed: its saved states are damaged or missing"):
        list(runs.work(directory))
    assert runs.status(directory).state == "failed"


@pytest.mark.parametrize("name", ["last", "state.sha256"])
def test_a_damaged_note_of_a_hash_does_no_harm_while_the_other_is_there(name):
    directory = interrupted(epochs=4)
    file = directory / "last" if name == "last" else states(directory)[0].with_name(name)
    file.write_bytes(b"\xff" + file.read_bytes()[1:])
    assert next(runs.work(directory)).resumed_at == 8


def test_a_run_of_an_older_version_is_resumed_by_its_pointer():
    directory = interrupted(epochs=4)
    for state in states(directory):
        state.with_name("state.sha256").unlink()
    assert next(runs.work(directory)).resumed_at == 8


def test_a_snapshot_that_was_never_finished_is_no_damage():
    directory = interrupted(epochs=4)
    states(directory)[0].with_name("state.sha256").unlink()
    flip(states(directory)[0])
    pointer = {"folder": "last-000006", "sha256": hashes.sha256(states(directory)[1].read_bytes())}
    (directory / "last").write_text(json.dumps(pointer))  # as when its process was killed
    assert next(runs.work(directory)).resumed_at == 6 and not any("damaged" in note for note in notes(directory))


def test_events_that_were_cut_off_take_their_snapshots_with_them():
    whole, directory = finished(epochs=4), interrupted(epochs=4)
    lines = (directory / "events.jsonl").read_bytes().splitlines(keepends=True)
    last = max(n for n, line in enumerate(lines) if b'"evaluated"' in line)
    (directory / "events.jsonl").write_bytes(b"".join(lines[:last]))
    events = list(runs.work(directory))
    assert events[0].resumed_at == 6 and runs.load(directory) and weights(directory) == weights(whole)
    assert [event.step for event in runs.events(directory) if isinstance(event, Evaluated)] == [2, 4, 6, 8]


def test_a_snapshot_of_what_was_taken_back_goes_with_the_next_one():
    directory = interrupted(epochs=4)
    flip(states(directory)[0])
    *_, last = runs.work(directory, interrupted=lambda: True)  # stopped after one step
    assert last.step == 7 and [state.parent.name for state in states(directory)] == ["last-000007", "last-000006"]
    assert list(runs.work(directory, unstop=True))[-1].reason == "completed"
    assert not any("damaged" in note for note in notes(directory))


def test_what_a_killed_process_left_in_a_snapshot_is_deleted_at_the_next_start():
    directory = interrupted(epochs=4)
    left = [states(directory)[0].with_name(".state.pt.0123abcd"), directory / "weights.next"]
    for file in left:
        file.write_bytes(b"half")
    list(runs.work(directory))
    assert not any(file.exists() for file in left)
