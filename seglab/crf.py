"""Dense CRF refinement through pydensecrf, in a child process: one bad number there ends the process, not the app.

pydensecrf holds the GIL for a whole call, and its time depends on the picture (a noisy one takes ten times as long as
a flat one), so `refine` and `steps` ask a process that can be killed at a deadline. `refine_here` is the
same as `refine`, in-process.
"""

from __future__ import annotations

import atexit
import math
import os
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from numbers import Real
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import numpy as np

from seglab.entry import shown
from seglab.errors import SeglabError

ONE_COMMAND = "the dense CRF needs pydensecrf2, which a C++ compiler builds: pip install pydensecrf2"
TWO_COMMANDS = (
    "the dense CRF needs pydensecrf2, which a C++ compiler builds in two commands: pip install Cython~=3.0 setuptools "
    "wheel, and then pip install --no-build-isolation pydensecrf2"
)
TOO_LONG = "the dense CRF was stopped after {seconds} s; try fewer iterations or a smaller image"
RANGE = "{thing}: {value} is not allowed; allowed: {lowest} to {highest}"
ARRAY = "{thing}: {value} was given; allowed: {allowed}"
SIZE = "probabilities are {probabilities} pixels and the image is {image} pixels; they must have the same size"

# Widths of 0 or NaN crash pydensecrf, and tiny ones overflow its 16-bit lattice keys without a word.
BOUNDS = {
    "w1": (0, 100),
    "theta_alpha": (0.5, 500),
    "theta_beta": (0.5, 255),
    "w2": (0, 100),
    "theta_gamma": (0.5, 500),
}
MOST_ITERATIONS, MOST_CLASSES = 20, 64
MOST_PIXELS, LONGEST_SIDE = 409_600, 1024  # larger pictures are refined at this size and their answer is enlarged
TOLERANCE = 1e-3  # how far outside [0, 1] a probability may lie by rounding; it is clipped then
CLIP = 1e-5  # log(0) would make the marginals NaN
TINY = 1e-37  # marginals below are not told exactly by float32


class Kernels(Protocol):
    """The weights and widths of the two kernels, and the steps of the mean field; `predictors.Crf` has these."""

    w1: float
    theta_alpha: float
    theta_beta: float
    w2: float
    theta_gamma: float
    iterations: int


def missing() -> SeglabError | None:
    """Why the dense CRF can't run here, or None if it can."""
    try:
        import pydensecrf.densecrf  # noqa: F401
    except ImportError:  # its own build asks for a Cython that does not know Python 3.13
        return SeglabError(ONE_COMMAND if sys.version_info < (3, 13) else TWO_COMMANDS)
    return None


def refine(probabilities: np.ndarray, image: np.ndarray, parameters: Kernels, deadline: float = 20.0) -> np.ndarray:
    """The dense CRF's marginals, float32 (K, H, W), for probabilities (K, H, W) of an image uint8 (H, W, 3).

    Runs in a child process that is killed after `deadline` seconds, the wait for it to start included; a call waits
    as long again at most for its turn behind other threads. Raises SeglabError for inputs that are not allowed,
    after a deadline, and if pydensecrf is not installed. With one class the probabilities come back as they are.
    """
    if reason := missing():
        raise reason
    checked = _checked(probabilities, image, parameters)
    if len(checked[0]) == 1:
        return checked[0]
    return _enlarged(_asked("refine", *_shrunk(*checked), deadline), image.shape[:2])


def refine_here(probabilities: np.ndarray, image: np.ndarray, parameters: Kernels) -> np.ndarray:
    """What `refine` gives, computed in this process: nothing bounds its time, and it holds the GIL."""
    checked = _checked(probabilities, image, parameters)
    if len(checked[0]) == 1:
        return checked[0]
    small, small_image, options = _shrunk(*checked)
    return _enlarged(_marginals(small, small_image, **options), image.shape[:2])


