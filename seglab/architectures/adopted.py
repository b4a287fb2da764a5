"""A network of others, taken as it is: from transformers, smp's hub, torchvision or an ONNX file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field, model_validator
from torch import nn

from seglab.entry import mistake
from seglab.families import Architecture

Three = tuple[float, float, float]
MOST_SETTINGS = 2**20  # characters


class Adopted(Architecture, offered=False):
    """A network of others with the weights of others, which is not trained here: `seglab adopt` makes a run of it.

    What it gives for its own `classes` becomes, by `table`, what is given for those of the data; the probabilities of
    several classes that mean one are added up, and those of classes that the data does not have are void's.
    """

    name = "adopted"
    trains: ClassVar[bool] = False
    kind: Annotated[Literal["transformers", "smp", "torchvision", "onnx"], Field(description="what runs the network")]
    origin: Annotated[str, Field(max_length=300, description="where it comes from")]
    revision: Annotated[str, Field(max_length=100, description="the commit of its repository, or a file's SHA-256")] = (
        ""
    )
    license: Annotated[str, Field(max_length=100, description="what its source says of its license")] = ""
    settings: Annotated[str, Field(max_length=MOST_SETTINGS, description="its own configuration, as JSON")]
    classes: Annotated[tuple[str, ...], Field(min_length=2, max_length=1000, description="what its classes are called")]
    table: Annotated[
        tuple[int, ...], Field(description="for each of its classes the one of the data, counted from 0; 255: void")
    ]
    pixel_mean: Annotated[Three, Field(description="what it subtracts from colors in [0, 1]")]
    pixel_std: Annotated[Three, Field(description="what it divides colors by then")]
    by_table: Annotated[str, Field(max_length=20_000, description="the table by which its classes were brought")] = ""
    flipped: Annotated[bool, Field(description="it expects blue, green, red")] = False
    size: Annotated[
        tuple[int, int] | None, Field(description="height and width of the only images that it takes; empty: any")
    ] = None

    @model_validator(mode="before")
    @classmethod
    def _made_by_adopting(cls, value: Any) -> Any:
        if isinstance(value, Mapping) and "kind" not in value:
            raise mistake("unadopted")
        return value

    @property
    def title(self) -> str:
        return self.origin

    @property
    def mean(self) -> Three:
        return self.pixel_mean

    @property
    def std(self) -> Three:
        return self.pixel_std

    def unknown(self, num_classes: int) -> tuple[int, ...]:
        """The classes of the data that none of its own means."""
        return tuple(sorted(set(range(num_classes)).difference(self.table)))

    def build(self, num_classes: int, in_channels: int = 3) -> nn.Module:
        from seglab.architectures import _foreign

        net = _foreign.built(self.kind, self.settings, len(self.classes))
        return _foreign.Foreign(net, self.table, num_classes, self.size, self.flipped)
