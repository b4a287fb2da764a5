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
from seglab.entry import Predictor, SeglabError, validated
from seglab.predictors import Crf
from seglab.train import folded
from seglab.ui import compare, views
from seglab.ui.form import Choice, collecting, drawn, fill, of_entry, panel
from seglab.ui.text import label, language, say

MODELS = 4  # side by side
PLACES = MODELS + 1  # the last one is for their vote
EXAMPLES = 8
LONGEST = 480  # pixels of a picture's longer side; larger ones are shrunk before they are labeled
DEADLINE = 10.0  # seconds for one CRF


TELL_EXAMPLE = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-place]');
  if (button) trigger('click', {place: button.dataset.place});
});"""


@dataclass(frozen=True)
class Picture:
    """What is to be labeled: image uint8 (H, W, 3), and its truth uint8 at its stored size, where that is known."""

    image: np.ndarray
    truth: np.ndarray | None


def build(tab: gr.Tab) -> None:
    """Builds the tab in the Blocks at hand."""
    with gr.Row(equal_height=False):
        with gr.Column(scale=2, min_width=300):
            models = views.run_picker("Models", "predict-models", MODELS)
            vote = gr.Checkbox(
                label=label("Soft voting"),
                info=label("Also show the prediction from the mean of their class probabilities"),
                elem_id="predict-vote",
            )
            gr.HTML(f"<p class='hint'>{label('Examples: validation images of the first model')}</p>", padding=True)
            gallery = gr.HTML(apply_default_css=False, elem_id="predict-examples", js_on_load=TELL_EXAMPLE)
            upload = gr.UploadButton(label("Upload a photo"), file_types=["image"], elem_id="predict-upload")
            with gr.Group(elem_classes="section"):
                info = label("Steps applied at prediction time, in this order, before the CRF")
                predictors = Choice(
                    "predictors", "predictors", label("Prediction steps"), info, [], several=True, without=("crf",)
                )
        with gr.Column(scale=5, min_width=480):
            refused = gr.HTML(apply_default_css=False, elem_id="predict-refused")  # until the next picture
            message = gr.HTML(apply_default_css=False, elem_id="predict-message")
            legend = gr.HTML(apply_default_css=False, elem_id="predict-legend")
            sliders, captions = [], []
            for first_place in range(0, PLACES, 2):
                with gr.Row(elem_classes="pictures"):
                    for place in range(first_place, min(first_place + 2, PLACES)):
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

    def paint(
        names: list[str] | None, place: int | str, voting: bool, names_of: Any, typed: Any, request: gr.Request
    ) -> list[Any]:
        chain = predictors.read(names_of, typed)
        names = (names or [])[:MODELS]
        return painted(names, place, crf_options.read(typed), language(request), chain, bool(voting))

    arguments = [models, chosen, vote, predictors.picker, controls]
    painting = quiet | {"js": collecting(arguments)}
    tab.select(offered, None, models, **views.QUIET)
    models.change(examples, models, gallery, **quiet).then(paint, arguments, shown, **painting)
    gallery.click(picked, None, [chosen, refused], **quiet)
    upload.upload(uploaded, upload, [chosen, refused], **quiet)
    chosen.change(paint, arguments, shown, **painting)
    changed = [controls.input, vote.change, predictors.picker.change, predictors.panel.input]
    gr.on(changed, paint, arguments, shown, trigger_mode="always_last", **painting)
    fill([controls, predictors.panel], lambda lang: [drawn([crf_options], lang), predictors.html(lang)])
    views.opening(first, None, models)


def offered() -> Any:
    """The dropdown's runs as they are now; what the visitor has picked meanwhile stays picked."""
    return gr.Dropdown(choices=views.named(compare.trained()))


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


def picked(event: gr.EventData) -> list[Any]:
    """The place of the pressed example, and no word of a photograph; anything else changes nothing."""
    place = str(event.place)
    return [int(place), ""] if place.isdecimal() and int(place) < EXAMPLES else [gr.skip(), gr.skip()]


