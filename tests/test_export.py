"""Runs as ONNX files: what onnxruntime gives, beside what the run's own model gives."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from seglab import export, prediction, runs
from seglab.cli import main
from seglab.entry import FAMILIES
from seglab.errors import SeglabError
from seglab.export import exported_apart
from seglab.model import Segmenter, Trained
from tests.conftest import announced, finish, tiny
from tests.documents import PAGES, blocks

pytest.importorskip("onnxscript")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

ENTRIES = FAMILIES["architectures"].entries
DECODERS = ("linknet", "unet", "unet_plus_plus", "fpn", "pspnet", "upernet", "segformer", "pan", "dpt")
SMP = [{"name": "smp", "decoder": decoder, "encoder": "tu-test_efficientnet"} for decoder in DECODERS[:-1]]
SMP.append({"name": "smp", "decoder": "dpt", "encoder": "tu-test_vit"})
NETWORKS = [{"name": name} | ({"width": 4} if "width" in ENTRIES[name].model_fields else {}) for name in ENTRIES]


def told(network):
    return network.get("decoder") or network["name"]


def untrained(network, size):
    """A model whose batch norms are no longer as they begin, as if it were a run's best one."""
    torch.manual_seed(0)
    config = tiny(model=network)
    model = Segmenter(config.model, 5, max(size)).train()
    with torch.no_grad():
        model(torch.rand(4, 3, *size))
    return Trained(Path(network["name"]), config, tuple("abcde"), ((0, 0, 0),) * 5, model.eval())


def given(file, images):
    """What onnxruntime gives for a file, and what the file says of itself."""
    session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
    return session.run(None, {"image": images})[0], session.get_modelmeta().custom_metadata_map


@pytest.mark.slow
@pytest.mark.parametrize("network", [*NETWORKS, *SMP], ids=told)
def test_every_network_gives_the_same_as_a_file(network):
    size = (48, 64)
    trained = untrained(network, size)
    images = torch.rand(1, 3, *size)
    content = export.translated(trained.model, images).SerializeToString()
    logits, _ = given(content, images.numpy())
    with torch.no_grad():
        own = trained.model(images).logits.numpy()
    assert logits.shape == (1, 5, *size) and np.ptp(own) > 0
    np.testing.assert_allclose(logits, own, rtol=0, atol=1e-4 * max(1, np.abs(own).max()))
    assert str(Path(export.__file__).parents[1]).encode() not in content  # where this machine keeps its files


