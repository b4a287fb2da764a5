"""The form: what can be picked and set, derived from RunConfig and the entries; what the page sends of it, read back.

The form is one piece of HTML, which `form.js` fills, reads and turns into an address. The page sends
{"picked": {field: [names]}, "sum": whether losses are added up, "options": {field: {entry: {option: value}}}}; an
option that varies between runs is {"vary": "8, 16"}. Whatever a page sends is validated as on the command line.
"""

from __future__ import annotations

import itertools
import json
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from seglab import plans, uploads
from seglab.comparison.settings import flat
from seglab.config import RunConfig, configured, family_of
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Architecture, Dataset, Plan
from seglab.losses.combined import Sum
from seglab.plans.kinds import MOST_RUNS
from seglab.travel import commands
from seglab.ui.options import Options, of_entry, offered, shown_as
from seglab.ui.text import render
from seglab.ui.titles import HINTS, PRESETS, option_title

NOT_ON_PAGE = ("init_from", "fold")  # paths never come from the page, and folds belong to plans
FIELDS = ("model", "data", "loss", "scheduler", "optimizer", "techniques")  # that hold entries
BASICS = ("epochs", "budget_seconds")  # options of a run that stand at the top, below the learning rate
UPLOAD_FIRST = "folder is for your own images and masks: upload a zip of them under Data"


# --- what stands in the form


@dataclass(frozen=True)
class Picker:
    """A field that holds one or several entries of a family: the list to pick from, with each entry's options.

    `several` says that a run may have more than one, `picked` which ones at first.
    """

    field: str
    title: str
    hint: str
    entries: dict[str, Options]
    picked: tuple[str, ...]
    several: bool = False


@lru_cache(maxsize=1)
def run_options() -> Options:
    """The options of a run that are no entries."""
    schemas = RunConfig.model_json_schema()["properties"]
    wanted = {name: schemas[name] for name in schemas if name not in (*FIELDS, *NOT_ON_PAGE)}
    return Options("run", "run", offered(wanted, dict(RunConfig())))


@lru_cache(maxsize=1)
def pickers() -> dict[str, Picker]:
    """The fields that hold entries, by name; models in the order in which they were published."""
    default = RunConfig()
    found = {}
    for field in FIELDS:
        kind = family_of(field)
        family = kind.family if kind else field
        value = getattr(default, field)
        first = [part.loss for part in value.parts] if isinstance(value, Sum) else value
        first = list(first) if isinstance(first, Sequence) else [first]
        values = {entry.name: dict(entry) for entry in first}
        known = {name: entry for name, entry in FAMILIES[family].entries.items() if name != "sum"}
        if issubclass(FAMILIES[family], Architecture):
            known = dict(sorted(known.items(), key=lambda each: (getattr(each[1], "year", None) or 0, each[0])))
        found[field] = Picker(
            field,
            option_title(field),
            HINTS.get(field, RunConfig.model_fields[field].description or ""),
            {name: of_entry(field, entry, values.get(name), field == "loss") for name, entry in known.items()},
            tuple(values),
            field in ("loss", "techniques"),
        )
    return found


@lru_cache(maxsize=1)
def plan_picker() -> Picker:
    """The plans but sweeps, which the form makes wherever something varies."""
    known = {name: entry for name, entry in FAMILIES["plans"].entries.items() if name != plans.Sweep.name}
    return Picker("plan", "plan", "", {name: of_entry("plan", entry) for name, entry in known.items()}, ())


@lru_cache(maxsize=8)
def html(lang: str) -> str:
    """The whole form in a language."""
    run = run_options()
    optimizers = pickers()["optimizer"]
    rates = {name: rate_of(part) for name, part in optimizers.entries.items()}
    absent = [
        name
        for name, entry in FAMILIES["datasets"].entries.items()
        if name != "folder" and not entry.any_here()  # type: ignore[attr-defined]
    ]
    return render(
        "form.html",
        lang,
        pickers=pickers(),
        plan=plan_picker(),
        basics=[each for name in BASICS for each in run.offered if each["name"] == name],
        others=[each for each in run.offered if each["name"] not in BASICS],
        rate=rates[optimizers.picked[0]],
        rates={name: rate["shown"] for name, rate in rates.items()},
        presets=[(name, PRESETS.get(name, option_title(name))) for name in FAMILIES["presets"].entries],
        absent=absent,
        drawn=drawings(),
    )


