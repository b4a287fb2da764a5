"""A person's own folder: what is read from it, and what the report says is wrong."""

from __future__ import annotations

import io
import os
import pickle
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from seglab.data import looks
from seglab.data.base import VOID
from seglab.data.folder import Folder, distinct_colors, report
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset

WIDTH, HEIGHT = 40, 32
RNG = np.random.default_rng(0)


def ids_of(*values: int) -> np.ndarray:
    """A mask whose rows are these values in turn, equally many of each where 32 allows."""
    return np.repeat(np.array([values[row % len(values)] for row in range(HEIGHT)], np.uint8), WIDTH).reshape(
        HEIGHT, WIDTH
    )


def put_image(root: Path, place: str, size=(WIDTH, HEIGHT), **options) -> Path:
    path = root / "images" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(RNG.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8)).save(path, **options)
    return path


def put_mask(root: Path, place: str, ids: np.ndarray, palette: list[int] | None = None) -> Path:
    path = root / "masks" / place
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(ids)
    if palette:
        image.putpalette(palette)
    image.save(path)
    return path


def put(root: Path, name: str, *values: int, part: str = "", palette: list[int] | None = None) -> None:
    put_image(root, os.path.join(part, f"{name}.jpg"))
    put_mask(root, os.path.join(part, f"{name}.png"), ids_of(*(values or (0, 1, 2))), palette)


@pytest.fixture
def root(tmp_path) -> Path:
    """Ten good pairs, a to j, of three classes."""
    root = tmp_path / "mine"
    for name in "abcdefghij":
        put(root, name)
    return root


def problems(root: Path, **options) -> dict[str, str]:
    return {file: str(problem) for file, problem in report(root, **options).rows}


def warnings_of(root: Path, **options) -> str:
    found = report(root, **options)
    assert not found.rows
    assert list(map(str, Folder(root=root, **options).open().warnings)) == list(map(str, found.warnings))
    return "; ".join(str(warning) for warning in found.warnings)


# --- what is read ---------------------------------------------------------------------------------------------------


def test_images_and_masks_are_paired_by_name(root):
    data = Folder(root=root).open()
    assert (len(data.train), len(data.search), len(data.val)) == (8, 1, 1)
    assert sorted(data.train.names + data.search.names + data.val.names) == list("abcdefghij")
    sample = data.train[0]
    assert sample.name == data.train.names[0] and sample.instances is None
    assert sample.image.shape == (HEIGHT, WIDTH, 3) and np.array_equal(sample.mask, ids_of(0, 1, 2))
    assert data.classes == ("class 0", "class 1", "class 2") and data.notes == ()


def test_255_is_void(root):
    put(root, "a", 0, 1, 2, 255)
    data = Folder(root=root).open()
    assert len(data.classes) == 3
    sample = (data.train if "a" in data.train.names else data.val).load("a")
    assert np.array_equal(sample.mask, ids_of(0, 1, 2, VOID))


def test_class_names_come_from_the_option_or_the_file_or_their_ids(root):
    (root / "classes.txt").write_bytes("\ufeffhimmel\r\nstraße\r\nauto\r\nrad\r\n\r\n".encode())
    assert Folder(root=root).open().classes == ("himmel", "straße", "auto", "rad")
    chosen = validated(Dataset, {"name": "folder", "root": str(root), "classes": ["sky", "road", "car"]})
    assert chosen.open().classes == ("sky", "road", "car")
    (root / "classes.txt").write_text("\n")
    assert Folder(root=root).open().classes == ("class 0", "class 1", "class 2")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"sky\n\nroad\n", "the name of class 1 is empty"),
        (b"sky\nroad\nsky\n", "sky is listed twice"),
        (b"\xff\xfe\0s", "not UTF-8"),
        ("\n".join(map(str, range(256))).encode(), "256 were given; allowed: up to 255"),
        (b"sky\n", "give too few classes: 1; at least 2"),
    ],
)
def test_bad_class_names_are_reported(root, content, reason):
    (root / "classes.txt").write_bytes(content)
    assert reason in "; ".join(problems(root).values())
    with pytest.raises(SeglabError, match=reason):
        Folder(root=root).open()


