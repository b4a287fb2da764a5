"""Where pretrained weights come from, where they go, and what happens without a network."""

import copy
import hashlib
import http.server
import subprocess
import sys
import threading
import time

import pytest
import torch
from torch import nn

from seglab import download, runs, training
from seglab.architectures import _pretrained as pretrained
from seglab.architectures._blocks import convolutions
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.model import Segmenter
from tests.conftest import tiny
from tests.page import row

LITE0 = {"name": "eff_unet", "encoder": "lite0", "width": 4}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """Every test has caches of its own, with nothing in them."""
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path / "hub"))
    return tmp_path / "hub" / "checkpoints"


@pytest.fixture
def vision():
    pretrained.torchvision()
    import torchvision

    return torchvision


# --- EfficientNet-Lite0 -----------------------------------------------------------------------------------------------


def lite0(vision):
    import timm

    model = timm.create_model("tf_efficientnet_lite0").eval()
    model.load_state_dict(pretrained.lite0_weights(), strict=True)
    return model


@torch.no_grad()
def test_the_installed_weights_know_a_daisy_and_a_palace(vision):
    from sklearn.datasets import load_sample_image

    model = lite0(vision)
    for name, expected in (("flower.jpg", 985), ("china.jpg", 698)):  # ImageNet's daisy and palace
        image = torch.from_numpy(load_sample_image(name).copy()).permute(2, 0, 1)[None].float() / 255
        image = nn.functional.interpolate(image, (256, 384), mode="bilinear", antialias=True)[:, :, 16:240, 80:304]
        assert int(model((image - 0.5) / 0.5).argmax()) == expected


@torch.no_grad()
def test_the_pretrained_encoder_gives_the_features_of_timms_own_model(vision):
    model = lite0(vision)
    segmenter = Segmenter(validated(RunConfig, {"model": LITE0 | {"pretrained": "imagenet"}}).model, 5)
    before = {name: value.clone() for name, value in segmenter.net.state_dict().items()}
    tiny(model=LITE0 | {"pretrained": "imagenet"}).model.pretrain(segmenter.net)
    images = torch.rand(2, 3, 64, 96)
    assert segmenter.mean.flatten().tolist() == segmenter.std.flatten().tolist() == [0.5] * 3
    features = segmenter.eval().net.encoder((images - segmenter.mean) / segmenter.std)[1:]
    expected = model.forward_intermediates((images - 0.5) / 0.5, intermediates_only=True)
    assert [tuple(each.shape[1:]) for each in features] == [tuple(each.shape[1:]) for each in expected]
    assert all(torch.allclose(found, own, atol=1e-5) for found, own in zip(features, expected, strict=True))
    after = segmenter.net.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before if not name.startswith("encoder"))


# --- VGG16 and ResNet -------------------------------------------------------------------------------------------------


def vgg_stages(norm, bias=None, width=64):
    stages, channels = [], 3
    for factor, count in zip((1, 2, 4, 8, 8), (2, 2, 3, 3, 3), strict=True):
        stages.append(convolutions(channels, factor * width, count, norm, bias))
        channels = factor * width
    return nn.ModuleList(stages)


@pytest.mark.parametrize(
    ("name", "norm", "bias"), [("vgg16", False, True), ("vgg16_bn", True, True), ("vgg16_bn", True, False)]
)
@torch.no_grad()
def test_stages_with_vgg16s_weights_give_its_features(vision, monkeypatch, name, norm, bias):
    with torch.device("meta"):
        original = getattr(vision.models, name)().features
    original = original.to_empty(device="cpu").eval()
    generator = torch.Generator().manual_seed(0)
    for key, value in original.state_dict().items():
        if value.dim() == 4:
            value.normal_(0, (2 / value[0].numel()) ** 0.5, generator=generator)
        elif value.is_floating_point():
            value.uniform_(0.5, 1.5, generator=generator)
            value -= 1 if key.endswith(("bias", "mean")) else 0
    state = {f"features.{key}": value for key, value in original.state_dict().items()}
    asked = []
    monkeypatch.setattr(pretrained, "torchvision_weights", lambda name: asked.append(name) or state)
    stages = vgg_stages(norm, bias).eval()
    pretrained.imagenet_vgg16(stages)
    assert asked == [name]
    found = expected = torch.rand(1, 3, 32, 32, generator=generator)
    layers = iter(original)
    for stage in stages:
        found = nn.functional.max_pool2d(stage(found), 2)
        for layer in layers:
            expected = layer(expected)
            if isinstance(layer, nn.MaxPool2d):
                break
        assert expected.std() > 0.01
        torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-4)


