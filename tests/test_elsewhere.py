"""Where runs are worked on: what is said of it, and what is done without a cluster."""

import importlib.util
import os
import re
import socket
import threading

import pytest

from benchmarks._outcome import weights
from seglab import cli, jobs, machine, plugins, runs
from seglab.data import store
from seglab.errors import SeglabError
from seglab.events import Finished, to_line
from seglab.jobs import dispatcher, elsewhere, node, ray, slurm, worker
from tests.conftest import finish, tiny
from tests.test_jobs import state, wait_until


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("ray", {"engine": "ray", "address": "", "cpus": 1, "gpus": 0}),
        ("ray:auto cpus=4", {"engine": "ray", "address": "auto", "cpus": 4, "gpus": 0}),
        ("ray:10.0.0.1:6379,cpus=2,gpus=0.5", {"engine": "ray", "address": "10.0.0.1:6379", "cpus": 2, "gpus": 0.5}),
        ("ray:[::1]:6379", {"engine": "ray", "address": "[::1]:6379", "cpus": 1, "gpus": 0}),
        ("slurm:short", {"engine": "slurm", "address": "short", "cpus": 1, "gpus": 0}),
    ],
)
def test_a_text_says_where_and_how_much_of_a_machine(text, found):
    assert dict(jobs.on(text)) == found


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "'' is not known; allowed: ray, ray:ADDRESS"),
        ("raj:10.0.0.1:6379", "'raj' is not known"),
        ("ray:somewhere", "'somewhere' is no address of a Ray cluster"),
        ("ray://head:10001", "'//head:10001' is no address of a Ray cluster"),
        ("ray cores=2", "'cores=2' is not known here; allowed: cpus=N, gpus=N"),
        ("ray cpus=0", "cpus: '0' is too small; allowed: more than 0"),
        ("ray cpus=many", "cpus: 'many' is not"),
        ("ray gpus=1.5", "gpus: 1.5 is not allowed; allowed: a part of one, or whole ones"),
    ],
)
def test_a_text_that_says_nothing_is_refused(text, told):
    with pytest.raises(SeglabError, match=re.escape(told)):
        jobs.on(text)


@pytest.mark.parametrize(("engine", "package"), [("ray", "ray"), ("slurm", "submitit")])
def test_without_its_package_an_engine_says_what_to_install(engine, package, monkeypatch, capsys):
    whole = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name, *rest: None if name == package else whole(name, *rest)
    )
    told = f'needs the package {package}: pip install "seglab[{engine}]"'
    with pytest.raises(SystemExit) as ended:
        cli.main(["plan", "seeds", "--on", engine])
    assert ended.value.code == 2 and told in capsys.readouterr().err and not runs.home().exists()
    monkeypatch.setenv("SEGLAB_ON", engine)
    with pytest.raises(SeglabError, match="pip install"):
        jobs.chosen()


def test_the_queue_is_worked_on_where_the_environment_says(monkeypatch):
    assert type(jobs.queue_worker()) is jobs.Worker
    monkeypatch.setenv("SEGLAB_ON", "ray:10.0.0.1:6379 cpus=2")
    assert type(jobs.queue_worker()) is jobs.Elsewhere
    monkeypatch.setenv("RAY_AUTH_TOKEN", "secret")
    assert (
        elsewhere.surroundings()["RAY_AUTH_TOKEN"] == "secret"
        and elsewhere.surroundings()["RAY_USAGE_STATS_ENABLED"] == "0"
    )


def test_runs_elsewhere_are_not_bound_to_the_first_cores_of_their_machine(monkeypatch):
    monkeypatch.setattr(machine, "whole", lambda: True)
    assert jobs.environment()["OMP_PROC_BIND"] == "true" and "OMP_PROC_BIND" not in elsewhere.surroundings()


def test_the_process_that_deals_out_is_begun_again_also_where_it_cannot_begin(monkeypatch):
    tried = []

    def short(*_, **__):
        tried.append(1)
        raise OSError(12, "Cannot allocate memory")

    monkeypatch.setattr(elsewhere, "RETRY", 0.01)
    monkeypatch.setattr(elsewhere.subprocess, "Popen", short)
    page = jobs.Elsewhere("ray")
    page.start()
    wait_until(lambda: len(tried) > 2)
    page.end()
    assert not page.is_alive()


# --- dealing out


