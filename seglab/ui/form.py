"""The forms: what can be picked and set, derived from RunConfig and the entries.

The lists to pick from are Gradio's own. The options of a list's entries are HTML, filled in here and read back by
`form.js` as {field: {entry: {option: value}}}: Gradio pays for each component of its own six times while a page opens,
and there is one option for each number of each entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import plans, uploads
from seglab.comparison.settings import flat
from seglab.config import RunConfig, configured, family_of
from seglab.entry import FAMILIES, Entry, validated
from seglab.errors import SeglabError
from seglab.families import Dataset, Plan
from seglab.losses.combined import Part, Sum
from seglab.ui import views
from seglab.ui.text import label, language
from seglab.ui.titles import HINTS, OPTION, PRESETS, option_title

NOT_ON_PAGE = ("init_from", "fold")  # paths never come from the page, and folds belong to plans
OWN = "own"  # instead of a preset
FEW = 4  # texts of a list for which the page has a line each
TELL_CARD = """element.addEventListener('click', event => {
  const button = event.target.closest('button.measure');
  if (button) { button.disabled = true; trigger('click', {model: button.dataset.model}); return; }
  if (document.fullscreenElement) document.exitFullscreen();
  else event.target.closest('figure')?.requestFullscreen();
});"""
TELL_PLAN = """element.addEventListener('click', event => {
  const button = event.target.closest('button[data-event]');
  if (!button) return;
  button.disabled = true;
  if (button.dataset.event === 'click') setTimeout(() => { button.disabled = false; }, 3000);  // the list may stay
  trigger(button.dataset.event);
});"""
TELL_FORGET = "element.addEventListener('click', event => event.target.closest('button.act') && trigger('click'));"
TELL_CHANGE = "element.addEventListener('change', () => trigger('input'));"


def collecting(inputs: Sequence[Any]) -> str:
    """The `js` of an event whose last input is a panel: sends what all panels of the page hold in its place."""
    return f"(...given) => [...given.slice(0, {len(inputs) - 1}), seglab.options()]"


def panel(place: str) -> gr.HTML:
    """Where the options of a list's entries stand; tells when one is changed."""
    return gr.HTML(apply_default_css=False, elem_id=place, js_on_load=TELL_CHANGE)


def fill(panels: Sequence[gr.HTML], html: Callable[[str], list[str]]) -> None:
    """Fills panels of the Blocks at hand with their HTML in a language: in English before the page is sent, in another
    as soon as the page has told the visitor's; until then style.css hides the English there."""
    for panel, english in zip(panels, html("en"), strict=True):
        panel.value = english

    def translate(request: gr.Request) -> list[Any]:
        lang = language(request)
        return [gr.skip()] * len(panels) if lang == "en" else html(lang)

    views.opening(translate, None, list(panels))


def option(name: str, schema: Mapping[str, Any], value: Any, sliders: bool = False) -> dict[str, Any] | None:
    """What the page needs to know of one option, or None where it offers none (paths, long lists of words)."""
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    kind, found = kinds[0], {"name": name, "info": schema.get("description", ""), "value": value}
    found["title"] = option_title(name)
    if "enum" in kind:
        return found | {"kind": "choice", "choices": kind["enum"]}
    if kind.get("type") == "boolean":
        return found | {"kind": "switch"}
    if "examples" in schema:  # a word out of more than a list could show
        return found | {"kind": "word", "choices": schema["examples"]}
    if kind.get("type") in ("integer", "number"):
        return found | number(kind, value, sliders)
    if kind.get("items", {}).get("type") in ("integer", "number"):
        return found | {"kind": "numbers", "value": ", ".join(map(str, value))}
    if kind.get("items", {}).get("type") == "string" and kind.get("maxItems", FEW + 1) <= FEW:
        return found | {"kind": "lines", "value": "\n".join(value), "rows": kind["maxItems"]}
    return None


def number(kind: Mapping[str, Any], value: float | None, sliders: bool) -> dict[str, Any]:
    """A box to type in; where sliders are wanted and both ends are known, a slider beside it."""
    whole, low, high = kind["type"] == "integer", kind.get("minimum"), kind.get("maximum")
    between = low is not None and high is not None
    span = high - low if low is not None and high is not None else 0
    return {
        "kind": "slider" if sliders and between else "number",
        "whole": whole,
        "low": low,
        "high": high,
        "step": 1 if whole else 0.01 if span <= 2 else 0.1 if span <= 20 else 0.5,
        "shown": "" if value is None else f"{value:.12g}",
        "limits": f"{low:g}–{high:g}" if between else "",
    }


