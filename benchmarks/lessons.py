"""A class of thirty at a lesson: how soon its first step is on the screen, and how long they wait for each kind of
step when all of them go on at once, at a server that nobody has asked yet and at one that knows the answers.

python -m benchmarks.lessons [--parts opening,steps,visits,cached] [--lessons a,b,c,d,e,spoiled]

Its clients ask what the page asks, on loopback and on the server's own cores.
"""

import argparse
import gzip
import json
import os
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter
from typing import Any
from urllib.parse import urlencode, urlsplit
from urllib.request import urlopen

import numpy as np
import psutil
from playwright.sync_api import BrowserContext, sync_playwright

from benchmarks._page import PATIENCE, ROOT, free_port, listening, served
from benchmarks.classroom import told

VISITORS, OPENINGS, AGAIN = 30, 7, 10
READING = 10.0  # seconds that a class is at the first step of a lesson, of two minutes or three as lessons plan it
FIRST, STEP = 1.0, 0.3  # seconds until the first step of a lesson is drawn, and that any other may take
TABS = ("Start", "Learn", "Train", "Predict", "Compare")
RIVAL = f"""
import gradio as gr
with gr.Blocks() as page:
    with gr.Tabs():
        for name in {TABS}:
            with gr.Tab(name):
                gr.HTML(name)
page.launch(quiet=True)
"""
# In a page from its beginning on: when what a selector names was first painted, in milliseconds after navigation.
PAINTED = """(() => {
    const wanted = {step: '.lesson-step .read', tabs: '[role=tab]'}, painted = window.painted = {};
    const look = () => {
        for (const [name, selector] of Object.entries(wanted))
            if (!(name in painted) && document.querySelector(selector)?.offsetHeight)
                painted[name] = performance.now();
        requestAnimationFrame(look);
    };
    look();
})()"""


def main() -> None:
    parser = argparse.ArgumentParser(description="A class of thirty at a lesson.")
    parser.add_argument("--parts", default="opening,steps,visits", help="which of these (default: %(default)s)")
    parser.add_argument("--lessons", default="a,b,c,d,e,spoiled", help="which of these (default: %(default)s)")
    given = parser.parse_args()
    for part in given.parts.split(","):
        PARTS[part](given.lessons.split(","))


def loaded() -> str:
    """What is told with each figure: how busy the machine is."""
    return f", load {os.getloadavg()[0]:.1f}"


# --- the first step on the screen


