"""What `import seglab` offers."""

import ast
import json
import shutil
import signal
import subprocess
import sys
import traceback
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from pydantic import ValidationError

import seglab
from seglab import cli, comparison, prediction, runs
from seglab.api import following, html, predicting
from seglab.config import RunConfig, configured
from seglab.entry import FAMILIES, REASONS
from seglab.errors import SeglabError
from seglab.events import Evaluated
from seglab.losses.pixel import Focal
from seglab.predictors import Crf, Flips
from tests.conftest import finish, tiny

STREETS = {"name": "streets", "train_images": 8, "val_images": 4, "size": 64}
SMALL = {"data": STREETS, "model__width": 4, "model__depth": 2, "image_size": 64, "batch_size": 4, "epochs": 2}


@pytest.fixture
def first():
    """A finished run."""
    return seglab.load(finish(runs.create(tiny(), "first")))


@pytest.fixture
def photo():
    return np.random.default_rng(0).integers(0, 256, (40, 72, 3), np.uint8)


# --- the module


def test_import_loads_nothing_heavy_and_offers_what_it_says():
    code = (
        "import sys; import seglab\n"
        "print([name for name in ('torch', 'numpy', 'pydantic', 'PIL', 'importlib.metadata') if name in sys.modules])\n"
        "assert all(name in dir(seglab) for name in seglab.__all__)\n"
        "print([name for name in seglab.__all__ if getattr(seglab, name, None) is None])\n"
        "print([name for name in ('cv2', 'gradio', 'timm', 'matplotlib', 'IPython') if name in sys.modules])\n"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.split("\n")[:3] == ["[]", "[]", "[]"]


def test_type_checkers_see_the_names_that_are_offered_and_none_is_a_module():
    folder = Path(seglab.__file__).parent
    tree = ast.parse((folder / "__init__.py").read_text())
    (seen,) = [node for node in tree.body if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"]
    names = {alias.name for each in seen.body for alias in each.names}
    assert names == set(seglab.__all__) == set(seglab.HOMES)
    assert names.isdisjoint({path.stem for path in folder.iterdir()})


def test_a_name_that_is_not_offered_is_no_attribute():
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        seglab.trian  # noqa: B018


# --- options


@pytest.mark.parametrize(
    ("options", "same"),
    [
        ({"model": "unet", "model__width": 8}, {"model": {"name": "unet", "width": 8}}),
        ({"loss": "cross_entropy + 0.5*dice", "loss__dice__smooth": 2},
         {"loss": {"name": "sum", "parts": [{"loss": "cross_entropy"}, {"weight": 0.5, "loss": {"name": "dice",
                                                                                              "smooth": 2}}]}}),
        ({"loss": Focal(gamma=3)}, {"loss": {"name": "focal", "gamma": 3}}),
        ({"loss": Focal, "loss__gamma": 3}, {"loss": {"name": "focal", "gamma": 3}}),
        ({"techniques": "flip,color", "techniques__color__p": 0.3},
         {"techniques": [{"name": "flip"}, {"name": "color", "p": 0.3}]}),
        ({"techniques": {"name": "flip"}}, {"techniques": ["flip"]}),
        ({"loss__class_weights": "median_frequency", "loss": "focal"},
         {"loss": {"name": "focal", "class_weights": "median_frequency"}}),
        ({"optimizer.lr": 0.01}, {"optimizer": {"name": "adamw", "lr": 0.01}}),
        ({"fold": {"index": 1, "of": 3}}, {"fold": {"index": 1, "of": 3}}),
        ({"model": "panoptic_deeplab", "model__centre_weight": 20},
         {"model": {"name": "panoptic_deeplab", "center_weight": 20}}),
    ],
)  # fmt: skip
def test_options_are_written_in_many_ways(options, same):
    assert seglab.configure(**options) == configured(same)


def test_a_configuration_a_dict_or_a_run_can_be_begun_with(first):
    for start in (first.config, json.loads(first.config.model_dump_json()), first):
        assert seglab.configure(start, loss="focal", model__width=8) == tiny(
            loss="focal", model={"name": "unet", "width": 8, "depth": 2}
        )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: seglab.train(lr=0.1), ["no option 'lr'", "did you mean 'optimizer__lr'"]),
        (lambda: seglab.train(learning_rate=0.1), ["did you mean 'optimizer__lr'"]),
        (lambda: seglab.train(gamma=3, loss="dice + focal"), ["did you mean 'loss__focal__gamma'"]),
        (lambda: seglab.train(criterion="dice"), ["did you mean 'loss'"]),
        (lambda: seglab.train(modle="unet"), ["did you mean 'model'"]),
        (lambda: seglab.train(model="nuet"), ["'nuet'", "did you mean 'unet'"]),
        (lambda: seglab.train(model__widht=8), ["'widht'", "did you mean 'width'"]),
        (lambda: seglab.train(epochs="many"), ["epochs: 'many' is not a whole number"]),
        (lambda: seglab.train("unet"), ["'unet' was given as the configuration", "model='unet'"]),
        (lambda: seglab.train(data="camvid", data__root="/nowhere"), ["/nowhere", "no such folder"]),
        (lambda: seglab.train(device="gpu", **SMALL), ["device: 'gpu'", "auto, cpu, cuda"]),
        (lambda: seglab.train(threads=0, **SMALL), ["threads: 0", "1 to 1024"]),
        (lambda: seglab.train(name="a/b", **SMALL), ["'a/b' is not allowed"]),
        (lambda: seglab.load("nobody"), ["no run 'nobody'", "unet"]),
        (lambda: seglab.load_plan("nobody"), ["no plan 'nobody'"]),
        (lambda: seglab.compare(), ["no run was given", "unet"]),
        (lambda: seglab.entries("loss"), ["did you mean 'losses'"]),
        (lambda: seglab.plan("sweeps"), ["did you mean 'sweep'"]),
        (lambda: seglab.describe("unet", widht=8), ["did you mean 'width'"]),
        (lambda: seglab.dataset("nowhere"), ["no 'nowhere' among the datasets"]),
        (lambda: seglab.dataset(**{k: v for k, v in STREETS.items() if k != "name"}).download(), ["streets cannot be"]),
        (lambda: seglab.dataset().preview("ema"), ["no technique that changes images"]),
        (lambda: seglab.learning_rates(scheduler="plateau"), ["plateau", "cannot be foretold"]),
        (lambda: predicting.chain("flip"), ["did you mean 'flips'"]),
        (lambda: predicting.chain((), crf={"w3": 1}), ["no option 'w3'"]),
        (lambda: predicting.chain((), crf="yes"), ["crf: 'yes'", "True, False"]),
        (lambda: seglab.submit(name=5), ["name: 5 is not allowed"]),
        (lambda: predicting.pixels_of("nowhere.jpg"), ["nowhere.jpg: there is no such file"]),
        (lambda: predicting.pixels_of(np.zeros((4, 4, 3))), ["float64 (4, 4, 3)", "uint8 (height, width, 3)"]),
        (lambda: predicting.pixels_of(None), ["NoneType was given"]),
        (lambda: predicting.pixels_of(Image.new("F", (4, 4))), ["image: its pixels are floating-point"]),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_nothing(call, words):
    with pytest.raises(SeglabError) as caught:
        call()
    assert all(word in str(caught.value) for word in words) and "\n" not in str(caught.value)
    assert not runs.home().exists() or not list(runs.home().iterdir())


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: RunConfig(model="nuet"), "there is no 'nuet' among the architectures; did you mean 'unet'?"),
        (lambda: RunConfig(lr=0.1), "RunConfig has no option 'lr'; did you mean 'optimizer.lr'?"),
        (lambda: RunConfig(loss="dice + foal"), "there is no 'foal' among the losses; did you mean 'focal'?"),
        (lambda: RunConfig(model=3), "3 names none of the architectures"),
        (lambda: RunConfig(seed=True), "seed cannot be True"),
        (lambda: RunConfig(techniques="flip,flip"), "flip is given twice"),
        (lambda: RunConfig(fold={"index": 5, "of": 5}), "fold.index: 5 is too large; allowed: 0 to 4"),
        (lambda: RunConfig(scheduler={"name": "step", "warmup": 9}), "9 epochs are as long as the whole run"),
        (lambda: RunConfig().model_copy(update={"loss": "foal"}), "there is no 'foal' among the losses"),
        (lambda: RunConfig().model_copy(update={"lss": "focal"}), "did you mean 'loss'?"),
        (lambda: Focal(gama=3), "focal has no option 'gama'; did you mean 'gamma'?"),
        (lambda: FAMILIES["architectures"].entries["eff_unet"](encoder="vgg11", pretrained="imagenet"), "encoder"),
    ],
)
def test_what_pydantic_raises_is_a_sentence_too(call, words):
    with pytest.raises(ValidationError) as caught:
        call()
    assert words in str(caught.value) and "{" not in str(caught.value).split(" [type=")[0]


