"""What every dataset must do."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from seglab.config import RunConfig  # noqa: F401 - registers the entries
from seglab.data.base import Data, Sample
from seglab.data.hub import ORIGIN, Origin
from seglab.entry import FAMILIES, validated
from seglab.errors import SeglabError
from seglab.families import Dataset

DATASETS = FAMILIES["datasets"].entries
SPLITS = ("train", "search", "val")
TRAIN, VAL = ("t0", "t1", "t2", "t3"), ("v0", "v1", "v2", "v3", "v4")  # search is v0 and v1


def put_photo(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng([seed, *path.name.encode()])  # no two names have the same photograph
    Image.fromarray(rng.integers(0, 256, (24, 36, 3), np.uint8)).save(path)


def put_mask(path: Path, seed: int, values: list[int]) -> None:
    """A mask of blocks that shows all the values."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.resize(np.random.default_rng(seed).permutation(values), (4, 6))
    Image.fromarray(np.kron(blocks, np.ones((6, 6))).astype(np.uint8)).save(path)


# --- the cases: each writes what its dataset needs below a folder and gives the options


def streets(root: Path) -> dict[str, Any]:
    return {"train_images": 4, "val_images": 5, "size": 64}


def camvid(root: Path) -> dict[str, Any]:
    for part, names in (("train", TRAIN), ("val", VAL)):
        for seed, name in enumerate(names):
            put_photo(root / part / f"{name}.jpg", seed + len(names))
            put_mask(root / f"{part}annot" / f"{name}.png", seed, list(range(12)))
    return {"root": root}


def folder(root: Path, values: tuple[int, ...] = (0, 1, 2, 255), names: tuple[str, ...] = TRAIN) -> dict[str, Any]:
    for part, each in (("train", names), ("val", VAL)):
        for seed, name in enumerate(each):
            put_photo(root / "images" / part / f"{name}.jpg", seed + len(each))
            put_mask(root / "masks" / part / f"{name}.png", seed, list(values))
    return {"root": root}


def black_and_white(root: Path) -> dict[str, Any]:
    return folder(root, values=(0, 255))


def painted(root: Path) -> dict[str, Any]:
    """A folder of masks in colours, with a table of what they mean."""
    options = folder(root)
    for path in (root / "masks").glob("*/*.png"):
        recolor(path)
    (root / "colors.txt").write_text("sky: 10,20,30\nroad: 20,20,20\nvoid: 0,0,0\ncar: 30,20,10\n")
    return options


def recolor(path: Path) -> None:
    """Turns the ids of a mask into the colours that `painted` gives them."""
    colors = np.zeros((256, 3), np.uint8)
    colors[:3] = [(10, 20, 30), (20, 20, 20), (30, 20, 10)]
    Image.fromarray(colors[np.array(Image.open(path))]).save(path)


def repaint(root: Path, place: str, seed: int, values: list[int]) -> None:
    put_mask(root / place, seed, values)
    recolor(root / place)


def voc(root: Path) -> dict[str, Any]:
    (root / "ImageSets" / "Segmentation").mkdir(parents=True)
    for part, names in (("train", TRAIN), ("val", VAL)):
        (root / "ImageSets" / "Segmentation" / f"{part}.txt").write_text("\n".join(names) + "\n")
        for seed, name in enumerate(names):
            put_photo(root / "JPEGImages" / f"{name}.jpg", seed + len(names))
            put_mask(root / "SegmentationClass" / f"{name}.png", seed, [0, 5, 20, 255])
            put_mask(root / "SegmentationObject" / f"{name}.png", seed, [0, 1, 2, 255])
    return {"root": root}


def pets(root: Path) -> dict[str, Any]:
    for part, names in (("trainval", TRAIN), ("test", VAL)):
        for seed, name in enumerate(names):
            put_photo(root / "images" / f"{name}.jpg", seed + len(names))
            put_mask(root / "annotations" / "trimaps" / f"{name}.png", seed, [1, 2, 3])
        lines = [f"{name} 1 {1 + seed % 2} 1" for seed, name in enumerate(names)]
        (root / "annotations" / f"{part}.txt").write_text("#Image CLASS-ID SPECIES BREED ID\n" + "\n".join(lines))
    return {"root": root}


