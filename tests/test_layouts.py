"""How images and masks are found and paired: layouts and names as people have them, on disk and in a zip."""

from __future__ import annotations

import os
import zipfile

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from seglab import uploads
from seglab.data import walking
from seglab.data.classes import LISTS, filled, numbered, parsed, read_classes
from seglab.data.folder import Folder, report
from seglab.data.layout import arranged
from seglab.data.naming import meaning
from seglab.errors import SeglabError


def both(image: str, mask: str, *names: object) -> dict[str, str]:
    """Masks by image, for each name in place of {}."""
    return {image.format(name): mask.format(name) for name in names}


CITYSCAPES = both("leftImg8bit/train/a/a_{}_leftImg8bit.png", "gtFine/train/a/a_{}_gtFine_labelIds.png", 1, 2)
CITYSCAPES |= both("leftImg8bit/val/b/b_{}_leftImg8bit.png", "gtFine/val/b/b_{}_gtFine_labelIds.png", 1)

# what is paired, which files lie beside it, and how the pattern is told
LAYOUTS = {
    "images and masks": (both("images/{}.jpg", "masks/{}.png", *"abc"), (), "images/NAME.jpg + masks/NAME.png"),
    "capitals": (both("Images/{}.jpg", "Masks/{}.png", *"abc"), (), "Images/NAME.jpg + Masks/NAME.png"),
    "labels": (both("images/{}.jpg", "labels/{}.png", *"abc"), (), "images/NAME.jpg + labels/NAME.png"),
    "annotations": (both("imgs/{}.jpg", "annotations/{}.png", *"abc"), (), "imgs/NAME.jpg + annotations/NAME.png"),
    "voc": (
        both("VOC/JPEGImages/{}.jpg", "VOC/SegmentationClass/{}.png", *"abc"),
        ("VOC/SegmentationObject/a.png",),
        "VOC/JPEGImages/NAME.jpg + VOC/SegmentationClass/NAME.png",
    ),
    "ending": (both("images/{}.jpg", "masks/{}_mask.png", *"abc"), (), "images/NAME.jpg + masks/NAME_mask.png"),
    "camvid": (both("701/{}.png", "LabeledApproved_labels/{}_L.png", *"abc"), (), "_L.png"),
    "gt": (both("images/{}.jpg", "gt/{}-gt.png", *"abc"), (), "images/NAME.jpg + gt/NAME-gt.png"),
    "label": (both("images/{}.jpg", "masks/{}_Label.png", *"abc"), (), "masks/NAME_Label.png"),
    "isic": (both("Input/ISIC_{}.jpg", "GT/ISIC_{}_segmentation.png", 1, 2, 10), (), "GT/NAME_segmentation.png"),
    "cityscapes": (
        CITYSCAPES,
        tuple(mask.replace("labelIds", kind) for mask in CITYSCAPES.values() for kind in ("color", "instanceIds")),
        "leftImg8bit/…/NAME_leftImg8bit.png + gtFine/…/NAME_gtFine_labelIds.png",
    ),
    "drive": (
        both("training/images/{}_training.tif", "training/1st_manual/{}_manual1.gif", 21, 22, 23),
        ("training/mask/21_training_mask.gif",),
        "training/images/NAME_training.tif + training/1st_manual/NAME_manual1.gif",
    ),
    "supervisely": (
        both("ds0/img/{}.jpg", "ds0/masks_machine/{}.png", *"abc"),
        ("ds0/masks_human/a.png", "ds0/masks_human/b.png", "ds0/masks_human/c.png"),
        "ds0/img/NAME.jpg + ds0/masks_machine/NAME.png",
    ),
    "two people's masks": (
        both("Image_{}L.jpg", "Image_{}L_1stHO.png", 1, 2, 3),
        tuple(f"Image_{n}L_2ndHO.png" for n in (1, 2, 3)),
        "NAME.jpg + NAME_1stHO.png",
    ),
    "ai hub": (
        both("Training/원천데이터/TS_1/{}.jpg", "Training/라벨링데이터/TL_1/{}.png", 1, 2, 3)
        | both("Validation/원천데이터/VS_1/{}.jpg", "Validation/라벨링데이터/VL_1/{}.png", 1),
        (),
        "…/NAME.jpg + …/NAME.png",
    ),
    "beginnings": (both("images/img_{}.jpg", "masks/mask_{}.png", 1, 2, 10), (), "img_NAME.jpg + masks/mask_NAME.png"),
    "other beginnings": (both("images/DSC{}.jpg", "masks/truth{}.png", 1, 2, 10), (), "images/DSCNAME.jpg"),
    "whole name": (both("images/{}.jpg", "masks/{}.jpg.png", *"abc"), (), "images/NAME.jpg + masks/NAME.jpg.png"),
    "other case": (both("images/IMG_{}.JPG", "masks/img_{}.png", 1, 2, 3), (), "in upper or lower case"),
    "jfif": (both("images/{}.jfif", "masks/{}.png", *"abc"), (), "images/NAME.jfif + masks/NAME.png"),
    "split within": (
        both("images/train/{}.jpg", "masks/train/{}.png", *"ab") | both("images/val/{}.jpg", "masks/val/{}.png", "c"),
        ("images/test/z.jpg", "masks/test/z.png"),
        "images/…/NAME.jpg + masks/…/NAME.png",
    ),
    "split around": (
        both("train/images/{}.jpg", "train/masks/{}.png", *"ab")
        | both("valid/images/{}.jpg", "valid/masks/{}.png", "c"),
        (),
        "…/images/NAME.jpg + …/masks/NAME.png",
    ),
    "split of images alone": (
        both("images/train/{}.jpg", "masks/{}.png", *"ab") | both("images/val/{}.jpg", "masks/{}.png", "c"),
        (),
        "images/…/NAME.jpg + masks/NAME.png",
    ),
    "ade": (
        both("ADE/images/training/{}.jpg", "ADE/annotations/training/{}.png", *"ab")
        | both("ADE/images/validation/{}.jpg", "ADE/annotations/validation/{}.png", "c"),
        (),
        "ADE/images/…/NAME.jpg + ADE/annotations/…/NAME.png",
    ),
    "segnet": (
        both("train/{}.png", "trainannot/{}.png", *"ab") | both("val/{}.png", "valannot/{}.png", "c"),
        ("test/z.png", "testannot/z.png", "preview.png"),
        "…/NAME.png + …/NAME.png",
    ),
    "carvana": (
        both("train/{}.jpg", "train_masks/{}_mask.gif", *"abc"),
        (),
        "train/NAME.jpg + train_masks/NAME_mask.gif",
    ),
    "combined words": (
        both("train_images/{}.jpg", "train_labels/{}.png", *"ab") | both("val_images/{}.jpg", "val_labels/{}.png", "c"),
        (),
        "…/NAME.jpg + …/NAME.png",
    ),
    "roboflow": (
        both("train/{}_jpg.rf.0a1.jpg", "train/{}_jpg.rf.0a1_mask.png", *"ab")
        | both("valid/{}_jpg.rf.0a1.jpg", "valid/{}_jpg.rf.0a1_mask.png", "c"),
        ("test/z.rf.1.jpg", "test/z.rf.1_mask.png"),
        "…/NAME.jpg + …/NAME_mask.png",
    ),
    "sequences": (
        both("images/seq0/{}.jpg", "masks/seq0/{}.png", *"ab") | both("images/seq1/{}.jpg", "masks/seq1/{}.png", "a"),
        (),
        "images/…/NAME.jpg + masks/…/NAME.png",
    ),
    "one folder": (both("{}.jpg", "{}_mask.png", *"abc"), (), "NAME.jpg + NAME_mask.png"),
    "one folder of images": (both("images/{}.png", "images/{}_gt.png", *"abc"), (), "images/NAME_gt.png"),
    "one folder, other suffix": (both("{}.jpg", "{}.png", *"abc"), (), "NAME.jpg + NAME.png"),
    "a folder each": (both("{}_json/img.png", "{}_json/label.png", *"abc"), ("a_json/label_viz.png",), "…/img.png"),
    "images around masks": (both("{}.jpg", "labels/{}.png", *"abc"), (), "NAME.jpg + labels/NAME.png"),
    "wrapped": (both("my data/v2/images/{}.jpg", "my data/v2/masks/{}.png", *"abc"), ("cover.png",), "my data/v2"),
    "words beside words": (
        both("original_images/{}.jpg", "label_images_semantic/{}.png", *"abc"),
        (),
        "original_images/NAME.jpg + label_images_semantic/NAME.png",
    ),
    "nnunet": (
        both("imagesTr/case_{}_0000.png", "labelsTr/case_{}.png", "001", "002", "003"),
        ("imagesTs/case_9_0000.png",),
        "imagesTr/NAME_0000.png + labelsTr/NAME.png",
    ),
    "mmseg": (
        both("img_dir/train/{}.jpg", "ann_dir/train/{}.png", *"ab")
        | both("img_dir/val/{}.jpg", "ann_dir/val/{}.png", "c"),
        (),
        "img_dir/…/NAME.jpg + ann_dir/…/NAME.png",
    ),
    "kitti": (
        both("training/image_2/{}.png", "training/semantic/{}.png", *"abc"),
        ("training/semantic_rgb/a.png",),
        "training/image_2/NAME.png + training/semantic/NAME.png",
    ),
    "korean": (
        both("Training/01.원천데이터/{}.jpg", "Training/02.라벨링데이터/{}.png", "가", "나")
        | both("Validation/01.원천데이터/{}.jpg", "Validation/02.라벨링데이터/{}.png", "다"),
        (),
        "…/01.원천데이터/NAME.jpg + …/02.라벨링데이터/NAME.png",
    ),
    "a copy beside": (
        both("images/{}.jpg", "masks/{}.png", *"abc"),
        ("old/images/a.jpg", "old/masks/a.png", "labels/a.png", "labels/z.png"),
        "images/NAME.jpg + masks/NAME.png",
    ),
}