class Options:
    """The options of one entry, or of the run itself: their fields on the page, and what the page sends of them."""

    def __init__(
        self,
        field: str,
        name: str,
        schemas: Mapping[str, Any],
        values: Mapping[str, Any],
        summary: str = "",
        source: str = "",
        sliders: bool = False,
    ):
        self.field, self.name, self.summary, self.source = field, name, summary, source
        self.place = name if summary else "form"
        made = (option(each, kind, values.get(each, kind.get("default")), sliders) for each, kind in schemas.items())
        self.offered = [each for each in made if each is not None]

    def read(self, typed: Any) -> dict[str, Any]:
        """The offered options as typed, at their first value where the page has sent none; nothing else it has sent."""
        for key in (self.field, self.name):
            typed = typed.get(key) if isinstance(typed, dict) else None
        typed = typed if isinstance(typed, dict) else {}
        return {each["name"]: held(each, typed.get(each["name"], each["value"])) for each in self.offered}


def held(option: Mapping[str, Any], typed: Any) -> Any:
    """What is typed into an option's field, as its class takes it."""
    separator = {"numbers": ",", "lines": "\n"}.get(option["kind"])
    if separator is None or not isinstance(typed, str):
        return typed
    return [part.strip() for part in typed.split(separator) if part.strip()]


def of_entry(
    field: str,
    entry: type[Entry],
    values: Mapping[str, Any] | None = None,
    weighted: bool = False,
    sliders: bool = False,
) -> Options:
    """An entry's options, at these values or their own defaults; with a weight before them where entries are summed."""
    schemas = {"weight": Part.model_json_schema()["properties"]["weight"]} if weighted else {}
    schemas |= entry.model_json_schema()["properties"]
    return Options(field, entry.name, schemas, values or {}, entry.summary(), entry.reference(), sliders)


def uploaded(typed: Any) -> Any:
    """What the page sends as its reference to an upload, or None; only `uploads` knows what it stands for."""
    for key in ("data", "folder", "upload"):
        typed = typed.get(key) if isinstance(typed, dict) else None
    return typed


def drawn(parts: Sequence[Options], lang: str, picked: Sequence[str] | None = None, folded: bool = False) -> str:
    """The fields of some options as HTML; `picked` are those shown, all of them without it."""
    shown = [part.name for part in parts] if picked is None else picked
    return views.render("options.html", lang, parts=parts, picked=shown, folded=folded)


class Choice:
    """A field that takes one or several entries of a family: a list to pick from, and the options of what is picked."""

    def __init__(
        self,
        family: str,
        field: str,
        title: Any,
        info: Any,
        picked: Sequence[Entry],
        several: bool = False,
        weighted: bool = False,
        without: tuple[str, ...] = (),
        folded: bool = True,
    ):
        defaults = {entry.name: dict(entry) for entry in picked}
        self.field, self.weighted, self.several, self.folded = field, weighted, several, folded
        self.known = {name: entry for name, entry in FAMILIES[family].entries.items() if name not in without}
        self.entries = {
            name: of_entry(field, entry, defaults.get(name), weighted) for name, entry in self.known.items()
        }
        self.picker = gr.Dropdown(
            list(self.entries),
            value=list(defaults) if several else next(iter(defaults), None),
            multiselect=several,
            label=title,
            info=info,
            elem_id=f"form-{field}",
        )
        self.picked = list(defaults)
        self.panel = panel(f"{field}-entries")
        self.picker.change(None, self.picker, None, js=f"picked => seglab.show('#{field}-entries', picked)")

    def html(self, lang: str) -> str:
        """All entries with their options; those that are picked at first are shown."""
        return drawn(list(self.entries.values()), lang, self.picked, self.folded)

    def filled(self, value: Entry | Sequence[Entry], lang: str) -> list[Any]:
        """The picker and the panel with what a configuration has in the field, and every other entry as at first."""
        if isinstance(value, Sum):
            values = {part.loss.name: {"weight": part.weight} | dict(part.loss) for part in value.parts}
        else:
            values = {entry.name: dict(entry) for entry in (value if isinstance(value, Sequence) else [value])}
        options = [
            of_entry(self.field, entry, values[name], self.weighted) if name in values else self.entries[name]
            for name, entry in self.known.items()
        ]
        picked = list(values)
        return [picked if self.several else picked[0], drawn(options, lang, picked, self.folded)]

    def read(self, picked: Any, typed: Any) -> list[dict[str, Any]]:
        """Every picked entry with its options, weighted losses as parts of a sum; unknown names stay, to be refused."""
        found = []
        for name in picked if isinstance(picked, list) else [picked] if picked else []:
            known = self.entries.get(name) if isinstance(name, str) else None
            options = known.read(typed) if known else {}
            weight = options.pop("weight", 1) if self.weighted else 1
            entry = {"name": name} | options
            found.append({"weight": weight, "loss": entry} if self.weighted else entry)
        return found


