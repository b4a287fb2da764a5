"""Networks of others, each as a module that gives maps of its own classes, and what makes classes of the data of them.

Nothing that comes with a network is executed, and nothing is fetched: configurations are data, and weights are loaded
from safetensors by whoever builds one.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from seglab.data.base import VOID
from seglab.errors import SeglabError
from seglab.model import resized
from seglab.torchvision_guard import torchvision

Size = tuple[int, int]  # height, width

UNLIKELY = 1e-30  # the least probability, so that its logarithm is finite
STRIP = 2**23  # probabilities at a time: 32 MB
# Kinds of transformers' models: those that give logits of classes, and those that give classes and masks of queries
PLAIN = (
    "beit", "data2vec-vision", "dpt", "mobilenet_v2", "mobilevit", "mobilevitv2", "segformer", "upernet",
)  # fmt: skip
QUERIES = {"mask2former": "Mask2FormerForUniversalSegmentation", "maskformer": "MaskFormerForInstanceSegmentation"}
OF_ONE_SIZE = ("beit", "data2vec-vision")  # their position biases are made for one
TIMM = "timm_backbone"  # a kind of backbone that timm builds by its name, and without its weights
# What would fetch code or weights of somebody else
OF_OTHERS = ("auto_map", "_name_or_path", "attn_implementation", "_attn_implementation", "experts_implementation")
MASKS_OF_MASK2FORMER = (384, 384)  # the size at which transformers multiplies its masks with its classes


class Foreign(nn.Module):
    """A network of others: normalized images (B, 3, H, W) -> the logarithms of the probabilities of the data's classes
    and, behind them, of void, (B, K + 1, H, W).

    Its own maps are enlarged before they become probabilities, as its own code does it.
    """

    def __init__(self, net: nn.Module, table: Sequence[int], num_classes: int, size: Size | None, flipped: bool):
        super().__init__()
        self.places: Tensor
        self.net, self.size, self.flipped, self.channels = net, size, flipped, num_classes + 1
        places = [num_classes if place == VOID else place for place in table]
        self.register_buffer("places", torch.tensor(places), persistent=False)

    def forward(self, images: Tensor) -> Tensor:
        size = images.shape[-2:]
        images = images.flip(1) if self.flipped else images
        maps, normalized = self.net(resized(images.contiguous(), self.size or size))
        maps = resized(maps.float(), size)
        rows = max(1, STRIP // (maps.shape[0] * maps.shape[1] * maps.shape[3]))
        return torch.cat([self.mapped(strip, normalized) for strip in maps.split(rows, 2)], 2)

    def mapped(self, maps: Tensor, normalized: bool) -> Tensor:
        probabilities = maps / maps.sum(1, keepdim=True).clamp(min=UNLIKELY) if normalized else maps.softmax(1)
        found = probabilities.new_zeros(len(maps), self.channels, *maps.shape[-2:])
        return found.index_add_(1, self.places, probabilities).clamp(min=UNLIKELY).log()

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> nn.Module:
        """Keeps weights in the layout that the code of others expects, wherever they are moved."""
        return super()._apply(lambda tensor: fn(tensor).contiguous(), recurse)


def built(kind: str, settings: str, num_classes: int) -> nn.Module:
    """A network of a kind by its own configuration, its weights random: images -> maps (B, C, h, w) of its classes, and
    whether they are shares of each pixel, not logits. Raises SeglabError where it cannot be built."""
    try:
        given = json.loads(settings)
        return BUILDERS[kind](given, num_classes)
    except SeglabError:
        raise
    except Exception as error:  # of a library, for settings that only it knows
        raise SeglabError(
            "the network cannot be built from its configuration: {reason}", reason=SeglabError.of(error)
        ) from None


# --- transformers


class Transformers(nn.Module):
    """A model of transformers for semantic segmentation, of this kind."""

    def __init__(self, model: nn.Module, kind: str):
        super().__init__()
        self.model, self.kind = model, kind

    def forward(self, images: Tensor) -> tuple[Tensor, bool]:
        outputs = self.model(pixel_values=images)
        if self.kind not in QUERIES:
            return outputs.logits, False
        masks = outputs.masks_queries_logits
        if self.kind == "mask2former":
            masks = resized(masks, MASKS_OF_MASK2FORMER)
        classes = outputs.class_queries_logits.softmax(-1)[..., :-1]  # the last is no class
        return torch.einsum("bqc,bqhw->bchw", classes, masks.sigmoid()), True


def configuration(settings: dict[str, Any]) -> Any:
    """The configuration of a model of transformers, which asks for no other weights; raises SeglabError for a kind that
    gives no semantic segmentation."""
    refuse_without_transformers()
    refuse_named(settings)
    from transformers import AutoConfig

    kind = settings.get("model_type")
    if kind not in (*PLAIN, *QUERIES):
        raise SeglabError(
            "{given} is no kind of model that can be adopted; allowed: {allowed}",
            given=repr(str(kind)[:60]),
            allowed=", ".join(sorted((*PLAIN, *QUERIES))),
        )
    rest = {name: value for name, value in settings.items() if name != "model_type"}
    return AutoConfig.for_model(kind, **offline(rest))


def refuse_named(settings: Any) -> None:
    """Raises SeglabError for settings that name a part of a network instead of describing it: whoever builds it would
    ask the hub for that part each time."""
    for each in settings.values() if isinstance(settings, dict) else settings if isinstance(settings, list) else ():
        refuse_named(each)
    if not isinstance(settings, dict):
        return
    for option in ("backbone", "encoder_name"):
        name = settings.get(option)
        described = option == "encoder_name" or settings.get("backbone_config") or settings.get("model_type") == TIMM
        if isinstance(name, str) and (":" in name or not described):
            raise SeglabError(
                "{option}: {given} is not described in the configuration but named; such a network would ask the hub "
                "for it whenever it is opened, and is not adopted",
                option=option,
                given=repr(name[:60]),
            )


def offline(settings: Any) -> Any:
    """Settings without what would fetch weights or code of somebody else."""
    if isinstance(settings, list):
        return [offline(each) for each in settings]
    if not isinstance(settings, dict):
        return settings
    kept = {name: offline(value) for name, value in settings.items() if name not in OF_OTHERS}
    return kept | {name: False for name in kept if name == "use_pretrained_backbone"}


def model_class(config: Any) -> Any:
    """The class of transformers that makes a model of a configuration."""
    import transformers

    if config.model_type in QUERIES:
        return getattr(transformers, QUERIES[config.model_type])
    return transformers.AutoModelForSemanticSegmentation


def of_transformers(settings: dict[str, Any], num_classes: int) -> nn.Module:
    config = configuration(settings | {"num_labels": num_classes})
    kind = model_class(config)
    with quiet():
        model = kind.from_config(config) if hasattr(kind, "from_config") else kind(config)
    return Transformers(model.float().eval(), config.model_type)


def size_of(config: Any) -> Size | None:
    """The only size of images that a model of transformers with this configuration takes; None where it takes any."""
    parts = filter(None, (config, getattr(config, "backbone_config", None)))
    side = next((each.image_size for each in parts if each.model_type in OF_ONE_SIZE), None)
    if side is None:
        return None
    height, width = side if isinstance(side, list | tuple) else (side, side)
    return int(height), int(width)


def refuse_without_transformers() -> None:
    """Imports transformers; raises SeglabError where it is not installed."""
    torchvision()
    try:
        import transformers  # noqa: F401
    except ImportError:
        raise SeglabError(
            "models of transformers need a package that is not installed here: {command}",
            command='pip install "seglab[hub]"',
        ) from None


@contextlib.contextmanager
def quiet() -> Any:
    """Keeps what transformers says of its own parts, and its progress bars, to itself."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


