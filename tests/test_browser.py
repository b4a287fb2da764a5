"""The page in a real browser, as visitors meet it: each test is a story."""

import json
import os
import re
import signal
import time
from urllib.parse import urlencode

import cv2
import numpy as np
import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from playwright.sync_api import expect, sync_playwright

from benchmarks._many import many
from seglab import draw, export, jobs, locks, places, runs
from seglab.config import configured
from seglab.events import Evaluated
from seglab.lessons import files, guests, sheet
from seglab.lessons.bench import Bench
from seglab.metrics import miou
from tests.conftest import serving, tiny
from tests.lessons import at_step, images, lesson, put, whole
from tests.sheets import answered as handed_data
from tests.sheets import page as handed_page

CHROMIUM = "/usr/bin/chromium"
KEY = "open sesame"  # the teacher's
SMALL = {  # settings of runs of seconds, as an address has them
    "data.streets.train_images": 8,
    "data.streets.val_images": 4,
    "data.streets.size": 64,
    "image_size": 64,
    "batch_size": 4,
    "model.unet.width": 4,
    "model.encoder_decoder.width": 4,
}
MEAN = "<img src=nothing.png>"  # a name that would ask for a picture, were it HTML
SHIPPED = "encoder_decoder,unet,unet_vgg16"
WIDE, PHONE = {"width": 1400, "height": 1000}, {"width": 390, "height": 844}
LEFT = ("signal is aborted without reason", "Connection errored out")  # said by Gradio of a page that is being left
TABS = ("start", "learn", "train", "predict", "compare")
expect.set_options(timeout=25_000)  # a busy machine may take its time; what is wrong stays wrong
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"there is no {CHROMIUM}"),
]


# --- servers and visitors


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    """A server on one's own machine, with two finished runs."""
    with serving(tmp_path_factory.mktemp("page") / "runs") as server:
        data = {"name": "streets", "train_images": 24, "val_images": 8, "size": 96}
        for name in ("unet", "encoder_decoder"):
            model = {"name": name, "width": 8, "depth": 3}
            finished(server, f"done {name}", model=model, data=data, image_size=96, epochs=4)
        yield server


@pytest.fixture(scope="module")
def crowded(tmp_path_factory):
    """A server with many finished runs."""
    home = tmp_path_factory.mktemp("crowded") / "runs"
    many(home, 70)
    with serving(home) as server:
        yield server


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    """A server that several people use."""
    with serving(tmp_path_factory.mktemp("shared") / "runs", SEGLAB_SHARED="1", SEGLAB_TEACHER_KEY=KEY) as server:
        yield server


def finished(server, name, **options):
    """A finished run of a server's, made beside its page."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(server.home))
        directory = runs.create(tiny(**options), name)
        list(runs.work(directory))
    return directory


@pytest.fixture(scope="module")
def browser():
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def visit(browser, request):
    """Opens a page as a new visitor, or as one who was there before; afterwards nothing may have gone wrong in it, or
    gone out to the network."""
    contexts, wrong, servers = [], [], {}

    def opened(place="", locale="en-US", server="served", context=None, **options):
        where = servers.setdefault(server, request.getfixturevalue(server))
        context = context or stranger(where.address, {"locale": locale, "viewport": WIDE} | options)
        page = context.new_page()
        page.goto(where.address + place)
        page.wait_for_function("window.seglab?.store?.loaded")
        return page

    def stranger(address, options):
        context = browser.new_context(**options)
        contexts.append(context)
        own = (address, "data:", "blob:")
        context.on("weberror", lambda error: noted(str(error.error)))
        context.on("console", lambda message: noted(message.text) if message.type == "error" else None)
        context.on("response", lambda answer: wrong.append(answer.url) if answer.status >= 400 else None)
        context.on("request", lambda asked: None if asked.url.startswith(own) else wrong.append(asked.url))
        return context

    def noted(text):
        if not any(each in text for each in LEFT):
            wrong.append(text)

    yield opened
    for context in contexts:
        context.close()
    logs = [(server.home.parent / "log.txt").read_text() for server in servers.values()]
    assert wrong == [], "\n".join([str(wrong), *logs])


# --- what visitors do


def at(tab, **settings):
    """A place on the page, as an address has it."""
    return f"#{tab}?{urlencode(settings, safe=',')}"


def go(page, tab):
    page.locator("#tabs button[role=tab]").nth(TABS.index(tab)).click()
    expect(page.locator("body")).to_have_attribute("data-tab", tab)


def line(page, run):
    return page.locator(f"li.run-line[data-run='{getattr(run, 'name', run)}']")


def state(page, run):
    return line(page, run).locator(".state")


def press(page, run, action):
    """Presses a button of a run, in its menu where it is there."""
    button = line(page, run).locator(f"button[data-action={action}]")
    button.wait_for(state="attached")
    if line(page, run).locator(f"details.menu button[data-action={action}]").count():
        line(page, run).locator("details.menu summary").click()
    button.click()


def picker(page, field):
    return page.locator(f"fieldset.picker[data-field={field}]")


def pick(page, field, *names):
    """Picks in an open list, or opens it."""
    own = picker(page, field)
    for name in names:
        choice = own.locator(".choices label", has=page.locator(f"input[value='{name}']"))
        if not choice.is_visible():
            own.locator("details.choose > summary").click()
        choice.click()
    page.keyboard.press("Escape")


def vary(page, field):
    picker(page, field).locator("button.vary[data-mode=vary]").click()


def reach(page, place, key="Tab"):
    """Goes by keys to a place on the page."""
    for _ in range(80):
        if page.locator(place).and_(page.locator(":focus")).count():
            return
        page.keyboard.press(key)
    raise AssertionError(f"{place} is not reached by {key}")


def option(page, name, entry=None):
    """The field of an option: of the run, or of a picked entry."""
    if entry is None:
        return page.locator(f"[data-field=run] .field[data-option={name}] [name={name}]")
    return page.locator(f"section.entry[data-entry={entry}] .field[data-option={name}] [name={name}]")


def unfold(page, *parts):
    for part in parts:
        page.locator(f"details#{part} > summary").click()


def show(page, run):
    """Shows a run that comes with seglab, or hides it again."""
    page.click(".filters button:text-is('Shipped')")
    line(page, run).locator(".eye").click()


def shown(page):
    """The names of the runs that curves and tables are of."""
    return page.evaluate("seglab.store.shown")


def started(home):
    """The runs that pages began, the oldest first."""
    made = [path.parent for path in home.glob("*/config.json") if not path.parent.name.startswith("done")]
    return sorted(made, key=lambda directory: (directory / "config.json").stat().st_mtime_ns)


def begin(page, home, count=1):
    """Presses Start; gives the runs that it began."""
    before = started(home)
    page.click(".start-button")
    expect(page.locator(".launch .message.right")).to_contain_text(f": {count}")
    new = [run for run in started(home) if run not in before]
    assert len(new) == count
    return new


def end(*directories):
    """Stops runs that a test leaves behind, so that the next one's begin at once."""
    for directory in directories:
        jobs.stop(directory)
        wait_until(lambda run=directory: runs.status(run).over)


def wait_until(condition, seconds=60):
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "waited too long"
        time.sleep(0.1)


def look(page, canvas=".panels canvas"):
    """What a picture shows just now."""
    return page.locator(canvas).first.evaluate("each => each.toDataURL()")


def changes(page, do):
    """Does something, and waits until the first picture is another for it."""
    before = look(page)
    do()
    wait_until(lambda: look(page) != before, 30)


def painted(page, count):
    """Waits until so many models have labeled the picture."""
    expect(page.locator(".panels canvas")).to_have_count(count)
    expect(page.locator(".panels.working")).to_have_count(0)


def upload(page, button, path):
    with page.expect_file_chooser() as chooser:
        page.click(button)
    chooser.value.set_files(path)


# --- stories


def test_a_stranger_takes_the_tour(visit):
    page = visit()
    street = page.locator("#start .street")
    expect(street.locator("figure")).to_have_count(5)  # the image, its truth and three masks
    for name in ("Ground truth", *SHIPPED.split(",")):
        expect(street.locator(f"figcaption b:text-is('{name}')")).to_be_visible()
    page.wait_for_function("[...document.querySelectorAll('.street img')].every(each => each.naturalWidth)")
    before = street.locator("img").evaluate_all("all => all.map(each => each.src)")
    page.click(".pages button >> nth=2")
    expect(page.locator(".pages button >> nth=2")).to_have_attribute("aria-pressed", "true")
    after = street.locator("img").evaluate_all("all => all.map(each => each.src)")
    assert not set(before) & set(after)
    page.click(".layers button[data-layer=errors]")
    expect(street.locator("canvas")).to_have_count(3)
    reds = """each => { const {data} = each.getContext('2d').getImageData(0, 0, each.width, each.height);
      const red = data.filter((value, n) => n % 4 === 0 && value === 220 && data[n + 1] === 38);
      return red.length * 4 / data.length; }"""
    shares = [canvas.evaluate(reds) for canvas in street.locator("canvas").all()]
    assert all(0.02 < share < 0.6 for share in shares)  # some of it is wrong, and most is right
    page.click(".layers button[data-layer=mask]")
    expect(street.locator("canvas")).to_have_count(0)

    page.click(".ways a >> nth=0")
    expect(page.locator("#tab-compare")).to_be_visible()
    assert sorted(shown(page)) == sorted(SHIPPED.split(","))
    expect(page.locator(".charts figure")).to_have_count(5)
    expect(page.locator("#scores table.sortable").first.locator("tbody tr")).to_have_count(3)
    go(page, "start")
    page.click(".ways a >> nth=1")
    painted(page, 3)
    go(page, "start")
    page.click(".ways a >> nth=2")
    expect(page.locator(".start-button")).to_be_in_viewport()


def test_a_visitor_trains_two_models_reloads_stops_and_compares(visit, served):
    page = visit(at("train", epochs=400, **SMALL))
    vary(page, "model")
    pick(page, "model", "encoder_decoder")
    expect(page.locator(".start-button")).to_have_text("Start 2 runs")
    first, second = begin(page, served.home, 2)
    assert [runs.config(run).model.name for run in (first, second)] == ["encoder_decoder", "unet"]  # by year
    assert runs.config(first).model.width == runs.config(second).model.width == 4
    expect(state(page, first)).to_have_text("running")
    expect(line(page, second)).to_contain_text("number 1 in the queue")
    expect(line(page, first)).to_contain_text(re.compile(r"\d (s|min) left"))
    wait_until(lambda: (first / "samples").exists())

    page.reload()  # the run goes on, and the page finds it again
    expect(state(page, first)).to_have_text("running")
    other = visit("?lang=ko#train")  # so does another browser, in another language
    expect(state(other, first)).to_have_text("학습 중")
    expect(other.locator(".start-button")).to_have_text("학습 시작")
    expect(page.locator(".charts figure")).to_have_count(5)
    expect(page.locator(".samples img").first).to_be_visible()

    press(page, second, "stop")
    expect(state(page, second)).to_have_text("stopped")
    press(page, first, "stop")
    expect(state(page, first)).to_have_text("stopped")
    press(page, second, "resume")
    wait_until(lambda: (second / "weights.safetensors").exists())
    press(page, second, "stop")
    expect(state(page, second)).to_have_text("stopped")

    go(page, "compare")
    board = page.locator("#scores")
    for run in (first, second):
        expect(board).to_contain_text(runs.label(run).name)
    expect(board).to_contain_text("Settings that differ")
    expect(board.locator("table.scores").first).to_contain_text("encoder_decoder")
    expect(page.locator(".charts figure")).to_have_count(5)


