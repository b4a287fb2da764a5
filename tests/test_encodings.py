"""What masks hold: read exactly as they mean, or refused by name, and never silently wrong."""

from __future__ import annotations

import io
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pytest
from hypothesis import event, given, settings
from hypothesis import strategies as st
from PIL import Image

from seglab.data.base import VOID
from seglab.data.folder import Folder, report
from seglab.errors import SeglabError

HEIGHT, WIDTH = 24, 32
Masks = list  # of ids (H, W)


def ids_of(classes: int, count: int = 6) -> list[np.ndarray]:
    """Masks with one box of each class above 0, all places different."""
    found = []
    for n in range(count):
        rng = np.random.default_rng(n)
        ids = np.zeros((HEIGHT, WIDTH), np.uint8)
        for each in range(1, classes):
            top, left = rng.integers(0, HEIGHT - 8), (each - 1) * (WIDTH // classes) + rng.integers(0, 3)
            ids[top : top + 7, left : left + WIDTH // classes - 3] = each
        found.append(ids)
    return found


def soft(values: np.ndarray) -> np.ndarray:
    image = Image.fromarray(values)
    return np.asarray(image.resize((2 * WIDTH, 2 * HEIGHT), Image.BILINEAR).resize((WIDTH, HEIGHT), Image.BILINEAR))


def jpeg(values: np.ndarray, quality: int = 75) -> bytes:
    file = io.BytesIO()
    Image.fromarray(values).save(file, "JPEG", quality=quality)
    return file.getvalue()


def through_jpeg(values: np.ndarray, quality: int = 75) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(jpeg(values, quality))).convert("L"))


def palette(values: np.ndarray, colors: list[tuple[int, int, int]]) -> Image.Image:
    image = Image.fromarray(values)
    image.putpalette([part for color in colors for part in color])
    return image


def write(root: Path, masks: list, endings: str = "png") -> Path:
    """A folder of photographs and of these masks: arrays, images of Pillow, or the bytes of files."""
    rng = np.random.default_rng(7)
    for kind in ("images", "masks"):
        (root / kind).mkdir(parents=True, exist_ok=True)
    for n, mask in enumerate(masks):
        Image.fromarray(rng.integers(0, 255, (HEIGHT, WIDTH, 3)).astype(np.uint8)).save(root / f"images/{n}.png")
        path = root / f"masks/{n}.{endings}"
        if isinstance(mask, bytes):
            path.write_bytes(mask)
        else:
            (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).save(path)
    return root


def read(root: Path, **options) -> dict[int, np.ndarray]:
    data = Folder(root=root, **options).open()
    splits = {"train": data.train, "search": data.search, "val": data.val}
    return {int(name): split.load(name).mask for split in splits.values() for name in split.names}


def problems(root: Path, **options) -> str:
    return "\n".join(str(problem) for _, problem in report(root, **options).rows)


TWO, THREE, FOUR = ids_of(2), ids_of(3), ids_of(4)
RING = [np.where(ids == 2, np.uint8(VOID), ids) for ids in THREE]  # 0, 1 and void

# encoding: masks, the ids that they mean
READ = {
    "ids": (THREE, THREE),
    "ids with void": (RING, RING),
    "0 and 255": ([255 * ids for ids in TWO], TWO),
    "one bit": ([Image.fromarray(ids > 0) for ids in TWO], TWO),
    "one bit among 0 and 1": ([Image.fromarray(ids > 0) if n == 2 else ids for n, ids in enumerate(TWO)], TWO),
    "16 bits of 0 and 65535": ([(ids * 65535.0).astype(np.uint16) for ids in TWO], TWO),
    "three equal channels": ([np.dstack([255 * ids] * 3) for ids in TWO], TWO),
    "four channels, opaque": ([np.dstack([*[ids] * 3, np.full_like(ids, 255)]) for ids in THREE], THREE),
    "gray among equal channels": ([np.dstack([ids] * 3) if n % 2 else ids for n, ids in enumerate(THREE)], THREE),
    "a palette": ([palette(ids, [(0, 0, 0), (200, 0, 0), (0, 200, 0)]) for ids in THREE], THREE),
    "a palette among gray": (
        [palette(ids, [(0, 0, 0), (200, 0, 0), (0, 200, 0)]) if n % 2 else ids for n, ids in enumerate(THREE)],
        THREE,
    ),
    "32 bits": ([ids.astype(np.int32) for ids in THREE], THREE, "tif"),
    "whole floats": ([ids.astype(np.float32) for ids in THREE], THREE, "tif"),
    "bmp": (THREE, THREE, "bmp"),
    "an empty one among 0 and 255": ([0 * TWO[0], *[255 * ids for ids in TWO[1:]]], [0 * TWO[0], *TWO[1:]]),
}


