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


def opened(browser: Browser, command: list[str], controls: list[str]) -> float:
    """Starts the program; gives the seconds until its controls can be used."""
    began = perf_counter()
    with tempfile.TemporaryDirectory() as home, served(command, home) as (address, _):
        page = browser.new_page()
        page.goto(address)
        for control in controls:
            page.locator(control).click(trial=True)
        seconds = perf_counter() - began
        page.close()
    return seconds


def first_pictures(browser: Browser) -> tuple[list[float], float]:
    """The seconds until a picture is there, for one new visitor after the other on a slow line, and the MB that the
    program then has in memory."""
    seconds = []
    with tempfile.TemporaryDirectory() as home, served([sys.executable, "app.py"], home) as (address, program):
        for _ in range(VISITS + 1):
            context = browser.new_context()
            page = context.new_page()
            page.context.new_cdp_session(page).send("Network.emulateNetworkConditions", LINE)
            began = perf_counter()
            page.goto(address, wait_until="commit")
            page.wait_for_function(SEEN, polling=20)
            seconds.append(perf_counter() - began)
            context.close()
        memory = psutil.Process(program.pid).memory_info().rss / 2**20
    return seconds[1:], memory


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")

        def ours() -> float:
            controls = ["#tab-train-button", ".start .pages button >> nth=1", ".start .ways a >> nth=2"]
            return opened(browser, [sys.executable, "app.py"], controls)

        def rival() -> float:
            return opened(browser, [sys.executable, "-c", ONE_LINE], ["textarea >> nth=0"])

        print(f"python app.py: interactive after {ours():.1f} s")
        name = "start to an interactive page, against one line of Gradio"
        report(name, ours, rival, mark=1.2, blocks=7, calls=1, own_clock=True)
        seconds, memory = first_pictures(browser)
        median = float(np.median(seconds))
        print(
            f"first picture at 1.6 Mbit/s and 150 ms: median {median:.2f} s of {len(seconds)}, {max(seconds):.2f} s at "
            f"most, at most {PICTURE:g} s: {'met' if median <= PICTURE else 'MISSED'}"
        )
        print(f"memory after {VISITS + 1} visits: {memory:.0f} MB (aim: under 400 MB)")
        browser.close()


if __name__ == "__main__":
    main()
