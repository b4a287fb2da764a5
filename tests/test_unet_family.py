"""The U-Net and its descendants: their published sizes, and what each of them adds."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglab import prediction, runs
from seglab.architectures import _pretrained
from seglab.architectures import unet as unet_module
from seglab.architectures.nested import gated, presence_loss, present_classes
from seglab.architectures.residual import ResidualNet, ResidualUnit
from seglab.architectures.unet import OverlapTile, centre, mirrored
from seglab.config import configured
from seglab.data.base import VOID, Batch
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Architecture, Outputs
from seglab.losses.pixel import CrossEntropy
from seglab.model import Segmenter, Trained
from seglab.predictors import Depth
from seglab.torchvision_guard import torchvision
from seglab.training import Run
from tests.conftest import tiny


def entry(name, **options):
    return validated(Architecture, {"name": name, **options})


def built(name, num_classes=5, in_channels=3, seed=0, **options):
    torch.manual_seed(seed)
    return entry(name, **options).build(num_classes, in_channels)


def counted(name, num_classes=21, in_channels=3, **options):
    with torch.device("meta"):
        return size(entry(name, **options).build(num_classes, in_channels))


def size(net):
    return sum(parameter.numel() for parameter in net.parameters())


def used(net, seed=0, images=4):
    """The network in evaluation, its batch norms with statistics of their own."""
    torch.manual_seed(seed)
    net.train()(torch.randn(images, 3, 64, 64))
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.5, 0.5)
    return net.eval()


def seen(net, modules):
    """What modules are given and give while the network runs: pairs, filled when it does."""
    found = {}
    for name, module in modules.items():
        module.register_forward_hook(
            lambda _, given, gives, name=name: found.update({name: (given[0].clone(), gives.clone())})
        )
    return found


# --- all of them ------------------------------------------------------------------------------------------------------

WIDE = {"width": 64}
GUIDED = {"deep_supervision": True, "guidance": "object"}
UNGUIDED = {"guidance": "none"}


@pytest.mark.parametrize(
    ("name", "options", "shape", "parameters"),
    [
        ("unet", WIDE, (21, 3), 31_038_933),
        ("unet", WIDE | {"variant": "original"}, (2, 1), 31_030_658),
        ("unet", WIDE | {"variant": "unpadded"}, (21, 3), 31_038_933),
        ("unet", WIDE | {"skip": "add"}, (21, 3), 27_905_493),
        ("unet", WIDE | {"skip": "none"}, (21, 3), 27_905_493),
        ("unet_vgg16", WIDE, (21, 3), 38_711_765),
        ("unet_vgg16", WIDE | {"decoder": "ternaus", "batch_norm": False}, (21, 3), 32_202_997),
        ("unet_plus_plus", {"width": 32, "batch_norm": False, "deep_supervision": False}, (1, 1), 9_041_601),
        ("unet_plus_plus", {"width": 32, "batch_norm": False, "deep_supervision": False}, (21, 3), 9_042_837),
        ("unet_plus_plus", {"width": 32, "batch_norm": False}, (21, 3), 9_044_916),
        ("unet_3_plus", WIDE | UNGUIDED | {"deep_supervision": False}, (1, 3), 26_971_777),
        ("unet_3_plus", WIDE | UNGUIDED, (1, 3), 26_989_637),
        ("unet_3_plus", WIDE | GUIDED, (1, 3), 26_991_687),
        ("unet_3_plus", WIDE | UNGUIDED | {"deep_supervision": False}, (21, 3), 27_029_397),
        ("unet_3_plus", WIDE | UNGUIDED, (21, 3), 27_404_457),
        ("unet_3_plus", WIDE | GUIDED, (21, 3), 27_406_507),
        ("unet_3_plus", WIDE | {"guidance": "classes"}, (21, 3), 27_404_457 + 21 * 1025),
        ("res_unet", WIDE, (1, 3), 8_220_993),
        ("res_unet", WIDE, (21, 3), 8_222_293),
    ],
)
def test_a_network_has_as_many_parameters_as_its_authors(name, options, shape, parameters):
    assert counted(name, *shape, **options) == parameters


OPTIONS = [
    ("unet", {"variant": "unpadded", "depth": 3}),
    ("unet", {"variant": "original", "depth": 3}),
    ("unet", {"variant": "original", "depth": 2, "skip": "add"}),
    ("unet", {"variant": "original", "depth": 2, "skip": "none"}),
    ("unet", {"skip": "add"}),
    ("unet", {"skip": "none"}),
    ("unet_vgg16", {"batch_norm": False}),
    ("unet_vgg16", {"decoder": "ternaus"}),
    ("unet_vgg16", {"decoder": "ternaus", "batch_norm": False}),
    ("unet_plus_plus", {"deep_supervision": False}),
    ("unet_plus_plus", {"batch_norm": False, "dropout": 0.5}),
    ("unet_3_plus", {"deep_supervision": False, "guidance": "none"}),
    ("unet_3_plus", {"guidance": "object"}),
]
each_option = pytest.mark.parametrize(("name", "options"), OPTIONS, ids=lambda value: str(value).replace("'", ""))


@each_option
def test_with_any_option_a_gradient_reaches_every_parameter(name, options):
    torch.manual_seed(0)
    architecture = entry(name, width=4, **options)
    model = Segmenter(architecture, 5).train()
    batch = Batch(torch.rand(2, 3, 70, 64), torch.randint(0, 5, (2, 70, 64)), torch.arange(2))
    outputs = model(batch.images)
    assert outputs.logits.shape == (2, 5, 70, 64)
    terms = architecture.terms(outputs, batch, CrossEntropy(), 0.5)
    sum(term.weight * term.value for term in terms.values()).backward()
    assert [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()] == []


@each_option
@torch.no_grad()
def test_with_any_option_a_saved_network_gives_the_same_when_loaded(name, options):
    model = used(Segmenter(entry(name, width=4, **options), 5))
    copy = Segmenter(entry(name, width=4, **options), 5).eval()
    copy.load_state_dict(model.state_dict())
    images = torch.rand(2, 3, 64, 50)
    assert torch.equal(copy(images).logits, model(images).logits)


@pytest.mark.parametrize("name", ["encoder_decoder", "unet", "unet_vgg16"])
def test_the_shipped_weights_still_fit(name):
    shipped = unet_module.__file__.replace("seglab/architectures/unet.py", f"checkpoints/{name}")
    assert runs.load(shipped).config.model.name == name


# --- U-Net ------------------------------------------------------------------------------------------------------------


def test_the_original_unet_makes_388_pixels_of_572():
    with torch.device("meta"):
        net = entry("unet", width=64, variant="original").build(2, 1)
        assert net.net(torch.empty(1, 1, 572, 572)).shape == (1, 2, 388, 388)
        assert net.net(torch.empty(1, 1, 188, 188)).shape == (1, 2, 4, 4)
    assert net.margin(388) == 92  # 572 = 92 + 388 + 92
    assert sum(isinstance(module, nn.Conv2d | nn.ConvTranspose2d) for module in net.modules()) == 23


def test_the_original_unet_is_valid_convolutions_on_the_mirrored_image():
    net = built("unet", 3, width=4, depth=2, variant="original").eval()
    image = torch.randn(1, 3, 64, 96)
    # two convolutions cost 4 pixels, here 4 + 2 x 4 + 4 x 4 + 2 x 4 + 4 = 40 of the whole image: 20 at each border
    x = torch.from_numpy(np.pad(image.numpy(), [(0, 0), (0, 0), (20, 20), (20, 20)], mode="reflect"))
    weights = iter(net.parameters())  # encoder, up-convolutions, decoder, classifier

    def convolved(x, count=2):
        for _ in range(count):
            x = F.relu(F.conv2d(x, next(weights), next(weights)))
        return x

    first = convolved(x)
    second = convolved(F.max_pool2d(first, 2))
    bottom = convolved(F.max_pool2d(second, 2))
    ups = [(next(weights), next(weights)) for _ in range(2)]
    up = F.conv_transpose2d(bottom, *ups[0], stride=2)
    x = convolved(torch.cat([second[..., 4:-4, 4:-4], up], 1))
    up = F.conv_transpose2d(x, *ups[1], stride=2)
    x = convolved(torch.cat([first[..., 16:-16, 16:-16], up], 1))
    expected = F.conv2d(x, next(weights), next(weights))
    assert next(weights, None) is None and expected.shape == (1, 3, 64, 96)
    torch.testing.assert_close(net(image), expected)


class Cut(nn.Module):
    """Gives what the original U-Net labels: its input without 6 s - 4 pixels at each border, s = 2^depth."""

    def __init__(self, scale):
        super().__init__()
        self.scale = scale

    def forward(self, x):
        assert all((side + 4) % self.scale == 0 and side >= 9 * self.scale - 4 for side in x.shape[-2:])
        lost = 6 * self.scale - 4
        return x[..., lost:-lost, lost:-lost]


@pytest.mark.parametrize("depth", [2, 3, 4, 5])
def test_the_overlap_tile_labels_the_image_and_nothing_else(depth):
    image = torch.rand(1, 3, 64, 96)
    assert torch.equal(OverlapTile(Cut(2**depth), depth)(image), image)


@torch.no_grad()
def test_a_constant_image_looks_the_same_everywhere_only_where_its_border_is_mirrored():
    image = torch.rand(1, 3, 1, 1).expand(1, 3, 64, 96)
    for variant, same in [("original", True), ("unpadded", True), ("padded", False)]:
        logits = built("unet", width=4, depth=3, variant=variant).eval()(image)
        tile = logits[..., :8, :8]  # up-convolutions treat the pixels of such a tile differently, but all tiles alike
        assert torch.allclose(logits, tile.repeat(1, 1, 8, 12), atol=1e-5) == same


def test_mirroring_repeats_the_last_pixel_where_an_image_is_too_small():
    row = torch.tensor([[1.0, 2, 3]])[None, None]
    assert mirrored(row, 0, 2)[0, 0].tolist() == [[3, 2, 1, 2, 3, 2, 1]]
    assert mirrored(row, 1, 4)[0, 0].tolist() == [[3, 3, 3, 2, 1, 2, 3, 2, 1, 1, 1]] * 3
    image = torch.rand(1, 2, 9, 12)
    expected = np.pad(image.numpy(), [(0, 0), (0, 0), (3, 3), (7, 7)], mode="reflect")
    assert np.array_equal(mirrored(image, 3, 7).numpy(), expected)


def test_the_centre_is_cut_out_of_the_middle():
    maps = torch.arange(30).view(1, 1, 5, 6)
    assert centre(maps, (3, 2))[0, 0].tolist() == [[8, 9], [14, 15], [20, 21]]


def test_the_original_drops_out_at_the_end_of_the_contracting_path():
    net = built("unet", variant="original", width=4)
    dropped = [number for number, stage in enumerate(net.stages()) if isinstance(stage[-1], nn.Dropout)]
    assert dropped == [3, 4] and sum(isinstance(module, nn.Dropout) for module in net.modules()) == 2
    images = torch.randn(1, 3, 64, 64)
    assert not torch.equal(net.train()(images), net(images))
    assert torch.equal(net.eval()(images), net(images))


def test_the_unpadded_unet_is_the_padded_one_without_its_padding():
    unpadded, padded = (built("unet", width=4, depth=2, variant=variant).eval() for variant in ("unpadded", "padded"))
    unpadded.net.load_state_dict(padded.state_dict())
    for each in padded.modules():
        if isinstance(each, nn.Conv2d):
            each.padding = (0, 0)
    # two convolutions cost 4 pixels: what of the whole image is seen is 4 + 2 x 4 + 4 x 4 + 2 x 4 + 4 larger
    images = torch.randn(1, 3, 64, 64)
    x = torch.from_numpy(np.pad(images.numpy(), [(0, 0), (0, 0), (20, 20), (20, 20)], mode="reflect"))
    shallow = []
    for number, stage in enumerate(padded.stages()):
        x = stage(F.max_pool2d(x, 2) if number else x)
        shallow.append(x)
    for up, decode, features, cut in zip(padded.up, padded.decoder, shallow[1::-1], (4, 16), strict=True):
        x = decode(torch.cat([features[..., cut:-cut, cut:-cut], up(x)], 1))
    torch.testing.assert_close(unpadded(images), padded.classifier(x))


def test_without_skips_the_unet_is_the_encoder_decoder():
    images = torch.randn(1, 3, 64, 64)
    expected = built("encoder_decoder", width=4, depth=2).eval()(images)
    assert torch.equal(built("unet", width=4, depth=2, skip="none").eval()(images), expected)


@torch.no_grad()
def test_added_skips_add_the_encoder_s_features_to_the_decoder_s():
    net = used(built("unet", width=4, depth=2, skip="add"))
    found = seen(net, {f"stage {n}": stage for n, stage in enumerate(net.stages())})
    found_up = seen(net, {f"up {n}": up for n, up in enumerate(net.up)})
    found_decoder = seen(net, {f"decoder {n}": decoder for n, decoder in enumerate(net.decoder)})
    net(torch.randn(1, 3, 64, 64))
    for n in range(2):
        expected = found_up[f"up {n}"][1] + found[f"stage {1 - n}"][1]
        assert torch.equal(found_decoder[f"decoder {n}"][0], expected)


# --- U-Net with VGG16 -------------------------------------------------------------------------------------------------


def vgg16(width, norm):
    """torchvision's, at any width, with weights of its own in every layer."""
    torchvision()
    from torchvision.models.vgg import cfgs, make_layers

    torch.manual_seed(1)
    layers = make_layers([size if size == "M" else size * width // 64 for size in cfgs["D"]], norm)
    for module in layers:
        if isinstance(module, nn.BatchNorm2d):
            for name in ("weight", "bias", "running_mean", "running_var"):
                nn.init.uniform_(getattr(module, name), 0.5, 1.5)
    return layers.eval()


@torch.no_grad()
@pytest.mark.parametrize("decoder", ["unet", "ternaus"])
@pytest.mark.parametrize("norm", [False, True])
def test_the_encoder_with_imagenet_s_weights_is_torchvision_s_vgg16(decoder, norm, monkeypatch):
    theirs = vgg16(64, norm)
    weights = {f"features.{name}": value for name, value in theirs.state_dict().items()}
    monkeypatch.setattr(_pretrained, "torchvision_weights", lambda name: weights)
    architecture = entry("unet_vgg16", width=64, batch_norm=norm, decoder=decoder, pretrained="imagenet")
    net = architecture.build(2).eval()
    architecture.pretrain(net)
    images = torch.rand(1, 3, 64, 32)
    features = net.encoder(images)
    expected, x = [], images
    for layer in theirs:
        if isinstance(layer, nn.MaxPool2d):
            expected.append(x)
        x = layer(x)
    assert len(expected) == 5
    for found, wanted in zip(features, expected, strict=False):
        torch.testing.assert_close(found, wanted, rtol=1e-4, atol=1e-4)


def test_pretraining_touches_vgg16_s_five_stages_and_only_when_asked(monkeypatch):
    given = []
    monkeypatch.setattr(unet_module, "imagenet_vgg16", given.append)
    for pretrained in ("none", "imagenet"):
        architecture = entry("unet_vgg16", width=4, pretrained=pretrained)
        net = architecture.build(2)
        architecture.pretrain(net)
    assert given == [net.stages()[:5]] and len(net.stages()) == 6


def test_a_narrow_vgg16_cannot_take_imagenet_s_weights():
    architecture = entry("unet_vgg16", width=4, pretrained="imagenet")
    with pytest.raises(SeglabError, match="width"):
        architecture.pretrain(architecture.build(2))


@torch.no_grad()
def test_ternausnet_is_vgg16_and_five_deconvolutions():
    net = built("unet_vgg16", 3, width=4, batch_norm=False, decoder="ternaus").eval()
    for parameter in net.parameters():
        if parameter.dim() == 1:
            nn.init.uniform_(parameter, -0.1, 0.1)
    weights = iter(net.parameters())

    def convolved(x):
        return F.relu(F.conv2d(x, next(weights), next(weights), padding=1))

    def grown(x):
        return F.relu(F.conv_transpose2d(convolved(x), next(weights), next(weights), stride=2, padding=1))

    images = torch.rand(1, 3, 64, 64)
    x, taps = images, []
    for count in (2, 2, 3, 3, 3):
        for _ in range(count):
            x = convolved(x)
        taps.append(x)
        x = F.max_pool2d(x, 2)
    for tap in reversed(taps):
        x = torch.cat([grown(x), tap], 1)
    expected = F.conv2d(convolved(x), next(weights), next(weights))
    assert next(weights, None) is None
    torch.testing.assert_close(net(images), expected)


# --- U-Net++ ----------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_every_node_sees_its_row_and_the_node_below():
    net = used(built("unet_plus_plus", width=4))
    images = torch.rand(1, 3, 64, 64)

    def node(i, j):
        if j == 0:
            return net.stages()[i](images if i == 0 else F.max_pool2d(node(i - 1, 0), 2))
        row = [node(i, before) for before in range(j)]
        return net.nodes[f"{i}_{j}"](torch.cat([*row, net.up[f"{i}_{j}"](node(i + 1, j - 1))], 1))

    outputs = net(images)
    assert list(outputs.extras) == ["depth_1", "depth_2", "depth_3", "depth_4"]
    for depth in range(1, 5):
        expected = F.conv2d(node(0, depth), net.heads[str(depth)].weight, net.heads[str(depth)].bias)
        torch.testing.assert_close(outputs.extras[f"depth_{depth}"], expected, rtol=1e-4, atol=1e-5)
    assert torch.equal(outputs.logits, outputs.extras["depth_4"])


@torch.no_grad()
@pytest.mark.parametrize(("depth", "parameters"), [(1, 100_961), (2, 511_105), (3, 2_204_961), (4, 9_041_601)])
def test_a_cut_network_gives_exactly_what_the_whole_one_gives_at_its_depth(depth, parameters):
    with torch.device("meta"):
        assert size(built("unet_plus_plus", 1, 1, width=32, batch_norm=False).at_depth(depth)) == parameters
    whole = used(built("unet_plus_plus", width=4))
    cut = Depth(depth=str(depth)).adapted(whole)
    images = torch.rand(2, 3, 64, 96)
    assert torch.equal(cut(images), whole(images).extras[f"depth_{depth}"])
    assert {id(parameter) for parameter in cut.parameters()} <= {id(parameter) for parameter in whole.parameters()}


@torch.no_grad()
def test_a_cut_network_computes_only_what_it_needs():
    whole = used(built("unet_plus_plus", width=4))
    counts = []
    for net in (*(whole.at_depth(depth) for depth in (1, 2, 3, 4)), whole):
        calls = []
        hooks = [
            module.register_forward_hook(lambda *_, calls=calls: calls.append(1))
            for module in whole.modules()
            if isinstance(module, nn.Conv2d)
        ]
        net(torch.rand(1, 3, 64, 64))
        counts.append(len(calls))
        for hook in hooks:
            hook.remove()
    # two convolutions in each of the nodes with i + j <= depth, of which there are 3, 6, 10 and 15, and one head; the
    # whole network has four
    assert counts == [2 * 3 + 1, 2 * 6 + 1, 2 * 10 + 1, 2 * 15 + 1, 2 * 15 + 4]


@torch.no_grad()
def test_the_average_is_that_of_the_depths_probabilities():
    whole = used(built("unet_plus_plus", width=4))
    images = torch.rand(2, 3, 64, 64)
    expected = sum(logits.softmax(1) for logits in whole(images).extras.values()) / 4
    torch.testing.assert_close(Depth(depth="average").adapted(whole)(images).softmax(1), expected)
    assert not torch.allclose(expected, whole(images).logits.softmax(1), atol=1e-3)


def test_a_photograph_is_labelled_at_the_depth_asked_for(tmp_path):
    config = tiny(model={"name": "unet_plus_plus", "width": 4})
    model = Segmenter(config.model, 4)
    trained = Trained(tmp_path, config, tuple("abcd"), ((0, 0, 0),) * 4, used(model))
    image = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    pixels = torch.from_numpy(image).permute(2, 0, 1)[None] / 255
    with torch.no_grad():
        expected = model(pixels).extras["depth_2"][0].softmax(0).numpy()
    found = prediction.predict(trained, image, [Depth(depth="2")]).probabilities
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert not np.allclose(prediction.predict(trained, image).probabilities, expected, atol=1e-3)


@pytest.mark.parametrize(
    ("name", "options"), [("unet", {}), ("unet_3_plus", {}), ("unet_plus_plus", {"deep_supervision": False})]
)
def test_a_network_of_one_depth_cannot_be_cut(name, options):
    net = built(name, width=4, **options)
    for depth in ("1", "4", "average"):
        with pytest.raises(SeglabError, match=rf"depth: {depth} needs .*allowed: a unet_plus_plus"):
            Depth(depth=depth).adapted(net)


def test_a_network_is_cut_once():
    cut = Depth(depth="3").adapted(built("unet_plus_plus", width=4))
    with pytest.raises(SeglabError, match="needs a classifier at each depth"):
        Depth(depth="2").adapted(cut)


def test_deep_supervision_averages_each_term_over_the_depths():
    torch.manual_seed(0)
    maps = torch.randn(4, 2, 3, 8, 8)
    masks = torch.randint(0, 3, (2, 8, 8))
    batch = Batch(torch.zeros(2, 3, 8, 8), masks, torch.arange(2))
    outputs = Outputs(maps[3], {f"depth_{depth}": logits for depth, logits in enumerate(maps, 1)})
    loss = configured({"loss": "cross_entropy + 0.5*dice"}).loss
    terms = entry("unet_plus_plus").terms(outputs, batch, loss, 0.5)
    assert {name: term.weight for name, term in terms.items()} == {"cross_entropy": 1, "dice": 0.5}
    expected = np.mean([float(F.cross_entropy(logits, masks)) for logits in maps])
    assert float(terms["cross_entropy"].value) == pytest.approx(expected, rel=1e-6)
    total = sum(term.weight * term.value for term in terms.values())
    assert float(total) == pytest.approx(np.mean([float(loss(logits, masks)) for logits in maps]), rel=1e-6)


def test_dropout_follows_each_convolution_of_the_nodes():
    net = built("unet_plus_plus", width=4, dropout=0.3)
    layers = [type(layer).__name__ for layer in net.nodes["0_1"]]
    assert layers == ["Conv2d", "BatchNorm2d", "ReLU", "Dropout"] * 2
    assert sum(isinstance(module, nn.Dropout) for module in net.modules()) == 2 * 15
    assert not any(isinstance(module, nn.Dropout) for module in built("unet_plus_plus", width=4).modules())


# --- U-Net 3+ ---------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_every_decoder_stage_sees_all_five_scales():
    net = used(built("unet_3_plus", width=4))
    encoder = seen(net, dict(enumerate(net.stages())))
    decoder = seen(net, dict(enumerate(net.fusions)))
    skips = seen(net, {(d, s): skip for d, row in enumerate(net.skips) for s, skip in enumerate(row)})
    heads = seen(net, dict(enumerate(net.heads)))
    net(torch.randn(1, 3, 64, 96))
    e = [encoder[n][1] for n in range(5)]
    d = [decoder[n][1] for n in range(4)]

    def larger(maps, times):
        return F.interpolate(maps, scale_factor=times, mode="bilinear", align_corners=False)

    pooled = F.max_pool2d
    expected = [  # the finest decoder stage first; its sources from the finest
        [e[0], larger(d[1], 2), larger(d[2], 4), larger(d[3], 8), larger(e[4], 16)],
        [pooled(e[0], 2), e[1], larger(d[2], 2), larger(d[3], 4), larger(e[4], 8)],
        [pooled(e[0], 4), pooled(e[1], 2), e[2], larger(d[3], 2), larger(e[4], 4)],
        [pooled(e[0], 8), pooled(e[1], 4), pooled(e[2], 2), e[3], larger(e[4], 2)],
    ]
    for level, sources in enumerate(expected):
        for place, source in enumerate(sources):
            torch.testing.assert_close(skips[level, place][0], source)
        assert torch.equal(decoder[level][0], torch.cat([skips[level, place][1] for place in range(5)], 1))
    for head, features in enumerate([*d, e[4]]):
        assert torch.equal(heads[head][0], features)


def test_absent_classes_lose_their_probability_to_the_others():
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1)
    found = gated(logits, torch.tensor([[True, False, True]])).softmax(1).flatten()
    torch.testing.assert_close(found, torch.tensor([5 / 7, 0, 2 / 7]), atol=2e-6, rtol=0)


def test_an_image_in_which_no_class_is_found_keeps_them_all():
    probabilities = torch.tensor([[0.5, 0.3, 0.2], [0.1, 0.2, 0.7]])
    present = torch.tensor([[False, False, False], [False, True, True]])
    found = gated(probabilities.log()[..., None, None], present).exp().flatten(1)
    torch.testing.assert_close(found, torch.tensor([[0.5, 0.3, 0.2], [0, 2 / 9, 7 / 9]]), atol=2e-6, rtol=0)


def test_guidance_by_object_stands_for_all_classes_but_the_first():
    logits = torch.tensor([0.5, 0.3, 0.2]).log().view(1, 3, 1, 1).expand(3, 3, 1, 1)
    found = gated(logits, torch.tensor([[True, False], [False, True], [True, True]])).exp().flatten(1)
    expected = torch.tensor([[1, 0, 0], [0, 0.6, 0.4], [0.5, 0.3, 0.2]])
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)