@dataclass(frozen=True)
class Steps:
    """The mean field before its first step and after each: `labels` uint8 (n + 1, H, W), the most probable class of
    every pixel. `divergence` (n + 1): the Kullback-Leibler divergence of the marginals from the CRF's distribution, but
    for a constant that is the same for all steps, in nats per pixel; the mean field looks for where it is least."""

    labels: np.ndarray
    divergence: tuple[float, ...]


def steps(probabilities: np.ndarray, image: np.ndarray, parameters: Kernels, deadline: float = 20.0) -> Steps:
    """What `refine` goes through, of which its answer is the last step; within the same time, with the same errors."""
    if reason := missing():
        raise reason
    return Steps(*_asked("steps", *_checked(probabilities, image, parameters), deadline))


def _shrunk(
    probabilities: np.ndarray, image: np.ndarray, options: dict[str, Any]
) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """Inputs that are too large for pydensecrf at a size that is not; the kernels' widths shrink with them."""
    height, width = image.shape[:2]
    scale = min(1.0, LONGEST_SIDE / max(height, width), math.sqrt(MOST_PIXELS / (height * width)))
    if scale < 1:
        import cv2

        size = max(1, int(width * scale)), max(1, int(height * scale))
        options = options | {
            theta: max(BOUNDS[theta][0], options[theta] * scale) for theta in ("theta_alpha", "theta_gamma")
        }
        probabilities = np.stack([cv2.resize(plane, size, interpolation=cv2.INTER_AREA) for plane in probabilities])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    return probabilities, image, options


