"""A run's best model as an ONNX file of a fixed size, checked against the model itself before it is written.

`python -m seglab.export RUN FILE PARENT` does the same in a process of its own, for the page.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from seglab import __version__, jobs, runs
from seglab.data.base import Sample, photograph
from seglab.data.images import fitted, resize_image
from seglab.data.streets import Streets
from seglab.entry import shown
from seglab.errors import SeglabError
from seglab.events import Sentence
from seglab.loader import collated
from seglab.model import Logits, Segmenter, Trained

if TYPE_CHECKING:
    from onnx import ModelProto

Size = tuple[int, int]  # height, width

PACKAGES = ("onnx", "onnxscript", "onnxruntime")
OPSET = 20
SIDES = (32, 2048)  # pixels, the least and the most
INPUT = "RGB, 0..1, NCHW; normalization is inside"
OUTPUT = "logits, NCHW; the class of a pixel is the largest of its channels"
ROUNDING = 1e-3  # how far logits may be apart, of the largest one; 4e-5 is the most that was seen
AGREEING = 0.999  # the part of the pixels that must get the same class; others are as good as ties
PATIENCE = 180.0  # seconds that the page waits for a file


@dataclass(frozen=True)
class OnnxFile:
    """What was written, and how it agrees with the model: of the `pixels` of an image, so many get an `equal` class,
    and no logit differs by more than `difference`. `note`: why that image is none of the run's own."""

    file: Path
    size: Size
    image: str
    pixels: int
    equal: int
    difference: float
    note: SeglabError | None = None


def available() -> bool:
    """Whether the packages that exporting needs are installed."""
    return all(find_spec(name) for name in PACKAGES)


def export(run: str | Path, out: Path, size: Size | None = None) -> OnnxFile:
    """Writes the run's best model to `out`, whole or not at all; by default of the size that its images have in
    training.

    The file is first run by onnxruntime, on a validation image. Raises SeglabError where it would give other classes,
    and where the packages for it are not installed.
    """
    refuse_unequipped()
    trained = runs.load(run)
    if not trained.config.model.trains:
        raise SeglabError(
            "{run} is a network of others, from {source}; it is not exported here",
            run=trained.name,
            source=trained.config.model.title,
        )
    height, width = size = sized(size) if size is not None else size_of(trained)
    sample, note = pictured(trained, size)
    images = collated([photograph(at_size(sample.image, size))], [0]).images
    model = translated(trained.model, images)
    described(model, trained, size)
    content = model.SerializeToString()
    equal, difference = checked(content, trained, images)
    with runs.writing(out.parent):
        runs.write(out, content)
    return OnnxFile(out, size, sample.name, height * width, equal, difference, note)


def refuse_unequipped() -> None:
    """Raises SeglabError unless the packages that exporting needs are installed."""
    if not available():
        raise SeglabError(
            "ONNX files need packages that are not installed here: pip install {packages}", packages=" ".join(PACKAGES)
        )


def sized(given: object) -> Size:
    """A height and a width that somebody asks for."""
    least, most = SIDES
    if isinstance(given, Sequence) and len(given) == 2 and all(isinstance(side, int) for side in given):
        height, width = given
        if least <= min(given) and max(given) <= most:
            return height, width
    raise SeglabError(
        "size: {given} is not allowed; allowed: height and width such as 96x128, {least} to {most} each",
        given=shown(given),
        least=least,
        most=most,
    )


def size_of(trained: Trained) -> Size:
    """Height and width of the run's first validation image as training sees it; the longer one for both where its mask
    did not come with the run."""
    try:
        height, width = runs.Evidence(trained.directory).truth(0).shape
    except SeglabError:
        height = width = trained.config.image_size
    return fitted(height, width, trained.config.image_size)


def pictured(trained: Trained, size: Size) -> tuple[Sample, SeglabError | None]:
    """The run's first validation image; where its data is not here, a street scene, and a note that says so."""
    try:
        return runs.opened(trained.directory).val[0], None
    except SeglabError as reason:
        scenes = Streets(size=min(max(*size, 64), 1024)).open()
        return scenes.val[0], SeglabError(
            "the images of {run} are not on this machine; the file was checked on a street scene instead ({reason})",
            run=trained.name,
            reason=reason,
        )


