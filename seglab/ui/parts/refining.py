"""The laboratory of the CRF: one validation image of a run step by step, with any setting; and good settings."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import gradio as gr
import numpy as np

from seglab import crf, runs
from seglab.comparison.pairs import defined
from seglab.comparison.readings import Reading, chained, chains, short, written
from seglab.comparison.search import Search, settings
from seglab.data.base import VOID
from seglab.data.images import labels_at, side_within
from seglab.entry import shown, validated
from seglab.errors import SeglabError
from seglab.metrics import miou, picture_miou
from seglab.predictors import PUBLISHED, Crf
from seglab.ui.board import BOARD
from seglab.ui.parts import lab, masks, sides, viewer
from seglab.ui.parts.scores import stamp
from seglab.ui.parts.sides import applied, key, offered, ready, setting_of, sound
from seglab.ui.text import language, render, told
from seglab.ui.views import uri
from seglab.ui.wires import fenced, sent, streamed

LONGEST = 640  # pixels of the longer side of an image; a larger one is shrunk before it is labeled here


@lru_cache(maxsize=8)
def html(lang: str) -> str:
    """The controls in a language."""
    return render("lab_crf.html", lang, crf=viewer.crf(), published=[(each, dict(each.crf)) for each in PUBLISHED])


# --- what is known of a run


def overview(directory: Path, wanted: str, lang: str) -> dict[str, Any]:
    """A run's validation images, what the CRF did to each where it was applied to all of them, with the wanted setting
    or else another one, and what is known of its settings. `wanted` is a setting's text of an address, in whose place
    the usual one is taken where it is refused."""
    if reason := crf.missing():
        raise reason
    setting, refused = Crf(), None
    try:
        setting = setting_of(f"crf:{wanted}")
    except SeglabError as error:
        refused = told(error, lang)
    known, search = runs.description(directory), Search(directory)
    best = search.best()
    return defined(
        {
            "run": directory.name,
            "refused": refused,
            "values": dict(setting),
            "text": text(setting),
            "classes": masks.entries(known),
            "images": known["images"]["val"],
            "photos": masks.address(directory, "photo", 0).replace("/0.webp", "/"),
            "version": str(known["digests"]["val"])[:12],
            "done": done(directory, setting),
            "tries": {"settings": len(settings()), "images": search.images, "begun": search.kept()[0] > 0},
            "tried": tried(search),
            "best": best and {"name": chained([best]), "values": dict(best)},
        }
    )


def text(setting: Crf) -> str:
    """A setting as it stands in an address: what `written` has behind the predictor's name."""
    return written([setting]).partition(":")[2]


def done(directory: Path, wanted: Crf) -> dict[str, Any] | None:
    """What the CRF did to every image, of the first of these settings that it was applied to all of them with: the
    wanted, the usual, the one before. None where there is none."""
    stamped = stamp(sound([directory]))
    there = sides.settings(stamped)
    if not there:  # the run is damaged, or has not been scored
        return None
    for setting in [wanted, Crf(), *applied(there[0])]:
        after = there[0].through([setting])
        if ready(after):
            both = lab.chosen(stamped, offered(there, key(after)), key(there[0]), key(after))
            with both.lock:
                counts = both.pair.agreement.counts
            return {"name": chained([setting]), "counts": counts.tolist()}
    return None


def tried(search: Search) -> list[dict[str, Any]]:
    """The settings that were tried on the search images, the best first; with the mIoU on the validation images of
    those that are applied to these: they report, and choose nothing."""
    rows, there = [], {(), *chains(search.directory)}
    for each in search.tried():
        chain = (each.crf,) if each.crf else ()
        rows.append(
            {
                "name": chained([each.crf]) if each.crf else None,
                "short": each.crf and short(each.crf),
                "values": each.crf and dict(each.crf),
                "usual": each.crf == Crf(),
                "search": each.miou,
                "val": miou(Reading(search.directory, chain).confusions().sum(0)) if chain in there else None,
            }
        )
    return rows


