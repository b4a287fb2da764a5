"""Sets in COCO's format as annotation tools export them, each with the masks that it must give."""

from __future__ import annotations

import json
import uuid

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as rle

from seglab.data.coco import Coco
from seglab.errors import SeglabError

WIDTH, HEIGHT, COUNT = 8, 6, 5
CLASSES = ("background", "cup", "bag")


def truth(number):
    """The mask of a picture: a cup on the left, larger the higher its number, and a bag on the right."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[1 : 2 + number % 4, 1:4] = 1
    mask[3:5, 5:7] = 2
    return mask


def polygons(number):
    """The outlines of a picture's cup and bag."""
    return [1, 1, 4, 1, 4, 2 + number % 4, 1, 2 + number % 4], [5, 3, 7, 3, 7, 5, 5, 5]


def put(path, number, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", (WIDTH, HEIGHT), (number, 90, 20)).save(path, **options)


def content(numbers=range(COUNT), name="{}.png", categories=(1, 2), first=1, **more):
    """A JSON file's content: images numbered from `first`, with a cup and a bag each."""
    found = {"images": [], "annotations": [], "categories": []}
    for label, number in enumerate(categories):
        found["categories"].append({"id": number, "name": CLASSES[1 + label], "supercategory": ""})
    for place, number in enumerate(numbers, first):
        found["images"].append({"id": place, "width": WIDTH, "height": HEIGHT, "file_name": name.format(number)})
        for category, polygon in zip(categories, polygons(number), strict=True):
            found["annotations"].append(
                {
                    "id": len(found["annotations"]) + 1,
                    "image_id": place,
                    "category_id": category,
                    "segmentation": [polygon],
                    "area": 6.0,
                    "bbox": [polygon[0], polygon[1], polygon[2] - polygon[0], polygon[5] - polygon[1]],
                    "iscrowd": 0,
                }
            )
    return found | more


def write(path, found, encoding="utf-8"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found), encoding=encoding)


# --- the exports: each is written as its tool does it


def roboflow(root, parts=(("train", range(3)), ("valid", range(3, 5)), ("test", range(2))), above="trash-items"):
    for part, numbers in parts:
        found = content(numbers, "{}_png.rf.8f7d3a.png", first=0, info={"year": "2024", "version": "1"})
        for each in found["categories"]:
            each["supercategory"] = above
        found["categories"].insert(0, {"id": 0, "name": above, "supercategory": "none"})
        for each in found["images"]:
            each |= {"license": 1, "date_captured": "2024-01-01T00:00:00+00:00", "extra": {"name": "x.png"}}
        write(root / part / "_annotations.coco.json", found)
        for number in numbers:
            put(root / part / f"{number}_png.rf.8f7d3a.png", number + (50 if part == "test" else 0))


def label_studio(root, name, file="images/{}.png"):
    found = content(name=name, categories=(0, 1), first=0, info={"contributor": "Label Studio", "version": "1.0"})
    for each in found["categories"]:
        del each["supercategory"]
    for each in found["annotations"]:
        each["ignore"] = 0
        each["segmentation"] = [[value + 1e-9 for value in each["segmentation"][0]]]
    write(root / "result.json", found)
    for number in range(COUNT):
        put(root / file.format(number), number)


def cvat(root, subsets=(("default", range(COUNT), ""),)):
    for subset, numbers, folder in subsets:
        found = content(numbers, licenses=[{"name": "", "id": 0, "url": ""}], info={"contributor": "", "year": ""})
        for each in found["images"]:
            each |= {"license": 0, "flickr_url": "", "coco_url": "", "date_captured": 0}
        for each in found["annotations"]:
            each["segmentation"] = [[float(value) for value in each["segmentation"][0]]]
            each["attributes"] = {"occluded": False}
        write(root / f"annotations/instances_{subset}.json", found)
        write(root / f"annotations/person_keypoints_{subset}.json", found)
        for number in numbers:
            put(root / "images" / folder / f"{number}.png", number)


def labelme(root):
    """labelme's examples/instance_segmentation/labelme2coco.py; a thing in two groups has two polygons."""
    found = content(name="JPEGImages/{}.png", first=0, type="instances", info={"description": None, "year": 2024})
    found["categories"].insert(0, {"supercategory": None, "id": 0, "name": "_background_"})
    for each in found["categories"]:
        each["supercategory"] = None
    for each in found["images"]:
        each |= {"license": 0, "url": None, "date_captured": None}
    for each in found["annotations"][::2]:  # cups, in a left and a right part
        bottom = each["segmentation"][0][5]
        each["segmentation"] = [[1, 1, 2, 1, 2, bottom, 1, bottom], [2, 1, 4, 1, 4, bottom, 2, bottom]]
    write(root / "annotations.json", found)
    for number in range(COUNT):
        put(root / f"JPEGImages/{number}.png", number)


