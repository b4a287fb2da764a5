"""Networks over segmentation_models_pytorch (smp): encoders that exist with ImageNet weights, and several decoders."""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, ClassVar, Literal

import torch
import torch.nn.functional as F
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from pydantic_core import PydanticCustomError
from torch import Tensor, nn

from seglab.architectures._blocks import LoneNorm
from seglab.architectures._pretrained import LITE0, Pretrained, imagenet_encoder
from seglab.architectures._stages import stages
from seglab.entry import Architecture, SeglabError, refusal
from seglab.vision import torchvision

# encoders by the names that the entries here give them, and smp's names
ENCODERS = {
    "mobilenet_v2_035": "tu-mobilenetv2_035",
    "mobilenet_v2_050": "tu-mobilenetv2_050",
    "mobilenet_v2": "mobilenet_v2",
    "lite0": LITE0,
    **{f"efficientnetv2_{size}": f"tu-tf_efficientnetv2_{size}" for size in "sml"},
    **{name: name for name in (f"efficientnet-b{size}" for size in range(8))},
    **{name: name for name in ("resnet18", "resnet34", "resnet50", "resnet101")},
    "xception65": "tu-xception65",
}
TRANSFORMER = "tu-vit_tiny_patch16_224"
UNTRAINED = {"tu-mobilenetv2_035"}  # of these, those without ImageNet weights

HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
DPN = ((124 / 255, 117 / 255, 104 / 255), (1 / (0.0167 * 255),) * 3)

Backbone = Literal["mobilenet_v2_035", "mobilenet_v2_050", "lite0", "resnet18", "resnet50", "resnet101", "xception65"]
Halved = Annotated[
    int, Field(ge=4, le=64, description="channels of the decoder's last stage; each stage before it has twice as many")
]
Width = Annotated[int, Field(ge=4, le=512, description="channels of the decoder")]
Dropout = Annotated[float, Field(ge=0, le=0.9, description="dropout rate of the decoder's features")]


def digits(value: Any) -> Any:
    """The number that a word of digits stands for: the command line has words only."""
    return int(value) if isinstance(value, str) and value.isdigit() else value


OutputStride = Annotated[
    Literal[8, 16],
    BeforeValidator(digits),
    Field(description="how many times smaller than the image the encoder's last feature map is"),
]


class OverEncoder(Architecture):
    """What these entries share: an encoder by name, and its ImageNet weights."""

    encoder: str
    pretrained: Pretrained = "none"

    @field_validator("pretrained")
    @classmethod
    def _exists(cls, pretrained: str, info: ValidationInfo) -> str:
        encoder = info.data.get("encoder")
        if pretrained != "none" and encoder and not trained(smp_name(encoder)):
            raise PydanticCustomError("unpretrained", "", {"encoder": encoder})
        return pretrained

    @property
    def mean(self) -> tuple[float, float, float]:
        return normalisation(smp_name(self.encoder))[0]

    @property
    def std(self) -> tuple[float, float, float]:
        return normalisation(smp_name(self.encoder))[1]

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            imagenet_encoder(net.encoder, smp_name(self.encoder))


class MobileUNet(OverEncoder):
    """A U-Net with MobileNetV2 as its encoder, whose depthwise convolutions need little memory and few operations.

    Three networks bear this name. Like Jing's, this one is a U-Net with MobileNetV2 as its encoder; its decoder has
    plain convolutions where Jing's has transposed ones and inverted residuals. The others are akirasosa's, which ends
    at half the image's size, and GeorgeSeif's, a VGG of depthwise convolutions.

    Source: Jing et al. 2022, https://doi.org/10.1177/0040517520928604; encoder: Sandler et al. 2018,
    https://arxiv.org/abs/1801.04381, table 2.
    """

    name = "mobile_unet"
    year = 2022
    paper = {"encoder": "mobilenet_v2", "width": 16}
    parameters = 6_631_845
    encoder: Annotated[
        Literal["mobilenet_v2_035", "mobilenet_v2_050", "mobilenet_v2"],
        Field(description="MobileNetV2 with 0.35 (no ImageNet weights), 0.5 or all of its channels"),
    ] = "mobilenet_v2_035"
    width: Halved = 8

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return network("Unet", self.encoder, num_classes, in_channels, decoder_channels=halving(self.width))


