"""Texts of a lesson in several languages, and the places in them that are filled with what was measured."""

from __future__ import annotations

import re
import string
from typing import Annotated, Any

from pydantic import Field, SerializationInfo, SerializerFunctionWrapHandler, model_serializer, model_validator
from pydantic_core import PydanticCustomError

from seglab.entry import Options

LANGUAGES = ("en", "ko")
MISTAKE = "lesson"  # the type of pydantic's errors that `wrong` makes
LONGEST = 2000  # characters of a text
Written = Annotated[str, Field(max_length=LONGEST)]
DECIMAL = re.compile(r"(?<![\w.])\d+[.,]\d+")  # a number that was measured, or should have been
# What a text may have in braces: numbers of a measure, and settings or classes by their names
PLACES = (
    "a", "b", "best", "class", "count", "difference", "from", "high", "here", "images", "low", "of", "other", "ratio",
    "score", "second", "seeds", "share", "spread", "there", "times", "to", "worst",
)  # fmt: skip


class Text(Options):
    """The same text in the languages of lessons; one that is not given is the other. A bare string is both.

    Minimal markup: `**bold**`, `` `code` `` and line breaks. `{difference}` and the other `PLACES` are filled with what
    was measured.
    """

    en: Written = ""
    ko: Written = ""

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        return dict.fromkeys(LANGUAGES, value) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _whole(self) -> Text:
        if not (self.en.strip() or self.ko.strip()):
            raise wrong("a text is empty")
        for language in LANGUAGES:
            for place in places(getattr(self, language)):
                if place not in PLACES:
                    raise wrong(
                        "{given} in braces is not known; known: {allowed}", given=place, allowed=", ".join(PLACES)
                    )
        return self

    @model_serializer(mode="wrap")
    def _short(self, whole: SerializerFunctionWrapHandler, info: SerializationInfo) -> Any:
        """As data; where the context says `short`, the same in both languages is one string, as it may be written."""
        return self.en if (info.context or {}).get("short") and self.en == self.ko else whole(self)

    def of(self, language: str) -> str:
        """The text in a language, or in the one that there is."""
        return getattr(self, language, "") or self.en or self.ko

    @property
    def missing(self) -> list[str]:
        """The languages that it does not have."""
        return [language for language in LANGUAGES if not getattr(self, language).strip()]

    @property
    def typed(self) -> list[str]:
        """Numbers with decimals that are written in it rather than filled in."""
        return [found for language in LANGUAGES for found in DECIMAL.findall(getattr(self, language))]


def places(text: str) -> list[str]:
    """What is in braces, as it is written: `{a:>9}`, which could make a text of any length, names no place. Raises a
    mistake of pydantic where a brace has no partner."""
    try:
        found = [parts for parts in string.Formatter().parse(text) if parts[1] is not None]
    except ValueError as error:
        raise wrong("{reason}; a brace of its own is written twice", reason=f"{error}") from None
    return [f"{name}{f'!{how}' if how else ''}{f':{form}' if form else ''}" for _, name, form, how in found]


def wrong(template: str, **values: Any) -> PydanticCustomError:
    """A mistake in a lesson's file: a sentence that can be translated, with its values."""
    return PydanticCustomError(MISTAKE, template, {"template": template, **values})


def filled(text: str, values: dict[str, str]) -> str:
    """The text with its places filled in; a place that nothing was measured for is a dash."""
    return string.Formatter().vformat(text, (), Filling(values))


class Filling(dict[str, str]):
    def __missing__(self, name: str) -> str:
        return "–"
