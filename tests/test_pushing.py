"""Runs on the hub: pushed from one home, opened in another, and refused where they are not as they should be."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

import seglab
from seglab import hub as hubs
from seglab import runs, travel
from seglab.cli import main
from seglab.errors import SeglabError
from seglab.events import best_of
from seglab.runs import bringing
from tests.conftest import ROOT, asked, finish, marked, tiny
from tests.fake_hub import TOKEN, USER
from tests.test_travel import PEOPLE, contents, own, private  # noqa: F401

PHOTO = np.full((64, 96, 3), 90, np.uint8)


@pytest.fixture
def mina(hub, monkeypatch):
    """The hub, with mina logged in."""
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    return hub


@pytest.fixture(scope="module")
def first(tmp_path_factory) -> dict[str, bytes]:
    """What the hub has of a small run."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SEGLAB_HOME", str(tmp_path_factory.mktemp("first")))
        with asked(patch, tmp_path_factory.mktemp("login")) as hub:
            travel.push(finish(runs.create(tiny(epochs=1), "first")), travel.aimed("mina/net", token=TOKEN))
            return files_at(hub)


@pytest.fixture
def pushed(mina, first) -> Path:
    """A run that is at mina/net."""
    mina.add("mina/net", first)
    return finish(runs.create(tiny(epochs=1), "first"))


@pytest.fixture
def elsewhere(pushed, tmp_path, monkeypatch) -> Path:
    """The home of somebody else, who is not logged in."""
    monkeypatch.delenv("HF_TOKEN")
    monkeypatch.setenv("SEGLAB_HOME", str(tmp_path / "elsewhere"))
    return tmp_path / "elsewhere"


def files_at(hub, name: str = "mina/net") -> dict[str, bytes]:
    repository = hub.repositories["model", name]
    return repository.files("main")[1]


def changed(hub, **content: bytes | None) -> None:
    """Puts other files at mina/net; `x__y` stands for x.y, and None takes one away."""
    named = {name.replace("__", "."): value for name, value in content.items()}
    files = files_at(hub) | named
    hub.repositories["model", "mina/net"].commit({name: value for name, value in files.items() if value is not None})


def ends(arguments: list[str], code: int = 0) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == code


def nothing_there() -> bool:
    """Whether the home has no run, and nothing half taken in."""
    home = runs.home()
    return runs.every() == runs.every()[len(list(home.glob("*/config.json"))) :] and not list(
        (home / ".arriving").glob("*")
    )


# --- there and back


def test_a_run_that_was_pushed_is_the_same_elsewhere(pushed, elsewhere, capsys):
    ours, theirs = seglab.load(pushed), seglab.load("hf:mina/net")
    assert theirs.directory.parent == elsewhere and theirs.scores == ours.scores and theirs.config == ours.config
    digest = best_of(runs.events(theirs.directory)).weights_sha256
    said = capsys.readouterr().err
    assert digest in said and re.search("mina/net at commit [0-9a-f]{40}", said)
    travel.take(pushed, elsewhere / "first.zip")
    assert best_of(runs.events(runs.bring(elsewhere / "first.zip")[0])).weights_sha256 == digest
    state = runs.weights(pushed)
    for name, value in runs.weights(theirs.directory).items():
        assert torch.equal(value, state[name].half() if value.is_floating_point() else state[name])
    half = seglab.load(runs.bring(elsewhere / "first.zip")[0])
    assert np.array_equal(half.predict(PHOTO).probabilities, theirs.predict(PHOTO).probabilities)
    known = runs.Evidence(theirs.directory)
    assert (
        np.array_equal(known.labels(1), runs.Evidence(pushed).labels(1))
        and known.epochs() == runs.Evidence(pushed).epochs()
    )
    assert np.array_equal(known.probabilities(0), runs.Evidence(pushed).probabilities(0))


def test_the_hub_reads_what_the_run_is(pushed, hub):
    _, head, body = files_at(hub)["README.md"].decode().split("---\n", 2)
    card, miou = yaml.safe_load(head), seglab.load(pushed).scores.miou
    assert (card["library_name"], card["pipeline_tag"]) == ("seglab", "image-segmentation") and "license" not in card
    (result,) = card["model-index"][0]["results"]
    assert result["dataset"] == {"type": "streets", "name": "streets", "split": "val"}
    assert result["metrics"][0] == {"type": "mean_iou", "name": "mIoU", "value": miou}
    assert "seglab train --data streets" in body and "seglab predict hf:mina/net photo.jpg" in body
    assert "](curves.png)" in body and files_at(hub)["curves.png"].startswith(b"\x89PNG")
    length = int.from_bytes(files_at(hub)["model.safetensors"][:8], "little")
    assert json.loads(files_at(hub)["model.safetensors"][8 : 8 + length])["__metadata__"] == {"format": "pt"}
    assert set(files_at(hub)) <= runs.OWN_ON_HUB


