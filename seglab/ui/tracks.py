"""The points of a run's curves, read as its reports grow, and sent from where a page stands."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from seglab import runs
from seglab.errors import SeglabError
from seglab.events import Evaluated, Event, Finished, Sentence, Started, Stepped, from_line

MOST_POINTS = 400  # steps of a run that a page gets at first: neighbors are drawn together


class Track:
    """What one run has reported, read as its file grows. `life` grows when a resumed run takes back some of it."""

    def __init__(self, directory: Path):
        self.directory = directory
        self.lock = threading.Lock()
        self.begin_anew()
        self.life = 0

    def begin_anew(self) -> None:
        self.size = 0
        self.steps: list[list] = []
        self.evaluations: list[list] = []
        self.started: Started | None = None
        self.stepped: Stepped | None = None
        self.bests: list[Evaluated] = []  # each was the best when it came
        self.finished: Finished | None = None
        self.notes: list[Sentence] = []  # of the last evaluation
        self.problem: SeglabError | None = None

    def read(self) -> Track:
        """Takes in what is new; a damaged line is told and nothing after it counts."""
        with self.lock:
            size = runs.size_of(self.directory / "events.jsonl")
            if size < self.size:
                self.begin_anew()
                self.life += 1
            if size > self.size and self.problem is None:
                with open(self.directory / "events.jsonl", "rb") as file:
                    file.seek(self.size)
                    content = file.read()
                whole = content.rfind(b"\n") + 1  # what follows is being written
                for line in content[:whole].splitlines():
                    try:
                        self.take(from_line(line))
                    except ValueError:
                        name = f"{self.directory.name}/events.jsonl"
                        self.problem = SeglabError("{file} is damaged: a line of it cannot be read", file=name)
                        break
                self.size += whole
            return self

    def take(self, event: Event) -> None:
        if isinstance(event, Started):
            if event.resumed_at is not None or self.started:
                kept = [each for each in self.steps if each[0] <= event.step]
                scored = [each for each in self.evaluations if each[0] <= event.step]
                if len(kept) < len(self.steps) or len(scored) < len(self.evaluations):
                    self.life += 1
                self.steps, self.evaluations = kept, scored
                self.bests = [each for each in self.bests if each.step <= event.step]
                if self.stepped and self.stepped.step > event.step:
                    self.stepped = None
            self.finished = None
            self.started = self.started or event
        elif isinstance(event, Stepped):
            self.stepped = event
            self.steps.append(
                [event.step, short(event.epoch), short(event.seconds), short(event.loss), short(event.lr)]
            )
        elif isinstance(event, Evaluated):
            self.bests += [event] if event.best else []
            self.notes = event.notes
            if "train" not in event.scores:  # of a network that was not trained here: no curve begins with it
                return
            train, val = event.scores["train"], event.scores["val"]
            numbers = [event.epoch, event.seconds, train.loss, val.loss, train.miou, val.miou, event.lr]
            self.evaluations.append([event.step, *map(short, numbers), int(event.best)])
        elif isinstance(event, Finished):
            self.finished = event

    @property
    def best(self) -> Evaluated | None:
        return self.bests[-1] if self.bests else None

    @property
    def position(self) -> str:
        """How far a page that has everything is."""
        return f"{self.life}.{len(self.steps)}.{len(self.evaluations)}"

    def since(self, position: str) -> dict[str, Any] | None:
        """The points after a position, or all of them where it is of another life; None where there are none."""
        with self.lock:
            if position == self.position:
                return None
            life, steps, evaluations = parsed(position)
            known = life == self.life and 0 < steps <= len(self.steps) and evaluations <= len(self.evaluations)
            if known:
                return {"at": self.position, "steps": self.steps[steps:], "evals": self.evaluations[evaluations:]}
            every = thinned(self.steps, MOST_POINTS)
            return {"at": self.position, "steps": every, "evals": list(self.evaluations), "new": True}


def parsed(position: str) -> tuple[int, int, int]:
    """Life, steps and evaluations; of another life where it says nothing."""
    try:
        life, steps, evaluations = map(int, position.split("."))
    except ValueError:
        return -1, 0, 0
    return life, max(0, steps), max(0, evaluations)


def short(value: float | None) -> float | None:
    """Four digits, which is more than a curve shows; JSON has no other numbers than finite ones."""
    return None if value is None or value != value or abs(value) == float("inf") else float(f"{value:.4g}")


def thinned(points: Sequence[list], most: int) -> list[list]:
    """At most so many points: neighbors together, at the last one's place with their mean loss."""
    if len(points) <= most:
        return list(points)
    found = []
    for n in range(most):
        group = points[n * len(points) // most : (n + 1) * len(points) // most]
        losses = [each[3] for each in group if each[3] is not None]
        mean = short(sum(losses) / len(losses)) if losses else None
        found.append([*group[-1][:3], mean, group[-1][4]])
    return found
