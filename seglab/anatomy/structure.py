"""A network's structure as a few blocks and the links between them, found in the record of one run.

A block is what is joined at one resolution: a stage of the encoder, or a run of layers, with its residual units and
gates, outside of it. A link is what leads from one block to another: a pooling, an enlargement, a skip connection.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from seglab.anatomy.record import LAYOUT, REDUCED, Operation, Record, across

MOST_BLOCKS = 40
JOINTS = {"cat": "concat", "add": "add", "add_": "add", "stack": "add", "sub": "add"}
POOLS = ("max_pool2d_with_indices", "avg_pool2d", "max_pool2d")


@dataclass(frozen=True)
class Block:
    """A run of layers at one resolution: what it gives, how many convolutions it has and how far they are dilated."""

    kind: str  # image, encoder, decoder or output
    channels: int
    size: int  # side of its maps, for a square image
    level: int | None  # how often the image was halved; None for what was pooled from all of it
    layers: int
    rates: tuple[int, ...]
    depth: int  # links on the longest way from the image


@dataclass(frozen=True)
class Link:
    """What goes from one block to another, by their places: next, stride, pool, global, up, unpool, indices, concat,
    add, or combine for what else joins two maps, such as a product."""

    source: int
    target: int
    kind: str


@dataclass(eq=False)
class Node:
    """An operation that shows: the image, a layer, a joint of several maps, or a link that changes the resolution."""

    kind: str  # image, layer, joint, map, link, end
    sort: str  # of a joint: concat, add, combine; of a link: pool, stride, global, up, unpool
    sources: list[Node]
    stage: int | None  # of the encoder
    channels: int
    width: int
    stride: float  # pixels of the image from one of its own to the next
    pooled: bool
    rate: int = 1
    kernel: int = 1
    indices: Node | None = None
    shared: bool = False  # what it gives is read by several
    head: bool = False  # only resized and joined on its way out
    ins: list[tuple[Node, list[Node]]] = field(default_factory=list)  # where it comes from, and through which links
    group: list[Node] = field(default_factory=list)  # the nodes of its block, shared by them all

    @property
    def level(self) -> int | None:
        return None if self.pooled else round(math.log2(self.stride))

    @property
    def free(self) -> bool:
        """Whether it is open to the rules that join what lies outside the encoder."""
        return self.stage is None and self.kind in ("layer", "joint")


def structure(record: Record) -> tuple[tuple[Block, ...], tuple[Link, ...]]:
    """The blocks of a run in their order, and the links between them."""
    found = nodes(record)
    readers = Counter(source for one in found for source in one.sources)
    for one in found:
        one.shared = readers[one] > 1
    boxes = [one for one in found if one.kind != "link"]
    for one in boxes:
        one.ins, one.group = [origin(source, []) for source in one.sources], [one]
    runs(boxes)
    while any(rule(boxes) for rule in (gates, units, chains)):
        pass
    laterals(boxes)
    if len(grouped(boxes)) > MOST_BLOCKS:
        for one in boxes:
            join(one, *(a for a, via in one.ins if not via and a.level == one.level))
    return drawn(boxes)


# --- the nodes of a run


def nodes(record: Record) -> list[Node]:
    """What shows of a run, in order, without what leads to no output; the image first."""
    made: list[Node] = []
    of: list[Node] = []  # each operation's node: its own, or that of what it only changes in place
    for operation in record.operations:
        sources = [of[source] for source in operation.sources]
        found = node(operation, sources)
        if found not in sources:
            made.append(found)
        of.append(found)
    ends = list(dict.fromkeys(of[place] for place in record.outputs))
    wanted, waiting = set(), list(ends)
    while waiting:
        one = waiting.pop()
        if one not in wanted:
            wanted.add(one)
            waiting += [*one.sources, *([one.indices] if one.indices else [])]
    kept = bottoms(flattened(staged([one for one in made if one in wanted])))
    while ends:  # the heads: back from each output to the first layers on the way
        one = ends.pop(0)
        kept.append(Node("end", "", [one], None, one.channels, one.width, one.stride, False))
        waiting = [kept[-1]]
        while waiting:
            one = waiting.pop()
            one.head = True
            waiting += one.sources if one.kind != "layer" else []
    return kept


def node(operation: Operation, sources: list[Node]) -> Node:
    """The operation's own node, or the one it changes only pixel by pixel."""
    name, shape, arguments = operation.name, operation.shape, operation.arguments
    channels, width = (shape[1], shape[-1]) if len(shape) == 4 else (shape[-1], 0)
    if name == "image":
        return Node("image", "", [], None, channels, width, 1.0, False)
    main = max(sources, key=lambda source: source.width)
    pooled = all(source.pooled for source in sources)
    several = list(dict.fromkeys(sources))

    def made(kind: str, sort: str = "", step: float = 1, pooled: bool = pooled, **more: Any) -> Node:
        stride = main.stride * step
        return Node(kind, sort, several, operation.stage, channels, width or main.width, stride, pooled, **more)

    if name == "convolution" and len(shape) == 4:
        size, (step, _, rate, transposed) = arguments[1].shape[-1], map(across, arguments[3:7])
        if transposed and step > 1:
            return made("link", "up", 1 / step)
        return made("layer", step=step, rate=rate if size > 1 else 1, kernel=size)
    if name in ("mm", "addmm", "linear"):
        return made("layer")
    if name.startswith("max_unpool2d"):
        found = made("link", "unpool", main.width / width)
        found.sources, found.indices = sources[:1], sources[-1]
        if found.indices.sort == "pool":
            found.stride = found.indices.sources[0].stride
        return found
    if name.startswith(POOLS) and width < main.width:
        size, step = across(arguments[1]), across(arguments[2]) if len(arguments) > 2 else 0
        everything = width == 1 and size >= main.width > 2
        return made("link", "global" if everything else "pool", step or size, pooled or everything)
    reduced = name in REDUCED and main.width > 1 and (len(shape) == 2 or width == 1)
    if reduced or name.startswith(("adaptive_avg_pool2d", "adaptive_max_pool2d")):
        found = made("link", "global", main.width / max(1, width), True)
        found.width = max(1, width)
        return found
    if name == "slice" and len(arguments) > 4 and arguments[4] > 1 and 0 < width < main.width:
        return made("link", "stride", arguments[4])
    if name.startswith("upsample") and width != main.width:
        return made("link", "up" if width > main.width or main.pooled else "pool", main.width / width, False)
    if len(several) > 1:
        return made("joint", JOINTS.get(name, "combine"))
    if len(shape) == 4 and name in LAYOUT:  # a transformer's tokens are a map again in the end
        main.channels, main.width = channels, width
    return main