def at_size(image: np.ndarray, size: Size) -> np.ndarray:
    """The image uint8 (H, W, 3) at another size, whatever its aspect."""
    import cv2

    image = resize_image(image, max(size))
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=cv2.INTER_LINEAR)


# --- the file


def translated(model: Segmenter, images: Tensor) -> ModelProto:
    """The model in ONNX, for images of this size, with nothing in it of where this machine keeps its files."""
    with quiet():
        program = torch.onnx.export(
            Logits(model).eval(),
            (images,),
            dynamo=True,
            opset_version=OPSET,
            input_names=["image"],
            output_names=["logits"],
            verbose=False,
        )
    assert program
    proto = program.model_proto
    for node in proto.graph.node:
        kept = [each for each in node.metadata_props if not each.key.endswith("stack_trace")]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
    return proto


@contextmanager
def quiet() -> Iterator[None]:
    """Keeps what the exporter says of its own parts to itself."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def described(model: ModelProto, trained: Trained, size: Size) -> None:
    """Tells in the file what its user has to know."""
    values: dict[str, Any] = {
        "run": trained.name,
        "classes": trained.classes,
        "colors": trained.colors,
        "input": INPUT,
        "output": OUTPUT,
        "size": size,
        "seglab": __version__,
        "config": runs.without_folders(trained.config.model_dump(), runs.folder_options()),
    }
    if trained.span:
        values["span"] = trained.span
    for key, value in values.items():
        text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        model.metadata_props.add(key=key, value=text)


def checked(content: bytes, trained: Trained, images: Tensor) -> tuple[int, float]:
    """Of how many pixels the class is equal, and the largest difference of the logits; raises SeglabError where the
    file gives something else than the model."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    (given,) = session.run(None, {"image": images.numpy()})
    with torch.no_grad():
        own = trained.model(images).logits.numpy()
    equal, pixels = int((given.argmax(1) == own.argmax(1)).sum()), given[:, 0].size
    difference = float(np.abs(given - own).max())
    if not difference <= ROUNDING * max(1.0, float(np.abs(own).max())) or equal < AGREEING * pixels:
        raise SeglabError(
            "the ONNX file of {run} does not give what the model gives: the class is equal for {equal} of {pixels} "
            "pixels, and logits differ by up to {difference}; nothing was written",
            run=trained.name,
            equal=equal,
            pixels=pixels,
            difference=f"{difference:.2g}",
        )
    return equal, difference


# --- in a process of its own


def exported_apart(directory: Path, out: Path) -> OnnxFile:
    """`export` in a process of its own, which yields the processor to this one and is ended after PATIENCE."""
    refuse_unequipped()
    command = [sys.executable, "-m", "seglab.export", str(directory), str(out), str(os.getpid())]
    apart: dict[str, Any] = {"capture_output": True, "text": True, "timeout": PATIENCE, "cwd": jobs.ROOT}
    try:
        ended = subprocess.run(command, env=jobs.environment(), **apart)
        answer = json.loads(ended.stdout)
    except subprocess.TimeoutExpired:
        raise SeglabError(
            "the ONNX file of {run} was not ready in {seconds} s", run=directory.name, seconds=f"{PATIENCE:g}"
        ) from None
    except (OSError, ValueError) as error:  # short of memory, or the process was ended
        raise SeglabError("{run} cannot be exported: {reason}", run=directory.name, reason=error) from None
    if "template" in answer:
        raise Sentence(**answer).error()
    note = answer.pop("note")
    return OnnxFile(out, tuple(answer.pop("size")), **answer, note=note and Sentence(**note).error())


def serve(directory: Path, out: Path) -> None:
    """Exports a run and prints what came of it as JSON: an OnnxFile without its path, or a Sentence."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what anything prints must not get among it
    try:
        made = export(directory, out)
        answer = {**vars(made), "note": made.note and Sentence.of(made.note).model_dump()}
        del answer["file"]
    except SeglabError as error:
        answer = Sentence.of(error).model_dump()
    except Exception as error:
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        failed = SeglabError("{run} cannot be exported: {reason}", run=directory.name, reason=reason)
        answer = Sentence.of(failed).model_dump()
    print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    jobs.subordinate(int(sys.argv[3]))
    serve(Path(sys.argv[1]), Path(sys.argv[2]))
