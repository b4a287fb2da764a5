"""The report of two sides: everything in one file, of the runs' own numbers."""

import base64
import io
import json
import re
import shutil
import zlib
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from seglab import cli, runs
from seglab.comparison import compare
from seglab.comparison.pairs import pair_of
from seglab.ui import assets
from seglab.ui.parts.lab import Laboratory, recipe
from seglab.ui.parts.report import ELSEWHERE, report
from tests.page import done

NAMES = ("unet", "unet_vgg16")
OUTSIDE = re.compile(
    r"""(?:src|href|action)=["'](?!#|data:)|url\((?!#)|https?://(?!www\.w3\.org/|creativecommons|purl)"""
)


def laboratory(*names):
    directories = [runs.find(name) for name in names]
    return Laboratory(pair_of(compare(directories), directories))


@pytest.fixture(scope="module")
def written():
    return report(laboratory(*NAMES), "en")


def held(html, name):
    return json.loads(re.search(rf'id="{name}">(.*?)</script>', html, re.S)[1], parse_constant=pytest.fail)


def test_two_sides_fit_into_600_kilobytes_with_all_their_images(written):
    assert len(written.encode()) < 600_000
    assert len(held(written, "report")["images"]) == 50


def test_the_style_of_the_form_is_not_in_it(written):
    page = assets.assets()["style.css"].decode()
    assert all(f"\n/* {heading} */\n" in page for heading in ELSEWHERE)
    assert ".launch" in page and ".launch" not in written and ".panes" in written


def test_nothing_in_it_is_elsewhere(written):
    scripts = re.search(r'"importmap">(.*?)</script>', written, re.S)[1]
    modules = json.loads(scripts)["imports"]
    plain = {name: base64.b64decode(address.partition(",")[2]).decode() for name, address in modules.items()}
    for text in plain.values():
        wanted = re.findall(r"""(?:^import |from |import\()["']([^"']+)["']""", text, re.M)
        assert set(wanted) <= modules.keys()
    assert "seglab/report" in modules and not OUTSIDE.findall(written.replace(scripts, ""))


def test_label_maps_and_numbers_in_it_are_those_of_the_files(written):
    data = held(written, "report")
    evidence, other = (runs.Evidence(runs.find(name)) for name in NAMES)
    for n, packed in enumerate(data["maps"]):
        truth, first, second = np.frombuffer(zlib.decompress(base64.b64decode(packed)), np.uint8).reshape(3, 96, 128)
        assert data["images"][n]["name"] == evidence.names[n]
        assert np.array_equal(truth, evidence.truth(n))
        assert np.array_equal(first, evidence.labels(n)) and np.array_equal(second, other.labels(n))
    assert Image.open(io.BytesIO(base64.b64decode(data["photos"][0]))).size == (128, 96)
    replay = np.frombuffer(zlib.decompress(base64.b64decode(data["replay"])), np.uint8).reshape(2, 10, 4, 96, 128)
    for side, each in zip(replay, (evidence, other), strict=True):
        assert np.array_equal(side[-1, 2], each.sampled(10)[2])
    assert 0 < len(data["regions"]) <= 50 and data["regions"][0]["pixels"] == max(r["pixels"] for r in data["regions"])
    assert data["totals"] == np.sum([image["counts"] for image in data["images"]], 0).tolist()
    assert data["verdict"]["sentences"][0] in written
    assert all(command in written.replace("&#39;", "'") for side in data["recipes"] for command in side["commands"])
    assert [each["model"]["name"] for each in held(written, "configurations")] == list(NAMES)


def test_a_report_in_korean_is_korean():
    html = report(laboratory(*NAMES), "ko")
    assert '<html lang="ko">' in html and "검증 mIoU" in html and "누가 맞" in str(held(html, "texts").values())
    seen = re.sub(r"(?s)<(script|style).*?</\1>", "", html)
    for english in ("differ", "Ground truth", "Validation", " images", "Seconds", "How it"):
        assert english not in seen