@pytest.mark.parametrize("encoding", READ)
def test_what_a_mask_means_is_read_exactly(encoding, tmp_path):
    masks, meant, *endings = READ[encoding]
    found = read(write(tmp_path, masks, *endings))
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(meant))


def stray(masks: list[np.ndarray]) -> list[np.ndarray]:
    found = [255 * ids for ids in masks]
    found[1][0, 0] = 1
    return found


VOC = [(0, 0, 0), (128, 0, 0), (0, 128, 0)]
# encoding: masks, the file that is named, words of the reason, the option that reads them and what they then are
REFUSED = {
    "one of 0 and 1 among 0 and 255": (
        [ids * (1 if n == 0 else 255) for n, ids in enumerate(TWO)],
        "masks/0.png",
        "contains 0, 1, but 5 masks contain 0, 255, such as masks/1.png",
        "threshold",
        TWO,
    ),
    "one of 0 and 255 among 0 and 1": (
        [ids * (255 if n == 3 else 1) for n, ids in enumerate(TWO)],
        "masks/3.png",
        "contains 0, 255, but 5 masks contain 0, 1, such as masks/0.png",
        "threshold",
        TWO,
    ),
    "one bit among 0 and 255": (
        [Image.fromarray(ids > 0) if n == 2 else 255 * ids for n, ids in enumerate(TWO)],
        "masks/2.png",
        "contains 0, 1, but 5 masks contain 0, 255",
        "threshold",
        TWO,
    ),
    "a stray pixel among 0 and 255": (stray(TWO), "masks/1.png", "contains 0, 1, 255, but 5 masks", "threshold", TWO),
    "ids among 0 and 255": (
        [THREE[0], *[255 * ids for ids in TWO[1:]]],
        "masks/0.png",
        "contains 0, 1, 2, but 5 masks contain 0, 255",
        "ids",
        [THREE[0], *[255 * ids for ids in TWO[1:]]],
    ),
    "soft edges": ([soft(255 * ids) for ids in TWO], "masks/", "two colors with soft edges", "threshold", TWO),
    "one with soft edges": (
        [soft(255 * ids) if n == 4 else 255 * ids for n, ids in enumerate(TWO)],
        "masks/4.png",
        "two colors with soft edges .*1 such masks",
        "threshold",
        TWO,
    ),
    "noise of jpeg": ([through_jpeg(255 * ids) for ids in TWO], "masks/", "noise of JPEG", "threshold", TWO),
    "little noise of jpeg": (
        [through_jpeg(255 * ids, 98) for ids in TWO],
        "masks/",
        "noise of JPEG|shades",
        "threshold",
        TWO,
    ),
    "0, 128 and 255": (
        [np.array([0, 128, 255], np.uint8)[ids] for ids in THREE],
        "masks/0.png",
        "only the values 0, 128, 255, shades at equal distances",
        "shades",
        THREE,
    ),
    "0, 85, 170 and 255": (
        [np.array([0, 85, 170, 255], np.uint8)[ids] for ids in FOUR],
        "masks/0.png",
        "shades at equal distances",
        "shades",
        FOUR,
    ),
    "0, 50 and 100": ([50 * ids for ids in THREE], "masks/0.png", "shades at equal distances", "shades", THREE),
    "0, 30, 60 and void": (
        [np.array([0, 30, 60, 255], np.uint8)[ids] for ids in FOUR],
        "masks/0.png",
        "shades at equal distances",
        "ids",
        [np.array([0, 30, 60, 255], np.uint8)[ids] for ids in FOUR],
    ),
    "0 and 200": ([200 * ids for ids in TWO], "masks/0.png", "shades at equal distances", "threshold", TWO),
    "the grays of a palette": (
        [np.array([0, 38, 75, 113], np.uint8)[ids] for ids in FOUR],
        "masks/0.png",
        "shades",
        "shades",
        FOUR,
    ),
    "uneven shades": (
        [np.array([0, 29, 76, 150], np.uint8)[ids] for ids in FOUR],
        "masks/0.png",
        "4 values up to 150: shades of gray rather than class ids",
        "shades",
        FOUR,
    ),
    "a palette that differs": (
        [palette(ids, VOC if n != 2 else [VOC[0], VOC[2], VOC[1]]) for n, ids in enumerate(THREE)],
        "masks/2.png",
        "its palette gives the id 1 the color",
        "ids",
        THREE,
    ),
}


