"""Forward and training step of seglab's networks against the same networks from smp and torchvision, at 128 and 256 px.

The tests copy the weights of every kind of pair and find the outputs equal, some over another encoder or with other
channels than here. Here only the numbers of parameters are compared. Networks that no installed library has are
represented by what torchvision has of them: the stages of VGG16 with their poolings, and a ResNet with holes.

python -m benchmarks.networks
"""

from collections.abc import Callable

import torch
from torch import nn

from benchmarks._ratio import report
from seglab.architectures.deeplab import DeepLabV2
from seglab.architectures.fcn import FCN
from seglab.entry import FAMILIES
from seglab.torchvision_guard import torchvision

CLASSES, BATCH, THREADS, MARK = 11, 4, 2, 1.05
MOBILE = "tu-mobilenetv2_050"


def from_smp(name: str, decoder: str, encoder: str, **options: object) -> tuple[nn.Module, nn.Module]:
    """The entry at its default options, and smp's class, asked like it to leave its logits small."""
    import segmentation_models_pytorch as smp

    ours = FAMILIES["architectures"].entries[name]().build(CLASSES)
    return ours, getattr(smp, decoder)(encoder, encoder_weights=None, classes=CLASSES, **options)


def vgg16() -> tuple[nn.Module, nn.Module]:
    from torchvision.models import vgg

    stages = [[16 * factor] * count for factor, count in ((1, 2), (2, 2), (4, 3), (8, 3), (8, 3))]
    layers = [layer for stage in stages for layer in [*stage, "M"]]
    trunk = (layer for stage in FCN(width=16).build(CLASSES).stages() for layer in (stage, nn.MaxPool2d(2)))
    return nn.Sequential(*trunk), vgg.make_layers(layers, batch_norm=True)


def resnet18() -> tuple[nn.Module, nn.Module]:
    """DeepLabV2's trunk, with the holes that it has, and torchvision's with the same put in."""
    from torchvision.models import resnet18

    theirs = resnet18(weights=None)
    theirs.maxpool.ceil_mode = True
    for layer, dilation in ((theirs.layer3, 2), (theirs.layer4, 4)):
        layer[0].downsample[0].stride = layer[0].conv1.stride = (1, 1)
        for conv in (conv for block in layer for conv in (block.conv1, block.conv2)):
            conv.dilation = conv.padding = (dilation, dilation)
    return DeepLabV2(width=64).build(CLASSES).trunk, nn.Sequential(*list(theirs.children())[:-2])


HALVES = {"decoder_channels": (128, 64, 32, 16, 8)}
ATROUS = {"decoder_channels": 32, "upsampling": 1, "decoder_aspp_dropout": 0.1}
PAIRS: dict[str, Callable[[], tuple[nn.Module, nn.Module]]] = {
    "VGG16's stages": vgg16,
    "ResNet-18 with holes (deeplab_v2)": resnet18,
    "mobile_unet": lambda: from_smp("mobile_unet", "Unet", "tu-mobilenetv2_035", **HALVES),
    "eff_unet": lambda: from_smp("eff_unet", "Unet", "tu-tf_efficientnet_lite0", **HALVES),
    "deeplab_v3": lambda: from_smp(
        "deeplab_v3", "DeepLabV3", MOBILE, encoder_output_stride=8, decoder_atrous_rates=(3, 6, 9), **ATROUS
    ),
    "deeplab_v3_plus": lambda: from_smp(
        "deeplab_v3_plus", "DeepLabV3Plus", MOBILE, encoder_output_stride=16, decoder_atrous_rates=(1, 3, 4), **ATROUS
    ),
    "panoptic_fpn": lambda: from_smp(
        "panoptic_fpn",
        "FPN",
        MOBILE,
        decoder_pyramid_channels=64,
        decoder_segmentation_channels=32,
        decoder_dropout=0,
        upsampling=1,
    ),
    "smp (manet)": lambda: from_smp("smp", "MAnet", MOBILE, decoder_pab_channels=32, **HALVES),
}


def forward(network: nn.Module, images: torch.Tensor) -> Callable[[], None]:
    def run() -> None:
        with torch.inference_mode():
            network(images)

    network.eval()
    return run


def training_step(network: nn.Module, images: torch.Tensor) -> Callable[[], None]:
    optimizer = torch.optim.SGD(network.parameters(), lr=1e-6)

    def run() -> None:
        optimizer.zero_grad()
        network(images).square().mean().backward()
        optimizer.step()

    network.train()
    return run


def main() -> None:
    torchvision()
    torch.set_num_threads(THREADS)
    for name, pair in PAIRS.items():
        ours, theirs = (network.to(memory_format=torch.channels_last) for network in pair())
        counts = [sum(parameter.numel() for parameter in network.parameters()) for network in (ours, theirs)]
        assert counts[0] == counts[1], f"{name}: {counts}"
        for side in (128, 256):
            images = torch.rand(BATCH, 3, side, side).contiguous(memory_format=torch.channels_last)
            for what in (forward, training_step):
                title = f"{name}: {what.__name__.replace('_', ' ')}, {BATCH} x {side} px"
                report(title, what(ours, images), what(theirs, images), MARK, calls=2)


if __name__ == "__main__":
    main()
