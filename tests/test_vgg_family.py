"""SegNet, DeconvNet, FCN and the first two DeepLabs, against torchvision and numbers worked by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglab.architectures import _pretrained
from seglab.architectures._blocks import LoneNorm, Mirrored, Pointwise, ResNet, scoring_head, vgg16
from seglab.architectures.deconvnet import DeconvNet, FullyConnected
from seglab.architectures.deeplab import RATES, Atrous, AtrousVGG16, DeepLabV1, DeepLabV2
from seglab.architectures.fcn import FCN
from seglab.architectures.segnet import SegNet
from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.data.base import Batch
from seglab.errors import SeglabError
from seglab.losses.pixel import CrossEntropy
from seglab.model import Segmenter
from seglab.torchvision_guard import torchvision


def models():
    torchvision()
    from torchvision import models

    return models


def parameters(entry):
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in entry.build(21).parameters())


def stirred(net, seed=0):
    """The network in evaluation, its norms with statistics and weights as if it had been trained."""
    torch.manual_seed(seed)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.running_mean, module.bias.data):
                value.normal_(0, 0.1)
            for value in (module.running_var, module.weight.data):
                value.uniform_(0.5, 1.5)
    return net.eval()


def copied(source, target):
    """The target with the source's tensors, which come in the same order and shapes."""
    tensors = list(source.state_dict().values())
    names = list(target.state_dict())
    assert len(tensors) == len(names)
    target.load_state_dict(dict(zip(names, tensors, strict=True)))
    return target.eval()


def features(width, norm):
    """torchvision's VGG16 without its classifier, of another width."""
    stages = [[width * factor] * count for factor, count in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))]
    layers = [layer for stage in stages for layer in [*stage, "M"]]
    return models().vgg.make_layers(layers, batch_norm=norm)


def caught(net, module):
    """What the module is given, and what it gives, when the network runs."""
    seen = {}
    module.register_forward_hook(lambda _, given, gave: seen.update(given=given[0], gave=gave))
    return seen


# --- VGG16 ------------------------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("norm", [True, False])
def test_the_trunk_is_torchvisions_vgg16(norm):
    net = stirred(FCN(width=4, batch_norm=norm).build(5))
    oracle = copied(net.encoder, features(4, norm))
    seen, images = caught(net, net.head), torch.randn(2, 3, 64, 96)
    net(images)
    torch.testing.assert_close(seen["given"], oracle(images))


@torch.no_grad()
def test_without_batch_norm_signals_neither_fade_nor_blow_up():
    torch.manual_seed(0)
    x = torch.randn(2, 3, 64, 64)
    for stage in vgg16(3, 16, norm=False):
        x = stage(x)
    assert 0.2 < float(x.square().mean().sqrt()) < 5  # torch's own draw leaves 0.006


@pytest.mark.parametrize("entry", [SegNet, DeconvNet, FCN, DeepLabV1], ids=lambda entry: entry.name)
def test_imagenet_weights_reach_the_encoder(entry, monkeypatch):
    monkeypatch.setattr(_pretrained, "VGG16", tuple(4 * n for n in (1, 1, 2, 2, 4, 4, 4, 8, 8, 8, 8, 8, 8)))
    weights = {f"features.{name}": value for name, value in stirred(features(4, True)).state_dict().items()}
    monkeypatch.setattr(_pretrained, "torchvision_weights", {"vgg16_bn": weights}.get)
    net = entry(width=4, pretrained="imagenet").build(5)
    entry(width=4).pretrain(net)
    before = net.stages()[4][-3].weight.clone()
    entry(width=4, pretrained="imagenet").pretrain(net)
    assert torch.equal(net.stages()[4][-3].weight, weights["features.40.weight"])
    assert not torch.equal(net.stages()[4][-3].weight, before)


# --- SegNet -----------------------------------------------------------------------------------------------------------


def bare(*middle):
    """A Mirrored of one pooling and one unpooling, and nothing around them."""
    return Mirrored(
        nn.ModuleList([nn.Identity()]), nn.Sequential(*middle), nn.ModuleList([nn.Identity()]), nn.Identity()
    )