UPLOAD_FIRST = "folder is for your own images and masks: upload a zip of them under Data"


def refuse_absent(dataset: Dataset) -> None:
    """Raises SeglabError for a data source whose files are not on this server."""
    if dataset.here:
        return
    if dataset.name == "folder":
        raise SeglabError(UPLOAD_FIRST)
    raise SeglabError("{name}: this data is not on this server; pick another, or upload your own", name=dataset.name)


class Form:
    """RunConfig as a form: several models at once, everything else once for all of them."""

    def __init__(self) -> None:
        default, fields = RunConfig(), RunConfig.model_fields
        schemas = RunConfig.model_json_schema()["properties"]
        self.choices: dict[str, Choice] = {}

        def choice(field: str, picked: Sequence[Entry], family: str | None = None, **options: Any) -> Choice:
            if family is None:
                kind = family_of(field)
                assert kind  # the field takes an entry
                family = kind.family
            name = label(option_title(field), context=OPTION)
            info = label(HINTS.get(field, fields[field].description or ""))
            self.choices[field] = Choice(family, field, name, info, picked, **options)
            return self.choices[field]

        with gr.Group(elem_classes="section"):
            names = FAMILIES["presets"].entries
            presets = [(label(PRESETS.get(name, option_title(name))), name) for name in names]
            self.preset = gr.Dropdown(
                [(label("My own settings"), OWN), *presets],
                value=OWN,
                label=label("Preset"),
                info=label("a recipe that fills in the form below; anything can be changed afterwards"),
                elem_id="form-preset",
            )
        with gr.Group(elem_classes="section"):
            self.model = choice("model", [default.model], several=True)
            with gr.Accordion(label("About these models"), open=False, elem_id="about") as self.about:
                self.cards = gr.HTML(apply_default_css=False, elem_id="cards", js_on_load=TELL_CARD)
        with gr.Group(elem_classes="section"):
            self.data = choice("data", [default.data])
            self.uploaded = gr.HTML(apply_default_css=False, elem_id="uploaded")
            with gr.Accordion(
                label("Inspect this data, or upload your own"), open=False, elem_id="inside"
            ) as self.inside:
                self.upload = gr.UploadButton(
                    label("Upload a zip of images and masks"), file_types=[".zip"], size="sm", elem_id="zip"
                )
                self.surveyed = gr.HTML(apply_default_css=False, elem_id="surveyed", js_on_load=TELL_FORGET)
        with gr.Group(elem_classes="section"):
            self.panel = panel("form-run")
        with gr.Accordion(
            label("Loss, schedule, optimizer, augmentation"), open=False, elem_id="form-more"
        ) as self.more:
            assert isinstance(default.loss, Sum)
            losses = [part.loss for part in default.loss.parts]
            self.loss = choice("loss", losses, several=True, weighted=True, without=("sum",))
            self.scheduler = choice("scheduler", [default.scheduler])
            self.curve = gr.HTML(apply_default_css=False, elem_id="form-curve")
            self.optimizer = choice("optimizer", [default.optimizer])
            self.techniques = choice("techniques", [], "techniques", several=True)
            self.preview = gr.Button(label("Preview the training images"), size="sm", elem_id="preview")
            self.previewed = gr.HTML(apply_default_css=False, elem_id="previewed")
        with gr.Accordion(label("Plan several runs"), open=False, elem_id="planning") as self.planning:
            info = label("what varies between the runs; everything else is as above")
            self.plan = Choice("plans", "plan", label("Plan"), info, [plans.Seeds()], folded=False)
            self.planned = gr.HTML(apply_default_css=False, elem_id="planned", js_on_load=TELL_PLAN)
        scalars = {name: schemas[name] for name in schemas if name not in (*self.choices, *NOT_ON_PAGE)}
        self.scalars, self.run = scalars, Options("run", "run", scalars, dict(default))
        self.panels = [self.panel, *(choice.panel for choice in self.choices.values()), self.plan.panel]
        # What a handler needs to read the form; the last one stands for what all panels hold.
        self.inputs = [*(choice.picker for choice in self.choices.values()), self.panel]

    def html(self, lang: str) -> list[str]:
        """What the panels show."""
        return [drawn([self.run], lang), *(each.html(lang) for each in self.choices.values()), self.plan.html(lang)]

    def models(self, given: Sequence[Any]) -> list[dict[str, Any]]:
        """The picked models with their options; `given` are the values of `inputs`."""
        return self.model.read(given[0], given[-1])

    def dataset(self, given: Sequence[Any]) -> Dataset:
        """The picked data source with its options."""
        picked, typed = dict(zip(self.choices, given, strict=False))["data"], given[-1]
        found: Dataset = validated(Dataset, self.located(next(iter(self.data.read(picked, typed)), None), typed))
        refuse_absent(found)
        return found

    def side(self, given: Sequence[Any]) -> int | None:
        """The longer side of images in training, where it is one."""
        side = self.run.read(given[-1]).get("image_size")
        return side if isinstance(side, int) and side > 0 else None

    def own(self, given: Sequence[Any]) -> bool:
        """Whether the picked data source is the visitor's upload."""
        return dict(zip(self.choices, given, strict=False))["data"] == "folder" and uploaded(given[-1]) is not None

    def located(self, data: dict[str, Any] | None, typed: Any) -> dict[str, Any] | None:
        """The data source as read, a folder at the place of the visitor's upload where the page refers to one."""
        reference = uploaded(typed)
        if data is None or data["name"] != "folder" or reference is None:
            return data
        return data | {"root": uploads.found(reference)}

    def schedule(self, given: Sequence[Any]) -> RunConfig:
        """A configuration with the learning rate of the form, and all else as in the default."""
        picked, typed = dict(zip(self.choices, given, strict=False)), given[-1]
        read = {
            name: next(iter(self.choices[name].read(picked[name], typed)), None) for name in ("scheduler", "optimizer")
        }
        run = self.run.read(typed)
        return validated(RunConfig, read | {name: run[name] for name in ("epochs", "budget_seconds")})

    def fill_in(self) -> None:
        """A preset that is picked fills in all but the data, the seed and the plan.

        As soon as any of it is changed, the settings are the visitor's own again.
        """
        filled = [choice for name, choice in self.choices.items() if name != "data"]
        outputs = [self.more, self.panel, *(each for choice in filled for each in (choice.picker, choice.panel))]

        def fill_in(request: gr.Request, name: Any, *given: Any) -> list[Any]:
            if name == OWN:
                return [gr.skip()] * len(outputs)
            config, lang = configured({"preset": name}), language(request)
            run = dict(config) | {"seed": self.run.read(given[-1])["seed"]}
            # Opened, so that all can be seen; what has never been open is not in the page, and would not be sent.
            found = [gr.Accordion(open=True), drawn([Options("run", "run", self.scalars, run)], lang)]
            for choice in filled:
                found += choice.filled(getattr(config, choice.field), lang)
            return found

        by_hand = [self.panel.input, *(event for each in filled for event in (each.picker.input, each.panel.input))]
        gr.on(by_hand, None, None, self.preset, js=f"() => {OWN!r}", api_visibility="private")
        inputs = [self.preset, *self.inputs]
        self.preset.input(fill_in, inputs, outputs, js=collecting(inputs), **views.QUIET)

    def changes(self) -> list[Any]:
        """The events of whatever a run is made of; a plan's own are not among them."""
        events = [self.panel.input]
        for choice in self.choices.values():
            events += [choice.picker.change, choice.panel.input]
        return events

    def steps(self, picked: Any, given: Sequence[Any]) -> tuple[Plan, str, list[plans.Step]]:
        """The picked plan of what the form holds, its name, and its runs; raises SeglabError, also for other paths than
        those of the plan's own runs and of the visitor's upload."""
        plan, configs = validated(Plan, next(iter(self.plan.read(picked, given[-1])), None)), self.configs(given)
        title, steps = plans.laid_out(plan, configs)
        allowed = {step.directory for step in steps} | {getattr(config.data, "root", None) for config in configs}
        for step in steps:
            for option, value in flat(step.config.model_dump()).items():
                if isinstance(value, Path) and value not in allowed:
                    raise SeglabError(
                        "{option}: {value} is a path, and the page accepts no paths", option=option, value=value
                    )
        return plan, title, steps

    def configs(self, given: Sequence[Any]) -> list[RunConfig]:
        """One configuration for each picked model; raises SeglabError for what the page sent and no run allows."""
        *picked, typed = given
        read = {
            name: choice.read(names, typed) for (name, choice), names in zip(self.choices.items(), picked, strict=True)
        }
        if not read["model"]:
            raise SeglabError("pick at least one model")
        parts = read["loss"]
        if not parts:
            raise SeglabError("pick at least one loss function")
        alone = len(parts) == 1 and parts[0]["weight"] == 1
        shared = {
            name: found if self.choices[name].several else next(iter(found), None) for name, found in read.items()
        }
        shared["data"] = self.located(next(iter(read["data"]), None), typed)
        shared["loss"] = parts[0]["loss"] if alone else {"name": "sum", "parts": parts}
        shared |= self.run.read(typed)
        configs: list[RunConfig] = [validated(RunConfig, {**shared, "model": model}) for model in read["model"]]
        refuse_absent(configs[0].data)
        return configs
