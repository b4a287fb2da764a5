"""The command line, as a person types it."""

import itertools
import json
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from seglab import __version__, cli, machine, prediction, runs
from seglab.cli.options import OF_FAMILY
from seglab.config import RunConfig, configured
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from tests.conftest import finish, tiny

SMALL = shlex.split("""
--data streets --data.train_images 8 --data.val_images 4 --data.size 64 --model unet --model.width 4 --model.depth 2
--image_size 64 --batch_size 4 --epochs 1 --device cpu --threads 1
""")


def seglab(capsys, *arguments):
    """Exit status, standard output and standard error of one command."""
    with pytest.raises(SystemExit) as ended:
        cli.main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return ended.value.code, captured.out, captured.err


@pytest.fixture
def run(runs_home):
    return finish(runs.create(tiny(epochs=6, optimizer={"name": "adamw", "lr": 1e-2}), "finished"))


def test_list_shows_every_entry_of_every_family(capsys):
    code, out, _ = seglab(capsys, "list", "--json")
    found = json.loads(out)
    assert code == 0 and list(found) == list(FAMILIES)
    for family, entries in found.items():
        assert [entry["name"] for entry in entries] == list(FAMILIES[family].entries)
        assert all(set(entry) == {"name", "summary", "source", "options"} for entry in entries)
    width = next(entry for entry in found["architectures"] if entry["name"] == "unet")["options"]["width"]
    assert (width["minimum"], width["maximum"], width["default"]) == (4, 128, 16)


def test_list_of_one_family_keeps_its_outer_key(capsys):
    assert list(json.loads(seglab(capsys, "list", "losses", "--json")[1])) == ["losses"]
    code, out, _ = seglab(capsys, "list", "losses")
    assert code == 0 and "dice" in out and ".smooth" in out and "flips" not in out


@pytest.mark.slow
def test_train_prints_the_run_s_directory_and_nothing_else():
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "seglab", "train", *SMALL, "--name", "mine"]
    found = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert found.returncode == 0, found.stderr
    assert found.stdout == f"{runs.home() / 'mine'}\n" and "Traceback" not in found.stderr
    assert runs.status(runs.home() / "mine").state == "completed"


def test_every_option_reaches_the_configuration(capsys):
    code, out, err = seglab(
        capsys, "train", *SMALL, "--loss", "cross_entropy + 0.5*dice", "--loss.dice.smooth", "3", "--scheduler", "step",
        "--scheduler.step_size=4", "--techniques", "flip,color", "--techniques.color.p", "0.5", "--optimizer", "adamw",
        "--optimizer.lr", "2e-3", "--seed", "7", "--budget_seconds", "300", "--fold.index", "1", "--fold.of", "3",
    )  # fmt: skip
    assert code == 0, err
    config = runs.config(runs.find(out.strip()))
    assert config.loss.parts[1].loss.smooth == 3 and config.scheduler.step_size == 4 and config.seed == 7
    assert config.techniques[1].p == 0.5 and config.optimizer.lr == 2e-3 and config.fold.of == 3
    assert config.model.width == 4 and config.data.size == 64 and config.budget_seconds == 300


def test_an_option_may_say_whose_it_is():
    given = {"model": "unet", "loss": "dice"}
    found = configured(given, {"model.unet.width": "8", "loss.dice.smooth": "3"})
    assert found == configured(given, {"model.width": "8", "loss.smooth": "3"})
    assert (found.model.width, found.loss.smooth) == (8, 3)
    for option, names in (("loss.focal.gamma", "dice"), ("model.fcn.width", "unet"), ("model.unet.width.x", "unet")):
        with pytest.raises(SeglabError, match=f"--{option} is not an option here; entries that can take one: {names}"):
            configured(given, {option: "1"})


