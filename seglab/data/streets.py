"""The embedded data source: street scenes drawn from a seed."""

from __future__ import annotations

from random import Random
from typing import Annotated, ClassVar, Literal, get_args

from pydantic import Field

from seglab.data.base import Data, Sample, Split
from seglab.data.scene import CLASSES
from seglab.errors import SeglabError
from seglab.families import Dataset

VERSION = 1  # raised when the same options begin to give other pictures
Weather = Literal["mixed", "day", "dusk", "fog", "rain"]
WEATHERS = get_args(Weather)[1:]
LeftOut = Literal["none", "day", "dusk", "fog", "rain"]


class Streets(Dataset):
    """Synthetic street scenes generated from a seed, in four kinds of weather; nothing to download.

    A scene is determined by its name and the options alone. Its street does not depend on the weather or the size, so
    the same streets are available in any weather. Instances are the cars and people; the domain is the weather. With a
    weather left out, the best epoch is still selected on the others, since training must not know the one left out.
    """

    name = "streets"
    private: ClassVar[bool] = False

    train_images: Annotated[int, Field(ge=2, le=5000, description="number of training scenes")] = 400
    val_images: Annotated[
        int,
        Field(
            ge=2,
            le=5000,
            description="number of validation scenes; one half selects the best weights, the "
            "other gives the reported scores",
        ),
    ] = 100
    weather: Annotated[Weather, Field(description="weather of all scenes; mixed uses all four in turn")] = "mixed"
    left_out: Annotated[
        LeftOut, Field(description="weather that is left out of training; the reported scores are for it alone")
    ] = "none"
    size: Annotated[int, Field(ge=64, le=1024, description="width in pixels; the height is 3/4 of it")] = 128

    def open(self) -> Data:
        if self.left_out == self.weather:
            raise SeglabError(
                "left_out: {weather} is the weather of all scenes; leave out another, or set weather to mixed",
                weather=self.weather,
            )
        return Data.halved(
            train=self.split("train", self.train_images),
            val=self.split("val", self.val_images),
            classes=tuple(CLASSES),
            colors=tuple(CLASSES.values()),
        )

    def split(self, part: str, count: int) -> Split:
        names = tuple(f"{part}_{index:04}" for index in range(count))
        keys = (f"streets/{VERSION}/{name}/{self.weather_of(name)}/{self.size}".encode() for name in names)
        return Split(names, tuple(keys), self.scene, domain=self.weather_of)

    def scene(self, name: str) -> Sample:
        """Draws the scene of this name, such as `train_0003`."""
        from seglab.data.scene.picture import draw

        weather = self.weather_of(name)
        picture = draw(f"{VERSION}/{name}", weather, self.size, round(self.size * 3 / 4))
        return Sample(picture.image, picture.mask, picture.instances, domain=weather, name=name)

    def weather_of(self, name: str) -> str:
        """The weather of a scene: in the second half of validation the one left out; elsewhere, where they are mixed,
        each of the others once in as many scenes, in an order left to chance."""
        part, index = name.split("_")
        if self.left_out != "none" and part == "val" and int(index) >= self.val_images // 2:
            return self.left_out
        if self.weather != "mixed":
            return self.weather
        seen = [weather for weather in WEATHERS if weather != self.left_out]
        group, place = divmod(int(index), len(seen))
        return Random(f"{VERSION}/{part}/{group}").sample(seen, len(seen))[place]
