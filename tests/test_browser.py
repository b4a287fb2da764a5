"""The page in a real browser, as a visitor meets it."""

import os
import re
import time

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect, sync_playwright

from seglab import export, jobs, runs
from seglab.config import configured
from tests.conftest import serving, tiny

CHROMIUM = "/usr/bin/chromium"
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
    with serving(home) as address:
        yield address, home


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
        page.locator("#start .street").wait_for(state="attached")  # the scripts are at work
        return page

    def foreign(url):
        return not url.startswith((served[0], "data:", "blob:"))

    opened.may_fail = False  # whether the test cuts the page off from its server
    yield opened
    for context in contexts:
        context.close()
    found = [each for each in wrong if not (opened.may_fail and "Failed to load resource" in each)]
    found = [each for each in found if not each.startswith(LEFT)]
    assert found == [], (served[1].parent / "log.txt").read_text()


LEFT = ("AbortError", "Unexpected error Connection errored out")  # Gradio's own words for a page that was left
SMALL = "data.streets.train_images=8&data.streets.val_images=4&data.streets.size=64&image_size=64&batch_size=4"
NETS = "model.unet.width=4&model.unet.depth=2"


def line(page, run):
    """A run's line in the list."""
    return page.locator(f"li.run-line[data-run='{run if isinstance(run, str) else run.name}']")


def state(page, run, text, timeout=30_000):
    expect(line(page, run).locator(".state")).to_have_text(text, timeout=timeout)


def option(page, name):
    return page.locator(f".field[data-option={name}] [name={name}]").first


def pick(page, field, *names):
    """Picks entries in a list of the form, and closes it."""
    picker = page.locator(f"fieldset.picker[data-field={field}]")
    if not picker.locator("details.choose").evaluate("each => each.open"):
        picker.locator("summary .chosen").click()
    for name in names:
        picker.locator(f".choices input[value={name}]").check()
    page.keyboard.press("Escape")


def menu(page, run, action):
    line(page, run).locator("details.menu summary").click()
    line(page, run).locator(f"button[data-action={action}]").click()


def started(home):
    """The runs that the page began, the oldest first."""
    made = [path.parent for path in home.glob("*/config.json") if not path.parent.name.startswith("done")]
    return sorted(made, key=lambda directory: (directory / "config.json").stat().st_mtime_ns)


def start(page, home, count=1):
    """Presses Start and gives the runs that this made."""
    before = set(started(home))
    page.click(".start-button")
    expect(page.locator(".messages .message").first).to_contain_text(f": {count}")
    wait_until(lambda: len(set(started(home)) - before) == count)
    return [run for run in started(home) if run not in before]


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def test_a_stranger_takes_the_tour(visit):
    page = visit()
    street = page.locator(".street")
    expect(street.locator("figure")).to_have_count(5)
    expect(street).to_contain_text("mIoU 0.671")
    first = street.locator("img").first.get_attribute("src")
    page.click(".pages button >> nth=2")
    expect(street.locator("img").first).not_to_have_attribute("src", first)
    page.click(".layers button[data-layer=errors]")
    expect(street.locator("canvas")).to_have_count(3)
    page.click(".layers button[data-layer=mask]")
    expect(street.locator("canvas")).to_have_count(0)
    page.click(".ways a >> nth=0")
    expect(page.locator("#scores table").first).to_be_visible()
    expect(page.locator(".charts canvas").first).to_be_visible()
    expect(page.locator("ul.runs li.shown")).to_have_count(3)
    page.go_back()
    page.click(".ways a >> nth=1")
    expect(page.locator(".panels figcaption")).to_have_count(3)
    page.click("#tab-start-button")
    page.click(".ways a >> nth=2")
    expect(page.locator(".start-button")).to_be_visible()