def test_a_configuration_file_is_changed_by_the_options_beside_it(capsys, tmp_path):
    (tmp_path / "config.json").write_text(tiny(epochs=1, seed=5, techniques=["flip"]).model_dump_json())
    code, out, err = seglab(
        capsys,
        "train",
        "--config",
        tmp_path / "config.json",
        "--model.width",
        "8",
        "--techniques.flip.p",
        "1",
        "--device",
        "cpu",
    )
    assert code == 0, err
    config = runs.config(runs.find(out.strip()))
    assert (config.model.width, config.model.depth, config.seed, config.techniques[0].p) == (8, 2, 5, 1.0)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["train", "--model", "unt"], ["'unt'", "did you mean 'unet'"]),
        (["train", "--model.widht", "8"], ["'widht'", "'width'"]),
        (["train", "--model.width", "1"], ["model.width", "4 or more"]),
        (["train", "--modle", "unet"], ["'modle'", "'model'"]),
        (["train", "--modle.width", "8"], ["'modle'", "'model'"]),
        (["train", "--model.width"], ["--model.width has no value"]),
        (["train", "--model.width", "--seed", "1"], ["--model.width has no value"]),
        (["train", "--init_from", "nothing"], ["'nothing'"]),
        (["data", "--data", "streets", "--model.width", "8"], ["--model.width", "--data.OPTION"]),
        (["compare", "nothing", "--model.width", "8"], ["--model.width"]),
        (["train", "--techniques", "flip,colr"], ["'colr'", "'color'"]),
        (["train", "--techniques", "flip", "--techniques.color.p", "1"], ["techniques.color.p", "flip"]),
        (["train", "--epochs", "many"], ["epochs", "'many'", "whole number"]),
        (["train", "--data", "camvid", "--data.root", "/nowhere"], ["/nowhere"]),
        (["train", "--config", "/nowhere.json"], ["/nowhere.json"]),
        (["train", "--name", "a/b"], ["a/b", "not allowed"]),
        (["train", "--device", "tpu"], ["tpu", "cpu"]),
        (["train", "--threads", "0"], ["'0'", "1 to 1024"]),
        (["train", "--seed", "1", "--seed.x", "3"], ["--seed.x", "no options of its own"]),
        (["train", "--fold", "3", "--fold.index", "1"], ["--fold.index"]),
        (["resume", "nothing"], ["'nothing'"]),
        (["evaluate", "nothing"], ["'nothing'"]),
        (["evaluate", "nothing", "--predictors", "crff"], ["'crff'", "'crf'"]),
        (["predict", "nothing", "x.jpg", "--out", "/tmp/x"], ["'nothing'"]),
        (["predict", "nothing", "x.jpg", "--out", __file__], ["--out", "is a file"]),
        (["compare", "nothing", "--png", "/nowhere/x.png"], ["--png", "no folder /nowhere"]),
        (["describe", "unet", "--png", "x.abc"], ["--png", "'.abc'", ".png"]),
        (["data", "--data", "streets", "--sheet", "x"], ["--sheet", "''", ".png"]),
        (["data", "--data", "streets", "--sheet", "x.svg"], ["--sheet", "'.svg'", ".png"]),
        (["compare", "nothing", "--png", "x.svg"], ["'nothing'"]),
        (["data", "--data", "streets", "--border", "/nowhere/x.png"], ["--border", "no folder /nowhere"]),
        (["compare", "nothing"], ["'nothing'"]),
        (["describe", "unt"], ["'unt'", "did you mean 'unet'"]),
        (["describe", "unet", "--model.widht", "8"], ["'widht'", "'width'"]),
        (["describe", "unet", "--data.size", "8"], ["--data.size", "--model.OPTION"]),
        (["describe", "unet", "--image_size", "5"], ["image_size", "32 or more"]),
        (["list", "looses"], ["looses", "losses"]),
        (["compare", "nothing", "--jsn"], ["--jsn"]),
        (["fly"], ["fly"]),
        (["train", "--lr", "3"], ["--lr is not an option", "did you mean --optimizer.lr?"]),
        (["train", "--gamma=2", "--loss", "focal + dice"], ["did you mean --loss.focal.gamma?"]),
        (["train", "--model", "unt", "--help"], ["'unt'", "did you mean 'unet'"]),
        (["train", "--config", __file__], ["test_cli.py", "cannot be read"]),
        (["rm", "nothing"], ["'nothing'"]),
        (["rm", "unet", "--yes"], ["unet comes with seglab"]),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_a_mistake_ends_in_one_line_and_status_2(capsys, arguments, words):
    code, out, err = seglab(capsys, *arguments)
    assert code == 2 and out == ""
    assert len(err.strip().splitlines()) == 1 and "Traceback" not in err
    for word in words:
        assert word in err
    assert not runs.home().exists() or not list(runs.home().iterdir())


def test_a_diverged_run_ends_with_status_1(capsys, monkeypatch):
    monkeypatch.setattr(
        "seglab.losses.pixel.F.cross_entropy", lambda logits, *rest, **named: logits.sum() * float("nan")
    )
    code, _, err = seglab(capsys, "train", *SMALL, "--loss", "cross_entropy", "--name", "mad")
    assert code == 1 and "diverged" in err and runs.status(runs.home() / "mad").state == "diverged"


def test_resume_goes_on_with_a_stopped_run(capsys, runs_home):
    directory = runs.create(tiny(), "halted")
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    assert list(stream)[-1].reason == "stopped"
    code, out, err = seglab(capsys, "resume", "halted", "--device", "cpu", "--threads", "1")
    assert (code, out) == (0, ""), err
    assert runs.status(directory).state == "completed"
    code, _, err = seglab(capsys, "resume", "halted", "--device", "cpu")
    assert code == 2 and "nothing to resume" in err


def test_resume_leaves_a_run_at_work_to_its_worker_and_its_stop(capsys):
    directory = runs.create(tiny(epochs=50))
    stream = runs.work(directory)
    next(stream)
    runs.stop(directory)
    code, _, err = seglab(capsys, "resume", directory)
    assert code == 2 and "busy" in err
    assert list(stream)[-1].reason == "stopped"