def test_two_losses_are_compared_by_varying_them(visit, served):
    page = visit(at("train", epochs=5, lr=0.02, **SMALL))
    vary(page, "loss")
    expect(picker(page, "loss").locator(".choices")).to_be_visible()
    expect(picker(page, "loss").locator(".chosen")).to_have_text("cross_entropy, dice (2 runs)")
    page.keyboard.press("Escape")
    expect(page.locator(".start-button")).to_have_text("Start 2 runs")
    new = begin(page, served.home, 2)
    assert [runs.config(run).loss.name for run in new] == ["cross_entropy", "dice"]
    names = [runs.label(run).name for run in new]
    assert "cross_entropy" in names[0] and "dice" in names[1]
    for run in new:
        expect(state(page, run)).to_have_text("completed")
        expect(line(page, run).locator("b")).to_have_text(runs.label(run).name)

    page.goto(served.address + at("compare", runs=",".join(run.name for run in new)))
    charts = page.locator(".charts figure")
    expect(charts).to_have_count(3)
    expect(page.locator("section.curves")).to_contain_text("minimize different losses")
    page.get_by_role("button", name="Show the loss charts all the same").click()
    expect(charts).to_have_count(5)
    page.get_by_role("button", name="Hide the loss charts").click()
    expect(charts).to_have_count(3)

    legend = page.locator("table.values")
    expect(legend.locator("caption")).to_have_text("Last values")
    last = legend.locator("td").all_inner_texts()
    charts.first.scroll_into_view_if_needed()
    charts.first.locator(".u-over").hover(position={"x": 30, "y": 60})
    expect(legend.locator("caption")).to_contain_text("epoch")
    assert legend.locator("td").all_inner_texts() != last
    page.mouse.move(5, 5)
    expect(legend.locator("caption")).to_have_text("Last values")
    assert legend.locator("td").all_inner_texts() == last
    epoch = page.locator(".masks .epochs output")
    expect(epoch).to_have_text("latest")
    charts.first.locator(".u-over").click(position={"x": 5, "y": 60})
    expect(epoch).to_have_text("1")


CANVAS = """([pane, view]) => {
    const canvas = document.querySelector(`${view} [data-pane=${pane}] canvas`), {width, height} = canvas;
    return [width, height, [...canvas.getContext('2d').getImageData(0, 0, width, height).data]];
}"""


def painted_on(page, pane, view=".where"):
    """uint8 (H, W, 3): what is on one of the laboratory's canvases."""
    width, height, data = page.evaluate(CANVAS, [pane, view])
    return np.array(data, np.uint8).reshape(height, width, 4)[..., :3]


def slide(page, slider, value):
    slider.evaluate("(input, value) => { input.value = value; input.dispatchEvent(new Event('input')); }", str(value))


def test_where_two_models_differ_is_found_without_asking_the_server_again(visit):
    from seglab.comparison import agreement

    page = visit(at("compare", runs="unet,unet_vgg16"))
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("On these 50 images unet_vgg16 is lower than unet by 0.033 (0.026 to 0.040")
    expect(page.locator("button.most")).to_have_count(3)
    page.locator("button.most").nth(1).click()
    expect(page.locator("#lab-where")).to_be_visible()
    expect(page.locator("section.curves")).to_be_hidden()
    evidence, other = (runs.Evidence(runs.find(name)) for name in ("unet", "unet_vgg16"))
    place = page.locator(".where .steps output")
    expect(place).to_contain_text("2 of 50: val_0075")
    n = evidence.names.index("val_0075")
    truth, first, second = evidence.truth(n), evidence.labels(n), other.labels(n)
    kinds = agreement.kinds(truth, first, second)
    shares = agreement.counted(kinds) / kinds.size
    rows = page.locator(".numbers tbody tr")
    for row, share in enumerate(shares):
        expect(rows.nth(row).locator("td").first).to_have_text(f"{100 * share:.1f} %")
    slide(page, page.locator(".where .chart-bar label:has-text('Strength') input"), 1)
    colors = runs.description(runs.find("unet"))["colors"]
    for pane, labels in (("truth", truth), ("a", first), ("b", second)):
        assert np.array_equal(painted_on(page, pane), draw.painted(labels, colors))
    view = painted_on(page, "view")
    assert {tuple(color) for color in view[kinds == agreement.ONLY_A]} == {(0, 0x72, 0xB2)}
    assert {tuple(color) for color in view[kinds == agreement.ONLY_B]} == {(0xE6, 0x9F, 0)}

    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/lab" in request.url else None)
    epochs = page.locator(".where .epochs")
    expect(epochs).to_be_visible()  # this image is one of the few of which every epoch was kept
    asked.clear()
    best = painted_on(page, "a")
    slide(page, epochs.locator("input"), 0)
    expect(epochs.locator("output")).to_have_text("1")
    sampled = evidence.sampled(1)[evidence.samples.index(n)]
    assert np.array_equal(painted_on(page, "a"), draw.painted(sampled, colors)) and not np.array_equal(sampled, first)
    for key in ("ArrowUp", "ArrowUp"):
        page.locator(".where [data-pane=view] canvas").press(key)
    expect(epochs.locator("output")).to_have_text("3")
    slide(page, epochs.locator("input"), 10)
    expect(epochs.locator("output")).to_have_text("best epoch")
    assert np.array_equal(painted_on(page, "a"), best)
    page.click(".numbers button[data-kind='1']")
    alone = painted_on(page, "view")
    assert {tuple(color) for color in alone[kinds == agreement.ONLY_A]} == {(0, 0x72, 0xB2)}
    assert (0xE6, 0x9F, 0) not in {tuple(color) for color in alone.reshape(-1, 3)}
    page.locator(".where .legend button", has_text="sky").click()
    slide(page, page.locator(".where .chart-bar label:has-text('Strength') input"), 0.99)
    assert asked == []

    page.keyboard.press("Escape")
    page.locator(".where [data-pane=view] canvas").press("ArrowRight")
    expect(place).to_contain_text("3 of 50")
    page.locator(".where select").first.select_option(label="By the difference of person")
    expect(place).to_contain_text(re.compile(r"of 50: val_"))
    page.locator(".where select").nth(1).select_option("fog")
    expect(page.locator(".thumbs button")).to_have_count(
        sum(image.domain == "fog" for image in map(runs.opened(runs.find("unet")).val.__getitem__, range(50)))
    )
    page.click("#lab-tab-why")
    page.click("#lab-why button[data-class='9']")  # of pole
    expect(page.locator("#lab-where")).to_be_visible()
    expect(page.locator(".where select").first).to_have_value("class 9")
    assert page.locator(".where .legend [aria-pressed=true]").all_inner_texts() == ["pole"]
    page.click("#lab-tab-why")
    page.click("#lab-why button[data-cell='9,1']")  # poles that are taken for buildings
    expect(page.locator(".where select").first).to_have_value("focus")
    expect(page.locator(".where select option:checked").first).to_have_text("pole labeled building")
    expect(page.locator(".where [data-pane=view] figcaption")).to_contain_text("Who is right")
    page.click("#lab-tab-why")
    page.click("#lab-why button[data-bin='3']")
    expect(page.locator(".where select option:checked").first).to_have_text("Distance to a border: 4–8")
    assert page.locator(".where .legend [aria-pressed=true]").count() == 11
    page.locator(".where select").first.select_option("suspicious")
    region = page.locator(".suspects button").nth(1)
    name = region.inner_text()
    region.click()
    expect(page.locator(".where .chart-bar output").first).to_contain_text(name)
    expect(page.locator(".where .numbers [data-kind='3']")).to_have_attribute("aria-pressed", "true")
    page.locator(".where select").first.select_option("difference")
    expect(page.locator(".suspects")).to_be_hidden()
    page.click("#lab-tab-real")
    expect(page.locator("#lab-real table")).to_contain_text("the mean over images")
    page.click("#lab-tab-where")
    page.click(".where button[data-mode=slider]")
    shown = place.inner_text().split(": ")[1]
    link = page.url
    again = visit(link[link.index("#") :])
    expect(again.locator(".where .steps output")).to_contain_text(shown.split(" ")[0])
    expect(again.locator(".where button[data-mode=slider]")).to_have_attribute("aria-pressed", "true")
    before = verdict.inner_text()
    page.click(".lab-head button:text-is('⇄')")
    expect(verdict).to_contain_text("unet is higher than unet_vgg16 by 0.033")
    assert before != verdict.inner_text()


def test_borders_that_take_long_are_shown_once_they_are_there(visit):
    """As of large images: without them at first, whatever the server has."""
    page = visit("#compare?runs=unet,unet_vgg16")
    asked = []

    def without(route):
        answer = route.fetch()
        waiting = r"\1<div data-borders><progress></progress></div>\2"
        body = re.sub(r"(<h3>Borders</h3>).*?(<h3>Confusion)", waiting, answer.text(), flags=re.DOTALL)
        route.fulfill(response=answer, body=body)

    page.route("**/lab/why?*", without)
    page.on("request", lambda request: asked.append(request.url) if "/lab/borders" in request.url else None)
    page.evaluate(
        """() => {
            const real = fetch;
            window.fetch = async (url, ...more) => {
                if (String(url).includes("lab/borders") && !window.found) throw new TypeError("lost");
                return real(url, ...more);
            };
        }"""
    )
    page.click("#lab-tab-why")
    expect(page.get_by_role("button", name="Try again")).to_be_visible()
    page.evaluate("window.found = true")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator("#lab-why button[data-bin]")).to_have_count(5)
    expect(page.locator("#lab-why [data-borders]")).to_have_count(0)
    expect(page.locator("#lab-why")).to_contain_text("Boundary IoU, mean over classes")
    assert len(asked) == 1


def test_a_report_is_looked_at_without_a_server(visit, tmp_path, browser):
    page = visit(at("compare", runs="unet,unet_vgg16"))
    expect(page.locator("button.most")).to_have_count(3)
    with page.expect_download() as download:
        page.click(".share a:text-is('Report')")
    file = tmp_path / download.value.suggested_filename
    download.value.save_as(file)
    context = browser.new_context(offline=True, viewport=WIDE)
    report, wrong = context.new_page(), []
    report.on("pageerror", lambda error: wrong.append(str(error)))
    report.on("request", lambda asked: None if asked.url.startswith(("data:", "file:")) else wrong.append(asked.url))
    report.goto(file.as_uri())
    expect(report.locator(".thumbs button")).to_have_count(50)
    expect(report.locator(".verdict")).to_contain_text("unet_vgg16 is lower than unet by 0.033")
    report.click("button[data-class='9']")  # of pole
    expect(report.locator(".where select").first).to_have_value("class 9")
    assert report.locator(".where .legend [aria-pressed=true]").all_inner_texts() == ["pole"]
    report.locator(".where .legend button", has_text="all classes").click()
    report.locator(".where select").first.select_option("stored")
    report.locator(".thumbs button").first.click()
    expect(report.locator(".where .epochs")).to_be_visible()
    slide(report, report.locator(".where .chart-bar label:has-text('Strength') input"), 1)
    slide(report, report.locator(".where .epochs input"), 1)
    evidence = runs.Evidence(runs.find("unet"))
    colors = runs.description(runs.find("unet"))["colors"]
    assert np.array_equal(painted_on(report, "a"), draw.painted(evidence.sampled(2)[0], colors))
    assert wrong == []
    context.close()


def test_a_picture_that_was_saved_opens_what_it_shows(visit, tmp_path):
    page = visit(at("compare", runs="unet,unet_vgg16", view="where", image=12))
    expect(page.locator(".where .epochs")).to_be_visible()
    files = []
    for words in ("Save as PNG", "Save as GIF"):
        with page.expect_download() as download:
            page.click(f".where button:text-is('{words}')")
        files.append(tmp_path / download.value.suggested_filename)
        download.value.save_as(files[-1])
    picture, film = map(Image.open, files)
    Image.open(files[0]).verify()  # the checksum of each chunk
    carried = json.loads(picture.text["seglab"])
    assert [side["name"] for side in carried["sides"]] == ["unet", "unet_vgg16"]
    assert film.n_frames == 11  # ten epochs, and the best
    other = visit(at("compare"))
    other.set_input_files(".share input[type=file]", files[0])
    expect(other.locator(".where .steps output")).to_contain_text("val_0062")
    carried["sides"][0]["runs"] = ["gone"]
    foreign, plain = tmp_path / "foreign.png", tmp_path / "plain.png"
    info = PngInfo()
    info.add_text("seglab", json.dumps(carried))
    Image.new("RGB", (4, 4)).save(foreign, pnginfo=info)
    Image.new("RGB", (4, 4)).save(plain)
    other.set_input_files(".share input[type=file]", plain)
    expect(other.locator(".opened")).to_contain_text("plain.png carries no configuration")
    info = PngInfo()
    info.add_text("seglab", '{"sides": [null]}')
    Image.new("RGB", (4, 4)).save(plain, pnginfo=info)
    other.set_input_files(".share input[type=file]", plain)
    expect(other.locator(".opened")).to_contain_text("plain.png carries no configuration")
    other.set_input_files(".share input[type=file]", foreign)
    other.locator(".opened a", has_text="Take over the settings of unet_vgg16").click()
    expect(other.locator("body")).to_have_attribute("data-tab", "train")
    expect(other.locator("input[value='unet_vgg16']")).to_be_checked()