def test_a_visitor_trains_two_losses_reloads_stops_and_compares(visit, served):
    page, home = visit(f"#train?{SMALL}&{NETS}&epochs=400"), served[1]
    expect(page.locator(".notice")).to_be_hidden()
    page.click("fieldset[data-field=loss] button[data-mode=vary]")
    page.locator("fieldset[data-field=loss] input[value=dice]").uncheck()
    page.locator("fieldset[data-field=loss] input[value=focal]").check()
    page.keyboard.press("Escape")
    expect(page.locator(".start-button")).to_have_text("Start 2 runs")
    first, second = start(page, home, 2)
    assert [runs.config(run).loss.name for run in (first, second)] == ["cross_entropy", "focal"]
    assert runs.config(first).model.width == runs.config(second).model.width == 4
    assert [runs.label(run).name.split(" #")[0] for run in (first, second)] == ["cross_entropy", "focal"]

    state(page, first, "running")
    expect(line(page, second)).to_contain_text("number 1 in the queue")
    expect(line(page, first)).to_contain_text("left", timeout=30_000)
    wait_until(lambda: (first / "samples").exists())

    page.reload()  # the run goes on, and the page finds it again, with all that stood in the form
    state(page, first, "running")
    expect(option(page, "epochs")).to_have_value("400")
    expect(page.locator("fieldset[data-field=loss] .chosen")).to_contain_text("cross_entropy, focal")
    other = visit("?lang=ko#train")  # so does another browser, in another language
    state(other, first, "학습 중")
    expect(other.locator(".start-button")).to_have_text("학습 시작")
    expect(page.locator(".samples img").first).to_be_visible(timeout=15_000)

    for run in (second, first):
        line(page, run).locator("button[data-action=stop]").click()
        state(page, run, "stopped")
    line(page, second).locator("button[data-action=resume]").click()
    wait_until(lambda: (second / "weights.safetensors").exists())
    line(page, second).locator("button[data-action=stop]").click()
    state(page, second, "stopped")

    page.click("#tab-compare-button")
    expect(page.locator("#scores")).to_contain_text("Settings that differ")
    expect(page.locator("section.curves")).to_contain_text("different losses, whose values cannot be compared")
    expect(page.locator(".charts figure")).to_have_count(3)
    page.click("text=Show the loss charts all the same")
    expect(page.locator(".charts figure")).to_have_count(5)
    caption = page.locator("table.values caption")
    expect(caption).to_have_text("Last values")
    box = page.locator(".charts .u-over").first.bounding_box()
    page.mouse.move(box["x"] + 40, box["y"] + 40)
    expect(caption).to_contain_text("epoch")


def test_a_run_is_renamed_cloned_and_deleted(visit, served):
    page, home = visit(f"#train?{SMALL}&{NETS}&epochs=1&seed=7"), served[1]
    (run,) = start(page, home)
    state(page, run, "completed", timeout=60_000)
    menu(page, run, "rename")
    page.locator("input.rename").fill("나의 첫 실행")
    page.keyboard.press("Enter")
    expect(line(page, run).locator("b")).to_have_text("나의 첫 실행")
    assert runs.label(run).name == "나의 첫 실행"
    option(page, "epochs").fill("9")
    menu(page, run, "clone")
    expect(option(page, "epochs")).to_have_value("1")
    expect(option(page, "seed")).to_have_value("7")
    page.on("dialog", lambda dialog: dialog.accept())
    visit.may_fail = True  # pictures of the run may be on their way
    menu(page, run, "delete")
    expect(line(page, run)).to_have_count(0)
    assert not run.exists()


def test_a_colleague_opens_the_same_by_a_link(visit):
    page = visit("#compare?runs=done unet,unet")
    expect(page.locator("#scores")).to_contain_text("done unet")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.click(".chart-bar button:has-text('Copy link')")
    expect(page.locator(".chart-bar .end button")).to_have_text("Copied")
    link = page.evaluate("navigator.clipboard.readText()")
    other = visit(link.partition("/#")[2] and f"#{link.partition('/#')[2]}")
    expect(other.locator("#tab-compare-button")).to_have_attribute("aria-selected", "true")
    expect(other.locator("li.run-line.shown")).to_have_count(2)
    other.click("a[data-language=ko]")
    expect(other.locator("#tab-compare-button")).to_have_text("비교")
    expect(other.locator("li.run-line.shown")).to_have_count(2)
    wrong = visit("#train?model=unet&loss=nonsense&wdith=3")
    expect(wrong.locator(".notice")).to_contain_text("loss=nonsense, wdith=3")


def test_a_worksheet_leaves_what_it_is_about(visit):
    link = "title=Week 3&task=Which loss finds poles?&only=loss,epochs&loss=dice,focal&epochs=3"
    page = visit(f"#start?{link}")
    expect(page.locator(".sheet")).to_contain_text("Week 3")
    page.click(".sheet a")
    expect(page.locator(".worksheet")).to_contain_text("Which loss finds poles?")
    expect(page.locator("fieldset[data-field=loss]")).to_be_visible()
    expect(option(page, "epochs")).to_have_value("3")
    for field in ("model", "data", "scheduler", "techniques"):
        expect(page.locator(f"fieldset[data-field={field}]")).to_be_hidden()
    expect(page.locator(".start-button")).to_have_text("Start 2 runs")