def test_a_narrow_vgg16_is_told_the_width_that_the_weights_have():
    with pytest.raises(
        SeglabError, match="64 channels in the first stage; convolution 1 has 16 channels instead of 64"
    ):
        pretrained.imagenet_vgg16(vgg_stages(True, width=16))


@torch.no_grad()
def test_a_resnet_with_torchvisions_names_takes_its_weights(vision, monkeypatch):
    original = vision.models.resnet18().eval()
    state = {key: value for key, value in original.state_dict().items() if not key.endswith("num_batches_tracked")}
    monkeypatch.setattr(pretrained, "torchvision_weights", lambda name: state)  # as torchvision's oldest files are
    module = vision.models.resnet18().eval()
    module.fc = nn.Identity()
    pretrained.imagenet_resnet(module, "resnet18")
    images = torch.rand(1, 3, 32, 32)
    assert torch.equal(original.fc(module(images)), original(images))


def test_a_resnet_that_the_weights_do_not_fit_is_refused_before_anything_is_fetched(vision):
    with torch.device("meta"):
        module = vision.models.resnet18(width_per_group=64)
        module.fc = nn.Identity()
        module.layer1[0].conv1 = nn.Conv2d(64, 32, 3, bias=False)
    with pytest.raises(SeglabError, match=r"resnet18 do not fit.*layer1\.0\.conv1\.weight"):
        pretrained.imagenet_resnet(module, "resnet18")


# --- the encoders of smp ----------------------------------------------------------------------------------------------


def hubs_file(monkeypatch, tmp_path, state):
    """Lets every file of the hub be one with these tensors; gives the list of what was asked for."""
    from safetensors.torch import save_file

    save_file({name: value.contiguous() for name, value in state.items()}, tmp_path / "model.safetensors")
    asked = []

    def found(*place):
        asked.append(place)
        return tmp_path / "model.safetensors"

    monkeypatch.setattr(pretrained, "hub_file", found)
    return asked


@torch.no_grad()
def test_timms_weights_reach_an_encoder_by_timms_name(vision, monkeypatch, tmp_path):
    import timm

    original = timm.create_model("test_resnet").eval()
    asked = hubs_file(monkeypatch, tmp_path, original.state_dict())
    entry = tiny(model={"name": "smp", "encoder": "tu-test_resnet", "pretrained": "imagenet"}).model
    net = entry.build(5).eval()
    entry.pretrain(net)
    images = torch.rand(1, 3, 64, 64)
    assert asked == [("timm/test_resnet.r160_in1k", "model.safetensors")]
    expected = original.forward_intermediates(images, intermediates_only=True)
    for found, own in zip(net.encoder(images)[1:], expected, strict=True):
        torch.testing.assert_close(found, own)


@torch.no_grad()
def test_timms_weights_reach_a_vision_transformer(vision, monkeypatch, tmp_path):
    import timm

    original = timm.create_model("test_vit").eval()
    asked = hubs_file(monkeypatch, tmp_path, original.state_dict())
    model = {"name": "smp", "decoder": "dpt", "encoder": "tu-test_vit", "pretrained": "imagenet"}
    entry = tiny(model=model).model
    net = entry.build(5).eval()
    entry.pretrain(net)
    images = torch.rand(1, 3, 160, 160)  # the size of its position embeddings
    assert asked == [("timm/test_vit.r160_in1k", "model.safetensors")]
    expected = original.forward_intermediates(images, indices=[0, 2, 3, 5], intermediates_only=True)
    for found, own in zip(net.encoder(images)[0], expected, strict=True):
        torch.testing.assert_close(found, own)


def test_smps_weights_reach_an_encoder_by_smps_name(vision, monkeypatch, tmp_path):
    state = vision.models.mobilenet_v2().state_dict()
    asked = hubs_file(monkeypatch, tmp_path, state)
    entry = tiny(model={"name": "mobile_unet", "encoder": "mobilenet_v2", "pretrained": "imagenet"}).model
    net = entry.build(5)
    entry.pretrain(net)
    assert [place[0] for place in asked] == ["smp-hub/mobilenet_v2.imagenet"] and len(asked[0][2]) == 40  # a commit
    found = net.encoder.state_dict()
    assert found and all(torch.equal(value, state[name]) for name, value in found.items())


