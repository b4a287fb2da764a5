"""What there is before a run: entries with their options, networks, data and what augmentation makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from seglab import anatomy, draw, schedulers
from seglab.api import html
from seglab.api.settings import Settings, configure
from seglab.data.base import PARTS, Data, Split, spread
from seglab.entry import FAMILIES, Entry, refusal_of
from seglab.errors import SeglabError
from seglab.model import Logits, Segmenter
from seglab.schema import allowed, default, listed

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from torch import nn

    from seglab.config import RunConfig
    from seglab.data.survey import Survey

SHOWN = 6  # images with their masks
SURVEYED = 100  # images that are looked at for the classes' shares


class Entries(dict[str, type[Entry]]):
    """The entries of a family by name, which notebooks and terminals show as tables of their options."""

    def rows(self) -> list[dict[str, str]]:
        """A dict for each option: entry, option, default, allowed and what it is."""
        return [
            {
                "entry": name,
                "option": option,
                "default": default(schema),
                "allowed": allowed(schema),
                "what it is": schema.get("description", ""),
            }
            for name, entry in self.items()
            for option, schema in listed(entry)["options"].items()
        ]

    def __repr__(self) -> str:
        wide = max(map(len, self), default=0) + 2
        return "\n".join(f"{name:<{wide}}{entry.summary()}" for name, entry in self.items())

    def _repr_html_(self) -> str:
        rows = []
        for name, entry in self.items():
            rows.append([name, "", "", "", entry.summary()])
            options = listed(entry)["options"].items()
            rows += [["", o, default(s), allowed(s), s.get("description", "")] for o, s in options]
        return html.table(rows, ["entry", "option", "default", "allowed", "what it is"])


def entries(family: str) -> Entries:
    """What can be picked of a family (`architectures`, `losses`, `schedulers`, `optimizers`, `techniques`,
    `predictors`, `datasets` or `plans`), with its options: `entries("losses")["focal"](gamma=3)` is such a loss."""
    if family not in FAMILIES:
        raise refusal_of("entry", family, FAMILIES, "entries", family="families")
    return Entries(FAMILIES[family].entries)


class Network:
    """A network before it is trained, in numbers and as a drawing."""

    def __init__(self, config: RunConfig, classes: int):
        self.model, self.classes = config.model, classes
        self.anatomy = anatomy.anatomy(config.model, classes, config.image_size)

    @cached_property
    def net(self) -> nn.Module:
        """The network with random weights, a plain torch module: images float (B, 3, H, W) in [0, 1] to logits."""
        return Logits(Segmenter(self.model, self.classes, self.anatomy.side))

    @property
    def rows(self) -> list[list[Any]]:
        found, model = self.anatomy, self.model
        published = ", ".join(f"{name} {value}" for name, value in model.paper.items()) or "the default options"
        paper = f"; {model.parameters:,} with 21 and {published}" if model.parameters else ""
        rows = [
            ["parameters", f"{found.parameters:,} with {self.classes} classes{paper}"],
            ["multiply-adds", f"{found.multiply_adds:,} for {found.side} x {found.side} pixels"],
            ["output stride", str(found.output_stride)],
            ["receptive field", f"{found.receptive_field} pixels" if found.receptive_field else found.why],
            ["source", model.source()],
        ]
        return [row for row in rows if row[1]]

    def milliseconds(self, threads: int = 1) -> float:
        """The median time of a forward pass of one image, on the CPU with so many threads."""
        return anatomy.milliseconds(self.model, self.anatomy.side, threads)

    def figure(self) -> Figure:
        """Its structure, drawn."""
        from seglab.anatomy.picture import structure_figure

        return structure_figure(self.anatomy, self.model.name)

    def __repr__(self) -> str:
        lines = [f"  {name:<17}{value}" for name, value in self.rows]
        return "\n".join([f"<seglab network {self.model!r}>".replace("\n", " "), f"  {self.model.summary()}", *lines])

    def _repr_html_(self) -> str:
        return html.title(self.model.name, self.model.summary()) + html.table(self.rows) + html.figure(self.figure())


def describe(model: Any, /, *, image_size: int = 128, classes: int = 11, **options: Any) -> Network:
    """A network's size, cost, receptive field and structure: `describe("unet", width=8)`."""
    dotted = {f"model__{option}": value for option, value in options.items()}
    return Network(configure(model=model, image_size=image_size, **dotted), classes)


