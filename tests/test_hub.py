"""Repositories of the hub: what is asked, what is fetched, and what is refused."""

import pytest

from seglab import hub as hubs
from seglab.errors import SeglabError
from tests.fake_hub import TOKEN

FILES = {"config.json": b"{}", "model.safetensors": b"weights" * 1000, "pytorch_model.bin": b"pickle", "a/b.txt": b"b"}


def test_only_the_files_that_are_asked_for_are_fetched(hub, tmp_path):
    hub.add("mina/net", FILES, large=frozenset({"model.safetensors"}))
    known = hubs.look_up("mina/net")
    assert {name: file.size for name, file in known.files.items()} == {name: len(FILES[name]) for name in FILES}
    folder = hubs.fetch(known, known.named("*.json", "*.safetensors", "a/*"), tmp_path / "here")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {name: FILES[name] for name in ("config.json", "model.safetensors", "a/b.txt")}
    assert set(hub.authorized) == {None}


def test_a_file_is_on_the_disk_before_it_has_its_name(hub, tmp_path, monkeypatch):
    hub.add("mina/net", FILES)
    done, replace = [], hubs.os.replace
    monkeypatch.setattr(hubs.os, "fsync", lambda number: done.append("synced"))
    monkeypatch.setattr(hubs.os, "replace", lambda a, b: done.append("named") or replace(a, b))
    known = hubs.look_up("mina/net")
    done.clear()
    hubs.fetch(known, ["config.json"], tmp_path / "here")
    assert done == ["synced", "named"]


def test_a_data_set_is_looked_up_among_data_sets(hub, tmp_path):
    hub.add("streets", {"data/train.parquet": b"PAR1"}, kind="dataset")
    known = hubs.look_up("streets", kind="dataset")
    assert (hubs.fetch(known, known.named("*.parquet"), tmp_path) / "data/train.parquet").read_bytes() == b"PAR1"
    with pytest.raises(SeglabError, match="streets is not on"):
        hubs.look_up("streets")


def test_a_commit_is_not_asked_for_twice_and_a_branch_is(hub):
    repository = hub.add("mina/net", FILES)
    first = hubs.look_up("mina/net")
    folder = hubs.fetch(first, ["config.json"])
    asked = len(hub.asked)
    assert hubs.look_up("mina/net", first.commit) == first
    assert hubs.fetch(first, ["config.json"]) == folder and len(hub.asked) == asked
    second = repository.commit({"config.json": b"new"})
    assert hubs.look_up("mina/net").commit == second != first.commit


def test_without_the_hub_a_branch_is_what_it_was_last(hub):
    hub.add("mina/net", FILES)
    known = hubs.look_up("mina/net")
    hub.stop()
    assert hubs.look_up("mina/net") == known
    with pytest.raises(hubs.UnreachableError, match="does not answer"):
        hubs.look_up("mina/net", "other")


def test_too_large_files_are_refused_before_anything_is_fetched(hub, tmp_path):
    hub.add("mina/net", FILES, sizes={"model.safetensors": 400 * 2**20})
    known, asked = hubs.look_up("mina/net"), len(hub.asked)
    with pytest.raises(SeglabError, match="mina/net: its files have 401 MB; allowed: 300 MB"):
        hubs.fetch(known, known.named("*"), tmp_path)
    assert len(hub.asked) == asked and not list(tmp_path.glob("*.json"))


@pytest.mark.parametrize("content", [b"weights" * 999, b"weights" * 1001, b"changed" * 1000])
@pytest.mark.parametrize("large", [True, False])
def test_what_was_not_announced_is_not_kept(hub, tmp_path, content, large):
    repository = hub.add("mina/net", FILES, large=frozenset({"model.safetensors"} if large else ()))
    known = hubs.look_up("mina/net")
    repository.commits[known.commit]["model.safetensors"] = content
    with pytest.raises(SeglabError, match=r"model\.safetensors is not what the hub announced"):
        hubs.fetch(known, ["model.safetensors"], tmp_path / "here")
    assert list((tmp_path / "here").iterdir()) == []


