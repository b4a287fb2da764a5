"""The networks of segmentation_models.pytorch over any of its encoders, and two U-Nets and a pyramid over them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import torch
from pydantic import Field, field_validator
from torch import nn

from seglab.architectures._encoders import (
    ENCODERS,
    TRANSFORMER,
    Backbone,
    DecoderDropout,
    Halved,
    OverEncoder,
    catalogue,
    network,
    smp_name,
)
from seglab.architectures._pretrained import LITE0
from seglab.architectures.deeplab import atrous_rates
from seglab.entry import refusal
from seglab.errors import SeglabError


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
    dropout: DecoderDropout = 0.0

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
            examples = dict.fromkeys(cls.model_fields["encoder"].examples or ())
            raise refusal("encoder", encoder, catalogue(), examples=", ".join(examples))
        return encoder

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        wide = 16 * self.width
        decoders: dict[str, tuple[str, dict[str, Any]]] = {
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
        }
        name, options = decoders[self.decoder]
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


def halving(width: int) -> tuple[int, ...]:
    """The channels of a decoder's five stages, deep to shallow."""
    return tuple(width << stage for stage in range(4, -1, -1))