def test_every_reason_of_seglab_s_own_reads_without_the_thing_before_it():
    for kind, template in REASONS.items():
        assert "{thing}" not in template.removeprefix("{thing}: "), kind


def test_a_copy_with_changes_is_validated_and_a_run_can_be_made_of_it():
    config = tiny().model_copy(update={"loss": "focal", "techniques": "flip,color"})
    assert config == tiny(loss="focal", techniques=["flip", "color"])
    assert runs.config(runs.create(config)) == config


def test_a_notebook_shows_an_error_as_the_reader_s_own_lines_and_the_sentence():
    try:
        seglab.configure(lr=0.1)
    except SeglabError as error:
        *lines, sentence = error._render_traceback_()
        long = traceback.format_exc()
    assert sentence.startswith("SeglabError: lr: seglab has no option 'lr'")
    assert len(lines) == 1 and __file__ in lines[0] and "seglab.configure(lr=0.1)" in lines[0]
    assert "settings.py" in long


# --- training


@pytest.fixture
def interrupting(monkeypatch):
    """A person presses Ctrl-C once a run has been evaluated."""
    show, pressed = following.show, []

    def press(shown, event):
        show(shown, event)
        if isinstance(event, Evaluated) and event.epoch == 1 and not pressed:
            pressed.append(event)
            signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(following, "show", press)
    return monkeypatch


