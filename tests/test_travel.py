"""Runs that leave this machine and runs that come back: what goes along, what stays, and what is refused."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import random
import shlex
import shutil
import struct
import zipfile
from pathlib import Path

import numpy as np
import psutil
import pytest
import safetensors.torch
import torch
from PIL import Image

from seglab import jobs, locks, plans, runs, travel, zips
from seglab.cli import main, parser
from seglab.cli.parsing import dotted
from seglab.cli.train import configuration
from seglab.config import configured
from seglab.data.store import Store
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.events import Evaluated, Sentence, Started, to_line
from seglab.families import Architecture
from seglab.losses.pixel import CrossEntropy
from seglab.metrics import miou
from seglab.runs import arrival, bringing, shipping
from seglab.runs.shipping import PICTURES
from tests.conftest import announced, finish, marked, tiny

PEOPLE = ("Kim_Minsu", "patient_07", "850312-1234567", "Ana Ruiz", "scan 3", "Lee_Jiwoo", "x-ray 9", "박서준")


@pytest.fixture
def own(tmp_path) -> Path:
    """A folder of somebody's own pictures, with names that are nobody else's business."""
    root, rng = tmp_path / "clinic of Dr Who", np.random.default_rng(0)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True)
    for name in PEOPLE:
        mask = np.repeat(np.arange(64, dtype=np.uint8)[:, None] // 22, 64, 1)
        image = np.stack([mask * 100 + rng.integers(0, 40, mask.shape, np.uint8)] * 3, -1).astype(np.uint8)
        Image.fromarray(image).save(root / "images" / f"{name}.png")
        Image.fromarray(mask).save(root / "masks" / f"{name}.png")
    twin = root / "images" / "patient_07.png"  # so that a note names files
    shutil.copy(twin, root / "images" / "Kim_Minsu.png")
    (root / "classes.txt").write_text("air\nbone\ntissue\n")
    return root


def private(root: Path, **options) -> Path:
    return finish(runs.create(tiny(data={"name": "folder", "root": str(root)}, **options), "mine"))


def public(name: str = "first", **options) -> Path:
    return finish(runs.create(tiny(**options), name))


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder by its path, what is packed in it unpacked too."""
    found = {}
    for path in folder.rglob("*"):
        if not path.is_file():
            continue
        name, content = path.relative_to(folder).as_posix(), path.read_bytes()
        found[name] = content
        if path.suffix == ".npz":
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                found |= {f"{name}/{each}": archive.read(each) for each in archive.namelist()}
        if path.suffix == ".png":
            image = Image.open(path)
            image.load()
            found[f"{name}/info"] = repr(image.info).encode()
    return found


def holding(folder: Path, *words: str) -> set[tuple[str, str]]:
    """The files below a folder that hold one of the words, in their names too."""
    kept = contents(folder)
    return {(name, word) for name, held in kept.items() for word in words if word.encode() in held + name.encode()}


def places(tmp_path: Path, root: Path) -> tuple[str, ...]:
    """The folders of this machine that nothing may tell of."""
    return str(tmp_path), str(runs.home()), str(root), "Dr Who", str(Path.home()) + "/", str(Path(__file__).parents[1])


# --- what leaves


def test_no_folder_and_no_name_of_a_private_file_leaves_this_machine(own, tmp_path, capsys):
    directory = private(own)
    assert holding(directory, *PEOPLE) and holding(directory, str(own))
    notes = next(event for event in runs.events(directory) if isinstance(event, Started)).notes
    assert any("Kim_Minsu" in str(note) for note in notes)
    main_ends(["ship", "mine", "--out", str(tmp_path / "mine.zip")])
    with zipfile.ZipFile(tmp_path / "mine.zip") as archive:
        archive.extractall(tmp_path / "out")
    assert holding(tmp_path / "out", *PEOPLE, *places(tmp_path, own)) == set()
    out = tmp_path / "out" / "mine"
    assert not [name for name in contents(out) if PICTURES.fullmatch(name)] and not (out / "masks.png").exists()
    assert runs.config(out).data.root is None
    images = runs.description(out)["images"]
    assert sorted(name for names in images.values() for name in names) == [f"{n:04}" for n in range(8)]
    told = next(event for event in runs.events(out) if isinstance(event, Started)).notes
    assert [note.template for note in told] == [note.template for note in notes]
    assert any(note.values.get("first") == "…" and note.values["count"].isdecimal() for note in told)
    assert "numbers instead of names" in capsys.readouterr().err


def test_what_went_wrong_on_the_way_leaves_without_its_folder(own, tmp_path, monkeypatch):
    full = "{folder}: the disk has no more room for decoded images"
    monkeypatch.setattr(Store, "problems", lambda self: [SeglabError(full, folder=str(own))])
    private(own)
    main_ends(["ship", "mine", "--out", str(tmp_path / "out" / "mine")])
    assert holding(tmp_path / "out", *PEOPLE, *places(tmp_path, own)) == set()
    told = [event.notes for event in runs.events(tmp_path / "out" / "mine") if isinstance(event, Evaluated)]
    assert told and all(note.template == full and note.values == {"folder": "…"} for (note,) in told)