@pytest.mark.parametrize("encoding", REFUSED)
def test_what_a_mask_means_is_asked_where_it_is_not_known(encoding, tmp_path):
    masks, file, reason, option, meant = REFUSED[encoding]
    root = write(tmp_path, masks)
    with pytest.raises(SeglabError, match=f"(?s)(?=.*{file})(?=.*({reason}))(?=.*data.values)"):
        Folder(root=root).open()
    assert len(report(root).rows) == 1  # one line for the set
    found = read(root, values=option)
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(meant))


def test_jpeg_masks_are_refused_with_a_way_that_works_and_read_by_it(tmp_path):
    root = write(tmp_path, [jpeg(255 * ids, 95) for ids in TWO], "jpg")
    assert "masks/0.jpg: stored as JPEG" in problems(root) and "threshold" in problems(root)
    assert "keep what was changed" in problems(root)
    found = read(root, values="threshold")
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(TWO))


def test_masks_of_several_pages_are_refused_by_name(tmp_path):
    root = write(tmp_path, THREE, "tif")
    pages = [Image.fromarray((THREE[0] == each).astype(np.uint8)) for each in (1, 2)]
    pages[0].save(root / "masks/0.tif", save_all=True, append_images=pages[1:])
    assert problems(root) == "masks/0.tif: contains 2 pages or frames; save one image a file"


@pytest.mark.parametrize("alpha", [False, True])
def test_painted_masks_name_their_colors_and_the_table_that_reads_them(tmp_path, alpha):
    colors = np.array([(0, 0, 0), (200, 10, 10), (10, 200, 10)], np.uint8)
    masks = [colors[ids] for ids in THREE]
    root = write(tmp_path, [np.dstack([mask, np.full_like(mask[..., 0], 255)]) if alpha else mask for mask in masks])
    assert "(200, 10, 10)" in problems(root) and "colors.txt" in problems(root)
    (root / "colors.txt").write_text("ground:0,0,0\nred:200,10,10\ngreen:10,200,10\n")
    found = read(root)
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(THREE))


def test_many_named_classes_are_ids_whatever_their_numbers(tmp_path):
    sparse = [np.array([0, 29, 76, 150], np.uint8)[ids] for ids in FOUR]
    root = write(tmp_path, sparse)
    found = read(root, classes=tuple(f"thing {n}" for n in range(151)))
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(sparse))


# --- folders at random ------------------------------------------------------------------------------------------------


def as_shades(ids: np.ndarray, classes: int) -> np.ndarray:
    return np.linspace(0, 255, classes).round().astype(np.uint8)[np.where(ids == VOID, 0, ids)]