def test_a_link_opens_the_same_pixels(visit):
    page = visit(at("compare", runs="unet,unet_vgg16", view="where", image=3), permissions=["clipboard-read"])
    canvas = page.locator(".where [data-pane=view] canvas")
    expect(page.locator("#lab-where .under")).to_contain_text("Pixel (64, 48)")  # the middle
    box = canvas.bounding_box()
    canvas.dblclick(position={"x": box["width"] * 0.75, "y": box["height"] * 0.25})
    page.locator(".where .legend button", has_text="sky").click()
    pixel = page.locator("#lab-where .under").inner_text()
    assert re.match(r"Pixel \(9[567], 2[2345]\)", pixel)
    page.click(".share button:text-is('Copy link')")
    other = visit("#compare" + page.evaluate("location.hash").partition("compare")[2])
    expect(other.locator("#lab-where .under")).to_have_text(pixel)
    expect(other.locator(".where .legend [aria-pressed=false]")).to_have_text("sky")
    expect(other.locator(".where .chart-bar label:has-text('Zoom') input")).to_have_value("2")
    other.evaluate("location.hash = 'compare?view=where&runs=unet,unet_vgg16&image=3'")  # the whole of it again
    expect(other.locator(".where .legend [aria-pressed=false]")).to_have_count(0)
    expect(other.locator(".where .chart-bar label:has-text('Zoom') input")).to_have_value("1")
    expect(other.locator("#lab-where .under")).to_contain_text("Pixel (64, 48)")
    go(other, "train")  # what is compared is no setting of the form
    expect(other.locator(".seglab-form .notice")).to_be_hidden()


def test_the_crf_is_seen_at_work_step_by_step_and_applied_to_all_images(visit):
    from seglab import prediction
    from seglab.predictors import Crf

    page = visit(at("compare", runs="unet,done unet", view="crf", image=25))
    view, colors = page.locator("#lab-crf"), runs.description(runs.find("unet"))["colors"]
    numbers = view.locator(".crf-numbers")
    expect(numbers).to_contain_text("mIoU of this image")
    slide(page, view.locator(".chart-bar label:has-text('Strength') input"), 1)
    trained, image = runs.load("unet"), runs.opened(runs.find("unet")).val[25].image

    def labels(**values):
        return draw.painted(prediction.predict(trained, image, [Crf(**values)]).labels, colors)

    def seen(pane):
        return painted_on(page, pane, ".crf-view")

    assert np.array_equal(seen("b"), labels()) and np.array_equal(seen("a"), labels(iterations=0))
    before = numbers.inner_text()
    slider = view.locator("[data-option=w1] input[type=range]")
    slider.evaluate("each => { each.value = 9; each.dispatchEvent(new Event('input', {bubbles: true})); }")
    slider.dispatch_event("change")
    wait_until(lambda: numbers.inner_text() != before, 30)
    assert np.array_equal(seen("b"), labels(w1=9)) and "crf=w1" in page.url
    asked = []
    page.on("request", lambda request: asked.append(request.url) if "/watch" not in request.url else None)
    steps = view.locator(".mean-field")
    for step in (0, 3, 5):
        slide(page, steps.locator("input"), step)
        expect(steps.locator("output")).to_contain_text(f"{step} of 5")
        assert np.array_equal(seen("b"), labels(w1=9, iterations=step))
    photo = seen("photo")
    view.locator("[data-pane=view] canvas").press("Shift+ArrowLeft")
    assert not np.array_equal(photo, seen("photo"))  # both kernels, from another pixel
    assert asked == []
    expect(steps.locator("svg")).to_have_attribute("aria-label", re.compile("KL divergence by step.*: 0: .* 5: "))
    again = visit(page.url[page.url.index("#") :])
    expect(again.locator(".crf-numbers")).to_have_text(numbers.inner_text())
    expect(again.locator("#lab-crf input[name=w1]")).to_have_value("9")

    view.locator(".crf-apply button").click()
    expect(page.locator(".side-of select").nth(1)).to_have_value("unet|crf:w1:9", timeout=60_000)
    expect(page.locator(".verdict")).to_contain_text("unet + crf (w1 9)")
    expect(view.locator(".chart-bar select").nth(2).locator("option").first).to_contain_text("harmed")
    expect(view.locator(".crf-apply button")).to_have_text("Compare before and after on all 50 images")


def test_a_link_to_the_crf_says_all_that_is_seen(visit):
    runs_shown = "unet,unet_vgg16"
    page = visit(at("compare", runs=runs_shown, view="crf", crf="w1:5", image=99999, of="b", show="a"))
    view = page.locator("#lab-crf")
    of, _, image = (view.locator("select").nth(k) for k in range(3))
    expect(view.locator("input[name=w1]")).to_have_value("5")
    expect(view.locator(".mean-field output")).to_contain_text("5 of 5")
    expect(image).to_have_value("49")
    expect(of).to_have_value("b")
    slide(page, view.locator(".mean-field input"), 2)
    expect(view.locator(".mean-field output")).to_contain_text("2 of 5")
    page.evaluate("place => { location.hash = place; }", at("compare", runs=runs_shown, view="crf", crf="w1:999"))
    expect(view.get_by_role("alert")).to_have_count(1)
    expect(view.get_by_role("alert")).to_contain_text("too large")
    expect(view.locator("input[name=w1]")).to_have_value("3")
    expect(view.locator(".mean-field output")).to_contain_text("5 of 5")
    expect(of).to_have_value("a")
    expect(view.locator("[data-mode=who]")).to_have_attribute("aria-pressed", "true")
    page.evaluate("place => { location.hash = place; }", at("compare", runs=runs_shown, view="crf", image=7))
    expect(view.get_by_role("alert")).to_have_count(0)
    expect(image).to_have_value("7")


def test_one_side_is_computed_at_a_time_whatever_is_looked_at(visit):
    name = "done unet"
    place = {"runs": f"{name},done encoder_decoder", "a": name}
    page = visit(at("compare", **place, view="crf", crf="w1:7"))
    view, verdict, held = page.locator("#lab-crf"), page.locator(".verdict"), []
    expect(view.locator(".crf-numbers")).to_contain_text("mIoU of this image")
    page.route("**/queue/join*", lambda route: held.append(route))  # others are at it
    view.locator(".crf-apply button").click()
    expect(view.locator(".crf-apply .far")).to_have_text("waits for others")
    expect(view.locator(".crf-apply .far .hint")).to_be_visible()
    page.evaluate("place => { location.hash = place; }", at("compare", **place, b=f"{name}|crf:w1:8"))
    expect(verdict.locator("button")).to_be_disabled()
    expect(verdict.locator("button")).to_have_text("Another side is being computed")
    for route in held:
        route.continue_()
    page.unroute("**/queue/join*")
    expect(verdict.locator("button")).to_have_text("Compute it")
    expect(page.locator(".side-of select").nth(1)).to_have_value(f"{name}|crf:w1:8")
    verdict.locator("button").click()
    expect(verdict).to_contain_text(f"{name} + crf (w1 8)")
    expect(verdict.locator("button")).to_have_count(0)


def test_one_run_is_compared_before_and_after_the_crf(visit):
    page = visit("?lang=ko" + at("compare", runs="done unet", a="done unet", b="done unet|crf"))
    verdict = page.locator(".verdict")
    expect(verdict).to_contain_text("아직 계산되지 않았습니다")
    verdict.locator("button").click()
    expect(page.locator("button.most")).to_have_count(3)
    expect(page.locator(".side-of select").nth(1)).to_have_value("done unet|crf")
    page.click("#lab-tab-where")
    expect(page.locator(".where [data-pane=b] figcaption")).to_contain_text("done unet + crf")
    assert not np.array_equal(painted_on(page, "a"), painted_on(page, "b"))
    again = visit("#compare?" + page.url.split("#compare?")[1])  # it is there, for everybody
    expect(again.locator("#lab-where")).to_be_visible()


def test_many_settings_are_looked_at_at_once_and_the_best_is_compared_with_another(visit, served):
    """On a phone too, by keys too, and where the two sides cannot be compared."""
    finished(served, "elsewhere", data={"name": "streets", "val_images": 6, "size": 64})
    page = visit(at("compare", runs="elsewhere,encoder_decoder,unet,unet_vgg16", a="elsewhere", b="unet"))
    expect(page.locator(".verdict")).to_contain_text("different images")
    expect(page.locator("#lab-tab-where")).to_be_hidden()
    page.locator("#lab-tab-overview").focus()
    page.keyboard.press("ArrowLeft")  # round to the last one
    cells = page.locator("#lab-grid button.setting")
    expect(cells).to_have_count(4)
    expect(page.locator("#lab-grid")).to_contain_text("other images than most: elsewhere")
    expect(page.locator("section.curves")).to_be_hidden()
    page.click("#lab-grid [data-masks]")
    masks = page.locator("#lab-grid img.mask")
    expect(masks).to_have_count(3)
    first = masks.first.get_attribute("src")
    page.click("#lab-grid [data-step='-1']")
    expect(page.locator("#lab-grid output")).to_contain_text("50 of 50: val_0099")
    assert masks.first.get_attribute("src") != first
    page.wait_for_function("[...document.querySelectorAll('#lab-grid img.mask')].every(each => each.naturalWidth)")
    page.click("#lab-grid [data-cost=seconds]")
    expect(page.locator("figure.cost:visible")).to_have_count(1)
    expect(page.locator("figure.cost:visible figcaption")).to_contain_text("On the frontier")
    again = visit("?lang=ko" + page.url[page.url.index("#") :], viewport=PHONE, has_touch=True, is_mobile=True)
    expect(again.locator("#lab-grid output")).to_contain_text("50")
    expect(again.locator("[data-cost=seconds]")).to_have_attribute("aria-pressed", "true")
    assert again.evaluate(OVERFLOWING) == []
    point = page.locator("figure.cost:visible button.point").nth(1)  # the second best
    point.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".verdict")).to_contain_text("unet_vgg16 is lower than unet by 0.033")
    expect(page.locator("#lab-overview button.most")).to_have_count(3)


def test_of_many_options_two_are_picked_for_lines_and_columns(visit, served):
    for n, (width, batch, rate) in enumerate(((4, 2, 1e-3), (4, 4, 3e-3), (8, 4, 1e-3))):
        model = {"name": "unet", "width": width, "depth": 2}
        finished(served, f"of three {n}", model=model, batch_size=batch, optimizer={"name": "adamw", "lr": rate})
    page = visit(at("compare", runs="of three 0,of three 1,of three 2", view="grid"))
    rows, columns = page.locator("#lab-grid select[name=down]"), page.locator("#lab-grid select[name=right]")
    rows.select_option("batch_size")
    expect(page.locator("table.cells thead code").first).to_have_text("batch_size")
    expect(rows).to_be_focused()
    columns.select_option("batch_size")  # what rows have: these get another one
    expect(page.locator("table.cells thead code").nth(1)).to_have_text("batch_size")
    expect(rows).not_to_have_value("batch_size")
    expect(page.locator("#lab-grid button.setting")).to_have_count(3)
    other = visit(page.url[page.url.index("#") :])
    expect(other.locator("table.cells thead code").nth(1)).to_have_text("batch_size")


