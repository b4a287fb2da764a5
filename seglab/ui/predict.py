"""The Predict tab: one photograph, several models, before and after the CRF."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from seglab import crf, draw, metrics, predict, runs
from seglab.data.base import Data, spread
from seglab.data.images import labels_at, read_photo, resize_image
from seglab.entry import SeglabError, validated
from seglab.predictors import Crf
from seglab.train import folded
from seglab.ui import compare, views
from seglab.ui.form import collecting, drawn, of_entry, panel
from seglab.ui.text import label, language, told

MODELS = 4  # side by side
EXAMPLES = 8
LONGEST = 480  # pixels of a picture's longer side; larger ones are shrunk before they are labelled
DEADLINE = 10.0  # seconds for one CRF


TELL_EXAMPLE = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-place]');
  if (button) trigger('click', {place: button.dataset.place});
});"""


@dataclass(frozen=True)
class Picture:
    """What is to be labelled: image uint8 (H, W, 3), and its truth uint8 at its stored size, where that is known."""

    image: np.ndarray
    truth: np.ndarray | None


def build(tab: gr.Tab) -> None:
    """Builds the tab in the Blocks at hand."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            models = views.run_picker("Models", "predict-models", MODELS)
            gr.HTML(f"<p class='hint'>{label('Examples: validation images of the first model')}</p>", padding=True)
            gallery = gr.HTML(apply_default_css=False, elem_id="predict-examples", js_on_load=TELL_EXAMPLE)
            upload = gr.UploadButton(label("Upload a photograph"), file_types=["image"], elem_id="predict-upload")
        with gr.Column(scale=5, min_width=480):
            message = gr.HTML(apply_default_css=False, elem_id="predict-message")
            legend = gr.HTML(apply_default_css=False, elem_id="predict-legend")
            sliders, captions = [], []
            for row in range(MODELS // 2):
                with gr.Row():
                    for place in range(2 * row, 2 * row + 2):
                        with gr.Column(min_width=240, visible=True):
                            captions.append(gr.HTML(apply_default_css=False, elem_id=f"predict-caption-{place}"))
                            sliders.append(
                                gr.ImageSlider(
                                    show_label=False,
                                    visible=False,
                                    buttons=["fullscreen"],
                                    elem_id=f"predict-slider-{place}",
                                    max_height=520,
                                )
                            )
            controls = panel("crf-options")
    chosen = gr.State(0)  # an example's place, or an uploaded file's path
    crf_options = of_entry("predictors", Crf, sliders=True)
    shown = [legend, *captions, *sliders, message]
    quiet: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_id": "predict",
        "concurrency_limit": 2,
    }

    def paint(names: list[str] | None, place: int | str, typed: Any, request: gr.Request) -> list[Any]:
        return painted((names or [])[:MODELS], place, crf_options.read(typed), language(request))

    def fields(request: gr.Request) -> str:
        return drawn([crf_options], language(request))

    arguments = [models, chosen, controls]
    painting = quiet | {"js": collecting(arguments)}
    tab.select(compare.offered, None, models, **compare.QUIET)
    models.change(examples, models, gallery, **quiet).then(paint, arguments, shown, **painting)
    gallery.click(picked, None, chosen, **quiet)
    upload.upload(uploaded, upload, [chosen, message], **quiet)
    chosen.change(paint, arguments, shown, **painting)
    controls.input(paint, arguments, shown, trigger_mode="always_last", **painting)
    opening = gr.context.Context.root_block.load
    gr.on([opening], fields, None, controls, **compare.QUIET)
    gr.on([opening], first, None, models, **compare.QUIET)


def first() -> Any:
    """A new page has two models picked: of the shipped ones, the last in the list of names."""
    known = compare.trained()
    return gr.Dropdown(choices=views.named(known), value=[directory.name for directory in known[-2:]])


# --- pictures


@lru_cache(maxsize=8)
def data_of(setting: str, directory: Path) -> Data:
    """A run's data, opened; runs whose data `setting` is the same share it."""
    config = runs.config(directory)
    return folded(config.data.open(), config)


def found(name: str) -> Path:
    """The directory of a run on offer; a name that only the page made up is refused, paths above all."""
    directory = next((directory for directory in compare.trained() if directory.name == name), None)
    if directory is None:
        raise SeglabError("there is no run {run}", run=repr(name))
    return directory


def opened(name: str) -> Data:
    directory = found(name)
    config = runs.config(directory)
    return data_of(repr((config.data, config.fold)), directory)


@lru_cache(maxsize=64)
def picture(name: str, place: int | str) -> Picture:
    """The photograph uploaded to the path `place`, or the validation image of the run's data at that place."""
    if isinstance(place, str):
        image, truth = read_photo(place, Path(place).name), None  # where the server keeps it is nobody's business
    else:
        val = opened(name).val
        places = spread(len(val), EXAMPLES)
        sample = val[places[min(place, len(places) - 1)]]  # another model's data may have fewer images
        image, truth = sample.image, sample.mask
    return Picture(resize_image(image, LONGEST) if max(image.shape[:2]) > LONGEST else image, truth)