ENCODINGS = {
    "ids": lambda ids, k: ids,
    "equal channels": lambda ids, k: np.dstack([ids] * 3),
    "opaque": lambda ids, k: np.dstack([ids, np.full_like(ids, 255)]),
    "16 bits": lambda ids, k: ids.astype(np.uint16),
    "palette": lambda ids, k: palette(ids, [(n, 255 - n, n // 2) for n in range(256)]),
    "odd palette": lambda ids, k: palette(ids, [(255 - n, n, n // 3) for n in range(256)]),
    "times 255": lambda ids, k: np.where(ids == VOID, 0, ids * (255 if k == 2 else 1)).astype(np.uint8),
    "one bit": lambda ids, k: Image.fromarray(ids == 1) if k == 2 else ids,
    "shades": as_shades,
    "soft": lambda ids, k: np.asarray(
        Image.fromarray(as_shades(ids, k)).resize((5, 4), Image.BILINEAR).resize(ids.shape[::-1], Image.BILINEAR)
    ),
    "jpeg": lambda ids, k: through_jpeg(as_shades(ids, k)),
}
LOSSLESS = ("ids", "equal channels", "opaque", "16 bits", "palette")


@st.composite
def folders(draw):
    """Masks with their encodings, and what they mean: most of one encoding, a few of others."""
    classes = draw(st.integers(2, 6))
    usual = draw(st.sampled_from(sorted(ENCODINGS)))
    void = draw(st.booleans())
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    made: list = []
    count = draw(st.integers(3, 7))
    odd, turns = rng.integers(0, 3 * count), rng.choice([1, 6, 8, 3] if rng.random() < 0.2 else [1, 6, 8], count)
    for n in range(count):
        height, width = (int(side) for side in rng.integers(12, 40, 2))
        ids = np.zeros((height, width), np.uint8)
        for _ in range(int(rng.integers(1, 5))):
            top, left = int(rng.integers(0, height - 4)), int(rng.integers(0, width - 4))
            ids[top : top + int(rng.integers(3, 14)), left : left + int(rng.integers(3, 14))] = rng.integers(0, classes)
        if void and rng.random() < 0.5:
            ids[: int(rng.integers(1, 5))] = VOID
        encoding = str(rng.choice(sorted(ENCODINGS))) if n == odd else usual
        if encoding not in LOSSLESS:
            ids[ids == VOID] = 0  # these encodings have no void
        made.append((f"{n}", ids, encoding, bool(rng.random() < 0.2), int(turns[n])))
    return classes, made


@settings(max_examples=500, deadline=None, derandomize=True)
@given(folders())
def test_folders_at_random_are_read_exactly_or_refused_by_name(given):
    classes, made = given
    root = Path(tempfile.mkdtemp())
    try:
        for kind in ("images", "masks"):
            (root / kind).mkdir()
        for name, ids, encoding, deep, turn in made:
            exif = Image.Exif()
            exif[0x0112] = turn
            photo = np.random.default_rng(int(name)).integers(0, 4096 if deep else 256, ids.shape)
            Image.fromarray(photo.astype(np.uint16 if deep else np.uint8)).save(root / f"images/{name}.png", exif=exif)
            mask = ENCODINGS[encoding](ids, classes)
            (mask if isinstance(mask, Image.Image) else Image.fromarray(mask)).save(root / f"masks/{name}.png")
        found = report(root)
        event("refused" if found.rows else "read")
        if found.rows:
            with pytest.raises(SeglabError):
                Folder(root=root).open()
            named = [file for file, _ in found.rows]
            assert all(file == "masks" or (root / file).is_file() for file in named)
            return
        told = "\n".join(map(str, found.warnings))
        data = Folder(root=root).open()
        samples = {name: each.load(name) for each in (data.train, data.search, data.val) for name in each.names}
        for name, ids, encoding, _, turn in made:
            right = {1: ids, 6: np.rot90(ids, -1), 8: np.rot90(ids, 1)}[turn]  # a half turn is never guessed
            assert samples[name].image.shape[:2] == samples[name].mask.shape
            if not np.array_equal(samples[name].mask, right):  # of 0 and 255 alone: what that means is told
                stored = set(np.unique(np.asarray(ENCODINGS[encoding](ids, classes))).tolist())
                assert "contain only 0 and 255" in told and stored <= {0, 255}, (encoding, told)
    finally:
        shutil.rmtree(root)


def test_the_threshold_is_only_advised_and_taken_where_something_reaches_it(tmp_path):
    for top, advised in ((100, False), (127, False), (200, True)):
        root = write(tmp_path / str(top), [top * ids for ids in TWO])
        assert ("to threshold for two" in problems(root)) == advised
        found = problems(root, values="threshold")
        assert (f"masks/0.png: has values up to {top}, so that nothing is class 1" in found) != advised
        assert np.array_equal(read(root, values="shades")[1], TWO[1])
    odd = [through_jpeg(3 * ids, 95) for ids in TWO]
    assert "set data.values to shades or ids" in problems(write(tmp_path / "jpeg", odd), values="threshold")


def test_a_mask_of_a_darker_shade_is_never_emptied_by_the_threshold(tmp_path):
    root = write(tmp_path / "odd", [(100 if n == 2 else 255) * ids for n, ids in enumerate(TWO)])
    assert "masks/2.png: has values up to 100" in problems(root, values="threshold")
    faint = TWO[2] * 0
    faint[3, 3:5] = 30, 60  # the last that a soft edge leaves of a small thing
    root = write(tmp_path / "faint", [faint if n == 2 else 255 * ids for n, ids in enumerate(TWO)])
    notes = "; ".join(map(str, Folder(root=root, values="threshold").open().notes))
    assert "masks without class 1" in notes and "1, such as masks/2.png with values up to 60" in notes


def test_ids_with_gaps_are_read_by_either_way_that_the_messages_name(tmp_path):
    masks = [np.array([0, 30, 31, 31], np.uint8)[ids] for ids in FOUR]
    root = write(tmp_path, masks)
    assert "a line such as 30: road" in problems(root)
    (root / "classes.txt").write_text("sky\nroad\ncar\n")
    assert "write ids beside the names (30: road)" in problems(root) and "shades" in problems(root)
    assert np.array_equal(read(root, values="shades")[0], np.minimum(FOUR[0], 2))
    (root / "classes.txt").write_text("0: sky\n30: road\n31: car\n")
    assert np.array_equal(read(root)[0], masks[0])


def test_void_alone_among_many_classes_is_not_to_be_thresholded(tmp_path):
    root = write(tmp_path, [FOUR[0] * 0 + 255, *FOUR[1:]])
    assert "masks/0.png: contains 255" in problems(root) and "threshold" not in problems(root)
    assert (read(root, values="ids")[0] == 255).all()


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("classes.txt", "0: sky\n1: road\n2: ignore\n3: void\n"),
        ("dataset.json", '{"labels": {"background": 0, "tumor": 1, "other": 2, "ignore": 3}}'),
        ("labels.txt", "sky\nroad\nvoid\nVoid\n"),
    ],
)
def test_ids_that_a_list_calls_void_are_void(file, text, tmp_path):
    root = write(tmp_path, FOUR)
    (root / file).write_text(text)
    void = (2, 3) if "json" not in file else (3,)
    for values in ("auto", "ids"):
        found = read(root, values=values)
        assert all(np.array_equal(found[n], np.where(np.isin(ids, void), VOID, ids)) for n, ids in enumerate(FOUR))
    for n, ids in enumerate(FOUR):
        Image.fromarray(60 * ids).save(root / f"masks/{n}.png")
    assert np.array_equal(read(root, values="shades")[0], np.where(np.isin(FOUR[0], void), VOID, FOUR[0]))
    write(root, FOUR)
    told = report(root)
    assert f"ids that are void by {file}: {', '.join(map(str, void))}" in told.text()
    assert "values 0, 1, 2, 3, read as class ids" in told.text() and not told.rows


@pytest.mark.parametrize("ending", ["png", "jpg"])
def test_the_threshold_is_for_grays_and_colors_are_never_told_apart_by_their_light(ending, tmp_path):
    painted = np.array([(0, 0, 0), (255, 0, 0), (0, 255, 0)], np.uint8)
    masks = [jpeg(painted[ids], 95) if ending == "jpg" else painted[ids] for ids in THREE]
    root = write(tmp_path, masks, ending)
    assert f"masks/0.{ending}: is painted in" in problems(root, values="threshold")
    grays = [jpeg(np.repeat(255 * ids[..., None], 3, 2), 80) for ids in TWO]
    found = read(write(tmp_path / "gray", grays, "jpg"), values="threshold")
    assert all(np.array_equal(found[n], ids) for n, ids in enumerate(TWO))