def painted(page):
    return page.evaluate("document.querySelector('.panels canvas').toDataURL()")


def test_the_crf_s_sliders_and_the_layers_repaint_the_masks(visit):
    page = visit("#predict?runs=unet,unet_vgg16&picture=1")
    captions = page.locator(".panels figcaption")
    expect(captions).to_have_count(2, timeout=30_000)
    expect(captions.first).to_contain_text(re.compile(r"mIoU on this image: 0\.\d+, after the CRF 0\.\d+"))
    expect(page.locator(".viewer-stage > .legend")).to_contain_text("building")

    def repainted(change):
        before = painted(page)
        change()
        wait_until(lambda: painted(page) != before, 20)

    slider = page.locator(".field[data-option=theta_alpha] input[type=range]")
    repainted(lambda: slider.fill("120"))
    repainted(lambda: page.click(".examples button >> nth=2"))
    for layer in ("errors", "changed", "truth", "photo", "prediction"):
        repainted(lambda layer=layer: page.click(f".chart-bar button[data-layer={layer}]"))
    divider = page.locator(".chart-bar label:has-text('Before') input")
    divider.focus()
    repainted(lambda: [page.keyboard.press("ArrowRight") for _ in range(20)])  # by the keyboard, too
    page.locator(".panels canvas").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".under")).to_contain_text("prediction: ")


def upload(page, button, path):
    with page.expect_file_chooser() as chooser:
        page.click(button)
    chooser.value.set_files(path)


def test_a_visitor_s_photograph_is_labeled_and_a_bad_one_is_told(visit, tmp_path):
    page = visit("?lang=ko#predict?runs=unet")
    expect(page.locator(".panels figcaption")).to_contain_text("mIoU", timeout=30_000)
    before = painted(page)
    (tmp_path / "photo.png").write_text("this is no photograph")
    upload(page, "#predict-upload", tmp_path / "photo.png")
    message = page.locator(".refused .message.wrong")
    expect(message).to_contain_text("photo.png")
    assert re.search("[가-힣]", message.inner_text()) and painted(page) == before  # nothing is lost
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 160, 3), np.uint8)).save(tmp_path / "photo.png")
    upload(page, "#predict-upload", tmp_path / "photo.png")
    expect(page.locator(".panels figcaption")).to_contain_text("정답")
    wait_until(lambda: painted(page) != before, 20)
    expect(page.locator(".refused .message")).to_have_count(0)


def test_a_mistake_in_the_form_is_told_in_korean_and_starts_nothing(visit, served):
    page = visit(f"?lang=ko#train?{SMALL}")
    count = len(list(served[1].glob("*/config.json")))
    page.click("#more-size summary")
    rate = option(page, "lr")
    rate.fill("-1")
    expect(page.locator(".foreseen.wrong")).to_contain_text("lr")
    assert re.search("[가-힣]", page.locator(".foreseen").inner_text())
    page.evaluate("document.querySelector('.seglab-form').noValidate = true")
    page.click(".start-button")
    assert len(list(served[1].glob("*/config.json"))) == count
    rate.fill("0.01")
    expect(page.locator(".foreseen.wrong")).to_have_count(0)


def test_the_schedule_s_curve_follows_the_form(visit):
    page = visit("#train")
    curve = page.locator(".curve")
    assert curve.locator("svg").count() == 0
    page.click("#more-schedule > summary")
    expect(curve.locator("svg")).to_be_visible(timeout=15_000)

    def redrawn(change):
        before = curve.inner_html()
        change()
        wait_until(lambda: curve.inner_html() != before, 15)

    redrawn(lambda: pick(page, "scheduler", "multi_step"))
    page.click("#multi_step-options summary")
    redrawn(lambda: page.fill("#multi_step-milestones", "1, 2, 3"))
    redrawn(lambda: option(page, "epochs").fill("8"))
    expect(curve.locator("svg")).to_contain_text("8")
    redrawn(lambda: page.fill("#multi_step-warmup", "8"))
    expect(curve).to_contain_text("less than 8")
    redrawn(lambda: pick(page, "scheduler", "plateau"))
    expect(curve).to_contain_text("not known before training")


def test_a_preset_fills_in_the_form_and_what_is_changed_is_one_s_own(visit, served):
    page = visit("#train?seed=3")
    preset = page.locator("#form-preset")
    preset.select_option("ten_minutes")
    expect(option(page, "image_size")).to_have_value("320")
    expect(option(page, "seed")).to_have_value("3")
    (made,) = start(page, served[1])
    assert runs.config(made).model_dump() == configured({"preset": "ten_minutes", "seed": 3}).model_dump()
    option(page, "epochs").fill("1")
    expect(preset).to_have_value("")
    expect(option(page, "image_size")).to_have_value("320")
    jobs.stop(made)
    wait_until(lambda: runs.status(made).over, 30)


