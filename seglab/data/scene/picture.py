"""From a plan to a picture: everything in its order, then the lens, the weather in the air and the sensor."""

from __future__ import annotations

from functools import lru_cache
from random import Random
from typing import NamedTuple

import cv2
import numpy as np

from seglab.data.scene import MARKING, PAVEMENT, ROAD
from seglab.data.scene.canvas import FIRST_INSTANCE, Canvas, Standing
from seglab.data.scene.ground import cloud, paint_backdrop, paint_ground, paint_sky, shade_ground
from seglab.data.scene.plan import Plan, made_up

FINER = 2  # canvas pixels for one of the picture

# how rough surfaces are, as a share of their brightness: one number for each class, in their order
ROUGHNESS = (0.0, 0.055, 0.02, 0.08, 0.04, 0.19, 0.08, 0.02, 0.05, 0.03, 0.03)


class Picture(NamedTuple):
    """What a camera saw and the truth about it: uint8 (H, W, 3), uint8 (H, W), int32 (H, W) with 0 = none."""

    image: np.ndarray
    mask: np.ndarray
    instances: np.ndarray


def draw(seed: str, weather: str, width: int, height: int) -> Picture:
    """The street of this seed in this weather."""
    plan = made_up(seed, weather)
    rng = Random(seed + "paint")
    canvas = Canvas(plan.camera_at(width * FINER, height * FINER), plan.air)
    paint(canvas, plan, rng)
    image = cv2.resize(canvas.pixels, (width, height), interpolation=cv2.INTER_AREA)[..., :3]
    labels = np.ascontiguousarray(canvas.pixels[::FINER, ::FINER, 3])
    kinds = np.array(canvas.classes + [0] * (256 - len(canvas.classes)), np.uint8)
    mask = kinds[labels]
    return Picture(develop(image, mask, canvas, rng), mask, numbered(labels))


def paint(canvas: Canvas, plan: Plan, rng: Random) -> None:
    """Sky, ground with its shadows, then everything that stands on it from far to near."""
    paint_sky(canvas, rng)
    paint_ground(canvas, plan.street)
    if plan.air.sharpness:
        for thing in plan.things:
            thing.cast(canvas)
    for thing in plan.things:
        thing.touch(canvas)
    canvas.flush()
    shade_ground(canvas)
    paint_backdrop(canvas, rng)
    for thing in plan.things:
        if not isinstance(thing, Standing) or canvas.sees(thing.x, thing.z, 3.5):
            thing.draw(canvas)
    canvas.flush()


def numbered(labels: np.ndarray) -> np.ndarray:
    """Instance ids 1, 2, ... without gaps, for the cars and people that can be seen."""
    seen = np.bincount(labels.ravel(), minlength=256)[FIRST_INSTANCE:] > 0
    ids = np.zeros(256, np.int32)
    ids[FIRST_INSTANCE:][seen] = np.arange(1, seen.sum() + 1)
    return ids[labels]


@lru_cache(maxsize=4)
def grain(width: int, height: int) -> np.ndarray:
    """White noise (H + 64, W + 64, 3) to cut from, standard deviation 1."""
    return np.random.default_rng(8).standard_normal((height + 64, width + 64, 3), dtype=np.float32)


@lru_cache(maxsize=4)
def roughness(width: int, height: int) -> np.ndarray:
    """Surface noise (H + 64, W + 64) to cut from, standard deviation 1, its scale a share of the width."""
    side = 256
    tile = cloud(side, seed=9, roughness=0.55)
    scale = max(1.0, width / 160)
    rows, columns = (np.arange(n + 64, dtype=np.float32) / scale % side for n in (height, width))
    u, v = np.meshgrid(columns, rows)
    return cv2.remap(tile, u, v, cv2.INTER_LINEAR, borderMode=cv2.BORDER_WRAP)


@lru_cache(maxsize=4)
def vignette(width: int, height: int) -> np.ndarray:
    """How much darker a lens is toward the corners, (H, W), 0 in the middle and 1 in the corners."""
    y, x = np.linspace(-1, 1, height)[:, None], np.linspace(-1, 1, width)[None]
    return ((x * x + y * y) / 2).astype(np.float32)


def cut(tile: np.ndarray, rng: Random, shape: tuple[int, ...]) -> np.ndarray:
    """A piece of a larger tile from a place that chance picks."""
    top, left = rng.randrange(64), rng.randrange(64)
    return tile[top : top + shape[0], left : left + shape[1]]


