"""The laboratory's answers, without a browser: numbers and label maps are those of the files."""

import itertools
import json
import re
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, quote

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage
from sklearn.metrics import jaccard_score
from starlette.applications import Starlette
from starlette.testclient import TestClient

from seglab import runs
from seglab.comparison import compare
from seglab.comparison.pairs import pair_of
from seglab.ui import page as whole_page
from seglab.ui.parts import counting, findings, lab
from tests.conftest import finish, tiny
from tests.page import Event, Request, done, heard

NAMES = ("unet", "unet_vgg16")


@pytest.fixture
def client(monkeypatch):
    monkeypatch.setattr(counting, "STRIDE", 60)  # a busy machine may take its time
    lab.laboratory.cache_clear()
    return TestClient(Starlette(routes=whole_page.ROUTES))


def address(place, names, **query):
    asked = [f"run={quote(name)}" for name in names] + [f"{key}={quote(value)}" for key, value in query.items()]
    return f"/seglab/{place}?{'&'.join(asked)}"


def opened(client, *names, **query):
    answer = client.get(address("lab", names, **query))
    assert answer.status_code == 200
    return json.loads(answer.text, parse_constant=pytest.fail)  # no NaN


def plain(found):
    """The sides that runs are as they are, without those through the CRF."""
    return [side for side in found["sides"] if "|" not in side["run"]]


def stored(name, folder):
    return [np.asarray(Image.open(file)) for file in sorted((runs.find(name) / folder).glob("*.png"))]


def test_two_shipped_runs_are_opened_with_all_that_can_be_said_in_numbers(client):
    found = opened(client, *NAMES)
    directories = [runs.find(name) for name in NAMES]
    pair = pair_of(compare(directories), directories)
    assert [found["a"], found["b"]] == found["runs"] == list(NAMES)
    assert found["verdict"]["difference"] == pair.verdict.difference
    assert found["verdict"]["sentences"][0].startswith("On these 50 images unet_vgg16 is lower than unet by 0.033")
    assert [image["counts"] for image in found["images"]] == pair.agreement.counts.tolist()
    assert found["images"][13]["slice"] == "rain" and found["orders"]["difference"][0] == 13
    truth, labels = stored("unet", "truth")[13], stored("unet", "predictions")[13]
    assert found["images"][13]["size"] == list(truth.shape)
    assert found["images"][13]["a"] == pytest.approx(jaccard_score(truth.ravel(), labels.ravel(), average="macro"))
    assert [name for _, name in found["classes"]] == pair.classes
    assert "val_0063" in found["images"][13]["name"] and found["photos"].endswith("/photo/")


def test_label_maps_come_as_bytes_in_the_order_of_the_images(client):
    found = opened(client, *NAMES)
    assert found["pages"] == [0]
    content = client.get(address("lab/maps/0", NAMES)).content
    expected = zip(stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES), strict=True)
    assert content == b"".join(each.tobytes() for image in expected for each in image)
    assert client.get(address("lab/maps/1", NAMES)).status_code == 404
    counts = {f"epochs_{side}": str(len(found["epochs"][n])) for n, side in enumerate("ab")}
    replayed = client.get(address("lab/replay", NAMES, **counts)).content
    maps = [
        np.asarray(Image.open(file))
        for name, epochs in zip(NAMES, found["epochs"], strict=True)
        for epoch in epochs
        for file in sorted((runs.find(name) / "samples" / f"epoch_{runs.epoch_text(epoch)}").glob("*.png"))
    ]
    assert replayed == b"".join(each.tobytes() for each in maps) and len(found["samples"]) == 4
    one = client.get(address("lab/replay", NAMES, epochs_a="1", epochs_b="2")).content  # as many as the page knows of
    per_epoch = len(replayed) // 20
    assert one == replayed[:per_epoch] + replayed[10 * per_epoch : 12 * per_epoch]


def test_large_sets_come_a_page_at_a_time(client, monkeypatch):
    monkeypatch.setattr(lab, "MOST_PIXELS", 3 * 7 * 96 * 128)
    found = opened(client, *NAMES)
    assert found["pages"] == list(range(0, 50, 7))
    last = client.get(address("lab/maps/7", NAMES)).content
    assert (
        last
        == b"".join(
            each.tobytes()
            for image in zip(stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES), strict=True)
            for each in image
        )[-len(last) :]
        and len(last) == 3 * 96 * 128
    )
    monkeypatch.setattr(lab, "MOST_PIXELS", 10)
    lab.laboratory.cache_clear()
    assert opened(client, *NAMES)["pages"] == list(range(50))