def test_the_validation_share_is_fixed_by_the_names_alone(root, tmp_path):
    first = Folder(root=root, val_fraction=0.3).open()
    assert len(first.search) + len(first.val) == 3
    again = shutil.copytree(root, tmp_path / "elsewhere")
    assert Folder(root=again, val_fraction=0.3).open().val.names == first.val.names
    put(root, "k")
    held_out = set(first.search.names + first.val.names)
    found = report(root, val_fraction=0.3)
    assert len(held_out - {pair.name for pair in found.val}) <= 1


@pytest.mark.parametrize(("count", "fraction"), [(3, 0.5), (3, 0.1), (4, 0.5), (10, 0.5)])
def test_two_pairs_always_stay_for_training(tmp_path, count, fraction):
    for index in range(count):
        put(tmp_path, str(index))
    data = Folder(root=tmp_path, val_fraction=fraction).open()
    assert len(data.train) >= 2 and len(data.val) >= 1


def test_four_folders_fix_the_split(tmp_path):
    for name in "abc":
        put(tmp_path, name, part="train")
    for name in "abx":
        put(tmp_path, name, part="val")
    put(tmp_path, "t", part="test")
    data = Folder(root=tmp_path).open()
    assert data.train.names == ("a", "b", "c") and data.search.names + data.val.names == ("a", "b", "x")
    assert not np.array_equal(data.train.load("a").image, data.search.load("a").image)