class EffUNet(OverEncoder):
    """A U-Net with EfficientNet as its encoder, whose depth, width and image size are scaled together.

    The weights of its small relative lite0 are installed with seglab, so its pretrained option works without a network
    connection.

    Source: Baheti et al. 2020, https://doi.org/10.1109/CVPRW50498.2020.00187, figure 1; encoder: Tan and Le 2019,
    https://arxiv.org/abs/1905.11946, table 1; its second version: Tan and Le 2021, https://arxiv.org/abs/2104.00298,
    table 4.
    """

    name = "eff_unet"
    year = 2020
    paper = {"encoder": "efficientnet-b7", "width": 16, "drop_path": 0.2}
    parameters = 67_098_229
    encoder: Annotated[
        Literal[
            "lite0",
            "efficientnet-b0",
            "efficientnet-b1",
            "efficientnet-b2",
            "efficientnet-b3",
            "efficientnet-b4",
            "efficientnet-b5",
            "efficientnet-b6",
            "efficientnet-b7",
            "efficientnetv2_s",
            "efficientnetv2_m",
            "efficientnetv2_l",
        ],
        Field(description="version and size of EfficientNet; lite0 is b0 without its channel attention"),
    ] = "lite0"
    width: Halved = 8
    drop_path: Annotated[
        float,
        Field(ge=0, le=0.8, description="probability that training skips the last block; lower for earlier blocks"),
    ] = 0.0

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        options: dict[str, Any] = {"decoder_channels": halving(self.width)}
        timms = smp_name(self.encoder).startswith("tu-")
        if timms:
            options["drop_path_rate"] = self.drop_path
        net = network("Unet", self.encoder, num_classes, in_channels, **options)
        if not timms:
            net.encoder._drop_connect_rate = self.drop_path
        return net


class AtrousPyramid(OverEncoder):
    """What the DeepLabs from the third on share: features looked at by several atrous rates, which suit the images."""

    output_stride: int
    rates_for: Annotated[
        int | None,
        Field(
            ge=64,
            le=2048,
            description="image side, in pixels, that the atrous rates are scaled to; empty: the run's own; the paper's "
            "6, 12 and 18 suit 513 pixels, and see mostly padding on small images",
        ),
    ] = None

    def suited(self, side: int) -> Architecture:
        return self if self.rates_for else self.model_copy(update={"rates_for": min(2048, max(64, side))})

    @property
    def rates(self) -> tuple[int, int, int]:
        """Those that suit images of `rates_for` pixels, 128 where nobody has said how many."""
        return atrous_rates(self.rates_for or 128, self.output_stride)

    def notes(self) -> list[SeglabError]:
        return [
            SeglabError(
                "atrous rates: {rates}, for images of {side} pixels at output stride {stride}; the paper's 6, 12 and "
                "18 are for 513 pixels at 16, and would see mostly padding on smaller feature maps",
                rates=", ".join(map(str, self.rates)),
                side=self.rates_for,
                stride=self.output_stride,
            )
        ]


class OverAtrousPyramid(AtrousPyramid):
    """What DeepLabV3 and its successor share, in smp's class `decoder`."""

    decoder: ClassVar[str]
    encoder: Annotated[Backbone, Field(description="the network that extracts the features")] = "mobilenet_v2_050"
    output_stride: OutputStride
    width: Width = 32
    dropout: Dropout = 0.1

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return network(
            self.decoder,
            self.encoder,
            num_classes,
            in_channels,
            encoder_output_stride=self.output_stride,
            decoder_channels=self.width,
            decoder_atrous_rates=self.rates,
            decoder_aspp_dropout=self.dropout,
            upsampling=1,
        )


