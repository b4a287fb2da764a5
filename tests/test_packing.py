"""Evidence packs: a run without weights that says all that the run does, and nothing of its machine."""

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab import places, runs
from seglab.comparison import compare
from seglab.comparison.pairs import pair
from seglab.comparison.readings import Reading, Side
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started, Stepped, from_line, to_line
from seglab.lessons import making, packing
from seglab.lessons.bench import Bench, located, matches
from seglab.runs import hashes
from seglab.runs.evidence import spread
from tests.conftest import finish
from tests.lessons import images, lesson, put

SETTINGS = {
    "a": {"title": "a"},
    "b": {"title": "b", "begins_with": "a", "set": {"epochs": 2}},
    "c": {"title": "c", "of": "a", "through": ["flips"]},
}


def trained(of):
    """The runs of a lesson, each trained once a session."""
    for job in making.jobs(of):
        directory = making.made_at(of, job.key, job.seed)
        directory.mkdir(parents=True)
        (directory / "config.json").write_bytes(making.begun(of, job).model_dump_json(indent=1).encode())
        finish(directory)
    for reading in making.readings(of):
        list(reading.compute())
    return of


@pytest.fixture
def made(runs_home):
    return trained(lesson(SETTINGS, seeds=[0, 1]))


@pytest.fixture
def packs(made, tmp_path, monkeypatch):
    """The packs where those that come with seglab are."""
    folder = tmp_path / "lessons"
    packing.ship(made, folder)
    monkeypatch.setattr(places, "LESSONS", folder)
    return folder


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_pack_says_what_the_run_says(made, packs):
    for key in "ab":
        run, pack = making.made_at(made, key, 0), packs / f"l-{key}-0"
        first, second = runs.Evidence(run), runs.Evidence(pack)
        assert second.is_packed and not second.stayed and not first.is_packed
        assert np.array_equal(first.confusions(), second.confusions()) and second.confusions().dtype == np.int64
        assert first.names == second.names and first.samples == second.samples and first.epochs() == second.epochs()
        for n in range(len(first.names)):
            assert np.array_equal(first.labels(n), second.labels(n))
            assert np.array_equal(first.truth(n), second.truth(n))
        for epoch in first.epochs():
            assert all(map(np.array_equal, first.sampled(epoch), second.sampled(epoch)))
            folder = f"samples/epoch_{runs.epoch_text(epoch)}"
            assert np.array_equal(first.map(folder, 1), second.map(folder, 1))
        curves = [[event for event in runs.events(each) if isinstance(event, Evaluated)] for each in (run, pack)]
        assert curves[0] == curves[1] and curves[0]
        assert runs.events(run)[-1] == runs.events(pack)[-1] and runs.status(pack).state == "completed"
        told = [runs.description(each) for each in (run, pack)]
        assert all(told[0][name] == told[1][name] for name in ("classes", "colors", "digests", "images", "samples"))
        a, b = runs.config(run), runs.config(pack)
        assert b == a.model_copy(update={"init_from": a.init_from and Path(a.init_from.name)})
    assert runs.config(packs / "l-b-0").init_from == Path("l-a-0")
    rows = compare([making.made_at(made, "a", 0), packs / "l-a-0"]).rows
    assert rows[0].miou == rows[1].miou and rows[0].parameters == rows[1].parameters


def test_the_packs_answer_where_the_runs_are_no_more(made, packs):
    scores = ("miou", "iou:rarest", "pixel_accuracy", "gap")
    before = {by: Bench(made).difference("a", "b", by) for by in scores}
    agreement = Bench(made).pair("a", "b").agreement.counts
    read = Bench(made).difference("a", "c", "miou")
    shutil.rmtree(runs.home())
    assert making.jobs(made) == [] and located(made, "a", 0) == packs / "l-a-0"
    after = Bench(made)
    assert {by: after.difference("a", "b", by) for by in before} == before
    assert after.difference("a", "c", "miou") == read
    assert np.array_equal(after.pair("a", "b").agreement.counts, agreement)
    assert len(after.values("a", "near_border")) == 1  # of the seed whose label maps came along
    assert runs.find("l-a-0") == packs / "l-a-0" and making.readings(made) == []