def test_a_colleague_s_link_opens_the_same(visit):
    page = visit(at("compare", runs="done unet,unet"), permissions=["clipboard-read", "clipboard-write"])
    expect(page.locator("#scores table.sortable").first.locator("tbody tr")).to_have_count(2)
    show(page, "encoder_decoder")
    page.click("section.curves button:text-is('Copy link')")
    expect(page.locator("section.curves button:text-is('Copied')")).to_be_visible()
    link = page.evaluate("navigator.clipboard.readText()")
    other = visit(link[link.index("#") :])
    expect(other.locator("#tab-compare")).to_be_visible()
    assert shown(other) == shown(page) == ["done unet", "unet", "encoder_decoder"]
    expect(other.locator("#scores table.sortable").first.locator("tbody tr")).to_have_count(3)
    expect(other.locator(".charts figure")).to_have_count(5)


def test_of_many_runs_some_are_looked_for_and_sixty_are_shown_at_most(visit, crowded):
    page = visit(at("compare"), server="crowded")
    find = page.locator(".runs-find")
    find.locator("input").fill("segnet")
    expect(page.locator(".runs-list > .hint")).to_have_text("18 of 18 runs")
    find.locator("input").fill("")
    state = find.locator("label", has_text="State").locator("select")
    for value in ("damaged", "stopping"):  # which none is, and one may be
        state.select_option(value)
        expect(page.locator(".runs-list > .hint")).to_have_text("No run is like that.")
    state.select_option("stopped")
    expect(page.locator(".runs-list > .hint")).to_have_text("4 of 4 runs")
    state.select_option("")
    names = [directory.name for directory in sorted(crowded.home.glob("run *"))]
    page.evaluate("names => seglab.store.show(names)", names[:60])
    page.wait_for_function("seglab.store.shown.length === 60")
    told = page.locator(".runs-list .message.note")
    expect(told).to_have_count(0)
    page.evaluate("names => seglab.store.show(names)", names)
    expect(told).to_have_text("60 runs are shown at most. On the command line, seglab compare takes any number.")
    assert shown(page) == names[:60]


def test_what_a_link_has_that_is_not_known_is_told(visit):
    settings = {"model": "unet,nonsense", "epochs": "many", "seed": 3, "flavor": "vanilla", "loss.focal.gamma": 1}
    page = visit(at("train", runs="unet,gone run", **settings))
    notice = page.locator(".notice")
    for part in ("model=nonsense", "epochs=many", "flavor=vanilla"):
        expect(notice).to_contain_text(part)
    expect(page.locator(".runs-list .message.note")).to_contain_text("runs=gone run")
    assert "gamma" not in notice.inner_text() and "seed" not in notice.inner_text()
    expect(option(page, "seed")).to_have_value("3")
    expect(page.locator(".charts figure")).to_have_count(5)  # of the run that is here
    page = visit("#nonsense")
    expect(page.locator(".told")).to_contain_text("left out: nonsense")
    expect(page.locator("#tab-start")).to_be_visible()
    page.click(".told button")
    expect(page.locator(".told")).to_have_count(0)
    page = visit("#train?epochs=7&title=100%")
    expect(page.locator(".worksheet h2")).to_have_text("100%")
    expect(option(page, "epochs")).to_have_value("7")


def test_a_reload_and_another_language_lose_nothing(visit):
    page = visit(at("train", runs="done unet"))
    pick(page, "model", "segnet")
    option(page, "epochs").fill("7")
    unfold(page, "more-size")
    option(page, "seed").fill("5")
    show(page, "encoder_decoder")
    kept = ["done unet", "encoder_decoder"]
    go(page, "predict")
    painted(page, len(kept))
    page.click(".viewer button[data-layer=errors]")

    def same():
        expect(page.locator("#tab-predict")).to_be_visible()
        expect(page.locator(".viewer button[data-layer=errors]")).to_have_attribute("aria-pressed", "true")
        painted(page, len(kept))
        assert shown(page) == kept
        go(page, "train")
        expect(picker(page, "model").locator(".chosen")).to_have_text("segnet")
        expect(option(page, "epochs")).to_have_value("7")
        expect(option(page, "seed")).to_have_value("5")
        expect(page.locator(".notice")).to_be_hidden()
        go(page, "predict")
        expect(page.locator(".viewer button[data-layer=errors]")).to_have_attribute("aria-pressed", "true")

    page.reload()
    same()
    page.click("a[data-language=ko]")
    expect(page.locator("#tabs button[role=tab]").nth(TABS.index("train"))).to_have_text("학습")
    same()


def test_a_browser_that_keeps_nothing_has_a_page_all_the_same(browser, visit, served):
    context = browser.new_context(viewport=WIDE)  # as one that takes no cookies in another site's frame
    for name in ("localStorage", "sessionStorage"):
        context.add_init_script(f"Object.defineProperty(window, '{name}', {{get() {{ throw new Error('denied'); }}}})")
    page = visit(at("train", title="Losses", loss="focal"), context=context)
    expect(picker(page, "loss").locator(".chosen")).to_have_text("focal")
    page.click(".masthead .theme")
    expect(page.locator("body")).to_have_class(re.compile("dark"))
    (run,) = begin(page, served.home)
    expect(line(page, run)).to_be_visible()
    end(run)
    go(page, "start")
    expect(page.locator(".sheet")).to_contain_text("Losses")
    context.close()


def test_the_first_picture_can_be_pressed_before_the_page_is_made(visit):
    page = visit()
    page.route("**/assets/index-*.js", lambda route: None)  # Gradio's own, which never come
    page.reload(wait_until="commit")
    page.wait_for_function("window.seglab?.store")  # the page's own scripts
    page.click("#first-screen .pages button >> nth=2")
    expect(page.locator("#first-screen .street")).to_have_attribute("data-index", "2")
    page.click("#first-screen .layers button[data-layer=errors]")
    expect(page.locator("#first-screen canvas")).to_have_count(3)


def test_a_worksheet_s_link_leaves_what_it_is_about(visit):
    task = "Which loss helps small classes?\nTry 3 < 5 & 100%."
    page = visit(at("train", only="loss,epochs", title="Losses", task=task, loss="focal", epochs=3))
    expect(page.locator(".worksheet h2")).to_have_text("Losses")
    expect(page.locator(".worksheet p")).to_have_text(task)
    expect(picker(page, "loss")).to_be_visible()
    expect(option(page, "epochs")).to_have_value("3")
    for field in ("model", "data", "optimizer", "scheduler", "techniques"):
        expect(picker(page, field)).to_be_hidden()
    for place in (".preset", "[data-rate] .field", "#more-size", "#more-schedule", "#more-techniques"):
        expect(page.locator(place)).to_be_hidden()
    option(page, "epochs").fill("4")
    expect(page.locator("body")).to_have_attribute("data-tab", "train")
    page.reload()
    expect(page.locator(".worksheet h2")).to_have_text("Losses")
    expect(option(page, "epochs")).to_have_value("4")

    page = visit(context=page.context)  # the next day
    card = page.locator(".sheet")
    expect(card).to_contain_text("From your teacher")
    expect(card.locator("p")).to_have_text(task)
    card.locator("a").click()
    expect(picker(page, "loss").locator(".chosen")).to_have_text("focal")
    expect(option(page, "epochs")).to_have_value("3")  # as the teacher had it
    expect(picker(page, "model")).to_be_hidden()
    go(page, "start")
    card.locator("button").click()
    expect(card).to_have_count(0)
    page.goto(page.url.partition("#")[0])
    page.reload()
    expect(page.locator(".ways")).to_be_visible()
    expect(page.locator(".sheet")).to_have_count(0)


def test_a_teacher_makes_a_worksheet_and_what_it_names_in_vain_is_told(visit):
    page = visit(at("train", model="segnet", epochs=3))
    page.click(".maker summary")
    maker = page.locator(".maker")
    maker.get_by_label("Title").fill("Losses")
    maker.get_by_label("Task").fill("Try 3 < 5 & 100%. " * 40)
    for box in maker.locator("input[type=checkbox]").all():
        box.set_checked(box.get_attribute("value") in ("loss", "epochs"))
    expect(maker).to_contain_text("Hidden is not locked")
    page.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    maker.get_by_role("button", name="Copy link").click()
    page.wait_for_function("window.copied")
    link = page.evaluate("window.copied")
    assert "only=loss,epochs" in link
    maker.get_by_role("button", name="QR code").click()
    expect(maker.locator("canvas")).to_be_visible()
    student = visit("#" + link.partition("#")[2])
    expect(student.locator(".worksheet h2")).to_have_text("Losses")
    assert len(student.locator(".worksheet p").inner_text()) == 500
    expect(picker(student, "loss")).to_be_visible()
    expect(picker(student, "model")).to_be_hidden()
    expect(option(student, "epochs")).to_have_value("3")
    page = visit("#train?only=loss,flavor&hide=taste")
    expect(page.locator(".notice")).to_contain_text("only=flavor, hide=taste")


def test_a_run_is_renamed_begun_like_again_and_deleted(visit, served):
    options = {"loss": {"name": "focal", "gamma": 1.5}, "epochs": 1, "optimizer": {"name": "sgd", "lr": 0.25}}
    run = finished(served, "done for a moment", **options)
    page = visit(at("train", runs=f"{run.name},unet"))
    press(page, run, "rename")
    page.fill("input.rename", "  Focal <b>1.5</b> ")
    page.keyboard.press("Enter")
    expect(line(page, run).locator("b")).to_have_text("Focal <b>1.5</b>")
    expect(page.locator("table.values")).to_contain_text("Focal <b>1.5</b>")
    press(page, run, "rename")
    page.fill("input.rename", "not this")
    page.keyboard.press("Escape")
    expect(line(page, run).locator("b")).to_have_text("Focal <b>1.5</b>")
    assert runs.label(run).name == "Focal <b>1.5</b>"

    go(page, "compare")
    press(page, run, "clone")
    expect(page.locator("#tab-train")).to_be_visible()
    expect(picker(page, "loss").locator(".chosen")).to_have_text("focal")
    expect(option(page, "gamma", "focal")).to_have_value("1.5")
    expect(option(page, "epochs")).to_have_value("1")
    expect(option(page, "width", "unet")).to_have_value("4")
    expect(page.locator("[data-rate] [name=lr]")).to_have_value("0.25")
    (again,) = begin(page, served.home)
    assert runs.config(again) == runs.config(run)
    expect(state(page, again)).to_have_text("completed")

    page.once("dialog", lambda dialog: dialog.dismiss())
    press(page, run, "delete")
    expect(line(page, run)).to_be_visible()
    page.once("dialog", lambda dialog: dialog.accept())
    press(page, run, "delete")
    expect(line(page, run)).to_have_count(0)
    assert not run.exists()
    expect(page.locator("table.values tbody tr")).to_have_count(2)
    assert run.name not in shown(page)
    page.reload()
    expect(page.locator("table.values tbody tr")).to_have_count(2)
    expect(page.locator(".notice")).to_be_hidden()


def test_on_a_shared_server_runs_are_their_owner_s_and_the_teacher_s(visit, shared):
    ann = visit(at("train", epochs=400, **SMALL), server="shared")
    ann.click(".who summary")
    ann.fill(".who input[type=text]", "Ann")
    ann.keyboard.press("Tab")
    expect(ann.locator(".who summary")).to_have_text("Ann")
    (run,) = begin(ann, shared.home)
    expect(state(ann, run)).to_have_text("running")
    expect(line(ann, run)).to_contain_text("Ann")
    assert runs.label(run).owner.nickname == "Ann"

    press(ann, run, "rename")
    ann.fill("input.rename", MEAN)
    ann.keyboard.press("Enter")
    expect(line(ann, run).locator("b")).to_have_text(MEAN)

    ben = visit("#train", server="shared")
    ben.click(".filters button:text-is('Everyone')")
    expect(state(ben, run)).to_have_text("running")
    expect(line(ben, run)).to_contain_text("Ann")
    stop = line(ben, run).locator("button[data-action=stop]")
    expect(stop).to_be_hidden()
    expect(line(ben, run).locator("button[data-action=rename]")).to_be_hidden()
    ben.evaluate("() => { seglab.store.me.teacher = true; seglab.store.say('rows'); }")  # only his browser believes it
    stop.click()
    expect(ben.locator(".runs-list > .message.wrong:visible")).to_contain_text(f"{MEAN} is somebody else's")
    assert runs.status(run).state == "running" and not (run / "stop").exists()

    ben.click(".who summary")
    ben.fill(".who input[type=password]", "not the key")
    ben.keyboard.press("Tab")
    expect(stop).to_be_hidden()
    ben.locator(".who input[type=password]").fill(KEY)
    ben.keyboard.press("Tab")
    expect(ben.locator(".who summary")).to_contain_text("(teacher)")
    ben.keyboard.press("Escape")
    stop.click()
    expect(state(ben, run)).to_have_text("stopped")
    expect(state(ann, run)).to_have_text("stopped")
    ann = visit("#train", server="shared", context=ann.context)  # the next day
    expect(ann.locator(".filters button[aria-pressed=true]")).to_have_text("Mine")
    expect(line(ann, run).locator("button[data-action=resume]")).to_be_visible()
    ann.wait_for_function("name => seglab.store.shown.join() === name", arg=run.name)


