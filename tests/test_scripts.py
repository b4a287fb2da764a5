"""The page's scripts by themselves, in a browser: what they count and paint is what Python does."""

import itertools
import json
import os
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import sync_playwright
from sklearn.metrics import confusion_matrix

import seglab.ui
from seglab.comparison import agreement, borders
from seglab.data.base import VOID

CHROMIUM = "/usr/bin/chromium"
SCRIPTS = Path(seglab.ui.__file__).parent / "js"
PAGE = "http://seglab.test/"
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(not os.path.exists(CHROMIUM), reason=f"there is no {CHROMIUM}"),
]


@pytest.fixture(scope="module")
def page():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM)
        opened = browser.new_page()

        def answer(route):
            name = route.request.url.removeprefix(PAGE)
            if not name:
                route.fulfill(body='<script type="application/json" id="texts">{}</script>', content_type="text/html")
            else:
                route.fulfill(body=(SCRIPTS / name).read_bytes(), content_type="text/javascript")

        opened.route(f"{PAGE}**", answer)
        opened.goto(PAGE)
        yield opened
        browser.close()


def run(page, script, body, *given):
    """What a script's function gives, where `m` is its module and `g` what it is given."""
    code = f"async (given) => {{ const m = await import('./{script}.js'), g = given; {body} }}"
    return page.evaluate(code, [each.ravel().tolist() if isinstance(each, np.ndarray) else each for each in given])


@pytest.fixture
def maps():
    rng = np.random.default_rng(3)
    truth = rng.integers(0, 5, (12, 16)).astype(np.uint8)
    a, b = (np.where(rng.random(truth.shape) < 0.6, truth, rng.integers(0, 5, truth.shape)) for _ in range(2))
    truth[:2, :5] = VOID
    return truth, a.astype(np.uint8), b.astype(np.uint8)


def test_kinds_of_pixels_are_the_server_s(page, maps):
    truth, a, b = maps
    kinds = agreement.kinds(truth, a, b)
    found = run(page, "kinds", "return g[0].map((truth, i) => m.kindOf(truth, g[1][i], g[2][i]));", *maps)
    known = (truth != VOID).ravel()
    assert np.array_equal(np.array(found)[known], kinds.ravel()[known])
    assert run(page, "kinds", "return m.counted(...g);", *maps) == agreement.counted(kinds).tolist()


def test_where_models_differ_is_counted_as_by_hand(page, maps):
    _, a, b = maps
    found = run(page, "kinds", "const f = m.apart(g); return {...f, differ: [...f.differ]};", a, b)
    assert found["differ"] == (a != b).ravel().astype(int).tolist()
    assert found["same"] == pytest.approx((a == b).mean())
    table = confusion_matrix(a.ravel(), b.ravel(), labels=range(5)) / a.size
    for (one, other), share in found["sets"]:
        assert share == pytest.approx(table[one, other] + table[other, one])
    shares = [share for _, share in found["sets"]]
    assert shares == sorted(shares, reverse=True) and sum(shares) == pytest.approx((a != b).mean())
    three = run(page, "kinds", "return m.apart(g).same;", a, b, a)
    assert three == pytest.approx((a == b).mean())


@pytest.mark.parametrize("seed", range(3))
def test_distances_to_borders_are_the_server_s_exactly(page, seed):
    rng = np.random.default_rng(seed)
    truth = np.kron(rng.integers(0, 3, (5, 7)), np.ones((6, 9))).astype(np.uint8)  # as far as 8 pixels from a border
    truth[rng.random(truth.shape) < 0.002] = 4
    truth[:9, :20] = VOID
    body = "return [...m.nearness({truth: g[0], width: g[1], height: g[2]}, g[3])];"
    height, width = truth.shape
    expected = np.round(borders.distances(truth).astype(float) ** 2)
    for reach in (1, 2, 4, 8):
        found = run(page, "focus", body, truth, width, height, reach)
        assert np.array_equal(found, np.minimum(expected, reach**2).ravel())
    nothing = run(page, "focus", body, np.zeros((4, 5), np.uint8), 5, 4, 8)
    assert set(nothing) == {64}
    for number, (low, high) in enumerate(itertools.pairwise([*borders.BINS, None])):
        body = """const maps = {truth: g[0], width: g[1], height: g[2]}, within = m.bin(g[3], g[4], g[5]).within(maps);
            return g[0].map((_, i) => within(i));"""
        found = run(page, "focus", body, truth, width, height, number, low, high)
        assert np.array_equal(found, (borders.binned(truth) == number).ravel())


