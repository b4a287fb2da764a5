"""The training form: one control for each option, derived from RunConfig and the entries."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr
from gradio.components import Component

from seglab.config import RunConfig
from seglab.entry import FAMILIES, Entry, SeglabError, validated
from seglab.losses.combined import Part
from seglab.ui.text import label

CHOICES = ("data", "model", "loss", "scheduler", "optimizer", "techniques")
NOT_ON_PAGE = ("init_from", "fold")  # paths never come from the page, and folds belong to plans
WIDEST_SLIDER = 200  # a range with more places than this is typed instead
Values = Mapping[Component, Any]
TELL_CARD = """element.addEventListener('click', event => {
  const button = event.target.closest('button.measure');
  if (button) { button.disabled = true; trigger('click'); return; }
  if (document.fullscreenElement) document.exitFullscreen();
  else event.target.closest('figure')?.requestFullscreen();
});"""


def control(name: str, schema: Mapping[str, Any], place: str, typed: bool = False) -> Component | None:
    """The control for one option's JSON schema, or None where the page offers none (paths, lists of words).

    `place` is its id on the page. With `typed`, a number gets a box to type in even where a slider would do.
    """
    kinds = [kind for kind in schema.get("anyOf", [schema]) if kind.get("type") != "null"]
    common = {
        "label": label(name.replace("_", " ")),
        "info": label(schema.get("description", "")),
        "value": schema.get("default"),
        "interactive": True,
        "elem_id": place,
    }
    if "enum" in kinds[0]:
        return gr.Dropdown(kinds[0]["enum"], **common)
    if kinds[0].get("type") == "boolean":
        return gr.Checkbox(**common)
    if "examples" in schema:  # a word out of more than a list could show
        return gr.Dropdown(schema["examples"], allow_custom_value=True, **common)
    if kinds[0].get("type") in ("integer", "number"):
        return number(kinds[0], common, typed)
    return None


def number(kind: Mapping[str, Any], common: dict[str, Any], typed: bool) -> Component:
    """A slider where both ends are known and near enough to find a value between them, a box to type in otherwise."""
    whole = kind["type"] == "integer"
    low, high = kind.get("minimum"), kind.get("maximum")
    if typed or low is None or high is None or high - low > WIDEST_SLIDER:
        return gr.Number(step=1 if whole else None, **common)
    step = 1 if whole else 0.01 if high - low <= 2 else 0.1 if high - low <= 20 else 0.5
    slider = gr.Slider(low, high, step=step, **common)
    # What is typed beside a slider is sent before the page brings it into the range, and Gradio would refuse it.
    slider.preprocess = lambda value: min(max(value, low), high)
    return slider


class EntryControls:
    """The controls of one entry's options, in a group that shows only while the entry is picked."""

    def __init__(
        self,
        entry: type[Entry],
        default: Entry | None = None,
        visible: bool = False,
        weighted: bool = False,
        opened: bool = False,
        about: bool = False,
    ):
        self.entry = entry
        schemas = entry.model_json_schema()["properties"]
        with gr.Group(visible=visible, elem_classes="entry") as self.group:
            gr.HTML(f"<b>{entry.name}</b><p>{label(entry.summary())}</p>", elem_classes="entry-head", padding=True)
            place = f"{entry.name}-options"
            with gr.Accordion(label("Options"), open=opened, elem_id=place, elem_classes="options") as accordion:
                weight = Part.model_json_schema()["properties"]["weight"]
                self.weight = control("weight", weight, f"{entry.name}-weight") if weighted else None
                made = {}
                for name, schema in schemas.items():
                    value = getattr(default, name) if default else schema.get("default")
                    made[name] = control(name, {**schema, "default": value}, f"{entry.name}-{name}")
            if about:
                with gr.Accordion(label("About"), open=False, elem_id=f"{entry.name}-about") as self.about:
                    self.card = gr.HTML(apply_default_css=False, elem_id=f"{entry.name}-card", js_on_load=TELL_CARD)
        self.controls = {name: made for name, made in made.items() if made is not None}
        accordion.visible = bool(self.inputs())

    def inputs(self) -> list[Component]:
        return [*self.controls.values(), *([self.weight] if self.weight else [])]

    def read(self, values: Values) -> dict[str, Any]:
        """The entry with what its controls hold; an empty one stands for no value where the option can have none."""
        given = {name: values[control] for name, control in self.controls.items()}
        return {"name": self.entry.name} | given