def test_of_private_data_nothing_more_leaves_than_when_it_is_taken_away(own, mina, tmp_path):  # noqa: F811
    directory = private(own)
    travel.push(directory, travel.aimed("mina/clinic", private=True))
    for name, content in files_at(mina, "mina/clinic").items():
        (tmp_path / "seen").mkdir(exist_ok=True)
        (tmp_path / "seen" / name).write_bytes(content)
    seen = b"".join(name.encode() + content for name, content in contents(tmp_path / "seen").items())
    assert not [word for word in (*PEOPLE, str(own), "Dr Who") if word.encode() in seen]
    assert "pictures.zip" not in files_at(mina, "mina/clinic")
    card = yaml.safe_load(files_at(mina, "mina/clinic")["README.md"].decode().split("---\n")[1])
    assert card["model-index"][0]["results"][0]["dataset"]["name"] == "private data"
    assert mina.repositories["model", "mina/clinic"].private


def test_a_run_is_named_by_the_hub_wherever_runs_are_named(pushed, elsewhere, tmp_path):
    from PIL import Image

    Image.fromarray(PHOTO).save(tmp_path / "photo.png")
    ends(["predict", "hf:mina/net", str(tmp_path / "photo.png"), "--out", str(tmp_path / "out")])
    ends(["evaluate", "hf:mina/net@main", "--json"])
    ends(["compare", "hf:mina/net", "unet"])
    ends(["track", "hf:mina/net", "--to", "csv", "--out", str(tmp_path / "csv")])
    ends(["ship", "hf:mina/net", "--out", str(tmp_path / "again.zip")])
    assert seglab.compare(["hf:mina/net"]).rows[0]["run"] == runs.find("hf:mina/net").name
    begun = runs.create(runs.settled(tiny(epochs=1, init_from="hf:mina/net")))
    assert runs.config(begun).init_from == runs.find("hf:mina/net")
    assert len([path for path in elsewhere.iterdir() if path.name.startswith("mina+net+")]) == 1


def test_it_is_fetched_once_and_found_without_the_hub(pushed, elsewhere, hub, capsys):
    directory = runs.find("hf:mina/net")
    commit = runs.shipped(directory).hub.partition("@")[2]
    asked = len(hub.asked)
    capsys.readouterr()
    assert runs.find(f"hf:mina/net@{commit}") == directory and len(hub.asked) == asked
    assert runs.find("hf:mina/net") == directory and len(hub.asked) == asked + 1
    hub.stop()
    assert runs.find("hf:mina/net") == directory == runs.find(f"hf:mina/net@{commit}")
    assert capsys.readouterr().err == ""
    with pytest.raises(hubs.UnreachableError, match="does not answer"):
        runs.find("hf:mina/other")


def test_nothing_is_fetched_to_be_deleted_or_gone_on_with(pushed, elsewhere, hub, capsys):
    for command in (["rm", "--yes"], ["resume"]):
        ends([*command, "hf:mina/net"], 2)
        assert "there is no run 'hf:mina/net'" in capsys.readouterr().err
    assert hub.asked == [] and nothing_there()
    directory = runs.find("hf:mina/net")
    asked = len(hub.asked)
    ends(["rm", "--yes", "hf:mina/net@v2"], 2)
    ends(["rm", "--yes", "hf:mina/net"])
    assert not directory.exists() and len(hub.asked) == asked


def test_a_second_push_takes_the_place_of_the_first_and_both_are_kept(pushed, elsewhere, mina, monkeypatch):
    first = runs.find("hf:mina/net")
    before = runs.shipped(first).hub.partition("@")[2]
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    more = finish(runs.create(tiny(epochs=2), "second"))
    aim = travel.aimed("mina/net")
    assert "takes the place of the run" in " ".join(map(str, travel.outlook(aim)))
    travel.push(more, aim)
    assert runs.find("hf:mina/net") != first == runs.find(f"hf:mina/net@{before}")
    (message,) = mina.repositories["model", "mina/net"].messages
    assert message.startswith("second: mIoU 0.")
    with pytest.raises(SeglabError, match="412"):  # it has changed since it was looked at
        travel.push(more, aim)


