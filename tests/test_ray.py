"""Runs on a Ray cluster: two nodes of one core on this machine, and kill -9 of each of its parts."""

import subprocess

import psutil
import pytest

from benchmarks._outcome import leftovers, weights
from seglab import cli, jobs, runs
from seglab.events import Evaluated, Started
from seglab.jobs import elsewhere
from tests.conftest import finish, free_port
from tests.conftest import tiny as tiny_run
from tests.test_jobs import state, wait_until

pytest.importorskip("ray")
CHECKS = {"initial_delay_ms": 500, "period_ms": 300, "timeout_ms": 300, "failure_threshold": 3}
SETTINGS = {"RAY_USAGE_STATS_ENABLED": "0", "RAY_AUTH_MODE": "disabled", "RAY_gcs_rpc_server_reconnect_timeout_s": "3"}


def tiny(**options):
    """A run that computes alike in this process and in others, whatever the processor is fast at."""
    return tiny_run(optimizer={"name": "adamw", "precision": "full"}, **options)


class Cluster:
    """A head without processors, and nodes of one core; a node that is gone is missed after a second."""

    def __init__(self):
        self.port = free_port()
        self.address = self.begin()

    def begin(self):
        """Starts the head, at the same address as any before, and two nodes."""
        from ray.cluster_utils import Cluster

        checks = {f"health_check_{name}": value for name, value in CHECKS.items()}
        how = {"num_cpus": 0, "include_dashboard": False, "gcs_server_port": self.port, "_system_config": checks}
        self.known = Cluster(initialize_head=True, head_node_args=how)
        self.add(2)
        return self.known.address

    def lose_head(self):
        """Kills the head, as where its machine is switched off; gives back what is left of the others."""
        self.known.head_node.kill_gcs_server(check_alive=False)
        self.known.head_node.kill_raylet(check_alive=False)

    def add(self, count):
        for _ in range(count):
            self.known.add_node(num_cpus=1, object_store_memory=80 * 2**20)

    def raylets(self):
        """The processes of the nodes that are not the head's."""
        nodes = self.known.worker_nodes
        return [psutil.Process(each.all_processes["raylet"][0].process.pid) for each in nodes]

    def at_work(self):
        """The processes that work on runs."""
        found = [child for raylet in self.raylets() if raylet.is_running() for child in children(raylet)]
        return [child for child in found if title(child).startswith("ray::Node")]


def children(process):
    try:
        return process.children(recursive=True)
    except psutil.NoSuchProcess:
        return []


def title(process):
    try:
        return " ".join(process.cmdline())
    except psutil.Error:
        return ""


@pytest.fixture(scope="module")
def cluster():
    with pytest.MonkeyPatch.context() as patch:
        for name, value in SETTINGS.items():
            patch.setenv(name, value)
        made = Cluster()
        yield made
        made.known.shutdown()


@pytest.fixture
def dispatcher(cluster, runs_home):
    """The process that deals out this test's queue."""
    child = subprocess.Popen(elsewhere.command(f"ray:{cluster.address}"), env=elsewhere.surroundings(), cwd=jobs.ROOT)
    yield child
    child.kill()
    child.wait()


def events(directory, kind):
    return [event for event in runs.all_events(directory) if isinstance(event, kind)]


def goes_on(directory):
    """Whether the run has been evaluated since it last began."""
    kinds = [type(event) for event in runs.all_events(directory)]
    return Evaluated in kinds[len(kinds) - kinds[::-1].index(Started) :]


