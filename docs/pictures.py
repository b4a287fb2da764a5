"""The pictures of the documentation, made again: `python docs/pictures.py [NAME ...]`.

comparison: a street, its truth and what the shipped runs make of it, above their curves and their IoU by class.
learn: a lesson, after a prediction. start, train, predict, compare: the tabs of the page, 1280 pixels wide, in
Chromium. where, real, why, crf: views of the Compare tab; grid: another one, of eighteen short runs that are trained
for it in some minutes. streets: scenes with their masks.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
IMAGES = ROOT / "docs" / "images"
SHIPPED = ("encoder_decoder", "unet", "unet_vgg16")
COLORS = ("#0072B2", "#D55E00", "#009E73")  # as on the page
SCENE = 2  # of the validation images: a sunny street with cars, people, poles and signs
GREY, INK = "#6B7280", "#111827"


def main(names: list[str]) -> None:
    makers = {
        "comparison": street,
        "learn": learn,
        "start": start,
        "train": train,
        "predict": predict,
        "compare": compare,
        "where": where,
        "real": real,
        "why": why,
        "crf": crf,
        "grid": grid,
        "streets": streets,
    }
    if unknown := [name for name in names if name not in makers]:
        sys.exit(f"there is no picture {unknown[0]}; there are: {', '.join(makers)}")
    IMAGES.mkdir(exist_ok=True)
    for name in names or makers:
        path = IMAGES / f"{name}.webp"
        makers[name](path)
        print(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1000:.0f} kB")


def save(pixels: np.ndarray | Image.Image, path: Path) -> None:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    image.convert("RGB").save(path, quality=88, method=6)


# --- one street through three models


def street(path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    from seglab import comparison, runs

    found = comparison.compare([runs.find(name) for name in SHIPPED])
    figure = Figure(figsize=(12.8, 6), dpi=125, layout="constrained", facecolor="white")
    above, below = figure.subfigures(2, 1, height_ratios=[1, 1.35])
    scenes(above, runs.load(SHIPPED[1]), [row.miou for row in found.rows])
    left, right = below.subplots(1, 2, width_ratios=[1, 1.9])
    curves(left, found)
    classes(right, found)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    save(np.asarray(canvas.buffer_rgba())[..., :3], path)


def scenes(figure, trained, scores) -> None:
    """The street, its truth, and each model's mask with the mIoU over all validation images."""
    sample = trained.config.data.open().val[SCENE]
    palette = np.zeros((256, 3), np.uint8)
    palette[: len(trained.colors)] = trained.colors
    masks = [
        np.asarray(Image.open(ROOT / "checkpoints" / name / "predictions" / f"{SCENE:04}.png")) for name in SHIPPED
    ]
    shown = [sample.image, palette[sample.mask], *(palette[mask] for mask in masks)]
    titles = [("image", INK, ""), ("truth", INK, "")]
    titles += zip(SHIPPED, COLORS, (f"mIoU {score:.3f}" for score in scores), strict=True)
    for axes, pixels, (title, color, score) in zip(figure.subplots(1, 5), shown, titles, strict=True):
        axes.imshow(pixels, interpolation="nearest")
        axes.set_title(title, fontsize=12, loc="left", fontweight="bold", color=color)
        axes.text(0, -0.04, score, fontsize=12, color=color, va="top", transform=axes.transAxes)
        axes.axis("off")


def curves(axes, found) -> None:
    for (epochs, values), color, label in zip(found.curves["val_miou"], COLORS, SHIPPED, strict=True):
        axes.plot(epochs, values, color=color, linewidth=2, marker="o", markersize=4, label=label)
    tidy(axes, "validation mIoU by epoch")
    axes.set_xlim(0, 10.3)
    axes.set_ylim(0, 0.75)
    axes.legend(frameon=False, fontsize=11, loc="lower right")


def classes(axes, found) -> None:
    names = list(found.rows[0].iou)
    for n, (row, color) in enumerate(zip(found.rows, COLORS, strict=True)):
        axes.bar(np.arange(len(names)) + 0.27 * (n - 1), [row.iou[name] or 0 for name in names], 0.25, color=color)
    tidy(axes, "IoU by class")
    axes.set_xticks(range(len(names)), names)
    axes.set_xlim(-0.6, len(names) - 0.4)
    axes.set_ylim(0, 1)
    axes.tick_params(axis="x", length=0, labelsize=9)


def tidy(axes, title: str) -> None:
    axes.set_title(title, fontsize=12, loc="left", fontweight="bold", color=INK)
    axes.tick_params(labelsize=10, colors=GREY)
    axes.grid(axis="y", alpha=0.25)
    axes.set_axisbelow(True)
    for side, spine in axes.spines.items():
        spine.set_visible(side in ("left", "bottom"))
        spine.set_color("#D1D5DB")


# --- the page


def learn(path: Path) -> None:
    """Lesson A where its first question is told, after the first answer was given to each question before."""
    with page("learn?lesson=a&step=2") as tab:
        while True:
            step = tab.locator(".lesson-step[data-open=true]").last
            step.wait_for(timeout=60_000)
            if step.locator("table.strip").count():
                break
            if step.locator("form.ask, .ask form").count() and step.get_attribute("data-kind") == "ask":
                field = step.locator(".options input, .written input").first
                field.fill("5") if field.get_attribute("type") == "number" else field.check()
                step.locator("button[type=submit]").click()
            tab.wait_for_timeout(1500)
            if step.locator(".go-on").is_visible():
                step.locator(".go-on").click()
            tab.wait_for_timeout(1000)
        step.locator(".outcome .whys").wait_for(timeout=60_000)
        step.evaluate("element => element.scrollIntoView()")
        shoot(tab, path, whole=False)


