"""Cars as solid bodies that can be seen from any side."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import NamedTuple

import numpy as np

from seglab.data.scene import CAR
from seglab.data.scene.air import Color
from seglab.data.scene.canvas import Canvas, Standing

PAINT, GLASS, DARK, HUB, FRONT_LIGHT, REAR_LIGHT, PLATE = range(7)  # what a face is made of


class Shape(NamedTuple):
    """A kind of car in meters; its cabin begins and ends at `waistline` and, above, at `roofline`."""

    length: float
    width: float
    waist: float
    roof: float
    waistline: tuple[float, float]  # as shares of the length, 0 in the middle, 0.5 at the front
    roofline: tuple[float, float]
    bonnet: float  # height of its front edge


SHAPES = {
    "hatchback": Shape(3.9, 1.75, 0.92, 1.50, (-0.485, 0.24), (-0.37, 0.02), 0.78),
    "saloon": Shape(4.6, 1.82, 0.90, 1.44, (-0.34, 0.20), (-0.20, 0.04), 0.74),
    "estate": Shape(4.6, 1.82, 0.92, 1.48, (-0.49, 0.20), (-0.43, 0.05), 0.76),
    "suv": Shape(4.5, 1.92, 1.08, 1.74, (-0.485, 0.22), (-0.42, 0.06), 0.98),
    "van": Shape(5.0, 1.98, 1.15, 2.15, (-0.495, 0.36), (-0.48, 0.20), 1.02),
}


class Faces(NamedTuple):
    """A car's faces back to front, in its own axes (right, up, ahead)."""

    corners: np.ndarray  # (k, 3), one face after the other
    starts: list[int]  # where each face begins in `corners`, and where the last one ends
    normals: np.ndarray  # (p, 3)
    stuff: list[int]
    fine: list[bool]  # whether it may be left out when the car is small


@cache
def faces(kind: str) -> Faces:
    """All faces of a kind of car."""
    shape = SHAPES[kind]
    half, long = shape.width / 2, shape.length
    built: list[tuple] = []

    def add(corners, normal, stuff, fine=False):
        built.append((corners, normal, stuff, fine))

    for b in (-0.95 * half, 0.55 * half):  # the wheels as seen from behind or ahead, below the bumper
        for a, way in ((-0.3 * long, -1), (0.31 * long, 1)):
            add(upright(b, b + 0.4 * half, 0, 0.45, a, way), (0, 0, way), DARK, True)
    add_body(add, shape)
    add_cabin(add, shape)
    add_ends(add, shape)
    add_wheels(add, shape)
    corners, normals, stuff, fine = zip(*built, strict=True)
    starts = [0, *np.cumsum([len(face) for face in corners]).tolist()]
    return Faces(np.concatenate(corners), starts, np.array(normals, float), list(stuff), list(fine))


def add_wheels(add, shape: Shape) -> None:
    """The wheels as seen from the side."""
    for side in (-1, 1):
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False) * side
        for a in (-0.31 * shape.length, 0.31 * shape.length):
            for radius, stuff, fine in ((0.40, DARK, False), (0.2, HUB, True)):
                x = side * shape.width * 0.505
                rim = [(x, 0.36 + radius * 0.9 * np.sin(t), a + radius * np.cos(t)) for t in turn]
                add(rim, (side, 0, 0), stuff, fine)


def upright(left: float, right: float, low: float, high: float, ahead: float, way: int) -> list[tuple]:
    """A rectangle across the car that faces backwards (`way` -1) or forwards (1)."""
    corners = [(left, low, ahead), (right, low, ahead), (right, high, ahead), (left, high, ahead)]
    return corners if way < 0 else corners[::-1]