def uploaded(path: str, request: gr.Request) -> list[Any]:
    """Takes a photograph; one that cannot be read leaves the picture as it was and says why."""
    try:
        picture("", path)
        return [path, ""]
    except SeglabError as error:
        lang = language(request)
        return [gr.skip(), views.refusal(error, lang)]


# --- predictions


@lru_cache(maxsize=MODELS)
def model(name: str, stamped: float) -> runs.Trained:
    return runs.load(found(name))


@lru_cache(maxsize=2 * PLACES)
def prediction(
    voters: tuple[tuple[str, float], ...], source: str, place: int | str, chain: tuple[Predictor, ...]
) -> tuple[predict.Prediction, float]:
    """What models, each a name and a stamp, predict for a picture together, and the milliseconds it took; a moved CRF
    slider finds it here.

    The first of two runs is not timed: it prepares the convolutions for this size.
    """
    (trained, *others), image = [model(*voter) for voter in voters], picture(source, place).image
    predict.predict(trained, image, chain, others)
    began = time.perf_counter()
    return predict.predict(trained, image, chain, others), (time.perf_counter() - began) * 1e3


def painted(
    names: Sequence[str],
    place: int | str,
    crf_options: dict[str, Any],
    lang: str,
    chain: Sequence[dict[str, Any]] = (),
    voting: bool = False,
) -> list[Any]:
    """The legend, each model's caption and its picture before and after the CRF, and what went wrong.

    `chain` are predictors that come before the CRF; with `voting`, the models' soft vote follows them.
    """
    captions, sliders, legend, wrong = [], [], "", ""
    try:
        parameters = validated(Crf, crf_options)
        predictors = tuple(validated(Predictor, each) for each in chain)
        source = "" if isinstance(place, str) else next(iter(names), "")  # an uploaded photograph is nobody's example
        voters = [(name, (found(name) / "weights.safetensors").stat().st_mtime) for name in names]
        for group in [(voter,) for voter in voters] + ([tuple(voters)] if voting and len(voters) > 1 else []):
            shown = picture(source, place)
            before, milliseconds = prediction(group, source, place, predictors)
            began = time.perf_counter()
            try:
                after = before.refined(crf.refine(before.probabilities, shown.image, parameters, deadline=DEADLINE))
            except SeglabError as error:  # the models' own masks are shown all the same
                after, wrong = before, views.refusal(error, lang)
            refined = (time.perf_counter() - began) * 1e3
            trained = model(*group[0])
            labels = [before.labels, after.labels]
            sliders.append(
                gr.ImageSlider([overlay(shown.image, each, trained.colors) for each in (before, after)], visible=True)
            )
            name = views.named([found(group[0][0])])[0][0] if len(group) == 1 else say("Soft voting", lang)
            captions.append(
                views.render(
                    "caption.html",
                    lang,
                    name=name,
                    scores=scored(labels, shown.truth, trained.classes, source),
                    things=None if before.instances is None else [each.instances.max() for each in (before, after)],
                    ms=milliseconds,
                    crf_ms=refined,
                )
            )
            shown_in = views.legend(trained.classes, trained.colors, lang)
            legend += shown_in if shown_in not in legend else ""
    except SeglabError as error:
        wrong = views.refusal(error, lang)
        if not sliders:  # nothing is lost: what was on the page stays
            return [gr.skip()] * (1 + 2 * PLACES) + [wrong]
    left = PLACES - len(sliders)
    return [legend, *captions, *[""] * left, *sliders, *[gr.ImageSlider(visible=False)] * left, wrong]


def overlay(image: np.ndarray, found: predict.Prediction, colors: draw.Colors) -> np.ndarray:
    """The image under its classes' colors. Where the model tells things apart they are outlined, and a small picture
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