def examples(names: list[str] | None, request: gr.Request) -> str:
    """Thumbnails of the first model's validation images; none where its data is not there."""
    try:
        count = min(EXAMPLES, len(opened(names[0]).val)) if names else 0
    except SeglabError:
        count = 0
    shown = [views.picture(picture(names[0], place).image, 120) for place in range(count)]
    return views.render("examples.html", language(request), pictures=shown, picked=bool(names))


def picked(event: gr.EventData) -> Any:
    """The place of the pressed example; anything else changes nothing."""
    place = str(event.place)
    return int(place) if place.isdecimal() and int(place) < EXAMPLES else gr.skip()


def uploaded(path: str, request: gr.Request) -> list[Any]:
    """Takes a photograph; one that cannot be read leaves the picture as it was and says why."""
    try:
        picture("", path)
        return [path, ""]
    except SeglabError as error:
        lang = language(request)
        return [gr.skip(), views.render("message.html", lang, text=told(error, lang), kind="wrong")]


# --- predictions


@lru_cache(maxsize=MODELS)
def model(name: str, stamped: float) -> runs.Trained:
    return runs.load(found(name))


@lru_cache(maxsize=2 * MODELS)
def prediction(name: str, stamped: float, source: str, place: int | str) -> tuple[predict.Prediction, float]:
    """What a model predicts for a picture, and the milliseconds it took; a moved CRF slider finds it here.

    The first of two runs is not timed: it prepares the convolutions for this size.
    """
    trained, image = model(name, stamped), picture(source, place).image
    predict.predict(trained, image)
    began = time.perf_counter()
    return predict.predict(trained, image), (time.perf_counter() - began) * 1e3


def painted(names: Sequence[str], place: int | str, crf_options: dict[str, Any], lang: str) -> list[Any]:
    """The legend, each model's caption and its picture before and after the CRF, and what went wrong."""
    hidden: list[Any] = [gr.ImageSlider(visible=False)] * (MODELS - len(names))
    captions, sliders, legend, wrong = [], [], "", ""
    try:
        parameters = validated(Crf, crf_options)
        source = "" if isinstance(place, str) else next(iter(names), "")  # an uploaded photograph is nobody's example
        for name in names:
            directory = found(name)
            stamped = (directory / "weights.safetensors").stat().st_mtime
            shown = picture(source, place)
            before, milliseconds = prediction(name, stamped, source, place)
            began = time.perf_counter()
            try:
                after = before.refined(crf.refine(before.probabilities, shown.image, parameters, deadline=DEADLINE))
            except SeglabError as error:  # the models' own masks are shown all the same
                after, wrong = before, views.render("message.html", lang, text=told(error, lang), kind="wrong")
            refined = (time.perf_counter() - began) * 1e3
            trained = model(name, stamped)
            labels = [before.labels, after.labels]
            sliders.append(
                gr.ImageSlider([overlay(shown.image, each, trained.colors) for each in (before, after)], visible=True)
            )
            scores = scored(labels, shown.truth, trained.classes, source)
            captions.append(
                views.render(
                    "caption.html",
                    lang,
                    name=views.named([directory])[0][0],
                    scores=scores,
                    things=None if before.instances is None else [each.instances.max() for each in (before, after)],
                    ms=milliseconds,
                    crf_ms=refined,
                )
            )
            shown_in = views.legend(trained.classes, trained.colors, lang)
            legend += shown_in if shown_in not in legend else ""
    except SeglabError as error:
        wrong = views.render("message.html", lang, text=told(error, lang), kind="wrong")
        if not sliders:  # nothing is lost: what was on the page stays
            return [gr.skip()] * (1 + 2 * MODELS) + [wrong]
        hidden = [gr.ImageSlider(visible=False)] * (MODELS - len(sliders))
    return [legend, *captions, *[""] * (MODELS - len(captions)), *sliders, *hidden, wrong]


def overlay(image: np.ndarray, found: predict.Prediction, colors: draw.Colors) -> np.ndarray:
    """The image under its classes' colours. Where the model tells things apart they are outlined, and a small picture
    is enlarged, so that the lines are finer than its pixels."""
    if found.instances is None:
        return draw.overlay(image, found.labels, colors)
    times = max(1, LONGEST // max(found.labels.shape))
    image, labels, instances = (
        each.repeat(times, 0).repeat(times, 1) for each in (image, found.labels, found.instances)
    )
    return draw.outlined(draw.overlay(image, labels, colors), instances)


def scored(
    labels: Sequence[np.ndarray], truth: np.ndarray | None, classes: Sequence[str], source: str
) -> list[float] | None:
    """mIoU of this one picture before and after, where its truth is known in the model's own classes."""
    if truth is None or opened(source).classes != tuple(classes):
        return None
    whole = [labels_at(each, *truth.shape) for each in labels]
    return [metrics.miou(metrics.confusion(each, truth, len(classes))) for each in whole]
