"""What several models make of one picture, before and after the CRF: label maps, which `viewer.js` paints."""

from __future__ import annotations

import contextlib
import io
import json
import secrets
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from seglab import draw, runs
from seglab.data.base import VOID, spread
from seglab.data.images import Span, labels_at, read_photo, resize_image
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Predictor
from seglab.metrics import picture_miou
from seglab.model import Trained
from seglab.prediction import Prediction, Result, Session
from seglab.predictors import Crf
from seglab.ui.board import BOARD
from seglab.ui.options import Options, of_entry
from seglab.ui.parts.masks import address
from seglab.ui.text import language, render, say, told
from seglab.ui.views import hexadecimal, uri, webp
from seglab.ui.wires import fenced, sent

MODELS = 4  # side by side
EXAMPLES = 8
LONGEST = 480  # pixels of a picture's longer side; larger ones are shrunk before they are labeled
QUICK = 224  # the same of a preview, while a slider is being moved
DEADLINE = 10.0  # seconds for one CRF
MOST_PHOTOS = 200  # of visitors, that are remembered

SESSION = Session()  # all visitors share what models gave for the examples
PHOTOS: OrderedDict[str, Path] = OrderedDict()  # visitors' photographs by what their pages call them


@dataclass(frozen=True)
class Picture:
    """What is to be labeled: image uint8 (H, W, 3); where it is known, its truth uint8 at its stored size, with the
    names of its classes. `key` stands for it: a page that has it does not get it again."""

    key: str
    image: np.ndarray
    truth: np.ndarray | None = None
    classes: tuple[str, ...] = ()


# --- what stands beside the picture


@lru_cache(maxsize=1)
def steps() -> dict[str, Options]:
    """The predictors that come before the CRF, with their options."""
    return {
        name: of_entry("predictors", entry, sliders=True)
        for name, entry in FAMILIES["predictors"].entries.items()
        if name != Crf.name
    }


@lru_cache(maxsize=1)
def crf() -> Options:
    return of_entry("predictors", Crf, sliders=True)


@lru_cache(maxsize=8)
def html(lang: str) -> str:
    """The controls in a language."""
    return render("viewer.html", lang, steps=steps(), crf=crf())


# --- pictures


def examples(directory: Path) -> list[str]:
    """The addresses of small validation images of a run's data; none where that is not here."""
    try:
        count = min(EXAMPLES, len(runs.opened_once(directory).val))
    except SeglabError:
        return []
    version = str(runs.description(directory)["digests"]["val"])[:12]
    return [address(directory, "example", n, v=version) for n in range(count)]


@lru_cache(maxsize=128)
def thumbnail(directory: Path, index: int) -> bytes:
    return webp(resize_image(example(directory, index, LONGEST).image, 120))


@lru_cache(maxsize=64)
def example(directory: Path, index: int, longest: int) -> Picture:
    data = runs.opened_once(directory)
    places = spread(len(data.val), EXAMPLES)
    place = places[min(index, len(places) - 1)]  # another model's data may have fewer images
    sample = data.val[place]
    return Picture(f"{directory.name} {place} {longest}", small(sample.image, longest), sample.mask, data.classes)


@lru_cache(maxsize=8)
def photo(path: Path, span: Span | None, longest: int) -> Picture:
    if longest < LONGEST:  # the large one is there, or will be wanted in a moment
        image = photo(path, span, LONGEST).image
    else:
        image = read_photo(path, path.name, span=span, enough=longest)  # where it is kept is nobody's business
    return Picture(f"{path.parent.name} {span} {longest}", small(image, longest))


def small(image: np.ndarray, longest: int) -> np.ndarray:
    return resize_image(image, longest) if max(image.shape[:2]) > longest else image


def picture(directories: Sequence[Path], source: Any, quick: bool) -> Picture:
    """The photograph that was uploaded, or an example of the first model's data."""
    source = source if isinstance(source, dict) else {}
    longest = QUICK if quick else LONGEST
    if photograph := source.get("photo"):
        path = PHOTOS.get(str(photograph))
        if path is None or not path.exists():
            raise SeglabError("this photo is not on the server any more; upload it again")
        span = runs.description(directories[0]).get("span")  # older runs have none
        return photo(path, span and tuple(span), longest)
    number = source.get("example", 0)
    index = number if isinstance(number, int) and 0 <= number < EXAMPLES else 0
    return example(directories[0], index, longest)


@fenced
def accept(path: str, request: gr.Request) -> str:
    """Takes a photograph and gives what the page is to call it; or says why it cannot be read."""
    try:
        photo(Path(path), None, LONGEST)
    except SeglabError as error:
        return json.dumps({"kind": "uploaded", "error": told(error, language(request))})
    name = secrets.token_hex(12)
    PHOTOS[name] = Path(path)
    while len(PHOTOS) > MOST_PHOTOS:
        PHOTOS.popitem(last=False)
    return json.dumps({"kind": "uploaded", "photo": name})


# --- predictions