class Room:
    """An adapter with room for two runs, each of which ends when it is told to."""

    def __init__(self):
        self.begun, self.ends, self.most = [], threading.Event(), 0
        self.waiting = set()
        self.refused: Exception | None = None

    def connect(self):
        pass

    def room(self):
        return 2 - len(self.waiting) - sum(state(each) == "running" for each in self.begun)

    def work(self, directory, unstop=False):
        if self.refused:
            raise self.refused
        with runs.begun(directory, unstop):
            self.begun.append(directory)
            self.waiting.discard(directory)
            self.most = max(self.most, sum(state(each) == "running" for each in self.begun))
            self.ends.wait(60)
            runs.append(directory, runs.ending(directory, "completed"))


@pytest.fixture
def deals(monkeypatch):
    """A dispatcher in this process and its adapter; both end with the test."""
    monkeypatch.setattr(dispatcher, "TAKE_A_LOOK", 0.02)
    monkeypatch.setattr(worker, "RETRY", 0.1)
    there = Room()
    made = dispatcher.Dispatcher(there)
    yield made, there
    made.ended.set()
    there.ends.set()
    wait_until(lambda: not made.is_alive())


def test_as_many_runs_go_on_as_there_is_room_for_and_everybody_has_their_turn(deals):
    made, there = deals
    ours, theirs = runs.Owner(key="a" * 16), runs.Owner(key="b" * 16)
    mine = jobs.submit([tiny(seed=n) for n in range(3)], ours)
    (other,) = jobs.submit([tiny()], theirs)
    made.start()
    wait_until(lambda: len(there.begun) == 2)
    assert set(there.begun) == {mine[0], other} and jobs.waiting() == mine[1:]
    there.ends.set()
    wait_until(lambda: all(state(each) == "completed" for each in (*mine, other)))
    assert there.most == 2


def test_runs_wait_and_say_why_while_none_can_begin(deals):
    made, there = deals
    there.refused = jobs.Unready("the cluster is away")
    (directory,) = jobs.submit([tiny()])
    made.start()
    wait_until(jobs.trouble)
    assert str(jobs.trouble()) == "the cluster is away" and state(directory) == "queued"
    there.refused = None
    there.ends.set()
    wait_until(lambda: state(directory) == "completed")
    os.utime(runs.home() / ".trouble", (0, 0))
    assert jobs.trouble() is None


def test_chosen_runs_are_dealt_out_as_they_can_begin_and_no_others(deals, capsys):
    _, there = deals
    there.ends.set()
    base = runs.create(tiny(epochs=1), "base")
    second = runs.create(tiny(init_from=str(base)), "second")
    runs.stop(base)
    (queued,) = jobs.submit([tiny()])
    dispatcher.Chosen(there, [second, base]).run()
    assert there.begun == [base, second] and state(queued) == "queued"
    assert "run 2 of 2: completed" in capsys.readouterr().err


@pytest.mark.parametrize("back", [True, False])
def test_a_plan_goes_on_while_its_runs_may_find_another_place(deals, capsys, back):
    """Where the one node that was large enough is lost, the run that was on it waits for it to come back."""
    _, there = deals
    first, second = (runs.create(tiny(), name) for name in ("first", "second"))
    chosen, asked = dispatcher.Chosen(there, [first, second]), []

    def none():
        if there.begun and (not back or len(asked) < 3):
            asked.append(1)
            there.ends.set() if len(asked) == 3 else None
            raise jobs.Unready("no node is large enough")
        return 1 - len(there.waiting)

    there.room = none
    if back:
        chosen.run()
        assert there.begun == [first, second]
    else:
        with pytest.raises(jobs.Unready, match="no node is large enough"):
            chosen.run()
        assert there.begun == [first] and state(first) == "completed"
    assert capsys.readouterr().err.count("no node is large enough") == 1


def test_a_plan_that_is_interrupted_begins_no_run_and_stops_those_at_work(deals, capsys):
    _, there = deals
    first, second = (runs.create(tiny(), name) for name in ("first", "second"))
    chosen = dispatcher.Chosen(there, [first, second])
    awaits = dispatcher.awaited

    def interrupted(directory):  # just as it is about to begin
        chosen.stop()
        return awaits(directory)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(dispatcher, "awaited", interrupted)
        patch.setattr(there, "work", lambda directory, unstop=False: until_stopped(directory))
        chosen.run()
    assert (state(first), state(second)) == ("stopped", "queued")
    assert "run 1 of 2: stopped" in capsys.readouterr().err


def until_stopped(directory):
    with runs.begun(directory, unstop=True):
        wait_until((directory / "stop").exists)
        runs.append(directory, runs.ending(directory, "stopped"))


# --- what nodes are asked