def test_opening_a_run_with_pretrained_weights_fetches_nothing(monkeypatch):
    def refused(*place, **options):
        raise AssertionError(place)

    for name in ("fetched", "hub_file", "lite0_weights"):
        monkeypatch.setattr(pretrained, name, refused)
    config = tiny(model=LITE0 | {"pretrained": "imagenet"})
    run = training.Run(config, fresh=False)
    training.Run(config, weights=run.model.state_dict())
    with pytest.raises(AssertionError):
        training.Run(config)


def test_a_file_in_the_hubs_own_cache_is_taken_from_there(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    commit = "0" * 40
    file = tmp_path / "models--some--encoder" / "snapshots" / commit / "model.safetensors"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"weights")
    assert pretrained.hub_file("some/encoder", "model.safetensors", commit) == file


# --- the network ------------------------------------------------------------------------------------------------------


OFFLINE = {
    "timm--mobilenetv2_050": {"name": "mobile_unet", "encoder": "mobilenet_v2_050", "pretrained": "imagenet"},
    "smp-hub--resnet18": {"name": "deeplab_v3", "encoder": "resnet18", "pretrained": "imagenet"},
}


def test_without_a_network_a_run_ends_within_ten_seconds(monkeypatch):
    asked = []
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", False)
    monkeypatch.setattr("socket.getaddrinfo", lambda *place, **options: asked.append(place) or time.sleep(3600))
    with pytest.raises(SeglabError, match=r"huggingface\.co \(no answer within 4 seconds\)"):
        training.Run(tiny(model=OFFLINE["smp-hub--resnet18"]))
    assert 0 < len(asked) * download.ANSWER_SECONDS < 10


@pytest.mark.parametrize("file", OFFLINE)
@pytest.mark.parametrize("switched_off", [True, False])
def test_without_a_network_the_error_says_what_is_missing_and_what_works(monkeypatch, file, switched_off):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", switched_off)
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr("socket.getaddrinfo", lambda *place, **options: time.sleep(60))
    with pytest.raises(SeglabError) as error:
        training.Run(tiny(model=OFFLINE[file]))
    for part in (file, "huggingface.co", "pretrained none", "encoder lite0", "hub/checkpoints"):
        assert part in str(error.value)
    assert ("HF_HUB_OFFLINE" if switched_off else "no answer") in str(error.value)


def test_torchvisions_weights_without_a_network_end_the_same_way(vision, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.5)
    monkeypatch.setattr("socket.getaddrinfo", lambda *place, **options: time.sleep(60))
    with pytest.raises(SeglabError, match=r"vgg16_bn-6c64b313.pth .*download\.pytorch\.org .*without a network"):
        pretrained.imagenet_vgg16(vgg_stages(True))


PAYLOAD = bytes(range(256)) * 4096  # a mebibyte
PAUSE = 0.1  # seconds, after each eighth of it that a slow server sends