def files_of(kind: str) -> list[str]:
    pairs, beside, _ = LAYOUTS[kind]
    return [*pairs, *pairs.values(), *beside]


def picture(path: str, masks: set[str]) -> Image.Image:
    """A mask in which the pixel of its place among the masks is 1, or an image."""
    if path in masks:
        ids = np.zeros((4, 6), np.uint8)
        ids.flat[sorted(masks).index(path)] = 1
        return Image.fromarray(ids)
    return Image.new("RGB", (6, 4), (len(path), sum(map(ord, path)) % 256, 7))


@pytest.mark.parametrize("kind", LAYOUTS)
def test_files_are_paired_as_people_lay_them_out(kind):
    pairs, beside, pattern = LAYOUTS[kind]
    found = arranged(files_of(kind))
    assert {match.image: match.mask for match in found.matches} == pairs
    assert not found.problems and pattern in str(found.pattern)
    told = sum(warning.values["count"] for warning in found.warnings)
    assert told == len(beside)
    split = any("val" in path.lower() for path in pairs)
    assert bool(found.val) == bool(found.train) == split and bool(found.whole) != split
    for part in (found.train, found.val, found.whole):
        assert len({match.name for match in part}) == len(part)
        assert [match.name for match in part] == sorted(match.name for match in part)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_a_folder_and_a_zip_are_read_alike(kind, tmp_path):
    pairs, _, pattern = LAYOUTS[kind]
    masks = set(pairs.values())
    root = tmp_path / "mine"
    for path in files_of(kind):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        picture(path, masks).save(root / path, "JPEG" if path.endswith(("jfif", "JPG")) else None)
    with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
        for path in files_of(kind):
            archive.write(root / path, path)
    found = report(root)
    assert not found.rows and pattern in found.text()
    assert {(pair.image, pair.mask) for pair in found.train + found.val} == {
        (root / image, root / mask) for image, mask in pairs.items()
    }
    if kind == "a folder each":  # img.png of each folder
        assert {pair.name for pair in found.train + found.val} == {"a_json/img", "b_json/img", "c_json/img"}
    sent = Folder(root=uploads.found(uploads.take(tmp_path / "mine.zip")))
    names = uploads.names(sent)
    again = sent.report()
    assert not again.rows and pattern in str(uploads.notes(sent)[0])
    paired = {
        names[pair.image.relative_to(sent.root).as_posix()]: names[pair.mask.relative_to(sent.root).as_posix()]
        for pair in again.train + again.val
    }
    assert paired == pairs
    assert len(again.val) == len(found.val)
    data = sent.open()
    for part in (data.train, data.search, data.val):
        for name, sample in zip(part.names, part, strict=True):
            pair = next(pair for pair in again.train + again.val if pair.name == name)
            mask = names[pair.mask.relative_to(sent.root).as_posix()]
            assert np.flatnonzero(sample.mask).tolist() == [sorted(masks).index(mask)]


