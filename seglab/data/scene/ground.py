"""What lies flat: the sky with its clouds, and the ground with road, markings and pavement."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from random import Random

import cv2
import numpy as np

from seglab.data.scene import BUILDING, MARKING, PAVEMENT, ROAD, SKY, VEGETATION
from seglab.data.scene.air import Color, between
from seglab.data.scene.canvas import NEAR, Canvas

FAR = 140.0  # where the street ends at the latest
TILE = 512  # pixels of a texture that repeats
TILE_METRES = 12.0  # what such a tile covers on the ground
KERB = 0.12  # height of the pavement over the road


@dataclass(frozen=True)
class Street:
    """How the ground is laid out; all distances from the middle of the road."""

    kerb: float  # where the road ends
    planted: float  # where the strip of grass along the kerb ends, `kerb` if there is none
    walls: float  # where the pavement ends
    lanes: int
    parking: float  # width of the parking lanes, 0 for none
    crossing: tuple[float, float] | None  # from where to where a side street joins
    end: float  # where the road ends in a T, FAR if it does not
    zebra: bool
    worn: float  # how far the markings have faded, 0 to 1
    asphalt: Color
    paving: Color
    yard: Color
    seed: int


def cloud(shape: int, seed: int, roughness: float) -> np.ndarray:
    """Noise of many scales that repeats without a seam, float32 (shape, shape), mean 0 and standard deviation 1."""
    rng = np.random.default_rng(seed)
    frequencies = np.hypot(np.fft.fftfreq(shape)[:, None], np.fft.rfftfreq(shape)[None])
    frequencies[0, 0] = 1
    spectrum = np.fft.rfft2(rng.standard_normal((shape, shape))) / frequencies**roughness
    spectrum[0, 0] = 0
    field = np.fft.irfft2(spectrum, s=(shape, shape))
    return (field / field.std()).astype(np.float32)


@lru_cache(maxsize=1)
def cloud_tile() -> np.ndarray:
    return cloud(TILE, seed=1, roughness=1.7)


@lru_cache(maxsize=1)
def asphalt_tile() -> np.ndarray:
    """Brightness of worn ground: stains, patches and grain."""
    grain = cloud(TILE, seed=2, roughness=0.2)
    stains = cloud(TILE, seed=3, roughness=1.4)
    return np.clip(1 + 0.055 * grain + 0.06 * stains, 0.5, 1.4).astype(np.float32)


def paint_sky(canvas: Canvas, rng: Random) -> None:
    """Fills everything above the horizon: a gradient, clouds in perspective, and a glow around a low sun."""
    air, camera = canvas.air, canvas.camera
    rows = min(camera.height, int(camera.horizon) + 2)
    height, width = max(2, rows // 2), camera.width // 2
    up = np.linspace(1, 0, height, dtype=np.float32)[:, None]  # 1 at the top, 0 at the horizon
    across = np.linspace(-1, 1, width, dtype=np.float32)[None]
    spread = 60 / (up + 0.22)  # clouds are smaller and closer together near the horizon
    u = (across * spread * 1.5 + rng.uniform(0, TILE)).astype(np.float32)
    v = (spread * 3 + rng.uniform(0, TILE) + 0 * across).astype(np.float32)
    density = cv2.remap(cloud_tile(), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    cover = np.clip((density + 2.2 * air.clouds - 1.3) * 1.1, 0, 0.95) * np.minimum(1, 0.35 + 2 * up)
    lit = np.clip(0.93 - 0.07 * density, 0.75, 1.0)
    glow, blend = None, up**0.7
    if air.weather in ("day", "dusk") and air.sharpness > 0.2 and air.sun[2] > 0:
        sun = air.sun[0] / max(air.sun[2], 0.3) * 1.2
        glow = np.exp(-4 * (across - sun) ** 2) * np.exp(-3 * up**2)

    sky = np.full((height, width, 4), SKY, np.uint8)
    for channel, warm in enumerate((70, 48, 16) if air.weather == "dusk" else (32, 28, 20)):
        clear = blend * air.sky_top[channel] + (1 - blend) * air.sky_low[channel]
        plane = clear + cover * (lit * air.cloud[channel] - clear)
        if glow is not None:
            plane += warm * glow
        sky[..., channel] = np.clip(plane, 0, 255, out=plane)
    canvas.pixels[:rows] = cv2.resize(sky, (camera.width, rows), interpolation=cv2.INTER_LINEAR)


def paint_backdrop(canvas: Canvas, rng: Random) -> None:
    """A skyline of far houses and trees along the horizon."""
    camera = canvas.camera
    x, wide = -0.1 * camera.width, camera.width
    while x < 1.1 * wide:
        house = rng.random() < 0.55
        span = wide * rng.uniform(0.03, 0.09)
        rise = wide * (rng.uniform(0.02, 0.075) if house else rng.uniform(0.012, 0.035))
        depth = rng.uniform(120, 200)
        if house:
            ink = canvas.ink(between(rng, (110, 105, 105), (185, 175, 165)), BUILDING, depth, rng.random())
            corners = [(x, 2), (x, -rise), (x + span, -rise), (x + span, 2)]
        else:
            ink = canvas.ink(between(rng, (50, 75, 45), (95, 110, 60)), VEGETATION, depth, 0.5)
            humps = [(x + span * t / 6, -rise * (1 - (t / 3 - 1) ** 4) * rng.uniform(0.7, 1.1)) for t in range(7)]
            corners = [(x, 2), *humps, (x + span, 2)]
        points = np.array([(u, camera.horizon + v) for u, v in corners], np.int32)
        cv2.fillPoly(canvas.pixels, [points], ink)
        x += span * rng.uniform(0.6, 1.0)


STEPS = np.linspace(0, 1, 12)


def band(left: float, right: float, near: float, far: float, y: float = 0.0) -> np.ndarray:
    """A strip of ground along the road as a polygon (24, 3) that can follow the road's curve."""
    near, far = max(near, NEAR), max(far, NEAR + 0.1)
    z = near * (far / near) ** STEPS
    points = np.empty((24, 3))
    points[:12, 0], points[12:, 0], points[:, 1], points[:12, 2], points[12:, 2] = left, right, y, z, z[::-1]
    return points