def test_unpooling_puts_each_maximum_back_to_its_place():
    x = torch.tensor([[1.0, 5, 2, 0], [3, 4, 8, 7], [9, 0, 1, 1], [0, 2, 1, 6]])
    expected = torch.tensor([[0.0, 5, 0, 0], [0, 0, 8, 0], [9, 0, 0, 0], [0, 0, 0, 6]])
    assert torch.equal(bare()(x[None, None])[0, 0], expected)


def test_the_last_row_and_column_of_an_odd_size_are_pooled_too():
    x = torch.tensor([[1.0, 5, 2], [3, 4, 8], [9, 0, 7]])
    expected = torch.tensor([[0.0, 5, 0], [0, 0, 8], [9, 0, 7]])
    assert torch.equal(bare()(x[None, None])[0, 0], expected)


@pytest.mark.parametrize("memory_format", [torch.contiguous_format, torch.channels_last])
def test_maxima_stay_in_their_channel(memory_format):
    x = torch.rand(2, 3, 6, 8).contiguous(memory_format=memory_format)
    windows = F.max_pool2d(x, 2).repeat_interleave(2, 2).repeat_interleave(2, 3)
    assert torch.equal(bare()(x), torch.where(x == windows, x, 0))


def test_what_lies_between_is_what_is_put_back():
    class Tenfold(nn.Module):
        def forward(self, x):
            return 10 * x

    x = torch.tensor([[1.0, 5], [3, 4]])
    assert torch.equal(bare(Tenfold())(x[None, None])[0, 0], torch.tensor([[0.0, 50], [0, 0]]))


@torch.no_grad()
@pytest.mark.parametrize("size", [(45, 61), (33, 64), (70, 31)], ids=str)
@pytest.mark.parametrize("entry", [SegNet, DeconvNet], ids=lambda entry: entry.name)
def test_any_size_comes_back_from_unpooling(entry, size):
    assert entry(width=4).build(5).eval()(torch.rand(1, 3, *size)).shape == (1, 5, *size)


def test_a_stage_of_the_decoder_ends_with_the_channels_of_the_stage_it_mirrors():
    net = SegNet(width=4).build(5)
    ends = [[m.out_channels for m in stage.modules() if isinstance(m, nn.Conv2d)][-1] for stage in net.decoder]
    starts = [[m.out_channels for m in stage.modules() if isinstance(m, nn.Conv2d)][-1] for stage in net.encoder]
    assert ends == [*starts[-2::-1], 4]


def test_segnets_classifier_is_the_last_layer():
    net = SegNet(width=4).build(5)
    assert net.classifier.kernel_size == (3, 3)
    net.classifier.weight.data.zero_()
    net.classifier.bias.data.fill_(-7)  # a ReLU or a norm behind it would change this
    assert (net(torch.rand(2, 3, 64, 64)) == -7).all()


# --- DeconvNet --------------------------------------------------------------------------------------------------------


@torch.no_grad()
def test_the_window_of_a_224_pixel_image_is_the_whole_map():
    net = DeconvNet(width=4, window=7).build(5).eval()
    seen = caught(net, net.middle.layers[1])
    logits = net(torch.rand(1, 3, 224, 224))
    assert seen["given"].shape == (1, 256, 1, 1) and logits.shape == (1, 5, 224, 224)


@torch.no_grad()
def test_beyond_a_map_smaller_than_the_window_lie_zeros():
    layers = FullyConnected(2, 3, 3).eval()
    x, padded = torch.rand(1, 2, 2, 4), torch.zeros(1, 2, 3, 4)
    padded[:, :, :2] = x
    assert layers(x).shape == x.shape
    torch.testing.assert_close(layers(x), layers(padded)[:, :, :2])


def test_a_lone_value_is_normalised_with_running_statistics():
    norm = stirred(LoneNorm(3))
    x = torch.rand(1, 3, 1, 1)
    expected = (x[0, :, 0, 0] - norm.running_mean) / (norm.running_var + 1e-5).sqrt() * norm.weight + norm.bias
    torch.testing.assert_close(norm.train()(x)[0, :, 0, 0], expected)


@torch.no_grad()
def test_more_values_are_normalised_with_their_own():
    x = torch.tensor([1.0, 3.0]).view(2, 1, 1, 1)
    torch.testing.assert_close(LoneNorm(1)(x).flatten(), torch.tensor([-1.0, 1.0]), atol=1e-4, rtol=0)


# --- FCN --------------------------------------------------------------------------------------------------------------


