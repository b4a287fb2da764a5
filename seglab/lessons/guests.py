"""Lessons that a visitor brings, in a file or in a link: packed, opened with limits, and refused what is not theirs.

A link carries base64url(deflate(JSON)). The server keeps none of it: whoever asks about such a lesson sends it along.
"""

from __future__ import annotations

import base64
import binascii
import json
import zlib
from functools import lru_cache
from pathlib import Path

from seglab import places, runs
from seglab.errors import SeglabError
from seglab.lessons import files
from seglab.lessons.model import Lesson

DATA = ("streets",)  # that everybody may use, wherever the page is served
MOST_NEEDED = 128  # runs of a lesson
MOST_PACKED = 32 * 1024  # characters in a link; a lesson of seglab's has about 9,000


def packed(lesson: Lesson) -> str:
    """A lesson as a link carries it."""
    data = lesson.model_dump(mode="json", exclude_unset=True, context={"short": True})
    content = json.dumps(data, ensure_ascii=False, separators=(",", ":")).encode()
    files.refuse_large(len(content))
    text = base64.urlsafe_b64encode(zlib.compress(content, 9)).decode().rstrip("=")
    refuse_long(text)
    return text


@lru_cache(maxsize=64)
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


def guest(lesson: Lesson) -> Lesson:
    """The lesson under a name that no other one has, which ends in what it holds, so that its runs are its own."""
    return lesson.renamed(f"{lesson.name[:23]}-{files.content_hash(lesson)[:8]}", f"{lesson.name}{files.ENDING}")


def refuse_setting(lesson: Lesson, key: str) -> None:
    """Raises SeglabError for a setting that is not allowed, or reads what only this machine's owner may point at."""
    setting = lesson.setting(key)
    if setting.run and runs.find(setting.run).parent != places.CHECKPOINTS:
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