def put_road(root: Path, name: str, seed: int) -> None:
    path = root / "training" / "gt_image_2" / name.replace("_", "_road_")
    put_mask(path, seed, [0, 1, 255])
    colors = np.zeros((256, 3), np.uint8)
    colors[:2] = [(255, 0, 0), (255, 0, 255)]
    Image.fromarray(colors[np.array(Image.open(path))]).save(path)


def kitti(root: Path) -> dict[str, Any]:
    for seed in range(10):
        put_photo(root / "training" / "image_2" / f"um_{seed:06}.png", seed)
        put_road(root, f"um_{seed:06}.png", seed)
    return {"root": root, "val_fraction": 0.5}


def coco(root: Path, things: int = 2) -> dict[str, Any]:
    for part, names in (("train", TRAIN), ("val", VAL)):
        images, annotations = [], []
        for number, name in enumerate(names):
            put_photo(root / part / f"{name}.jpg", number + len(names))
            images.append({"id": number, "file_name": f"{name}.jpg", "height": 24, "width": 36})
            for place in range(things):
                left = 3 * number + 12 * place
                polygon = [left, 2, left + 8, 2, left + 8, 20, left, 20]
                annotations.append({"id": len(annotations), "image_id": number, "category_id": 1 + place % 2})
                annotations[-1]["segmentation"] = [polygon]
        categories = [{"id": 1, "name": "cup"}, {"id": 2, "name": "bag"}]
        content = {"images": images, "annotations": annotations, "categories": categories}
        (root / f"{part}.json").write_text(json.dumps(content))
    return {"root": root}


def hub(root: Path) -> dict[str, Any]:
    """A folder as a download from the hub leaves it."""
    options = folder(root) | {"id": "OWNER/NAME"}
    origin = Origin(validated(Dataset, {"name": "hub", **options}).choices, "0" * 40, False, "")
    (root / ORIGIN).write_text(json.dumps(asdict(origin)))
    return options


def copied(root: Path) -> dict[str, Any]:
    """A folder with something to warn of, in a file whose name has braces."""
    options = folder(root, names=("t0", "t1", "t{2}"))
    (root / "images" / "train" / "t{2}.jpg").write_bytes((root / "images" / "train" / "t0.jpg").read_bytes())
    return options


@dataclass(frozen=True)
class Case:
    """A small dataset of entry `name`: `write` makes its files and gives its options.

    `changes` are changes of the images: each gives the options that it sets, and comes with the splits that it changes.
    """

    name: str
    write: Callable[[Path], dict[str, Any]]
    changes: tuple[tuple[Callable[[Path], dict[str, Any] | None], set[str]], ...]