def develop(image: np.ndarray, mask: np.ndarray, canvas: Canvas, rng: Random) -> np.ndarray:
    """The photograph: surfaces get their grain, lamps shine, rain falls, the lens blurs and the sensor adds noise."""
    height, width = mask.shape
    air = canvas.air
    light: np.ndarray = image.astype(np.float32)
    rough = np.zeros(256, np.float32)
    rough[: len(ROUGHNESS)] = np.array(ROUGHNESS, np.float32) * np.exp(-12 / air.visibility)
    light *= cv2.merge([1 + rough[mask] * cut(roughness(width, height), rng, mask.shape)] * 3)
    if air.wet:
        light = mirrored(light, mask, canvas)
    if canvas.glows:
        light += shining(canvas, width, height)
    if air.weather == "rain":
        light += streaks(width, height, rng)[..., None]
    exposure = rng.uniform(0.9, 1.12)
    cast = [exposure * rng.uniform(0.97, 1.03) for _ in range(3)]
    darker = rng.uniform(0.1, 0.3) * vignette(width, height)
    light *= cv2.merge([share - share * darker for share in cast])
    light = cv2.GaussianBlur(light, (0, 0), rng.uniform(0.25, 0.5) * max(1.0, width / 256) ** 0.5)
    light += np.float32(air.noise) * cut(grain(width, height), rng, light.shape)
    return np.clip(light + 0.5, 0, 255).astype(np.uint8)


def mirrored(light: np.ndarray, mask: np.ndarray, canvas: Canvas) -> np.ndarray:
    """The picture with what stands above the horizon mirrored in the wet ground, drawn out downwards."""
    height, width = mask.shape
    horizon = int(canvas.camera.horizon / FINER)
    rows = np.clip(2 * horizon - np.arange(height), 0, height - 1)
    image = cv2.blur(light[rows], (max(1, width // 64) | 1, max(3, height // 8) | 1))
    wet = np.zeros(256, np.float32)
    wet[[ROAD, MARKING, PAVEMENT]] = canvas.air.wet * np.array((1, 0.7, 0.6))
    share = wet[mask][..., None]
    return light + share * (image - light)


def shining(canvas: Canvas, width: int, height: int) -> np.ndarray:
    """The light that lamps spread around themselves in the air and the lens, (H, W, 3)."""
    small = max(1, width // 64)
    layer = np.zeros((height // small + 1, width // small + 1, 3), np.float32)
    per = FINER * small
    dim = 0.6 if canvas.air.weather == "fog" else 1.0
    for u, v, size, color, label in canvas.glows:
        if not seen(canvas, u, v, label):
            continue
        radius = min(max(0.6, size / per), 3.0)
        strength = min(1.0, (size / per) ** 0.5) * dim
        centre = (int(u / per * 16), int(v / per * 16))
        cv2.circle(layer, centre, int(radius * 16), [strength * c for c in color], -1, cv2.LINE_8, 4)
    spread = 2.2 if canvas.air.weather == "fog" else 1.3
    layer = 0.75 * cv2.GaussianBlur(layer, (0, 0), spread) + 0.45 * cv2.GaussianBlur(layer, (0, 0), 3 * spread)
    return cv2.resize(layer, (width, height), interpolation=cv2.INTER_LINEAR)


def seen(canvas: Canvas, u: float, v: float, label: int) -> bool:
    """Whether nothing stands before a lamp; lamps outside the picture shine into it."""
    height, width = canvas.pixels.shape[:2]
    if not (1 <= u < width - 1 and 1 <= v < height - 1):
        return True
    return bool((canvas.pixels[int(v) - 1 : int(v) + 2, int(u) - 1 : int(u) + 2, 3] == label).any())


def streaks(width: int, height: int, rng: Random) -> np.ndarray:
    """Falling rain as faint slanted strokes, (H, W)."""
    layer = np.zeros((height, width), np.uint8)
    slant = rng.uniform(-0.25, 0.25)
    for _ in range(90):
        x, y, long = rng.uniform(0, width), rng.uniform(-0.1, 1) * height, rng.uniform(0.03, 0.11) * height
        end = (int(x + slant * long), int(y + long))
        cv2.line(layer, (int(x), int(y)), end, rng.uniform(8, 34), max(1, width // 256), cv2.LINE_AA)
    return layer.astype(np.float32)