def test_what_a_part_of_an_image_counts_is_the_server_s(page, maps):
    truth, a, b = maps
    given = "const maps = {truth: g[0], a: g[1], b: g[2], width: 16, height: 12};"
    *_, sides = borders.borders([maps], 5)
    wrong = [side.by_image[0] for side in sides]
    for number, (low, high) in enumerate(itertools.pairwise([*borders.BINS, None])):
        body = f"{given} return m.bin(g[3], g[4], g[5]).count(maps);"
        assert run(page, "focus", body, *maps, number, low, high) == abs(wrong[1][number] - wrong[0][number])
    classes = [["#000000", name] for name in "vwxyz"]
    for k, label in ((0, 1), (3, 3), (2, 4)):
        body = f"{given} const f = m.cell(g[3], g[4], g[5]); return [f.count(maps), f.text, f.path];"
        count, text, path = run(page, "focus", body, *maps, k, label, classes)
        assert count == ((truth == k) & ((a == label) ^ (b == label))).sum()
        assert text == f"{classes[k][1]} labeled {classes[label][1]}" and path == f"cell/{k}/{label}"


def test_a_pixel_s_color_tells_who_is_right(page):
    body = "return [0, 1, 2, 3, 4].map(kind => m.colorOf(kind, g[0], 16, g[1]));"
    blue, orange, grey, pink = [0, 0x72, 0xB2], [0xE6, 0x9F, 0], [0x4B, 0x55, 0x63], [0xCC, 0x79, 0xA7]
    assert run(page, "kinds", body, 2, None) == [None, blue, orange, grey, pink]
    assert run(page, "kinds", body, 0, None) == [None, blue, orange, None, pink]  # between the stripes
    assert run(page, "kinds", body, 0, 3) == [None, None, None, grey, None]  # alone it is not hatched


def test_a_thumbnail_has_pixels_of_the_image(page):
    labels = np.arange(6 * 9, dtype=np.uint8).reshape(6, 9)
    body = """const photo = new Uint8ClampedArray(g[0].flatMap(each => [each, each, each, 255]));
        const f = m.shrunk({width: 9, height: 6, photo, truth: g[0]}, 4);
        return [f.width, f.height, [...f.truth], [...f.photo].filter((_, i) => i % 4 === 0)];"""
    width, height, truth, photo = run(page, "kinds", body, labels)
    assert (width, height) == (3, 2) and truth == photo == labels[::3, ::3].ravel().tolist()


def test_label_maps_are_cut_from_bytes_as_they_were_put_together(page):
    sizes = [(2, 3), (4, 2)]
    parts = [np.full(height * width, n, np.uint8) for n, (height, width) in enumerate(np.repeat(sizes, 3, 0))]
    body = """const all = m.cut(Uint8Array.from(g[0]), g[1].map(size => ({size})));
        return all.map(({width, height, truth, a, b}) => [width, height, ...[truth, a, b].map(each => [...each])]);"""
    found = run(page, "sides", body, np.concatenate(parts), sizes)
    assert found == [
        [width, height, *(each.tolist() for each in parts[3 * n : 3 * n + 3])]
        for n, (height, width) in enumerate(sizes)
    ]
    body = """const known = {epochs: [[1, 2], [1]], samples: [1], images: g[1].map(size => ({size}))};
        return m.replayed(Uint8Array.from(g[0]), known)
            .map(all => all.map(([epoch, maps]) => [epoch, maps.get(1)[0]]));"""
    replay = np.repeat(np.array([7, 8, 9], np.uint8), 8)
    assert run(page, "sides", body, replay, sizes) == [[[1, 7], [2, 8]], [[1, 9]]]


def test_a_picture_carries_what_was_put_into_it(page):
    value = {"name": '유넷 "a" </script>', "numbers": [1, 2.5]}
    body = """const canvas = document.createElement('canvas');
        const blob = await m.png(canvas, g[0]);
        return [JSON.stringify(m.carried(await blob.arrayBuffer())), m.carried(new ArrayBuffer(40)),
            m.carried(await (await new Promise(done => canvas.toBlob(done))).arrayBuffer())];"""
    found, nothing, plain = run(page, "sheet", body, value)
    assert json.loads(found) == value and nothing is None and plain is None