def test_any_two_of_the_shown_runs_are_sides(client):
    names = ("encoder_decoder", *NAMES)
    found = opened(client, *names)
    assert [side["run"] for side in plain(found)] == list(names)
    assert (found["a"], found["b"]) == ("encoder_decoder", "unet")
    assert {side: opened(client, *names, a="unet_vgg16")[side] for side in "ab"} == {
        "a": "unet_vgg16", "b": "encoder_decoder",
    }  # fmt: skip
    turned = opened(client, *names, a="unet_vgg16", b="unet")
    assert (turned["a"], turned["b"]) == ("unet_vgg16", "unet") and turned["verdict"]["difference"] > 0
    for a, b in (("nowhere", "unet"), ("unet", "unet"), ("../x", "")):
        found = opened(client, *names, a=a, b=b)
        assert found["a"] != found["b"] and "error" not in found


def test_seeds_of_a_setting_are_one_side_and_go_by_their_own_names(runs_home, client):
    for seed in (0, 1):
        for width in (4, 6):
            model = {"name": "unet", "width": width, "depth": 2}
            directory = finish(runs.create(tiny(model=model, seed=seed), f"wide {width} {seed}"))
            assert directory.name == f"wide {width} {seed}"
    names = [f"wide {width} {seed}" for seed in (0, 1) for width in (4, 6)]
    found = opened(client, *names)
    assert [side["seeds"] for side in plain(found)] == [2, 2] and found["verdict"]["about"] == "settings"
    found = opened(client, "wide 4 0", "wide 6 1")
    assert [side["name"] for side in plain(found)] == ["wide 4 0", "wide 6 1"]


def test_runs_that_cannot_be_compared_say_why_and_too_few_say_nothing(runs_home, client):
    done("other", data={"name": "streets", "val_images": 5})
    found = opened(client, "unet", "other")
    assert "scored on different images" in found["error"] and "verdict" not in found
    assert plain(opened(client, "unet")) == [{"run": "unet", "name": "unet", "seeds": 1}]
    assert opened(client) == {"sides": [], "grid": False}
    runs.create(tiny(), "begun")
    assert [side["run"] for side in plain(opened(client, "unet", "begun"))] == ["unet"]
    assert client.get(address("lab", ["nowhere", "unet"])).status_code == 404
    one, other = done("one", seed=1), done("two", seed=2)
    (runs.create(tiny(), "broken") / "config.json").write_bytes(b"{")
    assert "verdict" in opened(client, "one", "two", "broken")  # a damaged run is left out, and told by the scoreboard
    assert opened(client, "one", "two", a="two")["a"] == "two"
    (other / "evaluation.npz").write_bytes(b"damaged")
    lab.laboratory.cache_clear()  # as in another process
    assert "evaluation.npz" in opened(client, one.name, other.name)["error"]


def test_validation_images_are_pictures_with_an_address(client):
    found = opened(client, *NAMES)
    answer = client.get("/" + found["photos"] + "13.webp?v=" + found["version"])
    assert answer.status_code == 200 and answer.headers["content-type"] == "image/webp"
    assert client.get("/" + found["photos"] + "50.webp").status_code == 404


def test_thirty_visitors_on_one_pair_cost_one_computation(client, monkeypatch):
    from seglab.comparison import borders, pairs

    counts = {"agreement": 0, "borders": 0}
    for module, name in ((pairs, "agreement"), (borders, "borders")):
        real = getattr(module, name)

        def counting(*given, name=name, real=real):
            counts[name] += 1
            return real(*given)

        monkeypatch.setattr(module, name, counting)
    with ThreadPoolExecutor(30) as pool:
        answers = list(pool.map(lambda _: opened(client, *NAMES), range(30)))
        written = list(pool.map(lambda _: client.get(address("lab/why", NAMES)).text, range(30)))
        told = list(pool.map(lambda _: counted(), range(30)))
    assert counts == {"agreement": 1, "borders": 1}
    assert all(answer == answers[0] for answer in answers) and len(written) == 30
    assert all(each[-1] == {"kind": "counted", "of": list(NAMES)} for each in told)
    assert len({client.get(address("lab/why", NAMES)).text for _ in range(3)}) == 1


def counted(names=NAMES, a=NAMES[0], b=NAMES[1]):
    """What a page hears until what happens at borders is there."""
    return [heard(each) for each in lab.count_borders(Event(runs=list(names), a=a, b=b), Request())]


