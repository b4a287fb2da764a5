"""Networks of others: that they give here what their own code gives, and what becomes of their classes."""

import json
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from seglab import adopting, export, runs
from seglab.adopting import sources
from seglab.adopting.names import KNOWN
from seglab.architectures import _foreign
from seglab.architectures.adopted import Adopted
from seglab.config import configured
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.model import Segmenter
from seglab.torchvision_guard import torchvision
from tests.fake_hub import TOKEN
from tests.networks import KINDS, THEIRS

torchvision()
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def adopted(network, ours, **options):
    """The model that a network of others is here, for data of these classes."""
    mapped = adopting.brought(network.classes, ours)
    entry = Adopted(
        kind=network.kind, origin=network.origin, settings=json.dumps(network.settings), classes=network.classes,
        table=mapped.table, pixel_mean=network.mean, pixel_std=network.std, flipped=network.flipped, size=network.size,
        **options,
    )  # fmt: skip
    model = Segmenter(entry, len(ours)).eval()
    model.net.net.load_state_dict(network.weights)
    return model


def seen(model, image=IMAGE):
    """Probabilities float32 (K + 1, H, W)."""
    with torch.no_grad():
        return model(torch.from_numpy(image).permute(2, 0, 1)[None] / 255).logits[0].softmax(0)


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_of_transformers_labels_as_its_own_code_does(saved, kind):
    from transformers import AutoImageProcessor

    folder = saved(kind)
    processor = AutoImageProcessor.from_pretrained(folder)
    model = KINDS[kind]()[0].__class__.from_pretrained(folder).eval()
    with torch.no_grad():
        outputs = model(pixel_values=processor(images=IMAGE, return_tensors="pt", do_resize=False)["pixel_values"])
    (expected,) = processor.post_process_semantic_segmentation(
        outputs, target_sizes=[IMAGE.shape[:2]], return_segmentation_scores=True
    )
    scores = expected.segmentation_scores
    assert scores.flatten(1).std(1).max() > 1e-2  # it says different things of different pixels
    found = seen(adopted(adopting.network(str(folder)), THEIRS))
    shares = scores / scores.sum(0) if hasattr(outputs, "class_queries_logits") else scores.softmax(0)
    assert torch.allclose(found[:-1], shares, atol=1e-5)
    first, second = shares.topk(2, 0).values
    clear = first - second > 1e-4  # others are as good as ties
    assert clear.float().mean() > 0.9
    assert torch.equal(found.argmax(0)[clear], expected.segmentation.long()[clear])
    assert torch.all(found[-1] < 1e-6)  # no class of it is void here


def test_the_probabilities_of_classes_that_mean_one_are_added_up_and_those_of_no_class_are_void(saved):
    from transformers import SegformerForSemanticSegmentation

    ours = ("street", "plant life", "house")  # by another name, not at all, by none
    network = adopting.network(str(saved("segformer")))
    mapped = adopting.brought(network.classes, ours, {"street": ["road", "sidewalk"], "house": "building"})
    assert mapped.table == (0, 0, 2, VOID, VOID, VOID, VOID)
    model = adopted(network, THEIRS)
    model.net.places = torch.tensor([3 if place == VOID else place for place in mapped.table])
    model.net.channels = 4
    images = (torch.from_numpy(IMAGE).permute(2, 0, 1)[None] / 255 - model.mean) / model.std
    with torch.no_grad():
        own = SegformerForSemanticSegmentation.from_pretrained(saved("segformer")).eval()
        logits = F.interpolate(own(pixel_values=images).logits, IMAGE.shape[:2], mode="bilinear")
    shares = logits[0].softmax(0)
    expected = torch.stack([shares[0] + shares[1], torch.zeros(64, 64), shares[2], shares[3:].sum(0)])
    assert torch.allclose(seen(model), expected, atol=1e-5)


def rewritten(folder, file, **values):
    """A folder with other values in one of its JSON files; None takes one away."""
    known = json.loads((folder / file).read_text()) | values
    (folder / file).write_text(json.dumps({name: value for name, value in known.items() if value is not None}))
    return str(folder)


