"""A class of thirty at one page while a run trains: how long it waits for answers, what the run loses, what each poll
costs, how the memory grows, and whether one who presses often keeps the others from their turn.

python -m benchmarks.classroom [--parts watching,crowd,predicting,polls,sessions,greedy]

Its clients speak the page's own protocol on loopback: they ask what is new as its script does, and press its buttons
through Gradio's queue and event stream.
"""

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.parse import quote
from urllib.request import Request, urlopen

import numpy as np
import psutil

from benchmarks._page import served
from seglab import jobs, runs
from seglab.config import RunConfig
from seglab.entry import validated
from seglab.events import Stepped

PAGES, EVERY, THINKING = 30, 2.0, 6.0  # pages, seconds between two looks of one, and between two of its predictions
BLOCKS, SECONDS = 9, 12.0
CROWDS = (30, 100, 300, 1000)  # pages
SPEED = 0.85  # of the run's lone speed, at least
WATCH, PREDICT = 0.3, 4.0  # seconds that an answer may take at the 95th percentile
POLL = 2048  # bytes of an answer while a run is under way
POLLS, POLLS_GROW = 9000, 10  # megabytes
SESSIONS, SESSIONS_GROW = 200, 20
PRESSES = 20
PATIENCE = 60.0


class Client:
    """One open page: its session, its token, and what it has been told of the runs."""

    def __init__(self, address: str, config: dict[str, Any], number: int = 0):
        self.address, self.config = address, config
        self.session, self.number = f"page{number}x{os.urandom(4).hex()}", number
        self.visitor = {"token": f"{number:032x}", "nickname": f"student {number}"}
        self.version, self.position = "", ""

    def event(self, part: str, name: str) -> int:
        """The number of the event that a part of the page triggers."""
        (component,) = (each["id"] for each in self.config["components"] if each["props"].get("elem_id") == part)
        return next(each["id"] for each in self.config["dependencies"] if [component, name] in each["targets"])

    def look(self, run: str) -> int:
        """Asks what is new, as the page does every two seconds; gives the bytes of the answer."""
        query = f"seglab/watch?v={self.version}&lang=en&r={quote(run)}@{self.position}"
        content = urlopen(self.address + query, timeout=PATIENCE).read()
        if content:
            answer = json.loads(content)
            self.version = answer["v"]
            self.position = answer.get("points", {}).get(run, {}).get("at", self.position)
        return len(content)

    def press(self, part: str, name: str, data: dict[str, Any]) -> dict[str, Any]:
        """Triggers an event that does not queue, and gives its answer."""
        return json.loads(self.post("run/predict", self.body(part, name, data))["data"][0])

    def queued(self, part: str, name: str, data: dict[str, Any], inputs: Sequence[Any] = ()) -> dict[str, Any]:
        """Triggers an event that queues, and gives its answer once the event stream brings it."""
        self.post("queue/join", self.body(part, name, data, inputs) | {"trigger_id": None})
        with urlopen(f"{self.address}gradio_api/queue/data?session_hash={self.session}", timeout=PATIENCE) as stream:
            for line in stream:
                message = json.loads(line[5:]) if line.startswith(b"data:") else {}
                if message.get("msg") == "process_completed":
                    assert message["success"], message
                    return json.loads(message["output"]["data"][0])
        raise ConnectionError("the event stream ended without an answer")

    def body(self, part: str, name: str, data: dict[str, Any], inputs: Sequence[Any] = ()) -> dict[str, Any]:
        """An event with its inputs: where these are one text, what the part sends; else, that is the event's data."""
        event, given = self.event(part, name), data | {"visitor": self.visitor}
        wanted = next(each["inputs"] for each in self.config["dependencies"] if each["id"] == event)
        if wanted and not inputs:
            return {"data": [json.dumps(given)], "fn_index": event, "session_hash": self.session}
        return {"data": list(inputs), "fn_index": event, "session_hash": self.session, "event_data": given}

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        content = json.dumps(body).encode()
        request = Request(f"{self.address}gradio_api/{path}", content, {"Content-Type": "application/json"})
        return json.loads(urlopen(request, timeout=PATIENCE).read())


def main() -> None:
    parser = argparse.ArgumentParser(description="A class of thirty at one page while a run trains.")
    parser.add_argument("--parts", default=",".join(PARTS), help="which of these (default: %(default)s)")
    parts = parser.parse_args().parts.split(",")
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": 64, "val_images": 2}
        config = validated(RunConfig, {"loss": "cross_entropy", "data": data, "epochs": 1000})
        (directory,) = jobs.submit([config])
        os.environ["SEGLAB_SHARED"] = "1"
        with served([sys.executable, "app.py"], home) as (address, program):
            while not any(isinstance(event, Stepped) for event in runs.events(directory)):
                time.sleep(0.5)
            known = json.loads(urlopen(f"{address}config").read())
            for part in parts:
                PARTS[part](Class(address, known, directory, program.pid))
            jobs.stop(directory)
            while not runs.status(directory).over:
                time.sleep(0.1)