class DeepLabV3(OverAtrousPyramid):
    """Sees the encoder's features at several atrous rates and as a global average, so that object size matters less.

    As in smp and torchvision, there is a 3x3 convolution after the pyramid that the paper lacks, and the last blocks do
    not vary their rates (no multi-grid); unlike in torchvision, a dilated stage's first block is dilated like the
    others. The logits have the encoder's last resolution.

    Source: Chen et al. 2017, https://arxiv.org/abs/1706.05587, figure 5.
    """

    name = "deeplab_v3"
    year = 2017
    paper = {"encoder": "resnet101", "output_stride": 16, "width": 256, "rates_for": 513}
    parameters = 58_630_997
    decoder = "DeepLabV3"
    output_stride: OutputStride = 8


class DeepLabV3Plus(OverAtrousPyramid):
    """DeepLabV3 with a small decoder that adds the encoder's fine features, for sharper edges.

    The published encoder is timm's Xception-65, which has the paper's changes: more layers, and strides in place of
    pooling.

    Source: Chen et al. 2018, https://arxiv.org/abs/1802.02611, figure 2.
    """

    name = "deeplab_v3_plus"
    year = 2018
    paper = {"encoder": "xception65", "output_stride": 16, "width": 256, "rates_for": 513}
    parameters = 41_042_005
    decoder = "DeepLabV3Plus"
    output_stride: OutputStride = 16


class PanopticFPN(OverEncoder):
    """The semantic branch of Panoptic FPN: a feature pyramid whose levels are upsampled to 1/4 of the image and summed.

    There is no instance branch. As smp builds it, the pyramid lacks the paper's 3x3 convolution at each level (2.4
    million parameters with ResNet-50), dropout before the classifier drops whole maps, and the levels are upsampled
    with corners aligned (align_corners=True), which they are not in detectron2.

    Source: Kirillov et al. 2019, https://arxiv.org/abs/1901.02446, figure 3.
    """

    name = "panoptic_fpn"
    year = 2019
    paper = {"encoder": "resnet50", "pyramid_width": 256, "width_of_32": 4}
    parameters = 26_118_613
    encoder: Annotated[Backbone, Field(description="the network whose features form the pyramid")] = "mobilenet_v2_050"
    pyramid_width: Annotated[int, Field(ge=4, le=512, description="channels of each level of the pyramid")] = 64
    width_of_32: Annotated[
        int,
        Field(
            ge=1, le=8, description="channels of each level's branch as a multiple of 32; the paper has 4, which is 128"
        ),
    ] = 1
    dropout: Dropout = 0.0

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        return network(
            "FPN",
            self.encoder,
            num_classes,
            in_channels,
            decoder_pyramid_channels=self.pyramid_width,
            decoder_segmentation_channels=32 * self.width_of_32,
            decoder_dropout=self.dropout,
            upsampling=1,
        )


