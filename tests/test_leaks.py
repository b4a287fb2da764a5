"""Runs that were trained on what they are scored on, and what a run keeps of its photographs."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from seglab import comparison, runs
from seglab.cli import main
from seglab.data.images import read_photo
from tests.conftest import tiny

LOW_FIRST = sorted((f"a{n}" for n in range(99)), key=lambda name: hashlib.sha256(name.encode()).digest())


def scene(n: int, deep: bool = False) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(n)
    ids = np.zeros((32, 48), np.uint8)
    top, left = rng.integers(0, 20, 2)
    ids[top : top + 10, left : left + 12] = 1
    image = rng.integers(40, 80, (32, 48, 3)) + 120 * ids[..., None]
    return (image[..., 0] * 16).astype(np.uint16) if deep else image.astype(np.uint8), ids


def folder(root, names, deep=False):
    """A folder without a split: those whose names' sha256 is low are for validation."""
    for name in names:
        image, ids = scene(int(name[1:]), deep)
        for kind, pixels in (("images", image), ("masks", ids)):
            (root / kind).mkdir(parents=True, exist_ok=True)
            Image.fromarray(pixels).save(root / kind / f"{name}.png")
    return {"name": "folder", "root": str(root)}


def trained(name, **options):
    directory = runs.create(tiny(**{"image_size": 48, "epochs": 1} | options), name)
    events = list(runs.work(directory))
    return directory, " ".join(str(note.error()) for note in events[0].notes)


def seglab(*words):
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code


def test_images_that_the_first_weights_learned_from_are_told(tmp_path, capsys):
    old = LOW_FIRST[:10]
    first, notes = trained("first", data=folder(tmp_path / "v1", old))
    assert "learned" not in notes
    grown = folder(tmp_path / "v2", old + LOW_FIRST[-30:])  # now all that are held out come first
    second, notes = trained("second", data=grown, init_from=str(first))
    known = json.loads((second / "dataset.json").read_text())
    held = {*known["images"]["search"], *known["images"]["val"]}
    learned = set(json.loads((first / "dataset.json").read_text())["images"]["train"])
    count = len(held & learned)
    assert count > 5 and f"{count} of the {len(held)} validation images were learned from by the runs" in notes

    third, notes = trained("third", data=folder(tmp_path / "v3", LOW_FIRST[:20]), init_from=str(second))
    known = json.loads((third / "dataset.json").read_text())  # it inherits what its first run's first run saw
    assert set(known["learned"]) >= set(json.loads((first / "dataset.json").read_text())["pictures"]["train"])

    rows = comparison.compare([first, second]).rows
    assert [row.leak for row in rows] == [False, True]
    assert any(
        "second" in str(each) or "build on" in str(each)
        for each in comparison.cautions(comparison.compare([first, second]))
    )
    capsys.readouterr()
    assert seglab("evaluate", "second") == 0
    told = capsys.readouterr().err
    assert "images were learned from by second, or by runs that its weights come from" in told
    assert seglab("evaluate", "first") == 0
    assert "learned" not in capsys.readouterr().err


def test_a_folder_that_grew_after_training_is_told_when_it_is_scored(tmp_path, capsys):
    old = LOW_FIRST[:10]
    trained("run", data=folder(tmp_path / "mine", old))
    folder(tmp_path / "mine", LOW_FIRST[-30:])
    capsys.readouterr()
    assert seglab("evaluate", "run", "--json") == 0
    out, told = capsys.readouterr()
    assert json.loads(out)["images"] == 4 and "4 of the 4 images were learned from by run" in told


@pytest.mark.parametrize("parts", [2, 6])
def test_folds_of_single_images_say_that_they_choose_what_they_report(parts):
    data = {"name": "streets", "train_images": 6, "val_images": 4, "size": 64}
    directory, notes = trained("fold", data=data, fold={"index": 0, "of": parts})
    assert ("choose the best epoch and are reported too: 1" in notes) == (parts == 6)
    result = comparison.compare([directory])
    assert result.rows[0].reused == (parts == 6)
    assert any("choose the best epoch" in str(each) for each in comparison.cautions(result)) == (parts == 6)


def test_a_run_keeps_the_span_of_deep_photographs_and_predicts_by_it(tmp_path, capsys):
    run, notes = trained("deep", data=folder(tmp_path / "deep", LOW_FIRST[:8], deep=True))
    low, high = json.loads((run / "dataset.json").read_text())["span"]
    assert (low, high) == (640, 3184) and "values from 640 to 3184 are shown as black to white" in notes
    model = runs.load(run)
    assert model.span == (low, high)
    photo = tmp_path / "deep/images" / f"{LOW_FIRST[0]}.png"
    sample = model.config.data.open().val.load(LOW_FIRST[0])
    assert np.array_equal(sample.image, read_photo(photo, span=model.span))
    dark = tmp_path / "dark.png"  # by its own span it would be as bright as the others
    Image.fromarray(np.full((32, 48), 640, np.uint16) + np.arange(48, dtype=np.uint16)).save(dark)
    assert seglab("predict", "deep", dark, photo, "--out", tmp_path / "out") == 0
    assert np.asarray(Image.open(tmp_path / "out/dark_overlay.png"))[..., 2].max() < 255
    plain, _ = trained("plain", data=folder(tmp_path / "plain", LOW_FIRST[:8]))
    assert runs.load(plain).span is None
    capsys.readouterr()
    assert seglab("evaluate", "deep") == 0 and "trained with others" not in capsys.readouterr().err
    bright = np.linspace(0, 60_000, 48 * 32).astype(np.uint16).reshape(32, 48)  # the set has grown brighter
    Image.fromarray(bright).save(tmp_path / "deep/images" / f"{LOW_FIRST[1]}.png")
    assert seglab("evaluate", "deep") == 0 and "deep was trained with others (640–3184)" in capsys.readouterr().err