def weights(run):
    evaluated = [event for event in runs.events(run.directory) if isinstance(event, Evaluated)]
    return [event.weights_sha256 for event in evaluated if event.epoch == int(event.epoch)]


def test_an_interrupt_gives_a_run_back_that_goes_on_to_the_same_weights(interrupting):
    handler = signal.getsignal(signal.SIGINT)
    run = seglab.train(name="broken", threads=1, **SMALL)
    assert run.state == "stopped" and len(run.history) == 2 and "resume() goes on" in repr(run)
    assert signal.getsignal(signal.SIGINT) is handler
    assert run.resume() is run and run.state == "completed"
    whole = seglab.train(run, name="whole", threads=1)
    assert weights(run) == weights(whole) and run == seglab.load("broken") and run != whole


def test_a_second_interrupt_ends_at_once():
    with following.interruptible() as interrupted:
        signal.raise_signal(signal.SIGINT)
        assert interrupted()
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_training_leaves_torch_as_it_was():
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    threads = torch.get_num_threads()
    seglab.train(threads=2, **(SMALL | {"epochs": 1}))
    assert torch.get_num_threads() == threads and torch.equal(torch.rand(3), expected)


def test_a_run_tells_its_configuration_history_and_scores(first):
    events = [event for event in runs.events(first.directory) if isinstance(event, Evaluated)]
    assert first.config == tiny() and first.state == "completed"
    assert [line["val_miou"] for line in first.history] == [event.scores["val"].miou for event in events]
    assert {len(line) for line in first.history} == {11}
    row = comparison.compare([first.directory]).rows[0]
    assert (first.scores.miou, first.scores.iou) == (row.miou, row.iou)
    assert repr(first) == f"<seglab run first: completed, 2 epochs, {row.seconds:.0f} s, mIoU {row.miou:.4f}>"


def test_a_run_without_an_evaluation_says_so():
    run = seglab.load(runs.create(tiny(), "new"))
    for ask in (lambda: run.scores, lambda: run.samples(), lambda: run.net):
        with pytest.raises(SeglabError, match="new has"):
            ask()
    assert run.history == [] and run.state == "queued" and "queued" in run._repr_html_()


def test_samples_of_several_runs_are_those_that_came_with_masks(first, tmp_path):
    other = finish(runs.create(tiny(epochs=1), "other"))
    runs.ship(other, tmp_path / "bare")
    for folder in ("samples", "truth", "predictions"):
        shutil.rmtree(tmp_path / "bare" / folder)
    known = tmp_path / "bare" / "shipped.json"
    known.write_text(json.dumps(json.loads(known.read_text()) | {"pictures": False}))
    bare = seglab.load(tmp_path / "bare")
    assert repr(seglab.compare(first, bare).samples()) == repr(first.samples())
    with pytest.raises(SeglabError, match="bare came without its pictures"):
        bare.samples()