@pytest.mark.parametrize(
    ("kind", "size", "most", "sides"),
    [
        ("mask2former", {"shortest_edge": 512, "longest_edge": 2048}, None, (683, 1024)),
        ("mask2former", {"shortest_edge": 512, "longest_edge": 600}, None, (600, 600)),
        ("maskformer", 480, 800, (640, 800)),  # as older files have it
        ("mobilevit", 288, None, (384, 864)),
        ("segformer", 512, None, (512, 512)),
        ("segformer", {"height": 512, "width": 512}, None, (512, 512)),
    ],
)
def test_images_are_as_large_as_the_processor_makes_them(saved, tmp_path, kind, size, most, sides):
    folder = shutil.copytree(saved(kind), tmp_path / kind)
    network = adopting.network(rewritten(folder, "preprocessor_config.json", size=size, max_size=most))
    assert (network.longer(480, 640), network.longer(3000, 1000)) == sides
    data = {"name": "streets", "train_images": 2, "val_images": 4, "size": 64}
    height, width = adopting.prepared(str(folder), data).data.val[0].image.shape[:2]
    assert adopting.prepared(str(folder), data).config.image_size == network.longer(height, width)


def test_the_only_size_of_a_model_is_known_where_its_file_leaves_it_to_the_default():
    backbone = {"model_type": "beit", "image_size": 96}
    for settings, size in (
        ({"model_type": "beit"}, (224, 224)),
        ({"model_type": "upernet", "backbone_config": backbone}, (96, 96)),
        ({"model_type": "segformer"}, None),
    ):
        assert _foreign.size_of(_foreign.configuration(settings | {"num_labels": 2})) == size


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"image_mean": None}, "does not say how its images are normalized"),
        ({"image_std": [0, 0, 0]}, r"image_std: \[0, 0, 0\] is not allowed"),
        ({"image_mean": 0.5}, "image_mean: 0.5 is not allowed"),
        ({"rescale_factor": 0}, "division by zero"),
    ],
)
def test_how_images_are_normalized_is_never_guessed(saved, tmp_path, values, reason):
    folder = shutil.copytree(saved("beit"), tmp_path / "beit")
    with pytest.raises(SeglabError, match=reason):
        adopting.network(rewritten(folder, "preprocessor_config.json", **values))


def test_an_smp_model_gives_what_smp_gives(tmp_path, monkeypatch):
    import segmentation_models_pytorch as smp

    torch.manual_seed(0)
    model = smp.Unet("resnet18", encoder_weights=None, decoder_channels=(32, 16, 16, 8, 8), classes=19).eval()
    model.save_pretrained(tmp_path)
    steps = {"__class_fullname__": "Normalize", "mean": [0.2] * 3, "std": [0.5] * 3, "max_pixel_value": 255.0}
    whole = {"transform": {"__class_fullname__": "Compose", "transforms": [steps]}}
    (tmp_path / "albumentations_config_eval.json").write_text(json.dumps(whole))
    with pytest.raises(SeglabError, match=r"does not say what its 19 classes are.*cityscapes \(19\)"):
        adopting.network(str(tmp_path))
    network = adopting.network(str(tmp_path), "cityscapes")
    assert network.classes[:2] == ("road", "sidewalk") and network.mean == (0.2,) * 3
    with torch.no_grad():
        expected = model((torch.from_numpy(IMAGE).permute(2, 0, 1)[None] / 255 - 0.2) / 0.5)[0].softmax(0)
    assert torch.allclose(seen(adopted(network, KNOWN["cityscapes"]))[:-1], expected, atol=1e-5)
    (tmp_path / "albumentations_config_eval.json").unlink()
    monkeypatch.setattr("seglab.adopting.sources.preprocessing", lambda settings: {})  # of an encoder of its own
    with pytest.raises(SeglabError, match="does not say how its images are normalized"):
        adopting.network(str(tmp_path), "cityscapes")
    with pytest.raises(SeglabError, match=r"encoder_name: 'tu-hf_hub:a/b' is not described"):
        adopting.network(rewritten(tmp_path, "config.json", encoder_name="tu-hf_hub:a/b"), "cityscapes")


