"""The laboratory: what it computes, how soon it is on the screen, and how it scrubs.

python -m benchmarks.laboratory
"""

import os
import sys
import tempfile
from collections.abc import Callable
from time import perf_counter
from urllib.request import urlopen

import numpy as np
from playwright.sync_api import Page, sync_playwright

from benchmarks._page import served
from benchmarks.classroom import told
from seglab import runs
from seglab.comparison import agreement, intervals
from seglab.runs import Evidence

PAIR = "run=unet&run=unet_vgg16"
SHOWN = "() => document.querySelectorAll('button.most canvas').length === 3 && !document.querySelector('.lab').hidden"
# Goes through the epochs as fast as it can be painted, for two seconds; gives frames a second, of those painted.
SCRUB = """async () => {
    const slider = document.querySelector('.where .epochs input'), most = Number(slider.max);
    let frames = 0, at = 0;
    const began = performance.now();
    while (performance.now() - began < 2000) {
        slider.value = at = (at + 1) % (most + 1);
        slider.dispatchEvent(new Event('input'));
        await new Promise(done => requestAnimationFrame(done));
        frames += 1;
    }
    return frames / (performance.now() - began) * 1000;
}"""


def at_most(what: str, value: float, mark: float, unit: str) -> None:
    told(what, value, unit, mark, value <= mark)


def median(action: Callable[[], object], times: int = 21) -> float:
    """Seconds that it takes."""
    found = []
    for _ in range(times):
        began = perf_counter()
        action()
        found.append(perf_counter() - began)
    return float(np.median(found))


def main() -> None:
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 11, (3, 360, 480)).astype(np.uint8)
    at_most("agreement of 360 x 480", 1e3 * median(lambda: agreement.counted(agreement.kinds(*maps))), 5, "ms")
    sides = [np.concatenate([Evidence(runs.find(name)).confusions()] * 3)[:101] for name in ("unet", "unet_vgg16")]
    at_most("10,000 draws of 101 images with 11 classes", median(lambda: intervals.bootstrap(*sides), 7), 0.5, "s")
    with tempfile.TemporaryDirectory() as home:
        os.environ["SEGLAB_HOME"] = home
        with served([sys.executable, "app.py"], home) as (address, _):
            urlopen(f"{address}seglab/scores?run=encoder_decoder").read()  # torch is there after it
            began = perf_counter()
            first = urlopen(f"{address}seglab/lab?{PAIR}").read()
            at_most("first answer for two shipped runs", 1e3 * (perf_counter() - began), 300, "ms")
            at_most("the same again", 1e3 * median(lambda: urlopen(f"{address}seglab/lab?{PAIR}").read()), 60, "ms")
            print(f"its size: {len(first) / 1000:.0f} kB")
            with sync_playwright() as playwright:
                browser = playwright.chromium.launch(executable_path="/usr/bin/chromium")
                page = browser.new_page(viewport={"width": 1280, "height": 900})
                screens(page, address)
                browser.close()


def screens(page: Page, address: str) -> None:
    page.goto(f"{address}#compare?runs=encoder_decoder,unet,unet_vgg16&a=unet&b=unet_vgg16")
    page.wait_for_function(SHOWN)
    page.wait_for_timeout(1500)
    seconds = []
    for n in range(10):  # another pair is picked, and shown
        name = ("encoder_decoder", "unet_vgg16")[n % 2]
        began = perf_counter()
        page.locator(".lab-head select").nth(1).select_option(name)
        page.wait_for_function(f"() => document.querySelector('.verdict').textContent.includes('{name}')")
        seconds.append(perf_counter() - began)
    at_most("a pair that is known, picked and on the screen", 1e3 * float(np.median(seconds)), 300, "ms")
    page.goto(f"{address}#compare?runs=unet,unet_vgg16&view=where&image=25")
    page.wait_for_selector(".where .epochs:not([hidden])")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/watch" not in request.url else None)
    frames = page.evaluate(SCRUB)
    told("frames a second while epochs are gone through", frames, "", 55, frames >= 55)
    at_most("requests meanwhile", len(asked), 0, "")


if __name__ == "__main__":
    main()