def opening(lessons: list[str]) -> None:
    """A link to a lesson opened by new visitors and by those who have the files, and a page of Gradio's with as many
    tabs and nothing in them, in turns."""
    with (
        tempfile.TemporaryDirectory() as home,
        served([sys.executable, "app.py"], home) as (address, _),
        served([sys.executable, "-c", RIVAL], home) as (rival, _),
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        link = f"{address}?lesson={lessons[0]}"
        opened(browser.new_context(), link, "step")  # by then what comes with torch is there
        found: dict[str, list[float]] = defaultdict(list)
        for _ in range(OPENINGS):
            with browser.new_context() as context, browser.new_context() as other:
                for how in ("a new visitor", "a visitor who has the files"):
                    step, tabs = opened(context, link, "step")
                    found[how].append(step)
                    found[f"{how}, tabs"].append(tabs)
                    found[f"{how}, rival"].append(opened(other, rival, "tabs")[1])
        browser.close()
    for how in ("a new visitor", "a visitor who has the files"):
        first, tabs, alone = (float(np.median(found[f"{how}{which}"])) for which in ("", ", tabs", ", rival"))
        more = f", {max(found[how]):.2f} s at most; tabs after {tabs:.2f} s, of Gradio alone {alone:.2f} s{loaded()}"
        told(f"first step of lesson {lessons[0]} for {how}", first, "s", FIRST, first <= FIRST, more)


def opened(context: BrowserContext, address: str, wanted: str) -> tuple[float, float]:
    """Seconds from navigation until a lesson's first step, if that is `wanted`, and the tabs are painted."""
    page = context.new_page()
    page.add_init_script(PAINTED)
    page.goto(address, wait_until="commit")
    page.wait_for_function("wanted => wanted in painted && 'tabs' in painted", arg=wanted)
    painted = page.evaluate("painted")
    page.close()
    return painted.get("step", 0) / 1000, painted["tabs"] / 1000


# --- a step for thirty


class Visitor:
    """Asks as a page does that is on a lesson's way: nothing twice."""

    def __init__(self, address: str, lesson: str):
        self.lesson, self.line = lesson, HTTPConnection(urlsplit(address).netloc, timeout=PATIENCE)
        self.answers: dict[str, bytes] = {}
        self.sizes: list[int] = []  # of the answers, in bytes, as they are sent

    def get(self, path: str, **asked: str) -> bytes:
        path = f"/seglab/{path}?{urlencode(asked | {'lang': 'en'})}"
        if path not in self.answers:
            self.line.request("GET", path, headers={"Accept-Encoding": "gzip"})
            answer = self.line.getresponse()
            content = answer.read()
            self.sizes.append(len(content))
            assert answer.status == 200, f"{path}: {answer.status} {content[:200]!r}"
            pixels = answer.getheader("Content-Type") == "application/octet-stream"  # which nobody looks at here
            zipped = answer.getheader("Content-Encoding") == "gzip" and not pixels
            self.answers[path] = gzip.decompress(content) if zipped else content
        return self.answers[path]

    def known(self, path: str, **asked: str) -> Any:
        return json.loads(self.get(f"lesson/{self.lesson}{path}", **asked))

    def ways(self) -> Iterator[tuple[str, Callable[[], object]]]:
        """What is to be waited for, one after the other, each with the kind of step that it is."""
        yield "opened", lambda: self.known("")
        steps = self.known("")["steps"]
        for n, step in enumerate(steps):
            kind = step["kind"]
            if kind == "ask" and step["measured"]:
                yield "an answer", lambda step=step: self.known(f"/answer/{step['id']}")
            elif kind == "run":
                yield "a run's step", lambda step=step: self.known(f"/live/{step['group']}")
            elif kind == "show":
                yield step["view"]["view"], lambda step=step, n=n: self.look(step["view"], self.known(f"/step/{n}"))
            elif kind == "compare_with_source":
                yield "the document", lambda n=n: self.known(f"/step/{n}")
            elif kind == "inspect":
                yield "reported", lambda n=n: self.known(f"/step/{n}")
                a, b = step["of"][:2]
                for name in step["views"]:
                    asked = {"view": name} if name == "curves" else {"view": name, "a": a, "b": b}
                    yield name, lambda n=n, asked=asked: self.look(asked, self.known(f"/step/{n}", **asked))
            elif kind == "sheet":
                yield "the sheet", lambda: self.known("/sheet")

    def look(self, view: dict[str, Any], found: dict[str, Any]) -> None:
        """What a view asks for once it knows what it is of."""
        name, sides = view["view"], {"lesson": self.lesson, "a": view.get("a") or "", "b": view.get("b") or ""}
        if name in ("real", "why"):
            written = self.get(f"lab/{name}", **sides)
            if b"data-borders" in written:  # they come later
                self.get("lab/borders", **sides)
        if name == "grid":
            self.get("lab/grid", lesson=self.lesson, group=view["group"])
        if name == "where" and "missing" not in found:
            page = sum(first <= found["scene"] for first in found["pages"]) - 1 if "scene" in found else 0
            self.get(f"lab/maps/{page}", **sides)
            if found["photos"]:
                self.get(f"{found['photos'].removeprefix('seglab/')}{found['scene']}.webp")
        if name == "crf":
            self.get("lab/crf")
            self.get("lab/crf/run", run=found["run"], crf="")


class Class:
    """Thirty who go through a lesson, each step begun by all at once."""

    def __init__(self, address: str, lesson: str):
        self.visitors = [Visitor(address, lesson) for _ in range(VISITORS)]
        self.together = threading.Barrier(VISITORS)
        self.waits: dict[str, list[float]] = defaultdict(list)
        self.failed: list[str] = []

    def go(self) -> None:
        threads = [threading.Thread(target=self.visit, args=(each,)) for each in self.visitors]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    def visit(self, visitor: Visitor) -> None:
        try:
            for kind, ask in visitor.ways():
                self.together.wait(PATIENCE)
                began = perf_counter()
                ask()
                self.waits[kind].append(perf_counter() - began)
                if kind == "opened":
                    visitor.line.close()  # as the server does with one that asks nothing for so long
                    time.sleep(READING)
        except (OSError, ValueError, AssertionError, threading.BrokenBarrierError) as error:
            self.failed.append(f"{type(error).__name__}: {error}")
            self.together.abort()


def steps(lessons: list[str]) -> None:
    """Each lesson by a class at a server that nobody has asked for it before, and by the next class."""
    with tempfile.TemporaryDirectory() as home, served([sys.executable, "app.py"], home) as (address, _):
        urlopen(f"{address}seglab/lessons").read()  # what comes with torch is there after it
        for which in ("first", "next"):
            waits: dict[str, list[float]] = defaultdict(list)
            for lesson in lessons:
                room = Class(address, lesson)
                room.go()
                print(f"the {which} class at lesson {lesson}: {summed(room.waits)}{loaded()}", flush=True)
                told("errors", len(room.failed), "", 0, not room.failed, f" {room.failed[:2]}" if room.failed else "")
                for kind, each in room.waits.items():
                    waits[kind] += each
            for kind, each in waits.items():
                slow = float(np.percentile(each, 95))
                more = f", median {np.median(each):.3f} s of {len(each)}"
                told(f"{kind} for the {which} class, 95th percentile", slow, "s", STEP, slow <= STEP, more)


def visits(lessons: list[str], cached: bool = False) -> None:
    """What one visitor asks of a server that knows the answers: to open the page, and on the way through each lesson.
    Requests, bytes as they are sent, the time of its processor; and how many answers are alike for the next visitor.
    With `cached`, nginx is between the two."""
    with (
        tempfile.TemporaryDirectory() as home,
        served([sys.executable, "app.py"], home) as (address, program),
        behind(address, home) if cached else nullcontext(address) as asked,
        sync_playwright() as playwright,
    ):
        server = psutil.Process(program.pid)
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        link = f"{asked}?lesson={lessons[0]}"
        received(browser.new_context(), link)
        before, sizes = busy(server), [received(browser.new_context(), link) for _ in range(OPENINGS)]
        spent = (busy(server) - before) / OPENINGS
        browser.close()
        print(visit("the page for a new visitor, with a lesson's first step", sizes[-1], spent))
        for lesson in lessons:
            for _ in range(2):  # what takes a server longest is not in its first answer
                walked(Visitor(asked, lesson))
            before, visitors = busy(server), [walked(Visitor(asked, lesson)) for _ in range(AGAIN)]
            spent = (busy(server) - before) / AGAIN
            first, *others = (each.answers for each in visitors)
            alike = sum(all(each.get(path) == content for each in others) for path, content in first.items())
            print(visit(f"lesson {lesson}", visitors[0].sizes, spent), f", {alike} answers alike for everybody", sep="")


@contextmanager
def behind(address: str, folder: str) -> Iterator[str]:
    """The address of nginx in front of the page, set up as docs/scale.md says."""
    block = (ROOT / "docs/scale.md").read_text(encoding="utf-8").split("```nginx\n")[1].split("```")[0]
    port = free_port()
    for usual, here in (
        ("/var/cache/nginx/seglab", f"{folder}/cache"),
        ("listen 80;", f"listen 127.0.0.1:{port};"),
        ("http://127.0.0.1:7860", address.rstrip("/")),
        ("$host;", "$http_host;"),  # with the port, which is not the usual one
    ):
        assert usual in block, usual
        block = block.replace(usual, here)
    file = Path(folder, "nginx.conf")
    file.write_text(f"pid {folder}/nginx.pid; events {{}} http {{ access_log off; {block} }}", encoding="utf-8")
    with listening(["nginx", "-c", str(file), "-g", "daemon off; user root;"], port, {}):
        yield f"http://127.0.0.1:{port}/"


def visit(what: str, sizes: list[int], spent: float) -> str:
    amount = f"{len(sizes)} requests, {sum(sizes) / 1e6:.2f} MB, {spent * 1e3:.0f} ms of the server's processor"
    return f"{what}: {amount}{loaded()}"


def busy(server: psutil.Process) -> float:
    """The seconds that a process has computed."""
    return sum(server.cpu_times()[:2])


def received(context: BrowserContext, address: str) -> list[int]:
    """The bytes of each answer that comes until a lesson's first step is painted, as they are sent."""
    page = context.new_page()
    sizes: list[int] = []
    network = context.new_cdp_session(page)
    network.send("Network.enable")
    network.on("Network.loadingFinished", lambda event: sizes.append(int(event["encodedDataLength"])))
    page.goto(address)
    page.locator(".lesson-step .read").wait_for()
    page.wait_for_load_state("networkidle")
    context.close()
    return sizes


def walked(visitor: Visitor) -> Visitor:
    for _, ask in visitor.ways():
        ask()
    return visitor


def summed(waits: dict[str, list[float]]) -> str:
    every = [wait for each in waits.values() for wait in each]
    slowest = max(waits, key=lambda kind: max(waits[kind]))
    return f"median {np.median(every):.3f} s of {len(every)}, the slowest {max(waits[slowest]):.2f} s ({slowest})"


PARTS = {"opening": opening, "steps": steps, "visits": visits, "cached": partial(visits, cached=True)}


if __name__ == "__main__":
    main()