def learning_rates(config: Settings = None, /, *, steps_per_epoch: int = 100, **options: Any) -> list[float]:
    """The learning rate of every step of a run, before it is trained; the options are those of `configure`."""
    settings = configure(config, **options)
    rates = schedulers.curve(settings.scheduler, settings.optimizer.lr, steps_per_epoch, settings.epochs)
    if not rates:
        raise SeglabError("{name} changes the rate by how the run goes; it cannot be foretold",
                          name=settings.scheduler.name)  # fmt: skip
    return rates


class Collection:
    """An opened data source: its classes and its images with their masks."""

    def __init__(self, config: RunConfig):
        self.source, self.side = config.data, config.image_size

    @cached_property
    def data(self) -> Data:
        return self.source.open()

    @property
    def classes(self) -> tuple[str, ...]:
        return self.data.classes

    @property
    def train(self) -> Split:
        """What is learned from: `dataset.train[0].image` is uint8 (H, W, 3), `.mask` uint8 (H, W), 255 = void."""
        return self.data.train

    @property
    def search(self) -> Split:
        """What chooses the best epoch."""
        return self.data.search

    @property
    def val(self) -> Split:
        """What is reported."""
        return self.data.val

    def survey(self, most: int | None = None) -> Survey:
        """Sizes, each class's share, warnings and wrong files, by looking at all images or at about so many."""
        from seglab.data.survey import survey

        return survey(self.data, most, side=self.side)

    def download(self) -> Collection:
        """Downloads it, where it has a public address; an interrupted download continues."""
        self.source.download()
        return self

    def preview(self, techniques: Any, count: int = SHOWN, **options: Any) -> Preview:
        """Training images before and after techniques: `preview("crop,cutmix", techniques__crop__p=1)`."""
        options = {"image_size": self.side} | options
        return Preview(configure(data=self.source, techniques=techniques, **options), count)

    def __repr__(self) -> str:
        counts = ", ".join(f"{len(getattr(self.data, part))} {part}" for part in PARTS)
        return f"<seglab data {self.source.name}: {counts}; {len(self.classes)} classes: {', '.join(self.classes)}>"

    def _repr_html_(self) -> str:
        data, seen = self.data, self.survey(SURVEYED)
        counts = ", ".join(f"{len(getattr(data, part))} {part}" for part in PARTS)
        shares = [
            [name, *(f"{share[n]:.1%}" for share in seen.shares.values()), seen.images[n]]
            for n, name in enumerate(data.classes)
        ]
        shown = [data.train[n] for n in spread(len(data.train), SHOWN)]
        drawn = [draw.overlay(sample.image, sample.mask, data.colors, 0.4) for sample in shown]
        head = ["class", *(f"{part} pixels" for part in seen.shares), f"of {seen.looked} masks show it"]
        parts = [html.title(self.source.name, counts), html.table(shares, head), html.gallery([("", drawn)], 128)]
        told = [*seen.wrong, *seen.warnings, *seen.lost]
        return "".join([*parts, html.legend(data.classes, data.colors), html.notes(told)])


class Preview:
    """Training images before and after the techniques; `pairs` are the samples."""

    def __init__(self, config: RunConfig, count: int):
        from seglab.preview import preview

        self.data, found = preview(config, count)
        self.pairs = [(before, after) for before, after, _ in found]
        self.names = [technique.name for technique in config.techniques]

    def __repr__(self) -> str:
        return f"<seglab preview of {', '.join(self.names)}: {len(self.pairs)} images>"

    def _repr_html_(self) -> str:
        def row(samples: Sequence[Any]) -> list[np.ndarray]:
            return [draw.overlay(each.image, each.mask, self.data.colors, 0.4) for each in samples]

        before, after = zip(*self.pairs, strict=True)
        rows = [("before", row(before)), ("after", row(after))]
        return html.gallery(rows, 150) + html.legend(self.data.classes, self.data.colors)


def dataset(data: Any = "streets", /, *, image_size: int = 128, **options: Any) -> Collection:
    """A data source, to look at: `dataset("folder", root="...")`; `image_size` is the longer side in training."""
    dotted = {f"data__{option}": value for option, value in options.items()}
    return Collection(configure(data=data, image_size=image_size, **dotted))