def test_the_korean_page_has_no_english_but_names(visit):
    page = visit("?lang=ko#train")
    for tab, last in {"train": ".samples img", "predict": ".panels figcaption", "compare": "#scores table"}.items():
        page.click(f"#tab-{tab}-button")
        expect(page.locator(last).first).to_be_visible(timeout=30_000)
        expect(page.locator(".message.wrong:visible")).to_have_count(0)
        said = page.locator("button, label, p:not(.source), th, figcaption, .state, small:not(.what), h2, h3")
        english = [text for text in said.all_inner_texts() if re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}", text)]
        assert english == []


def test_the_page_answers_while_a_run_trains_and_says_when_it_cannot(visit, served):
    page = visit(f"#train?{NETS}&data.streets.train_images=60&epochs=50")
    (run,) = start(page, served[1])
    state(page, run, "running")
    wait_until(lambda: len(runs.events(run)) > 3, 60)
    page.click("#tab-compare-button")
    eye, board = line(page, "unet").locator(".eye"), page.locator("#scores")
    page.click(".filters button:has-text('Shipped')")
    for _ in range(4):
        eye.click()
        expect(board).to_contain_text("1,093,511")
        eye.click()
        expect(board).not_to_contain_text("1,093,511")
    assert runs.status(run).state == "running"  # an answer that waited for the run's end would find it completed
    visit.may_fail = True
    page.route("**/seglab/watch**", lambda route: route.abort())
    lost = page.locator(".runs-list [role=alert]:has-text('does not answer')")
    expect(lost).to_be_visible()
    page.unroute("**/seglab/watch**")
    expect(lost).to_be_hidden()
    page.click(".filters button:has-text('Made here')")
    line(page, run).locator("button[data-action=stop]").click()
    state(page, run, "stopped", timeout=60_000)


@pytest.mark.skipif(not export.available(), reason="onnx, onnxscript or onnxruntime is not installed")
def test_a_visitor_takes_a_model_as_an_onnx_file(visit, tmp_path):
    import onnxruntime

    page = visit("?lang=ko#compare?runs=unet")
    button = page.locator("#scores button.act[data-run=unet]")
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
    page = visit("?lang=ko#train")
    page.click("#more-techniques > summary")
    page.click(".preview-button")
    expect(page.locator(".previewed .message")).to_contain_text("기법이 선택되지 않았습니다")
    pick(page, "techniques", "flip", "cutmix")
    page.click(".preview-button")
    expect(page.locator(".previewed img")).to_have_count(12, timeout=30_000)
    expect(page.locator(".previewed")).to_contain_text("적용 후")


def test_a_visitor_sends_a_zip_looks_at_it_and_trains_on_it(visit, served, tmp_path):
    from seglab import uploads
    from tests.test_uploads import GOOD, packed

    page = visit("#train")
    shares = page.locator(".surveyed table.shares tbody tr")
    page.click("button[data-what=inside]")
    expect(shares).to_have_count(11, timeout=60_000)
    upload(page, "#zip", packed(tmp_path / "mine.zip", GOOD))
    expect(shares).to_have_count(3)
    expect(page.locator("fieldset[data-field=data] .chosen")).to_have_text("folder")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    upload(page, "#zip", tmp_path / "bad.zip")
    expect(page.locator(".own .refused .message.wrong")).to_contain_text("damaged")
    page.reload()  # still known in this browser
    expect(page.locator("fieldset[data-field=data] .chosen")).to_have_text("folder")
    (run,) = start(page, served[1])
    assert runs.config(run).data.root.parent == served[1] / uploads.home().name
    page.click("button[data-what=inside]")
    page.click(".surveyed button.act")
    expect(page.locator(".surveyed")).to_contain_text("folder is for your own images")
    state(page, run, "completed", timeout=60_000)


