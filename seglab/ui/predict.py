"""The Predict tab: one photograph, several models, before and after the CRF."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from seglab import draw, runs
from seglab.data.base import Data, spread
from seglab.data.images import Span, read_photo, resize_image
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Predictor
from seglab.metrics import picture_miou
from seglab.model import Trained
from seglab.prediction import Prediction, Result, Session
from seglab.predictors import Crf
from seglab.ui import compare, views
from seglab.ui.form import Choice, collecting, drawn, fill, of_entry, panel
from seglab.ui.text import label, language, say

MODELS = 4  # side by side
PLACES = MODELS + 1  # the last one is for their vote
EXAMPLES = 8
LONGEST = 480  # pixels of a picture's longer side; larger ones are shrunk before they are labeled
DEADLINE = 10.0  # seconds for one CRF

SESSION = Session()  # all visitors share what models gave for the examples

TELL_EXAMPLE = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-place]');
  if (button) trigger('click', {place: button.dataset.place});
});"""


@dataclass(frozen=True)
class Example:
    """One of the validation images on offer, by its number; they are those of the first picked model's data."""

    index: int


@dataclass(frozen=True)
class Upload:
    """A visitor's photograph, in a file on the server."""

    path: str


@dataclass(frozen=True)
class Picture:
    """What is to be labeled: image uint8 (H, W, 3); where it is known, its truth uint8 at its stored size, with the
    names of its classes."""

    image: np.ndarray
    truth: np.ndarray | None = None
    classes: tuple[str, ...] = ()


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
            captions, sliders = places()
            controls = panel("crf-options")
    chosen = gr.State(Example(0))  # or an Upload
    crf_options = of_entry("predictors", Crf, sliders=True)
    shown = [legend, *captions, *sliders, message]
    quiet: dict[str, Any] = {
        "show_progress": "hidden",
        "api_visibility": "private",
        "concurrency_id": "predict",
        "concurrency_limit": 2,
    }

    def paint(
        names: list[str] | None,
        source: Example | Upload,
        voting: bool,
        names_of: Any,
        typed: Any,
        request: gr.Request,
    ) -> list[Any]:
        chain = predictors.read(names_of, typed)
        names = (names or [])[:MODELS]
        return painted(names, source, crf_options.read(typed), language(request), chain, bool(voting))

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


def places() -> tuple[list[gr.HTML], list[gr.ImageSlider]]:
    """Room for each model and for the vote, two in a row: a caption, and the picture before and after the CRF."""
    captions, sliders = [], []
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
    return captions, sliders


def offered() -> Any:
    """The dropdown's runs as they are now; what the visitor has picked meanwhile stays picked."""
    return gr.Dropdown(choices=views.named(compare.trained()))


def first() -> Any:
    """A new page has two models picked: of the shipped ones, the last in the list of names."""
    known = compare.trained()
    return gr.Dropdown(choices=views.named(known), value=[directory.name for directory in known[-2:]], multiselect=True)


# --- pictures


@lru_cache(maxsize=8)
def data_of(setting: str, directory: Path) -> Data:
    """A run's data, opened; runs whose data `setting` is the same share it."""
    return runs.opened(directory)


def found(name: str) -> Path:
    """The directory of a run on offer; a name that only the page made up is refused, paths above all."""
    directory = next((directory for directory in compare.trained() if directory.name == name), None)
    if directory is None:
        raise SeglabError("there is no run {run}", run=repr(name))
    return directory


def opened(directory: Path) -> Data:
    config = runs.config(directory)
    return data_of(repr((config.data, config.fold, runs.shipped(directory))), directory)


def picture(names: Sequence[str], source: Example | Upload) -> Picture:
    """The photograph that was uploaded, or that example of the first model's data."""
    if isinstance(source, Upload):
        span = runs.description(found(names[0])).get("span")  # older runs have none
        return photo(source.path, span and tuple(span))
    return example(found(names[0]), source.index)


@lru_cache(maxsize=8)
def photo(path: str, span: Span | None = None) -> Picture:
    name = Path(path).name  # where the server keeps it is nobody's business
    return Picture(small(read_photo(path, name, span=span, enough=LONGEST)))


@lru_cache(maxsize=64)
def example(directory: Path, index: int) -> Picture:
    data = opened(directory)
    places = spread(len(data.val), EXAMPLES)
    sample = data.val[places[min(index, len(places) - 1)]]  # another model's data may have fewer images
    return Picture(small(sample.image), sample.mask, data.classes)


def small(image: np.ndarray) -> np.ndarray:
    return resize_image(image, LONGEST) if max(image.shape[:2]) > LONGEST else image


