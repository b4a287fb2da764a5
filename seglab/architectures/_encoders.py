"""Encoders of segmentation_models.pytorch and timm: their names, their weights, and networks over them."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Annotated, Any, Literal

import torch.nn.functional as F
from pydantic import BeforeValidator, Field, ValidationInfo, field_validator
from torch import Tensor, nn

from seglab.architectures._blocks import LoneNorm
from seglab.architectures._pretrained import LITE0, Pretrained, imagenet_encoder
from seglab.architectures._stages import stages
from seglab.entry import mistake
from seglab.families import IMAGENET, Architecture
from seglab.torchvision_guard import torchvision

if TYPE_CHECKING:
    from segmentation_models_pytorch.base import SegmentationModel

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


DecoderWidth = Annotated[int, Field(ge=4, le=512, description="channels of the decoder")]


DecoderDropout = Annotated[float, Field(ge=0, le=0.9, description="dropout rate of the decoder's features")]


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
            raise mistake("unpretrained", encoder=encoder)
        return pretrained

    @property
    def mean(self) -> tuple[float, float, float]:
        return normalisation(smp_name(self.encoder))[0]

    @property
    def std(self) -> tuple[float, float, float]:
        return normalisation(smp_name(self.encoder))[1]

    def pretrain(self, net: nn.Module) -> None:
        if self.pretrained == "imagenet":
            assert isinstance(net.encoder, nn.Module)
            imagenet_encoder(net.encoder, smp_name(self.encoder))


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
        assert config  # timm has one for each of its models
        (r, g, b), (dr, dg, db) = config.mean, config.std
        return (r, g, b), (dr, dg, db)
    if encoder.startswith(("inception", "xception")):
        return HALF
    return DPN if encoder.startswith("dpn") else IMAGENET


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

    def __init__(self, model: SegmentationModel, in_channels: int, smallest: int):
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
