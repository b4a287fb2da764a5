"""What is put up along a street: fences, lamps, posts, signs and traffic lights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from seglab.data.scene import FENCE, POLE, SIGN
from seglab.data.scene.air import Color, toned
from seglab.data.scene.canvas import Canvas, Standing, Thing
from seglab.data.scene.ground import KERB
from seglab.data.scene.shapes import bar, cast_bar, facing, ring

LENS = ring(10, 0.15)
LETTER_P = np.array(
    [(-0.16, -0.26), (-0.05, -0.26), (-0.05, -0.07), (0.07, -0.07), (0.17, 0.01), (0.17, 0.19), (0.07, 0.27),
     (-0.16, 0.27)]
)  # fmt: skip
STRIPE = np.array([(-0.3, -0.07), (0.3, -0.07), (0.3, 0.07), (-0.3, 0.07)])
BOARD = np.array([(-0.75, -0.22), (0.75, -0.22), (0.75, 0.22), (-0.75, 0.22)])
# a sign's plate: outer shape, its color, inner shape, its color
SIGNS = {
    "warning": (ring(3, 0.56, np.pi / 2), (195, 30, 35), ring(3, 0.34, np.pi / 2), (240, 238, 225)),
    "limit": (ring(16, 0.42), (200, 28, 35), ring(16, 0.29), (240, 240, 238)),
    "stop": (ring(8, 0.45, np.pi / 8), (190, 25, 30), STRIPE, (235, 235, 235)),
    "parking": (ring(4, 0.52, np.pi / 4), (30, 85, 175), LETTER_P, (240, 240, 240)),
    "priority": (ring(4, 0.5), (240, 240, 235), ring(4, 0.36), (240, 190, 30)),
    "way": (BOARD, (25, 105, 65), STRIPE * (1.8, 0.8), (235, 235, 230)),
    "back": (ring(16, 0.42), (125, 128, 130), ring(4, 0.1), (95, 97, 100)),
}  # fmt: skip


@dataclass(frozen=True)
class Fence(Thing):
    """A fence along the street: boards, or a railing that can be seen through."""

    x: float
    near: float
    far: float
    height: float
    boards: bool
    color: Color

    def draw(self, canvas: Canvas) -> None:
        depth, length = (self.near + self.far) / 2, self.far - self.near
        ink = canvas.ink(self.color, FENCE, depth, 0.6)
        whole = np.array([self.near])
        if self.boards:
            canvas.fill_all(self.bars(whole, length, 0, self.height - 0.08), ink)
            dark = canvas.ink(toned(self.color, 0.6), FENCE, depth, 0.4)
            canvas.fill_all(self.bars(np.arange(self.near, self.far - 0.05, 0.3), 0.07, 0, self.height), dark)
            return
        canvas.fill_all(self.bars(np.arange(self.near, self.far - 0.05, 0.28), 0.06, KERB, self.height), ink)
        canvas.fill_all(self.bars(np.arange(self.near, self.far, 2.0), 0.12, 0, self.height + 0.06), ink)
        for low in (self.height - 0.07, 0.28):
            canvas.fill_all(self.bars(whole, length, low, low + 0.07), ink)

    def bars(self, z: np.ndarray, width: float, low: float, high: float) -> np.ndarray:
        """Upright rectangles in the plane of the fence, (m, 4, 3)."""
        corners = np.empty((len(z), 4, 3))
        corners[..., 0] = self.x
        corners[..., 1] = (low, low, high, high)
        corners[..., 2] = z[:, None] + np.array((0, width, width, 0))
        return corners


@dataclass(frozen=True)
class Lamp(Standing):
    """A street lamp whose arm reaches over the road."""

    x: float
    z: float
    height: float
    arm: float
    color: Color

    def cast(self, canvas: Canvas) -> None:
        cast_bar(canvas, self.x, self.z, self.height, 0.16)

    def draw(self, canvas: Canvas) -> None:
        ink = canvas.ink(self.color, POLE, self.z, 0.5)
        canvas.fill(bar(self.x, self.z, self.height, 0.30, 0.20), ink)
        if self.z < 20:
            canvas.fill(bar(self.x, self.z, 0.9, 0.38, 0.34), ink)
        reach = -np.sign(self.x) * self.arm
        arm = [(0, -0.16), (reach, 0.24), (reach, 0.42), (0, 0.06)]
        canvas.fill(facing(self.x, self.z, arm, self.height), ink)
        tip = reach * 1.45
        head = [(reach * 0.9, 0.24), (tip, 0.26), (tip, 0.40), (reach * 0.9, 0.46)]
        color = (255, 225, 160) if canvas.air.lamps else (190, 192, 195)
        bright = 1 / canvas.air.shade[0] if canvas.air.lamps else 1
        ink = canvas.ink(toned(color, bright), POLE, self.z, 0.5)
        canvas.fill(facing(self.x, self.z, head, self.height), ink)
        if canvas.air.lamps:
            canvas.glow(self.x + reach * 1.2, self.height + 0.2, self.z, 0.7, (215, 160, 85), POLE)


@dataclass(frozen=True)
class Post(Standing):
    """A plain post or bollard."""

    x: float
    z: float
    height: float
    width: float
    color: Color

    def cast(self, canvas: Canvas) -> None:
        cast_bar(canvas, self.x, self.z, self.height, self.width)

    def draw(self, canvas: Canvas) -> None:
        ink = canvas.ink(self.color, POLE, self.z, 0.6)
        canvas.fill(bar(self.x, self.z, self.height, self.width, self.width), ink)


@dataclass(frozen=True)
class Sign(Standing):
    """A traffic sign on its post; `size` enlarges its plate."""

    x: float
    z: float
    height: float
    kind: str
    size: float
    color: Color

    def cast(self, canvas: Canvas) -> None:
        cast_bar(canvas, self.x, self.z, self.height + 0.4, 0.25)

    def draw(self, canvas: Canvas) -> None:
        canvas.fill(bar(self.x, self.z, self.height, 0.12, 0.12), canvas.ink(self.color, POLE, self.z, 0.5))
        outer, edge, inner, face = SIGNS[self.kind]
        lit = 0.4 + 0.6 * canvas.sunlit(self.x, self.z)
        for flat, color in ((outer, edge), (inner, face)):
            points = facing(self.x, self.z - 0.05, self.size * flat, self.height)
            canvas.fill(points, canvas.ink(color, SIGN, self.z, lit))


@dataclass(frozen=True)
class TrafficLight(Standing):
    """A traffic light; `shows` is 0 for red, 1 for amber, 2 for green."""

    x: float
    z: float
    height: float
    shows: int
    color: Color

    def cast(self, canvas: Canvas) -> None:
        cast_bar(canvas, self.x, self.z, self.height, 0.2)

    def draw(self, canvas: Canvas) -> None:
        canvas.fill(bar(self.x, self.z, self.height + 0.2, 0.19, 0.17), canvas.ink(self.color, POLE, self.z, 0.5))
        box = [(-0.22, -1.0), (0.22, -1.0), (0.22, 0.15), (-0.22, 0.15)]
        canvas.fill(facing(self.x, self.z - 0.1, box, self.height), canvas.ink((28, 32, 30), SIGN, self.z, 0.7))
        colors = ((255, 50, 40), (255, 190, 40), (60, 240, 120))
        for index, color in enumerate(colors):
            on = index == self.shows
            bright = 1 / canvas.air.shade[1] if on else 0.25
            up = self.height - 0.08 - 0.34 * index
            ink = canvas.ink(toned(color, bright), SIGN, self.z, 0.3)
            canvas.fill(facing(self.x, self.z - 0.15, LENS, up), ink)
            if on and canvas.air.lamps:
                canvas.glow(self.x, up, self.z, 0.4, toned(color, 0.5), SIGN)
