"""Photographs through one run or several, as Python users give them and as notebooks show them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seglab import crf as dense
from seglab import draw, prediction, runs
from seglab.api import html
from seglab.config import several
from seglab.data.images import labels_at, of_pil, read_photo
from seglab.entry import shown, validated
from seglab.errors import SeglabError
from seglab.families import Predictor
from seglab.predictors import Crf

if TYPE_CHECKING:
    from PIL.Image import Image

MOST_MEGAPIXELS = 128
SHOWN = 8  # classes in a terminal


@dataclass(frozen=True, repr=False)
class Prediction:
    """What a run, or the vote of several, sees in an image, before the CRF and after it.

    `image` is uint8 (H, W, 3); `before` and `after` have probabilities float32 (K, h, w), smaller than the image where
    that has more than 8 million pixels; of a network of others (K + 1, h, w), the last for what is no class. `labels`
    and `overlay` are of the last of them, at the image's size.
    """

    names: tuple[str, ...]
    classes: tuple[str, ...]
    colors: tuple[tuple[int, int, int], ...]
    image: np.ndarray
    before: prediction.Prediction
    after: prediction.Prediction | None = None  # with a CRF

    @property
    def labels(self) -> np.ndarray:
        """uint8 (H, W): the class of each pixel, 255 for none."""
        return self.labels_of(self.after or self.before)

    @property
    def probabilities(self) -> np.ndarray:
        """float32 (K, h, w)."""
        return (self.after or self.before).probabilities

    @property
    def instances(self) -> np.ndarray | None:
        """int32 (H, W), 0 = none, where the network tells things apart."""
        found = (self.after or self.before).instances
        return None if found is None else labels_at(found, *self.image.shape[:2])

    @property
    def overlay(self) -> Image:
        """The classes' colors over the image, as a PIL image."""
        from PIL import Image

        return Image.fromarray(self.drawn(self.after or self.before))

    @property
    def shares(self) -> dict[str, float]:
        """Each class's part of the image, the largest first; those that are nowhere are left out."""
        counts = np.bincount(self.labels.ravel(), minlength=len(self.classes)) / self.labels.size
        order = sorted(range(len(self.classes)), key=lambda n: -counts[n])
        return {self.classes[n]: float(counts[n]) for n in order if counts[n]}

    def labels_of(self, found: prediction.Prediction) -> np.ndarray:
        return labels_at(found.labels, *self.image.shape[:2])

    def drawn(self, found: prediction.Prediction) -> np.ndarray:
        labels = self.labels_of(found)
        drawn = draw.overlay(self.image, labels, self.colors)
        return drawn if found.instances is None else draw.outlined(drawn, labels_at(found.instances, *labels.shape))

    def save(self, file: str | Path) -> Path:
        """Writes the label map, with the classes' colors as its palette."""
        from seglab.data.masks import write_mask

        path = Path(file)
        if path.suffix.lower() != ".png":
            raise SeglabError("{file}: label maps are PNG files; let its name end in .png", file=str(path))
        with runs.writing(path.parent):
            write_mask(path, self.labels, self.colors)
        return path

    @property
    def title(self) -> str:
        return self.names[0] if len(self.names) == 1 else f"soft vote of {', '.join(self.names)}"

    def __repr__(self) -> str:
        shares = [f"{name} {share:.0%}" for name, share in self.shares.items()]
        height, width = self.image.shape[:2]
        told = ", ".join(shares[:SHOWN]) + ", …" * (len(shares) > SHOWN)
        return f"<seglab prediction of {self.title}, {width} x {height}: {told}>"

    def _repr_html_(self) -> str:
        return html.title(self.title) + html.gallery([("", self.pictures())], 300, self.heads()) + self.legend()

    def heads(self) -> list[str]:
        return ["image", "before the CRF", "after the CRF"] if self.after else ["image", "prediction"]

    def pictures(self) -> list[np.ndarray]:
        return [self.image, self.drawn(self.before)] + ([self.drawn(self.after)] if self.after else [])

    def legend(self) -> str:
        here = [n for n, name in enumerate(self.classes) if name in self.shares]
        return html.legend([self.classes[n] for n in here], [self.colors[n] for n in here])


def predicted(directories: Sequence[Path], image: Any, predictors: Any = (), crf: Any = False) -> Prediction:
    """What the first run, with the votes of the others, sees in an image."""
    models = [runs.loaded(directory) for directory in directories]
    pixels = pixels_of(image, models[0].span)
    pipeline = chain(predictors, crf)
    last = pipeline[-1] if pipeline and isinstance(pipeline[-1], Crf) else None
    small = prediction.bounded(pixels, len(models[0].classes))
    before = prediction.predict(models[0], small, pipeline[:-1] if last else pipeline, models[1:])
    after = before.refined(dense.refine(before.probabilities, small, last)) if last else None
    names = tuple(model.name for model in models)
    return Prediction(names, models[0].classes, models[0].colors, pixels, before, after)


def chain(predictors: Any, crf: Any = False) -> list[Predictor]:
    """Predictors of "flips,scales", one entry or a list of them, with the CRF at the end: True or its options."""
    given = several(predictors, "predictors")
    given = [given] if isinstance(given, Predictor | Mapping) or not isinstance(given, Iterable) else list(given)
    found = [validated(Predictor, each) for each in given]
    if crf is False or crf is None:
        return found
    if crf is True:
        return found if any(isinstance(each, Crf) for each in found) else [*found, Crf()]
    found = [each for each in found if not isinstance(each, Crf)]  # its options are given here
    if not isinstance(crf, Crf | Mapping):
        raise SeglabError("crf: {given} is not allowed; allowed: True, False, or its options as a dict, such as "
                          "w1=5", given=shown(crf))  # fmt: skip
    return [*found, validated(Predictor, {"name": "crf", **crf} if isinstance(crf, Mapping) else crf)]


def pixels_of(image: Any, span: tuple[int, int] | None = None) -> np.ndarray:
    """uint8 (H, W, 3) of a file, a PIL image or an array; raises SeglabError for anything else."""
    if isinstance(image, str | Path):
        path = Path(image)
        if not path.is_file():
            raise SeglabError("{file}: there is no such file", file=str(path))
        return read_photo(path, str(path), MOST_MEGAPIXELS, span)
    if hasattr(image, "convert"):
        return of_pil(image, getattr(image, "filename", "") or "image", span)
    pixels = np.asarray(image)
    if pixels.dtype == np.uint8 and pixels.ndim == 2 and pixels.size:
        pixels = np.repeat(pixels[..., None], 3, 2)
    if pixels.dtype != np.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or not pixels.size:
        kind = f"{pixels.dtype} {pixels.shape}" if pixels.dtype != object else type(image).__name__
        raise SeglabError(
            "image: {given} was given; allowed: a file's path, a PIL image, or an array uint8 (height, width, 3)",
            given=kind,
        )
    return np.ascontiguousarray(pixels)