def test_an_absent_class_wins_nowhere_between_two_pixels_that_are_sure():
    logits = torch.zeros(1, 3, 1, 2)
    logits[0, 1, 0, 0] = logits[0, 2, 0, 1] = 200.0
    enlarged = F.interpolate(gated(logits, torch.tensor([[False, True, True]])), (8, 15), mode="bilinear")
    assert 0 not in enlarged.argmax(1)


@torch.no_grad()
def test_only_in_evaluation_are_absent_classes_left_out():
    net = used(built("unet_3_plus", width=4))
    nn.init.zeros_(net.presence[1].weight)
    net.presence[1].bias.copy_(torch.tensor([9.0, -9, 9, -9, 9]))
    images = torch.rand(2, 3, 64, 64)
    outputs = net(images)
    for logits in (outputs.logits, *(outputs.extras[f"side_{n}"] for n in range(2, 6))):
        assert logits[:, [1, 3]].exp().max() < 2e-6
        torch.testing.assert_close(logits.exp().sum(1), torch.ones_like(logits[:, 0]), atol=1e-5, rtol=0)
    assert torch.equal(outputs.extras["presence"], net.presence[1].bias.expand(2, 5))
    net.train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()
    free = net(images).logits
    assert free.softmax(1)[:, [1, 3]].max() > 0.01
    odds = free.softmax(1) * torch.tensor([1, 0, 1, 0, 1]).view(1, 5, 1, 1)
    torch.testing.assert_close(outputs.logits.exp(), odds / odds.sum(1, keepdim=True), atol=1e-5, rtol=0)