def test_the_network_is_a_torch_module_of_one_s_own_that_gives_logits(first, photo):
    images = torch.rand(2, 3, 50, 70)
    logits = first.net(images)
    assert isinstance(first.net, torch.nn.Module) and logits.shape == (2, 11, 50, 70)
    assert torch.equal(logits, runs.load("first").model(images).logits)
    before = first.predict(photo).labels
    with torch.no_grad():
        for parameter in first.net.parameters():
            parameter.zero_()
    assert np.array_equal(first.predict(photo).labels, before)


# --- predicting


def test_a_prediction_is_that_of_the_command_line_s_pipeline(first, photo):
    trained = runs.load("first")
    found = first.predict(photo, crf={"w1": 5}, predictors="flips")
    chain = [Flips(), Crf(w1=5)]
    assert np.array_equal(found.probabilities, prediction.predict(trained, photo, chain).probabilities)
    assert np.array_equal(found.before.probabilities, prediction.predict(trained, photo, chain[:1]).probabilities)
    assert found.labels.shape == (40, 72) and sum(found.shares.values()) == pytest.approx(1)
    other = first.predict(photo, crf=True, predictors=[{"name": "flips"}, Crf(w1=5)])
    assert np.array_equal(other.labels, found.labels)


def test_files_pil_images_and_gray_arrays_are_images(first, photo, tmp_path):
    Image.fromarray(photo).save(tmp_path / "photo.png")
    expected = first.predict(photo).labels
    for image in (tmp_path / "photo.png", str(tmp_path / "photo.png"), Image.fromarray(photo)):
        assert np.array_equal(first.predict(image).labels, expected)
    gray = first.predict(photo[..., 0])
    assert np.array_equal(gray.image, np.repeat(photo[..., :1], 3, 2))


def test_a_pil_image_is_read_as_its_file_is(first, tmp_path):
    rng = np.random.default_rng(0)
    deep = Image.fromarray((300 + rng.integers(0, 5000, (40, 72))).astype(np.uint16))
    clear = Image.fromarray(rng.integers(0, 256, (40, 72, 4), np.uint8), "RGBA")
    turned = Image.fromarray(rng.integers(0, 256, (40, 72, 3), np.uint8))
    turned.getexif()[0x0112] = 6
    palette = turned.convert("P")
    palette.info["transparency"] = 0
    for name, image in (("deep", deep), ("clear", clear), ("turned", turned), ("palette", palette)):
        file = tmp_path / f"{name}.png"
        image.save(file, exif=image.getexif())
        for span in (None, (0, 4000)):
            expected = predicting.pixels_of(file, span)
            assert np.array_equal(predicting.pixels_of(Image.open(file), span), expected), name
    assert predicting.pixels_of(Image.open(tmp_path / "turned.png")).shape == (72, 40, 3)


def test_options_of_the_crf_replace_those_in_the_list():
    assert predicting.chain("flips,crf", crf={"w1": 5}) == [Flips(), Crf(w1=5)]


def test_a_mask_is_not_written_where_there_is_no_folder(first, photo, tmp_path):
    with pytest.raises(SeglabError, match=r"nowhere cannot be written to \(No such file or directory\)"):
        first.predict(photo).save(tmp_path / "nowhere" / "mask.png")


def test_labels_of_a_large_image_have_its_size(first, photo, monkeypatch, tmp_path):
    monkeypatch.setattr(prediction, "MOST_PIXELS", 1000)
    found = first.predict(photo, crf=True)
    assert found.probabilities.shape[1:] != (40, 72) and found.labels.shape == (40, 72)
    assert found.overlay.size == (72, 40)
    with Image.open(found.save(tmp_path / "labels.png")) as saved:
        assert np.array_equal(np.asarray(saved), found.labels)


def test_several_runs_see_an_image_side_by_side_and_vote(first, photo):
    second = seglab.load(finish(runs.create(tiny(seed=1), "second")))
    found = seglab.predict([first, "second"], photo, vote=True)
    assert [each.title for each in found] == ["first", "second", "soft vote of first, second"]
    mean = (found[0].probabilities + found[1].probabilities) / 2
    assert np.allclose(found[2].probabilities, mean, atol=1e-6)
    assert np.array_equal(first.predict(photo, vote=[second]).labels, found[2].labels)
    assert len(seglab.predict(first, photo)) == 1


def test_evaluation_is_that_of_the_command_line(first, capsys):
    found = first.evaluate(crf=True, predictors="flips", split="search")
    with pytest.raises(SystemExit):
        cli.main(["evaluate", "first", "--crf", "--predictors", "flips", "--split", "search", "--json"])
    assert json.loads(capsys.readouterr().out) == found.as_json() and found.crf.miou != found.miou
    assert first.evaluate() == first.scores and "after the CRF" in repr(found)


