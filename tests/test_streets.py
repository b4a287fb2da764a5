"""The drawn streets: the same whenever they are drawn, true to their masks, unbalanced like real ones."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from seglab.data.base import Sample
from seglab.data.streets import WEATHERS, Streets
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset
from seglab.runs.directory import CHECKPOINTS

CAR, PERSON = 7, 8


@pytest.fixture(scope="module")
def data():
    return Streets(train_images=100, val_images=8).open()


@pytest.fixture(scope="module")
def scenes(data) -> list[Sample]:
    return list(data.train)


@pytest.fixture(scope="module")
def shares(data, scenes) -> np.ndarray:
    """Each class's share of all pixels."""
    counts = sum(np.bincount(scene.mask.ravel(), minlength=len(data.classes)) for scene in scenes)
    return counts / counts.sum()


def same(one: Sample, other: Sample) -> bool:
    return (
        np.array_equal(one.image, other.image)
        and np.array_equal(one.mask, other.mask)
        and np.array_equal(one.instances, other.instances)
        and (one.domain, one.name) == (other.domain, other.name)
    )


def test_a_scene_is_the_same_however_often_it_is_drawn(data, scenes):
    again = Streets(train_images=100, val_images=8).open()
    for index in (63, 2, 63, 31):
        assert same(again.train[index], scenes[index])


def test_a_scene_is_the_same_in_another_process(scenes):
    code = "import sys; from seglab.data.streets import Streets; scene = Streets().scene('train_0005');"
    code += "sys.stdout.buffer.write(scene.image.tobytes() + scene.mask.tobytes())"
    drawn = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True).stdout
    assert drawn == scenes[5].image.tobytes() + scenes[5].mask.tobytes()


def test_more_images_leave_the_first_ones_as_they_were(scenes):
    more = Streets(train_images=5000, val_images=2).open()
    assert len(more.train) == 5000
    assert same(more.train[7], scenes[7])


def test_no_two_scenes_of_any_split_are_alike(data, scenes):
    everything = [*scenes, *data.search, *data.val]
    assert len({scene.mask.tobytes() for scene in everything}) == len({scene.name for scene in everything}) == 108


def test_the_splits_have_the_sizes_asked_for(data):
    assert (len(data.train), len(data.search), len(data.val)) == (100, 4, 4)


def test_every_class_occurs_and_none_fills_the_picture(shares, data):
    assert shares.shape == (len(data.classes),) == (len(data.colors),)
    assert shares.min() > 0.001
    assert shares.max() < 0.6


def test_classes_are_as_unbalanced_as_in_a_street(shares, data):
    share = dict(zip(data.classes, shares, strict=True))
    assert min(share["sky"], share["building"], share["road"]) > 0.08
    assert max(share["person"], share["pole"], share["sign"]) < 0.035
    assert shares.min() < 0.02


def test_colors_can_be_told_apart(data):
    colors = np.array(data.colors, int)
    distances = np.abs(colors[:, None] - colors[None]).sum(-1) + 1000 * np.eye(len(colors), dtype=int)
    assert distances.min() > 60


def test_each_instance_is_one_car_or_person_and_they_are_all_numbered(scenes):
    for scene in scenes:
        ids = np.unique(scene.instances)
        assert ids.tolist() == list(range(ids.max() + 1))
        assert np.array_equal(scene.instances > 0, np.isin(scene.mask, (CAR, PERSON)))
        for instance in ids[1:]:
            assert len(np.unique(scene.mask[scene.instances == instance])) == 1


def test_scenes_have_several_instances(scenes):
    assert np.mean([scene.instances.max() for scene in scenes]) > 4


def test_color_alone_does_not_give_the_class(scenes):
    """The best guess from a pixel's colour, in 16 steps a channel, is right less often than 7 times in 10."""
    image = np.stack([scene.image for scene in scenes]).reshape(-1, 3).astype(int) // 16
    mask = np.stack([scene.mask for scene in scenes]).ravel()
    table = np.zeros((4096, 11), int)
    np.add.at(table, (image @ np.array((256, 16, 1)), mask), 1)
    assert table.max(1).sum() / table.sum() < 0.7


