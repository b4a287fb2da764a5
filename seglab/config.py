"""Text to a configuration: all that a person may write for a run's fields; importing this registers every entry but the
plans, which are made of runs.

    --loss "cross_entropy + 0.5*dice"       a weighted sum of losses
    --techniques flip,color                 several entries
    --loss.dice.smooth 1                    an option of an entry, by the entry's name where there may be several
    model.width=8,16                        an option and its values, in a plan
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any, get_args, get_origin

from seglab import architectures, data, losses, optimizers, plugins, predictors, presets, schedulers, techniques
from seglab.entry import FAMILIES, Entry, along, discover, kinds_in, refusal_of, shown, spelled, validated
from seglab.errors import SeglabError
from seglab.families import Default, Fold, Preset, RunConfig, Technique, from_text

__all__ = ["Fold", "RunConfig", "optimizers", "predictors", "presets", "schedulers"]

for package in (architectures, data, losses, techniques):
    discover(package)


def configured(given: Mapping[str, Any], options: Mapping[str, Any] | None = None) -> RunConfig:
    """The configuration of what was given for a run's fields, with the dotted options set inside.

    Losses and techniques may be text. A `preset` gives the fields that were not given. Raises SeglabError for what is
    unknown or not allowed.
    """
    with along(tuple(kinds_in(given))):
        return _configured(given, options or {})


def _configured(given: Mapping[str, Any], options: Mapping[str, Any]) -> RunConfig:
    if not isinstance(given, Mapping):
        raise SeglabError("the configuration is {given}; it must be an object with options", given=shown(given))
    if "preset" in given:
        preset = validated(Preset, given["preset"])
        given = {**preset.settings, **{field: value for field, value in given.items() if field != "preset"}}
    fields = {field: read(field, value) for field, value in given.items()}
    for option, value in options.items():
        field, *path = option.split(".")
        if field not in RunConfig.model_fields:
            raise refusal_of("option", field, RunConfig.model_fields, thing=option, owner="seglab")
        if field == "techniques":
            fields[field] = [as_data(entry) for entry in fields.get(field) or ()]
            assign(Technique, fields[field], path, value, option)
        elif family := family_of(field):
            default = RunConfig.model_fields[field].default_factory
            assert isinstance(default, Default)
            fields[field] = as_data(fields.get(field) or default.data)
            assign_to_field(family, fields[field], path, value, option)
        elif field == "fold" and isinstance(fields.get(field) or {}, Mapping):
            fields[field] = {**(fields.get(field) or {}), path[-1]: value}
        else:
            raise SeglabError(
                "--{place} is not an option: {field} has no options of its own", place=option, field=field
            )
    return validated(RunConfig, fields)


def read(field: str, value: Any) -> Any:
    """What was given for a field, as data where it is text that stands for several entries."""
    return several(value, "techniques") if field == "techniques" else from_text(field, value)


def text_of(value: Any) -> str:
    """A field's value as it may be written, without the options of its entries."""
    if isinstance(value, Entry) and (parts := getattr(value, "parts", None)):
        return " + ".join(f"{part.weight:g}*{part.loss.name}".removeprefix("1*") for part in parts)
    if isinstance(value, Entry):
        return value.name
    if isinstance(value, tuple):
        return ",".join(map(text_of, value)) or "none"
    return "none" if value is None else str(value)


def several(names: Any, family: str) -> Any:
    """`flip,color` as a list of names, so that a near miss is told; anything else as it is."""
    if not isinstance(names, str):
        return names
    known = FAMILIES[family].known()
    found = [spelled(name.strip(), known) for name in names.split(",") if name.strip()]
    for name in found:
        if name not in known:
            raise refusal_of("entry", name, known, thing=family, family=family)
    return found


def family_of(field: str) -> type[Entry] | None:
    """The family of the one entry that a field of a run holds; None for a field of another kind."""
    factory = RunConfig.model_fields[field].default_factory
    return factory.family if isinstance(factory, Default) else None


def as_data(entry: Any) -> dict[str, Any]:
    """An entry, its data or its name as data of its own, to set options in."""
    if isinstance(entry, Entry):
        return entry.model_dump()
    if isinstance(entry, type) and issubclass(entry, Entry):
        return {"name": getattr(entry, "name", None)}
    if not isinstance(entry, Mapping):
        return {"name": entry}
    parts = entry.get("parts")
    inner = {"parts": [dict(part) | {"loss": as_data(part.get("loss"))} for part in parts]} if parts else {}
    return dict(entry) | inner


