"""What runs hand on, read back by those who take it: csv, TensorBoard's own reader, Trackio's store."""

import csv
import io
import json
import math
import shutil
import sqlite3
import sys
from importlib.util import find_spec
from subprocess import run as process

import numpy as np
import pytest
from PIL import Image

from seglab import runs, tracking
from seglab.cli import main
from seglab.comparison import compare
from seglab.comparison.settings import flat
from seglab.comparison.tables import measures
from seglab.errors import SeglabError
from seglab.events import Evaluated, Started, Stepped, best_of
from tests.conftest import announced, finish, tiny

board_needed = pytest.mark.skipif(not find_spec("tensorboard"), reason="tensorboard is not installed")


def command(*words):
    """The exit status of a command."""
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, words)))
    return ended.value.code


def numbers(directory):
    """Each measure of a run as (step, value), in order."""
    classes = runs.description(directory)["classes"]
    found = {}
    for event in runs.events(directory):
        for name, value in measures(event, classes).items():
            if value is not None:
                found.setdefault(name, []).append((event.step, value))
    return found


# --- CSV


def test_a_table_for_each_run_and_one_of_their_scores(tmp_path, capsys):
    assert command("track", "unet", "encoder_decoder", "--to", "csv", "--out", tmp_path / "new") == 0
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        "comparison.csv",
        "encoder_decoder.csv",
        "unet.csv",
    ]
    with open(tmp_path / "new" / "unet.csv", encoding="utf-8-sig") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(runs.events(runs.find("unet")))
    with open(tmp_path / "new" / "comparison.csv", encoding="utf-8-sig") as file:
        scores = [float(line["val/miou"]) for line in csv.DictReader(file)]
    assert scores == [row.miou for row in compare([runs.find("unet"), runs.find("encoder_decoder")]).rows]


@pytest.mark.parametrize("out", [(), ("--out", "-")])
def test_one_table_of_all_runs_is_printed_without_a_mark(out, capsys):
    assert command("track", "unet", "encoder_decoder", "--to", "csv", *out) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("run,event,step,")
    assert {line["run"] for line in csv.DictReader(io.StringIO(printed))} == {"unet", "encoder_decoder"}


def test_a_plans_name_stands_for_its_runs(tmp_path, capsys):
    assert command("plan", "seeds", "--count", "2", "--name", "luck", *small()) == 0
    assert command("track", "luck", "--to", "csv", "--out", tmp_path / "out") == 0
    assert len([*(tmp_path / "out").iterdir()]) == 3


def small():
    """The options of a run of seconds."""
    given = flat(tiny(epochs=1).model_dump())
    wanted = ("data", "data.train_images", "data.val_images", "data.size", "model", "model.width", "model.depth")
    options = [(name, given[name]) for name in (*wanted, "image_size", "batch_size", "epochs")]
    return [f"{word}" for name, value in options for word in (f"--{name}", value)]


def test_the_table_of_a_run_is_not_that_of_the_comparison(tmp_path):
    directory = runs.create(tiny(), "Comparison")
    with pytest.raises(SeglabError, match="already among those to be written"):
        tracking.to_csv([directory], tmp_path)
    assert [*tmp_path.glob("*.csv")] == []


