"""What a person can pick: typed entries in families, found by name, and refusals in words."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import pkgutil
import re
from collections.abc import Container, Iterator, Mapping
from contextvars import ContextVar
from types import ModuleType
from typing import TYPE_CHECKING, Any, ClassVar

from pydantic import BaseModel, ConfigDict, TypeAdapter, ValidationError, model_serializer, model_validator
from pydantic_core import PydanticCustomError, core_schema

from seglab.errors import SeglabError
from seglab.spelling import OTHER_WORDS, american

if TYPE_CHECKING:
    from typing_extensions import Self


class Options(BaseModel):
    """A frozen group of typed options that refuses unknown ones and says which were meant."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _known_options(cls, value: Any) -> Any:
        if isinstance(value, Mapping):
            value = {spelled(option, cls.model_fields): given for option, given in value.items()}
        for option, given in value.items() if isinstance(value, Mapping) else ():
            if option not in cls.model_fields:
                owner, near = getattr(cls, "name", cls.__name__), cls.elsewhere(option, value)
                raise refusal("option", option, cls.model_fields, near, owner=owner)
            if (
                isinstance(given, bool) and cls.model_fields[option].annotation is not bool
            ):  # pydantic would read 0 or 1
                raise mistake("switch", option=option, given=str(given))
        return value

    @classmethod
    def elsewhere(cls, option: str, given: Mapping[str, Any]) -> str | None:
        """Where an option of this name is, such as optimizer.lr, among what was given; None if nobody knows."""
        return None

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some options changed, which are validated."""
        if not update:
            return super().model_copy(deep=deep)
        return type(self).model_validate(dict(self) | dict(update))


class Entry(Options):
    """One thing a person can pick: its class is the option schema, the help text, the config and the code.

    `class Loss(Entry, family="losses")` opens a family; a subclass with a `name` of its own is an entry of it, any
    other is an abstract step. A field annotated with a family's base takes any of its entries: an instance, a name, or
    `{"name": ..., **options}`. An entry that is not `offered` is known by its name and never to be picked.
    """

    name: ClassVar[str]
    family: ClassVar[str]
    entries: ClassVar[dict[str, type[Entry]]]
    unoffered: ClassVar[dict[str, type[Entry]]]

    def __init_subclass__(cls, family: str | None = None, offered: bool = True, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if family:
            cls.family, cls.entries, cls.unoffered = family, {}, {}
            FAMILIES[family] = cls
        if "name" in cls.__dict__ and not APART.get():
            entries = cls.entries if offered else cls.unoffered
            taken = entries.get(cls.name, cls)
            if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
                raise TypeError(f"{cls.family} has two entries named {cls.name}: {taken} and {cls}")
            entries[cls.name] = cls  # in the place of an older one, where a notebook's cell is run again

    @classmethod
    def is_family(cls) -> bool:
        """Whether the class is a family's base, which stands for any of its entries."""
        return cls.__mro__[2] is Options

    @classmethod
    def known(cls) -> dict[str, type[Entry]]:
        """The family's entries by name, those that are not offered too, and those known `along` with them for now."""
        return cls.entries | cls.unoffered | {kind.name: kind for kind in ALONG.get() if kind.family == cls.family}

    @classmethod
    def summary(cls) -> str:
        """What the entry is, in one sentence: the first line of its docstring."""
        return (cls.__doc__ or "").strip().split("\n")[0]

    @classmethod
    def source(cls) -> str:
        """Where the entry comes from: the docstring's `Source:` paragraph on one line, or an empty string."""
        _, found, rest = (cls.__doc__ or "").partition("Source:")
        return " ".join(rest.split("\n\n")[0].split()) if found else ""

    @classmethod
    def reference(cls) -> str:
        """The first reference of the source, without what is said of it."""
        return re.split(r"[;:] ", cls.source())[0].rstrip(".")

    @classmethod
    def parse(cls, value: Any) -> Entry:
        """Turns an instance, an entry's class, a name or `{"name": ..., **options}` into an entry of this family."""
        if isinstance(value, type) and issubclass(value, cls) and "name" in value.__dict__:
            return value.model_validate({})
        if isinstance(value, cls) and "name" in type(value).__dict__:
            return value
        if isinstance(value, str):
            value = {"name": value}
        name = value.get("name") if isinstance(value, Mapping) else None
        if not isinstance(name, str):
            raise mistake("no_name", value=shown(value), family=cls.family, allowed=", ".join(cls.entries))
        entries = cls.known()
        known = spelled(name, entries)
        if known not in entries:
            raise refusal("entry", name, entries, family=cls.family)
        return entries[known].model_validate({**value, "name": known})

    @model_validator(mode="before")
    @classmethod
    def _own_name(cls, value: Any) -> Any:
        if "name" not in cls.__dict__:
            raise TypeError(f"{cls.__name__} is abstract: pick one of its entries")
        if isinstance(value, Mapping) and "name" in value:
            if value["name"] != cls.name:
                raise mistake("other_entry", allowed=cls.name, given=shown(value["name"]))
            value = {option: given for option, given in value.items() if option != "name"}
        return value

    @model_serializer(mode="wrap")
    def _with_name(self, handler: Any) -> dict[str, Any]:
        return {"name": self.name, **handler(self)}

    @classmethod
    def __get_pydantic_core_schema__(cls, source: Any, handler: Any) -> Any:
        if not cls.is_family():
            return handler(source)
        return core_schema.no_info_plain_validator_function(
            cls.parse, serialization=core_schema.plain_serializer_function_ser_schema(lambda entry: entry.model_dump())
        )

    @classmethod
    def __get_pydantic_json_schema__(cls, schema: Any, handler: Any) -> dict[str, Any]:
        if not cls.is_family():
            return handler(schema)
        return {"type": "object", "family": cls.family}