def bilinear(size):
    """The kernel that the authors fill a deconvolution with: 1 - |x - centre| / factor along each side."""
    factor = (size + 1) // 2
    centre = factor - 1 if size % 2 else factor - 0.5
    side = 1 - np.abs(np.arange(size) - centre) / factor
    return torch.tensor(np.outer(side, side), dtype=torch.float32)


def deconvolved(maps, factor):
    """Maps enlarged by the paper's deconvolution, whose kernel is twice as wide as its stride."""
    kernel = bilinear(2 * factor).expand(maps.shape[1], 1, -1, -1)
    return F.conv_transpose2d(maps, kernel, stride=factor, padding=factor // 2, groups=maps.shape[1])


DECONVOLUTIONS = {"32": (64,), "16": (4, 32), "8": (4, 4, 16)}  # sides of the paper's kernels, from 21 to 21 channels


@pytest.mark.parametrize(("stride", "published"), [("32", 136_152_917), ("16", 134_815_994), ("8", 134_489_759)])
def test_with_the_papers_deconvolutions_fcn_has_the_published_size(stride, published):
    fixed = sum(21 * 21 * side * side for side in DECONVOLUTIONS[stride])
    assert parameters(FCN(**{**FCN.paper, "stride": stride})) + fixed == published


@torch.no_grad()
def test_scores_are_enlarged_as_by_the_papers_deconvolutions():
    model = Segmenter(FCN(width=4), 3).eval()
    for finer in model.net.finer:
        finer.weight.zero_(), finer.bias.zero_()
    seen = caught(model.net, model.net.head)
    logits = model(torch.rand(1, 3, 128, 160)).logits
    assert seen["gave"].shape == (1, 3, 4, 5) and logits.std() > 0
    twice = deconvolved(deconvolved(seen["gave"], 2), 2)
    coarse = model.net(torch.zeros(1, 3, 128, 160))
    assert coarse.shape == twice.shape
    expected = deconvolved(twice, 8)  # three pixels of `twice` at each border lack a neighbour, so 28 of these do
    torch.testing.assert_close(logits[..., 28:-28, 28:-28], expected[..., 28:-28, 28:-28])


@torch.no_grad()
@pytest.mark.parametrize(("stride", "poolings"), [("16", [4]), ("8", [4, 3])])
def test_finer_scores_are_those_of_the_maps_after_earlier_poolings(stride, poolings):
    net = stirred(FCN(width=4, stride=stride).build(3))
    net.head[-1].weight.zero_(), net.head[-1].bias.zero_()
    images, oracle = torch.randn(1, 3, 64, 64), copied(net.encoder, features(4, True))
    ends = [n + 1 for n, layer in enumerate(oracle) if isinstance(layer, nn.MaxPool2d)]
    scores = [classify(oracle[: ends[n - 1]](images)) for classify, n in zip(net.finer, poolings, strict=True)]
    while len(scores) > 1:
        scores = [F.interpolate(scores[0], scale_factor=2, mode="bilinear") + scores[1], *scores[2:]]
    torch.testing.assert_close(net(images), scores[0])


def test_the_head_ends_with_the_scores_of_the_last_map_alone_for_stride_32():
    net = FCN(width=4, stride="32").build(3).eval()
    assert len(net.finer) == 0 and net(torch.rand(1, 3, 64, 96)).shape == (1, 3, 2, 3)


# --- DeepLab: the trunks ----------------------------------------------------------------------------------------------


@torch.no_grad()
@pytest.mark.parametrize("average", [True, False])
def test_the_atrous_trunk_is_torchvisions_vgg16_with_other_poolings_and_holes(average):
    trunk = stirred(AtrousVGG16(3, 4, norm=False, average=average))
    oracle = copied(trunk, features(4, False))
    pools = [n for n, layer in enumerate(oracle) if isinstance(layer, nn.MaxPool2d)]
    for n, stride in zip(pools, (2, 2, 2, 1, 1), strict=True):
        oracle[n] = nn.MaxPool2d(3, stride, padding=1, ceil_mode=True)
    for layer in oracle[pools[3] :]:
        if isinstance(layer, nn.Conv2d):
            layer.dilation = layer.padding = (2, 2)
    if average:
        oracle.append(nn.AvgPool2d(3, 1, padding=1))
    images = torch.randn(2, 3, 65, 97)
    assert trunk(images).shape == (2, 32, 9, 13)
    torch.testing.assert_close(trunk(images), oracle(images))


@torch.no_grad()
def test_holes_give_the_strided_features_at_every_place_in_between():
    trunk = AtrousVGG16(3, 4, norm=False)
    *shallow, last = trunk.stages
    x = torch.randn(1, 3, 65, 65)
    for number, stage in enumerate(shallow):
        if number:
            x = F.max_pool2d(x, 3, 2, padding=1)
        x = stage(x)
    strided = nn.Sequential(*(without_holes(layer) for layer in last))
    coarse = strided(F.max_pool2d(x, 3, 2, padding=1))
    dense = last(F.max_pool2d(x, 3, 1, padding=1))
    assert dense.shape[-1] == 9 and coarse.shape[-1] == 5
    torch.testing.assert_close(dense[..., ::2, ::2], coarse)


def without_holes(layer):
    """The layer, without holes if it is a convolution."""
    if not isinstance(layer, nn.Conv2d):
        return layer
    assert layer.dilation == (2, 2)
    plain = nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1)
    plain.load_state_dict(layer.state_dict())
    return plain