def test_a_file_has_the_runs_size_and_says_what_its_user_must_know(tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    made = export.export(directory, tmp_path / "mine.onnx")
    assert made.size == (48, 64) and made.pixels == made.equal == 48 * 64 and made.difference < 1e-3
    assert made.note is None and made.image == runs.Evidence(directory).names[0]
    model = onnx.load(tmp_path / "mine.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert [d.dim_value for d in model.graph.input[0].type.tensor_type.shape.dim] == [1, 3, 48, 64]
    told = {each.key: each.value for each in model.metadata_props}
    known = runs.description(directory)
    assert json.loads(told["classes"]) == known["classes"] and json.loads(told["colors"]) == known["colors"]
    assert told["input"] == "RGB, 0..1, NCHW; normalization is inside"
    assert json.loads(told["config"])["model"]["width"] == 4 and json.loads(told["size"]) == [48, 64]
    assert "span" not in told


def test_a_file_labels_a_photograph_as_the_run_does(tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    export.export(directory, tmp_path / "mine.onnx")
    image = runs.config(directory).data.open().val[1].image  # of 48 x 64 pixels, as it is stored
    logits, _ = given(tmp_path / "mine.onnx", image.transpose(2, 0, 1)[None].astype(np.float32) / 255)
    own = prediction.predict(runs.load(directory), image).labels
    assert (logits[0].argmax(0) == own).mean() > 0.999


@pytest.mark.parametrize("size", [(40, 100), (96, 96)])
def test_a_file_may_have_another_size(size, tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    made = export.export(directory, tmp_path / "mine.onnx", size)
    assert made.size == size and made.pixels == size[0] * size[1]
    logits, _ = given(tmp_path / "mine.onnx", np.zeros((1, 3, *size), np.float32))
    assert logits.shape[2:] == size


def test_a_file_that_gives_something_else_is_not_written(tmp_path, monkeypatch):
    directory = finish(runs.create(tiny(), "mine"))
    (tmp_path / "mine.onnx").write_bytes(b"before")
    translated = export.translated

    def another(model, images):
        torch.nn.init.normal_(next(model.net.parameters()))
        wrong = translated(model, images)
        model.load_state_dict(runs.load(directory).model.state_dict())
        return wrong

    monkeypatch.setattr(export, "translated", another)
    with pytest.raises(SeglabError, match="does not give what the model gives: the class is equal for"):
        export.export(directory, tmp_path / "mine.onnx")
    assert [path.name for path in tmp_path.glob("*.onnx*")] == ["mine.onnx"]
    assert (tmp_path / "mine.onnx").read_bytes() == b"before"


def test_where_a_runs_data_is_gone_the_file_is_checked_on_a_street(tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    config = json.loads((directory / "config.json").read_text())
    config["data"] = {"name": "folder", "root": str(tmp_path / "gone")}
    (directory / "config.json").write_text(json.dumps(config))
    announced(directory)
    made = export.export(directory, tmp_path / "mine.onnx")
    assert "not on this machine; the file was checked on a street scene instead" in str(made.note)
    assert made.size == (48, 64) and made.equal == made.pixels
    assert b"gone" not in (tmp_path / "mine.onnx").read_bytes()


def test_the_span_of_deep_photographs_stands_in_the_file(tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    known = json.loads((directory / "dataset.json").read_text())
    (directory / "dataset.json").write_text(json.dumps(known | {"span": [12, 4000]}))
    announced(directory)
    export.export(directory, tmp_path / "mine.onnx")
    _, told = given(tmp_path / "mine.onnx", np.zeros((1, 3, 48, 64), np.float32))
    assert json.loads(told["span"]) == [12, 4000]


def test_the_documents_lines_label_a_photograph(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    export.export("unet", Path("unet.onnx"))
    Image.fromarray(runs.config(runs.find("unet")).data.open().val[1].image).save("photo.jpg")
    (code,) = blocks(PAGES["docs/export.md"], "python")
    exec(compile(code, "export.md", "exec"), {})
    told = dict(line.split(": ") for line in capsys.readouterr().out.splitlines())
    own = prediction.predict(runs.load("unet"), np.asarray(Image.open("photo.jpg"))).labels
    classes = runs.description(runs.find("unet"))["classes"]
    assert told == {name: f"{(own == n).mean():.1%} of the photograph" for n, name in enumerate(classes)}
    road = runs.description(runs.find("unet"))["colors"][classes.index("road")]
    assert (np.asarray(Image.open("labels.png"))[own == classes.index("road")] == road).all()


@pytest.mark.slow
def test_a_process_of_its_own_gives_the_same_file(tmp_path):
    directory = finish(runs.create(tiny(), "mine"))
    made = exported_apart(directory, tmp_path / "apart.onnx")
    here = export.export(directory, tmp_path / "here.onnx")
    assert (made.size, made.image, made.pixels, made.equal) == (here.size, here.image, here.pixels, here.equal)
    images = np.random.default_rng(0).random((1, 3, 48, 64), np.float32)
    assert np.array_equal(given(made.file, images)[0], given(here.file, images)[0])


def test_a_process_of_its_own_gives_the_reason_as_it_is(tmp_path):
    directory = runs.create(tiny(), "new")
    with pytest.raises(SeglabError) as error:
        exported_apart(directory, tmp_path / "new.onnx")
    assert error.value.template == "{run} has not started yet" and error.value.values == {"run": "new"}


def test_a_process_of_its_own_is_ended_in_time(tmp_path, monkeypatch):
    monkeypatch.setattr(export, "PATIENCE", 0.01)
    with pytest.raises(SeglabError, match=r"not ready in 0\.01 s"):
        exported_apart(finish(runs.create(tiny(), "mine")), tmp_path / "mine.onnx")
    assert not (tmp_path / "mine.onnx").exists()


def command(*words):
    with pytest.raises(SystemExit) as ended:
        main(list(map(str, words)))
    return ended.value.code


def test_the_command_tells_how_many_pixels_agree(tmp_path, capsys):
    assert command("export", "unet", "--out", tmp_path / "unet.onnx") == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first == f"{tmp_path / 'unet.onnx'}: 4.5 MB, images of 96 x 128 pixels"
    assert second.startswith("checked with onnxruntime on val_0050: the class is equal for 12,288 of 12,288 pixels")


@pytest.mark.parametrize("size", [0, (), 128, (0, 64), (96, 4096), (96.0, 96), (96, 96, 96), "96x96"])
def test_a_size_that_cannot_be_is_refused_in_python(size, tmp_path):
    with pytest.raises(SeglabError, match="allowed: height and width such as 96x128, 32 to 2048 each"):
        export.export("unet", tmp_path / "unet.onnx", size)


def test_a_run_that_came_without_its_masks_is_exported(tmp_path):
    runs.ship(finish(runs.create(tiny(), "mine")), tmp_path / "mine")
    shutil.rmtree(tmp_path / "mine" / "truth")
    side = runs.config(tmp_path / "mine").image_size
    assert export.export(tmp_path / "mine", tmp_path / "mine.onnx").size == (side, side)


@pytest.mark.parametrize("size", ["96", "96x", "16x64", "96x4096", "-1x64", "axb"])
def test_a_size_that_cannot_be_is_refused(size, tmp_path, capsys):
    assert command("export", "unet", "--out", tmp_path / "unet.onnx", f"--size={size}") == 2
    assert "allowed: height and width such as 96x128, 32 to 2048 each" in capsys.readouterr().err


def test_packages_that_are_missing_are_named_with_the_command_that_installs_them(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(export, "find_spec", lambda name: None if name == "onnxruntime" else name)
    assert not export.available()
    assert command("export", "unet", "--out", tmp_path / "unet.onnx") == 2
    assert "pip install onnx onnxscript onnxruntime" in capsys.readouterr().err