OVERFLOWING = """() => {
  const scrolled = each => {
    for (let up = each.parentElement; up; up = up.parentElement)
      if (['auto', 'scroll', 'hidden'].includes(getComputedStyle(up).overflowX)) return true;
    return false;
  };
  const wide = [...document.querySelectorAll('body *')].filter(each => {
    const {right, width, height} = each.getBoundingClientRect();
    const seen = width && height && each.checkVisibility({visibilityProperty: true});
    return seen && right > innerWidth + 1 && !scrolled(each);
  });
  return wide.map(each => `${each.tagName} ${each.id} ${each.className} ${each.textContent.slice(0, 40)}`);
}"""


@pytest.mark.parametrize("lang", ["en", "ko"])
def test_on_a_phone_nothing_is_wider_than_the_screen(visit, lang):
    last = {
        "learn": "#tab-learn .lessons a",
        "train": ".samples img",
        "predict": ".panels canvas",
        "compare": "#scores table",
    }
    page = visit(f"?lang={lang}", viewport=PHONE, has_touch=True, is_mobile=True)
    for tab in TABS:
        go(page, tab)
        expect(page.locator(last.get(tab, ".street img")).first).to_be_visible()
        if tab == "train":
            unfold(page, "more-size", "more-schedule", "more-techniques", "more-plan", "unet-options", "dice-options")
            expect(page.locator(".curve svg")).to_be_visible()
            vary(page, "model")
        assert page.evaluate(OVERFLOWING) == [], tab
        assert page.evaluate("document.scrollingElement.scrollWidth") <= PHONE["width"], tab


def test_the_page_is_used_by_keys_alone(visit, served):
    page = visit(at("train", runs="unet", epochs=1, **SMALL))
    expect(picker(page, "model").locator(".chosen")).to_have_text("unet")
    own = picker(page, "model").locator("summary")
    own.first.focus()
    page.keyboard.press("Enter")
    choices = picker(page, "model").locator(".choices")
    expect(choices).to_be_visible()
    page.keyboard.press("Escape")
    expect(choices).to_be_hidden()
    expect(own.first).to_be_focused()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(choices.locator("input:focus")).to_have_value("unet")
    before = started(served.home)
    for key in ("ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    expect(choices).to_be_visible()
    page.keyboard.press("Enter")
    expect(choices).to_be_hidden()
    expect(own.first).to_be_focused()
    expect(picker(page, "model").locator(".chosen")).not_to_have_text("unet")
    picked = picker(page, "model").locator(".chosen").inner_text()
    reach(page, ".start-button")
    assert started(served.home) == before
    page.keyboard.press("Enter")
    expect(page.locator(".launch .message.right")).to_be_visible()
    (run,) = set(started(served.home)) - set(before)
    assert runs.config(run).model.name == picked
    jobs.stop(run)

    reach(page, "#tabs button[role=tab][aria-selected=true]", "Shift+Tab")
    reach(page, "#tabs button[role=tab]:text-is('Predict')")
    page.keyboard.press("Enter")
    expect(page.locator(".panels canvas").first).to_be_visible()
    expect(page.locator(".panels.working")).to_have_count(0)
    divider = page.locator(".viewer .chart-bar input[type=range]").first
    divider.focus()
    share = float(divider.input_value())
    changes(page, lambda: [page.keyboard.press("ArrowRight") for _ in range(9)])
    assert float(divider.input_value()) > share
    page.locator(".panels canvas").first.focus()
    page.keyboard.press("ArrowDown")
    expect(page.locator(".viewer .under")).to_contain_text("prediction: ")


def test_a_moved_crf_slider_repaints_the_mask(visit):
    page = visit(at("predict", runs="done unet,done encoder_decoder"))
    painted(page, 2)
    captions = page.locator(".panels figcaption")
    for place in (0, 1):
        expect(captions.nth(place)).to_contain_text(re.compile(r"mIoU on this image: 0\.\d+, after the CRF 0\.\d+"))
        expect(captions.nth(place)).to_contain_text(re.compile(r"Model \d+ ms, CRF \d+ ms"))
    expect(page.locator(".viewer .legend")).to_contain_text("building")
    slider = page.locator(".crf .field[data-option=theta_alpha]")
    box = slider.locator("input[type=range]").bounding_box()

    def drag():
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + box["height"] / 2, steps=4)
        page.mouse.up()

    first = slider.locator("input[type=number]").input_value()
    changes(page, drag)
    assert float(slider.locator("input[type=number]").input_value()) > float(first)
    changes(page, lambda: page.click(".crf .reset"))
    expect(slider.locator("input[type=number]")).to_have_value(first)
    changes(page, lambda: page.click(".examples button >> nth=2"))
    for layer in ("errors", "changed", "differ", "truth", "photo", "prediction"):
        changes(page, lambda layer=layer: page.click(f".viewer button[data-layer={layer}]"))
    page.locator(".panels canvas").first.hover()
    expect(page.locator(".viewer .under")).to_contain_text("truth: ")
    unfold(page, "more-steps")
    page.check("input[name=vote]")
    painted(page, 3)
    expect(captions.nth(2)).to_contain_text("Soft voting")


SLOWLY = """() => {
    const ask = window.fetch, slow = ['/run/predict', '/queue/join'];
    window.fetch = async (...given) => {
        if (slow.some(each => String(given[0]).includes(each))) await new Promise(done => setTimeout(done, 1500));
        return ask(...given);
    };
}"""


def test_of_what_is_asked_in_a_hurry_the_last_is_answered(visit):
    page = visit(at("predict", runs="done unet"))
    painted(page, 1)
    examples = page.locator(".examples button")
    changes(page, lambda: examples.last.click())
    painted(page, 1)
    last = look(page)
    changes(page, lambda: examples.first.click())
    page.evaluate(SLOWLY)
    for example in examples.all()[1:]:
        example.click()
    wait_until(lambda: look(page) == last, 30)
    painted(page, 1)
    go(page, "train")
    epochs, foreseen = option(page, "epochs"), page.locator(".foreseen")
    for given in ("0", "3", "-1", "2"):  # what the server is asked half a second after each
        epochs.fill(given)
        page.wait_for_timeout(700)
    expect(foreseen).to_contain_text("1 run")
    page.wait_for_timeout(4000)  # as long as the answers to all others would take
    expect(foreseen).not_to_have_class(re.compile("wrong"))


def test_a_visitor_s_photograph_is_labeled_and_a_bad_one_is_told(visit, tmp_path):
    page = visit("?lang=ko" + at("predict", runs="done unet"))
    painted(page, 1)
    before = look(page)
    (tmp_path / "photo.png").write_text("this is no photograph")
    upload(page, "#predict-upload", tmp_path / "photo.png")
    message = page.locator(".refused .message.wrong")
    expect(message).to_contain_text("photo.png")
    assert re.search("[가-힣]", message.inner_text())
    assert look(page) == before  # nothing is lost
    rng = np.random.default_rng(0)
    Image.fromarray(rng.integers(0, 255, (90, 160, 3), np.uint8)).save(tmp_path / "photo.png")
    changes(page, lambda: upload(page, "#predict-upload", tmp_path / "photo.png"))
    expect(page.locator(".panels figcaption")).to_contain_text("정답 없음")
    expect(page.locator("#tab-predict .message.wrong:visible")).to_have_count(0)


def test_a_mistake_in_the_form_is_told_in_korean_and_starts_nothing(visit, served):
    settings = {"scheduler": "multi_step", "scheduler.multi_step.milestones": "1, zwei"}
    page = visit(at("train", **settings), locale="ko-KR")
    count = len(list(served.home.glob("*/config.json")))
    expect(page.locator(".foreseen.wrong")).to_contain_text("zwei")
    page.click(".start-button")
    message = page.locator(".launch .message.wrong")
    expect(message).to_contain_text("zwei")
    assert re.search("[가-힣]", message.inner_text())
    assert len(list(served.home.glob("*/config.json"))) == count
    unfold(page, "more-schedule", "multi_step-options")
    option(page, "milestones", "multi_step").fill("1, 2")
    expect(message).to_have_count(0)  # what it told of is no longer there
    expect(page.locator(".foreseen.wrong")).to_have_count(0)
    unfold(page, "more-size")
    option(page, "image_size").fill("5")
    page.click(".start-button")  # the browser itself tells this one
    assert option(page, "image_size").evaluate("each => !each.checkValidity()")
    assert len(list(served.home.glob("*/config.json"))) == count


def test_the_schedule_s_curve_follows_the_form(visit):
    page = visit("#train")
    curve = page.locator(".more .curve")
    assert curve.locator("svg").count() == 0
    unfold(page, "more-schedule")
    expect(curve.locator("svg")).to_be_visible()

    def redrawn(change):
        before = curve.inner_html()
        change()
        wait_until(lambda: curve.inner_html() != before, 30)

    redrawn(lambda: pick(page, "scheduler", "multi_step"))
    unfold(page, "multi_step-options")
    redrawn(lambda: option(page, "milestones", "multi_step").fill("1, 2, 3"))
    redrawn(lambda: option(page, "epochs").fill("8"))
    expect(curve.locator("svg")).to_contain_text("8")
    redrawn(lambda: option(page, "warmup", "multi_step").fill("8"))
    expect(curve).to_contain_text("less than 8")
    redrawn(lambda: pick(page, "scheduler", "plateau"))
    expect(curve).to_contain_text("not known before training")


def test_a_preset_fills_in_the_form_and_what_is_changed_is_one_s_own(visit, served):
    page = visit("#train")
    preset = page.locator("#form-preset")
    unfold(page, "more-size", "more-techniques")
    option(page, "seed").fill("3")
    preset.select_option("ten_minutes")
    expect(option(page, "image_size")).to_have_value("320")
    expect(option(page, "seed")).to_have_value("3")
    (run,) = begin(page, served.home)
    end(run)
    assert runs.config(run).model_dump() == configured({"preset": "ten_minutes", "seed": 3}).model_dump()
    expect(preset).to_have_value("ten_minutes")
    option(page, "epochs").fill("1")
    expect(preset).to_have_value("")
    expect(option(page, "image_size")).to_have_value("320")
    preset.select_option("quick")
    expect(option(page, "image_size")).to_have_value("160")
    pick(page, "techniques", "flip")
    expect(preset).to_have_value("")


def test_the_korean_page_has_no_english_but_names(visit):
    page = visit("?lang=ko" + at("start", runs="done unet"))
    last = (".street img", "#tab-learn .lessons a", ".samples img", ".panels canvas", "#scores table")
    for tab, place in zip(TABS, last, strict=True):
        go(page, tab)
        expect(page.locator(place).first).to_be_visible()
        if tab == "train":
            expect(state(page, "done unet")).to_have_text("완료")
            for part in page.locator(".seglab-form > details.more > summary").all():
                part.click()
            page.click("button[data-what=cards]")
            expect(page.locator(".cards table")).to_be_visible()
            expect(page.locator(".foreseen")).to_contain_text("실행")
        said = page.locator(
            "button, label, p:not(.source), th, figcaption, .state, small:not(.what, :has(a)), summary, legend, h2, h3"
        )
        english = [text for text in said.all_inner_texts() if re.search(r"[A-Za-z]{3,} [a-z]{2,} [a-z]{2,}", text)]
        assert english == []
        expect(page.locator(".message.wrong:visible")).to_have_count(0)


