"""Two sides as one file to send: what can be said of them, and pixels to look at, with no server and no network."""

from __future__ import annotations

import base64
import json
import re
import zlib
from functools import lru_cache
from typing import Any

import numpy as np
from markupsafe import Markup

from seglab import draw, runs, travel
from seglab.comparison import compare
from seglab.comparison.pairs import defined
from seglab.events import Started
from seglab.ui import assets
from seglab.ui.parts import masks
from seglab.ui.parts.lab import Laboratory, real, seen, why
from seglab.ui.parts.scores import background
from seglab.ui.text import render, translation
from seglab.ui.views import uri, webp

ROOM = 340_000  # bytes of base64: as many images as fit in are looked at, those that differ most first
SHOWN = 3  # images for readers without scripts
QUALITY = 60  # of photographs
IMPORTED = re.compile(r'from "\./(\w+)\.js"')


def report(lab: Laboratory, lang: str) -> str:
    """The file. Raises SeglabError where the runs came without their label maps."""
    directories = [each.directory for side in (lab.pair.a, lab.pair.b) for each in side.readings]
    directories = list(dict.fromkeys(directories))
    comparison, configs = compare(directories), [runs.emptied(runs.config(each)) for each in directories]
    data, places = packed(lab, lang)
    names = (lab.pair.a.name, lab.pair.b.name)
    return render(
        "report.html",
        lang,
        names=names,
        verdict=data["verdict"]["sentences"],
        rows=[
            (runs.label(each).name, background(place), row)
            for place, (each, row) in enumerate(zip(directories, comparison.rows, strict=True))
        ],
        differences=comparison.differences,
        images=(len(places), len(lab.pair.names)),
        pictures=[(lab.pair.names[n], picture(lab, n)) for n in lab.pair.agreement.order("difference")[:SHOWN]],
        real=Markup(real(lab, lang)),
        why=Markup(why(lab, lang)),
        curves=[(title, Markup(draw.curve_svg(comparison, name))) for name, title in draw.CURVES.items()],
        commands=[travel.command(config) for config in configs],
        versions=versions(lab),
        digest=str(runs.description(directories[0])["digests"]["val"]),
        predictors=[[repr(each) for each in side.readings[0].predictors] for side in (lab.pair.a, lab.pair.b)],
        style=Markup(assets.assets()["style.css"].decode()),
        modules=Markup(embedded({"imports": {f"seglab/{name}": module(text) for name, text in scripts().items()}})),
        data=Markup(embedded(data | {"names": dict(zip("ab", names, strict=True))})),
        texts=Markup(embedded(texts(lang))),
        configurations=Markup(embedded([config.model_dump(mode="json") for config in configs])),
    )  # fmt: skip


def versions(lab: Laboratory) -> str:
    """Of what the first run was made with."""
    started = next((each for each in runs.events(lab.both[0].directory) if isinstance(each, Started)), None)
    return ", ".join(f"{name} {version}" for name, version in started.versions.items()) if started else ""


def embedded(value: Any) -> str:
    """JSON for a script element, which no text in it can end."""
    return json.dumps(value, ensure_ascii=False).replace("<", "\\u003c")


@lru_cache(maxsize=1)
def scripts() -> dict[str, str]:
    """Those of the page's scripts that a report needs."""
    found: dict[str, str] = {}
    wanted = ["report"]
    while wanted:
        name = wanted.pop()
        found[name] = assets.assets()[f"{name}.js"].decode()
        wanted += [each for each in IMPORTED.findall(found[name]) if each not in found]
    return found


def texts(lang: str) -> dict[str, str]:
    """What they say."""
    said = {text for script in scripts().values() for text in assets.said(script)}
    return {text: translation(text, lang) or text for text in sorted(said)}


def module(text: str) -> str:
    """A script as an address that holds it; what it imports gets the names of the import map, since such a script has
    no neighbors."""
    content = IMPORTED.sub(r'from "seglab/\1"', text).encode()
    return f"data:text/javascript;base64,{base64.b64encode(content).decode()}"


def packed(lab: Laboratory, lang: str) -> tuple[dict[str, Any], list[int]]:
    """What the view of pixels needs, of as many images as there is room for; and which these are."""
    known, found = defined(seen(lab, lang)), {}
    replay = encoded(lab.replay([len(reached) for reached in lab.epochs])) if known["samples"] else ""
    if len(replay) > ROOM // 3:
        known, replay = known | {"samples": []}, ""
    room = ROOM - len(replay)
    for n in dict.fromkeys([*known["samples"], *lab.pair.agreement.order("difference")]):
        maps = encoded(b"".join(each.tobytes() for each in lab.pair.image(n)))
        photo = photograph(lab, n) if known["photos"] else ""
        room -= len(maps) + len(photo)
        if room < 0 and len(found) > len(known["samples"]):
            break
        found[n] = maps, photo
    places = sorted(found)
    at = {n: k for k, n in enumerate(places)}
    return known | {
        "images": [known["images"][n] for n in places],
        "orders": {name: [at[n] for n in order if n in at] for name, order in known["orders"].items()},
        "pages": [0],
        "samples": [at[n] for n in known["samples"]],
        "maps": [found[n][0] for n in places],
        "photos": [found[n][1] for n in places] if known["photos"] else [],
        "replay": replay,
    }, places


def encoded(content: bytes) -> str:
    return base64.b64encode(zlib.compress(content, 9)).decode()


def photograph(lab: Laboratory, n: int) -> str:
    directory = next(each.directory for each in lab.both if masks.sees(each.directory))
    return base64.b64encode(webp(masks.opened(directory).val[n].image, quality=QUALITY)).decode()


def picture(lab: Laboratory, n: int) -> str:
    """Truth, A and B of an image beside each other, as an address that holds it."""
    colors = runs.description(lab.both[0].directory)["colors"]
    return uri("webp", webp(np.hstack([draw.painted(each, colors) for each in lab.pair.image(n)]), exact=True))