def test_a_torchvision_model_gives_what_torchvision_gives(tmp_path, monkeypatch):
    from torchvision.models import segmentation

    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    torch.manual_seed(0)
    model = segmentation.lraspp_mobilenet_v3_large(weights=None, weights_backbone=None, num_classes=21).eval()
    with pytest.raises(SeglabError, match="could not be fetched"):
        monkeypatch.setattr("seglab.download.opened", unreachable)
        adopting.network("torchvision:lraspp_mobilenet_v3_large")
    file = tmp_path / "hub/checkpoints/lraspp_mobilenet_v3_large-d234d4ea.pth"
    file.parent.mkdir(parents=True, exist_ok=True)
    torch.save(model.state_dict(), file)
    network = adopting.network("torchvision:lraspp_mobilenet_v3_large")
    assert network.classes[:2] == ("__background__", "aeroplane")
    assert (network.longer(375, 500), network.longer(500, 375)) == (693, 693)  # 520 is the shorter side
    found = adopted(network, ("background", "person"))
    with torch.no_grad():
        images = (torch.from_numpy(IMAGE).permute(2, 0, 1)[None] / 255 - found.mean) / found.std
        expected = model(images)["out"][0].softmax(0)
    assert torch.allclose(seen(found)[1], expected[15], atol=1e-5)


def unreachable(*_):
    raise OSError("nobody answers")


def test_an_onnx_file_gives_what_onnxruntime_gives(tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    file = tmp_path / "unet.onnx"
    export.export("unet", file, (64, 64))
    network = adopting.network(str(file))
    classes = tuple(runs.description(runs.find("unet"))["classes"])
    assert network.classes == classes and network.size == (64, 64)
    running = onnxruntime.InferenceSession(file.read_bytes(), providers=["CPUExecutionProvider"])
    (logits,) = running.run(None, {"image": IMAGE.transpose(2, 0, 1)[None].astype(np.float32) / 255})
    expected = torch.from_numpy(logits)[0].softmax(0)
    assert torch.allclose(seen(adopted(network, classes))[:-1], expected, atol=1e-5)


def test_an_onnx_file_of_probabilities_is_not_taken_for_logits(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    shares = np.array([0.7, 0.2, 0.1], np.float32).reshape(1, 3, 1, 1)
    nodes = [
        helper.make_node("ReduceMean", ["image"], ["gray"], axes=[1], keepdims=1),
        helper.make_node("Mul", ["gray", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "shares"], ["out"]),
    ]
    graph = helper.make_graph(
        nodes, "g", [helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, "h", "w"])],
        [onnx.numpy_helper.from_array(shares, "shares"), onnx.numpy_helper.from_array(np.float32([0]), "zero")],
    )  # fmt: skip
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=10)
    file = tmp_path / "shares.onnx"
    onnx.save(model, file)
    with pytest.raises(SeglabError, match="does not say what its 3 classes are"):
        adopting.network(str(file))
    with pytest.raises(SeglabError, match="does not say how its images are normalized"):
        adopting.network(str(file), ["a", "b", "c"])
    network = adopting.network(str(file), ["a", "b", "c"], "0,0,0", [1, 1, 1])
    found = seen(adopted(network, ("b", "a")))
    assert torch.allclose(found[:, 0, 0], torch.tensor([0.2, 0.7, 0.1]), atol=1e-6)


def test_a_model_of_the_hub_is_fetched_at_a_commit(saved, hub):
    files = {path.name: path.read_bytes() for path in saved("segformer").iterdir()}
    card = b"---\nlicense: other\nlibrary_name: transformers\n---\n# A model"
    repository = hub.add("nvidia/tiny", files | {"README.md": card, "pytorch_model.bin": b"never fetched"})
    network = adopting.network("nvidia/tiny")
    assert (network.origin, network.revision) == ("hf:nvidia/tiny", repository.branches["main"])
    assert network.license == "other" and network.classes == THEIRS
    assert not any("pytorch_model.bin" in path for _, path in hub.asked)
    hub.add("nvidia/pickled", {"config.json": files["config.json"], "pytorch_model.bin": b"code"})
    with pytest.raises(SeglabError, match=r"has no model\.safetensors; weights in other files are not opened"):
        adopting.network("hf:nvidia/pickled")


def test_a_gated_model_is_fetched_with_one_s_own_login(saved, hub, monkeypatch):
    files = {path.name: path.read_bytes() for path in saved("segformer").iterdir()}
    for name, how in (("nvidia/gated", {"gated": True}), ("nvidia/private", {"private": True})):
        hub.add(name, files, **how)
        with pytest.raises(SeglabError, match=r"is gated: .* log in with hf auth login|or it is private"):
            adopting.network(name)
        monkeypatch.setenv("HF_TOKEN", TOKEN)
        assert adopting.network(name).classes == THEIRS
        monkeypatch.delenv("HF_TOKEN")