class Class:
    """The page's server, the run under way, and as many clients as are wanted."""

    def __init__(self, address: str, config: dict[str, Any], directory: Path, process: int):
        self.address, self.config, self.directory, self.process = address, config, directory, process
        self.failed: list[str] = []

    def client(self, number: int = 0) -> Client:
        return Client(self.address, self.config, number)

    def megabytes(self) -> float:
        """What the server holds of the memory."""
        lines = Path(f"/proc/{self.process}/status").read_text(encoding="utf-8").splitlines()
        return int(next(line for line in lines if line.startswith("VmRSS:")).split()[1]) / 1024

    def processor(self) -> float:
        """The seconds of a core that the server's process has used, without those of runs."""
        return sum(psutil.Process(self.process).cpu_times()[:2])

    def step(self) -> int:
        """The step that the run is at now."""
        return next(event.step for event in reversed(runs.events(self.directory)) if isinstance(event, Stepped))

    @contextmanager
    def at_once(self, do: Any, every: float, waits: list[float], count: int = PAGES) -> Iterator[None]:
        """Has so many clients do something again and again, spread over the time between two of a client's."""
        over = threading.Event()

        def page(number: int) -> None:
            client = self.client(number)
            over.wait(every * number / count)
            while not over.is_set():
                began = time.monotonic()
                try:
                    do(client)
                except (OSError, ValueError, AssertionError) as error:
                    self.failed.append(f"{type(error).__name__}: {error}")
                waits.append(time.monotonic() - began)
                over.wait(every - (time.monotonic() - began))

        threads = [threading.Thread(target=page, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()


def told(what: str, value: float, unit: str, mark: float, met: bool, more: str = "") -> None:
    print(f"{what}: {value:.3g} {unit}, mark {mark:g} {unit}: {'met' if met else 'MISSED'}{more}", flush=True)


def watching(room: Class) -> None:
    """Thirty pages look at the run: the run's speed with them over its speed alone, block by block, and their waits."""
    ratios: list[float] = []
    waits: list[float] = []
    for block in range(BLOCKS):
        speeds = {}
        for looked_at in (True, False) if block % 2 else (False, True):
            watched = room.at_once(
                lambda client: client.look(room.directory.name), EVERY, waits, PAGES if looked_at else 0
            )
            with watched:
                before, began = room.step(), time.monotonic()
                time.sleep(SECONDS)
                speeds[looked_at] = (room.step() - before) / (time.monotonic() - began)
        ratios.append(speeds[True] / speeds[False])
    draws = np.median(np.random.default_rng(0).choice(ratios, (2000, len(ratios))), axis=1)
    low, high = np.percentile(draws, [2.5, 97.5])
    told(f"a run that {PAGES} pages look at", float(np.median(ratios)), "times its lone speed", SPEED, high >= SPEED,
         f" [{low:.3f}, {high:.3f}]")  # fmt: skip
    slow = float(np.percentile(waits, 95))
    told("95th percentile of an answer to one of them", slow, "s", WATCH, slow <= WATCH, f" of {len(waits)}")
    told("errors", len(room.failed), "", 0, not room.failed, f" {room.failed[:2]}" if room.failed else "")


def crowd(room: Class) -> None:
    """Ever more pages look at the run: what their answers take of the server's processor, and how long they wait."""
    for pages in CROWDS:
        waits: list[float] = []
        before, began = room.processor(), time.monotonic()
        with room.at_once(lambda client: client.look(room.directory.name), EVERY, waits, pages):
            time.sleep(SECONDS)
        share = (room.processor() - before) / (time.monotonic() - began)
        print(
            f"{pages} pages: {share:.2f} of a core, {share / len(waits) * SECONDS * 1e3:.1f} ms an answer; 95th "
            f"percentile {np.percentile(waits, 95):.3f} s of {len(waits)} answers, {len(room.failed)} errors",
            flush=True,
        )


def predicting(room: Class) -> None:
    """Thirty more have their models predict, in the queue, beside thirty that look."""
    looks: list[float] = []
    waits: list[float] = []
    options = {"runs": ["unet", "encoder_decoder"], "options": {}, "steps": []}

    def predict(client: Client) -> None:
        answer = client.queued("viewer", "click", options | {"picture": {"example": client.number % 8}, "number": 1})
        assert len(answer["results"]) == 2 and not answer["error"], answer["error"]

    with (
        room.at_once(lambda client: client.look(room.directory.name), EVERY, looks),
        room.at_once(predict, THINKING, waits),
    ):
        time.sleep(60)
    slow = float(np.percentile(waits, 95))
    told("95th percentile of a prediction", slow, "s", PREDICT, slow <= PREDICT, f" of {len(waits)}")
    slow = float(np.percentile(looks, 95))
    told("95th percentile of an answer beside them", slow, "s", WATCH, slow <= WATCH, f" of {len(looks)}")
    told("errors", len(room.failed), "", 0, not room.failed, f" {room.failed[:2]}" if room.failed else "")


def polls(room: Class) -> None:
    """What a poll costs, and what nine thousand leave in the server's memory."""
    client = room.client()
    client.look(room.directory.name)
    sizes = []
    for _ in range(20):
        time.sleep(EVERY)
        sizes.append(client.look(room.directory.name))
    told("largest answer while the run goes on", max(sizes), "bytes", POLL, max(sizes) <= POLL,
         f", mean {np.mean(sizes):.0f}")  # fmt: skip
    for _ in range(500):
        client.look(room.directory.name)
    before = room.megabytes()
    clients = [room.client(number) for number in range(PAGES)]
    for number in range(POLLS):
        clients[number % PAGES].look(room.directory.name)
    grown = room.megabytes() - before
    told(f"memory after {POLLS} polls", grown, "MB more", POLLS_GROW, grown <= POLLS_GROW)


def sessions(room: Class) -> None:
    """Pages that are opened, look once, predict nothing, and close."""

    def visit(number: int) -> None:
        client = room.client(number)
        urlopen(room.address, timeout=PATIENCE).read()
        client.look(room.directory.name)
        client.press("runs", "submit", {})
        with urlopen(f"{room.address}gradio_api/heartbeat/{client.session}", timeout=PATIENCE) as stream:
            stream.readline()

    for number in range(20):
        visit(number)
    before = room.megabytes()
    for number in range(SESSIONS):
        visit(number)
    time.sleep(5)
    grown = room.megabytes() - before
    told(f"memory after {SESSIONS} pages came and went", grown, "MB more", SESSIONS_GROW, grown <= SESSIONS_GROW)


def greedy(room: Class) -> None:
    """One presses Start twenty times in a second, then everybody else once."""
    tiny = {"streets": {"train_images": 8, "val_images": 4, "size": 64}}
    state = {
        "picked": {"model": ["unet"], "data": ["streets"], "loss": ["cross_entropy"]},
        "options": {
            "data": tiny,
            "model": {"unet": {"width": 4, "depth": 2}},
            "run": {"run": {"image_size": 64, "epochs": 1}},
        },
    }
    answers: dict[int, list[dict[str, Any]]] = {number: [] for number in range(PAGES)}

    def press(number: int) -> None:
        answers[number].append(room.client(number).press("form", "submit", state))

    presses = [threading.Thread(target=press, args=(0,)) for _ in range(PRESSES)]
    for thread in presses:
        thread.start()
    for thread in presses:
        thread.join()
    others = [threading.Thread(target=press, args=(number,)) for number in range(1, PAGES)]
    for thread in others:
        thread.start()
    for thread in others:
        thread.join()
    accepted = sum(bool(answer["runs"]) for answer in answers[0])
    refused = [answer["messages"][0][1] for answer in answers[0] if not answer["runs"]]
    told(f"runs of one who pressed {PRESSES} times", accepted, "accepted", 8, accepted == 8, f"; {refused[0]!r}")
    lost = sum(not answer["runs"] for number in range(1, PAGES) for answer in answers[number])
    told("others who were refused", lost, "", 0, lost == 0)
    names = [runs.label(directory).owner for directory in jobs.waiting()]
    order = [name.nickname for name in names if name]
    firsts = order[: order.index("student 0", 1)] if "student 0" in order[1:] else order
    late = len({f"student {number}" for number in range(1, PAGES)} - set(firsts))
    told("others whose first run comes after the second of the greedy one", late, "", 0, late == 0)
    for directory in jobs.waiting():
        jobs.stop(directory)


PARTS = {
    "watching": watching,
    "crowd": crowd,
    "predicting": predicting,
    "polls": polls,
    "sessions": sessions,
    "greedy": greedy,
}


if __name__ == "__main__":
    try:
        main()
    except HTTPError as error:
        sys.exit(f"{error}: {error.read()[:500]!r}")