def _enlarged(marginals: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Marginals at the given picture's height and width."""
    if marginals.shape[1:] == size:
        return marginals
    import cv2

    return np.stack([cv2.resize(plane, size[::-1], interpolation=cv2.INTER_LINEAR) for plane in marginals])


def _field(
    probabilities: np.ndarray,
    image: np.ndarray,
    w1: float,
    theta_alpha: float,
    theta_beta: float,
    w2: float,
    theta_gamma: float,
) -> tuple[Any, np.ndarray]:
    """pydensecrf's field of checked inputs and its unary energies float32 (K, H * W); a kernel without weight is left
    out, which saves building it."""
    if reason := missing():
        raise reason
    from pydensecrf.densecrf import DenseCRF2D

    classes, height, width = probabilities.shape
    unary = np.clip(probabilities, CLIP, 1.0).reshape(classes, -1)
    np.negative(np.log(unary, out=unary), out=unary)
    field = DenseCRF2D(width, height, classes)
    field.setUnaryEnergy(unary)
    if w2:
        field.addPairwiseGaussian(sxy=theta_gamma, compat=w2)
    if w1:
        field.addPairwiseBilateral(sxy=theta_alpha, srgb=theta_beta, rgbim=image, compat=w1)
    return field, unary


def _marginals(probabilities: np.ndarray, image: np.ndarray, iterations: int, **kernels: float) -> np.ndarray:
    """Mean-field marginals of checked inputs."""
    field, _ = _field(probabilities, image, **kernels)
    return _finite(field.inference(iterations)).reshape(probabilities.shape)


def _finite(marginals: Any) -> np.ndarray:
    found = np.ascontiguousarray(marginals)
    if not np.isfinite(found.sum()):
        raise SeglabError("the dense CRF gave values that are not finite")
    return found


def _stepped(
    probabilities: np.ndarray, image: np.ndarray, parameters: Kernels, each: bool = False
) -> tuple[np.ndarray, tuple[float, ...]]:
    """The labels and divergences of `Steps`.

    The divergence takes what all pixels say to each one, K Q, whose sum with Q pydensecrf adds up as slowly as it takes
    a step. It is asked before the first step and after the last, or with `each` every time: a step's outcome, softmax
    (K Q - U), tells K Q but for a constant at each pixel, and these add up to the same whatever Q is.
    """
    checked = _checked(probabilities, image, parameters)
    labels = [checked[0].argmax(0).astype(np.uint8)]
    count = checked[2]["iterations"]
    if len(checked[0]) == 1:
        return np.stack(labels * (count + 1)), (0.0,) * (count + 1)
    small, small_image, options = _shrunk(*checked)
    del options["iterations"]
    field, unary = _field(small, small_image, **options)
    marginals, *scratch = field.startInference()
    before = np.array(marginals)
    alone = [_alone(before, unary)]
    together = [alone[0] - field.klDivergence(marginals)]
    told: list[float] = []
    for _ in range(count):
        field.stepInference(marginals, *scratch)
        after = np.array(_finite(marginals))
        labels.append(_enlarged(after.reshape(small.shape), image.shape[:2]).argmax(0).astype(np.uint8))
        alone.append(_alone(after, unary))
        if each or len(alone) == count + 1:
            together.append(alone[-1] - field.klDivergence(marginals))
        if not each:
            if after.min() < TINY:  # its logarithm says nothing
                return _stepped(probabilities, image, parameters, each=True)
            said = np.log(after) + unary
            told.append(float(np.sum(before * said, dtype=np.float64) - said.sum(dtype=np.float64) / len(said)))
        before = after
    if not each and count:
        together[1:-1] = [together[0] + here - told[0] for here in told[1:]]
    # pydensecrf counts a pair of pixels from both ends, as if the kernels had twice the weights by which its steps go
    found = [(one - two / 2) / unary.shape[1] for one, two in zip(alone, together, strict=True)]
    return np.stack(labels), tuple(found)


def _alone(marginals: np.ndarray, unary: np.ndarray) -> float:
    """The part of the divergence that every pixel has for itself: Q (log Q + U), summed."""
    return float(np.sum(marginals * (np.log(np.maximum(marginals, TINY)) + unary), dtype=np.float64))


def _checked(probabilities: Any, image: Any, parameters: Any) -> tuple[np.ndarray, np.ndarray, dict[str, Any]]:
    """The inputs as pydensecrf can take them (float32 and uint8, in C order), or a SeglabError that says what is wrong.

    The image is a copy: pydensecrf refuses read-only memory, which PIL's arrays are.
    """
    options = {thing: float(_within(thing, getattr(parameters, thing), *bounds)) for thing, bounds in BOUNDS.items()}
    iterations = _within("iterations", parameters.iterations, 0, MOST_ITERATIONS)
    if iterations != int(iterations):
        raise SeglabError("{thing}: {value} is not a whole number", thing="iterations", value=shown(iterations))
    options["iterations"] = int(iterations)

    colour = isinstance(image, np.ndarray) and image.dtype == np.uint8 and image.ndim == 3 and image.shape[2] == 3
    if not colour or not image.size:
        raise SeglabError(ARRAY, thing="image", value=_kind(image), allowed="uint8 (height, width, 3)")
    if not isinstance(probabilities, np.ndarray) or probabilities.dtype.kind != "f" or probabilities.ndim != 3:
        allowed = "floating point (classes, height, width)"
        raise SeglabError(ARRAY, thing="probabilities", value=_kind(probabilities), allowed=allowed)
    classes, *size = probabilities.shape
    if tuple(size) != image.shape[:2]:
        sizes = {"probabilities": f"{size[1]} x {size[0]}", "image": f"{image.shape[1]} x {image.shape[0]}"}
        raise SeglabError(SIZE, **sizes)
    _within("classes", classes, 1, MOST_CLASSES)

    with np.errstate(over="ignore"):  # what is too large for float32 becomes infinite, and is refused below
        probabilities = np.ascontiguousarray(probabilities, dtype=np.float32)
    for extreme in (float(probabilities.min()), float(probabilities.max())):  # both are NaN if any number is
        if not -TOLERANCE <= extreme <= 1 + TOLERANCE:
            raise SeglabError(RANGE, thing="probabilities", value=extreme, lowest=0, highest=1)
    return probabilities, np.array(image, order="C"), options


def _within(thing: str, value: Any, lowest: float, highest: float) -> Any:
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not number or not lowest <= value <= highest:
        raise SeglabError(RANGE, thing=thing, value=shown(value), lowest=lowest, highest=highest)
    return value


def _kind(value: Any) -> str:
    return f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else type(value).__name__


# --- the child process ----------------------------------------------------------------------------------------------


def _asked(task: str, probabilities: np.ndarray, image: np.ndarray, options: dict[str, Any], deadline: float) -> Any:
    """What the child process makes of checked inputs; raises the error that it answers."""
    good, answer = _child.ask((task, probabilities, image, options), deadline)
    if good:
        return answer
    template, values = answer
    raise SeglabError(template, **values)


class _Child:
    """The one process that runs the CRF: started when it is needed, killed at a deadline, replaced when it has died."""

    def __init__(self) -> None:
        self.turn = threading.Lock()
        self.process: subprocess.Popen | None = None

    def ask(self, job: Any, deadline: float) -> Any:
        """The process's answer to a job; a job that the process dies of is tried once more."""
        if not self.turn.acquire(timeout=deadline):
            raise SeglabError("the dense CRF was busy for {seconds} s; try again in a moment", seconds=deadline)
        try:
            ends = time.monotonic() + deadline
            for _ in range(2):
                answer = self.answer(job, ends)
                if answer is not None:
                    return answer
                if time.monotonic() >= ends:
                    raise SeglabError(TOO_LONG, seconds=deadline)
            raise SeglabError("the dense CRF crashed on this image, twice; it may have run out of memory")
        finally:
            self.turn.release()

    def answer(self, job: Any, ends: float) -> Any:
        """What the process says, or None if it died or was killed because the clock reached `ends`."""
        if self.process is None or self.process.poll() is not None:  # a forked copy of us sees it as ended, too
            self.stop()
            self.process = _started()
        assert self.process.stdin and self.process.stdout  # two pipes
        # Killing ends every wait for the process, also the one for it to take the job.
        alarm = threading.Timer(ends - time.monotonic(), self.process.kill)
        alarm.daemon = True
        alarm.start()
        try:
            pickle.dump(job, self.process.stdin, protocol=5)
            self.process.stdin.flush()
            return pickle.load(self.process.stdout)
        except (EOFError, OSError, pickle.UnpicklingError):
            self.stop()
            return None
        except BaseException:  # an unread answer must not be taken for the next job's
            self.stop()
            raise
        finally:
            alarm.cancel()

    def stop(self) -> None:
        """Ends the process, if there is one."""
        if self.process is None:
            return
        self.process.kill()
        self.process.wait()
        for pipe in filter(None, (self.process.stdin, self.process.stdout)):
            with suppress(OSError):  # what was not sent yet can't be sent any more
                pipe.close()
        self.process = None


def _started() -> subprocess.Popen:
    # multiprocessing would import the parent's main module again, which may be the whole app.
    return subprocess.Popen(
        [sys.executable, "-m", "seglab.crf"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        cwd=Path(__file__).resolve().parents[1],
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=True,  # Ctrl-C in the parent's terminal is the parent's business
    )


def _serve() -> None:
    """Answers jobs from standard input on standard output, until the parent closes it or is gone."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what anything prints must not get among the answers
    with suppress(OSError):  # Linux: short of memory, the kernel is to end this process and not the app
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")
    with suppress(EOFError, BrokenPipeError):
        while True:
            pickle.dump(_answered(*pickle.load(sys.stdin.buffer)), answers, protocol=5)
            answers.flush()


def _answered(task: str, probabilities: np.ndarray, image: np.ndarray, options: dict[str, Any]) -> tuple[bool, Any]:
    """Whether the task went well, and its answer, or an error's template and values."""
    try:
        tasks: dict[str, Callable[..., Any]] = {"refine": refine_here, "steps": _stepped}
        return True, tasks[task](probabilities, image, SimpleNamespace(**options))
    except SeglabError as error:
        return False, (error.template, error.values)
    except Exception as error:
        failed = SeglabError("the dense CRF failed: {reason}", reason=f"{type(error).__name__}: {error}")
        return False, (failed.template, failed.values)


_child = _Child()
atexit.register(_child.stop)

if __name__ == "__main__":
    _serve()
