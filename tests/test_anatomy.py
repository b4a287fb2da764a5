"""What is told of a network: its numbers, by hand and by other means, and its structure."""

import re
import subprocess
import sys
from copy import deepcopy
from itertools import combinations

import pytest
import torch
import torch.nn.functional as F
from matplotlib.backends.backend_agg import FigureCanvasAgg
from torch import nn

from seglab.anatomy import picture
from seglab.anatomy.numbers import anatomy, milliseconds
from seglab.anatomy.reach import UNKNOWN, WHOLE, receptive_field
from seglab.anatomy.record import passed
from seglab.anatomy.structure import Link
from seglab.architectures.unet import EncoderDecoder, UNet
from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.entry import FAMILIES, validated
from seglab.families import Architecture, Outputs

ENTRIES = FAMILIES["architectures"].entries
each = pytest.mark.parametrize("name", ENTRIES)


class Chain(nn.Sequential):
    """Modules one after another, without an encoder."""

    def stages(self):
        return []


class Through(nn.Module):
    """One function as a module."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def forward(self, x):
        return self.function(x)


def conv(size=3, step=1, rate=1, channels=3):
    return nn.Conv2d(3, channels, size, step, padding=rate * (size // 2), dilation=rate)


def reach(*modules, width=2112):
    return receptive_field(passed(Chain(*deepcopy(modules)).eval().to("meta"), 64, width))


# --- the receptive field


def test_the_receptive_field_of_a_chain_grows_by_kernel_minus_one_times_the_stride_so_far():
    assert reach(conv(1)) == (1, "")
    assert reach(conv(3)) == (3, "")
    assert reach(conv(3), conv(3), conv(5)) == (9, "")  # 1 + 2 + 2 + 4
    # 3x3: 3; pool: 4, stride 2; 3x3: 8; pool: 10, stride 4; 3x3: 18
    assert reach(conv(), nn.MaxPool2d(2), conv(), nn.MaxPool2d(2), conv()) == (18, "")
    # 7x7 step 2: 7, stride 2; pool of 3 step 2: 11, stride 4; 3x3 step 2: 19, stride 8; 3x3: 35
    assert reach(conv(7, 2), nn.MaxPool2d(3, 2, 1), conv(3, 2), conv()) == (35, "")
    assert reach(conv(), nn.AvgPool2d(2), nn.BatchNorm2d(3), nn.SiLU(), nn.Dropout(), conv()) == (8, "")


def test_a_dilated_convolution_reaches_as_far_as_its_outermost_taps():
    assert reach(conv(rate=6)) == (13, "")  # 6 to the left, 6 to the right
    assert reach(conv(3, 2), conv(rate=4), conv(rate=2)) == (3 + 2 * 8 + 2 * 4, "")


def test_a_branch_that_reaches_further_decides():
    class Sum(Chain):
        def forward(self, x):
            return torch.cat([self[0](x) + x, self[1](x)], 1)

    network = Sum(conv(rate=6), conv(rate=12)).eval()
    assert receptive_field(passed(network.to("meta"), 64, 2112)) == (25, "")


def test_the_receptive_field_of_a_unet_is_that_of_its_recursion():
    """Back from one pixel of the result, at each level with its two 3x3 convolutions.

    Up the decoder n pixels become n + 4 by the convolutions; half of them, counted where the grid is least lucky,
    n // 2 + 1, lie one level deeper. The bottom adds 4. The encoder then doubles by the pooling and adds 4, level by
    level. A skip enters the decoder where the encoder's way comes from further below, and so reaches less far.
    """

    def recursion(depth):
        n = 1 + 4
        for _ in range(depth):
            n = n // 2 + 1 + 4
        for _ in range(depth):
            n = 2 * n + 4
        return n

    assert recursion(4) == 204 and recursion(2) == 44
    for depth in (2, 3, 4, 5):
        assert anatomy(UNet(width=4, depth=depth)).receptive_field == recursion(depth)
        assert anatomy(EncoderDecoder(width=4, depth=depth)).receptive_field == recursion(depth)


def by_gradient(network, width, monkeypatch, period=32):
    """The same from the gradient: every weight positive, norms the identity, the maximum replaced by the mean."""
    network = network.double().eval()
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            module.weight.data.fill_(1 / module.weight[0].numel())
            if module.bias is not None:
                module.bias.data.zero_()
        elif isinstance(module, nn.BatchNorm2d):
            nn.Module.apply(module, lambda norm: norm.reset_running_stats())

    def pooled(x, kernel_size, stride=None, padding=0, dilation=1, ceil_mode=False, return_indices=False):
        mean = F.avg_pool2d(x, kernel_size, stride, padding, ceil_mode)
        return (mean, mean) if return_indices else mean

    def unpooled(x, indices, kernel_size, stride=None, padding=0, output_size=None):
        return F.interpolate(x, output_size[-2:] if output_size else [kernel_size * side for side in x.shape[-2:]])

    monkeypatch.setattr(F, "max_pool2d", pooled)
    monkeypatch.setattr(F, "max_unpool2d", unpooled)
    monkeypatch.setattr(F, "group_norm", lambda x, *rest: x)
    image = torch.full((1, 3, 64, width), 1e-3, dtype=torch.float64, requires_grad=True)
    outputs = network(image)
    logits = outputs.logits if isinstance(outputs, Outputs) else outputs
    most, pixels = 0, logits.shape[-1]
    for place in range(pixels // 2, pixels // 2 + max(1, period * pixels // width)):
        seen = torch.autograd.grad(logits[0, :, logits.shape[-2] // 2, place].sum(), image, retain_graph=True)[0]
        (columns,) = seen.abs().sum((0, 1, 2)).nonzero(as_tuple=True)
        assert columns[0] > 0 and columns[-1] < width - 1  # the strip is wide enough
        most = max(most, int(columns[-1] - columns[0]) + 1)
    return most


@pytest.mark.parametrize(
    ("model", "width"),
    [
        ({"name": "unet", "width": 4, "depth": 2}, 256),
        ({"name": "segnet", "width": 4}, 576),
        ({"name": "fcn", "width": 4, "stride": "8"}, 576),
        ({"name": "res_unet", "width": 4}, 256),
        ({"name": "deeplab_v2", "width": 4}, 1024),
    ],
    ids=lambda value: value["name"] if isinstance(value, dict) else None,
)
def test_the_gradient_reaches_as_far_as_the_receptive_field(model, width, monkeypatch):
    architecture = validated(Architecture, model)
    known = anatomy(architecture).receptive_field
    assert known and known == by_gradient(architecture.build(3), width, monkeypatch)


@pytest.mark.parametrize("aligned", [False, True])
@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
def test_the_gradient_reaches_as_far_through_an_interpolation(mode, aligned, monkeypatch):
    up = Through(lambda x: F.interpolate(x, scale_factor=4, mode=mode, align_corners=aligned))
    modules = [conv(), nn.AvgPool2d(4), conv(), up, conv()]
    known, _ = reach(*modules, width=256)
    assert known == by_gradient(Chain(*modules), 256, monkeypatch, period=64)


def test_what_looks_at_the_whole_image_has_no_number():
    class Gate(nn.Module):
        def forward(self, x):
            return x * x.mean((2, 3), keepdim=True).sigmoid()

    assert reach(conv(), Gate(), conv()) == (None, WHOLE)
    assert reach(conv(), nn.AdaptiveAvgPool2d(1), Through(lambda x: x.expand(1, 3, 64, 2112))) == (None, WHOLE)
    attention = Through(lambda x: (x.flatten(2) @ (x.flatten(2).mT @ x.flatten(2)).softmax(1)).view_as(x))
    assert reach(conv(), attention, conv()) == (None, WHOLE)
    assert anatomy(validated(Architecture, "deeplab_v3")).why == WHOLE


def test_a_reach_that_is_not_known_is_not_guessed():
    assert reach(conv(), Through(lambda x: x.roll(3, -1))) == (None, UNKNOWN)
    assert reach(conv(), Through(lambda x: F.pixel_shuffle(x.repeat(1, 4, 1, 1), 2)), conv()) == (None, UNKNOWN)


# --- size, cost, time


def test_multiply_adds_of_single_layers_are_those_counted_by_hand():
    def counted(*modules):
        with torch.device("meta"):
            return passed(Chain(*modules), 64, 64).flops // 2

    assert counted(conv(channels=4)) == 3 * 3 * 3 * 4 * 64 * 64
    assert counted(nn.Conv2d(3, 3, 3, 2, 1, groups=3)) == 3 * 3 * 3 * 32 * 32
    assert counted(nn.ConvTranspose2d(3, 5, 2, 2)) == 3 * 5 * 2 * 2 * 64 * 64
    assert counted(nn.BatchNorm2d(3), nn.ReLU(), nn.MaxPool2d(2), nn.Upsample(scale_factor=2)) == 0


@pytest.mark.parametrize("name", ["unet", "deeplab_v2", "unet_plus_plus", "res_unet"])
def test_multiply_adds_are_half_of_what_torch_counts_in_a_real_run(name):
    from torch.utils.flop_counter import FlopCounterMode

    architecture = validated(Architecture, {"name": name, "width": 4})
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        architecture.build(11).eval()(torch.rand(1, 3, 96, 96))
    assert anatomy(architecture, side=96).multiply_adds * 2 == counter.get_total_flops() > 0


def test_the_products_of_a_transformers_attention_are_counted():
    from torch.utils.flop_counter import FlopCounterMode

    architecture = validated(Architecture, {"name": "smp", "decoder": "dpt", "encoder": "tu-test_vit", "width": 4})
    network = architecture.build(11).eval()
    for block in network.encoder.model.blocks:
        block.attn.fused_attn = False  # which torch does not count
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.rand(1, 3, 96, 96))
    found = anatomy(architecture, side=96)
    assert found.multiply_adds * 2 == counter.get_total_flops() > 0
    assert found.receptive_field is None and found.why == WHOLE


@pytest.mark.parametrize("name", ["unet", "fcn", "deconvnet", "segnet"])
def test_the_papers_network_has_its_parameters_and_takes_no_memory(name):
    architecture = ENTRIES[name]
    assert anatomy(architecture(**architecture.paper), 21).parameters == architecture.parameters


@pytest.mark.parametrize(
    ("model", "stride"),
    [
        ({"name": "unet", "depth": 4}, 16),
        ({"name": "unet", "variant": "original"}, 16),
        ({"name": "segnet"}, 32),
        ({"name": "deeplab_v1"}, 8),
        ({"name": "res_unet"}, 8),
        ({"name": "deconvnet"}, 32),
    ],
    ids=str,
)
def test_the_output_stride_is_the_papers(model, stride):
    assert anatomy(validated(Architecture, model)).output_stride == stride


def test_sides_are_padded_as_for_a_run():
    assert [anatomy(UNet(width=4), side=side).side for side in (32, 64, 65, 128)] == [64, 64, 96, 128]


def test_a_network_is_timed_without_a_trace():
    before, threads = torch.get_rng_state(), torch.get_num_threads()
    assert 0 < milliseconds(UNet(width=4, depth=2), 64, 2) < 5000
    assert torch.equal(torch.get_rng_state(), before) and torch.get_num_threads() == threads


def test_describing_imports_neither_torchs_compiler_nor_what_only_other_networks_need():
    code = """