def staged(made: list[Node]) -> list[Node]:
    """The nodes, with a stage for those between two stages' modules: what leads to the encoder belongs to it."""
    leads = set()
    for one in reversed(made):
        if one.stage is not None or one in leads:
            leads |= {one, *one.sources}
    for one in made:
        if one in leads and one.kind != "image" and one.stage is None:
            one.stage = max((source.stage for source in one.sources if source.stage is not None), default=None)
    return made


def flattened(made: list[Node]) -> list[Node]:
    """The nodes with joints that only continue another of their sort made one: a + b + c joins three maps."""
    readers = Counter(source for one in made for source in one.sources)
    gone = set()
    for one in made:
        for source in list(one.sources):
            alike = source.kind == one.kind == "joint" and source.sort == one.sort and source.stage is one.stage is None
            if alike and readers[source] == 1:
                place = one.sources.index(source)
                one.sources[place : place + 1] = source.sources
                gone.add(source)
    return [one for one in made if one not in gone]


def bottoms(made: list[Node]) -> list[Node]:
    """The nodes, with one more wherever a map is pooled and enlarged again with no layer between."""
    found = []
    for one in made:
        for source in [source for source in one.sources if one.sort in ("up", "unpool") and source.sort == "pool"]:
            found.append(Node("map", "", [source], None, source.channels, source.width, source.stride, False))
            one.sources[one.sources.index(source)] = found[-1]
        found.append(one)
    return found


def origin(source: Node, via: list[Node]) -> tuple[Node, list[Node]]:
    """The nearest node before that stands in a block, and the links passed on the way."""
    return origin(source.sources[0], [source, *via]) if source.kind == "link" else (source, via)