def oracle_of(trunk, name):
    """torchvision's ResNet with the trunk's weights, whose pooling rounds up; gives its features."""
    oracle = getattr(models(), name)(weights=None)
    assert oracle.load_state_dict(trunk.named().state_dict(), strict=False) == (["fc.weight", "fc.bias"], [])
    oracle.maxpool.ceil_mode = True
    oracle.avgpool, oracle.fc = nn.Identity(), nn.Identity()
    return oracle.eval()


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "resnet101"])
def test_a_resnet_without_holes_is_torchvisions(name):
    trunk, images = stirred(ResNet(name, 3, 64)), torch.randn(1, 3, 33, 64)
    theirs = oracle_of(trunk, name)(images)
    ours = trunk(images)
    torch.testing.assert_close(ours.flatten(1), theirs)


@torch.no_grad()
@pytest.mark.parametrize(("name", "channels", "strided"), [("resnet18", 512, "conv1"), ("resnet50", 2048, "conv2")])
def test_a_resnet_with_holes_is_torchvisions_with_holes_in_every_block(name, channels, strided):
    trunk, images = stirred(ResNet(name, 3, 64, (1, 1, 2, 4))), torch.randn(1, 3, 65, 65)
    oracle = oracle_of(trunk, name)
    for layer, dilation in ((oracle.layer3, 2), (oracle.layer4, 4)):
        layer[0].downsample[0].stride = getattr(layer[0], strided).stride = (1, 1)
        for conv in layer.modules():
            if isinstance(conv, nn.Conv2d) and conv.kernel_size == (3, 3):
                conv.dilation = conv.padding = (dilation, dilation)
    ours = trunk(images)
    assert ours.shape == (1, channels, 9, 9)
    torch.testing.assert_close(ours.flatten(1), oracle(images))


def test_imagenet_weights_reach_the_resnet_and_want_its_full_width(monkeypatch):
    weights = stirred(models().resnet18(weights=None), seed=3).state_dict()
    monkeypatch.setattr(_pretrained, "torchvision_weights", {"resnet18": weights}.get)
    entry = DeepLabV2(width=64, pretrained="imagenet")
    net = entry.build(5)
    entry.pretrain(net)
    assert torch.equal(net.trunk.stages[4][1].conv2.weight, weights["layer4.1.conv2.weight"])
    assert torch.equal(net.trunk.stages[0][1].running_mean, weights["bn1.running_mean"])
    narrow = DeepLabV2(width=8, pretrained="imagenet")
    with pytest.raises(SeglabError, match="do not fit"):
        narrow.pretrain(narrow.build(5))


# --- DeepLab: the heads -----------------------------------------------------------------------------------------------


def test_deeplab_v2_on_vgg16_has_its_published_number_of_parameters():
    assert parameters(DeepLabV2(encoder="vgg16", width=64, field_of_view="large", batch_norm=False)) == 37_877_652


def places_seen(branches, side):
    """(row, column) of what the scores at the middle of a square map depend on, from there."""
    maps = torch.rand(1, 32, side, side, requires_grad=True)
    middle = side // 2
    sum(branch(maps) for branch in branches)[0, :, middle, middle].sum().backward()
    return {(row - middle, column - middle) for row, column in maps.grad[0].abs().sum(0).nonzero().tolist()}


