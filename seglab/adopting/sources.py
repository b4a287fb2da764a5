"""Where networks of others come from: a folder, the Hugging Face Hub, torchvision, an ONNX file.

What a repository says of itself is data and read within bounds; weights are taken from safetensors alone.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import torch
import yaml
from safetensors.torch import load_file
from torch import Tensor, nn

from seglab import hub, runs
from seglab.adopting.names import KNOWN
from seglab.architectures import _foreign
from seglab.architectures._pretrained import fetched, read
from seglab.architectures.adopted import MOST_SETTINGS, Three
from seglab.entry import refusal_of, shown
from seglab.errors import SeglabError
from seglab.export import INPUT
from seglab.families import IMAGENET
from seglab.model import parameters

AS_IT_IS: tuple[Three, Three] = ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0))
TORCHVISION = "torchvision:"
MOST_BYTES = 2 * 2**30  # of a network's files
MOST_TEXT = 2**20  # of a file of settings
LARGEST_SIDE = 1024  # pixels, as RunConfig has it
WEIGHTS = "model.safetensors"
SHORTER = (*_foreign.QUERIES, "mobilenet_v2", "mobilevit", "mobilevitv2")  # kinds that a size alone is the shorter of
UNNAMED = re.compile(r"(label|class)?[ _-]?\d+", re.IGNORECASE)  # LABEL_0 is no name
KNOWN_LISTS = ", ".join(f"{name} ({len(each)})" for name, each in KNOWN.items())
WANTED = (
    "config.json", "preprocessor_config.json", "processor_config.json", "albumentations_config_eval.json", "README.md",
    "model.safetensors.index.json",
)  # fmt: skip


@dataclass(frozen=True)
class Network:
    """A network of others: what `Adopted` is told of it, its weights, how many of them there are, and the longer side
    and the shorter one of the images that it suits, as far as they are known."""

    kind: str
    origin: str
    settings: dict[str, Any]
    classes: tuple[str, ...]
    weights: dict[str, Tensor]
    parameters: int
    mean: Three = IMAGENET[0]
    std: Three = IMAGENET[1]
    flipped: bool = False
    size: tuple[int, int] | None = None
    side: int | None = None
    shorter: int | None = None
    revision: str = ""
    license: str = ""

    def longer(self, height: int, width: int) -> int | None:
        """The longer side that it wants of images of such a shape, where it says."""
        if self.shorter is None:
            return self.side
        return min(round(self.shorter * max(height, width) / min(height, width)), self.side or LARGEST_SIDE)


def network(source: str, names: Any = None, mean: Any = None, std: Any = None) -> Network:
    """The network behind an ID: `OWNER/NAME[@REVISION]` of the hub, with or without `hf:`,
    `torchvision:NAME[@WEIGHTS]`, an ONNX file, or a folder with config.json and model.safetensors.

    `names` are those of its classes, where it brings none: a list, a file with one on each line, or one of KNOWN;
    `mean` and `std` of its colors in [0, 1], where it says nothing of them. Raises SeglabError.
    """
    path = Path(source)
    given = Given(names_given(names), three("mean", mean), three("std", std))
    if path.suffix.lower() == ".onnx":
        return of_onnx(path, given)
    if source.startswith(TORCHVISION):
        return of_torchvision(source, given)
    if path.is_dir():
        return of_folder(path, path.resolve().name, "", given)
    name = source.removeprefix(hub.PREFIX).partition("@")[0]
    if "/" not in name.strip("/") or name.startswith((".", "/", "~")):
        raise SeglabError(
            "{source} is no network that can be adopted; allowed: OWNER/NAME of the Hugging Face hub, "
            "torchvision:NAME, a file that ends in .onnx, or a folder with config.json and model.safetensors",
            source=shown(source),
        )
    name, revision = hub.parsed(source)
    token = hub.login()
    repository = hub.look_up(name, revision, token=token)
    if "events.jsonl" in repository.files:
        raise SeglabError("{id} is a run of seglab: it is a run here by the name hf:{id}", id=name)
    weights = repository.named(WEIGHTS, "model-*-of-*.safetensors")
    if not weights:
        raise SeglabError(
            "{source} has no {file}; weights in other files are not opened, since they could run code",
            source=source,
            file=WEIGHTS,
        )
    with runs.writing(runs.home()):
        folder = hub.fetch(repository, [*repository.named(*WANTED), *weights], None, MOST_BYTES, token)
    return of_folder(folder, f"{hub.PREFIX}{name}", repository.commit, given)


@dataclass(frozen=True)
class Given:
    """What a person says of a network that it does not say itself."""

    names: tuple[str, ...] | None
    mean: Three | None
    std: Three | None

    def named(self, own: Sequence[str], source: str, count: int) -> tuple[str, ...]:
        """The names of so many classes: those given, or the network's own; raises SeglabError where there are none."""
        names = self.names or (() if all(UNNAMED.fullmatch(name.strip()) for name in own) else tuple(own))
        if not names:
            raise SeglabError(
                "{source} does not say what its {count} classes are; give their names, in order: --names FILE, with a "
                "name on each line, or one of {known}",
                source=source,
                count=count,
                known=KNOWN_LISTS,
            )
        if len(names) != count:
            raise SeglabError(
                "{source} has {count} classes, and {given} names were given",
                source=source,
                count=count,
                given=len(names),
            )
        return tuple(name.strip()[:200] or str(place) for place, name in enumerate(names))

    def applied(self, found: Network) -> Network:
        return replace(found, mean=self.mean or found.mean, std=self.std or found.std)