def test_the_page_answers_while_a_run_trains(visit, served):
    page = visit(at("train", epochs=50, **{"data.streets.train_images": 60}))
    (run,) = begin(page, served.home)
    expect(state(page, run)).to_have_text("running")
    wait_until(lambda: len(runs.events(run)) > 3)
    page.goto(served.address + at("compare", runs=run.name))
    board = page.locator("#scores")
    expect(board).to_contain_text(runs.label(run).name)
    for _ in range(4):
        show(page, "encoder_decoder")
        expect(board).to_contain_text("encoder_decoder")
        show(page, "encoder_decoder")
        expect(board).not_to_contain_text("encoder_decoder")
    assert runs.status(run).state == "running"  # an answer that waited for the run's end would find it completed
    press(page, run, "stop")
    expect(state(page, run)).to_have_text("stopped", timeout=60_000)


@pytest.mark.skipif(not export.available(), reason="onnx, onnxscript or onnxruntime is not installed")
def test_a_visitor_takes_a_model_as_an_onnx_file(visit, tmp_path):
    import onnxruntime

    page = visit("?lang=ko" + at("compare", runs="unet,done unet"))
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
    unfold(page, "more-techniques")
    page.click(".preview-button")
    expect(page.locator(".previewed .message")).to_contain_text("기법이 선택되지 않았습니다")
    pick(page, "techniques", "flip", "cutmix")
    page.click(".preview-button")
    expect(page.locator(".previewed img")).to_have_count(12)
    expect(page.locator(".previewed")).to_contain_text("적용 후")
    expect(page.locator(".previewed img").first).to_be_in_viewport()


def test_a_visitor_sends_a_zip_looks_at_it_and_trains_on_it(visit, served, tmp_path):
    from seglab import uploads
    from tests.test_uploads import GOOD, packed, png

    page = visit("#train")
    seen = page.locator(".surveyed table.shares tbody tr")
    expect(seen).to_have_count(0)  # nothing is looked at before it is opened
    page.click("button[data-what=inside]")
    expect(seen).to_have_count(11)
    gray = png(np.linspace(0, 255, 64).astype(np.uint8).reshape(8, 8))
    soft = packed(
        tmp_path / "soft.zip", {name: gray if name.startswith("masks") else file for name, file in GOOD.items()}
    )
    pick(page, "data", "folder")
    upload(page, "#zip", soft)
    expect(page.locator(".own .refused")).to_contain_text("data.values")
    unfold(page, "folder-options")
    option(page, "values", "folder").select_option("threshold")
    upload(page, "#zip", soft)
    expect(seen).to_have_count(2)
    option(page, "values", "folder").select_option("auto")
    upload(page, "#zip", packed(tmp_path / "mine.zip", GOOD))
    expect(seen).to_have_count(3)
    expect(picker(page, "data").locator(".chosen")).to_have_text("folder")
    (tmp_path / "bad.zip").write_bytes(b"no zip")
    upload(page, "#zip", tmp_path / "bad.zip")
    expect(page.locator(".own .refused .message.wrong")).to_contain_text("damaged")
    page = visit("#train", context=page.context)  # the zip is still known in this browser
    pick(page, "data", "folder")
    (run,) = begin(page, served.home)
    assert runs.config(run).data.root.parent == served.home / uploads.home().name
    end(run)
    page.click("button[data-what=inside]")
    page.click(".surveyed button.act")
    expect(page.locator(".surveyed")).to_contain_text("folder is for your own images")
    expect(page.locator(".foreseen.wrong")).to_contain_text("Folder is for your own images")


def test_a_visitor_plans_a_cross_validation_and_its_runs_wait_for_each_other(visit, served):
    # no run of another test has these settings: its time would be known
    page = visit(at("train", epochs=1, **SMALL | {"batch_size": 2}))
    unfold(page, "more-plan")
    page.check("input[value=folds]")
    start = page.locator(".start-button")
    expect(start).to_have_text("Start 5 runs")
    unfold(page, "folds-options")
    option(page, "k", "folds").fill("1")
    expect(page.locator(".foreseen.wrong")).to_contain_text("1 is too small")
    option(page, "k", "folds").fill("2")
    expect(start).to_have_text("Start 2 runs")
    option(page, "leak_by_mistake", "folds").check()
    expect(page.locator(".foreseen")).to_have_text(re.compile(r"2 runs, about \d+ (s|min)"), timeout=90_000)
    first, second = begin(page, served.home, 2)
    assert runs.config(second).needs == (first,)
    expect(state(page, second)).to_have_text("completed", timeout=60_000)
    expect(page.locator("li.plan-line")).to_contain_text(["2 of 2 runs have ended"])
    assert runs.status(first).state == "completed"
    fold = page.locator("li.plan-line .fold").first
    fold.click()
    expect(line(page, first)).to_have_count(0)
    fold.click()
    expect(line(page, first)).to_be_visible()


def test_a_visitor_takes_a_run_away_and_brings_it_back(visit, served, tmp_path):
    page = visit(at("train", runs="done unet"))
    press(page, "done unet", "take")
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
    assert "done unet 2" in shown(page)
    ours, theirs = (runs.status(served.home / name).finished for name in ("done unet", "done unet 2"))
    assert ours == theirs
    page.close()
    runs.remove(served.home / "done unet 2")


def test_a_server_that_does_not_answer_is_told_of_and_comes_back(visit, served):
    page = visit(at("train", runs="done unet"))
    lost = page.locator(".runs-list .message.wrong[role=alert]", has_text="The server does not answer")
    expect(line(page, "done unet")).to_be_visible()
    expect(lost).to_be_hidden()
    served.app.send_signal(signal.SIGSTOP)
    try:
        expect(lost).to_be_visible(timeout=60_000)
        expect(line(page, "done unet")).to_be_visible()  # what is known stays
    finally:
        served.app.send_signal(signal.SIGCONT)
    expect(lost).to_be_hidden()
    run = finished(served, "done meanwhile")
    expect(line(page, run)).to_be_visible()
    runs.remove(run)


# --- lessons

OPEN = ".lesson-step[data-open=true]"


