"""The networks over segmentation_models_pytorch."""

import copy
import math
import re
import subprocess
import sys
from typing import get_args

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from seglab import runs
from seglab.architectures import _encoders as family
from seglab.config import RunConfig
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.model import Segmenter, resized
from seglab.training import Run
from tests.conftest import tiny

ENTRIES = FAMILIES["architectures"].entries
DECODERS = list(get_args(ENTRIES["smp"].model_fields["decoder"].annotation))
SMALL, TRANSFORMER = "tu-test_efficientnet", "tu-test_vit"


def small(decoder):
    return TRANSFORMER if decoder == "dpt" else SMALL


def built(name, num_classes=5, seed=0, **options):
    torch.manual_seed(seed)
    return ENTRIES[name](**options).build(num_classes)


# --- the same as elsewhere --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "options", "theirs", "their_options"),
    [
        (
            "mobile_unet",
            {"encoder": "mobilenet_v2_050", "width": 4},
            "Unet",
            {"encoder_name": "tu-mobilenetv2_050", "decoder_channels": (64, 32, 16, 8, 4)},
        ),
        (
            "eff_unet",
            {"encoder": "efficientnet-b0", "width": 4},
            "Unet",
            {"encoder_name": "efficientnet-b0", "decoder_channels": (64, 32, 16, 8, 4)},
        ),
        (
            "eff_unet",
            {},
            "Unet",
            {"encoder_name": "tu-tf_efficientnet_lite0", "decoder_channels": (128, 64, 32, 16, 8)},
        ),
        (
            "deeplab_v3",
            {"encoder": "mobilenet_v2_050", "output_stride": 8, "rates_for": 513, "width": 16},
            "DeepLabV3",
            {
                "encoder_name": "tu-mobilenetv2_050",
                "encoder_output_stride": 8,
                "decoder_atrous_rates": (12, 24, 36),
                "decoder_channels": 16,
            },
        ),
        (
            "deeplab_v3_plus",
            {"encoder": "mobilenet_v2_035", "output_stride": 8, "rates_for": 513, "width": 16},
            "DeepLabV3Plus",
            {
                "encoder_name": "tu-mobilenetv2_035",
                "encoder_output_stride": 8,
                "decoder_atrous_rates": (12, 24, 36),
                "decoder_channels": 16,
            },
        ),
        (
            "panoptic_fpn",
            {"encoder": "resnet18", "pyramid_width": 48, "width_of_32": 2},
            "FPN",
            {"encoder_name": "resnet18", "decoder_pyramid_channels": 48, "decoder_segmentation_channels": 64},
        ),
        (
            "smp",
            {"encoder": SMALL, "decoder": "upernet", "width": 16},
            "UPerNet",
            {"encoder_name": SMALL},
        ),
        ("smp", {"encoder": SMALL, "decoder": "manet", "width": 16}, "MAnet", {"encoder_name": SMALL}),
        ("smp", {"encoder": SMALL, "decoder": "segformer", "width": 16}, "Segformer", {"encoder_name": SMALL}),
        ("smp", {"encoder": SMALL, "decoder": "fpn", "width": 16}, "FPN", {"encoder_name": SMALL}),
        ("smp", {"encoder": SMALL, "decoder": "unet_plus_plus", "width": 16}, "UnetPlusPlus", {"encoder_name": SMALL}),
        ("smp", {"encoder": SMALL, "decoder": "linknet"}, "Linknet", {"encoder_name": SMALL}),
        ("smp", {"encoder": SMALL, "decoder": "unet", "width": 16}, "Unet", {"encoder_name": SMALL}),
        (
            "smp",
            {"encoder": SMALL, "decoder": "pspnet", "width": 16},
            "PSPNet",
            {"encoder_name": SMALL, "encoder_depth": 5, "output_stride": 8, "psp_out_channels": 512},
        ),
        (
            "smp",
            {"encoder": SMALL, "decoder": "deeplab_v3", "width": 16},
            "DeepLabV3",
            {"encoder_name": SMALL, "decoder_atrous_rates": (3, 6, 9)},
        ),
        (
            "smp",
            {"encoder": SMALL, "decoder": "deeplab_v3_plus", "width": 16},
            "DeepLabV3Plus",
            {"encoder_name": SMALL, "decoder_atrous_rates": (1, 3, 4)},
        ),
        ("smp", {"encoder": SMALL, "decoder": "pan", "width": 16}, "PAN", {"encoder_name": SMALL}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
@torch.no_grad()
def test_with_the_same_weights_smps_own_model_gives_the_same_logits(name, options, theirs, their_options):
    net = built(name, **options).eval()
    import segmentation_models_pytorch

    model = getattr(segmentation_models_pytorch, theirs)(encoder_weights=None, classes=5, **their_options).eval()
    state = {re.sub(r"^head\.", "segmentation_head.", key): value for key, value in net.state_dict().items()}
    model.load_state_dict(state)
    images = torch.rand(1, 3, 128, 160)
    scale = model.segmentation_head[1]  # what enlarges the logits in smp is the Segmenter's work here
    assert torch.equal(model(images), scale(net(images)))


@torch.no_grad()
def test_with_the_same_weights_smps_own_dpt_gives_the_same_logits():
    net = built("smp", decoder="dpt", encoder=TRANSFORMER, width=16).eval()
    import segmentation_models_pytorch as smp

    model = smp.DPT(encoder_name=TRANSFORMER, encoder_weights=None, classes=5, dynamic_img_size=True).eval()
    state = {re.sub(r"^head\.", "segmentation_head.", key): value for key, value in net.state_dict().items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    assert unexpected == [] != missing
    assert all(name.startswith(("encoder.model.norm.", "encoder.model.head.")) for name in missing)
    for size in ((160, 160), (96, 128)):  # its position embeddings are for the first
        images = torch.rand(2, 3, *size)
        assert torch.equal(model(images), net(images))


@torch.no_grad()
def test_deeplab_v3_differs_from_torchvisions_only_in_the_rate_of_each_dilated_stages_first_block():
    family.torchvision()
    from torchvision.models.segmentation import deeplabv3_resnet50

    net = built("deeplab_v3", encoder="resnet50", output_stride=8, width=256, rates_for=513).eval()
    theirs = deeplabv3_resnet50(weights=None, weights_backbone=None, num_classes=5).eval()
    assert [value.shape for value in net.state_dict().values()] == [v.shape for v in theirs.state_dict().values()]
    theirs.load_state_dict(dict(zip(theirs.state_dict(), net.state_dict().values(), strict=True)))
    images = torch.rand(1, 3, 64, 96)
    expected = theirs(images)["out"]
    found = resized(net(images), (64, 96))
    assert found.std() > 1e-3 and not torch.allclose(found, expected, rtol=1e-3, atol=1e-5)
    for layer, before in (("layer3", 1), ("layer4", 2)):
        first = getattr(net.encoder, layer)[0].conv2
        first.dilation = first.padding = (before, before)
    torch.testing.assert_close(resized(net(images), (64, 96)), expected, rtol=1e-4, atol=1e-5)


# --- DeepLab ----------------------------------------------------------------------------------------------------------


def test_deeplab_v3_over_xception_has_as_many_parameters_as_smps():
    with torch.device("meta"):
        net = built("deeplab_v3", 21, encoder="xception65", width=256)
    assert sum(parameter.numel() for parameter in net.parameters()) == 53_998_149


@pytest.mark.slow
@pytest.mark.parametrize("encoder", ["xception65", "resnet101"])
@pytest.mark.parametrize("name", ["deeplab_v3", "deeplab_v3_plus"])
def test_the_papers_encoders_take_a_step_on_a_single_small_image(name, encoder):
    net = built(name, encoder=encoder, width=256).train()
    optimizer = torch.optim.SGD(net.parameters(), 1e-3)
    images, masks = torch.rand(1, 3, 64, 64), torch.randint(0, 5, (1, 64, 64))
    loss = nn.functional.cross_entropy(resized(net(images), (64, 64)), masks)
    loss.backward()
    gradients = {name: value.grad for name, value in net.named_parameters()}
    assert [name for name, found in gradients.items() if found is None or not found.isfinite().all()] == []
    assert loss.isfinite() and sum(float(found.abs().sum()) for found in gradients.values()) > 0
    before = copy.deepcopy(list(net.parameters()))
    optimizer.step()
    assert any(not torch.equal(old, new) for old, new in zip(before, net.parameters(), strict=True))


@pytest.mark.parametrize(
    ("side", "output_stride", "rates"),
    [
        (513, 16, (6, 12, 18)),  # the paper's
        (513, 8, (12, 24, 36)),  # doubled, as the paper does
        (256, 8, (6, 12, 18)),
        (128, 8, (3, 6, 9)),
        (128, 16, (1, 3, 4)),
        (64, 16, (1, 2, 3)),  # 0.7, 1.5 and 2.2 made different
    ],
)
@pytest.mark.parametrize("name", ["deeplab_v3", "deeplab_v3_plus"])
def test_the_atrous_rates_suit_the_image(name, side, output_stride, rates):
    with torch.device("meta"):
        net = built(name, rates_for=side, output_stride=output_stride)
        size = net.encoder(torch.zeros(1, 3, 128, 128))[-1].shape[-1]
    aspp = next(module for module in net.decoder.modules() if type(module).__name__ == "ASPP")
    found = [next(m for m in branch.modules() if isinstance(m, nn.Conv2d)).dilation for branch in aspp.convs[1:4]]
    assert found == [(rate, rate) for rate in rates]
    assert size == 128 // output_stride


def test_the_decoder_of_v3_plus_departs_from_the_paper_as_its_docstring_says():
    net = built("deeplab_v3_plus", encoder="mobilenet_v2_035", width=8)
    parts = {"before": net.decoder.aspp[1:], "after": net.decoder.block2}
    for part in parts.values():
        depthwise, *others = [module for module in part.modules() if not list(module.children())]
        assert depthwise.kernel_size == (3, 3) and depthwise.groups == depthwise.in_channels > 1
        assert [type(module) for module in others[:1]] == [nn.Conv2d] and others[0].kernel_size == (1, 1)
        assert sum(isinstance(module, nn.Conv2d) for module in part.modules()) == 2  # and no norm between them
    assert net.decoder.up.align_corners
    side = 128  # where the last of the pyramid's features lies, in pixels of the image, and where it belongs
    last = net.decoder.up(torch.arange(side // 16).float().expand(1, 1, side // 16, side // 16))[0, 0, 0]
    assert 4 * int((last - (side // 16 - 1)).abs().argmin()) - 16 * (side // 16 - 1) == 12


def dilations(net):
    return {module.dilation[0] for module in net.decoder.modules() if isinstance(module, nn.Conv2d)} - {1}


@pytest.mark.parametrize("name", ["deeplab_v3", "deeplab_v3_plus"])
def test_rates_that_are_left_open_suit_the_images_of_the_run(name):
    model = {"name": name, "encoder": "mobilenet_v2_035", "output_stride": 8, "width": 4}
    for side, rates in ((64, {3, 4}), (96, {2, 4, 7}), (160, {4, 7, 11})):
        run = Run(tiny(model=model, image_size=side))
        assert dilations(run.model.net) == rates
        (note,) = [str(note) for note in run.notes() if "atrous" in str(note)]
        assert f"for images of {side} pixels at output stride 8" in note and str(max(rates)) in note
    config = tiny(model=model | {"rates_for": 256}, image_size=64)
    assert dilations(Run(config).model.net) == {6, 12, 18}


def test_a_loaded_network_has_the_rates_that_it_was_trained_with():
    model = {"name": "deeplab_v3", "encoder": "mobilenet_v2_035", "output_stride": 8, "width": 4}
    directory = runs.create(tiny(model=model, image_size=160, epochs=1), "rates")
    list(runs.work(directory))
    assert dilations(runs.load(directory).model.net) == {4, 7, 11}


@pytest.mark.parametrize("given", ["16", 16])
def test_the_output_stride_may_be_a_word_of_digits(given):
    assert tiny(model={"name": "deeplab_v3", "output_stride": given}).model.output_stride == 16
    with pytest.raises(SeglabError, match="output_stride: 32 is not allowed; allowed: 8, 16"):
        tiny(model={"name": "deeplab_v3", "output_stride": "32"})


def test_a_single_value_is_normalised_with_what_larger_batches_left_behind():
    torch.manual_seed(0)
    norm, plain = family.LoneNorm(4), nn.BatchNorm2d(4)
    plain.load_state_dict(norm.state_dict())
    for images in (torch.rand(3, 4, 1, 1), torch.rand(1, 4, 2, 3)):
        assert torch.equal(norm(images), plain(images))
    before = copy.deepcopy(norm.state_dict())
    alone = torch.rand(1, 4, 1, 1)
    assert torch.equal(norm(alone), plain.eval()(alone))
    assert all(torch.equal(value, before[name]) for name, value in norm.state_dict().items())
    with pytest.raises(ValueError, match="more than 1 value"):
        plain.train()(alone)


# --- any encoder ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("decoder", DECODERS)
def test_every_decoder_learns_from_a_batch_of_one(decoder):
    net = built("smp", decoder=decoder, encoder=small(decoder), width=4).train()
    images, masks = torch.rand(1, 3, 64, 96), (torch.arange(96) // 20).expand(1, 64, 96)
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    losses = []
    for _ in range(12):
        optimizer.zero_grad()
        loss = nn.functional.cross_entropy(resized(net(images), (64, 96)), masks)
        loss.backward()
        if not losses:
            assert [name for name, value in net.named_parameters() if value.grad is None] == []
        optimizer.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.9 * math.log(5)  # of what guessing loses
    net.eval()
    with torch.no_grad():
        assert torch.equal(net(images), net(images))
        assert net(torch.rand(2, 3, 128, 64)).shape[:2] == (2, 5)


@pytest.mark.parametrize("size", [(64, 64), (97, 131), (40, 200)], ids=str)
@pytest.mark.parametrize("decoder", DECODERS)
@torch.no_grad()
def test_every_decoder_takes_any_size_and_gives_the_same_when_loaded(decoder, size):
    entry = ENTRIES["smp"](decoder=decoder, encoder=small(decoder), width=4)
    for num_classes in (2, 21):
        model, loaded = Segmenter(entry, num_classes).train(), Segmenter(entry, num_classes).eval()
        images = torch.rand(2, 3, *size)
        assert model(images).logits.shape == (2, num_classes, *size)
        loaded.load_state_dict(model.state_dict())
        assert torch.equal(loaded(images).logits, model.eval()(images).logits)


@torch.no_grad()
def test_pan_sees_a_small_image_with_its_border_repeated():
    net = built("smp", decoder="pan", encoder=SMALL, width=4).eval()
    images = torch.rand(2, 3, 64, 160)
    expected = net(F.pad(images, (0, 0, 0, 64), mode="replicate"))
    assert expected.shape[-2:] == (32, 40) and torch.equal(net(images), expected[..., :16, :])


ENCODERS = {"resnet18": 5, "efficientnet-b0": 5, "mobilenet_v2": 5, "vgg11_bn": 5, "mit_b0": 4, SMALL: 5}
ENCODERS |= {"tu-test_convnext": 4, "tu-twins_pcpvt_small": 4, TRANSFORMER: 4}


def with_stages(encoder):
    return built("smp", decoder="dpt" if encoder == TRANSFORMER else "unet", encoder=encoder, width=4).eval()


def maps(net, images):
    """The encoder's features without images and placeholders among them."""
    found = net.encoder(images)
    return [each for each in (found[0] if isinstance(found, tuple) else found) if each.shape[1] and each is not images]


@pytest.mark.parametrize(("encoder", "count"), ENCODERS.items())
@torch.no_grad()
def test_a_stage_changes_the_features_from_its_own_on(encoder, count):
    """Each stage's weights are disturbed in turn: the features before it stay, its own and all later ones change."""
    net = with_stages(encoder)
    stages = net.stages()
    assert len(stages) == count
    owned = [{id(parameter) for parameter in stage.parameters()} for stage in stages]
    assert all(owned) and sum(map(len, owned)) == len(list(net.encoder.parameters()))
    assert set().union(*owned) == {id(parameter) for parameter in net.encoder.parameters()}
    images = torch.rand(1, 3, 64, 64)
    features = maps(net, images)[:count]
    for number, stage in enumerate(stages):
        kept = copy.deepcopy(stage.state_dict())
        for parameter in stage.parameters():
            parameter.mul_(1.5).add_(0.1)
        after = maps(net, images)[:count]
        stage.load_state_dict(kept)
        same = [torch.equal(found, before) for found, before in zip(after, features, strict=True)]
        assert same == [True] * number + [False] * (count - number)


@pytest.mark.parametrize(("encoder", "count"), ENCODERS.items())
@torch.no_grad()
def test_a_forward_hook_on_a_stage_changes_its_features(encoder, count):
    net = with_stages(encoder)
    images = torch.rand(1, 3, 64, 64)
    features = maps(net, images)[:count]
    for number, stage in enumerate(net.stages()):
        handle = stage.register_forward_hook(lambda module, inputs, output: output + 1)
        after = maps(net, images)[:count]
        handle.remove()
        if encoder != "vgg11_bn" and (encoder, number) != ("resnet18", 0):  # which have an activation to pass
            torch.testing.assert_close(after[number], features[number] + 1)
        same = [torch.equal(found, before) for found, before in zip(after, features, strict=True)]
        assert same == [True] * number + [False] * (count - number)


@pytest.mark.parametrize("encoder", ["dpn68", "tu-test_mambaout"])  # pairs of maps, and maps with channels last
@pytest.mark.parametrize("technique", [{"name": "freeze"}, {"name": "mixstyle", "last": 1}], ids=lambda t: t["name"])
def test_what_needs_stages_refuses_an_encoder_whose_stages_are_not_known(encoder, technique):
    model = {"name": "smp", "encoder": encoder, "decoder": "unet", "width": 4}
    with pytest.raises(
        SeglabError, match=f"{technique['name']}.*the stages of this encoder of smp cannot be determined"
    ):
        Run(tiny(model=model, techniques=[technique]))
    optimizer = {"name": "adamw", "lr": 1e-3, "encoder_lr": 1e-4}
    run = Run(tiny(model=model, optimizer=optimizer))
    rates = {id(p): group["lr"] for group in run.optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in run.model.net.encoder.parameters()} == {1e-4}
    assert {rates[id(p)] for p in run.model.net.decoder.parameters()} == {1e-3}


@pytest.mark.parametrize("encoder", ["lite0", "efficientnet-b0", "efficientnetv2_s"])
@torch.no_grad()
def test_drop_path_skips_blocks_in_training_only(encoder):
    net = built("eff_unet", encoder=encoder, width=4, drop_path=0.8).train()
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()  # whose statistics would change the features too
    images = torch.rand(4, 3, 64, 64)
    first, second = net.encoder(images), net.encoder(images)
    assert torch.equal(first[1], second[1]) and not torch.equal(first[-1], second[-1])
    for stage in net.stages():
        stage.eval()
    first, second = net.encoder(images), net.encoder(images)
    assert torch.equal(first[-1], second[-1])
    plain = built("eff_unet", encoder=encoder, width=4)
    assert plain.eval().state_dict().keys() == net.state_dict().keys()
    plain.load_state_dict(net.state_dict())
    assert torch.equal(plain.encoder(images)[-1], first[-1])


# --- names ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "meant"),
    [("resnet_18", "resnet18"), ("resnet26", "tu-resnet26"), ("tu-convnext_ato", "tu-convnext_atto")],
)
def test_an_unknown_encoder_is_refused_with_the_nearest_one(given, meant):
    with pytest.raises(SeglabError, match=rf"encoder: there is no encoder '{given}'; did you mean '{meant}'\?"):
        tiny(model={"name": "smp", "encoder": given})


@pytest.mark.parametrize("given", ["hf-hub:someone/model", "local-dir:/etc", "tu-hf-hub:timm/resnet18", "", "???"])
def test_nothing_but_known_encoders_is_taken(given):
    with pytest.raises(SeglabError, match="there is no encoder"):
        tiny(model={"name": "smp", "encoder": given})


@pytest.mark.parametrize(
    ("encoder", "decoder"),
    [
        ("tu-vit_tiny_patch16_224", "unet"),
        ("vgg11_bn", "deeplab_v3"),
        ("densenet121", "pan"),
        ("resnet18", "dpt"),
        ("tu-swin_tiny_patch4_window7_224", "dpt"),
        ("tu-vit_small_patch14_dinov2", "dpt"),  # 14 does not go into what images are padded to
    ],
)
def test_an_encoder_that_a_decoder_cannot_use_is_named_when_the_network_is_built(encoder, decoder):
    config = tiny(model={"name": "smp", "encoder": encoder, "decoder": decoder})
    with pytest.raises(SeglabError, match=f"encoder {encoder} does not work with the decoder {decoder}"):
        config.model.build(5)


@pytest.mark.parametrize("encoder", ["tu-vit_tiny_patch16_224", "tu-vit_small_patch8_224", "tu-vit_small_patch32_224"])
@torch.no_grad()
def test_dpt_takes_vision_transformers_with_patches_of_powers_of_two(encoder):
    net = built("smp", decoder="dpt", encoder=encoder, width=4).eval()
    assert net(torch.rand(1, 3, 96, 128)).shape == (1, 5, 96, 128) and len(net.stages()) == 4


def test_the_named_encoders_exist_and_have_the_weights_that_are_claimed():
    catalogue = family.catalogue()
    assert {name: catalogue[name] for name in family.ENCODERS.values()} == {
        name: family.trained(name) for name in family.ENCODERS.values()
    }


def test_an_ordinary_configuration_is_read_without_loading_smp():
    config = tiny(model={"name": "smp", "decoder": "fpn", "encoder": "resnet18", "pretrained": "imagenet"})
    code = f"""
import sys
from seglab.config import RunConfig
from seglab.entry import validated
validated(RunConfig, {config.model_dump(mode="json")!r})
print([name for name in ("timm", "torchvision", "segmentation_models_pytorch") if name in sys.modules])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize(
    ("model", "mean", "std"),
    [
        ({"name": "smp", "encoder": "resnet18"}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ({"name": "smp", "encoder": "inceptionv4"}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ({"name": "deeplab_v3", "encoder": "xception65"}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ({"name": "eff_unet", "encoder": "lite0"}, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5)),
        ({"name": "eff_unet", "encoder": "efficientnet-b3"}, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
    ],
)
def test_colours_are_normalised_as_the_encoders_weights_expect(model, mean, std):
    entry = validated(RunConfig, {"model": model}).model
    assert (entry.mean, entry.std) == (mean, std)
    assert entry.model_dump().keys().isdisjoint({"mean", "std"})
