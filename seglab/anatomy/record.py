"""The record of one run of a network on torch's meta device, which computes shapes and no values."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry
from torch.utils.hooks import RemovableHandle

from seglab.families import Architecture, Outputs, Staged

LAYOUT = {"view", "unsafe_view", "reshape", "permute", "transpose", "t", "mm", "addmm", "as_strided", "as_strided_"}
REDUCED = {"mean", "sum", "amax", "max", "var_mean"}
COUNTED = flop_registry | {  # torch counts attention on other devices only
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: flop_registry[
        torch.ops.aten._scaled_dot_product_flash_attention
    ]
}


@dataclass(eq=False)
class Operation:
    """One tensor operation: whose results it read, by place in the record, and what it gave."""

    name: str  # aten's
    arguments: tuple[Any, ...]
    sources: tuple[int, ...]
    shape: tuple[int, ...]
    stage: int | None  # of the encoder, counted from the shallowest
    pointwise: bool


class Shapes(TorchDispatchMode):
    """Computes on meta without the operations whose own versions there import torch's compiler, which takes seconds."""

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # or torch imports its compiler for the class itself

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        result = shaped(function, arguments)
        return function(*arguments, **(options or {})) if result is None else result


class Record(Shapes):
    """Every operation on what comes from the image, while it is the current mode; the image is at place 0."""

    def __init__(self, image: Tensor):
        super().__init__()
        self.flops = 0
        self.operations = [Operation("image", (), (), tuple(image.shape), None, False)]
        self.outputs: list[int] = []  # the logits first, then every other map that the network gives
        self.within: list[int] = []  # the stages whose modules are being run
        self._places, self._alive = {id(image): 0}, [image]  # an id holds only while its tensor lives

    def __torch_dispatch__(self, function: Any, types: Any, arguments: Any = (), options: Any = None) -> Any:
        options = options or {}
        result = super().__torch_dispatch__(function, types, arguments, options)
        count = COUNTED.get(function._overloadpacket)
        if count:
            self.flops += count(*arguments, **options, out_val=result)
        sources = [place for place in map(self.place, tensors([arguments, *options.values()])) if place is not None]
        for given in tensors([result])[:1] if sources else []:
            stage = self.within[-1] if self.within else None
            name = function._overloadpacket.__name__.strip("_")
            pointwise = torch.Tag.pointwise in function.tags
            self.operations.append(Operation(name, arguments, tuple(sources), tuple(given.shape), stage, pointwise))
            for each in tensors([result]):
                self._places[id(each)] = len(self.operations) - 1
                self._alive.append(each)
        return result

    def place(self, tensor: Tensor) -> int | None:
        return self._places.get(id(tensor))

    def follow(self, stages: Sequence[nn.Module]) -> list[RemovableHandle]:
        """Notes from now on in which stage of the encoder an operation is; gives the hooks, to be removed."""
        hooks = []
        for number, stage in enumerate(stages):
            for module in stage.modules():
                hooks.append(nn.Module.register_forward_pre_hook(module, partial(self.enter, number)))
                hooks.append(nn.Module.register_forward_hook(module, self.leave))  # not a class's own
        return hooks

    def enter(self, stage: int, *_: Any) -> None:
        self.within.append(stage)

    def leave(self, *_: Any) -> None:
        self.within.pop()


COMPARISONS = {"eq", "ne", "lt", "le", "gt", "ge", "isnan", "isinf", "logical_not"}


def shaped(function: Any, arguments: tuple[Any, ...]) -> Any:
    """An empty result on meta, or None for an operation that is better left to torch."""
    name, given = function._overloadpacket.__name__, tensors(arguments)
    if not given or not all(each.is_meta for each in given):
        return None
    if torch.Tag.nondeterministic_seeded in function.tags and function._schema.is_mutable:
        return given[0]  # random weights
    real = [each for each in given if each.is_floating_point()]
    if torch.Tag.pointwise in function.tags and real:
        shape = torch.broadcast_shapes(*(each.shape for each in given))
        kind = torch.bool if name in COMPARISONS else real[0].dtype
        return given[0] if function._schema.is_mutable else torch.empty(shape, dtype=kind, device="meta")
    if name == "native_batch_norm":
        return torch.empty_like(given[0]), given[0].new_empty(0), given[0].new_empty(0)
    if name == "cat":
        shape, axis = list(given[0].shape), arguments[1] if len(arguments) > 1 else 0
        shape[axis] = sum(each.shape[axis] for each in given)
        return given[0].new_empty(shape)
    if name == "max_unpool2d" or name.startswith("upsample"):
        size = next(each for each in arguments[1:] if isinstance(each, list | tuple))
        return given[0].new_empty((*given[0].shape[:2], *size))
    return None


def tensors(values: Any) -> list[Tensor]:
    """The tensors among the values and in lists of them, in order."""
    found: list[Tensor] = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, list | tuple):
            found += tensors(value)
    return found


def recorded(architecture: Architecture, num_classes: int, side: int) -> tuple[nn.Module, Record]:
    """The network, and the record of one square image going through it in evaluation."""
    try:
        network = built(architecture, num_classes, "meta")
        return network, passed(network, side, side)
    except Exception:  # some networks ask for values, or for operations, which meta does not have
        network = built(architecture, num_classes, "cpu")
        return network, passed(network, side, side)


def built(architecture: Architecture, num_classes: int, device: str) -> nn.Module:
    with torch.random.fork_rng(devices=[]), torch.device(device), Shapes():
        return architecture.build(num_classes).eval()


def passed(network: nn.Module, height: int, width: int) -> Record:
    """The record of one image going through a network on its device."""
    image = torch.zeros(1, 3, height, width, device=next(network.parameters()).device)
    record = Record(image)
    hooks = record.follow(network.stages() if isinstance(network, Staged) else [])
    try:
        with torch.no_grad(), record:
            outputs = network(image)
    finally:
        for hook in hooks:
            hook.remove()
    outputs = Outputs(outputs) if isinstance(outputs, Tensor) else outputs
    logits = record.place(outputs.logits)
    others = [record.place(value) for value in outputs.extras.values() if value.dim() == 4]
    record.outputs = [len(record.operations) - 1 if logits is None else logits]
    record.outputs += [place for place in others if place is not None]
    return record


def across(value: Any) -> Any:
    """The last of several values, which belongs to a picture's rows; a single one stands for both axes."""
    return value[-1] if isinstance(value, list | tuple) and value else 0 if isinstance(value, list | tuple) else value
