"""From `python app.py` to an interactive Train form in Chromium, against a one-line Gradio app to its first control.

python -m benchmarks.startup
"""

import sys
import tempfile
from time import perf_counter

import psutil
from playwright.sync_api import Browser, sync_playwright

from benchmarks._page import served
from benchmarks._ratio import report

ONE_LINE = "import gradio as gr; gr.Interface(lambda text: text, 'text', 'text').launch(quiet=True)"


def opened(browser: Browser, command: list[str], control: str, memory: list[float]) -> None:
    """Starts the program, waits until the control can be used, and ends the program."""
    with tempfile.TemporaryDirectory() as home, served(command, home) as (address, program):
        page = browser.new_page()
        page.goto(address)
        page.locator(control).click(trial=True)
        memory.append(psutil.Process(program.pid).memory_info().rss / 2**20)
        page.close()


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
        memory: list[float] = []
        began = perf_counter()

        def ours() -> None:
            opened(browser, [sys.executable, "app.py"], "#form-epochs input", memory)

        def rival() -> None:
            opened(browser, [sys.executable, "-c", ONE_LINE], "textarea >> nth=0", [])

        ours()
        print(
            f"python app.py: interactive after {perf_counter() - began:.1f} s, {memory[-1]:.0f} MB (aim: under 400 MB)"
        )
        report("start to an interactive page, against one line of Gradio", ours, rival, mark=1.7, blocks=7, calls=1)
        browser.close()


if __name__ == "__main__":
    main()