@pytest.fixture(scope="module")
def taught(served):
    """The server, with runs of lesson A in the place of those that do not come with seglab."""
    found = files.find("a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(served.home))
        for key in found.settings:
            for seed in found.seeds(key):
                if not (places.LESSONS / f"a-{key}-{seed}").is_dir():
                    put(found, key, seed, images(80), losses=((1.0, 1.0), (0.5, 0.5), (0.1, 0.9)))
    return served


@pytest.fixture(scope="module")
def school(tmp_path_factory):
    """A server with a lesson of a school's own, with its runs; another program works on its queue, so that no run of it
    begins."""
    folder = tmp_path_factory.mktemp("school")
    (folder / "runs").mkdir()
    steps = [{"kind": "read", "text": "Two widths."}, {"kind": "run", "group": "g"}, {"kind": "read", "text": "End."}]
    given = {"quick": ["a", "b"], "steps": steps}
    (folder / "l.yaml").write_text(json.dumps(whole(**given)))
    with pytest.MonkeyPatch.context() as patch, locks.held(folder / "runs" / ".jobs.lock"):
        patch.setenv("SEGLAB_HOME", str(folder / "runs"))
        for key, hits in (("a", 60), ("b", 70)):
            for seed in range(3):
                put(lesson(**given), key, seed, images(hits + 5 * seed))
        with serving(folder / "runs", SEGLAB_LESSONS=str(folder)) as server:
            yield server


def opened(page, title):
    """The step that is open, once it is the one of a title."""
    step = page.locator(OPEN)
    expect(step.locator(".fold-step")).to_contain_text(title)
    return step


def answered(step):
    """Answers a step's question, or does what else leads on."""
    form = step.locator("form")
    if step.get_attribute("data-kind") == "ask":
        if form.locator("input[type=number]").count():
            form.locator("input[type=number]").fill("5")
        else:
            form.locator(".options input").first.check()
        form.locator("button[type=submit]").click()
        expect(step.locator(".outcome .came")).to_be_visible()  # it moves what stands below
    step.locator(".go-on").click()


def test_a_student_goes_through_a_lesson_on_a_phone(visit, taught):
    page = visit("?lang=ko&lesson=a", viewport=PHONE, has_touch=True, is_mobile=True)
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    expect(page.locator("#tab-learn .lesson")).to_be_visible()
    assert page.url.endswith("/?lang=ko#learn?lesson=a&step=1")
    steps = files.find("a").steps
    for n, given in enumerate(steps):
        step, tells = opened(page, f"{n + 1}. {given.title.ko}"), getattr(given, "after", ())
        assert page.evaluate(OVERFLOWING) == [], n
        if getattr(given, "id", "") == "best":
            expect(step.locator("button[type=submit]")).to_be_disabled()
            step.locator(".options span:text-is('U-Net')").click()
            step.locator(".sure span:text-is('꽤 확신')").click()
            step.locator("button[type=submit]").click()
            opened(page, f"{n + 2}.")
            assert not any("/answer/" in each for each in asked)  # nobody looks before evidence is seen
            page.reload()
            before = page.locator(".lesson-step").nth(n)
            before.locator(".fold-step").click()
            expect(before.locator(".options label:has(span:text-is('U-Net')) input")).to_be_checked()
            expect(before.locator("form input").first).to_be_disabled()
        elif getattr(given, "id", "") == "gained":
            step.locator("button:text-is('건너뛰기')").click()
            skipped = n
        else:
            if "best" in tells:
                expect(step.locator(".you")).to_have_text("내 답: U-Net (꽤 확신)")
                expect(step.locator(".whys li", has_text="내 답").locator("b")).to_have_text("U-Net")
                expect(step.locator(".whys li[data-here=true]")).to_have_count(1)
                expect(step.locator(".whys .why")).to_have_count(5)
            if "gained" in tells:
                expect(step.locator(".you")).to_have_text("예측하지 않았습니다.")
            if n + 1 < len(steps):
                answered(step)
    expect(step.locator(".go-on")).to_be_hidden()
    expect(page.locator(".lesson-step[data-kind=compare_with_source] .mark").first).to_be_visible()
    page.click(".dots")
    states = page.locator(".outline-step").evaluate_all("each => each.map(one => one.dataset.state)")
    assert states.count("done") == len(steps) - 2 and states.index("skipped") == skipped and states[-1] == "open"
    page.once("dialog", lambda dialog: dialog.accept())
    page.click(".outline-buttons button:text-is('처음부터')")
    opened(page, "과제")
    expect(page.locator(".outline-step[data-state=next]")).to_have_count(len(steps) - 1)


def test_a_lesson_can_be_begun_before_the_page_is_made(visit, taught):
    page = visit("?lesson=a")
    page.route("**/assets/index-*.js", lambda route: None)  # Gradio's own, which never come
    page.reload(wait_until="commit")
    page.click(f"#first-lesson {OPEN} .go-on")
    expect(page.locator(f"#first-lesson {OPEN} form")).to_be_visible()


def test_a_second_vote_stands_beside_the_first(visit, taught):
    page = visit(f"?{at_step('a', 'Predict')}")
    question = opened(page, "Predict")
    question.locator(".options input").first.check()
    question.locator("button[type=submit]").click()
    opened(page, "Start a run")
    page.goto(f"{taught.address}#learn?{at_step('a', 'Talk')}")
    talk = opened(page, "Talk")
    expect(talk).to_contain_text("You said: U-Net + VGG16")
    talk.locator(".options input").nth(3).check()
    talk.locator("button[type=submit]").click()
    page.locator(f"{OPEN} .go-on").click()
    expect(opened(page, "Scores").locator(".you")).to_have_text("You said: U-Net + VGG16 · After talking: U-Net")


def test_a_presenter_goes_through_a_lesson_by_keys(visit, taught):
    page = visit(f"?{at_step('a', 'Why there')}&present=1&class=K7QF")
    opened(page, "Why there")
    expect(page.locator(".presenter")).to_contain_text("Class K7QF")
    page.keyboard.press("ArrowRight")
    talk = opened(page, "Talk")
    assert page.locator(".lesson-step:visible").count() == 1
    page.clock.install()
    talk.locator(".countdown button").click()
    page.clock.fast_forward("03:00")
    expect(talk.locator("output")).to_have_text("1:00")
    page.clock.fast_forward("01:00")
    expect(talk.locator("output")).to_have_text("Time is up.")
    page.keyboard.press("PageUp")
    opened(page, "Why there")
    page.click("button.qr")
    link = f"{taught.address}?lesson=a&lang=en&class=K7QF"
    expect(page.locator(".presenter a.link")).to_have_text(link)
    picture = cv2.imdecode(np.frombuffer(page.locator(".qr canvas").screenshot(), np.uint8), cv2.IMREAD_COLOR)
    assert cv2.QRCodeDetector().detectAndDecode(picture)[0] == link
    page.click("button.qr")
    page.click(".presenter button:text-is('Leave')")
    expect(page.locator(".outline")).to_be_visible()
    assert "present" not in page.url and "class=K7QF" in page.url


def test_a_teacher_sees_notes_and_may_go_anywhere(visit, taught):
    page = visit("?lesson=a&teach=1")
    expect(page.locator("aside.notes")).to_contain_text("a class with few pixels")
    expect(page.locator(".outline-step").last).to_be_enabled()
    page.click(".outline-buttons button[aria-pressed=true]")
    expect(page.locator("aside.notes")).to_have_count(0)
    expect(page.locator(".outline-step").last).to_be_disabled()
    assert "teach" not in page.url


def test_each_press_of_a_class_trains_another_seed_and_everybody_sees_all_dots(visit, school, monkeypatch):
    teacher = visit("?lesson=l&step=2&teach=1", server="school")
    teacher.click(".classroom summary")
    teacher.click(".classroom button:text-is('Make a code')")
    code = teacher.locator(".classroom .code").inner_text()
    link = teacher.locator(".classroom .way a").get_attribute("href")
    assert re.fullmatch("[A-Z3-9]{4}", code) and link == f"{school.address}?lesson=l&lang=en&class={code}"
    place = link.removeprefix(school.address) + "&step=2"
    ada = visit(place, server="school")
    bob = visit(place.replace("lang=en", "lang=ko"), server="school", viewport=PHONE, has_touch=True)
    for page, words in ((ada, "Runs added to the queue: 2"), (bob, "실행 2개")):
        page.click(".live .begin")
        expect(page.locator(".live .message.right")).to_contain_text(words)
    expect(ada.locator(".run-far")).to_have_count(4)
    expect(ada.locator(".outline-step .under-way")).to_have_text("waits in the queue")
    monkeypatch.setenv("SEGLAB_HOME", str(school.home))
    for seed, hits in ((3, (80, 60)), (4, (60, 80))):  # the first of them is the other way round
        for key, right in zip("ab", hits, strict=True):
            (school.home / f"l-{key}-{seed}-{code}" / "queued").unlink()
            put(lesson(quick=["a", "b"]), key, seed, images(right), name=f"l-{key}-{seed}-{code}")
    for page in (teacher, ada, bob):
        page.locator(".seeds summary").click()
        expect(page.locator(".dotted").first.locator("i.dot.live")).to_have_count(4)
        expect(page.locator(".run-far")).to_have_count(0)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    expect(ada.locator(".against")).to_contain_text("Alone, 1 of the 2 seeds")
    expect(ada.locator(".dotted").last).to_contain_text("with those trained here, 5 seeds")
    ada.click(f"{OPEN} .go-on")
    opened(ada, "Read")


def test_whoever_presses_later_is_shown_the_runs_that_are_under_way(visit, school):
    first, second = (visit("?lesson=l&step=2", server="school") for _ in range(2))
    first.click(".live .begin")
    for page in (first, second):
        expect(page.locator(".run-far")).to_have_count(2)
        expect(page.locator(".live .begin")).to_be_disabled()


def test_a_lesson_is_taken_in_a_browser_that_keeps_nothing(browser, visit, taught):
    context = browser.new_context(viewport=WIDE)
    for name in ("localStorage", "sessionStorage"):
        context.add_init_script(f"Object.defineProperty(window, '{name}', {{get() {{ throw new Error('denied'); }}}})")
    page = visit(f"?{at_step('a', 'Step decay')}", context=context)
    expect(page.locator(".lesson-steps > .message")).to_contain_text("This browser keeps nothing")
    question = opened(page, "Step decay")
    question.locator(".options input").first.check()
    question.locator("button[type=submit]").click()
    expect(question.locator(".you")).to_have_text("You said: smoother")
    context.close()


def test_a_lesson_that_is_not_there_leaves_the_list(browser, taught):
    page = browser.new_page(locale="ko-KR")
    page.goto(f"{taught.address}?lesson=x")
    expect(page.locator("#tab-learn .message.wrong")).to_contain_text("'x' 수업이 없습니다")
    page.locator("#tab-learn .lessons a").first.click()
    expect(page.locator(OPEN)).to_be_visible()


def test_a_spoiled_run_is_looked_for_with_five_looks(visit):
    page = visit(f"?lang=ko&{at_step('spoiled', 'Case 1')}", viewport=PHONE, has_touch=True, is_mobile=True)
    step = opened(page, "사건 1")
    asking, looks, place = step.locator("form.asking"), step.locator(".looks li"), step.locator(".view")
    expect(step.locator(".reported tbody tr")).to_have_count(4)  # which costs no look
    seen = {"curves": ".charts", "where": ".where figure:visible", "real": ".lab-columns"}
    taken = [("curves", ""), ("where", "2"), ("where", "3"), ("real", "2"), ("real", "3")]
    for n, (view, other) in enumerate(taken, 1):
        asking.locator("select").first.select_option(view)
        if other:
            asking.locator("select").last.select_option(f"case1_run{other}")
        asking.locator("button").click()
        expect(looks).to_have_count(n)
        expect(place.locator(seen[view])).to_have_count(1)
        assert page.evaluate(OVERFLOWING) == [], view
    expect(asking.locator("[role=status]")).to_have_text("5번 중 0번 남음")
    expect(asking.locator("button")).to_be_disabled()
    looks.locator(".link").first.click()
    expect(place.locator(".charts")).to_be_visible()
    looks.locator("input").nth(2).fill(MEAN)
    looks.locator("input").nth(2).blur()

    page.reload()
    expect(opened(page, "사건 1").locator(".looks input").nth(2)).to_have_value(MEAN)
    expect(asking.locator("[role=status]")).to_have_text("5번 중 0번 남음")
    expect(asking.locator("button")).to_be_disabled()

    page.goto(page.url.partition("#")[0] + f"#learn?{at_step('spoiled', 'Your way there')}")
    way = opened(page, "찾아간 길").locator(".retraced")
    sides = ["실행 1 | 실행 2", "실행 1 | 실행 3"]
    said = ["곡선", *(f"{name} {each}" for name in ("어디가 다를까요?", "진짜 차이일까요?") for each in sides)]
    expect(way.locator(".looks .link")).to_have_text(said)
    expect(way.locator(".looks input").nth(2)).to_have_value(MEAN)
    way.locator(".link").nth(2).click()
    expect(way.locator(seen["where"])).to_have_count(1)
    assert page.evaluate(OVERFLOWING) == []


# --- lessons from elsewhere


def own_lesson(*changed):
    """Lesson A as somebody else might have changed it."""
    text = files.path("a").read_text().replace("name: a\n", "name: mine\n")
    for old, new in (
        ("Four cases on a road scene", MEAN),
        ("도로 장면의 네 가지 경우", f"내 수업 {MEAN}"),
        ("epochs: 500", "epochs: 501"),
        *changed,
    ):
        assert old in text
        text = text.replace(old, new, 1)
    return text


def drop(page, text):
    given = page.evaluate_handle(
        "text => { const data = new DataTransfer(); data.items.add(new File([text], 'mine.yaml')); return data; }", text
    )
    page.locator(".lesson-file").dispatch_event("drop", {"dataTransfer": given})


def test_a_teacher_drops_a_lesson_sees_the_line_that_is_wrong_and_then_what_came_of_its_questions(visit):
    page = visit("#learn")
    wrong = own_lesson(("quick: [case1, case2]", "quick: [case1, case9]"))
    number = 1 + next(n for n, each in enumerate(wrong.splitlines()) if "case9" in each)
    drop(page, wrong)
    expect(page.locator(".lesson-file .message.wrong")).to_contain_text("case9")
    told = page.locator(".lesson-file .message.wrong").inner_text()
    assert told.lower().startswith(f"mine.yaml, line {number}:")
    drop(page, own_lesson())
    banner = page.locator(".lesson-about > .message").first
    expect(banner).to_contain_text("You opened this lesson from a file; it is not seglab's.")
    expect(page.locator(".outline h2")).to_have_text(MEAN)
    expect(page.locator(".lesson-lacking")).to_contain_text("runs of this lesson are not here yet")
    page.reload()
    expect(banner).to_contain_text("You opened this lesson from a file")  # as long as the browser's tab is open
    page.locator(".lesson-tools summary").click()
    with page.expect_download() as taken:
        page.locator(".lesson-tools a[download]").click()
    assert taken.value.suggested_filename == "mine.yaml"
    again = files.parsed(taken.value.path().read_bytes(), "mine.yaml")
    assert again == files.parsed(own_lesson().encode(), "mine.yaml")


def test_a_lesson_s_link_opens_it_on_a_phone_in_korean_and_says_whose_it_is(visit, browser, served):
    link = guests.packed(files.parsed(own_lesson().encode(), "mine.yaml"))
    phone = visit(f"?lang=ko#learn?own={link}", viewport=PHONE, has_touch=True)
    expect(phone.locator(".lesson-about > .message").first).to_have_text(
        "이 수업은 링크에 담겨 왔습니다. seglab의 수업이 아닙니다."
    )
    phone.locator(".outline button.dots").click()
    expect(phone.locator(".outline h2")).to_have_text(f"내 수업 {MEAN}")  # as text: nothing was asked for
    phone.locator(".lesson-tools summary").click()
    phone.evaluate("navigator.clipboard.writeText = async (text) => { window.copied = text; }")
    phone.locator(".lesson-tools button").click()
    phone.wait_for_function("window.copied")
    assert phone.evaluate("window.copied").endswith(f"#learn?own={link}")
    assert phone.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    assert f"own={link}" in phone.url and "lesson=" not in phone.url


def test_a_lesson_that_the_server_has_forgotten_is_sent_again_as_it_is_asked_about(browser, served):
    link = guests.packed(files.parsed(own_lesson().encode(), "mine.yaml"))
    page = browser.new_page()
    page.goto(f"{served.address}#learn?own={link}")
    expect(page.locator(".outline h2")).to_have_text(MEAN)
    page.wait_for_load_state("networkidle")  # what it asks for on its own keeps the lesson there
    for n in range(guests.MOST_KEPT):
        other = guests.packed(lesson(goal=f"{n}"))
        assert page.request.post(f"{served.address}seglab/brought", data=other).ok
    answers = []
    page.on("response", lambda answer: answers.append(answer.status) if "/seglab/" in answer.url else None)
    page.get_by_role("button", name="Teacher's notes").click()
    expect(page.locator("aside.notes").first).to_contain_text("Show one street")
    assert 410 in answers
    page.close()


# --- evidence


def test_the_runs_of_a_lesson_are_dots_beside_what_the_visitor_said(visit, taught):
    page = visit(f"?{at_step('a', 'Predict')}")
    question = opened(page, "Predict")
    question.get_by_text("U-Net + VGG16", exact=True).click()
    question.locator("button[type=submit]").click()
    opened(page, "Start a run")
    page.goto(f"{taught.address}#learn?{at_step('a', 'Scores')}")
    rows = opened(page, "Scores").locator("table.strip tbody tr")
    expect(rows).to_have_count(4)
    expect(rows.locator(".dot")).to_have_count(20)
    expect(page.locator("table.strip .mark")).to_have_count(1)
    expect(rows.nth(2)).to_contain_text("U-Net + VGG16you said")
    scores = [runs.Evidence(places.LESSONS / f"a-case3-{seed}").confusions() for seed in range(5)]
    mean = np.mean([miou(each.sum(0)) for each in scores])
    expect(rows.nth(2).locator(".n")).to_have_text(f"{mean:.3f}")


def test_where_a_lesson_s_settings_differ_is_seen_at_its_scene_and_let_go_with_the_lesson(visit, taught):
    from seglab.comparison import agreement

    page = visit(f"?{at_step('a', 'Where do they differ')}")
    step = opened(page, "Where do they differ")
    expect(step.locator(".verdict")).to_contain_text("Over 5 seeds and 50 images U-Net is higher")
    place = step.locator(".where .steps output")
    expect(place).to_contain_text("1 of 50: val_")
    first, second = (runs.Evidence(places.LESSONS / f"a-case{n}-0") for n in (1, 2))
    n = first.names.index(place.inner_text().split(": ")[1].split(" ")[0])
    kinds = agreement.kinds(first.truth(n), first.labels(n), second.labels(n))
    for row, share in enumerate(agreement.counted(kinds) / kinds.size):
        cell = step.locator(".numbers tbody tr").nth(row).locator("td").first
        expect(cell).to_have_text(f"{100 * share:.1f} %")
    view = page.locator(".view").element_handle()
    page.click(".outline a")
    expect(page.locator("#tab-learn .lessons a").first).to_be_visible()
    assert view.evaluate("element => element.childElementCount") == 0


def test_why_a_lesson_s_settings_differ_begins_with_what_is_asked_and_opens_its_pixels(visit, taught):
    page = visit(f"?{at_step('a', 'Why there')}", viewport=PHONE, has_touch=True, is_mobile=True)
    step = opened(page, "Why there")
    bins = step.locator("button[data-bin]")
    expect(bins).to_have_count(5)  # once they are counted
    expect(step.locator("[data-part]").first).to_have_attribute("data-part", "borders")
    expect(step.locator("[data-part=classes]")).to_be_hidden()
    bins.first.click()
    expect(step.locator(".where select option:checked").first).to_have_text("Distance to a border: 0")
    expect(step.locator(".where figure:visible")).to_have_count(1)
    assert page.evaluate(OVERFLOWING) == []


def test_a_lesson_s_curves_are_means_over_seeds_on_any_axis(visit, taught):
    page = visit(f"?{at_step('b', 'Epoch by epoch')}")
    step = opened(page, "Epoch by epoch")
    expect(step.locator(".charts figure")).to_have_count(2)
    row = step.locator("table.values tbody tr", has_text="three times as long")
    ends = []
    for seed in range(5):
        events = runs.events(places.LESSONS / f"b-long2-{seed}")
        ends.append([event.scores["val"].miou for event in events if isinstance(event, Evaluated)][-1])
    expect(row.locator("td").first).to_have_text(f"{np.mean(ends):.3f}")
    step.locator("button[data-axis=seconds]").click()
    expect(step.locator("button[data-axis=seconds]")).to_have_attribute("aria-pressed", "true")
    expect(step.locator(".charts .u-over").first).to_be_visible()
    row.locator("button").click()
    expect(row.locator("button")).to_have_attribute("aria-pressed", "false")


def test_a_cell_of_a_lesson_s_table_is_compared_with_the_best(visit, taught):
    page = visit(f"?{at_step('d', 'Nine settings')}")
    step = opened(page, "Nine settings")
    expect(step.locator("button.setting")).to_have_count(9)
    expect(step.locator("button.setting.best .told")).to_have_text("rate 3e-3, plain")
    step.locator("[data-masks]").click()
    expect(step.locator("img.mask:visible")).to_have_count(9)
    step.locator("button.setting").first.click()
    expect(step.locator(".which")).to_contain_text("A rate 3e-3, plain")
    expect(step.locator(".which")).to_contain_text("B rate 3e-4, plain")
    expect(step.locator(".where .thumbs button")).to_have_count(51)
    page.goto(f"{taught.address}#learn?{at_step('b', 'The transfer table')}")
    step = opened(page, "The transfer table")
    step.locator("button.setting").first.click()
    expect(step.locator(".view .message")).to_contain_text("only their scores")


def test_folds_show_what_leaks(visit, taught):
    page = visit(f"?lang=ko&{at_step('b', 'Three folds')}", viewport=PHONE, has_touch=True, is_mobile=True)
    step = opened(page, "폴드 세 개")
    held = len(runs.description(places.LESSONS / "b-leaking1-0")["images"]["val"])
    expect(step.locator("table.folds td.seen")).to_have_count(2)
    expect(step.locator("table.folds td.seen").first).to_contain_text(f"{held}장 중 {held}장")
    expect(step.locator("table.strip tbody tr")).to_have_count(6)
    assert page.evaluate(OVERFLOWING) == []


def test_the_crf_is_turned_in_a_lesson(visit, taught):
    page = visit(f"?{at_step('e', 'Before and after')}")
    step = opened(page, "Before and after")
    numbers = step.locator(".crf-numbers")
    expect(numbers).to_contain_text("mIoU of this image")
    expect(step.locator(".crf-apply, .crf-search").locator("*")).to_have_count(0)
    before = numbers.inner_text()
    step.locator("input[name=iterations]").fill("1")
    step.locator("input[name=iterations]").dispatch_event("change")
    expect(numbers).not_to_have_text(before)
    page.goto(f"{taught.address}#learn?{at_step('e', 'Eight models')}")
    rows = opened(page, "Eight models").locator(".scatter tbody tr")
    expect(rows).to_have_count(8)
    expect(rows.first).to_contain_text("DeconvNet")


# --- sheets


def left(lesson, note="x" * 200):
    """What a browser keeps of a student who has answered everything, with much to say."""
    answers = {}
    for ask in lesson.asks.values():
        longest = sorted((option.key for option in ask.options), key=lambda key: -len(lesson_text(ask, key)))
        first = {"number": 5, "text": note, "several": longest[:2]}.get(ask.answer, longest[0] if longest else None)
        more = {"again": longest[-1], "note": note} if ask.answer == "choice" else {}
        answers[ask.id] = {"first": first, "at": 1, **({"sure": "fairly"} if ask.sure else {}), **more}
    times = {n: 1000 + 60_000 * n for n in range(len(lesson.steps))}
    return {"answers": answers, "times": times, "keep": note}


def lesson_text(ask, key):
    return next(option.text.en for option in ask.options if option.key == key)


def at_the_sheet(visit, name, lang, **options):
    """The last step of a lesson, where everything is answered."""
    lesson = files.find(name)
    page = visit(f"?lang={lang}", **options)
    page.evaluate("([name, state]) => localStorage.setItem(name, JSON.stringify(state))",
                  [f"seglab-lesson-{name}", left(lesson)])  # fmt: skip
    page.goto(page.url.partition("#")[0] + f"#learn?lesson={name}&step={len(lesson.steps)}")
    expect(page.frame_locator(".paper").locator("article")).to_have_count(len(lesson.asks))
    return page


def test_a_sheet_is_taken_away_on_a_phone_and_read_by_the_core(visit, taught, tmp_path):
    lesson = files.find("a")
    page = at_the_sheet(visit, "a", "ko", viewport=PHONE, has_touch=True, is_mobile=True)
    asked = []
    page.locator(".handout label input").fill(MEAN)
    page.locator(".handout label input").blur()
    expect(page.frame_locator(".paper").locator(".who")).to_have_text(MEAN)
    assert page.evaluate(OVERFLOWING) == []
    page.on("request", lambda request: None if request.url.startswith("blob:") else asked.append(request))
    with page.expect_download() as download:
        page.click(".handout button:text-is('학습지 내려받기')")
    assert not any("/watch" not in request.url for request in asked)
    assert download.value.suggested_filename == "sheet-a-img-src-nothing-png.html"
    download.value.save_as(tmp_path / "x.html")

    text, found = (tmp_path / "x.html").read_text(), sheet.read(tmp_path / "x.html")
    assert MEAN not in text and '<html lang="ko">' in text and "토론 뒤" in text
    expected = left(lesson)
    assert (found.name, found.keep, found.hash) == (MEAN, expected["keep"], files.content_hash(lesson))
    assert {name: answer.first for name, answer in found.answers.items()} == {
        name: tuple(each["first"]) if isinstance(each["first"], list) else each["first"]
        for name, each in expected["answers"].items()
    }
    assert found.answers["best"].again == expected["answers"]["best"]["again"]
    assert found.times == tuple(range(0, 60 * len(lesson.steps), 60))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(taught.home))
        assert found.evidence == sheet.evidence(Bench(lesson))