@fenced
def predict(data: str, request: gr.Request) -> str:
    """What the shown models make of the picture, as label maps, and what went wrong."""
    asked, lang = sent(data), language(request)
    answer: dict[str, Any] = {"kind": "predicted", "number": asked.get("number"), "results": [], "error": ""}
    try:
        directories = directories_of(asked)
        left_out = unknown_to_any(directories)
        for shown, result in predicted(asked, directories):
            if "key" not in answer:
                answer |= whole(shown, result, asked.get("key"))
            answer["results"].append(described(result, shown, left_out, lang))
            if result.crf_error:  # the models' own masks are shown all the same
                answer["error"] = told(result.crf_error, lang)
    except SeglabError as error:
        answer["error"] = told(error, lang)
    return json.dumps(answer)


def directories_of(data: dict[str, Any]) -> list[Path]:
    """Those of the models that a page shows, which may send anything."""
    names = data.get("runs")
    return [BOARD.found(str(name)) for name in (names if isinstance(names, list) else [])[:MODELS]]


def unknown_to_any(directories: Sequence[Path]) -> tuple[int, ...] | None:
    """The classes without which models are scored on one picture: those that one of them does not know; None where none
    may label pixels void. Models of other classes than the first's have no part in it."""
    known = []
    for directory in directories:
        with contextlib.suppress(SeglabError):  # of a run that has not begun, which is told when it is asked
            known.append(runs.description(directory))
    found = [runs.unknown_of(each) for each in known if each["classes"] == known[0]["classes"]]
    if all(each is None for each in found):
        return None
    return tuple(sorted({place for each in found for place in each or ()}))


def predicted(data: dict[str, Any], directories: Sequence[Path]) -> Iterator[tuple[Picture, Result]]:
    """The picture, with what each model gives for it and what their vote does."""
    wanted, typed = data.get("steps"), data.get("options")
    refining = validated(Crf, crf().read(typed))
    chain = [
        validated(Predictor, {"name": name} | (steps()[name].read(typed) if name in steps() else {}))
        for name in (wanted if isinstance(wanted, list) else [])
        if isinstance(name, str)
    ]
    if not directories:
        return
    models: dict[Hashable, Callable[[], Trained]] = {
        (each, runs.weights_version(each)): partial(runs.loaded, each) for each in directories
    }
    shown = picture(directories, data.get("picture"), bool(data.get("quick")))
    for result in SESSION.side_by_side(models, shown.image, chain, refining, bool(data.get("vote")), DEADLINE):
        yield shown, result


def whole(shown: Picture, result: Result, known: Any) -> dict[str, Any]:
    """The picture itself, unless the page has it, and its truth in the classes of the models."""
    found: dict[str, Any] = {"key": shown.key, "height": shown.image.shape[0], "width": shown.image.shape[1]}
    if known != shown.key:
        found["image"] = uri("webp", webp(shown.image))
        found["truth"] = None
        if shown.truth is not None:
            truth = labels_at(shown.truth, *shown.image.shape[:2])
            found["truth"], found["classes"] = uri("png", gray(truth)), list(shown.classes)
    return found


def described(result: Result, shown: Picture, left_out: tuple[int, ...] | None, lang: str) -> dict[str, Any]:
    """One model's labels before and after the CRF, its scores where the truth is known in its own classes, and its
    times; where the CRF failed, both are the model's own. Scores are without the classes that are `left_out`; of a
    model that may label pixels void, the share of those."""
    both = result.before, result.after or result.before
    truth = shown.truth if shown.classes == result.classes else None
    alone = len(result.names) == 1
    return {
        "run": result.names[0] if alone else "",
        "name": runs.label(BOARD.found(result.names[0])).name if alone else say("Soft voting", lang),
        "classes": [[hexadecimal(color), name] for color, name in zip(result.colors, result.classes, strict=True)],
        "maps": [uri("png", gray(each.labels)) for each in both],
        "edges": [uri("png", gray(edges(each))) for each in both if each.instances is not None],
        "scores": None
        if truth is None
        else [picture_miou(each.labels, truth, len(result.classes), left_out) for each in both],
        "without": [result.classes[n] for n in left_out or ()],
        "void": None if result.unknown is None else [float((each.labels == VOID).mean()) for each in both],
        "things": [int(each.instances.max()) for each in both if each.instances is not None],
        "ms": round(result.milliseconds),
        "crf_ms": round(result.crf_milliseconds or 0),
    }


def edges(prediction: Prediction) -> np.ndarray:
    """uint8 (H, W): 1 where one thing that the model tells apart ends and another begins."""
    assert prediction.instances is not None
    return draw.edges(prediction.instances).astype(np.uint8)


def gray(labels: np.ndarray) -> bytes:
    """Labels uint8 (H, W) as a PNG whose gray values they are."""
    from PIL import Image

    buffer = io.BytesIO()
    Image.fromarray(labels).save(buffer, "PNG", compress_level=4)
    return buffer.getvalue()
