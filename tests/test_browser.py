"""The page in a real browser, as a visitor meets it."""

import os
import re
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from seglab import export, jobs, runs
from seglab.config import configured
from tests.conftest import answered, free_port, tiny

CHROMIUM = "/usr/bin/chromium"
ROOT = Path(__file__).parent.parent
expect.set_options(timeout=20_000)  # a busy machine may take its time; what is wrong stays wrong
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"there is no {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """The address of a page whose runs live in a folder of their own, that folder, and two finished runs in it."""
    home = tmp_path_factory.mktemp("page") / "runs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(home))
        for name in ("unet", "encoder_decoder"):
            model = {"name": name, "width": 8, "depth": 3}
            data = {"name": "streets", "train_images": 24, "val_images": 8, "size": 96}
            config = tiny(model=model, data=data, image_size=96, epochs=8, optimizer={"name": "adamw", "lr": 5e-3})
            list(runs.work(runs.create(config, f"done {name}")))
    port = free_port()
    environment = os.environ | {"SEGLAB_HOME": str(home), "GRADIO_SERVER_PORT": str(port), "OMP_NUM_THREADS": "1"}
    log = home.parent / "log.txt"
    with open(log, "wb") as file:
        app = subprocess.Popen([sys.executable, "app.py"], cwd=ROOT, env=environment, stdout=file, stderr=file)
    answered(port, lambda: app.poll() is None, log)
    yield f"http://127.0.0.1:{port}/", home
    app.terminate()
    app.wait(20)


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(served, browser):
    """Opens a page as a new visitor; afterwards nothing may have gone wrong in it, or gone out to the network."""
    contexts, wrong = [], []

    def opened(query="", locale="en-US"):
        context = browser.new_context(locale=locale, viewport={"width": 1400, "height": 1000})
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        page.on("request", lambda request: wrong.append(request.url) if foreign(request.url) else None)
        page.goto(served[0] + query)
        page.wait_for_selector("#start")
        return page

    def foreign(url):
        return not url.startswith((served[0], "data:", "blob:"))

    yield opened
    for context in contexts:
        context.close()
    assert wrong == [], (served[1].parent / "log.txt").read_text()


def pick(page, dropdown, *names):
    """Picks names in a dropdown for several, leaving what is picked."""
    page.click(f"{dropdown} input")
    for name in names:
        page.click(f"{dropdown} [role=option]:has-text('{name}')")
        expect(page.locator(f"{dropdown} .token:has-text('{name}')")).to_be_visible()
    page.keyboard.press("Escape")


def write(page, box, value):
    """Types a number, once the box, which may just have opened, holds its default."""
    field = page.locator(f"{box} input[type=number]")
    expect(field).not_to_have_value("")
    page.wait_for_timeout(200)
    field.fill(str(value))
    page.keyboard.press("Tab")


def tab(page, place):
    page.click(f"button[role=tab] >> nth={place}")


def drag(page, slider, share):
    """Moves a slider to a share of its range and lets go of it."""
    box = page.locator(f"{slider} input[type=range]").bounding_box()
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * share, box["y"] + box["height"] / 2, steps=4)
    page.mouse.up()


def small(page, epochs, models=("unet", "encoder_decoder")):
    """Fills the form for runs of seconds."""
    page.click("#streets-options summary")
    for option, value in (("train_images", 8), ("val_images", 4), ("size", 64)):
        write(page, f"#streets-{option}", value)
    for option, value in (("image_size", 64), ("batch_size", 4), ("epochs", epochs)):
        write(page, f"#form-{option}", value)
    for entry in models:
        page.click(f"#{entry}-options summary")
        write(page, f"#{entry}-width", 4)


def started(home):
    """The runs that the page began, the oldest first."""
    made = [path.parent for path in home.glob("*/config.json") if not path.parent.name.startswith("done")]
    return sorted(made, key=lambda directory: (directory / "config.json").stat().st_mtime_ns)


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def test_a_visitor_trains_two_models_reloads_stops_and_compares(visit, served):
    page, home = visit(), served[1]
    expect(page.locator("#jobs")).to_contain_text("done unet")
    pick(page, "#form-model", "encoder_decoder")
    small(page, epochs=400)
    page.click("#start")
    expect(page.locator("#train-message")).to_contain_text("added to the queue: 2")
    wait_until(lambda: len(started(home)) == 2)
    first, second = started(home)
    assert [runs.config(run).model.name for run in (first, second)] == ["unet", "encoder_decoder"]
    assert runs.config(first).model.width == runs.config(second).model.width == 4

    running = page.locator(f"#jobs tr[data-run='{first.name}']")
    expect(running.locator(".state")).to_have_text("running", timeout=30_000)
    expect(page.locator(f"#jobs tr[data-run='{second.name}']")).to_contain_text("position 1 in the queue")
    expect(running).to_contain_text("s left", timeout=30_000)
    wait_until(lambda: runs.status(first).state == "running" and (first / "samples").exists())

    page.reload()  # the run goes on, and the page finds it again
    expect(page.locator(f"#jobs tr[data-run='{first.name}'] .state")).to_have_text("running")
    other = visit("?lang=ko")  # so does another browser, in another language
    expect(other.locator(f"#jobs tr[data-run='{first.name}'] .state")).to_have_text("학습 중")
    expect(other.locator("#start")).to_have_text("학습 시작")
    expect(page.locator("#train-curves svg")).to_have_count(5)
    expect(page.locator("#train-samples img").first).to_be_visible(timeout=15_000)

    page.click(f"#jobs tr[data-run='{second.name}'] button[data-action=stop]")
    expect(page.locator(f"#jobs tr[data-run='{second.name}'] .state")).to_have_text("stopped")
    page.click(f"#jobs tr[data-run='{first.name}'] button[data-action=stop]")
    expect(page.locator(f"#jobs tr[data-run='{first.name}'] .state")).to_have_text("stopped")
    page.click(f"#jobs tr[data-run='{second.name}'] button[data-action=resume]")
    wait_until(lambda: (second / "weights.safetensors").exists())
    page.click(f"#jobs tr[data-run='{second.name}'] button[data-action=stop]")
    wait_until(lambda: runs.status(second).state == "stopped")

    tab(page, 2)
    page.wait_for_timeout(1000)  # the list of runs is brought up to date when the tab opens
    short = [f"{runs.config(run).model.name} {run.name.split('-')[2][:2]}:" for run in (first, second)]
    pick(page, "#compare-runs", *short)
    board = page.locator("#compare-scores")
    expect(board).to_contain_text(first.name)
    expect(board).to_contain_text(second.name)
    expect(board).to_contain_text("Settings that differ")
    expect(page.locator("#compare-curves svg")).to_have_count(5)


def upload(page, path):
    with page.expect_file_chooser() as chooser:
        page.click("#predict-upload")
    chooser.value.set_files(path)


def source(page, slider):
    return page.locator(f"{slider} img").last.get_attribute("src")


def test_a_moved_crf_slider_repaints_the_mask(visit):
    page = visit()
    tab(page, 1)
    expect(page.locator("#predict-slider-0 img").first).to_be_visible(timeout=30_000)
    expect(page.locator("#predict-slider-1 img").first).to_be_visible()
    for place in (0, 1):
        expect(page.locator(f"#predict-caption-{place}")).to_contain_text(re.compile(r"0\.\d+ → 0\.\d+"))
        expect(page.locator(f"#predict-caption-{place}")).to_contain_text(re.compile(r"Model \d+ ms · CRF \d+ ms"))
    expect(page.locator("#predict-legend")).to_contain_text("building")
    before = source(page, "#predict-slider-0")
    drag(page, "#crf-theta_alpha", 0.9)
    wait_until(lambda: source(page, "#predict-slider-0") != before, 15)
    before = source(page, "#predict-slider-0")
    page.click("#predict-examples button[data-place='2']")
    wait_until(lambda: source(page, "#predict-slider-0") != before, 15)


def test_a_visitor_s_photograph_is_labelled_and_a_bad_one_is_told(visit, tmp_path):
    page = visit("?lang=ko")
    tab(page, 1)
    expect(page.locator("#predict-slider-0 img").first).to_be_visible(timeout=30_000)
    before = source(page, "#predict-slider-0")
    (tmp_path / "photo.png").write_text("this is no photograph")
    upload(page, tmp_path / "photo.png")
    message = page.locator("#predict-refused .message.wrong")
    expect(message).to_contain_text("photo.png")
    page.wait_for_timeout(1500)  # and it stays
    assert re.search("[가-힣]", message.inner_text())
    assert source(page, "#predict-slider-0") == before  # nothing is lost
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 160, 3), np.uint8)).save(tmp_path / "photo.png")
    upload(page, tmp_path / "photo.png")
    wait_until(lambda: source(page, "#predict-slider-0") != before, 20)
    expect(page.locator("#predict-caption-0")).to_contain_text("정답")
    expect(page.locator("#predict-refused .message, #predict-message .message")).to_have_count(0)


def test_a_mistake_in_the_form_is_told_in_korean_and_starts_nothing(visit, served):
    page = visit(locale="ko-KR")
    count = len(list(served[1].glob("*/config.json")))
    write(page, "#form-image_size", 5)
    page.click("#start")
    message = page.locator("#train-message .message.wrong")
    expect(message).to_contain_text("image_size")
    assert "32" in message.inner_text() and re.search("[가-힣]", message.inner_text())
    assert len(list(served[1].glob("*/config.json"))) == count
    write(page, "#form-image_size", 64)
    expect(message).to_have_count(0)  # what it told of is no longer there


def test_the_schedule_s_curve_follows_the_form(visit):
    page = visit()
    curve = page.locator("#form-curve")
    assert curve.locator("svg").count() == 0
    page.click("#form-more button")
    expect(curve.locator("svg")).to_be_visible(timeout=15_000)

    def redrawn(change):
        before = curve.inner_html()
        change()
        wait_until(lambda: curve.inner_html() != before, 15)

    def pick_schedule(name):
        page.click("#form-scheduler input")
        page.click(f"#form-scheduler [role=option]:has-text('{name}')")

    redrawn(lambda: pick_schedule("multi_step"))
    page.click("#multi_step-options summary")
    redrawn(lambda: (page.fill("#multi_step-milestones input", "1, 2, 3"), page.keyboard.press("Tab")))
    redrawn(lambda: write(page, "#form-epochs", 8))
    expect(curve.locator("svg")).to_contain_text("8")
    redrawn(lambda: write(page, "#multi_step-warmup", 8))
    expect(curve).to_contain_text("less than 8")
    redrawn(lambda: pick_schedule("plateau"))
    expect(curve).to_contain_text("not known before training")


def test_a_preset_fills_in_the_form_and_what_is_changed_is_one_s_own(visit, served):
    page = visit()
    chosen = page.locator("#form-preset input").first

    def pick_preset(name):
        chosen.click()
        page.click(f"#form-preset [role=option]:has-text('{name}')")

    write(page, "#form-seed", 3)
    pick_preset("Ten minutes")
    expect(page.locator("#form-image_size input")).to_have_value("320")
    expect(page.locator("#form-seed input")).to_have_value("3")
    before = set(served[1].glob("*/config.json"))
    page.click("#start")
    wait_until(lambda: len(set(served[1].glob("*/config.json")) - before) == 1, 20)
    (made,) = set(served[1].glob("*/config.json")) - before
    made = made.parent
    assert runs.config(made).model_dump() == configured({"preset": "ten_minutes", "seed": 3}).model_dump()
    expect(chosen).to_have_value("Ten minutes")
    write(page, "#form-epochs", 1)
    expect(chosen).to_have_value("My own settings")
    expect(page.locator("#form-image_size input")).to_have_value("320")
    pick_preset("Quick")
    expect(page.locator("#form-image_size input")).to_have_value("160")
    page.click("#form-techniques .token-remove")
    expect(chosen).to_have_value("My own settings")
    jobs.stop(made)
    wait_until(lambda: runs.status(made).over, 30)


def test_the_korean_page_has_no_english_but_names(visit):
    page = visit("?lang=ko")
    page.click("#form-more button")
    expect(page.locator("#jobs")).to_contain_text("완료")
    for place, last in enumerate(("#train-samples img", "#predict-slider-0 img", "#compare-curves svg")):
        tab(page, place)
        expect(page.locator(last).first).to_be_visible(timeout=30_000)
        expect(page.locator(".message.wrong")).to_have_count(0)
        said = page.locator(
            "button, label, p:not(.source), th, figcaption, .state, small, .caption span, h4"
        ).all_inner_texts()
        english = [text for text in said if re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}", text)]
        assert english == []


def test_the_page_answers_while_a_run_trains(visit, served):
    page, home = visit(), served[1]
    small_before = len(started(home))
    page.click("#streets-options summary")
    write(page, "#streets-train_images", 60)
    write(page, "#form-epochs", 50)
    page.click("#start")
    wait_until(lambda: len(started(home)) == small_before + 1)
    run = started(home)[-1]
    expect(page.locator(f"#jobs tr[data-run='{run.name}'] .state")).to_have_text("running", timeout=30_000)
    wait_until(lambda: len(runs.events(run)) > 3, 60)
    tab(page, 2)
    board = page.locator("#compare-scores")
    expect(board).to_contain_text("unet_vgg16")
    for _ in range(4):
        pick(page, "#compare-runs", "done unet")
        expect(board).to_contain_text("done unet", timeout=30_000)
        page.click("#compare-runs .token:has-text('done unet') .token-remove")
        expect(board).not_to_contain_text("done unet", timeout=30_000)
    assert runs.status(run).state == "running"  # an answer that waited for the run's end would find it completed
    tab(page, 0)
    page.click(f"#jobs tr[data-run='{run.name}'] button[data-action=stop]")
    expect(page.locator(f"#jobs tr[data-run='{run.name}'] .state")).to_have_text("stopped", timeout=60_000)


@pytest.mark.skipif(not export.available(), reason="onnx, onnxscript or onnxruntime is not installed")
def test_a_visitor_takes_a_model_as_an_onnx_file(visit, tmp_path):
    import onnxruntime

    page = visit("?lang=ko")
    tab(page, 2)
    button = page.locator("#compare-scores button.act[data-run=unet]")
    button.click()
    expect(button).to_be_disabled()
    expect(page.locator("#exported .right")).to_contain_text("12,288픽셀 중 12,288픽셀", timeout=60_000)
    expect(button).to_be_enabled()
    with page.expect_download() as download:
        page.click("#onnx-file")
    assert download.value.suggested_filename == "unet.onnx"
    download.value.save_as(tmp_path / "unet.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "unet.onnx", providers=["CPUExecutionProvider"])
    assert session.get_inputs()[0].shape == [1, 3, 96, 128]


def test_training_images_are_previewed_as_the_techniques_make_them(visit):
    page = visit("?lang=ko")
    page.click("#form-more > button")
    page.click("#preview")
    expect(page.locator("#previewed .message")).to_contain_text("기법이 선택되지 않았습니다")
    pick(page, "#form-techniques", "flip", "cutmix")
    page.click("#preview")
    expect(page.locator("#previewed img")).to_have_count(12, timeout=30_000)
    expect(page.locator("#previewed")).to_contain_text("적용 후")
    expect(page.locator("#previewed img").first).to_be_in_viewport()


def test_a_visitor_sends_a_zip_looks_at_it_and_trains_on_it(visit, served, tmp_path):
    from seglab import uploads
    from tests.test_uploads import GOOD, packed

    page = visit()
    expect(page.locator("#surveyed table")).to_have_count(0)  # nothing is looked at before it is opened
    page.click("#inside > button")
    expect(page.locator("#surveyed table.shares tbody tr")).to_have_count(11, timeout=60_000)
    page.set_input_files("#inside input[type=file]", packed(tmp_path / "mine.zip", GOOD))
    expect(page.locator("#surveyed table.shares tbody tr")).to_have_count(3)
    expect(page.locator("#form-data input")).to_have_value("folder")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    page.set_input_files("#inside input[type=file]", tmp_path / "bad.zip")
    expect(page.locator("#surveyed .message.wrong")).to_contain_text("damaged")
    page = page.context.new_page()
    page.goto(served[0])
    expect(page.locator("#uploaded input")).to_have_count(1)  # still known in this browser, and the part is closed
    page.click("#form-data input")
    page.get_by_role("option", name="folder").click()
    page.click("#start")
    expect(page.locator("#train-message")).to_contain_text("added to the queue: 1")
    assert runs.config(started(served[1])[-1]).data.root.parent == served[1] / uploads.home().name
    page.click("#inside > button")
    page.click("#surveyed button.act")
    expect(page.locator("#uploaded input")).to_have_count(0)
    expect(page.locator("#surveyed")).to_contain_text("folder is for your own images")
    page = page.context.new_page()
    page.goto(served[0])
    expect(page.locator("#train-curves svg").first).to_be_visible()  # the second answer to what an opened page asks
    expect(page.locator("#form-data input")).to_have_value("streets")
    expect(page.locator("#uploaded input")).to_have_count(0)


def test_a_visitor_plans_a_cross_validation_and_its_runs_wait_for_each_other(visit, served):
    page, before = visit(), set(started(served[1]))
    small(page, epochs=1, models=("unet",))
    write(page, "#form-batch_size", 2)  # no run of another test has these settings: its time would be known
    page.click("#planning button")
    planned = page.locator("#planned")
    expect(planned.locator("li")).to_have_count(3)
    expect(planned).to_contain_text("Estimate the time")
    expect(planned).not_to_contain_text("Start")  # that takes the time to be known
    expect(page.locator("#start")).to_be_hidden()  # it would begin one run
    page.click("#form-plan input")
    page.click("#form-plan [role=option]:has-text('folds')")
    expect(planned.locator("li")).to_have_count(5)
    write(page, "#folds-k", 1)
    expect(planned).to_contain_text("1 is too small")
    write(page, "#folds-k", 2)
    expect(planned.locator("li")).to_have_count(2)
    page.check("#folds-leak_by_mistake input")
    expect(planned.locator("li").nth(1)).to_contain_text("after run 1")
    planned.locator("button", has_text="Estimate the time").click()
    expect(planned).to_contain_text("a few steps of each kind of run", timeout=200_000)
    planned.locator("button", has_text="Start 2 runs").click()
    expect(page.locator("#train-message")).to_contain_text("added to the queue: 2")
    first, second = (run for run in started(served[1]) if run not in before)
    assert runs.config(second).needs == (first,)
    expect(page.locator(f"#jobs tr[data-run='{second.name}'] .state")).to_have_text("completed", timeout=90_000)
    expect(page.locator(f"#jobs tr[data-run='{first.name}']")).to_contain_text("unet (fold 0)")
    assert runs.status(first).state == "completed"


def test_a_visitor_takes_a_run_away_and_brings_it_back(visit, served, tmp_path):
    page = visit()
    page.locator("#jobs tr[data-run]").first.wait_for()
    if not page.locator("tr[data-run='done unet']").count():  # newer runs of other visitors are shown first
        pick(page, "#train-shown", "done unet")
    page.click("tr[data-run='done unet'] button[data-action=take]")
    expect(page.locator("#travel-leaving")).to_contain_text("The data is public")
    expect(page.locator("#travel-run input")).to_have_value("done unet")
    expect(page.locator("#travel-names")).not_to_be_visible()
    page.click("#travel-make")
    expect(page.locator("#travel-file")).to_contain_text("Download done unet.zip")
    with page.expect_download() as download:
        page.click("#travel-file")
    assert download.value.suggested_filename == "done unet.zip"
    download.value.save_as(tmp_path / "done unet.zip")
    with page.expect_file_chooser() as chooser:
        page.click("#travel-upload")
    chooser.value.set_files(tmp_path / "done unet.zip")
    expect(page.locator("#travel-said")).to_contain_text("done unet 2 is here now")
    expect(page.locator("#jobs tr[data-run='done unet 2']")).to_contain_text("brought from elsewhere")
    ours, theirs = (runs.status(served[1] / name).finished for name in ("done unet", "done unet 2"))
    assert ours == theirs
    runs.remove(served[1] / "done unet 2")