def rectangles(left, right, near, far, y: float = 0.0) -> np.ndarray:
    """Flat rectangles on the ground, (m, 4, 3), from numbers and arrays of length m."""
    corners = np.empty((np.broadcast(left, right, near, far).size, 4, 3))
    corners[:, 0, 0] = corners[:, 3, 0] = left
    corners[:, 1, 0] = corners[:, 2, 0] = right
    corners[:, :, 1] = y
    corners[:, 0, 2] = corners[:, 1, 2] = near
    corners[:, 2, 2] = corners[:, 3, 2] = far
    return corners


def paint_ground(canvas: Canvas, street: Street) -> None:
    """Lays road, pavements and yards below the horizon, in flat colors; `shade_ground` gives them depth."""
    rng = Random(street.seed)
    plain = canvas.pixels[int(canvas.camera.horizon) :]
    plain[:] = (*street.yard, VEGETATION if street.yard[1] > street.yard[0] else PAVEMENT)
    road, paving = (*street.asphalt, ROAD), (*street.paving, PAVEMENT)
    if street.end < FAR:
        canvas.fill_all(rectangles(-90, 90, street.end, street.end + 8), road)
        canvas.fill_all(rectangles(-90, 90, street.end + 8, street.end + 12, KERB), paving)
    canvas.fill(band(-street.kerb, street.kerb, NEAR, street.end), road)
    if street.crossing:
        canvas.fill_all(rectangles(-90, 90, *street.crossing), road)
    for near, far in pavement_spans(street):
        for side in (-1, 1):
            canvas.fill(band(side * street.kerb, side * street.walls, near, far, KERB), paving)
            if street.planted > street.kerb:
                grass = (*between(rng, (70, 100, 45), (110, 120, 65)), VEGETATION)
                canvas.fill(band(side * street.kerb, side * street.planted, near, far, KERB), grass)
            edge = band(side * street.kerb, side * street.kerb, near, far)
            edge[:12, 1] = KERB
            canvas.fill(edge, (*(0.75 * c for c in street.paving), PAVEMENT))
            rim = (*(min(255, 1.12 * c) for c in street.paving), PAVEMENT)
            canvas.fill(band(side * street.kerb, side * (street.kerb + 0.18), near, far, KERB), rim)
    paint_wear(canvas, street, rng)
    paint_markings(canvas, street, rng)
    canvas.flush()


def pavement_spans(street: Street) -> list[tuple[float, float]]:
    """From where to where the pavement runs beside the road."""
    if not street.crossing:
        return [(NEAR, street.end)]
    return [(NEAR, street.crossing[0]), (street.crossing[1], street.end)]