# --- what is refused where a run is pushed


def test_what_somebody_else_has_there_stays(mina):
    directory = finish(runs.create(tiny(epochs=1), "first"))
    mina.add("mina/bert", {"config.json": b"{}", "model.safetensors": b"x", "tokenizer.json": b"{}"})
    with pytest.raises(SeglabError, match=r"holds something else than a run of seglab, such as tokenizer\.json"):
        travel.aimed("mina/bert")
    mina.add("mina/bare", {"config.json": b"{}", "model.safetensors": b"x"})
    with pytest.raises(SeglabError, match=r"such as config\.json"):
        travel.aimed("mina/bare")
    mina.add("mina/empty", {".gitattributes": b"", "README.md": b"# soon"})
    with pytest.raises(SeglabError, match=r"such as \.gitattributes|such as README"):
        travel.aimed("mina/empty")
    with pytest.raises(SeglabError, match="403"):
        travel.push(directory, travel.aimed("jiwoo/net"))
    assert not any(key[1].startswith("jiwoo") for key in mina.repositories)


def test_what_shall_be_private_is_not_put_where_everybody_sees_it(pushed, mina):
    with pytest.raises(SeglabError, match=r"is there and everybody sees it; make it private on .*/mina/net/settings"):
        travel.aimed("mina/net", private=True)


def test_without_a_login_it_is_said_how_to_get_one(hub, capsys):
    finish(runs.create(tiny(epochs=1), "first"))
    ends(["push", "first", "mina/net"], 2)
    assert "there is no login for http://127.0.0.1" in capsys.readouterr().err and hub.asked == []
    with pytest.raises(SeglabError, match="allowed: OWNER/NAME"):
        seglab.load("first").push("net")


def test_what_leaves_is_said_before_it_leaves(mina, capsys):
    finish(runs.create(tiny(epochs=1), "first"))
    ends(["push", "first", "mina/net", "--private", "--dry-run"])
    said = capsys.readouterr()
    assert "these leave this machine" in said.err and f"only {USER}, and whom they let in" in said.err
    assert said.out == "" and ("model", "mina/net") not in mina.repositories
    for more in ([], ["--dry-run"]):
        ends(["push", "first", "mina/net", "--license", "no license", *more], 2)
    assert ("model", "mina/net") not in mina.repositories
    assert seglab.load("first").push("mina/net", license="mit").startswith("hf:mina/net@")
    assert b"\nlicense: mit\n" in files_at(mina)["README.md"]


def test_a_run_that_goes_on_is_not_pushed(mina):
    directory = runs.create(tiny(), "going")
    with pytest.raises(SeglabError, match="going"):
        travel.push(directory, travel.aimed("mina/net"))
    assert ("model", "mina/net") not in mina.repositories


# --- what is refused where a run is opened


def rewritten(hub, name: str, change) -> None:
    """mina/net with a file changed, and announced by nothing, as by whoever changes it."""
    files = files_at(hub)
    events = marked(files["events.jsonl"], lambda event: event.model_copy(update={"files": {}}))
    value = json.loads(files[name])
    changed(hub, **{name: json.dumps(change(value) or value).encode(), "events.jsonl": events})


def test_folders_in_a_configuration_are_emptied(pushed, elsewhere, hub, tmp_path):
    def foreign(config: dict) -> None:
        config["data"] = {"name": "folder", "root": str(tmp_path / "secret")}
        config["init_from"] = "/etc"

    rewritten(hub, "config.json", foreign)
    directory = runs.find("hf:mina/net")
    assert runs.config(directory).data.root is None and runs.config(directory).init_from is None
    known = runs.shipped(directory)
    assert known.brought and known.private and str(tmp_path) not in (directory / "config.json").read_text()


def test_another_model_s_repository_is_no_run(hub):
    hub.add("mina/net", {"pytorch_model.bin": b"\x80\x04", "config.json": b"{}", "README.md": b"<script>"})
    with pytest.raises(SeglabError, match=r"mina/net has no dataset\.json: it is not a run that seglab pushed"):
        runs.find("hf:mina/net")
    assert not any("/resolve/" in path for _, path in hub.asked) and nothing_there()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ({"model__safetensors": b"\x80\x04pickle"}, "sha256 is not the one recorded"),
        ({"config__json": b"{}"}, "sha256 is not the one recorded"),
        ({"config__json": b"../../secret"}, "config.json cannot be read"),  # as of a symbolic link
        ({"events__jsonl": b"x\n"}, "line 1 cannot be read"),
        ({"pictures__zip": b"PK"}, "damaged"),
        ({"dataset__json": None}, "is not a run"),
    ],
)
def test_what_is_not_as_it_should_be_leaves_nothing(content, reason, pushed, elsewhere, hub):
    changed(hub, **content)
    with pytest.raises(SeglabError, match=reason):
        runs.find("hf:mina/net")
    assert nothing_there()