@pytest.mark.parametrize(("name", "lang"), [("a", "en"), ("b", "en"), ("d", "en"), ("e", "ko")])
def test_a_sheet_is_printed_on_two_pages_and_asks_nobody_for_anything(visit, browser, taught, tmp_path, name, lang):
    page = at_the_sheet(visit, name, lang)
    with page.expect_download() as download:
        page.click(".handout .act.main")
    download.value.save_as(tmp_path / "x.html")
    alone = browser.new_page()
    asked = []
    alone.on("request", lambda request: asked.append(request.url))
    alone.goto((tmp_path / "x.html").as_uri())
    assert all(url.startswith(("file:", "data:")) for url in asked)
    printed = alone.pdf(prefer_css_page_size=True)
    assert 1 <= len(re.findall(rb"/Type\s*/Page\b", printed)) <= 2
    alone.close()


def test_a_teacher_reads_thirty_sheets_and_gets_the_numbers_of_the_command(visit, taught, tmp_path):
    lesson = files.find("a")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(taught.home))
        bench = Bench(lesson)
        handed_in = [handed(bench, n) for n in range(30)]
        summary = sheet.summed(bench, [(f"{n:02}.html", sheet.parsed(page, "x")) for n, page in enumerate(handed_in)])
        table = sheet.csv(summary)
    page = visit("#learn?sheets=1")
    asked = []
    page.on("request", lambda request: asked.append(f"{request.url} {request.post_data}"))
    given = [{"name": f"{n:02}.html", "mimeType": "text/html", "buffer": each} for n, each in enumerate(handed_in)]
    page.set_input_files(".sheets input", [*given, {"name": "cat.png", "mimeType": "image/png", "buffer": b"\x89PNG"}])
    expect(page.locator(".class-head")).to_contain_text("sheets: 29")
    assert asked and not any(part in each for each in asked for part in ("img", "answers", "case1", "0" * 20))
    expect(page.locator(".sheets [role=status]")).to_have_text("cat.png: holds no sheet of a lesson")
    expect(page.locator(".sheets .message.note")).to_have_text(
        ["07.html was made with another version of this lesson", "29.html is the same sheet as 03.html: it counts once"]
    )
    expect(page.locator("table.marks tbody tr")).to_have_count(30)
    expect(page.locator("table.marks tbody th").first).to_have_text(MEAN)
    best = summary.questions[0]
    counts = page.locator("figure[data-question=best] .bar .n").all_text_contents()
    keys = [option.key for option in best.ask.options]
    assert [int(each) for each in counts] == [votes[key] for key in keys for votes in (best.first, best.again)]
    with page.expect_download() as download:
        page.click(".sheets button:text-is('Download as CSV')")
    download.value.save_as(tmp_path / "class.csv")
    assert (tmp_path / "class.csv").read_text(encoding="utf-8-sig") == table


def handed(bench, n):
    """One of a class's sheets: one of another version, one twice, one with a name that is none."""
    answers = {
        ask.id: {
            "first": (
                n / 2 if ask.answer == "number"
                else [ask.options[n % 3].key] if ask.answer == "several"
                else ask.options[n % len(ask.options)].key
            ),
            "sure": sheet.SURENESS[n % 3] if ask.sure else None,
            "again": ask.options[n % 2].key if ask.answer == "choice" and n % 4 else None,
            "note": '=1+1, "so"' if n == 5 else "",
        }
        for ask in bench.lesson.asks.values()
    }  # fmt: skip
    more = {"hash": "0" * 16} if n == 7 else {"number": f"{3:032x}"} if n == 29 else {}
    return handed_page(handed_data(bench, n, name=MEAN if n == 0 else f"-{n}", answers=answers) | more)