import sys
from seglab.architectures.unet import UNet
from seglab.anatomy import anatomy
anatomy(UNet())
print(sorted({"torch._dynamo", "segmentation_models_pytorch", "timm", "matplotlib"} & set(sys.modules)))
"""
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


# --- the structure


def blocks_of(found):
    return [(block.kind, block.channels, block.level, block.layers) for block in found.blocks]


def test_the_structure_of_a_unet_is_its_figure():
    found = anatomy(UNet(width=4, depth=2))
    assert blocks_of(found) == [
        ("image", 3, 0, 0),
        ("encoder", 4, 0, 2),
        ("encoder", 8, 1, 2),
        ("encoder", 16, 2, 2),
        ("decoder", 8, 1, 2),
        ("decoder", 4, 0, 2),
        ("output", 11, 0, 1),
    ]
    links = {(0, 1, "next"), (1, 2, "pool"), (2, 3, "pool"), (3, 4, "up"), (2, 4, "concat"), (4, 5, "up")}
    assert set(found.links) == {Link(*link) for link in links | {(1, 5, "concat"), (5, 6, "next")}}
    assert [block.depth for block in found.blocks] == list(range(7)) and found.blocks[3].size == 32


def test_without_skips_there_are_no_skips():
    kinds = [link.kind for link in anatomy(EncoderDecoder(width=4, depth=3)).links]
    assert sorted(kinds) == ["next", "next", "pool", "pool", "pool", "up", "up", "up"]


def test_the_grid_of_a_unet_plus_plus_is_a_triangle():
    found = anatomy(validated(Architecture, {"name": "unet_plus_plus", "width": 4}))
    grid = {(block.level, (block.depth - 1 - block.level) // 2) for block in found.blocks if block.layers == 2}
    assert grid == {(i, j) for i in range(5) for j in range(5 - i)}
    into = [link.kind for link in found.links if found.blocks[link.target].layers == 2]
    assert into.count("pool") == 4 and into.count("up") == 10
    assert into.count("concat") == sum(j * (5 - j) for j in range(1, 5))  # each node sees all before it in its row


def test_the_places_of_the_maxima_lead_from_each_pooling_to_its_unpooling():
    found = anatomy(validated(Architecture, {"name": "segnet", "width": 4}))
    ways = [(found.blocks[link.source], found.blocks[link.target]) for link in found.links if link.kind == "indices"]
    assert [(source.kind, source.level, target.kind, target.level) for source, target in ways] == [
        ("encoder", level, "decoder", level) for level in (4, 3, 2, 1, 0)
    ]


def test_parallel_branches_stand_side_by_side_with_their_rates():
    found = anatomy(validated(Architecture, {"name": "deeplab_v2", "width": 4}))
    branches = [block for block in found.blocks if block.layers == 1 and block.rates]
    assert len(branches) == 4 and len({block.depth for block in branches}) == 1
    assert len({block.rates for block in branches}) == 4
    assert [link.kind for link in found.links].count("add") == 4


def test_a_stage_of_a_residual_network_is_one_block():
    found = anatomy(validated(Architecture, {"name": "smp", "decoder": "linknet", "encoder": "resnet18"}))
    encoder = [(block.channels, block.level, block.layers) for block in found.blocks if block.kind == "encoder"]
    assert encoder == [(64, 1, 1), (64, 2, 4), (128, 3, 5), (256, 4, 5), (512, 5, 5)]
    skips = [link for link in found.links if link.kind == "add"]
    assert [found.blocks[link.source].channels for link in skips] == [256, 128, 64, 64]


def test_a_residual_unit_outside_the_encoder_is_one_block():
    found = anatomy(validated(Architecture, {"name": "res_unet", "width": 4}))
    assert [block.layers for block in found.blocks] == [0, 3, 3, 3, 3, 3, 3, 3, 1]
    assert sorted({link.kind for link in found.links}) == ["concat", "next", "stride", "up"]


@each
def test_every_network_is_a_picture_of_few_blocks_that_lead_from_the_image_to_the_classes(name):
    found = anatomy(ENTRIES[name]())
    assert len(found.blocks) <= 40 and found.multiply_adds > 0
    assert [block.kind for block in found.blocks].count("image") == 1 and found.blocks[0].kind == "image"
    assert any(block.kind == "output" and block.channels == 11 for block in found.blocks)
    assert {"encoder"} <= {block.kind for block in found.blocks}
    assert {link.target for link in found.links} == set(range(1, len(found.blocks)))
    sources = {link.source for link in found.links}
    assert all(block.kind == "output" for place, block in enumerate(found.blocks) if place not in sources)
    assert all(found.blocks[link.source].depth < found.blocks[link.target].depth for link in found.links)
    assert {link.kind for link in found.links} <= set(picture.LINKS) and len(set(found.links)) == len(found.links)


@each
def test_nothing_in_a_picture_is_cut_or_covers_another(name):
    found = anatomy(ENTRIES[name]())
    figure = picture.structure_figure(found, name)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    (axes,) = figure.axes
    frame = figure.bbox.padded(1)
    texts = [text.get_window_extent() for text in (*axes.texts, *figure.texts) if text.get_text()]
    texts += [text.get_window_extent() for text in figure.legends[0].get_texts()]
    assert all(frame.contains(*corner) for box in texts for corner in (box.min, box.max))
    assert not [1 for one, other in combinations(texts, 2) if one.padded(-0.5).overlaps(other.padded(-0.5))]
    sketch = picture.Sketch(found)
    assert sketch.width <= 9.5  # inches: at 700 pixels the numbers can still be read
    inside = [(text, text.get_window_extent().width / figure.dpi) for text in axes.texts]
    for n in range(len(found.blocks)):
        (width,) = {wide for text, wide in inside if text.get_position() == sketch.at[n]}
        assert width < sketch.wide(n)
    boxes = [(*sketch.at[n], sketch.wide(n) / 2, sketch.tall(n) / 2) for n in range(len(found.blocks))]
    for (x, y, w, h), (u, v, a, b) in combinations(boxes, 2):
        assert abs(x - u) > w + a or abs(y - v) > h + b
    for x, y in (point for link in found.links for point in sketch.way(link)[::3]):
        assert 0 < x < sketch.width and 0 < y < sketch.height


def test_a_picture_for_the_page_has_numbers_but_no_words():
    svg = picture.structure_svg(anatomy(validated(Architecture, "deeplab_v3_plus")))
    said = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    assert svg.startswith("<svg") and "1/16" in said and "1×1" in said
    assert not [text for text in said if re.search("[a-zA-Z]{2}", text)]