def sahi(root, name, files=(("dataset.json", range(COUNT)),)):
    """labelme2coco, which writes with sahi."""
    for file, numbers in files:
        found = content(numbers, name, categories=(0, 1))
        for each in found["categories"]:
            each["supercategory"] = each["name"]
        write(root / file, found)
        for number in numbers:
            put(root / f"{number}.png", number)


def coco_annotator(root, folders=("",)):
    found = content(name="{}.png")
    for each in found["images"]:
        folder = folders[each["id"] % len(folders)]
        name = f"{folder}{each['file_name']}"
        put(root / name, int(each["file_name"][0]))
        each |= {
            "dataset_id": 3,
            "category_ids": [],
            "path": f"/datasets/cups/{name}",
            "annotated": True,
            "regenerate": 0,
        }
    for each in found["categories"]:
        each |= {"color": "#97f03c", "metadata": {}, "keypoint_colors": []}
    for each in found["annotations"]:
        each |= {"isbbox": False, "iscrowd": False, "color": "#000", "metadata": {}, "width": WIDTH, "height": HEIGHT}
    write(root / "cups-3.json", found)


def changed(root, change, encoding="utf-8", file="annotations.json"):
    """A plain set of which each image, annotation and category was changed."""
    found = content()
    for kind in ("images", "annotations", "categories"):
        for each in found[kind]:
            change(kind, each)
    write(root / file, found, encoding)
    for number in range(COUNT):
        put(root / file.rpartition("/")[0] / f"{number}.png", number)


def as_text(kind, each):
    for key, value in each.items():
        each[key] = str(value) if type(value) in (int, float) else value
    if kind == "annotations":
        each["segmentation"] = [[str(value) for value in each["segmentation"][0]]]


def as_floats(kind, each):
    each |= {key: float(value) for key, value in each.items() if type(value) is int}


def uuids(kind, each):
    for key in ("id", "image_id", "category_id"):
        of = {"image_id": "images", "category_id": "categories"}.get(key, kind)
        if key in each:  # in the order of the numbers, so that the classes keep theirs
            each[key] = f"{each[key]:08d}-" + str(uuid.uuid5(uuid.NAMESPACE_URL, f"{of}{each[key]}"))[9:]


def as_runs(compressed):
    def change(kind, each):
        if kind == "annotations":
            drawn = np.zeros((HEIGHT, WIDTH), np.uint8, order="F")
            left, top, wide, high = each["bbox"]
            drawn[top : top + high, left : left + wide] = 1
            counts = rle.encode(drawn)["counts"].decode()
            if not compressed:
                flat = np.concatenate([[0], drawn.ravel(order="F"), [2]])
                counts = np.diff(np.flatnonzero(np.diff(flat) != 0), prepend=0).tolist()
            each["segmentation"] = {"size": [HEIGHT, WIDTH], "counts": counts}

    return change


def flat(kind, each):
    if kind == "annotations":
        each["segmentation"] = each["segmentation"][0]


def sizeless(kind, each):
    if kind == "images":
        each |= {"width": 0, "height": None}


