"""Data sets of the hub: what is fetched, how columns and splits are found, and that masks are read as a folder's."""

import io
import json
import sys

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
import yaml
from PIL import Image

from seglab import runs
from seglab.cli import main
from seglab.data import hub as source
from seglab.data.hub import Hub
from seglab.entry import validated
from seglab.errors import SeglabError
from seglab.families import Dataset
from seglab.travel import aimed, push, take
from seglab.ui.options import of_entry
from tests.conftest import tiny
from tests.fake_hub import TOKEN

STRUCT = pyarrow.struct([("bytes", pyarrow.binary()), ("path", pyarrow.string())])
NAMES = {"0": "road", "1": "tree", "2": "sky"}
CARD = b"---\nlicense: cc-by-4.0\ntags:\n- scenes\n---\n# Scenes\n"


def file_of(pixels, kind="PNG"):
    content = io.BytesIO()
    Image.fromarray(pixels.astype(np.uint8)).save(content, kind)
    return content.getvalue()


def pair(n, values=(0, 1, 2, 255)):
    rng = np.random.default_rng(n)
    return file_of(rng.integers(0, 256, (24, 32, 3)), "JPEG"), file_of(rng.choice(values, (24, 32)))


def parquet(pairs, names=("image", "annotation"), **others):
    columns = dict(
        zip(names, ([{"bytes": each, "path": None} for each in side] for side in zip(*pairs, strict=True)), strict=True)
    )
    arrays = {name: pyarrow.array(side, STRUCT) for name, side in columns.items()} | others
    file = io.BytesIO()
    pyarrow.parquet.write_table(pyarrow.table(arrays), file, row_group_size=3)
    return file.getvalue()


def shards(first=0):
    """Two files to learn from with four and three rows, and one for validation with three."""
    return {
        "data/train-00000-of-00002.parquet": parquet([pair(first + n) for n in range(4)]),
        "data/train-00001-of-00002-ab12.parquet": parquet([pair(first + n) for n in range(4, 7)]),
        "data/validation-00000-of-00001.parquet": parquet([pair(first + n) for n in range(7, 10)]),
        "data/test-00000-of-00001.parquet": parquet([pair(99)]),
        "README.md": CARD,
        "id2label.json": json.dumps(NAMES).encode(),
        "scenes.py": b"raise SystemExit",
    }


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "data"))
    return tmp_path / "data" / "hub"


def data(**options):
    return validated(Dataset, {"name": "hub", "id": "mina/scenes"} | options)


def fetched(**options):
    found = data(**options)
    found.download()
    return found


def test_a_data_set_is_fetched_and_read(hub, place, capsys):
    hub.add("mina/scenes", shards(), kind="dataset")
    found = fetched()
    told = capsys.readouterr().err
    assert "mina/scenes: 0.0 GB from http://127.0.0.1" in told and "license: cc-by-4.0" in told
    opened = found.open()
    assert opened.classes == ("road", "tree", "sky") and (len(opened.train), len(opened.search), len(opened.val)) == (
        7,
        1,
        2,
    )
    assert "mina/scenes of the hub, commit" in str(opened.found[0]) and "cc-by-4.0" in str(opened.found[0])
    for n in range(7):
        image, mask = pair(n)
        assert np.array_equal(opened.train[n].mask, np.array(Image.open(io.BytesIO(mask))))
        assert np.array_equal(opened.train[n].image, np.array(Image.open(io.BytesIO(image))))
    asked = [path.rpartition("/")[2] for _, path in hub.asked if "/resolve/" in path]
    assert "scenes.py" not in asked and not any(name.startswith("test") for name in asked)
    assert not list(place.rglob("*.parquet")) and (place / "mina--scenes").is_dir()


def test_nothing_is_asked_of_the_hub_but_by_a_download(hub):
    hub.add("mina/scenes", shards(), kind="dataset")
    with pytest.raises(SeglabError, match=r"mina/scenes is not here: `python -m seglab data "):
        data().open()
    assert hub.asked == [] and not data().here and not Hub.any_here() and data().private
    fetched()
    asked = len(hub.asked)
    assert data().here and Hub.any_here() and not data().private
    data().download()
    data().open()
    assert len(hub.asked) == asked


def test_the_command_downloads_reports_and_trains(hub, capsys, runs_home):
    hub.add("mina/scenes", shards(), kind="dataset")
    with pytest.raises(SystemExit, match="0"):
        main(["data", "--data", "hub", "--data.id", "mina/scenes", "--download"])
    assert "7 training, 1 search and 2 validation images" in capsys.readouterr().out
    directory = runs.create(tiny(data=data(), image_size=32))
    list(runs.work(directory))
    assert runs.status(directory).state == "completed" and not runs.config(directory).data.private


def test_a_download_that_was_broken_off_goes_on(hub, monkeypatch, capsys):
    hub.add("mina/scenes", shards(), kind="dataset")
    ending, left = source.ending_of, [5 * 2 + 1]

    def failing(content, where):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(28, "No space left on device")
        return ending(content, where)

    monkeypatch.setattr(source, "ending_of", failing)
    with pytest.raises(SeglabError, match=r"No space left on device; the same command continues"):
        data().download()
    assert not data().here
    monkeypatch.setattr(source, "ending_of", ending)
    hub.asked.clear()
    assert len(fetched().open().train) == 7
    assert not any("train-00000" in path for _, path in hub.asked)


