"""Houses along the street: walls, windows, shops, roofs."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from seglab.data.scene import BUILDING
from seglab.data.scene.air import Color, lifted, toned
from seglab.data.scene.canvas import NEAR, Canvas, Thing


@lru_cache(maxsize=1)
def chances() -> np.ndarray:
    """Numbers in [0, 1) that stand for what chance decided about the windows of a house."""
    return np.random.default_rng(4).random(8192)


@dataclass(frozen=True)
class Wall:
    """An upright plane from (x, z) along the ground direction (dx, dz), `length` meters; `lit` is its share of sun."""

    x: float
    z: float
    dx: float
    dz: float
    length: float
    lit: float

    def rectangle(self, left: float, right: float, low: float, high: float) -> list[tuple[float, float, float]]:
        """One rectangle on the wall, in meters along it and up it."""
        x, next_x = self.x + self.dx * left, self.x + self.dx * right
        z, next_z = self.z + self.dz * left, self.z + self.dz * right
        return [(x, low, z), (next_x, low, next_z), (next_x, high, next_z), (x, high, z)]

    def rectangles(self, left: np.ndarray, right, low, high) -> np.ndarray:
        """Many rectangles on the wall (m, 4, 3)."""
        corners = np.empty((len(left), 4, 3))
        corners[:, 0, 0] = corners[:, 3, 0] = self.x + self.dx * left
        corners[:, 1, 0] = corners[:, 2, 0] = self.x + self.dx * right
        corners[:, 0, 1] = corners[:, 1, 1] = low
        corners[:, 2, 1] = corners[:, 3, 1] = high
        corners[:, 0, 2] = corners[:, 3, 2] = self.z + self.dz * left
        corners[:, 1, 2] = corners[:, 2, 2] = self.z + self.dz * right
        return corners

    def depth(self, along: float) -> float:
        return max(NEAR, self.z + self.dz * along)


@dataclass(frozen=True)
class Building(Thing):
    """A house on one side of the street, or across its end (`side` 0, from `x` to `x` + `deep`)."""

    side: int
    x: float  # of its street front
    near: float
    far: float
    deep: float
    height: float
    floor: float  # height of a storey
    bay: float  # from window to window
    wall: Color
    trim: Color
    roof: Color
    accent: Color  # awning, door, shop sign
    pitched: bool
    shop: bool
    glassy: bool  # windows from edge to edge
    balconies: bool
    free: bool  # whether the wall toward the camera has windows, as nothing is built against it
    seed: int

    def walls(self, sun: tuple[float, float, float]) -> list[Wall]:
        """The walls that can be seen: the gable toward the camera, and the street front."""
        overcast = sun[1] == 1
        ahead = 0.7 if overcast else min(1.0, max(0.0, 0.15 - 1.2 * sun[2]))
        if not self.side:
            return [Wall(self.x, self.near, 1, 0, self.deep, ahead)]
        across = 0.75 - 0.1 * self.side if overcast else min(1.0, max(0.0, 0.15 - 1.2 * self.side * sun[0]))
        front = Wall(self.x, self.near, 0, 1, self.far - self.near, across)
        gable = Wall(self.x, self.near, self.side, 0, self.deep, ahead)
        return [gable, front] if self.near > NEAR else [front]

    def cast(self, canvas: Canvas) -> None:
        """Throws the house's shadow on the ground."""
        sun = canvas.air.sun
        reach = min(4.0, 1 / max(sun[1], 0.1)) * self.height
        dx, dz = -sun[0] * reach, -sun[2] * reach
        if not self.side or dx * self.side > 0:
            return
        x = self.x
        corners = [(x, 0, self.near), (x, 0, self.far), (x + dx, 0, self.far + dz), (x + dx, 0, self.near + dz)]
        canvas.shadow(np.array([corners]), canvas.air.sharpness)

    def draw(self, canvas: Canvas) -> None:
        for wall in self.walls(canvas.air.sun):
            first = max(0.0, (NEAR - wall.z) / wall.dz) if wall.dz else 0.0
            left, *_ = canvas.camera.spot(*wall.rectangle(first, 0, 0, 0)[0])
            right, *_ = canvas.camera.spot(*wall.rectangle(wall.length, 0, 0, 0)[0])
            if max(left, right) > 0 and min(left, right) < canvas.camera.width:
                self.draw_wall(canvas, wall, first, abs(right - left))
        if self.pitched:
            self.draw_roof(canvas)

    def draw_wall(self, canvas: Canvas, wall: Wall, first: float, wide: float) -> None:
        """The wall in slices from far to near, thin enough for the haze to thicken smoothly; `wide` is in pixels."""
        plain = wide < 1.5 * wall.length / self.bay or not (wall.dz or self.free or not self.side)
        pieces = 1 + int((wall.length - first) * wall.dz / (0.25 * canvas.air.visibility))
        step = (wall.length - first) / pieces
        for piece in range(pieces - 1, -1, -1):
            left, right = first + piece * step, first + (piece + 1) * step
            depth = wall.depth((left + right) / 2)
            ink = canvas.ink(self.wall, BUILDING, depth, wall.lit)
            canvas.fill(wall.rectangle(left, right, 0, self.height), ink)
            if not plain and depth < 3.5 * canvas.air.visibility:
                self.draw_bands(canvas, wall, left, right, depth)
                self.draw_windows(canvas, wall, left, right, depth)

    def draw_windows(self, canvas: Canvas, wall: Wall, left: float, right: float, depth: float) -> None:
        """Rows of windows, in frames where these can be made out."""
        base = self.floor * 1.25 if self.shop else 0.0
        rows = int((self.height - base - 0.3) / self.floor)
        columns = max(1, int(wall.length / self.bay))
        pitch = wall.length / columns
        near = max(left, (NEAR - wall.z) / wall.dz if wall.dz else 0.0)
        index = np.arange(int(np.ceil(near / pitch - 0.5)), min(columns, int(np.ceil(right / pitch - 0.5))))
        if not len(index) or not rows:
            return
        column, row = np.repeat(index, rows), np.tile(np.arange(rows), len(index))
        half = pitch * (0.44 if self.glassy else 0.26)
        middle, foot = (column + 0.5) * pitch, base + row * self.floor
        low = foot + (0.35 if self.glassy else 0.95)
        high = foot + (self.floor - (0.25 if self.glassy else 0.55))
        if canvas.camera.focal * 0.1 / depth > 0.6:
            frame = canvas.ink(self.trim, BUILDING, depth, wall.lit)
            canvas.fill_all(wall.rectangles(middle - half - 0.13, middle + half + 0.13, low - 0.16, high + 0.12), frame)
        panes = wall.rectangles(middle - half, middle + half, low, high)
        self.draw_panes(canvas, wall, panes, chances()[(self.seed + 31 * column + 7 * row) % 8192], depth)
        if canvas.camera.focal * 0.06 / depth > 0.8:
            bar = canvas.ink(self.trim, BUILDING, depth, wall.lit)
            canvas.fill_all(wall.rectangles(middle - 0.04, middle + 0.04, low, high), bar)
        if self.balconies:
            out = np.flatnonzero((column % 2 == 1) & (row > 0))
            starts, ends = middle[out] - half - 0.5, middle[out] + half + 0.5
            rail = canvas.ink(toned(self.trim, 0.6), BUILDING, depth, wall.lit)
            canvas.fill_all(wall.rectangles(starts, ends, low[out] - 1.0, low[out] - 0.05), rail)

    def draw_panes(self, canvas: Canvas, wall: Wall, panes: np.ndarray, chance: np.ndarray, depth: float) -> None:
        """The glass: lit from inside, dark, mirroring the sky, or with a blind."""
        air = canvas.air
        sky = air.sky_low if self.glassy else air.sky_top
        inside = 1.2 / (air.shade[0] + (air.light[0] - air.shade[0]) * wall.lit)  # its light is its own
        kinds = (
            (air.windows, toned((255, 200, 115), inside)),
            (air.windows + (1 - air.windows) * 0.62, lifted(sky, 0.25, 18)),
            (air.windows + (1 - air.windows) * 0.85, toned(sky, 0.62)),
            (1.0, toned(self.trim, 0.75)),
        )
        start = 0.0
        for stop, color in kinds if depth < 45 else (kinds[0], (1.0, kinds[1][1])):
            chosen = panes[(chance >= start) & (chance < stop)]
            canvas.fill_all(chosen, canvas.ink(color, BUILDING, depth, wall.lit))
            start = stop

    def draw_bands(self, canvas: Canvas, wall: Wall, left: float, right: float, depth: float) -> None:
        """What runs along the whole wall: plinth, cornice, and the shop front or the door."""
        plinth = canvas.ink(toned(self.wall, 0.62), BUILDING, depth, wall.lit)
        canvas.fill(wall.rectangle(left, right, 0, 0.55), plinth)
        trim = canvas.ink(toned(self.trim, 0.9), BUILDING, depth, wall.lit)
        if not self.pitched:
            canvas.fill(wall.rectangle(left, right, self.height - 0.45, self.height), trim)
        if self.shop:
            canvas.fill(wall.rectangle(left, right, self.floor * 1.15, self.floor * 1.15 + 0.3), trim)
            self.draw_shop(canvas, wall, left, right, depth)
        elif wall.dz and self.seed % 2:
            door = left + 0.3 * (right - left)
            canvas.fill(wall.rectangle(door, door + 1.1, 0, 2.2), canvas.ink(self.accent, BUILDING, depth, wall.lit))

    def draw_shop(self, canvas: Canvas, wall: Wall, left: float, right: float, depth: float) -> None:
        """Display windows under a colored board, which is part of the house; some have an awning."""
        air, top = canvas.air, self.floor * 0.82
        panes = np.arange(left + 0.3, right - 1.5, 2.6)
        open_late = air.lamps and self.seed % 3
        glass = (375, 330, 240) if open_late else lifted(air.sky_low, 0.3, 20)
        ink = canvas.ink(glass, BUILDING, depth, wall.lit)
        canvas.fill_all(wall.rectangles(panes, np.minimum(panes + 2.2, right - 0.2), 0.5, top), ink)
        canvas.fill(wall.rectangle(left, right, top, top + 0.55), canvas.ink(self.accent, BUILDING, depth, wall.lit))
        if self.seed % 2 and wall.dz:
            (x, *_), (_, _, far), *_ = hang = wall.rectangle(left + 0.3, right - 0.3, top - 0.5, top + 0.05)
            out = x - self.side * 1.1
            hang[:2] = (out, top - 0.5, hang[0][2]), (out, top - 0.5, far)
            ink = canvas.ink(toned(self.accent, 0.85), BUILDING, depth, min(1.0, wall.lit + 0.3))
            canvas.fill(hang, ink)

    def draw_roof(self, canvas: Canvas) -> None:
        """A ridge along the street: the slope toward it, the gable that faces the camera, and a chimney."""
        depth, sun = max(NEAR, (self.near + self.far) / 2), canvas.air.sun
        if not self.side:
            left, right, ridge = self.x - 0.3, self.x + self.deep + 0.3, self.height + 3.0
            slope = [(left, self.height, self.near), (right, self.height, self.near)]
            slope += [(right - 1, ridge, self.near + 4), (left + 1, ridge, self.near + 4)]
            canvas.fill(slope, canvas.ink(self.roof, BUILDING, depth, 0.6))
            return
        x, inner = self.x, self.x + self.side * self.deep / 2
        back, ridge = self.x + self.side * self.deep, self.height + self.deep * 0.36
        if self.near > NEAR:
            gable = [(x, self.height, self.near), (inner, ridge, self.near), (back, self.height, self.near)]
            canvas.fill(gable, canvas.ink(self.wall, BUILDING, self.near, max(0.0, -sun[2])))
        eaves, low = x - self.side * 0.4, self.height - 0.3
        slope = [(eaves, low, self.near), (eaves, low, self.far), (inner, ridge, self.far), (inner, ridge, self.near)]
        lit = 0.35 + 0.65 * max(0.0, 0.5 * sun[1] - 0.8 * self.side * sun[0])
        canvas.fill(slope, canvas.ink(self.roof, BUILDING, depth, min(1.0, lit)))
        z = self.near + 0.3 * (self.far - self.near)
        if z > NEAR:
            chimney = Wall(x + self.side * self.deep * 0.3, z, 1, 0, 0.8, 0.4)
            brick = canvas.ink(toned(self.wall, 0.7), BUILDING, z, 0.4)
            canvas.fill(chimney.rectangle(0, 0.8, ridge - 1.5, ridge + 0.7), brick)