class Choice:
    """A field that takes one or several entries of a family: a list to pick from, and the options of what is picked."""

    def __init__(
        self,
        field: str,
        several: bool,
        picked: list[Entry],
        weighted: bool = False,
        without: tuple[str, ...] = (),
        about: bool = False,
    ):
        info = RunConfig.model_fields[field]
        family = FAMILIES[info.annotation.family if isinstance(info.annotation, type) else field]
        defaults = {entry.name: entry for entry in picked}
        names = [name for name in family.entries if name not in without]
        self.field, self.several, self.weighted = field, several, weighted
        self.picker = gr.Dropdown(
            names,
            value=list(defaults) if several else next(iter(defaults), None),
            multiselect=several,
            label=label(PLURALS.get(field, field) if several else field),
            info=label(info.description),
            elem_id=f"form-{field}",
        )
        self.entries = {
            name: EntryControls(family.entries[name], defaults.get(name), name in defaults, weighted, about=about)
            for name in names
        }
        groups = [entry.group for entry in self.entries.values()]
        self.picker.change(
            self.shown, self.picker, groups, queue=False, show_progress="hidden", api_visibility="private"
        )

    def shown(self, picked: str | list[str]) -> list[Any]:
        chosen = picked if isinstance(picked, list) else [picked]
        return [gr.Group(visible=name in chosen) for name in self.entries]

    def inputs(self) -> list[Component]:
        return [self.picker, *(control for entry in self.entries.values() for control in entry.inputs())]

    def read(self, values: Values) -> list[dict[str, Any]]:
        """Every picked entry with its options, weighted losses as parts of a sum; unknown names stay, to be refused."""
        picked = values[self.picker] or []
        found = []
        for name in picked if isinstance(picked, list) else [picked]:
            known = self.entries.get(name) if isinstance(name, str) else None
            entry = known.read(values) if known else {"name": name}
            weight = values[known.weight] if known and known.weight else 1
            found.append({"weight": weight, "loss": entry} if self.weighted else entry)
        return found


PLURALS = {"model": "models", "loss": "losses"}


class Form:
    """RunConfig as controls: several models at once, everything else once for all of them."""

    def __init__(self) -> None:
        default = RunConfig()
        with gr.Group(elem_classes="section"):
            self.models = Choice("model", True, [default.model], about=True)
        with gr.Group(elem_classes="section"):
            self.data = Choice("data", False, [default.data])
        self.scalars: dict[str, Component] = {}
        schema = RunConfig.model_json_schema()["properties"]
        with gr.Group(elem_classes="section"), gr.Row():
            for name, field in RunConfig.model_fields.items():
                if name not in (*CHOICES, *NOT_ON_PAGE):
                    self.scalars[name] = control(
                        name, schema[name] | {"default": field.default}, f"form-{name}", typed=True
                    )
        with gr.Accordion(label("Loss, schedule, optimizer, techniques"), open=False, elem_id="form-more"):
            self.loss = Choice(
                "loss", True, [part.loss for part in default.loss.parts], weighted=True, without=("sum",)
            )
            self.scheduler = Choice("scheduler", False, [default.scheduler])
            self.optimizer = Choice("optimizer", False, [default.optimizer])
            self.techniques = Choice("techniques", True, [])

    def inputs(self) -> set[Component]:
        choices = (self.models, self.data, self.loss, self.scheduler, self.optimizer, self.techniques)
        return {*self.scalars.values(), *(control for choice in choices for control in choice.inputs())}

    def configs(self, values: Values) -> list[RunConfig]:
        """One configuration for each picked model; raises SeglabError for what the page sent and no run allows."""
        models = self.models.read(values)
        if not models:
            raise SeglabError("pick at least one model")
        parts = self.loss.read(values)
        if not parts:
            raise SeglabError("pick at least one loss")
        alone = len(parts) == 1 and parts[0]["weight"] == 1
        shared = {
            "data": self.data.read(values)[0],
            "loss": parts[0]["loss"] if alone else {"name": "sum", "parts": parts},
            "scheduler": self.scheduler.read(values)[0],
            "optimizer": self.optimizer.read(values)[0],
            "techniques": self.techniques.read(values),
        }
        shared |= {name: values[control] for name, control in self.scalars.items()}
        shared["budget_seconds"] = shared["budget_seconds"] or None  # an empty box reads 0
        return [validated(RunConfig, {**shared, "model": model}) for model in models]
