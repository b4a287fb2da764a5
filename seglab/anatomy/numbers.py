"""A network in numbers: its size, its cost, its time."""

from __future__ import annotations

import math
import statistics
import threading
import time
from dataclasses import dataclass
from functools import lru_cache

import torch

from seglab.anatomy.reach import UNKNOWN, WIDE, receptive_field
from seglab.anatomy.record import passed, recorded
from seglab.anatomy.structure import Block, Link, nodes, structure
from seglab.families import Architecture
from seglab.model import MULTIPLE, SMALLEST, Segmenter, placed

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
        model = placed(Segmenter(architecture, num_classes, side), "cpu").eval()
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
