"""The U-Net's elastic deformation; imported where a transform is made, as albumentations takes seconds to load."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from albumentations.augmentations.geometric.distortion import BaseDistortion
from albumentations.core.transforms_interface import BaseTransformInitSchema

from seglab.data.base import VOID


class CoarseElastic(BaseDistortion):
    """Moves every pixel by a displacement interpolated, bicubically, between the cells of a coarse random grid.

    albumentations' own ElasticTransform is another one: noise for each pixel, blurred, and both directions in one
    picture, so that they mix where they meet.
    """

    class InitSchema(BaseTransformInitSchema):
        std: float
        grid: int

    def __init__(self, std: float, grid: int, p: float = 1):
        super().__init__(cv2.INTER_LINEAR, cv2.INTER_NEAREST, "mask", p, cv2.BORDER_CONSTANT, fill=0, fill_mask=VOID)
        self.std, self.grid = std, grid

    def get_params_dependent_on_data(self, params: dict[str, Any], data: dict[str, Any]) -> dict[str, Any]:
        height, width = params["shape"][:2]
        coarse = self.random_generator.normal(0, self.std, (self.grid, self.grid, 2)).astype(np.float32)
        moved = cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)
        moved[..., 0] += np.arange(width)
        moved[..., 1] += np.arange(height)[:, None]
        return {"map_x": moved[..., 0], "map_y": moved[..., 1]}