def test_where_images_are_large_borders_come_later_than_the_rest(client, monkeypatch):
    """No image is gone through at once: one a step, by whoever asks."""
    monkeypatch.setattr(counting, "STRIDE", 0)
    monkeypatch.setattr(counting, "PATIENCE", 0)
    monkeypatch.setattr(counting.time, "monotonic", itertools.count().__next__)
    html = client.get(address("lab/why", NAMES)).text
    assert "<progress" in html and "Boundary IoU" not in html and "<h3>Confusion" in html
    early = client.get(address("lab/borders", NAMES))
    assert early.status_code == 404 and "have not been looked at" in early.json()["error"]
    early = client.get(address("lab/bin/3", NAMES))
    assert early.status_code == 404 and "have not been looked at" in early.json()["error"]
    report = client.get(address("lab/report", NAMES)).text
    assert "<progress" not in report and "save the report again" in report
    monkeypatch.setattr(counting, "STRIDE", 2)
    asking = lab.count_borders(Event(runs=list(NAMES), a="unet", b="unet_vgg16"), Request())
    assert [heard(next(asking))["share"] for _ in range(2)] == [1 / 50, 2 / 50]
    asking.close()  # a visitor leaves; another goes on from there
    told = counted()
    assert [each["share"] for each in told[:-1]] == [n / 50 for n in range(3, 51)] and told[-1]["kind"] == "counted"
    assert counted() == [{"kind": "counted", "of": list(NAMES)}]
    late = client.get(address("lab/borders", NAMES)).text
    assert "Boundary IoU" in late and late in client.get(address("lab/why", NAMES)).text


class Taken:
    """A lock that somebody else has until it is asked for."""

    def __init__(self):
        self.lock, self.asked = threading.Lock(), threading.Event()
        self.lock.acquire()
        threading.Thread(target=lambda: self.asked.wait() and self.lock.release(), daemon=True).start()

    def acquire(self, timeout):
        self.asked.set()
        return self.lock.acquire(timeout=timeout)

    def release(self):
        self.lock.release()


def test_a_report_waits_for_another_visitor_who_counts_at_borders(client, monkeypatch):
    monkeypatch.setattr(counting, "PATIENCE", 60)
    lab.asked([runs.find(name) for name in NAMES], *NAMES).borders.lock = Taken()
    report = client.get(address("lab/report", NAMES)).text
    assert "Boundary IoU" in report and "save the report again" not in report


def test_what_orders_images_is_counted_from_the_files(client):
    truth, first, second = (stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES))
    for k, label in ((9, 1), (3, 3)):
        found = client.get(address(f"lab/cell/{k}/{label}", NAMES)).json()
        expected = [
            ((t == k) & ((a == label) ^ (b == label))).sum() for t, a, b in zip(truth, first, second, strict=True)
        ]
        assert found == expected and sum(found)
    assert client.get(address("lab/bin/0", NAMES)).status_code == 404  # before they are counted
    counted()
    for number, (low, high) in enumerate(itertools.pairwise([0, 1, 2, 4, 8, np.inf])):
        expected = []
        for t, a, b in zip(truth, first, second, strict=True):
            padded = np.pad(t.astype(int), 1, mode="edge")
            shifted = [padded[y : y + t.shape[0], x : x + t.shape[1]] for y, x in ((0, 1), (2, 1), (1, 0), (1, 2))]
            away = ndimage.distance_transform_edt(~np.any([each != t for each in shifted], 0))
            here = (away >= low) & (away < high)
            expected.append(abs(int((here & (a != t)).sum()) - int((here & (b != t)).sum())))
        assert client.get(address(f"lab/bin/{number}", NAMES)).json() == expected
    for wrong in ("cell/11/0", "cell/0/11", "bin/5"):
        assert client.get(address(f"lab/{wrong}", NAMES)).status_code == 404


def test_regions_of_suspicious_truth_are_where_both_say_the_same(client):
    found = client.get(address("lab/regions", NAMES)).json()
    truth, first, second = (stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES))
    assert len(found) == 50 and found == sorted(found, key=lambda each: -each["pixels"])
    for region in found[:10]:
        x, y, width, height = region["box"]
        t, a, b = (each[region["image"]][y : y + height, x : x + width] for each in (truth, first, second))
        assert ((a == b) & (a != t)).sum() >= region["pixels"] >= 4
        assert ((t == region["truth"]) & (a == region["said"]) & (b == region["said"])).any()