SUBSETS = (("Train", range(3), "Train"), ("Validation", range(3, 5), "Validation"))
LOST = "..\\..\\label-studio\\label-studio\\media\\upload\\4\\{}.png"
EXPORTS = {
    "Roboflow": roboflow,
    "Roboflow, train alone": lambda root: roboflow(root, (("train", range(COUNT)),)),
    "Roboflow, called like a class": lambda root: roboflow(root, (("train", range(COUNT)),), "cup"),
    "Label Studio": lambda root: label_studio(root, "images\\{}.png"),
    "Label Studio with the project": lambda root: label_studio(root, "images\\1/{}.png"),
    "Label Studio 1.16": lambda root: label_studio(root, LOST),
    "Label Studio without images": lambda root: label_studio(root, "/data/upload/1/{}.png", "{}.png"),
    "Label Studio, local files": lambda root: label_studio(root, "/data/local-files/?d=a%20b/{}.png", "a b/{}.png"),
    "Label Studio, local files elsewhere": lambda root: label_studio(
        root, "/data/local-files/?d=x/{}%20a.png", "{} a.png"
    ),
    "Label Studio, addresses": lambda root: label_studio(root, "https://host/x/{}.png?token=a/b.png", "photos/{}.png"),
    "CVAT": cvat,
    "CVAT, subsets in folders": lambda root: cvat(root, SUBSETS),
    "CVAT, subsets in one folder": lambda root: cvat(root, [(subset, numbers, "") for subset, numbers, _ in SUBSETS]),
    "CVAT in a folder": lambda root: cvat(root / "export"),
    "labelme's labelme2coco": labelme,
    "labelme2coco": lambda root: sahi(root, "{}.png"),
    "labelme2coco, absolute": lambda root: sahi(root, "/home/someone/set/{}.png"),
    "labelme2coco, Windows": lambda root: sahi(root, "C:\\Users\\someone\\set\\{}.png"),
    "labelme2coco, split": lambda root: sahi(
        root, "..\\set\\{}.png", (("train.json", range(3)), ("val.json", range(3, 5)))
    ),
    "COCO-Annotator": coco_annotator,
    "COCO-Annotator with folders": lambda root: coco_annotator(root, ("one/", "two/")),
    "numbers as text": lambda root: changed(root, as_text),
    "numbers as floats": lambda root: changed(root, as_floats),
    "uuids": lambda root: changed(root, uuids),
    "run lengths": lambda root: changed(root, as_runs(compressed=False)),
    "compressed run lengths": lambda root: changed(root, as_runs(compressed=True)),
    "flat polygons": lambda root: changed(root, flat),
    "no sizes": lambda root: changed(root, sizeless),
    "byte order mark": lambda root: changed(root, lambda *_: None, "utf-8-sig"),
    "deep in folders": lambda root: changed(root, lambda *_: None, file="a/b/coco.json"),
}
SPLIT = {"Roboflow", "CVAT, subsets in folders", "CVAT, subsets in one folder", "labelme2coco, split"}


@pytest.mark.parametrize("name", EXPORTS)
def test_an_export_is_read_as_it_comes(tmp_path, name):
    EXPORTS[name](tmp_path)
    data = Coco(root=tmp_path, strict=True).open()
    assert data.classes == CLASSES
    assert len(data.train) == (3 if name in SPLIT else 4)
    samples = {int(sample.image[0, 0, 0]): sample for split in (data.train, data.search, data.val) for sample in split}
    assert sorted(samples) == [*range(COUNT)]
    for number, sample in samples.items():
        assert np.array_equal(sample.mask, truth(number)), number
        assert sorted(np.unique(sample.instances)) == [0, 1, 2]
        assert ".." not in sample.name and not sample.name.startswith(("/", "C:"))


def test_images_found_by_the_last_part_of_their_names_are_told(tmp_path):
    EXPORTS["Label Studio"](tmp_path)
    assert Coco(root=tmp_path).open().notes == ()
    EXPORTS["Label Studio 1.16"](tmp_path)
    (note,) = Coco(root=tmp_path).open().notes
    assert str(note) == (
        "images found by the last part of their names, in other folders than the JSON file says: 5, such as "
        "images/0.png"
    )


@pytest.mark.parametrize("name", ["/data/upload/1/{}.png", "pictures/{}.png", "{}.png", "..\\{}.png"])
def test_two_files_with_the_name_of_an_image_are_both_named(tmp_path, name):
    label_studio(tmp_path, name, "a/{}.png")
    put(tmp_path / "b/3.png", 9)
    with pytest.raises(SeglabError, match=r"3\.png: there is no such file.* several: a/3\.png, b/3\.png; write into"):
        Coco(root=tmp_path).open()


def test_letter_case_and_the_folder_before_tell_files_apart(tmp_path):
    label_studio(tmp_path, "C:\\set\\a\\{}.PNG", "a/{}.png")
    put(tmp_path / "b/3.png", 9)
    put(tmp_path / "c/2.PNG", 2)
    (tmp_path / "a/2.png").unlink()
    data = Coco(root=tmp_path).open()
    names = {*data.train.names, *data.search.names}
    assert names == {"a/0.png", "a/1.png", "a/3.png", "a/4.png", "c/2.PNG"}


def test_an_image_is_never_looked_for_outside_of_the_root(tmp_path):
    root = tmp_path / "set"
    label_studio(root, "../outside/{}.png", "images/{}.png")
    (root / "images/2.png").unlink()
    put(tmp_path / "outside/2.png", 2)
    with pytest.raises(SeglabError, match=r"2\.png: there is no such file; it was looked for in the folder, in images"):
        Coco(root=root).open()


# --- which files


def files(root, *names):
    for name in names:
        changed(root, lambda *_: None, file=name)