def test_what_is_zoomed_lies_within_the_image(page):
    body = """const panes = new m.Panes({});
        panes.zoom = g[0];
        return panes.window;"""
    for times, x, y in ((1, 0.5, 0.5), (2, 0, 1), (4, 0.5, 0.25), (8, 1, 0)):
        left, top, width, height = run(page, "panes", body, {"times": times, "x": x, "y": y})
        assert width == height == 1 / times
        assert 0 <= left <= 1 - width and 0 <= top <= 1 - height
        assert abs(left + width / 2 - np.clip(x, width / 2, 1 - width / 2)) < 1e-9


def test_curves_of_several_seeds_are_their_mean_as_far_as_all_of_them_go(page):
    rng = np.random.default_rng(1)
    seeds = [rng.random((length, 9)).tolist() for length in (4, 3)]
    seeds[1][2][6] = None  # a score that one of them does not have
    given = [{"steps": [[1]], "evals": seeds[0]}, {"steps": [[2]], "evals": seeds[1]}]
    found = run(page, "points", "return m.averaged(g);", *given)
    every = np.array([each[:3] for each in seeds], dtype=float)
    across = [0, 1, 2]  # step, epoch and seconds are the same of all three lines
    for name, expected in (("evals", every.mean(0)), ("low", every.min(0)), ("high", every.max(0))):
        expected[:, across] = every.mean(0)[:, across]
        assert found[name][2][6] is None and len(found[name]) == 3
        assert np.array(found[name], float) == pytest.approx(expected, nan_ok=True)
    assert found["steps"] == [[1]]


def test_ticks_are_round_numbers_within_what_is_drawn(page):
    for low, high in ((0.12, 0.34), (-0.003, 0.021), (0.0, 1.0), (3.1e6, 3.3e6), (24, 81)):
        found = run(page, "dots", "return m.ticks(...g);", low, high)
        steps = np.diff(found)
        assert 2 <= len(found) <= 7 and low <= found[0] and found[-1] <= high
        assert steps == pytest.approx(steps[0]) and f"{steps[0]:.0e}"[0] in "125"
    low, high = run(page, "dots", "const a = m.axis(g); return [a.at(2), a.at(4)];", 2, 3, 4)
    assert 0 < low < 0.1 and 0.9 < high < 1
    alone = run(page, "dots", "const a = m.axis(g); return [a.at(0.5), a.ticks.length];", 0.5)
    assert alone[0] == pytest.approx(0.5) and alone[1] > 1


def test_a_line_of_dots_says_each_seed_s_score_their_mean_and_what_was_said(page):
    settings = [
        {"key": "a", "title": "<b>", "dots": [{"seed": 0, "score": 0.25}, {"seed": 1, "score": 0.5}]},
        {"key": "b", "title": "B", "dots": [{"seed": 0, "score": 0.75}], "class": "pole", "share": "1.0"},
    ]
    body = """const table = m.strip(g, 'miou', key => key === 'b' ? 'you said' : '');
        const left = [...table.querySelectorAll('.dot')].map(dot => parseFloat(dot.style.left));
        return [[...table.tBodies[0].rows].map(row => row.textContent),
            [...table.querySelectorAll('[role=img]')].map(each => each.getAttribute('aria-label')),
            left, parseFloat(table.querySelector('.mean').style.left)];"""
    rows, told, (first, second, third), mean = run(page, "dots", body, *settings)
    assert rows == ["<b>0.375", "Byou said0.750"] and told[0] == "seed 0: 0.250, seed 1: 0.500"
    assert mean == pytest.approx((first + second) / 2, abs=0.02) and third - second == pytest.approx(
        second - first, abs=0.02
    )
    assert run(page, "dots", "return m.named(...g);", "iou:rarest", settings[1]) == "IoU of pole, 1.0 % of the pixels"
    assert run(page, "dots", "return ['miou:fog', 'iou:pole', 'val_loss'].map(each => m.named(each));") == [
        "mIoU of images with fog", "IoU of pole", "Validation loss",
    ]  # fmt: skip
    assert run(page, "dots", "return [m.shown('parameters', 3093035.2), m.shown('miou', 0.12345)];") == [
        "3,093,035", "0.123",
    ]  # fmt: skip


# --- lessons