def test_what_packs_have_in_common_stands_once_and_weights_do_not_leave(made, packs):
    files = contents(packs)
    shared = sorted(name for name in files if name.startswith("shared/"))
    descriptions = {hashes.sha256(files[name]) for name in shared if name.endswith(".json")}
    digest = runs.description(packs / "l-a-0")["digests"]["val"]
    assert [Path(name).suffix for name in shared].count(".npz") == 1 and f"shared/{digest}.npz" in files
    assert descriptions == {Path(name).stem for name in shared if name.endswith(".json")}
    assert not any("weights" in name or "dataset.json" in name or name.endswith((".png", ".pt")) for name in files)
    assert {name for name in files if name.endswith("maps.npz")} == {"l-a-0/maps.npz", "l-b-0/maps.npz"}  # of seed 0
    assert runs.Evidence(packs / "l-a-1").stayed
    with pytest.raises(SeglabError, match="l-a-1 came without its pictures"):
        runs.Evidence(packs / "l-a-1").labels(0)
    with pytest.raises(SeglabError, match="has no weights"):
        runs.load(packs / "l-a-0")


def test_no_folder_of_this_machine_leaves(made, packs):
    home = str(runs.home())
    assert home.encode() in (making.made_at(made, "b", 0) / "config.json").read_bytes()
    for name, content in contents(packs).items():
        assert home.encode() not in content and b"/root" not in content and b"/tmp" not in content, name


def test_shipping_twice_changes_nothing_and_neither_does_shipping_packs(made, packs, tmp_path):
    before = contents(packs)
    again = packing.ship(made, packs)
    assert contents(packs) == before and {each.suffix for each in again} == {".npz"}  # readings that are there
    shutil.rmtree(runs.home())
    packing.ship(made, packs)
    packing.ship(made, tmp_path / "others")
    assert contents(packs) == before == contents(tmp_path / "others")


def test_readings_of_packs_are_found_with_seglabs_own_and_with_a_schools(made, packs, tmp_path, monkeypatch):
    matrices = Reading(making.made_at(made, "a", 0), Bench(made).lesson.setting("c").through).confusions()
    shutil.rmtree(runs.home())
    (reading, _) = Bench(made).side("c").readings
    assert reading.ready and reading.file.parent == packs / "readings"
    assert np.array_equal(reading.confusions(), matrices) and reading.labels(0).dtype == np.uint8
    school = tmp_path / "school"
    packs.rename(school)
    assert runs.of_lesson("l-a-0") is None
    monkeypatch.setenv("SEGLAB_LESSONS", str(school))
    (reading, _) = Bench(made).side("c").readings
    assert reading.ready and reading.file.parent == school / "readings"
    reading.file.write_bytes(b"damaged")
    with pytest.raises(SeglabError, match="cannot be read"):
        reading.confusions()
    assert reading.file.exists()  # what came along is not made again


def test_missing_runs_and_readings_are_told_before_anything_is_written(made, tmp_path):
    target = tmp_path / "target"
    reading = Bench(made).side("c").readings[0]
    reading.file.unlink()
    with pytest.raises(SeglabError, match="l-a-0: not read through the predictors yet"):
        packing.ship(made, target)
    shutil.rmtree(making.made_at(made, "b", 1))
    with pytest.raises(SeglabError, match="the runs of b with seed 1 have not been made yet"):
        packing.ship(made, target)
    assert not target.exists()


def test_files_that_are_too_large_are_not_written(made, tmp_path, monkeypatch):
    monkeypatch.setattr(packing, "MOST_BYTES", 2000)
    with pytest.raises(SeglabError, match=r"has \d+ bytes; allowed: 2000"):
        packing.ship(made, tmp_path / "target")
    assert not (tmp_path / "target").exists()