def test_another_commit_begins_anew(hub, place, monkeypatch):
    repository = hub.add("mina/scenes", shards(), kind="dataset")
    with monkeypatch.context() as patch:
        patch.setattr(source.Rows, "finish", lambda rows: (_ for _ in ()).throw(OSError(28, "full")))
        with pytest.raises(OSError):
            data().download()
    repository.commit(shards(first=50))
    opened = fetched().open()
    assert np.array_equal(opened.train[0].mask, np.array(Image.open(io.BytesIO(pair(50)[1]))))


def test_without_a_validation_split_some_of_the_training_pairs_are_it(hub):
    files = {name: content for name, content in shards().items() if "validation" not in name}
    hub.add("mina/scenes", files, kind="dataset")
    opened = fetched(val_fraction=0.4).open()
    assert (len(opened.train), len(opened.search) + len(opened.val)) == (4, 3)


def test_columns_splits_and_subsets_can_be_named(hub, place):
    own = parquet([pair(n) + pair(n + 50) for n in range(4)], ("a", "b", "c", "d"))
    hub.add(
        "mina/scenes",
        {"one/learn/0000.parquet": own, "one/check/0000.parquet": own, "two/learn/0.parquet": own},
        "dataset",
    )
    with pytest.raises(SeglabError, match=r"several subsets.*allowed: one, two"):
        data().download()
    with pytest.raises(SeglabError, match=r"there is no split train; allowed: check, learn"):
        data(subset="one").download()
    with pytest.raises(SeglabError, match=r"which columns .* is not clear.*a, b, c, d"):
        data(subset="one", train="learn").download()
    with pytest.raises(SeglabError, match=r"e is no column of pictures; allowed: a, b, c, d"):
        data(subset="one", train="learn", image="e").download()
    opened = fetched(subset="one", train="learn", validation="check", image="a", mask="d").open()
    assert np.array_equal(opened.train[0].mask, np.array(Image.open(io.BytesIO(pair(50)[1]))))
    assert "in both training and validation: 4" in " ".join(map(str, opened.warnings))
    assert not data(subset="one", train="learn", validation="check", image="a", mask="b").here


def test_what_the_hub_has_converted_is_read_where_there_is_no_parquet(hub):
    repository = hub.add("mina/scenes", {"scenes.zip": b"PK", "README.md": CARD}, kind="dataset")
    with pytest.raises(SeglabError, match=r"mina/scenes has no parquet files"):
        data().download()
    names = ("default/partial-train/0000.parquet", "default/partial-train/0001.parquet", "default/val/0000.parquet")
    content = [content for name, content in shards().items() if name.endswith("parquet")]
    repository.commit(dict(zip(names, content, strict=False)), "refs/convert/parquet")
    assert len(fetched().open().train) == 7


def test_reduced_labels_make_0_void_and_1_the_first_class(hub):
    hub.add("mina/scenes", shards(), kind="dataset")
    found = fetched(reduce_labels=True, classes=("tree", "sky"))
    opened, mask = found.open(), np.array(Image.open(io.BytesIO(pair(0)[1])))
    assert opened.classes == ("tree", "sky") and any("0 is void" in str(each) for each in opened.found)
    assert np.array_equal(opened.train[0].mask, np.where(np.isin(mask, (0, 255)), 255, mask - 1))
    assert opened.digests != data(classes=("road", "tree", "sky")).open().digests
    with pytest.raises(SeglabError, match=r"data\.values"):
        data(reduce_labels=True, values="threshold").open()


def test_masks_are_refused_as_those_of_a_folder_are(hub):
    files = shards() | {"data/train-00000-of-00002.parquet": parquet([pair(0), (pair(1)[0], pair(1)[0]), pair(2)])}
    hub.add("mina/scenes", files, kind="dataset")
    with pytest.raises(SeglabError, match=r"masks/train/000001.jpg: stored as JPEG"):
        fetched().open()


@pytest.mark.parametrize("content", [None, b"", b"<svg>"])
def test_a_row_without_a_picture_is_named(hub, content):
    files = shards() | {"data/train-00000-of-00002.parquet": parquet([pair(0), (pair(1)[0], content)])}
    hub.add("mina/scenes", files, kind="dataset")
    with pytest.raises(SeglabError, match=r"train-00000-of-00002.parquet, row 1, masks: is not a picture"):
        data().download()


def test_a_file_that_is_no_parquet_is_named(hub):
    hub.add("mina/scenes", shards() | {"data/train-00000-of-00002.parquet": b"PAR1" * 20}, kind="dataset")
    with pytest.raises(SeglabError, match=r"train-00000-of-00002.parquet: cannot be read"):
        data().download()