# --- what is joined to a block; each rule tells whether it found something


def join(one: Node, *others: Node) -> bool:
    """Makes one block of the nodes' blocks; whether they were several."""
    before = len(one.group)
    for other in others:
        if other.group is not one.group:
            one.group += other.group
            for each in other.group:
                each.group = one.group
    return len(one.group) > before


def grouped(boxes: Sequence[Node]) -> list[list[Node]]:
    """The blocks' nodes, each block's in order, the blocks by their first."""
    groups: dict[int, list[Node]] = {}
    for one in boxes:
        groups.setdefault(id(one.group), []).append(one)
    return list(groups.values())


class Around:
    """The blocks before and after each block, by the id of their nodes' list."""

    def __init__(self, boxes: Sequence[Node]):
        self.before: dict[int, set[int]] = {id(one.group): set() for one in boxes}
        self.after: dict[int, set[int]] = {id(one.group): set() for one in boxes}
        for one in boxes:
            for a, _ in one.ins:
                if a.group is not one.group:
                    self.before[id(one.group)].add(id(a.group))
                    self.after[id(a.group)].add(id(one.group))

    def only_to(self, source: Node, target: Node) -> bool:
        return self.after[id(source.group)] == {id(target.group)}

    def only_from(self, target: Node) -> int | None:
        """The one block before the target's, if it is one."""
        before = self.before[id(target.group)]
        return next(iter(before)) if len(before) == 1 else None


def runs(boxes: Sequence[Node]) -> None:
    """Joins what is in one stage of the encoder, and chains of layers at one resolution elsewhere.

    What is halved after a feature that a decoder reads is another block, also where it is the same stage.
    """
    readers = Counter(a for one in boxes for a, _ in one.ins)
    features = {a for one in boxes if one.stage is None for a, _ in one.ins if a.stage is not None}
    for one in boxes:
        for a in [a for a, via in one.ins if not via]:
            chained = one.kind == "layer" and one.free and a.free and readers[a] == 1 and not one.head
            alike = a.level == one.level and 0.6 < a.width / one.width < 1.7  # not a layer as wide as the map
            inside = one.stage is not None and one.stage == a.stage
            inside = inside and (a.level == one.level or features.isdisjoint(a.group))
            if one.kind == "end" or inside or (chained and alike):
                join(one, a)


def gates(boxes: Sequence[Node]) -> bool:
    """Joins what was pooled from a whole map to the product that it weighs another map in."""
    around, found = Around(boxes), False
    for one in [one for one in boxes if one.free and one.pooled]:
        for joint in [joint for joint in boxes if joint.kind == "joint" and any(a is one for a, _ in joint.ins)]:
            weighs = joint.pooled or joint.sort == "combine"
            if (
                weighs
                and joint.free
                and around.only_to(one, joint)
                and all(not via for a, via in joint.ins if a is one)
            ):
                found |= join(joint, one)
    return found


def units(boxes: Sequence[Node]) -> bool:
    """Joins residual units and attention: branches that leave one block and meet again in a sum or a product."""
    around = Around(boxes)
    for joint in [one for one in boxes if one.kind == "joint" and one.free and one.sort != "concat"]:
        outside = [(a, via) for a, via in joint.ins if a.group is not joint.group]
        ends = {id(a.group): a for a, via in outside}
        if not ends or any(via for _, via in outside):
            continue
        branches = {at: a for at, a in ends.items() if a.free and around.only_to(a, joint)}
        for at, start in ends.items():  # the start itself is one of the ends: an identity shortcut
            others = [other for place, other in ends.items() if place != at]
            fits = all(id(other.group) in branches and around.only_from(other) == at for other in others)
            if fits and len(outside) > 1:
                return join(joint, *others, *([start] if start.free else []))
        starts = {around.only_from(a) for a in ends.values()}
        projected = len(ends) == 2 and any(
            len(a.group) == 1 and a.kind == "layer" and a.kernel == 1 for a in ends.values()
        )
        meet = len(branches) == len(ends) > 1 and len(starts) == 1 and None not in starts
        if meet and (joint.sort == "combine" or projected):
            return join(joint, *branches.values())
    return False


