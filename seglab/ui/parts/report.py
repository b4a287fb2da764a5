"""Two sides as one file to send: what can be said of them, and pixels to look at, with no server and no network."""

from __future__ import annotations

import base64
import json
import math
import re
import secrets
import zlib
from functools import lru_cache
from typing import Any
from urllib.parse import urlencode

import numpy as np
from markupsafe import Markup

from seglab import draw, runs
from seglab.comparison import compare
from seglab.comparison.pairs import defined
from seglab.events import Started
from seglab.ui import assets
from seglab.ui.parts import counting, masks
from seglab.ui.parts.findings import real, regions, why
from seglab.ui.parts.lab import MOST_PIXELS, Laboratory, recipes, seen
from seglab.ui.parts.scores import background
from seglab.ui.text import render, translation
from seglab.ui.views import uri, webp

MOST = 590_000  # bytes of a file: as many images as fit in are looked at, those that differ most first
LEAST = 100_000  # bytes that there are for images, whatever else there is
SHOWN = 3  # images for readers without scripts
QUALITY = 50  # of photographs
ELSEWHERE = ("Start", "The list of runs", "The form", "What stands beside it")  # of the page alone, by their headings
SPARED = re.compile(r"(?m)^ *(?://.*\n)?")
IMPORTED = re.compile(r'(from |import\()"\./([\w./]+)\.js"')


def report(lab: Laboratory, lang: str) -> str:
    """The file, made once for all. Raises SeglabError where the runs came without their label maps."""
    key = "report", lang, lab.borders.found is not None  # with what happens at borders, or not yet
    return lab.written.get(key, lambda: made(lab, lang))


def made(lab: Laboratory, lang: str) -> str:
    place = secrets.token_hex(16)  # of the images, as long as the rest is written
    directories = [each.directory for side in (lab.pair.a, lab.pair.b) for each in side.readings]
    directories = list(dict.fromkeys(directories))
    comparison, configs = compare(directories), [runs.emptied(runs.config(each)) for each in directories]
    known, names = defined(seen(lab, lang)), (lab.pair.a.name, lab.pair.b.name)
    known |= {"names": dict(zip("ab", names, strict=True)), "recipes": recipes(lab)}
    lab.borders.begin(counting.PATIENCE, patient=True)
    written = render(
        "report.html",
        lang,
        names=names,
        verdict=known["verdict"]["sentences"],
        rows=[
            (runs.label(each).name, background(place), row)
            for place, (each, row) in enumerate(zip(directories, comparison.rows, strict=True))
        ],
        differences=comparison.differences,
        count=len(lab.pair.names),
        pictures=[(lab.pair.names[n], picture(lab, n)) for n in lab.pair.agreement.order("difference")[:SHOWN]],
        real=Markup(real(lab, lang)),
        why=Markup(why(lab, lang, waits=False)),
        curves=[(title, Markup(draw.curve_svg(comparison, name))) for name, title in draw.CURVES.items()],
        commands=[command for side in known["recipes"] for command in side["commands"]],
        versions=versions(lab),
        digest=str(runs.description(directories[0])["digests"]["val"]),
        predictors=[[repr(each) for each in side.readings[0].predictors] for side in (lab.pair.a, lab.pair.b)],
        style=Markup(style()),
        modules=Markup(embedded({"imports": {f"seglab/{name}": module(text) for name, text in scripts().items()}})),
        data=Markup(place),
        texts=Markup(embedded(texts(lang))),
        configurations=Markup(embedded([config.model_dump(mode="json") for config in configs])),
    )  # fmt: skip
    room = MOST - len(written.encode()) - len(embedded(known).encode())
    return written.replace(place, embedded(packed(lab, known, max(LEAST, room))))


def versions(lab: Laboratory) -> str:
    """Of what the first run was made with."""
    started = next((each for each in runs.events(lab.both[0].directory) if isinstance(each, Started)), None)
    return ", ".join(f"{name} {version}" for name, version in started.versions.items()) if started else ""


def embedded(value: Any) -> str:
    """JSON for a script element, which no text in it can end."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


def style() -> str:
    """The page's style, without that of parts that a report has not."""
    found = assets.assets()["style.css"].decode()
    for heading in ELSEWHERE:
        found = re.sub(rf"(?ms)^/\* {heading} \*/$.*?(?=^/\* )", "", found)
    return found


@lru_cache(maxsize=1)
def scripts() -> dict[str, str]:
    """Those of the page's scripts that a report needs."""
    found: dict[str, str] = {}
    wanted = ["report"]
    while wanted:
        name = wanted.pop()
        found[name] = assets.assets()[f"{name}.js"].decode()
        wanted += [each for _, each in IMPORTED.findall(found[name]) if each not in found]
    return found


def texts(lang: str) -> dict[str, str]:
    """What they say."""
    said = {text for script in scripts().values() for text in assets.said(script)}
    return {text: translation(text, lang) or text for text in sorted(said)}


def module(text: str) -> str:
    """A script as an address that holds it, without indentation and comments, which are a fifth of it; what it imports
    gets the names of the import map, since such a script has no neighbors."""
    content = SPARED.sub("", IMPORTED.sub(r'\1"seglab/\2"', text)).encode()
    return f"data:text/javascript;base64,{base64.b64encode(content).decode()}"


def packed(lab: Laboratory, known: dict[str, Any], room: int) -> dict[str, Any]:
    """What the view of pixels needs, of as many images as there is room for."""
    found: dict[int, tuple[str, str]] = {}
    counts = [len(reached) for reached in lab.epochs]
    pixels = sum(counts) * sum(math.prod(known["images"][n]["size"]) for n in known["samples"])
    replay = encoded(lab.replay(counts)) if 0 < pixels < MOST_PIXELS else ""
    if not replay or len(replay) > room // 3:
        known, replay = known | {"samples": []}, ""
    room -= len(replay)
    for n in dict.fromkeys([*known["samples"], *lab.pair.agreement.order("difference")]):
        maps = encoded(b"".join(each.tobytes() for each in lab.pair.image(n)))
        photo = photograph(lab, n) if known["photos"] else ""
        room -= len(maps) + len(photo)
        if room < 0 and len(found) > len(known["samples"]):
            break
        found[n] = maps, photo
    places = sorted(found)
    at = {n: k for k, n in enumerate(places)}
    keys, names = known["runs"], [run for side in known["recipes"] for run in side["runs"]]
    return known | {
        "images": [known["images"][n] for n in places],
        "orders": {name: [at[n] for n in order if n in at] for name, order in known["orders"].items()},
        "regions": [each | {"image": at[each["image"]]} for each in regions(lab) if each["image"] in at],
        "pages": [0],
        "samples": [at[n] for n in known["samples"]],
        "maps": [found[n][0] for n in places],
        "photos": [found[n][1] for n in places] if known["photos"] else [],
        "replay": replay,
        "link": "compare?" + urlencode({"view": "where", "a": keys[0], "b": keys[1], "runs": ",".join(names)}),
        "all": len(known["images"]),
        "numbers": places,
    }


def encoded(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


def photograph(lab: Laboratory, n: int) -> str:
    directory = next(each.directory for each in lab.both if masks.sees(each.directory))
    return base64.b64encode(webp(runs.opened_once(directory).val[n].image, quality=QUALITY)).decode()


def picture(lab: Laboratory, n: int) -> str:
    """Truth, A and B of an image beside each other, as an address that holds it."""
    colors = runs.description(lab.both[0].directory)["colors"]
    return uri("webp", webp(np.hstack([draw.painted(each, colors) for each in lab.pair.image(n)]), exact=True))
