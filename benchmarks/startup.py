"""From `python app.py` to an interactive Start tab in Chromium, against a one-line Gradio app to its first control; and
how long a visitor on a slow line waits for the first picture.

python -m benchmarks.startup
"""

import sys
import tempfile
from time import perf_counter

import numpy as np
import psutil
from playwright.sync_api import Browser, sync_playwright

from benchmarks._page import served
from benchmarks._ratio import report

ONE_LINE = "import gradio as gr; gr.Interface(lambda text: text, 'text', 'text').launch(quiet=True)"
LINE = {"offline": False, "latency": 150, "downloadThroughput": 1.6e6 / 8, "uploadThroughput": 0.75e6 / 8}
PICTURE, VISITS = 2.0, 7  # seconds until the first picture on that line, at most
SEEN = "() => [...document.querySelectorAll('.street img')].some(each => each.complete && each.naturalWidth > 0)"


def opened(browser: Browser, command: list[str], controls: list[str], memory: list[float]) -> None:
    """Starts the program, waits until its controls can be used, and ends the program."""
    with tempfile.TemporaryDirectory() as home, served(command, home) as (address, program):
        page = browser.new_page()
        page.goto(address)
        for control in controls:
            page.locator(control).click(trial=True)
        memory.append(psutil.Process(program.pid).memory_info().rss / 2**20)
        page.close()


def first_pictures(browser: Browser) -> list[float]:
    """The seconds until a picture is there, for one new visitor after the other on a slow line."""
    seconds = []
    with tempfile.TemporaryDirectory() as home, served([sys.executable, "app.py"], home) as (address, _):
        for _ in range(VISITS + 1):
            context = browser.new_context()
            page = context.new_page()
            page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", LINE)
            began = perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_function(SEEN, polling=20)
            seconds.append(perf_counter() - began)
            context.close()
    return seconds[1:]  # the first has the pictures made


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        memory: list[float] = []
        began = perf_counter()

        def ours() -> None:
            controls = ["#tab-train-button", ".start .pages button >> nth=1", ".start .ways a >> nth=2"]
            opened(browser, [sys.executable, "app.py"], controls, memory)

        def rival() -> None:
            opened(browser, [sys.executable, "-c", ONE_LINE], ["textarea >> nth=0"], [])

        ours()
        print(
            f"python app.py: interactive after {perf_counter() - began:.1f} s, {memory[-1]:.0f} MB (aim: under 400 MB)"
        )
        report("start to an interactive page, against one line of Gradio", ours, rival, mark=1.2, blocks=7, calls=1)
        seconds = first_pictures(browser)
        median = float(np.median(seconds))
        print(
            f"first picture at 1.6 Mbit/s and 150 ms: median {median:.2f} s of {len(seconds)}, {max(seconds):.2f} s at "
            f"most, at most {PICTURE:g} s: {'met' if median <= PICTURE else 'MISSED'}"
        )
        browser.close()


if __name__ == "__main__":
    main()