def test_a_run_is_scored_on_other_data_of_the_same_classes(first):
    other = first.evaluate(data={**STREETS, "val_images": 6})
    assert other.images == 3 and other.miou != first.scores.miou
    with pytest.raises(SeglabError, match=r"camvid has the classes|no such folder"):
        first.evaluate(data="camvid")
    with pytest.raises(SeglabError, match="split: 'test' is not allowed; allowed: train, search, val"):
        first.evaluate("test")


def test_data_of_other_classes_is_refused(first, tmp_path):
    for part in ("images", "masks"):
        (tmp_path / part).mkdir()
        for n in range(6):
            pixels = np.full((8, 8), n % 2, np.uint8)
            Image.fromarray(pixels if part == "masks" else np.dstack([pixels * 9 + n] * 3)).save(
                tmp_path / part / f"{n}.png"
            )
    with pytest.raises(SeglabError, match=r"folder has the classes .*, but first learned sky, building"):
        first.evaluate(data={"name": "folder", "root": tmp_path})


# --- several runs


def test_runs_names_and_plans_are_compared(first):
    plan = seglab.plan("seeds", name="luck", count=2, **(SMALL | {"epochs": 1}))
    assert not plan.exists and "not made" in repr(plan) and plan.runs == []
    for run in plan.train(threads=1).runs:
        assert run.state == "completed"
    found = seglab.compare(first, plan, "unet")
    assert [row["run"] for row in found.rows] == ["first", "luck 1", "luck 2", "unet"]
    assert found.rows[0]["iou sky"] == first.scores.iou["sky"]
    assert found.groups[0].count == 2 and seglab.compare(["first"], "luck").runs == found.runs[:3]
    assert found.warnings and "different images" in found.warnings[0]
    assert seglab.load_plan("luck").members == plan.members


def test_a_sweep_is_written_as_a_dict():
    plan = seglab.plan("sweep", over={"model__width": [4, 8], "loss": ["dice", "focal"]}, **SMALL)
    assert [(step.config.model.width, step.config.loss.name) for step in plan.steps] == [
        (4, "dice"), (4, "focal"), (8, "dice"), (8, "focal")]  # fmt: skip
    assert plan.steps[0].config.model.depth == 2
    assert len(plan.estimate(threads=1)) == 4 and not runs.home().exists()


def test_a_plan_that_was_stopped_goes_on_and_can_be_deleted(interrupting):
    plan = seglab.plan("seeds", count=2, **SMALL).train(threads=1)
    assert [run.state for run in plan.runs] == ["stopped", "queued"]
    interrupting.undo()
    interrupting.setenv("SEGLAB_HOME", str(plan.runs[0].directory.parent))
    plan.train()
    assert [run.state for run in plan.runs] == ["completed", "completed"]
    plan.delete()
    assert not plan.exists and seglab.list_plans() == []


def test_the_queue_is_worked_on_beside_the_program(first):
    run = seglab.submit(first, epochs=1, name="beside")
    assert run.wait().state == "completed" and run.config.epochs == 1
    other = seglab.submit(first, epochs=1000, name="long")
    other.stop()
    assert other.wait().state == "stopped"
    assert [each.name for each in seglab.list_runs()[:3]] == ["long", "beside", "first"]
    other.delete()
    assert "long" not in [each.name for each in seglab.list_runs()]


def test_runs_are_listed_as_by_the_command_line(first, capsys):
    with pytest.raises(SystemExit):
        cli.main(["runs"])
    assert capsys.readouterr().out == f"{seglab.list_runs()!r}\n"


def test_a_run_is_taken_away_and_brought_back(first, tmp_path, capsys):
    assert seglab.load(first.ship(tmp_path / "a" / "out")).scores == first.scores
    brought = seglab.bring(first.ship(tmp_path / "out.zip", names=True, pictures=True), name="brought")
    assert brought.scores == first.scores and brought.name == "brought"
    assert "weights" in capsys.readouterr().err  # what left is told
    with pytest.raises(SeglabError, match="not finished"):
        seglab.load(runs.create(tiny(), "new")).ship(tmp_path / "other")
    with pytest.raises(SeglabError, match="already exists"):
        first.ship(tmp_path / "out.zip")
    with pytest.raises(SeglabError, match="no such file"):
        seglab.bring(tmp_path / "none.zip")


