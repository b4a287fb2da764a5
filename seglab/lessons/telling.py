"""What is told of an outcome, and of a document's claims, in a reader's language."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from seglab import runs
from seglab.comparison.definitions import definitions
from seglab.errors import SeglabError
from seglab.lessons import scoring
from seglab.lessons.bench import Bench
from seglab.lessons.measures import Outcome
from seglab.lessons.model import OTHERWISE, Ask, Claim, Lesson, Reason
from seglab.lessons.scoring import Difference
from seglab.lessons.text import filled

FOUND, TURNED, OPEN = "found", "turned", "open"  # again, the other way round, cannot be told apart


def named(lesson: Lesson, value: str, language: str) -> str:
    """A value as it is shown: what begins with = is a setting by its key."""
    if not value.startswith("="):
        return value
    return lesson.setting(value[1:]).title.of(language)


def shown(lesson: Lesson, values: Mapping[str, str], language: str) -> dict[str, str]:
    return {name: named(lesson, value, language) for name, value in values.items()}


def noted(lesson: Lesson, error: SeglabError, language: str) -> SeglabError:
    """A note with the titles of settings in a language."""
    values = {
        name: named(lesson, value, language) if isinstance(value, str) else value
        for name, value in error.values.items()
    }
    return SeglabError(error.template, **values)


def told(lesson: Lesson, ask: Ask, outcome: Outcome, language: str) -> str:
    """What is said of a question's outcome."""
    text = ask.tell.get(outcome.key) or ask.tell[OTHERWISE]
    return filled(text.of(language), shown(lesson, outcome.values, language))


def result(bench: Bench, ask: Ask, language: str) -> dict[str, Any]:
    """What came of a question, in words: `right` are the keys of options, `number` what it is, `tell` the explanation,
    `why` what makes each option tempting; notes are sentences yet to be translated."""
    assert ask.measure is not None
    outcome = ask.measure.outcome(bench)
    known = {option.key for option in ask.options}
    return {
        "outcome": outcome.key,
        "right": [key for key in outcome.right if key in known],
        "number": outcome.number,
        "tell": told(bench.lesson, ask, outcome, language),
        "notes": [noted(bench.lesson, each, language) for each in outcome.notes],
        "why": {
            option.key: filled(option.why.of(language), shown(bench.lesson, outcome.values, language))
            for option in ask.options
            if option.why
        },
    }


# --- claims


@dataclass(frozen=True)
class Figure:
    """A setting in a document and here: its figure there, and the mean, standard deviation and number of its seeds."""

    key: str
    there: float | None
    here: float
    deviation: float | None
    seeds: int


@dataclass(frozen=True)
class Tested:
    """Two settings, of which the document has the first lower: `state` says how that came out here."""

    low: str
    high: str
    state: str
    difference: Difference


def figures(bench: Bench, claim: Claim) -> list[Figure]:
    """Every setting of a claim, in its order."""
    keys = dict.fromkeys([*claim.figures, *(key for two in claim.pairs for key in two)])
    found = []
    for key in keys:
        values = bench.values(key, claim.by)
        deviation = statistics.stdev(values) if len(values) > 1 else None
        found.append(Figure(key, claim.figures.get(key), statistics.mean(values), deviation, len(values)))
    return found


def tested(bench: Bench, claim: Claim) -> list[Tested]:
    """The pairs of a claim, each by what was measured here."""
    found = []
    for low, high in claim.pairs:
        difference = bench.difference(low, high, claim.by)
        better = difference.size < 0 if claim.by in scoring.LESS else difference.size > 0
        state = OPEN if not difference.apart else FOUND if better else TURNED
        found.append(Tested(low, high, state, difference))
    return found


def summed(found: list[Tested]) -> SeglabError:
    """All pairs in one sentence."""
    count = {state: sum(each.state == state for each in found) for state in (FOUND, TURNED, OPEN)}
    return SeglabError(
        "statements that could be tested here: {all}; found again: {found}, the other way round: {turned}, "
        "open: {open}",
        all=len(found),
        **count,
    )


def why(bench: Bench, reason: Reason, language: str) -> SeglabError:
    """Why a document and what was measured here may differ."""

    def of(name: str) -> str:
        text = getattr(reason, name)
        return text.of(language) if text else ""

    if reason.reason == "data":
        return SeglabError(
            "other images: {there} there, {here} here", there=of("there"), here=of("here") or pictured(bench)
        )
    if reason.reason == "size":
        return SeglabError("images of {there} pixels there, {here} here", there=of("there"), here=of("here"))
    if reason.reason == "width":
        return SeglabError("a network of {there} parameters there, {here} here", there=of("there"), here=of("here"))
    if reason.reason == "steps":
        return SeglabError("{there} steps of training there, {here} here", there=of("there"), here=of("here"))
    if reason.reason == "start":
        return SeglabError("it may have begun with ImageNet's weights; the document does not say")
    if reason.reason == "one_run":
        return SeglabError("one run of each there: how much of the difference is luck is not known")
    if reason.reason == "two_changes":
        return SeglabError("two things were changed at once there; here one at a time")
    if reason.reason == "leaderboard":
        return SeglabError("scored on hidden images there")
    if reason.reason == "not_said":
        return SeglabError("the document does not say {what}; here it is {here}", what=of("what"), here=of("here"))
    if reason.reason == "other_miou":
        return recounted(bench, reason, language)
    return SeglabError("{text}", text=of("text"))


def recounted(bench: Bench, reason: Reason, language: str) -> SeglabError:
    """What a setting would score by another definition of mIoU."""
    assert reason.of is not None and reason.definition is not None
    number = statistics.mean(definitions(each)[reason.definition] for each in bench.matrices(reason.of))
    title = bench.lesson.setting(reason.of).title.of(language)
    values = {"name": title, "number": scoring.shown(number), "here": scoring.shown(bench.mean(reason.of, "miou"))}
    by_definition = {
        "images": SeglabError("the mean over images of each one's mIoU"),
        "present": SeglabError("the mean over images, of the classes in their truth"),
        "batches": SeglabError("the mean over batches of 8 images"),
        "absent_as_one": SeglabError("the mean over images, an absent class counted as 1"),
        "absent_as_zero": SeglabError("the mean over images, an absent class counted as 0"),
    }
    return SeglabError(
        "perhaps another mIoU: {definition}; counted that way {name} has {number} here instead of {here}",
        definition=by_definition[reason.definition],
        **values,
    )


def pictured(bench: Bench) -> SeglabError:
    """What the images of the runs are."""
    key = next(iter(bench.lesson.settings))
    data = runs.config(bench.directories(key)[0]).data
    return SeglabError("drawn streets") if data.name == "streets" else SeglabError("{data}", data=data.name)
