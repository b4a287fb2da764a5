"""What a network is made of: its size, its cost, how far a pixel of it sees, and its structure as a few blocks."""

from __future__ import annotations

import math
import statistics
import threading
import time
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from seglab.entry import Architecture
from seglab.model import MULTIPLE, SMALLEST, Segmenter
from seglab.record import LAYOUT, REDUCED, Operation, Record, across, passed, recorded, tensors
from seglab.structure import Block, Link, nodes, structure

WHOLE = "the whole image: something is averaged or compared over all of it"
UNKNOWN = "not known: the reach of one of its operations cannot be told"
WIDE = 2112  # pixels: wide enough to have a middle, and at no depth as many as a network has channels
PERIOD = 64  # pixels after which a network repeats itself, at the least
TIMING = threading.Lock()  # one network at a time: the number of threads is the process's


@dataclass(frozen=True)
class Anatomy:
    """A network in numbers, for one square image, and its blocks and links.

    multiply_adds: a product and the sum it enters count one. Only convolutions and matrix products are counted: no
    biases, normalization, activations, pooling, interpolation or sums of maps. output_stride: pixels of the image for
    one of the coarsest maps, those pooled from the whole image aside. receptive_field: how many neighboring pixels of
    a row decide one pixel of the network's own logits, borders aside, at the place that sees most; group norm is taken
    for a pixel's own affair, though it looks at the whole map. Without a number, `why` tells the reason.
    """

    parameters: int
    multiply_adds: int
    side: int
    output_stride: int
    receptive_field: int | None
    why: str
    blocks: tuple[Block, ...]
    links: tuple[Link, ...]


@lru_cache(maxsize=64)
def anatomy(architecture: Architecture, num_classes: int = 11, side: int = 128) -> Anatomy:
    """The network's anatomy for images of `side` x `side`, padded as the Segmenter pads them."""
    architecture, side = architecture.suited(side), max(SMALLEST, math.ceil(side / MULTIPLE) * MULTIPLE)
    network, record = recorded(architecture, num_classes, side)
    blocks, links = structure(record)
    try:
        reach, why = receptive_field(passed(network, SMALLEST, WIDE))
    except Exception:  # a network that takes no such strip, cut to windows for instance
        reach, why = None, UNKNOWN
    coarsest = max(node.stride for node in nodes(record) if not node.pooled)
    return Anatomy(
        parameters=sum(parameter.numel() for parameter in network.parameters() if parameter.requires_grad),
        multiply_adds=record.flops // 2,
        side=side,
        output_stride=round(coarsest),
        receptive_field=reach,
        why=why,
        blocks=blocks,
        links=links,
    )


def milliseconds(architecture: Architecture, side: int, threads: int, num_classes: int = 11) -> float:
    """The median time of a few forward passes of one image, random weights, on the CPU with so many threads."""
    with TIMING, torch.random.fork_rng(devices=[]), torch.inference_mode():
        model = Segmenter(architecture, num_classes, side).eval().to(memory_format=torch.channels_last)
        image = torch.rand(1, 3, side, side)
        before = torch.get_num_threads()
        torch.set_num_threads(threads)
        try:
            model(image)  # the first prepares the convolutions for this size
            times: list[float] = []
            while not times or sum(times) < (0.5 if len(times) > 2 else 3.0):
                began = time.perf_counter()
                model(image)
                times.append(time.perf_counter() - began)
        finally:
            torch.set_num_threads(before)
    return statistics.median(times) * 1e3


# --- the receptive field

Span = tuple[np.ndarray, np.ndarray]  # the first and the last pixel of a row, for several starting places at once
SAME_PIXEL = {
    "native_batch_norm", "cudnn_batch_norm", "native_group_norm", "native_layer_norm", "hardswish", "prelu", "dropout",
    "native_dropout", "to_copy", "detach", "alias", "contiguous", "cat", "stack", "unbind", "select", "squeeze",
    "unsqueeze", "expand", "view", "unsafe_view", "reshape", "permute", "transpose", "t", "mm", "addmm", "linear",
    "as_strided", "as_strided_", "copy_", "split", "split_with_sizes", "lift_fresh", "chunk",
}  # fmt: skip
PRODUCTS = {"bmm", "baddbmm"}