def test_the_classes_among_the_labelled_pixels_are_present():
    masks = torch.tensor([[[0, 2], [2, VOID]], [[VOID, VOID], [VOID, VOID]], [[1, 1], [1, 1]]])
    expected = [[True, False, True], [False] * 3, [False, True, False]]
    assert present_classes(masks, 3).tolist() == expected


def test_the_presence_loss_is_binary_cross_entropy_over_images_with_labels():
    presence = torch.tensor([[0.0, 0.0], [50.0, 50.0], [math.log(3), -math.log(3)]], requires_grad=True)
    present = torch.tensor([[True, False], [False, False], [True, False]])
    # odds of 3 to 1 for what is so: -log(3/4); nothing is labeled in the second image
    assert presence_loss(presence, present).item() == pytest.approx((math.log(2) + math.log(4 / 3)) / 2)
    nothing = presence_loss(presence, torch.zeros(3, 2, dtype=torch.bool))
    nothing.backward()
    assert nothing.item() == 0 and not presence.grad.any()


@pytest.mark.parametrize(("guidance", "expected"), [("classes", [1, 0, 1, 0]), ("object", [1, 1])])
def test_presence_is_learned_beside_the_mean_over_the_side_outputs(guidance, expected):
    torch.manual_seed(0)
    maps = torch.randn(5, 1, 4, 8, 8)
    masks = torch.tensor([0, 2, VOID, 0]).view(1, 1, 4).expand(1, 8, 4).repeat(1, 1, 2)
    presence = torch.randn(1, len(expected))
    extras = {f"side_{n}": side for n, side in enumerate(maps[1:], 2)} | {"presence": presence}
    batch = Batch(torch.zeros(1, 3, 8, 8), masks, torch.arange(1))
    terms = entry("unet_3_plus", guidance=guidance, presence_weight=0.25).terms(
        Outputs(maps[0], extras), batch, CrossEntropy(), 0.5
    )
    assert list(terms) == ["cross_entropy", "presence"] and terms["presence"].weight == 0.25
    wanted = F.binary_cross_entropy_with_logits(presence, torch.tensor([expected]).float())
    assert float(terms["presence"].value) == pytest.approx(float(wanted))
    wanted = np.mean([float(F.cross_entropy(side, masks, ignore_index=VOID)) for side in maps])
    assert float(terms["cross_entropy"].value) == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(
    ("name", "options", "terms"),
    [
        ("unet_plus_plus", {}, {"cross_entropy", "dice"}),
        ("unet_3_plus", {"guidance": "object"}, {"cross_entropy", "dice", "presence"}),
    ],
)
def test_a_run_is_scored_by_the_same_terms_that_it_trains_with(name, options, terms):
    run = Run(tiny(model={"name": name, "width": 4, **options}))
    trained_with = run.objective(run.batch(0, [0, 1]))
    if name == "unet_3_plus":  # now every image is said to have nothing but the first class, which is far from true
        with torch.no_grad():
            nn.init.zeros_(run.model.net.presence[1].weight)
            run.model.net.presence[1].bias.copy_(torch.tensor([9.0, -9.0]))
    scores = run.evaluate().scores
    assert set(trained_with) == set(scores["val"].terms) == terms
    assert all(math.isfinite(value) for score in scores.values() for value in score.terms.values())
    if name == "unet_3_plus":
        assert 5 < scores["val"].terms["cross_entropy"] < 14  # most pixels cost -log 1e-6 = 13.8
        assert all(not each.labels().any() for each in run.evaluations["val"].labels)