FAMILIES: dict[str, type[Entry]] = {}
APART: ContextVar[bool] = ContextVar("apart", default=False)  # whether entries that are defined enter no family
ALONG: ContextVar[tuple[type[Entry], ...]] = ContextVar("along", default=())


@contextlib.contextmanager
def along(kinds: tuple[type[Entry], ...]) -> Iterator[None]:
    """Entries that no family has, or has otherwise, are found by their names meanwhile, in this thread alone."""
    token = ALONG.set((*ALONG.get(), *kinds))
    try:
        yield
    finally:
        ALONG.reset(token)


def kinds_in(value: Any) -> Iterator[type[Entry]]:
    """The class of every entry in a value: an entry with those inside it, a configuration, a list, a dict."""
    if isinstance(value, Entry):
        yield type(value)
    if isinstance(value, Options):
        value = dict(value)
    if isinstance(value, Mapping):
        value = list(value.values())
    for inner in value if isinstance(value, list | tuple) else ():
        yield from kinds_in(inner)


def discover(package: ModuleType) -> None:
    """Imports every file of a package, so that the entries in them are registered: a new file is enough.

    Files whose names begin with _ hold no entries, and may import what takes seconds.
    """
    for module in pkgutil.iter_modules(package.__path__):
        if not module.name.startswith("_"):
            importlib.import_module(f"{package.__name__}.{module.name}")


def spelled(name: Any, known: Container[str]) -> Any:
    """The name as it is known, where another spelling of it was given."""
    return american(name) if isinstance(name, str) and name not in known and american(name) in known else name


def mistake(kind: str, **context: Any) -> PydanticCustomError:
    """An error of one of the REASONS, which is a sentence wherever pydantic shows it, too."""
    return PydanticCustomError(kind, REASONS[kind].removeprefix("{thing}: "), context)


def refusal(what: str, given: Any, known: Any, near: str | None = None, **context: str) -> PydanticCustomError:
    """The error for a word that is not among the known ones; names the one that is `near`, or the closest if one is."""
    if near is None and isinstance(given, str):
        word = OTHER_WORDS.get(given, given)
        near = next(iter(difflib.get_close_matches(word, list(known), n=1)), None)
    context |= {"given": shown(given), "near": repr(near) if near else "", "allowed": ", ".join(known) or "-"}
    return mistake(f"unknown_{what}_near" if near else f"unknown_{what}", **context)