def examples(names: list[str] | None, request: gr.Request) -> str:
    """Thumbnails of the first model's validation images; none where its data is not there."""
    pictures = []
    if names:
        try:
            directory = found(names[0])
            count = min(EXAMPLES, len(opened(directory).val))
        except SeglabError:
            count = 0
        pictures = [example(directory, index).image for index in range(count)]
    shown = [views.picture(image, 120) for image in pictures]
    return views.render("examples.html", language(request), pictures=shown, picked=bool(names))


def picked(event: gr.EventData) -> list[Any]:
    """The pressed example, and no word of a photograph; anything else changes nothing."""
    place = str(event.place)
    return [Example(int(place)), ""] if place.isdecimal() and int(place) < EXAMPLES else [gr.skip(), gr.skip()]


def uploaded(path: str, request: gr.Request) -> list[Any]:
    """Takes a photograph; one that cannot be read leaves the picture as it was and says why."""
    try:
        photo(path)
        return [Upload(path), ""]
    except SeglabError as error:
        lang = language(request)
        return [gr.skip(), views.refusal(error, lang)]


# --- predictions


def painted(
    names: Sequence[str],
    source: Example | Upload,
    crf_options: dict[str, Any],
    lang: str,
    chain: Sequence[dict[str, Any]] = (),
    voting: bool = False,
) -> list[Any]:
    """The legend, each model's caption and its picture before and after the CRF, and what went wrong.

    `chain` are predictors that come before the CRF; with `voting`, the models' soft vote follows them.
    """
    columns, legends, error = [], [], None
    try:
        for shown, result in predicted(names, source, crf_options, chain, voting):
            columns.append((caption(result, shown, lang), slider(result, shown)))
            legends.append(views.legend(result.classes, result.colors, lang))
            error = result.crf_error or error  # the models' own masks are shown all the same
    except SeglabError as why:
        error = why
    wrong = views.refusal(error, lang) if error else ""
    if error and not columns:  # nothing is lost: what was on the page stays
        return [gr.skip()] * (1 + 2 * PLACES) + [wrong]
    columns += [("", gr.ImageSlider(visible=False))] * (PLACES - len(columns))
    captions, sliders = zip(*columns, strict=True)
    return ["".join(dict.fromkeys(legends)), *captions, *sliders, wrong]


def predicted(
    names: Sequence[str],
    source: Example | Upload,
    crf_options: dict[str, Any],
    chain: Sequence[dict[str, Any]],
    voting: bool,
) -> Iterator[tuple[Picture, Result]]:
    """The picture, with what each model gives for it and what their vote does."""
    crf = validated(Crf, crf_options)
    predictors = [validated(Predictor, each) for each in chain]
    directories = [found(name) for name in names]
    if directories:
        models: dict[Hashable, Callable[[], Trained]] = {
            (each, runs.weights_version(each)): partial(runs.loaded, each) for each in directories
        }
        shown = picture(names, source)
        for result in SESSION.side_by_side(models, shown.image, predictors, crf, voting, DEADLINE):
            yield shown, result


def caption(result: Result, shown: Picture, lang: str) -> str:
    """Whose result it is, its scores where the truth is known in the model's own classes, its things and its times."""
    both = before_after(result)
    truth = shown.truth if shown.classes == result.classes else None
    things = [each.instances.max() for each in both if each.instances is not None]
    return views.render(
        "caption.html",
        lang,
        name=runs.short_name(Path(result.names[0])) if len(result.names) == 1 else say("Soft voting", lang),
        scores=None if truth is None else [picture_miou(each.labels, truth, len(result.classes)) for each in both],
        things=things or None,
        ms=result.milliseconds,
        crf_ms=result.crf_milliseconds,
    )


def slider(result: Result, shown: Picture) -> gr.ImageSlider:
    before, after = (overlay(shown.image, each, result.colors) for each in before_after(result))
    return gr.ImageSlider((before, after), visible=True)


def before_after(result: Result) -> tuple[Prediction, Prediction]:
    """What is shown; where the CRF failed, both are the models' own."""
    return result.before, result.after or result.before


def overlay(image: np.ndarray, prediction: Prediction, colors: draw.Colors) -> np.ndarray:
    """The image under its classes' colors. Where the model tells things apart they are outlined, and a small picture
    is enlarged, so that the lines are finer than its pixels."""
    if prediction.instances is None:
        return draw.overlay(image, prediction.labels, colors)
    times = max(1, LONGEST // max(prediction.labels.shape))
    image, labels, instances = (
        each.repeat(times, 0).repeat(times, 1) for each in (image, prediction.labels, prediction.instances)
    )
    return draw.outlined(draw.overlay(image, labels, colors), instances)