# --- residual U-Net ---------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_a_residual_unit_adds_two_convolutions_to_its_shortcut():
    unit = ResidualUnit(1, 1).eval()
    for parameter in unit.parameters():
        if parameter.dim() == 4:
            nn.init.zeros_(parameter)
    unit.body[2].weight[0, 0, 1, 1], unit.body[5].weight[0, 0, 1, 1] = 2, 3
    unit.body[2].bias.fill_(-1)
    unit.body[5].bias.fill_(1)
    unit.shortcut.weight.fill_(10)
    unit.shortcut.bias.fill_(5)
    x = torch.tensor([[-1.0, 2], [3, -4]])[None, None]
    # 3 relu(2 relu(x) - 1) + 1, and 10 x + 5: 0 + 1 - 5, 9 + 1 + 25, 15 + 1 + 35, 0 + 1 - 35
    torch.testing.assert_close(unit(x), torch.tensor([[-4.0, 35], [51, -34]])[None, None], rtol=1e-3, atol=1e-3)
    first = ResidualUnit(1, 1, first=True).eval()
    first.load_state_dict(
        {
            "body.0.weight": unit.body[2].weight,
            "body.0.bias": unit.body[2].bias,
            **{f"body.1.{name}": value for name, value in unit.body[3].state_dict().items()},
            "body.3.weight": unit.body[5].weight,
            "body.3.bias": unit.body[5].bias,
            **{f"shortcut.{name}": value for name, value in unit.shortcut.state_dict().items()},
        }
    )
    # 3 relu(2 x - 1) + 1: the image itself is convolved, but what is negative stays out behind the first convolution
    torch.testing.assert_close(first(x), torch.tensor([[-4.0, 35], [51, -34]])[None, None], rtol=1e-3, atol=1e-3)
    first.body[0].weight.neg_()
    torch.testing.assert_close(first(x)[0, 0, 1, 1], torch.tensor(3 * (8 - 1) + 1 - 40 + 5.0), rtol=1e-3, atol=1e-3)