@pytest.mark.slow
def test_runs_go_on_side_by_side_and_end_as_on_this_machine_or_with_whoever_deals_them_out(cluster, dispatcher):
    local = finish(runs.create(tiny(epochs=3)))
    first, second = jobs.submit([tiny(epochs=300), tiny(epochs=300, seed=1)])
    wait_until(lambda: len(events(first, Evaluated)) > 2 and len(events(second, Evaluated)) > 2)
    third, fourth = jobs.submit([tiny(epochs=3), tiny(epochs=1)])
    wait_until(lambda: len(cluster.at_work()) == 2)
    assert [state(each) for each in (first, second, third)] == ["running", "running", "queued"]
    jobs.stop(fourth)  # the cluster is full, and this one waits
    assert state(fourth) == "stopped" and jobs.waiting() == [third]
    jobs.stop(first)
    wait_until(lambda: state(first) == "stopped" and state(third) == "completed")
    assert weights(third) == weights(local) and runs.load(third) and not leftovers(third)
    assert state(second) == "running" and not events(fourth, Started)
    step = runs.status(first).finished.step
    jobs.resubmit(first)
    wait_until(lambda: len(events(first, Started)) > 1 and goes_on(first))
    assert events(first, Started)[-1].resumed_at == step
    at_work = cluster.at_work()
    dispatcher.kill()
    dispatcher.wait()
    assert state(first) == state(second) == "interrupted" and len(at_work) == 2
    wait_until(lambda: not any(process.is_running() for process in at_work))


@pytest.mark.slow
def test_a_run_whose_process_or_node_is_lost_goes_on_from_its_last_snapshot(cluster, dispatcher):
    whole = finish(runs.create(tiny(epochs=60)))
    (directory,) = jobs.submit([tiny(epochs=60)])
    for n, lose in enumerate((lambda process: process, lambda process: process.parent()), 1):
        wait_until(
            lambda n=n: len(events(directory, Started)) == n and isinstance(runs.events(directory)[-1], Evaluated)
        )
        (process,) = cluster.at_work()
        lose(process).kill()
        wait_until(lambda n=n: len(events(directory, Started)) > n)
    cluster.add(1)
    wait_until(lambda: state(directory) == "completed")
    assert all(each.resumed_at for each in events(directory, Started)[1:])
    assert weights(directory) == weights(whole) and not leftovers(directory)
    assert (directory / "log.txt").read_text().count("was lost, and it goes on from step") == 2


@pytest.mark.slow
def test_a_lost_head_interrupts_runs_and_the_queue_waits_until_it_is_back(cluster, runs_home, monkeypatch):
    monkeypatch.setattr(elsewhere, "RETRY", 0.1)
    page = jobs.Elsewhere(f"ray:{cluster.address}")
    page.start()
    try:
        (directory,) = jobs.submit([tiny(epochs=400)])
        wait_until(lambda: len(events(directory, Evaluated)) > 1)
        (waiting,) = jobs.submit([tiny(epochs=1, init_from=str(finish(runs.create(tiny(epochs=1)))))])
        cluster.lose_head()
        wait_until(lambda: state(directory) == "interrupted")
        wait_until(jobs.trouble)
        assert "cannot be joined" in str(jobs.trouble())
        jobs.resubmit(directory)
        assert set(jobs.waiting()) == {directory, waiting}
        cluster.known.shutdown()
        cluster.begin()
        wait_until(lambda: state(waiting) == "completed" and len(events(directory, Started)) > 1)
        assert events(directory, Started)[-1].resumed_at
        jobs.stop(directory)
        wait_until(lambda: state(directory) == "stopped")
    finally:
        page.end()


@pytest.mark.slow
def test_a_plan_is_worked_on_by_the_cluster(cluster, capfd):
    options = "--epochs 1 --data.train_images 8 --data.val_images 4 --data.size 64 --image_size 64 --model.width 4"
    with pytest.raises(SystemExit) as ended:
        cli.main(["plan", "seeds", "--count", "2", "--name", "two", *options.split(), "--on", f"ray:{cluster.address}"])
    told = capfd.readouterr().err
    assert ended.value.code == 0 and told.count(": completed") == 2 and "compare two" in told, told
    first, second = (runs.find(f"two {n}") for n in (1, 2))
    assert state(first) == state(second) == "completed" and weights(first) != weights(second)
