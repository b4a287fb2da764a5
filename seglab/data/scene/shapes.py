"""Flat shapes that stand in the street and face the camera."""

from __future__ import annotations

import numpy as np

from seglab.data.scene.canvas import Canvas


def ring(corners: int, radius: float, phase: float = 0.0) -> np.ndarray:
    """A regular polygon around the origin, (corners, 2)."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False) + phase
    return np.stack([radius * np.cos(turn), radius * np.sin(turn)], 1)


def arc(wide: float, tall: float, start: float, stop: float, centre: tuple[float, float], corners: int) -> list[tuple]:
    """Points on part of an ellipse with these radii, from `start` to `stop` in radians."""
    turn = np.linspace(start, stop, corners)
    return list(zip(centre[0] + wide * np.cos(turn), centre[1] + tall * np.sin(turn), strict=True))


def facing(x: float, z: float, flat, up: float = 0.0) -> np.ndarray:
    """A picture's points (..., 2) where it faces the camera at (x, z), raised by `up`: (..., 3)."""
    flat = np.asarray(flat)
    points = np.empty((*flat.shape[:-1], 3))
    points[..., 0] = flat[..., 0] + x
    points[..., 1] = flat[..., 1] + up
    points[..., 2] = z
    return points


def bar(x: float, z: float, high: float, foot: float, tip: float) -> np.ndarray:
    """An upright bar that narrows from `foot` to `tip` meters."""
    return facing(x, z, [(-foot / 2, 0), (foot / 2, 0), (tip / 2, high), (-tip / 2, high)])


def cast_bar(canvas: Canvas, x: float, z: float, height: float, width: float) -> None:
    """Throws the shadow of something thin and upright."""
    sun = canvas.air.sun
    reach = min(3.0, 1 / max(sun[1], 0.1)) * height
    dx, dz = -sun[0] * reach, -sun[2] * reach
    long = max(0.1, (dx * dx + dz * dz) ** 0.5)
    px, pz = -dz / long * width / 2, dx / long * width / 2
    corners = [(x - px, 0, z - pz), (x + px, 0, z + pz), (x + dx + px, 0, z + dz + pz), (x + dx - px, 0, z + dz - pz)]
    canvas.shadow(np.array([corners]), canvas.air.sharpness)