CASES = {
    "streets": Case(
        "streets",
        streets,
        (
            (lambda root: {"size": 80}, set(SPLITS)),
            (lambda root: {"weather": "fog"}, set(SPLITS)),
            (lambda root: {"train_images": 5}, {"train"}),
            (lambda root: {"val_images": 6}, {"search", "val"}),  # three each, where it was two and three
        ),
    ),
    "camvid": Case(
        "camvid",
        camvid,
        (
            (lambda root: put_photo(root / "train" / "t1.jpg", 99), {"train"}),
            (lambda root: put_mask(root / "trainannot" / "t3.png", 99, list(range(12))), {"train"}),
            (lambda root: put_photo(root / "val" / "v1.jpg", 99), {"search"}),
            (lambda root: put_mask(root / "valannot" / "v2.png", 99, list(range(12))), {"val"}),
        ),
    ),
    "folder": Case(
        "folder",
        folder,
        (
            (lambda root: put_photo(root / "images" / "train" / "t1.jpg", 99), {"train"}),
            (lambda root: put_mask(root / "masks" / "train" / "t3.png", 99, [0, 1, 2]), {"train"}),
            (lambda root: put_photo(root / "images" / "val" / "v1.jpg", 99), {"search"}),
            (lambda root: put_mask(root / "masks" / "val" / "v2.png", 99, [0, 2]), {"val"}),
        ),
    ),
    "hub": Case(
        "hub",
        hub,
        (
            (lambda root: put_photo(root / "images" / "train" / "t1.jpg", 99), {"train"}),
            (lambda root: {"reduce_labels": True, "classes": ["tree", "sky"]}, set(SPLITS)),
        ),
    ),
    "folder of black and white masks": Case(
        "folder",
        black_and_white,
        (
            (lambda root: put_photo(root / "images" / "train" / "t1.jpg", 99), {"train"}),
            (lambda root: put_mask(root / "masks" / "val" / "v2.png", 99, [0, 255, 255]), {"val"}),
        ),
    ),
    "folder of painted masks": Case(
        "folder",
        painted,
        (
            (lambda root: repaint(root, "masks/train/t3.png", 99, [0, 1, 2]), {"train"}),
            (
                lambda root: (
                    (root / "colors.txt").write_text("road: 20,20,20\nsky: 10,20,30\nvoid: 0,0,0\ncar: 30,20,10")
                    and None
                ),
                set(SPLITS),
            ),
        ),
    ),
    "voc2012": Case(
        "voc2012",
        voc,
        (
            (lambda root: put_photo(root / "JPEGImages" / "t1.jpg", 99), {"train"}),
            (lambda root: put_mask(root / "SegmentationClass" / "v1.png", 99, [0, 5, 20, 255]), {"search"}),
            (lambda root: put_mask(root / "SegmentationObject" / "v2.png", 97, [0, 1, 2, 255]), {"val"}),
        ),
    ),
    "oxford_pet": Case(
        "oxford_pet",
        pets,
        (
            (lambda root: {"border": "void"}, set(SPLITS)),
            (lambda root: {"border": "pet"}, set(SPLITS)),
            (lambda root: put_photo(root / "images" / "t1.jpg", 99), {"train"}),
            (lambda root: put_mask(root / "annotations" / "trimaps" / "v2.png", 99, [1, 2, 3]), {"val"}),
        ),
    ),
    "kitti_road": Case(
        "kitti_road",
        kitti,
        (
            (lambda root: put_photo(root / "training" / "image_2" / "um_000001.png", 99), {"train"}),
            (lambda root: put_road(root, "um_000006.png", 99), {"search"}),
            (lambda root: put_road(root, "um_000008.png", 99), {"val"}),
        ),
    ),
    "coco": Case(
        "coco",
        coco,
        (
            (lambda root: put_photo(root / "train" / "t1.jpg", 99), {"train"}),
            (lambda root: coco(root, things=3), set(SPLITS)),
        ),
    ),
    "folder with copies": Case(
        "folder", copied, ((lambda root: put_photo(root / "images" / "train" / "t1.jpg", 99), {"train"}),)
    ),
}
CHANGES = [(label, place) for label, case in CASES.items() for place in range(len(case.changes))]

each = pytest.mark.parametrize("label", CASES)
rooted = pytest.mark.parametrize(  # the hub's are called by their names there
    "name", [name for name, entry in DATASETS.items() if "root" in entry.model_fields and name != "hub"]
)


def opened(label: str, **options: Any) -> Data:
    return validated(Dataset, {"name": CASES[label].name, **options}).open()


def loaded(data: Data) -> dict[str, list[Sample]]:
    return {part: list(getattr(data, part)) for part in SPLITS}


def same(one: Sample, other: Sample) -> bool:
    arrays = ((getattr(one, part), getattr(other, part)) for part in ("image", "mask", "instances"))
    return (one.name, one.domain) == (other.name, other.domain) and all(np.array_equal(*pair) for pair in arrays)


def alike(one: list[Sample], other: list[Sample]) -> bool:
    return len(one) == len(other) and all(map(same, one, other))


def test_every_dataset_has_a_case_here():
    assert {case.name for case in CASES.values()} == set(DATASETS)


@each
def test_a_sample_is_a_picture_with_a_mask_of_class_ids_or_void_and_perhaps_instances(label, tmp_path):
    data = opened(label, **CASES[label].write(tmp_path))
    for part, samples in loaded(data).items():
        assert tuple(sample.name for sample in samples) == getattr(data, part).names
        for sample in samples:
            size = sample.mask.shape
            assert len(size) == 2 and sample.image.shape == (*size, 3)
            assert sample.image.dtype == sample.mask.dtype == np.uint8
            assert set(np.unique(sample.mask)) <= {*range(len(data.classes)), 255}
            assert sample.domain is None or isinstance(sample.domain, str)
            if sample.instances is not None:
                assert sample.instances.dtype == np.int32 and sample.instances.shape == size
                assert sample.instances.min() >= 0