def test_too_large_a_run_is_refused_before_it_is_fetched(pushed, elsewhere, hub):
    hub.repositories["model", "mina/net"].sizes["model.safetensors"] = 400 * 2**20
    with pytest.raises(SeglabError, match="allowed: 300 MB"):
        runs.open_hub("hf:mina/net", most_bytes=hubs.MOST_BYTES)
    assert not any("/resolve/" in path for _, path in hub.asked) and nothing_there()


def test_only_the_files_of_a_run_are_fetched(pushed, elsewhere, hub):
    changed(hub, evil__py=b"print()", entries__py=b"x", **{"predictions/0000": b"x", "..": b"", "last": b"{}"})
    directory = runs.find("hf:mina/net")
    assert {path.name for path in directory.iterdir()} <= {
        *("config.json", "dataset.json", "events.jsonl", "weights.safetensors", "evaluation.npz", "shipped.json"),
        *("label.json", "predictions", "truth", "samples", "probabilities.npz"),
    }
    assert not any(path.endswith((".py", "last", "README.md")) for _, path in hub.asked)


def test_names_from_elsewhere_are_fit_to_print(pushed, elsewhere, hub):
    def foreign(known: dict) -> None:
        known["classes"][0] = "<img src=x onerror=alert(1)>\x1b[31m"

    rewritten(hub, "dataset.json", foreign)
    assert "\x1b" not in "".join(runs.description(runs.find("hf:mina/net"))["classes"])


def test_a_private_run_is_its_owner_s(pushed, elsewhere, hub, monkeypatch):
    hub.repositories["model", "mina/net"].private = True
    with pytest.raises(SeglabError, match="or it is private and this login does not see it"):
        runs.find("hf:mina/net")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    monkeypatch.setenv("SEGLAB_SHARED", "1")  # a server's own login is no visitor's
    with pytest.raises(SeglabError, match="or it is private"):
        runs.find("hf:mina/net")
    monkeypatch.delenv("SEGLAB_SHARED")
    assert runs.find("hf:mina/net").is_dir()


def test_a_run_of_one_s_own_is_never_taken_for_one_of_the_hub(pushed, elsewhere):
    repository = hubs.look_up("mina/net")
    mine = finish(runs.create(tiny(epochs=1), bringing.called(repository)))
    with pytest.raises(SeglabError, match="already exists"):
        runs.find("hf:mina/net")
    assert runs.shipped(mine) is None


def test_two_repositories_have_two_names():
    long = "a" * 90
    names = [("a-b/c", "1" * 40), ("a/b-c", "1" * 40), (f"{long}/b", "1" * 40), (f"{long}/c", "1" * 40)]
    found = {bringing.called(hubs.Repository(name, "model", commit, False, {})) for name, commit in names}
    assert len(found) == 4 and all(runs.checked(name) for name in found)


def test_a_server_that_does_not_allow_it_asks_nothing(hub, monkeypatch):
    monkeypatch.setenv("SEGLAB_HUB", "0")
    with pytest.raises(SeglabError, match="SEGLAB_HUB=1"):
        runs.find("hf:mina/net")
    assert hub.asked == []


def test_a_program_that_is_killed_while_it_opens_a_run_leaves_none(pushed, elsewhere, hub):
    """It is killed as soon as the weights are asked for."""
    reached: list[subprocess.Popen] = []

    def kill(request) -> bool:
        if "model.safetensors" in request.path and reached:
            os.kill(reached.pop().pid, signal.SIGKILL)
        return False

    hub.instead = kill
    code = "from seglab import runs; runs.find('hf:mina/net')"
    program = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, stderr=subprocess.DEVNULL)
    reached.append(program)
    assert program.wait(120) == -signal.SIGKILL
    assert list(elsewhere.glob("*/config.json")) == [] and len(list((elsewhere / ".arriving").iterdir())) == 2
    assert runs.find("hf:mina/net").is_dir() and list((elsewhere / ".arriving").iterdir()) == []
