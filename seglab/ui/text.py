"""Every text on the page, in the visitor's language.

The code says everything in English. Each file `languages/XX.po` is one more language: a gettext catalogue with the
English text as msgid, and the language's own name in its header `X-Language-Name`. What it does not translate is shown
in English. `label` marks a text that the browser translates, `say` translates on the server, for what is computed
there. A word with two senses gets a `context`, gettext's msgctxt.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
import jinja2
import polib
from starlette.requests import Request

from seglab import places
from seglab.errors import SeglabError

HERE = Path(__file__).parent
FOLDER = HERE / "languages"
ENGLISH = "en"
STATES = {  # of a run, as a person reads them
    "queued": "queued",
    "running": "running",
    "stopping": "stopping",
    "interrupted": "interrupted",
    "completed": "completed",
    "budget": "time limit reached",
    "stopped": "stopped",
    "diverged": "diverged",
    "failed": "failed",
}
_labels: set[tuple[str, str | None]] = set()


@dataclass(frozen=True)
class Catalogue:
    """A language's own name, and its translations by English text and context."""

    name: str
    texts: dict[tuple[str, str | None], str]


@lru_cache
def catalogues(folder: Path) -> dict[str, Catalogue]:
    """The languages that a folder holds, by code. Fuzzy and obsolete translations are left out, as gettext does."""
    found = {}
    for path in sorted(folder.glob("*.po")):
        file = polib.pofile(path)
        texts: dict[tuple[str, str | None], str] = {}
        for entry in file.translated_entries():
            texts[entry.msgid, entry.msgctxt] = entry.msgstr
        found[path.stem] = Catalogue(file.metadata.get("X-Language-Name", path.stem), texts)
    return found


def languages() -> dict[str, str]:
    """The page's languages: each code with the language's own name."""
    return {ENGLISH: "English"} | {code: each.name for code, each in catalogues(FOLDER).items()}


def translation(text: str, lang: str, context: str | None = None) -> str | None:
    """The text in a language, or None where it has no translation."""
    catalogue = catalogues(FOLDER).get(lang)
    return None if catalogue is None else catalogue.texts.get((text, context))


def browser_texts() -> gr.I18n:
    """What the browser needs to translate the labels of a page that has been built, and nothing else: it would put an
    option's words in place of an entry of the same name, too."""
    return gr.I18n(
        **{
            lang: {key(*each): sentence(translation(each[0], lang, each[1]) or each[0]) for each in _labels}
            for lang in languages()
        }
    )


def key(text: str, context: str | None) -> str:
    """The name of a label in the browser; with a context as gettext writes it."""
    return text if context is None else f"{context}\x04{text}"


def label(text: str, context: str | None = None) -> Any:
    """A text for a label that the browser translates."""
    _labels.add((text, context))
    return gr.I18n()(key(text, context))


def language(request: gr.Request | Request | None) -> str:
    """The page's language: `?lang=ko` where the visitor chose one, the browser's own otherwise, if it is among them."""
    if request is None:
        return ENGLISH
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    tag = re.split("[,;]", wanted)[0].strip().lower()
    known = {code.lower(): code for code in languages()}
    return known.get(tag) or known.get(tag.partition("-")[0], ENGLISH)


def say(text: str, /, lang: str, context: str | None = None, **values: Any) -> str:
    """The text in a language, with its values filled in."""
    return (translation(text, lang, context) or text).format(**values)


def sentence(text: str) -> str:
    """The text with a capital letter where it begins with an ordinary word, not with an option's or an entry's name."""
    return text[:1].upper() + text[1:] if re.match(r"[a-z][a-z-]*[ ,;]|[a-z-]+$", text) else text


def state_text(name: str, lang: str) -> str:
    """A run's state in a language."""
    return say(STATES.get(name, name), lang)


def told(error: SeglabError, lang: str) -> str:
    """An error in a language, as a sentence of its own."""
    return sentence(inner(error, lang))


def inner(error: SeglabError, lang: str) -> str:
    """An error in a language, as a part of another one; errors and known words among its values are told in it too,
    the machine's folders are not."""

    def word(value: Any) -> Any:
        if isinstance(value, SeglabError):
            return inner(value, lang)
        if isinstance(value, str) and (value in STATES or translation(value, lang)):
            return state_text(value, lang)
        return unplaced(str(value)) if isinstance(value, str | Path | Exception) else value

    return say(error.template, lang, **{name: word(value) for name, value in error.values.items()})


def unplaced(text: str) -> str:
    """The text without where this machine keeps its data and runs, which is no visitor's business."""
    for name, folder in (("$SEGLAB_DATA", os.environ.get("SEGLAB_DATA")), ("$SEGLAB_HOME", places.home())):
        if folder and Path(folder).name:
            text = re.sub(re.escape(os.path.abspath(folder)) + r"(?![\w-])", name, text)
    return f"…/{Path(text).name}" if os.path.isabs(text) else text


# --- templates

_templates = jinja2.Environment(
    loader=jinja2.FileSystemLoader(HERE / "templates"), autoescape=True, trim_blocks=True, lstrip_blocks=True
)
_templates.filters["sentence"] = sentence


def render(template: str, lang: str, **values: Any) -> str:
    """A template in a language, everything a person could have named escaped; `t` translates inside it, and `state`
    says what state a run is in."""
    translating = {"t": partial(say, lang=lang), "state": partial(state_text, lang=lang), "lang": lang}
    return _templates.get_template(template).render(translating | values)