def test_long_records_are_thinned(runs_home, tmp_path, monkeypatch):
    of = trained(lesson({"a": {"title": "a", "set": {"epochs": 4}}}, seeds=[0]))
    run, pack = making.made_at(of, "a", 0), tmp_path / "l-a-0"
    for _ in range(5):  # as of a run that took longer
        (run / "events.jsonl").write_bytes(stepped((run / "events.jsonl").read_bytes()))
    monkeypatch.setattr(packing, "MOST_STEPS", 3)
    monkeypatch.setattr(packing, "MOST_EPOCHS", 2)
    packing.ship(of, tmp_path)
    steps = [[event for event in runs.events(each) if isinstance(event, Stepped)] for each in (run, pack)]
    assert len(steps[0]) >= 6 and steps[1] == spread(steps[0], 3)  # on a slow machine training itself tells of more
    evidence = runs.Evidence(pack)
    assert evidence.epochs() == [1, 4] and len(evaluated(pack)) == 4
    assert all(map(np.array_equal, evidence.sampled(4), runs.Evidence(run).sampled(4)))
    assert [spread(range(101), most) for most in (2, 3, 5)] == [[0, 100], [0, 50, 100], [0, 25, 50, 75, 100]]
    assert spread([1, 2], 2) == spread([1, 2], 60) == [1, 2] and spread([], 2) == []


def stepped(lines):
    """Events with one more of a step, before the last."""
    *before, last = lines.splitlines(keepends=True)
    event = from_line(last)
    step = Stepped(
        step=event.step, seconds=len(before), epoch=4, loss=1, terms={}, lr=1, images_per_second=1, seconds_left=0
    )
    return b"".join([*before, to_line(step).encode(), last])


def test_counts_are_as_small_as_holds_them():
    for most, kind in ((255, np.uint8), (256, np.uint16), (70_000, np.uint32)):
        matrices = np.full((2, 2, 2), most)
        assert packing.smallest(matrices).dtype == kind and np.array_equal(packing.smallest(matrices), matrices)


def test_a_damaged_pack_is_told(made, packs):
    pack = packs / "l-a-0"
    truth = next((packs / "shared").glob("*.npz"))
    described = hashes.located(pack, "dataset.json")

    def read():
        evidence = runs.Evidence(pack)
        pair(Side("a", (Reading(pack),)), Side("b", (Reading(packs / "l-b-0"),))).agreement  # noqa: B018
        evidence.confusions(), evidence.sampled(evidence.epochs()[0]), runs.config(pack), runs.events(pack)

    read()
    rng = np.random.default_rng(0)
    for file in (pack / "maps.npz", pack / "evaluation.npz", truth, described, pack / "config.json",
                 pack / "events.jsonl"):  # fmt: skip
        whole, refused = file.read_bytes(), 0
        for trial in range(30):
            broken = bytearray(whole)
            place = int(rng.integers(len(whole)))
            broken[place : place + 1] = [b"", b"\0", b"\xff", bytes([broken[place] ^ 4])][trial % 4]
            file.write_bytes(bytes(broken[: place + 1] if trial % 7 == 0 else broken))
            try:
                read()
            except SeglabError:
                refused += 1
        file.unlink()
        if file.name != "events.jsonl":
            with pytest.raises(SeglabError):
                read()
        file.write_bytes(whole)
        read()
        assert refused > 15, file.name


def test_label_maps_that_are_not_whole_are_told(made, packs):
    file = packs / "l-a-0" / "maps.npz"
    with np.load(file) as stored:
        arrays = dict(stored)
    broken = [
        arrays | {"predictions": arrays["predictions"][:-1]},
        arrays | {"samples_sizes": arrays["samples_sizes"][:, :1]},
        arrays | {"epochs": np.array(1.0)},
        {name: each for name, each in arrays.items() if name != "epochs"},
    ]
    for each in broken:
        np.savez(file, **each)
        evidence = runs.Evidence(packs / "l-a-0")
        for ask in (lambda: evidence.labels(0), evidence.epochs, lambda: evidence.map("samples/epoch_001", 0)):  # noqa: B023
            with pytest.raises(SeglabError, match=r"l-a-0/maps\.npz cannot be read"):
                ask()
    np.savez(file, **arrays)
    evidence = runs.Evidence(packs / "l-a-0")
    for ask in (
        lambda: evidence.labels(99),
        lambda: evidence.labels(-1),
        lambda: evidence.sampled(7),
        lambda: evidence.map("samples/epoch_007", 0),
        lambda: evidence.map("samples/epoch_001", 99),
        lambda: evidence.map("elsewhere", 0),
        lambda: evidence.truth(99),
    ):
        with pytest.raises(SeglabError, match="l-a-0 has no"):
            ask()


