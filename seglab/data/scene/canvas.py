"""The camera and the canvas: polygons in the street become pixels with a color and a label in one stroke."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import cv2
import numpy as np

from seglab.data.scene import CLASSES
from seglab.data.scene.air import Air, Color

NEAR = 0.9  # what is closer to the camera is drawn as if it stood here
FIRST_INSTANCE = 16  # labels from here on are single cars and people


@dataclass(frozen=True)
class Camera:
    """A pinhole camera over the road; all but `x`, `y` (meters) and `curve` (of the road, 1 / meters) is in pixels."""

    width: int
    height: int
    focal: float
    horizon: float
    centre: float
    x: float
    y: float
    curve: float

    def project(self, points: np.ndarray) -> np.ndarray:
        """Street coordinates (..., 3) -> whole pixels (..., 2), int32."""
        z = np.maximum(points[..., 2], NEAR)
        scale = self.focal / z
        pixels = np.empty((*points.shape[:-1], 2), np.int32)
        pixels[..., 0] = (points[..., 0] - self.x + self.curve * z * z) * scale + (self.centre + 0.5)
        pixels[..., 1] = (self.y - points[..., 1]) * scale + (self.horizon + 0.5)
        return pixels

    def spot(self, x: float, y: float, z: float) -> tuple[float, float, float]:
        """The pixel (u, v) of one point, and how many pixels a meter has there."""
        z = max(z, NEAR)
        scale = self.focal / z
        return (
            (x - self.x + self.curve * z * z) * scale + self.centre,
            (self.y - y) * scale + self.horizon,
            scale,
        )


@dataclass
class Canvas:
    """An image under the brush. `pixels` (H, W, 4) holds red, green, blue and the label, so that no stroke can give an
    image without its truth; `shadows` (H, W) is how much shadow falls on the ground; `glows` are lamps to light up.

    Strokes are kept (corners of each polygon, all their points, ink) and done together, which is what makes this fast.
    """

    camera: Camera
    air: Air
    pixels: np.ndarray = field(init=False)
    shadows: np.ndarray = field(init=False)
    classes: list[int] = field(init=False)  # of the labels
    glows: list[tuple[float, float, float, Color, int]] = field(default_factory=list)
    strokes: list[tuple[int, Sequence | np.ndarray, tuple]] = field(default_factory=list)
    shadow_strokes: list[tuple[int, Sequence | np.ndarray, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.pixels = np.zeros((self.camera.height, self.camera.width, 4), np.uint8)
        self.shadows = np.zeros((self.camera.height, self.camera.width), np.uint8)
        self.classes = list(range(len(CLASSES))) + [0] * (FIRST_INSTANCE - len(CLASSES))

    def instance(self, label: int) -> int:
        """A new label for one car or person; without a number left, the plain class."""
        if len(self.classes) == 256:
            return label
        self.classes.append(label)
        return len(self.classes) - 1

    def ink(self, color: Color, label: int, depth: float, lit: float = 1.0) -> tuple[float, float, float, int]:
        """What a stroke leaves behind: the color in this air, and the label."""
        return (*self.air.color(color, depth, lit), label)

    def fill(self, points: Sequence | np.ndarray, ink: tuple) -> None:
        """Fills one polygon, (n, 3) in the street, at the next `flush`."""
        self.strokes.append((len(points), points, ink))

    def fill_all(self, polygons: np.ndarray, ink: tuple) -> None:
        """Fills polygons of equally many corners, (m, n, 3), at the next `flush`."""
        if len(polygons):
            self.strokes.append((polygons.shape[1], polygons.reshape(-1, 3), ink))

    def shadow(self, polygons: np.ndarray, darkness: float) -> None:
        """Sets how dark polygons of the ground are, (m, n, 3), at the next `flush`; the later shadow holds."""
        self.shadow_strokes.append((polygons.shape[1], polygons.reshape(-1, 3), 255 * darkness))

    def flush(self) -> None:
        """Does all strokes since the last time, in their order."""
        for target, strokes in ((self.pixels, self.strokes), (self.shadows, self.shadow_strokes)):
            if not strokes:
                continue
            pixels = self.camera.project(np.concatenate([points for _, points, _ in strokes]))
            start = 0
            for corners, points, ink in strokes:
                stop = start + len(points)
                polygons = pixels[start:stop].reshape(-1, corners, 2)
                cv2.fillPoly(target, polygons, ink)  # type: ignore[call-overload]  # one array is a sequence, too
                start = stop
            strokes.clear()

    def glow(self, x: float, y: float, z: float, size: float, color: Color, label: int) -> None:
        """Notes a light of `size` meters, to shine over the finished picture if its lamp, of this label, is seen."""
        u, v, scale = self.camera.spot(x, y, z)
        if -0.2 < u / self.camera.width < 1.2 and -0.2 < v / self.camera.height < 1.2:
            self.glows.append((u, v, size * scale, color, label))

    def sees(self, x: float, z: float, margin: float) -> bool:
        """Whether something that reaches `margin` meters to the left and right of a place can be in the picture."""
        u, _, scale = self.camera.spot(x, 0, z)
        return -margin * scale < u < self.camera.width + margin * scale

    def sunlit(self, x: float, z: float) -> float:
        """The share of sun at a place on the ground, once the shadows are cast."""
        u, v, _ = self.camera.spot(x, 0, z)
        if not (0 <= u < self.camera.width and 0 <= v < self.camera.height):
            return 1.0
        return 1.0 - float(self.shadows[int(v), int(u)]) / 255


class Thing:
    """Something in the street that reaches along it as far as `far`; drawn from far to near."""

    far: float

    @property
    def depth(self) -> float:
        return self.far

    def cast(self, canvas: Canvas) -> None:
        """Casts the sun's shadow."""

    def touch(self, canvas: Canvas) -> None:
        """Darkens the ground it stands on."""

    def draw(self, canvas: Canvas) -> None:
        raise NotImplementedError


class Standing(Thing):
    """Something that stands at one place (x, z)."""

    x: float
    z: float

    @property
    def depth(self) -> float:
        return self.z