def start(path: Path) -> None:
    with page("start") as tab:
        tab.wait_for_selector(".street img", timeout=60_000)
        shoot(tab, path)


def train(path: Path) -> None:
    """The Train tab with three finished runs: copies of the shipped ones."""
    with page("train", SHIPPED) as tab:
        tab.wait_for_selector(".samples img", timeout=60_000)
        tab.wait_for_selector(".charts canvas", timeout=60_000)
        shoot(tab, path)


def predict(path: Path) -> None:
    with page("predict?runs=encoder_decoder,unet&picture=6") as tab:
        tab.wait_for_selector(".panels figcaption >> text=mIoU >> nth=1", timeout=60_000)
        shoot(tab, path)


def compare(path: Path) -> None:
    with page("compare") as tab:
        tab.wait_for_selector("#scores table", timeout=60_000)
        tab.wait_for_selector(".charts canvas", timeout=60_000)
        shoot(tab, path)


def shoot(tab, path: Path, part: str = "", whole: bool = True) -> None:
    """A picture of the whole page, which is made as high as it is, so that what sticks to its edge stays there; of a
    part of it; or of what is seen of it."""
    tab.wait_for_timeout(2000)
    if whole:
        height = tab.evaluate("document.querySelector('#tabs').getBoundingClientRect().bottom + scrollY")
        tab.set_viewport_size({"width": 1280, "height": int(height) + 24})
        tab.wait_for_timeout(1000)
    with tempfile.TemporaryDirectory() as folder:
        (tab.locator(part) if part else tab).screenshot(path=f"{folder}/page.png")
        save(Image.open(f"{folder}/page.png"), path)


@contextlib.contextmanager
def page(tab_of: str, copied: tuple[str, ...] = (), plan: tuple[str, ...] = ()) -> Iterator:
    """The page of an app of its own at one of its addresses; its runs are copies of some shipped ones, and those of a
    plan."""
    from playwright.sync_api import sync_playwright

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        for stroke, name in enumerate(copied):
            shutil.copytree(ROOT / "checkpoints" / name, Path(folder) / "runs" / name)
            label = json.dumps({"name": name, "stroke": stroke})  # as three runs in a row get it
            (Path(folder) / "runs" / name / "label.json").write_text(label, encoding="utf-8")
        settings = {"SEGLAB_HOME": f"{folder}/runs", "GRADIO_SERVER_PORT": str(port)}
        if plan:
            command = [sys.executable, "-m", "seglab", "plan", *plan]
            subprocess.run(command, cwd=ROOT, env=os.environ | settings, check=True)
        with open(f"{folder}/log.txt", "wb") as log:
            app = subprocess.Popen(
                [sys.executable, "app.py"], cwd=ROOT, env=os.environ | settings, stdout=log, stderr=log
            )
        try:
            for _ in range(300):
                with contextlib.suppress(OSError):
                    socket.create_connection(("127.0.0.1", port), 1).close()
                    break
                time.sleep(0.2)
            browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=["--no-sandbox"])
            tab = browser.new_page(locale="en-US", viewport={"width": 1280, "height": 900}, color_scheme="light")
            tab.goto(f"http://127.0.0.1:{port}/#{tab_of}")
            tab.wait_for_selector("#tabs")
            yield tab
            browser.close()
        finally:
            app.terminate()
            app.wait(20)


def where(path: Path) -> None:
    with page("compare?runs=unet,unet_vgg16&view=where&image=25") as tab:
        tab.wait_for_selector(".where .epochs:not([hidden])", timeout=60_000)
        shoot(tab, path, ".where")


def real(path: Path) -> None:
    with page("compare?runs=unet,unet_vgg16&view=real") as tab:
        tab.wait_for_selector("#lab-real table", timeout=60_000)
        shoot(tab, path, "section.lab")


def why(path: Path) -> None:
    with page("compare?runs=unet,unet_vgg16&view=why") as tab:
        tab.wait_for_selector("#lab-why table", timeout=60_000)
        shoot(tab, path, "#lab-why")


def crf(path: Path) -> None:
    with page("compare?runs=unet&view=crf") as tab:
        tab.click(".crf-apply button:enabled", timeout=60_000)
        tab.wait_for_selector(".crf-apply button:has-text('Compare')", timeout=60_000)
        tab.locator(".crf-view .chart-bar label:has-text('Image') select").select_option(index=1)
        shoot(tab, path, ".crf-view")


def grid(path: Path) -> None:
    """Two learning rates and three widths of a network with three seeds each."""
    options = ["optimizer.lr=1e-3,5e-3", "model.width=4,8,16", "seed=0,1,2"]
    small = {"epochs": 8, "data.train_images": 96, "data.size": 64, "image_size": 64, "model": "unet", "name": "try"}
    plan = ["sweep", *(word for each in options for word in ("--over", each))]
    plan += [word for name, value in small.items() for word in (f"--{name}", f"{value}")]
    runs = ",".join(f"try%20{n}" for n in range(1, 19))
    with page(f"compare?runs={runs}&view=grid&masks=1&image=8", plan=tuple(plan)) as tab:
        tab.wait_for_selector("#lab-grid img.mask", timeout=60_000)
        shoot(tab, path, "#lab-grid")


def streets(path: Path) -> None:
    command = ["-m", "seglab", "data", "--data", "streets", "--data.size", "224", "--sheet", str(path)]
    subprocess.run([sys.executable, *command], cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main(sys.argv[1:])