def add_body(add, shape: Shape) -> None:
    """The lower body: its side view, drawn out across the width."""
    half, long, tail = shape.width / 2, shape.length / 2, shape.waist - 0.03
    profile = [
        (-long * 0.97, 0.24), (-long, 0.34), (-long, 0.66), (-long * 0.97, tail), (-long * 0.9, shape.waist),
        (2 * long * shape.waistline[1], shape.waist), (long * 0.93, shape.bonnet), (long, shape.bonnet - 0.16),
        (long, 0.32), (long * 0.97, 0.24),
    ]  # fmt: skip
    for (a, y), (next_a, next_y) in pairwise(profile):
        normal = np.array((0, next_a - a, y - next_y))
        normal = normal / np.linalg.norm(normal)
        quad = [(-half, y, a), (half, y, a), (half, next_y, next_a), (-half, next_y, next_a)]
        low = max(y, next_y) < 0.36
        add(quad, normal, DARK if low else PAINT, low)
    side = [(a, y) for a, y in profile]
    add([(-half, y, a) for a, y in side], (-1, 0, 0), PAINT)
    add([(half, y, a) for a, y in side[::-1]], (1, 0, 0), PAINT)
    for s in (-1, 1):
        corners = ((0.2, -0.9), (0.2, 0.9), (0.34, 0.9), (0.34, -0.9))
        sill = [(s * half, y, a * long) for y, a in corners]
        add(sill if s > 0 else sill[::-1], (s, 0, 0), DARK, True)


def add_cabin(add, shape: Shape) -> None:
    """Windows, pillars and roof: a frustum on the body, each side painted first and glazed after."""
    half, roof_half, long = shape.width / 2 * 0.97, shape.width / 2 * 0.80, shape.length
    (r0, f0), (r1, f1) = shape.waistline, shape.roofline
    w, h = shape.waist, shape.roof
    low = {(s, e): np.array((s * half, w, (r0, f0)[e] * long)) for s in (-1, 1) for e in (0, 1)}
    high = {(s, e): np.array((s * roof_half, h, (r1, f1)[e] * long)) for s in (-1, 1) for e in (0, 1)}
    panels = [
        ([low[-1, 0], low[1, 0], high[1, 0], high[-1, 0]], (0, 0.45, -0.9)),
        ([low[1, 1], low[-1, 1], high[-1, 1], high[1, 1]], (0, 0.6, 0.8)),
        ([low[-1, 1], low[-1, 0], high[-1, 0], high[-1, 1]], (-0.95, 0.3, 0)),
        ([low[1, 0], low[1, 1], high[1, 1], high[1, 0]], (0.95, 0.3, 0)),
    ]
    for index, (corners, normal) in enumerate(panels):
        add(corners, normal, PAINT)
        for left, right in ((0.07, 0.93),) if index < 2 else ((0.07, 0.48), (0.53, 0.93)):
            add(inset(corners, left, right, 0.08, 0.86), normal, GLASS)
    add([high[-1, 0], high[1, 0], high[1, 1], high[-1, 1]], (0, 1, 0), PAINT)


def inset(corners: list[np.ndarray], left: float, right: float, low: float, high: float) -> list[np.ndarray]:
    """Part of a four-cornered face, in shares of its width and height."""
    a, b, c, d = corners

    def at(u: float, v: float) -> np.ndarray:
        return (1 - v) * ((1 - u) * a + u * b) + v * ((1 - u) * d + u * c)

    return [at(left, low), at(right, low), at(right, high), at(left, high)]


def add_ends(add, shape: Shape) -> None:
    """Lights, number plates and the grille."""
    half, long = shape.width / 2, shape.length / 2
    back, front = -long * 1.005, long * 1.005
    tall = shape.waist > 1
    for s in (-1, 1):
        left, right = sorted((s * 0.62 * half, s * 0.98 * half))
        add(upright(left, right, 0.62, 0.98 if tall else 0.80, back, -1), (0, 0, -1), REAR_LIGHT)
        left, right = sorted((s * 0.55 * half, s * 0.96 * half))
        add(upright(left, right, shape.bonnet - 0.30, shape.bonnet - 0.12, front, 1), (0, 0, 1), FRONT_LIGHT)
    add(upright(-0.27, 0.27, 0.5, 0.64, back, -1), (0, 0, -1), PLATE, True)
    add(upright(-0.5 * half, 0.5 * half, shape.bonnet - 0.34, shape.bonnet - 0.14, front, 1), (0, 0, 1), DARK)
    add(upright(-0.27, 0.27, 0.36, 0.48, front, 1), (0, 0, 1), PLATE, True)
    for a, way in ((back, -1), (front, 1)):
        add(upright(-0.95 * half, 0.95 * half, 0.22, 0.40, a, way), (0, 0, way), DARK, True)