def test_a_run_fails_whose_process_is_lost_again_and_again_without_getting_further(monkeypatch):
    directory, hands = runs.create(tiny()), iter(range(9))
    adapter = ray.Ray(jobs.on("ray"))

    def lost(*_):
        raise ray.Lost("its node has died")

    monkeypatch.setattr(adapter, "hired", lambda _: next(hands) + 1)
    monkeypatch.setattr(adapter, "follow", lost)
    monkeypatch.setattr(ray, "engine", lambda: type("Engine", (), {"kill": lambda self, hand: None})())
    assert "lost 3 times without getting further: its node has died" in str(adapter.work(directory))
    assert state(directory) == "failed" and next(hands) == 3
    jobs.resubmit(directory)
    assert state(directory) == "queued"


class Streams:
    """An engine on whose only actor a run gives these events and is lost; or it raises what is among them."""

    class exceptions:
        class RayError(Exception):
            pass

        class RayTaskError(RayError):
            pass

    def __init__(self, *messages):
        self.messages, self.begun = iter(messages), 0

    def wait(self, answers, **how):
        return answers, []

    def get(self, message):
        if isinstance(message, Exception):
            raise message
        return message

    def kill(self, hand):
        pass

    @property
    def work(self):
        return self

    def options(self, **how):
        return self

    def remote(self, *what):
        self.begun += 1
        assert self.begun == 1, "it goes on elsewhere"
        return self.messages


def followed(directory, monkeypatch, *messages):
    """What the adapter says of a run that gives these messages."""
    streams = Streams(*messages)
    adapter = ray.Ray(jobs.on("ray"))
    monkeypatch.setattr(ray, "engine", lambda: streams)
    monkeypatch.setattr(adapter, "hired", lambda _: streams)
    monkeypatch.setattr(adapter, "refuse_cut_off", lambda: None)
    return adapter.work(directory)


@pytest.mark.parametrize("reason", ["completed", "stopped", "diverged"])
def test_a_run_that_has_ended_stays_so_where_its_process_is_lost_then(monkeypatch, reason):
    directory = runs.create(tiny())
    end = to_line(Finished(step=3, seconds=1.0, reason=reason)), {}
    assert followed(directory, monkeypatch, end, Streams.exceptions.RayError("its node has died")) is None
    assert state(directory) == reason and len(runs.all_events(directory)) == 1


def test_what_goes_wrong_with_one_run_is_no_end_of_the_others(monkeypatch):
    directory = runs.create(tiny())
    assert "KeyError: 'dataset.json'" in str(followed(directory, monkeypatch, KeyError("dataset.json")))
    assert state(directory) == "failed"


def test_a_run_on_a_node_has_its_share_of_the_memory_for_images(monkeypatch):
    node_has = {"CPU": 8.0, "GPU": 2.0, "memory": 1e11}
    assert node.share({"CPU": 2.0}, node_has) == 0.25
    assert node.share({"CPU": 1.0, "GPU": 1.0}, node_has) == 0.5  # two at most
    assert node.share({"CPU": 4.0}, {"CPU": 4.0}) == 1
    monkeypatch.setattr(machine, "memory", lambda: 2**35)
    monkeypatch.setattr(node, "resources", lambda: ({"CPU": 2.0}, node_has))
    for name in ("SEGLAB_HOME", "SEGLAB_CACHE_GB"):
        monkeypatch.setenv(name, os.environ.get(name, ""))  # as it is afterward
    del os.environ["SEGLAB_CACHE_GB"]
    luggage = runs.packed(runs.create(tiny()))
    stream = node.Node({}, {}).work(luggage, False, 1)
    next(stream)
    stream.close()
    assert store.room() == 2**31


def test_a_node_s_folder_of_somebody_else_is_not_used(monkeypatch, tmp_path):
    another = os.getuid() + 1
    monkeypatch.setattr(os, "getuid", lambda: another)
    with pytest.raises(SeglabError, match=f"{tmp_path} on {socket.gethostname()} belongs to somebody else"):
        node.refuse_others(tmp_path)


def test_runs_ask_for_as_many_places_as_are_free_and_one_more_waits(monkeypatch):
    free = {"CPU": 7.0}

    class Engine:
        def nodes(self):
            return [
                {"Alive": True, "Resources": {"CPU": 4.0}},
                {"Alive": False, "Resources": {"CPU": 64.0, "GPU": 1.0}},
            ]

        def available_resources(self):
            return free

    monkeypatch.setattr(ray, "engine", Engine)
    adapter = ray.Ray(jobs.on("ray cpus=2"))
    assert adapter.room() == 3
    adapter.waiting |= {"a", "b"}
    assert adapter.room() == 1
    free.clear()
    assert adapter.room() == -1
    adapter.waiting.clear()
    assert adapter.room() == 1
    for share in ("cpus=5", "gpus=1"):
        with pytest.raises(jobs.Unready, match=f"no node of the Ray cluster has .*{share}"):
            ray.Ray(jobs.on(f"ray {share}")).room()