def test_of_private_data_neither_names_nor_pictures_leave(runs_home, tmp_path):
    rng = np.random.default_rng(0)
    root = tmp_path / "hospital"
    for n in range(12):
        for part, size in (("images", (64, 64, 3)), ("masks", (64, 64))):
            (root / part).mkdir(parents=True, exist_ok=True)
            picture = rng.integers(0, 256 if part == "images" else 2, size).astype(np.uint8)
            Image.fromarray(picture).save(root / part / f"patient_{n:02}.png")
    settings = {"a": {"title": "a", "set": {}}, "b": {"title": "b", "of": "a", "through": ["flips"]}}
    data = lesson(settings, seeds=[0]).model_dump(mode="json")
    base = data["groups"]["g"]["base"]
    data["groups"]["g"]["base"] = {key: value for key, value in base.items() if not key.startswith("data")}
    data["groups"]["g"]["base"] |= {"data": "folder", "data.root": str(root)}
    of = trained(type(lesson())(**data))
    target = tmp_path / "packs"
    packing.ship(of, target)
    files = contents(target)
    assert files and not any(b"patient" in content or b"hospital" in content for content in files.values())
    assert not any(name.endswith("maps.npz") for name in files) and not list((target / "shared").glob("*.npz"))
    (reading,) = (target / "readings").iterdir()
    with np.load(reading) as arrays:
        assert {*arrays} == {"val", "chain"}
    names = runs.description(target / "l-a-0")["images"]["val"]
    assert all(name.isdecimal() for name in names) and runs.Evidence(target / "l-a-0").stayed


# --- making


def evaluated(directory):
    return [event for event in runs.events(directory) if isinstance(event, Evaluated)]


def test_a_run_goes_on_where_it_was_cut_short_and_is_not_made_again(runs_home):
    of = lesson({"a": {"title": "a", "set": {"epochs": 3}}}, seeds=[0])
    (job,) = making.jobs(of)
    working = making.make(of, job)
    for event in working:
        if isinstance(event, Evaluated):
            break
    working.close()  # as when its process is killed
    assert located(of, "a", 0) is None and making.jobs(of) == [job]
    first, *rest = making.make(of, job)
    assert (
        isinstance(first, Started)
        and first.resumed_at
        and [each.epoch for each in rest if isinstance(each, Evaluated)] == [2, 3]
    )
    directory = making.made_at(of, "a", 0)
    assert [event.epoch for event in evaluated(directory)] == [1, 2, 3] and not list(directory.glob("last*"))
    assert making.jobs(of) == [] and located(of, "a", 0) == directory
    with pytest.raises(SeglabError, match="nothing to resume"):
        list(making.make(of, job))


def test_what_was_begun_and_has_no_configuration_yet_is_begun_again(runs_home, monkeypatch):
    of = lesson("a", seeds=[0])
    (job,) = making.jobs(of)

    def full(path, content):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch, pytest.raises(SeglabError, match="the disk is full"):
        patch.setattr(runs, "write", full)
        list(making.make(of, job))
    assert not making.made_at(of, "a", 0).exists()
    monkeypatch.setattr(runs, "work", lambda directory, threads: iter([]))
    assert list(making.make(of, job)) == [] and matches(making.made_at(of, "a", 0), job.config)


def test_what_a_run_needs_to_go_on_stays_until_it_is_complete(runs_home):
    of = lesson({"a": {"title": "a", "set": {"epochs": 3}}}, seeds=[0])
    (job,) = making.jobs(of)
    for event in making.make(of, job):
        if isinstance(event, Evaluated):
            runs.stop(making.made_at(of, "a", 0))
    directory = making.made_at(of, "a", 0)
    assert runs.status(directory).state == "stopped" and list(directory.glob("last*"))
    assert located(of, "a", 0) is None and making.jobs(of) == [job]