@each
def test_no_name_is_in_two_splits_and_validation_is_halved(label, tmp_path):
    data = opened(label, **CASES[label].write(tmp_path))
    names = [name for part in SPLITS for name in getattr(data, part).names]
    assert len(set(names)) == len(names)
    assert len(data.train) >= 2 and (len(data.search), len(data.val)) == (2, 3)
    assert [*data.search.names, *data.val.names] == sorted([*data.search.names, *data.val.names])


@each
def test_classes_have_names_and_colors_of_their_own(label, tmp_path):
    data = opened(label, **CASES[label].write(tmp_path))
    assert len(data.classes) == len(data.colors) == len(set(data.classes)) == len(set(data.colors)) >= 2
    assert all(name.strip() for name in data.classes)
    for color in data.colors:
        assert len(color) == 3 and all(type(part) is int and 0 <= part <= 255 for part in color)


@each
def test_a_sample_is_the_same_whenever_it_is_loaded_even_if_it_was_painted_over(label, tmp_path):
    options = CASES[label].write(tmp_path)
    data = opened(label, **options)
    first, painted = loaded(data), loaded(data)
    for part in SPLITS:
        for sample in painted[part]:
            sample.image[:] = 7
            sample.mask[:] = 0
    again, reopened = loaded(data), loaded(opened(label, **options))
    for part in SPLITS:
        assert alike(first[part], again[part]) and alike(first[part], reopened[part])


@pytest.fixture(scope="module")
def elsewhere():
    """Another process, which answers opened data with what it finds in them."""
    code = """
import pickle, sys
while True:
    data = pickle.load(sys.stdin.buffer)
    found = [[*map(str, data.notes)], data.digests, *map(list, (data.train, data.search, data.val))]
    pickle.dump(found, sys.stdout.buffer)
    sys.stdout.flush()
"""
    process = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def answer(data):
        pickle.dump(data, process.stdin)
        process.stdin.flush()
        return pickle.load(process.stdout)

    with process:
        yield answer
        process.kill()


@each
def test_opened_data_can_be_sent_to_another_process_and_gives_the_same_there(label, tmp_path, elsewhere):
    data = opened(label, **CASES[label].write(tmp_path))
    notes, digests, *splits = elsewhere(data)
    assert digests == data.digests and notes == [*map(str, data.notes)]
    assert all(alike(samples, loaded(data)[part]) for part, samples in zip(SPLITS, splits, strict=True))


@each
def test_digests_are_the_same_at_every_opening_and_differ_between_splits(label, tmp_path):
    options = CASES[label].write(tmp_path)
    data = opened(label, **options)
    assert opened(label, **options).digests == data.digests == {part: getattr(data, part).digest for part in SPLITS}
    assert len(set(data.digests.values())) == 3
    assert all(len(bytes.fromhex(digest)) == 32 for digest in data.digests.values())
    assert data.val.take([0, 1, 2]).digest == data.val.digest != data.val.take([1, 0, 2]).digest


@pytest.mark.parametrize(("label", "place"), CHANGES)
def test_a_split_s_digest_changes_when_its_images_or_masks_do_and_only_then(label, place, tmp_path):
    change, expected = CASES[label].changes[place]
    options = CASES[label].write(tmp_path)
    before = opened(label, **options)
    samples = loaded(before)
    after = opened(label, **options | (change(tmp_path) or {}))
    assert {part for part in SPLITS if not alike(samples[part], loaded(after)[part])} == expected
    assert {part for part in SPLITS if after.digests[part] != before.digests[part]} == expected


@rooted
def test_a_place_that_is_not_there_is_refused_and_named(name, tmp_path, monkeypatch):
    with pytest.raises(SeglabError, match="nowhere at all: there is no such folder"):
        validated(Dataset, {"name": name, "root": str(tmp_path / "nowhere at all")}).open()
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "moved"))
    with pytest.raises(SeglabError, match=f"moved.{name}: there is no such folder"):
        validated(Dataset, name).open()