def rate_of(optimizer: Options) -> dict[str, Any]:
    """The learning rate among an optimizer's options."""
    return next(each for each in optimizer.offered if each["name"] == "lr")


@lru_cache(maxsize=1)
def drawings() -> dict[str, dict[str, Any]]:
    """A small drawing of each shipped network and its number of parameters, as `python -m seglab.ui.drawings` made
    them."""
    return json.loads((Path(__file__).parent / "drawings.json").read_text(encoding="utf-8"))


# --- what the page sends


@dataclass(frozen=True)
class Asked:
    """The runs that a form asks for: their configurations, what sets each apart, and the options that vary with their
    values as on the command line."""

    configs: tuple[RunConfig, ...]
    labels: tuple[str, ...]
    over: tuple[str, ...]
    plan: Plan | None = None

    def laid_out(self) -> tuple[Plan, str, list[plans.Step]]:
        """The plan that makes them, its name and its runs; raises SeglabError, also for paths that no page may name."""
        plan = self.plan or validated(Plan, {"name": "sweep", "over": self.over})
        if self.plan:
            title, steps = plans.laid_out(plan, self.configs, labels=self.labels)
        else:
            title, steps = plans.spread_out(plan, self.configs, self.labels)
        allowed = {step.directory for step in steps} | {getattr(config.data, "root", None) for config in self.configs}
        for step in steps:
            for option, value in flat(step.config.model_dump()).items():
                if isinstance(value, Path) and value not in allowed:
                    raise SeglabError(
                        "{option}: {value} is a path, and the page accepts no paths", option=option, value=value
                    )
        return plan, title, steps

    @property
    def single(self) -> bool:
        return self.plan is None and len(self.configs) == 1

    def command(self) -> str:
        """What does the same on the command line: one line where one can, else a line for each run."""
        configs = list(map(unplaced, self.configs))
        first = configs[0]
        if self.single:
            return commands.command(first)
        over = [word for each in self.over for word in ("--over", each)]
        if self.plan is None:
            sweep: Plan = validated(Plan, {"name": "sweep", "over": self.over})
            try:
                same = [config for _, config in sweep.steps(first, lambda n: Path(str(n)))] == configs
            except SeglabError:
                same = False
            line = commands.command(first)
            if same and "--config" not in line:
                return line.replace("seglab train", "seglab plan sweep", 1) + " " + shlex.join(over)
        elif len(configs) == 1 and "--config" not in (line := commands.command(first)):
            own = [word for name, value in commands.changed(self.plan) for word in (f"--{name}", commands.typed(value))]
            return shlex.join(["seglab", "plan", self.plan.name, *shlex.split(line)[2:], *own])
        return "\n".join(map(commands.command, configs))


Place = tuple[str, ...]  # of what varies: (field,), (field, entry, option), or ("run", option)


def asked(sent: Any) -> Asked:
    """The runs of what the page sent; raises SeglabError for what no run allows and for data that is not here."""
    found = described(sent)
    refuse_absent(found.configs[0].data)
    return found


def described(sent: Any) -> Asked:
    """The same, wherever the data is: what is to be known of networks and schedules does not depend on it."""
    sent = sent if isinstance(sent, dict) else {}
    typed = sent.get("options")
    picked = picked_values(sent)
    axes: dict[Place, list[Any]] = {(field,): values for field, values in picked.items()}
    axes |= varied_options(picked, typed)
    count = math.prod(map(len, axes.values()))
    if count > MOST_RUNS:
        raise SeglabError("a plan of {count} runs is too large; allowed: {most}", count=count, most=MOST_RUNS)
    configs: dict[RunConfig, str] = {}
    several = {place for place, values in axes.items() if len(values) > 1}
    for combination in itertools.product(*axes.values()):
        chosen = dict(zip(axes, combination, strict=True))
        at_work = [place for place in chosen if place in several and applies(place, chosen)]
        configs.setdefault(configuration(chosen, typed), ", ".join(labeled(each, chosen[each]) for each in at_work))
    over = [f"{option_of(place, axes)}={among(axes[place])}" for place in axes if place in several]
    return Asked(tuple(configs), tuple(configs.values()), tuple(over), planned(sent.get("plan"), typed))