LESSON = """const lesson = (more = {}) => new m.Lesson(
    {name: 'l', hash: 'h', settings: {}, steps: [{kind: 'read'}, {kind: 'read'}, {kind: 'read'}]},
    {code: '', present: false, ...more});"""


@pytest.fixture
def known(page):
    """The page with what its scripts find in its head, and nothing kept."""
    page.evaluate("window.seglab = {lines: []}; localStorage.clear();")
    return page


def test_a_lesson_opens_whole_steps_that_it_has_also_where_it_once_had_more(known):
    body = "const one = lesson(); one.open(g[0]); return [one.at, one.reached];"
    for wanted, there in ((1.5, 1), (-3, 0), (9, 2)):
        known.evaluate("localStorage.clear()")
        assert run(known, "lesson", f"{LESSON} {body}", wanted) == [there, there]
    known.evaluate("localStorage.setItem('seglab-lesson-l', JSON.stringify({times: {0: 1, 7: 2}}))")
    assert run(known, "lesson", f"{LESSON} return lesson().reached;") == 2


def test_a_server_that_does_not_answer_is_told_in_the_page_s_words(known):
    body = """const told = [];
        for (const answer of [async () => { throw new TypeError('Failed'); }, async () => new Response('<b>')]) {
            window.fetch = answer;
            told.push(await m.known('lesson/l').catch(({message}) => message));
        }
        return told;"""
    assert run(known, "lesson", body) == ["The server does not answer. Try again in a while."] * 2


def test_a_lesson_that_is_closed_hears_nothing_of_the_page_any_more(known):
    body = """const one = lesson(), heard = [];
        one.hear(document, 'said', () => heard.push(1));
        document.dispatchEvent(new Event('said'));
        one.close();
        document.dispatchEvent(new Event('said'));
        return heard.length;"""
    assert run(known, "lesson", f"{LESSON} {body}") == 1


def test_the_way_to_a_lesson_from_elsewhere_has_the_class_s_code(known):
    body = """window.fetch = async () => new Response(JSON.stringify({name: 'l_0', own: 'xyz'}));
        const {bring} = await import('./brought.js');
        await bring('xyz');
        return ['K7QF', ''].map(code => m.wayTo({name: 'l_0', code}));"""
    assert run(known, "classroom", body) == [f"{PAGE}#learn?own=xyz&class=K7QF", f"{PAGE}#learn?own=xyz"]


def test_what_could_not_be_asked_about_a_class_s_lesson_is_asked_again(known):
    body = """const sheets = new m.Sheets(), told = [];
        for (const answer of [{error: 'down'}, {steps: [], evidence: {}}]) {
            window.fetch = async () => new Response(JSON.stringify(answer), {status: answer.error ? 500 : 200});
            told.push(await sheets.lesson('l').then(() => 'here', ({message}) => message));
        }
        return told;"""
    assert run(known, "sheets", body) == ["down", "here"]


def test_a_sheet_of_a_lesson_on_other_data_is_one_and_an_answer_of_another_kind_is_wrong(page):
    sheet = {"sheet": 1, "hash": "0" * 16, "number": "0" * 32}
    body = """const start = '<script type="application/json" id="seglab-sheet">';
        return g.map((each) => m.parsed(`${start}${JSON.stringify(each)}</script>`)?.lesson ?? null);"""
    names = ["a", "a.camvid", "a.b.c", "../a", "A"]
    assert run(page, "handed", body, *({**sheet, "lesson": name} for name in names)) == ["a", "a.camvid", *[None] * 3]
    body = "return g.map((value) => m.right({answer: 'several'}, value, {right: ['a', 'b']}));"
    assert run(page, "handed", body, ["b", "a"], ["a"], "ab", 2, None) == [True, False, False, False, None]


def test_runs_come_by_age_whenever_the_page_hears_of_them(page):
    def told(name, made):
        return {"run": name, "made": made, "state": "completed", "kind": "own" if made else "shipped"}

    news = [[told("c", 3), told("unet", 0)], [told("a", 1), told("b", 2)], [told("d", 4), told("kept", 0)]]
    body = "news.forEach((rows, n) => m.store.take({ v: n, rows, all: n === 0 })); return [...m.store.rows.keys()]"
    assert run(page, "store", f"const news = g[0]; {body}", news) == ["d", "c", "b", "a", "unet", "kept"]
