"""From letting go of a CRF slider to the repainted mask in Chromium: a 256-pixel picture, one model, nothing training.

python -m benchmarks.slider
"""

import os
import sys
import tempfile
from time import perf_counter

import numpy as np
from playwright.sync_api import Playwright, sync_playwright

from benchmarks._page import served
from seglab import runs
from seglab.config import RunConfig
from seglab.entry import validated

TIMES, MARK = 50, 0.5
# Asking marks the pictures as being worked on, before anything else can happen; painting takes the mark away.
REPAINTED = "() => !document.querySelector('.panels').classList.contains('working')"


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": 64, "val_images": 16, "size": 256}
        config = validated(
            RunConfig, {"data": data, "image_size": 256, "epochs": 3, "optimizer": {"name": "adamw", "lr": 5e-3}}
        )
        list(runs.work(runs.create(config, "measured"), threads=2))
        with served([sys.executable, "app.py"], home) as (address, _), sync_playwright() as playwright:
            seconds = measured(playwright, address)
    high = float(np.percentile(seconds, 95))
    verdict = "met" if high <= MARK else "MISSED"
    print(
        f"CRF slider to repainted mask, 256 px: median {np.median(seconds):.3f} s, 95th percentile of {len(seconds)} "
        f"{high:.3f} s, at most {MARK} s: {verdict}"
    )


def measured(playwright: Playwright, address: str) -> list[float]:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
    page = browser.new_page(viewport={"width": 1400, "height": 1200})
    page.goto(f"{address}#predict?runs=measured")
    page.locator(".panels figcaption", has_text="measured").wait_for()
    page.wait_for_timeout(1500)
    box = page.locator("[data-option=theta_beta] input[type=range]").bounding_box()
    assert box
    seconds = []
    for n in range(TIMES):
        place = box["x"] + box["width"] * (0.15 + 0.7 * ((n * 17) % TIMES) / TIMES)
        page.mouse.move(place - 5, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(place, box["y"] + box["height"] / 2)
        began = perf_counter()
        page.mouse.up()
        page.wait_for_function(REPAINTED, polling=10)
        seconds.append(perf_counter() - began)
    browser.close()
    return seconds


if __name__ == "__main__":
    main()