def around(*rates):
    return {(row, column) for rate in (0, *rates) for row in (-rate, 0, rate) for column in (-rate, 0, rate)}


@pytest.mark.parametrize(
    ("field_of_view", "side", "reached"),
    [
        ("large", 49, (6, 12, 18, 24)),
        ("small", 49, (2, 4, 8, 12)),
        ("large", 17, (6,)),  # the map of an image of 128 pixels ends 8 beyond its middle
        ("small", 17, (2, 4, 8)),
    ],
)
@pytest.mark.parametrize("encoder", ["resnet18", "vgg16"])
def test_scores_look_as_far_as_their_rates_and_the_map_reach(encoder, field_of_view, side, reached):
    torch.manual_seed(0)
    net = DeepLabV2(encoder=encoder, width=4, field_of_view=field_of_view).build(3).eval()
    assert len(net.branches) == 4 and places_seen(net.branches, side) == around(*reached)


def test_deeplab_v1_looks_at_nine_places():
    net = DeepLabV1(width=4, rate=12).build(3).eval()
    assert places_seen(net.branches, 41) == around(12)


@torch.no_grad()
def test_a_rate_beyond_the_map_acts_as_a_1x1_convolution():
    branch = scoring_head(32, 64, 3, window=3, dropout=0.0, dilation=24)
    x = torch.rand(1, 32, 17, 17)
    middle = F.conv2d(x, branch[0].weight[..., 1:2, 1:2], branch[0].bias)
    torch.testing.assert_close(branch(x), branch[1:](middle))


@torch.no_grad()
def test_the_scores_of_the_branches_are_added():
    net = DeepLabV2(width=4).build(3).eval()
    images = torch.rand(1, 3, 65, 65)
    maps = net.trunk(images)
    assert [branch.dilation for branch in net.branches] == [(rate, rate) for rate in RATES["small"]]
    by_hand = sum(
        F.conv2d(maps, branch.weight, branch.bias, padding=rate, dilation=rate)
        for branch, rate in zip(net.branches, (2, 4, 8, 12), strict=True)
    )
    torch.testing.assert_close(net.scores(images), by_hand)


# --- DeepLab: the grid and the scales ---------------------------------------------------------------------------------


class EveryEighth(nn.Module):
    """A trunk that gives the image at the places where the map's pixels lie."""

    stages = ()

    def forward(self, images):
        return images[..., ::8, ::8]


@torch.no_grad()
@pytest.mark.parametrize("entry", [DeepLabV1(width=4), DeepLabV2(width=4)], ids=lambda entry: entry.name)
def test_an_image_of_320_pixels_has_the_papers_map_of_41(entry):
    net = entry.build(3).eval()
    seen = caught(net, net.trunk)
    assert net(torch.rand(1, 3, 320, 64)).shape == (1, 3, 320, 64)
    assert seen["given"].shape[-2:] == (321, 65) and seen["gave"].shape[-2:] == (41, 9)


@pytest.mark.parametrize("scales", [(1,), (1, 0.75, 0.5)], ids=str)
def test_scores_lie_where_the_image_has_what_they_are_for(scales):
    image = (3.0 * torch.arange(96)[:, None] + torch.arange(128)).expand(1, 1, -1, -1)
    outputs = Atrous(EveryEighth(), [nn.Identity()], scales)(image)
    maps = [outputs] if len(scales) == 1 else [outputs.logits, *outputs.extras.values()]
    assert len(maps) == (1 if len(scales) == 1 else 4)
    for scores in maps:  # the last pixel is there twice, which shows in the last pixels of the map at half the size
        torch.testing.assert_close(scores[..., :-16, :-16], image[..., :-16, :-16], atol=1e-3, rtol=0)