def test_a_visitor_plans_a_cross_validation_and_its_runs_wait_for_each_other(visit, served):
    page = visit(f"#train?{SMALL.replace('batch_size=4', 'batch_size=2')}&{NETS}&epochs=1")
    page.click("#more-plan > summary")
    page.locator("input[name=pick-plan][value=folds]").check()
    expect(page.locator(".start-button")).to_have_text("Start 5 runs")
    page.click("#folds-options summary")
    page.fill("#folds-k", "1")
    expect(page.locator(".foreseen.wrong")).to_contain_text("1 is too small")
    page.fill("#folds-k", "2")
    page.check("#folds-leak_by_mistake")
    expect(page.locator(".foreseen")).to_contain_text("2 runs, about", timeout=120_000)
    first, second = start(page, served[1], 2)
    assert runs.config(second).needs == (first,)
    state(page, second, "completed", timeout=90_000)
    expect(page.locator("li.plan-line").first).to_contain_text("2 of 2 runs have ended")
    assert runs.status(first).state == "completed"


def test_a_visitor_takes_a_run_away_and_brings_it_back(visit, served, tmp_path):
    page = visit("#train?runs=done unet")
    menu(page, "done unet", "take")
    expect(page.locator("#travel-leaving")).to_contain_text("The data is public")
    expect(page.locator("#travel-run input")).to_have_value("done unet")
    expect(page.locator("#travel-names")).not_to_be_visible()
    page.click("#travel-make")
    expect(page.locator("#travel-file")).to_contain_text("Download done unet.zip")
    with page.expect_download() as download:
        page.click("#travel-file")
    assert download.value.suggested_filename == "done unet.zip"
    download.value.save_as(tmp_path / "done unet.zip")
    upload(page, "#travel-upload", tmp_path / "done unet.zip")
    expect(page.locator("#travel-said")).to_contain_text("done unet 2 is here now")
    expect(line(page, "done unet 2")).to_contain_text("brought from elsewhere")
    ours, theirs = (runs.status(served[1] / name).finished for name in ("done unet", "done unet 2"))
    assert ours == theirs
    page.close()  # or it would ask for pictures of what is gone
    runs.remove(served[1] / "done unet 2")


@pytest.mark.parametrize("language", ["en", "ko"])
def test_nothing_is_wider_than_a_phone(visit, language):
    page = visit(f"?lang={language}")
    page.set_viewport_size({"width": 390, "height": 844})
    ready = {"start": ".ways a", "train": ".charts canvas", "predict": ".panels canvas", "compare": "#scores table"}
    for tab, last in ready.items():
        page.click(f"#tab-{tab}-button")
        expect(page.locator(last).first).to_be_visible(timeout=30_000)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390, tab


def test_the_form_is_filled_in_and_sent_by_keys_alone(visit, served):
    page = visit(f"#train?{SMALL}&{NETS}&epochs=1&seed=11")
    chosen = page.locator("fieldset[data-field=loss] summary").first
    chosen.focus()
    page.keyboard.press("Enter")
    expect(page.locator("fieldset[data-field=loss] .choices")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("fieldset[data-field=loss] .choices")).to_be_hidden()
    expect(chosen).to_be_focused()
    before = set(started(served[1]))
    page.locator(".start-button").focus()
    page.keyboard.press("Enter")
    wait_until(lambda: len(set(started(served[1])) - before) == 1)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """The address of a page that several people use, and its folder of runs."""
    home = tmp_path_factory.mktemp("shared") / "runs"
    with serving(home, SEGLAB_TEACHER_KEY="chalk") as address:
        yield address, home


def test_only_its_owner_and_the_teacher_stop_a_run(shared, browser):
    address, home = shared

    def person(nickname, key=""):
        page = browser.new_context(locale="en-US").new_page()
        page.goto(f"{address}#train?{SMALL}&{NETS}&epochs=400")
        page.click(".who summary")
        page.fill(".who input[type=text]", nickname)
        page.keyboard.press("Tab")
        if key:
            page.fill(".who input[type=password]", key)
            page.keyboard.press("Tab")
        expect(page.locator(".who summary")).to_contain_text(nickname)
        return page

    ada, bob = person("Ada"), person("Bob")
    (run,) = start(ada, home)
    assert runs.label(run).owner.nickname == "Ada"
    state(ada, run, "running")
    bob.click("text=Everyone")
    expect(line(bob, run)).to_contain_text("Ada")
    expect(line(bob, run).locator("button[data-action=stop]")).to_be_hidden()
    bob.evaluate("document.querySelector('[data-action=stop]').click()")  # a page may press what it does not show
    expect(bob.locator(".runs-list .message.wrong:visible")).to_contain_text("somebody else's")
    assert runs.status(run).state == "running"
    teacher = person("Kim", "chalk")
    expect(teacher.locator(".who summary")).to_contain_text("teacher")
    teacher.click("text=Everyone")
    line(teacher, run).locator("button[data-action=stop]").click()
    state(ada, run, "stopped")
