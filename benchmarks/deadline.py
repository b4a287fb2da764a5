"""The last night before a deadline, simulated: learners come ever faster, each trains some runs, and servers of several
sizes work on them in the order of the queue itself (`seglab.jobs.queue.in_turn`).

python -m benchmarks.deadline [--learners 10000] [--runs 3] [--days 7] [--rise 12] [--slots 8,32] [--first-come]

How long a run takes is drawn from those that lessons ship, as their reports have it. Learners come at a rate that rises
`e`-fold in every `rise` hours until the deadline; each thinks for some minutes between two runs. Whom a full queue
refuses comes back after ten minutes, and gives up after six times.
"""

from __future__ import annotations

import argparse
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
import simpy

from seglab import runs
from seglab.jobs.queue import MOST_WAITING, in_turn
from seglab.places import LESSONS
from seglab.runs import Counts

HOUR, MINUTE = 3600.0, 60.0
THINKING, BACK, TRIES = 3 * MINUTE, 10 * MINUTE, 6


@dataclass
class Night:
    """What came of it: of each run that was trained, when it was asked for, how long it waited and when it ended, in
    seconds, and the how many-th it was of its learner, from 0; how often a run was refused, and how many learners gave
    up; the longest queue."""

    asked: list[float] = field(default_factory=list)
    waits: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    refused: int = 0
    given_up: int = 0
    longest: int = 0


class Server:
    """A queue and so many slots, each of which works on one run at a time; `fair` as the queue is, or first come, first
    served."""

    def __init__(self, world: simpy.Environment, slots: int, most_waiting: int, fair: bool, night: Night):
        self.world, self.free, self.most, self.fair, self.night = world, slots, most_waiting, fair, night
        self.rows: dict[str, deque[simpy.Event]] = {}
        self.counts = Counts()

    @property
    def waiting(self) -> int:
        return sum(map(len, self.rows.values()))

    def enter(self, owner: str) -> simpy.Event | None:
        """What happens when the turn of a run of theirs comes; None where the queue is full."""
        if self.waiting >= self.most:
            self.night.refused += 1
            return None
        self.rows.setdefault(owner if self.fair else "", deque()).append(begins := self.world.event())
        self.serve()
        self.night.longest = max(self.night.longest, self.waiting)
        return begins

    def leave(self) -> None:
        """A run has ended."""
        self.free += 1
        self.serve()

    def serve(self) -> None:
        while self.free and self.rows:
            heads = {owner: deque([owner]) for owner in self.rows}
            owner = next(in_turn(heads, self.counts))
            self.rows[owner].popleft().succeed()
            if not self.rows[owner]:
                del self.rows[owner]
            self.counts.begin(owner)
            self.free -= 1


def simulated(
    arrivals: Sequence[float],
    slots: int,
    lasts: Callable[[], float],
    count: int = 1,
    most_waiting: int = MOST_WAITING,
    fair: bool = True,
) -> Night:
    """A night of learners who come at these seconds, each with so many runs that last as drawn."""
    world, night = simpy.Environment(), Night()
    server = Server(world, slots, most_waiting, fair, night)

    def learner(owner: str, arrival: float) -> Iterator[simpy.Event]:
        yield world.timeout(arrival)
        for n in range(count):
            if n:
                yield world.timeout(THINKING)
            asked = world.now
            for _ in range(TRIES):
                if begins := server.enter(owner):
                    break
                yield world.timeout(BACK)
            else:
                night.given_up += 1
                return
            yield begins
            waited = world.now - asked
            yield world.timeout(lasts())
            for values, value in zip(
                (night.asked, night.waits, night.ends, night.places), (asked, waited, world.now, n), strict=True
            ):
                values.append(value)
            server.leave()

    for n, arrival in enumerate(arrivals):
        world.process(learner(f"{n}", arrival))
    world.run()
    return night


def rising(learners: int, days: float, rise: float, draw: np.random.Generator) -> np.ndarray:
    """When learners come, in seconds from the beginning: the rate rises e-fold in `rise` hours, until the deadline."""
    end, grows = days * 24 * HOUR, rise * HOUR
    shares = draw.random(learners)
    return np.sort(end + grows * np.log(np.exp(-end / grows) * (1 - shares) + shares))


def shipped() -> np.ndarray:
    """How long the runs of lessons took, in seconds."""
    ends = (runs.last_word(path.parent) for path in LESSONS.glob("*/events.jsonl"))
    return np.array([end.seconds for end in ends if end])


def main() -> None:
    parser = argparse.ArgumentParser(description="The last night before a deadline.")
    parser.add_argument("--learners", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3, help="of each learner (default: %(default)s)")
    parser.add_argument("--days", type=float, default=7, help="that they have (default: %(default)s)")
    parser.add_argument("--rise", type=float, default=12, help="hours in which the rate rises e-fold")
    parser.add_argument("--slots", default="1,8,16,32,48,64", help="runs at a time (default: %(default)s)")
    parser.add_argument("--first-come", action="store_true", help="first come, first served, as the queue is not")
    given = parser.parse_args()
    seconds, deadline = shipped(), given.days * 24 * HOUR
    print(f"{len(seconds)} runs of lessons: median {np.median(seconds):.0f} s, mean {seconds.mean():.0f} s")
    for slots in map(int, given.slots.split(",")):
        draw = np.random.default_rng(0)
        arrivals = rising(given.learners, given.days, given.rise, draw)
        lasting = iter(draw.choice(seconds, given.learners * given.runs))
        night = simulated(arrivals, slots, lambda of=lasting: float(next(of)), given.runs, fair=not given.first_come)
        print(told(night, slots, given.learners, given.runs, deadline), flush=True)


def told(night: Night, slots: int, learners: int, count: int, deadline: float) -> str:
    """A line of what came of it for the learners, and how long they waited who asked in the last three hours."""
    asked, waits, places = np.array(night.asked), np.array(night.waits) / MINUTE, np.array(night.places)
    late, in_time = asked > deadline - 3 * HOUR, np.array(night.ends) <= deadline
    first, all_of_them = ((in_time & (places == place)).sum() / learners for place in (0, count - 1))
    shown = ", ".join(f"{np.percentile(waits[late], share):.1f}" for share in (50, 95)) if late.any() else "-"
    return (
        f"{slots} slots: before the deadline {first:.0%} of the learners had a run and {all_of_them:.0%} all {count}; "
        f"who asked in the last three hours and was served waited {shown} min (median, 95th percentile); at most "
        f"{night.longest} waited, {night.refused} refusals, {night.given_up} gave up"
    )


if __name__ == "__main__":
    main()