@torch.no_grad()
def test_multi_scale_takes_the_highest_score_of_three_sizes():
    net = stirred(DeepLabV2(width=4, multi_scale=True).build(3))
    images = torch.rand(2, 3, 64, 96)
    outputs = net(images)
    padded = torch.cat([images, images[..., -1:]], 3)
    padded = torch.cat([padded, padded[..., -1:, :]], 2)
    scores = []
    for size, grid in (((65, 97), (9, 13)), ((49, 73), (7, 10)), ((33, 49), (5, 7))):
        small = net.scores(F.interpolate(padded, size, mode="bilinear", align_corners=True))
        assert small.shape[-2:] == grid
        scores.append(F.interpolate(small, (9, 13), mode="bilinear", align_corners=True).numpy())
    highest = torch.from_numpy(np.maximum(np.maximum(scores[0], scores[1]), scores[2]))
    torch.testing.assert_close(outputs.logits[..., ::8, ::8], highest[..., :-1, :-1])
    for extra, own in zip(outputs.extras.values(), scores, strict=True):
        torch.testing.assert_close(extra[..., ::8, ::8], torch.from_numpy(own)[..., :-1, :-1])
    winners = np.argmax(scores, 0)
    assert all((winners == n).any() for n in range(3))


def test_every_scale_and_their_maximum_have_a_loss():
    entry = DeepLabV2(width=4, multi_scale=True)
    torch.manual_seed(0)
    outputs = entry.build(3)(torch.rand(2, 3, 64, 64))
    batch = Batch(torch.zeros(2, 3, 64, 64), torch.randint(0, 3, (2, 64, 64)), torch.arange(2))
    terms = entry.terms(outputs, batch, CrossEntropy(), 0.0)
    expected = {"cross_entropy": outputs.logits} | {
        f"cross_entropy, scale {scale}": outputs.extras[f"scale {scale}"] for scale in ("1", "0.75", "0.5")
    }
    assert terms.keys() == expected.keys() and all(term.weight == 1 for term in terms.values())
    for name, logits in expected.items():
        truth = logits.log_softmax(1).gather(1, batch.masks[:, None])
        torch.testing.assert_close(terms[name].value, -truth.mean())


def test_one_scale_has_one_loss():
    entry = DeepLabV2(width=4)
    outputs = Segmenter(entry, 3)(torch.rand(2, 3, 64, 64))
    batch = Batch(torch.zeros(2, 3, 64, 64), torch.zeros(2, 64, 64).long(), torch.arange(2))
    assert outputs.extras == {} and entry.terms(outputs, batch, CrossEntropy(), 0.0).keys() == {"cross_entropy"}


@pytest.mark.parametrize(
    "entry",
    [
        DeconvNet(width=4, window=7),
        DeconvNet(width=4, window=1),
        FCN(width=4, window="7", batch_norm=False, stride="16"),
        DeepLabV1(width=5, rate=24, batch_norm=False),
        DeepLabV2(width=4, encoder="vgg16", multi_scale=True),
        DeepLabV2(width=4, encoder="resnet50", multi_scale=True),
    ],
    ids=str,
)
def test_a_single_small_image_can_be_trained_on_with_other_options(entry):
    torch.manual_seed(0)
    model = Segmenter(entry, 3).train()
    outputs = model(torch.rand(1, 3, 40, 70))
    assert outputs.logits.shape == (1, 3, 40, 70) and outputs.logits.isfinite().all()
    outputs.logits.square().mean().backward()
    gradients = {name: value.grad for name, value in model.named_parameters() if value.requires_grad}
    assert [name for name, found in gradients.items() if found is None or not found.isfinite().all()] == []


@pytest.mark.parametrize("entry", [SegNet, DeconvNet, FCN, DeepLabV1, DeepLabV2], ids=lambda entry: entry.name)
def test_every_option_has_a_control_on_the_page(entry):
    for schema in entry.model_json_schema()["properties"].values():
        assert "enum" in schema or schema["type"] in ("integer", "number", "boolean")


@pytest.mark.parametrize("channels", [4, 12, 20])
def test_a_strided_shortcut_s_gradients_are_those_of_a_strided_convolution(channels):
    torch.manual_seed(0)
    ours, theirs = Pointwise(channels, 16, 2), torch.nn.Conv2d(channels, 16, 1, 2).double()
    theirs.load_state_dict(ours.state_dict())
    images = torch.randn(2, channels, 15, 18).contiguous(memory_format=torch.channels_last).requires_grad_()
    exact = images.detach().double().requires_grad_()
    scores = ours.to(memory_format=torch.channels_last)(images)
    gradient = torch.randn_like(scores)
    scores.backward(gradient)
    expected = theirs(exact)
    expected.backward(gradient.double())
    torch.testing.assert_close(scores.double(), expected, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(images.grad.double(), exact.grad, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(ours.weight.grad.double(), theirs.weight.grad, rtol=1e-4, atol=1e-3)