def chains(boxes: Sequence[Node]) -> bool:
    """Joins to a unit or a product the layers before and after it at its resolution, where nothing else reads it."""
    around = Around(boxes)
    for one in boxes:
        for a, via in one.ins:
            if via or a.group is one.group or not (one.free and a.free) or a.level != one.level:
                continue
            follows = around.only_to(a, one) and not one.head
            alone = around.only_from(one) == id(a.group) and any(
                each.kind == "joint" for each in (*one.group, *a.group)
            )
            if follows and ((alone and one.kind == "layer") or (a.sort == "combine" and one.kind == "joint")):
                return join(one, a)
    return False


def laterals(boxes: Sequence[Node]) -> None:
    """Joins single layers on the way into a joint to it, unless they are parallel branches from one block."""
    around, found = Around(boxes), []
    for joint in [one for one in boxes if one.kind == "joint" and one.free]:
        for a in [a for a, via in joint.ins if not via and a.kind == "layer" and a.free and len(a.group) == 1]:
            start, others = around.only_from(a), [other for other, _ in joint.ins if other is not a]
            parallel = any(start == id(b.group) or start in around.before[id(b.group)] for b in others)
            if around.only_to(a, joint) and start is not None and not parallel:
                found.append((joint, a))
    for joint, a in found:
        join(joint, a)
        a.sort = joint.sort


# --- blocks and links


def drawn(boxes: Sequence[Node]) -> tuple[tuple[Block, ...], tuple[Link, ...]]:
    """The joined nodes as blocks in order, and what lies between them as links."""
    groups = grouped(boxes)
    place = {one: number for number, group in enumerate(groups) for one in group}
    shown = [[one for one in group if one.kind != "end"] or group for group in groups]
    kinds: dict[tuple[int, int], dict[str, None]] = {}
    for one in boxes:
        for a, via in one.ins:
            way = place[a], place[one]
            if way[0] != way[1]:
                before, after = (shown[number][-1].level for number in way)
                deeper = before is not None and after is not None and after > before
                kinds.setdefault(way, {})[kind_of(one, via, deeper)] = None
            for indices in [link.indices for link in via if link.indices]:
                source, _ = origin(indices, [])
                kinds.setdefault((place[source], place[one]), {})["indices"] = None
    for several in kinds.values():  # that a block is also weighed by its own mean is a detail
        if len(several) > 1:
            several.pop("global", None)
    links = [Link(*way, kind) for way, several in kinds.items() if way[0] != way[1] for kind in several]
    depths = longest(len(groups), links)
    return tuple(block(group, depth) for group, depth in zip(shown, depths, strict=True)), tuple(links)


def kind_of(one: Node, via: list[Node], halves: bool) -> str:
    """The kind of a link into a node through what is on the way."""
    # a joint may read what was pooled for the next stage: then it is the joint that matters
    beside = bool(one.sort) and one.stage is None
    sorts = [link.sort for link in via if not (beside and link.sort == "pool" and link.shared)]
    for sort in ("global", "unpool"):
        if sort in sorts:
            return sort
    return sorts[-1] if sorts else one.sort or ("stride" if halves else "next")


def block(group: list[Node], depth: int) -> Block:
    one = group[-1]
    kind = "encoder" if any(each.stage is not None for each in group) else "decoder"
    kind = "image" if one.kind == "image" else "output" if all(each.head for each in group) else kind
    rates = tuple(sorted({each.rate for each in group if each.rate > 1}))
    layers = sum(each.kind == "layer" for each in group)
    return Block(kind, one.channels, one.width, one.level, layers, rates, depth)


def longest(count: int, links: Iterable[Link]) -> list[int]:
    """For each of `count` blocks, the number of links on the longest way to it."""
    depths: dict[int, int] = {}
    sources: dict[int, list[int]] = {number: [] for number in range(count)}
    for link in links:
        sources[link.target].append(link.source)

    def depth(number: int) -> int:
        if number not in depths:
            depths[number] = 0  # should a way lead back, it ends here
            depths[number] = max((depth(source) + 1 for source in sources[number]), default=0)
        return depths[number]

    return [depth(number) for number in range(count)]