def test_private_repositories_need_a_login_that_is_given(hub, monkeypatch):
    hub.add("mina/net", FILES, private=True)
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(SeglabError, match="or it is private and this login does not see it"):
        hubs.look_up("mina/net")
    known = hubs.look_up("mina/net", token=None)
    assert known.private and (hubs.fetch(known, ["config.json"], token=None) / "config.json").read_bytes() == b"{}"


def test_gated_repositories_say_where_to_ask(hub, tmp_path):
    hub.add("mina/net", FILES, gated=True)
    with pytest.raises(SeglabError, match=f"mina/net is gated: ask for access on {hub.address}/mina/net"):
        hubs.fetch(hubs.look_up("mina/net"), ["config.json"], tmp_path)


def test_the_token_does_not_follow_to_another_host(hub, tmp_path):
    hub.add("mina/net", FILES, private=True)
    known = hubs.look_up("mina/net", token=TOKEN)
    seen = []

    def elsewhere(request):
        if "/resolve/" not in request.path:
            return False
        if request.headers["Host"].startswith("127.0.0.1"):
            request.send(b"", 302, "text/plain", Location=f"http://localhost:{hub.server.server_port}{request.path}")
        else:
            seen.append(request.headers["Authorization"])
            request.send(FILES["config.json"], 200, "text/plain")
        return True

    hub.instead = elsewhere
    hubs.fetch(known, ["config.json"], tmp_path, token=TOKEN)
    assert seen == [None] and hub.authorized[-2] == f"Bearer {TOKEN}"


def test_a_hub_that_hangs_is_given_up(hub, tmp_path, monkeypatch):
    hub.add("mina/net", FILES)
    known = hubs.look_up("mina/net")
    closing = []
    monkeypatch.setattr(hubs, "ANSWER_SECONDS", 0.2)
    monkeypatch.setattr(hubs, "STALL_SECONDS", 0.2)
    hub.instead = lambda request: closing.append(request) or request.rfile.read(1) or True
    with pytest.raises(hubs.UnreachableError, match=r"does not answer: .*timed out"):
        hubs.fetch(known, ["config.json"], tmp_path)
    with pytest.raises(hubs.UnreachableError, match=r"does not answer: .*timed out"):
        hubs.look_up("mina/net", "other")
    assert len(closing) == 2


def test_a_download_that_drips_is_given_up(hub, tmp_path, monkeypatch):
    hub.add("mina/net", FILES)
    known = hubs.look_up("mina/net")
    clock = iter(range(0, 10**6, 30))
    monkeypatch.setattr(hubs.time, "monotonic", lambda: next(clock))
    with pytest.raises(hubs.UnreachableError, match=r"config\.json comes too slowly"):
        hubs.fetch(known, ["config.json"], tmp_path)


@pytest.mark.parametrize("name", ["../net", "a/b/c", "-a/net", "a/..", "a--b/net", "a/<b>", "", "a/net.git", "a/b\n"])
def test_what_is_no_id_is_not_asked_for(hub, name):
    with pytest.raises(SeglabError, match="allowed: OWNER/NAME"):
        hubs.look_up(name)
    with pytest.raises(SeglabError, match="allowed: a branch, a tag or a commit"):
        hubs.look_up("mina/net", "../../x")
    assert hub.asked == []


def test_names_that_lead_elsewhere_are_left_out(hub):
    odd = {"../up": b"", "/root": b"", "a\\b": b"", "a/../b": b"", "c:d": b"", "a\nb": b"", "a//b": b"", "a./b": b""}
    hub.add("mina/net", FILES | odd)
    assert set(hubs.look_up("mina/net").files) == set(FILES)


def test_answers_that_make_no_sense_are_told(hub):
    hub.add("mina/net", FILES)
    hub.instead = lambda request: request.json({"id": "mina/net", "sha": "<b>"}) or True
    with pytest.raises(SeglabError, match="an answer about mina/net that makes no sense"):
        hubs.look_up("mina/net")