def test_a_run_is_tracked(first, tmp_path):
    files = first.track("csv", tmp_path / "tables")
    assert files and all(file.parent == tmp_path / "tables" and file.read_text() for file in files)
    with pytest.raises(SeglabError, match="known: csv, tensorboard, trackio"):
        first.track("wandb", tmp_path)
    with pytest.raises(SeglabError, match="needs a folder"):
        first.track("csv")


def test_a_run_is_exported(first, tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    made = first.export(tmp_path / "model.onnx", size=(64, 96))
    assert made.file.is_file() and made.size == (64, 96) and made.equal > 0.99 * made.pixels


# --- before a run


def test_entries_are_a_table_of_their_options():
    losses = seglab.entries("losses")
    assert losses["focal"](gamma=3) == Focal(gamma=3)
    row = {"entry": "focal", "option": "gamma", "default": "2.0", "allowed": "0 to 5"}
    assert [each for each in losses.rows() if row.items() <= each.items()]
    assert "focal" in repr(losses)


def test_a_network_is_described_with_its_numbers_and_is_a_module():
    found = seglab.describe("unet", width=4, depth=2, classes=5)
    assert found.anatomy.parameters == sum(parameter.numel() for parameter in found.net.parameters())
    assert found.net(torch.rand(1, 3, 64, 64)).shape == (1, 5, 64, 64)
    assert f"{found.anatomy.parameters:,}" in repr(found) and found.milliseconds() > 0


def test_rates_are_known_before_a_run():
    rates = seglab.learning_rates(scheduler="step", scheduler__step_size=1, epochs=2, optimizer__lr=0.1,
                                  steps_per_epoch=3)  # fmt: skip
    assert rates[:3] == [0.1] * 3 and rates[3:] == [0.05] * 3


def test_data_is_looked_at_and_augmented():
    data = seglab.dataset("streets", train_images=8, val_images=4, size=64, image_size=64)
    assert [len(each) for each in (data.train, data.search, data.val)] == [8, 2, 2] and len(data.classes) == 11
    assert data.train[0].image.shape == (48, 64, 3) and "8 train" in repr(data)
    seen = data.preview("flip", 3, techniques__flip__p=1)
    assert all(np.array_equal(before.image[:, ::-1], after.image) for before, after in seen.pairs)
    assert len(seen.pairs) == 3


# --- what notebooks show


class Balanced(HTMLParser):
    def __init__(self):
        super().__init__()
        self.open, self.pictures = [], 0

    def handle_starttag(self, tag, attrs):
        if tag == "img":
            self.pictures += 1
            assert dict(attrs)["src"].startswith("data:image/")
        else:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


@pytest.mark.parametrize(
    ("show", "words", "pictures"),
    [
        (lambda run: run, ["first", "mIoU", "sky"], 1),
        (lambda run: seglab.compare(run, "unet"), ["first", "unet", "model.width"], 1),
        (lambda run: seglab.compare("encoder_decoder", "unet", "unet_vgg16"), ["0.6708 *", "0.85 standard"], 1),
        (lambda run: run.predict(np.zeros((8, 8, 3), np.uint8), crf=True), ["first"], 3),
        (lambda run: seglab.predict([run, "first"], np.zeros((8, 8, 3), np.uint8)), ["first"], 4),
        (lambda run: run.samples(), ["image", "truth", "first"], 6),
        (lambda run: run.evaluate(crf=True), ["plain", "crf", "sky"], 0),
        (lambda run: seglab.list_runs(), ["first", "encoder_decoder"], 0),
        (lambda run: seglab.entries("losses"), ["focal", "gamma"], 0),
        (lambda run: seglab.describe("unet", width=4), ["receptive field"], 1),
        (lambda run: seglab.dataset(STREETS), ["8 train", "sky"], 6),
        (lambda run: seglab.dataset(STREETS).preview("flip", 2), ["before", "after"], 4),
        (lambda run: seglab.plan("seeds", count=2, **SMALL), ["seed 1", "not made"], 0),
    ],
)
def test_a_notebook_shows_it_whole(first, show, words, pictures):
    thing = show(first)
    page = Balanced()
    page.feed(thing._repr_html_())
    assert page.open == [] and page.pictures == pictures
    assert all(word in thing._repr_html_() for word in words)
    assert len(repr(thing).splitlines()) <= 40


def test_names_are_escaped():
    text = html.table([["<em>", 1.5]], ["a&b", "c"]) + html.title("<i>") + html.legend(["<u>"], [(1, 2, 3)])
    assert "<em>" not in text and "<i>" not in text and "<u>" not in text and "1.5000" in text and "a&amp;b" in text
