"""Masks of a few validation images after each epoch: their addresses, and the pictures behind them."""

import io
import re

import numpy as np
import pytest
from PIL import Image

from seglab import runs
from seglab.data.masks import write_mask
from seglab.errors import SeglabError
from seglab.ui.parts import masks
from tests.conftest import tiny
from tests.page import done


def image_of(content):
    with Image.open(io.BytesIO(content)) as image:
        return np.array(image.convert("RGB"))


def shown(directory, address):
    """The picture behind an address of a strip."""
    kind, index = re.match(r"seglab/picture/[^/]+/(\w+)/(\d+)\.webp", address).groups()
    return image_of(masks.picture(directory, kind, int(index)))


def test_runs_that_were_scored_on_the_same_images_share_them():
    one, two = done("one", epochs=3), done("two", seed=1)
    (found,) = masks.strip([one, two], "en")["sets"]
    assert [run["run"] for run in found["runs"]] == ["one", "two"]
    assert [run["epochs"] for run in found["runs"]] == [[1, 2, 3], [1, 2]]
    assert len(found["images"]) == len(found["truth"]) == len(runs.description(one)["samples"]) == 2
    assert found["classes"][0] == ["#{:02x}{:02x}{:02x}".format(*runs.description(one)["colors"][0]), "sky"]
    other = done("other", data={"name": "streets", "train_images": 8, "val_images": 6, "size": 64})
    sets = masks.strip([one, other, two], "en")["sets"]
    assert [[run["run"] for run in each["runs"]] for each in sets] == [["one", "two"], ["other"]]


def test_the_pictures_are_the_image_the_truth_and_what_was_predicted_after_each_epoch():
    directory = done("one", epochs=2)
    known, evidence = runs.description(directory), runs.Evidence(directory)
    place = known["samples"][1]
    colors = np.array(known["colors"], np.uint8)
    truth = evidence.truth(place)
    assert np.array_equal(image_of(masks.picture(directory, "truth", 1))[truth < 255], colors[truth[truth < 255]])
    for epoch in (1, 2):
        labels = evidence.sampled(epoch)[1]
        assert np.array_equal(image_of(masks.picture(directory, "mask", 1, str(epoch))), colors[labels])
    assert np.array_equal(image_of(masks.picture(directory, "mask", 1)), colors[evidence.sampled(2)[1]])  # the latest
    assert np.array_equal(image_of(masks.picture(directory, "prediction", 1)), colors[evidence.labels(place)])
    photo = image_of(masks.picture(directory, "image", 1)).astype(int)
    assert np.abs(photo - runs.opened(directory).val[place].image).mean() < 10  # it is packed with losses


def test_an_epoch_that_was_not_reached_is_the_last_before_it():
    directory = done("one", epochs=2)
    assert masks.picture(directory, "mask", 0, "1.5") == masks.picture(directory, "mask", 0, "1")
    assert masks.picture(directory, "mask", 0, "99") == masks.picture(directory, "mask", 0, "2")


@pytest.mark.parametrize(
    ("kind", "index", "epoch", "words"),
    [
        ("mask", 0, "0.5", "no masks after epoch '0.5'"),
        ("mask", 0, "nan", "no masks after epoch"),
        ("mask", 0, "../../etc", "no masks after epoch"),
        ("mask", 9, None, "no sample image 9"),
        ("image", -1, None, "no sample image -1"),
        ("../x", 0, None, "there is no picture"),
    ],
)
def test_what_is_not_there_is_told(kind, index, epoch, words):
    with pytest.raises(SeglabError, match=words):
        masks.picture(done("one"), kind, index, epoch)


def test_masks_appear_as_a_run_reaches_its_epochs():
    directory = runs.create(tiny(epochs=2, seed=5), "going")
    assert masks.strip([directory], "en") == {"sets": []}
    stream = runs.work(directory)
    while not (directory / "samples" / "epoch_001").exists():
        next(stream)
    ((run,),) = [each["runs"] for each in masks.strip([directory], "en")["sets"]]
    assert run["epochs"] == [1] and run["v"] == (directory / "events.jsonl").stat().st_size
    stream.close()


def test_a_damaged_run_is_left_out_and_the_others_go_on():
    good, torn = done("good"), done("torn", seed=1)
    for content in ("{", "[]", "{}", "null", '{"digests": {"val": 3}}'):
        (torn / "dataset.json").write_text(content)
        assert [[run["run"] for run in each["runs"]] for each in masks.strip([torn, good], "en")["sets"]] == [["good"]]


def test_masks_stay_when_the_data_has_gone(tmp_path):
    for folder in ("images", "masks"):
        (tmp_path / "data" / folder).mkdir(parents=True)
    for n in range(8):
        labels = (np.arange(64 * 64).reshape(64, 64) // (5 + n) % 2).astype(np.uint8)
        write_mask(tmp_path / "data" / "masks" / f"{n}.png", labels, [(0, 0, 0), (255, 0, 0)])
        write_mask(tmp_path / "data" / "images" / f"{n}.png", labels, [(0, 0, 0), (255, 0, 0)])
    one = done("one", data={"name": "folder", "root": str(tmp_path / "data")})
    (whole,) = masks.strip([one], "en")["sets"]
    assert whole["images"] and shown(one, whole["images"][0]).shape == (64, 64, 3)
    runs.trained.OPENED.values.clear()
    for cached in (masks.sees, masks.original):
        cached.cache_clear()
    (tmp_path / "data").rename(tmp_path / "gone")
    (left,) = masks.strip([one], "en")["sets"]
    assert left["images"] == [] and left["truth"] == whole["truth"] and shown(one, left["truth"][0]).any()


def test_names_are_quoted_in_addresses():
    directory = done("one")
    named = directory.rename(directory.with_name("a b#c?d&e"))
    (found,) = masks.strip([named], "en")["sets"]
    assert found["truth"][0].startswith("seglab/picture/a%20b%23c%3Fd%26e/truth/0.webp?v=")


def test_a_large_picture_is_made_smaller_and_no_color_is_made_up():
    colors = np.array([(255, 0, 0), (0, 0, 255)], np.uint8)
    picture = colors[np.random.default_rng(0).integers(0, 2, (600, 900))]
    small = image_of(masks.webp(picture, exact=True))
    assert small.shape == (320, 480, 3) and {tuple(each) for each in small.reshape(-1, 3)} == set(map(tuple, colors))