@rooted
def test_an_empty_place_is_refused_and_named(name, tmp_path):
    (tmp_path / "empty place").mkdir()
    with pytest.raises(SeglabError, match="empty place"):
        validated(Dataset, {"name": name, "root": str(tmp_path / "empty place")}).open()


# --- what photographs show: the same on both sides, more than 8 bits

PHOTOS = {  # one for training and one for validation
    "camvid": ("train/t0.jpg", "val/v0.jpg"),
    "folder": ("images/train/t0.jpg", "images/val/v0.jpg"),
    "voc2012": ("JPEGImages/t0.jpg", "JPEGImages/v0.jpg"),
    "oxford_pet": ("images/t0.jpg", "images/v0.jpg"),
    "coco": ("train/t0.jpg", "val/v0.jpg"),
    "kitti_road": ("training/image_2/um_000000.png", "training/image_2/um_000009.png"),
}
WRITERS = {"camvid": camvid, "folder": folder, "voc2012": voc, "oxford_pet": pets, "coco": coco, "kitti_road": kitti}


def source(name: str, root: Path) -> Data:
    return validated(Dataset, {"name": name} | WRITERS[name](root)).open()


def again(name: str, root: Path) -> Data:
    options = {"val_fraction": 0.5} if name == "kitti_road" else {}
    return validated(Dataset, {"name": name, "root": root} | options).open()


@pytest.mark.parametrize("name", PHOTOS)
def test_a_photograph_on_both_sides_is_told_whatever_it_is_called(name, tmp_path):
    assert "both training" not in " ".join(map(str, source(name, tmp_path).warnings))
    learned, held = PHOTOS[name]
    (tmp_path / held).write_bytes((tmp_path / learned).read_bytes())
    warned = " ".join(map(str, again(name, tmp_path).warnings))
    assert "images in both training and validation: 1, such as " in warned and Path(held).stem in warned


def test_a_photograph_saved_anew_is_known_by_its_pixels(tmp_path):
    folder(tmp_path)
    Image.open(tmp_path / "images/train/t1.jpg").save(tmp_path / "images/val/v1.png", pnginfo=None)
    (tmp_path / "images/val/v1.jpg").unlink()
    assert "both training and validation: 1, such as t1 = v1" in " ".join(map(str, again("folder", tmp_path).warnings))


def test_one_validation_image_that_chooses_and_is_reported_is_told(tmp_path):
    folder(tmp_path)
    for name in VAL[1:]:
        (tmp_path / f"images/val/{name}.jpg").unlink()
        (tmp_path / f"masks/val/{name}.png").unlink()
    warned = " ".join(map(str, again("folder", tmp_path).warnings))
    assert "choose the best epoch and are reported too: 1, such as v0; the reported score is too high" in warned


@pytest.mark.parametrize("bits", [10, 12, 14, 16])
@pytest.mark.parametrize("name", PHOTOS)
def test_deep_photographs_are_scaled_by_what_the_set_holds(name, bits, tmp_path):
    WRITERS[name](tmp_path)
    most = 2**bits - 1
    low, high = 0.25, 0.5  # of the whole range; the second photograph has but the middle of that
    ramp = np.linspace(low * most, high * most, 24 * 36).reshape(24, 36)
    middle = np.linspace((low + 0.1) * most, (high - 0.1) * most, 24 * 36).reshape(24, 36)
    for place, pixels in zip(PHOTOS[name], (ramp, middle), strict=True):
        Image.fromarray(pixels.astype(np.uint16)).save(tmp_path / place, "PNG")
    data = again(name, tmp_path)
    assert data.span == (int(low * most), int(high * most))
    shown = {sample.name: sample.image for split in (data.train, data.search, data.val) for sample in loaded_all(split)}
    first, second = (shown[key] for key in sorted(shown) if np.ptp(shown[key]) and same_channels(shown[key]))
    assert first.dtype == np.uint8 and (first.min(), first.max()) == (0, 255) and len(np.unique(first)) == 256
    assert abs(second.min() - 102.0) <= 1 and abs(second.max() - 153.0) <= 1  # by the same scale


def loaded_all(split: Any) -> list[Sample]:
    return [split[n] for n in range(len(split))]


def same_channels(image: np.ndarray) -> bool:
    return bool((image == image[..., :1]).all())