def test_names_and_pictures_of_private_data_leave_when_asked_for_and_folders_still_do_not(own, tmp_path, capsys):
    private(own)
    main_ends(["ship", "mine", "--out", str(tmp_path / "out" / "mine"), "--with-names", "--with-pictures"])
    out = tmp_path / "out"
    assert {word for _, word in holding(out, *PEOPLE)} == set(PEOPLE)
    assert holding(out, *places(tmp_path, own)) == set()
    evidence = runs.Evidence(out / "mine")
    assert np.array_equal(evidence.labels(0), runs.Evidence(runs.find("mine")).labels(0))
    assert (out / "mine" / "masks.png").exists()
    said = capsys.readouterr().err
    assert "the names of its 8 images leave this machine" in said and "probabilities of private images leave" in said


def test_what_was_left_out_once_is_not_promised_again(own, tmp_path):
    directory = private(own)
    runs.ship(directory, tmp_path / "bare")
    again = runs.ship(tmp_path / "bare", tmp_path / "again", names=True, pictures=True)
    assert (again.names, again.pictures) == (False, False)
    assert "stay here" in str(travel.leaving(tmp_path / "bare", pictures=True)[-1])


def test_of_public_data_masks_and_names_go_along(tmp_path):
    directory = public()
    said = travel.take(directory, tmp_path / "first")
    assert runs.description(tmp_path / "first")["images"] == runs.description(directory)["images"]
    assert np.array_equal(runs.Evidence(tmp_path / "first").truth(1), runs.Evidence(directory).truth(1))
    assert (
        "the data is public" in str(said[-1]) and holding(tmp_path / "first", str(tmp_path), str(runs.home())) == set()
    )


@pytest.mark.parametrize("name", FAMILIES["datasets"].entries)
def test_only_public_sets_and_seglab_s_own_scenes_are_not_private(name):
    public = {"streets", "camvid", "voc2012", "oxford_pet", "kitti_road"}
    assert FAMILIES["datasets"].entries[name]().private == (name not in public)


def test_the_folders_of_other_runs_are_emptied(tmp_path):
    teacher = public("teacher")
    student = tiny(init_from=str(teacher), techniques=[{"name": "pseudo_labels", "teacher": str(teacher)}], epochs=1)
    directory = runs.create(student, "student")
    list(runs.work(directory))
    travel.take(directory, tmp_path / "out" / "student")
    bare = runs.config(tmp_path / "out" / "student")
    assert bare.init_from is None and bare.needs == () and holding(tmp_path / "out", str(runs.home())) == set()
    assert runs.description(tmp_path / "out" / "student")["learned"]  # so that leaks are still found
    assert "data.root" in (tmp_path / "out" / "student" / "README.md").read_text()


@pytest.mark.parametrize(
    "text",
    [
        "/home/kim/a b/c.png",
        "see '/srv/x'",
        r"C:\Users\kim",
        "~/data",
        "file:/tmp/x",
        "at (/opt/y)",
        r"\\server\share",
        "~kim/data",
        "error:/home/kim/x",
    ],
)
def test_a_sentence_with_a_path_in_it_is_withheld_on_any_data(text, tmp_path):
    directory = public()
    events = (directory / "events.jsonl").read_bytes().split(b"\n")
    ended = runs.events(directory)[-1]
    why = Sentence(template="{kind}: {reason}", values={"kind": "OSError", "reason": text})
    events[-2] = to_line(ended.model_copy(update={"why": why})).encode().strip()
    (directory / "events.jsonl").write_bytes(b"\n".join(events))
    runs.ship(directory, tmp_path / "out")
    assert runs.events(tmp_path / "out")[-1].text == "OSError: …"


@pytest.mark.parametrize("text", ["1/2 of https://x.org/y", "train/NAME", "and/or", "loss became nan"])
def test_a_sentence_without_a_path_stays(text, tmp_path):
    directory = public()
    events = (directory / "events.jsonl").read_bytes().split(b"\n")
    why = Sentence(template="{reason}", values={"reason": text})
    events[-2] = to_line(runs.events(directory)[-1].model_copy(update={"why": why})).encode().strip()
    (directory / "events.jsonl").write_bytes(b"\n".join(events))
    runs.ship(directory, tmp_path / "out")
    assert runs.events(tmp_path / "out")[-1].text == text


# --- what it is worth where it arrives