def receptive_field(record: Record) -> tuple[int | None, str]:
    """How many pixels of a row one pixel of the logits depends on, or None and why there is no number.

    Going back from pixels in the middle, each operation tells the first and last of its input's pixels that it read:
    the usual recursion, without the image's borders, and exact for branches and for maps that are enlarged.
    """
    operations = record.operations
    widths: list[int | None] = []  # pixels in a row of each result, whatever axis that row is
    for operation in operations:
        widths.append(row(operation, [widths[source] for source in operation.sources]))
    last = record.outputs[0]
    known, count = widths[last] is not None, widths[last] or 1
    middle = count // 2 + np.arange(max(1, PERIOD * count // widths[0]))
    spans: dict[int, Span] = {last: (middle, middle)}
    for place in range(last, 0, -1):
        if place not in spans:
            continue
        operation, span = operations[place], spans.pop(place)
        found = read(operation, widths[operation.sources[0]], widths[place], span)
        if found == WHOLE:
            return None, WHOLE
        if found is None or widths[place] is None:
            known, found = False, span  # goes on all the same: something before may read the whole image
        for source in operation.sources:
            low, high = spans.get(source, found)
            spans[source] = np.minimum(low, found[0]), np.maximum(high, found[1])
    if not known or 0 not in spans:
        return None, UNKNOWN
    low, high = spans[0]
    return int((high - low).max()) + 1, ""


def row(operation: Operation, sources: list[int | None]) -> int | None:
    """How many pixels a row of the operation's result has; None where that cannot be told."""
    if not sources:
        return operation.shape[-1]
    if None in sources:
        return None
    if operation.name in LAYOUT or operation.name in REDUCED:
        return 1 if reduces_rows(operation, sources[0]) else max(sources)
    if operation.name in SAME_PIXEL or operation.pointwise or len(operation.shape) < 4:
        return max(sources)
    if operation.arguments[0].shape[-1] != sources[0]:  # the row has become another axis
        return sources[0] if operation.name == "slice" else None
    return operation.shape[-1]


def reduces_rows(operation: Operation, before: int | None) -> bool:
    """Whether the operation makes one number of a row of its input."""
    if operation.name not in REDUCED:
        return False
    values, *rest = operation.arguments
    axes = rest[0] if rest and rest[0] is not None else range(values.dim())
    axes = [axis % values.dim() for axis in (axes if isinstance(axes, list | tuple | range) else [axes])]
    return values.dim() - 1 in axes and values.shape[-1] == before


def read(operation: Operation, before: int | None, after: int | None, span: Span) -> Span | str | None:
    """The pixels of its input that a span of the result depends on: WHOLE for all of them, None if it is not known.

    before and after: pixels in a row of input and result.
    """
    name, arguments = operation.name, operation.arguments
    low, high = span
    if name in PRODUCTS or "attention" in name:  # of all pixels, or of those of a window
        most = max(max(each.shape[-2:]) for each in tensors(arguments))
        return WHOLE if before and most >= before else None
    if name in ("mm", "addmm", "linear") and before and before > 1:
        return WHOLE if any(each.shape[-1] % before == 0 for each in tensors(arguments)) else span
    if name in ("softmax", "log_softmax"):
        return WHOLE if arguments[1] % arguments[0].dim() == arguments[0].dim() - 1 != 1 else span
    if name in REDUCED:
        return WHOLE if reduces_rows(operation, before) else span
    if name in SAME_PIXEL or operation.pointwise:
        return span
    if before is None or after is None:
        return None
    if name == "convolution":
        step, padding, rate, transposed = (across(each) for each in arguments[3:7])
        size = (arguments[1].shape[-1] - 1) * rate
        if transposed:
            return -((size - padding - low) // step), (high + padding) // step
        return low * step - padding, high * step - padding + size
    if name in ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d"):
        size, step, padding, rate = map(across, (*arguments[1:5], *[0] * (5 - len(arguments))))
        rate = max(1, rate) if "max" in name else 1  # of averages the fourth is whether sizes are rounded up
        step, size = step or size, (size - 1) * rate
        return WHOLE if size + 1 >= before else (low * step - padding, high * step - padding + size)
    if name.startswith(("adaptive_avg_pool2d", "adaptive_max_pool2d")):
        return WHOLE if after == 1 else (low * before // after, -(-(high + 1) * before // after) - 1)
    if name.startswith("upsample_nearest2d"):
        return low * before // after, high * before // after
    if name == "max_unpool2d":
        step = max(1, round(after / before))
        return low // step, high // step
    if name.startswith(("upsample_bilinear2d", "upsample_bicubic2d")):
        more = 1 if "cubic" in name else 0
        # pixel o of the result lies at `top(o) / bottom` of the input
        if arguments[2]:  # corners are aligned
            top, bottom = lambda place: place * (before - 1), max(1, after - 1)
        else:
            top, bottom = lambda place: (2 * place + 1) * before - after, 2 * after
        return top(low) // bottom - more, -(-top(high) // bottom) + more
    if name in ("constant_pad_nd", "reflection_pad2d", "replication_pad2d"):
        return low - arguments[1][0], high - arguments[1][0]
    if name == "slice":
        axis, start = (arguments[1] if len(arguments) > 1 else 0), (arguments[2] if len(arguments) > 2 else 0) or 0
        step = arguments[4] if len(arguments) > 4 else 1
        if axis % arguments[0].dim() != arguments[0].dim() - 1 or arguments[0].shape[-1] != before:
            return span
        start = start + before if start < 0 else start
        return low * step + start, high * step + start
    return None