def test_evaluate_gives_the_recorded_score_and_the_score_after_the_crf(capsys, run):
    code, out, err = seglab(capsys, "evaluate", run, "--crf", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert set(found) == {"miou", "iou", "pixel_accuracy", "images", "definition", "crf"}
    assert set(found["crf"]) == {"miou", "iou", "pixel_accuracy"}
    assert found["images"] == 2 and found["miou"] == pytest.approx(runs.status(run).finished.val_miou, abs=2e-3)
    assert found["crf"]["miou"] != found["miou"]
    assert list(found["iou"]) == runs.description(run)["classes"]
    code, out, _ = seglab(capsys, "evaluate", run, "--split", "search")
    assert code == 0 and "miou" in out and "crf" not in out


def test_predict_writes_a_palette_map_and_an_overlay_at_the_image_s_own_size(capsys, run, tmp_path):
    rng = np.random.default_rng(0)
    photos = {
        "colour.png": Image.fromarray(rng.integers(0, 255, (70, 90, 3), np.uint8)),
        "grey.png": Image.fromarray(rng.integers(0, 255, (33, 150), np.uint8)),
        "deep.png": Image.fromarray(rng.integers(0, 65535, (64, 64)).astype(np.uint16)),
        "alpha.png": Image.fromarray(rng.integers(0, 255, (40, 40, 4), np.uint8)),
    }
    for name, photo in photos.items():
        photo.save(tmp_path / name)
    turned = Image.fromarray(rng.integers(0, 255, (60, 100, 3), np.uint8))
    exif = turned.getexif()
    exif[0x0112] = 6
    turned.save(tmp_path / "turned.jpg", exif=exif)
    names = [*photos, "turned.jpg"]
    code, _, err = seglab(
        capsys, "predict", run, *(tmp_path / name for name in names), "--out", tmp_path / "out", "--crf"
    )
    assert code == 0, err
    for name in names:
        stem = name.split(".")[0]
        size = (60, 100) if stem == "turned" else photos[name].size
        labels, drawn = (
            Image.open(tmp_path / "out" / f"{stem}.png"),
            Image.open(tmp_path / "out" / f"{stem}_overlay.png"),
        )
        assert labels.mode == "P" and labels.size == size == drawn.size
        assert np.array(labels).max() < len(runs.description(run)["classes"])


def test_predict_says_what_is_wrong_with_an_image(capsys, run, tmp_path):
    (tmp_path / "text.jpg").write_text("hello")
    code, _, err = seglab(capsys, "predict", run, tmp_path / "text.jpg", "--out", tmp_path / "out")
    assert code == 2 and "text.jpg" in err and len(err.strip().splitlines()) == 1


@pytest.fixture
def photos(tmp_path):
    """A folder of three photographs and other things."""
    folder = tmp_path / "photos"
    (folder / "nested.png").mkdir(parents=True)
    for name in ("b.png", "a.JPG", "c.webp", ".hidden.png", "nested.png/deep.png"):
        Image.fromarray(np.full((40, 48, 3), 90, np.uint8)).save(folder / name)
    (folder / "notes.txt").write_text("no picture")
    return folder


def test_predict_takes_the_pictures_of_a_folder_by_name(capsys, run, photos, tmp_path):
    code, out, err = seglab(capsys, "predict", run, photos, "--out", tmp_path / "out")
    assert code == 0 and not err
    assert out.split() == [str(tmp_path / "out" / f"{stem}.png") for stem in "abc"]
    names = [f"{stem}{end}.png" for stem in "abc" for end in ("", "_overlay")]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names


BROKEN = {  # what stands in a file, or None for none, and what is told of it
    "broken.png": (b"\x89PNG\r\n\x1a\n broken", "the image is damaged"),
    "text.jpg": (b"hello", "not an image"),
    "empty.webp": (b"", "the file is empty"),
    "gone.png": (None, "there is no such file"),
    "gone/*.png": (None, "no file matches this pattern"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_predict_goes_on_past_what_is_broken_and_tells_it_at_the_end(capsys, run, photos, tmp_path, name):
    content, reason = BROKEN[name]
    if content is not None:
        (tmp_path / name).write_bytes(content)
    code, out, err = seglab(capsys, "predict", run, tmp_path / name, photos, "--out", tmp_path / "out")
    assert code == 2 and err.startswith(f"seglab: {tmp_path / name}: {reason}") and err.count("\n") == 1
    assert out.split() == [str(tmp_path / "out" / f"{stem}.png") for stem in "abc"]
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_predict_tells_of_every_broken_photograph_of_a_folder(capsys, run, photos, tmp_path, monkeypatch):
    (photos / "a2.png").write_bytes(b"hello")
    (photos / "z.tif").write_bytes(b"")
    real = prediction.predict
    monkeypatch.setattr(prediction, "predict", lambda *given: give_up() if next(count) == 1 else real(*given))
    count = itertools.count()

    def give_up():
        raise SeglabError("the dense CRF failed")

    code, out, err = seglab(capsys, "predict", run, photos, "--out", tmp_path / "out")
    wrong = [line.removeprefix(f"seglab: {photos}/") for line in err.splitlines()]
    assert code == 2 and [line.partition(":")[0] for line in wrong] == ["a2.png", "b.png", "z.tif"]
    assert wrong[1] == "b.png: the dense CRF failed"
    assert (
        sorted(path.name for path in (tmp_path / "out").glob("?.png")) == ["a.png", "c.png"] and len(out.split()) == 2
    )


@pytest.mark.parametrize("names", [(), (".hidden.png",), ("notes.txt", "x.heic"), ("nested/deep.png",)], ids=str)
def test_predict_names_a_folder_without_pictures(capsys, tmp_path, names):
    for name in ("here", *names):
        path = tmp_path / "here" / name if name != "here" else tmp_path / name / "x"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"") if name != "here" else None
    code, out, err = seglab(capsys, "predict", "unet", tmp_path / "here", "--out", tmp_path / "out")
    assert code == 2 and not out and not (tmp_path / "out").exists()
    assert err.startswith(f"seglab: {tmp_path}/here: there are no images in it; allowed: .bmp, ")
    assert err.endswith("folders within it are not looked into\n")


def test_predict_refuses_two_photographs_of_one_result(capsys, tmp_path):
    for name in ("x.jpg", "x.png"):
        (tmp_path / "here" / name).parent.mkdir(exist_ok=True)
        Image.fromarray(np.full((40, 48, 3), 90, np.uint8)).save(tmp_path / "here" / name)
    code, _, err = seglab(capsys, "predict", "unet", tmp_path / "here", "--out", tmp_path / "out")
    assert code == 2 and f"here/x.png would overwrite {tmp_path}/out/x.png, which is made of" in err
    assert "here/x.jpg; rename one" in err and not (tmp_path / "out").exists()


def test_predict_says_once_and_at_the_start_that_a_network_cannot_be_changed(capsys, run, photos, tmp_path):
    code, out, err = seglab(capsys, "predict", run, photos, "--predictors", "depth", "--out", tmp_path / "out")
    assert "depth" in err and code == 2 and not out and err.count("\n") == 1 and not (tmp_path / "out").exists()


LARGE = pytest.param((5000, 3400), marks=pytest.mark.slow)


@pytest.mark.parametrize("size", [(1, 1), (3, 200), LARGE, (20000, 20)], ids=str)
def test_predict_takes_a_photograph_of_any_size(capsys, run, tmp_path, size):
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 256, (min(size[1], 340), min(size[0], 500), 3), dtype=np.uint8))
    small.resize(size).save(tmp_path / "photo.jpg")
    code, _, err = seglab(capsys, "predict", run, tmp_path / "photo.jpg", "--out", tmp_path / "out")
    assert code == 0, err
    assert Image.open(tmp_path / "out" / "photo.png").size == Image.open(tmp_path / "out" / "photo_overlay.png").size
    assert Image.open(tmp_path / "out" / "photo.png").size == size