# --- one image


@dataclass(frozen=True)
class Validated:
    """A validation image uint8 (H, W, 3) at the size at which it is looked at, and its truth at its stored size."""

    image: np.ndarray
    truth: np.ndarray


@lru_cache(maxsize=32)
def validation(directory: Path, version: str, index: int) -> Validated:
    """One of a run's, as it is for this `version` of its data."""
    sample = runs.opened_once(directory).val[index]
    height, width = sample.image.shape[:2]
    longest = min(LONGEST, side_within(height, width, crf.MOST_PIXELS))
    return Validated(viewer.small(sample.image, longest), sample.mask)


@fenced
def refine(data: str, request: gr.Request) -> str:
    """An image before the CRF and after each of its steps with a setting, or what is wrong."""
    asked, lang = sent(data), language(request)
    answer = {"kind": "refined", "number": asked.get("number")}
    try:
        return json.dumps(answer | defined(refined(asked)))
    except SeglabError as error:
        return json.dumps(answer | {"error": told(error, lang)})


def refined(asked: dict[str, Any]) -> dict[str, Any]:
    """The image's truth, then its labels before the first step and after each, one below the other as the gray values
    of a picture; how far the marginals are from the CRF's distribution, and the image's mIoU, by step."""
    directory, index = BOARD.found(str(asked.get("run"))), asked.get("image")
    setting = validated(Crf, viewer.crf().read(asked.get("options")))
    known = runs.description(directory)
    if not isinstance(index, int) or not 0 <= index < len(known["images"]["val"]):
        raise SeglabError("{run} has no validation image {index}", run=directory.name, index=shown(index))
    seen = validation(directory, str(known["digests"]["val"]), index)
    models = {(directory, runs.weights_version(directory)): partial(runs.loaded, directory)}
    (result,) = viewer.SESSION.side_by_side(models, seen.image)  # type: ignore[arg-type]  # a Mapping of hashables
    steps = crf.steps(result.before.probabilities, seen.image, setting, viewer.DEADLINE)
    void = steps.labels == len(result.classes)  # of a model that may label pixels so
    labels = np.where(void, np.uint8(VOID), steps.labels)
    height, width = seen.image.shape[:2]
    truth = labels_at(seen.truth, height, width)
    counted = np.where(np.isin(truth, result.unknown or ()), np.uint8(VOID), truth)
    stacked = np.concatenate([counted[None], labels]).reshape(-1, width)
    return {
        "run": directory.name,
        "image": index,
        "size": [height, width],
        "maps": uri("png", viewer.gray(stacked)),
        "divergence": steps.divergence,
        "miou": [picture_miou(each, seen.truth, len(result.classes), result.unknown) for each in labels],
        "text": text(setting),
        "side": f"{directory.name}|{written([setting])}",
        "name": chained([setting]),
    }


# --- the search for a setting


@streamed("searched")
def search(data: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Tries settings on a run's search images; tells how far it is."""
    if reason := crf.missing():
        raise reason
    told_last = -1
    for share in searched(BOARD.found(str(data.get("run")))):
        if int(200 * share) > told_last:
            told_last = int(200 * share)
            yield {"kind": "searching", "share": share}


def searched(directory: Path) -> Iterator[float]:
    """Tries the settings; then the best, and the usual one beside it, label the validation images, which report."""
    trying = Search(directory)
    first = trying.images * (1 + len(settings()))
    second = len(runs.description(directory)["images"]["val"])
    whole = first + 2 * second
    yield 0.0  # it waits for others no more
    for done, _ in trying.compute():
        yield done / whole
    best = trying.best()
    reporting: list[Callable[[], Iterator[tuple[int, int]]]] = [
        Reading(directory, (each,)).compute for each in (best, Crf()) if each
    ]
    for n, compute in enumerate(reporting):
        for done, _ in compute():
            yield (first + n * second + done) / whole
    yield 1.0  # the best may be the usual one
