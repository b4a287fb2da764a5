"""From letting go of a CRF slider to the repainted mask in Chromium, in Predict and in the CRF laboratory with all
its steps: a 256-pixel picture, one model, nothing training.

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
# The place, what is there once it is ready, and what is marked as being worked on from asking, before anything else can
# happen, until it is painted.
PLACES = {
    "in Predict": ("#predict?runs=measured", ".panels figcaption:has-text('measured')", ".panels.working"),
    "in the CRF's laboratory": (
        "#compare?runs=measured&view=crf",
        ".crf-numbers:has-text('mIoU')",
        ".crf-view .working",
    ),
}


def main() -> None:
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        data = {"name": "streets", "train_images": 64, "val_images": 16, "size": 256}
        config = validated(
            RunConfig, {"data": data, "image_size": 256, "epochs": 3, "optimizer": {"name": "adamw", "lr": 5e-3}}
        )
        list(runs.work(runs.create(config, "measured"), threads=2))
        with served([sys.executable, "app.py"], home) as (address, _), sync_playwright() as playwright:
            for place, (fragment, ready, working) in PLACES.items():
                seconds = measured(playwright, address + fragment, ready, working)
                high = float(np.percentile(seconds, 95))
                verdict = "met" if high <= MARK else "MISSED"
                print(
                    f"CRF slider to repainted mask {place}, 256 px: median {np.median(seconds):.3f} s, 95th percentile "
                    f"of {len(seconds)} {high:.3f} s, at most {MARK} s: {verdict}"
                )


def measured(playwright: Playwright, address: str, ready: str, working: str) -> list[float]:
    browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
    page = browser.new_page(viewport={"width": 1400, "height": 1200})
    page.goto(address)
    page.locator(ready).first.wait_for()
    page.wait_for_timeout(1500)
    slider = page.locator("[data-option=theta_beta] input[type=range]:visible")
    slider.scroll_into_view_if_needed()
    box = slider.bounding_box()
    assert box
    seconds = []
    for n in range(TIMES):
        place = box["x"] + box["width"] * (0.15 + 0.7 * ((n * 17) % TIMES) / TIMES)
        page.mouse.move(place - 5, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(place, box["y"] + box["height"] / 2)
        began = perf_counter()
        page.mouse.up()
        page.wait_for_function("working => !document.querySelector(working)", arg=working, polling=10)
        seconds.append(perf_counter() - began)
    browser.close()
    return seconds


if __name__ == "__main__":
    main()