def test_predict_never_overwrites_a_photograph(capsys, run, tmp_path):
    photo = tmp_path / "photo.png"
    Image.fromarray(np.full((64, 64, 3), 90, np.uint8)).save(photo)
    before = photo.read_bytes()
    code, _, err = seglab(capsys, "predict", run, photo, "--out", tmp_path)
    assert code == 2 and "photo.png would overwrite" in err and photo.read_bytes() == before
    (tmp_path / "photo_overlay.jpg").write_bytes(before)
    code, _, err = seglab(capsys, "predict", run, photo, tmp_path / "photo_overlay.jpg", "--out", tmp_path / "out")
    assert code == 2 and "photo_overlay.jpg would overwrite" in err


@pytest.mark.parametrize(
    "command",
    [
        ["predict", "unet", "photo.png", "--out", "/sys/maps"],
        ["compare", "unet", "--png", "/sys/curves.png"],
        ["describe", "unet", "--png", "/sys/net.svg"],
        ["data", "--data", "streets", "--sheet", "/sys/sheet.png"],
        ["ship", "unet", "--out", "/sys/copy"],
    ],
    ids=lambda command: command[0],
)
def test_a_folder_for_results_that_cannot_be_written_to_is_told_at_the_start(capsys, command):
    code, _, told = seglab(capsys, *command)
    line = r"seglab: /sys(/\w+)? cannot be written to \(.*\); change its permissions, or use another folder\n"
    assert code == 2 and re.fullmatch(line, told), told


def test_a_configuration_that_is_no_object_is_refused(capsys, tmp_path):
    (tmp_path / "config.json").write_text("[1]")
    code, _, err = seglab(capsys, "train", "--config", tmp_path / "config.json", "--epochs", "1")
    assert code == 2 and "[1]" in err


