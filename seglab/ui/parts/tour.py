"""The Start tab: one street, its truth, and what the models that come with seglab make of it."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from seglab import runs
from seglab.errors import SeglabError
from seglab.events import Started, best_of
from seglab.metrics import picture_miou
from seglab.runs import Evidence
from seglab.ui import views
from seglab.ui.parts.masks import address, entries


def html(lang: str) -> str:
    """The tab in a language."""
    known = shown()
    return views.render("start.html", lang, **known) if known else ""


@lru_cache(maxsize=1)
def shown() -> dict[str, Any]:
    """The shipped runs that were validated on the same images, the lowest score first, with the addresses of their
    pictures: nothing where none is shipped."""
    found = []
    for directory in runs.every():
        if directory.parent != runs.CHECKPOINTS:
            continue
        try:
            events, known = runs.events(directory), runs.description(directory)
        except SeglabError:  # a damaged copy; its row tells
            continue
        best, started = best_of(events), next((each for each in events if isinstance(each, Started)), None)
        if best and started and best.scores["val"].miou is not None:
            found.append((best.scores["val"].miou, directory, known, started.parameters))
    found.sort(key=lambda each: each[0])
    if not found:
        return {}
    _, first, known, _ = found[0]
    alike = [each for each in found if each[2]["digests"]["val"] == known["digests"]["val"]]
    version = str(known["digests"]["val"])[:12]
    count = range(len(known["samples"]))
    models = []
    for miou, directory, _, parameters in alike:
        evidence = Evidence(directory)
        pictures = [address(directory, "prediction", n, v=version) for n in count]
        scores = [picture_miou(evidence.labels(n), evidence.truth(n), len(known["classes"])) for n in evidence.samples]
        models.append(
            {
                "run": directory.name,
                "name": runs.label(directory).name,
                "parameters": parameters,
                "miou": miou,
                "pictures": pictures,
                "scores": scores,
            }
        )
    return {
        "models": models,
        "images": [address(first, "image", n, v=version) for n in count],
        "truth": [address(first, "truth", n, v=version) for n in count],
        "classes": entries(known),
        "runs": ",".join(directory.name for _, directory, _, _ in alike),
    }