def test_names_of_runs_are_those_of_images_with_the_folders_that_tell_them_apart():
    found = arranged(files_of("cityscapes"))
    assert " ".join(match.name for match in found.matches) == "a/a_1_leftImg8bit a/a_2_leftImg8bit b/b_1_leftImg8bit"
    assert [match.name for match in arranged(files_of("wrapped")).whole] == ["a", "b", "c"]
    assert [match.name for match in arranged(files_of("sequences")).whole] == ["seq0/a", "seq0/b", "seq1/a"]
    assert [match.name for match in arranged(files_of("split around")).val] == ["c"]


# --- what is refused, or told


def told(*paths: str) -> tuple[str, str]:
    """The problems and the warnings."""
    found = arranged(paths)
    assert len(found.problems) <= 12
    return "; ".join(str(problem) for _, problem in found.problems), "; ".join(map(str, found.warnings))


MANY = range(20)
REFUSED = {
    "two folders of masks": (["images/a.jpg", "labels/a.png", "gt/a.png"], "labels/a.png: gt/a.png has the same name"),
    "two masks": (["images/a.jpg", "masks/a.png", "masks/a.bmp"], "masks/a.png: masks/a.bmp has the same name"),
    "two images": (["images/a.jpg", "images/a.png", "masks/a.png"], "images/a.png: images/a.jpg has the same name"),
    "case alone": (["images/a.jpg", "images/A.jpg", "masks/a.png"], "has the same name"),
    "no mask": (["images/a.jpg", "images/b.jpg", "masks/a.png"], "images/b.jpg: its mask is missing: masks/b.png"),
    "no mask with an ending": (
        ["Images/a.jpg", "Images/b.jpg", "Images/c.jpg", "GT/a_L.png", "GT/c_L.png"],
        "Images/b.jpg: its mask is missing: GT/b_L.png",
    ),
    "no image": (["images/a.jpg", "masks/a.png", "masks/b.png"], "masks/b.png: no image has this name"),
    "many without masks": (
        [f"images/{n}.jpg" for n in MANY] + ["masks/1.png"],
        "images without a mask: 19, such as images/0.jpg, whose mask would be masks/0.png",
    ),
    "many without images": (
        [f"masks/{n}.png" for n in MANY] + ["images/1.jpg"],
        "masks without an image of their name: 19, such as masks/0.png",
    ),
    "strangers": (
        [f"images/{n}.jpg" for n in MANY] + [f"masks/x{n + 1}.png" for n in MANY],
        "no mask has the name of its image: images/0.jpg and masks/x1.png, for example; give both the same name",
    ),
    "masks by object": (
        [f"images/{n}.jpg" for n in "ab"] + [f"masks/{n}_mask_{k}.png" for n in "ab" for k in (0, 1)],
        "no mask has the name of its image",
    ),
    "padded numbers": (["images/i1.jpg", "images/i2.jpg", "masks/m01.png", "masks/m02.png"], "no mask has the name"),
    "an ending within a number": (
        ["images/1.jpg", "images/2.jpg", "masks/10.png", "masks/20.png"],
        "no mask has the name",
    ),
    "instances alone": (["images/a.jpg", "masks/a_instanceIds.png"], "no mask has the name of its image"),
    "no folders": (["a.jpg", "b.jpg", "c_foo.png"], "but 3 image files, such as a.jpg; put them into folders images"),
    "no masks": (["images/a.jpg"], "masks: there is no such folder"),
    "no images": (["masks/a.png"], "images: there is no such folder"),
    "nothing": (["notes.txt"], "images: there is no such folder"),
    "many twins": (
        [f"{kind}/{n}.png" for kind in ("images", "labels", "gt") for n in MANY],
        "labels/0.png: gt/0.png has the same name; there are 20 such files",
    ),
    "train and val share masks": (["images/train/a.jpg", "images/val/a.jpg", "masks/a.png"], "has the same name"),
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_is_ambiguous_or_missing_is_refused_in_a_few_lines(kind):
    paths, reason = REFUSED[kind]
    problems, _ = told(*paths)
    assert reason in problems and problems.count(";") <= 4


@pytest.mark.parametrize(
    ("paths", "warning"),
    [
        (["images/x/b.jpg", "masks/x/b.png"], "in folders within those of the others that were left out: 2"),
        (["images/test/b.jpg", "masks/test/b.png"], "of a test set that were left out: 2, such as images/test/b.jpg"),
        (["depth/a.png"], "in folders of neither images nor masks that were left out: 1, such as depth/a.png"),
        (["masks/a_color.png"], "masks that were left out, since their images have others: 1"),
        (["masks/notes.txt"], "masks: entries that are not image files and were left out: 1, such as masks/notes.txt"),
    ],
)
def test_what_is_left_out_is_told(paths, warning):
    problems, warnings = told("images/a.jpg", "masks/a.png", *paths)
    assert not problems and warning in warnings and ";" not in warnings


def test_folders_of_other_names_are_paired_by_files_only_where_those_are_unique():
    paths = ["images/a/1.jpg", "images/a/2.jpg", "images/b/1.jpg", "masks/c/1.png", "masks/c/2.png", "masks/d/1.png"]
    layout = arranged(paths)
    assert not layout.matches and layout.problems


@pytest.mark.parametrize(("odd", "even"), [("images/{}.HEIC", "masks/{}.png"), ("images/{}.jpg", "masks/{}.npy")])
def test_a_folder_without_a_picture_that_is_read_is_told_by_a_file(odd, even):
    layout = arranged([each.format(name) for each in (odd, even) for name in "abc"])
    named = next(each.format("a") for each in (odd, even) if not each.endswith(("jpg", "png")))
    assert [str(error).startswith(f"{named}: not a format of pictures") for _, error in layout.problems] == [True]


def test_litter_is_passed_over():
    litter = ["__MACOSX/images/._a.jpg", "images/.a.jpg", "masks/Thumbs.db", "images/.cache/b.jpg", "masks/desktop.ini"]
    assert told("images/a.jpg", "masks/a.png", *litter) == ("", "")


@pytest.mark.parametrize(
    ("folder", "kind", "split"),
    [
        ("trainannot", "mask", "train"),
        ("val_images", "image", "val"),
        ("Valid", None, "val"),
        ("testing", None, "test"),
        ("masks_256", "mask", None),
        ("ground-truth", "mask", None),
        ("test_site_3", None, None),
        ("value", None, None),
        ("train2017", None, "train"),
        ("leftImg8bit_trainvaltest", "image", "all"),
        ("SegmentationObject", "other", None),
        ("imagery", None, None),
        ("label_train", "mask", "train"),
        ("instances", "other", None),
        ("학습", None, "train"),
        ("labelsTr", "mask", "train"),
        ("tr", None, None),
    ],
)
def test_folders_say_what_they_hold(folder, kind, split):
    assert meaning(folder)[:2] == (kind, split)


STEMS = st.sampled_from(["a", "b", "c", "a_mask", "b_mask", "a_L", "img_1", "mask_1", "1", "01", "10", "A"])
PLACES = st.sampled_from(
    ["", "images", "masks", "labels", "images/train", "masks/train", "images/val", "masks/val", "x"]
)
PATHS = st.builds(
    lambda place, stem, end: f"{place}/{stem}{end}".lstrip("/"), PLACES, STEMS, st.sampled_from([".jpg", ".png"])
)


@settings(max_examples=300, deadline=None, database=None)
@given(st.sets(PATHS, max_size=14))
def test_an_image_has_one_mask_and_a_mask_one_image(paths):
    found = arranged(paths)
    used = [path for match in found.matches for path in (match.image, match.mask)]
    assert len(used) == len(set(used)) and set(used) <= paths
    assert found.matches == arranged(sorted(paths, reverse=True)).matches
    for match in found.matches:
        image, mask = (os.path.splitext(os.path.basename(path))[0].lower() for path in (match.image, match.mask))
        assert image.strip("aimgsk_l") in mask or mask.strip("aimgsk_l") in image


# --- walking


def test_a_folder_with_too_much_in_it_is_refused_in_words(tmp_path, monkeypatch):
    monkeypatch.setattr(walking, "MOST_FILES", 20)
    for n in range(25):
        (tmp_path / f"{n}.jpg").write_bytes(b"")
    assert "has more than 20 files" in report(tmp_path).text()
    deep = tmp_path / "deep"
    (deep / "/".join("a" * 14)).mkdir(parents=True)
    assert "more than 12 folders within each other" in report(deep).text()


def test_folders_beside_images_and_masks_are_not_walked(tmp_path):
    for path in ("images/a.jpg", "masks/a.png", "runs/b.png", "runs/x/images/c.png"):
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(b"")
    assert "runs/b.png" in walking.walked(tmp_path)[0]
    assert not any("c.png" in path for path in walking.walked(tmp_path)[0])


def test_links_lead_out_of_the_folder_only_where_they_are_called_for(tmp_path):
    away, root = tmp_path / "away", tmp_path / "root"
    (away / "sub").mkdir(parents=True)
    (away / "a.png").write_bytes(b"")
    root.mkdir()
    (root / "images").symlink_to(away)
    (root / "stuff").symlink_to(away)
    (root / "masks").mkdir()
    (root / "masks" / "loop").symlink_to(root / "masks")
    (root / "masks" / "self").symlink_to(root / "masks" / "self")
    paths, rows = walking.walked(root)
    assert "images/a.png" in paths and "stuff/a.png" not in paths and not rows
    assert not any(path.startswith("masks/loop/") and path != "masks/loop/" for path in paths)


# --- lists of classes

NAMES = ("sky", "road", "car")
TEXTS = {
    "classes.txt": "sky\nroad\ncar\n",
    "class_names.txt": "0 sky\n1 road\n2 car\n",
    "labels.txt": "0: sky\n1: road\n2: car\n",
    "label_names.txt": "sky,0\nroad,1\ncar,2",
    "codes.txt": "sky\r\nroad\r\ncar\r\n",
    "names.txt": "sky 0\nroad 1\ncar 2\n",
    "obj.names": "sky\nroad\ncar\n",
    "_classes.csv": "Pixel Value, Class\n0, sky\n1, road\n2, car\n",
    "classes.csv": "name,id\nroad,1\nsky,0\ncar,2\n",
    "labels.csv": "sky\nroad\ncar\n",
    "class_dict.csv": "id,name\n0,sky\n1,road\n2,car\n",
    "dataset.json": '{"channel_names": {"0": "R"}, "labels": {"sky": 0, "road": 1, "car": 2}, "numTraining": 3}',
    "classes.json": '["sky", "road", "car"]',
    "class_names.json": '[{"id": 2, "name": "car"}, {"id": 0, "name": "sky"}, {"id": 1, "name": "road"}]',
    "labels.json": '{"classes": ["sky", "road", "car"]}',
    "id2label.json": '{"0": "sky", "1": "road", "2": "car"}',
    "label_map.json": '{"sky": "0", "road": "1", "car": "2"}',
}


@pytest.mark.parametrize("name", TEXTS)
def test_class_names_are_read_from_the_usual_lists(name, tmp_path):
    assert name in LISTS
    pairs = both("data/train/{}.jpg", "data/train/{}_mask.png", *"abc")
    for place in ("", "data", "data/train"):
        root = tmp_path / (place.replace("/", "_") or "root")
        for path in [*pairs, *pairs.values()]:
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            picture(path, set()).convert("L" if "mask" in path else "RGB").point(lambda value: value % 3).save(
                root / path
            )
        (root / place / name).write_text(TEXTS[name])
        found = report(root)
        listed = f"{place}/{name}".lstrip("/")
        assert not found.rows and found.classes == NAMES and f"class names are read from {listed}\n" in found.text()
        with zipfile.ZipFile(tmp_path / "mine.zip", "w") as archive:
            for path in root.rglob("*.*"):
                archive.write(path, path.relative_to(root))
        assert Folder(root=uploads.found(uploads.take(tmp_path / "mine.zip"))).open().classes == NAMES


@pytest.mark.parametrize(
    ("text", "ending", "names"),
    [
        ("1 road\n3 car", "txt", ("class 0", "road", "class 2", "car")),
        ("0,sky\n1,road\n255,void", "txt", ("sky", "road")),
        ("0: sky\n1: road\n2: ignore", "txt", ("sky", "road")),
        ("id,name\n0,sky\n1,road\n255,void", "txt", ("sky", "road")),
        ("name\tid\nroad\t1\nsky\t0", "txt", ("sky", "road")),
        ("name,class\nsky,1", "txt", ("class 0", "sky")),
        ("__ignore__\n_background_\ncat", "txt", ("_background_", "cat")),
        ("background\nlane 1\nlane 2", "txt", ("background", "lane 1", "lane 2")),
        ("class 0\nclass 1", "txt", ("class 0", "class 1")),
        ("7 eleven\n24 hours", "txt", ("7 eleven", "24 hours")),
        ("3 d printer\nmill", "txt", ("3 d printer", "mill")),
        ("0 sky\n0 road", "txt", ("0 sky", "0 road")),
        ("name,r,g,b\nsky,1,2,3\nroad,4,5,6", "csv", ("sky", "road")),
        ("id,name,r,g,b\n1,sky,1,2,3\n0,road,4,5,6", "csv", ("road", "sky")),
        ('{"labels": {"background": 0, "left": [1, 2]}}', "json", None),
        ('{"images": [], "annotations": [], "categories": [{"id": 1, "name": "cat"}]}', "json", None),
        ('{"labels": {"background": 0, "tumor": 1, "ignore": 2}}', "json", ("background", "tumor")),
        ("image,class\na.jpg,cat\nb.jpg,dog", "csv", None),
    ],
)
def test_ids_beside_names_are_respected(text, ending, names, tmp_path):
    place = f"classes.{ending}" if ending != "txt" else "labels.txt"
    (tmp_path / place).write_text(text)
    assert read_classes(tmp_path, [place]).names == (names or ())


def test_other_files_are_no_lists_of_classes(tmp_path):
    for place, text in {
        "labels.txt": "a.jpg\nb.jpg",
        "labels.json": "{",
        "codes.txt": "x\nx",
        "classes.csv": "a,b\nc",
    }.items():
        (tmp_path / place).write_text(text)
        assert read_classes(tmp_path, [place]) == ((), (), "")
    assert numbered([]) is None and filled({}) == () and parsed("[" * 10, "txt") == {0: "[" * 10}


def test_two_lists_of_one_name_must_agree(tmp_path):
    for part, text in (("train", "a\nb"), ("valid", "b\na")):
        (tmp_path / part).mkdir()
        (tmp_path / part / "labels.txt").write_text(text)
    with pytest.raises(SeglabError, match=r"valid/labels\.txt: has other classes than train/labels\.txt"):
        read_classes(tmp_path, ["train/labels.txt", "valid/labels.txt"])


def test_a_table_of_colors_comes_before_a_list(tmp_path):
    for name in "abc":
        for kind, color in (("images", (9, 9, 9)), ("masks", (1, 2, 3) if name == "a" else (4, 5, 6))):
            (tmp_path / "set" / kind).mkdir(parents=True, exist_ok=True)
            Image.new("RGB", (4, 4), color).save(tmp_path / "set" / kind / f"{name}.png")
    (tmp_path / "set" / "class_dict.csv").write_text("name,r,g,b\nsky,1,2,3\nroad,4,5,6\n")
    (tmp_path / "classes.txt").write_text("x\ny\n")
    assert report(tmp_path).classes == ("sky", "road") and not report(tmp_path).rows