def main_ends(argv: list[str], status: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        main(argv)
    assert (ended.value.code or 0) == status


def test_what_a_person_opens_says_what_the_run_says(tmp_path):
    directory = public()
    travel.take(directory, tmp_path / "first.zip")
    with zipfile.ZipFile(tmp_path / "first.zip") as archive:
        archive.extractall(tmp_path)
    out, score = tmp_path / "first", runs.status(directory).finished.val_miou
    assert f"| mIoU | {score:.4f} |" in (out / "README.md").read_text()
    evaluated = [line for line in (out / "curves.csv").read_text("utf-8-sig").splitlines() if ",evaluated," in line]
    assert len(evaluated) == 2 and str(score) in (out / "scores.csv").read_text("utf-8-sig")
    assert Image.open(out / "curves.png").size == (1440, 768) and Image.open(out / "masks.png").mode == "RGB"
    assert Image.open(out / "predictions" / "0000.png").convert("RGB").getextrema() != ((0, 0),) * 3
    assert miou(runs.Evidence(out).confusions().sum(0)) == pytest.approx(score)


ALONE = [
    {},
    {"loss": "focal + 0.5*dice", "techniques": "flip,color"},
    {"epochs": 4, "fold": {"index": 1, "of": 3}, "budget_seconds": 3.5, "seed": 7},
    {"data": {"name": "folder", "classes": ["a b", "c'd"], "val_fraction": 0.3}},
    {"loss": {"name": "cross_entropy", "class_weights": [1, 2.5, 3]}},
    {"init_from": str(runs.CHECKPOINTS / "unet")},
    {"loss": {"name": "sum", "parts": [{"loss": {"name": "dice", "smooth": s}} for s in (1, 2)]}},  # no words for it
    {"data": {"name": "folder", "classes": ["a,b", "c"]}},  # nor for these
    *({"model": name} for name in FAMILIES["architectures"].entries),
    *({"scheduler": name, "epochs": 12} for name in FAMILIES["schedulers"].entries),
    *({"optimizer": name} for name in FAMILIES["optimizers"].entries),
    *({"data": name} for name in FAMILIES["datasets"].entries),
    *({"loss": name} for name in FAMILIES["losses"].entries if name != "sum"),
    *({"techniques": name, "epochs": 12} for name in FAMILIES["techniques"].entries),
]


@pytest.mark.parametrize("given", ALONE, ids=str)
def test_the_command_is_read_back_to_the_same_configuration(given, tmp_path, monkeypatch):
    config = configured(given)
    (tmp_path / "config.json").write_text(config.model_dump_json())
    monkeypatch.chdir(tmp_path)
    line = travel.command(config)
    program, *words = shlex.split(line)
    options, plain = dotted(words)
    assert program == "seglab" and configuration(parser().parse_args(plain), options) == config
    assert ("config.json" in line) == ("a,b" in str(given) or str(given).count("smooth") == 2)


def test_a_run_that_came_without_pictures_is_read_as_far_as_it_goes_and_told_of_beyond(own, tmp_path, capsys):
    private(own)
    main_ends(["ship", "mine", "--out", str(tmp_path / "away")])
    shutil.rmtree(runs.home())
    out = str(tmp_path / "away")
    main_ends(["compare", out, "unet", "--png", str(tmp_path / "curves.png")])
    main_ends(["predict", out, str(own / "images" / "scan 3.png"), "--out", str(tmp_path / "masks")])
    assert Image.open(tmp_path / "masks" / "scan 3.png").size == (64, 64)
    capsys.readouterr()
    main_ends(["evaluate", out], 2)
    assert capsys.readouterr().err == (
        "seglab: away came without its images: they are private and stayed where it was trained\n"
    )
    main_ends(["resume", out], 2)
    assert "is a copy that cannot be trained further" in capsys.readouterr().err
    evidence = runs.Evidence(Path(out))
    assert evidence.confusions().shape == (1, 3, 3) and evidence.epochs() == []
    for read in (evidence.labels, evidence.truth, evidence.probabilities):
        with pytest.raises(SeglabError, match=r"away came without its pictures: .* stayed where it was trained"):
            read(0)


def test_private_data_is_not_looked_for_where_this_machine_has_its_own(own, tmp_path, monkeypatch):
    directory = private(own)
    runs.ship(directory, tmp_path / "away")
    shutil.copytree(own, tmp_path / "data" / "folder")
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    with pytest.raises(SeglabError, match="came without its images"):
        runs.opened(tmp_path / "away")
    config = json.loads((tmp_path / "away" / "config.json").read_bytes())
    config["data"]["root"] = str(own)  # who has them says where
    (tmp_path / "away" / "config.json").write_text(json.dumps(config))
    assert runs.opened(tmp_path / "away").digests == runs.description(directory)["digests"]


def test_a_path_in_a_loss_of_ones_own_stays(own, tmp_path, monkeypatch):
    monkeypatch.setattr(FAMILIES["losses"], "entries", dict(FAMILIES["losses"].entries))

    class Weighed(CrossEntropy):
        """By a table of one's own."""

        name = "weighed"
        table: Path | None = None
        folder: str | None = None

    loss = {"name": "weighed", "table": "tables/Kim_Minsu.csv", "folder": str(tmp_path)}
    runs.ship(private(own, loss=loss), tmp_path / "out")
    assert holding(tmp_path / "out", "Kim_Minsu", str(tmp_path)) == set()


def test_what_cannot_leave_leaves_nothing_behind(tmp_path, monkeypatch):
    directory = public()
    for name in ("emptied", "append"):  # before anything is written, and while it is
        with monkeypatch.context() as patched, pytest.raises(SeglabError, match="no room"):
            patched.setattr(shipping, name, lambda *_: (_ for _ in ()).throw(SeglabError("no room")))
            runs.ship(directory, tmp_path / "out")
        assert not (tmp_path / "out").exists()


def test_several_arrivals_do_not_disturb_each_other(parcel):
    """One that is settled while another looks for abandoned ones."""
    (runs.home() / ".arriving").mkdir(parents=True)
    (runs.home() / ".arriving" / "gone").symlink_to("nowhere")
    assert runs.status(runs.bring(parcel)[0]).state == "completed"


def test_a_run_that_goes_on_is_not_taken_away(tmp_path):
    directory = runs.create(tiny(), "waiting")
    with pytest.raises(SeglabError, match="waiting is not finished yet"):
        travel.take(directory, tmp_path / "out.zip")
    assert list(tmp_path.glob("*out*")) == [] and list(tmp_path.glob(".seglab*")) == []


@pytest.mark.parametrize("name", ["there.zip", "there"])
def test_nothing_is_written_over(name, tmp_path):
    (tmp_path / name).write_text("mine")
    with pytest.raises(SeglabError, match="already exists"):
        travel.take(public(), tmp_path / name)
    assert (tmp_path / name).read_text() == "mine"


def test_other_images_than_a_run_s_own_are_not_taken_for_its_own(tmp_path, capsys):
    travel.take(public(), tmp_path / "away")
    assert len(runs.opened(tmp_path / "away").val) == 2
    config = json.loads((tmp_path / "away" / "config.json").read_bytes())
    config["data"]["val_images"] = 2
    (tmp_path / "away" / "config.json").write_text(json.dumps(config))
    announced(tmp_path / "away")
    main_ends(["evaluate", str(tmp_path / "away")], 2)
    assert "the images here are not those that away was trained and scored on" in capsys.readouterr().err


# --- what comes back


@pytest.fixture(scope="module")
def parcel(tmp_path_factory) -> Path:
    """The zip of a small run, with everything in it."""
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("parcel")
        patch.setenv("SEGLAB_HOME", str(home / "runs"))
        travel.take(finish(runs.create(tiny(epochs=1), "first")), home / "first.zip")
    return home / "first.zip"


def unpacked(parcel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(parcel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def packed(path: Path, files: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def edited(parcel: Path, target: Path, name: str, change) -> Path:
    """The parcel with one of its files changed, which `change` gets as bytes; None takes it away."""
    files = unpacked(parcel)
    content = change(files[f"first/{name}"])
    if name in ("config.json", "dataset.json"):  # whoever changes them announces nothing
        bare = marked(files["first/events.jsonl"], lambda event: event.model_copy(update={"files": {}}))
        files["first/events.jsonl"] = bare
    files = {key: value for key, value in files.items() if key != f"first/{name}"}
    return packed(target, files | ({} if content is None else {f"first/{name}": content}))


def as_json(change):
    def changed(content: bytes) -> bytes:
        value = json.loads(content)
        return json.dumps(change(value) or value).encode()

    return changed


def refused(file: Path) -> str:
    """Why a zip is refused; nothing of it is left."""
    before = sorted(runs.home().rglob("*")) if runs.home().exists() else []
    with pytest.raises(SeglabError) as caught:
        runs.bring(file)
    after = [path for path in sorted(runs.home().rglob("*")) if path != runs.home() / ".arriving"]
    assert [path for path in before if path != runs.home() / ".arriving"] == after
    return str(caught.value)


def test_a_run_comes_back_as_it_left(tmp_path):
    directory = public()
    travel.take(directory, tmp_path / "first.zip")
    brought, notes = runs.bring(tmp_path / "first.zip")
    assert brought == runs.home() / "first 2" and notes == []
    assert runs.shipped(brought).brought and runs.status(brought) == runs.status(directory)
    ours, theirs = (runs.Evidence(each) for each in (directory, brought))
    for read in ("labels", "truth"):
        assert np.array_equal(getattr(ours, read)(1), getattr(theirs, read)(1))
    assert np.array_equal(ours.confusions("train"), theirs.confusions("train"))
    assert np.array_equal(ours.probabilities(0), theirs.probabilities(0))
    assert [len(each.sampled(2)) for each in (ours, theirs)] == [2, 2] and ours.epochs() == theirs.epochs()
    state = runs.load(directory).model.state_dict()
    for name, value in runs.load(brought).model.state_dict().items():
        torch.testing.assert_close(value, state[name].half().float() if value.is_floating_point() else state[name])
    assert (runs.description(brought), runs.config(brought)) == (runs.description(directory), runs.config(directory))


def test_what_a_killed_program_was_taking_in_is_deleted_and_what_another_takes_in_is_not(parcel):
    arriving = runs.home() / ".arriving"
    (arriving / "0123456789abcdef").mkdir(parents=True)
    with locks.new_folder(arriving) as beside:
        runs.bring(parcel)
        assert beside.is_dir() and not (arriving / "0123456789abcdef").exists()
    assert list(arriving.iterdir()) == []


def test_a_name_is_given_or_found(parcel, capsys):
    assert [runs.bring(parcel)[0].name for _ in range(3)] == ["first", "first 2", "first 3"]
    assert runs.bring(parcel, "from Jiwoo")[0].name == "from Jiwoo"
    main_ends(["bring", str(parcel), "--name", "first"], 2)
    assert "'first' already exists" in capsys.readouterr().err
    main_ends(["bring", str(parcel), "--name", "../up"], 2)
    main_ends(["bring", str(parcel)])
    assert capsys.readouterr().out == f"{runs.home() / 'first 4'}\n"
    main_ends(["bring", "nothing.zip"], 2)


def test_a_shipped_folder_comes_back_however_it_was_zipped(parcel, tmp_path):
    files = {name.removeprefix("first/"): content for name, content in unpacked(parcel).items()}
    assert runs.bring(packed(tmp_path / "loose.zip", files))[0].name == "loose"
    deep = {f"a/b/{name}": content for name, content in files.items()} | {"__MACOSX/a/._x": b"x"}
    assert runs.bring(packed(tmp_path / "deep.zip", deep))[0].name == "b"


def test_a_run_is_not_called_like_the_file_of_a_plan(parcel, tmp_path):
    files = {name.replace("first/", "a.plan.json/", 1): content for name, content in unpacked(parcel).items()}
    assert all(name.startswith("a.plan.json/") for name in files)
    assert runs.bring(packed(tmp_path / "b.zip", files))[0].name == "a plan" and plans.every() == []


def test_only_the_files_of_a_run_are_taken(parcel, tmp_path):
    more = {
        "first/evil.py": b"print()",
        "first/entries.py": b"x",
        "first/last": b"{}",
        "first/last-000001/state.pt": b"x",
    }
    more |= {"first/.lock": b"", "first/queued": b"1", "first/stop": b"", "first/kept.json": b"{}", "other.txt": b"x"}
    brought, notes = runs.bring(packed(tmp_path / "more.zip", unpacked(parcel) | more))
    kept = set(runs.files(brought))
    assert {path.relative_to(brought).as_posix() for path in brought.rglob("*") if path.is_file()} == kept
    assert str(notes[0]) == "files in the zip that are not a run's and were left out: 8"  # the hidden one is litter


def test_folders_in_a_configuration_from_elsewhere_are_emptied_before_anything_is_done_with_them(parcel, tmp_path):
    secret = tmp_path / "secret"

    def change(config):
        config["data"] = {"name": "folder", "root": str(secret)}
        config["init_from"] = str(secret)
        config["techniques"] = [{"name": "pseudo_labels", "teacher": str(secret)}]

    brought, notes = runs.bring(edited(parcel, tmp_path / "a.zip", "config.json", as_json(change)))
    assert holding(brought, str(secret)) == set() and runs.config(brought).needs == ()
    assert "emptied" in str(notes[0])
    with pytest.raises(SeglabError, match="came without its images"):
        runs.opened(brought)


def test_a_brought_run_is_not_trained_further(parcel):
    brought, _ = runs.bring(parcel)
    stopped = runs.events(brought)[-1].model_copy(update={"reason": "stopped"})
    lines = (brought / "events.jsonl").read_bytes().split(b"\n")
    (brought / "events.jsonl").write_bytes(b"\n".join([*lines[:-2], to_line(stopped).encode().strip(), b""]))
    for further in (jobs.resubmit, lambda run: list(runs.work(run, unstop=True))):
        with pytest.raises(SeglabError, match="first is a copy that cannot be trained further"):
            further(brought)


def test_an_entry_that_is_not_known_here_is_named(parcel, tmp_path):
    for field, value in {"model": "our_net", "data": "our_clinic", "loss": "our_loss"}.items():
        change = as_json(lambda config, field=field, value=value: config | {field: {"name": value, "strength": 3}})
        reason = refused(edited(parcel, tmp_path / f"{field}.zip", "config.json", change))
        assert f"'{value}'" in reason and "has to be installed first" in reason


def test_a_network_that_is_far_too_large_is_refused_without_being_built(parcel, tmp_path, monkeypatch):
    built = []
    monkeypatch.setattr(runs, "load", built.append)
    largest = {"name": "unet", "width": 128, "depth": 5}
    configured({"model": largest})  # allowed, and 2 GB of weights
    change = as_json(lambda config: config | {"model": largest})
    before = psutil.Process().memory_info().rss
    reason = refused(edited(parcel, tmp_path / "a.zip", "config.json", change))
    assert "is larger than its weights" in reason and built == []
    assert psutil.Process().memory_info().rss - before < 300e6


@pytest.mark.parametrize("name", FAMILIES["architectures"].entries)
def test_the_weights_of_every_network_are_taken_and_no_others(name):
    model: Architecture = FAMILIES["architectures"].entries[name]()  # type: ignore[assignment]
    from seglab.model import Segmenter

    state = Segmenter(model, 5, 64).state_dict()
    content = safetensors.torch.save(
        {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    )
    arrival.refuse_unfit(content, configured({"model": name, "image_size": 64}), 5, "the zip")
    with pytest.raises(SeglabError, match="do not fit"):
        arrival.refuse_unfit(content, configured({"model": name, "image_size": 64}), 6, "the zip")


def shape_of(tensors: dict, **change) -> bytes:
    listed = json.dumps(tensors | change).encode()
    return struct.pack("<Q", len(listed)) + listed


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x80\x04cos\nsystem\n",  # a pickle
        struct.pack("<Q", 2**60) + b"{}",
        struct.pack("<Q", 2) + b"[]",
        shape_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}),  # nothing behind it
        shape_of({"a": {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 8]}}) + bytes(8),
        shape_of({"a": {"dtype": "F32", "shape": [-2, -1], "data_offsets": [0, 8]}}) + bytes(8),
        shape_of({"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}}) + bytes(8),
        shape_of({n: {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]} for n in "ab"}) + bytes(8),  # shared
        shape_of({"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}) + bytes(9),  # left over
        shape_of({"a": {"dtype": "F32", "shape": "2", "data_offsets": 7}}),
        struct.pack("<Q", 200_000) + b"[" * 200_000,
    ],
)
def test_what_is_no_safetensors_is_refused(content):
    with pytest.raises(SeglabError, match="is not a safetensors file of weights"):
        arrival.layout(content)


def test_weights_that_are_not_the_announced_ones_are_refused(parcel, tmp_path):
    change = lambda content: content[:-1] + bytes([content[-1] ^ 1])  # noqa: E731
    assert "sha256 is not the one recorded" in refused(
        edited(parcel, tmp_path / "a.zip", "weights.safetensors", change)
    )


def test_announced_weights_that_are_not_finite_are_refused(parcel, tmp_path):
    files = unpacked(parcel)
    state = safetensors.torch.load(files["first/weights.safetensors"])
    next(value for value in state.values() if value.is_floating_point()).fill_(float("nan"))  # counts come among them
    new = safetensors.torch.save(state)
    old, sha = (hashlib.sha256(each).hexdigest() for each in (files["first/weights.safetensors"], new))
    files["first/events.jsonl"] = marked(files["first/events.jsonl"].replace(old.encode(), sha.encode()))
    reason = refused(packed(tmp_path / "a.zip", files | {"first/weights.safetensors": new}))
    assert "some are not finite" in reason


def npz(**found) -> bytes:
    file = io.BytesIO()
    np.savez_compressed(file, **found)
    return file.getvalue()


def npz_of(header: bytes) -> bytes:
    """An npz whose one array has this header."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("val.npy", b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header)
    return file.getvalue()


def png(labels: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(labels).save(file, "PNG")
    return file.getvalue()


def event(kind: str, **change):
    """Changes the first event of a kind."""

    def changed(content: bytes) -> bytes:
        lines = content.split(b"\n")
        place = next(n for n, line in enumerate(lines) if f'"kind":"{kind}"'.encode() in line)
        lines[place] = json.dumps(json.loads(lines[place]) | change).encode()
        return b"\n".join(lines)

    return changed


def scored(**change):
    def changed(content: bytes) -> bytes:
        lines = content.split(b"\n")
        place = next(n for n, line in enumerate(lines) if b'"kind":"evaluated"' in line)
        found = json.loads(lines[place])
        found["scores"]["val"] |= change
        lines[place] = json.dumps(found).encode()
        return b"\n".join(lines)

    return changed


def note(template: str, **values):
    return event("started", notes=[{"template": template, "values": values}])


def nested(depth: int) -> dict:
    inner = nested(depth - 1) if depth else "x"
    return {"template": "{a}", "values": {"a": inner}}


WRONG = {
    "no json": ("config.json", lambda _: b"{"),
    "deep json": ("config.json", lambda _: b"[" * 200_000),
    "a list": ("config.json", lambda _: b"[]"),
    "a field more": ("config.json", as_json(lambda config: config | {"run_this": "x"})),
    "no configuration": ("config.json", lambda _: None),
    "no description": ("dataset.json", lambda _: None),
    "no events": ("events.jsonl", lambda _: None),
    "no weights": ("weights.safetensors", lambda _: None),
    "a class without a color": ("dataset.json", as_json(lambda known: known | {"colors": known["colors"][1:]})),
    "a class twice": ("dataset.json", as_json(lambda known: known | {"classes": ["sky"] * len(known["classes"])})),
    "a color beyond white": ("dataset.json", as_json(lambda known: known | {"colors": [[256, 0, 0]] * 11})),
    "a name that is none": ("dataset.json", as_json(lambda known: known | {"classes": [1] * 11})),
    "a sample beyond": ("dataset.json", as_json(lambda known: known | {"samples": [99]})),
    "something else known": ("dataset.json", as_json(lambda known: known | {"command": "rm"})),
    "no val": ("dataset.json", as_json(lambda known: known | {"images": {"train": [], "search": []}})),
    "a hash that is none": ("dataset.json", as_json(lambda known: known | {"learned": ["x" * 32]})),
    "a span upside down": ("dataset.json", as_json(lambda known: known | {"span": [9, 3]})),
    "no end": ("events.jsonl", lambda content: b"\n".join(content.split(b"\n")[:-2]) + b"\n"),
    "no start": ("events.jsonl", lambda content: content.partition(b"\n")[2]),
    "a torn line": ("events.jsonl", lambda content: content + b"{"),
    "no event": ("events.jsonl", lambda content: b"{}\n" + content),
    "a long line": ("events.jsonl", lambda content: b" " * 300_000 + content),
    "a deep line": ("events.jsonl", lambda content: b"[" * 200_000 + b"\n" + content),
    "no steps": ("events.jsonl", event("started", total_steps=0)),
    "no val in the start": ("events.jsonl", event("started", dataset={})),
    "too many classes scored": ("events.jsonl", scored(iou=[0.5] * 12)),
    "a score above 1": ("events.jsonl", scored(miou=1.5)),
    "a huge number": ("events.jsonl", event("stepped", loss=1e300)),
    "no number": ("events.jsonl", event("stepped", loss=float("nan"))),
    "a part less": ("events.jsonl", event("evaluated", scores={})),
    "a look at the program": ("events.jsonl", note("{a.__class__}", a="x")),
    "a look into a list": ("events.jsonl", note("{a[0]}", a="x")),
    "a gigabyte of spaces": ("events.jsonl", note("{a:>1000000000}", a="x")),
    "a conversion": ("events.jsonl", note("{a!r}", a="x")),
    "a place instead of a name": ("events.jsonl", note("{0}", **{"0": "x"})),
    "a place in other digits": ("events.jsonl", note("{٣}", **{"٣": "x"})),
    "an open brace": ("events.jsonl", note("{", a="x")),
    "a missing value": ("events.jsonl", note("{a}")),
    "a value of the teller's": ("events.jsonl", note("{self}", self="x")),
    "a value of the page's": ("events.jsonl", note("{lang}", lang="x")),
    "sentences in sentences": (
        "events.jsonl",
        note("{a}", a=nested(4)),
    ),
    "a matrix less": ("evaluation.npz", lambda _: npz(val=np.zeros((1, 11, 11), np.int64))),
    "matrices of floats": ("evaluation.npz", lambda _: npz(val=np.zeros((2, 11, 11)))),
    "one number for a matrix": ("evaluation.npz", lambda _: npz(train=np.array(3))),
    "a header that is no Python": ("evaluation.npz", lambda _: npz_of(b"{'descr': '<i8', ((" + b" " * 40)),
    "negative counts": ("evaluation.npz", lambda _: npz(val=np.full((2, 11, 11), -1))),
    "an array more": ("evaluation.npz", lambda _: npz(val=np.zeros((2, 11, 11), np.int64), more=np.zeros(3, np.int64))),
    "objects": ("evaluation.npz", lambda _: npz(val=np.array([{"a": 1}], object))),
    "no npz": ("evaluation.npz", lambda _: b"PK\x03\x04 nothing"),
    "probabilities without end": ("probabilities.npz", lambda _: npz(**{"0": np.full((11, 4, 4), np.inf, np.float16)})),
    "probabilities of other images": ("probabilities.npz", lambda _: npz(**{"7": np.zeros((11, 4, 4), np.float16)})),
    "a class more in a mask": ("truth/0000.png", lambda _: png(np.full((48, 64), 11, np.uint8))),
    "a mask of another size": ("predictions/0001.png", lambda _: png(np.zeros((48, 63), np.uint8))),
    "a mask less": ("predictions/0001.png", lambda _: None),
    "a sample less": ("samples/epoch_001/0000.png", lambda _: None),
    "no picture": ("truth/0000.png", lambda _: b"<svg/>"),
    "a manifest that is none": ("shipped.json", lambda _: b'{"names": "maybe", "run": 1}'),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
def test_a_zip_that_is_not_as_it_should_be_is_refused(case, parcel, tmp_path):
    name, change = WRONG[case]
    assert refused(edited(parcel, tmp_path / "a.zip", name, change)) not in ("", "the zip is damaged")


def test_more_than_one_run_or_none_is_refused(parcel, tmp_path):
    files = unpacked(parcel)
    twice = files | {name.replace("first", "second"): content for name, content in files.items()}
    assert "holds 2 runs" in refused(packed(tmp_path / "two.zip", twice))
    assert "holds 0 runs" in refused(packed(tmp_path / "none.zip", {"a.txt": b"x"}))
    (tmp_path / "no.zip").write_bytes(b"hello")
    assert "damaged" in refused(tmp_path / "no.zip")


@pytest.mark.parametrize("name", ["../first/x.png", "/etc/passwd", "C:/x.png", "first\\..\\..\\x.png"])
def test_a_name_that_leads_elsewhere_is_refused(name, parcel, tmp_path):
    assert "points outside" in refused(packed(tmp_path / "a.zip", unpacked(parcel) | {name: b"x"}))


def test_a_link_is_refused(parcel, tmp_path):
    path = packed(tmp_path / "a.zip", unpacked(parcel))
    with zipfile.ZipFile(path, "a") as archive:
        entry = zipfile.ZipInfo("first/predictions/0009.png")
        entry.external_attr = 0o120777 << 16
        archive.writestr(entry, "/etc/passwd")
    assert "is a link" in refused(path)


def test_a_zip_that_grows_too_much_is_refused_before_it_is_unpacked(parcel, tmp_path, monkeypatch):
    monkeypatch.setattr(zipfile.ZipExtFile, "read", lambda *given: pytest.fail("it was unpacked"))
    with pytest.raises(SeglabError, match="when unpacked; allowed: 0 MB"):
        runs.bring(parcel, most_bytes=1000)
    files = {f"first/{n}.txt": b"" for n in range(bringing.MOST_ENTRIES + 1)}
    assert "entries; allowed" in refused(packed(tmp_path / "many.zip", files))


def test_a_zip_within_the_zip_grows_no_more_than_its_arrays_may(parcel, tmp_path, monkeypatch):
    monkeypatch.setattr(zips, "GROWN", 1 << 16)
    bomb = npz(val=np.zeros((2, 11, 200_000), np.int64))
    assert "grows more than" in refused(edited(parcel, tmp_path / "a.zip", "evaluation.npz", lambda _: bomb))


def test_names_and_classes_from_elsewhere_are_fit_to_print(parcel, tmp_path):
    def change(known):
        known["classes"][0] = "sky\u202e\x1b[31m"

    brought, _ = runs.bring(edited(parcel, tmp_path / "a.zip", "dataset.json", as_json(change)))
    assert runs.description(brought)["classes"][0] == r"sky\u202e\x1b[31m"


def test_masks_are_written_anew_without_what_else_was_in_their_files(parcel, tmp_path):
    def change(content):
        image, file = Image.open(io.BytesIO(content)), io.BytesIO()
        from PIL.PngImagePlugin import PngInfo

        info = PngInfo()
        info.add_text("Comment", "SECRET")
        image.save(file, "PNG", pnginfo=info)
        return file.getvalue() + b"SECRET"

    brought, _ = runs.bring(edited(parcel, tmp_path / "a.zip", "truth/0000.png", change))
    assert holding(brought, "SECRET") == set()


@pytest.mark.parametrize("seed", range(60))
def test_a_zip_with_any_bytes_changed_is_a_sound_run_or_refused_with_a_reason(seed, parcel, tmp_path):
    chance, content = random.Random(seed), bytearray(parcel.read_bytes())
    for _ in range(chance.choice((1, 1, 3))):
        place = chance.randrange(len(content))
        content[place : place + chance.choice((1, 4))] = chance.randbytes(chance.choice((1, 4)))
    (tmp_path / "a.zip").write_bytes(content)
    whole_or_refused(tmp_path / "a.zip")


PARTS = ("config.json", "dataset.json", "events.jsonl", "weights.safetensors", "evaluation.npz", "probabilities.npz",
         "truth/0000.png", "samples/epoch_001/0001.png", "shipped.json")  # fmt: skip


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", PARTS)
def test_a_file_with_any_bytes_changed_is_a_part_of_a_sound_run_or_refused_with_a_reason(name, seed, parcel, tmp_path):
    chance = random.Random(f"{name} {seed}")

    def change(content):
        content = bytearray(content)
        for _ in range(chance.choice((1, 1, 3))):
            place = chance.randrange(min(len(content), 2000))  # headers are where it hurts
            if chance.random() < 0.3:
                del content[place : place + chance.randrange(1, 50)]
            elif chance.random() < 0.5:
                content[place : place + 1] = chance.choice((b"9" * 20, b"\x00", b"null", b"-", b'"', b"{", b"\xff" * 4))
            else:
                content[place] = chance.randrange(256)
        return bytes(content)

    file = edited(parcel, tmp_path / "a.zip", name, change)
    if name == "weights.safetensors":  # whoever changes them announces them
        files = unpacked(file)
        old, new = (hashlib.sha256(unpacked(each)["first/weights.safetensors"]).hexdigest() for each in (parcel, file))
        files["first/events.jsonl"] = marked(files["first/events.jsonl"].replace(old.encode(), new.encode()))
        packed(file, files)
    whole_or_refused(file)


def whole_or_refused(file: Path) -> None:
    """Everything that reads runs can read what was taken in; what was not has left nothing."""
    from seglab.comparison import compare, curves_csv
    from seglab.ui.parts import masks, scores
    from tests.page import row

    try:
        brought, _ = runs.bring(file)
    except SeglabError:
        assert [path for path in runs.home().rglob("*") if path.is_file()] == []
        return
    comparison = compare([brought])
    assert comparison.rows[0].state in ("completed", "budget", "stopped", "diverged", "failed")
    assert curves_csv(brought)
    assert f">{runs.label(brought).name}<" in scores.html([brought], "ko") and scores.png([brought])
    assert row(brought, "ko")["state"] == comparison.rows[0].state and masks.strip([brought], "en")["sets"]
    with contextlib.suppress(SeglabError):
        runs.opened(brought).val[max(runs.description(brought)["samples"])]
    evidence = runs.Evidence(brought)
    for place in range(len(evidence.names)):
        evidence.truth(place), evidence.labels(place)
    assert evidence.confusions().shape[1] == len(runs.load(brought).classes)
    travel.take(brought, file.with_name("again.zip"))