def assign_to_field(family: type[Entry], entry: dict[str, Any], path: Sequence[str], value: Any, option: str) -> None:
    """Sets `width`, or `dice.smooth` with the entry's name before the option, in the entry or in a part of a sum."""
    parts = [part["loss"] for part in entry.get("parts", ())]
    if len(path) > 1:
        assign(family, parts or [entry], path, value, option)
    else:
        assign(family, [entry], [entry["name"], *path], value, option)


def assign(
    family: type[Entry], entries: Sequence[dict[str, Any]], path: Sequence[str], value: Any, option: str
) -> None:
    """Sets `color.p` in the entry named color; text with commas becomes a list where the option is one."""
    name, *rest = path
    name = spelled(name, [entry["name"] for entry in entries])
    entry = next((entry for entry in entries if entry["name"] == name), None)
    if entry is None or len(rest) != 1:
        raise SeglabError(
            "{place} is not an option here; entries that can take one: {names}",
            place=f"--{option}",
            names=", ".join(str(entry["name"]) for entry in entries) or "-",
        )
    known = family.known()
    fields = known[name].model_fields if name in known else {}
    name = spelled(rest[0], fields)
    kinds = kinds_of(fields[name].annotation) if name in fields else []
    listed = isinstance(value, str) and kinds and (all(k is tuple for k in kinds) or (tuple in kinds and "," in value))
    entry[name] = value.split(",") if listed else value


def kinds_of(annotation: Any) -> list[Any]:
    """What a value may be, each without what it is made of: [Literal, tuple] for Literal["none"] | tuple[int, ...]."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return kinds_of(get_args(annotation)[0])
    if origin in (None, tuple) or not any(map(get_origin, get_args(annotation))):
        return [origin or annotation]
    return [kind for each in get_args(annotation) for kind in kinds_of(each)]


def chain(names: str, options: Mapping[str, str], family: str) -> list[Any]:
    """`flips,crf` as entries of a family, with their dotted options (`predictors.crf.w1`) set."""
    base = FAMILIES[family]
    entries = [as_data(name) for name in several(names, family)]
    for option, value in options.items():
        assign(base, entries, option.split(".")[1:], value, option)
    return [validated(base, entry) for entry in entries]


# --- options and their values, as plans name them


def assignment(thing: str, example: str, given: str) -> tuple[str, str]:
    """`model.width=8` as the option and its value."""
    option, equals, value = given.strip().removeprefix("--").partition("=")
    if not option or not equals:
        raise SeglabError(
            "{thing}: {given} is not an option with its value, such as {example}",
            thing=thing,
            given=repr(given),
            example=example,
        )
    return option.strip(), value.strip()


def alternatives(thing: str, example: str, given: str) -> list[tuple[str, str]]:
    """`model.width=8,16` as the option with each of its values; values that hold commas have semicolons between."""
    option, values = assignment(thing, example, given)
    return [(option, value.strip()) for value in values.split(";" if ";" in values else ",")]


def varied(config: RunConfig, values: Mapping[str, str]) -> RunConfig:
    """The configuration with options set as on the command line: {"loss": "dice", "model.width": "8"}."""
    whole = {field: exchanged(config, field, value) for field, value in values.items() if "." not in field}
    return configured(dict(config) | whole, {option: value for option, value in values.items() if "." in option})


def exchanged(config: RunConfig, field: str, value: str) -> Any:
    """What `value` says a field is to be; entries keep options that were set, where the new one has them too."""
    old = getattr(config, field, None)
    if field == "techniques":
        known = {technique.name: technique for technique in config.techniques}
        return [known.get(name, name) for name in several(value.replace("+", ","), field)]
    if not isinstance(old, Entry):
        return value
    new = as_data(from_text(field, value))
    kind = type(old).known().get(new["name"])
    kept = {name: given for name, given in old if kind and name in kind.model_fields and name not in unset(old)}
    return kept | new


def unset(entry: Entry) -> set[str]:
    """The entry's options that are at their defaults."""
    return {name for name, option in type(entry).model_fields.items() if getattr(entry, name) == option.default}


plugins.load()  # last: what they hold may import this
