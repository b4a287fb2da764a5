"""What grows: trees and hedges."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from seglab.data.scene import VEGETATION
from seglab.data.scene.air import Color, toned
from seglab.data.scene.canvas import Canvas, Standing, Thing
from seglab.data.scene.shapes import bar, cast_bar, facing

OUTLINES = 32  # shapes of foliage that chance picks from


@lru_cache(maxsize=1)
def outlines() -> np.ndarray:
    """Ragged closed outlines around the origin with a radius of about 1, (OUTLINES, 64, 2)."""
    rng = np.random.default_rng(5)
    turn = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radius = np.ones((OUTLINES, 64))
    for waves, strength in ((2, 0.10), (3, 0.10), (5, 0.09), (8, 0.08), (13, 0.07), (23, 0.05)):
        phase = rng.uniform(0, 2 * np.pi, (OUTLINES, 1))
        radius += strength * np.sin(waves * turn + phase) * rng.uniform(0.4, 1, (OUTLINES, 1))
    radius += rng.normal(0, 0.03, radius.shape)
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], -1)


@lru_cache(maxsize=1)
def tufts() -> np.ndarray:
    """Leaf tufts scattered over a disc of radius 1, the lower ones first: (OUTLINES, 26, 6, 2)."""
    rng = np.random.default_rng(6)
    distance, turn = np.sqrt(rng.random((OUTLINES, 26, 1, 1))) * 0.85, rng.random((OUTLINES, 26, 1, 1)) * 2 * np.pi
    centres = np.concatenate([distance * np.cos(turn), distance * np.sin(turn)], -1)
    centres = np.take_along_axis(centres, centres[..., 1:].argsort(1), 1)
    around = np.linspace(0, 2 * np.pi, 6, endpoint=False)
    radius = rng.uniform(0.06, 0.2, (OUTLINES, 26, 6, 1))
    return centres + radius * np.stack([np.cos(around), np.sin(around)], -1)


@dataclass(frozen=True)
class Tree(Standing):
    """A tree with a ragged crown; `slim` above 1 makes it tall, `stem` is where the crown begins."""

    x: float
    z: float
    stem: float
    radius: float
    slim: float
    color: Color
    bark: Color
    seed: int

    def cast(self, canvas: Canvas) -> None:
        sun = canvas.air.sun
        cast_bar(canvas, self.x, self.z, self.stem, 0.3)
        reach = min(3.0, 1 / max(sun[1], 0.1)) * (self.stem + self.radius * self.slim)
        flat = outlines()[self.seed % OUTLINES] * self.radius
        centre = np.array((self.x - sun[0] * reach, self.z - sun[2] * reach))
        spot = flat * (1, 1.2) + centre
        canvas.shadow(np.stack([spot[:, 0], np.zeros(len(spot)), spot[:, 1]], 1)[None], canvas.air.sharpness * 0.9)

    def draw(self, canvas: Canvas) -> None:
        sun, sunlit = canvas.air.sun, canvas.sunlit(self.x, self.z)
        top = self.stem + self.radius * self.slim
        bark = canvas.ink(self.bark, VEGETATION, self.z, 0.3)
        canvas.fill(bar(self.x, self.z, top, 0.16 * self.radius, 0.05), bark)
        size = np.array((self.radius, self.radius * self.slim))
        towards = np.sign(sun[0]) * 0.15 * self.radius if canvas.air.sharpness > 0.2 else 0.0
        for step, (share, lit) in enumerate(((1.0, 0.0), (0.7, 0.45))):
            flat = outlines()[(self.seed + 7 * step) % OUTLINES] * size * share
            points = facing(self.x + towards * step, self.z, flat, top + 0.18 * step * self.radius)
            canvas.fill(points, canvas.ink(toned(self.color, 0.72 + 0.24 * step), VEGETATION, self.z, lit * sunlit))
        layers: tuple[tuple[int, float, float], ...] = ((0, 1.0, 1.0),)
        if canvas.camera.focal * self.radius / self.z > 90:  # close enough to see smaller leaves
            layers = ((0, 1.0, 1.0), (3, 0.8, 0.85), (9, 0.95, 1.1), (14, 0.6, 1.2))
        for step, share, tone in layers:
            leaves = facing(self.x, self.z, tufts()[(self.seed + step) % OUTLINES] * size * share, top)
            for which, shade, lit in ((slice(13, None), 1.22, 1.0), (slice(13), 0.55, 0.1)):
                ink = canvas.ink(toned(self.color, tone * shade), VEGETATION, self.z, lit * sunlit)
                canvas.fill_all(leaves[which], ink)


@dataclass(frozen=True)
class Hedge(Thing):
    """A cut hedge along the street."""

    x: float
    near: float
    far: float
    height: float
    color: Color
    seed: int

    def draw(self, canvas: Canvas) -> None:
        z = np.linspace(self.near, self.far, 9)
        ragged = 1 + 0.12 * outlines()[self.seed % OUTLINES, :9, 1]
        top = np.stack([np.full(9, self.x), self.height * ragged, z], 1)
        front = np.concatenate([top, [(self.x, 0, self.far), (self.x, 0, self.near)]])
        canvas.fill(front, canvas.ink(self.color, VEGETATION, self.far, 0.35 + 0.2 * (self.seed % 3)))
        back = self.x + (0.9 if self.x > 0 else -0.9)
        end = [(self.x, 0, self.near), (self.x, self.height, self.near)]
        end += [(back, self.height, self.near), (back, 0, self.near)]
        canvas.fill(end, canvas.ink(toned(self.color, 0.75), VEGETATION, self.near, 0.2))
