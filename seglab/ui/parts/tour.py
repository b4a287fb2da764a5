"""Makes `ui/start/`: what the Start tab shows of the runs and lessons that come with seglab, there before anything else
is.

python -m seglab.ui.parts.tour
"""

from __future__ import annotations

import json
from typing import Any

from seglab import places, runs
from seglab.events import Started, best_of
from seglab.lessons import files
from seglab.lessons.text import LANGUAGES, Text
from seglab.ui.parts.masks import entries, picture
from seglab.ui.tabs.start import FOLDER


def found() -> tuple[dict[str, Any], dict[str, bytes]]:
    """The shipped runs that were validated on the same images, the lowest score first, the shipped lessons, and the
    files of the runs' pictures by name."""
    shipped = []
    for directory in runs.every():
        if directory.parent == runs.CHECKPOINTS:
            events, known = runs.events(directory), runs.description(directory)
            best, started = best_of(events), next(each for each in events if isinstance(each, Started))
            if best and best.scores["val"].miou is not None:
                shipped.append((best.scores["val"].miou, directory, known, started.parameters))
    shipped.sort(key=lambda each: each[0])
    _, first, known, _ = shipped[0]
    alike = [each for each in shipped if each[2]["digests"]["val"] == known["digests"]["val"]]
    pictures = [("image", first, "image"), ("truth", first, "truth")]
    pictures += [(directory.name, directory, "prediction") for _, directory, _, _ in alike]
    count = range(len(known["samples"]))
    made = {f"{name}-{n}.webp": picture(directory, kind, n) for name, directory, kind in pictures for n in count}
    models = [
        {"run": directory.name, "name": runs.label(directory).name, "parameters": parameters, "miou": miou}
        for miou, directory, _, parameters in alike
    ]
    return {"models": models, "count": len(count), "classes": entries(known), "lessons": lessons()}, made


def lessons() -> list[dict[str, Any]]:
    """The shipped lessons, each with its first question."""
    found = []
    for name, path in files.every().items():
        if path.parent == places.LESSONS:
            lesson = files.load(path)
            first = next(iter(lesson.asks.values())).text
            texts = {"title": in_all(lesson.title), "first": in_all(first)}
            found.append({"name": name, "minutes": lesson.minutes, "questions": len(lesson.asks)} | texts)
    return found


def in_all(text: Text) -> dict[str, str]:
    return {language: text.of(language) for language in LANGUAGES}


def main() -> None:
    known, made = found()
    for old in FOLDER.glob("*.*"):
        old.unlink()
    for name, content in made.items():
        (FOLDER / name).write_bytes(content)
    (FOLDER / "known.json").write_text(json.dumps(known, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
