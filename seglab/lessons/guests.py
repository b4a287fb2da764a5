"""Lessons that a visitor brings, in a file or in a link: packed, opened with limits, and refused what is not theirs.

A link carries base64url(deflate(JSON)). The server has those that were sent last in memory, by names that end in what
they hold; a page that asks for one that is gone sends it again.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import threading
import zlib
from collections import OrderedDict
from pathlib import Path
from typing import Any

from seglab import places
from seglab.errors import SeglabError
from seglab.lessons import files
from seglab.lessons.model import Lesson

DATA = ("streets",)  # that everybody may use, wherever the page is served
MOST_NEEDED = 128  # runs of a lesson
MOST_KEPT = 128
NAMED = re.compile(r".+_[0-9a-f]{16}")
MOST_PACKED = 32 * 1024  # characters in a link; a lesson of seglab's has about 9,000
keeping = threading.Lock()
_kept: OrderedDict[str, Lesson] = OrderedDict()


def packed(lesson: Lesson) -> str:
    """A lesson as a link carries it."""
    content = json.dumps(short(lesson), ensure_ascii=False, separators=(",", ":")).encode()
    files.refuse_large(len(content))
    text = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
    refuse_long(text)
    return text


def short(lesson: Lesson) -> dict[str, Any]:
    """What a lesson's file holds, as short as it may be written."""
    return lesson.model_dump(mode="json", exclude_unset=True, context={"short": True})


def unpacked(text: str) -> Lesson:
    """The lesson that a link carries. Raises SeglabError for what is none, is too large once it is inflated, or asks
    for what it may not."""
    refuse_long(text)
    inflating = zlib.decompressobj()
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
        content = inflating.decompress(raw, files.MOST_BYTES + 1)
    except (binascii.Error, ValueError, zlib.error):
        raise SeglabError("the link is damaged: there is no lesson in it") from None
    files.refuse_large(len(content))
    if not inflating.eof:
        raise SeglabError("the link is damaged: there is no lesson in it")
    return checked(files.packed(content))


def refuse_long(text: str) -> None:
    if len(text) > MOST_PACKED:
        raise SeglabError(
            "a lesson of {size} characters is too long for a link; allowed: {most}", size=len(text), most=MOST_PACKED
        )


def checked(lesson: Lesson) -> Lesson:
    """The lesson itself. Raises SeglabError where it asks for what it may not."""
    if len(lesson.runs) > MOST_NEEDED:
        raise SeglabError("a lesson of {count} runs is too large; allowed: {most}", count=len(lesson.runs),
                          most=MOST_NEEDED)  # fmt: skip
    for key in lesson.settings:
        refuse_setting(lesson, key)
    return lesson


class GoneError(SeglabError):
    """A lesson from elsewhere that has to be sent again."""


def keep(lesson: Lesson) -> Lesson:
    """The lesson as a guest: under a name that ends in what it holds, by which it is found until others have taken its
    place, and by which its runs are called."""
    name = f"{lesson.name[:15]}_{files.content_hash(lesson)}"
    with keeping:
        if name not in _kept:
            _kept[name] = lesson.renamed(name, f"{lesson.name}{files.ENDING}")
        _kept.move_to_end(name)
        while len(_kept) > MOST_KEPT:
            _kept.popitem(last=False)
        return _kept[name]


def find(name: str) -> Lesson:
    """A guest by its name; raises GoneError where it is not here, or not any more."""
    with keeping:
        if name not in _kept:
            raise GoneError("this lesson came from elsewhere and is not here any more: open its link or file again")
        _kept.move_to_end(name)
        return _kept[name]


def refuse_setting(lesson: Lesson, key: str) -> None:
    """Raises SeglabError for a setting that is not allowed, or reads what only this machine's owner may point at."""
    setting = lesson.setting(key)
    if setting.run and setting.run not in {path.parent.name for path in places.CHECKPOINTS.glob("*/config.json")}:
        raise SeglabError("{setting}: {run} does not come with seglab", setting=key, run=setting.run)
    if not setting.trained:
        return
    config = lesson.config(key, 0)
    if config.data.name not in DATA:
        raise SeglabError(
            "{setting}: a lesson from elsewhere cannot use the data {data}; allowed: {allowed}",
            setting=key,
            data=config.data.name,
            allowed=", ".join(DATA),
        )
    for option, value in config.model_dump(exclude={"init_from"}).items():
        if has_path(value):
            raise SeglabError("{setting}: {option} names a folder, which a lesson from elsewhere cannot do",
                              setting=key, option=option)  # fmt: skip


def has_path(value: object) -> bool:
    if isinstance(value, dict):
        return any(map(has_path, value.values()))
    if isinstance(value, list | tuple):
        return any(map(has_path, value))
    return isinstance(value, Path)