def planned(name: Any, typed: Any) -> Plan | None:
    """The plan that is picked, if one is."""
    if not name:
        return None
    known = plan_picker().entries.get(name) if isinstance(name, str) else None
    plan: Plan = validated(Plan, {"name": name} | (known.read(typed) if known else {}))
    return plan


def picked_values(sent: dict[str, Any]) -> dict[str, list[Any]]:
    """For each field, what it is to be in one run after the other: an entry's name, or the names of several."""
    given = sent.get("picked")
    found: dict[str, list[Any]] = {}
    for field, picker in pickers().items():
        names = given.get(field, list(picker.picked)) if isinstance(given, dict) else list(picker.picked)
        names = list(dict.fromkeys(map(str, names if isinstance(names, list) else [names])))
        if field == "techniques":
            varies = isinstance(sent.get("vary"), list) and field in sent["vary"]
            found[field] = [(), *((name,) for name in names)] if varies and names else [tuple(names)]
        elif not names:
            raise (
                SeglabError("pick at least one model")
                if field == "model"
                else SeglabError("pick at least one for {field}", field=option_title(field))
            )
        elif field == "loss":
            added = sent.get("sum", names == list(picker.picked))  # as in a new form
            found[field] = [tuple(names)] if added else [(name,) for name in names]
        else:
            found[field] = names
    return found


def varied_options(picked: Mapping[str, Sequence[Any]], typed: Any) -> dict[Place, list[Any]]:
    """The options that vary between runs, of the run itself and of what is picked, with their values."""
    found: dict[Place, list[Any]] = {}
    parts = [run_options()]
    for field, values in picked.items():
        names = dict.fromkeys(name for value in values for name in (value if isinstance(value, tuple) else (value,)))
        parts += [pickers()[field].entries[name] for name in names if known(field, name)]
    for part in parts:
        for option, value in part.read(typed).items():
            if isinstance(value, dict):
                place = ("run", option) if part.field == "run" else (part.field, part.name, option)
                values = [each.strip() for each in str(value.get("vary", "")).split(",") if each.strip()]
                if not values:
                    raise SeglabError(
                        "{option}: nothing to vary between runs; give values with commas between, such as 1, 2",
                        option=option,
                    )
                found[place] = list(dict.fromkeys(values))
    return found


def known(field: str, name: Any) -> bool:
    return isinstance(name, str) and name in pickers()[field].entries


def applies(place: Place, chosen: Mapping[Place, Any]) -> bool:
    """Whether an option belongs to what is picked for one run."""
    if len(place) < 3:
        return True
    value = chosen[place[:1]]
    return place[1] in (value if isinstance(value, tuple) else (value,))


def labeled(place: Place, value: Any) -> str:
    """What sets a run apart, in a word or two: `focal`, `lr 0.01`."""
    text = "+".join(value) or "none" if isinstance(value, tuple) else str(value)
    return text if len(place) == 1 else f"{place[-1]} {text}"


def option_of(place: Place, axes: Mapping[Place, Sequence[Any]]) -> str:
    """What varies as the command line names it: `model.width`, and `model.unet.width` among several models."""
    alone = len(place) == 3 and place[0] != "techniques" and axes[place[:1]] in ([place[1]], [(place[1],)])
    return ".".join((place[0], place[2]) if alone else place).removeprefix("run.")


def among(values: Sequence[Any]) -> str:
    """The values of what varies, as a sweep takes them."""
    return ",".join("+".join(value) if isinstance(value, tuple) else str(value) for value in values)