# --- what is refused


def test_weights_that_do_not_segment_are_refused(saved, tmp_path):
    folder = shutil.copytree(saved("segformer"), tmp_path / "half")
    state = load_file(folder / "model.safetensors")
    kept = {name: value for name, value in state.items() if not name.startswith("decode_head")}
    save_file(kept, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(SeglabError, match=r"no weights for \d+ parts of a network that segments, such as decode_head"):
        adopting.network(str(folder))


def test_a_configuration_fetches_nothing_and_runs_no_code(saved, tmp_path):
    folder = shutil.copytree(saved("upernet"), tmp_path / "upernet")
    settings = json.loads((folder / "config.json").read_text())
    settings |= {"auto_map": {"AutoConfig": "evil.Config"}, "use_pretrained_backbone": True}
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "evil.py").write_text("raise SystemExit('it ran')")
    assert adopting.network(str(folder)).classes == THEIRS
    settings["model_type"] = "llama"
    (folder / "config.json").write_text(json.dumps(settings))
    with pytest.raises(SeglabError, match="'llama' is no kind of model that can be adopted; allowed: beit"):
        adopting.network(str(folder))


def test_a_backbone_that_is_only_named_is_not_asked_for(saved, tmp_path, hub):
    folder = shutil.copytree(saved("upernet"), tmp_path / "upernet")
    rewritten(folder, "config.json", backbone_config=None, backbone="a/backbone")
    with pytest.raises(SeglabError, match="backbone: 'a/backbone' is not described in the configuration but named"):
        adopting.network(str(folder))
    backbone = {"model_type": "timm_backbone", "backbone": "hf_hub:a/b"}
    with pytest.raises(SeglabError, match="backbone: 'hf_hub:a/b' is not described"):
        adopting.network(rewritten(folder, "config.json", backbone_config=backbone, backbone=None))
    assert hub.asked == []


def test_a_configuration_names_no_code_of_somebody_else_for_its_attention(saved, tmp_path):
    folder = shutil.copytree(saved("beit"), tmp_path / "beit")
    network = adopting.network(rewritten(folder, "config.json", attn_implementation="evil/kernels"))
    assert network.classes == THEIRS


@pytest.mark.parametrize("named", [{"0": "road", "2": "sky"}, {"1": "road", "2": "sky"}, ["road", "sky"], {"a": "b"}])
def test_names_without_a_number_each_are_refused(saved, tmp_path, named):
    folder = shutil.copytree(saved("segformer"), tmp_path / "segformer")
    with pytest.raises(SeglabError, match=r"segformer: its id2label is .*; allowed: a name for each of 0, 1, 2"):
        adopting.network(rewritten(folder, "config.json", id2label=named))


def test_what_others_wrote_is_told_within_bounds(saved, tmp_path):
    assert sources.onnx_names({"classes": "[&a [x, x], *a]"}) == []
    folder = shutil.copytree(saved("segformer"), tmp_path / "segformer")
    (folder / "README.md").write_text("---\nlicense: [mit, &a [x, x], *a]\n---\n")
    assert adopting.network(str(folder)).license == "mit"