@pytest.mark.parametrize(
    ("names", "train", "val"),
    [
        (["train/_annotations.coco.json", "valid/_annotations.coco.json", "test/_annotations.coco.json"], 0, 1),
        (["annotations/instances_Train.json", "annotations/instances_Validation.json"], 0, 1),
        (["training.json", "valid.json", "all.json"], 0, 1),
        (["train.json", "validation.json"], 0, 1),
        (["trash_train2020.json", "trash_val2020.json"], 0, 1),
        (["mine.json", "test.json"], 0, None),
        (["x/y/anything.json"], 0, None),
        (["val.json"], 0, None),
        (["train_all.json", "train.json", "test.json"], 0, None),
        (["annotations/instances_default.json", "other.json"], 0, None),
    ],
)
def test_json_files_are_told_apart_by_the_words_in_their_paths(tmp_path, names, train, val):
    files(tmp_path, *names)
    write(tmp_path / "package.json", {"images": []})
    write(tmp_path / ".hidden.json", content())
    write(tmp_path / "a/b/c/deep.json", content())
    found = Coco(root=tmp_path).files(tmp_path)
    assert found == (tmp_path / names[train], tmp_path / names[val] if val else None)


@pytest.mark.parametrize(
    "names",
    [
        ["one.json", "two.json"],
        ["train.json", "val_1.json", "val_2.json"],
        ["train_1.json", "train_2.json"],
        ["annotations/instances_default.json", "annotations/instances_Validation.json"],
    ],
)
def test_json_files_that_could_all_be_meant_are_named(tmp_path, names):
    files(tmp_path, *names)
    with pytest.raises(SeglabError, match=r"which JSON file is meant is not known: .*--data\.train_file") as caught:
        Coco(root=tmp_path).open()
    assert all(name in str(caught.value) for name in names)
    data = Coco(root=tmp_path, train_file=names[0], val_file=names[1]).open()
    assert len(data.train) == COUNT


def test_where_every_picture_has_a_json_file_only_usual_names_are_looked_at(tmp_path):
    files(tmp_path, "dataset.json")
    for number in range(60):
        write(tmp_path / f"{number}.json", {"shapes": [], "imageData": "", "images": "annotations categories"})
    assert Coco(root=tmp_path).files(tmp_path) == (tmp_path / "dataset.json", None)


# --- categories


def classes_of(root, categories, used):
    found = content()
    found["categories"] = [dict(zip(("id", "name", "supercategory"), each, strict=True)) for each in categories]
    for place, each in enumerate(found["annotations"]):
        each["category_id"] = used[place % len(used)]
    write(root / "annotations.json", found)
    for number in range(COUNT):
        put(root / f"{number}.png", number)
    return Coco(root=root).open()


@pytest.mark.parametrize(
    ("categories", "used", "classes"),
    [
        ([(0, "things", "none"), (1, "cup", "things"), (2, "bag", "things")], (1, 2), ("cup", "bag")),
        ([(0, "things", None), (1, "cup", "things")], (1,), ("cup",)),
        ([(0, "things", "none"), (1, "cup", "things")], (0, 1), ("things", "cup")),  # it is used
        ([(0, "things", "none"), (1, "cup", "none")], (1,), ("things", "cup")),  # nothing is below it
        ([(1, "person", "person"), (2, "cup", "kitchen")], (2,), ("person", "cup")),  # only itself is
        ([(0, "cup", "none"), (1, "cup", "cup"), (2, "bag", "cup")], (1, 2), ("cup", "bag")),
        ([(10, "b", ""), (2, "a", ""), ("x", "d", ""), ("9", "c", "")], (10,), ("a", "c", "b", "d")),
        ([(0, "_background_", None), (1, "cup", None)], (1,), ("cup",)),
        ([(0, "__Background__", None), (1, "cup", None)], (0, 1), ("cup",)),
    ],
)
def test_categories_become_classes(tmp_path, categories, used, classes):
    data = classes_of(tmp_path, categories, used)
    assert data.classes == ("background", *classes) and data.notes == ()


@pytest.mark.parametrize("name", ["__ignore__", "_ignore_", "ignore", "Void", "unlabeled"])
def test_things_to_be_ignored_are_void(tmp_path, name):
    data = classes_of(tmp_path, [(0, name, None), (1, "cup", None)], (1, 0))
    assert data.classes == ("background", "cup")
    assert f"things of the category {name} are void" in str(data.notes[0])
    sample = data.train[0]
    number = int(sample.image[0, 0, 0])
    assert np.array_equal(sample.mask, np.array([0, 1, 255])[truth(number)])
    assert sample.instances.max() == 1 and (sample.instances > 0).sum() == (truth(number) == 1).sum()
