"""How alike neighboring frames of a video are: the correlation of images' mIoU, and of two runs' difference in it.

python -m benchmarks.neighbors RUN RUN ...
"""

import itertools
import sys

import numpy as np

from seglab import runs
from seglab.metrics import miou

LAGS = range(1, 13)


def correlations(values: np.ndarray) -> list[float]:
    """Of values in a row with those so many places further on."""
    apart = values - values.mean()
    return [float((apart[:-lag] * apart[lag:]).sum() / (apart**2).sum()) for lag in LAGS]


def main() -> None:
    own = [np.array([miou(each) for each in runs.Evidence(runs.find(name)).confusions()]) for name in sys.argv[1:]]
    pairs = [second - first for first, second in itertools.combinations(own, 2)]
    print("frames apart:", *LAGS)
    for name, rows in (("mIoU", own), ("difference in mIoU", pairs)):
        middle = np.median([correlations(row) for row in rows], axis=0)
        print(f"{name}, median of {len(rows)}:", *(f"{each:.2f}" for each in middle))


if __name__ == "__main__":
    main()