# --- segmentation_models_pytorch, torchvision


class Plain(nn.Module):
    """A network whose output is a map of logits, or has one in it."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, images: Tensor) -> tuple[Tensor, bool]:
        found = self.model(images)
        if isinstance(found, dict):  # torchvision's
            found = found["out"]
        return found[0] if isinstance(found, tuple) else found, False


def of_smp(settings: dict[str, Any], num_classes: int) -> nn.Module:
    torchvision()
    refuse_named(settings)
    import segmentation_models_pytorch as smp

    known = {kind.__name__: kind for kind in smp.MODEL_ARCHITECTURES_MAPPING.values()}
    name = settings.get("_model_class")
    if name not in known:
        raise SeglabError(
            "{given} is no model of segmentation_models_pytorch; allowed: {allowed}",
            given=repr(str(name)[:60]),
            allowed=", ".join(sorted(known)),
        )
    options = {option: value for option, value in settings.items() if not option.startswith("_")}
    options |= {"encoder_weights": None, "activation": None, "classes": num_classes}
    return Plain(known[name](**options).eval())


def of_torchvision(settings: dict[str, Any], num_classes: int) -> nn.Module:
    torchvision()
    from torchvision.models import get_model, list_models, segmentation

    name = settings.get("name")
    if name not in (known := list_models(segmentation)):
        raise SeglabError(
            "torchvision has no segmentation model {given}; allowed: {allowed}",
            given=repr(str(name)[:60]),
            allowed=", ".join(known),
        )
    options = {"weights": None, "weights_backbone": None, "num_classes": num_classes}
    return Plain(get_model(name, **options, aux_loss=bool(settings.get("aux_loss"))).eval())


# --- ONNX


class Onnx(nn.Module):
    """An ONNX file run by onnxruntime; its bytes are a buffer, so that weights are all that has to be kept."""

    def __init__(self, length: int, given: str, output: str, normalized: bool):
        super().__init__()
        self.file: Tensor
        self.register_buffer("file", torch.zeros(length, dtype=torch.uint8))
        self.given, self.output, self.normalized = given, output, normalized
        self.session: Any = None

    def forward(self, images: Tensor) -> tuple[Tensor, bool]:
        if self.session is None:
            self.session = session(self.file.cpu().numpy().tobytes())
        maps = [self.session.run([self.output], {self.given: each[None].cpu().numpy()})[0] for each in images]
        return torch.cat([torch.from_numpy(each) for each in maps]).to(images.device), self.normalized


def session(content: bytes) -> Any:
    """What runs an ONNX file; raises SeglabError where onnxruntime is not installed."""
    try:
        import onnxruntime
    except ImportError:
        raise SeglabError(
            "ONNX files need a package that is not installed here: {command}", command='pip install "seglab[onnx]"'
        ) from None
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])


def of_onnx(settings: dict[str, Any], num_classes: int) -> nn.Module:
    return Onnx(int(settings["bytes"]), settings["input"], settings["output"], bool(settings.get("normalized")))


BUILDERS: dict[str, Callable[[dict[str, Any], int], nn.Module]] = {
    "transformers": of_transformers,
    "smp": of_smp,
    "torchvision": of_torchvision,
    "onnx": of_onnx,
}
