"""The embedded data source: street scenes drawn from a seed."""

from __future__ import annotations

from random import Random
from typing import Annotated, Literal, get_args

from pydantic import Field

from seglab.data.base import Data, Sample, Split
from seglab.data.scene import CLASSES
from seglab.entry import Dataset

VERSION = 1  # raised when the same options begin to give other pictures
Weather = Literal["mixed", "day", "dusk", "fog", "rain"]
WEATHERS = get_args(Weather)[1:]


class Streets(Dataset):
    """Street scenes drawn from a seed, in four weathers and with nothing to download.

    A scene follows from its name and the options alone. Its street does not depend on the weather or the size, so that
    the same streets can be had in any weather. Instances are the cars and people; the domain is the weather.
    """

    name = "streets"

    train_images: Annotated[int, Field(ge=2, le=5000, description="How many scenes to learn from.")] = 400
    val_images: Annotated[
        int, Field(ge=2, le=5000, description="How many scenes to validate on: one half chooses, the other reports.")
    ] = 100
    weather: Annotated[Weather, Field(description="The weather of all scenes; mixed gives all four in turn.")] = "mixed"
    size: Annotated[int, Field(ge=64, le=1024, description="Width in pixels; the height is 3/4 of it.")] = 128

    def open(self) -> Data:
        return Data.halved(
            train=self.split("train", self.train_images),
            val=self.split("val", self.val_images),
            classes=tuple(CLASSES),
            colors=tuple(CLASSES.values()),
        )

    def split(self, part: str, count: int) -> Split:
        names = tuple(f"{part}_{index:04}" for index in range(count))
        keys = (f"streets/{VERSION}/{name}/{self.weather_of(name)}/{self.size}".encode() for name in names)
        return Split(names, tuple(keys), self.scene)

    def scene(self, name: str) -> Sample:
        """Draws the scene of this name, such as `train_0003`."""
        from seglab.data.scene.picture import draw

        weather = self.weather_of(name)
        picture = draw(f"{VERSION}/{name}", weather, self.size, round(self.size * 3 / 4))
        return Sample(picture.image, picture.mask, picture.instances, domain=weather, name=name)

    def weather_of(self, name: str) -> str:
        """The weather of a scene; where all are mixed, all four in every four scenes, in an order left to chance."""
        if self.weather != "mixed":
            return self.weather
        part, index = name.split("_")
        group, place = divmod(int(index), len(WEATHERS))
        return Random(f"{VERSION}/{part}/{group}").sample(WEATHERS, len(WEATHERS))[place]