def test_the_folder_comes_from_seglab_data_unless_it_is_given(root, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", str(root.parent))
    with pytest.raises(SeglabError, match=r"folder: there is no such folder; give that of folder with --data\.root"):
        Folder().open()
    root.rename(root.parent / "folder")
    assert len(Folder().open().train) == 8
    monkeypatch.delenv("SEGLAB_DATA")
    with pytest.raises(SeglabError, match="no folder was given for folder"):
        Folder().open()


def test_masks_of_0_and_255_alone_are_two_classes(tmp_path):
    for name, values in {"a": (0, 255), "b": (0,), "c": (255,), "d": (0, 0, 255)}.items():
        put(tmp_path, name, *values)
    assert "these are read as classes 0 and 1, not as void" in warnings_of(tmp_path)
    found = report(tmp_path)
    assert str(found.how[-1]) == "the masks contain the values 0, 255, read as the classes 0 and 1"
    assert found.void == 0 and found.images == (3, 3)
    data = Folder(root=tmp_path, classes=("back", "front")).open()
    assert data.classes == ("back", "front")
    masks = {name: split.load(name).mask for split in (data.train, data.search, data.val) for name in split.names}
    assert np.array_equal(masks["a"], ids_of(0, 1)) and np.array_equal(masks["c"], ids_of(1))


def test_255_stays_void_beside_other_classes(tmp_path):
    for name in "abc":
        put(tmp_path, name, 0, 255)
    assert report(tmp_path, classes=("a", "b", "c")).void == 0.5  # three classes are said to exist
    for name in "defg":
        put(tmp_path, name, 0, 1, 255)
    found = report(tmp_path)
    assert found.classes == ("class 0", "class 1") and found.void > 0.3
    assert "masks that contain only 0 and 255: 3, such as masks/a.png" in warnings_of(tmp_path)


def test_one_bit_masks_are_two_classes(tmp_path):
    for name in "abc":
        put_image(tmp_path, f"{name}.jpg")
        Image.fromarray(ids_of(0, 1) > 0).save(put_mask(tmp_path, f"{name}.png", ids_of(0, 1)))
    data = Folder(root=tmp_path).open()
    assert len(data.classes) == 2 and data.notes == ()
    assert np.array_equal(data.val[0].mask, ids_of(0, 1))


def test_the_palette_s_colours_are_the_classes_colours(tmp_path):
    for name in "abc":
        put(tmp_path, name, palette=[0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert Folder(root=tmp_path).open().colors == ((0, 0, 0), (128, 0, 0), (0, 128, 0))


@pytest.mark.parametrize("palette", [None, [0, 0, 0, 1, 1, 1, 2, 2, 2], [0, 0, 0, 200, 0, 0]])
def test_colours_that_cannot_be_told_apart_are_replaced(tmp_path, palette):
    for name in "abc":
        put(tmp_path, name, palette=palette)
    assert Folder(root=tmp_path, classes=("a", "b", "c", "d")).open().colors == distinct_colors(4)


def test_palettes_that_disagree_are_refused_by_name_unless_a_table_or_a_person_says_what_they_mean(tmp_path):
    for name in "abc":
        put(tmp_path, name, palette=[0, 0, 0, 128, 0, 0, 0, 128, 0])
    put(tmp_path, "d", palette=[0, 0, 0, 0, 128, 0, 128, 0, 0])
    wrong = problems(tmp_path)
    assert (
        list(wrong) == ["masks/d.png"]
        and "the id 1 the color (0, 128, 0), in other masks it is (128" in wrong["masks/d.png"]
    )
    data = Folder(root=tmp_path, values="ids").open()
    assert all(
        np.array_equal(split[n].mask, ids_of(0, 1, 2)) for split in (data.train, data.val) for n in range(len(split))
    )
    (tmp_path / "colors.txt").write_text("back:0,0,0\nred:128,0,0\ngreen:0,128,0\n")
    data = Folder(root=tmp_path).open()
    masks = {name: split.load(name).mask for split in (data.train, data.search, data.val) for name in split.names}
    assert np.array_equal(masks["a"], ids_of(0, 1, 2)) and np.array_equal(masks["d"], ids_of(0, 2, 1))


def test_made_up_colours_differ():
    assert len(set(distinct_colors(255))) == 255
    colors = np.array(distinct_colors(21))
    apart = np.abs(colors[:, None] - colors).sum(axis=-1) + 999 * np.eye(21)
    assert apart.min() >= 24 and colors.sum(axis=1).min() > 60  # void is black


def test_samples_can_be_loaded_in_another_process(root):
    data = pickle.loads(pickle.dumps(Folder(root=root).open()))
    assert data.train[0].mask.max() == 2


def test_the_digest_follows_every_byte_and_the_split_and_not_the_place(root, tmp_path):
    def digests_of(root, **options):
        return tuple(Folder(root=root, **options).open().digests.values())

    before = digests_of(root)
    copy = shutil.copytree(root, tmp_path / "copy")
    assert digests_of(copy) == before
    assert digests_of(copy, val_fraction=0.5) != before
    put_mask(copy, "a.png", ids_of(2, 1, 0))
    changed = digests_of(copy)
    put_image(copy, "a.jpg")
    assert len({before, changed, digests_of(copy)}) == 3


def test_unchanged_files_are_not_read_again_and_changed_ones_are(root, monkeypatch):
    report(root)
    read = []
    monkeypatch.setattr(
        looks, "_look", lambda root, pair, *rest, look=looks._look: read.append(pair.name) or look(root, pair, *rest)
    )
    assert not report(root, val_fraction=0.2).rows and read == []
    put_mask(root, "c.png", ids_of(0, 1))
    os.utime(root / "masks" / "c.png", (1, 1))
    assert not report(root).rows and len(read) == 10


# --- what is wrong --------------------------------------------------------------------------------------------------


def test_a_good_folder_s_report_has_the_facts(root):
    put(root, "a", 0, 0, 1, 255)
    put_image(root, "b.jpg", size=(64, 48))
    put_mask(root, "b.png", np.zeros((48, 64), np.uint8))
    found = report(root, classes=("sky", "road", "car"))
    assert found.rows == () and found.warnings == ()
    assert len(found.train) == 8 and len(found.val) == 2
    pixels = np.array([WIDTH * (16 + 8 * 11) + 48 * 64, WIDTH * (8 + 8 * 11), WIDTH * 8 * 10])  # 32 rows: 11, 11, 10
    assert np.allclose(found.shares, pixels / pixels.sum()) and found.images == (10, 9, 8)
    assert found.void == pytest.approx(WIDTH * 8 / (WIDTH * HEIGHT * 9 + 48 * 64))
    assert found.sizes == (((WIDTH, HEIGHT), 9), ((64, 48), 1))
    text = found.text()
    for line in ("pairs: 10, of which 8 for training and 2 for validation", "40 x 32 (9 images)", "problems: 0"):
        assert line in text
    assert "   1 road" in text and f"{found.shares[1]:.1%}" in text and "in 9 masks" in text


def spoil_size(root):
    put_mask(root, "a.png", ids_of(0)[:20])


def spoil_turned(root):
    exif = Image.Exif()
    exif[0x0112] = 3
    put_image(root, "a.jpg", exif=exif)


def spoil_alpha(root):
    Image.new("RGBA", (WIDTH, HEIGHT)).save(root / "masks" / "a.png")


def spoil_with_jpeg(root):
    (root / "masks" / "a.png").unlink()
    put_mask(root, "a.jpg", ids_of(0, 1))


SPOILED = {
    "image without mask": (lambda root: put_image(root, "z.png"), "images/z.png", "its mask is missing: masks/z.png"),
    "mask without image": (lambda root: put_mask(root, "z.png", ids_of(1)), "masks/z.png", "no image has this name"),
    "two images": (lambda root: put_image(root, "a.png"), "images/a.png", "images/a.jpg has the same name"),
    "two masks": (lambda root: put_mask(root, "a.bmp", ids_of(1)), "masks/a.png", "masks/a.bmp has the same name"),
    "size": (spoil_size, "masks/a.png", "40 x 20 pixels, but images/a.jpg has 40 x 32"),
    "turned": (spoil_turned, "masks/a.png", "images/a.jpg is turned by its EXIF orientation (3)"),
    "range": (
        lambda root: put(root, "a", 0, 3, 7, 255),
        "masks/a.png",
        "contains 3, 7; the 3 classes have the ids 0 to 2",
    ),
    "jpeg mask": (spoil_with_jpeg, "masks/a.jpg", "stored as JPEG"),
    "rgb mask": (
        lambda root: Image.new("RGB", (40, 32), "red").save(root / "masks" / "a.png"),
        "masks/a.png",
        "colors",
    ),
    "alpha mask": (spoil_alpha, "masks/a.png", "transparent (RGBA)"),
    "broken image": (lambda root: (root / "images" / "a.jpg").write_bytes(b"\xff\xd8\xff"), "images/a.jpg", "damaged"),
    "cut image": (lambda root: os.truncate(root / "images" / "a.jpg", 900), "images/a.jpg", "damaged"),
    "empty image": (lambda root: os.truncate(root / "images" / "a.jpg", 0), "images/a.jpg", "empty"),
    "text for a mask": (lambda root: (root / "masks" / "a.png").write_text("hello"), "masks/a.png", "not an image"),
    "dangling link": (lambda root: (root / "images" / "z.png").symlink_to(root / "nothing"), "images/z.png", "missing"),
}


@pytest.mark.parametrize("kind", SPOILED)
def test_every_problem_is_reported_with_its_file_and_refused(root, kind):
    spoil, file, reason = SPOILED[kind]
    spoil(root)
    found = problems(root, classes=("a", "b", "c"))
    assert list(found) == [file]
    assert file in found[file] and reason in found[file]
    with pytest.raises(SeglabError, match="mine: files with problems: 1; ") as refusal:
        Folder(root=root, classes=("a", "b", "c")).open()
    assert reason in str(refusal.value)
    assert f"wrong: {found[file]}" in report(root, classes=("a", "b", "c")).text()


def test_a_report_s_problems_can_be_translated_and_hold_no_pixels(root):
    spoil_turned(root)
    (root / "images" / "b.jpg").write_bytes(b"\xff\xd8\xff broken")
    for _, problem in report(root).rows:
        assert problem.template.format(**problem.values) == str(problem) and "{file}" in problem.template
        assert problem.__traceback__ is None and problem.__cause__ is None and problem.__context__ is None


def test_many_problems_are_counted_and_the_first_are_told(root):
    for name in "abcdefgh":
        os.truncate(root / "images" / f"{name}.jpg", 0)
    os.truncate(root / "masks" / "a.png", 0)
    with pytest.raises(SeglabError, match=r"files with problems: 9; the first: images/a\.jpg: .* empty$"):
        Folder(root=root).open()
    text = report(root).text(most=4)
    assert text.count("wrong: ") == 4 and text.endswith("problems: 9, the first 4 shown")


@pytest.mark.parametrize("count", [0, 1, 2])
def test_too_few_pairs_are_a_problem(tmp_path, count):
    (tmp_path / "images").mkdir()
    (tmp_path / "masks").mkdir()
    for index in range(count):
        put(tmp_path, str(index))
    assert f"{count} training and 0 validation pairs were found" in problems(tmp_path)["images"]


def test_a_split_without_validation_is_a_problem(tmp_path):
    for name in "abc":
        put(tmp_path, name, part="train")
    for kind in ("images", "masks"):
        (tmp_path / kind / "val").mkdir()
    assert "3 training and 0 validation pairs" in problems(tmp_path)["images"]


def test_pictures_beside_the_folders_of_a_split_are_not_passed_over_in_silence(tmp_path):
    for part in ("train", "val"):
        for name in "abc":
            put(tmp_path, name, part=part)
    assert not any("left out" in str(warning) for warning in report(tmp_path).warnings)
    put(tmp_path, "lost")
    found = report(tmp_path)
    assert found.rows == () and len(found.train) == len(found.val) == 3
    assert "left out: 2, such as images/lost.jpg" in str(found.warnings[0])


@pytest.mark.parametrize(("missing", "place"), [("images", "images"), ("masks", "masks")])
def test_a_missing_folder_is_a_problem(root, missing, place):
    shutil.rmtree(root / missing)
    assert problems(root) == {place: f"{place}: there is no such folder, or it cannot be read"}


def test_a_folder_train_without_one_for_validation_is_no_split(tmp_path):
    for name in "abc":
        put(tmp_path, name, part="train")
    found = report(tmp_path)
    assert not found.rows and len(found.train) == 2 and len(found.val) == 1
    assert {pair.name for pair in (*found.train, *found.val)} == set("abc")


@pytest.mark.parametrize("place", ["nowhere", "nul\0", "x" * 5000, "file"])
def test_a_report_on_no_folder_says_so(tmp_path, place):
    (tmp_path / "file").write_text("no folder")
    assert "there is no such folder" in report(tmp_path / place).text()
    with pytest.raises(SeglabError, match="there is no such folder"):
        Folder(root=tmp_path / place).open()


@pytest.mark.parametrize(("value", "count"), [(0, 1), (255, 0)])
def test_masks_of_one_class_or_none_are_a_problem(tmp_path, value, count):
    for name in "abc":
        put(tmp_path, name, value)
    assert f"give too few classes: {count}; at least 2 are needed" in problems(tmp_path)["masks"]


def test_a_file_that_changes_after_opening_is_refused_when_loaded(root):
    data = Folder(root=root).open()
    name = data.train.names[0]
    put(root, name, 0, 9)
    with pytest.raises(SeglabError, match=rf"masks/{name}\.png: contains 9; the 3 classes"):
        data.train.load(name)
    put_mask(root, f"{name}.png", ids_of(0)[:20])
    with pytest.raises(SeglabError, match="the two must be equal"):
        data.train.load(name)


# --- what is odd ----------------------------------------------------------------------------------------------------


def test_classes_absent_from_a_split_are_pointed_out(tmp_path):
    for name in "abc":
        put(tmp_path, name, 0, 1, part="train")
    put(tmp_path, "v", 0, 2, part="val")
    warned = warnings_of(tmp_path, classes=("sky", "road", "car", "dog"))
    assert "no training mask shows car, dog" in warned and "no validation mask shows road, dog; the mean IoU" in warned
    found = report(tmp_path, classes=("sky", "road", "car", "dog"))
    assert found.absent_train == ("car", "dog") and found.absent_val == ("road", "dog")


def test_copies_are_pointed_out_and_those_in_both_splits_twice(tmp_path):
    for name in "abc":
        put(tmp_path, name, part="train")
    put(tmp_path, "v", part="val")
    shutil.copy(tmp_path / "images/train/a.jpg", tmp_path / "images/train/b.jpg")
    assert report(tmp_path).duplicates == (("images/train/a.jpg", "images/train/b.jpg"),)
    assert "both training and validation" not in warnings_of(tmp_path)
    shutil.copy(tmp_path / "images/train/a.jpg", tmp_path / "images/val/v.jpg")
    warned = warnings_of(tmp_path)
    assert "more than once: 1, such as images/train/a.jpg, images/train/b.jpg, images/val/v.jpg" in warned
    assert "images in both training and validation: 1, such as a = v" in warned
    assert "choose the best epoch and are reported too: 1, such as v" in warned  # the only one


def test_other_files_are_left_out_and_pointed_out(root):
    (root / "images" / "phone.HEIC").write_bytes(b"x")
    (root / "images" / "holidays.png").mkdir()
    (root / "images" / ".DS_Store").write_bytes(b"x")
    (root / "images" / "._a.jpg").write_bytes(b"x")
    warned = warnings_of(root)
    assert "images: entries that are not image files and were left out: 2, such as images/holidays.png" in warned


def test_shades_of_grey_taken_for_ids_are_refused(tmp_path):
    for name in "abc":
        put(tmp_path, name, *range(0, 200, 9))
    assert "23 values up to 198: shades of gray rather than class ids" in problems(tmp_path)["masks/a.png"]
    assert len(Folder(root=tmp_path, values="shades").open().classes) == 23
    assert len(Folder(root=tmp_path, values="ids").open().classes) == 199


# --- strange folders ------------------------------------------------------------------------------------------------

STRANGE = ["{curly}", "a b", "-rf", "nul", "%s", "été", "x\ny", "\x1b[31m", "猫" * 60, "'\"", "<b>", "a.b.c"]
STRANGE += [os.fsdecode(b"\xff\xfe")] * (sys.platform == "linux")  # other systems refuse such a name


def test_strange_names_are_read_and_fit_to_print(tmp_path):
    for name in STRANGE:
        put(tmp_path, name)
    data = Folder(root=tmp_path).open()
    names = data.train.names + data.search.names + data.val.names
    assert len(names) == len(STRANGE) and all(name.isprintable() for name in names)
    assert {"{curly}", "x\\ny", "a.b.c"} <= set(names)
    for split in (data.train, data.search, data.val):
        assert all(sample.mask.max() == 2 for sample in split)
    for name in STRANGE:
        (tmp_path / "masks" / f"{name}.png").write_bytes(b"")
    found = report(tmp_path)
    assert len(found.rows) == len(STRANGE)
    found.text().encode()
    assert "\x1b" not in found.text()


def test_names_composed_in_two_ways_are_one_name(root):
    put_image(root, "\u00e9.jpg")
    put_mask(root, "e\u0301.png", ids_of(0, 1, 2))
    assert not report(root).rows
    assert "\u00e9" in [pair.name for pair in (*report(root).train, *report(root).val)]


def test_a_pipe_in_the_folder_does_not_stop_the_report(root):
    (root / "images" / "a.jpg").unlink()
    os.mkfifo(root / "images" / "a.jpg")
    assert "no such file" in problems(root)["images/a.jpg"]


def png_bytes(ids: np.ndarray) -> bytes:
    file = io.BytesIO()
    Image.fromarray(ids).save(file, "PNG")
    return file.getvalue()


GOOD = png_bytes(ids_of(0, 1)), png_bytes(ids_of(0, 255)), png_bytes(ids_of(0, 1)[:20]), b"", b"\x89PNG\r\n\x1a\n"
NAMES = st.sampled_from(["a.png", "b.png", "c.PNG", "d.jpg", "a.bmp", "e.txt", ".f.png", "g", "train", "val"])


@settings(max_examples=100, deadline=None, database=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(NAMES, st.sampled_from(GOOD), max_size=8),
    st.dictionaries(NAMES, st.sampled_from(GOOD), max_size=8),
    st.sampled_from([None, b"sky\nroad", b"x", b"\xff"]),
)
def test_any_folder_gives_a_report_and_data_or_a_reason(tmp_path_factory, image_files, mask_files, classes):
    root = tmp_path_factory.mktemp("any")
    for kind, files in (("images", image_files), ("masks", mask_files)):
        (root / kind).mkdir()
        for name, content in files.items():
            (root / kind / name).write_bytes(content)
    if classes:
        (root / "classes.txt").write_bytes(classes)
    found = report(root)
    found.text().encode()
    try:
        data = Folder(root=root).open()
    except SeglabError:
        assert found.rows
        return
    assert not found.rows and all(sample.mask.shape == sample.image.shape[:2] for sample in data.train)