def test_a_private_data_set_stays_private_and_off_a_server_of_many(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset", private=True)
    with pytest.raises(SeglabError, match=r"mina/scenes is not on"):
        data().download()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetched().private and data().here
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    assert not data().here
    with pytest.raises(SeglabError, match=r"is not here"):
        data().open()


def test_a_gated_data_set_is_nobody_else_s(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset", gated=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    assert fetched().private and data().here
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    assert not data().here


def test_a_run_on_a_public_data_set_is_scored_where_that_was_downloaded_too(hub, tmp_path, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset")
    directory = runs.create(tiny(data=fetched(), image_size=32, epochs=1), "scenes")
    list(runs.work(directory))
    take(directory, tmp_path / "scenes.zip")
    monkeypatch.setenv("SEGLAB_HOME", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("SEGLAB_DATA", str(tmp_path / "no data"))
    there, _ = runs.bring(tmp_path / "scenes.zip")
    with pytest.raises(SeglabError, match=r"mina/scenes is not here: `python -m seglab data "):
        runs.opened(there)
    fetched()
    assert len(runs.opened(there).val) == 2


def test_the_card_of_a_run_names_the_data_set(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset")
    directory = runs.create(tiny(data=fetched(), image_size=32, epochs=1), "scenes")
    list(runs.work(directory))
    push(directory, aimed("mina/net", token=TOKEN))
    files = hub.repositories["model", "mina/net"].files("main")[1]
    card = yaml.safe_load(files["README.md"].decode().split("---\n")[1])
    assert card["model-index"][0]["results"][0]["dataset"]["type"] == "mina/scenes"


def test_a_run_on_a_private_data_set_comes_without_its_images(hub, tmp_path, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset", private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    directory = runs.create(tiny(data=fetched(), image_size=32, epochs=1), "scenes")
    list(runs.work(directory))
    take(directory, tmp_path / "scenes.zip")
    monkeypatch.setenv("SEGLAB_HOME", str(tmp_path / "elsewhere"))
    there, _ = runs.bring(tmp_path / "scenes.zip")
    with pytest.raises(SeglabError, match="came without its images: they are private"):
        runs.opened(there)


def test_what_another_process_fetched_meanwhile_stays(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset")
    looking = source.refuse_full

    def slowly(folder, size):
        monkeypatch.setattr(source, "refuse_full", looking)
        data().download()  # all of it, by another
        hub.asked.clear()

    monkeypatch.setattr(source, "refuse_full", slowly)
    assert len(fetched().open().train) == 7
    assert not any(path.endswith(".parquet") for _, path in hub.asked)


def test_a_license_of_many_lists_is_left_out(hub, capsys):
    card = b"---\nlicense: [mit, &a [x, x], *a]\n---\n"
    hub.add("mina/scenes", shards() | {"README.md": card}, kind="dataset")
    data().download()
    assert "license: mit\n" in capsys.readouterr().err


def test_a_folder_with_other_files_is_left_alone(hub, tmp_path):
    hub.add("mina/scenes", shards(), kind="dataset")
    (tmp_path / "own/images").mkdir(parents=True)
    (tmp_path / "own/images/a.png").write_bytes(b"mine")
    with pytest.raises(SeglabError, match=r"own holds other files"):
        data(root=tmp_path / "own").download()
    assert (tmp_path / "own/images/a.png").read_bytes() == b"mine"
    assert len(fetched(root=tmp_path / "new").open().train) == 7


def test_a_disk_without_room_is_told_before_anything_is_fetched(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset")
    monkeypatch.setattr(source, "SPARE", 2**60)
    with pytest.raises(SeglabError, match=r"the disk has 0.0 GB for the data set"):
        data().download()
    assert not any("/resolve/" in path for _, path in hub.asked)


@pytest.mark.parametrize("name", ["../secrets", "a/b/c", "a b", "https://x/y"])
def test_an_id_that_is_none_is_refused(name):
    with pytest.raises(SeglabError, match=r"id"):
        data(id=name)


def test_without_an_id_it_is_asked_for():
    with pytest.raises(SeglabError, match=r"--data.id OWNER/NAME"):
        Hub().open()


def test_without_pyarrow_it_is_told_what_to_install(hub, monkeypatch):
    hub.add("mina/scenes", shards(), kind="dataset")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    monkeypatch.delattr(pyarrow, "parquet")
    with pytest.raises(SeglabError, match=r'pip install "seglab\[hub\]"'):
        data().download()
    assert hub.asked == []


def test_the_page_offers_what_is_here_and_what_it_was_chosen_by(hub, monkeypatch):
    offered = lambda: {each["name"]: each.get("choices") for each in of_entry("data", Hub).offered}  # noqa: E731
    assert "id" not in offered() and {"val_fraction", "values", "reduce_labels"} <= offered().keys()
    hub.add("mina/scenes", shards(), kind="dataset")
    hub.add("mina/secrets", shards(), kind="dataset", private=True)
    fetched(mask="annotation")
    assert offered()["id"] == ["mina/scenes"] and offered()["mask"] == ["annotation"] and "image" not in offered()
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    fetched(id="mina/secrets")
    assert offered()["id"] == ["mina/scenes", "mina/secrets"]
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    assert offered()["id"] == ["mina/scenes"]