def test_a_stored_matrix_that_is_changed_changes_the_report(runs_home, written):
    copies = [shutil.copytree(runs.find(name), runs_home / f"{name} copy") for name in NAMES]
    with np.load(copies[1] / "evaluation.npz") as arrays:
        stored = dict(arrays)
    stored["val"] = stored["val"].copy()
    stored["val"][0] = np.diag(stored["val"][0].sum(1))  # as if the first image were labeled without a mistake
    np.savez(copies[1] / "evaluation.npz", **stored)
    changed = report(laboratory(*(each.name for each in copies)), "en")
    before, after = held(written, "report")["verdict"], held(changed, "report")["verdict"]
    assert after["difference"] > before["difference"] and after["sentences"] != before["sentences"]
    assert after["sentences"][0] in changed and before["sentences"][0] not in changed


def test_of_large_images_those_that_differ_most_are_in_it(monkeypatch):
    from seglab.ui.parts import report as module

    monkeypatch.setattr(module, "MOST", 0)
    monkeypatch.setattr(module, "LEAST", 60_000)
    lab = laboratory(*NAMES)
    data = held(report(lab, "en"), "report")
    names = [image["name"] for image in data["images"]]
    most = [lab.pair.names[n] for n in lab.pair.agreement.order("difference")]
    assert 5 < len(names) < 20 and set(names) == set(most[: len(names)]) and data["all"] == 50
    assert [names[n] for n in data["orders"]["difference"]] == most[: len(names)]
    regions = [data["images"][each["image"]]["name"] for each in data["regions"]]
    assert regions == [lab.pair.names[each.image] for each in lab.pair.regions if lab.pair.names[each.image] in names]
    assert data["samples"] == [] and data["replay"] == ""  # there is no room for it


def test_a_name_cannot_write_into_the_report(runs_home):
    one, other = done("mean"), done("other", epochs=1)
    runs.rename(one, '</script><img src=x onerror="alert(1)">')
    html = report(laboratory(one.name, other.name), "en")
    assert "<img src=x" not in html and "&lt;img src=x" in html


def command(*arguments):
    with pytest.raises(SystemExit) as left:
        cli.main(arguments)
    return left.value.code


def test_no_class_is_taken_for_a_place_in_the_report(monkeypatch):
    known = runs.description(runs.find("unet"))
    names = ["{{report}}", "x onfocus=alert(1) autofocus y", *known["classes"][2:]]
    monkeypatch.setattr(runs, "description", lambda directory: known | {"classes": names})
    html = report(laboratory(*NAMES), "en")
    found = []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attributes: found.extend(name for name, _ in attributes)
    parser.feed(html)
    assert len(html.encode()) < 600_000 and "class" in found and "onfocus" not in found
    assert [name for _, name in held(html, "report")["classes"]] == names


def test_a_report_is_made_once(monkeypatch):
    from seglab.ui.parts import report as module

    lab, made = laboratory(*NAMES), []
    monkeypatch.setattr(module, "made", lambda lab, lang: made.append(lang) or lang)
    lab.borders.begin(60)
    assert [report(lab, lang) for lang in ("en", "ko", "en", "ko")] == ["en", "ko", "en", "ko"]
    assert made == ["en", "ko"]


def test_the_command_writes_it_and_needs_two_sides(tmp_path, capsys, runs_home):
    file = tmp_path / "report.html"
    command("compare", *NAMES, "--html", str(file))
    assert held(file.read_text(encoding="utf-8"), "report")["names"] == dict(zip("ab", NAMES, strict=True))
    assert command("compare", "unet", "--html", str(tmp_path / "one.html")) == 2
    assert "two sides" in capsys.readouterr().err and not (tmp_path / "one.html").exists()
    assert command("compare", *NAMES, "--html", str(tmp_path / "report.txt")) == 2
    assert "the ending '.txt' is not known; known: .html" in capsys.readouterr().err


def test_a_side_s_recipe_makes_the_same_run_again():
    lab = laboratory(*NAMES)
    made = recipe(lab.pair.b)
    assert made["runs"] == ["unet_vgg16"] and made["settings"]["model"] == "unet_vgg16"
    assert made["commands"][0].startswith("seglab train") and "--model unet_vgg16" in made["commands"][0]