def test_a_full_disk_is_told(saved, hub, monkeypatch):
    hub.add("nvidia/tiny", {path.name: path.read_bytes() for path in saved("segformer").iterdir()})
    monkeypatch.setattr("seglab.hub.os.replace", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left")))
    with pytest.raises(SeglabError, match="the disk is full"):
        adopting.network("nvidia/tiny")


def test_without_transformers_it_is_said_what_to_install(saved, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "transformers", None)
    with pytest.raises(SeglabError, match=r'pip install "seglab\[hub\]"'):
        adopting.network(str(saved("segformer")))


@pytest.mark.parametrize("source", ["segformer", "../models", "torchvision:unet", "no.onnx"])
def test_what_is_no_network_is_refused(source):
    with pytest.raises(SeglabError, match=r"allowed|no such file|there is no"):
        adopting.network(source)


def test_a_network_of_others_is_not_trained():
    with pytest.raises(SeglabError, match="a network of others is not trained here"):
        configured({"model": "adopted"})
    assert "adopted" not in Adopted.entries


# --- classes


@pytest.mark.parametrize(
    ("theirs", "ours", "table"),
    [
        (["Road", "SignSymbol"], ["sign_symbol", "road"], [1, 0]),
        (["cars", "buses", "grasses"], ["grass", "car", "bus"], [1, 2, 0]),
        (["airplane, aeroplane, plane", "tree-merged"], ["aeroplane", "tree"], [0, 1]),
        (["sidewalk", "pedestrian", "vegetation"], ["pavement", "person", "tree"], [0, 1, 2]),
        (["tree", "vegetation"], ["vegetation", "tree"], [1, 0]),  # its own name goes before another one
        (["route"], ["road", "street"], [VOID]),  # either could be meant
        (["__background__", "cat", "dog"], ["background", "cat"], [0, 1, 0]),  # the rest, as well as its own
        (["horses", "buses", "houses"], ["bus", "house", "horse"], [2, 0, 1]),
        (["signboard", "street"], ["road", "sign"], [1, 0]),
        (["road;route", "streetlight;street;lamp", "palm;palm;tree"], ["road", "tree"], [0, VOID, VOID]),
        (["traffic;light;traffic;signal", "car;auto"], ["car", "traffic light"], [1, 0]),
        (["step", "stairs"], ["stairs, steps", "step, stair"], [1, 0]),
        (["cat", "dog", "road"], ["background", "cat"], [0, 0, 0]),
    ],
)  # fmt: skip
def test_classes_are_matched_by_name(theirs, ours, table):
    if theirs[0] == "route":
        with pytest.raises(SeglabError, match="none of the network's classes"):
            adopting.brought(theirs, ours)
        return
    if theirs == ["cat", "dog", "road"]:
        table = [1, 0, 0]  # the rest is background
    assert list(adopting.brought(theirs, ours).table) == table


LISTED = (  # as objectInfo150 of ADE20K has them
    "stairs, steps", "door, double door", "screen door, screen", "blind, screen", "screen, silver screen",
    "step, stair", "earth, ground", "land, ground, soil", "counter", "buffet, counter, sideboard", "pot, flowerpot",
    "toilet, can, pot",
)  # fmt: skip


@pytest.mark.parametrize("names", [*KNOWN.values(), LISTED, tuple(name.replace(", ", ";") for name in LISTED)])
def test_each_class_of_a_list_is_itself(names):
    assert adopting.brought(names, names).table == tuple(range(len(names)))


def test_a_table_of_names_with_commas_is_given_back():
    theirs, ours = ("road, route", "windowpane, window", "door", "sky"), ("street, road", "opening", "other")
    found = adopting.brought(theirs, ours, {"street": theirs[0], "opening": [*theirs[1:3]], "other": "rest"})
    assert found.table == (0, 1, 1, 2)
    assert adopting.brought(theirs, ours, found.as_table()) == found


def test_a_table_means_the_very_name_and_gives_no_class_away_twice():
    assert adopting.brought(["desk", "desk-stuff"], ["desk"], "desk=desk").table == (0, VOID)
    assert adopting.brought(["a", "b"], ["c"], "c=a,c=b").table == (0, 0)
    with pytest.raises(SeglabError, match="classes: a becomes both c and d; allowed: one class of the data"):
        adopting.brought(["a", "b"], ["c", "d"], "c=a,d=a+b")


def test_a_table_is_text_or_a_file_and_is_given_back(tmp_path):
    ours, text = ("road", "green", "other"), "road=road,green=tree+grass,other=rest"
    theirs = ("road", "tree", "grass", "sky", "wall")
    (tmp_path / "table.yaml").write_text("road: road\ngreen: [tree, grass]\nother: rest\n")
    found = [adopting.brought(theirs, ours, table) for table in (text, tmp_path / "table.yaml")]
    assert [each.table for each in found] == [(0, 1, 1, 2, 2)] * 2
    assert found[0].as_table() == text and not found[0].unmatched and not found[0].unknown
    with pytest.raises(SeglabError, match=r"there is no 'gras' among the classes of the network; did you mean 'grass'"):
        adopting.brought(theirs, ours, "green=gras")
    with pytest.raises(SeglabError, match="is no table"):
        adopting.brought(theirs, ours, "green")