def test_a_run_that_another_lesson_has_made_is_copied(runs_home, monkeypatch):
    second = lesson({"z": {"title": "z"}}, seeds=[0, 1, 2], name="m")
    jobs = making.jobs(second)
    first = trained(lesson({"a": {"title": "a"}}, seeds=[0, 1]))
    hidden = making.made_at(first, "a", 1)
    hidden.rename(hidden.with_name(f".{hidden.name}"))  # a copy that was cut short is no run
    monkeypatch.setattr(runs, "work", lambda directory, threads: iter([directory.name]))
    told = []
    assert [(job.key, job.seed) for job in making.jobs(second)] == [("z", 1), ("z", 2)]  # what is there serves as well
    assert [list(making.make(second, job)) for job in jobs] == [[], ["m-z-1"], ["m-z-2"]]
    copy = making.made_at(second, "z", 0)
    assert contents(copy) == contents(making.made_at(first, "a", 0)) and runs.load(copy)
    shutil.rmtree(copy)
    making.progress(second, jobs[:1], told.append)
    assert told == ["1/1 m-z-0: as another lesson has it"]


def test_a_run_begins_with_the_weights_of_another_which_is_made_before_it(runs_home, tmp_path, monkeypatch):
    settings = {
        "c": {"title": "c", "begins_with": "b", "set": {"epochs": 2}},
        "b": {"title": "b", "begins_with": "a"},
        "a": {"title": "a"},
    }
    of = lesson(settings, seeds=[0, 1])
    assert [(job.key, job.seed) for job in making.jobs(of)] == [(key, seed) for seed in (0, 1) for key in "abc"]
    told = []
    making.progress(of, making.jobs(of, seeds=[0]), told.append)
    assert [each.split(":")[0] for each in told] == ["1/3 l-a-0", "2/3 l-b-0", "3/3 l-c-0"]
    assert runs.config(making.made_at(of, "c", 0)).init_from == making.made_at(of, "b", 0)
    assert {job.seed for job in making.jobs(of)} == {1}
    target = tmp_path / "packs"
    packing.ship(lesson(settings, seeds=[0]), target)
    monkeypatch.setattr(places, "LESSONS", target)
    shutil.rmtree(runs.home())
    assert making.jobs(lesson(settings, seeds=[0])) == []
    shutil.rmtree(target / "l-c-0")  # its own weights' run came without weights, and is made as well
    assert [job.key for job in making.jobs(lesson(settings, seeds=[0]))] == ["a", "b", "c"]


def test_a_group_alone_is_made_with_what_its_runs_begin_with(runs_home):
    settings = {"a": {"title": "a"}, "b": {"title": "b"}}
    of = lesson(settings, seeds=[0]).model_dump(mode="json")
    of["groups"]["h"] = of["groups"]["g"] | {"settings": {"c": {"title": "c", "begins_with": "a"}}}
    made = type(lesson())(**of)
    assert [job.key for job in making.jobs(made, groups=["h"])] == ["a", "c"]
    assert [job.key for job in making.jobs(made, groups=["g"], seeds=[0])] == ["a", "b"]
    assert making.jobs(made, seeds=[7]) == []
    with pytest.raises(SeglabError, match="there is no group 'x'; there are: g, h"):
        making.jobs(made, groups=["x"])


def test_a_folder_with_a_run_of_other_settings_is_left_alone(runs_home):
    of = lesson("a", seeds=[0])
    directory = put(of, "a", 0, images(50))
    changed = lesson({"a": {"title": "a", "set": {"epochs": 7}}}, seeds=[0])
    before = contents(directory)
    (job,) = making.jobs(changed)
    with pytest.raises(SeglabError, match="l-a-0 is a run of other settings: the lesson has changed since"):
        list(making.make(changed, job))
    assert contents(directory) == before