@torch.no_grad()
def test_a_shortcut_s_stride_is_that_of_its_unit():
    torch.manual_seed(0)
    unit = ResidualUnit(16, 32, stride=2).eval()
    nn.init.zeros_(unit.body[5].weight)
    nn.init.zeros_(unit.body[5].bias)
    x = torch.randn(2, 16, 8, 12)
    expected = F.conv2d(x, unit.shortcut.weight, unit.shortcut.bias, stride=2)
    torch.testing.assert_close(unit(x), expected)


@torch.no_grad()
def test_the_residual_network_without_its_residuals_adds_up_four_resolutions():
    net = ResidualNet(1, 1, width=1).eval()  # 1, 2, 4 and 8 channels
    for module in net.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.zeros_(module.weight)
            nn.init.zeros_(module.bias)
    for unit in net.encoder:  # each channel is the image at this resolution
        unit.shortcut.weight.fill_(1 / unit.shortcut.in_channels)
    for unit in net.decoder:
        grown = unit.shortcut.in_channels * 2 // 3  # channels of the coarser map; then come those of the skip
        unit.shortcut.weight[:, :grown] = 1 / grown
        unit.shortcut.weight[:, grown:] = 10 / (unit.shortcut.in_channels - grown)
    net.classifier.weight.fill_(1)
    image = torch.arange(256.0).view(1, 1, 16, 16)

    def coarse(step):
        return np.kron(image[0, 0, ::step, ::step].numpy(), np.ones((step, step)))

    expected = coarse(8) + 10 * coarse(4) + 10 * coarse(2) + 10 * coarse(1)
    np.testing.assert_allclose(net(image)[0, 0].numpy(), expected, rtol=1e-5)