def paint_wear(canvas: Canvas, street: Street, rng: Random) -> None:
    """Repaired patches, a seam, covers and slab joints, all of the class they lie on."""
    for _ in range(rng.randrange(4)):
        x, z = rng.uniform(-street.kerb, street.kerb - 1.5), rng.uniform(3, 30)
        tone = rng.uniform(0.7, 1.2)
        ink = (*(tone * c for c in street.asphalt), ROAD)
        canvas.fill_all(rectangles(x, min(x + rng.uniform(0.6, 2.5), street.kerb), z, z + rng.uniform(1, 9)), ink)
    if rng.random() < 0.4:
        x = rng.uniform(-0.6, 0.6) * street.kerb
        canvas.fill(band(x, x + 0.07, NEAR, 30), (*(0.6 * c for c in street.asphalt), ROAD))
    for _ in range(rng.randrange(3)):
        x, z = rng.uniform(-0.7, 0.7) * street.kerb, rng.uniform(4, 20)
        turn = np.linspace(0, 2 * np.pi, 12, endpoint=False)
        cover = np.stack([x + 0.35 * np.cos(turn), np.zeros(12), z + 0.35 * np.sin(turn)], 1)
        canvas.fill(cover, (*(0.55 * c for c in street.asphalt), ROAD))
    joint = (*(0.86 * c for c in street.paving), PAVEMENT)
    first = street.planted + 0.2
    for side in (-1, 1):
        for near, far in pavement_spans(street):
            joints = np.arange(near + 1.5, min(far, 26), 1.6)
            canvas.fill_all(rectangles(side * first, side * street.walls, joints, joints + 0.06, KERB), joint)


def paint_markings(canvas: Canvas, street: Street, rng: Random) -> None:
    """Lane lines, parking bays, stop lines and zebra crossings."""
    white = tuple(235 * (1 - street.worn) + c * street.worn for c in street.asphalt)
    ink = (*white, MARKING)
    starts = np.arange(rng.uniform(0, 6), min(street.end, 110), 7.0)
    ends = starts + 3.2
    if street.crossing:
        near, far = street.crossing
        starts = starts[(ends < near - 4) | (starts > far + 4)]
        ends = starts + 3.2
    drive = street.kerb - street.parking
    for lane in range(1, street.lanes):
        x = -drive + 2 * drive * lane / street.lanes
        canvas.fill_all(rectangles(x - 0.12, x + 0.12, starts, ends), ink)
    for near, far in pavement_spans(street):
        for side in (-1, 1):
            if street.parking:
                canvas.fill(band(side * drive, side * (drive + 0.18), near, far), ink)
                bays = np.arange(near + 2, min(far, 50), 5.6)
                canvas.fill_all(rectangles(side * drive, side * street.kerb, bays, bays + 0.16), ink)
            elif street.lanes > 2:
                canvas.fill(band(side * (drive - 0.40), side * (drive - 0.22), near, far), ink)
    if street.crossing:
        near, far = street.crossing
        for z in (near - 3.6, far + 0.8):
            if street.zebra:
                stripes = np.arange(-street.kerb + 0.4, street.kerb - 0.5, 1.05)
                canvas.fill_all(rectangles(stripes, stripes + 0.55, z, z + 2.8), ink)
        canvas.fill_all(rectangles(0.1, drive, near - 4.9, near - 4.4), ink)


def shade_ground(canvas: Canvas) -> None:
    """Gives the ground its grain, the shadows cast on it, the light and the haze."""
    camera, air = canvas.camera, canvas.air
    top = max(0, int(camera.horizon) + 1)
    height, width = camera.height - top, camera.width
    rows = np.arange(top, camera.height, dtype=np.float32)[:, None]
    z = camera.focal * camera.y / (rows - camera.horizon + 0.5)
    clear = np.exp(-z / air.visibility)
    texture = cv2.resize(ground_texture(canvas, z[::2]), (width, height), interpolation=cv2.INTER_LINEAR) * clear
    shadowed = texture * cv2.blur(canvas.shadows[top:], (3, 3)) * np.float32(1 / 255)
    ground = canvas.pixels[top:, :, :3]
    for channel in range(3):
        light = texture * air.light[channel]
        light += shadowed * (air.shade[channel] - air.light[channel])
        light *= ground[..., channel]
        light += (1 - clear) * air.haze[channel]
        ground[..., channel] = np.minimum(light, 255, out=light)


def ground_texture(canvas: Canvas, z: np.ndarray) -> np.ndarray:
    """Brightness of the ground in rows at these distances (h, 1), for every other column of the canvas."""
    camera, unit = canvas.camera, np.float32(TILE / TILE_METRES)
    across = (np.arange(0, camera.width, 2, dtype=np.float32)[None] - camera.centre) / camera.focal
    u = across * (z * unit) - camera.curve * unit * z * z
    v = np.repeat(z * unit, u.shape[1], 1)
    texture = cv2.remap(asphalt_tile(), u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)
    fine = np.minimum(1, 22 / z)  # the grain averages out with distance
    return texture * fine + (1 - fine)