def test_what_cannot_be_counted_is_told_each_time(client, runs_home):
    done("one", seed=1)
    other = done("two", seed=2)
    opened(client, "one", "two")
    for file in (other / "predictions").glob("*.png"):
        file.write_bytes(b"damaged")
    for _ in range(2):
        (told,) = counted(("one", "two"), "one", "two")
        assert told["kind"] == "counted" and "not an image" in told["error"]
    html = client.get(address("lab/why", ["one", "two"])).text
    assert "<h3>Confusion" in html and "<progress" in html  # all else is there
    for nonsense in ({}, {"runs": 7, "a": 1, "b": None}, {"runs": ["nowhere"]}):
        (told,) = [heard(each) for each in lab.count_borders(Event(nonsense), Request())]
        assert told["kind"] == "counted" and told["error"]


def table(html, title):
    """The rows of the table below a heading, as texts."""
    below = html[html.index(title) :]
    rows = re.findall(r"<tr.*?</tr>", below[: below.index("</table>")], re.DOTALL)
    return [
        [re.sub(r"<[^>]*>", "", cell).strip() for cell in re.findall(r"<t[hd].*?</t[hd]>", row, re.DOTALL)]
        for row in rows
    ]


def test_whether_it_is_real_is_told_of_networks_of_settings_and_by_other_definitions(client, runs_home):
    html = client.get(address("lab/real", NAMES)).text
    assert "On these 50 images unet_vgg16 is lower" in html and "Nothing can be said of the settings yet" in html
    rows = table(html, "The same masks, counted otherwise")
    truth, *labels = stored("unet", "truth"), *(stored(name, "predictions") for name in NAMES)
    means = [
        np.mean([jaccard_score(t.ravel(), p.ravel(), average="macro") for t, p in zip(truth, each, strict=True)])
        for each in labels
    ]
    assert rows[1][1:4] == ["0.671", "0.637", "-0.033"]
    assert rows[2][1:4] == [f"{means[0]:.3f}", f"{means[1]:.3f}", f"{means[1] - means[0]:+.3f}"]
    for width in (4, 6):
        for seed in (0, 1):
            data = {"name": "streets", "train_images": 4, "val_images": 24, "size": 64}
            model = {"name": "unet", "width": width, "depth": 2}
            finish(runs.create(tiny(model=model, seed=seed, data=data), f"wide {width} {seed}"))
    names = [f"wide {width} {seed}" for width in (4, 6) for seed in (0, 1)]
    html = client.get(address("lab/real", names)).text
    directories = [runs.find(name) for name in names]
    pair = pair_of(compare(directories), directories)
    seeds = table(html, "These two settings")
    assert seeds[0][1:] == ["0", "1"] and seeds[1][1:] == [f"{each:+.3f}" for each in pair.verdict.by_seed]
    assert "Nothing can be said" not in html and "To see a difference of 0.01 takes about" in html
    assert "비슷한 다른 이미지" in client.get(address("lab/real", NAMES, lang="ko")).text


def test_where_no_number_of_seeds_would_do_the_page_says_so():
    from seglab.comparison.intervals import Variances
    from seglab.comparison.verdicts import without

    none = without("settings", 20, 0.0)
    assert findings.power(none, "en") == ""
    enough, few = Variances((0.02**2,), 0, 0, 20), Variances((0.02**2,), 0, 0.005**2, 20)
    assert "takes about 34 seeds of each" in findings.power(replace(none, variances=enough, seeds=(33, 40)), "en")
    assert findings.power(replace(none, variances=enough, seeds=(34, 34)), "en") == ""
    many = findings.power(replace(none, variances=few), "en")
    assert many == "No number of seeds would show a difference of 0.01: it takes more images."


def test_why_they_differ_is_told_by_classes_borders_mistakes_and_images(client):
    counted()
    html = client.get(address("lab/why", NAMES)).text
    truth, first, second = (
        np.stack(each) for each in (stored("unet", "truth"), *(stored(n, "predictions") for n in NAMES))
    )
    names = runs.description(runs.find("unet"))["classes"]
    rows = {row[0]: row for row in table(html, "<h3>Classes")[1:]}
    assert list(rows)[:3] == ["pole", "person", "fence"] and len(rows) == 11
    scores = [jaccard_score(truth.ravel(), each.ravel(), average=None) for each in (first, second)]
    for n, name in enumerate(names):
        assert rows[name][2:4] == [f"{scores[0][n]:.3f}", f"{scores[1][n]:.3f}"]
        assert rows[name][1] == f"{100 * (truth == n).mean():.1f} %"
    borders_rows = table(html, "<h3>Borders")
    near = np.array([[float(cell.rstrip(" %")) for cell in row[1:]] for row in borders_rows[1:]])
    total = near[0] @ near[1] / 100
    assert total == pytest.approx(100 * (first != truth).mean(), abs=0.1)
    rows = table(html, "<h3>Confusion")
    k, j = names.index("pole"), names.index("building")
    share = [100 * ((truth == k) & (each == j)).sum() / (truth == k).sum() for each in (first, second)]
    assert rows[k + 1][j + 1] == f"{share[1] - share[0]:+.1f}"
    rows = {row[0]: row for row in table(html, "something in common")[1:]}
    assert {"day", "dusk", "fog", "rain", "with fence"} <= set(rows)
    places = [n for n in range(50) if runs.opened(runs.find("unet")).val.domain(f"val_{n + 50:04}") == "fog"]
    fog = [jaccard_score(truth[places].ravel(), each[places].ravel(), average="macro") for each in (first, second)]
    assert rows["fog"][1:4] == [str(len(places)), f"{fog[0]:.3f}", f"{fog[1]:.3f}"]
    assert "경계" in client.get(address("lab/why", NAMES, lang="ko")).text