def test_compare_shows_curves_scores_and_only_what_differs(capsys, run, tmp_path):
    other = runs.create(
        tiny(
            model={"name": "encoder_decoder", "width": 4, "depth": 2},
            seed=3,
            epochs=6,
            optimizer={"name": "adamw", "lr": 1e-2},
        ),
        "other",
    )
    finish(other)
    code, out, err = seglab(capsys, "compare", run, other, "--json", "--png", tmp_path / "curves.png")
    assert code == 0, err
    found = json.loads(out)
    assert found["differences"] == {"model": ["unet", "encoder_decoder"], "seed": [0, 3]}
    whole = {"train_loss", "val_loss", "train_miou", "val_miou", "lr", "step_loss"}
    assert found["terms"] == ["cross_entropy", "dice"]
    assert set(found["curves"]) == whole | {f"{part} {term}" for part in ("train", "val") for term in found["terms"]}
    assert [epoch for epoch, _ in found["curves"]["val_miou"][1]] == [1, 2, 3, 4, 5, 6]
    assert [row["run"] for row in found["runs"]] == ["finished", "other"] and found["same_data"]
    assert Image.open(tmp_path / "curves.png").size[0] > 1000
    code, out, _ = seglab(capsys, "compare", run, other)
    assert code == 0 and "encoder_decoder" in out and "seed: 0 | 3" in out


def test_three_settings_are_compared_with_the_best_of_them(capsys):
    names = ("encoder_decoder", "unet", "unet_vgg16")
    code, out, err = seglab(capsys, "compare", *names)
    assert code == 0 and "0.6708 *" in out and "2 looked at at once" in out and "0.85 standard deviations" in out, err
    found = json.loads(seglab(capsys, "compare", *names, "--json")[1])["grid"]
    assert found["best"] == 1 and [each["against"] and each["against"]["tied"] for each in found["settings"]] == [
        False, None, False,
    ]  # fmt: skip
    assert found["frontiers"]["parameters"] == [0, 1] and found["layout"]["cells"] == [[[0], [1], [2]]]
    assert not re.search(r"\b(p|tail)\b", " ".join(found["settings"][0]["against"]))
    assert json.loads(seglab(capsys, "compare", *names[:2], "--json")[1])["grid"] is None
    for name, scored in (("one", 24), ("two", 24), ("three", 22)):
        seed = ("one", "two", "three").index(name)
        data = {"name": "streets", "train_images": 4, "val_images": scored, "size": 64}
        model = {"name": "unet", "width": 4 + seed, "depth": 2}
        finish(runs.create(tiny(data=data, model=model, epochs=1), name))
    code, out, _ = seglab(capsys, "compare", "one", "two", "three")
    assert code == 0 and "left out, scored on other images than most: three" in out


def test_scores_are_comparable_where_the_same_images_were_scored_whatever_was_learned_from(capsys):
    for name, options in {
        "few": {"data": {"name": "streets", "train_images": 4, "val_images": 4, "size": 64}},
        "more": {"data": {"name": "streets", "train_images": 8, "val_images": 4, "size": 64}},
        "fold": {"data": {"name": "streets", "train_images": 8, "val_images": 4, "size": 64}, "fold": {"of": 2}},
        "other": {
            "data": {"name": "streets", "train_images": 8, "val_images": 4, "size": 64},
            "fold": {"of": 2, "index": 1},
        },
    }.items():
        finish(runs.create(tiny(**options, epochs=1), name))

    def same(*names):
        return json.loads(seglab(capsys, "compare", *names, "--json")[1])["same_data"]

    assert same("few", "more") and not same("more", "fold") and not same("fold", "other")


def test_options_of_an_entry_may_stand_anywhere(capsys, run):
    first = seglab(capsys, "evaluate", "--predictors.flips.vertical", "true", run, "--predictors", "flips", "--json")
    last = seglab(capsys, "evaluate", run, "--json", "--predictors=flips", "--predictors.flips.vertical=true")
    assert first == last and first[0] == 0


