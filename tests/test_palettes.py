"""The colors of classes can be told apart, also by people without red or green cones."""

import json

import numpy as np
import pytest

from seglab import runs
from seglab.data.folder import SAFE, distinct_colors
from seglab.data.scene import CLASSES

LEAST = 10  # CIEDE2000; below, neighboring areas run into each other
VIEWS = {  # Machado et al. 2009, table 1, severity 1.0, on linear RGB
    "as they are": np.eye(3),
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.01182, 0.04294, 0.968881]],
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
}
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.715152, 0.072175], [0.0193339, 0.119192, 0.9503041]]
)
WHITE = np.array([0.95047, 1.0, 1.08883])


def lab(colors, view=VIEWS["as they are"]):
    """CIE L*a*b* of sRGB colors 0-255, as somebody sees them."""
    share = np.asarray(colors, float) / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    xyz = np.clip(linear @ np.array(view).T, 0, 1) @ TO_XYZ.T / WHITE
    f = np.where(xyz > 216 / 24389, np.cbrt(xyz), (24389 / 27 * xyz + 16) / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


def ciede2000(one, other):
    """Sharma, Wu, Dalal 2005, equations 2 to 22."""
    (l1, a1, b1), (l2, a2, b2) = np.moveaxis(one, -1, 0), np.moveaxis(other, -1, 0)
    mean = (np.hypot(a1, b1) + np.hypot(a2, b2)) / 2
    g = 0.5 * (1 - np.sqrt(mean**7 / (mean**7 + 25.0**7)))
    a1, a2 = (1 + g) * a1, (1 + g) * a2
    c1, c2 = np.hypot(a1, b1), np.hypot(a2, b2)
    h1, h2 = (np.degrees(np.arctan2(b, a)) % 360 for a, b in ((a1, b1), (a2, b2)))
    gray, turn = c1 * c2 == 0, (h2 - h1 + 180) % 360 - 180
    turn = np.where(gray, 0, turn)
    light, chroma = (l1 + l2) / 2, (c1 + c2) / 2
    hue = np.where(gray, h1 + h2, np.where(abs(h1 - h2) <= 180, (h1 + h2) / 2, ((h1 + h2 + 360) / 2) % 360))
    t = 1 - 0.17 * np.cos(np.radians(hue - 30)) + 0.24 * np.cos(np.radians(2 * hue))
    t += 0.32 * np.cos(np.radians(3 * hue + 6)) - 0.2 * np.cos(np.radians(4 * hue - 63))
    rotation = -np.sin(np.radians(60 * np.exp(-(((hue - 275) / 25) ** 2))))
    rotation *= 2 * np.sqrt(chroma**7 / (chroma**7 + 25.0**7))
    dl = (l2 - l1) / (1 + 0.015 * (light - 50) ** 2 / np.sqrt(20 + (light - 50) ** 2))
    dc = (c2 - c1) / (1 + 0.045 * chroma)
    dh = 2 * np.sqrt(c1 * c2) * np.sin(np.radians(turn / 2)) / (1 + 0.015 * chroma * t)
    return np.sqrt(dl**2 + dc**2 + dh**2 + rotation * dc * dh)


@pytest.mark.parametrize(
    ("one", "other", "expected"),  # of the table of Sharma, Wu, Dalal 2005: pairs 1, 7, 9, 16, 21, 25, 34
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 0, 0), (50, -1, 2), 2.3669),
        ((50, 2.49, -0.001), (50, -2.49, 0.0009), 7.1792),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((50, 2.5, 0), (50, 3.1736, 0.5854), 1.0),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((2.0776, 0.0795, -1.135), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_distance_is_that_of_the_published_table(one, other, expected):
    assert ciede2000(np.array(one), np.array(other)) == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("palette", [tuple(CLASSES.values()), SAFE], ids=["streets", "new data"])
def test_any_two_colors_and_black_can_be_told_apart(palette, view):
    seen = lab([*palette, (0, 0, 0)], VIEWS[view])
    apart = ciede2000(seen[:, None], seen[None]) + 99 * np.eye(len(seen))
    assert apart.min() >= LEAST


def test_the_shipped_runs_have_the_colors_of_streets():
    for path in runs.CHECKPOINTS.glob("*/dataset.json"):
        assert [tuple(color) for color in json.loads(path.read_bytes())["colors"]] == list(CLASSES.values())


def test_new_data_gets_these_colors_first():
    assert distinct_colors(5) == SAFE[:5] and distinct_colors(40)[: len(SAFE)] == SAFE