def test_of_two_sides_that_are_the_same_no_classes_are_said_to_cancel_out(client):
    for name in ("same one", "same two"):
        done(name, data={"name": "streets", "train_images": 4, "val_images": 24, "size": 64})
    html = client.get(address("lab/why", ["same one", "same two"])).text
    assert {row[4] for row in table(html, "<h3>Classes")[1:]} <= {"+0.000", "–"} and "cancel each other" not in html


def test_where_classes_cancel_out_no_shares_are_shown(client, monkeypatch):
    from seglab.comparison import intervals

    html = client.get(address("lab/why", NAMES)).text
    assert all(row[6].endswith(" %") for row in table(html, "<h3>Classes")[1:]) and "cancel each other" not in html
    monkeypatch.setattr(intervals, "MOST_CANCELLED", 0.5)
    lab.laboratory.cache_clear()
    html = client.get(address("lab/why", NAMES)).text
    assert {row[6] for row in table(html, "<h3>Classes")[1:]} == {"–"} and "cancel each other out" in html
    directories = [runs.find(name) for name in NAMES]
    assert {each["carried"] for each in pair_of(compare(directories), directories).as_json()["per_class"]} == {None}


def test_two_sides_are_computed_again_only_where_one_of_their_runs_has_changed(client, runs_home):
    first, second = opened(client, *NAMES), opened(client, *NAMES, a="unet")
    before = lab.laboratory.cache_info().misses
    for junk in ("nowhere", "else"):  # the sides that are there instead are the same
        opened(client, *NAMES, b=junk)
    running = runs.create(tiny(), "running")
    opened(client, *NAMES, running.name)
    assert first == second and lab.laboratory.cache_info().misses == before


def test_a_side_is_found_by_any_of_its_runs(client, runs_home):
    for seed in (0, 1):
        for width in (4, 6):
            model = {"name": "unet", "width": width, "depth": 2}
            finish(runs.create(tiny(model=model, seed=seed), f"wide {width} {seed}"))
    names = [f"wide {width} {seed}" for width in (4, 6) for seed in (0, 1)]
    found = opened(client, *names, a="wide 6 1", b="wide 4 1")
    assert (found["a"], found["b"]) == ("wide 6 0", "wide 4 0")


def test_folds_are_shown_with_all_their_images(client, runs_home):
    names = []
    for width in (4, 6):
        for n in (1, 0):  # whatever their order
            model = {"name": "unet", "width": width, "depth": 2}
            names.append(finish(runs.create(tiny(model=model, fold={"index": n, "of": 2}), f"fold {width} {n}")).name)
    found = opened(client, *names)
    assert "folds" in found["verdict"]["sentences"][0] and found["samples"] == [] and found["photos"] == ""
    content = client.get(address("lab/maps/0", names)).content
    assert len(content) == 3 * sum(height * width for height, width in (image["size"] for image in found["images"]))


def test_two_seeds_more_are_offered_first_those_of_the_other_side(client, runs_home):
    for seed in (0, 2):
        done(f"a {seed}", seed=seed)
    done("b 0", seed=0, epochs=1)
    html = client.get(address("lab/real", ["a 0", "a 2", "b 0"])).text
    links = [parse_qs(unescape(each)) for each in re.findall(r'href="#train\?([^"]+)"', html)]
    assert [link["seed"] for link in links] == [["1,3"], ["2,1"]]
    assert [link["epochs"] for link in links] == [["2"], ["1"]] and "about 1 min" in html
    once = client.get(address("lab/real", ["a 0", "b 0"])).text
    assert len(re.findall(r'href="#train', once)) == 2 and "Nothing can be said of the settings yet" in once