@pytest.mark.parametrize("sink", ["csv", pytest.param("tensorboard", marks=board_needed)])
def test_nothing_is_written_where_a_run_is_damaged(sink, tmp_path, capsys):
    directory = runs.create(tiny(), "broken")
    (directory / "events.jsonl").write_text("{}\n")
    assert command("track", "unet", "broken", "--to", sink, "--out", tmp_path / "out") == 2
    assert "broken/events.jsonl is damaged: line 1" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (("--to", "tensorboard"), "needs a folder to write into: --out DIR"),
        (("--to", "tensorboard", "--out", "-"), "needs a folder to write into: --out DIR"),
        (("--to", "trackio", "--out", "there"), "TRACKIO_DIR"),
        (("--to", "csv", "--project", "a"), "--project is for trackio alone"),
    ],
)
def test_options_that_do_not_go_together_are_refused(options, why, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert command("track", "unet", *options) == 2
    assert why in capsys.readouterr().err


@pytest.mark.parametrize("package", ["tensorboard", "trackio"])
def test_what_is_not_installed_is_named_with_the_command_that_installs_it(package, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tracking, "find_spec", lambda name: None)
    out = ("--out", tmp_path) if package == "tensorboard" else ()
    assert command("track", "unet", "--to", package, *out) == 2
    assert f"pip install {package}" in capsys.readouterr().err


# --- TensorBoard


def read(folder):
    """What TensorBoard reads in a run's folder."""
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    found = EventAccumulator(str(folder), size_guidance={"scalars": 0, "images": 0, "tensors": 0})
    return found.Reload()


@pytest.fixture(scope="module")
def board(tmp_path_factory):
    """A shipped run as TensorBoard reads it."""
    pytest.importorskip("tensorboard")
    out = tmp_path_factory.mktemp("board")
    tracking.to_tensorboard([runs.find("unet")], out)
    return read(out / "unet")


def test_tensorboard_reads_every_number_at_its_step_and_time(board):
    unet = runs.find("unet")
    for name, points in numbers(unet).items():
        found = board.Scalars(name)
        assert [point.step for point in found] == [step for step, _ in points]
        assert [point.value for point in found] == pytest.approx([value for _, value in points], rel=1e-6)
    steps = [event for event in runs.events(unet) if isinstance(event, Stepped)]
    passed = [point.wall_time - (unet / "config.json").stat().st_mtime for point in board.Scalars("step/loss")]
    assert passed == pytest.approx([event.seconds for event in steps], abs=1e-3)


def test_tensorboard_reads_the_best_scores_and_the_options(board):
    unet = runs.find("unet")
    best = best_of(runs.events(unet))
    (point,) = board.Scalars("best/val/miou")
    assert point.value == pytest.approx(best.scores["val"].miou, rel=1e-6)
    from tensorboard.plugins.hparams.plugin_data_pb2 import HParamsPluginData

    content = board.summary_metadata["_hparams_/session_start_info"].plugin_data.content
    options = HParamsPluginData.FromString(content).session_start_info.hparams
    assert options["optimizer.lr"].number_value == 0.002 and options["model"].string_value == "unet"
    (text,) = board.Tensors("config/text_summary")
    written = text.tensor_proto.string_val[0].decode()
    assert json.loads(written.removeprefix("```json\n").removesuffix("\n```")) == runs.config(unet).model_dump(
        mode="json"
    )


def test_tensorboard_shows_the_label_maps_in_their_colors(board):
    unet = runs.find("unet")
    evidence, colors = runs.Evidence(unet), np.array(runs.description(unet)["colors"], np.uint8)

    def pixels(point):
        return np.asarray(Image.open(io.BytesIO(point.encoded_image_string)).convert("RGB"))

    (truth,) = board.Images("samples/0 truth")
    labels = evidence.truth(evidence.samples[0])
    assert (pixels(truth)[labels != 255] == colors[labels[labels != 255]]).all()
    assert (pixels(truth)[labels == 255] == 0).all()
    maps = board.Images("samples/1")
    assert [point.step for point in maps] == [100 * n for n in range(1, 11)]
    for point, epoch in zip(maps, evidence.epochs(), strict=True):
        assert (pixels(point) == colors[evidence.sampled(epoch)[1]]).all()


@board_needed
def test_a_running_run_that_is_handed_on_again_has_each_point_once(tmp_path):
    directory = runs.create(tiny(loss="cross_entropy"), "going")
    work = runs.work(directory)
    assert isinstance(next(work), Started) and isinstance(next(work), Stepped)
    tracking.to_tensorboard([directory], tmp_path)
    first = read(tmp_path / "going")
    assert len(first.Scalars("step/loss")) == 1 and first.Tags()["images"] == []
    (tmp_path / "going" / "events.out.tfevents.1.others").write_bytes(b"")
    list(work)
    tracking.to_tensorboard([directory], tmp_path)
    steps = [event.step for event in runs.events(directory) if isinstance(event, Stepped)]
    assert [point.step for point in read(tmp_path / "going").Scalars("step/loss")] == steps
    assert len([*(tmp_path / "going").iterdir()]) == 2  # others' files are theirs


@board_needed
def test_a_run_without_the_truth_of_its_samples_has_the_rest(tmp_path):
    directory = finish(runs.create(tiny(), "old"))
    shutil.rmtree(directory / "truth")
    (directory / "samples" / "epoch_001" / "0000.png").unlink()
    tracking.to_tensorboard([directory], tmp_path)
    assert [point.step for point in read(tmp_path / "old").Images("samples/1")] == [4]
    assert "samples/0 truth" not in read(tmp_path / "old").Tags()["images"]


@board_needed
def test_samples_of_an_evaluation_within_an_epoch_are_there(tmp_path):
    data = {"name": "streets", "train_images": 9, "val_images": 4, "size": 64}
    directory = runs.create(tiny(data=data, batch_size=3), "halted")
    list(runs.work(directory, interrupted=lambda: True))
    (evaluated,) = [event for event in runs.events(directory) if isinstance(event, Evaluated)]
    assert evaluated.epoch % 1
    tracking.to_tensorboard([directory], tmp_path)
    assert [point.step for point in read(tmp_path / "halted").Images("samples/0")] == [evaluated.step]


@board_needed
def test_a_run_that_has_not_begun_has_its_options_alone(tmp_path):
    tracking.to_tensorboard([runs.create(tiny(), "waiting")], tmp_path)
    assert read(tmp_path / "waiting").Tags()["scalars"] == []
    assert "config/text_summary" in read(tmp_path / "waiting").Tags()["tensors"]


@board_needed
def test_names_in_any_script_come_back_as_they_are(tmp_path):
    directory = finish(runs.create(tiny(loss="cross_entropy"), "이름"))
    known = json.loads((directory / "dataset.json").read_text())
    known["classes"][0] = "하늘 위"
    (directory / "dataset.json").write_text(json.dumps(known))
    announced(directory)
    tracking.to_tensorboard([directory], tmp_path)
    assert "val/iou/하늘 위" in read(tmp_path / "이름").Tags()["scalars"]


# --- Trackio


@pytest.mark.slow
def test_trackios_store_has_every_number_and_the_options_once(tmp_path, monkeypatch):
    pytest.importorskip("trackio")
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "store"))  # Trackio reads it when it is imported
    track = [sys.executable, "-m", "seglab", "track", "--to", "trackio", "--project", "street scenes"]
    for names in (["unet", "encoder_decoder"], ["unet"]):  # the second time, what was there is replaced
        ended = process([*track, *names], capture_output=True, text=True)
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.splitlines() == [*names, "to look at them: trackio show --project 'street scenes'"]
    (file,) = (tmp_path / "store").glob("*.db")
    with sqlite3.connect(file) as store:
        logged = store.execute("select step, metrics from metrics where run_name = 'unet' order by id").fetchall()
        configs = dict(store.execute("select run_name, config from configs").fetchall())
    unet = runs.find("unet")
    told = [event for event in runs.events(unet) if isinstance(event, Stepped | Evaluated)]
    assert [step for step, _ in logged] == [event.step for event in told]
    classes = runs.description(unet)["classes"]
    for (_, text), event in zip(logged, told, strict=True):
        known = {name: value for name, value in measures(event, classes).items() if value is not None}
        assert json.loads(text) == known | {"epoch": event.epoch, "seconds": event.seconds}
    assert sorted(configs) == ["encoder_decoder", "unet"]
    options = json.loads(configs["unet"])
    assert options["model.width"] == 12 and options["loss.parts.1.loss"] == "dice"
    assert all(math.isfinite(v) for v in options.values() if isinstance(v, float))