def configuration(chosen: Mapping[Place, Any], typed: Any) -> RunConfig:
    """One run's configuration; raises SeglabError for what no run allows."""

    def options(part: Options) -> dict[str, Any]:
        place = ("run",) if part.field == "run" else (part.field, part.name)
        return {name: chosen.get((*place, name), value) for name, value in part.read(typed).items()}

    def entry(field: str, name: Any) -> dict[str, Any]:
        return {"name": name} | (options(pickers()[field].entries[name]) if known(field, name) else {})

    given: dict[str, Any] = {}
    for field in FIELDS:
        value = chosen[(field,)]
        given[field] = [entry(field, name) for name in value] if isinstance(value, tuple) else entry(field, value)
    parts = [{"weight": each.pop("weight", 1), "loss": each} for each in given["loss"]]
    alone = len(parts) == 1 and parts[0]["weight"] == 1
    given["loss"] = parts[0]["loss"] if alone else {"name": "sum", "parts": parts}
    given["data"] = located(given["data"], typed)
    return validated(RunConfig, given | options(run_options()))


# --- the visitor's own data


def unplaced(config: RunConfig) -> RunConfig:
    """The configuration with an upload's folder under a name of no meaning: where this server has it is nobody's
    business."""
    if getattr(config.data, "root", None) is None:
        return config
    return config.model_copy(update={"data": config.data.model_copy(update={"root": Path("/your/folder")})})


def uploaded(typed: Any) -> Any:
    """What the page sends as its reference to an upload, or None; only `uploads` knows what it stands for."""
    for key in ("data", "folder", "upload"):
        typed = typed.get(key) if isinstance(typed, dict) else None
    return typed


def located(data: dict[str, Any], typed: Any) -> dict[str, Any]:
    """The data source as read, a folder at the place of the visitor's upload where the page refers to one."""
    reference = uploaded(typed)
    return data if data["name"] != "folder" or not reference else data | {"root": uploads.found(reference)}


def dataset(sent: Any) -> Dataset:
    """The picked data source with its options, the first where several are."""
    sent = sent if isinstance(sent, dict) else {}
    names = picked_values(sent)["data"]
    typed = sent.get("options")
    options = pickers()["data"].entries[names[0]].read(typed) if known("data", names[0]) else {}
    options = {name: value for name, value in options.items() if not isinstance(value, dict)}
    found: Dataset = validated(Dataset, located({"name": names[0]} | options, typed))
    refuse_absent(found)
    return found


def refuse_absent(dataset: Dataset) -> None:
    """Raises SeglabError for a data source whose files are not on this server."""
    if dataset.here:
        return
    if dataset.name == "folder":
        raise SeglabError(UPLOAD_FIRST)
    raise SeglabError("{name}: this data is not on this server; pick another, or upload your own", name=dataset.name)


# --- a configuration as the form has it


def settings(config: RunConfig) -> dict[str, str]:
    """What the form is filled with, as an address has it: {"model": "unet", "model.unet.width": "8", "epochs": "3"};
    all that is not there is as at first. Data that is only on this server's disks is left out."""
    found: dict[str, str] = {}
    for field, picker in pickers().items():
        value = getattr(config, field)
        weights = {part.loss.name: part.weight for part in value.parts} if isinstance(value, Sum) else {}
        entries = [part.loss for part in value.parts] if isinstance(value, Sum) else value
        entries = list(entries) if isinstance(entries, Sequence) else [entries]
        found[field] = (" " if field in ("loss", "techniques") else ",").join(entry.name for entry in entries)
        for entry in entries:
            part = picker.entries.get(entry.name)
            for each in part.offered if part else ():
                value = weights.get(entry.name, 1) if each["name"] == "weight" else getattr(entry, each["name"])
                if shown_as(each, value) != shown_as(each, each["value"]):
                    found[f"{field}.{entry.name}.{each['name']}"] = shown_as(each, value)
    for each in run_options().offered:
        value = getattr(config, each["name"])
        if shown_as(each, value) != shown_as(each, each["value"]):
            found[each["name"]] = shown_as(each, value)
    return found


def preset(name: str) -> dict[str, str]:
    """What the form is filled with by a preset: all but the data and the seed."""
    found = settings(configured({"preset": name}))
    return {key: value for key, value in found.items() if key.partition(".")[0] not in ("data", "seed")}
