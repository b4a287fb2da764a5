"""Networks of others: that they give here what their own code gives, and what becomes of their classes."""

import json
import re
import shutil

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from torch import nn

from seglab import adopting, export, prediction, runs
from seglab.adopting.names import KNOWN
from seglab.architectures.adopted import Adopted
from seglab.comparison import cautions, compare
from seglab.comparison.pairs import pair_of
from seglab.config import RunConfig, configured
from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.model import Segmenter
from seglab.torchvision_guard import torchvision
from seglab.travel import bring, take
from seglab.travel.commands import command
from seglab.travel.taking import pack
from tests.conftest import finish

torchvision()
THEIRS = ("road", "sidewalk", "building", "sky", "tree", "car", "cabinet")
IMAGE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def named():
    return {"id2label": dict(enumerate(THEIRS)), "label2id": {name: n for n, name in enumerate(THEIRS)}}


def segformer():
    from transformers import SegformerConfig, SegformerForSemanticSegmentation, SegformerImageProcessor

    config = SegformerConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, num_attention_heads=[1] * 4, decoder_hidden_size=16, **named()
    )
    return SegformerForSemanticSegmentation(config), SegformerImageProcessor(size={"height": 64, "width": 64})


def beit():
    from transformers import BeitConfig, BeitForSemanticSegmentation, BeitImageProcessor

    config = BeitConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        out_indices=[1, 2, 3, 4], use_relative_position_bias=True, pool_scales=[1, 2], **named(),
    )  # fmt: skip
    half = [0.5, 0.5, 0.5]
    return BeitForSemanticSegmentation(config), BeitImageProcessor(
        size={"height": 64, "width": 64}, do_center_crop=False, do_reduce_labels=True, image_mean=half, image_std=half
    )


def upernet():
    from transformers import ConvNextConfig, SegformerImageProcessor, UperNetConfig, UperNetForSemanticSegmentation

    backbone = ConvNextConfig(
        hidden_sizes=[8, 8, 16, 16], depths=[1] * 4, out_features=["stage1", "stage2", "stage3", "stage4"]
    )
    config = UperNetConfig(backbone_config=backbone, hidden_size=16, auxiliary_channels=8, **named())
    return UperNetForSemanticSegmentation(config), SegformerImageProcessor(size={"height": 64, "width": 64})


def queries(kind):
    import transformers

    swin = transformers.SwinConfig(
        embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2, image_size=64,
        out_features=["stage1", "stage2", "stage3", "stage4"],
    )  # fmt: skip
    if kind == "mask2former":
        config = transformers.Mask2FormerConfig(
            backbone_config=swin, hidden_dim=32, feature_size=32, mask_feature_size=32, encoder_layers=1,
            decoder_layers=2, num_attention_heads=2, num_queries=9, dim_feedforward=16, encoder_feedforward_dim=16,
            **named(),
        )  # fmt: skip
        made = transformers.Mask2FormerForUniversalSegmentation(config)
        return made, transformers.Mask2FormerImageProcessor(size={"height": 64, "width": 64}, size_divisor=32)
    decoder = transformers.DetrConfig(
        d_model=16, encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2,
        encoder_ffn_dim=16, decoder_ffn_dim=16, num_queries=9,
    )  # fmt: skip
    config = transformers.MaskFormerConfig(
        backbone_config=swin, decoder_config=decoder, fpn_feature_size=32, mask_feature_size=32, **named()
    )
    made = transformers.MaskFormerForInstanceSegmentation(config)
    return made, transformers.MaskFormerImageProcessor(size={"height": 64, "width": 64}, size_divisor=32)


def mobilevit():
    from transformers import MobileViTConfig, MobileViTForSemanticSegmentation, MobileViTImageProcessor

    config = MobileViTConfig(
        image_size=64, hidden_sizes=[16] * 3, neck_hidden_sizes=[8, 8, 16, 16, 16, 16, 32], num_attention_heads=2,
        aspp_out_channels=16, **named(),
    )  # fmt: skip
    return MobileViTForSemanticSegmentation(config), MobileViTImageProcessor(do_center_crop=False)


def dpt():
    from transformers import DPTConfig, DPTForSemanticSegmentation, DPTImageProcessor

    config = DPTConfig(
        hidden_size=16, num_hidden_layers=4, num_attention_heads=2, intermediate_size=16, image_size=64, patch_size=16,
        backbone_out_indices=[0, 1, 2, 3], neck_hidden_sizes=[8] * 4, fusion_hidden_size=8, **named(),
    )  # fmt: skip
    return DPTForSemanticSegmentation(config), DPTImageProcessor(size={"height": 64, "width": 64})


KINDS = {
    "segformer": segformer,
    "mobilevit": mobilevit,
    "dpt": dpt,
    "beit": beit,
    "upernet": upernet,
    "mask2former": lambda: queries("mask2former"),
    "maskformer": lambda: queries("maskformer"),
}


@pytest.fixture(scope="session")
def saved(tmp_path_factory):
    """The folder of a small model of transformers of a kind, with random weights that give several classes."""
    made = {}

    def of(kind):
        if kind not in made:
            torch.manual_seed(1)
            model, processor = KINDS[kind]()
            for parameter in model.parameters():
                if parameter.dim() > 1:
                    nn.init.normal_(parameter, std=0.4 if kind == "mobilevit" else 0.15)
            made[kind] = tmp_path_factory.mktemp("models") / kind
            model.save_pretrained(made[kind])
            processor.save_pretrained(made[kind])
        return made[kind]

    return of


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


