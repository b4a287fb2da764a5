"""The air of a scene: its light, its haze and what the weather does to a picture."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, exp, radians, sin
from random import Random

Color = tuple[float, float, float]


@dataclass(frozen=True)
class Air:
    """Light and weather. `light` and `shade` multiply colors in the sun and out of it; `sun` points toward it."""

    weather: str
    sky_top: Color
    sky_low: Color
    haze: Color
    visibility: float  # meters over which 63 % of a color turns to haze
    light: Color
    shade: Color
    sun: tuple[float, float, float]
    sharpness: float  # how dark cast shadows are, 0 to 1
    clouds: float  # share of the sky
    cloud: Color
    lamps: bool  # street lamps and headlights are lit
    windows: float  # share of lit windows
    wet: float  # how much the ground mirrors
    noise: float  # standard deviation of the sensor noise

    def color(self, color: Color, depth: float, lit: float = 1.0) -> Color:
        """The color as seen from `depth` meters away; `lit` is the share of the sun that reaches it."""
        clear = exp(-depth / self.visibility)
        veil = 1 - clear
        (r, g, b), (lr, lg, lb), (sr, sg, sb), (hr, hg, hb) = color, self.light, self.shade, self.haze
        return (
            r * (sr + (lr - sr) * lit) * clear + hr * veil,
            g * (sg + (lg - sg) * lit) * clear + hg * veil,
            b * (sb + (lb - sb) * lit) * clear + hb * veil,
        )


def toned(color: Color, by: float) -> Color:
    """The color made brighter or darker."""
    return color[0] * by, color[1] * by, color[2] * by


def lifted(color: Color, by: float, more: float) -> Color:
    """The colour made weaker, and lighter all over."""
    return color[0] * by + more, color[1] * by + more, color[2] * by + more


def between(rng: Random, low: Color, high: Color) -> Color:
    """A color somewhere on the line from `low` to `high`."""
    t = rng.random()
    (r, g, b), (to_r, to_g, to_b) = low, high
    return r + (to_r - r) * t, g + (to_g - g) * t, b + (to_b - b) * t


def sun_direction(rng: Random, low: float, high: float) -> tuple[float, float, float]:
    """A unit vector to a sun between `low` and `high` degrees above the horizon, to one side of the street."""
    height = radians(rng.uniform(low, high))
    turn = radians(rng.choice((25, 155)) + rng.gauss(0, 18)) * rng.choice((-1, 1))
    return cos(height) * sin(turn), sin(height), cos(height) * cos(turn)


def day(rng: Random) -> Air:
    overcast = rng.random() < 0.3
    grey = rng.uniform(0.88, 1.0)
    top = (175, 185, 198) if overcast else between(rng, (62, 122, 205), (120, 170, 225))
    return Air(
        weather="day",
        sky_top=top,
        sky_low=(205, 210, 215) if overcast else between(rng, (170, 205, 235), (215, 225, 235)),
        haze=(196, 206, 218),
        visibility=rng.uniform(160, 320),
        light=(1.12 * grey, 1.13 * grey, 1.16 * grey) if overcast else (1.38 * grey, 1.32 * grey, 1.18 * grey),
        shade=(0.82, 0.84, 0.88) if overcast else (0.66, 0.71, 0.82),
        sun=sun_direction(rng, 32, 64),
        sharpness=0.12 if overcast else rng.uniform(0.75, 0.95),
        clouds=rng.uniform(0.6, 1.0) if overcast else rng.uniform(0.1, 0.6),
        cloud=(222, 224, 228) if overcast else (250, 250, 252),
        lamps=False,
        windows=0.0,
        wet=0.0,
        noise=rng.uniform(2, 4),
    )


def dusk(rng: Random) -> Air:
    warm = between(rng, (250, 165, 90), (235, 135, 130))
    return Air(
        weather="dusk",
        sky_top=between(rng, (38, 50, 105), (85, 90, 140)),
        sky_low=warm,
        haze=lifted(warm, 0.55, 25),
        visibility=rng.uniform(120, 200),
        light=(0.98, 0.76, 0.66),
        shade=(0.52, 0.51, 0.62),
        sun=sun_direction(rng, 8, 14),
        sharpness=0.25,
        clouds=rng.uniform(0.2, 0.7),
        cloud=between(rng, (225, 120, 110), (130, 95, 130)),
        lamps=True,
        windows=rng.uniform(0.25, 0.5),
        wet=0.0,
        noise=rng.uniform(3, 5.5),
    )


def fog(rng: Random) -> Air:
    grey = rng.uniform(175, 218)
    haze = (grey, grey * 1.01, grey * 1.02)
    return Air(
        weather="fog",
        sky_top=toned(haze, 0.94),
        sky_low=haze,
        haze=haze,
        visibility=rng.uniform(24, 55),
        light=(0.80, 0.81, 0.83),
        shade=(0.62, 0.63, 0.66),
        sun=(0.0, 1.0, 0.0),
        sharpness=0.0,
        clouds=0.0,
        cloud=haze,
        lamps=True,
        windows=0.06,
        wet=0.05,
        noise=rng.uniform(2, 4),
    )


def rain(rng: Random) -> Air:
    grey = rng.uniform(0.8, 1.1)
    return Air(
        weather="rain",
        sky_top=(98 * grey, 106 * grey, 118 * grey),
        sky_low=(152 * grey, 160 * grey, 168 * grey),
        haze=(136 * grey, 144 * grey, 152 * grey),
        visibility=rng.uniform(55, 100),
        light=(0.74, 0.77, 0.82),
        shade=(0.54, 0.57, 0.63),
        sun=(0.0, 1.0, 0.0),
        sharpness=0.0,
        clouds=rng.uniform(0.5, 0.9),
        cloud=(120 * grey, 126 * grey, 136 * grey),
        lamps=True,
        windows=rng.uniform(0.1, 0.25),
        wet=rng.uniform(0.38, 0.55),
        noise=rng.uniform(3, 5),
    )


WEATHERS = {"day": day, "dusk": dusk, "fog": fog, "rain": rain}