def names_given(names: Any) -> tuple[str, ...] | None:
    if names is None:
        return None
    if isinstance(names, str) and names.lower() in KNOWN:
        return KNOWN[names.lower()]
    if isinstance(names, str | Path):
        if not Path(names).is_file():
            raise refusal_of("entry", str(names), KNOWN, thing="names", family="files and known lists")
        names = text_of(Path(names)).splitlines()
    if isinstance(names, Sequence) and all(isinstance(name, str) for name in names):
        return tuple(name for each in names if (name := each.strip()))
    raise SeglabError("names: {given} is no list of names", given=shown(names))


def three(thing: str, given: Any, scale: float = 1.0) -> Three | None:
    """Three numbers, as a list or as text with commas, each times the scale."""
    if given is None:
        return None
    try:
        found = [scale * float(each) for each in (given.split(",") if isinstance(given, str) else given)]
    except (TypeError, ValueError):
        found = []
    if len(found) != 3 or not np.isfinite(found).all() or (thing.endswith("std") and min(found) <= 0):
        raise SeglabError(
            "{thing}: {given} is not allowed; allowed: three numbers such as 0.485,0.456,0.406",
            thing=thing,
            given=shown(given),
        )
    return found[0], found[1], found[2]


# --- files


def text_of(path: Path) -> str:
    """A text file within bounds."""
    try:
        if path.stat().st_size > MOST_TEXT:
            raise SeglabError("{file}: larger than {most} MB", file=path.name, most=MOST_TEXT // 2**20)
        return path.read_text(encoding="utf-8")
    except (OSError, ValueError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=path.name, reason=error) from None


def json_of(path: Path) -> dict[str, Any]:
    """An object in a JSON file; an empty one where there is no such file."""
    if not path.is_file():
        return {}
    try:
        found = json.loads(text_of(path))
    except (ValueError, RecursionError) as error:
        raise SeglabError("{file} cannot be read: {reason}", file=path.name, reason=error) from None
    if not isinstance(found, dict):
        raise SeglabError("{file} is not an object", file=path.name)
    return found


def license_of(folder: Path) -> str:
    """What a repository's card says of its license; nothing where it has none."""
    try:
        _, head, *_ = text_of(folder / "README.md").split("---", 2)
        found = yaml.safe_load(head)
        told = found.get("license") or found.get("license_name")
        return ", ".join(filter(is_text, told if isinstance(told, list) else [told]))[:100]
    except (SeglabError, ValueError, AttributeError, RecursionError, yaml.YAMLError):
        return ""


def of_folder(folder: Path, source: str, revision: str, given: Given) -> Network:
    """The network of transformers or of smp that was saved into a folder."""
    settings = json_of(folder / "config.json")
    if not settings:
        raise SeglabError("{source} has no config.json that says what its network is", source=source)
    if len(json.dumps(settings)) > MOST_SETTINGS:
        raise SeglabError("{file}: larger than {most} MB", file="config.json", most=MOST_SETTINGS // 2**20)
    make = of_smp if "_model_class" in settings else of_transformers
    found = make(folder, source, settings, given)
    return given.applied(replace(found, revision=revision, license=license_of(folder)))


# --- transformers


def of_transformers(folder: Path, source: str, settings: dict[str, Any], given: Given) -> Network:
    own = labels(settings.get("id2label"), source)
    kept = {name: value for name, value in settings.items() if name not in ("id2label", "label2id")}
    with telling(source):
        config = _foreign.configuration(kept | {"num_labels": len(own) or int(settings.get("num_labels", 2))})
    with _foreign.quiet(), telling(source):
        model, report = _foreign.model_class(config).from_pretrained(
            folder,
            config=config,
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if lacking := sorted(report["missing_keys"]) or sorted(str(each[0]) for each in report["mismatched_keys"]):
        raise SeglabError(
            "{source} has no weights for {count} parts of a network that segments, such as {first}: it was made for "
            "something else",
            source=source,
            count=len(lacking),
            first=lacking[0],
        )
    names = given.named(own, source, config.num_labels)
    whole = _foreign.Transformers(model.eval(), config.model_type)
    with telling(source):
        wanted = processing(folder, source, config.model_type, given)
    return Network(
        "transformers", source, kept, names, whole.state_dict(), parameters(model), size=_foreign.size_of(config),
        **wanted,
    )  # fmt: skip


def labels(named: Any, source: str) -> list[str]:
    """The names of classes by their numbers, as a configuration has them; none where it names none. Raises SeglabError
    for numbers that are not 0, 1, 2 and so on: which of its maps are meant is not known then."""
    if not named:
        return []
    numbered = named if isinstance(named, dict) else {}
    found = {int(number): str(name) for number, name in numbered.items() if is_number(number)}
    if not found or len(found) != len(numbered) or sorted(found) != list(range(len(found))):
        raise SeglabError(
            "{source}: its id2label is {given}; allowed: a name for each of 0, 1, 2 and so on",
            source=source,
            given=shown(named),
        )
    return [found[number] for number in range(len(found))]


def processing(folder: Path, source: str, kind: str, given: Given) -> dict[str, Any]:
    """What is done to colors in [0, 1] before a model of transformers sees them, whether their order is turned round,
    and the sides of the images that it was made for; as its own files have it."""
    known = json_of(folder / "preprocessor_config.json") or json_of(folder / "processor_config.json")
    inner = known.get("image_processor")
    known = inner if isinstance(inner, dict) else known
    flipped = bool(known.get("do_flip_channel_order"))
    normalized = known.get("do_normalize", not flipped)  # MobileViT, whose colors are turned round, does not
    if not known or (normalized and not {"image_mean", "image_std"} <= known.keys()):
        refuse_unnormalized(source, given)
    scale = 255 * float(known.get("rescale_factor", 1 / 255)) if known.get("do_rescale", True) else 255.0
    mean, std = IMAGENET if normalized else AS_IT_IS
    if normalized:
        mean, std = known.get("image_mean", mean), known.get("image_std", std)
    longer, shorter = sides(known.get("size"), known.get("max_size"), kind in SHORTER)
    return {
        "mean": three("image_mean", mean, 1 / scale),
        "std": three("image_std", std, 1 / scale),
        "flipped": flipped,
        "side": longer,
        "shorter": shorter,
    }


def refuse_unnormalized(source: str, given: Given) -> None:
    """Raises SeglabError unless a person said how images are normalized, since the network does not."""
    if given.mean is None or given.std is None:
        raise SeglabError(
            "{source} does not say how its images are normalized; give --mean and --std of colors from 0 to 1, such as "
            "--mean 0.485,0.456,0.406 --std 0.229,0.224,0.225, or 0,0,0 and 1,1,1",
            source=source,
        )


def sides(size: Any, most: Any, shorter: bool) -> tuple[int | None, int | None]:
    """The longer side and the shorter one that a processor brings images to, as far as its `size` says, and `most`, the
    longer one at most; a number alone is the longer one, or the shorter one."""
    if isinstance(size, Mapping) and size.get("shortest_edge"):
        return longest(size.get("longest_edge") or most), longest(size["shortest_edge"])
    if shorter and isinstance(size, int):
        return longest(most), longest(size)
    return longest(size), None


def longest(size: Any) -> int | None:
    """The longest side that a processor's size names, within what a run may have."""
    values = size.values() if isinstance(size, Mapping) else size if isinstance(size, list | tuple) else [size]
    sides = [each for each in values if isinstance(each, int) and not isinstance(each, bool) and each >= 32]
    return min(LARGEST_SIDE, max(sides)) if sides else None


# --- segmentation_models_pytorch


def of_smp(folder: Path, source: str, settings: dict[str, Any], given: Given) -> Network:
    count = settings.get("classes", 1)
    if not isinstance(count, int) or count < 2:
        raise SeglabError("{source} has {count} classes; allowed: 2 or more", source=source, count=shown(count))
    names = given.named((), source, count)
    net = _foreign.built("smp", json.dumps(settings), count)
    assert isinstance(net, _foreign.Plain)
    state = tensors(folder / WEIGHTS, source)
    loaded(net.model, state, source)
    steps = dict(transforms(json_of(folder / "albumentations_config_eval.json")))
    normalize, resize = steps.get("Normalize", {}), steps.get("Resize", {})
    scale = float(normalize.get("max_pixel_value", 255.0)) / 255
    own = normalize or preprocessing(settings)
    if not {"mean", "std"} <= own.keys():
        refuse_unnormalized(source, given)
    mean = three("mean", own.get("mean", IMAGENET[0]), scale)
    std = three("std", own.get("std", IMAGENET[1]), scale)
    assert mean and std
    side = longest([resize.get("height"), resize.get("width")])
    return Network("smp", source, settings, names, net.state_dict(), parameters(net), mean, std, side=side)


def preprocessing(settings: dict[str, Any]) -> dict[str, Any]:
    """What smp does to colors before an encoder sees them, where it knows."""
    from segmentation_models_pytorch.encoders import get_preprocessing_params

    try:
        found = get_preprocessing_params(str(settings.get("encoder_name")))
    except (KeyError, ValueError):
        return {}
    return {name: list(map(float, found[name])) for name in ("mean", "std")}


def transforms(value: Any, depth: int = 0) -> Iterator[tuple[str, dict[str, Any]]]:
    """The steps that albumentations saved, by the names of their classes."""
    if depth < 8 and isinstance(value, dict):
        if "__class_fullname__" in value:
            yield str(value["__class_fullname__"]).rpartition(".")[2], value
        value = list(value.values())
    for inner in value if depth < 8 and isinstance(value, list) else ():
        yield from transforms(inner, depth + 1)


# --- torchvision


def of_torchvision(source: str, given: Given) -> Network:
    _foreign.torchvision()
    from torchvision.models import get_model_weights, list_models, segmentation

    name, _, chosen = source.removeprefix(TORCHVISION).partition("@")
    if name not in (known := list_models(segmentation)):
        raise refusal_of("entry", name, known, thing="torchvision", family="networks that segment")
    offered = get_model_weights(name)
    if chosen and chosen not in offered.__members__:
        raise refusal_of("entry", chosen, offered.__members__, thing=name, family="weights")
    weights = offered[chosen] if chosen else offered.DEFAULT
    names = given.named(weights.meta["categories"], source, len(weights.meta["categories"]))
    state = read(arrived(weights.url))
    settings = {"name": name, "aux_loss": any(key.startswith("aux_classifier.") for key in state)}
    net = _foreign.built("torchvision", json.dumps(settings), len(names))
    assert isinstance(net, _foreign.Plain)
    loaded(net.model, state, source)
    steps = weights.transforms()
    found = Network(
        "torchvision", f"{TORCHVISION}{name}@{weights.name}", settings, names, net.state_dict(), parameters(net),
        tuple(steps.mean), tuple(steps.std), shorter=longest(steps.resize_size),
    )  # fmt: skip
    return given.applied(found)


def arrived(url: str) -> Path:
    """A file of torchvision's weights, from torch's cache or the network."""
    try:
        return fetched(url, sha256=Path(urlsplit(url).path).stem.rpartition("-")[2])
    except SeglabError as error:
        raise SeglabError(
            "{file} could not be fetched from {host} ({reason}); without a network, put it at {path}", **error.values
        ) from None


# --- ONNX


def of_onnx(path: Path, given: Given) -> Network:
    """A file's only input has to be images (1, 3, H, W), and an output maps (1, C, h, w) of logits or probabilities."""
    if not path.is_file():
        raise SeglabError("{file}: there is no such file", file=str(path))
    if path.stat().st_size > MOST_BYTES:
        raise SeglabError("{file}: larger than {most} MB", file=path.name, most=MOST_BYTES // 2**20)
    content = path.read_bytes()
    proto, count = parsed(content, path.name)
    said = {each.key: each.value for each in proto.metadata_props}
    with telling(path.name):
        running = _foreign.session(content)
    entry, output, size = ends(running, path.name)
    trial = np.random.default_rng(0).random((1, 3, *(size or (64, 64))), dtype=np.float32)
    with telling(path.name):
        (maps,) = running.run([output], {entry: trial})
    if maps.ndim != 4 or maps.shape[1] < 2:
        raise SeglabError(
            "{file}: gives {shape}; allowed: a map of each class, 1 x classes x height x width",
            file=path.name,
            shape=" x ".join(map(str, maps.shape)),
        )
    names = given.named(onnx_names(said), path.name, maps.shape[1])
    normalized = bool((maps >= 0).all() and np.allclose(maps.sum(1), 1, atol=1e-3))
    if said.get("input") == INPUT:
        given = replace(given, mean=given.mean or AS_IT_IS[0], std=given.std or AS_IT_IS[1])
    refuse_unnormalized(path.name, given)
    settings = {"bytes": len(content), "input": entry, "output": output, "normalized": normalized}
    weights = {"file": torch.frombuffer(bytearray(content), dtype=torch.uint8)}
    found = Network(
        "onnx", path.name, settings, names, weights, count, size=size, side=size and min(LARGEST_SIDE, max(size)),
        revision=hashlib.sha256(content).hexdigest(), license=said.get("license", "")[:100],
    )  # fmt: skip
    return given.applied(found)


def parsed(content: bytes, name: str) -> tuple[Any, int]:
    """An ONNX file's parts, and how many numbers are its weights; raises SeglabError for one with weights elsewhere."""
    try:
        import onnx
    except ImportError:
        raise SeglabError(
            "ONNX files need a package that is not installed here: {command}", command='pip install "seglab[onnx]"'
        ) from None
    with telling(name):
        proto = onnx.load_model_from_string(content)
    if any(each.data_location == onnx.TensorProto.EXTERNAL for each in proto.graph.initializer):
        raise SeglabError("{file}: its weights are in another file; save the model as one file", file=name)
    kinds = (onnx.TensorProto.FLOAT, onnx.TensorProto.FLOAT16, onnx.TensorProto.INT8, onnx.TensorProto.UINT8)
    counted = [each for each in proto.graph.initializer if each.data_type in kinds]
    return proto, sum(int(np.prod(each.dims)) for each in counted)


def ends(running: Any, name: str) -> tuple[str, str, tuple[int, int] | None]:
    """The names of a file's input and of its maps, and the only size of images that it takes."""
    entries = running.get_inputs()
    shape = entries[0].shape if len(entries) == 1 else []
    if len(shape) != 4 or entries[0].type != "tensor(float)" or (isinstance(shape[1], int) and shape[1] != 3):
        raise SeglabError(
            "{file}: its inputs are {given}; allowed: one, images as float, 1 x 3 x height x width",
            file=name,
            given="; ".join(f"{each.name} {each.type} {each.shape}" for each in entries),
        )
    outputs = [each for each in running.get_outputs() if len(each.shape) == 4 and each.type == "tensor(float)"]
    if not outputs:
        raise SeglabError(
            "{file}: has no output of a map for each class; one that gives labels alone cannot be adopted", file=name
        )
    fixed = all(isinstance(side, int) for side in shape[2:])
    return entries[0].name, outputs[0].name, (shape[2], shape[3]) if fixed else None


def onnx_names(said: Mapping[str, str]) -> list[str]:
    """The names of classes in a file's metadata: seglab's own list, or an object by number as others write it."""
    text = said.get("classes") or said.get("names") or "[]"
    try:
        found = yaml.safe_load(text[:MOST_TEXT])  # JSON is YAML, and so is what Python prints of a dict
    except (yaml.YAMLError, RecursionError):
        return []
    if isinstance(found, dict):
        found = [found[key] for key in sorted(found, key=lambda key: int(key))] if all(map(is_number, found)) else []
    return [str(each) for each in found] if isinstance(found, list) and all(map(is_text, found)) else []


def is_number(key: Any) -> bool:
    return str(key).isdecimal()


def is_text(value: Any) -> bool:
    """Whether a value that was read is no list or the like; such may stand for more than all memory holds."""
    return isinstance(value, str | int | float)


# --- weights


def tensors(path: Path, source: str) -> dict[str, Tensor]:
    if not path.is_file():
        raise SeglabError(
            "{source} has no {file}; weights in other files are not opened, since they could run code",
            source=source,
            file=path.name,
        )
    with telling(source):
        return load_file(path)


def loaded(net: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Gives a network its weights; raises SeglabError where they are not exactly its own."""
    expected = net.state_dict()
    odd = sorted(state.keys() ^ expected.keys())
    odd += sorted(name for name in state.keys() & expected.keys() if state[name].shape != expected[name].shape)
    if odd:
        raise SeglabError("the weights of {run} do not fit its model: {names}", run=source, names=", ".join(odd[:3]))
    net.load_state_dict(state)


@contextlib.contextmanager
def telling(source: str) -> Iterator[None]:
    """Turns whatever a library comes to with somebody's file into a SeglabError that names it."""
    try:
        yield
    except SeglabError:
        raise
    except Exception as error:
        raise SeglabError(
            "{source} cannot be opened: {reason}", source=source, reason=str(error).strip().partition("\n")[0][:300]
        ) from None