class Answers(http.server.BaseHTTPRequestHandler):
    """A server that answers as the path says."""

    def do_GET(self):
        if self.path.startswith("/silent"):
            time.sleep(5)
            return
        self.send_response(404 if self.path.startswith("/absent") else 200)
        self.send_header("Content-Length", str(len(PAYLOAD)))
        self.end_headers()
        sent = PAYLOAD[: len(PAYLOAD) // 2] if self.path.startswith("/cut") else PAYLOAD
        for start in range(0, len(sent), len(PAYLOAD) // 8):
            self.wfile.write(sent[start : start + len(PAYLOAD) // 8])
            if self.path.startswith("/slow"):
                time.sleep(PAUSE)

    def log_message(self, *parts):
        pass


@pytest.fixture
def server():
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_a_file_is_fetched_once_with_a_progress_bar(server, cache, capsys):
    digest = hashlib.sha256(PAYLOAD).hexdigest()
    path = pretrained.fetched(f"{server}/whole.bin", sha256=digest[:8])
    assert path == cache / "whole.bin" and path.read_bytes() == PAYLOAD
    captured = capsys.readouterr()
    assert "1.00M/1.00M" in captured.err and captured.out == ""
    assert pretrained.fetched("http://127.0.0.1:9/whole.bin") == path  # nothing listens there


def test_the_page_tells_how_far_the_weights_of_a_run_have_come(server, tmp_path):
    directory = runs.create(tiny(), "fetching")
    with open(directory / "log.txt", "wb") as log:
        code = "import sys; from pathlib import Path; from seglab.download import download; "
        code += "download(sys.argv[1], Path(sys.argv[2]))"
        command = [sys.executable, "-c", code, f"{server}/slow.bin", str(tmp_path / "weights")]
        child = subprocess.Popen(command, stdout=log, stderr=log)
        seen = set()
        while child.poll() is None:
            seen.add(download.last_shown(directory / "log.txt"))
            time.sleep(0.05)
    host = server.removeprefix("http://")
    shares = sorted(share for name, share in seen - {None} if name == host)
    assert len(shares) > 2 and shares[0] < 60 < shares[-1] + 41
    assert row(directory)["texts"] == []  # it does not run
    with runs.locked(directory):
        assert row(directory)["texts"] == [f"Downloading weights from {host}: 100%"]
        (directory / "log.txt").write_text("something else\n")
        assert row(directory)["texts"] == []
    assert download.last_shown(tmp_path / "gone") is None


def test_a_slow_download_may_take_longer_than_an_answer(server, monkeypatch):
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.5)
    assert 8 * PAUSE > download.ANSWER_SECONDS
    assert pretrained.fetched(f"{server}/slow.bin").read_bytes() == PAYLOAD


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("silent.bin", "no answer within 0.5 seconds"),
        ("absent.bin", "HTTP 404"),
        ("cut.bin", "ended after 524288 of 1048576 bytes"),
        ("other.bin", "SHA-256"),
    ],
)
def test_what_cannot_be_fetched_whole_leaves_no_file_behind(server, cache, monkeypatch, path, reason):
    monkeypatch.setattr(download, "ANSWER_SECONDS", 0.5)
    with pytest.raises(SeglabError, match=reason):
        pretrained.fetched(f"{server}/{path}", sha256="00000000" if path == "other.bin" else "")
    assert list(cache.iterdir()) == []


@pytest.mark.parametrize("name", ["damaged.pth", "damaged.safetensors"])
def test_a_damaged_file_is_named(tmp_path, name):
    (tmp_path / name).write_bytes(PAYLOAD[:1000])
    with pytest.raises(SeglabError, match=f"{name} cannot be read as weights; delete it"):
        pretrained.read(tmp_path / name)


# --- transfer learning ------------------------------------------------------------------------------------------------

SITUATIONS = {
    "little data, a similar task: only the decoder learns": ("imagenet", 5, None),
    "little data, another task: the later stages learn too, slowly": ("imagenet", 2, 1e-4),
    "much data, a similar task: everything learns, the encoder slowly": ("imagenet", None, 1e-4),
    "much data, another task: everything learns from the beginning": ("none", None, None),
}


@pytest.mark.parametrize("situation", SITUATIONS)
def test_every_situation_of_transfer_learning_can_be_trained(situation):
    start, frozen, encoder_lr = SITUATIONS[situation]
    config = tiny(
        model=LITE0 | {"pretrained": start},
        techniques=[{"name": "freeze", "stages": frozen}] if frozen else [],
        optimizer={"name": "adam", "lr": 1e-2, "encoder_lr": encoder_lr},
    )
    run = training.Run(config)
    known = pretrained.lite0_weights()["conv_stem.weight"]
    assert torch.equal(run.model.net.encoder.model.conv_stem.weight, known) == (start == "imagenet")

    for hooks in run.step_hooks.values():
        hooks.on_epoch(0)
    stages = [*run.model.net.stages(), run.model.net.decoder]
    before = [copy.deepcopy(stage.state_dict()) for stage in stages]
    for step in range(2):
        run.advance(run.batch(0, [step, step + 1]))
    for number, stage in enumerate(stages):
        if frozen and number < frozen:
            assert all(torch.equal(value, before[number][name]) for name, value in stage.state_dict().items())
            continue
        lr = 1e-2 if encoder_lr is None or number == 5 else encoder_lr
        moved = max(
            float((value.detach() - before[number][name]).abs().max()) for name, value in stage.named_parameters()
        )
        assert 0.5 * lr < moved < 2.5 * lr  # Adam's first steps are about as long as the learning rate


def test_pretrained_weights_that_do_not_exist_are_refused_before_a_run():
    with pytest.raises(SeglabError, match=r"pretrained: the encoder mobilenet_v2_035 has no ImageNet weights"):
        tiny(model={"name": "mobile_unet", "encoder": "mobilenet_v2_035", "pretrained": "imagenet"})
    with pytest.raises(SeglabError, match="no ImageNet weights"):
        tiny(model={"name": "smp", "encoder": "tu-lcnet_035", "pretrained": "imagenet"})
