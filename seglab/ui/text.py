"""Every string on the page, in English and Korean.

The English text is the key. `label` marks a text that the browser translates, `say` translates on the server, for what
is computed there.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import gradio as gr

from seglab import runs
from seglab.errors import SeglabError
from seglab.ui.korean import KOREAN

LANGUAGES = {"en": "English", "ko": "한국어"}
_labels: set[str] = set()


def catalogue() -> gr.I18n:
    """What the browser needs to translate the labels of a page that has been built, and nothing else: it would put an
    option's words in place of an entry of the same name, too."""
    return gr.I18n(en={text: text for text in _labels}, ko={text: KOREAN[text] for text in _labels})


def label(text: str) -> Any:
    """A text for a label that the browser translates; an identifier, which has no translation, as it is."""
    if text not in KOREAN:
        return text
    _labels.add(text)
    return gr.I18n()(text)


def language(request: gr.Request | None) -> str:
    """The page's language: `?lang=ko` where the visitor chose one, the browser's own otherwise."""
    if request is None:
        return "en"
    wanted = request.query_params.get("lang") or request.headers.get("accept-language", "")
    return "ko" if wanted.lower().startswith("ko") else "en"


def say(text: str, lang: str, **values: Any) -> str:
    """The text in a language, with its values filled in."""
    return (KOREAN.get(text, text) if lang == "ko" else text).format(**values)


def told(error: SeglabError, lang: str) -> str:
    """An error's sentence in a language; sentences and known words among its values included, the machine's folders
    not."""

    def word(value: Any) -> Any:
        if isinstance(value, SeglabError):
            return told(value, lang)
        if isinstance(value, str) and value in KOREAN:
            return say(value, lang)
        return unplaced(str(value)) if isinstance(value, str | Path | Exception) else value

    return say(error.template, lang, **{name: word(value) for name, value in error.values.items()})


def unplaced(text: str) -> str:
    """The text without where this machine keeps its data and runs, which is no visitor's business."""
    for name, folder in (("$SEGLAB_DATA", os.environ.get("SEGLAB_DATA")), ("$SEGLAB_HOME", runs.home())):
        if folder and Path(folder).name:
            text = re.sub(re.escape(os.path.abspath(folder)) + r"(?![\w-])", name, text)
    return f"…/{Path(text).name}" if os.path.isabs(text) else text
