"""`seglab.crf` against the same calls of bare pydensecrf: 256 x 256 pixels, 11 classes.

Run from the repository's root: python -m benchmarks.crf
"""

from statistics import median
from time import perf_counter

import cv2
import numpy as np
from pydensecrf.densecrf import DenseCRF2D
from pydensecrf.utils import unary_from_softmax

from benchmarks._ratio import report
from seglab import crf
from seglab.predictors import Crf

SIDE, CLASSES, MARK = 256, 11, 1.10
PARAMETERS = Crf()


def picture() -> tuple[np.ndarray, np.ndarray]:
    """Smooth probabilities, and a smooth image with a little noise as a camera's has."""
    rng = np.random.default_rng(0)
    logits = 3 * rng.normal(size=(CLASSES, 8, 8)).astype(np.float32)
    probabilities = np.exp(np.stack([cv2.resize(plane, (SIDE, SIDE)) for plane in logits]))
    image = cv2.resize(rng.uniform(30, 225, (8, 8, 3)), (SIDE, SIDE)) + rng.normal(0, 2, (SIDE, SIDE, 3))
    return probabilities / probabilities.sum(0), np.clip(image, 0, 255).astype(np.uint8)


def bare(probabilities: np.ndarray, image: np.ndarray) -> np.ndarray:
    field = DenseCRF2D(SIDE, SIDE, CLASSES)
    field.setUnaryEnergy(unary_from_softmax(probabilities))
    field.addPairwiseGaussian(sxy=PARAMETERS.theta_gamma, compat=PARAMETERS.w2)
    field.addPairwiseBilateral(
        sxy=PARAMETERS.theta_alpha, srgb=PARAMETERS.theta_beta, rgbim=image, compat=PARAMETERS.w1
    )
    return np.array(field.inference(PARAMETERS.iterations)).reshape(CLASSES, SIDE, SIDE)


def milliseconds(function, times: int = 15) -> float:
    taken = []
    for _ in range(times):
        start = perf_counter()
        function()
        taken.append(perf_counter() - start)
    return 1000 * median(taken)


def main() -> None:
    probabilities, image = picture()

    def here() -> np.ndarray:
        return crf.refine_here(probabilities, image, PARAMETERS)

    def child() -> np.ndarray:
        return crf.refine(probabilities, image, PARAMETERS)

    assert np.array_equal(here(), bare(probabilities, image))
    report("crf.refine_here against bare pydensecrf", here, lambda: bare(probabilities, image), MARK)
    start = perf_counter()
    child()
    print(f"crf.refine, the child started for it: {1000 * (perf_counter() - start):.0f} ms")
    print(f"crf.refine, the child running: {milliseconds(child):.0f} ms; in-process: {milliseconds(here):.0f} ms")


if __name__ == "__main__":
    main()