def test_an_smp_model_gives_what_smp_gives(tmp_path):
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
    assert network.classes[:2] == ("__background__", "aeroplane") and network.side == 520
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
        (["__background__", "cat", "dog"], ["background", "cat"], [0, 1, VOID]),
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


# --- the run


def own(**options):
    """A finished run that was trained here."""
    return finish(runs.create(RunConfig(**options)))


STREETS = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}


@pytest.fixture
def network_run(saved):
    adoption = adopting.prepared(str(saved("segformer")), STREETS, name="other")
    list(adoption.write())
    return adoption


def test_a_run_of_a_network_is_finished_and_loads_offline(network_run, saved):
    directory = network_run.directory
    assert runs.status(directory).state == "completed" and runs.find("other") == directory
    assert json.loads((directory / "config.json").read_text()) == network_run.config.model_dump(mode="json")
    trained = runs.load("other")
    sample = runs.opened(directory).val[3]
    (labels,) = prediction.labeled(trained, sample, [()])
    assert np.array_equal(labels, runs.Evidence(directory).labels(3))
    assert trained.unknown == (3, 6, 8, 9, 10)  # marking, fence, person, pole, sign
    said = "\n".join(str(note.error()) for note in runs.events(directory)[0].notes)
    assert "scored on 6 of 11 classes; it does not know marking, fence, person, pole, sign" in said
    assert re.search(r"no class of the data in \d+\.\d % of the pixels", said)
    assert command(runs.config(directory)).startswith("seglab adopt segformer --data streets")
    (directory / "weights.safetensors").write_bytes(b"\0" + (directory / "weights.safetensors").read_bytes()[1:])
    with pytest.raises(SeglabError, match="are damaged"):
        runs.load("other")


def test_its_score_counts_what_is_void_as_missed(network_run):
    evidence = runs.Evidence(network_run.directory)
    hits, union = np.zeros(11), np.zeros(11)
    for n in range(len(evidence.names)):
        truth, labels = evidence.truth(n), evidence.labels(n)
        counted = (truth != VOID) & ~np.isin(truth, evidence.unknown)
        for k in range(11):
            hits[k] += (counted & (truth == k) & (labels == k)).sum()
            union[k] += (counted & ((truth == k) | (labels == k))).sum()
    known = [k for k in range(11) if union[k]]
    assert (np.isin(evidence.labels(0), [*range(11), VOID])).all() and set(known).isdisjoint(evidence.unknown)
    assert runs.last_word(network_run.directory).val_miou == pytest.approx(np.mean(hits[known] / union[known]))


def test_both_sides_are_counted_over_the_same_pixels_and_classes(network_run):
    mine = own(data=STREETS, model={"name": "unet", "width": 4, "depth": 2}, image_size=64, epochs=1)
    directories = [network_run.directory, mine]
    comparison = compare(directories)
    assert comparison.left_out == ("marking", "fence", "person", "pole", "sign")
    assert any("marking, fence, person, pole, sign" in str(each) for each in cautions(comparison))
    pair = pair_of(comparison, directories)
    first, second = pair.matrices
    assert np.array_equal(first[0].sum(2), second[0].sum(2))  # the same pixels of each class
    assert pair.verdict.difference == pytest.approx(comparison.rows[1].miou - comparison.rows[0].miou)
    unknown = runs.Evidence(network_run.directory).unknown
    for truth, a, b in pair.images():
        assert not np.isin([truth, a, b], unknown).any()
    counts = pair.agreement.counts.sum(0)
    assert counts.sum() == first[0].sum()
    assert counts[0] + counts[1] == np.trace(first[0].sum(0))
    assert counts[0] + counts[2] == np.trace(second[0].sum(0))
    assert [sum(each.pixels) for each in pair.borders] == [first[0].sum()] * 2
    for each, matrix in zip(pair.borders, (first, second), strict=True):
        assert np.array_equal(each.bands.sum(0), matrix[0].sum(0))
    assert pair.definitions()[0]["absent_as_zero"] <= pair.definitions()[0]["absent_as_one"]
    assert "seed" not in str(pair.verdict.sentences[0]) and "was not trained here" in str(pair.verdict.sentences[1])


def test_a_network_is_compared_with_each_seed_of_the_other_side(network_run):
    options = {"data": STREETS, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "epochs": 1}
    directories = [network_run.directory, *(own(**options, seed=seed) for seed in range(3))]
    comparison = compare(directories)
    found = pair_of(comparison, directories).verdict
    assert found.about == "settings" and len(found.by_seed) == 3
    scores = [row.miou for row in comparison.rows]
    assert found.by_seed == pytest.approx([score - scores[0] for score in scores[1:]])
    assert found.variances.of(10_000)[0] < found.variances.of(3)[0]


def test_it_does_not_leave_this_machine_nor_come_from_another(network_run, tmp_path, monkeypatch):
    with pytest.raises(SeglabError, match="the weights of other are those of segformer"):
        take(network_run.directory, tmp_path / "other.zip")
    monkeypatch.setattr("seglab.runs.shipping.refuse_others", lambda *_: None)  # of another program, say
    runs.ship(network_run.directory, tmp_path / "other")
    pack(tmp_path / "other", tmp_path / "other.zip")
    with pytest.raises(SeglabError, match="do not leave this machine"):
        bring(tmp_path / "other.zip")


def test_a_run_may_learn_from_its_labels(network_run):
    technique = {"name": "pseudo_labels", "teacher": str(network_run.directory), "labeled": 0.5, "confidence": 0.0}
    config = {"data": STREETS, "model": {"name": "unet", "width": 4, "depth": 2}, "image_size": 64, "epochs": 1}
    assert runs.status(own(**config, techniques=[technique])).state == "completed"