@pytest.mark.parametrize(("size", "height"), [(64, 48), (97, 73), (128, 96), (512, 384)])
def test_any_size_gives_images_masks_and_instances_that_fit(size, height):
    scene = Streets(size=size).scene("train_0001")
    assert scene.image.shape == (height, size, 3) and scene.image.dtype == np.uint8
    assert scene.mask.shape == (height, size) and scene.mask.dtype == np.uint8
    assert scene.instances.shape == (height, size) and scene.instances.dtype == np.int32


def test_a_larger_picture_shows_the_same_scene():
    """At most 1 pixel in 12 changes its class, most of them along edges, when drawn 4 times as large and sampled."""
    small, large = (Streets(size=size).scene("train_0004").mask for size in (128, 512))
    assert (large[2::4, 2::4] != small).mean() < 1 / 12


@pytest.mark.parametrize("weather", WEATHERS)
def test_a_chosen_weather_is_the_only_one(weather):
    data = Streets(train_images=5, val_images=2, weather=weather).open()
    assert {scene.domain for scene in [*data.train, *data.search, *data.val]} == {weather}


def test_mixed_weather_gives_all_four_equally_often(scenes):
    domains = [scene.domain for scene in scenes]
    assert {domain: domains.count(domain) for domain in WEATHERS} == dict.fromkeys(WEATHERS, 25)


def test_a_weather_left_out_is_the_only_one_reported_and_is_not_learned_or_chosen_from():
    for weather, seen in (("mixed", {"day", "dusk", "rain"}), ("day", {"day"})):
        data = Streets(train_images=9, val_images=9, weather=weather, left_out="fog").open()
        train, search, val = ([scene.domain for scene in part] for part in (data.train, data.search, data.val))
        assert set(train) == set(search) == seen and val == ["fog"] * 5
        assert all(train.count(domain) == 9 / len(seen) for domain in seen)


def test_no_scene_has_a_weather_if_the_only_one_is_left_out():
    with pytest.raises(SeglabError, match="left_out: fog is the weather of all scenes"):
        Streets(weather="fog", left_out="fog").open()


def test_the_default_scenes_are_those_that_shipped_models_learned_from():
    shipped = json.loads((CHECKPOINTS / "unet" / "dataset.json").read_text())["digests"]
    assert Streets(train_images=800).open().digests == shipped


def test_weather_changes_the_picture_and_not_the_street():
    """All but 1 % of the mask stays, as walls are cut into more pieces in fog, and their corners rounded."""
    for index in range(6):
        day, *others = (Streets(weather=weather).scene(f"train_{index:04}") for weather in ("day", "dusk", "fog"))
        for other in others:
            assert (day.mask != other.mask).mean() < 0.01
            assert np.abs(day.image.astype(int) - other.image).mean() > 10


def test_fog_takes_color_and_dusk_and_rain_take_light():
    images = {
        weather: np.stack([Streets(weather=weather).scene(f"val_{index:04}").image for index in range(8)]).astype(int)
        for weather in WEATHERS
    }
    color = {weather: np.ptp(image, axis=-1).mean() for weather, image in images.items()}
    assert color["fog"] < 0.7 * color["day"]
    assert max(images["dusk"].mean(), images["rain"].mean()) < 0.85 * images["day"].mean()


def test_a_split_s_digest_changes_with_its_own_scenes_alone():
    before = Streets().open().digests
    assert Streets().open().digests == before
    for options, changed in [
        ({"train_images": 401}, {"train"}),
        ({"val_images": 98}, {"search", "val"}),
        ({"weather": "fog"}, {"train", "search", "val"}),
        ({"left_out": "fog"}, {"train", "search", "val"}),
        ({"size": 129}, {"train", "search", "val"}),
    ]:
        after = Streets(**options).open().digests
        assert {part for part in after if after[part] != before[part]} == changed


@pytest.mark.parametrize(
    ("option", "value"),
    [("weather", "snow"), ("left_out", "snow"), ("train_images", 1), ("val_images", 1), ("size", 63), ("sise", 128)],
)
def test_a_bad_option_is_named(option, value):
    with pytest.raises(SeglabError, match=option):
        validated(Dataset, {"name": "streets", option: value})


def test_importing_and_opening_streets_does_not_load_opencv():
    code = "import sys; from seglab.data.streets import Streets; Streets().open();"
    code += "print(*{'cv2', 'torch', 'albumentations'} & set(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, text=True).stdout
    assert loaded.strip() == ""