def shown(value: Any, most: int = 60) -> str:
    """The value as a person gave it, cut to `most` characters."""
    text = repr(value)
    return text if len(text) <= most else text[: most - 1] + "…"


# pydantic's error types, and those above, in seglab's words; {thing} is the dotted option, {value} what was given
REASONS = {
    "greater_than_equal": "{thing}: {value} is too small; allowed: {ge} or more",
    "greater_than": "{thing}: {value} is too small; allowed: more than {gt}",
    "less_than_equal": "{thing}: {value} is too large; allowed: {le} or less",
    "less_than": "{thing}: {value} is too large; allowed: less than {lt}",
    "literal_error": "{thing}: {value} is not allowed; allowed: {expected}",
    "too_short": "{thing}: {actual_length} given; allowed: {min_length} or more",
    "too_long": "{thing}: {actual_length} given; allowed: {max_length} or fewer",
    "int": "{thing}: {value} is not a whole number",
    "float": "{thing}: {value} is not a number",
    "finite": "{thing}: {value} is not a finite number",
    "bool": "{thing}: {value} is not true or false",
    "missing": "{thing}: no value was given",
    "unknown_option": "{thing}: {owner} has no option {given}; its options: {allowed}",
    "unknown_option_near": "{thing}: {owner} has no option {given}; did you mean {near}? Its options: {allowed}",
    "unknown_entry": "{thing}: there is no {given} among the {family}; allowed: {allowed}",
    "unknown_entry_near": "{thing}: there is no {given} among the {family}; did you mean {near}? Allowed: {allowed}",
    "unknown_lesson": "there is no lesson {given}; there are: {allowed}",
    "unknown_lesson_near": "there is no lesson {given}; did you mean {near}? There are: {allowed}",
    "unknown_encoder": "{thing}: there is no encoder {given}; examples: {examples}",
    "unknown_encoder_near": "{thing}: there is no encoder {given}; did you mean {near}?",
    "unpretrained": "{thing}: the encoder {encoder} has no ImageNet weights; pick another one, or pretrained none",
    "no_name": "{thing}: {value} names none of the {family}; give a name, or an object with a name; allowed: {allowed}",
    "other_entry": "{thing}: {given} was given, but only {allowed} is allowed here",
    "switch": "{thing}: {option} cannot be {given}; it is not a yes-or-no option",
    "twice": "techniques: {name} is given twice; give it once",
    "refused": "techniques: {name} cannot be used here: {reason}",
    "fold": "fold.index: {index} is too large; allowed: 0 to {most}",
    "unadopted": "{thing}: a network of others is not trained here; seglab adopt makes a run of it as it is",
    "warmup": "scheduler.warmup: {warmup} epochs are as long as the whole run or longer; allowed: less than {epochs}",
    "other": "{thing}: {value} is not allowed ({reason})",
}


def refusal_of(what: str, given: Any, known: Any, thing: str, near: str | None = None, **context: str) -> SeglabError:
    """`refusal` for what is looked up outside pydantic."""
    error = refusal(what, given, known, near, **context)
    return SeglabError(REASONS[error.type], thing=thing, **(error.context or {}))


def explain(error: ValidationError, thing: str) -> SeglabError:
    """The first thing that pydantic found wrong, as a sentence that names the option, the value and what is allowed."""
    found = error.errors()[0]
    kind = "missing" if found["input"] is None and found["type"] not in REASONS else found["type"]
    template = REASONS.get(kind) or REASONS.get(kind.split("_")[0]) or REASONS["other"]
    thing = ".".join(str(part) for part in found["loc"]) or thing
    values = {"thing": thing, "value": shown(found["input"]), "reason": found["msg"]} | found.get("ctx", {})
    if "expected" in values:
        values["expected"] = values["expected"].replace(" or ", ", ")
    return SeglabError(template, **values)


def validated(kind: type[Options], value: Any) -> Any:
    """The value as `kind` (an entry, a family's base, a group of options); raises SeglabError for what does not fit."""
    try:
        return TypeAdapter(kind).validate_python(value)
    except ValidationError as error:
        raise explain(error, getattr(kind, "name", getattr(kind, "family", kind.__name__))) from None
