"""People on foot."""

from __future__ import annotations

from dataclasses import dataclass
from math import pi

import numpy as np

from seglab.data.scene import PERSON
from seglab.data.scene.air import Color, toned
from seglab.data.scene.canvas import Canvas, Standing
from seglab.data.scene.shapes import arc, cast_bar, facing

# in shares of a person's height
HEAD = arc(0.056, 0.08, 0, 2 * pi, (0, 0.915), 11)
HAIR = arc(0.066, 0.083, 0, pi, (0, 0.925), 8)
HAIR_BEHIND = arc(0.066, 0.083, -0.5, pi + 0.5, (0, 0.92), 9)
UMBRELLA = arc(0.34, 0.2, 0, pi, (0.1, 1.0), 9)


@dataclass(frozen=True)
class Person(Standing):
    """Someone on foot; `step` is the stride from -1 to 1, `turn` the way they look: -1 left, 0 away, 1 right."""

    x: float
    z: float
    ground: float
    height: float
    width: float
    step: float
    turn: int
    top: Color
    legs: Color
    skin: Color
    hair: Color
    coat: bool
    bag: Color | None
    umbrella: Color | None

    def cast(self, canvas: Canvas) -> None:
        cast_bar(canvas, self.x, self.z, self.height, 0.4)

    def touch(self, canvas: Canvas) -> None:
        half = 0.32
        spot = [(self.x - half, 0, self.z - 0.25), (self.x + half, 0, self.z - 0.25)]
        spot += [(self.x + half, 0, self.z + 0.25), (self.x - half, 0, self.z + 0.25)]
        canvas.shadow(np.array([spot]), 0.7)

    def parts(self, fine: bool) -> list[tuple[list, Color, float]]:
        """Polygons in shares of the height, from back to front, each with its color and the sun it gets."""
        w, shoulder, hem = self.width, 0.125 * self.width, 0.32 if self.coat else 0.47
        left, right = self.leg(-self.step), self.leg(self.step)
        torso = [(-shoulder, 0.78), (-0.05, 0.835), (0.05, 0.835), (shoulder, 0.78)]
        torso += [(0.105 * w, hem), (-0.105 * w, hem)]
        shapes = [(left, toned(self.legs, 0.65), 0.5), (right, self.legs, 0.5), (torso, self.top, 0.8)]
        if fine:
            sleeve = toned(self.top, 0.75)
            shapes += [(self.arm(side, shoulder), sleeve, 0.5) for side in (-1, 1)]
            shapes.append(([(-0.03, 0.82), (0.03, 0.82), (0.03, 0.87), (-0.03, 0.87)], self.skin, 0.5))
        shapes.append((HEAD, self.skin, 0.9))
        back = 0.018 * self.turn
        shapes.append(([(x - back, y) for x, y in HAIR] if self.turn else HAIR_BEHIND, self.hair, 0.6))
        if self.bag:
            near, far = shoulder * 1.1 - 0.03, shoulder * 1.1 + 0.07
            shapes.append(([(near, 0.58), (far, 0.58), (far, 0.42), (near, 0.42)], self.bag, 0.6))
        if self.umbrella:
            shapes.append(([(0.09, 0.6), (0.105, 0.6), (0.105, 1.15), (0.09, 1.15)], (40, 40, 40), 0.5))
            shapes.append((UMBRELLA, self.umbrella, 0.8))
        return shapes

    def leg(self, step: float) -> list[tuple[float, float]]:
        """A leg and its shoe, in shares of the height."""
        hip, slim, foot = 0.035 * self.width * (1 if step > 0 else -1), 0.05 * self.width, 0.11 * step
        toe = foot + 0.05 * self.turn
        thigh, ankle = [(hip - slim, 0.5), (hip + slim, 0.5)], [(foot + 0.034, 0.05), (foot - 0.034, 0.05)]
        return [*thigh, ankle[0], (max(foot, toe) + 0.038, 0.0), (min(foot, toe) - 0.038, 0.0), ankle[1]]

    def arm(self, side: int, shoulder: float) -> list[tuple[float, float]]:
        """A swinging arm, in shares of the height."""
        hand = side * (shoulder + 0.01) - 0.05 * self.step * side
        top, half = side * shoulder, 0.022 * side
        return [(top - 0.035 * side, 0.79), (top + 0.02 * side, 0.775), (hand + half, 0.45), (hand - half, 0.45)]

    def draw(self, canvas: Canvas) -> None:
        label, sunlit = canvas.instance(PERSON), canvas.sunlit(self.x, self.z)
        shapes = self.parts(canvas.camera.focal / self.z > 12)
        flat = np.array([corner for corners, *_ in shapes for corner in corners]) * self.height
        points = facing(self.x, self.z, flat, self.ground)
        start = 0
        for corners, color, lit in shapes:
            stop = start + len(corners)
            canvas.fill(points[start:stop], canvas.ink(color, label, self.z, lit * sunlit))
            start = stop