def test_warnings_about_the_data_are_told(capsys, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for n in range(4):
        Image.fromarray(np.full((64, 64, 3), 40 * n, np.uint8)).save(tmp_path / "data" / "images" / f"{n}.png")
        mask = (np.arange(64 * 64).reshape(64, 64) // 32 % 2).astype(np.uint8)
        Image.fromarray(mask).save(tmp_path / "data" / "masks" / f"{n}.png")
    (tmp_path / "data" / "classes.txt").write_text("ground\nthing\nghost\n")
    options = ["--data", "folder", "--data.root", tmp_path / "data", "--model.width", "4", "--model.depth", "2"]
    code, out, err = seglab(capsys, "train", *options, "--image_size", "64", "--epochs", "1", "--threads", "1")
    assert code == 0 and "note: no training mask shows ghost" in err, err
    assert [str(note.error()) for note in runs.events(Path(out.strip()))[0].notes]


def test_the_order_of_techniques_is_a_difference(capsys):
    for name, order in (("one", ("flip", "color")), ("two", ("color", "flip"))):
        finish(runs.create(tiny(techniques=order, epochs=1), name))
    found = json.loads(seglab(capsys, "compare", "one", "two", "--json")[1])
    assert found["differences"] == {"techniques": ["flip, color", "color, flip"]}


def test_runs_of_one_configuration_are_told_apart_by_their_whole_names(capsys):
    for name in ("alpha-first", "omega-first"):
        finish(runs.create(tiny(epochs=1), name))
    found = json.loads(seglab(capsys, "compare", "alpha-first", "omega-first", "--json")[1])
    assert [row["label"] for row in found["runs"]] == ["alpha-first", "omega-first"]


def test_the_help_names_every_field(capsys):
    out = seglab(capsys, "train", "--help")[1]
    for name in RunConfig.model_fields:
        assert f"--{name}" in out


def test_data_tells_each_class_s_share_in_every_split(capsys):
    few = ["--data.train_images", "4", "--data.val_images", "2", "--data.size", "64"]
    code, out, _ = seglab(capsys, "data", "--data", "streets", *few)
    assert code == 0 and "sizes: 64 x 48 (6 images)" in out and out.endswith("problems: 0\n")
    shares = [line.split()[-4:-1] for line in out.splitlines() if "%" in line and "void" not in line]
    assert len(shares) == 11
    for column in zip(*shares, strict=True):
        assert sum(float(share.rstrip("%")) for share in column) == pytest.approx(100, abs=0.6)


def test_data_names_wrong_files_one_by_one(capsys, tmp_path):
    from tests.test_datasets import put_mask, voc

    voc(tmp_path)
    for name in ("t0", "v1"):
        put_mask(tmp_path / "SegmentationClass" / f"{name}.png", 0, [0, 77])
    code, out, _ = seglab(capsys, "data", "--data", "voc2012", "--data.root", tmp_path)
    assert code == 2 and "problems: 2" in out
    assert [line.split(".png")[0] for line in out.splitlines() if "wrong" in line] == [
        f"wrong: SegmentationClass/{name}" for name in ("t0", "v1")
    ]
    for name in ("t1", "v2"):
        (tmp_path / "JPEGImages" / f"{name}.jpg").unlink()
    code, out, err = seglab(capsys, "data", "--data", "voc2012", "--data.root", tmp_path)
    assert code == 2 and "files with problems: 2" in err
    assert out.splitlines() == [f"wrong: JPEGImages/{name}.jpg: there is no such file" for name in ("t1", "v2")]


def test_data_downloads_only_what_has_a_public_place(capsys):
    code, _, err = seglab(capsys, "data", "--data", "kitti_road", "--download")
    assert code == 2 and "kitti_road cannot be downloaded from a public address" in err


def test_data_reports_a_folder_file_by_file_and_draws_a_sheet(capsys, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for n in range(6):
        Image.fromarray(np.full((48, 64, 3), 40 * n, np.uint8)).save(tmp_path / "images" / f"{n}.png")
        Image.fromarray((np.arange(48 * 64).reshape(48, 64) % 3).astype(np.uint8)).save(tmp_path / "masks" / f"{n}.png")
    arguments = ["data", "--data", "folder", "--data.root", tmp_path, "--sheet", tmp_path / "sheet.png"]
    code, out, err = seglab(capsys, *arguments, "--border", tmp_path / "border.png")
    assert code == 0 and "problems: 0" in out and "3 classes" in out, err
    assert Image.open(tmp_path / "sheet.png").size[0] > 2 * 64
    (pixel,) = set(Image.open(tmp_path / "border.png").convert("RGB").crop((132, 4, 250, 90)).get_flattened_data())
    assert pixel[0] == 255 and pixel[1] > 200  # each pixel of the three-coloured stripes is at a border
    Image.fromarray(np.zeros((48, 32), np.uint8)).save(tmp_path / "masks" / "3.png")
    code, out, _ = seglab(capsys, *arguments)
    assert code == 2 and "wrong: masks/3.png" in out and "32 x 48" in out
    code, out, _ = seglab(capsys, "data", "--data", "streets", "--data.val_images", "20", "--data.train_images", "4")
    assert code == 0 and "4 training, 10 search and 10 validation images" in out


def test_data_draws_the_borders_of_the_given_loss(capsys, tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / folder).mkdir()
    for n in range(3):
        Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(tmp_path / "images" / f"{n}.png")
        halves = (np.arange(48 * 64).reshape(48, 64) % 64 >= 32).astype(np.uint8)  # columns 0 to 31, 32 to 63
        Image.fromarray(halves).save(tmp_path / "masks" / f"{n}.png")
    asked = ["data", "--data", "folder", "--data.root", tmp_path, "--image_size", "64", "--border", tmp_path / "b.png"]

    def red(*options: str) -> np.ndarray:
        """Of the second picture's right half, pixels 1, 2, 3, ... from the left half's."""
        code, _, err = seglab(capsys, *asked, *options)
        assert code == 0, err
        return np.array(Image.open(tmp_path / "b.png"))[24, 64 + 32 : 64 + 64, 0]

    for sigma, options in (
        (5, []),
        (5, ["--loss", "dice + border_weighted"]),
        (1, ["--loss.sigma", "1"]),
        (20, ["--loss", "border_weighted", "--loss.sigma", "20"]),
    ):
        closeness = np.exp(-(np.arange(1, 33) ** 2) / (2 * sigma**2))  # 0 to the own half and n to the other
        np.testing.assert_allclose(red(*options), 255 * np.minimum(3 * closeness, 1), atol=1)
    for options, words in (
        (["--loss", "dice"], "the loss dice emphasizes no borders"),
        (["--loss", "border_weighted", "--loss.sigma", "0"], "sigma"),
        (["--loss", "border_wieghted"], "border_weighted"),
    ):
        code, _, err = seglab(capsys, *asked, *options)
        assert code == 2 and words in err, err
    for options in (["--loss", "border_weighted"], ["--loss.sigma", "3"]):
        code, _, err = seglab(capsys, *asked[:-2], *options)
        assert code == 2 and "--loss needs --border FILE" in err, err


def test_data_draws_what_techniques_make_of_the_training_images(capsys, tmp_path):
    few = ["data", "--data", "streets", "--data.train_images", "6", "--data.val_images", "2", "--data.size", "64"]
    sheet = ["--sheet", tmp_path / "sheet.png"]
    code, _, err = seglab(
        capsys, *few, *sheet, "--techniques", "flip", "--techniques.flip.p", "1", "--image_size", "64"
    )
    assert code == 0, err
    found = np.array(Image.open(tmp_path / "sheet.png"))
    before, after = found[:48, :64], found[:48, 132:196]  # image, mask, 4 pixels between, then the same flipped
    assert np.array_equal(before[:, ::-1], after) and not np.array_equal(before, after)
    for options, words in (
        ([*sheet, "--techniques", "ema"], "no technique that changes images"),
        (["--techniques", "flip"], "--sheet FILE"),
        ([*sheet, "--techniques", "flpi"], "did you mean 'flip'"),
        ([*sheet, "--techniques", "flip", "--techniques.crop.p", "1"], "--techniques.crop.p"),
    ):
        code, _, err = seglab(capsys, *few, *options)
        assert code == 2 and words in err


def test_describe_shows_what_a_network_is_made_of(capsys, tmp_path):
    arguments = ["describe", "unet", "--model.width", "8", "--model.depth", "2", "--image_size", "64", "--threads", "1"]
    code, out, err = seglab(capsys, *arguments, "--png", tmp_path / "unet.png")
    assert code == 0, err
    assert out.startswith("unet\n") and "31,033,045 with 21" in out and "44 pixels" in out and "1 thread" in out
    assert "https://arxiv.org/abs/1505.04597" in out and "for an image of 64 x 64" in out
    assert Image.open(tmp_path / "unet.png").size[0] > 900
    code, out, err = seglab(capsys, *arguments, "--json")
    assert code == 0, err
    found = json.loads(out)
    assert (found["receptive_field"], found["output_stride"], found["side"]) == (44, 4, 64)
    assert found["options"] == {"width": 8, "depth": 2, "variant": "padded", "skip": "concat"}
    assert [block["channels"] for block in found["blocks"]] == [3, 8, 16, 32, 16, 8, 11]
    assert {"source": 1, "target": 5, "kind": "concat"} in found["links"] and found["milliseconds"] > 0


def test_seglab_alone_prints_its_help_and_version_its_version(capsys):
    code, out, _ = seglab(capsys)
    assert code == 0 and all(f"\n    {name}" in out for name in cli.COMMANDS)
    assert seglab(capsys, "--version") == (0, f"seglab {__version__}\n", "")


def test_the_help_of_train_names_every_default_and_every_network(capsys):
    out = " ".join(seglab(capsys, "train", "--help")[1].split())
    assert "(default: cross_entropy + dice)" in out and "(default: adamw)" in out and "(default: 128)" in out
    assert all(name in out for name in FAMILIES["architectures"].entries)


@pytest.mark.parametrize("family", ["architectures", "losses", "schedulers", "optimizers", "techniques", "datasets"])
def test_every_entry_has_a_help_of_its_own(capsys, family):
    field = next(field for field, name in OF_FAMILY.items() if name == family)
    for name, entry in FAMILIES[family].entries.items():
        for words in ([f"--{field}", name, "--help"], ["-h", f"--{field}", name]):
            code, out, _ = seglab(capsys, "train", *words)
            assert code == 0 and out.startswith(f"{name}: {entry.summary()}")
            for option in entry.model_fields:
                assert f"--{field}.{f'{name}.' if field == 'techniques' else ''}{option} " in out


def test_hyphens_in_options_count_as_underscores(capsys):
    words = ["--image-size", "32", "--epochs", "1", "--batch-size=4", "--data.train-images", "4"]
    code, _, err = seglab(capsys, "train", *SMALL, *words, "--name", "hyphens")
    assert code == 0, err
    config = runs.config(runs.find("hyphens"))
    assert (config.image_size, config.batch_size, config.data.train_images) == (32, 4, 4)


def test_a_configuration_may_be_yaml(capsys, tmp_path):
    file = tmp_path / "run.yaml"
    lines = ["model: {name: unet, width: 4}", "loss: dice + 0.5*focal", "techniques: [flip]"]
    file.write_text("\n".join([*lines, "optimizer:", "  name: adamw", "  lr: 1e-3"]))
    code, _, err = seglab(capsys, "train", "--config", str(file), *SMALL, "--epochs", "1", "--name", "yaml")
    assert code == 0, err
    config = runs.config(runs.find("yaml"))
    assert config.optimizer.lr == 1e-3 and [part.loss.name for part in config.loss.parts] == ["dice", "focal"]
    assert [technique.name for technique in config.techniques] == ["flip"]


def test_runs_are_listed_and_deleted_after_asking(capsys, monkeypatch):
    for name in ("one", "two"):
        runs.create(tiny(), name)
    seglab(capsys, "plan", "seeds", "--count", "2", *SMALL, "--epochs", "1", "--name", "luck")
    lines = [line.split() for line in seglab(capsys, "runs")[1].splitlines()]
    assert ["two", "queued", "-", "-", "-"] in lines and lines[-1][0] == "unet_vgg16" and lines[-1][-1] == "shipped"
    listed = json.loads(seglab(capsys, "runs", "--json")[1])
    found = {each["run"]: each for each in listed}
    assert found["one"]["state"] == "queued" and found["unet"]["shipped"] and found["unet"]["miou"] > 0.6
    assert found["luck 1"]["state"] == "completed" and found["luck 1"]["epochs"] == 1

    code, _, err = seglab(capsys, "rm", "one")  # nobody can answer
    assert code == 2 and "--yes" in err and runs.find("one")
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    for answer, left in (("n", True), ("", True), ("y", False)):
        monkeypatch.setattr("builtins.input", lambda question, answer=answer: answer)
        code, _, err = seglab(capsys, "rm", "one")
        assert (runs.home() / "one").exists() == left and code == (1 if left else 0)
    assert seglab(capsys, "rm", "luck", "two", "--yes")[0] == 0
    assert [path for path in runs.home().iterdir() if path.name[0] != "."] == []


def test_a_run_at_work_is_not_deleted(capsys):
    directory = runs.create(tiny(), "busy")
    with runs.locked(directory):
        code, _, err = seglab(capsys, "rm", "busy", "--yes")
    assert code == 2 and "busy is running" in err and runs.find("busy")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_the_shell_is_told_what_completes(capsys, shell):
    code, out, _ = seglab(capsys, "--print-completion", shell)
    assert code == 0 and all(word in out for word in ("describe", "--batch_size", "unet_plus_plus", "cutmix"))


def test_the_texts_of_the_page_are_listed_for_translators(capsys):
    out = seglab(capsys, "list", "--strings")[1]
    assert 'msgid "Start"' in out and 'msgstr ""' in out


def test_a_stopped_run_says_how_it_goes_on_to_the_same_weights(runs_home, monkeypatch, capsys):
    work = runs.work
    monkeypatch.setattr(runs, "work", lambda directory, device, threads, stop, unstop: work(
        directory, device, threads, lambda: True, unstop))  # fmt: skip
    monkeypatch.setattr(machine, "cores", lambda: 4)
    for threads, more in ((1, " --threads 1"), (4, "")):
        name = f"a run {threads}"
        code, _, said = seglab(capsys, "train", *SMALL[:-1], threads, "--name", name)
        assert code == 0 and f"to go on: python -m seglab resume '{name}'{more}\n" in said


@pytest.mark.parametrize(
    "given, told",
    [
        (["--port", "0"], "argument --port: '0' is not allowed; allowed: 1 to 65535"),
        (["--port", "http"], "argument --port: 'http' is not allowed"),
        (["--host", "192.0.2.1"], "argument --host: '192.0.2.1' is no address of this machine"),
        (["--home", "/sys/seglab"], "runs cannot be written to /sys/seglab ("),
    ],
)
def test_the_page_is_not_served_where_it_cannot_be(given, told, capsys, monkeypatch):
    monkeypatch.setenv("SEGLAB_HOME", "put back afterwards")
    code, out, err = seglab(capsys, "app", *given)
    assert code == 2 and out == "" and err.startswith(f"seglab: {told}") and err.count("\n") == 1


def test_a_port_that_is_taken_is_told(tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        program = [sys.executable, "-m", "seglab", "app", "--port", port, "--home", tmp_path]
        ended = subprocess.run(program, capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr == f"seglab: port {port}: something else is served there already; give another --port\n"