@dataclass(frozen=True)
class Car(Standing):
    """A car at (x, z); `heading` in radians, 0 drives away from the camera, pi / 2 to the right."""

    x: float
    z: float
    heading: float
    kind: str
    color: Color
    braking: bool
    parked: bool

    def placed(self, points: np.ndarray, directions: bool = False) -> np.ndarray:
        """Points in the car's axes -> in the street's, or directions turned only."""
        sin, cos = np.sin(self.heading), np.cos(self.heading)
        turned = points @ np.array([(cos, 0, -sin), (0, 1, 0), (sin, 0, cos)])
        return turned if directions else turned + np.array((self.x, 0, self.z))

    def footprint(self, spread: float) -> np.ndarray:
        shape = SHAPES[self.kind]
        half, long = shape.width / 2 * spread, shape.length / 2 * spread
        return self.placed(np.array([(-half, 0, -long), (half, 0, -long), (half, 0, long), (-half, 0, long)]))

    def cast(self, canvas: Canvas) -> None:
        """Throws the car's shadow: its footprint, swept away from the sun."""
        sun, foot = canvas.air.sun, self.footprint(1.0)
        reach = min(2.0, 1.2 / max(sun[1], 0.1))
        away = foot - np.array((sun[0] * reach, 0, sun[2] * reach))
        following = [1, 2, 3, 0]
        swept = np.stack([foot, foot[following], away[following], away], 1)  # what each edge passes over
        canvas.shadow(np.concatenate([swept, away[None]]), canvas.air.sharpness)

    def touch(self, canvas: Canvas) -> None:
        """Darkens the ground under the car, where no light comes."""
        canvas.shadow(self.footprint(1.06)[None], 0.95 if canvas.air.sharpness > 0.2 else 0.85)

    def draw(self, canvas: Canvas) -> None:
        air, camera, parts = canvas.air, canvas.camera, faces(self.kind)
        corners, normals = self.placed(parts.corners), self.placed(parts.normals, directions=True)
        eye = np.array((camera.x - camera.curve * self.z**2, camera.y, 0.0))
        seen = ((eye - corners[parts.starts[:-1]]) * normals).sum(1) > 0
        if air.sharpness < 0.2:
            lits = 0.5 + 0.5 * normals[:, 1]
        else:
            sunlit = canvas.sunlit(self.x, self.z - SHAPES[self.kind].length * (0.2 + 0.4 * abs(np.cos(self.heading))))
            direct = np.clip(normals @ np.array(air.sun), 0, 1) * sunlit
            lits = 0.9 * direct + 0.12 + 0.25 * np.maximum(0, normals[:, 1])
        lits = np.minimum(1, lits).tolist()
        label, small = canvas.instance(CAR), camera.focal / self.z < 12
        inks = self.inks(air)
        for index in np.flatnonzero(seen).tolist():
            if small and parts.fine[index]:
                continue
            start, stop = parts.starts[index : index + 2]
            canvas.fill(corners[start:stop], canvas.ink(inks[parts.stuff[index]], label, self.z, lits[index]))
        if air.lamps and not self.parked:
            self.shine(canvas, label)

    def inks(self, air) -> list[Color]:
        """The color of each kind of stuff."""
        glass = tuple(0.22 * s + 16 for s in air.sky_low)
        bright = 1 / max(0.3, air.shade[1])
        on = air.lamps and not self.parked
        front = tuple(bright * 250 for _ in range(3)) if on else (225, 228, 230)
        rear = (bright * 255, bright * 50, bright * 40) if on or self.braking else (150, 22, 25)
        return [self.color, glass, (24, 24, 27), (150, 152, 156), front, rear, (225, 222, 195)]

    def shine(self, canvas: Canvas, label: int) -> None:
        """Lets the lights of a driving car glow."""
        shape = SHAPES[self.kind]
        away = np.cos(self.heading)
        if abs(away) < 0.5:
            return
        ahead = -shape.length / 2 if away > 0 else shape.length / 2
        end = np.array([(side * 0.4 * shape.width, 0.72, ahead) for side in (-1, 1)])
        color = (120, 14, 10) if away > 0 else (190, 185, 160)
        for x, y, z in self.placed(end):
            canvas.glow(x, y, z, 0.28 if away > 0 else 0.42, color, label)