def test_a_node_with_another_seglab_or_none_is_refused(monkeypatch):
    adapter = ray.Ray(jobs.on("ray"))
    adapter.refuse_other("node-1", node.edition())
    with pytest.raises(jobs.Unready, match="seglab is not installed on node-1"):
        adapter.refuse_other("node-1", "")
    with pytest.raises(jobs.Unready, match=r"node-1 has seglab 0\.0\.9 \(12345678\), and here it is"):
        adapter.refuse_other("node-1", "0.0.9 (12345678)")


def test_a_node_without_the_images_or_a_plug_in_says_so(tmp_path, monkeypatch):
    directory = runs.create(tiny(data={"name": "camvid", "root": str(tmp_path / "camvid")}))
    with pytest.raises(
        SeglabError, match=f"camvid are not on {socket.gethostname()}: .*/camvid is missing there; share"
    ):
        node.refuse_missing(directory, lambda path: path)
    config = (directory / "config.json").read_text()
    (directory / "config.json").write_text(config.replace('"camvid"', '"of a plug-in"'))
    monkeypatch.setattr(plugins, "PROBLEMS", [SeglabError("the plug-in mine.py cannot be used")])
    with pytest.raises(SeglabError, match=f"on {socket.gethostname()}: the plug-in mine.py"):
        node.refuse_missing(directory, lambda path: path)


def test_a_run_gets_its_share_and_the_limits_of_this_server_everywhere(monkeypatch):
    monkeypatch.setenv("SEGLAB_SHARED", "1")
    found = ray.settings(jobs.on("ray cpus=2").threads)
    assert found["OMP_NUM_THREADS"] == "2" and found["SEGLAB_LIMITS"] == "memory=8.0 disk=0.5"
    monkeypatch.delenv("SEGLAB_SHARED")
    assert ray.settings(1)["SEGLAB_LIMITS"] == "memory=none disk=none"
    monkeypatch.setenv("SEGLAB_DATA", "data")
    assert ray.otherwise() == {"SEGLAB_DATA": os.path.abspath("data")}
    monkeypatch.setenv("SEGLAB_CACHE_GB", "2")
    assert ray.otherwise()["SEGLAB_CACHE_GB"] == "2"


# --- Slurm, by submitit's executor for this machine


@pytest.mark.slow
def test_jobs_work_on_runs_in_the_home_and_waiting_ones_are_withdrawn(monkeypatch):
    pytest.importorskip("submitit")
    monkeypatch.setattr(slurm, "KIND", "local")
    monkeypatch.setattr(slurm, "LOOK", 0.02)
    adapter = slurm.Slurm(jobs.on("slurm"))
    exact = {"name": "adamw", "precision": "full"}  # whatever the processor is fast at
    whole, directory = (runs.create(tiny(epochs=2, optimizer=exact)) for _ in range(2))
    finish(whole)
    adapter.waiting.add(directory)
    assert adapter.room() == slurm.MOST_WAITING - 1 and adapter.work(directory) is None
    assert state(directory) == "completed" and weights(directory) == weights(whole) and not adapter.waiting
    gone = runs.create(tiny(data={"name": "camvid", "root": "/gone"}))
    assert "its log is" in str(adapter.work(gone)) and "/gone" in runs.status(gone).finished.text
    stopped = runs.create(tiny())
    (stopped / "stop").touch()
    assert adapter.work(stopped) is None and state(stopped) == "queued"


def test_jobs_that_slurm_does_not_take_wait_and_say_so(monkeypatch):
    submitit = pytest.importorskip("submitit")

    def refused(*_):
        raise submitit.core.utils.FailedJobError("sbatch: error: invalid partition specified: shrt")

    monkeypatch.setattr(slurm, "KIND", "local")
    monkeypatch.setattr(submitit.AutoExecutor, "submit", refused)
    with pytest.raises(jobs.Unready, match="Slurm takes no job: sbatch: error: invalid partition specified: shrt"):
        slurm.Slurm(jobs.on("slurm")).work(runs.create(tiny()))


def test_a_machine_that_submits_no_jobs_says_so(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(jobs.Unready, match="no sbatch"):
        slurm.Slurm(jobs.on("slurm")).connect()