class SMP(OverEncoder):
    """Any of twelve decoders on any encoder of segmentation_models_pytorch or timm.

    As in its paper, pspnet's encoder stops at an eighth of the image's size. The atrous rates of the DeepLabs suit
    images of 128 pixels; those of the entries deeplab_v3 and deeplab_v3_plus follow a run's images. PAN halves the
    features of a sixteenth three more times, so images are padded to at least 128 pixels for it; its pooled features
    are normalized over the images of a batch, which should be large. DPT needs a vision transformer that takes images
    of any size; position embeddings made for another size are resampled.

    Source: https://github.com/qubvel-org/segmentation_models.pytorch, which names each decoder's paper; the published
    setting is LinkNet's, Chaurasia and Culurciello 2017, https://arxiv.org/abs/1707.03718, figure 1.
    """

    name = "smp"
    year = 2017
    paper = {"decoder": "linknet", "encoder": "resnet18"}
    parameters = 11_664_437
    decoder: Annotated[
        Literal[
            "linknet",
            "unet",
            "unet_plus_plus",
            "manet",
            "fpn",
            "pspnet",
            "upernet",
            "segformer",
            "deeplab_v3",
            "deeplab_v3_plus",
            "pan",
            "dpt",
        ],
        Field(description="network that turns the encoder's features into logits; dpt needs a vision transformer"),
    ] = "manet"
    encoder: Annotated[
        str,
        Field(
            max_length=80,
            description="name of an smp encoder, such as resnet34, or of a timm encoder after tu-; vision transformers "
            "need the decoder dpt",
            examples=[
                "tu-mobilenetv2_050",
                LITE0,
                "mobilenet_v2",
                "resnet18",
                "resnet34",
                "vgg16_bn",
                "densenet121",
                TRANSFORMER,
            ],
        ),
    ] = "tu-mobilenetv2_050"
    width: Annotated[
        int,
        Field(
            ge=4,
            le=64,
            description="channels of the decoder's finest stage; smp's default is 16, and linknet follows its encoder",
        ),
    ] = 8

    @field_validator("encoder")
    @classmethod
    def _known(cls, encoder: str) -> str:
        if encoder not in ENCODERS.values() and encoder not in catalogue():
            examples = dict.fromkeys(cls.model_fields["encoder"].examples)
            raise refusal("encoder", encoder, catalogue(), examples=", ".join(examples))
        return encoder

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        wide = 16 * self.width
        name, options = {
            "linknet": ("Linknet", {}),
            "unet": ("Unet", {"decoder_channels": halving(self.width)}),
            "unet_plus_plus": ("UnetPlusPlus", {"decoder_channels": halving(self.width)}),
            "manet": ("MAnet", {"decoder_channels": halving(self.width), "decoder_pab_channels": 4 * self.width}),
            "fpn": ("FPN", {"decoder_pyramid_channels": wide, "decoder_segmentation_channels": -(-wide // 64) * 32}),
            "pspnet": ("PSPNet", {"encoder_depth": 5, "output_stride": 8, "psp_out_channels": 2 * wide}),
            "upernet": ("UPerNet", {"decoder_channels": wide}),
            "segformer": ("Segformer", {"decoder_segmentation_channels": wide}),
            "deeplab_v3": ("DeepLabV3", {"decoder_channels": wide, "decoder_atrous_rates": atrous_rates(128, 8)}),
            "deeplab_v3_plus": (
                "DeepLabV3Plus",
                {"decoder_channels": wide, "decoder_atrous_rates": atrous_rates(128, 16)},
            ),
            "pan": ("PAN", {"decoder_channels": 2 * self.width, "smallest": 128}),
            "dpt": (
                "DPT",
                {
                    "decoder_intermediate_channels": (wide, 2 * wide, 4 * wide, 4 * wide),
                    "decoder_fusion_channels": wide,
                    "dynamic_img_size": True,
                },
            ),
        }[self.decoder]
        if self.decoder not in ("linknet", "unet", "unet_plus_plus", "manet", "dpt"):
            options["upsampling"] = 1
        try:
            net = network(name, self.encoder, num_classes, in_channels, **options).eval()
            with torch.no_grad():
                net(torch.zeros(1, in_channels, 64, 64))
            return net.train()
        except Exception as error:  # whatever an encoder that was made for something else comes to
            if self.decoder == "dpt":
                raise SeglabError(
                    "model: the encoder {encoder} does not work with the decoder dpt, which needs a vision transformer "
                    "for images of any size, with patches of 8, 16 or 32 pixels, such as {example}",
                    encoder=self.encoder,
                    example=TRANSFORMER,
                ) from error
            reason = (str(error).strip() or type(error).__name__).split("\n")[0][:200]
            raise SeglabError(
                "model: the encoder {encoder} does not work with the decoder {decoder} ({reason})",
                encoder=self.encoder,
                decoder=self.decoder,
                reason=reason,
            ) from None


# --- encoders ---------------------------------------------------------------------------------------------------------


def smp_name(encoder: str) -> str:
    return ENCODERS.get(encoder, encoder)


@cache
def catalogue() -> dict[str, bool]:
    """smp's names of all encoders, and whether there are ImageNet weights for each."""
    torchvision()
    import timm
    from segmentation_models_pytorch.encoders import encoders

    own = {name: "imagenet" in encoder["pretrained_settings"] for name, encoder in encoders.items()}
    own = {name: weights for name, weights in own.items() if not name.startswith("timm-")}  # smp will remove these
    tagged = {f"tu-{name}": True for name in timm.list_pretrained()}
    return own | tagged | {f"tu-{name}": timm.models.is_model_pretrained(name) for name in timm.list_models()}


def trained(encoder: str) -> bool:
    """Whether there are ImageNet weights for an encoder."""
    return encoder not in UNTRAINED if encoder in ENCODERS.values() else catalogue()[encoder]


def normalisation(encoder: str) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of the colors that an encoder's ImageNet weights were trained with."""
    if encoder.startswith("tu-"):
        torchvision()
        import timm

        config = timm.get_pretrained_cfg(encoder.removeprefix("tu-"))
        return tuple(config.mean), tuple(config.std)
    if encoder.startswith(("inception", "xception")):
        return HALF
    return DPN if encoder.startswith("dpn") else (Architecture.mean, Architecture.std)


def atrous_rates(side: int, output_stride: int) -> tuple[int, int, int]:
    """The paper's rates of 6, 12 and 18, made for images of 513 pixels at stride 16, as images of `side` need them."""
    rates = [0]
    for rate in (6, 12, 18):
        rates.append(max(rates[-1] + 1, round(rate * side * 16 / (513 * output_stride))))
    return tuple(rates[1:])


def halving(width: int) -> tuple[int, ...]:
    """The channels of a decoder's five stages, deep to shallow."""
    return tuple(width << stage for stage in range(4, -1, -1))


# --- networks ---------------------------------------------------------------------------------------------------------


def network(
    decoder: str, encoder: str, num_classes: int, in_channels: int, smallest: int = 0, **options: Any
) -> Network:
    """smp's network of that class, its weights random; images with smaller sides than `smallest` are padded."""
    torchvision()
    import segmentation_models_pytorch as smp

    made = getattr(smp, decoder)(
        smp_name(encoder), encoder_weights=None, in_channels=in_channels, classes=num_classes, **options
    )
    if decoder == "DPT":
        if len(set(made.encoder.output_strides)) > 1:
            raise ValueError("a pyramid of features is no vision transformer")
        transformer = made.encoder.model  # without what stands behind its last block, which is of no use here
        transformer.prune_intermediate_layers(made.encoder._output_indices, prune_norm=True, prune_head=True)
    return Network(made, in_channels, smallest)


class Network(nn.Module):
    """The encoder, decoder and head of an smp model; logits come at the decoder's resolution."""

    def __init__(self, model: nn.Module, in_channels: int, smallest: int):
        super().__init__()
        self.smallest = smallest  # side to which smaller images are padded
        self.encoder, self.decoder, self.head = model.encoder, model.decoder, model.segmentation_head
        for module in self.modules():
            if type(module) is nn.BatchNorm2d:
                module.__class__ = LoneNorm  # the same module, so that names, weights and device stay
        self.parts = stages(self.encoder, in_channels)

    def stages(self) -> list[nn.Module]:
        return list(self.parts)

    def forward(self, images: Tensor) -> Tensor:
        height, width = images.shape[-2:]
        padding = [max(0, self.smallest - side) for side in (width, height)]
        if not any(padding):
            features = self.encoder(images)
            # a vision transformer gives its prefix tokens, too
            return self.head(self.decoder(*features) if isinstance(features, tuple) else self.decoder(features))
        padded = F.pad(images, (0, padding[0], 0, padding[1]), mode="replicate")
        logits = self.forward(padded)
        scale = padded.shape[-1] // logits.shape[-1]
        return logits[..., : height // scale, : width // scale]
